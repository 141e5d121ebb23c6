// SPDX-License-Identifier: GPL-2.0-only
/*
 * its.c: any write to the control frame of an ITS, and any commands posted by hypercall, in any
 * state of its queue.
 *
 * Proved: prove_cwriter(): no slot is written before the hardware has executed it; what is not
 * pending holds a SYNC; each new slot holds what its_translate_cmd() made of the host's command,
 * which was read once, or a SYNC if it was refused; the work is bounded by the length of
 * the queue; a write that is ignored commits nothing, and one that is well-formed and overtakes
 * nothing is not ignored; no memory changes hands.
 * prove_registers(): GITS_CBASER and GITS_BASER<n> get the committed value and nothing else, while
 * the ITS is quiescent; an ITS is enabled with everything in place alone; no other register is
 * written; a new queue holds SYNCs alone, and all that may have been dropped counts as lost.
 * prove_suspend(): one CPU at a time suspends the system, with each ITS quiescent and left with an
 * empty queue, which stays so until that CPU is back and the host begins a new one. A suspend that
 * is denied leaves an ITS as it was, or, if one behind it is busy, with an empty queue, too.
 *
 * Assumed, beside what queue.h assumes:
 *  - the guard passes writes of 4 or 8 bytes that are naturally aligned and in the region, with
 *    values of that size (prove_guard_abort());
 *  - its_translate_cmd() changes nothing but the devices' records (prove_cmd()).
 */

#include "queue.h"

/* Commands are posted by hypercall, not by a write. */
#ifndef BY_CALL
#define BY_CALL	0
#endif

static u64 staged[NR_CMDS][4], translated[NR_CMDS][4];
static u8 nr_reads[NR_CMDS][4];
static u32 nr_translated;
static u64 verdict_sum;

u64 mem_read_once(const volatile void *from, size_t size)
{
	u64 offset = (unsigned long)from - HOST_MEM, val = nondet_u64();
	u32 slot = offset / CMD_SIZE % NR_CMDS, i = offset / 8 % 4;

	if (from == &its_suspending)
		return (u64)its_suspending;

	prove(size == 8 && offset % 8 == 0 && offset < NR_CMDS * CMD_SIZE,
	      "staging memory is read within the queue, and nothing else");
	prove(!nr_reads[slot][i], "each doubleword is read once");
	nr_reads[slot][i] = 1;

	return staged[slot][i] = val;
}

/* By cmd.c */
enum pkvm_its_verdict its_translate_cmd(struct hyp_its *its, const u64 *in, u64 *out)
{
	enum pkvm_its_verdict verdict = nondet_u8();
	unsigned int i;

	assume(verdict < PKVM_ITS_NR_VERDICTS);
	prove(in[0] == staged[next(its)][0] && in[1] == staged[next(its)][1] &&
	      in[2] == staged[next(its)][2] && in[3] == staged[next(its)][3],
	      "what is checked is the host's command for this slot");
	prove(!out[0] && !out[1] && !out[2] && !out[3], "the command for the hardware is zeroed");
	prove(its->lock.held, "the lock is held");

	for (i = 0; i < 4; i++)
		out[i] = nondet_u64();

	translated[next(its)][0] = verdict ? 0x05 : out[0];
	translated[next(its)][1] = verdict ? 0 : out[1];
	translated[next(its)][2] = verdict ? rdbases[0] : out[2];
	translated[next(its)][3] = verdict ? 0 : out[3];
	nr_translated++;

	return verdict;
}

int __pkvm_host_donate_hyp(u64 pfn, u64 nr_pages)
{
	prove(false, "a write takes no memory");
	return 0;
}

int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages)
{
	prove(false, "a write gives no memory back");
	return 0;
}

void *hyp_phys_to_virt(phys_addr_t phys)
{
	prove(false, "a write looks at no other memory");
	return NULL;
}

void kvm_flush_dcache_to_poc(void *addr, size_t size)
{
	prove(__CPROVER_same_object(addr, committed) && size == CMD_SIZE,
	      "slots are cleaned, and nothing else");
}

void prove_cwriter(void)
{
	u64 offset = GITS_CWRITER, val = nondet_u64(), end;
	unsigned int size = nondet_bool() ? 4 : 8, i = nondet_u8() % 4;
	bool ignored;
	u32 slot = nondet_u8() % NR_CMDS, nr;

	any_its();
	if (BY_CALL)
		val &= GENMASK(31, 0);
	if (size == 4) {
		offset += 4 * (!BY_CALL && nondet_bool());
		assume(val <= GENMASK(31, 0));
	}
	end = val / CMD_SIZE;

	if (BY_CALL) {
		ignored = __pkvm_its_post(0, val);
	} else {
		its_guard_write(&its, offset, val, size);
		ignored = nr_ignored(&its) != nr_ignored(&its_was);
	}

	reach(nr_translated == 3);
	reach(nr_translated == 1 && hw.ahead == 2 && its.nr_done != its_was.nr_done);
	reach(its.nr_done != its_was.nr_done && its.nr_synced == its_was.nr_synced);
	reach(its.nr_synced == its_was.nr_committed - 1);
	reach(ignored && end == 1 && its.active && !its.suspended);
	reach(!nr_translated && hw.nr_cwriter);

	check_queue(slot);
	nr = nr_translated;
#ifndef BROKEN
	prove(!is_pending(slot) || dword(committed, slot, i) == dword(committed_was, slot, i),
	      "no slot is written before the hardware has executed it");
#endif
	prove(nr < NR_CMDS && its.nr_committed == its_was.nr_committed + nr,
	      "each command is committed, and numbered");
	prove(distance(next(&its_was), slot) >= nr ||
	      dword(committed, slot, i) == translated[slot][i],
	      "what is committed is what was checked, or a SYNC");
	prove(its.lost_from == its_was.lost_from && its.lost_to == its_was.lost_to &&
	      its.suspended == its_was.suspended, "nothing gets lost");
	prove(!hw.nr_ctlr && !hw.nr_cbaser && !hw.nr_baser, "no other register is written");

	prove(nr_ignored(&its) == nr_ignored(&its_was) + (ignored && !BY_CALL),
	      "a write counts once");
	if (ignored) {
		prove(!nr && !hw.nr_cwriter, "what is ignored commits nothing");
#ifndef BROKEN
		prove(!its.active || its.suspended || offset != GITS_CWRITER || end >= NR_CMDS ||
		      val % CMD_SIZE || !hw.on ||
		      nr_pending(&its_was) - hw.ahead +
		      distance(next(&its_was), end) >= NR_CMDS,
		      "what is well-formed and overtakes nothing is not ignored");
#endif
	} else {
		prove(its.active && !its.suspended && offset == GITS_CWRITER && end < NR_CMDS,
		      "what is not well-formed is ignored");
		prove(next(&its) == end && hw.nr_cwriter == 1 && hw.cwriter == end * CMD_SIZE,
		      "GITS_CWRITER is written once, with what the host wants");
	}
}

/* The next command goes to slot 0, and has a number that none had. */
static bool begins_anew(void)
{
	return !nr_pending(&its) && !next(&its) && its.nr_committed >= its_was.nr_committed &&
	       its.nr_committed - its_was.nr_committed < NR_CMDS;
}

void prove_registers(void)
{
	u64 offset = nondet_u64(), val = nondet_u64(), nr = nondet_u64(), committed_ctlr;
	unsigned int size = nondet_bool() ? 4 : 8, i = nondet_u8() % 4;
	u32 slot = nondet_u8() % NR_CMDS;
	bool was_lost, was_pending;

	any_its();
	assume(offset < SZ_64K && offset % size == 0 && ALIGN_DOWN(offset, 8) != GITS_CWRITER);
	assume(size == 8 || val <= GENMASK(31, 0));
	hw.bases_read_well = true;
	was_lost = nr >= its.lost_from && nr < its.lost_to;
	was_pending = nr < its.nr_committed && nr >= its.nr_done;

	its_guard_write(&its, offset, val, size);

	reach(hw.nr_cbaser && its.lost_to == its_was.nr_committed && its_was.lost_to &&
	      its_was.lost_to < its_was.nr_synced);
	reach(hw.nr_cbaser && its_was.suspended && offset == GITS_CBASER + 4);
	reach(hw.nr_ctlr && !(val & GITS_CTLR_ENABLE) && its.nr_done != its_was.nr_done);
	reach(hw.nr_ctlr && (hw.ctlr & GITS_CTLR_ENABLE) && !(hw.first_ctlr & GITS_CTLR_ENABLE));
	reach(hw.nr_baser && size == 4);
	reach(nr_ignored(&its) != nr_ignored(&its_was) && offset == GITS_CTLR && its.active);

	check_queue(slot);
	prove(!nr_translated, "only GITS_CWRITER commits commands");
	prove(hw.nr_ctlr + hw.nr_cbaser + hw.nr_baser <= 1 && hw.nr_cwriter == hw.nr_cbaser,
	      "a write is one write, and that of GITS_CBASER begins a new queue");
	prove(nr_ignored(&its) == nr_ignored(&its_was) +
				    !(hw.nr_ctlr + hw.nr_cbaser + hw.nr_baser),
	      "what has no effect is counted");
	prove(its_suspending == suspending_was, "the host ends no suspend");
	prove(its.active || (!hw.nr_ctlr && !hw.nr_cbaser && !hw.nr_baser),
	      "an ITS that is not active is left alone");

	if (hw.nr_cbaser) {
		prove(ALIGN_DOWN(offset, 8) == GITS_CBASER && !suspending_was,
		      "GITS_CBASER is the host's, but for a suspend");
		prove(its_was.suspended || hw.read_cbaser == its.cbaser,
		      "an ITS that has lost power unannounced stays off");
		prove(!hw.cwriter && begins_anew() && !its.suspended,
		      "the queue begins anew, with no command");
		prove(is_scrubbed(slot), "each slot holds a SYNC");
		prove(!was_lost || its_may_be_lost(&its, nr), "what is lost stays so");
		prove(!was_pending || its_may_be_lost(&its, nr),
		      "what may not have been executed is lost");
		prove(was_pending || its_was.lost_to || !its_may_be_lost(&its, nr),
		      "... and nothing else, the first time");
		prove(nr_pending(&its_was) || was_lost || !its_may_be_lost(&its, nr),
		      "nothing is lost if all had been executed");
		return;
	}

	prove(its.lost_from == its_was.lost_from && its.lost_to == its_was.lost_to &&
	      its.suspended == its_was.suspended, "nothing else loses commands");
	prove(its.nr_committed == its_was.nr_committed, "nothing else moves the write pointer");
#ifndef BROKEN
	prove(!is_pending(slot) || dword(committed, slot, i) == dword(committed_was, slot, i),
	      "no slot is written before the hardware has executed it");
#endif

	if (hw.nr_baser)
		prove(ALIGN_DOWN(offset, 64) == GITS_BASER, "GITS_BASER<n> is the host's");
	if (!hw.nr_ctlr)
		return;

	committed_ctlr = its.ctlr;
	prove(offset == GITS_CTLR && size == 4, "GITS_CTLR is the host's");
	/* Enabled, ImDe and the number of the ITS (IHI 0069, GITS_CTLR) */
	prove(!((hw.ctlr ^ hw.first_ctlr) & ~0xf3ULL), "other bits of GITS_CTLR stay");
	prove((hw.ctlr & 0xf0) == (committed_ctlr & 0xf0),
	      "the number of the ITS is the committed one");
	prove(!(hw.ctlr & 2) || ((committed_ctlr & 2) && (val & 2)),
	      "ImDe takes a driver that has used it");
	prove((hw.ctlr & 1) == (val & 1), "Enabled is the host's");
#ifndef BROKEN
	prove(!hw.on || its_was.nr_done + hw.ahead == its.nr_done,
	      "what has been executed is known before the ITS is disabled");
#endif
	if ((hw.ctlr & 1) && !(hw.first_ctlr & 1)) {
		prove(!its.suspended, "no ITS is enabled in a suspend");
		prove(is_read_as_quiescent(), "... before it is quiescent");
		prove(hw.read_cbaser == its.cbaser && hw.bases_read_well &&
		      hw.nr_bases_read == GITS_BASER_NR_REGS, "... without the committed bases");
		prove((hw.read_creadr & GENMASK_ULL(19, 5)) == done(&its) * CMD_SIZE &&
		      (hw.read_cwriter & GENMASK_ULL(19, 5)) == next(&its) * CMD_SIZE,
		      "... with other pointers than EL2's");
	}
}

/* A CPU suspends the system, and then that or another one comes back, or it is denied. */
void prove_suspend(void)
{
	void *by = &cpus[0], *back = &cpus[nondet_bool()], *whose;
	u32 slot = nondet_u8() % NR_CMDS;
	bool ret;

	any_its();
	nr_itss = 1 + nondet_bool();
	its_id = nondet_u8() % nr_itss;

	ret = pkvm_its_suspend(by);
	whose = ret ? by : suspending_was;

	reach(ret && its.lost_to == its_was.nr_committed && its.active);
	reach(!ret && nr_itss == 1 && !suspending_was);
	reach(!ret && hw.nr_cbaser);
	reach(!ret && suspending_was == by);
	reach(ret && !its.active);

	check_queue(slot);
	prove(!ret || (!suspending_was && nr_itss == 1), "one at a time, with all ITSs idle");
	prove(its_suspending == whose, "a suspend that is denied is undone");
	prove(ret || suspending_was || nr_itss == 2 || its.active,
	      "what EL2 has not got keeps no system from being suspended");
	prove(!hw.nr_ctlr && !hw.nr_baser, "no other register is written");

	/* One that is denied leaves ITSs before the one that is busy with an empty queue, too. */
	if (hw.nr_cbaser) {
		prove(its.active && !suspending_was && !its_id, "an ITS gets a new queue");
		prove(its_was.suspended || hw.read_cbaser == its.cbaser,
		      "... unless it has lost power unannounced");
		prove(its.suspended && begins_anew() && is_scrubbed(slot) && !hw.cwriter,
		      "what is left behind is an empty queue of SYNCs");
	} else {
		prove(!ret || !its.active, "... and so is that of each ITS");
		prove(its.nr_committed == its_was.nr_committed && its.nr_done == its_was.nr_done &&
		      its.lost_from == its_was.lost_from && its.lost_to == its_was.lost_to &&
		      its.suspended == its_was.suspended && !hw.nr_cwriter,
		      "nothing else changes");
	}

	pkvm_its_resume(back);
	prove(its_suspending == (whose == back ? NULL : whose), "a CPU ends its own suspend alone");
	prove(hw.nr_cbaser ? its.suspended : its.suspended == its_was.suspended,
	      "the queue stays empty until the host begins a new one");
}

/* The first state that there is, from whatever the driver has left in the queue */
void prove_start(void)
{
	u32 slot = nondet_u8() % NR_CMDS, first = nondet_u8() % NR_CMDS;

	any_its();
	for (u32 i = 0; i < NR_CMDS; i++)
		committed[i] = nondet_block();
	its.nr_synced = 0;
	its.lost_from = 0;
	its.lost_to = 0;
	its.suspended = false;

	its_start_queue(&its, first);

	reach(first == NR_CMDS - 1 && slot == 0);

	prove(queue_holds(), "the invariant of the queue");
	prove(next(&its) == first, "the first command goes where the driver is");
	prove(slot == first || distance(done(&its), slot) < nr_pending(&its),
	      "what the driver has left counts as pending");
}
