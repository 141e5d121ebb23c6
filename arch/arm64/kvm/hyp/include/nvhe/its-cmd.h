/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command side of a confined GICv3 ITS: what EL2 knows of its tables and
 * devices, and which commands it lets through. No MMIO and no page-tables here, so
 * that it also compiles in user space.
 */
#ifndef __ARM64_KVM_NVHE_ITS_CMD_H__
#define __ARM64_KVM_NVHE_ITS_CMD_H__

#include <linux/irqchip/arm-gic-v3.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <asm/kvm_pkvm_its.h>

/* Granule of ITT memory: see __pkvm_host_donate_itt() */
#define ITS_CMD_ITT_GRANULE	(PAGE_SIZE / 16)

/*
 * The largest EventID space EL2 accepts for a device. Bounds the memory that a single
 * command can move; larger than any PCI device and any driver asks for.
 */
#define ITS_CMD_MAX_EVENT_BITS	16

/**
 * struct its_cmd_block - a command as it is in memory (IHI 0069, ITS commands)
 * @raw_le: four little-endian doublewords
 */
struct its_cmd_block {
	__le64	raw_le[4];
};

/**
 * struct its_cmd_table - a table the ITS keeps in memory
 * @nr_ids:	number of IDs the table has room for
 * @l1:		committed level-1 table; NULL if the table is flat
 * @staging:	the host's level-1 table, which the host may change at any time
 * @ids_shift:	log2 of the number of IDs in a level-2 page
 * @psz:	size of a level-2 page in bytes: the ITS's page size, not ours
 * @nc:		the ITS does not snoop the caches when it reads the table
 */
struct its_cmd_table {
	u64		nr_ids;
	__le64		*l1;
	const __le64	*staging;
	u32		ids_shift;
	u32		psz;
	bool		nc;
};

struct its_cmd_queue;

/**
 * struct its_cmd_ops - how the command code reaches memory and hardware
 * @take_itt:	 take [@itt, @itt + @size) from the host, and zero it; all or nothing.
 *		 -EBUSY if part of it is in an ITT, -ENOMEM if that would be more than an
 *		 entry to EL2 may take, another error if it is not the host's
 * @release_itt: give it back. The hardware does not use it any more
 * @take_page:	 take the pages that [@phys, @phys + @size) lies in from the host, and
 *		 zero them; all or nothing. -ENOMEM likewise
 * @clean:	 clean [@addr, @addr + @size) to the point of coherency
 * @read_creadr: read GITS_CREADR. Returns false if the register does not tell about
 *		 the committed queue
 * @write_cwriter: make what was written to committed memory observable by the ITS,
 *		 then write @offset to GITS_CWRITER
 * @wait:	 pause between two reads of GITS_CREADR. Returns false when the time
 *		 that an entry to EL2 may spend on waiting is used up
 * @refused:	 tell about a refused command
 */
struct its_cmd_ops {
	int	(*take_itt)(struct its_cmd_queue *q, phys_addr_t itt, u64 size);
	void	(*release_itt)(struct its_cmd_queue *q, phys_addr_t itt, u64 size);
	int	(*take_page)(struct its_cmd_queue *q, phys_addr_t phys, u64 size);
	void	(*clean)(void *addr, size_t size);
	bool	(*read_creadr)(struct its_cmd_queue *q, u32 *offset);
	void	(*write_cwriter)(struct its_cmd_queue *q, u32 offset);
	bool	(*wait)(struct its_cmd_queue *q);
	void	(*refused)(struct its_cmd_queue *q, const u64 *cmd, enum pkvm_its_stat reason);
};

/**
 * struct its_cmd_queue - the state of one confined ITS
 * @ops:	how to reach the world
 * @staging:	the queue the host writes
 * @committed:	the queue the hardware reads
 * @nr_cmds:	number of slots, in either queue
 * @next:	slot that the next command goes to. [@done, @next) are committed
 * @done:	slot behind the last command known to have been executed. What is not in
 *		[@done, @next) holds a SYNC
 * @nr_releases: number of slots in [@done, @next) with something in @releases
 * @releases:	per slot, the ITT to give back once the slot has been executed
 * @release_budget: how many bytes of ITTs may still be given back on this entry to EL2
 * @queue_nc:	the ITS does not snoop the caches when it reads @committed
 * @one_by_one:	submit each command by itself and wait for it. Only ever set with
 *		CONFIG_PKVM_ITS_REFERENCE
 * @devices:	the device table
 * @collections: the collection table
 * @nr_icids:	number of ICIDs, including those held in the hardware
 * @nr_hw_icids: number of ICIDs held in the hardware, which take no table
 * @nr_lpis:	end of the LPI range
 * @event_bits:	largest number of EventID bits
 * @itt_entry_size: bytes per ITT entry
 * @nr_rdbases:	number of entries of @rdbases, at least one
 * @rdbases:	known RDbases, ascending
 * @records:	top level of the records of mapped devices
 * @stats:	counters
 */
struct its_cmd_queue {
	const struct its_cmd_ops	*ops;
	const struct its_cmd_block	*staging;
	struct its_cmd_block		*committed;
	u32				nr_cmds;
	u32				next;
	u32				done;
	u32				nr_releases;
	u64				*releases;
	u64				release_budget;
	bool				queue_nc;
	bool				one_by_one;

	struct its_cmd_table		devices;
	struct its_cmd_table		collections;
	u32				nr_icids;
	u32				nr_hw_icids;
	u32				nr_lpis;
	u32				event_bits;
	u32				itt_entry_size;
	u32				nr_rdbases;
	const u64			*rdbases;

	u64				***records;

	u64				stats[PKVM_ITS_NR_STATS];
};

u64 its_cmd_itt_size(const struct its_cmd_queue *q, u32 event_bits);
void its_cmd_add_record_page(struct its_cmd_queue *q, u64 dev_id, void *page);
bool its_cmd_has_record(struct its_cmd_queue *q, u64 dev_id);
void *its_cmd_pop_record_page(struct its_cmd_queue *q);
int its_cmd_map_device(struct its_cmd_queue *q, u32 dev_id, u32 event_bits, phys_addr_t itt);
void its_cmd_unmap_devices(struct its_cmd_queue *q);
int its_cmd_check_level2(const struct its_cmd_table *table, u64 entry, phys_addr_t *phys);

void its_cmd_start(struct its_cmd_queue *q, u32 slot);
void its_cmd_process(struct its_cmd_queue *q, u64 cwriter);
void its_cmd_reap(struct its_cmd_queue *q);
void its_cmd_reset(struct its_cmd_queue *q);

#endif /* __ARM64_KVM_NVHE_ITS_CMD_H__ */
