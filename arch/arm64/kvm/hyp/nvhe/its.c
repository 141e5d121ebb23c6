// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confinement of GICv3 ITSs: registers, command queue, memory of devices.
 *
 * The host is not trusted. It writes commands to a staging queue, which may change at any
 * time and is read once. When it posts them (__pkvm_its_post(), or a write of GITS_CWRITER),
 * EL2 puts what its-cmd.c makes of each command into the queue that the hardware reads, in the
 * same slot: the host reads CREADR as it would without EL2. A refused command becomes a SYNC, as
 * the architecture lets an ITS ignore a command with an error (IHI 0069, Command errors).
 *
 * Memory moves by hypercall. Register writes wait neither for memory nor for the hardware.
 */

#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/irqchip/arm-gic-v3.h>
#include <linux/kvm_host.h>
#include <linux/math.h>
#include <linux/nospec.h>
#include <linux/string.h>

#include <asm/arch_gicv3.h>
#include <asm/kvm_hypevents.h>
#include <asm/kvm_mmu.h>

#include <nvhe/its.h>
#include <nvhe/mem_protect.h>
#include <nvhe/memory.h>
#include <nvhe/mmio_guard.h>
#include <nvhe/rdist.h>
#include <nvhe/vpe.h>

/* What is not RO or RES0 in GITS_CTLR */
#define ITS_CTLR_RW		(GITS_CTLR_ENABLE | GITS_CTLR_ImDe | GITS_CTLR_ITS_NUMBER)

/* What GITS_CREADR and GITS_CWRITER have of an offset */
#define ITS_OFFSET_MASK		GENMASK_ULL(19, 5)

#define ITS_NR_SLOTS		(ITS_CMD_QUEUE_SZ / sizeof(struct its_cmd_block))

/*
 * How many commands may be pending, as far as EL2 knows, before an entry looks at GITS_CREADR:
 * makes reads of the register rare. What an entry scrubs on behalf of those before it is about as
 * much where the driver posts a few at a time, and less than the queue in any case.
 */
#define ITS_PENDING_MAX		64

/*
 * Memory
 */

/**
 * its_drives - check that an ITS can address memory
 * @its: the ITS
 * @phys: physical address
 * @size: bytes, at least one
 *
 * Return: false if it would access other memory, with fewer address bits.
 */
bool its_drives(struct hyp_its *its, phys_addr_t phys, u64 size)
{
	u64 limit = BIT_ULL(its->addr_bits);

	return phys < limit && size <= limit - phys;
}

/**
 * its_donate_pages - take pages from the host
 * @its: the ITS to take them for
 * @phys: physical address, page-aligned
 * @size: bytes, a multiple of the page size
 *
 * Context: hyp_its::mem_lock held, or the host is not deprivileged yet.
 * Return: 0 or a negative error, with nothing taken.
 */
int its_donate_pages(struct hyp_its *its, phys_addr_t phys, u64 size)
{
	int ret;

	if (!PAGE_ALIGNED(phys) || !its_drives(its, phys, size))
		return -EINVAL;

	ret = __pkvm_host_donate_hyp(hyp_phys_to_pfn(phys), size >> PAGE_SHIFT);
	if (!ret)
		its->stats[PKVM_ITS_HELD_PAGES] += size >> PAGE_SHIFT;

	return ret;
}

/**
 * its_return_pages - undo its_donate_pages()
 * @its: the ITS
 * @phys: physical address
 * @size: bytes
 *
 * Context: as its_donate_pages().
 */
void its_return_pages(struct hyp_its *its, phys_addr_t phys, u64 size)
{
	WARN_ON(__pkvm_hyp_donate_host(hyp_phys_to_pfn(phys), size >> PAGE_SHIFT));
	its->stats[PKVM_ITS_HELD_PAGES] -= size >> PAGE_SHIFT;
}

/* An ITS trusts the contents of memory that it is given. */
static int its_donate_zeroed(struct hyp_its *its, phys_addr_t phys, u64 size)
{
	int ret = its_donate_pages(its, phys, size);

	if (ret)
		return ret;

	/* The attributes of ITT accesses are not known: clean to the point of coherency. */
	memset(hyp_phys_to_virt(phys), 0, size);
	kvm_flush_dcache_to_poc(hyp_phys_to_virt(phys), size);

	return 0;
}

/* Take the level-2 page that the host has for an ID in range. It stays with EL2. */
static int its_take_level2(struct hyp_its *its, struct hyp_its_table *table, u64 id)
{
	u64 entry, idx = id >> table->ids_shift;
	phys_addr_t phys;
	int ret;

	entry = le64_to_cpu(READ_ONCE(table->staging[idx]));
	phys = entry & ~GITS_BASER_VALID;
	/* Bits below the size of a page of the ITS are RES0 (IHI 0069, ITS tables). */
	if (!(entry & GITS_BASER_VALID) || !IS_ALIGNED(phys, table->page_size))
		return -EINVAL;

	ret = its_donate_zeroed(its, phys, table->level2_size);
	if (ret)
		return ret;

	hyp_spin_lock(&its->lock);
	WRITE_ONCE(table->level1[idx], cpu_to_le64(entry));
	hyp_spin_unlock(&its->lock);

	if (!(table->baser & GITS_BASER_SHAREABILITY_MASK))
		kvm_flush_dcache_to_poc(&table->level1[idx], sizeof(entry));

	return 0;
}

/**
 * its_prepare_vpe - take the level-2 page that a vPE needs to be mapped
 * @its: the ITS, which has a table of vPEs. ITSs may share one
 * @vpeid: vPEID
 *
 * Context: the lock that serialises preparing vPEs held; takes hyp_its::mem_lock.
 * Return: 0, -EINVAL if there is no room for the vPE, or another negative error.
 */
int its_prepare_vpe(struct hyp_its *its, u64 vpeid)
{
	struct hyp_its_table *table = its->vpes;
	__le64 *entry;
	int ret = 0;

	if (vpeid >= table->nr_ids)
		return -EINVAL;

	if (!table->level1)
		return 0;

	vpeid = array_index_nospec(vpeid, table->nr_ids);
	entry = &table->level1[vpeid >> table->ids_shift];
	hyp_spin_lock(&its->mem_lock);

	if (!(le64_to_cpu(*entry) & GITS_BASER_VALID))
		ret = its_take_level2(its, table, vpeid);
	/* GICv4.1: the redistributors read it, too. */
	if (!ret && its_is_v4_1(its) &&
	    !rdists_drive(le64_to_cpu(*entry) & ~GITS_BASER_VALID, table->level2_size))
		ret = -EINVAL;

	hyp_spin_unlock(&its->mem_lock);

	return ret;
}

/**
 * its_init_device - make the record of a device
 * @its: the ITS
 * @event_bits: number of EventID bits
 * @itt: physical address of the ITT, of which EL2 owns its_staging_itt_size() bytes
 * @state: its state
 *
 * Return: the record, which is in the memory behind the ITT, with no event mapped.
 */
struct hyp_its_device *its_init_device(struct hyp_its *its, u32 event_bits, phys_addr_t itt,
				       enum hyp_its_device_state state)
{
	struct hyp_its_device *device;

	device = hyp_phys_to_virt(itt) + its_staging_record_offset(its->itt_entry_size, event_bits);
	memset(device, 0, ITS_STAGING_RECORD_SIZE + its_staging_events_size(event_bits));
	device->itt = itt;
	device->state = state;
	device->event_bits = event_bits;
	device->discarded_at = U64_MAX;

	return device;
}

/**
 * __pkvm_its_prepare - take the memory that a device needs to be mapped
 * @id: ID of the ITS, from the host
 * @dev_id: DeviceID, from the host
 * @event_bits: number of EventID bits, from the host
 * @itt: physical address of memory for the ITT, of its_staging_itt_size() bytes, from the
 *	 host
 *
 * Also takes the level-2 page of the device table, if there is none yet; the host has its
 * address in the staging table. It is not given back if the ITT can't be taken.
 *
 * Context: any; takes hyp_its::mem_lock. The time it takes depends on the size of the ITT.
 * Return: 0; -EBUSY if the device is prepared already, -EINVAL if the ITS can't have such a
 *	   device or address such memory; or another negative error if the memory is not the
 *	   host's.
 */
int __pkvm_its_prepare(u32 id, u64 dev_id, u32 event_bits, phys_addr_t itt)
{
	struct hyp_its *its = hyp_its_get(id);
	struct hyp_its_device **slot;
	int ret;

	if (!its || !its->active || dev_id >= its->nr_devices ||
	    !event_bits || event_bits > its->event_bits)
		return -EINVAL;

	hyp_spin_lock(&its->mem_lock);

	slot = its_find_device(its, dev_id);
	if (!slot) {
		ret = its_take_level2(its, its->devices,
				      array_index_nospec(dev_id, its->nr_devices));
		if (ret)
			goto unlock;

		slot = its_find_device(its, dev_id);
	}

	ret = -EBUSY;
	if (*slot)
		goto unlock;

	ret = its_donate_zeroed(its, itt, its_staging_itt_size(its->itt_entry_size, event_bits));
	if (ret)
		goto unlock;

	hyp_spin_lock(&its->lock);
	*slot = its_init_device(its, event_bits, itt, HYP_ITS_DEVICE_PREPARED);
	hyp_spin_unlock(&its->lock);

unlock:
	hyp_spin_unlock(&its->mem_lock);

	return ret;
}

/*
 * The command queue
 */

static struct its_cmd_block *its_slot(const struct hyp_its *its, u64 nr)
{
	return &its->committed[nr % ITS_NR_SLOTS];
}

/* The number of the first command from @nr on whose slot is at an offset */
static u64 nr_at_offset(u64 nr, u64 offset)
{
	return nr + (offset / sizeof(struct its_cmd_block) - nr) % ITS_NR_SLOTS;
}

static u64 offset_of_nr(u64 nr)
{
	return nr % ITS_NR_SLOTS * sizeof(struct its_cmd_block);
}

static void write_slot(struct hyp_its *its, u64 nr, const struct its_cmd_block *cmd)
{
	struct its_cmd_block *slot = its_slot(its, nr);

	*slot = *cmd;
	if (its->queue_noncoherent)
		kvm_flush_dcache_to_poc(slot, sizeof(*slot));
}

/*
 * An ITS that loses power and gets its registers back may execute once more what it finds
 * in the queue, whatever has become of the memory that is named there. A SYNC names none.
 */
static void scrub_slots(struct hyp_its *its, u64 from, u64 to)
{
	const struct its_cmd_block sync = {
		.raw_cmd_le = { cpu_to_le64(GITS_CMD_SYNC), 0, cpu_to_le64(its->rdbases[0]), 0 },
	};

	for (; from != to; from++)
		write_slot(its, from, &sync);
}

/*
 * Find the last SYNC in [nr_done, nr), which has been executed: what is committed before it
 * has taken effect (IHI 0069, SYNC).
 */
static void note_sync(struct hyp_its *its, u64 nr)
{
	for (; nr != its->nr_done; nr--) {
		u64 cmd = le64_to_cpu(its_slot(its, nr - 1)->raw_cmd_le[0]);

		if (FIELD_GET(GITS_CMD0_NUMBER, cmd) == GITS_CMD_SYNC) {
			its->nr_synced = nr;
			return;
		}
	}
}

/*
 * See how far the hardware has got, and scrub what it has executed.
 *
 * An ITS that lost power has CREADR at zero, whatever it has executed. Firmware may have
 * restored the registers, but does not enable the ITS. That is checked last: it may happen
 * meanwhile. An offset that can't be is not believed.
 */
static void its_consume(struct hyp_its *its)
{
	u64 offset = readl_relaxed(its->base + GITS_CREADR) & ITS_OFFSET_MASK;
	u64 done = nr_at_offset(its->nr_done, offset);

	if (gits_read_cbaser(its->base + GITS_CBASER) != its->cbaser ||
	    !(readl_relaxed(its->base + GITS_CTLR) & GITS_CTLR_ENABLE))
		return;

	if (offset >= ITS_CMD_QUEUE_SZ || done > its->nr_committed)
		return;

	note_sync(its, done);
	scrub_slots(its, its->nr_done, done);
	WRITE_ONCE(its->nr_done, done);
}

/**
 * its_start_queue - begin with a queue that the host's driver has used
 * @its: the ITS, whose read and write pointers are both at @slot
 * @slot: where the next command goes to
 *
 * All of it counts as committed and not known to have been executed: the first entry that
 * looks at GITS_CREADR scrubs it. Takes constant time.
 *
 * Context: the host is not deprivileged yet.
 */
void its_start_queue(struct hyp_its *its, u32 slot)
{
	scrub_slots(its, slot, slot + 1);
	its->nr_done = slot + 1;
	its->nr_committed = ITS_NR_SLOTS + slot;
}

/*
 * Writing GITS_CBASER resets CREADR: commands that have not been executed never will be. If
 * one of them was to unmap a device, or to discard an event of it, then the hardware still has
 * that: the memory of the device stays with EL2 for good. If this happens more than once, all
 * in between counts as lost. No slot holds anything but a SYNC then. The ITS is quiescent: what
 * it has executed is in memory (IHI 0069, GITS_CTLR).
 */
static void its_empty_queue(struct hyp_its *its)
{
	if (its->nr_done != its->nr_committed) {
		if (!its->lost_to)
			its->lost_from = its->nr_done;
		/* Where the lost ones begin, before there are any */
		smp_wmb();
		WRITE_ONCE(its->lost_to, its->nr_committed);
	}

	/* See its_has_executed(): what is lost, before CREADR is reset */
	wmb();
	gits_write_cbaser(its->cbaser, its->base + GITS_CBASER);
	gits_write_cwriter(0, its->base + GITS_CWRITER);

	scrub_slots(its, its->nr_done, its->nr_committed);
	/* its_has_executed() must not see the old CREADR along with the new nr_done. */
	wmb();
	WRITE_ONCE(its->nr_done, round_up(its->nr_committed, ITS_NR_SLOTS));
	WRITE_ONCE(its->nr_committed, its->nr_done);
}

/* Has a device's unmapping taken effect? */
static bool its_has_unmapped(const struct hyp_its *its, const struct hyp_its_device *device)
{
	return device->state == HYP_ITS_DEVICE_PREPARED ||
	       (device->state == HYP_ITS_DEVICE_UNMAPPED &&
		device->unmapped_at < its->nr_synced && !its_may_be_lost(its, device->unmapped_at));
}

/**
 * __pkvm_its_reclaim - give back the memory of a device
 * @id: ID of the ITS, from the host
 * @dev_id: DeviceID, from the host
 *
 * Context: any; takes hyp_its::mem_lock.
 * Return: 0 if the memory of the ITT is the host's again; -EBUSY if the device is mapped, or
 *	   the hardware has not executed a SYNC behind the MAPD that unmaps it; -EINVAL if
 *	   there is no such device.
 */
int __pkvm_its_reclaim(u32 id, u64 dev_id)
{
	struct hyp_its *its = hyp_its_get(id);
	struct hyp_its_device **slot, *device;
	int ret = -EINVAL;

	if (!its || !its->active)
		return ret;

	hyp_spin_lock(&its->mem_lock);

	slot = its_find_device(its, dev_id);
	device = slot ? *slot : NULL;
	if (!device)
		goto unlock;

	hyp_spin_lock(&its->lock);
	its_consume(its);
	ret = its_has_unmapped(its, device) ? 0 : -EBUSY;
	if (!ret)
		*slot = NULL;
	hyp_spin_unlock(&its->lock);

	if (!ret)
		its_return_pages(its, device->itt, its_staging_itt_size(its->itt_entry_size,
									device->event_bits));

unlock:
	hyp_spin_unlock(&its->mem_lock);

	return ret;
}

/**
 * its_has_unmapped_vpe - check whether the unmapping of a vPE has taken effect
 * @its: the ITS
 * @map: what is known of the vPE on this ITS
 *
 * IHI 0069, VSYNC: what was sent for the vPE has arrived.
 *
 * Context: takes hyp_its::lock.
 * Return: true if it has, or the vPE has not been mapped.
 */
bool its_has_unmapped_vpe(struct hyp_its *its, const struct hyp_vpe_map *map)
{
	bool unmapped = true;

	hyp_spin_lock(&its->lock);
	its_consume(its);
	if (map->state != HYP_VPE_UNUSED)
		unmapped = map->state == HYP_VPE_SYNCED && !its_may_be_lost(its, map->at) &&
			   map->at < its->nr_done;
	hyp_spin_unlock(&its->lock);

	return unmapped;
}

/**
 * its_has_executed - check whether a command has been executed
 * @its: the ITS
 * @nr: number of the command
 *
 * For redistributors and for the commands of other ITSs, which come with their lock held. If
 * the queue begins anew meanwhile, what it loses is known before GITS_CREADR changes.
 *
 * Context: any, no lock is needed.
 * Return: true if it has; false if it has not, or as far as is known.
 */
bool its_has_executed(const struct hyp_its *its, u64 nr)
{
	u64 done = READ_ONCE(its->nr_done), offset;

	/* When the register is read, at least so many commands have been executed. */
	rmb();
	offset = readl_relaxed(its->base + GITS_CREADR) & ITS_OFFSET_MASK;
	done = nr_at_offset(done, offset);

	/* It may have lost power: see its_consume() */
	if (gits_read_cbaser(its->base + GITS_CBASER) != its->cbaser ||
	    !(readl_relaxed(its->base + GITS_CTLR) & GITS_CTLR_ENABLE) ||
	    READ_ONCE(its->suspended))
		return false;

	/* What is lost, after the register: see its_empty_queue() */
	rmb();
	if (nr < READ_ONCE(its->lost_to) && nr >= READ_ONCE(its->lost_from))
		return false;

	return offset < ITS_CMD_QUEUE_SZ && nr < done && done <= READ_ONCE(its->nr_committed);
}

/* Commit the next command, unless it is refused: its slot holds a SYNC already. */
static void its_process_cmd(struct hyp_its *its)
{
	const struct its_cmd_block *staged = &its->staging[its->nr_committed % ITS_NR_SLOTS];
	const u64 in[] = {
		le64_to_cpu(READ_ONCE(staged->raw_cmd_le[0])),
		le64_to_cpu(READ_ONCE(staged->raw_cmd_le[1])),
		le64_to_cpu(READ_ONCE(staged->raw_cmd_le[2])),
		le64_to_cpu(READ_ONCE(staged->raw_cmd_le[3])),
	};
	struct its_cmd_block cmd = {};
	enum pkvm_its_verdict verdict;
	unsigned int i;

	verdict = its_translate_cmd(its, in, cmd.raw_cmd);
	its->stats[verdict]++;
	if (verdict) {
		trace_its_refused(its->phys, in[0], in[1], in[2], verdict);
	} else {
		for (i = 0; i < ARRAY_SIZE(cmd.raw_cmd); i++)
			cmd.raw_cmd_le[i] = cpu_to_le64(cmd.raw_cmd[i]);
		write_slot(its, its->nr_committed, &cmd);
	}

	WRITE_ONCE(its->nr_committed, its->nr_committed + 1);
}

/* Commands, tables and ITTs before the ITS gets to know of them */
static void its_write_cwriter(struct hyp_its *its)
{
	dsb(ishst);
	writel_relaxed(offset_of_nr(its->nr_committed), its->base + GITS_CWRITER);
}

/*
 * Registers
 */

/* Is the ITS with this control frame disabled, and has it stopped (IHI 0069, GITS_CTLR)? */
bool its_is_quiescent(void __iomem *base)
{
	u32 ctlr = readl_relaxed(base + GITS_CTLR);

	return (ctlr & (GITS_CTLR_ENABLE | GITS_CTLR_QUIESCENT)) == GITS_CTLR_QUIESCENT;
}

/* Do GITS_CBASER and GITS_BASER<n> have the committed values? */
bool its_bases_match(struct hyp_its *its)
{
	int i;

	if (gits_read_cbaser(its->base + GITS_CBASER) != its->cbaser)
		return false;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		u64 baser = gits_read_baser(its->base + GITS_BASER + i * sizeof(u64));

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
static bool its_pointers_match(struct hyp_its *its)
{
	u32 creadr = readl_relaxed(its->base + GITS_CREADR) & ITS_OFFSET_MASK;
	u32 cwriter = readl_relaxed(its->base + GITS_CWRITER) & ITS_OFFSET_MASK;

	return creadr == offset_of_nr(its->nr_done) && cwriter == offset_of_nr(its->nr_committed);
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
		its_consume(its);
	else if ((val & GITS_CTLR_ENABLE) &&
		 (its->suspended || !its_is_quiescent(its->base) || !its_bases_match(its) ||
		  !its_pointers_match(its)))
		return false;

	val &= GITS_CTLR_ENABLE | (its->ctlr & GITS_CTLR_ImDe);
	val |= its->ctlr & GITS_CTLR_ITS_NUMBER;
	writel_relaxed((ctlr & ~ITS_CTLR_RW) | val, its->base + GITS_CTLR);

	return true;
}

/* Which CPU of the host suspends the system, if one does; see pkvm_its_suspend() */
static void *its_suspending;

/*
 * One that has lost power unannounced need not have been quiescent: memory may hold an entry that
 * it had replaced since. So it stays off. See pkvm_its_suspend()
 */
static bool its_has_kept_power(const struct hyp_its *its)
{
	return its->suspended || gits_read_cbaser(its->base + GITS_CBASER) == its->cbaser;
}

/* GITS_CBASER: the host chooses the moment, EL2 the value. Required after a suspend. */
static bool its_handle_cbaser(struct hyp_its *its)
{
	if (READ_ONCE(its_suspending) || !its_is_quiescent(its->base) || !its_has_kept_power(its))
		return false;

	its_empty_queue(its);
	its->suspended = false;

	return true;
}

/* GITS_BASER<n>: likewise */
static bool its_handle_baser(struct hyp_its *its, int i)
{
	i = array_index_nospec(i, GITS_BASER_NR_REGS);
	if (!its->tables[i].baser || !its_is_quiescent(its->base))
		return false;

	gits_write_baser(its->tables[i].baser, its->base + GITS_BASER + i * sizeof(u64));

	return true;
}

/*
 * GITS_CWRITER: the offset is in the lower half, the upper half is RES0. A write of the
 * upper half alone changes nothing. A value that is out of range, that sets RES0 bits or
 * asks for a retry, or that overtakes the hardware is ignored (IHI 0069, GITS_CWRITER).
 *
 * After a suspend, firmware may have the ITS run with pointers of its own: the queue stays
 * empty until the host has begun it anew.
 */
static bool its_handle_cwriter(struct hyp_its *its, u64 val)
{
	u64 end = nr_at_offset(its->nr_committed, val);

	if (its->suspended || val & ~ITS_OFFSET_MASK || val >= ITS_CMD_QUEUE_SZ)
		return false;

	/* Slots that the hardware has not executed are not to be written. */
	if (its->nr_committed - its->nr_done >= ITS_PENDING_MAX ||
	    end - its->nr_done >= ITS_NR_SLOTS) {
		its_consume(its);
		if (end - its->nr_done >= ITS_NR_SLOTS)
			return false;
	}

	while (its->nr_committed != end)
		its_process_cmd(its);

	its_write_cwriter(its);

	return true;
}

/*
 * A write to the control frame. IHI 0069, ITS register descriptions: all registers that
 * matter here are 64 bits wide and may be written by halves, but for GITS_CTLR.
 */
static void its_guard_write(void *priv, u64 offset, u64 val, unsigned int size)
{
	u64 reg = ALIGN_DOWN(offset, sizeof(u64));
	struct hyp_its *its = priv;
	bool done = false;

	hyp_spin_lock(&its->lock);

	if (!its->active)
		goto unlock;

	if (offset == GITS_CWRITER)
		done = its_handle_cwriter(its, val);
	else if (offset == GITS_CTLR)
		done = its_handle_ctlr(its, val, size);
	else if (reg == GITS_CBASER)
		done = its_handle_cbaser(its);
	else if (reg >= GITS_BASER && reg < GITS_BASER + GITS_BASER_NR_REGS * sizeof(u64))
		done = its_handle_baser(its, (reg - GITS_BASER) / sizeof(u64));

unlock:
	if (!done)
		its->stats[PKVM_ITS_WRITES_IGNORED]++;

	hyp_spin_unlock(&its->lock);
}

const struct mmio_guard_ops its_guard_ops = {
	.write	= its_guard_write,
};

/**
 * __pkvm_its_post - do what a write of GITS_CWRITER does
 * @id: ID of the ITS, from the host
 * @offset: the value, from the host
 *
 * The driver posts its commands this way. A write that faults takes longer, and CPUs that are
 * not deprivileged yet do not fault.
 *
 * Context: any; takes hyp_its::lock.
 * Return: 0, or -EINVAL if a write would be ignored.
 */
int __pkvm_its_post(u32 id, u32 offset)
{
	struct hyp_its *its = hyp_its_get(id);
	bool done;

	if (!its)
		return -EINVAL;

	hyp_spin_lock(&its->lock);
	done = its->active && its_handle_cwriter(its, offset);
	hyp_spin_unlock(&its->lock);

	return done ? 0 : -EINVAL;
}

/**
 * pkvm_its_suspend - keep the ITSs off while the system may lose power
 * @by: what tells the CPU that asks from others
 *
 * What an ITS has executed is in memory when it is quiescent (IHI 0069, GITS_CTLR.Quiescent). One
 * that is not, and loses power, may leave an entry with the address of an ITT that was released.
 *
 * Firmware may restore the registers as they were some time ago, GITS_CTLR.Enabled included. So
 * the queues are emptied: whatever the ITS executes once more is a SYNC, and does not pass for
 * having executed a command of EL2's.
 *
 * Context: the host is deprivileged; takes the lock of each ITS.
 * Return: true if all are quiescent: none can be enabled and no command committed until
 *	   pkvm_its_resume() and a write of its GITS_CBASER. False if one is not, or has lost power
 *	   before, or another CPU suspends the system. Those before it need the write, too.
 */
bool pkvm_its_suspend(void *by)
{
	struct hyp_its *its;
	bool idle = true;
	u32 id;

	if (cmpxchg(&its_suspending, NULL, by))
		return false;

	for (id = 0; idle && (its = hyp_its_get(id)); id++) {
		hyp_spin_lock(&its->lock);
		idle = !its->active ||
		       (its_is_quiescent(its->base) && its_has_kept_power(its));
		/* It stays quiescent from here on. */
		if (idle && its->active) {
			its_empty_queue(its);
			its->suspended = true;
		}
		hyp_spin_unlock(&its->lock);
	}

	if (!idle)
		pkvm_its_resume(by);

	return idle;
}

/**
 * pkvm_its_resume - let the host begin new queues after a suspend
 * @by: the CPU that is back. Nothing happens if another one, or none, suspends the system
 *
 * Context: any.
 */
void pkvm_its_resume(void *by)
{
	cmpxchg(&its_suspending, by, NULL);
}

/**
 * __pkvm_its_stat - read a counter
 * @id: ID of the ITS, from the host
 * @nr: an enum pkvm_its_verdict or pkvm_its_stat, from the host
 *
 * Context: any.
 * Return: its value, 0 if there is no such counter.
 */
u64 __pkvm_its_stat(u32 id, u32 nr)
{
	struct hyp_its *its = hyp_its_get(id);

	if (!its || nr >= PKVM_ITS_NR_STATS)
		return 0;

	return READ_ONCE(its->stats[array_index_nospec(nr, PKVM_ITS_NR_STATS)]);
}
