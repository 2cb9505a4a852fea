//! What the drivers here are written with.
pub(crate) use crate::hardware::{
    Chip, Hardware, Registers, finds, hotplug, hotplug_probing, hotplug_removing, on_bus,
};
pub(crate) use fops_host::testkit::{ClientFile, Hotplug, Report, may_fail};
pub(crate) use fops_host::{Bus, BusDevice, Descriptor, Devices, Driver, Node, Nodes, Probe, Removable};
pub(crate) use fops_runtime::op::op;
pub(crate) use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags, PollEvents,
    PollTable, Request, Result, SeekFrom, Subdev, SubdevOperations, Unplug, UnplugError, UserSliceReader,
    UserSliceWriter, WaitQueue, guarded_fops,
};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
pub(crate) use std::sync::{Arc, Condvar, Mutex, PoisonError};
