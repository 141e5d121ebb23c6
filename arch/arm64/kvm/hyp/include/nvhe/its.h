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

/* The record of a device, in the memory of its ITT and behind it */
struct hyp_its_device {
	phys_addr_t			itt;
	enum hyp_its_device_state	state;
	u32				event_bits;	/* number of EventID bits */
	u32				nr_events;	/* number of bits set in @events */
	u64				unmapped_at;	/* number of the command that did it */
	u64				discarded_at;	/* of the last DISCARD, or one that may */
							/* have been lost. U64_MAX if none */
	u64				events[];	/* one bit an event that is mapped */
};

static_assert(sizeof(struct hyp_its_device) <= ITS_STAGING_RECORD_SIZE);

/* What EL2 owns and shares for one GITS_BASER<n> */
struct hyp_its_table {
	u64			baser;		/* committed value of the register, 0 if unused */
	phys_addr_t		phys;		/* of the flat or level-1 table */
	u64			size;		/* whole pages; 0 if another ITS has it, too */
	u32			page_size;	/* of a level-2 page: the ITS's, not ours */
	u64			level2_size;	/* of the memory that one is at the start of */
	__le64			*level1;	/* committed level-1 table, NULL if flat */
	const __le64		*staging;	/* the host's: pinned, may change at any time */
	u64			nr_ids;		/* that the table has room for */
	u32			ids_shift;	/* log2 of their number in a level-2 page */
	u32			nr_level2;	/* entries gone through for level-2 pages */
};

/*
 * A confined ITS. @mem_lock serialises what changes the set of devices, and is taken before @lock
 * and before the locks of mem_protect.c. @lock protects the queue, the devices and the registers
 * once the host is deprivileged; before that the host's driver serialises its calls. Only
 * hyp_vpe::lock is taken while it is held.
 */
struct hyp_its {
	hyp_spinlock_t			mem_lock;
	hyp_spinlock_t			lock;
	u32				id;
	bool				active;		/* commits commands. Set once */
	bool				suspended;	/* no new queue since a suspend */
	void __iomem			*base;		/* of the control frame */
	phys_addr_t			phys;		/* likewise */
	u32				ctlr;		/* GITS_CTLR at the activation */
	u64				cbaser;		/* committed value of GITS_CBASER */
	u32				addr_bits;	/* of an address, that the ITS drives */
	u64				nr_pages;	/* of memory that this is the start of */
	struct hyp_its_table		tables[GITS_BASER_NR_REGS];

	/*
	 * The queue. Commands have numbers, and those that differ by ITS_NR_SLOTS the same slot.
	 * Commands [@nr_done, @nr_committed) are committed and not known to have been executed,
	 * and the other slots hold a SYNC. Those before @nr_synced are known to have been executed
	 * and followed by a SYNC that has. A reset goes on with the next number in slot 0;
	 * [@lost_from, @lost_to) may have been lost to one.
	 */
	const struct its_cmd_block	*staging;	/* the host's queue, which is pinned */
	struct its_cmd_block		*committed;	/* the hardware's */
	u64				nr_done;
	u64				nr_committed;
	u64				nr_synced;
	u64				lost_from;
	u64				lost_to;
	bool				queue_noncoherent; /* the ITS reads memory, not caches */

	struct hyp_its_table		*devices;	/* NULL if the ITS keeps it for itself */
	struct hyp_its_device		**flat_records;	/* by DeviceID, without level-2 pages */
	u64				nr_record_pages; /* of @flat_records */
	struct hyp_its_table		*vpes;		/* may be another ITS's. NULL if none */
	u64				nr_devices;	/* number of DeviceIDs */
	u32				nr_icids;
	u64				typer;		/* with the driver's corrections */
	u64				vlpi_rdbase_offset; /* of RDbases in commands for vPEs */
	u32				lpi_bits;	/* number of INTID bits */
	u32				nr_lpis;	/* end of the LPI range */
	u32				event_bits;	/* largest number of EventID bits */
	u32				itt_entry_size;	/* bytes */
	u32				nr_rdbases;	/* at least one */
	const u64			*rdbases;	/* known if they ascend */

	u64				stats[PKVM_ITS_NR_STATS];
};

/* Set by a host that is still trusted, and could not confine its GIC: no protected VMs */
extern bool pkvm_its_pvms_refused;

/* Hypercalls of a host that is trusted */
int __pkvm_its_register(u64 pfn, u64 nr_pages, u64 records_pfn);
int __pkvm_its_adopt_device(u32 id, u32 dev_id, u32 event_bits, phys_addr_t itt);
int __pkvm_its_activate(u32 id, u32 offset);
int __pkvm_its_adopt_event(u32 id, u32 dev_id, u32 event_id);
int __pkvm_its_unregister(u32 id);
int __pkvm_its_fence(phys_addr_t base, bool present);

/* GITS_TYPER.VMAPP: commands for vPEs have the form of GICv4.1. */
static inline bool its_is_v4_1(const struct hyp_its *its)
{
	return its->typer & GITS_TYPER_VMAPP;
}

/* Hypercalls of a host that is not */
int __pkvm_its_post(u32 id, u32 offset);
int __pkvm_its_prepare(u32 id, u64 dev_id, u32 event_bits, phys_addr_t itt);
int __pkvm_its_reclaim(u32 id, u64 dev_id);
u64 __pkvm_its_stat(u32 id, u32 nr);

bool pkvm_its_suspend(void *by);
void pkvm_its_resume(void *by);

/* its-handover.c */
struct hyp_its *hyp_its_get(u32 id);
int its_pin(phys_addr_t phys, u64 size, void **virt);
void its_unpin(void *virt, u64 size);
bool its_has_vpe_table(u64 vpropbaser);

/* its.c */
extern const struct mmio_guard_ops its_guard_ops;

bool its_drives(struct hyp_its *its, phys_addr_t phys, u64 size);
int its_donate_pages(struct hyp_its *its, phys_addr_t phys, u64 size);
void its_return_pages(struct hyp_its *its, phys_addr_t phys, u64 size);
bool its_is_quiescent(void __iomem *base);
bool its_bases_match(struct hyp_its *its);
struct hyp_its_device *its_init_device(struct hyp_its *its, u32 event_bits, phys_addr_t itt,
				       enum hyp_its_device_state state);
void its_start_queue(struct hyp_its *its, u32 slot);
int its_prepare_vpe(struct hyp_its *its, u64 vpeid);
bool its_has_unmapped_vpe(struct hyp_its *its, const struct hyp_vpe_map *map);
bool its_has_executed(const struct hyp_its *its, u64 nr);

/* its-cmd.c */
struct hyp_its_device **its_find_device(const struct hyp_its *its, u64 dev_id);
bool its_may_be_lost(const struct hyp_its *its, u64 nr);
bool its_set_event(struct hyp_its_device *device, u64 event_id, bool mapped);
enum pkvm_its_verdict its_translate_cmd(struct hyp_its *its, const u64 *in, u64 *out);

#endif /* __ARM64_KVM_NVHE_ITS_H__ */
