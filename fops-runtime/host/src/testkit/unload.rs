//! The driver is unloaded: refused while a file is open, and done afterwards.
use crate::testkit::in_time::in_time;
use crate::testkit::report::Row;
use crate::testkit::suite::Suite;
use fops_runtime::Errno;
use std::time::Instant;

impl<H: Send + Sync + 'static> Suite<'_, H> {
    pub(super) fn unload(&mut self) {
        self.now = "unload with a file open".into();
        let (found, began) = (self.report.findings.len(), Instant::now());
        let answers = self.unload_twice().unwrap_or_else(|| "-".into());
        // The driver is gone from its bus.
        self.leave();
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
        let strays = self.world.as_ref()?.strays();
        for node in nodes.first().into_iter().chain(&strays) {
            let mut held: Vec<_> = self.hold_open(node).into_iter().collect();
            if held.is_empty() {
                continue;
            }
            let refused = self.unregister();
            self.close(&mut held);
            let refused = refused?;
            if refused != Err(Errno::EBUSY) {
                self.find(
                    format!("the driver is unloaded while a file of `{}` is open: {refused:?}", node.name()),
                    "register nodes by `probe.register_node(..)`, so that the bus knows of their files",
                );
                return None;
            }
        }
        drop((nodes, strays));
        let done = self.unregister()?;
        if let Err(errno) = done {
            self.find(
                format!("the driver cannot be unloaded: {errno}"),
                "a driver keeps no file of its own device open, and an act closes what it opens",
            );
        }
        Some("EBUSY, then success".into())
    }

    fn unregister(&mut self) -> Option<fops_runtime::Result> {
        let world = self.world.as_ref()?;
        let (bus, driver) = (world.bus.clone(), world.driver.clone());
        match in_time(self.patience, move || bus.unregister_driver(&driver)) {
            Ok(result) => Some(result),
            Err(late) => {
                self.destructor(late);
                self.leave();
                None
            }
        }
    }
}
