// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of a confined GICv3 ITS: copy, decode, validate, take ownership, encode.
 *
 * The host writes commands to a staging queue. EL2 walks it when the host writes
 * GITS_CWRITER, and puts a command made from the fields it understood into the queue
 * that the hardware reads, in the same slot: CREADR tells the host what it would tell
 * without EL2. A command that is refused becomes a SYNC, as the architecture lets an
 * ITS ignore a command with an error (IHI 0069, Command errors).
 *
 * Everything in staging memory may change at any time: it is read once.
 *
 * The caller serialises all calls for a queue.
 */

#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/string.h>

#include <nvhe/its-cmd.h>

#define CMD_NR(c)		FIELD_GET(GENMASK_ULL(7, 0), (c)[0])
#define CMD_DEVICE_ID(c)	FIELD_GET(GENMASK_ULL(63, 32), (c)[0])
#define CMD_EVENT_ID(c)		FIELD_GET(GENMASK_ULL(31, 0), (c)[1])
#define CMD_INTID(c)		FIELD_GET(GENMASK_ULL(63, 32), (c)[1])
#define CMD_SIZE(c)		FIELD_GET(GENMASK_ULL(4, 0), (c)[1])
#define CMD_ICID(c)		FIELD_GET(GENMASK_ULL(15, 0), (c)[2])
#define CMD_ITT_MASK		GENMASK_ULL(51, 8)
#define CMD_RDBASE_MASK		GENMASK_ULL(51, 16)
#define CMD_VALID		BIT_ULL(63)

#define CMD_DEVICE(nr, id)	((nr) | FIELD_PREP(GENMASK_ULL(63, 32), (u64)(id)))

#define LPI_BASE		8192

/*
 * How many slots may hold what the hardware has executed, as far as EL2 knows, before it
 * looks at GITS_CREADR: bounds what an entry scrubs on behalf of those before it, and makes
 * the reads of the register cheap.
 */
#define REAP_SLOTS	64

/*
 * The record of a mapped device: where its ITT is, and how large. The ITT's alignment
 * leaves the low bits free. The same format says in a queue slot what to release.
 */
#define RECORD_ITT		GENMASK_ULL(63, 8)
#define RECORD_VALID		BIT_ULL(7)
#define RECORD_EVENT_BITS	GENMASK_ULL(5, 0)

/*
 * Records are kept in a tree of three levels, like a page-table's: it takes the same
 * time to find one whatever the number of devices. The host provides the pages of the
 * lower two levels as it needs them.
 */
#define RECORDS_PER_PAGE	BIT(PKVM_ITS_RECORD_SHIFT)
#define RECORD_TOP(id)		((id) >> (2 * PKVM_ITS_RECORD_SHIFT))
#define RECORD_MID(id)		(((id) >> PKVM_ITS_RECORD_SHIFT) & (RECORDS_PER_PAGE - 1))
#define RECORD_LEAF(id)		((id) & (RECORDS_PER_PAGE - 1))

/**
 * its_cmd_itt_size - size of an ITT
 * @q: the queue
 * @event_bits: number of EventID bits, at most ITS_CMD_MAX_EVENT_BITS
 *
 * Return: bytes.
 */
u64 its_cmd_itt_size(const struct its_cmd_queue *q, u32 event_bits)
{
	return ALIGN((u64)q->itt_entry_size << event_bits, ITS_CMD_ITT_GRANULE);
}

static void release_record(struct its_cmd_queue *q, u64 record)
{
	q->ops->release_itt(q, record & RECORD_ITT,
			    its_cmd_itt_size(q, FIELD_GET(RECORD_EVENT_BITS, record)));
}

static u64 *find_record(const struct its_cmd_queue *q, u64 dev_id)
{
	u64 **mid, *leaf;

	if (dev_id >= q->devices.nr_ids)
		return NULL;

	dev_id = array_index_nospec(dev_id, q->devices.nr_ids);
	mid = q->records[RECORD_TOP(dev_id)];
	if (!mid)
		return NULL;

	leaf = mid[RECORD_MID(dev_id)];

	return leaf ? &leaf[RECORD_LEAF(dev_id)] : NULL;
}

/**
 * its_cmd_has_record - tell whether there is room for a device's record
 * @q: the queue
 * @dev_id: DeviceID
 *
 * Return: true if MAPD of @dev_id does not want for memory.
 */
bool its_cmd_has_record(struct its_cmd_queue *q, u64 dev_id)
{
	return find_record(q, dev_id);
}

/**
 * its_cmd_add_record_page - add a page to the device records
 * @q: the queue
 * @dev_id: the DeviceID whose record is wanted; in range, and its_cmd_has_record() says that
 *	    there is none. More than one page may be needed for it.
 * @page: a zeroed page, which is the queue's from now on
 */
void its_cmd_add_record_page(struct its_cmd_queue *q, u64 dev_id, void *page)
{
	u64 ***mid;

	dev_id = array_index_nospec(dev_id, q->devices.nr_ids);
	mid = &q->records[RECORD_TOP(dev_id)];

	if (*mid)
		(*mid)[RECORD_MID(dev_id)] = page;
	else
		*mid = page;
}

/**
 * its_cmd_pop_record_page - take a page from the device records
 * @q: the queue, without mapped devices
 *
 * Return: a page, zeroed, or NULL if there is none left.
 */
void *its_cmd_pop_record_page(struct its_cmd_queue *q)
{
	u64 top, mid, nr = pkvm_its_records_size(q->devices.nr_ids) / sizeof(u64);
	void *page;

	for (top = 0; top < nr; top++) {
		if (!q->records[top])
			continue;

		for (mid = 0; mid < RECORDS_PER_PAGE; mid++) {
			page = q->records[top][mid];
			if (page) {
				q->records[top][mid] = NULL;
				return page;
			}
		}

		page = q->records[top];
		q->records[top] = NULL;
		return page;
	}

	return NULL;
}

/**
 * its_cmd_map_device - record a device that was mapped before the hand-over
 * @q: the queue
 * @dev_id: DeviceID
 * @event_bits: number of EventID bits
 * @itt: physical address of the ITT. Taken already, and not zeroed
 *
 * Return: 0, or -EINVAL.
 */
int its_cmd_map_device(struct its_cmd_queue *q, u32 dev_id, u32 event_bits, phys_addr_t itt)
{
	u64 *record = find_record(q, dev_id);

	if (!record || *record || !event_bits || event_bits > q->event_bits)
		return -EINVAL;

	*record = itt | RECORD_VALID | FIELD_PREP(RECORD_EVENT_BITS, event_bits);

	return 0;
}

/**
 * its_cmd_unmap_devices - forget all devices, and release their ITTs
 * @q: the queue
 *
 * For a hand-over that is being undone.
 */
void its_cmd_unmap_devices(struct its_cmd_queue *q)
{
	u64 id, *record;

	for (id = 0; id < q->devices.nr_ids; id++) {
		record = find_record(q, id);
		if (!record) {
			id |= RECORDS_PER_PAGE - 1;
			continue;
		}

		if (*record)
			release_record(q, *record);

		*record = 0;
	}
}

/**
 * its_cmd_check_level2 - check a level-1 table entry
 * @table: the table it is from
 * @entry: the entry, which is valid
 * @phys: set to the physical address of the level-2 page
 *
 * A level-1 entry has bits [51:N] of the address, with N following from the ITS's page
 * size; what is below is RES0 (IHI 0069, ITS tables). It is not the format of
 * GITS_BASER<n>, which folds bits [51:48] with pages of 64K.
 *
 * Return: 0, or -EINVAL if bits are set that must not be.
 */
int its_cmd_check_level2(const struct its_cmd_table *table, u64 entry, phys_addr_t *phys)
{
	entry &= ~GITS_BASER_VALID;

	if (!IS_ALIGNED(entry, table->psz) || entry & ~GENMASK_ULL(51, 12))
		return -EINVAL;

	*phys = entry;

	return 0;
}

/* Where the level-1 entry for @id is, which is in the table's range */
static u64 level1_index(const struct its_cmd_table *table, u64 id)
{
	return array_index_nospec(id, table->nr_ids) >> table->ids_shift;
}

/*
 * What the host has in the way of a level-2 page for @id, if one has to be taken.
 * Returns a reason to refuse the command, or 0 with @phys set if there is a page to take.
 */
static enum pkvm_its_stat find_level2(struct its_cmd_table *table, u64 id, phys_addr_t *phys,
				      bool *missing)
{
	u64 idx, entry;

	*missing = false;

	if (!table->l1)
		return 0;

	idx = level1_index(table, id);
	if (le64_to_cpu(table->l1[idx]) & GITS_BASER_VALID)
		return 0;

	entry = le64_to_cpu(READ_ONCE(table->staging[idx]));
	if (!(entry & GITS_BASER_VALID) || its_cmd_check_level2(table, entry, phys))
		return PKVM_ITS_REFUSED_BAD_LEVEL2;

	*missing = true;

	return 0;
}

static enum pkvm_its_stat take_level2(struct its_cmd_queue *q, struct its_cmd_table *table,
				      u64 id, phys_addr_t phys)
{
	__le64 *entry = &table->l1[level1_index(table, id)];
	int ret;

	ret = q->ops->take_page(q, phys, table->psz);
	if (ret)
		return ret == -ENOMEM ? PKVM_ITS_REFUSED_NO_MEMORY : PKVM_ITS_REFUSED_BAD_LEVEL2;

	WRITE_ONCE(*entry, cpu_to_le64(phys | GITS_BASER_VALID));
	if (table->nc)
		q->ops->clean(entry, sizeof(*entry));

	return 0;
}

static bool rdbase_is_known(const struct its_cmd_queue *q, u64 rdbase)
{
	u32 left = 0, right = q->nr_rdbases;

	while (left < right) {
		u32 mid = left + (right - left) / 2;

		if (q->rdbases[mid] == rdbase)
			return true;

		if (q->rdbases[mid] < rdbase)
			left = mid + 1;
		else
			right = mid;
	}

	return false;
}

static enum pkvm_its_stat check_event(const struct its_cmd_queue *q, const u64 *in)
{
	u64 *record;

	if (CMD_DEVICE_ID(in) >= q->devices.nr_ids)
		return PKVM_ITS_REFUSED_BAD_DEVICE;

	record = find_record(q, CMD_DEVICE_ID(in));
	if (!record || !*record)
		return PKVM_ITS_REFUSED_NOT_MAPPED;

	if (CMD_EVENT_ID(in) >> FIELD_GET(RECORD_EVENT_BITS, *record))
		return PKVM_ITS_REFUSED_BAD_EVENT;

	return 0;
}

static enum pkvm_its_stat check_icid(const struct its_cmd_queue *q, const u64 *in)
{
	return CMD_ICID(in) < q->nr_icids ? 0 : PKVM_ITS_REFUSED_BAD_ICID;
}

static enum pkvm_its_stat check_intid(const struct its_cmd_queue *q, u64 intid)
{
	return intid >= LPI_BASE && intid < q->nr_lpis ? 0 : PKVM_ITS_REFUSED_BAD_INTID;
}

/*
 * One function a command or family of commands. @in is EL2's copy of the command. They
 * fill in @out, which is zeroed, and @release if the command has memory to give back,
 * and return 0 or a reason to refuse.
 */

/* IHI 0069, ITS commands: MAPD */
static enum pkvm_its_stat do_mapd(struct its_cmd_queue *q, const u64 *in, u64 *out, u64 *release)
{
	phys_addr_t level2, itt = in[2] & CMD_ITT_MASK;
	u32 event_bits = CMD_SIZE(in) + 1;
	u32 dev_id = CMD_DEVICE_ID(in);
	enum pkvm_its_stat reason;
	bool missing;
	u64 *record;
	int ret;

	if (dev_id >= q->devices.nr_ids)
		return PKVM_ITS_REFUSED_BAD_DEVICE;

	record = find_record(q, dev_id);
	out[0] = CMD_DEVICE(GITS_CMD_MAPD, dev_id);

	if (!(in[2] & CMD_VALID)) {
		if (!record || !*record)
			return PKVM_ITS_REFUSED_NOT_MAPPED;

		*release = *record;
		*record = 0;
		return 0;
	}

	if (!record)
		return PKVM_ITS_REFUSED_NO_MEMORY;

	if (event_bits > q->event_bits)
		return PKVM_ITS_REFUSED_BAD_SIZE;

	reason = find_level2(&q->devices, dev_id, &level2, &missing);
	if (reason)
		return reason;

	ret = q->ops->take_itt(q, itt, its_cmd_itt_size(q, event_bits));
	if (ret == -EBUSY)
		return PKVM_ITS_REFUSED_ITT_BUSY;
	if (ret == -ENOMEM)
		return PKVM_ITS_REFUSED_NO_MEMORY;
	if (ret)
		return PKVM_ITS_REFUSED_BAD_ITT;

	if (missing) {
		reason = take_level2(q, &q->devices, dev_id, level2);
		if (reason) {
			q->ops->release_itt(q, itt, its_cmd_itt_size(q, event_bits));
			return reason;
		}
	}

	*release = *record;
	*record = itt | RECORD_VALID | FIELD_PREP(RECORD_EVENT_BITS, event_bits);

	out[1] = event_bits - 1;
	out[2] = CMD_VALID | itt;

	return 0;
}

/* IHI 0069, ITS commands: MAPC */
static enum pkvm_its_stat do_mapc(struct its_cmd_queue *q, const u64 *in, u64 *out)
{
	u64 rdbase = in[2] & CMD_RDBASE_MASK;
	enum pkvm_its_stat reason;
	phys_addr_t level2;
	bool missing;

	reason = check_icid(q, in);
	if (reason)
		return reason;

	out[0] = GITS_CMD_MAPC;
	out[2] = CMD_ICID(in);

	if (!(in[2] & CMD_VALID))
		return 0;

	if (!rdbase_is_known(q, rdbase))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	if (CMD_ICID(in) >= q->nr_hw_icids) {
		reason = find_level2(&q->collections, CMD_ICID(in), &level2, &missing);
		if (!reason && missing)
			reason = take_level2(q, &q->collections, CMD_ICID(in), level2);
		if (reason)
			return reason;
	}

	out[2] |= CMD_VALID | rdbase;

	return 0;
}

/* IHI 0069, ITS commands: MAPTI, MAPI and MOVI */
static enum pkvm_its_stat do_map_event(struct its_cmd_queue *q, const u64 *in, u64 *out)
{
	enum pkvm_its_stat reason;

	reason = check_event(q, in);
	if (!reason)
		reason = check_icid(q, in);
	if (!reason && CMD_NR(in) == GITS_CMD_MAPTI)
		reason = check_intid(q, CMD_INTID(in));
	if (!reason && CMD_NR(in) == GITS_CMD_MAPI)
		reason = check_intid(q, CMD_EVENT_ID(in));
	if (reason)
		return reason;

	out[0] = CMD_DEVICE(CMD_NR(in), CMD_DEVICE_ID(in));
	out[1] = CMD_EVENT_ID(in);
	if (CMD_NR(in) == GITS_CMD_MAPTI)
		out[1] |= FIELD_PREP(GENMASK_ULL(63, 32), CMD_INTID(in));
	out[2] = CMD_ICID(in);

	return 0;
}

/* IHI 0069, ITS commands: CLEAR, DISCARD, INT and INV */
static enum pkvm_its_stat do_event(struct its_cmd_queue *q, const u64 *in, u64 *out)
{
	enum pkvm_its_stat reason;

	reason = check_event(q, in);
	if (reason)
		return reason;

	out[0] = CMD_DEVICE(CMD_NR(in), CMD_DEVICE_ID(in));
	out[1] = CMD_EVENT_ID(in);

	return 0;
}

/* IHI 0069, ITS commands: INVALL */
static enum pkvm_its_stat do_invall(struct its_cmd_queue *q, const u64 *in, u64 *out)
{
	out[0] = GITS_CMD_INVALL;
	out[2] = CMD_ICID(in);

	return check_icid(q, in);
}

/* IHI 0069, ITS commands: MOVALL */
static enum pkvm_its_stat do_movall(struct its_cmd_queue *q, const u64 *in, u64 *out)
{
	u64 from = in[2] & CMD_RDBASE_MASK, to = in[3] & CMD_RDBASE_MASK;

	if (!rdbase_is_known(q, from) || !rdbase_is_known(q, to))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	out[0] = GITS_CMD_MOVALL;
	out[2] = from;
	out[3] = to;

	return 0;
}

/* IHI 0069, ITS commands: SYNC */
static enum pkvm_its_stat do_sync(struct its_cmd_queue *q, const u64 *in, u64 *out)
{
	u64 rdbase = in[2] & CMD_RDBASE_MASK;

	if (!rdbase_is_known(q, rdbase))
		return PKVM_ITS_REFUSED_BAD_RDBASE;

	out[0] = GITS_CMD_SYNC;
	out[2] = rdbase;

	return 0;
}

static enum pkvm_its_stat do_command(struct its_cmd_queue *q, const u64 *in, u64 *out, u64 *release)
{
	switch (CMD_NR(in)) {
	case GITS_CMD_MAPD:
		return do_mapd(q, in, out, release);
	case GITS_CMD_MAPC:
		return do_mapc(q, in, out);
	case GITS_CMD_MAPTI:
	case GITS_CMD_MAPI:
	case GITS_CMD_MOVI:
		return do_map_event(q, in, out);
	case GITS_CMD_CLEAR:
	case GITS_CMD_DISCARD:
	case GITS_CMD_INT:
	case GITS_CMD_INV:
		return do_event(q, in, out);
	case GITS_CMD_INVALL:
		return do_invall(q, in, out);
	case GITS_CMD_MOVALL:
		return do_movall(q, in, out);
	case GITS_CMD_SYNC:
		return do_sync(q, in, out);
	case GITS_CMD_VMAPP:
	case GITS_CMD_VMAPTI:
	case GITS_CMD_GICv4(GITS_CMD_MAPI):
	case GITS_CMD_VMOVI:
	case GITS_CMD_VMOVP:
	case GITS_CMD_VSYNC:
	case GITS_CMD_VINVALL:
	case GITS_CMD_VSGI:
	case GITS_CMD_INVDB:
		return PKVM_ITS_REFUSED_NOT_SUPPORTED;
	default:
		return PKVM_ITS_REFUSED_UNKNOWN_COMMAND;
	}
}

static u32 slots_between(const struct its_cmd_queue *q, u32 from, u32 to)
{
	return to >= from ? to - from : to + q->nr_cmds - from;
}

static u32 next_slot(const struct its_cmd_queue *q, u32 slot)
{
	return slot + 1 == q->nr_cmds ? 0 : slot + 1;
}

/*
 * An ITS that loses power and gets its registers back may execute once more what it finds
 * in the queue, whatever has become of the memory that is named there. A SYNC names none.
 * Each command passes through here: the loop takes seven instructions.
 */
static void scrub_slots(struct its_cmd_queue *q, u32 from, u32 to)
{
	const struct its_cmd_block sync = {
		.raw_le = { cpu_to_le64(GITS_CMD_SYNC), 0, cpu_to_le64(q->rdbases[0]), 0 },
	};
	struct its_cmd_block *start = q->committed, *end = start + q->nr_cmds;
	struct its_cmd_block *slot = start + from;

	while (slot != start + to) {
		*slot = sync;
		slot = slot + 1 == end ? start : slot + 1;
	}

	for (; q->queue_nc && from != to; from = next_slot(q, from))
		q->ops->clean(start + from, sizeof(sync));
}

/**
 * its_cmd_reap - scrub commands that have been executed, and release their memory
 * @q: the queue
 *
 * A command counts as executed when GITS_CREADR has passed it, which is what the host's
 * driver goes by before it uses the memory again. What its_cmd_queue::release_budget does
 * not cover is left for the next time. Memory is released when no slot names it any more.
 *
 * Context: calls for a queue are serialised.
 */
void its_cmd_reap(struct its_cmd_queue *q)
{
	u32 offset, slot;

	if (!q->ops->read_creadr(q, &offset))
		return;

	slot = offset / sizeof(struct its_cmd_block);
	if (slot >= q->nr_cmds ||
	    slots_between(q, q->done, slot) > slots_between(q, q->done, q->next))
		return;

	while (q->nr_releases && q->done != slot) {
		u64 record = q->releases[q->done];
		u64 size = 0;

		if (record)
			size = its_cmd_itt_size(q, FIELD_GET(RECORD_EVENT_BITS, record));
		if (size > q->release_budget)
			return;

		scrub_slots(q, q->done, next_slot(q, q->done));
		if (record) {
			q->release_budget -= size;
			release_record(q, record);
			q->releases[q->done] = 0;
			q->nr_releases--;
		}

		q->done = next_slot(q, q->done);
	}

	scrub_slots(q, q->done, slot);
	q->done = slot;
}

/**
 * its_cmd_start - begin with a queue that somebody else has used
 * @q: the queue; the hardware's read and write pointers are both at @slot
 * @slot: where the next command goes to
 *
 * All of it counts as committed and not known to have been executed: the first entry that
 * looks at GITS_CREADR scrubs it. Takes constant time.
 */
void its_cmd_start(struct its_cmd_queue *q, u32 slot)
{
	scrub_slots(q, slot, next_slot(q, slot));
	q->next = slot;
	q->done = next_slot(q, slot);
}

/**
 * its_cmd_reset - start over with an empty queue
 * @q: the queue; the hardware's read and write pointers are both zero
 *
 * Commands that were committed but not executed never will be. If one of them was to
 * unmap a device, then the hardware still has the device mapped: its ITT stays with EL2
 * for good. No slot holds anything but a SYNC then.
 */
void its_cmd_reset(struct its_cmd_queue *q)
{
	scrub_slots(q, q->done, q->next);
	while (q->done != q->next) {
		q->releases[q->done] = 0;
		q->done = next_slot(q, q->done);
	}

	q->nr_releases = 0;
	q->next = 0;
	q->done = 0;
}

static void commit(struct its_cmd_queue *q, const u64 *cmd)
{
	struct its_cmd_block *slot = &q->committed[q->next];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slot->raw_le); i++)
		slot->raw_le[i] = cpu_to_le64(cmd[i]);

	if (q->queue_nc)
		q->ops->clean(slot, sizeof(*slot));

	q->next = next_slot(q, q->next);
}

/* Wait until the hardware has executed all that is committed, or time is up. */
static void wait_and_release(struct its_cmd_queue *q)
{
	q->ops->write_cwriter(q, q->next * sizeof(struct its_cmd_block));

	do {
		its_cmd_reap(q);
		if (!q->nr_releases)
			return;
	} while (q->ops->wait(q));

	q->stats[PKVM_ITS_DEFERRED]++;
}

static bool is_one_by_one(const struct its_cmd_queue *q)
{
	return IS_ENABLED(CONFIG_PKVM_ITS_REFERENCE) && q->one_by_one;
}

static void submit_and_wait(struct its_cmd_queue *q)
{
	q->ops->write_cwriter(q, q->next * sizeof(struct its_cmd_block));

	do {
		its_cmd_reap(q);
	} while (q->done != q->next && q->ops->wait(q));
}

/**
 * its_cmd_process - act on a write of GITS_CWRITER
 * @q: the queue
 * @cwriter: the value written, from the host
 *
 * Commits the commands up to the new offset, and has the hardware know once. Waits only
 * if a command gives memory back, and then for a bounded time: if the hardware does not
 * get there the memory is released when it has (its_cmd_reap()).
 *
 * A value that is out of range, that sets RES0 bits or asks for a retry, or that
 * overtakes the hardware is ignored (IHI 0069, GITS_CWRITER).
 *
 * Context: calls for a queue are serialised.
 */
void its_cmd_process(struct its_cmd_queue *q, u64 cwriter)
{
	u32 i, end;

	if (cwriter & ~GENMASK_ULL(19, 5) ||
	    cwriter / sizeof(struct its_cmd_block) >= q->nr_cmds) {
		q->stats[PKVM_ITS_WRITES_IGNORED]++;
		return;
	}

	end = cwriter / sizeof(struct its_cmd_block);

	/* Slots that the hardware has not executed are not to be written. */
	if (q->nr_releases || slots_between(q, q->done, q->next) >= REAP_SLOTS ||
	    slots_between(q, q->done, q->next) + slots_between(q, q->next, end) >= q->nr_cmds) {
		its_cmd_reap(q);

		if (slots_between(q, q->done, q->next) +
		    slots_between(q, q->next, end) >= q->nr_cmds) {
			q->stats[PKVM_ITS_WRITES_IGNORED]++;
			return;
		}
	}

	while (q->next != end) {
		const struct its_cmd_block *staged = &q->staging[q->next];
		u64 in[4], out[4] = {}, release = 0;
		enum pkvm_its_stat reason;

		for (i = 0; i < ARRAY_SIZE(in); i++)
			in[i] = le64_to_cpu(READ_ONCE(staged->raw_le[i]));

		reason = do_command(q, in, out, &release);
		if (reason) {
			q->stats[reason]++;
			q->ops->refused(q, in, reason);

			memset(out, 0, sizeof(out));
			out[0] = GITS_CMD_SYNC;
			out[2] = q->rdbases[0];
		} else {
			q->stats[PKVM_ITS_ACCEPTED]++;
		}

		if (!release) {
			commit(q, out);
			if (is_one_by_one(q))
				submit_and_wait(q);
			continue;
		}

		q->releases[q->next] = release;
		q->nr_releases++;
		commit(q, out);
		wait_and_release(q);
	}

	if (!is_one_by_one(q))
		q->ops->write_cwriter(q, end * sizeof(struct its_cmd_block));
}
