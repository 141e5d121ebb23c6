/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The formats of ITS commands, from the architecture (IHI 0069, ITS commands) and not from
 * EL2's code.
 */
#ifndef __PROVE_ENCODING_H__
#define __PROVE_ENCODING_H__

#include "prove.h"

#define VALID	BIT_ULL(63)
#define ICID	GENMASK_ULL(15, 0)
#define RDBASE	GENMASK_ULL(51, 16)
#define LOW	GENMASK_ULL(31, 0)

/*
 * The bits that a command has, by doubleword (IHI 0069, ITS commands). MAPI and MOVALL, which
 * the driver never sends, are as unknown as those that the architecture does not have.
 */
static bool has_only_defined_bits(const u64 *cmd)
{
	const u64 device = GENMASK_ULL(63, 32) | GENMASK_ULL(7, 0), nr = GENMASK_ULL(7, 0);
	u64 mask[4] = {};

	switch (cmd[0] & 0xff) {
	case 0x08: /* MAPD */
		mask[0] = device; mask[1] = GENMASK_ULL(4, 0); mask[2] = VALID | GENMASK_ULL(51, 8);
		break;
	case 0x09: /* MAPC */
		mask[0] = nr; mask[2] = VALID | RDBASE | ICID;
		break;
	case 0x0a: /* MAPTI */
		mask[0] = device; mask[1] = GENMASK_ULL(63, 0); mask[2] = ICID;
		break;
	case 0x01: /* MOVI */
		mask[0] = device; mask[1] = LOW; mask[2] = ICID;
		break;
	case 0x03: /* INT */
	case 0x04: /* CLEAR */
	case 0x0c: /* INV */
	case 0x0f: /* DISCARD */
		mask[0] = device; mask[1] = LOW;
		break;
	case 0x05: /* SYNC */
		mask[0] = nr; mask[2] = RDBASE;
		break;
	case 0x0d: /* INVALL */
		mask[0] = nr; mask[2] = ICID;
		break;
	default:
		return false;
	}

	return !((cmd[0] & ~mask[0]) | (cmd[1] & ~mask[1]) |
		 (cmd[2] & ~mask[2]) | (cmd[3] & ~mask[3]));
}

static bool names_device(u64 nr)
{
	return nr == 0x08 || nr == 0x0a || nr == 0x01 || nr == 0x03 || nr == 0x04 ||
	       nr == 0x0c || nr == 0x0f;
}

static bool is_rdbase(const struct hyp_its *its, u64 rdbase)
{
	unsigned int i;

	for (i = 0; i < its->nr_rdbases; i++) {
		if (its->rdbases[i] == rdbase)
			return true;
	}

	return false;
}

#endif /* __PROVE_ENCODING_H__ */
