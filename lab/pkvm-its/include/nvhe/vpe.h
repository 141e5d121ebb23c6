/* SPDX-License-Identifier: GPL-2.0-only */
#include <kernel-shim.h>
#include <nvhe/spinlock.h>
#include <arch/arm64/kvm/hyp/include/nvhe/vpe.h>
