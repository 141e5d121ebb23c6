// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the description of GICv3 redistributors: those of the machine the tests
 * run on, and a hypervisor that fails when told to.
 */

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>

#include <linux/cleanup.h>
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/irqchip/arm-gic-v3-staging.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

struct fake_hypervisor {
	struct gic_staging_desc	*desc;
	int			nr_calls;
	int			ret;
};

static struct fake_hypervisor *hyp;

/* Keeps what it has been told */
static int __init fake_register(struct gic_staging_desc *desc)
{
	struct kunit *test = kunit_get_current_test();

	hyp->nr_calls++;
	hyp->desc = kunit_kmalloc(test, gic_staging_desc_size(desc), GFP_KERNEL);
	if (!hyp->desc)
		return -ENOMEM;

	memcpy(hyp->desc, desc, gic_staging_desc_size(desc));

	return hyp->ret;
}

static struct gic_staging_desc *fake_alloc(size_t size)
{
	return NULL;
}

static int __init fake_hand_over(void)
{
	guard(cpus_read_lock)();

	return gic_start_deprivilege(fake_register);
}

static void __init rdists_test_described(struct kunit *test)
{
	struct gic_staging_region *region;
	struct gic_staging_desc *desc;
	u64 end = 0;
	u32 i;

	KUNIT_ASSERT_EQ(test, fake_hand_over(), 0);
	KUNIT_ASSERT_EQ(test, hyp->nr_calls, 1);

	desc = hyp->desc;
	KUNIT_EXPECT_GE(test, desc->nr_regions, 1);
	KUNIT_EXPECT_GE(test, desc->nr_rdists, num_online_cpus());

	for (i = 0; i < desc->nr_regions; i++) {
		region = &desc->regions[i];
		KUNIT_EXPECT_GE(test, region->base, end);
		KUNIT_EXPECT_GE(test, region->size, SZ_128K);
		end = region->base + region->size;
	}
}

/* Each table is described once: those in the registers and those of the CPUs. */
static void __init rdists_test_tables(struct kunit *test)
{
	struct gic_staging_table *table, *tables;
	struct gic_staging_desc *desc;
	void __iomem *rd_base;
	u64 val;
	u32 i, j;

	KUNIT_ASSERT_EQ(test, fake_hand_over(), 0);

	desc = hyp->desc;
	if (!desc->nr_tables)
		kunit_skip(test, "needs an ITS");

	KUNIT_EXPECT_GE(test, desc->nr_tables, num_online_cpus());
	KUNIT_EXPECT_LE(test, desc->nr_tables, num_possible_cpus());

	tables = gic_staging_tables(desc);
	for (i = 0; i < desc->nr_tables; i++) {
		table = &tables[i];
		rd_base = ioremap(table->rd_base, SZ_64K);
		KUNIT_ASSERT_NOT_NULL(test, rd_base);

		val = gicr_read_pendbaser(rd_base + GICR_PENDBASER);
		KUNIT_EXPECT_EQ(test, table->pending, GICR_PENDBASER_ADDRESS(val));
		val = gicr_read_propbaser(rd_base + GICR_PROPBASER);
		KUNIT_EXPECT_EQ(test, desc->prop_table, GICR_PROPBASER_ADDRESS(val));
		KUNIT_EXPECT_EQ(test, desc->lpi_bits, (val & GICR_PROPBASER_IDBITS_MASK) + 1);
		val = readl_relaxed(rd_base + GICR_CTLR);
		KUNIT_EXPECT_TRUE(test, val & GICR_CTLR_ENABLE_LPIS);
		iounmap(rd_base);

		for (j = 0; j < i; j++) {
			KUNIT_EXPECT_NE(test, table->rd_base, tables[j].rd_base);
			KUNIT_EXPECT_NE(test, table->pending, tables[j].pending);
		}
	}
}

static void __init rdists_test_alloc_fails(struct kunit *test)
{
	kunit_activate_static_stub(test, gic_staging_alloc, fake_alloc);
	KUNIT_EXPECT_EQ(test, fake_hand_over(), -ENOMEM);
	KUNIT_EXPECT_EQ(test, hyp->nr_calls, 0);
	kunit_deactivate_static_stub(test, gic_staging_alloc);

	KUNIT_EXPECT_EQ(test, fake_hand_over(), 0);
	KUNIT_EXPECT_EQ(test, hyp->nr_calls, 1);
}

/* Its error is passed on, and the description is the same the next time. */
static void __init rdists_test_register_fails(struct kunit *test)
{
	struct gic_staging_desc *desc;

	hyp->ret = -EPERM;
	KUNIT_EXPECT_EQ(test, fake_hand_over(), -EPERM);
	KUNIT_ASSERT_EQ(test, hyp->nr_calls, 1);
	desc = hyp->desc;

	hyp->ret = 0;
	KUNIT_EXPECT_EQ(test, fake_hand_over(), 0);
	KUNIT_ASSERT_EQ(test, hyp->nr_calls, 2);
	KUNIT_ASSERT_EQ(test, gic_staging_desc_size(hyp->desc), gic_staging_desc_size(desc));
	KUNIT_EXPECT_MEMEQ(test, hyp->desc, desc, gic_staging_desc_size(desc));
}

static void __init fake_disable_lpis(void __iomem *rd_base)
{
	guard(cpus_read_lock)();

	its_disable_unused_lpis(rd_base);
}

/* A redistributor made of memory, which no CPU uses */
static void __init rdists_test_earlier_kernel(struct kunit *test)
{
	void __iomem *rd_base = (void __iomem *)kunit_kzalloc(test, SZ_64K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, (void *)rd_base);

	writel_relaxed(GICR_CTLR_IR, rd_base + GICR_CTLR);
	fake_disable_lpis(rd_base);
	KUNIT_EXPECT_EQ(test, readl_relaxed(rd_base + GICR_CTLR), GICR_CTLR_IR);

	writel_relaxed(GICR_CTLR_IR | GICR_CTLR_ENABLE_LPIS, rd_base + GICR_CTLR);
	fake_disable_lpis(rd_base);
	KUNIT_EXPECT_EQ(test, readl_relaxed(rd_base + GICR_CTLR), GICR_CTLR_IR);
}

/* Quiescence that does not come: RWP stays set, and the driver gives up. */
static void __init rdists_test_earlier_kernel_rwp(struct kunit *test)
{
	void __iomem *rd_base = (void __iomem *)kunit_kzalloc(test, SZ_64K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, (void *)rd_base);

	writel_relaxed(GICR_CTLR_RWP | GICR_CTLR_ENABLE_LPIS, rd_base + GICR_CTLR);
	fake_disable_lpis(rd_base);
	KUNIT_EXPECT_EQ(test, readl_relaxed(rd_base + GICR_CTLR), GICR_CTLR_RWP);
}

static int rdists_test_init(struct kunit *test)
{
	hyp = kunit_kzalloc(test, sizeof(*hyp), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, hyp);

	return 0;
}

static struct kunit_case __refdata rdists_test_cases[] = {
	KUNIT_CASE(rdists_test_described),
	KUNIT_CASE(rdists_test_tables),
	KUNIT_CASE(rdists_test_alloc_fails),
	KUNIT_CASE(rdists_test_register_fails),
	KUNIT_CASE(rdists_test_earlier_kernel),
	KUNIT_CASE_SLOW(rdists_test_earlier_kernel_rwp),
	{}
};

static struct kunit_suite rdists_test_suite = {
	.name		= "gic-staging",
	.init		= rdists_test_init,
	.test_cases	= rdists_test_cases,
};

kunit_test_init_section_suite(rdists_test_suite);
