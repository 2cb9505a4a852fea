//! The scenarios: those of IGT's `core_hotunplug`, and what else happens while a device goes.
use fops_runtime::Op;

/// How the device goes and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The driver is unbound and bound again.
    Unbind,
    /// The device is taken off the bus and found again.
    Unplug,
    /// The hardware is gone before anybody says so, and found again.
    Surprise,
}

/// When a file that was open before is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// There is none.
    NoFile,
    /// Before the device comes back.
    Early,
    /// After that, and before anybody uses the new one.
    Late,
    /// After all.
    Last,
}

/// What happens beside.
#[derive(Clone, Copy)]
pub(super) enum Twist {
    Plain,
    /// The operation is in its section when unplug begins, and stays there until the flag is up.
    InFlight(&'static Op),
    /// It stays there until the stop hook has run.
    InFlightLong(&'static Op),
    /// It asks for the removal of its own device, and waits for it.
    Inside(&'static Op),
    /// It panics.
    Panics(&'static Op),
    /// It keeps the removal waiting beyond a deadline.
    Straggler(&'static Op),
    /// Two threads unplug at once.
    Twice,
    /// It is in its section while the cause of the removal gets worse.
    Worsens(&'static Op),
}

/// One scenario.
#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) way: Way,
    pub(super) close: Close,
    pub(super) twist: Twist,
}

/// The eight of `core_hotunplug`.
pub(super) fn hotunplug() -> impl Iterator<Item = Scenario> {
    let plain =
        |(name, way, close): (&str, Way, Close)| Scenario { name: name.into(), way, close, twist: Twist::Plain };
    [
        ("unbind-rebind", Way::Unbind, Close::NoFile),
        ("unplug-rescan", Way::Unplug, Close::NoFile),
        ("hotunbind-rebind", Way::Unbind, Close::Early),
        ("hotunplug-rescan", Way::Unplug, Close::Early),
        ("hotrebind", Way::Unbind, Close::Last),
        ("hotreplug", Way::Unplug, Close::Last),
        ("hotrebind-lateclose", Way::Unbind, Close::Late),
        ("hotreplug-lateclose", Way::Unplug, Close::Late),
    ]
    .into_iter()
    .map(plain)
}

/// What else happens while a device goes, to all acts at once.
pub(super) fn causes() -> impl Iterator<Item = Scenario> {
    let of = |(name, way, twist): (&str, Way, Twist)| Scenario { name: name.into(), way, close: Close::Last, twist };
    [("surprise removal", Way::Surprise, Twist::Plain), ("a second unplug", Way::Unbind, Twist::Twice)]
        .into_iter()
        .map(of)
}

/// What may happen to an operation that is in its section when unplug begins.
pub(super) fn in_flight(op: &'static Op) -> impl Iterator<Item = Scenario> {
    let of = |(name, twist): (&str, Twist)| Scenario {
        name: format!("{} {name}", op.name()),
        way: Way::Unbind,
        close: Close::Late,
        twist,
    };
    [
        ("in flight", Twist::InFlight(op)),
        ("in flight past the stop hook", Twist::InFlightLong(op)),
        ("unplugs its own device", Twist::Inside(op)),
        ("panics", Twist::Panics(op)),
    ]
    .into_iter()
    .map(of)
}

/// What one operation is enough for.
pub(super) fn once_in_flight(op: &'static Op) -> impl Iterator<Item = Scenario> {
    let of = |(name, way, twist): (&str, Way, Twist)| Scenario { name: name.into(), way, close: Close::Last, twist };
    [
        ("an operation is late", Way::Unbind, Twist::Straggler(op)),
        ("the cause worsens", Way::Unplug, Twist::Worsens(op)),
    ]
    .into_iter()
    .map(of)
}

impl Twist {
    /// The operation that has to be in its section.
    pub(super) const fn op(self) -> Option<&'static Op> {
        match self {
            Self::InFlight(op)
            | Self::InFlightLong(op)
            | Self::Inside(op)
            | Self::Panics(op)
            | Self::Straggler(op)
            | Self::Worsens(op) => Some(op),
            Self::Plain | Self::Twice => None,
        }
    }
}
