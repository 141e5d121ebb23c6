// SPDX-License-Identifier: GPL-2.0-only
/*
 * EL2's side as it is in the kernel, and what it takes to start over.
 */

#include "../../../arch/arm64/kvm/hyp/nvhe/its.c"
#include "../../../arch/arm64/kvm/hyp/nvhe/mmio_guard.c"
#include "../../../arch/arm64/kvm/hyp/nvhe/rdist.c"

#include "el2.h"

u32 el2_traced_reason;
u64 el2_nr_traced;

static struct {
	u64	index;
	u64	size;
} nospecs[64];
static unsigned int nr_nospecs;

/* An index is clamped behind its check. */
u64 array_index_nospec(u64 index, u64 size)
{
	if (index >= size)
		mem_fail("EL2 uses index %llu of %llu", (unsigned long long)index,
			 (unsigned long long)size);

	nospecs[nr_nospecs % ARRAY_SIZE(nospecs)].index = index;
	nospecs[nr_nospecs % ARRAY_SIZE(nospecs)].size = size;
	nr_nospecs++;

	return index;
}

unsigned int el2_nr_nospec(u64 index, u64 size)
{
	unsigned int i, nr = 0;

	for (i = 0; i < min_t(unsigned int, nr_nospecs, ARRAY_SIZE(nospecs)); i++)
		nr += nospecs[i].index == index && nospecs[i].size == size;

	nr_nospecs = 0;

	return nr;
}

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
	hyp_rdists = NULL;
	nr_hyp_rdists = 0;
	rdists_prop_size = 0;
	rdists_state_pages = 0;
	el2_nr_traced = 0;
	nr_nospecs = 0;
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
