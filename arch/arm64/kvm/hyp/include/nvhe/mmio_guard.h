/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MMIO regions that the host may read but that only EL2 may write.
 */
#ifndef __ARM64_KVM_NVHE_MMIO_GUARD_H__
#define __ARM64_KVM_NVHE_MMIO_GUARD_H__

#include <linux/sizes.h>
#include <linux/types.h>

struct mmio_guard;

/**
 * struct mmio_guard_ops - what to do with the host's accesses
 * @write: a naturally aligned write of @size (4 or 8) bytes at @offset into the
 *	   region. All of it comes from the host. Must not fail: a write that is not
 *	   acceptable is ignored.
 */
struct mmio_guard_ops {
	void (*write)(void *priv, u64 offset, u64 val, unsigned int size);
};

/**
 * struct mmio_guard - one guarded region
 * @start:	physical address of the first page
 * @end:	physical address behind the last page
 * @stride:	bytes from one device to the next in a row of equal ones, 0 if the region is
 *		guarded as a whole. In a row, @start and @stride are multiples of
 *		MMIO_GUARD_FRAME
 * @frames:	the frames of each device of a row that are guarded, one bit each. The others
 *		are the host's
 * @ops:	the owner's functions
 * @priv:	the owner's argument to them
 */
struct mmio_guard {
	phys_addr_t			start;
	phys_addr_t			end;
	u64				stride;
	u64				frames;
	const struct mmio_guard_ops	*ops;
	void				*priv;
};

/* As many as a machine may have ITSs and regions of redistributors, or gaps between those */
#define MMIO_GUARD_MAX		512

#define MMIO_GUARD_FRAME	SZ_64K
#define MMIO_GUARD_MAX_STRIDE	(64 * MMIO_GUARD_FRAME)

int mmio_guard_add_region(const struct mmio_guard *guard);
int mmio_guard_add(phys_addr_t start, u64 size, const struct mmio_guard_ops *ops, void *priv);
void mmio_guard_remove(phys_addr_t start);
const struct mmio_guard *mmio_guard_find(phys_addr_t addr);
void mmio_guard_clip(phys_addr_t addr, u64 *start, u64 *end);

#endif /* __ARM64_KVM_NVHE_MMIO_GUARD_H__ */
