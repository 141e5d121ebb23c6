/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A GICv3 ITS in software, for one that does what the architecture says and no more, at
 * any pace, and that complains when it is led to memory it should not touch.
 */
#ifndef __PKVM_ITS_MODEL_H__
#define __PKVM_ITS_MODEL_H__

#include <linux/irqchip/arm-gic-v3.h>

#include <kernel-shim.h>

#define ITS_MAX_MODELS	65
#define ITS_MAX_RDBASES		8
#define ITS_MAX_TOKENS		65536

#define ITS_FRAME		SZ_64K

/* What an ITS uses memory for: see mem_page::use */
enum access {
	ACCESS_QUEUE = 1,
	ACCESS_TABLE,
	ACCESS_ITT,
};

/* When commands are executed */
enum its_pace {
	ITS_AT_ONCE,	/* when GITS_CWRITER is written */
	ITS_ON_READ,	/* one whenever GITS_CREADR is read */
	ITS_STALLED,	/* only with its_model_step() */
};

/* What it knows of vPEs */
enum its_vpes {
	ITS_NO_VPES,
	ITS_GICV4_0,
	ITS_GICV4_1,
};

/**
 * struct its_model_config - what kind of ITS it is
 * @base: physical address of the control frame
 * @dev_bits: number of DeviceID bits
 * @event_bits: number of EventID bits
 * @lpi_bits: number of INTID bits of the redistributors
 * @vpeid_bits: number of vPEID bits of the redistributors, and of this ITS
 * @ite_size: bytes per entry of an ITT, 1 to 16
 * @pta: RDbases are addresses
 * @vlpi_rdbase_offset: what RDbases in commands for vPEs are too large by
 * @hcc: number of collections held in the ITS
 * @nr_rdbases: number of redistributors
 * @nc: does not snoop the caches
 * @addr_bits: number of address bits that registers, tables and commands keep, 0 for all
 * @vpes: its virtual LPIs
 * @vmovp: GICv4.0: one VMOVP moves a vPE on all ITSs
 * @vmovp_list: GICv4.1: each ITS needs one, as those of GICv4.0 without @vmovp
 */
struct its_model_config {
	phys_addr_t	base;
	u32		dev_bits;
	u32		event_bits;
	u32		lpi_bits;
	u32		vpeid_bits;
	u32		ite_size;
	bool		pta;
	u32		vlpi_rdbase_offset;
	u32		hcc;
	u32		nr_rdbases;
	bool		nc;
	u32		addr_bits;
	enum its_vpes	vpes;
	bool		vmovp;
	bool		vmovp_list;
};

/* What an entry of a table or an ITT stands for. Memory holds the number of the token. */
struct its_token {
	phys_addr_t	where;
	u64		mapping;	/* DTE and ITE: number of the MAPD */
	phys_addr_t	itt;		/* DTE */
	u32		event_bits;	/* DTE */
	u32		intid;		/* ITE */
	u32		icid;		/* ITE */
	u64		rdbase;		/* CTE, vPE */
	bool		is_vlpi;	/* ITE: @intid is virtual */
	u32		vpeid;		/* ITE that is virtual, vPE */
	u32		doorbell;	/* ITE that is virtual, vPE */
	phys_addr_t	vpt;		/* vPE */
	u32		vpt_bits;	/* vPE */
	phys_addr_t	vconf;		/* vPE, with GICv4.1 */
};

/**
 * struct its_model - an ITS
 * @cfg: what kind
 * @confined: the driver has handed it over: it may access EL2's memory only
 * @pace: when commands are executed
 * @quiesces: number of reads of GITS_CTLR until it is quiescent after it was disabled
 * @unquiet: how many of them are left
 * @ctlr: GITS_CTLR without Quiescent
 * @cbaser: GITS_CBASER
 * @cwriter: GITS_CWRITER
 * @creadr: GITS_CREADR
 * @baser: GITS_BASER<n>
 * @vpe_table: that of the table of vPEs, as it was last: a redistributor has power of its own
 * @hw_collections: the collections held in the ITS
 * @nr_mappings: number of MAPD so far
 * @replays: after a power cycle, it may go through commands again
 * @errors: number of commands with an error
 * @excused: how many of these only the ITS could know of
 * @executed: number of commands, by number
 * @creadr_reads: how often GITS_CREADR was read
 * @cwriter_writes: how often GITS_CWRITER was written
 * @last: the command executed last
 * @tokens: the entries in memory
 * @nr_tokens: number of @tokens, from 1
 */
struct its_model {
	struct its_model_config	cfg;
	bool			confined;
	enum its_pace		pace;
	u32			quiesces;
	u32			unquiet;
	u32			ctlr;
	u64			cbaser;
	u64			cwriter;
	u64			creadr;
	u64			baser[GITS_BASER_NR_REGS];
	u64			vpe_table;
	struct its_token	hw_collections[256];
	u64			nr_mappings;
	bool			replays;
	u64			errors;
	u64			excused;
	u64			executed[256];
	u64			creadr_reads;
	u64			cwriter_writes;
	u64			last[4];
	struct its_token	tokens[ITS_MAX_TOKENS];
	u32			nr_tokens;
};

/* Called for each command that is executed, if set */
extern void (*its_model_executes)(const u64 *cmd);

/* Called when EL2 has read GITS_CTLR, if set: what other CPUs do at that moment */
extern void (*its_model_ctlr_read)(struct its_model *its);

void its_model_reset(void);
struct its_model *its_model_add(const struct its_model_config *cfg);
u64 its_model_typer(const struct its_model *its);
u64 its_model_rdbase(const struct its_model *its, unsigned int nr);
u64 its_model_read(struct its_model *its, u64 offset, unsigned int size);
void its_model_write(struct its_model *its, u64 offset, u64 val, unsigned int size);
unsigned int its_model_step(struct its_model *its, unsigned int nr);
void its_model_power_off(struct its_model *its);
void its_model_power_cycle(struct its_model *its);
void its_model_replay(struct its_model *its, u64 cwriter);
bool its_model_translate(struct its_model *its, u32 dev_id, u32 event_id, u32 *intid, u64 *rdbase);
bool its_model_is_mapped(struct its_model *its, u32 dev_id);
void its_model_released(phys_addr_t phys, u64 size);

#endif /* __PKVM_ITS_MODEL_H__ */
