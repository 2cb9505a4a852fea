//! The media device node: the graph of the group, whose links say which VIN captures what.
//!
//! To set a link is to write a register of a VIN: an operation of one device that is a section of another. After
//! `rvin_csi2_link_notify` in `rcar-core.c` and `mc-device.c`.
use crate::driver::core::RcarVin;
use crate::driver::csi2::{CHANNELS, Csi2};
use crate::driver::dma::select_channel;
use crate::driver::group::{Routes, RvinGroup};
use crate::uapi::media::*;
use crate::uapi::{Uapi, kernel_version, load, store, text, zeroed};
use fops_runtime::op::op;
use fops_runtime::{Command, DeviceLifetime, Errno, File, FileOperations, IoctlArg, Result, Subdev, guarded_fops};
use std::sync::{Arc, Weak};

/// The entities, by their numbers: the receiver, then the VINs.
const RECEIVER: u32 = 1;
const fn vin_entity(vin: usize) -> u32 {
    RECEIVER + 1 + vin as u32
}

/// The driver's structure for the media node.
pub struct MediaDevice {
    lifetime: DeviceLifetime<()>,
    group: Weak<RvinGroup>,
    routes: Arc<Routes>,
    receiver: String,
}

#[guarded_fops(lifetime = lifetime, resources = (), unplug())]
impl FileOperations for MediaDevice {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn ioctl(&self, _file: &File, command: Command, mut arg: IoctlArg<'_>) -> Result<i32> {
        match command {
            MEDIA_IOC_DEVICE_INFO => answer(&mut arg, &self.device_info()),
            MEDIA_IOC_ENUM_ENTITIES => {
                let asked: media_entity_desc = load(arg.data()).ok_or(Errno::EINVAL)?;
                answer(&mut arg, &self.entity(asked.id)?)
            }
            MEDIA_IOC_ENUM_LINKS => self.enum_links(&arg),
            MEDIA_IOC_SETUP_LINK => {
                let link: media_link_desc = load(arg.data()).ok_or(Errno::EINVAL)?;
                self.setup_link(&link)
            }
            _ => Err(Errno::ENOTTY),
        }
        .map(|()| 0)
    }
}

impl MediaDevice {
    pub(crate) fn new(group: &Arc<RvinGroup>, receiver: &Subdev<Csi2>, routes: &Arc<Routes>) -> Arc<Self> {
        Arc::new(Self {
            lifetime: DeviceLifetime::new(()),
            group: Arc::downgrade(group),
            routes: routes.clone(),
            receiver: receiver.name().to_owned(),
        })
    }

    fn device_info(&self) -> media_device_info {
        media_device_info {
            driver: text("rcar_vin"),
            model: text("renesas,vin-r8a7795"),
            bus_info: text("platform:rcar-vin-group"),
            media_version: kernel_version(6, 12, 0),
            driver_version: kernel_version(6, 12, 0),
            ..zeroed()
        }
    }

    /// The entity `asked`, or the one after it.
    fn entity(&self, asked: u32) -> Result<media_entity_desc> {
        let next = asked & MEDIA_ENT_ID_FLAG_NEXT != 0;
        let asked = asked & !MEDIA_ENT_ID_FLAG_NEXT;
        let is_it = |id: u32| if next { id > asked } else { id == asked };
        let vins = self.group.upgrade().ok_or(Errno::ENODEV)?.vins();
        if is_it(RECEIVER) {
            return Ok(media_entity_desc {
                id: RECEIVER,
                name: text(&format!("rcar_csi2 {}", self.receiver)),
                type_: MEDIA_ENT_T_V4L2_SUBDEV,
                pads: 1 + CHANNELS as u16,
                links: CHANNELS as u16 * vins.len() as u16,
                ..zeroed()
            });
        }
        let (vin, _) = vins.into_iter().find(|&(vin, _)| is_it(vin_entity(vin))).ok_or(Errno::EINVAL)?;
        Ok(media_entity_desc {
            id: vin_entity(vin),
            name: text(&format!("VIN{vin} output")),
            type_: MEDIA_ENT_T_DEVNODE_V4L,
            pads: 1,
            ..zeroed()
        })
    }

    /// The pads of an entity, and the links that begin there, to where the caller wants them.
    fn enum_links(&self, arg: &IoctlArg<'_>) -> Result {
        let asked: media_links_enum = load(arg.data()).ok_or(Errno::EINVAL)?;
        // As for the entity: there may be others by now than when the caller counted them.
        let entity = self.entity(asked.entity)?;
        let pads = (0..entity.pads).map(|index| pad(entity.id, index));
        copy_all(arg, asked.pads, pads)?;
        let group = self.group.upgrade().ok_or(Errno::ENODEV)?;
        let vins = if entity.id == RECEIVER { group.vins() } else { Vec::new() };
        let links = vins.iter().flat_map(|&(vin, _)| {
            (0..CHANNELS).map(move |channel| media_link_desc {
                source: pad(RECEIVER, 1 + channel as u16),
                sink: pad(vin_entity(vin), 0),
                flags: if self.routes.get(vin) == Some(channel) { MEDIA_LNK_FL_ENABLED } else { 0 },
                ..zeroed()
            })
        });
        copy_all(arg, asked.links, links)
    }

    /// Enables or disables the link from a channel of the receiver to a VIN.
    fn setup_link(&self, link: &media_link_desc) -> Result {
        let channel = u32::from(link.source.index).checked_sub(1).filter(|&channel| channel < CHANNELS);
        let group = self.group.upgrade().ok_or(Errno::ENODEV)?;
        let vin = group.vins().into_iter().find(|&(vin, _)| vin_entity(vin) == link.sink.entity);
        let (Some(channel), Some((vin, _)), RECEIVER, 0) = (channel, vin, link.source.entity, link.sink.index) else {
            return Err(Errno::EINVAL);
        };
        // It may have gone since: then there is nothing to be linked.
        let node = group.vin(vin).ok_or(Errno::ENODEV)?;
        node.set_route(channel, link.flags & MEDIA_LNK_FL_ENABLED != 0)
    }
}

impl RcarVin {
    /// `rvin_set_channel_routing`: a section of the VIN, whoever asks for it.
    fn set_route(&self, channel: u32, enable: bool) -> Result {
        let hw = self.lifetime.enter(op!("rvin_set_channel_routing"))?;
        // Two links to one VIN: the second finds what the first has set.
        let _settings = self.settings.lock();
        match (enable, self.routes.get(self.channel)) {
            (true, Some(other)) if other != channel => return Err(Errno::EBUSY),
            (true, None) => {}
            (false, Some(this)) if this == channel => {}
            _ => return Ok(()),
        }
        if self.capture.lock().queue.is_streaming() {
            return Err(Errno::EBUSY);
        }
        self.routes.set(self.channel, enable.then_some(channel));
        if enable {
            select_channel(&hw, channel);
        }
        Ok(())
    }
}

/// Pictures come in at the receiver's first pad and at the VINs', and go out at the rest.
fn pad(entity: u32, index: u16) -> media_pad_desc {
    let source = entity == RECEIVER && index > 0;
    media_pad_desc { entity, index, flags: if source { MEDIA_PAD_FL_SOURCE } else { MEDIA_PAD_FL_SINK }, ..zeroed() }
}

/// Copies structures, one behind the other, to `address` in the caller's memory, unless that is 0.
fn copy_all<T: Uapi>(arg: &IoctlArg<'_>, address: u64, values: impl Iterator<Item = T>) -> Result {
    let mut bytes = Vec::new();
    for value in values {
        let at = bytes.len();
        bytes.resize(at + T::SIZE, 0);
        value.put(&mut bytes[at..]);
    }
    if address == 0 { Ok(()) } else { arg.copy_to_user(address, &bytes) }
}

fn answer<T: Uapi>(arg: &mut IoctlArg<'_>, value: &T) -> Result {
    store(value, arg.data_mut()).ok_or(Errno::EINVAL)
}
