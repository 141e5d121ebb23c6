// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that does anything, in any order: the fuzzer's input is its program.
 *
 * The models look at each access. When the program is over the host becomes a good one:
 * it restarts each ITS as a driver does on resume, unmaps all devices, and must find an ITS
 * that works and have all its memory back. Redistributors that lost power work again, too; ITSs
 * do if EL2 knew of it, and else stay off.
 */

#include <stdio.h>
#include <string.h>

#include <nvhe/mmio_guard.h>
#include <nvhe/rdist.h>
#include <nvhe/vpe.h>

#include "el2.h"
#include "machine.h"
#include "vpe-model.h"

#define CMD_SIZE	32

/* Memory that the host may use as ITTs and level-2 pages, in blocks of the largest ITS page */
#define NR_BLOCKS	16
#define BLOCK_SIZE	SZ_64K

#define NR_DEVICES	10
#define NR_VPES		6
#define NR_VPROPS	2
#define MAX_OPS		256

enum op {
	OP_STAGE,
	OP_STAGE_RAW,
	OP_EDIT,
	OP_RING,
	OP_POST,
	OP_WRITE,
	OP_STEP,
	OP_PACE,
	OP_LEVEL1,
	OP_PREPARE,
	OP_RECLAIM,
	OP_GUEST,
	OP_FORGE,
	OP_POWER,
	OP_RACE,
	OP_MSI,
	OP_MAP,
	OP_TRUSTED,
};

#define NR_OPS		(OP_TRUSTED + 1)

/* From here on it is about redistributors, which are handed over when the first op is */
#define FIRST_RDIST_OP	0xe0

enum rdist_op {
	RDIST_WRITE,
	RDIST_WRITE_RAW,
	RDIST_WRITE_TABLE,
	RDIST_POWER,
	RDIST_LPI,
	RDIST_REGISTER,
	NR_RDIST_OPS,
};

/* Before that it is about vPEs, if there are any */
#define FIRST_VPE_OP	0xc0

enum vpe_op {
	VPE_PREPARE,
	VPE_RECLAIM,
	VPE_STAGE,
	VPE_MAP,
	VPE_UNMAP,
	VPE_LOAD,
	VPE_PUT,
	VPE_READ,
	VPE_MSI,
	VPE_WRITE,
	VPE_LOAD_LOCAL,
	VPE_PUT_LOCAL,
	VPE_ASK,
	NR_VPE_OPS,
};

static const u8 *input, *input_end;

/* One ITS, or two if there are vPEs. Commands are for @its: only what is about vPEs changes it. */
static struct host_its *itss[2], *its;
static unsigned int nr_itss;
static phys_addr_t blocks, el2_page;
static u64 devices[NR_DEVICES];
static phys_addr_t vprops[NR_VPROPS];

/* EL2 has the redistributors, or has refused them. */
static bool gic_confined, gic_refused, gic_again;

/* A command was lost with its queue, so devices and memory may stay with EL2 for good. */
static bool lost;

/* ITSs that have lost power unannounced, and stay off */
static bool is_off[2];

/* A bit for each vPEID that has been prepared */
static u64 vpes_prepared[BIT(16) / 64];

static struct {
	u64		at;
	phys_addr_t	phys;
	u64		val;
} race;

/* The queue is handed over with a few commands to go before its end. */
static bool near_end;

/* GICv4.1: a second ITS has the table of vPEs of the first. */
static bool shares;

/* Set by the environment: print what the program does */
static bool verbose;

#define say(...)								\
do {										\
	if (verbose)								\
		fprintf(stderr, __VA_ARGS__);					\
} while (0)

static u8 seen[SZ_64K / 8];
static u64 nr_runs, nr_accepted, nr_confined, nr_gics;

static u8 get8(void)
{
	return input < input_end ? *input++ : 0;
}

static u64 get(unsigned int bytes)
{
	u64 val = 0;

	while (bytes--)
		val = val << 8 | get8();

	return val;
}

/* What programs are made of: mostly what makes sense, and what is next to it */

static u64 get_device(void)
{
	u8 nr = get8();

	return nr < 0xf0 ? devices[nr % NR_DEVICES] : get(4);
}

static u64 get_event(void)
{
	static const u64 events[] = { 0, 1, 7, 8, 31, 32, 255, 65535, 65536, ~0U };
	u8 nr = get8();

	return nr < 0xf0 ? events[nr % ARRAY_SIZE(events)] : get(4);
}

static u64 get_icid(void)
{
	static const u64 icids[] = { 0, 1, 3, 4, 5, 255, 256, 511, 8191, 65535 };

	return icids[get8() % ARRAY_SIZE(icids)];
}

static u64 get_intid(void)
{
	static const u64 intids[] = { 8192, 8193, 65535, 8191, 65536, 0, ~0U };

	return intids[get8() % ARRAY_SIZE(intids)];
}

static u64 get_rdbase(void)
{
	u8 nr = get8();

	return its_model_rdbase(its->model, nr % 8) + (nr >= 0xf0 ? get(1) << 16 : 0);
}

static phys_addr_t get_address(void)
{
	const phys_addr_t others[] = {
		el2_page, its->queue, its->staging, its->tables[0], its->tables[1],
		its->staging_tables[0], its->staging_tables[1], MEM_HIGH,
		0, FRAME_BASE, BIT_ULL(45), BIT_ULL(51), mem_end(MEM_LOW) - PAGE_SIZE,
		gic.desc.prop_table, gic.tables[0].pending, GIC_RD_BASE,
	};
	u8 nr = get8(), offset = get8();
	phys_addr_t phys;

	if (nr < 0xd0)
		phys = blocks + nr % NR_BLOCKS * BLOCK_SIZE;
	else
		phys = others[nr % ARRAY_SIZE(others)];

	return phys + (offset & 0x80 ? (offset & 0x7f) * (u64)PAGE_SIZE : offset * 256);
}

static struct cmd get_cmd(void)
{
	static const u8 nrs[] = {
		GITS_CMD_MOVI, GITS_CMD_INT, GITS_CMD_CLEAR, GITS_CMD_DISCARD, GITS_CMD_INV,
	};
	u64 id, event;

	switch (get8() % 10) {
	case 0:
	case 1:
		id = get_device();
		event = get8() % 20;
		return cmd_mapd(id, event + 1, get_address());
	case 2:
		return cmd_unmapd(get_device());
	case 3:
		id = get_icid();
		return cmd_mapc(id, get_rdbase());
	case 4:
		return cmd_unmapc(get_icid());
	case 5:
		id = get_device();
		event = get_event();
		return cmd_mapti(id, event, get_intid(), get_icid());
	case 6:
		id = get_device();
		return cmd_mapi(id, get_intid(), get_icid());
	case 7:
		id = get_device();
		event = get_event();
		return cmd_event(nrs[get8() % ARRAY_SIZE(nrs)], id, event);
	case 8:
		id = get_rdbase();
		return get8() & 1 ? cmd_sync(id) : cmd_movall(id, get_rdbase());
	default:
		return cmd_invall(get_icid());
	}
}

/* The host's memory changes under EL2's eyes. */
static void change_memory(phys_addr_t phys, u64 nr)
{
	if (nr == race.at)
		mem_host_write(race.phys, race.val);
}

static void say_cmd(const char *what, const u64 *cmd)
{
	say("%s %016llx %016llx %016llx %016llx\n", what, (unsigned long long)cmd[0],
	    (unsigned long long)cmd[1], (unsigned long long)cmd[2], (unsigned long long)cmd[3]);
}

static void executes(const u64 *cmd)
{
	u64 hash = (cmd[0] * 31 + cmd[1]) * 31 + cmd[2] * 7 + cmd[3];

	say_cmd("    ITS:", cmd);
	hash = (hash ^ hash >> 29) * 0x9e3779b97f4a7c15ULL >> 48;
	seen[hash / 8] |= BIT(hash % 8);
}

static void stage(struct cmd cmd)
{
	say_cmd("stage", cmd.raw);
	its_stage(its, cmd);
}

static void ring(void)
{
	say("to slot %u\n", its->next);
	its_ring(its);
}

static bool is_idle(const struct host_its *its)
{
	return its->model->creadr == its->model->cwriter;
}

/* Is there something that EL2 has not seen executed, and never will if the queue begins anew? */
static bool would_lose(const struct host_its *its)
{
	const struct hyp_its *el2 = el2_its(its->id);

	return el2->nr_done != el2->nr_committed;
}

static void write_register(u64 offset, u64 val, unsigned int size)
{
	if (ALIGN_DOWN(offset, 8) == GITS_CBASER)
		lost |= would_lose(its);

	say("write %llx to 0x%llx, %u bytes\n", (unsigned long long)val,
	    (unsigned long long)offset, size);
	its_write(its, offset, val, size);
}

static void do_write(void)
{
	static const u16 regs[] = {
		GITS_CTLR, GITS_CBASER, GITS_CWRITER, GITS_CREADR, GITS_BASER, GITS_BASER + 8,
		GITS_BASER + 16, GITS_IIDR, GITS_TYPER, GITS_BASER + 64,
	};
	u8 nr = get8(), how = get8();
	unsigned int size = how & 1 ? 8 : 4;
	u64 offset, val;

	offset = nr < 0xf0 ? regs[nr % ARRAY_SIZE(regs)] : ALIGN_DOWN(get(2), size);
	if (size == 4 && how & 2)
		offset ^= 4;

	switch (how >> 2 & 3) {
	case 0:
		val = its_read(its, offset & ~7ULL);
		if (size == 4 && offset & 4)
			val >>= 32;
		break;
	case 1:
		val = how & 0x10 ? GITS_CTLR_ENABLE | GITS_CTLR_ImDe : 0;
		break;
	case 2:
		val = get(1) * CMD_SIZE;
		break;
	default:
		val = get(8);
	}

	write_register(offset, size == 4 ? (u32)val : val, size);
}

/* MAPD and MAPTI as a driver does them: the way to deep states */
static void do_map(void)
{
	u64 id = get_device(), bits = get8() % 6 + 1;
	phys_addr_t itt;

	/* The driver would not try, and the test would run out of memory. */
	if (id >= BIT_ULL(its->cfg.its.dev_bits))
		return;

	if (its->cfg.devices.indirect)
		its_stage_level1_entry(its, BASER_DEVICES, id,
				       (blocks + get8() % NR_BLOCKS * BLOCK_SIZE) |
				       GITS_BASER_VALID);
	itt = ALIGN_DOWN(get_address(), PAGE_SIZE);
	say("prepare %llx at 0x%llx: %d\n", (unsigned long long)id, (unsigned long long)itt,
	    its_prepare(its, id, bits, itt));
	stage(cmd_mapd(id, bits, itt));
	stage(cmd_mapti(id, get8() % 64, get_intid(), get_icid()));
	stage(cmd_sync(its_model_rdbase(its->model, 0)));
	ring();
}

/* Calls that a host can only make before it is deprivileged, made at the wrong time */
static void do_trusted(void)
{
	switch (get8() % 4) {
	case 0:
		if (!__pkvm_its_activate(its->id, get8() * CMD_SIZE))
			mem_fail("activated twice");
		break;
	case 1:
		if (!__pkvm_its_unregister(its->id))
			mem_fail("an active ITS was unregistered");
		break;
	case 2:
		if (!__pkvm_its_adopt_device(its->id, get_device(), 5, get_address()))
			mem_fail("a device was taken over by an active ITS");
		break;
	default:
		__pkvm_its_stat(get8(), get8());
	}
}

/*
 * Redistributors
 */

/* GICv4.1: the table of vPEs that the ITS has */
static u64 vpropbaser_v4_1(void)
{
	u64 baser = itss[0]->model->baser[BASER_VPES];

	return GICR_VPROPBASER_4_1_VALID | itss[0]->tables[BASER_VPES] |
	       (baser & GITS_BASER_INDIRECT ? GICR_VPROPBASER_4_1_INDIRECT : 0) |
	       FIELD_PREP(GICR_VPROPBASER_4_1_PAGE_SIZE,
			  FIELD_GET(GITS_BASER_PAGE_SIZE_MASK, baser)) |
	       FIELD_PREP(GICR_VPROPBASER_4_1_SIZE, GITS_BASER_NR_PAGES(baser) - 1) |
	       FIELD_PREP(GICR_VPROPBASER_4_1_ENTRY_SIZE,
			  (GITS_BASER_ENTRY_SIZE(baser) - 1) / sizeof(u64));
}

/* Some regions of some kind, some of the redistributors in use */
static void start_gic(void)
{
	static const u64 typers[] = {
		GICR_TYPER_PLPIS, GICR_TYPER_PLPIS | GICR_TYPER_DirectLPIS,
		GICR_TYPER_PLPIS | GICR_TYPER_VLPIS,
		GICR_TYPER_PLPIS | GICR_TYPER_VLPIS | GICR_TYPER_RVPEID,
	};
	u8 nr = get8() % 4 + 1, kind = get8(), odd = get8();
	u64 base = GIC_RD_BASE, typer = typers[kind % 4], end;
	unsigned int i, per_region = (kind >> 2) % 3 + 1;
	struct gic_staging_region *region;

	for (i = 0; i < nr; i++) {
		gic_add_region(base, per_region, typer, kind & 0x10 ? SZ_512K : 0);
		region = &gic.regions[i];
		region->single = per_region == 1 && kind & 0x20;
		region->size += kind & 0x40 && i == 1 ? SZ_256K : 0;
		end = region->base + region->size;
		base = kind & 0x80 ? base + SZ_2M + SZ_64K : end;
	}

	for (i = 0; i < gic.desc.nr_rdists; i++) {
		gic.rdist[i]->typer |= i << 8 | (u64)i << 56 | (u64)i << 32;
		if (its->cfg.its.vpes != ITS_NO_VPES && kind % 4 >= 2) {
			gic.rdist[i]->vpes = kind % 4 == 2 ? ITS_GICV4_0 : ITS_GICV4_1;
			gic.rdist[i]->vpropbaser = kind % 4 == 2 ? GIC_LPI_BITS - 1
								 : vpropbaser_v4_1();
			gic.rdist[i]->flushes = odd % 4;
		}
		if (odd & BIT(i % 5))
			gic_enable(gic.rdist[i]);
	}

	gic.vpes = its->cfg.its.vpes != ITS_NO_VPES;

	if (odd & 0x20 && gic.desc.nr_tables)
		gic.tables[gic.desc.nr_tables - 1].pending ^= SZ_64K;
	if (odd & 0x40)
		gic.rdist[gic.desc.nr_rdists - 1]->pidr2 = 0;
	if (odd & 0x80)
		gic.regions[nr - 1].absent = true;
}

static void hand_over_gic(void)
{
	u64 its_pages = mem_count(MEM_ITS), el2_pages = mem_count(MEM_EL2);

	start_gic();
	mem_fail_call = get8();
	gic_confined = !gic_hand_over();
	gic_refused = !gic_confined;
	nr_gics += gic_confined;
	mem_fail_call = 0;
	say("%u redistributors: %s\n", gic.desc.nr_rdists, gic_confined ? "confined" : "refused");

	if (gic_refused && (mem_count(MEM_ITS) != its_pages || mem_count(MEM_EL2) != el2_pages ||
			    mmio_guard_find(GIC_RD_BASE)))
		mem_fail("redistributors that were refused were not given back");
}

static void write_rdist(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size)
{
	say("write %llx to redistributor 0x%llx, 0x%llx, %u bytes\n", (unsigned long long)val,
	    (unsigned long long)rdist->base, (unsigned long long)offset, size);
	/* By its CPU, mostly: nothing becomes resident elsewhere */
	shim_cpu = size == 8 ? GICR_TYPER_CPU_NUMBER(rdist->typer) : 0;
	gic_write(rdist, offset, val, size);
}

static u64 get_rdist_register(void)
{
	static const u32 regs[] = {
		GICR_CTLR, GICR_WAKER, GICR_PROPBASER, GICR_PENDBASER, GICR_SETLPIR, GICR_CLRLPIR,
		GICR_INVLPIR, GICR_INVALLR, GICR_SYNCR, GICR_STATUSR, GICR_IIDR,
		SZ_128K + GICR_VPROPBASER, SZ_128K + GICR_VPENDBASER,
	};

	return regs[get8() % ARRAY_SIZE(regs)];
}

/* A value that makes sense, of this redistributor or of another */
static u64 get_rdist_value(void)
{
	struct rdist_model *other = gic.rdist[get8() % gic.desc.nr_rdists];
	u8 kind = get8();

	switch (kind % 8) {
	case 0:
		return other->propbaser;
	case 1:
		return other->pendbaser ^ (kind & 0x80 ? GICR_PENDBASER_PTZ : 0);
	case 2:
		return gic.desc.prop_table | GIC_PROP_ATTRS | (GIC_LPI_BITS - 1 + (kind >> 7));
	case 3:
		return gic.tables[get8() % RDIST_MAX_MODELS].pending | GIC_PEND_ATTRS;
	case 4:
		return other->ctlr ^ (kind >> 4 & 1 ? GICR_CTLR_ENABLE_LPIS : (u64)get8() << 20);
	case 5:
		return get_intid();
	case 6:
		return get_address();
	default:
		return get(8);
	}
}

/* As the driver would do it when power is back: it is ignored */
static void write_tables(struct rdist_model *rdist)
{
	unsigned int i;

	for (i = 0; i < gic.desc.nr_tables; i++) {
		if (gic.tables[i].rd_base != rdist->base)
			continue;

		write_rdist(rdist, GICR_PROPBASER, gic.desc.prop_table | GIC_PROP_ATTRS |
						   (GIC_LPI_BITS - 1), 8);
		write_rdist(rdist, GICR_PENDBASER, gic.tables[i].pending | GIC_PEND_ATTRS, 8);
		write_rdist(rdist, GICR_CTLR, GICR_CTLR_ENABLE_LPIS, 4);
		if (rdist->vpes == ITS_GICV4_1)
			write_rdist(rdist, SZ_128K + GICR_VPROPBASER, vpropbaser_v4_1(), 8);
	}
}

static void do_rdist_op(u8 choice)
{
	enum rdist_op op = (choice - FIRST_RDIST_OP) % NR_RDIST_OPS;
	struct rdist_model *rdist, was;
	u64 offset, val;
	u8 how;

	if (!gic_confined) {
		if (!gic_refused)
			hand_over_gic();
		return;
	}

	rdist = gic.rdist[get8() % gic.desc.nr_rdists];
	say("redistributor op %d\n", op);
	switch (op) {
	case RDIST_WRITE:
		offset = get_rdist_register();
		how = get8();
		val = get_rdist_value();
		if (how & 1)
			write_rdist(rdist, ALIGN_DOWN(offset, 8), val, 8);
		else
			write_rdist(rdist, offset ^ (how & 4), (u32)(val >> (how & 32)), 4);
		break;
	case RDIST_WRITE_RAW:
		offset = get(3) % SZ_256K;
		if (get8() & 1)
			write_rdist(rdist, ALIGN_DOWN(offset, 8), get(8), 8);
		else
			write_rdist(rdist, ALIGN_DOWN(offset, 4), get(4), 4);
		break;
	case RDIST_WRITE_TABLE:
		write_tables(rdist);
		break;
	case RDIST_POWER:
		was = *rdist;
		rdist_model_power_cycle(rdist);
		/* Firmware may restore what was there, or some of it. */
		how = get8();
		if (how & 1)
			rdist->propbaser = was.propbaser;
		if (how & 2)
			rdist->pendbaser = was.pendbaser;
		if ((how & 7) == 7)
			rdist->ctlr = was.ctlr;
		if (how & 8)
			rdist->vpropbaser = was.vpropbaser;
		break;
	case RDIST_LPI:
		rdist_model_set_pending(rdist, get_intid());
		break;
	default:
		/* Once is enough: the memory for it does not come back. */
		if (!gic_again && !gic_hand_over())
			mem_fail("the redistributors were handed over twice");
		gic_again = true;
	}
}

/*
 * vPEs
 */

static u64 get_vpeid(void)
{
	static const u64 ids[NR_VPES] = { 0, 1, 2, 511, 8191, 8192 };
	u8 nr = get8();

	return nr < 0xf0 ? ids[nr % NR_VPES] : get(3);
}

static phys_addr_t get_vpt(void)
{
	u8 nr = get8();
	const struct hyp_vpe *vpe;

	if (nr & 0x80) {
		vpe = vpe_get(nr % 3);
		if (vpe)
			return vpe->vpt;
	}

	return blocks + nr % NR_BLOCKS * BLOCK_SIZE;
}

static phys_addr_t get_vprop(void)
{
	u8 nr = get8();

	return nr < 0xf0 ? vprops[nr % NR_VPROPS] : get_address();
}

static u64 get_doorbell(void)
{
	return get8() & 1 ? 1023 : get_intid();
}

static struct cmd vmapp(u64 id, phys_addr_t vpt, phys_addr_t vprop, u32 bits)
{
	u64 rdbase = get_rdbase();

	if (its->cfg.its.vpes == ITS_GICV4_0 && get8() < 0xf0)
		return cmd_vmapp(id, rdbase, vpt, bits);

	return cmd_vmapp_v4_1(id, rdbase, vpt, bits, vprop, get_doorbell(), get8() & 1);
}

static struct cmd get_vcmd(void)
{
	u64 id = get_vpeid(), dev, event;
	struct cmd cmd;

	switch (get8() % 9) {
	case 0:
		return vmapp(id, get_vpt(), get_vprop(), GIC_LPI_BITS + !(get8() % 16));
	case 1:
		return cmd_vunmapp(id);
	case 2:
		dev = get_device();
		event = get_event();
		return cmd_vmapti(dev, event, id, get_intid(), get_doorbell());
	case 3:
		dev = get_device();
		cmd = cmd_vmovi(dev, get_event(), id);
		cmd.raw[2] = get_doorbell() << 32 | (get8() & 1);
		return cmd;
	case 4:
		cmd = cmd_vmovp(id, get_rdbase(), get8() < 0xf0 ? BIT(5) : get(2));
		cmd.raw[2] |= (u64)(get8() & 1) << 63;
		cmd.raw[3] = get_doorbell();
		return cmd;
	case 5:
		return cmd_vpe(GITS_CMD_VINVALL, id);
	case 6:
		return cmd_vpe(GITS_CMD_INVDB, id);
	case 7:
		cmd = cmd_vpe(GITS_CMD_VSGI, id);
		cmd.raw[0] |= get(4) << 8;
		return cmd;
	default:
		return cmd_vpe(GITS_CMD_VSYNC, id);
	}
}

static void prepare_vpe(u64 id, phys_addr_t vpt, phys_addr_t vprop)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr_itss; i++) {
		if (itss[i]->cfg.vpes.indirect && id < BIT(16) && get8() & 1)
			its_stage_level1_entry(itss[i], BASER_VPES, id,
					       (blocks + get8() % NR_BLOCKS * BLOCK_SIZE) |
					       GITS_BASER_VALID);
	}
	ret = __pkvm_vpe_prepare(id, vpt, vprop);
	if (!ret)
		vpes_prepared[id / 64] |= BIT_ULL(id % 64);
	say("prepare vPE %llx at 0x%llx, 0x%llx: %d\n", (unsigned long long)id,
	    (unsigned long long)vpt, (unsigned long long)vprop, ret);
}

/* Whose vCPU the CPU runs is known if the vPE becomes resident. */
static void keep_guest(struct rdist_model *rdist, u32 guest, phys_addr_t vpt)
{
	bool resident = rdist->vpendbaser & GICR_VPENDBASER_Valid;

	if (rdist->vpes == ITS_GICV4_1)
		resident = resident && (rdist->vpendbaser & GENMASK_ULL(15, 0)) == rdist->guest;
	else
		resident = resident && (rdist->vpendbaser & GENMASK_ULL(51, 16)) == vpt;
	if (!resident)
		rdist->guest = guest;
}

static void load_vpe(struct rdist_model *rdist, u64 id, phys_addr_t vpt, phys_addr_t vprop)
{
	u32 guest = rdist->guest;

	rdist->guest = id;
	if (rdist->vpes == ITS_GICV4_1)
		vpt = id;
	else
		write_rdist(rdist, SZ_128K + GICR_VPROPBASER, vprop | (GIC_LPI_BITS - 1), 8);
	write_rdist(rdist, SZ_128K + GICR_VPENDBASER, GICR_VPENDBASER_Valid | vpt, 8);
	keep_guest(rdist, guest, vpt);
}

/* Along with a vCPU, on the CPU of a redistributor */
static void load_vpe_local(unsigned int cpu, u64 id, phys_addr_t vpt, phys_addr_t vprop)
{
	struct rdist_model *rdist = gic.rdist[cpu];
	u32 guest = rdist->guest;

	shim_cpu = cpu;
	rdist->guest = id;
	say("load vPE %llx on CPU %u\n", (unsigned long long)id, cpu);
	if (rdist->vpes == ITS_GICV4_1)
		vpt = id;
	vpe_load_local(vprop | (GIC_LPI_BITS - 1), GICR_VPENDBASER_Valid | vpt);
	keep_guest(rdist, guest, vpt);
}

static void unmap_vpe(u64 id)
{
	stage(cmd_vunmapp(id));
	stage(cmd_vpe(GITS_CMD_VSYNC, id));
	stage(cmd_sync(its_model_rdbase(its->model, 0)));
	ring();
}

static void do_vpe_op(u8 choice)
{
	enum vpe_op op = (choice - FIRST_VPE_OP) % NR_VPE_OPS;
	struct rdist_model *rdist;
	const struct hyp_vpe *vpe;
	phys_addr_t vprop;
	unsigned int nr;
	u64 id, val;

	if (!gic_confined) {
		if (!gic_refused)
			hand_over_gic();
		return;
	}

	nr = get8();
	rdist = gic.rdist[nr % gic.desc.nr_rdists];
	its = itss[nr >> 7 & (nr_itss - 1)];
	say("vPE op %d, ITS %d\n", op, its->id);
	switch (op) {
	case VPE_PREPARE:
		id = get_vpeid();
		val = get_vpt();
		prepare_vpe(id, val, get_vprop());
		break;
	case VPE_RECLAIM:
		__pkvm_vpe_reclaim(get_vpeid());
		break;
	case VPE_STAGE:
		stage(get_vcmd());
		break;
	case VPE_MAP:
		id = get_vpeid();
		val = get_vpt();
		vprop = get_vprop();
		prepare_vpe(id, val, vprop);
		stage(vmapp(id, val, vprop, GIC_LPI_BITS));
		val = get_device();
		stage(cmd_vmapti(val, get8() % 8, id, get_intid(), get_doorbell()));
		stage(cmd_vpe(GITS_CMD_VSYNC, id));
		ring();
		break;
	case VPE_UNMAP:
		unmap_vpe(get_vpeid());
		break;
	case VPE_LOAD:
		id = get_vpeid();
		vpe = vpe_get(id);
		if (vpe && rdist->vpes != ITS_NO_VPES)
			load_vpe(rdist, id, vpe->vpt, get8() < 0xf0 ? vpe->vprop : get_vprop());
		break;
	case VPE_PUT:
		write_rdist(rdist, SZ_128K + GICR_VPENDBASER, get8() & 1 ? get_vpt() : 0, 8);
		break;
	case VPE_READ:
		if (rdist->vpes != ITS_NO_VPES)
			rdist_model_read(rdist, SZ_128K + GICR_VPENDBASER, 8);
		break;
	case VPE_MSI:
		id = get_device();
		vpe_model_translate(its->model, id, get8() % 8);
		break;
	case VPE_LOAD_LOCAL:
		id = get_vpeid();
		nr = get8() % gic.desc.nr_rdists;
		vpe = vpe_get(id);
		load_vpe_local(nr, id, vpe ? vpe->vpt : get_vpt(),
			       vpe && get8() < 0xf0 ? vpe->vprop : get_vprop());
		break;
	case VPE_PUT_LOCAL:
		shim_cpu = get8() % (gic.desc.nr_rdists + 1);
		vpe_put_local();
		break;
	case VPE_ASK:
		id = get_vpeid() & GENMASK(15, 0);
		val = GICR_INVLPIR_V | FIELD_PREP(GICR_INVLPIR_VPEID, id);
		nr = get8();
		rdist->slow = nr >> 4 & 3;
		if (nr % 4 == 0)
			write_rdist(rdist, GICR_INVALLR, val, 8);
		else if (nr % 4 == 1)
			write_rdist(rdist, GICR_INVLPIR, val | get_intid(), 8);
		else if (nr % 4 == 2)
			__pkvm_vpe_is_pending(id, get_intid());
		else
			write_rdist(rdist, SZ_128K + GICR_VSGIR, id, 4);
		break;
	default:
		val = get(8);
		if (rdist->vpes == ITS_NO_VPES || !(val & GICR_VPENDBASER_Valid))
			write_rdist(rdist, SZ_128K + (get8() & 1 ? GICR_VPENDBASER : get(2)), val,
				    8);
		break;
	}
}

static void wait_clean(struct rdist_model *rdist)
{
	u64 val;

	do {
		val = rdist_model_read(rdist, SZ_128K + GICR_VPENDBASER, 8);
	} while (val & GICR_VPENDBASER_Dirty);
}

static void wait_answered(struct rdist_model *rdist)
{
	while (rdist_model_read(rdist, GICR_SYNCR, 4))
		continue;
	while (rdist_model_read(rdist, SZ_128K + GICR_VSGIPENDR, 4) & GICR_VSGIPENDR_BUSY)
		continue;
}

/* No vPE is in use any more: all memory comes back. */
static void check_vpes(void)
{
	unsigned int i, nr;
	u64 id;

	for (i = 0; gic_confined && i < gic.desc.nr_rdists; i++) {
		struct rdist_model *rdist = gic.rdist[i];

		if (rdist->vpes == ITS_NO_VPES)
			continue;

		wait_answered(rdist);
		wait_clean(rdist);
		write_rdist(rdist, SZ_128K + GICR_VPENDBASER, 0, 8);
		wait_clean(rdist);
		if (rdist->vpendbaser & GICR_VPENDBASER_Valid)
			mem_fail("a vPE remains resident");
	}

	for (i = 0; i < ARRAY_SIZE(vpes_prepared); i++) {
		for (; vpes_prepared[i]; vpes_prepared[i] &= vpes_prepared[i] - 1) {
			id = i * 64 + __builtin_ctzll(vpes_prepared[i]);
			if (!vpe_get(id))
				continue;

			for (nr = 0; nr < nr_itss; nr++) {
				its = itss[nr];
				unmap_vpe(id);
			}
			if (__pkvm_vpe_reclaim(id) && !lost)
				mem_fail("the memory of vPE %llx leaked", (unsigned long long)id);
		}
	}
}

/* Those that were in use before the hand-over are in use until they lose power. */
static void check_gic(void)
{
	unsigned int i;
	u64 offset;

	for (i = 0; gic_confined && i < gic.desc.nr_tables; i++) {
		struct rdist_model *rdist = rdist_model_find(gic.tables[i].rd_base, &offset);

		write_tables(rdist);
		if ((rdist->ctlr & GICR_CTLR_ENABLE_LPIS) && !rdist_model_set_pending(rdist, 8192))
			mem_fail("a redistributor does not work any more");
	}
}

static void do_op(void)
{
	u8 choice = get8();
	enum op op = choice % NR_OPS;
	phys_addr_t phys;
	bool suspended, loses;
	u64 nr, rdbase;
	u32 intid;

	if (choice >= FIRST_RDIST_OP) {
		do_rdist_op(choice);
		return;
	}

	if (choice >= FIRST_VPE_OP && its->cfg.its.vpes != ITS_NO_VPES) {
		do_vpe_op(choice);
		return;
	}

	say("op %d\n", op);
	switch (op) {
	case OP_STAGE:
		stage(get_cmd());
		break;
	case OP_STAGE_RAW:
		stage((struct cmd) {{ get(8), get(8), get(8), get(8) }});
		break;
	case OP_EDIT:
		/* A bit of a command that may or may not have been seen */
		nr = get(2);
		phys = its->staging + nr % (its->cfg.queue_pages * SZ_4K / 8) * 8;
		mem_host_write(phys, mem_peek(phys) ^ BIT_ULL(get8() % 64));
		break;
	case OP_RING:
		ring();
		break;
	case OP_POST:
		__pkvm_its_post(its->id, get8() & 1 ? its->next * CMD_SIZE : get(4));
		break;
	case OP_WRITE:
		do_write();
		break;
	case OP_STEP:
		its_model_step(its->model, get8());
		break;
	case OP_PACE:
		its->model->pace = get8() % 3;
		its->model->quiesces = get8() % 4;
		break;
	case OP_LEVEL1:
		nr = get8() & 1;
		if (its->staging_tables[nr]) {
			u64 id = get_device();

			if (id < BIT_ULL(its->cfg.its.dev_bits))
				its_stage_level1_entry(its, nr, id, get_address() |
						       (u64)(get8() & 0xc0) << 56 | get8());
		}
		break;
	case OP_PREPARE:
		nr = get_device();
		intid = get8() % 20;
		its_prepare(its, nr, intid, get_address());
		break;
	case OP_RECLAIM:
		its_reclaim(its, get_device());
		break;
	case OP_GUEST:
		phys = get_address();
		if (get8() & 1)
			mem_give_guest(phys);
		else
			mem_take_guest(phys);
		break;
	case OP_FORGE:
		phys = ALIGN_DOWN(get_address(), 256);
		mem_host_fill(phys, 256, get8() * 0x0101010101010101ULL);
		break;
	case OP_POWER:
		/* What has been executed and not been released is lost to EL2, too. */
		for (loses = false, nr = 0; nr < nr_itss; nr++)
			loses |= !is_idle(itss[nr]) || would_lose(itss[nr]);

		/* EL2 won't have a running ITS lose power: see what comes of it nevertheless. */
		suspended = pkvm_its_suspend(HOST_CPU(0));
		/* If it is denied, ITSs before the one that is busy have begun anew. */
		lost |= !suspended && loses && nr_itss > 1;
		if (!suspended && !(choice / NR_OPS & 2))
			break;

		lost |= loses;
		if (suspended && choice / NR_OPS & 4) {
			/* Firmware has the ITS go through its queue, as far as that once went. */
			its_model_replay(its->model, get(2) * CMD_SIZE %
					 (its->cfg.queue_pages * SZ_4K));
		} else if (choice / NR_OPS & 1) {
			/* It may go through commands again that can be executed once only. */
			lost |= would_lose(its);
			its_model_power_cycle(its->model);
		} else {
			is_off[its == itss[1]] |= !el2_its(its->id)->suspended;
			its_model_power_off(its->model);
		}

		if (suspended)
			pkvm_its_resume(HOST_CPU(0));
		break;
	case OP_RACE:
		race.at = mem_nr_reads + get8();
		race.phys = (get8() & 1 ? its->staging : its->staging_tables[0]) + get(2) * 8;
		race.val = get(8);
		mem_read_hook = change_memory;
		break;
	case OP_MSI:
		nr = get_device();
		its_model_translate(its->model, nr, get_event(), &intid, &rdbase);
		break;
	case OP_MAP:
		do_map();
		break;
	case OP_TRUSTED:
		do_trusted();
		break;
	}
}

static u8 get_table(struct machine_table *table)
{
	u8 kind = get8();

	table->psz = SZ_4K << kind % 3 * 2;
	table->entry_size = 4 << (kind >> 2) % 4;
	table->nr_pages = 1 + (kind >> 4) % 2;
	table->indirect = kind & 0x80;

	return kind;
}

static void get_config(struct machine_config *cfg)
{
	static const u32 dev_bits[] = { 16, 8, 20, 5 };
	u8 kind = get8(), collections;

	*cfg = machine_default;
	get_table(&cfg->devices);
	collections = get_table(&cfg->collections);
	if (collections & 0x40) {
		cfg->its.vpes = ITS_GICV4_1;
		cfg->its.vpeid_bits = collections & 1 ? 16 : 2;
	} else if (cfg->collections.indirect) {
		cfg->its.vpes = ITS_GICV4_0;
	}
	cfg->collections.indirect = false;
	nr_itss = cfg->its.vpes != ITS_NO_VPES && collections & 0x20 ? 2 : 1;
	shares = cfg->its.vpes == ITS_GICV4_1 && collections & 8;
	cfg->vpes = cfg->devices;
	cfg->its.dev_bits = dev_bits[kind % 4];
	cfg->its.nc = kind & 4;
	cfg->its.pta = kind & 8;
	cfg->its.hcc = kind & 0x10 ? 4 : 0;
	cfg->high = kind & 0x20;
	cfg->addr_bits = kind & 0x40 ? 52 : cfg->high ? 52 : 40;
	near_end = kind & 0x80;

	kind = get8();
	cfg->its.ite_size = 4 + kind % 13;
	cfg->its.event_bits = 16 - kind / 64 * 3;
}

static void choose_devices(void)
{
	u64 end = BIT_ULL(its->cfg.its.dev_bits), i;

	for (i = 0; i < NR_DEVICES; i++)
		devices[i] = i < 4 ? i : end / 8 * (i - 3) + (i & 1);
	devices[NR_DEVICES - 3] = end - 1;
	devices[NR_DEVICES - 2] = end;
	devices[NR_DEVICES - 1] = end / 2 - 1;
}

/* Devices that are there before the hand-over. Returns false if it fails. */
static bool hand_over(void)
{
	unsigned int nr = get8() % 4, bits = 3, i;
	phys_addr_t itts[4];
	u64 id;

	for (i = 0; i < nr; i++) {
		id = devices[i];
		itts[i] = its_alloc_itt(its, bits);
		if (its->cfg.devices.indirect)
			its_stage_level2(its, BASER_DEVICES, id);
		stage(cmd_mapd(id, bits, itts[i]));
		stage(cmd_mapti(id, 1, 8192 + i, 0));
	}
	ring();

	mem_fail_call = get8();
	if (its_register(its))
		return false;

	for (i = 0; i < nr; i++) {
		if (__pkvm_its_adopt_device(its->id, devices[i], bits, itts[i]))
			goto err_unregister;
	}

	if (!its_activate(its)) {
		mem_fail_call = 0;
		for (i = 0; i < nr; i++) {
			if (__pkvm_its_adopt_event(its->id, devices[i], 1))
				mem_fail("an event cannot be taken over");
		}
		return true;
	}

err_unregister:
	if (__pkvm_its_unregister(its->id))
		mem_fail("a hand-over cannot be undone");

	return false;
}

/* As the driver does on resume */
static void restart(void)
{
	unsigned int i;

	race.at = ~0ULL;
	its->model->pace = ITS_AT_ONCE;

	/* What the ITS has not executed so far, EL2 would have to keep. */
	if (its->model->ctlr & GITS_CTLR_ENABLE) {
		its_model_step(its->model, UINT_MAX);
		stage(cmd_sync(its_model_rdbase(its->model, 0)));
		ring();
		its_model_step(its->model, UINT_MAX);
	}

	write_register(GITS_CTLR, 0, 4);
	for (i = 0; i < 8 && !(its_read(its, GITS_CTLR) & GITS_CTLR_QUIESCENT); i++)
		;
	write_register(GITS_CBASER, 0, 8);
	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		struct hyp_its *el2 = el2_its(its->id);

		if (el2->tables[i].baser)
			write_register(GITS_BASER + i * 8, el2->tables[i].baser, 8);
	}
	its->next = 0;
	write_register(GITS_CWRITER, 0, 8);
	write_register(GITS_CTLR, GITS_CTLR_ENABLE, 4);
	if (!(its->model->ctlr & GITS_CTLR_ENABLE) != is_off[its == itss[1]])
		mem_fail("the ITS cannot be restarted, or must not be");
}

static void check_devices(void)
{
	const struct hyp_its_device *device;
	u64 id, event;

	/* Whatever is mapped or prepared, with the events that are mapped */
	for (id = 0; ; id++) {
		id = el2_next_device(its->id, id);
		device = el2_device(its->id, id);
		if (!device)
			break;

		for (event = 0; el2_is_mapped(its->id, id) && event < BIT(device->event_bits);
		     event++) {
			if (!(device->events[event / 64] >> event % 64 & 1))
				continue;
			stage(cmd_event(GITS_CMD_DISCARD, id, event));
			ring();
		}

		if (el2_is_mapped(its->id, id)) {
			stage(cmd_unmapd(id));
			stage(cmd_sync(its_model_rdbase(its->model, 0)));
			ring();
			/* One whose DISCARD was lost is never unmapped again. */
			if (el2_is_mapped(its->id, id) && !lost)
				mem_fail("a device cannot be unmapped");
		}

		if (its_reclaim(its, id) && !lost)
			mem_fail("the memory of device %llx leaked", (unsigned long long)id);
	}
}

static void check_end(const u64 *errors)
{
	u64 accepted, owned, held;
	unsigned int i;

	check_gic();
	for (i = 0; i < nr_itss; i++) {
		its = itss[i];
		restart();
		lost |= is_off[i];
	}
	check_vpes();

	for (i = 0; i < nr_itss; i++) {
		its = itss[i];
		check_devices();
		if (is_off[i])
			continue;

		accepted = its_stat(its, PKVM_ITS_ACCEPTED);
		stage(cmd_sync(its_model_rdbase(its->model, 0)));
		ring();
		if (its_stat(its, PKVM_ITS_ACCEPTED) != accepted + 1 || !is_idle(its))
			mem_fail("the ITS does not work any more");

		if (!lost && its->model->errors != errors[i] + its->model->excused)
			mem_fail("a command that EL2 let through was an error to the ITS");
	}

	owned = mem_count(MEM_ITS) + mem_count(MEM_EL2) - 1;
	held = __pkvm_rdists_stat(PKVM_RDISTS_HELD_PAGES);
	for (i = 0; i < nr_itss; i++)
		held += its_stat(itss[i], PKVM_ITS_HELD_PAGES);
	if (held != owned)
		mem_fail("%llu pages are counted as held, not %llu", (unsigned long long)held,
			 (unsigned long long)owned);
}

static void report(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < sizeof(seen) * 8; i++)
		nr += !!(seen[i / 8] & BIT(i % 8));

	fprintf(stderr, "pkvm-its: %llu programs, %llu with a confined ITS, ",
		(unsigned long long)nr_runs, (unsigned long long)nr_confined);
	fprintf(stderr, "%llu with confined redistributors, ", (unsigned long long)nr_gics);
	fprintf(stderr, "%llu commands accepted, %u of them distinct\n",
		(unsigned long long)nr_accepted, nr);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	mem_init(SZ_32M, SZ_8M);
	its_model_executes = executes;
	verbose = getenv("FUZZ_VERBOSE");
	atexit(report);

	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct machine_config cfg;
	u64 errors[2];
	unsigned int ops;

	input = data;
	input_end = data + size;
	nr_runs++;
	lost = false;
	memset(is_off, 0, sizeof(is_off));
	memset(vpes_prepared, 0, sizeof(vpes_prepared));
	gic_confined = false;
	gic_refused = false;
	gic_again = false;
	race.at = ~0ULL;

	machine_reset();
	get_config(&cfg);
	blocks = host_alloc(NR_BLOCKS * BLOCK_SIZE, BLOCK_SIZE);
	el2_page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	mem_give_el2(el2_page);
	mem_give_guest(blocks + BLOCK_SIZE + PAGE_SIZE);
	its = its_start(&cfg);
	itss[0] = its;
	if (near_end) {
		its->next = its_nr_slots(its) - 16;
		its->model->creadr = its->next * CMD_SIZE;
		its->model->cwriter = its->next * CMD_SIZE;
	}
	choose_devices();

	if (!hand_over()) {
		if (!mem_is_clean() || mem_count(MEM_EL2) != 1 || mem_count(MEM_ITS) ||
		    mmio_guard_find(its->cfg.its.base))
			mem_fail("a hand-over that failed was not undone");
		return 0;
	}

	nr_confined++;
	if (nr_itss > 1) {
		cfg.shares = shares;
		cfg.ctlr = GITS_CTLR_ENABLE | 6U << GITS_CTLR_ITS_NUMBER_SHIFT;
		itss[1] = its_up(&cfg);
	}

	for (ops = 0; ops < NR_VPROPS && cfg.its.vpes != ITS_NO_VPES; ops++)
		vprops[ops] = its_alloc_vprop();
	for (ops = 0; ops < nr_itss; ops++)
		errors[ops] = itss[ops]->model->errors;
	for (ops = 0; ops < MAX_OPS && input < input_end; ops++)
		do_op();

	for (ops = 0; ops < nr_itss; ops++)
		nr_accepted += its_stat(itss[ops], PKVM_ITS_ACCEPTED);
	check_end(errors);

	return 0;
}
