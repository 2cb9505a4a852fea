//! File operations as a driver writes them, and what they answer.
mod answer;
mod file;
mod ioctl;
mod operations;
mod poll;
mod user;

pub use answer::AfterUnplug;
pub use file::{File, SeekFrom, VmArea};
pub use ioctl::{Command, Direction, IoctlArg};
pub use operations::{AnyFileOperations, FileOperations};
pub use poll::PollTable;
pub use user::{UserMemory, UserSliceReader, UserSliceWriter};
