// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raw GICv3 ITS commands from debugfs, as a malicious host would queue them.
 *
 * This exists for the selftests of protected KVM, which show that an ITS
 * cannot be used to reach memory that the host does not own. On an ITS that is
 * not confined, whoever can write to these files can overwrite any memory.
 *
 * Each ITS has a directory, its_inject/<physical address>:
 *
 *	info	what an attacker would read from the driver's private state
 *	command	queues the 32-byte commands written to it, waits for the ITS
 *	queue	the same without waiting, for an ITS that is disabled
 *	sync	waits until the ITS has read all that is queued
 *	page	allocates zeroed pages that are never freed
 *
 * its_inject.fail=<step> on the command line has that step of the hand-over fail:
 * register, reserve, map or activate.
 */

#include <linux/bitfield.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "irq-gic-v3-its.h"

#define ITS_INJECT_MAX_CMDS	64
#define ITS_INJECT_MAX_ORDER	8

static const struct its_staging_ops *its_inject_real_ops;
static struct its_staging_ops its_inject_ops;
static const char *its_inject_fail;

static int __init its_inject_fail_cfg(char *arg)
{
	its_inject_fail = arg;

	return 0;
}
early_param("its_inject.fail", its_inject_fail_cfg);

/* Each of these fails as late as it can, for there to be something to undo. */
static int its_inject_fail_register(const struct its_staging_desc *desc)
{
	int id = its_inject_real_ops->register_its(desc);

	if (id >= 0)
		its_inject_real_ops->unregister_its(id);

	return -EPERM;
}

static int its_inject_fail_reserve(int id, u32 dev_id)
{
	its_inject_real_ops->reserve_device(id, dev_id);

	return -ENOMEM;
}

static int its_inject_fail_map(int id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	its_inject_real_ops->map_device(id, dev_id, event_bits, itt);

	return -EINVAL;
}

static int its_inject_fail_activate(int id, u32 offset)
{
	return -EBUSY;
}

/**
 * its_inject_failure() - Have a step of the hand-over fail, for tests only
 * @ops: the hypervisor's side
 *
 * Return: @ops, or a copy in which the call named on the command line fails.
 */
const struct its_staging_ops *its_inject_failure(const struct its_staging_ops *ops)
{
	if (!its_inject_fail)
		return ops;

	its_inject_real_ops = ops;
	its_inject_ops = *ops;

	if (!strcmp(its_inject_fail, "register"))
		its_inject_ops.register_its = its_inject_fail_register;
	else if (!strcmp(its_inject_fail, "reserve"))
		its_inject_ops.reserve_device = its_inject_fail_reserve;
	else if (!strcmp(its_inject_fail, "map"))
		its_inject_ops.map_device = its_inject_fail_map;
	else if (!strcmp(its_inject_fail, "activate"))
		its_inject_ops.activate = its_inject_fail_activate;
	else
		pr_err("its_inject.fail: there is no step %s\n", its_inject_fail);

	return &its_inject_ops;
}

static void its_inject_show(struct seq_file *s, const char *name, u64 val)
{
	seq_printf(s, "%s 0x%llx\n", name, val);
}

static void its_inject_show_baser(struct seq_file *s, struct its_node *its,
				  unsigned int nr)
{
	struct its_baser *baser = &its->tables[nr];
	phys_addr_t base = 0;
	char name[16];
	u64 val;

	if (baser->base)
		base = virt_to_phys(baser->base);

	val = gits_read_baser(its->base + GITS_BASER + nr * sizeof(val));

	snprintf(name, sizeof(name), "baser%u", nr);
	its_inject_show(s, name, val);
	snprintf(name, sizeof(name), "baser%u_base", nr);
	its_inject_show(s, name, base);
	snprintf(name, sizeof(name), "baser%u_order", nr);
	its_inject_show(s, name, baser->order);
}

static int info_show(struct seq_file *s, void *unused)
{
	struct its_node *its = s->private;
	u64 typer = gic_read_typer(its->base + GITS_TYPER);
	u64 cbaser = gits_read_cbaser(its->base + GITS_CBASER);
	unsigned int i;

	its_inject_show(s, "base", its->phys_base);
	its_inject_show(s, "queue", virt_to_phys(its->cmd_base));
	its_inject_show(s, "queue_size", ITS_CMD_QUEUE_SZ);
	its_inject_show(s, "committed_queue", cbaser & GENMASK_ULL(51, 12));
	its_inject_show(s, "itt_entry_size",
			FIELD_GET(GITS_TYPER_ITT_ENTRY_SIZE, typer) + 1);
	its_inject_show(s, "typer", typer);
	its_inject_show(s, "cwriter", its_inject_cwriter(its));

	for (i = 0; i < GITS_BASER_NR_REGS; i++)
		its_inject_show_baser(s, its, i);

	its_inject_show(s, "rdbase", its->collections[0].target_address);
	its_inject_show(s, "device_ids",
			FIELD_GET(GITS_TYPER_DEVBITS, typer) + 1);
	its_inject_show(s, "event_bits",
			FIELD_GET(GITS_TYPER_IDBITS, typer) + 1);

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(info);

/*
 * A malicious host has no reason to go without what the hypervisor needs to keep
 * track of a device: have it ready for each DeviceID that may be about to be mapped.
 */
static int its_inject_reserve(struct its_node *its, const struct its_cmd_block *cmds,
			      unsigned int nr)
{
	unsigned int dev_bits = FIELD_GET(GITS_TYPER_DEVBITS, its->typer) + 1;
	unsigned int i;

	guard(mutex)(&its->dev_alloc_lock);

	for (i = 0; i < nr; i++) {
		u64 cmd = le64_to_cpu(cmds[i].raw_cmd_le[0]);
		u32 dev_id = FIELD_GET(GENMASK_ULL(63, 32), cmd);

		/* What is out of range can't be had, and is for the ITS to refuse */
		if (FIELD_GET(GENMASK_ULL(7, 0), cmd) != GITS_CMD_MAPD || dev_id >> dev_bits)
			continue;

		if (!its_staging_reserve(its, dev_id))
			return -ENOMEM;
	}

	return 0;
}

static ssize_t its_inject_write(struct file *file, const char __user *buf,
				size_t len, bool wait)
{
	struct its_node *its = file_inode(file)->i_private;
	struct its_cmd_block *cmds;
	unsigned int nr;
	int ret;

	nr = len / sizeof(*cmds);
	if (!nr || nr > ITS_INJECT_MAX_CMDS || len % sizeof(*cmds))
		return -EINVAL;

	cmds = memdup_user(buf, len);
	if (IS_ERR(cmds))
		return PTR_ERR(cmds);

	ret = its_inject_reserve(its, cmds, nr);
	if (!ret)
		ret = its_inject_commands(its, cmds, nr, wait);
	kfree(cmds);

	return ret ? ret : len;
}

static ssize_t command_write(struct file *file, const char __user *buf,
			     size_t len, loff_t *ppos)
{
	return its_inject_write(file, buf, len, true);
}

static const struct file_operations command_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= command_write,
	.llseek	= noop_llseek,
};

static ssize_t queue_write(struct file *file, const char __user *buf,
			   size_t len, loff_t *ppos)
{
	return its_inject_write(file, buf, len, false);
}

static const struct file_operations queue_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= queue_write,
	.llseek	= noop_llseek,
};

static ssize_t sync_write(struct file *file, const char __user *buf,
			  size_t len, loff_t *ppos)
{
	struct its_node *its = file_inode(file)->i_private;
	u32 val;
	int ret;

	ret = readl_relaxed_poll_timeout(its->base + GITS_CREADR, val,
					 val == its_inject_cwriter(its),
					 10, USEC_PER_SEC);

	return ret ? ret : len;
}

static const struct file_operations sync_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= sync_write,
	.llseek	= noop_llseek,
};

/*
 * The hypervisor may own the pages by the time the file is closed, so that
 * there is no point at which it would be safe to free them.
 */
static ssize_t page_write(struct file *file, const char __user *buf,
			  size_t len, loff_t *ppos)
{
	struct page *page;
	unsigned int order;
	int ret;

	ret = kstrtouint_from_user(buf, len, 0, &order);
	if (ret)
		return ret;

	if (order > ITS_INJECT_MAX_ORDER)
		return -EINVAL;

	page = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
	if (!page)
		return -ENOMEM;

	file->private_data = page;

	return len;
}

static ssize_t page_read(struct file *file, char __user *buf, size_t len,
			 loff_t *ppos)
{
	struct page *page = file->private_data;
	char str[24];
	int n;

	if (!page)
		return -ENODATA;

	n = scnprintf(str, sizeof(str), "0x%llx\n", (u64)page_to_phys(page));

	return simple_read_from_buffer(buf, len, ppos, str, n);
}

static int page_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;

	return 0;
}

static const struct file_operations page_fops = {
	.owner	= THIS_MODULE,
	.open	= page_open,
	.read	= page_read,
	.write	= page_write,
	.llseek	= default_llseek,
};

static int __init its_inject_init(void)
{
	struct dentry *root, *dir;
	struct its_node *its;
	char name[17];

	root = debugfs_create_dir("its_inject", NULL);

	/* ITSs are only ever added, and only early during boot. */
	list_for_each_entry(its, &its_nodes, entry) {
		snprintf(name, sizeof(name), "%016llx", (u64)its->phys_base);
		dir = debugfs_create_dir(name, root);

		debugfs_create_file("info", 0400, dir, its, &info_fops);
		debugfs_create_file("command", 0200, dir, its, &command_fops);
		debugfs_create_file("queue", 0200, dir, its, &queue_fops);
		debugfs_create_file("sync", 0200, dir, its, &sync_fops);
		debugfs_create_file("page", 0600, dir, its, &page_fops);
	}

	pr_warn("GICv3 ITS command injection is enabled, do not use this kernel for anything but tests\n");

	return 0;
}
late_initcall(its_inject_init);
