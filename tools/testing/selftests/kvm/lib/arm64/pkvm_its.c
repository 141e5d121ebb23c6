// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers for the tests that play a malicious host against the GICv3 ITS of
 * the machine they run on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/compiler.h>
#include <linux/kvm.h>

#include "gic_v3.h"
#include "kselftest.h"
#include "pkvm_its.h"

#define PVM_BASE		0x80000000ULL
#define PVM_MMIO		0x40000000ULL
#define PVM_PAGES		256

/* Bounds a wait for something that takes no time on any working machine. */
#define POLL_LIMIT		1000000

#define MAX_SETTINGS		16

const char *skip_reason;

static __thread sigjmp_buf fault_env;
static __thread sig_atomic_t fault_armed;

/*
 * The kernel derives signal and code from the syndrome. The tests map everything for
 * reading and writing, so SEGV_ACCERR can only be a fault of stage 2.
 */
static enum fault fault_from_siginfo(const siginfo_t *info)
{
	if (info->si_signo == SIGSEGV && info->si_code == SEGV_ACCERR)
		return FAULT_STAGE2;
	if (info->si_signo == SIGBUS && info->si_code == BUS_ADRALN)
		return FAULT_ALIGNMENT;
	if (info->si_signo == SIGBUS && info->si_code == BUS_OBJERR)
		return FAULT_EXTERNAL;

	return FAULT_OTHER;
}

static void fault_handler(int sig, siginfo_t *info, void *context)
{
	if (READ_ONCE(fault_armed)) {
		WRITE_ONCE(fault_armed, 0);
		siglongjmp(fault_env, fault_from_siginfo(info));
	}

	signal(sig, SIG_DFL);
	raise(sig);
}

/**
 * pkvm_its_setup() - Prepare the process for what the tests do
 *
 * Mounts debugfs where that has not been done, catches the signals that an
 * access to somebody else's memory gives, and locks the program into memory: an
 * ITS that is disabled for a moment loses the interrupts of the disk or network
 * device that a page of it would have to come from.
 */
void pkvm_its_setup(void)
{
	struct sigaction sa = {
		.sa_sigaction	= fault_handler,
		.sa_flags	= SA_SIGINFO,
	};
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };

	if (access("/sys/kernel/debug/kvm", F_OK) &&
	    mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL) &&
	    errno != EBUSY)
		ksft_exit_skip("no debugfs: %s\n", strerror(errno));

	if (setrlimit(RLIMIT_MEMLOCK, &lim))
		ksft_exit_skip("RLIMIT_MEMLOCK: %s\n", strerror(errno));

	if (mlockall(MCL_CURRENT))
		ksft_exit_skip("mlockall: %s\n", strerror(errno));

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/**
 * sysfile_read() - Read a short file
 * @path: the file
 * @buf: where to; always terminated if this succeeds
 * @size: size of @buf
 *
 * Return: the number of characters, without the last newline, or -errno.
 */
ssize_t sysfile_read(const char *path, char *buf, size_t size)
{
	ssize_t n, len = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	if (n < 0)
		len = -errno;
	close(fd);

	if (len < 0)
		return len;

	while (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';

	return len;
}

/**
 * sysfile_write() - Write a string to a file in one go
 * @path: the file
 * @text: the string
 *
 * Return: 0 or -errno.
 */
int sysfile_write(const char *path, const char *text)
{
	ssize_t n;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);

	return n;
}

static struct setting {
	char path[128];
	char was[32];
} settings[MAX_SETTINGS];
static int nr_settings;

static void settings_restore(void)
{
	while (nr_settings--)
		sysfile_write(settings[nr_settings].path,
			      settings[nr_settings].was);
}

/**
 * sysfile_set() - Change a setting of the machine until the program ends
 * @path: the file, which reads like what can be written to it
 * @text: what to write
 *
 * Return: 0 or -errno.
 */
int sysfile_set(const char *path, const char *text)
{
	struct setting *s;
	ssize_t ret;

	for (s = settings; s < settings + nr_settings; s++) {
		if (!strcmp(s->path, path))
			return sysfile_write(path, text);
	}
	if (nr_settings == MAX_SETTINGS)
		return -ENOSPC;

	ret = sysfile_read(path, s->was, sizeof(s->was));
	if (ret < 0)
		return ret;

	snprintf(s->path, sizeof(s->path), "%s", path);
	if (!nr_settings++)
		atexit(settings_restore);

	return sysfile_write(path, text);
}

/**
 * pkvm_its_mode() - What the kernel says it did with the ITSs
 *
 * A kernel that says nothing knows nothing of confinement.
 *
 * Return: the mode.
 */
enum pkvm_its_mode pkvm_its_mode(void)
{
	char buf[32];

	if (sysfile_read(PKVM_ITS_DEBUGFS "/state", buf, sizeof(buf)) < 0)
		return PKVM_ITS_DIRECT;
	if (!strcmp(buf, "confined"))
		return PKVM_ITS_CONFINED;
	if (!strcmp(buf, "off"))
		return PKVM_ITS_DIRECT;

	return PKVM_ITS_FAILED;
}

const char *pkvm_its_mode_name(enum pkvm_its_mode mode)
{
	switch (mode) {
	case PKVM_ITS_DIRECT:
		return "direct";
	case PKVM_ITS_CONFINED:
		return "protected";
	default:
		return "failed";
	}
}

/*
 * Memory
 */

void *phys_map(u64 pa, size_t size)
{
	u64 start = pa & ~((u64)getpagesize() - 1);
	void *va;
	int fd;

	fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return NULL;

	va = mmap(NULL, size + (pa - start), PROT_READ | PROT_WRITE, MAP_SHARED,
		  fd, start);
	close(fd);

	return va == MAP_FAILED ? NULL : va + (pa - start);
}

void phys_unmap(void *va, size_t size)
{
	unsigned long off = (unsigned long)va & (getpagesize() - 1);

	munmap((void *)va - off, size + off);
}

/**
 * try_access() - Make an access that may be refused
 * @fn: makes it
 * @addr: passed to @fn
 * @arg: passed to @fn
 *
 * Return: FAULT_NONE (0), or what stopped the access.
 */
enum fault try_access(void (*fn)(void *addr, void *arg), void *addr,
		      void *arg)
{
	enum fault fault;

	fault = sigsetjmp(fault_env, 1);
	if (!fault) {
		WRITE_ONCE(fault_armed, 1);
		fn(addr, arg);
		WRITE_ONCE(fault_armed, 0);
	}

	return fault;
}

/**
 * fault_name() - Describe a fault in a message
 * @fault: the fault
 */
const char *fault_name(enum fault fault)
{
	switch (fault) {
	case FAULT_NONE:
		return "no fault";
	case FAULT_STAGE2:
		return "a stage-2 fault";
	case FAULT_ALIGNMENT:
		return "an alignment fault of the CPU";
	case FAULT_EXTERNAL:
		return "an external abort";
	case FAULT_OTHER:
		break;
	}

	return "another fault";
}

static void do_read64(void *addr, void *arg)
{
	u64 val;

	asm volatile("ldr	%0, [%1]\n"
		     "dsb	sy"
		     : "=r" (val) : "r" (addr) : "memory");
	*(u64 *)arg = val;
}

static void do_write64(void *addr, void *arg)
{
	asm volatile("str	%0, [%1]\n"
		     "dsb	sy"
		     : : "r" (*(u64 *)arg), "r" (addr) : "memory");
}

static void do_write32(void *addr, void *arg)
{
	asm volatile("str	%w0, [%1]\n"
		     "dsb	sy"
		     : : "r" (*(u32 *)arg), "r" (addr) : "memory");
}

static void do_write8(void *addr, void *arg)
{
	asm volatile("strb	%w0, [%1]\n"
		     "dsb	sy"
		     : : "r" (*(u8 *)arg), "r" (addr) : "memory");
}

enum fault try_read64(void *addr, u64 *val)
{
	return try_access(do_read64, addr, val);
}

enum fault try_write64(void *addr, u64 val)
{
	return try_access(do_write64, addr, &val);
}

enum fault try_write32(void *addr, u32 val)
{
	return try_access(do_write32, addr, &val);
}

int phys_read64(u64 pa, u64 *val)
{
	void *va = phys_map(pa, sizeof(*val));
	int ret;

	if (!va)
		return -errno;

	ret = try_read64(va, val);
	phys_unmap(va, sizeof(*val));

	return ret;
}

int phys_write64(u64 pa, u64 val)
{
	void *va = phys_map(pa, sizeof(val));
	int ret;

	if (!va)
		return -errno;

	ret = try_write64(va, val);
	phys_unmap(va, sizeof(val));

	return ret;
}

int phys_write8(u64 pa, u8 val)
{
	void *va = phys_map(pa, sizeof(val));
	int ret;

	if (!va)
		return -errno;

	ret = try_access(do_write8, va, &val);
	phys_unmap(va, sizeof(val));

	return ret;
}

/**
 * iomem_find() - Look a resource up in /proc/iomem
 * @name: its name
 * @start: first address
 * @end: last address
 *
 * Return: 0 or -ENOENT.
 */
int iomem_find(const char *name, u64 *start, u64 *end)
{
	unsigned long long s, e;
	char line[256], res[128];
	int ret = -ENOENT;
	FILE *f;

	f = fopen("/proc/iomem", "re");
	if (!f)
		return -errno;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %llx-%llx : %127[^\n]", &s, &e, res) != 3 ||
		    strcmp(res, name))
			continue;

		*start = s;
		*end = e;
		ret = 0;
		break;
	}
	fclose(f);

	return ret;
}

/**
 * phys_setup() - Make sure that the program can get at physical memory
 *
 * Where it can't, for example because of CONFIG_STRICT_DEVMEM, that is no fault of
 * what is to be tested: the program is skipped.
 */
void phys_setup(void)
{
	/* Memory, and registers that a driver has claimed */
	static const char *const what[] = { "System RAM", "GICR" };
	u64 start, end;
	void *va;
	int i;

	if (access("/dev/mem", R_OK | W_OK))
		ksft_exit_skip("/dev/mem: %s\n", strerror(errno));

	for (i = 0; i < ARRAY_SIZE(what); i++) {
		if (iomem_find(what[i], &start, &end))
			ksft_exit_skip("no %s in /proc/iomem\n", what[i]);

		va = phys_map(start, getpagesize());
		if (!va)
			ksft_exit_skip("/dev/mem can't map %s: %s\n", what[i],
				       strerror(errno));
		phys_unmap(va, getpagesize());
	}
}

/**
 * host_pa_bits() - Size of the physical address space
 *
 * Accesses beyond it are answered with SIGKILL.
 *
 * Return: the number of bits.
 */
unsigned int host_pa_bits(void)
{
	int kvm, bits;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return 32;

	bits = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);
	close(kvm);

	return bits > 32 ? bits : 32;
}

/*
 * ITSs
 */

static int its_path(char *buf, size_t size, struct its *its, const char *file)
{
	return snprintf(buf, size, ITS_INJECT_DEBUGFS "/%s/%s", its->name, file);
}

static int its_dir(int nr, char *name, size_t size)
{
	struct dirent *de;
	int count = 0;
	DIR *dir;

	dir = opendir(ITS_INJECT_DEBUGFS);
	if (!dir)
		return -errno;

	while ((de = readdir(dir))) {
		if (strlen(de->d_name) != 16)
			continue;
		if (count == nr)
			snprintf(name, size, "%s", de->d_name);
		count++;
	}
	closedir(dir);

	return count;
}

/**
 * its_count() - How many ITSs can be attacked
 *
 * Return: their number, or -errno when the kernel lacks the injection interface.
 */
int its_count(void)
{
	return its_dir(-1, NULL, 0);
}

static int info_get(const char *info, const char *name, u64 *val)
{
	size_t len = strlen(name);
	const char *line;

	for (line = info; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, len) || line[len] != ' ')
			continue;

		*val = strtoull(line + len + 1, NULL, 0);
		return 0;
	}

	return -ENOENT;
}

static void its_parse_table(struct its_table *t, u64 order)
{
	static const u64 page_sizes[] = { 0x1000, 0x4000, 0x10000, 0x10000 };

	t->indirect = t->reg & GITS_BASER_INDIRECT;
	t->page_size = page_sizes[(t->reg >> 8) & 3];
	t->entry_size = GITS_BASER_ENTRY_SIZE(t->reg);
	t->per_page = t->page_size / t->entry_size;
	t->size = (u64)getpagesize() << order;

	t->hw_base = t->reg & MASK64(47, 12);
	if (t->page_size == 0x10000)
		t->hw_base = (t->reg & MASK64(47, 16)) |
			     ((t->reg & MASK64(15, 12)) << 36);
}

/**
 * its_refresh() - Read again what the kernel says about an ITS
 * @its: the ITS
 *
 * Return: 0 or -errno.
 */
int its_refresh(struct its *its)
{
	char path[128], name[32], info[4096];
	struct its_table *t;
	u64 val, order;
	ssize_t len;
	int i;

	its_path(path, sizeof(path), its, "info");
	len = sysfile_read(path, info, sizeof(info));
	if (len < 0)
		return len;

	if (info_get(info, "base", &its->base) ||
	    info_get(info, "queue", &its->queue) ||
	    info_get(info, "queue_size", &its->queue_size) ||
	    info_get(info, "committed_queue", &its->hw_queue) ||
	    info_get(info, "cwriter", &its->cwriter) ||
	    info_get(info, "typer", &its->typer) ||
	    info_get(info, "rdbase", &its->rdbase) ||
	    info_get(info, "itt_entry_size", &its->itt_entry_size))
		return -EINVAL;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		t = &its->table[i];

		snprintf(name, sizeof(name), "baser%d", i);
		if (info_get(info, name, &val))
			return -EINVAL;
		t->reg = val;

		snprintf(name, sizeof(name), "baser%d_base", i);
		if (info_get(info, name, &t->base))
			return -EINVAL;

		snprintf(name, sizeof(name), "baser%d_order", i);
		if (info_get(info, name, &order))
			return -EINVAL;

		its_parse_table(t, order);
	}
	its->devices = its_table(its, GITS_BASER_TYPE_DEVICE);

	return its->devices ? 0 : -ENODEV;
}

/**
 * rdist_open() - Get at a redistributor of the host
 * @rd: filled in
 * @nr: which one, in the order of their addresses
 *
 * Return: 0 or -errno; -ENOENT if there are not that many.
 */
int rdist_open(struct rdist *rd, unsigned int nr)
{
	bool last = false;
	u64 start, end;

	if (iomem_find("GICR", &start, &end))
		return -ENOENT;

	for (rd->base = start; !last; rd->base += rd->size) {
		rd->size = 2 * ITS_FRAME_SIZE;
		rd->regs = phys_map(rd->base, rd->size);
		if (!rd->regs)
			return -errno;

		rd->typer = rdist_read64(rd, GICR_TYPER);
		if (rd->typer & GICR_TYPER_VLPIS) {
			phys_unmap(rd->regs, rd->size);
			rd->size = 4 * ITS_FRAME_SIZE;
			rd->regs = phys_map(rd->base, rd->size);
			if (!rd->regs)
				return -errno;
		}
		if (!nr--)
			return 0;

		last = rd->typer & GICR_TYPER_LAST;
		rdist_close(rd);
	}

	return -ENOENT;
}

void rdist_close(struct rdist *rd)
{
	phys_unmap(rd->regs, rd->size);
	rd->regs = NULL;
}

/* Is this the redistributor that an ITS calls @rdbase? */
bool rdist_is_at(struct rdist *rd, struct its *its, u64 rdbase)
{
	if (its->typer & GITS_TYPER_PTA)
		return rdbase == rd->base;

	return rdbase >> 16 == GICR_TYPER_CPU_NUMBER(rd->typer);
}

static int its_find_rdist(struct its *its)
{
	struct rdist rd;
	u64 propbaser;
	bool found;
	int ret;

	do {
		ret = rdist_open(&rd, its->rdist);
		if (ret)
			return ret;

		found = rdist_is_at(&rd, its, its->rdbase);
		propbaser = rdist_read64(&rd, GICR_PROPBASER);
		rdist_close(&rd);
		if (!found)
			its->rdist++;
	} while (!found);

	its->nr_lpis = 1ULL << ((propbaser & GICR_PROPBASER_IDBITS_MASK) + 1);
	its->props = propbaser & MASK64(51, 12);

	return 0;
}

/**
 * its_open() - Get at an ITS of the host
 * @its: filled in
 * @nr: which one
 *
 * Return: 0 or -errno.
 */
int its_open(struct its *its, int nr)
{
	int ret;

	memset(its, 0, sizeof(*its));

	ret = its_dir(nr, its->name, sizeof(its->name));
	if (ret < 0)
		return ret;
	if (nr >= ret)
		return -ENOENT;

	ret = its_refresh(its);
	if (ret)
		return ret;

	its->regs = phys_map(its->base, ITS_FRAME_SIZE);
	if (!its->regs)
		return -errno;

	return its_find_rdist(its);
}

void its_close(struct its *its)
{
	if (its->regs)
		phys_unmap(its->regs, ITS_FRAME_SIZE);
	its->regs = NULL;
}

bool its_has_stats(struct its *its)
{
	char path[128];

	snprintf(path, sizeof(path), PKVM_ITS_DEBUGFS "/%s/stats", its->name);

	return !access(path, R_OK);
}

/**
 * its_stat() - Read one of the statistics of a confined ITS
 * @its: the ITS
 * @name: which one
 * @val: the value; 0 if this fails
 *
 * Return: 0 or -errno.
 */
int its_stat(struct its *its, const char *name, u64 *val)
{
	char path[128], buf[4096];
	ssize_t len;

	*val = 0;
	snprintf(path, sizeof(path), PKVM_ITS_DEBUGFS "/%s/stats", its->name);
	len = sysfile_read(path, buf, sizeof(buf));
	if (len < 0)
		return len;

	return info_get(buf, name, val);
}

static int its_inject(struct its *its, const char *file, const void *buf,
		      size_t len)
{
	char path[128];
	ssize_t n;
	int fd;

	its_path(path, sizeof(path), its, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	n = write(fd, buf, len);
	n = n < 0 ? -errno : 0;
	close(fd);

	return n;
}

/**
 * its_post() - Queue commands and wait for the ITS to have read them
 * @its: the ITS
 * @cmds: the commands
 * @nr: how many, at most ITS_MAX_BATCH
 *
 * Return: 0 or -errno; -ETIMEDOUT if the ITS did not read them.
 */
int its_post(struct its *its, const struct its_cmd *cmds, unsigned int nr)
{
	return its_inject(its, "command", cmds, nr * sizeof(*cmds));
}

/* The same for an ITS that is disabled. */
int its_queue(struct its *its, const struct its_cmd *cmds, unsigned int nr)
{
	return its_inject(its, "queue", cmds, nr * sizeof(*cmds));
}

int its_sync(struct its *its)
{
	return its_inject(its, "sync", "1", 1);
}

/**
 * its_alloc_pages() - Get zeroed pages of the kernel, for good
 * @its: the ITS
 * @order: how many, as a power of two
 *
 * Return: the physical address, or 0.
 */
u64 its_alloc_pages(struct its *its, unsigned int order)
{
	char path[128], buf[32];
	u64 pa = 0;
	ssize_t n;
	int fd;

	its_path(path, sizeof(path), its, "page");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;

	n = snprintf(buf, sizeof(buf), "%u", order);
	if (pwrite(fd, buf, n, 0) == n) {
		n = pread(fd, buf, sizeof(buf) - 1, 0);
		if (n > 0) {
			buf[n] = '\0';
			pa = strtoull(buf, NULL, 0);
		}
	}
	close(fd);

	return pa;
}

/**
 * its_table() - Find a table
 * @its: the ITS
 * @type: what it is for, as in GITS_BASER<n>.Type
 *
 * Return: the table, or NULL if the ITS has none of this type.
 */
struct its_table *its_table(struct its *its, unsigned int type)
{
	struct its_table *t;

	for (t = its->table; t < its->table + GITS_BASER_NR_REGS; t++) {
		if ((t->reg & GITS_BASER_VALID) && GITS_BASER_TYPE(t->reg) == type)
			return t;
	}

	return NULL;
}

/**
 * its_level2_size() - Size of the memory that the driver allocates for a level-2 page
 * @t: the table
 *
 * EL2 keeps a pointer for each DeviceID behind the page.
 *
 * Return: bytes.
 */
u64 its_level2_size(const struct its_table *t)
{
	return t->page_size + t->per_page * sizeof(u64);
}

/**
 * its_reserve() - Make sure that there is memory for an entry of a table
 * @its: the ITS
 * @t: the table
 * @id: the entry, a DeviceID for instance
 *
 * Does what the driver would do before it maps a device.
 *
 * Return: 0 or -errno.
 */
int its_reserve(struct its *its, struct its_table *t, u32 id)
{
	unsigned int order = 0;
	u64 slot, entry, pa;

	if (!t->indirect)
		return 0;

	slot = t->base + id / t->per_page * sizeof(u64);
	if (phys_read64(slot, &entry))
		return -EFAULT;
	if (entry & GITS_BASER_VALID)
		return 0;

	while ((u64)getpagesize() << order < its_level2_size(t))
		order++;
	pa = its_alloc_pages(its, order);
	if (!pa)
		return -ENOMEM;

	return phys_write64(slot, pa | GITS_BASER_VALID) ? -EFAULT : 0;
}

struct its_cmd its_cmd_mapd(u32 device, unsigned int event_bits, u64 itt,
			    bool valid)
{
	return (struct its_cmd) { {
		GITS_CMD_MAPD | (u64)device << 32,
		event_bits - 1,
		(itt & MASK64(51, 8)) | (valid ? BIT64(63) : 0),
	} };
}

struct its_cmd its_cmd_mapti(u32 device, u32 event, u32 lpi, u16 icid)
{
	return (struct its_cmd) { {
		GITS_CMD_MAPTI | (u64)device << 32,
		event | (u64)lpi << 32,
		icid,
	} };
}

struct its_cmd its_cmd_mapc(u16 icid, u64 rdbase, bool valid)
{
	return (struct its_cmd) { {
		GITS_CMD_MAPC,
		0,
		(rdbase & MASK64(51, 16)) | icid | (valid ? BIT64(63) : 0),
	} };
}

struct its_cmd its_cmd_event(u8 cmd, u32 device, u32 event)
{
	return (struct its_cmd) { { cmd | (u64)device << 32, event } };
}

struct its_cmd its_cmd_sync(u64 rdbase)
{
	return (struct its_cmd) { {
		GITS_CMD_SYNC, 0, rdbase & MASK64(51, 16)
	} };
}

u32 its_read32(struct its *its, unsigned int offset)
{
	return READ_ONCE(*(u32 *)(its->regs + offset));
}

u64 its_read64(struct its *its, unsigned int offset)
{
	return READ_ONCE(*(u64 *)(its->regs + offset));
}

int its_write32(struct its *its, unsigned int offset, u32 val)
{
	return try_write32(its->regs + offset, val);
}

int its_write64(struct its *its, unsigned int offset, u64 val)
{
	return try_write64(its->regs + offset, val);
}

/**
 * its_disable() - Disable an ITS and wait for it to be quiescent
 * @its: the ITS
 * @ctlr: what GITS_CTLR was before
 *
 * Return: 0, an enum fault, or -ETIMEDOUT; then it is as it was before.
 */
int its_disable(struct its *its, u32 *ctlr)
{
	int i, ret;

	*ctlr = its_read32(its, GITS_CTLR);
	ret = its_write32(its, GITS_CTLR, *ctlr & ~GITS_CTLR_ENABLE);
	if (ret)
		return ret;

	for (i = 0; i < POLL_LIMIT; i++) {
		if (its_read32(its, GITS_CTLR) & GITS_CTLR_QUIESCENT)
			return 0;
	}
	its_write32(its, GITS_CTLR, *ctlr);

	return -ETIMEDOUT;
}

u32 rdist_read32(struct rdist *rd, unsigned int offset)
{
	return READ_ONCE(*(u32 *)(rd->regs + offset));
}

u64 rdist_read64(struct rdist *rd, unsigned int offset)
{
	return READ_ONCE(*(u64 *)(rd->regs + offset));
}

int rdist_write32(struct rdist *rd, unsigned int offset, u32 val)
{
	return try_write32(rd->regs + offset, val);
}

int rdist_write64(struct rdist *rd, unsigned int offset, u64 val)
{
	return try_write64(rd->regs + offset, val);
}

/*
 * Protected VMs
 */

/*
 * x0: the page, x1: device, x2: pattern, x3: size of the page. Stores to the
 * device are the reports: offset 0 when the page has been filled, offset 8 with
 * what is in it, each time that all of it has been read.
 */
asm("	.pushsection .rodata\n"
	"	.balign	4\n"
	"	.globl	pvm_code\n"
	"	.globl	pvm_code_end\n"
	"pvm_code:\n"
	"	mov	x4, x0\n"
	"	add	x5, x0, x3\n"
	"1:	str	x2, [x4], #8\n"
	"	cmp	x4, x5\n"
	"	b.lo	1b\n"
	"	dsb	sy\n"
	"	str	x2, [x1]\n"
	"2:	mov	x4, x0\n"
	"3:	ldr	x7, [x4], #8\n"
	"	cmp	x7, x2\n"
	"	b.ne	4f\n"
	"	cmp	x4, x5\n"
	"	b.lo	3b\n"
	"4:	str	x7, [x1, #8]\n"
	"	b	2b\n"
	"pvm_code_end:\n"
	"	.popsection\n");

/**
 * pvm_probe() - Try to create a VM
 * @protected: of which type
 *
 * Return: 0 or -errno.
 */
int pvm_probe(bool protected)
{
	int kvm, vm, ret;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -errno;

	vm = ioctl(kvm, KVM_CREATE_VM,
		   protected ? KVM_VM_TYPE_ARM_PROTECTED | 40UL : 40UL);
	ret = vm < 0 ? -errno : 0;
	if (vm >= 0)
		close(vm);
	close(kvm);

	return ret;
}

static int va_to_pa(void *va, u64 *pa)
{
	u64 ent, vpn = (unsigned long)va / getpagesize();
	ssize_t n;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	n = pread(fd, &ent, sizeof(ent), vpn * sizeof(ent));
	close(fd);
	if (n != sizeof(ent) || !(ent & BIT64(63)) || !(ent & MASK64(54, 0)))
		return -EIO;

	*pa = (ent & MASK64(54, 0)) * getpagesize() +
	      (unsigned long)va % getpagesize();

	return 0;
}

static int vcpu_set(struct pvm *pvm, u64 id, u64 val)
{
	struct kvm_one_reg reg = {
		.id	= KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | id,
		.addr	= (unsigned long)&val,
	};

	return ioctl(pvm->vcpu, KVM_SET_ONE_REG, &reg) ? -errno : 0;
}

#define CORE_REG(r)	(offsetof(struct kvm_regs, r) / sizeof(u32))

static int pvm_init_vcpu(struct pvm *pvm, int kvm)
{
	struct kvm_vcpu_init init;
	int ret;

	pvm->vcpu = ioctl(pvm->vm, KVM_CREATE_VCPU, 0);
	if (pvm->vcpu < 0)
		return -errno;

	memset(&init, 0, sizeof(init));
	if (ioctl(pvm->vm, KVM_ARM_PREFERRED_TARGET, &init))
		return -errno;
	init.features[0] |= 1U << KVM_ARM_VCPU_PSCI_0_2;
	if (ioctl(pvm->vcpu, KVM_ARM_VCPU_INIT, &init))
		return -errno;

	pvm->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	pvm->run = mmap(NULL, pvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			pvm->vcpu, 0);
	if (pvm->run == MAP_FAILED) {
		pvm->run = NULL;
		return -errno;
	}

	ret = vcpu_set(pvm, CORE_REG(regs.pc), PVM_BASE);
	if (!ret)
		ret = vcpu_set(pvm, CORE_REG(regs.regs[0]), pvm->victim_gpa);
	if (!ret)
		ret = vcpu_set(pvm, CORE_REG(regs.regs[1]), PVM_MMIO);
	if (!ret)
		ret = vcpu_set(pvm, CORE_REG(regs.regs[2]), PVM_PATTERN);
	if (!ret)
		ret = vcpu_set(pvm, CORE_REG(regs.regs[3]), getpagesize());

	return ret;
}

static int pvm_find_page(struct pvm *pvm, pvm_page_ok ok, void *arg, bool behind_spare)
{
	u64 pa = 0, last;
	size_t off;
	int ret;

	for (off = getpagesize(); off < pvm->mem_size; off += getpagesize()) {
		last = pa;
		ret = va_to_pa(pvm->mem + off, &pa);
		if (ret)
			return ret;

		if (behind_spare && pa != last + getpagesize())
			continue;

		if (!ok || ok(pa, arg)) {
			pvm->victim_gpa = PVM_BASE + off;
			pvm->victim_pa = pa;
			return 0;
		}
	}

	return -ENOMEM;
}

/*
 * The first page is the guest's code. The guest does not touch any other but the
 * victim. One that lies behind such a page, if there is one: then it is the host
 * that owns what comes before the victim.
 */
static int pvm_pick_victim(struct pvm *pvm, pvm_page_ok ok, void *arg)
{
	int ret = pvm_find_page(pvm, ok, arg, true);

	return ret == -ENOMEM ? pvm_find_page(pvm, ok, arg, false) : ret;
}

/* Runs the vCPU up to the next report. */
static int pvm_run(struct pvm *pvm, u64 *addr, u64 *val)
{
	struct kvm_run *run = pvm->run;

	while (ioctl(pvm->vcpu, KVM_RUN, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}

	if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write ||
	    run->mmio.len != sizeof(*val))
		return -EPROTO;

	*addr = run->mmio.phys_addr;
	memcpy(val, run->mmio.data, sizeof(*val));

	return 0;
}

/* The last page of the memory becomes the one at a physical address. */
static int pvm_map_victim(struct pvm *pvm, u64 pa)
{
	void *va = pvm->mem + pvm->mem_size - getpagesize();
	int fd, ret = 0;

	fd = open(ITS_INJECT_DEBUGFS "/map", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	if (mmap(va, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 pa) == MAP_FAILED)
		ret = -errno;
	close(fd);

	pvm->victim_gpa = PVM_BASE + pvm->mem_size - getpagesize();
	pvm->victim_pa = pa;

	return ret;
}

static int pvm_do_create(struct pvm *pvm, pvm_page_ok ok, void *arg, u64 victim_pa)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = PVM_BASE,
	};
	u64 addr, val;
	int kvm, ret;

	memset(pvm, 0, sizeof(*pvm));
	pvm->vm = -1;
	pvm->vcpu = -1;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -errno;

	pvm->vm = ioctl(kvm, KVM_CREATE_VM, KVM_VM_TYPE_ARM_PROTECTED | 40UL);
	if (pvm->vm < 0) {
		ret = -errno;
		goto err;
	}

	pvm->mem_size = (size_t)PVM_PAGES * getpagesize();
	pvm->mem = mmap(NULL, pvm->mem_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (pvm->mem == MAP_FAILED) {
		pvm->mem = NULL;
		ret = -errno;
		goto err;
	}
	memcpy(pvm->mem, pvm_code, pvm_code_end - pvm_code);
	__builtin___clear_cache(pvm->mem, pvm->mem + (pvm_code_end - pvm_code));

	if (victim_pa)
		ret = pvm_map_victim(pvm, victim_pa);
	else
		ret = pvm_pick_victim(pvm, ok, arg);
	if (ret)
		goto err;

	region.memory_size = pvm->mem_size;
	region.userspace_addr = (unsigned long)pvm->mem;
	if (ioctl(pvm->vm, KVM_SET_USER_MEMORY_REGION, &region)) {
		ret = -errno;
		goto err;
	}

	ret = pvm_init_vcpu(pvm, kvm);
	if (ret)
		goto err;

	ret = pvm_run(pvm, &addr, &val);
	if (!ret && (addr != PVM_MMIO || val != PVM_PATTERN))
		ret = -EPROTO;
	if (ret)
		goto err;

	close(kvm);

	return 0;

err:
	close(kvm);
	pvm_destroy(pvm);

	return ret;
}

/**
 * pvm_create() - Create a protected VM and have it fill its victim page
 * @pvm: the VM
 * @ok: says which physical page may be the victim; NULL if all may
 * @arg: passed to @ok
 *
 * Return: 0 or -errno. On success the victim page belongs to the guest.
 */
int pvm_create(struct pvm *pvm, pvm_page_ok ok, void *arg)
{
	return pvm_do_create(pvm, ok, arg, 0);
}

/**
 * pvm_create_at() - The same with a page that is not the program's as the victim
 * @pvm: the VM
 * @victim_pa: its physical address
 *
 * Return: 0 or -errno; -ENOENT if the kernel does not let the program have the page,
 * -EPERM if the hypervisor does not let the guest have it.
 */
int pvm_create_at(struct pvm *pvm, u64 victim_pa)
{
	return pvm_do_create(pvm, NULL, NULL, victim_pa);
}

/**
 * pvm_check() - Have the guest look at its victim page
 * @pvm: the VM
 * @seen: PVM_PATTERN, or the first word in the page that is something else
 *
 * Return: 0 if the page is intact, 1 if it is not, or -errno.
 */
int pvm_check(struct pvm *pvm, u64 *seen)
{
	u64 addr, val;
	int i, ret;

	/* The first report may be about a look that began before this call. */
	for (i = 0; i < 2; i++) {
		ret = pvm_run(pvm, &addr, &val);
		if (ret)
			return ret;
		if (addr != PVM_MMIO + sizeof(u64))
			return -EPROTO;
		*seen = val;
		if (val != PVM_PATTERN)
			return 1;
	}

	return 0;
}

void pvm_destroy(struct pvm *pvm)
{
	if (pvm->run)
		munmap(pvm->run, pvm->run_size);
	if (pvm->vcpu >= 0)
		close(pvm->vcpu);
	if (pvm->vm >= 0)
		close(pvm->vm);
	if (pvm->mem)
		munmap(pvm->mem, pvm->mem_size);

	memset(pvm, 0, sizeof(*pvm));
	pvm->vm = -1;
	pvm->vcpu = -1;
}
