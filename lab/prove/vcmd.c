// SPDX-License-Identifier: GPL-2.0-only
/*
 * its-cmd.c: every command for virtual LPIs that the host can write to one of two ITSs, of a
 * GICv4.0 or a GICv4.1, against any state of a device and a vPE.
 *
 * Proved: what is accepted has no bit set that the architecture does not define for the
 * command; the tables are those of the vPE, and PTZ is clear; Alloc is set if no other ITS has
 * the vPE mapped, and only then; RDbases are known, EventID, vINTID and doorbells in range; a
 * vPE is not mapped twice, nor away from where it is resident, and is unmapped only if it is
 * resident nowhere; no VMAPP or VMOVP takes the place of one that may be lost; no ITS gets a
 * VMOVP for all of them, or a VMAPP of GICv4.1, that another has not caught up with; what is
 * refused changes nothing.
 *
 * Assumed, and why that holds:
 *  - the vPE is prepared: its tables are aligned and below 2^52, and have room for the LPIs of
 *    the ITS (vpes_intid_bits() and __pkvm_vpe_prepare(), which unit tests show);
 *  - both ITSs are of one version and have GITS_TYPER.VMOVP both or neither, and a GICv4.1 has
 *    it (vpes_intid_bits());
 *  - what vpe_has_left() and its_has_executed() return is right: prove_vcmd lets them return
 *    anything;
 *  - how a device is found, and that a bit of its map of events and their number change
 *    together, is proved by prove_cmd. Here all devices are in a flat array.
 */

#include <asm/kvm_pkvm_its.h>

/* Nothing depends on how many ITSs there can be but how often loops are unwound. */
#undef PKVM_ITS_MAX
#define PKVM_ITS_MAX	2

#include <its-cmd.c>

#include "encoding.h"

PROVE_NO_WARN
PROVE_NOSPEC

#define NR_WORDS	2
#define NR_RDBASES	3
#define V4_1		GITS_TYPER_VMAPP

static struct hyp_its its, other;
static struct hyp_its_table table;
static u64 rdbases[NR_RDBASES];
static struct hyp_its_device *devices[2];
static struct hyp_vpe vpe;
static struct hyp_rdist rdist;
static u64 known_vpeid;
static bool has_other, has_left, asked_left;
/* The commands of the other ITS that it has executed, as it answers for @asked */
static bool other_has_executed, own_has_executed;

static struct device_memory {
	struct hyp_its_device device;
	u64 events[NR_WORDS];
} memory;

struct device_memory nondet_device_memory(void);
struct hyp_its nondet_its(void);
struct hyp_vpe nondet_vpe(void);
struct hyp_rdist nondet_rdist(void);

void *hyp_phys_to_virt(phys_addr_t phys)
{
	prove(false, "there are no level-2 pages");
	return NULL;
}

u64 mem_read_once(const volatile void *from, size_t size)
{
	prove(false, "its-cmd.c reads no memory of the host");
	return 0;
}

bool vpes_are_supported(void)
{
	return true;
}

struct hyp_vpe *vpe_get(u64 vpeid)
{
	prove(vpeid < table.nr_ids, "a vPE is looked up within the table of vPEs");
	return vpeid == known_vpeid ? &vpe : NULL;
}

struct hyp_its *hyp_its_get(u32 id)
{
	if (id == its.id)
		return &its;

	return id == other.id && (has_other || id < its.id) ? &other : NULL;
}

bool its_has_executed(const struct hyp_its *of, u64 nr)
{
	prove(vpe.lock.held, "vPEs are looked at under their lock");
	return of == &its ? own_has_executed : other_has_executed;
}

bool vpe_has_left(struct hyp_vpe *of)
{
	prove(of == &vpe && vpe.lock.held, "vPEs are looked at under their lock");
	asked_left = true;

	return has_left;
}

static bool has_only_defined_bits_v(const u64 *cmd, bool v4_1)
{
	const u64 device = GENMASK_ULL(63, 32) | GENMASK_ULL(7, 0), nr = GENMASK_ULL(7, 0);
	const u64 vpeid = GENMASK_ULL(47, 32);
	u64 mask[4] = { nr, vpeid };

	switch (cmd[0] & 0xff) {
	case 0x29: /* VMAPP: without PTZ */
		mask[2] = VALID | RDBASE;
		mask[3] = GENMASK_ULL(51, 16) | GENMASK_ULL(4, 0);
		if (v4_1) {
			mask[0] |= GENMASK_ULL(51, 16) | BIT_ULL(8);
			mask[1] |= LOW;
		}
		break;
	case 0x2a: /* VMAPTI */
		mask[0] = device; mask[1] |= LOW; mask[2] = GENMASK_ULL(63, 0);
		break;
	case 0x21: /* VMOVI */
		mask[0] = device; mask[1] |= LOW; mask[2] = GENMASK_ULL(63, 32) | BIT_ULL(0);
		break;
	case 0x22: /* VMOVP: the list and the number only without GITS_TYPER.VMOVP */
		mask[2] = RDBASE;
		if (!(its.typer & GITS_TYPER_VMOVP)) {
			mask[0] |= GENMASK_ULL(47, 32); mask[1] |= GENMASK_ULL(15, 0);
		}
		if (v4_1) {
			mask[2] |= BIT_ULL(63); mask[3] = LOW;
		}
		break;
	case 0x25: /* VSYNC */
	case 0x2d: /* VINVALL */
		break;
	case 0x2e: /* INVDB */
		if (!v4_1)
			return false;
		break;
	case 0x23: /* VSGI: Enable, Clear, Group, Priority, vINTID */
		if (!v4_1)
			return false;
		mask[0] |= GENMASK_ULL(10, 8) | GENMASK_ULL(23, 20) | GENMASK_ULL(35, 32);
		break;
	default:
		return false;
	}

	return !((cmd[0] & ~mask[0]) | (cmd[1] & ~mask[1]) |
		 (cmd[2] & ~mask[2]) | (cmd[3] & ~mask[3]));
}

static void any_its(struct hyp_its *of, u32 id)
{
	*of = nondet_its();
	of->id = id;
	of->vpes = &table;
	of->devices = NULL;
	of->flat_records = devices;
	of->rdbases = rdbases;
	assume(of->nr_devices >= 1 && of->nr_devices <= ARRAY_SIZE(devices));
	assume(of->nr_lpis <= BIT(vpe.bits));
	assume(of->nr_rdbases >= 1 && of->nr_rdbases <= NR_RDBASES);
	assume(!(of->vlpi_rdbase_offset & ~RDBASE));
	assume(of->lost_from <= of->lost_to && of->lost_to <= of->nr_committed);
}

static void any_vpe(void)
{
	unsigned int i;

	vpe = nondet_vpe();
	rdist = nondet_rdist();
	vpe.lock.held = false;
	assume(vpe.bits > 13 && vpe.bits <= 24);
	assume(!(vpe.vpt & ~GENMASK_ULL(51, 16)) && !(vpe.vprop & ~GENMASK_ULL(51, 16)));
	vpe.rdist = nondet_bool() ? &rdist : NULL;
	vpe.resident = vpe.rdist && nondet_bool() ? vpe.rdist : NULL;
	for (i = 0; i < PKVM_ITS_MAX; i++)
		assume((u32)vpe.maps[i].state <= HYP_VPE_SYNCED);
}

static bool is_doorbell(u64 intid)
{
	return intid == 1023 || (intid >= 8192 && intid < its.nr_lpis);
}

/* What of a vPE on an ITS only changes if a command is accepted */
static bool is_as_before(const struct hyp_vpe_map *now, const struct hyp_vpe_map *before,
			 bool has_executed)
{
	return now->state == before->state && now->rdbase == before->rdbase &&
	       (now->at == before->at ||
		(!now->at && has_executed && before->state == HYP_VPE_MAPPED));
}

void prove_vcmd(void)
{
	u64 in[4] = { nondet_u64(), nondet_u64(), nondet_u64(), nondet_u64() }, out[4] = {};
	u64 nr = in[0] & 0xff, vpeid = in[1] >> 32 & GENMASK(15, 0), event = in[1] & LOW;
	u64 rdbase, others_list, word;
	struct hyp_its_device *device = NULL, before = {};
	u32 id = nondet_u8() % PKVM_ITS_MAX, i;
	struct hyp_vpe_map *map, *elsewhere;
	struct hyp_vpe_map map_was, elsewhere_was;
	enum pkvm_its_verdict verdict;
	bool v4_1, pending;

	known_vpeid = nondet_u64() & GENMASK(15, 0);
	has_other = nondet_bool();
	has_left = nondet_bool();
	own_has_executed = nondet_bool();
	other_has_executed = nondet_bool();
	asked_left = false;
	for (i = 0; i < NR_RDBASES; i++)
		rdbases[i] = nondet_u64();

	table.nr_ids = nondet_u64();
	any_vpe();
	any_its(&its, id);
	any_its(&other, !id);
	v4_1 = its.typer & V4_1;
	assume(!((its.typer ^ other.typer) & (GITS_TYPER_VMOVP | V4_1)));
	assume(!v4_1 || (its.typer & GITS_TYPER_VMOVP));

	/* Commands for vPEs; prove_cmd has the others */
	assume((nr & 0xf0) == 0x20);

	map = &vpe.maps[id];
	elsewhere = &vpe.maps[!id];
	if (!hyp_its_get(!id))
		assume(elsewhere->state == HYP_VPE_UNUSED && !elsewhere->at);

	memory = nondet_device_memory();
	assume((u32)memory.device.state <= HYP_ITS_DEVICE_UNMAPPED);
	assume(memory.device.event_bits >= 1 && memory.device.event_bits <= 7);
	assume(memory.device.nr_events && memory.device.nr_events < 64);
	devices[0] = nondet_bool() ? &memory.device : NULL;
	devices[1] = NULL;
	if (in[0] >> 32 < its.nr_devices)
		device = devices[in[0] >> 32];
	if (device)
		before = *device;
	word = memory.events[event / 64 % NR_WORDS];

	map_was = *map;
	elsewhere_was = *elsewhere;
	pending = elsewhere_was.at && !other_has_executed && hyp_its_get(!id);
	others_list = elsewhere_was.state == HYP_VPE_MAPPED ?
		      BIT_ULL(FIELD_GET(GITS_CTLR_ITS_NUMBER, other.ctlr)) : 0;
	const struct hyp_vpe vpe_was = vpe;

	verdict = its_translate_cmd(&its, in, out);

	reach(!verdict && nr == 0x29 && v4_1 && (out[0] & BIT_ULL(8)) && (out[2] & VALID));
	reach(!verdict && nr == 0x29 && v4_1 && !(out[0] & BIT_ULL(8)) && !(out[2] & VALID));
	reach(!verdict && nr == 0x29 && !v4_1 && map_was.state == HYP_VPE_SYNCED);
	reach(!verdict && nr == 0x2a && !v4_1 && out[2] >> 32 != 1023);
	reach(!verdict && nr == 0x21 && (out[2] & 1));
	reach(!verdict && nr == 0x22 && v4_1 && (out[2] & VALID) && vpe.resident);
	reach(!verdict && nr == 0x22 && !v4_1 && others_list);
	reach(!verdict && nr == 0x25 && map->state == HYP_VPE_SYNCED);
	reach(!verdict && nr == 0x23);
	reach(!verdict && nr == 0x2e);
	reach(verdict == PKVM_ITS_REFUSED_VPE_PENDING);
	reach(verdict == PKVM_ITS_REFUSED_VPE_RESIDENT && asked_left);
	reach(verdict == PKVM_ITS_REFUSED_BAD_ITS_LIST);
	reach(verdict == PKVM_ITS_REFUSED_EVENTS_MAPPED);

	prove(verdict < PKVM_ITS_NR_VERDICTS, "the verdict has a counter");
	prove(!vpe.lock.held, "the lock is released");
	prove(vpe.vpt == vpe_was.vpt && vpe.vprop == vpe_was.vprop && vpe.bits == vpe_was.bits &&
	      vpe.rdist == vpe_was.rdist && vpe.resident == vpe_was.resident,
	      "no command changes tables or residency");
	prove(nr == 0x22 || is_as_before(elsewhere, &elsewhere_was, other_has_executed),
	      "only VMOVP changes the vPE on another ITS");
	prove(!device || (device->itt == before.itt && device->state == before.state &&
			  device->event_bits == before.event_bits),
	      "no command for vPEs changes a device");

	if (verdict) {
		prove(is_as_before(map, &map_was, own_has_executed) &&
		      is_as_before(elsewhere, &elsewhere_was, other_has_executed),
		      "what is refused changes no vPE");
		prove(!device || device->nr_events == before.nr_events,
		      "what is refused maps no event");
		return;
	}

	prove((out[0] & 0xff) == nr, "a command does not become another one");
	prove(has_only_defined_bits_v(out, v4_1), "no RES0 bit and no unknown command is encoded");
	prove(vpeid == known_vpeid && (out[1] >> 32 & GENMASK(15, 0)) == vpeid,
	      "the vPE is prepared");
	prove(vpeid < table.nr_ids, "the table of vPEs has room for it");

	rdbase = (out[2] & RDBASE) - its.vlpi_rdbase_offset;

	switch (nr) {
	case 0x29:
		prove(!(its.typer & GITS_TYPER_VMOVP) || !pending,
		      "no VMAPP before another ITS has caught up");
		prove(!v4_1 || !(out[0] & BIT_ULL(8)) == (elsewhere_was.state == HYP_VPE_MAPPED),
		      "Alloc is set for the first VMAPP of a vPE, and the last");
		prove((out[2] & VALID) == (in[2] & VALID), "VMAPP does what the host wants");
		if (!(out[2] & VALID)) {
			prove(map_was.state == HYP_VPE_MAPPED && !vpe.resident,
			      "only what is mapped, and resident nowhere, gets unmapped");
			prove(!v4_1 || has_left, "and no redistributor has something to write");
			prove(map->state == (v4_1 ? HYP_VPE_SYNCED : HYP_VPE_UNMAPPED) &&
			      map->at == its.nr_committed,
			      "the unmap has the number of its command");
			break;
		}
		prove(map_was.state != HYP_VPE_MAPPED, "no vPE is mapped twice");
		prove((out[3] & GENMASK_ULL(51, 16)) == vpe.vpt &&
		      (out[3] & GENMASK_ULL(4, 0)) == vpe.bits - 1,
		      "VMAPP has the pending table of the vPE, and its size");
		prove(!v4_1 || (out[0] & GENMASK_ULL(51, 16)) == vpe.vprop,
		      "VMAPP has the property table of the vPE");
		prove(!((in[3] ^ out[3]) & (GENMASK_ULL(51, 16) | GENMASK_ULL(4, 0))) &&
		      (!v4_1 || !((in[0] ^ out[0]) & GENMASK_ULL(51, 16))),
		      "a vPE gets mapped with the tables that the host names");
		prove(!v4_1 || is_doorbell(out[1] & LOW), "the default doorbell is in range");
		prove(!v4_1 || elsewhere->state != HYP_VPE_MAPPED || elsewhere->rdbase == rdbase,
		      "a vPE is mapped to one redistributor");
		prove(map->state == HYP_VPE_MAPPED && map->rdbase == rdbase &&
		      map->at == its.nr_committed, "what is mapped is noted");
		break;
	case 0x2a:
	case 0x21:
		prove(map->state == HYP_VPE_MAPPED, "the vPE is mapped");
		prove(device && before.state == HYP_ITS_DEVICE_MAPPED &&
		      out[0] >> 32 == in[0] >> 32, "events are those of devices that are mapped");
		prove((out[1] & LOW) == (in[1] & LOW) && (out[1] & LOW) < BIT(before.event_bits),
		      "the EventID is in range");
		if (nr == 0x2a)
			prove((out[2] & LOW) >= 8192 && (out[2] & LOW) < BIT(vpe.bits) &&
			      !(word >> event % 64 & 1) &&
			      (memory.events[event / 64] >> event % 64 & 1),
			      "the vINTID is within the tables, and the event is mapped once");
		else
			prove(device->nr_events == before.nr_events, "VMOVI maps no event");
		if (nr == 0x2a || (out[2] & 1))
			prove(is_doorbell(out[2] >> 32) && (!v4_1 || out[2] >> 32 == 1023),
			      "the doorbell is in range; GICv4.1 has none");
		break;
	case 0x22:
		prove(map_was.state == HYP_VPE_MAPPED && map->state == HYP_VPE_MAPPED,
		      "only what is mapped gets moved");
		prove(!(its.typer & GITS_TYPER_VMOVP) || !pending,
		      "no VMOVP for all ITSs before another has caught up");
		prove(map->rdbase == rdbase && map->at == its.nr_committed, "the move is noted");
		prove(!v4_1 || !(out[2] & VALID) || is_doorbell(out[3] & LOW),
		      "the default doorbell is in range");
		prove(elsewhere->state == elsewhere_was.state &&
		      elsewhere->rdbase == (its.typer & GITS_TYPER_VMOVP ? rdbase :
					    elsewhere_was.rdbase),
		      "a VMOVP moves the vPE on all ITSs, or on one");
		if (!(its.typer & GITS_TYPER_VMOVP))
			prove((out[1] & GENMASK(15, 0)) ==
			      (others_list | BIT_ULL(FIELD_GET(GITS_CTLR_ITS_NUMBER, its.ctlr))),
			      "the list has the ITSs that have it mapped, and no other");
		break;
	case 0x25:
		prove(map_was.state != HYP_VPE_UNUSED, "VSYNC: the vPE was mapped");
		prove(map->state == map_was.state ||
		      (map_was.state == HYP_VPE_UNMAPPED && map->state == HYP_VPE_SYNCED &&
		       map->at == its.nr_committed &&
		       (map_was.at < its.lost_from || map_was.at >= its.lost_to)),
		      "VSYNC completes an unmap that is not lost");
		break;
	default:
		prove(map->state == HYP_VPE_MAPPED, "the vPE is mapped");
		prove(is_as_before(map, &map_was, own_has_executed), "nothing changes");
	}

	if (nr == 0x29 || nr == 0x22)
		prove(map_was.at < its.lost_from || map_was.at >= its.lost_to,
		      "no command takes the place of one that may be lost");
	if ((nr == 0x29 && (out[2] & VALID)) || nr == 0x22) {
		prove(is_rdbase(&its, rdbase), "the RDbase is known");
		prove(!vpe.resident || rdist_rdbase(vpe.rdist, its.typer) == rdbase,
		      "a vPE is mapped where it is resident");
	}
}
