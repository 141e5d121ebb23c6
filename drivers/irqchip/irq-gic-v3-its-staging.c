// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hand-over of GICv3 ITSs to a hypervisor that confines them.
 *
 * Once the host is deprivileged, the hypervisor owns the memory that an ITS reads its commands
 * from and the tables it writes to. The driver goes on with a queue and level-1 tables of its own
 * ("staging"), from which the hypervisor takes what it finds acceptable.
 *
 * The hand-over takes place before any CPU is deprivileged, one ITS after the other. Each has its
 * dev_alloc_lock held meanwhile, so that neither tables nor the set of devices change:
 *
 *  - prepare and register: allocate the staging memory, and describe the ITS and the devices
 *    mapped on it to the hypervisor;
 *  - activate: under the ITS's lock, with the queue drained, swap the queues. Interrupts are off,
 *    for a constant time;
 *  - events: announce those that are mapped, under the lock for one at a time.
 *
 * From then on commands are posted by a call to the hypervisor. There is no moment at which a CPU
 * that is not trusted any more could reach an ITS that is not confined yet.
 */

#define pr_fmt(fmt) "ITS staging: " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/kvm_host.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sort.h>

#include <asm/kvm_pkvm.h>

#include <kunit/static_stub.h>

#include "irq-gic-v3-its.h"

/*
 * How long interrupts may be off while an ITS completes what was posted last, how often to try,
 * and how long to sleep between two tries. Posting goes on meanwhile.
 */
#define ITS_DRAIN_LOCKED_US	50
#define ITS_DRAIN_TRIES		5000
#define ITS_DRAIN_SLEEP_US	200

/**
 * its_may_be_staged - check whether a hypervisor is going to confine the ITSs
 *
 * Known from the command line before any ITS is probed: memory that a hypervisor may take
 * is allocated by the page, with room for its records.
 *
 * Return: true if it may, false if it certainly will not.
 */
bool its_may_be_staged(void)
{
	return kvm_get_mode() == KVM_MODE_PROTECTED && pkvm_its_is_wanted();
}

/**
 * its_staging_alloc - allocate zeroed memory for the hand-over
 * @node: NUMA node to prefer
 * @size: bytes
 *
 * Most of it is shared with the hypervisor, by the page, and so would be whatever else
 * a page holds: this always allocates whole pages.
 *
 * Context: process context, may sleep.
 * Return: the memory, or NULL.
 */
void *its_staging_alloc(int node, size_t size)
{
	struct page *page;

	KUNIT_STATIC_STUB_REDIRECT(its_staging_alloc, node, size);

	page = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, get_order(size));

	return page ? page_address(page) : NULL;
}

/* Free what its_staging_alloc() returned */
void its_staging_free(void *addr, size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(its_staging_free, addr, size);

	free_pages((unsigned long)addr, get_order(size));
}

/**
 * its_staging_addr_bits - find out how many bits of an address an ITS keeps
 * @base: the ITS's registers; it is disabled and quiescent, and its queue not set up yet
 *
 * GITS_CBASER has bits [51:12] of an address, and those above the ITS's own address size
 * are RES0 (IHI 0069, GITS_CBASER). An address that is only sent in a command, as an ITT's
 * is, can't be read back: it must not have more bits than the register keeps.
 *
 * Return: the number of bits, 16 to 52.
 */
u32 its_staging_addr_bits(void __iomem *base)
{
	u64 kept;

	gits_write_cbaser(GENMASK_ULL(51, 16), base + GITS_CBASER);
	kept = gits_read_cbaser(base + GITS_CBASER) & GENMASK_ULL(51, 16);
	gits_write_cbaser(0, base + GITS_CBASER);

	return __ffs64(~(kept | GENMASK_ULL(15, 0)));
}

static void its_staging_unprepare(struct its_node *its)
{
	struct its_staging *staging = &its->staging;
	int i;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		if (staging->tables[i])
			its_staging_free(staging->tables[i],
					 PAGE_ORDER_TO_SIZE(its->tables[i].order));
	}

	if (staging->queue)
		its_staging_free(staging->queue, ITS_CMD_QUEUE_SZ);

	memset(staging, 0, sizeof(*staging));
}

/* What has been allocated when this fails is left to its_staging_unprepare() */
static int its_staging_prepare(struct its_node *its)
{
	const u64 staged = GITS_BASER_VALID | GITS_BASER_INDIRECT;
	struct its_staging *staging = &its->staging;
	int i;

	lockdep_assert_held(&its->dev_alloc_lock);

	staging->queue = its_staging_alloc(its->numa_node, ITS_CMD_QUEUE_SZ);
	if (!staging->queue)
		return -ENOMEM;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		struct its_baser *baser = &its->tables[i];
		size_t size = PAGE_ORDER_TO_SIZE(baser->order);

		if ((baser->val & staged) != staged)
			continue;

		staging->tables[i] = its_staging_alloc(its->numa_node, size);
		if (!staging->tables[i])
			return -ENOMEM;

		memcpy(staging->tables[i], baser->base, size);
	}

	return 0;
}

static int its_cmp_rdbase(const void *a, const void *b)
{
	return cmp_int(*(const u64 *)a, *(const u64 *)b);
}

/* CPUs that have not been up yet have no RDbase: they can't be targets. */
static u32 its_collect_rdbases(struct its_node *its, u64 *rdbases)
{
	u32 i, nr = 0;

	for (i = 0; i < nr_cpu_ids; i++) {
		if (its->collections[i].target_address == ~0ULL)
			continue;

		rdbases[nr++] = its->collections[i].target_address & GITS_CMD2_RDBASE;
	}

	sort(rdbases, nr, sizeof(*rdbases), its_cmp_rdbase, NULL);

	return nr;
}

static void its_staging_describe(struct its_node *its, struct its_staging_desc *desc)
{
	struct its_staging *staging = &its->staging;
	int i;

	desc->nr_rdbases = nr_cpu_ids;
	desc->base = its->phys_base;
	desc->typer = its->typer;
	desc->hw_queue = virt_to_phys(its->cmd_base);
	desc->queue = virt_to_phys(staging->queue);
	desc->queue_noncoherent = its->flags & ITS_FLAGS_CMDQ_NEEDS_FLUSHING;
	desc->lpi_bits = its_lpi_bits();
	desc->vpeid_bits = its_vpeid_bits();
	desc->addr_bits = min(its->addr_bits, its_addr_bits());
	desc->vlpi_rdbase_offset = its->vlpi_redist_offset;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		if (!(its->tables[i].val & GITS_BASER_VALID))
			continue;

		desc->tables[i].baser = its->tables[i].val;
		desc->tables[i].base = virt_to_phys(its->tables[i].base);
		if (staging->tables[i])
			desc->tables[i].staging = virt_to_phys(staging->tables[i]);
	}

	desc->nr_rdbases = its_collect_rdbases(its, desc->rdbases);
}

static int its_staging_register(struct its_node *its, const struct its_staging_ops *ops)
{
	size_t size = struct_size_t(struct its_staging_desc, rdbases, nr_cpu_ids);
	struct its_staging_desc *desc;
	int ret = -ENXIO;

	desc = its_staging_alloc(its->numa_node, size);
	if (!desc)
		return -ENOMEM;

	its_staging_describe(its, desc);
	if (!desc->nr_rdbases)
		pr_err("ITS@%pa: no online CPU has a redistributor\n", &its->phys_base);
	else
		ret = ops->register_its(desc);

	its_staging_free(desc, size);
	if (ret < 0)
		return ret;

	its->staging.id = ret;

	return 0;
}

static int its_staging_adopt_devices(struct its_node *its, const struct its_staging_ops *ops)
{
	struct its_device *its_dev;
	int ret;

	/* The list only changes with dev_alloc_lock held */
	list_for_each_entry(its_dev, &its->its_device_list, entry) {
		ret = ops->adopt_device(its->staging.id, its_dev->device_id,
					ilog2(its_dev->nr_ites), virt_to_phys(its_dev->itt));
		if (ret)
			return ret;
	}

	return 0;
}

/* Returns -ETIMEDOUT if the ITS has not got to the end of its queue in time */
static int its_try_activate(struct its_node *its, const struct its_staging_ops *ops)
{
	struct its_staging *staging = &its->staging;
	u32 offset, creadr;
	int ret, i;

	guard(raw_spinlock_irqsave)(&its->lock);

	offset = (its->cmd_write - its->cmd_base) * sizeof(*its->cmd_write);
	ret = readl_relaxed_poll_timeout_atomic(its->base + GITS_CREADR, creadr, creadr == offset,
						1, ITS_DRAIN_LOCKED_US);
	if (ret)
		return ret;

	ret = ops->activate(staging->id, offset);
	if (ret)
		return ret;

	its->cmd_base = staging->queue;
	its->cmd_write = its->cmd_base + offset / sizeof(*its->cmd_write);
	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		if (staging->tables[i])
			its->tables[i].base = staging->tables[i];
	}

	staging->ops = ops;

	return 0;
}

/*
 * From the activation on, the hypervisor has seen all commands that map events and unmap
 * them: what is mapped now is what it has to know.
 */
static int its_staging_adopt_events(struct its_node *its)
{
	const struct its_staging *staging = &its->staging;
	struct its_device *its_dev;
	int ret = 0;
	u32 event;

	list_for_each_entry(its_dev, &its->its_device_list, entry) {
		for_each_set_bit(event, its_dev->mapped_events, its_dev->nr_ites) {
			guard(raw_spinlock_irqsave)(&its->lock);

			if (test_bit(event, its_dev->mapped_events))
				ret = staging->ops->adopt_event(staging->id, its_dev->device_id,
								event);
			if (ret)
				return ret;
		}
	}

	return 0;
}

static int its_staging_activate(struct its_node *its, const struct its_staging_ops *ops)
{
	int ret, tries = ITS_DRAIN_TRIES;

	while ((ret = its_try_activate(its, ops)) == -ETIMEDOUT && --tries)
		usleep_range(ITS_DRAIN_SLEEP_US, 2 * ITS_DRAIN_SLEEP_US);

	return ret;
}

static int its_staging_hand_over_one(struct its_node *its, const struct its_staging_ops *ops)
{
	int ret;

	ret = its_staging_prepare(its);
	if (!ret)
		ret = its_staging_register(its, ops);
	if (ret)
		goto err_unprepare;

	ret = its_staging_adopt_devices(its, ops);
	if (!ret)
		ret = its_staging_activate(its, ops);
	if (ret)
		goto err_unregister;

	/* Whatever comes of this, the ITS is the hypervisor's by now. */
	ret = its_staging_adopt_events(its);
	if (ret)
		goto err_report;

	return 0;

err_unregister:
	ops->unregister_its(its->staging.id);
err_unprepare:
	its_staging_unprepare(its);
err_report:
	pr_err("ITS@%pa: hand-over failed: %d\n", &its->phys_base, ret);

	return ret;
}

/**
 * its_staging_hand_over - hand the ITSs over to the hypervisor, one after the other
 * @nodes: list of struct its_node
 * @ops: the hypervisor's side
 *
 * If one cannot be handed over, then those that come before it stay with the
 * hypervisor, and the others with the driver, which is left as it was: either
 * works. One whose events can't be announced is the hypervisor's, too.
 *
 * Context: process context, may sleep. Takes each ITS's dev_alloc_lock in turn.
 * Return: 0 if the hypervisor has all ITSs, or a negative error.
 */
int its_staging_hand_over(struct list_head *nodes, const struct its_staging_ops *ops)
{
	struct its_node *its;
	int ret;

	list_for_each_entry(its, nodes, entry) {
		guard(mutex)(&its->dev_alloc_lock);

		ret = its_staging_hand_over_one(its, ops);
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * its_staging_prepare_device - hand over the memory that a device needs to be mapped
 * @its: the ITS, which has been handed over
 * @dev_id: DeviceID
 * @event_bits: number of EventID bits
 * @itt: memory for the ITT, of its_staging_itt_size() bytes
 *
 * The hypervisor zeroes it, and a new level-2 page of the device table, and cleans both to
 * memory. The driver must not touch it until its_staging_reclaim_device().
 *
 * Context: process context, dev_alloc_lock held.
 * Return: 0, or a negative error if the hypervisor would refuse to map the device.
 */
int its_staging_prepare_device(struct its_node *its, u32 dev_id, u32 event_bits, void *itt)
{
	const struct its_staging_ops *ops = its->staging.ops;
	int ret;

	lockdep_assert_held(&its->dev_alloc_lock);

	ret = ops->prepare(its->staging.id, dev_id, event_bits, virt_to_phys(itt));
	/* An earlier ITT was leaked because the ITS was late. By now it may be out of use. */
	if (ret == -EBUSY && !ops->reclaim(its->staging.id, dev_id))
		ret = ops->prepare(its->staging.id, dev_id, event_bits, virt_to_phys(itt));
	if (ret)
		pr_err_ratelimited("ITS@%pa: device %x can't be prepared: %d\n", &its->phys_base,
				   dev_id, ret);

	return ret;
}

/**
 * its_staging_reclaim_device - get back the memory of a device's ITT
 * @its_dev: a device of an ITS that has been handed over, after MAPD(V=0) has completed
 *
 * Context: process context, dev_alloc_lock held.
 * Return: true if the ITT can be freed. If the hypervisor has not seen the hardware execute
 * the unmap, the memory must be left alone for good.
 */
bool its_staging_reclaim_device(struct its_device *its_dev)
{
	struct its_node *its = its_dev->its;
	int ret;

	lockdep_assert_held(&its->dev_alloc_lock);

	ret = its->staging.ops->reclaim(its->staging.id, its_dev->device_id);
	if (ret)
		pr_warn_ratelimited("ITS@%pa: ITT of device %x is still in use (%d), leaking it\n",
				    &its->phys_base, its_dev->device_id, ret);

	return !ret;
}

/* All ITSs are handed over at boot, before there is any vPE, or vPEs are not used. */
static const struct its_staging_ops *its_vpe_ops(void)
{
	struct its_node *its = list_first_entry_or_null(&its_nodes, struct its_node, entry);

	return its ? its->staging.ops : NULL;
}

/**
 * its_staging_has_vpes - tell whether the hypervisor has to know of vPEs
 *
 * Return: true if ITSs have been handed over.
 */
bool its_staging_has_vpes(void)
{
	return its_vpe_ops();
}

/**
 * its_staging_prepare_vpe - hand over the memory that a vPE needs to be mapped
 * @vpe_id: vPEID
 * @vpt: memory for the virtual pending table, of its_staging_vpt_size() bytes
 * @vprop: the virtual property table of the VM
 * @vprop_size: size of @vprop in bytes
 *
 * The hypervisor zeroes the pending table, which the driver must not touch until
 * its_staging_reclaim_vpe(). The property table is shared, and stays where it is.
 *
 * Context: process context, may sleep.
 * Return: 0, also if no ITS has been handed over, or a negative error.
 */
int its_staging_prepare_vpe(u16 vpe_id, struct page *vpt, struct page *vprop, size_t vprop_size)
{
	const struct its_staging_ops *ops = its_vpe_ops();
	int ret;

	if (!ops)
		return 0;

	ret = ops->prepare_vpe(vpe_id, page_to_phys(vpt), page_to_phys(vprop), vprop_size);
	if (ret)
		pr_err_ratelimited("vPE %u can't be prepared: %d\n", vpe_id, ret);

	return ret;
}

/**
 * its_staging_reclaim_vpe - get back the memory of a vPE
 * @vpe: the vPE, after VMAPP(V=0) has completed on all ITSs
 * @vprop_size: size of the virtual property table in bytes
 *
 * Context: process context, may sleep.
 * Return: true if the pending table can be freed, and the property table once this was the
 * last vPE that used it. If not, both must be left alone for good.
 */
bool its_staging_reclaim_vpe(struct its_vpe *vpe, size_t vprop_size)
{
	const struct its_staging_ops *ops = its_vpe_ops();
	int ret;

	/* It has been leaked along with another vPE */
	if (!vpe->its_vm->vprop_page)
		return false;

	if (!ops)
		return true;

	ret = ops->reclaim_vpe(vpe->vpe_id, page_to_phys(vpe->its_vm->vprop_page), vprop_size);
	if (ret)
		pr_warn_ratelimited("vPE %u is still in use (%d), leaking its tables\n",
				    vpe->vpe_id, ret);

	return !ret;
}

/**
 * its_staging_load_vpe - make a vPE resident by way of the hypervisor
 * @vpropbaser: value for GICR_VPROPBASER
 * @vpendbaser: value for GICR_VPENDBASER
 *
 * Context: preemption disabled.
 * Return: false if the registers have to be written, as without a hypervisor.
 */
bool its_staging_load_vpe(u64 vpropbaser, u64 vpendbaser)
{
	const struct its_staging_ops *ops = its_vpe_ops();

	return ops && ops->load_vpe(vpropbaser, vpendbaser);
}

/**
 * its_start_deprivilege - hand the ITSs over, before the host is deprivileged
 * @ops: the hypervisor's side
 *
 * Context: process context, before any CPU is deprivileged; may sleep. CPU hotplug is
 * locked: a CPU that comes up writes the collections.
 * Return: 0 if every ITS is confined (or there is none), or a negative error.
 */
int __init its_start_deprivilege(const struct its_staging_ops *ops)
{
	lockdep_assert_cpus_held();

	return its_staging_hand_over(&its_nodes, ops);
}
