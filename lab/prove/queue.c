// SPDX-License-Identifier: GPL-2.0-only
/*
 * its.c: each entry that touches the command queue, from any state in which the invariant
 * below holds, with hardware that executes what is committed some time later, stalls, or loses
 * power between any two accesses.
 *
 * Proved: the invariant holds again afterwards; a slot that the hardware has not executed is
 * not written; memory of a device goes back only when the hardware can't use it any more, and
 * no command in the queue names it; each command that is committed is well-formed; staging
 * memory is read once; the work is bounded by the queue's length.
 *
 * Assumed, and why that holds:
 *  - the hardware executes commands in order, and not before GITS_CWRITER is written; GITS_CREADR
 *    is right as long as GITS_CBASER has the committed value and the ITS is enabled; a SYNC makes
 *    it forget ITTs that have been unmapped (IHI 0069). prove_cwriter_broken() does without;
 *  - the lock keeps other CPUs out: they are other entries, before or after;
 *  - fewer than 2^48 commands are committed while the system is up;
 *  - its_translate_cmd() and its_find_device() do what cmd.c proves of them, and nothing else;
 *  - the queue has 4 slots in place of 128 to 32768, and there are 2 devices: nothing in the code
 *    depends on either number, other than how often loops run. So ITS_PENDING_MAX is not reached;
 *    beyond it EL2 looks at GITS_CREADR more often than here;
 *  - CONFIG_PKVM_ITS_REFERENCE is off.
 */

#include <its.c>

#include "encoding.h"

PROVE_NO_WARN

#ifndef NR_CMDS
#define NR_CMDS		4
#endif
#define NR_DEVICES	2

/* What its_guard_write() leaves of GITS_CTLR to be read; everything else is any value */
#define OTHER_CBASER	(its.cbaser ^ BIT_ULL(12))

struct device_memory {
	struct hyp_its_device device;
	u64 events[1];
};

static struct hyp_its its;
static struct its_cmd_block committed[NR_CMDS];
static struct hyp_its_device *devices[NR_DEVICES];
static struct device_memory memory[NR_DEVICES];
static u64 rdbases[2];

struct hyp_its nondet_its(void);
struct device_memory nondet_device_memory(void);
struct its_cmd_block nondet_block(void);

/* May the hardware use a device's ITT? Once it is unmapped: until a SYNC. */
enum use { UNUSED, USED, CACHED };

/* The hardware, and who owns the memory of each device */
static struct {
	bool sane;		/* it is as the architecture has it */
	bool alive;		/* it has not lost power */
	u64 executed;		/* number of commands that have been executed, or dropped */
	u64 limit;		/* ... that have been announced with GITS_CWRITER */
	enum use use[NR_DEVICES];
	bool wrote_cwriter;
	u32 ctlr;
} hw;

static bool given_back[NR_DEVICES];
static u32 nr_reads[NR_CMDS][4];

u64 array_index_nospec(u64 index, u64 size)
{
	prove(index < size, "an index is checked before it is clamped");
	/* One word stands for all of the map of events: see cmd.c. */
	return size > 64 ? index % 64 : index;
}

struct hyp_its *hyp_its_get(u32 id)
{
	return id ? NULL : &its;
}

u32 hyp_its_count(void)
{
	return 1;
}

void trace_its_refused(phys_addr_t phys, u64 cmd0, u64 cmd1, u64 cmd2, u32 reason)
{
}

void kvm_flush_dcache_to_poc(void *addr, size_t size)
{
}

u64 mem_read_once(const volatile void *from, size_t size)
{
	u64 offset = (unsigned long)from - HOST_MEM;

	prove(size == sizeof(u64) && offset % sizeof(u64) == 0 && offset < sizeof(committed),
	      "staging memory is read within the queue, and nothing else");
	prove(!nr_reads[offset / 32][offset / 8 % 4]++, "each doubleword is read once");

	return nondet_u64();
}

/* By cmd.c */
struct hyp_its_device **its_find_device(const struct hyp_its *its, u64 dev_id)
{
	return dev_id < NR_DEVICES ? &devices[dev_id] : NULL;
}

static bool is_rdbase(u64 rdbase)
{
	return rdbase == rdbases[0] || rdbase == rdbases[1];
}

/* By cmd.c: what is accepted, and what becomes of the device */
enum pkvm_its_verdict its_translate_cmd(struct hyp_its *its, const u64 *in, u64 *out)
{
	enum pkvm_its_verdict verdict = nondet_u8();
	struct hyp_its_device *device;
	u64 nr = in[0] & 0xff;

	assume(verdict < PKVM_ITS_NR_VERDICTS);
	out[0] = nondet_u64();
	out[1] = nondet_u64();
	out[2] = nondet_u64();
	out[3] = nondet_u64();
	if (verdict)
		return verdict;

	assume((out[0] & 0xff) == nr && has_only_defined_bits(out));
	if (nr == GITS_CMD_SYNC || nr == GITS_CMD_MOVALL)
		assume(is_rdbase(out[2]));
	if (nr == GITS_CMD_MAPC)
		assume(!(out[2] & VALID) || is_rdbase(out[2] & RDBASE));
	if (nr == GITS_CMD_MOVALL)
		assume(is_rdbase(out[3]));
	if (!names_device(nr))
		return verdict;

	assume(out[0] >> 32 < NR_DEVICES);
	device = devices[out[0] >> 32];
	assume(device);
	if (nr != GITS_CMD_MAPD) {
		assume(device->state == HYP_ITS_DEVICE_MAPPED);
		return verdict;
	}

	assume((out[2] & GENMASK_ULL(51, 8)) == device->itt);
	if (out[2] & VALID) {
		assume(device->state == HYP_ITS_DEVICE_PREPARED);
		device->state = HYP_ITS_DEVICE_MAPPED;
	} else {
		assume(device->state == HYP_ITS_DEVICE_MAPPED);
		device->state = HYP_ITS_DEVICE_UNMAPPED;
		device->unmapped_at = its->nr_committed;
	}

	return verdict;
}

/* The slot of the command with a number, in [nr_committed - NR_CMDS, nr_committed) */
static u32 slot_of(u64 nr)
{
	return (its.next - (u32)(its.nr_committed - nr)) % NR_CMDS;
}

/* The number of the last command that went to a slot; those from hw.executed on are pending. */
static u64 number_of(u32 slot)
{
	u32 back = (its.next - slot) % NR_CMDS;

	return its.nr_committed - (back ?: NR_CMDS);
}

static u64 dword(u32 slot, unsigned int i)
{
	return le64_to_cpu(committed[slot].raw_le[i]);
}

static bool is_mapd(u32 slot, u64 dev_id, bool valid)
{
	return (dword(slot, 0) & 0xff) == GITS_CMD_MAPD && dword(slot, 0) >> 32 == dev_id &&
	       !!(dword(slot, 2) & VALID) == valid;
}

static bool is_sync(u32 slot)
{
	return (dword(slot, 0) & 0xff) == GITS_CMD_SYNC;
}

static void hw_execute(void)
{
	u32 slot = slot_of(hw.executed++), i;

	for (i = 0; i < NR_DEVICES; i++) {
		if (is_mapd(slot, i, true))
			hw.use[i] = USED;
		else if (is_mapd(slot, i, false) && hw.use[i] == USED)
			hw.use[i] = CACHED;
		else if (is_sync(slot) && hw.use[i] == CACHED)
			hw.use[i] = UNUSED;
	}
}

static u32 hw_creadr(void)
{
	u64 upto = nondet_u64();
	u32 i;

	if (!hw.alive)
		return nondet_u32();

	for (i = 0; i < NR_CMDS - 1; i++) {
		if (hw.executed < hw.limit && hw.executed < upto)
			hw_execute();
	}

	/* Bits that are no offset may be anything. */
	return slot_of(hw.executed) * 32 | (nondet_u32() & ~GENMASK(19, 5));
}

u64 its_mmio_read(const volatile void *addr, unsigned int size)
{
	u64 reg = (unsigned long)addr - (unsigned long)its.base;

	prove(reg + size <= SZ_64K, "registers are in the control frame");
	hw.alive = hw.alive && nondet_bool();
	if (!hw.sane)
		return nondet_u64();

	switch (reg) {
	case GITS_CREADR:
		return hw_creadr();
	case GITS_CWRITER:
		return hw.alive ? slot_of(hw.limit) * 32 : nondet_u32();
	case GITS_CBASER:
		/* Firmware may have restored it, or not. */
		return hw.alive || nondet_bool() ? its.cbaser : nondet_u64();
	case GITS_CTLR:
		return hw.alive ? hw.ctlr : hw.ctlr & ~GITS_CTLR_ENABLE;
	default:
		return nondet_u64();
	}
}

void its_mmio_write(volatile void *addr, u64 val, unsigned int size)
{
	u64 reg = (unsigned long)addr - (unsigned long)its.base;

	switch (reg) {
	case GITS_CWRITER:
		prove(val == its.next * 32 || !val, "GITS_CWRITER is what has been committed");
		hw.wrote_cwriter = true;
		hw.limit = its.nr_committed;
		break;
	case GITS_CBASER:
		prove(val == its.cbaser && size == 8, "GITS_CBASER stays where it is");
		prove(!(hw.ctlr & GITS_CTLR_ENABLE) && (hw.ctlr & GITS_CTLR_QUIESCENT),
		      "GITS_CBASER is written while the ITS is quiescent");
		/* What has not been executed never will be. */
		hw.executed = its.nr_committed;
		hw.limit = its.nr_committed;
		break;
	case GITS_CTLR:
		prove(!((val ^ hw.ctlr) & ~ITS_CTLR_RW) || !hw.sane || !hw.alive,
		      "RO and RES0 bits of GITS_CTLR are written as they were");
		hw.ctlr = val;
		break;
	default:
		prove(false, "no other register is written");
	}
}

static bool record_is_sane(const struct hyp_its_device *device)
{
	return !(device->itt & ~GENMASK_ULL(51, 8)) && (u32)device->state <= HYP_ITS_DEVICE_UNMAPPED &&
	       device->event_bits >= 1 && device->event_bits <= ITS_STAGING_MAX_EVENT_BITS &&
	       device->nr_events <= BIT(device->event_bits) &&
	       (device->state != HYP_ITS_DEVICE_UNMAPPED || device->unmapped_at < its.nr_committed);
}

/*
 * The invariant of a device. Commands with a number from hw.executed on are what the hardware
 * has still to execute.
 */
static bool device_holds(u32 i)
{
	const struct hyp_its_device *device = devices[i];
	bool mapd = false, unmapd = false, is_last = true, itts = true;
	u32 slot;
	u64 nr;

	for (slot = 0; slot < NR_CMDS; slot++) {
		nr = number_of(slot);
		if (nr < hw.executed || (dword(slot, 0) & 0xff) != GITS_CMD_MAPD ||
		    dword(slot, 0) >> 32 != i)
			continue;
		if (dword(slot, 2) & VALID)
			mapd = true;
		else
			unmapd = true;
		is_last &= device && nr <= device->unmapped_at;
		itts &= device && (dword(slot, 2) & GENMASK_ULL(51, 8)) == device->itt;
	}

	if (!itts)
		return false;

	if (!device || device->state == HYP_ITS_DEVICE_PREPARED)
		return !mapd && !unmapd && hw.use[i] == UNUSED;

	if (device->state == HYP_ITS_DEVICE_MAPPED)
		return !unmapd;

	/* Its unmap may have been lost: then nothing is known, and it stays as it is. */
	if (device->unmapped_at < its.lost)
		return !mapd && !unmapd;

	if (device->unmapped_at >= hw.executed)
		return is_last && is_mapd(slot_of(device->unmapped_at), i, false);

	return !mapd && !unmapd && hw.use[i] != USED;
}

/* A SYNC that EL2 knows, or may come upon, has taken effect on the devices unmapped before it. */
static bool syncs_hold(void)
{
	u64 synced = its.nr_synced, nr;
	u32 slot, i;

	for (slot = 0; slot < NR_CMDS; slot++) {
		nr = number_of(slot);
		if (nr >= its.nr_committed - nr_pending(&its) && nr < hw.executed && is_sync(slot) &&
		    nr >= synced)
			synced = nr + 1;
	}

	for (i = 0; i < NR_DEVICES; i++) {
		if (devices[i] && devices[i]->state == HYP_ITS_DEVICE_UNMAPPED &&
		    devices[i]->unmapped_at >= its.lost && devices[i]->unmapped_at < synced &&
		    hw.use[i] != UNUSED)
			return false;
	}

	return true;
}

static bool slots_hold(void)
{
	u32 slot, i, free;
	u64 cmd[4];

	for (slot = 0; slot < NR_CMDS; slot++) {
		for (i = 0; i < 4; i++)
			cmd[i] = dword(slot, i);
		if (!has_only_defined_bits(cmd))
			return false;
		if ((cmd[0] & 0xff) == 0x05 && cmd[2] != rdbases[0] && cmd[2] != rdbases[1])
			return false;

		free = (slot - its.done) % NR_CMDS >= nr_pending(&its);
		if (free && (cmd[0] != GITS_CMD_SYNC || cmd[1] || cmd[2] != rdbases[0] || cmd[3]))
			return false;
	}

	return true;
}

static bool queue_holds(void)
{
	return its.next < NR_CMDS && its.done < NR_CMDS &&
	       its.nr_committed >= NR_CMDS && its.nr_committed < BIT_ULL(48) &&
	       hw.executed <= its.nr_committed &&
	       hw.executed >= its.nr_committed - nr_pending(&its) &&
	       hw.limit == its.nr_committed &&
	       its.nr_synced <= its.nr_committed - nr_pending(&its) && its.lost <= its.nr_committed;
}

static void any_state(void)
{
	u32 i;

	its = nondet_its();
	its.lock.held = false;
	its.mem_lock.held = false;
	its.active = true;
	its.base = (void *)0x10000000UL;
	its.staging = (void *)HOST_MEM;
	its.committed = committed;
	its.nr_cmds = NR_CMDS;
	its.one_by_one = false;
	its.flat_records = devices;
	its.nr_devices = NR_DEVICES;
	assume(its.nr_icids <= SZ_64K && its.nr_lpis <= BIT(24));
	its.rdbases = rdbases;
	its.nr_rdbases = 2;
	rdbases[0] = nondet_u64();
	rdbases[1] = nondet_u64();
	assume(!((rdbases[0] | rdbases[1]) & ~RDBASE) && rdbases[0] < rdbases[1]);
	assume(its.itt_entry_size >= 1 && its.itt_entry_size <= 16);
	assume(its.addr_bits >= 1 && its.addr_bits <= 52);
	assume(its.nr_suspending <= 8);

	hw.sane = true;
	hw.alive = nondet_bool();
	hw.executed = nondet_u64();
	hw.limit = its.nr_committed;
	hw.ctlr = nondet_u32();
	hw.wrote_cwriter = false;

	for (i = 0; i < NR_CMDS; i++)
		committed[i] = nondet_block();

	assume(queue_holds());

	for (i = 0; i < NR_DEVICES; i++) {
		memory[i] = nondet_device_memory();
		assume(record_is_sane(&memory[i].device));
		devices[i] = nondet_bool() ? &memory[i].device : NULL;
		hw.use[i] = nondet_u8();
		assume(hw.use[i] <= CACHED);
		given_back[i] = false;
	}
	for (i = 0; i < NR_DEVICES; i++)
		assume(device_holds(i));
	assume(syncs_hold() && slots_hold());
}

static void check_state(void)
{
	prove(!its.lock.held && !its.mem_lock.held, "locks are released");
	prove(queue_holds(), "the invariant of the queue");
	prove(slots_hold(), "slots are well-formed, and what is not pending is a SYNC");
	prove(device_holds(0) && device_holds(1), "the invariant of the devices");
	prove(syncs_hold(), "the invariant of SYNCs");
	prove(!devices[0] || record_is_sane(devices[0]), "the record of a device is sane");
}

/* The commands that the hardware has still to execute are not changed. */
static void prove_write(u64 offset, u64 val, unsigned int size)
{
	u64 nr = nondet_u64(), was;
	u32 slot, i = nondet_u8() % 4;

	assume(nr < its.nr_committed && nr >= its.nr_committed - nr_pending(&its));
	slot = slot_of(nr);
	was = dword(slot, i);

	its_guard_write(&its, offset, val, size);

	prove(nr < hw.executed || dword(slot, i) == was,
	      "no slot is written before the hardware has executed it");
}

void prove_cwriter(void)
{
	u64 val = nondet_u64(), before, ignored;
	unsigned int size = nondet_bool() ? 4 : 8;
	u64 offset = GITS_CWRITER + (size == 4 && nondet_bool() ? 4 : 0);

	any_state();
	before = its.nr_committed;
	ignored = its.writes_ignored;
	if (nr_pending(&its))
		prove_write(offset, val, size);
	else
		its_guard_write(&its, offset, val, size);

	reach(its.nr_committed == before + NR_CMDS - 1);
	reach(its.nr_committed == before + 1 && hw.alive && nr_pending(&its) == NR_CMDS - 1);
	reach(its.writes_ignored == ignored + 1);
	reach(!hw.alive && its.nr_committed == before + 1);
	reach(devices[0] && devices[0]->state == HYP_ITS_DEVICE_UNMAPPED &&
	      devices[0]->unmapped_at == its.nr_committed - 2);

	check_state();
	prove(its.nr_committed < before + NR_CMDS, "the work is bounded by the queue's length");
	prove(its.writes_ignored == ignored || (its.nr_committed == before && !hw.wrote_cwriter),
	      "what is ignored changes nothing");
}

/* Whatever the registers read as, EL2 stays within its memory, and does not loop. */
void prove_cwriter_broken(void)
{
	any_state();
	hw.sane = false;
	its_guard_write(&its, GITS_CWRITER, nondet_u64(), 8);

	reach(its.next != its.done);

	prove(its.next < NR_CMDS && its.done < NR_CMDS, "the offsets are those of slots");
	prove(slots_hold(), "slots are well-formed, and what is not pending is a SYNC");
}

/* A write of any other register */
void prove_registers(void)
{
	u64 offset = nondet_u64(), val = nondet_u64(), before;
	unsigned int size = nondet_bool() ? 4 : 8;

	any_state();
	assume(offset < SZ_64K && offset % size == 0 && (offset & ~7ULL) != GITS_CWRITER);
	assume((offset & ~7ULL) < GITS_BASER || (offset & ~7ULL) >= GITS_BASER + 64);
	before = its.nr_committed;
	if (nr_pending(&its))
		prove_write(offset, val, size);
	else
		its_guard_write(&its, offset, val, size);

	reach(offset == GITS_CBASER && its.lost == before && !its.next);
	reach(offset == GITS_CTLR && !(val & GITS_CTLR_ENABLE) && its.done != its.next);
	reach(offset == GITS_CTLR && (hw.ctlr & GITS_CTLR_ENABLE) && (val & 1));

	check_state();
	prove(its.nr_committed == before, "only GITS_CWRITER commits commands");
}

/*
 * Memory goes back. Assumed: its_return_pages() gives back what the record says, which is what
 * its_donate_pages() took (__pkvm_its_prepare(), __pkvm_its_adopt_device()).
 */
int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages)
{
	u32 i = memory[1].device.itt >> PAGE_SHIFT == pfn, slot;

	prove(memory[i].device.itt >> PAGE_SHIFT == pfn, "what is given back is an ITT");
	prove(!devices[i], "the record is gone by then");
	prove(nr_pages << PAGE_SHIFT == its_staging_itt_size(its.itt_entry_size,
							     memory[i].device.event_bits),
	      "all of it is given back");
	prove(hw.use[i] == UNUSED, "the hardware has stopped using it");
	for (slot = 0; slot < NR_CMDS; slot++)
		prove(!is_mapd(slot, i, true) || number_of(slot) < hw.executed,
		      "no command in the queue maps it");
	given_back[i] = true;

	return 0;
}

void prove_reclaim(void)
{
	u64 dev_id = nondet_u64();
	int ret;

	any_state();
	assume(memory[0].device.itt >> PAGE_SHIFT != memory[1].device.itt >> PAGE_SHIFT);

	ret = __pkvm_its_reclaim(nondet_u32(), dev_id);

	reach(!ret && dev_id == 1 && memory[1].device.state == HYP_ITS_DEVICE_UNMAPPED);
	reach(!ret && memory[0].device.state == HYP_ITS_DEVICE_PREPARED);
	reach(ret == -EBUSY && memory[0].device.state == HYP_ITS_DEVICE_UNMAPPED);

	check_state();
	prove(!ret || (!given_back[0] && !given_back[1]), "a refusal gives nothing back");
	prove(ret || given_back[dev_id], "success gives the device's memory back");
}

/* The system is suspended. */
void prove_suspend(void)
{
	bool ret;

	any_state();
	assume(its.nr_suspending < 8);
	ret = pkvm_its_suspend();
	/* The invariant of a queue that was emptied holds without the hardware's pointers. */
	reach(ret && its.lost == its.nr_committed);
	reach(!ret);

	check_state();
	prove(!ret || (its.suspended && its.nr_suspending && its.next == its.done),
	      "a suspended ITS has an empty queue");
}
