// SPDX-License-Identifier: GPL-2.0
/* videobuf2: the buffers, and the queue's operations. */
#include <linux/slab.h>
#include <media/videobuf2-dma-contig.h>

#include "shim.h"

static int queue_setup(struct vb2_queue *vb2, unsigned int *buffers, unsigned int *planes, unsigned int sizes[],
		       struct device *alloc_devs[])
{
	struct v4l2_shim_queue *queue = vb2_get_drv_priv(vb2);
	u32 size = queue->ops->frame_size(queue->device);

	if (*planes)
		return *planes != 1 || sizes[0] < size ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = size;
	return 0;
}

static int buf_prepare(struct vb2_buffer *vb)
{
	struct v4l2_shim_queue *queue = vb2_get_drv_priv(vb->vb2_queue);
	u32 size = queue->ops->frame_size(queue->device);

	if (vb2_plane_size(vb, 0) < size)
		return -EINVAL;
	vb2_set_plane_payload(vb, 0, size);
	to_vb2_v4l2_buffer(vb)->field = V4L2_FIELD_NONE;
	return 0;
}

static void buf_queue(struct vb2_buffer *vb)
{
	struct v4l2_shim_queue *queue = vb2_get_drv_priv(vb->vb2_queue);
	struct v4l2_shim_buffer *buffer = container_of(to_vb2_v4l2_buffer(vb), struct v4l2_shim_buffer, vb);
	unsigned long flags;

	spin_lock_irqsave(&queue->buffers_lock, flags);
	list_add_tail(&buffer->entry, &queue->buffers);
	spin_unlock_irqrestore(&queue->buffers_lock, flags);
}

/* What the hardware has not filled goes back. */
static void return_buffers(struct v4l2_shim_queue *queue, enum vb2_buffer_state state)
{
	struct v4l2_shim_buffer *buffer, *next;
	unsigned long flags;

	spin_lock_irqsave(&queue->buffers_lock, flags);
	if (queue->current_one)
		vb2_buffer_done(&queue->current_one->vb.vb2_buf, state);
	queue->current_one = NULL;
	list_for_each_entry_safe(buffer, next, &queue->buffers, entry) {
		list_del(&buffer->entry);
		vb2_buffer_done(&buffer->vb.vb2_buf, state);
	}
	spin_unlock_irqrestore(&queue->buffers_lock, flags);
}

static int start_streaming(struct vb2_queue *vb2, unsigned int count)
{
	struct v4l2_shim_queue *queue = vb2_get_drv_priv(vb2);
	int ret = queue->ops->start_streaming(queue->device);

	if (ret)
		return_buffers(queue, VB2_BUF_STATE_QUEUED);
	return ret;
}

static void stop_streaming(struct vb2_queue *vb2)
{
	struct v4l2_shim_queue *queue = vb2_get_drv_priv(vb2);

	queue->ops->stop_streaming(queue->device);
	return_buffers(queue, VB2_BUF_STATE_ERROR);
}

static const struct vb2_ops vb2_ops = {
	.queue_setup = queue_setup,
	.buf_prepare = buf_prepare,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
};

struct v4l2_shim_queue *v4l2_shim_queue_new(struct device *parent)
{
	struct v4l2_shim_queue *queue = kzalloc(sizeof(*queue), GFP_KERNEL);
	int ret;

	if (!queue)
		return ERR_PTR(-ENOMEM);
	mutex_init(&queue->lock);
	spin_lock_init(&queue->buffers_lock);
	INIT_LIST_HEAD(&queue->buffers);
	queue->vb2.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	queue->vb2.io_modes = VB2_MMAP | VB2_DMABUF | VB2_READ;
	queue->vb2.drv_priv = queue;
	queue->vb2.buf_struct_size = sizeof(struct v4l2_shim_buffer);
	queue->vb2.ops = &vb2_ops;
	queue->vb2.mem_ops = &vb2_dma_contig_memops;
	queue->vb2.timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	queue->vb2.min_queued_buffers = 1;
	queue->vb2.lock = &queue->lock;
	queue->vb2.dev = parent;
	ret = vb2_queue_init(&queue->vb2);
	if (ret) {
		v4l2_shim_queue_free(queue);
		return ERR_PTR(ret);
	}
	return queue;
}

void v4l2_shim_queue_free(struct v4l2_shim_queue *queue)
{
	mutex_destroy(&queue->lock);
	kfree(queue);
}

/* Wakes all that wait for a frame, pollers too. Until the stream ends, they get errors. */
void v4l2_shim_queue_fail(struct v4l2_shim_queue *queue)
{
	vb2_queue_error(&queue->vb2);
}

int v4l2_shim_queue_is_busy(struct v4l2_shim_queue *queue)
{
	return vb2_is_busy(&queue->vb2);
}

/* Takes the next buffer for the hardware. With the lock. */
static u64 take(struct v4l2_shim_queue *queue)
{
	struct v4l2_shim_buffer *next = list_first_entry_or_null(&queue->buffers, struct v4l2_shim_buffer, entry);

	if (next) {
		list_del(&next->entry);
		queue->current_one = next;
	}
	if (!queue->current_one)
		return 0;
	return vb2_dma_contig_plane_dma_addr(&queue->current_one->vb.vb2_buf, 0);
}

/* The address of the first frame's buffer, or 0. */
u64 v4l2_shim_queue_first(struct v4l2_shim_queue *queue)
{
	unsigned long flags;
	u64 address;

	spin_lock_irqsave(&queue->buffers_lock, flags);
	address = take(queue);
	spin_unlock_irqrestore(&queue->buffers_lock, flags);
	return address;
}

/* A frame is complete: the address for the next one. That is the same if no other buffer is queued: the frame is lost. */
u64 v4l2_shim_queue_complete(struct v4l2_shim_queue *queue, u32 sequence)
{
	struct v4l2_shim_buffer *buffer;
	unsigned long flags;
	u64 address;

	spin_lock_irqsave(&queue->buffers_lock, flags);
	buffer = list_empty(&queue->buffers) ? NULL : queue->current_one;
	if (buffer) {
		buffer->vb.sequence = sequence;
		buffer->vb.vb2_buf.timestamp = ktime_get_ns();
		vb2_buffer_done(&buffer->vb.vb2_buf, VB2_BUF_STATE_DONE);
	}
	address = queue->current_one ? take(queue) : 0;
	spin_unlock_irqrestore(&queue->buffers_lock, flags);
	return address;
}
