// SPDX-License-Identifier: GPL-2.0-only
/*
 * GICv3 redistributors in software.
 */

#include <string.h>

#include <linux/bitfield.h>

#include "mem.h"
#include "rdist-model.h"
#include "vpe-model.h"

/* Where EL2 has redistributors mapped: at this address more than where they are */
#define RDIST_MMIO_BASE		BIT_ULL(45)
#define RDIST_MMIO_SIZE		BIT_ULL(44)

static struct rdist_model models[RDIST_MAX_MODELS];
static unsigned int nr_models;

void rdist_model_reset(void)
{
	nr_models = 0;
}

struct rdist_model *rdist_model_add(phys_addr_t base, u64 typer)
{
	struct rdist_model *rdist = &models[nr_models++];

	*rdist = (struct rdist_model) {
		.base		= base,
		.typer		= typer,
		.pidr2		= GIC_PIDR2_ARCH_GICv3,
		.addr_mask	= GENMASK_ULL(51, 12),
	};

	return rdist;
}

struct rdist_model *rdist_model_find(phys_addr_t phys, u64 *offset)
{
	unsigned int i;

	for (i = 0; i < nr_models; i++) {
		u64 size = models[i].typer & GICR_TYPER_VLPIS ? SZ_256K : SZ_128K;

		*offset = phys - models[i].base;
		if (phys >= models[i].base && *offset < size)
			return &models[i];
	}

	return NULL;
}

/* The redistributor that was the @nr th to be added, or NULL */
struct rdist_model *rdist_model_get(unsigned int nr)
{
	return nr < nr_models ? &models[nr] : NULL;
}

static u64 nr_ids(const struct rdist_model *rdist)
{
	return BIT_ULL((rdist->propbaser & GICR_PROPBASER_IDBITS_MASK) + 1);
}

/* EL2 is the only owner */
static void check_pending(struct rdist_model *rdist, phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys);

	if (rdist->confined && (!page || page->owner != MEM_ITS))
		mem_fail("pending table at 0x%llx", (unsigned long long)phys);
}

/* The host is the only owner as long as the memory is pinned */
static void check_prop(struct rdist_model *rdist, phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys);

	if (rdist->confined && (!page || page->owner != MEM_HOST || !page->shared || !page->pins))
		mem_fail("property table at 0x%llx", (unsigned long long)phys);
}

static void check_tables(struct rdist_model *rdist)
{
	phys_addr_t prop = GICR_PROPBASER_ADDRESS(rdist->propbaser);
	phys_addr_t pend = GICR_PENDBASER_ADDRESS(rdist->pendbaser);
	u64 pos;

	for (pos = 0; pos < nr_ids(rdist) - 8192; pos += SZ_4K)
		check_prop(rdist, prop + pos);
	for (pos = 0; pos < nr_ids(rdist) / 8; pos += SZ_4K)
		check_pending(rdist, pend + pos);
}

static u64 read_reg(struct rdist_model *rdist, u64 offset)
{
	switch (offset) {
	case GICR_CTLR:
		return rdist->ctlr;
	case GICR_TYPER:
		return rdist->typer;
	case ALIGN_DOWN(GICR_WAKER, 8):
		return (u64)rdist->waker << 32;
	case GICR_PROPBASER:
		return rdist->propbaser;
	case GICR_PENDBASER:
		return rdist->pendbaser;
	case GICR_PIDR2:
		return rdist->pidr2;
	case GICR_SYNCR:
		return rdist->inv_busy ? !!rdist->inv_busy-- : 0;
	case SZ_128K + GICR_VPROPBASER:
		return rdist->vpropbaser;
	case SZ_128K + GICR_VPENDBASER:
		return vpe_model_read_vpendbaser(rdist);
	case SZ_128K + GICR_VSGIPENDR:
		if (rdist->vsgi_busy) {
			rdist->vsgi_busy--;
			return GICR_VSGIPENDR_BUSY;
		}
		return rdist->vsgis;
	default:
		return 0;
	}
}

u64 rdist_model_read(struct rdist_model *rdist, u64 offset, unsigned int size)
{
	u64 val = read_reg(rdist, ALIGN_DOWN(offset, sizeof(u64)));

	return size == sizeof(u32) ? (u32)(val >> (offset % sizeof(u64) * 8)) : val;
}

/* Of a redistributor that is confined, only its model changes this, as power does. */
static void check_unconfined(const struct rdist_model *rdist)
{
	if (rdist->confined)
		mem_fail("base or EnableLPIs of a redistributor that is confined written");
}

static void write_ctlr(struct rdist_model *rdist, u32 val)
{
	check_unconfined(rdist);
	rdist->ctlr = val;
	check_tables(rdist);
}

static void write_base(struct rdist_model *rdist, u64 *base, u64 val)
{
	check_unconfined(rdist);
	*base = val & (rdist->addr_mask | ~GENMASK_ULL(51, 12));
}

static void write_reg(struct rdist_model *rdist, u64 offset, u64 val)
{
	switch (offset) {
	case GICR_PROPBASER:
		write_base(rdist, &rdist->propbaser, val);
		break;
	case GICR_PENDBASER:
		write_base(rdist, &rdist->pendbaser, val & ~GICR_PENDBASER_PTZ);
		break;
	case GICR_SETLPIR:
	case GICR_CLRLPIR:
	case GICR_INVLPIR:
	case GICR_INVALLR:
		if (val & GICR_INVLPIR_V && rdist->vpes == ITS_GICV4_1)
			vpe_model_invalidate(rdist, FIELD_GET(GICR_INVLPIR_VPEID, val),
					     FIELD_GET(GICR_INVLPIR_INTID, val));
		else if (val & ~GICR_INVLPIR_INTID)
			mem_fail("register 0x%llx set to 0x%llx", (unsigned long long)offset,
				 (unsigned long long)val);
		rdist->nr_lpirs++;
		rdist->last_lpir = offset;
		rdist->last_intid = FIELD_GET(GICR_INVLPIR_INTID, val);
		break;
	case SZ_128K + GICR_VPROPBASER:
		if (rdist->vpes != ITS_NO_VPES) {
			vpe_model_write_vpropbaser(rdist, val);
			break;
		}
		if (rdist->confined || ((val ^ rdist->vpropbaser) & ~GICR_VPROPBASER_4_1_VALID))
			mem_fail("GICR_VPROPBASER written");
		rdist->vpropbaser = val;
		break;
	case SZ_128K + GICR_VPENDBASER:
		vpe_model_write_vpendbaser(rdist, val);
		break;
	default:
		mem_fail("register 0x%llx written", (unsigned long long)offset);
	}
}

void rdist_model_write(struct rdist_model *rdist, u64 offset, u64 val, unsigned int size)
{
	if (size == sizeof(u32) && offset == GICR_CTLR) {
		write_ctlr(rdist, val);
	} else if (size == sizeof(u32) && offset == GICR_WAKER) {
		if ((val ^ rdist->waker) & ~GICR_WAKER_ProcessorSleep)
			mem_fail("GICR_WAKER set to 0x%llx", (unsigned long long)val);
		rdist->waker = val;
	} else if (size == sizeof(u32) && offset == SZ_128K + GICR_VSGIR &&
		   rdist->vpes == ITS_GICV4_1) {
		vpe_model_write_vsgir(rdist, val);
	} else if (size == sizeof(u64)) {
		write_reg(rdist, offset, val);
	} else {
		mem_fail("%u bytes written at 0x%llx", size, (unsigned long long)offset);
	}
}

/* Power off and on again */
void rdist_model_power_cycle(struct rdist_model *rdist)
{
	rdist->ctlr &= GICR_CTLR_IR | GICR_CTLR_CES;
	rdist->propbaser = 0;
	rdist->pendbaser = 0;
	rdist->waker = 0;
	rdist->vpropbaser = 0;
	rdist->vpendbaser = 0;
	rdist->dirty = 0;
}

/* An LPI arrives. False if the redistributor has no use for it. */
bool rdist_model_set_pending(struct rdist_model *rdist, u32 intid)
{
	phys_addr_t pend = GICR_PENDBASER_ADDRESS(rdist->pendbaser) + ALIGN_DOWN(intid / 8, 8);
	phys_addr_t prop = GICR_PROPBASER_ADDRESS(rdist->propbaser) + intid - 8192;
	u64 bits;
	u8 conf;

	if (!(rdist->ctlr & GICR_CTLR_ENABLE_LPIS) || intid < 8192 || intid >= nr_ids(rdist))
		return false;

	check_prop(rdist, prop);
	mem_its_read(prop, &conf, sizeof(conf), false);
	check_pending(rdist, pend);
	mem_its_read(pend, &bits, sizeof(bits), false);
	bits |= BIT_ULL(intid % 64);
	mem_its_write(pend, &bits, sizeof(bits), false);

	return true;
}

/* EL2 releases memory: no redistributor may use it */
void rdist_model_released(phys_addr_t phys, u64 size)
{
	unsigned int i;

	for (i = 0; i < nr_models; i++) {
		phys_addr_t pend = GICR_PENDBASER_ADDRESS(models[i].pendbaser);

		if (models[i].confined && pend < phys + size && phys < pend + SZ_64K)
			mem_fail("pending table at 0x%llx released", (unsigned long long)pend);
	}
}

/*
 * What EL2 maps and accesses
 */

bool rdist_mmio_map(phys_addr_t phys, unsigned long *haddr)
{
	u64 offset;

	if (!rdist_model_find(phys, &offset))
		return false;

	*haddr = RDIST_MMIO_BASE + phys;

	return true;
}

struct rdist_model *rdist_mmio_find(const volatile void *addr, u64 *offset)
{
	struct rdist_model *rdist;

	if ((u64)addr - RDIST_MMIO_BASE >= RDIST_MMIO_SIZE)
		return NULL;

	rdist = rdist_model_find((u64)addr - RDIST_MMIO_BASE, offset);
	if (!rdist)
		mem_fail("EL2 accesses %p as MMIO", addr);

	return rdist;
}
