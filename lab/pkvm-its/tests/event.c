// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands for an event: MAPTI, MOVI, DISCARD, CLEAR, INT and INV
 */

#include "test.h"

#define DEV		0x20
#define PREPARED	0x21
#define UNKNOWN		0x9000
#define INTID		8200
#define ICID		1

#define EVENT(name)						\
static struct cmd event_##name(u64 dev_id, u64 event_id)	\
{								\
	return cmd_event(GITS_CMD_##name, dev_id, event_id);	\
}

EVENT(DISCARD)
EVENT(CLEAR)
EVENT(INT)
EVENT(INV)

static struct cmd event_MAPTI(u64 dev_id, u64 event_id)
{
	return cmd_mapti(dev_id, event_id, INTID, ICID);
}

static struct cmd event_MOVI(u64 dev_id, u64 event_id)
{
	return cmd_movi(dev_id, event_id, ICID);
}

/* The commands that have an ICID come first. */
static struct cmd (*const events[])(u64 dev_id, u64 event_id) = {
	event_MAPTI, event_MOVI, event_DISCARD, event_CLEAR, event_INT, event_INV,
};

#define NR_WITH_ICID	2

static void event_id(void)
{
	struct host_its *its = its_up(&machine_default);
	unsigned int i;
	u32 bits;

	for (bits = 1; bits <= 16; bits++) {
		u32 dev = DEV + bits;

		test_map(its, dev, bits);

		for (i = 0; i < ARRAY_SIZE(events); i++) {
			REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, events[i](dev, BIT(bits)));
			REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, events[i](dev, GENMASK(31, bits)));
			REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, events[i](dev, BIT(31)));

			ACCEPT(its, events[i](dev, BIT(bits) - 1));
			ACCEPT(its, events[i](dev, 0));
		}
	}
}

static void device(void)
{
	struct host_its *its = its_up(&machine_default);
	unsigned int i;

	test_prepare(its, PREPARED, 14);
	test_map(its, BIT(16) - 1, 14);

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		ACCEPT(its, events[i](BIT(16) - 1, INTID));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, events[i](PREPARED, INTID));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, events[i](UNKNOWN, INTID));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_DEVICE, events[i](BIT(16), INTID));
		REFUSE(its, PKVM_ITS_REFUSED_BAD_DEVICE, events[i](GENMASK(31, 0), INTID));
	}

	ACCEPT(its, cmd_unmapd(BIT(16) - 1));
	for (i = 0; i < ARRAY_SIZE(events); i++)
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, events[i](BIT(16) - 1, INTID));
}

static void icid(void)
{
	struct host_its *its = its_up(&machine_default);
	struct cmd cmd;
	unsigned int i;
	u32 icid;

	test_map(its, DEV, 14);
	for (i = 0; i < NR_WITH_ICID; i++) {
		for (icid = 0; icid < SZ_64K; icid = icid ? icid << 1 | 1 : 1) {
			cmd = events[i](DEV, INTID);
			cmd.raw[2] = icid;
			if (icid < BIT(13)) {
				ACCEPT(its, cmd);
				DISCARD(its, DEV, INTID);
			} else {
				REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd);
			}
		}

		cmd.raw[2] = BIT(13);
		REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd);
	}
}

static void check_intids(u32 lpi_bits)
{
	const u64 bad[] = { 0, 1023, 8191, BIT(lpi_bits), BIT(31) | 8192, GENMASK(31, 0) };
	const u64 good[] = { 8192, BIT(lpi_bits) - 1 };
	struct machine_config cfg = machine_default;
	struct host_its *its;
	unsigned int i;

	machine_reset();
	cfg.its.lpi_bits = lpi_bits;
	its = its_up(&cfg);
	test_map(its, DEV, 16);

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_mapti(DEV, 3, bad[i], ICID));

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ACCEPT(its, cmd_mapti(DEV, 3, good[i], ICID));
		DISCARD(its, DEV, 3);
	}
}

static void intid(void)
{
	check_intids(14);
	check_intids(16);
	check_intids(24);
}

/* What a device's write gets is what the host has asked for, and not for other devices. */
static void translation(void)
{
	struct host_its *its = its_up(&machine_default);
	struct its_model *model = its->model;
	u32 intid = 0;
	u64 rdbase;

	test_map(its, DEV, 14);
	test_map(its, DEV + 1, 14);
	ACCEPT(its, cmd_mapti(DEV, 5, 8197, 1));
	ACCEPT(its, cmd_mapti(DEV, 8198, 8198, 2));

	EXPECT(its_model_translate(model, DEV, 5, &intid, &rdbase));
	EXPECT_EQ(intid, 8197);
	EXPECT_EQ(rdbase, its_model_rdbase(model, 1));
	EXPECT(its_model_translate(model, DEV, 8198, &intid, &rdbase));
	EXPECT_EQ(intid, 8198);
	EXPECT_EQ(rdbase, its_model_rdbase(model, 2));

	ACCEPT(its, cmd_movi(DEV, 5, 3));
	EXPECT(its_model_translate(model, DEV, 5, &intid, &rdbase));
	EXPECT_EQ(intid, 8197);
	EXPECT_EQ(rdbase, its_model_rdbase(model, 3));

	ACCEPT(its, cmd_event(GITS_CMD_DISCARD, DEV, 5));
	EXPECT(!its_model_translate(model, DEV, 5, &intid, &rdbase));
	EXPECT(!its_model_translate(model, DEV + 1, 5, &intid, &rdbase));
	EXPECT(!its_model_translate(model, DEV + 1, 8198, &intid, &rdbase));
}

const struct test event_tests[] = {
	TEST(event_id),
	TEST(device),
	TEST(icid),
	TEST(intid),
	TEST(translation),
	{}
};
