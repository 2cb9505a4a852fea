//! What is known of an operation at compile time: its name, its policy and its place in the source.
use core::fmt;
use core::panic::Location;

/// When an operation may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Only while the device is there. The default.
    Guarded,
    /// After unplug too, then without access to the resources.
    Always,
    /// Without a section: whenever it is called.
    Unguarded {
        /// Why that is sound, in the driver author's words.
        reason: &'static str,
    },
}

/// The static descriptor of one operation: what a report of stragglers names.
///
/// `#[guarded_fops]` makes one for each operation of an impl block, [`op!`] makes one for a
/// section that a driver opens by hand.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    type_name: &'static str,
    name: &'static str,
    policy: Policy,
    location: &'static Location<'static>,
}

impl Op {
    /// A guarded operation `name` of `type_name`, at the caller's place in the source.
    #[track_caller]
    pub const fn guarded(type_name: &'static str, name: &'static str) -> Self {
        Self::new(type_name, name, Policy::Guarded)
    }

    /// An operation that also runs after unplug.
    #[track_caller]
    pub const fn always(type_name: &'static str, name: &'static str) -> Self {
        Self::new(type_name, name, Policy::Always)
    }

    /// An operation that runs outside any section, because `reason`.
    #[track_caller]
    pub const fn unguarded(type_name: &'static str, name: &'static str, reason: &'static str) -> Self {
        Self::new(type_name, name, Policy::Unguarded { reason })
    }

    #[track_caller]
    const fn new(type_name: &'static str, name: &'static str, policy: Policy) -> Self {
        Self { type_name, name, policy, location: Location::caller() }
    }

    /// The operation's name, such as `ioctl`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The type it is an operation of, such as `RcarVin`.
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// When it may run.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// The line of the operation's name in the driver's source.
    pub const fn location(&self) -> &'static Location<'static> {
        self.location
    }
}

/// `RcarVin::ioctl (src/core.rs:120)`.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{} ({}:{})", self.type_name, self.name, self.location.file(), self.location.line())
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __op {
    ($name:literal) => {
        const { &$crate::Op::guarded(::core::module_path!(), $name) }
    };
}

/// The descriptor of a section that a driver opens by hand: an interrupt, timer or work handler.
///
/// ```
/// use fops_runtime::{DeviceLifetime, op::op};
///
/// let lifetime = DeviceLifetime::new(3);
/// let access = lifetime.enter(op!("vin-irq"))?;
/// assert_eq!(*access, 3);
/// # Ok::<(), fops_runtime::Unplugged>(())
/// ```
#[doc(inline)]
pub use __op as op;

/// The number that stands for a trait's name in [`Guarded`].
///
/// One type may have guarded blocks for several traits; each has a table of its own.
#[doc(hidden)]
pub const fn key(trait_name: &str) -> u64 {
    // FNV-1a, 64 bits.
    let bytes = trait_name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// Every operation of an impl block is guarded or says why not. Implemented by `#[guarded_fops]` alone.
///
/// `TRAIT` is [`OpTable::key`] of the trait's name, or of the attribute's `name` option.
///
/// ```
/// # #[cfg(feature = "std")] {
/// # use fops_runtime::{DeviceLifetime, File, FileOperations, Guarded, OpTable, Policy, Result, guarded_fops};
/// # struct Null { lifetime: DeviceLifetime<()> }
/// # #[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
/// # impl FileOperations for Null { type Open = (); fn open(&self, _: &File) -> Result { Ok(()) } }
/// let ops = <Null as Guarded<{ OpTable::key("FileOperations") }>>::OPS;
/// assert!(ops.iter().all(|op| !matches!(op.policy(), Policy::Unguarded { .. })));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "the operations of `{Self}` are not guarded against unplug",
    label = "this impl block has no `#[guarded_fops]`",
    note = "write `#[guarded_fops(lifetime = <field>)]` above the impl block, where the field is its `DeviceLifetime`"
)]
pub trait Guarded<const TRAIT: u64> {
    /// The block's operations, in the order they are written.
    const OPS: &'static [Op];

    /// The same as a table, to print or to assert on.
    fn table() -> OpTable
    where
        Self: Sized,
    {
        OpTable::new(Self::OPS)
    }
}

/// Operations as a table: displays with a line for each.
///
/// A test that names the unguarded ones sees to it that none is added without its author's knowledge:
///
/// ```
/// # #[cfg(feature = "std")] {
/// # use fops_runtime::{DeviceLifetime, File, FileOperations, Guarded, Op, Result, SeekFrom, guarded_fops};
/// # struct Null { lifetime: DeviceLifetime<()> }
/// #[guarded_fops(lifetime = lifetime)]
/// impl FileOperations for Null {
///     type Open = ();
///     fn open(&self, _: &File) -> Result { Ok(()) }
///     #[fop(unguarded, reason = "moves the file position")]
///     fn llseek(&self, _: &File, _: SeekFrom) -> Result<u64> { Ok(0) }
/// }
///
/// let unguarded: Vec<_> = Null::table().unguarded().map(Op::name).collect();
/// assert_eq!(unguarded, ["llseek"]);
/// println!("{}", Null::table());
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OpTable(&'static [Op]);

impl OpTable {
    /// The number that stands for a trait's name in [`Guarded`], or for the attribute's `name` option.
    #[doc(hidden)]
    pub const fn key(name: &str) -> u64 {
        key(name)
    }

    /// The table of these operations.
    pub const fn new(ops: &'static [Op]) -> Self {
        Self(ops)
    }

    /// The operations, in the order they are written.
    pub const fn ops(self) -> &'static [Op] {
        self.0
    }

    /// Those that enter no section: what a review of the driver reads first.
    pub fn unguarded(self) -> impl Iterator<Item = &'static Op> {
        self.0.iter().filter(|op| matches!(op.policy, Policy::Unguarded { .. }))
    }
}

/// The name, the policy, when the operation runs or the reason for that, and the line in the source.
impl fmt::Display for OpTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const OPERATION: &str = "operation";
        let full = |op: &Op| op.type_name.len() + "::".len() + op.name.len();
        let width = self.0.iter().map(full).max().unwrap_or(0).max(OPERATION.len());
        write!(f, "{OPERATION:width$}  policy     when it runs")?;
        for op in self.0 {
            let (policy, when) = match op.policy {
                Policy::Guarded => ("guarded", "while the device is there"),
                Policy::Always => ("always", "after unplug too, then without access"),
                Policy::Unguarded { reason } => ("unguarded", reason),
            };
            let (pad, location) = (width - full(op), op.location);
            write!(f, "\n{}::{}{:pad$}  {policy:9}  {when}", op.type_name, op.name, "")?;
            write!(f, " ({}:{})", location.file(), location.line())?;
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn table() {
        const OPS: &[Op] = &[
            Op::guarded("Vin", "read"),
            Op::always("Vin", "release"),
            Op::unguarded("Vin", "llseek", "touches no device"),
        ];
        let text = std::format!("{}", OpTable::new(OPS));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("operation     policy     when it runs"));
        let mut next = || lines.next().and_then(|line| line.rsplit_once(" (")).expect("a line with a location");
        let (line, location) = next();
        assert_eq!(line, "Vin::read     guarded    while the device is there");
        assert_eq!(location, std::format!("{}:{})", file!(), OPS[0].location().line()));
        assert_eq!(next().0, "Vin::release  always     after unplug too, then without access");
        assert_eq!(next().0, "Vin::llseek   unguarded  touches no device");
        assert_eq!(lines.next(), None);
        assert!(OpTable::new(OPS).unguarded().map(Op::name).eq(["llseek"]));
    }
}
