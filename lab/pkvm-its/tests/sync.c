// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYNC, INVALL, and what EL2 does not let through at all
 */

#include "test.h"

#define DEV	0x33

/* RDbases of SYNC are tested with those of MAPC. */
static void invall(void)
{
	struct host_its *its = its_up(&machine_default);

	ACCEPT(its, cmd_invall(0));
	ACCEPT(its, cmd_invall(BIT(13) - 1));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd_invall(BIT(13)));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd_invall(SZ_64K - 1));
}

/* What the driver never sends, as it would be good: it maps and moves nothing. */
static void never_sent(void)
{
	struct host_its *its = its_up(&machine_default);
	u64 from = its_model_rdbase(its->model, 3), to = its_model_rdbase(its->model, 2);

	test_map(its, DEV, 14);
	REFUSE(its, PKVM_ITS_REFUSED_UNKNOWN_COMMAND, cmd_mapi(DEV, 8193, 2));
	REFUSE(its, PKVM_ITS_REFUSED_UNKNOWN_COMMAND, cmd_movall(from, to));
	REFUSE(its, PKVM_ITS_REFUSED_UNKNOWN_COMMAND, cmd_movall(from, from));
	EXPECT_EQ(el2_device(its->id, DEV)->nr_events, 0);
	ACCEPT(its, cmd_unmapd(DEV));
}

static bool is_known(u32 nr)
{
	switch (nr) {
	case GITS_CMD_MAPD:
	case GITS_CMD_MAPC:
	case GITS_CMD_MAPTI:
	case GITS_CMD_MOVI:
	case GITS_CMD_DISCARD:
	case GITS_CMD_INV:
	case GITS_CMD_INVALL:
	case GITS_CMD_INT:
	case GITS_CMD_CLEAR:
	case GITS_CMD_SYNC:
		return true;
	default:
		return false;
	}
}

/* Every command that is not known, as zeroes, as ones and as MAPD. Those of GICv4: 0x20 to 0x2f */
static void unknown_commands(void)
{
	struct host_its *its = its_up(&machine_default);
	const struct cmd args[] = {
		{},
		{{ GENMASK_ULL(63, 8), ~0ULL, ~0ULL, ~0ULL }},
		cmd_mapd(DEV, 5, test_prepare(its, DEV, 5)),
	};
	enum pkvm_its_verdict reason;
	unsigned int i;
	struct cmd cmd;
	u32 nr;

	for (nr = 0; nr < 256; nr++) {
		if (is_known(nr))
			continue;

		reason = nr >> 4 == 2 ? PKVM_ITS_REFUSED_NOT_SUPPORTED :
					PKVM_ITS_REFUSED_UNKNOWN_COMMAND;
		for (i = 0; i < ARRAY_SIZE(args); i++) {
			cmd = args[i];
			cmd.raw[0] = (cmd.raw[0] & ~0xffULL) | nr;
			REFUSE(its, reason, cmd);
		}
	}

	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_NOT_SUPPORTED), 16 * 3);
	ACCEPT(its, args[2]);
}

/* Every command with all bits set that say nothing: they are ignored, and stay behind. */
static void res0(void)
{
	const u64 dev_id = GENMASK_ULL(63, 32) | GENMASK_ULL(7, 0);
	struct host_its *its = its_up(&machine_default);
	u64 rdbase = its_model_rdbase(its->model, 1);
	phys_addr_t itt = test_prepare(its, DEV, 14);
	const struct {
		struct cmd	cmd;
		u64		used[4];
	} cmds[] = {
		{ cmd_mapd(DEV, 14, itt),
		  { dev_id, GENMASK_ULL(4, 0), BIT_ULL(63) | GENMASK_ULL(51, 8) } },
		{ cmd_mapc(2, rdbase),
		  { 0xff, 0, BIT_ULL(63) | GENMASK_ULL(51, 16) | GENMASK_ULL(15, 0) } },
		{ cmd_mapti(DEV, 1, 8192, 2), { dev_id, ~0ULL, GENMASK_ULL(15, 0) } },
		{ cmd_mapti(DEV, 8193, 8193, 2), { dev_id, ~0ULL, GENMASK_ULL(15, 0) } },
		{ cmd_movi(DEV, 1, 2), { dev_id, GENMASK_ULL(31, 0), GENMASK_ULL(15, 0) } },
		{ cmd_event(GITS_CMD_INT, DEV, 1), { dev_id, GENMASK_ULL(31, 0) } },
		{ cmd_event(GITS_CMD_CLEAR, DEV, 1), { dev_id, GENMASK_ULL(31, 0) } },
		{ cmd_event(GITS_CMD_INV, DEV, 1), { dev_id, GENMASK_ULL(31, 0) } },
		{ cmd_event(GITS_CMD_DISCARD, DEV, 1), { dev_id, GENMASK_ULL(31, 0) } },
		{ cmd_event(GITS_CMD_DISCARD, DEV, 8193), { dev_id, GENMASK_ULL(31, 0) } },
		{ cmd_invall(2), { 0xff, 0, GENMASK_ULL(15, 0) } },
		{ cmd_sync(rdbase), { 0xff, 0, GENMASK_ULL(51, 16) } },
		{ cmd_unmapc(2), { 0xff, 0, BIT_ULL(63) | GENMASK_ULL(15, 0) } },
		{ cmd_unmapd_full(DEV, 14, itt), { dev_id, 0, BIT_ULL(63) } },
	};
	struct cmd cmd;
	unsigned int i, w;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		cmd = cmds[i].cmd;
		for (w = 0; w < ARRAY_SIZE(cmd.raw); w++)
			cmd.raw[w] |= ~cmds[i].used[w];
		ACCEPT_AS(its, cmd, cmds[i].cmd);
	}
}

const struct test sync_tests[] = {
	TEST(invall),
	TEST(never_sent),
	TEST(unknown_commands),
	TEST(res0),
	{}
};
