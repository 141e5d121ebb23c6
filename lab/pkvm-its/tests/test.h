/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test is a function that dies if something is wrong. Each runs in a process of its own.
 */
#ifndef __PKVM_ITS_TEST_H__
#define __PKVM_ITS_TEST_H__

#include <unistd.h>

#include <linux/bitfield.h>

#include "../el2.h"
#include "../machine.h"

struct test {
	const char	*name;
	void		(*fn)(void);
};

#define TEST(fn)	{ #fn, fn }

extern const struct test mapd_tests[], mapc_tests[], event_tests[], sync_tests[], queue_tests[],
			 level2_tests[], race_tests[], handover_tests[], reg_tests[],
			 hypercall_tests[], machines_tests[], model_tests[], rdist_tests[],
			 field_tests[], vpe_tests[], vlpi_tests[], vlpi41_tests[],
			 ghost_tests[];

#define EXPECT(cond)								\
do {										\
	if (!(cond))								\
		mem_fail("%s:%d: not so: %s", __FILE__, __LINE__, #cond);	\
} while (0)

#define EXPECT_EQ(a, b)								\
do {										\
	unsigned long long __a = (a), __b = (b);				\
										\
	if (__a != __b)								\
		mem_fail("%s:%d: %s is 0x%llx, not %s (0x%llx)", __FILE__, __LINE__, #a, __a, \
			 #b, __b);						\
} while (0)

/*
 * The host posts @cmd, and it is accepted: the ITS gets to execute what was posted, without
 * an error, and nothing is refused.
 */
#define ACCEPT(its, cmd)							\
do {										\
	if (!test_accept(its, cmd))						\
		mem_fail("%s:%d: not accepted: %s", __FILE__, __LINE__, #cmd);	\
} while (0)

/* Likewise, but what the ITS gets to execute is @executed. */
#define ACCEPT_AS(its, posted, executed)					\
do {										\
	if (!test_accept_as(its, posted, executed))				\
		mem_fail("%s:%d: not accepted: %s", __FILE__, __LINE__, #posted); \
} while (0)

/*
 * The host posts @cmd, and it is refused for @reason: the ITS gets a SYNC in its place, and
 * no memory changes hands.
 */
#define REFUSE(its, reason, cmd)						\
do {										\
	if (!test_refuse(its, reason, cmd))					\
		mem_fail("%s:%d: not refused as " #reason ": %s", __FILE__, __LINE__, #cmd); \
} while (0)

/* @statement ends the process, with @message among what it has to say. */
#define EXPECT_DEATH(statement, message)					\
do {										\
	const char *__message = message;					\
	int __fd;								\
										\
	if (!test_fork(&__fd)) {						\
		statement;							\
		_exit(0);							\
	}									\
										\
	if (!test_died(__fd, __message))					\
		mem_fail("%s:%d: does not die of \"%s\": %s", __FILE__, __LINE__, \
			 __message, #statement);				\
} while (0)

pid_t test_fork(int *fd);
bool test_died(int fd, const char *message);

bool test_accept(struct host_its *its, struct cmd cmd);
bool test_accept_as(struct host_its *its, struct cmd posted, struct cmd executed);
bool test_refuse(struct host_its *its, enum pkvm_its_verdict reason, struct cmd cmd);

/* A device is not prepared as long as any page of the range is not the host's own. */
void test_unprepared_if_not_hosts(struct host_its *its, u64 dev_id, u32 event_bits,
				  phys_addr_t itt, phys_addr_t phys, u64 size);

/* Has what it takes to map a device, and returns its ITT. */
phys_addr_t test_prepare(struct host_its *its, u32 dev_id, u32 event_bits);

/* Maps a device in all that takes, and returns its ITT. */
phys_addr_t test_map(struct host_its *its, u32 dev_id, u32 event_bits);

/* Unmaps a device without events, and gets its memory back. */
#define UNMAP(its, dev_id)							\
do {										\
	if (!test_unmap(its, dev_id))						\
		mem_fail("%s:%d: not unmapped: %s", __FILE__, __LINE__, #dev_id); \
} while (0)

bool test_unmap(struct host_its *its, u32 dev_id);

/* Unmaps an event. */
#define DISCARD(its, dev_id, event_id)	ACCEPT(its, cmd_event(GITS_CMD_DISCARD, dev_id, event_id))

/* EL2 does not prepare a device for @ret, and no memory changes hands. */
#define UNPREPARED(its, ret, dev_id, event_bits, itt)				\
do {										\
	if (!test_unprepared(its, ret, dev_id, event_bits, itt))		\
		mem_fail("%s:%d: not " #ret ": %s", __FILE__, __LINE__, #itt);	\
} while (0)

bool test_unprepared(struct host_its *its, int ret, u64 dev_id, u32 event_bits, phys_addr_t itt);

/* The registers of an ITS as they are, and a way to set them behind EL2's back */
struct test_regs {
	u64	ctlr;
	u64	cbaser;
	u64	cwriter;
	u64	creadr;
	u64	baser[GITS_BASER_NR_REGS];
};

struct test_regs test_regs(const struct host_its *its);
void test_set_regs(struct host_its *its, const struct test_regs *regs);
bool test_same_regs(const struct host_its *its, const struct test_regs *regs);

/* Bytes of memory that an ITT takes */
u64 test_itt_size(struct host_its *its, u32 event_bits);

/* 64K of memory that is not the host's any more: of EL2 or of a protected VM */
phys_addr_t test_victim(enum mem_owner owner);

/* Enables a vINTID in a virtual property table, and returns the table. */
phys_addr_t test_turn_on(phys_addr_t vprop, u32 vintid);
/* The host drops the queue of an ITS that is disabled, and begins a new one. */
void test_restart(struct host_its *its);

u64 test_read_vpendbaser(struct rdist_model *rdist);
void test_wait_clean(struct rdist_model *rdist);

#endif /* __PKVM_ITS_TEST_H__ */
