// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the hand-over of GICv3 ITSs: several ITSs made of memory, and a
 * hypervisor that keeps an account of what it is asked, and fails when told to.
 */

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>

#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "irq-gic-v3-its.h"

#define NR_ITS		3
#define NR_DEVS		2
#define L1_ORDER	1

/* Commands posted before the hand-over, per ITS: at the start, amid, at the end */
static const u32 fake_offsets[NR_ITS] = { 0, 17 * 32, ITS_CMD_QUEUE_SZ - 32 };

enum fake_call {
	FAKE_ALLOC,
	FAKE_REGISTER,
	FAKE_ADOPT,
	FAKE_ACTIVATE,
	FAKE_ADOPT_EVENT,
	FAKE_PREPARE,
	FAKE_NR_CALLS,
};

struct fake_its {
	struct its_node		node;
	struct its_node		before;
	struct its_device	devs[NR_DEVS];
	void			*l1;
	void			*flat;
	struct its_staging_desc	*desc;
	unsigned long		events[NR_DEVS];
	u32			mapped;
	u32			offset;
	bool			registered;
	bool			active;
};

struct fake_world {
	struct list_head	nodes;
	struct fake_its		its[NR_ITS];
	int			calls[FAKE_NR_CALLS];
	enum fake_call		fail_call;
	int			fail_at;
	int			nr_allocated;
	int			nr_registered;
	u32			prepared;
	bool			in_use;
};

static struct fake_world *world;

/* True for the call that the test wants to fail */
static bool fake_fails(enum fake_call call)
{
	return world->calls[call]++ == world->fail_at && world->fail_call == call;
}

static void *fake_alloc(int node, size_t size)
{
	struct page *page;

	if (fake_fails(FAKE_ALLOC))
		return NULL;

	page = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, get_order(size));
	if (!page)
		return NULL;

	world->nr_allocated++;

	return page_address(page);
}

static void fake_free(void *addr, size_t size)
{
	world->nr_allocated--;
	free_pages((unsigned long)addr, get_order(size));
}

static int fake_register(const struct its_staging_desc *desc)
{
	struct fake_its *its;
	size_t size;
	u32 i;

	if (fake_fails(FAKE_REGISTER))
		return -EPERM;

	for (i = 0; i < NR_ITS; i++) {
		its = &world->its[i];
		if (its->node.phys_base != desc->base)
			continue;

		size = struct_size(desc, rdbases, desc->nr_rdbases);
		its->desc = kunit_kzalloc(kunit_get_current_test(), size, GFP_KERNEL);
		if (!its->desc)
			return -ENOMEM;

		memcpy(its->desc, desc, size);
		its->registered = true;
		world->nr_registered++;
		return i;
	}

	return -ENODEV;
}

static void fake_unregister(int id)
{
	world->its[id].registered = false;
	world->its[id].mapped = 0;
	world->nr_registered--;
}

static int fake_adopt(int id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	struct fake_its *its = &world->its[id];

	if (fake_fails(FAKE_ADOPT) || its->active)
		return -EINVAL;

	if (virt_to_phys(its->devs[dev_id].itt) == itt &&
	    BIT(event_bits) == its->devs[dev_id].nr_ites)
		its->mapped |= BIT(dev_id);

	return 0;
}

static int fake_activate(int id, u32 offset)
{
	if (fake_fails(FAKE_ACTIVATE) || !mutex_is_locked(&world->its[id].node.dev_alloc_lock))
		return -EBUSY;

	world->its[id].active = true;
	world->its[id].offset = offset;

	return 0;
}

static int fake_adopt_event(int id, u32 dev_id, u32 event_id)
{
	struct fake_its *its = &world->its[id];

	if (fake_fails(FAKE_ADOPT_EVENT) || !its->active || !raw_spin_is_locked(&its->node.lock) ||
	    !mutex_is_locked(&its->node.dev_alloc_lock))
		return -EINVAL;

	its->events[dev_id] |= BIT(event_id);

	return 0;
}

static int fake_prepare(int id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	if (fake_fails(FAKE_PREPARE))
		return -ENOMEM;

	if (world->prepared == dev_id)
		return -EBUSY;

	world->prepared = dev_id;

	return 0;
}

static int fake_reclaim(int id, u32 dev_id)
{
	if (world->in_use)
		return -EBUSY;

	world->prepared = 0;

	return 0;
}

static const struct its_staging_ops fake_ops = {
	.register_its	= fake_register,
	.adopt_device	= fake_adopt,
	.activate	= fake_activate,
	.adopt_event	= fake_adopt_event,
	.unregister_its	= fake_unregister,
	.prepare	= fake_prepare,
	.reclaim	= fake_reclaim,
};

static void *fake_pages(struct kunit *test, size_t size)
{
	void *mem = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mem);

	return mem;
}

static void fake_its_init(struct kunit *test, struct fake_its *its, u32 i)
{
	struct its_node *node = &its->node;
	u32 cpu, dev;

	raw_spin_lock_init(&node->lock);
	mutex_init(&node->dev_alloc_lock);
	INIT_LIST_HEAD(&node->its_device_list);
	list_add_tail(&node->entry, &world->nodes);

	node->numa_node = NUMA_NO_NODE;
	node->phys_base = SZ_1G + i * SZ_128K;
	node->base = (void __iomem *)fake_pages(test, SZ_64K);
	node->cmd_base = fake_pages(test, ITS_CMD_QUEUE_SZ);
	node->cmd_write = (void *)node->cmd_base + fake_offsets[i];
	node->typer = FIELD_PREP(GITS_TYPER_ITT_ENTRY_SIZE, 7 + i) | GITS_TYPER_PTA;
	node->flags = i == 1 ? ITS_FLAGS_CMDQ_NEEDS_FLUSHING : 0;
	node->addr_bits = 52 - i;
	node->vlpi_redist_offset = i == 1 ? SZ_128K : 0;
	writel_relaxed(fake_offsets[i], node->base + GITS_CWRITER);
	writel_relaxed(fake_offsets[i], node->base + GITS_CREADR);

	its->l1 = fake_pages(test, PAGE_ORDER_TO_SIZE(L1_ORDER));
	memset(its->l1, 0xa0 + i, PAGE_ORDER_TO_SIZE(L1_ORDER));
	node->tables[0] = (struct its_baser) {
		.base	= its->l1,
		.val	= GITS_BASER_VALID | GITS_BASER_INDIRECT,
		.order	= L1_ORDER,
		.psz	= SZ_64K,
	};

	its->flat = fake_pages(test, PAGE_SIZE);
	node->tables[1] = (struct its_baser) {
		.base	= its->flat,
		.val	= GITS_BASER_VALID,
		.psz	= SZ_4K,
	};

	/* Two redistributors, known to the CPUs in no order and more than once */
	node->collections = kunit_kcalloc(test, nr_cpu_ids, sizeof(*node->collections),
					  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, node->collections);
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		node->collections[cpu].target_address = cpu < 2 ? (u64)(2 - cpu) << 16 : ~0ULL;
	if (nr_cpu_ids > 3)
		node->collections[3].target_address = BIT(16);

	for (dev = 0; dev < NR_DEVS; dev++) {
		its->devs[dev] = (struct its_device) {
			.its		= node,
			.itt		= fake_pages(test, ITS_ITT_ALIGN),
			.itt_sz		= ITS_ITT_ALIGN,
			.nr_ites	= 2 << dev,
			.device_id	= dev,
			.mapped_events	= bitmap_zalloc(2 << dev, GFP_KERNEL),
		};
		KUNIT_ASSERT_NOT_NULL(test, its->devs[dev].mapped_events);
		__set_bit(dev, its->devs[dev].mapped_events);
		list_add_tail(&its->devs[dev].entry, &node->its_device_list);
	}
}

static void fake_world_init(struct kunit *test)
{
	u32 i;

	world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, world);

	INIT_LIST_HEAD(&world->nodes);
	world->fail_call = FAKE_NR_CALLS;

	for (i = 0; i < NR_ITS; i++) {
		fake_its_init(test, &world->its[i], i);
		world->its[i].before = world->its[i].node;
	}
}

static void fake_world_exit(void)
{
	struct its_node *node;
	u32 t;

	if (!world)
		return;

	list_for_each_entry(node, &world->nodes, entry) {
		struct its_device *dev;

		list_for_each_entry(dev, &node->its_device_list, entry)
			bitmap_free(dev->mapped_events);
		if (node->staging.queue)
			fake_free(node->staging.queue, ITS_CMD_QUEUE_SZ);
		for (t = 0; t < GITS_BASER_NR_REGS; t++) {
			if (node->staging.tables[t])
				fake_free(node->staging.tables[t],
					  PAGE_ORDER_TO_SIZE(node->tables[t].order));
		}
	}

	world = NULL;
}

static int staging_test_init(struct kunit *test)
{
	fake_world_init(test);

	kunit_activate_static_stub(test, its_staging_alloc, fake_alloc);
	kunit_activate_static_stub(test, its_staging_free, fake_free);

	return 0;
}

static void staging_test_exit(struct kunit *test)
{
	fake_world_exit();
}

/* The driver's view of an ITS that was not handed over. The ID is a note, not a state. */
static void expect_untouched(struct kunit *test, struct fake_its *its)
{
	struct its_node *node = &its->node, *before = &its->before;

	node->staging.id = before->staging.id;
	KUNIT_EXPECT_MEMEQ(test, &node->staging, &before->staging, sizeof(node->staging));
	KUNIT_EXPECT_MEMEQ(test, node->tables, before->tables, sizeof(node->tables));
	KUNIT_EXPECT_PTR_EQ(test, node->cmd_base, before->cmd_base);
	KUNIT_EXPECT_PTR_EQ(test, node->cmd_write, before->cmd_write);
	KUNIT_EXPECT_FALSE(test, its->registered);
	KUNIT_EXPECT_FALSE(test, its->active);
}

static int fake_hand_over(void)
{
	return its_staging_hand_over(&world->nodes, &fake_ops);
}

/* What the hypervisor was told */
static void expect_described(struct kunit *test, struct fake_its *its)
{
	struct its_node *node = &its->node;
	struct its_staging_desc *desc = its->desc;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, desc);
	KUNIT_EXPECT_EQ(test, desc->base, node->phys_base);
	KUNIT_EXPECT_EQ(test, desc->typer, node->typer);
	KUNIT_EXPECT_EQ(test, desc->hw_queue, virt_to_phys(its->before.cmd_base));
	KUNIT_EXPECT_EQ(test, desc->queue, virt_to_phys(node->staging.queue));
	KUNIT_EXPECT_EQ(test, desc->queue_noncoherent, node == &world->its[1].node);
	KUNIT_EXPECT_EQ(test, desc->lpi_bits, its_lpi_bits());
	KUNIT_EXPECT_EQ(test, desc->addr_bits, min(node->addr_bits, its_addr_bits()));
	KUNIT_EXPECT_EQ(test, desc->vlpi_rdbase_offset, node->vlpi_redist_offset);

	KUNIT_EXPECT_EQ(test, desc->tables[0].baser, node->tables[0].val);
	KUNIT_EXPECT_EQ(test, desc->tables[0].base, virt_to_phys(its->l1));
	KUNIT_EXPECT_EQ(test, desc->tables[0].staging, virt_to_phys(node->staging.tables[0]));
	KUNIT_EXPECT_EQ(test, desc->tables[1].baser, node->tables[1].val);
	KUNIT_EXPECT_EQ(test, desc->tables[1].base, virt_to_phys(its->flat));
	KUNIT_EXPECT_EQ(test, desc->tables[1].staging, 0);
	for (i = 2; i < GITS_BASER_NR_REGS; i++) {
		KUNIT_EXPECT_EQ(test, desc->tables[i].baser, 0);
		KUNIT_EXPECT_EQ(test, desc->tables[i].staging, 0);
	}
}

static void expect_handed_over(struct kunit *test, struct fake_its *its, u32 i)
{
	struct its_node *node = &its->node, *before = &its->before;
	u32 dev;

	KUNIT_EXPECT_TRUE(test, its->registered);
	KUNIT_EXPECT_TRUE(test, its->active);
	KUNIT_EXPECT_TRUE(test, its_is_staged(node));

	/* The same offset in another queue */
	KUNIT_EXPECT_PTR_EQ(test, node->cmd_base, node->staging.queue);
	KUNIT_EXPECT_PTR_NE(test, node->cmd_base, before->cmd_base);
	KUNIT_EXPECT_EQ(test, (void *)node->cmd_write - (void *)node->cmd_base, fake_offsets[i]);
	KUNIT_EXPECT_EQ(test, its->offset, fake_offsets[i]);

	/* A level-1 table moves with its contents, a flat one stays */
	KUNIT_EXPECT_PTR_EQ(test, node->tables[0].base, node->staging.tables[0]);
	KUNIT_EXPECT_PTR_NE(test, node->tables[0].base, its->l1);
	KUNIT_EXPECT_MEMEQ(test, node->tables[0].base, its->l1, PAGE_ORDER_TO_SIZE(L1_ORDER));
	KUNIT_EXPECT_PTR_EQ(test, node->tables[1].base, its->flat);

	KUNIT_EXPECT_EQ(test, its->mapped, GENMASK(NR_DEVS - 1, 0));
	for (dev = 0; dev < NR_DEVS; dev++)
		KUNIT_EXPECT_EQ(test, its->events[dev], BIT(dev));
	expect_described(test, its);
}

/* The first @nr ITSs, and none of the others. No lock is held any more. */
static void expect_nr_handed_over(struct kunit *test, u32 nr)
{
	u32 i;

	for (i = 0; i < NR_ITS; i++) {
		if (i < nr)
			expect_handed_over(test, &world->its[i], i);
		else
			expect_untouched(test, &world->its[i]);

		KUNIT_EXPECT_FALSE(test, mutex_is_locked(&world->its[i].node.dev_alloc_lock));
	}

	/* Queue and level-1 table of each, and nothing else */
	KUNIT_EXPECT_EQ(test, world->nr_allocated, 2 * nr);
	KUNIT_EXPECT_EQ(test, world->nr_registered, nr);
}

static void staging_test_all(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, fake_hand_over(), 0);
	expect_nr_handed_over(test, NR_ITS);
}

static void staging_test_none(struct kunit *test)
{
	LIST_HEAD(nodes);

	KUNIT_EXPECT_EQ(test, its_staging_hand_over(&nodes, &fake_ops), 0);
	expect_nr_handed_over(test, 0);
}

static void staging_test_rdbases(struct kunit *test)
{
	struct fake_its *its = &world->its[0];

	KUNIT_ASSERT_EQ(test, fake_hand_over(), 0);

	if (nr_cpu_ids < 2)
		kunit_skip(test, "needs two possible CPUs");

	/* In order, as EL2 looks for them. The fourth CPU has the one of the second. */
	KUNIT_ASSERT_EQ(test, its->desc->nr_rdbases, nr_cpu_ids > 3 ? 3 : 2);
	KUNIT_EXPECT_EQ(test, its->desc->rdbases[0], BIT(16));
	KUNIT_EXPECT_EQ(test, its->desc->rdbases[its->desc->nr_rdbases - 1], BIT(17));
}

/* None of the CPUs that are up can be a target: nothing for a hypervisor to check against */
static void staging_test_no_rdbase(struct kunit *test)
{
	struct its_node *node = &world->its[NR_ITS - 1].node;
	unsigned int cpu;

	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		node->collections[cpu].target_address = ~0ULL;

	KUNIT_EXPECT_EQ(test, fake_hand_over(), -ENXIO);
	KUNIT_EXPECT_EQ(test, world->calls[FAKE_REGISTER], NR_ITS - 1);
	expect_nr_handed_over(test, NR_ITS - 1);
}

/* Memory keeps all bits. The register is left without a queue. */
static void staging_test_addr_bits(struct kunit *test)
{
	struct its_node *node = &world->its[0].node;

	KUNIT_EXPECT_EQ(test, its_staging_addr_bits(node->base), 52);
	KUNIT_EXPECT_EQ(test, gits_read_cbaser(node->base + GITS_CBASER), 0);
}

/*
 * Fail the first call of a kind, then the second, ..., until there is none to fail. Each time, the
 * ITS that it is made for is left as it was, and so are those behind it.
 */
static void fail_each(struct kunit *test, enum fake_call call, int calls_per_its, int err)
{
	int n;

	for (n = 0; n <= calls_per_its * NR_ITS; n++) {
		fake_world_exit();
		fake_world_init(test);
		world->fail_call = call;
		world->fail_at = n;

		if (n < calls_per_its * NR_ITS) {
			KUNIT_EXPECT_EQ(test, fake_hand_over(), err);
			KUNIT_EXPECT_EQ(test, world->calls[call], n + 1);
		} else {
			KUNIT_EXPECT_EQ(test, fake_hand_over(), 0);
			KUNIT_EXPECT_EQ(test, world->calls[call], n);
		}

		expect_nr_handed_over(test, n / calls_per_its);
	}
}

static void staging_test_alloc_fails(struct kunit *test)
{
	/* Queue, level-1 table and, for the time of the call, descriptor */
	fail_each(test, FAKE_ALLOC, 3, -ENOMEM);
}

static void staging_test_register_fails(struct kunit *test)
{
	fail_each(test, FAKE_REGISTER, 1, -EPERM);
}

static void staging_test_adopt_fails(struct kunit *test)
{
	fail_each(test, FAKE_ADOPT, NR_DEVS, -EINVAL);
}

static void staging_test_activate_fails(struct kunit *test)
{
	fail_each(test, FAKE_ACTIVATE, 1, -EBUSY);
}

/* The ITS is handed over by then, and stays so. Those behind it are not. */
static void staging_test_adopt_event_fails(struct kunit *test)
{
	world->fail_call = FAKE_ADOPT_EVENT;
	world->fail_at = 0;
	KUNIT_EXPECT_EQ(test, fake_hand_over(), -EINVAL);
	KUNIT_EXPECT_TRUE(test, world->its[0].active);
	KUNIT_EXPECT_TRUE(test, its_is_staged(&world->its[0].node));
	KUNIT_EXPECT_EQ(test, world->nr_registered, 1);
	KUNIT_EXPECT_FALSE(test, its_is_staged(&world->its[1].node));
}

static void not_drained(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fake_hand_over(), -ETIMEDOUT);
	expect_nr_handed_over(test, 1);
	KUNIT_EXPECT_EQ(test, world->calls[FAKE_ACTIVATE], 1);
}

/* The hardware is one command short of where the driver is */
static void staging_test_not_drained(struct kunit *test)
{
	writel_relaxed(fake_offsets[1] - 32, world->its[1].node.base + GITS_CREADR);
	not_drained(test);
}

/* The hardware has done all it knows of, but the driver is further */
static void staging_test_not_posted(struct kunit *test)
{
	writel_relaxed(fake_offsets[1] - 32, world->its[1].node.base + GITS_CREADR);
	writel_relaxed(fake_offsets[1] - 32, world->its[1].node.base + GITS_CWRITER);
	not_drained(test);
}

static int fake_prepare_locked(struct its_node *node, u32 dev_id)
{
	guard(mutex)(&node->dev_alloc_lock);

	return its_staging_prepare_device(node, dev_id, 5, node);
}

static bool fake_reclaim_locked(struct its_device *dev)
{
	guard(mutex)(&dev->its->dev_alloc_lock);

	return its_staging_reclaim_device(dev);
}

static void staging_test_prepare(struct kunit *test)
{
	struct its_node *node = &world->its[1].node;

	KUNIT_ASSERT_EQ(test, fake_hand_over(), 0);

	KUNIT_EXPECT_EQ(test, fake_prepare_locked(node, 42), 0);
	KUNIT_EXPECT_EQ(test, world->prepared, 42);

	world->fail_call = FAKE_PREPARE;
	world->fail_at = world->calls[FAKE_PREPARE];
	KUNIT_EXPECT_EQ(test, fake_prepare_locked(node, 43), -ENOMEM);

	/* The device was unmapped, and its memory leaked because the ITS was late */
	world->in_use = true;
	KUNIT_EXPECT_EQ(test, fake_prepare_locked(node, 42), -EBUSY);

	world->in_use = false;
	KUNIT_EXPECT_EQ(test, fake_prepare_locked(node, 42), 0);
	KUNIT_EXPECT_EQ(test, world->prepared, 42);
}

static void staging_test_reclaim(struct kunit *test)
{
	struct its_device *dev = &world->its[2].devs[0];

	KUNIT_ASSERT_EQ(test, fake_hand_over(), 0);
	world->in_use = true;
	KUNIT_EXPECT_FALSE(test, fake_reclaim_locked(dev));

	world->in_use = false;
	KUNIT_EXPECT_TRUE(test, fake_reclaim_locked(dev));
}

/* The ITS is any number of commands behind, and the queue and the count have wrapped */
static void staging_test_cmds_done(struct kunit *test)
{
	static const u32 rounds[] = { 0, 1, 2, U32_MAX / ITS_CMD_QUEUE_SZ };
	u32 i, j, left, posted, to;

	for (i = 0; i < ARRAY_SIZE(rounds) * NR_ITS; i++) {
		j = i % NR_ITS;
		posted = rounds[i / NR_ITS] * ITS_CMD_QUEUE_SZ + fake_offsets[j];

		for (left = 0; left < ITS_CMD_QUEUE_SZ; left += sizeof(struct its_cmd_block))
			KUNIT_ASSERT_EQ(test, posted - left,
					its_cmds_done(posted, (fake_offsets[j] - left) %
							      ITS_CMD_QUEUE_SZ));
	}

	/* The same GITS_CREADR before the commands were read, and a round later */
	to = fake_offsets[1];
	KUNIT_EXPECT_LT(test, its_cmds_done(to, to - 32), to);
	KUNIT_EXPECT_GE(test, its_cmds_done(to - 32 + ITS_CMD_QUEUE_SZ, to - 32), to);
}

static struct kunit_case staging_test_cases[] = {
	KUNIT_CASE(staging_test_all),
	KUNIT_CASE(staging_test_none),
	KUNIT_CASE(staging_test_rdbases),
	KUNIT_CASE(staging_test_no_rdbase),
	KUNIT_CASE(staging_test_addr_bits),
	KUNIT_CASE(staging_test_alloc_fails),
	KUNIT_CASE(staging_test_register_fails),
	KUNIT_CASE(staging_test_adopt_fails),
	KUNIT_CASE(staging_test_activate_fails),
	KUNIT_CASE(staging_test_adopt_event_fails),
	KUNIT_CASE_SLOW(staging_test_not_drained),
	KUNIT_CASE_SLOW(staging_test_not_posted),
	KUNIT_CASE(staging_test_prepare),
	KUNIT_CASE(staging_test_reclaim),
	KUNIT_CASE(staging_test_cmds_done),
	{}
};

static struct kunit_suite staging_test_suite = {
	.name		= "its-staging",
	.init		= staging_test_init,
	.exit		= staging_test_exit,
	.test_cases	= staging_test_cases,
};

kunit_test_suite(staging_test_suite);
