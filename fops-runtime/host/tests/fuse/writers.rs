//! Writers that sleep, on a node without memory: as on a character device, none waits for another.
use super::mounted::{Background, errno, until, watch};
use super::skip::skip;
use fops_host::fuse::{Options, Server};
use fops_host::{Bus, Devices, Driver, Probe};
use fops_runtime::{
    Access, Cause, DeviceLifetime, Errno, File, FileOperations, Result, UserSliceReader, WaitQueue, guarded_fops,
};
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// A sink that is never ready for more.
struct Sink {
    lifetime: DeviceLifetime<()>,
    ready: WaitQueue,
    writers: AtomicUsize,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
impl FileOperations for Sink {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn write(&self, #[access] access: &Access<'_, ()>, _file: &File, _buf: UserSliceReader<'_>) -> Result<usize> {
        self.writers.fetch_add(1, SeqCst);
        Ok(access.wait_event(&self.ready, || None)?)
    }
}

struct Sinks(Arc<Sink>);

impl Driver for Sinks {
    type Device = Sink;

    fn name(&self) -> &str {
        "sinks"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sink>> {
        probe.register_node("sink", &self.0, None);
        Ok(self.0.clone())
    }

    fn remove(&self, _device: &Arc<Sink>, (): (), _cause: Cause) {}
}

/// Unmounts, on a failure too: the writers of this process would keep it from ending.
struct Unmounts(Arc<Server>);

impl Drop for Unmounts {
    fn drop(&mut self) {
        self.0.unmount();
        let _ = fs::remove_dir(self.0.path());
    }
}

#[test]
fn writers_do_not_wait_for_one_another() {
    let sink =
        Arc::new(Sink { lifetime: DeviceLifetime::new(()), ready: WaitQueue::new(), writers: AtomicUsize::new(0) });
    let bus = Bus::new("tower", Devices::new());
    bus.register_driver(Sinks(sink.clone())).unwrap();
    bus.add_device("s0").unwrap();
    bus.bind("sinks", "s0").unwrap();
    let root = tempfile::Builder::new().prefix("fops-fuse-").tempdir().unwrap().keep();
    let server = match Server::mount(&root, &bus, Options::new()) {
        Ok(server) => Arc::new(server),
        Err(error) => {
            fs::remove_dir(&root).unwrap();
            return skip(&error.to_string());
        }
    };
    let _watched = watch(server.clone());
    let _unmounts = Unmounts(server);
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let mut file = fs::File::options().write(true).open(root.join("dev/sink0")).unwrap();
            Background::run(move || errno(file.write(b"drop")))
        })
        .collect();
    until("all are in the driver", || sink.writers.load(SeqCst) == writers.len());
    // What needs the lock of the inode, on a file of its own.
    let other = fs::File::options().write(true).truncate(true).open(root.join("dev/sink0")).unwrap();
    assert_eq!(errno(other.sync_all()), Some(Errno::EINVAL), "the driver has no fsync");
    drop(other);
    fs::write(root.join("sys/bus/tower/drivers/sinks/unbind"), "s0").unwrap();
    for writer in &writers {
        assert_eq!(writer.get(), Some(Errno::ENODEV));
    }
}
