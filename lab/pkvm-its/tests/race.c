// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that changes staging memory while EL2 reads it
 *
 * At one of EL2's reads the host makes a change. Whatever it is, EL2 must have read each
 * word once, and have done what it does when a host that makes no changes has these words
 * in memory: the same is run again with them, and both machines must end up the same. Both
 * end with a check that what EL2 has recorded is what the ITS has.
 */

#include "test.h"

#define MAPPED		0x10	/* a device that is mapped, with EVENT_BITS */
#define UNMAPPED	0x11	/* one that is prepared */
#define FAR		0x4000	/* one that is not, with a level-2 page to take */
#define OTHER		0x12	/* one that is mapped, without an event */
#define EVENT_BITS	14
#define INTID		8200
#define ITT_SIZE	SZ_64K	/* room for one of MAPPED's size */

#define MAX_READS	32
#define NR_SLOTS	2

/* The machine of the test, made anew for each run */
static struct {
	struct host_its	*its;
	phys_addr_t	itt;		/* of MAPPED */
	phys_addr_t	itt_unmapped;	/* of UNMAPPED */
	phys_addr_t	free;		/* room for ITTs and level-2 pages */
	phys_addr_t	guest;
	u32		start;		/* slot of the first command */
} host;

/* What EL2 has read, in its order */
static struct {
	phys_addr_t	phys[MAX_READS];
	u64		val[MAX_READS];
	u64		nr;
} seen;

/* What is left of a run */
struct outcome {
	struct cmd	committed[NR_SLOTS];
	u64		level1[2];
	u64		stats[PKVM_ITS_NR_STATS];
	u64		executed[256];
	u64		owners;		/* of all pages, summed up with their addresses */
	bool		is_mapped[4];
};

static const u32 dev_ids[] = { MAPPED, UNMAPPED, OTHER, FAR };

static void start(void)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;

	machine_reset();
	cfg.its.ite_size = 2;
	its = its_up(&cfg);
	host.its = its;
	host.itt = test_map(its, MAPPED, EVENT_BITS);
	ACCEPT(its, cmd_mapti(MAPPED, 1, INTID, 0));
	test_map(its, OTHER, EVENT_BITS);
	host.itt_unmapped = test_prepare(its, UNMAPPED, 5);
	its_stage_level2(its, BASER_DEVICES, FAR);
	host.free = host_alloc(4 * ITT_SIZE, SZ_64K);
	host.guest = host_alloc(SZ_64K, SZ_64K);
	mem_give_guest(host.guest);
	host.start = its->next;
}

enum {
	MAPD, REMAPD, UNMAPD, MAPC, UNMAPC, MAPTI, MAPI, MOVI, DISCARD, CLEAR, INT, INV,
	INVALL, MOVALL, SYNC, NR_CMDS,
};

static struct cmd make_cmd(unsigned int nr)
{
	u64 rdbase = its_model_rdbase(host.its->model, 1);

	switch (nr) {
	case MAPD:
		return cmd_mapd(UNMAPPED, 5, host.itt_unmapped);
	case REMAPD:
		return cmd_mapd(MAPPED, EVENT_BITS, host.itt);
	case UNMAPD:
		return cmd_unmapd(OTHER);
	case MAPC:
		return cmd_mapc(2, rdbase);
	case UNMAPC:
		return cmd_unmapc(3);
	case MAPTI:
		return cmd_mapti(MAPPED, 2, INTID + 1, 1);
	case MAPI:
		return cmd_mapi(MAPPED, INTID, 1);
	case MOVI:
		return cmd_movi(MAPPED, 1, 1);
	case DISCARD:
		return cmd_event(GITS_CMD_DISCARD, MAPPED, 1);
	case CLEAR:
		return cmd_event(GITS_CMD_CLEAR, MAPPED, 1);
	case INT:
		return cmd_event(GITS_CMD_INT, MAPPED, 1);
	case INV:
		return cmd_event(GITS_CMD_INV, MAPPED, 1);
	case INVALL:
		return cmd_invall(1);
	case MOVALL:
		return cmd_movall(rdbase, its_model_rdbase(host.its->model, 2));
	default:
		return cmd_sync(rdbase);
	}
}

static phys_addr_t word_of(u32 slot, unsigned int w)
{
	return host.its->staging + (host.start + slot) * sizeof(struct cmd) + w * sizeof(u64);
}

static void write_cmd(u32 slot, struct cmd cmd)
{
	unsigned int w;

	for (w = 0; w < ARRAY_SIZE(cmd.raw); w++)
		mem_host_write(word_of(slot, w), cmd.raw[w]);
}

/*
 * What the host does, at the read of number race_at
 */

enum change {
	FLIP,		/* the word that is about to be read, by race_arg */
	FLIP_READ,	/* those that have been read, by race_arg */
	FLIP_ALL,	/* all words that have been staged, by race_arg */
	EXCHANGE,	/* the first command for race_arg */
	EXCHANGE_BOTH,	/* both commands for race_arg */
};

static enum change race_change;
static u64 race_at, race_arg;

static void flip(phys_addr_t phys)
{
	u64 val;

	EXPECT(mem_host_read(phys, &val));
	EXPECT(mem_host_write(phys, val ^ race_arg));
}

static void make_change(phys_addr_t phys)
{
	unsigned int i;

	switch (race_change) {
	case FLIP:
		flip(phys);
		break;
	case FLIP_READ:
		for (i = 0; i < seen.nr; i++)
			flip(seen.phys[i]);
		break;
	case FLIP_ALL:
		for (i = 0; i < NR_SLOTS * 4; i++)
			flip(word_of(i / 4, i % 4));
		break;
	case EXCHANGE_BOTH:
		write_cmd(1, make_cmd(race_arg));
		fallthrough;
	case EXCHANGE:
		write_cmd(0, make_cmd(race_arg));
		break;
	}
}

static void on_read(phys_addr_t phys, u64 nr)
{
	unsigned int i;

	for (i = 0; i < seen.nr; i++) {
		if (seen.phys[i] == phys)
			mem_fail("EL2 reads 0x%llx twice", (unsigned long long)phys);
	}

	if (seen.nr == race_at)
		make_change(phys);

	EXPECT(seen.nr < MAX_READS);
	seen.phys[seen.nr] = phys;
	seen.val[seen.nr++] = mem_peek(phys);
}

static void look(struct outcome *out)
{
	struct host_its *its = host.its;
	struct its_model *model = its->model;
	phys_addr_t phys;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < NR_SLOTS; i++)
		out->committed[i] = its_committed(its, host.start + i);
	for (i = 0; i < PKVM_ITS_NR_STATS; i++)
		out->stats[i] = its_stat(its, i);
	for (i = 0; i < ARRAY_SIZE(out->is_mapped); i++)
		out->is_mapped[i] = its_model_is_mapped(model, dev_ids[i]);
	memcpy(out->executed, model->executed, sizeof(out->executed));
	out->level1[0] = mem_peek(its->tables[BASER_DEVICES]);
	out->level1[1] = mem_peek(its->tables[BASER_DEVICES] +
				  FAR / (SZ_64K / 8) * sizeof(u64));

	for (phys = MEM_LOW; phys < MEM_LOW + SZ_16M; phys += PAGE_SIZE)
		out->owners += mem_page(phys)->owner * phys;
}

/* What EL2 has recorded is what the ITS has: which devices, their size, and their ITT. */
static void check_records(void)
{
	struct host_its *its = host.its;
	struct its_model *model = its->model;
	const struct hyp_its_device *device;
	u32 dev_id, bits = 0;
	bool is_mapped;
	unsigned int i;

	EXPECT_EQ(model->errors, 0);
	for (i = 0; i < ARRAY_SIZE(dev_ids); i++, bits = 0) {
		dev_id = dev_ids[i];
		is_mapped = its_model_is_mapped(model, dev_id);
		EXPECT_EQ(el2_is_mapped(its->id, dev_id), is_mapped);
		while (is_mapped && test_accept(its, cmd_event(GITS_CMD_INV, dev_id, BIT(bits))))
			bits++;

		device = el2_device(its->id, dev_id);
		if (is_mapped) {
			EXPECT_EQ(bits, device->event_bits);
			for (bits = 0; bits < BIT(EVENT_BITS); bits++) {
				u64 word = device->events[bits / 64];

				if (word >> bits % 64 & 1)
					DISCARD(its, dev_id, bits);
			}
			UNMAP(its, dev_id);
		}
		EXPECT_EQ(model->errors, 0);
	}

	its_check_held(its);
	EXPECT_EQ(mem_page(host.guest)->owner, MEM_GUEST);
}

static void post(struct outcome *out)
{
	host.its->next += NR_SLOTS;
	seen.nr = 0;
	mem_read_hook = on_read;
	its_ring(host.its);
	mem_read_hook = NULL;
	look(out);
	check_records();
}

/* Returns whether the change was made. */
static bool race(unsigned int first, unsigned int second)
{
	struct outcome raced, same;
	u64 nr, i;

	start();
	write_cmd(0, make_cmd(first));
	write_cmd(1, make_cmd(second));
	post(&raced);
	nr = seen.nr;
	EXPECT(nr >= NR_SLOTS * 4);
	if (race_at >= nr)
		return false;

	start();
	for (i = 0; i < nr; i++)
		mem_host_write(seen.phys[i], seen.val[i]);
	race_at = MAX_READS;
	post(&same);
	EXPECT_EQ(seen.nr, nr);
	EXPECT(!memcmp(&raced, &same, sizeof(raced)));

	return true;
}

/* At every read, with a command and something that is always the same behind it */
static void race_all(enum change change, u64 arg)
{
	unsigned int nr;
	u64 at;

	for (nr = 0; nr < NR_CMDS; nr++) {
		for (at = 0; ; at++) {
			race_change = change;
			race_arg = arg;
			race_at = at;
			if (!race(nr, INV))
				break;
		}

		EXPECT(at >= NR_SLOTS * 4);
	}
}

static const u64 masks[] = {
	~0ULL, BIT(2), GENMASK_ULL(51, 16), 0xff, BIT(0), BIT(8), BIT(13), BIT(31), BIT_ULL(32),
	BIT_ULL(46), BIT_ULL(63),
};

static void flip_next(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(masks); i++)
		race_all(FLIP, masks[i]);
}

static void flip_more(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		race_all(FLIP_READ, masks[i]);
		race_all(FLIP_ALL, masks[i]);
	}
}

static void exchange(void)
{
	unsigned int nr;

	for (nr = 0; nr < NR_CMDS; nr++)
		race_all(EXCHANGE, nr);
}

static void exchange_both(void)
{
	unsigned int nr;

	for (nr = 0; nr < NR_CMDS; nr++)
		race_all(EXCHANGE_BOTH, nr);
}

/*
 * The level-1 entry of the staging table is read once when a device is prepared, and the
 * memory goes to a guest at that moment.
 */
static u64 race_entry;
static phys_addr_t race_page;

static void change_entry(phys_addr_t phys, u64 nr)
{
	EXPECT_EQ(seen.nr++, 0);
	if (race_page)
		EXPECT(mem_give_guest(race_page));
	else
		its_stage_level1_entry(host.its, BASER_DEVICES, FAR, race_entry);
}

static int prepare_far(void)
{
	int ret;

	seen.nr = 0;
	mem_read_hook = change_entry;
	ret = its_prepare(host.its, FAR, 5, host.free + 2 * ITT_SIZE);
	mem_read_hook = NULL;
	EXPECT_EQ(seen.nr, 1);

	return ret;
}

static void level1_entry(void)
{
	phys_addr_t level1;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		start();
		level1 = host.its->tables[BASER_DEVICES] + FAR / (SZ_64K / 8) * sizeof(u64);

		const struct {
			u64	entry;
			int	ret;
		} entries[] = {
			{ 0, -EINVAL },
			{ ~0ULL, -EINVAL },
			{ GITS_BASER_VALID | host.guest, -EPERM },
			{ GITS_BASER_VALID | host.its->staging, -EPERM },
			{ GITS_BASER_VALID | (host.free + 2 * ITT_SIZE), -EPERM },
			{ GITS_BASER_VALID | host.free, 0 },
		};

		race_page = 0;
		race_entry = entries[i].entry;
		EXPECT_EQ(prepare_far(), entries[i].ret);
		EXPECT_EQ(!!el2_device(host.its->id, FAR), !entries[i].ret);

		/* The page is good, but the ITT is part of it. */
		if (i == 4)
			EXPECT_EQ(mem_peek(level1), entries[i].entry);
		else
			EXPECT_EQ(mem_peek(level1), entries[i].ret ? 0 : entries[i].entry);
		its_check_held(host.its);
	}
}

static void page_goes(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		start();
		race_page = i ? host.free + 2 * ITT_SIZE :
			    its_stage_level2(host.its, BASER_DEVICES, FAR);
		EXPECT_EQ(prepare_far(), -EPERM);
		EXPECT_EQ(mem_page(race_page)->owner, MEM_GUEST);
		EXPECT(!el2_device(host.its->id, FAR));
		its_check_held(host.its);
	}
}

const struct test race_tests[] = {
	TEST(flip_next),
	TEST(flip_more),
	TEST(exchange),
	TEST(exchange_both),
	TEST(level1_entry),
	TEST(page_goes),
	{}
};
