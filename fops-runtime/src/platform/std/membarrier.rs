//! A fence for all threads of the process at once: `membarrier(2)`.
extern crate std;

use libc::{MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED};

/// Asks the kernel for it. `false` where there is none, where it is refused, and where the environment says
/// `FOPS_FENCE=symmetric`.
pub(crate) fn register_heavy_fence() -> bool {
    let forced = std::env::var_os("FOPS_FENCE").is_some_and(|wish| wish == "symmetric");
    !forced && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}

/// Every thread of the process has passed a full fence when this returns `true`.
pub(crate) fn heavy_fence() -> bool {
    super::super::is_weak("heavy fence") || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: it touches no memory.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}
