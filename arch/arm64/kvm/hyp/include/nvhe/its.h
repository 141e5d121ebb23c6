/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Confinement of GICv3 ITSs: EL2 owns the memory they use, and their registers.
 *
 *  - its-handover.c: registration, adoption and activation. The host is trusted.
 *  - its.c: registers, the command queue, and memory of devices. It is not.
 *  - its-cmd.c: decodes, checks and encodes commands.
 */
#ifndef __ARM64_KVM_NVHE_ITS_H__
#define __ARM64_KVM_NVHE_ITS_H__

#include <linux/irqchip/arm-gic-v3.h>
#include <linux/irqchip/arm-gic-v3-staging.h>
#include <linux/types.h>

#include <asm/kvm_hyp.h>
#include <asm/kvm_pkvm_its.h>

#include <nvhe/mmio_guard.h>
#include <nvhe/spinlock.h>

#define ITS_FRAME_SIZE		SZ_64K

struct hyp_vpe_map;

/* A device is known to EL2 from its preparation until its memory is reclaimed. */
enum hyp_its_device_state {
	HYP_ITS_DEVICE_PREPARED,	/* no command has named it */
	HYP_ITS_DEVICE_MAPPED,		/* by MAPD(V=1) */
	HYP_ITS_DEVICE_UNMAPPED,	/* by MAPD(V=0), which may not have been executed */
};

/**
 * struct hyp_its_device - the record of a device, in the memory of its ITT and behind it
 * @itt:	physical address of the ITT
 * @state:	what commands the device is open to
 * @event_bits:	number of EventID bits
 * @nr_events:	number of bits set in @events
 * @unmapped_at: number of the command that unmapped it
 * @discarded_at: number of the last DISCARD, or of one that may have been lost. U64_MAX if none
 * @events:	one bit an event that is mapped
 */
struct hyp_its_device {
	phys_addr_t			itt;
	enum hyp_its_device_state	state;
	u32				event_bits;
	u32				nr_events;
	u64				unmapped_at;
	u64				discarded_at;
	u64				events[];
};

static_assert(sizeof(struct hyp_its_device) <= ITS_STAGING_RECORD_SIZE);

/**
 * struct hyp_its_table - what EL2 owns and shares for one GITS_BASER<n>
 * @baser:	committed value of the register, 0 if unused
 * @phys:	physical address of the flat or level-1 table
 * @size:	its size in bytes, a multiple of the page size
 * @page_size:	size of a level-2 page in bytes: the ITS's page size, not ours
 * @level2_size: size of the memory that a level-2 page is at the start of
 * @noncoherent: the ITS does not snoop the caches when it reads the table
 * @level1:	committed level-1 table, NULL if the table is flat
 * @staging:	the host's level-1 table, which the host may change at any time
 * @nr_ids:	number of IDs the table has room for
 * @ids_shift:	log2 of the number of IDs in a level-2 page
 * @taken:	the table is EL2's
 * @pinned:	@staging is pinned
 * @nr_level2:	number of level-1 entries that have been gone through for level-2 pages
 */
struct hyp_its_table {
	u64			baser;
	phys_addr_t		phys;
	u64			size;
	u32			page_size;
	u64			level2_size;
	bool			noncoherent;
	__le64			*level1;
	const __le64		*staging;
	u64			nr_ids;
	u32			ids_shift;
	bool			taken;
	bool			pinned;
	u32			nr_level2;
};

/**
 * struct hyp_its - a confined ITS
 * @mem_lock:	serialises what changes the set of devices, and @held_pages. Taken before
 *		@lock, and before the locks of mem_protect.c
 * @lock:	protects the queue, the devices and the registers, once the host is
 *		deprivileged; before that the host's driver serialises its calls. Only
 *		hyp_vpe::lock is taken while it is held
 * @id:		its ID
 * @active:	EL2 commits commands. Set once, before the host is deprivileged
 * @suspended:	power may have been lost, and the host has not begun a new queue since
 * @nr_suspending: CPUs that may be about to suspend the system: the ITS stays disabled
 * @queue_pinned: the staging command queue is pinned
 * @guarded:	the control frame is a guarded MMIO region
 * @base:	EL2's mapping of the control frame
 * @phys:	physical address of the control frame
 * @ctlr:	value of GITS_CTLR at the activation
 * @cbaser:	committed value of GITS_CBASER
 * @queue_phys:	physical address of the hardware's command queue
 * @queue_size:	size of either command queue in bytes
 * @addr_bits:	number of address bits that the ITS drives
 * @nr_pages:	size of the memory that this structure is at the start of
 * @held_pages: number of pages that EL2 holds for this ITS
 * @tables:	the tables, indexed like GITS_BASER<n>
 *
 * @staging:	the queue the host writes
 * @committed:	the queue the hardware reads
 * @nr_cmds:	number of slots, in either queue
 * @next:	slot that the next command goes to. [@done, @next) are committed
 * @done:	slot behind the last command known to have been executed. What is not in
 *		[@done, @next) holds a SYNC
 * @nr_committed: number of commands committed so far, those lost to a reset included
 * @nr_synced:	how many of them are known to have been executed, and followed by a SYNC that has
 * @lost_from:	number of the first that may have been lost to a reset
 * @lost_to:	those from this number on have not been lost
 * @queue_noncoherent: the ITS does not snoop the caches when it reads @committed
 *
 * @devices:	the device table, NULL if the ITS keeps it for itself
 * @flat_records: the devices by DeviceID, if there are no level-2 pages
 * @vpes:	the table of vPEs, NULL if the ITS is not a GICv4.0 one
 * @nr_devices:	number of DeviceIDs
 * @nr_icids:	number of ICIDs
 * @typer:	value of GITS_TYPER, with the driver's corrections
 * @vlpi_rdbase_offset: added to RDbases in commands for vPEs
 * @lpi_bits:	number of INTID bits
 * @nr_lpis:	end of the LPI range
 * @event_bits:	largest number of EventID bits
 * @itt_entry_size: bytes per ITT entry
 * @nr_rdbases:	number of entries of @rdbases, at least one
 * @rdbases:	known RDbases, ascending
 * @verdicts:	number of commands, by verdict
 * @writes_ignored: number of register writes that had no effect
 */
struct hyp_its {
	hyp_spinlock_t			mem_lock;
	hyp_spinlock_t			lock;
	u32				id;
	bool				active;
	bool				suspended;
	u32				nr_suspending;
	bool				queue_pinned;
	bool				guarded;
	void __iomem			*base;
	phys_addr_t			phys;
	u32				ctlr;
	u64				cbaser;
	phys_addr_t			queue_phys;
	u64				queue_size;
	u32				addr_bits;
	u64				nr_pages;
	u64				held_pages;
	struct hyp_its_table		tables[GITS_BASER_NR_REGS];

	const struct its_cmd_block	*staging;
	struct its_cmd_block		*committed;
	u32				nr_cmds;
	u32				next;
	u32				done;
	u64				nr_committed;
	u64				nr_synced;
	u64				lost_from;
	u64				lost_to;
	bool				queue_noncoherent;

	struct hyp_its_table		*devices;
	struct hyp_its_device		**flat_records;
	struct hyp_its_table		*vpes;
	u64				nr_devices;
	u32				nr_icids;
	u64				typer;
	u64				vlpi_rdbase_offset;
	u32				lpi_bits;
	u32				nr_lpis;
	u32				event_bits;
	u32				itt_entry_size;
	u32				nr_rdbases;
	const u64			*rdbases;

	u64				verdicts[PKVM_ITS_NR_VERDICTS];
	u64				writes_ignored;
};

/* Hypercalls of a host that is trusted */
int __pkvm_its_register(u64 pfn, u64 nr_pages);
int __pkvm_its_adopt_device(u32 id, u32 dev_id, u32 event_bits, phys_addr_t itt);
int __pkvm_its_activate(u32 id, u32 offset);
int __pkvm_its_adopt_event(u32 id, u32 dev_id, u32 event_id);
int __pkvm_its_unregister(u32 id);
int __pkvm_its_fence(phys_addr_t base, bool present);
void __pkvm_its_refuse_pvms(void);

/* Hypercalls of a host that is not */
int __pkvm_its_post(u32 id, u64 cwriter);
int __pkvm_its_prepare(u32 id, u64 dev_id, u32 event_bits, phys_addr_t itt);
int __pkvm_its_reclaim(u32 id, u64 dev_id);
u64 __pkvm_its_stat(u32 id, u32 nr);

bool pkvm_its_pvms_refused(void);
bool pkvm_its_suspend(void);
void pkvm_its_resume(void);

/* its-handover.c */
struct hyp_its *hyp_its_get(u32 id);
u32 hyp_its_count(void);
int its_pin(phys_addr_t phys, u64 size, void **virt);
void its_unpin(void *virt, u64 size);

/* its.c */
extern const struct mmio_guard_ops its_guard_ops;

bool its_drives(struct hyp_its *its, phys_addr_t phys, u64 size);
int its_donate_pages(struct hyp_its *its, phys_addr_t phys, u64 size);
void its_return_pages(struct hyp_its *its, phys_addr_t phys, u64 size);
bool its_is_quiescent(void __iomem *base);
bool its_bases_match(struct hyp_its *its);
int its_check_level2(const struct hyp_its_table *table, u64 entry, phys_addr_t *phys);
struct hyp_its_device *its_init_device(struct hyp_its *its, u32 event_bits, phys_addr_t itt,
				       enum hyp_its_device_state state);
void its_start_queue(struct hyp_its *its, u32 slot);
int its_prepare_vpe(struct hyp_its *its, u64 vpeid);
bool its_has_unmapped_vpe(struct hyp_its *its, const struct hyp_vpe_map *map);

/* its-cmd.c */
struct hyp_its_device **its_find_device(const struct hyp_its *its, u64 dev_id);
bool its_may_be_lost(const struct hyp_its *its, u64 nr);
void its_set_event(struct hyp_its_device *device, u64 event_id, bool mapped);
enum pkvm_its_verdict its_translate_cmd(struct hyp_its *its, const u64 *in, u64 *out);

#endif /* __ARM64_KVM_NVHE_ITS_H__ */
