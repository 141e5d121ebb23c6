// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confinement of the GICv3 under protected KVM, the host's side: makes the hypercalls for
 * the drivers, and decides what happens if an ITS or a redistributor can't be confined.
 */

#include <linux/acpi.h>
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/irqchip/arm-gic-v3-staging.h>
#include <linux/kstrtox.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>

#include <asm/kvm_hyp.h>
#include <asm/kvm_mmu.h>
#include <asm/kvm_pkvm.h>
#include <asm/kvm_pkvm_its.h>

#include "hyp_constants.h"

/**
 * struct pkvm_its - an ITS that EL2 knows
 * @base:	physical address of the control frame
 * @state:	memory given to EL2 for its state
 * @state_size:	size of @state in bytes
 * @records:	memory given to EL2 for what it knows of devices, or NULL if there are level-2 pages
 * @records_size: size of @records in bytes
 */
struct pkvm_its {
	phys_addr_t	base;
	void		*state;
	size_t		state_size;
	void		*records;
	size_t		records_size;
};

enum pkvm_its_policy {
	PKVM_ITS_CONFINED,
	PKVM_ITS_OFF,
	PKVM_ITS_FAILED,
};

/* By EL2's ID. Changes only while the ITSs are handed over, before userspace exists. */
static struct pkvm_its pkvm_itss[PKVM_ITS_MAX] __ro_after_init;
static unsigned int nr_pkvm_itss __ro_after_init;
static enum pkvm_its_policy pkvm_its_policy __ro_after_init;

static int __init early_protected_its_cfg(char *arg)
{
	bool on;
	int ret = kstrtobool(arg, &on);

	if (!ret)
		pkvm_its_policy = on ? PKVM_ITS_CONFINED : PKVM_ITS_OFF;

	return ret;
}
early_param("kvm-arm.protected_its", early_protected_its_cfg);

static void pkvm_its_free(struct pkvm_its *its)
{
	if (its->records)
		free_pages_exact(its->records, its->records_size);
	free_pages_exact(its->state, its->state_size);
}

static int pkvm_its_register(const struct its_staging_desc *desc)
{
	size_t desc_size = struct_size(desc, rdbases, desc->nr_rdbases);
	struct pkvm_its *its = &pkvm_itss[nr_pkvm_itss];
	int id;

	if (nr_pkvm_itss == PKVM_ITS_MAX)
		return -ENOSPC;

	its->base = desc->base;
	its->state_size = PAGE_ALIGN(PKVM_HYP_ITS_SIZE + desc_size);
	its->state = alloc_pages_exact(its->state_size, GFP_KERNEL | __GFP_ZERO);
	if (!its->state)
		return -ENOMEM;

	/* As large as the device table, which may be as large as an allocation can be, or larger */
	its->records_size = pkvm_its_flat_records_size(desc);
	its->records = NULL;
	if (its->records_size) {
		its->records = alloc_pages_exact(its->records_size,
						 GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
		if (!its->records) {
			pkvm_its_free(its);
			return -ENOMEM;
		}
	}

	memcpy(its->state + PKVM_HYP_ITS_SIZE, desc, desc_size);

	id = kvm_call_hyp_nvhe(__pkvm_its_register, virt_to_pfn(its->state),
			       its->state_size >> PAGE_SHIFT,
			       its->records ? virt_to_pfn(its->records) : 0);
	if (id < 0)
		pkvm_its_free(its);
	else
		nr_pkvm_itss++;

	return id;
}

static void pkvm_its_unregister(int id)
{
	if (WARN_ON(kvm_call_hyp_nvhe(__pkvm_its_unregister, id)))
		return;

	pkvm_its_free(&pkvm_itss[id]);
	nr_pkvm_itss--;
}

static int pkvm_its_adopt_device(int id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	return kvm_call_hyp_nvhe(__pkvm_its_adopt_device, id, dev_id, event_bits, itt);
}

static int pkvm_its_activate(int id, u32 offset)
{
	return kvm_call_hyp_nvhe(__pkvm_its_activate, id, offset);
}

static int pkvm_its_adopt_event(int id, u32 dev_id, u32 event_id)
{
	return kvm_call_hyp_nvhe(__pkvm_its_adopt_event, id, dev_id, event_id);
}

static void pkvm_its_post(int id, u32 offset)
{
	WARN_ON_ONCE(kvm_call_hyp_nvhe(__pkvm_its_post, id, offset));
}

static int pkvm_its_prepare(int id, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	return kvm_call_hyp_nvhe(__pkvm_its_prepare, id, (u64)dev_id, event_bits, itt);
}

static int pkvm_its_reclaim(int id, u32 dev_id)
{
	return kvm_call_hyp_nvhe(__pkvm_its_reclaim, id, (u64)dev_id);
}

static int pkvm_its_prepare_vpe(u16 vpe_id, phys_addr_t vpt, phys_addr_t vprop, size_t vprop_size)
{
	void *va = phys_to_virt(vprop);
	int ret;

	ret = kvm_share_hyp(va, va + vprop_size);
	if (ret)
		return ret;

	ret = kvm_call_hyp_nvhe(__pkvm_vpe_prepare, (u64)vpe_id, vpt, vprop);
	if (ret)
		kvm_unshare_hyp(va, va + vprop_size);

	return ret;
}

static int pkvm_its_reclaim_vpe(u16 vpe_id, phys_addr_t vprop, size_t vprop_size)
{
	void *va = phys_to_virt(vprop);
	int ret;

	ret = kvm_call_hyp_nvhe(__pkvm_vpe_reclaim, (u64)vpe_id);
	if (!ret)
		kvm_unshare_hyp(va, va + vprop_size);

	return ret;
}

static DEFINE_PER_CPU(struct pkvm_vpe_regs, pkvm_vpe_regs);
static DEFINE_PER_CPU(bool, pkvm_loads_vcpu);

/**
 * pkvm_its_begin_vcpu_load - keep what makes a vPE resident for __pkvm_vcpu_load()
 *
 * Context: preemption disabled until pkvm_its_end_vcpu_load().
 */
void pkvm_its_begin_vcpu_load(void)
{
	__this_cpu_write(pkvm_vpe_regs.vpendbaser, 0);
	__this_cpu_write(pkvm_loads_vcpu, true);
}

/**
 * pkvm_its_end_vcpu_load - get what has been kept since pkvm_its_begin_vcpu_load()
 *
 * Return: what __pkvm_vcpu_load() has to be told.
 */
struct pkvm_vpe_regs pkvm_its_end_vcpu_load(void)
{
	__this_cpu_write(pkvm_loads_vcpu, false);

	return *this_cpu_ptr(&pkvm_vpe_regs);
}

/* A vCPU that comes back from WFI is loaded already: then the driver writes the registers. */
static bool pkvm_its_load_vpe(u64 vpropbaser, u64 vpendbaser)
{
	if (!__this_cpu_read(pkvm_loads_vcpu))
		return false;

	__this_cpu_write(pkvm_vpe_regs.vpropbaser, vpropbaser);
	__this_cpu_write(pkvm_vpe_regs.vpendbaser, vpendbaser);

	return true;
}

/**
 * pkvm_its_vpe_is_pending - read the virtual pending table of a vPE that EL2 owns
 * @vpe_id: vPEID of a vPE that is not mapped
 * @vintid: an LPI of the VM
 * @pending: set to whether it is pending
 *
 * Context: any.
 * Return: false if the table is the host's.
 */
bool pkvm_its_vpe_is_pending(u16 vpe_id, u32 vintid, bool *pending)
{
	int ret;

	if (!nr_pkvm_itss)
		return false;

	ret = kvm_call_hyp_nvhe(__pkvm_vpe_is_pending, (u64)vpe_id, vintid);
	WARN_ON_ONCE(ret < 0);
	*pending = ret > 0;

	return true;
}

static const struct its_staging_ops pkvm_its_ops = {
	.register_its	= pkvm_its_register,
	.adopt_device	= pkvm_its_adopt_device,
	.activate	= pkvm_its_activate,
	.adopt_event	= pkvm_its_adopt_event,
	.unregister_its	= pkvm_its_unregister,
	.post		= pkvm_its_post,
	.prepare	= pkvm_its_prepare,
	.reclaim	= pkvm_its_reclaim,
	.prepare_vpe	= pkvm_its_prepare_vpe,
	.reclaim_vpe	= pkvm_its_reclaim_vpe,
	.load_vpe	= pkvm_its_load_vpe,
};

static int __init pkvm_its_fence(phys_addr_t base, bool present)
{
	unsigned int id;

	for (id = 0; id < nr_pkvm_itss; id++) {
		if (pkvm_itss[id].base == base)
			return 0;
	}

	kvm_info("ITS@%pa is not in use, keeping it out of reach\n", &base);

	return kvm_call_hyp_nvhe(__pkvm_its_fence, base, present);
}

#ifdef CONFIG_ACPI
static int __init pkvm_its_fence_madt(union acpi_subtable_headers *header,
				      const unsigned long end)
{
	struct acpi_madt_generic_translator *its = (void *)header;

	if (BAD_MADT_ENTRY(its, end))
		return -EINVAL;

	return pkvm_its_fence(its->base_address, true);
}

static int __init pkvm_its_fence_acpi(void)
{
	return min(0, acpi_table_parse_madt(ACPI_MADT_TYPE_GENERIC_TRANSLATOR,
					    pkvm_its_fence_madt, 0));
}
#else
static int __init pkvm_its_fence_acpi(void)
{
	return 0;
}
#endif

/*
 * A compromised host could set up an ITS that the driver does not use, because it was told
 * not to, failed to, or is not built in. Nothing else uses such an ITS.
 */
static int __init pkvm_its_fence_unused(void)
{
	struct resource res;
	int ret;

	if (!acpi_disabled)
		return pkvm_its_fence_acpi();

	for_each_compatible_node_scoped(np, NULL, "arm,gic-v3-its") {
		ret = of_address_to_resource(np, 0, &res);
		if (!ret)
			ret = pkvm_its_fence(res.start, of_device_is_available(np));
		if (ret)
			return ret;
	}

	return 0;
}

/* Does KVM want virtual LPIs from a GIC that is confined? */
static bool __init pkvm_its_wants_vlpis(void)
{
	return kvm_vgic_global_state.has_gicv4 && pkvm_its_policy == PKVM_ITS_CONFINED;
}

static int __init pkvm_rdists_register(struct gic_staging_desc *desc)
{
	size_t desc_size = gic_staging_desc_size(desc);
	size_t size = desc_size + desc->nr_rdists * PKVM_HYP_RDIST_SIZE;
	void *state;
	int ret;

	if (pkvm_its_wants_vlpis())
		size += PKVM_HYP_VPES_SIZE;

	size = PAGE_ALIGN(size);
	state = alloc_pages_exact(size, GFP_KERNEL | __GFP_ZERO);
	if (!state)
		return -ENOMEM;

	memcpy(state, desc, desc_size);

	ret = kvm_call_hyp_nvhe(__pkvm_rdists_register, page_to_pfn(virt_to_page(state)),
				size >> PAGE_SHIFT);
	if (ret)
		free_pages_exact(state, size);

	return ret;
}

/**
 * pkvm_its_is_wanted - check whether the command line leaves confinement on
 *
 * Context: any, once early parameters have been parsed.
 * Return: false with kvm-arm.protected_its=off.
 */
bool pkvm_its_is_wanted(void)
{
	return pkvm_its_policy != PKVM_ITS_OFF;
}

/**
 * pkvm_its_start_deprivilege - confine all ITSs and redistributors
 *
 * If this fails, the host keeps what it has, but protected VMs are refused: by KVM, and by
 * EL2 should the host be compromised later.
 *
 * Context: process context, before any CPU is deprivileged, where hypercalls are still
 * trusted; may sleep.
 */
void __init pkvm_its_start_deprivilege(void)
{
	int ret;

	if (pkvm_its_policy == PKVM_ITS_OFF) {
		kvm_err("The GIC is not confined (kvm-arm.protected_its=off): the host can reach the memory of protected VMs\n");
		return;
	}

	ret = its_start_deprivilege(&pkvm_its_ops);
	/* The tables of a GICv5 (IRS_IST_BASER, IRS_VMT_BASER) are in memory. EL2 owns none. */
	if (!ret && cpus_have_cap(ARM64_HAS_GICV5_CPUIF)) {
		kvm_err("GICv5 is not confined: its host can reach any memory\n");
		ret = -EOPNOTSUPP;
	}
	if (!ret)
		ret = pkvm_its_fence_unused();
	if (!ret)
		ret = gic_start_deprivilege(pkvm_rdists_register);
	if (ret) {
		kvm_err("Failed to confine the GIC (%d), protected VMs are not available\n", ret);
		kvm_nvhe_sym(pkvm_its_pvms_refused) = true;
		pkvm_its_policy = PKVM_ITS_FAILED;
	}

	/* KVM works without them. */
	if (nr_pkvm_itss && kvm_vgic_global_state.has_gicv4 &&
	    !(pkvm_its_wants_vlpis() &&
	      kvm_call_hyp_nvhe(__pkvm_rdists_stat, PKVM_RDISTS_VINTID_BITS))) {
		kvm_info("GICv4 direct injection is not available with confined ITSs\n");
		kvm_vgic_global_state.has_gicv4 = false;
		kvm_vgic_global_state.has_gicv4_1 = false;
	}
}

/**
 * pkvm_its_allows_pvms - check whether protected VMs are allowed
 *
 * Return: false if the GIC could not be confined. True if confinement is off.
 */
bool pkvm_its_allows_pvms(void)
{
	if (pkvm_its_policy != PKVM_ITS_FAILED)
		return true;

	pr_err_ratelimited("kvm: no protected VMs: the GIC is not confined (see kvm-arm.protected_its)\n");

	return false;
}

static const char * const pkvm_its_stat_names[PKVM_ITS_NR_STATS] = {
	[PKVM_ITS_ACCEPTED]			= "accepted",
	[PKVM_ITS_REFUSED_UNKNOWN_COMMAND]	= "refused_unknown_command",
	[PKVM_ITS_REFUSED_NOT_SUPPORTED]	= "refused_not_supported",
	[PKVM_ITS_REFUSED_BAD_DEVICE]		= "refused_bad_device",
	[PKVM_ITS_REFUSED_BAD_EVENT]		= "refused_bad_event",
	[PKVM_ITS_REFUSED_BAD_ICID]		= "refused_bad_icid",
	[PKVM_ITS_REFUSED_BAD_INTID]		= "refused_bad_intid",
	[PKVM_ITS_REFUSED_BAD_RDBASE]		= "refused_bad_rdbase",
	[PKVM_ITS_REFUSED_NOT_PREPARED]		= "refused_not_prepared",
	[PKVM_ITS_REFUSED_NOT_MAPPED]		= "refused_not_mapped",
	[PKVM_ITS_REFUSED_EVENTS_MAPPED]	= "refused_events_mapped",
	[PKVM_ITS_REFUSED_BAD_VPE]		= "refused_bad_vpe",
	[PKVM_ITS_REFUSED_BAD_ITS_LIST]		= "refused_bad_its_list",
	[PKVM_ITS_REFUSED_VPE_RESIDENT]		= "refused_vpe_resident",
	[PKVM_ITS_REFUSED_VPE_PENDING]		= "refused_vpe_pending",
	[PKVM_ITS_WRITES_IGNORED]		= "writes_ignored",
	[PKVM_ITS_HELD_PAGES]			= "held_pages",
};

/**
 * pkvm_its_verdict_name - what debugfs and hypervisor traces call a verdict
 * @verdict: an enum pkvm_its_verdict, from EL2
 *
 * Return: the name.
 */
const char *pkvm_its_verdict_name(u32 verdict)
{
	return verdict < PKVM_ITS_NR_VERDICTS ? pkvm_its_stat_names[verdict] : "unknown";
}

static int pkvm_its_stats_show(struct seq_file *m, void *unused)
{
	unsigned long id = (unsigned long)m->private;
	u64 val, refused = 0;
	unsigned int i;

	for (i = 0; i < PKVM_ITS_NR_STATS; i++) {
		val = kvm_call_hyp_nvhe(__pkvm_its_stat, id, i);
		seq_printf(m, "%s %llu\n", pkvm_its_stat_names[i], val);
		if (i > PKVM_ITS_ACCEPTED && i < PKVM_ITS_NR_VERDICTS)
			refused += val;
	}

	seq_printf(m, "refused %llu\n", refused);

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pkvm_its_stats);

static int pkvm_rdists_stats_show(struct seq_file *m, void *unused)
{
	static const char * const names[PKVM_RDISTS_NR_STATS] = {
		[PKVM_RDISTS_FOUND]		= "found",
		[PKVM_RDISTS_WITH_LPIS]		= "with_lpis",
		[PKVM_RDISTS_VINTID_BITS]	= "vintid_bits",
		[PKVM_RDISTS_WRITES]		= "writes",
		[PKVM_RDISTS_WRITES_IGNORED]	= "writes_ignored",
		[PKVM_RDISTS_HELD_PAGES]	= "held_pages",
	};
	unsigned int i;

	for (i = 0; i < PKVM_RDISTS_NR_STATS; i++)
		seq_printf(m, "%s %llu\n", names[i],
			   (u64)kvm_call_hyp_nvhe(__pkvm_rdists_stat, i));

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pkvm_rdists_stats);

static int __init pkvm_its_debugfs_init(void)
{
	static char *state = "confined";
	struct dentry *root, *dir;
	unsigned long id;
	char name[17];

	if (!is_protected_kvm_enabled() || !is_kvm_arm_initialised())
		return 0;

	if (pkvm_its_policy != PKVM_ITS_CONFINED)
		state = pkvm_its_policy == PKVM_ITS_OFF ? "off" : "failed";

	root = debugfs_create_dir("pkvm_its", NULL);
	debugfs_create_str("state", 0444, root, &state);
	debugfs_create_file("redistributors", 0400, root, NULL, &pkvm_rdists_stats_fops);

	for (id = 0; id < nr_pkvm_itss; id++) {
		snprintf(name, sizeof(name), "%016llx", (u64)pkvm_itss[id].base);
		dir = debugfs_create_dir(name, root);
		debugfs_create_file("stats", 0400, dir, (void *)id, &pkvm_its_stats_fops);
	}

	return 0;
}
late_initcall(pkvm_its_debugfs_init);
