// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model of a GICv4: it does what an honest host wants, and notices what a hostile one
 * makes it do. Nothing here goes through EL2: the GIC is unconfined, or is made to look
 * confined behind EL2's back.
 */

#include <string.h>

#include "../rdist-model.h"
#include "../vpe-model.h"
#include "test.h"

#define RD_BASE		0x80a0000ULL
#define NR_RDISTS	4
#define DEV		0x123
#define EVENT		3
#define EVENT_BITS	5
#define VINTID		8200
#define VPE_BITS	14
#define DOORBELL	8300
#define NO_DOORBELL	1023
#define LEVEL2_VPES	(SZ_64K / 8)

#define VALID		GICR_VPENDBASER_Valid

/* What has been set up */
static struct host_its *its;
static struct rdist_model *rdists[NR_RDISTS];
static phys_addr_t vpe_table, vpe_level2;

static struct cmd vmapp_v4_1(u32 vpeid, u64 rdbase, phys_addr_t vpt, phys_addr_t vconf, bool alloc)
{
	return cmd_vmapp_v4_1(vpeid, rdbase, vpt, VPE_BITS, vconf, DOORBELL, alloc);
}

/* Alloc is in the same place for V=0. */
static struct cmd vunmapp_v4_1(u32 vpeid, bool alloc)
{
	struct cmd cmd = cmd_vunmapp(vpeid);

	cmd.raw[0] |= alloc ? BIT_ULL(8) : 0;

	return cmd;
}

/* Puts a command into the queue that the ITS reads. True if it finds nothing wrong. */
static bool force_on(struct host_its *on, struct cmd cmd)
{
	struct its_model *model = on->model;
	u64 errors = model->errors;

	mem_its_write(on->queue + model->cwriter, &cmd, sizeof(cmd), false);
	model->cwriter = (model->cwriter + sizeof(cmd)) % (on->cfg.queue_pages * SZ_4K);
	its_model_step(model, UINT_MAX);

	return model->errors == errors;
}

static bool force(struct cmd cmd)
{
	return force_on(its, cmd);
}

static u64 rdbase(unsigned int nr)
{
	return its_model_rdbase(its->model, nr);
}

static phys_addr_t new_vpt(void)
{
	return host_alloc(SZ_64K, SZ_64K);
}

/* A virtual property table in which VINTID is on */
static phys_addr_t new_vconf(void)
{
	return test_turn_on(host_alloc(SZ_64K, SZ_64K), VINTID);
}

static void set_owner(phys_addr_t phys, u64 size, enum mem_owner owner)
{
	phys_addr_t at;

	for (at = phys; at < phys + size; at += PAGE_SIZE) {
		mem_page(at)->owner = owner;
		mem_page(at)->dirty = true;
	}
}

static void set_pinned(phys_addr_t phys, u64 size)
{
	phys_addr_t at;

	for (at = phys; at < phys + size; at += PAGE_SIZE) {
		mem_page(at)->shared = true;
		mem_page(at)->pins = 1;
		mem_page(at)->dirty = true;
	}
}

static void set_vpe_table(struct host_its *of)
{
	of->model->baser[BASER_VPES] = GITS_BASER_VALID | GITS_BASER_INDIRECT |
		(u64)GITS_BASER_TYPE_VCPU << GITS_BASER_TYPE_SHIFT |
		7ULL << GITS_BASER_ENTRY_SIZE_SHIFT | GITS_BASER_PAGE_SIZE_64K | vpe_table;
}

/* An ITS with a table of vPEs, redistributors, and a device with an event */
static void start(enum its_vpes vpes)
{
	struct machine_config cfg = machine_default;
	unsigned int i;

	cfg.its.vpes = vpes;
	its = its_start(&cfg);

	vpe_table = host_alloc(SZ_64K, SZ_64K);
	vpe_level2 = host_alloc(SZ_64K, SZ_64K);
	EXPECT(mem_host_write(vpe_table, vpe_level2 | GITS_BASER_VALID));
	set_vpe_table(its);

	for (i = 0; i < NR_RDISTS; i++) {
		rdists[i] = rdist_model_add(RD_BASE + i * SZ_256K,
					    GICR_TYPER_PLPIS | GICR_TYPER_VLPIS | i << 8 |
					    (vpes == ITS_GICV4_1 ? GICR_TYPER_RVPEID : 0));
		rdists[i]->vpes = vpes;
		rdists[i]->flushes = 2;
	}

	its_stage_level2(its, BASER_DEVICES, DEV);
	EXPECT(force(cmd_mapd(DEV, EVENT_BITS, host_alloc(SZ_4K, SZ_4K))));
}

static u64 vpropbaser(phys_addr_t vconf, u32 bits)
{
	return vconf | (bits - 1) | GICR_VPROPBASER_InnerShareable | GICR_VPROPBASER_RaWaWb;
}

static void write_vlpi(struct rdist_model *rdist, u64 offset, u64 val)
{
	rdist_model_write(rdist, SZ_128K + offset, val, 8);
}

/* As the driver does it */
static void load(struct rdist_model *rdist, u32 vpeid, phys_addr_t vpt, phys_addr_t vconf)
{
	rdist->guest = vpeid;
	if (rdist->vpes == ITS_GICV4_1) {
		write_vlpi(rdist, GICR_VPROPBASER, GICR_VPROPBASER_4_1_VALID | vpe_table);
		write_vlpi(rdist, GICR_VPENDBASER, VALID | vpeid);
	} else {
		write_vlpi(rdist, GICR_VPROPBASER, vpropbaser(vconf, VPE_BITS));
		write_vlpi(rdist, GICR_VPENDBASER, VALID | vpt);
	}
}

static void put(struct rdist_model *rdist)
{
	write_vlpi(rdist, GICR_VPENDBASER, test_read_vpendbaser(rdist) & ~VALID);
	test_wait_clean(rdist);
}

static enum vlpi msi(void)
{
	return vpe_model_translate(its->model, DEV, EVENT);
}

static bool is_pending(phys_addr_t vpt, u32 vintid)
{
	return mem_peek(vpt + ALIGN_DOWN(vintid / 8, 8)) & BIT_ULL(vintid % 64);
}

/* A vPE on redistributor 0, and the event mapped to it */
static void map_vpe(u32 vpeid, phys_addr_t vpt)
{
	EXPECT(force(cmd_vmapp(vpeid, rdbase(0), vpt, VPE_BITS)));
	EXPECT(force(cmd_vmapti(DEV, EVENT, vpeid, VINTID, DOORBELL)));
}

/*
 * What a host does that means well
 */

static void delivery(void)
{
	phys_addr_t vpt, vconf;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	vconf = new_vconf();

	EXPECT_EQ(msi(), VLPI_NONE);
	map_vpe(7, vpt);
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	EXPECT(is_pending(vpt, VINTID));
	EXPECT(force(cmd_event(GITS_CMD_CLEAR, DEV, EVENT)));
	EXPECT(!is_pending(vpt, VINTID));

	load(rdists[0], 7, vpt, vconf);
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	EXPECT_EQ(rdists[0]->vlpis, 1);
	EXPECT(force(cmd_event(GITS_CMD_INT, DEV, EVENT)));
	EXPECT_EQ(rdists[0]->vlpis, 2);
	EXPECT(force(cmd_event(GITS_CMD_INV, DEV, EVENT)));
	EXPECT(!force(cmd_movi(DEV, EVENT, 0)));

	put(rdists[0]);
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	EXPECT(force(cmd_vmapti(DEV, EVENT, 7, VINTID, NO_DOORBELL)));
	EXPECT_EQ(msi(), VLPI_PENDING);

	EXPECT(force(cmd_event(GITS_CMD_DISCARD, DEV, EVENT)));
	EXPECT_EQ(msi(), VLPI_NONE);
	EXPECT(force(cmd_vunmapp(7)));
	EXPECT(!force(cmd_vunmapp(7)));
}

/* What has waited in memory comes when the vPE is resident. */
static void waiting(void)
{
	phys_addr_t vpt, vconf;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	vconf = new_vconf();
	map_vpe(7, vpt);
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	load(rdists[0], 7, vpt, vconf);
	EXPECT_EQ(rdists[0]->vlpis, 1);
	EXPECT(!is_pending(vpt, VINTID));
	put(rdists[0]);
	EXPECT(!(test_read_vpendbaser(rdists[0]) & GICR_VPENDBASER_PendingLast));
}

/* An interrupt that is off waits, even if the vPE is resident. */
static void disabled(void)
{
	phys_addr_t vpt, vconf;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	vconf = host_alloc(SZ_64K, SZ_64K);
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, vconf);
	EXPECT_EQ(msi(), VLPI_PENDING);
	EXPECT(is_pending(vpt, VINTID));

	test_turn_on(vconf, VINTID);
	put(rdists[0]);
	EXPECT(test_read_vpendbaser(rdists[0]) & GICR_VPENDBASER_PendingLast);
	load(rdists[0], 7, vpt, vconf);
	EXPECT_EQ(rdists[0]->vlpis, 1);
}

static void moves(void)
{
	phys_addr_t vpts[2], vconf;
	struct cmd cmd;

	start(ITS_GICV4_0);
	vpts[0] = new_vpt();
	vpts[1] = new_vpt();
	vconf = new_vconf();
	map_vpe(7, vpts[0]);
	EXPECT(force(cmd_vmapp(8, rdbase(1), vpts[1], VPE_BITS)));

	/* To another vPE */
	load(rdists[1], 8, vpts[1], vconf);
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	EXPECT(force(cmd_vmovi(DEV, EVENT, 8)));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	EXPECT(!force(cmd_vmovi(DEV, EVENT + 1, 8)));
	EXPECT(force(cmd_mapti(DEV, EVENT + 1, VINTID, 0)));
	cmd = cmd_vmovi(DEV, EVENT + 1, 8);
	cmd.raw[2] = BIT(0) | (u64)DOORBELL << 32;
	EXPECT(!force(cmd));

	/* The vPE to another redistributor */
	put(rdists[1]);
	EXPECT(force(cmd_vmovp(8, rdbase(2), BIT(0))));
	load(rdists[2], 8, vpts[1], vconf);
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	EXPECT_EQ(rdists[1]->vlpis, 1);
	EXPECT_EQ(rdists[2]->vlpis, 1);
}

/* Dirty takes time, and the memory is in use until then. */
static void dirty_takes_time(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, new_vconf());

	write_vlpi(rdists[0], GICR_VPENDBASER, vpt);
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpt), "while it is dirty");
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPROPBASER, 0), "while a vPE is resident");
	EXPECT(test_read_vpendbaser(rdists[0]) & GICR_VPENDBASER_Dirty);
	EXPECT(test_read_vpendbaser(rdists[0]) & GICR_VPENDBASER_Dirty);
	EXPECT(!(test_read_vpendbaser(rdists[0]) & GICR_VPENDBASER_Dirty));
	write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpt);
}

static void v4_1(void)
{
	phys_addr_t vpt, vconf;

	start(ITS_GICV4_1);
	vpt = new_vpt();
	vconf = new_vconf();
	EXPECT(force(vmapp_v4_1(7, rdbase(0), vpt, vconf, true)));
	EXPECT(force(cmd_vmapti(DEV, EVENT, 7, VINTID, NO_DOORBELL)));
	EXPECT(!force(cmd_vmapti(DEV, EVENT, 7, VINTID, DOORBELL)));
	EXPECT_EQ(msi(), VLPI_DOORBELL);

	load(rdists[0], 7, 0, 0);
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	EXPECT(force(cmd_vpe(GITS_CMD_INVDB, 7)));
	EXPECT(force((struct cmd) {{ GITS_CMD_VSGI | BIT_ULL(8) | 5ULL << 32, 7ULL << 32 }}));
	EXPECT(vpe_model_sgi(its->model, 7, 5));
	EXPECT(!vpe_model_sgi(its->model, 7, 6));
	EXPECT(!vpe_model_sgi(its->model, 8, 5));
	rdist_model_write(rdists[0], SZ_128K + GICR_VSGIR, 7, 4);
	EXPECT_EQ(rdist_model_read(rdists[0], SZ_128K + GICR_VSGIPENDR, 4), BIT(5) | BIT(6));
	EXPECT(force((struct cmd) {{ GITS_CMD_VSGI | BIT_ULL(9) | 5ULL << 32, 7ULL << 32 }}));
	rdist_model_write(rdists[0], SZ_128K + GICR_VSGIR, 7, 4);
	EXPECT_EQ(rdist_model_read(rdists[0], SZ_128K + GICR_VSGIPENDR, 4), BIT(6));
	EXPECT(vpe_model_sgi_config(its->model, 7, 5) & BIT(8));
	put(rdists[0]);

	EXPECT(force(cmd_vmovp(7, rdbase(1), 0)));
	load(rdists[1], 7, 0, 0);
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	EXPECT_EQ(rdists[1]->vlpis, 1);
}

/* What is not mapped does not get far, and what the command has no room for is noticed. */
static void bad_commands(void)
{
	static const u8 of_v4_1[] = { GITS_CMD_INVDB, GITS_CMD_VSGI };
	static const u8 of_vpe[] = { GITS_CMD_VSYNC, GITS_CMD_VINVALL };
	struct cmd cmd;
	unsigned int i;
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	for (i = 0; i < ARRAY_SIZE(of_vpe); i++) {
		EXPECT(force(cmd_vpe(of_vpe[i], 7)));
		EXPECT(!force(cmd_vpe(of_vpe[i], 8)));
		cmd = cmd_vpe(of_vpe[i], 7);
		cmd.raw[2] = 1;
		EXPECT_DEATH(force(cmd), "RES0 bits set");
	}
	for (i = 0; i < ARRAY_SIZE(of_v4_1); i++)
		EXPECT_DEATH(force(cmd_vpe(of_v4_1[i], 7)), "an unknown command");

	cmd = cmd_vmapti(DEV, EVENT, 7, VINTID, DOORBELL);
	cmd.raw[3] = 1;
	EXPECT_DEATH(force(cmd), "RES0 bits set");
	cmd = cmd_vmovi(DEV, EVENT, 7);
	cmd.raw[2] = 2;
	EXPECT_DEATH(force(cmd), "RES0 bits set");

	EXPECT(!force(cmd_vmapp(8, rdbase(0), new_vpt(), 13)));
	EXPECT(!force(cmd_vmapp(8, rdbase(0), new_vpt(), 17)));
	EXPECT(!force(cmd_vmovp(8, rdbase(0), BIT(0))));

	its->model->cfg.vpes = ITS_NO_VPES;
	EXPECT_DEATH(force(cmd_vpe(GITS_CMD_VSYNC, 7)), "an unknown command");
	rdists[0]->vpes = ITS_NO_VPES;
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, 0), "GICR_VPENDBASER written");
}

/*
 * What a GIC that is confined must not be made to do
 */

static void start_confined(phys_addr_t *vpt, phys_addr_t *vconf)
{
	unsigned int i;

	start(ITS_GICV4_0);
	*vpt = new_vpt();
	*vconf = new_vconf();
	map_vpe(7, *vpt);

	set_owner(*vpt, SZ_64K, MEM_ITS);
	set_pinned(*vconf, SZ_64K);
	set_owner(its->queue, SZ_64K, MEM_ITS);
	set_owner(vpe_table, SZ_64K, MEM_ITS);
	set_owner(vpe_level2, SZ_64K, MEM_ITS);
	its->model->confined = true;
	for (i = 0; i < NR_RDISTS; i++)
		rdists[i]->confined = true;
}

static void confined_tables(void)
{
	phys_addr_t vpt, vconf;

	start_confined(&vpt, &vconf);
	EXPECT_DEATH(force(cmd_vmapp(8, rdbase(0), new_vpt(), VPE_BITS)),
		     "a virtual pending table, owner");
	EXPECT_DEATH(load(rdists[0], 7, vpt, new_vconf()),
		     "as a virtual property table, which is not pinned");
	EXPECT_DEATH(load(rdists[0], 7, new_vpt(), vconf), "a virtual pending table, owner");
	load(rdists[0], 7, vpt, vconf);
	put(rdists[0]);
}

static void confined_residency(void)
{
	phys_addr_t vpt, vconf, other = new_vpt();

	start_confined(&vpt, &vconf);
	set_owner(other, SZ_64K, MEM_ITS);
	EXPECT_DEATH(load(rdists[0], 8, other, vconf), "a vPE becomes resident that is not mapped");
	EXPECT_DEATH(load(rdists[1], 7, vpt, vconf), "and is mapped elsewhere");
	write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(vconf, VPE_BITS + 1));
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpt), "with 15 bits");

	load(rdists[0], 7, vpt, vconf);
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpt), "changed while");
	EXPECT_DEATH(force(cmd_vunmapp(7)), "unmapped while it is resident");
}

static void confined_release(void)
{
	phys_addr_t vpt, vconf;
	u64 pfn;

	start_confined(&vpt, &vconf);
	pfn = hyp_phys_to_pfn(vpt);
	load(rdists[0], 7, vpt, vconf);
	put(rdists[0]);
	EXPECT_DEATH(__pkvm_hyp_donate_host(pfn, 1), "of vPE 7, which is mapped");
	EXPECT(force(cmd_vunmapp(7)));
	EXPECT_DEATH(__pkvm_hyp_donate_host(pfn, 1), "which GICR_VPENDBASER still has");
	write_vlpi(rdists[0], GICR_VPENDBASER, 0);
	EXPECT(!__pkvm_hyp_donate_host(pfn, 1));
}

/*
 * Attacks, on a GIC that is not confined. Each gets the GIC to use memory that is not the
 * host's, or breaks what it relies on.
 */

static void tables_over(enum mem_owner owner)
{
	phys_addr_t victim, vpt;

	start(ITS_GICV4_0);
	victim = test_victim(owner);
	vpt = new_vpt();
	EXPECT_DEATH(force(cmd_vmapp(7, rdbase(0), victim, VPE_BITS)),
		     "a virtual pending table, owner");
	EXPECT_DEATH(load(rdists[0], 7, victim, new_vconf()),
		     "a virtual pending table, owner");
	EXPECT_DEATH(load(rdists[0], 7, vpt, victim), "a virtual property table, owner");
}

static void tables_over_v4_1(enum mem_owner owner)
{
	phys_addr_t victim;

	start(ITS_GICV4_1);
	victim = test_victim(owner);
	EXPECT_DEATH(force(vmapp_v4_1(7, rdbase(0), victim, new_vconf(), true)),
		     "a virtual pending table, owner");
	EXPECT_DEATH(force(vmapp_v4_1(7, rdbase(0), new_vpt(), victim, true)),
		     "a virtual property table, owner");
	write_vlpi(rdists[0], GICR_VPROPBASER, GICR_VPROPBASER_4_1_VALID | victim);
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, VALID | 7), "a table of vPEs, owner");
}

static void b1_tables_over_el2(void)
{
	tables_over(MEM_EL2);
}

static void b1_tables_over_el2_v4_1(void)
{
	tables_over_v4_1(MEM_EL2);
}

static void b2_tables_over_guest(void)
{
	tables_over(MEM_GUEST);
}

static void b2_tables_over_guest_v4_1(void)
{
	tables_over_v4_1(MEM_GUEST);
}

/* The tables begin in the host's memory, and end in the victim's. */
static void b3_oversized(void)
{
	phys_addr_t vpt, vconf;

	start(ITS_GICV4_0);
	its->model->cfg.lpi_bits = 20;
	vpt = host_alloc(SZ_128K, SZ_64K);
	vconf = host_alloc(SZ_1M, SZ_64K);
	EXPECT(mem_give_guest(vpt + SZ_64K));
	EXPECT_DEATH(force(cmd_vmapp(7, rdbase(0), vpt, 20)), "a virtual pending table, owner");

	map_vpe(7, vpt);
	write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(vconf, 20));
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpt),
		     "a virtual pending table, owner");
}

static void b4_one_table_for_two(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	EXPECT_DEATH(force(cmd_vmapp(8, rdbase(0), vpt, VPE_BITS)), "have one pending table");

	load(rdists[0], 7, vpt, new_vconf());
	EXPECT_DEATH(load(rdists[1], 8, vpt, new_vconf()), "is resident twice");
}

/* What the table has no entry for is an error; a page that the host has not is not. */
static void b5_vpeid(void)
{
	phys_addr_t victim;

	start(ITS_GICV4_0);
	victim = test_victim(MEM_GUEST);
	EXPECT(!force(cmd_vmapp(LEVEL2_VPES, rdbase(0), new_vpt(), VPE_BITS)));
	EXPECT(!force(cmd_vmapp(GENMASK(15, 0), rdbase(0), new_vpt(), VPE_BITS)));
	EXPECT(mem_host_write(vpe_table + 8, victim | GITS_BASER_VALID));
	EXPECT_DEATH(force(cmd_vmapp(LEVEL2_VPES, rdbase(0), new_vpt(), VPE_BITS)),
		     "ITS accesses");
}

static void b6_map_over_live(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	EXPECT_DEATH(force(cmd_vmapp(7, rdbase(1), vpt, VPE_BITS)), "is mapped while it is");
	EXPECT_DEATH(force(cmd_vmapp(7, rdbase(0), new_vpt(), VPE_BITS)), "has two pending tables");
}

/* The memory goes to a protected VM while the redistributor still writes to it. */
static void b7_reclaim_at_once(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, new_vconf());
	write_vlpi(rdists[0], GICR_VPENDBASER, 0);
	EXPECT(force(cmd_vunmapp(7)));
	EXPECT(mem_give_guest(vpt));
	EXPECT_DEATH(test_read_vpendbaser(rdists[0]), "a virtual pending table, owner");
}

static void b8_resident_unregistered(void)
{
	start(ITS_GICV4_0);
	EXPECT_DEATH(load(rdists[0], 7, test_victim(MEM_GUEST), new_vconf()),
		     "a virtual pending table, owner");
	rdists[0]->confined = true;
	EXPECT_DEATH(load(rdists[0], 7, new_vpt(), new_vconf()), "a virtual pending table, owner");

	start(ITS_GICV4_1);
	EXPECT_DEATH(load(rdists[NR_RDISTS - 1], 7, 0, 0), "which is not mapped, becomes resident");
}

static void b9_changed_while_valid(void)
{
	phys_addr_t vpt, victim;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	victim = test_victim(MEM_GUEST);
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, new_vconf());
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, VALID | victim),
		     "a virtual pending table, owner");
}

/* The property table of a VM that is gone, whose memory another one has */
static void b10_stale_vpropbaser(void)
{
	phys_addr_t vpt, vconf;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	vconf = new_vconf();
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, vconf);
	put(rdists[0]);
	EXPECT(mem_give_guest(vconf));
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpt),
		     "a virtual property table, owner");
}

static void b11_unknown_rdbase(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	EXPECT_DEATH(force(cmd_vmapp(7, rdbase(NR_RDISTS), vpt, VPE_BITS)), "a redistributor at");
	map_vpe(7, vpt);
	EXPECT_DEATH(force(cmd_vmovp(7, rdbase(NR_RDISTS), BIT(0))), "a redistributor at");
}

/* One of two ITSs still sends to where the vPE was. */
static void b12_partial_vmovp(void)
{
	struct machine_config cfg = machine_default;
	phys_addr_t vpt, vconf;
	struct host_its *other;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	vconf = new_vconf();
	cfg.its.vpes = ITS_GICV4_0;
	other = its_start(&cfg);
	vpe_table = host_alloc(SZ_64K, SZ_64K);
	EXPECT(mem_host_write(vpe_table, host_alloc(SZ_64K, SZ_64K) | GITS_BASER_VALID));
	set_vpe_table(other);
	map_vpe(7, vpt);
	EXPECT(force_on(other, cmd_vmapp(7, rdbase(0), vpt, VPE_BITS)));

	EXPECT(force_on(other, cmd_vmovp(7, rdbase(1), BIT(1))));
	load(rdists[1], 7, vpt, vconf);
	EXPECT_DEATH(msi(), "is in use by another redistributor");
	EXPECT(force(cmd_vmovp(7, rdbase(1), BIT(0))));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
}

static void b13_false_alloc(void)
{
	struct machine_config cfg = machine_default;
	phys_addr_t vpt, vconf;
	struct host_its *other;
	struct cmd cmd;

	start(ITS_GICV4_1);
	vpt = new_vpt();
	vconf = new_vconf();
	EXPECT_DEATH(force(vmapp_v4_1(7, rdbase(0), vpt, vconf, false)), "Alloc is 0");

	EXPECT(mem_host_write(vpt + SZ_1K, 1));
	cmd = vmapp_v4_1(7, rdbase(0), vpt, vconf, true);
	cmd.raw[0] |= BIT_ULL(9);
	EXPECT_DEATH(force(cmd), "taken for zero");
	EXPECT(mem_host_write(vpt + SZ_1K, 0));
	EXPECT(force(cmd));
	EXPECT_DEATH(force(vmapp_v4_1(7, rdbase(0), vpt, vconf, false)), "is mapped while it is");

	/* Another ITS adds nothing, and the last one takes it away. */
	cfg.its.vpes = ITS_GICV4_1;
	other = its_start(&cfg);
	set_vpe_table(other);
	EXPECT_DEATH(force_on(other, vmapp_v4_1(7, rdbase(0), vpt, vconf, true)), "Alloc is 1");
	EXPECT(force_on(other, vmapp_v4_1(7, rdbase(0), vpt, vconf, false)));
	EXPECT_DEATH(force(vunmapp_v4_1(7, true)), "Alloc is 1 for vPE 7, which goes");
	EXPECT(force(vunmapp_v4_1(7, false)));
	EXPECT_DEATH(force_on(other, vunmapp_v4_1(7, false)), "Alloc is 0 for vPE 7, which goes");
	EXPECT(force_on(other, vunmapp_v4_1(7, true)));
	EXPECT(!force_on(other, cmd_vpe(GITS_CMD_VSYNC, 7)));
}

/* A redistributor that is asked about a vPE looks for it in its table. */
static void asked_about(void)
{
	u64 inv = GICR_INVLPIR_V | FIELD_PREP(GICR_INVLPIR_VPEID, 7);

	start(ITS_GICV4_1);
	EXPECT(force(vmapp_v4_1(7, rdbase(0), new_vpt(), new_vconf(), true)));
	EXPECT_DEATH(rdist_model_write(rdists[0], GICR_INVALLR, inv, 8), "without a table");
	write_vlpi(rdists[0], GICR_VPROPBASER, GICR_VPROPBASER_4_1_VALID | vpe_table);
	write_vlpi(rdists[1], GICR_VPROPBASER, GICR_VPROPBASER_4_1_VALID | vpe_table);
	rdist_model_write(rdists[0], GICR_INVALLR, inv, 8);
	rdist_model_write(rdists[0], GICR_INVLPIR, inv | VINTID, 8);
	EXPECT_DEATH(rdist_model_write(rdists[0], GICR_INVLPIR, inv | BIT(VPE_BITS), 8),
		     "of vPE 7 invalidated");
	EXPECT_DEATH(rdist_model_write(rdists[1], GICR_INVALLR, inv, 8), "is mapped elsewhere");
	EXPECT_DEATH(rdist_model_write(rdists[0], SZ_128K + GICR_VSGIR, 8, 4), "is not mapped");
	rdists[0]->vsgi_busy = 1;
	EXPECT_DEATH(rdist_model_write(rdists[0], SZ_128K + GICR_VSGIR, 7, 4), "is busy");
	rdists[0]->confined = true;
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPROPBASER, GICR_VPROPBASER_4_1_VALID | vpe_table),
		     "a table of vPEs, owner");
}

static void b14_cpu_edits_tables(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	EXPECT(mem_host_write(vpe_level2 + 8 * 8, 42));
	EXPECT_DEATH(force(cmd_vpe(GITS_CMD_VSYNC, 8)), "that it has not written");
	EXPECT(mem_host_write(vpe_table, test_victim(MEM_EL2) | GITS_BASER_VALID));
	EXPECT_DEATH(msi(), "ITS accesses");
}

/* Each version has bits and commands that the other has not. */
static void b15_other_version(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	EXPECT_DEATH(force(vmapp_v4_1(7, rdbase(0), vpt, new_vconf(), true)), "RES0 bits set");
	map_vpe(7, vpt);
	EXPECT_DEATH(force((struct cmd) {{ GITS_CMD_VMOVP, 7ULL << 32, BIT_ULL(63), DOORBELL }}),
		     "RES0 bits set");
	EXPECT_DEATH(force(cmd_vpe(GITS_CMD_INVDB, 7)), "an unknown command");
	EXPECT_DEATH(force(cmd_vpe(GITS_CMD_VSGI, 7)), "an unknown command");

	its->model->cfg.vpes = ITS_GICV4_1;
	EXPECT_DEATH(force(cmd_vmovp(7, rdbase(0), BIT(0))), "RES0 bits set");
}

/* The ITS knows how many interrupts there can be, not how many the vPE has room for. */
static void b16_vintid_and_doorbell(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	EXPECT(!force(cmd_vmapti(DEV, EVENT, 7, 8191, DOORBELL)));
	EXPECT(!force(cmd_vmapti(DEV, EVENT, 7, BIT(16), DOORBELL)));
	EXPECT(!force(cmd_vmapti(DEV, EVENT, 7, VINTID, 0)));
	EXPECT(!force(cmd_vmapti(DEV, EVENT, 7, VINTID, BIT(16))));
	EXPECT(force(cmd_vmapti(DEV, EVENT, 7, BIT(VPE_BITS), DOORBELL)));
	EXPECT_DEATH(msi(), "beyond the table");
}

static void b17_not_mapped(void)
{
	start(ITS_GICV4_0);
	EXPECT(!force(cmd_vmapti(DEV, EVENT, 7, VINTID, DOORBELL)));
	EXPECT(!force(cmd_vpe(GITS_CMD_VSYNC, 7)));
	EXPECT(!force(cmd_vpe(GITS_CMD_VINVALL, 7)));
	EXPECT(!force(cmd_vmovp(7, rdbase(1), BIT(0))));
	EXPECT(!force(cmd_vunmapp(7)));
	EXPECT_EQ(msi(), VLPI_NONE);
}

/* What the redistributor keeps at the start of the table, it trusts. */
static void b18_poisoned(void)
{
	phys_addr_t vpt, vconf;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	vconf = new_vconf();
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, vconf);
	put(rdists[0]);
	EXPECT(force(cmd_vunmapp(7)));
	EXPECT(mem_host_write(vpt, 42));
	EXPECT(force(cmd_vmapp(7, rdbase(0), vpt, VPE_BITS)));
	EXPECT_DEATH(load(rdists[0], 7, vpt, vconf), "that it has not written");
}

/* The vPE is unmapped and its table gone, and it is resident all the time. */
static void b19_teardown_reordered(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, new_vconf());
	EXPECT(force(cmd_vunmapp(7)));
	EXPECT(mem_give_guest(vpt));
	EXPECT_DEATH(write_vlpi(rdists[0], GICR_VPENDBASER, 0), "a virtual pending table, owner");
}

static void b20_for_another_guest(void)
{
	phys_addr_t vpt;

	start(ITS_GICV4_0);
	vpt = new_vpt();
	map_vpe(7, vpt);
	load(rdists[0], 7, vpt, new_vconf());
	rdists[0]->guest = 8;
	EXPECT_DEATH(msi(), "the guest of vPE 8 gets an interrupt of vPE 7");
}

const struct test vpe_tests[] = {
	TEST(delivery),
	TEST(waiting),
	TEST(disabled),
	TEST(moves),
	TEST(dirty_takes_time),
	TEST(v4_1),
	TEST(bad_commands),
	TEST(confined_tables),
	TEST(confined_residency),
	TEST(confined_release),
	TEST(b1_tables_over_el2),
	TEST(b1_tables_over_el2_v4_1),
	TEST(b2_tables_over_guest),
	TEST(b2_tables_over_guest_v4_1),
	TEST(b3_oversized),
	TEST(b4_one_table_for_two),
	TEST(b5_vpeid),
	TEST(b6_map_over_live),
	TEST(b7_reclaim_at_once),
	TEST(b8_resident_unregistered),
	TEST(b9_changed_while_valid),
	TEST(b10_stale_vpropbaser),
	TEST(b11_unknown_rdbase),
	TEST(b12_partial_vmovp),
	TEST(asked_about),
	TEST(b13_false_alloc),
	TEST(b14_cpu_edits_tables),
	TEST(b15_other_version),
	TEST(b16_vintid_and_doorbell),
	TEST(b17_not_mapped),
	TEST(b18_poisoned),
	TEST(b19_teardown_reordered),
	TEST(b20_for_another_guest),
	{}
};
