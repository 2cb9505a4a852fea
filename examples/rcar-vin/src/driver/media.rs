//! The media device node: the graph of the group, whose links say which VIN captures what.
//!
//! To set a link is to write a register of a VIN: an operation of one device that is a section of another. After
//! `rvin_csi2_link_notify` in `rcar-core.c` and `mc-device.c`.
use crate::driver::core::RcarVin;
use crate::driver::csi2::{CHANNELS, Csi2};
use crate::driver::dma::select_channel;
use crate::driver::group::{Graph, Routes, RvinGroup};
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
            MEDIA_IOC_ENUM_LINKS => {
                let asked: media_links_enum = load(arg.data()).ok_or(Errno::EINVAL)?;
                self.enum_links(&arg, &asked)?;
                answer(&mut arg, &media_links_enum { reserved: zeroed(), ..asked })
            }
            MEDIA_IOC_SETUP_LINK => {
                let link: media_link_desc = load(arg.data()).ok_or(Errno::EINVAL)?;
                self.setup_link(&link)?;
                answer(&mut arg, &media_link_desc { reserved: zeroed(), ..link })
            }
            MEDIA_IOC_G_TOPOLOGY => {
                let asked = load(arg.data()).ok_or(Errno::EINVAL)?;
                let topology = self.topology(&arg, &asked)?;
                answer(&mut arg, &topology)
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

    fn graph(&self) -> Result<Graph> {
        Ok(self.group.upgrade().ok_or(Errno::ENODEV)?.graph())
    }

    /// The entity `asked`, or the one after it.
    fn entity(&self, asked: u32) -> Result<media_entity_desc> {
        let next = asked & MEDIA_ENT_ID_FLAG_NEXT != 0;
        let asked = asked & !MEDIA_ENT_ID_FLAG_NEXT;
        let is_it = |id: u32| if next { id > asked } else { id == asked };
        let graph = self.graph()?;
        let entities = graph.entities();
        let entity = entities.iter().find(|entity| is_it(entity.id)).ok_or(Errno::EINVAL)?;
        let mut device = [0; 46];
        if let Some((major, minor)) = entity.node {
            device[..2].copy_from_slice(&[major, minor]);
        }
        let links = if entity.id == RECEIVER { CHANNELS as u16 * graph.vins.len() as u16 } else { 0 };
        Ok(media_entity_desc {
            id: entity.id,
            name: text(&self.name_of(entity.id)),
            type_: entity.old_type,
            pads: entity.pads,
            links,
            device,
            ..zeroed()
        })
    }

    fn name_of(&self, entity: u32) -> String {
        match entity {
            RECEIVER => format!("rcar_csi2 {}", self.receiver),
            vin => format!("VIN{} output", vin - vin_entity(0)),
        }
    }

    /// The pads of an entity, and the links that begin there, to where the caller wants them.
    fn enum_links(&self, arg: &IoctlArg<'_>, asked: &media_links_enum) -> Result {
        // As for the entity: there may be others by now than when the caller counted them.
        let entity = self.entity(asked.entity)?;
        let pads = (0..entity.pads).map(|index| pad(entity.id, index));
        copy_all(arg, asked.pads, pads)?;
        let graph = self.graph()?;
        let links = graph.links().filter(|_| entity.id == RECEIVER).map(|(vin, channel)| media_link_desc {
            source: pad(RECEIVER, 1 + channel as u16),
            sink: pad(vin_entity(vin), 0),
            flags: self.link_flags(vin, channel),
            ..zeroed()
        });
        copy_all(arg, asked.links, links)
    }

    fn link_flags(&self, vin: usize, channel: u32) -> u32 {
        if self.routes.get(vin) == Some(channel) { MEDIA_LNK_FL_ENABLED } else { 0 }
    }

    /// `media_device_get_topology`: the graph, to where the caller wants it, as far as it has room.
    ///
    /// # Errors
    /// `ENOSPC` where there is more than the caller has room for.
    fn topology(&self, arg: &IoctlArg<'_>, asked: &media_v2_topology) -> Result<media_v2_topology> {
        let graph = self.graph()?;
        let entities = graph.entities();
        let v2_entities = entities.iter().map(|entity| media_v2_entity {
            id: entity.id,
            name: text(&self.name_of(entity.id)),
            function: entity.function,
            ..zeroed()
        });
        let interfaces = entities.iter().filter_map(|entity| {
            let (major, minor) = entity.node?;
            let id = object_id(INTERFACE, entity.id);
            Some(media_v2_interface { id, intf_type: entity.interface, major, minor, ..zeroed() })
        });
        let pads = entities.iter().flat_map(|entity| (0..entity.pads).map(|index| pad(entity.id, index)));
        let pads = pads.map(|pad| media_v2_pad {
            id: pad_id(&pad),
            entity_id: pad.entity,
            flags: pad.flags,
            index: pad.index.into(),
            ..zeroed()
        });
        let data = graph.links().map(|(vin, channel)| media_v2_link {
            source_id: pad_id(&pad(RECEIVER, 1 + channel as u16)),
            sink_id: pad_id(&pad(vin_entity(vin), 0)),
            flags: self.link_flags(vin, channel),
            ..zeroed()
        });
        let to_nodes = entities.iter().filter(|entity| entity.node.is_some()).map(|entity| media_v2_link {
            source_id: object_id(INTERFACE, entity.id),
            sink_id: entity.id,
            flags: MEDIA_LNK_FL_INTERFACE_LINK | MEDIA_LNK_FL_ENABLED | MEDIA_LNK_FL_IMMUTABLE,
            ..zeroed()
        });
        let links = data.chain(to_nodes).zip(1..).map(|(link, n)| media_v2_link { id: object_id(LINK, n), ..link });
        let &media_v2_topology { ptr_entities, ptr_interfaces, ptr_pads, ptr_links, .. } = asked;
        Ok(media_v2_topology {
            topology_version: graph.version,
            num_entities: copy_up_to(arg, ptr_entities, asked.num_entities, v2_entities)?,
            num_interfaces: copy_up_to(arg, ptr_interfaces, asked.num_interfaces, interfaces)?,
            num_pads: copy_up_to(arg, ptr_pads, asked.num_pads, pads)?,
            num_links: copy_up_to(arg, ptr_links, asked.num_links, links)?,
            ptr_entities,
            ptr_interfaces,
            ptr_pads,
            ptr_links,
            ..zeroed()
        })
    }

    /// Enables or disables the link from a channel of the receiver to a VIN.
    fn setup_link(&self, link: &media_link_desc) -> Result {
        // Of the flags, this one may be set or not.
        if link.flags & !MEDIA_LNK_FL_ENABLED != 0 {
            return Err(Errno::EINVAL);
        }
        let channel = u32::from(link.source.index).checked_sub(1).filter(|&channel| channel < CHANNELS);
        let group = self.group.upgrade().ok_or(Errno::ENODEV)?;
        let vin = group.graph().vins.into_iter().find(|&(vin, _)| vin_entity(vin) == link.sink.entity);
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

/// An entity, in the words of both interfaces.
struct Entity {
    id: u32,
    function: u32,
    /// What `MEDIA_IOC_ENUM_ENTITIES` calls the function.
    old_type: u32,
    pads: u16,
    interface: u32,
    /// Major and minor number.
    node: Option<(u32, u32)>,
}

impl Graph {
    fn entities(&self) -> Vec<Entity> {
        let receiver = Entity {
            id: RECEIVER,
            function: MEDIA_ENT_F_VID_IF_BRIDGE,
            old_type: MEDIA_ENT_T_V4L2_SUBDEV,
            pads: 1 + CHANNELS as u16,
            interface: MEDIA_INTF_T_V4L_SUBDEV,
            node: self.receiver,
        };
        let vin = |&(vin, node): &(usize, _)| Entity {
            id: vin_entity(vin),
            function: MEDIA_ENT_F_IO_V4L,
            old_type: MEDIA_ENT_T_DEVNODE_V4L,
            pads: 1,
            interface: MEDIA_INTF_T_V4L_VIDEO,
            node,
        };
        std::iter::once(receiver).chain(self.vins.iter().map(vin)).collect()
    }

    /// All links between pads: the VIN, and the channel of the receiver.
    fn links(&self) -> impl Iterator<Item = (usize, u32)> {
        self.vins.iter().flat_map(|&(vin, _)| (0..CHANNELS).map(move |channel| (vin, channel)))
    }
}

/// The types of objects other than entities, as their numbers begin (`enum media_gobj_type`).
const PAD: u32 = 1;
const LINK: u32 = 2;
const INTERFACE: u32 = 3;

/// `media_gobj_gen_id`.
const fn object_id(type_: u32, number: u32) -> u32 {
    type_ << 24 | number
}

fn pad_id(pad: &media_pad_desc) -> u32 {
    object_id(PAD, pad.entity << 8 | u32::from(pad.index))
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

/// The same for at most `room` of them. Returns how many there are.
fn copy_up_to<T: Uapi>(arg: &IoctlArg<'_>, address: u64, room: u32, values: impl Iterator<Item = T>) -> Result<u32> {
    let values: Vec<T> = values.collect();
    let count = values.len() as u32;
    if address != 0 && count > room {
        return Err(Errno::ENOSPC);
    }
    copy_all(arg, address, values.into_iter())?;
    Ok(count)
}

fn answer<T: Uapi>(arg: &mut IoctlArg<'_>, value: &T) -> Result {
    store(value, arg.data_mut()).ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests;
