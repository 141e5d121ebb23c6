// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmio_guard.c: lookup and clipping, for any table of up to 3 regions.
 *
 * Proved: an address is found if and only if a region has it and, in a row, its frame is
 * guarded; a mapping that was clipped has no guarded page, and still has the address it is for;
 * what is added keeps the table in order, and a region that overlaps or has memory in it is
 * refused; what is removed takes no other region with it.
 *
 * Assumed, and why that holds:
 *  - the table is in order and its regions do not overlap: prove_guard_add() and
 *    prove_guard_remove() keep that, and an empty table is in order;
 *  - the host's stage-2 maps no MMIO while the table changes: host_stage2_idmap() does that alone,
 *    on a fault, and HCR_EL2.VM is first set by __pkvm_prot_finalize();
 *  - devices of a row are STRIDE apart;
 *  - the table has 4 entries in place of 512. prove_guard_rank() is about all 512: what the
 *    search returns are the neighbours of an address, and the rest of the code only looks at
 *    these two.
 */

#include <nvhe/mmio_guard.h>

#include "prove.h"

#ifdef ENTRIES
#undef MMIO_GUARD_MAX
#define MMIO_GUARD_MAX	ENTRIES
#endif

#include <mmio_guard.c>

PROVE_NO_WARN

#ifndef STRIDE
#define STRIDE		SZ_256K
#endif

/* Physical addresses have 52 bits. */
#define ADDR_END	BIT_ULL(52)

struct mmio_guard nondet_guard(void);
struct mmio_guard saved;

/* The region found last is all that is read this way. */
u64 mem_read_once(const volatile void *from, size_t size)
{
	prove(from == &mmio_guard_last && size == sizeof(mmio_guard_last),
	      "the guard reads no memory of the host");

	return (u64)mmio_guard_last;
}

/* Is there memory in the region that is added? */
static bool has_memory;
static u64 checked_from, checked_to;

bool host_range_is_mmio(phys_addr_t start, u64 size)
{
	prove(size, "a region is checked for memory if it is not empty");
	checked_from = start;
	checked_to = start + size;

	return !has_memory;
}

static bool is_in_order(void)
{
	unsigned int i;

	if (nr_mmio_guards > MMIO_GUARD_MAX)
		return false;

	for (i = 0; i < MMIO_GUARD_MAX; i++) {
		const struct mmio_guard *guard = &mmio_guards[i];

		if (i >= nr_mmio_guards) {
			if (guard->start || guard->end || guard->stride)
				return false;
			continue;
		}
		if (!PAGE_ALIGNED(guard->start | guard->end) || guard->end <= guard->start ||
		    guard->end > ADDR_END)
			return false;
		if (guard->stride &&
		    (guard->start % SZ_64K || guard->stride != STRIDE ||
		     guard->frames >> STRIDE / SZ_64K))
			return false;
		if (i && mmio_guards[i - 1].end > guard->start)
			return false;
	}

	return true;
}

static struct mmio_guard any_guard(void)
{
	struct mmio_guard guard = nondet_guard();

	/* The bits of a stride are constants: division by any number takes too long. */
	guard.stride = nondet_bool() ? STRIDE : 0;
	assume(guard.end <= ADDR_END);

	return guard;
}

static void any_table(void)
{
	unsigned int i, last = nondet_u32();

	nr_mmio_guards = nondet_u32();
	for (i = 0; i < MMIO_GUARD_MAX; i++) {
		if (i < nr_mmio_guards)
			mmio_guards[i] = any_guard();
	}
	assume(is_in_order());
	assume(last < MMIO_GUARD_MAX);
	mmio_guard_last = &mmio_guards[last];
}

/* In the plainest way */
static bool is_guarded(u64 addr)
{
	unsigned int i;
	u64 frame;

	for (i = 0; i < MMIO_GUARD_MAX; i++) {
		const struct mmio_guard *guard = &mmio_guards[i];

		if (i >= nr_mmio_guards || addr < guard->start || addr >= guard->end)
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
	assume(!is_guarded(addr) && start <= addr && addr < end && end <= ADDR_END);

	mmio_guard_clip(addr, &start, &end);

	reach(start > start_was && end < end_was && addr > mmio_guards[0].start &&
	      addr < mmio_guards[0].end);
	reach(start == start_was && end == end_was);

	prove(start <= addr && addr < end, "the mapping has the address that it is for");
	prove(start >= start_was && end <= end_was, "the mapping does not grow");
	prove(page < start || page >= end || !is_guarded(page), "the mapping has no guarded page");
}

static unsigned int entry_of(const struct mmio_guard *guard)
{
	unsigned int i;

	for (i = 0; i < MMIO_GUARD_MAX; i++) {
		if (guard == &mmio_guards[i])
			return i;
	}
	prove(guard == &mmio_guards[MMIO_GUARD_MAX], "what is moved are entries of the table");

	return MMIO_GUARD_MAX;
}

/* By entries, by one up or down: cbmc's own takes too long. */
void *memmove(void *to, const void *from, size_t size)
{
	unsigned int dst = entry_of(to), src = entry_of(from), i;
	u64 nr = size / sizeof(mmio_guards[0]);

	prove(size % sizeof(mmio_guards[0]) == 0, "entries are moved as a whole");
	prove(dst == src + 1 || src == dst + 1, "entries are moved by one");
	prove(nr <= MMIO_GUARD_MAX && dst + nr <= MMIO_GUARD_MAX && src + nr <= MMIO_GUARD_MAX,
	      "entries are moved within the table");

	if (dst > src) {
		for (i = MMIO_GUARD_MAX - 1; i; i--) {
			if (i >= dst && i < dst + nr)
				mmio_guards[i] = mmio_guards[i - 1];
		}
	} else {
		for (i = 0; i < MMIO_GUARD_MAX - 1; i++) {
			if (i >= dst && i < dst + nr)
				mmio_guards[i] = mmio_guards[i + 1];
		}
	}

	return to;
}

void prove_guard_add(void)
{
	struct mmio_guard guard = any_guard();
	u64 addr = nondet_u64();
	unsigned int nr;
	bool was, has;
	int ret;

	any_table();
	nr = nr_mmio_guards;
	has_memory = nondet_bool();
	was = is_guarded(addr);
	has = addr >= guard.start && addr < guard.end &&
	      (!guard.stride || guard.frames >> ((addr - guard.start) % STRIDE / SZ_64K) & 1);

	ret = mmio_guard_add_region(&guard);

	reach(!ret && nr == 2 && mmio_guards[1].start == guard.start);
	reach(ret == -EBUSY);
	reach(ret == -ENOSPC);

	prove(is_in_order(), "the table stays in order");
	prove(is_guarded(addr) == (was || (!ret && has)),
	      "what is added is guarded, and nothing else has changed");
	prove(nr_mmio_guards == nr + !ret, "a refusal adds nothing");
	prove(ret || (!has_memory && checked_from == guard.start && checked_to == guard.end),
	      "no memory is guarded");
}

void prove_guard_remove(void)
{
	u64 addr = nondet_u64(), start = nondet_u64();
	bool was, stays = true;
	unsigned int i, nr;

	any_table();
	nr = nr_mmio_guards;
	was = is_guarded(addr);
	for (i = 0; i < MMIO_GUARD_MAX; i++) {
		if (i < nr && mmio_guards[i].start == start && addr >= start &&
		    addr < mmio_guards[i].end)
			stays = false;
	}

	mmio_guard_remove(start);

	reach(nr == 3 && nr_mmio_guards == 2 && !stays);
	reach(nr == 3 && nr_mmio_guards == 3);

	prove(is_in_order(), "the table stays in order");
	prove(is_guarded(addr) == (was && stays),
	      "one region is removed, and nothing else has changed");
}

/* The whole table, whatever is in it: nothing else loops. */
void prove_guard_rank(void)
{
	u64 addr = nondet_u64();
	unsigned int i;

	__CPROVER_havoc_object(mmio_guards);
	nr_mmio_guards = nondet_u32();
	assume(nr_mmio_guards <= MMIO_GUARD_MAX);

	i = mmio_guard_rank(addr);

	reach(i == 0 && nr_mmio_guards == MMIO_GUARD_MAX);
	reach(i == MMIO_GUARD_MAX);
	reach(i == 100 && nr_mmio_guards == 200);

	prove(i <= nr_mmio_guards, "the rank is within the table");
	prove(!i || mmio_guards[i - 1].start <= addr, "the region before it starts at or below");
	prove(i == nr_mmio_guards || mmio_guards[i].start > addr, "the one behind it starts above");
}
