// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redistributors: hand-over, and each row of what a write of the host may do.
 */

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <asm/kvm_pkvm_its.h>

#include <nvhe/mmio_guard.h>
#include <nvhe/rdist.h>

#include "../rdist-model.h"
#include "test.h"

#define RD_BASE		GIC_RD_BASE
#define LPI_BITS	GIC_LPI_BITS
#define NR_RDISTS	4
#define NR_ENABLED	3

static void start_with(u64 typer)
{
	unsigned int i;

	machine_reset();
	gic_add_region(RD_BASE, NR_RDISTS, typer, 0);
	for (i = 0; i < NR_ENABLED; i++)
		gic_enable(gic.rdist[i]);
}

static void start(void)
{
	start_with(GICR_TYPER_PLPIS);
}

static void up_with(u64 typer)
{
	start_with(typer);
	EXPECT_EQ(gic_hand_over(), 0);
}

static void up(void)
{
	up_with(GICR_TYPER_PLPIS);
}

static void expect_nothing_held(void)
{
	EXPECT_EQ(mem_count(MEM_ITS), 0);
	EXPECT_EQ(mem_count(MEM_EL2), 0);
	EXPECT(mem_is_clean());
	EXPECT(!mmio_guard_find(RD_BASE));
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_FOUND), 0);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_HELD_PAGES), 0);
}

static void expect_refused(int error)
{
	EXPECT_EQ(-gic_hand_over(), -error);
	expect_nothing_held();
}

/* A write of the host's, once it is deprivileged. False if it was ignored. */
static bool host_writes(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size)
{
	u64 ignored = __pkvm_rdists_stat(PKVM_RDISTS_WRITES_IGNORED);
	u64 writes = __pkvm_rdists_stat(PKVM_RDISTS_WRITES);

	EXPECT(gic_write(rdist, offset, val, size));
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_WRITES), writes + 1);

	return __pkvm_rdists_stat(PKVM_RDISTS_WRITES_IGNORED) == ignored;
}

/* Likewise, and an ignored write changes nothing. */
static bool ignored(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size)
{
	struct rdist_model was = *rdist;

	return !host_writes(rdist, offset, val, size) && !memcmp(&was, rdist, sizeof(was));
}

/*
 * Hand-over
 */

static void adopt(void)
{
	u64 val, pages = SZ_64K >> PAGE_SHIFT;
	unsigned int i;

	up();
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_FOUND), NR_RDISTS);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_WITH_LPIS), NR_ENABLED);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_HELD_PAGES), NR_ENABLED * pages + gic.nr_pages);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_NR_STATS), 0);
	EXPECT_EQ(mem_count(MEM_ITS), NR_ENABLED * pages);
	EXPECT_EQ(mem_count(MEM_EL2), gic.nr_pages);

	for (i = 0; i < NR_ENABLED; i++) {
		/* The host can't get at a pending table. */
		EXPECT(!mem_host_read(gic.tables[i].pending, &val));
		EXPECT(!mem_host_write(gic.tables[i].pending + SZ_64K - 8, 0));
		EXPECT(rdist_model_set_pending(gic.rdist[i], 8192));
		EXPECT(rdist_model_set_pending(gic.rdist[i], BIT(LPI_BITS) - 1));
	}

	/* The property table is the host's, but can't be donated. */
	EXPECT(mem_host_write(gic.desc.prop_table, ~0ULL));
	for (val = 0; val < BIT(LPI_BITS) - 8192; val += PAGE_SIZE) {
		EXPECT(!mem_give_guest(gic.desc.prop_table + val));
		EXPECT_EQ(-__pkvm_host_donate_hyp(hyp_phys_to_pfn(gic.desc.prop_table + val), 1),
			  EPERM);
		EXPECT_EQ(-__pkvm_host_unshare_hyp(hyp_phys_to_pfn(gic.desc.prop_table + val)),
			  EBUSY);
	}

	EXPECT_EQ(-gic_hand_over(), EBUSY);
}

static void no_lpis(void)
{
	machine_reset();
	gic_add_region(RD_BASE, NR_RDISTS, 0, 0);
	EXPECT_EQ(gic_hand_over(), 0);
	EXPECT_EQ(mem_count(MEM_ITS), 0);
	EXPECT(ignored(gic.rdist[0], GICR_CTLR, GICR_CTLR_ENABLE_LPIS, 4));
	EXPECT(host_writes(gic.rdist[0], GICR_WAKER, GICR_WAKER_ProcessorSleep, 4));
}

static void odd_tables(void)
{
	start();
	gic.tables[1].rd_base += SZ_64K;
	expect_refused(-EINVAL);

	start();
	gic.tables[1].pending += SZ_64K;
	expect_refused(-EINVAL);

	start();
	gic.tables[1] = gic.tables[0];
	expect_refused(-EINVAL);

	start();
	gic.desc.prop_table += SZ_4K;
	expect_refused(-EINVAL);

	start();
	gic.desc.prop_table |= BIT(0);
	expect_refused(-EINVAL);

	start();
	gic.desc.lpi_bits--;
	expect_refused(-EINVAL);

	start();
	gic.desc.lpi_bits = 13;
	expect_refused(-EINVAL);

	start();
	gic.desc.lpi_bits = 25;
	expect_refused(-EINVAL);

	/* Two redistributors with one pending table */
	start();
	gic.rdist[1]->pendbaser = gic.rdist[0]->pendbaser;
	gic.tables[1].pending = gic.tables[0].pending;
	expect_refused(-EPERM);

	/* One that lies over the property table */
	start();
	gic.rdist[1]->pendbaser = gic.desc.prop_table;
	gic.tables[1].pending = gic.desc.prop_table;
	expect_refused(-EPERM);

	/* Another property table, or another number of bits */
	start();
	gic.rdist[2]->propbaser += SZ_64K;
	expect_refused(-EINVAL);

	start();
	gic.rdist[2]->propbaser++;
	expect_refused(-EINVAL);

	/* LPIs that are enabled and not described, and the other way round */
	start();
	gic.desc.nr_tables--;
	expect_refused(-EBUSY);

	start();
	gic.rdist[2]->ctlr = 0;
	expect_refused(-EINVAL);
}

/* Base registers that keep 32 bits, as those of the RK356x: the table would be elsewhere */
static void base_keeps_32_bits(void)
{
	phys_addr_t high = host_alloc_high(SZ_64K, SZ_64K);

	start();
	gic.rdist[3]->addr_mask = GENMASK_ULL(31, 12);
	gic_enable(gic.rdist[3]);
	EXPECT_EQ(gic_hand_over(), 0);

	start();
	gic.rdist[3]->addr_mask = GENMASK_ULL(31, 12);
	gic_enable(gic.rdist[3]);
	gic.rdist[3]->ctlr = 0;
	rdist_model_write(gic.rdist[3], GICR_PENDBASER, high, 8);
	gic.rdist[3]->ctlr = GICR_CTLR_ENABLE_LPIS;
	gic.tables[3].pending = high;
	expect_refused(-EINVAL);
}

static void others_memory(void)
{
	start();
	EXPECT(mem_give_guest(gic.tables[2].pending + SZ_64K - PAGE_SIZE));
	EXPECT_EQ(-gic_hand_over(), EPERM);
	EXPECT_EQ(mem_count(MEM_ITS), 0);

	start();
	EXPECT(mem_give_guest(gic.desc.prop_table));
	EXPECT_EQ(-gic_hand_over(), EPERM);
	EXPECT_EQ(mem_count(MEM_ITS), 0);

	/* No memory at all */
	start();
	gic.rdist[1]->pendbaser = RD_BASE & ~0xffffULL;
	gic.tables[1].pending = RD_BASE & ~0xffffULL;
	EXPECT(gic_hand_over());
	EXPECT_EQ(mem_count(MEM_ITS), 0);
}

static void odd_regions(void)
{
	start();
	gic.regions[0].base += SZ_4K;
	expect_refused(-EINVAL);

	start();
	gic.regions[0].size = 0;
	expect_refused(-EINVAL);

	start();
	gic.regions[0].size = BIT_ULL(49);
	expect_refused(-EINVAL);

	start();
	gic.regions[0].base = BIT_ULL(52) - SZ_64K;
	expect_refused(-EINVAL);

	/* Ends before the last one does */
	start();
	gic.regions[0].size -= SZ_4K;
	expect_refused(-EINVAL);

	start();
	gic.regions[0].size -= SZ_128K;
	expect_refused(-EINVAL);

	start();
	gic.regions[0].stride = SZ_64K;
	expect_refused(-EINVAL);

	start();
	gic.regions[0].stride = SZ_128K + SZ_4K;
	expect_refused(-EINVAL);

	start();
	gic.regions[0].stride = MMIO_GUARD_MAX_STRIDE + SZ_64K;
	expect_refused(-EINVAL);

	start_with(GICR_TYPER_PLPIS | GICR_TYPER_VLPIS);
	gic.regions[0].stride = SZ_128K;
	expect_refused(-EINVAL);

	start_with(GICR_TYPER_PLPIS | GICR_TYPER_VLPIS);
	gic.regions[0].size -= SZ_64K;
	expect_refused(-EINVAL);

	start();
	gic.max = NR_RDISTS - 1;
	gic.desc.nr_rdists--;
	EXPECT_EQ(-gic_hand_over(), ENOSPC);

	/* The same one twice */
	start();
	gic.regions[gic.desc.nr_regions++] = gic.regions[0];
	gic.desc.nr_rdists *= 2;
	gic.max = 2 * NR_RDISTS;
	expect_refused(-EINVAL);
}

static void state_size(void)
{
	phys_addr_t state;

	start();
	EXPECT_EQ(-__pkvm_rdists_register(0, 0), EINVAL);
	EXPECT_EQ(-__pkvm_rdists_register(0, BIT_ULL(21)), EINVAL);

	/* Counts that do not fit what there is */
	gic.desc.nr_rdists = UINT_MAX;
	gic.max = NR_RDISTS;
	expect_refused(-EINVAL);

	start();
	state = host_alloc(PAGE_SIZE, PAGE_SIZE);
	mem_host_write(state + offsetof(struct gic_staging_desc, nr_tables), ~0ULL);
	EXPECT_EQ(-__pkvm_rdists_register(hyp_phys_to_pfn(state), 1), EINVAL);
	expect_nothing_held();
}

static void failing_calls(void)
{
	unsigned int i;
	int ret;

	for (i = 1; ; i++) {
		start_with(GICR_TYPER_PLPIS | GICR_TYPER_VLPIS);
		mem_fail_call = i;
		ret = gic_hand_over();
		if (!ret)
			break;

		expect_nothing_held();
		mem_fail_call = 0;
		EXPECT_EQ(gic_hand_over(), 0);
	}

	EXPECT(i > NR_ENABLED + (BIT(LPI_BITS) - 8192) / PAGE_SIZE);
}

/* GICv4: no vPE may be resident. GICv4.1: the vPE table is forgotten, and remembered. */
static void virtual_lpis(void)
{
	u64 typer = GICR_TYPER_PLPIS | GICR_TYPER_VLPIS;

	start_with(typer);
	gic.rdist[3]->vpendbaser = GICR_VPENDBASER_Valid;
	expect_refused(-EBUSY);

	gic.rdist[3]->vpendbaser = GICR_VPENDBASER_Dirty;
	expect_refused(-EBUSY);

	/* No more than IDbits here */
	start_with(typer);
	gic.rdist[1]->vpropbaser = 15;
	EXPECT_EQ(gic_hand_over(), 0);
	EXPECT_EQ(gic.rdist[1]->vpropbaser, 15);

	start_with(typer | GICR_TYPER_RVPEID);
	gic.rdist[1]->vpropbaser = GICR_VPROPBASER_4_1_VALID | MEM_LOW;
	gic.rdist[3]->vpendbaser = GICR_VPENDBASER_Valid;
	expect_refused(-EBUSY);
	EXPECT_EQ(gic.rdist[1]->vpropbaser, GICR_VPROPBASER_4_1_VALID | MEM_LOW);

	gic.rdist[3]->vpendbaser = 0;
	EXPECT_EQ(gic_hand_over(), 0);
	EXPECT_EQ(gic.rdist[1]->vpropbaser, MEM_LOW);
}

/*
 * Registers
 */

/* Nothing of it is written, the same value included. */
static bool tables_stay(struct rdist_model *rdist)
{
	const u64 prop = gic.desc.prop_table | GIC_PROP_ATTRS | (GIC_LPI_BITS - 1);
	const u64 pend = gic.tables[0].pending | GIC_PEND_ATTRS;
	const u64 vals[] = { 0, ~0ULL, prop, prop + SZ_64K, pend, pend | GICR_PENDBASER_PTZ };
	unsigned int i, bit;

	for (bit = 0; bit < 32; bit++) {
		if (!ignored(rdist, GICR_CTLR, rdist->ctlr ^ BIT(bit), 4))
			return false;
	}

	for (i = 0; i < ARRAY_SIZE(vals); i++) {
		if (!ignored(rdist, GICR_CTLR, vals[i], 8) ||
		    !ignored(rdist, GICR_PROPBASER, vals[i], 8) ||
		    !ignored(rdist, GICR_PROPBASER, (u32)vals[i], 4) ||
		    !ignored(rdist, GICR_PROPBASER + 4, vals[i] >> 32, 4) ||
		    !ignored(rdist, GICR_PENDBASER, vals[i], 8) ||
		    !ignored(rdist, GICR_PENDBASER, (u32)vals[i], 4) ||
		    !ignored(rdist, GICR_PENDBASER + 4, vals[i] >> 32, 4))
			return false;
	}

	return true;
}

static void tables(void)
{
	struct rdist_model *rdist;
	u64 prop, pend;

	up();
	rdist = gic.rdist[0];
	EXPECT(tables_stay(rdist));
	EXPECT(rdist_model_set_pending(rdist, 8192));

	/* A CPU that was not up never gets LPIs. */
	EXPECT(tables_stay(gic.rdist[NR_ENABLED]));

	/* Nor does one that has lost power, with the bases of the hand-over or without. */
	prop = rdist->propbaser;
	pend = rdist->pendbaser;
	rdist_model_power_cycle(rdist);
	EXPECT(tables_stay(rdist));
	rdist->propbaser = prop;
	rdist->pendbaser = pend;
	EXPECT(tables_stay(rdist));
}

static void waker(void)
{
	struct rdist_model *rdist;

	up();
	rdist = gic.rdist[2];
	rdist->waker = BIT(0) | GICR_WAKER_ChildrenAsleep;
	EXPECT(host_writes(rdist, GICR_WAKER, ~0U, 4));
	EXPECT_EQ(rdist->waker, BIT(0) | GICR_WAKER_ChildrenAsleep | GICR_WAKER_ProcessorSleep);
	EXPECT(host_writes(rdist, GICR_WAKER, 0, 4));
	EXPECT_EQ(rdist->waker, BIT(0) | GICR_WAKER_ChildrenAsleep);
	EXPECT(ignored(rdist, GICR_WAKER - 4, ~0ULL, 8));
	EXPECT(ignored(rdist, GICR_WAKER - 4, ~0U, 4));
}

static void lpir(struct rdist_model *rdist, u64 reg, bool exists)
{
	static const u64 bad[] = { 0, 8191, BIT(LPI_BITS), UINT_MAX, 8192 | BIT_ULL(63) };
	static const u64 good[] = { 8192, BIT(LPI_BITS) - 1, 8192 | BIT_ULL(32) };
	unsigned int i;
	u64 nr;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		nr = rdist->nr_lpirs;
		EXPECT_EQ(host_writes(rdist, reg, good[i], 8), exists);
		EXPECT_EQ(rdist->nr_lpirs, nr + exists);
		if (exists) {
			EXPECT_EQ(rdist->last_lpir, reg);
			EXPECT_EQ(rdist->last_intid, reg == GICR_INVALLR ? 0 : (u32)good[i]);
		}
		EXPECT_EQ(host_writes(rdist, reg, (u32)good[i], 4), exists);
		EXPECT(ignored(rdist, reg + 4, 0, 4));
	}

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (reg != GICR_INVALLR || bad[i] & BIT_ULL(63))
			EXPECT(ignored(rdist, reg, bad[i], 8));
	}

	/* Nothing to invalidate without tables */
	EXPECT(ignored(gic.rdist[NR_ENABLED], reg, 8192, 8));
}

static void lpirs(u64 typer, u32 ctlr, bool inv, bool set)
{
	struct rdist_model *rdist;

	up_with(GICR_TYPER_PLPIS | typer);
	rdist = gic.rdist[1];
	rdist->ctlr |= ctlr;
	lpir(rdist, GICR_INVLPIR, inv);
	lpir(rdist, GICR_INVALLR, inv);
	lpir(rdist, GICR_SETLPIR, set);
	lpir(rdist, GICR_CLRLPIR, set);
}

static void direct_lpis(void)
{
	lpirs(0, 0, false, false);
	lpirs(0, GICR_CTLR_IR, true, false);
	lpirs(GICR_TYPER_DirectLPIS, 0, true, true);
	lpirs(GICR_TYPER_VLPIS | GICR_TYPER_RVPEID, 0, true, false);
}

static void all_others(void)
{
	struct rdist_model *rdist;
	u64 offset;

	up_with(GICR_TYPER_PLPIS | GICR_TYPER_VLPIS | GICR_TYPER_DirectLPIS);
	rdist = gic.rdist[2];

	for (offset = 0; offset < SZ_256K; offset += 4) {
		if (offset >= SZ_64K && offset < SZ_128K)
			continue;

		switch (offset) {
		case GICR_SETLPIR:
		case GICR_CLRLPIR:
		case GICR_INVLPIR:
		case GICR_INVALLR:
			continue;
		case GICR_CTLR:
		case GICR_WAKER:
			break;
		default:
			EXPECT(ignored(rdist, offset, 0, 4));
			EXPECT(ignored(rdist, offset, 8192, 4));
			EXPECT(ignored(rdist, offset, UINT_MAX, 4));
		}

		if (offset % 8)
			continue;

		EXPECT(ignored(rdist, offset, 0, 8));
		EXPECT(ignored(rdist, offset, 8192, 8));
		EXPECT(ignored(rdist, offset, ~0ULL, 8));
	}
}

/*
 * Frames
 */

static void expect_open(u64 start, u64 end)
{
	for (; start < end; start += PAGE_SIZE)
		EXPECT(!mmio_guard_find(start));
}

/* Which frames are guarded, and that what is not stays within its frame */
static void check_frames(void)
{
	unsigned int i;
	u64 offset;

	for (i = 0; i < gic.desc.nr_rdists; i++) {
		bool vlpis = gic.rdist[i]->typer & GICR_TYPER_VLPIS;
		u64 rd = gic.rdist[i]->base, start = 0, end = ~0ULL;

		for (offset = 0; offset < SZ_64K; offset += PAGE_SIZE)
			EXPECT(mmio_guard_find(rd + offset));
		for (; offset < SZ_128K; offset += PAGE_SIZE)
			EXPECT(!mmio_guard_find(rd + offset));
		for (; vlpis && offset < SZ_256K; offset += PAGE_SIZE)
			EXPECT(mmio_guard_find(rd + offset));

		mmio_guard_clip(rd + SZ_128K - PAGE_SIZE, &start, &end);
		EXPECT_EQ(start, rd + SZ_64K);
		EXPECT(end >= rd + SZ_128K);
		expect_open(start, min_t(u64, end, rd + SZ_4M));

		if (gic.desc.nr_tables)
			continue;
		EXPECT(host_writes(gic.rdist[i], GICR_WAKER, GICR_WAKER_ProcessorSleep, 4));
		EXPECT_EQ(gic.rdist[i]->waker, GICR_WAKER_ProcessorSleep);
	}
}

static void frames(void)
{
	up();
	check_frames();
	EXPECT(!mmio_guard_find(RD_BASE - 1));
	EXPECT(!mmio_guard_find(RD_BASE + NR_RDISTS * SZ_128K));

	up_with(GICR_TYPER_PLPIS | GICR_TYPER_VLPIS);
	check_frames();
	EXPECT(!mmio_guard_find(RD_BASE + NR_RDISTS * SZ_256K));
}

/* Real redistributors behind the one that says it is the last */
static void behind_last(void)
{
	struct rdist_model *hidden;
	u64 end;

	start();
	end = RD_BASE + NR_RDISTS * SZ_128K;
	hidden = rdist_model_add(end, GICR_TYPER_PLPIS | GICR_TYPER_LAST);
	gic.regions[0].size += SZ_256K + SZ_4K;
	EXPECT_EQ(gic_hand_over(), 0);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_FOUND), NR_RDISTS);
	check_frames();

	EXPECT(ignored(hidden, GICR_PENDBASER, MEM_LOW | GIC_PEND_ATTRS, 8));
	EXPECT(ignored(hidden, GICR_CTLR, GICR_CTLR_ENABLE_LPIS, 4));
	EXPECT(ignored(hidden, GICR_WAKER, GICR_WAKER_ProcessorSleep, 4));
	EXPECT(mmio_guard_find(end + SZ_128K));
	EXPECT(!mmio_guard_find(end + SZ_256K));

	/* The next region must not begin there. */
	start();
	gic.regions[0].size += SZ_256K;
	gic_add_region(end + SZ_128K, 1, GICR_TYPER_PLPIS, 0);
	expect_refused(-EINVAL);

	/* Nor where the last redistributor ends, as if there were one row */
	start();
	gic.regions[0].size += SZ_256K;
	gic_add_region(end, 1, GICR_TYPER_PLPIS, 0);
	expect_refused(-EINVAL);
}

static void strides(void)
{
	machine_reset();
	gic_add_region(RD_BASE, 3, 0, SZ_512K);
	gic_add_region(RD_BASE + SZ_4M, 3, GICR_TYPER_VLPIS, 5 * SZ_64K);
	gic_add_region(RD_BASE + 2 * SZ_4M, 3, GICR_TYPER_VLPIS, 0);
	gic_add_region(RD_BASE + 3 * SZ_4M, 1, 0, 0);
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();
}

static void add_single(u64 base, u64 typer)
{
	gic_add_region(base, 1, typer, 0);
	gic.regions[gic.desc.nr_regions - 1].single = true;
	gic.rdist[gic.desc.nr_rdists - 1]->typer &= ~GICR_TYPER_LAST;
}

/* Nothing may be read there: there is no model. */
static void add_absent(u64 base, u64 size)
{
	gic.regions[gic.desc.nr_regions++] = (struct gic_staging_region) {
		.base = base, .size = size, .stride = size, .single = true, .absent = true,
	};
}

/* ACPI may have a region for each redistributor, and Last means nothing. */
static void single(void)
{
	unsigned int i;

	machine_reset();
	for (i = 0; i < RDIST_MAX_MODELS; i++)
		add_single(RD_BASE + i * SZ_256K, GICR_TYPER_VLPIS);
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();

	/* Of different sizes, without a gap */
	machine_reset();
	for (i = 0; i < 4; i++)
		add_single(RD_BASE + i * SZ_128K, i == 3 ? GICR_TYPER_VLPIS : 0);
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();

	/* Gaps are the host's. */
	machine_reset();
	for (i = 0; i < MMIO_GUARD_MAX; i++)
		add_single(RD_BASE + i * SZ_512K, i == 3 ? 0 : GICR_TYPER_VLPIS);
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();
	for (i = 0; i < MMIO_GUARD_MAX; i++)
		expect_open(RD_BASE + i * SZ_512K + (i == 3 ? SZ_128K : SZ_256K),
			    RD_BASE + (i + 1) * SZ_512K);

	/* Each takes an entry of the table. */
	machine_reset();
	for (i = 0; i < MMIO_GUARD_MAX + 1; i++)
		add_single(SZ_4G + i * SZ_256K, 0);
	expect_refused(-ENOSPC);

	gic.desc.nr_regions--;
	gic.desc.nr_rdists--;
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();
}

/* Something else that is guarded lies in a gap. */
static void gaps_in_use(void)
{
	unsigned int i;

	machine_reset();
	for (i = 0; i < 8; i++)
		add_single(RD_BASE + i * SZ_512K, 0);
	EXPECT_EQ(__pkvm_its_fence(RD_BASE + 2 * SZ_512K + SZ_128K, false), 0);
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();
	expect_open(RD_BASE + SZ_512K - SZ_64K, RD_BASE + SZ_512K);
	EXPECT_EQ(mmio_guard_find(RD_BASE + 2 * SZ_512K + SZ_128K)->start,
		  RD_BASE + 2 * SZ_512K + SZ_128K);
}

/* A region with room behind its last one, between others: it is guarded to its end. */
static void tails(void)
{
	unsigned int i;

	machine_reset();
	for (i = 0; i < 4; i++)
		gic_add_region(RD_BASE + i * SZ_512K, 1, 0, 0);
	gic.regions[2].size = SZ_512K;
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();
	expect_open(RD_BASE + SZ_128K, RD_BASE + SZ_512K);
	EXPECT(mmio_guard_find(RD_BASE + 2 * SZ_512K + SZ_128K));
	EXPECT(mmio_guard_find(RD_BASE + 2 * SZ_512K + SZ_256K));
	EXPECT(mmio_guard_find(RD_BASE + 3 * SZ_512K - SZ_128K));

	/* The first of a row, and one that is adjacent to the next */
	machine_reset();
	gic_add_region(RD_BASE, 1, 0, 0);
	gic_add_region(RD_BASE + SZ_256K, 1, 0, 0);
	gic_add_region(RD_BASE + SZ_512K, 1, 0, 0);
	gic.regions[0].size = SZ_256K;
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();
	EXPECT(mmio_guard_find(RD_BASE + SZ_128K));
	expect_open(RD_BASE + SZ_256K + SZ_64K, RD_BASE + SZ_512K);
}

/* ACPI: the redistributors of CPUs that are not enabled. Guarded, but never read */
static void absent(void)
{
	static const struct rdist_model missing = { .base = RD_BASE + SZ_128K };
	struct rdist_model rdist = missing;

	machine_reset();
	add_single(RD_BASE, 0);
	add_absent(RD_BASE + SZ_128K, SZ_128K);
	add_single(RD_BASE + SZ_256K, 0);
	add_absent(RD_BASE + SZ_512K, SZ_256K);
	gic.max = gic.desc.nr_regions;
	gic.desc.nr_rdists = gic.desc.nr_regions;
	gic.rdist[2] = gic.rdist[1];
	gic.rdist[1] = &rdist;
	gic.rdist[3] = &rdist;
	EXPECT_EQ(gic_hand_over(), 0);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_FOUND), 2);

	/* One row, in which the absent one is not written */
	EXPECT_EQ(mmio_guard_find(RD_BASE + SZ_128K)->end, RD_BASE + SZ_256K + SZ_128K);
	EXPECT(ignored(&rdist, GICR_WAKER, GICR_WAKER_ProcessorSleep, 4));
	EXPECT(ignored(&rdist, GICR_PENDBASER, MEM_LOW, 8));
	EXPECT(host_writes(gic.rdist[2], GICR_WAKER, GICR_WAKER_ProcessorSleep, 4));
	EXPECT_EQ(gic.rdist[2]->waker, GICR_WAKER_ProcessorSleep);
	EXPECT_EQ(gic.rdist[0]->waker, 0);

	rdist.base = RD_BASE + SZ_512K;
	EXPECT(ignored(&rdist, GICR_WAKER, GICR_WAKER_ProcessorSleep, 4));
	EXPECT(ignored(&rdist, SZ_128K + GICR_VPENDBASER, ~0ULL, 8));
	expect_open(RD_BASE + SZ_512K + SZ_64K, RD_BASE + SZ_512K + SZ_128K);
	EXPECT(!mmio_guard_find(RD_BASE + SZ_512K + SZ_256K));

	/* Nobody can say what is in its tables. */
	machine_reset();
	add_absent(RD_BASE, SZ_128K);
	gic.desc.nr_rdists = 1;
	gic.desc.prop_table = host_alloc(SZ_64K, SZ_64K);
	gic.desc.lpi_bits = LPI_BITS;
	gic.tables[gic.desc.nr_tables++].rd_base = RD_BASE;
	EXPECT_EQ(-gic_hand_over(), EINVAL);
}

/* A frame without a valid GICR_PIDR2 ends the region, all of which is guarded. */
static void not_a_redistributor(void)
{
	u64 region = NR_RDISTS * SZ_128K;

	start();
	gic.rdist[3]->pidr2 = 0x20;
	EXPECT_EQ(gic_hand_over(), 0);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_FOUND), 3);
	check_frames();
	EXPECT(ignored(gic.rdist[3], GICR_PENDBASER, MEM_LOW | GIC_PEND_ATTRS, 8));
	EXPECT(ignored(gic.rdist[3], GICR_CTLR, GICR_CTLR_ENABLE_LPIS, 4));
	EXPECT(!mmio_guard_find(RD_BASE + region));

	/* The first of a region */
	machine_reset();
	gic_add_region(RD_BASE, NR_RDISTS, GICR_TYPER_VLPIS, 0);
	gic.rdist[0]->pidr2 = 0;
	EXPECT_EQ(gic_hand_over(), 0);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_FOUND), 0);
	EXPECT(ignored(gic.rdist[0], GICR_CTLR, GICR_CTLR_ENABLE_LPIS, 4));
	EXPECT(mmio_guard_find(RD_BASE + NR_RDISTS * SZ_256K - SZ_128K));
	EXPECT(!mmio_guard_find(RD_BASE + NR_RDISTS * SZ_256K));

	/* A CPU has LPIs on it: the driver knows better. */
	start();
	gic.rdist[2]->pidr2 = 0x20;
	expect_refused(-EINVAL);
}

/* 512 redistributors in 16 regions and 64 ITSs */
static void big_machine(void)
{
	unsigned int i;

	machine_reset();
	for (i = 0; i < 64; i++)
		EXPECT(!__pkvm_its_fence(SZ_2G + i * ITS_FRAME, false));
	for (i = 0; i < 16; i++)
		gic_add_region(SZ_4G + i * SZ_16M, 32, GICR_TYPER_VLPIS, 0);
	EXPECT_EQ(gic_hand_over(), 0);
	check_frames();

	for (i = 0; i < 64; i++)
		EXPECT_EQ(mmio_guard_find(SZ_2G + i * ITS_FRAME)->start, SZ_2G + i * ITS_FRAME);
}

/* Something that a write may find in the table before it comes to the redistributor */
static const struct rdist_model other = { .base = SZ_2G };

static void write_ignored(void)
{
	gic_write(gic.rdist[0], GICR_IIDR, 0, 4);
}

static void write_after_other(void)
{
	mmio_guard_find(other.base);
	write_ignored();
}

static void do_nothing(void) { }

/* The number of instructions between two signals that a process sends itself */
static u64 count_between(void (*fn)(void))
{
	u64 nr = 0;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		fn();
		raise(SIGSTOP);
		_exit(0);
	}

	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	do {
		EXPECT(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		nr++;
	} while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);

	return nr;
}

static u64 count_instructions(void (*fn)(void))
{
	return count_between(fn) - count_between(do_nothing);
}

/* What an empty guarded write takes does not depend on the number of frames. */
static void write_cost(void)
{
	u64 one[2], row[2], many;
	unsigned int i;

	machine_reset();
	gic_add_region(SZ_4G, 1, 0, 0);
	EXPECT_EQ(__pkvm_its_fence(other.base, false), 0);
	EXPECT_EQ(gic_hand_over(), 0);
	write_ignored();
	one[0] = count_instructions(write_ignored);
	one[1] = count_instructions(write_after_other);

	machine_reset();
	gic_add_region(SZ_4G, RDIST_MAX_MODELS, 0, 0);
	EXPECT_EQ(__pkvm_its_fence(other.base, false), 0);
	EXPECT_EQ(gic_hand_over(), 0);
	write_ignored();
	row[0] = count_instructions(write_ignored);
	row[1] = count_instructions(write_after_other);

	/* In 16 regions that are not one row, and there are 64 ITSs. */
	machine_reset();
	for (i = 0; i < 16; i++)
		gic_add_region(SZ_4G + i * (SZ_16M + SZ_64K), RDIST_MAX_MODELS / 16, 0, 0);
	for (i = 0; i < 64; i++)
		EXPECT_EQ(__pkvm_its_fence(SZ_2G + i * ITS_FRAME, false), 0);
	EXPECT_EQ(gic_hand_over(), 0);
	write_ignored();
	many = count_instructions(write_ignored);

	EXPECT(one[0] > 20);
	EXPECT(one[1] > one[0]);
	EXPECT(row[0] * 10 <= one[0] * 11);
	EXPECT(row[1] * 10 <= one[1] * 11);
	EXPECT(many * 10 <= one[0] * 11);
}

/* No register is read: a call to map the region would fail, and with another error. */
static void frames_in_memory(void)
{
	static const u64 bases[] = { MEM_LOW, MEM_LOW - SZ_128K, MEM_LOW + SZ_64K };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		machine_reset();
		machine_reset();
		gic_add_region(bases[i], 2, 0, 0);
		mem_fail_call = 2;
		expect_refused(-EINVAL);
		EXPECT_EQ(mem_fail_call, 1);
		mem_fail_call = 0;
	}
}

static void guard_rows(void)
{
	static const struct mmio_guard_ops ops;
	struct mmio_guard guard = {
		.start = SZ_1M, .end = SZ_2M, .stride = SZ_256K,
		.frames = 0xd, .ops = &ops,
	};
	u64 start = 0, end = ~0ULL;

	guard.stride = SZ_256K + SZ_4K;
	EXPECT_EQ(-mmio_guard_add_region(&guard), EINVAL);
	guard.stride = MMIO_GUARD_MAX_STRIDE + SZ_64K;
	EXPECT_EQ(-mmio_guard_add_region(&guard), EINVAL);
	guard.stride = SZ_128K;
	EXPECT_EQ(-mmio_guard_add_region(&guard), EINVAL);
	guard.stride = SZ_256K;
	guard.start = SZ_1M - SZ_4K;
	EXPECT_EQ(-mmio_guard_add_region(&guard), EINVAL);
	guard.start = SZ_1M;
	guard.end = SZ_2M + 1;
	EXPECT_EQ(-mmio_guard_add_region(&guard), EINVAL);
	guard.end = SZ_1M;
	EXPECT_EQ(-mmio_guard_add_region(&guard), EINVAL);
	guard.end = SZ_2M;
	EXPECT_EQ(mmio_guard_add_region(&guard), 0);

	/* Not even in the hole is there room for another. */
	EXPECT_EQ(-mmio_guard_add(SZ_1M + SZ_64K, SZ_64K, &ops, NULL), EBUSY);
	EXPECT_EQ(mmio_guard_add(SZ_2M, SZ_64K, &ops, NULL), 0);

	/* What was found last is not found any more when it has gone. */
	EXPECT(mmio_guard_find(SZ_2M));
	mmio_guard_remove(SZ_2M);
	EXPECT(!mmio_guard_find(SZ_2M));
	EXPECT(mmio_guard_find(SZ_1M));
	mmio_guard_remove(SZ_1M + SZ_64K);
	EXPECT(mmio_guard_find(SZ_1M));
	mmio_guard_remove(SZ_1M);
	EXPECT(!mmio_guard_find(SZ_1M));

	/* Every frame, and the range around those that are open */
	guard.stride = MMIO_GUARD_MAX_STRIDE;
	guard.frames = ~0ULL & ~BIT_ULL(0) & ~BIT_ULL(63);
	guard.end = SZ_1M + 2 * MMIO_GUARD_MAX_STRIDE;
	EXPECT_EQ(mmio_guard_add_region(&guard), 0);
	EXPECT(!mmio_guard_find(SZ_1M));
	EXPECT(mmio_guard_find(SZ_1M + SZ_64K));
	EXPECT(mmio_guard_find(guard.end - SZ_64K - 1));
	EXPECT(!mmio_guard_find(guard.end - SZ_64K));
	mmio_guard_clip(SZ_1M + MMIO_GUARD_MAX_STRIDE, &start, &end);
	EXPECT_EQ(start, SZ_1M + MMIO_GUARD_MAX_STRIDE);
	EXPECT_EQ(end, SZ_1M + MMIO_GUARD_MAX_STRIDE + SZ_64K);
	start = 0;
	end = ~0ULL;
	mmio_guard_clip(guard.end - PAGE_SIZE, &start, &end);
	EXPECT_EQ(start, guard.end - SZ_64K);
	EXPECT_EQ(end, guard.end);
	mmio_guard_clip(guard.end, &start, &end);
	EXPECT_EQ(start, guard.end);
}

/* The oracle itself: what a redistributor that is not confined does is noticed. */
static void model_notices(void)
{
	struct rdist_model *rdist;

	up();
	rdist = gic.rdist[0];
	EXPECT_DEATH(rdist_model_write(rdist, GICR_CTLR, 0, 4), "is confined");
	EXPECT_DEATH(rdist_model_write(rdist, GICR_PENDBASER, 0, 8), "is confined");
	EXPECT_DEATH(({ rdist->pendbaser = MEM_LOW + SZ_16M;
			rdist_model_set_pending(rdist, 8192); }), "pending table at");
	EXPECT_DEATH(({ rdist->propbaser = rdist->pendbaser | (LPI_BITS - 1);
			rdist_model_set_pending(rdist, 8192); }), "property table at");
	EXPECT_DEATH(__pkvm_hyp_donate_host(hyp_phys_to_pfn(gic.tables[0].pending), 1),
		     "released");
}

const struct test rdist_tests[] = {
	TEST(adopt),
	TEST(no_lpis),
	TEST(odd_tables),
	TEST(base_keeps_32_bits),
	TEST(others_memory),
	TEST(odd_regions),
	TEST(state_size),
	TEST(failing_calls),
	TEST(virtual_lpis),
	TEST(tables),
	TEST(waker),
	TEST(direct_lpis),
	TEST(all_others),
	TEST(frames),
	TEST(behind_last),
	TEST(strides),
	TEST(single),
	TEST(gaps_in_use),
	TEST(tails),
	TEST(absent),
	TEST(not_a_redistributor),
	TEST(big_machine),
	TEST(write_cost),
	TEST(frames_in_memory),
	TEST(guard_rows),
	TEST(model_notices),
	{}
};
