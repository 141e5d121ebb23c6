// SPDX-License-Identifier: GPL-2.0-only
/*
 * Level-2 tables
 */

#include "test.h"

/*
 * Each test runs for both kinds of table, for all of the ITS's page sizes, and for an ITS
 * that snoops and one that does not.
 */
static struct host_its *its;
static unsigned int baser;
static u32 psz, per_page;

static void start(struct machine_config cfg, u32 size, unsigned int table, bool nc)
{
	machine_reset();
	baser = table;
	psz = size;
	per_page = psz / 8;

	cfg.its.nc = nc;
	cfg.devices.psz = psz;
	cfg.collections.psz = psz;
	cfg.collections.indirect = true;
	cfg.devices.nr_pages = SZ_64K / psz;
	cfg.collections.nr_pages = cfg.devices.nr_pages;
	its = its_up(&cfg);
}

static void for_all(const struct machine_config *cfg, void (*fn)(void))
{
	static const u32 sizes[] = { SZ_4K, SZ_16K, SZ_64K };
	unsigned int i, table, nc;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (table = 0; table <= BASER_COLLECTIONS; table++) {
			for (nc = 0; nc <= 1; nc++) {
				start(*cfg, sizes[i], table, nc);
				fn();
			}
		}
	}
}

#define FOR_ALL(name)					\
static void name(void)					\
{							\
	for_all(&machine_default, check_##name);	\
}

/* A command that wants @id to have a level-2 page */
static struct cmd mapping(u32 id)
{
	if (baser == BASER_COLLECTIONS)
		return cmd_mapc(id, its_model_rdbase(its->model, 1));

	EXPECT(!its_reserve(its, id));

	return cmd_mapd(id, 5, host_alloc(PAGE_SIZE, PAGE_SIZE));
}

static struct cmd unmapping(u32 id)
{
	return baser == BASER_COLLECTIONS ? cmd_unmapc(id) : cmd_unmapd(id);
}

static u64 committed(u32 id)
{
	return mem_peek(its->tables[baser] + id / per_page * sizeof(u64));
}

static void stage_entry(u32 id, u64 entry)
{
	its_stage_level1_entry(its, baser, id, entry);
}

static phys_addr_t stage_page(u32 id)
{
	phys_addr_t phys = host_alloc(max_t(u64, psz, PAGE_SIZE), psz);

	stage_entry(id, phys | GITS_BASER_VALID);

	return phys;
}

static u64 pages_of(u64 size)
{
	return ALIGN(size, PAGE_SIZE) >> PAGE_SHIFT;
}

static void check_taken_once(void)
{
	u32 id = 3 * per_page, nr = pages_of(psz), itt = baser == BASER_DEVICES;
	phys_addr_t phys = stage_page(id);
	u64 owned, i;

	mapping(id);
	mapping(id + per_page - 1);
	owned = mem_count(MEM_ITS);
	EXPECT_EQ(committed(id), 0);
	ACCEPT(its, mapping(id));
	EXPECT_EQ(mem_count(MEM_ITS), owned + nr + itt);
	EXPECT_EQ(committed(id), phys | GITS_BASER_VALID);
	for (i = 0; i < max_t(u64, psz, PAGE_SIZE); i += PAGE_SIZE)
		EXPECT(!mem_host_write(phys + i, 1));

	ACCEPT(its, mapping(id + per_page - 1));
	EXPECT_EQ(mem_count(MEM_ITS), owned + nr + 2 * itt);
	its_check_held(its);
}

FOR_ALL(taken_once)

/* It stays when nothing in it is mapped any more. */
static void check_stays(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id);

	ACCEPT(its, mapping(id));
	ACCEPT(its, unmapping(id));
	EXPECT(!mem_host_write(phys, 1));
	EXPECT_EQ(committed(id), phys | GITS_BASER_VALID);
	its_check_held(its);
}

FOR_ALL(stays)

/* The ITS fails the test when it reads an entry that it did not write. */
static void check_forged_contents(void)
{
	u32 id = 2 * per_page, i;
	phys_addr_t phys = stage_page(id);

	EXPECT(mem_host_fill(phys, psz, 1));
	ACCEPT(its, mapping(id + 5));
	if (baser == BASER_DEVICES) {
		for (i = 0; i < per_page; i++)
			EXPECT_EQ(its_model_is_mapped(its->model, id + i), i == 5);
		return;
	}

	for (i = 0; i < psz; i += sizeof(u64)) {
		u64 entry;

		mem_its_read(phys + i, &entry, sizeof(entry), its->cfg.its.nc);
		EXPECT(i == 5 * sizeof(u64) || !entry);
	}
}

FOR_ALL(forged_contents)

static void check_bad_entry(void)
{
	u32 id = 3 * per_page, bit;
	phys_addr_t phys = host_alloc(max_t(u64, 2 * psz, PAGE_SIZE), 2 * psz);
	const u64 bad[] = {
		0,
		phys,
		GITS_BASER_VALID,
		GITS_BASER_VALID | its->cfg.its.base,
		GITS_BASER_VALID | GENMASK_ULL(51, 16),
		GITS_BASER_VALID | (MEM_LOW - psz),
		GITS_BASER_VALID | ALIGN(mem_end(MEM_LOW), psz),
		GITS_BASER_VALID | its->queue,
		GITS_BASER_VALID | its->staging,
		GITS_BASER_VALID | its->tables[baser],
		GITS_BASER_VALID | its->staging_tables[baser],
	};
	struct cmd cmd = mapping(id);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		stage_entry(id, bad[i]);
		REFUSE(its, PKVM_ITS_REFUSED_BAD_LEVEL2, cmd);
	}

	/* Not aligned, or past the address */
	for (bit = 0; bit < 63; bit++) {
		if (BIT_ULL(bit) >= psz && bit < 52)
			continue;

		stage_entry(id, GITS_BASER_VALID | phys | BIT_ULL(bit));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_LEVEL2, cmd);
	}

	EXPECT_EQ(committed(id), 0);
	stage_entry(id, GITS_BASER_VALID | (phys + psz));
	ACCEPT(its, cmd);
	EXPECT_EQ(committed(id), GITS_BASER_VALID | (phys + psz));
	EXPECT_EQ(mem_host_write(phys + psz - sizeof(u64), 1), psz >= PAGE_SIZE);
}

FOR_ALL(bad_entry)

/* Any of our pages that an ITS's page has a part of */
static void check_not_the_hosts(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id);
	struct cmd cmd = mapping(id);

	test_refuse_if_not_hosts(its, PKVM_ITS_REFUSED_BAD_LEVEL2, cmd, phys, psz);
	ACCEPT(its, cmd);
}

FOR_ALL(not_the_hosts)

/* What it has taken counts, not what the host has in its table later. */
static void check_never_changes(void)
{
	const u64 later[] = { 0, GITS_BASER_VALID, ~0ULL, GITS_BASER_VALID | its->queue };
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id);
	u64 entry, i;

	ACCEPT(its, mapping(id));
	for (i = 0; i < ARRAY_SIZE(later); i++) {
		stage_entry(id, later[i]);
		ACCEPT(its, mapping(id + 1 + i));
	}

	entry = stage_page(id);
	ACCEPT(its, mapping(id + 1 + i));
	EXPECT(mem_host_write(entry, 1));
	EXPECT_EQ(committed(id), phys | GITS_BASER_VALID);
	its_check_held(its);
}

FOR_ALL(never_changes)

/* Two of the ITS's pages in one of ours: the second is not the host's any more. */
static void check_two_in_a_page(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id);

	ACCEPT(its, mapping(id));
	stage_entry(id + per_page, (phys + psz) | GITS_BASER_VALID);
	if (psz < PAGE_SIZE)
		REFUSE(its, PKVM_ITS_REFUSED_BAD_LEVEL2, mapping(id + per_page));

	stage_entry(id + per_page, phys | GITS_BASER_VALID);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_LEVEL2, mapping(id + per_page));
	EXPECT_EQ(committed(id + per_page), 0);
	stage_page(id + per_page);
	ACCEPT(its, mapping(id + per_page));
}

FOR_ALL(two_in_a_page)

/* The first and the last that the level-1 table has room for */
static void check_ends(void)
{
	u32 last = baser == BASER_DEVICES ? its->cfg.its.dev_bits : 16;

	last = BIT(last) - 1;
	EXPECT_EQ(committed(last), 0);
	stage_page(last);
	ACCEPT(its, mapping(last));
	EXPECT(committed(last));
	EXPECT_EQ(committed(last - per_page), 0);

	/* Collection 0 has been there all along. */
	if (baser == BASER_DEVICES)
		stage_page(0);
	ACCEPT(its, mapping(0));
	EXPECT_EQ(committed(per_page), 0);
}

FOR_ALL(ends)

static void check_unmapping_takes_none(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id);

	its_stage(its, unmapping(id));
	its_ring(its);
	EXPECT_EQ(committed(id), 0);
	EXPECT(mem_host_write(phys, 1));
	its_check_held(its);
}

FOR_ALL(unmapping_takes_none)

/* A command that is refused for something else takes nothing. */
static void check_refused_takes_none(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id), guest = host_alloc(PAGE_SIZE, PAGE_SIZE);

	mem_give_guest(guest);
	if (baser == BASER_COLLECTIONS) {
		REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_mapc(id, 0xfff0000));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_mapc(id, BIT_ULL(51)));
	} else {
		REFUSE(its, PKVM_ITS_REFUSED_NO_MEMORY, cmd_mapd(id, 5, guest));
		mapping(id);
		REFUSE(its, PKVM_ITS_REFUSED_BAD_ITT, cmd_mapd(id, 5, guest));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_SIZE, cmd_mapd(id, 17, guest));
		stage_page(0);
		ACCEPT(its, mapping(0));
		REFUSE(its, PKVM_ITS_REFUSED_ITT_BUSY,
		       cmd_mapd(id, 5, its->model->last[2] & GENMASK_ULL(51, 8)));
	}

	EXPECT_EQ(committed(id), 0);
	EXPECT(mem_host_write(phys, 1));
	ACCEPT(its, mapping(id));
}

FOR_ALL(refused_takes_none)

/* The same memory cannot be both. What was taken as the one goes back. */
static void itt_is_level2(void)
{
	phys_addr_t phys;
	struct cmd cmd;
	u32 id;

	start(machine_default, SZ_64K, BASER_DEVICES, false);
	id = 3 * per_page;
	phys = stage_page(id);
	mapping(id);
	cmd = cmd_mapd(id, 5, phys + SZ_64K - ITS_CMD_ITT_GRANULE * 8);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_LEVEL2, cmd);
	EXPECT(mem_host_write(phys, 1) && mem_host_write(phys + SZ_64K - 8, 1));
	its_check_held(its);

	/* The device is not mapped, and can be. */
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(id));
	stage_page(id);
	ACCEPT(its, cmd);
}

/* Address bits that the ITS does not drive */
static void check_address_bits(void)
{
	u32 id = 3 * per_page;
	struct cmd cmd = mapping(id);

	stage_entry(id, MEM_HIGH | GITS_BASER_VALID);
	if (its->cfg.addr_bits < 52) {
		REFUSE(its, PKVM_ITS_REFUSED_BAD_LEVEL2, cmd);
		stage_entry(id, (MEM_HIGH - psz) | GITS_BASER_VALID);
	}

	ACCEPT(its, cmd);
	EXPECT(!mem_host_write(committed(id) & ~GITS_BASER_VALID, 1));
}

static void address_bits(void)
{
	struct machine_config cfg = machine_default;

	for_all(&cfg, check_address_bits);
	cfg.addr_bits = 51;
	for_all(&cfg, check_address_bits);
}

/* Neither flat tables nor collections that the ITS holds itself want a page. */
static void none(void)
{
	struct machine_config cfg = machine_default;
	u64 owned;

	cfg.devices.indirect = false;
	cfg.its.hcc = 16;
	its = its_up(&cfg);
	owned = mem_count(MEM_ITS);
	ACCEPT(its, cmd_mapc(15, 0));
	ACCEPT(its, cmd_mapc(16, 0));
	EXPECT_EQ(mem_count(MEM_ITS), owned);
	test_map(its, 700, 5);
	EXPECT_EQ(mem_count(MEM_ITS), owned + 1);
}

const struct test level2_tests[] = {
	TEST(taken_once),
	TEST(stays),
	TEST(forged_contents),
	TEST(bad_entry),
	TEST(not_the_hosts),
	TEST(never_changes),
	TEST(two_in_a_page),
	TEST(ends),
	TEST(unmapping_takes_none),
	TEST(refused_takes_none),
	TEST(itt_is_level2),
	TEST(address_bits),
	TEST(none),
	{}
};
