// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM table of a GICv5 IRS, and the interrupt state tables (ISTs) of guests
 *
 * The IRS keeps the state of a guest's LPIs and SPIs in ISTs, which it finds through the VM
 * table. It may access both at any time while they are valid. While a VM is valid only the IRS
 * changes the valid bits of its entry, in response to commands. The ISTs of an invalid VM are not
 * accessed, whatever their valid bits are.
 *
 * KVM frees memory only after it has seen an idle IRS and a clear valid bit. If the IRS does not
 * answer, or refuses to make something invalid, the memory stays allocated.
 */

#include <linux/bitfield.h>
#include <linux/cacheflush.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/kvm_host.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include <asm/barrier.h>
#include <asm/virt.h>

#include <kunit/static_stub.h>

#include "vgic-v5-ist.h"

/**
 * vgic_v5_ist_get_geometry() - compute the sizes of an IST
 * @caps: capabilities of the IRS
 * @type: GICV5_HWIRQ_TYPE_LPI or GICV5_HWIRQ_TYPE_SPI
 * @id_bits: number of ID bits; may be the guest's choice
 * @geo: the result
 *
 * GICv5 specification: 10.2.1.13 IRS_IST_BASER (sizes), 10.2.1.14 IRS_IST_CFGR (structure),
 * IRS_IDR2 (limits).
 *
 * Context: any.
 * Return: 0, -EINVAL if the IRS does not support that many bits, -E2BIG if the IST would have to
 *	be linear and is too large to allocate
 */
int vgic_v5_ist_get_geometry(const struct gicv5_vm_caps *caps, u32 type, unsigned int id_bits,
			     struct vgic_v5_ist_geometry *geo)
{
	unsigned int l2_bits, n;

	if (!id_bits || id_bits > caps->id_bits)
		return -EINVAL;

	if (type == GICV5_HWIRQ_TYPE_LPI && id_bits < caps->min_lpi_id_bits)
		return -EINVAL;

	*geo = (struct vgic_v5_ist_geometry) { .id_bits = id_bits };

	if (!caps->istmd)
		geo->istsz = GICV5_IRS_IST_CFGR_ISTSZ_4;
	else if (id_bits < caps->istmd_sz)
		geo->istsz = GICV5_IRS_IST_CFGR_ISTSZ_8;
	else
		geo->istsz = GICV5_IRS_IST_CFGR_ISTSZ_16;

	/* Two levels are for ISTs that do not fit into a single level-2 IST. */
	l2_bits = 10 - geo->istsz + 2 * caps->l2sz;
	if (caps->two_level && id_bits > l2_bits) {
		geo->l2sz = caps->l2sz;
		geo->l2_size = SZ_4K << 2 * caps->l2sz;
		geo->nr_l2 = BIT(id_bits - l2_bits);
		n = id_bits - l2_bits + 2;
	} else {
		if (id_bits > gicv5_linear_ist_max_id_bits(geo->istsz))
			return -E2BIG;
		n = id_bits + 1 + geo->istsz;
	}

	geo->size = BIT(max(5, n) + 1);

	return 0;
}

/**
 * vgic_v5_zalloc() - allocate zeroed memory
 * @size: bytes. May depend on the guest, so a failure prints no warning
 *
 * Context: process context, may sleep.
 * Return: memory aligned to its size if that is a power of two, or NULL
 */
void *vgic_v5_zalloc(size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(vgic_v5_zalloc, size);

	return kzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

/**
 * vgic_v5_free() - free what vgic_v5_zalloc() returned
 * @mem: the memory, or NULL
 */
void vgic_v5_free(const void *mem)
{
	KUNIT_STATIC_STUB_REDIRECT(vgic_v5_free, mem);

	kfree(mem);
}

/**
 * vgic_v5_sync() - make writes of CPUs visible to the IRS, and its writes to CPUs
 * @caps: capabilities of the IRS
 * @mem: start of the memory
 * @size: bytes. The whole cache lines that contain these are affected
 *
 * Call it before a command that makes the IRS read @mem, and before reading @mem after one. If the
 * IRS is coherent, gicv5_irs_vmt_wait() already orders reads of @mem after the command.
 */
void vgic_v5_sync(const struct gicv5_vm_caps *caps, void *mem, size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(vgic_v5_sync, caps, mem, size);

	if (caps->coherent)
		dsb(ishst);
	else
		dcache_clean_inval_poc((unsigned long)mem, (unsigned long)mem + size);
}

/* Allocate memory for the IRS. It shares no cache line with other data. */
static void *table_zalloc(struct vgic_v5_vmt *vmt, size_t size)
{
	void *table = vgic_v5_zalloc(max_t(size_t, size, vmt->caps->line));

	if (table)
		vgic_v5_sync(vmt->caps, table, size);

	return table;
}

/*
 * Prepare to change @vm's entry. Returns -ETIMEDOUT if the IRS is still busy with an earlier
 * command; the entry must then stay as it is. Entries share cache lines, and the IRS may have
 * changed the others: drop what is cached, so that it is not written back with this entry.
 */
static int vmte_begin(struct vgic_v5_irs_vm *vm)
{
	int ret;

	lockdep_assert_held(&vm->vmt->lock);

	ret = gicv5_irs_vmt_wait();
	if (!ret)
		vgic_v5_sync(vm->vmt->caps, vm->entry, sizeof(*vm->vmt->entries));

	return ret;
}

static bool vmte_is_valid(struct vgic_v5_irs_vm *vm, unsigned int word)
{
	return le64_to_cpu(READ_ONCE(vm->entry[word])) & GICV5_VMTE_VALID;
}

/*
 * Make the IRS set or clear the valid bit of @word. Returns -ETIMEDOUT if the IRS does not answer;
 * it may still do so later. Returns -EIO if the IRS is done and the bit does not have that value.
 */
static int vmte_command(struct vgic_v5_irs_vm *vm, unsigned int word, u32 reg, u64 cmd, bool valid)
{
	const struct vgic_v5_vmt *vmt = vm->vmt;
	int ret;

	vgic_v5_sync(vmt->caps, vm->entry, sizeof(*vmt->entries));
	gicv5_irs_vmt_command(reg, cmd);

	ret = gicv5_irs_vmt_wait();
	if (ret)
		return ret;

	vgic_v5_sync(vmt->caps, vm->entry, sizeof(*vmt->entries));

	return vmte_is_valid(vm, word) == valid ? 0 : -EIO;
}

/* Clear the valid bit of @word, if it is set. */
static int vmte_invalidate(struct vgic_v5_irs_vm *vm, unsigned int word, u32 reg, u64 cmd)
{
	int ret = vmte_begin(vm);

	if (ret || !vmte_is_valid(vm, word))
		return ret;

	return vmte_command(vm, word, reg, cmd, false);
}

/* On failure the IRS may still use all memory of the VM. */
static int vm_retract(struct vgic_v5_irs_vm *vm)
{
	struct vgic_v5_vmt *vmt = vm->vmt;
	int ret;

	ret = vmte_invalidate(vm, GICV5_VMTE_WORD_VMD, GICV5_IRS_VMAP_VMR,
			      GICV5_IRS_VMAP_VMR_M | GICV5_IRS_VMAP_VMR_U |
			      FIELD_PREP(GICV5_IRS_VMAP_VMR_VM_ID, vm->id));
	if (ret)
		return ret;

	memset(vm->entry, 0, sizeof(*vmt->entries));
	vgic_v5_sync(vmt->caps, vm->entry, sizeof(*vmt->entries));
	__clear_bit(vm->id, vmt->ids);

	return 0;
}

static void ist_free(struct vgic_v5_ist *ist)
{
	unsigned int i;

	if (!ist)
		return;

	for (i = 0; i < ist->geo.nr_l2; i++)
		vgic_v5_free(ist->l2[i]);

	vgic_v5_free(ist->base);
	vgic_v5_free(ist);
}

static struct vgic_v5_ist *ist_zalloc(struct vgic_v5_vmt *vmt,
				      const struct vgic_v5_ist_geometry *geo)
{
	struct vgic_v5_ist *ist;
	unsigned int i;
	__le64 *l1;

	ist = vgic_v5_zalloc(struct_size(ist, l2, geo->nr_l2));
	if (!ist)
		return NULL;

	ist->geo = *geo;
	ist->base = table_zalloc(vmt, geo->size);
	if (!ist->base)
		goto err_free;

	/* Level-1 entries can be valid from the start, as the IST as a whole is not. */
	l1 = ist->base;
	for (i = 0; i < geo->nr_l2; i++) {
		ist->l2[i] = table_zalloc(vmt, geo->l2_size);
		if (!ist->l2[i])
			goto err_free;

		l1[i] = cpu_to_le64(virt_to_phys(ist->l2[i]) | GICV5_ISTL1E_VALID);
	}
	if (geo->nr_l2)
		vgic_v5_sync(vmt->caps, ist->base, geo->size);

	return ist;

err_free:
	ist_free(ist);
	return NULL;
}

static void vm_free(struct vgic_v5_irs_vm *vm)
{
	ist_free(vm->ist[0]);
	ist_free(vm->ist[1]);
	vgic_v5_free(vm->vmd);
	vgic_v5_free(vm->vpet);
	vgic_v5_free(vm);
}

/* Free the VMs that the IRS has stopped using in the meantime, unless it does not answer. */
static void vmt_reap(struct vgic_v5_vmt *vmt)
{
	struct vgic_v5_irs_vm *vm, *tmp;
	int ret;

	list_for_each_entry_safe(vm, tmp, &vmt->lost, lost) {
		ret = vm_retract(vm);
		if (ret == -ETIMEDOUT)
			return;
		if (ret)
			continue;

		list_del(&vm->lost);
		vm_free(vm);
	}
}

/**
 * vgic_v5_vmt_setup() - allocate the VM table, and make the IRS use it
 * @vmt: the VM table
 * @caps: capabilities of the IRS
 *
 * Only for vgic_v5_vmt_init() and tests, once for a table. The table is linear, which every IRS
 * supports.
 *
 * GICv5 specification: IRS_VMT_CFGR, IRS_VMT_BASER.
 *
 * Context: process context, may sleep.
 * Return: 0, -ENODEV if the IRS does not support VMs, -EBUSY if it has a table already, -ENOMEM, or
 *	-ETIMEDOUT if it does not answer; the table stays allocated if the IRS has got it before.
 *	On failure vgic_v5_vm_create() fails.
 */
int vgic_v5_vmt_setup(struct vgic_v5_vmt *vmt, const struct gicv5_vm_caps *caps)
{
	unsigned int bits = min(caps->vm_id_bits, VGIC_V5_MAX_VM_ID_BITS);
	size_t size = sizeof(*vmt->entries) << bits;
	int ret;

	*vmt = (struct vgic_v5_vmt) { .caps = caps };
	mutex_init(&vmt->lock);
	INIT_LIST_HEAD(&vmt->lost);

	if (!bits)
		return -ENODEV;

	ret = gicv5_irs_vmt_wait();
	if (ret)
		return ret;

	vmt->entries = table_zalloc(vmt, size);
	if (!vmt->entries)
		return -ENOMEM;

	ret = gicv5_irs_vmt_set_table(virt_to_phys(vmt->entries), bits);
	if (ret) {
		vgic_v5_free(vmt->entries);
		vmt->entries = NULL;
		return ret;
	}

	ret = gicv5_irs_vmt_wait();
	if (!ret)
		vmt->nr_ids = BIT(bits);

	return ret;
}

/**
 * vgic_v5_vmt_init() - set up the VM table, unless pKVM is enabled
 * @vmt: the VM table
 * @caps: capabilities of the IRS
 *
 * An IRS can write to any memory, and the pKVM hypervisor does not check which addresses it gets.
 *
 * Context: process context, may sleep. KVM's mode must be final.
 * Return: -EOPNOTSUPP if pKVM is enabled, with @vmt unchanged, which must not be used then;
 *	otherwise as vgic_v5_vmt_setup()
 */
int vgic_v5_vmt_init(struct vgic_v5_vmt *vmt, const struct gicv5_vm_caps *caps)
{
	if (is_protected_kvm_enabled())
		return -EOPNOTSUPP;

	return vgic_v5_vmt_setup(vmt, caps);
}

/**
 * vgic_v5_vm_destroy() - make a VM and its ISTs invalid, and free them
 * @vm: the VM. It has no valid vPE, and nothing else uses it
 *
 * If the IRS does not answer or refuses, the memory and the VM ID stay reserved. Later calls of
 * vgic_v5_vm_create() try again.
 *
 * GICv5 specification: IRS_VMAP_VMR.
 *
 * Context: process context, may sleep. Takes the lock of the VM table.
 */
void vgic_v5_vm_destroy(struct vgic_v5_irs_vm *vm)
{
	struct vgic_v5_vmt *vmt = vm->vmt;

	guard(mutex)(&vmt->lock);

	if (vm_retract(vm)) {
		kvm_err("GICv5: the IRS does not release VM %u\n", vm->id);
		list_add_tail(&vm->lost, &vmt->lost);
		return;
	}

	vm_free(vm);
}

/**
 * vgic_v5_vm_create() - allocate a VM ID, and make its VM table entry valid
 * @vmt: the VM table
 * @nr_vpes: number of vPEs that the vPE table must hold
 *
 * GICv5 specification: 11.2.2 L2_VMTE, IRS_VMAP_VMR, IRS_IDR4.
 *
 * Context: process context, may sleep. Takes the lock of the VM table.
 * Return: the VM, or an ERR_PTR(): -EINVAL if the IRS does not support that many vPEs, -ENOMEM,
 *	-ENOSPC if no VM ID is free, -ETIMEDOUT if the IRS does not answer, -EIO if it refuses
 */
struct vgic_v5_irs_vm *vgic_v5_vm_create(struct vgic_v5_vmt *vmt, unsigned int nr_vpes)
{
	const struct gicv5_vm_caps *caps = vmt->caps;
	unsigned int vpe_id_bits, id;
	struct vgic_v5_irs_vm *vm;
	int ret;

	if (!nr_vpes || nr_vpes > BIT(caps->vpe_id_bits))
		return ERR_PTR(-EINVAL);

	vm = vgic_v5_zalloc(sizeof(*vm));
	if (!vm)
		return ERR_PTR(-ENOMEM);

	vpe_id_bits = max(1, order_base_2(nr_vpes));
	vm->vmt = vmt;
	vm->vpet = table_zalloc(vmt, sizeof(__le64) << vpe_id_bits);
	if (caps->vmd_size)
		vm->vmd = table_zalloc(vmt, caps->vmd_size);
	if (!vm->vpet || (caps->vmd_size && !vm->vmd)) {
		vm_free(vm);
		return ERR_PTR(-ENOMEM);
	}

	mutex_lock(&vmt->lock);
	vmt_reap(vmt);

	id = find_first_zero_bit(vmt->ids, vmt->nr_ids);
	if (id >= vmt->nr_ids) {
		ret = -ENOSPC;
		goto err_unlock;
	}

	vm->id = id;
	vm->entry = vmt->entries[id];
	ret = vmte_begin(vm);
	if (ret)
		goto err_unlock;

	__set_bit(id, vmt->ids);
	if (vm->vmd)
		WRITE_ONCE(vm->entry[GICV5_VMTE_WORD_VMD], cpu_to_le64(virt_to_phys(vm->vmd)));
	WRITE_ONCE(vm->entry[GICV5_VMTE_WORD_VPET],
		   cpu_to_le64(virt_to_phys(vm->vpet) |
			       FIELD_PREP(GICV5_VMTE_VPE_ID_BITS, vpe_id_bits)));

	ret = vmte_command(vm, GICV5_VMTE_WORD_VMD, GICV5_IRS_VMAP_VMR,
			   GICV5_IRS_VMAP_VMR_M |
			   FIELD_PREP(GICV5_IRS_VMAP_VMR_VM_ID, id), true);
	mutex_unlock(&vmt->lock);
	if (ret) {
		vgic_v5_vm_destroy(vm);
		return ERR_PTR(ret);
	}

	return vm;

err_unlock:
	mutex_unlock(&vmt->lock);
	vm_free(vm);
	return ERR_PTR(ret);
}

static u64 ist_encode(const struct vgic_v5_ist *ist)
{
	return virt_to_phys(ist->base) |
	       FIELD_PREP(GICV5_VMTE_IST_L2SZ, ist->geo.l2sz) |
	       FIELD_PREP(GICV5_VMTE_IST_ISTSZ, ist->geo.istsz) |
	       FIELD_PREP(GICV5_VMTE_IST_STRUCTURE, !!ist->geo.nr_l2) |
	       FIELD_PREP(GICV5_VMTE_IST_ID_BITS, ist->geo.id_bits);
}

/* Which word of a VM table entry describes the IST of @type */
static unsigned int ist_word(u32 type)
{
	return type == GICV5_HWIRQ_TYPE_LPI ? GICV5_VMTE_WORD_LPI_IST : GICV5_VMTE_WORD_SPI_IST;
}

static struct vgic_v5_ist **vm_ist(struct vgic_v5_irs_vm *vm, u32 type)
{
	return &vm->ist[type == GICV5_HWIRQ_TYPE_LPI ? 0 : 1];
}

static u64 ist_command(struct vgic_v5_irs_vm *vm, u32 type)
{
	return GICV5_IRS_VMAP_VISTR_M |
	       FIELD_PREP(GICV5_IRS_VMAP_VISTR_VM_ID, vm->id) |
	       FIELD_PREP(GICV5_IRS_VMAP_VISTR_TYPE, type);
}

/* Tell the IRS to use @ist. On failure it may use it nevertheless, now or later. */
static int ist_publish(struct vgic_v5_irs_vm *vm, u32 type, struct vgic_v5_ist *ist)
{
	int ret = vmte_begin(vm);

	if (ret)
		return ret;

	WRITE_ONCE(vm->entry[ist_word(type)], cpu_to_le64(ist_encode(ist)));

	return vmte_command(vm, ist_word(type), GICV5_IRS_VMAP_VISTR, ist_command(vm, type), true);
}

/* On failure the IRS may still use the IST. */
static int ist_retract(struct vgic_v5_irs_vm *vm, u32 type)
{
	int ret;

	ret = vmte_invalidate(vm, ist_word(type), GICV5_IRS_VMAP_VISTR,
			      ist_command(vm, type) | GICV5_IRS_VMAP_VISTR_U);
	if (ret)
		return ret;

	WRITE_ONCE(vm->entry[ist_word(type)], 0);
	vgic_v5_sync(vm->vmt->caps, vm->entry, sizeof(*vm->vmt->entries));

	return 0;
}

/**
 * vgic_v5_vm_remove_ist() - make an IST invalid, and free it
 * @vm: the VM
 * @type: GICV5_HWIRQ_TYPE_LPI or GICV5_HWIRQ_TYPE_SPI
 *
 * GICv5 specification: IRS_VMAP_VISTR.
 *
 * Context: process context, may sleep. Takes the lock of the VM table.
 * Return: 0, -ENOENT if the VM has no such IST, -ETIMEDOUT if the IRS does not answer, -EIO if it
 *	refuses. After the last two the VM still has the IST.
 */
int vgic_v5_vm_remove_ist(struct vgic_v5_irs_vm *vm, u32 type)
{
	struct vgic_v5_ist **slot = vm_ist(vm, type);
	int ret;

	guard(mutex)(&vm->vmt->lock);

	if (!*slot)
		return -ENOENT;

	ret = ist_retract(vm, type);
	if (ret)
		return ret;

	ist_free(*slot);
	*slot = NULL;

	return 0;
}

/**
 * vgic_v5_vm_add_ist() - allocate an IST with all its level-2 ISTs, and make it valid
 * @vm: the VM
 * @type: GICV5_HWIRQ_TYPE_LPI or GICV5_HWIRQ_TYPE_SPI
 * @id_bits: number of ID bits; may be the guest's choice
 *
 * GICv5 specification: 11.2.2 L2_VMTE, IRS_VMAP_VISTR.
 *
 * Context: process context, may sleep. Takes the lock of the VM table.
 * Return: 0, -EINVAL or -E2BIG as vgic_v5_ist_get_geometry(), -ENOMEM, -EEXIST if the VM has such
 *	an IST, -EIO if the IRS refuses, -ETIMEDOUT if it does not answer. After a time-out the VM
 *	keeps the IST until vgic_v5_vm_remove_ist() or vgic_v5_vm_destroy() succeeds.
 */
int vgic_v5_vm_add_ist(struct vgic_v5_irs_vm *vm, u32 type, unsigned int id_bits)
{
	struct vgic_v5_ist **slot = vm_ist(vm, type);
	struct vgic_v5_ist_geometry geo;
	struct vgic_v5_ist *ist;
	int ret;

	/* Saves the allocation. What counts is the check under the lock. */
	if (READ_ONCE(*slot))
		return -EEXIST;

	ret = vgic_v5_ist_get_geometry(vm->vmt->caps, type, id_bits, &geo);
	if (ret)
		return ret;

	ist = ist_zalloc(vm->vmt, &geo);
	if (!ist)
		return -ENOMEM;

	guard(mutex)(&vm->vmt->lock);

	if (*slot) {
		ist_free(ist);
		return -EEXIST;
	}

	*slot = ist;
	ret = ist_publish(vm, type, ist);
	if (ret && !ist_retract(vm, type)) {
		ist_free(ist);
		*slot = NULL;
	}

	return ret;
}
