/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes a V4L2 capture driver safe to unplug while its device node is open.
 *
 * The driver calls fops_video_guard() before video_register_device(), and fops_video_unplug() first in its remove.
 */
#ifndef FOPS_VIDEO_H
#define FOPS_VIDEO_H

struct video_device;

/*
 * Has each file operation of the device node run in a device access section. If memory is short, the node answers ENODEV.
 * vdev->fops and vdev->release must be set, and belong to the guard from here until unplug.
 */
void fops_video_guard(struct video_device *vdev);

/*
 * Ends what goes on with the device node, and returns when nobody uses vdev any more.
 *
 * New operations answer ENODEV, those that sleep are woken, those in flight are waited for. Then the node is unregistered,
 * and each open file is released, as if it had been closed. vdev->release has been called when this returns. Sleeps; the
 * caller must not hold a lock that a file operation takes. A device without guard, or that was unplugged, is left alone.
 */
void fops_video_unplug(struct video_device *vdev);

#endif
