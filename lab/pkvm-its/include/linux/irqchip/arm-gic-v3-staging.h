/* SPDX-License-Identifier: GPL-2.0-only */
#include <kernel-shim.h>
#include <include/linux/irqchip/arm-gic-v3-staging.h>
