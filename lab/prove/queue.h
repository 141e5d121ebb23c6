/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An ITS in any state that its queue can be in, for harnesses of its.c, and the hardware: it
 * executes what is committed some time later, stalls, or loses power between any two accesses.
 *
 * The invariant of the queue (queue_holds()) is proved to hold after each entry for which it
 * held before. its_start_queue() establishes it: prove_start().
 *
 * Assumed, and why that holds:
 *  - the hardware executes commands in order, and none before GITS_CWRITER is written; as long
 *    as it has power, GITS_CREADR says how far it has got (IHI 0069). It loses power only while it
 *    is disabled; its registers are then any value, but firmware does not enable it, unless EL2
 *    was told of a suspend. With BROKEN, registers read as anything at any time, and what depends
 *    on GITS_CREADR is not proved;
 *  - the lock keeps other CPUs out: they are other entries, before or after;
 *  - fewer than 2^48 commands are committed while the system is up;
 *  - the queue has 4 slots in place of 2048. The code compares with their number and takes others
 *    modulo it, and each loop goes over commands in order. So ITS_PENDING_MAX is not reached:
 *    beyond it EL2 looks at GITS_CREADR although there is room, which it does here when there is
 *    none;
 *  - the ITS has no vPEs, and CONFIG_PKVM_ITS_REFERENCE is off.
 */
#ifndef __PROVE_QUEUE_H__
#define __PROVE_QUEUE_H__

/* Its contract is what prove_cmd() proves; the rest of its-cmd.c is as it is. */
#define its_translate_cmd real_translate_cmd
#include <its-cmd.c>
#undef its_translate_cmd

#define NR_CMDS		4
#define CMD_SIZE	32

#undef ITS_CMD_QUEUE_SZ
#define ITS_CMD_QUEUE_SZ	(NR_CMDS * CMD_SIZE)

#include <its.c>

#include "prove.h"

PROVE_NO_WARN
PROVE_NOSPEC

#define ITS_BASE	0x10000000UL
#define BUSY_BASE	0x20000000UL

static struct hyp_its its, its_was;
/* Another one, before or behind, that does not become quiescent; if there are two */
static struct hyp_its busy;
static u32 its_id, nr_itss = 1;
static struct its_cmd_block committed[NR_CMDS], committed_was[NR_CMDS];
static u64 rdbases[1];

struct hyp_its nondet_its(void);
struct its_cmd_block nondet_block(void);

static struct {
	bool on, alive;		/* it is enabled; it has not lost power */
	u32 ahead;		/* what it has executed of what was pending before the entry */
	u32 first_ctlr;		/* what was read first */
	u32 read_ctlr;		/* ... and last */
	u64 read_cbaser, read_creadr, read_cwriter;
	bool bases_read_well;
	u32 nr_ctlr_read, nr_bases_read;
	u32 nr_ctlr, nr_cbaser, nr_cwriter, nr_baser;	/* writes */
	u64 ctlr, cwriter;
} hw;

static inline u64 nr_ignored(const struct hyp_its *an_its)
{
	return an_its->stats[PKVM_ITS_WRITES_IGNORED];
}

static inline u64 nr_held(const struct hyp_its *an_its)
{
	return an_its->stats[PKVM_ITS_HELD_PAGES];
}

struct hyp_its *hyp_its_get(u32 id)
{
	if (id >= nr_itss)
		return NULL;

	return id == its_id ? &its : &busy;
}

void trace_its_refused(phys_addr_t phys, u64 cmd0, u64 cmd1, u64 cmd2, u32 reason)
{
}

static u64 dword(const struct its_cmd_block *queue, u32 slot, unsigned int i)
{
	return le64_to_cpu(queue[slot].raw_cmd_le[i]);
}

static bool is_sync(const struct its_cmd_block *queue, u32 slot)
{
	return (dword(queue, slot, 0) & 0xff) == 0x05;
}

/* The slots of the next command, and of the first that is not known to have been executed */
static u32 next(const struct hyp_its *an_its)
{
	return an_its->nr_committed % NR_CMDS;
}

static u32 done(const struct hyp_its *an_its)
{
	return an_its->nr_done % NR_CMDS;
}

static u32 nr_pending(const struct hyp_its *an_its)
{
	return an_its->nr_committed - an_its->nr_done;
}

/* How far a slot is behind another one */
static u32 distance(u32 from, u32 to)
{
	return (to - from) % NR_CMDS;
}

static bool is_scrubbed(u32 slot)
{
	return dword(committed, slot, 0) == 0x05 && !dword(committed, slot, 1) &&
	       dword(committed, slot, 2) == rdbases[0] && !dword(committed, slot, 3);
}

/* The state that each entry finds and has to leave */
static bool queue_holds(void)
{
	u32 slot;

	if (its.nr_done > its.nr_committed || its.nr_committed - its.nr_done >= NR_CMDS)
		return false;

	for (slot = 0; slot < NR_CMDS; slot++) {
		if (distance(done(&its), slot) >= nr_pending(&its) && !is_scrubbed(slot))
			return false;
	}

	if (its.suspended && (!its.active || nr_pending(&its) || next(&its)))
		return false;

	return its.nr_synced <= its.nr_done &&
	       its.lost_from <= its.lost_to && its.lost_to <= its.nr_done;
}

/* A CPU that suspends the system: another one, or the one that is in the harness, or none */
static char cpus[2];
static void *suspending_was;

static void *any_cpu(void)
{
	return nondet_bool() ? &cpus[nondet_bool()] : NULL;
}

static void any_its(void)
{
	u32 i;

	its = nondet_its();
	its.vpes = NULL;
	its.lock.held = false;
	its.mem_lock.held = false;
	its.base = (void *)ITS_BASE;
	its.staging = (void *)HOST_MEM;
	its.committed = committed;
	its.one_by_one = false;
	its.rdbases = rdbases;
	its.nr_rdbases = 1;
	rdbases[0] = nondet_u64();
	for (i = 0; i < NR_CMDS; i++)
		committed[i] = nondet_block();
	assume(queue_holds() && its.nr_committed < BIT_ULL(48));

	busy.active = true;
	busy.base = (void *)BUSY_BASE;
	its_suspending = any_cpu();

	its_was = its;
	suspending_was = its_suspending;
	for (i = 0; i < NR_CMDS; i++)
		committed_was[i] = committed[i];
	/* After a suspend, nothing is known. */
	hw.on = !its.suspended && nondet_bool();
	hw.alive = hw.on || (!its.suspended && nondet_bool());
	hw.ahead = nondet_u32();
	assume(hw.ahead <= nr_pending(&its));
}

/* What the hardware may still be about to execute of what was there before the entry */
static bool is_pending(u32 slot)
{
	return distance(done(&its_was), slot) >= hw.ahead &&
	       distance(done(&its_was), slot) < nr_pending(&its_was);
}

static u64 read_creadr(void)
{
	u32 ahead = nondet_u32();

	if (!hw.alive)
		return nondet_u32();

	if (ahead > hw.ahead && ahead <= nr_pending(&its_was))
		hw.ahead = ahead;

	/* Bits that are no offset may be anything. */
	return (its_was.nr_done + hw.ahead) % NR_CMDS * CMD_SIZE | (nondet_u32() & ~GENMASK(19, 5));
}

u64 its_mmio_read(const volatile void *addr, unsigned int size)
{
	u64 reg = (unsigned long)addr - ITS_BASE, val = nondet_u64();
	bool restored = nondet_bool();
	u32 i;

	if ((unsigned long)addr == BUSY_BASE + GITS_CTLR) {
		assume((val & 0x80000001) != 0x80000000);
		return val;
	}

	hw.alive = hw.on || (hw.alive && nondet_bool());

	switch (reg) {
	case GITS_CREADR:
#ifndef BROKEN
		val = read_creadr();
#endif
		return hw.read_creadr = val;
	case GITS_CWRITER:
		return hw.read_cwriter = val;
	case GITS_CBASER:
#ifndef BROKEN
		if (hw.alive || restored)
			val = its.cbaser;
#endif
		return hw.read_cbaser = val;
	case GITS_CTLR:
#ifndef BROKEN
		if (!its_was.suspended)
			val = (val & ~1ULL) | hw.on;
#endif
		if (!hw.nr_ctlr_read++)
			hw.first_ctlr = val;
		return hw.read_ctlr = val;
	default:
		i = (reg - GITS_BASER) / 8;
		prove(reg >= GITS_BASER && i < GITS_BASER_NR_REGS && reg % 8 == 0 && size == 8,
		      "no other register is read");
		if (its.tables[i].baser ? val != its.tables[i].baser : val >> 63)
			hw.bases_read_well = false;
		hw.nr_bases_read++;
		return val;
	}
}

static bool is_read_as_quiescent(void)
{
	return (hw.read_ctlr & 0x80000001) == 0x80000000;
}

void its_mmio_write(volatile void *addr, u64 val, unsigned int size)
{
	u64 reg = (unsigned long)addr - ITS_BASE;
	u32 i;

	switch (reg) {
	case GITS_CWRITER:
		hw.nr_cwriter++;
		hw.cwriter = val;
		break;
	case GITS_CBASER:
		hw.nr_cbaser++;
		prove(val == its.cbaser && size == 8, "GITS_CBASER gets the committed value");
		prove(is_read_as_quiescent(), "GITS_CBASER is written while the ITS is quiescent");
		break;
	case GITS_CTLR:
		hw.nr_ctlr++;
		hw.ctlr = val;
		prove(size == 4, "GITS_CTLR has 32 bits");
		break;
	default:
		i = (reg - GITS_BASER) / 8;
		prove(reg >= GITS_BASER && i < GITS_BASER_NR_REGS && reg % 8 == 0 && size == 8,
		      "no other register is written");
		prove(its.tables[i].baser && val == its.tables[i].baser,
		      "GITS_BASER<n> gets the committed value");
		prove(is_read_as_quiescent(),
		      "GITS_BASER<n> is written while the ITS is quiescent");
		hw.nr_baser++;
	}
}

/* What has become of the queue: of @slot, and of all as far as counts go */
static void check_queue(u32 slot)
{
	u64 nr;

	prove(!its.lock.held && !its.mem_lock.held, "locks are released");
	prove(queue_holds(), "the invariant of the queue");
	prove(its.committed == committed &&
	      its.cbaser == its_was.cbaser && its.base == its_was.base && its.rdbases == rdbases &&
	      its.active == its_was.active &&
	      its.ctlr == its_was.ctlr && its.staging == its_was.staging,
	      "no entry changes where the queue is");
	prove(its.nr_synced >= its_was.nr_synced, "what has been executed stays so");

	/* The number of the command that was in the slot */
	nr = its_was.nr_done + distance(done(&its_was), slot);
	if (its.nr_synced != its_was.nr_synced) {
		prove(its.nr_synced <= its_was.nr_committed && its.nr_synced > its_was.nr_done,
		      "what is newly known to have been executed was pending");
		prove(is_sync(committed_was, (its.nr_synced - 1) % NR_CMDS),
		      "its last one is a SYNC");
#ifndef BROKEN
		prove(its.nr_synced <= its_was.nr_done + hw.ahead, "the hardware has executed it");
#endif
	}
	if (!hw.nr_cbaser)
		prove(nr >= its.nr_done || nr >= its_was.nr_committed ||
		      !is_sync(committed_was, slot) || nr < its.nr_synced,
		      "no SYNC that has been executed is overlooked");
}

#endif /* __PROVE_QUEUE_H__ */
