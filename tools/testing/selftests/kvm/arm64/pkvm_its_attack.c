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
 * Commands are queued through debugfs (CONFIG_ARM_GIC_V3_ITS_INJECT), everything
 * else is done through /dev/mem.
 *
 * The ITS has to be QEMU's: entries are forged in its private formats, and whether
 * an interrupt has arrived is looked up in the pending table, which other
 * implementations need not keep up to date. A direct ITS may be unusable afterwards,
 * and with it the machine, so this is not for a machine that is of use.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <asm/hwcap.h>
#include <linux/bits.h>
#include <linux/compiler.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_its.h"

/*
 * DeviceIDs that no device of the machine has: bus 31 as PCI counts. The first
 * is for checking that the ITS still works, the others are for the cases.
 */
#define DEV_CANARY		0x1f00
#define DEV_A			0x1f08
#define DEV_B			0x1f10
#define DEV_NONE		0x1f18

#define VPE			7
#define EVENT_BITS		5
#define NR_EVENTS		BIT(EVENT_BITS)

enum result {
	RES_CORRUPTED,	/* the guest saw its memory change */
	RES_REACHED,	/* what the attacker wrote got to the ITS */
	RES_BLOCKED,
	RES_ERROR,
	RES_SKIP,
};

static const char *const result_name[] = {
	[RES_CORRUPTED]	= "corrupted",
	[RES_REACHED]	= "reached",
	[RES_BLOCKED]	= "blocked",
	[RES_ERROR]	= "error",
	[RES_SKIP]	= "skipped",
};

struct test {
	struct its its;
	struct pvm pvm;
	enum pkvm_its_mode mode;
	u64 canary_itt;
	u64 refused;
	u32 lpi_canary;
	u32 lpi;
	char why[256];
};

#define FAIL(t, ...)							\
	({								\
		snprintf((t)->why, sizeof((t)->why), __VA_ARGS__);	\
		RES_ERROR;						\
	})

static bool confined(struct test *t)
{
	return t->mode == PKVM_ITS_CONFINED;
}

/*
 * Common parts
 */

/* How many commands EL2 has refused since the case began. */
static u64 refused(struct test *t)
{
	u64 now;

	its_stat(&t->its, "refused", &now);

	return now - t->refused;
}

/* The guest has the last word about whether its memory has changed. */
static enum result look(struct test *t, enum result otherwise)
{
	u64 seen = 0;
	int ret;

	ret = pvm_check(&t->pvm, &seen);
	if (ret < 0)
		return FAIL(t, "guest: %s", strerror(-ret));
	if (!ret)
		return otherwise;

	ksft_print_msg("guest reads 0x%llx\n", (unsigned long long)seen);

	return RES_CORRUPTED;
}

/*
 * Nothing happened to the guest. That is only worth something if EL2 says that
 * it was EL2 who refused.
 */
static enum result look_refused(struct test *t, u64 at_least)
{
	if (confined(t) && refused(t) < at_least)
		return FAIL(t, "%llu commands refused, expected %llu or more",
			    (unsigned long long)refused(t),
			    (unsigned long long)at_least);

	return look(t, RES_BLOCKED);
}

static int post1(struct test *t, struct its_cmd cmd)
{
	return its_post(&t->its, &cmd, 1);
}

static void unmap(struct test *t, u32 device)
{
	post1(t, its_cmd_mapd(device, EVENT_BITS, 0, false));
}

/* Can the CPU get at this memory? */
static bool cpu_reads(u64 pa)
{
	u64 val;

	return !phys_read64(pa, &val);
}

/* A failed access counts as blocked only if EL2 refused it. */
static enum result blocked_by_el2(struct test *t, int ret)
{
	if (ret == FAULT_STAGE2)
		return RES_BLOCKED;

	return FAIL(t, "access failed: %s",
		    ret < 0 ? strerror(-ret) : fault_name(ret));
}

static enum result cpu_read(struct test *t, u64 pa)
{
	u64 val;
	int ret;

	ret = phys_read64(pa, &val);

	return ret ? blocked_by_el2(t, ret) : RES_REACHED;
}

/*
 * A device is mapped, an interrupt is raised and taken back: goes through the
 * whole of the ITS, and fails if anything of it is not as it should be.
 */
static bool queue_works(struct test *t)
{
	struct its *its = &t->its;
	struct its_cmd cmds[] = {
		its_cmd_mapd(DEV_CANARY, EVENT_BITS, t->canary_itt, true),
		its_cmd_mapti(DEV_CANARY, 0, t->lpi_canary, 0),
		its_cmd_event(GITS_CMD_INT, DEV_CANARY, 0),
		its_cmd_sync(its->rdbase),
	};
	struct its_cmd undo[] = {
		its_cmd_event(GITS_CMD_CLEAR, DEV_CANARY, 0),
		its_cmd_event(GITS_CMD_DISCARD, DEV_CANARY, 0),
		its_cmd_mapd(DEV_CANARY, EVENT_BITS, t->canary_itt, false),
		its_cmd_sync(its->rdbase),
	};
	bool was, pending, left;
	u64 before, after;

	its_stat(its, "refused", &before);

	was = its_lpi_pending(its, t->lpi_canary);
	if (its_post(its, cmds, ARRAY_SIZE(cmds)))
		return false;
	pending = its_lpi_pending(its, t->lpi_canary);
	if (its_post(its, undo, ARRAY_SIZE(undo)))
		return false;
	left = its_lpi_pending(its, t->lpi_canary);

	its_stat(its, "refused", &after);
	if (was || !pending || left || before != after)
		ksft_print_msg("queue: before %d, raised %d, cleared %d, refused %lld\n",
			       was, pending, left, (long long)(after - before));

	return !was && pending && !left && before == after;
}

/*
 * Everything that resets GITS_CREADR needs the driver to be at offset 0 as
 * well. A whole round is queued, so that nothing but harmless commands is left
 * in the queue for an ITS that reads it again.
 */
static int rewind_queue(struct test *t)
{
	struct its_cmd cmds[ITS_MAX_BATCH];
	unsigned int i, n, nr = t->its.queue_size / sizeof(*cmds);
	int ret, tries = 4 * nr / ITS_MAX_BATCH;

	for (i = 0; i < ITS_MAX_BATCH; i++)
		cmds[i] = its_cmd_sync(t->its.rdbase);

	for (i = 0; i < nr; i += ITS_MAX_BATCH) {
		ret = its_post(&t->its, cmds, ITS_MAX_BATCH);
		if (ret)
			return ret;
	}

	/*
	 * Somebody else may queue commands meanwhile, so that the end is missed: a few
	 * more rounds.
	 */
	while (tries--) {
		ret = its_refresh(&t->its);
		if (ret || !t->its.cwriter)
			return ret;

		n = (t->its.queue_size - t->its.cwriter) / sizeof(*cmds);
		if (n > ITS_MAX_BATCH)
			n = ITS_MAX_BATCH;
		ret = its_post(&t->its, cmds, n);
		if (ret)
			return ret;
	}

	return -EBUSY;
}

/* Pages whose place within an ITS page leaves the first half of that alone. */
static bool page_upper_half(u64 pa, void *arg)
{
	u64 page_size = ((struct its *)arg)->devices->page_size;

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

/* EL2 keeps track of ITTs in these units, which they begin and end with. */
static u64 itt_unit(void)
{
	return getpagesize() / 16;
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
 * Memory that nobody may have an ITT in: beyond what there is, past the end of
 * the address space, a device, what the ITS itself works with.
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

	itt = its_alloc_pages(&t->its, 0);
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
	u64 before = stat_of(t, "refused_bad_level2");
	enum result res = RES_BLOCKED;
	u32 device;

	if (!tbl->indirect)
		return RES_SKIP;

	itt = its_alloc_pages(&t->its, 0);
	if (!itt || free_level1(t, &slot, &device))
		return FAIL(t, "no free level-1 entry");
	device += (target & (tbl->page_size - 1)) / tbl->entry_size;

	if (!confined(t) && phys_write64(target, 0))
		return FAIL(t, "queue");
	if (phys_write64(slot, (target & ~(tbl->page_size - 1)) | BIT64(63)))
		return FAIL(t, "level-1 table");
	if (post1(t, its_cmd_mapd(device, EVENT_BITS, itt, true)))
		return FAIL(t, "queue");

	if (!phys_read64(target, &val) && val)
		res = RES_REACHED;
	if (confined(t) && stat_of(t, "refused_bad_level2") != before + 1)
		res = FAIL(t, "not refused");
	unmap(t, device);
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
	u64 before = stat_of(t, "refused_bad_level2");
	unsigned int i, nr = 2, order = 0, used = 0;
	u32 device;

	if (!tbl->indirect)
		return RES_SKIP;

	while ((u64)getpagesize() << order < 2 * tbl->page_size)
		order++;
	itt = its_alloc_pages(&t->its, 0);
	page = its_alloc_pages(&t->its, order);
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
	if (confined(t) && stat_of(t, "refused_bad_level2") != before + nr)
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

	if (!tbl->indirect)
		return RES_SKIP;

	itt = its_alloc_pages(&t->its, 0);
	slot = tbl->base;
	if (!itt || its_reserve(&t->its, tbl, device) || phys_read64(slot, &old))
		return FAIL(t, "level-1 table");

	/* Other devices need that entry as well: not longer than necessary. */
	phys_write64(slot, (target & ~(tbl->page_size - 1)) | BIT64(63));
	post1(t, its_cmd_mapd(device, EVENT_BITS, itt, true));
	phys_write64(slot, old);

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

/*
 * Raises event 0 of a device, and says whether an interrupt came of it. Takes
 * it back again.
 */
static int raises(struct test *t, u32 device)
{
	struct its_cmd raise[] = {
		its_cmd_event(GITS_CMD_INT, device, 0),
		its_cmd_sync(t->its.rdbase),
	};
	bool pending;

	if (its_post(&t->its, raise, ARRAY_SIZE(raise)))
		return -1;

	pending = its_lpi_pending(&t->its, t->lpi);
	if (pending) {
		raise[0] = its_cmd_event(GITS_CMD_CLEAR, device, 0);
		if (its_post(&t->its, raise, ARRAY_SIZE(raise)))
			return -1;
	}

	return pending;
}

static enum result itt_forged_contents(struct test *t)
{
	enum result res = RES_BLOCKED;
	u64 itt, ite;
	int ret;

	itt = its_alloc_pages(&t->its, 0);
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
 * The first device has a whole level-2 page taken into use. Another DeviceID in
 * it is never mapped, but has an entry that says its ITT is the victim.
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

	while ((u64)getpagesize() << order < tbl->page_size)
		order++;
	itt = its_alloc_pages(&t->its, 0);
	level2 = its_alloc_pages(&t->its, order);
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

/* Two devices in one page, the entries of the one within those of the other. */
static enum result overlapping_itts(struct test *t)
{
	unsigned int bits = itt_bits(t, itt_unit());
	u64 itt, at, before, val, busy;
	enum result res;

	busy = confined(t) ? stat_of(t, "refused_itt_busy") : 0;
	itt = its_alloc_pages(&t->its, 0);
	at = itt + itt_unit();
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, bits, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_B, bits, at, true)))
		return FAIL(t, "queue");

	if (confined(t)) {
		/* The second is not there, so it cannot have events. */
		post1(t, its_cmd_mapti(DEV_B, 0, t->lpi, 0));
		res = look_refused(t, 2);
		if (res == RES_BLOCKED && stat_of(t, "refused_itt_busy") != busy + 1)
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

static enum result unmap_twice(struct test *t)
{
	enum result res;
	u64 itt;

	itt = its_alloc_pages(&t->its, 0);
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_B, EVENT_BITS, itt + getpagesize() / 4, true)) ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, false)) ||
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

	itt = its_alloc_pages(&t->its, 0);
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

	itt = its_alloc_pages(&t->its, 0);
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

/* And by another good one: then that is the one in use. */
static enum result remap(struct test *t)
{
	enum result res;
	u64 old, new;

	old = its_alloc_pages(&t->its, 0);
	new = its_alloc_pages(&t->its, 0);
	if (!old || !new ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, old, true)) ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, new, true)))
		return FAIL(t, "queue");

	res = in_use(t, new);
	res = given_back(t, old, res);
	unmap(t, DEV_A);

	return given_back(t, new, res);
}

static enum result two_devices_one_itt_page(struct test *t)
{
	enum result res;
	u64 itt;

	itt = its_alloc_pages(&t->its, 0);
	if (!itt ||
	    post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)) ||
	    post1(t, its_cmd_mapd(DEV_B, EVENT_BITS, itt + getpagesize() / 4, true)))
		return FAIL(t, "queue");

	res = in_use(t, itt);
	unmap(t, DEV_A);
	if (res == RES_BLOCKED)
		res = in_use(t, itt);
	unmap(t, DEV_B);

	return given_back(t, itt, res);
}

/*
 * An ITT that begins in a page of the host's and ends in the victim. Only its
 * size tells, as all but its last page could be had.
 */
static enum result itt_last_page(struct test *t)
{
	unsigned int bits = itt_bits(t, 2 * itt_unit());
	u64 back = itt_unit(), itt = t->pvm.victim_pa - back;
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

	itt = its_alloc_pages(&t->its, 0);
	if (!itt || post1(t, its_cmd_mapd(DEV_A, EVENT_BITS, itt, true)))
		return FAIL(t, "queue");

	if (its_disable(&t->its, &ctlr))
		return FAIL(t, "cannot disable the ITS");
	ret = its_queue(&t->its, &cmd, 1);
	res = in_use(t, itt);
	its_write32(&t->its, GITS_CTLR, ctlr);
	if (ret || its_sync(&t->its))
		return FAIL(t, "queue");

	/* EL2 looks at what it has deferred when there is something to do. */
	if (post1(t, its_cmd_sync(t->its.rdbase)))
		return FAIL(t, "queue");

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
 * Has a table lie over the victim. If that works, mapping a device or collection
 * writes an entry there; the halves by themselves do not always make a usable
 * address, then the register alone tells.
 */
static enum result baser_repoint(struct test *t, struct its_table *tbl,
				 enum width w, bool use)
{
	u64 old, new, want, now, itt, target = victim_target(t);
	unsigned int reg = baser_reg(t, tbl);
	enum result res;
	u32 id, ctlr;

	itt = its_alloc_pages(&t->its, 0);
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
 * Has the ITS read its commands from a queue that the host alone writes. The
 * driver is brought to offset 0 first, since writing GITS_CBASER sends the ITS
 * there.
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
	queue = its_alloc_pages(&t->its, order);
	if (!queue)
		return FAIL(t, "no memory");
	for (i = 0; i < 4 * ARRAY_SIZE(cmds); i++) {
		if (phys_write64(queue + i * sizeof(u64), cmds[i / 4].w[i % 4]))
			return FAIL(t, "cannot write commands");
	}

	if (rewind_queue(t) || its_disable(&t->its, &ctlr))
		return FAIL(t, "cannot bring the queue to its start");

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

	itt = its_alloc_pages(&t->its, 0);
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

static bool defined_by_gicv3(unsigned int nr)
{
	switch (nr) {
	case GITS_CMD_MOVI:
	case GITS_CMD_INT:
	case GITS_CMD_CLEAR:
	case GITS_CMD_SYNC:
	case GITS_CMD_MAPD:
	case GITS_CMD_MAPC:
	case GITS_CMD_MAPTI:
	case GITS_CMD_MAPI:
	case GITS_CMD_INV:
	case GITS_CMD_INVALL:
	case GITS_CMD_MOVALL:
	case GITS_CMD_DISCARD:
		return true;
	}

	return false;
}

/* All that GICv3 does not define, with the victim wherever an address may be. */
static enum result unknown_commands(struct test *t)
{
	unsigned int nr, posted = 0, verbatim = 0;
	struct its_cmd cmd;
	enum result res;

	for (nr = 0; nr < 256; nr++) {
		if (defined_by_gicv3(nr))
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
	u64 itt = its_alloc_pages(&t->its, 0);
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
	bool pending = false;
	u64 before, after;

	if (!itt)
		return FAIL(t, "no memory");
	its_stat(&t->its, "accepted", &before);

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		for (j = 0; j < ARRAY_SIZE(cmds[i].w); j++)
			cmds[i].w[j] |= res0[i].w[j];
		if (post1(t, cmds[i]))
			return FAIL(t, "queue");
		if ((cmds[i].w[0] & 0xff) == GITS_CMD_INT)
			pending = its_lpi_pending(&t->its, t->lpi);
		if (hw_queue_has(t, &cmds[i]))
			found++;
	}

	if (!pending)
		return FAIL(t, "the commands did not work");
	if (its_lpi_pending(&t->its, t->lpi))
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

/* Every field beyond what it may be, the others good. */
static enum result bad_fields(struct test *t)
{
	u64 itt = its_alloc_pages(&t->its, 0);
	const struct {
		struct its_cmd cmd;
		const char *reason;
	} bad[] = {
		{ its_cmd_mapd(0xffffff00, EVENT_BITS, itt, true), "bad_device" },
		{ its_cmd_mapd(DEV_B, 32, itt, true), "bad_size" },
		{ its_cmd_mapti(DEV_NONE, 0, t->lpi, 0), "not_mapped" },
		{ its_cmd_mapti(DEV_A, NR_EVENTS, t->lpi, 0), "bad_event" },
		{ its_cmd_mapti(DEV_A, 0, t->lpi, 0xffff), "bad_icid" },
		{ its_cmd_mapti(DEV_A, 0, 32, 0), "bad_intid" },
		{ its_cmd_mapti(DEV_A, 0, 0x7fffffff, 0), "bad_intid" },
		{ { { GITS_CMD_MAPI | (u64)DEV_A << 32, 1, 0 } }, "bad_intid" },
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
		{ { GITS_CMD_MOVALL, 0, t->its.rdbase, 0x7fff0000ULL } },
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
	u64 itt = its_alloc_pages(&t->its, 0);
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
#define RACE_DEVICES		(ITS_MAX_BATCH / 3)

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
			race_store(race, slot - 1 + 3 * i, race->bad);
		atomic_fetch_add(&race->passes, 1);
		for (i = 0; i < RACE_DEVICES; i++)
			race_store(race, slot - 1 + 3 * i, race->good);
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

	if (its_refresh(&t->its) || (disable && its_disable(&t->its, &ctlr)))
		return -EIO;

	atomic_store(&race->slot, t->its.cwriter / sizeof(*cmds) + 1);
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
	struct its_cmd cmds[3 * RACE_DEVICES];
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

	itt = its_alloc_pages(&t->its, 0);
	race.queue = phys_map(t->its.queue, t->its.queue_size);
	if (!itt || !race.queue)
		return FAIL(t, "cannot map the queue");

	for (i = 0; i < RACE_DEVICES; i++) {
		cmds[3 * i] = its_cmd_mapd(DEV_A, EVENT_BITS, itt, true);
		cmds[3 * i + 1] = its_cmd_mapti(DEV_A, 0, t->lpi, 0);
		cmds[3 * i + 2] = its_cmd_mapd(DEV_A, EVENT_BITS, itt, false);
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
	unmap(t, DEV_A);

	ksft_print_msg("%u rounds, %llu commands refused\n", round,
		       (unsigned long long)refused(t));

	/* EL2 has to have read the other address at least once. */
	if (confined(t) && res == RES_BLOCKED && !refused(t))
		return FAIL(t, "the race was never on");

	return given_back(t, itt, res);
}

/*
 * Ways to write a register that an emulation has trouble with
 */

static void store_8(void *addr, void *arg)
{
	asm volatile("strb	%w0, [%1]\n"
		     "dsb	sy"
		     : : "r" (*(u64 *)arg), "r" (addr) : "memory");
}

static void store_16(void *addr, void *arg)
{
	asm volatile("strh	%w0, [%1]\n"
		     "dsb	sy"
		     : : "r" (*(u64 *)arg), "r" (addr) : "memory");
}

static void store_misaligned(void *addr, void *arg)
{
	asm volatile("str	%w0, [%1, #2]\n"
		     "dsb	sy"
		     : : "r" ((u32)(*(u64 *)arg >> 16)), "r" (addr) : "memory");
}

static void store_pair_32(void *addr, void *arg)
{
	u64 val = *(u64 *)arg;

	asm volatile("stp	%w0, %w1, [%2]\n"
		     "dsb	sy"
		     : : "r" ((u32)val), "r" ((u32)(val >> 32)), "r" (addr)
		     : "memory");
}

/* The register below is written along with it, with what it has. */
static void store_pair_64(void *addr, void *arg)
{
	asm volatile("stp	%0, %1, [%2]\n"
		     "dsb	sy"
		     : : "r" (*(u64 *)arg), "r" (*(u64 *)(addr + 8)), "r" (addr)
		     : "memory");
}

/* The upper half of the register, and the lower one of the next as it is. */
static void store_pair_misaligned(void *addr, void *arg)
{
	asm volatile("stp	%w0, %w1, [%2, #4]\n"
		     "dsb	sy"
		     : : "r" ((u32)(*(u64 *)arg >> 32)), "r" (*(u32 *)(addr + 8)),
			 "r" (addr)
		     : "memory");
}

static void store_post_index(void *addr, void *arg)
{
	asm volatile("str	%1, [%0], #8\n"
		     "dsb	sy"
		     : "+r" (addr) : "r" (*(u64 *)arg) : "memory");
}

static void store_simd(void *addr, void *arg)
{
	asm volatile("fmov	d0, %1\n"
		     "str	d0, [%0]\n"
		     "dsb	sy"
		     : : "r" (addr), "r" (*(u64 *)arg) : "memory", "v0");
}

static void store_exclusive(void *addr, void *arg)
{
	u32 fail = 1;
	u64 old;
	int i;

	for (i = 0; i < 16 && fail; i++)
		asm volatile("ldxr	%1, [%2]\n"
			     "stxr	%w0, %3, [%2]\n"
			     "dsb	sy"
			     : "=&r" (fail), "=&r" (old)
			     : "r" (addr), "r" (*(u64 *)arg) : "memory");
}

static void store_atomic(void *addr, void *arg)
{
	asm volatile(".arch_extension lse\n"
		     "swpal	%1, %1, [%0]\n"
		     "dsb	sy"
		     : : "r" (addr), "r" (*(u64 *)arg) : "memory");
}

/*
 * The access under test moves the device table while the ITS is disabled.
 *
 * The verdict depends on how far the access got, not on what the device made of it:
 * a device may refuse or ignore an access that is narrow or misaligned. If the CPU
 * itself takes an alignment fault, the access never leaves it, and this attack does
 * not exist on that machine.
 */
static enum result odd_access(struct test *t,
			      void (*store)(void *addr, void *arg))
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
	fault = try_access(store, t->its.regs + reg, &new);
	now = its_read64(&t->its, reg);

	if (fault)
		ksft_print_msg("access ended in %s\n", fault_name(fault));
	if (now != old || fault == FAULT_EXTERNAL)
		res = RES_REACHED;
	else if (fault == FAULT_ALIGNMENT)
		res = RES_SKIP;
	else if (fault)
		res = blocked_by_el2(t, fault);
	else if (confined(t))
		res = FAIL(t, "the access was not refused");
	else
		res = RES_REACHED;

	its_write64(&t->its, reg, old);
	now = its_read64(&t->its, reg);
	its_write32(&t->its, GITS_CTLR, ctlr);
	if (now != old)
		return FAIL(t, "GITS_BASER 0x%llx not restored",
			    (unsigned long long)now);

	return res;
}

static enum result access_8bit(struct test *t)
{
	return odd_access(t, store_8);
}

static enum result access_16bit(struct test *t)
{
	return odd_access(t, store_16);
}

static enum result access_misaligned(struct test *t)
{
	return odd_access(t, store_misaligned);
}

static enum result access_pair_32(struct test *t)
{
	return odd_access(t, store_pair_32);
}

static enum result access_pair_64(struct test *t)
{
	return odd_access(t, store_pair_64);
}

static enum result access_pair_misaligned(struct test *t)
{
	return odd_access(t, store_pair_misaligned);
}

static enum result access_post_index(struct test *t)
{
	return odd_access(t, store_post_index);
}

static enum result access_simd(struct test *t)
{
	return odd_access(t, store_simd);
}

static enum result access_exclusive(struct test *t)
{
	return odd_access(t, store_exclusive);
}

static enum result access_atomic(struct test *t)
{
	if (!(getauxval(AT_HWCAP) & HWCAP_ATOMICS))
		return RES_SKIP;

	return odd_access(t, store_atomic);
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

/* Reads one word, whether there is something or not. */
static void touch(u64 pa)
{
	void *va = phys_map(pa, 4);
	u64 val;

	if (!va)
		return;

	try_read64(va, &val);
	phys_unmap(va, 4);
}

/* Neighbours of the ITS that may come with it in one block mapping. */
static enum result block_neighbour(struct test *t)
{
	u64 start, end;

	if (iomem_find("GICD", &start, &end))
		return FAIL(t, "no distributor in /proc/iomem");

	touch(start);
	touch(t->its.base - ITS_FRAME_SIZE);
	touch(t->its.base + ITS_FRAME_SIZE);
	touch(t->its.base + 2 * ITS_FRAME_SIZE);
	touch(t->its.base & ~(BIT64(21) - 1));
	touch(t->its.base | (BIT64(21) - 8));
	touch(t->its.base & ~(BIT64(30) - 1));

	return fresh_frame(t);
}

/*
 * EL2 maps MMIO on demand, and forgets all of it when it has no memory left for
 * more page tables. Nearly all of what is touched does not exist, but that is
 * found out only after it has been mapped.
 */
static enum result mmio_recycle(struct test *t)
{
	u64 pa, end = 1ULL << host_pa_bits();

	for (pa = 0; pa < end; pa += BIT64(39)) {
		touch(pa | BIT64(37));
		touch(pa | BIT64(38));
	}
	for (pa = BIT64(36); pa < BIT64(40) && pa < end; pa += BIT64(30))
		touch(pa);
	for (pa = 0; pa < BIT64(30); pa += BIT64(21))
		touch(pa);

	return fresh_frame(t);
}

static const struct {
	const char *name;
	enum result (*fn)(struct test *t);
	bool (*victim)(u64 pa, void *arg);
	const char *skip;	/* why RES_SKIP, if the case can return that */
	bool gicv4;
} cases[] = {
#define CASE(n, ...)	{ .name = #n, .fn = n, ##__VA_ARGS__ }
#define NO_ACCESS	"the CPU refuses the access itself"
	CASE(itt_over_victim),
	CASE(itt_last_page),
	CASE(itt_bad_address),
	CASE(itt_forged_contents),
	CASE(level2_over_victim, .victim = page_upper_half,
	     .skip = "device table has one level"),
	CASE(level2_over_queue, .skip = "device table has one level"),
	CASE(level2_bad_entry, .skip = "device table has one level"),
	CASE(level1_entry_replaced, .victim = page_upper_half,
	     .skip = "device table has one level"),
	CASE(level2_forged_contents, .skip = "device table has one level"),
	CASE(overlapping_itts),
	CASE(unmap_twice),
	CASE(unmap_unknown),
	CASE(remap),
	CASE(remap_over_victim),
	CASE(two_devices_one_itt_page),
	CASE(disabled_then_enabled),
	CASE(disabled_unmap),
	CASE(gits_baser_repoint_64, .victim = page_upper_half),
	CASE(gits_baser_repoint_lo32, .victim = page_upper_half),
	CASE(gits_baser_repoint_hi32, .victim = page_upper_half),
	CASE(gits_baser_repoint_disabled, .victim = page_upper_half),
	CASE(gits_baser_repoint_collections, .victim = page_upper_half,
	     .skip = "no collection table"),
	CASE(gits_cbaser_repoint_64),
	CASE(gits_cbaser_repoint_lo32),
	CASE(gits_cbaser_repoint_hi32),
	CASE(gits_cbaser_repoint_disabled),
	CASE(cwriter_out_of_range),
	CASE(cwriter_all_ones),
	CASE(cwriter_unaligned),
	CASE(committed_queue_cpu_read),
	CASE(committed_queue_cpu_write),
	CASE(committed_table_cpu_read),
	CASE(committed_table_cpu_write),
	CASE(committed_collection_cpu_write, .skip = "no collection table"),
	CASE(itt_cpu_read),
	CASE(itt_cpu_write),
	CASE(staging_race, .skip = "one CPU"),
	CASE(unknown_commands),
	CASE(res0_bits_set),
	CASE(bad_fields),
	CASE(rdbase_unknown),
	CASE(vmapp_over_victim, .victim = page_vpt, .gicv4 = true,
	     .skip = "no GICv4"),
	CASE(access_8bit, .skip = NO_ACCESS),
	CASE(access_16bit, .skip = NO_ACCESS),
	CASE(access_misaligned, .skip = NO_ACCESS),
	CASE(access_pair_32, .skip = NO_ACCESS),
	CASE(access_pair_64, .skip = NO_ACCESS),
	CASE(access_pair_misaligned, .skip = NO_ACCESS),
	CASE(access_post_index, .skip = NO_ACCESS),
	CASE(access_simd, .skip = NO_ACCESS),
	CASE(access_exclusive, .skip = NO_ACCESS),
	CASE(access_atomic, .skip = "no FEAT_LSE, or " NO_ACCESS),
	CASE(block_neighbour, .victim = page_upper_half),
	CASE(mmio_recycle, .victim = page_upper_half),
};

static enum result run_victim(struct test *t, unsigned int nr)
{
	enum result res;
	int ret;

	if (cases[nr].gicv4 && !(t->its.typer & GITS_TYPER_VLPIS))
		return RES_SKIP;

	ret = pvm_create(&t->pvm, cases[nr].victim, &t->its);
	if (ret)
		return FAIL(t, "protected VM: %s", strerror(-ret));

	its_stat(&t->its, "refused", &t->refused);
	res = cases[nr].fn(t);

	/* No matter what the case thinks of it. */
	if (res != RES_SKIP && res != RES_CORRUPTED)
		res = look(t, res);

	pvm_destroy(&t->pvm);

	return res;
}

static void run(struct test *t, unsigned int nr)
{
	const char *name = cases[nr].name;
	enum result res;
	bool ok, works;

	t->why[0] = '\0';
	res = its_refresh(&t->its) ? FAIL(t, "info") : run_victim(t, nr);

	ksft_print_msg("result %s %s\n", name, result_name[res]);
	if (res == RES_SKIP) {
		ksft_test_result_skip("%s: %s\n", name, cases[nr].skip);
		return;
	}
	if (res == RES_ERROR)
		ksft_print_msg("%s: %s\n", name, t->why);

	works = queue_works(t);
	if (!works)
		ksft_print_msg("%s: the ITS does not work any more\n", name);

	if (confined(t))
		ok = res == RES_BLOCKED;
	else
		ok = res == RES_CORRUPTED || res == RES_REACHED;

	ksft_test_result(ok && works, "%s\n", name);
}

static void print_usage(const char *prog)
{
	printf("usage: %s [-l] [-t name]\n"
	       "  -l       list the cases\n"
	       "  -t name  run one of them\n", prog);
}

/*
 * QEMU 7.2 does not implement GITS_IIDR; 0x43b is what its distributor has instead.
 * That is a number of Arm's, but those have no ITEs of 12 bytes.
 */
static bool its_is_qemu(struct its *its)
{
	u32 iidr = its_read32(its, GITS_IIDR);

	return (!iidr || iidr == 0x43b) && its->itt_entry_size == 12;
}

int main(int argc, char **argv)
{
	static struct test t;
	const char *only = NULL;
	unsigned int i, nr = 0;
	int opt, ret;

	while ((opt = getopt(argc, argv, "lt:h")) != -1) {
		switch (opt) {
		case 'l':
			for (i = 0; i < ARRAY_SIZE(cases); i++)
				puts(cases[i].name);
			return 0;
		case 't':
			only = optarg;
			break;
		default:
			print_usage(argv[0]);
			return opt == 'h' ? 0 : KSFT_FAIL;
		}
	}

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		nr += !only || !strcmp(only, cases[i].name);
	if (!nr) {
		fprintf(stderr, "%s: no case '%s'\n", argv[0], only);
		return KSFT_FAIL;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	pkvm_its_setup();

	t.mode = pkvm_its_mode();
	if (t.mode == PKVM_ITS_FAILED)
		ksft_exit_fail_msg("the kernel failed to confine the ITSs\n");
	if (its_count() <= 0)
		ksft_exit_skip("no ITS, or no CONFIG_ARM_GIC_V3_ITS_INJECT\n");
	phys_setup();

	ret = pvm_probe(true);
	if (ret && confined(&t))
		ksft_exit_fail_msg("the ITSs are confined, but protected VM: %s\n",
				   strerror(-ret));
	if (ret)
		ksft_exit_skip("no protected VMs: %s\n", strerror(-ret));

	ret = its_open(&t.its, 0);
	if (ret)
		ksft_exit_fail_msg("ITS: %s\n", strerror(-ret));
	if (!its_is_qemu(&t.its))
		ksft_exit_skip("the ITS is not QEMU's, whose entries the attacks forge\n");

	t.canary_itt = its_alloc_pages(&t.its, 0);
	t.lpi_canary = t.its.nr_lpis - 2;
	t.lpi = t.its.nr_lpis - 3;
	if (!t.canary_itt ||
	    its_reserve(&t.its, t.its.devices, DEV_CANARY) ||
	    its_reserve(&t.its, t.its.devices, DEV_NONE))
		ksft_exit_fail_msg("no memory\n");

	ksft_print_msg("ITS %s is %s\n", t.its.name, pkvm_its_mode_name(t.mode));
	if (!queue_works(&t))
		ksft_exit_fail_msg("the ITS does not work to begin with\n");

	ksft_set_plan(nr);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!only || !strcmp(only, cases[i].name))
			run(&t, i);
	}

	ksft_finished();
}
