//! Unplug on a thread of its own.
extern crate std;

use super::unplug::Unplug;
use super::{Cause, UnplugError};
use crate::{Errno, platform};
use std::string::String;
use std::sync::Arc;
use std::thread;

type Answer<D> = Result<<D as Unplug>::Resources, UnplugError>;

/// See [`Unplug::schedule_unplug`].
pub(super) fn schedule<D, F>(device: Arc<D>, cause: Cause, then: F) -> Result<(), Errno>
where
    D: Unplug + Send + Sync + 'static,
    D::Resources: Send,
    F: FnOnce(Arc<D>, Answer<D>) + Send + 'static,
{
    let work = move || {
        let answer = device.unplug(cause);
        if platform::catch(|| then(device, answer)).is_none() {
            platform::log_error(format_args!("the teardown after a scheduled unplug panicked"));
        }
    };
    thread::Builder::new().name(String::from("unplug")).spawn(work)?;
    Ok(())
}
