//! What is known of an operation at compile time: its name, its policy and its place in the source.
use core::fmt;
use core::panic::Location;
use core::time::Duration;

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

/// How long an operation is inside its section, as its author declares it: `#[fop(sleeps)]` or `#[fop(brief)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stay {
    /// Nothing is declared.
    Undeclared,
    /// It may sleep for as long as it takes, until unplug ends the sleep. The test kit wants to see it asleep when a device
    /// goes.
    Sleeps,
    /// It is over within [`Stay::BRIEF`], whatever it waits for. If it keeps an unplug waiting for longer, the report says
    /// that it was declared brief, and the test kit finds it.
    Brief,
}

impl Stay {
    /// How long a brief operation may keep an unplug waiting: 100 ms. The stop of a device takes about as long.
    pub const BRIEF: Duration = Duration::from_millis(100);
}

/// The static descriptor of one operation: what a report of stragglers names.
///
/// `#[guarded_fops]` makes one for each operation of an impl block, [`op!`] makes one for a
/// section that a driver opens by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    type_name: &'static str,
    name: &'static str,
    policy: Policy,
    stay: Stay,
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
        Self { type_name, name, policy, stay: Stay::Undeclared, location: Location::caller() }
    }

    /// The same operation, which may sleep until unplug wakes it.
    #[must_use]
    pub const fn sleeps(self) -> Self {
        Self { stay: Stay::Sleeps, ..self }
    }

    /// The same operation, which is over within [`Stay::BRIEF`].
    #[must_use]
    pub const fn brief(self) -> Self {
        Self { stay: Stay::Brief, ..self }
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

    /// How long it is inside its section, as declared.
    pub const fn stay(&self) -> Stay {
        self.stay
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

/// The operations of a guarded block, as data. `#[guarded_fops]` alone implements it.
///
/// `BLOCK` is [`OpTable::key`] of the trait's name, of the type's name in a block without a trait, or of the attribute's
/// `name` option. Always name the block: a type may have several, so `Dev::OPS` does not compile.
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
pub trait Guarded<const BLOCK: u64>: Block<BLOCK> {
    /// The block's operations, in the order they are written.
    const OPS: &'static [Op];
}

impl<T: Block<BLOCK> + ?Sized, const BLOCK: u64> Guarded<BLOCK> for T {
    const OPS: &'static [Op] = <T as Block<BLOCK>>::OPS;
}

/// What the attribute writes for each block. It seals [`Guarded`].
#[doc(hidden)]
pub trait Block<const BLOCK: u64> {
    /// The block's operations.
    const OPS: &'static [Op];
}

/// Every type has this block, so that no path such as `Dev::OPS` finds a block without its name. Such a path would stop
/// to compile as soon as the type gets a second block.
#[diagnostic::do_not_recommend]
impl<T: ?Sized> Block<0> for T {
    const OPS: &'static [Op] = &[];
}

/// The attribute stands on the `FileOperations` of `Self`, if `T` is a type that implements no other trait.
///
/// The attribute cannot tell which trait the block's path leads to. It writes this impl for every `T` that implements the
/// block's trait. The bound of `FileOperations` asks for one `T` that implements nothing else, so a block of another trait
/// of that name does not satisfy it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the operations of `{Self}` are not guarded against unplug",
    label = "this impl block has no `#[guarded_fops]`",
    note = "write `#[guarded_fops(lifetime = <field>)]` above the impl block, where the field is its `DeviceLifetime`",
    note = "if the block has the attribute and calls the trait by another name, add `name = FileOperations`"
)]
pub trait GuardsFileOperations<T> {
    /// The block's operations.
    const OPS: &'static [Op];
}

/// As [`GuardsFileOperations`], for `SubdevOperations`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the operations of `{Self}` are not guarded against unplug",
    label = "this impl block has no `#[guarded_fops]`",
    note = "write `#[guarded_fops(lifetime = <field>)]` above the impl block, where the field is its `DeviceLifetime`",
    note = "if the block has the attribute and calls the trait by another name, add `name = SubdevOperations`"
)]
pub trait GuardsSubdevOperations<T> {
    /// The block's operations.
    const OPS: &'static [Op];
}

/// Operations as a table: displays with a line for each.
///
/// Assert on this list so that nobody adds an unguarded operation unnoticed:
///
/// ```
/// # #[cfg(feature = "std")] {
/// # use fops_runtime::{DeviceLifetime, File, FileOperations, Op, Result, SeekFrom, guarded_fops};
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
    /// The number that stands for a block's name in [`Guarded`].
    pub const fn key(name: &str) -> u64 {
        key(name)
    }

    /// The table of a block of `T`, by the [key](Self::key) of its name.
    ///
    /// ```
    /// # use fops_runtime::{DeviceLifetime, OpTable, Result, guarded_fops};
    /// struct Pump { lifetime: DeviceLifetime<u8> }
    ///
    /// #[guarded_fops(lifetime = lifetime, default = guarded)]
    /// impl Pump {
    ///     fn start(&self) -> Result { Ok(()) }
    /// }
    ///
    /// let table = OpTable::of::<Pump, { OpTable::key("Pump") }>();
    /// assert_eq!(table.ops()[0].name(), "start");
    /// ```
    pub const fn of<T: Guarded<BLOCK> + ?Sized, const BLOCK: u64>() -> Self {
        Self(<T as Guarded<BLOCK>>::OPS)
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

/// The name, the policy, how long the operation stays inside, when it runs or the reason for that, and the line in the source.
impl fmt::Display for OpTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const OPERATION: &str = "operation";
        let full = |op: &Op| op.type_name.len() + "::".len() + op.name.len();
        let width = self.0.iter().map(full).max().unwrap_or(0).max(OPERATION.len());
        write!(f, "{OPERATION:width$}  policy     stay    when it runs")?;
        for op in self.0 {
            let (policy, when) = match op.policy {
                Policy::Guarded => ("guarded", "while the device is there"),
                Policy::Always => ("always", "after unplug too, then without access"),
                Policy::Unguarded { reason } => ("unguarded", reason),
            };
            let stay = match op.stay {
                Stay::Undeclared => "-",
                Stay::Sleeps => "sleeps",
                Stay::Brief => "brief",
            };
            let (pad, location) = (width - full(op), op.location);
            write!(f, "\n{}::{}{:pad$}  {policy:9}  {stay:6}  {when}", op.type_name, op.name, "")?;
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
            Op::guarded("Vin", "read").sleeps(),
            Op::always("Vin", "release").brief(),
            Op::unguarded("Vin", "llseek", "touches no device"),
        ];
        let text = std::format!("{}", OpTable::new(OPS));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("operation     policy     stay    when it runs"));
        let mut next = || lines.next().and_then(|line| line.rsplit_once(" (")).expect("a line with a location");
        let (line, location) = next();
        assert_eq!(line, "Vin::read     guarded    sleeps  while the device is there");
        assert_eq!(location, std::format!("{}:{})", file!(), OPS[0].location().line()));
        assert_eq!(next().0, "Vin::release  always     brief   after unplug too, then without access");
        assert_eq!(next().0, "Vin::llseek   unguarded  -       touches no device");
        assert_eq!(lines.next(), None);
        assert!(OpTable::new(OPS).unguarded().map(Op::name).eq(["llseek"]));
    }
}
