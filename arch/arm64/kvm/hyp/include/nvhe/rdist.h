/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Confinement of GICv3 redistributors: EL2 owns the LPI pending tables, and the
 * registers that hold their addresses.
 */
#ifndef __ARM64_KVM_NVHE_RDIST_H__
#define __ARM64_KVM_NVHE_RDIST_H__

#include <linux/irqchip/arm-gic-v3.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <nvhe/spinlock.h>

/* IHI 0069, GIC memory-mapped registers: the frames of a redistributor, 64K each */
#define RDIST_SGI_BASE		SZ_64K
#define RDIST_VLPI_BASE		SZ_128K

struct hyp_vpe;

/**
 * struct hyp_rdist - a confined redistributor
 * @lock:	serialises writes to the registers. Only hyp_vpe::lock is taken while it is held
 * @nr_row:	number of redistributors in the guarded region that begins with this one
 * @lpis:	LPIs were enabled at the hand-over. If not, they stay disabled for ever
 * @phys:	physical address of RD_base
 * @base:	EL2's mapping of it, NULL if there is no redistributor here, or none whose
 *		registers can be read. Its frames are guarded, and every write is ignored
 * @end:	physical address at which its frames end, or, of the last one of a region
 *		that is not for a single redistributor, the region
 * @stride:	bytes to the next redistributor of the region that firmware describes
 * @typer:	value of GICR_TYPER
 * @propbaser:	GICR_PROPBASER at the hand-over
 * @pendbaser:	GICR_PENDBASER at the hand-over
 * @vpropbaser:	GICv4.0: what the host has written last to GICR_VPROPBASER. GICv4.1: its
 *		committed value or, if !@vpe_table, what it was before EL2 cleared Valid
 * @vpe_table:	GICv4.1: @vpropbaser has the table of vPEs of an ITS
 * @vpe:	the vPE that was resident here last, and that the virtual LPI frame still has
 *		the address of, or the vPEID; or NULL
 * @asked:	GICv4.1: the vPE of the last write to GICR_INVLPIR, GICR_INVALLR or GICR_VSGIR,
 *		until the redistributor is seen not to be Busy; or NULL
 * @nr_writes:	writes that trapped
 * @nr_ignored:	those, and loads of vPEs, without effect
 */
struct hyp_rdist {
	hyp_spinlock_t	lock;
	u32		nr_row;
	bool		lpis;
	u64		phys;
	void __iomem	*base;
	u64		end;
	u64		stride;
	u64		typer;
	u64		propbaser;
	u64		pendbaser;
	u64		vpropbaser;
	bool		vpe_table;
	struct hyp_vpe	*vpe;
	struct hyp_vpe	*asked;
	u64		nr_writes;
	u64		nr_ignored;
};

int __pkvm_rdists_register(u64 pfn, u64 nr_pages);
u64 __pkvm_rdists_stat(u32 nr);

struct hyp_rdist *hyp_rdist_get(u32 nr);
struct hyp_rdist *hyp_rdist_local(void);
bool rdists_drive(phys_addr_t phys, u64 size);
bool rdists_support_vpes(bool v4_1);

/* GICR_TYPER.RVPEID: GICR_VPENDBASER has a vPEID, and GICR_VPROPBASER the table of vPEs. */
static inline bool rdist_is_v4_1(const struct hyp_rdist *rdist)
{
	return rdist->typer & GICR_TYPER_RVPEID;
}

/* The redistributor as commands of an ITS with this GITS_TYPER name it, in bits [51:16] */
static inline u64 rdist_rdbase(const struct hyp_rdist *rdist, u64 its_typer)
{
	if (its_typer & GITS_TYPER_PTA)
		return rdist->phys;

	return (u64)GICR_TYPER_CPU_NUMBER(rdist->typer) << 16;
}

#endif /* __ARM64_KVM_NVHE_RDIST_H__ */
