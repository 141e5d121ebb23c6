// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GICv4 in software, as far as virtual LPIs go (IHI 0069: "The GICv4 architecture", the
 * commands of the ITS whose name begins with V, GICR_VPROPBASER, GICR_VPENDBASER).
 *
 * A virtual pending table begins with 1 KiB whose format is the implementation's own. Here
 * its first word tells where the table is, once a redistributor has had it. What has been
 * written there by anything else is noticed when a vPE becomes resident.
 *
 * An unconfined GIC uses the host's memory, and no other. A confined one uses pending tables
 * that EL2 owns, and property tables that the host shares and EL2 has pinned.
 *
 * A GICv4.1 redistributor has a table of vPEs in GICR_VPROPBASER, and looks up there, for the
 * vPEID that it is given, what VMAPP has written. ITSs whose table is at one place have the
 * same vPEs.
 */

#include <string.h>

#include "its-model-int.h"
#include "mem.h"
#include "vpe-model.h"

#define MAX_VPES		256

#define DOORBELL_NONE		1023

#define NR_SGIS			16

#define CMD_VMAPI		0x2b

/* The first word of a pending table that was in use */
#define VPT_MAGIC		0x7670740000000000ULL

/**
 * struct vpe - a vPE as an ITS has it mapped
 * @its: the ITS; with GICv4.1 the one whose entry all share
 * @vpeid: its number
 * @vpt: the virtual pending table
 * @bits: number of vINTID bits
 * @vconf: the virtual property table, with GICv4.1
 * @rdbase: the redistributor that vLPIs go to
 * @doorbell: its default doorbell, with GICv4.1
 * @mapped_on: with GICv4.1, the ITSs that have it mapped, one bit each
 * @sgis: what VSGI has set for each virtual SGI, as in the command
 * @pending_sgis: one bit each
 */
struct vpe {
	struct its_model	*its;
	u32			vpeid;
	phys_addr_t		vpt;
	u32			bits;
	phys_addr_t		vconf;
	u64			rdbase;
	u32			doorbell;
	u32			mapped_on;
	u32			sgis[NR_SGIS];
	u32			pending_sgis;
};

static struct vpe vpes[MAX_VPES];
static unsigned int nr_vpes;

void vpe_model_reset(void)
{
	nr_vpes = 0;
}

static bool is_v4_1(const struct its_model *its)
{
	return its->cfg.vpes == ITS_GICV4_1;
}

u64 vpe_model_typer(const struct its_model *its)
{
	switch (its->cfg.vpes) {
	case ITS_GICV4_0:
		return GITS_TYPER_VLPIS | (its->cfg.vmovp ? GITS_TYPER_VMOVP : 0);
	case ITS_GICV4_1:
		return GITS_TYPER_VLPIS | GITS_TYPER_VMAPP | FIELD_PREP(GITS_TYPER_SVPET, 1) |
		       (its->cfg.vmovp_list ? 0 : GITS_TYPER_VMOVP);
	default:
		return 0;
	}
}

/*
 * Memory: each access is checked when it happens.
 */

static void check_pages(phys_addr_t phys, u64 size, bool confined, enum mem_owner owner,
			const char *what)
{
	phys_addr_t at;

	for (at = phys; at < phys + size; at = ALIGN(at + 1, PAGE_SIZE)) {
		struct mem_page *page = mem_page(at);

		if (!page)
			mem_fail("GIC accesses 0x%llx, which is no memory", (unsigned long long)at);
		if (page->owner == MEM_HOST && !confined)
			continue;
		if (page->owner != owner)
			mem_fail("GIC accesses 0x%llx as a %s, owner %d", (unsigned long long)at,
				 what, page->owner);
		if (owner == MEM_HOST && (!page->shared || !page->pins))
			mem_fail("GIC accesses 0x%llx as a %s, which is not pinned",
				 (unsigned long long)at, what);
	}
}

static u64 vpt_size(u32 bits)
{
	return BIT_ULL(bits) / 8;
}

/* Hardware may read or write all of the table at any time. */
static void check_vpt(phys_addr_t vpt, u32 bits, bool confined)
{
	check_pages(vpt, vpt_size(bits), confined, MEM_ITS, "virtual pending table");
}

static void check_vconf(phys_addr_t vconf, u32 bits, bool confined)
{
	check_pages(vconf, BIT_ULL(bits) - LPI_BASE, confined, MEM_HOST, "virtual property table");
}

static u64 read_word(phys_addr_t phys)
{
	u64 val;

	mem_its_read(phys, &val, sizeof(val), false);

	return val;
}

static void write_word(phys_addr_t phys, u64 val)
{
	mem_its_write(phys, &val, sizeof(val), false);
}

static bool set_pending(phys_addr_t vpt, u32 bits, u32 vintid, bool confined, bool val)
{
	phys_addr_t where = vpt + ALIGN_DOWN(vintid / 8, 8);
	u64 word;

	check_pages(where, sizeof(word), confined, MEM_ITS, "virtual pending table");
	if (vintid >> bits)
		mem_fail("pending bit of vINTID %u beyond the table at 0x%llx", vintid,
			 (unsigned long long)vpt);

	word = read_word(where);
	if (val)
		word |= BIT_ULL(vintid % 64);
	else
		word &= ~BIT_ULL(vintid % 64);
	write_word(where, word);

	return val;
}

static bool is_enabled(phys_addr_t vconf, u32 vintid, bool confined)
{
	u8 conf;

	check_pages(vconf + vintid - LPI_BASE, sizeof(conf), confined, MEM_HOST,
		    "virtual property table");
	mem_its_read(vconf + vintid - LPI_BASE, &conf, sizeof(conf), false);

	return conf & LPI_PROP_ENABLED;
}

/* Without the part at its start, which is not for pending bits */
static bool is_zero(phys_addr_t vpt, u32 bits)
{
	u64 pos;

	for (pos = 0; pos < vpt_size(bits); pos += sizeof(u64)) {
		if (read_word(vpt + pos))
			return false;
	}

	return true;
}

static void check_header(phys_addr_t vpt)
{
	u64 word = read_word(vpt);

	if (word && word != (VPT_MAGIC ^ vpt))
		mem_fail("GIC reads a virtual pending table at 0x%llx that it has not written",
			 (unsigned long long)vpt);
}

/*
 * vPEs
 */

/* What GITS_BASER<n> was last, for the table of vPEs: an ITS that loses power keeps its vPEs. */
u64 vpe_model_table(struct its_model *its)
{
	u64 baser = find_baser(its, GITS_BASER_TYPE_VCPU);

	if (baser)
		its->vpe_table = baser;

	return its->vpe_table;
}

/* With GICv4.1, all ITSs that have the table at one place have the same vPEs. */
static struct its_model *table_of(struct its_model *its)
{
	struct its_model *other;
	unsigned int i;

	for (i = 0; is_v4_1(its) && (other = its_model_get(i)); i++) {
		if (vpe_model_table(other) == vpe_model_table(its))
			return other;
	}

	return its;
}

static struct vpe *find_vpe(struct its_model *its, u32 vpeid)
{
	unsigned int i;

	its = table_of(its);
	for (i = 0; i < nr_vpes; i++) {
		if (vpes[i].its == its && vpes[i].vpeid == vpeid)
			return &vpes[i];
	}

	return NULL;
}

/*
 * The entry of a vPE in memory, which has to be what the ITS wrote there. Returns false if
 * there is no room for it.
 */
static bool read_vpe(struct its_model *its, u64 baser, u32 vpeid, struct its_token **token,
		     phys_addr_t *where)
{
	*where = baser ? entry_address(its, baser, vpeid) : 0;
	if (!*where)
		return false;

	*token = read_entry(table_of(its), *where, GITS_BASER_ENTRY_SIZE(baser), ACCESS_TABLE);

	return true;
}

static void write_vpe(struct its_model *its, phys_addr_t where, const struct its_token *token)
{
	u64 baser = find_baser(its, GITS_BASER_TYPE_VCPU);

	write_entry(table_of(its), where, GITS_BASER_ENTRY_SIZE(baser), ACCESS_TABLE, token);
}

static bool is_mapped(struct its_model *its, u32 vpeid)
{
	struct its_token *token;
	phys_addr_t where;

	return read_vpe(its, vpe_model_table(its), vpeid, &token, &where) && token;
}

/* The redistributor at an RDbase */
static struct rdist_model *find_rdist(struct its_model *its, u64 rdbase)
{
	struct rdist_model *rdist;
	unsigned int i;

	for (i = 0; (rdist = rdist_model_get(i)); i++) {
		if (its->cfg.pta ? rdist->base == rdbase
				 : GICR_TYPER_CPU_NUMBER(rdist->typer) == rdbase >> 16)
			return rdist;
	}

	return NULL;
}

static bool is_resident(const struct rdist_model *rdist)
{
	return rdist->vpendbaser & GICR_VPENDBASER_Valid;
}

static phys_addr_t table_address(u64 baser)
{
	if ((baser & GITS_BASER_PAGE_SIZE_MASK) == GITS_BASER_PAGE_SIZE_64K)
		return GITS_BASER_ADDR_48_to_52(baser);

	return baser & GENMASK_ULL(47, 12);
}

/* With GICv4.1: the vPE that a redistributor has from the table of vPEs */
static struct vpe *rdist_vpe(const struct rdist_model *rdist)
{
	u32 vpeid = FIELD_GET(GICR_VPENDBASER_4_1_VPEID, rdist->vpendbaser);
	phys_addr_t table = rdist->vpropbaser & GICR_VPROPBASER_4_1_ADDR;
	struct its_model *its;
	struct vpe *vpe;
	unsigned int i;
	u64 baser;

	if (!(rdist->vpropbaser & GICR_VPROPBASER_4_1_VALID))
		mem_fail("vPE %u becomes resident without a table of vPEs", vpeid);

	for (i = 0; (its = its_model_get(i)); i++) {
		baser = vpe_model_table(its);
		if (!baser || table_address(baser) != table)
			continue;

		vpe = is_mapped(its, vpeid) ? find_vpe(its, vpeid) : NULL;
		if (!vpe)
			mem_fail("vPE %u, which is not mapped, becomes resident", vpeid);

		return vpe;
	}

	/* A table of its own, that no ITS has */
	check_pages(table, sizeof(u64), rdist->confined, MEM_ITS, "table of vPEs");
	mem_fail("vPE %u comes from a table at 0x%llx that no ITS has", vpeid,
		 (unsigned long long)table);
}

/* The tables that a redistributor uses for what is resident, or was while it is dirty */
static void rdist_tables(const struct rdist_model *rdist, struct vpe *tables)
{
	if (rdist->vpes == ITS_GICV4_1) {
		*tables = *rdist_vpe(rdist);
		return;
	}

	*tables = (struct vpe) {
		.vpt	= rdist->vpendbaser & GENMASK_ULL(51, 16),
		.bits	= FIELD_GET(GICR_VPROPBASER_IDBITS_MASK, rdist->vpropbaser) + 1,
		.vconf	= rdist->vpropbaser & GENMASK_ULL(51, 12),
	};
}

/* The redistributor that has a pending table in its caches, other than @but */
static struct rdist_model *who_uses(phys_addr_t vpt, const struct rdist_model *but)
{
	struct rdist_model *rdist;
	struct vpe tables;
	unsigned int i;

	for (i = 0; (rdist = rdist_model_get(i)); i++) {
		if (rdist == but || rdist->vpes == ITS_NO_VPES ||
		    (!is_resident(rdist) && !rdist->dirty))
			continue;

		rdist_tables(rdist, &tables);
		if (tables.vpt == vpt)
			return rdist;
	}

	return NULL;
}

/*
 * Commands
 */

bool vpe_model_has_command(struct its_model *its, u32 nr)
{
	switch (nr) {
	case GITS_CMD_VMAPP:
	case GITS_CMD_VMAPTI:
	case CMD_VMAPI:
	case GITS_CMD_VMOVI:
	case GITS_CMD_VMOVP:
	case GITS_CMD_VSYNC:
	case GITS_CMD_VINVALL:
		return its->cfg.vpes != ITS_NO_VPES;
	case GITS_CMD_INVDB:
	case GITS_CMD_VSGI:
		return is_v4_1(its);
	default:
		return false;
	}
}

static bool is_doorbell(struct its_model *its, u32 intid)
{
	return intid == DOORBELL_NONE || (intid >= LPI_BASE && !(intid >> its->cfg.lpi_bits));
}

static void check_overlap(const struct its_token *token, u32 vpeid)
{
	unsigned int i;

	for (i = 0; i < nr_vpes; i++) {
		const struct vpe *vpe = &vpes[i];

		if (vpe->vpeid != vpeid && token->vpt < vpe->vpt + vpt_size(vpe->bits) &&
		    vpe->vpt < token->vpt + vpt_size(token->vpt_bits))
			mem_fail("vPEs %u and %u have one pending table", vpe->vpeid, vpeid);
		/* On each ITS it is the same. */
		if (vpe->vpeid == vpeid && vpe->vpt != token->vpt)
			mem_fail("vPE %u has two pending tables", vpeid);
	}
}

/* With GICv4.1, one bit an ITS. */
static u32 bit_of(const struct its_model *its)
{
	unsigned int i;

	for (i = 0; its_model_get(i) != its; i++)
		continue;

	return BIT(i);
}

/* On any ITS, whatever its table of vPEs */
static bool is_mapped_anywhere(u32 vpeid)
{
	unsigned int i;

	for (i = 0; i < nr_vpes; i++) {
		if (vpes[i].vpeid == vpeid && vpes[i].mapped_on)
			return true;
	}

	return false;
}

static bool unmap_vpe(struct its_model *its, u32 vpeid, const struct its_token *old,
		      phys_addr_t where, bool alloc)
{
	struct vpe *vpe = find_vpe(its, vpeid);
	struct rdist_model *rdist;

	if (!old || (is_v4_1(its) && !(vpe->mapped_on & bit_of(its))))
		return false;

	rdist = who_uses(vpe->vpt, NULL);
	if (rdist && its->confined && (is_resident(rdist) || is_v4_1(its)))
		mem_fail("vPE %u unmapped while it is resident", vpeid);

	if (is_v4_1(its)) {
		vpe->mapped_on &= ~bit_of(its);
		if (alloc == is_mapped_anywhere(vpeid))
			mem_fail("Alloc is %d for vPE %u, which goes", alloc, vpeid);
		if (vpe->mapped_on)
			return true;
	}

	write_vpe(its, where, NULL);
	*vpe = vpes[--nr_vpes];

	return true;
}

static bool do_vmapp(struct its_model *its, const u64 *cmd)
{
	bool v4_1 = is_v4_1(its), valid = cmd[2] & BIT_ULL(63), alloc = cmd[0] & BIT_ULL(8);
	u32 vpeid = field(cmd[1], 47, 32);
	struct its_token *old, token = {
		.vpeid		= vpeid,
		.rdbase		= (cmd[2] & GENMASK_ULL(51, 16)) - its->cfg.vlpi_rdbase_offset,
		.vpt		= keep_address(its, cmd[3] & GENMASK_ULL(51, 16)),
		.vpt_bits	= field(cmd[3], 4, 0) + 1,
		.vconf		= v4_1 ? keep_address(its, cmd[0] & GENMASK_ULL(51, 16)) : 0,
		.doorbell	= v4_1 ? field(cmd[1], 31, 0) : DOORBELL_NONE,
	};
	phys_addr_t where;

	check_res0(cmd, v4_1 ? GENMASK_ULL(51, 16) | BIT_ULL(9) | BIT_ULL(8) : 0,
		   GENMASK_ULL(47, 32) | (v4_1 ? GENMASK_ULL(31, 0) : 0),
		   BIT_ULL(63) | GENMASK_ULL(51, 16), GENMASK_ULL(51, 16) | GENMASK_ULL(4, 0));

	/* IHI 0069, GICD_TYPER2.VID: upper bits may be ignored, here or elsewhere. */
	if (vpeid >> its->cfg.vpeid_bits)
		mem_fail("vPE %u: redistributors look at %u bits", vpeid, its->cfg.vpeid_bits);
	if (!read_vpe(its, find_baser(its, GITS_BASER_TYPE_VCPU), vpeid, &old, &where))
		return false;
	if (!valid)
		return unmap_vpe(its, vpeid, old, where, alloc);

	check_rdbase(its, token.rdbase);
	if (token.vpt_bits > its->cfg.lpi_bits || token.vpt_bits < 14 ||
	    (v4_1 && !is_doorbell(its, token.doorbell)))
		return false;

	check_vpt(token.vpt, token.vpt_bits, its->confined);
	if (v4_1)
		check_vconf(token.vconf, token.vpt_bits, its->confined);
	check_overlap(&token, vpeid);

	/* Only the first of all ITSs has a vPE to add. */
	if (v4_1 && alloc == is_mapped_anywhere(vpeid))
		mem_fail("Alloc is %d for vPE %u", alloc, vpeid);
	if (old && (!v4_1 || find_vpe(its, vpeid)->mapped_on & bit_of(its)))
		mem_fail("vPE %u is mapped while it is", vpeid);
	if (cmd[0] & BIT_ULL(9) && v4_1 && !is_zero(token.vpt, token.vpt_bits))
		mem_fail("pending table at 0x%llx taken for zero", (unsigned long long)token.vpt);
	if (old && its->confined && (token.rdbase != old->rdbase || token.vconf != old->vconf))
		mem_fail("vPE %u differs from what another ITS has", vpeid);
	if (old) {
		find_vpe(its, vpeid)->mapped_on |= bit_of(its);
		return true;
	}
	if (nr_vpes == MAX_VPES)
		mem_fail("test maps too many vPEs");

	write_vpe(its, where, &token);
	vpes[nr_vpes++] = (struct vpe) {
		.its		= table_of(its),
		.vpeid		= vpeid,
		.vpt		= token.vpt,
		.bits		= token.vpt_bits,
		.vconf		= token.vconf,
		.rdbase		= token.rdbase,
		.doorbell	= token.doorbell,
		.mapped_on	= bit_of(its),
	};

	return true;
}

/* VMAPTI, VMAPI, VMOVI */
static bool do_vevent(struct its_model *its, const u64 *cmd)
{
	u32 nr = field(cmd[0], 7, 0), event_id = field(cmd[1], 31, 0);
	bool moves = nr == GITS_CMD_VMOVI;
	struct its_token *dte, *ite, token = {
		.is_vlpi	= true,
		.vpeid		= field(cmd[1], 47, 32),
		.intid		= nr == GITS_CMD_VMAPTI ? field(cmd[2], 31, 0) : event_id,
		.doorbell	= field(cmd[2], 63, 32),
	};
	phys_addr_t where;

	check_res0(cmd, GENMASK_ULL(63, 32), GENMASK_ULL(47, 0), GENMASK_ULL(63, 32) |
		   (nr == GITS_CMD_VMAPTI ? GENMASK_ULL(31, 0) : moves ? BIT_ULL(0) : 0), 0);

	dte = find_dte(its, field(cmd[0], 63, 32), &where);
	if (!dte || event_id >> dte->event_bits || !is_mapped(its, token.vpeid))
		return false;

	ite = find_ite(its, dte, event_id);
	if (moves && (!ite || !ite->is_vlpi)) {
		its->excused++;
		return false;
	}
	if (moves)
		token.intid = ite->intid;
	if (moves && !(cmd[2] & BIT_ULL(0)))
		token.doorbell = ite->doorbell;

	/* It knows how many there can be, not how many the vPE has. */
	if (token.intid < LPI_BASE || token.intid >> its->cfg.lpi_bits ||
	    !is_doorbell(its, token.doorbell) ||
	    (is_v4_1(its) && token.doorbell != DOORBELL_NONE))
		return false;

	token.mapping = dte->mapping;
	write_entry(its, ite_address(its, dte, event_id), its->cfg.ite_size, ACCESS_ITT, &token);

	return true;
}

static bool do_vmovp(struct its_model *its, const u64 *cmd)
{
	u64 rdbase = (cmd[2] & GENMASK_ULL(51, 16)) - its->cfg.vlpi_rdbase_offset;
	u32 vpeid = field(cmd[1], 47, 32);
	struct its_token *old, token;
	bool v4_1 = is_v4_1(its), alone = v4_1 || its->cfg.vmovp;
	phys_addr_t where;
	struct vpe *vpe;
	unsigned int i;

	check_res0(cmd, alone ? 0 : GENMASK_ULL(47, 32),
		   GENMASK_ULL(47, 32) | (alone ? 0 : GENMASK_ULL(15, 0)),
		   GENMASK_ULL(51, 16) | (v4_1 ? BIT_ULL(63) : 0), v4_1 ? GENMASK_ULL(31, 0) : 0);
	check_rdbase(its, rdbase);

	if (!read_vpe(its, find_baser(its, GITS_BASER_TYPE_VCPU), vpeid, &old, &where) || !old)
		return false;
	if (v4_1 && cmd[2] & BIT_ULL(63) && !is_doorbell(its, field(cmd[3], 31, 0)))
		return false;

	vpe = find_vpe(its, vpeid);
	vpe->rdbase = rdbase;
	if (v4_1 && cmd[2] & BIT_ULL(63))
		vpe->doorbell = field(cmd[3], 31, 0);
	token = *old;
	token.rdbase = rdbase;
	token.doorbell = vpe->doorbell;
	write_vpe(its, where, &token);

	/* What the entries of other ITSs say does not matter any more. */
	for (i = 0; i < nr_vpes && (v4_1 || its->cfg.vmovp); i++) {
		if (vpes[i].vpeid == vpeid)
			vpes[i].rdbase = rdbase;
	}

	return true;
}

/* What a command for a vPE finds, where it does not matter on which ITS it is mapped */
static struct vpe *mapped_here(struct its_model *its, u32 vpeid)
{
	struct vpe *vpe = is_mapped(its, vpeid) ? find_vpe(its, vpeid) : NULL;

	return vpe && vpe->mapped_on & bit_of(its) ? vpe : NULL;
}

static bool do_vsgi(struct its_model *its, const u64 *cmd)
{
	struct vpe *vpe = mapped_here(its, field(cmd[1], 47, 32));
	u32 sgi = field(cmd[0], 35, 32);

	check_res0(cmd, GENMASK_ULL(35, 32) | GENMASK_ULL(23, 20) | GENMASK_ULL(10, 8),
		   GENMASK_ULL(47, 32), 0, 0);
	if (!vpe)
		return false;

	/* Either one or the other */
	if (cmd[0] & BIT(9))
		vpe->pending_sgis &= ~BIT(sgi);
	else
		vpe->sgis[sgi] = cmd[0] & (GENMASK(23, 20) | BIT(10) | BIT(8));

	return true;
}

/* VSYNC, VINVALL, INVDB */
static bool do_vpe(struct its_model *its, const u64 *cmd)
{
	check_res0(cmd, 0, GENMASK_ULL(47, 32), 0, 0);

	if (is_mapped(its, field(cmd[1], 47, 32)))
		return true;

	/* The driver sends one behind the VMAPP that unmaps. */
	its->excused += field(cmd[0], 7, 0) == GITS_CMD_VSYNC;

	return false;
}

bool vpe_model_execute(struct its_model *its, const u64 *cmd)
{
	switch (field(cmd[0], 7, 0)) {
	case GITS_CMD_VMAPP:
		return do_vmapp(its, cmd);
	case GITS_CMD_VMAPTI:
	case CMD_VMAPI:
	case GITS_CMD_VMOVI:
		return do_vevent(its, cmd);
	case GITS_CMD_VMOVP:
		return do_vmovp(its, cmd);
	case GITS_CMD_VSGI:
		return do_vsgi(its, cmd);
	default:
		return do_vpe(its, cmd);
	}
}

/*
 * Interrupts
 */

/* The CPU has to run the vCPU that the interrupts are for. */
static void check_guest(const struct rdist_model *rdist, phys_addr_t vpt)
{
	unsigned int i;

	for (i = 0; i < nr_vpes; i++) {
		if (vpes[i].vpt == vpt && vpes[i].vpeid != rdist->guest)
			mem_fail("the guest of vPE %u gets an interrupt of vPE %u", rdist->guest,
				 vpes[i].vpeid);
	}
}

/* The interrupts that are pending and on for what is resident, and the guest takes them */
static u64 take_pending(struct rdist_model *rdist, bool take)
{
	struct vpe tables;
	u64 nr = 0, word;
	u32 vintid;

	rdist_tables(rdist, &tables);
	for (vintid = LPI_BASE; !(vintid >> tables.bits); vintid++) {
		word = read_word(tables.vpt + ALIGN_DOWN(vintid / 8, 8));
		if (!word)
			vintid |= 63;
		if (!(word & BIT_ULL(vintid % 64)) ||
		    !is_enabled(tables.vconf, vintid, rdist->confined))
			continue;

		nr++;
		if (take)
			set_pending(tables.vpt, tables.bits, vintid, rdist->confined, false);
	}

	if (take && nr) {
		rdist->vlpis += nr;
		check_guest(rdist, tables.vpt);
	}

	return nr;
}

static enum vlpi deliver(struct its_model *its, const struct its_token *ite)
{
	struct rdist_model *rdist, *user;
	struct vpe tables, *vpe;

	if (!is_mapped(its, ite->vpeid))
		return VLPI_NONE;

	vpe = find_vpe(its, ite->vpeid);
	rdist = find_rdist(its, vpe->rdbase);
	if (!rdist)
		return VLPI_NONE;

	user = who_uses(vpe->vpt, rdist);
	if (user)
		mem_fail("vPE %u: pending table at 0x%llx is in use by another redistributor",
			 vpe->vpeid, (unsigned long long)vpe->vpt);

	if (is_resident(rdist)) {
		rdist_tables(rdist, &tables);
		if (tables.vpt == vpe->vpt) {
			set_pending(tables.vpt, tables.bits, ite->intid, rdist->confined, true);
			return take_pending(rdist, true) ? VLPI_DELIVERED : VLPI_PENDING;
		}
	}

	set_pending(vpe->vpt, vpe->bits, ite->intid, its->confined, true);
	if (is_v4_1(its) && !is_enabled(vpe->vconf, ite->intid, its->confined))
		return VLPI_PENDING;

	return (is_v4_1(its) ? vpe->doorbell : ite->doorbell) == DOORBELL_NONE ? VLPI_PENDING
									      : VLPI_DOORBELL;
}

/* MOVI, CLEAR, INT and INV for an event that is mapped to a vLPI */
bool vpe_model_event(struct its_model *its, u32 nr, const struct its_token *ite)
{
	struct vpe *vpe;

	switch (nr) {
	case GITS_CMD_INT:
		deliver(its, ite);
		return true;
	case GITS_CMD_CLEAR:
		vpe = is_mapped(its, ite->vpeid) ? find_vpe(its, ite->vpeid) : NULL;
		if (vpe)
			set_pending(vpe->vpt, vpe->bits, ite->intid, its->confined, false);
		return true;
	case GITS_CMD_INV:
		return true;
	default:
		its->excused++;
		return false;
	}
}

/* A device's write to GITS_TRANSLATER, of an event that is mapped to a vLPI */
enum vlpi vpe_model_translate(struct its_model *its, u32 dev_id, u32 event_id)
{
	struct its_token *dte, *ite;
	phys_addr_t where;

	if (!(its->ctlr & GITS_CTLR_ENABLE))
		return VLPI_NONE;

	dte = find_dte(its, dev_id, &where);
	if (!dte || event_id >> dte->event_bits)
		return VLPI_NONE;

	ite = find_ite(its, dte, event_id);

	return ite && ite->is_vlpi ? deliver(its, ite) : VLPI_NONE;
}

/* EL2 lets go of memory: no vPE may have a use for it, nor a redistributor. */
void vpe_model_released(phys_addr_t phys, u64 size)
{
	struct rdist_model *rdist;
	phys_addr_t vpt;
	unsigned int i;

	for (i = 0; i < nr_vpes; i++) {
		vpt = vpes[i].vpt;
		if (vpes[i].its->confined && phys < vpt + vpt_size(vpes[i].bits) &&
		    vpt < phys + size)
			mem_fail("EL2 releases the pending table of vPE %u, which is mapped",
				 vpes[i].vpeid);
	}

	/* Nor may its address stay in a register. */
	for (i = 0; (rdist = rdist_model_get(i)); i++) {
		vpt = rdist->vpendbaser & GENMASK_ULL(51, 16);
		if (rdist->confined && rdist->vpes == ITS_GICV4_0 && phys < vpt + SZ_64K &&
		    vpt < phys + size)
			mem_fail("EL2 releases 0x%llx, which GICR_VPENDBASER still has",
				 (unsigned long long)vpt);
	}
}

/*
 * Registers
 */

/* While it is dirty, the redistributor writes back what it has of the table. */
static void flush(struct rdist_model *rdist)
{
	struct vpe tables;

	rdist_tables(rdist, &tables);
	check_vpt(tables.vpt, tables.bits, rdist->confined);
	write_word(tables.vpt, VPT_MAGIC ^ tables.vpt);
}

u64 vpe_model_read_vpendbaser(struct rdist_model *rdist)
{
	if (!rdist->dirty)
		return rdist->vpendbaser;

	flush(rdist);
	rdist->dirty--;

	return rdist->vpendbaser | GICR_VPENDBASER_Dirty;
}

/* The ITS has to send what is for a vPE where it is resident, and it has to be known. */
static void check_registered(const struct rdist_model *rdist, phys_addr_t vpt, u32 bits)
{
	unsigned int i, nr = 0;

	for (i = 0; i < nr_vpes; i++) {
		if (vpes[i].vpt != vpt)
			continue;
		if (find_rdist(vpes[i].its, vpes[i].rdbase) != rdist)
			mem_fail("vPE %u becomes resident, and is mapped elsewhere", vpes[i].vpeid);
		if (vpes[i].bits != bits)
			mem_fail("vPE %u becomes resident with %u bits", vpes[i].vpeid, bits);
		nr++;
	}

	if (!nr)
		mem_fail("a vPE becomes resident that is not mapped");
}

/* A write of a device or a CPU to GITS_SGIR: names no memory, and an unknown vPE is ignored. */
bool vpe_model_sgi(struct its_model *its, u32 vpeid, u32 sgi)
{
	struct vpe *vpe = mapped_here(its, vpeid);

	if (!vpe)
		return false;

	vpe->pending_sgis |= BIT(sgi);

	return vpe->sgis[sgi] & BIT(8);
}

/* The virtual SGIs that a vPE has, as VSGI has set them up */
u32 vpe_model_sgi_config(struct its_model *its, u32 vpeid, u32 sgi)
{
	struct vpe *vpe = find_vpe(its, vpeid);

	return vpe ? vpe->sgis[sgi] : 0;
}

/* A redistributor that is asked about a vPE looks it up, and has to have it. */
static struct vpe *vpe_at(struct rdist_model *rdist, u32 vpeid)
{
	struct rdist_model with = *rdist;
	struct vpe *vpe;

	with.vpendbaser = vpeid;
	vpe = rdist_vpe(&with);
	if (find_rdist(vpe->its, vpe->rdbase) != rdist)
		mem_fail("a redistributor is asked about vPE %u, which is mapped elsewhere", vpeid);
	check_vpt(vpe->vpt, vpe->bits, rdist->confined);

	return vpe;
}

void vpe_model_invalidate(struct rdist_model *rdist, u32 vpeid, u32 vintid)
{
	struct vpe *vpe = vpe_at(rdist, vpeid);

	check_vconf(vpe->vconf, vpe->bits, rdist->confined);
	if (vintid && (vintid < LPI_BASE || vintid >> vpe->bits))
		mem_fail("vINTID %u of vPE %u invalidated", vintid, vpeid);

	rdist->inv_busy = rdist->slow;
}

void vpe_model_write_vsgir(struct rdist_model *rdist, u32 vpeid)
{
	if (rdist->vsgi_busy)
		mem_fail("GICR_VSGIR written while it is busy");

	rdist->vsgis = vpe_at(rdist, vpeid)->pending_sgis;
	rdist->vsgi_busy = rdist->slow;
}

static void make_resident(struct rdist_model *rdist)
{
	struct vpe tables;

	rdist_tables(rdist, &tables);
	check_vpt(tables.vpt, tables.bits, rdist->confined);
	check_vconf(tables.vconf, tables.bits, rdist->confined);
	check_header(tables.vpt);
	if (rdist->confined)
		check_registered(rdist, tables.vpt, tables.bits);
	if (who_uses(tables.vpt, rdist))
		mem_fail("pending table at 0x%llx is resident twice",
			 (unsigned long long)tables.vpt);
	write_word(tables.vpt, VPT_MAGIC ^ tables.vpt);
	take_pending(rdist, true);
}

void vpe_model_write_vpendbaser(struct rdist_model *rdist, u64 val)
{
	bool was_resident = is_resident(rdist);
	u64 old = rdist->vpendbaser;

	if (rdist->vpes == ITS_NO_VPES)
		mem_fail("GICR_VPENDBASER written");
	if (rdist->dirty)
		mem_fail("GICR_VPENDBASER written while it is dirty");

	if (rdist->vpes == ITS_GICV4_1 && !(val & GICR_VPENDBASER_Valid))
		rdist->rings = was_resident && val & GICR_VPENDBASER_4_1_DB;
	rdist->vpendbaser = val & ~(GICR_VPENDBASER_Dirty | GICR_VPENDBASER_PendingLast);
	if (is_resident(rdist)) {
		if (was_resident && rdist->confined)
			mem_fail("GICR_VPENDBASER changed while it is valid");
		make_resident(rdist);
	} else if (was_resident) {
		if (rdist->vpes == ITS_GICV4_1 && rdist->confined &&
		    (val ^ old) & GICR_VPENDBASER_4_1_VPEID)
			mem_fail("GICR_VPENDBASER.Valid cleared with another vPEID");
		/* It writes back to where it was, whatever address comes with this. */
		rdist->vpendbaser = old & ~GICR_VPENDBASER_Valid;
		flush(rdist);
		rdist->dirty = rdist->flushes;
		if (take_pending(rdist, false) ||
		    (rdist->vpes == ITS_GICV4_1 && val & GICR_VPENDBASER_PendingLast))
			rdist->vpendbaser |= GICR_VPENDBASER_PendingLast;
	}
}

/* A table that a confined redistributor gets is EL2's, and it never is said to be empty. */
static void check_vpe_table(const struct rdist_model *rdist, u64 val)
{
	u64 size = (FIELD_GET(GICR_VPROPBASER_4_1_SIZE, val) + 1) * (u64)SZ_4K <<
		   2 * FIELD_GET(GICR_VPROPBASER_4_1_PAGE_SIZE, val);

	if (!rdist->confined)
		return;

	check_pages(val & GICR_VPROPBASER_4_1_ADDR, size, true, MEM_ITS, "table of vPEs");
	if (val & GICR_VPROPBASER_4_1_Z)
		mem_fail("table of vPEs taken for zero");
}

void vpe_model_write_vpropbaser(struct rdist_model *rdist, u64 val)
{
	if (is_resident(rdist) || rdist->dirty)
		mem_fail("GICR_VPROPBASER written while a vPE is resident");

	if (rdist->vpes == ITS_GICV4_1) {
		val &= ~GICR_VPROPBASER_4_1_ENTRY_SIZE;
		val |= rdist->vpropbaser & GICR_VPROPBASER_4_1_ENTRY_SIZE;
		if (val & GICR_VPROPBASER_4_1_VALID)
			check_vpe_table(rdist, val);
	}

	rdist->vpropbaser = val & (rdist->addr_mask | ~GENMASK_ULL(51, 12));
}
