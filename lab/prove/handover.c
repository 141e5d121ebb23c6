// SPDX-License-Identifier: GPL-2.0-only
/*
 * its-handover.c: any call of the host that is still trusted, of any ITS.
 *
 * Proved: prove_take_table(): a table is refused, and nothing is taken or pinned then; or it and
 * its level-2 pages are what the register names, taken as a whole and once, with zeroed records
 * behind the level-2 pages of devices, and what EL2 knows of it is what the register says; or it
 * is the table of vPEs of another ITS, seen in the same way.
 * prove_register(): a registration is refused, and nothing is taken, shared, pinned or guarded
 * then; or what was taken is on record, each once; the registers, the description and the record
 * agree; the staging queue is pinned; limits are those of GITS_TYPER and of the tables; the first
 * RDbase may go into commands; and the control frame is guarded after all else.
 * prove_activate(): an ITS commits commands once its queue is taken, as a whole, with the pointers
 * where the driver says and the committed bases in the registers; or nothing changes.
 * prove_adopt_device(), prove_adopt_event(): a device has a record once its ITT is taken, as a
 * whole; the limits are those of the ITS and of the device; a refusal changes nothing.
 * prove_unregister(): all that was taken or pinned goes back, once, EL2's state last and behind
 * the guard. prove_fence(): an ITS that is there is guarded only if it is quiescent.
 *
 * Assumed, beside what handover.h assumes:
 *  - its_start_queue() begins a queue: prove_start(). its_init_device() makes a record in the
 *    memory of the ITT: prove_prepare(); the map has room for each event: prove_event_memory();
 *  - there is one GITS_BASER<n>, of any type. What each table is for is proved of it alone: the
 *    code goes over them in order, and takes or gives back one at a time. That a second table of
 *    devices is refused is left to unit tests;
 *  - in prove_register(), entries of tables have ENTRY_SIZE bytes; prove_take_table() has any size;
 *  - an ITS is registered as prove_register() and prove_adopt_device() leave it, with ITTs of 1024
 *    entries of 8 bytes in prove_unregister(), and with level-2 pages for 2 DeviceIDs.
 */

#include "handover.h"

static struct {
	u32 slot, nr;
} started;

/* The record of a device, with the map of its events */
static struct record {
	struct hyp_its_device device;
	u64 events[NR_WORDS];
} record;

static struct {
	u64 itt;
	u32 event_bits, nr;
} made;

static const void *guard_priv = &state.its;

struct record nondet_record(void);
struct hyp_its_device nondet_device(void);

void its_start_queue(struct hyp_its *its, u32 slot)
{
	prove(nr_taken == 1 && !its->active,
	      "the queue is EL2's before it is begun, and begun before commands are committed");
	started.slot = slot;
	started.nr++;
}

struct hyp_its_device *its_init_device(struct hyp_its *its, u32 event_bits, phys_addr_t itt,
				       enum hyp_its_device_state is)
{
	prove(nr_taken, "the memory of a record is EL2's before it is made");
	prove(is == HYP_ITS_DEVICE_MAPPED, "what is adopted is mapped");
	made.itt = itt;
	made.event_bits = event_bits;
	made.nr++;

	return &record.device;
}

int mmio_guard_add(phys_addr_t start, u64 size, const struct mmio_guard_ops *ops, void *priv)
{
	prove(start == frame && size == SZ_64K && ops == &its_guard_ops && priv == guard_priv &&
	      !guarded, "what is guarded is the control frame");
	if (nondet_bool())
		return -ENOSPC;
	guarded = true;

	return 0;
}

void mmio_guard_remove(phys_addr_t start)
{
	prove(guarded && start == frame, "the guard that goes is that of the control frame");
	guarded = false;
}

/* What the ITS's state says was taken: how many ranges, and how often it is the one */
static struct {
	u32 nr, the_one;
} known;

static void knows(u64 phys, u64 size)
{
	known.nr++;
	known.the_one += range.pfn == phys >> PAGE_SHIFT && range.nr_pages == size >> PAGE_SHIFT;
}

static void count_known(void)
{
	const struct hyp_its *its = &state.its;
	u32 i, j;

	if (its->nr_pages)
		knows(state_phys, its->nr_pages << PAGE_SHIFT);
	if (its->flat_records)
		knows(hyp_virt_to_phys(its->flat_records), its->nr_record_pages << PAGE_SHIFT);
	for (i = 0; i < NR_TABLES; i++) {
		const struct hyp_its_table *table = &its->tables[i];

		if (table->size)
			knows(table->phys, table->size);
		for (j = 0; j < NR_LEVEL1; j++) {
			if (j < table->nr_level2 && level1[i][j] >> 63)
				knows(level1[i][j] & ~BIT_ULL(63), table->level2_size);
		}
	}
}

/* How often the page is in what it says was pinned */
static u32 nr_pins_known(void)
{
	const struct hyp_its *its = &state.its;
	u32 i, nr = its->staging && has_page((void *)its->staging, ITS_CMD_QUEUE_SZ);

	for (i = 0; i < NR_TABLES; i++) {
		const struct hyp_its_table *table = &its->tables[i];

		nr += table->staging && has_page((void *)table->staging, table->size);
	}

	return nr;
}

static void check_memory(void)
{
	count_known();
	prove(known.nr == nr_taken && known.the_one == (range.owner == TAKEN),
	      "what was taken is on record, each once, and nothing else");
	prove(page.owner == (nr_pins_known() ? PINNED : HOSTS) && nr_pins_known() <= 1,
	      "what was pinned is on record, and nothing else");
}

static void check_nothing_taken(void)
{
	prove(!nr_taken && range.owner == HOSTS && page.owner == HOSTS,
	      "a refusal leaves nothing taken, shared or pinned");
}

/* One register, and what EL2 has for it */
static void check_table(u32 i)
{
	const struct hyp_its_table *table = &state.its.tables[i];
	u64 baser = hw.baser[i], size = table_size_of(baser), type = baser >> 56 & 7;
	u64 entry_size = (baser >> 48 & 0x1f) + 1, page_size = page_size_of(baser), j;
	const struct hyp_its *its = &state.its;

	if (!(baser >> 63)) {
		prove(!table->baser && !table->size && !table->phys && !table->staging &&
		      !state.desc.tables[i].baser, "a register that is not used stays so");
		return;
	}

	prove(table->baser == baser && state.desc.tables[i].baser == baser,
	      "the description and the record have the value of the register");
	prove(table->phys == address_of(baser) && table->phys == state.desc.tables[i].base &&
	      table->phys % page_size == 0, "the table is where the driver has allocated it");

	prove(!table->size == (type == GITS_BASER_TYPE_VCPU && hyp_its_nodes[0] == &other &&
			       other.vpes && table->phys == other_table.phys),
	      "a table is not taken if another ITS has it, and only then");
	if (!table->size) {
		prove((its->vpes == &other_table ||
		       (!its->vpes && !(state.desc.typer & GITS_TYPER_VLPIS))) &&
		      !table->staging && !table->level1,
		      "its table of vPEs is that of the other");
		prove(its->addr_bits == other.addr_bits, "... with as many address bits");
		prove(!((baser ^ other_table.baser) & ~(GENMASK_ULL(61, 59) | GENMASK_ULL(11, 10))),
		      "... and is the same but for attributes");
		return;
	}

	prove(table->size == ALIGN(size, PAGE_SIZE), "a table is taken as a whole");
	prove(table->phys + table->size <= BIT_ULL(its->addr_bits), "the ITS drives its address");
	prove(table->page_size == page_size, "the page size is that of the register");
	if (!(baser & GITS_BASER_INDIRECT)) {
		prove(!table->level1 && !table->staging && !table->nr_level2,
		      "a flat table has no level-2 pages");
		prove(table->nr_ids * entry_size <= size || its->vpes == table,
		      "it has room for its IDs");
		return;
	}

	prove(type != GITS_BASER_TYPE_COLLECTION, "a table of collections is flat");
	prove(table->level1 == level1[i] &&
	      hyp_virt_to_phys((void *)table->staging) == state.desc.tables[i].staging,
	      "the two level-1 tables are known");
	prove(entry_size << table->ids_shift == page_size, "as many IDs as a level-2 page has");
	prove(table->nr_ids <= size / GITS_LVL1_ENTRY_SIZE << table->ids_shift,
	      "as many IDs as the level-1 table has");
	prove(table->nr_level2 == size / GITS_LVL1_ENTRY_SIZE, "all of its entries are known");
	for (j = 0; j < NR_LEVEL1; j++) {
		u64 entry = level1[i][j], phys = entry & ~BIT_ULL(63);

		if (j >= table->nr_level2 || !(entry >> 63))
			continue;
		prove(phys % page_size == 0 && phys + table->level2_size <= BIT_ULL(its->addr_bits),
		      "the ITS drives the address of each level-2 page");
		if (phys >> PAGE_SHIFT != range.pfn)
			continue;
		prove(range.zeroed == table->level2_size - page_size &&
		      (!range.zeroed || range.zeroed_from == page_size),
		      "EL2's records are zeroed, and what the hardware has written stays");
	}
	prove(table->level2_size >= page_size && PAGE_ALIGNED(table->level2_size),
	      "a level-2 page is taken as a whole");
	if (type == GITS_BASER_TYPE_DEVICE)
		prove(table->level2_size >= page_size + (sizeof(u64) << table->ids_shift),
		      "... with a record for each device behind it");
}

static u64 any_baser(void)
{
	u64 baser = nondet_u64();

#ifdef ENTRY_SIZE
	baser = (baser & ~GENMASK_ULL(52, 48)) | (ENTRY_SIZE - 1ULL) << 48;
#endif
	return baser;
}

static void any_machine(void)
{
	u32 i, j;

	for (i = 0; i < NR_TABLES; i++) {
		hw.baser[i] = any_baser();
		for (j = 0; j < NR_LEVEL1; j++)
			level1[i][j] = nondet_u64();
	}
	hw.typer = nondet_u64();
	hw.cbaser = nondet_u64();
	hw.ctlr = nondet_u32();
	hw.creadr = nondet_u32();
	hw.cwriter = nondet_u32();
	range.pfn = nondet_u64();
	page.pfn = nondet_u64();
}

static void any_other(void)
{
	other = nondet_its();
	other_table = nondet_table();
	other.vpes = nondet_bool() ? &other_table : NULL;
	nr_hyp_its = nondet_u32();
	assume(nr_hyp_its <= PKVM_ITS_MAX);
	hyp_its_nodes[0] = nr_hyp_its ? &other : NULL;
}

/* its_take_table() alone, and its_destroy_table() if it fails */
void prove_take_table(void)
{
	struct hyp_its *its = &state.its;
	u64 other_ids;
	int ret;

	any_machine();
	any_other();
	other_ids = other_table.nr_ids;
	assume(nr_hyp_its < PKVM_ITS_MAX);
	registers = true;
	state_phys = nondet_u64();
	state_pages = nondet_u32();
	assume(state_pages && PAGE_ALIGNED(state_phys) && state_phys < BIT_ULL(52));
	frame = nondet_u64();
	any_state();
	state.its = (struct hyp_its) {};
	its->addr_bits = nondet_u32();
	assume(its->addr_bits <= 52);
	hw.is_table = true;
	assume(hw.baser[0] >> 63 && state.desc.tables[0].baser == hw.baser[0]);

	ret = its_take_table(its, &its->tables[0], &state.desc.tables[0]);

	reach(!ret && its->tables[0].nr_level2 == 2 && level1[0][0] >> 63 && level1[0][1] >> 63);
	reach(!ret && its->vpes);
	reach(ret && range.owner == TAKEN);
	reach(ret && page.owner == PINNED);

	if (ret) {
		its_destroy_table(its, &its->tables[0]);
		check_nothing_taken();
		return;
	}

	its->tables[0].baser = hw.baser[0];
	check_table(0);
	check_memory();
	prove(other_table.nr_ids == other_ids, "the table of another ITS stays as it is");
}

void prove_register(void)
{
	u64 pfn = nondet_u64(), nr_pages = nondet_u64(), records_pfn = nondet_u64();
	u64 other_ids;
	const struct hyp_its *its = &state.its;
	const struct its_staging_desc *desc = &state.desc;
	u32 nr_was, nr;
	int ret;

	any_machine();
	any_other();
	other_ids = other_table.nr_ids;
	nr_was = nr_hyp_its;
	state_phys = pfn << PAGE_SHIFT;
	records_phys = records_pfn << PAGE_SHIFT;
	frame = nondet_u64();
	registers = true;
	looks_at_state = true;

	ret = __pkvm_its_register(pfn, nr_pages, records_pfn);

	reach(ret == 1);
	reach(!ret && its->tables[0].nr_level2 == 2 && level1[0][0] >> 63 && level1[0][1] >> 63 &&
	      its->devices == &its->tables[0]);
	reach(!ret && its->nr_record_pages);
	reach(!ret && its->vpes && its->vpes != &other_table);
	reach(ret < 0 && mapped && hw.is_table);

	if (ret < 0)
		check_nothing_taken();
	prove(ret >= 0 == guarded, "... or guarded");
	prove(nr_hyp_its == nr_was + (ret >= 0), "... or registered");
	prove(!nr_was || hyp_its_nodes[0] == &other, "another ITS stays where it is");
	prove(other_table.nr_ids <= other_ids, "its table does not grow");
	if (ret < 0)
		return;

	prove(ret == nr_was && hyp_its_nodes[ret] == its && its->id == ret && !its->active,
	      "the ITS is known by its ID, and is not active");
	prove(!(frame % SZ_64K) && its->phys == frame && its->base == (void *)ITS_BASE,
	      "EL2 knows the frame");
	prove(its->nr_pages == nr_pages, "EL2 knows the size of its state");
	prove(!its->lock.held && !its->mem_lock.held, "no lock is held");

	check_memory();
	prove(its->cbaser == hw.cbaser && hw.cbaser >> 63, "GITS_CBASER is known, and valid");
	prove(hyp_virt_to_phys(its->committed) == desc->hw_queue &&
	      desc->hw_queue == (hw.cbaser & GENMASK_ULL(51, 12)) &&
	      desc->hw_queue % SZ_64K == 0 &&
	      ((hw.cbaser & 0xff) + 1) * SZ_4K == ITS_CMD_QUEUE_SZ,
	      "the queue is where the driver has allocated it");
	prove(its->addr_bits == desc->addr_bits && its->addr_bits <= 52,
	      "no more address bits than the ITS drives");
	prove(its->staging && hyp_virt_to_phys((void *)its->staging) == desc->queue,
	      "the staging queue is pinned");

	for (nr = 0; nr < NR_TABLES; nr++)
		check_table(nr);

	/* Limits: those of the hardware, and of the tables */
	prove(!((desc->typer ^ hw.typer) & ~(GENMASK_ULL(17, 13) | GENMASK_ULL(7, 4))) &&
	      its->typer == desc->typer, "GITS_TYPER is the hardware's, but for quirks");
	prove(its->nr_devices <= BIT_ULL((hw.typer >> 13 & 0x1f) + 1),
	      "no more DeviceIDs than the ITS has");
	if (its->devices)
		prove(its->nr_devices <= its->devices->nr_ids, "... or the table");
	for (nr = 0; nr < NR_TABLES; nr++)
		prove(((hw.baser[nr] >> 56 & 7) == GITS_BASER_TYPE_DEVICE && hw.baser[nr] >> 63) ==
		      (its->devices == &its->tables[nr]), "there is one table of devices");
	if (its->flat_records) {
		prove(hyp_virt_to_phys(its->flat_records) == records_phys &&
		      its->nr_devices * sizeof(u64) <= its->nr_record_pages << PAGE_SHIFT,
		      "there is a record for each device");
		if (range.pfn == records_phys >> PAGE_SHIFT)
			prove(range.zeroed == range.nr_pages << PAGE_SHIFT && !range.zeroed_from,
			      "records are zeroed");
	} else {
		prove(its->devices && its->devices->level1, "records are behind level-2 pages");
	}
	if (its->vpes)
		prove(its->vpes->nr_ids <= BIT_ULL(desc->vpeid_bits),
		      "no more vPEs than the hardware tells apart");
	prove(its->event_bits >= 1 && its->event_bits <= (hw.typer >> 8 & 0x1f) + 1 &&
	      its->event_bits <= ITS_STAGING_MAX_EVENT_BITS, "no more EventIDs than the ITS has");
	prove(its->itt_entry_size >= (hw.typer >> 4 & 0xf) + 1 && its->itt_entry_size <= 16,
	      "an ITT has room for its entries");
	prove(its->nr_icids <= SZ_64K, "ICIDs have 16 bits");
	prove(its->lpi_bits == desc->lpi_bits && its->lpi_bits >= 1 && its->lpi_bits <= 24 &&
	      its->nr_lpis == 1U << its->lpi_bits, "no more LPIs than the tables have room for");

	prove(its->nr_rdbases && its->nr_rdbases == desc->nr_rdbases &&
	      its->nr_rdbases <= NR_RDBASES && its->rdbases == desc->rdbases,
	      "there are RDbases, where EL2 has taken the description");
	prove(!(its->rdbases[0] & ~GENMASK_ULL(51, 16)), "the first one has bits [51:16]");
}

void prove_fence(void)
{
	bool present = nondet_bool();
	int ret;

	any_machine();
	frame = nondet_u64();
	guard_priv = &its_fenced;

	ret = __pkvm_its_fence(frame, present);

	reach(!ret && present);
	reach(!ret && !present);
	reach(ret == -EBUSY);

	prove(!ret == guarded, "the frame is guarded, or the call refused");
	prove(ret || !present || (hw.ctlr & 0x80000001) == 0x80000000,
	      "an ITS that is not quiescent is not fenced");
	prove(present || (!mapped && !hw.nr_reads), "what is not there is not read");
	prove(!its_fenced.active && !nr_taken && page.owner == HOSTS,
	      "no command is committed, and no memory taken");
}

/* One that was registered, and may be active */
static void any_registered(void)
{
	struct hyp_its *its = &state.its;
	u64 queue = nondet_u64();

	any_machine();
	state.its = nondet_its();
	its->lock.held = false;
	its->mem_lock.held = false;
	its->active = nondet_bool();
	its->base = (void *)ITS_BASE;
	frame = nondet_u64();
	its->phys = frame;
	assume(queue < BIT_ULL(52) && queue % SZ_64K == 0);
	its->committed = (void *)(queue + LINEAR_MAP);
	assume(its->addr_bits >= 1 && its->addr_bits <= 52);
	mapped = true;
	guarded = true;
	nr_hyp_its = 1;
	hyp_its_nodes[0] = its;
}

void prove_activate(void)
{
	const struct hyp_its *its = &state.its;
	u32 id = nondet_u32(), offset = nondet_u32(), i;
	bool bases_match, may_be;
	struct hyp_its was;
	u64 held;
	int ret;

	any_registered();
	was = state.its;
	held = its->stats[PKVM_ITS_HELD_PAGES];
	bases_match = hw.cbaser == its->cbaser;
	for (i = 0; i < NR_TABLES; i++) {
		if (its->tables[i].baser ? hw.baser[i] != its->tables[i].baser
					 : hw.baser[i] >> 63)
			bases_match = false;
	}
	may_be = !id && !its->active && offset < ITS_CMD_QUEUE_SZ && offset % 32 == 0 &&
		 hw.creadr == offset && hw.cwriter == offset && bases_match;

	ret = __pkvm_its_activate(id, offset);

	reach(!ret && offset);
	reach(ret == -EBUSY && bases_match);
	reach(ret == -EPERM);

	prove(ret || may_be, "only an ITS with the committed bases, and no command, is activated");
	prove(!ret || (!nr_taken && !started.nr), "a refusal takes nothing");
	prove(its->active == (was.active || !ret), "it is active then, and not before");
	prove(ret ? its->ctlr == was.ctlr : its->ctlr == hw.ctlr, "GITS_CTLR is known");
	prove(its->committed == was.committed && its->cbaser == was.cbaser &&
	      its->staging == was.staging && its->nr_done == was.nr_done &&
	      its->nr_committed == was.nr_committed &&
	      its->nr_synced == was.nr_synced && guarded, "nothing else changes");
	prove(its->stats[PKVM_ITS_HELD_PAGES] == held + last_pages, "pages are counted");
	if (ret)
		return;

	prove(nr_taken == 1 && last_pages == ITS_CMD_QUEUE_SZ >> PAGE_SHIFT &&
	      last_pfn == hyp_virt_to_pfn(its->committed),
	      "the queue is taken as a whole, and nothing else");
	prove(hyp_virt_to_phys(its->committed) + ITS_CMD_QUEUE_SZ <= BIT_ULL(its->addr_bits),
	      "the ITS drives its address");
	prove(started.nr == 1 && started.slot == offset / 32, "it begins where the hardware is");
}

/* What is known of devices: records are flat, or behind level-2 pages */
static void any_devices(void)
{
	struct hyp_its_table *table = &state.its.tables[0];
	u32 i;

	state.its.nr_devices = nondet_u64();
	assume(state.its.nr_devices <= NR_DEVICES);
	state.its.flat_records = nondet_bool() ? records : NULL;
	assume(state.its.itt_entry_size >= 1 && state.its.itt_entry_size <= 16);
	assume(state.its.event_bits >= 1 && state.its.event_bits <= ITS_STAGING_MAX_EVENT_BITS);
	state.its.devices = table;
	table->level1 = level1[0];
	table->ids_shift = 1;
	table->page_size = SZ_4K << (2 * (nondet_u8() % 3));
	for (i = 0; i < 2; i++)
		assume(!(level1[0][i] & ~(BIT_ULL(63) | GENMASK_ULL(51, 12))));
	assume(level2_page(0) != level2_page(1));
}

static bool has_record(u64 dev_id)
{
	return dev_id < state.its.nr_devices && (state.its.flat_records || is_valid(dev_id / 2));
}

void prove_adopt_device(void)
{
	u32 id = nondet_u32(), dev_id = nondet_u32(), event_bits = nondet_u32(), i;
	struct hyp_its_device *was[NR_DEVICES], some;
	const struct hyp_its *its = &state.its;
	u64 itt = nondet_u64(), size = 0, held;
	bool may_be;
	int ret;

	any_registered();
	any_devices();
	for (i = 0; i < NR_DEVICES; i++) {
		records[i] = nondet_bool() ? &some : NULL;
		was[i] = records[i];
	}
	held = its->stats[PKVM_ITS_HELD_PAGES];
	may_be = !id && !its->active && event_bits && event_bits <= its->event_bits &&
		 has_record(dev_id) && !was[dev_id % NR_DEVICES];
	/* IHI 0069, MAPD; EL2's record, and a bit for each event */
	if (event_bits <= ITS_STAGING_MAX_EVENT_BITS)
		size = ALIGN(ALIGN((u64)its->itt_entry_size << event_bits, 256) + 64 +
			     ALIGN(1ULL << event_bits, 64) / 8, PAGE_SIZE);

	ret = __pkvm_its_adopt_device(id, dev_id, event_bits, itt);

	reach(!ret && its->flat_records && event_bits == 16);
	reach(!ret && !its->flat_records && dev_id == 2);
	reach(ret == -EPERM);

	prove(ret || may_be, "only a device that the ITS has, and EL2 does not know, is adopted");
	prove(!ret == made.nr && (ret || !its->active), "... before the activation");
	for (i = 0; i < NR_DEVICES; i++)
		prove(records[i] == (!ret && i == dev_id ? &record.device : was[i]),
		      "a record is that of the device, and a refusal makes none");
	prove(its->stats[PKVM_ITS_HELD_PAGES] == held + last_pages, "pages are counted");
	if (ret) {
		prove(!nr_taken, "a refusal takes nothing");
		return;
	}

	prove(made.itt == itt && made.event_bits == event_bits, "the record says what was taken");
	prove(nr_taken == 1 && last_pages == size >> PAGE_SHIFT && PAGE_ALIGNED(itt) &&
	      last_pfn == itt >> PAGE_SHIFT,
	      "what is taken is the ITT, whole, and the record");
	prove(itt + size <= BIT_ULL(its->addr_bits), "the ITS drives its address");
	prove(!range.zeroed, "what the hardware has written stays");
}

void prove_adopt_event(void)
{
	u32 id = nondet_u32(), dev_id = nondet_u32(), event_id = nondet_u32();
	u32 nr = nondet_u8() % NR_DEVICES, nr_events, i;
	const struct hyp_its *its = &state.its;
	bool may_be, was_set;
	u64 events[NR_WORDS], bit;
	int ret;

	any_registered();
	any_devices();
	record = nondet_record();
	folds = true;
	assume(record.device.event_bits >= 1 &&
	       record.device.event_bits <= ITS_STAGING_MAX_EVENT_BITS);
	if (nondet_bool())
		records[nr] = &record.device;
	nr_events = record.device.nr_events;
	for (i = 0; i < NR_WORDS; i++)
		events[i] = record.events[i];
	bit = BIT_ULL(event_id % 64);
	was_set = events[event_id / 64 % NR_WORDS] & bit;
	may_be = !id && its->active && has_record(dev_id) && dev_id == nr && records[nr] &&
		 event_id < 1U << record.device.event_bits;

	ret = __pkvm_its_adopt_event(id, dev_id, event_id);

	reach(!ret && event_id == 65535);
	reach(!ret && !was_set);
	reach(ret && its->active && records[nr] && event_id);

	prove(!ret == may_be, "an event is adopted if an active ITS has it, and only then");
	prove(!nr_taken, "no memory is taken");
	for (i = 0; i < NR_WORDS; i++)
		prove(record.events[i] ==
		      (!ret && i == event_id / 64 % NR_WORDS ? events[i] | bit : events[i]),
		      "the event is on record, and no other; a refusal changes nothing");
	if (ret) {
		prove(record.device.nr_events == nr_events, "... nor their number");
		return;
	}

	prove(record.device.nr_events == nr_events + !was_set, "events are counted");
}

static u64 itt_size(const struct hyp_its_device *device)
{
	return its_staging_itt_size(8, 10);
}

static void *any_memory(void)
{
	u64 phys = nondet_u64();

	assume(PAGE_ALIGNED(phys) && phys < BIT_ULL(51));

	return (void *)(phys + LINEAR_MAP);
}

static void was_taken(u64 phys, u64 size)
{
	/* Memory is taken once. */
	assume(PAGE_ALIGNED(phys) && phys < BIT_ULL(52) && (phys != state_phys || !nr_taken));
	nr_taken++;
	if (range.pfn != phys >> PAGE_SHIFT)
		return;
	assume(range.owner != TAKEN);
	range.owner = TAKEN;
	range.nr_pages = size >> PAGE_SHIFT;
}

/* Tables as prove_register() leaves them; the first is that of the devices, if it has level 2 */
static void any_tables(void)
{
	u32 i, j;

	for (i = 0; i < NR_TABLES; i++) {
		struct hyp_its_table *table = &state.its.tables[i];
		bool indirect = nondet_bool();

		if (!i)
			indirect = !state.its.flat_records;
		table->size = ALIGN((u64)nondet_u32(), PAGE_SIZE);
		assume(!indirect || (table->size && table->size <= 2 * PAGE_SIZE));
		table->level1 = indirect ? level1[i] : NULL;
		table->staging = NULL;
		table->nr_level2 = indirect ? NR_LEVEL1 : 0;
		table->level2_size = ALIGN(1ULL + nondet_u32(), PAGE_SIZE);
		if (indirect)
			table->staging = any_memory();
		if (table->size)
			was_taken(table->phys, table->size);
		for (j = 0; j < NR_LEVEL1; j++) {
			if (indirect && level1[i][j] >> 63)
				was_taken(level1[i][j] & ~BIT_ULL(63), table->level2_size);
		}
	}
}

void prove_unregister(void)
{
	struct hyp_its_device devices[NR_DEVICES];
	u32 id = nondet_u32(), i;
	enum owner range_was, page_was;
	struct hyp_its *its = &state.its;
	u32 nr_was;
	bool may_be;
	int ret;

	any_registered();
	any_devices();
	state_phys = (u64)any_memory() - LINEAR_MAP;
	records_phys = nondet_u64();
	its->nr_pages = nondet_u64();
	was_taken(state_phys, its->nr_pages << PAGE_SHIFT);
	any_tables();
	assume(its->nr_pages >= 1 && its->nr_pages <= BIT_ULL(52) >> PAGE_SHIFT);
	its->nr_record_pages = nondet_u32();
	its->itt_entry_size = 8;
	assume(!its->flat_records || its->nr_record_pages);
	its->staging = any_memory();
	if (its->flat_records)
		was_taken(records_phys, its->nr_record_pages << PAGE_SHIFT);
	for (i = 0; i < NR_DEVICES; i++) {
		devices[i] = nondet_device();
		devices[i].event_bits = 10;
		if (has_record(i) && nondet_bool()) {
			records[i] = &devices[i];
			was_taken(devices[i].itt, itt_size(&devices[i]));
		}
	}

	assume(nr_pins_known() <= 1);
	if (nr_pins_known())
		page.owner = PINNED;
	range_was = range.owner;
	page_was = page.owner;
	nr_was = nr_taken;

	/* There may be another one behind it. */
	nr_hyp_its = 1 + nondet_bool();
	assume(id != 1);
	may_be = !id && !its->active && nr_hyp_its == 1;

	ret = __pkvm_its_unregister(id);

	reach(!ret && range_was == TAKEN && records[2]);
	reach(!ret && page_was == PINNED && its->flat_records);
	reach(ret && !id);

	prove(!ret == may_be, "the last ITS is unregistered if it is not active");
	if (ret) {
		prove(range.owner == range_was && page.owner == page_was && nr_taken == nr_was &&
		      guarded && nr_hyp_its, "a refusal changes nothing");
		return;
	}

	prove(!nr_taken && range.owner == HOSTS && page.owner == HOSTS,
	      "all that was taken or pinned is the host's again, and nothing else");
	prove(!guarded && !nr_hyp_its, "the host has the frame, and the ITS is gone");
}
