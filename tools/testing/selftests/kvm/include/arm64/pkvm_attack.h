/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs have in common that play a malicious host against the GICv3 of
 * the machine they run on: a list of attacks, and a protected VM as the victim.
 */
#ifndef SELFTEST_KVM_PKVM_ATTACK_H
#define SELFTEST_KVM_PKVM_ATTACK_H

#include <stdbool.h>
#include <stdio.h>

#include <linux/bits.h>
#include <linux/types.h>

#include "pkvm_its.h"

/*
 * DeviceIDs that no device of the machine has: bus 31 as PCI counts. The first
 * is for checking that the ITS still works, the others are for the cases.
 */
#define DEV_CANARY		0x1f00
#define DEV_A			0x1f08
#define DEV_B			0x1f10
#define DEV_NONE		0x1f18

#define EVENT_BITS		5
#define NR_EVENTS		BIT(EVENT_BITS)

enum result {
	RES_CORRUPTED,	/* the guest saw its memory change */
	RES_REACHED,	/* what the attacker wrote got to the hardware */
	RES_BLOCKED,
	RES_ERROR,
	RES_SKIP,
};

/**
 * struct test - what an attack works with
 * @its: an ITS
 * @lpis: the LPIs of @its that can be seen to arrive
 * @pvm: the victim
 * @mode: whether the hypervisor protects the victim from the GIC
 * @store: attack::store
 * @canary_itt: physical address of memory for an ITT
 * @refused: how many commands EL2 had refused when the attack began
 * @lpi_canary: an LPI, the runner's own
 * @lpi: another one, for the attack
 * @why: what is behind RES_ERROR
 */
struct test {
	struct its its;
	struct its_lpis lpis;
	struct pvm pvm;
	enum pkvm_its_mode mode;
	void (*store)(void *addr, void *arg);
	u64 canary_itt;
	u64 refused;
	u32 lpi_canary;
	u32 lpi;
	char why[256];
};

/**
 * struct attack - an attack
 * @name: its name
 * @fn: makes it, and returns the result
 * @victim: says which page may be the victim; its second argument is the struct test
 * @skip: why @fn returns RES_SKIP, if it can
 * @store: how a register is written, if that is what makes the attack
 * @gicv4: it takes a GICv4
 * @no_vm: it creates its victim itself
 */
struct attack {
	const char *name;
	enum result (*fn)(struct test *t);
	pvm_page_ok victim;
	const char *skip;
	void (*store)(void *addr, void *arg);
	bool gicv4;
	bool no_vm;
};

#define ATTACK(n, ...)	{ .name = #n, .fn = n, ##__VA_ARGS__ }

/* A way to write a register that an emulation has trouble with, as an attack of its own */
#define ATTACK_STORE(prefix, f, how)						\
	{ .name = prefix #how, .fn = f, .store = store_##how,			\
	  .skip = "the CPU has no such access, or refuses it itself" }

/**
 * struct attacks - the attacks of a program
 * @list: the attacks
 * @nr: how many
 * @setup: called once, before the first
 * @works: called after each: is the hardware as it was? What is common to all
 *	   programs is looked at anyway
 */
struct attacks {
	const struct attack *list;
	unsigned int nr;
	int (*setup)(struct test *t);
	bool (*works)(struct test *t);
};

#define FAIL(t, ...)							\
	({								\
		snprintf((t)->why, sizeof((t)->why), __VA_ARGS__);	\
		RES_ERROR;						\
	})

static inline bool confined(struct test *t)
{
	return t->mode == PKVM_ITS_CONFINED;
}

int attack_main(int argc, char **argv, const struct attacks *attacks);

u64 refused(struct test *t);
enum result look(struct test *t, enum result otherwise);
enum result blocked_by_el2(struct test *t, int ret);
enum fault try_store(struct test *t, void *addr, u64 val, u64 old);
enum result store_result(struct test *t, bool changed, enum fault fault);
int post1(struct test *t, struct its_cmd cmd);
void unmap(struct test *t, u32 device);
void touch_neighbours(u64 pa, u64 distance);
void touch_everything(void);

void store_8bit(void *addr, void *arg);
void store_16bit(void *addr, void *arg);
void store_misaligned(void *addr, void *arg);
void store_pair_32(void *addr, void *arg);
void store_pair_64(void *addr, void *arg);
void store_pair_misaligned(void *addr, void *arg);
void store_post_index(void *addr, void *arg);
void store_simd(void *addr, void *arg);
void store_exclusive(void *addr, void *arg);
void store_atomic(void *addr, void *arg);

#endif /* SELFTEST_KVM_PKVM_ATTACK_H */
