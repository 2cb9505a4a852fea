//! What `fail/policy` gets wrong, done right: each block is named after its case.
use fops_runtime::{Access, DeviceLifetime, Guarded, OpTable, Policy, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, name = unknown_op)]
impl Device {
    #[fop(guarded)]
    fn frobnicate(&self) -> Result {
        Ok(())
    }
}

#[allow(non_camel_case_types)]
trait v4l2_ioctl_ops {
    fn vidioc_querycap(&self) -> Result;
    fn vidioc_g_fmt_vid_cap(&self) -> Result<u8>;
    fn vidioc_streamoff(&self) -> Result;
}

/// Known by their prefix.
#[guarded_fops(lifetime = lifetime)]
impl v4l2_ioctl_ops for Device {
    fn vidioc_querycap(&self) -> Result {
        Ok(())
    }

    fn vidioc_g_fmt_vid_cap(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(always)]
    fn vidioc_streamoff(&self) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = lifetime, name = release_by_sound, default = guarded)]
impl Device {
    #[fop(always)]
    fn close_stream(&self, #[access] hw: Option<&Access<'_, u8>>) -> Result {
        let _ = hw;
        Ok(())
    }

    /// Only sounds as if it did.
    fn closed(&self) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = lifetime, name = unguarded_without_reason)]
impl Device {
    #[fop(unguarded, reason = "touches no device resources")]
    fn llseek(&self) -> u64 {
        0
    }
}

#[guarded_fops(lifetime = lifetime, name = two_policies)]
impl Device {
    #[fop(always)]
    fn read(&self) -> Result<usize> {
        Ok(0)
    }
}

#[guarded_fops(lifetime = lifetime, name = default_unguarded, default = always)]
impl Device {
    fn defrobnicate(&self) {}

    /// Names that some structure of the kernel or of FUSE has mean nothing here.
    fn lock(&self) {}

    fn lookup(&self) {}
}

#[guarded_fops(lifetime = lifetime, name = misspelt)]
impl Device {
    #[fop(guarded)]
    fn first(&self) -> Result {
        Ok(())
    }

    #[fop(unguarded, reason = r#"touches no "device" resources"#)]
    fn fourth(&self) -> Result {
        Ok(())
    }

    /// By a path, as any attribute.
    #[fops_runtime::fop(reason = "touches no device resources", unguarded)]
    fn sixth(&self) -> Result {
        Ok(())
    }
}

fn main() {
    let device = Device { lifetime: DeviceLifetime::new(1) };
    assert!(device.frobnicate().is_ok() && device.close_stream().is_ok() && device.closed().is_ok());
    assert_eq!((device.llseek(), device.read()), (0, Ok(0)));
    assert!(device.first().is_ok() && device.fourth().is_ok() && device.sixth().is_ok());
    device.defrobnicate();
    device.lock();
    device.lookup();
    let ops = <Device as Guarded<{ OpTable::key("default_unguarded") }>>::OPS;
    assert!(ops.iter().all(|op| op.policy() == Policy::Always));
    assert!(device.vidioc_querycap().is_ok() && device.vidioc_streamoff().is_ok());
    assert_eq!(device.vidioc_g_fmt_vid_cap(), Ok(1));
    let policies = <Device as Guarded<{ OpTable::key("v4l2_ioctl_ops") }>>::OPS.iter().map(|op| op.policy());
    assert!(policies.eq([Policy::Guarded, Policy::Guarded, Policy::Always]));
}
