// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confinement of GICv4 virtual LPIs: vPEs and where they are resident.
 *
 * The ITS and the redistributor write to the virtual pending table of a vPE, and read the
 * virtual property table, which all vPEs of a VM share. __pkvm_vpe_prepare() takes the
 * former from the host, pins the latter, and makes a record of the vPE, which commands
 * (its-cmd.c) and writes to GICR_VPENDBASER refer to. __pkvm_vpe_reclaim() gives all of it
 * back when no ITS has the vPE mapped and no redistributor has its address.
 *
 * A GICv4.0 redistributor is given the addresses of both tables. One of GICv4.1 is given a
 * vPEID, and finds the tables by what VMAPP has put into the table of vPEs, which it shares
 * with an ITS.
 *
 * Records are found without hyp_vpes::lock, but only under the lock of an ITS or of a
 * redistributor. Reclaim first makes a record impossible to find, and then takes each of
 * these locks before the memory goes: no pointer to it is left.
 */

#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/irqchip/arm-gic-v3.h>
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include <asm/arch_gicv3.h>
#include <asm/kvm_mmu.h>

#include <nvhe/its.h>
#include <nvhe/mem_protect.h>
#include <nvhe/memory.h>
#include <nvhe/rdist.h>
#include <nvhe/vpe.h>

#define VPE_FIRST_LPI		8192

/* More vPEs than any VM has: keeps the count of a page's users from overflowing */
#define VPE_MAX_PINS		1024

/* What the host decides about in the two registers, beside Valid: attributes, mostly */
#define VPROPBASER_ATTRS	(GICR_VPROPBASER_SHAREABILITY_MASK |			\
				 GICR_VPROPBASER_INNER_CACHEABILITY_MASK |		\
				 GICR_VPROPBASER_OUTER_CACHEABILITY_MASK)
#define VPENDBASER_ATTRS	(GICR_VPENDBASER_SHAREABILITY_MASK |			\
				 GICR_VPENDBASER_INNER_CACHEABILITY_MASK |		\
				 GICR_VPENDBASER_OUTER_CACHEABILITY_MASK |		\
				 GICR_VPENDBASER_PendingLast | GICR_VPENDBASER_IDAI)

#define SYNCR_BUSY		BIT(0)

#define VPENDBASER_4_1_GROUPS	(GICR_VPENDBASER_4_1_VGRP0EN | GICR_VPENDBASER_4_1_VGRP1EN)

#define VPROPBASER_WHERE	(GENMASK_ULL(51, 12) | GICR_VPROPBASER_IDBITS_MASK)
#define VPROPBASER_4_1_WHERE	(GICR_VPROPBASER_4_1_VALID | GICR_VPROPBASER_4_1_INDIRECT |	\
				 GICR_VPROPBASER_4_1_PAGE_SIZE | GICR_VPROPBASER_4_1_ADDR |	\
				 GICR_VPROPBASER_4_1_SIZE)
#define VPENDBASER_ADDRESS	GENMASK_ULL(51, 16)

/* NULL if there are no virtual LPIs. Changes only before the host is deprivileged. */
static struct hyp_vpes *hyp_vpes;

/**
 * vpes_init - get ready for vPEs
 * @vpes: memory for their registry, or NULL to do without
 *
 * Context: the host is not deprivileged yet.
 */
void vpes_init(struct hyp_vpes *vpes)
{
	if (vpes) {
		memset(vpes, 0, sizeof(*vpes));
		hyp_spin_lock_init(&vpes->lock);
	}

	hyp_vpes = vpes;
}

/**
 * vpes_are_supported - check whether there can be vPEs
 *
 * Return: true if the host has given memory for their registry.
 */
bool vpes_are_supported(void)
{
	return hyp_vpes;
}

/**
 * vpe_get - find a vPE
 * @vpeid: its number, from the host
 *
 * Context: the lock of an ITS or redistributor held.
 * Return: its record, NULL if there is none.
 */
struct hyp_vpe *vpe_get(u64 vpeid)
{
	if (!hyp_vpes || vpeid >= HYP_VPES_MAX)
		return NULL;

	return READ_ONCE(hyp_vpes->by_id[array_index_nospec(vpeid, HYP_VPES_MAX)]);
}

/* Hostile addresses can't make a chain longer than memory has multiples of 256 MiB. */
static struct hyp_vpe **vpe_chain(phys_addr_t vpt)
{
	return &hyp_vpes->by_vpt[vpt / SZ_64K % HYP_VPE_HASHES];
}

static struct hyp_vpe *vpe_find(phys_addr_t vpt)
{
	struct hyp_vpe *vpe = READ_ONCE(*vpe_chain(vpt));

	while (vpe && vpe->vpt != vpt)
		vpe = READ_ONCE(vpe->next);

	return vpe;
}

static void vpe_link(u64 vpeid, struct hyp_vpe *vpe)
{
	struct hyp_vpe **chain = vpe_chain(vpe->vpt);

	vpe->next = *chain;

	/* The record is complete before it can be found. */
	smp_wmb();
	WRITE_ONCE(*chain, vpe);
	WRITE_ONCE(hyp_vpes->by_id[vpeid], vpe);
}

static void vpe_unlink(u64 vpeid, struct hyp_vpe *vpe)
{
	struct hyp_vpe **link = vpe_chain(vpe->vpt);

	while (*link != vpe)
		link = &(*link)->next;

	WRITE_ONCE(*link, vpe->next);
	WRITE_ONCE(hyp_vpes->by_id[vpeid], NULL);
}

/**
 * vpes_intid_bits - find out how many bits a vINTID has
 *
 * All ITSs and all redistributors must agree about what a vPE is. A VMOVP moves one everywhere,
 * or on each ITS by a command of its own.
 *
 * Context: any, once the ITSs are active.
 * Return: their number, 0 if this machine can have no vPEs.
 */
u32 vpes_intid_bits(void)
{
	struct hyp_its *its;
	u32 id, bits = 0;
	u64 typer = 0;

	if (!hyp_vpes)
		return 0;

	for (id = 0; (its = hyp_its_get(id)); id++) {
		if (!its->active || !its->vpes)
			continue;

		/*
		 * These ITSs wait for each other to get a VMOVP. It is refused to the second
		 * until the first has executed it: see vpe_is_pending_elsewhere().
		 */
		if (its_is_v4_1(its) && !(its->typer & GITS_TYPER_VMOVP))
			return 0;

		if (!rdists_support_vpes(its_is_v4_1(its)) ||
		    (bits && (bits != its->lpi_bits || (typer ^ its->typer) & GITS_TYPER_VMOVP)))
			return 0;

		bits = its->lpi_bits;
		typer = its->typer;
	}

	return bits;
}

/* Can all that will use a vPE address its tables? */
static bool vpe_is_in_reach(phys_addr_t vpt, phys_addr_t vprop, u32 bits)
{
	struct hyp_its *its;
	u32 id;

	for (id = 0; (its = hyp_its_get(id)); id++) {
		if (!its->active || !its->vpes)
			continue;

		if (!its_drives(its, vpt, its_staging_vpt_size(bits)) ||
		    (its_is_v4_1(its) && !its_drives(its, vprop, BIT(bits))))
			return false;
	}

	return rdists_drive(vpt, its_staging_vpt_size(bits)) && rdists_drive(vprop, BIT(bits));
}

/* The rows of the tables of vPEs stay with EL2, whatever becomes of the vPE. */
static int vpe_take_level2(u64 vpeid)
{
	struct hyp_its *its;
	u32 id;
	int ret;

	for (id = 0; (its = hyp_its_get(id)); id++) {
		if (!its->active || !its->vpes)
			continue;

		ret = its_prepare_vpe(its, vpeid);
		if (ret)
			return ret;
	}

	return 0;
}

static u64 vprop_size(u32 bits)
{
	return ALIGN(BIT(bits) - VPE_FIRST_LPI, PAGE_SIZE);
}

static void vpe_unpin_vprop(phys_addr_t vprop, u32 bits)
{
	void *virt = hyp_phys_to_virt(vprop);

	hyp_unpin_shared_mem(virt, virt + vprop_size(bits));
}

/* The host has shared the table. Each vPE of the VM pins it once more. */
static int vpe_pin_vprop(phys_addr_t vprop, u32 bits)
{
	void *virt = hyp_phys_to_virt(vprop);
	u64 pos;
	int ret;

	ret = hyp_pin_shared_mem(virt, virt + vprop_size(bits));
	if (ret)
		return ret;

	for (pos = 0; pos < vprop_size(bits); pos += PAGE_SIZE) {
		if (hyp_page_count(virt + pos) > VPE_MAX_PINS) {
			vpe_unpin_vprop(vprop, bits);
			return -ENOSPC;
		}
	}

	return 0;
}

static void vpe_take_vpt(u64 vpeid, phys_addr_t vpt, phys_addr_t vprop, u32 bits)
{
	void *virt = hyp_phys_to_virt(vpt);
	struct hyp_vpe *vpe = virt + BIT(bits) / BITS_PER_BYTE;

	/* The GIC trusts what it finds. Attributes are the host's business. */
	memset(virt, 0, its_staging_vpt_size(bits));
	kvm_flush_dcache_to_poc(virt, its_staging_vpt_size(bits));

	hyp_spin_lock_init(&vpe->lock);
	vpe->vpt = vpt;
	vpe->vprop = vprop;
	vpe->bits = bits;
	vpe_link(vpeid, vpe);
	hyp_vpes->held_pages += its_staging_vpt_size(bits) >> PAGE_SHIFT;
}

static void vpe_return_vpt(struct hyp_vpe *vpe)
{
	u64 nr_pages = its_staging_vpt_size(vpe->bits) >> PAGE_SHIFT;
	u64 pfn = hyp_phys_to_pfn(vpe->vpt);

	vpe_unpin_vprop(vpe->vprop, vpe->bits);
	memset(vpe, 0, sizeof(*vpe));
	WARN_ON(__pkvm_hyp_donate_host(pfn, nr_pages));
	hyp_vpes->held_pages -= nr_pages;
}

/**
 * __pkvm_vpe_prepare - take the memory that a vPE needs to be mapped
 * @vpeid: vPEID, from the host
 * @vpt: physical address of memory for the virtual pending table, of its_staging_vpt_size()
 *	 bytes, from the host
 * @vprop: physical address of the virtual property table, which the host has shared with
 *	   EL2, from the host
 *
 * Also takes the level-2 pages of the ITSs' tables of vPEs, as __pkvm_its_prepare() does.
 *
 * Context: any; takes hyp_vpes::lock.
 * Return: 0; -EBUSY if the vPE is prepared already, -EINVAL if there can't be such a vPE or
 *	   the GIC can't address such memory; or another negative error if the memory is not
 *	   the host's.
 */
int __pkvm_vpe_prepare(u64 vpeid, phys_addr_t vpt, phys_addr_t vprop)
{
	u32 bits = vpes_intid_bits();
	int ret;

	if (!bits || vpeid >= HYP_VPES_MAX || !IS_ALIGNED(vpt | vprop, SZ_64K) ||
	    !vpe_is_in_reach(vpt, vprop, bits))
		return -EINVAL;

	vpeid = array_index_nospec(vpeid, HYP_VPES_MAX);
	hyp_spin_lock(&hyp_vpes->lock);

	ret = -EBUSY;
	if (hyp_vpes->by_id[vpeid])
		goto unlock;

	ret = vpe_take_level2(vpeid);
	if (!ret)
		ret = vpe_pin_vprop(vprop, bits);
	if (ret)
		goto unlock;

	ret = __pkvm_host_donate_hyp(hyp_phys_to_pfn(vpt),
				     its_staging_vpt_size(bits) >> PAGE_SHIFT);
	if (ret)
		vpe_unpin_vprop(vprop, bits);
	else
		vpe_take_vpt(vpeid, vpt, vprop, bits);

unlock:
	hyp_spin_unlock(&hyp_vpes->lock);

	return ret;
}

/*
 * Residency. All of it with hyp_rdist::lock held.
 */

static u64 rdist_read_vpendbaser(const struct hyp_rdist *rdist)
{
	return gicr_read_vpendbaser(rdist->base + RDIST_VLPI_BASE + GICR_VPENDBASER);
}

static void rdist_write_vpendbaser(const struct hyp_rdist *rdist, u64 val)
{
	gicr_write_vpendbaser(val, rdist->base + RDIST_VLPI_BASE + GICR_VPENDBASER);
}

static void rdist_write_vpropbaser(const struct hyp_rdist *rdist, u64 val)
{
	gicr_write_vpropbaser(val, rdist->base + RDIST_VLPI_BASE + GICR_VPROPBASER);
}

/* Has it nothing of a virtual pending table in its caches? */
static bool rdist_is_clean(const struct hyp_rdist *rdist)
{
	return !(rdist_read_vpendbaser(rdist) & (GICR_VPENDBASER_Valid | GICR_VPENDBASER_Dirty));
}

/* The vPE that it had last may be resident elsewhere by now. */
static bool rdist_has_resident(const struct hyp_rdist *rdist)
{
	return rdist->vpe && READ_ONCE(rdist->vpe->resident) == rdist;
}

/* IDAI as the hardware has set it. If it has lost power, it has lost the address as well. */
static bool vpe_needs_idai(const struct hyp_vpe *vpe, u64 vpendbaser)
{
	return (vpendbaser ^ vpe->vpt) & (VPENDBASER_ADDRESS | GICR_VPENDBASER_IDAI);
}

/* The last vPE is going to lose its place. Is that where it was last? */
static void rdist_keep_idai(const struct hyp_rdist *rdist)
{
	struct hyp_vpe *vpe = rdist->vpe;

	if (!vpe)
		return;

	hyp_spin_lock(&vpe->lock);
	if (vpe->rdist == rdist)
		vpe->idai = vpe_needs_idai(vpe, rdist_read_vpendbaser(rdist));
	hyp_spin_unlock(&vpe->lock);
}

/*
 * A redistributor keeps addresses after Valid is cleared. Returns false if it still uses
 * them. IDbits stay. With GICv4.1 it has a number, and unmapping the vPE has made it forget
 * what it stands for (IHI 0069, VMAPP).
 */
static bool rdist_scrub(struct hyp_rdist *rdist)
{
	u32 bits = rdist->vpe->bits;

	/* One that lost power is clean, but the vPE is resident there until the host ends that. */
	if (rdist_has_resident(rdist) || !rdist_is_clean(rdist))
		return false;

	rdist_keep_idai(rdist);
	/* What is kept before the pointer: see vpe_has_left() */
	smp_wmb();
	WRITE_ONCE(rdist->vpe, NULL);
	/* The pointer before the registers */
	wmb();

	if (!rdist_is_v4_1(rdist)) {
		rdist_write_vpendbaser(rdist, 0);
		rdist_write_vpropbaser(rdist, bits - 1);
	}

	return true;
}

/**
 * vpe_has_left - check that no redistributor still writes to the table of a vPE
 * @vpe: the vPE, which is not resident
 *
 * Has the redistributor that had it before written everything back? It may get another vPE at
 * any time, which means that it has, whatever its register says then.
 *
 * Context: hyp_vpe::lock held.
 * Return: true if it has.
 */
bool vpe_has_left(struct hyp_vpe *vpe)
{
	struct hyp_rdist *rdist = vpe->rdist;
	u64 val = 0;

	if (!rdist)
		return true;

	if (READ_ONCE(rdist->vpe) == vpe)
		val = rdist_read_vpendbaser(rdist);

	/* The register is read before the pointer, which changes first: see vpe_load() */
	rmb();
	if (READ_ONCE(rdist->vpe) != vpe) {
		/* What is in idai is from there */
		smp_rmb();
		return true;
	}

	vpe->idai = vpe_needs_idai(vpe, val);

	return !(val & GICR_VPENDBASER_Dirty);
}

/* ITSs of a GICv4.1 that do not share a table of vPEs do not see what the others have mapped. */
static bool rdist_has_table_of(const struct hyp_rdist *rdist, const struct hyp_its *its)
{
	return its->vpes->phys == (rdist->vpropbaser & GICR_VPROPBASER_4_1_ADDR);
}

/* vLPIs must arrive where the vPE is resident: only that redistributor writes its table. */
static bool vpe_is_mapped_to(struct hyp_vpe *vpe, const struct hyp_rdist *rdist)
{
	struct hyp_its *its;
	bool mapped = false;
	u32 id;

	for (id = 0; (its = hyp_its_get(id)); id++) {
		struct hyp_vpe_map *map = &vpe->maps[id];

		/* Until then, it may be mapped elsewhere, or the entry be that of another vPE. */
		if (!vpe_map_is_settled(map, its))
			return false;

		if (map->state != HYP_VPE_MAPPED)
			continue;

		if (map->rdbase != rdist_rdbase(rdist, its->typer))
			return false;

		mapped |= !rdist_is_v4_1(rdist) || rdist_has_table_of(rdist, its);
	}

	return mapped;
}

/* GICv4.1: does it have the table of vPEs? It may have lost power. */
static bool rdist_has_vpe_table(const struct hyp_rdist *rdist)
{
	void __iomem *reg = rdist->base + RDIST_VLPI_BASE + GICR_VPROPBASER;

	return rdist->vpe_table &&
	       !((gicr_read_vpropbaser(reg) ^ rdist->vpropbaser) & VPROPBASER_4_1_WHERE);
}

/* The vPE that GICR_VPENDBASER names, if GICR_VPROPBASER is right for it */
static struct hyp_vpe *vpe_find_for(const struct hyp_rdist *rdist, u64 vpendbaser)
{
	struct hyp_vpe *vpe;

	if (rdist_is_v4_1(rdist)) {
		if (!rdist_has_vpe_table(rdist))
			return NULL;

		return vpe_get(FIELD_GET(GICR_VPENDBASER_4_1_VPEID, vpendbaser));
	}

	vpe = vpe_find(vpendbaser & VPENDBASER_ADDRESS);
	if (!vpe || ((rdist->vpropbaser ^ (vpe->vprop | (vpe->bits - 1))) & VPROPBASER_WHERE))
		return NULL;

	return vpe;
}

/*
 * A GICv4.0's GICR_VPROPBASER is written along with GICR_VPENDBASER: only then is it known
 * whose table has to be there.
 */
static void rdist_write_vpe(const struct hyp_rdist *rdist, const struct hyp_vpe *vpe, u64 val)
{
	if (rdist_is_v4_1(rdist)) {
		val &= VPENDBASER_4_1_GROUPS | GICR_VPENDBASER_4_1_VPEID;
		rdist_write_vpendbaser(rdist, GICR_VPENDBASER_Valid | val);
		return;
	}

	val &= VPENDBASER_ATTRS;
	if (vpe->idai)
		val |= GICR_VPENDBASER_IDAI;

	rdist_write_vpropbaser(rdist, vpe->vprop | (vpe->bits - 1) |
				      (rdist->vpropbaser & VPROPBASER_ATTRS));
	rdist_write_vpendbaser(rdist, GICR_VPENDBASER_Valid | vpe->vpt | val);
}

/* Make a vPE resident */
static bool vpe_load(struct hyp_rdist *rdist, u64 val)
{
	struct hyp_vpe *vpe = vpe_find_for(rdist, val);
	bool done = false;

	if (!vpe || rdist_has_resident(rdist) || !rdist_is_clean(rdist))
		return false;

	if (rdist->vpe != vpe)
		rdist_keep_idai(rdist);

	hyp_spin_lock(&vpe->lock);

	if (vpe->resident || !vpe_has_left(vpe) || !vpe_is_mapped_to(vpe, rdist))
		goto unlock;

	/* First what is kept of the old one, then the pointer: see vpe_has_left() */
	smp_wmb();
	WRITE_ONCE(rdist->vpe, vpe);
	/* Memory and pointer before the register */
	wmb();

	vpe->rdist = rdist;
	WRITE_ONCE(vpe->resident, rdist);

	rdist_write_vpe(rdist, vpe, val);
	done = true;

unlock:
	hyp_spin_unlock(&vpe->lock);

	return done;
}

/*
 * No write while it is dirty: it may be looking through the table still. With GICv4.1 the host
 * decides whether a doorbell is to ring, and for which groups.
 */
static bool vpe_put(struct hyp_rdist *rdist, u64 val)
{
	struct hyp_vpe *vpe = rdist->vpe;
	u64 old;

	if (!rdist_has_resident(rdist))
		return true;

	old = rdist_read_vpendbaser(rdist);
	if (old & GICR_VPENDBASER_Dirty)
		return false;

	if (rdist_is_v4_1(rdist))
		val = (old & GICR_VPENDBASER_4_1_VPEID) |
		      (val & (GICR_VPENDBASER_4_1_DB | GICR_VPENDBASER_PendingLast |
			      VPENDBASER_4_1_GROUPS));
	else
		val = vpe->vpt | (old & VPENDBASER_ATTRS);

	hyp_spin_lock(&vpe->lock);
	/* One that has lost power must not get the address back: see vpe_needs_idai(). */
	if (old & GICR_VPENDBASER_Valid)
		rdist_write_vpendbaser(rdist, val);
	WRITE_ONCE(vpe->resident, NULL);
	hyp_spin_unlock(&vpe->lock);

	return true;
}

/**
 * vpe_has_answered - check that a redistributor does nothing any more that it was asked to
 * @rdist: the redistributor
 *
 * IHI 0069, GICR_SYNCR and GICR_VSGIPENDR: while they are Busy, the tables of the vPE may be
 * read.
 *
 * Context: hyp_rdist::lock held.
 * Return: true if it uses no vPE on behalf of GICR_INVLPIR, GICR_INVALLR or GICR_VSGIR.
 */
bool vpe_has_answered(struct hyp_rdist *rdist)
{
	void __iomem *vlpi_base = rdist->base + RDIST_VLPI_BASE;

	if (rdist->asked && !(readl_relaxed(rdist->base + GICR_SYNCR) & SYNCR_BUSY) &&
	    !(readl_relaxed(vlpi_base + GICR_VSGIPENDR) & GICR_VSGIPENDR_BUSY))
		rdist->asked = NULL;

	return !rdist->asked;
}

/**
 * vpe_ask - check that a redistributor may be asked about a vPE, and note that it is
 * @rdist: the redistributor
 * @vpeid: vPEID, from the host
 *
 * Context: hyp_rdist::lock held, up to the write that asks.
 * Return: true if the redistributor is one of a GICv4.1, has the table of vPEs and is not Busy,
 *	   and the vPE is mapped to it.
 */
bool vpe_ask(struct hyp_rdist *rdist, u64 vpeid)
{
	struct hyp_vpe *vpe = vpe_get(vpeid);

	if (!vpe || !rdist_has_vpe_table(rdist) || !vpe_has_answered(rdist))
		return false;

	hyp_spin_lock(&vpe->lock);
	if (vpe_is_mapped_to(vpe, rdist))
		rdist->asked = vpe;
	hyp_spin_unlock(&vpe->lock);

	return rdist->asked;
}

/**
 * vpe_write_vsgir - ask which vSGIs of a vPE are pending
 * @rdist: the redistributor
 * @val: value for GICR_VSGIR, from the host
 *
 * IHI 0069, GICR_VSGIR: not while GICR_VSGIPENDR.Busy is set.
 *
 * Context: hyp_rdist::lock held.
 * Return: false if the write is ignored.
 */
bool vpe_write_vsgir(struct hyp_rdist *rdist, u32 val)
{
	u32 vpeid = FIELD_GET(GICR_VSGIR_VPEID, val);

	if (!rdist->lpis || !vpe_ask(rdist, vpeid))
		return false;

	writel_relaxed(vpeid, rdist->base + RDIST_VLPI_BASE + GICR_VSGIR);

	return true;
}

/**
 * vpe_write_vlpi - do what a write to the frame of virtual LPIs does
 * @rdist: the redistributor, which has one
 * @reg: offset of the register in the frame
 * @val: the value
 *
 * IHI 0069, GICR_VPROPBASER and GICR_VPENDBASER. EL2 does not wait for Dirty: the host does,
 * as it always has, and reads the register without a trap.
 *
 * Context: hyp_rdist::lock held.
 * Return: false if the write is ignored.
 */
bool vpe_write_vlpi(struct hyp_rdist *rdist, u64 reg, u64 val)
{
	if (!hyp_vpes || !rdist->lpis)
		return false;

	switch (reg) {
	case GICR_VPROPBASER:
		if (rdist_is_v4_1(rdist) || rdist_has_resident(rdist))
			return false;

		rdist->vpropbaser = val;
		return true;
	case GICR_VPENDBASER:
		/* The redistributor of the CPU that runs this does not lose power meanwhile. */
		if (rdist != hyp_rdist_local())
			return false;

		return val & GICR_VPENDBASER_Valid ? vpe_load(rdist, val) : vpe_put(rdist, val);
	default:
		return false;
	}
}

/**
 * vpe_load_local - make a vPE resident on this CPU
 * @vpropbaser: what the host would write to GICR_VPROPBASER, from the host. Of no account
 *		with GICv4.1, whose register does not change
 * @vpendbaser: what the host would write to GICR_VPENDBASER, from the host. Nothing happens
 *		if Valid is clear
 *
 * Like both writes, without the traps. If one of them would be ignored, nothing happens, and it
 * is counted.
 *
 * Context: takes hyp_rdist::lock.
 */
void vpe_load_local(u64 vpropbaser, u64 vpendbaser)
{
	struct hyp_rdist *rdist;

	if (!hyp_vpes || !(vpendbaser & GICR_VPENDBASER_Valid))
		return;

	rdist = hyp_rdist_local();
	if (!rdist || !(rdist->typer & GICR_TYPER_VLPIS))
		return;

	hyp_spin_lock(&rdist->lock);
	if ((!rdist_is_v4_1(rdist) && !vpe_write_vlpi(rdist, GICR_VPROPBASER, vpropbaser)) ||
	    !vpe_write_vlpi(rdist, GICR_VPENDBASER, vpendbaser))
		rdist->nr_ignored++;
	hyp_spin_unlock(&rdist->lock);
}

/**
 * vpe_put_local - end the residency of the vPE on this CPU, if there is one
 *
 * Like a write of 0 to GICR_VPENDBASER but, with GICv4.1, for PendingLast: no doorbell is to
 * ring. Does not wait for Dirty.
 *
 * Context: takes hyp_rdist::lock.
 */
void vpe_put_local(void)
{
	struct hyp_rdist *rdist;

	if (!hyp_vpes)
		return;

	rdist = hyp_rdist_local();
	if (!rdist)
		return;

	hyp_spin_lock(&rdist->lock);
	vpe_write_vlpi(rdist, GICR_VPENDBASER, GICR_VPENDBASER_PendingLast);
	hyp_spin_unlock(&rdist->lock);
}

/*
 * Does any ITS or redistributor still use a vPE? Passes through the lock of each, and takes
 * a virtual pending table that is not in use from the redistributor whose register has it.
 */
static bool vpe_is_in_use(const struct hyp_vpe *vpe)
{
	struct hyp_rdist *rdist;
	struct hyp_its *its;
	bool in_use = false;
	u32 id, i;

	for (id = 0; (its = hyp_its_get(id)); id++) {
		if (its->vpes && !its_has_unmapped_vpe(its, &vpe->maps[id]))
			in_use = true;
	}

	for (i = 0; (rdist = hyp_rdist_get(i)); i++) {
		hyp_spin_lock(&rdist->lock);
		if (rdist->vpe == vpe && !rdist_scrub(rdist))
			in_use = true;
		if (rdist->asked == vpe && !vpe_has_answered(rdist))
			in_use = true;
		hyp_spin_unlock(&rdist->lock);
	}

	return in_use;
}

/**
 * __pkvm_vpe_reclaim - give back the memory of a vPE
 * @vpeid: vPEID, from the host
 *
 * Context: any; takes hyp_vpes::lock. The time it takes depends on the number of ITSs and
 * redistributors.
 * Return: 0 if the memory is the host's again; -EBUSY if the vPE is mapped, if an ITS has not
 *	   executed the VMAPP that unmaps it and a VSYNC behind that, or if a redistributor
 *	   still writes to its table; -EINVAL if there is no such vPE.
 */
int __pkvm_vpe_reclaim(u64 vpeid)
{
	struct hyp_vpe *vpe;
	int ret = -EINVAL;

	if (!hyp_vpes || vpeid >= HYP_VPES_MAX)
		return ret;

	vpeid = array_index_nospec(vpeid, HYP_VPES_MAX);
	hyp_spin_lock(&hyp_vpes->lock);

	vpe = hyp_vpes->by_id[vpeid];
	if (!vpe)
		goto unlock;

	vpe_unlink(vpeid, vpe);
	ret = vpe_is_in_use(vpe) ? -EBUSY : 0;
	if (ret)
		vpe_link(vpeid, vpe);
	else
		vpe_return_vpt(vpe);

unlock:
	hyp_spin_unlock(&hyp_vpes->lock);

	return ret;
}

/**
 * __pkvm_vpe_is_pending - read a bit of the virtual pending table of a vPE
 * @vpeid: vPEID, from the host
 * @vintid: an LPI of the VM, from the host
 *
 * The host can't read the table, and needs it to save the state of a VM. What it reads is of
 * use if the vPE is unmapped on all ITSs, which EL2 leaves to the host: the table is EL2's.
 *
 * Context: any; takes hyp_vpes::lock.
 * Return: 0 or 1, or -EINVAL if there is no such vPE or no such LPI.
 */
int __pkvm_vpe_is_pending(u64 vpeid, u32 vintid)
{
	const struct hyp_vpe *vpe;
	int ret = -EINVAL;
	u8 *byte;

	if (!hyp_vpes || vpeid >= HYP_VPES_MAX)
		return ret;

	vpeid = array_index_nospec(vpeid, HYP_VPES_MAX);
	hyp_spin_lock(&hyp_vpes->lock);

	vpe = hyp_vpes->by_id[vpeid];
	if (vpe && vintid >= VPE_FIRST_LPI && vintid < BIT(vpe->bits)) {
		vintid = array_index_nospec(vintid, BIT(vpe->bits));
		byte = hyp_phys_to_virt(vpe->vpt) + vintid / BITS_PER_BYTE;
		/* The GIC need not snoop the caches. */
		kvm_flush_dcache_to_poc(byte, sizeof(*byte));
		ret = !!(READ_ONCE(*byte) & BIT(vintid % BITS_PER_BYTE));
	}

	hyp_spin_unlock(&hyp_vpes->lock);

	return ret;
}

/**
 * vpes_held_pages - count the pages that EL2 holds for vPEs
 *
 * Return: their number, without the level-2 pages of the ITSs' tables.
 */
u64 vpes_held_pages(void)
{
	return hyp_vpes ? READ_ONCE(hyp_vpes->held_pages) : 0;
}
