/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_ATOMIC_H__
#define __SHIM_ATOMIC_H__

#include <kernel-shim.h>

#define cmpxchg(ptr, old, new)							\
({										\
	typeof(*(ptr)) __was = *(ptr);						\
										\
	if (__was == (old))							\
		*(ptr) = (new);		/* one thread */			\
	__was;									\
})

#endif /* __SHIM_ATOMIC_H__ */
