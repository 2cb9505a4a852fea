//! A structure that derives `Resources`.

use proc_macro2::Ident;
use syn::{Generics, Member};

use crate::args::{FieldOptions, StructureOptions};

/// A structure under `#[derive(Resources)]`.
pub(crate) struct Structure {
    pub(crate) options: StructureOptions,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) fields: Vec<Field>,
}

/// One of its fields.
pub(crate) struct Field {
    /// Its name, or its number.
    pub(crate) member: Member,
    pub(crate) options: FieldOptions,
}
