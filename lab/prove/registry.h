/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpe.c with a registry of 4 vPEs in 2 chains, and 2 ITSs at most. The code only compares with
 * these numbers, and they are how often loops are unwound.
 */
#ifndef __PROVE_REGISTRY_H__
#define __PROVE_REGISTRY_H__

#include <asm/kvm_pkvm_its.h>

#undef PKVM_ITS_MAX
#define PKVM_ITS_MAX	2

#include <nvhe/its.h>
#include <nvhe/rdist.h>

/* The arrays are the only thing in vpe.h that BIT() is for. */
#define REAL_BIT(nr)	(1UL << (nr))
#undef BIT
#define BIT(nr)		((nr) == 16 ? 4 : 2)
#include <nvhe/vpe.h>
static_assert(HYP_VPES_MAX == 4 && HYP_VPE_HASHES == 2);
#undef BIT
#define BIT(nr)		REAL_BIT(nr)
#undef HYP_VPES_MAX
#define HYP_VPES_MAX	4
#undef HYP_VPE_HASHES
#define HYP_VPE_HASHES	2

/* EL2 reads only its own memory here. */
#undef READ_ONCE
#define READ_ONCE(x)	(*(const volatile typeof(x) *)&(x))

#include <vpe.c>

#include "prove.h"

PROVE_NO_WARN
PROVE_NOSPEC

#endif /* __PROVE_REGISTRY_H__ */
