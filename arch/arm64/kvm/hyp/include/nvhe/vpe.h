/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Confinement of GICv4 virtual LPIs: EL2 owns the virtual pending tables, and knows where
 * each vPE is mapped and resident.
 */
#ifndef __ARM64_KVM_NVHE_VPE_H__
#define __ARM64_KVM_NVHE_VPE_H__

#include <linux/types.h>

#include <asm/kvm_pkvm_its.h>

#include <nvhe/its.h>
#include <nvhe/rdist.h>
#include <nvhe/spinlock.h>

enum hyp_vpe_state {
	HYP_VPE_UNUSED,		/* never mapped */
	HYP_VPE_MAPPED,		/* by VMAPP(V=1) */
	HYP_VPE_UNMAPPED,	/* by VMAPP(V=0), which may not have been executed */
	HYP_VPE_SYNCED,		/* likewise, with a VSYNC behind it, or none needed */
};

/**
 * struct hyp_vpe_map - a vPE on one ITS
 * @state:	what commands the vPE is open to
 * @rdbase:	the redistributor that it is mapped to, as in commands
 * @at:		number of the last VMAPP or VMOVP, or of the VSYNC behind the VMAPP that unmapped
 *		it; 0 if there was none, or the vPE is mapped and that has been executed
 */
struct hyp_vpe_map {
	enum hyp_vpe_state	state;
	u64			rdbase;
	u64			at;
};

/**
 * struct hyp_vpe - the record of a vPE, in the memory behind its virtual pending table
 * @lock:	protects what changes while the vPE is registered. Taken under hyp_its::lock or
 *		hyp_rdist::lock; no other lock is taken while it is held
 * @vpt:	physical address of the virtual pending table
 * @vprop:	physical address of the virtual property table, which is pinned
 * @bits:	number of vINTID bits that both tables cover
 * @next:	the next vPE with the same hash of @vpt
 * @rdist:	the redistributor that the vPE was made resident on last, or NULL
 * @resident:	the redistributor where GICR_VPENDBASER.Valid is set, or NULL
 * @idai:	GICv4.0: the next redistributor has to set GICR_VPENDBASER.IDAI
 * @maps:	the vPE on each ITS, by the ID of the ITS
 */
struct hyp_vpe {
	hyp_spinlock_t		lock;
	phys_addr_t		vpt;
	phys_addr_t		vprop;
	u32			bits;
	struct hyp_vpe		*next;
	struct hyp_rdist	*rdist;
	struct hyp_rdist	*resident;
	bool			idai;
	struct hyp_vpe_map	maps[PKVM_ITS_MAX];
};

static_assert(sizeof(struct hyp_vpe) <= ITS_STAGING_VPE_RECORD_SIZE);

#define HYP_VPES_MAX		BIT(16)
#define HYP_VPE_HASHES		BIT(12)

/**
 * struct hyp_vpes - the vPEs that are registered
 * @lock:	serialises changes. Taken before all other locks
 * @held_pages:	number of pages of virtual pending tables
 * @by_id:	the vPEs by vPEID. Read under the lock of any ITS or redistributor
 * @by_vpt:	the vPEs by a hash of the address of the virtual pending table. Likewise
 */
struct hyp_vpes {
	hyp_spinlock_t	lock;
	u64		held_pages;
	struct hyp_vpe	*by_id[HYP_VPES_MAX];
	struct hyp_vpe	*by_vpt[HYP_VPE_HASHES];
};

/**
 * vpe_map_is_settled - check that an ITS has executed the last VMAPP or VMOVP of a vPE
 * @map: the vPE on that ITS
 * @its: the ITS
 *
 * What has been seen is kept: it can't be lost with a queue any more.
 *
 * Context: hyp_vpe::lock held.
 * Return: true if it has, or there was none.
 */
static inline bool vpe_map_is_settled(struct hyp_vpe_map *map, const struct hyp_its *its)
{
	if (!map->at)
		return true;

	if (!its_has_executed(its, map->at))
		return false;

	if (map->state == HYP_VPE_MAPPED)
		map->at = 0;

	return true;
}

/* Hypercalls of a host that is not trusted */
int __pkvm_vpe_prepare(u64 vpeid, phys_addr_t vpt, phys_addr_t vprop);
int __pkvm_vpe_reclaim(u64 vpeid);
int __pkvm_vpe_is_pending(u64 vpeid, u32 vintid);

void vpes_init(struct hyp_vpes *vpes);
bool vpes_are_supported(void);
u32 vpes_intid_bits(void);
struct hyp_vpe *vpe_get(u64 vpeid);
bool vpe_has_left(struct hyp_vpe *vpe);
bool vpe_has_answered(struct hyp_rdist *rdist);
bool vpe_ask(struct hyp_rdist *rdist, u64 vpeid);
bool vpe_write_vlpi(struct hyp_rdist *rdist, u64 reg, u64 val);
bool vpe_write_vsgir(struct hyp_rdist *rdist, u32 val);
void vpe_load_local(u64 vpropbaser, u64 vpendbaser);
void vpe_put_local(void);
u64 vpes_held_pages(void);

#endif /* __ARM64_KVM_NVHE_VPE_H__ */
