/* liburcu's read side, with a look at a flag. Reads "<threads> <pairs>", writes "<nanoseconds of a pair> <undisturbed>". */
#define _GNU_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#define _LGPL_SOURCE
#define URCU_API_MAP
#include FLAVOUR
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

static volatile char unplugged;
static pthread_barrier_t start;
static unsigned long pairs;
struct lap { int cpu; double wall, nanos; };

static double now(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void *lap(void *argument)
{
	struct lap *lap = argument;
	double wall, nanos;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(lap->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	rcu_register_thread();
	pthread_barrier_wait(&start);
	wall = now(CLOCK_MONOTONIC);
	nanos = now(CLOCK_THREAD_CPUTIME_ID);
#pragma GCC unroll 8
	for (unsigned long pair = 0; pair < pairs; pair++) {
		rcu_read_lock();
		if (__builtin_expect(unplugged, 0))
			break;
		__asm__ volatile("" ::: "memory");
		rcu_read_unlock();
	}
	lap->nanos = now(CLOCK_THREAD_CPUTIME_ID) - nanos;
	lap->wall = now(CLOCK_MONOTONIC) - wall;
	rcu_unregister_thread();
	return NULL;
}

int main(void)
{
	int threads;

	while (scanf("%d %lu", &threads, &pairs) == 2 && threads >= 1 && threads <= 64) {
		pthread_t handles[64];
		struct lap laps[64];
		double nanos = 0;
		int undisturbed = 1;

		pthread_barrier_init(&start, NULL, threads);
		for (int i = 0; i < threads; i++) {
			laps[i].cpu = i;
			if (pthread_create(&handles[i], NULL, lap, &laps[i]))
				return 1;
		}
		for (int i = 0; i < threads; i++) {
			pthread_join(handles[i], NULL);
			nanos += laps[i].nanos / pairs / threads;
			undisturbed &= laps[i].wall < laps[i].nanos * 1.05;
		}
		printf("%f %d\n", nanos, undisturbed);
		fflush(stdout);
	}
	return 0;
}
