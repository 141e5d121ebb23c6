// SPDX-License-Identifier: GPL-2.0-only
/*
 * Level-2 tables
 */

#include "test.h"

/*
 * Each test runs for all of the ITS's page sizes, and for an ITS that snoops and one that
 * does not. What is wanted of a level-2 page is the device table's.
 */
static struct host_its *its;
static u32 psz, per_page;
static u64 size;

#define EVENT_BITS	5

static void start(struct machine_config cfg, u32 page_size, bool nc)
{
	machine_reset();
	psz = page_size;
	per_page = psz / 8;

	cfg.its.nc = nc;
	cfg.devices.psz = psz;
	cfg.devices.nr_pages = SZ_64K / psz;
	its = its_up(&cfg);
	size = its_staging_level2_size(its->model->baser[BASER_DEVICES]);
}

static void for_all(const struct machine_config *cfg, void (*fn)(void))
{
	static const u32 sizes[] = { SZ_4K, SZ_16K, SZ_64K };
	unsigned int i, nc;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (nc = 0; nc <= 1; nc++) {
			start(*cfg, sizes[i], nc);
			fn();
		}
	}
}

#define FOR_ALL(name)					\
static void name(void)					\
{							\
	for_all(&machine_default, check_##name);	\
}

/* Needs @id to have a level-2 page. */
static void map(u32 id)
{
	phys_addr_t itt = its_alloc_itt(its, EVENT_BITS);

	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, itt), 0);
	ACCEPT(its, cmd_mapd(id, EVENT_BITS, itt));
}

static u64 committed(u32 id)
{
	return mem_peek(its->tables[BASER_DEVICES] + id / per_page * sizeof(u64));
}

static void stage_entry(u32 id, u64 entry)
{
	its_stage_level1_entry(its, BASER_DEVICES, id, entry);
}

static phys_addr_t stage_page(u32 id)
{
	phys_addr_t phys = host_alloc(size, max_t(u64, psz, PAGE_SIZE));

	expect_state(phys + ALIGN(psz, PAGE_SIZE), (size - ALIGN(psz, PAGE_SIZE)) >> PAGE_SHIFT,
		     true);
	stage_entry(id, phys | GITS_BASER_VALID);

	return phys;
}

static u64 owned(void)
{
	return mem_count(MEM_ITS) + mem_count(MEM_EL2);
}

static void check_taken_once(void)
{
	u32 id = 3 * per_page, nr = size >> PAGE_SHIFT;
	phys_addr_t phys = stage_page(id);
	u64 was = owned(), i;

	EXPECT_EQ(committed(id), 0);
	map(id);
	EXPECT_EQ(owned(), was + nr + 1);
	EXPECT_EQ(committed(id), phys | GITS_BASER_VALID);
	for (i = 0; i < size; i += PAGE_SIZE)
		EXPECT(!mem_host_write(phys + i, 1));
	EXPECT(size >= psz + per_page * sizeof(u64));

	map(id + per_page - 1);
	EXPECT_EQ(owned(), was + nr + 2);
	its_check_held(its);
}

FOR_ALL(taken_once)

/* It stays when nothing in it is mapped any more. */
static void check_stays(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id);

	map(id);
	UNMAP(its, id);
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
	u64 entry;

	EXPECT(mem_host_fill(phys, size, phys | BIT(3)));
	map(id + 5);
	for (i = 0; i < per_page; i++) {
		EXPECT_EQ(its_model_is_mapped(its->model, id + i), i == 5);
		EXPECT_EQ(!!el2_device(its->id, id + i), i == 5);
		mem_its_read(phys + i * sizeof(entry), &entry, sizeof(entry), its->cfg.its.nc);
		EXPECT(i == 5 || !entry);
	}
}

FOR_ALL(forged_contents)

static void check_bad_entry(void)
{
	phys_addr_t phys = host_alloc(2 * size, max_t(u64, psz, PAGE_SIZE));
	phys_addr_t itt = its_alloc_itt(its, EVENT_BITS);
	u32 id = 3 * per_page, bit;
	const struct {
		u64	entry;
		int	ret;
	} bad[] = {
		{ 0, -EINVAL },
		{ phys, -EINVAL },
		{ GITS_BASER_VALID, -EPERM },
		{ GITS_BASER_VALID | its->cfg.its.base, -EPERM },
		{ GITS_BASER_VALID | GENMASK_ULL(51, 16), size > SZ_64K ? -EINVAL : -EPERM },
		{ GITS_BASER_VALID | ALIGN_DOWN(MEM_LOW - size, SZ_64K), -EPERM },
		{ GITS_BASER_VALID | ALIGN(mem_end(MEM_LOW), SZ_64K), -EPERM },
		{ GITS_BASER_VALID | its->queue, -EPERM },
		{ GITS_BASER_VALID | its->staging, -EPERM },
		{ GITS_BASER_VALID | its->tables[BASER_DEVICES], -EPERM },
		{ GITS_BASER_VALID | its->staging_tables[BASER_DEVICES], -EPERM },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		stage_entry(id, bad[i].entry);
		UNPREPARED(its, bad[i].ret, id, EVENT_BITS, itt);
	}

	/* Not aligned, or past the address */
	for (bit = 0; bit < 63; bit++) {
		if (BIT_ULL(bit) >= max_t(u64, psz, PAGE_SIZE) && bit < 52)
			continue;

		stage_entry(id, GITS_BASER_VALID | phys | BIT_ULL(bit));
		UNPREPARED(its, -EINVAL, id, EVENT_BITS, itt);
	}

	EXPECT_EQ(committed(id), 0);
	stage_entry(id, GITS_BASER_VALID | phys);
	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, itt), 0);
	EXPECT_EQ(committed(id), GITS_BASER_VALID | phys);
	EXPECT(!mem_host_write(phys + size - sizeof(u64), 1));
	EXPECT(mem_host_write(phys + size, 1));
}

FOR_ALL(bad_entry)

/* Any of our pages that the ITS's page or the records behind it have a part of */
static void check_not_the_hosts(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id), itt = its_alloc_itt(its, EVENT_BITS);

	test_unprepared_if_not_hosts(its, id, EVENT_BITS, itt, phys, size);
	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, itt), 0);
}

FOR_ALL(not_the_hosts)

/* What it has taken counts, not what the host has in its table later. */
static void check_never_changes(void)
{
	const u64 later[] = { 0, GITS_BASER_VALID, ~0ULL, GITS_BASER_VALID | its->queue };
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id);
	u64 entry, i;

	map(id);
	for (i = 0; i < ARRAY_SIZE(later); i++) {
		stage_entry(id, later[i]);
		map(id + 1 + i);
	}

	entry = stage_page(id);
	map(id + 1 + i);
	EXPECT(mem_host_write(entry, 1));
	EXPECT_EQ(committed(id), phys | GITS_BASER_VALID);
	its_check_held(its);
}

FOR_ALL(never_changes)

/* What is with a level-2 page already, the ITS's part or the records */
static void check_two_in_a_page(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id), itt = its_alloc_itt(its, EVENT_BITS);

	map(id);
	stage_entry(id + per_page, phys | GITS_BASER_VALID);
	UNPREPARED(its, -EPERM, id + per_page, EVENT_BITS, itt);
	stage_entry(id + per_page, (phys + psz) | GITS_BASER_VALID);
	UNPREPARED(its, psz < PAGE_SIZE ? -EINVAL : -EPERM, id + per_page, EVENT_BITS, itt);
	EXPECT_EQ(committed(id + per_page), 0);
	stage_page(id + per_page);
	map(id + per_page);
}

FOR_ALL(two_in_a_page)

/* The first and the last that the level-1 table has room for */
static void check_ends(void)
{
	u32 last = BIT(its->cfg.its.dev_bits) - 1;

	EXPECT_EQ(committed(last), 0);
	stage_page(last);
	map(last);
	EXPECT(committed(last));
	EXPECT_EQ(committed(last - per_page), 0);

	stage_page(0);
	map(0);
	EXPECT_EQ(committed(per_page), 0);
}

FOR_ALL(ends)

/* Commands take nothing, whatever they say. */
static void check_commands_take_none(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id), itt = its_alloc_itt(its, EVENT_BITS);

	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(id, EVENT_BITS, itt));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(id));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_mapti(id, 0, 8192, 0));
	EXPECT_EQ(its_reclaim(its, id), -EINVAL);
	EXPECT_EQ(committed(id), 0);
	EXPECT(mem_host_write(phys, 1));
	its_check_held(its);
}

FOR_ALL(commands_take_none)

/* A device that can't be prepared for something else: the page stays, and is good. */
static void check_itt_refused(void)
{
	u32 id = 3 * per_page;
	phys_addr_t phys = stage_page(id), guest = host_alloc(PAGE_SIZE, PAGE_SIZE);

	mem_give_guest(guest);
	EXPECT_EQ(its_prepare(its, id, 0, guest), -EINVAL);
	EXPECT_EQ(its_prepare(its, id, 17, guest), -EINVAL);
	EXPECT_EQ(committed(id), 0);
	EXPECT(mem_host_write(phys, 1));
	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, guest), -EPERM);
	EXPECT_EQ(committed(id), phys | GITS_BASER_VALID);
	EXPECT(!mem_host_write(phys, 1));
	its_check_held(its);
	map(id);
	its_check_held(its);
}

FOR_ALL(itt_refused)

/* The same memory cannot be both. */
static void itt_is_level2(void)
{
	phys_addr_t phys;
	u32 id;

	start(machine_default, SZ_64K, false);
	id = 3 * per_page;
	phys = stage_page(id);
	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, phys), -EPERM);
	EXPECT(!el2_device(its->id, id));
	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, phys + SZ_64K), -EPERM);
	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, phys + size - PAGE_SIZE), -EPERM);
	map(id);
	its_check_held(its);
}

/* Address bits that the ITS does not drive */
static void check_address_bits(void)
{
	phys_addr_t itt = its_alloc_itt(its, EVENT_BITS);
	u32 id = 3 * per_page;

	stage_entry(id, MEM_HIGH | GITS_BASER_VALID);
	if (its->cfg.addr_bits < 52) {
		UNPREPARED(its, -EINVAL, id, EVENT_BITS, itt);
		stage_entry(id, ALIGN_DOWN(MEM_HIGH - size, psz) | GITS_BASER_VALID);
	}

	EXPECT_EQ(its_prepare(its, id, EVENT_BITS, itt), 0);
	EXPECT(!mem_host_write(committed(id) & ~GITS_BASER_VALID, 1));
}

static void address_bits(void)
{
	struct machine_config cfg = machine_default;

	for_all(&cfg, check_address_bits);
	cfg.addr_bits = 51;
	for_all(&cfg, check_address_bits);
}

/* Flat tables do not want a page, and there is room for all records. */
static void none(void)
{
	struct machine_config cfg = machine_default;
	u64 was;

	cfg.devices.indirect = false;
	its = its_up(&cfg);
	was = owned();
	map(700);
	EXPECT_EQ(owned(), was + 1);
	map(0);
	map(SZ_64K / 8 - 1);
	UNPREPARED(its, -EINVAL, SZ_64K / 8, EVENT_BITS, its_alloc_itt(its, EVENT_BITS));
	UNMAP(its, 700);
	UNMAP(its, 0);
	UNMAP(its, SZ_64K / 8 - 1);
	EXPECT_EQ(owned(), was);
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
	TEST(commands_take_none),
	TEST(itt_refused),
	TEST(itt_is_level2),
	TEST(address_bits),
	TEST(none),
	{}
};
