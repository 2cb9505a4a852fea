/* SPDX-License-Identifier: GPL-2.0 */
/* Scenarios for a device that has frames and a subdev. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "camera.h"

#include <linux/v4l2-subdev.h>
#include <sys/klog.h>

static atomic_long captured, starts;

/* A program that captures: DQBUF and QBUF, until the device is gone. */
static void *capture_thread(void *data)
{
	struct op *op = data;
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };
	long last = -1;

	for (;;) {
		if (ioctl(op->fd, VIDIOC_DQBUF, &buffer))
			break;
		check(buffer.sequence > last, "frame %u after %ld", buffer.sequence, last);
		last = buffer.sequence;
		captured++;
		if (ioctl(op->fd, VIDIOC_QBUF, &buffer))
			break;
	}
	op_ends(op, -1);
	return NULL;
}

static void capture(void)
{
	int fd = open_node(0);
	struct op op = { .fd = fd };
	double until = now() + 20, began;
	volatile unsigned int *memory;
	long before = captured;

	frames("1");
	memory = stream(fd);
	pthread_create(&op.thread, NULL, capture_thread, &op);
	while (captured < before + 10) {
		check(now() < until, "only %ld frames", captured);
		pause_ms(5);
	}
	in_flight++;
	began = now();
	begin_unplug();
	check(ends(&op, 5), "the program still captures");
	expect(op.error == ENODEV, "it ends with %s", strerror(op.error));
	woken(&op, began);
	check(end_removal(20), "unplug hangs");
	expect_gone(fd);
	close(fd);
	plug();
	/* The pages belong to the mapping, and nobody writes to them any more. */
	expect(*memory, "no frame in the mapped buffer");
	*memory = 0;
	pause_ms(50);
	check(!*memory, "the mapped buffer is written to after unplug");
	munmap((void *)memory, length);
	frames("0");
}

/* A stream that begins and ends all the time: none may begin behind the stop hook. The board complains if one does. */
static void *restart_thread(void *data)
{
	struct op *op = data;
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_buffer buffer = { .type = type, .memory = V4L2_MEMORY_MMAP };

	for (;;) {
		if (ioctl(op->fd, VIDIOC_STREAMOFF, &type))
			break;
		for (buffer.index = 0; buffer.index < BUFFERS; buffer.index++)
			if (ioctl(op->fd, VIDIOC_QBUF, &buffer))
				goto gone;
		if (ioctl(op->fd, VIDIOC_STREAMON, &type))
			break;
		starts++;
	}
gone:
	op_ends(op, -1);
	return NULL;
}

/* With an unplug so many ms after a start has begun. */
static void restart_at(int ms)
{
	int fd = open_node(0);
	struct op op = { .fd = fd };
	double until = now() + 20;
	long before = starts;
	void *memory;

	memory = stream(fd);
	pthread_create(&op.thread, NULL, restart_thread, &op);
	while (starts < before + 3) {
		check(now() < until, "only %ld starts", starts - before);
		pause_ms(1);
	}
	in_flight++;
	pause_ms(ms);
	unplug();
	check(ends(&op, 5), "streams still begin");
	check(op.error == ENODEV, "they end with %s", strerror(op.error));
	expect_gone(fd);
	munmap(memory, length);
	close(fd);
	plug();
}

static void restart(void)
{
	frames("1");
	/* A start takes 10 ms. */
	for (int ms = 0; ms < 10; ms += 2)
		restart_at(ms);
	frames("0");
}

/* Ioctls that sleep in the driver, between two looks at its registers. */
static void *control_thread(void *data)
{
	struct op *op = data;
	struct v4l2_control control = { .id = V4L2_CID_BRIGHTNESS };

	while (!ioctl(op->fd, VIDIOC_S_CTRL, &control)) {
		control.value = !control.value;
		answers++;
	}
	op_ends(op, -1);
	return NULL;
}

static void control(void)
{
	int fd = open_node(0);
	struct op op = { .fd = fd };
	double until = now() + 20, began;
	long before = answers;

	pthread_create(&op.thread, NULL, control_thread, &op);
	while (answers < before + 5) {
		check(now() < until, "only %ld answers", answers - before);
		pause_ms(1);
	}
	in_flight++;
	began = now();
	unplug();
	check(ends(&op, 5), "the driver still answers");
	expect(op.error == ENODEV, "it ends with %s", strerror(op.error));
	woken(&op, began);
	expect_gone(fd);
	close(fd);
	plug();
}

/* Drains take time: one ioctl is slow. A poller is woken at once nevertheless. */
static void *slow_thread(void *data)
{
	struct op *op = data;
	struct v4l2_control control = { .id = V4L2_CID_BRIGHTNESS, .value = 255 };

	op->tid = syscall(SYS_gettid);
	op_ends(op, ioctl(op->fd, VIDIOC_S_CTRL, &control));
	return NULL;
}

static void drain_lasts(void)
{
	int fd = open_node(0), slow_fd = open_node(0);
	void *memory = stream(fd);
	struct op poller, slow;
	double began;

	start_op(&poller, poll_thread, SYS_poll, fd, 0);
	start_op(&slow, slow_thread, SYS_ioctl, slow_fd, 0);
	began = now();
	begin_unplug();
	check(ends(&poller, 5), "the poll still sleeps");
	check(ends(&slow, 5), "the ioctl still runs");
	check(end_removal(20), "unplug hangs");
	check(poller.answer == GONE, "the poll returns 0x%lx", poller.answer);
	check(poller.ended < slow.ended, "the poll sleeps for as long as the drain lasts");
	check(!slow.answer, "the ioctl ends with %s", strerror(slow.error));
	woken(&poller, began);
	munmap(memory, length);
	close(fd);
	close(slow_fd);
	plug();
}

/* How often the log says that the release op of the subdev has run. */
static int released(void)
{
	static char log[1 << 20];
	int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1), count = 0;

	check(n >= 0, "the log: %s", strerror(errno));
	log[n] = '\0';
	for (char *at = log; (at = strstr(at, "the sensor is released")); at++)
		count++;
	return count;
}

static int subdev_format(int fd)
{
	struct v4l2_subdev_format format = { .which = V4L2_SUBDEV_FORMAT_ACTIVE };

	return ioctl(fd, VIDIOC_SUBDEV_G_FMT, &format) ? -1 : (int)format.format.width;
}

static void *subdev_thread(void *data)
{
	struct op *op = data;

	while (subdev_format(op->fd) > 0)
		answers++;
	op_ends(op, -1);
	return NULL;
}

/* A file of the subdev is used through unplug, and closed last: then its release op runs, once. */
static void subdev(void)
{
	int fd = open_node(0), before = released(), width, after;
	int sensor = open_when_there(node("v4l-subdev"), O_RDWR);
	struct op op = { .fd = sensor };
	double until = now() + 20;
	long answered = answers;

	pthread_create(&op.thread, NULL, subdev_thread, &op);
	while (answers < answered + 20) {
		check(now() < until, "only %ld answers", answers - answered);
		pause_ms(1);
	}
	in_flight++;
	unplug();
	check(ends(&op, 5), "the subdev still answers");
	check(op.error == ENODEV, "the subdev answers %s", strerror(op.error));
	expect_gone(fd);
	close(fd);
	width = subdev_format(sensor);
	check(width < 0 && errno == ENODEV, "the subdev answers %d, %s", width, strerror(errno));
	check(released() == before, "the subdev is released while a file is open");
	close(sensor);
	after = released();
	check(after == before + 1, "the subdev is released %d times", after - before);
	plug();
}

#endif
