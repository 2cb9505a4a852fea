//! The hardware alone, driven as a driver would.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::picture::{Layout, Picture};
use super::pixels::PixelFormat;
use super::sensor::SENSOR_BRIGHTNESS_REG;
use super::*;
use crate::deadline::eventually;
use crate::driver::registers::vin::*;
use std::sync::Arc;

fn board(rate: f64) -> (Board, Vin) {
    let board = Board::new();
    let vin = board.vin(VIN_NAME).expect("the board has a VIN").clone();
    vin.set_frame_rate(rate);
    (board, vin)
}

fn setup(pointer: &IoPtr, layout: &Layout, dmr: u32, bypass: u32) {
    pointer.write(VNSPPRC_REG, 0);
    pointer.write(VNEPPRC_REG, layout.width - 1);
    pointer.write(VNSLPRC_REG, 0);
    pointer.write(VNELPRC_REG, layout.height - 1);
    pointer.write(VNIS_REG, layout.bytesperline / layout.format.bytes_per_pixel());
    pointer.write(VNUVAOF_REG, layout.uv_offset);
    pointer.write(VNDMR_REG, dmr);
    pointer.write(VNINTS_REG, u32::MAX);
    pointer.write(VNIE_REG, VNIE_EFE);
    pointer.write(VNMC_REG, VNMC_INF_YUV16 | VNMC_IM_ODD_EVEN | bypass | VNMC_ME);
}

fn start_yuyv(vin: &Vin, mmio: &Mmio, size: (u32, u32)) -> (Arc<HeapMemory>, Vec<DmaMapping>) {
    let layout = Layout::new(PixelFormat::Yuyv, size.0, size.1);
    let slots: Vec<_> = (0..HW_BUFFER_NUM).map(|_| Arc::new(HeapMemory::new(layout.size()))).collect();
    let mut mappings = Vec::new();
    for (slot, memory) in slots.iter().enumerate() {
        let mapping = vin.dma_map(memory.clone(), 0, layout.size() as u64).expect("the bus is empty");
        mmio.write(VNMB_REG(slot), mapping.address());
        mappings.push(mapping);
    }
    setup(&mmio.as_ptr(), &layout, VNDMR_BPSM, VNMC_BPS);
    mmio.write(VNFC_REG, VNFC_C_FRAME);
    (slots[0].clone(), mappings)
}

fn stop(mmio: &Mmio) {
    mmio.write(VNFC_REG, 0);
    mmio.write(VNMC_REG, mmio.read(VNMC_REG) & !VNMC_ME);
    eventually("capture stops", || mmio.read(VNMS_REG) & VNMS_CA == 0);
    mmio.write(VNIE_REG, 0);
}

#[test]
fn every_format_arrives_as_the_registers_say() {
    let (_board, vin) = board(1000.0);
    let mmio = vin.ioremap().unwrap();
    // The sizes are those that the driver's own test has for this picture.
    for (format, dmr, bypass, size) in [
        (PixelFormat::Yuyv, VNDMR_BPSM, VNMC_BPS, 6144),
        (PixelFormat::Uyvy, 0, VNMC_BPS, 6144),
        (PixelFormat::Nv16, VNDMR_DTMD_YCSEP, VNMC_BPS, 6144),
        (PixelFormat::Nv12, VNDMR_DTMD_YCSEP_420, VNMC_BPS, 4608),
        (PixelFormat::Grey, VNDMR_DTMD_YCSEP | VNDMR_YMODE_Y8, VNMC_BPS, 3072),
        (PixelFormat::Rgb565, 0, 0, 6144),
        (PixelFormat::Xbgr32, VNDMR_EXRGB, 0, 12_288),
    ] {
        let layout = Layout::new(format, 96, 32);
        assert_eq!(layout.size(), size, "{format:?}");
        let memory = Arc::new(HeapMemory::new(layout.size()));
        let mapping = vin.dma_map(memory.clone(), 0, layout.size() as u64).unwrap();
        (0..HW_BUFFER_NUM).for_each(|slot| mmio.write(VNMB_REG(slot), mapping.address()));
        setup(&mmio.as_ptr(), &layout, dmr, bypass);
        let before = vin.frames();
        mmio.write(VNFC_REG, VNFC_S_FRAME);
        eventually("the frame ends", || mmio.read(VNMS_REG) & VNMS_CA == 0);
        assert_eq!(vin.frames(), before + 1);
        assert_eq!(mmio.read(VNFC_REG), 0, "a single frame ends by itself");
        assert_eq!(memory.to_vec(), Picture::new(layout).render(before), "{format:?}");
    }
    assert_eq!(vin.dma_faults(), 0);
}

#[test]
fn frames_rotate_through_the_slots_and_interrupt() {
    let (_board, vin) = board(400.0);
    let mmio = vin.ioremap().unwrap();
    let (sender, slots) = mpsc::channel();
    let pointer = mmio.as_ptr();
    let irq = vin.request_irq(move || {
        let events = pointer.read(VNINTS_REG);
        pointer.write(VNINTS_REG, events);
        if events & VNINTS_EFS == 0 {
            return IrqReturn::None;
        }
        let slot = (pointer.read(VNMS_REG) & VNMS_FBS_MASK) >> VNMS_FBS_SHIFT;
        _ = sender.send(slot);
        IrqReturn::Handled
    });
    let irq = irq.unwrap();
    assert!(vin.request_irq(|| IrqReturn::None).is_err());
    let (_memory, _mappings) = start_yuyv(&vin, &mmio, (64, 32));
    assert_ne!(mmio.read(VNMS_REG) & VNMS_CA, 0, "capture is active as soon as it is enabled");
    let first: Vec<u32> = slots.iter().take(7).collect();
    for pair in first.windows(2) {
        assert_eq!(pair[1], (pair[0] + 1) % 3);
    }
    stop(&mmio);
    drop(irq);
    assert!(vin.interrupts() >= 7);
    assert_eq!(vin.dma_faults(), 0);
}

#[test]
fn status_bits_are_cleared_by_writing_one() {
    let (_board, vin) = board(1000.0);
    let mmio = vin.ioremap().unwrap();
    let (_memory, _mappings) = start_yuyv(&vin, &mmio, (16, 4));
    eventually("events", || mmio.read(VNINTS_REG) & VNINTS_EFS != 0);
    stop(&mmio);
    let events = mmio.read(VNINTS_REG);
    assert_eq!(events, VNINTS_VFS | VNINTS_FIS | VNINTS_EFS);
    mmio.write(VNINTS_REG, VNINTS_VFS);
    assert_eq!(mmio.read(VNINTS_REG), events & !VNINTS_VFS);
    mmio.write(VNMS_REG, u32::MAX);
    assert_eq!(mmio.read(VNMS_REG) & VNMS_CA, 0, "the status is read only");
    mmio.write(VNMB_REG(1), 0x1234_567f);
    assert_eq!(mmio.read(VNMB_REG(1)), 0x1234_5600, "addresses are aligned to 128 bytes");
}

#[test]
fn dma_after_unmap_faults_and_writes_nothing() {
    let (_board, vin) = board(1000.0);
    let mmio = vin.ioremap().unwrap();
    let (_memory, mappings) = start_yuyv(&vin, &mmio, (16, 4));
    eventually("frames", || vin.frames() > 2);
    drop(mappings);
    eventually("faults", || vin.dma_faults() > 2);
    let frames = vin.frames();
    eventually("more faults", || vin.dma_faults() > 5);
    assert_eq!((vin.frames(), vin.dma_mappings()), (frames, 0));
    stop(&mmio);
}

#[test]
fn a_mapping_is_as_long_as_it_is() {
    let (_board, vin) = board(1000.0);
    let mmio = vin.ioremap().unwrap();
    let memory = Arc::new(HeapMemory::new(128));
    let mapping = vin.dma_map(memory.clone(), 0, 127).unwrap();
    (0..HW_BUFFER_NUM).for_each(|slot| mmio.write(VNMB_REG(slot), mapping.address()));
    setup(&mmio.as_ptr(), &Layout::new(PixelFormat::Yuyv, 16, 4), VNDMR_BPSM, VNMC_BPS);
    mmio.write(VNFC_REG, VNFC_S_FRAME);
    eventually("the fault", || vin.dma_faults() == 1);
    assert_eq!(memory.to_vec(), vec![0; 128]);
}

#[test]
fn accesses_after_iounmap_are_caught() {
    let (_board, vin) = board(30.0);
    let mmio = vin.ioremap().unwrap();
    let pointer = mmio.as_ptr();
    pointer.write(VNIS_REG, 640);
    assert!(vin.ioremap().is_err(), "one mapping at a time");
    drop(mmio);
    assert_eq!(pointer.read(VNIS_REG), u32::MAX);
    pointer.write(VNIS_REG, 1);
    assert_eq!(vin.late_accesses(), 2);
    let again = vin.ioremap().unwrap();
    assert_eq!(again.read(VNIS_REG), 640, "the hardware stays, and the late write did not reach it");
    assert!(!pointer.is_live(), "the pointer of the former life stays poisoned");
    assert_eq!(pointer.read(VNIS_REG), u32::MAX);
    assert_eq!(vin.late_accesses(), 3);
}

#[test]
fn removed_hardware_reads_all_ones() {
    let (_board, vin) = board(500.0);
    let mmio = vin.ioremap().unwrap();
    let (_memory, mappings) = start_yuyv(&vin, &mmio, (16, 4));
    eventually("frames", || vin.frames() > 2);
    vin.surprise_remove();
    drop(mappings);
    assert_eq!(mmio.read(VNMS_REG), u32::MAX);
    mmio.write(VNFC_REG, 0);
    let frames = vin.frames();
    thread::sleep(Duration::from_millis(20));
    assert_eq!((vin.frames(), vin.absent_accesses(), vin.late_accesses()), (frames, 2, 0));
    vin.insert();
    assert_eq!(mmio.read(VNFC_REG), 0, "new hardware comes up stopped");
    let (_memory, _mappings) = start_yuyv(&vin, &mmio, (16, 4));
    eventually("frames again", || vin.frames() > frames + 2);
    stop(&mmio);
    assert_eq!(vin.dma_faults(), 0, "a frame that was on its way when the device went is lost");
}

#[test]
fn stopping_waits_for_the_frame_but_not_for_a_stalled_sensor() {
    let (_board, vin) = board(4.0);
    let mmio = vin.ioremap().unwrap();
    let (_memory, mappings) = start_yuyv(&vin, &mmio, (16, 4));
    eventually("a frame begins", || mmio.read(VNMS_REG) & VNMS_AV != 0);
    mmio.write(VNFC_REG, 0);
    assert_ne!(mmio.read(VNMS_REG) & VNMS_CA, 0, "the frame in progress is completed");
    stop(&mmio);
    assert_eq!(vin.frames(), 1);

    vin.set_stalled(true);
    vin.set_frame_rate(200.0);
    mmio.write(VNMC_REG, mmio.read(VNMC_REG) | VNMC_ME);
    mmio.write(VNFC_REG, VNFC_C_FRAME);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(vin.frames(), 1);
    assert_ne!(mmio.read(VNMS_REG) & VNMS_CA, 0);
    mmio.write(VNFC_REG, 0);
    assert_eq!(mmio.read(VNMS_REG) & VNMS_CA, 0, "no frame to wait for");
    drop(mappings);
    assert_eq!(vin.dma_faults(), 0);
}

#[test]
fn freeing_the_interrupt_waits_for_its_handler() {
    let (_board, vin) = board(30.0);
    let (entered, inside) = mpsc::channel();
    let done = Arc::new(AtomicBool::new(false));
    let at_end = Arc::clone(&done);
    let irq = vin.request_irq(move || {
        _ = entered.send(());
        thread::sleep(Duration::from_millis(50));
        at_end.store(true, Ordering::SeqCst);
        IrqReturn::Handled
    });
    let raiser = vin.clone();
    let raise = thread::spawn(move || raiser.raise_irq());
    inside.recv().unwrap();
    drop(irq);
    assert!(done.load(Ordering::SeqCst), "free_irq came back before the handler");
    assert_eq!(Arc::strong_count(&done), 1, "and the handler is gone");
    raise.join().unwrap();
    vin.raise_irq();
    assert_eq!((vin.interrupts(), vin.unhandled_interrupts()), (1, 1));
}

#[test]
fn a_handler_that_frees_itself_or_panics_hurts_nobody() {
    let (_board, vin) = board(30.0);
    let slot = Arc::new(parking_lot::Mutex::new(None));
    let own = Arc::clone(&slot);
    let irq = vin.request_irq(move || {
        drop(own.lock().take());
        IrqReturn::Handled
    });
    *slot.lock() = Some(irq.unwrap());
    vin.raise_irq();
    vin.raise_irq();
    assert_eq!((vin.interrupts(), vin.unhandled_interrupts()), (1, 1));
    let irq = vin.request_irq(|| panic!("a driver's mistake"));
    vin.raise_irq();
    drop(irq);
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    let _irq = vin.request_irq(move || {
        count.fetch_add(1, Ordering::Relaxed);
        IrqReturn::None
    });
    vin.raise_irq();
    assert_eq!((calls.load(Ordering::Relaxed), vin.unhandled_interrupts()), (1, 2));
}

#[test]
fn bus_addresses_are_aligned_apart_and_endless() {
    let (_board, vin) = board(30.0);
    let memory = Arc::new(HeapMemory::new(1));
    let kept = vin.dma_map(memory.clone(), 0, 1).unwrap();
    let mut last = kept.address();
    // 4 GiB of bus, 64 MiB at a time: goes round more than once, and around what is kept.
    for _ in 0..200 {
        let mapping = vin.dma_map(memory.clone(), 0, 64 << 20).unwrap();
        assert_eq!(mapping.address() % 4096, 0);
        assert_ne!(mapping.address(), last, "a stale address must fault");
        assert!(mapping.address().abs_diff(kept.address()) > 4096);
        last = mapping.address();
    }
    assert!(vin.dma_map(memory, 0, u64::MAX).is_none());
    assert_eq!(vin.dma_mappings(), 1);
}

#[test]
fn unmapping_waits_for_the_transfer() {
    struct Slow(mpsc::Sender<()>, Arc<AtomicBool>);
    impl DmaMemory for Slow {
        fn write(&self, _address: u64, _data: &[u8]) {
            _ = self.0.send(());
            thread::sleep(Duration::from_millis(50));
            self.1.store(true, Ordering::SeqCst);
        }
    }
    let (_board, vin) = board(100.0);
    let mmio = vin.ioremap().unwrap();
    let (begun, inside) = mpsc::channel();
    let done = Arc::new(AtomicBool::new(false));
    let layout = Layout::new(PixelFormat::Yuyv, 16, 4);
    let mapping = vin.dma_map(Arc::new(Slow(begun, Arc::clone(&done))), 0, layout.size() as u64).unwrap();
    (0..HW_BUFFER_NUM).for_each(|slot| mmio.write(VNMB_REG(slot), mapping.address()));
    setup(&mmio.as_ptr(), &layout, VNDMR_BPSM, VNMC_BPS);
    mmio.write(VNFC_REG, VNFC_S_FRAME);
    inside.recv().unwrap();
    drop(mapping);
    assert!(done.load(Ordering::SeqCst), "dma_unmap came back before the transfer was over");
}

#[test]
fn a_driver_that_leaves_in_order_leaves_no_trace() {
    let (_board, vin) = board(5000.0);
    for _ in 0..100 {
        let mmio = vin.ioremap().unwrap();
        let pointer = mmio.as_ptr();
        let irq = vin.request_irq(move || {
            pointer.write(VNINTS_REG, pointer.read(VNINTS_REG));
            IrqReturn::Handled
        });
        let (_memory, mappings) = start_yuyv(&vin, &mmio, (16, 4));
        let before = vin.frames();
        eventually("a frame", || vin.frames() > before);
        stop(&mmio);
        drop(mappings);
        drop(irq);
        drop(mmio);
    }
    assert_eq!((vin.late_accesses(), vin.dma_faults(), vin.dma_mappings()), (0, 0, 0));
}

#[test]
fn the_sensor_is_reached_through_its_client_and_not_after() {
    let (_board, vin) = board(1000.0);
    let sensor = vin.sensor().unwrap();
    assert_eq!(vin.sensor().err(), Some(Busy));
    let kept = sensor.as_ptr();
    sensor.write(SENSOR_BRIGHTNESS_REG, 7).unwrap();
    assert_eq!(kept.read(SENSOR_BRIGHTNESS_REG), Ok(7));
    drop(sensor);
    assert_eq!((kept.read(SENSOR_BRIGHTNESS_REG), vin.late_accesses()), (Err(Nack), 1));
    let another = vin.sensor().unwrap();
    assert_eq!((kept.write(SENSOR_BRIGHTNESS_REG, 8), vin.late_accesses()), (Err(Nack), 2));
    assert_eq!(another.read(SENSOR_BRIGHTNESS_REG), Ok(7), "it keeps what it was told");
    vin.surprise_remove();
    assert_eq!(another.read(SENSOR_BRIGHTNESS_REG), Err(Nack));
    vin.insert();
    assert_eq!(another.read(SENSOR_BRIGHTNESS_REG), Ok(128));
    assert_eq!(vin.late_accesses(), 2);
}

#[test]
fn a_reset_loses_the_frame_that_is_on_its_way() {
    let (_board, vin) = board(1.0 / 60.0);
    let mmio = vin.ioremap().unwrap();
    let (_memory, mappings) = start_yuyv(&vin, &mmio, (16, 4));
    eventually("a frame begins", || mmio.read(VNMS_REG) & VNMS_AV != 0);
    vin.reset_control().reset();
    drop(mappings);
    assert_eq!((mmio.read(VNMS_REG), mmio.read(VNMC_REG)), (0, 0));
    vin.set_frame_rate(1000.0);
    let (_memory, _mappings) = start_yuyv(&vin, &mmio, (16, 4));
    eventually("another frame", || vin.frames() > 0);
    stop(&mmio);
    assert_eq!(vin.dma_faults(), 0);
}

#[test]
fn registers_that_describe_no_picture_write_none() {
    let (_board, vin) = board(1000.0);
    let mmio = vin.ioremap().unwrap();
    let (_memory, _mappings) = start_yuyv(&vin, &mmio, (16, 4));
    stop(&mmio);
    let before = vin.frames();
    // RGB in, conversion on, RGB layout: the output would be YCbCr.
    mmio.write(VNMC_REG, VNMC_INF_RGB888 | VNMC_ME);
    mmio.write(VNDMR_REG, VNDMR_EXRGB);
    mmio.write(VNINTS_REG, u32::MAX);
    mmio.write(VNFC_REG, VNFC_S_FRAME);
    eventually("the frame ends", || mmio.read(VNINTS_REG) & VNINTS_EFS != 0);
    assert_eq!((vin.frames(), vin.dma_faults()), (before, 0));
}
