/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What EL2's code for confined ITSs takes from the kernel, for user space. What
 * tools/include has is taken from there; what matters goes to the models of memory
 * (mem.c) and of the ITS (its-model.c).
 */
#ifndef __KERNEL_SHIM_H__
#define __KERNEL_SHIM_H__

#include <errno.h>
#include <stdlib.h>

#include <linux/align.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/const.h>
#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/types.h>

/* One of the build's parameters: 12, 14 or 16 */
#ifndef PAGE_SHIFT
#error "PAGE_SHIFT is not set"
#endif
#define PAGE_SIZE		BIT(PAGE_SHIFT)
#define PAGE_ALIGNED(addr)	IS_ALIGNED(addr, PAGE_SIZE)

#define __init
#define __counted_by(member)
#define BITS_PER_BYTE		8
#define U64_MAX			((u64)~0ULL)
#define lower_32_bits(n)	((u32)(n))

/* The only way to read what the host may write: see mem_read_once() */
u64 mem_read_once(const volatile void *from, size_t size);

#undef READ_ONCE
#define READ_ONCE(x)		((typeof(x))mem_read_once(&(x), sizeof(x)))

#undef WRITE_ONCE
#define WRITE_ONCE(x, val)	((void)(*(volatile typeof(x) *)&(x) = (val)))

#define smp_rmb()		do { } while (0)	/* one thread */
#define smp_wmb()		do { } while (0)	/* one thread */
#define rmb()			do { } while (0)	/* one thread */
#define wmb()			do { } while (0)	/* one thread */

/* EL2 would panic, so the test ends. */
#define WARN_ON(cond)								\
({										\
	bool __warn = (cond);							\
										\
	if (__warn)								\
		mem_fail("EL2: WARN_ON(%s) at %s:%d", #cond, __FILE__, __LINE__); \
	__warn;									\
})

/* The CPU that the test runs on. Its MPIDR is its number, in Aff3 and Aff0. */
#define SHIM_CPUS		16
extern unsigned int shim_cpu;

#define DEFINE_PER_CPU(type, name)	typeof(type) (name)[SHIM_CPUS]
#define this_cpu_ptr(var)		(&(*(var))[shim_cpu])
#define read_cpuid_mpidr()		((u64)shim_cpu << 32 | shim_cpu)

static inline u64 shim_affinity_level(u64 mpidr, unsigned int level)
{
	return mpidr >> (level == 3 ? 32 : 8 * level) & 0xff;
}

#define MPIDR_AFFINITY_LEVEL		shim_affinity_level

void __noreturn __printf(1, 2) mem_fail(const char *fmt, ...);

#endif /* __KERNEL_SHIM_H__ */
