/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the GICv3 drivers and a hypervisor that confines the GIC.
 *
 * ITSs: the driver *stages* commands and level-1 table entries in memory of its
 * own, the hypervisor checks them and *commits* them to the memory that the
 * hardware reads and that the driver can no longer reach. What a device needs
 * changes hands before it is mapped, and back after it is unmapped.
 *
 * Redistributors: the driver describes them and the LPI tables they use, which
 * stay as they are. The hypervisor checks the description against the registers.
 */
#ifndef __LINUX_IRQCHIP_ARM_GIC_V3_STAGING_H
#define __LINUX_IRQCHIP_ARM_GIC_V3_STAGING_H

#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <linux/irqchip/arm-gic-v3.h>

/*
 * The largest EventID space of a device. Bounds the memory that is zeroed in one go; larger
 * than any PCI device and any driver asks for.
 */
#define ITS_STAGING_MAX_EVENT_BITS	16

/* The size of either command queue in bytes */
#define ITS_CMD_QUEUE_SZ		SZ_64K

/* Room for what the hypervisor knows of a device, beside one bit an event */
#define ITS_STAGING_RECORD_SIZE		64

/**
 * its_staging_record_offset() - Find the hypervisor's record of a device
 * @entry_size: bytes per ITT entry
 * @event_bits: number of EventID bits, at most ITS_STAGING_MAX_EVENT_BITS
 *
 * Return: offset into the memory of the ITT, in bytes. ITTs are allocated in units of 256
 * bytes: the ITS does not touch what is behind (IHI 0069, MAPD).
 */
static inline u64 its_staging_record_offset(u32 entry_size, u32 event_bits)
{
	return ALIGN((u64)entry_size << event_bits, SZ_256);
}

/* The size of the hypervisor's map of a device's events, which follows the record */
static inline u64 its_staging_events_size(u32 event_bits)
{
	return ALIGN(BIT_ULL(event_bits), 64) / BITS_PER_BYTE;
}

/**
 * its_staging_itt_size() - Size of the memory for an ITT
 * @entry_size: bytes per ITT entry
 * @event_bits: number of EventID bits, at most ITS_STAGING_MAX_EVENT_BITS
 *
 * The hypervisor takes whole pages, and keeps track of the device behind the ITT.
 *
 * Return: bytes, a multiple of the page size.
 */
static inline u64 its_staging_itt_size(u32 entry_size, u32 event_bits)
{
	return ALIGN(its_staging_record_offset(entry_size, event_bits) + ITS_STAGING_RECORD_SIZE +
		     its_staging_events_size(event_bits), PAGE_SIZE);
}

static inline u64 its_staging_page_size(u64 baser)
{
	return SZ_4K << (2 * min_t(u64, FIELD_GET(GITS_BASER_PAGE_SIZE_MASK, baser), 2));
}

/*
 * The size of the memory for a level-2 page of the device table: whole pages. The hypervisor keeps
 * a pointer for each DeviceID behind the ITS's page.
 */
static inline u64 its_staging_level2_size(u64 baser)
{
	u64 page_size = its_staging_page_size(baser);

	return ALIGN(page_size + page_size / GITS_BASER_ENTRY_SIZE(baser) * sizeof(u64), PAGE_SIZE);
}

/* The ITS command block, which is what the ITS actually parses */
struct its_cmd_block {
	union {
		u64	raw_cmd[4];
		__le64	raw_cmd_le[4];
	};
};

/* Room for what the hypervisor knows of a vPE */
#define ITS_STAGING_VPE_RECORD_SIZE	SZ_2K

/**
 * its_staging_vpt_size() - Size of the memory for a virtual pending table
 * @lpi_bits: number of vINTID bits, as many as the LPI tables cover
 *
 * The hypervisor keeps track of the vPE behind the table.
 *
 * Return: bytes, a multiple of 64K.
 */
static inline u64 its_staging_vpt_size(u32 lpi_bits)
{
	return ALIGN(BIT_ULL(lpi_bits) / BITS_PER_BYTE + ITS_STAGING_VPE_RECORD_SIZE, SZ_64K);
}

/**
 * struct its_staging_table - one GITS_BASER<n> at the hand-over
 * @baser:	the value the driver left in the register, 0 if it does not use it
 * @base:	physical address of the memory that the driver allocated for the table
 * @staging:	physical address of the driver's copy of the level-1 table, 0 if
 *		the table is flat
 */
struct its_staging_table {
	u64		baser;
	phys_addr_t	base;
	phys_addr_t	staging;
};

/**
 * struct its_staging_desc - describes an ITS to the hypervisor
 * @base:	physical address of the control frame (64K)
 * @typer:	the value of GITS_TYPER, with the driver's corrections
 * @hw_queue:	physical address of the memory that the driver allocated for the command
 *		queue
 * @queue:	physical address of the staging command queue, which is as large
 *		as that at @hw_queue
 * @queue_noncoherent: the ITS reads its command queue without snooping the caches,
 *		whatever GITS_CBASER says
 * @addr_bits:	number of address bits that the ITS drives. Higher ones
 *		are ignored or truncated
 * @lpi_bits:	number of INTID bits that the LPI tables cover
 * @vpeid_bits:	number of vPEID bits, at most 16
 * @tables:	the tables, indexed like GITS_BASER<n>
 * @vlpi_rdbase_offset: what the ITS wants to have added to an RDbase in commands for vPEs;
 *		0 unless it has a quirk
 * @nr_rdbases:	number of entries of @rdbases, at least one
 * @rdbases:	RDbase of each known redistributor, in the format that
 *		GITS_TYPER.PTA asks for and with bits [51:16] in place, ascending
 */
struct its_staging_desc {
	phys_addr_t			base;
	u64				typer;
	phys_addr_t			hw_queue;
	phys_addr_t			queue;
	bool				queue_noncoherent;
	u32				addr_bits;
	u32				lpi_bits;
	u32				vpeid_bits;
	struct its_staging_table	tables[GITS_BASER_NR_REGS];
	u32				vlpi_rdbase_offset;
	u32				nr_rdbases;
	u64				rdbases[] __counted_by(nr_rdbases);
};

/**
 * struct its_staging_ops - what the driver asks of the hypervisor's side
 *
 * Calls that return an error have changed nothing, but that the hypervisor keeps a level-2 page it
 * has taken. Those made under the ITS lock do not sleep, the others may.
 *
 * @register_its:	announce an ITS. Returns an ID for the other calls.
 * @adopt_device:	announce a device that is mapped already, before @activate.
 * @activate:		from now on commands are taken from the staging queue, starting at @offset
 *			(bytes), where the hardware's read and write pointers both are. Under the
 *			ITS lock, takes constant time.
 * @adopt_event:	announce an event that is mapped already, after @activate. Under the ITS
 *			lock.
 * @unregister_its:	undo @register_its and @adopt_device for the ITS that was registered last,
 *			and is not active.
 * @post:		do what a write of @offset (bytes) to GITS_CWRITER does. Under the ITS lock.
 * @prepare:		hand over the memory of an ITT, of its_staging_itt_size() bytes, and the
 *			level-2 page of the device table. To be called before MAPD(V=1), which
 *			must name the same @itt and size.
 * @reclaim:		get back what @prepare took, but for the level-2 page. To be called after
 *			MAPD(V=0) and a SYNC behind it have completed, or without any MAPD. If it
 *			fails, the memory must be left alone for good.
 * @prepare_vpe:	hand over a virtual pending table, of its_staging_vpt_size() bytes,
 *			and the level-2 pages of the vPE tables of all ITSs, and share a
 *			virtual property table. To be called before VMAPP(V=1), which must
 *			name the same @vpt. Process context, may sleep. Returns 0 or a
 *			negative error.
 * @reclaim_vpe:	undo @prepare_vpe, but for the level-2 pages. To be called after
 *			VMAPP(V=0) and (GICv4.0) a VSYNC behind it have completed on each
 *			ITS, with the vPE not resident. Process context, may sleep. Returns
 *			0 or a negative error, and then the memory must be left alone for
 *			good.
 * @load_vpe:		write GICR_VPROPBASER (GICv4.0 only) and GICR_VPENDBASER of this
 *			CPU along with something else that enters the hypervisor soon,
 *			before the guest runs. Called without preemption, does not sleep.
 *			Returns false if the caller has to write them.
 */
struct its_staging_ops {
	int	(*register_its)(const struct its_staging_desc *desc);
	int	(*adopt_device)(int id, u32 dev_id, u32 event_bits, phys_addr_t itt);
	int	(*activate)(int id, u32 offset);
	int	(*adopt_event)(int id, u32 dev_id, u32 event_id);
	void	(*unregister_its)(int id);
	void	(*post)(int id, u32 offset);
	int	(*prepare)(int id, u32 dev_id, u32 event_bits, phys_addr_t itt);
	int	(*reclaim)(int id, u32 dev_id);
	int	(*prepare_vpe)(u16 vpe_id, phys_addr_t vpt, phys_addr_t vprop, size_t vprop_size);
	int	(*reclaim_vpe)(u16 vpe_id, phys_addr_t vprop, size_t vprop_size);
	bool	(*load_vpe)(u64 vpropbaser, u64 vpendbaser);
};

/**
 * struct gic_staging_region - a region of redistributors, as firmware describes it
 * @base:	physical address
 * @size:	bytes
 * @stride:	bytes from one redistributor to the next, 0 if they are adjacent
 * @single:	there is a single redistributor in the region, whatever its
 *		GICR_TYPER.Last is
 * @absent:	the redistributors may not be there: their registers must not be read
 */
struct gic_staging_region {
	u64	base;
	u64	size;
	u64	stride;
	u32	single;
	u32	absent;
};

/**
 * struct gic_staging_table - an LPI pending table that is in use
 * @rd_base:	physical address of the redistributor
 * @pending:	physical address of its pending table
 */
struct gic_staging_table {
	u64	rd_base;
	u64	pending;
};

/**
 * struct gic_staging_desc - what the driver knows about the redistributors
 * @prop_table:	physical address of the LPI property table, which all of them use
 * @lpi_bits:	number of INTID bits that the LPI tables cover
 * @nr_rdists:	the most redistributors that the regions have room for
 * @nr_tables:	number of those whose LPIs are enabled. If there are none, then
 *		@prop_table and @lpi_bits are meaningless
 * @nr_regions:	number of entries of @regions
 * @regions:	the regions, ascending. @nr_tables times struct gic_staging_table
 *		follow, see gic_staging_tables()
 */
struct gic_staging_desc {
	u64				prop_table;
	u32				lpi_bits;
	u32				nr_rdists;
	u32				nr_tables;
	u32				nr_regions;
	struct gic_staging_region	regions[] __counted_by(nr_regions);
};

/**
 * gic_staging_tables() - Find the pending tables in a description
 * @desc: the description
 *
 * Return: the first of gic_staging_desc::nr_tables entries.
 */
static inline struct gic_staging_table *gic_staging_tables(struct gic_staging_desc *desc)
{
	return (void *)desc + struct_size(desc, regions, desc->nr_regions);
}

/**
 * gic_staging_desc_size() - Size of a description
 * @desc: the description
 *
 * Return: bytes.
 */
static inline size_t gic_staging_desc_size(const struct gic_staging_desc *desc)
{
	return struct_size(desc, regions, desc->nr_regions) +
	       desc->nr_tables * sizeof(struct gic_staging_table);
}

#ifdef CONFIG_ARM_GIC_V3_STAGING
int gic_start_deprivilege(int (*register_rdists)(struct gic_staging_desc *desc));
struct gic_staging_desc *gic_staging_alloc(size_t size);
#endif

#ifdef CONFIG_ARM_GIC_V3_ITS_STAGING
int its_start_deprivilege(const struct its_staging_ops *ops);
void its_describe_lpis(struct gic_staging_desc *desc);
void its_disable_unused_lpis(void __iomem *rd_base);
#else
static inline int its_start_deprivilege(const struct its_staging_ops *ops)
{
	return 0;
}

static inline void its_describe_lpis(struct gic_staging_desc *desc) { }
static inline void its_disable_unused_lpis(void __iomem *rd_base) { }
#endif

#endif /* __LINUX_IRQCHIP_ARM_GIC_V3_STAGING_H */
