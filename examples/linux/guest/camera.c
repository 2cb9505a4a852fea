// SPDX-License-Identifier: GPL-2.0
/*
 * camera TARGET SCENARIO CYCLES [observe]: plays a scenario with a V4L2 capture device, which is taken away meanwhile.
 *
 * Prints one line with the verdict, and exits with 1 if it is FAIL. With `observe` no answer is wrong: it prints what
 * came of the operations that were in flight. Each cycle counts those.
 */
#include "camera.h"
#include "capture.h"

/* With one operation asleep: it is woken with ENODEV. */
static void asleep(int fd, void *(*body)(void *), int number)
{
	double began;
	struct op op;

	start_op(&op, body, number, fd, 0);
	began = now();
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
	woken(&op, began);
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

	drain(fd);
	*memory = 1;
	asleep(fd, dqbuf_thread, SYS_ioctl);
	/* The pages belong to the mapping. */
	check(*memory == 1, "the mapped buffer has changed");
	munmap((void *)memory, length);
}

static void dqevent(void)
{
	struct v4l2_event_subscription changes = { .type = target->event, .id = target->event_id };
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
	double began;
	struct op op;
	void *memory;

	/* A file that has polled and is closed leaves nothing on the driver's queues. */
	check(poll_now(gone, 0) >= 0, "poll: %s", strerror(errno));
	close(gone);
	memory = stream(fd);
	drain(fd);
	check(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl: %s", strerror(errno));
	check(!epoll_wait(epoll, &event, 1, 0), "epoll says that there is a frame");
	start_op(&op, poll_thread, SYS_poll, fd, 0);
	began = now();
	begin_unplug();
	if (!ends(&op, 5)) {
		expect(0, "the poll still sleeps");
		pthread_kill(op.thread, SIGUSR1);
		ends(&op, 2);
	}
	expect((op.answer & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP), "the poll returns 0x%lx", op.answer);
	woken(&op, began);
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

static void *open_thread(void *path)
{
	while (!over) {
		int fd = open(path, O_RDWR);

		if (fd < 0)
			continue;
		opens++;
		get_format(fd);
		close(fd);
	}
	return NULL;
}

static void hammer(void)
{
	char *path = strdup(node("video"));
	pthread_t threads[4];
	double until = now() + 20;
	int fds[2];
	long before = answers, opened = opens;

	over = 0;
	for (int i = 0; i < 2; i++) {
		fds[i] = open_node(0);
		pthread_create(&threads[i], NULL, hammer_thread, &fds[i]);
		pthread_create(&threads[i + 2], NULL, open_thread, path);
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
	free(path);
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
		{ "capture", capture },	  { "restart", restart }, { "subdev", subdev },
		{ "control", control }, { "drain", drain_lasts },
	};
	int cycles = argc > 3 ? atoi(argv[3]) : 1;
	double took;

	scenario = argc > 2 ? argv[2] : "";
	observe = argc > 4;
	for (size_t i = 0; argc > 1 && i < sizeof(targets) / sizeof(*targets); i++)
		if (!strcmp(argv[1], targets[i].name))
			target = &targets[i];
	check(target, "no such target");
	frames("0");
	took = play(all, sizeof(all) / sizeof(*all), cycles);
	if (observe)
		return 0;
	printf("FOPS: PASS %s %s: %d cycles, %d in flight", target->name, scenario, cycles, in_flight);
	if (answers)
		printf(", %ld answers", answers);
	if (opens)
		printf(", %ld opens", opens);
	if (captured)
		printf(", %ld frames", captured);
	if (starts)
		printf(", %ld starts", starts);
	if (longest_wake)
		printf(", woken after %.0f ms at most", longest_wake * 1000);
	printf(", %.1f s\n", took);
	return 0;
}
