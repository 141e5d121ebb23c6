// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ghost owner map: what it is there to notice, it notices. EL2 makes no mistakes here, so
 * they are made behind its back.
 */

#include <nvhe/vpe.h>

#include "../rdist-model.h"
#include "test.h"

#define RD_BASE		0x9000000ULL
#define DEV		0x123
#define VPE		7
#define BITS		GIC_LPI_BITS
#define EVENT_BITS	10
#define GHOST		"its-ghost.c"
#define OWNED		"ghost_is_owned(phys, size)) at "

static struct host_its *its;
static phys_addr_t itt;

static void up(void)
{
	its = its_up(&machine_default);
	itt = test_map(its, DEV, EVENT_BITS);
}

/* Whoever else has the page, the ghost notices it. */
static void expect_owned(phys_addr_t phys)
{
	static const enum mem_owner others[] = { MEM_HOST, MEM_GUEST };
	struct mem_page *page = mem_page(phys), was = *page;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		its_ghost_all();
		page->owner = others[i];
		EXPECT_DEATH(its_ghost_all(), GHOST);
		*page = was;
	}
}

static void expect_unused(phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys), was = *page;

	page->owner = MEM_HOST;
	its_ghost_all();
	*page = was;
}

static void tables(void)
{
	phys_addr_t level2, end;

	up();
	level2 = its_stage_level2(its, BASER_DEVICES, DEV);
	end = itt + (its->cfg.its.ite_size << EVENT_BITS) - 1;

	expect_owned(its->queue);
	expect_owned(its->queue + its->cfg.queue_pages * SZ_4K - 1);
	expect_owned(its->tables[BASER_DEVICES]);
	expect_owned(its->tables[BASER_COLLECTIONS]);
	expect_owned(level2);
	expect_owned(level2 + its->cfg.devices.psz - 1);
	expect_owned(itt);
	expect_owned(end);
}

static void registers(void)
{
	u64 other = host_alloc(SZ_64K, SZ_64K);
	u64 baser, cbaser;

	up();
	baser = its->model->baser[BASER_COLLECTIONS];
	its->model->baser[BASER_COLLECTIONS] = (baser & ~GENMASK_ULL(47, 12)) | other;
	EXPECT_DEATH(its_ghost_all(), GHOST);
	its->model->baser[BASER_COLLECTIONS] = baser;

	cbaser = its->model->cbaser;
	its->model->cbaser = (cbaser & ~GENMASK_ULL(51, 12)) | other;
	EXPECT_DEATH(its_ghost_all(), GHOST);

	/* Without power, registers may hold anything. */
	its->model->ctlr &= ~GITS_CTLR_ENABLE;
	its_ghost_all();
}

/* The hardware does not get to see a command that leads it to other memory. */
static void command(void)
{
	up();
	itt = test_prepare(its, DEV + 1, EVENT_BITS);
	its_stage(its, cmd_mapd(DEV + 1, EVENT_BITS, itt));
	mem_page(itt)->owner = MEM_HOST;
	expect_unused(its->staging);
	EXPECT_DEATH(its_ring(its), OWNED);
	mem_page(itt)->owner = MEM_ITS;
	its_ring(its);
}

static void common_itt(void)
{
	struct hyp_its_device *device;

	up();
	test_prepare(its, DEV + 1, EVENT_BITS);
	device = (struct hyp_its_device *)el2_device(its->id, DEV + 1);
	device->itt = itt;
	its_stage(its, cmd_mapd(DEV + 1, EVENT_BITS, itt));
	EXPECT_DEATH(its_ring(its), GHOST);

	/* Or a part of one, or a table */
	device->itt = itt + SZ_4K;
	its_stage(its, cmd_mapd(DEV + 1, EVENT_BITS, itt + SZ_4K));
	EXPECT_DEATH(its_ring(its), GHOST);
	device->itt = its->queue;
	its_stage(its, cmd_mapd(DEV + 1, EVENT_BITS, its->queue));
	EXPECT_DEATH(its_ring(its), "ghost_is_in_use(phys, size)");
}

/* An ITT is in use until a SYNC behind the MAPD that unmaps it has been executed. */
static void unmap(void)
{
	up();
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_sync(its_model_rdbase(its->model, 0)));
	its_stage(its, cmd_unmapd(DEV));
	its_ring(its);
	expect_owned(itt);
	its_model_step(its->model, 2);
	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	expect_owned(itt);
	its_stage(its, cmd_sync(its_model_rdbase(its->model, 0)));
	its_ring(its);
	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	expect_owned(itt);
	its_model_step(its->model, 1);
	EXPECT_EQ(its_reclaim(its, DEV), 0);
	EXPECT_EQ(mem_page(itt)->owner, MEM_HOST);
}

static void reset_queue(void)
{
	its_write(its, GITS_CTLR, 0, 4);
	its_write(its, GITS_CBASER, 0, 8);
	its->next = 0;
	its_write(its, GITS_CTLR, GITS_CTLR_ENABLE, 4);
}

/* If a reset of the queue may have dropped that SYNC, it is in use for ever. */
static void unmap_lost(void)
{
	up();
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_unmapd(DEV));
	its_stage(its, cmd_sync(its_model_rdbase(its->model, 0)));
	its_ring(its);
	reset_queue();
	its->model->pace = ITS_AT_ONCE;
	ACCEPT(its, cmd_sync(its_model_rdbase(its->model, 0)));
	EXPECT_EQ(its_reclaim(its, DEV), -EBUSY);
	expect_owned(itt);
}

/* What the driver has mapped by itself is known from EL2's records. */
static void adopted(void)
{
	its = its_start(&machine_default);
	its_stage_level2(its, BASER_DEVICES, DEV);
	EXPECT(!its_register(its));
	itt = its_alloc_itt(its, EVENT_BITS);
	EXPECT(!__pkvm_its_adopt_device(its->id, DEV, EVENT_BITS, itt));
	EXPECT(!its_activate(its));
	expect_owned(itt);
}

static void write_slot(u32 slot, struct cmd cmd)
{
	mem_its_write(its->queue + slot * sizeof(cmd), &cmd, sizeof(cmd), false);
}

/* Any slot may be executed once more. */
static void slots(void)
{
	phys_addr_t other = host_alloc(SZ_64K, SZ_64K);
	u32 last;

	up();
	last = its_nr_slots(its) - 1;
	its_write(its, GITS_CTLR, GITS_CTLR_ENABLE, 4);
	write_slot(last, cmd_mapd(DEV, EVENT_BITS, itt));
	its_ghost_all();
	write_slot(last, cmd_mapd(DEV, EVENT_BITS, other));
	EXPECT_DEATH(its_ghost_all(), GHOST);

	/* A queue that begins anew has nothing but SYNCs. */
	write_slot(last, cmd_mapd(DEV, EVENT_BITS, itt));
	its_write(its, GITS_CTLR, 0, 4);
	EXPECT_DEATH(its_write(its, GITS_CBASER, 0, 8), "!= GITS_CMD_SYNC");
}

static void rdbase(void)
{
	struct machine_config cfg = machine_default;
	phys_addr_t other = host_alloc(SZ_64K, SZ_64K);
	struct hyp_its *el2;

	cfg.its.pta = true;
	its = its_up(&cfg);
	el2 = el2_its(its->id);
	((u64 *)el2->rdbases)[el2->nr_rdbases - 1] = other;
	its_stage(its, cmd_mapc(0, other));
	EXPECT_DEATH(its_ring(its), "addr_is_memory");
}

/*
 * Redistributors and vPEs
 */

static struct rdist_model *rdist;
static phys_addr_t vpt, vprop;

static void start_gic(enum its_vpes vpes)
{
	gic_add_region(RD_BASE, 1, GICR_TYPER_PLPIS | GICR_TYPER_VLPIS |
		       (vpes == ITS_GICV4_1 ? GICR_TYPER_RVPEID : 0), 0);
	rdist = gic.rdist[0];
	rdist->vpes = vpes;
	rdist->vpropbaser = BITS - 1;
	gic_enable(rdist);
	gic.vpes = true;
	EXPECT(!gic_hand_over());
}

static void expect_pinned(phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys), was = *page;

	its_ghost_all();
	page->pins = 0;
	EXPECT_DEATH(its_ghost_all(), "ghost_is_pinned");
	page->shared = false;
	EXPECT_DEATH(its_ghost_all(), "ghost_is_pinned");
	*page = was;
}

static void lpis(void)
{
	start_gic(ITS_GICV4_0);
	expect_owned(GICR_PENDBASER_ADDRESS(rdist->pendbaser));
	expect_pinned(GICR_PROPBASER_ADDRESS(rdist->propbaser));
	expect_pinned(GICR_PROPBASER_ADDRESS(rdist->propbaser) + BIT(BITS) - 8192 - 1);

	rdist->pendbaser += SZ_64K;
	EXPECT_DEATH(its_ghost_all(), GHOST);
	rdist->ctlr &= ~GICR_CTLR_ENABLE_LPIS;
	its_ghost_all();
}

static void vpes_v4_1(void)
{
	start_gic(ITS_GICV4_1);
	its_ghost_all();
	rdist->vpropbaser |= GICR_VPROPBASER_4_1_VALID;
	EXPECT_DEATH(its_ghost_all(), GHOST);
}

static bool load(void)
{
	u64 attrs = GICR_VPENDBASER_InnerShareable | GICR_VPENDBASER_RaWaWb;

	gic_write(rdist, SZ_128K + GICR_VPROPBASER, vprop | (BITS - 1), 8);
	gic_write(rdist, SZ_128K + GICR_VPENDBASER, vpt | attrs | GICR_VPENDBASER_Valid |
		  GICR_VPENDBASER_PendingLast, 8);

	return rdist->vpendbaser & GICR_VPENDBASER_Valid;
}

static void up_with_vpe(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.vpes = ITS_GICV4_0;
	its = its_up(&cfg);
	start_gic(ITS_GICV4_0);
	vprop = its_alloc_vprop();
	vpt = its_alloc_vpt();
	its_stage_level2(its, BASER_VPES, VPE);
	rdist->guest = VPE;

	EXPECT(!__pkvm_vpe_prepare(VPE, vpt, vprop));
	expect_unused(vpt);
	expect_owned(its_stage_level2(its, BASER_VPES, VPE));
	ACCEPT(its, cmd_vmapp(VPE, its_model_rdbase(its->model, 0), vpt, BITS));
}

static void vpe(void)
{
	up_with_vpe();

	/* Mapped and not resident: only the ITS uses it. */
	expect_owned(vpt);
	expect_owned(vpt + BIT(BITS) / 8 - 1);

	/* Until a VSYNC for this vPE. It may be mapped again before. */
	ACCEPT(its, cmd_vunmapp(VPE));
	ACCEPT(its, cmd_sync(its_model_rdbase(its->model, 0)));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	expect_owned(vpt);
	ACCEPT(its, cmd_vmapp(VPE, its_model_rdbase(its->model, 0), vpt, BITS));

	EXPECT(load());
	expect_pinned(vprop);
	gic_write(rdist, SZ_128K + GICR_VPENDBASER, 0, 8);
	while (rdist_model_read(rdist, SZ_128K + GICR_VPENDBASER, 8) & GICR_VPENDBASER_Dirty)
		continue;

	/* The redistributor has the addresses still. */
	ACCEPT(its, cmd_vunmapp(VPE));
	its_stage(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(its);
	expect_owned(vpt);
	expect_pinned(vprop);
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	EXPECT_EQ(mem_page(vpt)->owner, MEM_HOST);
}

/* A VMAPP that was executed before a reset is not lost: a VSYNC behind the reset will do. */
static void vpe_reset(void)
{
	up_with_vpe();
	ACCEPT(its, cmd_vunmapp(VPE));
	ACCEPT(its, cmd_sync(its_model_rdbase(its->model, 0)));
	reset_queue();
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	expect_owned(vpt);
	its_stage(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(its);
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	its_ghost_all();
}

const struct test ghost_tests[] = {
	TEST(tables),
	TEST(registers),
	TEST(command),
	TEST(common_itt),
	TEST(unmap),
	TEST(unmap_lost),
	TEST(adopted),
	TEST(slots),
	TEST(rdbase),
	TEST(lpis),
	TEST(vpes_v4_1),
	TEST(vpe),
	TEST(vpe_reset),
	{}
};
