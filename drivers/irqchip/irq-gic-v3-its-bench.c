// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the work with GICv3 ITSs costs, from debugfs.
 *
 * Times are ticks of CNTVCT_EL0, measured with interrupts off and without what reading
 * the counter takes. On an emulator that lets virtual time pass by the instruction, at
 * one tick a nanosecond, they are numbers of instructions.
 *
 * Each ITS has a directory, its_bench/<physical address>:
 *
 *	run	"<operation> <times>" does that. Reading the file then gives the fewest
 *		and the most ticks that it took:
 *		creadr	reads GITS_CREADR
 *		guard	writes a register that is read-only, so that nothing comes of it
 *		post	writes GITS_CWRITER for an INV and a SYNC
 *		inv	does what the driver does for an INV, SYNC included
 *		mapti	the same for a MAPTI
 *		mapd	maps and unmaps a device whose ITT has pages of its own
 *	devices	how many devices there are that only serve to be mapped. A larger
 *		number than there are maps more. None is ever unmapped
 *	records	makes room for the records of so many devices that there are not
 *	staging	bytes of memory that the driver uses for staging
 *
 * its_inject.devices=<n> on the command line has the first ITS handed over with so many
 * more devices mapped. its_bench/handover tells about the hand-over:
 *
 *	devices	that were mapped, on all ITSs
 *	irqs_off the longest time with the lock of an ITS held, and so with interrupts off
 *	waited	what the hand-over adds at most to the time that another CPU waits for that
 *		lock: as long as it is held. Nobody waits for anything else
 *	total	from the first allocation to the end of the last activation: the nanoseconds
 *		that the task ran, because other work of the boot may run in between
 */

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "irq-gic-v3-its.h"

/* DeviceIDs that no PCI device of a small machine has */
#define ITS_BENCH_MAPPED	0x0400
#define ITS_BENCH_MAX_MAPPED	60000
#define ITS_BENCH_MEASURED	0xff00

/* As many as it takes for the ITT to have pages of its own, with entries of 8 bytes or more */
#define ITS_BENCH_EVENTS	(PAGE_SIZE / 8)

#define ITS_BENCH_MAX_TIMES	4096

/**
 * struct its_bench - what is measured on an ITS
 * @its: the ITS
 * @dev: the device that commands are about; NULL until one is needed
 * @mapped: how many devices were mapped to be there
 * @least: ticks that the last operation took at least
 * @most: ticks that it took at most
 */
struct its_bench {
	struct its_node		*its;
	struct its_device	*dev;
	unsigned int		mapped;
	u64			least;
	u64			most;
};

static struct {
	unsigned int	devices;
	u64		begin;
	u64		locked;
	u64		irqs_off;
	u64		total;
} its_bench_handover;

static unsigned int its_bench_devices;
static unsigned int its_bench_mapped;

static int __init its_bench_devices_cfg(char *arg)
{
	int ret = arg ? kstrtouint(arg, 10, &its_bench_devices) : -EINVAL;

	its_bench_devices = min(its_bench_devices, ITS_BENCH_MAX_MAPPED);

	return ret;
}
early_param("its_inject.devices", its_bench_devices_cfg);

/* Returns how many of @nr devices are mapped. They have no interrupts. */
static unsigned int its_bench_map(struct its_node *its, unsigned int from, unsigned int nr)
{
	lockdep_assert_held(&its->dev_alloc_lock);

	for (; from < nr; from++) {
		if (!its_bench_ops.create_device(its, ITS_BENCH_MAPPED + from, 1, false))
			break;

		cond_resched();
	}

	return from;
}

static void its_bench_begin(void)
{
	struct its_device *dev;
	struct its_node *its;

	its = list_first_entry_or_null(&its_nodes, struct its_node, entry);
	if (its)
		its_bench_mapped = its_bench_map(its, 0, its_bench_devices);

	list_for_each_entry(its, &its_nodes, entry) {
		list_for_each_entry(dev, &its->its_device_list, entry)
			its_bench_handover.devices++;
	}

	its_bench_handover.begin = task_sched_runtime(current);
}

/**
 * its_bench_mark() - The hand-over has come to a point, for measurements only
 * @mark: the point
 *
 * Maps the devices that the command line asks for when the hand-over is about to begin.
 */
void its_bench_mark(enum its_bench_mark mark)
{
	switch (mark) {
	case ITS_BENCH_BEGIN:
		its_bench_begin();
		break;
	case ITS_BENCH_LOCKED:
		its_bench_handover.locked = its_bench_ticks();
		break;
	case ITS_BENCH_UNLOCK:
		/* KUnit tests have hand-overs, too */
		if (its_bench_handover.total)
			break;

		its_bench_handover.irqs_off = max(its_bench_handover.irqs_off,
						  its_bench_ticks() - its_bench_handover.locked);
		break;
	case ITS_BENCH_END:
		its_bench_handover.total = task_sched_runtime(current) - its_bench_handover.begin;
		break;
	}
}

static int handover_show(struct seq_file *s, void *unused)
{
	seq_printf(s, "devices %u\n", its_bench_handover.devices);
	seq_printf(s, "irqs_off %llu\n", its_bench_handover.irqs_off);
	seq_printf(s, "waited %llu\n", its_bench_handover.irqs_off);
	seq_printf(s, "total %llu\n", its_bench_handover.total);

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(handover);

/*
 * The operations. Each is done once, with interrupts off, and returns how many ticks it
 * took, with those that it takes to read the counter.
 */

static u64 its_bench_nothing(struct its_bench *bench)
{
	u64 start = its_bench_ticks();

	return its_bench_ticks() - start;
}

static u64 its_bench_creadr(struct its_bench *bench)
{
	void __iomem *creadr = bench->its->base + GITS_CREADR;
	u64 start = its_bench_ticks();

	readl_relaxed(creadr);

	return its_bench_ticks() - start;
}

static u64 its_bench_guard(struct its_bench *bench)
{
	void __iomem *iidr = bench->its->base + GITS_IIDR;
	u64 start = its_bench_ticks();

	writel_relaxed(0, iidr);

	return its_bench_ticks() - start;
}

static u64 its_bench_post_inv(struct its_bench *bench)
{
	return its_bench_ops.post_inv(bench->dev, 0);
}

static u64 its_bench_inv(struct its_bench *bench)
{
	u64 start = its_bench_ticks();

	its_bench_ops.inv(bench->dev, 0);

	return its_bench_ticks() - start;
}

static u64 its_bench_mapti(struct its_bench *bench)
{
	struct its_device *dev = bench->dev;
	u64 start = its_bench_ticks(), ticks;

	its_bench_ops.mapti(dev, dev->event_map.lpi_base + 1, 1);
	ticks = its_bench_ticks() - start;
	its_bench_ops.discard(dev, 1);

	return ticks;
}

static void its_bench_map_dev(struct its_device *dev)
{
	if (its_is_staged(dev->its))
		its_staging_prepare_device(dev->its, dev->device_id, ilog2(dev->nr_ites), dev->itt);
	its_bench_ops.mapd(dev, 1);
}

static void its_bench_unmap_dev(struct its_device *dev)
{
	its_bench_ops.mapd(dev, 0);
	its_staging_reclaim_device(dev);
}

static u64 its_bench_mapd(struct its_bench *bench)
{
	struct its_device *dev = bench->dev;
	u64 start, ticks;

	its_bench_ops.discard(dev, 0);
	its_bench_unmap_dev(dev);
	start = its_bench_ticks();
	its_bench_map_dev(dev);
	its_bench_unmap_dev(dev);
	ticks = its_bench_ticks() - start;
	its_bench_map_dev(dev);
	its_bench_ops.mapti(dev, dev->event_map.lpi_base, 0);

	return ticks;
}

static const struct its_bench_op {
	const char	*name;
	u64		(*fn)(struct its_bench *bench);
} its_bench_all_ops[] = {
	{ "creadr",	its_bench_creadr },
	{ "guard",	its_bench_guard },
	{ "post",	its_bench_post_inv },
	{ "inv",	its_bench_inv },
	{ "mapti",	its_bench_mapti },
	{ "mapd",	its_bench_mapd },
};

static int its_bench_get_dev(struct its_bench *bench)
{
	if (bench->dev)
		return 0;

	bench->dev = its_bench_ops.create_device(bench->its, ITS_BENCH_MEASURED,
						 ITS_BENCH_EVENTS, true);
	if (!bench->dev)
		return -ENOMEM;

	its_bench_ops.mapti(bench->dev, bench->dev->event_map.lpi_base, 0);

	return 0;
}

static int its_bench_run(struct its_bench *bench, const struct its_bench_op *op,
			 unsigned int times)
{
	u64 ticks, none = U64_MAX;
	unsigned long flags;
	unsigned int i;
	int ret;

	guard(mutex)(&bench->its->dev_alloc_lock);

	ret = its_bench_get_dev(bench);
	if (ret)
		return ret;

	bench->least = U64_MAX;
	bench->most = 0;

	local_irq_save(flags);

	/* More than once, for what is only slow the first time */
	for (i = 0; i < 4; i++)
		none = min(none, its_bench_nothing(bench));

	for (i = 0; i < times; i++) {
		ticks = op->fn(bench);
		if (ticks == U64_MAX) {
			ret = -EBUSY;
			break;
		}

		ticks -= min(ticks, none);
		bench->least = min(bench->least, ticks);
		bench->most = max(bench->most, ticks);
	}

	local_irq_restore(flags);

	return ret;
}

static ssize_t run_write(struct file *file, const char __user *buf, size_t len, loff_t *ppos)
{
	struct its_bench *bench = file_inode(file)->i_private;
	char name[8], *text;
	unsigned int times;
	int i, ret, n;

	text = memdup_user_nul(buf, min(len, SZ_64));
	if (IS_ERR(text))
		return PTR_ERR(text);

	n = sscanf(text, "%7s %u", name, &times);
	kfree(text);
	if (n != 2 || !times || times > ITS_BENCH_MAX_TIMES)
		return -EINVAL;

	for (i = 0; i < ARRAY_SIZE(its_bench_all_ops); i++) {
		if (strcmp(name, its_bench_all_ops[i].name))
			continue;

		ret = its_bench_run(bench, &its_bench_all_ops[i], times);

		return ret ? ret : len;
	}

	return -EINVAL;
}

static int run_show(struct seq_file *s, void *unused)
{
	struct its_bench *bench = s->private;

	seq_printf(s, "%llu %llu\n", bench->least, bench->most);

	return 0;
}

static int run_open(struct inode *inode, struct file *file)
{
	return single_open(file, run_show, inode->i_private);
}

static const struct file_operations run_fops = {
	.owner	 = THIS_MODULE,
	.open	 = run_open,
	.read	 = seq_read,
	.write	 = run_write,
	.llseek	 = seq_lseek,
	.release = single_release,
};

static int devices_get(void *data, u64 *val)
{
	struct its_bench *bench = data;

	*val = bench->mapped;

	return 0;
}

static int devices_set(void *data, u64 val)
{
	struct its_bench *bench = data;

	if (val > ITS_BENCH_MAX_MAPPED)
		return -EINVAL;

	guard(mutex)(&bench->its->dev_alloc_lock);

	bench->mapped = its_bench_map(bench->its, bench->mapped, val);

	return bench->mapped < val ? -ENOMEM : 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(devices_fops, devices_get, devices_set, "%llu\n");

static int staging_get(void *data, u64 *val)
{
	struct its_bench *bench = data;
	struct its_staging *staging = &bench->its->staging;
	int i;

	*val = staging->queue ? ITS_CMD_QUEUE_SZ : 0;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		if (staging->tables[i])
			*val += PAGE_ORDER_TO_SIZE(bench->its->tables[i].order);
	}

	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(staging_fops, staging_get, NULL, "%llu\n");

static int __init its_bench_init(void)
{
	struct its_bench *bench;
	struct dentry *root, *dir;
	struct its_node *its;
	char name[17];

	root = debugfs_create_dir("its_bench", NULL);
	if (its_bench_handover.total)
		debugfs_create_file("handover", 0400, root, NULL, &handover_fops);

	/* ITSs are only ever added, and only early during boot. */
	list_for_each_entry(its, &its_nodes, entry) {
		bench = kzalloc_obj(*bench);
		if (!bench)
			return -ENOMEM;

		bench->its = its;
		if (list_is_first(&its->entry, &its_nodes))
			bench->mapped = its_bench_mapped;

		snprintf(name, sizeof(name), "%016llx", (u64)its->phys_base);
		dir = debugfs_create_dir(name, root);

		debugfs_create_file("run", 0600, dir, bench, &run_fops);
		debugfs_create_file("devices", 0600, dir, bench, &devices_fops);
		debugfs_create_file("staging", 0400, dir, bench, &staging_fops);
	}

	return 0;
}
late_initcall(its_bench_init);
