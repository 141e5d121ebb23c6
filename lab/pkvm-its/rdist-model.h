/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GICv3 redistributors in software, as far as they have to do with memory. They complain
 * when they are led to memory they should not touch, or programmed in ways that the
 * architecture does not allow.
 */
#ifndef __PKVM_RDIST_MODEL_H__
#define __PKVM_RDIST_MODEL_H__

#include <linux/irqchip/arm-gic-v3.h>

#include "its-model.h"

#define RDIST_MAX_MODELS	513

/**
 * struct rdist_model - a redistributor
 * @base: physical address of RD_base
 * @confined: the driver has handed it over: tables are EL2's, and shared and pinned
 * @typer: GICR_TYPER
 * @pidr2: GICR_PIDR2
 * @ctlr: GICR_CTLR without RWP
 * @waker: GICR_WAKER
 * @addr_mask: address bits that the base registers keep
 * @propbaser: GICR_PROPBASER
 * @pendbaser: GICR_PENDBASER, without PTZ
 * @vpropbaser: GICR_VPROPBASER
 * @vpendbaser: GICR_VPENDBASER, without Dirty
 * @vpes: its virtual LPIs
 * @flushes: number of reads of GICR_VPENDBASER during which Dirty is set once Valid is cleared
 * @dirty: how many of them are left
 * @rings: GICv4.1: what became non-resident last asked for a doorbell
 * @inv_busy: number of reads of GICR_SYNCR during which it is busy
 * @vsgi_busy: number of reads of GICR_VSGIPENDR during which it is busy
 * @slow: what one of the two becomes when it is asked about a vPE
 * @vsgis: the virtual SGIs that GICR_VSGIPENDR shows as pending
 * @guest: the vPE whose vCPU the CPU runs
 * @vlpis: number of virtual LPIs delivered to the vPE that is resident
 * @nr_lpirs: number of writes of GICR_SETLPIR and others
 * @last_lpir: offset of the last of these
 * @last_intid: its value
 */
struct rdist_model {
	phys_addr_t	base;
	bool		confined;
	u64		typer;
	u32		pidr2;
	u32		ctlr;
	u32		waker;
	u64		addr_mask;
	u64		propbaser;
	u64		pendbaser;
	u64		vpropbaser;
	u64		vpendbaser;
	enum its_vpes	vpes;
	u32		flushes;
	u32		dirty;
	bool		rings;
	u32		inv_busy;
	u32		vsgi_busy;
	u32		slow;
	u32		vsgis;
	u32		guest;
	u64		vlpis;
	u64		nr_lpirs;
	u64		last_lpir;
	u64		last_intid;
};

void rdist_model_reset(void);
struct rdist_model *rdist_model_add(phys_addr_t base, u64 typer);
struct rdist_model *rdist_model_find(phys_addr_t phys, u64 *offset);
struct rdist_model *rdist_model_get(unsigned int nr);
u64 rdist_model_read(struct rdist_model *rdist, u64 offset, unsigned int size);
void rdist_model_write(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size);
void rdist_model_power_cycle(struct rdist_model *rdist);
bool rdist_model_set_pending(struct rdist_model *rdist, u32 intid);
void rdist_model_released(phys_addr_t phys, u64 size);

bool rdist_mmio_map(phys_addr_t phys, unsigned long *haddr);
struct rdist_model *rdist_mmio_find(const volatile void *addr, u64 *offset);

#endif /* __PKVM_RDIST_MODEL_H__ */
