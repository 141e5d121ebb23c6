// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAPC
 */

#include "test.h"

#define DEV	1

/* What collection @icid is for, as far as a device can tell */
static u64 rdbase_of(struct host_its *its, u32 icid)
{
	u64 rdbase;
	u32 intid;

	ACCEPT(its, cmd_mapti(DEV, 0, 8192, icid));
	EXPECT(its_model_translate(its->model, DEV, 0, &intid, &rdbase));
	DISCARD(its, DEV, 0);

	return rdbase;
}

static void map_and_unmap(void)
{
	struct host_its *its = its_up(&machine_default);
	unsigned int i;
	u64 rdbase;
	u32 intid;

	test_map(its, DEV, 1);
	for (i = 0; i < its->cfg.its.nr_rdbases; i++) {
		rdbase = its_model_rdbase(its->model, i);
		ACCEPT(its, cmd_mapc(77, rdbase));
		EXPECT_EQ(rdbase_of(its, 77), rdbase);
	}

	ACCEPT(its, cmd_mapti(DEV, 0, 8192, 77));
	for (i = 0; i < 2; i++) {
		ACCEPT(its, cmd_unmapc(77));
		EXPECT(!its_model_translate(its->model, DEV, 0, &intid, &rdbase));
	}
}

static void check_icids(const struct machine_config *cfg, u32 nr)
{
	const u32 past[] = { nr, nr + 1, SZ_64K - 1 };
	struct host_its *its;
	unsigned int i;
	u64 rdbase;

	machine_reset();
	its = its_up(cfg);
	rdbase = its_model_rdbase(its->model, 1);
	test_map(its, DEV, 1);
	ACCEPT(its, cmd_mapc(nr - 1, rdbase));
	EXPECT_EQ(rdbase_of(its, nr - 1), rdbase);
	ACCEPT(its, cmd_unmapc(nr - 1));

	for (i = 0; nr < SZ_64K && i < ARRAY_SIZE(past); i++) {
		REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd_mapc(past[i], rdbase));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd_unmapc(past[i]));
	}
}

/* Where ICIDs end: with the table, with what the ITS holds itself, or with the command */
static void icid(void)
{
	struct machine_config cfg = machine_default;

	check_icids(&cfg, BIT(13));
	cfg.its.hcc = 255;
	check_icids(&cfg, BIT(13));
	cfg.collections.entry_size = 24;
	check_icids(&cfg, SZ_64K / 24);
	cfg.collections.entry_size = 8;
	cfg.collections.nr_pages = 7;
	check_icids(&cfg, 7 * BIT(13));
	cfg.collections.nr_pages = 8;
	check_icids(&cfg, SZ_64K);
	cfg.collections.nr_pages = 9;
	check_icids(&cfg, SZ_64K);
	cfg.collections.nr_pages = 0;
	check_icids(&cfg, 255);
	cfg.its.hcc = 16;
	check_icids(&cfg, 16);
}

/* All RDbases that there are, and none next to them, by every command that has one */
static void check_rdbases(bool pta, u32 nr)
{
	struct machine_config cfg = machine_default;
	u64 rdbase, known, end;
	struct host_its *its;

	machine_reset();
	cfg.its.pta = pta;
	cfg.its.nr_rdbases = nr;
	its = its_up(&cfg);
	known = its_model_rdbase(its->model, 0);
	end = its_model_rdbase(its->model, nr - 1);
	test_map(its, DEV, 1);

	for (rdbase = pta ? known - SZ_128K : 0; rdbase <= end + SZ_128K; rdbase += SZ_64K) {
		if (rdbase <= end && (rdbase - known) % (pta ? SZ_128K : SZ_64K) == 0 &&
		    rdbase >= known) {
			ACCEPT(its, cmd_mapc(5, rdbase));
			EXPECT_EQ(rdbase_of(its, 5), rdbase);
			ACCEPT(its, cmd_sync(rdbase));
			continue;
		}

		REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_mapc(5, rdbase));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_sync(rdbase));
	}

	/* Refused ones have changed nothing. */
	EXPECT_EQ(rdbase_of(its, 5), end);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_mapc(5, known | BIT_ULL(51)));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_sync(GENMASK_ULL(51, 16)));
}

static void rdbase(void)
{
	u32 nr;

	for (nr = 1; nr <= ITS_MAX_RDBASES; nr++) {
		check_rdbases(false, nr);
		check_rdbases(true, nr);
	}
}

/* A collection that goes has no use for an RDbase: it is not checked and not passed on. */
static void unmap_with_rdbase(void)
{
	struct host_its *its = its_up(&machine_default);
	struct cmd cmd = cmd_unmapc(3);

	cmd.raw[2] |= GENMASK_ULL(51, 16);
	ACCEPT_AS(its, cmd, cmd_unmapc(3));
}

/* Collections that the ITS holds itself, next to those in its table */
static void held_in_the_its(void)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;
	u64 owned;

	cfg.its.hcc = 160;
	its = its_up(&cfg);
	test_map(its, DEV, 1);
	owned = mem_count(MEM_ITS);

	ACCEPT(its, cmd_mapc(159, its_model_rdbase(its->model, 2)));
	EXPECT_EQ(rdbase_of(its, 159), its_model_rdbase(its->model, 2));
	ACCEPT(its, cmd_mapc(160, its_model_rdbase(its->model, 3)));
	EXPECT_EQ(rdbase_of(its, 160), its_model_rdbase(its->model, 3));
	EXPECT_EQ(mem_count(MEM_ITS), owned);
}

const struct test mapc_tests[] = {
	TEST(map_and_unmap),
	TEST(icid),
	TEST(rdbase),
	TEST(unmap_with_rdbase),
	TEST(held_in_the_its),
	{}
};
