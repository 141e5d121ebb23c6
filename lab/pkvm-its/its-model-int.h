/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the model of an ITS share.
 */
#ifndef __PKVM_ITS_MODEL_INT_H__
#define __PKVM_ITS_MODEL_INT_H__

#include <linux/bitfield.h>

#include "its-model.h"
#include "mem.h"

#define LPI_BASE	8192

#define field(val, high, low)	FIELD_GET(GENMASK_ULL(high, low), val)

struct its_model *its_model_get(unsigned int nr);

void check_res0(const u64 *cmd, u64 mask0, u64 mask1, u64 mask2, u64 mask3);
void check_rdbase(struct its_model *its, u64 rdbase);
u64 keep_address(struct its_model *its, u64 addr);

u64 find_baser(struct its_model *its, unsigned int type);
phys_addr_t entry_address(struct its_model *its, u64 baser, u64 id);
struct its_token *read_entry(struct its_model *its, phys_addr_t phys, u32 size,
			     enum access access);
void write_entry(struct its_model *its, phys_addr_t phys, u32 size, enum access access,
		 const struct its_token *token);
struct its_token *find_dte(struct its_model *its, u32 dev_id, phys_addr_t *where);
struct its_token *find_ite(struct its_model *its, const struct its_token *dte, u32 event_id);
phys_addr_t ite_address(struct its_model *its, const struct its_token *dte, u32 event_id);

#endif /* __PKVM_ITS_MODEL_INT_H__ */
