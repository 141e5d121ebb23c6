/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_ATOMIC_H__
#define __SHIM_ATOMIC_H__

#include <kernel-shim.h>

/* There is one thread. */
#define cmpxchg(ptr, old, new)							\
({										\
	typeof(ptr) __ptr = (ptr);						\
	typeof(*__ptr) __was = *__ptr;						\
										\
	if (__was == (old))							\
		*__ptr = (new);							\
	__was;									\
})

#endif /* __SHIM_ATOMIC_H__ */
