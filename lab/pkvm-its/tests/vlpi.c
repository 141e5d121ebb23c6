// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual LPIs through EL2: what a host that means well gets, and that each attack of
 * tests/vpe.c, which works on a GIC that is not confined, does not.
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
#define LEVEL2_VPES	(SZ_64K / 8)

#define VALID		GICR_VPENDBASER_Valid

static struct host_its *its;
static struct rdist_model *rdists[NR_RDISTS];
static phys_addr_t vpt, vprop;

static u64 rdbase(unsigned int nr)
{
	return its_model_rdbase(its->model, nr);
}

static u64 vpropbaser(phys_addr_t vprop)
{
	return vprop | (BITS - 1) | GICR_VPROPBASER_InnerShareable | GICR_VPROPBASER_RaWb;
}

static u64 vpendbaser(phys_addr_t vpt)
{
	return vpt | GICR_VPENDBASER_InnerShareable | GICR_VPENDBASER_RaWaWb;
}

/* A property table in which VINTID is on */
static phys_addr_t new_vprop(void)
{
	return test_turn_on(its_alloc_vprop(), VINTID);
}

static void start_gic(enum its_vpes vpes)
{
	unsigned int i;

	gic_add_region(RD_BASE, NR_RDISTS, GICR_TYPER_PLPIS | GICR_TYPER_VLPIS |
		       (vpes == ITS_GICV4_1 ? GICR_TYPER_RVPEID : 0), 0);
	for (i = 0; i < NR_RDISTS; i++) {
		rdists[i] = gic.rdist[i];
		rdists[i]->typer |= i << 8 | (u64)i << 56 | (u64)i << 32;
		rdists[i]->vpes = vpes;
		rdists[i]->flushes = 2;
		rdists[i]->vpropbaser = BITS - 1;
		gic_enable(rdists[i]);
	}

	gic.vpes = true;
}

static struct host_its *start_its(const struct machine_config *cfg)
{
	struct host_its *its = its_up(cfg);

	its_stage_level2(its, BASER_DEVICES, DEV);
	test_map(its, DEV, EVENT_BITS);

	return its;
}

static struct machine_config config(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.vpes = ITS_GICV4_0;

	return cfg;
}

/* Confined ITS and redistributors, with one device */
static void up(const struct machine_config *cfg)
{
	its = start_its(cfg);
	start_gic(ITS_GICV4_0);
	EXPECT(!gic_hand_over());
}

static phys_addr_t prepare(u32 vpeid)
{
	phys_addr_t vpt = its_alloc_vpt();

	its_stage_level2(its, BASER_VPES, vpeid);
	EXPECT(!__pkvm_vpe_prepare(vpeid, vpt, vprop));
	EXPECT(vpe_get(vpeid));

	return vpt;
}

/* A vPE that is mapped on redistributor 0, with an event */
static void start_vpe(void)
{
	struct machine_config cfg = config();

	up(&cfg);
	vprop = new_vprop();
	vpt = prepare(VPE);
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	ACCEPT(its, cmd_vpe(GITS_CMD_VINVALL, VPE));
	ACCEPT(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	ACCEPT(its, cmd_vmapti(DEV, EVENT, VPE, VINTID, DOORBELL));
}

static u64 ignored(void)
{
	return __pkvm_rdists_stat(PKVM_RDISTS_WRITES_IGNORED);
}

/* The host's write to the frame of virtual LPIs. False if EL2 ignores it. */
/* By its CPU */
static bool write_vlpi(struct rdist_model *rdist, u64 offset, u64 val)
{
	u64 was = ignored();

	shim_cpu = GICR_TYPER_CPU_NUMBER(rdist->typer);
	EXPECT(gic_write(rdist, SZ_128K + offset, val, 8));

	return ignored() == was;
}

static bool load_with(struct rdist_model *rdist, u32 vpeid, phys_addr_t vpt, phys_addr_t vprop)
{
	rdist->guest = vpeid;

	return write_vlpi(rdist, GICR_VPROPBASER, vpropbaser(vprop)) &&
	       write_vlpi(rdist, GICR_VPENDBASER,
			  VALID | GICR_VPENDBASER_PendingLast | vpendbaser(vpt));
}

static bool load(struct rdist_model *rdist)
{
	return load_with(rdist, VPE, vpt, vprop);
}

static void put(struct rdist_model *rdist)
{
	EXPECT(write_vlpi(rdist, GICR_VPENDBASER, test_read_vpendbaser(rdist) & ~VALID));
	test_wait_clean(rdist);
}

static bool is_resident(struct rdist_model *rdist)
{
	return rdist->vpendbaser & VALID;
}

static enum vlpi msi(void)
{
	return vpe_model_translate(its->model, DEV, EVENT);
}

static void unmap(void)
{
	ACCEPT(its, cmd_vunmapp(VPE));
	its_stage(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(its);
	its_model_step(its->model, UINT_MAX);
}

static bool is_hosts(phys_addr_t phys, u64 size)
{
	phys_addr_t at;

	for (at = phys; at < phys + size; at += PAGE_SIZE) {
		if (mem_page(at)->owner != MEM_HOST)
			return false;
	}

	return true;
}

static bool is_pinned(phys_addr_t phys, unsigned int pins)
{
	phys_addr_t at;

	for (at = phys; at < phys + BIT(BITS) - 8192; at += PAGE_SIZE) {
		if (mem_page(at)->pins != pins)
			return false;
	}

	return true;
}

/* The pending table is the host's again, and nothing has its address. */
static void expect_released(void)
{
	EXPECT(is_hosts(vpt, its_staging_vpt_size(BITS)));
	EXPECT(is_pinned(vprop, 0));
	EXPECT(!vpe_get(VPE));
	EXPECT_EQ(rdists[0]->vpendbaser, 0);
	EXPECT_EQ(rdists[0]->vpropbaser, BITS - 1);
}

/* Along with a vCPU, on the CPU of a redistributor. False if EL2 does not do it. */
static bool load_on(unsigned int cpu)
{
	shim_cpu = cpu;
	vpe_load_local(vpropbaser(vprop),
		       VALID | GICR_VPENDBASER_PendingLast | vpendbaser(vpt));

	return is_resident(rdists[cpu]);
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
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	ACCEPT(its, cmd_event(GITS_CMD_INT, DEV, EVENT));
	EXPECT_EQ(rdists[0]->vlpis, 3);
	ACCEPT(its, cmd_event(GITS_CMD_INV, DEV, EVENT));

	put(rdists[0]);
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	ACCEPT(its, cmd_event(GITS_CMD_CLEAR, DEV, EVENT));
	DISCARD(its, DEV, EVENT);
	ACCEPT(its, cmd_vmapti(DEV, EVENT, VPE, VINTID, NO_DOORBELL));
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED,
	       cmd_vmapti(DEV, EVENT, VPE, VINTID, DOORBELL));
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_mapti(DEV, EVENT, 8192, 0));
	EXPECT_EQ(msi(), VLPI_PENDING);
	EXPECT(load(rdists[0]));
	EXPECT_EQ(rdists[0]->vlpis, 4);
	put(rdists[0]);
	EXPECT_EQ(rdists[0]->vpropbaser, vpropbaser(vprop));
}

/* To and fro */
static void moves(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	ACCEPT(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	EXPECT(!load(rdists[0]));
	EXPECT(load(rdists[1]));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	EXPECT_EQ(rdists[1]->vlpis, 1);
	put(rdists[1]);
	ACCEPT(its, cmd_vmovp(VPE, rdbase(0), BIT(5)));
	EXPECT(load(rdists[0]));
}

/* Two ITSs, with numbers of their own. @its is the second. */
static struct host_its *start_two(bool first_vmovp, bool second_vmovp)
{
	struct machine_config cfg = config();
	struct host_its *first;

	cfg.its.vmovp = first_vmovp;
	first = start_its(&cfg);
	cfg.its.vmovp = second_vmovp;
	cfg.ctlr = GITS_CTLR_ENABLE | 6U << GITS_CTLR_ITS_NUMBER_SHIFT;
	its = start_its(&cfg);
	start_gic(ITS_GICV4_0);
	EXPECT(!gic_hand_over());

	return first;
}

static struct host_its *start_second(bool vmovp)
{
	struct host_its *first = start_two(vmovp, vmovp);

	its_stage_level2(first, BASER_VPES, VPE);
	vprop = new_vprop();
	vpt = prepare(VPE);
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	ACCEPT(its, cmd_vmapti(DEV, EVENT, VPE, VINTID, DOORBELL));
	ACCEPT(first, cmd_vmapp(VPE, rdbase(0), vpt, BITS));

	return first;
}

/* ITSs that move a vPE together: with a list that has all that the vPE is mapped on */
static void moves_on_two(void)
{
	struct host_its *other = start_second(false);
	struct cmd cmd = cmd_vmovp(VPE, rdbase(1), BIT(5) | BIT(6));

	cmd.raw[0] |= 0x1234ULL << 32;
	ACCEPT(its, cmd);
	EXPECT(!load(rdists[0]));
	EXPECT(!load(rdists[1]));
	ACCEPT(other, cmd);
	EXPECT(!load(rdists[0]));
	EXPECT(load(rdists[1]));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	put(rdists[1]);

	ACCEPT(other, cmd_vunmapp(VPE));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ITS_LIST, cmd);
	ACCEPT(its, cmd_vmovp(VPE, rdbase(1), BIT(5 + 1)));
}

/* With GITS_TYPER.VMOVP one of them does it, and a list or a sequence number go nowhere. */
static void moves_at_once(void)
{
	struct host_its *other = start_second(true);
	struct cmd cmd = cmd_vmovp(VPE, rdbase(1), BIT(0));

	cmd.raw[0] |= 0x1234ULL << 32;
	ACCEPT_AS(other, cmd, cmd_vmovp(VPE, rdbase(1), 0));
	EXPECT(!load(rdists[0]));
	EXPECT(load(rdists[1]));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
}

/* One VMOVP moves a vPE on one ITS, or on all: not on some. No vPE can be prepared. */
static void vmovp_on_some(bool first_vmovp)
{
	struct host_its *other = start_two(first_vmovp, !first_vmovp);

	its_stage_level2(other, BASER_VPES, VPE);
	its_stage_level2(its, BASER_VPES, VPE);
	vprop = new_vprop();
	vpt = its_alloc_vpt();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, vpt, vprop), -EINVAL);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_VINTID_BITS), 0);
	EXPECT(is_hosts(vpt, SZ_64K));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	REFUSE(other, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmovp(VPE, rdbase(1), 0));
}

static void moves_on_some(void)
{
	vmovp_on_some(true);
}

static void moves_on_others(void)
{
	vmovp_on_some(false);
}

/* Redistributors that commands name by address */
static void named_by_address(void)
{
	struct machine_config cfg = config();

	cfg.its.pta = true;
	up(&cfg);
	vprop = new_vprop();
	vpt = prepare(VPE);
	ACCEPT(its, cmd_vmapp(VPE, rdbase(2), vpt, BITS));
	EXPECT(!load(rdists[1]));
	EXPECT(load(rdists[2]));
}

/* An ITS that wants the address of the frame of virtual LPIs in its commands */
static void named_by_vlpi_frame(void)
{
	struct machine_config cfg = config();

	cfg.its.pta = true;
	cfg.its.vlpi_rdbase_offset = SZ_128K;
	up(&cfg);
	vprop = new_vprop();
	vpt = prepare(VPE);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_vmapp(VPE, 0, vpt, BITS));
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0) + SZ_128K, vpt, BITS));
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_vmovp(VPE, rdbase(2), BIT(5)));
	ACCEPT(its, cmd_vmovp(VPE, rdbase(2) + SZ_128K, BIT(5)));
	EXPECT(!load(rdists[0]));
	EXPECT(load(rdists[2]));
}

/* An event to another vPE, of a VM with the same property table */
static void moves_event(void)
{
	phys_addr_t other;
	struct cmd cmd;

	start_vpe();
	other = prepare(VPE + 1);
	EXPECT(is_pinned(vprop, 2));
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(1), other, BITS));
	ACCEPT(its, cmd_vmovi(DEV, EVENT, VPE + 1));
	EXPECT(load_with(rdists[1], VPE + 1, other, vprop));
	EXPECT_EQ(msi(), VLPI_DELIVERED);

	cmd = cmd_vmovi(DEV, EVENT, VPE);
	cmd.raw[2] = 1 | (u64)NO_DOORBELL << 32;
	ACCEPT(its, cmd);
	EXPECT_EQ(msi(), VLPI_PENDING);

	/* The doorbell is only there if it says so. */
	cmd = cmd_vmovi(DEV, EVENT, VPE + 1);
	cmd.raw[2] = (u64)DOORBELL << 32;
	ACCEPT_AS(its, cmd, cmd_vmovi(DEV, EVENT, VPE + 1));
}

/* Two vPEs take turns on two redistributors. */
static void takes_turns(void)
{
	phys_addr_t other;
	unsigned int i;

	start_vpe();
	other = prepare(VPE + 1);
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), other, BITS));
	for (i = 0; i < 4; i++) {
		EXPECT(load(rdists[i % 2]));
		put(rdists[i % 2]);
		EXPECT(load_with(rdists[i % 2], VPE + 1, other, vprop));
		put(rdists[i % 2]);
		ACCEPT(its, cmd_vmovp(VPE, rdbase((i + 1) % 2), BIT(5)));
		ACCEPT(its, cmd_vmovp(VPE + 1, rdbase((i + 1) % 2), BIT(5)));
	}
}

static void release(void)
{
	u64 held = __pkvm_rdists_stat(PKVM_RDISTS_HELD_PAGES);
	u64 size = its_staging_vpt_size(BITS), at;

	start_vpe();
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_HELD_PAGES),
		  held + gic.nr_pages + (NR_RDISTS * SZ_64K + size) / PAGE_SIZE);
	EXPECT(!is_hosts(vpt, SZ_64K));
	EXPECT(is_pinned(vprop, 1));
	EXPECT(load(rdists[0]));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	put(rdists[0]);
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	DISCARD(its, DEV, EVENT);
	ACCEPT(its, cmd_vunmapp(VPE));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	its_stage(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(its);
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	expect_released();
	for (at = 0; at < sizeof(struct hyp_vpe); at += sizeof(u64))
		EXPECT_EQ(mem_peek(vpt + BIT(BITS) / 8 + at), 0);
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EINVAL);
	EXPECT(!load(rdists[0]));
	EXPECT(!__pkvm_vpe_prepare(VPE, vpt, vprop));
}

/* Mapped again without anything given back, as to read the pending state */
static void remap(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	unmap();
	ACCEPT(its, cmd_vmapp(VPE, rdbase(1), vpt, BITS));
	EXPECT(load(rdists[1]));
	EXPECT_EQ(rdists[1]->vlpis, 1);
}

/* Never mapped */
static void unused(void)
{
	start_vpe();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, vpt, vprop), -EBUSY);
	vpt = prepare(VPE + 1);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vpe(GITS_CMD_VSYNC, VPE + 1));
	EXPECT(!__pkvm_vpe_reclaim(VPE + 1));
	EXPECT(is_hosts(vpt, SZ_64K));
}

/* The redistributor takes its time, and the address stays until it is done. */
static void dirty_takes_time(void)
{
	start_vpe();
	rdists[0]->flushes = 4;
	EXPECT(load(rdists[0]));
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	EXPECT(!load(rdists[0]));
	unmap();
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT_EQ(rdists[0]->vpendbaser & GENMASK_ULL(51, 16), vpt);
	test_wait_clean(rdists[0]);
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	expect_released();
}

/* The CPU goes on with another vPE while the first is loaded elsewhere. */
static void migrates_in_a_hurry(void)
{
	phys_addr_t other;

	start_vpe();
	other = prepare(VPE + 1);
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), other, BITS));
	EXPECT(load(rdists[0]));
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	ACCEPT(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	EXPECT(!load(rdists[1]));
	test_wait_clean(rdists[0]);
	EXPECT(load_with(rdists[0], VPE + 1, other, vprop));
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	EXPECT(load(rdists[1]));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
}

/* Loaded and put along with a vCPU */
static void along_with_vcpu(void)
{
	start_vpe();
	rdists[0]->guest = VPE;
	EXPECT(load_on(0));
	EXPECT_EQ(msi(), VLPI_DELIVERED);
	vpe_put_local();
	EXPECT(!is_resident(rdists[0]));
	EXPECT_EQ(rdists[0]->vpendbaser & GENMASK_ULL(51, 16), vpt);
	test_wait_clean(rdists[0]);

	/* Each CPU has its own redistributor, and what may not be written is not. */
	EXPECT(!load_on(3));
	ACCEPT(its, cmd_vmovp(VPE, rdbase(3), BIT(5)));
	EXPECT(!load_on(0));
	rdists[3]->guest = VPE;
	EXPECT(load_on(3));
	shim_cpu = 0;
	vpe_put_local();
	EXPECT(is_resident(rdists[3]));

	/* A register that is trapped and a hypercall come to the same. */
	put(rdists[3]);
	EXPECT(load_with(rdists[3], VPE, vpt, vprop));
	shim_cpu = 3;
	vpe_put_local();
	EXPECT(!is_resident(rdists[3]));
	test_wait_clean(rdists[3]);
	vpe_load_local(vpropbaser(vprop + SZ_64K), VALID | vpendbaser(vpt));
	EXPECT(!is_resident(rdists[3]));
	vpe_load_local(vpropbaser(vprop), VALID | vpendbaser(vprop));
	EXPECT(!is_resident(rdists[3]));
	vpe_load_local(vpropbaser(vprop), vpendbaser(vpt));
	EXPECT(!is_resident(rdists[3]));

	/* A CPU without a redistributor of EL2's */
	shim_cpu = NR_RDISTS;
	vpe_load_local(vpropbaser(vprop), VALID | vpendbaser(vpt));
	vpe_put_local();
	EXPECT(!is_resident(rdists[3]));
}

/* A CPU whose redistributor has no frame for virtual LPIs */
static void along_with_vcpu_no_frame(void)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	gic_add_region(RD_BASE, 1, GICR_TYPER_PLPIS, 0);
	gic_enable(gic.rdist[0]);
	gic.vpes = true;
	EXPECT(!gic_hand_over());
	shim_cpu = 0;
	vpe_load_local(vpropbaser(new_vprop()), VALID | vpendbaser(its_alloc_vpt()));
	vpe_put_local();
	EXPECT_EQ(gic.rdist[0]->vpendbaser, 0);
}

/* A redistributor whose last vPE is resident elsewhere has none. */
static void left_behind(void)
{
	phys_addr_t other;

	start_vpe();
	other = prepare(VPE + 1);
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), other, BITS));
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	ACCEPT(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	EXPECT(load(rdists[1]));

	/* It is not put by a write to the one that it has left. */
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	REFUSE(its, PKVM_ITS_REFUSED_VPE_RESIDENT, cmd_vmovp(VPE, rdbase(2), BIT(5)));
	EXPECT_EQ(msi(), VLPI_DELIVERED);

	EXPECT(load_with(rdists[0], VPE + 1, other, vprop));
	EXPECT(is_resident(rdists[0]));
}

/* IDAI is what the redistributor has said that had the vPE last, and no other. */
static void idai_left_behind(void)
{
	phys_addr_t other;

	start_vpe();
	other = prepare(VPE + 1);
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(1), other, BITS));
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	ACCEPT(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	EXPECT(load(rdists[1]));
	put(rdists[1]);
	rdists[1]->vpendbaser |= GICR_VPENDBASER_IDAI;
	EXPECT(load_with(rdists[1], VPE + 1, other, vprop));
	put(rdists[1]);

	ACCEPT(its, cmd_vmovp(VPE + 1, rdbase(0), BIT(5)));
	EXPECT(load_with(rdists[0], VPE + 1, other, vprop));
	put(rdists[0]);
	ACCEPT(its, cmd_vmovp(VPE, rdbase(2), BIT(5)));
	EXPECT(load(rdists[2]));
	EXPECT(rdists[2]->vpendbaser & GICR_VPENDBASER_IDAI);
}

/* Two vPEs on one redistributor. Returns the table of the second. */
static phys_addr_t start_two_vpes(void)
{
	phys_addr_t other;

	start_vpe();
	other = prepare(VPE + 1);
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), other, BITS));

	return other;
}

/* A redistributor is told if it has said that its part of the table is not valid. */
static void idai(void)
{
	phys_addr_t other = start_two_vpes();

	EXPECT(load(rdists[0]));
	EXPECT(!(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI));
	put(rdists[0]);
	rdists[0]->vpendbaser |= GICR_VPENDBASER_IDAI;
	EXPECT(load(rdists[0]));
	EXPECT(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI);
	put(rdists[0]);

	/* It is valid again, and then it is not, which the next vPE gets to see first. */
	rdists[0]->vpendbaser &= ~GICR_VPENDBASER_IDAI;
	EXPECT(load(rdists[0]));
	EXPECT(!(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI));
	put(rdists[0]);
	rdists[0]->vpendbaser |= GICR_VPENDBASER_IDAI;
	EXPECT(load_with(rdists[0], VPE + 1, other, vprop));
	EXPECT(!(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI));
	put(rdists[0]);
	EXPECT(load(rdists[0]));
	EXPECT(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI);
	put(rdists[0]);

	rdists[0]->vpendbaser |= GICR_VPENDBASER_IDAI;
	ACCEPT(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	EXPECT(load(rdists[1]));
	EXPECT(rdists[1]->vpendbaser & GICR_VPENDBASER_IDAI);
}

/* EL2 still knows IDAI after a reclaim that fails. */
static void idai_reclaim(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	rdists[0]->vpendbaser |= GICR_VPENDBASER_IDAI;
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT(load(rdists[0]));
	EXPECT(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI);
}

/* A redistributor that lost power can't say whether its part of the table is valid. */
static void lost_power(void)
{
	phys_addr_t other = start_two_vpes();

	EXPECT(load(rdists[0]));
	put(rdists[0]);
	rdist_model_power_cycle(rdists[0]);
	EXPECT(!load_with(rdists[0], VPE, vpt, vprop + SZ_64K));
	EXPECT(load(rdists[0]));
	EXPECT_EQ(rdists[0]->vpropbaser & GICR_VPROPBASER_IDBITS_MASK, BITS - 1);
	EXPECT(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI);
	put(rdists[0]);

	/* Another vPE comes first. */
	rdist_model_power_cycle(rdists[0]);
	EXPECT(load_with(rdists[0], VPE + 1, other, vprop));
	EXPECT(!(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI));
	put(rdists[0]);
	EXPECT(load(rdists[0]));
	EXPECT(rdists[0]->vpendbaser & GICR_VPENDBASER_IDAI);

	/* The vPE was resident. */
	rdist_model_power_cycle(rdists[0]);
	put(rdists[0]);
	EXPECT(!rdists[0]->vpendbaser);
	ACCEPT(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	EXPECT(load(rdists[1]));
	EXPECT(rdists[1]->vpendbaser & GICR_VPENDBASER_IDAI);
}

/* A CPU that is on keeps its redistributor on, and no other. */
static void other_cpu(void)
{
	u64 was;

	start_vpe();
	was = ignored();
	shim_cpu = 1;
	EXPECT(gic_write(rdists[0], SZ_128K + GICR_VPROPBASER, vpropbaser(vprop), 8));
	EXPECT(gic_write(rdists[0], SZ_128K + GICR_VPENDBASER, VALID | vpendbaser(vpt), 8));
	EXPECT_EQ(ignored(), was + 1);
	EXPECT(!is_resident(rdists[0]));
	EXPECT(load(rdists[0]));
	shim_cpu = 1;
	EXPECT(gic_write(rdists[0], SZ_128K + GICR_VPENDBASER, vpendbaser(vpt), 8));
	EXPECT_EQ(ignored(), was + 2);
	EXPECT(is_resident(rdists[0]));
}

/* A redistributor that loses power with a vPE on it stays where that is resident. */
static void lost_power_resident(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	rdists[0]->vpropbaser = 0;
	rdists[0]->vpendbaser = 0;
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT(!load(rdists[1]));
	put(rdists[0]);
	ACCEPT(its, cmd_vunmapp(VPE));
	its_stage(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(its);
	EXPECT(!__pkvm_vpe_reclaim(VPE));
}

/* What a queue that began anew may have lost is not taken for executed. */
static void lost(void)
{
	start_vpe();
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_vunmapp(VPE));
	its_stage(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(its);
	its_write(its, GITS_CTLR, 0, 4);
	its_write(its, GITS_CBASER, 0, 8);
	its->next = 0;
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	its_write(its, GITS_CTLR, GITS_CTLR_ENABLE, 4);
	its->model->pace = ITS_AT_ONCE;
	ACCEPT(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
}

/* A vPE becomes resident when the ITS has executed what maps it, or moves it. */
static void load_pending(void)
{
	struct machine_config cfg = config();

	up(&cfg);
	vprop = new_vprop();
	vpt = prepare(VPE);
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	its_ring(its);
	EXPECT(!load(rdists[0]));
	its_model_step(its->model, 1);
	EXPECT(load(rdists[0]));
	put(rdists[0]);

	its_stage(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	its_ring(its);
	EXPECT(!load(rdists[0]));
	EXPECT(!load(rdists[1]));
	its_model_step(its->model, 1);
	EXPECT(load(rdists[1]));
	put(rdists[1]);
}

/* With GITS_TYPER.VMOVP, the second of two moves is not accepted before the first is executed. */
static void moves_in_order(void)
{
	struct host_its *other = start_second(true);

	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_vmovp(VPE, rdbase(1), 0));
	its_ring(its);
	REFUSE(other, PKVM_ITS_REFUSED_VPE_PENDING, cmd_vmovp(VPE, rdbase(2), 0));
	EXPECT(!load(rdists[1]));
	its_model_step(its->model, 1);
	ACCEPT(other, cmd_vmovp(VPE, rdbase(2), 0));
	EXPECT(load(rdists[2]));
	put(rdists[2]);
}

/* Nor is a VMAPP: it would not be known where the vPE is mapped. */
static void move_before_vmapp(void)
{
	struct host_its *other = start_second(true);

	ACCEPT(other, cmd_vunmapp(VPE));
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_vmovp(VPE, rdbase(1), 0));
	its_ring(its);
	REFUSE(other, PKVM_ITS_REFUSED_VPE_PENDING, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	its_model_step(its->model, 1);
	ACCEPT(other, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	EXPECT(!load(rdists[0]));
	EXPECT(!load(rdists[1]));
}

/* Firmware has restored an older GITS_CREADR: that is not the next round of the queue. */
static void load_restored(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	/* EL2 looks how far the ITS has got. */
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	its_ring(its);
	its->model->creadr -= sizeof(struct its_cmd_block);
	EXPECT(!load(rdists[1]));
}

/* If that was lost, it never does, and no other command makes up for it. */
static void load_lost(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	its_ring(its);
	its_write(its, GITS_CTLR, 0, 4);
	test_restart(its);
	its->model->pace = ITS_AT_ONCE;
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vunmapp(VPE));
	EXPECT(!load(rdists[0]));
	EXPECT(!load(rdists[1]));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
}

/* Without memory for a registry there are no vPEs. */
static void not_supported(void)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	start_gic(ITS_GICV4_0);
	gic.vpes = false;
	EXPECT(!gic_hand_over());
	its_stage_level2(its, BASER_VPES, VPE);
	vpt = its_alloc_vpt();
	vprop = new_vprop();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, vpt, vprop), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EINVAL);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_SUPPORTED, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(vprop)));
	EXPECT(!write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	EXPECT(!load_on(0));
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_VINTID_BITS), 0);
	vpe_put_local();
}

static void prepare_with_plain_rdist(bool lpis, int ret)
{
	struct machine_config cfg = config();

	machine_reset();
	its = start_its(&cfg);
	start_gic(ITS_GICV4_0);
	gic_add_region(RD_BASE + SZ_4M, 1, GICR_TYPER_PLPIS, 0);
	if (lpis)
		gic_enable(gic.rdist[NR_RDISTS]);
	EXPECT(!gic_hand_over());
	its_stage_level2(its, BASER_VPES, VPE);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, its_alloc_vpt(), new_vprop()), ret);
	EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_VINTID_BITS), ret ? 0 : BITS);
}

/* There are no vPEs unless they can be resident on all redistributors that have LPIs. */
static void plain_rdist(void)
{
	prepare_with_plain_rdist(false, 0);
	prepare_with_plain_rdist(true, -EINVAL);
}

/* Each step of prepare fails, and nothing is left behind. A level-2 page stays. */
static void prepare_fails(void)
{
	static const unsigned int fail[] = { 1, 2, 1, 2 };
	u64 held, size;
	unsigned int i;

	start_vpe();
	held = __pkvm_rdists_stat(PKVM_RDISTS_HELD_PAGES);
	size = its_stat(its, PKVM_ITS_HELD_PAGES);
	vpt = its_alloc_vpt();
	its_stage_level2(its, BASER_VPES, LEVEL2_VPES);
	for (i = 0; i < ARRAY_SIZE(fail); i++) {
		mem_fail_call = fail[i];
		EXPECT_EQ(__pkvm_vpe_prepare(LEVEL2_VPES, vpt, vprop), -ENOMEM);
		EXPECT_EQ(mem_fail_call, 0);
		EXPECT(is_hosts(vpt, SZ_64K));
		EXPECT(is_pinned(vprop, 1));
		EXPECT(!vpe_get(LEVEL2_VPES));
		EXPECT_EQ(__pkvm_rdists_stat(PKVM_RDISTS_HELD_PAGES), held);
		EXPECT_EQ(its_stat(its, PKVM_ITS_HELD_PAGES),
			  size + (i ? SZ_64K / PAGE_SIZE : 0));
	}

	/* GICR_VPROPBASER may have no bits [15:12]. */
	EXPECT_EQ(__pkvm_vpe_prepare(LEVEL2_VPES, vpt, vprop + SZ_4K), -EINVAL);
	EXPECT(!__pkvm_vpe_prepare(LEVEL2_VPES, vpt, vprop));
	ACCEPT(its, cmd_vmapp(LEVEL2_VPES, rdbase(0), vpt, BITS));
}

/* A hand-over that fails leaves the frames as they were. */
static void hand_over_undone(void)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	start_gic(ITS_GICV4_0);
	rdists[1]->vpropbaser = (BITS - 1) | GICR_VPROPBASER_RaWb;
	rdists[3]->ctlr = 0;
	EXPECT(gic_hand_over());
	EXPECT_EQ(rdists[0]->vpropbaser, BITS - 1);
	EXPECT_EQ(rdists[1]->vpropbaser, (BITS - 1) | GICR_VPROPBASER_RaWb);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, its_alloc_vpt(), its_alloc_vprop()), -EINVAL);
}

/*
 * Attacks. See tests/vpe.c for what each of them does to a GIC that is not confined.
 */

static void tables_over(enum mem_owner owner)
{
	phys_addr_t victim, mine;

	start_vpe();
	victim = test_victim(owner);
	mine = its_alloc_vpt();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, victim, vprop), -EPERM);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, mine, victim), -EPERM);
	EXPECT(is_hosts(mine, SZ_64K));
	EXPECT(is_pinned(vprop, 1));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmapp(VPE + 1, rdbase(0), victim, BITS));
	unmap();
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmapp(VPE, rdbase(0), victim, BITS));
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	EXPECT(!load_with(rdists[0], VPE, victim, vprop));
	EXPECT(!load_with(rdists[0], VPE, vpt, victim));
	EXPECT_EQ(rdists[0]->vpropbaser, BITS - 1);
}

static void b1_tables_over_el2(void)
{
	tables_over(MEM_EL2);
}

static void b2_tables_over_guest(void)
{
	tables_over(MEM_GUEST);
}

static void b3_oversized(void)
{
	struct rdist_model *rdist;
	phys_addr_t mine;

	start_vpe();
	rdist = rdists[0];
	mine = host_alloc(SZ_64K, SZ_64K);
	mem_give_guest(mine + SZ_64K - PAGE_SIZE);
	if (PAGE_SIZE < SZ_64K)
		EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, mine, vprop), -EPERM);
	unmap();
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmapp(VPE, rdbase(0), vpt, BITS + 1));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmapp(VPE, rdbase(0), vpt, BITS - 1));
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	EXPECT(write_vlpi(rdist, GICR_VPROPBASER, vpropbaser(vprop) + 1));
	EXPECT(!write_vlpi(rdist, GICR_VPENDBASER, VALID | vpendbaser(vpt)));

	/* Tables that are not aligned, or that the GIC has not the bits for */
	mine = its_alloc_vpt();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, mine + SZ_4K, vprop), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, mine, vprop + SZ_1K), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, BIT_ULL(52), vprop), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, mine, BIT_ULL(52)), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, -SZ_64K, -SZ_64K), -EINVAL);
}

/* A redistributor that drops bits would use other memory. */
static void b3_address_bits(void)
{
	struct machine_config cfg = config();

	its = start_its(&cfg);
	start_gic(ITS_GICV4_0);
	rdists[2]->addr_mask = GENMASK_ULL(29, 12);
	gic.tables[2].pending &= GENMASK_ULL(29, 12);
	EXPECT_EQ(gic_hand_over(), 0);
	its_stage_level2(its, BASER_VPES, VPE);
	vprop = new_vprop();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE, host_alloc_high(SZ_64K, SZ_64K), vprop), -EINVAL);
}

static void b4_one_table_for_two(void)
{
	phys_addr_t other;

	start_vpe();
	EXPECT_EQ(__pkvm_vpe_prepare(VPE + 1, vpt, vprop), -EPERM);
	other = prepare(VPE + 1);
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmapp(VPE + 1, rdbase(0), vpt, BITS));
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(1), other, BITS));
	EXPECT(load(rdists[0]));
	EXPECT(!load(rdists[1]));
	EXPECT(load_with(rdists[1], VPE + 1, other, vprop));
}

static void b5_vpeid(void)
{
	phys_addr_t victim, mine;

	start_vpe();
	victim = test_victim(MEM_GUEST);
	mine = its_alloc_vpt();
	EXPECT_EQ(__pkvm_vpe_prepare(LEVEL2_VPES, mine, vprop), -EINVAL);
	its_stage_level1_entry(its, BASER_VPES, LEVEL2_VPES, victim | GITS_BASER_VALID);
	EXPECT_EQ(__pkvm_vpe_prepare(LEVEL2_VPES, mine, vprop), -EPERM);
	its_stage_level1_entry(its, BASER_VPES, LEVEL2_VPES, vpe_get(VPE)->vpt | GITS_BASER_VALID);
	EXPECT_EQ(__pkvm_vpe_prepare(LEVEL2_VPES, mine, vprop), -EPERM);
	EXPECT_EQ(__pkvm_vpe_prepare(BIT(16), mine, vprop), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_prepare(~0ULL, mine, vprop), -EINVAL);
	EXPECT_EQ(__pkvm_vpe_reclaim(BIT(16)), -EINVAL);
	EXPECT(is_hosts(mine, SZ_64K));
	EXPECT(is_pinned(vprop, 1));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmapp(LEVEL2_VPES, rdbase(0), mine, BITS));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmapp(GENMASK(15, 0), rdbase(0), mine, BITS));
}

/* A flat table ends where it ends. */
static void b5_flat(void)
{
	struct machine_config cfg = config();

	cfg.vpes.psz = SZ_4K;
	cfg.vpes.indirect = false;
	up(&cfg);
	vprop = new_vprop();
	vpt = its_alloc_vpt();
	EXPECT_EQ(__pkvm_vpe_prepare(SZ_4K / 8, vpt, vprop), -EINVAL);
	EXPECT(!__pkvm_vpe_prepare(SZ_4K / 8 - 1, vpt, vprop));
	ACCEPT(its, cmd_vmapp(SZ_4K / 8 - 1, rdbase(0), vpt, BITS));
}

static void b6_map_over_live(void)
{
	start_vpe();
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED, cmd_vmapp(VPE, rdbase(1), vpt, BITS));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_PREPARED,
	       cmd_vmapp(VPE, rdbase(0), its_alloc_vpt(), BITS));
}

static void b7_reclaim_at_once(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, 0));
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_vunmapp(VPE));
	its_stage(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(its);
	while (test_read_vpendbaser(rdists[0]) & GICR_VPENDBASER_Dirty)
		EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	EXPECT(!mem_give_guest(vpt));
	its_model_step(its->model, 1);
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	its_model_step(its->model, 1);
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	expect_released();
}

/* A VSYNC for another vPE, or before the VMAPP, does not count. */
static void b7_other_vsync(void)
{
	start_vpe();
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), prepare(VPE + 1), BITS));
	ACCEPT(its, cmd_vpe(GITS_CMD_VSYNC, VPE));
	ACCEPT(its, cmd_vunmapp(VPE));
	ACCEPT(its, cmd_vpe(GITS_CMD_VSYNC, VPE + 1));
	ACCEPT(its, cmd_sync(rdbase(0)));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
}

static void b8_resident_unregistered(void)
{
	start_vpe();
	EXPECT(!load_with(rdists[0], VPE, its_alloc_vpt(), vprop));
	EXPECT(!load_with(rdists[0], VPE, 0, vprop));
	EXPECT(!load_with(rdists[0], VPE, vpt + SZ_256M, vprop));
	EXPECT(!load_with(rdists[NR_RDISTS - 1], VPE, vpt, vprop));
	vpt = prepare(VPE + 1);
	EXPECT(!load(rdists[0]));
}

static void b9_changed_while_valid(void)
{
	phys_addr_t other;

	start_vpe();
	other = prepare(VPE + 1);
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), other, BITS));
	EXPECT(load(rdists[0]));
	EXPECT(!write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpendbaser(other)));
	EXPECT(!write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpendbaser(vpt)));
	EXPECT(!write_vlpi(rdists[0], GICR_VPROPBASER, vpropbaser(vprop)));
	EXPECT(is_resident(rdists[0]));

	/* Valid cleared with an address that is not the one it has */
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, vpendbaser(other)));
	EXPECT_EQ(rdists[0]->vpendbaser & GENMASK_ULL(51, 16), vpt);
	test_wait_clean(rdists[0]);
	EXPECT(write_vlpi(rdists[0], GICR_VPENDBASER, vpendbaser(other)));
	EXPECT_EQ(rdists[0]->vpendbaser & GENMASK_ULL(51, 16), vpt);
}

static void b10_stale_vpropbaser(void)
{
	phys_addr_t second, at;

	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	unmap();
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	expect_released();
	for (at = vprop; at < vprop + SZ_64K; at += PAGE_SIZE) {
		EXPECT(!__pkvm_host_unshare_hyp(hyp_phys_to_pfn(at)));
		EXPECT(mem_give_guest(at));
	}

	second = new_vprop();
	EXPECT(!__pkvm_vpe_prepare(VPE, vpt, second));
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	EXPECT(!write_vlpi(rdists[0], GICR_VPENDBASER, VALID | vpendbaser(vpt)));
	EXPECT(!load(rdists[0]));
	EXPECT(load_with(rdists[0], VPE, vpt, second));
}

/* A property table is pinned as long as there is a vPE, and no more often than can be counted. */
static void b10_pins(void)
{
	unsigned int i;
	int ret;

	start_vpe();
	EXPECT_EQ(__pkvm_host_unshare_hyp(hyp_phys_to_pfn(vprop)), -EBUSY);
	mem_page(vprop + SZ_32K)->pins = 1023;
	vpt = prepare(VPE + 1);
	ret = __pkvm_vpe_prepare(VPE + 2, its_alloc_vpt(), vprop);
	EXPECT_EQ(ret, -ENOSPC);
	EXPECT_EQ(mem_page(vprop + SZ_32K)->pins, 1024);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(mem_page(vprop)->pins, PAGE_SIZE == SZ_64K ? 1024 : 2);
}

static void b11_unknown_rdbase(void)
{
	start_vpe();
	REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_vmovp(VPE, rdbase(NR_RDISTS), BIT(5)));
	unmap();
	REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_vmapp(VPE, rdbase(NR_RDISTS), vpt, BITS));
}

static void b12_partial_vmovp(void)
{
	struct host_its *other = start_second(false);

	REFUSE(its, PKVM_ITS_REFUSED_BAD_ITS_LIST, cmd_vmovp(VPE, rdbase(1), BIT(6)));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ITS_LIST, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ITS_LIST, cmd_vmovp(VPE, rdbase(1), 0));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_ITS_LIST, cmd_vmovp(VPE, rdbase(1), 0xe0));
	ACCEPT(other, cmd_vmovp(VPE, rdbase(1), BIT(5) | BIT(6)));
	EXPECT(!load(rdists[0]));
	EXPECT(!load(rdists[1]));
}

static void b14_cpu_edits_tables(void)
{
	phys_addr_t level2;

	start_vpe();
	level2 = its_stage_level2(its, BASER_VPES, VPE);
	EXPECT(!mem_host_write(level2, 42));
	EXPECT(!mem_host_write(its->tables[BASER_VPES], 42));
	EXPECT(!mem_host_write(vpt, 42));

	/* An entry that is there stays, whatever the host writes. */
	its_stage_level1_entry(its, BASER_VPES, VPE, test_victim(MEM_EL2) | GITS_BASER_VALID);
	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), prepare(VPE + 1), BITS));
	EXPECT_EQ(msi(), VLPI_DOORBELL);
}

/* No bit of GICv4.1 gets through, and no command. */
static void b15_other_version(void)
{
	struct cmd cmd;

	start_vpe();
	unmap();
	cmd = cmd_vmapp(VPE, rdbase(0), vpt, BITS);
	cmd.raw[0] |= GENMASK_ULL(51, 8);
	cmd.raw[1] |= GENMASK_ULL(31, 0) | GENMASK_ULL(63, 48);
	cmd.raw[2] |= GENMASK_ULL(62, 52) | GENMASK_ULL(15, 0);
	cmd.raw[3] |= GENMASK_ULL(63, 52) | GENMASK_ULL(15, 5);
	ACCEPT_AS(its, cmd, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	cmd = cmd_vmovp(VPE, rdbase(0), BIT(5));
	cmd.raw[2] |= BIT_ULL(63);
	cmd.raw[3] = DOORBELL;
	ACCEPT_AS(its, cmd, cmd_vmovp(VPE, rdbase(0), BIT(5)));
	DISCARD(its, DEV, EVENT);
	cmd = cmd_vmapti(DEV, EVENT, VPE, VINTID, DOORBELL);
	cmd.raw[0] |= GENMASK_ULL(31, 8);
	cmd.raw[1] |= GENMASK_ULL(63, 48);
	cmd.raw[3] = ~0ULL;
	ACCEPT_AS(its, cmd, cmd_vmapti(DEV, EVENT, VPE, VINTID, DOORBELL));
	cmd = cmd_vpe(GITS_CMD_VSYNC, VPE);
	cmd.raw[3] = ~0ULL;
	ACCEPT_AS(its, cmd, cmd_vpe(GITS_CMD_VSYNC, VPE));
	cmd = cmd_vpe(GITS_CMD_VINVALL, VPE);
	cmd.raw[2] = ~0ULL;
	ACCEPT_AS(its, cmd, cmd_vpe(GITS_CMD_VINVALL, VPE));
	cmd = cmd_vunmapp(VPE);
	cmd.raw[2] = rdbase(1);
	cmd.raw[3] = ~0ULL;
	ACCEPT_AS(its, cmd, cmd_vunmapp(VPE));

	REFUSE(its, PKVM_ITS_REFUSED_NOT_SUPPORTED, cmd_vpe(GITS_CMD_INVDB, VPE));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_SUPPORTED, cmd_vpe(GITS_CMD_VSGI, VPE));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_SUPPORTED,
	       cmd_vpe(GITS_CMD_GICv4(GITS_CMD_MAPI), VPE));
}

static void b16_vintid_and_doorbell(void)
{
	struct cmd cmd;

	start_vpe();
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_vmapti(DEV, EVENT, VPE, 8191, DOORBELL));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_vmapti(DEV, EVENT, VPE, BIT(BITS), DOORBELL));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_vmapti(DEV, EVENT, VPE, VINTID, 0));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_vmapti(DEV, EVENT, VPE, VINTID, BIT(BITS)));
	cmd = cmd_vmovi(DEV, EVENT, VPE);
	cmd.raw[2] = 1 | BIT_ULL(BITS + 32);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd);
	DISCARD(its, DEV, EVENT);
	ACCEPT(its, cmd_vmapti(DEV, EVENT, VPE, BIT(BITS) - 1, BIT(BITS) - 1));
	EXPECT_EQ(msi(), VLPI_DOORBELL);
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT,
	       cmd_vmapti(DEV, BIT(EVENT_BITS), VPE, VINTID, DOORBELL));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED,
	       cmd_vmapti(DEV + 1, EVENT, VPE, VINTID, DOORBELL));
}

static void b17_not_mapped(void)
{
	unsigned int i;

	start_vpe();
	prepare(VPE + 1);
	unmap();
	for (i = 0; i < 2; i++) {
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED,
		       cmd_vmapti(DEV, EVENT, VPE + i, VINTID, DOORBELL));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vmovi(DEV, EVENT, VPE + i));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vpe(GITS_CMD_VINVALL, VPE + i));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vmovp(VPE + i, rdbase(1), BIT(5)));
		REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_vunmapp(VPE + i));
	}

	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmapti(DEV, EVENT, 99, VINTID, DOORBELL));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vpe(GITS_CMD_VSYNC, 99));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vpe(GITS_CMD_VINVALL, 99));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmovp(99, rdbase(1), BIT(5)));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_VPE, cmd_vunmapp(99));
	EXPECT_EQ(msi(), VLPI_NONE);
}

static void b18_poisoned(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	put(rdists[0]);
	unmap();
	EXPECT(!mem_host_write(vpt, 42));
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	EXPECT(load(rdists[0]));
	put(rdists[0]);

	/* Nor does it help to poison what EL2 takes. */
	unmap();
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	EXPECT(mem_host_write(vpt, 42));
	EXPECT(mem_host_write(vpt + BIT(BITS) / 8, ~0ULL));
	EXPECT(!__pkvm_vpe_prepare(VPE, vpt, vprop));
	ACCEPT(its, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
	EXPECT(load(rdists[0]));
}

static void b19_teardown_reordered(void)
{
	start_vpe();
	EXPECT(load(rdists[0]));
	REFUSE(its, PKVM_ITS_REFUSED_VPE_RESIDENT, cmd_vunmapp(VPE));
	REFUSE(its, PKVM_ITS_REFUSED_VPE_RESIDENT, cmd_vmovp(VPE, rdbase(1), BIT(5)));
	ACCEPT(its, cmd_vmovp(VPE, rdbase(0), BIT(5)));
	EXPECT_EQ(__pkvm_vpe_reclaim(VPE), -EBUSY);
	put(rdists[0]);
	unmap();
	EXPECT(!load(rdists[0]));
	EXPECT(!__pkvm_vpe_reclaim(VPE));
	expect_released();
}

/* On another redistributor than the one that the vPE is mapped to, VM B may run as VM A. */
static void b20_for_another_guest(void)
{
	struct host_its *other = start_second(false);

	ACCEPT(its, cmd_vmapp(VPE + 1, rdbase(0), ({ its_stage_level2(other, BASER_VPES, VPE + 1);
						     prepare(VPE + 1); }), BITS));
	EXPECT(load(rdists[0]));
	ACCEPT(other, cmd_vmovp(VPE, rdbase(0), BIT(5) | BIT(6)));
	REFUSE(other, PKVM_ITS_REFUSED_VPE_RESIDENT, cmd_vunmapp(VPE));
	REFUSE(other, PKVM_ITS_REFUSED_BAD_VPE, cmd_vmapp(VPE + 2, rdbase(1), vpt, BITS));
	EXPECT(!load(rdists[1]));
}

/* Another ITS is to send the interrupts of a vPE that is resident elsewhere. */
static void b20_mapped_elsewhere(void)
{
	struct host_its *other = start_second(true);

	ACCEPT(other, cmd_vunmapp(VPE));
	its_stage(other, cmd_vpe(GITS_CMD_VSYNC, VPE));
	its_ring(other);
	EXPECT(load(rdists[0]));
	REFUSE(other, PKVM_ITS_REFUSED_VPE_RESIDENT, cmd_vmapp(VPE, rdbase(1), vpt, BITS));
	ACCEPT(other, cmd_vmapp(VPE, rdbase(0), vpt, BITS));
}

const struct test vlpi_tests[] = {
	TEST(delivery),
	TEST(moves),
	TEST(moves_on_two),
	TEST(moves_at_once),
	TEST(moves_on_some),
	TEST(moves_on_others),
	TEST(named_by_address),
	TEST(named_by_vlpi_frame),
	TEST(moves_event),
	TEST(takes_turns),
	TEST(release),
	TEST(remap),
	TEST(unused),
	TEST(dirty_takes_time),
	TEST(migrates_in_a_hurry),
	TEST(left_behind),
	TEST(idai_left_behind),
	TEST(along_with_vcpu),
	TEST(along_with_vcpu_no_frame),
	TEST(idai),
	TEST(idai_reclaim),
	TEST(lost),
	TEST(moves_in_order),
	TEST(move_before_vmapp),
	TEST(load_pending),
	TEST(load_restored),
	TEST(load_lost),
	TEST(lost_power),
	TEST(other_cpu),
	TEST(lost_power_resident),
	TEST(not_supported),
	TEST(plain_rdist),
	TEST(prepare_fails),
	TEST(hand_over_undone),
	TEST(b1_tables_over_el2),
	TEST(b2_tables_over_guest),
	TEST(b3_oversized),
	TEST(b3_address_bits),
	TEST(b4_one_table_for_two),
	TEST(b5_vpeid),
	TEST(b5_flat),
	TEST(b6_map_over_live),
	TEST(b7_reclaim_at_once),
	TEST(b7_other_vsync),
	TEST(b8_resident_unregistered),
	TEST(b9_changed_while_valid),
	TEST(b10_stale_vpropbaser),
	TEST(b10_pins),
	TEST(b11_unknown_rdbase),
	TEST(b12_partial_vmovp),
	TEST(b14_cpu_edits_tables),
	TEST(b15_other_version),
	TEST(b16_vintid_and_doorbell),
	TEST(b17_not_mapped),
	TEST(b18_poisoned),
	TEST(b19_teardown_reordered),
	TEST(b20_for_another_guest),
	TEST(b20_mapped_elsewhere),
	{}
};
