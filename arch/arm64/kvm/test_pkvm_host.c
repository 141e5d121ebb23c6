// SPDX-License-Identifier: GPL-2.0-only
/*
 * Act as a malicious host of protected KVM, from user space
 *
 * The selftests named pkvm_its_* attack the hypervisor with what the host can do. Most of
 * that takes no more than /dev/mem. Two things take the kernel, and are in pkvm_host of debugfs:
 *
 *	call	makes the hypercall written to it, "<name> <argument>...", and fails as it does
 *	map	maps a page of memory, by its physical address, in a way that KVM accepts it as
 *		memory of a VM: one of the tables that the GIC uses, for example
 */

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kvm_host.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#define MAX_TEXT	128
#define MAX_ARGS	4

static int its_prepare(const u64 *arg)
{
	return kvm_call_hyp_nvhe(__pkvm_its_prepare, arg[0], arg[1], arg[2], arg[3]);
}

static int its_reclaim(const u64 *arg)
{
	return kvm_call_hyp_nvhe(__pkvm_its_reclaim, arg[0], arg[1]);
}

static const struct {
	const char *name;
	int (*fn)(const u64 *arg);
} calls[] = {
	{ "its_prepare", its_prepare },
	{ "its_reclaim", its_reclaim },
};

static ssize_t call_write(struct file *file, const char __user *buf, size_t len, loff_t *ppos)
{
	u64 arg[MAX_ARGS] = {};
	char name[32], *text;
	int i, ret;

	if (len > MAX_TEXT)
		return -EINVAL;

	text = memdup_user_nul(buf, len);
	if (IS_ERR(text))
		return PTR_ERR(text);

	ret = sscanf(text, "%31s %lli %lli %lli %lli", name, &arg[0], &arg[1], &arg[2], &arg[3]);
	kfree(text);
	if (ret < 1)
		return -EINVAL;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (strcmp(name, calls[i].name))
			continue;

		ret = calls[i].fn(arg);

		return ret ? ret : len;
	}

	return -ENOENT;
}

static const struct file_operations call_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= call_write,
	.llseek	= noop_llseek,
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

static int __init test_pkvm_host_init(void)
{
	struct dentry *dir;

	if (!is_protected_kvm_enabled())
		return 0;

	dir = debugfs_create_dir("pkvm_host", NULL);
	debugfs_create_file("call", 0200, dir, NULL, &call_fops);
	/* The file stays for good, and debugfs does not pass mmap() on. */
	debugfs_create_file_unsafe("map", 0600, dir, NULL, &map_fops);

	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	pr_warn("Root can act as a malicious host: do not use this kernel for anything but tests\n");

	return 0;
}
late_initcall(test_pkvm_host_init);
