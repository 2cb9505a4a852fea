//! Testing a driver against unplug.
//!
//! The kit plays what happens to a driver when its device goes, with the operations in flight that the author names, and
//! says what is wrong and what to write instead. It runs in process, without rights. With
//! [`on_nodes`](Hotplug::on_nodes) it also plays on nodes that `/dev/fuse` serves, with real processes.
//!
//! # The ten lines
//! Turn the feature `testkit` on, in the dev-dependencies alone:
//! ```toml
//! [dependencies]
//! fops-runtime = "0.1"
//!
//! [dev-dependencies]
//! fops-host = { version = "0.1", features = ["testkit"] }
//! ```
//! This is a whole `src/lib.rs`. Its device sleeps in read until its interrupt comes. The test at the end is all that the kit needs:
//! ```
//! use fops_runtime::{
//!     Access, DeviceLifetime, File, FileOperations, PollEvents, PollTable, Result, UserSliceWriter, WaitQueue, guarded_fops,
//! };
//! use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
//!
//! pub struct Thermometer {
//!     lifetime: DeviceLifetime<u32>,
//!     interrupts: AtomicU32,
//!     alarm: WaitQueue,
//! }
//!
//! #[guarded_fops(lifetime = lifetime, unplug())]
//! impl FileOperations for Thermometer {
//!     type Open = ();
//!
//!     fn open(&self, _: &File) -> Result {
//!         Ok(())
//!     }
//!
//!     fn read(&self, #[access] celsius: &Access<'_, u32>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
//!         celsius.wait_event(&self.alarm, || self.take())?;
//!         buf.write_slice(&celsius.to_le_bytes())
//!     }
//!
//!     fn poll(&self, _: &File, table: &PollTable<'_>) -> PollEvents {
//!         table.wait(&self.alarm);
//!         if self.interrupts.load(SeqCst) > 0 { PollEvents::IN } else { PollEvents::EMPTY }
//!     }
//! }
//!
//! impl Thermometer {
//!     pub fn new() -> Self {
//!         Self { lifetime: DeviceLifetime::new(36), interrupts: AtomicU32::new(0), alarm: WaitQueue::new() }
//!     }
//!
//!     pub fn interrupt(&self) {
//!         self.interrupts.fetch_add(1, SeqCst);
//!         self.alarm.wake_all();
//!     }
//!
//!     fn take(&self) -> Option<u32> {
//!         Some(self.interrupts.swap(0, SeqCst)).filter(|&interrupts| interrupts > 0)
//!     }
//! }
//!
//! # /*
//! #[test]
//! # */
//! fn it_goes() {
//!     let report = fops_host::testkit::Hotplug::of_device("thermometer", Thermometer::new)
//!         .act("a read sleeps", |node| node.open()?.read(&mut [0; 4]))
//!         .act("poll", |node| node.open()?.poll(PollEvents::IN))
//!         .disturb(|thermometer| thermometer.interrupt())
//!         .run();
//!     println!("{report}");
//!     report.assert();
//! }
//! # it_goes();
//! ```
//! `cargo test` passes, and `cargo test -- --nocapture` prints what was played.
//!
//! # A test that fails
//! Now have read sleep in a condition variable, as drivers often do. Add two fields and replace `read` and `interrupt`:
//! ```
//! # use fops_runtime::{
//! #     Access, DeviceLifetime, File, FileOperations, PollEvents, PollTable, Result, UserSliceWriter, WaitQueue, guarded_fops,
//! # };
//! # use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
//! # pub struct Thermometer {
//! #     lifetime: DeviceLifetime<u32>,
//! #     interrupts: AtomicU32,
//! #     alarm: WaitQueue,
//!     heat: std::sync::Mutex<Option<u32>>,
//!     changed: std::sync::Condvar,
//! # }
//! # #[guarded_fops(lifetime = lifetime, unplug())]
//! # impl FileOperations for Thermometer {
//! #     type Open = ();
//! #     fn open(&self, _: &File) -> Result {
//! #         Ok(())
//! #     }
//!
//!     fn read(&self, #[access] celsius: &Access<'_, u32>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
//!         let heat = self.heat.lock().unwrap();
//!         self.changed.wait_while(heat, |heat| heat.is_none()).unwrap().take();
//!         buf.write_slice(&celsius.to_le_bytes())
//!     }
//! #     fn poll(&self, _: &File, table: &PollTable<'_>) -> PollEvents {
//! #         table.wait(&self.alarm);
//! #         if self.interrupts.load(SeqCst) > 0 { PollEvents::IN } else { PollEvents::EMPTY }
//! #     }
//! # }
//! # impl Thermometer {
//! #     pub fn new() -> Self {
//! #         let (lifetime, interrupts, alarm) = (DeviceLifetime::new(36), AtomicU32::new(0), WaitQueue::new());
//! #         Self { lifetime, interrupts, alarm, heat: Default::default(), changed: Default::default() }
//! #     }
//!
//!     pub fn interrupt(&self) {
//!         *self.heat.lock().unwrap() = Some(36);
//!         self.changed.notify_all();
//!         self.interrupts.fetch_add(1, SeqCst);
//!         self.alarm.wake_all();
//!     }
//! # }
//! # let report = fops_host::testkit::Hotplug::of_device("thermometer", Thermometer::new)
//! #     .act("a read sleeps", |node| node.open()?.read(&mut [0; 4]))
//! #     .act("poll", |node| node.open()?.poll(PollEvents::IN))
//! #     .disturb(|thermometer| thermometer.interrupt())
//! #     .run();
//! # let [finding] = report.findings() else { panic!("{report}") };
//! # assert!(finding.problem.starts_with("unplug cannot end Thermometer::read ("), "{report}");
//! # assert!(finding.scenario.ends_with(", with \"a read sleeps\" in flight"), "{report}");
//! # assert!(finding.help.starts_with("sleep with `access.wait_event(&queue, ..)`, which unplug wakes; or, "), "{report}");
//! ```
//! In `new`, add `heat: Default::default(), changed: Default::default()`. After some seconds the test fails. Its message ends so:
//! ```text
//! 45 scenarios in 4.5s
//! 1. unplug cannot end Thermometer::read (src/lib.rs:22): the thread sleeps in futex(2): in a lock, a condition variable or a channel
//!   in: the first unplug, with "a read sleeps" in flight
//!   help: sleep with `access.wait_event(&queue, ..)`, which unplug wakes; or, if it has to be a condition variable or a channel, run the wait in `access.with_cancellation(|| <make it return>, || <wait>)`, or wake it in a hook: `unplug(wake = ..)`
//! again: cargo test it_goes
//! ```
//! Before that stands the table of the scenarios, with what the acts answered and how long that took. A line that begins with
//! `!` is a scenario that showed something for the first time.
//!
//! # What an author writes
//! * [`Hotplug::of`] tests a [`Driver`](crate::Driver) with one of its devices. [`Hotplug::of_device`] tests a device that
//!   needs no driver. [`Hotplug::on`] tests a device on a bus of the author's own, with everything that it needs.
//! * An [`act`](Hotplug::act) is what a client does: one operation, or several. A thread repeats it until it answers
//!   `ENODEV`, or until poll answers `HUP`. Write one for each way to sleep in the driver, and have each operation in one.
//!   [`act_on`](Hotplug::act_on) names the node, or another device whose nodes go along. An act may have its own device removed.
//! * [`disturb`](Hotplug::disturb) is what the hardware does meanwhile.
//! * [`away`](Hotplug::away) asserts what has to hold while the device is away. Simulated hardware counts there the accesses
//!   to registers that are unmapped.
//! * [`surprise`](Hotplug::surprise) pulls the hardware out, and [`beside`](Hotplug::beside) names a second device.
//! * Simulated hardware that may refuse something calls [`may_fail`]. The kit has each of these steps fail once.
//!
//! # What it plays
//! * The eight scenarios of IGT's `core_hotunplug`: unbind-rebind, unplug-rescan, hotunbind-rebind, hotunplug-rescan,
//!   hotrebind, hotreplug, hotrebind-lateclose, hotreplug-lateclose. Each is played with nothing in flight, with each act,
//!   and with all acts. *Hot* is with a file open on each node. That file is closed before the device comes back, after that
//!   (*lateclose*), or when all is over. If the device lets one file be open at a time, the acts have that one.
//! * A surprise removal, a second unplug at the same time, and a cause that gets worse on the way.
//! * An act that has its own device removed, alone and with the other acts in flight.
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
//! * Each [`may_fail`] of a removal fails: in the hooks, in `remove` and in destructors.
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
//! A run always ends. A thread that hangs is left behind, and its act takes no part in what follows. The kit says that
//! something hangs after 3 to 30 seconds, depending on how fast this machine hands work from thread to thread.
//!
//! # Mistakes that it finds
//! | mistake | how it shows | what is right |
//! |---|---|---|
//! | **Sleeping** | | |
//! | a condition variable of the driver's own | unplug cannot end the operation | `access.wait_event(&queue, ..)` |
//! | a system call that blocks | unplug cannot end the operation | `access.wait_fd(..)`, `access.with_cancellation(..)` |
//! | a lock held over a sleep, which the stop hook takes | unplug waits for the stop hook | sleep without the lock: `wait_event_locked` |
//! | an unguarded operation that sleeps | the device is gone, and the act does not end | guard it |
//! | an operation in flight undoes the stop hook | it sleeps when it is held past the stop hook | `wait_event`, or a `wake` hook, which is repeated |
//! | one operation undoes the stop hook for another one | in some orders, one sleeps for ever | likewise |
//! | poll does not register its queue | the mask has events, nobody wakes the caller | `table.wait(&queue)` first |
//! | an operation that is declared brief and is not | unplug waits for it | `#[fop(sleeps)]`, and `wait_event` |
//! | **Answers** | | |
//! | another error in place of `ENODEV` | the act in flight answered that error | hand the error of the wait on: `?` |
//! | the error of a wait is unwrapped | the operation panics in the act | likewise |
//! | an unguarded `open` that succeeds when the device is gone | the act goes on, with success | guard it |
//! | a write to an old file ejects the new device | the device that came after it is removed | guard it |
//! | **Files** | | |
//! | release touches the hardware | `away` fails after the close | `#[access] hw: Option<&Access<..>>` |
//! | release waits for the hardware | it hangs on a file whose device is gone | wait only if there is an access |
//! | release runs twice | it panics, or `away` fails | leave open files to the host |
//! | release frees the one user's place only while the device is there | `EBUSY` when it is back | free it in any case |
//! | the driver keeps a file of its own device | a file is still open, unload fails | keep none |
//! | **Hardware** | | |
//! | a timer that the stop hook forgets | `away` fails | stop it in the hook, or open a section in it |
//! | an interrupt handler without a section | `away` fails | `lifetime.enter(op!("irq"))` |
//! | resources cloned out of a section | a field has a clone outside, if it derives `Resources`; `away` fails, and probe after that | lend them, do not clone them |
//! | `remove` keeps the resources, or frees them twice | `away` fails | drop them, once |
//! | `remove` gives up when the hardware refuses something | `away` fails after that step | go on, and drop the resources |
//! | what the stop hook turns off stays off | errors or sleep when the device is back | probe turns it on |
//! | **Panics** | | |
//! | a stop hook that panics, also if the hardware refuses something | a hook panics during unplug | log the error |
//! | a lock that a panic has poisoned | a hook panics when an operation has | `unwrap_or_else(PoisonError::into_inner)` |
//! | `remove` or the driver's destructor panics | the driver panics in `remove` | log the error |
//! | **Probe and remove** | | |
//! | a probe that leaks its node when it fails | the node is registered after probe has failed | `probe.register_node(..)` |
//! | a probe that keeps what it took when it fails | it fails for ever | values that are dropped on the way out |
//! | a probe that waits when a step fails | probe hangs | wait for nothing |
//! | no node | the device has no node after probe | `probe.register_node(..)` |
//! | a node that the driver registers past the bus | it stays, or unload does not see its files | `probe.register_node(..)` |
//! | probe, `remove` or the destructor waits for files or threads | it hangs | end the threads, wait for nothing else |
//! | the device unplugs itself past the bus | `remove` has not run | `bus_device.remove(..)` |
//! | **Several devices** | | |
//! | two devices that share a static | one goes, the other one fails or sleeps | keep state in the device |
//! | a `Removable` by hand that forgets a part, the cause or the report | the part works, is not told, is not named | all parts in each method |
//! | a node that goes along does not come back | no node for the act | register it in the next probe |
//! | a subdev that somebody keeps | its release op has not run | keep handles in the device |
//! | an interrupt handler that keeps the structure | something still refers to it | give it a `Weak` |
//! | **The test itself** | | |
//! | an act that calls nothing, panics, or has no node | the kit says so | see its help |
//! | a closure of the author's that hangs | the kit says which | wait for nothing |
//! | an operation that no act has in flight | it is listed as *not tried* | an act, or [`not_tried`](Hotplug::not_tried) |
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
mod own_ways;
mod patience;
mod plan;
mod probe_fails;
mod process;
mod removal_fails;
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
