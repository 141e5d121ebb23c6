// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkvm_its_normal - A host that behaves well, with its ITSs confined
 *
 * Everything that makes the ITS driver send commands or touch registers has to
 * work as if the ITS were the host's own: devices come and go, interrupts move
 * between CPUs, CPUs go away, the system is suspended. No command is refused, no
 * interrupt lost.
 *
 * Uses what it finds: QEMU's edu device (raises an MSI when told so) and NVMe
 * controllers (thousands of MSI-X vectors), both through VFIO; before that, the
 * disks, with the kernel's own drivers, as devices that were there before the
 * ITSs were handed over. A disk that is in use is left alone, and with it the
 * controller.
 *
 *	-M virt,...,iommu=smmuv3 -device edu -device edu
 *	-drive driver=null-co,size=64M,read-zeroes=on,if=none,id=d0
 *	-device nvme,serial=d0,drive=d0,msix_qsize=2048
 *	-drive driver=null-co,size=64M,read-zeroes=on,if=none,id=d1
 *	-device virtio-blk-pci,drive=d1
 *	-device pcie-pci-bridge,id=b0
 *	-device virtio-blk-pci,drive=d2,bus=b0,addr=1.0
 *	-device virtio-blk-pci,drive=d3,bus=b0,addr=2.0
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/compiler.h>
#include <linux/sizes.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_its.h"

#define MAX_DEVICES		8
#define MSI_ROUNDS		64
#define CHURN_ROUNDS		8
#define REBIND_ROUNDS		4
#define HOTPLUG_ROUNDS		50
#define SHARED_ROUNDS		60
#define REFUSED_LPIS		SZ_64K

static struct pci_dev devices[MAX_DEVICES];
static int nr_devices;

static const struct pci_dev *find_device(bool edu)
{
	int i;

	for (i = 0; i < nr_devices; i++) {
		if (devices[i].edu == edu)
			return &devices[i];
	}

	return NULL;
}

static int edu_msi(struct vdev *v)
{
	u64 count;
	int ret;

	ret = edu_raise(v);
	if (!ret)
		ret = event_wait(v->event, &count);
	if (!ret && count != 1)
		ret = -EPROTO;

	return edu_ack(v) ? -EIO : ret;
}

/*
 * Interrupts as /proc has them. Calls @fn for each line of the device.
 */
static int scan_irqs(const char *bdf, void (*fn)(char *line, void *arg),
		     void *arg)
{
	char line[1024], want[64];
	int nr = 0;
	FILE *f;

	f = fopen("/proc/interrupts", "re");
	if (!f)
		return -errno;

	snprintf(want, sizeof(want), "](%s)", bdf);
	while (fgets(line, sizeof(line), f)) {
		if (!strstr(line, "vfio-msi") || !strstr(line, want))
			continue;
		if (fn)
			fn(line, arg);
		nr++;
	}
	fclose(f);

	return nr;
}

struct irq_count {
	unsigned long irq;
	unsigned int cpu;
	unsigned long count;
};

static void count_irq(char *line, void *arg)
{
	struct irq_count *c = arg;
	unsigned int i;
	char *p;

	c->irq = strtoul(line, &p, 10);
	p++;
	for (i = 0; i <= c->cpu; i++)
		c->count = strtoul(p, &p, 10);
}

/*
 * How often the only interrupt of the device has arrived at a CPU. The columns
 * are those of the CPUs that are online, which are all of them here.
 */
static int irq_on_cpu(const char *bdf, unsigned int cpu, struct irq_count *c)
{
	c->cpu = cpu;

	return scan_irqs(bdf, count_irq, c) == 1 ? 0 : -ENOENT;
}

/*
 * Tests. Each returns 0, -errno or 1 for a skip.
 */

static int every_its_confined(void)
{
	struct its its = {};
	int i, ret, nr = its_count();

	if (nr <= 0)
		return -ENOENT;

	for (i = 0; i < nr; i++) {
		ret = its_open(&its, i);
		if (ret)
			return ret;
		its_close(&its);
		if (!its_has_stats(&its))
			return -ENODATA;
	}

	return 0;
}

/* Only the bits that are the host's to change may change. */
static int ctlr_reserved_bits(void)
{
	struct its its;
	int i, ret;
	u32 ctlr;

	for (i = 0; i < its_count(); i++) {
		ret = its_open(&its, i);
		if (ret)
			return ret;

		ctlr = its_read32(&its, GITS_CTLR);
		if (its_write32(&its, GITS_CTLR, ctlr | 0x7fffff00))
			ret = -EFAULT;
		else if (its_read32(&its, GITS_CTLR) != ctlr)
			ret = -EPROTO;
		if (its_write32(&its, GITS_CTLR, ctlr))
			ret = -EFAULT;
		its_close(&its);
		if (ret)
			return ret;
	}

	return 0;
}

/* The frame that devices write to is not guarded. */
static int translater_untouched(void)
{
	void *frame;
	struct its its;
	int ret;

	ret = its_open(&its, 0);
	if (ret)
		return ret;

	frame = phys_map(its.base + ITS_FRAME_SIZE, ITS_FRAME_SIZE);
	its_close(&its);
	if (!frame)
		return -ENOMEM;

	/* No device has that event. */
	ret = try_write32(frame + GITS_TRANSLATER - ITS_FRAME_SIZE, 0xffff);
	phys_unmap(frame, ITS_FRAME_SIZE);

	return ret ? -EFAULT : 0;
}

/* Devices that were mapped before the hand-over go and come back. */
static int boot_device_rebind(void)
{
	int ret = disks_rebind(REBIND_ROUNDS);

	return ret < 0 ? ret : ret ? 0 : SKIP("no disk that is not in use");
}

struct reader {
	const char *bdf;
	atomic_bool stop;
	unsigned long rounds;
	int ret;
};

static void *reader_thread(void *arg)
{
	struct reader *reader = arg;

	while (!atomic_load(&reader->stop) && !reader->ret) {
		reader->ret = disk_read(reader->bdf);
		reader->rounds++;
	}

	return NULL;
}

/* One of two disks goes and comes back while the other is read. */
static int rebind_beside(const char *bdf, const char *other)
{
	struct reader reader = { .bdf = other };
	pthread_t thread;
	int ret;

	if (pthread_create(&thread, NULL, reader_thread, &reader))
		ksft_exit_fail_msg("pthread_create\n");
	ret = disk_rebind(bdf, SHARED_ROUNDS);
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);

	ksft_print_msg("%s: %d rounds, %s: read %lu times\n", bdf,
		       SHARED_ROUNDS, other, reader.rounds);

	return ret ? ret : reader.ret;
}

/*
 * Devices behind a bridge to conventional PCI share its requester ID, and with it
 * the DeviceID and the ITT. None of them takes those away from the others.
 */
static int shared_device_id(void)
{
	char bridge[MAX_DEVICES][16];
	struct pci_dev disks[MAX_DEVICES];
	int i, j, nr = disks_find(disks, MAX_DEVICES);

	for (i = 0; i < nr; i++) {
		if (!pci_conventional_bridge(&disks[i], bridge[i], sizeof(bridge[i])))
			bridge[i][0] = '\0';
		for (j = 0; bridge[i][0] && j < i; j++) {
			if (!strcmp(bridge[i], bridge[j]))
				return rebind_beside(disks[i].bdf, disks[j].bdf);
		}
	}

	return SKIP("no two disks behind one bridge to conventional PCI");
}

static int open_edu(struct vdev *v)
{
	const struct pci_dev *pci = find_device(true);
	int ret;

	if (!pci)
		return SKIP("no edu device");

	ret = vdev_open(v, pci);
	if (ret)
		return ret;

	ret = vdev_vectors(v, 0, 1, &v->event, 1);
	if (ret)
		vdev_close(v);

	return ret;
}

static int edu_msi_eventfd(void)
{
	struct vdev v;
	int i, ret;

	ret = open_edu(&v);
	if (ret)
		return ret;

	for (i = 0; i < MSI_ROUNDS && !ret; i++)
		ret = edu_msi(&v);
	vdev_close(&v);

	return ret;
}

/* The interrupt has to arrive at the CPU that it was sent to. */
static int check_affinity(struct vdev *v, unsigned int cpu)
{
	struct irq_count before, after;
	int ret;

	ret = irq_on_cpu(v->pci->bdf, cpu, &before);
	if (!ret)
		ret = irq_set_cpu(before.irq, cpu);
	/* An interrupt may be the last one with the old setting. */
	if (!ret)
		ret = edu_msi(v);
	if (!ret)
		ret = edu_msi(v);
	if (!ret)
		ret = irq_on_cpu(v->pci->bdf, cpu, &after);
	if (!ret && after.count == before.count)
		ret = -EXDEV;

	return ret;
}

static int edu_affinity(void)
{
	unsigned int cpu, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct vdev v;
	int i, ret;

	if (cpus < 2)
		return SKIP("one CPU");

	ret = open_edu(&v);
	if (ret)
		return ret;

	for (i = 0; i < MSI_ROUNDS / 4 && !ret; i++) {
		for (cpu = 0; cpu < cpus && !ret; cpu++)
			ret = check_affinity(&v, cpu);
	}
	vdev_close(&v);

	return ret;
}

/* One for each vector of the NVMe controller */
static int events[MAX_VECTORS];
static int nr_events;

static int open_events(int nr)
{
	int ret = 0;

	if (nr > nr_events) {
		ret = events_open(events + nr_events, nr - nr_events);
		nr_events = nr;
	}

	return ret;
}

static int churn(const struct pci_dev *pci, int rounds)
{
	struct vdev v;
	int i, nr, ret;

	ret = vdev_open(&v, pci);
	if (ret)
		return ret;

	nr = vdev_nr_vectors(&v);
	if (nr <= 0)
		ret = -ENODEV;

	if (!ret && !pci->edu)
		ret = open_events(nr);

	for (i = 0; i < rounds && !ret; i++) {
		/* What edu sends goes to the event that edu_msi() waits for. */
		if (pci->edu)
			ret = vdev_vectors(&v, 0, nr, &v.event, 1);
		else
			ret = vdev_vectors(&v, 0, nr, events, MAX_VECTORS);
		if (!ret && scan_irqs(pci->bdf, NULL, NULL) != nr)
			ret = -ENODATA;
		if (!ret && pci->edu)
			ret = edu_msi(&v);
		if (!ret)
			ret = vdev_vectors(&v, 0, 0, NULL, 0);
		if (!ret && scan_irqs(pci->bdf, NULL, NULL))
			ret = -EBUSY;
	}
	vdev_close(&v);

	return ret;
}

static int map_device(struct its *its, const struct pci_dev *pci, u64 itt, bool valid)
{
	struct its_cmd cmd = its_cmd_mapd(pci_requester_id(pci), 1, itt, valid);
	int ret;

	ret = its_post(its, &cmd, 1);

	return its_return(its) ?: ret;
}

/*
 * The hypervisor refuses the memory of a device that is mapped already. The driver gets an
 * error each time, and keeps nothing: LPIs would run out. Has to come first: a device that
 * has had vectors stays mapped by the driver.
 */
static int refused_device(void)
{
	const struct pci_dev *pci = find_device(false);
	u64 itt = pages_alloc(0);
	struct its its = {};
	struct vdev v;
	int i, nr, ret;

	if (!pci)
		return SKIP("no NVMe controller that is not in use");
	if (access(PKVM_HOST_DEBUGFS, X_OK))
		return SKIP("no CONFIG_TEST_PKVM_HOST");

	ret = its_open(&its, 0);
	if (ret)
		return ret;
	ret = its_find_staging(&its) ?: vdev_open(&v, pci);
	if (ret)
		goto out;

	nr = vdev_nr_vectors(&v);
	ret = nr > 0 ? open_events(nr) : -ENODEV;
	if (!ret)
		ret = map_device(&its, pci, itt, true);
	if (ret)
		goto out_vdev;

	for (i = 0; i < REFUSED_LPIS / nr && !ret; i++) {
		if (!vdev_vectors(&v, 0, nr, events, MAX_VECTORS))
			ret = -EPROTO;
	}
	ret = map_device(&its, pci, itt, false) ?: ret;
	if (!ret)
		ret = vdev_vectors(&v, 0, nr, events, MAX_VECTORS);
out_vdev:
	vdev_close(&v);
out:
	its_close(&its);

	return ret;
}

static int nvme_msix_churn(void)
{
	const struct pci_dev *pci = find_device(false);
	struct vdev v;
	int nr;

	if (!pci)
		return SKIP("no NVMe controller that is not in use");

	nr = vdev_open(&v, pci);
	if (nr)
		return nr;
	nr = vdev_nr_vectors(&v);
	vdev_close(&v);
	ksft_print_msg("%d vectors\n", nr);

	return churn(pci, CHURN_ROUNDS);
}

static void *churn_thread(void *arg)
{
	unsigned long cpu, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const struct pci_dev *pci = arg;
	cpu_set_t set;

	cpu = (pci - devices) % cpus;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);

	return (void *)(long)churn(pci, pci->edu ? MSI_ROUNDS : CHURN_ROUNDS / 2);
}

/* All devices at once, each from a CPU of its own as far as there are so many. */
static int parallel_churn(void)
{
	pthread_t threads[MAX_DEVICES];
	int i, ret = 0;
	void *res;

	if (nr_devices < 2)
		return SKIP("fewer than two devices");

	for (i = 0; i < nr_devices; i++) {
		if (pthread_create(&threads[i], NULL, churn_thread,
				   &devices[i]))
			ksft_exit_fail_msg("pthread_create\n");
	}
	for (i = 0; i < nr_devices; i++) {
		pthread_join(threads[i], &res);
		if (res) {
			ret = (long)res;
			ksft_print_msg("%s: %s\n", devices[i].bdf,
				       strerror(-ret));
		}
	}

	return ret;
}

static int cpu_hotplug(void)
{
	unsigned int cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	struct vdev v;
	int i, ret;

	if (!cpu)
		return SKIP("one CPU");

	ret = open_edu(&v);
	if (ret)
		return ret;

	for (i = 0; i < HOTPLUG_ROUNDS && !ret; i++) {
		ret = check_affinity(&v, cpu);
		if (ret)
			break;

		ret = cpu_set_online(cpu, false);
		if (ret)
			break;

		/* It has to go to one of the CPUs that are left. */
		ret = edu_msi(&v);
		if (cpu_set_online(cpu, true))
			ret = -EIO;
	}
	if (!ret)
		ret = check_affinity(&v, cpu);
	vdev_close(&v);

	return ret;
}

/*
 * An interrupt cannot be sent to a CPU that is off line: it stays where it was, and works.
 * One that may go to several CPUs goes to one that is there.
 */
static int offline_affinity(void)
{
	unsigned int cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	struct irq_count irq;
	struct vdev v;
	int ret;

	if (!cpu)
		return SKIP("one CPU");

	ret = open_edu(&v);
	if (ret)
		return ret;

	ret = check_affinity(&v, 0);
	if (!ret)
		ret = irq_on_cpu(v.pci->bdf, 0, &irq);
	if (!ret)
		ret = cpu_set_online(cpu, false);
	if (ret)
		goto out;

	if (irq_set_cpu(irq.irq, cpu) != -EINVAL)
		ret = -EPROTO;
	if (!ret)
		ret = edu_msi(&v);
	if (!ret)
		ret = check_affinity(&v, cpu - 1);
	if (cpu_set_online(cpu, true))
		ret = -EIO;
	if (!ret)
		ret = check_affinity(&v, cpu);
out:
	vdev_close(&v);

	return ret;
}

static int suspend(void)
{
	struct vdev v;
	int i, ret;

	if (access("/sys/power/pm_test", W_OK))
		return SKIP("no CONFIG_PM_DEBUG");

	ret = open_edu(&v);
	if (ret)
		return ret;

	for (i = 0; i < 2 && !ret; i++) {
		ret = edu_msi(&v);
		if (!ret)
			ret = system_suspend();
		if (!ret)
			ret = edu_msi(&v);
	}
	vdev_close(&v);

	return ret;
}

/* A counter of all ITSs taken together. */
static int total(const char *name, u64 *sum)
{
	int i, ret, nr = its_count();
	struct its its;
	u64 val;

	*sum = 0;
	for (i = 0; i < nr; i++) {
		ret = its_open(&its, i);
		if (ret)
			return ret;
		ret = its_stat(&its, name, &val);
		its_close(&its);
		if (ret)
			return ret;
		*sum += val;
	}

	return nr < 0 ? nr : 0;
}

static u64 accepted_before, refused_before;

static int no_refused_command(void)
{
	u64 accepted, refused;
	int ret;

	ret = total("accepted", &accepted);
	if (!ret)
		ret = total("refused", &refused);
	if (ret)
		return ret;

	ksft_print_msg("%llu accepted, %llu refused\n",
		       (unsigned long long)(accepted - accepted_before),
		       (unsigned long long)(refused - refused_before));

	return accepted > accepted_before && refused == refused_before ?
	       0 : -EPROTO;
}

static int kmsg;

static int no_complaint_in_log(void)
{
	int nr = log_complaints(kmsg);

	return nr > 0 ? -EPROTO : nr;
}

static const struct {
	const char *name;
	int (*fn)(void);
	bool vfio;	/* NVMe controllers and edu go to VFIO for these */
	bool confined;	/* only meaningful for confined ITSs */
} tests[] = {
	{ "every_its_confined", every_its_confined, false, true },
	{ "ctlr_reserved_bits", ctlr_reserved_bits },
	{ "translater_untouched", translater_untouched },
	{ "boot_device_rebind", boot_device_rebind },
	{ "shared_device_id", shared_device_id },
	{ "edu_msi_eventfd", edu_msi_eventfd, true },
	{ "edu_affinity", edu_affinity, true },
	{ "refused_device", refused_device, true, true },
	{ "nvme_msix_churn", nvme_msix_churn, true },
	{ "parallel_churn", parallel_churn, true },
	{ "cpu_hotplug", cpu_hotplug, true },
	{ "offline_affinity", offline_affinity, true },
	{ "suspend", suspend, true },
	{ "edu_msi_eventfd_again", edu_msi_eventfd, true },
	{ "no_refused_command", no_refused_command, false, true },
	{ "no_complaint_in_log", no_complaint_in_log },
};

int main(int argc, char **argv)
{
	enum pkvm_its_mode mode = pkvm_its_mode();
	bool any = false, vfio = false;
	int opt;
	size_t i;

	while ((opt = getopt(argc, argv, "ah")) != -1) {
		switch (opt) {
		case 'a':
			any = true;
			break;
		default:
			printf("usage: %s [-a]\n"
			       "  -a  run even if the ITSs are not confined\n",
			       argv[0]);
			return opt == 'h' ? 0 : KSFT_FAIL;
		}
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	pkvm_its_setup();

	if (mode == PKVM_ITS_FAILED)
		ksft_exit_fail_msg("the kernel failed to confine the ITSs\n");
	if (mode != PKVM_ITS_CONFINED && !any)
		ksft_exit_skip("the ITSs are not confined\n");

	if (!its_count())
		ksft_exit_skip("no ITS\n");
	phys_setup();

	kmsg = log_open();
	if (kmsg < 0)
		ksft_exit_fail_msg("/dev/kmsg: %s\n", strerror(-kmsg));

	nr_devices = pci_find(devices, MAX_DEVICES);
	if (mode == PKVM_ITS_CONFINED &&
	    (total("accepted", &accepted_before) ||
	     total("refused", &refused_before)))
		ksft_exit_fail_msg("no statistics of the ITSs\n");

	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (tests[i].confined && mode != PKVM_ITS_CONFINED) {
			ksft_test_result_skip("%s: the ITSs are not confined\n",
					      tests[i].name);
			continue;
		}

		if (tests[i].vfio && !vfio_present()) {
			ksft_test_result_skip("%s: no vfio-pci\n",
					      tests[i].name);
			continue;
		}

		if (tests[i].vfio && !vfio)
			pci_to_vfio(devices, nr_devices);
		if (!tests[i].vfio && vfio)
			pci_from_vfio(devices, nr_devices);
		vfio = tests[i].vfio;

		report(tests[i].name, tests[i].fn());
	}

	ksft_finished();
}
