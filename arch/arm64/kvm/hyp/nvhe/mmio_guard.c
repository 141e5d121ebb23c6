// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO regions that the host may read but that only EL2 may write.
 *
 * A region can be a row of equal devices, of each of which some frames are left to the
 * host: however many devices there are, they take one entry of the table.
 *
 * The host's stage-2 maps a guarded page read-only, so reads cost nothing and
 * each write takes a permission fault (or a translation fault, if the page has not
 * been mapped yet). mem_protect.c consults this table before it maps any MMIO, and
 * for each fault on it: the table is authoritative, not the page-table.
 *
 * The table changes only before the host is deprivileged: its stage-2 maps no MMIO yet, as
 * that takes a fault. The table is read without a lock after that.
 */

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include <nvhe/mem_protect.h>
#include <nvhe/mmio_guard.h>

/* Ascending, so that a binary search finds one. Unused entries are zero: they match nothing. */
static struct mmio_guard mmio_guards[MMIO_GUARD_MAX];
static unsigned int nr_mmio_guards;

/* The region found last: the next write mostly goes to the same one */
static const struct mmio_guard *mmio_guard_last = mmio_guards;

/* The number of regions that start at or below an address */
static unsigned int mmio_guard_rank(phys_addr_t addr)
{
	unsigned int low = 0, high = nr_mmio_guards;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (mmio_guards[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}

	return low;
}

static bool mmio_guard_contains(const struct mmio_guard *guard, phys_addr_t addr)
{
	return addr >= guard->start && addr < guard->end;
}

/* Which frame of its device an address lies in */
static unsigned int mmio_guard_frame(const struct mmio_guard *guard, phys_addr_t addr)
{
	return (addr - guard->start) % guard->stride / MMIO_GUARD_FRAME;
}

static bool mmio_guard_is_sane(const struct mmio_guard *guard)
{
	if (!PAGE_ALIGNED(guard->start | guard->end) || guard->end <= guard->start ||
	    !host_range_is_mmio(guard->start, guard->end - guard->start))
		return false;

	return !guard->stride ||
	       (IS_ALIGNED(guard->start | guard->stride, MMIO_GUARD_FRAME) &&
		guard->stride <= MMIO_GUARD_MAX_STRIDE &&
		fls64(guard->frames) <= guard->stride / MMIO_GUARD_FRAME);
}

/**
 * mmio_guard_add_region - guard a region, or some frames of each device in a row
 * @guard: the region. Copied
 *
 * Context: the host is not deprivileged yet; callers are serialised.
 * Return: 0, -EINVAL (there is memory in the region, for example), -EBUSY if the region overlaps
 *	   another, -ENOSPC.
 */
int mmio_guard_add_region(const struct mmio_guard *guard)
{
	unsigned int i;

	if (!mmio_guard_is_sane(guard))
		return -EINVAL;

	if (nr_mmio_guards == MMIO_GUARD_MAX)
		return -ENOSPC;

	i = mmio_guard_rank(guard->start);
	if ((i && mmio_guards[i - 1].end > guard->start) ||
	    (i < nr_mmio_guards && mmio_guards[i].start < guard->end))
		return -EBUSY;

	memmove(&mmio_guards[i + 1], &mmio_guards[i], (nr_mmio_guards - i) * sizeof(*guard));
	mmio_guards[i] = *guard;
	nr_mmio_guards++;

	return 0;
}

/**
 * mmio_guard_add - guard a region as a whole
 * @start: physical address, page-aligned
 * @size: bytes, a multiple of the page size
 * @ops: what to do with writes
 * @priv: argument for @ops
 *
 * Context: as mmio_guard_add_region().
 * Return: likewise.
 */
int mmio_guard_add(phys_addr_t start, u64 size, const struct mmio_guard_ops *ops, void *priv)
{
	const struct mmio_guard guard = {
		.start	= start,
		.end	= start + size,
		.ops	= ops,
		.priv	= priv,
	};

	return mmio_guard_add_region(&guard);
}

/**
 * mmio_guard_remove - undo mmio_guard_add() and mmio_guard_add_region()
 * @start: physical address the region was added with
 *
 * Context: as mmio_guard_add().
 */
void mmio_guard_remove(phys_addr_t start)
{
	unsigned int i = mmio_guard_rank(start);

	if (!i || mmio_guards[i - 1].start != start)
		return;

	memmove(&mmio_guards[i - 1], &mmio_guards[i], (nr_mmio_guards - i) * sizeof(*mmio_guards));
	nr_mmio_guards--;
	memset(&mmio_guards[nr_mmio_guards], 0, sizeof(*mmio_guards));
}

/**
 * mmio_guard_find - find the region an address is in
 * @addr: physical address
 *
 * The number of steps depends on the number of regions, not on that of the devices in them.
 *
 * Return: the region, or NULL if the address is not guarded.
 */
const struct mmio_guard *mmio_guard_find(phys_addr_t addr)
{
	const struct mmio_guard *guard = READ_ONCE(mmio_guard_last);

	if (!mmio_guard_contains(guard, addr)) {
		unsigned int i = mmio_guard_rank(addr);

		if (!i || !mmio_guard_contains(&mmio_guards[i - 1], addr))
			return NULL;

		guard = &mmio_guards[i - 1];
		WRITE_ONCE(mmio_guard_last, guard);
	}

	if (guard->stride && !(guard->frames & BIT_ULL(mmio_guard_frame(guard, addr))))
		return NULL;

	return guard;
}

/**
 * mmio_guard_clip - keep a mapping clear of guarded pages
 * @addr: an address that is not guarded
 * @start: start of a range around @addr, raised as needed
 * @end: end of that range, lowered as needed
 */
void mmio_guard_clip(phys_addr_t addr, u64 *start, u64 *end)
{
	unsigned int i = mmio_guard_rank(addr);
	const struct mmio_guard *guard;
	unsigned int frame;
	u64 device, above;

	if (i < nr_mmio_guards)
		*end = min_t(u64, *end, mmio_guards[i].start);

	if (!i)
		return;

	guard = &mmio_guards[i - 1];
	if (!mmio_guard_contains(guard, addr)) {
		*start = max_t(u64, *start, guard->end);
		return;
	}

	/* In a row, between guarded frames of the same device */
	frame = mmio_guard_frame(guard, addr);
	device = ALIGN_DOWN(addr, MMIO_GUARD_FRAME) - (u64)frame * MMIO_GUARD_FRAME;
	above = guard->frames >> frame;

	*start = max_t(u64, *start, device + (u64)fls64(guard->frames & (BIT_ULL(frame) - 1)) *
					     MMIO_GUARD_FRAME);
	*end = min_t(u64, *end, above ? device + (u64)(frame + __ffs(above)) * MMIO_GUARD_FRAME
				      : device + guard->stride);
}
