// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls that are left to a host that is not trusted any more
 */

#include "test.h"

#define DEV		0x123
#define EVENT_BITS	5

static struct host_its *its;

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
		EXPECT_EQ(__pkvm_its_prepare(wrong[i], DEV, 1, page), -EINVAL);
		EXPECT_EQ(__pkvm_its_reclaim(wrong[i], DEV), -EINVAL);
		EXPECT_EQ(__pkvm_its_stat(wrong[i], PKVM_ITS_HELD_PAGES), 0);
		EXPECT_EQ(__pkvm_its_adopt_device(wrong[i], DEV, 1, page), -EINVAL);
		EXPECT_EQ(__pkvm_its_adopt_event(wrong[i], DEV, 0), -EINVAL);
		EXPECT_EQ(__pkvm_its_activate(wrong[i], 0), -EINVAL);
		EXPECT_EQ(__pkvm_its_unregister(wrong[i]), -EINVAL);
	}

	EXPECT(mem_host_write(page, 1));
	its_check_held(its);
}

/* Before the activation no hypercall gives anything. */
static void not_active(void)
{
	phys_addr_t itt;

	its = its_start(&machine_default);
	EXPECT(!its_register(its));
	itt = its_alloc_itt(its, EVENT_BITS);
	its_stage_level2(its, BASER_DEVICES, DEV);
	EXPECT_EQ(its_prepare(its, DEV, EVENT_BITS, itt), -EINVAL);
	EXPECT_EQ(its_reclaim(its, DEV), -EINVAL);
	EXPECT(mem_host_write(itt, 1));
	EXPECT(!its_activate(its));
	EXPECT_EQ(its_prepare(its, DEV, EVENT_BITS, itt), 0);
}

/* The rest of the hypervisor fails, at each of the two donations. */
static void failing_prepare(void)
{
	phys_addr_t itt, level2;
	u64 held;

	its = its_up(&machine_default);
	itt = its_alloc_itt(its, EVENT_BITS);
	level2 = its_stage_level2(its, BASER_DEVICES, DEV);
	held = its_stat(its, PKVM_ITS_HELD_PAGES);

	mem_fail_call = 1;
	EXPECT_EQ(its_prepare(its, DEV, EVENT_BITS, itt), -ENOMEM);
	EXPECT(mem_host_write(itt, 1) && mem_host_write(level2, 1));
	EXPECT_EQ(its_stat(its, PKVM_ITS_HELD_PAGES), held);

	mem_fail_call = 2;
	EXPECT_EQ(its_prepare(its, DEV, EVENT_BITS, itt), -ENOMEM);
	EXPECT(mem_host_write(itt, 1) && !mem_host_write(level2, 1));
	EXPECT(!el2_device(its->id, DEV));
	its_check_held(its);

	EXPECT_EQ(its_prepare(its, DEV, EVENT_BITS, itt), 0);
	its_check_held(its);
}

/* What another device has, and what is not there */
static void reclaim(void)
{
	static const u64 wrong[] = { DEV + 1, 0, 0x8000, BIT(16) - 1, BIT(16), BIT(16) + DEV,
				     BIT_ULL(32) + DEV, BIT_ULL(63), ~0ULL };
	phys_addr_t itt;
	unsigned int i;

	its = its_up(&machine_default);
	itt = test_map(its, DEV, EVENT_BITS);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(its_reclaim(its, wrong[i]), -EINVAL);
	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	EXPECT(!mem_host_write(itt, 1));
	UNMAP(its, DEV);
	EXPECT_EQ(its_reclaim(its, DEV), -EINVAL);
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
	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_NOT_MAPPED), 1);
	EXPECT_EQ(its_stat(its, PKVM_ITS_NR_STATS), 0);
}

/*
 * Records on both sides of each boundary between level-2 pages, with @dev_bits of DeviceIDs
 * and a table that has room for them
 */
static void records(u32 dev_bits, u32 psz, u32 nr_table_pages)
{
	u64 page = psz / machine_default.devices.entry_size, last = BIT_ULL(dev_bits) - 1, rdbase;
	const u64 dev_ids[] = {
		0, 1, page - 1, page, 2 * page - 1, 2 * page, last - page, last - page + 1, last,
	};
	struct machine_config cfg = machine_default;
	unsigned int i;
	u32 intid;

	cfg.its.dev_bits = dev_bits;
	cfg.devices.psz = psz;
	cfg.devices.nr_pages = nr_table_pages;
	machine_reset();
	its = its_up(&cfg);

	for (i = 0; i < ARRAY_SIZE(dev_ids); i++) {
		test_map(its, dev_ids[i], EVENT_BITS);
		ACCEPT(its, cmd_mapti(dev_ids[i], 1, 8192 + i, 0));
	}

	for (i = 0; i < ARRAY_SIZE(dev_ids); i++) {
		EXPECT(its_model_translate(its->model, dev_ids[i], 1, &intid, &rdbase));
		EXPECT_EQ(intid, 8192 + i);
		DISCARD(its, dev_ids[i], 1);
		UNMAP(its, dev_ids[i]);
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(dev_ids[i]));
	}

	its_check_held(its);
}

static void records_of_all_sizes(void)
{
	records(16, SZ_4K, PAGE_SIZE / SZ_4K);
	records(16, SZ_16K, 4);
	records(16, SZ_64K, 1);
	records(20, SZ_4K, 16);
	records(20, SZ_64K, 1);
}

/* Half a million level-2 pages */
static void records_of_32_bits(void)
{
	records(32, SZ_64K, BIT_ULL(32) * 8 / SZ_64K * 8 / SZ_64K);
}

/*
 * Indices that the host chooses are clamped behind their check, so that a CPU that guesses
 * the check wrong does not read elsewhere.
 */
static void speculation(void)
{
	u64 nr_ids = BIT_ULL(machine_default.its.dev_bits);
	struct test_regs regs;
	phys_addr_t itt;

	its = its_up(&machine_default);
	its = its_up(&machine_default);
	itt = its_alloc_itt(its, EVENT_BITS);
	its_stage_level2(its, BASER_DEVICES, DEV);

	el2_nr_nospec(0, 0);
	__pkvm_its_stat(its->id, PKVM_ITS_HELD_PAGES);
	EXPECT_EQ(el2_nr_nospec(1, 2), 1);
	__pkvm_its_stat(its->id, PKVM_ITS_REFUSED_BAD_EVENT);
	EXPECT_EQ(el2_nr_nospec(PKVM_ITS_REFUSED_BAD_EVENT, PKVM_ITS_NR_STATS), 1);

	/* To find out that there is no level-2 page, to take it, and to find the record */
	EXPECT_EQ(its_prepare(its, DEV, EVENT_BITS, itt), 0);
	EXPECT_EQ(el2_nr_nospec(DEV, nr_ids), 3);

	its_stage(its, cmd_mapd(DEV, EVENT_BITS, itt));
	its_ring(its);
	EXPECT_EQ(el2_nr_nospec(DEV, nr_ids), 1);

	its_stage(its, cmd_mapti(DEV, 3, 8192, 0));
	its_ring(its);
	EXPECT_EQ(el2_nr_nospec(3, BIT(EVENT_BITS)), 1);
	its_stage(its, cmd_event(GITS_CMD_DISCARD, DEV, 3));
	its_ring(its);
	EXPECT_EQ(el2_nr_nospec(DEV, nr_ids), 1);
	its_stage(its, cmd_event(GITS_CMD_DISCARD, DEV, 3));
	its_ring(its);
	EXPECT_EQ(el2_nr_nospec(3, BIT(EVENT_BITS)), 1);

	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	EXPECT_EQ(el2_nr_nospec(DEV, nr_ids), 1);

	regs = test_regs(its);
	its_write(its, GITS_CTLR, 0, 4);
	el2_nr_nospec(0, 0);
	its_write(its, GITS_BASER + 8, regs.baser[1], 8);
	EXPECT_EQ(el2_nr_nospec(1, GITS_BASER_NR_REGS), 1);
}

const struct test hypercall_tests[] = {
	TEST(speculation),
	TEST(ids),
	TEST(not_active),
	TEST(failing_prepare),
	TEST(reclaim),
	TEST(stat_numbers),
	TEST(records_of_all_sizes),
	TEST(records_of_32_bits),
	{}
};
