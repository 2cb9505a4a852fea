//! The scenarios once more, on nodes that `/dev/fuse` serves, with a process for each act.
use crate::testkit::act::Act;
use crate::testkit::in_time::in_time;
use crate::testkit::mounted::Mounted;
use crate::testkit::process::Process;
use crate::testkit::report::Row;
use crate::testkit::scenario::{self, Scenario};
use crate::testkit::suite::Suite;
use std::path::PathBuf;

impl<H: Send + Sync + 'static> Suite<'_, H> {
    pub(super) fn on_nodes(&mut self) {
        if !self.plan.on_nodes {
            return;
        }
        if let Err(why) = self.play_on_nodes() {
            self.report.rows.push(Row {
                scenario: "on nodes".into(),
                load: "nothing".into(),
                answers: format!("not run: {why}"),
                worst: None,
                removal: None,
                is_bad: false,
            });
        }
        self.mounted = None;
    }

    /// A process for the act, on the node with this file.
    pub(super) fn process(&self, act: &Act, path: PathBuf) -> Result<Process, String> {
        let number = self.plan.acts.iter().position(|known| known.name == act.name).unwrap_or(0);
        let (test, run) = (self.report.test.clone(), self.run);
        let started = in_time(self.patience, move || Process::start(test.as_deref(), run, number, &path));
        match started {
            Ok(started) => started.map_err(|error| format!("no process for the act \"{}\": {error}", act.name)),
            Err(_) => Err("a second run of the test hangs before it comes to `run`".into()),
        }
    }

    /// Why it cannot be played, where it cannot.
    fn play_on_nodes(&mut self) -> Result<(), String> {
        if !self.report.findings.is_empty() {
            return Err("the driver fails in process, which comes first".into());
        }
        self.now = "on nodes".into();
        let nodes = self.plugged().ok_or("the device does not come")?;
        let world = self.world.as_ref().ok_or("the device does not come")?;
        let mounted = Mounted::serve(&world.bus)?;
        if let (Some(act), Some(node)) = (self.plan.acts.first(), nodes.first()) {
            let path = mounted.path(node.name());
            drop(self.process(act, path)?);
        }
        drop(nodes);
        self.mounted = Some(mounted);
        for scenario in scenario::hotunplug() {
            let scenario = Scenario { name: format!("{} on nodes", scenario.name), ..scenario };
            self.play(&scenario, &[]);
            for act in &self.plan.acts {
                self.play(&scenario, &[act]);
            }
            self.play_with_several(&scenario);
            if !self.report.findings.is_empty() {
                // The machine may be another one by now, which is not served.
                return Ok(());
            }
        }
        Ok(())
    }
}
