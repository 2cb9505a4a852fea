// SPDX-License-Identifier: GPL-2.0
/*
 * client SCENARIO CYCLES: plays a scenario with /dev/thermometer and unbinds its driver meanwhile.
 *
 * Prints one line with the verdict, and exits with 1 if it is FAIL. Each cycle counts the operations that were in flight
 * when unbind began.
 */
#include "common.h"

#include "../thermometer.h"

#define NODE "/dev/thermometer"
#define DRIVER "/sys/bus/platform/drivers/thermometer/"
#define ROOM 21
/* Readers, and as many ioctls: more than the slots of one block and CPU. */
#define CROWD 24

static int open_node(void)
{
	return open_when_there(NODE, O_RDWR);
}

static void bind_driver(void)
{
	int bad = put(DRIVER "bind", "thermometer");

	check(!bad, "bind: %s", strerror(-bad));
}

static void begin_unbind(void)
{
	begin_removal(DRIVER "unbind", "thermometer");
}

static void unbind_driver(void)
{
	begin_unbind();
	check(end_removal(5), "unbind hangs");
}

static void *read_thread(void *data)
{
	struct op *op = data;
	unsigned int value = 0;
	ssize_t n;

	op->tid = syscall(SYS_gettid);
	n = read(op->fd, &value, sizeof(value));
	op_ends(op, n < 0 ? -1 : (long)value);
	return NULL;
}

static void *slow_thread(void *data)
{
	struct op *op = data;

	op->tid = syscall(SYS_gettid);
	op_ends(op, ioctl(op->fd, THERMOMETER_SLOW, op->ms));
	return NULL;
}

static void start(struct op *op, void *(*body)(void *), int fd, int ms)
{
	start_op(op, body, body == read_thread ? SYS_read : SYS_ioctl, fd, ms);
}

static void expect_gone(int fd)
{
	unsigned int value = 1;
	long n;

	n = ioctl(fd, THERMOMETER_GET);
	check(n < 0 && errno == ENODEV, "ioctl after unbind returns %ld", n);
	n = read(fd, &value, sizeof(value));
	check(n < 0 && errno == ENODEV, "read after unbind returns %ld", n);
	n = write(fd, &value, sizeof(value));
	check(n < 0 && errno == ENODEV, "write after unbind returns %ld", n);
}

/* A number that /proc says of an open file, or -1. `unplugged` is whether it says so. */
static long fdinfo(int fd, const char *key, int *unplugged)
{
	char path[64], line[128];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	check(file, "%s: %s", path, strerror(errno));
	*unplugged = 0;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ":%ld", &value);
		*unplugged |= !strcmp(line, "temperature:\tunplugged\n");
	}
	fclose(file);
	return value;
}

/* A file is held open across unbind. */
static void held(void)
{
	int fd = open_node(), unplugged;

	check(ioctl(fd, THERMOMETER_GET) == ROOM, "ioctl: %s", strerror(errno));
	check(ioctl(fd, _IO('T', 99)) < 0 && errno == ENOTTY, "an unknown ioctl: %s", strerror(errno));
	in_flight++; /* the file */
	unbind_driver();
	expect_gone(fd);
	fdinfo(fd, "released", &unplugged);
	check(unplugged, "fdinfo does not say that the device is gone");
	check(open(NODE, O_RDWR) < 0, "open after unbind works");
	check(errno == ENOENT || errno == ENODEV || errno == ENXIO, "open after unbind: %s", strerror(errno));
	close(fd);
	bind_driver();
}

/* A read sleeps when unbind begins. */
static void blocked_read(void)
{
	struct op op;
	int fd = open_node();

	start(&op, read_thread, fd, 0);
	begin_unbind();
	if (!end_removal(3)) {
		pthread_kill(op.thread, SIGUSR1);
		finish(&op);
		end_removal(5);
		fail("unbind hangs until the client gives up");
	}
	if (!ends(&op, 1)) {
		pthread_kill(op.thread, SIGUSR1);
		finish(&op);
		fail("nobody wakes the reader");
	}
	check(op.error == ENODEV, "the read returns %ld, %s", op.answer, strerror(op.error));
	close(fd);
	bind_driver();
}

/* More operations are in flight than a block of slots has: all are named, all sleepers are woken. */
static void crowd(void)
{
	static struct op readers[CROWD], slow[CROWD];
	int fd = open_node(), log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), named = 0, unnamed = 0;
	char line[1024];
	ssize_t n;

	check(log >= 0, "/dev/kmsg: %s", strerror(errno));
	lseek(log, 0, SEEK_END);
	for (int i = 0; i < CROWD; i++)
		start(&readers[i], read_thread, fd, 0);
	for (int i = 0; i < CROWD; i++)
		start(&slow[i], slow_thread, fd, 2500);
	begin_unbind();
	for (int i = 0; i < CROWD; i++) {
		finish(&readers[i]);
		check(readers[i].error == ENODEV, "a read returns %ld, %s", readers[i].answer, strerror(readers[i].error));
		check(!slow[i].done, "the readers are woken late");
	}
	check(end_removal(10), "unbind hangs");
	for (int i = 0; i < CROWD; i++) {
		finish(&slow[i]);
		check(slow[i].answer == ROOM, "an ioctl returns %ld, %s", slow[i].answer, strerror(slow[i].error));
	}
	while ((n = read(log, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = '\0';
		named += !!strstr(line, "unplug of thermometer waits for Thermometer::ioctl (");
		unnamed += !!strstr(line, "more sections");
	}
	check(named == CROWD && !unnamed, "the kernel log names %d of %d ioctls", named, CROWD);
	close(log);
	close(fd);
	bind_driver();
}

/* An ioctl is in flight when unbind begins, and takes longer than unbind waits in silence. */
static void slow_ioctl(void)
{
	struct op op;
	int fd = open_node(), log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), named = 0;
	char line[1024], task[32];
	double ended;
	ssize_t n;

	check(log >= 0, "/dev/kmsg: %s", strerror(errno));
	lseek(log, 0, SEEK_END);
	start(&op, slow_thread, fd, 1500);
	snprintf(task, sizeof(task), "thread %d \"", op.tid);
	begin_unbind();
	check(end_removal(10), "unbind hangs");
	ended = now();
	finish(&op);
	check(op.answer >= 0, "the ioctl fails: %s", strerror(op.error));
	check(op.answer == ROOM, "the ioctl reads 0x%lx of hardware that is gone", op.answer);
	check(op.ended <= ended + 0.05, "unbind does not wait for the ioctl");
	while ((n = read(log, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = '\0';
		named |= strstr(line, "unplug of thermometer waits for Thermometer::ioctl (") &&
			 strstr(line, "thermometer_main.rs:") && strstr(line, task);
	}
	check(named, "the kernel log does not name the ioctl");
	close(log);
	close(fd);
	bind_driver();
}

/* Files are closed after unbind, each of them once. */
static void released(void)
{
	int first = open_node(), second = open_node(), copy = dup(first), unplugged;

	check(fdinfo(second, "temperature", &unplugged) == ROOM, "fdinfo does not say the temperature");
	in_flight++; /* the files */
	unbind_driver();
	check(fdinfo(second, "released", &unplugged) == 0, "a file is released while it is open");
	close(first);
	check(fdinfo(second, "released", &unplugged) == 0, "a file is released while a copy is open");
	close(copy);
	check(fdinfo(second, "released", &unplugged) == 1, "the last close does not release the file once");
	close(second);
	bind_driver();
}

/* The device comes back while an old file is open. */
static void rebind(void)
{
	struct op op;
	unsigned int alarm_at = 30;
	int old = open_node(), fresh;

	in_flight++; /* the file */
	unbind_driver();
	bind_driver();
	fresh = open_node();
	check(ioctl(fresh, THERMOMETER_GET) == ROOM, "the new device does not work: %s", strerror(errno));
	expect_gone(old);
	check(write(fresh, &alarm_at, sizeof(alarm_at)) == sizeof(alarm_at), "write: %s", strerror(errno));
	start(&op, read_thread, fresh, 0);
	in_flight--; /* no unbind here */
	check(ioctl(fresh, THERMOMETER_HEAT, 35) == 35, "heat: %s", strerror(errno));
	check(ends(&op, 1), "the alarm does not wake the reader");
	check(op.answer == 35, "the read returns %ld, %s", op.answer, strerror(op.error));
	close(old);
	check(ioctl(fresh, THERMOMETER_GET) == 35, "closing the old file harms the new one");
	close(fresh);
	unbind_driver();
	bind_driver();
}

/* Two threads hammer on the device. */
static atomic_int inside, bad_values;
static atomic_long answers;

static void *hammer_thread(void *data)
{
	int fd = *(int *)data;

	for (int i = 0;; i++) {
		int ms = i % 4 ? 0 : 2;
		long value;

		inside += !!ms;
		value = ms ? ioctl(fd, THERMOMETER_SLOW, ms) : ioctl(fd, THERMOMETER_GET);
		inside -= !!ms;
		if (value < 0)
			return (void *)(long)errno;
		answers++;
		if (value != ROOM)
			bad_values++;
	}
}

static void hammer(void)
{
	pthread_t threads[2];
	int fds[2];
	double until = now() + 5;

	for (int i = 0; i < 2; i++) {
		fds[i] = open_node();
		pthread_create(&threads[i], NULL, hammer_thread, &fds[i]);
	}
	pause_ms(20);
	while (!inside)
		check(now() < until, "no ioctl is ever in flight");
	in_flight++;
	unbind_driver();
	for (int i = 0; i < 2; i++) {
		void *error;

		pthread_join(threads[i], &error);
		check((long)error == ENODEV, "the hammer ends with %s", strerror((long)error));
		close(fds[i]);
	}
	check(!bad_values, "%d ioctls read hardware that is gone", bad_values);
	bind_driver();
}

/* The module cannot go while a file is open, unbound or not; then it can. */
static void unload(void)
{
	int fd = open_node(), module;

	in_flight++; /* the file */
	check(syscall(SYS_delete_module, "thermometer", O_NONBLOCK) < 0, "the module goes under an open file");
	check(errno == EWOULDBLOCK || errno == EBUSY, "unload: %s", strerror(errno));
	unbind_driver();
	check(syscall(SYS_delete_module, "thermometer", O_NONBLOCK) < 0, "the module goes under a file of a gone device");
	close(fd);
	check(!syscall(SYS_delete_module, "thermometer", O_NONBLOCK), "unload: %s", strerror(errno));
	module = open("/thermometer.ko", O_RDONLY | O_CLOEXEC);
	check(module >= 0, "/thermometer.ko: %s", strerror(errno));
	check(!syscall(SYS_finit_module, module, "", 0), "load: %s", strerror(errno));
	close(module);
}

/* What an ioctl costs from outside, in instructions, where the time stamp counter counts those. */
static void costs(void)
{
	enum { MANY = 100 };
	unsigned long long best = -1;
	int fd = open_node(), i, n;

	in_flight++;
	for (i = 0; i < 50; i++) {
		unsigned long long began = __builtin_ia32_rdtsc(), took;

		for (n = 0; n < MANY; n++)
			check(ioctl(fd, THERMOMETER_GET) == ROOM, "ioctl: %s", strerror(errno));
		took = __builtin_ia32_rdtsc() - began;
		if (took < best)
			best = took;
	}
	close(fd);
	printf("costs: %llu.%02llu\n", best / MANY, best % MANY * 100 / MANY);
}

int main(int argc, char **argv)
{
	static const struct play all[] = {
		{ "held", held },     { "read", blocked_read }, { "ioctl", slow_ioctl },
		{ "crowd", crowd },   { "release", released },  { "rebind", rebind },
		{ "hammer", hammer }, { "unload", unload },     { "costs", costs },
	};
	int cycles = argc > 2 ? atoi(argv[2]) : 1;
	double took;

	scenario = argc > 1 ? argv[1] : "";
	took = play(all, sizeof(all) / sizeof(*all), cycles);
	printf("FOPS: PASS %s: %d cycles, %d in flight", scenario, cycles, in_flight);
	if (answers)
		printf(", %ld answers", answers);
	printf(", %.1f s\n", took);
	return 0;
}
