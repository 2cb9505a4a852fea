/* SPDX-License-Identifier: GPL-2.0 */
/* What the guest's clients share: verdicts, a removal in a thread of its own, and operations that sleep. */
#ifndef COMMON_H
#define COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *scenario;
/* Operations, and open files, that were there when a removal began. */
static atomic_int in_flight;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void pause_ms(int ms)
{
	usleep(ms * 1000);
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("FOPS: FAIL %s: ", scenario);
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

#define check(condition, ...) do { if (!(condition)) fail(__VA_ARGS__); } while (0)

static int put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY), bad;

	if (fd < 0)
		return -errno;
	bad = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
	close(fd);
	return bad;
}

/* The node appears and goes a little after the call: devtmpfs is a thread. */
static int open_when_there(const char *node, int flags)
{
	double until = now() + 5;
	int fd;

	while ((fd = open(node, flags)) < 0 && errno == ENOENT && now() < until)
		pause_ms(5);
	check(fd >= 0, "open: %s", strerror(errno));
	return fd;
}

/* A removal, in a thread of its own: it may hang where it should not. */
static struct removal {
	const char *file, *text;
	pthread_t thread;
	atomic_int done;
	int bad;
} removal;

static void *removal_thread(void *unused)
{
	removal.bad = put(removal.file, removal.text);
	removal.done = 1;
	return unused;
}

static void begin_removal(const char *file, const char *text)
{
	removal.file = file;
	removal.text = text;
	removal.done = 0;
	pthread_create(&removal.thread, NULL, removal_thread, NULL);
}

/* Whether it was done in time. */
static int end_removal(double seconds)
{
	double until = now() + seconds;

	while (!removal.done && now() < until)
		pause_ms(2);
	if (!removal.done)
		return 0;
	pthread_join(removal.thread, NULL);
	check(!removal.bad, "the removal: %s", strerror(-removal.bad));
	return 1;
}

/* One operation in a thread of its own. */
struct op {
	pthread_t thread;
	int fd, ms;
	atomic_int tid, done;
	long answer;
	int error;
	double ended;
};

static void op_ends(struct op *op, long answer)
{
	op->answer = answer;
	op->error = answer < 0 ? errno : 0;
	op->ended = now();
	op->done = 1;
}

/* Starts the operation, and waits until its thread sleeps in the system call. */
static void start_op(struct op *op, void *(*body)(void *), int number, int fd, int ms)
{
	double until = now() + 20;
	char path[64], text[256];

	*op = (struct op){ .fd = fd, .ms = ms };
	pthread_create(&op->thread, NULL, body, op);
	while (!op->tid)
		pause_ms(1);
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", op->tid);
	for (;;) {
		int file = open(path, O_RDONLY), n = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
		int in;
		unsigned long arg;

		if (file >= 0)
			close(file);
		text[n > 0 ? n : 0] = '\0';
		/* "running" unless it sleeps; then the number of the system call and its arguments. */
		if (sscanf(text, "%d 0x%lx", &in, &arg) == 2 && in == number &&
		    (number == SYS_poll || arg == (unsigned long)fd))
			break;
		check(!op->done, "the operation did not sleep: %ld, %s", op->answer, strerror(op->error));
		check(now() < until, "the operation does not sleep: %s", text);
		pause_ms(1);
	}
	in_flight++;
}

static void finish(struct op *op)
{
	pthread_join(op->thread, NULL);
}

/* Whether it ended in time. */
static int ends(struct op *op, double seconds)
{
	double until = now() + seconds;

	while (!op->done && now() < until)
		pause_ms(1);
	if (op->done)
		finish(op);
	return op->done;
}

struct play {
	const char *name;
	void (*play)(void);
};

static void nothing(int signal)
{
	(void)signal;
}

/* Plays a scenario that often. Nothing in flight is no success. */
static double play(const struct play *all, int count, int cycles)
{
	struct sigaction interrupt = { .sa_handler = nothing };

	sigaction(SIGUSR1, &interrupt, NULL);
	for (int i = 0; i < count; i++) {
		double began = now();

		if (strcmp(all[i].name, scenario))
			continue;
		for (int cycle = 0; cycle < cycles; cycle++) {
			int before = in_flight;

			all[i].play();
			check(in_flight > before, "nothing was in flight in cycle %d", cycle);
		}
		return now() - began;
	}
	fail("no such scenario");
}

#endif
