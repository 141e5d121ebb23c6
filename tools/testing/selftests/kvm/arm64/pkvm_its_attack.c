// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkvm_its_attack - A malicious host against the GICv3 ITS under protected KVM
 *
 * The ITS is a bus master that the host programs. Each case here is a way to
 * have it read or write memory which the host does not own: a page of a running
 * protected VM, whose guest keeps checking it, or memory that the ITS itself
 * works with.
 *
 * Where the host has the ITS for itself (kvm-arm.protected_its=off, or a kernel
 * that cannot confine it), every case has to succeed; that shows that the case
 * is able to fail. Where the ITS is confined, every case has to be blocked, and
 * host, guest and command queue have to go on working.
 *
 * Commands are written to the driver's queue through /dev/mem, like everything else. What
 * takes a hypercall needs CONFIG_TEST_PKVM_HOST.
 *
 * The ITS has to be QEMU's: entries are forged in its private formats. A direct ITS
 * may be unusable afterwards, and with it the machine, so this is not for a machine
 * that is of use.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bits.h>
#include <linux/compiler.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_attack.h"

#define VPE			7
#define DEV_RACE		0x1f20

/*
 * Common parts
 */

/*
 * Nothing happened to the guest. That only counts if EL2's statistics show that EL2
 * refused.
 */
static enum result look_refused(struct test *t, u64 at_least)
{
	if (confined(t) && refused(t) < at_least)
		return FAIL(t, "%llu commands refused, expected %llu or more",
			    (unsigned long long)refused(t),
			    (unsigned long long)at_least);

	return look(t, RES_BLOCKED);
}

/* Can the CPU get at this memory? */
static bool cpu_reads(u64 pa)
{
	u64 val;

	return !phys_read64(pa, &val);
}

static enum result cpu_read(struct test *t, u64 pa)
{
	u64 val;
	int ret;

	ret = phys_read64(pa, &val);

	return ret ? blocked_by_el2(t, ret) : RES_REACHED;
}

/* Pages whose place within an ITS page leaves the first half of that alone. */
static bool page_upper_half(u64 pa, void *arg)
{
	u64 page_size = ((struct test *)arg)->its.devices->page_size;

	return (u64)getpagesize() >= page_size ||
	       (pa & (page_size - 1)) >= page_size / 2;
}

/* Pages that the upper part of an 8K vLPI pending table covers. */
static bool page_vpt(u64 pa, void *arg)
{
	return (pa & 0xffff) < 0x2000;
}

/* Somewhere in the victim page, away from its start where it is the whole page. */
static u64 victim_target(struct test *t)
{
	return t->pvm.victim_pa + getpagesize() / 2;
}

/* How many bits of EventID it takes for an ITT that is larger than @size. */
static unsigned int itt_bits(struct test *t, u64 size)
{
	unsigned int bits = EVENT_BITS;

	while (t->its.itt_entry_size << bits <= size)
		bits++;

	return bits;
}

/*
 * Raw commands carry a mark in their last word, which is reserved in most of
 * them: finds out whether the hardware got them just as they were posted.
 */
static bool hw_queue_has(struct test *t, const struct its_cmd *cmd)
{
	void *queue;
	bool found = false;
	unsigned int i;
	u64 off, val;

	queue = phys_map(t->its.hw_queue, t->its.queue_size);
	if (!queue)
		return false;

	for (off = 0; off < t->its.queue_size && !found; off += sizeof(*cmd)) {
		for (i = 0; i < ARRAY_SIZE(cmd->w); i++) {
			if (try_read64(queue + off + i * sizeof(u64), &val))
				goto out;
			if (val != cmd->w[i])
				break;
		}
		found = i == ARRAY_SIZE(cmd->w);
	}
out:
	phys_unmap(queue, t->its.queue_size);

	return found;
}

/* The page is in use by the ITS: a CPU that can access it can forge entries. */
static enum result in_use(struct test *t, u64 itt)
{
	return cpu_read(t, itt);
}

/* Nothing is mapped there any more, the page has to be the host's again. */
static enum result given_back(struct test *t, u64 itt, enum result res)
{
	if (res == RES_BLOCKED && !cpu_reads(itt))
		return FAIL(t, "page not given back");

	return res;
}

/* A counter of a confined ITS. */
static u64 stat_of(struct test *t, const char *name)
{
	u64 val;

	its_stat(&t->its, name, &val);

	return val;
}

/* A slot of the queue that is not going to be used for a while. */
static u64 queue_slot(struct test *t)
{
	its_refresh(&t->its);

	return t->its.hw_queue +
	       (t->its.cwriter + t->its.queue_size / 2) % t->its.queue_size;
}

/*
 * ITTs and level-2 tables
 */

static enum result itt_over_victim(struct test *t)
{
	struct its_cmd cmds[] = {
		its_cmd_mapd(DEV_A, EVENT_BITS, t->pvm.victim_pa, true),
		its_cmd_mapti(DEV_A, 0, t->lpi, 0),
		its_cmd_sync(t->its.rdbase),
	};
	enum result res;

	if (its_post(&t->its, cmds, ARRAY_SIZE(cmds)))
		return FAIL(t, "queue");

	res = look_refused(t, 2);
	unmap(t, DEV_A);

	return res;
}

/*
 * Memory that must not hold an ITT: beyond the end of RAM, past the end of the
 * address space, a device, what the ITS itself works with.
 */
static enum result itt_bad_address(struct test *t)
{
	const u64 itts[] = {
		MASK64(51, 8),
		BIT64(51),
		t->its.base,
		queue_slot(t) & ~MASK64(11, 0),
		t->its.queue,
		t->its.devices->hw_base,
		t->its.devices->base,
	};
	unsigned int i, found = 0;
	struct its_cmd cmd;

	for (i = 0; i < ARRAY_SIZE(itts); i++) {
		cmd = its_cmd_mapd(DEV_A, EVENT_BITS, itts[i], true);
		cmd.w[3] = 0x5a5a0000 + i;
		if (post1(t, cmd))
			return FAIL(t, "queue");
		if (hw_queue_has(t, &cmd))
			found++;
		if (confined(t) && refused(t) != i + 1)
			return FAIL(t, "ITT at 0x%llx not refused",
				    (unsigned long long)itts[i]);
	}
	unmap(t, DEV_A);

	if (found == ARRAY_SIZE(itts))
		return RES_REACHED;

	return found ? FAIL(t, "%u found", found) : RES_BLOCKED;
}

/* Finds an entry of the level-1 table that maps nothing. */
static int free_level1(struct test *t, u64 *slot, u32 *device)
{
	struct its_table *tbl = t->its.devices;
	u64 nr, i, val, devices;

	devices = 1ULL << (((t->its.typer & GITS_TYPER_DEVBITS) >>
			    GITS_TYPER_DEVBITS_SHIFT) + 1);
	nr = devices / tbl->per_page;
	if (nr > tbl->size / sizeof(u64))
		nr = tbl->size / sizeof(u64);

	for (i = 1; i < nr; i++) {
		*slot = tbl->base + i * sizeof(u64);
		if (phys_read64(*slot, &val))
			return -EFAULT;
		if (val & BIT64(63))
			continue;

		*device = i * tbl->per_page;
		return 0;
	}

	return -ENOENT;
}

static enum result level2_over_victim(struct test *t)
{
	struct its_table *tbl = t->its.devices;
	u64 slot, itt, target = victim_target(t);
	enum result res;
	u32 device;

	if (!tbl->indirect)
		return RES_SKIP;

	itt = pages_alloc(0);
	if (!itt || free_level1(t, &slot, &device))
		return FAIL(t, "no free level-1 entry");
	device += (target & (tbl->page_size - 1)) / tbl->entry_size;

	if (phys_write64(slot, (target & ~(tbl->page_size - 1)) | BIT64(63)))
		return FAIL(t, "level-1 table");
	if (post1(t, its_cmd_mapd(device, EVENT_BITS, itt, true)))
		return FAIL(t, "queue");

	res = look_refused(t, 1);
	unmap(t, device);
	phys_write64(slot, 0);

	return res;
}

/* Has the ITS write the entry of a device into its own queue. */
static enum result level2_over_queue(struct test *t)
{
	struct its_table *tbl = t->its.devices;
	u64 slot, itt, target = queue_slot(t), val = 0;
	u64 before = stat_of(t, "refused_not_prepared");
	enum result res = RES_BLOCKED;
	u32 device;

	if (!tbl->indirect)
		return RES_SKIP;

	itt = pages_alloc(0);
	if (!itt || free_level1(t, &slot, &device))
		return FAIL(t, "no free level-1 entry");
	device += (target & (tbl->page_size - 1)) / tbl->entry_size;

	if (its_take(&t->its, 1) || (!confined(t) && phys_write64(target, 0)))
		return FAIL(t, "queue");
	if (phys_write64(slot, (target & ~(tbl->page_size - 1)) | BIT64(63)))
		return FAIL(t, "level-1 table");
	if (post1(t, its_cmd_mapd(device, EVENT_BITS, itt, true)))
		return FAIL(t, "queue");

	if (!phys_read64(target, &val) && val)
		res = RES_REACHED;
	if (confined(t) && stat_of(t, "refused_not_prepared") != before + 1)
		res = FAIL(t, "not refused");
	unmap(t, device);
	if (!confined(t) && phys_write64(target, GITS_CMD_SYNC))
		res = FAIL(t, "queue");
	phys_write64(slot, 0);

	return res;
}

/*
 * An entry whose address is not that of an ITS page, or has bits set that have
 * no meaning: what hardware makes of it is not known.
 */
static enum result level2_bad_entry(struct test *t)
{
	struct its_table *tbl = t->its.devices;
	u64 slot, itt, page, entries[3], val;
	u64 before = stat_of(t, "refused_not_prepared");
	unsigned int i, nr = 2, order = 0, used = 0;
	u32 device;

	if (!tbl->indirect)
		return RES_SKIP;

	while ((u64)getpagesize() << order < 2 * tbl->page_size)
		order++;
	itt = pages_alloc(0);
	page = pages_alloc(order);
	if (!itt || !page || free_level1(t, &slot, &device))
		return FAIL(t, "no free level-1 entry");

	entries[0] = page + tbl->page_size / 2;
	entries[1] = page + 0x10;

	/* A device: enough to have QEMU's ITS stall for good. */
	if (confined(t))
		entries[nr++] = t->its.base;

	for (i = 0; i < nr; i++) {
		if (phys_write64(slot, entries[i] | BIT64(63)) ||
		    post1(t, its_cmd_mapd(device, EVENT_BITS, itt, true)))
			return FAIL(t, "queue");
		if (i < 2 && !phys_read64(entries[i] & ~7ULL, &val) && val)
			used++;
		unmap(t, device);
		phys_write64(slot, 0);
	}

	if (used)
		return RES_REACHED;
	if (confined(t) && stat_of(t, "refused_not_prepared") != before + nr)
		return FAIL(t, "not refused");

	return RES_BLOCKED;
}

/* An entry that has long been in use is changed. */
static enum result level1_entry_replaced(struct test *t)
{
	struct its_table *tbl = t->its.devices;
	u64 old, slot, itt, target = victim_target(t);
	u32 device = (target & (tbl->page_size - 1)) / tbl->entry_size;
	enum result res;
	int ret;

	if (!tbl->indirect)
		return RES_SKIP;

	itt = pages_alloc(0);
	slot = tbl->base;
	if (!itt || its_reserve(&t->its, tbl, device) || phys_read64(slot, &old))
		return FAIL(t, "level-1 table");

	/* Other devices use that entry: change it no longer than necessary. */
	if (phys_write64(slot, (target & ~(tbl->page_size - 1)) | BIT64(63)))
		return FAIL(t, "level-1 table");

	ret = post1(t, its_cmd_mapd(device, EVENT_BITS, itt, true));
	if (phys_write64(slot, old) || ret)
		return FAIL(t, "level-1 table, or queue");

	res = look(t, RES_BLOCKED);
	unmap(t, device);

	return given_back(t, itt, res);
}

/* The private formats of the ITS that QEMU emulates. */
static u64 forged_ite(struct test *t)
{
	return BIT64(0) | BIT64(1) | (u64)t->lpi << 2;
}

static u64 forged_dte(u64 itt)
{
	return BIT64(0) | (EVENT_BITS - 1) << 1 | itt >> 8 << 6;
}

/* Raises event 0 of a device. Returns whether an interrupt arrived. */
static int raises(struct test *t, u32 device)
{
	struct its_cmd raise[] = {
		its_cmd_event(GITS_CMD_INT, device, 0),
		its_cmd_sync(t->its.rdbase),
	};

	if (its_post(&t->its, raise, ARRAY_SIZE(raise)))
		return -1;

	return its_lpi_arrived(&t->its, t->lpi);
}

static enum result itt_forged_contents(struct test *t)
{
	enum result res = RES_BLOCKED;
	u64 itt, ite;
	int ret;

	itt = pages_alloc(0);
	if (!itt || phys_write64(itt, forged_ite(t)) ||
	    phys_write64(itt + 8, 1023))
		return FAIL(t, "no ITT");

	if (post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)))
		return FAIL(t, "queue");

	ret = raises(t, DEV_A);
	if (ret > 0)
		res = RES_REACHED;
	if (ret < 0)
		res = FAIL(t, "queue");

	/* The interrupt has to come once the event really is mapped. */
	if (res == RES_BLOCKED) {
		post1(t, its_cmd_mapti(DEV_A, 0, t->lpi, 0));
		if (raises(t, DEV_A) != 1)
			res = FAIL(t, "a good ITE does not work either");
		post1(t, its_cmd_event(GITS_CMD_DISCARD, DEV_A, 0));
	}
	unmap(t, DEV_A);

	/* Once the page is the host's again, the forged entry must be gone. */
	if (res == RES_BLOCKED) {
		if (phys_read64(itt, &ite))
			res = FAIL(t, "page not given back");
		else if (ite == forged_ite(t))
			res = RES_REACHED;
	}

	return res;
}

/*
 * The first device brings a whole level-2 page into use. Another DeviceID in it is
 * never mapped, but has an entry in which its ITT is the victim.
 */
static enum result level2_forged_contents(struct test *t)
{
	struct its_table *tbl = t->its.devices;
	unsigned int order = 0;
	u64 slot, itt, level2;
	enum result res;
	u32 device;

	if (!tbl->indirect)
		return RES_SKIP;

	while ((u64)getpagesize() << order < its_level2_size(tbl))
		order++;
	itt = pages_alloc(0);
	level2 = pages_alloc(order);
	if (!itt || !level2 || free_level1(t, &slot, &device))
		return FAIL(t, "no free level-1 entry");

	if (phys_write64(level2 + tbl->entry_size,
			 forged_dte(t->pvm.victim_pa)) ||
	    phys_write64(slot, level2 | BIT64(63)))
		return FAIL(t, "level-1 table");

	if (post1(t, its_cmd_mapd(device, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapti(device + 1, 0, t->lpi, 0)))
		return FAIL(t, "queue");

	if (confined(t) && cpu_reads(level2))
		res = FAIL(t, "level-2 page was not taken");
	else
		res = look_refused(t, 1);
	if (res == RES_BLOCKED && raises(t, device + 1))
		res = RES_REACHED;

	unmap(t, device);
	if (!confined(t))
		phys_write64(slot, 0);

	return res;
}

/* Two devices, the entries of the one within those of the other. */
static enum result overlapping_itts(struct test *t)
{
	unsigned int bits = itt_bits(t, getpagesize());
	u64 itt, at, before, val, busy;
	enum result res;

	busy = confined(t) ? stat_of(t, "refused_not_prepared") : 0;
	itt = pages_alloc(3);
	at = itt + getpagesize();
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, bits, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_B, bits, at, true)))
		return FAIL(t, "queue");

	if (confined(t)) {
		/* The second is not there, so it cannot have events. */
		post1(t, its_cmd_mapti(DEV_B, 0, t->lpi, 0));
		res = look_refused(t, 2);
		if (res == RES_BLOCKED && stat_of(t, "refused_not_prepared") != busy + 1)
			res = FAIL(t, "not refused for being in use");
		if (res == RES_BLOCKED && raises(t, DEV_B))
			res = RES_REACHED;
	} else {
		res = RES_BLOCKED;
		if (phys_read64(at, &before) ||
		    post1(t, its_cmd_mapti(DEV_B, 0, t->lpi, 0)) ||
		    phys_read64(at, &val))
			res = FAIL(t, "ITT");
		else if (val != before)
			res = RES_REACHED;
	}

	unmap(t, DEV_B);
	unmap(t, DEV_A);

	return res;
}

/*
 * Who may access the memory of an ITT while devices come and go
 */

/* The second time, its memory may be another device's. */
static enum result unmap_twice(struct test *t)
{
	enum result res;
	u64 itt;

	itt = pages_alloc(0);
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, false)) ||
	    post1(t, its_cmd_mapd(DEV_B, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, false)))
		return FAIL(t, "queue");

	res = in_use(t, itt);
	if (confined(t) && res == RES_BLOCKED)
		res = look_refused(t, 1);
	unmap(t, DEV_B);

	return given_back(t, itt, res);
}

static enum result unmap_unknown(struct test *t)
{
	enum result res;
	u64 itt;

	itt = pages_alloc(0);
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_NONE, EVENT_BITS, itt, false)))
		return FAIL(t, "queue");

	res = in_use(t, itt);
	if (confined(t) && res == RES_BLOCKED)
		res = look_refused(t, 1);
	unmap(t, DEV_A);

	return given_back(t, itt, res);
}

/* The ITT of a device that is mapped is replaced by the victim. */
static enum result remap_over_victim(struct test *t)
{
	enum result res;
	u64 itt;

	itt = pages_alloc(0);
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, t->pvm.victim_pa, true)) ||
	    post1(t, its_cmd_mapti(DEV_A, 0, t->lpi, 0)))
		return FAIL(t, "queue");

	res = look_refused(t, 1);
	if (res == RES_BLOCKED)
		post1(t, its_cmd_event(GITS_CMD_DISCARD, DEV_A, 0));
	unmap(t, DEV_A);

	return given_back(t, itt, res);
}

/* And by another good one: that is in use on a direct ITS, EL2 sticks to the first. */
static enum result remap(struct test *t)
{
	enum result res;
	u64 old, new;

	old = pages_alloc(0);
	new = pages_alloc(0);
	if (!old || !new ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, old, true)) ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, new, true)))
		return FAIL(t, "queue");

	res = in_use(t, confined(t) ? old : new);
	if (confined(t) && res == RES_BLOCKED)
		res = look_refused(t, 1);
	res = given_back(t, new, res);
	unmap(t, DEV_A);

	return given_back(t, old, res);
}

/* A page is that of one device. The other has no part in it, nor in its return. */
static enum result two_devices_one_itt_page(struct test *t)
{
	enum result res;
	u64 itt;

	itt = pages_alloc(0);
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_B, EVENT_BITS, itt + getpagesize() / 4, true)))
		return FAIL(t, "queue");

	res = in_use(t, itt);
	if (confined(t) && res == RES_BLOCKED)
		res = look_refused(t, 1);
	unmap(t, DEV_B);
	if (res == RES_BLOCKED)
		res = in_use(t, itt);
	unmap(t, DEV_A);

	return given_back(t, itt, res);
}

/*
 * An ITT that begins in a page of the host's and ends in the victim: all but its last
 * page are the host's.
 */
static enum result itt_last_page(struct test *t)
{
	unsigned int bits = itt_bits(t, getpagesize());
	u64 back = getpagesize(), itt = t->pvm.victim_pa - back;
	u32 event = back / t->its.itt_entry_size + 1;
	enum result res;

	if (!cpu_reads(itt))
		return FAIL(t, "the page before the victim is not the host's");

	if (post1(t, its_cmd_mapd(DEV_A, bits, itt, true)) ||
	    post1(t, its_cmd_mapti(DEV_A, event, t->lpi, 0)))
		return FAIL(t, "queue");

	res = look_refused(t, 2);
	unmap(t, DEV_A);

	return res;
}

/*
 * A disabled ITS
 */

static enum result disabled_then_enabled(struct test *t)
{
	struct its_cmd cmds[] = {
		its_cmd_mapd(DEV_A, EVENT_BITS, t->pvm.victim_pa, true),
		its_cmd_mapti(DEV_A, 0, t->lpi, 0),
		its_cmd_sync(t->its.rdbase),
	};
	enum result res;
	int ret;
	u32 ctlr;

	if (its_disable(&t->its, &ctlr))
		return FAIL(t, "cannot disable the ITS");
	ret = its_queue(&t->its, cmds, ARRAY_SIZE(cmds));
	its_write32(&t->its, GITS_CTLR, ctlr);
	if (ret || its_sync(&t->its))
		return FAIL(t, "queue");

	res = look_refused(t, 2);
	unmap(t, DEV_A);

	return res;
}

/* The ITS has not read the command yet, so that it still uses the ITT. */
static enum result disabled_unmap(struct test *t)
{
	struct its_cmd cmd = its_cmd_mapd(DEV_A, EVENT_BITS, 0, false);
	enum result res;
	u32 ctlr;
	u64 itt;
	int ret;

	itt = pages_alloc(0);
	if (!itt || post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)))
		return FAIL(t, "queue");

	if (its_disable(&t->its, &ctlr))
		return FAIL(t, "cannot disable the ITS");
	ret = its_queue(&t->its, &cmd, 1);
	res = in_use(t, itt);
	its_write32(&t->its, GITS_CTLR, ctlr);
	if (ret || its_sync(&t->its))
		return FAIL(t, "queue");

	/* EL2 is asked for the memory again. */
	unmap(t, DEV_A);

	return given_back(t, itt, res);
}

/*
 * Registers
 */

enum width {
	WRITE_64,
	WRITE_LO32,
	WRITE_HI32,
};

static void write_reg(struct test *t, unsigned int reg, u64 val, enum width w)
{
	switch (w) {
	case WRITE_64:
		its_write64(&t->its, reg, val);
		break;
	case WRITE_LO32:
		its_write32(&t->its, reg, val);
		break;
	case WRITE_HI32:
		its_write32(&t->its, reg + 4, val >> 32);
		break;
	}
}

static unsigned int baser_reg(struct test *t, struct its_table *tbl)
{
	return GITS_BASER + (tbl - t->its.table) * sizeof(u64);
}

/* Has the ITS write entry @id of a table, or take it back. */
static int write_entry(struct test *t, struct its_table *tbl, u32 id, u64 itt,
		       bool valid)
{
	if (tbl == t->its.devices)
		return post1(t, its_cmd_mapd(id, EVENT_BITS, itt, valid));

	return post1(t, its_cmd_mapc(id, t->its.rdbase, valid));
}

/*
 * Puts a table over the victim. If that works, mapping a device or collection
 * writes an entry there; the halves by themselves do not always make a usable
 * address: then only the register is compared.
 */
static enum result baser_repoint(struct test *t, struct its_table *tbl,
				 enum width w, bool use)
{
	u64 old, new, want, now, itt, target = victim_target(t);
	unsigned int reg = baser_reg(t, tbl);
	enum result res;
	u32 id, ctlr;

	itt = pages_alloc(0);
	id = (target & (tbl->page_size - 1)) / tbl->entry_size;
	if (!itt || its_reserve(&t->its, tbl, id))
		return FAIL(t, "no memory");

	old = its_read64(&t->its, reg);
	new = old & ~(GITS_BASER_INDIRECT | MASK64(47, 12) | 0xff);
	new |= target & ~(tbl->page_size - 1);
	if (w == WRITE_HI32)
		new ^= BIT64(32);

	want = new;
	if (w == WRITE_LO32)
		want = (old & MASK64(63, 32)) | (new & MASK64(31, 0));
	if (w == WRITE_HI32)
		want = (old & MASK64(31, 0)) | (new & MASK64(63, 32));

	if (its_disable(&t->its, &ctlr))
		return FAIL(t, "cannot disable the ITS");

	write_reg(t, reg, new, w);
	now = its_read64(&t->its, reg);
	if (now == want)
		res = RES_REACHED;
	else if (now == old)
		res = RES_BLOCKED;
	else
		res = FAIL(t, "GITS_BASER 0x%llx", (unsigned long long)now);

	if (use) {
		its_write32(&t->its, GITS_CTLR, ctlr);
		if (write_entry(t, tbl, id, itt, true))
			res = FAIL(t, "queue");
		if (look(t, RES_BLOCKED) == RES_CORRUPTED)
			res = RES_CORRUPTED;
		write_entry(t, tbl, id, itt, false);
		if (its_disable(&t->its, &ctlr))
			res = FAIL(t, "cannot disable the ITS");
		ctlr |= GITS_CTLR_ENABLE;
	}

	its_write64(&t->its, reg, old);
	now = its_read64(&t->its, reg);
	its_write32(&t->its, GITS_CTLR, ctlr);
	if (now != old)
		return FAIL(t, "GITS_BASER 0x%llx not restored",
			    (unsigned long long)now);

	return res;
}

static enum result gits_baser_repoint_64(struct test *t)
{
	return baser_repoint(t, t->its.devices, WRITE_64, true);
}

static enum result gits_baser_repoint_collections(struct test *t)
{
	struct its_table *tbl = its_table(&t->its, GITS_BASER_TYPE_COLLECTION);

	return tbl ? baser_repoint(t, tbl, WRITE_64, true) : RES_SKIP;
}

static enum result gits_baser_repoint_lo32(struct test *t)
{
	return baser_repoint(t, t->its.devices, WRITE_LO32, false);
}

static enum result gits_baser_repoint_hi32(struct test *t)
{
	return baser_repoint(t, t->its.devices, WRITE_HI32, false);
}

static enum result gits_baser_repoint_disabled(struct test *t)
{
	return baser_repoint(t, t->its.devices, WRITE_64, false);
}

/*
 * Has the ITS read its commands from a queue that the host alone writes. Writing
 * GITS_CBASER sends the ITS to offset 0, so in the end it has to go from there to where the
 * driver is, past nothing but SYNC.
 */
static enum result cbaser_repoint(struct test *t, enum width w, bool use)
{
	struct its_cmd cmds[] = {
		its_cmd_mapd(DEV_A, EVENT_BITS, t->pvm.victim_pa, true),
		its_cmd_mapti(DEV_A, 0, t->lpi, 0),
		its_cmd_sync(t->its.rdbase),
	};
	unsigned int order = 0;
	u64 old, new, want, now, queue;
	enum result res;
	size_t i;
	u32 ctlr;

	while ((u64)getpagesize() << order < t->its.queue_size)
		order++;
	queue = pages_alloc(order);
	if (!queue)
		return FAIL(t, "no memory");
	for (i = 0; i < 4 * ARRAY_SIZE(cmds); i++) {
		if (phys_write64(queue + i * sizeof(u64), cmds[i / 4].w[i % 4]))
			return FAIL(t, "cannot write commands");
	}

	if (its_take(&t->its, 1) || its_return(&t->its) || its_disable(&t->its, &ctlr))
		return FAIL(t, "cannot disable the ITS");

	old = its_read64(&t->its, GITS_CBASER);
	new = (old & ~MASK64(51, 12)) | queue;
	if (w == WRITE_HI32)
		new ^= BIT64(33);

	want = new;
	if (w == WRITE_LO32)
		want = (old & MASK64(63, 32)) | (new & MASK64(31, 0));
	if (w == WRITE_HI32)
		want = (old & MASK64(31, 0)) | (new & MASK64(63, 32));

	write_reg(t, GITS_CBASER, new, w);
	now = its_read64(&t->its, GITS_CBASER);
	if (now == want)
		res = RES_REACHED;
	else if (now == old)
		res = RES_BLOCKED;
	else
		res = FAIL(t, "GITS_CBASER 0x%llx", (unsigned long long)now);

	if (use) {
		its_write32(&t->its, GITS_CTLR, ctlr);
		its_write64(&t->its, GITS_CWRITER, sizeof(cmds));
		if (look(t, RES_BLOCKED) == RES_CORRUPTED)
			res = RES_CORRUPTED;
		if (its_disable(&t->its, &ctlr))
			res = FAIL(t, "cannot disable the ITS");
		ctlr |= GITS_CTLR_ENABLE;
	}

	its_write64(&t->its, GITS_CBASER, old);
	its_write64(&t->its, GITS_CWRITER, 0);
	now = its_read64(&t->its, GITS_CBASER);
	its_write32(&t->its, GITS_CTLR, ctlr);
	if (its_write64(&t->its, GITS_CWRITER, t->its.driver) || its_sync(&t->its))
		return FAIL(t, "the queue does not work");
	if (now != old)
		return FAIL(t, "GITS_CBASER 0x%llx not restored",
			    (unsigned long long)now);
	if (!confined(t))
		unmap(t, DEV_A);

	return res;
}

static enum result gits_cbaser_repoint_64(struct test *t)
{
	return cbaser_repoint(t, WRITE_64, true);
}

static enum result gits_cbaser_repoint_lo32(struct test *t)
{
	return cbaser_repoint(t, WRITE_LO32, t->its.hw_queue >> 32 == 0);
}

static enum result gits_cbaser_repoint_hi32(struct test *t)
{
	return cbaser_repoint(t, WRITE_HI32, false);
}

static enum result gits_cbaser_repoint_disabled(struct test *t)
{
	return cbaser_repoint(t, WRITE_64, false);
}

static enum result cwriter_write(struct test *t, u64 val)
{
	enum result res = RES_BLOCKED;
	u64 old, now;

	old = its_read64(&t->its, GITS_CWRITER);
	its_write64(&t->its, GITS_CWRITER, val);
	now = its_read64(&t->its, GITS_CWRITER);
	if (now != old) {
		res = RES_REACHED;
		its_write64(&t->its, GITS_CWRITER, old);
	}

	return res;
}

/* An offset beyond the end of the queue. */
static enum result cwriter_out_of_range(struct test *t)
{
	return cwriter_write(t, t->its.queue_size);
}

/* The largest that the register can hold, together with its reserved bits. */
static enum result cwriter_all_ones(struct test *t)
{
	return cwriter_write(t, ~0ULL);
}

/* Within the queue, but not at a command. */
static enum result cwriter_unaligned(struct test *t)
{
	return cwriter_write(t, its_read64(&t->its, GITS_CWRITER) | 0x1e);
}

/*
 * Memory that the ITS works with
 */

/* The old value goes back at once. */
static enum result cpu_write(struct test *t, u64 pa, u64 flip)
{
	void *va = phys_map(pa, sizeof(u64));
	enum result res = RES_REACHED;
	enum fault fault;
	u64 old, now;

	if (!va)
		return FAIL(t, "cannot map 0x%llx", (unsigned long long)pa);

	/* Reading it first would be stopped where writing it may not be. */
	if (!confined(t)) {
		if (try_read64(va, &old) || try_write64(va, old ^ flip) ||
		    try_read64(va, &now) || now != (old ^ flip))
			res = FAIL(t, "cannot write 0x%llx", (unsigned long long)pa);
		try_write64(va, old);
	} else {
		fault = try_write64(va, 0);
		if (fault)
			res = blocked_by_el2(t, fault);
	}
	phys_unmap(va, sizeof(u64));

	return res;
}

static enum result committed_queue_cpu_read(struct test *t)
{
	return cpu_read(t, queue_slot(t));
}

static enum result committed_queue_cpu_write(struct test *t)
{
	return cpu_write(t, queue_slot(t) + 24, 0x55);
}

static u64 table_slot(struct test *t)
{
	return t->its.devices->hw_base + t->its.devices->size - sizeof(u64);
}

static enum result committed_table_cpu_read(struct test *t)
{
	return cpu_read(t, table_slot(t));
}

static enum result committed_table_cpu_write(struct test *t)
{
	return cpu_write(t, table_slot(t), 0x5000);
}

/* Where the interrupts of the machine go to. */
static enum result committed_collection_cpu_write(struct test *t)
{
	struct its_table *tbl = its_table(&t->its, GITS_BASER_TYPE_COLLECTION);

	if (!tbl)
		return RES_SKIP;

	return cpu_write(t, tbl->hw_base + tbl->size - sizeof(u64), 0x5000);
}

static enum result with_itt(struct test *t, bool write)
{
	enum result res;
	u64 itt;

	itt = pages_alloc(0);
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapti(DEV_A, 0, t->lpi, 0)))
		return FAIL(t, "queue");

	res = write ? cpu_write(t, itt, (u64)0x10 << 2) : cpu_read(t, itt);
	post1(t, its_cmd_event(GITS_CMD_DISCARD, DEV_A, 0));
	unmap(t, DEV_A);

	return given_back(t, itt, res);
}

static enum result itt_cpu_read(struct test *t)
{
	return with_itt(t, false);
}

static enum result itt_cpu_write(struct test *t)
{
	return with_itt(t, true);
}

/*
 * Commands
 */

static bool sent_by_driver(unsigned int nr)
{
	switch (nr) {
	case GITS_CMD_MOVI:
	case GITS_CMD_INT:
	case GITS_CMD_CLEAR:
	case GITS_CMD_SYNC:
	case GITS_CMD_MAPD:
	case GITS_CMD_MAPC:
	case GITS_CMD_MAPTI:
	case GITS_CMD_INV:
	case GITS_CMD_INVALL:
	case GITS_CMD_DISCARD:
		return true;
	}

	return false;
}

/* All that the driver does not send to a GICv3, with the victim wherever an address may be. */
static enum result unknown_commands(struct test *t)
{
	unsigned int nr, posted = 0, verbatim = 0;
	struct its_cmd cmd;
	enum result res;

	for (nr = 0; nr < 256; nr++) {
		if (sent_by_driver(nr))
			continue;

		cmd = (struct its_cmd) { {
			nr | (u64)DEV_NONE << 32,
			0xf000ULL << 32,
			t->pvm.victim_pa,
			t->pvm.victim_pa | nr,
		} };
		if (post1(t, cmd))
			return FAIL(t, "queue, command 0x%x", nr);
		posted++;
		if (hw_queue_has(t, &cmd))
			verbatim++;
	}

	res = look(t, RES_BLOCKED);
	if (res != RES_BLOCKED)
		return res;
	if (verbatim == posted)
		return RES_REACHED;
	if (!confined(t) || verbatim)
		return FAIL(t, "%u of %u found in the queue", verbatim, posted);
	if (refused(t) != posted)
		return FAIL(t, "%llu of %u refused",
			    (unsigned long long)refused(t), posted);

	return RES_BLOCKED;
}

/*
 * Commands as the driver would send them, but with all reserved bits set. They
 * are good commands and have to work; the reserved bits are not for the ITS. Where the
 * queue of a confined ITS can't be read, this shows that they are no reason to refuse.
 */
static enum result res0_bits_set(struct test *t)
{
	u64 itt = pages_alloc(0);
	struct its_cmd cmds[] = {
		its_cmd_mapd(DEV_A, EVENT_BITS, itt, true),
		its_cmd_mapti(DEV_A, 0, t->lpi, 0),
		its_cmd_event(GITS_CMD_INT, DEV_A, 0),
		its_cmd_event(GITS_CMD_CLEAR, DEV_A, 0),
		its_cmd_event(GITS_CMD_DISCARD, DEV_A, 0),
		its_cmd_mapd(DEV_A, EVENT_BITS, itt, false),
		its_cmd_sync(t->its.rdbase),
	};
	static const struct its_cmd res0[] = {
		{ { 0xffffff00, ~0x1fULL, 0x7ff00000000000ffULL, ~0ULL } },
		{ { 0xffffff00, 0, ~0xffffULL, ~0ULL } },
		{ { 0xffffff00, MASK64(63, 32), ~0ULL, ~0ULL } },
		{ { 0xffffff00, MASK64(63, 32), ~0ULL, ~0ULL } },
		{ { 0xffffff00, MASK64(63, 32), ~0ULL, ~0ULL } },
		{ { 0xffffff00, ~0x1fULL, 0x7ff00000000000ffULL, ~0ULL } },
		{ { ~0xffULL, ~0ULL, 0xfff000000000ffffULL, ~0ULL } },
	};
	unsigned int i, j, found = 0;
	bool arrived = false;
	u64 before, after;

	if (!itt)
		return FAIL(t, "no memory");
	its_stat(&t->its, "accepted", &before);

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		for (j = 0; j < ARRAY_SIZE(cmds[i].w); j++)
			cmds[i].w[j] |= res0[i].w[j];
		if (post1(t, cmds[i]))
			return FAIL(t, "queue");

		/* Once to arrive, and once for CLEAR to take back. */
		if ((cmds[i].w[0] & 0xff) == GITS_CMD_INT &&
		    its_lpi_arrived(&t->its, t->lpi))
			arrived = !its_lpi_set_prop(&t->its, t->lpi, LPI_OFF) &&
				  !post1(t, cmds[i]);
		if ((cmds[i].w[0] & 0xff) == GITS_CMD_CLEAR)
			its_lpi_set_prop(&t->its, t->lpi, LPI_ON);
		if (hw_queue_has(t, &cmds[i]))
			found++;
	}

	if (!arrived)
		return FAIL(t, "the commands did not work");
	if (its_lpi_arrived(&t->its, t->lpi))
		return FAIL(t, "the interrupt was not cleared");
	if (found == ARRAY_SIZE(cmds))
		return RES_REACHED;

	its_stat(&t->its, "accepted", &after);
	if (!confined(t) || found || refused(t) ||
	    after - before < ARRAY_SIZE(cmds))
		return FAIL(t, "%u found, %llu accepted, %llu refused", found,
			    (unsigned long long)(after - before),
			    (unsigned long long)refused(t));

	return RES_BLOCKED;
}

/* Every field beyond what it may be, the others good; MAPI and MOVALL are refused as such. */
static enum result bad_fields(struct test *t)
{
	u64 itt = pages_alloc(0);
	const struct {
		struct its_cmd cmd;
		const char *reason;
	} bad[] = {
		{ its_cmd_mapd(0xffffff00, EVENT_BITS, itt, true), "bad_device" },
		{ its_cmd_mapd(DEV_B, 32, itt, true), "not_prepared" },
		{ its_cmd_mapti(DEV_NONE, 0, t->lpi, 0), "not_mapped" },
		{ its_cmd_mapti(DEV_A, NR_EVENTS, t->lpi, 0), "bad_event" },
		{ its_cmd_mapti(DEV_A, 0, t->lpi, 0xffff), "bad_icid" },
		{ its_cmd_mapti(DEV_A, 0, 32, 0), "bad_intid" },
		{ its_cmd_mapti(DEV_A, 0, 0x7fffffff, 0), "bad_intid" },
		{ { { GITS_CMD_MAPI | (u64)DEV_A << 32, 1, 0 } }, "unknown_command" },
		{ { { GITS_CMD_MOVALL, 0, t->its.rdbase } }, "unknown_command" },
		{ { { GITS_CMD_MOVI | (u64)DEV_A << 32, 0, 0xffff } }, "bad_icid" },
		{ its_cmd_event(GITS_CMD_INT, DEV_A, ~0U), "bad_event" },
		{ its_cmd_event(GITS_CMD_INV, 0xffffff00, 0), "bad_device" },
		{ its_cmd_mapc(0xffff, t->its.rdbase, true), "bad_icid" },
		{ { { GITS_CMD_INVALL, 0, 0xffff } }, "bad_icid" },
	};
	unsigned int i, found = 0;
	enum result res = RES_BLOCKED;
	struct its_cmd cmd;
	char name[64];
	u64 before;

	if (!itt || post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)))
		return FAIL(t, "queue");

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		cmd = bad[i].cmd;
		cmd.w[3] = 0xa5a50000 + i;
		snprintf(name, sizeof(name), "refused_%s", bad[i].reason);
		before = stat_of(t, name);

		if (post1(t, cmd))
			res = FAIL(t, "queue");
		if (hw_queue_has(t, &cmd))
			found++;
		if (confined(t) && stat_of(t, name) != before + 1)
			res = FAIL(t, "command %u is not %s", i, name);
	}
	unmap(t, DEV_A);

	if (res == RES_ERROR)
		return res;
	if (found == ARRAY_SIZE(bad))
		return RES_REACHED;

	return found ? FAIL(t, "%u found", found) : RES_BLOCKED;
}

/* Redistributors that do not exist, the victim as one of them. */
static enum result rdbase_unknown(struct test *t)
{
	struct its_cmd cmds[] = {
		its_cmd_mapc(0x3f, 0x7fff0000ULL, true),
		its_cmd_mapc(0x3f, t->pvm.victim_pa | MASK64(51, 48), true),
		its_cmd_sync(0x7fff0000ULL),
	};
	unsigned int i, found = 0;
	u64 before, after;

	its_stat(&t->its, "refused_bad_rdbase", &before);
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		if (post1(t, cmds[i]))
			return FAIL(t, "queue");
		if (hw_queue_has(t, &cmds[i]))
			found++;
	}
	if (!confined(t))
		post1(t, its_cmd_mapc(0x3f, 0, false));

	if (found == ARRAY_SIZE(cmds))
		return RES_REACHED;

	its_stat(&t->its, "refused_bad_rdbase", &after);
	if (!confined(t) || found || after - before != ARRAY_SIZE(cmds))
		return FAIL(t, "%u found, %llu refused", found,
			    (unsigned long long)(after - before));

	return RES_BLOCKED;
}

/* GICv4: the pending table of a vPE lies over the victim. */
static enum result vmapp_over_victim(struct test *t)
{
	u64 off = t->pvm.victim_pa & 0xffff, vpt = t->pvm.victim_pa - off;
	u32 vlpi = (off ? off : 1024) * 8 + 16;
	u64 itt = pages_alloc(0);
	struct its_cmd cmds[] = {
		{ { GITS_CMD_VMAPP, (u64)VPE << 32,
		    BIT64(63) | (t->its.rdbase & MASK64(51, 16)), vpt | 15 } },
		its_cmd_mapd(DEV_A, EVENT_BITS, itt, true),
		{ { GITS_CMD_VMAPTI | (u64)DEV_A << 32, (u64)VPE << 32,
		    vlpi | 1023ULL << 32 } },
		its_cmd_event(GITS_CMD_INT, DEV_A, 0),
	};
	struct its_cmd undo[] = {
		its_cmd_event(GITS_CMD_DISCARD, DEV_A, 0),
		its_cmd_mapd(DEV_A, EVENT_BITS, itt, false),
		{ { GITS_CMD_VMAPP, (u64)VPE << 32, 0, 0 } },
	};
	struct its_table *vpes = its_table(&t->its, GITS_BASER_TYPE_VCPU);
	enum result res;

	if (vpes && its_reserve(&t->its, vpes, VPE))
		return FAIL(t, "no memory");
	if (!itt || its_post(&t->its, cmds, ARRAY_SIZE(cmds)))
		return FAIL(t, "queue");

	res = look_refused(t, 2);
	its_post(&t->its, undo, ARRAY_SIZE(undo));

	return res;
}

/*
 * Another CPU changes the address of the ITT while the commands are posted. The
 * address is a good one when the commands are copied to the queue.
 *
 * In every eighth round the ITS is disabled until the other CPU has been there,
 * so that a direct ITS is sure to read what was changed; the rounds in between
 * are for whoever reads the commands more than once.
 */
#define RACE_ROUNDS		512
#define RACE_CMDS		4
#define RACE_ORDER		4
#define RACE_DEVICES		(ITS_MAX_BATCH / RACE_CMDS)

struct race {
	u64 *queue;
	size_t words;
	u64 good;
	u64 bad;
	atomic_ulong slot;	/* first slot of the batch + 1, 0 for pause */
	atomic_ulong passes;
	atomic_bool paused;
	atomic_bool stop;
	int cpu;
};

/* The word of a command that has the address of the ITT. */
static void race_store(struct race *race, unsigned long slot, u64 val)
{
	WRITE_ONCE(race->queue[(slot * 4 + 2) % race->words], val);
}

static void *race_thread(void *arg)
{
	struct race *race = arg;
	unsigned long slot;
	unsigned int i;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(race->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);

	while (!atomic_load(&race->stop)) {
		slot = atomic_load(&race->slot);
		atomic_store(&race->paused, !slot);
		if (!slot)
			continue;

		for (i = 0; i < RACE_DEVICES; i++)
			race_store(race, slot - 1 + RACE_CMDS * i, race->bad);
		atomic_fetch_add(&race->passes, 1);
		for (i = 0; i < RACE_DEVICES; i++)
			race_store(race, slot - 1 + RACE_CMDS * i,
				   race->good + i * getpagesize());
	}

	return NULL;
}

/* The other thread writes over the batch right now. */
static void race_wait(struct race *race, unsigned long nr)
{
	unsigned long passes = atomic_load(&race->passes);

	while (atomic_load(&race->passes) < passes + nr)
		sched_yield();
}

static int race_round(struct test *t, struct race *race,
		      const struct its_cmd *cmds, unsigned int nr, bool disable)
{
	int ret;
	u32 ctlr;

	if (its_take(&t->its, nr) || (disable && its_disable(&t->its, &ctlr)))
		return -EIO;

	atomic_store(&race->slot, t->its.pos / sizeof(*cmds) + 1);
	race_wait(race, 1);
	if (disable) {
		ret = its_queue(&t->its, cmds, nr);
		race_wait(race, 2);
		its_write32(&t->its, GITS_CTLR, ctlr);
		if (!ret)
			ret = its_sync(&t->its);
	} else {
		ret = its_post(&t->its, cmds, nr);
	}

	/* What is in the queue from now on belongs to others again. */
	atomic_store(&race->slot, 0);
	atomic_store(&race->paused, false);
	while (!atomic_load(&race->paused))
		sched_yield();

	return ret;
}

static enum result staging_race(struct test *t)
{
	struct its_cmd cmds[RACE_CMDS * RACE_DEVICES];
	enum result res = RES_BLOCKED;
	unsigned int i, round;
	struct race race = {};
	cpu_set_t cpus, mine;
	pthread_t thread;
	u64 itt;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) || CPU_COUNT(&cpus) < 2)
		return RES_SKIP;

	/* The other thread has the first CPU for itself, this one the others. */
	mine = cpus;
	while (!CPU_ISSET(race.cpu, &mine))
		race.cpu++;
	CPU_CLR(race.cpu, &mine);

	itt = pages_alloc(RACE_ORDER);
	race.queue = phys_map(t->its.queue, t->its.queue_size);
	if (!itt || !race.queue)
		return FAIL(t, "cannot map the queue");

	for (i = 0; i < RACE_DEVICES; i++) {
		struct its_cmd *cmd = cmds + RACE_CMDS * i;
		u64 itt_i = itt + i * getpagesize();

		cmd[0] = its_cmd_mapd(DEV_RACE + i, EVENT_BITS, itt_i, true);
		cmd[1] = its_cmd_mapti(DEV_RACE + i, 0, t->lpi, 0);
		cmd[2] = its_cmd_event(GITS_CMD_DISCARD, DEV_RACE + i, 0);
		cmd[3] = its_cmd_mapd(DEV_RACE + i, EVENT_BITS, itt_i, false);
	}
	race.words = t->its.queue_size / sizeof(u64);
	race.good = cmds[0].w[2];
	race.bad = its_cmd_mapd(DEV_A, EVENT_BITS, t->pvm.victim_pa, true).w[2];

	sched_setaffinity(0, sizeof(mine), &mine);
	if (pthread_create(&thread, NULL, race_thread, &race)) {
		sched_setaffinity(0, sizeof(cpus), &cpus);
		phys_unmap(race.queue, t->its.queue_size);
		return FAIL(t, "pthread_create");
	}

	for (round = 0; round < RACE_ROUNDS && res == RES_BLOCKED; round++) {
		if (race_round(t, &race, cmds, ARRAY_SIZE(cmds), round % 8 == 7))
			res = FAIL(t, "queue");

		if (res == RES_BLOCKED && (round % 16 == 15 || !confined(t)))
			res = look(t, RES_BLOCKED);
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	phys_unmap(race.queue, t->its.queue_size);
	its_post(&t->its, cmds, ARRAY_SIZE(cmds));

	ksft_print_msg("%u rounds, %llu commands refused\n", round,
		       (unsigned long long)refused(t));

	/* EL2 has to have read the other address at least once. */
	if (confined(t) && res == RES_BLOCKED && !refused(t))
		return FAIL(t, "the race was never on");

	return given_back(t, itt, res);
}

/* The access under test moves the device table while the ITS is disabled. */
static enum result odd_access(struct test *t)
{
	unsigned int reg = baser_reg(t, t->its.devices);
	enum fault fault;
	u64 old, new, now;
	enum result res;
	u32 ctlr;

	if (its_disable(&t->its, &ctlr))
		return FAIL(t, "cannot disable the ITS");

	old = its_read64(&t->its, reg);
	new = old ^ (BIT64(33) | BIT64(16) | BIT64(17) | BIT64(0));
	fault = try_store(t, t->its.regs + reg, new, old);
	res = store_result(t, its_read64(&t->its, reg) != old, fault);

	its_write64(&t->its, reg, old);
	now = its_read64(&t->its, reg);
	its_write32(&t->its, GITS_CTLR, ctlr);
	if (now != old)
		return FAIL(t, "GITS_BASER 0x%llx not restored",
			    (unsigned long long)now);

	return res;
}

/*
 * Ways around the protection of the frame. Registers that cannot be written
 * before must not be afterwards, through a mapping made then.
 */
static enum result fresh_frame(struct test *t)
{
	void *old = t->its.regs;
	enum result res;

	t->its.regs = phys_map(t->its.base, ITS_FRAME_SIZE);
	if (!t->its.regs) {
		t->its.regs = old;
		return FAIL(t, "cannot map the ITS");
	}

	res = baser_repoint(t, t->its.devices, WRITE_64, true);
	phys_unmap(t->its.regs, ITS_FRAME_SIZE);
	t->its.regs = old;

	return res;
}

/* Neighbours of the ITS that may come with it in one block mapping. */
static enum result block_neighbour(struct test *t)
{
	touch_neighbours(t->its.base, ITS_FRAME_SIZE);

	return fresh_frame(t);
}

static enum result mmio_recycle(struct test *t)
{
	touch_everything();

	return fresh_frame(t);
}

static const struct attack cases[] = {
	ATTACK(itt_over_victim),
	ATTACK(itt_last_page),
	ATTACK(itt_bad_address),
	ATTACK(itt_forged_contents),
	ATTACK(level2_over_victim, .victim = page_upper_half,
	       .skip = "device table has one level"),
	ATTACK(level2_over_queue, .skip = "device table has one level"),
	ATTACK(level2_bad_entry, .skip = "device table has one level"),
	ATTACK(level1_entry_replaced, .victim = page_upper_half,
	       .skip = "device table has one level"),
	ATTACK(level2_forged_contents, .skip = "device table has one level"),
	ATTACK(overlapping_itts),
	ATTACK(unmap_twice),
	ATTACK(unmap_unknown),
	ATTACK(remap),
	ATTACK(remap_over_victim),
	ATTACK(two_devices_one_itt_page),
	ATTACK(disabled_then_enabled),
	ATTACK(disabled_unmap),
	ATTACK(gits_baser_repoint_64, .victim = page_upper_half),
	ATTACK(gits_baser_repoint_lo32, .victim = page_upper_half),
	ATTACK(gits_baser_repoint_hi32, .victim = page_upper_half),
	ATTACK(gits_baser_repoint_disabled, .victim = page_upper_half),
	ATTACK(gits_baser_repoint_collections, .victim = page_upper_half,
	       .skip = "no collection table"),
	ATTACK(gits_cbaser_repoint_64),
	ATTACK(gits_cbaser_repoint_lo32),
	ATTACK(gits_cbaser_repoint_hi32),
	ATTACK(gits_cbaser_repoint_disabled),
	ATTACK(cwriter_out_of_range),
	ATTACK(cwriter_all_ones),
	ATTACK(cwriter_unaligned),
	ATTACK(committed_queue_cpu_read),
	ATTACK(committed_queue_cpu_write),
	ATTACK(committed_table_cpu_read),
	ATTACK(committed_table_cpu_write),
	ATTACK(committed_collection_cpu_write, .skip = "no collection table"),
	ATTACK(itt_cpu_read),
	ATTACK(itt_cpu_write),
	ATTACK(staging_race, .skip = "one CPU"),
	ATTACK(unknown_commands),
	ATTACK(res0_bits_set),
	ATTACK(bad_fields),
	ATTACK(rdbase_unknown),
	ATTACK(vmapp_over_victim, .victim = page_vpt, .gicv4 = true,
	       .skip = "no GICv4"),
	ATTACK_STORE("access_", odd_access, 8bit),
	ATTACK_STORE("access_", odd_access, 16bit),
	ATTACK_STORE("access_", odd_access, misaligned),
	ATTACK_STORE("access_", odd_access, pair_32),
	ATTACK_STORE("access_", odd_access, pair_64),
	ATTACK_STORE("access_", odd_access, pair_misaligned),
	ATTACK_STORE("access_", odd_access, post_index),
	ATTACK_STORE("access_", odd_access, simd),
	ATTACK_STORE("access_", odd_access, exclusive),
	ATTACK_STORE("access_", odd_access, atomic),
	ATTACK(block_neighbour, .victim = page_upper_half),
	ATTACK(mmio_recycle, .victim = page_upper_half),
};

static const struct attacks attacks = {
	.list	= cases,
	.nr	= ARRAY_SIZE(cases),
};

int main(int argc, char **argv)
{
	return attack_main(argc, argv, &attacks);
}
