// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO regions that the host may read but that only EL2 may write.
 *
 * The host's stage-2 maps a guarded page read-only, so reads cost nothing and
 * each write takes a permission fault (or a translation fault, if the page has not
 * been mapped yet). mem_protect.c consults this table before it maps any MMIO, and
 * for each fault on it: what the page-table happens to hold is never what decides.
 *
 * The table changes only before the host is deprivileged, when no stage-2 fault can
 * be taken yet. It is read without a lock after that.
 */

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include <nvhe/mmio_guard.h>

static struct mmio_guard mmio_guards[MMIO_GUARD_MAX];
static unsigned int nr_mmio_guards;

/**
 * mmio_guard_add - guard a region
 * @start: physical address, page-aligned
 * @size: bytes, a multiple of the page size
 * @ops: what to do with writes
 * @priv: argument for @ops
 *
 * Context: the host is not deprivileged yet; callers are serialised. The host's
 * stage-2 must not map the region writable: see host_stage2_guard_mmio().
 * Return: 0, -EINVAL, -EBUSY if the region overlaps another, -ENOSPC.
 */
int mmio_guard_add(phys_addr_t start, u64 size, const struct mmio_guard_ops *ops, void *priv)
{
	phys_addr_t end = start + size;
	unsigned int i;

	if (!size || end <= start || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(size))
		return -EINVAL;

	if (nr_mmio_guards == MMIO_GUARD_MAX)
		return -ENOSPC;

	for (i = 0; i < nr_mmio_guards; i++) {
		if (start < mmio_guards[i].end && mmio_guards[i].start < end)
			return -EBUSY;
	}

	mmio_guards[nr_mmio_guards++] = (struct mmio_guard) {
		.start	= start,
		.end	= end,
		.ops	= ops,
		.priv	= priv,
	};

	return 0;
}

/**
 * mmio_guard_remove - undo mmio_guard_add()
 * @start: physical address the region was added with
 *
 * Context: the host is not deprivileged yet; callers are serialised.
 */
void mmio_guard_remove(phys_addr_t start)
{
	unsigned int i;

	for (i = 0; i < nr_mmio_guards; i++) {
		if (mmio_guards[i].start != start)
			continue;

		mmio_guards[i] = mmio_guards[--nr_mmio_guards];
		return;
	}
}

/**
 * mmio_guard_find - find the region an address is in
 * @addr: physical address
 *
 * Return: the region, or NULL if the address is not guarded.
 */
const struct mmio_guard *mmio_guard_find(phys_addr_t addr)
{
	unsigned int i;

	for (i = 0; i < nr_mmio_guards; i++) {
		if (addr >= mmio_guards[i].start && addr < mmio_guards[i].end)
			return &mmio_guards[i];
	}

	return NULL;
}

/**
 * mmio_guard_clip - keep a mapping clear of guarded regions
 * @addr: an address that is not guarded
 * @start: start of a range around @addr, raised as needed
 * @end: end of that range, lowered as needed
 */
void mmio_guard_clip(phys_addr_t addr, u64 *start, u64 *end)
{
	unsigned int i;

	for (i = 0; i < nr_mmio_guards; i++) {
		if (mmio_guards[i].end <= addr)
			*start = max_t(u64, *start, mmio_guards[i].end);
		else
			*end = min_t(u64, *end, mmio_guards[i].start);
	}
}
