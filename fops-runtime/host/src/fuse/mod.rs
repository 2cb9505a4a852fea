//! Device nodes and a small sysfs for other processes, through `/dev/fuse`.
//!
//! A [`Server`] mounts a directory. In it are
//! * `dev/<node>`: the nodes of a [`Bus`](crate::Bus), each a regular file that behaves as a device node does: blocking
//!   reads, `ioctl(2)`, `poll(2)`, `mmap(2)`, signals;
//! * `sys/bus/<bus>/drivers/<driver>/{bind,unbind}`, to which one writes a device's name;
//! * `sys/devices/<bus>/<device>/remove`, to which one writes a 1 to have the device gone from the bus, and
//!   `sys/bus/<bus>/rescan`, to which one writes a 1 to have it found again and bound;
//! * `sys/bus/<bus>/devices/<device>`, `sys/devices/<bus>/<device>`, and the links between them as in Linux.
//!
//! Each system call runs on a thread of its own, as in the kernel; there are as many threads as calls in
//! flight, and a few more. One of them always reads requests: a call that can have no thread is refused
//! ([`Options::operations_per_user`]). A client that is killed, or gets a signal, in a sleep that the runtime knows of is gone at
//! once. After unplug the files that are open answer `ENODEV`; the node is gone when the last one is closed.
//!
//! # What differs from a device node
//! * `stat(2)` says regular file, and device number 0:0, for all nodes. A program that looks up `sys/dev/char/0:0/uevent`
//!   is told of the node that the same thread looked up last.
//! * The server looks into the memory of its callers for what the pointers in an ioctl's argument name, and must be
//!   allowed to: as root, or as the caller's user where `kernel.yama.ptrace_scope` is 0. Else, and for callers whose pid
//!   it cannot see, these are bad addresses. The server must not itself pass a mapping of a node that it serves.
//! * `sendfile(2)` answers `EINVAL`, as for a device that has no `splice_read`. `splice(2)` into a pipe does too, except for a
//!   node with memory in [`Mmap::PageCache`]: there the kernel shows what is mapped.
//! * The release of a file comes after `close(2)` has returned.
//! * `mmap(2)` does not reach the driver: the kernel maps all of a node's memory, or none, after unplug too.
//! * `O_NONBLOCK` set by `fcntl(2)` reaches the driver with the next read or write; an ioctl does not carry it.
//! * A sleep that a signal has ended answers `EINTR`, `SIGSTOP` and `SIGCONT` among them: FUSE cannot have the call
//!   begin again, as Linux does where a program asks for that.
//! * A read or write of more than 1 MiB arrives in pieces.
//! * A node with memory, in [`Mmap::Passthrough`], has a position, which `lseek(2)` moves without asking the
//!   driver; the kernel holds a lock for it, so that of several threads or processes that share *one* open file, one
//!   at a time is in `read(2)` or `write(2)`, and the others cannot be interrupted until it returns. Other nodes have
//!   no position, and `pread(2)` answers `ESPIPE`.
mod abi;
mod attribute;
mod caller;
mod channel;
mod copier;
mod entry;
mod files;
mod in_flight;
mod keeper;
mod looked_up;
mod mapping;
mod memory;
mod mount;
mod options;
mod pages;
mod reply;
mod request;
mod serve;
mod server;
mod sysfs;
mod tree;
#[cfg(any(test, fuzzing))]
mod wire;
mod workers;

pub use mapping::Mmap;
pub use mount::MountError;
pub use options::Options;
pub use server::Server;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use wire::check;
