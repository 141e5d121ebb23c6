// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the unit tests, each in a process of its own, and prints KTAP. With an argument,
 * runs the tests that have it in their name, in this process if it is just one.
 */

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

/* Room for more than EL2 takes in one go */
#define LOW_SIZE	SZ_256M
#define HIGH_SIZE	SZ_64M

#define TEST_SECONDS	300

/* The byte of a virtual LPI that is enabled */
#define PROP_ON		0xa3

#define SUITE(name)	{ #name, name##_tests }

static const struct {
	const char		*name;
	const struct test	*tests;
} suites[] = {
	SUITE(model),
	SUITE(mapd),
	SUITE(mapc),
	SUITE(event),
	SUITE(sync),
	SUITE(queue),
	SUITE(level2),
	SUITE(race),
	SUITE(handover),
	SUITE(hypercall),
	SUITE(reg),
	SUITE(rdist),
	SUITE(vpe),
	SUITE(vlpi),
	SUITE(vlpi41),
	SUITE(machines),
	SUITE(field),
	SUITE(ghost),
};

/* Each test is a process of its own. Looking for leaks at its end takes most of its time. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* The ITS has executed @cmd last, and is where the host is. */
static bool executed_last(struct host_its *its, const struct cmd *cmd)
{
	its_model_step(its->model, UINT_MAX);

	return !memcmp(its->model->last, cmd->raw, sizeof(*cmd)) &&
	       its->model->creadr == its->next * sizeof(*cmd);
}

bool test_accept_as(struct host_its *its, struct cmd posted, struct cmd executed)
{
	u64 accepted = its_stat(its, PKVM_ITS_ACCEPTED), refused = its_refused_all(its);
	u64 errors = its->model->errors;

	its_stage(its, posted);
	its_ring(its);

	return executed_last(its, &executed) && its->model->errors == errors &&
	       its_stat(its, PKVM_ITS_ACCEPTED) == accepted + 1 && its_refused_all(its) == refused;
}

bool test_accept(struct host_its *its, struct cmd cmd)
{
	const struct hyp_its_device *device;
	u32 dev_id = cmd.raw[0] >> 32;

	/* What EL2 adds for the hardware to see */
	device = (cmd.raw[0] & 0xff) == GITS_CMD_MAPD && !(cmd.raw[2] & BIT_ULL(63)) ?
		 el2_device(its->id, dev_id) : NULL;
	if (device)
		return test_accept_as(its, cmd, cmd_unmapd_full(dev_id, device->event_bits,
								device->itt));

	return test_accept_as(its, cmd, cmd);
}

bool test_unmap(struct host_its *its, u32 dev_id)
{
	u64 held, size;

	if (!el2_is_mapped(its->id, dev_id))
		return false;

	held = its_stat(its, PKVM_ITS_HELD_PAGES);
	size = test_itt_size(its, el2_device(its->id, dev_id)->event_bits);

	return test_accept(its, cmd_unmapd(dev_id)) &&
	       test_accept(its, cmd_sync(its_model_rdbase(its->model, 0))) &&
	       !its_reclaim(its, dev_id) && !el2_device(its->id, dev_id) &&
	       its_stat(its, PKVM_ITS_HELD_PAGES) == held - size / PAGE_SIZE;
}

bool test_unprepared(struct host_its *its, int ret, u64 dev_id, u32 event_bits, phys_addr_t itt)
{
	u64 held = its_stat(its, PKVM_ITS_HELD_PAGES), owned = mem_count(MEM_ITS);
	const struct hyp_its_device *device = el2_device(its->id, dev_id);

	return its_prepare(its, dev_id, event_bits, itt) == ret &&
	       el2_device(its->id, dev_id) == device &&
	       its_stat(its, PKVM_ITS_HELD_PAGES) == held && mem_count(MEM_ITS) == owned;
}

bool test_refuse(struct host_its *its, enum pkvm_its_verdict reason, struct cmd cmd)
{
	u64 accepted = its_stat(its, PKVM_ITS_ACCEPTED), refused = its_refused_all(its);
	struct cmd sync = cmd_sync(its_model_rdbase(its->model, 0));
	u64 nr = its_stat(its, reason), traced = el2_nr_traced;
	u64 held = its_stat(its, PKVM_ITS_HELD_PAGES), owned = mem_count(MEM_ITS);

	its_stage(its, cmd);
	its_ring(its);

	return executed_last(its, &sync) && its_stat(its, reason) == nr + 1 &&
	       its_refused_all(its) == refused + 1 &&
	       its_stat(its, PKVM_ITS_ACCEPTED) == accepted &&
	       el2_nr_traced == traced + 1 && el2_traced_reason == reason &&
	       its_stat(its, PKVM_ITS_HELD_PAGES) == held && mem_count(MEM_ITS) == owned;
}

struct test_regs test_regs(const struct host_its *its)
{
	struct test_regs regs = {
		.ctlr		= its->model->ctlr,
		.cbaser		= its->model->cbaser,
		.cwriter	= its->model->cwriter,
		.creadr		= its->model->creadr,
	};

	memcpy(regs.baser, its->model->baser, sizeof(regs.baser));

	return regs;
}

void test_set_regs(struct host_its *its, const struct test_regs *regs)
{
	its->model->ctlr = regs->ctlr;
	its->model->cbaser = regs->cbaser;
	its->model->cwriter = regs->cwriter;
	its->model->creadr = regs->creadr;
	memcpy(its->model->baser, regs->baser, sizeof(regs->baser));
}

bool test_same_regs(const struct host_its *its, const struct test_regs *regs)
{
	struct test_regs now = test_regs(its);

	return !memcmp(&now, regs, sizeof(now));
}

u64 test_itt_size(struct host_its *its, u32 event_bits)
{
	return its_staging_itt_size(its->cfg.its.ite_size, event_bits);
}

phys_addr_t test_prepare(struct host_its *its, u32 dev_id, u32 event_bits)
{
	phys_addr_t itt = its_alloc_itt(its, event_bits);

	if (its->cfg.devices.indirect)
		its_stage_level2(its, BASER_DEVICES, dev_id);
	EXPECT_EQ(its_prepare(its, dev_id, event_bits, itt), 0);

	return itt;
}

phys_addr_t test_map(struct host_its *its, u32 dev_id, u32 event_bits)
{
	phys_addr_t itt = test_prepare(its, dev_id, event_bits);

	ACCEPT(its, cmd_mapd(dev_id, event_bits, itt));

	return itt;
}

void test_unprepared_if_not_hosts(struct host_its *its, u64 dev_id, u32 event_bits,
				  phys_addr_t itt, phys_addr_t phys, u64 size)
{
	static const struct mem_page others[] = {
		{ .owner = MEM_GUEST, .dirty = true },
		{ .owner = MEM_EL2, .dirty = true },
		{ .owner = MEM_ITS, .dirty = true },
		{ .shared = true, .dirty = true },
		{ .shared = true, .pins = 1, .dirty = true },
	};
	struct mem_page *page;
	phys_addr_t at;
	unsigned int i;

	for (at = ALIGN_DOWN(phys, PAGE_SIZE); at < phys + size; at += PAGE_SIZE) {
		page = mem_page(at);
		for (i = 0; i < ARRAY_SIZE(others); i++) {
			*page = others[i];
			UNPREPARED(its, -EPERM, dev_id, event_bits, itt);
			EXPECT(!memcmp(page, &others[i], sizeof(*page)));
		}

		*page = (struct mem_page) { .dirty = true };
	}
}

phys_addr_t test_victim(enum mem_owner owner)
{
	phys_addr_t phys = host_alloc(SZ_64K, SZ_64K), at;

	for (at = phys; at < phys + SZ_64K; at += PAGE_SIZE) {
		if (owner == MEM_GUEST)
			EXPECT(mem_give_guest(at));
		else
			mem_give_el2(at);
	}

	return phys;
}

void test_restart(struct host_its *its)
{
	its_write(its, GITS_CBASER, 0, 8);
	its->next = 0;
	its_write(its, GITS_CTLR, GITS_CTLR_ENABLE, 4);
}

phys_addr_t test_turn_on(phys_addr_t vprop, u32 vintid)
{
	u8 on = PROP_ON;

	mem_its_write(vprop + vintid - 8192, &on, sizeof(on), false);

	return vprop;
}

u64 test_read_vpendbaser(struct rdist_model *rdist)
{
	return rdist_model_read(rdist, SZ_128K + GICR_VPENDBASER, 8);
}

void test_wait_clean(struct rdist_model *rdist)
{
	while (test_read_vpendbaser(rdist) & GICR_VPENDBASER_Dirty)
		continue;
}

/* What the child has to say goes to @fd. */
pid_t test_fork(int *fd)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		mem_fail("no pipe");

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		mem_fail("no process");

	if (!pid)
		dup2(fds[1], STDERR_FILENO);

	close(fds[1]);
	*fd = fds[0];

	return pid;
}

bool test_died(int fd, const char *message)
{
	char text[8192];
	size_t len = 0;
	ssize_t nr;
	int status;

	while ((nr = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += nr;
	text[len] = '\0';
	close(fd);

	return wait(&status) > 0 && status && strstr(text, message);
}

/* A test that does not end is ended by its alarm, and has failed. */
static bool run(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(TEST_SECONDS);
		machine_reset();
		test->fn();
		exit(0);
	}

	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

int main(int argc, char **argv)
{
	const char *want = argc > 1 ? argv[1] : NULL;
	unsigned int s, nr = 0, failed = 0;
	const struct test *test;
	char name[128];
	bool ok;

	for (s = 0; s < ARRAY_SIZE(suites); s++) {
		for (test = suites[s].tests; test->name; test++) {
			snprintf(name, sizeof(name), "%s.%s", suites[s].name, test->name);
			nr += !want || strstr(name, want);
		}
	}

	printf("TAP version 13\n1..%u\n", nr);
	mem_init(LOW_SIZE, HIGH_SIZE);
	nr = 0;

	for (s = 0; s < ARRAY_SIZE(suites); s++) {
		for (test = suites[s].tests; test->name; test++) {
			snprintf(name, sizeof(name), "%s.%s", suites[s].name, test->name);
			if (want && !strstr(name, want))
				continue;

			ok = run(test);
			failed += !ok;
			printf("%sok %u %s\n", ok ? "" : "not ", ++nr, name);
		}
	}

	return failed || !nr;
}
