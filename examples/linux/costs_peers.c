// SPDX-License-Identifier: GPL-2.0
/*
 * What a section costs beside its peers, in instructions: under QEMU's `-icount shift=0` the time stamp counter counts
 * them. Loading the module prints the table. costs_section.rs has the section itself.
 */
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/percpu-refcount.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <asm/tsc.h>

/* Enters and exits so many times. */
typedef void (*costs_rounds)(u32 rounds);

void costs_section(u32 rounds);
void costs_nested(u32 rounds);

#define ROUNDS(name, body...)                   \
	static void name(u32 rounds)            \
	{                                       \
		for (; rounds; rounds--) {      \
			barrier();              \
			body;                   \
			barrier();              \
		}                               \
	}

ROUNDS(nothing, )
ROUNDS(preempt, preempt_disable(); preempt_enable())
ROUNDS(rcu, rcu_read_lock(); rcu_read_unlock())

DEFINE_STATIC_SRCU(srcu);
ROUNDS(srcu_pair, int index = srcu_read_lock(&srcu); srcu_read_unlock(&srcu, index))

DEFINE_STATIC_SRCU_FAST(srcu_fast);
ROUNDS(srcu_fast_pair, struct srcu_ctr __percpu *counter = srcu_read_lock_fast(&srcu_fast);
       srcu_read_unlock_fast(&srcu_fast, counter))

static struct percpu_ref ref;
static DECLARE_COMPLETION(released);
ROUNDS(ref_pair, if (percpu_ref_tryget_live(&ref)) percpu_ref_put(&ref))

/* As drm_dev_enter() and drm_dev_exit(), which are functions of another module: SRCU, and a flag. */
static bool unplugged;

static noinline bool drm_enter(int *index)
{
	*index = srcu_read_lock(&srcu);
	if (!READ_ONCE(unplugged))
		return true;
	srcu_read_unlock(&srcu, *index);
	return false;
}

static noinline void drm_exit(int index)
{
	srcu_read_unlock(&srcu, index);
}

ROUNDS(drm_pair, int index; if (drm_enter(&index)) drm_exit(index))

/* As in the proposal of 2017: a count and a flag under a spinlock. */
static DEFINE_SPINLOCK(lock);
static unsigned int users;
static DECLARE_COMPLETION(unused);

static noinline bool counted_enter(void)
{
	bool may;

	spin_lock(&lock);
	may = !unplugged;
	if (may)
		users++;
	spin_unlock(&lock);
	return may;
}

static noinline void counted_exit(void)
{
	bool last;

	spin_lock(&lock);
	last = !--users && unplugged;
	spin_unlock(&lock);
	if (last)
		complete(&unused);
}

ROUNDS(counted_pair, if (counted_enter()) counted_exit())

/* The least of many runs: the others had an interrupt in them. */
static u64 least(costs_rounds run, u32 rounds)
{
	u64 best = U64_MAX;
	int i;

	for (i = 0; i < 50; i++) {
		u64 began, took;

		cond_resched();
		began = rdtsc_ordered();
		run(rounds);
		took = rdtsc_ordered() - began;
		best = min(best, took);
	}
	return best;
}

#define MANY 400

static u32 per_hundred(costs_rounds run)
{
	return div_u64((least(run, MANY) - least(run, 0)) * 100, MANY);
}

static void released_ref(struct percpu_ref *unused)
{
	complete(&released);
}

static int __init costs_init(void)
{
	static const struct {
		const char *name;
		costs_rounds run;
	} all[] = {
		{ "preempt_disable, preempt_enable", preempt },
		{ "rcu_read_lock, rcu_read_unlock", rcu },
		{ "srcu_read_lock_fast, srcu_read_unlock_fast", srcu_fast_pair },
		{ "srcu_read_lock, srcu_read_unlock", srcu_pair },
		{ "percpu_ref_tryget_live, percpu_ref_put", ref_pair },
		{ "drm_dev_enter, drm_dev_exit", drm_pair },
		{ "the spinlock and count of 2017", counted_pair },
		{ "DeviceLifetime::enter, drop", costs_section },
		{ "the same inside another device's section", costs_nested },
	};
	u32 loop;
	int i, bad = percpu_ref_init(&ref, released_ref, 0, GFP_KERNEL);

	if (bad)
		return bad;
	loop = per_hundred(nothing);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		u32 cost = per_hundred(all[i].run) - loop;

		pr_info("costs: %u.%02u %s\n", cost / 100, cost % 100, all[i].name);
	}
	percpu_ref_kill(&ref);
	wait_for_completion(&released);
	percpu_ref_exit(&ref);
	return 0;
}

static void __exit costs_exit(void)
{
}

module_init(costs_init);
module_exit(costs_exit);
MODULE_DESCRIPTION("What a section costs, beside its peers");
MODULE_AUTHOR("fops");
MODULE_LICENSE("GPL");
