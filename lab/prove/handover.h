/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * its-handover.c with what it calls of its.c and its-cmd.c as it is, an ITS with a state of its
 * own, and the memory of the machine.
 *
 * What is proved of memory is proved of one range that is taken, which may be any, and of one page
 * that is shared: the model knows who has them. EL2 does not know which ones they are. How many
 * ranges are taken is counted.
 *
 * Assumed, and why that holds:
 *  - the functions of mem_protect.c take, share, pin or give back a range as a whole, or nothing:
 *    only the host's memory is taken or shared, only what is shared is pinned, and only what EL2
 *    has goes back. So what is pinned is not among what was taken. A physical address of memory
 *    has 52 bits at most;
 *  - the registers of the ITS keep their values during a call: the host is trusted until it is
 *    deprivileged, and serialises the calls;
 *  - there are NR_TABLES registers GITS_BASER<n> in place of 8, NR_RDBASES RDbases at most (a
 *    description with more is one that has no room for them), NR_DEVICES DeviceIDs, and
 *    PKVM_ITS_MAX is 2. The code compares with these numbers, and goes over them in order;
 *  - the command queue has two pages at most, a two-level table has TABLE_MAX bytes at most, and a
 *    level-1 table has NR_LEVEL1 entries in that, in place of one in 8 bytes. The code goes over
 *    pages and entries in order;
 *  - CONFIG_PKVM_ITS_REFERENCE is off.
 */
#ifndef __PROVE_HANDOVER_H__
#define __PROVE_HANDOVER_H__

/* cbmc does not get through those of the compiler, nor through functions in their place. */
#define __builtin_mul_overflow(a, b, d)						\
({										\
	size_t __x = (a), __y = (b);						\
										\
	*(d) = __x * __y;							\
	__CPROVER_overflow_mult(__x, __y);					\
})
#define __builtin_add_overflow(a, b, d)						\
({										\
	size_t __x = (a), __y = (b);						\
										\
	*(d) = __x + __y;							\
	__CPROVER_overflow_plus(__x, __y);					\
})

#include <linux/irqchip/arm-gic-v3.h>

#ifndef NR_TABLES
#define NR_TABLES	1
#endif
#ifndef TABLE_MAX
#define TABLE_MAX	SZ_64K
#endif
#define NR_LEVEL1	2
#define NR_DEVICES	3
#define NR_RDBASES	2

#undef GITS_BASER_NR_REGS
#define GITS_BASER_NR_REGS	NR_TABLES
#undef GITS_LVL1_ENTRY_SIZE
#define GITS_LVL1_ENTRY_SIZE	((u64)TABLE_MAX / NR_LEVEL1)

#include <asm/kvm_pkvm_its.h>
#undef PKVM_ITS_MAX
#define PKVM_ITS_MAX	2

/* Their contracts are what prove_start() and prove_prepare() prove. */
#undef ITS_CMD_QUEUE_SZ
#define ITS_CMD_QUEUE_SZ	(2 * PAGE_SIZE < SZ_64K ? 2 * PAGE_SIZE : SZ_64K)

#define its_start_queue real_start_queue
#define its_init_device real_init_device
#include <its.c>
#undef its_start_queue
#undef its_init_device

void its_start_queue(struct hyp_its *its, u32 slot);
struct hyp_its_device *its_init_device(struct hyp_its *its, u32 event_bits, phys_addr_t itt,
				       enum hyp_its_device_state state);

#include <its-cmd.c>
#include <its-handover.c>

#include "prove.h"

PROVE_NO_WARN

/* Words of the map of events, and whether an EventID is folded to them: see cmd.c */
#define NR_WORDS	2

static bool folds;

/* An index is clamped only behind its check. */
u64 array_index_nospec(u64 index, u64 size)
{
	prove(index < size, "an index is checked before it is clamped");
	return folds && size > NR_WORDS * 64 ? index % (NR_WORDS * 64) : index;
}

#define ITS_BASE	0x10000000UL
/* Where EL2 maps memory that is no object here */
#define LINEAR_MAP	BIT_ULL(54)

/* What is taken for an ITS, with the description behind EL2's state, where EL2 looks at it */
struct state {
	struct hyp_its its;
	struct its_staging_desc desc;
	u64 rdbases[NR_RDBASES];
};

static struct state state;
static u64 state_phys, state_pages, records_phys;
static __le64 level1[NR_TABLES][NR_LEVEL1];

/* One that was registered before */
static struct hyp_its other;
static struct hyp_its_table other_table;

/* Devices: records of each; if there are level-2 pages, each is for two */
static struct hyp_its_device *records[NR_DEVICES];

/* Any range of pages that is taken, by the first of them, and any page that is shared */
enum owner {
	HOSTS,
	TAKEN,
	SHARED,
	PINNED,
};

static struct {
	u64 pfn, nr_pages;
	enum owner owner;
	u64 zeroed_from, zeroed;	/* bytes */
} range;

static struct {
	u64 pfn;
	enum owner owner;
} page;

static u32 nr_taken;			/* ranges */
static u64 last_pfn, last_pages;	/* the one that was taken last */

static bool registers;	/* by __pkvm_its_register() */
static bool looks_at_state;
static bool mapped, guarded;
static phys_addr_t frame;

static struct {
	u64 typer, cbaser, baser[NR_TABLES];
	u32 ctlr, creadr, cwriter;
	u32 table;	/* number of GITS_BASER<n> that was read */
	bool is_table;	/* what is taken next is that table */
	u32 nr_reads;
} hw;

/* Level-1 tables that EL2 has */
static struct {
	u64 phys, nr_pages;
} level1_at[NR_TABLES];

struct its_staging_table nondet_staging_table(void);
struct hyp_its nondet_its(void);
struct hyp_its_table nondet_table(void);

u64 mem_read_once(const volatile void *from, size_t size)
{
	prove(false, "nothing is read that the host may write");
	return 0;
}

void trace_its_refused(phys_addr_t phys, u64 cmd0, u64 cmd1, u64 cmd2, u32 reason)
{
}

/* Memory that is an object here, and EL2's */
static bool is_object(u64 pfn, u64 nr_pages)
{
	u32 i;

	for (i = 0; i < NR_TABLES; i++) {
		u64 start = level1_at[i].phys >> PAGE_SHIFT;

		if (pfn < start + level1_at[i].nr_pages && start < pfn + nr_pages)
			return true;
	}

	return state_pages && pfn < (state_phys >> PAGE_SHIFT) + state_pages &&
	       state_phys >> PAGE_SHIFT < pfn + nr_pages;
}

/* IHI 0069, GITS_BASER<n> */
static u64 page_size_of(u64 baser)
{
	u64 field = baser >> 8 & 3;

	return field == 0 ? SZ_4K : field == 1 ? SZ_16K : SZ_64K;
}

static u64 table_size_of(u64 baser)
{
	return ((baser & 0xff) + 1) * page_size_of(baser);
}

static u64 address_of(u64 baser)
{
	if (page_size_of(baser) == SZ_64K)
		return (baser & GENMASK_ULL(47, 16)) | (baser >> 12 & 0xf) << 48;

	return baser & GENMASK_ULL(47, 12);
}

static bool is_small(u64 baser)
{
	return !(baser & GITS_BASER_INDIRECT) || table_size_of(baser) <= TABLE_MAX;
}

static bool is_memory(u64 pfn, u64 nr_pages)
{
	u64 end = BIT_ULL(52) >> PAGE_SHIFT;

	return pfn < end && nr_pages <= end - pfn;
}

/* Level-2 pages of the table of devices */
static bool is_valid(u32 i)
{
	return level1[0][i] >> 63;
}

static u64 level2_page(u32 i)
{
	return level1[0][i] & ~BIT_ULL(63);
}

/* What EL2 looks at is an object, and the rest is a number. */
void *hyp_phys_to_virt(phys_addr_t phys)
{
	if (looks_at_state) {
		prove(phys == state_phys, "EL2 looks at its state first");
		looks_at_state = false;
		return &state;
	}
	if (!registers && is_valid(0) && phys == level2_page(0) + state.its.tables[0].page_size)
		return &records[0];
	if (!registers && is_valid(1) && phys == level2_page(1) + state.its.tables[0].page_size)
		return &records[2];
	if (level1_at[hw.table].nr_pages && phys == level1_at[hw.table].phys)
		return level1[hw.table];

	return (void *)(phys + LINEAR_MAP);
}

phys_addr_t hyp_virt_to_phys(void *virt)
{
	u32 i;

	if (virt == &state)
		return state_phys;
	if (virt == records)
		return records_phys;
	for (i = 0; i < NR_TABLES; i++) {
		if (virt == level1[i])
			return level1_at[i].phys;
	}

	return (u64)virt - LINEAR_MAP;
}

/* What the host may have written, where it counts: a description that the proof has room for */
static void any_state(void)
{
	u64 room = (state_pages << PAGE_SHIFT) - sizeof(state.its) - sizeof(state.desc);
	u32 i;

	state.its = nondet_its();
	state.desc.base = nondet_u64();
	state.desc.typer = nondet_u64();
	state.desc.hw_queue = nondet_u64();
	state.desc.queue = nondet_u64();
	state.desc.queue_noncoherent = nondet_bool();
	state.desc.addr_bits = nondet_u32();
	state.desc.lpi_bits = nondet_u32();
	state.desc.vpeid_bits = nondet_u32();
	state.desc.vlpi_rdbase_offset = nondet_u32();
	state.desc.nr_rdbases = nondet_u32();
	for (i = 0; i < NR_RDBASES; i++)
		state.rdbases[i] = nondet_u64();
	assume(state.desc.nr_rdbases <= NR_RDBASES || state.desc.nr_rdbases > room / sizeof(u64));
	assume((hw.cbaser & 0xff) < TABLE_MAX / SZ_4K);
	assume(state.desc.base == frame);
	for (i = 0; i < NR_TABLES; i++) {
		state.desc.tables[i] = nondet_staging_table();
		assume(is_small(hw.baser[i]) && is_small(state.desc.tables[i].baser));
	}
}

int __pkvm_host_donate_hyp(u64 pfn, u64 nr_pages)
{
	bool is_table = hw.is_table;
	u32 i = hw.table;

	hw.is_table = false;
	prove(nr_pages, "something is taken");
	prove(!guarded || !registers, "the frame is guarded last");
	if (!is_memory(pfn, nr_pages) || is_object(pfn, nr_pages) || nondet_bool())
		return -EPERM;
	if (range.owner == TAKEN && pfn < range.pfn + range.nr_pages &&
	    range.pfn < pfn + nr_pages)
		return -EPERM;
	if (pfn == range.pfn) {
		range.owner = TAKEN;
		range.nr_pages = nr_pages;
	}
	nr_taken++;
	last_pfn = pfn;
	last_pages = nr_pages;

	if (registers && !state_pages) {
		prove(pfn == state_phys >> PAGE_SHIFT, "room for EL2's state is taken first");
		state_pages = nr_pages;
		any_state();
	} else if (is_table && (hw.baser[i] & GITS_BASER_INDIRECT)) {
		level1_at[i].phys = pfn << PAGE_SHIFT;
		level1_at[i].nr_pages = nr_pages;
	}

	return 0;
}

int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages)
{
	prove(nr_pages, "something is given back");
	if (pfn == state_phys >> PAGE_SHIFT)
		prove(!guarded && nr_taken == 1, "EL2's state goes back last");
	nr_taken--;
	if (pfn != range.pfn)
		return 0;

	prove(nr_pages == range.nr_pages, "what goes back is what was taken, as a whole");
	/* EL2 has a WARN_ON() for what does not go back. */
	if (range.owner != TAKEN)
		return -EPERM;
	range.owner = HOSTS;

	return 0;
}

static int page_goes(u64 pfn, int from, int to)
{
	if (pfn != page.pfn)
		return 0;
	if (page.owner != from)
		return -EPERM;
	page.owner = to;

	return 0;
}

int __pkvm_host_share_hyp(u64 pfn)
{
	prove(!guarded, "the frame is guarded last");
	if (!is_memory(pfn, 1) || is_object(pfn, 1) || nondet_bool())
		return -EPERM;

	return page_goes(pfn, HOSTS, SHARED);
}

int __pkvm_host_unshare_hyp(u64 pfn)
{
	return page_goes(pfn, SHARED, HOSTS);
}

/* Is the page in this memory? */
static bool has_page(void *from, u64 size)
{
	u64 pfn = hyp_virt_to_phys(from) >> PAGE_SHIFT;

	return page.pfn >= pfn && page.pfn - pfn < size >> PAGE_SHIFT;
}

int hyp_pin_shared_mem(void *from, void *to)
{
	prove(!guarded, "the frame is guarded last");
	if (nondet_bool())
		return -EPERM;
	if (!has_page(from, (u64)to - (u64)from))
		return 0;
	if (page.owner != SHARED)
		return -EPERM;
	page.owner = PINNED;

	return 0;
}

void hyp_unpin_shared_mem(void *from, void *to)
{
	if (!has_page(from, (u64)to - (u64)from))
		return;
	prove(page.owner == PINNED, "what is unpinned was pinned, once");
	page.owner = SHARED;
}

void *memset(void *to, int value, size_t size)
{
	u64 offset = hyp_virt_to_phys(to) - (range.pfn << PAGE_SHIFT);

	prove(!value, "memory is zeroed");
	if (to == &state) {
		prove(size == sizeof(state.its), "EL2's state is zeroed, and no more");
		state.its = (struct hyp_its) {};
	} else if (range.owner == TAKEN && offset < range.nr_pages << PAGE_SHIFT && size) {
		range.zeroed_from = offset;
		range.zeroed += size;
	}

	return to;
}

void kvm_flush_dcache_to_poc(void *addr, size_t size)
{
}

u64 its_mmio_read(const volatile void *addr, unsigned int size)
{
	u64 reg = (unsigned long)addr - ITS_BASE;

	prove(mapped, "registers are read where they are mapped");
	hw.nr_reads++;
	switch (reg) {
	case GITS_CTLR:
		return hw.ctlr;
	case GITS_CREADR:
		return hw.creadr;
	case GITS_CWRITER:
		return hw.cwriter;
	case GITS_TYPER:
		prove(size == 8, "GITS_TYPER has 64 bits");
		return hw.typer;
	case GITS_CBASER:
		prove(size == 8, "GITS_CBASER has 64 bits");
		return hw.cbaser;
	default:
		prove(reg >= GITS_BASER && reg < GITS_BASER + NR_TABLES * 8 && reg % 8 == 0 &&
		      size == 8, "no other register is read");
		hw.table = (reg - GITS_BASER) / 8 % NR_TABLES;
		hw.is_table = true;
		return hw.baser[hw.table];
	}
}

void its_mmio_write(volatile void *addr, u64 val, unsigned int size)
{
	prove(false, "no register is written");
}

int __pkvm_create_private_mapping(phys_addr_t phys, size_t size, enum kvm_pgtable_prot prot,
				  unsigned long *haddr)
{
	prove(phys == frame && size == SZ_64K && prot == PAGE_HYP_DEVICE && !mapped,
	      "what is mapped is the control frame");
	if (nondet_bool())
		return -ENOMEM;
	mapped = true;
	*haddr = ITS_BASE;

	return 0;
}

#endif /* __PROVE_HANDOVER_H__ */
