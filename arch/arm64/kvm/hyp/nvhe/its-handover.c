// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confinement of GICv3 ITSs: hand-over.
 *
 * The host registers each ITS, and activates it, before it is deprivileged. It is still
 * trusted then, but what it passes is checked against the hardware's registers: a mistaken
 * driver must not leave a hole. From activation on, EL2 owns the memory that the hardware
 * reads and writes, and the control frame is a guarded MMIO region.
 *
 * The hypercalls in here are refused once the host is deprivileged. Until then they are made one
 * after the other, but others may be made meanwhile for the ITSs that are active already.
 */

#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/irqchip/arm-gic-v3.h>
#include <linux/kvm_host.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sizes.h>

#include <asm/arch_gicv3.h>
#include <asm/kvm_mmu.h>

#include <nvhe/its.h>
#include <nvhe/mem_protect.h>
#include <nvhe/memory.h>
#include <nvhe/mm.h>
#include <nvhe/mmio_guard.h>

static struct hyp_its *hyp_its_nodes[PKVM_ITS_MAX];
static u32 nr_hyp_its;

bool pkvm_its_pvms_refused;

/**
 * hyp_its_get - find an ITS
 * @id: its ID, from the host. IDs follow each other from 0 on
 *
 * Return: the ITS, or NULL if there is none.
 */
struct hyp_its *hyp_its_get(u32 id)
{
	if (id >= nr_hyp_its)
		return NULL;

	return hyp_its_nodes[array_index_nospec(id, nr_hyp_its)];
}

static void its_unshare(void *virt, u64 size)
{
	u64 pfn = hyp_virt_to_pfn(virt), nr = size >> PAGE_SHIFT;

	while (nr--)
		WARN_ON(__pkvm_host_unshare_hyp(pfn + nr));
}

/**
 * its_pin - share memory of the host with EL2, and pin it
 * @phys: physical address, page-aligned
 * @size: bytes, a multiple of the page size
 * @virt: set to where EL2 maps it
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: 0 or a negative error, with nothing shared.
 */
int its_pin(phys_addr_t phys, u64 size, void **virt)
{
	u64 done;
	int ret;

	if (!PAGE_ALIGNED(phys) || !PAGE_ALIGNED(size))
		return -EINVAL;

	*virt = hyp_phys_to_virt(phys);

	for (done = 0; done < size; done += PAGE_SIZE) {
		ret = __pkvm_host_share_hyp(hyp_phys_to_pfn(phys + done));
		if (ret)
			goto err_unshare;
	}

	ret = hyp_pin_shared_mem(*virt, *virt + size);
	if (!ret)
		return 0;

err_unshare:
	its_unshare(*virt, done);

	return ret;
}

/**
 * its_unpin - undo its_pin()
 * @virt: where EL2 maps the memory
 * @size: bytes, as it was pinned
 */
void its_unpin(void *virt, u64 size)
{
	hyp_unpin_shared_mem(virt, virt + size);
	its_unshare(virt, size);
}

static void its_destroy_table(struct hyp_its *its, struct hyp_its_table *table)
{
	u32 i;

	for (i = 0; i < table->nr_level2; i++) {
		u64 entry = le64_to_cpu(table->level1[i]);

		if (entry & GITS_BASER_VALID)
			its_return_pages(its, entry & ~GITS_BASER_VALID, table->level2_size);
	}

	if (table->staging)
		its_unpin((void *)table->staging, table->size);

	if (table->size)
		its_return_pages(its, table->phys, table->size);
}

/* GICv4.1 ITSs may share their vPE table: that of the first has been taken from the host. */
static const struct hyp_its *its_find_vpe_table(phys_addr_t phys)
{
	u32 id;

	for (id = 0; id < nr_hyp_its; id++) {
		const struct hyp_its *its = hyp_its_nodes[id];

		if (its->vpes && its->vpes->phys == phys)
			return its;
	}

	return NULL;
}

/**
 * its_has_vpe_table - check that a redistributor has its table of vPEs from an ITS
 * @vpropbaser: value of GICR_VPROPBASER, in the layout of GICv4.1
 *
 * The table is EL2's then. A redistributor that saw other entries in it, or more of them,
 * would access other memory.
 *
 * Context: the host is not deprivileged yet.
 * Return: true if it is such a table, at the same address and of the same format.
 */
bool its_has_vpe_table(u64 vpropbaser)
{
	const struct hyp_its *its;
	u64 baser;

	its = its_find_vpe_table(vpropbaser & GICR_VPROPBASER_4_1_ADDR);
	if (!its || !(vpropbaser & GICR_VPROPBASER_4_1_VALID))
		return false;

	baser = its->vpes->baser;

	return FIELD_GET(GICR_VPROPBASER_4_1_PAGE_SIZE, vpropbaser) ==
	       FIELD_GET(GITS_BASER_PAGE_SIZE_MASK, baser) &&
	       FIELD_GET(GICR_VPROPBASER_4_1_SIZE, vpropbaser) + 1 == GITS_BASER_NR_PAGES(baser) &&
	       (FIELD_GET(GICR_VPROPBASER_4_1_ENTRY_SIZE, vpropbaser) + 1) * sizeof(u64) ==
	       GITS_BASER_ENTRY_SIZE(baser) &&
	       !(vpropbaser & GICR_VPROPBASER_4_1_INDIRECT) == !(baser & GITS_BASER_INDIRECT);
}

/* Take the level-2 pages there are, and zero the records behind those of the device table */
static int its_take_level2_pages(struct hyp_its *its, struct hyp_its_table *table, u64 nr_level1)
{
	for (; table->nr_level2 < nr_level1; table->nr_level2++) {
		u64 entry = le64_to_cpu(table->level1[table->nr_level2]);
		phys_addr_t phys = entry & ~GITS_BASER_VALID;
		int ret;

		if (!(entry & GITS_BASER_VALID))
			continue;

		if (!IS_ALIGNED(phys, table->page_size))
			return -EINVAL;

		ret = its_donate_pages(its, phys, table->level2_size);
		if (ret)
			return ret;

		memset(hyp_phys_to_virt(phys) + table->page_size, 0,
		       table->level2_size - table->page_size);
	}

	return 0;
}

/* The two may differ in attributes, but not in what is in the table, or in address bits. */
static int its_share_vpe_table(struct hyp_its *its, u64 baser, phys_addr_t phys)
{
	const struct hyp_its *other = its_find_vpe_table(phys);

	baser ^= other->vpes->baser;
	if (baser & ~(GITS_BASER_SHAREABILITY_MASK | GITS_BASER_CACHEABILITY_MASK) ||
	    its->addr_bits != other->addr_bits)
		return -EINVAL;

	its->vpes = other->vpes;

	return 0;
}

static int its_take_table(struct hyp_its *its, struct hyp_its_table *table,
			  const struct its_staging_table *desc)
{
	u32 entry_size = GITS_BASER_ENTRY_SIZE(desc->baser);
	bool indirect = desc->baser & GITS_BASER_INDIRECT;
	u64 size, type = GITS_BASER_TYPE(desc->baser);
	void *staging;
	int ret;

	table->page_size = its_staging_page_size(desc->baser);
	if (table->page_size == SZ_64K)
		table->phys = GITS_BASER_ADDR_48_to_52(desc->baser);
	else
		table->phys = desc->baser & GENMASK_ULL(47, 12);

	/*
	 * The driver's memory is elsewhere if the register dropped address bits. No driver has a
	 * two-level table of collections.
	 */
	if (table->phys != desc->base || !IS_ALIGNED(table->phys, table->page_size) ||
	    indirect != !!desc->staging || (indirect && type == GITS_BASER_TYPE_COLLECTION))
		return -EINVAL;

	if (type == GITS_BASER_TYPE_VCPU && its_find_vpe_table(table->phys))
		return its_share_vpe_table(its, desc->baser, table->phys);

	size = (u64)GITS_BASER_NR_PAGES(desc->baser) * table->page_size;
	ret = its_donate_pages(its, table->phys, ALIGN(size, PAGE_SIZE));
	if (ret)
		return ret;

	table->size = ALIGN(size, PAGE_SIZE);
	if (!indirect) {
		table->nr_ids = size / entry_size;
		return 0;
	}

	table->ids_shift = ilog2(table->page_size / entry_size);
	if (BIT(table->ids_shift) * entry_size != table->page_size)
		return -EINVAL;

	table->nr_ids = size / GITS_LVL1_ENTRY_SIZE << table->ids_shift;
	table->level1 = hyp_phys_to_virt(table->phys);
	table->level2_size = ALIGN(table->page_size, PAGE_SIZE);
	if (type == GITS_BASER_TYPE_DEVICE)
		table->level2_size = its_staging_level2_size(desc->baser);

	ret = its_pin(desc->staging, table->size, &staging);
	if (ret)
		return ret;

	table->staging = staging;

	return its_take_level2_pages(its, table, size / GITS_LVL1_ENTRY_SIZE);
}

static int its_take_tables(struct hyp_its *its, const struct its_staging_desc *desc)
{
	u64 nr_collections = 0;
	int i, ret;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		struct hyp_its_table *table = &its->tables[i];
		u64 baser = gits_read_baser(its->base + GITS_BASER + i * sizeof(u64));

		if (!(baser & GITS_BASER_VALID)) {
			if (desc->tables[i].baser)
				return -EINVAL;
			continue;
		}

		if (baser != desc->tables[i].baser)
			return -EINVAL;

		ret = its_take_table(its, table, &desc->tables[i]);
		if (!ret && GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_DEVICE && its->devices)
			ret = -EINVAL;
		if (ret)
			return ret;

		table->baser = baser;
		if (GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_DEVICE)
			its->devices = table;
		else if (GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_COLLECTION)
			nr_collections = table->nr_ids;
		else if (GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_VCPU && !its->vpes)
			its->vpes = table;
	}

	if (!(desc->typer & GITS_TYPER_VLPIS))
		its->vpes = NULL;

	/* ICIDs are 16 bits in commands. Those below HCC take no room in the table. */
	its->nr_icids = min_t(u64, SZ_64K, max_t(u64, nr_collections, GITS_TYPER_HCC(desc->typer)));

	return 0;
}

/* The devices, if there are no level-2 pages for them */
static int its_take_records(struct hyp_its *its, const struct its_staging_desc *desc, u64 pfn)
{
	u64 nr_pages = pkvm_its_flat_records_size(desc) >> PAGE_SHIFT;
	int ret;

	if (!nr_pages)
		return 0;

	ret = __pkvm_host_donate_hyp(pfn, nr_pages);
	if (ret)
		return ret;

	its->flat_records = hyp_phys_to_virt(hyp_pfn_to_phys(pfn));
	its->nr_record_pages = nr_pages;
	its->stats[PKVM_ITS_HELD_PAGES] += nr_pages;
	memset(its->flat_records, 0, nr_pages << PAGE_SHIFT);

	return 0;
}

static int its_check_queue(struct hyp_its *its, const struct its_staging_desc *desc)
{
	its->cbaser = gits_read_cbaser(its->base + GITS_CBASER);
	its->committed = hyp_phys_to_virt(desc->hw_queue);

	/* An ITS may take bits [15:12] of the address for zero (IHI 0069, GITS_CBASER). */
	if (!(its->cbaser & GITS_CBASER_VALID) || !IS_ALIGNED(desc->hw_queue, SZ_64K) ||
	    ((its->cbaser & 0xff) + 1) * SZ_4K != ITS_CMD_QUEUE_SZ ||
	    GITS_CBASER_ADDRESS(its->cbaser) != desc->hw_queue)
		return -EINVAL;

	return 0;
}

static void its_destroy(struct hyp_its *its)
{
	u64 pfn = hyp_virt_to_pfn(its), nr_pages = its->nr_pages;
	int i;

	if (its->staging)
		its_unpin((void *)its->staging, ITS_CMD_QUEUE_SZ);

	for (i = 0; i < GITS_BASER_NR_REGS; i++)
		its_destroy_table(its, &its->tables[i]);

	if (its->flat_records)
		WARN_ON(__pkvm_hyp_donate_host(hyp_virt_to_pfn(its->flat_records),
					       its->nr_record_pages));

	WARN_ON(__pkvm_hyp_donate_host(pfn, nr_pages));
}

/* A driver's quirks may lower the number of DeviceIDs, and raise the size of entries. */
static bool its_typer_is_sane(u64 typer, const struct its_staging_desc *desc)
{
	if ((typer ^ desc->typer) & ~(GITS_TYPER_DEVBITS | GITS_TYPER_ITT_ENTRY_SIZE))
		return false;

	return FIELD_GET(GITS_TYPER_DEVBITS, desc->typer) <= FIELD_GET(GITS_TYPER_DEVBITS, typer) &&
	       FIELD_GET(GITS_TYPER_ITT_ENTRY_SIZE, desc->typer) >=
	       FIELD_GET(GITS_TYPER_ITT_ENTRY_SIZE, typer);
}

static int its_init_one(struct hyp_its *its, const struct its_staging_desc *desc, u64 records_pfn)
{
	unsigned long base;
	void *staging;
	u64 typer;
	int ret;

	if (!IS_ALIGNED(desc->base, ITS_FRAME_SIZE) || !desc->lpi_bits || desc->lpi_bits > 24 ||
	    !desc->addr_bits || desc->addr_bits > 52 || desc->vpeid_bits > 16)
		return -EINVAL;

	/* EL2 puts the first one into its own SYNCs as it is. */
	if (!desc->nr_rdbases || desc->rdbases[0] & ~GITS_CMD2_RDBASE)
		return -EINVAL;

	its->phys = desc->base;
	its->addr_bits = desc->addr_bits;
	ret = __pkvm_create_private_mapping(desc->base, ITS_FRAME_SIZE, PAGE_HYP_DEVICE, &base);
	if (ret)
		return ret;

	its->base = (void __iomem *)base;
	typer = gic_read_typer(its->base + GITS_TYPER);
	if (!its_typer_is_sane(typer, desc))
		return -EINVAL;

	ret = its_check_queue(its, desc);
	if (ret)
		return ret;

	ret = its_take_tables(its, desc);
	if (ret)
		return ret;

	/* What GITS_TYPER promises, as far as the tables have room for it */
	its->nr_devices = BIT_ULL(FIELD_GET(GITS_TYPER_DEVBITS, desc->typer) + 1);
	if (its->devices)
		its->nr_devices = min(its->nr_devices, its->devices->nr_ids);

	its->event_bits = min_t(u32, FIELD_GET(GITS_TYPER_IDBITS, desc->typer) + 1,
				ITS_STAGING_MAX_EVENT_BITS);
	its->itt_entry_size = FIELD_GET(GITS_TYPER_ITT_ENTRY_SIZE, desc->typer) + 1;

	/* A GICv4.1 may ignore the upper bits of a vPEID: IHI 0069, GICD_TYPER2.VID. */
	if (its->vpes)
		its->vpes->nr_ids = min(its->vpes->nr_ids, BIT_ULL(desc->vpeid_bits));

	ret = its_take_records(its, desc, records_pfn);
	if (ret)
		return ret;

	ret = its_pin(desc->queue, ITS_CMD_QUEUE_SZ, &staging);
	if (ret)
		return ret;

	its->staging = staging;
	its->nr_rdbases = desc->nr_rdbases;
	its->rdbases = desc->rdbases;
	its->queue_noncoherent = desc->queue_noncoherent;
	its->nr_lpis = BIT(desc->lpi_bits);
	its->lpi_bits = desc->lpi_bits;
	its->typer = desc->typer;
	its->vlpi_rdbase_offset = desc->vlpi_rdbase_offset;

	/* From now on, writes of the host to the control frame get to EL2. */
	return mmio_guard_add(its->phys, ITS_FRAME_SIZE, &its_guard_ops, its);
}

/**
 * __pkvm_its_register - prepare the confinement of an ITS
 * @pfn: first page of the memory for EL2's state of it, with a struct its_staging_desc
 *	 behind the room for struct hyp_its
 * @nr_pages: number of pages
 * @records_pfn: first page of pkvm_its_flat_records_size() bytes, if that is not 0
 *
 * Takes the memory that the host does not access any more: tables and level-2 pages. The
 * command queue follows with __pkvm_its_activate().
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: an ID for the ITS, or a negative error, with nothing taken.
 */
int __pkvm_its_register(u64 pfn, u64 nr_pages, u64 records_pfn)
{
	struct hyp_its *its = hyp_phys_to_virt(hyp_pfn_to_phys(pfn));
	struct its_staging_desc *desc = (void *)(its + 1);
	u64 size = nr_pages << PAGE_SHIFT;
	int ret;

	if (nr_hyp_its == ARRAY_SIZE(hyp_its_nodes))
		return -ENOSPC;

	if (size < sizeof(*its) + sizeof(*desc))
		return -EINVAL;

	ret = __pkvm_host_donate_hyp(pfn, nr_pages);
	if (ret)
		return ret;

	memset(its, 0, sizeof(*its));
	hyp_spin_lock_init(&its->mem_lock);
	hyp_spin_lock_init(&its->lock);
	its->nr_pages = nr_pages;
	its->stats[PKVM_ITS_HELD_PAGES] = nr_pages;

	if (struct_size(desc, rdbases, desc->nr_rdbases) > size - sizeof(*its)) {
		ret = -EINVAL;
		goto err_destroy;
	}

	ret = its_init_one(its, desc, records_pfn);
	if (ret)
		goto err_destroy;

	its->id = nr_hyp_its;
	hyp_its_nodes[nr_hyp_its] = its;

	return nr_hyp_its++;

err_destroy:
	its_destroy(its);

	return ret;
}

/**
 * __pkvm_its_adopt_device - take over a device that is mapped already
 * @id: ID of the ITS
 * @dev_id: DeviceID
 * @event_bits: number of EventID bits
 * @itt: physical address of the ITT, which has its_staging_itt_size() bytes
 *
 * Context: the host is not deprivileged yet, and serialises the calls. To be called before
 * __pkvm_its_activate().
 * Return: 0 or a negative error.
 */
int __pkvm_its_adopt_device(u32 id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	struct hyp_its *its = hyp_its_get(id);
	struct hyp_its_device **slot;
	int ret;

	if (!its || its->active || !event_bits || event_bits > its->event_bits)
		return -EINVAL;

	slot = its_find_device(its, dev_id);
	if (!slot || *slot)
		return -EINVAL;

	ret = its_donate_pages(its, itt, its_staging_itt_size(its->itt_entry_size, event_bits));
	if (ret)
		return ret;

	*slot = its_init_device(its, event_bits, itt, HYP_ITS_DEVICE_MAPPED);

	return 0;
}

/**
 * __pkvm_its_activate - commit commands from the staging queue from now on
 * @id: ID of the ITS
 * @offset: where the read and the write pointer are, in bytes
 *
 * Context: the host is not deprivileged yet, and does not let anyone post commands
 * meanwhile. Takes constant time.
 * Return: 0 or a negative error, with nothing changed.
 */
int __pkvm_its_activate(u32 id, u32 offset)
{
	struct hyp_its *its = hyp_its_get(id);
	int ret;

	if (!its || its->active)
		return -EINVAL;

	if (!IS_ALIGNED(offset, sizeof(struct its_cmd_block)) || offset >= ITS_CMD_QUEUE_SZ)
		return -EINVAL;

	if (readl_relaxed(its->base + GITS_CREADR) != offset ||
	    readl_relaxed(its->base + GITS_CWRITER) != offset ||
	    !its_bases_match(its))
		return -EBUSY;

	ret = its_donate_pages(its, hyp_virt_to_phys(its->committed), ITS_CMD_QUEUE_SZ);
	if (ret)
		return ret;

	its_start_queue(its, offset / sizeof(struct its_cmd_block));
	its->ctlr = readl_relaxed(its->base + GITS_CTLR);
	its->active = true;

	return 0;
}

/**
 * __pkvm_its_adopt_event - take over an event that is mapped already
 * @id: ID of an ITS that is active
 * @dev_id: DeviceID of a device that was adopted
 * @event_id: EventID
 *
 * Context: the host is not deprivileged yet, and does not let anyone post commands
 * meanwhile.
 * Return: 0 or -EINVAL.
 */
int __pkvm_its_adopt_event(u32 id, u32 dev_id, u32 event_id)
{
	struct hyp_its *its = hyp_its_get(id);
	struct hyp_its_device **slot;

	if (!its || !its->active)
		return -EINVAL;

	slot = its_find_device(its, dev_id);
	if (!slot || !*slot || event_id >> (*slot)->event_bits)
		return -EINVAL;

	its_set_event(*slot, event_id, true);

	return 0;
}

/**
 * __pkvm_its_unregister - undo __pkvm_its_register() and __pkvm_its_adopt_device()
 * @id: ID of the ITS that was registered last, and is not active
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: 0 or -EINVAL.
 */
int __pkvm_its_unregister(u32 id)
{
	struct hyp_its *its = hyp_its_get(id);
	struct hyp_its_device **slot;
	u64 dev_id;

	if (!its || its->active || id != nr_hyp_its - 1)
		return -EINVAL;

	for (dev_id = 0; dev_id < its->nr_devices; dev_id++) {
		slot = its_find_device(its, dev_id);
		if (!slot)	/* nor is there for any other in the same level-2 page */
			dev_id |= BIT_ULL(its->devices->ids_shift) - 1;
		else if (*slot)
			its_return_pages(its, (*slot)->itt,
					 its_staging_itt_size(its->itt_entry_size,
							      (*slot)->event_bits));
	}

	nr_hyp_its--;
	mmio_guard_remove(its->phys);
	its_destroy(its);

	return 0;
}

/* One that is not active: reads are harmless, writes are ignored. */
static struct hyp_its its_fenced;

/**
 * __pkvm_its_fence - keep the host from using an ITS that it does not drive
 * @base: physical address of the control frame
 * @present: the ITS is there, and its registers can be accessed
 *
 * An enabled ITS cannot be fenced: firmware, or a driver that failed, has set it up, and it
 * is not known what memory it uses.
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: 0, -EBUSY if the ITS is not quiescent, or another negative error.
 */
int __pkvm_its_fence(phys_addr_t base, bool present)
{
	unsigned long va;
	int ret;

	if (present) {
		ret = __pkvm_create_private_mapping(base, ITS_FRAME_SIZE, PAGE_HYP_DEVICE, &va);
		if (ret)
			return ret;

		if (!its_is_quiescent((void __iomem *)va))
			return -EBUSY;
	}

	return mmio_guard_add(base, ITS_FRAME_SIZE, &its_guard_ops, &its_fenced);
}
