// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkvm_its_bench - What confinement of ITSs costs
 *
 * Prints numbers, one a line:
 *
 *	# bench: <case> <metric> <value> <unit>
 *
 * Times are ticks of CNTVCT_EL0. They are instructions on a machine where the
 * counter goes by instructions, as QEMU's does with one CPU and
 *
 *	-cpu max,cntfrq=1000000000 -icount shift=0,sleep=off
 *	-M virt,...,iommu=smmuv3
 *	-drive driver=null-co,size=64M,read-zeroes=on,if=none,id=d0
 *	-device nvme,serial=d0,drive=d0,msix_qsize=2048,max_ioqpairs=2047
 *
 * To be run on a kernel with kvm-arm.protected_its=off, without, and with
 * kvm-arm.protected_its=reference. What is measured is the same; nothing is a
 * failure for taking long. Takes CONFIG_ARM_GIC_V3_ITS_BENCH; the case "boot"
 * by itself takes nothing. Devices that were mapped stay mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "pkvm_its.h"

#define ITS_BENCH_DEBUGFS	"/sys/kernel/debug/its_bench"
#define HYP_TRACEFS		"/sys/kernel/tracing/remotes/hypervisor"

#define MSIX_VECTORS		2048

/* How often to do what takes the same time each time, once it is warm. */
#define ROUNDS			64
#define MAPD_ROUNDS		16
#define MSIX_ROUNDS		3

/* Entries to EL2 are those of this many operations more than others. */
#define PAIRS			256
#define TRACE_ROUNDS		4

static u64 started;
static struct its its;

/*
 * Tests. Each returns 0, -errno or 1 for a skip.
 */

static u64 ticks(void)
{
	u64 val;

	asm volatile("isb\n"
		     "mrs	%0, cntvct_el0\n"
		     "isb"
		     : "=r" (val) : : "memory");

	return val;
}

/*
 * The same for what a thread does, kernel included, without the time that it
 * waits for something: that goes by ticks of the scheduler, not by instructions.
 */
static u64 thread_ticks(void)
{
	struct timespec ts;
	u64 freq;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	asm volatile("mrs	%0, cntfrq_el0" : "=r" (freq));

	return ts.tv_sec * freq + ts.tv_nsec * freq / 1000000000;
}

static void result(const char *name, const char *metric, u64 val,
		   const char *unit)
{
	ksft_print_msg("bench: %s %s %llu %s\n", name, metric,
		       (unsigned long long)val, unit);
}

static void result_ratio(const char *name, const char *metric, u64 val,
			 u64 nr, const char *unit)
{
	ksft_print_msg("bench: %s %s %.2f %s\n", name, metric,
		       (double)val / nr, unit);
}

static void bench_path(char *path, size_t size, const char *file)
{
	snprintf(path, size, ITS_BENCH_DEBUGFS "/%s/%s", its.name, file);
}

static int bench_write(const char *file, u64 val)
{
	char path[128], text[24];

	bench_path(path, sizeof(path), file);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)val);

	return sysfile_write(path, text);
}

static int bench_read(const char *file, u64 *val)
{
	char path[128], text[64];
	int ret;

	bench_path(path, sizeof(path), file);
	ret = sysfile_read(path, text, sizeof(text));
	if (ret < 0)
		return ret;
	*val = strtoull(text, NULL, 0);

	return 0;
}

/* Have the driver do something @times times. The kernel has the times. */
static int bench_run(const char *op, unsigned int times)
{
	char path[128], text[32];

	bench_path(path, sizeof(path), "run");
	snprintf(text, sizeof(text), "%s %u", op, times);

	return sysfile_write(path, text);
}

/* The least that it takes. What takes longer the first time is not of interest. */
static int measure(const char *name, const char *metric, const char *op,
		   unsigned int times)
{
	u64 least;
	int ret;

	ret = bench_run(op, times);
	if (!ret)
		ret = bench_read("run", &least);
	if (!ret)
		result(name, metric, least, "instructions");

	return ret;
}

/*
 * Entries to EL2
 */

static char trace_kb[32];

/* Its size can't be changed while there is something in the buffer. */
static int hyp_trace_resize(const char *kb)
{
	int ret;

	ret = sysfile_write(HYP_TRACEFS "/trace", "\n");
	if (!ret)
		ret = sysfile_write(HYP_TRACEFS "/buffer_size_kb", kb);

	return ret;
}

static void hyp_trace_restore(void)
{
	sysfile_write(HYP_TRACEFS "/tracing_on", "0");
	hyp_trace_resize(trace_kb);
}

static int hyp_trace(bool on)
{
	int ret;

	if (!on)
		return sysfile_set(HYP_TRACEFS "/tracing_on", "0");

	ret = hyp_trace_resize("8192");
	if (!ret)
		ret = sysfile_set(HYP_TRACEFS "/events/hypervisor/hyp_enter/enable",
				  "1");
	if (!ret)
		ret = sysfile_set(HYP_TRACEFS "/tracing_on", "1");

	return ret;
}

/* Count the entries to EL2 that @fn makes, and those that counting takes. */
static int trace_entries(int (*fn)(unsigned int arg), unsigned int arg,
			 u64 *entries)
{
	char line[256];
	int ret, err;
	FILE *f;

	*entries = 0;
	ret = hyp_trace(true);
	if (ret)
		return ret;

	ret = fn(arg);
	err = hyp_trace(false);
	if (ret || err)
		return ret ? ret : err;

	f = fopen(HYP_TRACEFS "/trace", "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "LOST"))
			ret = -ENOBUFS;
		if (strstr(line, "hyp_enter"))
			(*entries)++;
	}
	fclose(f);

	return ret;
}

/*
 * Entries that @fn makes with one argument more than with another. Memory that
 * the host has not used before takes an entry, too: the fewest count.
 */
static int count_entries(int (*fn)(unsigned int arg), unsigned int more,
			 unsigned int less, u64 *entries)
{
	u64 nr, least[2] = { UINT64_MAX, UINT64_MAX };
	int i, ret = 0;

	for (i = 0; i < 2 * TRACE_ROUNDS && !ret; i++) {
		ret = trace_entries(fn, i % 2 ? more : less, &nr);
		if (nr < least[i % 2])
			least[i % 2] = nr;
	}
	*entries = least[1] - least[0];

	return ret;
}

static bool can_trace(void)
{
	ssize_t len;

	if (trace_kb[0])
		return true;

	/* "7 (unloaded)", for instance */
	len = sysfile_read(HYP_TRACEFS "/buffer_size_kb", trace_kb,
			   sizeof(trace_kb));
	if (len > 0) {
		*strchrnul(trace_kb, ' ') = '\0';
		atexit(hyp_trace_restore);
		return true;
	}

	ksft_print_msg("no trace of the hypervisor: entries are not counted\n");

	return false;
}

static int creadr_read(void)
{
	return measure("creadr-read", "instructions", "creadr", ROUNDS);
}

static int run_inv(unsigned int times)
{
	return bench_run("inv", times);
}

static int posted_pair(void)
{
	const char *name = "posted-pair";
	u64 entries;
	int ret;

	ret = measure(name, "instructions_inv", "inv", ROUNDS);
	if (!ret)
		ret = measure(name, "instructions_mapti", "mapti", ROUNDS);
	if (!ret)
		ret = measure(name, "cwriter_write", "post", ROUNDS);
	if (!ret)
		ret = measure(name, "guarded_write", "guard", ROUNDS);
	if (ret || !can_trace())
		return ret;

	ret = count_entries(run_inv, 2 * PAIRS, PAIRS, &entries);
	if (!ret)
		result_ratio(name, "el2_entries", entries, PAIRS, "entries");

	return ret;
}

/*
 * MSI-X
 */

static struct vdev nvme;
static int nvme_events[MSIX_VECTORS];

static int msix_on_off(unsigned int times)
{
	int ret = 0;

	while (times-- && !ret) {
		ret = vdev_vectors(&nvme, 0, MSIX_VECTORS, nvme_events, MSIX_VECTORS);
		if (!ret)
			ret = vdev_vectors(&nvme, 0, 0, NULL, 0);
	}

	return ret;
}

static int msix_instructions(void)
{
	u64 start, took, least = UINT64_MAX;
	int i, ret = 0;

	for (i = 0; i < MSIX_ROUNDS && !ret; i++) {
		start = thread_ticks();
		ret = msix_on_off(1);
		took = thread_ticks() - start;
		if (took < least)
			least = took;
	}
	if (!ret)
		result("msix-2048", "instructions", least, "instructions");

	return ret;
}

/* To CPU 1 and back. Not the first time, when each has nowhere to come from. */
static int msix_affinity(void)
{
	static unsigned long irqs[MSIX_VECTORS];
	u64 start, took, least = UINT64_MAX;
	int i, ret, round;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		ksft_print_msg("one CPU: affinity is not changed\n");
		return 0;
	}

	ret = vdev_vectors(&nvme, 0, MSIX_VECTORS, nvme_events, MSIX_VECTORS);
	if (ret)
		return ret;
	if (pci_irqs(nvme.pci, irqs, MSIX_VECTORS) != MSIX_VECTORS)
		return -ENOENT;

	for (round = 0; round < 2 * MSIX_ROUNDS && !ret; round++) {
		start = thread_ticks();
		for (i = 0; i < MSIX_VECTORS && !ret; i++)
			ret = irq_set_cpu(irqs[i], !(round % 2));
		took = thread_ticks() - start;
		if (round && took < least)
			least = took;
	}
	if (!ret)
		result("msix-2048", "affinity_instructions", least, "instructions");

	return ret;
}

static int msix_with_nvme(void)
{
	u64 entries;
	int ret;

	if (vdev_nr_vectors(&nvme) < MSIX_VECTORS)
		return SKIP("the controller has too few vectors");

	ret = events_open(nvme_events, MSIX_VECTORS);
	if (ret)
		return ret;

	/* Not the first time, for which the kernel allocates more. */
	ret = msix_on_off(1);
	if (!ret)
		ret = msix_instructions();
	if (!ret && can_trace()) {
		ret = count_entries(msix_on_off, 2, 1, &entries);
		if (!ret)
			result("msix-2048", "el2_entries", entries, "entries");
	}
	if (!ret)
		ret = msix_affinity();

	return ret;
}

static int msix_2048(void)
{
	struct pci_dev pci[8];
	int i, ret, nr = pci_find(pci, 8);

	for (i = 0; i < nr && pci[i].edu; i++)
		;
	if (i == nr)
		return SKIP("no NVMe controller that is not in use");
	if (!vfio_present())
		return SKIP("no vfio-pci");

	pci_to_vfio(&pci[i], 1);
	ret = vdev_open(&nvme, &pci[i]);
	if (!ret) {
		ret = msix_with_nvme();
		vdev_close(&nvme);
	}
	pci_from_vfio(&pci[i], 1);

	return ret;
}

/*
 * One of the devices is the one that is measured. Those of the machine come on
 * top: a handful.
 */
static int mapd_scaling(void)
{
	static const unsigned int nr_devices[] = { 1, 100, 1000, 10000, 60000 };
	char metric[16];
	int i, ret = 0;
	u64 nr;

	for (i = 0; i < ARRAY_SIZE(nr_devices) && !ret; i++) {
		ret = bench_read("devices", &nr);
		if (ret)
			break;

		snprintf(metric, sizeof(metric), "at_%u", nr_devices[i]);
		if (nr >= nr_devices[i]) {
			ksft_print_msg("%s: there are more devices already\n",
				       metric);
			continue;
		}

		ret = bench_write("devices", nr_devices[i] - 1);
		if (!ret)
			ret = measure("mapd-scaling", metric, "mapd",
				      MAPD_ROUNDS);
	}

	return ret;
}

static int activate(void)
{
	static const char *const metrics[] = {
		"devices", "irqs_off", "waited", "total",
	};
	char buf[256], *line, *save, name[16];
	unsigned long long val;
	int i, ret;

	ret = sysfile_read(ITS_BENCH_DEBUGFS "/handover", buf, sizeof(buf));
	if (ret == -ENOENT)
		return SKIP("no ITS was handed over");
	if (ret < 0)
		return ret;

	i = 0;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%15s %llu", name, &val) != 2 ||
		    i == ARRAY_SIZE(metrics) || strcmp(name, metrics[i]))
			return -EPROTO;

		/* A device is an entry of the device table. */
		result("activate", name, val, i++ ? "instructions" : "entries");
	}

	return i == ARRAY_SIZE(metrics) ? 0 : -EPROTO;
}

/* A page each for the ITT and EL2's record, and what EL2 holds for the ITS altogether */
static int memory_per_device(void)
{
	u64 mapped, held;
	int ret;

	ret = bench_read("devices", &mapped);
	if (!ret)
		ret = its_stat(&its, "held_pages", &held);
	if (ret)
		return ret;

	if (mapped)
		result_ratio("memory", "el2_per_device", held * getpagesize(), mapped, "bytes");

	return 0;
}

static int memory(void)
{
	char path[128], text[24];
	u64 staging;
	int ret;

	if (!its_has_stats(&its))
		return SKIP("the ITSs are not confined");

	ret = bench_read("staging", &staging);
	if (ret)
		return ret;
	result("memory", "staging", staging, "bytes");

	snprintf(path, sizeof(path), PKVM_ITS_DEBUGFS "/%s/state_size",
		 its.name);
	ret = sysfile_read(path, text, sizeof(text));
	if (ret < 0)
		return SKIP("no CONFIG_PKVM_ITS_REFERENCE");
	result("memory", "el2_per_its", strtoull(text, NULL, 0), "bytes");

	return memory_per_device();
}

static int boot(void)
{
	result("boot", "instructions", started, "instructions");

	return 0;
}

/* Those that map devices for good come last. */
static const struct {
	const char *name;
	int (*fn)(void);
	bool any_kernel;
} tests[] = {
	{ "boot", boot, true },
	{ "creadr-read", creadr_read },
	{ "posted-pair", posted_pair },
	{ "msix-2048", msix_2048 },
	{ "activate", activate },
	{ "mapd-scaling", mapd_scaling },
	{ "memory", memory },
};

static bool wanted[ARRAY_SIZE(tests)];

/* Returns the number of tests in a list of names, 0 if one of them is unknown. */
static int choose(char *list)
{
	char *name, *save;
	int nr = 0;
	size_t i;

	for (name = strtok_r(list, ",", &save); name;
	     name = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < ARRAY_SIZE(tests); i++) {
			if (!strcmp(name, tests[i].name))
				break;
		}
		if (i == ARRAY_SIZE(tests))
			return 0;

		nr += !wanted[i];
		wanted[i] = true;
	}

	return nr;
}

static int help(const char *program)
{
	size_t i;

	printf("usage: %s [-c case,...]\n  -c  only these:", program);
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		printf(" %s", tests[i].name);
	printf("\n");

	return KSFT_FAIL;
}

static void bench_setup(void)
{
	int ret;

	if (access(ITS_BENCH_DEBUGFS, X_OK))
		ksft_exit_skip("no CONFIG_ARM_GIC_V3_ITS_BENCH\n");
	if (its_count() <= 0)
		ksft_exit_skip("no ITS, or no CONFIG_ARM_GIC_V3_ITS_INJECT\n");
	phys_setup();

	ret = its_open(&its, 0);
	if (ret)
		ksft_exit_fail_msg("ITS: %s\n", strerror(-ret));
}

int main(int argc, char **argv)
{
	int opt, ret, nr = 0;
	size_t i;

	started = ticks();

	while ((opt = getopt(argc, argv, "c:h")) != -1) {
		if (opt != 'c')
			return help(argv[0]) * (opt != 'h');
		ret = choose(optarg);
		if (!ret)
			return help(argv[0]);
		nr += ret;
	}
	if (!nr) {
		nr = ARRAY_SIZE(tests);
		memset(wanted, true, sizeof(wanted));
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	pkvm_its_setup();
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (wanted[i] && !tests[i].any_kernel) {
			bench_setup();
			break;
		}
	}

	ksft_set_plan(nr);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (wanted[i])
			report(tests[i].name, tests[i].fn());
	}

	ksft_finished();
}
