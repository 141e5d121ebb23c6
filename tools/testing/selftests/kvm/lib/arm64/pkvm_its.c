// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers for the tests that play a malicious host against the GICv3 ITS of
 * the machine they run on.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

#define MAX_ITS			16

/* Memory for tables, for all of a program's life */
#define POOL_SIZE		(32UL << 20)

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
 * A kernel without the file does not have this series.
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
 *
 * Return: the words.
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
 * Memory for tables
 */

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

static struct {
	u64 pa;
	bool used;
} pool[POOL_SIZE / 4096];
static unsigned int pool_pages;

static int pool_compare(const void *a, const void *b)
{
	u64 pa = *(const u64 *)a, pb = *(const u64 *)b;

	return pa < pb ? -1 : pa > pb;
}

/*
 * The hypervisor may own the pages by the time the program ends, so that there is no
 * point at which it would be safe to free them: they are a file in a ramfs that stays
 * mounted. What is in there has no other place to go; compaction is told so.
 */
static int pool_fill(void)
{
	char dir[32], path[64];
	unsigned int i;
	int fd, ret = 0;
	void *va;

	if (sysfile_write("/proc/sys/vm/compact_unevictable_allowed", "0") == -EINVAL)
		return -EINVAL;

	snprintf(dir, sizeof(dir), "/tmp/pkvm_its.%d", getpid());
	if (mkdir(dir, 0700) || mount("none", dir, "ramfs", 0, NULL))
		return -errno;

	snprintf(path, sizeof(path), "%s/memory", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, POOL_SIZE)) {
		close(fd);
		return -errno;
	}

	va = mmap(NULL, POOL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (va == MAP_FAILED)
		return -errno;

	pool_pages = POOL_SIZE / getpagesize();
	for (i = 0; i < pool_pages && !ret; i++) {
		memset(va + (size_t)i * getpagesize(), 0, getpagesize());
		ret = va_to_pa(va + (size_t)i * getpagesize(), &pool[i].pa);
	}
	munmap(va, POOL_SIZE);
	qsort(pool, pool_pages, sizeof(*pool), pool_compare);

	return ret;
}

/**
 * pages_alloc() - Get zeroed pages, for good
 * @order: how many, as a power of two
 *
 * Return: the physical address, a multiple of their size, or 0.
 */
u64 pages_alloc(unsigned int order)
{
	u64 pa, size = (u64)getpagesize() << order;
	unsigned int i, n, nr = 1U << order;

	if (!pool_pages && pool_fill()) {
		ksft_print_msg("no memory for tables: %s\n", strerror(errno));
		return 0;
	}

	for (i = 0; i + nr <= pool_pages; i++) {
		pa = pool[i].pa;
		if (pa & (size - 1))
			continue;

		for (n = 0; n < nr; n++) {
			if (pool[i + n].used || pool[i + n].pa != pa + (u64)n * getpagesize())
				break;
		}
		if (n < nr)
			continue;

		while (n--)
			pool[i + n].used = true;

		return pa;
	}

	return 0;
}

/*
 * ITSs
 */

/* Is one of the strings in a file of the device tree the name of an ITS? */
static bool dt_is_its(const char *path)
{
	const char *s;
	char buf[256];
	ssize_t len;

	len = sysfile_read(path, buf, sizeof(buf));
	for (s = buf; s < buf + len; s += strlen(s) + 1) {
		if (!strcmp(s, "arm,gic-v3-its"))
			return true;
	}

	return false;
}

static int dt_find_its(u64 *base, int max)
{
	static const char pattern[] = "/proc/device-tree/{*,*/*,*/*/*}/compatible";
	char path[256];
	int nr = 0;
	glob_t g;
	size_t i;
	__be64 reg;
	FILE *f;

	if (glob(pattern, GLOB_BRACE, NULL, &g))
		return 0;

	for (i = 0; i < g.gl_pathc && nr < max; i++) {
		if (!dt_is_its(g.gl_pathv[i]))
			continue;

		snprintf(path, sizeof(path), "%.*s/reg",
			 (int)(strrchr(g.gl_pathv[i], '/') - g.gl_pathv[i]), g.gl_pathv[i]);
		f = fopen(path, "re");
		if (f && fread(&reg, sizeof(reg), 1, f) == 1)
			base[nr++] = be64toh(reg);
		if (f)
			fclose(f);
	}
	globfree(&g);

	return nr;
}

#define MADT_FIRST		44
#define MADT_ITS		15
#define MADT_ITS_BASE		8

static int acpi_find_its(u64 *base, int max)
{
	static unsigned char madt[0x10000];
	size_t off, len = 0;
	int nr = 0;
	__le64 val;
	FILE *f;

	f = fopen("/sys/firmware/acpi/tables/APIC", "re");
	if (f) {
		len = fread(madt, 1, sizeof(madt), f);
		fclose(f);
	}

	for (off = MADT_FIRST; off + MADT_ITS_BASE + sizeof(val) <= len && nr < max;
	     off += madt[off + 1]) {
		if (!madt[off + 1])
			break;
		if (madt[off] != MADT_ITS)
			continue;

		memcpy(&val, madt + off + MADT_ITS_BASE, sizeof(val));
		base[nr++] = le64toh(val);
	}

	return nr;
}

static int its_find(u64 *base, int max)
{
	int nr = dt_find_its(base, max);

	return nr ? nr : acpi_find_its(base, max);
}

/**
 * its_count() - How many ITSs the firmware describes
 *
 * Return: their number.
 */
int its_count(void)
{
	u64 base[MAX_ITS];

	return its_find(base, MAX_ITS);
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

/*
 * What the driver writes is what the hardware reads, unless the host can't read that. Then
 * its_find_staging() has to look for it.
 */
static u64 staging_base(u64 hw_base, u64 known)
{
	u64 val;

	return phys_read64(hw_base, &val) ? known : hw_base;
}

static void its_parse_table(struct its_table *t)
{
	static const u64 page_sizes[] = { 0x1000, 0x4000, 0x10000, 0x10000 };

	t->indirect = t->reg & GITS_BASER_INDIRECT;
	t->page_size = page_sizes[(t->reg >> 8) & 3];
	t->entry_size = GITS_BASER_ENTRY_SIZE(t->reg);
	t->per_page = t->page_size / t->entry_size;
	t->size = ((t->reg & MASK64(7, 0)) + 1) * t->page_size;

	t->hw_base = t->reg & MASK64(47, 12);
	if (t->page_size == 0x10000)
		t->hw_base = (t->reg & MASK64(47, 16)) |
			     ((t->reg & MASK64(15, 12)) << 36);
	t->base = staging_base(t->hw_base, t->base);
}

/**
 * its_refresh() - Read the registers of an ITS again
 * @its: the ITS
 *
 * Return: 0 or -errno.
 */
int its_refresh(struct its *its)
{
	struct its_table *t;
	u64 cbaser;
	int i;

	cbaser = its_read64(its, GITS_CBASER);
	its->queue_size = ((cbaser & MASK64(7, 0)) + 1) * 0x1000;
	its->hw_queue = cbaser & MASK64(51, 12);
	its->queue = staging_base(its->hw_queue, its->queue);
	its->cwriter = its_read64(its, GITS_CWRITER) & MASK64(19, 5);
	its->typer = its_read64(its, GITS_TYPER);
	its->itt_entry_size = ((its->typer & MASK64(7, 4)) >> 4) + 1;

	for (i = 0; i < GITS_BASER_NR_REGS; i++) {
		t = &its->table[i];
		t->reg = its_read64(its, GITS_BASER + i * sizeof(u64));
		if (t->reg & GITS_BASER_VALID)
			its_parse_table(t);
	}
	its->devices = its_table(its, GITS_BASER_TYPE_DEVICE);

	return its->devices ? 0 : -ENODEV;
}

/*
 * Looking for what the driver writes, of a confined ITS
 */

struct search {
	struct its *its;
	bool (*is_it)(struct its *its, const u64 *words);
	bool found;
};

static void search_block(void *addr, void *arg)
{
	struct search *s = arg;

	s->found = s->is_it(s->its, addr);
}

/* Looks at all blocks of memory that the host can read. There has to be exactly one. */
static int ram_search(struct search *s, u64 size, u64 *base)
{
	unsigned long long start, end;
	char line[256], name[128];
	int nr = 0;
	void *mem;
	FILE *f;
	u64 pa;

	f = fopen("/proc/iomem", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx : %127[^\n]", &start, &end, name) != 3 ||
		    strcmp(name, "System RAM"))
			continue;

		mem = phys_map(start, end - start + 1);
		if (!mem)
			break;
		for (pa = (start + size - 1) & ~(size - 1); pa + size - 1 <= end; pa += size) {
			s->found = false;
			if (try_access(search_block, mem + (pa - start), s) || !s->found)
				continue;
			*base = pa;
			nr++;
		}
		phys_unmap(mem, end - start + 1);
	}
	if (f)
		fclose(f);

	if (nr > 1)
		ksft_print_msg("%d blocks of memory look like what was searched for\n", nr);

	return nr == 1 ? 0 : -ENOENT;
}

static bool driver_sends(u8 cmd)
{
	switch (cmd) {
	case GITS_CMD_MOVI:
	case GITS_CMD_INT:
	case GITS_CMD_CLEAR:
	case GITS_CMD_SYNC:
	case GITS_CMD_MAPD:
	case GITS_CMD_MAPC:
	case GITS_CMD_MAPTI:
	case GITS_CMD_INV:
	case GITS_CMD_INVALL:
	case GITS_CMD_DISCARD:
		return true;
	}

	return false;
}

/* The last command is a SYNC, as always, and all others are some that the driver sends. */
static bool is_queue(struct its *its, const u64 *words)
{
	u64 nr = its->queue_size / sizeof(struct its_cmd), i;
	const u64 *last = words + (its->cwriter / sizeof(struct its_cmd) + nr - 1) % nr * 4;

	if (last[0] != GITS_CMD_SYNC || last[1] || last[2] & ~MASK64(51, 16) || last[3])
		return false;

	for (i = 0; i < nr; i++, words += 4) {
		if (!words[0] && !words[1] && !words[2] && !words[3])
			continue;
		if (!driver_sends(words[0]) || words[3])
			return false;
	}

	return true;
}

/* At least one level-2 page, and nothing else. */
static bool is_level1(struct its *its, const u64 *words)
{
	struct its_table *t = its->devices;
	u64 i, nr = 0;

	for (i = 0; i < t->size / sizeof(*words); i++) {
		if (!words[i])
			continue;
		if ((words[i] & ~MASK64(51, 12)) != GITS_BASER_VALID ||
		    words[i] & (t->page_size - 1))
			return false;
		nr++;
	}

	return nr;
}

/**
 * its_find_staging() - Find the queue and the level-1 device table that the driver writes
 * @its: the ITS, for which the driver has posted commands, and mapped a device
 *
 * Return: 0 or -errno.
 */
int its_find_staging(struct its *its)
{
	struct search queue = { .its = its, .is_it = is_queue };
	struct search level1 = { .its = its, .is_it = is_level1 };
	int ret = its_refresh(its);

	if (!ret && !its->queue)
		ret = ram_search(&queue, its->queue_size, &its->queue);
	if (!ret && its->devices->indirect && !its->devices->base)
		ret = ram_search(&level1, its->devices->size, &its->devices->base);
	if (ret)
		return ret;

	its->slots = phys_map(its->queue, its->queue_size);

	return its->slots ? 0 : -errno;
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

/* The first redistributor is that of CPU 0, and this that of the first collection. */
static int its_find_rdist(struct its *its)
{
	struct rdist rd;
	u64 propbaser;
	int ret;

	ret = rdist_open(&rd, 0);
	if (ret)
		return ret;

	its->rdbase = its->typer & GITS_TYPER_PTA ? rd.base :
		      (u64)GICR_TYPER_CPU_NUMBER(rd.typer) << 16;
	propbaser = rdist_read64(&rd, GICR_PROPBASER);
	rdist_close(&rd);

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
	u64 base[MAX_ITS];
	int ret;

	memset(its, 0, sizeof(*its));

	if (nr >= its_find(base, MAX_ITS))
		return -ENOENT;

	its->nr = nr;
	its->base = base[nr];
	snprintf(its->name, sizeof(its->name), "%016llx", (unsigned long long)its->base);
	its->regs = phys_map(its->base, ITS_FRAME_SIZE);
	if (!its->regs)
		return -errno;

	ret = its_refresh(its);

	return ret ? ret : its_find_rdist(its);
}

void its_close(struct its *its)
{
	if (its->slots)
		phys_unmap(its->slots, its->queue_size);
	its->slots = NULL;
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

/*
 * The queue. The driver knows nothing of what is put there, and goes on at its own place:
 * struct its::driver. The next command that it posts has the ITS read the whole rest of the
 * queue, up to that place. So there is nothing but SYNC in all slots, except for those
 * commands of ours that the ITS has read since it was at the place of the driver.
 */

static u64 queue_used(struct its *its)
{
	return (its->pos + its->queue_size - its->driver) % its->queue_size;
}

static void queue_put(struct its *its, u64 off, const struct its_cmd *cmd)
{
	u64 *slot = its->slots + off % its->queue_size;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd->w); i++)
		WRITE_ONCE(slot[i], cmd->w[i]);
}

static void queue_fill(struct its *its, u64 off, u64 len)
{
	struct its_cmd sync = its_cmd_sync(its->rdbase);
	u64 end = off + len;

	for (; off < end; off += sizeof(sync))
		queue_put(its, off, &sync);
}

static int queue_post(struct its *its, u64 cwriter)
{
	its->pos = cwriter % its->queue_size;
	asm volatile("dsb	sy" : : : "memory");

	return its_write64(its, GITS_CWRITER, its->pos) ? -EFAULT : 0;
}

/**
 * its_sync() - Wait for an ITS to have read what is in its queue
 * @its: the ITS
 *
 * Return: 0 or -ETIMEDOUT.
 */
int its_sync(struct its *its)
{
	int i;

	for (i = 0; i < POLL_LIMIT; i++) {
		if (its_read64(its, GITS_CREADR) == its_read64(its, GITS_CWRITER))
			return 0;
	}

	return -ETIMEDOUT;
}

/**
 * its_return() - Leave the queue as the driver expects it
 * @its: the ITS
 *
 * To be called before anything that has the driver post commands.
 *
 * Return: 0 or -errno.
 */
int its_return(struct its *its)
{
	int ret;

	if (!its->taken)
		return 0;

	ret = its_sync(its);
	if (ret)
		return ret;

	if ((its_read64(its, GITS_CWRITER) & MASK64(19, 5)) != its->pos) {
		/* The driver has had it meanwhile. */
		its->taken = false;
		return 0;
	}

	queue_fill(its, its->driver, queue_used(its));
	ret = queue_post(its, its->driver);

	return ret ? ret : its_sync(its);
}

/**
 * its_take() - Have room for commands in the queue
 * @its: the ITS
 * @nr: how many commands
 *
 * Return: 0 or -errno; its::pos is where the first one goes.
 */
int its_take(struct its *its, unsigned int nr)
{
	u64 cwriter = its_read64(its, GITS_CWRITER) & MASK64(19, 5);
	int ret;

	if (!its->slots)
		return -ENXIO;

	if (!its->taken || cwriter != its->pos) {
		ret = its_sync(its);
		if (ret)
			return ret;

		its->driver = cwriter;
		its->pos = cwriter;
		its->taken = true;
		queue_fill(its, cwriter, its->queue_size);
	}

	if (queue_used(its) + (nr + 1) * sizeof(struct its_cmd) > its->queue_size)
		return its_return(its);

	return 0;
}

static void host_call(const char *name, struct its *its, const struct its_cmd *cmd)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %u %llu %llu 0x%llx", name, its->nr,
		 (unsigned long long)cmd->w[0] >> 32, (unsigned long long)(cmd->w[1] & 0x1f) + 1,
		 (unsigned long long)(cmd->w[2] & MASK64(51, 8)));
	sysfile_write(PKVM_HOST_DEBUGFS "/call", text);
}

/*
 * A malicious host does not go without what the hypervisor offers: it prepares what a device
 * needs before it is mapped, as far as the hypervisor agrees, and asks for it when the device
 * has been unmapped.
 */
static bool follow_mapd(struct its *its, const struct its_cmd *cmds, unsigned int nr, bool valid)
{
	bool found = false;

	for (; nr--; cmds++) {
		if ((cmds->w[0] & 0xff) != GITS_CMD_MAPD || !!(cmds->w[2] & BIT64(63)) != valid)
			continue;

		found = true;
		host_call("its_reclaim", its, cmds);
		if (valid)
			host_call("its_prepare", its, cmds);
	}

	return found;
}

static int queue_cmds(struct its *its, const struct its_cmd *cmds, unsigned int nr)
{
	unsigned int i;
	int ret;

	ret = its_take(its, nr);
	if (ret)
		return ret;

	for (i = 0; i < nr; i++)
		queue_put(its, its->pos + i * sizeof(*cmds), &cmds[i]);

	return queue_post(its, its->pos + nr * sizeof(*cmds));
}

/**
 * its_queue() - Queue commands, and do not wait for the ITS to read them
 * @its: the ITS
 * @cmds: the commands
 * @nr: how many, at most ITS_MAX_BATCH
 *
 * Return: 0 or -errno.
 */
int its_queue(struct its *its, const struct its_cmd *cmds, unsigned int nr)
{
	int ret;

	follow_mapd(its, cmds, nr, true);
	ret = queue_cmds(its, cmds, nr);
	/* Too early: the ITS may not have read the command. */
	follow_mapd(its, cmds, nr, false);

	return ret;
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
	struct its_cmd sync = its_cmd_sync(its->rdbase);
	int ret = its_queue(its, cmds, nr);

	if (!ret)
		ret = its_sync(its);
	if (!ret)
		ret = queue_cmds(its, &sync, 1);
	if (!ret)
		ret = its_sync(its);
	if (!ret)
		follow_mapd(its, cmds, nr, false);

	return ret;
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

	/* Of a confined ITS only the device table is known: the other is empty. */
	if (!t->indirect || !t->base)
		return 0;

	slot = t->base + id / t->per_page * sizeof(u64);
	if (phys_read64(slot, &entry))
		return -EFAULT;
	if (entry & GITS_BASER_VALID)
		return 0;

	while ((u64)getpagesize() << order < its_level2_size(t))
		order++;
	pa = pages_alloc(order);
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

	fd = open(PKVM_HOST_DEBUGFS "/map", O_RDWR | O_CLOEXEC);
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
 * @ok: decides which physical page may be the victim; NULL if all may
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
