// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hand-over: registration, devices that are mapped already, activation, and undoing it
 */

#include <linux/overflow.h>

#include <nvhe/mmio_guard.h>

#include "test.h"

#define DEV		0x123
#define EVENT_BITS	5
#define EVENT		3
#define INTID		8200
#define GRANULE		SZ_256
#define NO_MEMORY	SZ_16M

/* The ITS in question */
static struct host_its *its;

static void start(const struct machine_config *cfg)
{
	machine_reset();
	its = its_start(cfg);
}

/* The driver maps a device before the hand-over, with an event. */
static void map_early(u32 dev_id, phys_addr_t itt)
{
	its_stage_level2(its, BASER_DEVICES, dev_id);
	its_stage(its, cmd_mapd(dev_id, EVENT_BITS, itt));
	its_stage(its, cmd_mapti(dev_id, EVENT, INTID, 1));
	its_ring(its);
}

static phys_addr_t alloc_itt(u32 event_bits)
{
	return its_alloc_itt(its, event_bits);
}

static bool translates(u32 dev_id)
{
	u64 rdbase;
	u32 intid;

	return its_model_translate(its->model, dev_id, EVENT, &intid, &rdbase) &&
	       intid == INTID && rdbase == its_model_rdbase(its->model, 1);
}

static bool is_guarded(phys_addr_t base)
{
	unsigned int guarded = 0, pages = 0;
	phys_addr_t at;

	for (at = base; at < base + ITS_FRAME; at += PAGE_SIZE, pages++)
		guarded += !!mmio_guard_find(at);

	EXPECT(!guarded || guarded == pages);

	return guarded;
}

/* All memory is the host's, and the frame is not guarded. */
static void expect_nothing_held(void)
{
	EXPECT_EQ(mem_count(MEM_EL2), 0);
	EXPECT_EQ(mem_count(MEM_ITS), 0);
	EXPECT(mem_is_clean());
	EXPECT(!is_guarded(its->cfg.its.base));
}

/* The lowest memory not in use yet that ends at @end */
static phys_addr_t alloc_up_to(phys_addr_t end, u64 size)
{
	phys_addr_t next = host_alloc(PAGE_SIZE, PAGE_SIZE) + PAGE_SIZE;

	if (end - size > next)
		host_alloc(end - size - next, PAGE_SIZE);
	EXPECT_EQ(host_alloc(size, PAGE_SIZE), end - size);

	return end - size;
}

/*
 * What is wrong with a registration: each edits what EL2 is told, what the registers say,
 * or memory.
 */

#define EDIT(name, statement)							\
static void name(struct its_staging_desc *desc)					\
{										\
	statement;								\
}

struct refusal {
	const char	*name;
	void		(*edit)(struct its_staging_desc *desc);
	int		ret;
};

#define REFUSAL(edit, ret)	{ #edit, edit, ret }

static const struct refusal *refusal;
static struct test_regs regs_before, regs_after;
static phys_addr_t given;

/* The page is a guest's for the time being. */
static void give(phys_addr_t phys)
{
	EXPECT(mem_give_guest(phys));
	given = phys;
}

static void edit_and_note(struct its_staging_desc *desc)
{
	regs_before = test_regs(its);
	refusal->edit(desc);
	regs_after = test_regs(its);
}

static void refuse_all(const struct machine_config *cfg, const struct refusal *refusals,
		       unsigned int nr)
{
	phys_addr_t itt;
	int ret;

	for (refusal = refusals; refusal < refusals + nr; refusal++) {
		start(cfg);
		itt = alloc_itt(EVENT_BITS);
		map_early(DEV, itt);
		given = 0;

		its_edit_desc = edit_and_note;
		ret = its_register(its);
		if (ret != refusal->ret)
			mem_fail("%s: returned %d", refusal->name, ret);

		/* The driver goes on with what it has. */
		expect_nothing_held();
		EXPECT(test_same_regs(its, &regs_after));
		test_set_regs(its, &regs_before);
		if (given)
			EXPECT(mem_take_guest(given));
		EXPECT(translates(DEV));

		its_edit_desc = NULL;
	}
}

static void set_cbaser(struct its_staging_desc *desc, u64 val)
{
	desc->hw_queue = GITS_CBASER_ADDRESS(val);
	its->model->cbaser = val;
}

static void set_baser(struct its_staging_desc *desc, unsigned int nr, u64 val)
{
	desc->tables[nr].baser = val;
	desc->tables[nr].base = GITS_BASER_ADDR_48_to_52(val);
	if ((val & GITS_BASER_PAGE_SIZE_MASK) != GITS_BASER_PAGE_SIZE_64K)
		desc->tables[nr].base = val & GENMASK_ULL(47, 12);
	its->model->baser[nr] = val;
}

static void set_level1(unsigned int idx, u64 entry)
{
	EXPECT(mem_host_write(its->tables[BASER_DEVICES] + idx * sizeof(entry), entry));
}

static u64 level2_size(void)
{
	return its_staging_level2_size(its->model->baser[BASER_DEVICES]);
}

static u64 new_level2(void)
{
	return host_alloc(level2_size(), SZ_64K) | GITS_BASER_VALID;
}

static u64 last_page(const struct its_staging_desc *desc)
{
	return its->cfg.queue_pages * SZ_4K - PAGE_SIZE;
}

/* Each field by itself */
EDIT(base_not_aligned, its->model->cfg.base = desc->base += SZ_4K)
EDIT(no_its_at_base, desc->base += SZ_16M)
EDIT(no_lpi_bits, desc->lpi_bits = 0)
EDIT(too_many_lpi_bits, desc->lpi_bits = 25)
EDIT(too_many_vpeid_bits, desc->vpeid_bits = 17)
EDIT(no_addr_bits, desc->addr_bits = 0)
EDIT(too_many_addr_bits, desc->addr_bits = 53)
EDIT(no_rdbases, desc->nr_rdbases = 0)
EDIT(first_rdbase_low_bit, desc->rdbases[0] |= BIT(15))
EDIT(first_rdbase_high_bit, desc->rdbases[0] |= BIT_ULL(52))
EDIT(more_rdbases_than_memory, desc->nr_rdbases = ~0U)
EDIT(more_device_bits, desc->typer += BIT(GITS_TYPER_DEVBITS_SHIFT))
EDIT(smaller_itt_entries, desc->typer -= BIT(4))
EDIT(hw_queue_elsewhere, desc->hw_queue += SZ_64K)
EDIT(table_elsewhere, desc->tables[0].base += SZ_64K)
EDIT(flat_table_elsewhere, desc->tables[1].base += SZ_64K)
EDIT(cbaser_not_valid, set_cbaser(desc, its->model->cbaser & ~GITS_CBASER_VALID))
EDIT(baser_differs, desc->tables[0].baser ^= GITS_BASER_InnerShareable)
EDIT(baser_is_larger, its->model->baser[1] += 1)
EDIT(baser_missing, desc->tables[1].baser = 0)
EDIT(baser_not_valid, its->model->baser[1] &= ~GITS_BASER_VALID)
EDIT(baser_unknown, its->model->baser[7] = its->model->baser[1])
EDIT(baser_unused, desc->tables[7].baser = desc->tables[1].baser)
EDIT(staging_table_missing, desc->tables[0].staging = 0)
EDIT(staging_table_for_flat, desc->tables[1].staging = desc->queue)
EDIT(staging_table_not_aligned, desc->tables[0].staging += GRANULE)
EDIT(staging_table_guests, give(desc->tables[0].staging))
EDIT(staging_table_ends_with_guests, give(desc->tables[0].staging + SZ_64K - PAGE_SIZE))
EDIT(staging_table_is_table, desc->tables[0].staging = its->tables[0])
EDIT(staging_table_no_memory, desc->tables[0].staging = NO_MEMORY)
EDIT(table_guests, give(its->tables[1]))
EDIT(table_ends_with_guests, give(its->tables[1] + SZ_64K - PAGE_SIZE))
EDIT(table_twice, set_baser(desc, 7, its->model->baser[1]))
EDIT(queue_not_aligned, desc->queue += GRANULE)
EDIT(queue_guests, give(desc->queue))
EDIT(queue_ends_with_guests, give(desc->queue + last_page(desc)))
EDIT(queue_no_memory, desc->queue = NO_MEMORY)
EDIT(queue_is_staging_table, desc->queue = desc->tables[0].staging)
EDIT(queue_is_table, desc->queue = its->tables[1])

static const struct refusal descriptors[] = {
	REFUSAL(base_not_aligned, -EINVAL),
	REFUSAL(no_its_at_base, -EINVAL),
	REFUSAL(no_lpi_bits, -EINVAL),
	REFUSAL(too_many_lpi_bits, -EINVAL),
	REFUSAL(too_many_vpeid_bits, -EINVAL),
	REFUSAL(no_addr_bits, -EINVAL),
	REFUSAL(too_many_addr_bits, -EINVAL),
	REFUSAL(no_rdbases, -EINVAL),
	REFUSAL(first_rdbase_low_bit, -EINVAL),
	REFUSAL(first_rdbase_high_bit, -EINVAL),
	REFUSAL(more_rdbases_than_memory, -EINVAL),
	REFUSAL(more_device_bits, -EINVAL),
	REFUSAL(smaller_itt_entries, -EINVAL),
	REFUSAL(hw_queue_elsewhere, -EINVAL),
	REFUSAL(table_elsewhere, -EINVAL),
	REFUSAL(flat_table_elsewhere, -EINVAL),
	REFUSAL(cbaser_not_valid, -EINVAL),
	REFUSAL(baser_differs, -EINVAL),
	REFUSAL(baser_is_larger, -EINVAL),
	REFUSAL(baser_missing, -EINVAL),
	REFUSAL(baser_not_valid, -EINVAL),
	REFUSAL(baser_unknown, -EINVAL),
	REFUSAL(baser_unused, -EINVAL),
	REFUSAL(staging_table_missing, -EINVAL),
	REFUSAL(staging_table_for_flat, -EINVAL),
	REFUSAL(staging_table_not_aligned, -EINVAL),
	REFUSAL(staging_table_guests, -EPERM),
	REFUSAL(staging_table_ends_with_guests, -EPERM),
	REFUSAL(staging_table_is_table, -EPERM),
	REFUSAL(staging_table_no_memory, -EPERM),
	REFUSAL(table_guests, -EPERM),
	REFUSAL(table_ends_with_guests, -EPERM),
	REFUSAL(table_twice, -EPERM),
	REFUSAL(queue_not_aligned, -EINVAL),
	REFUSAL(queue_guests, -EPERM),
	REFUSAL(queue_ends_with_guests, -EPERM),
	REFUSAL(queue_no_memory, -EPERM),
	REFUSAL(queue_is_staging_table, -EPERM),
	REFUSAL(queue_is_table, -EPERM),
};

static void wrong_descriptor(void)
{
	refuse_all(&machine_default, descriptors, ARRAY_SIZE(descriptors));
}

static u64 typer_bit;

EDIT(typer_differs, desc->typer ^= typer_bit)

static void wrong_typer(void)
{
	static const struct refusal typers[] = { REFUSAL(typer_differs, -EINVAL) };
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		typer_bit = BIT_ULL(bit);
		if (!(typer_bit & (GITS_TYPER_DEVBITS | GITS_TYPER_ITT_ENTRY_SIZE)))
			refuse_all(&machine_default, typers, ARRAY_SIZE(typers));
	}
}

/* Level-2 pages that are there already: the first is good and must be returned. */
static void two_level2(u64 second)
{
	set_level1(1, new_level2());
	set_level1(3, second);
}

static void same_level2_twice(void)
{
	u64 entry = new_level2();

	set_level1(1, entry);
	set_level1(3, entry);
}

static void level2_of_guest(void)
{
	u64 entry = new_level2();

	two_level2(entry);
	give((entry & ~GITS_BASER_VALID) + level2_size() - PAGE_SIZE);
}

EDIT(level2_not_aligned, two_level2(new_level2() + SZ_4K))
EDIT(level2_low_bit, two_level2(new_level2() | 1))
EDIT(level2_bit_52, two_level2(new_level2() | BIT_ULL(52)))
EDIT(level2_bit_62, two_level2(new_level2() | BIT_ULL(62)))
EDIT(level2_twice, same_level2_twice())
EDIT(level2_guests, level2_of_guest())
EDIT(level2_no_memory, two_level2(NO_MEMORY | GITS_BASER_VALID))
EDIT(level2_is_table, two_level2(its->tables[0] | GITS_BASER_VALID))

static const struct refusal level2_pages[] = {
	REFUSAL(level2_not_aligned, -EINVAL),
	REFUSAL(level2_low_bit, -EINVAL),
	REFUSAL(level2_bit_52, -EINVAL),
	REFUSAL(level2_bit_62, -EINVAL),
	REFUSAL(level2_twice, -EPERM),
	REFUSAL(level2_guests, -EPERM),
	REFUSAL(level2_no_memory, -EPERM),
	REFUSAL(level2_is_table, -EPERM),
};

static void wrong_level2(void)
{
	refuse_all(&machine_default, level2_pages, ARRAY_SIZE(level2_pages));
}

static void set_entry_size(struct its_staging_desc *desc, unsigned int nr, u64 size)
{
	set_baser(desc, nr, (desc->tables[nr].baser & ~GITS_BASER_ENTRY_SIZE_MASK) |
		  (size - 1) << GITS_BASER_ENTRY_SIZE_SHIFT);
}

/* IDs of a two-level table are split at a bit: a page must have a power of two of them. */
EDIT(entry_size_not_power_of_2, set_entry_size(desc, 0, 12))

/* Not a whole page of EL2's, or not where the architecture has it */
EDIT(queue_half_page, set_cbaser(desc, (its->model->cbaser & ~0xffULL) |
				      (PAGE_SIZE / SZ_4K / 2 - 1)))
EDIT(hw_queue_not_aligned, set_cbaser(desc, its->model->cbaser + SZ_32K))
EDIT(table_not_aligned, set_baser(desc, 1, desc->tables[1].baser + SZ_4K))

static const struct refusal odd_tables[] = {
	REFUSAL(entry_size_not_power_of_2, -EINVAL),
	REFUSAL(hw_queue_not_aligned, -EINVAL),
};

static const struct refusal half_pages[] = {
	REFUSAL(queue_half_page, -EINVAL),
	REFUSAL(table_not_aligned, -EINVAL),
};

static const struct refusal odd_16k_tables[] = {
	REFUSAL(table_not_aligned, -EINVAL),
};

static void odd_configuration(void)
{
	struct machine_config cfg = machine_default;

	refuse_all(&cfg, odd_tables, ARRAY_SIZE(odd_tables));
	cfg.collections.psz = SZ_4K;
	if (PAGE_SIZE > SZ_4K)
		refuse_all(&cfg, half_pages, ARRAY_SIZE(half_pages));
	cfg.collections.psz = SZ_16K;
	refuse_all(&cfg, odd_16k_tables, ARRAY_SIZE(odd_16k_tables));
}

/* No driver has a table of collections with two levels. */
static void collections_of_two_levels(void)
{
	struct machine_config cfg = machine_default;

	cfg.collections.indirect = true;
	start(&cfg);
	EXPECT_EQ(its_register(its), -EINVAL);
	expect_nothing_held();
}

static void memory_itself(void)
{
	phys_addr_t page;

	start(&machine_default);
	page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	EXPECT_EQ(__pkvm_its_register(hyp_phys_to_pfn(page), 0, 0), -EINVAL);
	EXPECT_EQ(__pkvm_its_register(hyp_phys_to_pfn(page), BIT_ULL(63), 0), -EINVAL);
	EXPECT_EQ(__pkvm_its_register(hyp_phys_to_pfn(page), BIT_ULL(63) | 1, 0), -EPERM);
	EXPECT_EQ(__pkvm_its_register(hyp_phys_to_pfn(page), BIT_ULL(52) - 1, 0), -EPERM);
	EXPECT_EQ(__pkvm_its_register(hyp_phys_to_pfn(page), SZ_1M, 0), -EPERM);
	EXPECT_EQ(__pkvm_its_register(hyp_phys_to_pfn(NO_MEMORY), 1, 0), -EPERM);
	expect_nothing_held();

	EXPECT(mem_give_guest(page));
	EXPECT_EQ(__pkvm_its_register(hyp_phys_to_pfn(page), 1, 0), -EPERM);
	expect_nothing_held();
}

/*
 * As many RDbases as make the state fill its pages to the last byte. One more is one too
 * many, however much more it is.
 */
static u64 nr_fitting, nr_over;

static void fill_with_rdbases(struct its_staging_desc *desc)
{
	u64 i;

	desc->nr_rdbases = nr_fitting + nr_over;
	for (i = 0; i < min_t(u64, desc->nr_rdbases, (SZ_64K - sizeof(*desc)) / 8); i++)
		desc->rdbases[i] = i << 16;
}

static void check_state_size(const struct machine_config *cfg)
{
	u64 header = sizeof(struct hyp_its) + sizeof(struct its_staging_desc);
	u64 nr_pages = (header + PAGE_SIZE - 1) / PAGE_SIZE;
	const u64 overs[] = { 0, 1, SZ_64K };
	unsigned int i;
	int ret;

	nr_fitting = (nr_pages * PAGE_SIZE - header) / sizeof(u64);

	for (i = 0; i < ARRAY_SIZE(overs); i++) {
		start(cfg);
		nr_over = overs[i];
		its_edit_desc = fill_with_rdbases;
		its_state_pages = nr_pages;
		ret = its_register(its);
		EXPECT_EQ(ret, overs[i] ? -EINVAL : 0);
		if (ret)
			expect_nothing_held();
	}
}

static void state_size(void)
{
	struct machine_config cfg = machine_default;

	check_state_size(&cfg);
	cfg.devices.indirect = false;
	check_state_size(&cfg);
}

static void check_records(const struct machine_config *cfg, u64 nr_ids)
{
	const u64 size = ALIGN(nr_ids * sizeof(u64), PAGE_SIZE);
	phys_addr_t last;

	start(cfg);
	its_records = NO_MEMORY;
	EXPECT_EQ(its_register(its), -EPERM);
	expect_nothing_held();

	its_records = host_alloc(size, PAGE_SIZE);
	last = its_records + size - PAGE_SIZE;
	EXPECT(mem_give_guest(last));
	EXPECT_EQ(its_register(its), -EPERM);
	expect_nothing_held();

	/* They are given back with the rest. */
	its_records = 0;
	its_edit_desc = queue_no_memory;
	EXPECT_EQ(its_register(its), -EPERM);
	expect_nothing_held();

	its_edit_desc = NULL;
	EXPECT(!its_hand_over(its));
	test_prepare(its, nr_ids - 1, EVENT_BITS);
	its_check_held(its);
}

/* EL2 records devices in memory of their own if there are no level-2 pages for that. */
static void records(void)
{
	struct machine_config cfg = machine_default;

	cfg.devices.indirect = false;
	check_records(&cfg, SZ_64K / cfg.devices.entry_size);
	cfg.devices.nr_pages = 0;
	cfg.its.dev_bits = 12;
	check_records(&cfg, BIT(12));
}

/*
 * What a driver may say for a quirk of the hardware's: fewer DeviceIDs (Cavium 22375,
 * Synquacer), larger entries (QDF2400 e0065)
 */

EDIT(fewer_device_bits, desc->typer -= 4 * BIT(GITS_TYPER_DEVBITS_SHIFT))
EDIT(larger_itt_entries, desc->typer += BIT(4))

static void quirk_device_bits(void)
{
	start(&machine_default);
	its_edit_desc = fewer_device_bits;
	EXPECT(!its_hand_over(its));

	test_map(its, BIT(12) - 1, EVENT_BITS);
	its_stage_level2(its, BASER_DEVICES, BIT(12));
	UNPREPARED(its, -EINVAL, BIT(12), EVENT_BITS, alloc_itt(5));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_DEVICE, cmd_mapd(BIT(12), EVENT_BITS, alloc_itt(5)));
}

static void quirk_itt_entries(void)
{
	phys_addr_t itt;

	start(&machine_default);
	its_edit_desc = larger_itt_entries;
	EXPECT(!its_hand_over(its));
	its->cfg.its.ite_size++;
	itt = test_map(its, DEV, 16);
	EXPECT_EQ(hyp_virt_to_phys((void *)el2_device(its->id, DEV)), itt + (13 << 16));
}

/* Where the ITS keeps its devices is then its own business. */
static void no_device_table(void)
{
	struct machine_config cfg = machine_default;

	cfg.devices.nr_pages = 0;
	start(&cfg);
	EXPECT(!its_hand_over(its));
	test_prepare(its, BIT(16) - 1, EVENT_BITS);
	UNPREPARED(its, -EINVAL, BIT(16), EVENT_BITS, alloc_itt(EVENT_BITS));
	its_check_held(its);
}

EDIT(most_lpi_bits, desc->lpi_bits = 24)
EDIT(most_addr_bits, desc->addr_bits = 52)
EDIT(highest_rdbase, desc->rdbases[3] = GENMASK_ULL(51, 16))
EDIT(one_rdbase, desc->nr_rdbases = 1)

static void extreme_descriptors(void)
{
	static void (*const edits[])(struct its_staging_desc *desc) = {
		most_lpi_bits, most_addr_bits, highest_rdbase, one_rdbase,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edits); i++) {
		start(&machine_default);
		its_edit_desc = edits[i];
		EXPECT(!its_hand_over(its));
		ACCEPT(its, cmd_sync(0));
		its_check_held(its);
	}
}

EDIT(rdbases_not_sorted, desc->rdbases[1] = desc->rdbases[3] + SZ_64K)
EDIT(rdbase_twice, desc->rdbases[2] = desc->rdbases[1])
EDIT(last_rdbase_low_bit, desc->rdbases[3] |= BIT(15))
EDIT(last_rdbase_high_bit, desc->rdbases[3] |= BIT_ULL(52))

/* EL2 may miss RDbases that the driver has in disorder, but accepts no other. */
static void odd_rdbases(void)
{
	static const struct {
		void	(*edit)(struct its_staging_desc *desc);
		u32	known, unknown;		/* one bit for each RDbase */
	} odd[] = {
		{ rdbases_not_sorted,	BIT(0) | BIT(3), BIT(1) },
		{ rdbase_twice,		BIT(0) | BIT(1) | BIT(3), BIT(2) },
		{ last_rdbase_low_bit,	BIT(0) | BIT(1) | BIT(2), BIT(3) },
		{ last_rdbase_high_bit,	BIT(0) | BIT(1) | BIT(2), BIT(3) },
	};
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		start(&machine_default);
		its_edit_desc = odd[i].edit;
		EXPECT(!its_hand_over(its));
		for (nr = 0; nr < its->cfg.its.nr_rdbases; nr++) {
			u64 rdbase = its_model_rdbase(its->model, nr);

			if (odd[i].known & BIT(nr))
				ACCEPT(its, cmd_sync(rdbase));
			if (odd[i].unknown & BIT(nr))
				REFUSE(its, PKVM_ITS_REFUSED_BAD_RDBASE, cmd_sync(rdbase));
		}
		its_check_held(its);
	}
}

static void lpi_range(void)
{
	start(&machine_default);
	its_edit_desc = most_lpi_bits;
	its->model->cfg.lpi_bits = 24;
	EXPECT(!its_hand_over(its));
	test_map(its, DEV, EVENT_BITS);
	ACCEPT(its, cmd_mapti(DEV, 0, BIT(24) - 1, 0));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_INTID, cmd_mapti(DEV, 0, BIT(24), 0));
}

/*
 * Memory that the ITS drives enough address bits for, or just not
 */

#define ADDR_BITS	30
#define ADDR_LIMIT	BIT_ULL(ADDR_BITS)

static phys_addr_t limit_end;

EDIT(move_queue, set_cbaser(desc, (its->model->cbaser & ~GENMASK_ULL(51, 12)) |
			    alloc_up_to(limit_end, SZ_64K)))
EDIT(move_table, set_baser(desc, 1, (desc->tables[1].baser & ~GENMASK_ULL(47, 12)) |
			   alloc_up_to(limit_end, 2 * SZ_64K)))
EDIT(move_level2, set_level1(1, alloc_up_to(limit_end, level2_size()) | GITS_BASER_VALID))

static void addr_bits_of_tables(void)
{
	static void (*const edits[])(struct its_staging_desc *desc) = {
		move_table, move_level2,
	};
	struct machine_config cfg = machine_default;
	unsigned int i;

	cfg.addr_bits = ADDR_BITS;
	cfg.collections.nr_pages = 2;

	for (i = 0; i < ARRAY_SIZE(edits); i++) {
		start(&cfg);
		its_edit_desc = edits[i];
		limit_end = ADDR_LIMIT;
		EXPECT(!its_register(its));
		EXPECT(!its_unregister(its));
		expect_nothing_held();

		start(&cfg);
		its_edit_desc = edits[i];
		limit_end = ADDR_LIMIT + SZ_64K;
		EXPECT_EQ(its_register(its), -EINVAL);
		expect_nothing_held();
	}
}

static void addr_bits_of_queue(void)
{
	struct machine_config cfg = machine_default;

	cfg.addr_bits = ADDR_BITS;

	start(&cfg);
	its_edit_desc = move_queue;
	limit_end = ADDR_LIMIT;
	EXPECT(!its_register(its));
	EXPECT(!its_activate(its));

	start(&cfg);
	its_edit_desc = move_queue;
	limit_end = ADDR_LIMIT + SZ_64K;
	EXPECT(!its_register(its));
	EXPECT_EQ(its_activate(its), -EINVAL);
	EXPECT(!its_unregister(its));
	expect_nothing_held();
}

static void addr_bits_of_itts(void)
{
	struct machine_config cfg = machine_default;
	phys_addr_t itt;
	u64 size;

	cfg.addr_bits = ADDR_BITS;
	start(&cfg);
	size = test_itt_size(its, 14);
	its_stage_level2(its, BASER_DEVICES, DEV);
	EXPECT(!its_register(its));
	itt = alloc_up_to(ADDR_LIMIT + PAGE_SIZE, size + PAGE_SIZE);
	EXPECT_EQ(__pkvm_its_adopt_device(its->id, DEV, 14, itt + PAGE_SIZE), -EINVAL);
	EXPECT_EQ(mem_page(itt + PAGE_SIZE)->owner, MEM_HOST);
	EXPECT(!__pkvm_its_adopt_device(its->id, DEV, 14, itt));
	its_check_held(its);
}

static void addr_bits_of_prepare(void)
{
	struct machine_config cfg = machine_default;
	u64 next_page = SZ_64K / cfg.devices.entry_size;
	phys_addr_t itt, level2;
	u64 size;

	cfg.addr_bits = ADDR_BITS;
	start(&cfg);
	size = test_itt_size(its, 14);
	EXPECT(!its_hand_over(its));
	test_prepare(its, 1, EVENT_BITS);

	level2 = alloc_up_to(ADDR_LIMIT - ALIGN(2 * size, SZ_64K), level2_size());
	itt = alloc_up_to(ADDR_LIMIT + SZ_64K, size + SZ_64K);
	UNPREPARED(its, -EINVAL, 0, 14, itt + PAGE_SIZE);
	UNPREPARED(its, -EINVAL, 0, 14, ADDR_LIMIT);
	UNPREPARED(its, -EINVAL, 0, 14, ADDR_LIMIT - PAGE_SIZE);
	itt = ALIGN_DOWN(ADDR_LIMIT - size, PAGE_SIZE);
	EXPECT_EQ(its_prepare(its, 0, 14, itt), 0);
	EXPECT_EQ(its_reclaim(its, 0), 0);

	its_stage_level1_entry(its, BASER_DEVICES, next_page, ADDR_LIMIT | GITS_BASER_VALID);
	UNPREPARED(its, -EINVAL, next_page, 14, itt);
	its_stage_level1_entry(its, BASER_DEVICES, next_page,
			       (ADDR_LIMIT - SZ_64K) | GITS_BASER_VALID);
	UNPREPARED(its, -EINVAL, next_page, 14, itt);
	EXPECT_EQ(mem_page(itt)->owner, MEM_HOST);
	EXPECT_EQ(mem_page(ADDR_LIMIT)->owner, MEM_HOST);

	its_stage_level1_entry(its, BASER_DEVICES, next_page, level2 | GITS_BASER_VALID);
	EXPECT_EQ(its_prepare(its, next_page, 14, itt), 0);
	its_check_held(its);
}

/*
 * The rest of the hypervisor fails
 */

/* Registers with level-2 pages and a device in place, with the nth call failing. */
static void failing_register(void)
{
	unsigned int nr;
	int ret;

	for (nr = 1; ; nr++) {
		start(&machine_default);
		set_level1(1, new_level2());
		map_early(DEV, alloc_itt(EVENT_BITS));
		mem_fail_call = nr;
		ret = its_register(its);
		if (mem_fail_call)
			break;

		EXPECT_EQ(ret, -ENOMEM);
		expect_nothing_held();
		EXPECT(translates(DEV));
	}

	EXPECT_EQ(ret, 0);
	/* State, mapping, two tables, staging table, two level-2 pages, staging queue */
	EXPECT_EQ(nr - 1, 1 + 1 + 2 + SZ_64K / PAGE_SIZE + 1 + 2 + SZ_64K / PAGE_SIZE + 1);
}

static void failing_adopt_device(void)
{
	phys_addr_t itt;

	start(&machine_default);
	itt = alloc_itt(EVENT_BITS);
	map_early(DEV, itt);
	EXPECT(!its_register(its));

	mem_fail_call = 1;
	EXPECT_EQ(__pkvm_its_adopt_device(its->id, DEV, EVENT_BITS, itt), -ENOMEM);
	EXPECT_EQ(mem_page(itt)->owner, MEM_HOST);
	its_check_held(its);
	EXPECT(!__pkvm_its_adopt_device(its->id, DEV, EVENT_BITS, itt));
}

static void failing_activate(void)
{
	start(&machine_default);
	EXPECT(!its_register(its));

	mem_fail_call = 1;
	EXPECT_EQ(its_activate(its), -ENOMEM);
	EXPECT_EQ(mem_page(its->queue)->owner, MEM_HOST);
	its_check_held(its);

	/* As if it had never been tried */
	EXPECT(!its_activate(its));
	ACCEPT(its, cmd_sync(0));
}

static void failing_fence(void)
{
	start(&machine_default);
	its_model_write(its->model, GITS_CTLR, 0, 4);

	mem_fail_call = 1;
	EXPECT_EQ(__pkvm_its_fence(its->cfg.its.base, true), -ENOMEM);
	EXPECT(!is_guarded(its->cfg.its.base));
	EXPECT(!__pkvm_its_fence(its->cfg.its.base, true));
	EXPECT(is_guarded(its->cfg.its.base));
}

/*
 * Devices that are mapped already
 */

static void adopt_device(void)
{
	phys_addr_t itt;

	start(&machine_default);
	itt = alloc_itt(EVENT_BITS);
	map_early(DEV, itt);
	EXPECT(!its_register(its));
	EXPECT(!__pkvm_its_adopt_device(its->id, DEV, EVENT_BITS, itt));
	its_check_held(its);
	EXPECT(!mem_host_write(itt, 1));
	EXPECT(translates(DEV));

	/* What it has in its entries is kept, */
	EXPECT(!its_activate(its));
	EXPECT(!__pkvm_its_adopt_event(its->id, DEV, EVENT));
	EXPECT(translates(DEV));
	ACCEPT(its, cmd_mapti(DEV, (1 << EVENT_BITS) - 1, INTID + 1, 0));
	REFUSE(its, PKVM_ITS_REFUSED_BAD_EVENT, cmd_mapti(DEV, 1 << EVENT_BITS, INTID + 2, 0));

	/* and it is unmapped like any other. */
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	DISCARD(its, DEV, EVENT);
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	DISCARD(its, DEV, (1 << EVENT_BITS) - 1);
	UNMAP(its, DEV);
	EXPECT(!translates(DEV));
	EXPECT(mem_host_write(itt, 1));
	its_check_held(its);
}

/* What lies behind a level-2 page that is there already is no record. */
static void level2_with_contents(void)
{
	phys_addr_t level2;

	start(&machine_default);
	level2 = its_stage_level2(its, BASER_DEVICES, DEV);
	EXPECT(mem_host_fill(level2 + SZ_64K, level2_size() - SZ_64K, level2));
	EXPECT(!its_hand_over(its));
	EXPECT(!el2_device(its->id, DEV));
	REFUSE(its, PKVM_ITS_REFUSED_NOT_MAPPED, cmd_unmapd(DEV));
	test_map(its, DEV, EVENT_BITS);
	its_check_held(its);
}

/* An event of one that is there, and never again once the host is not trusted */
static void adopt_event(void)
{
	phys_addr_t itt;

	start(&machine_default);
	itt = alloc_itt(EVENT_BITS);
	map_early(DEV, itt);
	EXPECT(!its_register(its));
	EXPECT_EQ(__pkvm_its_adopt_event(its->id, DEV, EVENT), -EINVAL);
	EXPECT(!__pkvm_its_adopt_device(its->id, DEV, EVENT_BITS, itt));
	EXPECT_EQ(__pkvm_its_adopt_event(its->id, DEV, EVENT), -EINVAL);
	EXPECT(!its_activate(its));

	EXPECT_EQ(__pkvm_its_adopt_event(its->id, DEV, 1 << EVENT_BITS), -EINVAL);
	EXPECT_EQ(__pkvm_its_adopt_event(its->id, DEV, ~0U), -EINVAL);
	EXPECT_EQ(__pkvm_its_adopt_event(its->id, DEV + 1, 0), -EINVAL);
	EXPECT_EQ(__pkvm_its_adopt_event(its->id, 0x8000, 0), -EINVAL);
	EXPECT_EQ(__pkvm_its_adopt_event(its->id, ~0U, 0), -EINVAL);

	/* The driver maps and unmaps events meanwhile. */
	ACCEPT(its, cmd_mapti(DEV, 1, INTID + 1, 0));
	EXPECT(!__pkvm_its_adopt_event(its->id, DEV, 1));
	EXPECT(!__pkvm_its_adopt_event(its->id, DEV, EVENT));
	DISCARD(its, DEV, 1);
	REFUSE(its, PKVM_ITS_REFUSED_EVENTS_MAPPED, cmd_unmapd(DEV));
	DISCARD(its, DEV, EVENT);
	UNMAP(its, DEV);
}

static void adopt_device_refusals(void)
{
	struct machine_config cfg = machine_default;
	phys_addr_t itt, guests;
	unsigned int i;
	u64 held;

	cfg.its.event_bits = 10;
	start(&cfg);
	itt = host_alloc(4 * SZ_64K, SZ_64K);
	guests = host_alloc(SZ_64K, SZ_64K);
	mem_give_guest(guests + test_itt_size(its, 10) - PAGE_SIZE);
	its_stage_level2(its, BASER_DEVICES, DEV);
	EXPECT(!its_register(its));

	const struct {
		u32		id;
		u32		dev_id;
		u32		event_bits;
		phys_addr_t	itt;
		int		ret;
	} refused[] = {
		{ its->id + 1, DEV, EVENT_BITS, itt, -EINVAL },
		{ -1, DEV, EVENT_BITS, itt, -EINVAL },
		{ its->id, DEV, 0, itt, -EINVAL },
		{ its->id, DEV, 11, itt, -EINVAL },
		{ its->id, DEV, ~0U, itt, -EINVAL },
		{ its->id, DEV, EVENT_BITS, itt + GRANULE, -EINVAL },
		{ its->id, DEV, EVENT_BITS, NO_MEMORY, -EPERM },
		{ its->id, DEV, EVENT_BITS, ~0ULL - PAGE_SIZE + 1, -EINVAL },
		{ its->id, DEV, 10, guests, -EPERM },
		{ its->id, DEV, EVENT_BITS, its->tables[1], -EPERM },
		{ its->id, DEV, EVENT_BITS, its->staging_queue, -EPERM },
		{ its->id, 0x8000, EVENT_BITS, itt, -EINVAL },
		{ its->id, 0x10000, EVENT_BITS, itt, -EINVAL },
		{ its->id, ~0U, EVENT_BITS, itt, -EINVAL },
	};

	held = its_stat(its, PKVM_ITS_HELD_PAGES);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		EXPECT_EQ(__pkvm_its_adopt_device(refused[i].id, refused[i].dev_id,
						  refused[i].event_bits, refused[i].itt),
			  refused[i].ret);
		EXPECT_EQ(its_stat(its, PKVM_ITS_HELD_PAGES), held);
		its_check_held(its);
	}

	EXPECT(!__pkvm_its_adopt_device(its->id, DEV, 10, itt));
	held = its_stat(its, PKVM_ITS_HELD_PAGES);

	/* Twice: the ITT, the device */
	EXPECT_EQ(__pkvm_its_adopt_device(its->id, DEV + 1, 10, itt), -EPERM);
	EXPECT_EQ(__pkvm_its_adopt_device(its->id, DEV, 1, itt + SZ_128K), -EINVAL);
	EXPECT_EQ(its_stat(its, PKVM_ITS_HELD_PAGES), held);
	its_check_held(its);

	EXPECT(!its_activate(its));
	EXPECT_EQ(__pkvm_its_adopt_device(its->id, DEV + 1, 1, itt + SZ_128K), -EINVAL);
	its_check_held(its);
}

/*
 * Activation
 */

static void activate_elsewhere(void)
{
	u32 offset, size;

	start(&machine_default);
	EXPECT(!its_register(its));
	offset = its->next * 32;
	size = its->cfg.queue_pages * SZ_4K;

	EXPECT_EQ(__pkvm_its_activate(its->id + 1, offset), -EINVAL);
	EXPECT_EQ(__pkvm_its_activate(-1, offset), -EINVAL);
	EXPECT_EQ(__pkvm_its_activate(its->id, offset + 8), -EINVAL);
	EXPECT_EQ(__pkvm_its_activate(its->id, size + offset), -EINVAL);
	EXPECT_EQ(__pkvm_its_activate(its->id, size), -EINVAL);
	EXPECT_EQ(__pkvm_its_activate(its->id, offset + 32), -EBUSY);
	EXPECT_EQ(__pkvm_its_activate(its->id, 0), -EBUSY);

	/* The hardware has not got to it yet, or the driver has posted meanwhile. */
	its->model->pace = ITS_STALLED;
	its_stage(its, cmd_sync(0));
	its_ring(its);
	EXPECT_EQ(__pkvm_its_activate(its->id, offset), -EBUSY);
	EXPECT_EQ(__pkvm_its_activate(its->id, offset + 32), -EBUSY);
	EXPECT_EQ(mem_page(its->queue)->owner, MEM_HOST);

	its_model_step(its->model, UINT_MAX);
	EXPECT(!its_activate(its));
	EXPECT_EQ(its_activate(its), -EINVAL);
	its_check_held(its);
}

static void activate_at_the_end(void)
{
	start(&machine_default);
	EXPECT(!its_register(its));
	while (its->next != its_nr_slots(its) - 1) {
		its_stage(its, cmd_sync(0));
		its_ring(its);
	}

	EXPECT(!its_activate(its));
	test_map(its, DEV, EVENT_BITS);
	EXPECT_EQ(its->next, 0);
	ACCEPT(its, cmd_mapti(DEV, EVENT, INTID, 1));
	EXPECT(translates(DEV));
}

static void activate_changed_bases(void)
{
	struct test_regs regs, wrong;
	unsigned int i;

	start(&machine_default);
	EXPECT(!its_register(its));
	regs = test_regs(its);

	for (i = 0; i < 1 + GITS_BASER_NR_REGS; i++) {
		wrong = regs;
		if (i == GITS_BASER_NR_REGS)
			wrong.cbaser ^= GITS_CBASER_InnerShareable;
		else
			wrong.baser[i] ^= wrong.baser[i] ? GITS_BASER_InnerShareable
							 : GITS_BASER_VALID;

		test_set_regs(its, &wrong);
		EXPECT_EQ(its_activate(its), -EBUSY);
		EXPECT_EQ(mem_page(its->queue)->owner, MEM_HOST);
		EXPECT(test_same_regs(its, &wrong));
	}

	/* The type of a table that is not valid is read-only. */
	regs.baser[7] = (u64)GITS_BASER_TYPE_DEVICE << GITS_BASER_TYPE_SHIFT;
	test_set_regs(its, &regs);
	EXPECT(!its_activate(its));
}

static void activate_guests_queue(void)
{
	phys_addr_t last;

	start(&machine_default);
	last = its->queue + its->cfg.queue_pages * SZ_4K - PAGE_SIZE;
	EXPECT(!its_register(its));
	EXPECT(mem_give_guest(last));
	EXPECT_EQ(its_activate(its), -EPERM);
	its_check_held(its);
	EXPECT(mem_take_guest(last));
	EXPECT(!its_activate(its));
	EXPECT(!mem_host_write(its->queue, 0));
	EXPECT(!mem_host_write(last, 0));
	its_check_held(its);
}

/* Registered, but not active: the registers are guarded, and writes have no effect. */
static void inactive(void)
{
	struct test_regs regs;
	u64 offset;

	start(&machine_default);
	EXPECT(!its_register(its));
	EXPECT(is_guarded(its->cfg.its.base));
	regs = test_regs(its);

	for (offset = 0; offset < 0x200; offset += 8)
		its_write(its, offset, 0x20, 8);
	its_write(its, GITS_CTLR, 0, 4);
	EXPECT_EQ(__pkvm_its_post(its->id, 0x20), -EINVAL);

	EXPECT(test_same_regs(its, &regs));
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), 0x200 / 8 + 1);
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), 0);
	EXPECT_EQ(its_refused_all(its), 0);
}

static void post(void)
{
	start(&machine_default);
	EXPECT(!its_hand_over(its));
	its_stage(its, cmd_sync(0));
	EXPECT(!__pkvm_its_post(its->id, its->next * 32));
	EXPECT_EQ(its_stat(its, PKVM_ITS_ACCEPTED), 1);
	EXPECT_EQ(its->model->cwriter, its->next * 32);

	/* All bits count */
	EXPECT_EQ(__pkvm_its_post(its->id, its->next * 32 | BIT(31)), -EINVAL);
	EXPECT_EQ(__pkvm_its_post(its->id, its->next * 32 | 1), -EINVAL);
	EXPECT_EQ(its->model->cwriter, its->next * 32);
	EXPECT_EQ(__pkvm_its_post(its->id + 1, 0), -EINVAL);
	EXPECT_EQ(__pkvm_its_post(-1, 0), -EINVAL);
}

/*
 * Undoing it
 */

static void unregister(void)
{
	phys_addr_t itts[3];
	struct test_regs regs;
	unsigned int i;
	u32 id;

	start(&machine_default);
	for (i = 0; i < ARRAY_SIZE(itts); i++)
		itts[i] = alloc_itt(EVENT_BITS);
	set_level1(1, new_level2());
	map_early(DEV, itts[0]);
	map_early(DEV + 1, itts[1]);
	map_early(0xffff, itts[2]);
	regs = test_regs(its);

	EXPECT(!its_register(its));
	EXPECT(!__pkvm_its_adopt_device(its->id, DEV, EVENT_BITS, itts[0]));
	EXPECT(!__pkvm_its_adopt_device(its->id, DEV + 1, EVENT_BITS, itts[1]));
	EXPECT(!__pkvm_its_adopt_device(its->id, 0xffff, EVENT_BITS, itts[2]));

	id = its->id;
	EXPECT(!its_unregister(its));
	expect_nothing_held();
	EXPECT(test_same_regs(its, &regs));
	EXPECT_EQ(__pkvm_its_unregister(id), -EINVAL);
	EXPECT_EQ(__pkvm_its_unregister(id + 1), -EINVAL);
	EXPECT_EQ(__pkvm_its_activate(id, its->next * 32), -EINVAL);

	/* The driver goes on, and may even try again. */
	EXPECT(translates(DEV));
	EXPECT(translates(DEV + 1));
	EXPECT(translates(0xffff));
	EXPECT(!its_hand_over(its));
	EXPECT_EQ(its->id, id);
	EXPECT_EQ(__pkvm_its_unregister(its->id), -EINVAL);
	ACCEPT(its, cmd_sync(0));
	its_check_held(its);
}

static void unregister_first_of_two(void)
{
	struct host_its *first, *second;

	start(&machine_default);
	first = its;
	second = its_start(&machine_default);
	EXPECT(!its_register(first));
	EXPECT(!its_hand_over(second));

	/* Only the last one can go: IDs have no gaps. */
	EXPECT_EQ(__pkvm_its_unregister(first->id), -EINVAL);
	EXPECT(is_guarded(first->cfg.its.base));
	EXPECT(is_guarded(second->cfg.its.base));
	ACCEPT(second, cmd_sync(0));

	EXPECT(!its_activate(first));
	ACCEPT(first, cmd_sync(0));
	ACCEPT(second, cmd_sync(0));
	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS),
		  its_stat(first, PKVM_ITS_HELD_PAGES) + its_stat(second, PKVM_ITS_HELD_PAGES));
}

/* Memory can't be guarded, and nothing is left to be undone. */
static void registers_in_memory(void)
{
	phys_addr_t base;

	start(&machine_default);
	base = host_alloc(SZ_64K, SZ_64K);
	its->cfg.its.base = base;
	its->model->cfg.base = base;
	EXPECT_EQ(its_register(its), -EINVAL);
	expect_nothing_held();
}

static void all_ids(void)
{
	struct host_its *all[PKVM_ITS_MAX + 1];
	unsigned int i;

	start(&machine_default);
	all[0] = its;
	for (i = 1; i <= PKVM_ITS_MAX; i++)
		all[i] = its_start(&machine_default);

	for (i = 0; i < PKVM_ITS_MAX; i++) {
		EXPECT(!its_register(all[i]));
		EXPECT_EQ(all[i]->id, i);
	}

	EXPECT_EQ(its_register(all[i]), -ENOSPC);
	EXPECT_EQ(__pkvm_its_stat(PKVM_ITS_MAX, PKVM_ITS_HELD_PAGES), 0);

	/* The ID of one that is gone is given again. */
	EXPECT(!its_unregister(all[i - 1]));
	EXPECT_EQ(__pkvm_its_stat(i - 1, PKVM_ITS_HELD_PAGES), 0);
	EXPECT(!its_register(all[i]));
	EXPECT_EQ(all[i]->id, i - 1);

	while (i--)
		EXPECT(!its_unregister(i == PKVM_ITS_MAX - 1 ? all[i + 1] : all[i]));
	expect_nothing_held();
}

static void all_guards(void)
{
	unsigned int i;

	start(&machine_default);
	for (i = 0; i < MMIO_GUARD_MAX; i++)
		EXPECT(!__pkvm_its_fence(SZ_256M + i * ITS_FRAME, false));

	EXPECT_EQ(__pkvm_its_fence(SZ_256M + i * ITS_FRAME, false), -ENOSPC);
	EXPECT(!is_guarded(SZ_256M + i * ITS_FRAME));
	EXPECT_EQ(its_register(its), -ENOSPC);
	expect_nothing_held();
	EXPECT(is_guarded(SZ_256M));
}

static void tell_all_bases(struct its_staging_desc *desc)
{
	unsigned int i;

	for (i = 0; i < GITS_BASER_NR_REGS; i++)
		set_baser(desc, i, its->model->baser[i]);
}

static void tell_fewer_bits(struct its_staging_desc *desc)
{
	tell_all_bases(desc);
	desc->addr_bits--;
}

/* GICv4.1: the table is with the ITS that came first. */
static void shared_vpe_table(void)
{
	struct machine_config cfg = machine_default;
	struct host_its *first, *second;
	phys_addr_t table, own;
	u64 baser, held;

	cfg.its.vpes = ITS_GICV4_1;
	cfg.vpes.nr_pages = 0;
	start(&cfg);
	first = its;
	second = its_start(&cfg);
	table = host_alloc(SZ_64K, SZ_64K);
	own = host_alloc(SZ_64K, SZ_64K);
	baser = GITS_BASER_VALID | GITS_BASER_PAGE_SIZE_64K |
		(u64)GITS_BASER_TYPE_VCPU << GITS_BASER_TYPE_SHIFT |
		7ULL << GITS_BASER_ENTRY_SIZE_SHIFT;
	first->model->baser[2] = baser | table;
	/* Whatever the attributes are */
	second->model->baser[2] = baser | table | GITS_BASER_InnerShareable | GITS_BASER_RaWaWb;
	second->model->baser[3] = baser | own;

	its_edit_desc = tell_all_bases;
	EXPECT(!its_register(first));
	EXPECT(!its_unregister(first));
	EXPECT(!its_hand_over(first));
	EXPECT_EQ(mem_page(table)->owner, MEM_ITS);
	its_check_held(first);
	held = its_stat(first, PKVM_ITS_HELD_PAGES);

	its = second;
	its_edit_desc = tell_fewer_bits;
	EXPECT_EQ(its_register(second), -EINVAL);
	its_check_held(first);
	its_edit_desc = tell_all_bases;
	EXPECT(!its_register(second));
	EXPECT_EQ(mem_page(own)->owner, MEM_ITS);
	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS),
		  held + its_stat(second, PKVM_ITS_HELD_PAGES));

	EXPECT(!its_unregister(second));
	EXPECT_EQ(mem_page(table)->owner, MEM_ITS);
	EXPECT_EQ(mem_page(own)->owner, MEM_HOST);
	its_check_held(first);
}

static void second_device_table(void)
{
	start(&machine_default);
	its->model->baser[3] = GITS_BASER_VALID | GITS_BASER_PAGE_SIZE_64K |
			       (u64)GITS_BASER_TYPE_DEVICE << GITS_BASER_TYPE_SHIFT |
			       7ULL << GITS_BASER_ENTRY_SIZE_SHIFT | host_alloc(SZ_64K, SZ_64K);
	its_edit_desc = tell_all_bases;
	EXPECT_EQ(its_register(its), -EINVAL);
	expect_nothing_held();
}

/* Nothing else is shared. */
static void shared_device_table(void)
{
	struct host_its *first, *second;

	start(&machine_default);
	first = its;
	second = its_start(&machine_default);
	second->model->baser[BASER_COLLECTIONS] = first->model->baser[BASER_COLLECTIONS];
	second->tables[BASER_COLLECTIONS] = first->tables[BASER_COLLECTIONS];
	EXPECT(!its_hand_over(first));
	EXPECT_EQ(its_register(second), -EPERM);
	EXPECT(!is_guarded(second->cfg.its.base));
	its_check_held(first);
}

/*
 * Fences
 */

static void fence(void)
{
	struct test_regs regs;
	phys_addr_t base;
	u64 offset;

	start(&machine_default);
	base = its->cfg.its.base;
	its_model_write(its->model, GITS_CTLR, 0, 4);
	EXPECT(!__pkvm_its_fence(base, true));
	EXPECT(is_guarded(base));

	regs = test_regs(its);
	for (offset = 0; offset < ITS_FRAME; offset += 4) {
		its_write(its, offset, ~0U, 4);
		if (!(offset % 8))
			its_write(its, offset, ~0ULL, 8);
	}
	EXPECT(test_same_regs(its, &regs));

	/* It is there for good. */
	EXPECT_EQ(__pkvm_its_fence(base, true), -EBUSY);
	EXPECT_EQ(__pkvm_its_fence(base, false), -EBUSY);
	EXPECT_EQ(its_register(its), -EBUSY);
	EXPECT(is_guarded(base));
	EXPECT_EQ(mem_count(MEM_EL2) + mem_count(MEM_ITS), 0);
	EXPECT(mem_is_clean());
}

static void fence_running(void)
{
	phys_addr_t base;

	start(&machine_default);
	base = its->cfg.its.base;
	EXPECT_EQ(__pkvm_its_fence(base, true), -EBUSY);
	EXPECT(!is_guarded(base));

	its->model->ctlr |= GITS_CTLR_QUIESCENT;
	EXPECT_EQ(__pkvm_its_fence(base, true), -EBUSY);
	its->model->ctlr &= ~GITS_CTLR_QUIESCENT;

	its->model->quiesces = 1;
	its_model_write(its->model, GITS_CTLR, 0, 4);
	EXPECT_EQ(__pkvm_its_fence(base, true), -EBUSY);
	EXPECT(!is_guarded(base));
	EXPECT(!__pkvm_its_fence(base, true));
}

static void fence_absent(void)
{
	start(&machine_default);
	EXPECT_EQ(__pkvm_its_fence(SZ_16M, true), -EINVAL);
	EXPECT(!is_guarded(SZ_16M));
	/* Its registers must not be accessed: there are none. */
	EXPECT(!__pkvm_its_fence(SZ_16M, false));
	EXPECT(is_guarded(SZ_16M));
	EXPECT_EQ(__pkvm_its_fence(SZ_256M + PAGE_SIZE / 2, false), -EINVAL);
	EXPECT_EQ(__pkvm_its_fence(-ITS_FRAME, false), -EINVAL);
	/* Memory is not guarded, not even behind the first page. */
	EXPECT_EQ(__pkvm_its_fence(MEM_LOW, false), -EINVAL);
	EXPECT_EQ(__pkvm_its_fence(MEM_LOW - ITS_FRAME / 2, false), -EINVAL);
	EXPECT(!mmio_guard_find(MEM_LOW - ITS_FRAME / 2));
}

static void fence_registered(void)
{
	start(&machine_default);
	EXPECT(!its_register(its));
	EXPECT_EQ(__pkvm_its_fence(its->cfg.its.base, false), -EBUSY);
	its_model_write(its->model, GITS_CTLR, 0, 4);
	EXPECT_EQ(__pkvm_its_fence(its->cfg.its.base, true), -EBUSY);
	its_write(its, GITS_CTLR, 0, 4);
	EXPECT_EQ(its_stat(its, PKVM_ITS_WRITES_IGNORED), 1);
}

/*
 * Guards
 */

static const struct mmio_guard_ops guard_ops;

static int guard(phys_addr_t page, u64 nr_pages)
{
	return mmio_guard_add(page * PAGE_SIZE, nr_pages * PAGE_SIZE, &guard_ops, NULL);
}

static void guard_regions(void)
{
	const struct mmio_guard *found;
	int priv;

	EXPECT_EQ(guard(10, 0), -EINVAL);
	EXPECT_EQ(mmio_guard_add(1, PAGE_SIZE, &guard_ops, NULL), -EINVAL);
	EXPECT_EQ(mmio_guard_add(0, PAGE_SIZE + 1, &guard_ops, NULL), -EINVAL);
	EXPECT_EQ(mmio_guard_add(-PAGE_SIZE, PAGE_SIZE, &guard_ops, NULL), -EINVAL);
	EXPECT_EQ(mmio_guard_add(-PAGE_SIZE, 2 * PAGE_SIZE, &guard_ops, NULL), -EINVAL);

	EXPECT(!guard(10, 2));
	EXPECT_EQ(guard(10, 2), -EBUSY);
	EXPECT_EQ(guard(9, 2), -EBUSY);
	EXPECT_EQ(guard(11, 2), -EBUSY);
	EXPECT_EQ(guard(9, 4), -EBUSY);
	EXPECT(!guard(9, 1));
	EXPECT(!mmio_guard_add(12 * PAGE_SIZE, PAGE_SIZE, &guard_ops, &priv));

	EXPECT(!mmio_guard_find(9 * PAGE_SIZE - 1));
	EXPECT(!mmio_guard_find(13 * PAGE_SIZE));
	found = mmio_guard_find(10 * PAGE_SIZE);
	EXPECT(found && found == mmio_guard_find(12 * PAGE_SIZE - 1));
	EXPECT_EQ(found->start, 10 * PAGE_SIZE);
	EXPECT_EQ(found->end, 12 * PAGE_SIZE);
	found = mmio_guard_find(12 * PAGE_SIZE);
	EXPECT(found && found->ops == &guard_ops && found->priv == &priv);

	/* Not a start of a region */
	mmio_guard_remove(11 * PAGE_SIZE);
	EXPECT(mmio_guard_find(11 * PAGE_SIZE));
	mmio_guard_remove(10 * PAGE_SIZE);
	EXPECT(!mmio_guard_find(10 * PAGE_SIZE));
	EXPECT(!mmio_guard_find(11 * PAGE_SIZE));
	EXPECT(mmio_guard_find(9 * PAGE_SIZE));
	EXPECT(mmio_guard_find(12 * PAGE_SIZE));
	mmio_guard_remove(9 * PAGE_SIZE);
	mmio_guard_remove(12 * PAGE_SIZE);
	EXPECT(!mmio_guard_find(9 * PAGE_SIZE));
	EXPECT(!mmio_guard_find(12 * PAGE_SIZE));
}

static void guard_clip(void)
{
	static const struct {
		u64	addr;
		u64	start;
		u64	end;
		u64	want_start;
		u64	want_end;
	} clips[] = {
		{ 5, 0, 100, 0, 10 },
		{ 9, 0, 100, 0, 10 },
		{ 5, 3, 8, 3, 8 },
		{ 12, 0, 100, 12, 20 },
		{ 15, 0, 100, 12, 20 },
		{ 19, 14, 100, 14, 20 },
		{ 21, 0, 100, 21, 100 },
		{ 50, 0, 100, 21, 100 },
		{ 50, 40, 60, 40, 60 },
	};
	unsigned int i;

	EXPECT(!guard(20, 1));
	EXPECT(!guard(10, 2));

	for (i = 0; i < ARRAY_SIZE(clips); i++) {
		u64 start_at = clips[i].start * PAGE_SIZE, end = clips[i].end * PAGE_SIZE;

		mmio_guard_clip(clips[i].addr * PAGE_SIZE, &start_at, &end);
		EXPECT_EQ(start_at, clips[i].want_start * PAGE_SIZE);
		EXPECT_EQ(end, clips[i].want_end * PAGE_SIZE);
	}
}

const struct test handover_tests[] = {
	TEST(wrong_descriptor),
	TEST(wrong_typer),
	TEST(wrong_level2),
	TEST(odd_configuration),
	TEST(collections_of_two_levels),
	TEST(memory_itself),
	TEST(state_size),
	TEST(records),
	TEST(quirk_device_bits),
	TEST(quirk_itt_entries),
	TEST(no_device_table),
	TEST(extreme_descriptors),
	TEST(odd_rdbases),
	TEST(lpi_range),
	TEST(addr_bits_of_tables),
	TEST(addr_bits_of_queue),
	TEST(addr_bits_of_itts),
	TEST(addr_bits_of_prepare),
	TEST(failing_register),
	TEST(failing_adopt_device),
	TEST(failing_activate),
	TEST(failing_fence),
	TEST(adopt_device),
	TEST(level2_with_contents),
	TEST(adopt_event),
	TEST(adopt_device_refusals),
	TEST(activate_elsewhere),
	TEST(activate_at_the_end),
	TEST(activate_changed_bases),
	TEST(activate_guests_queue),
	TEST(inactive),
	TEST(post),
	TEST(unregister),
	TEST(unregister_first_of_two),
	TEST(registers_in_memory),
	TEST(all_ids),
	TEST(all_guards),
	TEST(shared_vpe_table),
	TEST(second_device_table),
	TEST(shared_device_table),
	TEST(fence),
	TEST(fence_running),
	TEST(fence_absent),
	TEST(fence_registered),
	TEST(guard_regions),
	TEST(guard_clip),
	{}
};
