//! What the macro accepts and what it says of mistakes: `ui.rs` runs `fail/` and `pass/`.
