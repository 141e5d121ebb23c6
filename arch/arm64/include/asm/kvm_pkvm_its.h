/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host's and the hypervisor's code for confined ITSs both know.
 */
#ifndef __ARM64_KVM_PKVM_ITS_H__
#define __ARM64_KVM_PKVM_ITS_H__

#include <linux/mm.h>
#include <linux/types.h>

/*
 * The counters of an ITS, by the number that __pkvm_its_stat() takes. Those from
 * PKVM_ITS_FIRST_REASON on are the reasons to refuse a command.
 */
enum pkvm_its_stat {
	PKVM_ITS_ACCEPTED,
	PKVM_ITS_WRITES,
	PKVM_ITS_WRITES_IGNORED,
	PKVM_ITS_DEFERRED,
	PKVM_ITS_HELD_PAGES,
	PKVM_ITS_FIRST_REASON,
	PKVM_ITS_REFUSED_UNKNOWN_COMMAND = PKVM_ITS_FIRST_REASON,
	PKVM_ITS_REFUSED_NOT_SUPPORTED,
	PKVM_ITS_REFUSED_BAD_DEVICE,
	PKVM_ITS_REFUSED_BAD_EVENT,
	PKVM_ITS_REFUSED_BAD_ICID,
	PKVM_ITS_REFUSED_BAD_INTID,
	PKVM_ITS_REFUSED_BAD_RDBASE,
	PKVM_ITS_REFUSED_BAD_SIZE,
	PKVM_ITS_REFUSED_BAD_ITT,
	PKVM_ITS_REFUSED_ITT_BUSY,
	PKVM_ITS_REFUSED_BAD_LEVEL2,
	PKVM_ITS_REFUSED_NO_MEMORY,
	PKVM_ITS_REFUSED_NOT_MAPPED,
	PKVM_ITS_NR_STATS,
};

/* The counters of the redistributors, by the number that __pkvm_rdists_stat() takes */
enum pkvm_rdists_stat {
	PKVM_RDISTS_FOUND,
	PKVM_RDISTS_WITH_LPIS,
	PKVM_RDISTS_WRITES,
	PKVM_RDISTS_WRITES_IGNORED,
	PKVM_RDISTS_HELD_PAGES,
	PKVM_RDISTS_NR_STATS,
};

/* Bits of the DeviceID that one level of EL2's device records resolves */
#define PKVM_ITS_RECORD_SHIFT	(PAGE_SHIFT - 3)

/**
 * pkvm_its_records_size - size of the top level of EL2's device records
 * @nr_ids: number of DeviceIDs
 *
 * Return: bytes.
 */
static inline u64 pkvm_its_records_size(u64 nr_ids)
{
	return nr_ids ? (((nr_ids - 1) >> (2 * PKVM_ITS_RECORD_SHIFT)) + 1) * sizeof(u64) : 0;
}

/**
 * pkvm_its_releases_size - size of EL2's notes on commands that release memory
 * @queue_size: size of the command queue in bytes
 *
 * Return: bytes.
 */
static inline u64 pkvm_its_releases_size(u64 queue_size)
{
	return queue_size / 32 * sizeof(u64);
}

#endif /* __ARM64_KVM_PKVM_ITS_H__ */
