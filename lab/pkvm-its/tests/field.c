// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has been reported from real machines, and is not a matter of one command or register.
 *
 * Reports that have their tests elsewhere: base registers that keep 32 bits (RK356x) in
 * machines.keeps_32_bits and rdist.base_keeps_32_bits; a GIC that does not snoop (RK3588,
 * i.MX95) in machines.page_size_not_snooping and mapd.forged_contents_not_coherent; registers
 * that are lost with power, or restored by firmware, in rdist.tables and reg.replay_*;
 * DeviceIDs and entry sizes that a quirk changes (Cavium, QDF2400, Synquacer) in
 * handover.quirk_*.
 */

#include <nvhe/mmio_guard.h>

#include "test.h"

#define NR_ITSS		16
#define EVENT_BITS	5
#define DEV		7

/* Of 16 ITSs one can't be activated: those before it are confined, the others the driver's. */
static void one_of_16(unsigned int failing)
{
	struct host_its *its[NR_ITSS];
	unsigned int i;
	u64 free;

	machine_reset();
	for (i = 0; i < NR_ITSS; i++)
		its[i] = its_start(&machine_default);
	free = mem_count(MEM_HOST);

	for (i = 0; i < NR_ITSS; i++)
		EXPECT(!its_register(its[i]));
	for (i = 0; i < failing; i++)
		EXPECT(!its_activate(its[i]));

	mem_fail_call = 1;
	EXPECT_EQ(its_activate(its[failing]), -ENOMEM);
	for (i = NR_ITSS; i-- > failing; )
		EXPECT(!its_unregister(its[i]));
	EXPECT_EQ(mem_count(MEM_HOST) == free, !failing);

	for (i = 0; i < failing; i++) {
		test_map(its[i], DEV, EVENT_BITS);
		ACCEPT(its[i], cmd_mapti(DEV, 1, 8192 + i, 0));
		REFUSE(its[i], PKVM_ITS_REFUSED_BAD_DEVICE,
		       cmd_mapd(BIT(its[i]->cfg.its.dev_bits), EVENT_BITS, 0));
	}

	for (; i < NR_ITSS; i++) {
		EXPECT(!mmio_guard_find(its[i]->cfg.its.base));
		its_stage(its[i], cmd_sync(its_model_rdbase(its[i]->model, 0)));
		its_ring(its[i]);
		EXPECT_EQ(its[i]->model->creadr, its[i]->next * 32);
	}
}

static void sixteen_itss_one_fails(void)
{
	one_of_16(0);
	one_of_16(7);
	one_of_16(NR_ITSS - 1);
}

/* An ITS is not quiescent at once when it has been disabled: the driver waits, EL2 does not. */
static void quiescence_takes_time(void)
{
	struct host_its *its = its_up(&machine_default);
	unsigned int polls = 0;

	its->model->quiesces = 100;
	its_write(its, GITS_CTLR, 0, 4);
	EXPECT(!(its->model->ctlr & GITS_CTLR_ENABLE));

	/* EL2 reads it once, and ignores the write. */
	its_write(its, GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT(!(its->model->ctlr & GITS_CTLR_ENABLE));
	its_write(its, GITS_CBASER, 0, 8);

	while (!(its_read(its, GITS_CTLR) & GITS_CTLR_QUIESCENT))
		polls++;
	EXPECT(polls > 90 && polls < 100);

	its_write(its, GITS_CBASER, its->model->cbaser, 8);
	its_write(its, GITS_CWRITER, 0, 8);
	its->next = 0;
	its_write(its, GITS_CTLR, GITS_CTLR_ENABLE, 4);
	EXPECT(its->model->ctlr & GITS_CTLR_ENABLE);
	ACCEPT(its, cmd_sync(its_model_rdbase(its->model, 0)));
}

const struct test field_tests[] = {
	TEST(sixteen_itss_one_fails),
	TEST(quiescence_takes_time),
	{}
};
