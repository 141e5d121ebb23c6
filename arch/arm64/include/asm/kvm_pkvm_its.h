/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host's and the hypervisor's code for confined ITSs both know.
 */
#ifndef __ARM64_KVM_PKVM_ITS_H__
#define __ARM64_KVM_PKVM_ITS_H__

#include <linux/irqchip/arm-gic-v3-staging.h>
#include <linux/types.h>

/* As many ITSs as a machine may have */
#define PKVM_ITS_MAX		64

/* What becomes of a command */
enum pkvm_its_verdict {
	PKVM_ITS_ACCEPTED,
	PKVM_ITS_REFUSED_UNKNOWN_COMMAND,
	PKVM_ITS_REFUSED_NOT_SUPPORTED,
	PKVM_ITS_REFUSED_BAD_DEVICE,
	PKVM_ITS_REFUSED_BAD_EVENT,
	PKVM_ITS_REFUSED_BAD_ICID,
	PKVM_ITS_REFUSED_BAD_INTID,
	PKVM_ITS_REFUSED_BAD_RDBASE,
	PKVM_ITS_REFUSED_NOT_PREPARED,
	PKVM_ITS_REFUSED_NOT_MAPPED,
	PKVM_ITS_REFUSED_EVENTS_MAPPED,
	PKVM_ITS_REFUSED_BAD_VPE,
	PKVM_ITS_REFUSED_BAD_ITS_LIST,
	PKVM_ITS_REFUSED_VPE_RESIDENT,
	PKVM_ITS_REFUSED_VPE_PENDING,
	PKVM_ITS_NR_VERDICTS,
};

const char *pkvm_its_verdict_name(u32 verdict);

/* What else is counted for an ITS */
enum pkvm_its_stat {
	PKVM_ITS_WRITES_IGNORED = PKVM_ITS_NR_VERDICTS,
	PKVM_ITS_HELD_PAGES,
	PKVM_ITS_NR_STATS,
};

/* The counters of the redistributors, by the number that __pkvm_rdists_stat() takes */
enum pkvm_rdists_stat {
	PKVM_RDISTS_FOUND,
	PKVM_RDISTS_WITH_LPIS,
	PKVM_RDISTS_VINTID_BITS,
	PKVM_RDISTS_WRITES,
	PKVM_RDISTS_WRITES_IGNORED,
	PKVM_RDISTS_HELD_PAGES,
	PKVM_RDISTS_NR_STATS,
};

/**
 * pkvm_its_flat_records_size - size of EL2's array of devices, if it has to have one
 * @desc: the ITS
 *
 * Return: bytes, a multiple of the page size; 0 if the device table has level-2 pages with room
 *	   behind them.
 */
static inline u64 pkvm_its_flat_records_size(const struct its_staging_desc *desc)
{
	u64 nr_ids = BIT_ULL(FIELD_GET(GITS_TYPER_DEVBITS, desc->typer) + 1);
	unsigned int i;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		u64 baser = desc->tables[i].baser;

		if (GITS_BASER_TYPE(baser) != GITS_BASER_TYPE_DEVICE)
			continue;

		if (baser & GITS_BASER_INDIRECT)
			return 0;

		nr_ids = min(nr_ids, GITS_BASER_NR_PAGES(baser) * its_staging_page_size(baser) /
				     GITS_BASER_ENTRY_SIZE(baser));
	}

	return ALIGN(nr_ids * sizeof(u64), PAGE_SIZE);
}

#endif /* __ARM64_KVM_PKVM_ITS_H__ */
