// SPDX-License-Identifier: GPL-2.0
/* A video node: what the V4L2 core calls, passed on to Rust. */
#include <linux/module.h>
#include <linux/slab.h>
#include <media/v4l2-event.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-ioctl.h>

#include "shim.h"

#define PIXEL_FORMAT V4L2_PIX_FMT_YUYV
#define SMALLEST 32
#define LARGEST_WIDTH 640
#define LARGEST_HEIGHT 480

static struct v4l2_shim_node *of(struct file *filp)
{
	return video_drvdata(filp);
}

/* File operations. The handle of the file is the shim's matter, before the driver's open and after its release. */

static int node_open(struct file *filp)
{
	struct v4l2_shim_node *node = of(filp);
	int ret = v4l2_fh_open(filp);

	if (ret)
		return ret;
	ret = node->ops->open(node->device);
	if (ret)
		v4l2_fh_release(filp);
	return ret;
}

static int node_release(struct file *filp)
{
	struct v4l2_shim_node *node = of(filp);
	int ret = vb2_fop_release(filp);

	node->ops->release(node->device);
	return ret;
}

static ssize_t node_read(struct file *filp, char __user *buf, size_t len, loff_t *pos)
{
	return of(filp)->ops->read(of(filp)->device, filp, buf, len, pos);
}

static __poll_t node_poll(struct file *filp, poll_table *table)
{
	return (__force __poll_t)of(filp)->ops->poll(of(filp)->device, filp, table);
}

static int node_mmap(struct file *filp, struct vm_area_struct *vma)
{
	return of(filp)->ops->mmap(of(filp)->device, filp, vma);
}

static long node_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return of(filp)->ops->ioctl(of(filp)->device, filp, cmd, arg);
}

static const struct v4l2_file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = node_open,
	.release = node_release,
	.read = node_read,
	.poll = node_poll,
	.mmap = node_mmap,
	.unlocked_ioctl = node_ioctl,
};

/* Ioctls. What videobuf2 and the core can answer, they do. */

static int querycap(struct file *filp, void *unused, struct v4l2_capability *capability)
{
	strscpy(capability->driver, of(filp)->vdev.name, sizeof(capability->driver));
	strscpy(capability->card, of(filp)->vdev.name, sizeof(capability->card));
	return 0;
}

static int enum_fmt(struct file *filp, void *unused, struct v4l2_fmtdesc *format)
{
	if (format->index)
		return -EINVAL;
	format->pixelformat = PIXEL_FORMAT;
	return 0;
}

static int enum_framesizes(struct file *filp, void *unused, struct v4l2_frmsizeenum *sizes)
{
	if (sizes->index || sizes->pixel_format != PIXEL_FORMAT)
		return -EINVAL;
	sizes->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	sizes->stepwise = (struct v4l2_frmsize_stepwise){
		SMALLEST, LARGEST_WIDTH, 2, SMALLEST, LARGEST_HEIGHT, 2
	};
	return 0;
}

static void fill(struct v4l2_pix_format *pix, const struct v4l2_shim_format *format)
{
	memset(pix, 0, sizeof(*pix));
	pix->width = format->width;
	pix->height = format->height;
	pix->pixelformat = PIXEL_FORMAT;
	pix->field = V4L2_FIELD_NONE;
	pix->bytesperline = format->stride;
	pix->sizeimage = format->size;
	pix->colorspace = V4L2_COLORSPACE_SRGB;
}

static int format_ioctl(struct file *filp, struct v4l2_format *format,
			int (*op)(void *device, struct v4l2_shim_format *format))
{
	struct v4l2_shim_format is = { .width = format->fmt.pix.width, .height = format->fmt.pix.height };
	int ret;

	v4l_bound_align_image(&is.width, SMALLEST, LARGEST_WIDTH, 1, &is.height, SMALLEST, LARGEST_HEIGHT, 1, 0);
	ret = op(of(filp)->device, &is);
	if (!ret)
		fill(&format->fmt.pix, &is);
	return ret;
}

static int try_fmt(struct file *filp, void *unused, struct v4l2_format *format)
{
	return format_ioctl(filp, format, of(filp)->ops->try_fmt);
}

static int get_fmt(struct file *filp, void *unused, struct v4l2_format *format)
{
	return format_ioctl(filp, format, of(filp)->ops->get_fmt);
}

static int set_fmt(struct file *filp, void *unused, struct v4l2_format *format)
{
	return format_ioctl(filp, format, of(filp)->ops->set_fmt);
}

static int enum_input(struct file *filp, void *unused, struct v4l2_input *input)
{
	if (input->index)
		return -EINVAL;
	input->type = V4L2_INPUT_TYPE_CAMERA;
	strscpy(input->name, "sensor", sizeof(input->name));
	return 0;
}

static int get_input(struct file *filp, void *unused, unsigned int *input)
{
	*input = 0;
	return 0;
}

static int set_input(struct file *filp, void *unused, unsigned int input)
{
	return input ? -EINVAL : 0;
}

static const struct v4l2_ioctl_ops ioctl_ops = {
	.vidioc_querycap = querycap,
	.vidioc_enum_fmt_vid_cap = enum_fmt,
	.vidioc_enum_framesizes = enum_framesizes,
	.vidioc_try_fmt_vid_cap = try_fmt,
	.vidioc_g_fmt_vid_cap = get_fmt,
	.vidioc_s_fmt_vid_cap = set_fmt,
	.vidioc_enum_input = enum_input,
	.vidioc_g_input = get_input,
	.vidioc_s_input = set_input,
	.vidioc_reqbufs = vb2_ioctl_reqbufs,
	.vidioc_create_bufs = vb2_ioctl_create_bufs,
	.vidioc_prepare_buf = vb2_ioctl_prepare_buf,
	.vidioc_querybuf = vb2_ioctl_querybuf,
	.vidioc_qbuf = vb2_ioctl_qbuf,
	.vidioc_dqbuf = vb2_ioctl_dqbuf,
	.vidioc_expbuf = vb2_ioctl_expbuf,
	.vidioc_streamon = vb2_ioctl_streamon,
	.vidioc_streamoff = vb2_ioctl_streamoff,
	.vidioc_log_status = v4l2_ctrl_log_status,
	.vidioc_subscribe_event = v4l2_ctrl_subscribe_event,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

static int set_control(struct v4l2_ctrl *control)
{
	struct v4l2_shim_node *node = container_of(control->handler, struct v4l2_shim_node, controls);

	return node->ops->set_brightness(node->device, control->val);
}

static const struct v4l2_ctrl_ops control_ops = { .s_ctrl = set_control };

/* What Rust's operations call. */

ssize_t v4l2_shim_read(struct file *filp, char __user *buf, size_t len, loff_t *pos);
ssize_t v4l2_shim_read(struct file *filp, char __user *buf, size_t len, loff_t *pos)
{
	return vb2_fop_read(filp, buf, len, pos);
}

u32 v4l2_shim_poll(struct file *filp, poll_table *table);
u32 v4l2_shim_poll(struct file *filp, poll_table *table)
{
	return (__force u32)vb2_fop_poll(filp, table);
}

int v4l2_shim_mmap(struct file *filp, struct vm_area_struct *vma);
int v4l2_shim_mmap(struct file *filp, struct vm_area_struct *vma)
{
	return vb2_fop_mmap(filp, vma);
}

long v4l2_shim_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);
long v4l2_shim_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return video_ioctl2(filp, cmd, arg);
}

/* Registration. The node is freed when the last file and the last node of its subdevs are closed. */

static void node_free(struct v4l2_device *v4l2_dev)
{
	struct v4l2_shim_node *node = container_of(v4l2_dev, struct v4l2_shim_node, v4l2_dev);
	struct v4l2_shim_subdev *subdev, *next;

	/* Each node of a subdev had a reference to the device. So their release ops have run. */
	for (subdev = node->subdevs; subdev; subdev = next) {
		next = subdev->next;
		kfree(subdev);
	}
	v4l2_ctrl_handler_free(&node->controls);
	node->ops->free(node->device);
	kfree(node);
}

struct v4l2_shim_node *v4l2_shim_node_register(struct device *parent, const char *name,
					       const struct v4l2_shim_node_ops *ops, void *device,
					       struct v4l2_shim_queue *queue,
					       const struct v4l2_shim_queue_ops *queue_ops)
{
	struct v4l2_shim_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	int ret;

	if (!node)
		return ERR_PTR(-ENOMEM);
	node->ops = ops;
	node->device = device;
	ret = v4l2_device_register(parent, &node->v4l2_dev);
	if (ret)
		goto free;
	v4l2_ctrl_handler_init(&node->controls, 1);
	v4l2_ctrl_new_std(&node->controls, &control_ops, V4L2_CID_BRIGHTNESS, 0, 255, 1, 128);
	queue->ops = queue_ops;
	queue->device = device;
	ret = node->controls.error;
	if (ret)
		goto unregister;
	strscpy(node->vdev.name, name, sizeof(node->vdev.name));
	node->vdev.release = video_device_release_empty;
	node->vdev.fops = &file_ops;
	node->vdev.ioctl_ops = &ioctl_ops;
	node->vdev.v4l2_dev = &node->v4l2_dev;
	node->vdev.queue = &queue->vb2;
	node->vdev.ctrl_handler = &node->controls;
	/* No lock of the core's: the driver has its own, and the queue has one. */
	node->vdev.device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_READWRITE;
	video_set_drvdata(&node->vdev, node);
	node->v4l2_dev.release = node_free;
	ret = video_register_device(&node->vdev, VFL_TYPE_VIDEO, -1);
	if (ret)
		goto unregister;
	return node;

unregister:
	v4l2_ctrl_handler_free(&node->controls);
	v4l2_device_unregister(&node->v4l2_dev);
free:
	kfree(node);
	return ERR_PTR(ret);
}

void v4l2_shim_node_unregister(struct v4l2_shim_node *node)
{
	vb2_video_unregister_device(&node->vdev);
	v4l2_device_unregister(&node->v4l2_dev);
	v4l2_device_put(&node->v4l2_dev);
}
