//! Memory of this process that plays a caller's: named by its addresses, reached by what was lent.
use crate::lock::Lock;
use fops_runtime::{Errno, Result, UserMemory};

/// Some slices, each at its own address. No address is ever dereferenced: it is looked up.
pub(super) struct Areas<'a, 'b>(Lock<&'a mut [&'b mut [u8]]>);

impl<'a, 'b> Areas<'a, 'b> {
    pub(super) fn new(areas: &'a mut [&'b mut [u8]]) -> Self {
        Self(Lock::new(areas))
    }

    /// Hands what is at `address` to `copy`, in as many parts as there are slices, each with its place in the whole.
    fn each(&self, address: u64, len: usize, mut copy: impl FnMut(usize, &mut [u8])) -> Result {
        let mut areas = self.0.lock();
        let mut done = 0;
        while done < len {
            let at = address.checked_add(done as u64).ok_or(Errno::EFAULT)?;
            let part = areas.iter_mut().find_map(|area| {
                let offset = usize::try_from(at.checked_sub(area.as_ptr().addr() as u64)?).ok()?;
                area.get_mut(offset..).filter(|rest| !rest.is_empty())
            });
            let part = part.ok_or(Errno::EFAULT)?;
            let n = part.len().min(len - done);
            copy(done, &mut part[..n]);
            done += n;
        }
        Ok(())
    }
}

impl UserMemory for Areas<'_, '_> {
    fn read(&self, address: u64, out: &mut [u8]) -> Result {
        self.each(address, out.len(), |at, part| out[at..at + part.len()].copy_from_slice(part))
    }

    fn write(&self, address: u64, data: &[u8]) -> Result {
        self.each(address, data.len(), |at, part| part.copy_from_slice(&data[at..at + part.len()]))
    }
}
