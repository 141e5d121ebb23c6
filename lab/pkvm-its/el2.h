/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __PKVM_ITS_EL2_H__
#define __PKVM_ITS_EL2_H__

#include <kernel-shim.h>

#include <asm/kvm_asm.h>

#include <nvhe/its.h>
#include <nvhe/its-ghost.h>
#include <nvhe/rdist.h>
#include <nvhe/vpe.h>

void el2_reset(void);

/* As hypercalls, which end with a look of the ghost at all there is */
#define EL2_HCALL(call, ...)							\
({										\
	int __ret = (call)(__VA_ARGS__);					\
										\
	its_ghost_hcall(__KVM_HOST_SMCCC_FUNC_##call);				\
	__ret;									\
})
#define __pkvm_its_activate(...)	EL2_HCALL(__pkvm_its_activate, __VA_ARGS__)
#define __pkvm_its_prepare(...)		EL2_HCALL(__pkvm_its_prepare, __VA_ARGS__)
#define __pkvm_its_reclaim(...)		EL2_HCALL(__pkvm_its_reclaim, __VA_ARGS__)
#define __pkvm_rdists_register(...)	EL2_HCALL(__pkvm_rdists_register, __VA_ARGS__)
#define __pkvm_vpe_prepare(...)		EL2_HCALL(__pkvm_vpe_prepare, __VA_ARGS__)
#define __pkvm_vpe_reclaim(...)		EL2_HCALL(__pkvm_vpe_reclaim, __VA_ARGS__)

/* What tells the host's CPUs apart, for pkvm_its_suspend() */
#define HOST_CPU(nr)	((void *)((nr) + 1UL))

/* EL2's own view, for tests to look at */
struct hyp_its *el2_its(int id);
const struct hyp_its_device *el2_device(int id, u64 dev_id);
/* The first device from @from on that EL2 has a record of, or the number of DeviceIDs */
u64 el2_next_device(int id, u64 from);
bool el2_is_mapped(int id, u64 dev_id);

/* How often an index has been clamped to a size since the last call of this for any */
unsigned int el2_nr_nospec(u64 index, u64 size);

/* The refused command that was traced last */
extern u32 el2_traced_reason;
extern u64 el2_nr_traced;

#endif /* __PKVM_ITS_EL2_H__ */
