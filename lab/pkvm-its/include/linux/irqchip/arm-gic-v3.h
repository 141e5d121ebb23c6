/* SPDX-License-Identifier: GPL-2.0-only */
#include <kernel-shim.h>

/* Only the definitions of registers and commands, not what the driver keeps. */
#define __ASSEMBLER__
#define __ASSEMBLY__
#include <include/linux/irqchip/arm-gic-v3.h>
#undef __ASSEMBLER__
#undef __ASSEMBLY__
