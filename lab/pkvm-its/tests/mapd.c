// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAPD, and the calls around it that move memory
 */

#include "test.h"

#define DEV		0x123
#define OTHER		0x124

/* With entries of 16 bytes: EventID bits for an ITT of four pages, records behind it */
#define PAGES_BITS	(PAGE_SHIFT - 2)

static struct machine_config with_ites_of_16(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.ite_size = 16;

	return cfg;
}

/* A machine with a level-2 page that EL2 has already */
static struct host_its *up_for(const struct machine_config *cfg)
{
	struct host_its *its = its_up(cfg);

	test_prepare(its, OTHER + 1, 1);

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

	itt = test_prepare(its, DEV, 5);
	EXPECT(!mem_host_write(itt, 1));
	EXPECT(!its_model_is_mapped(its->model, DEV));
	ACCEPT(its, cmd_mapd(DEV, 5, itt));
	EXPECT(its_model_is_mapped(its->model, DEV));
	its_check_held(its);
	UNMAP(its, DEV);
	EXPECT(!its_model_is_mapped(its->model, DEV));
	EXPECT(mem_host_write(itt, 1));
	its_check_held(its);
}

/*
 * Where DeviceIDs end: at what GITS_TYPER has, or where the table does, flat or not
 */

static void check_device_ids(const struct machine_config *cfg, u64 nr)
{
	const u64 past[] = { nr, nr * 2, GENMASK_ULL(31, 0), BIT_ULL(32), BIT_ULL(63), ~0ULL };
	struct host_its *its;
	phys_addr_t itt;
	unsigned int i;

	machine_reset();
	its = its_up(cfg);
	test_map(its, 0, 5);
	itt = test_map(its, nr - 1, 5);
	UNMAP(its, nr - 1);

	for (i = 0; i < ARRAY_SIZE(past); i++) {
		if (past[i] < nr)
			continue;

		UNPREPARED(its, -EINVAL, past[i], 5, itt);
		EXPECT_EQ(its_reclaim(its, past[i]), -EINVAL);
		if (past[i] >> 32)
			continue;

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

	cfg.its.dev_bits = 17;
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

/* One more device than there are records behind a level-2 page */
static void record_pages(void)
{
	struct host_its *its = its_up(&machine_default);
	u32 last = SZ_64K / machine_default.devices.entry_size - 1, id;

	for (id = last - 1; id <= last + 1; id++)
		test_map(its, id, id - last + 2);

	for (id = last - 1; id <= last + 1; id++) {
		UNMAP(its, id);
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(id));
	}
	its_check_held(its);
}

static void check_sizes(u32 event_bits, u32 largest)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;
	phys_addr_t itt;
	u64 size;
	u32 bits;

	machine_reset();
	cfg.its.event_bits = event_bits;
	its = up_for(&cfg);
	itt = host_alloc(test_itt_size(its, 17), PAGE_SIZE);

	UNPREPARED(its, -EINVAL, DEV, 0, itt);
	UNPREPARED(its, -EINVAL, DEV, ~0U, itt);
	for (bits = 1; bits <= 33; bits++) {
		if (bits > largest) {
			UNPREPARED(its, -EINVAL, DEV, bits, itt);
			continue;
		}

		/* Room for the ITT, the record, and a bit an event */
		size = (12ULL << bits) + 64 + ((1ULL << bits) + 7) / 8;
		EXPECT_EQ(its_prepare(its, DEV, bits, itt), 0);
		ACCEPT(its, cmd_mapd(DEV, bits, itt));
		EXPECT(!is_hosts(itt + size - 1));
		EXPECT(is_hosts(itt + ALIGN(size + 256, PAGE_SIZE)));
		its_check_held(its);
		UNMAP(its, DEV);
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
	phys_addr_t itt = its_alloc_itt(its, PAGES_BITS);

	test_unprepared_if_not_hosts(its, DEV, PAGES_BITS, itt, itt,
				     test_itt_size(its, PAGES_BITS));
	EXPECT_EQ(its_prepare(its, DEV, PAGES_BITS, itt), 0);
	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, itt));
}

static void no_memory(void)
{
	struct host_its *its = up();
	u64 size = test_itt_size(its, PAGES_BITS);
	const struct {
		phys_addr_t	itt;
		int		ret;
	} bad[] = {
		{ 0, -EPERM },
		{ its->cfg.its.base, -EPERM },
		{ its->cfg.its.base + SZ_64K, -EPERM },
		{ MEM_LOW - PAGE_SIZE, -EPERM },
		{ mem_end(MEM_LOW), -EPERM },
		{ mem_end(MEM_LOW) - size + PAGE_SIZE, -EPERM },
		{ mem_end(MEM_HIGH) - size + PAGE_SIZE, -EPERM },
		{ GENMASK_ULL(51, PAGE_SHIFT), -EINVAL },
		{ ~0ULL << PAGE_SHIFT, -EINVAL },
		{ BIT_ULL(52), -EINVAL },
		{ BIT_ULL(63), -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		UNPREPARED(its, bad[i].ret, DEV, PAGES_BITS, bad[i].itt);

	EXPECT_EQ(its_prepare(its, DEV, PAGES_BITS, mem_end(MEM_LOW) - size), 0);
	EXPECT_EQ(its_prepare(its, OTHER, PAGES_BITS, mem_end(MEM_HIGH) - size), 0);
}

static void what_el2_has(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, OTHER, PAGES_BITS);
	const phys_addr_t bad[] = {
		its->queue, its->staging, its->tables[BASER_DEVICES],
		its->staging_tables[BASER_DEVICES], its->tables[BASER_COLLECTIONS],
		its_stage_level2(its, BASER_DEVICES, DEV),
		itt, itt + PAGE_SIZE, itt + test_itt_size(its, PAGES_BITS) - PAGE_SIZE,
		itt - test_itt_size(its, PAGES_BITS) + PAGE_SIZE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		UNPREPARED(its, -EPERM, DEV, PAGES_BITS, bad[i]);
		REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, PAGES_BITS, bad[i]));
	}
}

static void check_limit(u32 addr_bits, bool reaches)
{
	struct machine_config cfg = with_ites_of_16();
	struct host_its *its;
	phys_addr_t bad[3];
	unsigned int i;
	u64 size;

	machine_reset();
	cfg.addr_bits = addr_bits;
	its = up_for(&cfg);
	size = test_itt_size(its, PAGES_BITS);
	EXPECT_EQ(its_prepare(its, DEV, PAGES_BITS, MEM_HIGH - size), 0);
	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, MEM_HIGH - size));
	UNMAP(its, DEV);

	bad[0] = MEM_HIGH - size + PAGE_SIZE;
	bad[1] = MEM_HIGH - PAGE_SIZE;
	bad[2] = MEM_HIGH;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!reaches) {
			UNPREPARED(its, -EINVAL, DEV, PAGES_BITS, bad[i]);
			continue;
		}

		EXPECT_EQ(its_prepare(its, DEV, PAGES_BITS, bad[i]), 0);
		ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, bad[i]));
		UNMAP(its, DEV);
	}
}

/* Address bits that the ITS does not drive: it would access other memory. */
static void address_bits(void)
{
	check_limit(51, false);
	check_limit(52, true);
}

/* What shares a page with an ITT would be EL2's, or the ITT the host's. */
static void alignment(void)
{
	struct host_its *its = up();
	phys_addr_t page = host_alloc(2 * PAGE_SIZE, PAGE_SIZE);
	u32 offset;

	for (offset = SZ_256; offset < PAGE_SIZE; offset += SZ_256)
		UNPREPARED(its, -EINVAL, DEV, 1, page + offset);
	UNPREPARED(its, -EINVAL, DEV, 1, page + 1);
}

/*
 * What MAPD has to say
 */

/* This ITT and this size, of this device, and nothing else that is prepared */
static void not_as_prepared(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_prepare(its, DEV, 5), other = test_prepare(its, OTHER, 5);
	u32 bits;

	for (bits = 1; bits <= 32; bits++) {
		if (bits != 5)
			REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, bits, itt));
	}

	for (bits = 8; bits < 52; bits++)
		REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, itt ^ BIT_ULL(bits)));

	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, other));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(OTHER, 5, itt));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV - 1, 5, itt));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(0x9000, 5, itt));
	EXPECT(!its_model_is_mapped(its->model, DEV));

	ACCEPT(its, cmd_mapd(DEV, 5, itt));
	ACCEPT(its, cmd_mapd(OTHER, 5, other));
}

/* A device is mapped once, until its memory has been given back. */
static void remap(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5), next = its_alloc_itt(its, 7);

	ACCEPT(its, cmd_mapti(DEV, 1, 8192, 0));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, itt));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 7, next));
	UNPREPARED(its, -EBUSY, DEV, 7, next);
	UNPREPARED(its, -EBUSY, DEV, 5, itt);
	ACCEPT(its, cmd_event(GITS_CMD_INT, DEV, 1));
	DISCARD(its, DEV, 1);

	ACCEPT(its, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, itt));
	UNPREPARED(its, -EBUSY, DEV, 7, next);
	ACCEPT(its, cmd_sync(0));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, itt));
	EXPECT_EQ(its_reclaim(its, DEV), 0);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, itt));

	EXPECT_EQ(its_prepare(its, DEV, 7, next), 0);
	ACCEPT(its, cmd_mapd(DEV, 7, next));
	ACCEPT(its, cmd_mapti(DEV, 127, 8192, 0));
	its_check_held(its);
}

/* What is prepared and not mapped can be given back at once, and once only. */
static void prepared_only(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_prepare(its, DEV, 5);
	u64 reads = its->model->cwriter_writes;

	UNPREPARED(its, -EBUSY, DEV, 5, itt);
	UNPREPARED(its, -EBUSY, DEV, 5, its_alloc_itt(its, 5));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_event(GITS_CMD_INV, DEV, 0));
	EXPECT_EQ(its->model->cwriter_writes, reads + 2);
	EXPECT_EQ(its_reclaim(its, DEV), 0);
	EXPECT(is_hosts(itt));
	EXPECT_EQ(its_reclaim(its, DEV), -EINVAL);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, itt));
	EXPECT_EQ(its_prepare(its, DEV, 5, itt), 0);
	its_check_held(its);
}

/* Two devices with the same memory */
static void overlap(void)
{
	struct host_its *its = up();
	u64 size = test_itt_size(its, PAGES_BITS);
	phys_addr_t itt = host_alloc(3 * size, PAGE_SIZE) + size;
	const phys_addr_t busy[] = {
		itt - size + PAGE_SIZE,
		itt - PAGE_SIZE,
		itt,
		itt + PAGE_SIZE,
		itt + size - PAGE_SIZE,
	};
	unsigned int i, mapped;

	EXPECT_EQ(its_prepare(its, DEV, PAGES_BITS, itt), 0);
	for (mapped = 0; mapped < 2; mapped++) {
		for (i = 0; i < ARRAY_SIZE(busy); i++) {
			UNPREPARED(its, -EPERM, OTHER, PAGES_BITS, busy[i]);
			UNPREPARED(its, -EBUSY, DEV, PAGES_BITS, busy[i]);
		}
		UNPREPARED(its, -EPERM, OTHER, 1, itt + 2 * PAGE_SIZE);
		if (!mapped)
			ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, itt));
	}

	EXPECT_EQ(its_prepare(its, OTHER, PAGES_BITS, itt + size), 0);
	EXPECT_EQ(its_reclaim(its, OTHER), 0);
	EXPECT_EQ(its_prepare(its, OTHER, PAGES_BITS, itt - size), 0);
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
	itt = its_alloc_itt(its, PAGES_BITS);
	EXPECT(mem_host_fill(itt, test_itt_size(its, PAGES_BITS), 1));
	EXPECT_EQ(its_prepare(its, DEV, PAGES_BITS, itt), 0);

	/* The ITS fails the test when it reads an entry that it did not write. */
	ACCEPT(its, cmd_mapd(DEV, PAGES_BITS, itt));
	for (event = 0; event < BIT(PAGES_BITS); event++)
		ACCEPT(its, cmd_event(GITS_CMD_INV, DEV, event));

	/* Nor is there anything in the record. */
	UNMAP(its, DEV);
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
	DISCARD(its, DEV, 7);
	UNMAP(its, DEV);
	EXPECT_EQ(its_prepare(its, DEV, 5, itt), 0);
	ACCEPT(its, cmd_mapd(DEV, 5, itt));
	EXPECT(!its_model_translate(its->model, DEV, 7, &intid, &rdbase));
}

/*
 * Unmapping
 */

static void unmap_twice(void)
{
	struct host_its *its = up();

	test_map(its, DEV, 5);
	ACCEPT(its, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	EXPECT_EQ(its_reclaim(its, DEV), 0);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));

	/* Also before the ITS has got to the first one */
	test_map(its, DEV, 5);
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_unmapd(DEV));
	its_ring(its);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	its_check_held(its);
}

static void unmap_unknown(void)
{
	struct host_its *its = up();

	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(0));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(BIT(16) - 1));
	EXPECT_EQ(its_reclaim(its, DEV), -EINVAL);
	EXPECT_EQ(its_reclaim(its, BIT(16) - 1), -EINVAL);
}

/* What the ITS gets to see is what was recorded, whatever the command says. */
static void unmap_with_address(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5), other = test_map(its, OTHER, 5);
	struct cmd cmd = cmd_mapd(DEV, 10, other);

	cmd.raw[2] &= ~BIT_ULL(63);
	ACCEPT_AS(its, cmd, cmd_unmapd_full(DEV, 5, itt));
	ACCEPT(its, cmd_sync(0));
	EXPECT_EQ(its_reclaim(its, DEV), 0);
	EXPECT(is_hosts(itt) && !is_hosts(other));
	ACCEPT(its, cmd_event(GITS_CMD_INV, OTHER, 31));
	its_check_held(its);
}

/*
 * Events that are mapped
 */

static void check_events(u32 bits)
{
	struct host_its *its;
	u32 event, nr = BIT(bits);

	machine_reset();
	its = up();
	test_map(its, OTHER, bits);
	test_map(its, DEV, bits);

	/* Each of them, first, last, and twice */
	for (event = 0; event < nr; event = event < 130 ? event + 1 : event * 2 + 1) {
		ACCEPT(its, cmd_mapti(DEV, event, 8192, 0));
		REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
		REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_mapti(DEV, event, 8193, 0));
		EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
		DISCARD(its, DEV, event);
		ACCEPT(its, cmd_unmapd(DEV));
		ACCEPT(its, cmd_sync(0));
		EXPECT_EQ(its_reclaim(its, DEV), 0);
		test_map(its, DEV, bits);
	}

	/* All of them */
	for (event = 0; event < nr; event++)
		ACCEPT(its, cmd_mapti(DEV, event, 8192, 0));
	for (event = 0; event < nr; event++) {
		REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
		DISCARD(its, DEV, event);
	}
	UNMAP(its, DEV);
	its_check_held(its);
}

static void events(void)
{
	check_events(1);
	check_events(5);
	check_events(6);
	check_events(7);
	check_events(12);
}

/* Not all commands for an event map it, or unmap it; nor do those that are refused. */
static void events_by_command(void)
{
	struct host_its *its = up();

	test_map(its, OTHER, 14);
	test_map(its, DEV, 14);
	ACCEPT(its, cmd_movi(DEV, 1, 1));
	ACCEPT(its, cmd_event(GITS_CMD_INV, DEV, 2));
	ACCEPT(its, cmd_event(GITS_CMD_CLEAR, DEV, 4));
	DISCARD(its, DEV, 5);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, cmd_mapti(DEV, BIT(14), 8192, 0));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_mapti(DEV, 6, 8191, 0));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd_mapti(DEV, 6, 8192, 0xffff));
	ACCEPT(its, cmd_mapti(OTHER, 1, 8192, 0));
	ACCEPT(its, cmd_unmapd(DEV));
	ACCEPT(its, cmd_sync(0));
	EXPECT_EQ(its_reclaim(its, DEV), 0);

	test_map(its, DEV, 14);
	ACCEPT(its, cmd_mapti(DEV, 8200, 8200, 0));
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	ACCEPT(its, cmd_event(GITS_CMD_CLEAR, DEV, 8200));
	ACCEPT(its, cmd_event(GITS_CMD_INV, DEV, 8200));
	ACCEPT(its, cmd_movi(DEV, 8200, 1));
	DISCARD(its, DEV, 8199);
	DISCARD(its, OTHER, 8200);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, cmd_event(GITS_CMD_DISCARD, DEV, BIT(14) + 8200));
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	DISCARD(its, DEV, 8200);
	UNMAP(its, DEV);
	DISCARD(its, OTHER, 1);
	UNMAP(its, OTHER);
}

/* The ITS may write all of an ITT, and has not written a word of EL2's behind it. */
static void record_is_apart(void)
{
	struct host_its *its;
	phys_addr_t itt;
	u32 bits;
	u8 fill[256];
	u64 i;

	memset(fill, 0xff, sizeof(fill));
	for (bits = 1; bits <= 16; bits++) {
		machine_reset();
		its = up();
		itt = test_map(its, DEV, bits);
		for (i = 0; i < ALIGN(16ULL << bits, SZ_256); i += sizeof(fill))
			mem_its_write(itt + i, fill, sizeof(fill), false);
		UNMAP(its, DEV);
	}
}

/*
 * Devices that are mapped already
 */

/* An ITS whose driver had mapped a device before EL2 came */
static struct host_its *register_with_device(const struct machine_config *cfg, u32 dev_id,
					     phys_addr_t *itt)
{
	struct host_its *its = its_start(cfg);

	*itt = its_alloc_itt(its, 5);
	its_stage_level2(its, BASER_DEVICES, dev_id);
	its_stage(its, cmd_mapd(dev_id, 5, *itt));
	its_stage(its, cmd_mapti(dev_id, 3, 8195, 2));
	its_ring(its);
	EXPECT(!its_register(its));

	/* Neither twice nor out of range */
	EXPECT(!__pkvm_its_adopt_device(its->id, dev_id, 5, *itt));
	EXPECT_EQ(__pkvm_its_adopt_device(its->id, dev_id, 5, its_alloc_itt(its, 5)), -EINVAL);
	dev_id = BIT(cfg->its.dev_bits);
	EXPECT_EQ(__pkvm_its_adopt_device(its->id, dev_id, 5, its_alloc_itt(its, 5)), -EINVAL);

	return its;
}

static void mapped_before(void)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;
	phys_addr_t itt;

	cfg.its.dev_bits = 3;
	its = register_with_device(&cfg, 7, &itt);
	EXPECT_EQ(__pkvm_its_adopt_event(its->id, 7, 3), -EINVAL);
	EXPECT(!its_activate(its));
	EXPECT(!__pkvm_its_adopt_event(its->id, 7, 3));

	ACCEPT(its, cmd_event(GITS_CMD_INT, 7, 3));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, cmd_event(GITS_CMD_INT, 7, 32));
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(7));
	DISCARD(its, 7, 3);
	UNMAP(its, 7);
	EXPECT(is_hosts(itt));
	its_check_held(its);
}

/* The hand-over is undone: all that EL2 knows of devices goes, with their memory. */
static void mapped_before_undone(void)
{
	struct machine_config cfg = machine_default;
	u32 dev_id = 3 * SZ_64K / machine_default.devices.entry_size;
	struct host_its *its;
	phys_addr_t itt;

	cfg.its.dev_bits = 27;
	cfg.devices.nr_pages = 2;
	its = register_with_device(&cfg, dev_id, &itt);
	EXPECT(!is_hosts(itt));
	EXPECT(!__pkvm_its_unregister(its->id));
	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS), 0);
	EXPECT(mem_is_clean());
	EXPECT(its_model_is_mapped(its->model, dev_id));
}

const struct test mapd_tests[] = {
	TEST(map_and_unmap),
	TEST(device_id),
	TEST(device_id_of_32_bits),
	TEST(record_pages),
	TEST(size),
	TEST(not_the_hosts),
	TEST(no_memory),
	TEST(what_el2_has),
	TEST(address_bits),
	TEST(alignment),
	TEST(not_as_prepared),
	TEST(remap),
	TEST(prepared_only),
	TEST(overlap),
	TEST(forged_contents),
	TEST(forged_contents_not_coherent),
	TEST(stale_contents),
	TEST(unmap_twice),
	TEST(unmap_unknown),
	TEST(unmap_with_address),
	TEST(events),
	TEST(events_by_command),
	TEST(record_is_apart),
	TEST(mapped_before),
	TEST(mapped_before_undone),
	{}
};
