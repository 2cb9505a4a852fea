/* SPDX-License-Identifier: GPL-2.0 */
/* What fops_shim.c has for fops-runtime, which declares it again in Rust. */
#ifndef FOPS_SHIM_H
#define FOPS_SHIM_H

#include <linux/types.h>

struct fops_slot;
struct fops_block;

void fops_k_wait(u32 *word, u32 expected, long ms);
int fops_k_wait_interruptible(u32 *word, u32 expected);
void fops_k_wake(u32 *word);
void fops_k_lock(unsigned long *word);
void fops_k_unlock(unsigned long *word);
u64 fops_k_now(void);
u64 fops_k_thread(void);
void *fops_k_task(void);
void fops_k_interrupt(void *task);
void fops_k_task_name(u64 thread, char *name, size_t len);
struct fops_slot *fops_k_open(u64 tag, const void *op, atomic_long_t *tally);
void fops_k_clear(struct fops_slot *slot, atomic_long_t *tally);
struct fops_block *fops_k_blocks(unsigned int cpu);
struct fops_block *fops_k_next(struct fops_block *block);
unsigned int fops_k_cpus(void);
void fops_k_fence(void);
void fops_k_gate_get(void);
void fops_k_gate_put(void);

#endif
