//! The driver is unloaded: refused while a file is open, and done afterwards.
use crate::testkit::held::Held;
use crate::testkit::in_time::{Late, in_time};
use crate::testkit::report::Row;
use crate::testkit::suite::Suite;
use fops_runtime::Errno;
use std::sync::Arc;
use std::time::Instant;

impl<H: Send + Sync + 'static> Suite<'_, H> {
    pub(super) fn unload(&mut self) {
        self.now = "unload with a file open".into();
        let (found, began) = (self.report.findings.len(), Instant::now());
        let Some(answers) = self.unload_twice() else { return };
        // The driver is gone from its bus.
        self.world = None;
        self.report.rows.push(Row {
            scenario: self.now.clone(),
            load: "nothing".into(),
            answers,
            worst: None,
            removal: Some(began.elapsed()),
            is_bad: self.report.findings.len() > found,
        });
    }

    fn unload_twice(&mut self) -> Option<String> {
        let nodes = self.plugged()?;
        let mut held: Vec<_> = Held::open(nodes.first()?, self.patience).into_iter().map(Arc::new).collect();
        if held.is_empty() {
            return None;
        }
        drop(nodes);
        let refused = self.unregister()?;
        if refused != Err(Errno::EBUSY) {
            self.find(
                format!("the driver is unloaded while a file is open: {refused:?}"),
                "register nodes by `probe`, so that the bus knows of their files",
            );
        }
        self.close(&mut held);
        let done = self.unregister()?;
        if let Err(errno) = done {
            self.find(format!("the driver cannot be unloaded: {errno}"), "nothing may hold a file of the device open");
        }
        Some("EBUSY, then success".into())
    }

    fn unregister(&mut self) -> Option<fops_runtime::Result> {
        let world = self.world.as_ref()?;
        let (bus, driver) = (world.bus.clone(), world.driver.clone());
        match in_time(self.patience, move || bus.unregister_driver(&driver)) {
            Ok(result) => Some(result),
            Err(Late::Hangs(place)) => {
                self.find(format!("the driver is unloaded, which hangs: the thread {place}"), place.help());
                self.world = None;
                None
            }
            Err(Late::Panicked) => None,
        }
    }
}
