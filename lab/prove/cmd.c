// SPDX-License-Identifier: GPL-2.0-only
/*
 * its-cmd.c: every command that the host can write, against any state of two devices.
 *
 * Proved: what is accepted has no bit set that the architecture does not define for the
 * command (IHI 0069, ITS commands; the masks are taken from there, not from the code);
 * no command is accepted that the driver never sends to a GICv3;
 * each RDbase is known, each ITT is that of the record; ICID, EventID and INTID are in range;
 * a device goes from prepared to mapped to unmapped and nowhere else; what is refused changes
 * nothing.
 *
 * Assumed, and why that holds:
 *  - the records are those of its_init_device(): @event_bits from 1 to 16, an ITT aligned to
 *    256 bytes below 2^52 (prove_prepare());
 *  - the number of events is that of the bits that are set, as far as one bit shows. It is
 *    zero and so are all bits in a new record (its_init_device()); that a bit and the number
 *    only change together, by one, is proved here;
 *  - the ITS has no vPEs, so that commands for virtual LPIs are refused: prove_vcmd has those;
 *  - there are 4 DeviceIDs and 3 RDbases at most. The code compares with these numbers, and
 *    its only loop halves an interval. RDbases have any bits, in any order.
 */

#include <its-cmd.c>

#include "encoding.h"

PROVE_NO_WARN

/* Words of the map of events that a harness has memory for */
#define NR_WORDS	2
#define FOLD(event_id)	((event_id) % (NR_WORDS * 64))

static bool folds;

/*
 * An index is clamped only behind its check. An EventID is checked against the size of the
 * device, and is then folded to the two words that stand for all of the map.
 */
u64 array_index_nospec(u64 index, u64 size)
{
	prove(index < size, "an index is checked before it is clamped");
	return folds && size > NR_WORDS * 64 ? FOLD(index) : index;
}

/* Commands for vPEs are refused before one is looked up. */
struct hyp_vpe *vpe_get(u64 vpeid)
{
	prove(false, "no command for vPEs is translated");
	return NULL;
}

#define NR_DEVICES	4
#define NR_RDBASES	3

static struct hyp_its its;
static struct hyp_its_table table;
static u64 rdbases[NR_RDBASES];
/* The records of all DeviceIDs; if there are level-2 pages, each is for two */
static struct hyp_its_device *devices[NR_DEVICES];
static __le64 level1[NR_DEVICES / 2];

struct device_memory {
	struct hyp_its_device device;
	u64 events[NR_WORDS];
};

static struct device_memory memory_a, memory_b;

struct device_memory nondet_device_memory(void);

struct hyp_its nondet_its(void);

void *hyp_phys_to_virt(phys_addr_t phys)
{
	unsigned int i = phys - table.page_size == (level1[1] & ~GITS_BASER_VALID);

	prove(level1[i] & GITS_BASER_VALID, "records are looked for behind valid pages alone");
	prove(phys - table.page_size == (level1[i] & ~GITS_BASER_VALID),
	      "records are looked for behind level-2 pages");

	return &devices[2 * i];
}

u64 mem_read_once(const volatile void *from, size_t size)
{
	prove(false, "its-cmd.c reads no memory of the host");
	return 0;
}

static void any_device(struct device_memory *memory)
{
	struct hyp_its_device *device = &memory->device;

	*memory = nondet_device_memory();
	assume(!(device->itt & ~GENMASK_ULL(51, 8)));
	assume((u32)device->state <= HYP_ITS_DEVICE_UNMAPPED);
	assume(device->event_bits >= 1 && device->event_bits <= ITS_STAGING_MAX_EVENT_BITS);
	assume(device->nr_events <= BIT(device->event_bits));
}

static void any_its(void)
{
	unsigned int i;

	its = nondet_its();
	its.vpes = NULL;
	assume(its.nr_devices >= 1 && its.nr_devices <= NR_DEVICES);
	assume(its.nr_icids <= SZ_64K);
	assume(its.nr_lpis <= BIT(24));
	assume(its.nr_rdbases >= 1 && its.nr_rdbases <= NR_RDBASES);
	its.rdbases = rdbases;
	for (i = 0; i < NR_RDBASES; i++)
		rdbases[i] = nondet_u64();

	its.flat_records = nondet_bool() ? devices : NULL;
	its.devices = &table;
	table.ids_shift = 1;
	table.level1 = level1;
	table.page_size = SZ_4K << (2 * (nondet_u8() % 3));
	for (i = 0; i < 2; i++) {
		level1[i] = nondet_u64();
		assume(!(level1[i] & ~(GITS_BASER_VALID | GENMASK_ULL(51, 12))));
	}
	assume((level1[0] ^ level1[1]) & GENMASK_ULL(51, 12));
}

/* The record of a device, found in the plainest way; NULL if there is none */
static struct hyp_its_device *record(u64 dev_id)
{
	if (dev_id >= its.nr_devices)
		return NULL;

	if (!its.flat_records && !(level1[dev_id / 2] & GITS_BASER_VALID))
		return NULL;

	return devices[dev_id];
}

void prove_cmd(void)
{
	u64 in[4] = { nondet_u64(), nondet_u64(), nondet_u64(), nondet_u64() }, out[4] = {};
	u64 nr = in[0] & 0xff, event = 0, word = 0, bit = 0, other, other_was;
	struct hyp_its_device *bystander = &memory_b.device, *device;
	struct hyp_its_device before = {}, bystander_was;
	enum pkvm_its_verdict verdict;
	u64 was_rdbase, was_entry, *events = memory_a.events;
	unsigned int id = nondet_u8() % NR_DEVICES, i;

	any_its();
	folds = true;
	any_device(&memory_a);
	any_device(&memory_b);
	if (nondet_bool())
		devices[id] = &memory_a.device;
	devices[(id + 1 + nondet_u8() % (NR_DEVICES - 1)) % NR_DEVICES] = bystander;
	assume(in[0] >> 32 >= NR_DEVICES || devices[in[0] >> 32] != bystander);

	device = record(in[0] >> 32);
	if (device) {
		before = *device;
		/* One bit that the command may be about, and any other word of the map */
		event = FOLD(in[1] & (BIT(device->event_bits) - 1));
		word = events[event / 64];
		bit = BIT_ULL(event % 64);
		assume(!(word & bit) || device->nr_events);
		assume((word & bit) || device->nr_events < BIT(device->event_bits));
		other = nondet_u8() % NR_WORDS;
		other_was = events[other];
	}
	bystander_was = *bystander;
	const struct hyp_its its_was = its;

	i = nondet_u8() % 2;
	was_entry = level1[i];
	was_rdbase = rdbases[i];

	verdict = its_translate_cmd(&its, in, out);

	reach(!verdict && nr == 0x08 && (out[2] & VALID));
	reach(!verdict && nr == 0x08 && !(out[2] & VALID));
	reach(!verdict && nr == 0x09 && (out[2] & VALID));
	reach(!verdict && nr == 0x0a && !its.flat_records);
	reach(!verdict && nr == 0x01);
	reach(!verdict && nr == 0x0f && device->nr_events < before.nr_events);
	reach(verdict == PKVM_ITS_REFUSED_EVENTS_MAPPED && nr == 0x08);
	reach(verdict == PKVM_ITS_REFUSED_EVENTS_MAPPED && nr == 0x0a);

	prove(verdict < PKVM_ITS_NR_VERDICTS, "the verdict has a counter");
	prove(its.nr_devices == its_was.nr_devices && its.nr_icids == its_was.nr_icids &&
	      its.nr_lpis == its_was.nr_lpis && its.nr_rdbases == its_was.nr_rdbases &&
	      its.rdbases == its_was.rdbases && its.devices == its_was.devices &&
	      its.flat_records == its_was.flat_records && its.nr_done == its_was.nr_done &&
	      its.nr_committed == its_was.nr_committed &&
	      its.nr_synced == its_was.nr_synced && its.lost_from == its_was.lost_from &&
	      its.lost_to == its_was.lost_to,
	      "no command changes the ITS's limits, tables or queue");
	prove(level1[i] == was_entry && rdbases[i] == was_rdbase,
	      "no command changes level-1 entries or RDbases");
	prove(bystander->itt == bystander_was.itt && bystander->state == bystander_was.state &&
	      bystander->event_bits == bystander_was.event_bits &&
	      bystander->nr_events == bystander_was.nr_events &&
	      bystander->unmapped_at == bystander_was.unmapped_at,
	      "no command changes another device");

	if (device) {
		prove(device->itt == before.itt && device->event_bits == before.event_bits,
		      "no command changes where a device's memory is");
		prove(other == event / 64 || events[other] == other_was,
		      "no command changes another word of the map of events");
		prove(!((events[event / 64] ^ word) & ~bit),
		      "no command changes another event");
	}

	if (verdict) {
		prove(!device || (device->state == before.state &&
				  device->nr_events == before.nr_events &&
				  device->unmapped_at == before.unmapped_at &&
				  device->discarded_at == before.discarded_at &&
				  events[event / 64] == word),
		      "what is refused changes nothing");
		return;
	}

	prove((out[0] & 0xff) == nr, "a command does not become another one");
	prove(has_only_defined_bits(out), "no RES0 bit and no unknown command is encoded");

	if (names_device(nr)) {
		prove(device && out[0] >> 32 == in[0] >> 32, "the device has a record");
	} else {
		prove(!device || (device->state == before.state &&
				  device->nr_events == before.nr_events &&
				  events[event / 64] == word),
		      "a command that names no device changes none");
	}

	if (nr == 0x08) {
		prove((out[2] & GENMASK_ULL(51, 8)) == device->itt &&
		      out[1] == device->event_bits - 1, "MAPD has ITT and size of the record");
		prove((out[2] & VALID) == (in[2] & VALID), "MAPD does what the host wants");
		if (out[2] & VALID) {
			prove(before.state == HYP_ITS_DEVICE_PREPARED &&
			      device->state == HYP_ITS_DEVICE_MAPPED,
			      "only what is prepared gets mapped");
			prove((in[2] & GENMASK_ULL(51, 8)) == device->itt &&
			      (in[1] & GENMASK_ULL(4, 0)) == device->event_bits - 1,
			      "a device gets mapped with the ITT and size that the host names");
		} else {
			prove(before.state == HYP_ITS_DEVICE_MAPPED &&
			      device->state == HYP_ITS_DEVICE_UNMAPPED && !before.nr_events,
			      "only what is mapped, with no events, gets unmapped");
			prove(device->unmapped_at == its.nr_committed,
			      "the unmap has the number of its command");
		}
	} else if (names_device(nr)) {
		prove(before.state == HYP_ITS_DEVICE_MAPPED && device->state == before.state,
		      "events are those of devices that are mapped");
		prove((out[1] & LOW) < BIT(device->event_bits), "the EventID is in range");
		prove((out[1] & LOW) == (in[1] & LOW), "the EventID is the host's");
		if (nr == 0x0a)
			prove(!(word & bit) && (events[event / 64] & bit) &&
			      device->nr_events == before.nr_events + 1,
			      "an event gets mapped once, and counts once");
		else if (nr == 0x0f)
			prove(!(events[event / 64] & bit) &&
			      device->nr_events == before.nr_events - !!(word & bit),
			      "an event that is discarded counts no more");
		else
			prove(events[event / 64] == word &&
			      device->nr_events == before.nr_events,
			      "other commands map no event");
	}

	if (nr == 0x0a)
		prove(out[1] >> 32 >= 8192 && out[1] >> 32 < its.nr_lpis, "MAPTI: an LPI in range");
	if (nr == 0x0a || nr == 0x01 || nr == 0x09 || nr == 0x0d)
		prove((out[2] & ICID) < its.nr_icids, "the ICID is in range");
	if (nr == 0x05 || (nr == 0x09 && (out[2] & VALID)))
		prove(is_rdbase(&its, out[2] & RDBASE), "the RDbase is known");
}

/* The memory that its_staging_itt_size() has for record and map is enough for each EventID. */
void prove_event_memory(void)
{
	u64 event_id = nondet_u32(), event_bits = nondet_u32(), size;
	struct hyp_its_device *device;

	assume(event_bits >= 1 && event_bits <= ITS_STAGING_MAX_EVENT_BITS);
	assume(event_id < BIT(event_bits));
	size = ITS_STAGING_RECORD_SIZE + its_staging_events_size(event_bits);
	device = malloc(size);
	assume(device);
	device->event_bits = event_bits;

	its_set_event(device, event_id, nondet_bool());

	reach(event_id == 65535);
	reach(event_bits == 1);
}
