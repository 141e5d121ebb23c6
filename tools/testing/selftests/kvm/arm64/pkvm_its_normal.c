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
 * ITSs were handed over. The root file system must not be on one of them.
 *
 *	-M virt,...,iommu=smmuv3 -device edu -device edu
 *	-drive driver=null-co,size=64M,read-zeroes=on,if=none,id=d0
 *	-device nvme,serial=d0,drive=d0,msix_qsize=2048
 *	-drive driver=null-co,size=64M,read-zeroes=on,if=none,id=d1
 *	-device virtio-blk-pci,drive=d1
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/compiler.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_its.h"

#define EDU_ID			0x123411e8
#define EDU_RAISE		0x60
#define EDU_ACK			0x64
#define NVME_CLASS		0x010802

#define MAX_DEVICES		8
#define MAX_VECTORS		2048
#define MSI_ROUNDS		64
#define CHURN_ROUNDS		8
#define HOTPLUG_ROUNDS		4

/* An interrupt that has not arrived by then does not arrive any more. */
#define DEADLINE_MS		30000

struct pci_dev {
	char bdf[16];
	char driver[64];	/* that it had in the beginning */
	bool edu;
};

static struct pci_dev devices[MAX_DEVICES];
static int nr_devices;

struct vdev {
	const struct pci_dev *pci;
	int container;
	int group;
	int fd;
	int event;
	u64 bar_off;
	u64 config_off;
};

/*
 * PCI devices and their drivers
 */

static u64 pci_attr(const char *bdf, const char *attr)
{
	char path[512], buf[32];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, attr);
	if (sysfile_read(path, buf, sizeof(buf)) < 0)
		return 0;

	return strtoull(buf, NULL, 0);
}

static void find_devices(void)
{
	struct dirent *de;
	bool edu, nvme;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	while (dir && (de = readdir(dir)) && nr_devices < MAX_DEVICES) {
		if (de->d_name[0] == '.')
			continue;

		edu = (pci_attr(de->d_name, "vendor") << 16 |
		       pci_attr(de->d_name, "device")) == EDU_ID;
		nvme = pci_attr(de->d_name, "class") == NVME_CLASS;
		if (!edu && !nvme)
			continue;

		snprintf(devices[nr_devices].bdf, sizeof(devices[0].bdf),
			 "%.15s", de->d_name);
		devices[nr_devices++].edu = edu;
	}
	if (dir)
		closedir(dir);
}

static const struct pci_dev *find_device(bool edu)
{
	int i;

	for (i = 0; i < nr_devices; i++) {
		if (devices[i].edu == edu)
			return &devices[i];
	}

	return NULL;
}

/* Empty if there is none. */
static void get_driver(const char *bdf, char *name, size_t size)
{
	char path[128], link[256];
	ssize_t n;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", bdf);
	n = readlink(path, link, sizeof(link) - 1);
	if (n > 0) {
		link[n] = '\0';
		snprintf(name, size, "%s", strrchr(link, '/') + 1);
	}
}

static int set_driver(const char *bdf, const char *driver)
{
	char path[128], old[64];
	int ret;

	get_driver(bdf, old, sizeof(old));
	if (!strcmp(old, driver))
		return 0;

	if (old[0]) {
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/driver/unbind", bdf);
		ret = sysfile_write(path, bdf);
		if (ret)
			return ret;
	}

	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/driver_override", bdf);
	ret = sysfile_write(path, driver[0] ? driver : "\n");
	if (ret || !driver[0])
		return ret;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);

	return sysfile_write(path, bdf);
}

/*
 * VFIO
 */

static void vdev_close(struct vdev *v)
{
	if (v->fd >= 0)
		close(v->fd);
	if (v->group >= 0)
		close(v->group);
	if (v->container >= 0)
		close(v->container);
	if (v->event >= 0)
		close(v->event);
}

static int vdev_region(struct vdev *v, unsigned int index, u64 *off)
{
	struct vfio_region_info info = {
		.argsz	= sizeof(info),
		.index	= index,
	};

	if (ioctl(v->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	*off = info.offset;

	return 0;
}

static int vdev_open_group(struct vdev *v)
{
	unsigned long type = VFIO_TYPE1v2_IOMMU;
	char path[128], link[256];
	const char *nr;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 v->pci->bdf);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	nr = strrchr(link, '/') + 1;

	v->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (v->container < 0)
		return -errno;

	snprintf(path, sizeof(path), "/dev/vfio/%s", nr);
	v->group = open(path, O_RDWR | O_CLOEXEC);
	if (v->group < 0 && errno == ENOENT) {
		snprintf(path, sizeof(path), "/dev/vfio/noiommu-%s", nr);
		v->group = open(path, O_RDWR | O_CLOEXEC);
		type = VFIO_NOIOMMU_IOMMU;
	}
	if (v->group < 0 ||
	    ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container) ||
	    ioctl(v->container, VFIO_SET_IOMMU, type))
		return -errno;

	v->fd = ioctl(v->group, VFIO_GROUP_GET_DEVICE_FD, v->pci->bdf);

	return v->fd < 0 ? -errno : 0;
}

static int vdev_open(struct vdev *v, const struct pci_dev *pci)
{
	u16 cmd;
	int ret;

	v->pci = pci;
	v->container = -1;
	v->group = -1;
	v->fd = -1;
	v->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	ret = v->event < 0 ? -errno : vdev_open_group(v);
	if (!ret)
		ret = vdev_region(v, VFIO_PCI_BAR0_REGION_INDEX, &v->bar_off);
	if (!ret)
		ret = vdev_region(v, VFIO_PCI_CONFIG_REGION_INDEX,
				  &v->config_off);
	if (ret)
		goto err;

	/* An MSI is a write to memory like any other. */
	ret = -EIO;
	if (pread(v->fd, &cmd, 2, v->config_off + PCI_COMMAND) != 2)
		goto err;
	cmd |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	if (pwrite(v->fd, &cmd, 2, v->config_off + PCI_COMMAND) != 2)
		goto err;

	return 0;

err:
	vdev_close(v);

	return ret;
}

static int vdev_nr_vectors(struct vdev *v, unsigned int index)
{
	struct vfio_irq_info info = {
		.argsz	= sizeof(info),
		.index	= index,
	};

	if (ioctl(v->fd, VFIO_DEVICE_GET_IRQ_INFO, &info))
		return -errno;

	return info.count < MAX_VECTORS ? info.count : MAX_VECTORS;
}

/* All vectors go to the same eventfd; none disables them. */
static int vdev_vectors(struct vdev *v, unsigned int index, unsigned int nr)
{
	size_t size = sizeof(struct vfio_irq_set) + nr * sizeof(s32);
	struct vfio_irq_set *set;
	unsigned int i;
	int ret;

	set = calloc(1, size);
	if (!set)
		return -ENOMEM;

	set->argsz = size;
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (nr ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	set->index = index;
	set->count = nr;
	for (i = 0; i < nr; i++)
		((s32 *)set->data)[i] = v->event;

	ret = ioctl(v->fd, VFIO_DEVICE_SET_IRQS, set) ? -errno : 0;
	free(set);

	return ret;
}

/* Waits for one interrupt, and sees to it that it was one. */
static int vdev_wait(struct vdev *v)
{
	struct pollfd pfd = { .fd = v->event, .events = POLLIN };
	u64 count;
	int ret;

	do {
		ret = poll(&pfd, 1, DEADLINE_MS);
	} while (ret < 0 && errno == EINTR);

	if (ret != 1)
		return -ETIMEDOUT;
	if (read(v->event, &count, sizeof(count)) != sizeof(count))
		return -EIO;

	return count == 1 ? 0 : -EPROTO;
}

static int edu_msi(struct vdev *v)
{
	u32 val = 1;
	int ret;

	if (pwrite(v->fd, &val, 4, v->bar_off + EDU_RAISE) != 4)
		return -EIO;
	ret = vdev_wait(v);
	if (pwrite(v->fd, &val, 4, v->bar_off + EDU_ACK) != 4)
		return -EIO;

	return ret;
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

static int set_affinity(unsigned long irq, unsigned int cpu)
{
	char path[64], val[16];

	snprintf(path, sizeof(path), "/proc/irq/%lu/smp_affinity_list", irq);
	snprintf(val, sizeof(val), "%u", cpu);

	return sysfile_write(path, val);
}

/*
 * Tests. Each returns 0, -errno or 1 for a skip.
 */

static const char *why;

#define SKIP(reason)	({ why = (reason); 1; })

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

/* Name of the disk that a PCI device has become. Waits for it if told so. */
static int disk_name(const char *bdf, char *name, size_t size, bool wait)
{
	static const char *const where[] = {
		"nvme/nvme*/nvme*n*", "virtio*/block/*",
	};
	int i, tries = wait ? DEADLINE_MS / 10 : 1;
	char pattern[128];
	bool found;
	glob_t g;

	/* Drivers probe on their own time, there is nothing to wait on. */
	while (tries--) {
		for (i = 0; i < ARRAY_SIZE(where); i++) {
			snprintf(pattern, sizeof(pattern),
				 "/sys/bus/pci/devices/%s/%s", bdf, where[i]);
			found = !glob(pattern, 0, NULL, &g);
			if (found)
				snprintf(name, size, "%s",
					 strrchr(g.gl_pathv[0], '/') + 1);
			globfree(&g);
			if (found)
				return 0;
		}
		if (tries)
			poll(NULL, 0, 10);
	}

	return -ENOENT;
}

/* Each read ends with an interrupt. */
static int read_disk(const char *bdf)
{
	static char buf[4096] __aligned(4096);
	char path[64], name[32];
	int fd, i, ret;

	ret = disk_name(bdf, name, sizeof(name), true);
	if (ret)
		return ret;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	for (i = 0; i < MSI_ROUNDS && !ret; i++) {
		if (pread(fd, buf, sizeof(buf), i * sizeof(buf)) !=
		    sizeof(buf))
			ret = -EIO;
	}
	close(fd);

	return ret;
}

static int rebind(const char *bdf, const char *driver)
{
	int i, ret;

	ret = read_disk(bdf);
	for (i = 0; i < HOTPLUG_ROUNDS && !ret; i++) {
		ret = set_driver(bdf, "");
		if (!ret)
			ret = set_driver(bdf, driver);
		if (!ret)
			ret = read_disk(bdf);
	}

	return ret;
}

/* Devices that were mapped before the hand-over go and come back. */
static int boot_device_rebind(void)
{
	char driver[64], name[32];
	int ret = 0, nr = 0;
	struct dirent *de;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	while (dir && !ret && (de = readdir(dir))) {
		if (strlen(de->d_name) >= sizeof(devices[0].bdf) ||
		    disk_name(de->d_name, name, sizeof(name), false))
			continue;

		get_driver(de->d_name, driver, sizeof(driver));
		ksft_print_msg("%s, %s\n", name, driver);
		ret = rebind(de->d_name, driver);
		nr++;
	}
	if (dir)
		closedir(dir);

	return nr || ret ? ret : SKIP("no disk");
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

	ret = vdev_vectors(v, VFIO_PCI_MSI_IRQ_INDEX, 1);
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
		ret = set_affinity(before.irq, cpu);
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

static int churn(const struct pci_dev *pci, int rounds)
{
	unsigned int index = pci->edu ? VFIO_PCI_MSI_IRQ_INDEX :
			     VFIO_PCI_MSIX_IRQ_INDEX;
	struct vdev v;
	int i, nr, ret;

	ret = vdev_open(&v, pci);
	if (ret)
		return ret;

	nr = vdev_nr_vectors(&v, index);
	if (nr <= 0)
		ret = -ENODEV;

	for (i = 0; i < rounds && !ret; i++) {
		ret = vdev_vectors(&v, index, nr);
		if (!ret && scan_irqs(pci->bdf, NULL, NULL) != nr)
			ret = -ENODATA;
		if (!ret && pci->edu)
			ret = edu_msi(&v);
		if (!ret)
			ret = vdev_vectors(&v, index, 0);
		if (!ret && scan_irqs(pci->bdf, NULL, NULL))
			ret = -EBUSY;
	}
	vdev_close(&v);

	return ret;
}

static int nvme_msix_churn(void)
{
	const struct pci_dev *pci = find_device(false);
	struct vdev v;
	int nr;

	if (!pci)
		return SKIP("no NVMe controller");

	nr = vdev_open(&v, pci);
	if (nr)
		return nr;
	nr = vdev_nr_vectors(&v, VFIO_PCI_MSIX_IRQ_INDEX);
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

static int cpu_online(unsigned int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online",
		 cpu);

	return sysfile_write(path, online ? "1" : "0");
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

		ret = cpu_online(cpu, false);
		if (ret)
			break;

		/* It has to go to one of the CPUs that are left. */
		ret = edu_msi(&v);
		if (cpu_online(cpu, true))
			ret = -EIO;
	}
	if (!ret)
		ret = check_affinity(&v, cpu);
	vdev_close(&v);

	return ret;
}

/*
 * Goes as far as what happens with interrupts off on the last CPU, the ITS
 * driver's part of it, and back.
 */
static int suspend(void)
{
	struct vdev v;
	int i, ret;

	if (access("/sys/power/pm_test", W_OK))
		return SKIP("no CONFIG_PM_DEBUG");

	ret = open_edu(&v);
	if (ret)
		return ret;

	/* How long the kernel stays there, in seconds. */
	sysfile_write("/sys/module/hibernate/parameters/pm_test_delay", "0");

	for (i = 0; i < 2 && !ret; i++) {
		ret = edu_msi(&v);
		if (!ret)
			ret = sysfile_write("/sys/power/pm_test", "core");
		if (!ret)
			ret = sysfile_write("/sys/power/state", "disk");
		if (!ret)
			ret = edu_msi(&v);
	}
	sysfile_write("/sys/power/pm_test", "none");
	vdev_close(&v);

	return ret;
}

static u64 total(const char *name)
{
	struct its its = {};
	u64 val, sum = 0;
	int i;

	for (i = 0; i < its_count(); i++) {
		if (its_open(&its, i))
			continue;
		if (!its_stat(&its, name, &val))
			sum += val;
		its_close(&its);
	}

	return sum;
}

static u64 refused_before;

static int no_refused_command(void)
{
	u64 now = total("refused");

	ksft_print_msg("%llu accepted, %llu refused\n",
		       (unsigned long long)total("accepted"),
		       (unsigned long long)now);

	return now == refused_before ? 0 : -EPROTO;
}

static int no_complaint_in_log(void)
{
	static const char *const bad[] = {
		"ITS queue timeout", "ITS queue not draining", "ITS cmd ",
		"completion polled", "nobody cared", "failed to quiesce",
		"WARNING: ", "BUG: ", "Unable to handle",
	};
	int i, n, ret = 0;
	char *buf;

	n = klogctl(10 /* size of the buffer */, NULL, 0);
	if (n <= 0)
		return -EIO;
	buf = malloc(n + 1);
	if (!buf)
		return -ENOMEM;
	n = klogctl(3 /* read all of it */, buf, n);
	buf[n > 0 ? n : 0] = '\0';

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (strstr(buf, bad[i])) {
			ksft_print_msg("the log has '%s'\n", bad[i]);
			ret = -EPROTO;
		}
	}
	free(buf);

	return ret;
}

static const struct {
	const char *name;
	int (*fn)(void);
	bool vfio;	/* NVMe controllers and edu go to VFIO for these */
	bool confined;	/* says something about confined ITSs only */
} tests[] = {
	{ "every_its_confined", every_its_confined, false, true },
	{ "ctlr_reserved_bits", ctlr_reserved_bits },
	{ "translater_untouched", translater_untouched },
	{ "boot_device_rebind", boot_device_rebind },
	{ "edu_msi_eventfd", edu_msi_eventfd, true },
	{ "edu_affinity", edu_affinity, true },
	{ "nvme_msix_churn", nvme_msix_churn, true },
	{ "parallel_churn", parallel_churn, true },
	{ "cpu_hotplug", cpu_hotplug, true },
	{ "suspend", suspend, true },
	{ "edu_msi_eventfd_again", edu_msi_eventfd, true },
	{ "no_refused_command", no_refused_command },
	{ "no_complaint_in_log", no_complaint_in_log },
};

static void to_vfio(void)
{
	int i, ret;

	sysfile_write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
		      "1");
	for (i = 0; i < nr_devices; i++) {
		get_driver(devices[i].bdf, devices[i].driver,
			   sizeof(devices[i].driver));
		ret = set_driver(devices[i].bdf, "vfio-pci");
		if (ret)
			ksft_print_msg("%s: vfio-pci: %s\n", devices[i].bdf,
				       strerror(-ret));
	}
}

static void from_vfio(void)
{
	int i;

	for (i = 0; i < nr_devices; i++)
		set_driver(devices[i].bdf, devices[i].driver);
}

int main(int argc, char **argv)
{
	enum pkvm_its_mode mode = pkvm_its_mode();
	bool any = false, vfio = false;
	int opt, ret;
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

	if (its_count() <= 0)
		ksft_exit_skip("no ITS, or no CONFIG_ARM_GIC_V3_ITS_INJECT\n");

	find_devices();
	refused_before = total("refused");

	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (tests[i].confined && mode != PKVM_ITS_CONFINED) {
			ksft_test_result_skip("%s: the ITSs are not confined\n",
					      tests[i].name);
			continue;
		}

		if (tests[i].vfio && !vfio)
			to_vfio();
		if (!tests[i].vfio && vfio)
			from_vfio();
		vfio = tests[i].vfio;

		ret = tests[i].fn();
		if (ret > 0) {
			ksft_test_result_skip("%s: %s\n", tests[i].name, why);
			continue;
		}
		if (ret)
			ksft_print_msg("%s: %s\n", tests[i].name,
				       strerror(-ret));
		ksft_test_result(!ret, "%s\n", tests[i].name);
	}

	ksft_finished();
}
