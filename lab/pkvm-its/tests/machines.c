// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that behaves gets along on any machine.
 */

#include <linux/log2.h>

#include "test.h"

#define EVENT_BITS	5
#define NR_EVENTS	BIT(EVENT_BITS)
#define NR_DEVICES	6

static struct host_its *its;
static u32 next_intid;

/* What the tables have room for */
static u64 table_ids(const struct machine_table *table)
{
	u64 size = (u64)table->nr_pages * table->psz;

	return table->indirect ? size / sizeof(u64) * (table->psz / table->entry_size)
			       : size / table->entry_size;
}

static u64 device_ids(void)
{
	return min_t(u64, BIT_ULL(its->cfg.its.dev_bits), table_ids(&its->cfg.devices));
}

/* A DeviceID at the start, at the end, in the middle */
static u64 device(unsigned int nr)
{
	const u64 last = device_ids() - 1, ids[NR_DEVICES] = {
		0, 1, last / 3, last / 2, last - 1, last,
	};

	return ids[nr];
}

static void drain(void)
{
	its_ring(its);
	its_model_step(its->model, UINT_MAX);
}

static void expect_event(u64 dev_id, u32 event_id, u32 want_intid, u32 icid)
{
	u64 rdbase;
	u32 intid;

	EXPECT(its_model_translate(its->model, dev_id, event_id, &intid, &rdbase));
	EXPECT_EQ(intid, want_intid);
	EXPECT_EQ(rdbase, its_model_rdbase(its->model, icid));
}

static void expect_no_event(u64 dev_id, u32 event_id)
{
	u64 rdbase;
	u32 intid;

	EXPECT(!its_model_translate(its->model, dev_id, event_id, &intid, &rdbase));
}

/* Whatever is left in memory from before */
static phys_addr_t map(u64 dev_id)
{
	phys_addr_t itt = its_alloc_itt(its, EVENT_BITS);

	mem_host_fill(itt, test_itt_size(its, EVENT_BITS), ~0ULL);
	if (its->cfg.devices.indirect)
		mem_host_fill(its_stage_level2(its, BASER_DEVICES, dev_id),
			      its_staging_level2_size(its->model->baser[BASER_DEVICES]), ~0ULL);
	EXPECT(!its_prepare(its, dev_id, EVENT_BITS, itt));
	ACCEPT(its, cmd_mapd(dev_id, EVENT_BITS, itt));
	expect_no_event(dev_id, 0);

	return itt;
}

/* As its_free_device() has it: memory is not used again until EL2 says so. */
static void unmap(u64 dev_id, phys_addr_t itt)
{
	UNMAP(its, dev_id);
	EXPECT(mem_host_write(itt, ~0ULL));
	expect_no_event(dev_id, 0);
}

static void use_event(u64 dev_id, u32 event_id)
{
	u32 intid = next_intid++, last = its->cfg.its.nr_rdbases - 1;

	ACCEPT(its, cmd_mapti(dev_id, event_id, intid, last));
	expect_event(dev_id, event_id, intid, last);
	ACCEPT(its, cmd_movi(dev_id, event_id, 0));
	expect_event(dev_id, event_id, intid, 0);
	ACCEPT(its, cmd_event(GITS_CMD_INT, dev_id, event_id));
	ACCEPT(its, cmd_event(GITS_CMD_CLEAR, dev_id, event_id));
	ACCEPT(its, cmd_event(GITS_CMD_INV, dev_id, event_id));
	ACCEPT(its, cmd_event(GITS_CMD_DISCARD, dev_id, event_id));
	expect_no_event(dev_id, event_id);
	ACCEPT(its, cmd_mapti(dev_id, event_id, intid, 0));
	expect_event(dev_id, event_id, intid, 0);
}

/* IDs that there is no room for */
static void use_too_much(void)
{
	u64 nr_icids = its->cfg.its.hcc;

	UNPREPARED(its, -EINVAL, device_ids(), EVENT_BITS, its_alloc_itt(its, EVENT_BITS));
	if (its->cfg.collections.nr_pages)
		nr_icids = max_t(u64, nr_icids, table_ids(&its->cfg.collections));
	if (nr_icids < SZ_64K)
		REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd_mapc(nr_icids, 0));
}

/* Device 0 is mapped before the hand-over, the others after it. */
static void use(enum its_pace pace)
{
	phys_addr_t itts[NR_DEVICES];
	u32 icid, i;

	next_intid = 8192;
	itts[0] = its_alloc_itt(its, EVENT_BITS);
	if (its->cfg.devices.indirect)
		its_stage_level2(its, BASER_DEVICES, 0);
	its_stage(its, cmd_mapd(0, EVENT_BITS, itts[0]));
	its_stage(its, cmd_mapti(0, NR_EVENTS - 1, next_intid, 0));
	drain();
	expect_event(0, NR_EVENTS - 1, next_intid++, 0);

	EXPECT(!its_register(its));
	EXPECT(!__pkvm_its_adopt_device(its->id, 0, EVENT_BITS, itts[0]));
	EXPECT(!its_activate(its));
	EXPECT(!__pkvm_its_adopt_event(its->id, 0, NR_EVENTS - 1));
	its->model->pace = pace;

	expect_event(0, NR_EVENTS - 1, next_intid - 1, 0);
	use_event(0, 0);

	for (i = 1; i < NR_DEVICES; i++) {
		itts[i] = map(device(i));
		use_event(device(i), 0);
		use_event(device(i), NR_EVENTS - 1);
	}

	for (icid = 0; icid < its->cfg.its.nr_rdbases; icid++) {
		ACCEPT(its, cmd_invall(icid));
		ACCEPT(its, cmd_sync(its_model_rdbase(its->model, icid)));
		/* The CPU goes and comes back. */
		ACCEPT(its, cmd_unmapc(icid));
		ACCEPT(its, cmd_mapc(icid, its_model_rdbase(its->model, icid)));
	}

	for (i = 0; i < NR_DEVICES; i++) {
		EXPECT(!mem_host_write(itts[i], 0));
		DISCARD(its, device(i), 0);
		DISCARD(its, device(i), NR_EVENTS - 1);
		unmap(device(i), itts[i]);
	}

	EXPECT_EQ(its_refused_all(its), 0);
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), 0);
	EXPECT_EQ(its->model->errors, 0);
	use_too_much();
}

static void run(const struct machine_config *cfg)
{
	static const enum its_pace paces[] = { ITS_AT_ONCE, ITS_ON_READ, ITS_STALLED };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paces); i++) {
		machine_reset();
		its = its_start(cfg);
		use(paces[i]);
		its_check_held(its);
	}
}

static const u32 page_sizes[] = { SZ_4K, SZ_16K, SZ_64K };

/* A table with room for 4096 IDs or, with level-1 entries to spare, more */
static void set_table(struct machine_table *table, u32 psz, bool indirect)
{
	table->psz = psz;
	table->indirect = indirect;
	table->nr_pages = indirect ? 1 : DIV_ROUND_UP(4096 * table->entry_size, psz);
}

static void each_page_size(bool high, bool nc)
{
	struct machine_config cfg = machine_default;
	unsigned int kinds, d, c;

	cfg.high = high;
	cfg.its.nc = nc;

	for (kinds = 0; kinds < 2; kinds++) {
		for (d = 0; d < ARRAY_SIZE(page_sizes); d++) {
			for (c = 0; c < ARRAY_SIZE(page_sizes); c++) {
				set_table(&cfg.devices, page_sizes[d], kinds & 1);
				set_table(&cfg.collections, page_sizes[c], false);
				run(&cfg);
			}
		}
	}
}

static void page_size(void)
{
	each_page_size(false, false);
}

static void page_size_not_snooping(void)
{
	each_page_size(false, true);
}

static void page_size_high_memory(void)
{
	each_page_size(true, false);
}

static void rdbase_is_address(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.pta = true;
	run(&cfg);
}

/* Collections held in the ITS, in memory, or both */
static void collections_in_hardware(void)
{
	static const u32 hccs[] = { 1, 4, 5, 255 };
	struct machine_config cfg = machine_default;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hccs); i++) {
		cfg.its.hcc = hccs[i];
		cfg.collections = machine_default.collections;
		run(&cfg);

		cfg.collections.nr_pages = 0;
		if (hccs[i] >= cfg.its.nr_rdbases)
			run(&cfg);
	}
}

/* More than ICIDs have bits */
static void collection_ids(void)
{
	struct machine_config cfg = machine_default;

	cfg.collections.nr_pages = 64;
	run(&cfg);
	ACCEPT(its, cmd_mapc(SZ_64K - 1, 0));
}

static void entry_sizes(void)
{
	static const u32 sizes[] = { 4, 8, 12, 16, 24, 32 };
	struct machine_config cfg = machine_default;
	unsigned int i, indirect;

	for (indirect = 0; indirect < 2; indirect++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			cfg.devices.entry_size = sizes[i];
			cfg.collections.entry_size = sizes[ARRAY_SIZE(sizes) - 1 - i];
			set_table(&cfg.devices, SZ_16K, indirect);
			set_table(&cfg.collections, SZ_16K, false);

			if (!indirect || is_power_of_2(sizes[i])) {
				run(&cfg);
				continue;
			}

			/* EL2 finds a level-2 page by a shift. No such ITS is known. */
			machine_reset();
			EXPECT_EQ(its_register(its_start(&cfg)), -EINVAL);
			EXPECT_EQ(mem_count(MEM_ITS) + mem_count(MEM_EL2), 0);
		}
	}
}

static void itt_entry_sizes(void)
{
	struct machine_config cfg = machine_default;

	for (cfg.its.ite_size = 4; cfg.its.ite_size <= 16; cfg.its.ite_size++)
		run(&cfg);
}

/* Limited by the ITS, by the table, by the number of bits there are in a command */
static void device_id_bits(void)
{
	static const u32 bits[] = { 8, 9, 15, 20, 26, 32 };
	struct machine_config cfg = machine_default;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		cfg.its.dev_bits = bits[i];
		set_table(&cfg.devices, SZ_64K, true);
		run(&cfg);
		set_table(&cfg.devices, SZ_4K, true);
		run(&cfg);
		set_table(&cfg.devices, SZ_4K, false);
		run(&cfg);
	}
}

static void queue_sizes(void)
{
	static const u32 pages[] = { 1, 2, 4, 15, 17, 32, 64, 256 };
	struct machine_config cfg = machine_default;
	unsigned int i;

	/* The driver's queue has 64K. */
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		cfg.queue_pages = pages[i];
		machine_reset();
		EXPECT_EQ(its_register(its_start(&cfg)), -EINVAL);
		EXPECT_EQ(mem_count(MEM_ITS) + mem_count(MEM_EL2), 0);
	}
}

static void redistributors(void)
{
	struct machine_config cfg = machine_default;

	for (cfg.its.nr_rdbases = 1; cfg.its.nr_rdbases <= ITS_MAX_RDBASES; cfg.its.nr_rdbases++) {
		cfg.its.pta = !cfg.its.pta;
		run(&cfg);
	}
}

static void event_bits(void)
{
	static const u32 bits[] = { 5, 10, 16, 20, 32 };
	struct machine_config cfg = machine_default;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		cfg.its.event_bits = bits[i];
		run(&cfg);
		test_map(its, 2, min_t(u32, bits[i], ITS_STAGING_MAX_EVENT_BITS));
		UNPREPARED(its, -EINVAL, 3, min_t(u32, bits[i], ITS_STAGING_MAX_EVENT_BITS) + 1,
			   host_alloc(test_itt_size(its, 17), PAGE_SIZE));
	}
}

/* They know nothing of each other. */
static void two_itss(void)
{
	struct machine_config small = machine_default;
	struct host_its *first, *second;
	u64 held;

	small.devices.psz = SZ_4K;
	small.its.ite_size = 8;
	first = its_start(&machine_default);
	second = its_start(&small);

	its = first;
	use(ITS_AT_ONCE);
	held = its_stat(first, PKVM_ITS_HELD_PAGES);
	its = second;
	use(ITS_ON_READ);
	EXPECT_EQ(its_stat(first, PKVM_ITS_HELD_PAGES), held);

	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS),
		  held + its_stat(second, PKVM_ITS_HELD_PAGES));

	/* The same DeviceID, on either */
	test_map(first, 5, EVENT_BITS);
	REFUSE(second, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_mapti(5, 0, 8192, 0));
	test_map(second, 5, EVENT_BITS);
	UNMAP(second, 5);
	ACCEPT(first, cmd_mapti(5, 0, 8192, 0));
	DISCARD(first, 5, 0);
	UNMAP(first, 5);
}

/* An ITT is that of one device of one ITS. */
static void two_itss_and_an_itt(void)
{
	struct host_its *first = its_up(&machine_default), *second = its_up(&machine_default);
	phys_addr_t itt = test_prepare(first, 0, 4);

	test_prepare(second, 1, 4);
	UNPREPARED(second, -EPERM, 0, 4, itt);
	REFUSE(second, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(0, 4, itt));
	ACCEPT(first, cmd_mapd(0, 4, itt));
	UNPREPARED(second, -EPERM, 0, 4, itt);
	EXPECT_EQ(its_reclaim(second, 0), -EINVAL);
	UNMAP(first, 0);
	EXPECT_EQ(its_prepare(second, 0, 4, itt), 0);
	ACCEPT(second, cmd_mapd(0, 4, itt));
}

/*
 * RK356x: 32 bits of an address are kept, and nothing says so. What the driver learns keeps
 * ITTs and level-2 pages below; a queue or a table above is not what the register has.
 */
static void keeps_32_bits(void)
{
	struct machine_config cfg = machine_default;
	phys_addr_t itt;

	cfg.its.addr_bits = 32;
	its = its_up(&cfg);
	EXPECT_EQ(its->addr_bits, 32);
	test_map(its, device(0), EVENT_BITS);
	itt = host_alloc_high(test_itt_size(its, EVENT_BITS), PAGE_SIZE);
	UNPREPARED(its, -EINVAL, device(1), EVENT_BITS, itt);

	itt = host_alloc(test_itt_size(its, EVENT_BITS), PAGE_SIZE);
	its_stage_level1_entry(its, BASER_DEVICES, device(5),
			       host_alloc_high(SZ_128K, SZ_64K) | GITS_BASER_VALID);
	UNPREPARED(its, -EINVAL, device(5), EVENT_BITS, itt);
	its_check_held(its);
}

/* The commands before the hand-over would have gone wrong already. */
static void drops_bits(void (*drop)(struct its_staging_desc *desc))
{
	struct machine_config cfg = machine_default;

	machine_reset();
	cfg.high = true;
	its = its_start(&cfg);
	its_edit_desc = drop;
	EXPECT_EQ(its_register(its), -EINVAL);
	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS), 0);
}

static u64 low_32_bits(u64 reg)
{
	return reg & ~GENMASK_ULL(51, 32);
}

static void drop_from_queue(struct its_staging_desc *desc)
{
	its->model->cbaser = low_32_bits(its->model->cbaser);
}

/* Bits [51:48] are in [15:12]: with 64K pages that is where a high address is. */
static void drop_from_table(struct its_staging_desc *desc)
{
	its->model->baser[0] &= ~GENMASK_ULL(15, 12);
	desc->tables[0].baser = its->model->baser[0];
}

static void drops_bits_of_bases(void)
{
	drops_bits(drop_from_queue);
	drops_bits(drop_from_table);
}

const struct test machines_tests[] = {
	TEST(keeps_32_bits),
	TEST(drops_bits_of_bases),
	TEST(page_size),
	TEST(page_size_not_snooping),
	TEST(page_size_high_memory),
	TEST(rdbase_is_address),
	TEST(collections_in_hardware),
	TEST(collection_ids),
	TEST(entry_sizes),
	TEST(itt_entry_sizes),
	TEST(device_id_bits),
	TEST(queue_sizes),
	TEST(redistributors),
	TEST(event_bits),
	TEST(two_itss),
	TEST(two_itss_and_an_itt),
	{}
};
