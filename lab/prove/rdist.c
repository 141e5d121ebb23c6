// SPDX-License-Identifier: GPL-2.0-only
/*
 * rdist.c: any write of the host to the guarded frames of a row of redistributors, with registers
 * that read as anything.
 *
 * Proved: only GICR_WAKER, GICR_SETLPIR, GICR_CLRLPIR, GICR_INVLPIR and GICR_INVALLR of a
 * redistributor of the row that is there are written; of GICR_WAKER, only the bit that is the
 * host's changes; LPIs are named within the property table, virtual ones only of a vPE that
 * vpe_ask() has found; a write that has no effect changes nothing but counters, each of which is
 * raised by one.
 *
 * Assumed, and why that holds:
 *  - the guard passes writes of 4 or 8 bytes that are naturally aligned and in the region
 *    (host_guarded_mmio_abort());
 *  - IDbits of what is committed is 13 to 23 (rdists_pin_prop_table(), rdists_adopt_pending());
 *  - redistributors are 128K or 256K apart, by STRIDE, and there are 3 of them. The code divides
 *    by that distance, and has no loop.
 */

/* No memory changes hands here. */
#include <rdist.c>

#include "prove.h"

PROVE_NO_WARN
PROVE_NOSPEC

#ifndef STRIDE
#define STRIDE		SZ_128K
#endif
#define NR_RDISTS	3
#define MMIO_BASE	0x10000000UL

struct hyp_rdist nondet_rdist(void);

static struct hyp_rdist row[NR_RDISTS];
static u32 nr_written, written_to;
static u64 written_reg, written_val, written_size;
/* What was read last */
static u32 read_waker;
/* What was asked about last, and whether it was there */
static u64 asked_vpeid;
static bool vpe_at;

bool vpe_has_answered(struct hyp_rdist *rdist)
{
	return nondet_bool();
}

bool vpe_ask(struct hyp_rdist *rdist, u64 vpeid)
{
	asked_vpeid = vpeid;

	return vpe_at = nondet_bool();
}

u64 mem_read_once(const volatile void *from, size_t size)
{
	prove(false, "a write reads no memory of the host");
	return 0;
}

u64 its_mmio_read(const volatile void *addr, unsigned int size)
{
	u64 offset = (unsigned long)addr - MMIO_BASE, val = nondet_u64();

	prove(offset < NR_RDISTS * STRIDE && row[offset / STRIDE].base,
	      "no register is read of a redistributor that is not there");

	switch (offset % STRIDE) {
	case GICR_CTLR:
		return val;
	case GICR_WAKER:
		return read_waker = val;
	default:
		prove(false, "no other register is read");
		return val;
	}
}

void its_mmio_write(volatile void *addr, u64 val, unsigned int size)
{
	u64 offset = (unsigned long)addr - MMIO_BASE;

	prove(offset < NR_RDISTS * STRIDE, "what is written is a register of the row");
	nr_written++;
	written_to = offset / STRIDE;
	written_reg = offset % STRIDE;
	written_val = val;
	written_size = size;
}

/* V=1, with the number of a vPE that is mapped to the redistributor */
static bool names_vpe(u64 val)
{
	return vpe_at && val >> 32 == (GICR_INVLPIR_V >> 32 | asked_vpeid) &&
	       asked_vpeid <= GENMASK(15, 0);
}

void prove_rdist_write(void)
{
	u64 offset = nondet_u64(), val = nondet_u64(), nr_ids;
	unsigned int size = nondet_bool() ? 4 : 8, i, other = nondet_u32();
	struct hyp_rdist was, *rdist;

	for (i = 0; i < NR_RDISTS; i++) {
		row[i] = nondet_rdist();
		row[i].lock.held = false;
		row[i].phys = 0x80000000UL + i * STRIDE;
		row[i].base = nondet_bool() ? (void __iomem *)(MMIO_BASE + i * STRIDE) : NULL;
		assume(row[i].base || !row[i].lpis);
		assume((row[i].propbaser & GICR_PROPBASER_IDBITS_MASK) >= 13 &&
		       (row[i].propbaser & GICR_PROPBASER_IDBITS_MASK) <= 23);
	}
	row[0].stride = STRIDE;
	row[0].nr_row = nondet_u32();
	assume(row[0].nr_row >= 1 && row[0].nr_row <= NR_RDISTS);
	/* The region may go on behind the last one. */
	assume(offset < 8 * STRIDE && offset % size == 0);
	assume(other < NR_RDISTS);
	was = row[other];

	rdists_guard_write(&row[0], offset, val, size);

	rdist = &row[offset / STRIDE < row[0].nr_row ? offset / STRIDE : 0];

	reach(nr_written && written_to == 2 && written_reg == GICR_WAKER);
	reach(nr_written && written_reg == GICR_INVLPIR);
	reach(nr_written && written_reg == GICR_INVALLR && written_val);
	reach(!nr_written && offset / STRIDE == 4);

	prove(nr_written <= 1, "a write of the host is one write at most");
	prove(!row[0].lock.held && !row[1].lock.held && !row[2].lock.held, "the lock is released");
	prove(row[other].lpis == was.lpis && row[other].propbaser == was.propbaser &&
	      row[other].pendbaser == was.pendbaser && row[other].base == was.base &&
	      row[other].phys == was.phys && row[other].nr_row == was.nr_row &&
	      row[other].stride == was.stride && row[other].typer == was.typer,
	      "what is committed does not change");
	if (&row[other] == rdist)
		prove(rdist->nr_writes == was.nr_writes + 1 &&
		      rdist->nr_ignored == was.nr_ignored + !nr_written, "a write is counted");
	else
		prove(row[other].nr_writes == was.nr_writes &&
		      row[other].nr_ignored == was.nr_ignored, "... with its redistributor alone");

	if (!nr_written)
		return;

	prove(offset / STRIDE < row[0].nr_row && written_to == offset / STRIDE && rdist->base &&
	      offset % STRIDE < SZ_64K, "only RD_base of a redistributor of the row is written");
	prove(written_reg == offset % STRIDE || written_reg + 4 == offset % STRIDE,
	      "the register is the host's");

	nr_ids = BIT_ULL((rdist->propbaser & GICR_PROPBASER_IDBITS_MASK) + 1);
	switch (written_reg) {
	case GICR_WAKER:
		prove(written_size == 4 &&
		      !((written_val ^ read_waker) & ~GICR_WAKER_ProcessorSleep),
		      "of GICR_WAKER, only ProcessorSleep changes");
		break;
	case GICR_SETLPIR:
	case GICR_CLRLPIR:
		prove(rdist->typer & GICR_TYPER_DirectLPIS, "GICR_SETLPIR takes direct LPIs");
		prove(!(written_val >> 32), "... that are physical");
		fallthrough;
	case GICR_INVLPIR:
		prove(rdist->lpis && (u32)written_val >= 8192 && (u32)written_val < nr_ids,
		      "the INTID is an LPI within the property table");
		prove(names_vpe(written_val) || !(written_val >> 32),
		      "... and virtual only if it is of a vPE that is there");
		break;
	case GICR_INVALLR:
		prove(rdist->lpis && !(u32)written_val && (names_vpe(written_val) || !written_val),
		      "GICR_INVALLR invalidates physical LPIs, or those of a vPE that is there");
		break;
	default:
		prove(false, "no other register is written");
	}
}
