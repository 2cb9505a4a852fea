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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two areas that touch, and what lies behind them.
    fn with_areas(test: impl FnOnce(u64, &Areas<'_, '_>)) -> [u8; 8] {
        let mut memory = [0, 1, 2, 3, 4, 5, 6, 7];
        let address = memory.as_ptr().addr() as u64;
        let (first, rest) = memory.split_at_mut(2);
        let (second, _) = rest.split_at_mut(4);
        test(address, &Areas::new(&mut [second, first]));
        memory
    }

    #[test]
    fn what_was_lent_is_read_across_areas() {
        with_areas(|address, areas| {
            for (offset, expected) in [(0, &[0][..]), (1, &[1, 2, 3]), (0, &[0, 1, 2, 3, 4, 5]), (5, &[5]), (6, &[])] {
                let mut out = vec![9; expected.len()];
                assert_eq!(areas.read(address + offset, &mut out), Ok(()));
                assert_eq!(out, expected);
            }
        });
    }

    #[test]
    fn what_was_lent_is_written_across_areas() {
        let memory = with_areas(|address, areas| assert_eq!(areas.write(address + 1, &[11, 12, 13]), Ok(())));
        assert_eq!(memory, [0, 11, 12, 13, 4, 5, 6, 7]);
    }

    #[test]
    fn what_was_not_lent_is_efault() {
        let memory = with_areas(|address, areas| {
            for (address, len) in [(address - 1, 1), (address + 6, 1), (0, 1), (u64::MAX, 2)] {
                assert_eq!(areas.read(address, &mut vec![0; len]), Err(Errno::EFAULT));
                assert_eq!(areas.write(address, &vec![9; len]), Err(Errno::EFAULT));
            }
            // What was lent of it is written, as `copy_to_user` does.
            assert_eq!(areas.write(address + 5, &[15, 16]), Err(Errno::EFAULT));
        });
        assert_eq!(memory, [0, 1, 2, 3, 4, 15, 6, 7]);
    }
}
