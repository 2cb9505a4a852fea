//! The same operations by the attribute and by hand: `machine_code counted_by_macro` calls these, for a profiler.
use std::hint::black_box;

use fops_runtime::{Access, DeviceLifetime, File, Op, PollEvents, Result, Unplugged, UserSliceWriter, guarded_fops};

const CALLS: u32 = 1000;

struct Macro {
    lifetime: DeviceLifetime<u32>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Macro {
    #[inline(never)]
    fn read(&self, #[access] hw: &Access<'_, u32>, _file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&hw.to_le_bytes())
    }

    #[inline(never)]
    fn add(&self, #[access] hw: &Access<'_, u32>, offset: u32) -> Result<u32> {
        Ok(**hw + offset)
    }

    #[inline(never)]
    fn poll(&self, #[access] hw: &Access<'_, u32>) -> PollEvents {
        if **hw == 0 { PollEvents::EMPTY } else { PollEvents::IN }
    }

    #[fop(always)]
    #[inline(never)]
    fn release(&self, #[access] hw: Option<&Access<'_, u32>>) -> u32 {
        hw.map_or(0, |hw| **hw)
    }
}

struct Hand {
    lifetime: DeviceLifetime<u32>,
}

impl Hand {
    #[inline(never)]
    fn read(&self, _file: &File, buf: UserSliceWriter<'_>) -> Result<usize> {
        let hw = match self.lifetime.enter(const { &Op::guarded("Hand", "read") }) {
            Ok(hw) => hw,
            Err(why) => return Err(why.into()),
        };
        // So that it is dropped inside the section, as an argument by value would not be.
        let mut buf = buf;
        buf.write_slice(&hw.to_le_bytes())
    }

    #[inline(never)]
    fn add(&self, offset: u32) -> Result<u32> {
        let hw = match self.lifetime.enter(const { &Op::guarded("Hand", "add") }) {
            Ok(hw) => hw,
            Err(why) => return Err(why.into()),
        };
        Ok(*hw + offset)
    }

    #[inline(never)]
    fn poll(&self) -> PollEvents {
        let hw = match self.lifetime.enter(const { &Op::guarded("Hand", "poll") }) {
            Ok(hw) => hw,
            Err(Unplugged) => return PollEvents::ERR | PollEvents::HUP | PollEvents::PRI,
            // Paused.
            Err(_) => return PollEvents::EMPTY,
        };
        if *hw == 0 { PollEvents::EMPTY } else { PollEvents::IN }
    }

    #[inline(never)]
    fn release(&self) -> u32 {
        let hw = self.lifetime.enter(const { &Op::always("Hand", "release") }).ok();
        hw.map_or(0, |hw| *hw)
    }
}

macro_rules! calls {
    ($name:ident, $device:ty) => {
        #[inline(never)]
        fn $name(device: &$device, file: &File) {
            for i in 0..CALLS {
                let (mut bytes, mut written) = ([0; 4], 0);
                let buf = UserSliceWriter::new(&mut bytes, &mut written, 0);
                let _ = black_box(black_box(device).read(file, buf));
                let _ = black_box(black_box(device).add(i));
                black_box(black_box(device).poll());
                black_box(black_box(device).release());
            }
        }
    };
}
calls!(counted_by_macro, Macro);
calls!(counted_by_hand, Hand);

fn main() {
    let file = File::default();
    let by_macro = Macro { lifetime: DeviceLifetime::new(5) };
    let by_hand = Hand { lifetime: DeviceLifetime::new(5) };
    // The thread's slot is made by whoever comes first.
    let _ = (by_macro.poll(), by_hand.poll());
    match std::env::args().nth(1).as_deref() {
        Some("counted_by_macro") => counted_by_macro(&by_macro, &file),
        _ => counted_by_hand(&by_hand, &file),
    }
}
