//! An act: what a client does again and again while the device goes.
use crate::nodes::node::Node;
use crate::testkit::client::ClientNode;
use fops_runtime::{Errno, PollEvents, Result};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What a client does with a node, until that says that the device is gone.
#[derive(Clone)]
pub(super) struct Act {
    pub(super) name: String,
    /// The node has a name that begins so, or is of the device of this name; otherwise it is the first one.
    pub(super) on: Option<String>,
    run: Arc<dyn Fn(&ClientNode) -> Answer + Send + Sync>,
}

/// What an act returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Done,
    /// A mask of poll's that says that the device is gone.
    HungUp,
    Failed(Errno),
}

impl Act {
    pub(super) fn new<T: 'static>(
        name: &str,
        on: Option<&str>,
        run: impl Fn(&ClientNode) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let run = Arc::new(move |node: &ClientNode| match run(node) {
            Ok(value) => match (&value as &dyn Any).downcast_ref::<PollEvents>() {
                Some(mask) if mask.contains(PollEvents::HUP) => Answer::HungUp,
                _ => Answer::Done,
            },
            Err(errno) => Answer::Failed(errno),
        });
        Self { name: name.into(), on: on.map(Into::into), run }
    }

    /// Whether it is meant for this node.
    pub(super) fn is_on(&self, node: &Node) -> bool {
        self.on.as_ref().is_none_or(|prefix| node.name().starts_with(prefix))
    }

    pub(super) fn run(&self, node: &ClientNode) -> Answer {
        (self.run)(node)
    }
}

impl Answer {
    pub(super) const fn is_failure(self) -> bool {
        matches!(self, Self::Failed(_))
    }

    pub(super) fn is_gone(self) -> bool {
        self == Self::HungUp || self == Self::Failed(Errno::ENODEV)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("success"),
            Self::HungUp => f.write_str("HUP"),
            Self::Failed(errno) => write!(f, "{errno:?}"),
        }
    }
}
