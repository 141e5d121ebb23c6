// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confinement of GICv3 redistributors.
 *
 * A redistributor reads the LPI property table, and reads and writes the pending table,
 * wherever GICR_PROPBASER and GICR_PENDBASER point. Before the host is deprivileged, EL2
 * finds all redistributors, takes the pending tables that are in use, and shares and pins
 * the property table, which the host's CPUs go on writing. A redistributor whose LPIs are
 * not enabled by then never gets them enabled.
 *
 * From then on RD_base, and the frame of the virtual LPIs, are guarded MMIO. SGI_base has
 * no address in it, and remains the host's.
 */

#include <linux/bitfield.h>
#include <linux/bitops.h>
#include <linux/io.h>
#include <linux/irqchip/arm-gic-v3.h>
#include <linux/irqchip/arm-gic-v3-staging.h>
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sizes.h>

#include <asm/arch_gicv3.h>
#include <asm/cputype.h>
#include <asm/kvm_mmu.h>
#include <asm/kvm_pkvm_its.h>

#include <nvhe/its.h>
#include <nvhe/mem_protect.h>
#include <nvhe/memory.h>
#include <nvhe/mm.h>
#include <nvhe/mmio_guard.h>
#include <nvhe/rdist.h>
#include <nvhe/vpe.h>

/* IHI 0069, GIC memory-mapped registers: what a redistributor takes */
#define RDIST_SIZE		SZ_128K
#define RDIST_SIZE_VLPIS	SZ_256K

/* No GIC needs that much state: a limit for the arithmetic */
#define RDIST_STATE_MAX_PAGES	BIT(20)

/* Where LPIs begin, and the bounds of what GICR_PROPBASER.IDbits makes sense with */
#define RDIST_FIRST_LPI		8192
#define RDIST_MIN_LPI_BITS	14
#define RDIST_MAX_LPI_BITS	24

/* All of it changes only before the host is deprivileged, when calls are serialised. */
static struct hyp_rdist *hyp_rdists;
static u32 nr_hyp_rdists;
static void *rdists_prop_table;
static u64 rdists_prop_size;
static u64 rdists_state_pages;
static u32 rdists_vlpi_addr_bits;

/* That of this CPU, once it has been looked for */
static DEFINE_PER_CPU(struct hyp_rdist *, local_rdist);

static u32 rdist_read_ctlr(struct hyp_rdist *rdist)
{
	return readl_relaxed(rdist->base + GICR_CTLR);
}

static bool rdist_write_waker(struct hyp_rdist *rdist, u32 val)
{
	u32 waker = readl_relaxed(rdist->base + GICR_WAKER);

	waker &= ~GICR_WAKER_ProcessorSleep;
	waker |= val & GICR_WAKER_ProcessorSleep;
	writel_relaxed(waker, rdist->base + GICR_WAKER);

	return true;
}

/* IHI 0069, GICR_TYPER.DirectLPI. GICR_INVLPIR and GICR_INVALLR may exist without it. */
static bool rdist_has_lpir(struct hyp_rdist *rdist, u64 reg)
{
	if (rdist->typer & GICR_TYPER_DirectLPIS)
		return true;

	if (reg == GICR_SETLPIR || reg == GICR_CLRLPIR)
		return false;

	return (rdist->typer & GICR_TYPER_RVPEID) || (rdist_read_ctlr(rdist) & GICR_CTLR_IR);
}

/* GICR_INVLPIR and GICR_INVALLR with V=1: it takes a vPE, and 64 bits to say which. */
static bool rdist_may_write_vlpir(struct hyp_rdist *rdist, u64 reg, u64 val, u64 mask)
{
	return (reg == GICR_INVLPIR || reg == GICR_INVALLR) && mask == GENMASK_ULL(63, 0) &&
	       vpe_ask(rdist, FIELD_GET(GICR_INVLPIR_VPEID, val));
}

/*
 * The registers that are commands take effect by a write to their lower half. All vPEs have as
 * many vINTIDs as there are LPIs.
 */
static bool rdist_write_lpir(struct hyp_rdist *rdist, u64 reg, u64 val, u64 mask)
{
	u64 nr_ids = BIT_ULL((rdist->propbaser & GICR_PROPBASER_IDBITS_MASK) + 1);
	u64 out = val & (GICR_INVLPIR_V | GICR_INVLPIR_VPEID);
	u32 intid = FIELD_GET(GICR_INVLPIR_INTID, val);

	if (!(mask & GICR_INVLPIR_INTID) || !rdist->lpis || !rdist_has_lpir(rdist, reg))
		return false;

	/* Look before the write, which may be for an LPI of the host and set GICR_SYNCR.Busy. */
	vpe_has_answered(rdist);

	if (!(val & GICR_INVLPIR_V))
		out = 0;
	else if (!rdist_may_write_vlpir(rdist, reg, val, mask))
		return false;

	if (reg == GICR_INVALLR)
		intid = 0;
	else if (intid < RDIST_FIRST_LPI || intid >= nr_ids)
		return false;

	gic_write_lpir(out | intid, rdist->base + reg);

	return true;
}

/* A write to RD_base. Whatever is not known, IMPLEMENTATION DEFINED space included, is ignored. */
static bool rdist_write(struct hyp_rdist *rdist, u64 offset, u64 val, unsigned int size)
{
	u64 reg = ALIGN_DOWN(offset, sizeof(u64)), mask = GENMASK_ULL(63, 0);

	if (size == sizeof(u32)) {
		unsigned int shift = (offset & sizeof(u32)) * BITS_PER_BYTE;

		if (offset == GICR_WAKER)
			return rdist_write_waker(rdist, val);

		mask = GENMASK_ULL(31, 0) << shift;
		val <<= shift;
	}

	switch (reg) {
	case GICR_SETLPIR:
	case GICR_CLRLPIR:
	case GICR_INVLPIR:
	case GICR_INVALLR:
		return rdist_write_lpir(rdist, reg, val, mask);
	default:
		return false;
	}
}

/* A write to one of the frames of a redistributor */
static bool rdist_write_frame(struct hyp_rdist *rdist, u64 offset, u64 val, unsigned int size)
{
	if (offset < RDIST_SGI_BASE)
		return rdist_write(rdist, offset, val, size);

	if (offset < RDIST_VLPI_BASE || !(rdist->typer & GICR_TYPER_VLPIS))
		return false;

	if (size == sizeof(u32))
		return offset == RDIST_VLPI_BASE + GICR_VSGIR && vpe_write_vsgir(rdist, val);

	return vpe_write_vlpi(rdist, offset - RDIST_VLPI_BASE, val);
}

/*
 * A write to any of the guarded frames. What lies between the last redistributor of a region
 * and its end is out of use.
 */
static void rdists_guard_write(void *priv, u64 offset, u64 val, unsigned int size)
{
	struct hyp_rdist *rdist = priv;
	u64 nr = offset / rdist->stride;
	bool in_use = nr < rdist->nr_row;

	offset %= rdist->stride;
	if (in_use)
		rdist += array_index_nospec(nr, rdist->nr_row);
	if (!rdist->base)
		in_use = false;

	hyp_spin_lock(&rdist->lock);

	rdist->nr_writes++;
	if (!in_use || !rdist_write_frame(rdist, offset, val, size))
		rdist->nr_ignored++;

	hyp_spin_unlock(&rdist->lock);
}

static const struct mmio_guard_ops rdists_guard_ops = {
	.write	= rdists_guard_write,
};

static bool rdist_is_present(void __iomem *base)
{
	u32 arch = readl_relaxed(base + GICR_PIDR2) & GIC_PIDR2_ARCH_MASK;

	return arch == GIC_PIDR2_ARCH_GICv3 || arch == GIC_PIDR2_ARCH_GICv4;
}

/* Leaves rdist->base NULL if there is no redistributor. */
static int rdist_init(struct hyp_rdist *rdist, const struct gic_staging_region *region,
		      u64 offset, void __iomem *base)
{
	u64 room = region->size - offset, size = RDIST_SIZE;

	if (offset >= region->size || room < size)
		return -EINVAL;

	hyp_spin_lock_init(&rdist->lock);
	rdist->phys = region->base + offset;
	rdist->end = rdist->phys + size;
	if (region->absent || !rdist_is_present(base + offset))
		return 0;

	rdist->base = base + offset;
	rdist->typer = gic_read_typer(rdist->base + GICR_TYPER);
	if (rdist->typer & GICR_TYPER_VLPIS)
		size = RDIST_SIZE_VLPIS;

	rdist->end = rdist->phys + size;
	rdist->stride = region->stride ?: size;

	return room < size || rdist->stride < size ? -EINVAL : 0;
}

static bool rdists_region_is_sane(const struct gic_staging_region *region)
{
	return IS_ALIGNED(region->base | region->stride, SZ_64K) &&
	       region->stride <= MMIO_GUARD_MAX_STRIDE &&
	       region->size && region->size <= BIT(48) &&
	       region->base <= BIT(52) - region->size &&
	       host_range_is_mmio(region->base, region->size);
}

/* The host names the regions; GICR_TYPER decides what is in them. */
static int rdists_find_in_region(const struct gic_staging_region *region, u32 max)
{
	u64 offset = 0, stride = region->stride ?: RDIST_SIZE;
	struct hyp_rdist *rdist;
	unsigned long va = 0;
	int ret;

	/* No register is read unless all of the region is MMIO. */
	if (!rdists_region_is_sane(region))
		return -EINVAL;

	if (!region->absent) {
		ret = __pkvm_create_private_mapping(region->base, region->size, PAGE_HYP_DEVICE,
						    &va);
		if (ret)
			return ret;
	}

	do {
		if (nr_hyp_rdists == max)
			return -ENOSPC;

		rdist = &hyp_rdists[nr_hyp_rdists];
		rdist->stride = stride;
		ret = rdist_init(rdist, region, offset, (void __iomem *)va);
		if (ret)
			return ret;

		if (nr_hyp_rdists && rdist->phys < rdist[-1].end)
			return -EINVAL;

		nr_hyp_rdists++;
		stride = rdist->stride;
		offset += stride;
	} while (rdist->base && !region->single && !(rdist->typer & GICR_TYPER_LAST));

	/* There may be more than GICR_TYPER.Last shows: redistributors of fused-off cores. */
	if (!rdist->base || !region->single)
		rdist->end = max(rdist->end, ALIGN_DOWN(region->base + region->size, SZ_64K));

	return 0;
}

/**
 * hyp_rdist_get - go through the redistributors
 * @nr: number of the redistributor
 *
 * Return: the redistributor, which may have no registers, or NULL if there is none.
 */
struct hyp_rdist *hyp_rdist_get(u32 nr)
{
	return nr < nr_hyp_rdists ? &hyp_rdists[nr] : NULL;
}

/* GICR_TYPER.Affinity_Value of a CPU */
static u64 mpidr_to_affinity(u64 mpidr)
{
	return (mpidr & GENMASK_ULL(23, 0)) | MPIDR_AFFINITY_LEVEL(mpidr, 3) << 24;
}

/**
 * hyp_rdist_local - find the redistributor of this CPU
 *
 * Context: any CPU that is up.
 * Return: the redistributor, or NULL if EL2 does not confine it.
 */
struct hyp_rdist *hyp_rdist_local(void)
{
	struct hyp_rdist **local = this_cpu_ptr(&local_rdist);
	u64 affinity;
	u32 i;

	if (*local)
		return *local;

	affinity = mpidr_to_affinity(read_cpuid_mpidr());
	for (i = 0; i < nr_hyp_rdists; i++) {
		if (hyp_rdists[i].base && hyp_rdists[i].typer >> 32 == affinity)
			*local = &hyp_rdists[i];
	}

	return *local;
}

/**
 * rdists_drive - check that the virtual LPI frames can address memory
 * @phys: physical address
 * @size: bytes, at least one
 *
 * Return: false if one of them would access other memory, with fewer address bits.
 */
bool rdists_drive(phys_addr_t phys, u64 size)
{
	u64 limit = BIT_ULL(rdists_vlpi_addr_bits);

	return phys < limit && size <= limit - phys;
}

/**
 * rdists_support_vpes - check that vPEs can be resident on all redistributors
 * @v4_1: whether they are vPEs of a GICv4.1
 *
 * Those without LPIs do not matter.
 *
 * Return: false if one has no virtual LPIs, those of another version, or a table of vPEs
 *	   that no ITS has.
 */
bool rdists_support_vpes(bool v4_1)
{
	u32 i;

	for (i = 0; i < nr_hyp_rdists; i++) {
		const struct hyp_rdist *rdist = &hyp_rdists[i];

		if (rdist->lpis && (!(rdist->typer & GICR_TYPER_VLPIS) ||
				    rdist_is_v4_1(rdist) != v4_1 || rdist->vpe_table != v4_1))
			return false;
	}

	return true;
}

static struct hyp_rdist *rdists_get(u64 phys)
{
	u32 i;

	for (i = 0; i < nr_hyp_rdists; i++) {
		if (hyp_rdists[i].phys == phys && hyp_rdists[i].base)
			return &hyp_rdists[i];
	}

	return NULL;
}

static u64 rdists_pending_pages(u64 propbaser)
{
	u64 size = BIT_ULL((propbaser & GICR_PROPBASER_IDBITS_MASK) + 1) / BITS_PER_BYTE;

	/* GICR_PENDBASER has the address of a 64K block, and drivers allocate as much. */
	return ALIGN(size, SZ_64K) >> PAGE_SHIFT;
}

static void rdists_return_pending(struct hyp_rdist *rdist)
{
	phys_addr_t pending = GICR_PENDBASER_ADDRESS(rdist->pendbaser);

	WARN_ON(__pkvm_hyp_donate_host(hyp_phys_to_pfn(pending),
				       rdists_pending_pages(rdist->propbaser)));
}

/*
 * Adopt tables that are in use. The registers decide, and must agree with what the driver
 * takes for its tables: an address that did not fit the register would be other memory.
 */
static int rdists_adopt_pending(const struct gic_staging_desc *desc,
				const struct gic_staging_table *table)
{
	struct hyp_rdist *rdist = rdists_get(table->rd_base);
	u64 propbaser, pendbaser;
	int ret;

	if (!rdist || rdist->lpis || !(rdist_read_ctlr(rdist) & GICR_CTLR_ENABLE_LPIS))
		return -EINVAL;

	propbaser = gicr_read_propbaser(rdist->base + GICR_PROPBASER);
	pendbaser = gicr_read_pendbaser(rdist->base + GICR_PENDBASER);

	if (GICR_PROPBASER_ADDRESS(propbaser) != desc->prop_table ||
	    (propbaser & GICR_PROPBASER_IDBITS_MASK) + 1 != desc->lpi_bits ||
	    GICR_PENDBASER_ADDRESS(pendbaser) != table->pending)
		return -EINVAL;

	ret = __pkvm_host_donate_hyp(hyp_phys_to_pfn(table->pending),
				     rdists_pending_pages(propbaser));
	if (ret)
		return ret;

	rdist->propbaser = propbaser;
	rdist->pendbaser = pendbaser;
	rdist->lpis = true;

	return 0;
}

static int rdists_pin_prop_table(const struct gic_staging_desc *desc)
{
	u64 start, end;
	int ret;

	if (desc->lpi_bits < RDIST_MIN_LPI_BITS || desc->lpi_bits > RDIST_MAX_LPI_BITS ||
	    desc->prop_table != GICR_PROPBASER_ADDRESS(desc->prop_table))
		return -EINVAL;

	/* One byte for each LPI */
	start = ALIGN_DOWN(desc->prop_table, PAGE_SIZE);
	end = ALIGN(desc->prop_table + BIT(desc->lpi_bits) - RDIST_FIRST_LPI, PAGE_SIZE);

	ret = its_pin(start, end - start, &rdists_prop_table);
	if (!ret)
		rdists_prop_size = end - start;

	return ret;
}

/*
 * How many bits of an address the virtual LPI frame keeps: GICR_VPENDBASER is taken to have as
 * many as GICR_VPROPBASER. The driver has left no address in there that matters: it writes one
 * whenever a vPE becomes resident. Bits [15:12] may be RES0.
 */
static void rdist_learn_vlpi_addr_bits(const struct hyp_rdist *rdist)
{
	void __iomem *reg = rdist->base + RDIST_VLPI_BASE + GICR_VPROPBASER;
	u64 val = rdist->vpropbaser & ~GICR_VPROPBASER_4_1_VALID, kept;

	gicr_write_vpropbaser(val | GENMASK_ULL(51, 12), reg);
	kept = gicr_read_vpropbaser(reg) & GENMASK_ULL(51, 12);
	gicr_write_vpropbaser(val & ~GENMASK_ULL(51, 12), reg);

	rdists_vlpi_addr_bits = min_t(u32, rdists_vlpi_addr_bits,
				      __ffs(~(kept | GENMASK_ULL(15, 0))));
}

/*
 * With GICv4.1, the table of vPEs has to be that of an ITS, which EL2 has taken. If it is not,
 * the redistributor goes without, and its memory no longer matters. EL2 does not say that the
 * table is empty (Z): it need not be.
 */
static void rdist_adopt_vpe_table(struct hyp_rdist *rdist, u64 vpropbaser)
{
	void __iomem *reg = rdist->base + RDIST_VLPI_BASE + GICR_VPROPBASER;

	if (!(vpropbaser & GICR_VPROPBASER_4_1_VALID))
		return;

	rdist->vpropbaser = vpropbaser & ~GICR_VPROPBASER_4_1_Z;
	rdist->vpe_table = vpes_are_supported() && its_has_vpe_table(vpropbaser);
	if (rdist->vpe_table) {
		rdist_learn_vlpi_addr_bits(rdist);
		gicr_write_vpropbaser(rdist->vpropbaser, reg);
	} else {
		gicr_write_vpropbaser(rdist->vpropbaser & ~GICR_VPROPBASER_4_1_VALID, reg);
	}
}

/* No vPE may be resident yet. */
static int rdist_adopt_vlpis(struct hyp_rdist *rdist)
{
	void __iomem *vlpi_base = rdist->base + RDIST_VLPI_BASE;
	u64 vpropbaser;

	if (!(rdist->typer & GICR_TYPER_VLPIS))
		return 0;

	if (gicr_read_vpendbaser(vlpi_base + GICR_VPENDBASER) &
	    (GICR_VPENDBASER_Valid | GICR_VPENDBASER_Dirty))
		return -EBUSY;

	vpropbaser = gicr_read_vpropbaser(vlpi_base + GICR_VPROPBASER);
	if (rdist_is_v4_1(rdist)) {
		rdist_adopt_vpe_table(rdist, vpropbaser);
	} else if (vpes_are_supported()) {
		rdist->vpropbaser = vpropbaser;
		gicr_write_vpendbaser(0, vlpi_base + GICR_VPENDBASER);
		rdist_learn_vlpi_addr_bits(rdist);
	}

	return 0;
}

static int rdists_adopt(struct gic_staging_desc *desc)
{
	const struct gic_staging_table *tables = gic_staging_tables(desc);
	int ret;
	u32 i;

	if (desc->nr_tables) {
		ret = rdists_pin_prop_table(desc);
		if (ret)
			return ret;
	}

	for (i = 0; i < desc->nr_tables; i++) {
		ret = rdists_adopt_pending(desc, &tables[i]);
		if (ret)
			return ret;
	}

	for (i = 0; i < nr_hyp_rdists; i++) {
		struct hyp_rdist *rdist = &hyp_rdists[i];

		if (!rdist->base)
			continue;

		/* It is running on tables that the driver does not know. */
		if (!rdist->lpis && (rdist_read_ctlr(rdist) & GICR_CTLR_ENABLE_LPIS))
			return -EBUSY;

		ret = rdist_adopt_vlpis(rdist);
		if (ret)
			return ret;
	}

	return 0;
}

/* How many redistributors, from @first on, are alike and follow each other without a gap */
static u32 rdists_in_row(const struct hyp_rdist *first)
{
	const struct hyp_rdist *next = first + 1, *end = hyp_rdists + nr_hyp_rdists;

	while (next < end && next->stride == first->stride &&
	       next->phys == next[-1].phys + first->stride)
		next++;

	return next - first;
}

/* One entry of the table for all of them, as they may be hundreds */
static int rdists_guard_row(struct hyp_rdist *first)
{
	u32 nr = rdists_in_row(first);
	struct mmio_guard guard = {
		.start	= first->phys,
		.end	= first[nr - 1].end,
		.stride	= first->stride,
		.frames	= GENMASK_ULL(first->stride / MMIO_GUARD_FRAME - 1, 0) &
			  ~BIT_ULL(RDIST_SGI_BASE / MMIO_GUARD_FRAME),
		.ops	= &rdists_guard_ops,
		.priv	= first,
	};
	int ret;

	ret = mmio_guard_add_region(&guard);
	if (ret)
		return ret;

	first->nr_row = nr;

	return 0;
}

static int rdists_guard(void)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < nr_hyp_rdists && !ret; i += hyp_rdists[i].nr_row)
		ret = rdists_guard_row(&hyp_rdists[i]);

	return ret;
}

static void rdists_undo(void)
{
	u32 i;

	for (i = 0; i < nr_hyp_rdists; i++) {
		struct hyp_rdist *rdist = &hyp_rdists[i];

		if (rdist->nr_row)
			mmio_guard_remove(rdist->phys);

		if (rdist->vpropbaser)
			gicr_write_vpropbaser(rdist->vpropbaser,
					      rdist->base + RDIST_VLPI_BASE + GICR_VPROPBASER);

		if (rdist->lpis)
			rdists_return_pending(rdist);
	}

	if (rdists_prop_size)
		its_unpin(rdists_prop_table, rdists_prop_size);

	rdists_prop_size = 0;
	nr_hyp_rdists = 0;
	hyp_rdists = NULL;
	vpes_init(NULL);
}

/*
 * Behind the descriptor there is room for the state of each redistributor, and behind that,
 * if the host wants virtual LPIs, for the registry of vPEs.
 */
static int rdists_place_state(struct gic_staging_desc *desc, u64 size)
{
	u64 pos = gic_staging_desc_size(desc);

	if (pos > size || desc->nr_rdists > (size - pos) / sizeof(struct hyp_rdist))
		return -EINVAL;

	hyp_rdists = (void *)desc + pos;
	memset(hyp_rdists, 0, desc->nr_rdists * sizeof(struct hyp_rdist));
	rdists_vlpi_addr_bits = 52;

	pos += desc->nr_rdists * sizeof(struct hyp_rdist);
	if (size - pos >= sizeof(struct hyp_vpes))
		vpes_init((void *)desc + pos);

	return 0;
}

static int rdists_find(const struct gic_staging_desc *desc)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < desc->nr_regions && !ret; i++)
		ret = rdists_find_in_region(&desc->regions[i], desc->nr_rdists);

	return ret;
}

/**
 * __pkvm_rdists_register - confine all redistributors
 * @pfn: first page of the memory for EL2's state of them, with a struct gic_staging_desc
 *	 at its start
 * @nr_pages: number of pages
 *
 * Takes the LPI pending tables that are in use, shares and pins the property table, and
 * guards the registers.
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: 0 or a negative error, with nothing taken.
 */
int __pkvm_rdists_register(u64 pfn, u64 nr_pages)
{
	struct gic_staging_desc *desc = hyp_phys_to_virt(hyp_pfn_to_phys(pfn));
	u64 size = nr_pages << PAGE_SHIFT;
	int ret;

	if (hyp_rdists)
		return -EBUSY;

	if (nr_pages > RDIST_STATE_MAX_PAGES || size < sizeof(*desc))
		return -EINVAL;

	ret = __pkvm_host_donate_hyp(pfn, nr_pages);
	if (ret)
		return ret;

	ret = rdists_place_state(desc, size);
	if (!ret)
		ret = rdists_find(desc);
	if (!ret)
		ret = rdists_adopt(desc);
	if (!ret)
		ret = rdists_guard();
	if (ret)
		goto err_undo;

	rdists_state_pages = nr_pages;

	return 0;

err_undo:
	rdists_undo();
	WARN_ON(__pkvm_hyp_donate_host(pfn, nr_pages));

	return ret;
}

/**
 * __pkvm_rdists_stat - read a counter
 * @nr: an enum pkvm_rdists_stat, from the host
 *
 * Context: any.
 * Return: its value, 0 if there is no such counter.
 */
u64 __pkvm_rdists_stat(u32 nr)
{
	u64 val = 0;
	u32 i;

	for (i = 0; i < nr_hyp_rdists; i++) {
		const struct hyp_rdist *rdist = &hyp_rdists[i];

		if (nr == PKVM_RDISTS_FOUND)
			val += !!rdist->base;
		else if (nr == PKVM_RDISTS_WITH_LPIS)
			val += rdist->lpis;
		else if (nr == PKVM_RDISTS_WRITES)
			val += READ_ONCE(rdist->nr_writes);
		else if (nr == PKVM_RDISTS_WRITES_IGNORED)
			val += READ_ONCE(rdist->nr_ignored);
		else if (nr == PKVM_RDISTS_HELD_PAGES && rdist->lpis)
			val += rdists_pending_pages(rdist->propbaser);
	}

	if (nr == PKVM_RDISTS_VINTID_BITS)
		val = vpes_intid_bits();
	else if (nr == PKVM_RDISTS_HELD_PAGES && hyp_rdists)
		val += rdists_state_pages + vpes_held_pages();

	return val;
}
