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
 * its_inject/map maps a page of memory, by its physical address, that KVM then accepts
 * as memory of a VM: one of the tables that the GIC uses, for example.
 *
 * its_inject.fail=<step>[:<n>] on the command line has a step of the hand-over
 * fail when it is taken for the nth time:
 *
 *	alloc		an allocation (CONFIG_ARM_GIC_V3_ITS_INJECT_ALLOC)
 *	register	the ITS is registered, and that is undone
 *	descriptor	the hypervisor refuses the nth field of the descriptor
 *	map		the nth device is mapped, but nobody says so
 *	itt		the hypervisor refuses its ITT
 *	activate	the hypervisor refuses to take the queue
 *	fence		an ITS that the driver does not use is running
 *	gicv5		the host has a GICv5 (CONFIG_ARM_GIC_V3_ITS_INJECT_ALLOC)
 *
 * its_inject/fail then has the step, n, and how often the step was taken: if that
 * is less than n, nothing has failed.
 */

#include <linux/bitfield.h>
#include <linux/debugfs.h>
#include <linux/error-injection.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/iopoll.h>
#include <linux/kprobes.h>
#include <linux/kstrtox.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/overflow.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "irq-gic-v3-its.h"

#define ITS_INJECT_MAX_CMDS	64
#define ITS_INJECT_MAX_ORDER	8

static const struct its_staging_ops *its_inject_real_ops;
static struct its_staging_ops its_inject_ops;
static const char *its_inject_step;
static unsigned int its_inject_nth = 1;
static unsigned int its_inject_times;

static int __init its_inject_fail_cfg(char *arg)
{
	static const char * const steps[] = {
		"alloc", "register", "descriptor", "map", "itt", "activate", "fence",
		"gicv5",
	};
	size_t len;
	int i;

	for (i = 0; arg && i < ARRAY_SIZE(steps); i++) {
		len = str_has_prefix(arg, steps[i]);
		if (!len || (arg[len] && arg[len] != ':'))
			continue;

		its_inject_step = steps[i];

		return arg[len] ? kstrtouint(arg + len + 1, 10, &its_inject_nth) : 0;
	}

	return -EINVAL;
}
early_param("its_inject.fail", its_inject_fail_cfg);

/* A step is about to be taken. Is it to fail? */
static bool its_inject_turn(const char *step)
{
	return !strcmp(step, its_inject_step) && ++its_inject_times == its_inject_nth;
}

#ifdef CONFIG_ARM_GIC_V3_ITS_INJECT_ALLOC
static struct task_struct *its_inject_task;

/*
 * Those that can't fail do not count, nor do those that are made in the hope of
 * something better than what will do, nor those of interrupt handlers.
 */
static int its_inject_alloc(struct pt_regs *regs, gfp_t gfp, unsigned long fails)
{
	if (READ_ONCE(its_inject_task) != current || !gfpflags_allow_blocking(gfp) ||
	    gfp & (__GFP_NORETRY | __GFP_NOFAIL) || !its_inject_turn("alloc"))
		return 0;

	regs_set_return_value(regs, fails);
	override_function_with_return(regs);

	return 1;
}
NOKPROBE_SYMBOL(its_inject_alloc);

static int its_inject_alloc_page(struct kprobe *p, struct pt_regs *regs)
{
	return its_inject_alloc(regs, (__force gfp_t)regs_get_kernel_argument(regs, 0), true);
}
NOKPROBE_SYMBOL(its_inject_alloc_page);

static int its_inject_alloc_slab(struct kprobe *p, struct pt_regs *regs)
{
	return its_inject_alloc(regs, (__force gfp_t)regs_get_kernel_argument(regs, 1), -ENOMEM);
}
NOKPROBE_SYMBOL(its_inject_alloc_slab);

static int its_inject_end(struct kprobe *p, struct pt_regs *regs)
{
	WRITE_ONCE(its_inject_task, NULL);

	return 0;
}
NOKPROBE_SYMBOL(its_inject_end);

/* The kernel's own hooks. Whether they let blocking allocations fail is set too late. */
static struct kprobe its_inject_probe[] = {
	{ .symbol_name = "should_fail_alloc_page", .pre_handler = its_inject_alloc_page },
	{ .symbol_name = "should_failslab", .pre_handler = its_inject_alloc_slab },
	{ .symbol_name = "its_end_deprivilege", .pre_handler = its_inject_end },
};

static int __init its_inject_probe_init(void)
{
	unsigned int i;
	int ret;

	if (!its_inject_step)
		return 0;

	/* All else that depends on this capability has been patched by now. */
	if (its_inject_turn("gicv5"))
		__set_bit(ARM64_HAS_GICV5_CPUIF, system_cpucaps);

	if (strcmp(its_inject_step, "alloc"))
		return 0;

	for (i = 0; i < ARRAY_SIZE(its_inject_probe); i++) {
		ret = register_kprobe(&its_inject_probe[i]);
		if (ret)
			return ret;
	}

	return 0;
}
device_initcall(its_inject_probe_init);

static void its_inject_watch_allocs(void)
{
	WRITE_ONCE(its_inject_task, current);
}
#else
static void its_inject_watch_allocs(void) { }
#endif

static int its_inject_descriptor(const struct its_staging_desc *desc)
{
	struct its_staging_desc *copy;
	unsigned int i;
	int ret;

	copy = kmemdup(desc, struct_size(desc, rdbases, desc->nr_rdbases), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	copy->base ^= its_inject_turn("descriptor");
	copy->typer ^= its_inject_turn("descriptor");
	copy->cbaser ^= its_inject_turn("descriptor");
	copy->queue ^= its_inject_turn("descriptor");
	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		if (!desc->tables[i].baser)
			continue;

		copy->tables[i].baser ^= its_inject_turn("descriptor");
		copy->tables[i].staging ^= its_inject_turn("descriptor");
	}

	ret = its_inject_real_ops->register_its(copy);
	kfree(copy);

	return ret;
}

static int its_inject_register(const struct its_staging_desc *desc)
{
	int id = its_inject_real_ops->register_its(desc);

	if (id < 0 || !its_inject_turn("register"))
		return id;

	its_inject_real_ops->unregister_its(id);

	return -EPERM;
}

static int its_inject_map(int id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	int ret;

	itt ^= its_inject_turn("itt");
	ret = its_inject_real_ops->adopt_device(id, dev_id, event_bits, itt);

	return !ret && its_inject_turn("map") ? -EINVAL : ret;
}

static int its_inject_activate(int id, u32 offset)
{
	offset ^= its_inject_turn("activate");

	return its_inject_real_ops->activate(id, offset);
}

/* As firmware might have left it. Without a queue it does nothing. */
static void its_inject_run(bool run)
{
	struct device_node *np;
	void __iomem *base;

	for_each_compatible_node(np, NULL, "arm,gic-v3-its") {
		base = of_iomap(np, 0);
		if (!base)
			continue;

		writel_relaxed(run ? GITS_CTLR_ENABLE : 0, base + GITS_CTLR);
		iounmap(base);
	}
}

/**
 * its_inject_failure() - Have a step of the hand-over fail, for tests only
 * @ops: the hypervisor's side
 *
 * Return: @ops, or a copy in which the call named on the command line fails.
 */
const struct its_staging_ops *its_inject_failure(const struct its_staging_ops *ops)
{
	if (!its_inject_step)
		return ops;

	if (list_empty(&its_nodes) && its_inject_turn("fence"))
		its_inject_run(true);

	its_inject_real_ops = ops;
	its_inject_ops = *ops;
	its_inject_ops.register_its = its_inject_register;
	its_inject_ops.adopt_device = its_inject_map;
	its_inject_ops.activate = its_inject_activate;
	if (!strcmp(its_inject_step, "descriptor"))
		its_inject_ops.register_its = its_inject_descriptor;
	its_inject_watch_allocs();

	return &its_inject_ops;
}

static int fail_show(struct seq_file *s, void *unused)
{
	seq_printf(s, "%s %u %u\n", its_inject_step, its_inject_nth, its_inject_times);

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(fail);

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
 * A malicious host has no reason to go without what the hypervisor offers: what a device
 * needs is prepared before it is mapped, as far as the hypervisor agrees, and is asked for
 * when the device has been unmapped.
 */
static bool its_inject_devices(struct its_node *its, const struct its_cmd_block *cmds,
			       unsigned int nr, bool valid)
{
	bool found = false;
	unsigned int i;

	guard(mutex)(&its->dev_alloc_lock);

	for (i = 0; its_is_staged(its) && i < nr; i++) {
		u64 itt = le64_to_cpu(cmds[i].raw_cmd_le[2]);
		u64 cmd = le64_to_cpu(cmds[i].raw_cmd_le[0]);
		u32 dev_id = FIELD_GET(GENMASK_ULL(63, 32), cmd);
		u32 size = le64_to_cpu(cmds[i].raw_cmd_le[1]) & GENMASK(4, 0);

		if (FIELD_GET(GENMASK_ULL(7, 0), cmd) != GITS_CMD_MAPD ||
		    !!(itt & BIT_ULL(63)) != valid)
			continue;

		found = true;
		its->staging.ops->reclaim(its->staging.id, dev_id);
		if (valid)
			its->staging.ops->prepare(its->staging.id, dev_id, size + 1,
						  itt & GENMASK_ULL(51, 8));
	}

	return found;
}

static int its_inject_sync(struct its_node *its)
{
	struct its_cmd_block cmd = {
		.raw_cmd_le = {
			cpu_to_le64(GITS_CMD_SYNC), 0,
			cpu_to_le64(its->collections[0].target_address & GENMASK_ULL(51, 16)),
		},
	};

	return its_inject_commands(its, &cmd, 1, true);
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

	its_inject_devices(its, cmds, nr, true);
	ret = its_inject_commands(its, cmds, nr, wait);
	if (!ret && its_inject_devices(its, cmds, nr, false) && wait) {
		ret = its_inject_sync(its);
		its_inject_devices(its, cmds, nr, false);
	}
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
	if (!ret)
		ret = its_inject_sync(its);

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

/*
 * A malicious host donates whatever page it wants. KVM has two conditions that are for
 * the host's own good: /dev/mem will not do, and the page looks like anonymous memory.
 */
static int map_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct page *page = pfn_to_online_page(vma->vm_pgoff);

	if (!page || vma_pages(vma) != 1 || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;

	folio_set_swapbacked(page_folio(page));

	return vm_insert_page(vma, vma->vm_start, page);
}

static const struct file_operations map_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.mmap	= map_mmap,
	.llseek	= noop_llseek,
};

static int __init its_inject_init(void)
{
	struct dentry *root, *dir;
	struct its_node *its;
	char name[17];

	root = debugfs_create_dir("its_inject", NULL);
	if (its_inject_step) {
		debugfs_create_file("fail", 0400, root, NULL, &fail_fops);
		if (!strcmp(its_inject_step, "fence") && its_inject_times)
			its_inject_run(false);
	}

	/* The file stays for good, and debugfs does not pass mmap() on. */
	debugfs_create_file_unsafe("map", 0600, root, NULL, &map_fops);

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

	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	pr_warn("GICv3 ITS command injection is enabled, do not use this kernel for anything but tests\n");

	return 0;
}
late_initcall(its_inject_init);
