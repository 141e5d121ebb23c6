// SPDX-License-Identifier: GPL-2.0-only
/*
 * vpe.c: any call of __pkvm_vpe_prepare(), on any machine of up to two ITSs, with another vPE
 * that is prepared already.
 *
 * Proved: a vPE is prepared once, where all ITSs and redistributors agree about what a vPE is and
 * can address its tables, with a row in the table of each ITS; its property table is pinned once,
 * as a whole, before its pending table is taken, as a whole; that is zeroed and cleaned before the
 * record can be found, and the record says what was taken. A refusal leaves nothing pinned or
 * taken, but for rows, and no vPE that can be prepared is refused. The other vPE stays.
 *
 * Assumed, and why that holds:
 *  - its_prepare_vpe() takes a row, or fails: prove_prepare_vpe();
 *  - the functions of mem_protect.c pin, unpin or take a range as a whole, or nothing, and take
 *    nothing that EL2 has;
 *  - BITS is the number of vINTID bits. Others are another size of the property table, from 19 on
 *    of the pending table as well, and the end of a loop; an address has 36, 44 or 52 bits;
 *  - rdists_drive() is its_drives() for another number of bits, and rdists_support_vpes() gives
 *    the same answer each time, as redistributors do not change;
 *  - there is a registry: without one, vpes_intid_bits() returns 0 at once.
 */

#include "registry.h"

#define VPT_SIZE	((1UL << BITS) / BITS_PER_BYTE + ITS_STAGING_VPE_RECORD_SIZE)
#define VPROP_SIZE	ALIGN((1UL << BITS) - 8192, PAGE_SIZE)

/* A virtual pending table, with the record behind it, where it is when EL2 looks at it */
static struct {
	u8 table[(1UL << BITS) / BITS_PER_BYTE];
	struct hyp_vpe vpe;
} memory;

static struct hyp_vpes registry;
static struct hyp_vpe other;
static struct hyp_its its0, its1;
static struct hyp_its *const itss[PKVM_ITS_MAX] = { &its0, &its1 };
static struct hyp_its_table table;
static u32 nr_itss, nr_rows[PKVM_ITS_MAX], rdist_addr_bits;
static u64 vpt, vprop, vpeid;
static bool supported[2], mem_fails, taken, cleaned;
static u64 zeroed;
static u32 nr_counted;
static int nr_pins;

struct hyp_its nondet_its(void);
struct hyp_vpe nondet_vpe(void);

struct hyp_its *hyp_its_get(u32 id)
{
	return id < nr_itss ? itss[id] : NULL;
}

struct hyp_rdist *hyp_rdist_get(u32 nr)
{
	prove(false, "no redistributor is looked at");
	return NULL;
}

bool rdists_support_vpes(bool v4_1)
{
	return supported[v4_1];
}

static bool is_below(u64 start, u64 size, u32 bits)
{
	return start < BIT_ULL(bits) && size <= BIT_ULL(bits) - start;
}

bool rdists_drive(phys_addr_t phys, u64 size)
{
	return is_below(phys, size, rdist_addr_bits);
}

bool its_drives(struct hyp_its *its, phys_addr_t phys, u64 size)
{
	return is_below(phys, size, its->addr_bits);
}

int its_prepare_vpe(struct hyp_its *its, u64 id)
{
	prove(registry.lock.held && id == vpeid && its->active && its->vpes && !nr_pins,
	      "a row is taken first, for the vPE, where vPEs are mapped");
	if (nondet_bool()) {
		mem_fails = true;
		return -EPERM;
	}
	nr_rows[its == &its1]++;

	return 0;
}

static bool is_vprop(void *from, void *to)
{
	return (u64)from == vprop && (u64)to - (u64)from == VPROP_SIZE;
}

int hyp_pin_shared_mem(void *from, void *to)
{
	prove(registry.lock.held && is_vprop(from, to) && !nr_pins && !taken,
	      "the property table is pinned, as a whole");
	if (nondet_bool()) {
		mem_fails = true;
		return -EPERM;
	}
	nr_pins++;

	return 0;
}

int hyp_page_count(void *addr)
{
	u32 count = nondet_u32();

	prove((u64)addr == vprop + PAGE_SIZE * nr_counted && nr_counted < VPROP_SIZE >> PAGE_SHIFT,
	      "the pages that are counted are those of the property table");
	nr_counted++;
	/* An overflow is so far away only because none may have more. */
	assume(count && count <= VPE_MAX_PINS + 1);
	mem_fails |= count > VPE_MAX_PINS;

	return count;
}

void hyp_unpin_shared_mem(void *from, void *to)
{
	prove(is_vprop(from, to) && nr_pins-- == 1 && !taken,
	      "what was pinned is unpinned, as a whole");
}

int __pkvm_host_donate_hyp(u64 pfn, u64 nr_pages)
{
	prove(registry.lock.held && nr_pins == 1, "the property table is pinned by then");
	prove(pfn << PAGE_SHIFT == vpt && nr_pages << PAGE_SHIFT == ALIGN(VPT_SIZE, SZ_64K),
	      "the pending table and the record are taken, as a whole");
	if (nondet_bool() || vpt == other.vpt) {
		mem_fails = true;
		return -EPERM;
	}
	taken = true;

	return 0;
}

int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages)
{
	prove(false, "nothing is given back");
	return 0;
}

/* The property table is a number only. */
void *hyp_phys_to_virt(phys_addr_t phys)
{
	return phys == vpt && taken ? (void *)&memory : (void *)phys;
}

static bool is_found(void)
{
	return vpe_get(vpeid) == &memory.vpe || vpe_find(vpt) == &memory.vpe;
}

void *memset(void *to, int value, size_t size)
{
	prove(to == &memory && !value && taken && !is_found(),
	      "the pending table is zeroed before it can be found");
	zeroed = size;
	memory.vpe = (struct hyp_vpe) {};

	return to;
}

void kvm_flush_dcache_to_poc(void *addr, size_t size)
{
	prove(addr == &memory && size == zeroed && !is_found(),
	      "... and cleaned");
	cleaned = true;
}

/* What vpes_intid_bits() is for, said in another way */
static bool machine_has_vpes(void)
{
	bool has = false;
	u32 i;

	for (i = 0; i < nr_itss; i++) {
		if (!itss[i]->active || !itss[i]->vpes)
			continue;
		if (!supported[its_is_v4_1(itss[i])])
			return false;
		if (its_is_v4_1(itss[i]) && !(itss[i]->typer & GITS_TYPER_VMOVP))
			return false;
		has = true;
	}
	if (nr_itss == 2 && its0.active && its0.vpes && its1.active && its1.vpes &&
	    (its0.lpi_bits != its1.lpi_bits ||
	     (its0.typer & GITS_TYPER_VMOVP) != (its1.typer & GITS_TYPER_VMOVP)))
		return false;

	return has;
}

static bool is_in_reach(void)
{
	u64 size = ALIGN(VPT_SIZE, SZ_64K);
	u32 i;

	for (i = 0; i < nr_itss; i++) {
		if (!itss[i]->active || !itss[i]->vpes)
			continue;
		if (!is_below(vpt, size, itss[i]->addr_bits) ||
		    (its_is_v4_1(itss[i]) && !is_below(vprop, 1UL << BITS, itss[i]->addr_bits)))
			return false;
	}

	return is_below(vpt, size, rdist_addr_bits) &&
	       is_below(vprop, 1UL << BITS, rdist_addr_bits);
}

/* Some that tell apart who has which */
static u32 any_addr_bits(void)
{
	return nondet_bool() ? 52 : nondet_bool() ? 44 : 36;
}

void prove_vpe_prepare(void)
{
	u64 other_id = nondet_u64() % HYP_VPES_MAX, held, number;
	bool may_be, was_there;
	u32 i;
	int ret;

	nr_itss = nondet_u32() % (PKVM_ITS_MAX + 1);
	for (i = 0; i < PKVM_ITS_MAX; i++) {
		*itss[i] = nondet_its();
		itss[i]->vpes = nondet_bool() ? &table : NULL;
		itss[i]->addr_bits = any_addr_bits();
		/* Another number only matters where it is another one. */
		assume(itss[i]->lpi_bits == BITS || (i == 1 && itss[0]->active && itss[0]->vpes));
		assume(itss[i]->lpi_bits >= 14 && itss[i]->lpi_bits <= 24);
	}
	supported[0] = nondet_bool();
	supported[1] = nondet_bool();
	rdist_addr_bits = any_addr_bits();

	held = nondet_u64() % BIT_ULL(48);
	registry.held_pages = held;
	hyp_vpes = &registry;
	other = nondet_vpe();
	vpe_link(other_id, &other);

	vpeid = nondet_u64();
	vpt = nondet_u64();
	vprop = nondet_u64();
	was_there = vpeid == other_id;
	may_be = machine_has_vpes() && vpeid < HYP_VPES_MAX && IS_ALIGNED(vpt | vprop, SZ_64K) &&
		 is_in_reach();

	ret = __pkvm_vpe_prepare(vpeid, vpt, vprop);

	reach(!ret && nr_itss == 2 && its0.vpes && its1.vpes && its0.active && its1.active);
	reach(!ret && its_is_v4_1(&its0));
	reach(ret && nr_rows[0] && !nr_pins);
	reach(ret == -EBUSY);
	reach(ret == -ENOSPC);

	number = ALIGN(VPT_SIZE, SZ_64K) >> PAGE_SHIFT;
	prove(!registry.lock.held, "the lock of the registry is released");
	prove(vpe_get(other_id) == &other && vpe_find(other.vpt) == &other,
	      "the other vPE stays where it is");
	prove(!ret || !may_be || was_there || mem_fails, "what can be prepared is not refused");
	prove(!ret == taken && nr_pins == taken, "a refusal leaves nothing taken or pinned");
	prove(registry.held_pages == held + taken * number, "pages are counted");
	prove((ret == -EBUSY) == (may_be && was_there), "a vPE that is there is said to be");

	if (ret) {
		prove(was_there || !vpe_get(vpeid), "what is refused is not found");
		return;
	}

	prove(may_be && !was_there && !mem_fails, "only what may be is prepared, and once");
	for (i = 0; i < PKVM_ITS_MAX; i++)
		prove(nr_rows[i] == (i < nr_itss && itss[i]->active && itss[i]->vpes),
		      "each ITS that has vPEs has a row for it");
	prove(nr_counted == VPROP_SIZE >> PAGE_SHIFT, "the pins of each page were counted");
	prove(zeroed == number << PAGE_SHIFT && cleaned, "all of it was zeroed and cleaned");
	prove(vpe_get(vpeid) == &memory.vpe && vpe_find(vpt) == &memory.vpe, "it is found");
	prove(memory.vpe.vpt == vpt && memory.vpe.vprop == vprop && memory.vpe.bits == BITS,
	      "its record says what was taken");
	prove(!memory.vpe.rdist && !memory.vpe.resident && !memory.vpe.lock.held,
	      "it is resident nowhere");
	for (i = 0; i < PKVM_ITS_MAX; i++)
		prove(memory.vpe.maps[i].state == HYP_VPE_UNUSED, "it is mapped nowhere");
}
