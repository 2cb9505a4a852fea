//! Testing a driver against unplug.
mod act;
mod actor;
mod ambush;
mod away;
mod beside;
mod client;
mod disturber;
mod finding;
mod hang;
mod held;
mod hotplug;
mod in_time;
mod patience;
mod probe_fails;
mod report;
mod round;
mod scenario;
mod suite;
mod trace;
mod unload;
mod whereabouts;
mod world;

pub use crate::nodes::faults::may_fail;
pub use client::{ClientFile, ClientNode};
pub use finding::Finding;
pub use hotplug::Hotplug;
pub use report::Report;
