/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory, and who owns it. Plays mem_protect.c to EL2's code, and checks what it asks
 * for; hands memory to the host and to the ITS, and checks what they access.
 */
#ifndef __PKVM_ITS_MEM_H__
#define __PKVM_ITS_MEM_H__

#include <kernel-shim.h>

#ifndef __has_feature
#define __has_feature(x)	0
#endif

/* Accesses of EL2's that are not checked by other means are */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define MEM_HAS_ASAN
#endif

/*
 * Low memory, on both sides of what 30 bits address, and memory that takes 52 bits of
 * address, with some that takes 51 before it
 */
#define MEM_LOW		0x3f000000ULL
#define MEM_HIGH	BIT_ULL(51)
#define MEM_BELOW_HIGH	SZ_16M

enum mem_owner {
	MEM_HOST,
	MEM_EL2,	/* what EL2 had from the start, and what it keeps its state in */
	MEM_ITS,	/* EL2's, for the ITS to use */
	MEM_GUEST,
};

/**
 * struct mem_page - what is known of a page
 * @owner: whose it is
 * @shared: the host shares it with EL2
 * @is_state: donated by the host for EL2's state, if it is donated next
 * @dirty: differs from what it was after mem_reset()
 * @pins: how often EL2 has pinned it
 * @use: what an ITS has used it for since EL2 has it, from 1
 */
struct mem_page {
	enum mem_owner	owner;
	bool		shared;
	bool		is_state;
	bool		dirty;
	u16		pins;
	u16		use;
};

/* Called before each READ_ONCE() of EL2's, with the number of those before it */
typedef void (*mem_read_hook_t)(phys_addr_t phys, u64 nr);
extern mem_read_hook_t mem_read_hook;
extern u64 mem_nr_reads;

/*
 * The call of EL2's to the rest of the hypervisor that fails, counted down; 0 is none.
 * Only those that may fail count.
 */
extern unsigned int mem_fail_call;

void mem_init(u64 low_size, u64 high_size);
void mem_reset(void);
struct mem_page *mem_page(phys_addr_t phys);
phys_addr_t mem_end(phys_addr_t phys);
bool mem_call_fails(void);
u64 mem_count(enum mem_owner owner);
bool mem_is_clean(void);

bool mem_host_read(phys_addr_t phys, u64 *val);
bool mem_host_write(phys_addr_t phys, u64 val);
bool mem_host_fill(phys_addr_t phys, u64 size, u64 val);
bool mem_give_guest(phys_addr_t phys);
bool mem_take_guest(phys_addr_t phys);
void mem_give_el2(phys_addr_t phys);

u64 mem_peek(phys_addr_t phys);
void mem_its_read(phys_addr_t phys, void *buf, size_t size, bool nc);
void mem_its_write(phys_addr_t phys, const void *buf, size_t size, bool nc);

#endif /* __PKVM_ITS_MEM_H__ */
