// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine with ITSs and a host.
 */

#include <string.h>

#include <linux/bitfield.h>
#include <linux/log2.h>
#include <linux/overflow.h>

#include <nvhe/mmio_guard.h>

#include <nvhe/rdist.h>
#include <nvhe/vpe.h>

#include "el2.h"
#include "machine.h"

#define CMD_SIZE	32

const struct machine_config machine_default = {
	.its = {
		.dev_bits	= 16,
		.event_bits	= 16,
		.lpi_bits	= 16,
		.vpeid_bits	= 16,
		.ite_size	= 12,
		.nr_rdbases	= 4,
	},
	.devices = {
		.entry_size	= 8,
		.psz		= SZ_64K,
		.nr_pages	= 1,
		.indirect	= true,
	},
	.collections = {
		.entry_size	= 8,
		.psz		= SZ_64K,
		.nr_pages	= 1,
	},
	.vpes = {
		.entry_size	= 8,
		.psz		= SZ_64K,
		.nr_pages	= 1,
		.indirect	= true,
	},
	.queue_pages	= SZ_64K / SZ_4K,
	.addr_bits	= 52,
	.ctlr		= GITS_CTLR_ENABLE | GITS_CTLR_ImDe | MACHINE_ITS_NUMBER,
};

/* Has the test a word in what EL2 is told and gets? */
void (*its_edit_desc)(struct its_staging_desc *desc);
u64 its_state_pages;
phys_addr_t its_records;

struct host_gic gic;

static struct host_its hosts[ITS_MAX_MODELS];
static unsigned int nr_hosts;
static phys_addr_t next_low, next_high;

void machine_reset(void)
{
	mem_reset();
	its_model_reset();
	rdist_model_reset();
	el2_reset();
	memset(&gic, 0, sizeof(gic));
	its_edit_desc = NULL;
	its_state_pages = 0;
	its_records = 0;
	nr_hosts = 0;
	next_low = MEM_LOW;
	next_high = MEM_HIGH;
}

static phys_addr_t alloc(phys_addr_t bank, phys_addr_t *next, u64 size, u64 align)
{
	phys_addr_t phys = ALIGN(*next, align);

	size = ALIGN(size, PAGE_SIZE);
	if (phys + size > mem_end(bank))
		mem_fail("test needs more memory");

	*next = phys + size;

	return phys;
}

/* Whole pages of the host's, zero, at least page-aligned */
phys_addr_t host_alloc(u64 size, u64 align)
{
	return alloc(MEM_LOW, &next_low, size, max_t(u64, align, PAGE_SIZE));
}

phys_addr_t host_alloc_high(u64 size, u64 align)
{
	return alloc(MEM_HIGH, &next_high, size, max_t(u64, align, PAGE_SIZE));
}

static phys_addr_t its_alloc(struct host_its *its, u64 size, u64 align, bool may_be_high)
{
	return its->cfg.high && may_be_high ? host_alloc_high(size, align)
					    : host_alloc(size, align);
}

/*
 * The driver
 */

static u64 start_table(struct host_its *its, unsigned int nr, unsigned int type,
		       const struct machine_table *table)
{
	u64 size = ALIGN((u64)table->nr_pages * table->psz, PAGE_SIZE), baser;
	u64 psz = ilog2(table->psz / SZ_4K) / 2;
	phys_addr_t phys;

	if (!table->nr_pages)
		return 0;

	phys = its_alloc(its, size, table->psz, table->psz == SZ_64K);
	its->tables[nr] = phys;

	baser = GITS_BASER_VALID | (u64)type << GITS_BASER_TYPE_SHIFT |
		(u64)(table->entry_size - 1) << GITS_BASER_ENTRY_SIZE_SHIFT |
		psz << GITS_BASER_PAGE_SIZE_SHIFT | (table->nr_pages - 1) |
		(table->indirect ? GITS_BASER_INDIRECT : 0) |
		(its->cfg.its.nc ? GITS_BASER_nC : GITS_BASER_InnerShareable | GITS_BASER_RaWaWb);

	return baser | (table->psz == SZ_64K ? GITS_BASER_PHYS_52_to_48(phys) : phys);
}

/* See its_staging_addr_bits(). */
static u32 learn_addr_bits(struct its_model *model)
{
	u64 kept, bits = 16;

	its_model_write(model, GITS_CBASER, GENMASK_ULL(51, 16), 8);
	kept = its_model_read(model, GITS_CBASER, 8);
	while (kept & BIT_ULL(bits))
		bits++;

	return bits;
}

/* An ITS as the driver has it before the hand-over: enabled, collections mapped */
struct host_its *its_start(const struct machine_config *cfg)
{
	struct host_its *its = &hosts[nr_hosts++];
	struct its_model *model;
	unsigned int i;
	u64 baser;

	*its = (struct host_its) { .cfg = *cfg, .id = -1 };
	its->cfg.its.base = FRAME_BASE + (nr_hosts - 1) * SZ_128K;
	model = its_model_add(&its->cfg.its);
	its->model = model;

	baser = start_table(its, BASER_DEVICES, GITS_BASER_TYPE_DEVICE, &its->cfg.devices);
	its_model_write(model, GITS_BASER + 8 * BASER_DEVICES, baser, 8);
	baser = start_table(its, BASER_COLLECTIONS, GITS_BASER_TYPE_COLLECTION,
			    &its->cfg.collections);
	its_model_write(model, GITS_BASER + 8 * BASER_COLLECTIONS, baser, 8);

	if (cfg->its.vpes != ITS_NO_VPES) {
		baser = start_table(its, BASER_VPES, GITS_BASER_TYPE_VCPU, &its->cfg.vpes);
		if (cfg->shares) {
			baser = hosts[0].model->baser[BASER_VPES];
			its->tables[BASER_VPES] = hosts[0].tables[BASER_VPES];
		}
		its_model_write(model, GITS_BASER + 8 * BASER_VPES, baser, 8);
	}

	its->queue = its_alloc(its, its->cfg.queue_pages * SZ_4K, SZ_64K, true);
	its->staging = its->queue;
	its->addr_bits = min(cfg->addr_bits, learn_addr_bits(model));
	its_model_write(model, GITS_CBASER, GITS_CBASER_VALID | its->queue |
			(cfg->its.nc ? GITS_CBASER_nC
				     : GITS_CBASER_InnerShareable | GITS_CBASER_RaWaWb) |
			(its->cfg.queue_pages - 1), 8);
	its_model_write(model, GITS_CWRITER, 0, 8);
	its_model_write(model, GITS_CTLR, cfg->ctlr, 4);

	for (i = 0; i < cfg->its.nr_rdbases; i++) {
		if (its->cfg.collections.indirect)
			its_stage_level2(its, BASER_COLLECTIONS, i);
		its_stage(its, cmd_mapc(i, its_model_rdbase(model, i)));
	}
	its_ring(its);

	return its;
}

static void stage_table(struct host_its *its, unsigned int nr, const struct machine_table *table,
			struct its_staging_desc *desc)
{
	u64 size = ALIGN((u64)table->nr_pages * table->psz, PAGE_SIZE), pos, entry;

	desc->tables[nr].baser = its_model_read(its->model, GITS_BASER + 8 * nr, 8);
	desc->tables[nr].base = its->tables[nr];
	if (!table->nr_pages || !table->indirect)
		return;

	its->staging_tables[nr] = host_alloc(size, PAGE_SIZE);
	desc->tables[nr].staging = its->staging_tables[nr];
	for (pos = 0; pos < size; pos += sizeof(entry)) {
		/* What was never written is zero. */
		if (!mem_page(its->tables[nr] + pos)->dirty)
			continue;

		mem_host_read(its->tables[nr] + pos, &entry);
		if (entry)
			mem_host_write(its->staging_tables[nr] + pos, entry);
	}
}

static void fill_desc(struct host_its *its, struct its_staging_desc *desc)
{
	unsigned int i;

	desc->base = its->cfg.its.base;
	desc->typer = its_model_typer(its->model);
	desc->hw_queue = its->queue;
	desc->queue = host_alloc(its->cfg.queue_pages * SZ_4K, SZ_64K);
	desc->queue_noncoherent = its->cfg.its.nc;
	desc->addr_bits = its->addr_bits;
	desc->lpi_bits = its->cfg.its.lpi_bits;
	desc->vpeid_bits = its->cfg.its.vpeid_bits;
	desc->vlpi_rdbase_offset = its->cfg.its.vlpi_rdbase_offset;
	desc->nr_rdbases = its->cfg.its.nr_rdbases;
	for (i = 0; i < desc->nr_rdbases; i++)
		desc->rdbases[i] = its_model_rdbase(its->model, i);

	stage_table(its, BASER_DEVICES, &its->cfg.devices, desc);
	stage_table(its, BASER_COLLECTIONS, &its->cfg.collections, desc);
	if (its->cfg.its.vpes != ITS_NO_VPES)
		stage_table(its, BASER_VPES, &its->cfg.vpes, desc);
}

void expect_state(phys_addr_t phys, u64 nr_pages, bool is_state)
{
	for (; nr_pages; nr_pages--, phys += PAGE_SIZE) {
		if (!mem_page(phys))
			continue;

		mem_page(phys)->is_state = is_state;
		mem_page(phys)->dirty = true;
	}
}

int its_register(struct host_its *its)
{
	u64 size, nr_pages, nr_records, i;
	static u64 buf[SZ_64K / sizeof(u64)];
	struct its_staging_desc *desc = (void *)buf;
	phys_addr_t state, records = its_records;
	int id;

	memset(buf, 0, sizeof(buf));
	fill_desc(its, desc);
	if (its_edit_desc)
		its_edit_desc(desc);

	size = pkvm_its_flat_records_size(desc);
	nr_records = size >> PAGE_SHIFT;
	if (nr_records && !records) {
		records = host_alloc(size, PAGE_SIZE);
		mem_host_fill(records, size, ~0ULL);
	}

	size = sizeof(struct hyp_its) + struct_size(desc, rdbases, its->cfg.its.nr_rdbases);
	nr_pages = its_state_pages ?: ALIGN(size, PAGE_SIZE) >> PAGE_SHIFT;
	state = host_alloc(nr_pages << PAGE_SHIFT, PAGE_SIZE);
	mem_host_fill(state, nr_pages << PAGE_SHIFT, ~0ULL);

	size = min_t(u64, struct_size(desc, rdbases, desc->nr_rdbases),
		     (nr_pages << PAGE_SHIFT) - sizeof(struct hyp_its));
	for (i = 0; i < min_t(u64, size / sizeof(u64), ARRAY_SIZE(buf)); i++)
		mem_host_write(state + sizeof(struct hyp_its) + i * sizeof(u64), buf[i]);

	expect_state(state, nr_pages, true);
	expect_state(records, nr_records, true);
	id = __pkvm_its_register(hyp_phys_to_pfn(state), nr_pages, hyp_phys_to_pfn(records));
	expect_state(state, nr_pages, false);
	expect_state(records, nr_records, false);
	if (id < 0)
		return id;

	its->id = id;
	its->nr_state = nr_pages + nr_records;
	its->staging_queue = desc->queue;

	return 0;
}

int its_activate(struct host_its *its)
{
	int ret = __pkvm_its_activate(its->id, its->next * CMD_SIZE);

	if (ret)
		return ret;

	its->model->confined = true;
	its->staging = its->staging_queue;

	return 0;
}

int its_unregister(struct host_its *its)
{
	int ret = __pkvm_its_unregister(its->id);

	if (ret)
		return ret;

	its->id = -1;
	its->nr_state = 0;
	memset(its->staging_tables, 0, sizeof(its->staging_tables));

	return 0;
}

int its_hand_over(struct host_its *its)
{
	int ret;

	ret = its_register(its);
	if (ret)
		return ret;

	return its_activate(its);
}

/* A confined ITS */
struct host_its *its_up(const struct machine_config *cfg)
{
	struct host_its *its = its_start(cfg);
	int ret = its_hand_over(its);

	if (ret)
		mem_fail("hand-over returned %d", ret);

	return its;
}

static const struct machine_table *table_of(const struct host_its *its, unsigned int baser)
{
	if (baser == BASER_VPES)
		return &its->cfg.vpes;

	return baser == BASER_DEVICES ? &its->cfg.devices : &its->cfg.collections;
}

void its_stage_level1_entry(struct host_its *its, unsigned int baser, u64 id, u64 entry)
{
	const struct machine_table *table = table_of(its, baser);
	u64 idx = id / (table->psz / table->entry_size);
	phys_addr_t base;

	base = its->staging_tables[baser] ?: its->tables[baser];
	mem_host_write(base + idx * sizeof(entry), entry);
}

/* Pages that are EL2's alone, for its records */
static void expect_records(phys_addr_t phys, u64 offset, u64 size)
{
	offset = ALIGN(offset, PAGE_SIZE);
	if (offset < size)
		expect_state(phys + offset, (size - offset) >> PAGE_SHIFT, true);
}

phys_addr_t its_stage_level2(struct host_its *its, unsigned int baser, u64 id)
{
	const struct machine_table *table = table_of(its, baser);
	u64 idx = id / (table->psz / table->entry_size), entry, size;
	phys_addr_t phys;

	mem_host_read((its->staging_tables[baser] ?: its->tables[baser]) + idx * sizeof(entry),
		      &entry);
	if (entry)
		return entry & GENMASK_ULL(51, 12);

	size = baser == BASER_DEVICES ? its_staging_level2_size(its->model->baser[baser]) :
					table->psz;
	phys = its_alloc(its, size, table->psz, true);
	expect_records(phys, table->psz, size);
	its_stage_level1_entry(its, baser, id, phys | GITS_BASER_VALID);

	return phys;
}

/*
 * The host once the ITS is confined. Before that it is the driver and there is no guard.
 */

u32 its_nr_slots(const struct host_its *its)
{
	return its->cfg.queue_pages * SZ_4K / CMD_SIZE;
}

void its_stage(struct host_its *its, struct cmd cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd.raw); i++)
		mem_host_write(its->staging + its->next * CMD_SIZE + i * sizeof(u64), cmd.raw[i]);

	its->next = (its->next + 1) % its_nr_slots(its);
}

void its_write(struct host_its *its, u64 offset, u64 val, unsigned int size)
{
	const struct mmio_guard *guard = mmio_guard_find(its->cfg.its.base + offset);

	if (guard)
		guard->ops->write(guard->priv, offset, val, size);
	else
		its_model_write(its->model, offset, val, size);
}

void its_ring(struct host_its *its)
{
	/* Registered and not active: the driver still has the queue, writes do not trap yet. */
	if (its->id >= 0 && !its->model->confined)
		its_model_write(its->model, GITS_CWRITER, its->next * CMD_SIZE, 8);
	else
		its_write(its, GITS_CWRITER, its->next * CMD_SIZE, 8);
}

u64 its_read(struct host_its *its, u64 offset)
{
	return its_model_read(its->model, offset, 8);
}

phys_addr_t its_alloc_itt(struct host_its *its, u32 event_bits)
{
	u64 size = its_staging_itt_size(its->cfg.its.ite_size, event_bits);
	phys_addr_t itt = host_alloc(size, PAGE_SIZE);

	expect_records(itt, its_staging_record_offset(its->cfg.its.ite_size, event_bits), size);

	return itt;
}

phys_addr_t its_alloc_vpt(void)
{
	u64 size = its_staging_vpt_size(GIC_LPI_BITS);
	phys_addr_t vpt = host_alloc(size, SZ_64K);

	expect_records(vpt, BIT(GIC_LPI_BITS) / 8, size);

	return vpt;
}

phys_addr_t its_alloc_vprop(void)
{
	phys_addr_t vprop = host_alloc(SZ_64K, SZ_64K), at;

	for (at = vprop; at < vprop + SZ_64K; at += PAGE_SIZE) {
		if (__pkvm_host_share_hyp(hyp_phys_to_pfn(at)))
			mem_fail("host can't share 0x%llx", (unsigned long long)at);
	}

	return vprop;
}

int its_prepare(struct host_its *its, u64 dev_id, u32 event_bits, phys_addr_t itt)
{
	return __pkvm_its_prepare(its->id, dev_id, event_bits, itt);
}

int its_reclaim(struct host_its *its, u64 dev_id)
{
	return __pkvm_its_reclaim(its->id, dev_id);
}

u64 its_stat(struct host_its *its, unsigned int nr)
{
	return __pkvm_its_stat(its->id, nr);
}

u64 its_refused_all(struct host_its *its)
{
	u64 nr = 0;
	int i;

	for (i = PKVM_ITS_ACCEPTED + 1; i < PKVM_ITS_NR_VERDICTS; i++)
		nr += its_stat(its, i);

	return nr;
}

struct cmd its_committed(struct host_its *its, u32 slot)
{
	struct cmd cmd;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd.raw); i++)
		cmd.raw[i] = mem_peek(its->queue + slot * CMD_SIZE + i * sizeof(u64));

	return cmd;
}

/* For machines with one ITS */
void its_check_held(struct host_its *its)
{
	u64 owned = mem_count(MEM_EL2) + mem_count(MEM_ITS);
	u64 held = its_stat(its, PKVM_ITS_HELD_PAGES);

	if (held != owned)
		mem_fail("%llu pages are counted as held, %llu are", (unsigned long long)held,
			 (unsigned long long)owned);
}

/*
 * The redistributors
 */

/* A region that ends with the last one */
unsigned int shim_cpu;

void gic_add_region(u64 base, unsigned int nr, u64 typer, u64 stride)
{
	u64 size = typer & GICR_TYPER_VLPIS ? SZ_256K : SZ_128K, step = stride ?: size;
	unsigned int i;

	gic.regions[gic.desc.nr_regions++] = (struct gic_staging_region) {
		.base	= base,
		.size	= (nr - 1) * step + size,
		.stride	= stride,
	};

	for (i = 0; i < nr; i++) {
		gic.rdist[gic.desc.nr_rdists++] =
			rdist_model_add(base + i * step,
					typer | (i == nr - 1 ? GICR_TYPER_LAST : 0));
	}
}

/* The driver brings up the CPU of a redistributor. */
void gic_enable(struct rdist_model *rdist)
{
	phys_addr_t pending = host_alloc(SZ_64K, SZ_64K);

	if (!gic.desc.prop_table) {
		gic.desc.prop_table = host_alloc(SZ_64K, SZ_64K);
		gic.desc.lpi_bits = GIC_LPI_BITS;
	}

	rdist_model_write(rdist, GICR_PROPBASER,
			  gic.desc.prop_table | GIC_PROP_ATTRS | (GIC_LPI_BITS - 1), 8);
	rdist_model_write(rdist, GICR_PENDBASER, pending | GIC_PEND_ATTRS, 8);
	rdist_model_write(rdist, GICR_CTLR, rdist->ctlr | GICR_CTLR_ENABLE_LPIS, 4);

	gic.tables[gic.desc.nr_tables++] = (struct gic_staging_table) {
		.rd_base = rdist->base,
		.pending = pending,
	};
}

static phys_addr_t put(phys_addr_t to, const void *from, u64 size)
{
	u64 i;

	for (i = 0; i < size / sizeof(u64); i++)
		mem_host_write(to + i * sizeof(u64), ((const u64 *)from)[i]);

	return to + size;
}

int gic_hand_over(void)
{
	u64 size, nr = gic.max ?: gic.desc.nr_rdists;
	phys_addr_t state, at;
	unsigned int i;
	int ret;

	size = sizeof(gic.desc) + gic.desc.nr_regions * sizeof(*gic.regions) +
	       gic.desc.nr_tables * sizeof(*gic.tables) + nr * sizeof(struct hyp_rdist);
	if (gic.vpes)
		size += sizeof(struct hyp_vpes);
	gic.nr_pages = ALIGN(size, PAGE_SIZE) >> PAGE_SHIFT;
	state = host_alloc(size, PAGE_SIZE);
	mem_host_fill(state, gic.nr_pages << PAGE_SHIFT, ~0ULL);

	at = put(state, &gic.desc, sizeof(gic.desc));
	at = put(at, gic.regions, gic.desc.nr_regions * sizeof(*gic.regions));
	put(at, gic.tables, gic.desc.nr_tables * sizeof(*gic.tables));

	expect_state(state, gic.nr_pages, true);
	ret = __pkvm_rdists_register(hyp_phys_to_pfn(state), gic.nr_pages);
	expect_state(state, gic.nr_pages, false);

	for (i = 0; i < gic.desc.nr_rdists && !ret; i++)
		gic.rdist[i]->confined = true;

	return ret;
}

/* A write of the host's. False if EL2 has no say there. */
bool gic_write(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size)
{
	const struct mmio_guard *guard = mmio_guard_find(rdist->base + offset);

	if (!guard)
		return false;

	guard->ops->write(guard->priv, rdist->base + offset - guard->start, val, size);

	return true;
}

/*
 * Commands
 */

struct cmd cmd_mapd(u64 dev_id, u32 event_bits, phys_addr_t itt)
{
	return (struct cmd) {{ GITS_CMD_MAPD | dev_id << 32, event_bits - 1, BIT_ULL(63) | itt }};
}

struct cmd cmd_unmapd(u64 dev_id)
{
	return (struct cmd) {{ GITS_CMD_MAPD | dev_id << 32 }};
}

struct cmd cmd_unmapd_full(u64 dev_id, u32 event_bits, phys_addr_t itt)
{
	return (struct cmd) {{ GITS_CMD_MAPD | dev_id << 32, event_bits - 1, itt }};
}

struct cmd cmd_mapc(u64 icid, u64 rdbase)
{
	return (struct cmd) {{ GITS_CMD_MAPC, 0, BIT_ULL(63) | rdbase | icid }};
}

struct cmd cmd_unmapc(u64 icid)
{
	return (struct cmd) {{ GITS_CMD_MAPC, 0, icid }};
}

struct cmd cmd_mapti(u64 dev_id, u64 event_id, u64 intid, u64 icid)
{
	return (struct cmd) {{ GITS_CMD_MAPTI | dev_id << 32, event_id | intid << 32, icid }};
}

struct cmd cmd_mapi(u64 dev_id, u64 intid, u64 icid)
{
	return (struct cmd) {{ GITS_CMD_MAPI | dev_id << 32, intid, icid }};
}

struct cmd cmd_movi(u64 dev_id, u64 event_id, u64 icid)
{
	return (struct cmd) {{ GITS_CMD_MOVI | dev_id << 32, event_id, icid }};
}

struct cmd cmd_event(u32 nr, u64 dev_id, u64 event_id)
{
	return (struct cmd) {{ nr | dev_id << 32, event_id }};
}

struct cmd cmd_invall(u64 icid)
{
	return (struct cmd) {{ GITS_CMD_INVALL, 0, icid }};
}

struct cmd cmd_movall(u64 from, u64 to)
{
	return (struct cmd) {{ GITS_CMD_MOVALL, 0, from, to }};
}

struct cmd cmd_sync(u64 rdbase)
{
	return (struct cmd) {{ GITS_CMD_SYNC, 0, rdbase }};
}

struct cmd cmd_vmapp(u32 vpeid, u64 rdbase, phys_addr_t vpt, u32 bits)
{
	return (struct cmd) {{ GITS_CMD_VMAPP, (u64)vpeid << 32, BIT_ULL(63) | rdbase,
			       vpt | (bits - 1) }};
}

struct cmd cmd_vmapp_v4_1(u32 vpeid, u64 rdbase, phys_addr_t vpt, u32 bits, phys_addr_t vconf,
			  u32 doorbell, bool alloc)
{
	struct cmd cmd = cmd_vmapp(vpeid, rdbase, vpt, bits);

	cmd.raw[0] |= vconf | (alloc ? BIT_ULL(8) : 0);
	cmd.raw[1] |= doorbell;

	return cmd;
}

struct cmd cmd_vunmapp(u32 vpeid)
{
	return (struct cmd) {{ GITS_CMD_VMAPP, (u64)vpeid << 32 }};
}

struct cmd cmd_vmapti(u32 dev_id, u32 event_id, u32 vpeid, u32 vintid, u32 doorbell)
{
	return (struct cmd) {{ GITS_CMD_VMAPTI | (u64)dev_id << 32,
			       event_id | (u64)vpeid << 32, vintid | (u64)doorbell << 32 }};
}

struct cmd cmd_vmovi(u32 dev_id, u32 event_id, u32 vpeid)
{
	return (struct cmd) {{ GITS_CMD_VMOVI | (u64)dev_id << 32,
			       event_id | (u64)vpeid << 32 }};
}

struct cmd cmd_vmovp(u32 vpeid, u64 rdbase, u32 list)
{
	return (struct cmd) {{ GITS_CMD_VMOVP, (u64)vpeid << 32 | list, rdbase }};
}

struct cmd cmd_vpe(u32 nr, u32 vpeid)
{
	return (struct cmd) {{ nr, (u64)vpeid << 32 }};
}
