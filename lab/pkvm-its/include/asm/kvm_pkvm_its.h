/* SPDX-License-Identifier: GPL-2.0-only */
#include <kernel-shim.h>
#include <arch/arm64/include/asm/kvm_pkvm_its.h>
