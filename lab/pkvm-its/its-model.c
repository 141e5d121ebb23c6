// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GICv3 ITS in software (IHI 0069: ITS, ITS commands, ITS registers).
 *
 * The format of entries in memory is the implementation's own. Here an entry is a number,
 * and what it stands for is kept elsewhere together with where it was written and for
 * which MAPD: an entry that comes from anywhere else, or from an earlier mapping, is noticed
 * when it is read.
 *
 * Whatever a register or a command must not hold is an error of EL2's, since EL2 is who
 * writes both once the ITS is confined.
 */

#include <string.h>

#include <asm/kvm_hyp.h>

#include "its-model-int.h"
#include "mem.h"
#include "rdist-model.h"
#include "vpe-model.h"

#define MMIO_BASE	0x100000000000ULL
#define CMD_SIZE	32
#define CTLR_WRITABLE	(GITS_CTLR_ENABLE | GITS_CTLR_ImDe | GITS_CTLR_ITS_NUMBER)

static struct its_model its_models[ITS_MAX_MODELS];
static unsigned int nr_models;

void (*its_model_executes)(const u64 *cmd);
void (*its_model_ctlr_read)(struct its_model *its);

void its_model_reset(void)
{
	its_model_ctlr_read = NULL;
	vpe_model_reset();
	while (nr_models) {
		struct its_model *its = &its_models[--nr_models];

		memset(its, 0, offsetof(struct its_model, tokens));
		its->nr_tokens = 0;
	}
}

struct its_model *its_model_add(const struct its_model_config *cfg)
{
	struct its_model *its;

	if (nr_models == ITS_MAX_MODELS)
		mem_fail("too many ITSs");

	its = &its_models[nr_models++];
	its->cfg = *cfg;

	return its;
}

/* The ITS that was the @nr th to be added, or NULL */
struct its_model *its_model_get(unsigned int nr)
{
	return nr < nr_models ? &its_models[nr] : NULL;
}

u64 its_model_typer(const struct its_model *its)
{
	return GITS_TYPER_PLPIS | vpe_model_typer(its) |
	       FIELD_PREP(GITS_TYPER_ITT_ENTRY_SIZE, its->cfg.ite_size - 1) |
	       FIELD_PREP(GITS_TYPER_IDBITS, its->cfg.event_bits - 1) |
	       FIELD_PREP(GITS_TYPER_DEVBITS, its->cfg.dev_bits - 1) |
	       (its->cfg.pta ? GITS_TYPER_PTA : 0) |
	       (u64)its->cfg.hcc << GITS_TYPER_HCC_SHIFT;
}

/* The RDbase of redistributor @nr as commands have it, in bits [51:16] */
u64 its_model_rdbase(const struct its_model *its, unsigned int nr)
{
	if (!its->cfg.pta)
		return (u64)nr << 16;

	return its->cfg.vpes == ITS_NO_VPES ? 0x8010000ULL + nr * SZ_128K
					    : 0x9000000ULL + nr * SZ_256K;
}

static bool rdbase_exists(struct its_model *its, u64 rdbase)
{
	unsigned int i;

	for (i = 0; i < its->cfg.nr_rdbases; i++) {
		if (its_model_rdbase(its, i) == rdbase)
			return true;
	}

	return false;
}

/* An address as the ITS has it: what it has no bits for is lost. */
u64 keep_address(struct its_model *its, u64 addr)
{
	return its->cfg.addr_bits ? addr & GENMASK_ULL(its->cfg.addr_bits - 1, 0) : addr;
}

static u64 queue_size(struct its_model *its)
{
	return ((its->cbaser & 0xff) + 1) * SZ_4K;
}

/*
 * Memory: each access is checked when it happens.
 */

static void check_access(struct its_model *its, phys_addr_t phys, size_t size, enum access access)
{
	phys_addr_t at;

	for (at = phys; at < phys + size; at = ALIGN(at + 1, PAGE_SIZE)) {
		struct mem_page *page = mem_page(at);

		if (!page)
			mem_fail("ITS accesses 0x%llx, which is no memory", (unsigned long long)at);

		if (page->owner == MEM_HOST && !its->confined)
			continue;

		if (page->owner != MEM_ITS)
			mem_fail("ITS accesses 0x%llx, owner %d", (unsigned long long)at,
				 page->owner);

		if (page->use && page->use != access)
			mem_fail("ITS accesses 0x%llx, which is in use as another thing",
				 (unsigned long long)at);

		page->use = access;
	}
}

static void read_mem(struct its_model *its, phys_addr_t phys, void *buf, size_t size,
		     enum access access)
{
	check_access(its, phys, size, access);
	mem_its_read(phys, buf, size, its->cfg.nc);
}

static void write_mem(struct its_model *its, phys_addr_t phys, const void *buf, size_t size,
		      enum access access)
{
	check_access(its, phys, size, access);
	mem_its_write(phys, buf, size, its->cfg.nc);
}

/* Returns what the entry at @phys stands for, or NULL if it is not valid. */
struct its_token *read_entry(struct its_model *its, phys_addr_t phys, u32 size,
			     enum access access)
{
	struct its_token *token;
	u8 buf[32];
	u32 nr = 0;

	read_mem(its, phys, buf, size, access);
	memcpy(&nr, buf, min_t(u32, size, sizeof(nr)));
	if (!nr)
		return NULL;

	token = nr < ITS_MAX_TOKENS && nr <= its->nr_tokens ? &its->tokens[nr - 1] : NULL;
	if (!token || token->where != phys)
		mem_fail("ITS reads an entry at 0x%llx that it has not written",
			 (unsigned long long)phys);

	return token;
}

void write_entry(struct its_model *its, phys_addr_t phys, u32 size, enum access access,
		 const struct its_token *token)
{
	u8 buf[32] = {};
	u32 nr;

	if (token) {
		if (its->nr_tokens == ITS_MAX_TOKENS)
			mem_fail("test writes too many entries");

		its->tokens[its->nr_tokens++] = *token;
		its->tokens[its->nr_tokens - 1].where = phys;
		nr = its->nr_tokens;
		memcpy(buf, &nr, min_t(u32, size, sizeof(nr)));
		memset(buf + sizeof(nr), 0xa5, size > sizeof(nr) ? size - sizeof(nr) : 0);
	}

	write_mem(its, phys, buf, size, access);
}

/*
 * Tables
 */

static u32 baser_page_size(u64 baser)
{
	static const u32 sizes[] = { SZ_4K, SZ_16K, SZ_64K, SZ_64K };

	return sizes[FIELD_GET(GITS_BASER_PAGE_SIZE_MASK, baser)];
}

static phys_addr_t baser_address(u64 baser)
{
	return baser_page_size(baser) == SZ_64K ? GITS_BASER_ADDR_48_to_52(baser)
						: baser & GENMASK_ULL(47, 12);
}

u64 find_baser(struct its_model *its, unsigned int type)
{
	unsigned int i;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		if (its->baser[i] & GITS_BASER_VALID && GITS_BASER_TYPE(its->baser[i]) == type)
			return its->baser[i];
	}

	return 0;
}

/* The address of an entry, or 0 if the table has no room for @id. */
phys_addr_t entry_address(struct its_model *its, u64 baser, u64 id)
{
	u32 psz = baser_page_size(baser), entry_size = GITS_BASER_ENTRY_SIZE(baser);
	u64 level1, size = GITS_BASER_NR_PAGES(baser) * (u64)psz;
	phys_addr_t base = baser_address(baser);
	u32 per_page = psz / entry_size;

	if (!(baser & GITS_BASER_INDIRECT))
		return (id + 1) * entry_size <= size ? base + id * entry_size : 0;

	if (id / per_page >= size / sizeof(level1))
		return 0;

	read_mem(its, base + id / per_page * sizeof(level1), &level1, sizeof(level1), ACCESS_TABLE);
	if (!(level1 & GITS_BASER_VALID))
		return 0;

	level1 = keep_address(its, level1 & ~GITS_BASER_VALID);
	if (level1 & ~GENMASK_ULL(51, 12) || !IS_ALIGNED(level1, psz))
		mem_fail("ITS reads a bad level-1 entry 0x%llx", (unsigned long long)level1);

	/* Hardware may read or write all of the page at any time. */
	check_access(its, level1, psz, ACCESS_TABLE);

	return level1 + id % per_page * entry_size;
}

struct its_token *find_dte(struct its_model *its, u32 dev_id, phys_addr_t *where)
{
	u64 baser = find_baser(its, GITS_BASER_TYPE_DEVICE);

	*where = 0;
	if ((u64)dev_id >> its->cfg.dev_bits)
		return NULL;

	*where = baser ? entry_address(its, baser, dev_id) : 0;
	if (!*where)
		return NULL;

	return read_entry(its, *where, GITS_BASER_ENTRY_SIZE(baser), ACCESS_TABLE);
}

static struct its_token *find_cte(struct its_model *its, u32 icid, phys_addr_t *where)
{
	u64 baser = find_baser(its, GITS_BASER_TYPE_COLLECTION);

	*where = 0;
	if (icid < its->cfg.hcc)
		return its->hw_collections[icid].where ? &its->hw_collections[icid] : NULL;

	*where = baser ? entry_address(its, baser, icid) : 0;
	if (!*where)
		return NULL;

	return read_entry(its, *where, GITS_BASER_ENTRY_SIZE(baser), ACCESS_TABLE);
}

phys_addr_t ite_address(struct its_model *its, const struct its_token *dte, u32 event_id)
{
	return dte->itt + (u64)event_id * its->cfg.ite_size;
}

struct its_token *find_ite(struct its_model *its, const struct its_token *dte, u32 event_id)
{
	struct its_token *ite;

	ite = read_entry(its, ite_address(its, dte, event_id), its->cfg.ite_size, ACCESS_ITT);
	if (ite && ite->mapping != dte->mapping)
		mem_fail("ITS reads an entry of an earlier mapping at 0x%llx",
			 (unsigned long long)ite->where);

	return ite;
}

/*
 * Commands
 */

void check_res0(const u64 *cmd, u64 mask0, u64 mask1, u64 mask2, u64 mask3)
{
	if (cmd[0] & ~(mask0 | GENMASK_ULL(7, 0)) || cmd[1] & ~mask1 || cmd[2] & ~mask2 ||
	    cmd[3] & ~mask3)
		mem_fail("RES0 bits set in command %02llx: %llx %llx %llx %llx",
			 (unsigned long long)cmd[0] & 0xff, (unsigned long long)cmd[0],
			 (unsigned long long)cmd[1], (unsigned long long)cmd[2],
			 (unsigned long long)cmd[3]);
}

void check_rdbase(struct its_model *its, u64 rdbase)
{
	if (!rdbase_exists(its, rdbase))
		mem_fail("ITS is to send to a redistributor at 0x%llx", (unsigned long long)rdbase);
}

static bool do_mapd(struct its_model *its, const u64 *cmd)
{
	u64 baser = find_baser(its, GITS_BASER_TYPE_DEVICE);
	struct its_token token = {
		.itt		= keep_address(its, cmd[2] & GENMASK_ULL(51, 8)),
		.event_bits	= field(cmd[1], 4, 0) + 1,
	};
	const struct its_token *old;
	phys_addr_t where;
	u64 size;

	check_res0(cmd, GENMASK_ULL(63, 32), GENMASK_ULL(4, 0),
		   BIT_ULL(63) | GENMASK_ULL(51, 8), 0);

	old = find_dte(its, field(cmd[0], 63, 32), &where);
	if (!where)
		return false;

	if (!(cmd[2] & BIT_ULL(63))) {
		write_entry(its, where, GITS_BASER_ENTRY_SIZE(baser), ACCESS_TABLE, NULL);
		return true;
	}

	if (token.event_bits > its->cfg.event_bits)
		return false;

	/* Hardware may read or write all of the ITT at any time. */
	size = (u64)its->cfg.ite_size << token.event_bits;
	check_access(its, token.itt, size, ACCESS_ITT);

	if (its->replays && old && old->itt == token.itt && old->event_bits == token.event_bits)
		token.mapping = old->mapping;
	else
		token.mapping = ++its->nr_mappings;
	write_entry(its, where, GITS_BASER_ENTRY_SIZE(baser), ACCESS_TABLE, &token);

	return true;
}

static bool do_mapc(struct its_model *its, const u64 *cmd)
{
	u64 baser = find_baser(its, GITS_BASER_TYPE_COLLECTION);
	struct its_token token = { .rdbase = cmd[2] & GENMASK_ULL(51, 16) };
	bool valid = cmd[2] & BIT_ULL(63);
	u32 icid = field(cmd[2], 15, 0);
	phys_addr_t where;

	check_res0(cmd, 0, 0, BIT_ULL(63) | GENMASK_ULL(51, 16) | GENMASK_ULL(15, 0), 0);
	if (valid)
		check_rdbase(its, token.rdbase);

	if (icid < its->cfg.hcc) {
		token.where = valid;
		its->hw_collections[icid] = token;
		return true;
	}

	/* To unmap what has no entry is an error, but not one that EL2 cares about. */
	find_cte(its, icid, &where);
	if (!where)
		return !valid;

	write_entry(its, where, GITS_BASER_ENTRY_SIZE(baser), ACCESS_TABLE, valid ? &token : NULL);

	return true;
}

/* Commands for an event: MAPTI, MAPI, MOVI, DISCARD, CLEAR, INT, INV */
static bool do_event(struct its_model *its, const u64 *cmd)
{
	u32 nr = field(cmd[0], 7, 0), event_id = field(cmd[1], 31, 0);
	bool maps = nr == GITS_CMD_MAPTI || nr == GITS_CMD_MAPI;
	u32 icid = field(cmd[2], 15, 0);
	struct its_token *dte, *ite, token = {};
	phys_addr_t where;

	check_res0(cmd, GENMASK_ULL(63, 32),
		   GENMASK_ULL(31, 0) | (nr == GITS_CMD_MAPTI ? GENMASK_ULL(63, 32) : 0),
		   maps || nr == GITS_CMD_MOVI ? GENMASK_ULL(15, 0) : 0, 0);

	dte = find_dte(its, field(cmd[0], 63, 32), &where);
	if (!dte || event_id >> dte->event_bits)
		return false;

	where = ite_address(its, dte, event_id);
	ite = find_ite(its, dte, event_id);

	if (maps) {
		token.intid = nr == GITS_CMD_MAPI ? event_id : field(cmd[1], 63, 32);
		if (token.intid < LPI_BASE || token.intid >> its->cfg.lpi_bits)
			return false;
	}

	/* An error, but not one that EL2 could know of */
	if (!maps && !ite)
		return true;

	if (ite && ite->is_vlpi && !maps && nr != GITS_CMD_DISCARD)
		return vpe_model_event(its, nr, ite);

	if (ite && !maps)
		token.intid = ite->intid;

	if (maps || nr == GITS_CMD_MOVI) {
		token.icid = icid;
		token.mapping = dte->mapping;
		write_entry(its, where, its->cfg.ite_size, ACCESS_ITT, &token);
	} else if (nr == GITS_CMD_DISCARD) {
		write_entry(its, where, its->cfg.ite_size, ACCESS_ITT, NULL);
	}

	return true;
}

static bool execute(struct its_model *its, const u64 *cmd)
{
	switch (field(cmd[0], 7, 0)) {
	case GITS_CMD_MAPD:
		return do_mapd(its, cmd);
	case GITS_CMD_MAPC:
		return do_mapc(its, cmd);
	case GITS_CMD_MAPTI:
	case GITS_CMD_MAPI:
	case GITS_CMD_MOVI:
	case GITS_CMD_DISCARD:
	case GITS_CMD_CLEAR:
	case GITS_CMD_INT:
	case GITS_CMD_INV:
		return do_event(its, cmd);
	case GITS_CMD_INVALL:
		check_res0(cmd, 0, 0, GENMASK_ULL(15, 0), 0);
		return true;
	case GITS_CMD_MOVALL:
		check_res0(cmd, 0, 0, GENMASK_ULL(51, 16), GENMASK_ULL(51, 16));
		check_rdbase(its, cmd[2]);
		check_rdbase(its, cmd[3]);
		return true;
	case GITS_CMD_SYNC:
		check_res0(cmd, 0, 0, GENMASK_ULL(51, 16), 0);
		check_rdbase(its, cmd[2]);
		return true;
	default:
		if (vpe_model_has_command(its, field(cmd[0], 7, 0)))
			return vpe_model_execute(its, cmd);
		mem_fail("ITS gets an unknown command %02llx",
			 (unsigned long long)field(cmd[0], 7, 0));
	}
}

/* Executes up to @nr commands. Returns how many it did. */
unsigned int its_model_step(struct its_model *its, unsigned int nr)
{
	unsigned int done;

	for (done = 0; done < nr && its->creadr != its->cwriter; done++) {
		if (!(its->ctlr & GITS_CTLR_ENABLE))
			break;

		read_mem(its, GITS_CBASER_ADDRESS(its->cbaser) + its->creadr, its->last, CMD_SIZE,
			 ACCESS_QUEUE);
		its->executed[its->last[0] & 0xff]++;
		if (its_model_executes)
			its_model_executes(its->last);
		if (!execute(its, its->last))
			its->errors++;

		its->creadr = (its->creadr + CMD_SIZE) % queue_size(its);
	}

	return done;
}

/* A device's write to GITS_TRANSLATER */
bool its_model_translate(struct its_model *its, u32 dev_id, u32 event_id, u32 *intid, u64 *rdbase)
{
	struct its_token *dte, *ite, *cte;
	phys_addr_t where;

	if (!(its->ctlr & GITS_CTLR_ENABLE))
		return false;

	dte = find_dte(its, dev_id, &where);
	if (!dte || event_id >> dte->event_bits)
		return false;

	ite = find_ite(its, dte, event_id);
	if (!ite || ite->is_vlpi)
		return false;

	cte = find_cte(its, ite->icid, &where);
	if (!cte)
		return false;

	*intid = ite->intid;
	*rdbase = cte->rdbase;

	return true;
}

bool its_model_is_mapped(struct its_model *its, u32 dev_id)
{
	phys_addr_t where;

	return find_dte(its, dev_id, &where);
}

/* Nor may a command do so that the ITS may execute once more. */
static void check_queue_released(struct its_model *its, phys_addr_t phys, u64 size)
{
	phys_addr_t slot, queue = GITS_CBASER_ADDRESS(its->cbaser);
	u64 cmd[CMD_SIZE / sizeof(u64)], itt, itt_size;

	if (!(its->cbaser & GITS_CBASER_VALID))
		return;

	for (slot = queue; slot < queue + queue_size(its); slot += CMD_SIZE) {
		mem_its_read(slot, cmd, sizeof(cmd[0]), its->cfg.nc);
		if (field(cmd[0], 7, 0) != GITS_CMD_MAPD)
			continue;

		mem_its_read(slot, cmd, sizeof(cmd), its->cfg.nc);
		itt = cmd[2] & GENMASK_ULL(51, 8);
		itt_size = (u64)its->cfg.ite_size << (field(cmd[1], 4, 0) + 1);
		if (cmd[2] & BIT_ULL(63) && phys < itt + itt_size && itt < phys + size)
			mem_fail("EL2 releases the ITT at 0x%llx, which the queue still names",
				 (unsigned long long)itt);
	}
}

/* EL2 lets go of memory: no ITS may have a use for it. */
void its_model_released(phys_addr_t phys, u64 size)
{
	unsigned int i, t;

	vpe_model_released(phys, size);
	for (i = 0; i < nr_models; i++) {
		struct its_model *its = &its_models[i];

		for (t = 0; t < its->nr_tokens && its->confined; t++) {
			struct its_token *dte = &its->tokens[t];
			u64 itt_size = (u64)its->cfg.ite_size << dte->event_bits;
			u32 nr = 0;

			if (!dte->itt || phys >= dte->itt + itt_size || dte->itt >= phys + size)
				continue;

			/* Is this what memory still says? */
			mem_its_read(dte->where, &nr, sizeof(nr), its->cfg.nc);
			if (nr == t + 1)
				mem_fail("EL2 releases the ITT at 0x%llx, which is mapped",
					 (unsigned long long)dte->itt);
		}

		if (its->confined)
			check_queue_released(its, phys, size);
	}
}

/*
 * Registers
 */

static bool is_quiescent(struct its_model *its)
{
	return !(its->ctlr & GITS_CTLR_ENABLE) && !its->unquiet;
}

static u64 read_reg(struct its_model *its, u64 offset)
{
	u64 ctlr;

	switch (offset) {
	case GITS_CTLR:
		ctlr = its->ctlr | (is_quiescent(its) ? GITS_CTLR_QUIESCENT : 0);
		if (its->unquiet)
			its->unquiet--;
		return ctlr;
	case GITS_TYPER:
		return its_model_typer(its);
	case GITS_CBASER:
		return its->cbaser;
	case GITS_CWRITER:
		return its->cwriter;
	case GITS_CREADR:
		its->creadr_reads++;
		if (its->pace == ITS_ON_READ)
			its_model_step(its, 1);
		return its->creadr;
	case GITS_BASER ... GITS_BASER + GITS_BASER_NR_REGS * sizeof(u64) - 1:
		return its->baser[(offset - GITS_BASER) / sizeof(u64)];
	default:
		return 0;
	}
}

u64 its_model_read(struct its_model *its, u64 offset, unsigned int size)
{
	u64 val = read_reg(its, ALIGN_DOWN(offset, sizeof(u64)));

	return size == sizeof(u32) ? (u32)(val >> (offset % sizeof(u64) * 8)) : val;
}

static void write_ctlr(struct its_model *its, u32 val)
{
	bool was_enabled = its->ctlr & GITS_CTLR_ENABLE;

	if (!was_enabled && val & GITS_CTLR_ENABLE && !is_quiescent(its))
		mem_fail("ITS enabled before it was quiescent");

	if ((val ^ its->ctlr) & ~(CTLR_WRITABLE | GITS_CTLR_QUIESCENT))
		mem_fail("GITS_CTLR set to 0x%x", val);

	its->ctlr = val & ~GITS_CTLR_QUIESCENT;
	if (was_enabled && !(val & GITS_CTLR_ENABLE))
		its->unquiet = its->quiesces;

	if (its->pace == ITS_AT_ONCE)
		its_model_step(its, UINT_MAX);
}

static u64 keep_baser(struct its_model *its, u64 val)
{
	u64 addr = keep_address(its, baser_address(val));

	if (baser_page_size(val) != SZ_64K)
		return (val & ~GENMASK_ULL(47, 12)) | addr;

	return (val & ~GENMASK_ULL(47, 12)) | GITS_BASER_PHYS_52_to_48(addr);
}

static void write_reg(struct its_model *its, u64 offset, u64 val)
{
	switch (offset) {
	case GITS_CBASER:
		if (!is_quiescent(its))
			mem_fail("GITS_CBASER written while the ITS runs");
		its->cbaser = (val & ~GENMASK_ULL(51, 12)) |
			      keep_address(its, GITS_CBASER_ADDRESS(val));
		its->creadr = 0;
		break;
	case GITS_CWRITER:
		if (val & ~GENMASK_ULL(19, 5) ||
		    (its->cbaser & GITS_CBASER_VALID && val >= queue_size(its)))
			mem_fail("GITS_CWRITER set to 0x%llx", (unsigned long long)val);
		its->cwriter = val;
		its->cwriter_writes++;
		if (its->pace == ITS_AT_ONCE)
			its_model_step(its, UINT_MAX);
		break;
	case GITS_BASER ... GITS_BASER + GITS_BASER_NR_REGS * sizeof(u64) - 1:
		if (!is_quiescent(its))
			mem_fail("GITS_BASER<n> written while the ITS runs");
		its->baser[(offset - GITS_BASER) / sizeof(u64)] = keep_baser(its, val);
		break;
	default:
		mem_fail("register 0x%llx written", (unsigned long long)offset);
	}
}

void its_model_write(struct its_model *its, u64 offset, u64 val, unsigned int size)
{
	u64 reg = ALIGN_DOWN(offset, sizeof(u64)), old;
	unsigned int shift = offset % sizeof(u64) * 8;

	if (offset == GITS_CTLR && size == sizeof(u32)) {
		write_ctlr(its, val);
		return;
	}

	if (size == sizeof(u32)) {
		old = read_reg(its, reg);
		val = (old & ~(GENMASK_ULL(31, 0) << shift)) | val << shift;
	}

	write_reg(its, reg, val);
}

/* What it kept in registers is gone. */
void its_model_power_off(struct its_model *its)
{
	vpe_model_table(its);
	its->ctlr = 0;
	its->unquiet = 0;
	its->cbaser = 0;
	its->cwriter = 0;
	its->creadr = 0;
	memset(its->baser, 0, sizeof(its->baser));
	memset(its->hw_collections, 0, sizeof(its->hw_collections));
}

/* Power off and on again, with firmware that restores all registers but Enabled */
void its_model_power_cycle(struct its_model *its)
{
	struct its_model was = *its;

	its_model_power_off(its);
	its->replays = true;
	its->ctlr = was.ctlr & ~GITS_CTLR_ENABLE;
	its->cbaser = was.cbaser;
	its->cwriter = was.cwriter;
	memcpy(its->baser, was.baser, sizeof(its->baser));
}

/*
 * Power off and on again, with firmware that restores Enabled, too, and GITS_CWRITER as it
 * was some time ago. The ITS goes through its queue from the start.
 */
void its_model_replay(struct its_model *its, u64 cwriter)
{
	its_model_power_cycle(its);
	its->cwriter = cwriter;
	its->ctlr |= GITS_CTLR_ENABLE;
	its_model_step(its, UINT_MAX);
}

/*
 * What EL2 maps and accesses
 */

int __pkvm_create_private_mapping(phys_addr_t phys, size_t size, enum kvm_pgtable_prot prot,
				  unsigned long *haddr)
{
	unsigned int i;

	if (mem_call_fails())
		return -ENOMEM;

	if (rdist_mmio_map(phys, haddr))
		return 0;

	for (i = 0; i < nr_models; i++) {
		if (its_models[i].cfg.base != phys)
			continue;

		*haddr = MMIO_BASE + i * ITS_FRAME;
		return 0;
	}

	return -EINVAL;
}

static struct its_model *mmio_its(const volatile void *addr)
{
	u64 nr = ((u64)addr - MMIO_BASE) / ITS_FRAME;

	if (nr >= nr_models)
		mem_fail("EL2 accesses %p as MMIO", addr);

	return &its_models[nr];
}

u64 its_mmio_read(const volatile void *addr, unsigned int size)
{
	struct rdist_model *rdist;
	u64 offset, val;

	rdist = rdist_mmio_find(addr, &offset);
	if (rdist)
		return rdist_model_read(rdist, offset, size);

	val = its_model_read(mmio_its(addr), (u64)addr % ITS_FRAME, size);
	if ((u64)addr % ITS_FRAME == GITS_CTLR && its_model_ctlr_read)
		its_model_ctlr_read(mmio_its(addr));

	return val;
}

u64 its_mmio_peek(const volatile void *addr, unsigned int size)
{
	struct rdist_model *rdist, rdist_was;
	enum its_pace pace;
	u64 offset, val, reads;
	struct its_model *its;
	u32 unquiet;

	rdist = rdist_mmio_find(addr, &offset);
	if (rdist) {
		rdist_was = *rdist;
		val = rdist_model_read(rdist, offset, size);
		*rdist = rdist_was;
		return val;
	}

	its = mmio_its(addr);
	pace = its->pace;
	reads = its->creadr_reads;
	unquiet = its->unquiet;
	its->pace = ITS_STALLED;
	val = its_model_read(its, (u64)addr % ITS_FRAME, size);
	its->pace = pace;
	its->creadr_reads = reads;
	its->unquiet = unquiet;

	return val;
}

void its_mmio_write(volatile void *addr, u64 val, unsigned int size)
{
	u64 offset;
	struct rdist_model *rdist = rdist_mmio_find(addr, &offset);

	if (rdist) {
		rdist_model_write(rdist, offset, val, size);
		return;
	}

	its_model_write(mmio_its(addr), (u64)addr % ITS_FRAME, val, size);
}
