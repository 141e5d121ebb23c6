// SPDX-License-Identifier: GPL-2.0-only
/*
 * mem_protect.c: any stage-2 fault of the host, from the syndrome to the guard's owner.
 *
 * Proved: the owner of a guarded region gets naturally aligned writes of 4 or 8 bytes within the
 * region, with the value that the host's register has, and gets each of them; the instruction
 * is skipped exactly if its write was passed on. A guarded page is only ever mapped read-only, as
 * a page of its own, and only for a read. Everything else that touches a guarded page gets an
 * abort: what the syndrome does not describe (pairs, atomics, cache maintenance, page-table
 * walks, instruction fetches), what is narrower, and what is not aligned. Faults elsewhere never
 * reach the guard. No host register changes.
 *
 * Assumed, and why that holds:
 *  - mmio_guard_find() returns NULL, or a region with the address (prove_guard_find());
 *  - with ISV, the hardware describes the access: SAS is its size, SRT its register, and IL is set
 *    for an instruction of 32 bits (DDI 0487, ESR_EL2, ISS encoding for a Data Abort);
 *  - HPFAR_EL2.NS is set, as in the whole of non-secure state: upstream has a BUG_ON() there;
 *  - mapping a page fails in no way but those that upstream expects;
 *  - CONFIG_PKVM_ITS_REFERENCE is off.
 */

#include <linux/bitfield.h>

#include <nvhe/mmio_guard.h>

#include "prove.h"

PROVE_NO_WARN

/* DDI 0487, ESR_EL2 and HPFAR_EL2 */
#define ESR_ELx_EC_IABT_LOW	0x20
#define ESR_ELx_EC_DABT_LOW	0x24
#define ESR_ELx_EC(esr)		FIELD_GET(GENMASK_ULL(31, 26), esr)
#define ESR_ELx_IL		BIT_ULL(25)
#define ESR_ELx_ISV		BIT_ULL(24)
#define ESR_ELx_SAS		GENMASK_ULL(23, 22)
#define ESR_ELx_SSE		BIT_ULL(21)
#define ESR_ELx_SRT_MASK	GENMASK_ULL(20, 16)
#define ESR_ELx_CM		BIT_ULL(8)
#define ESR_ELx_S1PTW		BIT_ULL(7)
#define ESR_ELx_WNR		BIT_ULL(6)
#define ESR_ELx_FSC		GENMASK_ULL(5, 0)
#define HPFAR_EL2_NS		BIT_ULL(63)
#define HPFAR_EL2_FIPA		GENMASK_ULL(47, 4)
#define FAR_TO_FIPA_OFFSET(far)	((far) & GENMASK_ULL(11, 0))

#define KVM_PGTABLE_PROT_R	BIT(3)
#define KVM_PGTABLE_PROT_RW	(KVM_PGTABLE_PROT_R | BIT(2))

#define SYS_ESR			0
#define read_sysreg_el2(reg)	read_esr()
#define BUG_ON(cond)		prove(!(cond), "no BUG_ON")
#define BUG()			prove(false, "no BUG")

struct kvm_cpu_context {
	struct {
		u64 regs[31];
	} regs;
};

struct kvm_vcpu_fault_info {
	u64 esr_el2;
	u64 far_el2;
	u64 hpfar_el2;
};

static struct kvm_cpu_context nondet_context(void);
static struct mmio_guard nondet_guard(void);

static u64 the_esr, the_far, the_ipa;
static struct mmio_guard the_guard;
static bool is_guarded;
static u32 nr_writes, nr_skipped, nr_aborts, nr_mapped_read_only, nr_mapped_otherwise;
static u64 written_offset, written_val, written_size;

static u64 read_esr(void)
{
	return the_esr;
}

static bool esr_fsc_is_permission_fault(u64 esr)
{
	return (esr & 0x3c) == 0x0c;
}

static bool __get_fault_info(u64 esr, struct kvm_vcpu_fault_info *fault)
{
	fault->far_el2 = the_far;
	fault->hpfar_el2 = HPFAR_EL2_NS | FIELD_PREP(HPFAR_EL2_FIPA, the_ipa >> 12);

	return nondet_bool();
}

/* By guard.c */
const struct mmio_guard *mmio_guard_find(phys_addr_t addr)
{
	prove(addr == ALIGN_DOWN(the_ipa, SZ_4K), "the address that faulted is looked up");

	return is_guarded ? &the_guard : NULL;
}

static void host_lock_component(void)
{
}

static void host_unlock_component(void)
{
}

static int any_result(void)
{
	int ret = nondet_int();

	assume(!ret || ret == -EPERM || ret == -EEXIST);

	return ret;
}

static int host_stage2_idmap_locked(phys_addr_t addr, u64 size, u32 prot)
{
	prove(prot == KVM_PGTABLE_PROT_R, "a guarded page is mapped read-only");
	prove(addr == ALIGN_DOWN(the_ipa, PAGE_SIZE) && size == PAGE_SIZE,
	      "the page that faulted is mapped, and none beside it");
	nr_mapped_read_only++;

	return any_result();
}

static int host_stage2_idmap(u64 addr)
{
	nr_mapped_otherwise++;

	return any_result();
}

static void host_inject_mem_abort(struct kvm_cpu_context *host_ctxt)
{
	nr_aborts++;
}

static void kvm_skip_host_instr(void)
{
	nr_skipped++;
}

static void guard_write(void *priv, u64 offset, u64 val, unsigned int size)
{
	prove(priv == the_guard.priv, "the owner gets its own argument");
	nr_writes++;
	written_offset = offset;
	written_val = val;
	written_size = size;
}

#include <extracted/abort.c>

void prove_guard_abort(void)
{
	static const struct mmio_guard_ops ops = { .write = guard_write };
	struct kvm_cpu_context context = nondet_context(), was = context;
	u64 size, srt, val, i = nondet_u8() % 31;
	bool is_write, faulted;

	the_esr = nondet_u64();
	the_far = nondet_u64();
	/* The offset into 4K comes from the virtual address. */
	the_ipa = (nondet_u64() & GENMASK_ULL(51, 12)) | (the_far & GENMASK_ULL(11, 0));
	is_guarded = nondet_bool();
	the_guard = nondet_guard();
	the_guard.ops = &ops;
	assume(the_guard.start <= the_ipa && the_ipa < the_guard.end);
	assume(PAGE_ALIGNED(the_guard.start | the_guard.end));
	/* What gets here are aborts of EL1 and EL0. */
	assume(ESR_ELx_EC(the_esr) == ESR_ELx_EC_DABT_LOW ||
	       ESR_ELx_EC(the_esr) == ESR_ELx_EC_IABT_LOW);

	size = 1 << (the_esr >> 22 & 3);
	srt = the_esr >> 16 & 31;
	is_write = (the_esr & ESR_ELx_WNR) && (the_esr & ESR_ELx_ISV) && (the_esr & ESR_ELx_IL) &&
		   !(the_esr & (ESR_ELx_S1PTW | ESR_ELx_CM)) &&
		   ESR_ELx_EC(the_esr) == ESR_ELx_EC_DABT_LOW;

	handle_host_mem_abort(&context);

	reach(nr_writes && size == 4 && srt == 31);
	reach(nr_writes && size == 8);
	reach(nr_mapped_read_only && !nr_aborts);
	reach(is_guarded && nr_aborts && is_write && size == 2);
	reach(is_guarded && nr_aborts && ESR_ELx_EC(the_esr) == ESR_ELx_EC_IABT_LOW);

	prove(context.regs.regs[i] == was.regs.regs[i], "no register of the host changes");
	prove(nr_writes <= 1 && nr_aborts <= 1 && nr_skipped == nr_writes,
	      "an instruction is skipped if its write was passed on");
	prove(!nr_writes || !nr_aborts, "what was passed on gets no abort");
	prove(!is_guarded || !nr_mapped_otherwise, "a guarded page is never mapped as others are");
	prove(is_guarded || (!nr_writes && !nr_mapped_read_only), "nothing else reaches the guard");
	prove(!nr_mapped_read_only || (!(the_esr & ESR_ELx_WNR) && !nr_writes),
	      "a guarded page is mapped for reads");
	faulted = nr_writes || nr_aborts || nr_mapped_read_only || nr_mapped_otherwise;
	prove(!(is_guarded && faulted && is_write && size >= 4 && the_ipa % size == 0) || nr_writes,
	      "each aligned write of 4 or 8 bytes is passed on");
	if (!nr_writes)
		return;

	prove(is_write && written_size == size && (size == 4 || size == 8),
	      "what is passed on is a write of 4 or 8 bytes");
	prove(written_offset == the_ipa - the_guard.start && written_offset % size == 0 &&
	      size <= the_guard.end - the_guard.start - written_offset,
	      "it is aligned, and within the region");
	val = srt == 31 ? 0 : was.regs.regs[srt];
	prove(written_val == (size == 4 ? val & GENMASK_ULL(31, 0) : val),
	      "the value is that of the host's register");
}
