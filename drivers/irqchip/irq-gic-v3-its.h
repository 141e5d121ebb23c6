/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private types of the GICv3 ITS driver.
 *
 * Copyright (C) 2013-2017 ARM Limited, All Rights Reserved.
 * Author: Marc Zyngier <marc.zyngier@arm.com>
 */
#ifndef _IRQ_GIC_V3_ITS_H
#define _IRQ_GIC_V3_ITS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <linux/irqchip/arm-gic-v3.h>
#include <linux/irqchip/arm-gic-v3-staging.h>
#include <linux/irqchip/arm-gic-v4.h>

#define ITS_FLAGS_CMDQ_NEEDS_FLUSHING		(1ULL << 0)
#define ITS_FLAGS_WORKAROUND_CAVIUM_22375	(1ULL << 1)
#define ITS_FLAGS_WORKAROUND_CAVIUM_23144	(1ULL << 2)
#define ITS_FLAGS_FORCE_NON_SHAREABLE		(1ULL << 3)
#define ITS_FLAGS_WORKAROUND_HISILICON_162100801	(1ULL << 4)

#define ITS_ITT_ALIGN		SZ_256

/* Convert page order to size in bytes */
#define PAGE_ORDER_TO_SIZE(o)	(PAGE_SIZE << (o))

#define ITS_CMD_QUEUE_NR_ENTRIES	(ITS_CMD_QUEUE_SZ / sizeof(struct its_cmd_block))

/*
 * Collection structure - just an ID, and a redistributor address to
 * ping. We use one per CPU as a bag of interrupts assigned to this
 * CPU.
 */
struct its_collection {
	u64			target_address;
	u16			col_id;
};

/*
 * The ITS_BASER structure - contains memory information, cached
 * value of BASER register configuration and ITS page size.
 */
struct its_baser {
	void		*base;
	u64		val;
	u32		order;
	u32		psz;
};

/**
 * struct its_staging - what the driver keeps of a hand-over
 * @ops:	the hypervisor's side; NULL as long as the driver has the ITS for
 *		itself. Written under both locks of the ITS
 * @id:		what the hypervisor calls it
 * @queue:	the staging command queue
 * @tables:	staging copies of the level-1 tables, NULL for a flat table
 */
struct its_staging {
	const struct its_staging_ops	*ops;
	int				id;
	struct its_cmd_block		*queue;
	void				*tables[GITS_BASER_NR_REGS];
};

struct its_device;

/*
 * The ITS structure - contains most of the infrastructure, with the
 * top-level MSI domain, the command queue, the collections, and the
 * list of devices writing to it.
 *
 * dev_alloc_lock has to be taken for device allocations, while the
 * spinlock must be taken to parse data structures such as the device
 * list.
 */
struct its_node {
	raw_spinlock_t		lock;
	struct mutex		dev_alloc_lock;
	struct list_head	entry;
	void __iomem		*base;
	void __iomem		*sgir_base;
	phys_addr_t		phys_base;
	struct its_cmd_block	*cmd_base;
	struct its_cmd_block	*cmd_write;
	u32			cmd_posted;	/* bytes posted so far, modulo 2^32 */
	struct its_baser	tables[GITS_BASER_NR_REGS];
	struct its_collection	*collections;
	struct fwnode_handle	*fwnode_handle;
	u64			(*get_msi_base)(struct its_device *its_dev);
	u64			typer;
	u64			cbaser_save;
	u32			ctlr_save;
	u32			mpidr;
	struct list_head	its_device_list;
	u64			flags;
	unsigned long		list_nr;
	int			numa_node;
	unsigned int		msi_domain_flags;
	u32			pre_its_base; /* for Socionext Synquacer */
	int			vlpi_redist_offset;
	u32			addr_bits; /* of those that GITS_CBASER has */
	struct its_staging	staging;
};

struct event_lpi_map {
	unsigned long		*lpi_map;
	u16			*col_map;
	irq_hw_number_t		lpi_base;
	int			nr_lpis;
	raw_spinlock_t		vlpi_lock;
	struct its_vm		*vm;
	struct its_vlpi_map	*vlpi_maps;
	int			nr_vlpis;
};

/*
 * The ITS view of a device - belongs to an ITS, owns an interrupt
 * translation table, and a list of interrupts.  If some of its
 * LPIs are injected into a guest (GICv4), the event_map.vm field
 * indicates which one.
 */
struct its_device {
	struct list_head	entry;
	struct its_node		*its;
	struct event_lpi_map	event_map;
	void			*itt;
	u32			itt_sz;
	u32			nr_ites;
	unsigned long		*mapped_events; /* for a hypervisor that takes the ITS over */
	u32			device_id;
	bool			shared;
};

/**
 * its_cmds_done() - How much of what was posted the ITS has read
 * @posted: its_node::cmd_posted
 * @creadr: GITS_CREADR, read after @posted was
 *
 * A queue is never full (IHI 0069, GITS_CWRITER), so that what the ITS has yet to read of
 * @posted is less than a queue, and the offset in @creadr says how much. If the ITS has read
 * more than that meanwhile, the result is lower than what it has read, never higher.
 *
 * Return: bytes, modulo 2^32 as @posted is.
 */
static inline u32 its_cmds_done(u32 posted, u32 creadr)
{
	return posted - (posted - creadr) % ITS_CMD_QUEUE_SZ;
}

/* All ITSs. Only ever grows, and no more once initcalls run. */
extern struct list_head its_nodes;

u32 its_lpi_bits(void);
u32 its_vpeid_bits(void);
u32 its_addr_bits(void);

void *its_staging_alloc(int node, size_t size);
void its_staging_free(void *addr, size_t size);
int its_staging_hand_over(struct list_head *nodes, const struct its_staging_ops *ops);

u32 its_staging_addr_bits(void __iomem *base);
int its_staging_prepare_device(struct its_node *its, u32 dev_id, u32 event_bits, void *itt);
bool its_staging_reclaim_device(struct its_device *its_dev);

#ifdef CONFIG_ARM_GIC_V3_ITS_STAGING
bool its_may_be_staged(void);
bool its_staging_has_vpes(void);
int its_staging_prepare_vpe(u16 vpe_id, struct page *vpt, struct page *vprop, size_t vprop_size);
bool its_staging_reclaim_vpe(struct its_vpe *vpe, size_t vprop_size);
bool its_staging_load_vpe(u64 vpropbaser, u64 vpendbaser);
#else
static inline bool its_may_be_staged(void)
{
	return false;
}

static inline bool its_staging_has_vpes(void)
{
	return false;
}

static inline int its_staging_prepare_vpe(u16 vpe_id, struct page *vpt, struct page *vprop,
					  size_t vprop_size)
{
	return 0;
}

static inline bool its_staging_reclaim_vpe(struct its_vpe *vpe, size_t vprop_size)
{
	return true;
}

static inline bool its_staging_load_vpe(u64 vpropbaser, u64 vpendbaser)
{
	return false;
}
#endif

/**
 * its_is_staged - check whether a hypervisor owns what this ITS reads and writes
 * @its: the ITS
 *
 * Context: any. Changes while the ITS's dev_alloc_lock and its lock are held.
 * Return: true if it has been handed over.
 */
static inline bool its_is_staged(struct its_node *its)
{
	return IS_ENABLED(CONFIG_ARM_GIC_V3_ITS_STAGING) && its->staging.ops;
}

#endif /* _IRQ_GIC_V3_ITS_H */
