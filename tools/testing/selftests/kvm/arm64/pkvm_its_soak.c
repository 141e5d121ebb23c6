// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkvm_its_soak - Everything at once on a confined ITS, for as long as one likes
 *
 * A thread per device opens it, has it allocate any number of MSIs, triggers
 * them, frees some and gets them back, and closes it again, from one CPU after
 * the other. Others move the interrupts of all devices between CPUs and take
 * CPUs off line, while a hostile one posts commands that EL2 must refuse and
 * writes to registers that EL2 must ignore.
 *
 * An interrupt is triggered by the device itself (QEMU's edu) or by an INT
 * command. There is never more than one on the way for a vector, as an LPI that
 * is pending already can't become so again: hence each one that is sent has to
 * arrive, once. What EL2 says that it refused has to be what was posted for the
 * purpose; nothing of what the driver posts is.
 *
 * Without confinement there is no hostile thread.
 *
 * Takes the devices and CPUs of the machine away from whatever else runs on it.
 *
 *	-smp 4 -M virt,...,iommu=smmuv3 -device edu (several)
 *	-device nvme,...,msix_qsize=2048
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/bits.h>
#include <linux/compiler.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_its.h"

#define MAX_DEVICES		8
#define MAX_CPUS		64

/* Rounds of a device before it is closed */
#define OPEN_ROUNDS		4

/* Each vector sends so many interrupts before some are freed */
#define SEND_ROUNDS		4

/* DeviceIDs that no device of the machine has: bus 31 as PCI counts */
#define DEV_MAPPED		0x1f00
#define DEV_CHURN		0x1f08
#define DEV_NONE		0x1f10
#define EVENT_BITS		5
#define NR_EVENTS		BIT64(EVENT_BITS)

/* At the least: each reason comes up in so many */
#define HOSTILE_ROUNDS		32

struct worker {
	pthread_t thread;
	const struct pci_dev *pci;
	unsigned int seed;
	u32 device_id;
	unsigned int nr_vectors;
	int events[MAX_VECTORS];	/* eventfds, one per vector */
	u64 sent;
	u64 received;
	u64 opened;
	u64 mapped;			/* times that MSIs were allocated */
	u64 vectors;			/* and how many in all */
	pthread_mutex_t lock;		/* of what follows */
	unsigned int nr_irqs;
	unsigned long irqs[MAX_VECTORS];
};

static struct worker workers[MAX_DEVICES];
static int nr_workers;
static struct pci_dev devices[MAX_DEVICES];
static struct its its;
static unsigned int cpus[MAX_CPUS];	/* those that can be taken off line */
static unsigned int nr_cpus;
static u64 went_off[MAX_CPUS];
static pthread_mutex_t affinity = PTHREAD_MUTEX_INITIALIZER;
static u64 moved, not_moved;
static atomic_bool stop, failed, running;
static int stop_event;

/* One fault is enough: what comes after it may just follow from it. */
static void fail(const char *who, const char *what, int err)
{
	u64 one = 1;

	ksft_print_msg("%s: %s: %s\n", who, what, strerror(-err));
	atomic_store(&failed, true);
	atomic_store(&stop, true);
	if (write(stop_event, &one, sizeof(one)) != sizeof(one))
		ksft_exit_fail_msg("eventfd\n");
}

static unsigned int below(unsigned int *seed, unsigned int limit)
{
	return rand_r(seed) % limit;
}

/*
 * From any CPU; one that is not there at the moment will be next time. The thread
 * is not bound to it for longer than it takes to get there, nor while a CPU goes
 * off line: the scheduler would have to break the affinity, and with PREEMPT_RT
 * it may trip over that itself (affine_move_task()).
 */
static void change_cpu(unsigned int *seed)
{
	cpu_set_t one, all;

	if (!nr_cpus || pthread_mutex_trylock(&affinity))
		return;

	CPU_ZERO(&one);
	CPU_SET(cpus[below(seed, nr_cpus)], &one);
	memset(&all, 0xff, sizeof(all));
	if (!sched_setaffinity(0, sizeof(one), &one))
		sched_setaffinity(0, sizeof(all), &all);

	pthread_mutex_unlock(&affinity);
}

/*
 * Devices
 */

static void publish_irqs(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->nr_irqs = pci_irqs(w->pci, w->irqs, MAX_VECTORS);
	pthread_mutex_unlock(&w->lock);
}

static void unpublish_irqs(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->nr_irqs = 0;
	pthread_mutex_unlock(&w->lock);
}

/*
 * Moves one of the interrupts. By the time of the move the CPU may be off line,
 * and the interrupt somebody else's or nobody's.
 */
static int move_irq(struct worker *w, unsigned int *seed)
{
	unsigned long irq = 0;
	int ret;

	pthread_mutex_lock(&w->lock);
	if (w->nr_irqs)
		irq = w->irqs[below(seed, w->nr_irqs)];
	pthread_mutex_unlock(&w->lock);

	if (!irq || !nr_cpus)
		return 0;

	ret = irq_set_cpu(irq, cpus[below(seed, nr_cpus)]);
	if (ret == -EINVAL || ret == -EIO || ret == -EPERM || ret == -ENOENT) {
		__atomic_add_fetch(&not_moved, 1, __ATOMIC_RELAXED);
		return 0;
	}
	if (!ret)
		__atomic_add_fetch(&moved, 1, __ATOMIC_RELAXED);

	return ret;
}

/* Each has to arrive once. What has come twice is found by the next to look. */
static int receive(struct worker *w, unsigned int start, unsigned int nr)
{
	unsigned int i;
	u64 count;
	int ret;

	for (i = start; i < start + nr; i++) {
		ret = event_wait(w->events[i], &count);
		w->received += count;
		if (!ret && count == 1)
			continue;

		ksft_print_msg("%s: vector %u: %llu interrupts\n", w->pci->bdf,
			       i, (unsigned long long)count);

		return ret ? ret : -EPROTO;
	}

	return 0;
}

/* Sends one interrupt of each vector. */
static int send(struct worker *w, struct vdev *v, unsigned int start,
		unsigned int nr)
{
	bool device = w->pci->edu && below(&w->seed, 2);
	struct its_cmd cmds[ITS_MAX_BATCH];
	unsigned int i, n;
	int ret = 0;

	for (; nr && !ret; start += n, nr -= n) {
		n = nr < ITS_MAX_BATCH ? nr : ITS_MAX_BATCH;

		for (i = 0; i < n; i++)
			cmds[i] = its_cmd_event(GITS_CMD_INT, w->device_id,
						start + i);

		w->sent += n;
		ret = device ? edu_raise(v) : its_post(&its, cmds, n);
		if (!ret)
			ret = receive(w, start, n);
		if (!ret && device)
			ret = edu_ack(v);
	}

	return ret;
}

/* MSIs are allocated, used, partly freed and got back, and freed. */
static int device_round(struct worker *w, struct vdev *v)
{
	unsigned int nr = 1, start, some;
	const int none = -1;
	int i, ret;

	while (nr * 2 <= w->nr_vectors && below(&w->seed, 8))
		nr *= 2;

	ret = vdev_vectors(v, 0, nr, w->events, MAX_VECTORS);
	if (ret)
		return ret;
	w->mapped++;
	w->vectors += nr;
	publish_irqs(w);

	for (i = 0; i < SEND_ROUNDS && !ret; i++) {
		ret = move_irq(w, &w->seed);
		if (!ret)
			ret = send(w, v, 0, nr);
	}

	start = below(&w->seed, nr);
	some = 1 + below(&w->seed, nr - start);
	if (!ret)
		ret = vdev_vectors(v, start, some, &none, 1);
	if (!ret)
		ret = vdev_vectors(v, start, some, w->events, MAX_VECTORS);
	if (!ret)
		ret = send(w, v, start, some);

	unpublish_irqs(w);
	if (!ret)
		ret = vdev_vectors(v, 0, 0, NULL, 0);

	return ret;
}

static int device_rounds(struct worker *w)
{
	struct vdev v;
	int i, ret;

	ret = vdev_open(&v, w->pci);
	if (ret)
		return ret;
	w->opened++;

	for (i = 0; i < OPEN_ROUNDS && !ret; i++)
		ret = device_round(w, &v);
	vdev_close(&v);

	return ret;
}

static void *device_thread(void *arg)
{
	struct worker *w = arg;
	unsigned int i;
	u64 count;
	int ret;

	do {
		change_cpu(&w->seed);
		ret = device_rounds(w);
		if (ret)
			fail(w->pci->bdf, "interrupts", ret);
	} while (!atomic_load(&stop));

	/* Those that came twice, the device is closed and sends no more. */
	for (i = 0; i < w->nr_vectors; i++) {
		if (read(w->events[i], &count, sizeof(count)) == sizeof(count))
			w->received += count;
	}

	return NULL;
}

/*
 * Interrupts and CPUs
 */

static void *move_thread(void *arg)
{
	unsigned int seed = 1000;
	int ret = 0;

	while (!atomic_load(&stop) && !ret) {
		change_cpu(&seed);
		ret = move_irq(&workers[below(&seed, nr_workers)], &seed);
		if (ret)
			fail("affinity", "move", ret);
	}

	return NULL;
}

/* Any number of them goes, but not all. Each at least once. */
static void *cpu_thread(void *arg)
{
	unsigned int i, nr, first = 0, seed = 2000;
	int ret = 0;

	do {
		nr = 1 + below(&seed, nr_cpus - 1);

		for (i = first; i < first + nr && !ret; i++) {
			pthread_mutex_lock(&affinity);
			ret = cpu_set_online(cpus[i % nr_cpus], false);
			pthread_mutex_unlock(&affinity);
			went_off[i % nr_cpus]++;
		}
		while (i-- > first) {
			if (cpu_set_online(cpus[i % nr_cpus], true))
				ret = -EIO;
		}
		if (ret)
			fail("cpu", "hotplug", ret);
	} while (!ret && (++first < nr_cpus || !atomic_load(&stop)));

	return NULL;
}

static void find_cpus(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (cpu_is_online(cpu) && !cpu_set_online(cpu, true))
			cpus[nr_cpus++] = cpu;
	}
}

/*
 * The hostile thread
 */

struct bad {
	const char *reason;
	struct its_cmd cmd;
	u64 posted;
	u64 before;	/* what EL2 had refused for this reason */
	u64 after;
};

#define BAD_NOT_PREPARED	7

static struct bad bad[] = {
	{ "unknown_command" },
	{ "not_supported" },
	{ "bad_device" },
	{ "bad_event" },
	{ "bad_icid" },
	{ "bad_intid" },
	{ "bad_rdbase" },
	{ "not_prepared" },
	{ "not_mapped" },
	{ "events_mapped" },
};

static struct {
	pthread_t thread;
	u64 itt;		/* of DEV_MAPPED; the page behind is DEV_CHURN's */
	u32 lpi;
	u64 rounds;
	u64 accepted;
	u64 writes;		/* to registers, which are to be ignored */
} hostile;

/* A DeviceID that there is no level-2 page for, 0 if there is none. */
static u32 without_level2(void)
{
	u64 entry, id, ids;

	ids = 1ULL << (((its.typer & GITS_TYPER_DEVBITS) >>
			GITS_TYPER_DEVBITS_SHIFT) + 1);
	for (id = 0; its.devices->indirect && id < ids; id += its.devices->per_page) {
		if (phys_read64(its.devices->base + id / its.devices->per_page *
				sizeof(u64), &entry))
			return 0;
		if (!(entry & GITS_BASER_VALID))
			return id;
	}

	return 0;
}

/* What EL2 does not agree to prepare, in several ways */
static struct its_cmd not_prepared(unsigned int i)
{
	switch (i) {
	case 0:
		return its_cmd_mapd(DEV_NONE, 32, hostile.itt, true);
	case 1:
		return its_cmd_mapd(DEV_NONE, EVENT_BITS, its.hw_queue, true);
	case 2:
		return its_cmd_mapd(without_level2() ?: DEV_NONE, EVENT_BITS, hostile.itt, true);
	default:
		return its_cmd_mapd(DEV_NONE, EVENT_BITS, hostile.itt, true);
	}
}

static struct its_cmd bad_command(unsigned int i)
{
	u64 none = 0x7fff0000ULL;

	switch (i) {
	case 0:
		return (struct its_cmd) { { 0xee } };
	case 1:
		return (struct its_cmd) { { GITS_CMD_VMAPP } };
	case 2:
		return its_cmd_mapti(~0U, 0, hostile.lpi, 0);
	case 3:
		return its_cmd_mapti(DEV_MAPPED, NR_EVENTS, hostile.lpi, 0);
	case 4:
		return its_cmd_mapti(DEV_MAPPED, 0, hostile.lpi, 0xffff);
	case 5:
		return its_cmd_mapti(DEV_MAPPED, 0, 32, 0);
	case 6:
		return its_cmd_sync(none);
	case BAD_NOT_PREPARED:
		return not_prepared(0);
	case 8:
		return its_cmd_event(GITS_CMD_INT, DEV_NONE, 0);
	default:
		return its_cmd_mapd(DEV_MAPPED, EVENT_BITS, 0, false);
	}
}

static u64 stat(const char *name)
{
	u64 val;

	if (its_stat(&its, name, &val))
		ksft_exit_fail_msg("no statistics of %s\n", name);

	return val;
}

static u64 stat_refused(const char *reason)
{
	char name[64];

	snprintf(name, sizeof(name), "refused_%s", reason);

	return stat(name);
}

/* Devices come and go on this side as well, with one command among the bad ones. */
static unsigned int good_commands(struct its_cmd *cmds)
{
	const struct its_cmd good[] = {
		its_cmd_mapd(DEV_CHURN, EVENT_BITS,
			     hostile.itt + getpagesize(), true),
		its_cmd_mapti(DEV_CHURN, 0, hostile.lpi, 0),
		its_cmd_event(GITS_CMD_INT, DEV_CHURN, 0),
		its_cmd_event(GITS_CMD_DISCARD, DEV_CHURN, 0),
		its_cmd_mapd(DEV_CHURN, EVENT_BITS, 0, false),
	};

	memcpy(cmds, good, sizeof(good));

	return ARRAY_SIZE(good);
}

/* Running, the ITS takes neither another queue nor tables; no queue is so long. */
static int hostile_writes(unsigned int *seed)
{
	static const struct {
		unsigned int reg;
		u64 val;
	} writes[] = {
		{ GITS_CBASER, ~0ULL },
		{ GITS_BASER, 0 },
		{ GITS_CWRITER, 0xfffe0 },
		{ GITS_TYPER, 0 },
	};
	unsigned int i = below(seed, ARRAY_SIZE(writes));

	hostile.writes++;

	return its_write64(&its, writes[i].reg, writes[i].val) ? -EFAULT : 0;
}

static int hostile_round(unsigned int *seed)
{
	struct its_cmd cmds[ITS_MAX_BATCH];
	unsigned int i, k, nr = 1 + below(seed, ITS_MAX_BATCH - 8);
	unsigned int good = below(seed, nr);
	int ret;

	for (i = 0; i < nr; i++) {
		if (i == good) {
			k = good_commands(cmds + i);
			hostile.accepted += k;
			i += k;
			nr += k;
		}

		k = below(seed, ARRAY_SIZE(bad));
		cmds[i] = bad[k].cmd;
		if (k == BAD_NOT_PREPARED)
			cmds[i] = not_prepared(below(seed, 4));
		bad[k].posted++;
	}
	hostile.rounds++;

	ret = its_post(&its, cmds, nr);

	return ret ? ret : hostile_writes(seed);
}

static void *hostile_thread(void *arg)
{
	unsigned int seed = 3000;
	int ret;

	do {
		change_cpu(&seed);
		ret = hostile_round(&seed);
		if (ret)
			fail("hostile", "queue", ret);
	} while (!ret && (!atomic_load(&stop) || hostile.rounds < HOSTILE_ROUNDS));

	return NULL;
}

/*
 * Each command is posted once before it counts: EL2 keeps what it needs to keep
 * track of a device, and that of the real ones has been used before, too.
 */
static void hostile_setup(void)
{
	struct its_cmd cmds[8];
	unsigned int i;
	u64 refused;

	hostile.itt = its_alloc_pages(&its, 1);
	hostile.lpi = its.nr_lpis - 1;
	cmds[0] = its_cmd_mapd(DEV_MAPPED, EVENT_BITS, hostile.itt, true);
	cmds[1] = its_cmd_mapti(DEV_MAPPED, 1, hostile.lpi, 0);
	if (!hostile.itt || its_post(&its, cmds, 2) ||
	    its_post(&its, cmds, good_commands(cmds)))
		ksft_exit_fail_msg("the hostile host has no device\n");

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		bad[i].cmd = bad_command(i);
		bad[i].before = stat_refused(bad[i].reason);
		refused = stat("refused");
		if (its_post(&its, &bad[i].cmd, 1))
			ksft_exit_fail_msg("queue\n");
		if (stat("refused") != refused + 1)
			ksft_exit_fail_msg("%s: not refused\n", bad[i].reason);
		if (stat_refused(bad[i].reason) != bad[i].before + 1)
			ksft_exit_skip("%s can't be had here: refused for another reason\n",
				       bad[i].reason);
	}
}

/*
 * The test
 */

/* Waits for the end, and counts what the kernel complains about until then. */
static unsigned int watch(int kmsg, unsigned int seconds)
{
	struct pollfd pfd[] = {
		{ .fd = stop_event, .events = POLLIN },
		{ .fd = kmsg, .events = POLLIN },
	};
	struct timespec now, end;
	unsigned int nr = 0;
	long ms;
	int n;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;

	do {
		n = log_complaints(kmsg);
		if (n < 0)
			ksft_exit_fail_msg("/dev/kmsg: %s\n", strerror(-n));
		nr += n;

		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = (end.tv_sec - now.tv_sec) * 1000 +
		     (end.tv_nsec - now.tv_nsec) / 1000000;
	} while (ms > 0 && poll(pfd, ARRAY_SIZE(pfd), ms) >= 0 &&
		 !atomic_load(&stop));

	atomic_store(&stop, true);

	return nr;
}

static void start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	if (pthread_create(thread, NULL, fn, arg))
		ksft_exit_fail_msg("pthread_create\n");
}

static void worker_init(struct worker *w, const struct pci_dev *pci)
{
	struct vdev v;
	int nr;

	w->pci = pci;
	w->device_id = pci_requester_id(pci);
	w->seed = w - workers;
	pthread_mutex_init(&w->lock, NULL);

	if (vdev_open(&v, pci))
		ksft_exit_fail_msg("%s can't be opened\n", pci->bdf);
	nr = vdev_nr_vectors(&v);
	vdev_close(&v);
	if (nr <= 0)
		ksft_exit_fail_msg("%s has no MSIs\n", pci->bdf);

	if (events_open(w->events, nr))
		ksft_exit_fail_msg("eventfd: %s\n", strerror(errno));
	w->nr_vectors = nr;
}

static void test_interrupts(void)
{
	u64 sent = 0, received = 0, opened = 0, mapped = 0, vectors = 0;
	bool each = true;
	int i;

	for (i = 0; i < nr_workers; i++) {
		struct worker *w = &workers[i];

		sent += w->sent;
		received += w->received;
		opened += w->opened;
		mapped += w->mapped;
		vectors += w->vectors;
		each &= w->sent && w->sent == w->received;
	}

	ksft_print_msg("%llu interrupts sent, %llu received\n",
		       (unsigned long long)sent, (unsigned long long)received);
	ksft_print_msg("%d devices, opened %llu times; MSIs allocated %llu times, %llu in all\n",
		       nr_workers, (unsigned long long)opened,
		       (unsigned long long)mapped, (unsigned long long)vectors);
	ksft_test_result(each, "interrupts_arrived_once\n");
}

static void test_cpus(void)
{
	bool each = moved;
	unsigned int i;
	u64 sum = 0;

	if (nr_cpus < 2) {
		ksft_test_result_skip("cpus_and_moves: one CPU, or none can be taken off line\n");
		return;
	}

	for (i = 0; i < nr_cpus; i++) {
		sum += went_off[i];
		each &= went_off[i] > 0;
	}

	ksft_print_msg("%u CPUs, off and on line %llu times\n", nr_cpus,
		       (unsigned long long)sum);
	ksft_print_msg("%llu interrupts moved, %llu not: CPU off line or MSI gone\n",
		       (unsigned long long)moved, (unsigned long long)not_moved);
	ksft_test_result(each, "cpus_and_moves\n");
}

/* Of each reason exactly those that were posted: so none of the driver's. */
static void test_refused(u64 accepted)
{
	u64 posted = 0, refused = 0;
	bool each = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		u64 n = bad[i].after - bad[i].before;

		posted += bad[i].posted;
		refused += n;
		if (n != bad[i].posted || !n) {
			ksft_print_msg("%s: %llu posted, %llu refused\n",
				       bad[i].reason,
				       (unsigned long long)bad[i].posted,
				       (unsigned long long)n);
			each = false;
		}
	}

	ksft_print_msg("%llu commands accepted, %llu of them from the hostile host\n",
		       (unsigned long long)accepted,
		       (unsigned long long)hostile.accepted);
	ksft_print_msg("%llu commands posted to be refused, %llu refused\n",
		       (unsigned long long)posted, (unsigned long long)refused);
	ksft_test_result(each && accepted > hostile.accepted,
			 "refused_what_must_be\n");
}

/*
 * However it ends. Devices that threads still have open can't be given back: that
 * would wait for the threads.
 */
static void restore(void)
{
	unsigned int i;

	for (i = 0; i < nr_cpus; i++)
		cpu_set_online(cpus[i], true);
	if (!atomic_load(&running))
		pci_from_vfio(devices, nr_workers);
}

int main(int argc, char **argv)
{
	enum pkvm_its_mode mode = pkvm_its_mode();
	bool confined = mode == PKVM_ITS_CONFINED;
	u64 accepted = 0, ignored = 0, held = 0;
	pthread_t mover, hotplug;
	unsigned int complaints, seconds = 60;
	int i, opt, kmsg;

	while ((opt = getopt(argc, argv, "d:h")) != -1) {
		switch (opt) {
		case 'd':
			seconds = strtoul(optarg, NULL, 10);
			break;
		default:
			printf("usage: %s [-d SECONDS]\n", argv[0]);
			return opt == 'h' ? 0 : KSFT_FAIL;
		}
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	pkvm_its_setup();

	if (mode == PKVM_ITS_FAILED)
		ksft_exit_fail_msg("the kernel failed to confine the ITSs\n");
	if (its_count() <= 0)
		ksft_exit_skip("no ITS, or no CONFIG_ARM_GIC_V3_ITS_INJECT\n");
	phys_setup();
	if (!vfio_present())
		ksft_exit_skip("no vfio-pci\n");

	nr_workers = pci_find(devices, MAX_DEVICES);
	if (!nr_workers)
		ksft_exit_skip("no edu device, and no NVMe controller that is not in use\n");

	/* The devices of a machine are behind one ITS, as far as this test goes. */
	if (its_open(&its, 0))
		ksft_exit_fail_msg("no access to the ITS\n");

	kmsg = log_open();
	if (kmsg < 0)
		ksft_exit_fail_msg("/dev/kmsg: %s\n", strerror(-kmsg));
	stop_event = eventfd(0, EFD_CLOEXEC);
	if (stop_event < 0)
		ksft_exit_fail_msg("eventfd: %s\n", strerror(errno));

	find_cpus();
	pci_to_vfio(devices, nr_workers);
	atexit(restore);
	for (i = 0; i < nr_workers; i++) {
		worker_init(&workers[i], &devices[i]);
		if (device_rounds(&workers[i]))
			ksft_exit_fail_msg("%s can't be used\n", devices[i].bdf);
	}

	if (confined)
		hostile_setup();

	ksft_set_plan(7);
	if (confined) {
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			bad[i].before = stat_refused(bad[i].reason);
		accepted = stat("accepted");
		ignored = stat("writes_ignored");
		held = stat("held_pages");
	}

	atomic_store(&running, true);
	for (i = 0; i < nr_workers; i++)
		start(&workers[i].thread, device_thread, &workers[i]);
	if (nr_cpus > 1) {
		start(&mover, move_thread, NULL);
		start(&hotplug, cpu_thread, NULL);
	}
	if (confined)
		start(&hostile.thread, hostile_thread, NULL);

	complaints = watch(kmsg, seconds);

	for (i = 0; i < nr_workers; i++)
		pthread_join(workers[i].thread, NULL);
	atomic_store(&running, false);
	if (nr_cpus > 1) {
		pthread_join(mover, NULL);
		pthread_join(hotplug, NULL);
	}
	if (confined) {
		pthread_join(hostile.thread, NULL);
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			bad[i].after = stat_refused(bad[i].reason);
		accepted = stat("accepted") - accepted;
		ignored = stat("writes_ignored") - ignored;
	}
	complaints += watch(kmsg, 0);

	ksft_test_result(!atomic_load(&failed), "every_step_worked\n");
	test_interrupts();
	test_cpus();
	ksft_print_msg("%u ITS time-outs and other complaints of the kernel\n", complaints);
	ksft_test_result(!complaints, "no_time_out\n");

	if (confined) {
		test_refused(accepted);
		ksft_print_msg("%llu writes to be ignored, %llu ignored\n",
			       (unsigned long long)hostile.writes,
			       (unsigned long long)ignored);
		ksft_test_result(hostile.writes == ignored,
				 "ignored_what_must_be\n");
		ksft_print_msg("%llu pages held at first, %llu at last\n",
			       (unsigned long long)held,
			       (unsigned long long)stat("held_pages"));
		ksft_test_result(stat("held_pages") == held,
				 "held_pages_returned\n");
	} else {
		ksft_test_result_skip("refused_what_must_be: the ITSs are not confined\n");
		ksft_test_result_skip("ignored_what_must_be: the ITSs are not confined\n");
		ksft_test_result_skip("held_pages_returned: the ITSs are not confined\n");
	}

	its_close(&its);
	ksft_finished();
}
