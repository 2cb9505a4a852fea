//! Without the feature `fuse`: nodes cannot be served.
use crate::bus::Bus;
use crate::nodes::node::Node;
use std::path::PathBuf;
use std::sync::Arc;

/// It cannot be had.
pub(super) enum Mounted {}

impl Mounted {
    pub(super) fn serve(_: &Arc<Bus>) -> Result<Self, String> {
        Err("turn the feature `fuse` of fops-host on, which is for Linux".into())
    }

    pub(super) fn path(&self, _: &str) -> PathBuf {
        match *self {}
    }

    pub(super) fn node(&self, _: &str) -> Arc<Node> {
        match *self {}
    }
}
