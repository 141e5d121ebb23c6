// SPDX-License-Identifier: GPL-2.0-only
/*
 * The models: what they are there to notice, they notice.
 */

#include <nvhe/spinlock.h>

#include "test.h"

#define DEV		0x123
#define EVENT		3
#define INTID		8192

static u64 *virt_of(phys_addr_t phys)
{
	return hyp_phys_to_virt(phys);
}

static u64 new_pfn(void)
{
	return hyp_phys_to_pfn(host_alloc(PAGE_SIZE, PAGE_SIZE));
}

/*
 * Memory
 */

static void no_memory(void)
{
	EXPECT_DEATH(mem_init(BIT_ULL(60), 0), "no memory for the model");
	EXPECT_DEATH(host_alloc(BIT_ULL(40), 0), "test needs more memory");
}

static void foreign_address(void)
{
	u64 local;

	EXPECT_DEATH(hyp_virt_to_phys(&local), "is not memory");
}

static void read_not_pinned(void)
{
	phys_addr_t page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 *virt = virt_of(page);

	EXPECT(mem_host_write(page, 42));
	EXPECT_DEATH(mem_read_once(virt, sizeof(*virt)), "which is not pinned");

	EXPECT(!__pkvm_host_share_hyp(hyp_phys_to_pfn(page)));
	EXPECT_DEATH(mem_read_once(virt, sizeof(*virt)), "which is not pinned");

	EXPECT(!hyp_pin_shared_mem(virt, (void *)virt + PAGE_SIZE));
	EXPECT_EQ(mem_read_once(virt, sizeof(*virt)), 42);

	hyp_unpin_shared_mem(virt, (void *)virt + PAGE_SIZE);
	EXPECT_DEATH(mem_read_once(virt, sizeof(*virt)), "which is not pinned");
	EXPECT(!__pkvm_host_unshare_hyp(hyp_phys_to_pfn(page)));

	EXPECT(mem_give_guest(page));
	EXPECT_DEATH(mem_read_once(virt, sizeof(*virt)), "which is not pinned");
}

#ifdef MEM_HAS_ASAN
static void plain_access(void)
{
	phys_addr_t page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	volatile u64 *virt = virt_of(page);

	EXPECT_DEATH(*virt = 1, "use-after-poison");
	EXPECT_DEATH((void)*virt, "use-after-poison");

	/* Staging memory is for READ_ONCE(). */
	EXPECT(!__pkvm_host_share_hyp(hyp_phys_to_pfn(page)));
	EXPECT(!hyp_pin_shared_mem((void *)virt, (void *)virt + PAGE_SIZE));
	EXPECT_DEATH((void)*virt, "use-after-poison");
	EXPECT_DEATH(*virt = 1, "use-after-poison");
	hyp_unpin_shared_mem((void *)virt, (void *)virt + PAGE_SIZE);
	EXPECT(!__pkvm_host_unshare_hyp(hyp_phys_to_pfn(page)));

	EXPECT(!__pkvm_host_donate_hyp(hyp_phys_to_pfn(page), 1));
	*virt = 1;
	EXPECT(!__pkvm_hyp_donate_host(hyp_phys_to_pfn(page), 1));
	EXPECT_DEATH(*virt = 1, "use-after-poison");

	EXPECT(mem_give_guest(page));
	EXPECT_DEATH((void)*virt, "use-after-poison");
}
#endif

static void unpin_without_pin(void)
{
	u64 pfn = new_pfn();
	void *virt = hyp_phys_to_virt(hyp_pfn_to_phys(pfn));

	EXPECT(!__pkvm_host_share_hyp(pfn));
	EXPECT_DEATH(hyp_unpin_shared_mem(virt, virt + PAGE_SIZE), "EL2 unpins");
}

static void clean_foreign(void)
{
	phys_addr_t page = host_alloc(2 * PAGE_SIZE, PAGE_SIZE);

	EXPECT_DEATH(kvm_flush_dcache_to_poc(virt_of(page), 8), "EL2 cleans");

	/* Reaches into the host's page */
	EXPECT(!__pkvm_host_donate_hyp(hyp_phys_to_pfn(page), 1));
	kvm_flush_dcache_to_poc(virt_of(page), PAGE_SIZE);
	EXPECT_DEATH(kvm_flush_dcache_to_poc(virt_of(page), PAGE_SIZE + 1), "EL2 cleans");

	EXPECT(mem_give_guest(page + PAGE_SIZE));
	EXPECT_DEATH(kvm_flush_dcache_to_poc(virt_of(page + PAGE_SIZE), 8), "EL2 cleans");
}

/* What EL2 writes is behind the caches only once it has cleaned it. */
static void not_snooping(void)
{
	phys_addr_t page = host_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 val;

	EXPECT(!__pkvm_host_donate_hyp(hyp_phys_to_pfn(page), 1));
	*virt_of(page) = 1;
	mem_its_read(page, &val, sizeof(val), false);
	EXPECT_EQ(val, 1);
	mem_its_read(page, &val, sizeof(val), true);
	EXPECT_EQ(val, 0);

	kvm_flush_dcache_to_poc(virt_of(page), sizeof(val));
	mem_its_read(page, &val, sizeof(val), true);
	EXPECT_EQ(val, 1);
}

static void owner_only(void)
{
	phys_addr_t phys = host_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 pfn = hyp_phys_to_pfn(phys), val;
	void *virt = virt_of(phys);

	EXPECT(mem_host_write(phys, 1));
	EXPECT(!mem_host_write(phys + 4, 1));
	EXPECT(!mem_host_write(0, 1));
	EXPECT_EQ(__pkvm_hyp_donate_host(pfn, 1), -EPERM);
	EXPECT_EQ(__pkvm_host_unshare_hyp(pfn), -EPERM);
	EXPECT_EQ(hyp_pin_shared_mem(virt, virt + PAGE_SIZE), -EPERM);
	EXPECT_EQ(__pkvm_host_donate_hyp(0, 1), -EPERM);

	EXPECT(!__pkvm_host_share_hyp(pfn));
	EXPECT_EQ(__pkvm_host_share_hyp(pfn), -EPERM);
	EXPECT_EQ(__pkvm_host_donate_hyp(pfn, 1), -EPERM);
	EXPECT(!mem_give_guest(phys));
	EXPECT(!hyp_pin_shared_mem(virt, virt + PAGE_SIZE));
	EXPECT_EQ(__pkvm_host_unshare_hyp(pfn), -EBUSY);
	EXPECT(!mem_is_clean());
	hyp_unpin_shared_mem(virt, virt + PAGE_SIZE);
	EXPECT(!mem_is_clean());
	EXPECT(!__pkvm_host_unshare_hyp(pfn));
	EXPECT(mem_is_clean());

	EXPECT(mem_give_guest(phys));
	EXPECT_EQ(__pkvm_host_share_hyp(pfn), -EPERM);
	EXPECT_EQ(__pkvm_host_donate_hyp(pfn, 1), -EPERM);
	EXPECT_EQ(__pkvm_hyp_donate_host(pfn, 1), -EPERM);
	EXPECT(!mem_host_write(phys, 2));
	EXPECT(!mem_host_read(phys, &val));
	EXPECT(mem_take_guest(phys));
	EXPECT(!mem_take_guest(phys));

	EXPECT(!__pkvm_host_donate_hyp(pfn, 1));
	EXPECT(!mem_host_write(phys, 2));
	EXPECT(!mem_host_read(phys, &val));
	EXPECT_EQ(mem_peek(phys), 1);
	EXPECT(!mem_give_guest(phys));
	EXPECT_EQ(__pkvm_host_donate_hyp(pfn, 1), -EPERM);
}

static void failing_calls(void)
{
	unsigned long va;

	mem_fail_call = 2;
	EXPECT(!__pkvm_host_share_hyp(new_pfn()));
	EXPECT_EQ(__pkvm_host_share_hyp(new_pfn()), -ENOMEM);
	EXPECT(!__pkvm_host_share_hyp(new_pfn()));

	mem_fail_call = 1;
	EXPECT_EQ(__pkvm_host_donate_hyp(new_pfn(), 1), -ENOMEM);
	mem_fail_call = 1;
	EXPECT_EQ(hyp_pin_shared_mem(virt_of(MEM_LOW), virt_of(MEM_LOW)), -ENOMEM);
	mem_fail_call = 1;
	EXPECT_EQ(__pkvm_create_private_mapping(FRAME_BASE, SZ_64K, PAGE_HYP_DEVICE, &va), -ENOMEM);
}

static void warnings_and_locks(void)
{
	hyp_spinlock_t lock;

	WARN_ON(false);
	EXPECT_DEATH(WARN_ON(true), "WARN_ON(true)");

	hyp_spin_lock_init(&lock);
	EXPECT_DEATH(hyp_spin_unlock(&lock), "lock released that is not held");
	hyp_spin_lock(&lock);
	EXPECT_DEATH(hyp_spin_lock(&lock), "lock taken twice");
}

/*
 * The ITS
 */

static void drain(struct host_its *its)
{
	its_ring(its);
	its_model_step(its->model, UINT_MAX);
}

static bool translates(struct host_its *its)
{
	u64 rdbase;
	u32 intid;

	return its_model_translate(its->model, DEV, EVENT, &intid, &rdbase);
}

#define EVENT_BITS	14

/* A confined ITS with an event that is mapped, in an ITT of more than a page */
static struct host_its *start_mapped(phys_addr_t *itt)
{
	struct host_its *its = its_up(&machine_default);

	*itt = test_map(its, DEV, EVENT_BITS);
	ACCEPT(its, cmd_mapti(DEV, EVENT, INTID, 0));
	EXPECT(translates(its));

	return its;
}

static void its_access(void)
{
	static const enum mem_owner owners[] = { MEM_HOST, MEM_EL2, MEM_GUEST };
	struct host_its *its;
	phys_addr_t itt, pages[4];
	unsigned int i, j;

	its = start_mapped(&itt);
	pages[0] = itt;
	pages[1] = its->tables[BASER_DEVICES];
	pages[2] = its->tables[BASER_COLLECTIONS];
	pages[3] = its_stage_level2(its, BASER_DEVICES, DEV);

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		struct mem_page *page = mem_page(pages[i]);

		for (j = 0; j < ARRAY_SIZE(owners); j++) {
			page->owner = owners[j];
			EXPECT_DEATH(translates(its), "ITS accesses");
		}

		page->owner = MEM_ITS;
		EXPECT(translates(its));
	}

	mem_page(its->queue)->owner = MEM_EL2;
	EXPECT_DEATH(its_model_write(its->model, GITS_CWRITER, (its->next + 1) * 32, 8),
		     "ITS accesses");
}

/* A host that is trusted may have the ITS use the host's memory, and no other. */
static void its_access_before(void)
{
	struct host_its *its = its_start(&machine_default);

	its_stage(its, cmd_sync(0));
	mem_page(its->queue)->owner = MEM_GUEST;
	EXPECT_DEATH(its_ring(its), "ITS accesses");
	mem_page(its->queue)->owner = MEM_HOST;
	its_ring(its);
}

static void its_access_no_memory(void)
{
	phys_addr_t itt;
	struct host_its *its = start_mapped(&itt);

	its->model->baser[BASER_COLLECTIONS] &= ~GENMASK_ULL(47, 20);
	EXPECT_DEATH(translates(its), "which is no memory");
}

/* Memory that has been used for one thing is not used for another. */
static void one_use(void)
{
	phys_addr_t itt;
	struct host_its *its = start_mapped(&itt);
	struct mem_page *page = mem_page(itt), *table = mem_page(its->tables[BASER_COLLECTIONS]);

	EXPECT_EQ(page->use, ACCESS_ITT);
	page->use = ACCESS_TABLE;
	EXPECT_DEATH(translates(its), "in use as another thing");
	page->use = ACCESS_ITT;
	EXPECT(translates(its));

	EXPECT_EQ(table->use, ACCESS_TABLE);
	table->use = ACCESS_ITT;
	EXPECT_DEATH(translates(its), "in use as another thing");
	table->use = ACCESS_QUEUE;
	EXPECT_DEATH(translates(its), "in use as another thing");
}

static void forged_entry(void)
{
	phys_addr_t itt, where;
	struct host_its *its = start_mapped(&itt);
	u32 entry;

	where = itt + EVENT * its->cfg.its.ite_size;
	mem_its_read(where, &entry, sizeof(entry), false);
	mem_its_write(where + its->cfg.its.ite_size, &entry, sizeof(entry), false);
	EXPECT_DEATH(ACCEPT(its, cmd_movi(DEV, EVENT + 1, 1)), "that it has not written");

	entry = its->model->nr_tokens + 1;
	mem_its_write(where, &entry, sizeof(entry), false);
	EXPECT_DEATH(translates(its), "that it has not written");

	entry = ITS_MAX_TOKENS;
	mem_its_write(where, &entry, sizeof(entry), false);
	EXPECT_DEATH(translates(its), "that it has not written");
}

/* As it is if EL2 does not zero an ITT */
static void stale_entry(void)
{
	struct host_its *its = its_start(&machine_default);
	phys_addr_t itt = host_alloc(PAGE_SIZE, PAGE_SIZE);

	its_stage_level2(its, BASER_DEVICES, DEV);
	its_stage(its, cmd_mapd(DEV, 5, itt));
	its_stage(its, cmd_mapti(DEV, EVENT, INTID, 0));
	drain(its);
	EXPECT(translates(its));

	its_stage(its, cmd_mapd(DEV, 5, itt));
	drain(its);
	EXPECT_DEATH(translates(its), "an entry of an earlier mapping");
}

static void level1_entry(void)
{
	static const u64 flips[] = { BIT_ULL(1), BIT_ULL(12), BIT_ULL(52), BIT_ULL(62) };
	phys_addr_t itt, where;
	struct host_its *its;
	unsigned int i;
	u64 entry;

	its = start_mapped(&itt);
	where = its->tables[BASER_DEVICES];

	for (i = 0; i < ARRAY_SIZE(flips); i++) {
		entry = mem_peek(where) ^ flips[i];
		mem_its_write(where, &entry, sizeof(entry), false);
		EXPECT_DEATH(translates(its), "a bad level-1 entry");
		entry ^= flips[i];
		mem_its_write(where, &entry, sizeof(entry), false);
		EXPECT(translates(its));
	}
}

static void limits(void)
{
	struct host_its *its = its_start(&machine_default);
	unsigned int i;

	its->model->nr_tokens = ITS_MAX_TOKENS;
	its_stage(its, cmd_mapc(0, 0));
	EXPECT_DEATH(its_ring(its), "too many entries");

	for (i = 1; i < ITS_MAX_MODELS; i++)
		its_model_add(&its->cfg.its);
	EXPECT_DEATH(its_model_add(&its->cfg.its), "too many ITSs");
}

static void execute(struct host_its *its, struct cmd cmd)
{
	its_stage(its, cmd);
	drain(its);
}

#define DEVICE		GENMASK_ULL(63, 32)
#define EVENT_ID	GENMASK_ULL(31, 0)
#define ICID		GENMASK_ULL(15, 0)
#define RDBASE		GENMASK_ULL(51, 16)
#define VALID		BIT_ULL(63)

/* The bits that a command has */
static const struct {
	u8	nr;
	u64	bits[4];
} cmd_bits[] = {
	{ GITS_CMD_MAPD,	{ DEVICE, GENMASK_ULL(4, 0), VALID | GENMASK_ULL(51, 8) } },
	{ GITS_CMD_MAPC,	{ 0, 0, VALID | RDBASE | ICID } },
	{ GITS_CMD_MAPTI,	{ DEVICE, EVENT_ID | DEVICE, ICID } },
	{ GITS_CMD_MAPI,	{ DEVICE, EVENT_ID, ICID } },
	{ GITS_CMD_MOVI,	{ DEVICE, EVENT_ID, ICID } },
	{ GITS_CMD_DISCARD,	{ DEVICE, EVENT_ID } },
	{ GITS_CMD_CLEAR,	{ DEVICE, EVENT_ID } },
	{ GITS_CMD_INT,		{ DEVICE, EVENT_ID } },
	{ GITS_CMD_INV,		{ DEVICE, EVENT_ID } },
	{ GITS_CMD_INVALL,	{ 0, 0, ICID } },
	{ GITS_CMD_MOVALL,	{ 0, 0, RDBASE, RDBASE } },
	{ GITS_CMD_SYNC,	{ 0, 0, RDBASE } },
};

/* Of the bits that a command has not, those at the ends of a range */
static void res0(void)
{
	struct host_its *its = its_start(&machine_default);
	unsigned int i, j, bit;

	for (i = 0; i < ARRAY_SIZE(cmd_bits); i++) {
		for (j = 0; j < 4; j++) {
			u64 bad = ~cmd_bits[i].bits[j] & ~(j ? 0 : GENMASK_ULL(7, 0));

			bad &= ~(bad << 1) | ~(bad >> 1);
			for (bit = 0; bit < 64; bit++) {
				struct cmd cmd = {{ cmd_bits[i].nr }};

				cmd.raw[j] |= BIT_ULL(bit);
				if (bad & BIT_ULL(bit))
					EXPECT_DEATH(execute(its, cmd), "RES0 bits set");
			}
		}
	}
}

static void unknown_command(void)
{
	static const u8 numbers[] = { 0x00, 0x02, 0x06, 0x07, 0x10, GITS_CMD_VMAPP, GITS_CMD_VSYNC,
				      GITS_CMD_INVDB, 0xff };
	struct host_its *its = its_start(&machine_default);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		EXPECT_DEATH(execute(its, cmd_event(numbers[i], 0, 0)), "an unknown command");
}

static void unknown_rdbase(void)
{
	struct host_its *its = its_start(&machine_default);
	u64 good = its_model_rdbase(its->model, its->cfg.its.nr_rdbases - 1), bad = good + SZ_64K;

	EXPECT_DEATH(execute(its, cmd_mapc(0, bad)), "a redistributor at");
	EXPECT_DEATH(execute(its, cmd_sync(bad)), "a redistributor at");
	EXPECT_DEATH(execute(its, cmd_movall(bad, good)), "a redistributor at");
	EXPECT_DEATH(execute(its, cmd_movall(good, bad)), "a redistributor at");
	execute(its, cmd_movall(good, good));
}

static void release_mapped(void)
{
	phys_addr_t itt;
	struct host_its *its = start_mapped(&itt);
	u64 pfn = hyp_phys_to_pfn(itt), nr = test_itt_size(its, EVENT_BITS) >> PAGE_SHIFT;

	EXPECT_DEATH(__pkvm_hyp_donate_host(pfn, nr), "which is mapped");
	EXPECT_DEATH(__pkvm_hyp_donate_host(pfn, 1), "which is mapped");
	nr = (12 << EVENT_BITS) >> PAGE_SHIFT;
	EXPECT_DEATH(__pkvm_hyp_donate_host(pfn + nr - 1, 1), "which is mapped");
	DISCARD(its, DEV, EVENT);
	UNMAP(its, DEV);
}

static void release_queued(void)
{
	phys_addr_t itt;
	struct host_its *its = start_mapped(&itt);
	struct cmd cmd = cmd_mapd(DEV, EVENT_BITS, itt);

	DISCARD(its, DEV, EVENT);
	mem_its_write(its->queue + (its_nr_slots(its) - 1) * sizeof(cmd), &cmd, sizeof(cmd), false);
	EXPECT_DEATH(UNMAP(its, DEV), "which the queue still names");
	cmd.raw[2] = cmd_mapd(DEV, EVENT_BITS, test_prepare(its, DEV + 1, EVENT_BITS)).raw[2];
	mem_its_write(its->queue + (its_nr_slots(its) - 1) * sizeof(cmd), &cmd, sizeof(cmd), false);
	UNMAP(its, DEV);
}

/* Addresses that it has no bits for */
static void drops_bits(void)
{
	struct machine_config cfg = machine_default;
	struct host_its *its;

	cfg.its.addr_bits = 32;
	its = its_start(&cfg);
	execute(its, cmd_sync(0));
	its_model_write(its->model, GITS_CTLR, 0, 4);
	its_model_write(its->model, GITS_CBASER, BIT_ULL(63) | BIT_ULL(32) | SZ_64K, 8);
	EXPECT_EQ(its->model->cbaser, BIT_ULL(63) | SZ_64K);
	its_model_write(its->model, GITS_BASER, BIT_ULL(40) | SZ_64K, 8);
	EXPECT_EQ(its->model->baser[0], SZ_64K);
	its_model_write(its->model, GITS_BASER, GITS_BASER_PAGE_SIZE_64K | BIT_ULL(12) | SZ_64K, 8);
	EXPECT_EQ(its->model->baser[0], GITS_BASER_PAGE_SIZE_64K | SZ_64K);
}

static void wrong_write(struct host_its *its, u64 offset, u64 val, unsigned int size,
			const char *message)
{
	EXPECT_DEATH(its_model_write(its->model, offset, val, size), message);
}

static void registers_while_running(void)
{
	struct host_its *its = its_start(&machine_default);
	struct its_model *model = its->model;
	u64 cbaser = model->cbaser, baser = model->baser[0];

	wrong_write(its, GITS_CBASER, cbaser, 8, "GITS_CBASER written while");
	wrong_write(its, GITS_CBASER + 4, cbaser >> 32, 4, "GITS_CBASER written while");
	wrong_write(its, GITS_BASER, baser, 8, "GITS_BASER<n> written while");
	wrong_write(its, GITS_BASER + 7 * 8 + 4, 0, 4, "GITS_BASER<n> written while");

	/* Disabled is not enough. */
	model->quiesces = 1;
	its_model_write(model, GITS_CTLR, 0, 4);
	wrong_write(its, GITS_CBASER, cbaser, 8, "GITS_CBASER written while");
	wrong_write(its, GITS_BASER, baser, 8, "GITS_BASER<n> written while");
	wrong_write(its, GITS_CTLR, GITS_CTLR_ENABLE, 4, "ITS enabled before it was quiescent");

	its_model_read(model, GITS_CTLR, 4);
	its_model_write(model, GITS_CBASER, cbaser, 8);
	its_model_write(model, GITS_BASER, baser, 8);
	its_model_write(model, GITS_CTLR, GITS_CTLR_ENABLE, 4);
}

static void registers_with_bad_values(void)
{
	struct host_its *its = its_start(&machine_default);
	u64 size = its->cfg.queue_pages * SZ_4K, i;

	wrong_write(its, GITS_CWRITER, size, 8, "GITS_CWRITER set to");
	wrong_write(its, GITS_CWRITER, 1, 8, "GITS_CWRITER set to");
	wrong_write(its, GITS_CWRITER, 0x10, 8, "GITS_CWRITER set to");
	wrong_write(its, GITS_CWRITER, BIT_ULL(20), 8, "GITS_CWRITER set to");
	wrong_write(its, GITS_CWRITER + 4, 1, 4, "GITS_CWRITER set to");

	for (i = 0; i < 31; i++) {
		if (!(BIT(i) & (GITS_CTLR_ENABLE | GITS_CTLR_ImDe | GITS_CTLR_ITS_NUMBER)))
			wrong_write(its, GITS_CTLR, BIT(i), 4, "GITS_CTLR set to");
	}
}

static void other_registers(void)
{
	static const u32 offsets[] = { 0x4, GITS_TYPER, GITS_MPIDR, 0x40, GITS_CREADR,
				       GITS_BASER - 8, GITS_BASER + 8 * GITS_BASER_NR_REGS,
				       GITS_PIDR2, 0xfff8 };
	struct host_its *its = its_start(&machine_default);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		wrong_write(its, offsets[i], 0, 4, "register 0x");
		wrong_write(its, ALIGN_DOWN(offsets[i], 8), 0, 8, offsets[i] == 4 ?
			    "register 0x0" : "register 0x");
	}
}

static void mmio_elsewhere(void)
{
	struct host_its *its = its_start(&machine_default);
	unsigned long va;

	EXPECT(!__pkvm_create_private_mapping(its->cfg.its.base, SZ_64K, PAGE_HYP_DEVICE, &va));
	EXPECT_EQ(its_mmio_read((void *)va + GITS_CBASER, 8), its->model->cbaser);
	EXPECT_DEATH(its_mmio_read((void *)va + SZ_64K, 8), "as MMIO");
	EXPECT_DEATH(its_mmio_write((void *)va - 8, 0, 8), "as MMIO");
	EXPECT_EQ(__pkvm_create_private_mapping(0, SZ_64K, PAGE_HYP_DEVICE, &va), -EINVAL);
}

/*
 * What the tests say
 */

static void expectations(void)
{
	struct host_its *its = its_up(&machine_default);

	EXPECT_DEATH(EXPECT(false), "not so: ");
	EXPECT_DEATH(EXPECT_EQ(1, 2), "is 0x1, not 2");
	EXPECT_DEATH(EXPECT_DEATH((void)0, "anything"), "does not die of \"anything\"");
	EXPECT_DEATH(EXPECT_DEATH(mem_fail("this"), "that"), "does not die of \"that\"");

	EXPECT_DEATH(ACCEPT(its, cmd_event(0xff, 0, 0)), "not accepted");
	EXPECT_DEATH(REFUSE(its, PKVM_ITS_REFUSED_UNKNOWN_COMMAND, cmd_sync(0)), "not refused");
	EXPECT_DEATH(REFUSE(its, PKVM_ITS_REFUSED_BAD_ICID, cmd_event(0xff, 0, 0)), "not refused");

	its_check_held(its);
	mem_give_el2(host_alloc(PAGE_SIZE, PAGE_SIZE));
	EXPECT_DEATH(its_check_held(its), "counted as held");
}

static void failed_hand_over(void)
{
	struct machine_config cfg = machine_default;

	cfg.its.lpi_bits = 25;
	EXPECT_DEATH(its_up(&cfg), "hand-over returned");
}

const struct test model_tests[] = {
	TEST(no_memory),
	TEST(foreign_address),
	TEST(read_not_pinned),
#ifdef MEM_HAS_ASAN
	TEST(plain_access),
#endif
	TEST(unpin_without_pin),
	TEST(clean_foreign),
	TEST(not_snooping),
	TEST(owner_only),
	TEST(failing_calls),
	TEST(warnings_and_locks),
	TEST(its_access),
	TEST(its_access_before),
	TEST(its_access_no_memory),
	TEST(one_use),
	TEST(forged_entry),
	TEST(stale_entry),
	TEST(level1_entry),
	TEST(limits),
	TEST(res0),
	TEST(unknown_command),
	TEST(unknown_rdbase),
	TEST(release_mapped),
	TEST(release_queued),
	TEST(drops_bits),
	TEST(registers_while_running),
	TEST(registers_with_bad_values),
	TEST(other_registers),
	TEST(mmio_elsewhere),
	TEST(expectations),
	TEST(failed_hand_over),
	{}
};
