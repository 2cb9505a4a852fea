//! The file operations and the ioctls of the video node. After `rcar-v4l2.c` and `v4l2-ioctl.c`.
//!
//! This is what `#[guarded_fops]` is written on. No method below touches [`VinHw`] but through its access.
use crate::core::{RcarVin, VinHw};
use crate::dma::Capture;
use crate::format::PixelFormat;
use crate::ioctls::*;
use crate::queue::Readiness;
use crate::regs::REGISTERS;
use crate::uapi::*;
use fops_runtime::{
    Access, Command, Errno, File, FileOperations, IoctlArg, PollEvents, PollTable, Result, UserSliceWriter, VmArea,
    guarded_fops,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What the driver keeps for one open file: `struct v4l2_fh`.
pub struct Open {
    priority: AtomicU32,
}

/// What user space has set: `vin->format`, and the priorities of the open files.
pub(crate) struct Settings {
    format: PixelFormat,
    width: u32,
    height: u32,
    /// How many files have each priority: `struct v4l2_prio_state`.
    priorities: [u32; 4],
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
impl FileOperations for RcarVin {
    type Open = Open;

    fn open(&self, _file: &File) -> Result<Open> {
        self.settings.lock().priorities[V4L2_PRIORITY_DEFAULT as usize] += 1;
        Ok(Open { priority: AtomicU32::new(V4L2_PRIORITY_DEFAULT) })
    }

    /// Runs after unplug too: then the hardware was stopped by `quiesce`, and only the buffers are left to free.
    fn release(&self, #[access] hw: Option<&Access<'_, VinHw>>, file: File<Open>) {
        let mut settings = self.settings.lock();
        let (owner, started) = {
            let capture = self.capture.lock();
            (capture.queue.is_owner(file.id()), capture.queue.is_started())
        };
        if let (Some(hw), true, true) = (hw, owner, started) {
            // What is gone has stopped.
            let _ = self.stop_streaming(hw);
        }
        self.capture.lock().queue.release(file.id());
        settings.priorities[file.state().priority.load(Relaxed) as usize] -= 1;
        drop(settings);
        self.done.wake_all();
    }

    fn read(&self, #[access] hw: &Access<'_, VinHw>, file: &File<Open>, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        self.start_reading(hw, file.id())?;
        let mut capture = self.capture.lock();
        let chunk = match capture.queue.read(file.id(), buf.remaining())? {
            Some(chunk) => chunk,
            None if file.is_nonblocking() => return Err(Errno::EAGAIN),
            None => {
                let room = buf.remaining();
                hw.wait_event_locked(&self.done, &mut capture, |c| c.queue.read(file.id(), room).transpose())??
            }
        };
        let mut copied = Ok(());
        let n = buf.fill(chunk.length, |bytes| copied = self.memory.read_at(chunk.offset, bytes));
        copied?;
        capture.queue.has_read(n);
        Ok(n)
    }

    fn poll(&self, #[access] hw: &Access<'_, VinHw>, file: &File<Open>, table: &PollTable<'_>) -> PollEvents {
        // Before the state is looked at: what changes from here on wakes the caller.
        table.wait(&self.done);
        let mut readiness = self.capture.lock().queue.readiness();
        if readiness == Readiness::Idle {
            // To poll for reading is to start reading (vb2_core_poll).
            if !table.requested().intersects(PollEvents::IN | PollEvents::RDNORM) {
                return PollEvents::ERR;
            }
            if self.start_reading(hw, file.id()).is_err() {
                return PollEvents::ERR;
            }
            readiness = self.capture.lock().queue.readiness();
        }
        match readiness {
            Readiness::Readable => PollEvents::IN | PollEvents::RDNORM,
            Readiness::Waiting => PollEvents::EMPTY,
            Readiness::Idle | Readiness::Error => PollEvents::ERR,
        }
    }

    fn ioctl(
        &self,
        #[access] hw: &Access<'_, VinHw>,
        file: &File<Open>,
        command: Command,
        mut arg: IoctlArg<'_>,
    ) -> Result<i32> {
        let result = self.video_ioctl2(hw, file, command, &mut arg);
        if let Err(errno) = result {
            tracing::debug!("{}: {}: {errno:?}", self.device.name(), command_name(command).unwrap_or("unknown ioctl"));
        }
        result.map(|()| 0)
    }

    fn mmap(&self, _file: &File<Open>, area: &VmArea) -> Result {
        self.capture.lock().queue.mmap(area.offset, area.len).map(|_| ())
    }
}

impl RcarVin {
    /// `v4l2_ioctl_ops`, in the order of `rcar-v4l2.c`.
    fn video_ioctl2(&self, hw: &Access<'_, VinHw>, file: &File<Open>, cmd: Command, arg: &mut IoctlArg<'_>) -> Result {
        match cmd {
            VIDIOC_QUERYCAP => self.querycap(arg),
            VIDIOC_TRY_FMT => update(arg, |f: &mut Format| try_fmt(f).map(|_| ())),
            VIDIOC_G_FMT => update(arg, |f: &mut Format| self.settings.lock().g_fmt(f)),
            VIDIOC_S_FMT => update(arg, |f: &mut Format| self.s_fmt(file, f)),
            VIDIOC_ENUM_FMT => update(arg, enum_fmt),
            VIDIOC_ENUMINPUT => update(arg, enum_input),
            VIDIOC_G_INPUT => write(arg, &0u32),
            VIDIOC_S_INPUT => update(arg, |input: &mut u32| {
                self.settings.lock().check_priority(file)?;
                if *input == 0 { Ok(()) } else { Err(Errno::EINVAL) }
            }),
            VIDIOC_G_PRIORITY => write(arg, &self.settings.lock().highest_priority()),
            VIDIOC_S_PRIORITY => self.settings.lock().s_priority(file, load(arg.data()).ok_or(Errno::EINVAL)?),
            VIDIOC_LOG_STATUS => self.log_status(hw),
            VIDIOC_REQBUFS => update(arg, |request: &mut v4l2_requestbuffers| {
                let settings = self.settings.lock();
                settings.check_priority(file)?;
                self.capture.lock().queue.reqbufs(file.id(), request, settings.sizeimage())
            }),
            VIDIOC_CREATE_BUFS => update(arg, |request: &mut CreateBuffers| {
                let settings = self.settings.lock();
                settings.check_priority(file)?;
                self.capture.lock().queue.create_bufs(file.id(), request, settings.sizeimage())
            }),
            VIDIOC_QUERYBUF => update(arg, |buffer: &mut Buffer| self.capture.lock().queue.querybuf(buffer)),
            VIDIOC_PREPARE_BUF => update(arg, |buffer: &mut Buffer| {
                let settings = self.settings.lock();
                self.capture.lock().queue.prepare_buf(file.id(), buffer, settings.sizeimage())
            }),
            VIDIOC_QBUF => update(arg, |buffer: &mut Buffer| {
                let settings = self.settings.lock();
                let Capture { queue, dma } = &mut *self.capture.lock();
                queue.qbuf(file.id(), buffer, settings.sizeimage(), |queue| {
                    self.start_streaming(hw, dma, queue, &settings)
                })
            }),
            VIDIOC_DQBUF => update(arg, |buffer: &mut Buffer| self.dqbuf(hw, file, buffer)),
            VIDIOC_STREAMON => update(arg, |type_: &mut u32| {
                let settings = self.settings.lock();
                settings.check_priority(file)?;
                let Capture { queue, dma } = &mut *self.capture.lock();
                queue.streamon(file.id(), *type_, |queue| self.start_streaming(hw, dma, queue, &settings))
            }),
            VIDIOC_STREAMOFF => update(arg, |type_: &mut u32| self.streamoff(hw, file, *type_)),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn querycap(&self, arg: &mut IoctlArg<'_>) -> Result {
        let caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_READWRITE | V4L2_CAP_EXT_PIX_FORMAT;
        let cap = v4l2_capability {
            driver: text("rcar_vin"),
            card: text("R_Car_VIN"),
            bus_info: text(&format!("platform:{}", self.device.name())),
            version: kernel_version(6, 12, 0),
            capabilities: caps | V4L2_CAP_DEVICE_CAPS,
            device_caps: caps,
            ..zeroed()
        };
        write(arg, &cap)
    }

    fn s_fmt(&self, file: &File<Open>, format: &mut Format) -> Result {
        let mut settings = self.settings.lock();
        settings.check_priority(file)?;
        if format.type_ == V4L2_BUF_TYPE_VIDEO_CAPTURE && self.capture.lock().queue.is_busy() {
            return Err(Errno::EBUSY);
        }
        settings.format = try_fmt(format)?;
        (settings.width, settings.height) = (format.pix.width, format.pix.height);
        Ok(())
    }

    /// Sleeps until a buffer is done. No lock is held meanwhile.
    fn dqbuf(&self, hw: &Access<'_, VinHw>, file: &File<Open>, buffer: &mut Buffer) -> Result {
        let type_ = buffer.type_;
        let dequeue = |capture: &mut Capture| capture.queue.dqbuf(file.id(), type_).transpose();
        let mut capture = self.capture.lock();
        *buffer = match dequeue(&mut capture) {
            Some(result) => result?,
            None if file.is_nonblocking() => return Err(Errno::EAGAIN),
            None => {
                capture.queue.begin_wait()?;
                let woken = hw.wait_event_locked(&self.done, &mut capture, dequeue);
                capture.queue.end_wait();
                woken??
            }
        };
        drop(capture);
        // The picture is the client's to see from here on; no lock is held, since a host may sleep here.
        let start = u64::from(buffer.offset);
        self.memory.publish(start..start + u64::from(buffer.bytesused));
        Ok(())
    }

    fn streamoff(&self, hw: &VinHw, file: &File<Open>, type_: u32) -> Result {
        let settings = self.settings.lock();
        settings.check_priority(file)?;
        let started = {
            let capture = self.capture.lock();
            capture.queue.check_stream(file.id(), type_)?;
            capture.queue.is_started()
        };
        let stopped = if started { self.stop_streaming(hw) } else { Ok(()) };
        self.capture.lock().queue.cancel();
        drop(settings);
        self.done.wake_all();
        stopped
    }

    /// Streams for `read(2)`, unless this file does already.
    fn start_reading(&self, hw: &Access<'_, VinHw>, file: u64) -> Result {
        let settings = self.settings.lock();
        let Capture { queue, dma } = &mut *self.capture.lock();
        queue.start_reading(file, settings.sizeimage(), |queue| self.start_streaming(hw, dma, queue, &settings))
    }

    /// Writes the registers to the log.
    fn log_status(&self, hw: &VinHw) -> Result {
        tracing::info!("{}: =================  START STATUS  =================", self.device.name());
        for &(offset, name) in REGISTERS {
            let value = hw.mmio.read(offset);
            if value == u32::MAX {
                self.check_there(hw)?;
            }
            tracing::info!("{}: {name} = {value:#010x}", self.device.name());
        }
        tracing::info!("{}: ==================  END STATUS  ==================", self.device.name());
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: PixelFormat::Yuyv, width: 640, height: 480, priorities: [0; 4] }
    }
}

impl Settings {
    pub(crate) fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width in pixels, height in lines.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Bytes of a picture.
    pub(crate) fn sizeimage(&self) -> u32 {
        self.format.sizeimage(self.width, self.height)
    }

    fn g_fmt(&self, format: &mut Format) -> Result {
        check_type(format.type_)?;
        format.pix = pix_format(self.format, self.width, self.height);
        Ok(())
    }

    /// `v4l2_prio_max`.
    fn highest_priority(&self) -> u32 {
        (1..4).rev().find(|&priority| self.priorities[priority as usize] > 0).unwrap_or(V4L2_PRIORITY_DEFAULT)
    }

    /// `v4l2_prio_check`: those with less priority than another may look, and not change.
    fn check_priority(&self, file: &File<Open>) -> Result {
        if file.state().priority.load(Relaxed) < self.highest_priority() { Err(Errno::EBUSY) } else { Ok(()) }
    }

    fn s_priority(&mut self, file: &File<Open>, priority: u32) -> Result {
        self.check_priority(file)?;
        if !(V4L2_PRIORITY_BACKGROUND..=V4L2_PRIORITY_RECORD).contains(&priority) {
            return Err(Errno::EINVAL);
        }
        let before = file.state().priority.swap(priority, Relaxed);
        self.priorities[before as usize] -= 1;
        self.priorities[priority as usize] += 1;
        Ok(())
    }
}

/// Loads the argument, lets `change` change it, and stores it again, after an error too where user space sees it.
fn update<T: Uapi>(arg: &mut IoctlArg<'_>, change: impl FnOnce(&mut T) -> Result) -> Result {
    let mut value = load(arg.data()).ok_or(Errno::EINVAL)?;
    let result = change(&mut value);
    store(&value, arg.data_mut()).ok_or(Errno::EINVAL)?;
    result
}

fn write<T: Uapi>(arg: &mut IoctlArg<'_>, value: &T) -> Result {
    store(value, arg.data_mut()).ok_or(Errno::EINVAL)
}

fn check_type(type_: u32) -> Result {
    if type_ == V4L2_BUF_TYPE_VIDEO_CAPTURE { Ok(()) } else { Err(Errno::EINVAL) }
}

/// `rvin_format_align`: the nearest format that the hardware has.
fn try_fmt(format: &mut Format) -> Result<PixelFormat> {
    check_type(format.type_)?;
    let pixels = PixelFormat::from_fourcc(format.pix.pixelformat).unwrap_or(PixelFormat::Yuyv);
    let (width, height) = pixels.bound_align(format.pix.width, format.pix.height);
    format.pix = pix_format(pixels, width, height);
    Ok(pixels)
}

fn pix_format(format: PixelFormat, width: u32, height: u32) -> PixFormat {
    let quantization = if format.is_yuv() { V4L2_QUANTIZATION_LIM_RANGE } else { V4L2_QUANTIZATION_FULL_RANGE };
    PixFormat {
        width,
        height,
        pixelformat: format.fourcc(),
        field: V4L2_FIELD_NONE,
        bytesperline: format.bytesperline(width),
        sizeimage: format.sizeimage(width, height),
        colorspace: V4L2_COLORSPACE_SRGB,
        private: V4L2_PIX_FMT_PRIV_MAGIC,
        flags: 0,
        ycbcr_enc: V4L2_YCBCR_ENC_601,
        quantization,
        xfer_func: V4L2_XFER_FUNC_SRGB,
    }
}

fn enum_fmt(desc: &mut v4l2_fmtdesc) -> Result {
    check_type(desc.type_)?;
    // Without a media controller, the code of the media bus means nothing.
    let format = PixelFormat::ALL.get(desc.index as usize).ok_or(Errno::EINVAL)?;
    *desc = v4l2_fmtdesc {
        index: desc.index,
        type_: desc.type_,
        description: text(format.description()),
        pixelformat: format.fourcc(),
        ..zeroed()
    };
    Ok(())
}

fn enum_input(input: &mut v4l2_input) -> Result {
    if input.index != 0 {
        return Err(Errno::EINVAL);
    }
    *input = v4l2_input { name: text("Camera"), type_: V4L2_INPUT_TYPE_CAMERA, ..zeroed() };
    Ok(())
}
