// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers for the programs that play a malicious host against the GICv3 of the
 * machine they run on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <asm/hwcap.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_attack.h"

#define STORE_TRIES		16

static const char *const result_name[] = {
	[RES_CORRUPTED]	= "corrupted",
	[RES_REACHED]	= "reached",
	[RES_BLOCKED]	= "blocked",
	[RES_ERROR]	= "error",
	[RES_SKIP]	= "skipped",
};

/* How many commands EL2 has refused since the case began. */
u64 refused(struct test *t)
{
	u64 now;

	its_stat(&t->its, "refused", &now);

	return now - t->refused;
}

/* The guest has the last word about whether its memory has changed. */
enum result look(struct test *t, enum result otherwise)
{
	u64 seen = 0;
	int ret;

	ret = pvm_check(&t->pvm, &seen);
	if (ret < 0)
		return FAIL(t, "guest: %s", strerror(-ret));
	if (!ret)
		return otherwise;

	ksft_print_msg("guest reads 0x%llx\n", (unsigned long long)seen);

	return RES_CORRUPTED;
}

int post1(struct test *t, struct its_cmd cmd)
{
	return its_post(&t->its, &cmd, 1);
}

void unmap(struct test *t, u32 device)
{
	post1(t, its_cmd_mapd(device, EVENT_BITS, 0, false));
}

/* A failed access counts as blocked only if EL2 refused it. */
enum result blocked_by_el2(struct test *t, int ret)
{
	if (ret == FAULT_STAGE2)
		return RES_BLOCKED;

	return FAIL(t, "access failed: %s",
		    ret < 0 ? strerror(-ret) : fault_name(ret));
}

/**
 * try_store() - Make the write of the test to a register
 * @t: the test
 * @addr: the register
 * @val: the value
 * @old: the value that the register has
 *
 * QEMU, from 9.0 on, takes an alignment fault only when it walks the page tables:
 * always on a guarded frame, which has no mapping for writing, but not right after an
 * aligned write to one that is not guarded.
 *
 * Return: what stopped the write.
 */
enum fault try_store(struct test *t, void *addr, u64 val, u64 old)
{
	enum fault fault;
	int i;

	for (i = 0; i < STORE_TRIES; i++) {
		try_write64(addr, old);
		fault = try_access(t->store, addr, &val);
		if (fault != FAULT_ALIGNMENT)
			break;
	}

	return fault;
}

/**
 * store_result() - What came of a write that an emulation has trouble with
 * @t: the test
 * @changed: the register is not what it was
 * @fault: what stopped the write
 *
 * The verdict depends on how far the access got, not on what the device made of it:
 * a device may refuse or ignore an access that is narrow or misaligned. If the CPU
 * itself takes an alignment fault, the access never leaves it. An attack that the CPU
 * always stops on a direct GIC does not exist on that machine.
 *
 * Return: the result.
 */
enum result store_result(struct test *t, bool changed, enum fault fault)
{
	if (fault)
		ksft_print_msg("access ended in %s\n", fault_name(fault));
	if (changed || fault == FAULT_EXTERNAL)
		return RES_REACHED;
	if (fault == FAULT_ALIGNMENT)
		return confined(t) ? RES_BLOCKED : RES_SKIP;
	if (fault)
		return blocked_by_el2(t, fault);
	if (confined(t))
		return FAIL(t, "the access was not refused");

	return RES_REACHED;
}

/*
 * Ways to write a register that an emulation has trouble with
 */

void store_8bit(void *addr, void *arg)
{
	asm volatile("strb	%w0, [%1]\n"
		     "dsb	sy"
		     : : "r" (*(u64 *)arg), "r" (addr) : "memory");
}

void store_16bit(void *addr, void *arg)
{
	asm volatile("strh	%w0, [%1]\n"
		     "dsb	sy"
		     : : "r" (*(u64 *)arg), "r" (addr) : "memory");
}

void store_misaligned(void *addr, void *arg)
{
	asm volatile("str	%w0, [%1, #2]\n"
		     "dsb	sy"
		     : : "r" ((u32)(*(u64 *)arg >> 16)), "r" (addr) : "memory");
}

void store_pair_32(void *addr, void *arg)
{
	u64 val = *(u64 *)arg;

	asm volatile("stp	%w0, %w1, [%2]\n"
		     "dsb	sy"
		     : : "r" ((u32)val), "r" ((u32)(val >> 32)), "r" (addr)
		     : "memory");
}

/* The register below is written along with it, with what it has. */
void store_pair_64(void *addr, void *arg)
{
	asm volatile("stp	%0, %1, [%2]\n"
		     "dsb	sy"
		     : : "r" (*(u64 *)arg), "r" (*(u64 *)(addr + 8)), "r" (addr)
		     : "memory");
}

/* The upper half of the register, and the lower one of the next as it is. */
void store_pair_misaligned(void *addr, void *arg)
{
	asm volatile("stp	%w0, %w1, [%2, #4]\n"
		     "dsb	sy"
		     : : "r" ((u32)(*(u64 *)arg >> 32)), "r" (*(u32 *)(addr + 8)),
			 "r" (addr)
		     : "memory");
}

void store_post_index(void *addr, void *arg)
{
	asm volatile("str	%1, [%0], #8\n"
		     "dsb	sy"
		     : "+r" (addr) : "r" (*(u64 *)arg) : "memory");
}

void store_simd(void *addr, void *arg)
{
	asm volatile("fmov	d0, %1\n"
		     "str	d0, [%0]\n"
		     "dsb	sy"
		     : : "r" (addr), "r" (*(u64 *)arg) : "memory", "v0");
}

void store_exclusive(void *addr, void *arg)
{
	u32 fail = 1;
	u64 old;
	int i;

	for (i = 0; i < 16 && fail; i++)
		asm volatile("ldxr	%1, [%2]\n"
			     "stxr	%w0, %3, [%2]\n"
			     "dsb	sy"
			     : "=&r" (fail), "=&r" (old)
			     : "r" (addr), "r" (*(u64 *)arg) : "memory");
}

void store_atomic(void *addr, void *arg)
{
	asm volatile(".arch_extension lse\n"
		     "swpal	%1, %1, [%0]\n"
		     "dsb	sy"
		     : : "r" (addr), "r" (*(u64 *)arg) : "memory");
}

/* Reads one word, whether there is something or not. */
static void touch(u64 pa)
{
	void *va = phys_map(pa, 4);
	u64 val;

	if (!va)
		return;

	try_read64(va, &val);
	phys_unmap(va, 4);
}

/**
 * touch_neighbours() - Map what may come with a frame in one block mapping
 * @pa: physical address of the frame
 * @distance: how far away neighbours are
 */
void touch_neighbours(u64 pa, u64 distance)
{
	u64 start, end;

	if (!iomem_find("GICD", &start, &end))
		touch(start);

	touch(pa - distance);
	touch(pa + distance);
	touch(pa + 2 * distance);
	touch(pa & ~(BIT64(21) - 1));
	touch(pa | (BIT64(21) - 8));
	touch(pa & ~(BIT64(30) - 1));
}

/**
 * touch_everything() - Make EL2 run out of page tables for MMIO
 *
 * EL2 maps MMIO on demand, and forgets all of it when it has no memory left for
 * more page tables. Nearly all of what is touched does not exist, but that is
 * found out only after it has been mapped.
 */
void touch_everything(void)
{
	u64 pa, end = 1ULL << host_pa_bits();

	for (pa = 0; pa < end; pa += BIT64(39)) {
		touch(pa | BIT64(37));
		touch(pa | BIT64(38));
	}
	for (pa = BIT64(36); pa < BIT64(40) && pa < end; pa += BIT64(30))
		touch(pa);
	for (pa = 0; pa < BIT64(30); pa += BIT64(21))
		touch(pa);
}

/*
 * A device is mapped, an interrupt is raised, and another one raised and taken back:
 * goes through the whole of the ITS and of a redistributor, and fails if anything of
 * it is not as it should be.
 */
static bool queue_works(struct test *t)
{
	struct its *its = &t->its;
	struct its_cmd cmds[] = {
		its_cmd_mapd(DEV_CANARY, EVENT_BITS, t->canary_itt, true),
		its_cmd_mapti(DEV_CANARY, 0, t->lpi_canary, 0),
		its_cmd_event(GITS_CMD_INT, DEV_CANARY, 0),
		its_cmd_sync(its->rdbase),
	};
	struct its_cmd twice[] = {
		its_cmd_event(GITS_CMD_INT, DEV_CANARY, 0),
		its_cmd_event(GITS_CMD_CLEAR, DEV_CANARY, 0),
		its_cmd_sync(its->rdbase),
	};
	struct its_cmd undo[] = {
		its_cmd_event(GITS_CMD_DISCARD, DEV_CANARY, 0),
		its_cmd_mapd(DEV_CANARY, EVENT_BITS, t->canary_itt, false),
		its_cmd_sync(its->rdbase),
	};
	bool was, arrived, left;
	u64 before, after;

	its_stat(its, "refused", &before);

	was = its_lpi_arrived(its, t->lpi_canary);
	if (its_post(its, cmds, ARRAY_SIZE(cmds)))
		return false;
	arrived = its_lpi_arrived(its, t->lpi_canary);

	if (its_lpi_set_prop(its, t->lpi_canary, LPI_OFF) ||
	    its_post(its, twice, ARRAY_SIZE(twice)) ||
	    its_lpi_set_prop(its, t->lpi_canary, LPI_ON))
		return false;
	left = its_lpi_arrived(its, t->lpi_canary);

	if (its_post(its, undo, ARRAY_SIZE(undo)))
		return false;

	its_stat(its, "refused", &after);
	if (was || !arrived || left || before != after)
		ksft_print_msg("queue: before %d, raised %d, cleared %d, refused %lld\n",
			       was, arrived, left, (long long)(after - before));

	return !was && arrived && !left && before == after;
}

static enum result run_victim(struct test *t, const struct attack *attack)
{
	enum result res;
	int ret;

	if (attack->gicv4 && !(t->its.typer & GITS_TYPER_VLPIS))
		return RES_SKIP;
	if (attack->store == store_atomic && !(getauxval(AT_HWCAP) & HWCAP_ATOMICS))
		return RES_SKIP;

	ret = attack->no_vm ? 0 : pvm_create(&t->pvm, attack->victim, t);
	if (ret)
		return FAIL(t, "protected VM: %s", strerror(-ret));

	its_stat(&t->its, "refused", &t->refused);
	t->store = attack->store;
	res = attack->fn(t);

	/* No matter what the case thinks of it. */
	if (!attack->no_vm && res != RES_SKIP && res != RES_CORRUPTED)
		res = look(t, res);

	if (!attack->no_vm)
		pvm_destroy(&t->pvm);

	return res;
}

static void run(struct test *t, const struct attacks *attacks, unsigned int nr)
{
	const struct attack *attack = &attacks->list[nr];
	const char *name = attack->name;
	enum result res;
	bool ok, works;

	t->why[0] = '\0';
	res = its_refresh(&t->its) ? FAIL(t, "info") : run_victim(t, attack);

	ksft_print_msg("result %s %s\n", name, result_name[res]);
	if (res == RES_SKIP) {
		ksft_test_result_skip("%s: %s\n", name, attack->skip);
		return;
	}
	if (res == RES_ERROR)
		ksft_print_msg("%s: %s\n", name, t->why);

	works = (!attacks->works || attacks->works(t)) && queue_works(t) && !its_return(&t->its);
	if (!works)
		ksft_print_msg("%s: the GIC does not work any more\n", name);

	if (confined(t))
		ok = res == RES_BLOCKED;
	else
		ok = res == RES_CORRUPTED || res == RES_REACHED;

	ksft_test_result(ok && works, "%s\n", name);
}

static void print_usage(const char *prog)
{
	printf("usage: %s [-l] [-t name]\n"
	       "  -l       list the cases\n"
	       "  -t name  run one of them\n", prog);
}

/*
 * QEMU 7.2 does not implement GITS_IIDR; 0x43b is what its distributor has instead.
 * That is a number of Arm's, but those have no ITEs of 12 bytes.
 */
static bool its_is_qemu(struct its *its)
{
	u32 iidr = its_read32(its, GITS_IIDR);

	return (!iidr || iidr == 0x43b) && its->itt_entry_size == 12;
}

/**
 * attack_main() - The main program
 * @argc: as main() got it
 * @argv: as main() got it
 * @attacks: what there is to do
 *
 * Return: the exit code.
 */
int attack_main(int argc, char **argv, const struct attacks *attacks)
{
	static struct test t;
	const char *only = NULL;
	unsigned int i, nr = 0;
	int opt, ret;

	while ((opt = getopt(argc, argv, "lt:h")) != -1) {
		switch (opt) {
		case 'l':
			for (i = 0; i < attacks->nr; i++)
				puts(attacks->list[i].name);
			return 0;
		case 't':
			only = optarg;
			break;
		default:
			print_usage(argv[0]);
			return opt == 'h' ? 0 : KSFT_FAIL;
		}
	}

	for (i = 0; i < attacks->nr; i++)
		nr += !only || !strcmp(only, attacks->list[i].name);
	if (!nr) {
		fprintf(stderr, "%s: no case '%s'\n", argv[0], only);
		return KSFT_FAIL;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	pkvm_its_setup();

	t.mode = pkvm_its_mode();
	if (t.mode == PKVM_ITS_FAILED)
		ksft_exit_fail_msg("the kernel failed to confine the ITSs\n");
	if (!its_count())
		ksft_exit_skip("no ITS\n");
	phys_setup();

	ret = pvm_probe(true);
	if (ret && confined(&t))
		ksft_exit_fail_msg("the ITSs are confined, but protected VM: %s\n",
				   strerror(-ret));
	if (ret)
		ksft_exit_skip("no protected VMs: %s\n", strerror(-ret));

	ret = its_open(&t.its, 0);
	if (ret)
		ksft_exit_fail_msg("ITS: %s\n", strerror(-ret));
	if (confined(&t) && access(PKVM_HOST_DEBUGFS "/call", W_OK))
		ksft_exit_skip("no CONFIG_TEST_PKVM_HOST\n");
	if (!its_is_qemu(&t.its))
		ksft_exit_skip("the ITS is not QEMU's, whose entries the attacks forge\n");

	ret = its_lpis_open(&t.lpis, &t.its);
	if (ret == -ENODEV)
		ksft_exit_skip("no device whose interrupts could be seen to arrive\n");
	if (ret)
		ksft_exit_fail_msg("interrupts of a device: %s\n", strerror(-ret));
	t.lpi_canary = t.lpis.lpi[0];
	t.lpi = t.lpis.lpi[1];

	t.canary_itt = pages_alloc(0);
	if (!t.canary_itt ||
	    its_reserve(&t.its, t.its.devices, DEV_CANARY) ||
	    its_reserve(&t.its, t.its.devices, DEV_NONE))
		ksft_exit_fail_msg("no memory\n");

	ret = attacks->setup ? attacks->setup(&t) : 0;
	if (ret)
		ksft_exit_fail_msg("setup: %s\n", strerror(-ret));

	ksft_print_msg("ITS %s is %s\n", t.its.name, pkvm_its_mode_name(t.mode));
	if (!queue_works(&t))
		ksft_exit_fail_msg("the ITS does not work to begin with\n");

	ksft_set_plan(nr);
	for (i = 0; i < attacks->nr; i++) {
		if (!only || !strcmp(only, attacks->list[i].name))
			run(&t, attacks, i);
	}

	its_lpis_close(&t.its);

	ksft_finished();
}
