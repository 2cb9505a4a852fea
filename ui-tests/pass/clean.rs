//! Nothing that the macro writes trips a lint, or over what the author shadows.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)]
#![forbid(unsafe_code)]

use ::fops_runtime::{
    __private::refused, Access, Cause, Command, DeviceLifetime, Errno, File, FileOperations, IoctlArg, Op, PollEvents,
    PollTable, Unplug, UserSliceWriter, guarded_fops,
};

mod core {}
mod std {}
mod alloc {}
struct Option;
struct Result;
#[derive(Clone, Copy)]
struct Some;
struct None;
struct Ok;
struct Err;
struct Guarded;
macro_rules! compile_error {
    () => {};
}

type Answer<T = ()> = ::fops_runtime::Result<T>;

/// Names that the macro might use itself.
const HOSTILE: (Option, Result, Some, None, Ok, Err, Guarded) = (Option, Result, Some, None, Ok, Err, Guarded);

/// Its resources.
pub type Registers = [u8; 64];

/// A device.
pub struct Device {
    lifetime: DeviceLifetime<Registers>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick))]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Answer {
        Answer::Ok(())
    }

    /// Reads.
    fn read(&self, #[access] hw: &Access<'_, Registers>, _file: &File, mut buf: UserSliceWriter<'_>) -> Answer<usize> {
        let (guard, access, answer, enter) = (1, 2, 3, 4);
        if guard + access + answer + enter == 0 {
            return Answer::Err(Errno::EIO);
        }
        buf.write_slice(&hw[..4])
    }

    fn ioctl(&self, _file: &File, _command: Command, _arg: IoctlArg<'_>) -> Answer<i32> {
        Answer::Ok(0)
    }

    fn poll(&self, #[access] _: &Access<'_, Registers>, _file: &File, _table: &PollTable<'_>) -> PollEvents {
        PollEvents::IN
    }

    fn release(&self, _file: File) {}

    #[fop(always)]
    fn flush(&self, #[access] hw: ::core::option::Option<&Access<'_, Registers>>, _file: &File) -> Answer {
        let _ = hw.is_some();
        Answer::Ok(())
    }

    #[fop(unguarded, reason = "touches no device resources")]
    fn fsync(&self, _file: &File, _datasync: bool) -> Answer {
        Answer::Ok(())
    }
}

impl Device {
    fn quiesce(&self, hw: &Registers, cause: Cause) {
        let _ = (self, hw, cause);
    }

    fn kick(&self, hw: &Registers) {
        let _ = (self, hw);
    }
}

/// Methods of no trait.
#[guarded_fops(lifetime = self.lifetime, default = guarded, name = more)]
impl Device {
    /// By value, by pattern, unused.
    ///
    /// # Errors
    /// Never.
    pub fn arguments(&self, (a, _b): (u8, ::std::string::String), _: u16, _unused: ::std::vec::Vec<u8>) -> Answer<u8> {
        Answer::Ok(a)
    }

    #[fop(unplugged = ())]
    fn nothing(&self) {}

    #[fop(unplugged = number)]
    fn number(&self, number: u8, _unused: ::std::string::String) -> u8 {
        number
    }
}

fn main() {
    compile_error!();
    let _ = HOSTILE;
    let device = Device { lifetime: DeviceLifetime::new([0; 64]) };
    let _: [&dyn Fn(fops_runtime::Unplugged) -> Answer; 1] = [&refused];
    let _: &Op = const { &Op::guarded("", "") };
    let _ = device.arguments((1, ::std::string::String::new()), 2, ::std::vec![]);
    device.nothing();
    let _ = device.number(1, ::std::string::String::new());
    let _ = device.unplug(Cause::Unbind);
}
