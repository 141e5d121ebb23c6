// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmio_guard.c: lookup and clipping, for any table of up to 3 regions.
 *
 * Proved: an address is found if and only if a region has it and, in a row, its frame is
 * guarded; a mapping that was clipped has no guarded page, and still has the address it is for;
 * what is added keeps the table in order, and a region that overlaps is refused.
 *
 * Assumed, and why that holds:
 *  - the table is in order and its regions do not overlap: prove_guard_add() keeps that, and an
 *    empty table is in order;
 *  - devices of a row are 256K apart (4 frames, any of which may be guarded). Others are left to
 *    the unit tests: a division by any number takes cbmc too long;
 *  - there are 3 regions at most in place of 256. The code's only loop halves an interval.
 */

#include <mmio_guard.c>

#include "prove.h"

PROVE_NO_WARN

#define NR_REGIONS	3
#define STRIDE		SZ_256K

struct mmio_guard nondet_guard(void);

u64 mem_read_once(const volatile void *from, size_t size)
{
	/* The region found last is all that is read this way. */
	return (u64)mmio_guard_last;
}

static bool is_in_order(void)
{
	unsigned int i;

	if (nr_mmio_guards > NR_REGIONS)
		return false;

	for (i = 0; i < nr_mmio_guards; i++) {
		if (!mmio_guard_is_sane(&mmio_guards[i]) || mmio_guards[i].end > BIT_ULL(52))
			return false;
		if (i && mmio_guards[i - 1].end > mmio_guards[i].start)
			return false;
	}

	return true;
}

static void any_table(void)
{
	unsigned int i, last = nondet_u32();

	nr_mmio_guards = nondet_u32();
	assume(nr_mmio_guards <= NR_REGIONS);
	for (i = 0; i < NR_REGIONS; i++) {
		if (i >= nr_mmio_guards)
			continue;
		mmio_guards[i] = nondet_guard();
		mmio_guards[i].stride = nondet_bool() ? STRIDE : 0;
	}
	assume(is_in_order());
	assume(last <= NR_REGIONS);
	mmio_guard_last = &mmio_guards[last];
}

/* In the plainest way */
static bool is_guarded(u64 addr)
{
	unsigned int i;
	u64 frame;

	for (i = 0; i < nr_mmio_guards; i++) {
		const struct mmio_guard *guard = &mmio_guards[i];

		if (addr < guard->start || addr >= guard->end)
			continue;
		if (!guard->stride)
			return true;
		frame = (addr - guard->start) % STRIDE / SZ_64K;
		return guard->frames >> frame & 1;
	}

	return false;
}

void prove_guard_find(void)
{
	const struct mmio_guard *guard;
	u64 addr = nondet_u64();

	any_table();
	guard = mmio_guard_find(addr);

	reach(guard && guard->stride && guard == &mmio_guards[2]);
	reach(!guard && addr > mmio_guards[1].start && addr < mmio_guards[1].end);

	prove(!!guard == is_guarded(addr), "a page is found if and only if it is guarded");
	prove(!guard || (addr >= guard->start && addr < guard->end), "it is in the region found");
}

void prove_guard_clip(void)
{
	u64 addr = nondet_u64(), page = nondet_u64(), start = nondet_u64(), end = nondet_u64();
	u64 start_was = start, end_was = end;

	any_table();
	assume(!is_guarded(addr) && start <= addr && addr < end && end <= BIT_ULL(52));

	mmio_guard_clip(addr, &start, &end);

	reach(start > start_was && end < end_was && addr > mmio_guards[0].start && addr < mmio_guards[0].end);
	reach(start == start_was && end == end_was);

	prove(start <= addr && addr < end, "the mapping has the address that it is for");
	prove(start >= start_was && end <= end_was, "the mapping does not grow");
	prove(page < start || page >= end || !is_guarded(page), "the mapping has no guarded page");
}

void prove_guard_add(void)
{
	struct mmio_guard guard = nondet_guard();
	u64 addr = nondet_u64();
	unsigned int nr;
	bool was;
	int ret;

	any_table();
	nr = nr_mmio_guards;
	guard.stride = nondet_bool() ? STRIDE : 0;
	assume(nr < NR_REGIONS && guard.end <= BIT_ULL(52));
	was = is_guarded(addr);

	ret = mmio_guard_add_region(&guard);

	reach(!ret && nr == 2 && mmio_guards[1].start == guard.start);
	reach(ret == -EBUSY);

	prove(is_in_order(), "the table stays in order");
	prove(!was || is_guarded(addr), "what was guarded stays guarded");
	prove(!ret || (nr_mmio_guards == nr && was == is_guarded(addr)), "a refusal changes nothing");
}
