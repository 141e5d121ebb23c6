// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of a confined GICv3 ITS: decode, check, encode.
 *
 * A command that is accepted is made anew from the fields that EL2 understood. No command
 * moves memory: MAPD only names what has been prepared for the device (__pkvm_its_prepare()).
 */

#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/nospec.h>

#include <nvhe/its.h>
#include <nvhe/memory.h>
#include <nvhe/rdist.h>
#include <nvhe/vpe.h>

/* Fields of a command (IHI 0069, ITS commands), of its four doublewords in host order */
#define CMD_NR(c)		FIELD_GET(GITS_CMD0_NUMBER, (c)[0])
#define CMD_IS_GICV4(c)		((CMD_NR(c) & 0xf0) == GITS_CMD_GICv4(0))
#define CMD_DEVICE_ID(c)	FIELD_GET(GITS_CMD0_DEVICE_ID, (c)[0])
#define CMD_EVENT_ID(c)		FIELD_GET(GITS_CMD1_EVENT_ID, (c)[1])
#define CMD_INTID(c)		FIELD_GET(GITS_CMD1_INTID, (c)[1])
#define CMD_SIZE(c)		FIELD_GET(GITS_CMD1_SIZE, (c)[1])
#define CMD_ICID(c)		FIELD_GET(GITS_CMD2_ICID, (c)[2])

/* Those of GICv4 commands */
#define CMD_VPEID(c)		FIELD_GET(GITS_CMD1_VPEID, (c)[1])
#define CMD_VINTID(c)		FIELD_GET(GITS_CMD2_VINTID, (c)[2])
#define CMD_DOORBELL(c)		FIELD_GET(GITS_CMD2_DB_INTID, (c)[2])
#define CMD_VPT_SIZE(c)		FIELD_GET(GITS_CMD3_VMAPP_VPT_SIZE, (c)[3])
#define CMD_ITS_LIST(c)		FIELD_GET(GITS_CMD1_VMOVP_ITS_LIST, (c)[1])

/* Those of GICv4.1 commands alone */
#define CMD_VMAPP_DEFAULT_DB(c)	FIELD_GET(GITS_CMD1_VMAPP_DEFAULT_DB, (c)[1])
#define CMD_VMOVP_DEFAULT_DB(c)	FIELD_GET(GITS_CMD3_VMOVP_DEFAULT_DB, (c)[3])
#define CMD_VSGI_MASK		(GITS_CMD0_SGI_INTID | GITS_CMD0_SGI_PRIORITY |			\
				 GITS_CMD0_SGI_GROUP | GITS_CMD0_SGI_CLEAR |			\
				 GITS_CMD0_SGI_ENABLE)

#define CMD_VPE(id)		FIELD_PREP(GITS_CMD1_VPEID, (u64)(id))

#define NO_DOORBELL		1023

#define CMD_DEVICE(nr, id)	((nr) | FIELD_PREP(GITS_CMD0_DEVICE_ID, (u64)(id)))

#define LPI_BASE		8192

/**
 * its_find_device - find the record of a device
 * @its: the ITS
 * @dev_id: DeviceID
 *
 * There is an array of pointers behind each level-2 page of the device table. It takes the
 * same time to find one whatever the number of devices.
 *
 * Context: one of the locks of the ITS held.
 * Return: where the pointer to the record is, which is NULL unless the device is prepared.
 *	   NULL if the DeviceID is out of range or has no level-2 page.
 */
struct hyp_its_device **its_find_device(const struct hyp_its *its, u64 dev_id)
{
	const struct hyp_its_table *table = its->devices;
	struct hyp_its_device **records;
	u64 entry;

	if (dev_id >= its->nr_devices)
		return NULL;

	dev_id = array_index_nospec(dev_id, its->nr_devices);
	if (its->flat_records)
		return &its->flat_records[dev_id];

	entry = le64_to_cpu(table->level1[dev_id >> table->ids_shift]);
	if (!(entry & GITS_BASER_VALID))
		return NULL;

	records = hyp_phys_to_virt((entry & ~GITS_BASER_VALID) + table->page_size);

	return &records[dev_id & (BIT_ULL(table->ids_shift) - 1)];
}

static bool rdbase_is_known(const struct hyp_its *its, u64 rdbase)
{
	u32 left = 0, right = its->nr_rdbases;

	while (right - left > 1) {
		u32 mid = left + (right - left) / 2;

		if (its->rdbases[mid] <= rdbase)
			left = mid;
		else
			right = mid;
	}

	return its->rdbases[left] == rdbase;
}

/* Find the device that a command for an event names, and check the EventID */
static enum pkvm_its_verdict check_event(const struct hyp_its *its, const u64 *in,
					 struct hyp_its_device **device)
{
	struct hyp_its_device **slot = its_find_device(its, CMD_DEVICE_ID(in));

	if (!slot)
		return CMD_DEVICE_ID(in) < its->nr_devices ? PKVM_ITS_REFUSED_NOT_MAPPED :
							     PKVM_ITS_REFUSED_BAD_DEVICE;

	*device = *slot;
	if (!*device || (*device)->state != HYP_ITS_DEVICE_MAPPED)
		return PKVM_ITS_REFUSED_NOT_MAPPED;

	if (CMD_EVENT_ID(in) >> (*device)->event_bits)
		return PKVM_ITS_REFUSED_BAD_EVENT;

	return PKVM_ITS_ACCEPTED;
}

static enum pkvm_its_verdict check_icid(const struct hyp_its *its, const u64 *in)
{
	return CMD_ICID(in) < its->nr_icids ? PKVM_ITS_ACCEPTED : PKVM_ITS_REFUSED_BAD_ICID;
}

static enum pkvm_its_verdict check_intid(const struct hyp_its *its, u64 intid)
{
	return intid >= LPI_BASE && intid < its->nr_lpis ? PKVM_ITS_ACCEPTED :
							   PKVM_ITS_REFUSED_BAD_INTID;
}

/**
 * its_may_be_lost - check whether a command may never have been executed
 * @its: the ITS
 * @nr: number of the command
 *
 * Return: true if the queue was reset while the command was, as far as EL2 knows, pending.
 */
bool its_may_be_lost(const struct hyp_its *its, u64 nr)
{
	return nr >= its->lost_from && nr < its->lost_to;
}

/**
 * its_set_event - keep track of which events are mapped
 * @device: the device
 * @event_id: EventID, within the device's size
 * @mapped: it is mapped from now on
 *
 * Context: hyp_its::lock held, or the host is not deprivileged yet.
 * Return: false if it is so already.
 */
bool its_set_event(struct hyp_its_device *device, u64 event_id, bool mapped)
{
	u64 *word, bit = BIT_ULL(event_id % 64);

	event_id = array_index_nospec(event_id, BIT_ULL(device->event_bits));
	word = &device->events[event_id / 64];
	if (!!(*word & bit) == mapped)
		return false;

	*word ^= bit;
	device->nr_events += mapped ? 1 : -1;

	return true;
}

/*
 * One function a command or family of commands, with the parameters of its_translate_cmd().
 *
 * IHI 0069, ITS commands: MAPD. To unmap a device with events mapped is UNPREDICTABLE. What
 * the ITS gets to see of a device is always the same, whether it is mapped or unmapped.
 */
static enum pkvm_its_verdict do_mapd(struct hyp_its *its, const u64 *in, u64 *out)
{
	struct hyp_its_device **slot = its_find_device(its, CMD_DEVICE_ID(in));
	struct hyp_its_device *device = slot ? *slot : NULL;

	if (CMD_DEVICE_ID(in) >= its->nr_devices)
		return PKVM_ITS_REFUSED_BAD_DEVICE;

	if (in[2] & GITS_CMD2_VALID) {
		if (!device || device->state != HYP_ITS_DEVICE_PREPARED ||
		    device->itt != (in[2] & GITS_CMD2_ITT_ADDR) ||
		    device->event_bits != CMD_SIZE(in) + 1)
			return PKVM_ITS_REFUSED_NOT_PREPARED;

		device->state = HYP_ITS_DEVICE_MAPPED;
	} else {
		if (!device || device->state != HYP_ITS_DEVICE_MAPPED)
			return PKVM_ITS_REFUSED_NOT_MAPPED;

		if (device->nr_events || its_may_be_lost(its, device->discarded_at))
			return PKVM_ITS_REFUSED_EVENTS_MAPPED;

		device->state = HYP_ITS_DEVICE_UNMAPPED;
		device->unmapped_at = its->nr_committed;
	}

	out[0] = CMD_DEVICE(GITS_CMD_MAPD, CMD_DEVICE_ID(in));
	out[1] = device->event_bits - 1;
	out[2] = device->itt | (in[2] & GITS_CMD2_VALID);

	return PKVM_ITS_ACCEPTED;
}

/* IHI 0069, ITS commands: MAPC */
static enum pkvm_its_verdict do_mapc(const struct hyp_its *its, const u64 *in, u64 *out)
{
	enum pkvm_its_verdict verdict = check_icid(its, in);
	u64 rdbase = in[2] & GITS_CMD2_RDBASE;

	out[0] = GITS_CMD_MAPC;
	out[2] = CMD_ICID(in);
	if (verdict || !(in[2] & GITS_CMD2_VALID))
		return verdict;

	if (!rdbase_is_known(its, rdbase))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	out[2] |= GITS_CMD2_VALID | rdbase;

	return PKVM_ITS_ACCEPTED;
}

/* IHI 0069, ITS commands: MAPTI and MOVI */
static enum pkvm_its_verdict do_map_event(const struct hyp_its *its, const u64 *in, u64 *out)
{
	bool maps = CMD_NR(in) == GITS_CMD_MAPTI;
	struct hyp_its_device *device;
	enum pkvm_its_verdict verdict;

	verdict = check_event(its, in, &device);
	if (!verdict)
		verdict = check_icid(its, in);
	if (!verdict && maps)
		verdict = check_intid(its, CMD_INTID(in));
	if (verdict)
		return verdict;

	if (maps && !its_set_event(device, CMD_EVENT_ID(in), true))
		return PKVM_ITS_REFUSED_EVENTS_MAPPED;

	out[0] = CMD_DEVICE(CMD_NR(in), CMD_DEVICE_ID(in));
	out[1] = CMD_EVENT_ID(in);
	if (maps)
		out[1] |= FIELD_PREP(GITS_CMD1_INTID, CMD_INTID(in));
	out[2] = CMD_ICID(in);

	return PKVM_ITS_ACCEPTED;
}

/* IHI 0069, ITS commands: CLEAR, DISCARD, INT and INV */
static enum pkvm_its_verdict do_event(struct hyp_its *its, const u64 *in, u64 *out)
{
	struct hyp_its_device *device;
	enum pkvm_its_verdict verdict;

	verdict = check_event(its, in, &device);
	if (verdict)
		return verdict;

	if (CMD_NR(in) == GITS_CMD_DISCARD) {
		its_set_event(device, CMD_EVENT_ID(in), false);
		/* One that was lost has left an event mapped, whatever follows. */
		if (!its_may_be_lost(its, device->discarded_at))
			device->discarded_at = its->nr_committed;
	}

	out[0] = CMD_DEVICE(CMD_NR(in), CMD_DEVICE_ID(in));
	out[1] = CMD_EVENT_ID(in);

	return PKVM_ITS_ACCEPTED;
}

/* IHI 0069, ITS commands: INVALL */
static enum pkvm_its_verdict do_invall(const struct hyp_its *its, const u64 *in, u64 *out)
{
	out[0] = GITS_CMD_INVALL;
	out[2] = CMD_ICID(in);

	return check_icid(its, in);
}

/* IHI 0069, ITS commands: SYNC */
static enum pkvm_its_verdict do_sync(const struct hyp_its *its, const u64 *in, u64 *out)
{
	u64 rdbase = in[2] & GITS_CMD2_RDBASE;

	if (!rdbase_is_known(its, rdbase))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	out[0] = GITS_CMD_SYNC;
	out[2] = rdbase;

	return PKVM_ITS_ACCEPTED;
}

/*
 * Virtual LPIs. What is known of a vPE changes under its lock, as the commands of other ITSs
 * and writes to GICR_VPENDBASER refer to it, too.
 */

static struct hyp_vpe *lock_vpe(const struct hyp_its *its, const u64 *in)
{
	struct hyp_vpe *vpe = CMD_VPEID(in) < its->vpes->nr_ids ? vpe_get(CMD_VPEID(in)) : NULL;

	if (vpe)
		hyp_spin_lock(&vpe->lock);

	return vpe;
}

static enum pkvm_its_verdict check_doorbell(const struct hyp_its *its, u64 intid)
{
	return intid == NO_DOORBELL ? PKVM_ITS_ACCEPTED : check_intid(its, intid);
}

/*
 * The queues of several ITSs keep no order. Where one VMOVP is for all of them, as with GICv4.1,
 * no VMOVP and no VMAPP is accepted until what the others got for the vPE before has been
 * executed. GICv4.1: Alloc depends on whether any other ITS has the vPE mapped, and redistributors
 * find its tables by what the ITSs have written to the table of vPEs.
 */
static bool vpe_is_pending_elsewhere(const struct hyp_its *its, struct hyp_vpe *vpe)
{
	struct hyp_its *other;
	u32 id;

	for (id = 0; (other = hyp_its_get(id)); id++) {
		if (other != its && !vpe_map_is_settled(&vpe->maps[id], other))
			return true;
	}

	return false;
}

/* The vPE on another ITS that has it mapped, or NULL. With GICv4.1 all have it at one place. */
static const struct hyp_vpe_map *vpe_map_elsewhere(const struct hyp_its *its,
						   const struct hyp_vpe *vpe)
{
	u32 id;

	for (id = 0; id < PKVM_ITS_MAX; id++) {
		if (id != its->id && vpe->maps[id].state == HYP_VPE_MAPPED)
			return &vpe->maps[id];
	}

	return NULL;
}

static bool is_resident_elsewhere(const struct hyp_its *its, const struct hyp_vpe *vpe, u64 rdbase)
{
	return vpe->resident && rdist_rdbase(vpe->rdist, its->typer) != rdbase;
}

/* The redistributor that a command names, as commands that are not for vPEs name it */
static u64 vpe_rdbase(const struct hyp_its *its, const u64 *in)
{
	return (in[2] & GITS_CMD2_RDBASE) - its->vlpi_rdbase_offset;
}

/* Are the fields that GICv4.1 adds to a VMAPP with V=1 as they have to be? */
static enum pkvm_its_verdict check_vmapp_v4_1(const struct hyp_its *its, const struct hyp_vpe *vpe,
					      const u64 *in)
{
	const struct hyp_vpe_map *other = vpe_map_elsewhere(its, vpe);

	if (vpe->vprop != (in[0] & GITS_CMD0_VMAPP_VCONF_ADDR))
		return PKVM_ITS_REFUSED_NOT_PREPARED;

	if (other && other->rdbase != vpe_rdbase(its, in))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	return check_doorbell(its, CMD_VMAPP_DEFAULT_DB(in));
}

/*
 * If a VMAPP or VMOVP was lost with its queue, EL2 does not know what the ITS has for the vPE.
 * There must not be another one, which would count as executed: the memory stays with EL2 for
 * good, and the vPE is not resident any more.
 */
static bool vpe_is_lost(const struct hyp_its *its, const struct hyp_vpe *vpe)
{
	return its_may_be_lost(its, vpe->maps[its->id].at);
}

/*
 * To map a vPE that is mapped is UNPREDICTABLE. It may be mapped again once it is unmapped:
 * its table is EL2's all the time, and only the GIC has written to it.
 */
static enum pkvm_its_verdict map_vpe(const struct hyp_its *its, struct hyp_vpe *vpe,
				     const u64 *in)
{
	struct hyp_vpe_map *map = &vpe->maps[its->id];
	u64 rdbase = vpe_rdbase(its, in);
	enum pkvm_its_verdict verdict;

	if (map->state == HYP_VPE_MAPPED || vpe->vpt != (in[3] & GITS_CMD3_VMAPP_VPT_ADDR) ||
	    vpe->bits != CMD_VPT_SIZE(in) + 1)
		return PKVM_ITS_REFUSED_NOT_PREPARED;

	if (!rdbase_is_known(its, rdbase))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	if (is_resident_elsewhere(its, vpe, rdbase))
		return PKVM_ITS_REFUSED_VPE_RESIDENT;

	verdict = its_is_v4_1(its) ? check_vmapp_v4_1(its, vpe, in) : PKVM_ITS_ACCEPTED;
	if (verdict)
		return verdict;

	map->state = HYP_VPE_MAPPED;
	map->rdbase = rdbase;
	map->at = its->nr_committed;

	return PKVM_ITS_ACCEPTED;
}

static enum pkvm_its_verdict unmap_vpe(const struct hyp_its *its, struct hyp_vpe *vpe)
{
	struct hyp_vpe_map *map = &vpe->maps[its->id];

	if (map->state != HYP_VPE_MAPPED)
		return PKVM_ITS_REFUSED_NOT_MAPPED;

	if (vpe->resident)
		return PKVM_ITS_REFUSED_VPE_RESIDENT;

	/* What a GICv4.1 redistributor still has to write back, it finds by way of the ITS. */
	if (its_is_v4_1(its) && !vpe_has_left(vpe))
		return PKVM_ITS_REFUSED_VPE_RESIDENT;

	map->state = HYP_VPE_UNMAPPED;
	map->at = its->nr_committed;

	/* IHI 0069, VMAPP: with V=0 it is self-synchronizing. */
	if (its_is_v4_1(its))
		map->state = HYP_VPE_SYNCED;

	return PKVM_ITS_ACCEPTED;
}

/*
 * What GICv4.1 adds to a VMAPP. Alloc: the command is the first for the vPE, or the last one.
 * PTZ stays clear: once a vPE has been mapped, its pending table need not be zero.
 */
static void encode_vmapp_v4_1(const struct hyp_its *its, const struct hyp_vpe *vpe, const u64 *in,
			      u64 *out)
{
	if (!vpe_map_elsewhere(its, vpe))
		out[0] |= GITS_CMD0_VMAPP_ALLOC;

	if (in[2] & GITS_CMD2_VALID) {
		out[0] |= vpe->vprop;
		out[1] |= CMD_VMAPP_DEFAULT_DB(in);
	}
}

/* IHI 0069, ITS commands: VMAPP. Which form it has, the ITS decides. */
static enum pkvm_its_verdict do_vmapp(const struct hyp_its *its, const u64 *in, u64 *out)
{
	struct hyp_vpe *vpe = lock_vpe(its, in);
	bool map = in[2] & GITS_CMD2_VALID;
	enum pkvm_its_verdict verdict;

	if (!vpe)
		return PKVM_ITS_REFUSED_BAD_VPE;

	if (vpe_is_lost(its, vpe))
		verdict = PKVM_ITS_REFUSED_NOT_PREPARED;
	else if ((its->typer & GITS_TYPER_VMOVP) && vpe_is_pending_elsewhere(its, vpe))
		verdict = PKVM_ITS_REFUSED_VPE_PENDING;
	else
		verdict = map ? map_vpe(its, vpe, in) : unmap_vpe(its, vpe);

	out[0] = GITS_CMD_VMAPP;
	out[1] = CMD_VPE(CMD_VPEID(in));
	if (map) {
		out[2] = GITS_CMD2_VALID | (in[2] & GITS_CMD2_RDBASE);
		out[3] = vpe->vpt | (vpe->bits - 1);
	}
	if (its_is_v4_1(its))
		encode_vmapp_v4_1(its, vpe, in, out);

	hyp_spin_unlock(&vpe->lock);

	return verdict;
}

static enum pkvm_its_verdict check_mapped_vpe(const struct hyp_its *its, const u64 *in)
{
	struct hyp_vpe *vpe = lock_vpe(its, in);
	bool mapped;

	if (!vpe)
		return PKVM_ITS_REFUSED_BAD_VPE;

	mapped = vpe->maps[its->id].state == HYP_VPE_MAPPED;
	hyp_spin_unlock(&vpe->lock);

	return mapped ? PKVM_ITS_ACCEPTED : PKVM_ITS_REFUSED_NOT_MAPPED;
}

/*
 * IHI 0069, ITS commands: VMAPTI and VMOVI. All vPEs have room for as many vINTIDs. GICv4.1
 * need not have individual doorbells (GITS_TYPER.nID).
 */
static enum pkvm_its_verdict do_vmap_event(const struct hyp_its *its, const u64 *in, u64 *out)
{
	bool maps = CMD_NR(in) == GITS_CMD_VMAPTI;
	struct hyp_its_device *device;
	enum pkvm_its_verdict verdict;

	verdict = check_event(its, in, &device);
	if (!verdict)
		verdict = check_mapped_vpe(its, in);
	if (!verdict && maps)
		verdict = check_intid(its, CMD_VINTID(in));
	if (!verdict && (maps || (in[2] & GITS_CMD2_VMOVI_DB_VALID)))
		verdict = check_doorbell(its, CMD_DOORBELL(in));
	if (!verdict && its_is_v4_1(its) && (maps || (in[2] & GITS_CMD2_VMOVI_DB_VALID)) &&
	    CMD_DOORBELL(in) != NO_DOORBELL)
		verdict = PKVM_ITS_REFUSED_BAD_INTID;
	if (verdict)
		return verdict;

	if (maps && !its_set_event(device, CMD_EVENT_ID(in), true))
		return PKVM_ITS_REFUSED_EVENTS_MAPPED;

	out[0] = CMD_DEVICE(CMD_NR(in), CMD_DEVICE_ID(in));
	out[1] = CMD_EVENT_ID(in) | CMD_VPE(CMD_VPEID(in));
	if (maps)
		out[2] = CMD_VINTID(in);
	else
		out[2] = in[2] & GITS_CMD2_VMOVI_DB_VALID;
	if (maps || (in[2] & GITS_CMD2_VMOVI_DB_VALID))
		out[2] |= FIELD_PREP(GITS_CMD2_DB_INTID, CMD_DOORBELL(in));

	return PKVM_ITS_ACCEPTED;
}

/*
 * The ITSs that have to move a vPE together: they wait for each other (IHI 0069, VMOVP), and
 * none may be missing. With GITS_TYPER.VMOVP, which all of them have then, one command moves it
 * everywhere.
 */
static u64 vpe_its_list(const struct hyp_vpe *vpe)
{
	struct hyp_its *its;
	u64 list = 0;
	u32 id;

	for (id = 0; (its = hyp_its_get(id)); id++) {
		if (vpe->maps[id].state == HYP_VPE_MAPPED)
			list |= BIT_ULL(FIELD_GET(GITS_CTLR_ITS_NUMBER, its->ctlr));
	}

	return list;
}

static enum pkvm_its_verdict move_vpe(const struct hyp_its *its, struct hyp_vpe *vpe,
				      const u64 *in)
{
	u64 rdbase = vpe_rdbase(its, in);
	u32 id;

	if (vpe->maps[its->id].state != HYP_VPE_MAPPED)
		return PKVM_ITS_REFUSED_NOT_MAPPED;

	if (vpe_is_lost(its, vpe))
		return PKVM_ITS_REFUSED_NOT_PREPARED;

	if (!rdbase_is_known(its, rdbase))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	if (its_is_v4_1(its) && (in[2] & GITS_CMD2_VMOVP_DB) &&
	    check_doorbell(its, CMD_VMOVP_DEFAULT_DB(in)))
		return PKVM_ITS_REFUSED_BAD_INTID;

	if (is_resident_elsewhere(its, vpe, rdbase))
		return PKVM_ITS_REFUSED_VPE_RESIDENT;

	if (!(its->typer & GITS_TYPER_VMOVP)) {
		if (CMD_ITS_LIST(in) != vpe_its_list(vpe))
			return PKVM_ITS_REFUSED_BAD_ITS_LIST;

		vpe->maps[its->id].rdbase = rdbase;
		vpe->maps[its->id].at = its->nr_committed;
		return PKVM_ITS_ACCEPTED;
	}

	if (vpe_is_pending_elsewhere(its, vpe))
		return PKVM_ITS_REFUSED_VPE_PENDING;

	for (id = 0; id < PKVM_ITS_MAX; id++)
		vpe->maps[id].rdbase = rdbase;
	vpe->maps[its->id].at = its->nr_committed;

	return PKVM_ITS_ACCEPTED;
}

/* IHI 0069, ITS commands: VMOVP */
static enum pkvm_its_verdict do_vmovp(const struct hyp_its *its, const u64 *in, u64 *out)
{
	struct hyp_vpe *vpe = lock_vpe(its, in);
	enum pkvm_its_verdict verdict;

	if (!vpe)
		return PKVM_ITS_REFUSED_BAD_VPE;

	verdict = move_vpe(its, vpe, in);
	hyp_spin_unlock(&vpe->lock);

	out[0] = GITS_CMD_VMOVP;
	out[1] = CMD_VPE(CMD_VPEID(in));
	out[2] = in[2] & GITS_CMD2_RDBASE;
	if (!(its->typer & GITS_TYPER_VMOVP)) {
		out[0] |= in[0] & GITS_CMD0_VMOVP_SEQ_NUM;
		out[1] |= CMD_ITS_LIST(in);
	}
	if (its_is_v4_1(its) && (in[2] & GITS_CMD2_VMOVP_DB)) {
		out[2] |= GITS_CMD2_VMOVP_DB;
		out[3] = CMD_VMOVP_DEFAULT_DB(in);
	}

	return verdict;
}

/* IHI 0069, ITS commands: VINVALL */
static enum pkvm_its_verdict do_vinvall(const struct hyp_its *its, const u64 *in, u64 *out)
{
	out[0] = GITS_CMD_VINVALL;
	out[1] = CMD_VPE(CMD_VPEID(in));

	return check_mapped_vpe(its, in);
}

/* IHI 0069, ITS commands: VSYNC. The driver sends it behind the VMAPP that unmaps, too. */
static enum pkvm_its_verdict do_vsync(const struct hyp_its *its, const u64 *in, u64 *out)
{
	struct hyp_vpe *vpe = lock_vpe(its, in);
	struct hyp_vpe_map *map;
	bool used;

	if (!vpe)
		return PKVM_ITS_REFUSED_BAD_VPE;

	map = &vpe->maps[its->id];
	used = map->state != HYP_VPE_UNUSED;
	if (map->state == HYP_VPE_UNMAPPED && !its_may_be_lost(its, map->at)) {
		map->state = HYP_VPE_SYNCED;
		map->at = its->nr_committed;
	}
	hyp_spin_unlock(&vpe->lock);

	out[0] = GITS_CMD_VSYNC;
	out[1] = CMD_VPE(CMD_VPEID(in));

	return used ? PKVM_ITS_ACCEPTED : PKVM_ITS_REFUSED_NOT_MAPPED;
}

/* IHI 0069, ITS commands: INVDB (GICv4.1) */
static enum pkvm_its_verdict do_invdb(const struct hyp_its *its, const u64 *in, u64 *out)
{
	if (!its_is_v4_1(its))
		return PKVM_ITS_REFUSED_NOT_SUPPORTED;

	out[0] = GITS_CMD_INVDB;
	out[1] = CMD_VPE(CMD_VPEID(in));

	return check_mapped_vpe(its, in);
}

/* IHI 0069, ITS commands: VSGI (GICv4.1). There is no vINTID in four bits but those of SGIs. */
static enum pkvm_its_verdict do_vsgi(const struct hyp_its *its, const u64 *in, u64 *out)
{
	if (!its_is_v4_1(its))
		return PKVM_ITS_REFUSED_NOT_SUPPORTED;

	out[0] = GITS_CMD_VSGI | (in[0] & CMD_VSGI_MASK);
	out[1] = CMD_VPE(CMD_VPEID(in));

	return check_mapped_vpe(its, in);
}

/* Out of line: commands that are not for vPEs are quicker without its registers to save. */
static noinline enum pkvm_its_verdict translate_vcmd(struct hyp_its *its, const u64 *in, u64 *out)
{
	if (!its->vpes || !vpes_are_supported())
		return PKVM_ITS_REFUSED_NOT_SUPPORTED;

	switch (CMD_NR(in)) {
	case GITS_CMD_VMAPP:
		return do_vmapp(its, in, out);
	case GITS_CMD_VMAPTI:
	case GITS_CMD_VMOVI:
		return do_vmap_event(its, in, out);
	case GITS_CMD_VMOVP:
		return do_vmovp(its, in, out);
	case GITS_CMD_VINVALL:
		return do_vinvall(its, in, out);
	case GITS_CMD_VSYNC:
		return do_vsync(its, in, out);
	case GITS_CMD_INVDB:
		return do_invdb(its, in, out);
	case GITS_CMD_VSGI:
		return do_vsgi(its, in, out);
	default:
		return PKVM_ITS_REFUSED_NOT_SUPPORTED;
	}
}

/**
 * its_translate_cmd - decode and check a command, and encode it anew
 * @its: the ITS
 * @in: EL2's copy of the host's command
 * @out: the command for the hardware. Zeroed by the caller, undefined if @in is refused
 *
 * MAPI and MOVALL, which the driver never sends, are refused as commands that do not exist are.
 * What EL2 knows of the devices changes as if the hardware had executed @out.
 *
 * Context: hyp_its::lock held.
 * Return: PKVM_ITS_ACCEPTED (0), or why the command is refused.
 */
enum pkvm_its_verdict its_translate_cmd(struct hyp_its *its, const u64 *in, u64 *out)
{
	switch (CMD_NR(in)) {
	case GITS_CMD_MAPD:
		return do_mapd(its, in, out);
	case GITS_CMD_MAPC:
		return do_mapc(its, in, out);
	case GITS_CMD_MAPTI:
	case GITS_CMD_MOVI:
		return do_map_event(its, in, out);
	case GITS_CMD_CLEAR:
	case GITS_CMD_DISCARD:
	case GITS_CMD_INT:
	case GITS_CMD_INV:
		return do_event(its, in, out);
	case GITS_CMD_INVALL:
		return do_invall(its, in, out);
	case GITS_CMD_SYNC:
		return do_sync(its, in, out);
	default:
		return CMD_IS_GICV4(in) ? translate_vcmd(its, in, out) :
					  PKVM_ITS_REFUSED_UNKNOWN_COMMAND;
	}
}
