// SPDX-License-Identifier: GPL-2.0
/*
 * An open file of a guarded video device.
 *
 * The V4L2 core opens it, and calls our open instead of the driver's. Ours calls the driver's and gives the file a table of
 * operations of its own, as chrdev_open() does. Those call the core's, in a section.
 */
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "video.h"

static struct video_file *file_of(struct file *filp)
{
	return container_of(filp->f_op, struct video_file, ops);
}

static ssize_t file_read(struct file *filp, char __user *buf, size_t len, loff_t *pos)
{
	return video_guard_read(file_of(filp)->video->guard, file_of(filp), buf, len, pos);
}

static ssize_t file_write(struct file *filp, const char __user *buf, size_t len, loff_t *pos)
{
	return video_guard_write(file_of(filp)->video->guard, file_of(filp), buf, len, pos);
}

static __poll_t file_poll(struct file *filp, poll_table *table)
{
	return (__force __poll_t)video_guard_poll(file_of(filp)->video->guard, file_of(filp), table);
}

static long file_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return video_guard_ioctl(file_of(filp)->video->guard, file_of(filp), cmd, arg);
}

static long file_compat_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return video_guard_compat_ioctl(file_of(filp)->video->guard, file_of(filp), cmd, arg);
}

static int file_mmap(struct file *filp, struct vm_area_struct *vma)
{
	return video_guard_mmap(file_of(filp)->video->guard, file_of(filp), vma);
}

/* What the file has when its own table is gone. The kernel still reads the owner. */
static const struct file_operations closed = { .owner = THIS_MODULE };

static int file_release(struct inode *inode, struct file *filp)
{
	struct video_file *file = file_of(filp);

	video_guard_release(file->video->guard, file);
	/* The module's reference goes with the file. */
	filp->f_op = &closed;
	video_put(file->video);
	kfree(file);
	return 0;
}

/* The V4L2 core has opened the file, all but the driver's part. */
int video_open(struct file *filp)
{
	struct video_file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	int ret;

	if (!file)
		return -ENOMEM;
	file->video = container_of(video_devdata(filp)->fops, struct video, ops);
	file->filp = filp;
	file->core = filp->f_op;
	INIT_LIST_HEAD(&file->entry);
	init_waitqueue_head(&file->wait);
	spin_lock_init(&file->lock);
	file->ops = (struct file_operations){
		.owner = THIS_MODULE,
		.read = file->core->read ? file_read : NULL,
		.write = file->core->write ? file_write : NULL,
		.poll = file->core->poll ? file_poll : NULL,
		.unlocked_ioctl = file->core->unlocked_ioctl ? file_ioctl : NULL,
		.compat_ioctl = file->core->compat_ioctl ? file_compat_ioctl : NULL,
		.mmap = file->core->mmap ? file_mmap : NULL,
		.release = file_release,
	};
	ret = video_guard_open(file->video->guard, file);
	if (ret)
		kfree(file);
	return ret;
}

int video_core_open(struct video_file *file)
{
	int ret = file->video->driver->open(file->filp);

	if (ret)
		return ret;
	kref_get(&file->video->refs);
	mutex_lock(&file->video->lock);
	list_add(&file->entry, &file->video->files);
	mutex_unlock(&file->video->lock);
	/* The file had a reference to the core's module, which ours needs anyhow. */
	__module_get(THIS_MODULE);
	replace_fops(file->filp, &file->ops);
	return 0;
}

/* The V4L2 core calls this from its release. Or from its open, if it finds fault with the driver. */
int video_release(struct file *filp)
{
	struct video_file *file = file_of(filp);
	int ret = file->video->driver->release(filp);

	if (filp->f_mode & FMODE_OPENED)
		return ret;
	mutex_lock(&file->video->lock);
	list_del(&file->entry);
	mutex_unlock(&file->video->lock);
	replace_fops(filp, fops_get(file->core));
	video_put(file->video);
	kfree(file);
	return ret;
}

ssize_t video_core_read(struct video_file *file, char __user *buf, size_t len, loff_t *pos)
{
	return file->core->read(file->filp, buf, len, pos);
}

ssize_t video_core_write(struct video_file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return file->core->write(file->filp, buf, len, pos);
}

long video_core_ioctl(struct video_file *file, unsigned int cmd, unsigned long arg)
{
	return file->core->unlocked_ioctl(file->filp, cmd, arg);
}

long video_core_compat_ioctl(struct video_file *file, unsigned int cmd, unsigned long arg)
{
	return file->core->compat_ioctl(file->filp, cmd, arg);
}

int video_core_mmap(struct video_file *file, struct vm_area_struct *vma)
{
	return file->core->mmap(file->filp, vma);
}

/* Poll. The driver's queues go with the device; epoll would stay on them until the file is closed. */

struct relay_table {
	poll_table table;
	struct video_file *file;
	bool full;
};

static int relay_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct video_file *file = entry->private;

	__wake_up(&file->wait, TASK_NORMAL, 1, key);
	return 0;
}

static void relay_queue(struct file *filp, wait_queue_head_t *head, poll_table *table)
{
	struct relay_table *relays = container_of(table, struct relay_table, table);
	struct video_file *file = relays->file;
	struct video_relay *relay;
	unsigned long flags;
	int i;

	spin_lock_irqsave(&file->lock, flags);
	for (i = 0; i < VIDEO_RELAYS; i++) {
		relay = &file->relays[i];
		if (!relay->head) {
			init_waitqueue_func_entry(&relay->entry, relay_wake);
			relay->entry.private = file;
			relay->head = head;
			add_wait_queue(head, &relay->entry);
		}
		if (relay->head == head)
			break;
	}
	spin_unlock_irqrestore(&file->lock, flags);
	relays->full |= i == VIDEO_RELAYS;
}

u32 video_core_poll(struct video_file *file, poll_table *table)
{
	struct relay_table relays = { .file = file };
	__poll_t events;

	init_poll_funcptr(&relays.table, relay_queue);
	relays.table._key = poll_requested_events(table);
	poll_wait(file->filp, &file->wait, table);
	events = file->core->poll(file->filp, &relays.table);
	if (WARN_ON_ONCE(relays.full))
		events |= EPOLLERR;
	return (__force u32)events;
}

/* With the lock of the files. */
static void close_one(struct video_file *file)
{
	int i;

	list_del_init(&file->entry);
	for (i = 0; i < VIDEO_RELAYS && file->relays[i].head; i++)
		remove_wait_queue(file->relays[i].head, &file->relays[i].entry);
	file->core->release(file_inode(file->filp), file->filp);
}

void video_core_release(struct video_file *file)
{
	struct video *video = file->video;

	mutex_lock(&video->lock);
	if (!list_empty(&file->entry))
		close_one(file);
	mutex_unlock(&video->lock);
}

static bool is_opening(struct video *video)
{
	struct video_file *file;
	bool opening = false;

	mutex_lock(&video->lock);
	list_for_each_entry(file, &video->files, entry)
		opening |= !(READ_ONCE(file->filp->f_mode) & FMODE_OPENED);
	mutex_unlock(&video->lock);
	return opening;
}

/* The core releases all files. No section is open, and none will be. Unregistering has woken the pollers. */
void video_close_all(struct video *video)
{
	struct video_file *file, *next;

	/* An open that has left our part is about to leave the core's. Nobody tells us when. */
	while (is_opening(video))
		usleep_range(500, 1000);
	/* What it has read of the video_device, it has read by now. */
	synchronize_rcu_expedited();
	mutex_lock(&video->lock);
	list_for_each_entry_safe(file, next, &video->files, entry)
		close_one(file);
	mutex_unlock(&video->lock);
}
