//! The bus: every removal is carried out once, whatever else goes on.
#[path = "../../../tests/common/mod.rs"]
mod common;

mod binding;
mod driver;
mod removal;
mod unload;
