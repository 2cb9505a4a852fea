/* SPDX-License-Identifier: GPL-2.0 */
/* A V4L2 capture device: how it is used, taken away and brought back; operations on it that sleep. */
#ifndef CAMERA_H
#define CAMERA_H

#include "common.h"

#include <dirent.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NODE "/dev/video0"
#define BUFFERS 3
#define GONE (POLLERR | POLLHUP | POLLPRI)

/* A device, and how it goes and comes back. */
struct target {
	const char *name;
	/* Where sysfs has its nodes. They are named anew at each bind, unless the old ones are closed. */
	const char *nodes;
	const char *unplug, *unplug_text, *plug, *plug_text;
	/* Whether frames come: a file that says so. Without one, they do not come at all, or always. */
	const char *frames;
	int always;
	/* An event that it knows, and never sends by itself. */
	unsigned int event, event_id;
};

static const struct target targets[] = {
	{
		"rcar-vin", NULL,
		"/sys/module/rcar_vin_board/parameters/plugged", "0",
		"/sys/module/rcar_vin_board/parameters/plugged", "1",
		NULL, 0, V4L2_EVENT_SOURCE_CHANGE, 0
	},
	{
		"vin", "/sys/bus/platform/devices/vin/video4linux",
		"/sys/bus/platform/drivers/vin/unbind", "vin",
		"/sys/bus/platform/drivers/vin/bind", "vin",
		"/sys/module/vin_board/parameters/frames", 0, V4L2_EVENT_CTRL, V4L2_CID_BRIGHTNESS
	},
	{
		"vivid", "/sys/bus/platform/devices/vivid.0/video4linux",
		"/sys/bus/platform/drivers/vivid/unbind", "vivid.0",
		"/sys/bus/platform/drivers/vivid/bind", "vivid.0",
		NULL, 1, V4L2_EVENT_CTRL, V4L2_CID_BRIGHTNESS
	},
};

static const struct target *target;
static int observe;
/* What came before unplug, in the scenarios that count it. */
static atomic_long answers, opens;
/* Of a buffer, in bytes. */
static size_t length;

/* As check, but what is to be observed is no failure. */
#define expect(condition, ...) do { \
	if (!(condition) && observe) { \
		printf("FOPS: OBSERVED %s: ", scenario); \
		printf(__VA_ARGS__); \
		printf("\n"); \
	} else \
		check(condition, __VA_ARGS__); \
} while (0)

/* The device's node of a kind. */
static const char *node(const char *kind)
{
	static char path[300];
	DIR *nodes = target->nodes ? opendir(target->nodes) : NULL;
	struct dirent *entry;

	if (!nodes)
		return NODE;
	while ((entry = readdir(nodes)))
		if (!strncmp(entry->d_name, kind, strlen(kind)))
			break;
	snprintf(path, sizeof(path), "/dev/%s", entry ? entry->d_name : kind);
	closedir(nodes);
	return path;
}

static int open_node(int flags)
{
	return open_when_there(node("video"), O_RDWR | flags);
}

static void plug(void)
{
	int bad;

	if (observe)
		return;
	bad = put(target->plug, target->plug_text);
	check(!bad, "plug: %s", strerror(-bad));
}

static void begin_unplug(void)
{
	begin_removal(target->unplug, target->unplug_text);
}

static void unplug(void)
{
	begin_unplug();
	check(end_removal(20), "unplug hangs");
}

/* The longest time from the beginning of unplug to the end of an operation that slept, in seconds. */
static double longest_wake;

static void woken(const struct op *op, double began)
{
	double seconds = op->ended - began;

	if (seconds > longest_wake)
		longest_wake = seconds;
	if (observe && op->answer < 0)
		printf("FOPS: ANSWER %s %s: %s after %.0f ms\n", target->name, scenario, strerror(op->error), seconds * 1000);
	else if (observe)
		printf("FOPS: ANSWER %s %s: 0x%lx after %.0f ms\n", target->name, scenario, op->answer, seconds * 1000);
}

static int query(int fd)
{
	struct v4l2_capability capability;

	return ioctl(fd, VIDIOC_QUERYCAP, &capability);
}

static int get_format(int fd)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };

	return ioctl(fd, VIDIOC_G_FMT, &format);
}

/* Whether the device has frames. Without them, who waits for one sleeps. */
static void frames(const char *come)
{
	int bad = target->frames ? put(target->frames, come) : 0;

	check(!bad, "frames: %s", strerror(-bad));
}

static void *stream(int fd)
{
	struct v4l2_requestbuffers request = {
		.count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP
	};
	struct v4l2_buffer buffer = { .type = request.type, .memory = request.memory };
	int type = request.type;
	void *first = NULL;

	check(!ioctl(fd, VIDIOC_REQBUFS, &request), "REQBUFS: %s", strerror(errno));
	for (buffer.index = 0; buffer.index < request.count; buffer.index++) {
		check(!ioctl(fd, VIDIOC_QUERYBUF, &buffer), "QUERYBUF: %s", strerror(errno));
		length = buffer.length;
		if (!buffer.index)
			first = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, buffer.m.offset);
		check(first != MAP_FAILED, "mmap: %s", strerror(errno));
		check(!ioctl(fd, VIDIOC_QBUF, &buffer), "QBUF: %s", strerror(errno));
	}
	check(!ioctl(fd, VIDIOC_STREAMON, &type), "STREAMON: %s", strerror(errno));
	return first;
}

/* Takes all frames, so that none comes any more. */
static void drain(int fd)
{
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };

	for (int i = 0; target->always && i < BUFFERS; i++)
		check(!ioctl(fd, VIDIOC_DQBUF, &buffer), "DQBUF: %s", strerror(errno));
}

static int poll_now(int fd, int ms)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN | POLLPRI };

	return poll(&poller, 1, ms) < 0 ? -1 : poller.revents;
}

static void expect_gone(int fd)
{
	char byte;
	int n;

	n = query(fd);
	expect(n < 0 && errno == ENODEV, "QUERYCAP after unplug returns %d, %s", n, strerror(errno));
	n = get_format(fd);
	expect(n < 0 && errno == ENODEV, "G_FMT after unplug returns %d, %s", n, strerror(errno));
	n = read(fd, &byte, 1);
	expect(n < 0 && errno == ENODEV, "read after unplug returns %d, %s", n, strerror(errno));
	n = poll_now(fd, 0);
	expect(n == GONE, "poll after unplug returns 0x%x", n);
	expect(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV,
	       "mmap after unplug: %s", strerror(errno));
}

static void *dqbuf_thread(void *data)
{
	struct op *op = data;
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };

	op->tid = syscall(SYS_gettid);
	op_ends(op, ioctl(op->fd, VIDIOC_DQBUF, &buffer));
	return NULL;
}

static void *dqevent_thread(void *data)
{
	struct op *op = data;
	struct v4l2_event event;

	op->tid = syscall(SYS_gettid);
	op_ends(op, ioctl(op->fd, VIDIOC_DQEVENT, &event));
	return NULL;
}

static void *read_thread(void *data)
{
	static char frame[1 << 20];
	struct op *op = data;

	op->tid = syscall(SYS_gettid);
	op_ends(op, read(op->fd, frame, sizeof(frame)));
	return NULL;
}

static void *poll_thread(void *data)
{
	struct op *op = data;

	op->tid = syscall(SYS_gettid);
	op_ends(op, poll_now(op->fd, 60000));
	return NULL;
}

#endif
