// SPDX-License-Identifier: GPL-2.0
//! Sections in an interrupt: a timer reads a sensor, and does so no more when the sensor is unplugged.
//!
//! Loading the module plays that many times and says in the log what came of it. The timer is not stopped before: only the
//! section keeps it from the registers.
use fops_runtime::{Cause, DeviceLifetime, Unplug, guarded_fops};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
    sync::{Arc, ArcBorrow},
    time::hrtimer::{HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerPointer, HrTimerRestart, RelativeMode},
    time::{
        Delta, Monotonic,
        delay::{fsleep, udelay},
    },
};

const ROUNDS: u32 = 50;
const ROOM: u32 = 21;

type Hw = KBox<Registers>;

struct Registers {
    temperature: Atomic<u32>,
}

impl Drop for Registers {
    fn drop(&mut self) {
        self.temperature.store(0xdead, Relaxed); // What a late reader would see.
    }
}

#[pin_data]
struct Sensor {
    lifetime: DeviceLifetime<Hw>,
    #[pin]
    timer: HrTimer<Self>,
    reads: Atomic<u32>,
    bad: Atomic<u32>,
    refused: Atomic<u32>,
}

#[guarded_fops(lifetime = lifetime, default = guarded, resources = Hw, unplug)]
impl Sensor {
    /// In the interrupt. Whether the sensor is still there.
    #[fop(unplugged = false)]
    fn sample(&self, #[access] hw: &Hw) -> bool {
        udelay(Delta::from_micros(20));
        self.reads.add(1, Relaxed);
        if hw.temperature.load(Relaxed) != ROOM {
            self.bad.add(1, Relaxed);
        }
        true
    }
}

impl HrTimerCallback for Sensor {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, mut context: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        if !this.sample() {
            this.refused.add(1, Relaxed);
            return HrTimerRestart::NoRestart;
        }
        if this.bad.load(Relaxed) != 0 {
            return HrTimerRestart::NoRestart; // One is enough. A report takes longer than the timer waits.
        }
        context.forward_now(Delta::from_micros(200));
        HrTimerRestart::Restart
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Sensor { mode: RelativeMode<Monotonic>, field: self.timer }
}

/// Returns the reads, those that found no registers, and the interrupts that were refused.
fn round() -> Result<(u32, u32, u32)> {
    let registers = KBox::new(Registers { temperature: Atomic::new(ROOM) }, GFP_KERNEL)?;
    let sensor = Arc::pin_init(
        pin_init!(Sensor {
            lifetime: DeviceLifetime::new(registers),
            timer <- HrTimer::new(),
            reads: Atomic::new(0),
            bad: Atomic::new(0),
            refused: Atomic::new(0),
        }),
        GFP_KERNEL,
    )?;
    let timer = sensor.clone().start(Delta::from_micros(200));
    while sensor.reads.load(Relaxed) < 3 {
        fsleep(Delta::from_micros(500));
    }
    drop(sensor.unplug(Cause::Unbind)?);
    // One more interrupt comes, and is the last. A machine that is busy may take its time: 10 s are enough.
    let mut ms = 0;
    while sensor.refused.load(Relaxed) == 0 && sensor.bad.load(Relaxed) == 0 && ms < 10_000 {
        fsleep(Delta::from_millis(1));
        ms += 1;
    }
    drop(timer);
    Ok((sensor.reads.load(Relaxed), sensor.bad.load(Relaxed), sensor.refused.load(Relaxed)))
}

struct Interrupt;

impl kernel::Module for Interrupt {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let (mut reads, mut bad, mut refused) = (0, 0, 0);
        for _ in 0..ROUNDS {
            let round = round()?;
            reads += round.0;
            bad += round.1;
            refused += round.2;
        }
        let verdict = if bad == 0 && refused == ROUNDS { "PASS" } else { "FAIL" };
        pr_info!("{verdict} interrupts: {ROUNDS} unplugs, {reads} reads, {bad} of them late, {refused} refused\n");
        Ok(Self)
    }
}

module! {
    type: Interrupt,
    name: "interrupt",
    authors: ["fops"],
    description: "sections in an interrupt",
    license: "GPL",
}
