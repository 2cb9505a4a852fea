use fops_runtime::fop;

struct Device;

impl Device {
    #[fop(always)]
    fn release(&self) {}
}

fn main() {}
