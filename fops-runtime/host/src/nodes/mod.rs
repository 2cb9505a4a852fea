//! Device nodes: their table, their open files, and the memory that these map.
pub(crate) mod buffer;
pub(crate) mod devices;
pub(crate) mod erased;
#[cfg(feature = "testkit")]
pub(crate) mod faults;
pub(crate) mod kind;
pub(crate) mod node;
#[cfg(feature = "testkit")]
pub(crate) mod observer;
pub(crate) mod open_file;
pub(crate) mod registration;
#[cfg(all(feature = "testkit", feature = "fuse", target_os = "linux"))]
mod remote;

pub use buffer::{BufferMemory, Published};
pub use devices::Devices;
pub use kind::NodeKind;
pub use node::{Answer, Node};
pub use open_file::OpenFile;
