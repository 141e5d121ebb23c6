// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkvm_its_rdist - A malicious host against the redistributors under protected KVM
 *
 * A redistributor reads the LPI property table at GICR_PROPBASER, and reads and writes
 * the LPI pending table at GICR_PENDBASER. Each case here is a way to have one of them
 * in memory which the host does not own.
 *
 * Where the host has the redistributors for itself (kvm-arm.protected_its=off, or a
 * kernel that cannot confine them), every case has to succeed; that shows that the case
 * is able to fail. Where they are confined, every case has to be blocked, and host,
 * guest and LPIs have to go on working. After each case all redistributors have to be
 * as they were before.
 *
 * LPIs are raised by commands of the ITS, which nothing is wrong with: a confined ITS
 * accepts them. Everything else is done through /dev/mem.
 *
 * The GIC has to be QEMU's, where redistributors are in the order of the CPUs, EnableLPIs
 * can be cleared, and pending tables are up to date in memory.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bits.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_attack.h"

/* GICR_PENDBASER has the address of such a block. The first 1 KiB is not for LPIs. */
#define PENDING_BLOCK		0x10000

/* For GICR_PROPBASER */
#define PROP_ALIGN		0x1000

#define PROPBASER_ADDRESS	MASK64(51, 12)
#define PENDBASER_ADDRESS	MASK64(51, 16)

#define VLPI_BASE		(2 * ITS_FRAME_SIZE)

#define MAX_RDISTS		16
#define POLL_LIMIT		1000000

enum width {
	WRITE_64,
	WRITE_SPLIT,	/* upper half first */
	WRITE_HI32,
};

/**
 * struct lpi_regs - the registers that hold the addresses of a redistributor's tables
 * @ctlr: GICR_CTLR
 * @prop: GICR_PROPBASER
 * @pend: GICR_PENDBASER
 */
struct lpi_regs {
	u32 ctlr;
	u64 prop;
	u64 pend;
};

static struct rdist rdists[MAX_RDISTS];
static struct lpi_regs initial[MAX_RDISTS];
static unsigned int nr_rdists;

/*
 * Common parts
 */

static struct lpi_regs read_regs(unsigned int nr)
{
	struct rdist *rd = &rdists[nr];

	return (struct lpi_regs) {
		.ctlr	= rdist_read32(rd, GICR_CTLR),
		.prop	= rdist_read64(rd, GICR_PROPBASER),
		.pend	= rdist_read64(rd, GICR_PENDBASER),
	};
}

static bool are_initial(unsigned int nr)
{
	struct lpi_regs now = read_regs(nr), *old = &initial[nr];

	return now.ctlr == old->ctlr && now.prop == old->prop && now.pend == old->pend;
}

static void enable_lpis(unsigned int nr, bool enable)
{
	struct rdist *rd = &rdists[nr];
	u32 ctlr = rdist_read32(rd, GICR_CTLR);
	int i;

	ctlr &= ~GICR_CTLR_ENABLE_LPIS;
	if (enable)
		ctlr |= GICR_CTLR_ENABLE_LPIS;
	rdist_write32(rd, GICR_CTLR, ctlr);

	for (i = 0; i < POLL_LIMIT; i++) {
		if (!(rdist_read32(rd, GICR_CTLR) & GICR_CTLR_RWP))
			break;
	}
}

static void write_base(unsigned int nr, unsigned int reg, u64 val, enum width w)
{
	struct rdist *rd = &rdists[nr];

	if (w == WRITE_64) {
		rdist_write64(rd, reg, val);
		return;
	}

	rdist_write32(rd, reg + 4, val >> 32);
	if (w == WRITE_SPLIT)
		rdist_write32(rd, reg, val);
}

static void write_bases(unsigned int nr, u64 prop, u64 pend, enum width w)
{
	write_base(nr, GICR_PROPBASER, prop, w);
	write_base(nr, GICR_PENDBASER, pend, w);
}

/* The way a driver would have to go. */
static void move_tables(unsigned int nr, u64 prop, u64 pend, enum width w)
{
	enable_lpis(nr, false);
	write_bases(nr, prop, pend, w);
	enable_lpis(nr, true);
}

static void restore(unsigned int nr)
{
	if (!are_initial(nr))
		move_tables(nr, initial[nr].prop, initial[nr].pend, WRITE_64);
}

static u64 prop_at(u64 pa)
{
	return (initial[0].prop & ~PROPBASER_ADDRESS) | pa;
}

static u64 pend_at(u64 pa)
{
	return (initial[0].pend & ~PENDBASER_ADDRESS) | pa;
}

/* The last byte of a pending table. */
static u64 last_byte(struct test *t)
{
	return t->its.nr_lpis / 8 - 1;
}

/* What the guest has in its page for an LPI, if that is a pending table. */
static bool guest_bit(u32 lpi)
{
	return PVM_PATTERN & BIT64(lpi % 64);
}

/* The last LPI, which the driver does not use yet, whose bit in the page is @bit. */
static u32 last_lpi(struct test *t, bool bit)
{
	u32 lpi = t->its.nr_lpis - 1;

	while (guest_bit(lpi) != bit)
		lpi--;

	return lpi;
}

/* Pages that have the last byte of a pending table. */
static bool page_pending(u64 pa, void *arg)
{
	u64 off = pa % PENDING_BLOCK, last = last_byte(arg);

	return off <= last && last < off + getpagesize();
}

static u64 block_of(u64 pa)
{
	return pa & ~(PENDING_BLOCK - 1ULL);
}

/* The first page of a block. */
static bool page_aligned(u64 pa, void *arg)
{
	return pa == block_of(pa);
}

/*
 * No LPI may fire while a pending table is elsewhere: any of them may be pending in
 * what is there.
 */
static int quiet(struct test *t, bool on)
{
	int i, ret = 0;

	for (i = 0; i < NR_LPIS && !ret; i++) {
		if (i != LPI_LAST)
			ret = its_lpi_set_prop(&t->its, t->lpis.lpi[i], on ? LPI_OFF : LPI_ON);
	}
	if (!ret)
		ret = its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_LAST],
				       on ? LPI_OFF : LPI_ON_LAST);

	return ret;
}

/* Maps event @i of device A to an LPI of a CPU, for i in the order of the arguments. */
static int map_events(struct test *t, u32 lpi0, u16 cpu0, u32 lpi1, u16 cpu1)
{
	u64 itt = pages_alloc(0);
	struct its_cmd cmds[] = {
		its_cmd_mapd(DEV_A, EVENT_BITS, itt, true),
		its_cmd_mapti(DEV_A, 0, lpi0, cpu0),
		its_cmd_mapti(DEV_A, 1, lpi1, cpu1),
	};

	return itt ? its_post(&t->its, cmds, ARRAY_SIZE(cmds)) : -ENOMEM;
}

static void unmap_events(struct test *t)
{
	struct its_cmd cmds[] = {
		its_cmd_event(GITS_CMD_DISCARD, DEV_A, 0),
		its_cmd_event(GITS_CMD_DISCARD, DEV_A, 1),
		its_cmd_mapd(DEV_A, EVENT_BITS, 0, false),
	};

	its_post(&t->its, cmds, ARRAY_SIZE(cmds));
}

static int send(struct test *t, u8 cmd, u32 event)
{
	struct its_cmd cmds[] = {
		its_cmd_event(cmd, DEV_A, event),
		its_cmd_sync(t->its.rdbase),
	};

	return its_post(&t->its, cmds, ARRAY_SIZE(cmds));
}

/* A table that has moved is in reach of the redistributor, whether it is used or not. */
static enum result look_moved(struct test *t, unsigned int nr)
{
	return look(t, are_initial(nr) ? RES_BLOCKED : RES_REACHED);
}

/*
 * The pending table
 */

/* What an attack on the pending table of a CPU is about */
struct move {
	unsigned int nr;	/* the CPU */
	u8 cmd;			/* sets or clears a bit */
	enum width width;
	bool enabled;		/* LPIs are never disabled */
	bool grow;		/* a small table, which then grows */
};

static enum result move_over_victim(struct test *t, const struct move *m)
{
	u64 prop = initial[m->nr].prop, pend = pend_at(block_of(t->pvm.victim_pa));
	u32 lpi = last_lpi(t, m->cmd == GITS_CMD_CLEAR);
	enum result res;

	if (map_events(t, lpi, m->nr, lpi, m->nr) || quiet(t, true))
		return FAIL(t, "queue");

	if (m->enabled) {
		write_bases(m->nr, prop, pend, m->width);
	} else {
		enable_lpis(m->nr, false);
		if (m->grow)
			write_base(m->nr, GICR_PROPBASER,
				   (prop & ~(u64)GICR_PROPBASER_IDBITS_MASK) | 13, WRITE_64);
		write_base(m->nr, GICR_PENDBASER, pend, m->width);
		write_base(m->nr, GICR_PROPBASER, prop, WRITE_64);
		enable_lpis(m->nr, true);
	}

	if (send(t, m->cmd, 0))
		res = FAIL(t, "queue");
	else
		res = look_moved(t, m->nr);

	restore(m->nr);
	if (quiet(t, false))
		res = FAIL(t, "queue");
	unmap_events(t);

	return res;
}

static enum result pendbaser_over_victim(struct test *t)
{
	return move_over_victim(t, &(struct move) { .cmd = GITS_CMD_INT });
}

static enum result pendbaser_clears_victim(struct test *t)
{
	return move_over_victim(t, &(struct move) { .cmd = GITS_CMD_CLEAR });
}

static enum result pendbaser_split(struct test *t)
{
	return move_over_victim(t, &(struct move) { .cmd = GITS_CMD_INT, .width = WRITE_SPLIT });
}

static enum result pendbaser_while_enabled(struct test *t)
{
	return move_over_victim(t, &(struct move) { .cmd = GITS_CMD_INT, .enabled = true });
}

/* The table ends before the victim, until it has more bits. */
static enum result idbits_grown(struct test *t)
{
	if (t->pvm.victim_pa == block_of(t->pvm.victim_pa))
		return RES_SKIP;

	return move_over_victim(t, &(struct move) { .cmd = GITS_CMD_INT, .grow = true });
}

/* The redistributor of a CPU that is off line. */
static enum result offline_cpu(struct test *t)
{
	unsigned int cpu = nr_rdists - 1;
	enum result res;

	if (!cpu)
		return RES_SKIP;

	if (cpu_set_online(cpu, false))
		return FAIL(t, "CPU %u does not go off line", cpu);
	res = move_over_victim(t, &(struct move) { .nr = cpu, .cmd = GITS_CMD_INT });
	if (its_return(&t->its) || cpu_set_online(cpu, true))
		return FAIL(t, "CPU %u does not come back", cpu);

	return res;
}

/* The MSI of a real device, whose event is mapped elsewhere for a moment. */
static enum result msi_over_victim(struct test *t)
{
	u32 device, lpi, target = last_lpi(t, false);
	struct pci_dev pci[8];
	enum result res;
	struct vdev v;
	int i, nr;
	u64 count;

	nr = vfio_present() ? pci_find(pci, ARRAY_SIZE(pci)) : 0;
	for (i = 0; i < nr && !pci[i].edu; i++)
		;
	if (i == nr)
		return RES_SKIP;

	device = pci_requester_id(&pci[i]);
	pci_to_vfio(&pci[i], 1);
	if (vdev_open(&v, &pci[i])) {
		res = FAIL(t, "edu device");
		goto out;
	}

	if (vdev_vectors(&v, 0, 1, &v.event, 1) || its_find_lpi(&t->its, device, 0, &lpi) ||
	    post1(t, its_cmd_event(GITS_CMD_DISCARD, device, 0)) ||
	    post1(t, its_cmd_mapti(device, 0, target, 0)) || quiet(t, true)) {
		res = FAIL(t, "edu device");
		goto out_close;
	}

	move_tables(0, initial[0].prop, pend_at(block_of(t->pvm.victim_pa)), WRITE_64);
	if (edu_raise(&v) || edu_ack(&v))
		res = FAIL(t, "edu device");
	else
		res = look_moved(t, 0);
	restore(0);

	/* What the device sends arrives in order: the next MSI is one that is seen. */
	if (quiet(t, false) || post1(t, its_cmd_event(GITS_CMD_CLEAR, device, 0)) ||
	    post1(t, its_cmd_event(GITS_CMD_DISCARD, device, 0)) ||
	    post1(t, its_cmd_mapti(device, 0, lpi, 0)) || edu_raise(&v) || edu_ack(&v) ||
	    event_wait(v.event, &count))
		res = FAIL(t, "the MSI of the edu device does not arrive any more");
	if (res == RES_BLOCKED)
		res = look(t, res);

out_close:
	its_return(&t->its);
	vdev_close(&v);
out:
	pci_from_vfio(&pci[i], 1);

	return res;
}

static bool bit_at(u64 table, u32 lpi)
{
	u64 val;

	return !phys_read64(table + lpi / 64 * sizeof(u64), &val) && val & BIT64(lpi % 64);
}

/*
 * The pending table over something else that the GIC works with, which a CPU can read
 * as long as it is the host's. The bit is one that has no effect there.
 */
static enum result move_over(struct test *t, u64 pa)
{
	u32 lpi = t->its.nr_lpis - 3;
	enum result res;
	bool was;

	if (pa != block_of(pa))
		return RES_SKIP;

	if (map_events(t, lpi, 0, lpi, 0) || quiet(t, true))
		return FAIL(t, "queue");

	was = bit_at(pa, lpi);
	move_tables(0, initial[0].prop, pend_at(pa), WRITE_64);
	if (was)
		res = FAIL(t, "the bit is already set");
	else if (send(t, GITS_CMD_INT, 0))
		res = FAIL(t, "queue");
	else
		res = bit_at(pa, lpi) ? RES_REACHED : look_moved(t, 0);

	if (send(t, GITS_CMD_CLEAR, 0) || bit_at(pa, lpi))
		res = FAIL(t, "the bit is not cleared");
	restore(0);
	if (quiet(t, false))
		res = FAIL(t, "queue");
	unmap_events(t);

	return res;
}

static enum result pendbaser_over_device_table(struct test *t)
{
	return move_over(t, t->its.devices->hw_base);
}

static enum result pendbaser_over_collections(struct test *t)
{
	struct its_table *tbl = its_table(&t->its, GITS_BASER_TYPE_COLLECTION);

	return tbl ? move_over(t, tbl->hw_base) : RES_SKIP;
}

static enum result pendbaser_over_queue(struct test *t)
{
	return move_over(t, t->its.hw_queue);
}

static enum result pendbaser_over_other_rdist(struct test *t)
{
	return nr_rdists > 1 ? move_over(t, initial[1].pend & PENDBASER_ADDRESS) : RES_SKIP;
}

/* Memory that no CPU of the host's can read, whatever the GIC is: the hypervisor's own */
static bool is_el2_block(const char *mem, u64 offset)
{
	u64 pos, val;

	for (pos = offset; pos < offset + PENDING_BLOCK; pos += getpagesize()) {
		if (!try_read64((void *)mem + pos, &val))
			return false;
	}

	return true;
}

/*
 * The last block of the most that there is in a row, which is what the hypervisor has
 * reserved at boot. The end of it is what it uses last.
 */
static u64 find_el2_block(void)
{
	u64 start, end, pa, block = 0;
	unsigned int run, most = 0;
	char line[256], name[128];
	void *mem;
	FILE *f;

	f = fopen("/proc/iomem", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx : %127[^\n]", (unsigned long long *)&start,
			   (unsigned long long *)&end, name) != 3 || strcmp(name, "System RAM"))
			continue;

		start = block_of(start + PENDING_BLOCK - 1);
		end = block_of(end + 1);
		mem = start < end ? phys_map(start, end - start) : NULL;
		if (!mem)
			continue;

		for (pa = start, run = 0; pa < end; pa += PENDING_BLOCK) {
			run = is_el2_block(mem, pa - start) ? run + 1 : 0;
			if (run > most) {
				most = run;
				block = pa;
			}
		}
		phys_unmap(mem, end - start);
	}
	if (f)
		fclose(f);

	return block;
}

/*
 * The hypervisor's memory can't be looked at. But what an LPI has left there can be found
 * by the redistributor: it is pending again as soon as the table is that memory again. That
 * also clears it. No other LPI of ours is enabled then: it may be pending in what is there.
 */
static enum result pendbaser_over_hypervisor(struct test *t)
{
	u64 pa = find_el2_block();
	enum result res;

	if (!pa)
		return FAIL(t, "no memory that is the hypervisor's");

	if (quiet(t, true))
		return FAIL(t, "queue");
	move_tables(0, initial[0].prop, pend_at(pa), WRITE_64);
	res = its_lpi_raise(&t->its, t->lpi) ? FAIL(t, "queue") : RES_BLOCKED;
	restore(0);
	if (quiet(t, false))
		return FAIL(t, "queue");

	/* It is pending in the table of the driver, or else it is there. */
	if (res != RES_BLOCKED || its_lpi_arrived(&t->its, t->lpi))
		return res;

	if (quiet(t, true))
		return FAIL(t, "queue");
	move_tables(0, initial[0].prop, pend_at(pa), WRITE_64);
	if (its_lpi_set_prop(&t->its, t->lpi, LPI_ON) ||
	    its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_LAST], LPI_ON_LAST))
		res = FAIL(t, "queue");
	else if (its_lpi_arrived(&t->its, t->lpi))
		res = RES_REACHED;
	else
		res = FAIL(t, "LPI %u got lost", t->lpi);
	restore(0);
	if (quiet(t, false))
		res = FAIL(t, "queue");

	return res;
}

/* Memory of the host, but two redistributors use it: what one sets, the other clears. */
static enum result two_rdists_one_table(struct test *t)
{
	u32 lpi = t->its.nr_lpis - 3;
	enum result res = RES_BLOCKED;
	bool set, cleared;
	u64 table;

	if (nr_rdists < 2)
		return RES_SKIP;

	table = pages_alloc(__builtin_ctz(PENDING_BLOCK / getpagesize()));
	if (!table || map_events(t, lpi, 0, lpi, 1) || quiet(t, true))
		return FAIL(t, "queue");

	move_tables(0, initial[0].prop, pend_at(table), WRITE_64);
	move_tables(1, initial[1].prop, pend_at(table), WRITE_64);
	if (send(t, GITS_CMD_INT, 0))
		res = FAIL(t, "queue");
	set = bit_at(table, lpi);
	if (send(t, GITS_CMD_CLEAR, 1))
		res = FAIL(t, "queue");
	cleared = !bit_at(table, lpi);
	restore(0);
	restore(1);

	if (set && cleared)
		res = RES_REACHED;
	else if (set || !cleared)
		res = FAIL(t, "set %d, cleared %d", set, cleared);
	if (quiet(t, false))
		res = FAIL(t, "queue");
	unmap_events(t);

	return res;
}

/* The interrupt is pending in the table, but was never raised. */
static enum result pending_table_forged(struct test *t)
{
	u64 pa = (initial[0].pend & PENDBASER_ADDRESS) + t->lpi / 64 * sizeof(u64), val;
	enum result res;
	int ret;

	enable_lpis(0, false);
	ret = phys_read64(pa, &val);
	if (!ret)
		ret = phys_write64(pa, val | BIT64(t->lpi % 64));
	enable_lpis(0, true);

	res = ret ? blocked_by_el2(t, ret) : RES_BLOCKED;
	if (its_lpi_arrived(&t->its, t->lpi))
		res = RES_REACHED;
	else if (!ret)
		res = FAIL(t, "written, but not used");

	return res;
}

/* EL2 alone knows whether a table is zero. */
static enum result ptz_set(struct test *t)
{
	u64 old = initial[0].pend, now;

	enable_lpis(0, false);
	write_base(0, GICR_PENDBASER, old ^ GICR_PENDBASER_PTZ, WRITE_64);
	now = rdist_read64(&rdists[0], GICR_PENDBASER);
	enable_lpis(0, true);
	restore(0);

	/* What the redistributor makes of it can't be seen, nor can the bit, as a rule. */
	if (!confined(t) && now == old)
		return RES_SKIP;

	return now == old ? RES_BLOCKED : RES_REACHED;
}

/* One half alone does not make an address that means anything. */
static enum result base_hi32(unsigned int reg)
{
	u64 old = rdist_read64(&rdists[0], reg), now;

	enable_lpis(0, false);
	write_base(0, reg, old ^ BIT64(33), WRITE_HI32);
	now = rdist_read64(&rdists[0], reg);
	write_base(0, reg, old, WRITE_64);
	enable_lpis(0, true);

	return now == old ? RES_BLOCKED : RES_REACHED;
}

static enum result pendbaser_hi32(struct test *t)
{
	return base_hi32(GICR_PENDBASER);
}

static enum result propbaser_hi32(struct test *t)
{
	return base_hi32(GICR_PROPBASER);
}

/*
 * The property table
 */

/*
 * The host's property table has one LPI disabled and another one enabled. Both are raised:
 * which of them fires shows which table the redistributor reads.
 */
#define LPI_GUEST		7	/* enabled in the pattern of the guest, */
#define LPI_HOST		2	/* disabled */

static int props_raise(struct test *t)
{
	u32 guest = t->lpis.lpi[LPI_GUEST], host = t->lpis.lpi[LPI_HOST];

	if (its_lpi_raise(&t->its, guest) || its_lpi_raise(&t->its, host))
		return -EIO;

	return 0;
}

static enum result props_result(struct test *t)
{
	bool guest = its_lpi_arrived(&t->its, t->lpis.lpi[LPI_GUEST]);
	bool host = its_lpi_arrived(&t->its, t->lpis.lpi[LPI_HOST]);

	if (guest == host)
		return FAIL(t, "both tables are used, or none: %d %d", guest, host);

	return guest ? RES_REACHED : RES_BLOCKED;
}

/* What was held back has to arrive now that the redistributor reads the host's table. */
static enum result props_settle(struct test *t, enum result res)
{
	u32 late = t->lpis.lpi[res == RES_REACHED ? LPI_HOST : LPI_GUEST];

	if (its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_GUEST], LPI_ON))
		return FAIL(t, "property table");
	if ((res == RES_REACHED || res == RES_BLOCKED) && !its_lpi_arrived(&t->its, late))
		return FAIL(t, "LPI %u got lost", late);

	return res;
}

static enum result move_props(struct test *t, u64 table, enum width w, bool enabled)
{
	enum result res;

	if (its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_GUEST], LPI_OFF))
		return FAIL(t, "property table");

	if (enabled)
		write_base(0, GICR_PROPBASER, prop_at(table), w);
	else
		move_tables(0, prop_at(table), initial[0].pend, w);
	res = props_raise(t) ? FAIL(t, "queue") : props_result(t);
	restore(0);

	return props_settle(t, res);
}

/* Where a property table begins that has those of our LPIs at the start of @pa. */
static u64 props_base(struct test *t, u64 pa)
{
	return pa - ((t->lpis.lpi[0] - LPI_FIRST) & ~(PROP_ALIGN - 1ULL));
}

static enum result propbaser_over_victim(struct test *t)
{
	return move_props(t, props_base(t, t->pvm.victim_pa), WRITE_64, false);
}

static enum result propbaser_split(struct test *t)
{
	return move_props(t, props_base(t, t->pvm.victim_pa), WRITE_SPLIT, false);
}

static enum result propbaser_while_enabled(struct test *t)
{
	return move_props(t, props_base(t, t->pvm.victim_pa), WRITE_64, true);
}

/* One redistributor with another property table than the others, of the host's. */
static enum result propbaser_mismatched(struct test *t)
{
	u64 table = pages_alloc(0), at;
	unsigned int i;

	if (nr_rdists < 2)
		return RES_SKIP;
	if (!table)
		return FAIL(t, "no memory");

	for (i = 0; i < NR_LPIS; i++) {
		at = table + (t->lpis.lpi[i] - LPI_FIRST) % PROP_ALIGN;
		if (phys_write8(at, PVM_PATTERN >> 8 * i))
			return FAIL(t, "no memory");
	}

	return move_props(t, props_base(t, table), WRITE_64, false);
}

/*
 * Memory that becomes the guest's while it is a table
 */

/* The page is still the host's: a good table, as it is full of zeroes. */
static bool page_becomes_pending(u64 pa, void *arg)
{
	if (!page_pending(pa, arg))
		return false;

	move_tables(0, initial[0].prop, pend_at(block_of(pa)), WRITE_64);

	return true;
}

static bool page_was_pending(u64 pa, void *arg)
{
	if (!page_becomes_pending(pa, arg))
		return false;

	enable_lpis(0, false);

	return true;
}

static enum result donate_pending(struct test *t, pvm_page_ok ok)
{
	u32 lpi = last_lpi(t, false);
	enum result res;
	int ret;

	if (map_events(t, lpi, 0, lpi, 0) || quiet(t, true))
		return FAIL(t, "queue");

	ret = pvm_create(&t->pvm, ok, t);
	enable_lpis(0, true);
	if (ret)
		res = FAIL(t, "protected VM: %s", strerror(-ret));
	else if (send(t, GITS_CMD_INT, 0))
		res = FAIL(t, "queue");
	else
		res = look_moved(t, 0);

	restore(0);
	if (!ret)
		pvm_destroy(&t->pvm);
	if (quiet(t, false))
		res = FAIL(t, "queue");
	unmap_events(t);

	return res;
}

static enum result pending_table_donated(struct test *t)
{
	return donate_pending(t, page_becomes_pending);
}

/* LPIs are disabled while the page changes hands. */
static enum result disabled_donated_enabled(struct test *t)
{
	return donate_pending(t, page_was_pending);
}

/* Has all LPIs disabled, as long as it is the host's. */
static bool page_becomes_props(u64 pa, void *arg)
{
	move_tables(0, prop_at(props_base(arg, pa)), initial[0].pend, WRITE_64);

	return true;
}

static enum result property_table_donated(struct test *t)
{
	enum result res;
	int ret;

	if (its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_GUEST], LPI_OFF))
		return FAIL(t, "property table");

	ret = pvm_create(&t->pvm, page_becomes_props, t);
	if (ret)
		res = FAIL(t, "protected VM: %s", strerror(-ret));
	else if (props_raise(t))
		res = FAIL(t, "queue");
	else
		res = look(t, props_result(t));

	restore(0);
	if (!ret)
		pvm_destroy(&t->pvm);

	return props_settle(t, res);
}

/*
 * The tables that the driver has set up become the guest's. No register is written. It is
 * the first page that does, as those behind it have no reference count.
 */
static enum result donate_live(struct test *t, u64 pa)
{
	int ret = pvm_create_at(&t->pvm, pa);

	if (!ret)
		return RES_REACHED;
	if (ret == -ENOENT)
		return RES_SKIP;
	if (ret == -EPERM && confined(t))
		return RES_BLOCKED;

	return FAIL(t, "protected VM: %s", strerror(-ret));
}

/* That of CPU 1, where no LPI is enabled that the guest could make fire. */
static enum result live_pending_table_donated(struct test *t)
{
	u32 lpi = getpagesize() * 8 - 1;
	enum result res;

	if (nr_rdists < 2)
		return RES_SKIP;

	if (lpi >= t->its.nr_lpis)
		lpi = t->its.nr_lpis - 1;
	while (guest_bit(lpi))
		lpi--;
	if (map_events(t, lpi, 1, lpi, 1))
		return FAIL(t, "queue");

	res = donate_live(t, initial[1].pend & PENDBASER_ADDRESS);
	if (res == RES_REACHED) {
		if (send(t, GITS_CMD_INT, 0))
			res = FAIL(t, "queue");
		else
			res = look(t, FAIL(t, "the guest has the page, and it did not change"));
		pvm_destroy(&t->pvm);
	}
	unmap_events(t);

	return res;
}

/* The host must not mask or unmask an LPI meanwhile, and does not. */
static enum result live_property_table_donated(struct test *t)
{
	u64 *table = phys_map(t->its.props, getpagesize()), *saved = malloc(getpagesize());
	unsigned int i, nr = getpagesize() / sizeof(u64);
	enum result res;

	for (i = 0; table && saved && i < nr; i++) {
		if (try_read64(&table[i], &saved[i]))
			break;
	}
	if (i < nr || its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_GUEST], LPI_OFF))
		res = FAIL(t, "property table");
	else if (t->lpis.lpi[LPI_LAST] - LPI_FIRST >= getpagesize() - NR_LPIS)
		res = RES_SKIP;
	else
		res = donate_live(t, t->its.props);

	if (res == RES_REACHED) {
		res = props_raise(t) ? FAIL(t, "queue") : look(t, props_result(t));
		pvm_destroy(&t->pvm);
		for (i = 0; i < nr; i++)
			try_write64(&table[i], saved[i]);
		/* The redistributor has to read them again. */
		its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_HOST], LPI_ON);
		res = props_settle(t, res);
	} else if (its_lpi_set_prop(&t->its, t->lpis.lpi[LPI_GUEST], LPI_ON)) {
		res = FAIL(t, "property table");
	}
	if (table)
		phys_unmap(table, getpagesize());
	free(saved);

	return res;
}

/*
 * The frame of the virtual LPIs
 */

static u64 vlpi_read(unsigned int reg)
{
	return rdist_read64(&rdists[0], VLPI_BASE + reg);
}

static void vlpi_write(unsigned int reg, u64 val)
{
	rdist_write64(&rdists[0], VLPI_BASE + reg, val);
}

/* Has a vPE with these tables an interrupt pending? */
static bool vpe_pending(u64 prop, u64 pend)
{
	int i;

	vlpi_write(GICR_VPROPBASER, prop | 15);
	vlpi_write(GICR_VPENDBASER, pend | GICR_VPENDBASER_Valid);
	vlpi_write(GICR_VPENDBASER, pend);
	for (i = 0; i < POLL_LIMIT; i++) {
		if (!(vlpi_read(GICR_VPENDBASER) & GICR_VPENDBASER_Dirty))
			break;
	}

	return vlpi_read(GICR_VPENDBASER) & GICR_VPENDBASER_PendingLast;
}

/*
 * One bit that the guest has is read: what is pending there, and enabled. EL2 ignores a write
 * of GICR_VPENDBASER from another CPU than the redistributor's.
 */
static enum result vpendbaser_over_victim(struct test *t)
{
	u64 prop = vlpi_read(GICR_VPROPBASER), pend = vlpi_read(GICR_VPENDBASER), zero;
	cpu_set_t first, all;
	bool victim, none;

	if (rdists[0].typer & GICR_TYPER_RVPEID)
		return RES_SKIP;

	zero = pages_alloc(__builtin_ctz(PENDING_BLOCK / getpagesize()));
	if (!zero)
		return FAIL(t, "no memory");

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_getaffinity(0, sizeof(all), &all) || sched_setaffinity(0, sizeof(first), &first))
		return FAIL(t, "CPU 0");

	none = vpe_pending(t->pvm.victim_pa, zero);
	victim = vpe_pending(t->pvm.victim_pa, t->pvm.victim_pa);
	vlpi_write(GICR_VPENDBASER, pend);
	vlpi_write(GICR_VPROPBASER, prop);
	sched_setaffinity(0, sizeof(all), &all);
	if ((vlpi_read(GICR_VPENDBASER) ^ pend) & MASK64(51, 16) ||
	    vlpi_read(GICR_VPROPBASER) != prop)
		return FAIL(t, "registers not restored");

	if (none)
		return FAIL(t, "interrupts of a vPE that has none");

	return victim ? RES_REACHED : RES_BLOCKED;
}

/*
 * Ways to write a register that an emulation has trouble with, and around the
 * protection of the frame
 */

static enum result odd_access(struct test *t)
{
	u64 old = initial[0].prop, new;
	enum fault fault;
	enum result res;

	new = old ^ (BIT64(33) | BIT64(16) | BIT64(17) | BIT64(0));
	enable_lpis(0, false);
	fault = try_store(t, rdists[0].regs + GICR_PROPBASER, new, old);
	res = store_result(t, rdist_read64(&rdists[0], GICR_PROPBASER) != old, fault);
	write_bases(0, initial[0].prop, initial[0].pend, WRITE_64);
	enable_lpis(0, true);

	return res;
}

static enum result fresh_frame(struct test *t)
{
	void *old = rdists[0].regs;
	enum result res;

	rdists[0].regs = phys_map(rdists[0].base, rdists[0].size);
	if (rdists[0].regs) {
		res = pendbaser_over_victim(t);
		phys_unmap(rdists[0].regs, rdists[0].size);
	} else {
		res = FAIL(t, "cannot map the redistributor");
	}
	rdists[0].regs = old;

	return res;
}

/* SGI_base, which is the host's, is one of the neighbours. */
static enum result rdist_block_neighbour(struct test *t)
{
	touch_neighbours(rdists[0].base, ITS_FRAME_SIZE);

	return fresh_frame(t);
}

static enum result rdist_mmio_recycle(struct test *t)
{
	touch_everything();

	return fresh_frame(t);
}

static const struct attack cases[] = {
#define ONE_CPU		"one CPU"
	ATTACK(pendbaser_over_victim, .victim = page_pending),
	ATTACK(msi_over_victim, .victim = page_pending, .skip = "no edu device"),
	ATTACK(pendbaser_clears_victim, .victim = page_pending),
	ATTACK(pendbaser_split, .victim = page_pending),
	ATTACK(pendbaser_hi32),
	ATTACK(pendbaser_while_enabled, .victim = page_pending),
	ATTACK(idbits_grown, .victim = page_pending,
	       .skip = "all of a pending table is in one page"),
	ATTACK(offline_cpu, .victim = page_pending, .skip = ONE_CPU),
	ATTACK(pendbaser_over_device_table, .skip = "not at the start of 64K"),
	ATTACK(pendbaser_over_collections, .skip = "no such table at the start of 64K"),
	ATTACK(pendbaser_over_queue, .skip = "not at the start of 64K"),
	ATTACK(pendbaser_over_other_rdist, .skip = ONE_CPU),
	ATTACK(pendbaser_over_hypervisor),
	ATTACK(two_rdists_one_table, .skip = ONE_CPU),
	ATTACK(pending_table_forged),
	ATTACK(ptz_set, .skip = "PTZ reads as zero"),
	ATTACK(pending_table_donated, .no_vm = true),
	ATTACK(disabled_donated_enabled, .no_vm = true),
	ATTACK(propbaser_over_victim),
	ATTACK(propbaser_split),
	ATTACK(propbaser_hi32),
	ATTACK(propbaser_while_enabled),
	ATTACK(propbaser_mismatched, .skip = ONE_CPU),
	ATTACK(property_table_donated, .no_vm = true),
	ATTACK(live_pending_table_donated, .no_vm = true, .skip = "no pkvm_host/map, or one CPU"),
	ATTACK(live_property_table_donated, .no_vm = true,
	       .skip = "no pkvm_host/map, or the LPIs are not in the first page"),
	ATTACK(vpendbaser_over_victim, .victim = page_aligned, .gicv4 = true,
	       .skip = "no GICv4, or GICv4.1"),
	ATTACK_STORE("rdist_access_", odd_access, 8bit),
	ATTACK_STORE("rdist_access_", odd_access, 16bit),
	ATTACK_STORE("rdist_access_", odd_access, misaligned),
	ATTACK_STORE("rdist_access_", odd_access, pair_32),
	ATTACK_STORE("rdist_access_", odd_access, pair_64),
	ATTACK_STORE("rdist_access_", odd_access, pair_misaligned),
	ATTACK_STORE("rdist_access_", odd_access, post_index),
	ATTACK_STORE("rdist_access_", odd_access, simd),
	ATTACK_STORE("rdist_access_", odd_access, exclusive),
	ATTACK_STORE("rdist_access_", odd_access, atomic),
	ATTACK(rdist_block_neighbour, .victim = page_pending),
	ATTACK(rdist_mmio_recycle, .victim = page_pending),
};

static int setup(struct test *t)
{
	int ret = 0;

	while (nr_rdists < MAX_RDISTS && !ret) {
		ret = rdist_open(&rdists[nr_rdists], nr_rdists);
		if (ret)
			break;

		initial[nr_rdists] = read_regs(nr_rdists);
		nr_rdists++;
	}
	if (ret && ret != -ENOENT)
		return ret;

	return nr_rdists ? 0 : -ENODEV;
}

static bool works(struct test *t)
{
	unsigned int nr;
	bool ok = true;

	for (nr = 0; nr < nr_rdists; nr++) {
		if (are_initial(nr))
			continue;

		ksft_print_msg("redistributor %u is not as it was\n", nr);
		ok = false;
	}

	return ok;
}

static const struct attacks attacks = {
	.list	= cases,
	.nr	= ARRAY_SIZE(cases),
	.setup	= setup,
	.works	= works,
};

int main(int argc, char **argv)
{
	return attack_main(argc, argv, &attacks);
}
