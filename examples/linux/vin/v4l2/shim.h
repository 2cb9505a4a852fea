/* SPDX-License-Identifier: GPL-2.0 */
/* Between V4L2 and Rust: node.c, queue.c and subdev.c here, and the files of the same names in Rust, which declare it again. */
#ifndef V4L2_SHIM_H
#define V4L2_SHIM_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-subdev.h>
#include <media/videobuf2-v4l2.h>

/* A picture: pixels, and bytes. */
struct v4l2_shim_format {
	u32 width, height, stride, size;
};

/* The queue. */

struct v4l2_shim_queue_ops {
	u32 (*frame_size)(void *device);
	int (*start_streaming)(void *device);
	void (*stop_streaming)(void *device);
};

struct v4l2_shim_buffer {
	struct vb2_v4l2_buffer vb;
	struct list_head entry;
};

struct v4l2_shim_queue {
	struct vb2_queue vb2;
	struct mutex lock;
	/* For what follows; interrupts take it, too. */
	spinlock_t buffers_lock;
	struct list_head buffers;
	/* The one that the hardware writes. */
	struct v4l2_shim_buffer *current_one;
	const struct v4l2_shim_queue_ops *ops;
	void *device;
};

struct v4l2_shim_queue *v4l2_shim_queue_new(struct device *parent);
void v4l2_shim_queue_free(struct v4l2_shim_queue *queue);
void v4l2_shim_queue_fail(struct v4l2_shim_queue *queue);
int v4l2_shim_queue_is_busy(struct v4l2_shim_queue *queue);
u64 v4l2_shim_queue_first(struct v4l2_shim_queue *queue);
u64 v4l2_shim_queue_complete(struct v4l2_shim_queue *queue, u32 sequence);

/* The subdev. */

struct v4l2_shim_subdev_ops {
	int (*get_fmt)(void *subdev, struct v4l2_shim_format *format);
	int (*set_fmt)(void *subdev, struct v4l2_shim_format *format);
	void (*release)(void *subdev);
};

struct v4l2_shim_subdev {
	struct v4l2_subdev sd;
	const struct v4l2_shim_subdev_ops *ops;
	void *device;
	/* Of the same node. */
	struct v4l2_shim_subdev *next;
};

/* The node. The core calls `free` when neither the node nor an open file is left. */
struct v4l2_shim_node_ops {
	int (*open)(void *device);
	void (*release)(void *device);
	ssize_t (*read)(void *device, struct file *filp, char __user *buf, size_t len, loff_t *pos);
	u32 (*poll)(void *device, struct file *filp, poll_table *table);
	int (*mmap)(void *device, struct file *filp, struct vm_area_struct *vma);
	long (*ioctl)(void *device, struct file *filp, unsigned int cmd, unsigned long arg);
	int (*try_fmt)(void *device, struct v4l2_shim_format *format);
	int (*get_fmt)(void *device, struct v4l2_shim_format *format);
	int (*set_fmt)(void *device, struct v4l2_shim_format *format);
	int (*set_brightness)(void *device, s32 value);
	void (*free)(void *device);
};

struct v4l2_shim_node {
	struct v4l2_device v4l2_dev;
	struct video_device vdev;
	struct v4l2_ctrl_handler controls;
	const struct v4l2_shim_node_ops *ops;
	void *device;
	struct v4l2_shim_subdev *subdevs;
};

struct v4l2_shim_node *v4l2_shim_node_register(struct device *parent, const char *name,
					       const struct v4l2_shim_node_ops *ops, void *device,
					       struct v4l2_shim_queue *queue,
					       const struct v4l2_shim_queue_ops *queue_ops);
int v4l2_shim_node_add_subdev(struct v4l2_shim_node *node, const char *name, const struct v4l2_shim_subdev_ops *ops,
			      void *subdev);
void v4l2_shim_node_unregister(struct v4l2_shim_node *node);

#endif
