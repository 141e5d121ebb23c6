// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkvm_its_handover - What became of the ITSs when the host was deprivileged
 *
 * Compares the kernel's command line with the state that the kernel reports, and with
 * what follows from it for protected VMs, for the devices of the host, and for the
 * memory that EL2 has.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_its.h"

#define REBIND_ROUNDS		2

static char state[32];
static char cmdline[4096];
static bool unused;

/* The last of several parameters of the same name counts. */
static bool param_is(const char *name, const char *value)
{
	size_t nlen = strlen(name), vlen = strlen(value);
	bool found = false;
	const char *p;

	for (p = cmdline; (p = strstr(p, name)); p += nlen) {
		if (p != cmdline && p[-1] != ' ')
			continue;
		if (p[nlen] != '=')
			continue;
		found = !strncmp(p + nlen + 1, value, vlen) &&
			(p[nlen + 1 + vlen] == ' ' || !p[nlen + 1 + vlen]);
	}

	return found;
}

static bool is(const char *s)
{
	return !strcmp(state, s);
}

/* Calls @fn for each ITS that has statistics. Returns how many these are. */
static int each_stats(void (*fn)(struct its *its, void *arg), void *arg)
{
	struct dirent *de;
	int nr = 0;
	DIR *dir;

	dir = opendir(PKVM_ITS_DEBUGFS);
	while (dir && (de = readdir(dir))) {
		struct its its = {};

		if (strlen(de->d_name) != 16)
			continue;
		memcpy(its.name, de->d_name, sizeof(its.name));
		if (!its_has_stats(&its))
			continue;
		if (fn)
			fn(&its, arg);
		nr++;
	}
	if (dir)
		closedir(dir);

	return nr;
}

static void test_state(void)
{
	bool off = param_is("kvm-arm.protected_its", "off") ||
		   param_is("kvm-arm.protected_its", "0") ||
		   param_is("kvm-arm.protected_its", "n");
	bool ok;

	ksft_print_msg("state is %s, asked for %s\n", state, off ? "off" : "on");
	ok = is(off ? "off" : "confined");
	ksft_test_result(ok, "state_matches_command_line\n");
}

/*
 * How many pages of memory the host can't read, since EL2 has them. Where that
 * is not due to the ITSs, it does not depend on what became of them.
 */
static long el2_pages(void)
{
	unsigned long long start, end, pa;
	char line[256], name[128];
	long nr = 0;
	void *mem;
	FILE *f;
	u64 val;

	f = fopen("/proc/iomem", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx : %127[^\n]", &start, &end, name) != 3 ||
		    strcmp(name, "System RAM"))
			continue;

		mem = phys_map(start, end - start + 1);
		if (!mem)
			ksft_exit_fail_msg("/dev/mem: %s\n", strerror(errno));
		for (pa = start; pa < end; pa += getpagesize())
			nr += !!try_read64(mem + (pa - start), &val);
		phys_unmap(mem, end - start + 1);
	}
	if (f)
		fclose(f);

	return nr;
}

static void add_held(struct its *its, void *arg)
{
	u64 held;

	if (its_stat(its, "held_pages", &held))
		ksft_exit_fail_msg("%s: no held_pages\n", its->name);
	*(long *)arg += held;
}

/* A statistic of the redistributors; 0 if they are not confined. */
static u64 rdists_stat(const char *name)
{
	unsigned long long val = 0;
	char line[64], key[32];
	FILE *f;

	f = fopen(PKVM_ITS_DEBUGFS "/redistributors", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %llu", key, &val) == 2 && !strcmp(key, name))
			break;
		val = 0;
	}
	if (f)
		fclose(f);

	return val;
}

/* What did not come to pass must not have cost anything. */
static void test_pages(bool count, long without)
{
	long nr, held = 0;

	if (!count) {
		ksft_test_result_skip("no_page_lost: takes -e or -p\n");
		return;
	}

	nr = el2_pages();
	each_stats(add_held, &held);
	held += rdists_stat("held_pages");

	ksft_print_msg("EL2 has %ld pages\n", nr);
	ksft_print_msg("%ld of them for the GIC\n", held);
	if (without < 0)
		ksft_test_result_skip("no_page_lost: nothing to compare with\n");
	else
		ksft_test_result(nr == without + held, "no_page_lost\n");
}

/* Interrupts that have come to disks by way of an ITS. */
static unsigned long disk_msis(void)
{
	char line[1024], *p, *end;
	unsigned long n, nr = 0;
	FILE *f;

	f = fopen("/proc/interrupts", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, " ITS-") || !strstr(line, "virtio"))
			continue;

		p = strchr(line, ':') + 1;
		while ((n = strtoul(p, &end, 10)), end != p) {
			nr += n;
			p = end;
		}
	}
	if (f)
		fclose(f);

	return nr;
}

/* Whatever became of the ITSs, devices work, go, and come back. */
static void test_msis(void)
{
	int disks = disks_rebind(REBIND_ROUNDS);

	if (!disks) {
		ksft_test_result_skip("devices_work: no disk that is not in use\n");
		return;
	}

	ksft_print_msg("%d disks, %lu MSIs\n", disks, disk_msis());
	ksft_test_result(disks > 0 && !disk_msis() == unused, "devices_work\n");
}

/* pKVM refuses CPUs that come up after it was finalised. All else goes on working. */
static void test_late_cpus(void)
{
	int cpu, ret, nr = sysconf(_SC_NPROCESSORS_CONF);
	bool ok = nr > 1;

	for (cpu = 1; cpu < nr; cpu++) {
		ret = cpu_set_online(cpu, true);
		ksft_print_msg("CPU %d: %s\n", cpu, strerror(-ret));
		ok &= ret == -EINVAL && !cpu_is_online(cpu);
	}
	ksft_test_result(ok, "late_cpus_refused\n");
}

static void test_policy(void)
{
	int prot = pvm_probe(true), plain = pvm_probe(false);

	ksft_print_msg("protected VM: %s, other VM: %s\n",
		       prot ? strerror(-prot) : "created",
		       plain ? strerror(-plain) : "created");
	ksft_test_result(prot == (is("failed") ? -EPERM : 0),
			 "protected_vm_policy\n");
	ksft_test_result(!plain, "other_vms_unaffected\n");
}

/*
 * Only a confined ITS has them, and then each ITS that there is. After a failure,
 * ITSs that had been handed over are still confined.
 */
static void test_stats_present(void)
{
	int nr = each_stats(NULL, NULL), all = unused ? 0 : its_count();

	ksft_print_msg("%d ITSs, %d with statistics\n", all, nr);
	if (is("confined"))
		ksft_test_result(nr == all, "stats_present\n");
	else
		ksft_test_result(nr <= (is("failed") ? all : 0), "stats_present\n");
}

static const char *const reasons[] = {
	"unknown_command", "not_supported", "bad_device", "bad_event",
	"bad_icid", "bad_intid", "bad_rdbase", "not_prepared", "not_mapped",
	"events_mapped",
};

static void check_stats(struct its *its, void *arg)
{
	u64 accepted, refused, ignored, held, val, sum = 0;
	bool *ok = arg;
	unsigned int i;
	char name[64];

	if (its_stat(its, "accepted", &accepted) ||
	    its_stat(its, "refused", &refused) ||
	    its_stat(its, "writes_ignored", &ignored) ||
	    its_stat(its, "held_pages", &held)) {
		ksft_print_msg("%s: a value is missing\n", its->name);
		*ok = false;
		return;
	}

	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		snprintf(name, sizeof(name), "refused_%s", reasons[i]);
		if (its_stat(its, name, &val)) {
			ksft_print_msg("%s: no %s\n", its->name, name);
			*ok = false;
		}
		sum += val;
	}

	ksft_print_msg("%s: %llu accepted, %llu refused\n",
		       its->name, (unsigned long long)accepted,
		       (unsigned long long)refused);
	ksft_print_msg("%s: %llu writes ignored, %llu pages\n",
		       its->name, (unsigned long long)ignored, (unsigned long long)held);

	/* The queue at least, and that in whole pages. */
	*ok &= sum == refused && held * getpagesize() >= 0x10000;
}

static void test_stats_sane(void)
{
	bool ok = true;

	if (!each_stats(check_stats, &ok))
		ksft_test_result_skip("stats_sane: there is no ITS to look at\n");
	else
		ksft_test_result(ok, "stats_sane\n");
}

/* A guest runs, and its memory is out of reach for the CPUs of the host. */
static void test_guest(void)
{
	struct pvm pvm;
	u64 val;
	int ret;

	ret = pvm_create(&pvm, NULL, NULL);
	if (ret) {
		ksft_print_msg("%s\n", strerror(-ret));
		ksft_test_result_fail("guest_memory\n");
		return;
	}

	ret = phys_read64(pvm.victim_pa, &val);
	ksft_test_result(ret == FAULT_STAGE2 && !pvm_check(&pvm, &val),
			 "guest_memory\n");
	pvm_destroy(&pvm);
}

/* An ITS that the driver does not use must not be programmed. */
static void test_unused(void)
{
	u64 base, before, after;
	__be64 reg;
	glob_t g;
	FILE *f;

	if (glob("/proc/device-tree/intc@*/its@*/reg", 0, NULL, &g)) {
		ksft_test_result_skip("unused_its_fenced: no ITS in the device tree\n");
		return;
	}

	f = fopen(g.gl_pathv[0], "r");
	globfree(&g);
	if (!f || fread(&reg, sizeof(reg), 1, f) != 1)
		ksft_exit_fail_msg("no address of the ITS\n");
	fclose(f);

	base = be64toh(reg);
	if (phys_read64(base + GITS_CBASER, &before) ||
	    phys_write64(base + GITS_CBASER, before ^ GITS_CBASER_VALID) ||
	    phys_read64(base + GITS_CBASER, &after) ||
	    phys_write64(base + GITS_CBASER, before))
		ksft_exit_fail_msg("no access to the ITS\n");

	ksft_print_msg("GITS_CBASER was 0x%llx, is 0x%llx\n",
		       (unsigned long long)before, (unsigned long long)after);
	ksft_test_result((before == after) == is("confined"), "unused_its_fenced\n");
}

/* After any failure */
static void test_suspend(void)
{
	int ret = system_suspend();

	if (ret == -ENOENT) {
		ksft_test_result_skip("suspend: no CONFIG_PM_DEBUG\n");
		return;
	}

	ksft_print_msg("suspend: %s\n", ret ? strerror(-ret) : "done");
	ksft_test_result(!ret, "suspend\n");
}

int main(int argc, char **argv)
{
	bool count = false, late = false, suspend;
	long pages = -1;
	int opt;

	while ((opt = getopt(argc, argv, "elp:h")) != -1) {
		switch (opt) {
		case 'p':
			pages = strtol(optarg, NULL, 10);
			count = true;
			break;
		case 'e':
			count = true;
			break;
		case 'l':
			late = true;
			break;
		default:
			printf("usage: %s [-e] [-l] [-p PAGES]\n"
			       "  -e  try to read all memory, and print how many pages EL2 has\n"
			       "  -l  bring up the CPUs that maxcpus= has left out: they have to fail\n"
			       "  -p  as -e; that many it has without those for the ITSs\n",
			       argv[0]);
			return opt == 'h' ? 0 : KSFT_FAIL;
		}
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	pkvm_its_setup();

	if (sysfile_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		ksft_exit_fail_msg("/proc/cmdline\n");
	if (!param_is("kvm-arm.mode", "protected"))
		ksft_exit_skip("KVM is not in protected mode\n");
	if (sysfile_read(PKVM_ITS_DEBUGFS "/state", state, sizeof(state)) < 0)
		ksft_exit_skip("this kernel does not confine ITSs\n");
	phys_setup();

	unused = param_is("irqchip.gicv3_nolpi", "1");
	/* Not with a GICv5 that is not there */
	suspend = strstr(cmdline, "its_inject.fail=") && !strstr(cmdline, "its_inject.fail=gicv5");
	ksft_set_plan(6 + is("confined") + !is("failed") + unused + late + suspend);
	test_state();
	if (late)
		test_late_cpus();
	test_pages(count, pages);
	test_msis();
	test_policy();
	test_stats_present();
	if (is("confined"))
		test_stats_sane();
	if (!is("failed"))
		test_guest();
	if (unused)
		test_unused();
	if (suspend)
		test_suspend();

	ksft_finished();
}
