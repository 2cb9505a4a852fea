//! Code that is legal without the attribute is legal with it.
#![deny(warnings)]
use fops_runtime::{Access, Cause, DeviceLifetime, Result, Unplug, guarded_fops};

#[deprecated]
struct Old {
    lifetime: DeviceLifetime<u8>,
}

/// The generated impls name the type, too.
#[expect(deprecated, reason = "some boards have it")]
#[guarded_fops(lifetime = lifetime, default = guarded, unplug(), resources = u8)]
impl Old {
    fn read(&self) -> Result {
        Ok(())
    }
}

struct Device {
    lifetime: DeviceLifetime<u8>,
}

impl Device {
    /// Its error is logged.
    fn quiesce(&self, hw: &u8, _: Cause) -> std::result::Result<(), String> {
        Err(format!("the hardware {hw} does not answer"))
    }

    /// Resources that are `Copy` come by value, too.
    fn kick(&self, hw: u8) -> Result<u8> {
        Ok(hw)
    }
}

#[expect(dead_code, reason = "nobody calls these")]
#[guarded_fops(lifetime = lifetime, default = guarded, unplug(stop = quiesce, wake = kick))]
impl Device {
    fn with(&self, #[cfg(all())] #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    fn without(&self, #[cfg(any())] #[access] hw: &Access<'_, Nothing>) -> Result<u8> {
        Ok(1)
    }

    #[fop(always)]
    fn always_without(
        &self,
        #[cfg(any())]
        #[access]
        hw: Option<&Access<'_, Nothing>>,
    ) -> Result<u8> {
        Ok(1)
    }

    fn unused(&self, #[access] _hw: &Access<'_, u8>) -> Result<u8> {
        Ok(1)
    }

    #[fop(unplugged = panic!("it is gone"))]
    fn panics(&self) -> u8 {
        1
    }

    #[fop(unplugged = todo!())]
    fn is_to_do(&self) -> u8 {
        1
    }

    #[fop(unplugged = return 3)]
    fn returns(&self) -> u8 {
        1
    }

    #[fop(unplugged = std::process::abort())]
    fn aborts(&self) -> u8 {
        1
    }

    #[fop(unplugged = { std::process::exit(1) })]
    fn exits(&self) -> u8 {
        1
    }

    #[fop(unplugged = loop {})]
    fn hangs(&self) -> u8 {
        1
    }

    #[fop(unplugged = unreachable!())]
    fn never(&self, _: String) -> ! {
        loop {}
    }
}

/// Patterns that borrow.
#[guarded_fops(lifetime = lifetime, default = guarded, name = patterns)]
impl Device {
    #[allow(clippy::toplevel_ref_arg)]
    fn by_reference(&self, ref mut text: String, (ref mut a, ref b, mut c): (String, String, String)) -> Result<usize> {
        text.push('!');
        a.push_str(b);
        c.push('?');
        Ok(text.len() + a.len() + c.len())
    }
}

fn main() {
    #[expect(deprecated)]
    let old = Old { lifetime: DeviceLifetime::new(1) };
    assert_eq!((old.read(), old.unplug(Cause::Unbind)), (Ok(()), Ok(1)));
    let device = Device { lifetime: DeviceLifetime::new(7) };
    assert_eq!(device.by_reference("a".into(), ("b".into(), "c".into(), "d".into())), Ok(6));
    assert_eq!((device.with(), device.without(), device.unused()), (Ok(7), Ok(1), Ok(1)));
    assert_eq!(device.unplug(Cause::Unbind), Ok(7));
    assert_eq!(device.returns(), 3);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.panics())).is_err());
    assert!(device.always_without().is_ok() && device.without().is_err());
}
