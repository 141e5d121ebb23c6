// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls that are left to a host that is not trusted any more
 */

#include "test.h"

#define DEV		0x123
#define EVENT_BITS	5
#define GRANULE		(PAGE_SIZE / 16)

static struct host_its *its;

static u64 new_pfn(void)
{
	return hyp_phys_to_pfn(host_alloc(PAGE_SIZE, PAGE_SIZE));
}

static int add_page(u64 dev_id, u64 pfn)
{
	return __pkvm_its_add_page(its->id, dev_id, pfn);
}

static void ids(void)
{
	u32 wrong[] = { 1, 2, 3, 63, 64, 65, BIT(31), -1 };
	struct host_its *gone;
	phys_addr_t page;
	unsigned int i;

	its = its_start(&machine_default);
	gone = its_start(&machine_default);
	EXPECT(!its_hand_over(its));
	EXPECT(!its_register(gone));
	EXPECT_EQ(gone->id, wrong[0]);
	EXPECT(!its_unregister(gone));
	page = host_alloc(PAGE_SIZE, PAGE_SIZE);

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(__pkvm_its_post(wrong[i], 0), -EINVAL);
		EXPECT_EQ(__pkvm_its_add_page(wrong[i], DEV, hyp_phys_to_pfn(page)), -EINVAL);
		EXPECT_EQ(__pkvm_its_reclaim(wrong[i], page, PAGE_SIZE), -EINVAL);
		EXPECT_EQ(__pkvm_its_stat(wrong[i], PKVM_ITS_HELD_PAGES), 0);
		EXPECT_EQ(__pkvm_its_map_device(wrong[i], DEV, 1, page), -EINVAL);
		EXPECT_EQ(__pkvm_its_activate(wrong[i], 0), -EINVAL);
		EXPECT_EQ(__pkvm_its_unregister(wrong[i]), -EINVAL);
	}

	EXPECT(mem_host_write(page, 1));
	its_check_held(its);
}

static void device_ids(void)
{
	static const u64 wrong[] = { BIT(16), BIT(16) + DEV, BIT_ULL(32), BIT_ULL(32) + DEV,
				     BIT_ULL(63), ~0ULL };
	phys_addr_t page;
	unsigned int i;

	its = its_up(&machine_default);
	page = host_alloc(PAGE_SIZE, PAGE_SIZE);

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(add_page(wrong[i], hyp_phys_to_pfn(page)), -EINVAL);
		EXPECT(mem_host_write(page, 1));
	}

	its_check_held(its);
	EXPECT(!add_page(BIT(16) - 1, hyp_phys_to_pfn(page)));
	EXPECT(!mem_host_write(page, 1));
	its_check_held(its);
}

static void pages(void)
{
	u64 guests = new_pfn(), el2s = new_pfn(), shared = new_pfn(), good = new_pfn();
	phys_addr_t itt;
	unsigned int i;

	its = its_up(&machine_default);
	itt = test_map(its, 0, EVENT_BITS);
	EXPECT(mem_give_guest(hyp_pfn_to_phys(guests)));
	mem_give_el2(hyp_pfn_to_phys(el2s));
	its->nr_state++;
	EXPECT(!__pkvm_host_share_hyp(shared));

	const u64 wrong[] = {
		guests, el2s, shared, hyp_phys_to_pfn(itt), hyp_phys_to_pfn(its->queue),
		hyp_phys_to_pfn(its->staging), hyp_phys_to_pfn(its->tables[0]),
		hyp_phys_to_pfn(FRAME_BASE), 0, hyp_phys_to_pfn(mem_end(MEM_LOW)),
		~0ULL, ~0ULL >> PAGE_SHIFT, hyp_phys_to_pfn(BIT_ULL(52)),
	};

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		u64 held = its_stat(its, PKVM_ITS_HELD_PAGES);

		EXPECT_EQ(add_page(0x8000, wrong[i]), -EPERM);
		EXPECT_EQ(its_stat(its, PKVM_ITS_HELD_PAGES), held);
	}

	EXPECT_EQ(mem_page(hyp_pfn_to_phys(guests))->owner, MEM_GUEST);
	EXPECT_EQ(mem_page(itt)->owner, MEM_ITS);
	EXPECT(!add_page(0x8000, good));
}

/* Two levels are wanted, and each takes a page of its own. */
static void same_page_twice(void)
{
	u64 pfn = new_pfn();

	its = its_up(&machine_default);
	EXPECT(!add_page(DEV, pfn));
	EXPECT_EQ(add_page(DEV, pfn), -EPERM);
	EXPECT(!add_page(DEV, new_pfn()));
	EXPECT_EQ(add_page(DEV, new_pfn()), -EEXIST);
	its_check_held(its);
}

/* Until there is a record, and not a page more */
static void not_wanted(void)
{
	phys_addr_t page;

	its = its_up(&machine_default);
	EXPECT(!its_reserve(its, DEV));
	EXPECT_EQ(its->nr_records, 2);
	page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	EXPECT_EQ(add_page(DEV, hyp_phys_to_pfn(page)), -EEXIST);
	EXPECT(mem_host_write(page, 1));
	its_check_held(its);

	mem_fail_call = 1;
	EXPECT_EQ(add_page(0x4000, hyp_phys_to_pfn(page)), -ENOMEM);
	EXPECT(mem_host_write(page, 1));
	its_check_held(its);
}

/* What the host has left in a page is no record. */
static void page_with_contents(void)
{
	phys_addr_t page;
	unsigned int i;

	its = its_up(&machine_default);
	for (i = 0; i < 2; i++) {
		page = host_alloc(PAGE_SIZE, PAGE_SIZE);
		EXPECT(mem_host_fill(page, PAGE_SIZE, (page + PAGE_SIZE) | BIT(7) | 5));
		EXPECT(!add_page(DEV, hyp_phys_to_pfn(page)));
	}

	EXPECT_EQ(add_page(DEV, new_pfn()), -EEXIST);
	its_stage_level2(its, BASER_DEVICES, DEV);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_event(GITS_CMD_INV, DEV + 1, 0));
}

static void reclaim(void)
{
	phys_addr_t itt, end, free;
	unsigned int i;
	u64 size;

	its = its_up(&machine_default);
	size = test_itt_size(its, 14);
	free = host_alloc(SZ_16M + PAGE_SIZE, PAGE_SIZE);
	itt = test_map(its, DEV, 14);
	end = itt + size;

	const struct {
		phys_addr_t	itt;
		u64		size;
		int		ret;
	} ranges[] = {
		{ free, GRANULE, 0 },
		{ free + GRANULE, GRANULE, 0 },
		{ free, SZ_16M, 0 },
		{ free, SZ_16M + GRANULE, -EBUSY },
		{ free, 0, -EBUSY },
		{ free, GRANULE / 2, -EBUSY },
		{ free + GRANULE / 2, GRANULE, -EBUSY },
		{ free, ~0ULL, -EBUSY },
		{ free, ~0ULL - GRANULE + 1, -EBUSY },
		{ ~0ULL - GRANULE + 1, GRANULE, -EBUSY },
		{ ~0ULL - GRANULE + 1, 2 * GRANULE, -EBUSY },
		{ 0, GRANULE, -EBUSY },
		{ FRAME_BASE, PAGE_SIZE, -EBUSY },
		{ mem_end(MEM_LOW) - PAGE_SIZE, PAGE_SIZE, 0 },
		{ mem_end(MEM_LOW) - PAGE_SIZE, 2 * PAGE_SIZE, -EBUSY },
		{ itt, size, -EBUSY },
		{ itt, GRANULE, -EBUSY },
		{ end - GRANULE, GRANULE, -EBUSY },
		{ end - GRANULE, 2 * GRANULE, -EBUSY },
		{ itt - PAGE_SIZE, PAGE_SIZE, 0 },
		{ itt - PAGE_SIZE, PAGE_SIZE + GRANULE, -EBUSY },
	};

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		int ret = __pkvm_its_reclaim(its->id, ranges[i].itt, ranges[i].size);

		if (ret != ranges[i].ret)
			mem_fail("range %u: %d", i, ret);
	}

	ACCEPT(its, cmd_unmapd(DEV));
	EXPECT(!__pkvm_its_reclaim(its->id, itt, size));
	EXPECT(!its_model_is_mapped(its->model, DEV) && mem_host_write(itt, 1));
}

/* The unmapping has not been executed when it is posted, and then it has. */
static void reclaim_deferred(void)
{
	phys_addr_t itt, size;

	its = its_up(&machine_default);
	itt = test_map(its, DEV, EVENT_BITS);
	size = test_itt_size(its, EVENT_BITS);

	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_unmapd(DEV));
	its_ring(its);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), 1);
	EXPECT_EQ(__pkvm_its_reclaim(its->id, itt, size), -EBUSY);
	EXPECT(!mem_host_write(itt, 1));

	its_model_step(its->model, 1);
	EXPECT(!__pkvm_its_reclaim(its->id, itt, size));
	EXPECT(mem_host_write(itt, 1));
	its_check_held(its);
}

static void stat_numbers(void)
{
	static const u32 wrong[] = { PKVM_ITS_NR_STATS, PKVM_ITS_NR_STATS + 1, BIT(31), ~0U };
	unsigned int i;

	its = its_up(&machine_default);
	for (i = 0; i < PKVM_ITS_NR_STATS; i++)
		EXPECT_EQ(!!its_stat(its, i), i == PKVM_ITS_HELD_PAGES);

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(__pkvm_its_stat(its->id, wrong[i]), 0);

	/* What lies behind the last counter is no counter. */
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	EXPECT_EQ(its_stat(its, PKVM_ITS_NR_STATS - 1), 1);
	EXPECT_EQ(its_stat(its, PKVM_ITS_NR_STATS), 0);
}

/*
 * Records on both sides of each boundary between levels, with @dev_bits of DeviceIDs and
 * a table that has room for them
 */
static void records(u32 dev_bits, u32 nr_table_pages)
{
	u64 leaf = BIT_ULL(PKVM_ITS_RECORD_SHIFT), mid = BIT_ULL(2 * PKVM_ITS_RECORD_SHIFT);
	struct machine_config cfg = machine_default;
	u64 last = BIT_ULL(dev_bits) - 1;
	const struct {
		u64	dev_id;
		u32	nr_pages;
	} wants[] = {
		{ 0, 2 }, { leaf - 1, 0 }, { leaf, 1 }, { 2 * leaf - 1, 0 },
		{ mid - 1, 1 }, { mid, 2 }, { mid + leaf - 1, 0 }, { mid + leaf, 1 },
		{ last, last >> (2 * PKVM_ITS_RECORD_SHIFT) > 1 ? 2 : 1 },
		{ last - leaf + 1, 0 }, { last - leaf, 1 },
	};
	unsigned int i;
	u64 rdbase;
	u32 intid;

	cfg.its.dev_bits = dev_bits;
	cfg.devices.nr_pages = nr_table_pages;
	machine_reset();
	its = its_start(&cfg);
	EXPECT(!its_register(its));

	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		u32 had = its->nr_records;

		if (wants[i].dev_id > last)
			continue;

		EXPECT(!its_reserve(its, wants[i].dev_id));
		EXPECT(mid > last || its->nr_records - had == wants[i].nr_pages);
	}

	EXPECT_EQ(its_reserve(its, last + 1), -EINVAL);

	/* All of it comes back, */
	EXPECT(!its_unregister(its));
	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS), 0);
	EXPECT(mem_is_clean());

	/* and each DeviceID has a record of its own. */
	EXPECT(!its_hand_over(its));
	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		if (wants[i].dev_id > last)
			continue;

		test_map(its, wants[i].dev_id, EVENT_BITS);
		ACCEPT(its, cmd_mapti(wants[i].dev_id, 1, 8192 + i, 0));
	}

	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		if (wants[i].dev_id > last)
			continue;

		EXPECT(its_model_translate(its->model, wants[i].dev_id, 1, &intid, &rdbase));
		EXPECT_EQ(intid, 8192 + i);
		ACCEPT(its, cmd_unmapd(wants[i].dev_id));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(wants[i].dev_id));
	}

	its_check_held(its);
}

static void records_of_16_bits(void)
{
	records(16, 1);
}

static void records_of_20_bits(void)
{
	records(20, 1);
}

/* Half a million level-2 pages */
static void records_of_32_bits(void)
{
	records(32, BIT_ULL(32) * 8 / SZ_64K * 8 / SZ_64K);
}

/*
 * Indices that the host chooses are clamped behind their check, so that a CPU that guesses
 * the check wrong does not read elsewhere.
 */
static void speculation(void)
{
	u64 nr_ids = BIT_ULL(machine_default.its.dev_bits), nr_icids;
	struct machine_config cfg = machine_default;
	struct test_regs regs;

	cfg.collections.indirect = true;
	nr_icids = SZ_64K / 8 * (SZ_64K / cfg.collections.entry_size);
	its = its_up(&cfg);
	its = its_up(&cfg);

	el2_nr_nospec(0, 0);
	__pkvm_its_stat(its->id, PKVM_ITS_WRITES);
	EXPECT_EQ(el2_nr_nospec(1, 2), 1);
	__pkvm_its_stat(its->id, PKVM_ITS_WRITES);
	EXPECT_EQ(el2_nr_nospec(PKVM_ITS_WRITES, PKVM_ITS_NR_STATS), 1);

	/* To find out that there is no record, and where a page of records goes */
	EXPECT(!add_page(DEV, new_pfn()));
	EXPECT_EQ(el2_nr_nospec(DEV, nr_ids), 2);
	EXPECT(!its_reserve(its, DEV));

	/* The record, and the level-1 entry before it is written */
	its_stage_level2(its, BASER_DEVICES, DEV);
	its_stage(its, cmd_mapd(DEV, EVENT_BITS, host_alloc(PAGE_SIZE, PAGE_SIZE)));
	el2_nr_nospec(0, 0);
	its_ring(its);
	EXPECT_EQ(el2_nr_nospec(DEV, nr_ids), 3);

	its_stage(its, cmd_mapti(DEV, 1, 8192, 0));
	its_ring(its);
	EXPECT_EQ(el2_nr_nospec(DEV, nr_ids), 1);

	its_stage_level2(its, BASER_COLLECTIONS, 0x8000);
	its_stage(its, cmd_mapc(0x8000, its_model_rdbase(its->model, 0)));
	its_ring(its);
	EXPECT_EQ(el2_nr_nospec(0x8000, nr_icids), 2);

	regs = test_regs(its);
	its_write(its, GITS_CTLR, 0, 4);
	el2_nr_nospec(0, 0);
	its_write(its, GITS_BASER + 8, regs.baser[1], 8);
	EXPECT_EQ(el2_nr_nospec(1, GITS_BASER_NR_REGS), 1);
}

const struct test hypercall_tests[] = {
	TEST(speculation),
	TEST(ids),
	TEST(device_ids),
	TEST(pages),
	TEST(same_page_twice),
	TEST(not_wanted),
	TEST(page_with_contents),
	TEST(reclaim),
	TEST(reclaim_deferred),
	TEST(stat_numbers),
	TEST(records_of_16_bits),
	TEST(records_of_20_bits),
	TEST(records_of_32_bits),
	{}
};
