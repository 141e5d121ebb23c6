/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a GICv4 adds to the models of ITSs and redistributors: vPEs, virtual LPIs, and the
 * tables that these have in memory.
 */
#ifndef __PKVM_VPE_MODEL_H__
#define __PKVM_VPE_MODEL_H__

#include "its-model.h"
#include "rdist-model.h"

/* What happens to a virtual LPI */
enum vlpi {
	VLPI_NONE,	/* the event is not mapped to one */
	VLPI_DELIVERED,	/* its vPE is resident and gets it */
	VLPI_PENDING,	/* its vPE is not resident: it waits in memory */
	VLPI_DOORBELL,	/* likewise, and a doorbell rings */
};

void vpe_model_reset(void);

/* For the ITS */
u64 vpe_model_typer(const struct its_model *its);
u64 vpe_model_table(struct its_model *its);
bool vpe_model_has_command(struct its_model *its, u32 nr);
bool vpe_model_execute(struct its_model *its, const u64 *cmd);
bool vpe_model_event(struct its_model *its, u32 nr, const struct its_token *ite);
bool vpe_model_sgi(struct its_model *its, u32 vpeid, u32 sgi);
u32 vpe_model_sgi_config(struct its_model *its, u32 vpeid, u32 sgi);
enum vlpi vpe_model_translate(struct its_model *its, u32 dev_id, u32 event_id);
void vpe_model_released(phys_addr_t phys, u64 size);

/* For the redistributor */
u64 vpe_model_read_vpendbaser(struct rdist_model *rdist);
void vpe_model_write_vpendbaser(struct rdist_model *rdist, u64 val);
void vpe_model_write_vpropbaser(struct rdist_model *rdist, u64 val);
void vpe_model_write_vsgir(struct rdist_model *rdist, u32 vpeid);
void vpe_model_invalidate(struct rdist_model *rdist, u32 vpeid, u32 vintid);

#endif /* __PKVM_VPE_MODEL_H__ */
