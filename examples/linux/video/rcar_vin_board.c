// SPDX-License-Identifier: GPL-2.0
/*
 * A fake board for the driver rcar-vin: a VIN of the second generation, with a parallel camera.
 *
 * The driver matches a device tree node, so there is one, made by hand. Its graph comes from software nodes. The registers
 * are memory that the kernel was told to leave alone, and the interrupt is one that never comes: so no frame does, either.
 *
 * "0" written to the parameter `plugged` takes the VIN off the bus, "1" brings it back. The driver forbids unbind through
 * sysfs; this is what the removal of an overlay would do.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <media/v4l2-async.h>
#include <media/v4l2-subdev.h>

/* With the kernel's argument memmap=0x10000$0x30000000. */
#define REGISTERS 0x30000000
#define INTERRUPT 5
/* V4L2_FWNODE_BUS_TYPE_PARALLEL. */
#define PARALLEL 5

/* The device tree node of the VIN. */

static char compatible[] = "renesas,rcar-gen2-vin";
static struct property compatible_property = {
	.name = "compatible",
	.length = sizeof(compatible),
	.value = compatible,
};
static struct device_node vin_node = {
	.name = "vin",
	.full_name = "vin@0",
	.properties = &compatible_property,
};

static void nothing_to_free(struct kobject *kobj)
{
}

static const struct kobj_type node_type = { .release = nothing_to_free };

/* The graph: the VIN's endpoint and the camera's point to each other. */

static const struct software_node vin_endpoint, camera_endpoint;

static const struct software_node_ref_args to_camera[] = { SOFTWARE_NODE_REFERENCE(&camera_endpoint) };
static const struct software_node_ref_args to_vin[] = { SOFTWARE_NODE_REFERENCE(&vin_endpoint) };

static const struct property_entry port_properties[] = { PROPERTY_ENTRY_U32("reg", 0), {} };
static const struct property_entry vin_properties[] = {
	PROPERTY_ENTRY_U32("reg", 0),
	PROPERTY_ENTRY_U32("bus-type", PARALLEL),
	PROPERTY_ENTRY_U32("bus-width", 8),
	PROPERTY_ENTRY_U32("hsync-active", 1),
	PROPERTY_ENTRY_U32("vsync-active", 1),
	PROPERTY_ENTRY_REF_ARRAY("remote-endpoint", to_camera),
	{}
};
static const struct property_entry camera_properties[] = {
	PROPERTY_ENTRY_U32("reg", 0),
	PROPERTY_ENTRY_REF_ARRAY("remote-endpoint", to_vin),
	{}
};

static const struct software_node vin_software = { .name = "fake-vin" };
static const struct software_node camera_software = { .name = "fake-camera" };
static const struct software_node vin_port = {
	.name = "port@0", .parent = &vin_software, .properties = port_properties
};
static const struct software_node camera_port = {
	.name = "port@0", .parent = &camera_software, .properties = port_properties
};
static const struct software_node vin_endpoint = {
	.name = "endpoint@0", .parent = &vin_port, .properties = vin_properties
};
static const struct software_node camera_endpoint = {
	.name = "endpoint@0", .parent = &camera_port, .properties = camera_properties
};
static const struct software_node *const nodes[] = {
	&vin_software, &camera_software, &vin_port, &camera_port, &vin_endpoint, &camera_endpoint, NULL
};

/* The camera. It stays for as long as the module does. */

static int stream(struct v4l2_subdev *sd, int on)
{
	return 0;
}

static int no_standards(struct v4l2_subdev *sd, v4l2_std_id *standards)
{
	*standards = V4L2_STD_UNKNOWN;
	return 0;
}

static int enum_code(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_mbus_code_enum *code)
{
	if (code->index)
		return -EINVAL;
	code->code = MEDIA_BUS_FMT_UYVY8_2X8;
	return 0;
}

static int the_format(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_format *format)
{
	format->format.width = 640;
	format->format.height = 480;
	format->format.code = MEDIA_BUS_FMT_UYVY8_2X8;
	format->format.field = V4L2_FIELD_NONE;
	format->format.colorspace = V4L2_COLORSPACE_SRGB;
	return 0;
}

static const struct v4l2_subdev_video_ops camera_video_ops = { .s_stream = stream, .g_tvnorms = no_standards };
static const struct v4l2_subdev_pad_ops camera_pad_ops = {
	.enum_mbus_code = enum_code,
	.get_fmt = the_format,
	.set_fmt = the_format,
};
static const struct v4l2_subdev_ops camera_ops = { .video = &camera_video_ops, .pad = &camera_pad_ops };

static struct platform_device *camera_device, *vin_device;
static struct v4l2_subdev camera;
static struct media_pad camera_pad;

static int register_camera(void)
{
	int ret;

	camera_device = platform_device_register_simple("fake-camera", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(camera_device))
		return PTR_ERR(camera_device);
	v4l2_subdev_init(&camera, &camera_ops);
	camera.owner = THIS_MODULE;
	camera.dev = &camera_device->dev;
	camera.fwnode = software_node_fwnode(&camera_software);
	strscpy(camera.name, "fake-camera", sizeof(camera.name));
	camera.entity.function = MEDIA_ENT_F_CAM_SENSOR;
	camera_pad.flags = MEDIA_PAD_FL_SOURCE;
	ret = media_entity_pads_init(&camera.entity, 1, &camera_pad);
	if (!ret)
		ret = v4l2_async_register_subdev(&camera);
	if (ret)
		platform_device_unregister(camera_device);
	return ret;
}

/* The VIN. */

static int plug(void)
{
	const struct resource resources[] = { DEFINE_RES_MEM(REGISTERS, 0x1000), DEFINE_RES_IRQ(INTERRUPT) };
	struct platform_device *device = platform_device_alloc("fake-vin", PLATFORM_DEVID_NONE);
	int ret;

	if (!device)
		return -ENOMEM;
	ret = platform_device_add_resources(device, resources, ARRAY_SIZE(resources));
	/* The match looks at the node, the graph is found by its secondary. */
	device->dev.of_node = of_node_get(&vin_node);
	device->dev.fwnode = &vin_node.fwnode;
	/* The driver core takes the secondary back with the device, and its reference. */
	vin_node.fwnode.secondary = fwnode_handle_get(software_node_fwnode(&vin_software));
	device->dev.coherent_dma_mask = DMA_BIT_MASK(32);
	device->platform_dma_mask = DMA_BIT_MASK(32);
	device->dev.dma_mask = &device->platform_dma_mask;
	if (!ret)
		ret = platform_device_add(device);
	if (ret) {
		platform_device_put(device);
		return ret;
	}
	vin_device = device;
	return 0;
}

static void unplug(void)
{
	platform_device_unregister(vin_device);
	vin_device = NULL;
}

static int set_plugged(const char *value, const struct kernel_param *param)
{
	bool plugged;
	int ret = kstrtobool(value, &plugged);

	if (ret)
		return ret;
	if (plugged && !vin_device)
		return plug();
	if (!plugged && vin_device)
		unplug();
	return 0;
}

static const struct kernel_param_ops plugged_ops = { .set = set_plugged };
module_param_cb(plugged, &plugged_ops, NULL, 0200);

static int __init board_init(void)
{
	int ret;

	kobject_init(&vin_node.kobj, (struct kobj_type *)&node_type);
	fwnode_init(&vin_node.fwnode, &of_fwnode_ops);
	ret = software_node_register_node_group(nodes);
	if (ret)
		return ret;
	if (!of_root)
		return -ENODEV;
	/* The driver counts the nodes of its kind in the tree. Nobody else looks at this one. */
	vin_node.parent = of_root;
	vin_node.sibling = of_root->child;
	of_root->child = &vin_node;
	ret = register_camera();
	if (!ret)
		ret = plug();
	return ret;
}

module_init(board_init);
MODULE_DESCRIPTION("a board with a VIN and a camera, neither of which is there");
MODULE_LICENSE("GPL");
