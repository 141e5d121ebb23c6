// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's side of guest ISTs, on registers made of memory. The driver is compiled as it
 * is; what its other tasks need of device trees and of per-CPU data is only declared. Offsets
 * and bits are numbers here, so that the tests notice a wrong definition.
 */

#define DEFINE_PER_CPU(type, name)		type name[1]
#define DEFINE_PER_CPU_READ_MOSTLY(type, name)	type name[1]
#define per_cpu(name, cpu)			((name)[cpu])
#define for_each_possible_cpu(cpu)		for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define for_each_available_child_of_node(parent, np) for ((np) = (parent); (np); (np) = NULL)
#define LIST_HEAD(name)				struct list_head name = { &name, &name }
#define shim_guard_raw_spinlock(lock)		(void)(lock)
#define kmemleak_ignore(mem)			(void)(mem)
#define dcache_clean_poc(start, end)		__sync_synchronize()
#define dcache_inval_poc(start, end)		__sync_synchronize()
#define dma_get_cache_alignment()		128
#define resource_size(res)			0
#define acpi_disabled				true
#define pr_err(...)				do { } while (0)
#define pr_warn					pr_err
#define pr_info					pr_err
#define pr_debug				pr_err
#define FW_BUG					""
#define WARN(x, ...)				(x)
#define WARN_ON_ONCE(x)				(x)
#define __free(fn)

enum {
	IRQ_TYPE_EDGE_RISING	= 1,
	IRQ_TYPE_EDGE_FALLING	= 2,
	IRQ_TYPE_LEVEL_HIGH	= 4,
	IRQ_TYPE_LEVEL_LOW	= 8,
};

struct device_node {
	const char	*full_name;
};

struct irq_data {
	void		*chip_data;
	unsigned long	hwirq;
};

int of_property_present(), of_count_phandle_with_args(), of_property_count_elems_of_size();
int of_property_read_u16_array(), of_cpu_node_to_id(), of_node_put();
int of_property_match_string(), of_address_to_resource(), of_property_read_bool();
int of_device_is_compatible(), raw_spin_lock_init(), iounmap(), release_mem_region();
void *of_parse_phandle(), *of_io_request_and_map(), *of_fwnode_handle(), *to_of_node();
const char *of_node_full_name();
#define kzalloc_objs(x, n)			kzalloc(sizeof(x) * (n), GFP_KERNEL)

#include "irq-gic-v5-irs.c"

struct gicv5_chip_data gicv5_global_data;

static unsigned long nr_lpis;

void gicv5_init_lpis(u32 lpis)
{
	nr_lpis = lpis;
}

static u8 regs[0x10000] __attribute__((aligned(8)));
static struct gicv5_irs_chip_data irs_data = { .irs_base = regs };

#define REG32(offset)	(*(volatile u32 *)(regs + (offset)))
#define REG64(offset)	(*(volatile u64 *)(regs + (offset)))

static int irs_init(struct kunit *test)
{
	memset(regs, 0, sizeof(regs));
	memset(&gicv5_global_data, 0, sizeof(gicv5_global_data));
	gicv5_global_data.virt_capable = true;
	gicv5_global_data.cpuif_id_bits = 16;
	irs_data.flags = 0;
	INIT_LIST_HEAD(&irs_nodes);
	list_add_tail(&irs_data.entry, &irs_nodes);

	return 0;
}

/* Each field alone, so that none is read from the place of another */
static void caps_fields(struct kunit *test)
{
	const struct gicv5_vm_caps *caps = &gicv5_global_data.vm_caps;

	gicv5_irs_init_vm_caps(&irs_data);
	KUNIT_EXPECT_EQ(test, caps->vm_id_bits, 0);
	KUNIT_EXPECT_EQ(test, caps->vpe_id_bits, 1);
	KUNIT_EXPECT_EQ(test, caps->vmd_size, 0);
	KUNIT_EXPECT_EQ(test, caps->line, 128);
	KUNIT_EXPECT_FALSE(test, caps->two_level);
	KUNIT_EXPECT_FALSE(test, caps->istmd);
	KUNIT_EXPECT_TRUE(test, caps->coherent);

	/* IRS_IDR2: ID_BITS, MIN_LPI_ID_BITS, IST_LEVELS, IST_L2SZ, ISTMD, ISTMD_SZ */
	REG32(8) = 14 | 9 << 6 | 1 << 10 | 2 << 11 | 1 << 14 | 12 << 15;
	/* IRS_IDR3: VMD, VMD_SZ, VM_ID_BITS. IRS_IDR4: VPE_ID_BITS */
	REG32(0xc) = 1 | 10 << 1 | 13 << 5;
	REG32(0x10) = 7 << 6;
	irs_data.flags = IRS_FLAGS_NON_COHERENT;
	gicv5_irs_init_vm_caps(&irs_data);
	KUNIT_EXPECT_EQ(test, caps->id_bits, 14);
	KUNIT_EXPECT_EQ(test, caps->min_lpi_id_bits, 9);
	KUNIT_EXPECT_TRUE(test, caps->two_level);
	KUNIT_EXPECT_EQ(test, caps->l2sz, 1);
	KUNIT_EXPECT_TRUE(test, caps->istmd);
	KUNIT_EXPECT_EQ(test, caps->istmd_sz, 12);
	KUNIT_EXPECT_EQ(test, caps->vm_id_bits, 13);
	KUNIT_EXPECT_EQ(test, caps->vmd_size, 1024);
	KUNIT_EXPECT_EQ(test, caps->vpe_id_bits, 8);
	KUNIT_EXPECT_FALSE(test, caps->coherent);

	/* The CPUs have fewer ID bits. */
	gicv5_global_data.cpuif_id_bits = 12;
	gicv5_irs_init_vm_caps(&irs_data);
	KUNIT_EXPECT_EQ(test, caps->id_bits, 12);
}

static void caps_without_vms(struct kunit *test)
{
	memset(regs, 0xff, 0x20);
	gicv5_global_data.virt_capable = false;
	gicv5_irs_init_vm_caps(&irs_data);
	KUNIT_EXPECT_NULL(test, memchr_inv(&gicv5_global_data.vm_caps, 0,
					   sizeof(struct gicv5_vm_caps)));
}

/* The level-2 size of the host and of guests is one choice. */
static void caps_l2sz(struct kunit *test)
{
	static const u8 l2sz[2][8] = {
		{ 2, 0, 1, 0, 2, 0, 1, 0 },	/* pages of 4K */
		{ 2, 0, 1, 0, 2, 2, 2, 2 },	/* pages of 64K */
	};
	int supported;

	for (supported = 0; supported < 8; supported++) {
		REG32(8) = supported << 11;
		gicv5_irs_init_vm_caps(&irs_data);
		KUNIT_EXPECT_EQ(test, gicv5_global_data.vm_caps.l2sz,
				l2sz[PAGE_SHIFT == 16][supported]);
	}
}

/* They are read once there is an IST. */
static void enable(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gicv5_irs_enable(), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, gicv5_global_data.vm_caps.id_bits, 0);

	REG32(8) = 10;
	REG32(0x194) = 1;
	REG64(0x180) = 0;
	KUNIT_EXPECT_EQ(test, gicv5_irs_enable(), 0);
	KUNIT_EXPECT_EQ(test, nr_lpis, 1024);
	KUNIT_EXPECT_EQ(test, gicv5_global_data.vm_caps.id_bits, 10);
	kfree(phys_to_virt(REG64(0x180) & ~1));
}

static void set_table(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gicv5_irs_vmt_set_table(0x123456780040, 13), 0);
	KUNIT_EXPECT_EQ(test, REG32(0x210), 13);
	KUNIT_EXPECT_EQ(test, REG64(0x200), 0x123456780041);

	/* It has one: nothing changes. */
	KUNIT_EXPECT_EQ(test, gicv5_irs_vmt_set_table(0x80000000, 4), -EBUSY);
	KUNIT_EXPECT_EQ(test, REG32(0x210), 13);
	KUNIT_EXPECT_EQ(test, REG64(0x200), 0x123456780041);
}

static void command(struct kunit *test)
{
	gicv5_irs_vmt_command(0x2c8, 0x8123456789abcdef);
	KUNIT_EXPECT_EQ(test, REG64(0x2c8), 0x8123456789abcdef);
	REG64(0x2c8) = 0;
	KUNIT_EXPECT_NULL(test, memchr_inv(regs, 0, sizeof(regs)));
}

static void wait(struct kunit *test)
{
	REG32(0x214) = ~1;
	KUNIT_EXPECT_EQ(test, gicv5_irs_vmt_wait(), -ETIMEDOUT);
	REG32(0x214) = 1;
	KUNIT_EXPECT_EQ(test, gicv5_irs_vmt_wait(), 0);
}

/* The table goes to the first IRS, which is the one whose capabilities count. */
static void first_irs(struct kunit *test)
{
	static struct gicv5_irs_chip_data other;

	list_add_tail(&other.entry, &irs_nodes);
	gicv5_irs_vmt_command(0x2d0, 1);
	KUNIT_EXPECT_EQ(test, REG64(0x2d0), 1);
}

/* Capped, the ID bits that the IRS is told are those that fit. */
static void linear_cap(struct kunit *test)
{
	unsigned int istsz;

	for (istsz = 0; istsz < 3; istsz++) {
		unsigned int bits = __builtin_ctzl(KMALLOC_MAX_SIZE) - 2 - istsz;

		/* IRS_IST_STATUSR.IDLE */
		REG32(0x194) = 1;
		KUNIT_ASSERT_EQ(test, gicv5_irs_init_ist_linear(&irs_data, bits + 1, istsz), 0);
		/* IRS_IST_CFGR: LPI_ID_BITS, L2SZ, ISTSZ, STRUCTURE */
		KUNIT_EXPECT_EQ(test, REG32(0x190), bits | istsz << 7);
		kfree(phys_to_virt(REG64(0x180) & ~1));
	}
}

static struct kunit_case irs_test_cases[] = {
	KUNIT_CASE(caps_fields),
	KUNIT_CASE(caps_without_vms),
	KUNIT_CASE(caps_l2sz),
	KUNIT_CASE(enable),
	KUNIT_CASE(set_table),
	KUNIT_CASE(command),
	KUNIT_CASE(wait),
	KUNIT_CASE(first_irs),
	KUNIT_CASE(linear_cap),
	{}
};

static struct kunit_suite irs_test_suite = {
	.name = "gicv5-irs",
	.init = irs_init,
	.test_cases = irs_test_cases,
};

kunit_test_suites(&irs_test_suite);
