/* SPDX-License-Identifier: GPL-2.0-only */
#include <kernel-shim.h>
#include <arch/arm64/kvm/hyp/include/nvhe/its-ghost.h>
