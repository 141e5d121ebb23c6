// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a confined ITS
 */

#include <string.h>

#include "test.h"

#define DEV		0x123
#define EVENT_BITS	5
#define CTLR_HOST	(GITS_CTLR_ENABLE | GITS_CTLR_ImDe)
#define CTLR_RW		(CTLR_HOST | GITS_CTLR_ITS_NUMBER)
/* A bit of GITS_CTLR that is not the host's: UMSIirq */
#define CTLR_OTHER	BIT(8)

static struct host_its *its;
static struct test_regs committed;

static u64 ignored(void)
{
	return its_stat(its, PKVM_ITS_WRITES_IGNORED);
}

static void drain(void)
{
	its_model_step(its->model, UINT_MAX);
}

/* Writes that change nothing, and count as such */
static void expect_ignored(u64 offset, u64 val, unsigned int size)
{
	u64 was = ignored();
	struct test_regs regs = test_regs(its);

	its_write(its, offset, val, size);
	EXPECT(test_same_regs(its, &regs));
	EXPECT_EQ(ignored(), was + 1);
}

static void expect_done(u64 offset, u64 val, unsigned int size)
{
	u64 was = ignored();

	its_write(its, offset, val, size);
	EXPECT_EQ(ignored(), was);
}

static void disable(void)
{
	expect_done(GITS_CTLR, 0, 4);
	EXPECT(!(its->model->ctlr & GITS_CTLR_ENABLE));
}

/*
 * Every register, in every state
 */

enum state {
	ENABLED,
	DISABLED,
	NOT_QUIESCENT,
	POWERED_OFF,
	NR_STATES,
};

static void start(enum state state)
{
	machine_reset();
	its = its_up(&machine_default);
	its->model->ctlr |= CTLR_OTHER;
	its_stage(its, cmd_sync(0));
	its_ring(its);
	committed = test_regs(its);

	/* For ever, as far as a test is concerned */
	its->model->quiesces = state == NOT_QUIESCENT ? UINT_MAX : 0;
	if (state == DISABLED || state == NOT_QUIESCENT)
		disable();
	else if (state == POWERED_OFF)
		its_model_power_off(its->model);
}

static bool is_quiescent(void)
{
	return !(its->model->ctlr & GITS_CTLR_ENABLE) && !its->model->unquiet;
}

static u64 mask_of(u64 offset, unsigned int size)
{
	return size == 8 ? ~0ULL : GENMASK_ULL(31, 0) << (offset % 8 * 8);
}

/* What a write comes to: by the policy, not by what EL2 does */
static struct test_regs after(u64 offset, u64 val, unsigned int size)
{
	u64 mask = mask_of(offset, size), value = size == 8 ? val : val << (offset % 8 * 8);
	struct test_regs regs = test_regs(its);
	bool whole = !memcmp(regs.baser, committed.baser, sizeof(regs.baser)) &&
		     regs.cbaser == committed.cbaser;
	unsigned int nr;

	switch (ALIGN_DOWN(offset, 8)) {
	case GITS_CTLR:
		if (offset || size == 8)
			break;
		if (!(regs.ctlr & GITS_CTLR_ENABLE) && value & GITS_CTLR_ENABLE &&
		    !(whole && is_quiescent()))
			break;
		regs.ctlr = (regs.ctlr & ~CTLR_RW) | (value & CTLR_HOST) | MACHINE_ITS_NUMBER;
		break;
	case GITS_CBASER:
		if (!is_quiescent() || regs.cbaser != committed.cbaser)
			break;
		regs.cwriter = 0;
		regs.creadr = 0;
		break;
	case GITS_CWRITER:
		if (!(mask & GENMASK_ULL(31, 0)) || value & ~GENMASK_ULL(19, 5) ||
		    value >= its->cfg.queue_pages * SZ_4K)
			break;
		regs.cwriter = value;
		if (regs.ctlr & GITS_CTLR_ENABLE)
			regs.creadr = value;
		break;
	case GITS_BASER ... GITS_BASER + 8 * GITS_BASER_NR_REGS - 1:
		nr = (offset - GITS_BASER) / 8;
		if (is_quiescent() && committed.baser[nr])
			regs.baser[nr] = committed.baser[nr];
		break;
	}

	return regs;
}

static void sweep(enum state state)
{
	static const unsigned int sizes[] = { 4, 8 };
	u64 offset, held, random = 1;
	struct test_regs want;
	unsigned int s, v;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		start(state);
		held = mem_count(MEM_ITS);

		for (offset = 0; offset < ITS_FRAME; offset += sizes[s]) {
			const u64 *base = (void *)&committed.baser[(offset - GITS_BASER) / 8 % 8];
			u64 vals[] = { 0, ~0ULL, 0, GITS_CTLR_ENABLE, 0x20, *base, *base >> 32 };

			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			vals[2] = random;

			for (v = 0; v < ARRAY_SIZE(vals); v++) {
				u64 val = sizes[s] == 4 ? (u32)vals[v] : vals[v];

				/* Each write by itself, and slots it may fill */
				if (offset == GITS_CTLR || offset / 8 == GITS_CBASER / 8 ||
				    offset / 8 == GITS_CWRITER / 8)
					start(state);

				want = after(offset, val, sizes[s]);
				its_write(its, offset, val, sizes[s]);
				drain();
				if (!test_same_regs(its, &want))
					mem_fail("state %u, offset 0x%llx, value 0x%llx, size %u",
						 state, (unsigned long long)offset,
						 (unsigned long long)val, sizes[s]);
			}
		}

		EXPECT_EQ(mem_count(MEM_ITS), held);
		its_check_held(its);
	}
}

static void sweep_enabled(void)
{
	sweep(ENABLED);
}

static void sweep_disabled(void)
{
	sweep(DISABLED);
}

static void sweep_not_quiescent(void)
{
	sweep(NOT_QUIESCENT);
}

static void sweep_powered_off(void)
{
	sweep(POWERED_OFF);
}

/*
 * GITS_CTLR
 */

static void ctlr_bits(void)
{
	const u32 stays = MACHINE_ITS_NUMBER | CTLR_OTHER;

	start(ENABLED);
	expect_done(GITS_CTLR, ~0U, 4);
	EXPECT_EQ(its->model->ctlr, CTLR_HOST | stays);
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE | ~CTLR_HOST, 4);
	EXPECT_EQ(its->model->ctlr, GITS_CTLR_ENABLE | stays);
	expect_done(GITS_CTLR, 0, 4);
	EXPECT_EQ(its->model->ctlr, stays);
	expect_done(GITS_CTLR, CTLR_HOST, 4);
	EXPECT_EQ(its->model->ctlr, CTLR_HOST | stays);

	expect_ignored(GITS_CTLR, 0, 8);
	expect_ignored(GITS_CTLR + 4, 0, 4);
}

/* A driver that does without ImDe does not get it later. */
static void ctlr_without_imde(void)
{
	struct machine_config cfg = machine_default;

	cfg.ctlr = GITS_CTLR_ENABLE;
	its = its_up(&cfg);
	expect_done(GITS_CTLR, ~0U, 4);
	EXPECT_EQ(its->model->ctlr, GITS_CTLR_ENABLE);
	expect_done(GITS_CTLR, ~GITS_CTLR_ENABLE, 4);
	EXPECT_EQ(its->model->ctlr, 0);
}

/* Whatever else the host writes along with it */
static void enable_when_quiescent(void)
{
	start(NOT_QUIESCENT);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE | GITS_CTLR_ImDe, 4);
	its->model->unquiet = 0;
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT(its->model->ctlr & GITS_CTLR_ENABLE);
}

static void enable_with_bases(void)
{
	struct test_regs wrong;
	unsigned int i;

	start(DISABLED);
	committed = test_regs(its);

	for (i = 0; i < 1 + GITS_BASER_NR_REGS; i++) {
		wrong = committed;
		if (i == GITS_BASER_NR_REGS)
			wrong.cbaser ^= GITS_CBASER_InnerShareable;
		else
			wrong.baser[i] ^= wrong.baser[i] ? GITS_BASER_InnerShareable
							 : GITS_BASER_VALID;
		test_set_regs(its, &wrong);
		expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	}

	test_set_regs(its, &committed);
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT(its->model->ctlr & GITS_CTLR_ENABLE);
}

/* What lies between the pointers is not what EL2 has committed. */
static void enable_with_pointers(void)
{
	struct test_regs wrong;

	start(DISABLED);
	committed = test_regs(its);
	EXPECT(committed.cwriter);

	wrong = committed;
	wrong.cwriter = 0;
	test_set_regs(its, &wrong);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	wrong = committed;
	wrong.cwriter += 32;
	test_set_regs(its, &wrong);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	wrong = committed;
	wrong.creadr += 32;
	test_set_regs(its, &wrong);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	/* Firmware has put the bases back, and the pointers are at zero. */
	wrong = committed;
	wrong.cwriter = 0;
	wrong.creadr = 0;
	test_set_regs(its, &wrong);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	expect_done(GITS_CBASER, 0, 8);
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT(its->model->ctlr & GITS_CTLR_ENABLE);
}

/* Commands that were posted while it was disabled are executed then. */
static void enable_with_commands(void)
{
	u64 executed;

	start(DISABLED);
	executed = its->model->executed[GITS_CMD_SYNC];
	its_stage(its, cmd_sync(0));
	its_ring(its);
	EXPECT_EQ(its->model->executed[GITS_CMD_SYNC], executed);
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT_EQ(its->model->executed[GITS_CMD_SYNC], executed + 1);
}

/* An ITS that runs may be told that it does. */
static void enable_twice(void)
{
	start(ENABLED);
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_sync(0));
	its_ring(its);
	its->model->baser[BASER_DEVICES] ^= GITS_BASER_InnerShareable;
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE | GITS_CTLR_ImDe, 4);
	EXPECT(its->model->ctlr & GITS_CTLR_ImDe);
}

/*
 * GITS_CBASER and GITS_BASER<n>
 */

static void cbaser(void)
{
	static const struct {
		u64		offset;
		u64		val;
		unsigned int	size;
	} writes[] = {
		{ GITS_CBASER, 0, 8 },
		{ GITS_CBASER, ~0ULL, 8 },
		{ GITS_CBASER, 0x1234, 4 },
		{ GITS_CBASER + 4, 0, 4 },
	};
	unsigned int i;
	u64 was;

	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		start(ENABLED);
		was = its->model->cbaser;
		expect_ignored(writes[i].offset, writes[i].val, writes[i].size);

		disable();
		/* These will never be executed. */
		its_stage(its, cmd_mapc(0, its_model_rdbase(its->model, 1)));
		its_ring(its);
		EXPECT_EQ(its->model->cwriter, its->next * 32);
		expect_done(writes[i].offset, writes[i].val, writes[i].size);
		EXPECT_EQ(its->model->cbaser, was);
		EXPECT_EQ(its->model->creadr, 0);
		EXPECT_EQ(its->model->cwriter, 0);

		its->next = 0;
		its->model->executed[GITS_CMD_MAPC] = 0;
		expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
		test_map(its, DEV, EVENT_BITS);
		UNMAP(its, DEV);
		EXPECT_EQ(its->model->executed[GITS_CMD_MAPC], 0);
	}
}

/* Whatever is written, the hardware gets the committed value. */
static void baser(void)
{
	unsigned int nr, i;

	start(DISABLED);

	for (nr = 0; nr < GITS_BASER_NR_REGS; nr++) {
		u64 offset = GITS_BASER + 8 * nr, good = committed.baser[nr];
		const u64 vals[] = { 0, good, good ^ BIT(12), good ^ GITS_BASER_VALID, ~0ULL };

		for (i = 0; i < ARRAY_SIZE(vals); i++) {
			if (!good) {
				expect_ignored(offset, vals[i], 8);
				expect_ignored(offset, (u32)vals[i], 4);
				continue;
			}

			its->model->baser[nr] = 1;
			expect_done(offset, vals[i], 8);
			EXPECT_EQ(its->model->baser[nr], good);
			its->model->baser[nr] = 1;
			expect_done(offset, (u32)vals[i], 4);
			EXPECT_EQ(its->model->baser[nr], good);
			its->model->baser[nr] = 1;
			expect_done(offset + 4, vals[i] >> 32, 4);
			EXPECT_EQ(its->model->baser[nr], good);
		}
	}

	/* Running, whatever it says of being quiescent, or not quiescent yet */
	start(ENABLED);
	expect_ignored(GITS_BASER, committed.baser[0], 8);
	its->model->ctlr |= GITS_CTLR_QUIESCENT;
	expect_ignored(GITS_BASER, committed.baser[0], 8);
	expect_ignored(GITS_CBASER, committed.cbaser, 8);
	start(NOT_QUIESCENT);
	expect_ignored(GITS_BASER, committed.baser[0], 8);
}

/*
 * GITS_CWRITER
 */

static void cwriter(void)
{
	static const u64 wrong[] = { 1, 2, 0x10, SZ_64K, SZ_1M, BIT_ULL(20), BIT_ULL(32), ~0ULL };
	unsigned int i;
	u64 accepted;

	start(ENABLED);
	accepted = its_stat(its, PKVM_ITS_ACCEPTED);
	its_stage(its, cmd_sync(0));

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		u64 was = ignored();

		its_write(its, GITS_CWRITER, its->next * 32 ^ wrong[i], 8);
		EXPECT_EQ(ignored(), was + 1);
	}

	/* The upper half is RES0, and by itself nothing */
	expect_ignored(GITS_CWRITER + 4, its->next * 32, 4);
	expect_ignored(GITS_CWRITER + 4, 0, 4);
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), accepted);

	expect_done(GITS_CWRITER, its->next * 32, 4);
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), accepted + 1);
	EXPECT_EQ(its->model->creadr, its->next * 32);
	its_stage(its, cmd_sync(0));
	expect_done(GITS_CWRITER, its->next * 32, 8);
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), accepted + 2);
}

/*
 * Suspend and resume, as the driver has it: see its_save_disable(), its_restore_enable()
 */

struct saved {
	u32	ctlr;
	u64	cbaser;
	u64	baser[GITS_BASER_NR_REGS];
};

static void force_quiescent(void)
{
	unsigned int tries;
	u32 val;

	val = its_read(its, GITS_CTLR);
	if (val & GITS_CTLR_QUIESCENT && !(val & GITS_CTLR_ENABLE))
		return;

	its_write(its, GITS_CTLR, val & ~(GITS_CTLR_ENABLE | GITS_CTLR_ImDe), 4);
	for (tries = 0; tries < 100; tries++) {
		if ((u32)its_read(its, GITS_CTLR) & GITS_CTLR_QUIESCENT)
			return;
	}

	mem_fail("does not get quiescent");
}

static struct saved save_disable(void)
{
	struct saved saved;
	unsigned int i;

	for (i = 0; i < GITS_BASER_NR_REGS; i++)
		saved.baser[i] = its_read(its, GITS_BASER + 8 * i);

	saved.ctlr = its_read(its, GITS_CTLR);
	force_quiescent();
	saved.cbaser = its_read(its, GITS_CBASER);

	return saved;
}

/* @size: a driver that has but 32-bit accesses writes the halves. */
static void write64(u64 offset, u64 val, unsigned int size)
{
	if (size == 8) {
		its_write(its, offset, val, 8);
		return;
	}

	its_write(its, offset + 4, val >> 32, 4);
	its_write(its, offset, (u32)val, 4);
}

static void restore_enable(const struct saved *saved, unsigned int size)
{
	unsigned int i;

	EXPECT(!(its_read(its, GITS_CTLR) & GITS_CTLR_ENABLE));
	force_quiescent();
	write64(GITS_CBASER, saved->cbaser, size);
	its->next = 0;
	write64(GITS_CWRITER, 0, size);

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		if (!(saved->baser[i] & GITS_BASER_VALID))
			continue;

		write64(GITS_BASER + 8 * i, saved->baser[i], size);
		EXPECT_EQ(its_read(its, GITS_BASER + 8 * i), saved->baser[i]);
	}

	its_write(its, GITS_CTLR, saved->ctlr, 4);
	EXPECT(its->model->ctlr & GITS_CTLR_ENABLE);
}

static void suspend_and_resume(bool power_off, unsigned int size, u32 hcc)
{
	struct machine_config cfg = machine_default;
	struct saved saved;
	u64 rdbase, was;
	u32 intid, i;

	machine_reset();
	cfg.its.hcc = hcc;
	its = its_up(&cfg);
	its->model->quiesces = 3;
	test_map(its, DEV, EVENT_BITS);
	ACCEPT(its, cmd_mapti(DEV, 1, 8192, 2));
	was = ignored();

	EXPECT(!pkvm_its_suspend(HOST_CPU(0)));
	saved = save_disable();
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	if (power_off)
		its_model_power_off(its->model);
	pkvm_its_resume(HOST_CPU(0));
	restore_enable(&saved, size);
	EXPECT_EQ(ignored(), was + (size == 4));

	/* What it held in registers is gone. */
	for (i = 0; i < hcc; i++)
		ACCEPT(its, cmd_mapc(i, its_model_rdbase(its->model, i)));

	EXPECT(its_model_translate(its->model, DEV, 1, &intid, &rdbase));
	EXPECT_EQ(intid, 8192);
	EXPECT_EQ(rdbase, its_model_rdbase(its->model, 2));
	DISCARD(its, DEV, 1);
	UNMAP(its, DEV);
	its_check_held(its);
}

static void suspend(void)
{
	suspend_and_resume(false, 8, 0);
	suspend_and_resume(false, 4, 0);
}

static void suspend_power_off(void)
{
	suspend_and_resume(true, 8, 0);
	suspend_and_resume(true, 4, 0);
	suspend_and_resume(true, 8, 4);
}

enum power {
	KEPT,
	LOST,
	RESTORED,
};

/*
 * A release is pending when the ITS is suspended: unless EL2 sees for itself that the
 * command was executed, the ITT stays with it.
 */
static void suspend_pending(bool executed, enum power power)
{
	struct saved saved;
	phys_addr_t itt;

	machine_reset();
	its = its_up(&machine_default);
	itt = test_map(its, DEV, EVENT_BITS);

	/* In the last slots: a pointer of zero then says that they were executed. */
	while (its->next != its_nr_slots(its) - 2)
		its_stage(its, cmd_sync(0));
	its_ring(its);

	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_sync(0));
	its_ring(its);
	if (executed)
		drain();

	saved = save_disable();
	if (power == LOST) {
		EXPECT(pkvm_its_suspend(HOST_CPU(0)));
		its_model_power_off(its->model);
		pkvm_its_resume(HOST_CPU(0));
	} else if (power == RESTORED) {
		its_model_power_cycle(its->model);
	}

	/* Does a register that is zero make EL2 believe that it was executed? */
	if (!executed)
		EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);

	/* It does not get to forget the command either. */
	if (power == RESTORED && !executed)
		expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	restore_enable(&saved, 8);
	if (!executed)
		EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);

	ACCEPT(its, cmd_sync(0));
	EXPECT_EQ(its_reclaim(its, DEV), executed ? 0 : -EBUSY);
	EXPECT_EQ(mem_host_write(itt, 1), executed);
	its_check_held(its);

	/* The device can be mapped again if EL2 has nothing of it. */
	if (executed)
		test_map(its, DEV, EVENT_BITS);
	else
		UNPREPARED(its, -EBUSY, DEV, EVENT_BITS, its_alloc_itt(its, EVENT_BITS));
	its_check_held(its);
}

static void suspend_with_release(void)
{
	static const enum power powers[] = { KEPT, LOST, RESTORED };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(powers); i++) {
		suspend_pending(false, powers[i]);
		suspend_pending(true, powers[i]);
	}
}

/* A running ITS is not to lose power, whatever it says of being quiescent. */
static void suspend_while_running(void)
{
	static const enum state states[] = { ENABLED, NOT_QUIESCENT };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		start(states[i]);
		EXPECT(!pkvm_its_suspend(HOST_CPU(0)));

		/* That has left nothing behind. */
		disable();
		its->model->unquiet = 0;
		expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	}
}

/* It does not get to run until the CPU that has asked for that is back. */
static void enable_while_suspending(void)
{
	start(DISABLED);
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	/* Another one that asks, or that comes back, changes nothing. */
	EXPECT(!pkvm_its_suspend(HOST_CPU(1)));
	pkvm_its_resume(HOST_CPU(1));
	EXPECT(!pkvm_its_suspend(HOST_CPU(0)));
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	/* Nothing is committed meanwhile, and the queue does not begin anew. */
	expect_ignored(GITS_CWRITER, 32, 8);
	expect_ignored(GITS_CBASER, committed.cbaser, 8);

	/* That is for the host to do afterwards, before anything else. */
	pkvm_its_resume(HOST_CPU(0));
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	expect_ignored(GITS_CWRITER, 32, 8);
	expect_done(GITS_CBASER, committed.cbaser, 8);
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	its->next = 0;
	ACCEPT(its, cmd_sync(0));

	/* The next one may be another CPU's. One that comes back late ends nothing. */
	disable();
	EXPECT(pkvm_its_suspend(HOST_CPU(1)));
	pkvm_its_resume(HOST_CPU(0));
	expect_ignored(GITS_CBASER, committed.cbaser, 8);
	pkvm_its_resume(HOST_CPU(1));
	expect_done(GITS_CBASER, committed.cbaser, 8);
}

/* Firmware replays the queue up to @cwriter: it is nothing but SYNCs. */
static void replay(u64 cwriter)
{
	u64 executed[256], errors = its->model->errors;
	unsigned int i;

	memcpy(executed, its->model->executed, sizeof(executed));
	its_model_replay(its->model, cwriter);
	EXPECT_EQ(its->model->creadr, cwriter);
	for (i = 0; i < ARRAY_SIZE(executed); i++)
		EXPECT_EQ(its->model->executed[i],
			  executed[i] + (i == GITS_CMD_SYNC) * cwriter / 32);
	EXPECT_EQ(its->model->errors, errors);
}

/* A device that was mapped, and whose ITT is a guest's by now */
static void map_and_give(void)
{
	phys_addr_t itt = test_map(its, DEV, EVENT_BITS);

	ACCEPT(its, cmd_mapti(DEV, 1, 8192, 2));
	DISCARD(its, DEV, 1);
	UNMAP(its, DEV);
	EXPECT(mem_give_guest(itt));
}

/*
 * Seen in the field: after a resume the ITS goes through its old queue ("ITT_addr1 memory to
 * be trampled"). Firmware has restored GITS_CBASER, GITS_CWRITER and GITS_CTLR.
 */
static void check_replay_after_suspend(bool nc, u32 nr_more)
{
	struct machine_config cfg = machine_default;
	struct saved saved;
	phys_addr_t itt;
	u64 cwriter;
	u32 i;

	machine_reset();
	cfg.its.nc = nc;
	its = its_up(&cfg);
	map_and_give();
	for (i = 0; i < nr_more; i++)
		ACCEPT(its, cmd_invall(0));

	/* With commands that the ITS does not get to */
	itt = test_prepare(its, DEV + 1, EVENT_BITS);
	cwriter = its->next * 32;
	saved = save_disable();
	its_stage(its, cmd_mapd(DEV + 1, EVENT_BITS, itt));
	its_ring(its);

	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	EXPECT_EQ(its->model->cwriter, 0);
	EXPECT_EQ(its->model->creadr, 0);
	EXPECT_EQ(its->model->cbaser, saved.cbaser);
	replay(cwriter + 32);
	pkvm_its_resume(HOST_CPU(0));

	/* Where that has left the pointers tells nothing, and nothing builds on it. */
	expect_ignored(GITS_CWRITER, 32, 8);
	disable();
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	restore_enable(&saved, 8);
	UNMAP(its, DEV + 1);
	map_and_give();
	its_check_held(its);
}

static void replay_after_suspend(void)
{
	check_replay_after_suspend(false, 0);
	check_replay_after_suspend(true, 0);
	check_replay_after_suspend(false, 70);
	check_replay_after_suspend(false, its_nr_slots(its));
}

/* A state of the CPU that EL2 does not know to take the ITS down: memory given back is safe. */
static void replay_without_suspend(void)
{
	start(ENABLED);
	map_and_give();
	replay(its->next * 32);
}

/* What the driver has posted before the hand-over is in the same queue. */
static void replay_original_queue(void)
{
	phys_addr_t itt;
	u32 used;

	machine_reset();
	its = its_start(&machine_default);
	itt = host_alloc(test_itt_size(its, EVENT_BITS), PAGE_SIZE);
	its_stage_level2(its, BASER_DEVICES, DEV);
	its_stage(its, cmd_mapd(DEV, EVENT_BITS, itt));
	its_stage(its, cmd_unmapd(DEV));
	its_ring(its);
	used = its->next;
	EXPECT(!its_hand_over(its));

	/* Not ours any more, and EL2 has seen one command */
	EXPECT(mem_give_guest(itt));
	ACCEPT(its, cmd_sync(0));
	replay(used * 32);
}

/* The slot that the first command would have gone to is not left out. */
static void replay_original_queue_unused(void)
{
	phys_addr_t itt;
	u32 slot;

	machine_reset();
	its = its_start(&machine_default);
	itt = host_alloc(test_itt_size(its, EVENT_BITS), PAGE_SIZE);
	its_stage_level2(its, BASER_DEVICES, DEV);
	slot = its->next;
	its_stage(its, cmd_mapd(DEV, EVENT_BITS, itt));
	while (its->next != slot)
		its_stage(its, cmd_unmapd(DEV));
	its->next = slot;

	/* Executed in the round before */
	its_write(its, GITS_CWRITER, (slot + 10) * 32, 8);
	its_write(its, GITS_CWRITER, slot * 32, 8);
	EXPECT(!its_hand_over(its));
	EXPECT(mem_give_guest(itt));
	disable();
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	replay((slot + 10) * 32);
}

/* What the host drops with GITS_CBASER is still in the queue. */
static void replay_dropped(void)
{
	phys_addr_t itt;
	u32 used;

	start(DISABLED);
	itt = test_prepare(its, DEV, EVENT_BITS);
	while (its->next != 20)
		its_stage(its, cmd_sync(0));
	its_stage(its, cmd_mapd(DEV, EVENT_BITS, itt));
	its_ring(its);
	used = its->next;

	expect_done(GITS_CBASER, 0, 8);
	its->next = 0;
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	UNMAP(its, DEV);
	EXPECT(mem_give_guest(itt));
	replay(used * 32);
}

/*
 * One that runs keeps the system from being suspended, and none of the others from being enabled:
 * those before it as after a suspend, those behind it at once.
 */
static void suspend_one_of_two(void)
{
	struct host_its *first, *second;
	struct saved saved;

	machine_reset();
	first = its_up(&machine_default);
	second = its_up(&machine_default);

	its = first;
	test_map(its, DEV, EVENT_BITS);
	saved = save_disable();
	EXPECT(!pkvm_its_suspend(HOST_CPU(0)));
	ACCEPT(second, cmd_sync(0));
	EXPECT_EQ(its->model->cwriter, 0);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	expect_ignored(GITS_CWRITER, 32, 8);
	restore_enable(&saved, 8);
	UNMAP(its, DEV);

	its = second;
	disable();
	EXPECT(!pkvm_its_suspend(HOST_CPU(0)));
	EXPECT_EQ(its->model->cwriter, its->next * 32);
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	ACCEPT(its, cmd_sync(0));

	disable();
	its = first;
	disable();
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	EXPECT_EQ(first->model->cwriter + second->model->cwriter, 0);
	pkvm_its_resume(HOST_CPU(0));
}

/*
 * Firmware enables the ITS with pointers of its own, and the host posts an unmap before the
 * ITS gets to it: CREADR is behind that already, and means nothing.
 */
static void replay_overtakes(void)
{
	struct saved saved;
	phys_addr_t itt;

	start(ENABLED);
	itt = test_map(its, DEV, EVENT_BITS);
	saved = save_disable();
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	replay(10 * 32);
	pkvm_its_resume(HOST_CPU(0));

	its->model->pace = ITS_STALLED;
	its->next = 0;
	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_sync(0));
	expect_ignored(GITS_CWRITER, its->next * 32, 8);
	EXPECT_EQ(__pkvm_its_post(its->id, its->next * 32), -EINVAL);
	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	EXPECT(!mem_host_write(itt, 1));

	/* Nor does a write of GITS_CTLR make EL2 look at it. */
	disable();
	restore_enable(&saved, 8);
	its->model->pace = ITS_AT_ONCE;
	UNMAP(its, DEV);
	EXPECT(mem_host_write(itt, 1));
	its_check_held(its);
}

static struct host_its *other;

static void enable_other(struct its_model *model)
{
	if (model == other->model)
		return;

	pkvm_its_resume(HOST_CPU(1));
	its_write(other, GITS_CBASER, 0, 8);
	its_write(other, GITS_CTLR, GITS_CTLR_ENABLE, 4);
}

/* Another CPU would enable an ITS that has been looked at, while EL2 looks at the next. */
static void suspend_races_with_enable(void)
{
	machine_reset();
	other = its_up(&machine_default);
	its = other;
	disable();
	its = its_up(&machine_default);
	disable();

	its_model_ctlr_read = enable_other;
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	its_model_ctlr_read = NULL;
	EXPECT(!(other->model->ctlr & GITS_CTLR_ENABLE));
	pkvm_its_resume(HOST_CPU(0));
}

/* Those that EL2 has not got, or not quite, may do as they like: there are no protected VMs. */
static void suspend_not_active(void)
{
	its = its_start(&machine_default);
	EXPECT(!its_register(its));
	EXPECT(!its_unregister(its));
	EXPECT(!its_register(its));
	EXPECT(its->model->ctlr & GITS_CTLR_ENABLE);
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	pkvm_its_resume(HOST_CPU(0));
	EXPECT(!its_activate(its));
	EXPECT(!pkvm_its_suspend(HOST_CPU(0)));
}

/* A device is unmapped, and the ITS does not get to it. Returns its ITT. */
static phys_addr_t pending_unmap(void)
{
	phys_addr_t itt;

	start(ENABLED);
	itt = test_map(its, DEV, EVENT_BITS);
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_sync(0));
	its_ring(its);

	return itt;
}

/* What is executed when EL2 can't tell any more whether the ITS is alive */
static void executed_while_disabled(void)
{
	phys_addr_t itt = pending_unmap();

	disable();

	/* On its way to being quiescent */
	its->model->ctlr |= GITS_CTLR_ENABLE;
	drain();
	its->model->ctlr &= ~GITS_CTLR_ENABLE;
	EXPECT_EQ(its->model->creadr, its->next * 32);
	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	expect_done(GITS_CBASER, 0, 8);
	its->next = 0;
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	EXPECT(!mem_host_write(itt, 1));
	its_check_held(its);
}

/*
 * CREADR is at zero after a power cycle, and that is where the host's commands end. The ITS
 * has not executed a single one of them: they are neither overwritten nor skipped.
 */
static void posted_after_power_cycle(void)
{
	phys_addr_t itt;
	u32 was;

	start(DISABLED);
	itt = test_prepare(its, DEV, EVENT_BITS);
	was = its->next;
	its_model_power_cycle(its->model);
	EXPECT_EQ(its->model->creadr, 0);
	EXPECT_EQ(its->model->cwriter, was * 32);

	its_stage(its, cmd_mapd(DEV, EVENT_BITS, itt));
	while (its->next)
		its_stage(its, cmd_sync(0));
	expect_done(GITS_CWRITER, 0, 8);
	EXPECT_EQ(its->model->cwriter, 0);
	EXPECT(!mem_host_write(itt, 1));

	/* Up to where they begin, and no further */
	while (its->next != was)
		its_stage(its, cmd_sync(0));
	expect_ignored(GITS_CWRITER, was * 32, 8);
	expect_done(GITS_CWRITER, (was - 1) * 32, 8);
	expect_ignored(GITS_CTLR, GITS_CTLR_ENABLE, 4);

	/* Only the host can say that they are to be dropped. The device stays EL2's. */
	expect_done(GITS_CBASER, 0, 8);
	its->next = 0;
	expect_done(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT(!its_model_is_mapped(its->model, DEV));
	EXPECT(!mem_host_write(itt, 1));
	UNMAP(its, DEV);
	EXPECT(mem_host_write(itt, 1));
	its_check_held(its);
}

/* What was executed before the ITS is disabled counts. */
static void disabling_looks(void)
{
	phys_addr_t itt = pending_unmap();

	drain();
	EXPECT(!mem_host_write(itt, 1));
	disable();
	EXPECT_EQ(its_reclaim(its, DEV), 0);
	EXPECT(mem_host_write(itt, 1));
	its_check_held(its);
}

const struct test reg_tests[] = {
	TEST(sweep_enabled),
	TEST(sweep_disabled),
	TEST(sweep_not_quiescent),
	TEST(sweep_powered_off),
	TEST(ctlr_bits),
	TEST(ctlr_without_imde),
	TEST(enable_when_quiescent),
	TEST(enable_with_bases),
	TEST(enable_with_pointers),
	TEST(enable_with_commands),
	TEST(enable_twice),
	TEST(cbaser),
	TEST(baser),
	TEST(cwriter),
	TEST(suspend),
	TEST(suspend_power_off),
	TEST(suspend_with_release),
	TEST(suspend_while_running),
	TEST(enable_while_suspending),
	TEST(replay_after_suspend),
	TEST(replay_without_suspend),
	TEST(replay_original_queue),
	TEST(replay_original_queue_unused),
	TEST(replay_dropped),
	TEST(replay_overtakes),
	TEST(suspend_one_of_two),
	TEST(suspend_races_with_enable),
	TEST(suspend_not_active),
	TEST(executed_while_disabled),
	TEST(posted_after_power_cycle),
	TEST(disabling_looks),
	{}
};
