//! Testing a driver against unplug.
//!
//! The kit plays what happens to a driver when its device goes, with the operations in flight that the author names, and
//! says what is wrong and what to write instead. It runs in process, without rights. With
//! [`on_nodes`](Hotplug::on_nodes) it also plays on nodes that `/dev/fuse` serves, with real processes.
//!
//! # The ten lines
//! Turn the feature `testkit` on, in the dev-dependencies alone:
//! ```toml
//! [dev-dependencies]
//! fops-host = { version = "0.1", features = ["testkit"] }
//! ```
//! Then write an ordinary test. This device sleeps in read until its interrupt comes:
//! ```
//! use fops_host::testkit::Hotplug;
//! use fops_runtime::{
//!     Access, DeviceLifetime, File, FileOperations, PollEvents, PollTable, Result, UserSliceWriter, WaitQueue, guarded_fops,
//! };
//! use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
//!
//! struct Thermometer { lifetime: DeviceLifetime<u32>, interrupts: AtomicU32, alarm: WaitQueue }
//!
//! #[guarded_fops(lifetime = lifetime, unplug())]
//! impl FileOperations for Thermometer {
//!     type Open = ();
//!     fn open(&self, _: &File) -> Result { Ok(()) }
//!     fn read(&self, #[access] celsius: &Access<'_, u32>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
//!         celsius.wait_event(&self.alarm, || self.take())?;
//!         buf.write_slice(&celsius.to_le_bytes())
//!     }
//!     fn poll(&self, _: &File, table: &PollTable<'_>) -> PollEvents {
//!         table.wait(&self.alarm);
//!         if self.interrupts.load(SeqCst) > 0 { PollEvents::IN } else { PollEvents::EMPTY }
//!     }
//! }
//!
//! impl Thermometer {
//!     fn interrupt(&self) {
//!         self.interrupts.fetch_add(1, SeqCst);
//!         self.alarm.wake_all();
//!     }
//!     fn take(&self) -> Option<u32> {
//!         Some(self.interrupts.swap(0, SeqCst)).filter(|&interrupts| interrupts > 0)
//!     }
//! }
//!
//! # fn thermometer() -> Thermometer {
//! #     Thermometer { lifetime: DeviceLifetime::new(36), interrupts: AtomicU32::new(0), alarm: WaitQueue::new() }
//! # }
//! // #[test]
//! let report = Hotplug::of_device("thermometer", thermometer)
//!     .act("a read sleeps", |node| node.open()?.read(&mut [0; 4]))
//!     .act("poll", |node| node.open()?.poll(PollEvents::IN))
//!     .disturb(|thermometer| thermometer.interrupt())
//!     .run();
//! println!("{report}");
//! report.assert();
//! ```
//! * [`Hotplug::of`] tests a [`Driver`](crate::Driver) with one of its devices. [`Hotplug::of_device`] tests a device that
//!   needs no driver. [`Hotplug::on`] tests a device on a bus of the author's own, with everything that it needs.
//! * An [`act`](Hotplug::act) is what a client does: one operation, or several. A thread repeats it until it answers
//!   `ENODEV`, or until poll answers `HUP`. Write one for each way to sleep in the driver, and have each operation in one.
//! * [`disturb`](Hotplug::disturb) is what the hardware does meanwhile.
//! * [`away`](Hotplug::away) asserts what has to hold while the device is away. Simulated hardware counts there the accesses
//!   to registers that are unmapped.
//! * [`surprise`](Hotplug::surprise) pulls the hardware out, and [`beside`](Hotplug::beside) names a second device.
//! * Simulated hardware that may refuse calls [`may_fail`], and the kit has each of these steps of probe fail once.
//!
//! # What it plays
//! * The eight scenarios of IGT's `core_hotunplug`: unbind-rebind, unplug-rescan, hotunbind-rebind, hotunplug-rescan,
//!   hotrebind, hotreplug, hotrebind-lateclose, hotreplug-lateclose. Each is played with nothing in flight, with each act,
//!   and with all acts. *Hot* is with a file open on each node. That file is closed before the device comes back, after that
//!   (*lateclose*), or when all is over.
//! * A surprise removal, a second unplug at the same time, and a cause that gets worse on the way.
//! * Each operation that an act calls, held inside its section while unplug begins: until the flag is up, and until the stop
//!   hook has run. So an operation that never sleeps is in flight for certain. There it also unplugs its own device,
//!   panics, and keeps the removal waiting beyond a deadline.
//! * Random [`orders`](Hotplug::orders) of two threads for each act and the unplug, if nothing is wrong so far. One thread
//!   goes at a time, from one point of its sections to the next. The report of a race says its order and its seed, and
//!   `FOPS_SEED=<seed>` plays that order first. The same seed gives the same order, unless an act sleeps in poll or in a call
//!   that the runtime does not know.
//! * The driver is unloaded with a file open, which is refused. One of two devices goes, and the other one goes on.
//! * Probe fails at each of its steps: each registration of a node, each allocation of buffer memory, and each
//!   [`may_fail`]. A registration cannot return an error, so probe unwinds there.
//!
//! # What it checks
//! * Each act ends with `ENODEV` or `HUP`, and in time. An operation that was in flight answers no other error than it
//!   answers otherwise.
//! * Every operation on an old file answers what the table says, also after the device has come back.
//! * `remove` runs once for each probe. No node, file or driver's structure is left when the last file is closed, and the
//!   release op of each subdev has run.
//! * The device works after it has come back: acts that slept sleep, acts that returned return.
//! * No operation and no hook panics. A caller that sleeps in poll is told of what the mask says.
//! * Each guarded operation was in flight when a device went. Each operation that is `always` or `unguarded` was called
//!   then or later. What was not is listed as *not tried*, and fails the test unless the author gives a reason by
//!   [`not_tried`](Hotplug::not_tried).
//! * Each operation that is declared `#[fop(sleeps)]` slept in its section when a device went, or is listed likewise. One that
//!   is declared `#[fop(brief)]` does not keep an unplug waiting for longer than that.
//!
//! # What it says
//! ```text
//! 1. unplug cannot end Sensor::read (src/sensor.rs:23): the thread sleeps in futex(2): in a lock, a condition variable or a channel
//!   in: hotunbind-rebind, with "a read sleeps" in flight
//!   help: sleep with `access.wait_event(&queue, ..)`, which unplug wakes; or ..
//! ```
//! A run always ends. A thread that hangs is left behind, and its act takes no part in what follows. The kit says that
//! something hangs after 3 to 30 seconds, depending on how fast this machine hands work from thread to thread.
//!
//! # Mistakes that it finds
//! | mistake | how it shows | what is right |
//! |---|---|---|
//! | a condition variable of the driver's own | unplug cannot end the operation | `access.wait_event(&queue, ..)` |
//! | a system call that blocks | unplug cannot end the operation | `access.wait_fd(..)`, `access.with_cancellation(..)` |
//! | a lock held over a sleep, which the stop hook takes | unplug waits for the stop hook | sleep without the lock: `wait_event_locked` |
//! | an operation in flight undoes the stop hook | it sleeps when it is held past the stop hook | `wait_event`, or a `wake` hook, which is repeated |
//! | one operation undoes the stop hook for another one | in some orders, one sleeps for ever | likewise |
//! | poll does not register its queue | the mask has events, nobody wakes the caller | `table.wait(&queue)` first |
//! | release touches the hardware | `away` fails after the close | `#[access] hw: Option<&Access<..>>` |
//! | release runs twice | it panics, or `away` fails | leave open files to the host |
//! | a timer that the stop hook forgets | `away` fails | stop it in the hook, or open a section in it |
//! | an interrupt handler without a section | `away` fails | `lifetime.enter(op!("irq"))` |
//! | resources cloned out of a section | a field has a clone outside, if it derives `Resources`; `away` fails | lend them, do not clone them |
//! | an operation that is declared brief and is not | unplug waits for it | `#[fop(sleeps)]`, and `wait_event` |
//! | a probe that leaks its node when it fails | the node is registered after probe has failed | `probe.register_node(..)` |
//! | two devices that share a static | one goes, the other one answers errors | keep state in the device |
//! | a stop hook that panics | a hook panics during unplug | log the error |
//!
//! # What it does not promise
//! The kit plays what the author's acts reach. The device stays away for 20 ms at most, so a timer with a longer period may
//! not fire then. It decides the order at the points where sections begin, sleep,
//! wake and end. A race between two places within a section shows only if it happens.
//! Without simulated hardware and an `away` check, it cannot see that hardware is touched.
mod act;
mod actor;
mod ambush;
mod away;
mod baton;
mod beside;
mod client;
mod disturber;
mod finding;
mod going;
mod hang;
mod held;
mod hotplug;
mod in_time;
#[cfg_attr(not(all(feature = "fuse", target_os = "linux")), path = "not_mounted.rs")]
mod mounted;
mod on_nodes;
mod orders;
mod patience;
mod plan;
mod probe_fails;
mod process;
mod report;
mod round;
mod scenario;
mod seed;
mod subdevs;
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
