// SPDX-License-Identifier: GPL-2.0-only
/*
 * EL2's side as it is in the kernel, and what it takes to start over.
 */

#include <arch/arm64/kvm/hyp/nvhe/its.c>
#include <arch/arm64/kvm/hyp/nvhe/its-handover.c>
#include <arch/arm64/kvm/hyp/nvhe/mmio_guard.c>
#include <arch/arm64/kvm/hyp/nvhe/rdist.c>
#include <arch/arm64/kvm/hyp/nvhe/vpe.c>

/* The ghost looks at the hardware without being seen. */
#define its_mmio_read	its_mmio_peek
#include <arch/arm64/kvm/hyp/nvhe/its-ghost.c>
#undef its_mmio_read

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
	pkvm_its_pvms_refused = false;
	its_suspending = NULL;
	memset(mmio_guards, 0, sizeof(mmio_guards));
	mmio_guard_last = mmio_guards;
	nr_mmio_guards = 0;
	memset(mmio_guards, 0, sizeof(mmio_guards));
	hyp_rdists = NULL;
	nr_hyp_rdists = 0;
	rdists_prop_size = 0;
	rdists_state_pages = 0;
	memset(local_rdist, 0, sizeof(local_rdist));
	vpes_init(NULL);
	memset(ghost_itss, 0, sizeof(ghost_itss));
	memset(ghost_users, 0, ghost_nr_users * sizeof(ghost_users[0]));
	ghost_nr_users = 0;
	el2_nr_traced = 0;
	nr_nospecs = 0;
}

struct hyp_its *el2_its(int id)
{
	return hyp_its_nodes[id];
}

const struct hyp_its_device *el2_device(int id, u64 dev_id)
{
	struct hyp_its_device **slot = its_find_device(hyp_its_nodes[id], dev_id);

	return slot ? *slot : NULL;
}

u64 el2_next_device(int id, u64 from)
{
	struct hyp_its *its = hyp_its_nodes[id];
	struct hyp_its_device **slot;
	u64 end;

	for (; from < its->nr_devices; from = end) {
		end = its->nr_devices;
		if (!its->flat_records)
			end = min(end, (from | (BIT(its->devices->ids_shift) - 1)) + 1);
		slot = its_find_device(its, from);
		for (; slot && from < end; slot++, from++) {
			if (*slot)
				return from;
		}
	}

	return from;
}

bool el2_is_mapped(int id, u64 dev_id)
{
	const struct hyp_its_device *device = el2_device(id, dev_id);

	return device && device->state == HYP_ITS_DEVICE_MAPPED;
}
