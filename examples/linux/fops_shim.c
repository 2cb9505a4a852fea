// SPDX-License-Identifier: GPL-2.0
/*
 * What fops-runtime needs of the kernel and Rust cannot call: macros and inline functions.
 *
 * The declarations on the other side are in fops-runtime/src/platform/kernel.rs and
 * fops-runtime/src/gate/slots/percpu.rs, which also says why the slots are right.
 */
#include <linux/bit_spinlock.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>

#include "fops_shim.h"

/* Sleeping on a word. */

void fops_k_wait(u32 *word, u32 expected, long ms)
{
	if (ms < 0)
		wait_var_event(word, smp_load_acquire(word) != expected);
	else
		wait_var_event_timeout(word, smp_load_acquire(word) != expected,
				       msecs_to_jiffies(min_t(long, ms, INT_MAX)));
}

int fops_k_wait_interruptible(u32 *word, u32 expected)
{
	return wait_var_event_interruptible(word, smp_load_acquire(word) != expected);
}

void fops_k_wake(u32 *word)
{
	/* Pairs with the barrier of a task that queues itself and looks at the word. */
	smp_mb();
	wake_up_var(word);
}

void *fops_k_task(void)
{
	return in_task() ? current : NULL;
}

/* As set_notify_signal(), which modules cannot link. */
void fops_k_interrupt(void *task)
{
	struct wait_queue_entry entry = { .private = task };

	if (!task)
		return;
	set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
	/* A full barrier: a task that goes to sleep sees the flag, or is woken. */
	default_wake_function(&entry, TASK_INTERRUPTIBLE, 0, NULL);
}

/* A lock of one word. */

void fops_k_lock(unsigned long *word)
{
	bit_spin_lock(0, word);
}

void fops_k_unlock(unsigned long *word)
{
	bit_spin_unlock(0, word);
}

/* The clock and the current task. */

u64 fops_k_now(void)
{
	return ktime_get_ns();
}

u64 fops_k_thread(void)
{
	return in_task() ? current->pid : 0;
}

void fops_k_task_name(u64 thread, char *name, size_t len)
{
	struct task_struct *task;

	name[0] = '\0';
	rcu_read_lock();
	task = pid_task(find_pid_ns(thread, &init_pid_ns), PIDTYPE_PID);
	if (task)
		strscpy(name, task->comm, len);
	rcu_read_unlock();
}

/*
 * What lockdep sees: a task in a section holds a lock for reading, and unplug takes it for writing. So it reports an unplug
 * inside a section, and one under a lock that a section takes. All devices have the same lock, because two that unplug each
 * other would wait forever.
 */
#ifdef CONFIG_LOCKDEP
static struct lockdep_map fops_section = STATIC_LOCKDEP_MAP_INIT("fops_section", &fops_section);

static void fops_lockdep_open(void)
{
	if (in_task())
		lock_map_acquire_read(&fops_section);
}

static void fops_lockdep_clear(void)
{
	if (in_task())
		lock_map_release(&fops_section);
}

static void fops_lockdep_unplug(void)
{
	lock_map_acquire(&fops_section);
	lock_map_release(&fops_section);
}
#else
static inline void fops_lockdep_open(void) { }
static inline void fops_lockdep_clear(void) { }
static inline void fops_lockdep_unplug(void) { }
#endif

/* Slots. The CPU that opens a section fills one in; any CPU may clear it. */

#define FOPS_SLOTS 8

struct fops_slot {
	const void *op;
	u64 device;
	u64 thread;
};

struct fops_block {
	struct fops_slot slot[FOPS_SLOTS];
	struct fops_block *next;
};

static DEFINE_PER_CPU_ALIGNED(struct fops_block, fops_blocks);
/* Never free: so a CPU without a spot looks like one whose spot is taken. Nobody fills or walks it. */
static struct fops_slot fops_taken[2] = { { .device = U64_MAX }, { .device = U64_MAX } };
/* Two neighbours, one of which is mostly free. */
static DEFINE_PER_CPU(struct fops_slot *, fops_spot) = fops_taken;

static __always_inline bool fops_is_task(void)
{
	return !(preempt_count() & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET));
}

static __always_inline bool fops_is_free(struct fops_slot *slot)
{
	/* Acquire: what the last section did, if it ended elsewhere, comes before this one. */
	return !smp_load_acquire(&slot->device);
}

static __always_inline void fops_fill(struct fops_slot *slot, u64 tag, const void *op)
{
	WRITE_ONCE(slot->op, op);
	WRITE_ONCE(slot->thread, current->pid);
	/* Release: a walk that reads the device reads the rest. */
	smp_store_release(&slot->device, tag);
}

/* A free slot of this CPU, from a new block if need be. Without preemption. */
static struct fops_slot *fops_find(void)
{
	struct fops_block *block = this_cpu_ptr(&fops_blocks), *last;
	int i;

	do {
		for (i = 0; i < FOPS_SLOTS; i++) {
			if (fops_is_free(&block->slot[i])) {
				this_cpu_write(fops_spot, &block->slot[i & ~1]);
				return &block->slot[i];
			}
		}
		last = block;
		block = block->next;
	} while (block);

	block = kmalloc_nolock(sizeof(*block), __GFP_ZERO, NUMA_NO_NODE);
	if (!block)
		return NULL;
	/* Release: a walk that finds the block finds it empty. */
	smp_store_release(&last->next, block);
	return &block->slot[0];
}

/* No free slot at hand, or no task. Without preemption, which ends here. */
static noinline struct fops_slot *fops_open_slow(u64 tag, const void *op, atomic_long_t *tally)
{
	struct fops_slot *slot = fops_is_task() ? fops_find() : NULL;

	if (slot)
		fops_fill(slot, tag, op);
	else
		atomic_long_inc(tally);
	preempt_enable();
	return slot;
}

notrace struct fops_slot *fops_k_open(u64 tag, const void *op, atomic_long_t *tally)
{
	struct fops_slot *slot;

	fops_lockdep_open();
	preempt_disable();
	slot = this_cpu_read(fops_spot);
	if (unlikely(!fops_is_task()))
		return fops_open_slow(tag, op, tally);
	if (unlikely(!fops_is_free(slot)) && !fops_is_free(++slot))
		return fops_open_slow(tag, op, tally);
	fops_fill(slot, tag, op);
	preempt_enable();
	return slot;
}

notrace void fops_k_clear(struct fops_slot *slot, atomic_long_t *tally)
{
	fops_lockdep_clear();
	preempt_disable();
	if (likely(slot))
		/* Release: what the section did comes before what unplug does next. */
		smp_store_release(&slot->device, 0);
	else
		atomic_long_dec_return(tally);
	preempt_enable();
}

struct fops_block *fops_k_blocks(unsigned int cpu)
{
	return cpu_possible(cpu) ? per_cpu_ptr(&fops_blocks, cpu) : NULL;
}

struct fops_block *fops_k_next(struct fops_block *block)
{
	return smp_load_acquire(&block->next);
}

unsigned int fops_k_cpus(void)
{
	return nr_cpu_ids;
}

/* Every region without preemption that began before this has ended, and its writes are seen. */
void fops_k_fence(void)
{
	fops_lockdep_unplug();
	synchronize_rcu_expedited();
}

/* Blocks that were chained stay until the last gate is gone: then no section is left, and nobody walks. */

static DEFINE_SPINLOCK(fops_gates_lock);
static unsigned long fops_gates;

void fops_k_gate_get(void)
{
	unsigned long flags;

	spin_lock_irqsave(&fops_gates_lock, flags);
	fops_gates++;
	spin_unlock_irqrestore(&fops_gates_lock, flags);
}

void fops_k_gate_put(void)
{
	struct fops_block *block, *next, *all = NULL;
	unsigned long flags;
	unsigned int cpu;

	spin_lock_irqsave(&fops_gates_lock, flags);
	if (!--fops_gates) {
		for_each_possible_cpu(cpu) {
			per_cpu(fops_spot, cpu) = fops_taken;
			block = per_cpu_ptr(&fops_blocks, cpu)->next;
			per_cpu_ptr(&fops_blocks, cpu)->next = NULL;
			for (; block; block = next) {
				next = block->next;
				block->next = all;
				all = block;
			}
		}
	}
	spin_unlock_irqrestore(&fops_gates_lock, flags);
	for (; all; all = next) {
		next = all->next;
		kfree_nolock(all);
	}
}
