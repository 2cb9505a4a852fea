//! A file that is open while the device goes.
use crate::in_process::Descriptor;
use crate::nodes::node::Node;
use crate::testkit::in_time::{Late, in_time};
use crate::testkit::patience::Patience;
use crate::testkit::suite::Suite;
use crate::testkit::trace::{Trace, key};
use fops_runtime::{Command, Direction, Errno, IoctlArg, Op, OpenFlags, Policy, PollEvents, SeekFrom};
use std::sync::Arc;

/// A file that is open while the device goes.
pub(super) struct Held {
    node: Arc<Node>,
    /// The same, or its file.
    client: Arc<Node>,
    file: Descriptor,
    trace: Arc<Trace>,
}

impl Held {
    /// For reading and writing, or what of both the driver allows. `None` where it refuses, or hangs: an act meets that too.
    pub(super) fn open(node: &Arc<Node>, client: Arc<Node>, patience: Patience) -> Option<Self> {
        let (trace, opened) = (Trace::new(node.clone(), None), client.clone());
        let open = move || {
            let both = opened.open(OpenFlags::RDWR);
            both.or_else(|_| opened.open(OpenFlags::RDONLY)).or_else(|_| opened.open(OpenFlags::WRONLY))
        };
        let step = {
            let trace = trace.clone();
            move || trace.run(open)
        };
        let file = Descriptor::of(in_time(patience, step).ok()?.ok()?);
        Some(Self { node: node.clone(), client, file, trace })
    }

    /// Calls the operation. What it answered, if that is not what the table says.
    fn call(&self, op: &Op) -> Option<String> {
        let (file, command) = (&self.file, Command::new(Direction::None, 0, 0, 0));
        let len = self.node.memory().map_or(4096, |memory| memory.len().min(4096));
        let is_file = !Arc::ptr_eq(&self.node, &self.client);
        let answer = match op.name() {
            // The kernel answers these for a file, by itself.
            "mmap" | "llseek" | "compat_ioctl" if is_file => return None,
            "open" => self.client.open(OpenFlags::RDWR).map(drop),
            "read" => file.read(&mut [0; 64]).map(drop),
            "write" => file.write(&[0; 64]).map(drop),
            "ioctl" => file.ioctl(command, &mut []).map(drop),
            "compat_ioctl" => file.file().compat_ioctl(command, IoctlArg::new(0, &mut [])).map(drop),
            "mmap" => file.mmap(0, len).map(drop),
            "llseek" => file.llseek(SeekFrom::Start(0)).map(drop),
            "fsync" => file.fsync(false),
            "poll" => {
                let mask = file.file().poll(PollEvents::DEFAULT, None);
                return (!mask.contains(PollEvents::HUP | PollEvents::ERR)).then(|| format!("{mask:?}"));
            }
            // At the last close.
            _ => return None,
        };
        // Nobody opens a device that is gone, whatever the policy.
        let is_right = (op.policy() != Policy::Guarded && op.name() != "open") || answer == Err(Errno::ENODEV);
        (!is_right).then(|| answer.map_or_else(|errno| format!("{errno:?}"), |()| "success".into()))
    }
}

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// The device is gone: every operation on the old files has to say so. `None` if one of them has the device removed that
    /// comes after it.
    pub(super) fn answer_gone(&mut self, held: &[Arc<Held>]) -> Option<()> {
        for held in held {
            for op in held.node.ops() {
                if self.hanging_ops.contains(&key(op)) {
                    continue;
                }
                let before = self.place();
                let file = held.clone();
                let answer = in_time(self.patience, move || file.trace.clone().run(|| file.call(op)));
                self.check(
                    &held.trace,
                    op,
                    answer.map(|wrong| {
                        wrong.map(|answer| format!("the device is gone, and {op} answers {answer} on an old file"))
                    }),
                );
                if self.place() != before {
                    self.hanging_ops.insert(key(op));
                    self.find(
                        format!("{op} on a file whose device is gone has the one removed that comes after it"),
                        "guard it: inside a section it may ask for the removal too, and an old file answers `ENODEV`",
                    );
                    self.patience.until(|| self.is_removed());
                    return None;
                }
            }
        }
        Some(())
    }

    /// Closes the files: the driver's release runs.
    pub(super) fn close(&mut self, held: &mut Vec<Arc<Held>>) {
        for held in held.drain(..) {
            let (trace, node) = (held.trace.clone(), held.node.clone());
            let op = node.ops().iter().find(|op| op.name() == "release");
            if op.is_some_and(|op| self.hanging_ops.contains(&key(op))) {
                // Its file stays open: to close it would hang again.
                std::mem::forget(held);
                continue;
            }
            let step = {
                let trace = trace.clone();
                move || trace.run(|| drop(held))
            };
            let closed = in_time(self.patience, step);
            if let Some(op) = op {
                self.check(&trace, op, closed.map(|()| None));
            }
        }
    }

    fn check(&mut self, trace: &Trace, op: &'static Op, answer: Result<Option<String>, Late>) {
        self.met.add(trace.met());
        let panicked = std::mem::take(&mut trace.state().panicked);
        if !panicked.is_empty() || matches!(answer, Err(Late::Panicked)) {
            self.find(
                format!("{op} panics on a file whose device is gone"),
                "it runs once for each file, and after unplug too: then `access` is `None`, and the hardware is gone",
            );
        }
        match answer {
            Ok(None) | Err(Late::Panicked) => {}
            Ok(Some(wrong)) => {
                self.find(wrong, "leave the answer to the guard; `open` without one answers `ENODEV` itself")
            }
            Err(Late::Hangs(place)) => {
                self.hanging_ops.insert(key(op));
                self.has_leaked = true;
                self.find(format!("{op} hangs on a file whose device is gone: the thread {place}"), place.help());
            }
        }
    }
}
