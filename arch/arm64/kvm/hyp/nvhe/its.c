// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confinement of GICv3 ITSs: hand-over, registers, ownership of memory.
 *
 * The host registers each ITS, and activates it, before it is deprivileged. What it
 * says then is believed, and still checked against the hardware's registers: a driver
 * that is mistaken must not leave a hole either. From activation on, EL2 owns the
 * memory that the hardware reads and writes, and the control frame is a guarded MMIO
 * region.
 *
 * Locks: hyp_its::lock, then those of mem_protect.c.
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
#include <asm/kvm_hypevents.h>
#include <asm/kvm_mmu.h>

#include <nvhe/its.h>
#include <nvhe/mem_protect.h>
#include <nvhe/memory.h>
#include <nvhe/mm.h>
#include <nvhe/mmio_guard.h>

#define ITS_FRAME_SIZE		SZ_64K

/* No ITS needs that much state: a limit for the arithmetic */
#define ITS_STATE_MAX_PAGES	BIT(20)

/* What is not RO or RES0 in GITS_CTLR */
#define ITS_CTLR_RW		(GITS_CTLR_ENABLE | GITS_CTLR_ImDe | GITS_CTLR_ITS_NUMBER)

/*
 * How often an entry to EL2 reads GITS_CREADR in the hope for commands that release
 * memory. Hardware takes a handful; after that the release is deferred.
 */
#define ITS_WAIT_BUDGET		4096

/*
 * How much memory an entry to EL2 takes, and zeroes, at most, and how much of ITTs it gives
 * back. Drivers map or unmap one device at a time, which takes half of it if the device has
 * as many events as EL2 lets it have.
 */
#define ITS_TAKE_BUDGET		SZ_2M
#define ITS_RELEASE_BUDGET	SZ_2M

/* Only grows, and only before the host is deprivileged, when calls are serialised. */
static struct hyp_its *hyp_its_nodes[MMIO_GUARD_MAX];
static unsigned int nr_hyp_its;
static bool pvms_refused;

#ifdef CONFIG_PKVM_ITS_REFERENCE
/* Set by the host, from its command line, before it is deprivileged */
bool pkvm_its_reference;
#endif

static struct hyp_its *cmd_to_its(struct its_cmd_queue *q)
{
	return container_of(q, struct hyp_its, cmd);
}

static bool its_drives(struct hyp_its *its, phys_addr_t phys, u64 size)
{
	return !((phys + size - 1) >> its->addr_bits);
}

/* Is this memory that a command may have EL2 take? */
static int its_check_taking(struct hyp_its *its, phys_addr_t phys, u64 size)
{
	if (!its_drives(its, phys, size))
		return -EINVAL;

	if (size > its->take_budget)
		return -ENOMEM;

	its->take_budget -= size;

	return 0;
}

static int its_take_itt(struct its_cmd_queue *q, phys_addr_t itt, u64 size)
{
	int ret = its_check_taking(cmd_to_its(q), itt, size);

	if (ret)
		return ret;

	ret = __pkvm_host_donate_itt(itt, size);
	if (ret < 0)
		return ret;

	q->stats[PKVM_ITS_HELD_PAGES] += ret;

	/* The attributes the ITS accesses ITTs with are its own business. */
	memset(hyp_phys_to_virt(itt), 0, size);
	kvm_flush_dcache_to_poc(hyp_phys_to_virt(itt), size);

	return 0;
}

/* A page that ITTs of two ITSs share counts for the one and may go with the other. */
static void its_release_itt(struct its_cmd_queue *q, phys_addr_t itt, u64 size)
{
	u64 *held = &q->stats[PKVM_ITS_HELD_PAGES];
	int nr_pages = __pkvm_itt_donate_host(itt, size);

	if (nr_pages > 0)
		*held -= min_t(u64, *held, nr_pages);
}

/* An ITS page may be smaller than one of ours: what lies around it comes along. */
static int its_donate_pages(struct its_cmd_queue *q, phys_addr_t phys, u64 size)
{
	u64 start = ALIGN_DOWN(phys, PAGE_SIZE), end = ALIGN(phys + size, PAGE_SIZE);
	int ret;

	ret = __pkvm_host_donate_hyp(hyp_phys_to_pfn(start), (end - start) >> PAGE_SHIFT);
	if (!ret)
		q->stats[PKVM_ITS_HELD_PAGES] += (end - start) >> PAGE_SHIFT;

	return ret;
}

static void its_return_pages(phys_addr_t phys, u64 size)
{
	u64 start = ALIGN_DOWN(phys, PAGE_SIZE), end = ALIGN(phys + size, PAGE_SIZE);

	WARN_ON(__pkvm_hyp_donate_host(hyp_phys_to_pfn(start), (end - start) >> PAGE_SHIFT));
}

static int its_take_page(struct its_cmd_queue *q, phys_addr_t phys, u64 size)
{
	int ret = its_check_taking(cmd_to_its(q), phys, size);

	if (!ret)
		ret = its_donate_pages(q, phys, size);
	if (ret)
		return ret;

	memset(hyp_phys_to_virt(phys), 0, size);
	kvm_flush_dcache_to_poc(hyp_phys_to_virt(phys), size);

	return 0;
}

static void its_clean(void *addr, size_t size)
{
	kvm_flush_dcache_to_poc(addr, size);
}

static bool its_read_creadr(struct its_cmd_queue *q, u32 *offset)
{
	struct hyp_its *its = cmd_to_its(q);

	*offset = readl_relaxed(its->base + GITS_CREADR) & GENMASK(19, 5);

	/*
	 * An ITS that lost power has CREADR at zero, whatever it has executed. Firmware may
	 * have restored the registers, but does not enable the ITS. Checked last: it may
	 * happen meanwhile.
	 */
	return gits_read_cbaser(its->base + GITS_CBASER) == its->cbaser &&
	       readl_relaxed(its->base + GITS_CTLR) & GITS_CTLR_ENABLE;
}

static void its_write_cwriter(struct its_cmd_queue *q, u32 offset)
{
	struct hyp_its *its = cmd_to_its(q);

	/* Commands, tables and ITTs before the ITS gets to know of them */
	dsb(ishst);
	writel_relaxed(offset, its->base + GITS_CWRITER);
}

static bool its_wait(struct its_cmd_queue *q)
{
	struct hyp_its *its = cmd_to_its(q);

	if (!its->wait_budget)
		return false;

	its->wait_budget--;
	cpu_relax();

	return true;
}

static void its_refused(struct its_cmd_queue *q, const u64 *cmd, enum pkvm_its_stat reason)
{
	trace_its_refused(cmd_to_its(q)->phys, cmd[0], cmd[1], cmd[2], reason);
}

static const struct its_cmd_ops its_cmd_ops = {
	.take_itt	= its_take_itt,
	.release_itt	= its_release_itt,
	.take_page	= its_take_page,
	.clean		= its_clean,
	.read_creadr	= its_read_creadr,
	.write_cwriter	= its_write_cwriter,
	.wait		= its_wait,
	.refused	= its_refused,
};

static bool its_is_quiescent(struct hyp_its *its)
{
	u32 ctlr = readl_relaxed(its->base + GITS_CTLR);

	return (ctlr & (GITS_CTLR_ENABLE | GITS_CTLR_QUIESCENT)) == GITS_CTLR_QUIESCENT;
}

static u64 its_read_baser(struct hyp_its *its, int i)
{
	return gits_read_baser(its->base + GITS_BASER + i * sizeof(u64));
}

static bool its_bases_are_committed(struct hyp_its *its)
{
	int i;

	if (gits_read_cbaser(its->base + GITS_CBASER) != its->cbaser)
		return false;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		u64 baser = its_read_baser(its, i);

		if (its->tables[i].baser ? baser != its->tables[i].baser
					 : !!(baser & GITS_BASER_VALID))
			return false;
	}

	return true;
}

/*
 * What the hardware is about to execute must be what was committed last, not what an
 * earlier round has left in the queue. So CREADR must be where it was when the ITS was
 * last known to be alive. If it is not, then the queue has to begin anew.
 */
static bool its_pointers_are_committed(struct hyp_its *its)
{
	u32 creadr = readl_relaxed(its->base + GITS_CREADR) & GENMASK(19, 5);
	u32 cwriter = readl_relaxed(its->base + GITS_CWRITER) & GENMASK(19, 5);
	const struct its_cmd_queue *q = &its->cmd;

	return creadr == q->done * sizeof(struct its_cmd_block) &&
	       cwriter == q->next * sizeof(struct its_cmd_block);
}

/*
 * GITS_CTLR: enabling takes a quiescent ITS with everything where it belongs. The host
 * decides about Enabled, and about ImDe if it had that set when the ITS was activated.
 */
static bool its_handle_ctlr(struct hyp_its *its, u64 val, unsigned int size)
{
	u32 ctlr = readl_relaxed(its->base + GITS_CTLR);

	if (size != sizeof(u32))
		return false;

	if (ctlr & GITS_CTLR_ENABLE)
		its_cmd_reap(&its->cmd);
	else if ((val & GITS_CTLR_ENABLE) &&
		 (its->nr_suspending || its->suspended || !its_is_quiescent(its) ||
		  !its_bases_are_committed(its) || !its_pointers_are_committed(its)))
		return false;

	val &= GITS_CTLR_ENABLE | (its->ctlr & GITS_CTLR_ImDe);
	val |= its->ctlr & GITS_CTLR_ITS_NUMBER;
	writel_relaxed((ctlr & ~ITS_CTLR_RW) | val, its->base + GITS_CTLR);

	return true;
}

/* Writing GITS_CBASER resets CREADR, so commands that have not been executed are gone. */
static void its_empty_queue(struct hyp_its *its)
{
	gits_write_cbaser(its->cbaser, its->base + GITS_CBASER);
	gits_write_cwriter(0, its->base + GITS_CWRITER);
	its_cmd_reset(&its->cmd);
}

/* GITS_CBASER: the host gets to say when, not what. After a suspend it has to say so. */
static bool its_handle_cbaser(struct hyp_its *its)
{
	if (its->nr_suspending || !its_is_quiescent(its))
		return false;

	its_empty_queue(its);
	its->suspended = false;

	return true;
}

/* GITS_BASER<n>: back to the committed value, or nothing. */
static bool its_handle_baser(struct hyp_its *its, int i, u64 val, u64 mask)
{
	u64 baser;

	i = array_index_nospec(i, GITS_BASER_NR_REGS);
	baser = its->tables[i].baser;
	if (!baser || ((val ^ baser) & mask) || !its_is_quiescent(its))
		return false;

	gits_write_baser(baser, its->base + GITS_BASER + i * sizeof(u64));

	return true;
}

/*
 * GITS_CWRITER: the offset is in the lower half, the upper half is RES0. A write of the
 * upper half alone changes nothing. After a suspend, firmware may have the ITS run with
 * pointers of its own: the queue stays empty until the host has begun it anew.
 */
static bool its_handle_cwriter(struct hyp_its *its, u64 val, u64 mask)
{
	if (!(mask & GENMASK_ULL(31, 0)) || its->suspended)
		return false;

	its_cmd_process(&its->cmd, val);

	return true;
}

/*
 * A write to the control frame. IHI 0069, ITS register descriptions: all registers that
 * matter here are 64 bits wide and may be written by halves, but for GITS_CTLR.
 */
static void its_guard_write(void *priv, u64 offset, u64 val, unsigned int size)
{
	u64 reg = ALIGN_DOWN(offset, sizeof(u64)), mask = GENMASK_ULL(63, 0);
	struct hyp_its *its = priv;
	bool done = false;

	if (size == sizeof(u32)) {
		unsigned int shift = (offset & sizeof(u32)) * BITS_PER_BYTE;

		mask = GENMASK_ULL(31, 0) << shift;
		val <<= shift;
	}

	hyp_spin_lock(&its->lock);

	its->wait_budget = ITS_WAIT_BUDGET;
	its->take_budget = ITS_TAKE_BUDGET;
	its->cmd.release_budget = ITS_RELEASE_BUDGET;
	its->cmd.stats[PKVM_ITS_WRITES]++;

	if (!its->active)
		goto unlock;

	if (offset == GITS_CTLR)
		done = its_handle_ctlr(its, val, size);
	else if (reg == GITS_CBASER)
		done = its_handle_cbaser(its);
	else if (reg == GITS_CWRITER)
		done = its_handle_cwriter(its, val, mask);
	else if (reg >= GITS_BASER && reg < GITS_BASER + GITS_BASER_NR_REGS * sizeof(u64))
		done = its_handle_baser(its, (reg - GITS_BASER) / sizeof(u64), val, mask);

unlock:
	if (!done)
		its->cmd.stats[PKVM_ITS_WRITES_IGNORED]++;

	hyp_spin_unlock(&its->lock);
}

static const struct mmio_guard_ops its_guard_ops = {
	.write	= its_guard_write,
};

static u64 its_reference_read(void *priv, u64 offset, unsigned int size)
{
	struct hyp_its *its = priv;

	return size == sizeof(u32) ? readl_relaxed(its->base + offset)
				   : readq_relaxed(its->base + offset);
}

static const struct mmio_guard_ops its_reference_ops = {
	.read	= its_reference_read,
	.write	= its_guard_write,
};

static void its_unshare(void *virt, u64 size)
{
	u64 pfn = hyp_virt_to_pfn(virt), nr = size >> PAGE_SHIFT;

	while (nr--)
		WARN_ON(__pkvm_host_unshare_hyp(pfn + nr));
}

/**
 * its_pin - share memory of the host with EL2, and see to it that it stays shared
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

static void its_release_table(struct hyp_its_table *table)
{
	u32 i;

	for (i = 0; i < table->nr_level2; i++) {
		u64 entry = le64_to_cpu(table->cmd.l1[i]);

		if (entry & GITS_BASER_VALID)
			its_return_pages(entry & ~GITS_BASER_VALID, table->cmd.psz);
	}

	if (table->pinned)
		its_unpin(table->staging, table->size);

	if (table->taken)
		its_return_pages(table->phys, table->size);
}

static bool its_find_baser(u64 baser)
{
	unsigned int id, i;

	for (id = 0; id < nr_hyp_its; id++) {
		for (i = 0; hyp_its_nodes[id] && i < GITS_BASER_NR_REGS; i++) {
			if (hyp_its_nodes[id]->tables[i].baser == baser)
				return true;
		}
	}

	return false;
}

static int its_take_table(struct hyp_its *its, struct hyp_its_table *table,
			  const struct its_staging_table *desc)
{
	static const u32 psz[] = { SZ_4K, SZ_16K, SZ_64K, SZ_64K };
	u32 entry_size = GITS_BASER_ENTRY_SIZE(desc->baser);
	bool indirect = desc->baser & GITS_BASER_INDIRECT;
	u64 size, nr_l1;
	u32 per_page;
	int ret;

	table->cmd.psz = psz[FIELD_GET(GITS_BASER_PAGE_SIZE_MASK, desc->baser)];
	table->cmd.nc = !(desc->baser & GITS_BASER_SHAREABILITY_MASK);

	if (table->cmd.psz == SZ_64K)
		table->phys = GITS_BASER_ADDR_48_to_52(desc->baser);
	else
		table->phys = desc->baser & GENMASK_ULL(47, 12);

	size = (u64)GITS_BASER_NR_PAGES(desc->baser) * table->cmd.psz;
	table->size = ALIGN(size, PAGE_SIZE);

	/* Where the driver's memory is, not where a register that dropped bits says it is */
	if (table->phys != desc->base)
		return -EINVAL;

	if (!PAGE_ALIGNED(table->phys) || !IS_ALIGNED(table->phys, table->cmd.psz) ||
	    !its_drives(its, table->phys, table->size) || indirect != !!desc->staging)
		return -EINVAL;

	/* GICv4.1 ITSs may share their vPE table. It is with the one that came first. */
	if (GITS_BASER_TYPE(desc->baser) == GITS_BASER_TYPE_VCPU && its_find_baser(desc->baser))
		return 0;

	ret = its_donate_pages(&its->cmd, table->phys, table->size);
	if (ret)
		return ret;

	table->taken = true;

	if (!indirect) {
		table->cmd.nr_ids = size / entry_size;
		return 0;
	}

	per_page = table->cmd.psz / entry_size;
	if (!is_power_of_2(per_page))
		return -EINVAL;

	nr_l1 = size / GITS_LVL1_ENTRY_SIZE;
	table->cmd.ids_shift = ilog2(per_page);
	table->cmd.nr_ids = nr_l1 << table->cmd.ids_shift;
	table->cmd.l1 = hyp_phys_to_virt(table->phys);

	ret = its_pin(desc->staging, table->size, &table->staging);
	if (ret)
		return ret;

	table->pinned = true;
	table->cmd.staging = table->staging;

	for (; table->nr_level2 < nr_l1; table->nr_level2++) {
		u64 entry = le64_to_cpu(table->cmd.l1[table->nr_level2]);
		phys_addr_t phys;

		if (!(entry & GITS_BASER_VALID))
			continue;

		ret = its_cmd_check_level2(&table->cmd, entry, &phys);
		if (!ret && !its_drives(its, phys, table->cmd.psz))
			ret = -EINVAL;
		if (!ret)
			ret = its_donate_pages(&its->cmd, phys, table->cmd.psz);
		if (ret)
			return ret;
	}

	return 0;
}

static int its_take_tables(struct hyp_its *its, const struct its_staging_desc *desc)
{
	int i, ret;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		struct hyp_its_table *table = &its->tables[i];
		u64 baser = its_read_baser(its, i);

		if (!(baser & GITS_BASER_VALID)) {
			if (desc->tables[i].baser)
				return -EINVAL;
			continue;
		}

		if (baser != desc->tables[i].baser)
			return -EINVAL;

		ret = its_take_table(its, table, &desc->tables[i]);
		if (ret)
			return ret;

		table->baser = baser;
		if (GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_DEVICE)
			its->cmd.devices = table->cmd;
		else if (GITS_BASER_TYPE(baser) == GITS_BASER_TYPE_COLLECTION)
			its->cmd.collections = table->cmd;
	}

	return 0;
}

/* What GITS_TYPER promises, as far as the tables have room for it */
static void its_set_limits(struct hyp_its *its, u64 typer)
{
	u64 nr_ids = BIT_ULL(FIELD_GET(GITS_TYPER_DEVBITS, typer) + 1);
	struct its_cmd_queue *q = &its->cmd;

	q->devices.nr_ids = q->devices.nr_ids ? min(q->devices.nr_ids, nr_ids) : nr_ids;

	/* ICIDs are 16 bits in commands. Those below HCC take no room in the table. */
	q->nr_hw_icids = GITS_TYPER_HCC(typer);
	q->nr_icids = min_t(u64, SZ_64K, max_t(u64, q->collections.nr_ids, q->nr_hw_icids));
	q->event_bits = min_t(u32, FIELD_GET(GITS_TYPER_IDBITS, typer) + 1, ITS_CMD_MAX_EVENT_BITS);
	q->itt_entry_size = FIELD_GET(GITS_TYPER_ITT_ENTRY_SIZE, typer) + 1;
}

static bool its_rdbases_are_sorted(const struct its_staging_desc *desc)
{
	u32 i;

	for (i = 0; i < desc->nr_rdbases; i++) {
		if (desc->rdbases[i] & ~GENMASK_ULL(51, 16))
			return false;

		if (i && desc->rdbases[i] <= desc->rdbases[i - 1])
			return false;
	}

	return i;
}

/*
 * The memory that struct hyp_its is at the start of has more behind it: the descriptor, of
 * which the RDbases are kept, the releases and the top level of the device records.
 */
static int its_place_state(struct hyp_its *its, const struct its_staging_desc *desc)
{
	u64 releases, records, size = its->nr_pages << PAGE_SHIFT;
	struct its_cmd_queue *q = &its->cmd;
	u64 pos;

	pos = ALIGN(sizeof(*its) + struct_size(desc, rdbases, desc->nr_rdbases), sizeof(u64));
	releases = pkvm_its_releases_size(its->queue_size);
	records = pkvm_its_records_size(q->devices.nr_ids);

	if (pos > size || releases > size - pos || records > size - pos - releases)
		return -EINVAL;

	q->nr_rdbases = desc->nr_rdbases;
	q->rdbases = desc->rdbases;
	q->releases = (void *)its + pos;
	q->records = (void *)its + pos + releases;
	memset(q->releases, 0, releases + records);

	return 0;
}

static int its_check_queue(struct hyp_its *its, const struct its_staging_desc *desc)
{
	its->cbaser = gits_read_cbaser(its->base + GITS_CBASER);
	its->queue_phys = GITS_CBASER_ADDRESS(its->cbaser);
	its->queue_size = ((its->cbaser & 0xff) + 1) * SZ_4K;

	if (!(its->cbaser & GITS_CBASER_VALID) || its->cbaser != desc->cbaser)
		return -EINVAL;

	/* Where the driver's memory is, not where a register that dropped bits says it is */
	if (its->queue_phys != desc->hw_queue)
		return -EINVAL;

	/* IHI 0069, GITS_CBASER: an ITS may take bits [15:12] of the address for zero. */
	if (!IS_ALIGNED(its->queue_phys, SZ_64K) || !PAGE_ALIGNED(its->queue_size) ||
	    !its_drives(its, its->queue_phys, its->queue_size))
		return -EINVAL;

	return 0;
}

static void its_release(struct hyp_its *its)
{
	u64 pfn = hyp_virt_to_pfn(its), nr_pages = its->nr_pages;
	int i;

	if (its->guarded) {
		mmio_guard_remove(its->phys);
		WARN_ON(host_stage2_guard_mmio(its->phys, ITS_FRAME_SIZE));
	}

	if (its->queue_pinned)
		its_unpin((void *)its->cmd.staging, its->queue_size);

	for (i = 0; i < GITS_BASER_NR_REGS; i++)
		its_release_table(&its->tables[i]);

	WARN_ON(__pkvm_hyp_donate_host(pfn, nr_pages));
}

/* A driver's quirks may lower the number of DeviceIDs, and raise the size of entries. */
static bool its_typer_is_sane(u64 typer, const struct its_staging_desc *desc)
{
	u32 size = FIELD_GET(GITS_TYPER_ITT_ENTRY_SIZE, desc->typer);

	if ((typer ^ desc->typer) & ~(GITS_TYPER_DEVBITS | GITS_TYPER_ITT_ENTRY_SIZE))
		return false;

	return FIELD_GET(GITS_TYPER_DEVBITS, desc->typer) <= FIELD_GET(GITS_TYPER_DEVBITS, typer) &&
	       size >= FIELD_GET(GITS_TYPER_ITT_ENTRY_SIZE, typer) &&
	       desc->itt_entry_size == size + 1;
}

static int its_init_one(struct hyp_its *its, const struct its_staging_desc *desc)
{
	struct its_cmd_queue *q = &its->cmd;
	unsigned long base;
	void *staging;
	u64 typer;
	int ret;

	if (!IS_ALIGNED(desc->base, ITS_FRAME_SIZE) || !desc->lpi_bits || desc->lpi_bits > 24 ||
	    !desc->addr_bits || desc->addr_bits > 52)
		return -EINVAL;

	if (!its_rdbases_are_sorted(desc))
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

	its_set_limits(its, desc->typer);
	ret = its_place_state(its, desc);
	if (ret)
		return ret;

	ret = its_pin(desc->queue, its->queue_size, &staging);
	if (ret)
		return ret;

	q->staging = staging;
	its->queue_pinned = true;

	q->ops = &its_cmd_ops;
	q->committed = hyp_phys_to_virt(its->queue_phys);
	q->nr_cmds = its->queue_size / sizeof(struct its_cmd_block);
	q->queue_nc = desc->queue_nc;
	q->one_by_one = pkvm_its_is_reference();
	q->nr_lpis = BIT(desc->lpi_bits);

	ret = mmio_guard_add(its->phys, ITS_FRAME_SIZE,
			     pkvm_its_is_reference() ? &its_reference_ops : &its_guard_ops, its);
	if (ret)
		return ret;

	ret = host_stage2_guard_mmio(its->phys, ITS_FRAME_SIZE);
	if (ret)
		mmio_guard_remove(its->phys);
	else
		its->guarded = true;

	return ret;
}

/**
 * __pkvm_its_register - prepare the confinement of an ITS
 * @pfn: first page of the memory for EL2's state of it, with a struct its_staging_desc
 *	 behind the room for struct hyp_its
 * @nr_pages: number of pages
 *
 * Takes the memory that the host does not access any more: tables and level-2 pages. The
 * command queue follows with __pkvm_its_activate().
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: an ID for the ITS, or a negative error, with nothing taken.
 */
int __pkvm_its_register(u64 pfn, u64 nr_pages)
{
	struct hyp_its *its = hyp_phys_to_virt(hyp_pfn_to_phys(pfn));
	struct its_staging_desc *desc = (void *)(its + 1);
	u64 size = nr_pages << PAGE_SHIFT;
	int ret;

	if (nr_hyp_its == ARRAY_SIZE(hyp_its_nodes))
		return -ENOSPC;

	if (nr_pages > ITS_STATE_MAX_PAGES || size < sizeof(*its) + sizeof(*desc))
		return -EINVAL;

	ret = __pkvm_host_donate_hyp(pfn, nr_pages);
	if (ret)
		return ret;

	memset(its, 0, sizeof(*its));
	hyp_spin_lock_init(&its->lock);
	its->nr_pages = nr_pages;
	its->cmd.stats[PKVM_ITS_HELD_PAGES] = nr_pages;

	if (struct_size(desc, rdbases, desc->nr_rdbases) > size - sizeof(*its)) {
		ret = -EINVAL;
		goto err_release;
	}

	ret = its_init_one(its, desc);
	if (ret)
		goto err_release;

	hyp_its_nodes[nr_hyp_its] = its;

	return nr_hyp_its++;

err_release:
	its_release(its);

	return ret;
}

static struct hyp_its *its_get(u32 id)
{
	if (id >= nr_hyp_its)
		return NULL;

	return hyp_its_nodes[array_index_nospec(id, nr_hyp_its)];
}

/**
 * __pkvm_its_map_device - take over a device that is mapped already
 * @id: ID of the ITS
 * @dev_id: DeviceID, with room for its record
 * @event_bits: number of EventID bits
 * @itt: physical address of the ITT
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: 0 or a negative error.
 */
int __pkvm_its_map_device(u32 id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	struct hyp_its *its = its_get(id);
	struct its_cmd_queue *q;
	int nr_pages, ret;
	u64 size;

	if (!its || its->active || !event_bits || event_bits > its->cmd.event_bits)
		return -EINVAL;

	q = &its->cmd;
	size = its_cmd_itt_size(q, event_bits);
	if (!its_drives(its, itt, size))
		return -EINVAL;

	nr_pages = __pkvm_host_donate_itt(itt, size);
	if (nr_pages < 0)
		return nr_pages;

	ret = its_cmd_map_device(q, dev_id, event_bits, itt);
	if (ret) {
		__pkvm_itt_donate_host(itt, size);
		return ret;
	}

	q->stats[PKVM_ITS_HELD_PAGES] += nr_pages;

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
	struct hyp_its *its = its_get(id);
	int ret;

	if (!its || its->active)
		return -EINVAL;

	if (!IS_ALIGNED(offset, sizeof(struct its_cmd_block)) || offset >= its->queue_size)
		return -EINVAL;

	if (readl_relaxed(its->base + GITS_CREADR) != offset ||
	    readl_relaxed(its->base + GITS_CWRITER) != offset ||
	    !its_bases_are_committed(its))
		return -EBUSY;

	ret = its_donate_pages(&its->cmd, its->queue_phys, its->queue_size);
	if (ret)
		return ret;

	its_cmd_start(&its->cmd, offset / sizeof(struct its_cmd_block));
	its->ctlr = readl_relaxed(its->base + GITS_CTLR);
	its->active = true;

	return 0;
}

/**
 * __pkvm_its_unregister - undo __pkvm_its_register() and __pkvm_its_map_device()
 * @id: ID of an ITS that is not active
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: 0 or -EINVAL.
 */
int __pkvm_its_unregister(u32 id)
{
	struct hyp_its *its = its_get(id);
	void *page;

	if (!its || its->active)
		return -EINVAL;

	its_cmd_unmap_devices(&its->cmd);
	while ((page = its_cmd_pop_record_page(&its->cmd)))
		WARN_ON(__pkvm_hyp_donate_host(hyp_virt_to_pfn(page), 1));

	hyp_its_nodes[id] = NULL;
	its_release(its);

	return 0;
}

/* The host has no business with this ITS: reads are harmless, writes go nowhere. */
static void its_fence_write(void *priv, u64 offset, u64 val, unsigned int size)
{
}

static const struct mmio_guard_ops its_fence_ops = {
	.write	= its_fence_write,
};

/**
 * __pkvm_its_fence - keep the host from using an ITS that it does not drive
 * @base: physical address of the control frame
 * @present: the ITS is there, and its registers can be accessed
 *
 * An ITS that is running, on whatever firmware or a driver that gave up has left to it, is
 * beyond help: nobody knows who the memory belongs to by now.
 *
 * Context: the host is not deprivileged yet, and serialises the calls.
 * Return: 0, -EBUSY if the ITS is not quiescent, or another negative error.
 */
int __pkvm_its_fence(phys_addr_t base, bool present)
{
	unsigned long va;
	u32 ctlr;
	int ret;

	if (present) {
		ret = __pkvm_create_private_mapping(base, ITS_FRAME_SIZE, PAGE_HYP_DEVICE, &va);
		if (ret)
			return ret;

		ctlr = readl_relaxed((void __iomem *)va + GITS_CTLR);
		if ((ctlr & (GITS_CTLR_ENABLE | GITS_CTLR_QUIESCENT)) != GITS_CTLR_QUIESCENT)
			return -EBUSY;
	}

	ret = mmio_guard_add(base, ITS_FRAME_SIZE, &its_fence_ops, NULL);
	if (ret)
		return ret;

	ret = host_stage2_guard_mmio(base, ITS_FRAME_SIZE);
	if (ret)
		mmio_guard_remove(base);

	return ret;
}

static bool its_suspend_one(struct hyp_its *its)
{
	bool quiescent;

	hyp_spin_lock(&its->lock);
	quiescent = !its->active || its_is_quiescent(its);
	if (quiescent)
		its->nr_suspending++;
	hyp_spin_unlock(&its->lock);

	return quiescent;
}

/* Whatever firmware restores, the ITS finds an empty queue of SYNCs. */
static void its_empty_for_suspend(struct hyp_its *its)
{
	hyp_spin_lock(&its->lock);
	if (its->active) {
		its_empty_queue(its);
		its->suspended = true;
	}
	hyp_spin_unlock(&its->lock);
}

static void its_resume_one(struct hyp_its *its)
{
	hyp_spin_lock(&its->lock);
	its->nr_suspending--;
	hyp_spin_unlock(&its->lock);
}

/**
 * pkvm_its_suspend - keep the ITSs off while the system may lose power
 *
 * IHI 0069, GITS_CTLR.Quiescent: what an ITS has executed is sure to be in memory when it
 * is quiescent, and power may be removed then. Without power, one that is not forgets what
 * it holds: entries in memory may then be those of a device that has been unmapped, with
 * the address of an ITT that was released.
 *
 * Firmware may save the registers of an ITS and restore them, GITS_CTLR.Enabled included,
 * maybe as they were some time ago. So the queues are emptied, the pointers are zero, and
 * each slot holds a SYNC: whatever the ITS executes once more does no harm. Nor can it pass
 * for having executed a command of EL2's: the queue stays empty until the host has disabled
 * the ITS and written GITS_CBASER.
 *
 * Context: the host is deprivileged; takes the lock of each ITS.
 * Return: true if all are quiescent. None can be enabled and no command committed until
 *	   as many calls of pkvm_its_resume() and a write of its GITS_CBASER. False if one
 *	   is not, with nothing changed.
 */
bool pkvm_its_suspend(void)
{
	u32 id;

	for (id = 0; id < nr_hyp_its; id++) {
		if (hyp_its_nodes[id] && !its_suspend_one(hyp_its_nodes[id]))
			goto err_resume;
	}

	/* They stay quiescent from here on. */
	for (id = 0; id < nr_hyp_its; id++) {
		if (hyp_its_nodes[id])
			its_empty_for_suspend(hyp_its_nodes[id]);
	}

	return true;

err_resume:
	while (id--) {
		if (hyp_its_nodes[id])
			its_resume_one(hyp_its_nodes[id]);
	}

	return false;
}

/**
 * pkvm_its_resume - undo pkvm_its_suspend()
 *
 * Context: the host is deprivileged; takes the lock of each ITS.
 */
void pkvm_its_resume(void)
{
	u32 id;

	for (id = 0; id < nr_hyp_its; id++) {
		if (hyp_its_nodes[id])
			its_resume_one(hyp_its_nodes[id]);
	}
}

/**
 * __pkvm_its_refuse_pvms - have EL2 refuse protected VMs
 *
 * For a host that could not have its ITSs confined. There is no way back.
 *
 * Context: the host is not deprivileged yet.
 */
void __pkvm_its_refuse_pvms(void)
{
	pvms_refused = true;
}

/**
 * pkvm_its_pvms_refused - tell whether an ITS may reach the memory of protected VMs
 *
 * Return: true if the host said so with __pkvm_its_refuse_pvms().
 */
bool pkvm_its_pvms_refused(void)
{
	return pvms_refused;
}

/**
 * __pkvm_its_post - do what a write of GITS_CWRITER does
 * @id: ID of the ITS, from the host
 * @cwriter: the value, from the host
 *
 * Context: any. For CPUs whose writes to GITS_CWRITER do not trap yet.
 * Return: 0 or -EINVAL.
 */
int __pkvm_its_post(u32 id, u64 cwriter)
{
	struct hyp_its *its = its_get(id);

	if (!its)
		return -EINVAL;

	its_guard_write(its, GITS_CWRITER, cwriter, sizeof(u64));

	return 0;
}

/**
 * __pkvm_its_add_page - make room for the record of a device
 * @id: ID of the ITS, from the host
 * @dev_id: DeviceID, from the host
 * @pfn: a page of the host's, from the host. Becomes EL2's
 *
 * Context: any; takes the lock of the ITS.
 * Return: 0 if the page was taken, -EEXIST if there is room already, or another negative
 *	   error. More than one page may be needed.
 */
int __pkvm_its_add_page(u32 id, u64 dev_id, u64 pfn)
{
	void *page = hyp_phys_to_virt(hyp_pfn_to_phys(pfn));
	struct hyp_its *its = its_get(id);
	int ret = -EINVAL;

	if (!its)
		return ret;

	hyp_spin_lock(&its->lock);

	if (dev_id >= its->cmd.devices.nr_ids)
		goto unlock;

	ret = -EEXIST;
	if (its_cmd_has_record(&its->cmd, dev_id))
		goto unlock;

	ret = __pkvm_host_donate_hyp(pfn, 1);
	if (ret)
		goto unlock;

	clear_page(page);
	its->cmd.stats[PKVM_ITS_HELD_PAGES]++;
	its_cmd_add_record_page(&its->cmd, dev_id, page);

unlock:
	hyp_spin_unlock(&its->lock);

	return ret;
}

/**
 * __pkvm_its_reclaim - see whether the memory of an ITT can be used again
 * @id: ID of the ITS, from the host
 * @itt: physical address, from the host
 * @size: bytes, from the host
 *
 * Context: any; takes the lock of the ITS.
 * Return: 0 if no part of the range is an ITT's, -EBUSY if some is, -EINVAL.
 */
int __pkvm_its_reclaim(u32 id, phys_addr_t itt, u64 size)
{
	struct hyp_its *its = its_get(id);

	if (!its)
		return -EINVAL;

	hyp_spin_lock(&its->lock);
	its->cmd.release_budget = ITS_RELEASE_BUDGET;
	if (its->cmd.nr_releases)
		its_cmd_reap(&its->cmd);
	hyp_spin_unlock(&its->lock);

	return __pkvm_itt_in_use(itt, size) ? -EBUSY : 0;
}

/**
 * __pkvm_its_stat - read a counter
 * @id: ID of the ITS, from the host
 * @nr: an enum pkvm_its_stat, from the host
 *
 * Context: any; takes the lock of the ITS.
 * Return: its value, 0 if there is no such counter.
 */
u64 __pkvm_its_stat(u32 id, u32 nr)
{
	struct hyp_its *its = its_get(id);
	u64 val;

	if (!its || nr >= PKVM_ITS_NR_STATS)
		return 0;

	nr = array_index_nospec(nr, PKVM_ITS_NR_STATS);
	hyp_spin_lock(&its->lock);
	val = its->cmd.stats[nr];
	hyp_spin_unlock(&its->lock);

	return val;
}
