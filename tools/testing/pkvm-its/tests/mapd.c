// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAPD
 */

#include "test.h"

#define DEV		0x123
#define OTHER		0x124
#define GRANULE		ITS_CMD_ITT_GRANULE

/* With entries of 16 bytes: EventID bits for an ITT of one granule, and of four pages */
#define GRANULE_BITS	(PAGE_SHIFT - 8)
#define PAGES_BITS	(PAGE_SHIFT - 2)
#define PAGES_SIZE	(4 * PAGE_SIZE)

static struct machine_config with_ites_of_16(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.ite_size = 16;

	return cfg;
}

/* A machine on which MAPD of two devices does not want for anything */
static struct host_its *up_for(const struct machine_config *cfg)
{
	struct host_its *its = its_up(cfg);

	test_prepare(its, DEV);
	test_prepare(its, OTHER);

	return its;
}

static struct host_its *up(void)
{
	struct machine_config cfg = with_ites_of_16();

	return up_for(&cfg);
}

static bool is_hosts(phys_addr_t phys)
{
	return mem_page(phys)->owner == MEM_HOST;
}

static void map_and_unmap(void)
{
	struct host_its *its = its_up(&machine_default);
	phys_addr_t itt;

	itt = test_map(its, DEV, 5);
	EXPECT(!mem_host_write(itt, 1));
	EXPECT(its_model_is_mapped(its->model, DEV));
	its_check_held(its);
	ACCEPT(its, cmd_unmapd(DEV));
	EXPECT(!its_model_is_mapped(its->model, DEV));
	EXPECT(mem_host_write(itt, 1));
	its_check_held(its);
}

/*
 * Where DeviceIDs end: at what GITS_TYPER has, or where the table does, flat or not
 */

static void check_device_ids(const struct machine_config *cfg, u64 nr)
{
	const u64 past[] = { nr, nr * 2, GENMASK_ULL(31, 0) };
	struct host_its *its;
	phys_addr_t itt;
	unsigned int i;

	machine_reset();
	its = its_up(cfg);
	test_map(its, 0, 5);
	itt = test_map(its, nr - 1, 5);
	ACCEPT(its, cmd_unmapd(nr - 1));

	for (i = 0; i < ARRAY_SIZE(past); i++) {
		if (past[i] < nr || past[i] >> 32)
			continue;

		EXPECT_EQ(its_reserve(its, past[i]), -EINVAL);
		REFUSE(its, PKVM_ITS_REFUSED_BAD_DEVICE, cmd_mapd(past[i], 5, itt));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_DEVICE, cmd_unmapd(past[i]));
	}
}

static void device_id(void)
{
	struct machine_config cfg = machine_default;

	check_device_ids(&cfg, BIT(16));

	cfg.its.dev_bits = 32;
	check_device_ids(&cfg, BIT(26));
	cfg.devices.psz = SZ_16K;
	cfg.devices.nr_pages = 4;
	check_device_ids(&cfg, 4 * BIT(22));

	cfg.devices.indirect = false;
	cfg.devices.psz = SZ_64K;
	check_device_ids(&cfg, 4 * BIT(13));
	cfg.devices.entry_size = 12;
	check_device_ids(&cfg, 4 * SZ_64K / 12);
	cfg.its.dev_bits = 3;
	check_device_ids(&cfg, 8);
}

static void device_id_of_32_bits(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.dev_bits = 32;
	cfg.devices.nr_pages = 64;
	check_device_ids(&cfg, BIT_ULL(32));
}

/* Both that the record of a device lies in must be there. */
static void record_wants_two_pages(void)
{
	struct host_its *its = its_up(&machine_default);
	phys_addr_t itt = host_alloc(PAGE_SIZE, PAGE_SIZE), page;
	unsigned int nr;

	its_stage_level2(its, BASER_DEVICES, DEV);
	for (nr = 0; nr < 2; nr++) {
		REFUSE(its, PKVM_ITS_REFUSED_NO_MEMORY, cmd_mapd(DEV, 5, itt));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));

		page = host_alloc(PAGE_SIZE, PAGE_SIZE);
		mem_page(page)->is_state = true;
		EXPECT(!__pkvm_its_add_page(its->id, DEV, hyp_phys_to_pfn(page)));
	}

	EXPECT(!its_reserve(its, DEV));
	EXPECT_EQ(its->nr_records, 0);
	ACCEPT(its, cmd_mapd(DEV, 5, itt));
}

/* One more device than there are records in a page */
static void record_pages(void)
{
	struct host_its *its = its_up(&machine_default);
	u32 last = BIT(PKVM_ITS_RECORD_SHIFT) - 1, id;

	for (id = last - 1; id <= last + 1; id++)
		test_map(its, id, id - last + 2);

	EXPECT_EQ(its->nr_records, 3);
	for (id = last - 1; id <= last + 1; id++) {
		ACCEPT(its, cmd_unmapd(id));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(id));
	}
	its_check_held(its);
}

static void check_sizes(u32 event_bits, u32 largest)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;
	phys_addr_t itt;
	u32 bits;

	machine_reset();
	cfg.its.event_bits = event_bits;
	its = up_for(&cfg);
	itt = host_alloc(test_itt_size(its, 17), PAGE_SIZE);

	for (bits = 1; bits <= 32; bits++) {
		if (bits > largest) {
			REFUSE(its, PKVM_ITS_REFUSED_BAD_SIZE, cmd_mapd(DEV, bits, itt));
			continue;
		}

		ACCEPT(its, cmd_mapd(DEV, bits, itt));
		EXPECT(!is_hosts(itt + test_itt_size(its, bits) - 1));
		EXPECT(is_hosts(itt + ALIGN(test_itt_size(its, bits), PAGE_SIZE)));
		its_check_held(its);
		ACCEPT(its, cmd_unmapd(DEV));
		EXPECT(is_hosts(itt));
		its_check_held(its);
	}
}

/* No more than the ITS has, and no more than EL2 lets a device have */
static void size(void)
{
	check_sizes(1, 1);
	check_sizes(10, 10);
	check_sizes(15, 15);
	check_sizes(16, 16);
	check_sizes(17, 16);
	check_sizes(32, 16);
}

/*
 * Where an ITT may be
 */

static void not_the_hosts(void)
{
	struct host_its *its = up();
	phys_addr_t itt = host_alloc(PAGES_SIZE + PAGE_SIZE, PAGE_SIZE) + PAGE_SIZE - GRANULE;

	test_refuse_if_not_hosts(its, PKVM_ITS_REFUSED_BAD_ITT, cmd_mapd(DEV, PAGES_BITS, itt),
				 itt, PAGES_SIZE);
	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, itt));
}

static void no_memory(void)
{
	struct host_its *its = up();
	const phys_addr_t bad[] = {
		0,
		its->cfg.its.base,
		its->cfg.its.base + SZ_64K,
		MEM_LOW - GRANULE,
		mem_end(MEM_LOW),
		mem_end(MEM_LOW) - PAGES_SIZE + GRANULE,
		mem_end(MEM_HIGH) - PAGES_SIZE + GRANULE,
		GENMASK_ULL(51, PAGE_SHIFT),
		GENMASK_ULL(51, PAGE_SHIFT - 4),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(its, PKVM_ITS_REFUSED_BAD_ITT, cmd_mapd(DEV, PAGES_BITS, bad[i]));

	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, mem_end(MEM_LOW) - PAGES_SIZE));
	ACCEPT(its, cmd_mapd(OTHER, PAGES_BITS, mem_end(MEM_HIGH) - PAGES_SIZE));
}

static void what_el2_has(void)
{
	struct host_its *its = up();
	const phys_addr_t bad[] = { its->queue, its->staging, its->tables[BASER_DEVICES],
				    its->staging_tables[BASER_DEVICES],
				    its->tables[BASER_COLLECTIONS] };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(its, PKVM_ITS_REFUSED_BAD_ITT, cmd_mapd(DEV, GRANULE_BITS, bad[i]));
}

static void check_limit(u32 addr_bits, bool reaches)
{
	struct machine_config cfg = with_ites_of_16();
	phys_addr_t bad[] = { MEM_HIGH - PAGES_SIZE + GRANULE, MEM_HIGH - GRANULE, MEM_HIGH };
	struct host_its *its;
	unsigned int i;

	machine_reset();
	cfg.addr_bits = addr_bits;
	its = up_for(&cfg);
	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, MEM_HIGH - PAGES_SIZE));
	ACCEPT(its, cmd_unmapd(DEV));

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!reaches) {
			REFUSE(its, PKVM_ITS_REFUSED_BAD_ITT, cmd_mapd(DEV, PAGES_BITS, bad[i]));
			continue;
		}

		ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, bad[i]));
		ACCEPT(its, cmd_unmapd(DEV));
	}
}

/* Address bits that the ITS does not drive: it would access other memory. */
static void address_bits(void)
{
	check_limit(51, false);
	check_limit(52, true);
}

static void alignment(void)
{
	struct host_its *its = up();
	phys_addr_t page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 offset;

	for (offset = SZ_256; offset < PAGE_SIZE; offset += SZ_256) {
		if (!IS_ALIGNED(offset, GRANULE)) {
			REFUSE(its, PKVM_ITS_REFUSED_BAD_ITT,
			       cmd_mapd(DEV, GRANULE_BITS, page + offset));
			continue;
		}

		ACCEPT(its, cmd_mapd(DEV, GRANULE_BITS, page + offset));
		EXPECT_EQ(mem_page(page)->granules, BIT(offset / GRANULE));
		ACCEPT(its, cmd_unmapd(DEV));
	}
}

/* An ITT that starts somewhere in its first page ends in one more. */
static void last_page(void)
{
	struct host_its *its = up();
	phys_addr_t page = host_alloc(PAGES_SIZE + PAGE_SIZE, PAGE_SIZE);
	u64 owned;

	test_map(its, OTHER, 1);
	owned = mem_count(MEM_ITS);
	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, page + GRANULE));
	EXPECT_EQ(mem_count(MEM_ITS), owned + 5);
	EXPECT(!mem_host_write(page + PAGES_SIZE, 1));
	EXPECT(!mem_host_write(page, 1));
	its_check_held(its);

	ACCEPT(its, cmd_unmapd(DEV));
	EXPECT_EQ(mem_count(MEM_ITS), owned);
	its_check_held(its);
}

/*
 * ITTs next to each other
 */

static void overlap(void)
{
	struct host_its *its = up();
	phys_addr_t itt = host_alloc(3 * PAGES_SIZE, PAGE_SIZE) + PAGES_SIZE;
	const phys_addr_t busy[] = {
		itt - PAGES_SIZE + GRANULE,
		itt - GRANULE,
		itt,
		itt + GRANULE,
		itt + PAGES_SIZE - GRANULE,
	};
	unsigned int i;

	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, itt));
	for (i = 0; i < ARRAY_SIZE(busy); i++) {
		REFUSE(its, PKVM_ITS_REFUSED_ITT_BUSY, cmd_mapd(OTHER, PAGES_BITS, busy[i]));
		REFUSE(its, PKVM_ITS_REFUSED_ITT_BUSY, cmd_mapd(DEV, PAGES_BITS, busy[i]));
	}
	REFUSE(its, PKVM_ITS_REFUSED_ITT_BUSY,
	       cmd_mapd(OTHER, GRANULE_BITS, itt + 2 * PAGE_SIZE));

	ACCEPT(its, cmd_mapd(OTHER, PAGES_BITS, itt + PAGES_SIZE));
	ACCEPT(its, cmd_unmapd(OTHER));
	ACCEPT(its, cmd_mapd(OTHER, PAGES_BITS, itt - PAGES_SIZE));
}

static void share_page(u32 first, u32 last)
{
	phys_addr_t page;
	struct host_its *its;

	machine_reset();
	its = up();
	page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	ACCEPT(its, cmd_mapd(DEV, GRANULE_BITS, page + 4 * GRANULE));
	ACCEPT(its, cmd_mapd(OTHER, GRANULE_BITS + 1, page + 5 * GRANULE));
	its_check_held(its);

	ACCEPT(its, cmd_unmapd(first));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(first));
	EXPECT(!is_hosts(page));
	its_check_held(its);

	/* Its room can be used again. */
	ACCEPT(its, cmd_mapd(first, GRANULE_BITS, page + (first == DEV ? 4 : 5) * GRANULE));
	ACCEPT(its, cmd_mapti(last, 1, 8192, 0));
	ACCEPT(its, cmd_unmapd(first));
	ACCEPT(its, cmd_event(GITS_CMD_INV, last, 1));

	ACCEPT(its, cmd_unmapd(last));
	EXPECT(is_hosts(page));
	its_check_held(its);
}

static void two_in_a_page(void)
{
	share_page(DEV, OTHER);
	share_page(OTHER, DEV);
}

/*
 * What is in the memory of an ITT when it is mapped
 */

static void check_forged(bool nc)
{
	struct machine_config cfg = with_ites_of_16();
	struct host_its *its;
	phys_addr_t itt;
	u32 event;

	machine_reset();
	cfg.its.nc = nc;
	its = up_for(&cfg);
	itt = host_alloc(PAGES_SIZE + PAGE_SIZE, PAGE_SIZE);
	EXPECT(mem_host_fill(itt, PAGES_SIZE + PAGE_SIZE, 1));

	/* The ITS fails the test when it reads an entry that it did not write. */
	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, itt + GRANULE));
	for (event = 0; event < BIT(PAGES_BITS); event++)
		ACCEPT(its, cmd_event(GITS_CMD_INV, DEV, event));
}

static void forged_contents(void)
{
	check_forged(false);
}

static void forged_contents_not_coherent(void)
{
	check_forged(true);
}

/* Entries of an earlier mapping are not those of the next. */
static void stale_contents(void)
{
	struct host_its *its = its_up(&machine_default);
	phys_addr_t itt = test_map(its, DEV, 5);
	u32 intid;
	u64 rdbase;

	ACCEPT(its, cmd_mapti(DEV, 7, 8200, 1));
	EXPECT(its_model_translate(its->model, DEV, 7, &intid, &rdbase));
	ACCEPT(its, cmd_unmapd(DEV));
	ACCEPT(its, cmd_mapd(DEV, 5, itt));
	EXPECT(!its_model_translate(its->model, DEV, 7, &intid, &rdbase));
}

/*
 * Mapping a device again, and unmapping
 */

static void remap(void)
{
	struct host_its *its = up();
	phys_addr_t old = test_map(its, DEV, PAGES_BITS), itt = host_alloc(PAGE_SIZE, PAGE_SIZE);

	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_mapd(DEV, GRANULE_BITS, itt));
	its_ring(its);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), 1);
	EXPECT(!is_hosts(old) && !is_hosts(old + PAGES_SIZE - 1) && !is_hosts(itt));
	EXPECT_EQ(__pkvm_its_reclaim(its->id, old, PAGES_SIZE), -EBUSY);

	EXPECT_EQ(its_model_step(its->model, 1), 1);
	EXPECT_EQ(__pkvm_its_reclaim(its->id, old, PAGES_SIZE), 0);
	EXPECT(is_hosts(old) && is_hosts(old + PAGES_SIZE - 1) && !is_hosts(itt));
	its_check_held(its);

	/* What counts is the new size. */
	its->model->pace = ITS_AT_ONCE;
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT,
	       cmd_event(GITS_CMD_INV, DEV, BIT(GRANULE_BITS)));
	ACCEPT(its, cmd_event(GITS_CMD_INV, DEV, BIT(GRANULE_BITS) - 1));
	ACCEPT(its, cmd_unmapd(DEV));
	EXPECT(is_hosts(itt));
}

/* A refused one leaves the device as it was. */
static void remap_refused(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, GRANULE_BITS), guest = host_alloc(PAGE_SIZE, 0);

	mem_give_guest(guest);
	ACCEPT(its, cmd_mapti(DEV, 1, 8192, 0));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ITT, cmd_mapd(DEV, PAGES_BITS, guest));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_SIZE, cmd_mapd(DEV, 17, itt));
	REFUSE(its, PKVM_ITS_REFUSED_ITT_BUSY, cmd_mapd(DEV, GRANULE_BITS, itt));
	ACCEPT(its, cmd_event(GITS_CMD_INT, DEV, 1));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT,
	       cmd_event(GITS_CMD_INV, DEV, BIT(GRANULE_BITS)));
	ACCEPT(its, cmd_unmapd(DEV));
	EXPECT(is_hosts(itt));
	EXPECT_EQ(mem_page(guest)->owner, MEM_GUEST);
}

static void unmap_twice(void)
{
	struct host_its *its = up();

	test_map(its, DEV, 5);
	ACCEPT(its, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));

	/* Also before the ITS has got to the first one */
	test_map(its, DEV, 5);
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_unmapd(DEV));
	its_ring(its);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	EXPECT(!__pkvm_its_reclaim(its->id, MEM_LOW, GRANULE));
	its_check_held(its);
}

static void unmap_unknown(void)
{
	struct host_its *its = up();

	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(0));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(BIT(16) - 1));
}

/* What is released is what was recorded, whatever the command says. */
static void unmap_with_address(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5), other = test_map(its, OTHER, 5);
	struct cmd cmd = cmd_mapd(DEV, 10, other);

	cmd.raw[2] &= ~BIT_ULL(63);
	ACCEPT_AS(its, cmd, cmd_unmapd(DEV));
	EXPECT(is_hosts(itt) && !is_hosts(other));
	ACCEPT(its, cmd_event(GITS_CMD_INV, OTHER, 31));
	its_check_held(its);
}

/* An ITS whose driver had mapped a device before EL2 came */
static struct host_its *register_with_device(const struct machine_config *cfg, u32 dev_id,
					     phys_addr_t itt)
{
	struct host_its *its = its_start(cfg);

	its_stage_level2(its, BASER_DEVICES, dev_id);
	its_stage(its, cmd_mapd(dev_id, 5, itt));
	its_stage(its, cmd_mapti(dev_id, 3, 8195, 2));
	its_ring(its);
	EXPECT(!its_register(its));

	/* Neither without a record, nor twice, nor out of range */
	EXPECT_EQ(__pkvm_its_map_device(its->id, dev_id, 5, itt), -EINVAL);
	EXPECT(!its_reserve(its, dev_id));
	EXPECT(!__pkvm_its_map_device(its->id, dev_id, 5, itt));
	EXPECT_EQ(__pkvm_its_map_device(its->id, dev_id, 5, itt + PAGE_SIZE), -EINVAL);
	dev_id = BIT(cfg->its.dev_bits);
	EXPECT_EQ(__pkvm_its_map_device(its->id, dev_id, 5, itt + PAGE_SIZE), -EINVAL);
	EXPECT(is_hosts(itt + PAGE_SIZE));

	return its;
}

static void mapped_before(void)
{
	phys_addr_t itt = host_alloc(2 * PAGE_SIZE, PAGE_SIZE);
	struct machine_config cfg = machine_default;
	struct host_its *its;

	cfg.its.dev_bits = 3;
	its = register_with_device(&cfg, 7, itt);
	EXPECT(!its_activate(its));

	ACCEPT(its, cmd_event(GITS_CMD_INT, 7, 3));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, cmd_event(GITS_CMD_INT, 7, 32));
	ACCEPT(its, cmd_unmapd(7));
	EXPECT(is_hosts(itt));
	its_check_held(its);
}

/* The hand-over is undone: all that EL2 knows of devices goes, with their memory. */
static void mapped_before_undone(void)
{
	phys_addr_t itt = host_alloc(2 * PAGE_SIZE, PAGE_SIZE);
	struct machine_config cfg = machine_default;
	u32 dev_id = 3 * BIT(PKVM_ITS_RECORD_SHIFT);
	struct host_its *its;

	cfg.its.dev_bits = 27;
	cfg.devices.nr_pages = 2;
	its = register_with_device(&cfg, dev_id, itt);
	EXPECT(!its_reserve(its, 0));
	EXPECT(!its_reserve(its, BIT(27) - 1));
	EXPECT_EQ(its->nr_records, 5);
	EXPECT(!__pkvm_its_unregister(its->id));
	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS), 0);
	EXPECT(mem_is_clean());
	EXPECT(its_model_is_mapped(its->model, dev_id));
}

const struct test mapd_tests[] = {
	TEST(map_and_unmap),
	TEST(device_id),
	TEST(device_id_of_32_bits),
	TEST(record_wants_two_pages),
	TEST(record_pages),
	TEST(size),
	TEST(not_the_hosts),
	TEST(no_memory),
	TEST(what_el2_has),
	TEST(address_bits),
	TEST(alignment),
	TEST(last_page),
	TEST(overlap),
	TEST(two_in_a_page),
	TEST(forged_contents),
	TEST(forged_contents_not_coherent),
	TEST(stale_contents),
	TEST(remap),
	TEST(remap_refused),
	TEST(unmap_twice),
	TEST(unmap_unknown),
	TEST(unmap_with_address),
	TEST(mapped_before),
	TEST(mapped_before_undone),
	{}
};
