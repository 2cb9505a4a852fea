//! The FUSE host: device nodes and a small sysfs for other processes.
