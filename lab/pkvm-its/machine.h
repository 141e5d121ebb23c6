/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine with ITSs and a host: the host's driver up to the hand-over, and then what a
 * host can do, good or bad.
 */
#ifndef __PKVM_ITS_MACHINE_H__
#define __PKVM_ITS_MACHINE_H__

#include <nvhe/its.h>

#include "its-model.h"
#include "mem.h"
#include "rdist-model.h"

/* The base of the frames of the ITSs */
#define FRAME_BASE	0x8080000ULL

/* The number that the driver gives its ITSs */
#define MACHINE_ITS_NUMBER	(5U << GITS_CTLR_ITS_NUMBER_SHIFT)

/**
 * struct machine_table - how the driver sets up a table
 * @entry_size: bytes per entry
 * @psz: ITS page size, in bytes
 * @nr_pages: number of those pages for the flat or level-1 table, 0 for no table
 * @indirect: two levels
 */
struct machine_table {
	u32	entry_size;
	u32	psz;
	u32	nr_pages;
	bool	indirect;
};

/**
 * struct machine_config - the machine and how the driver uses it
 * @its: what kind of ITS
 * @devices: the device table
 * @collections: the collection table
 * @vpes: the table of vPEs, if the ITS has vPEs
 * @queue_pages: size of the command queue in 4K pages
 * @addr_bits: number of address bits the ITSs drive
 * @ctlr: what the driver writes to GITS_CTLR
 * @high: memory of the ITSs lies above 48 bits where the format allows it
 * @shares: GICv4.1: the table of vPEs is that of the first ITS
 */
struct machine_config {
	struct its_model_config	its;
	struct machine_table	devices;
	struct machine_table	collections;
	struct machine_table	vpes;
	u32			queue_pages;
	u32			addr_bits;
	u32			ctlr;
	bool			high;
	bool			shares;
};

/* A command as it is in the queue, in the order of its doublewords */
struct cmd {
	u64	raw[4];
};

/**
 * struct host_its - what the host knows of an ITS
 * @cfg: what it is
 * @model: the ITS
 * @id: EL2's ID of it, or negative
 * @tables: address of the flat or level-1 tables
 * @staging_tables: the staging level-1 tables, or 0
 * @queue: the queue the ITS reads
 * @staging: the queue the host writes, from the activation on the staging queue
 * @staging_queue: the staging queue
 * @next: slot of the host's next command
 * @addr_bits: number of address bits that the driver has found the ITS to keep
 * @nr_state: pages donated for EL2's state, except for records of devices
 */
struct host_its {
	struct machine_config	cfg;
	struct its_model	*model;
	int			id;
	phys_addr_t		tables[GITS_BASER_NR_REGS];
	phys_addr_t		staging_tables[GITS_BASER_NR_REGS];
	phys_addr_t		queue;
	phys_addr_t		staging;
	phys_addr_t		staging_queue;
	u32			next;
	u32			addr_bits;
	u32			nr_state;
};

/* The devices that have a table, and its register */
#define BASER_DEVICES		0
#define BASER_COLLECTIONS	1
#define BASER_VPES		2

extern const struct machine_config machine_default;

void machine_reset(void);
/* EL2 keeps its own state in pages that it gets next, or has a use for them */
void expect_state(phys_addr_t phys, u64 nr_pages, bool is_state);
phys_addr_t host_alloc(u64 size, u64 align);
phys_addr_t host_alloc_high(u64 size, u64 align);

struct host_its *its_start(const struct machine_config *cfg);
/* Changes what EL2 is told, if set */
extern void (*its_edit_desc)(struct its_staging_desc *desc);
/* How many pages EL2 gets for its state, if not as many as it takes */
extern u64 its_state_pages;
/* Where EL2 gets room for records of devices without level-2 pages, if not where it should */
extern phys_addr_t its_records;

int its_hand_over(struct host_its *its);
int its_register(struct host_its *its);
int its_activate(struct host_its *its);
int its_unregister(struct host_its *its);
struct host_its *its_up(const struct machine_config *cfg);

u32 its_nr_slots(const struct host_its *its);
void its_stage(struct host_its *its, struct cmd cmd);
void its_ring(struct host_its *its);
void its_write(struct host_its *its, u64 offset, u64 val, unsigned int size);
u64 its_read(struct host_its *its, u64 offset);
/* Memory for an ITT, and the calls that the driver makes for a device */
phys_addr_t its_alloc_itt(struct host_its *its, u32 event_bits);
int its_prepare(struct host_its *its, u64 dev_id, u32 event_bits, phys_addr_t itt);
int its_reclaim(struct host_its *its, u64 dev_id);
/* Memory for a virtual pending table, and for a virtual property table that EL2 shares */
phys_addr_t its_alloc_vpt(void);
phys_addr_t its_alloc_vprop(void);
u64 its_stat(struct host_its *its, unsigned int nr);
u64 its_refused_all(struct host_its *its);
struct cmd its_committed(struct host_its *its, u32 slot);

/* The driver's work on a level-1 table: a page for @id, in staging once there is one */
phys_addr_t its_stage_level2(struct host_its *its, unsigned int baser, u64 id);
void its_stage_level1_entry(struct host_its *its, unsigned int baser, u64 id, u64 entry);

/* What is counted as held is what EL2 owns. */
void its_check_held(struct host_its *its);

/* Where the redistributors of most machines are, behind the frames of two ITSs */
#define GIC_RD_BASE	0x80c0000ULL

/* What the driver writes to the base registers, with the addresses */
#define GIC_LPI_BITS	16
#define GIC_PROP_ATTRS	(GICR_PROPBASER_InnerShareable | GICR_PROPBASER_RaWaWb)
#define GIC_PEND_ATTRS	(GICR_PENDBASER_InnerShareable | GICR_PENDBASER_RaWaWb)

/**
 * struct host_gic - the redistributors, and what the driver tells about them
 * @regions: the regions
 * @tables: the pending tables in use
 * @rdist: the redistributors
 * @vpes: EL2 gets memory for a registry of vPEs
 * @max: number of those that EL2 gets memory for, 0 for as many as there are
 * @nr_pages: pages donated for EL2's state
 * @desc: the rest of the description
 */
struct host_gic {
	struct gic_staging_region	regions[RDIST_MAX_MODELS];
	struct gic_staging_table	tables[RDIST_MAX_MODELS];
	struct rdist_model		*rdist[RDIST_MAX_MODELS];
	bool				vpes;
	u64				max;
	u64				nr_pages;
	struct gic_staging_desc		desc;
};

extern struct host_gic gic;

void gic_add_region(u64 base, unsigned int nr, u64 typer, u64 stride);
void gic_enable(struct rdist_model *rdist);
int gic_hand_over(void);
bool gic_write(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size);

struct cmd cmd_mapd(u64 dev_id, u32 event_bits, phys_addr_t itt);
struct cmd cmd_unmapd(u64 dev_id);
/* As EL2 makes it of cmd_unmapd() */
struct cmd cmd_unmapd_full(u64 dev_id, u32 event_bits, phys_addr_t itt);
struct cmd cmd_mapc(u64 icid, u64 rdbase);
struct cmd cmd_unmapc(u64 icid);
struct cmd cmd_mapti(u64 dev_id, u64 event_id, u64 intid, u64 icid);
struct cmd cmd_mapi(u64 dev_id, u64 intid, u64 icid);
struct cmd cmd_movi(u64 dev_id, u64 event_id, u64 icid);
struct cmd cmd_event(u32 nr, u64 dev_id, u64 event_id);
struct cmd cmd_invall(u64 icid);
struct cmd cmd_movall(u64 from, u64 to);
struct cmd cmd_sync(u64 rdbase);
struct cmd cmd_vmapp(u32 vpeid, u64 rdbase, phys_addr_t vpt, u32 bits);
struct cmd cmd_vmapp_v4_1(u32 vpeid, u64 rdbase, phys_addr_t vpt, u32 bits, phys_addr_t vconf,
			  u32 doorbell, bool alloc);
struct cmd cmd_vunmapp(u32 vpeid);
struct cmd cmd_vmapti(u32 dev_id, u32 event_id, u32 vpeid, u32 vintid, u32 doorbell);
struct cmd cmd_vmovi(u32 dev_id, u32 event_id, u32 vpeid);
struct cmd cmd_vmovp(u32 vpeid, u64 rdbase, u32 list);
struct cmd cmd_vpe(u32 nr, u32 vpeid);

#endif /* __PKVM_ITS_MACHINE_H__ */
