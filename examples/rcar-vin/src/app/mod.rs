//! The program around the driver: a machine that has the devices, and clients that use them. The commands are the
//! binary's.
pub mod client;
pub mod machine;
