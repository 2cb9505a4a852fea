//! The program around the driver.
pub mod client;
pub mod machine;
