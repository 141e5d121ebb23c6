/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __PKVM_ITS_EL2_H__
#define __PKVM_ITS_EL2_H__

#include <kernel-shim.h>

#include <nvhe/its.h>

void el2_reset(void);

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
