// SPDX-License-Identifier: GPL-2.0-only
/*
 * EL2's side as it is in the kernel, and what it takes to start over.
 */

#include "../../../arch/arm64/kvm/hyp/nvhe/its.c"
#include "../../../arch/arm64/kvm/hyp/nvhe/mmio_guard.c"

#include "el2.h"

u32 el2_traced_reason;
u64 el2_nr_traced;

void trace_its_refused(phys_addr_t its, u64 cmd0, u64 cmd1, u64 cmd2, u32 reason)
{
	el2_traced_reason = reason;
	el2_nr_traced++;
}

void el2_reset(void)
{
	memset(hyp_its_nodes, 0, sizeof(hyp_its_nodes));
	nr_hyp_its = 0;
	pvms_refused = false;
	nr_mmio_guards = 0;
	el2_nr_traced = 0;
}

struct hyp_its *el2_its(int id)
{
	return hyp_its_nodes[id];
}

bool el2_has_record(int id, u64 dev_id)
{
	return its_cmd_has_record(&hyp_its_nodes[id]->cmd, dev_id);
}

bool el2_is_mapped(int id, u64 dev_id)
{
	struct its_cmd_queue *q = &hyp_its_nodes[id]->cmd;
	u64 mask = BIT(PKVM_ITS_RECORD_SHIFT) - 1;

	return el2_has_record(id, dev_id) &&
	       q->records[dev_id >> 2 * PKVM_ITS_RECORD_SHIFT]
			 [dev_id >> PKVM_ITS_RECORD_SHIFT & mask][dev_id & mask];
}
