/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of fops_video.ko share: device.c, file.c and video_ops.rs. */
#ifndef VIDEO_H
#define VIDEO_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <media/v4l2-dev.h>

/* A guarded video device. Unplug has a reference, and so has each open file. */
struct video {
	/* What the V4L2 core calls: the driver's, with an open and a release of ours. */
	struct v4l2_file_operations ops;
	const struct v4l2_file_operations *driver;
	void (*release)(struct video_device *vdev);
	/* The Rust side, with the lifetime. */
	void *guard;
	struct kref refs;
	/* Completes when the last reference to the video_device has gone. */
	struct completion released;
	/* The files that the V4L2 core has open. */
	struct mutex lock;
	struct list_head files;
};

/* Wakes our pollers when a queue of the driver's is woken. */
struct video_relay {
	struct wait_queue_entry entry;
	wait_queue_head_t *head;
};

/* More queues than any V4L2 poll waits for. */
#define VIDEO_RELAYS 4

/* An open file. It outlives the device: then it answers by itself. */
struct video_file {
	/* This file's alone, so it leads from the file to here. */
	struct file_operations ops;
	/* The V4L2 core's. */
	const struct file_operations *core;
	struct file *filp;
	struct video *video;
	/* In video->files until the core has released the file. */
	struct list_head entry;
	/* The only queue that a poller sleeps on. */
	wait_queue_head_t wait;
	/* For the relays. */
	spinlock_t lock;
	struct video_relay relays[VIDEO_RELAYS];
};

void video_put(struct video *video);
int video_open(struct file *filp);
int video_release(struct file *filp);
void video_close_all(struct video *video);

/* video_ops.rs: the operations. Each opens a section, and calls the core's below in it. */
void *video_guard_new(void);
void video_guard_free(void *guard);
void video_guard_unplug(void *guard, const char *name);
int video_guard_open(void *guard, struct video_file *file);
ssize_t video_guard_read(void *guard, struct video_file *file, char __user *buf, size_t len, loff_t *pos);
ssize_t video_guard_write(void *guard, struct video_file *file, const char __user *buf, size_t len, loff_t *pos);
u32 video_guard_poll(void *guard, struct video_file *file, poll_table *table);
long video_guard_ioctl(void *guard, struct video_file *file, unsigned int cmd, unsigned long arg);
long video_guard_compat_ioctl(void *guard, struct video_file *file, unsigned int cmd, unsigned long arg);
int video_guard_mmap(void *guard, struct video_file *file, struct vm_area_struct *vma);
void video_guard_release(void *guard, struct video_file *file);

/* The driver's open, and the V4L2 core's operations. */
int video_core_open(struct video_file *file);
ssize_t video_core_read(struct video_file *file, char __user *buf, size_t len, loff_t *pos);
ssize_t video_core_write(struct video_file *file, const char __user *buf, size_t len, loff_t *pos);
u32 video_core_poll(struct video_file *file, poll_table *table);
long video_core_ioctl(struct video_file *file, unsigned int cmd, unsigned long arg);
long video_core_compat_ioctl(struct video_file *file, unsigned int cmd, unsigned long arg);
int video_core_mmap(struct video_file *file, struct vm_area_struct *vma);
/* At most once for each file, whoever is first. */
void video_core_release(struct video_file *file);

#endif
