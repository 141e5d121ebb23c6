// SPDX-License-Identifier: GPL-2.0-only
/*
 * vpe.c: any write of the host to the registers of virtual LPIs, any load or put of a vCPU, and
 * any call that reclaims a vPE, with two vPEs, two redistributors and two ITSs, of GICv4.0 or of
 * GICv4.1 (VERSION), in any state that the invariants below allow.
 *
 * Proved: the invariants hold afterwards; GICR_VPENDBASER is written only while the redistributor
 * is clean, or to end the residency; a vPE becomes resident where each ITS has it mapped, after
 * the last redistributor has let go, with its own tables or vPEID, and on one redistributor at a
 * time; memory is given back when no redistributor has its address, has something to write or is
 * Busy, and no ITS has the vPE mapped; GICv4.1: GICR_VPROPBASER is not written.
 *
 * Invariants, of a redistributor and the vPE that its record has:
 *  - one that is valid or dirty has the tables of that vPE, or its vPEID, and that vPE was
 *    resident there last; it is valid only while the vPE is resident there;
 *  - a clean GICv4.0 redistributor that has not lost power has its addresses, or none;
 *  - one that is Busy has been asked about the vPE that the record says.
 *
 * On a GICv4.0, vpe_load_local() is two writes one after the other, which prove_vpendbaser has.
 *
 * Assumed, and why that holds:
 *  - a redistributor goes from dirty to clean by itself, and gets dirty only when Valid changes;
 *    one that loses power is clean (IHI 0069, GICR_VPENDBASER);
 *  - all redistributors and ITSs are of one version (vpes_intid_bits()), and only those of
 *    GICv4.1 share a table of vPEs with an ITS (rdist_adopt_vpe_table());
 *  - what is seen of an ITS is right: its_has_executed() and its_has_unmapped_vpe() return
 *    anything, but not that a vPE is unmapped while the record has it mapped;
 *  - the tables of vPEs are aligned, below 2^52, and do not overlap (__pkvm_vpe_prepare(), as the
 *    host owns no page twice).
 */

#include "registry.h"

#define NR_RDISTS	2
#define NR_VPES		2
#define MMIO_BASE	0x10000000UL
#define STRIDE		SZ_256K

struct hyp_its nondet_its(void);
struct hyp_vpe nondet_vpe(void);
struct hyp_rdist nondet_rdist(void);

static struct hyp_vpes registry;
/* Objects of their own: cbmc takes a pointer into an array to bytes. */
static struct hyp_vpe vpe0, vpe1;
static struct hyp_vpe *const vpes[NR_VPES] = { &vpe0, &vpe1 };
/* What their records say as long as EL2 has them, and whether an ITS has them mapped */
static u64 vpeids[NR_VPES], vpts[NR_VPES];
static bool registered[NR_VPES], mapped[NR_VPES];
static struct hyp_rdist rdist0, rdist1;
static struct hyp_rdist *const rdists[NR_RDISTS] = { &rdist0, &rdist1 };
static struct hyp_its its0, its1;
static struct hyp_its *const itss[PKVM_ITS_MAX] = { &its0, &its1 };
static struct hyp_its_table table0, table1;
static struct hyp_its_table *const tables[PKVM_ITS_MAX] = { &table0, &table1 };
static bool has_executed[PKVM_ITS_MAX];
static u32 nr_itss, local;
#define v4_1	(VERSION == 41)

/* The registers; whether it has lost power since they were written; what it is asked about */
static struct rdist_hw {
	u64 vpropbaser;
	u64 vpendbaser;
	bool powerless;
	bool busy_lpi;
	bool busy_sgi;
	struct hyp_vpe *asked;
	u32 nr_writes;
} hw[NR_RDISTS];

struct rdist_hw nondet_rdist_hw(void);

struct hyp_its *hyp_its_get(u32 id)
{
	return id < nr_itss ? id ? &its1 : &its0 : NULL;
}

struct hyp_rdist *hyp_rdist_get(u32 nr)
{
	return nr < NR_RDISTS ? nr ? &rdist1 : &rdist0 : NULL;
}

struct hyp_rdist *hyp_rdist_local(void)
{
	return hyp_rdist_get(local);
}

bool its_has_executed(const struct hyp_its *its, u64 nr)
{
	return has_executed[its == &its1];
}

bool its_has_unmapped_vpe(struct hyp_its *its, struct hyp_vpe_map *map)
{
	return map->state != HYP_VPE_MAPPED && nondet_bool();
}

static bool is_active(u32 nr)
{
	return hw[nr].vpendbaser & (GICR_VPENDBASER_Valid | GICR_VPENDBASER_Dirty);
}

/* Time passes. */
static void any_progress(struct rdist_hw *h)
{
	if (nondet_bool())
		h->vpendbaser &= ~GICR_VPENDBASER_Dirty;
	if (!(h->vpendbaser & (GICR_VPENDBASER_Valid | GICR_VPENDBASER_Dirty)) && nondet_bool())
		h->vpendbaser ^= nondet_u64() &
				 (GICR_VPENDBASER_IDAI | GICR_VPENDBASER_PendingLast);
	h->busy_lpi &= nondet_bool();
	h->busy_sgi &= nondet_bool();
}

u64 its_mmio_read(const volatile void *addr, unsigned int size)
{
	u64 offset = (unsigned long)addr - MMIO_BASE;
	struct rdist_hw *h = &hw[offset / STRIDE];

	prove(offset < NR_RDISTS * STRIDE, "what is read is a register of a redistributor");
	any_progress(h);

	switch (offset % STRIDE) {
	case GICR_SYNCR:
		return h->busy_lpi;
	case RDIST_VLPI_BASE + GICR_VSGIPENDR:
		return h->busy_sgi ? GICR_VSGIPENDR_BUSY : nondet_u32() & ~GICR_VSGIPENDR_BUSY;
	case RDIST_VLPI_BASE + GICR_VPROPBASER:
		prove(rdists[offset / STRIDE]->typer & GICR_TYPER_VLPIS, "there is such a frame");
		return h->vpropbaser;
	case RDIST_VLPI_BASE + GICR_VPENDBASER:
		prove(rdists[offset / STRIDE]->typer & GICR_TYPER_VLPIS, "there is such a frame");
		return h->vpendbaser;
	default:
		prove(false, "no other register is read");
		return 0;
	}
}

/* GICv4.1: the table of vPEs that the ITSs write to */
static bool has_vpe_table(u32 nr)
{
	return !((hw[nr].vpropbaser ^ rdists[nr]->vpropbaser) & VPROPBASER_4_1_WHERE);
}

static bool has_own_tables(u32 nr)
{
	const struct hyp_vpe *vpe = rdists[nr]->vpe;
	u64 val = hw[nr].vpendbaser;

	if (!vpe)
		return false;

	if (v4_1)
		return (val & GENMASK_ULL(15, 0)) == vpeids[vpe == &vpe1] && has_vpe_table(nr);

	return (val & GENMASK_ULL(51, 16)) == vpe->vpt &&
	       (hw[nr].vpropbaser & GENMASK_ULL(51, 12)) == vpe->vprop &&
	       (hw[nr].vpropbaser & GENMASK_ULL(4, 0)) == vpe->bits - 1;
}

static bool is_consistent(u32 nr)
{
	const struct rdist_hw *h = &hw[nr];
	const struct hyp_rdist *rdist = rdists[nr];
	u64 vpt = h->vpendbaser & GENMASK_ULL(51, 16), vprop = h->vpropbaser & GENMASK_ULL(51, 12);

	if (is_active(nr) &&
	    (h->powerless || !has_own_tables(nr) || rdist->vpe->rdist != rdist ||
	     !registered[rdist->vpe == &vpe1]))
		return false;

	if ((h->vpendbaser & GICR_VPENDBASER_Valid) && rdist->vpe->resident != rdist)
		return false;

	if (!v4_1 && !h->powerless &&
	    !((!vpt || (rdist->vpe && vpt == rdist->vpe->vpt)) &&
	      (!vprop || (rdist->vpe && vprop == rdist->vpe->vprop))))
		return false;

	return !(h->busy_lpi || h->busy_sgi) ||
	       (v4_1 && h->asked && h->asked == rdist->asked && registered[h->asked == &vpe1]);
}

static bool vpe_is_consistent(const struct hyp_vpe *vpe)
{
	return !vpe->resident || (vpe->resident == vpe->rdist && vpe->rdist->vpe == vpe);
}

/*
 * Each ITS that has it mapped has it there, and one that the redistributor shares its table with;
 * and each has executed what says so.
 */
static bool is_mapped_here(const struct hyp_vpe *vpe, u32 nr)
{
	bool mapped = false;
	u32 id;

	for (id = 0; id < nr_itss; id++) {
		if (vpe->maps[id].at && !has_executed[id])
			return false;
		if (vpe->maps[id].state != HYP_VPE_MAPPED)
			continue;
		if (vpe->maps[id].rdbase != rdist_rdbase(rdists[nr], itss[id]->typer))
			return false;
		mapped |= !v4_1 ||
			  tables[id]->phys == (rdists[nr]->vpropbaser & GENMASK_ULL(51, 12));
	}

	return mapped;
}

static void write_vpendbaser(u32 nr, u64 val)
{
	const struct hyp_rdist *rdist = rdists[nr];
	struct rdist_hw *h = &hw[nr];
	u64 was = h->vpendbaser;
	bool idai;

	prove(!(was & GICR_VPENDBASER_Dirty), "a dirty GICR_VPENDBASER is not written");
	h->vpendbaser = val & ~GICR_VPENDBASER_Dirty;

	if (!(val & GICR_VPENDBASER_Valid)) {
		if (was & GICR_VPENDBASER_Valid) {
			prove(v4_1 ? !((val ^ was) & GENMASK_ULL(15, 0)) :
				     !((val ^ was) & GENMASK_ULL(51, 16)),
			      "the end of a residency names the vPE that was resident");
			h->vpendbaser |= nondet_bool() ? GICR_VPENDBASER_Dirty : 0;
		}
		return;
	}

	prove(!(was & GICR_VPENDBASER_Valid), "no vPE takes the place of one that is resident");
	h->powerless = false;
	prove(has_own_tables(nr), "what becomes resident has its own tables, or its number");
	prove(rdist->vpe && registered[rdist->vpe == &vpe1], "what becomes resident is prepared");
	prove(v4_1 || !((rdist->vpropbaser ^ h->vpropbaser) & VPROPBASER_WHERE),
	      "... and the host has named its property table");
	prove(is_mapped_here(rdist->vpe, nr), "a vPE becomes resident where it is mapped");
	prove(!is_active(!nr) || rdists[!nr]->vpe != rdist->vpe,
	      "a vPE becomes resident when the last redistributor has let go");
	prove(!v4_1 || !(val & ~(VPENDBASER_4_1_GROUPS | GENMASK_ULL(15, 0) | BIT_ULL(63))),
	      "no RES0 bit of GICR_VPENDBASER is set");
	idai = val & GICR_VPENDBASER_IDAI;
	prove(v4_1 || !rdist->vpe->idai || idai, "IDAI is not cleared");
	h->vpendbaser |= nondet_bool() ? GICR_VPENDBASER_Dirty : 0;
}

void its_mmio_write(volatile void *addr, u64 val, unsigned int size)
{
	u64 offset = (unsigned long)addr - MMIO_BASE;
	u32 nr = offset / STRIDE;
	struct rdist_hw *h = &hw[nr];

	prove(offset < NR_RDISTS * STRIDE && rdists[nr]->base,
	      "what is written is a register of a redistributor");
	prove(rdists[nr]->lock.held, "registers are written under their lock");
	prove(rdists[nr]->lpis && (rdists[nr]->typer & GICR_TYPER_VLPIS), "there is such a frame");
	any_progress(h);
	h->nr_writes++;

	switch (offset % STRIDE) {
	case RDIST_VLPI_BASE + GICR_VSGIR:
		prove(v4_1 && size == 4 && !h->busy_sgi && rdists[nr]->asked,
		      "GICR_VSGIR is written while it is not Busy");
		prove(val == vpeids[rdists[nr]->asked == &vpe1],
		      "GICR_VSGIR has the vPE asked for");
		prove(has_vpe_table(nr), "a redistributor is asked that has the table of vPEs");
		h->asked = rdists[nr]->asked;
		h->busy_sgi = true;
		break;
	case RDIST_VLPI_BASE + GICR_VPROPBASER:
		prove(size == 8 && !is_active(nr), "GICR_VPROPBASER is written while it is clean");
		prove(!v4_1, "GICR_VPROPBASER of a GICv4.1 is not written");
		h->vpropbaser = val;
		break;
	case RDIST_VLPI_BASE + GICR_VPENDBASER:
		prove(size == 8, "GICR_VPENDBASER has 64 bits");
		write_vpendbaser(nr, val);
		break;
	default:
		prove(false, "no other register is written");
	}
}

void *hyp_phys_to_virt(phys_addr_t phys)
{
	return (void *)phys;
}

void hyp_unpin_shared_mem(void *from, void *to)
{
}

int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages)
{
	u32 nr = pfn << PAGE_SHIFT == vpts[1], i;

	prove(pfn << PAGE_SHIFT == vpts[nr] && registered[nr], "what is given back was taken");
	prove(!mapped[nr], "what is given back is mapped on no ITS");
	registered[nr] = false;
	for (i = 0; i < NR_RDISTS; i++)
		prove(is_consistent(i) && rdists[i]->vpe != vpes[nr] &&
		      rdists[i]->asked != vpes[nr],
		      "what is given back is used by no redistributor");

	return 0;
}

static void any_machine(void)
{
	u32 i, id;

	nr_itss = nondet_bool() ? 1 : PKVM_ITS_MAX;
	local = nondet_u32();

	for (id = 0; id < PKVM_ITS_MAX; id++) {
		*itss[id] = nondet_its();
		itss[id]->vpes = tables[id];
		tables[id]->phys = nondet_u64() & GENMASK_ULL(51, 12);
		has_executed[id] = nondet_bool();
		assume(!(itss[id]->typer & GITS_TYPER_VMAPP) == !v4_1);
	}

	for (i = 0; i < NR_VPES; i++) {
		*vpes[i] = nondet_vpe();
		vpes[i]->lock.held = false;
		vpes[i]->vpt = nondet_u64() & GENMASK_ULL(51, 16);
		vpes[i]->vprop = nondet_u64() & GENMASK_ULL(51, 12);
		assume(vpes[i]->vpt && vpes[i]->vprop);
		assume(vpes[i]->bits > 13 && vpes[i]->bits <= 24);
		vpes[i]->rdist = nondet_bool() ? NULL : (nondet_bool() ? &rdist1 : &rdist0);
		vpes[i]->resident = nondet_bool() ? vpes[i]->rdist : NULL;
		for (id = 0; id < PKVM_ITS_MAX; id++)
			assume((u32)vpes[i]->maps[id].state <= HYP_VPE_SYNCED);
		mapped[i] = vpes[i]->maps[0].state == HYP_VPE_MAPPED ||
			    (nr_itss > 1 && vpes[i]->maps[1].state == HYP_VPE_MAPPED);
		vpeids[i] = nondet_u64() % HYP_VPES_MAX;
		vpts[i] = vpes[i]->vpt;
		registered[i] = true;
	}
	assume(vpeids[0] != vpeids[1] && vpes[0]->vpt != vpes[1]->vpt);

	for (i = 0; i < NR_RDISTS; i++) {
		bool there = nondet_bool();

		*rdists[i] = nondet_rdist();
		rdists[i]->lock.held = false;
		rdists[i]->base = there ? (void __iomem *)(MMIO_BASE + i * STRIDE) : NULL;
		rdists[i]->vpe = nondet_bool() ? NULL : (nondet_bool() ? &vpe1 : &vpe0);
		rdists[i]->asked = nondet_bool() ? NULL : (nondet_bool() ? &vpe1 : &vpe0);
		assume(!(rdists[i]->typer & GICR_TYPER_RVPEID) == !v4_1);
		assume(there || !rdists[i]->lpis);
		assume(v4_1 || (!rdists[i]->asked && !rdists[i]->vpe_table));

		hw[i] = nondet_rdist_hw();
		hw[i].asked = rdists[i]->asked;
		hw[i].nr_writes = 0;
		/* Without LPIs, or without virtual ones, nothing has ever been resident. */
		if (!rdists[i]->lpis || !(rdists[i]->typer & GICR_TYPER_VLPIS))
			assume(!rdists[i]->vpe && !rdists[i]->asked && !is_active(i));
	}

	for (i = 0; i < NR_RDISTS; i++)
		assume(is_consistent(i));
	for (i = 0; i < NR_VPES; i++)
		assume(vpe_is_consistent(vpes[i]));

	hyp_vpes = &registry;
	for (i = 0; i < NR_VPES; i++)
		vpe_link(vpeids[i], vpes[i]);
}

static void prove_machine(void)
{
	u32 i;

	for (i = 0; i < NR_RDISTS; i++) {
		prove(is_consistent(i), "what a redistributor has is what its record says");
		prove(!rdists[i]->lock.held, "the locks of redistributors are released");
	}
	for (i = 0; i < NR_VPES; i++) {
		prove(!vpes[i]->lock.held, "the locks of vPEs are released");
		prove(vpe_is_consistent(vpes[i]), "a vPE is resident where it was last");
		prove(vpe_get(vpeids[i]) == (registered[i] ? vpes[i] : NULL) &&
		      vpe_find(vpts[i]) == (registered[i] ? vpes[i] : NULL),
		      "what is registered is found, and nothing else");
	}
	prove(!registry.lock.held, "the lock of the registry is released");
}

/* The guard finds no frame where there is none. */
static struct hyp_rdist *any_frame(void)
{
	struct hyp_rdist *rdist = nondet_bool() ? &rdist1 : &rdist0;

	any_machine();
	assume(rdist->base && (rdist->typer & GICR_TYPER_VLPIS));
	hyp_spin_lock(&rdist->lock);

	return rdist;
}

void prove_vpendbaser(void)
{
	struct hyp_rdist *rdist = any_frame(), *was = vpe0.resident;
	u64 reg = nondet_u64(), val = nondet_u64();
	struct rdist_hw *h = &hw[rdist == &rdist1];
	bool done;

	done = vpe_write_vlpi(rdist, reg, val);
	hyp_spin_unlock(&rdist->lock);

	reach(!was && vpe0.resident == &rdist1 && nr_itss == 2);
	reach(was == &rdist0 && !vpe0.resident && is_active(0));
	reach(was == &rdist0 && !vpe0.resident && hw[0].powerless);

	prove(done || !h->nr_writes, "what is ignored writes no register");
	prove_machine();
}

void prove_vpe_ask(void)
{
	struct hyp_rdist *rdist = any_frame();
	struct rdist_hw *h = &hw[rdist == &rdist1];
	u32 vpeid = nondet_u32();

	if (nondet_bool()) {
		vpe_write_vsgir(rdist, vpeid);
	} else if (rdist->lpis && vpe_ask(rdist, vpeid)) {
		/* rdist.c writes GICR_INVLPIR or GICR_INVALLR. */
		prove(v4_1 && rdist->asked && vpeid == vpeids[rdist->asked == &vpe1] &&
		      !h->busy_lpi && !h->busy_sgi,
		      "a redistributor is asked about one vPE at a time");
		prove(has_vpe_table(rdist == &rdist1), "... that it has the table for");
		h->asked = rdist->asked;
		h->busy_lpi = true;
	}
	hyp_spin_unlock(&rdist->lock);

	reach(h->busy_sgi && h->nr_writes);
	reach(h->busy_lpi && !h->nr_writes);

	prove(!rdist->asked || registered[rdist->asked == &vpe1],
	      "what is asked about is prepared");
	prove_machine();
}

void prove_vpe_load(void)
{
	u64 vpropbaser = nondet_u64(), vpendbaser = nondet_u64();
	struct hyp_rdist *was;

	any_machine();
	was = vpe0.resident;
	vpe_load_local(vpropbaser, vpendbaser);

	reach(!was && vpe0.resident == &rdist1 && local == 1);

	prove(was == vpe0.resident || vpe0.resident == hyp_rdist_local(),
	      "a vPE is loaded on this CPU");
	prove(was == vpe0.resident || (vpendbaser & GICR_VPENDBASER_Valid), "... with Valid set");
	prove_machine();
}

void prove_vpe_put(void)
{
	struct hyp_rdist *was;

	any_machine();
	was = vpe0.resident;
	vpe_put_local();

	reach(was == &rdist1 && !vpe0.resident);

	prove(was == vpe0.resident || was == hyp_rdist_local(), "a vPE is put on this CPU");
	prove_machine();
}

void prove_vpe_reclaim(void)
{
	u64 vpeid = nondet_u64();
	u32 nr = nondet_bool();
	int ret;

	any_machine();
	ret = __pkvm_vpe_reclaim(vpeid);

	reach(!ret && !registered[0]);
	reach(!ret && !registered[1] && hw[0].powerless);
	reach(ret == -EBUSY && !mapped[0] && vpeid == vpeids[0]);

	prove(ret == 0 || ret == -EBUSY || ret == -EINVAL, "the result is one that is documented");
	prove((ret == -EINVAL) == (vpeid != vpeids[0] && vpeid != vpeids[1]),
	      "what is registered can be reclaimed, and nothing else");
	prove(!ret == !(registered[0] && registered[1]) && (registered[0] || registered[1]),
	      "one is given back if the call succeeds");
	prove(ret || !registered[vpeid == vpeids[1]], "... and it is the one that is named");
	prove(!vpes[nr]->resident || registered[nr], "what is given back is resident nowhere");

	prove_machine();
}
