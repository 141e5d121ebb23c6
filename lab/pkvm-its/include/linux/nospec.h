/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_NOSPEC_H__
#define __SHIM_NOSPEC_H__

#include <kernel-shim.h>

/* Notes that an index was clamped: see el2_nr_nospec(). */
u64 array_index_nospec(u64 index, u64 size);

#endif /* __SHIM_NOSPEC_H__ */
