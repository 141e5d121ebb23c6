// SPDX-License-Identifier: GPL-2.0-only
/*
 * its.c: any call of __pkvm_its_prepare() and __pkvm_its_reclaim(), in any state of the queue and
 * of a device.
 *
 * Proved: prove_prepare(): what is taken is the ITT, whole, in pages that the ITS drives, and the
 * level-2 page that the host has in the staging table, which is read once; all of it is zeroed
 * and cleaned before anything refers to it; a refusal takes no ITT; what is taken is on record.
 * prove_prepare_vpe(): the same for the row of a vPE.
 * prove_reclaim(): what is given back is the ITT of a device that was never named in a command, or
 * whose unmap the hardware has executed, with a SYNC behind it, and which no reset may have
 * dropped; the record is gone by then; all of it goes back, once; a refusal changes nothing; and
 * what may be given back is not kept.
 *
 * Assumed, beside what queue.h assumes:
 *  - the functions of mem_protect.c take or give back a range as a whole, or nothing;
 *  - EVENT_BITS is the number of EventID bits, for ITT entries of 8 bytes: 5, and 10 for an ITT of
 *    more than a page. Other numbers are refused (prove_prepare_refused()), or left to
 *    prove_event_memory();
 *  - a level-2 page is for 2 DeviceIDs, and there are 4 (cmd.c);
 *  - a record is that of its_init_device(), in memory that EL2 owns.
 */

#include "queue.h"

#ifndef EVENT_BITS
#define EVENT_BITS	5
#endif
#define ENTRY_SIZE	8
#define NR_DEVICES	4
#define ITT_END		(((ENTRY_SIZE << EVENT_BITS) + 255) / 256 * 256)

/* An ITT with what follows it, where it is when EL2 looks at it */
struct itt {
	u8 entries[ITT_END];
	struct hyp_its_device device;
	u64 events[(1 << EVENT_BITS) / 64 + 1];
};

static struct itt itt;
static phys_addr_t itt_phys;
static struct hyp_its_table table;
static struct hyp_its_device *records[NR_DEVICES];
static __le64 level1[NR_DEVICES / 2], level1_was[NR_DEVICES / 2];
static u32 nr_staging_reads, nr_taken, nr_given_back;
static bool for_vpe;
static u64 staging_entry, entry_cleaned;

/* What is taken: an ITT or a level-2 page */
static struct range {
	u64 start, size, zeroed, cleaned;
	bool taken;
} taken[2];
enum { ITT, LEVEL2 };

struct hyp_its_device nondet_device(void);

u64 mem_read_once(const volatile void *from, size_t size)
{
	u64 offset = (unsigned long)from - HOST_MEM;

	prove(size == 8 && offset % 8 == 0 && offset < sizeof(level1),
	      "the staging table is read within its size");
	prove(!nr_staging_reads++, "an entry is read once");

	return staging_entry = nondet_u64();
}

enum pkvm_its_verdict its_translate_cmd(struct hyp_its *its, const u64 *in, u64 *out)
{
	prove(false, "no command is processed");
	return 0;
}

static u64 level2_page(u32 i)
{
	return level1[i] & ~GITS_BASER_VALID;
}

/* Is this in a level-2 page that EL2 has? It is not the host's to give then. */
static bool is_level2(u64 phys, u32 i)
{
	return (level1[i] & GITS_BASER_VALID) && phys >= level2_page(i) &&
	       phys - level2_page(i) < table.level2_size;
}

int __pkvm_host_donate_hyp(u64 pfn, u64 nr_pages)
{
	struct range *range = &taken[for_vpe || (nr_staging_reads && !nr_taken) ? LEVEL2 : ITT];

	prove(its.mem_lock.held && !its.lock.held, "memory is taken outside of the ITS's lock");
	prove(nr_pages, "something is taken");
	if (nondet_bool() || is_level2(pfn << PAGE_SHIFT, 0) || is_level2(pfn << PAGE_SHIFT, 1))
		return -EPERM;

	range->taken = true;
	range->start = pfn << PAGE_SHIFT;
	range->size = nr_pages << PAGE_SHIFT;
	nr_taken++;

	return 0;
}

static bool looks_at_nothing;

/*
 * Ranges that are zeroed or cleaned are numbers only; the record of a device, and the records
 * behind a level-2 page, are objects.
 */
void *hyp_phys_to_virt(phys_addr_t phys)
{
	if (looks_at_nothing) {
		prove(false, "no memory is looked at");
		assume(false);
	}
	/* The lock is held where a record is made. */
	if (its.lock.held)
		return &itt;
	if (is_level2(phys, 0) && phys == level2_page(0) + table.page_size)
		return &records[0];
	if (is_level2(phys, 1) && phys == level2_page(1) + table.page_size)
		return &records[2];

	return &itt;
}

static struct range *range_of(const void *virt, size_t size)
{
	struct range *range = &taken[taken[ITT].taken ? ITT : LEVEL2];
	u32 i;

	prove(virt == &itt, "what is zeroed and cleaned is what was taken");
	for (i = 0; i < NR_DEVICES; i++)
		prove(records[i] != &itt.device, "... before a record refers to it");
	for (i = 0; i < 2; i++)
		prove(range == &taken[ITT] || !(level1[i] >> 63) || level2_page(i) != range->start,
		      "... or a level-1 entry");

	return range;
}

/* Of what was taken, or of the record */
void *memset(void *to, int value, size_t size)
{
	struct range *range;

	prove(!value, "memory is zeroed");
	if (to == &itt.device) {
		prove(size == ITS_STAGING_RECORD_SIZE + its_staging_events_size(EVENT_BITS),
		      "the record is zeroed");
		itt.device = (struct hyp_its_device) {};
		return to;
	}

	range = range_of(to, size);
	prove(range->taken && size == range->size, "all that was taken is zeroed");
	range->zeroed = size;

	return to;
}

void kvm_flush_dcache_to_poc(void *addr, size_t size)
{
	struct range *range;

	if (__CPROVER_same_object(addr, level1)) {
		entry_cleaned = (u64)addr;
		return;
	}
	if (__CPROVER_same_object(addr, committed))
		return;

	range = range_of(addr, size);
	prove(range->zeroed == size && size == range->size, "what was zeroed is cleaned");
	range->cleaned = size;
}

int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages)
{
	prove(its.mem_lock.held && !its.lock.held, "memory goes back outside of the ITS's lock");
	prove(!nr_given_back++, "memory goes back once");
	prove(pfn << PAGE_SHIFT == itt_phys &&
	      nr_pages << PAGE_SHIFT == its_staging_itt_size(ENTRY_SIZE, EVENT_BITS),
	      "all of the ITT goes back, and nothing else");
	prove(!records[0] && !records[1] && !records[2] && !records[3], "no record refers to it");

	return 0;
}

static void any_memory(void)
{
	u32 i;

	any_its();
	its.itt_entry_size = ENTRY_SIZE;
	its.devices = &table;
	its.nr_devices = nondet_u64();
	assume(its.nr_devices >= 1 && its.nr_devices <= NR_DEVICES);
	assume(its.event_bits >= 1 && its.event_bits <= ITS_STAGING_MAX_EVENT_BITS);
	assume(its.addr_bits >= 32 && its.addr_bits <= 52);
	its.flat_records = nondet_bool() ? records : NULL;
	table.ids_shift = 1;
	table.level1 = level1;
	table.staging = (void *)HOST_MEM;
	table.page_size = SZ_4K << (2 * (nondet_u8() % 3));
	table.level2_size = ALIGN(table.page_size + SZ_4K, PAGE_SIZE);
	table.baser = nondet_u64();
	for (i = 0; i < 2; i++) {
		level1[i] = nondet_u64();
		assume(!(level1[i] & ~(GITS_BASER_VALID | GENMASK_ULL(51, 12))));
		level1_was[i] = level1[i];
	}
	assume((level1[0] ^ level1[1]) & GENMASK_ULL(51, 12));
	its_was = its;
}

void prove_prepare(void)
{
	u64 dev_id = nondet_u64(), pages, size = its_staging_itt_size(ENTRY_SIZE, EVENT_BITS);
	u32 id = nondet_u32(), i;
	struct hyp_its_device other, *was = NULL;
	int ret;

	any_memory();
	itt_phys = nondet_u64();
	if (dev_id < NR_DEVICES) {
		/* Where there is no level-2 page, EL2 has no record; a new page has none. */
		if (nondet_bool() && (its.flat_records || level1[dev_id / 2] >> 63))
			records[dev_id] = &other;
		was = records[dev_id];
	}

	ret = __pkvm_its_prepare(id, dev_id, EVENT_BITS, itt_phys);

	reach(!ret && taken[LEVEL2].taken);
	reach(!ret && its.flat_records);
	reach(ret && taken[LEVEL2].taken);
	reach(ret == -EBUSY);

	prove(!its.lock.held && !its.mem_lock.held, "locks are released");
	prove(its.nr_done == its_was.nr_done && its.nr_synced == its_was.nr_synced &&
	      its.nr_committed == its_was.nr_committed,
	      "the queue stays as it is");
	pages = (taken[ITT].size + taken[LEVEL2].size) >> PAGE_SHIFT;
	prove(nr_held(&its) == nr_held(&its_was) + pages, "pages are counted");

	prove(ret || (!id && its.active && dev_id < its.nr_devices &&
		      its.event_bits >= EVENT_BITS && !was), "only what may be is prepared");
	prove(!ret == taken[ITT].taken, "a refusal takes no ITT");
	if (taken[LEVEL2].taken) {
		i = dev_id / 2;
		prove(its.active && dev_id < its.nr_devices && !its.flat_records,
		      "a level-2 page is one of a device");
		prove(!(level1_was[i] >> 63) && level1[i] == staging_entry && staging_entry >> 63,
		      "a level-2 page that is taken is on record");
		prove(taken[LEVEL2].start == (staging_entry & ~BIT_ULL(63)) &&
		      taken[LEVEL2].start % table.page_size == 0 &&
		      taken[LEVEL2].size == table.level2_size, "it is the host's, and aligned");
		prove(taken[LEVEL2].cleaned == taken[LEVEL2].size, "it is zeroed and cleaned");
		prove(entry_cleaned == (u64)&level1[i] ||
		      (table.baser & GITS_BASER_SHAREABILITY_MASK),
		      "an ITS that does not snoop finds its entry in memory");
		prove(taken[LEVEL2].start + taken[LEVEL2].size <= BIT_ULL(its.addr_bits),
		      "the ITS drives its address");
	}
	for (i = 0; i < 2; i++)
		prove(level1[i] == level1_was[i] || (taken[LEVEL2].taken && i == dev_id / 2),
		      "no other level-1 entry changes");

	if (ret) {
		prove(dev_id >= NR_DEVICES || records[dev_id] == was,
		      "a refusal changes no record");
		return;
	}

	prove(taken[ITT].start == itt_phys && taken[ITT].size == size && size >= ITT_END,
	      "what is taken is the ITT, whole");
	prove(itt_phys + size <= BIT_ULL(its.addr_bits), "the ITS drives its address");
	prove(taken[ITT].cleaned == size, "it is zeroed and cleaned");
	prove(records[dev_id] == &itt.device && itt.device.itt == itt_phys &&
	      itt.device.event_bits == EVENT_BITS && !itt.device.nr_events &&
	      itt.device.state == HYP_ITS_DEVICE_PREPARED &&
	      !its_may_be_lost(&its, itt.device.discarded_at), "the device is on record, prepared");
}

/* Other numbers of EventID bits */
void prove_prepare_refused(void)
{
	u32 event_bits = nondet_u32();
	int ret;

	any_memory();
	assume(!event_bits || event_bits > its.event_bits);
	looks_at_nothing = true;

	ret = __pkvm_its_prepare(nondet_u32(), nondet_u64(), event_bits, nondet_u64());

	reach(event_bits == its.event_bits + 1);

	prove(ret && !nr_taken && !its.mem_lock.held && !its.lock.held,
	      "a number of EventID bits that the ITS has not got is refused");
}

static u32 rdist_bits;

bool rdists_drive(phys_addr_t phys, u64 size)
{
	return phys < BIT_ULL(rdist_bits) && size <= BIT_ULL(rdist_bits) - phys;
}

/* A row for a vPE */
void prove_prepare_vpe(void)
{
	u64 vpeid = nondet_u64(), i = vpeid / 2;
	int ret;

	any_memory();
	for_vpe = true;
	its.vpes = &table;
	its.devices = NULL;
	rdist_bits = nondet_bool() ? 52 : 40;
	table.nr_ids = nondet_u64();
	assume(table.nr_ids >= 1 && table.nr_ids <= NR_DEVICES);
	if (nondet_bool())
		table.level1 = NULL;
	else
		table.level2_size = ALIGN(table.page_size, PAGE_SIZE);

	ret = its_prepare_vpe(&its, vpeid);

	reach(!ret && nr_taken);
	reach(!ret && !nr_taken && table.level1);
	reach(!ret && !table.level1);
	reach(ret && nr_staging_reads && !nr_taken);
	reach(ret && nr_taken);
	reach(ret && !nr_staging_reads && vpeid < table.nr_ids);

	check_queue(nondet_u8() % NR_CMDS);
	prove(nr_held(&its) == nr_held(&its_was) + (taken[LEVEL2].size >> PAGE_SHIFT),
	      "pages are counted");
	prove(ret || vpeid < table.nr_ids, "only a vPE that the table has room for is prepared");
	prove(ret || !table.level1 || level1[i] >> 63, "its row is there then");
	prove(ret || !table.level1 || !its_is_v4_1(&its) ||
	      rdists_drive(level1[i] & ~BIT_ULL(63), table.level2_size),
	      "... where redistributors of a GICv4.1 find it");
	if (!nr_taken) {
		prove(level1[0] == level1_was[0] && level1[1] == level1_was[1],
		      "no level-1 entry changes");
		return;
	}

	prove(nr_taken == 1 && !(level1_was[i] >> 63) && level1[i] == staging_entry &&
	      staging_entry >> 63 && level1[!i] == level1_was[!i],
	      "a level-2 page that is taken is on record");
	prove(taken[LEVEL2].start == (staging_entry & ~BIT_ULL(63)) &&
	      taken[LEVEL2].start % table.page_size == 0 &&
	      taken[LEVEL2].size == table.level2_size, "it is the host's, and aligned");
	prove(taken[LEVEL2].cleaned == taken[LEVEL2].size, "it is zeroed and cleaned");
	prove(entry_cleaned == (u64)&level1[i] || (table.baser & GITS_BASER_SHAREABILITY_MASK),
	      "an ITS that does not snoop finds its entry in memory");
	prove(taken[LEVEL2].start + taken[LEVEL2].size <= BIT_ULL(its.addr_bits),
	      "the ITS drives its address");
}

void prove_reclaim(void)
{
	u64 dev_id = nondet_u64(), at, executed;
	u32 id = nondet_u32(), nr = nondet_u8() % NR_DEVICES, slot = nondet_u8() % NR_CMDS;
	struct hyp_its_device was;
	bool is_known, was_lost;
	int ret;

	any_memory();
	itt.device = nondet_device();
	assume((u32)itt.device.state <= HYP_ITS_DEVICE_UNMAPPED);
	itt.device.event_bits = EVENT_BITS;
	assume(PAGE_ALIGNED(itt.device.itt) && itt.device.itt < BIT_ULL(52));
	itt_phys = itt.device.itt;
	if (nondet_bool())
		records[nr] = &itt.device;
	is_known = !id && its.active && dev_id == nr && records[nr] && nr < its.nr_devices &&
		   (its.flat_records || level1[nr / 2] >> 63);
	was = itt.device;
	at = was.unmapped_at;
	was_lost = its_may_be_lost(&its, at);
	assume(was.state != HYP_ITS_DEVICE_UNMAPPED || at < its.nr_committed);

	ret = __pkvm_its_reclaim(id, dev_id);

	reach(!ret && was.state == HYP_ITS_DEVICE_PREPARED);
	reach(!ret && was.state == HYP_ITS_DEVICE_UNMAPPED && at >= its_was.nr_synced);
	reach(ret == -EBUSY && was.state == HYP_ITS_DEVICE_UNMAPPED);
	reach(ret == -EBUSY && was_lost);

	check_queue(slot);
	prove(its.nr_committed == its_was.nr_committed &&
	      its.lost_from == its_was.lost_from && its.lost_to == its_was.lost_to &&
	      !hw.nr_ctlr && !hw.nr_cbaser && !hw.nr_cwriter && !hw.nr_baser && !nr_taken,
	      "nothing is committed, lost or written to a register");
	prove(!is_pending(slot) || dword(committed, slot, 0) == dword(committed_was, slot, 0),
	      "no slot is written before the hardware has executed it");
	prove(!ret == nr_given_back, "what is given back is not kept, and the other way round");
	prove(nr_held(&its) == nr_held(&its_was) - nr_given_back *
	      (its_staging_itt_size(ENTRY_SIZE, EVENT_BITS) >> PAGE_SHIFT), "pages are counted");
	prove(is_known || ret == -EINVAL, "only a device on record gives back memory");
	prove(itt.device.state == was.state && itt.device.unmapped_at == at,
	      "the record stays as it is");

	if (ret) {
		prove(!records[nr] || records[nr] == &itt.device, "the record stays");
		prove(!is_known || records[nr], "a refusal forgets nothing");
		prove(!is_known || was.state != HYP_ITS_DEVICE_PREPARED,
		      "what no command has named can be given back");
		prove(!is_known || was.state != HYP_ITS_DEVICE_UNMAPPED || was_lost ||
		      at >= its.nr_synced, "what is executed can be given back");
		return;
	}

	prove(was.state != HYP_ITS_DEVICE_MAPPED, "a device that is mapped keeps its memory");
	if (was.state == HYP_ITS_DEVICE_PREPARED)
		return;

	/* check_queue(): there is a SYNC that has been executed just before nr_synced. */
	executed = its_was.nr_done + hw.ahead;
	prove(at < its.nr_synced, "a SYNC behind the unmap has been executed");
	prove(at < its_was.nr_synced || at < executed, "so has the unmap");
	prove(!was_lost, "no reset may have dropped it");
}
