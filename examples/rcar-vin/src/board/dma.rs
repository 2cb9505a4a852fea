//! Memory as the device sees it: bus addresses behind an IOMMU.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

/// Memory that a device can write to.
pub trait DmaMemory: Send + Sync {
    /// Writes `data` at `address`, in bytes from the start of this memory.
    ///
    /// Called from the hardware's thread, only for the range that was given to
    /// [`Vin::dma_map`](super::Vin::dma_map), and never after the mapping is gone.
    fn write(&self, address: u64, data: &[u8]);
}

/// Plain memory of this process, for a scratch buffer and for tests.
pub struct HeapMemory {
    bytes: Mutex<Vec<u8>>,
}

impl HeapMemory {
    /// Zeroed memory of `length` bytes.
    pub fn new(length: usize) -> HeapMemory {
        HeapMemory { bytes: Mutex::new(vec![0; length]) }
    }

    /// A copy of the whole memory.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes.lock().clone()
    }
}

impl DmaMemory for HeapMemory {
    fn write(&self, address: u64, data: &[u8]) {
        let mut bytes = self.bytes.lock();
        let begin = usize::try_from(address).unwrap_or(usize::MAX).min(bytes.len());
        let end = begin.saturating_add(data.len()).min(bytes.len());
        bytes[begin..end].copy_from_slice(&data[..end - begin]);
    }
}

/// The window of bus addresses; VNMB has 32 bits, and a wrong zero shall not hit anything.
const BUS: std::ops::Range<u64> = 0x4000_0000..0x1_0000_0000;
const PAGE: u64 = 4096;

struct Region {
    length: u64,
    memory: Arc<dyn DmaMemory>,
    /// Where the region begins in `memory`.
    offset: u64,
    /// Held for reading during a transfer, so that unmapping waits for the transfer and no longer.
    /// Not the table's lock: a slow transfer must not keep others from mapping.
    mapped: RwLock<bool>,
}

#[derive(Default)]
struct Table {
    regions: BTreeMap<u64, Arc<Region>>,
    /// Where to look first. Addresses are not reused at once, so that a stale one faults.
    next: u64,
}

/// The IOMMU of one device.
#[derive(Default)]
pub(super) struct Iommu {
    table: Mutex<Table>,
}

impl Iommu {
    pub(super) fn map(self: &Arc<Self>, memory: Arc<dyn DmaMemory>, offset: u64, length: u64) -> Option<DmaMapping> {
        let mut table = self.table.lock();
        // One page stays free behind each region, so that an overrun faults too.
        let span = length.max(1).checked_next_multiple_of(PAGE)?.checked_add(PAGE)?;
        let address = table.find(span)?;
        table.next = address + span;
        let region = Region { length, memory, offset, mapped: RwLock::new(true) };
        table.regions.insert(address, Arc::new(region));
        drop(table);
        Some(DmaMapping { iommu: Arc::clone(self), address })
    }

    /// A write by the device, as a whole or not at all; whether it happened.
    pub(super) fn write(&self, address: u64, data: &[u8]) -> bool {
        let found = {
            let table = self.table.lock();
            let below = table.regions.range(..=address).next_back();
            below.map(|(base, region)| (address - base, Arc::clone(region)))
        };
        if let Some((inside, region)) = found
            && inside.checked_add(data.len() as u64).is_some_and(|end| end <= region.length)
        {
            let mapped = region.mapped.read();
            if *mapped {
                region.memory.write(region.offset + inside, data);
                return true;
            }
        }
        false
    }

    pub(super) fn mappings(&self) -> usize {
        self.table.lock().regions.len()
    }
}

impl Table {
    /// A free range of `span` bytes, looked for from `next` to the end and then from the start.
    fn find(&self, span: u64) -> Option<u64> {
        let next = self.next.max(BUS.start);
        self.find_in(next..BUS.end, span).or_else(|| self.find_in(BUS, span))
    }

    fn find_in(&self, range: std::ops::Range<u64>, span: u64) -> Option<u64> {
        let reach = |(base, region): (&u64, &Arc<Region>)| base + region.length.max(1).next_multiple_of(PAGE) + PAGE;
        let mut address = range.start;
        if let Some(below) = self.regions.range(..address).next_back() {
            address = address.max(reach(below));
        }
        for (base, region) in self.regions.range(address..) {
            if address + span <= *base {
                break;
            }
            address = address.max(reach((base, region)));
        }
        (address.checked_add(span)? <= range.end).then_some(address)
    }
}

/// Memory that the device may write to; dropping it is `dma_unmap`.
///
/// The drop waits for a transfer in progress. A transfer that comes later faults: it is counted by
/// [`Vin::dma_faults`](super::Vin::dma_faults) and writes nothing.
#[must_use = "dropping it unmaps the memory"]
pub struct DmaMapping {
    iommu: Arc<Iommu>,
    address: u64,
}

impl DmaMapping {
    /// The address to give to the device, aligned to a page.
    pub fn address(&self) -> u32 {
        // INVARIANT: `BUS` ends where 32 bits do.
        self.address as u32
    }
}

impl Drop for DmaMapping {
    fn drop(&mut self) {
        let region = self.iommu.table.lock().regions.remove(&self.address);
        if let Some(region) = region {
            *region.mapped.write() = false;
        }
    }
}
