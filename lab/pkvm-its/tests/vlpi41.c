// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual LPIs of a GICv4.1 through EL2: what differs from GICv4.0 (tests/vlpi.c), for a host
 * that means well and for one that does not. No emulator has a GICv4.1: this model is all that
 * EL2's code for it has been tried on.
 */

#include <string.h>

#include <nvhe/mmio_guard.h>
#include <nvhe/vpe.h>

#include "../rdist-model.h"
#include "../vpe-model.h"
#include "test.h"

/* See its_model_rdbase(). */
#define RD_BASE		0x9000000ULL
#define NR_RDISTS	4
#define DEV		0x123
#define EVENT		3
#define EVENT_BITS	5
#define VPE		7
#define VINTID		8200
#define BITS		GIC_LPI_BITS
#define DOORBELL	8300
#define NO_DOORBELL	1023

#define VALID		GICR_VPENDBASER_Valid
#define PTZ		BIT_ULL(9)
#define ALLOC		BIT_ULL(8)

static struct host_its *its, *second;
static struct rdist_model *rdists[NR_RDISTS];
static phys_addr_t vpt, vprop;

static u64 rdbase(unsigned int nr)
{
	return its_model_rdbase(its->model, nr);
}

/* As the driver inherits it from an ITS */
static u64 vpropbaser(phys_addr_t table)
{
	return GICR_VPROPBASER_4_1_VALID | GICR_VPROPBASER_4_1_INDIRECT | table |
	       FIELD_PREP(GICR_VPROPBASER_4_1_PAGE_SIZE, GIC_PAGE_SIZE_64K) |
	       GICR_VPROPBASER_InnerShareable | GICR_VPROPBASER_RaWb;
}

static struct machine_config config(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.vpes = ITS_GICV4_1;

	return cfg;
}

static struct host_its *start_its(const struct machine_config *cfg)
{
	struct host_its *its = its_up(cfg);

	its_stage_level2(its, BASER_DEVICES, DEV);
	test_map(its, DEV, EVENT_BITS);

	return its;
}

static void start_gic(enum its_vpes vpes, u64 vpropbaser)
{
	unsigned int i;

	gic_add_region(RD_BASE, NR_RDISTS, GICR_TYPER_PLPIS | GICR_TYPER_VLPIS |
		       GICR_TYPER_DirectLPIS | (vpes == ITS_GICV4_1 ? GICR_TYPER_RVPEID : 0), 0);
	for (i = 0; i < NR_RDISTS; i++) {
		rdists[i] = gic.rdist[i];
		rdists[i]->typer |= i << 8 | (u64)i << 56 | (u64)i << 32;
		rdists[i]->vpes = vpes;
		rdists[i]->flushes = 2;
		rdists[i]->vpropbaser = vpropbaser;
		gic_enable(rdists[i]);
	}

	gic.vpes = true;
}

/* Two ITSs that share their table of vPEs with four redistributors */
static void up(void)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	cfg.shares = true;
	second = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]) | GICR_VPROPBASER_4_1_Z);
	EXPECT(!gic_hand_over());
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_VINTID_BITS), BITS);
	vprop = test_turn_on(its_alloc_vprop(), VINTID);
}

static phys_addr_t prepare(u32 vpeid)
{
	phys_addr_t vpt = its_alloc_vpt();

	its_stage_level2(its, BASER_VPES, vpeid);
	EXPECT(!__pkvm_vpe_prepare(vpeid, vpt, vprop));

	return vpt;
}

static struct cmd vmapp(u32 vpeid, unsigned int rdist, phys_addr_t vpt, bool alloc)
{
	return cmd_vmapp_v4_1(vpeid, rdbase(rdist), vpt, BITS, vprop, DOORBELL, alloc);
}

static struct cmd vunmapp(u32 vpeid, bool alloc)
{
	struct cmd cmd = cmd_vunmapp(vpeid);

	cmd.raw[0] |= alloc ? ALLOC : 0;

	return cmd;
}

static struct cmd vmovp(u32 vpeid, unsigned int rdist)
{
	return cmd_vmovp(vpeid, rdbase(rdist), 0);
}

/* A vPE that is mapped on both ITSs to redistributor 0, with an event of the first */
static void start_vpe(void)
{
	up();
	vpt = prepare(VPE);
	ACCEPT(its, vmapp(VPE, 0, vpt, true));
	ACCEPT(its, cmd_vpe(GITS_CMD_VINVALL, VPE));
	ACCEPT(second, vmapp(VPE, 0, vpt, false));
	ACCEPT(second, cmd_vpe(GITS_CMD_VINVALL, VPE));
	ACCEPT(its, cmd_vmapti(DEV, EVENT, VPE, VINTID, NO_DOORBELL));
}

static void unmap(void)
{
	ACCEPT(its, vunmapp(VPE, false));
	ACCEPT(second, vunmapp(VPE, true));
}

static bool write_rdist(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size)
{
	u64 was = __pkvm_rdists_stat(PKVM_RDISTS_WRITES_IGNORED);

	EXPECT(gic_write(rdist, offset, val, size));

	return __pkvm_rdists_stat(PKVM_RDISTS_WRITES_IGNORED) == was;
}

/* By its CPU */
static bool write_vlpi(struct rdist_model *rdist, u64 offset, u64 val)
{
	shim_cpu = GICR_TYPER_CPU_NUMBER(rdist->typer);

	return write_rdist(rdist, SZ_128K + offset, val, 8);
}

static bool is_resident(struct rdist_model *rdist)
{
	return rdist->vpendbaser & VALID;
}

static bool load_vpe(struct rdist_model *rdist, u32 vpeid)
{
	rdist->guest = vpeid;

	return write_vlpi(rdist, GICR_VPENDBASER, VALID | GICR_VPENDBASER_4_1_VGRP1EN | vpeid);
}

static bool load(struct rdist_model *rdist)
{
	return load_vpe(rdist, VPE);
}

static void put(struct rdist_model *rdist)
{
	EXPECT(write_vlpi(rdist, GICR_VPENDBASER, GICR_VPENDBASER_PendingLast));
	test_wait_clean(rdist);
}

static enum vlpi msi(void)
{
	return vpe_model_translate(its->model, DEV, EVENT);
}

static bool is_hosts(phys_addr_t phys)
{
	return mem_page(phys)->owner == MEM_HOST;
}

/*
 * What a host gets that means well
 */

static void delivery(void)
{
	start_vpe();
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	EXPECT(load(rdists[0]));
	EXPECT(is_resident(rdists[0]));
	EXPECT_EQ(rdists[0]->vlpis, 1);
	EXPECT_EQ(rdists[0]->vpendbaser, VALID | GICR_VPENDBASER_4_1_VGRP1EN | VPE);
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	put(rdists[0]);
	EXPECT(!rdists[0]->rings);
	EXPECT(test_read_vpendbaser(rdists[0]) & GICR_VPENDBASER_PendingLast);
	EXPECT_EQ(rdists[0]->vpendbaser & GICR_VPENDBASER_4_1_VPEID, VPE);

	/* A vCPU that goes to sleep asks for a doorbell. */
	EXPECT(load(rdists[0]));
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, GICR_VPENDBASER_4_1_DB |
			  GICR_VPENDBASER_4_1_VGRP1EN | (VPE + 1)));
	EXPECT(rdists[0]->rings);
	test_wait_clean(rdists[0]);
	EXPECT_EQ(rdists[0]->vpendbaser & GICR_VPENDBASER_4_1_VPEID, VPE);
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	ACCEPT(its, cmd_vpe(GITS_CMD_INVDB, VPE));
	EXPECT_EQ(rdists[0]->vlpis, 2);
}

static void moves(void)
{
	struct cmd cmd;

	start_vpe();
	EXPECT(load(rdists[0]));
	REFUSE(its, PKVM_ITS_REFUSED_VPE_RESIDENT, vmovp(VPE, 1));
	put(rdists[0]);
	cmd = vmovp(VPE, 1);
	cmd.raw[2] |= BIT_ULL(63);
	cmd.raw[3] = DOORBELL + 1;
	ACCEPT(second, cmd);
	EXPECT(!load(rdists[0]));
	EXPECT(load(rdists[1]));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	put(rdists[1]);

	/* Without DB there is no doorbell. List and sequence number go nowhere. */
	cmd = cmd_vmovp(VPE, rdbase(2), BIT(5));
	cmd.raw[0] |= 0x1234ULL << 32;
	cmd.raw[3] = DOORBELL;
	ACCEPT_AS(its, cmd, vmovp(VPE, 2));
	EXPECT(load(rdists[2]));
}

static void release(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	put(rdists[0]);
	DISCARD(its, DEV, EVENT);
	ACCEPT(its, vunmapp(VPE, false));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	ACCEPT(second, vunmapp(VPE, true));
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	EXPECT(is_hosts(vpt));
	EXPECT(!mem_page(vprop)->pins);
	EXPECT(!load(rdists[0]));

	/* The number is used again, for a vPE with other tables. */
	vpt = prepare(VPE);
	ACCEPT(second, vmapp(VPE, 0, vpt, true));
	EXPECT(load(rdists[0]));
}

/* The state of a vPE that is unmapped for a while can be read. */
static void pending_state(void)
{
	start_vpe();
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	unmap();
	EXPECT_EQ(__pkvm_vpe_is_pending(VPE, VINTID), 1);
	EXPECT_EQ(__pkvm_vpe_is_pending(VPE, VINTID + 1), 0);
	EXPECT_EQ(__pkvm_vpe_is_pending(VPE, 8191), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_is_pending(VPE, BIT(BITS)), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_is_pending(VPE, BIT(BITS) - 1), 0);
	EXPECT_EQ(__pkvm_vpe_is_pending(VPE, ~0U), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_is_pending(VPE + 1, VINTID), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_is_pending(BIT(16), VINTID), -EINVAL);
	ACCEPT(its, vmapp(VPE, 0, vpt, true));
	EXPECT(load(rdists[0]));
	EXPECT_EQ(rdists[0]->vlpis, 1);
}

static void along_with_vcpu(void)
{
	start_vpe();
	shim_cpu = 0;
	rdists[0]->guest = VPE;
	vpe_load_local(~0ULL, VALID | VPE);
	EXPECT(is_resident(rdists[0]));
	EXPECT_EQ(rdists[0]->vpropbaser, vpropbaser(its->tables[BASER_VPES]));
	vpe_put_local();
	EXPECT(!is_resident(rdists[0]));
	EXPECT(!rdists[0]->rings);
	test_wait_clean(rdists[0]);
	shim_cpu = 1;
	vpe_load_local(0, VALID | VPE);
	EXPECT(!is_resident(rdists[1]));
}

static void vsgis(void)
{
	struct cmd cmd = {{ GITS_CMD_VSGI | 5ULL << 32 | 0xaULL << 20 | BIT(10) | BIT(8),
			    (u64)VPE << 32 }};

	start_vpe();
	ACCEPT(its, cmd);
	EXPECT_EQ(vpe_model_sgi_config(its->model, VPE, 5), 0xa << 20 | BIT(10) | BIT(8));
	EXPECT(vpe_model_sgi(its->model, VPE, 5));

	/* What is not known of the command goes nowhere. There is no vINTID above 15. */
	cmd.raw[0] |= GENMASK_ULL(63, 36) | GENMASK_ULL(31, 24) | GENMASK_ULL(19, 11);
	cmd.raw[1] |= GENMASK_ULL(63, 48) | GENMASK_ULL(31, 0);
	cmd.raw[2] = ~0ULL;
	cmd.raw[3] = ~0ULL;
	ACCEPT_AS(its, cmd, ((struct cmd) {{ GITS_CMD_VSGI | 5ULL << 32 | 0xaULL << 20 | BIT(10) |
					     BIT(8), (u64)VPE << 32 }}));

	EXPECT(write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE, 4));
	EXPECT_EQ(rdists[0]->vsgis, BIT(5));
	ACCEPT(its, ((struct cmd) {{ GITS_CMD_VSGI | 5ULL << 32 | BIT(9), (u64)VPE << 32 }}));
	EXPECT(write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE | ~0U << 16, 4));
	EXPECT_EQ(rdists[0]->vsgis, 0);
	rdists[0]->vsgi_busy = 2;
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE, 4));
}

static void invalidates(void)
{
	u64 inv = GICR_INVLPIR_V | FIELD_PREP(GICR_INVLPIR_VPEID, VPE);

	start_vpe();
	EXPECT(write_rdist(rdists[0], GICR_INVLPIR, inv | VINTID | GENMASK_ULL(62, 48), 8));
	EXPECT_EQ(rdists[0]->last_intid, (u32)VINTID);
	EXPECT(write_rdist(rdists[0], GICR_INVALLR, inv | VINTID, 8));
	EXPECT_EQ(rdists[0]->last_lpir, GICR_INVALLR);

	EXPECT(!write_rdist(rdists[1], GICR_INVALLR, inv, 8));

	/* The host's own LPIs as before, and by halves: then V is not there. */
	EXPECT(write_rdist(rdists[0], GICR_INVLPIR, VINTID, 4));
	EXPECT(write_rdist(rdists[0], GICR_INVALLR, 0, 8));
}

/* The tables stay while a redistributor may read them for what it was asked to do. */
static void answers_late(void)
{
	u64 inv = GICR_INVLPIR_V | FIELD_PREP(GICR_INVLPIR_VPEID, VPE);

	start_vpe();
	EXPECT(write_rdist(rdists[0], GICR_INVALLR, inv, 8));
	rdists[0]->inv_busy = 4;
	EXPECT(!write_rdist(rdists[0], GICR_INVALLR, inv, 8));
	unmap();
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT(!__pkvm_vpe_reclaim(VPE));

	machine_reset();
	start_vpe();
	EXPECT(write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE, 4));
	rdists[0]->vsgi_busy = 1;
	unmap();
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT(!__pkvm_vpe_reclaim(VPE));

	/* What the host does about its own LPIs later on is not for the vPE. */
	machine_reset();
	start_vpe();
	EXPECT(write_rdist(rdists[0], GICR_INVALLR, inv, 8));
	unmap();
	EXPECT(write_rdist(rdists[0], GICR_INVALLR, 0, 8));
	rdists[0]->inv_busy = 1;
	EXPECT(!__pkvm_vpe_reclaim(VPE));
}

/* A redistributor that has lost power gets its table from firmware, or never again. */
static void lost_power(void)
{
	u64 inv = GICR_INVLPIR_V | FIELD_PREP(GICR_INVLPIR_VPEID, VPE);
	u64 committed;

	start_vpe();
	committed = rdists[0]->vpropbaser;
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	rdist_model_power_cycle(rdists[0]);
	EXPECT(!load(rdists[0]));
	EXPECT(!write_rdist(rdists[0], GICR_INVALLR, inv, 8));
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE, 4));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, 0));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, committed));
	EXPECT(!rdists[0]->vpropbaser);
	rdists[0]->vpropbaser = committed;
	EXPECT(write_rdist(rdists[0], GICR_INVALLR, inv, 8));
	EXPECT(load(rdists[0]));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, committed));
}

static void suspend(void)
{
	its_write(its, GITS_CTLR, 0, 4);
	its_write(second, GITS_CTLR, 0, 4);
	EXPECT(pkvm_its_suspend(HOST_CPU(0)));
	pkvm_its_resume(HOST_CPU(0));
	test_restart(its);
	test_restart(second);
}

/* A vPE that has not been resident before the system is suspended can be so afterwards. */
static void suspended(void)
{
	start_vpe();
	suspend();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	ACCEPT(second, vmovp(VPE, 1));
	EXPECT(load(rdists[1]));
}

/* So can one that is moved before. Only a VSYNC follows the VMOVP. */
static void suspended_after_move(void)
{
	start_vpe();
	ACCEPT(its, vmovp(VPE, 2));
	ACCEPT(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	suspend();
	EXPECT(load(rdists[2]));
}

/* A redistributor that ignores the upper bits of a vPEID takes two vPEs for one. */
static void b5_vpeid_width(void)
{
	struct machine_config cfg = config();

	cfg.its.vpeid_bits = 3;
	its = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]));
	EXPECT(!gic_hand_over());
	vprop = test_turn_on(its_alloc_vprop(), VINTID);
	its_stage_level2(its, BASER_VPES, VPE + 8);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 8, its_alloc_vpt(), vprop), -EINVAL);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, vmapp(VPE + 8, 0, its_alloc_vpt(), true));
	vpt = prepare(VPE);
	ACCEPT(its, vmapp(VPE, 0, vpt, true));
	EXPECT(load(rdists[0]));
}

/* A redistributor reads level-2 pages, and may drive fewer address bits than the ITS. */
static void level2_in_reach(void)
{
	struct machine_config cfg = config();
	phys_addr_t high;

	its = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]));
	rdists[2]->addr_mask = GENMASK_ULL(31, 12);
	EXPECT(!gic_hand_over());
	vprop = test_turn_on(its_alloc_vprop(), VINTID);
	vpt = its_alloc_vpt();
	high = host_alloc_high(SZ_64K, SZ_64K);
	its_stage_level1_entry(its, BASER_VPES, VPE, high | GITS_BASER_VALID);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, vpt, vprop), -EINVAL);

	/* It stays EL2's. */
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, vpt, vprop), -EINVAL);
}

/* ITSs with tables of their own, and redistributors that have one or the other */
static void two_tables(void)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	second = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]));
	rdists[3]->vpropbaser = vpropbaser(second->tables[BASER_VPES]);
	EXPECT(!gic_hand_over());
	vprop = test_turn_on(its_alloc_vprop(), VINTID);
	its_stage_level2(second, BASER_VPES, VPE);
	vpt = prepare(VPE);
	ACCEPT(its, vmapp(VPE, 3, vpt, true));
	/* This one has the table of the other ITS. */
	EXPECT(!load(rdists[3]));
	EXPECT(!write_rdist(rdists[3], SZ_128K + GICR_VSGIR, VPE, 4));
	ACCEPT(second, vmapp(VPE, 3, vpt, false));
	EXPECT(load(rdists[3]));
	put(rdists[3]);
	ACCEPT(second, vmovp(VPE, 0));
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	ACCEPT(its, vmovp(VPE, 3));
	EXPECT(load(rdists[3]));
	put(rdists[3]);
	ACCEPT(second, vunmapp(VPE, false));
	ACCEPT(its, vunmapp(VPE, true));
	EXPECT(!__pkvm_vpe_reclaim(VPE));
}

/* A hand-over that fails half way */
static void unregister(void)
{
	struct machine_config cfg = config();

	its = its_start(&cfg);
	cfg.shares = true;
	second = its_start(&cfg);
	EXPECT(!its_register(its));
	EXPECT(!its_register(second));
	EXPECT(el2_its(second->id)->vpes);
	/* The table is there until none has it any more. */
	EXPECT_EQ(its_unregister(its), -EINVAL);
	EXPECT(!its_unregister(second));
	EXPECT(!its_unregister(its));

	machine_reset();
	cfg.shares = false;
	its = its_start(&cfg);
	cfg.shares = true;
	second = its_start(&cfg);
	EXPECT(!its_register(its));
	EXPECT(!its_hand_over(second));
	EXPECT_EQ(its_unregister(its), -EINVAL);
	EXPECT(!its_activate(its));
}

static void hand_over_undone(void)
{
	struct machine_config cfg = config();
	u64 was;

	its = start_its(&cfg);
	was = vpropbaser(its->tables[BASER_VPES]);
	start_gic(ITS_GICV4_1, was);
	rdists[3]->ctlr = 0;
	EXPECT(gic_hand_over());
	EXPECT_EQ(rdists[0]->vpropbaser, was);
	EXPECT_EQ(rdists[2]->vpropbaser, was);
}

/*
 * Attacks
 */

/* Alloc and PTZ are EL2's to decide, whatever the host says. */
static void b13_false_alloc(void)
{
	struct cmd cmd;

	up();
	vpt = prepare(VPE);
	cmd = vmapp(VPE, 0, vpt, false);
	cmd.raw[0] |= PTZ;
	ACCEPT_AS(its, cmd, vmapp(VPE, 0, vpt, true));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, vmapp(VPE, 0, vpt, true));
	ACCEPT_AS(second, vmapp(VPE, 0, vpt, true), vmapp(VPE, 0, vpt, false));
	ACCEPT_AS(its, vunmapp(VPE, true), vunmapp(VPE, false));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, vunmapp(VPE, true));
	ACCEPT_AS(second, vunmapp(VPE, false), vunmapp(VPE, true));
	ACCEPT_AS(second, vmapp(VPE, 0, vpt, false), vmapp(VPE, 0, vpt, true));
}

/* The queues of two ITSs keep no order: the second must not overtake the first. */
static void b13_overtaking(void)
{
	up();
	vpt = prepare(VPE);
	its->model->pace = ITS_STALLED;
	its_stage(its, vmapp(VPE, 0, vpt, true));
	its_ring(its);
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, false));
	EXPECT(!load(rdists[0]));
	its_model_step(its->model, 1);
	ACCEPT(second, vmapp(VPE, 0, vpt, false));
	EXPECT(load(rdists[0]));
	put(rdists[0]);

	its_stage(its, vmovp(VPE, 1));
	its_ring(its);
	EXPECT(!load(rdists[0]));
	EXPECT(!load(rdists[1]));
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmovp(VPE, 2));
	its_model_step(its->model, 1);
	EXPECT(load(rdists[1]));
	put(rdists[1]);
	ACCEPT(second, vmovp(VPE, 2));

	its_stage(its, vunmapp(VPE, false));
	its_ring(its);
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vunmapp(VPE, true));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	its_model_step(its->model, 1);
	ACCEPT(second, vunmapp(VPE, true));
	EXPECT(!__pkvm_vpe_reclaim(VPE));
}

/* Nor must a command be taken for executed that a queue has lost, or that is not enabled. */
static void b13_lost(void)
{
	up();
	vpt = prepare(VPE);
	its->model->pace = ITS_STALLED;
	its_stage(its, vmapp(VPE, 0, vpt, true));
	its_ring(its);
	its_write(its, GITS_CTLR, 0, 4);
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, false));
	test_restart(its);
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, false));
	EXPECT(!load(rdists[0]));
	its->model->pace = ITS_AT_ONCE;
	ACCEPT(its, cmd_sync(rdbase(0)));
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, false));
	EXPECT(!load(rdists[0]));
}

/* Neither a VMOVP nor another VMAPP makes up for one that was lost: Alloc would be wrong. */
static void b13_lost_moved(void)
{
	up();
	vpt = prepare(VPE);
	ACCEPT(second, vmapp(VPE, 1, vpt, true));
	its->model->pace = ITS_STALLED;
	its_stage(its, vmapp(VPE, 1, vpt, false));
	its_ring(its);
	its_write(its, GITS_CTLR, 0, 4);
	test_restart(its);
	its->model->pace = ITS_AT_ONCE;
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, vmovp(VPE, 1));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, vunmapp(VPE, false));
	EXPECT(!load(rdists[1]));
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vunmapp(VPE, true));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
}

/* Nor does an unmap hide that a VMOVP, which is for both ITSs, was lost, or is pending. */
static void b13_moved_unmapped(void)
{
	start_vpe();
	its->model->pace = ITS_STALLED;
	its_stage(its, vmovp(VPE, 1));
	its_stage(its, vunmapp(VPE, false));
	its_ring(its);
	EXPECT(!load(rdists[1]));
	its_model_step(its->model, 1);
	EXPECT(!load(rdists[1]));
	its_model_step(its->model, 1);
	EXPECT(load(rdists[1]));
	put(rdists[1]);
}

static void b13_lost_move(void)
{
	start_vpe();
	its->model->pace = ITS_STALLED;
	its_stage(its, vmovp(VPE, 1));
	its_ring(its);
	its_write(its, GITS_CTLR, 0, 4);
	test_restart(its);
	its->model->pace = ITS_AT_ONCE;
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, vunmapp(VPE, false));
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vunmapp(VPE, false));
	EXPECT(!load(rdists[0]));
	EXPECT(!load(rdists[1]));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
}

/* An ITS that has lost power has CREADR at zero, and firmware may have restored the rest. */
static void b13_lost_power(void)
{
	u64 cbaser;

	up();
	vpt = prepare(VPE);
	while (its->next != its_nr_slots(its) - 1)
		ACCEPT(its, cmd_sync(rdbase(0)));
	its->model->pace = ITS_STALLED;
	its_stage(its, vmapp(VPE, 0, vpt, true));
	its_stage(its, cmd_sync(rdbase(0)));
	its_ring(its);
	its->model->creadr = 0;
	its->model->ctlr &= ~GITS_CTLR_ENABLE;
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, false));
	its->model->ctlr |= GITS_CTLR_ENABLE;
	cbaser = its->model->cbaser;
	its->model->cbaser = 0;
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, false));
	its->model->cbaser = cbaser;

	/* Where it was, it has not executed that. */
	its->model->creadr = (its_nr_slots(its) - 1) * 32;
	REFUSE(second, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, false));
	its_model_step(its->model, 1);
	ACCEPT(second, vmapp(VPE, 0, vpt, false));
}

/* Where the queue begins anew, and where it wraps, what has been executed is known. */
static void b13_rounds(void)
{
	unsigned int i;

	up();
	its_write(its, GITS_CTLR, 0, 4);
	test_restart(its);
	vpt = prepare(VPE);
	for (i = 0; i < its_nr_slots(its) + 10; i++) {
		ACCEPT(its, vmapp(VPE, 0, vpt, true));
		ACCEPT(second, vmapp(VPE, 0, vpt, false));
		EXPECT(load(rdists[0]));
		put(rdists[0]);
		ACCEPT(second, vunmapp(VPE, false));
		ACCEPT(its, vunmapp(VPE, true));
		if (i % 50 == 7)
			ACCEPT(its, cmd_sync(rdbase(0)));
	}
}

static void b7_reclaim_at_once(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	/* The redistributor still writes to the table. */
	REFUSE(its, PKVM_ITS_REFUSED_VPE_RESIDENT, vunmapp(VPE, false));
	test_wait_clean(rdists[0]);
	ACCEPT(its, vunmapp(VPE, false));
	second->model->pace = ITS_STALLED;
	its_stage(second, vunmapp(VPE, true));
	its_ring(second);
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT(!mem_give_guest(vpt));
	/* Nor does it come back before the ITS knows. */
	REFUSE(its, PKVM_ITS_REFUSED_VPE_PENDING, vmapp(VPE, 0, vpt, true));
	EXPECT(!load(rdists[0]));
	its_model_step(second->model, 1);
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	EXPECT(is_hosts(vpt));
	EXPECT(!load(rdists[0]));
}

/* A number that was given to another vPE, whose VMAPP the ITS has not seen */
static void b7_number_again(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	unmap();
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	vpt = prepare(VPE);
	EXPECT(!load(rdists[0]));
	its->model->pace = ITS_STALLED;
	its_stage(its, vmapp(VPE, 0, vpt, true));
	its_ring(its);
	EXPECT(!load(rdists[0]));
	shim_cpu = 0;
	vpe_load_local(0, VALID | VPE);
	EXPECT(!is_resident(rdists[0]));
	its_model_step(its->model, 1);
	EXPECT(load(rdists[0]));
}

static void b8_two_redistributors(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	EXPECT(!load(rdists[1]));
	EXPECT(!write_vlpi(rdists[0], GICR_VPENDBASER, VALID | VPE));
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	ACCEPT(its, vmovp(VPE, 1));
	/* Dirty where it was */
	EXPECT(!load(rdists[1]));
	EXPECT(!load(rdists[0]));
	test_wait_clean(rdists[0]);
	EXPECT(load(rdists[1]));
	EXPECT(!load(rdists[0]));
}

static void b8_unregistered(void)
{
	start_vpe();
	prepare(VPE + 1);
	EXPECT(!load_vpe(rdists[0], VPE + 1));
	EXPECT(!load_vpe(rdists[0], VPE + 2));
	EXPECT(!load_vpe(rdists[0], GENMASK(15, 0)));
	EXPECT(!is_resident(rdists[0]));
}

/* A table that no ITS has: the redistributor goes without, and so does the machine. */
static void own_table(u64 val)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]));
	rdists[1]->vpropbaser = val ?: vpropbaser(host_alloc(SZ_64K, SZ_64K));
	rdists[1]->vpropbaser ^= val ? rdists[0]->vpropbaser : 0;
	val = rdists[1]->vpropbaser;
	EXPECT(!gic_hand_over());
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_VINTID_BITS), 0);
	EXPECT_EQ(rdists[1]->vpropbaser, val & ~GICR_VPROPBASER_4_1_VALID);
	its_stage_level2(its, BASER_VPES, VPE);
	vprop = its_alloc_vprop();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, its_alloc_vpt(), vprop), -EINVAL);
	EXPECT(!write_vlpi(rdists[1], GICR_VPROPBASER, val));
	EXPECT(!write_vlpi(rdists[1], GICR_VPROPBASER, rdists[0]->vpropbaser));
	EXPECT(!load(rdists[1]));
	EXPECT_EQ(rdists[1]->vpropbaser, val & ~GICR_VPROPBASER_4_1_VALID);
}

static void b10_own_table(void)
{
	own_table(0);
}

/* The same memory, seen with other eyes: entries would be elsewhere. */
static void b10_other_format(void)
{
	static const u64 differ[] = {
		GICR_VPROPBASER_4_1_INDIRECT,
		BIT_ULL(53),	/* page size */
		BIT_ULL(0),	/* size */
		BIT_ULL(59),	/* entry size */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(differ); i++) {
		machine_reset();
		own_table(differ[i]);
	}
}

static void b10_another_table(void)
{
	phys_addr_t level2;
	u64 committed;

	start_vpe();
	committed = rdists[0]->vpropbaser;
	level2 = its_stage_level2(its, BASER_VPES, VPE);
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(host_alloc(SZ_64K, SZ_64K))));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(test_victim(MEM_GUEST))));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(level2)));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(its->tables[BASER_DEVICES])));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, committed ^ GICR_VPROPBASER_4_1_INDIRECT));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, committed + 1));
	EXPECT_EQ(rdists[0]->vpropbaser, committed);
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VPROPBASER, committed, 4));
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VPENDBASER + 4, VALID >> 32, 4));
}

/* An ITS whose idea of the table differs is not handed over. */
static void b10_shared_with_other_format(void)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	cfg.shares = true;
	second = its_start(&cfg);
	second->model->baser[BASER_VPES] ^= GITS_BASER_INDIRECT;
	second->cfg.vpes.indirect = false;
	EXPECT_EQ(its_hand_over(second), -EINVAL);
}

/* Each version has forms that the other has not. */
static void b15_other_version(void)
{
	struct cmd cmd;

	start_vpe();
	unmap();
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED,
	       cmd_vmapp_v4_1(VPE, rdbase(0), vpt, BITS, vpt, DOORBELL, true));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED,
	       cmd_vmapp_v4_1(VPE, rdbase(0), vprop, BITS, vprop, DOORBELL, true));
	ACCEPT(its, vmapp(VPE, 0, vpt, true));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_vmapti(DEV, EVENT, VPE, VINTID, DOORBELL));
	cmd = cmd_vmovi(DEV, EVENT, VPE);
	cmd.raw[2] = 1 | (u64)DOORBELL << 32;
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_SUPPORTED,
	       cmd_vpe(GITS_CMD_GICv4(GITS_CMD_MAPI), VPE));
	cmd = vunmapp(VPE, true);
	cmd.raw[0] |= vprop;
	cmd.raw[1] |= DOORBELL;
	ACCEPT_AS(its, cmd, vunmapp(VPE, true));
}

/* The redistributors are confined, and there are no vPEs. */
static void expect_no_vpes(void)
{
	EXPECT(!gic_hand_over());
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_VINTID_BITS), 0);
	its_stage_level2(its, BASER_VPES, VPE);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, its_alloc_vpt(), its_alloc_vprop()), -EINVAL);
}

static void b15_mixed(void)
{
	struct machine_config cfg = config();

	/* A GICv4.0 ITS and GICv4.1 redistributors */
	cfg.its.vpes = ITS_GICV4_0;
	its = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]));
	expect_no_vpes();

	/* The other way round */
	machine_reset();
	cfg = config();
	its = start_its(&cfg);
	start_gic(ITS_GICV4_0, BITS - 1);
	expect_no_vpes();

	/* ITSs of both */
	machine_reset();
	its = start_its(&cfg);
	cfg.its.vpes = ITS_GICV4_0;
	second = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]));
	its_stage_level2(second, BASER_VPES, VPE);
	expect_no_vpes();
}

/* ITSs that move a vPE together may wait for a command that EL2 would not let them have. */
static void b15_without_vmovp(void)
{
	struct machine_config cfg = config();

	cfg.its.vmovp_list = true;
	its = start_its(&cfg);
	start_gic(ITS_GICV4_1, vpropbaser(its->tables[BASER_VPES]));
	expect_no_vpes();
}

static void b16_doorbell(void)
{
	struct cmd cmd;

	start_vpe();
	cmd = vmovp(VPE, 1);
	cmd.raw[2] |= BIT_ULL(63);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd);
	cmd.raw[3] = BIT(BITS);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd);
	cmd.raw[3] = NO_DOORBELL;
	ACCEPT(its, cmd);
	unmap();
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID,
	       cmd_vmapp_v4_1(VPE, rdbase(0), vpt, BITS, vprop, 8191, true));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID,
	       cmd_vmapp_v4_1(VPE, rdbase(0), vpt, BITS, vprop, BIT(BITS), true));
	ACCEPT(its, cmd_vmapp_v4_1(VPE, rdbase(0), vpt, BITS, vprop, NO_DOORBELL, true));
	/* All have it at the same place. */
	REFUSE(second, PKVM_ITS_REFUSED_BAD_RDBASE, vmapp(VPE, 1, vpt, false));
}

static void b17_not_mapped(void)
{
	u64 inv = GICR_INVLPIR_V | FIELD_PREP(GICR_INVLPIR_VPEID, VPE);

	start_vpe();
	prepare(VPE + 1);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vpe(GITS_CMD_INVDB, VPE + 1));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vpe(GITS_CMD_VSGI, VPE + 1));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vpe(GITS_CMD_INVDB, VPE + 2));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vpe(GITS_CMD_VSGI, VPE + 2));

	/* Not even if it is mapped on another ITS */
	ACCEPT(second, vunmapp(VPE, false));
	REFUSE(second, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vpe(GITS_CMD_INVDB, VPE));
	REFUSE(second, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vpe(GITS_CMD_VSGI, VPE));

	EXPECT(!write_rdist(rdists[0], GICR_INVALLR, inv + BIT_ULL(32), 8));
	EXPECT(!write_rdist(rdists[0], GICR_INVLPIR, (inv + BIT_ULL(33)) | VINTID, 8));
	EXPECT(!write_rdist(rdists[0], GICR_INVLPIR, inv | 8191, 8));
	EXPECT(!write_rdist(rdists[0], GICR_INVLPIR, inv | BIT(BITS), 8));
	EXPECT(!write_rdist(rdists[0], GICR_SETLPIR, inv | VINTID, 8));
	EXPECT(!write_rdist(rdists[0], GICR_CLRLPIR, inv | VINTID, 8));
	EXPECT(!write_rdist(rdists[1], GICR_INVALLR, inv, 8));
	EXPECT(!write_rdist(rdists[1], SZ_128K + GICR_VSGIR, VPE, 4));
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE + 1, 4));
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE + 2, 4));
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VSGIPENDR, VPE, 4));
	ACCEPT(its, vunmapp(VPE, true));
	EXPECT(!write_rdist(rdists[0], SZ_128K + GICR_VSGIR, VPE, 4));
	EXPECT(!write_rdist(rdists[0], GICR_INVALLR, inv, 8));
}

static void b19_teardown_reordered(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	REFUSE(its, PKVM_ITS_REFUSED_VPE_RESIDENT, vunmapp(VPE, false));
	REFUSE(second, PKVM_ITS_REFUSED_VPE_RESIDENT, vunmapp(VPE, false));
	put(rdists[0]);
	unmap();
	EXPECT(!load(rdists[0]));
	EXPECT(!__pkvm_vpe_reclaim(VPE));
}

const struct test vlpi41_tests[] = {
	TEST(delivery),
	TEST(moves),
	TEST(release),
	TEST(pending_state),
	TEST(along_with_vcpu),
	TEST(vsgis),
	TEST(invalidates),
	TEST(answers_late),
	TEST(lost_power),
	TEST(suspended),
	TEST(suspended_after_move),
	TEST(level2_in_reach),
	TEST(two_tables),
	TEST(unregister),
	TEST(hand_over_undone),
	TEST(b5_vpeid_width),
	TEST(b7_reclaim_at_once),
	TEST(b7_number_again),
	TEST(b8_two_redistributors),
	TEST(b8_unregistered),
	TEST(b10_own_table),
	TEST(b10_other_format),
	TEST(b10_another_table),
	TEST(b10_shared_with_other_format),
	TEST(b13_false_alloc),
	TEST(b13_overtaking),
	TEST(b13_lost),
	TEST(b13_lost_moved),
	TEST(b13_moved_unmapped),
	TEST(b13_lost_move),
	TEST(b13_lost_power),
	TEST(b13_rounds),
	TEST(b15_other_version),
	TEST(b15_mixed),
	TEST(b15_without_vmovp),
	TEST(b16_doorbell),
	TEST(b17_not_mapped),
	TEST(b19_teardown_reordered),
	{}
};
