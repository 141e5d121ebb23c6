/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for the tests that play a malicious host against the GICv3 ITS of
 * the machine they run on (not against an emulated one).
 */
#ifndef SELFTEST_KVM_PKVM_ITS_H
#define SELFTEST_KVM_PKVM_ITS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include <linux/types.h>

#include "gic_v3.h"
#include "kselftest.h"

#define PKVM_ITS_DEBUGFS	"/sys/kernel/debug/pkvm_its"
#define PKVM_HOST_DEBUGFS	"/sys/kernel/debug/pkvm_host"

#define ITS_FRAME_SIZE		0x10000
#define ITS_MAX_BATCH		64

#define BIT64(n)		(1ULL << (n))
#define MASK64(h, l)		(((~0ULL) << (l)) & (~0ULL >> (63 - (h))))

enum pkvm_its_mode {
	PKVM_ITS_DIRECT,
	PKVM_ITS_CONFINED,
	PKVM_ITS_FAILED,
};

/**
 * enum fault - what stopped an access
 * @FAULT_NONE: nothing, the access was made
 * @FAULT_STAGE2: the hypervisor refused it
 * @FAULT_ALIGNMENT: the CPU refused it before it reached stage 2
 * @FAULT_EXTERNAL: it left the CPU, and the bus or the device refused it
 * @FAULT_OTHER: anything else
 */
enum fault {
	FAULT_NONE,
	FAULT_STAGE2,
	FAULT_ALIGNMENT,
	FAULT_EXTERNAL,
	FAULT_OTHER,
};

struct its_cmd {
	u64 w[4];
};

/**
 * struct its_table - one of the tables that GITS_BASER<n> describes
 * @reg: value of the register
 * @base: physical address of what the driver writes; 0 if that is not known
 * @hw_base: physical address of what the hardware reads
 * @indirect: whether it has two levels
 * @page_size: size of an ITS page
 * @entry_size: size of an entry (of the second level, if there are two)
 * @per_page: entries in an ITS page
 * @size: size of what @base points to, in bytes
 */
struct its_table {
	u64 reg;
	u64 base;
	u64 hw_base;
	bool indirect;
	u64 page_size;
	u64 entry_size;
	u64 per_page;
	u64 size;
};

/**
 * struct rdist - a redistributor of the host
 * @base: physical address of RD_base
 * @typer: GICR_TYPER
 * @size: size of its frames
 * @regs: its frames, mapped through /dev/mem
 */
struct rdist {
	u64 base;
	u64 typer;
	size_t size;
	void *regs;
};

struct its_lpis;

/**
 * struct its - an ITS of the host
 * @nr: its number
 * @name: its physical address as debugfs spells it
 * @base: the same as a number
 * @queue: physical address of the queue that the driver writes; 0 if that is not known
 * @queue_size: size of that queue in bytes
 * @hw_queue: physical address of the queue that the hardware reads
 * @slots: that queue, mapped through /dev/mem; NULL before its_find_staging()
 * @driver: offset at which the driver puts its next command
 * @cwriter: GITS_CWRITER
 * @pos: offset at which its_queue() puts its next command
 * @taken: @driver and @pos are up to date, unless the driver has posted since
 * @typer: GITS_TYPER
 * @rdbase: target address of the collection of CPU 0
 * @itt_entry_size: size of an interrupt translation entry
 * @table: what GITS_BASER<n> describes
 * @devices: the device table, an element of @table
 * @regs: the control frame, mapped through /dev/mem
 * @nr_lpis: number of interrupt IDs that its LPI tables cover
 * @props: physical address of its LPI property table
 * @lpis: LPIs that its_lpi_arrived() can ask for; NULL before its_lpis_open()
 */
struct its {
	unsigned int nr;
	char name[17];
	u64 base;
	u64 queue;
	u64 queue_size;
	u64 hw_queue;
	void *slots;
	u64 driver;
	u64 cwriter;
	u64 pos;
	bool taken;
	u64 typer;
	u64 rdbase;
	u64 itt_entry_size;
	struct its_table table[GITS_BASER_NR_REGS];
	struct its_table *devices;
	void *regs;
	u64 nr_lpis;
	u64 props;
	struct its_lpis *lpis;
};

/* Environment */
enum pkvm_its_mode pkvm_its_mode(void);
const char *pkvm_its_mode_name(enum pkvm_its_mode mode);
void pkvm_its_setup(void);
ssize_t sysfile_read(const char *path, char *buf, size_t size);
int sysfile_write(const char *path, const char *text);
int sysfile_set(const char *path, const char *text);

/* ITSs */
int its_count(void);
int its_open(struct its *its, int nr);
void its_close(struct its *its);
int its_refresh(struct its *its);
int its_find_staging(struct its *its);
bool its_has_stats(struct its *its);
int its_stat(struct its *its, const char *name, u64 *val);
int its_post(struct its *its, const struct its_cmd *cmds, unsigned int nr);
int its_queue(struct its *its, const struct its_cmd *cmds, unsigned int nr);
int its_sync(struct its *its);
int its_take(struct its *its, unsigned int nr);
int its_return(struct its *its);
struct its_table *its_table(struct its *its, unsigned int type);
u64 its_level2_size(const struct its_table *t);
int its_reserve(struct its *its, struct its_table *t, u32 id);

struct its_cmd its_cmd_mapd(u32 device, unsigned int event_bits, u64 itt,
			    bool valid);
struct its_cmd its_cmd_mapti(u32 device, u32 event, u32 lpi, u16 icid);
struct its_cmd its_cmd_mapc(u16 icid, u64 rdbase, bool valid);
struct its_cmd its_cmd_event(u8 cmd, u32 device, u32 event);
struct its_cmd its_cmd_sync(u64 rdbase);

/* Registers. A write returns 0 or an enum fault. */
u32 its_read32(struct its *its, unsigned int offset);
u64 its_read64(struct its *its, unsigned int offset);
int its_write32(struct its *its, unsigned int offset, u32 val);
int its_write64(struct its *its, unsigned int offset, u64 val);
int its_disable(struct its *its, u32 *ctlr);

int rdist_open(struct rdist *rd, unsigned int nr);
void rdist_close(struct rdist *rd);
u32 rdist_read32(struct rdist *rd, unsigned int offset);
u64 rdist_read64(struct rdist *rd, unsigned int offset);
int rdist_write32(struct rdist *rd, unsigned int offset, u32 val);
int rdist_write64(struct rdist *rd, unsigned int offset, u64 val);

/* Memory */
u64 pages_alloc(unsigned int order);
void *phys_map(u64 pa, size_t size);
void phys_unmap(void *va, size_t size);
int phys_read64(u64 pa, u64 *val);
int phys_write64(u64 pa, u64 val);
int phys_write8(u64 pa, u8 val);
enum fault try_access(void (*fn)(void *addr, void *arg), void *addr,
		      void *arg);
enum fault try_read64(void *addr, u64 *val);
enum fault try_write32(void *addr, u32 val);
enum fault try_write64(void *addr, u64 val);
const char *fault_name(enum fault fault);
unsigned int host_pa_bits(void);
int iomem_find(const char *name, u64 *start, u64 *end);
void phys_setup(void);

/* Devices that send MSIs */
#define MAX_VECTORS		2048

/**
 * struct pci_dev - a device that tests can have
 * @bdf: its name in sysfs
 * @driver: the driver that it had in the beginning
 * @edu: it is QEMU's edu device; otherwise, an NVMe controller
 */
struct pci_dev {
	char bdf[16];
	char driver[64];
	bool edu;
};

/**
 * struct vdev - a device opened through VFIO
 * @pci: the device
 * @index: what VFIO calls its kind of interrupts
 * @container: file descriptor
 * @group: file descriptor
 * @fd: file descriptor
 * @event: an eventfd, for any use
 * @bar_off: where BAR 0 is
 * @config_off: where the configuration space is
 */
struct vdev {
	const struct pci_dev *pci;
	unsigned int index;
	int container;
	int group;
	int fd;
	int event;
	u64 bar_off;
	u64 config_off;
};

int pci_find(struct pci_dev *pci, int max);
u32 pci_requester_id(const struct pci_dev *pci);
bool pci_conventional_bridge(const struct pci_dev *pci, char *bdf, size_t size);
void pci_get_driver(const char *bdf, char *name, size_t size);
int pci_set_driver(const char *bdf, const char *driver);
bool vfio_present(void);
void pci_to_vfio(struct pci_dev *pci, int nr);
void pci_from_vfio(struct pci_dev *pci, int nr);

int vdev_open(struct vdev *v, const struct pci_dev *pci);
void vdev_close(struct vdev *v);
int vdev_nr_vectors(struct vdev *v);
int vdev_vectors(struct vdev *v, unsigned int start, unsigned int nr,
		 const int *events, unsigned int nr_events);
int events_open(int *events, unsigned int nr);
int event_wait(int event, u64 *count);
int edu_raise(struct vdev *v);
int edu_ack(struct vdev *v);

#define NR_LPIS			8
#define LPI_FIRST		8192

/* An entry of the property table: an interrupt of the driver's usual priority */
#define LPI_ON			0xa3
#define LPI_OFF			0xa2

/*
 * And an interrupt that waits until all others are done. Eight of these in a row
 * are what a page of a protected VM has instead, see PVM_PATTERN.
 */
#define LPI_LAST		6
#define LPI_ON_LAST		0xc3

/**
 * struct its_lpis - LPIs that can be seen to arrive
 * @pci: the device that they belong to
 * @vdev: the device opened
 * @device: its DeviceID
 * @lpi: the INTIDs
 * @id: EventIDs that VFIO has mapped to them
 * @event: eventfds that count them
 *
 * INTID n is at n % NR_LPIS of each. The one at %LPI_LAST is for its_lpi_arrived() itself.
 */
struct its_lpis {
	struct pci_dev pci;
	struct vdev vdev;
	u32 device;
	u32 lpi[NR_LPIS];
	u32 id[NR_LPIS];
	int event[NR_LPIS];
};

int its_find_lpi(struct its *its, u32 device, u32 event, u32 *lpi);
int its_lpis_open(struct its_lpis *lpis, struct its *its);
void its_lpis_close(struct its *its);
int its_lpi_set_prop(struct its *its, u32 lpi, u8 prop);
int its_lpi_raise(struct its *its, u32 lpi);
bool its_lpi_arrived(struct its *its, u32 lpi);

int pci_irqs(const struct pci_dev *pci, unsigned long *irqs, int max);
int irq_set_cpu(unsigned long irq, unsigned int cpu);
bool cpu_is_online(unsigned int cpu);
int cpu_set_online(unsigned int cpu, bool online);
int system_suspend(void);

int disk_name(const char *bdf, char *name, size_t size, bool wait);
int disks_find(struct pci_dev *pci, int max);
int disk_read(const char *bdf);
int disk_rebind(const char *bdf, int rounds);
int disks_rebind(int rounds);

int log_open(void);
int log_complaints(int fd);

/**
 * struct pvm - a protected VM that keeps checking one page of its memory
 * @vm: file descriptor
 * @vcpu: file descriptor
 * @run: what the kernel shares of the vCPU
 * @run_size: its size
 * @mem: where the memory of the guest is mapped
 * @mem_size: its size
 * @victim_gpa: the page that the guest checks
 * @victim_pa: its physical address
 */
struct pvm {
	int vm;
	int vcpu;
	void *run;
	size_t run_size;
	void *mem;
	size_t mem_size;
	u64 victim_gpa;
	u64 victim_pa;
};

#define PVM_PATTERN		0xa5c35a3c96f00f69ULL

/* What the guest runs; for pvm_create(). */
extern const char pvm_code[], pvm_code_end[];

typedef bool (*pvm_page_ok)(u64 pa, void *arg);

int pvm_probe(bool protected);
int pvm_create(struct pvm *pvm, pvm_page_ok ok, void *arg);
int pvm_create_at(struct pvm *pvm, u64 victim_pa);
int pvm_check(struct pvm *pvm, u64 *seen);
void pvm_destroy(struct pvm *pvm);

/*
 * Results of tests that return 0, -errno or 1 for a skip. In the header, as each
 * file that includes kselftest.h has counters of its own.
 */
extern const char *skip_reason;

#define SKIP(reason)	({ skip_reason = (reason); 1; })

static inline void report(const char *name, int ret)
{
	if (ret > 0) {
		ksft_test_result_skip("%s: %s\n", name, skip_reason);
		return;
	}

	if (ret)
		ksft_print_msg("%s: %s\n", name, strerror(-ret));
	ksft_test_result(!ret, "%s\n", name);
}

#endif /* SELFTEST_KVM_PKVM_ITS_H */
