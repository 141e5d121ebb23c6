// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue: GITS_CWRITER, batches, what has been executed and what not, starting over
 */

#include <string.h>

#include "test.h"

#define DEV		0x40
#define CMD_SIZE	sizeof(struct cmd)

static struct host_its *up(void)
{
	return its_up(&machine_default);
}

static void stage_syncs(struct host_its *its, u32 nr)
{
	while (nr--)
		its_stage(its, cmd_sync(its_model_rdbase(its->model, nr % 4)));
}

/* Posts what has been staged for an ITS that does not get to it. */
static void ring_stalled(struct host_its *its)
{
	its->model->pace = ITS_STALLED;
	its_ring(its);
}

static bool is_hosts(phys_addr_t phys)
{
	return mem_page(phys)->owner == MEM_HOST;
}

static int reclaim(struct host_its *its)
{
	return its_reclaim(its, DEV);
}

/* The host's next command goes to @slot. */
static void advance_to(struct host_its *its, u32 slot)
{
	its->model->pace = ITS_AT_ONCE;
	while (its->next != slot)
		stage_syncs(its, 1);
	its_ring(its);
}

static void disable(struct host_its *its)
{
	its_write(its, GITS_CTLR, GITS_CTLR_ImDe, 4);
}

static void enable(struct host_its *its)
{
	its_write(its, GITS_CTLR, GITS_CTLR_ENABLE | GITS_CTLR_ImDe, 4);
}

/* The host's driver starts over with an empty queue. */
static void rewrite_bases(struct host_its *its, const u64 *basers)
{
	unsigned int i;

	its_write(its, GITS_CBASER, GITS_CBASER_VALID, 8);
	its->next = 0;
	for (i = 0; basers && i < GITS_BASER_NR_REGS; i++)
		its_write(its, GITS_BASER + 8 * i, basers[i], 8);
}

static void check_wraps(bool nc, u32 batch)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;
	u32 i, nr;

	machine_reset();
	cfg.its.nc = nc;
	its = its_up(&cfg);
	nr = its_nr_slots(its) * 3 + 1;
	for (i = 1; i <= nr; i++) {
		its_stage(its, cmd_invall(i % 1000));
		if (i % batch)
			continue;

		its_ring(its);
		EXPECT_EQ(its->model->executed[GITS_CMD_INVALL], i);
		EXPECT_EQ(its->model->last[2], i % 1000);
		EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), i);
	}
}

static void wraps(void)
{
	check_wraps(false, 1);
	check_wraps(false, 7);
	check_wraps(true, 1);
	check_wraps(true, 7);
}

static void ring_ignored(struct host_its *its)
{
	u64 cwriter = its->model->cwriter, writes = its->model->cwriter_writes;
	u64 ignored = its_stat(its, PKVM_ITS_WRITES_IGNORED);

	its_ring(its);
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), ignored + 1);
	EXPECT_EQ(its->model->cwriter, cwriter);
	EXPECT_EQ(its->model->cwriter_writes, writes);
}

/* A queue with nothing executed takes one command less than it has slots. */
static void check_full(u32 start)
{
	struct host_its *its;
	u32 nr;

	machine_reset();
	its = up();
	nr = its_nr_slots(its);
	advance_to(its, start);

	stage_syncs(its, nr - 2);
	ring_stalled(its);
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), 0);
	EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
	stage_syncs(its, 2);
	ring_ignored(its);
	its->next = (its->next + nr - 1) % nr;
	its_ring(its);
	EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
	stage_syncs(its, 1);
	ring_ignored(its);

	/* One slot is free again, then another one. */
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	its_ring(its);
	EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
	stage_syncs(its, 1);
	ring_ignored(its);
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	its_ring(its);
	EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
	EXPECT_EQ(its_model_step(its->model, nr), nr - 1);
}

static void full(void)
{
	check_full(4);
	check_full(5);
	check_full(127);
	check_full(0);
}

/* Behind where EL2 is means nearly all of the queue. It fits if all has been executed. */
static void backwards(void)
{
	struct host_its *its = up();
	u64 executed = its->model->executed[GITS_CMD_SYNC];
	u32 nr = its_nr_slots(its);

	advance_to(its, 10);
	stage_syncs(its, nr - 1);
	EXPECT_EQ(its->next, 9);
	its_ring(its);
	EXPECT_EQ(its->model->executed[GITS_CMD_SYNC], executed + 6 + nr - 1);

	/* Some of it is not: the same offset would overwrite what the ITS has yet to read. */
	stage_syncs(its, 3);
	ring_stalled(its);
	stage_syncs(its, nr - 1);
	ring_ignored(its);
}

static void bad_values(void)
{
	struct host_its *its = up();
	u32 queue = its->cfg.queue_pages * SZ_4K;
	u64 good = (its->next + 1) * CMD_SIZE;
	const u64 bad[] = {
		queue, queue + CMD_SIZE, GENMASK_ULL(19, 5), BIT_ULL(20) | good,
		BIT_ULL(31) | good, BIT_ULL(32) | good, BIT_ULL(63) | good,
		BIT(0) | good, BIT(1) | good, BIT(4) | good, ~0ULL, good - 1,
	};
	u64 ignored = 0, writes;
	unsigned int i;

	stage_syncs(its, its_nr_slots(its));
	writes = its->model->cwriter_writes;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		its_write(its, GITS_CWRITER, bad[i], 8);
		EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), ++ignored);
	}

	/* The upper half alone */
	its_write(its, GITS_CWRITER + 4, good, 4);
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), ++ignored);
	EXPECT_EQ(its->model->cwriter_writes, writes);
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), 0);

	its_write(its, GITS_CWRITER, good, 4);
	EXPECT_EQ(its->model->cwriter, good);
	its_write(its, GITS_CWRITER, queue - CMD_SIZE, 8);
	EXPECT_EQ(its->model->cwriter, queue - CMD_SIZE);
	EXPECT_EQ(its->model->creadr, queue - CMD_SIZE);
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), ignored);
}

/* A batch takes one write, and no look at GITS_CREADR. */
static void one_write_a_batch(void)
{
	struct host_its *its = up();
	u64 accepted, writes, reads;

	/* The first one after the hand-over takes a look. */
	stage_syncs(its, 1);
	its_ring(its);

	accepted = its_stat(its, PKVM_ITS_ACCEPTED);
	writes = its->model->cwriter_writes;
	reads = its->model->creadr_reads;
	stage_syncs(its, 50);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 10);
	its_ring(its);
	EXPECT_EQ(its->model->cwriter_writes, writes + 1);
	EXPECT_EQ(its->model->creadr_reads, reads);
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), accepted + 60);
	EXPECT_EQ(its_refused_all(its), 1);

	/* So does none at all. */
	its_ring(its);
	EXPECT_EQ(its->model->cwriter_writes, writes + 2);
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), accepted + 60);
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), 0);
}

/* All slots but [@from, @to) hold a SYNC to a redistributor that exists. */
static void expect_scrubbed(struct host_its *its, u32 from, u32 to)
{
	struct cmd sync = cmd_sync(its_model_rdbase(its->model, 0));
	u32 nr = its_nr_slots(its), slot;
	struct cmd cmd;

	for (slot = to; slot != from; slot = (slot + 1) % nr) {
		cmd = its_committed(its, slot);
		if (memcmp(&cmd, &sync, sizeof(cmd)))
			mem_fail("slot %u holds command %llx", slot,
				 (unsigned long long)cmd.raw[0]);
	}
}

/*
 * What has been executed is scrubbed: when memory is asked for, or when there are 64 slots of
 * it, which takes one look at GITS_CREADR.
 */
static void check_scrubbed(bool nc)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;
	u32 start, i;
	u64 reads;

	machine_reset();
	cfg.its.nc = nc;
	its = its_up(&cfg);
	advance_to(its, its_nr_slots(its) - 30);
	test_map(its, DEV, 5);
	UNMAP(its, DEV);
	expect_scrubbed(its, its->next, its->next);

	start = its->next;
	reads = its->model->creadr_reads;
	for (i = 0; i < 64; i++) {
		its_stage(its, cmd_invall(i));
		its_ring(its);
	}
	EXPECT_EQ(its->model->creadr_reads, reads);
	expect_scrubbed(its, start, its->next);
	EXPECT_EQ(its_committed(its, start).raw[0], GITS_CMD_INVALL);

	its_stage(its, cmd_invall(0));
	its_ring(its);
	EXPECT_EQ(its->model->creadr_reads, reads + 1);
	EXPECT_EQ(its->next, (start + 65) % its_nr_slots(its));
	expect_scrubbed(its, (start + 64) % its_nr_slots(its), its->next);
	EXPECT_EQ(its->model->executed[GITS_CMD_INVALL], 65);
}

static void scrubbed(void)
{
	check_scrubbed(false);
	check_scrubbed(true);
}

/* What has not been executed is not scrubbed. */
static void pending_not_scrubbed(void)
{
	struct host_its *its = up();
	u32 i;

	advance_to(its, 10);
	for (i = 0; i < 100; i++) {
		its_stage(its, cmd_invall(i));
		ring_stalled(its);
		EXPECT_EQ(its_committed(its, 10).raw[0], GITS_CMD_INVALL);
	}
	EXPECT_EQ(its_model_step(its->model, 40), 40);
	stage_syncs(its, 1);
	its_ring(its);
	expect_scrubbed(its, 50, its->next);
	EXPECT_EQ(its_model_step(its->model, UINT_MAX), 61);
	EXPECT_EQ(its->model->executed[GITS_CMD_INVALL], 100);
}

/* Every command of a batch is judged with those before it in effect. */
static void mixed_batch(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_prepare(its, DEV, 5);
	u32 start = its->next;

	its_stage(its, cmd_mapti(DEV, 1, 8192, 0));
	its_stage(its, cmd_mapd(DEV, 5, itt));
	its_stage(its, cmd_mapti(DEV, 1, 8192, 0));
	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_event(GITS_CMD_DISCARD, DEV, 1));
	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_mapti(DEV, 1, 8192, 0));
	its_stage(its, cmd_mapd(DEV, 5, itt));
	its_ring(its);

	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), 4);
	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_NOT_MAPPED), 2);
	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_EVENTS_MAPPED), 1);
	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_NOT_PREPARED), 1);
	EXPECT_EQ(its_committed(its, start).raw[0], GITS_CMD_SYNC);
	EXPECT_EQ(its_committed(its, start + 3).raw[0], GITS_CMD_SYNC);
	EXPECT_EQ(its_committed(its, start + 6).raw[0], GITS_CMD_SYNC);
	EXPECT_EQ(its_committed(its, start + 7).raw[0], GITS_CMD_SYNC);
	EXPECT_EQ(its->model->errors, 0);
	its_check_held(its);
}

/*
 * Memory goes back when the hardware has executed a SYNC behind the unmapping
 */

/* Nothing that is posted waits for the hardware, or makes EL2 look at it. */
static void never_waits(void)
{
	struct host_its *its = up();
	u64 writes, reads;

	stage_syncs(its, 1);
	its_ring(its);
	test_map(its, DEV, 5);
	its->model->pace = ITS_ON_READ;
	writes = its->model->cwriter_writes;
	reads = its->model->creadr_reads;
	stage_syncs(its, 5);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 5);
	its_ring(its);
	EXPECT_EQ(its->model->creadr_reads, reads);
	EXPECT_EQ(its->model->cwriter_writes, writes + 1);

	/* Asking for memory takes one look. */
	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT_EQ(its->model->creadr_reads, reads + 1);
}

static void reclaimed(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5);

	EXPECT_EQ(reclaim(its), -EBUSY);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 1);
	ring_stalled(its);
	EXPECT_EQ(reclaim(its), -EBUSY);

	/* What others post changes nothing. */
	stage_syncs(its, 2);
	its_ring(its);
	EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
	EXPECT_EQ(reclaim(its), -EBUSY);

	/* The unmapping, and then the SYNC */
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT(!is_hosts(itt));
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	EXPECT_EQ(reclaim(its), 0);
	EXPECT(is_hosts(itt));
	its_check_held(its);
}

/* Any number of other commands is no SYNC, and a SYNC in front is none behind. */
static void sync_is_wanted(void)
{
	struct host_its *its = up();
	u32 nr = its_nr_slots(its), i;

	test_map(its, DEV, 5);
	stage_syncs(its, 3);
	its_stage(its, cmd_unmapd(DEV));
	its_ring(its);
	EXPECT_EQ(reclaim(its), -EBUSY);

	for (i = 0; i < 3 * nr; i++)
		ACCEPT(its, cmd_invall(0));
	EXPECT_EQ(reclaim(its), -EBUSY);

	stage_syncs(its, 1);
	its_ring(its);
	EXPECT_EQ(reclaim(its), 0);
}

/* A command that is refused becomes one. */
static void refused_is_a_sync(void)
{
	struct host_its *its = up();

	test_map(its, DEV, 5);
	ACCEPT(its, cmd_unmapd(DEV));
	EXPECT_EQ(reclaim(its), -EBUSY);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	EXPECT_EQ(reclaim(its), 0);
}

/* In the same batch or not, with other commands between or behind, around the end */
static void check_sync_behind(u32 start, u32 before, u32 between, u32 behind, bool one_by_one)
{
	struct host_its *its;
	u32 i, nr;

	machine_reset();
	its = up();
	test_map(its, DEV, 5);
	advance_to(its, start);
	its->model->pace = ITS_STALLED;

	for (i = 0; i < before; i++)
		its_stage(its, i & 1 ? cmd_invall(0) : cmd_sync(0));
	its_stage(its, cmd_unmapd(DEV));
	for (i = 0; i < between; i++) {
		its_stage(its, cmd_invall(0));
		if (one_by_one)
			its_ring(its);
	}
	stage_syncs(its, 1);
	if (one_by_one)
		its_ring(its);
	for (i = 0; i < behind; i++)
		its_stage(its, cmd_invall(0));
	its_ring(its);

	nr = before + 1 + between + 1;
	for (i = 0; i < nr; i++) {
		if (i < 3 || i + 3 > nr || !(i % 7))
			EXPECT_EQ(reclaim(its), -EBUSY);
		EXPECT_EQ(its_model_step(its->model, 1), 1);
	}
	EXPECT_EQ(reclaim(its), 0);
}

static void sync_behind(void)
{
	u32 nr = ITS_CMD_QUEUE_SZ / CMD_SIZE, start, i;

	for (start = nr - 9; start != 3; start = (start + 1) % nr) {
		for (i = 0; i < 32; i++)
			check_sync_behind(start, i & 1 ? 3 : 0, i & 2 ? 2 : 0, i & 4 ? 2 : 0,
					  i & 8);
	}

	check_sync_behind(7, 50, 30, 30, false);
	check_sync_behind(nr - 40, 50, 30, 30, true);
	check_sync_behind(nr - 40, 0, 90, 1, true);
}

/* CREADR is where it was, a round or several later: what counts is commands, not slots. */
static void rounds(void)
{
	struct host_its *its = up();
	u32 nr = its_nr_slots(its), round, i;

	for (round = 0; round < 5; round++) {
		its->model->pace = ITS_AT_ONCE;
		test_map(its, DEV, 5);
		advance_to(its, 10);
		its->model->pace = ITS_STALLED;

		/* Rounds without the unmapping, then one that stops just short of it */
		for (i = 0; i < nr * round; i++) {
			stage_syncs(its, 1);
			its_ring(its);
			EXPECT_EQ(its_model_step(its->model, 1), 1);
		}
		its_stage(its, cmd_unmapd(DEV));
		stage_syncs(its, nr - 2);
		its_ring(its);
		EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
		EXPECT_EQ(its->model->creadr, 10 * CMD_SIZE);
		EXPECT_EQ(reclaim(its), -EBUSY);
		EXPECT_EQ(its_model_step(its->model, 1), 1);
		EXPECT_EQ(reclaim(its), -EBUSY);
		EXPECT_EQ(its_model_step(its->model, 1), 1);
		EXPECT_EQ(reclaim(its), 0);
		its_model_step(its->model, nr);
	}

	/* Long after, whoever has asked in between or not */
	its->model->pace = ITS_AT_ONCE;
	test_map(its, DEV, 5);
	ACCEPT(its, cmd_unmapd(DEV));
	for (i = 0; i < 3 * nr; i++) {
		stage_syncs(its, 1);
		its_ring(its);
	}
	EXPECT_EQ(reclaim(its), 0);
}

/* Each goes back when its own command has been executed, also around the end. */
static void reclaimed_in_order(void)
{
	struct host_its *its = up();
	unsigned int i, j;

	for (i = 0; i < 4; i++)
		test_map(its, DEV + i, 5);

	advance_to(its, its_nr_slots(its) - 3);
	for (i = 0; i < 4; i++) {
		its_stage(its, cmd_unmapd(DEV + i));
		stage_syncs(its, 1);
		ring_stalled(its);
	}

	for (i = 0; i < 4; i++) {
		for (j = i; j < 4; j++)
			EXPECT_EQ(its_reclaim(its, DEV + j), -EBUSY);
		EXPECT_EQ(its_model_step(its->model, 1), 1);
		EXPECT_EQ(its_reclaim(its, DEV + i), -EBUSY);
		EXPECT_EQ(its_model_step(its->model, 1), 1);
		EXPECT_EQ(its_reclaim(its, DEV + i), 0);
		its_check_held(its);
	}
}

/* One SYNC will do for all. */
static void full_of_unmappings(void)
{
	struct host_its *its = up();
	u32 nr = its_nr_slots(its), i;

	for (i = 0; i < nr - 2; i++)
		test_map(its, i, 1);

	for (i = 0; i < nr - 2; i++)
		its_stage(its, cmd_unmapd(i));
	ring_stalled(its);
	EXPECT_EQ(its_model_step(its->model, nr), nr - 2);
	for (i = 0; i < nr - 2; i++)
		EXPECT_EQ(its_reclaim(its, i), -EBUSY);
	stage_syncs(its, 1);
	its_ring(its);
	EXPECT_EQ(its_model_step(its->model, nr), 1);
	for (i = 0; i < nr - 2; i++)
		EXPECT_EQ(its_reclaim(its, i), 0);
	its_check_held(its);
	for (i = 0; i < nr - 2; i++)
		EXPECT(!its_model_is_mapped(its->model, i));
}

/*
 * An ITS that is disabled, reset, or without power
 */

static void disabled(void)
{
	struct host_its *its = up();

	test_map(its, DEV, 5);
	disable(its);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 1);
	its_ring(its);
	EXPECT_EQ(reclaim(its), -EBUSY);

	enable(its);
	EXPECT_EQ(its->model->creadr, its->next * CMD_SIZE);
	EXPECT_EQ(reclaim(its), 0);
	its_check_held(its);
}

/*
 * The last slots unmap a device. Then all pointers are zero: as if that had been executed,
 * and it has not.
 */
static phys_addr_t pending_in_last_slots(struct host_its *its)
{
	phys_addr_t itt = test_map(its, DEV, 5);

	advance_to(its, its_nr_slots(its) - 2);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 1);
	ring_stalled(its);
	EXPECT_EQ(its->next, 0);
	EXPECT_EQ(reclaim(its), -EBUSY);

	return itt;
}

/* The ITT stays with EL2 for good: the ITS may have the device still. */
static void check_lost(struct host_its *its, phys_addr_t itt)
{
	u32 i;

	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT_EQ(its->model->creadr, 0);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_event(GITS_CMD_INV, DEV, 0));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_mapd(DEV, 5, itt));
	UNPREPARED(its, -EBUSY, DEV, 5, itt);
	UNPREPARED(its, -EBUSY, DEV, 5, its_alloc_itt(its, 5));
	UNPREPARED(its, -EPERM, DEV + 1, 5, itt);

	for (i = 0; i < its_nr_slots(its) + 1; i++)
		ACCEPT(its, cmd_invall(0));
	stage_syncs(its, 1);
	its_ring(its);
	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT(!is_hosts(itt));

	/* Other devices are as good as ever. */
	test_map(its, DEV + 1, 5);
	UNMAP(its, DEV + 1);
	EXPECT_EQ(reclaim(its), -EBUSY);
	its_check_held(its);
}

static void power_loss(void)
{
	struct host_its *its = up();
	u64 basers[GITS_BASER_NR_REGS];

	pending_in_last_slots(its);
	memcpy(basers, its->model->baser, sizeof(basers));
	its_model_power_off(its->model);
	EXPECT_EQ(reclaim(its), -EBUSY);
	its_ring(its);
	EXPECT_EQ(reclaim(its), -EBUSY);
	enable(its);
	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT(!(its->model->ctlr & GITS_CTLR_ENABLE));

	/* EL2 does not know in which state it was, and so it stays off. */
	rewrite_bases(its, basers);
	its->model->pace = ITS_AT_ONCE;
	EXPECT(!pkvm_its_suspend(HOST_CPU(0)));
	rewrite_bases(its, basers);
	enable(its);
	EXPECT(!(its->model->ctlr & GITS_CTLR_ENABLE));
	EXPECT_EQ(reclaim(its), -EBUSY);
	its_check_held(its);
}

static void reset(void)
{
	struct host_its *its = up();
	phys_addr_t itt = pending_in_last_slots(its);

	disable(its);
	rewrite_bases(its, NULL);
	its->model->pace = ITS_AT_ONCE;
	enable(its);
	check_lost(its, itt);
}

/* The unmapping has been executed, and the SYNC has not: it takes effect with another one. */
static void reset_before_sync(void)
{
	struct host_its *its = up();

	pending_in_last_slots(its);
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	EXPECT_EQ(reclaim(its), -EBUSY);
	disable(its);
	rewrite_bases(its, NULL);
	its->model->pace = ITS_AT_ONCE;
	enable(its);
	EXPECT_EQ(reclaim(its), -EBUSY);
	ACCEPT(its, cmd_sync(0));
	EXPECT_EQ(reclaim(its), 0);
	its_check_held(its);
}

/*
 * Commands for virtual LPIs end with a VSYNC: what has been executed is not lost if there is no
 * SYNC behind it, however often the system is suspended.
 */
static void reset_without_sync(void)
{
	struct host_its *its = up();
	unsigned int i;

	test_map(its, DEV, 5);
	for (i = 0; i < 3; i++) {
		ACCEPT(its, cmd_mapti(DEV, i, 8192, 0));
		ACCEPT(its, cmd_event(GITS_CMD_DISCARD, DEV, i));
		ACCEPT(its, cmd_invall(0));
		disable(its);
		EXPECT(pkvm_its_suspend(HOST_CPU(0)));
		pkvm_its_resume(HOST_CPU(0));
		rewrite_bases(its, NULL);
		enable(its);
	}
	ACCEPT(its, cmd_unmapd(DEV));
	ACCEPT(its, cmd_sync(0));
	EXPECT_EQ(reclaim(its), 0);
	its_check_held(its);
}

/* Nothing is lost, neither the unmapping nor what the host had not asked for yet. */
static void reset_when_idle(void)
{
	struct host_its *its = up();
	unsigned int i;

	for (i = 0; i < 3; i++) {
		test_map(its, DEV, 5);
		ACCEPT(its, cmd_unmapd(DEV));
		ACCEPT(its, cmd_sync(0));
		disable(its);
		rewrite_bases(its, NULL);
		enable(its);
		EXPECT_EQ(reclaim(its), 0);
		its_check_held(its);
	}
}

/* Some have been executed, some not: with the queue, all that was open is lost. */
static void reset_amid_unmappings(void)
{
	struct host_its *its = up();
	phys_addr_t last;

	test_map(its, DEV, 5);
	test_map(its, DEV + 2, 5);
	last = test_map(its, DEV + 1, 5);
	its_stage(its, cmd_unmapd(DEV + 2));
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 1);
	its_stage(its, cmd_unmapd(DEV + 1));
	stage_syncs(its, 1);
	ring_stalled(its);
	EXPECT_EQ(its_model_step(its->model, 3), 3);
	EXPECT_EQ(its_reclaim(its, DEV + 2), 0);
	disable(its);
	rewrite_bases(its, NULL);
	EXPECT_EQ(its_reclaim(its, DEV + 1), -EBUSY);
	its_check_held(its);

	its->model->pace = ITS_AT_ONCE;
	enable(its);
	advance_to(its, 20);
	EXPECT_EQ(its_reclaim(its, DEV + 1), -EBUSY);
	EXPECT(!is_hosts(last));

	/* The same slots are as good as new. */
	test_map(its, DEV + 2, 5);
	advance_to(its, 10);
	UNMAP(its, DEV + 2);
	EXPECT_EQ(its_reclaim(its, DEV + 1), -EBUSY);
}

static void reset_with(struct host_its *its, struct cmd cmd)
{
	disable(its);
	its_stage(its, cmd);
	its_ring(its);
	rewrite_bases(its, NULL);
	enable(its);
}

/*
 * The event of a DISCARD that was lost is still mapped, whatever is discarded or lost after it:
 * the device can't be unmapped. Others are as good as ever.
 */
static void reset_loses_discard(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5);

	test_map(its, DEV + 1, 5);
	ACCEPT(its, cmd_mapti(DEV, 1, 8192, 0));
	ACCEPT(its, cmd_mapti(DEV, 2, 8193, 0));
	stage_syncs(its, 1);
	reset_with(its, cmd_event(GITS_CMD_DISCARD, DEV, 1));

	ACCEPT(its, cmd_event(GITS_CMD_DISCARD, DEV, 2));
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	reset_with(its, cmd_invall(0));
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	stage_syncs(its, 1);
	its_ring(its);
	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT(!is_hosts(itt));

	UNMAP(its, DEV + 1);
	test_map(its, DEV + 1, 5);
	ACCEPT(its, cmd_mapti(DEV + 1, 1, 8194, 0));
	ACCEPT(its, cmd_event(GITS_CMD_DISCARD, DEV + 1, 1));
	UNMAP(its, DEV + 1);
	its_check_held(its);
}

/* All that the driver posted before the hand-over may be lost. No device has a DISCARD in it. */
static void reset_at_once(void)
{
	struct host_its *its = up();

	el2_its(its->id)->nr_synced = 0;
	disable(its);
	rewrite_bases(its, NULL);
	enable(its);
	test_map(its, DEV, 5);
	UNMAP(its, DEV);
	its_check_held(its);
}

/* After a reset it is not the old commands that fill the queue. */
static void reset_empties(void)
{
	struct host_its *its = up();
	u32 nr = its_nr_slots(its);

	stage_syncs(its, nr - 1);
	ring_stalled(its);
	disable(its);
	rewrite_bases(its, NULL);
	enable(its);
	stage_syncs(its, nr - 1);
	its_ring(its);
	EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
	EXPECT_EQ(its_model_step(its->model, nr), nr - 1);
}

/* GITS_CREADR where no ITS could be that has @nr commands to execute from @done on */
static bool is_impossible(struct host_its *its, u32 slot, u32 done, u32 nr)
{
	u32 nr_slots = its_nr_slots(its);

	return slot >= nr_slots || (slot + nr_slots - done) % nr_slots > nr;
}

static void check_impossible_creadr(u32 from_end)
{
	struct host_its *its;
	u32 done, slot;

	machine_reset();
	its = up();
	test_map(its, DEV, 5);
	advance_to(its, its_nr_slots(its) - from_end);
	EXPECT_EQ(reclaim(its), -EBUSY);
	done = its->next;
	stage_syncs(its, 3);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 2);
	ring_stalled(its);

	for (slot = 0; slot < BIT(15); slot++) {
		if (!is_impossible(its, slot, done, 6))
			continue;

		its->model->creadr = slot * CMD_SIZE;
		EXPECT_EQ(reclaim(its), -EBUSY);
		its_ring(its);
	}

	its->model->creadr = done * CMD_SIZE;
	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT_EQ(its_model_step(its->model, 4), 4);
	EXPECT_EQ(reclaim(its), -EBUSY);
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	EXPECT_EQ(reclaim(its), 0);
}

/* Nothing is believed, wherever in the queue it happens. */
static void impossible_creadr(void)
{
	check_impossible_creadr(50);
	check_impossible_creadr(6);
	check_impossible_creadr(5);
	check_impossible_creadr(3);
	check_impossible_creadr(1);
}

static void check_impossible_room(u32 start)
{
	struct host_its *its;
	u32 nr, slot;

	machine_reset();
	its = up();
	nr = its_nr_slots(its);
	advance_to(its, start);
	stage_syncs(its, nr / 2);
	ring_stalled(its);
	stage_syncs(its, nr / 2);

	for (slot = 0; slot < 2 * nr; slot++) {
		if (!is_impossible(its, slot, start, nr / 2))
			continue;

		its->model->creadr = slot * CMD_SIZE;
		ring_ignored(its);
	}
}

/* Likewise where it decides whether there is room */
static void impossible_creadr_makes_no_room(void)
{
	check_impossible_room(30);
	check_impossible_room(100);
}

const struct test queue_tests[] = {
	TEST(wraps),
	TEST(full),
	TEST(backwards),
	TEST(bad_values),
	TEST(one_write_a_batch),
	TEST(scrubbed),
	TEST(pending_not_scrubbed),
	TEST(mixed_batch),
	TEST(never_waits),
	TEST(reclaimed),
	TEST(sync_is_wanted),
	TEST(refused_is_a_sync),
	TEST(sync_behind),
	TEST(rounds),
	TEST(reclaimed_in_order),
	TEST(full_of_unmappings),
	TEST(disabled),
	TEST(power_loss),
	TEST(reset),
	TEST(reset_before_sync),
	TEST(reset_without_sync),
	TEST(reset_when_idle),
	TEST(reset_amid_unmappings),
	TEST(reset_loses_discard),
	TEST(reset_at_once),
	TEST(reset_empties),
	TEST(impossible_creadr),
	TEST(impossible_creadr_makes_no_room),
	{}
};
