//! The rules for structures that derive `Resources`.

use super::reason_is_given;
use crate::{
    diagnostics::{Diagnostics, Outcome, Reported},
    model::{Field, Structure},
};

/// Applies them to each field.
pub(crate) fn structure(structure: Structure, diagnostics: &mut Diagnostics) -> Result<Structure, Reported> {
    let mut outcome = Ok(());
    for field in &structure.fields {
        outcome = outcome.and(shared_has_reason(field, diagnostics));
    }
    outcome?;
    Ok(structure)
}

/// A field whose clones may outlive the device says why that is sound, and no other field gives a reason.
fn shared_has_reason(field: &Field, diagnostics: &mut Diagnostics) -> Outcome {
    let example = "`#[resources(shared, reason = \"feeds other devices too\")]`";
    match (field.options.shared.0, &field.options.reason) {
        (None, None) => Ok(()),
        (Some(_), Some(reason)) => reason_is_given(reason, example, diagnostics),
        (Some(word), None) => diagnostics
            .error_at(word, format_args!("clones of a shared field may be used after unplug: why is that sound?"))
            .help(format_args!("{example}"))
            .reported(),
        (None, Some(reason)) => diagnostics
            .error(&reason.0, format_args!("only a shared field needs a reason"))
            .help(format_args!("{example}, or no reason"))
            .reported(),
    }
}
