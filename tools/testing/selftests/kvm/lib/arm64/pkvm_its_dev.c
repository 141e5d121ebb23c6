// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers for the tests that need devices which send MSIs: PCI devices, VFIO,
 * disks, and what the kernel does with their interrupts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/compiler.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "kselftest.h"
#include "pkvm_its.h"

#define EDU_ID			0x123411e8
#define EDU_RAISE		0x60
#define EDU_ACK			0x64
#define NVME_CLASS		0x010802
#define PCI_CLASS_BRIDGE_PCI	0x0604

#define MAX_DISKS		8

/* Each ends with an interrupt. */
#define DISK_READS		64

/* An interrupt that has not arrived by then does not arrive any more. */
#define DEADLINE_MS		60000

#define NOIOMMU		"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

/*
 * PCI devices and their drivers
 */

/* The disks that a PCI device has become. */
static bool disk_glob(const char *bdf, glob_t *g)
{
	char pattern[128];

	snprintf(pattern, sizeof(pattern),
		 "/sys/bus/pci/devices/%s/{nvme/nvme*/nvme*n*,virtio*/block/*}",
		 bdf);

	if (!glob(pattern, GLOB_BRACE, NULL, g))
		return true;
	globfree(g);

	return false;
}

/*
 * Whoever mounts a disk, swaps to it or makes something larger of it has it for
 * himself, and so would be the tests.
 */
static bool disks_idle(const char *bdf)
{
	bool idle = true;
	char path[64];
	glob_t g;
	size_t i;
	int fd;

	if (!disk_glob(bdf, &g))
		return true;

	for (i = 0; i < g.gl_pathc && idle; i++) {
		snprintf(path, sizeof(path), "/dev%s",
			 strrchr(g.gl_pathv[i], '/'));
		fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
		idle = fd >= 0;
		if (idle)
			close(fd);
		else
			ksft_print_msg("%s, %s: left alone: %s\n", bdf, path,
				       strerror(errno));
	}
	globfree(&g);

	return idle;
}

static u64 pci_attr(const char *bdf, const char *attr)
{
	char path[512], buf[32];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, attr);
	if (sysfile_read(path, buf, sizeof(buf)) < 0)
		return 0;

	return strtoull(buf, NULL, 0);
}

/**
 * pci_find() - Find the devices that tests can have
 * @pci: filled in
 * @max: size of @pci
 *
 * A controller whose disks are in use is not among them.
 *
 * Return: how many there are.
 */
int pci_find(struct pci_dev *pci, int max)
{
	struct dirent *de;
	bool edu, nvme;
	int nr = 0;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	while (dir && (de = readdir(dir)) && nr < max) {
		if (de->d_name[0] == '.')
			continue;

		edu = (pci_attr(de->d_name, "vendor") << 16 |
		       pci_attr(de->d_name, "device")) == EDU_ID;
		nvme = pci_attr(de->d_name, "class") == NVME_CLASS;
		if ((!edu && !nvme) || !disks_idle(de->d_name))
			continue;

		snprintf(pci[nr].bdf, sizeof(pci->bdf), "%.15s", de->d_name);
		pci[nr++].edu = edu;
	}
	if (dir)
		closedir(dir);

	return nr;
}

/* The requester ID, which is the DeviceID of a machine that maps them one to one. */
u32 pci_requester_id(const struct pci_dev *pci)
{
	unsigned int bus, dev, fn;

	if (sscanf(pci->bdf, "%*x:%x:%x.%x", &bus, &dev, &fn) != 3)
		ksft_exit_fail_msg("%s is no PCI device\n", pci->bdf);

	return bus << 8 | dev << 3 | fn;
}

/**
 * pci_get_driver() - Name of the driver of a device
 * @bdf: the device
 * @name: the name; empty if there is none
 * @size: size of @name
 */
void pci_get_driver(const char *bdf, char *name, size_t size)
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

/**
 * pci_set_driver() - Give a device another driver
 * @bdf: the device
 * @driver: its name; empty for none
 *
 * Return: 0 or -errno.
 */
int pci_set_driver(const char *bdf, const char *driver)
{
	char path[128], bind[128], old[64], override[64];
	int ret;

	pci_get_driver(bdf, old, sizeof(old));
	if (!strcmp(old, driver))
		return 0;

	if (old[0]) {
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/driver/unbind", bdf);
		ret = sysfile_write(path, bdf);
		if (ret)
			return ret;
	}

	if (!driver[0])
		return 0;

	/* Only affects drivers that are bound later. */
	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/driver_override", bdf);
	ret = sysfile_read(path, override, sizeof(override));
	if (ret < 0)
		return ret;
	if (!strcmp(override, "(null)"))
		strcpy(override, "\n");
	ret = sysfile_write(path, driver);
	if (ret)
		return ret;

	snprintf(bind, sizeof(bind), "/sys/bus/pci/drivers/%s/bind", driver);
	ret = sysfile_write(bind, bdf);
	sysfile_write(path, override);

	return ret;
}

/**
 * pci_conventional_bridge() - Find the bridge whose requester ID a device has
 * @pci: the device
 * @bdf: the bridge
 * @size: size of @bdf
 *
 * What is not PCI Express and behind a bridge has no requester ID of its own.
 *
 * Return: true if it is such a device.
 */
bool pci_conventional_bridge(const struct pci_dev *pci, char *bdf, size_t size)
{
	char path[128], link[PATH_MAX], *bridge;

	/* Only PCI Express devices have this attribute. */
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/max_link_speed",
		 pci->bdf);
	if (!access(path, F_OK))
		return false;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/..", pci->bdf);
	if (!realpath(path, link))
		return false;

	bridge = strrchr(link, '/') + 1;
	snprintf(bdf, size, "%s", bridge);

	return pci_attr(bridge, "class") >> 8 == PCI_CLASS_BRIDGE_PCI;
}

/* Is there a VFIO that PCI devices can be given to? */
bool vfio_present(void)
{
	return !access("/sys/bus/pci/drivers/vfio-pci", F_OK) &&
	       !access("/dev/vfio/vfio", R_OK | W_OK);
}

/**
 * pci_to_vfio() - Have VFIO drive devices
 * @pci: the devices; their drivers are remembered for pci_from_vfio()
 * @nr: how many
 */
void pci_to_vfio(struct pci_dev *pci, int nr)
{
	int i, ret;

	sysfile_set(NOIOMMU, "Y");
	for (i = 0; i < nr; i++) {
		pci_get_driver(pci[i].bdf, pci[i].driver,
			       sizeof(pci[i].driver));
		ret = pci_set_driver(pci[i].bdf, "vfio-pci");
		if (ret)
			ksft_print_msg("%s: vfio-pci: %s\n", pci[i].bdf,
				       strerror(-ret));
	}
}

void pci_from_vfio(struct pci_dev *pci, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		pci_set_driver(pci[i].bdf, pci[i].driver);
}

/*
 * VFIO
 */

void vdev_close(struct vdev *v)
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

/**
 * vdev_open() - Open a device that VFIO drives
 * @v: filled in
 * @pci: the device
 *
 * Return: 0 or -errno.
 */
int vdev_open(struct vdev *v, const struct pci_dev *pci)
{
	u16 cmd;
	int ret;

	v->pci = pci;
	v->index = pci->edu ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_MSIX_IRQ_INDEX;
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

/**
 * vdev_nr_vectors() - How many MSIs a device can send
 * @v: the device
 *
 * Return: their number, MAX_VECTORS at most, or -errno.
 */
int vdev_nr_vectors(struct vdev *v)
{
	struct vfio_irq_info info = {
		.argsz	= sizeof(info),
		.index	= v->index,
	};

	if (ioctl(v->fd, VFIO_DEVICE_GET_IRQ_INFO, &info))
		return -errno;

	return info.count < MAX_VECTORS ? info.count : MAX_VECTORS;
}

/**
 * vdev_vectors() - Say where the interrupts of a device go
 * @v: the device
 * @start: first vector
 * @nr: how many; none disables all that the device has
 * @events: eventfds; -1 frees the interrupt of the vector
 * @nr_events: how many; vector n goes to number n % @nr_events of them
 *
 * Return: 0 or -errno.
 */
int vdev_vectors(struct vdev *v, unsigned int start, unsigned int nr,
		 const int *events, unsigned int nr_events)
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
	set->index = v->index;
	set->start = start;
	set->count = nr;
	for (i = 0; i < nr; i++)
		((s32 *)set->data)[i] = events[(start + i) % nr_events];

	ret = ioctl(v->fd, VFIO_DEVICE_SET_IRQS, set) ? -errno : 0;
	free(set);

	return ret;
}

/**
 * events_open() - Open an eventfd for each vector of a device
 * @events: filled in
 * @nr: how many
 *
 * Several vectors may go to one, but VFIO has a line in the kernel log for each
 * that does.
 *
 * Return: 0 or -errno.
 */
int events_open(int *events, unsigned int nr)
{
	struct rlimit lim;
	unsigned int i;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return -errno;
	lim.rlim_cur += nr;
	if (lim.rlim_max < lim.rlim_cur)
		lim.rlim_max = lim.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &lim))
		return -errno;

	for (i = 0; i < nr; i++) {
		events[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (events[i] < 0)
			return -errno;
	}

	return 0;
}

/**
 * event_wait() - Block until an interrupt has arrived
 * @event: eventfd that it goes to
 * @count: how many have arrived; 0 if this fails
 *
 * Return: 0 or -errno; -ETIMEDOUT if there was none for a long time.
 */
int event_wait(int event, u64 *count)
{
	struct pollfd pfd = { .fd = event, .events = POLLIN };
	int ret;

	*count = 0;
	do {
		ret = poll(&pfd, 1, DEADLINE_MS);
	} while (ret < 0 && errno == EINTR);

	if (ret != 1)
		return -ETIMEDOUT;

	return read(event, count, sizeof(*count)) == sizeof(*count) ? 0 : -EIO;
}

/* Have an edu device send its MSI. */
int edu_raise(struct vdev *v)
{
	u32 val = 1;

	return pwrite(v->fd, &val, 4, v->bar_off + EDU_RAISE) == 4 ? 0 : -EIO;
}

int edu_ack(struct vdev *v)
{
	u32 val = 1;

	return pwrite(v->fd, &val, 4, v->bar_off + EDU_ACK) == 4 ? 0 : -EIO;
}

/*
 * Interrupts and CPUs
 */

/**
 * pci_irqs() - Find the interrupts of a device that has MSIs enabled
 * @pci: the device
 * @irqs: their numbers as in /proc/irq
 * @max: size of @irqs
 *
 * Return: how many there are.
 */
int pci_irqs(const struct pci_dev *pci, unsigned long *irqs, int max)
{
	struct dirent *de;
	char path[128];
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/msi_irqs", pci->bdf);
	dir = opendir(path);
	while (dir && nr < max && (de = readdir(dir))) {
		if (de->d_name[0] != '.')
			irqs[nr++] = strtoul(de->d_name, NULL, 10);
	}
	if (dir)
		closedir(dir);

	return nr;
}

int irq_set_cpu(unsigned long irq, unsigned int cpu)
{
	char path[64], val[16];

	snprintf(path, sizeof(path), "/proc/irq/%lu/smp_affinity_list", irq);
	snprintf(val, sizeof(val), "%u", cpu);

	return sysfile_write(path, val);
}

int cpu_set_online(unsigned int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online",
		 cpu);

	return sysfile_write(path, online ? "1" : "0");
}

bool cpu_is_online(unsigned int cpu)
{
	char path[64], buf[4];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online",
		 cpu);

	return sysfile_read(path, buf, sizeof(buf)) == 1 && buf[0] == '1';
}

/*
 * LPIs that can be seen to arrive
 *
 * An LPI that is pending shows in a table whose format is the redistributor's own, and
 * which the host may not be allowed to read. One that has arrived shows in an eventfd, if
 * it is a device's that VFIO drives, and any EventID of any DeviceID can be mapped to it.
 */

/**
 * its_find_lpi() - Look up in the queue what an event was mapped to last
 * @its: the ITS
 * @device: DeviceID
 * @event: EventID
 * @lpi: the LPI
 *
 * Return: 0 or -errno; -ENOENT if there is no such command in the queue any more.
 */
int its_find_lpi(struct its *its, u32 device, u32 event, u32 *lpi)
{
	u64 pos, off, w0, w1;
	int ret;

	ret = its_refresh(its);
	if (ret)
		return ret;

	for (pos = 0; pos < its->queue_size; pos += sizeof(struct its_cmd)) {
		off = its->cwriter + its->queue_size - pos - sizeof(struct its_cmd);
		off %= its->queue_size;
		if (phys_read64(its->queue + off, &w0) ||
		    phys_read64(its->queue + off + sizeof(u64), &w1))
			return -EFAULT;

		if ((w0 & 0xff) == GITS_CMD_MAPTI && w0 >> 32 == device &&
		    (u32)w1 == event) {
			*lpi = w1 >> 32;
			return 0;
		}
	}

	return -ENOENT;
}

/**
 * its_lpi_set_prop() - Change the entry of an LPI in the property table
 * @its: the ITS
 * @lpi: one of its_lpis::lpi
 * @prop: LPI_ON or LPI_OFF
 *
 * Return: 0, -errno or an enum fault.
 */
int its_lpi_set_prop(struct its *its, u32 lpi, u8 prop)
{
	struct its_cmd cmds[] = {
		its_cmd_event(GITS_CMD_INV, its->lpis->device,
			      its->lpis->id[lpi % NR_LPIS]),
		its_cmd_sync(its->rdbase),
	};
	int ret;

	ret = phys_write8(its->props + lpi - LPI_FIRST, prop);

	return ret ? ret : its_post(its, cmds, ARRAY_SIZE(cmds));
}

/**
 * its_lpis_open() - Take LPIs of a device, to see them arrive
 * @lpis: filled in
 * @its: the ITS of the device; all LPIs go to its first collection
 *
 * Also finds the queue of the ITS by means of the device. Takes a device that has as many
 * vectors, in a row as the driver allocates them.
 *
 * Return: 0 or -errno.
 */
int its_lpis_open(struct its_lpis *lpis, struct its *its)
{
	unsigned long irqs[NR_LPIS];
	struct pci_dev pci[8];
	int i, nr, ret, events[NR_LPIS];
	u32 lpi;

	nr = vfio_present() ? pci_find(pci, ARRAY_SIZE(pci)) : 0;
	for (i = 0; i < nr && pci[i].edu; i++)
		;
	if (i == nr)
		return -ENODEV;

	lpis->pci = pci[i];
	lpis->device = pci_requester_id(&lpis->pci);
	pci_to_vfio(&lpis->pci, 1);

	ret = vdev_open(&lpis->vdev, &lpis->pci);
	if (ret)
		goto err_driver;

	ret = events_open(events, NR_LPIS);
	if (!ret)
		ret = vdev_vectors(&lpis->vdev, 0, NR_LPIS, events, NR_LPIS);
	if (!ret)
		ret = its_find_staging(its);

	for (i = 0; i < NR_LPIS && !ret; i++) {
		ret = its_find_lpi(its, lpis->device, i, &lpi);
		if (ret)
			break;

		lpis->lpi[lpi % NR_LPIS] = lpi;
		lpis->id[lpi % NR_LPIS] = i;
		lpis->event[lpi % NR_LPIS] = events[i];
	}
	for (i = 0; i < NR_LPIS && !ret; i++) {
		if (!lpis->lpi[i])
			ret = -ERANGE;
	}

	if (!ret && pci_irqs(&lpis->pci, irqs, NR_LPIS) != NR_LPIS)
		ret = -ENOENT;
	for (i = 0; i < NR_LPIS && !ret; i++)
		ret = irq_set_cpu(irqs[i], 0);
	if (ret)
		goto err_close;

	its->lpis = lpis;
	ret = its_lpi_set_prop(its, lpis->lpi[LPI_LAST], LPI_ON_LAST);
	if (!ret)
		return 0;

	its->lpis = NULL;
err_close:
	vdev_close(&lpis->vdev);
err_driver:
	pci_from_vfio(&lpis->pci, 1);

	return ret;
}

void its_lpis_close(struct its *its)
{
	int i;

	its_return(its);
	vdev_close(&its->lpis->vdev);
	pci_from_vfio(&its->lpis->pci, 1);
	for (i = 0; i < NR_LPIS; i++)
		close(its->lpis->event[i]);
	its->lpis = NULL;
}

/* Raise an LPI by the event that VFIO has mapped to it. */
int its_lpi_raise(struct its *its, u32 lpi)
{
	struct its_cmd cmds[] = {
		its_cmd_event(GITS_CMD_INT, its->lpis->device,
			      its->lpis->id[lpi % NR_LPIS]),
		its_cmd_sync(its->rdbase),
	};

	return its_post(its, cmds, ARRAY_SIZE(cmds));
}

/**
 * its_lpi_arrived() - Has an LPI arrived since this was asked last?
 * @its: the ITS
 * @lpi: one of its_lpis::lpi
 *
 * Raises an LPI of a lower priority on the same CPU. When that has arrived, so has
 * everything that was raised before, and that the CPU was to take at all.
 *
 * Return: true if it has, false also if no LPI arrives any more.
 */
bool its_lpi_arrived(struct its *its, u32 lpi)
{
	struct its_lpis *lpis = its->lpis;
	u64 count;

	if (its_lpi_raise(its, lpis->lpi[LPI_LAST]) ||
	    event_wait(lpis->event[LPI_LAST], &count)) {
		ksft_print_msg("no LPI arrives any more\n");
		return false;
	}

	return read(lpis->event[lpi % NR_LPIS], &count, sizeof(count)) == sizeof(count);
}

/*
 * Disks
 */

/**
 * disk_name() - Name of the disk that a PCI device has become
 * @bdf: the device
 * @name: the name
 * @size: size of @name
 * @wait: wait for it
 *
 * Return: 0 or -ENOENT.
 */
int disk_name(const char *bdf, char *name, size_t size, bool wait)
{
	int tries = wait ? DEADLINE_MS / 10 : 1;
	glob_t g;

	/* Drivers probe on their own time, there is nothing to wait on. */
	while (tries--) {
		if (disk_glob(bdf, &g)) {
			snprintf(name, size, "%s",
				 strrchr(g.gl_pathv[0], '/') + 1);
			globfree(&g);
			return 0;
		}
		if (tries)
			poll(NULL, 0, 10);
	}

	return -ENOENT;
}

/**
 * disk_read() - Read from the disk that a PCI device has become
 * @bdf: the device
 *
 * Return: 0 or -errno.
 */
int disk_read(const char *bdf)
{
	static __thread char buf[4096] __aligned(4096);
	char path[64], name[32];
	int fd, i, ret, tries = DEADLINE_MS / 10;

	ret = disk_name(bdf, name, sizeof(name), true);
	if (ret)
		return ret;

	snprintf(path, sizeof(path), "/dev/%s", name);
	/* The name is in sysfs before the disk can be opened, if drivers probe asynchronously. */
	while ((fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC)) < 0) {
		if ((errno != ENXIO && errno != ENOENT) || !--tries)
			return -errno;
		poll(NULL, 0, 10);
	}

	for (i = 0; i < DISK_READS && !ret; i++) {
		if (pread(fd, buf, sizeof(buf), i * sizeof(buf)) !=
		    sizeof(buf))
			ret = -EIO;
	}
	close(fd);

	return ret;
}

/**
 * disk_rebind() - Read from a disk, let it go and come back
 * @bdf: the PCI device
 * @rounds: how often
 *
 * Return: 0 or -errno.
 */
int disk_rebind(const char *bdf, int rounds)
{
	char driver[64];
	int i, ret;

	pci_get_driver(bdf, driver, sizeof(driver));

	ret = disk_read(bdf);
	for (i = 0; i < rounds && !ret; i++) {
		ret = pci_set_driver(bdf, "");
		if (!ret)
			ret = pci_set_driver(bdf, driver);
		if (!ret)
			ret = disk_read(bdf);
	}
	if (ret)
		pci_set_driver(bdf, driver);

	return ret;
}

/**
 * disks_find() - Find the disks that are not in use
 * @pci: filled in
 * @max: size of @pci
 *
 * Return: how many there are.
 */
int disks_find(struct pci_dev *pci, int max)
{
	struct dirent *de;
	char name[32];
	int nr = 0;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	while (dir && nr < max && (de = readdir(dir))) {
		if (strlen(de->d_name) >= sizeof(pci->bdf) ||
		    disk_name(de->d_name, name, sizeof(name), false) ||
		    !disks_idle(de->d_name))
			continue;

		ksft_print_msg("%s, %s\n", de->d_name, name);
		snprintf(pci[nr++].bdf, sizeof(pci->bdf), "%.15s", de->d_name);
	}
	if (dir)
		closedir(dir);

	return nr;
}

/**
 * disks_rebind() - Read from disks, let them go and come back
 * @rounds: how often
 *
 * Takes all that are not in use.
 *
 * Return: how many these are, or -errno.
 */
int disks_rebind(int rounds)
{
	struct pci_dev disks[MAX_DISKS];
	int i, ret, nr = disks_find(disks, MAX_DISKS);

	for (i = 0; i < nr; i++) {
		ret = disk_rebind(disks[i].bdf, rounds);
		if (ret)
			return ret;
	}

	return nr;
}

/*
 * The kernel's log
 */

static bool is_complaint(const char *text)
{
	static const char *const bad[] = {
		"ITS queue timeout", "ITS queue not draining", "ITS cmd ",
		"completion polled", "nobody cared", "failed to quiesce",
		"WARNING: ", "BUG: ", "Unable to handle",
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (strstr(text, bad[i]))
			return true;
	}

	return false;
}

/**
 * log_open() - Open the kernel's log where it ends now
 *
 * Return: file descriptor or -errno.
 */
int log_open(void)
{
	int fd, ret;

	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	if (lseek(fd, 0, SEEK_END) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}

	return fd;
}

/* Prints and counts the new lines that match. Returns their number or -errno. */
static int log_count(int fd, bool (*matches)(const char *line))
{
	char line[8192];
	int nr = 0;
	ssize_t n;

	do {
		n = read(fd, line, sizeof(line) - 1);
		if (n <= 0)
			continue;

		line[n] = '\0';
		if (matches(line)) {
			ksft_print_msg("log: %s", line);
			nr++;
		}
		/* EPIPE: some lines were lost, there are others. */
	} while (n > 0 || (n < 0 && (errno == EPIPE || errno == EINTR)));

	return n < 0 && errno != EAGAIN ? -errno : nr;
}

/**
 * log_complaints() - Look for messages that the kernel must not print during a test
 * @fd: from log_open()
 *
 * Reads what has come since the last time, and prints what is not good.
 *
 * Return: the number of complaints, or -errno.
 */
int log_complaints(int fd)
{
	return log_count(fd, is_complaint);
}

static bool is_suspend_error(const char *line)
{
	return strstr(line, "failed to power down");
}

/**
 * system_suspend() - Suspend the system and wake it up
 *
 * Goes as far as what happens with interrupts off on the last CPU, the ITS driver's part
 * of it, and back: this needs CONFIG_PM_DEBUG.
 *
 * Return: 0, -ENOENT without CONFIG_PM_DEBUG, -EBUSY if a device refuses, or another error.
 */
int system_suspend(void)
{
	int log, ret;

	log = log_open();
	if (log < 0)
		return log;

	/* How long the kernel stays there, in seconds. */
	ret = sysfile_set("/sys/module/hibernate/parameters/pm_test_delay", "0");
	if (!ret)
		ret = sysfile_write("/sys/power/pm_test", "core");
	if (!ret)
		ret = sysfile_write("/sys/power/state", "disk");
	sysfile_write("/sys/power/pm_test", "none");

	/* The kernel loses the errors of what happens with interrupts off. */
	if (!ret && log_count(log, is_suspend_error))
		ret = -EBUSY;
	close(log);

	return ret;
}
