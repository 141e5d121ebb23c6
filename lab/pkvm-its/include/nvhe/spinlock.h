/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_SPINLOCK_H__
#define __SHIM_SPINLOCK_H__

#include <kernel-shim.h>

typedef struct {
	bool held;
} hyp_spinlock_t;

#define DEFINE_HYP_SPINLOCK(lock)	hyp_spinlock_t lock
#define hyp_spin_lock_init(lock)	((lock)->held = false)

static inline void hyp_spin_lock(hyp_spinlock_t *lock)
{
	if (lock->held)
		mem_fail("EL2: lock taken twice");
	lock->held = true;
}

static inline void hyp_spin_unlock(hyp_spinlock_t *lock)
{
	if (!lock->held)
		mem_fail("EL2: lock released that is not held");
	lock->held = false;
}

#endif /* __SHIM_SPINLOCK_H__ */
