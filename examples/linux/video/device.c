// SPDX-License-Identifier: GPL-2.0
/*
 * The guard of a video device, and its unplug.
 *
 * Why it is right: after fops_video_unplug(), nothing touches the video_device.
 *
 * - An operation of an open file runs in a section, or not at all. Unplug waits for sections.
 * - An open runs in the V4L2 core before it comes to our open, and behind it. On its way it has a reference to the
 *   video_device; if it succeeds, the open file keeps that. So unplug waits until each open file is out of the core's
 *   open, has the core release it, and then waits for the last reference.
 * - The core's release callback is ours, and the last that the core does with the video_device.
 * - A poller sleeps on a queue of the open file's, never on the driver's.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <media/v4l2-device.h>

#include "fops_video.h"
#include "video.h"

static int refuse_open(struct file *filp)
{
	return -ENODEV;
}

static int refuse_release(struct file *filp)
{
	return 0;
}

/* For a device whose guard could not be made. */
static const struct v4l2_file_operations refusing = {
	.owner = THIS_MODULE,
	.open = refuse_open,
	.release = refuse_release,
};

static struct video *video_of(struct video_device *vdev)
{
	return vdev->fops && vdev->fops->open == video_open ? container_of(vdev->fops, struct video, ops) : NULL;
}

static void video_free(struct kref *refs)
{
	struct video *video = container_of(refs, struct video, refs);

	video_guard_free(video->guard);
	kfree(video);
}

void video_put(struct video *video)
{
	kref_put(&video->refs, video_free);
}

/* The last reference has gone. Behind the completion, the video_device may be free. */
static void video_device_released(struct video_device *vdev)
{
	struct video *video = video_of(vdev);

	vdev->fops = video->driver;
	vdev->release = video->release;
	vdev->release(vdev);
	complete(&video->released);
}

void fops_video_guard(struct video_device *vdev)
{
	struct video *video = video_of(vdev);

	if (WARN_ON(video))
		return;
	video = kzalloc(sizeof(*video), GFP_KERNEL);
	if (video)
		video->guard = video_guard_new();
	if (!video || !video->guard) {
		kfree(video);
		vdev->fops = &refusing;
		return;
	}
	video->driver = vdev->fops;
	video->ops = *vdev->fops;
	video->ops.open = video_open;
	video->ops.release = video_release;
	video->release = vdev->release;
	kref_init(&video->refs);
	init_completion(&video->released);
	mutex_init(&video->lock);
	INIT_LIST_HEAD(&video->files);
	vdev->fops = &video->ops;
	vdev->release = video_device_released;
}
EXPORT_SYMBOL_GPL(fops_video_guard);

void fops_video_unplug(struct video_device *vdev)
{
	struct video *video = video_of(vdev);
	/* Registered once. If that fails, the V4L2 core takes the minor back. */
	bool known = vdev->dev.release && vdev->minor >= 0;

	if (!video)
		return;
	video_guard_unplug(video->guard, known ? dev_name(&vdev->dev) : "a video device");
	video_unregister_device(vdev);
	video_close_all(video);
	if (known) {
		while (!wait_for_completion_timeout(&video->released, 10 * HZ))
			pr_warn("fops_video: somebody has a reference to a video device that is unplugged\n");
	} else {
		vdev->fops = video->driver;
		vdev->release = video->release;
	}
	video_put(video);
}
EXPORT_SYMBOL_GPL(fops_video_unplug);

MODULE_DESCRIPTION("makes V4L2 drivers safe to unplug");
MODULE_LICENSE("GPL");
