// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory, and who owns it.
 *
 * All memory that EL2 must not touch is poisoned for AddressSanitizer, and so is what the
 * host shares with EL2: that is for READ_ONCE() alone. The host's and the ITS's accesses
 * come through here and are checked against the owner.
 *
 * Memory has two faces: what the caches hold, and what is behind them, which is what an
 * ITS gets to see that does not snoop. The host cleans everything it writes, EL2 has to
 * ask for it.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <asm/kvm_hyp.h>

#include "its-model.h"
#include "mem.h"
#include "rdist-model.h"

#ifdef MEM_HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size)	((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size)	((void)(addr), (void)(size))
#endif

#define NO_ASAN		__attribute__((no_sanitize("address")))
#define CACHE_LINE	64

/* Where nothing of ours is mapped: stands for addresses that are no memory */
#define NO_MEMORY_MASK	GENMASK_ULL(40, 0)

struct mem_bank {
	phys_addr_t	start;
	u64		size;
	u8		*cached;
	u8		*behind;
	struct mem_page	*pages;
	u64		nr_used;	/* pages from here on have not been looked at */
};

static struct mem_bank mem_banks[2];

mem_read_hook_t mem_read_hook;
u64 mem_nr_reads;
unsigned int mem_fail_call;

void mem_fail(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("oracle: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static struct mem_bank *find_bank(phys_addr_t phys)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mem_banks); i++) {
		if (phys - mem_banks[i].start < mem_banks[i].size)
			return &mem_banks[i];
	}

	return NULL;
}

struct mem_page *mem_page(phys_addr_t phys)
{
	struct mem_bank *bank = find_bank(phys);
	u64 nr;

	if (!bank)
		return NULL;

	nr = (phys - bank->start) >> PAGE_SHIFT;
	bank->nr_used = max(bank->nr_used, nr + 1);

	return &bank->pages[nr];
}

/* The end of the bank that @phys is in */
phys_addr_t mem_end(phys_addr_t phys)
{
	struct mem_bank *bank = find_bank(phys);

	return bank->start + bank->size;
}

static void *map(u64 size)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (addr == MAP_FAILED)
		mem_fail("no memory for the model");

	return addr;
}

static void init_bank(struct mem_bank *bank, phys_addr_t start, u64 size)
{
	bank->start = start;
	bank->size = size;
	bank->cached = map(size);
	bank->behind = map(size);
	bank->pages = map((size >> PAGE_SHIFT) * sizeof(*bank->pages));
	ASAN_POISON_MEMORY_REGION(bank->cached, size);
}

/* To be called once. @low_size and @high_size are in bytes. */
void mem_init(u64 low_size, u64 high_size)
{
	init_bank(&mem_banks[0], MEM_LOW, low_size);
	init_bank(&mem_banks[1], MEM_HIGH - MEM_BELOW_HIGH, MEM_BELOW_HIGH + high_size);
}

static void reset_page(struct mem_bank *bank, u64 i)
{
	u8 *cached = bank->cached + (i << PAGE_SHIFT);

	ASAN_UNPOISON_MEMORY_REGION(cached, PAGE_SIZE);
	memset(cached, 0, PAGE_SIZE);
	ASAN_POISON_MEMORY_REGION(cached, PAGE_SIZE);
	memset(bank->behind + (i << PAGE_SHIFT), 0, PAGE_SIZE);
	bank->pages[i] = (struct mem_page) {};
}

/* All memory is the host's and zero. */
void mem_reset(void)
{
	unsigned int b;
	u64 i;

	for (b = 0; b < ARRAY_SIZE(mem_banks); b++) {
		for (i = 0; i < mem_banks[b].nr_used; i++) {
			if (mem_banks[b].pages[i].dirty)
				reset_page(&mem_banks[b], i);
		}
		mem_banks[b].nr_used = 0;
	}

	mem_read_hook = NULL;
	mem_nr_reads = 0;
	mem_fail_call = 0;
}

u64 mem_count(enum mem_owner owner)
{
	unsigned int b;
	u64 i, nr = 0;

	for (b = 0; b < ARRAY_SIZE(mem_banks); b++) {
		for (i = 0; i < mem_banks[b].nr_used; i++)
			nr += mem_banks[b].pages[i].owner == owner;
		if (owner == MEM_HOST)
			nr += (mem_banks[b].size >> PAGE_SHIFT) - i;
	}

	return nr;
}

/* Nothing is shared or pinned */
bool mem_is_clean(void)
{
	unsigned int b;
	u64 i;

	for (b = 0; b < ARRAY_SIZE(mem_banks); b++) {
		for (i = 0; i < mem_banks[b].nr_used; i++) {
			struct mem_page *page = &mem_banks[b].pages[i];

			if (page->shared || page->pins)
				return false;
		}
	}

	return true;
}

/*
 * Raw accesses
 */

static NO_ASAN u64 raw_read(const volatile void *addr, size_t size)
{
	switch (size) {
	case 1:
		return *(const volatile u8 *)addr;
	case 4:
		return *(const volatile u32 *)addr;
	case 8:
		return *(const volatile u64 *)addr;
	default:
		mem_fail("read of %zu bytes", size);
	}
}

static NO_ASAN void raw_copy(u8 *to, const u8 *from, size_t size)
{
	volatile u8 *vto = to;

	if (size == sizeof(u64) && IS_ALIGNED((u64)to | (u64)from, sizeof(u64))) {
		*(volatile u64 *)to = *(const u64 *)from;
		return;
	}

	while (size--)
		*vto++ = *from++;
}

static void write_both(phys_addr_t phys, const void *buf, size_t size)
{
	struct mem_bank *bank = find_bank(phys);

	raw_copy(bank->cached + (phys - bank->start), buf, size);
	raw_copy(bank->behind + (phys - bank->start), buf, size);
	mem_page(phys)->dirty = true;
}

/*
 * The host
 */

/* What a stage-2 fault would keep the host from returns false. */
bool mem_host_write(phys_addr_t phys, u64 val)
{
	struct mem_page *page = mem_page(phys);

	if (!page || page->owner != MEM_HOST || !IS_ALIGNED(phys, sizeof(val)))
		return false;

	write_both(phys, &val, sizeof(val));

	return true;
}

bool mem_host_read(phys_addr_t phys, u64 *val)
{
	struct mem_page *page = mem_page(phys);

	if (!page || page->owner != MEM_HOST || !IS_ALIGNED(phys, sizeof(*val)))
		return false;

	*val = mem_peek(phys);

	return true;
}

static NO_ASAN void raw_fill(u8 *to, u64 val, size_t size)
{
	volatile u64 *at = (volatile u64 *)to;

	for (; size; size -= sizeof(val))
		*at++ = val;
}

bool mem_host_fill(phys_addr_t phys, u64 size, u64 val)
{
	struct mem_bank *bank;
	u64 part;

	for (; size; size -= part, phys += part) {
		if (!mem_host_write(phys, val))
			return false;

		part = min(size, PAGE_SIZE - (phys & (PAGE_SIZE - 1)));
		bank = find_bank(phys);
		raw_fill(bank->cached + (phys - bank->start), val, part);
		raw_fill(bank->behind + (phys - bank->start), val, part);
	}

	return true;
}

bool mem_give_guest(phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys);

	if (!page || page->owner != MEM_HOST || page->shared)
		return false;

	page->owner = MEM_GUEST;
	page->dirty = true;

	return true;
}

bool mem_take_guest(phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys);

	if (!page || page->owner != MEM_GUEST)
		return false;

	page->owner = MEM_HOST;

	return true;
}

/* Memory that EL2 has from the start */
void mem_give_el2(phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys);

	page->owner = MEM_EL2;
	page->dirty = true;
}

/* What the caches hold, whoever owns it: for tests to look at */
u64 mem_peek(phys_addr_t phys)
{
	struct mem_bank *bank = find_bank(phys);

	return raw_read(bank->cached + (phys - bank->start), sizeof(u64));
}

/*
 * The ITS
 */

void mem_its_read(phys_addr_t phys, void *buf, size_t size, bool nc)
{
	struct mem_bank *bank = find_bank(phys);

	raw_copy(buf, (nc ? bank->behind : bank->cached) + (phys - bank->start), size);
}

void mem_its_write(phys_addr_t phys, const void *buf, size_t size, bool nc)
{
	struct mem_bank *bank = find_bank(phys);

	if (nc)
		raw_copy(bank->behind + (phys - bank->start), buf, size);
	else
		write_both(phys, buf, size);

	mem_page(phys)->dirty = true;
}

/*
 * EL2
 */

void *hyp_phys_to_virt(phys_addr_t phys)
{
	struct mem_bank *bank = find_bank(phys);

	/* EL2 may calculate with any address before it knows that it is good. */
	return bank ? bank->cached + (phys - bank->start) : (void *)(phys & NO_MEMORY_MASK);
}

static phys_addr_t virt_to_phys_or_zero(const volatile void *virt)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mem_banks); i++) {
		u64 offset = (u64)virt - (u64)mem_banks[i].cached;

		if (offset < mem_banks[i].size)
			return mem_banks[i].start + offset;
	}

	return 0;
}

phys_addr_t hyp_virt_to_phys(void *virt)
{
	phys_addr_t phys = virt_to_phys_or_zero(virt);

	if (!phys && !((u64)virt & ~NO_MEMORY_MASK))
		return (u64)virt;

	if (!phys)
		mem_fail("EL2: %p is not memory", virt);

	return phys;
}

u64 mem_read_once(const volatile void *from, size_t size)
{
	phys_addr_t phys = virt_to_phys_or_zero(from);
	struct mem_page *page;

	if (!phys)
		return raw_read(from, size);

	page = mem_page(phys);
	if (page->owner == MEM_GUEST || (page->owner == MEM_HOST && !(page->shared && page->pins)))
		mem_fail("EL2 reads 0x%llx, which is not pinned", (unsigned long long)phys);

	if (mem_read_hook)
		mem_read_hook(phys, mem_nr_reads);
	mem_nr_reads++;

	return raw_read(from, size);
}

/* Whole lines go out, whatever else is in them. */
void kvm_flush_dcache_to_poc(void *addr, size_t size)
{
	phys_addr_t phys = hyp_virt_to_phys(addr), start, end, at;
	struct mem_bank *bank = find_bank(phys);

	start = ALIGN_DOWN(phys, CACHE_LINE);
	end = ALIGN(phys + size, CACHE_LINE);

	for (at = ALIGN_DOWN(start, PAGE_SIZE); at < end; at += PAGE_SIZE) {
		if (mem_page(at)->owner == MEM_HOST || mem_page(at)->owner == MEM_GUEST)
			mem_fail("EL2 cleans 0x%llx, which is not its", (unsigned long long)at);
	}

	memcpy(bank->behind + (start - bank->start), bank->cached + (start - bank->start),
	       end - start);
}

/* Is this the call that the test has fail? */
bool mem_call_fails(void)
{
	return mem_fail_call && !--mem_fail_call;
}

static void set_owner(phys_addr_t phys, enum mem_owner owner)
{
	struct mem_page *page = mem_page(phys);
	void *virt = hyp_phys_to_virt(phys);

	page->owner = owner;
	page->use = 0;
	page->dirty = true;

	if (owner == MEM_HOST || owner == MEM_GUEST)
		ASAN_POISON_MEMORY_REGION(virt, PAGE_SIZE);
	else
		ASAN_UNPOISON_MEMORY_REGION(virt, PAGE_SIZE);
}

static bool is_hosts_own(phys_addr_t phys)
{
	struct mem_page *page = mem_page(phys);

	return page && page->owner == MEM_HOST && !page->shared;
}

int __pkvm_host_share_hyp(u64 pfn)
{
	phys_addr_t phys = hyp_pfn_to_phys(pfn);

	if (mem_call_fails())
		return -ENOMEM;

	if (!is_hosts_own(phys))
		return -EPERM;

	mem_page(phys)->shared = true;
	mem_page(phys)->dirty = true;

	return 0;
}

int __pkvm_host_unshare_hyp(u64 pfn)
{
	struct mem_page *page = mem_page(hyp_pfn_to_phys(pfn));

	if (!page || !page->shared)
		return -EPERM;

	if (page->pins)
		return -EBUSY;

	page->shared = false;

	return 0;
}

int hyp_pin_shared_mem(void *from, void *to)
{
	phys_addr_t phys, start = hyp_virt_to_phys(from);
	u64 size = to - from;

	if (mem_call_fails())
		return -ENOMEM;

	for (phys = start; phys < start + size; phys += PAGE_SIZE) {
		if (!mem_page(phys) || !mem_page(phys)->shared)
			return -EPERM;
	}

	for (phys = start; phys < start + size; phys += PAGE_SIZE)
		mem_page(phys)->pins++;

	return 0;
}

void hyp_unpin_shared_mem(void *from, void *to)
{
	phys_addr_t phys, start = hyp_virt_to_phys(from);
	u64 size = to - from;

	for (phys = start; phys < start + size; phys += PAGE_SIZE) {
		if (!mem_page(phys)->pins--)
			mem_fail("EL2 unpins 0x%llx, which is not pinned",
				 (unsigned long long)phys);
	}
}

int hyp_page_count(void *addr)
{
	return mem_page(hyp_virt_to_phys(addr))->pins;
}

bool addr_is_memory(phys_addr_t phys)
{
	return find_bank(phys);
}

struct hyp_page *hyp_phys_to_page(phys_addr_t phys)
{
	return (struct hyp_page *)mem_page(phys);
}

enum pkvm_page_state get_host_state(struct hyp_page *hyp_page)
{
	struct mem_page *page = (struct mem_page *)hyp_page;

	if (page->owner != MEM_HOST)
		return PKVM_NOPAGE;

	return page->shared ? PKVM_PAGE_SHARED_OWNED : PKVM_PAGE_OWNED;
}

enum pkvm_page_state get_hyp_state(struct hyp_page *hyp_page)
{
	struct mem_page *page = (struct mem_page *)hyp_page;

	if (page->owner == MEM_EL2 || page->owner == MEM_ITS)
		return PKVM_PAGE_OWNED;

	return page->owner == MEM_HOST && page->shared ? PKVM_PAGE_SHARED_BORROWED : PKVM_NOPAGE;
}

int __pkvm_host_donate_hyp(u64 pfn, u64 nr_pages)
{
	u64 i;

	if (mem_call_fails())
		return -ENOMEM;

	for (i = 0; i < nr_pages; i++) {
		if (!is_hosts_own(hyp_pfn_to_phys(pfn + i)))
			return -EPERM;
	}

	for (i = 0; i < nr_pages; i++) {
		phys_addr_t phys = hyp_pfn_to_phys(pfn + i);

		set_owner(phys, mem_page(phys)->is_state ? MEM_EL2 : MEM_ITS);
	}

	return 0;
}

int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages)
{
	u64 i;

	for (i = 0; i < nr_pages; i++) {
		struct mem_page *page = mem_page(hyp_pfn_to_phys(pfn + i));

		if (!page || (page->owner != MEM_EL2 && page->owner != MEM_ITS))
			return -EPERM;
	}

	its_model_released(hyp_pfn_to_phys(pfn), nr_pages << PAGE_SHIFT);
	rdist_model_released(hyp_pfn_to_phys(pfn), nr_pages << PAGE_SHIFT);

	for (i = 0; i < nr_pages; i++)
		set_owner(hyp_pfn_to_phys(pfn + i), MEM_HOST);

	return 0;
}

bool host_range_is_mmio(phys_addr_t start, u64 size)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mem_banks); i++) {
		struct mem_bank *bank = &mem_banks[i];

		if (start < bank->start + bank->size && bank->start < start + size)
			return false;
	}

	return true;
}
