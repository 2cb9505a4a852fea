// SPDX-License-Identifier: GPL-2.0
/* A subdev with a node of its own. */
#include <linux/slab.h>

#include "shim.h"

static struct v4l2_shim_subdev *of(struct v4l2_subdev *sd)
{
	return container_of(sd, struct v4l2_shim_subdev, sd);
}

static void fill(struct v4l2_mbus_framefmt *frame, const struct v4l2_shim_format *format)
{
	memset(frame, 0, sizeof(*frame));
	frame->width = format->width;
	frame->height = format->height;
	frame->code = MEDIA_BUS_FMT_YUYV8_2X8;
	frame->field = V4L2_FIELD_NONE;
	frame->colorspace = V4L2_COLORSPACE_SRGB;
}

static int enum_mbus_code(struct v4l2_subdev *sd, struct v4l2_subdev_state *state,
			  struct v4l2_subdev_mbus_code_enum *code)
{
	if (code->index)
		return -EINVAL;
	code->code = MEDIA_BUS_FMT_YUYV8_2X8;
	return 0;
}

static int get_fmt(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_format *format)
{
	struct v4l2_shim_format is = {};
	int ret = of(sd)->ops->get_fmt(of(sd)->device, &is);

	if (!ret)
		fill(&format->format, &is);
	return ret;
}

static int set_fmt(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_format *format)
{
	struct v4l2_shim_format is = { .width = format->format.width, .height = format->format.height };
	int ret = of(sd)->ops->set_fmt(of(sd)->device, &is);

	if (!ret)
		fill(&format->format, &is);
	return ret;
}

/* The release op: no file of the node is open any more. The core still writes to `sd` after it, so that is freed later. */
static void release(struct v4l2_subdev *sd)
{
	of(sd)->ops->release(of(sd)->device);
}

static const struct v4l2_subdev_pad_ops pad_ops = {
	.enum_mbus_code = enum_mbus_code, .get_fmt = get_fmt, .set_fmt = set_fmt
};
static const struct v4l2_subdev_ops subdev_ops = { .pad = &pad_ops };
static const struct v4l2_subdev_internal_ops internal_ops = { .release = release };

/* From 0 on, the release op gives `subdev` back. */
int v4l2_shim_node_add_subdev(struct v4l2_shim_node *node, const char *name, const struct v4l2_shim_subdev_ops *ops,
			      void *subdev)
{
	struct v4l2_shim_subdev *shim = kzalloc(sizeof(*shim), GFP_KERNEL);
	int ret;

	if (!shim)
		return -ENOMEM;
	shim->ops = ops;
	shim->device = subdev;
	v4l2_subdev_init(&shim->sd, &subdev_ops);
	shim->sd.internal_ops = &internal_ops;
	shim->sd.flags = V4L2_SUBDEV_FL_HAS_DEVNODE;
	shim->sd.dev = node->v4l2_dev.dev;
	strscpy(shim->sd.name, name, sizeof(shim->sd.name));
	ret = v4l2_device_register_subdev(&node->v4l2_dev, &shim->sd);
	if (ret) {
		kfree(shim);
		return ret;
	}
	shim->next = node->subdevs;
	node->subdevs = shim;
	/* Without a node it is of less use. It goes with its device. */
	ret = v4l2_device_register_subdev_nodes(&node->v4l2_dev);
	if (ret)
		v4l2_warn(&node->v4l2_dev, "no node for %s: %d\n", name, ret);
	return 0;
}
