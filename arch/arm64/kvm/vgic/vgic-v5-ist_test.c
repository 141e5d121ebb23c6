// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the VM table of a GICv5 IRS, and the ISTs of guests
 *
 * The IRS is made of memory. Unless it is coherent it sees a copy of each allocation, and only
 * vgic_v5_sync() moves lines between the copy and the CPUs, as a cache does. The IRS checks all
 * that it finds: every address must be that of a live allocation of the right size and alignment,
 * without old contents. Nothing may be freed while the VM table names it. Bit positions are
 * written as numbers here, so that a wrong definition does not go unnoticed.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <linux/bitfield.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/kasan.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/virt.h>

#include "vgic-v5-ist.h"

#define LPI		GICV5_HWIRQ_TYPE_LPI
#define SPI		GICV5_HWIRQ_TYPE_SPI

#define VMT_BASER	0x200
#define VMR		0x2c8
#define VISTR		0x2d0

/* Eight entries of the VM table, and more than the smallest IST */
#define FAKE_LINE	256
#define FAKE_ID_BITS	4
#define FAKE_NR_IDS	BIT(FAKE_ID_BITS)
#define FAKE_STALE	0xa5
#define FAKE_LOG	64

/**
 * struct fake_mem - an allocation
 * @entry: entry of &fake_irs.mems
 * @size: bytes
 * @cpu: what CPUs see
 * @clean: what CPUs saw when a line was the same in memory. A line that differs is dirty.
 * @irs: what the IRS sees unless it is coherent
 */
struct fake_mem {
	struct list_head	entry;
	size_t			size;
	u8			*cpu;
	u8			*clean;
	u8			*irs;
};

/* What was done, to which address or register */
struct fake_log {
	char			op;
	phys_addr_t		addr;
};

/**
 * struct fake_irs - the IRS and the memory
 * @lock: serialises what follows
 * @caps: what it can do
 * @mems: live allocations
 * @nr_mems: how many these are
 * @nr_allocs: how many have been asked for
 * @fail_at: the number of the one that fails
 * @fault: the first thing that went wrong
 * @table: the VM table
 * @reg: where the command has gone that waits to be carried out, or 0
 * @val: the command
 * @stall_reg: a write of this register has the IRS stop answering
 * @stalled: the IRS does not answer
 * @refuse_reg: commands for this register are not obeyed
 * @obeys: unless they are about one of these VM IDs
 * @nr_waits: how often the CPU has waited for it
 * @slow: the IRS takes its time
 * @has_table: the IRS has a VM table before it is given one
 * @scribble: the IRS changes all of an entry that it need not keep as it was
 * @rival: a VM that gets an IST of LPIs from elsewhere, just before the next allocation
 * @vm_valid: which VMs it knows
 * @ist_valid: which ISTs these have: bit 2 for LPIs, bit 3 for SPIs
 * @nr_log: how much of @log is used
 * @log: what was done: cache maintenance (s), commands (c), freeing (f)
 */
struct fake_irs {
	struct mutex		lock;		/* see above */
	struct gicv5_vm_caps	caps;
	struct list_head	mems;
	int			nr_mems;
	int			nr_allocs;
	int			fail_at;
	const char		*fault;
	struct fake_mem		*table;
	u32			reg;
	u64			val;
	u32			stall_reg;
	bool			stalled;
	u32			refuse_reg;
	u32			obeys;
	int			nr_waits;
	bool			slow;
	bool			has_table;
	bool			scribble;
	struct vgic_v5_irs_vm	*rival;
	bool			vm_valid[FAKE_NR_IDS];
	u8			ist_valid[FAKE_NR_IDS];
	unsigned int		nr_log;
	struct fake_log		log[FAKE_LOG];
};

static struct fake_irs *irs;
static struct vgic_v5_vmt *vmt;

static void fault(const char *what)
{
	if (!irs->fault)
		irs->fault = what;
}

static void fault_if(bool wrong, const char *what)
{
	if (wrong)
		fault(what);
}

static void fake_note(char op, phys_addr_t addr)
{
	if (irs->nr_log < FAKE_LOG)
		irs->log[irs->nr_log++] = (struct fake_log) { op, addr };
}

/* The allocation that @addr is in. Allocations may have tags, physical addresses have none. */
static struct fake_mem *fake_find(const void *addr)
{
	u8 *at = kasan_reset_tag(addr), *cpu;
	struct fake_mem *mem;

	list_for_each_entry(mem, &irs->mems, entry) {
		cpu = kasan_reset_tag(mem->cpu);
		if (at >= cpu && at < cpu + mem->size)
			return mem;
	}

	return NULL;
}

/* What the IRS sees */
static void *fake_view(struct fake_mem *mem)
{
	return irs->caps.coherent ? mem->cpu : mem->irs;
}

static u64 fake_word(struct fake_mem *mem, size_t word)
{
	return le64_to_cpu(((__le64 *)fake_view(mem))[word]);
}

static void fake_set_word(struct fake_mem *mem, size_t word, u64 val)
{
	((__le64 *)fake_view(mem))[word] = cpu_to_le64(val);
}

/* The allocation at @addr. The IRS is about to use @size bytes of it. */
static struct fake_mem *fake_use(u64 addr, size_t size)
{
	struct fake_mem *mem = addr ? fake_find(phys_to_virt(addr)) : NULL;

	if (!mem || virt_to_phys(mem->cpu) != addr) {
		fault("the IRS is handed an address that is not that of an allocation");
		return NULL;
	}

	fault_if(mem->size < size, "the IRS uses more than was allocated");
	fault_if(addr & (size - 1), "a table is not aligned to its size");
	fault_if(mem->size % irs->caps.line, "a table shares a cache line with something else");

	return mem;
}

static void fake_use_zeroed(u64 addr, size_t size)
{
	struct fake_mem *mem = fake_use(addr, size);

	fault_if(mem && memchr_inv(fake_view(mem), 0, size), "the IRS finds old contents");
}

/* Is @mem an IST, or part of one, that @word of a VM table entry is about? */
static bool fake_ist_has(u64 word, struct fake_mem *mem)
{
	u64 base = word & GENMASK_ULL(55, 6);
	struct fake_mem *l1;
	size_t i;

	if (!base)
		return false;

	if (base == virt_to_phys(mem->cpu))
		return true;

	l1 = word & BIT_ULL(58) ? fake_find(phys_to_virt(base)) : NULL;
	for (i = 0; l1 && i < l1->size / 8; i++) {
		if ((fake_word(l1, i) & GENMASK_ULL(55, 12)) == virt_to_phys(mem->cpu))
			return true;
	}

	return false;
}

static void fake_check_unused(struct fake_mem *mem)
{
	phys_addr_t addr = virt_to_phys(mem->cpu);
	size_t id;

	if (!irs->table)
		return;

	fault_if(mem == irs->table, "the VM table is freed");
	for (id = 0; id < FAKE_NR_IDS; id++) {
		fault_if((fake_word(irs->table, 4 * id) & GENMASK_ULL(55, 3)) == addr ||
			 (fake_word(irs->table, 4 * id + 1) & GENMASK_ULL(55, 3)) == addr ||
			 fake_ist_has(fake_word(irs->table, 4 * id + 2), mem) ||
			 fake_ist_has(fake_word(irs->table, 4 * id + 3), mem),
			 "memory is freed that the VM table names");
	}
}

static void *fake_zalloc(size_t size)
{
	struct vgic_v5_irs_vm *rival = irs->rival;
	struct fake_mem *mem;

	if (rival) {
		irs->rival = NULL;
		fault_if(vgic_v5_vm_add_ist(rival, LPI, 8), "the rival gets no IST");
	}

	guard(mutex)(&irs->lock);

	if (++irs->nr_allocs == irs->fail_at)
		return NULL;

	mem = kzalloc_obj(*mem);
	if (!mem)
		return NULL;

	mem->size = size;
	mem->cpu = kzalloc(size, GFP_KERNEL);
	mem->clean = kmalloc(size, GFP_KERNEL);
	mem->irs = kmalloc(size, GFP_KERNEL);
	if (!mem->cpu || !mem->clean || !mem->irs) {
		kfree(mem->cpu);
		kfree(mem->clean);
		kfree(mem->irs);
		kfree(mem);
		return NULL;
	}

	/* The zeroes are still in the cache. */
	memset(mem->clean, FAKE_STALE, size);
	memset(mem->irs, FAKE_STALE, size);
	list_add_tail(&mem->entry, &irs->mems);
	irs->nr_mems++;

	return mem->cpu;
}

static void fake_drop(struct fake_mem *mem)
{
	list_del(&mem->entry);
	irs->nr_mems--;
	kfree(mem->cpu);
	kfree(mem->clean);
	kfree(mem->irs);
	kfree(mem);
}

static void fake_free(const void *addr)
{
	struct fake_mem *mem;

	if (!addr)
		return;

	guard(mutex)(&irs->lock);

	mem = fake_find(addr);
	if (!mem || mem->cpu != addr) {
		fault("something is freed that is not allocated");
		return;
	}

	fake_note('f', virt_to_phys(addr));
	fake_check_unused(mem);
	fake_drop(mem);
}

static void fake_sync(const struct gicv5_vm_caps *caps, void *addr, size_t size)
{
	struct fake_mem *mem;
	size_t at, end, len;

	guard(mutex)(&irs->lock);

	mem = fake_find(addr);
	if (!mem || (u8 *)addr + size > mem->cpu + mem->size) {
		fault("cache maintenance of memory that is not allocated");
		return;
	}

	fake_note('s', virt_to_phys(addr));
	if (irs->caps.coherent)
		return;

	at = round_down((u8 *)addr - mem->cpu, FAKE_LINE);
	end = (u8 *)addr + size - mem->cpu;
	for (; at < end; at += len) {
		len = min_t(size_t, FAKE_LINE, mem->size - at);
		if (memcmp(mem->cpu + at, mem->clean + at, len))
			memcpy(mem->irs + at, mem->cpu + at, len);
		memcpy(mem->cpu + at, mem->irs + at, len);
		memcpy(mem->clean + at, mem->irs + at, len);
	}
}

static int fake_set_table(phys_addr_t addr, unsigned int vm_id_bits)
{
	guard(mutex)(&irs->lock);

	fault_if(irs->reg || irs->stalled, "an IRS that is not idle is given a table");
	if (irs->has_table)
		return -EBUSY;

	irs->stalled = irs->stall_reg == VMT_BASER;
	irs->table = fake_use(addr, 32 << vm_id_bits);
	fake_use_zeroed(addr, 32 << vm_id_bits);
	fault_if(vm_id_bits != min(irs->caps.vm_id_bits, 12), "the VM table has a wrong size");

	return 0;
}

/* A VM table entry's word for an IST */
static void fake_check_ist(u64 word)
{
	unsigned int id_bits = word >> 59, istsz = word >> 56 & 3, l2sz = word >> 1 & 3;
	u64 base = word & GENMASK_ULL(55, 6);
	size_t bytes, l2_size, nr, i;
	struct fake_mem *l1;

	fault_if(word & 0x39, "reserved bits of an IST are set, or it is valid");
	fault_if(istsz > 2 || l2sz > 2, "an IST has a reserved size");
	fault_if(id_bits > irs->caps.id_bits, "an IST has more ID bits than the IRS");

	bytes = (4UL << istsz) << id_bits;
	if (!(word & BIT_ULL(58))) {
		fault_if(l2sz, "a linear IST has a level-2 size");
		fake_use_zeroed(base, max(64, bytes));
		return;
	}

	l2_size = 4096UL << 2 * l2sz;
	nr = DIV_ROUND_UP(bytes, l2_size);
	fault_if(!irs->caps.two_level, "the IRS cannot have two levels");
	fault_if(nr < 2, "an IST has two levels where one would do");

	l1 = fake_use(base, max(64, nr * 8));
	for (i = 0; l1 && i < l1->size / 8; i++) {
		u64 entry = fake_word(l1, i);

		if (i >= nr) {
			fault_if(entry, "a level-1 entry is used that cannot be reached");
			continue;
		}
		fault_if((entry & ~GENMASK_ULL(55, 12)) != 1, "a level-1 entry is not valid");
		fake_use_zeroed(entry & GENMASK_ULL(55, 12), l2_size);
	}
}

static void fake_check_vm(u64 vmd, u64 vpet)
{
	unsigned int id_bits = vpet >> 59;

	fault_if(vmd & ~GENMASK_ULL(55, 3), "reserved bits of a VM are set, or it is valid");
	fault_if(vpet & 0x0700000000000007, "reserved bits of a vPE table are set");
	fault_if(!id_bits || id_bits > irs->caps.vpe_id_bits, "a vPE table has a wrong size");

	fake_use_zeroed(vpet & GENMASK_ULL(55, 3), 8UL << id_bits);
	if (irs->caps.vmd_size)
		fake_use_zeroed(vmd, irs->caps.vmd_size);
	else
		fault_if(vmd, "the IRS has no use for a VM descriptor");
}

/* Valid bits are the IRS's: they are as it has left them. */
static void fake_check_table(void)
{
	size_t id, word;

	for (id = 0; id < FAKE_NR_IDS; id++) {
		fault_if((fake_word(irs->table, 4 * id) & 1) != irs->vm_valid[id],
			 "the valid bit of a VM has changed");
		for (word = 2; word < 4 && irs->vm_valid[id]; word++)
			fault_if((fake_word(irs->table, 4 * id + word) & 1) !=
				 (irs->ist_valid[id] >> word & 1),
				 "the valid bit of an IST has changed");
	}
}

static void fake_do_vmr(u64 val)
{
	size_t id = val & 0xffff, i;
	bool unmap = val & BIT_ULL(62);

	fault_if(val >> 63 != 1 || val & GENMASK_ULL(61, 16), "IRS_VMAP_VMR is wrong");
	if (id >= FAKE_NR_IDS || irs->vm_valid[id] != unmap) {
		fault("a VM is mapped twice, or unmapped without need, or its ID is out of range");
		return;
	}

	i = 4 * id;
	if (!unmap) {
		fake_check_vm(fake_word(irs->table, i), fake_word(irs->table, i + 1));
		fault_if(fake_word(irs->table, i + 2) || fake_word(irs->table, i + 3),
			 "a new VM has ISTs");
	}
	fake_set_word(irs->table, i, (fake_word(irs->table, i) & ~1ULL) | (unmap ? 0 : 1));
	irs->vm_valid[id] = !unmap;
	irs->ist_valid[id] = 0;
}

static void fake_do_vistr(u64 val)
{
	size_t id = val >> 32 & 0xffff, type = val >> 29 & 7;
	bool unmap = val & BIT_ULL(62);
	u64 word;

	fault_if(val >> 63 != 1 || val & (GENMASK_ULL(61, 48) | GENMASK_ULL(28, 0)),
		 "IRS_VMAP_VISTR is wrong");
	if (id >= FAKE_NR_IDS || !irs->vm_valid[id] || (type != 2 && type != 3) ||
	    (irs->ist_valid[id] >> type & 1) != unmap) {
		fault("an IST is mapped twice, or unmapped without need, or of no VM, or no type");
		return;
	}

	/* LPIs are word 2, SPIs word 3. */
	word = fake_word(irs->table, 4 * id + type);
	if (!unmap)
		fake_check_ist(word);
	if (irs->scribble)
		word ^= GENMASK_ULL(63, 56) | 6;
	fake_set_word(irs->table, 4 * id + type, (word & ~1ULL) | (unmap ? 0 : 1));
	irs->ist_valid[id] ^= BIT(type);
}

/* Carry out the command that waits. */
static void fake_do_command(void)
{
	u32 reg = irs->reg;

	irs->reg = 0;
	if (!reg)
		return;

	fake_check_table();
	if (reg == irs->refuse_reg && !(irs->obeys >> irs->val % FAKE_NR_IDS & 1))
		return;

	if (reg == VMR)
		fake_do_vmr(irs->val);
	else
		fake_do_vistr(irs->val);
}

static void fake_command(u32 reg, u64 val)
{
	guard(mutex)(&irs->lock);

	fake_note('c', reg);
	fault_if(reg != VMR && reg != VISTR, "a command goes to a register that is none");
	fault_if(irs->reg || irs->stalled, "a command is sent to an IRS that is not idle");

	irs->reg = reg;
	irs->val = val;
	irs->stalled = reg == irs->stall_reg;
}

static int fake_wait(void)
{
	if (irs->slow)
		usleep_range(20, 40);

	guard(mutex)(&irs->lock);

	irs->nr_waits++;
	if (irs->stalled)
		return -ETIMEDOUT;

	fake_do_command();

	return 0;
}

/* The IRS answers again, and has carried out what it was told before, or lost it. */
static void fake_resume(bool lose)
{
	irs->stall_reg = 0;
	irs->stalled = false;
	if (lose)
		irs->reg = 0;
	else
		fake_do_command();
}

static int ist_test_init(struct kunit *test)
{
	irs = kunit_kzalloc(test, sizeof(*irs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, irs);

	mutex_init(&irs->lock);
	INIT_LIST_HEAD(&irs->mems);

	vmt = kunit_kzalloc(test, sizeof(*vmt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vmt);

	irs->caps = (struct gicv5_vm_caps) {
		.id_bits	= 16,
		.min_lpi_id_bits = 4,
		.two_level	= true,
		.vm_id_bits	= FAKE_ID_BITS,
		.vpe_id_bits	= 8,
		.vmd_size	= 512,
		.line		= FAKE_LINE,
	};

	kunit_activate_static_stub(test, vgic_v5_zalloc, fake_zalloc);
	kunit_activate_static_stub(test, vgic_v5_free, fake_free);
	kunit_activate_static_stub(test, vgic_v5_sync, fake_sync);
	kunit_activate_static_stub(test, gicv5_irs_vmt_set_table, fake_set_table);
	kunit_activate_static_stub(test, gicv5_irs_vmt_command, fake_command);
	kunit_activate_static_stub(test, gicv5_irs_vmt_wait, fake_wait);

	return 0;
}

/* Whatever a test did: nothing went wrong, and only the VM table is left. */
static void ist_test_exit(struct kunit *test)
{
	struct fake_mem *mem, *tmp;

	if (!irs)
		return;

	KUNIT_EXPECT_NULL_MSG(test, irs->fault, "%s", irs->fault);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, irs->table ? 1 : 0);

	list_for_each_entry_safe(mem, tmp, &irs->mems, entry)
		fake_drop(mem);
}

static void setup(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, vgic_v5_vmt_setup(vmt, &irs->caps), 0);
	KUNIT_ASSERT_NOT_NULL(test, irs->table);
}

static struct vgic_v5_irs_vm *create(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm = vgic_v5_vm_create(vmt, 4);

	KUNIT_ASSERT_FALSE(test, IS_ERR(vm));

	return vm;
}

static u64 entry_word(struct vgic_v5_irs_vm *vm, size_t word)
{
	return fake_word(irs->table, 4 * vm->id + word);
}

/* All sizes, worked out by counting entries */
static void geometry_all(struct kunit *test)
{
	/* ID bits that a level-2 IST holds, by ISTSZ and L2SZ: 10.2.1.14 IRS_IST_CFGR */
	static const u8 l2_id_bits[3][3] = {
		{ 10, 12, 14 },
		{ 9, 11, 13 },
		{ 8, 10, 12 },
	};
	struct gicv5_vm_caps caps = { .id_bits = 24 };
	struct vgic_v5_ist_geometry geo;
	unsigned int istsz, l2sz, bits, i;
	u64 entries, bytes, nr;
	bool two_level;
	int ret;

	for (i = 0; i < 24 * 3 * 3 * 2; i++) {
		bits = 1 + i % 24;
		istsz = i / 24 % 3;
		l2sz = i / (24 * 3) % 3;
		two_level = i / (24 * 3 * 3);

		caps.two_level = two_level;
		caps.l2sz = l2sz;
		caps.istmd = istsz;
		caps.istmd_sz = istsz == 2 ? bits : bits + 1;
		ret = vgic_v5_ist_get_geometry(&caps, LPI, bits, &geo);

		entries = 1ULL << bits;
		bytes = entries * (istsz == 0 ? 4 : istsz == 1 ? 8 : 16);
		nr = entries >> l2_id_bits[istsz][l2sz];
		if (two_level && nr > 1) {
			KUNIT_ASSERT_EQ(test, ret, 0);
			KUNIT_ASSERT_EQ(test, geo.size, max(64, nr * 8));
			KUNIT_ASSERT_EQ(test, geo.l2_size, 4096 << 2 * l2sz);
			KUNIT_ASSERT_EQ(test, geo.nr_l2, nr);
			KUNIT_ASSERT_EQ(test, geo.nr_l2 * geo.l2_size, bytes);
			KUNIT_ASSERT_EQ(test, geo.l2sz, l2sz);
		} else if (bytes > KMALLOC_MAX_SIZE) {
			KUNIT_ASSERT_EQ(test, ret, -E2BIG);
			continue;
		} else {
			KUNIT_ASSERT_EQ(test, ret, 0);
			KUNIT_ASSERT_EQ(test, geo.size, max(64, bytes));
			KUNIT_ASSERT_EQ(test, geo.l2_size, 0);
			KUNIT_ASSERT_EQ(test, geo.nr_l2, 0);
			KUNIT_ASSERT_EQ(test, geo.l2sz, 0);
		}
		KUNIT_ASSERT_EQ(test, geo.id_bits, bits);
		KUNIT_ASSERT_EQ(test, geo.istsz, istsz);
	}
}

static void geometry_limits(struct kunit *test)
{
	struct gicv5_vm_caps caps = { .id_bits = 14, .min_lpi_id_bits = 5 };
	struct vgic_v5_ist_geometry geo;

	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, SPI, 0, &geo), -EINVAL);
	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, SPI, 1, &geo), 0);
	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, LPI, 4, &geo), -EINVAL);
	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, LPI, 5, &geo), 0);
	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, LPI, 14, &geo), 0);
	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, LPI, 15, &geo), -EINVAL);
	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, SPI, 15, &geo), -EINVAL);
	KUNIT_EXPECT_EQ(test, vgic_v5_ist_get_geometry(&caps, LPI, UINT_MAX, &geo), -EINVAL);
}

static void linear_max(struct kunit *test)
{
	unsigned int istsz;

	for (istsz = 0; istsz < 3; istsz++)
		KUNIT_EXPECT_EQ(test, (4ULL << istsz) << gicv5_linear_ist_max_id_bits(istsz),
				KMALLOC_MAX_SIZE);
}

/* Too much for the allocator is no reason for a warning, which would be found in the log. */
static void zalloc_real(struct kunit *test)
{
	u8 *mem;

	KUNIT_EXPECT_NULL(test, vgic_v5_zalloc(2 * KMALLOC_MAX_SIZE));
	vgic_v5_free(NULL);

	mem = vgic_v5_zalloc(4096);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	KUNIT_EXPECT_EQ(test, virt_to_phys(mem) % 4096, 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(mem, 0, 4096));
	vgic_v5_free(mem);
}

static void sync_real(struct kunit *test)
{
	struct gicv5_vm_caps caps = {};
	u8 *mem = vgic_v5_zalloc(4096);

	KUNIT_ASSERT_NOT_NULL(test, mem);
	memset(mem, 1, 4096);
	vgic_v5_sync(&caps, mem, 4096);
	caps.coherent = true;
	vgic_v5_sync(&caps, mem, 4096);
	KUNIT_EXPECT_NULL(test, memchr_inv(mem, 1, 4096));
	vgic_v5_free(mem);
}

static void vmt_states(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int allocs;

	irs->caps.vm_id_bits = 0;
	KUNIT_EXPECT_EQ(test, vgic_v5_vmt_setup(vmt, &irs->caps), -ENODEV);

	irs->caps.vm_id_bits = FAKE_ID_BITS;
	irs->fail_at = 1;
	KUNIT_EXPECT_EQ(test, vgic_v5_vmt_setup(vmt, &irs->caps), -ENOMEM);

	irs->has_table = true;
	KUNIT_EXPECT_EQ(test, vgic_v5_vmt_setup(vmt, &irs->caps), -EBUSY);
	vm = vgic_v5_vm_create(vmt, 1);
	KUNIT_EXPECT_PTR_EQ(test, vm, ERR_PTR(-ENOSPC));

	/* A busy IRS is given no table. */
	irs->has_table = false;
	irs->stalled = true;
	allocs = irs->nr_allocs;
	KUNIT_EXPECT_EQ(test, vgic_v5_vmt_setup(vmt, &irs->caps), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, irs->nr_allocs, allocs);
	KUNIT_EXPECT_NULL(test, irs->table);
	vm = vgic_v5_vm_create(vmt, 1);
	KUNIT_EXPECT_PTR_EQ(test, vm, ERR_PTR(-ENOSPC));

	/* The IRS may use the table later: it stays. */
	irs->stalled = false;
	irs->stall_reg = VMT_BASER;
	KUNIT_EXPECT_EQ(test, vgic_v5_vmt_setup(vmt, &irs->caps), -ETIMEDOUT);
	KUNIT_EXPECT_NOT_NULL(test, irs->table);
	irs->stalled = false;
	vm = vgic_v5_vm_create(vmt, 1);
	KUNIT_EXPECT_PTR_EQ(test, vm, ERR_PTR(-ENOSPC));
}

/* More VM IDs than the table is to have */
static void vmt_big(struct kunit *test)
{
	irs->caps.vm_id_bits = 16;
	setup(test);
	KUNIT_EXPECT_EQ(test, vmt->nr_ids, 4096);
}

/* With pKVM the IRS hears nothing, as the hypervisor could not check it. */
static void vmt_pkvm(struct kunit *test)
{
	int ret = vgic_v5_vmt_init(vmt, &irs->caps);

	if (is_protected_kvm_enabled()) {
		KUNIT_EXPECT_EQ(test, ret, -EOPNOTSUPP);
		KUNIT_EXPECT_NULL(test, irs->table);
		KUNIT_EXPECT_EQ(test, irs->nr_allocs, 0);
		return;
	}

	KUNIT_EXPECT_EQ(test, ret, 0);
	vgic_v5_vm_destroy(create(test));
}

static void vm_encode(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm, *other;

	setup(test);
	other = create(test);
	vm = vgic_v5_vm_create(vmt, 5);
	KUNIT_ASSERT_FALSE(test, IS_ERR(vm));
	KUNIT_EXPECT_EQ(test, other->id, 0);
	KUNIT_EXPECT_EQ(test, vm->id, 1);
	KUNIT_EXPECT_EQ(test, fake_word(irs->table, 4), virt_to_phys(vm->vmd) | 1);
	KUNIT_EXPECT_EQ(test, fake_word(irs->table, 5), virt_to_phys(vm->vpet) | 3ULL << 59);
	KUNIT_EXPECT_EQ(test, fake_word(irs->table, 6), 0);
	KUNIT_EXPECT_EQ(test, fake_word(irs->table, 7), 0);

	vgic_v5_vm_destroy(vm);
	KUNIT_EXPECT_NULL(test, memchr_inv((u64 *)fake_view(irs->table) + 4, 0, 32));
	vgic_v5_vm_destroy(other);

	/* No descriptor, and the smallest vPE table */
	irs->caps.vmd_size = 0;
	vm = vgic_v5_vm_create(vmt, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(vm));
	KUNIT_EXPECT_EQ(test, entry_word(vm, 0), 1);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 1), virt_to_phys(vm->vpet) | 1ULL << 59);
	vgic_v5_vm_destroy(vm);
}

static void vm_limits(struct kunit *test)
{
	struct vgic_v5_irs_vm *vms[FAKE_NR_IDS], *vm;
	size_t i;

	setup(test);
	KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 0), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 257), ERR_PTR(-EINVAL));
	vm = vgic_v5_vm_create(vmt, 256);
	KUNIT_ASSERT_FALSE(test, IS_ERR(vm));
	vgic_v5_vm_destroy(vm);

	for (i = 0; i < FAKE_NR_IDS; i++) {
		vms[i] = create(test);
		KUNIT_EXPECT_EQ(test, vms[i]->id, i);
	}
	KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 1), ERR_PTR(-ENOSPC));

	vgic_v5_vm_destroy(vms[5]);
	vms[5] = create(test);
	KUNIT_EXPECT_EQ(test, vms[5]->id, 5);

	for (i = 0; i < FAKE_NR_IDS; i++)
		vgic_v5_vm_destroy(vms[i]);
}

static void ist_encode(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;

	/* Entries of 16 bytes, level-2 ISTs of 16 KiB: 1024 entries each */
	irs->caps.istmd = true;
	irs->caps.istmd_sz = 8;
	irs->caps.l2sz = 1;
	setup(test);
	vm = create(test);

	KUNIT_ASSERT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 13), 0);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 2), virt_to_phys(vm->ist[0]->base) |
			1 | 1 << 1 | 2ULL << 56 | 1ULL << 58 | 13ULL << 59);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 3), 0);

	/* Entries of 8 bytes, linear */
	KUNIT_ASSERT_EQ(test, vgic_v5_vm_add_ist(vm, SPI, 7), 0);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 3), virt_to_phys(vm->ist[1]->base) |
			1 | 1ULL << 56 | 7ULL << 59);

	KUNIT_ASSERT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), 0);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 2), 0);
	KUNIT_EXPECT_NE(test, entry_word(vm, 3), 0);

	/* The VM takes the other along. */
	vgic_v5_vm_destroy(vm);
	KUNIT_EXPECT_NULL(test, memchr_inv(fake_view(irs->table), 0, 32));
}

/* Each geometry once, through an IRS that checks it */
static void ist_all(struct kunit *test)
{
	static const u8 id_bits[] = { 4, 5, 8, 9, 11, 12, 13, 15 };
	unsigned int bits, l2sz, istsz, i;
	struct vgic_v5_irs_vm *vm;

	setup(test);
	for (i = 0; i < 8 * 3 * 3 * 4; i++) {
		bits = id_bits[i % 8];
		istsz = i / 8 % 3;
		l2sz = i / (8 * 3) % 3;

		irs->caps.coherent = i / (8 * 3 * 3) & 1;
		irs->caps.two_level = i / (8 * 3 * 3) & 2;
		irs->caps.istmd = istsz;
		irs->caps.istmd_sz = istsz == 2 ? 1 : 20;
		irs->caps.l2sz = l2sz;
		vm = create(test);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, bits), 0);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, SPI, bits / 2), 0);
		KUNIT_EXPECT_EQ(test, irs->ist_valid[vm->id], 12);
		if (bits & 1) {
			KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), 0);
			KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, SPI), 0);
		}
		vgic_v5_vm_destroy(vm);
		KUNIT_ASSERT_EQ(test, irs->nr_mems, 1);
		KUNIT_ASSERT_NULL(test, irs->fault);

		/* Both views are the same where the next round may be coherent. */
		memset(irs->table->cpu, 0, irs->table->size);
		memset(irs->table->clean, 0, irs->table->size);
		memset(irs->table->irs, 0, irs->table->size);
	}
}

static void ist_twice(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int allocs;
	u64 word;

	setup(test);
	vm = create(test);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), -ENOENT);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), 0);
	word = entry_word(vm, 2);
	allocs = irs->nr_allocs;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 8), -EEXIST);
	KUNIT_EXPECT_EQ(test, irs->nr_allocs, allocs);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 2), word);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, SPI), -ENOENT);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), 0);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), -ENOENT);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 8), 0);
	vgic_v5_vm_destroy(vm);
}

/* Another IST is first, while this one is allocated. */
static void ist_race(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int before;

	setup(test);
	vm = create(test);
	before = irs->nr_mems;
	irs->rival = vm;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), -EEXIST);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 2) >> 59, 8);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, before + 2);
	vgic_v5_vm_destroy(vm);
}

/* The guest's choice is checked before anything is done. */
static void ist_limits(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int allocs;

	setup(test);
	vm = create(test);
	allocs = irs->nr_allocs;
	irs->nr_log = 0;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 17), -EINVAL);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, SPI, 17), -EINVAL);
	KUNIT_EXPECT_EQ(test, irs->nr_allocs, allocs);
	KUNIT_EXPECT_EQ(test, irs->nr_log, 0);
	vgic_v5_vm_destroy(vm);
}

static void fail_each_alloc(struct kunit *test)
{
	int n, before, ret = -ENOMEM;
	struct vgic_v5_irs_vm *vm;

	setup(test);
	for (n = 1; ret; n++) {
		irs->fail_at = irs->nr_allocs + n;
		vm = vgic_v5_vm_create(vmt, 4);
		ret = PTR_ERR_OR_ZERO(vm);
		KUNIT_ASSERT_TRUE(test, !ret || ret == -ENOMEM);
		KUNIT_EXPECT_TRUE(test, !ret || irs->nr_mems == 1);
		KUNIT_EXPECT_EQ(test, irs->vm_valid[0], !ret);
	}
	/* The VM, its vPE table, its descriptor */
	KUNIT_EXPECT_EQ(test, n, 3 + 2);

	before = irs->nr_mems;
	ret = -ENOMEM;
	for (n = 1; ret; n++) {
		irs->fail_at = irs->nr_allocs + n;
		ret = vgic_v5_vm_add_ist(vm, LPI, 12);
		KUNIT_ASSERT_TRUE(test, !ret || ret == -ENOMEM);
		KUNIT_EXPECT_TRUE(test, !ret || irs->nr_mems == before);
		KUNIT_EXPECT_EQ(test, irs->ist_valid[0], ret ? 0 : 4);
		KUNIT_EXPECT_EQ(test, !entry_word(vm, 2), !!ret);
	}
	/* The IST, level 1, and four of level 2 */
	KUNIT_EXPECT_EQ(test, n, 6 + 2);
	vgic_v5_vm_destroy(vm);
}

static void refused(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int before;

	setup(test);
	irs->refuse_reg = VMR;
	KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 4), ERR_PTR(-EIO));
	KUNIT_EXPECT_NULL(test, memchr_inv(fake_view(irs->table), 0, 32));
	KUNIT_EXPECT_EQ(test, irs->nr_mems, 1);

	irs->refuse_reg = 0;
	vm = create(test);
	KUNIT_EXPECT_EQ(test, vm->id, 0);
	before = irs->nr_mems;

	irs->refuse_reg = VISTR;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), -EIO);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 2), 0);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, before);

	irs->refuse_reg = 0;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), 0);
	before = irs->nr_mems;

	irs->refuse_reg = VISTR;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), -EIO);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, before);

	/* The VM is lost, until the IRS obeys. */
	irs->refuse_reg = VMR;
	vgic_v5_vm_destroy(vm);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, before);

	irs->refuse_reg = 0;
	vm = create(test);
	KUNIT_EXPECT_EQ(test, vm->id, 0);
	vgic_v5_vm_destroy(vm);
}

/* The IRS does not answer in time, and does late, or never, what it was told. */
static void late_add(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int lose, before;

	setup(test);
	for (lose = 0; lose < 2; lose++) {
		vm = create(test);
		before = irs->nr_mems;

		irs->stall_reg = VISTR;
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), -ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, irs->nr_mems, before + 6);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), -EEXIST);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), -ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, irs->nr_mems, before + 6);

		fake_resume(lose);
		KUNIT_EXPECT_EQ(test, irs->ist_valid[vm->id], lose ? 0 : 4);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), 0);
		KUNIT_EXPECT_EQ(test, irs->nr_mems, before);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), 0);
		vgic_v5_vm_destroy(vm);
	}
}

static void late_remove(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int lose, before;

	setup(test);
	for (lose = 0; lose < 2; lose++) {
		vm = create(test);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, SPI, 12), 0);
		before = irs->nr_mems;

		irs->stall_reg = VISTR;
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, SPI), -ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, irs->nr_mems, before);

		fake_resume(lose);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, SPI), 0);
		KUNIT_EXPECT_EQ(test, irs->nr_mems, before - 6);
		vgic_v5_vm_destroy(vm);
	}
}

static void late_vm(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	int lose;

	setup(test);
	for (lose = 0; lose < 2; lose++) {
		irs->stall_reg = VMR;
		KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 4), ERR_PTR(-ETIMEDOUT));
		KUNIT_EXPECT_EQ(test, irs->nr_mems, 1 + 3);

		/* Neither its entry nor its memory is used for anything else. */
		KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 4), ERR_PTR(-ETIMEDOUT));
		KUNIT_EXPECT_EQ(test, irs->nr_mems, 1 + 3);

		fake_resume(lose);
		vm = create(test);
		KUNIT_EXPECT_EQ(test, vm->id, 0);
		KUNIT_EXPECT_EQ(test, irs->nr_mems, 1 + 3);
		KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), 0);

		irs->stall_reg = VMR;
		vgic_v5_vm_destroy(vm);
		KUNIT_EXPECT_EQ(test, irs->nr_mems, 1 + 3 + 6);
		fake_resume(lose);
		vgic_v5_vm_destroy(create(test));
		KUNIT_EXPECT_EQ(test, irs->nr_mems, 1);
	}
}

/* A lost VM that the IRS does not let go does not keep the others. */
static void lost_vms(struct kunit *test)
{
	struct vgic_v5_irs_vm *vms[2], *vm;

	setup(test);
	vms[0] = create(test);
	vms[1] = create(test);
	irs->refuse_reg = VMR;
	vgic_v5_vm_destroy(vms[0]);
	vgic_v5_vm_destroy(vms[1]);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, 1 + 2 * 3);

	/* If the IRS does not answer it is asked once for all of them. */
	irs->stalled = true;
	irs->nr_waits = 0;
	KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 4), ERR_PTR(-ETIMEDOUT));
	KUNIT_EXPECT_EQ(test, irs->nr_waits, 1 + 1);
	irs->stalled = false;

	irs->obeys = BIT(1);
	vm = create(test);
	KUNIT_EXPECT_EQ(test, vm->id, 1);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, 1 + 2 * 3);
	vgic_v5_vm_destroy(vm);
	KUNIT_EXPECT_EQ(test, irs->nr_mems, 1 + 3);

	irs->refuse_reg = 0;
	vgic_v5_vm_destroy(create(test));
	KUNIT_EXPECT_EQ(test, irs->nr_mems, 1);
}

/* An IRS that is busy from the start is sent nothing, and the table left alone. */
static void busy(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;
	u8 table[FAKE_LINE];

	setup(test);
	vm = create(test);
	irs->stalled = true;
	memcpy(table, irs->table->cpu, FAKE_LINE);
	irs->nr_log = 0;
	KUNIT_EXPECT_PTR_EQ(test, vgic_v5_vm_create(vmt, 4), ERR_PTR(-ETIMEDOUT));
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 12), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), -ETIMEDOUT);
	KUNIT_EXPECT_MEMEQ(test, table, irs->table->cpu, FAKE_LINE);
	irs->stalled = false;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), 0);
	vgic_v5_vm_destroy(vm);
}

/* Once an entry is valid its contents are the IRS's, and tell nothing about the allocation. */
static void scribbled(struct kunit *test)
{
	struct vgic_v5_irs_vm *vm;

	setup(test);
	vm = create(test);
	irs->scribble = true;
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 14), 0);
	KUNIT_EXPECT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), 0);
	KUNIT_EXPECT_EQ(test, entry_word(vm, 2), 0);
	vgic_v5_vm_destroy(vm);
}

static void expect_log(struct kunit *test, unsigned int from, const char *ops, ...)
{
	phys_addr_t addr;
	va_list args;
	size_t i;

	KUNIT_EXPECT_EQ(test, irs->nr_log - from, strlen(ops));
	va_start(args, ops);
	for (i = 0; ops[i] && from + i < irs->nr_log; i++) {
		addr = va_arg(args, phys_addr_t);
		KUNIT_EXPECT_EQ(test, irs->log[from + i].op, ops[i]);
		KUNIT_EXPECT_EQ(test, irs->log[from + i].addr, addr);
	}
	va_end(args);
}

/* Tables reach memory before the entry does, the entry before the command, nothing behind it. */
static void order(struct kunit *test)
{
	phys_addr_t l1, l2[2], ist, entry;
	struct vgic_v5_irs_vm *vm;

	setup(test);
	vm = create(test);
	entry = virt_to_phys(vm->entry);

	irs->nr_log = 0;
	KUNIT_ASSERT_EQ(test, vgic_v5_vm_add_ist(vm, LPI, 11), 0);
	ist = virt_to_phys(vm->ist[0]);
	l1 = virt_to_phys(vm->ist[0]->base);
	l2[0] = virt_to_phys(vm->ist[0]->l2[0]);
	l2[1] = virt_to_phys(vm->ist[0]->l2[1]);
	expect_log(test, 0, "sssssscs", l1, l2[0], l2[1], l1,
		   entry, entry, (phys_addr_t)VISTR, entry);

	irs->nr_log = 0;
	KUNIT_ASSERT_EQ(test, vgic_v5_vm_remove_ist(vm, LPI), 0);
	expect_log(test, 0, "sscssffff", entry, entry, (phys_addr_t)VISTR, entry,
		   entry, l2[0], l2[1], l1, ist);

	/* A linear IST reaches memory once. */
	irs->nr_log = 0;
	KUNIT_ASSERT_EQ(test, vgic_v5_vm_add_ist(vm, SPI, 8), 0);
	expect_log(test, 0, "ssscs", virt_to_phys(vm->ist[1]->base),
		   entry, entry, (phys_addr_t)VISTR, entry);

	vgic_v5_vm_destroy(vm);
}

struct two_vms {
	struct kunit		*test;
	struct completion	done;
	int			failed;
};

static int one_of_two(void *data)
{
	struct two_vms *two = data;
	struct vgic_v5_irs_vm *vm;
	int i, bits;

	current->kunit_test = two->test;
	for (i = 0; i < 20; i++) {
		bits = 10 + i % 3;
		vm = vgic_v5_vm_create(vmt, 4);
		if (IS_ERR(vm)) {
			two->failed++;
			continue;
		}
		two->failed += !!vgic_v5_vm_add_ist(vm, LPI, bits);
		two->failed += !!vgic_v5_vm_add_ist(vm, SPI, bits);
		two->failed += !!vgic_v5_vm_remove_ist(vm, LPI);
		two->failed += !!vgic_v5_vm_add_ist(vm, LPI, bits);
		vgic_v5_vm_destroy(vm);
	}
	current->kunit_test = NULL;
	complete(&two->done);

	return 0;
}

/* Their entries are in one cache line. */
static void two_vms(struct kunit *test)
{
	struct task_struct *task;
	struct two_vms *two;
	int i, started;

	setup(test);
	irs->slow = true;
	two = kunit_kcalloc(test, 2, sizeof(*two), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, two);

	for (started = 0; started < 2; started++) {
		two[started].test = test;
		init_completion(&two[started].done);
		task = kthread_run(one_of_two, &two[started], "gicv5-ist/%d", started);
		if (IS_ERR(task))
			break;
	}
	KUNIT_EXPECT_EQ(test, started, 2);
	for (i = 0; i < started; i++) {
		wait_for_completion(&two[i].done);
		KUNIT_EXPECT_EQ(test, two[i].failed, 0);
	}
}

static struct kunit_case geometry_test_cases[] = {
	KUNIT_CASE(geometry_all),
	KUNIT_CASE(geometry_limits),
	KUNIT_CASE(linear_max),
	KUNIT_CASE(zalloc_real),
	KUNIT_CASE(sync_real),
	{}
};

static struct kunit_suite geometry_test_suite = {
	.name = "vgic-v5-ist-geometry",
	.test_cases = geometry_test_cases,
};

static struct kunit_case ist_test_cases[] = {
	KUNIT_CASE(vmt_states),
	KUNIT_CASE(vmt_big),
	KUNIT_CASE(vmt_pkvm),
	KUNIT_CASE(vm_encode),
	KUNIT_CASE(vm_limits),
	KUNIT_CASE(ist_encode),
	KUNIT_CASE(ist_all),
	KUNIT_CASE(ist_twice),
	KUNIT_CASE(ist_race),
	KUNIT_CASE(ist_limits),
	KUNIT_CASE(fail_each_alloc),
	KUNIT_CASE(refused),
	KUNIT_CASE(late_add),
	KUNIT_CASE(late_remove),
	KUNIT_CASE(late_vm),
	KUNIT_CASE(lost_vms),
	KUNIT_CASE(busy),
	KUNIT_CASE(scribbled),
	KUNIT_CASE(order),
	KUNIT_CASE(two_vms),
	{}
};

static struct kunit_suite ist_test_suite = {
	.name = "vgic-v5-ist",
	.init = ist_test_init,
	.exit = ist_test_exit,
	.test_cases = ist_test_cases,
};

kunit_test_suites(&geometry_test_suite, &ist_test_suite);
