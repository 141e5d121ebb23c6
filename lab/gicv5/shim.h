/* SPDX-License-Identifier: GPL-2.0-only */
/* What the ISTs of GICv5 guests and their tests use of the kernel and of KUnit, in user space */
#ifndef SHIM_H
#define SHIM_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint64_t __le64;
typedef uint64_t phys_addr_t;
typedef int raw_spinlock_t;

#define __init
#define __iomem
#define __read_mostly
#define unlikely(x)		(x)

#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define SZ_4K			0x1000
#define SZ_16K			0x4000
#define SZ_64K			0x10000
#define fallthrough		__attribute__((fallthrough))
#define USEC_PER_MSEC		1000L
/* The default of CONFIG_ARCH_FORCE_MAX_ORDER: 10 with pages of 4K, 13 with 64K */
#define KMALLOC_MAX_SIZE	(1UL << (PAGE_SHIFT == 12 ? 22 : 29))

#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define UL(x)			(x##UL)
#define GENMASK_ULL(h, l)	((~0ULL >> (63 - (h))) & (~0ULL << (l)))
#define GENMASK(h, l)		GENMASK_ULL(h, l)
#define FIELD_PREP(mask, val)	(((u64)(val) << __builtin_ctzll(mask)) & (mask))
#define FIELD_GET(mask, reg)	(((reg) & (mask)) >> __builtin_ctzll(mask))

#define max(a, b)		({ __typeof__((a) + (b)) a_ = (a), b_ = (b); a_ > b_ ? a_ : b_; })
#define min(a, b)		({ __typeof__((a) + (b)) a_ = (a), b_ = (b); a_ < b_ ? a_ : b_; })
#define max_t(t, a, b)		max((t)(a), (t)(b))
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define round_down(a, b)	((a) & ~((__typeof__(a))(b) - 1))
#define DIV_ROUND_UP(a, b)	(((a) + (b) - 1) / (b))
#define ilog2(n)		(63 - __builtin_clzll(n))
#define order_base_2(n)		((n) > 1 ? ilog2((n) - 1) + 1 : 0)
#define struct_size(p, m, n)	(sizeof(*(p)) + sizeof(*(p)->m) * (n))

#ifdef SHIM_SWAP
#define cpu_to_le64(x)		__builtin_bswap64(x)
#define le64_to_cpu(x)		__builtin_bswap64(x)
#else
#define cpu_to_le64(x)		((u64)(x))
#define le64_to_cpu(x)		((u64)(x))
#endif

#define READ_ONCE(x)		(*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, val)	(*(volatile __typeof__(x) *)&(x) = (val))

#define ERR_PTR(e)		((void *)(long)(e))
#define PTR_ERR(p)		((long)(p))
#define IS_ERR(p)		((unsigned long)(p) >= -4095UL)
#define PTR_ERR_OR_ZERO(p)	(IS_ERR(p) ? (int)PTR_ERR(p) : 0)

#define virt_to_phys(p)		((phys_addr_t)(uintptr_t)(p))
#define phys_to_virt(a)		((void *)(uintptr_t)(a))
#define dsb(x)			__sync_synchronize()
#define dcache_clean_inval_poc(start, end) __sync_synchronize()
#define kvm_err(...)		((void)(0 && printf(__VA_ARGS__)))
#define pr_err_ratelimited(...)	((void)(0 && printf(__VA_ARGS__)))
#define usleep_range(a, b)	usleep(a)
#define kasan_reset_tag(p)	((void *)(p))

/* Registers are memory, and do not change while one waits for them. */
#define readl_relaxed(reg)		(*(volatile u32 *)(reg))
#define readq_relaxed(reg)		(*(volatile u64 *)(reg))
#define writel_relaxed(val, reg)	(*(volatile u32 *)(reg) = (val))
#define writeq_relaxed(val, reg)	(*(volatile u64 *)(reg) = (val))
#define readl_poll_timeout(reg, val, cond, us, timeout)					\
	({ (val) = readl_relaxed(reg); (cond) ? 0 : -ETIMEDOUT; })
#define readl_poll_timeout_atomic	readl_poll_timeout

struct device_node;
struct irq_data;

struct resource {
	u64	start;
};

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	entry->prev = head->prev;
	entry->next = head;
	head->prev->next = entry;
	head->prev = entry;
}

static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	entry->next = entry->prev = NULL;
}

#define list_entry(p, type, member)	((type *)((char *)(p) - offsetof(type, member)))
#define list_first_entry(head, type, member)	list_entry((head)->next, type, member)
#define list_first_entry_or_null(head, type, member)					\
	(list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_for_each_entry(pos, head, member)						\
	for (pos = list_entry((head)->next, __typeof__(*pos), member);			\
	     &pos->member != (head);							\
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_safe(pos, tmp, head, member)				\
	for (pos = list_entry((head)->next, __typeof__(*pos), member),			\
	     tmp = list_entry(pos->member.next, __typeof__(*pos), member);		\
	     &pos->member != (head);							\
	     pos = tmp, tmp = list_entry(pos->member.next, __typeof__(*pos), member))

#define DECLARE_BITMAP(name, bits)	unsigned long name[DIV_ROUND_UP(bits, 64)]

static inline void __set_bit(unsigned int n, unsigned long *map)
{
	map[n / 64] |= BIT(n % 64);
}

static inline void __clear_bit(unsigned int n, unsigned long *map)
{
	map[n / 64] &= ~BIT(n % 64);
}

static inline unsigned int find_first_zero_bit(const unsigned long *map, unsigned int size)
{
	unsigned int n;

	for (n = 0; n < size && map[n / 64] & BIT(n % 64); n++)
		;
	return n;
}

static inline void *memchr_inv(const void *mem, int c, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (((u8 *)mem)[i] != (u8)c)
			return (u8 *)mem + i;
	}
	return NULL;
}

struct mutex {
	pthread_mutex_t	lock;
	pthread_t	owner;
	bool		held;
};

void mutex_init(struct mutex *m);
struct mutex *mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
void lockdep_assert_held(struct mutex *m);

static inline void shim_unguard(struct mutex **m)
{
	mutex_unlock(*m);
}

#define guard(name)		shim_guard_##name
#define shim_guard_mutex(m)							\
	struct mutex *guard_ __attribute__((cleanup(shim_unguard), unused)) = mutex_lock(m)

#define kzalloc_obj(x)		kzalloc(sizeof(x), GFP_KERNEL)
#define GFP_KERNEL		0x1
#define GFP_KERNEL_ACCOUNT	0x3
#define __GFP_NOWARN		0x4

void *kmalloc(size_t size, int gfp);
void *kzalloc(size_t size, int gfp);
void kfree(const void *mem);

extern bool shim_protected;
#define is_protected_kvm_enabled()	shim_protected

struct completion {
	pthread_mutex_t	lock;
	pthread_cond_t	cond;
	bool		done;
};

void init_completion(struct completion *c);
void complete(struct completion *c);
void wait_for_completion(struct completion *c);

struct kunit;
struct task_struct {
	struct kunit	*kunit_test;
};

extern __thread struct task_struct shim_task;
#define current			(&shim_task)

struct task_struct *shim_kthread_run(int (*fn)(void *data), void *data);
#define kthread_run(fn, data, ...)	shim_kthread_run(fn, data)

/* KUnit */
struct kunit {
	jmp_buf		abort;
	bool		failed;
	void		*mem[8];
	int		nr_mem;
};

struct kunit_case {
	void		(*run)(struct kunit *test);
	const char	*name;
};

struct kunit_suite {
	const char		*name;
	int			(*init)(struct kunit *test);
	void			(*exit)(struct kunit *test);
	struct kunit_case	*test_cases;
};

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp);
#define kunit_kcalloc(test, n, size, gfp)	kunit_kzalloc(test, (n) * (size), gfp)
void shim_fail(struct kunit *test, bool abort, const char *file, int line, const char *what);

void shim_stub(void *real, void *replacement);
void *shim_stub_of(void *real);
#define kunit_activate_static_stub(test, real, replacement)	shim_stub(real, replacement)
#define KUNIT_STATIC_STUB_REDIRECT(real, ...)						\
	do {										\
		__typeof__(&real) stub_ = shim_stub_of(real);				\
											\
		if (stub_)								\
			return stub_(__VA_ARGS__);					\
	} while (0)

#define KUNIT_CASE(fn)		{ .run = fn, .name = #fn }
#define kunit_test_suites(...)								\
	static struct kunit_suite *suites_[] = { __VA_ARGS__, NULL };			\
	static __attribute__((constructor)) void add_suites(void) { shim_add_suites(suites_); }
void shim_add_suites(struct kunit_suite **suites);

#define SHIM_CHECK(test, abort, cond, text)						\
	do {										\
		if (!(cond))								\
			shim_fail(test, abort, __FILE__, __LINE__, text);		\
	} while (0)
#define KUNIT_EXPECT_TRUE(t, c)		SHIM_CHECK(t, false, c, #c)
#define KUNIT_EXPECT_FALSE(t, c)	SHIM_CHECK(t, false, !(c), "!" #c)
#define KUNIT_EXPECT_EQ(t, a, b)	SHIM_CHECK(t, false, (a) == (b), #a " == " #b)
#define KUNIT_EXPECT_NE(t, a, b)	SHIM_CHECK(t, false, (a) != (b), #a " != " #b)
#define KUNIT_EXPECT_PTR_EQ(t, a, b)	KUNIT_EXPECT_EQ(t, (void *)(a), (void *)(b))
#define KUNIT_EXPECT_NULL(t, p)		KUNIT_EXPECT_PTR_EQ(t, p, NULL)
#define KUNIT_EXPECT_NOT_NULL(t, p)	KUNIT_EXPECT_TRUE(t, p)
#define KUNIT_EXPECT_MEMEQ(t, a, b, n)	SHIM_CHECK(t, false, !memcmp(a, b, n), #a " is " #b)
#define KUNIT_EXPECT_NULL_MSG(t, p, fmt, s)	SHIM_CHECK(t, false, !(p), s)
#define KUNIT_ASSERT_TRUE(t, c)		SHIM_CHECK(t, true, c, #c)
#define KUNIT_ASSERT_FALSE(t, c)	SHIM_CHECK(t, true, !(c), "!" #c)
#define KUNIT_ASSERT_EQ(t, a, b)	SHIM_CHECK(t, true, (a) == (b), #a " == " #b)
#define KUNIT_ASSERT_NULL(t, p)		SHIM_CHECK(t, true, !(p), #p " is NULL")
#define KUNIT_ASSERT_NOT_NULL(t, p)	SHIM_CHECK(t, true, p, #p " is not NULL")

#endif
