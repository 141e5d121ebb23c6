// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue: GITS_CWRITER, batches, waiting, releasing, starting over
 */

#include <string.h>

#include "test.h"

#define DEV		0x40
#define CMD_SIZE	sizeof(struct cmd)

/* ITS_WAIT_BUDGET and ITS_TAKE_BUDGET of its.c */
#define WAITS		4096
#define TAKEN		SZ_2M

/* The largest ITT, with entries of 16 bytes */
#define LARGEST		SZ_1M

static struct machine_config smallest_queue(void)
{
	struct machine_config cfg = machine_default;

	cfg.queue_pages = PAGE_SIZE / SZ_4K;

	return cfg;
}

static struct host_its *up(void)
{
	struct machine_config cfg = smallest_queue();

	return its_up(&cfg);
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

static int reclaim(struct host_its *its, phys_addr_t itt)
{
	return __pkvm_its_reclaim(its->id, itt, ITS_CMD_ITT_GRANULE);
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
	struct machine_config cfg = smallest_queue();
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
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES), ignored + 2);
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
 * What has been executed is scrubbed: with the next release, or when there are 64 slots of
 * it, which takes one look at GITS_CREADR.
 */
static void check_scrubbed(bool nc)
{
	struct machine_config cfg = smallest_queue();
	struct host_its *its;
	u32 start, i;
	u64 reads;

	machine_reset();
	cfg.its.nc = nc;
	its = its_up(&cfg);
	advance_to(its, its_nr_slots(its) - 30);
	test_map(its, DEV, 5);
	ACCEPT(its, cmd_unmapd(DEV));
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
	phys_addr_t itt = host_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 start = its->next;

	test_prepare(its, DEV);
	its_stage(its, cmd_mapti(DEV, 1, 8192, 0));
	its_stage(its, cmd_mapd(DEV, 5, itt));
	its_stage(its, cmd_mapti(DEV, 1, 8192, 0));
	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_mapti(DEV, 1, 8192, 0));
	its_stage(its, cmd_mapd(DEV, 5, itt));
	its_ring(its);

	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), 4);
	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_NOT_MAPPED), 2);
	EXPECT_EQ(its_committed(its, start).raw[0], GITS_CMD_SYNC);
	EXPECT_EQ(its_committed(its, start + 4).raw[0], GITS_CMD_SYNC);
	EXPECT_EQ(its->model->errors, 0);
	its_check_held(its);
}

/*
 * Commands that release memory
 */

/* EL2 waits for a command that releases memory, and for none behind it. */
static void waits(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5);
	u64 writes, reads;

	its->model->pace = ITS_ON_READ;
	writes = its->model->cwriter_writes;
	reads = its->model->creadr_reads;
	stage_syncs(its, 5);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 5);
	its_ring(its);
	EXPECT_EQ(its->model->creadr_reads, reads + 6);
	EXPECT_EQ(its->model->cwriter_writes, writes + 2);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), 0);
	EXPECT(is_hosts(itt));
	its_check_held(its);
}

static void deferred(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5);
	u64 ignored = its_stat(its, PKVM_ITS_WRITES_IGNORED);

	its_stage(its, cmd_unmapd(DEV));
	ring_stalled(its);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), 1);
	EXPECT_EQ(reclaim(its, itt), -EBUSY);

	/* Others do not have to wait for it. */
	stage_syncs(its, 2);
	its_ring(its);
	EXPECT(!is_hosts(itt));
	EXPECT_EQ(its->model->cwriter, its->next * CMD_SIZE);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), 1);

	EXPECT_EQ(its_model_step(its->model, 1), 1);
	EXPECT(!is_hosts(itt));
	its_ring(its);
	EXPECT(is_hosts(itt));
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), ignored);
	its_check_held(its);
}

/* Each is released when its own command has been executed, also around the end. */
static void released_in_order(void)
{
	struct host_its *its = up();
	phys_addr_t itts[4];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(itts); i++)
		itts[i] = test_map(its, DEV + i, 5);

	advance_to(its, its_nr_slots(its) - 3);
	for (i = 0; i < ARRAY_SIZE(itts); i++) {
		stage_syncs(its, 1);
		its_stage(its, cmd_unmapd(DEV + i));
		ring_stalled(its);
	}

	for (i = 0; i < ARRAY_SIZE(itts); i++) {
		for (j = 0; j < ARRAY_SIZE(itts); j++)
			EXPECT_EQ(reclaim(its, itts[j]), j < i ? 0 : -EBUSY);
		EXPECT_EQ(its_model_step(its->model, 1), 1);
		EXPECT_EQ(reclaim(its, itts[i]), -EBUSY);
		EXPECT_EQ(its_model_step(its->model, 1), 1);
		EXPECT_EQ(reclaim(its, itts[i]), 0);
		its_check_held(its);
	}
}

/* What is pending is not overwritten, and the queue can be full of it. */
static void full_of_releases(void)
{
	struct host_its *its = up();
	u32 nr = its_nr_slots(its), i;
	phys_addr_t itts = host_alloc(nr * ITS_CMD_ITT_GRANULE, PAGE_SIZE);

	for (i = 0; i < nr; i++) {
		test_prepare(its, i);
		ACCEPT(its, cmd_mapd(i, 1, itts + i * ITS_CMD_ITT_GRANULE));
	}

	for (i = 0; i < nr - 1; i++)
		its_stage(its, cmd_unmapd(i));
	ring_stalled(its);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), nr - 1);
	its_stage(its, cmd_unmapd(i));
	ring_ignored(its);

	EXPECT_EQ(its_model_step(its->model, nr), nr - 1);
	its_ring(its);
	EXPECT_EQ(its_model_step(its->model, nr), 1);
	EXPECT(!reclaim(its, MEM_LOW));
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), nr);
	its_check_held(its);
	for (i = 0; i < nr; i++)
		EXPECT(!its_model_is_mapped(its->model, i));
}

static void wait_is_bounded(void)
{
	struct host_its *its = up();
	u32 nr = 50, i;
	u64 reads;

	for (i = 0; i < nr; i++)
		test_map(its, i, 1);

	/* One more than there are waits at the most, and one for each further command */
	for (i = 0; i < nr; i++)
		its_stage(its, cmd_unmapd(i));
	reads = its->model->creadr_reads;
	ring_stalled(its);
	EXPECT_EQ(its->model->creadr_reads, reads + WAITS + nr);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), nr);

	EXPECT_EQ(its_model_step(its->model, nr), nr);
	its_ring(its);
	its_check_held(its);
}

static void take_is_bounded(void)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;
	u32 nr = TAKEN / LARGEST, i;
	phys_addr_t itts;

	cfg.its.ite_size = 16;
	its = its_up(&cfg);
	test_map(its, 0, 1);
	itts = host_alloc((nr + 1) * LARGEST, PAGE_SIZE);
	for (i = 0; i <= nr; i++) {
		test_prepare(its, i + 1);
		its_stage(its, cmd_mapd(i + 1, 16, itts + i * LARGEST));
	}
	its_stage(its, cmd_sync(0));
	its_ring(its);

	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_NO_MEMORY), 1);
	EXPECT_EQ(its_refused_all(its), 1);
	EXPECT(its_model_is_mapped(its->model, nr));
	EXPECT(!its_model_is_mapped(its->model, nr + 1));
	EXPECT(is_hosts(itts + nr * LARGEST));

	/* Next time there is a new budget. */
	ACCEPT(its, cmd_mapd(nr + 1, 16, itts + nr * LARGEST));
	its_check_held(its);
}

/* Level-2 pages count as well: with one of them, the last ITT is too much. */
static void take_is_bounded_with_level2(void)
{
	struct machine_config cfg = machine_default;
	u32 nr = TAKEN / LARGEST, i, next;
	struct host_its *its;
	phys_addr_t itts;

	cfg.its.ite_size = 16;
	its = its_up(&cfg);
	test_map(its, 0, 1);
	next = SZ_64K / cfg.devices.entry_size;
	itts = host_alloc(nr * LARGEST, PAGE_SIZE);
	for (i = 0; i < nr - 1; i++) {
		test_prepare(its, i + 1);
		its_stage(its, cmd_mapd(i + 1, 16, itts + i * LARGEST));
	}
	test_prepare(its, next);
	its_stage(its, cmd_mapd(next, 16, itts + i * LARGEST));
	its_ring(its);

	EXPECT_EQ(its_stat(its, PKVM_ITS_REFUSED_NO_MEMORY), 1);
	EXPECT(is_hosts(itts + i * LARGEST));
	EXPECT(is_hosts(its_stage_level2(its, BASER_DEVICES, next)));
	its_check_held(its);
	ACCEPT(its, cmd_mapd(next, 16, itts + i * LARGEST));
}

/*
 * An ITS that is disabled, reset, or without power
 */

static void disabled(void)
{
	struct host_its *its = up();
	phys_addr_t itt = test_map(its, DEV, 5);

	disable(its);
	its_stage(its, cmd_unmapd(DEV));
	its_ring(its);
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), 1);
	EXPECT_EQ(reclaim(its, itt), -EBUSY);

	enable(its);
	EXPECT_EQ(its->model->creadr, its->next * CMD_SIZE);
	EXPECT_EQ(reclaim(its, itt), 0);
	its_check_held(its);
}

/*
 * The last slot unmaps a device. Then all pointers are zero: as if it had been executed, and
 * it has not.
 */
static phys_addr_t pending_in_last_slot(struct host_its *its)
{
	phys_addr_t itt = test_map(its, DEV, 5);

	advance_to(its, its_nr_slots(its) - 1);
	its_stage(its, cmd_unmapd(DEV));
	ring_stalled(its);
	EXPECT_EQ(its->next, 0);
	EXPECT_EQ(reclaim(its, itt), -EBUSY);

	return itt;
}

/* The ITT stays with EL2 for good: the ITS may have the device still. */
static void check_lost(struct host_its *its, phys_addr_t itt)
{
	u64 deferred = its_stat(its, PKVM_ITS_DEFERRED);
	u32 i;

	EXPECT_EQ(reclaim(its, itt), -EBUSY);
	EXPECT_EQ(its->model->creadr, 0);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_event(GITS_CMD_INV, DEV, 0));
	REFUSE(its, PKVM_ITS_REFUSED_ITT_BUSY, cmd_mapd(DEV, 5, itt));
	test_map(its, DEV, 3);
	ACCEPT(its, cmd_unmapd(DEV));

	for (i = 0; i < its_nr_slots(its) + 1; i++)
		ACCEPT(its, cmd_invall(0));
	EXPECT_EQ(reclaim(its, itt), -EBUSY);

	/* Nobody waits for it any more. */
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), deferred);
	its_check_held(its);
}

static void power_loss(void)
{
	struct host_its *its = up();
	u64 basers[GITS_BASER_NR_REGS];
	phys_addr_t itt;

	itt = pending_in_last_slot(its);
	memcpy(basers, its->model->baser, sizeof(basers));
	its_model_power_off(its->model);
	EXPECT_EQ(reclaim(its, itt), -EBUSY);
	its_ring(its);
	EXPECT(!is_hosts(itt));
	enable(its);
	EXPECT(!is_hosts(itt));
	EXPECT(!(its->model->ctlr & GITS_CTLR_ENABLE));

	rewrite_bases(its, basers);
	its->model->pace = ITS_AT_ONCE;
	enable(its);
	EXPECT(its->model->ctlr & GITS_CTLR_ENABLE);
	check_lost(its, itt);
}

static void reset(void)
{
	struct host_its *its = up();
	phys_addr_t itt = pending_in_last_slot(its);

	disable(its);
	rewrite_bases(its, NULL);
	its->model->pace = ITS_AT_ONCE;
	enable(its);
	check_lost(its, itt);
}

/* Some have been executed, some not. */
static void reset_amid_releases(void)
{
	struct host_its *its = up();
	phys_addr_t first = test_map(its, DEV, 5), last = test_map(its, DEV + 1, 5);

	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_unmapd(DEV + 1));
	ring_stalled(its);
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	disable(its);
	rewrite_bases(its, NULL);
	EXPECT(is_hosts(first));
	EXPECT_EQ(its_stat(its, PKVM_ITS_DEFERRED), 2);
	its_check_held(its);

	its->model->pace = ITS_AT_ONCE;
	enable(its);
	advance_to(its, 20);
	EXPECT_EQ(reclaim(its, last), -EBUSY);

	/* The same slots are as good as new. */
	first = test_map(its, DEV, 5);
	advance_to(its, 10);
	ACCEPT(its, cmd_unmapd(DEV));
	EXPECT(is_hosts(first));
	EXPECT_EQ(reclaim(its, last), -EBUSY);
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
	phys_addr_t itt;
	u32 done, slot;

	machine_reset();
	its = up();
	itt = test_map(its, DEV, 5);
	advance_to(its, its_nr_slots(its) - from_end);
	done = its->next;
	stage_syncs(its, 3);
	its_stage(its, cmd_unmapd(DEV));
	stage_syncs(its, 2);
	ring_stalled(its);

	for (slot = 0; slot < BIT(15); slot++) {
		if (!is_impossible(its, slot, done, 6))
			continue;

		its->model->creadr = slot * CMD_SIZE;
		EXPECT_EQ(reclaim(its, itt), -EBUSY);
		its_ring(its);
		EXPECT(!is_hosts(itt));
	}

	its->model->creadr = done * CMD_SIZE;
	EXPECT_EQ(reclaim(its, itt), -EBUSY);
	EXPECT_EQ(its_model_step(its->model, 3), 3);
	EXPECT_EQ(reclaim(its, itt), -EBUSY);
	EXPECT_EQ(its_model_step(its->model, 1), 1);
	EXPECT_EQ(reclaim(its, itt), 0);
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
	TEST(waits),
	TEST(deferred),
	TEST(released_in_order),
	TEST(full_of_releases),
	TEST(wait_is_bounded),
	TEST(take_is_bounded),
	TEST(take_is_bounded_with_level2),
	TEST(disabled),
	TEST(power_loss),
	TEST(reset),
	TEST(reset_amid_releases),
	TEST(reset_empties),
	TEST(impossible_creadr),
	TEST(impossible_creadr_makes_no_room),
	{}
};
