// SPDX-License-Identifier: GPL-2.0
/*
 * camera SCENARIO CYCLES [observe]: plays a scenario with a V4L2 capture device, which is taken off its bus meanwhile.
 *
 * Prints one line with the verdict, and exits with 1 if it is FAIL. With `observe` no answer is wrong: it prints what
 * came of the operations that were in flight. Each cycle counts those.
 */
#include "common.h"

#include <linux/videodev2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NODE "/dev/video0"
#define PLUGGED "/sys/module/rcar_vin_board/parameters/plugged"
#define BUFFERS 3
#define GONE (POLLERR | POLLHUP | POLLPRI)

static int observe;
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

static int open_node(int flags)
{
	return open_when_there(NODE, O_RDWR | flags);
}

static void plug(void)
{
	int bad;

	if (observe)
		return;
	bad = put(PLUGGED, "1");
	check(!bad, "plug: %s", strerror(-bad));
}

static void begin_unplug(void)
{
	begin_removal(PLUGGED, "0");
}

static void unplug(void)
{
	begin_unplug();
	check(end_removal(20), "unplug hangs");
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

/* With one operation asleep: it is woken with ENODEV. */
static void asleep(int fd, void *(*body)(void *), int number)
{
	struct op op;

	start_op(&op, body, number, fd, 0);
	begin_unplug();
	if (!ends(&op, 5)) {
		expect(0, "the operation still sleeps");
		pthread_kill(op.thread, SIGUSR1);
		if (!ends(&op, 2)) {
			expect(0, "and a signal does not wake it");
			_exit(1);
		}
	}
	expect(op.error == ENODEV, "the operation returns %ld, %s", op.answer, strerror(op.error));
	check(end_removal(20), "unplug hangs");
	expect_gone(fd);
	close(fd);
	plug();
}

/* A file is held open. */
static void held(void)
{
	int fd = open_node(0);

	check(!query(fd), "QUERYCAP: %s", strerror(errno));
	in_flight++; /* the file */
	unplug();
	expect_gone(fd);
	close(fd);
	plug();
}

static void dqbuf(void)
{
	int fd = open_node(0);
	volatile char *memory = stream(fd);

	*memory = 1;
	asleep(fd, dqbuf_thread, SYS_ioctl);
	/* The pages belong to the mapping. */
	check(*memory == 1, "the mapped buffer has changed");
	munmap((void *)memory, length);
}

static void dqevent(void)
{
	struct v4l2_event_subscription changes = { .type = V4L2_EVENT_SOURCE_CHANGE };
	int fd = open_node(0);

	check(!ioctl(fd, VIDIOC_SUBSCRIBE_EVENT, &changes), "SUBSCRIBE_EVENT: %s", strerror(errno));
	asleep(fd, dqevent_thread, SYS_ioctl);
}

static void blocked_read(void)
{
	asleep(open_node(0), read_thread, SYS_read);
}

/* poll(2) sleeps, and so does an epoll that is told of the file before unplug, and asked after it. */
static void polls(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int gone = open_node(0), fd = open_node(0), epoll = epoll_create1(0), n;
	struct op op;
	void *memory;

	/* A file that has polled and is closed leaves nothing on the driver's queues. */
	check(poll_now(gone, 0) >= 0, "poll: %s", strerror(errno));
	close(gone);
	memory = stream(fd);
	check(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl: %s", strerror(errno));
	check(!epoll_wait(epoll, &event, 1, 0), "epoll says that there is a frame");
	start_op(&op, poll_thread, SYS_poll, fd, 0);
	begin_unplug();
	if (!ends(&op, 5)) {
		expect(0, "the poll still sleeps");
		pthread_kill(op.thread, SIGUSR1);
		ends(&op, 2);
	}
	expect((op.answer & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP), "the poll returns 0x%lx", op.answer);
	check(end_removal(20), "unplug hangs");
	n = epoll_wait(epoll, &event, 1, 1000);
	expect(n == 1 && event.events & EPOLLHUP, "epoll after unplug: %d, 0x%x", n, event.events);
	expect_gone(fd);
	munmap(memory, length);
	close(fd);
	close(epoll);
	plug();
}

/* Two threads call ioctls, and two more open and close. */
static atomic_int over;
static atomic_long answers, opens;

static void *hammer_thread(void *data)
{
	int fd = *(int *)data;

	for (int i = 0; !over; i++) {
		if ((i & 1 ? query(fd) : get_format(fd)) < 0)
			return (void *)(long)errno;
		answers++;
	}
	return NULL;
}

static void *open_thread(void *unused)
{
	while (!over) {
		int fd = open(NODE, O_RDWR);

		if (fd < 0)
			continue;
		opens++;
		get_format(fd);
		close(fd);
	}
	return unused;
}

static void hammer(void)
{
	pthread_t threads[4];
	double until = now() + 20;
	int fds[2];
	long before = answers, opened = opens;

	over = 0;
	for (int i = 0; i < 2; i++) {
		fds[i] = open_node(0);
		pthread_create(&threads[i], NULL, hammer_thread, &fds[i]);
		pthread_create(&threads[i + 2], NULL, open_thread, NULL);
	}
	while (answers < before + 50 || opens < opened + 5) {
		check(now() < until, "the hammer is slow: %ld answers, %ld opens", answers - before, opens - opened);
		pause_ms(5);
	}
	in_flight += 2;
	unplug();
	if (observe)
		pause_ms(100);
	over = 1;
	for (int i = 0; i < 2; i++) {
		void *error;

		pthread_join(threads[i], &error);
		expect((long)error == ENODEV, "the hammer ends with %ld", (long)error);
		pthread_join(threads[i + 2], NULL);
		expect_gone(fds[i]);
		close(fds[i]);
	}
	plug();
}

/* The device comes back, as the same node, while an old file is open. */
static void replug(void)
{
	int old = open_node(0), fresh;
	void *memory = stream(old), *more;

	in_flight++; /* the file, and its stream */
	unplug();
	plug();
	fresh = open_node(0);
	check(!get_format(fresh), "the new device does not work: %s", strerror(errno));
	expect_gone(old);
	more = stream(fresh);
	close(old);
	munmap(memory, length);
	check(!get_format(fresh), "closing the old file harms the new one: %s", strerror(errno));
	check(!poll_now(fresh, 0), "the new device has a frame");
	munmap(more, length);
	close(fresh);
}

/* The file is passed on to another process, which closes it last. */
static void passed(void)
{
	int fd = open_node(0), ready[2], status;
	char byte = 0;
	pid_t child;

	check(!pipe(ready), "pipe: %s", strerror(errno));
	child = fork();
	check(child >= 0, "fork: %s", strerror(errno));
	if (!child) {
		close(ready[1]);
		byte = read(ready[0], &byte, 1); /* until the parent has closed its end */
		expect_gone(fd);
		_exit(0);
	}
	close(ready[0]);
	in_flight++; /* the file */
	close(fd);
	unplug();
	close(ready[1]);
	check(waitpid(child, &status, 0) == child && !status, "the other process ends with 0x%x", status);
	plug();
}

int main(int argc, char **argv)
{
	static const struct play all[] = {
		{ "held", held },	  { "dqbuf", dqbuf },	{ "dqevent", dqevent }, { "read", blocked_read },
		{ "poll", polls },	  { "hammer", hammer }, { "replug", replug },   { "passed", passed },
	};
	int cycles = argc > 2 ? atoi(argv[2]) : 1;
	double took;

	scenario = argc > 1 ? argv[1] : "";
	observe = argc > 3;
	took = play(all, sizeof(all) / sizeof(*all), cycles);
	if (observe)
		return 0;
	printf("FOPS: PASS rcar-vin %s: %d cycles, %d in flight", scenario, cycles, in_flight);
	if (answers)
		printf(", %ld answers, %ld opens", answers, opens);
	printf(", %.1f s\n", took);
	return 0;
}
