/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_KVM_HYPEVENTS_H__
#define __SHIM_KVM_HYPEVENTS_H__

#include <linux/types.h>

void trace_its_refused(phys_addr_t its, u64 cmd0, u64 cmd1, u64 cmd2, u32 reason);

#endif /* __SHIM_KVM_HYPEVENTS_H__ */
