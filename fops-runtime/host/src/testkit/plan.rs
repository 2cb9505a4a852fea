//! What the author has said.
use crate::testkit::act::Act;
use crate::testkit::disturber::Disturb;
use crate::testkit::world::World;
use std::sync::Arc;

/// Looks at the hardware, or does something to it.
pub(super) type OnHardware<H> = Arc<dyn Fn(&H) + Send + Sync>;

/// What the author has said.
pub(super) struct Plan<H> {
    pub(super) make: Box<dyn Fn() -> World<H>>,
    pub(super) acts: Vec<Act>,
    pub(super) disturb: Option<Disturb<H>>,
    /// Pulls the hardware out, and puts it back.
    pub(super) surprise: Option<[OnHardware<H>; 2]>,
    pub(super) away: Vec<OnHardware<H>>,
    /// An operation, and why it is not tried.
    pub(super) excuses: Vec<(String, String)>,
    pub(super) beside: Option<String>,
    /// On served nodes too, with a process for each act.
    pub(super) on_nodes: bool,
    /// How many random orders to play.
    pub(super) orders: usize,
}
