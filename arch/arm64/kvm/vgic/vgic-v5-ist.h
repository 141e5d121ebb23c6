/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_ARM_VGIC_V5_IST_H__
#define __KVM_ARM_VGIC_V5_IST_H__

#include <linux/bitmap.h>
#include <linux/irqchip/arm-gic-v5.h>
#include <linux/list.h>
#include <linux/mutex.h>

/* 4096 VMs, whose linear table takes 128 KiB */
#define VGIC_V5_MAX_VM_ID_BITS		12

/**
 * struct vgic_v5_ist_geometry - the sizes of an IST
 * @id_bits: ID bits
 * @istsz: size of an entry, in the encoding of IRS_IST_CFGR.ISTSZ: 4 << @istsz bytes
 * @l2sz: size of level-2 ISTs, in the encoding of IRS_IST_CFGR.L2SZ. 0 if the IST is linear
 * @size: bytes of the linear IST, or of the level-1 IST
 * @l2_size: bytes of each level-2 IST. 0 if the IST is linear
 * @nr_l2: number of level-2 ISTs, 0 if the IST is linear. Entries of the level-1 IST beyond these
 *	cannot be reached.
 */
struct vgic_v5_ist_geometry {
	u8		id_bits;
	u8		istsz;
	u8		l2sz;
	size_t		size;
	size_t		l2_size;
	u32		nr_l2;
};

/**
 * struct vgic_v5_ist - an IST of a VM
 * @geo: its geometry, which is never read back from the VM table
 * @base: the linear IST, or the level-1 IST
 * @l2: the level-2 ISTs, @geo.nr_l2 of them
 */
struct vgic_v5_ist {
	struct vgic_v5_ist_geometry	geo;
	void				*base;
	void				*l2[];
};

/**
 * struct vgic_v5_vmt - the VM table of the IRS
 * @lock: serialises all that follows, commands to the IRS, and @ist of all VMs
 * @caps: capabilities of the IRS
 * @entries: the table, GICV5_VMTE_NR_WORDS words for each VM ID
 * @nr_ids: number of VM IDs
 * @ids: VM IDs in use
 * @lost: destroyed VMs whose memory the IRS may still use
 */
struct vgic_v5_vmt {
	struct mutex			lock;	/* see above */
	const struct gicv5_vm_caps	*caps;
	__le64				(*entries)[GICV5_VMTE_NR_WORDS];
	unsigned int			nr_ids;
	DECLARE_BITMAP(ids, BIT(VGIC_V5_MAX_VM_ID_BITS));
	struct list_head		lost;
};

/**
 * struct vgic_v5_irs_vm - a VM in the VM table
 * @vmt: the VM table
 * @entry: its entry in the VM table
 * @id: its VM ID
 * @vmd: its VM descriptor, private to the IRS. NULL if the IRS needs none
 * @vpet: its vPE table, which is empty
 * @ist: its ISTs of LPIs and SPIs, NULL if there is none
 * @lost: entry of &vgic_v5_vmt.lost
 */
struct vgic_v5_irs_vm {
	struct vgic_v5_vmt		*vmt;
	__le64				*entry;
	u16				id;
	void				*vmd;
	void				*vpet;
	struct vgic_v5_ist		*ist[2];
	struct list_head		lost;
};

int vgic_v5_ist_get_geometry(const struct gicv5_vm_caps *caps, u32 type, unsigned int id_bits,
			     struct vgic_v5_ist_geometry *geo);

int vgic_v5_vmt_setup(struct vgic_v5_vmt *vmt, const struct gicv5_vm_caps *caps);
int vgic_v5_vmt_init(struct vgic_v5_vmt *vmt, const struct gicv5_vm_caps *caps);
struct vgic_v5_irs_vm *vgic_v5_vm_create(struct vgic_v5_vmt *vmt, unsigned int nr_vpes);
void vgic_v5_vm_destroy(struct vgic_v5_irs_vm *vm);

int vgic_v5_vm_add_ist(struct vgic_v5_irs_vm *vm, u32 type, unsigned int id_bits);
int vgic_v5_vm_remove_ist(struct vgic_v5_irs_vm *vm, u32 type);

void *vgic_v5_zalloc(size_t size);
void vgic_v5_free(const void *mem);
void vgic_v5_sync(const struct gicv5_vm_caps *caps, void *mem, size_t size);

#endif
