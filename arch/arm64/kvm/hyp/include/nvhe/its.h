/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Confinement of GICv3 ITSs: EL2 owns the memory they use, and their registers.
 */
#ifndef __ARM64_KVM_NVHE_ITS_H__
#define __ARM64_KVM_NVHE_ITS_H__

#include <linux/irqchip/arm-gic-v3-staging.h>
#include <linux/types.h>

#include <asm/kvm_hyp.h>

#include <nvhe/its-cmd.h>
#include <nvhe/spinlock.h>

/**
 * struct hyp_its_table - what EL2 owns and shares for one GITS_BASER<n>
 * @baser:	committed value of the register, 0 if unused
 * @phys:	physical address of the flat or level-1 table
 * @size:	its size in bytes, a multiple of the page size
 * @staging:	the host's level-1 table, NULL for a flat table
 * @taken:	the table is EL2's
 * @pinned:	@staging is pinned
 * @nr_level2:	number of level-1 entries that have been gone through for level-2 pages
 * @cmd:	what the command code needs to know
 */
struct hyp_its_table {
	u64			baser;
	phys_addr_t		phys;
	u64			size;
	void			*staging;
	bool			taken;
	bool			pinned;
	u32			nr_level2;
	struct its_cmd_table	cmd;
};

/**
 * struct hyp_its - a confined ITS
 * @lock:	protects everything below, once the host is deprivileged; before that the
 *		host's driver serialises its calls. Taken before the host's stage-2 lock
 * @active:	EL2 commits commands. Set once, before the host is deprivileged
 * @queue_pinned: the staging command queue is pinned
 * @guarded:	the control frame is a guarded MMIO region
 * @base:	EL2's mapping of the control frame
 * @phys:	physical address of the control frame
 * @ctlr:	value of GITS_CTLR at the activation
 * @cbaser:	committed value of GITS_CBASER
 * @queue_phys:	physical address of the hardware's command queue
 * @queue_size:	size of either command queue in bytes
 * @addr_bits:	number of address bits that the ITS drives
 * @wait_budget: what is left of this entry's time to wait
 * @take_budget: what is left of the memory that this entry may take, in bytes
 * @nr_suspending: CPUs that may be about to suspend the system: the ITS stays disabled
 * @suspended:	power may have been lost, and the host has not begun a new queue since
 * @nr_pages:	size of the memory that this structure is at the start of
 * @tables:	the tables, indexed like GITS_BASER<n>
 * @cmd:	the state of the command code
 */
struct hyp_its {
	hyp_spinlock_t		lock;
	bool			active;
	bool			queue_pinned;
	bool			guarded;
	void __iomem		*base;
	phys_addr_t		phys;
	u32			ctlr;
	u64			cbaser;
	phys_addr_t		queue_phys;
	u64			queue_size;
	u32			addr_bits;
	u32			wait_budget;
	u64			take_budget;
	u32			nr_suspending;
	bool			suspended;
	u64			nr_pages;
	struct hyp_its_table	tables[GITS_BASER_NR_REGS];
	struct its_cmd_queue	cmd;
};

extern bool pkvm_its_reference;

/* Are reads to trap, and commands to be submitted one by one? Only to measure that */
static inline bool pkvm_its_is_reference(void)
{
	return IS_ENABLED(CONFIG_PKVM_ITS_REFERENCE) && pkvm_its_reference;
}

int __pkvm_its_register(u64 pfn, u64 nr_pages);
int __pkvm_its_map_device(u32 id, u32 dev_id, u32 event_bits, phys_addr_t itt);
int __pkvm_its_activate(u32 id, u32 offset);
int __pkvm_its_unregister(u32 id);
int __pkvm_its_fence(phys_addr_t base, bool present);
void __pkvm_its_refuse_pvms(void);
int __pkvm_its_post(u32 id, u64 cwriter);
int __pkvm_its_add_page(u32 id, u64 dev_id, u64 pfn);
int __pkvm_its_reclaim(u32 id, phys_addr_t itt, u64 size);
u64 __pkvm_its_stat(u32 id, u32 nr);
bool pkvm_its_pvms_refused(void);
bool pkvm_its_suspend(void);
void pkvm_its_resume(void);
int its_pin(phys_addr_t phys, u64 size, void **virt);
void its_unpin(void *virt, u64 size);

#endif /* __ARM64_KVM_NVHE_ITS_H__ */
