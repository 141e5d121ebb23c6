/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the proofs share. A harness includes EL2's files as they are, with the headers of the
 * user-space build, and defines the functions that those call: they check what EL2 does, and
 * return anything that a hostile host, or the hardware, could make them return.
 */
#ifndef __PROVE_H__
#define __PROVE_H__

#include <kernel-shim.h>

/* Any value of a type */
u8 nondet_u8(void);
u32 nondet_u32(void);
u64 nondet_u64(void);
bool nondet_bool(void);
int nondet_int(void);

#define assume(cond)		__CPROVER_assume(cond)

/*
 * A harness runs twice. First everything that is to be proved has to hold. Then, with REACH,
 * everything that is to be reached has to be reachable: assumptions that contradict each other
 * would prove anything.
 */
#ifdef REACH
#define prove(cond, text)	((void)(cond))
#define reach(cond)		__CPROVER_assert(!(cond), "reach: " #cond)
#else
#define prove(cond, text)	__CPROVER_assert(cond, "prove: " text)
#define reach(cond)		((void)0)
#endif

/* No input may get EL2 here. */
#define PROVE_NO_WARN								\
void __noreturn __printf(1, 2) mem_fail(const char *fmt, ...)			\
{										\
	prove(false, "no WARN, and no lock taken or released twice");		\
	assume(false);								\
	for (;;)								\
		;								\
}

/* An index is clamped only behind its check. */
#define PROVE_NOSPEC								\
u64 array_index_nospec(u64 index, u64 size)					\
{										\
	prove(index < size, "an index is checked before it is clamped");	\
	return index;								\
}

/*
 * The host's memory that EL2 reads: [HOST_MEM, HOST_MEM + HOST_MEM_SIZE) is no object, so an
 * access other than by READ_ONCE() is an error. What is read has another value each time.
 */
#define HOST_MEM		0x40000000UL
#define HOST_MEM_SIZE		0x10000000UL

static bool is_host_mem(const volatile void *addr, size_t size)
{
	unsigned long start = (unsigned long)addr;

	return start >= HOST_MEM && size <= HOST_MEM_SIZE &&
	       start - HOST_MEM <= HOST_MEM_SIZE - size;
}

static inline u64 read_own(const volatile void *from, size_t size)
{
	switch (size) {
	case 1:
		return *(const volatile u8 *)from;
	case 4:
		return *(const volatile u32 *)from;
	default:
		prove(size == 8, "READ_ONCE() of 1, 4 or 8 bytes");
		return *(const volatile u64 *)from;
	}
}

#endif /* __PROVE_H__ */
