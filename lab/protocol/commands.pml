// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who owns an ITT while commands are in flight, and while an ITS loses power.
 *
 * A host does anything it can after the hand-over: it calls EL2's doors and writes GITS
 * registers in any order, with any arguments, and meanwhile donates pages to a guest. EL2's
 * entries run under a lock: however many CPUs the host has, one is in an entry (Entry), and
 * others move memory (Memory) or suspend the system (Power). At any time the host may become
 * honest: it then begins a new queue, unmaps all devices, waits, and asks for its memory.
 * With HONEST, it has two CPUs and is honest from the start (Cpu).
 *
 * Properties
 *  - the ITS uses a page only while EL2 owns it, and maps a device only to an ITT that EL2
 *    has zeroed and no other device uses (the assertions in Its);
 *  - a host that becomes honest gets all of its pages back, other than those of devices that
 *    it has unmapped and then dropped the command queue (the assertions in recover()). One
 *    that has always been honest gets all back (those in honest_cycle());
 *  - no state is a deadlock.
 *
 * Assumptions
 *  - an ITS executes commands in order, some time after GITS_CWRITER is written, and moves
 *    GITS_CREADR when it has; until it has executed a SYNC it may use an ITT that has been
 *    unmapped; a quiescent ITS uses no memory;
 *  - hyp_its::lock serialises EL2's entries, so that only what the hardware can change is
 *    a step of its own;
 *  - what is in a command is checked by its-cmd.c (lab/prove/cmd.c). The staging queue needs
 *    no model: a command is whatever the host wants at the moment that EL2 reads it;
 *  - with POWER: an ITS that is disabled and quiescent may lose power at any time, and comes
 *    back with its registers reset, or as firmware restores them: GITS_CREADR and GITS_CWRITER
 *    with any offset, GITS_CBASER and GITS_BASER<n> as they were. Firmware enables it only if
 *    the system was suspended, which EL2 knows of.
 *
 * EL2 compares 64-bit counts of commands. Those grow without end, so a record keeps the
 * difference instead: how many commands have to be consumed before the SYNC behind the
 * device's unmap has been.
 *
 * The faults that a run must find are at each #ifdef FAULT_*; models.list has them all.
 */

/*
 * With SMALL, commands and calls name the first device and the first two pages alone, and the
 * queue has 3 slots, two of which can be in use: a search with POWER ends in a minute then.
 */
#define NDEVS	2
#define NPAGES	3
#ifdef SMALL
#define QUEUE	3
#else
#define QUEUE	4
#endif

/* Owners of a page */
#define HOST		0
#define EL2		1
#define GUEST		2

/* States of a device's record */
#define EMPTY		0
#define PREPARED	1
#define MAPPED		2
#define UNMAPPED	3

/* Commands; all that are refused become a SYNC, and so does what is not modelled */
#define SYNC		0
#define MAPD		1
#define UNMAPD		2

/* record_wait[]: no SYNC has been committed behind the unmap. 0: one has been passed */
#define NO_SYNC		(QUEUE + 1)
#define NEVER		(QUEUE + 2)

#define NO_PAGE		NPAGES

/* Device 0 has an ITT of one page, the others have one of two. */
#define PAGES(dev)	((dev) -> 2 : 1)
#define HAS(dev, first, page) \
	((first) != NO_PAGE && (page) >= (first) && (page) < (first) + PAGES(dev))
#define NEXT(slot)	(((slot) + 1) % QUEUE)
#define BETWEEN(from, to) (((to) + QUEUE - (from)) % QUEUE)

/* Memory, as mem_protect.c knows it */
byte owner[NPAGES];
bool dirty[NPAGES];		/* the host may have written to it since it was zeroed */

/* EL2: struct hyp_its */
bool locked;
byte record[NDEVS];
byte record_itt[NDEVS];
byte record_wait[NDEVS];
byte next, done;
byte slot_cmd[QUEUE], slot_dev[QUEUE], slot_itt[QUEUE];

/* The hardware */
byte creadr, cwriter;
bool on = true, quiescent;
byte dte[NDEVS];		/* the device table: where each device's ITT is */
bool cached[NPAGES];		/* unmapped, and no SYNC since */

#ifdef POWER
bool suspending, suspended;	/* its.c: its_suspending, and hyp_its::suspended */
bool cbaser_valid = true;
#endif
#ifdef FAULT_NOT_QUIESCENT
byte dte_memory[NDEVS];		/* what of the device table has reached memory */
#endif

byte nr_running;		/* hostile processes that have not ended */

/*
 * its.c: its_consume(), note_sync() and scrub_slots(), with GITS_CREADR read as @seen. A slot
 * that has been consumed is made a SYNC.
 */
inline consume(seen)
{
	d_step {
		do
		:: done != seen && BETWEEN(done, seen) <= BETWEEN(done, next) ->
#ifndef FAULT_NO_SCRUB
			slot_cmd[done] = SYNC; slot_dev[done] = 0; slot_itt[done] = 0;
#endif
			for (i : 0 .. NDEVS - 1) {
				if
				:: record_wait[i] > 0 && record_wait[i] < NO_SYNC -> record_wait[i]--
				:: else
				fi
			}
			done = NEXT(done)
		:: else -> break
		od;
		i = 0
	}
}

/* its.c: its_process_cmd(). The hardware does not look at the slot before it has CWRITER. */
inline commit(cmd, dev, page)
{
	d_step {
		slot_cmd[next] = cmd; slot_dev[next] = dev; slot_itt[next] = page;
		next = NEXT(next);
		for (i : 0 .. NDEVS - 1) {
			if
			:: cmd == SYNC && record[i] == UNMAPPED && record_wait[i] == NO_SYNC ->
				record_wait[i] = BETWEEN(done, next)
			:: else
			fi
		}
		i = 0
	}
}

/* its-cmd.c: do_mapd() with V=1: names what is prepared, or is refused */
inline do_mapd(dev, page)
{
	if
	:: record[dev] == PREPARED && record_itt[dev] == page ->
		record[dev] = MAPPED;
		commit(MAPD, dev, page)
	:: else ->
		commit(SYNC, 0, 0)
	fi
}

/* its-cmd.c: do_mapd() with V=0: encoded from the record */
inline do_unmapd(dev)
{
	if
	:: record[dev] == MAPPED ->
		record[dev] = UNMAPPED;
		record_wait[dev] = NO_SYNC;
#ifdef FAULT_NO_SYNC
		/* EL2 goes by the MAPD alone. */
		record_wait[dev] = BETWEEN(done, next) + 1;
#endif
		commit(UNMAPD, dev, 0)
	:: else ->
		commit(SYNC, 0, 0)
	fi
}

inline own(dev, first, whose)
{
	d_step {
		owner[first] = whose;
		dirty[first] = (whose == HOST);
		if
#ifndef FAULT_10_LAST_PAGE
		:: PAGES(dev) == 2 -> owner[first + 1] = whose; dirty[first + 1] = (whose == HOST)
#endif
		:: else
		fi
	}
}

/* A donation takes all pages of the range, or none. */
#define TAKES(dev, first) \
	((first) + PAGES(dev) <= NPAGES && owner[first] == HOST && \
	 (PAGES(dev) == 1 || owner[(first) + PAGES(dev) - 1] == HOST))

#ifdef FAULT_10_SHARED
/* A page that is an ITT already may become part of another one. */
#define TAKES_OR_SHARES(dev, first) \
	((first) + PAGES(dev) <= NPAGES && owner[first] != GUEST && \
	 (PAGES(dev) == 1 || owner[(first) + PAGES(dev) - 1] != GUEST))
#else
#define TAKES_OR_SHARES	TAKES
#endif

/* its.c: __pkvm_its_prepare() */
inline prepare(dev, page)
{
	if
	:: record[dev] == EMPTY && TAKES_OR_SHARES(dev, page) ->
		own(dev, page, EL2);
		record[dev] = PREPARED;
		record_itt[dev] = page
	:: else
	fi
}

#define PASSED(dev) (record_wait[dev] == 0)
#ifdef FAULT_10_EARLY
#undef PASSED
#define PASSED(dev) true
#endif

/* its.c: __pkvm_its_reclaim(). What is prepared has never been in a command. */
inline reclaim(dev)
{
	if
	:: record[dev] == PREPARED || (record[dev] == UNMAPPED && PASSED(dev)) ->
		own(dev, record_itt[dev], HOST);
		record[dev] = EMPTY;
		record_itt[dev] = 0;
		record_wait[dev] = 0
	:: else
	fi
}

/*
 * its.c: its_empty_queue(). Commands that have not been executed never will be. GITS_CREADR is
 * of no use here: some of them may have been executed since it was last believed. The memory of
 * a device whose unmap is one of them stays with EL2. If only the SYNC behind it is, another one
 * will do.
 */
#define IS_LOST(dev, slot) \
	(BETWEEN(done, slot) < BETWEEN(done, next) && \
	 slot_cmd[slot] == UNMAPD && slot_dev[slot] == dev)
#define LOST(dev) \
	(IS_LOST(dev, 0) || IS_LOST(dev, 1) || IS_LOST(dev, 2) || IS_LOST(dev, QUEUE - 1))
inline empty_queue()
{
	d_step {
		for (i : 0 .. NDEVS - 1) {
			if
#ifdef FAULT_RESET
			:: record[i] == UNMAPPED -> record_wait[i] = 0
#else
#ifdef FAULT_RESET_WAITS
			/* A SYNC that follows is taken for one behind the unmap. */
			:: record[i] == UNMAPPED && record_wait[i] > 0 -> record_wait[i] = NO_SYNC
#else
#ifdef FAULT_RESET_ALL
			/* Whether all commands had been executed or not */
			:: record[i] == UNMAPPED -> record_wait[i] = NEVER
#else
			:: record[i] == UNMAPPED && LOST(i) -> record_wait[i] = NEVER
			:: record[i] == UNMAPPED && !LOST(i) && record_wait[i] > 0 &&
			   record_wait[i] < NEVER -> record_wait[i] = NO_SYNC
#endif
#endif
#endif
#ifdef FAULT_UNDO_MAPD
			:: record[i] == MAPPED && done != next && slot_cmd[done] == MAPD &&
			   slot_dev[done] == i -> record[i] = PREPARED
#endif
			:: else
			fi
		}
		i = 0;
		do
		:: done != next ->
#ifndef FAULT_NO_SCRUB
			slot_cmd[done] = SYNC; slot_dev[done] = 0; slot_itt[done] = 0;
#endif
			done = NEXT(done)
		:: else -> break
		od;
#ifdef POWER
		cbaser_valid = true;
#endif
		next = 0; done = 0; creadr = 0; cwriter = 0
	}
}

inline clear_cached()
{
	d_step { cached[0] = false; cached[1] = false; cached[2] = false }
}

inline any_dev(x)
{
	if
	:: x = 0
#ifndef SMALL
	:: x = 1
#endif
	fi
}

inline any_page(x)
{
	if
	:: x = 0
	:: x = 1
#ifndef SMALL
	:: x = 2
#endif
	fi
}

inline any_slot(x)
{
	if
	:: x = 0
	:: x = 1
	:: x = 2
#ifndef SMALL
	:: x = 3
#endif
	fi
}

/* its.c: its_handle_cwriter() is ignored, because the host has to begin a new queue. */
#ifdef POWER
#ifdef FAULT_NO_SUSPENDED
#define IGNORES	false
#else
#define IGNORES	suspended
#endif
#ifdef FAULT_NEW_QUEUE
#define RUNS	true
#else
#define RUNS	(!suspending)
#endif
/* What its_consume() does not believe GITS_CREADR without */
#define KNOWS	(cbaser_valid && on)
#else
#define IGNORES	false
#define RUNS	true
#define KNOWS	true
#endif

/* The registers are looked at after GITS_CREADR was read: power may be lost meanwhile. */
inline consume_known(seen)
{
	if
#ifdef FAULT_BELIEVES
	:: consume(seen)
#else
	:: KNOWS -> consume(seen)
	:: else
#endif
	fi;
	seen = 0
}

inline unlock()
{
	locked = false
}

/*
 * A write of GITS_CWRITER, with one command that is new: more of them in one write are several
 * writes during which the hardware does nothing. A MAPD that does not name what is prepared is
 * a SYNC.
 */
inline hostile_post()
{
	atomic { !locked && !IGNORES -> locked = true; seen = creadr };
	atomic {
		consume_known(seen);
		if
		:: NEXT(next) != done ->
			if
			:: any_dev(d); do_mapd(d, record_itt[d])
			:: any_dev(d); do_unmapd(d)
			:: commit(SYNC, 0, 0)
			fi
		:: else
		fi;
		d = 0
	};
#ifdef FAULT_6
	/*
	 * EL2 waits for a while. If the hardware has not executed the command by then, EL2 undoes
	 * what the command has changed; but the hardware has it.
	 */
	atomic { cwriter = next };
	atomic {
		d = slot_dev[(next + QUEUE - 1) % QUEUE];
		if
		:: creadr != next && done != next &&
		   slot_cmd[(next + QUEUE - 1) % QUEUE] == MAPD && record[d] == MAPPED ->
			record[d] = PREPARED
		:: else
		fi;
		d = 0;
		unlock()
	}
#else
	atomic { cwriter = next; unlock() }
#endif
}

inline hostile_reclaim()
{
	atomic { !locked -> locked = true; any_dev(d); seen = creadr };
	atomic { consume_known(seen); reclaim(d); d = 0; unlock() }
}

/* its.c: its_handle_ctlr() and its_handle_cbaser() */
#define POINTERS_ARE_COMMITTED	(creadr == done && cwriter == next)
#ifdef POWER
#ifdef FAULT_ENABLE
#define MAY_ENABLE	(quiescent && cbaser_valid)
#else
#define MAY_ENABLE \
	(quiescent && cbaser_valid && !suspended && POINTERS_ARE_COMMITTED)
#endif
#else
#define MAY_ENABLE	(quiescent && POINTERS_ARE_COMMITTED)
#endif

inline disable()
{
	atomic {
		!locked && on ->
		seen = creadr; consume(seen); seen = 0;
		on = false
	}
}

inline enable()
{
	atomic { !locked && !on && MAY_ENABLE -> on = true; quiescent = false }
}

inline write_cbaser()
{
	atomic {
		!locked && RUNS && !on && quiescent ->
#ifdef POWER
		suspended = false;
#endif
		empty_queue()
	}
}

#ifdef POWER
inline lose_registers()
{
	d_step {
		creadr = 0; cwriter = 0; on = false; quiescent = true; cbaser_valid = false
	}
}

#ifdef FAULT_NOT_QUIESCENT
#define MAY_SUSPEND	true
#else
#define MAY_SUSPEND	(!on && quiescent)
#endif

/* An honest host is not. */
#ifdef HONEST
#define DENIED	assert(false)
#else
#define DENIED	suspending = false
#endif

/*
 * psci-relay.c: psci_system_suspend(), its.c: pkvm_its_suspend() and pkvm_its_resume(), and
 * what firmware does between them. The other CPUs may be running: the host decides. It is denied
 * if the ITS is busy, or, with an empty queue left behind, if another ITS is.
 */
inline suspend()
{
	suspending = true;
	atomic {
		!locked ->
		if
		:: MAY_SUSPEND ->
#ifndef FAULT_NO_EMPTY
			empty_queue();
#endif
			suspended = true
		:: else -> DENIED
		fi
	};
	atomic {
		if
		:: suspending ->
			/* Power may be lost. What a quiescent ITS knows is in memory. */
#ifdef FAULT_NOT_QUIESCENT
			for (i : 0 .. NDEVS - 1) { dte[i] = dte_memory[i] }
			clear_cached()
			i = 0;
#else
			assert(quiescent);
#endif
			if
			:: any_slot(creadr); any_slot(cwriter);
				if
				:: on = true; quiescent = false
				:: on = false; quiescent = true
				fi
			:: lose_registers()
			:: skip		/* there was no loss after all, or another ITS is busy */
			fi
		:: else
		fi
	};
	atomic { suspending = false }
}
#endif

/*
 * The driver of a host that is honest from now on: it disables the ITS and
 * begins a new queue, as after a suspend (its_save_disable(), its_restore_enable()); then
 * its_free_device() for each device.
 */
inline recover()
{
	atomic {
		if
		:: on -> seen = creadr; consume(seen); seen = 0; on = false
		:: else
		fi
	};
	quiescent;
	write_cbaser();
	enable();
	for (d : 0 .. NDEVS - 1) {
		atomic { do_unmapd(d); commit(SYNC, 0, 0); cwriter = next };
		creadr == cwriter;
		atomic { seen = creadr; consume(seen); seen = 0; reclaim(d) };
		assert(record[d] == EMPTY || record_wait[d] == NEVER)
	}
	d = 0
}

#ifdef HONEST
/*
 * A host that has always been honest. Each CPU has a device of its own: device 0 in page 0,
 * device 1 in the two behind. irq-gic-v3-its.c: commands are posted under its->lock and waited
 * for without; CPU 0 suspends the system, with the other CPU stopped between any two steps, when
 * what has been posted was executed.
 */
bool its_locked, frozen;

#define RUNNING	(cpu == 0 || !frozen)
#define ROOM	(BETWEEN(creadr, next) < QUEUE - 2)

/* What the driver counts as passed; it may be later than that here. */
#define HAS_PASSED(p) (BETWEEN(creadr, cwriter) <= BETWEEN(p, cwriter))

inline honest_cycle()
{
	atomic {
		RUNNING && !locked && !its_locked;
		if
		:: record[cpu] == EMPTY -> prepare(cpu, cpu); assert(record[cpu] == PREPARED)
		:: else
		fi
	};
	if
	:: record[cpu] == PREPARED ->
		atomic {
			RUNNING && !locked && !its_locked && ROOM ->
			seen = creadr; consume_known(seen);
			do_mapd(cpu, cpu); commit(SYNC, 0, 0); cwriter = next; p = next
		};
		atomic { RUNNING && HAS_PASSED(p) -> p = 0 }
	:: else
	fi;
	assert(record[cpu] == MAPPED && dte[cpu] == cpu);
	atomic {
		RUNNING && !locked && !its_locked && ROOM ->
		seen = creadr; consume_known(seen);
		do_unmapd(cpu); commit(SYNC, 0, 0); cwriter = next; p = next
	};
	atomic { RUNNING && HAS_PASSED(p) -> p = 0 };
	atomic {
		RUNNING && !locked -> seen = creadr; consume_known(seen);
		reclaim(cpu);
		assert(record[cpu] == EMPTY);
		for (i : 0 .. PAGES(cpu) - 1) { assert(owner[cpu + i] == HOST) }
		i = 0
	}
}

#ifdef POWER
/* its_save_disable(), its_restore_enable() */
inline honest_suspend()
{
	atomic { !its_locked && creadr == cwriter -> its_locked = true; frozen = true };
	disable();
	quiescent;
	suspend();
	atomic {
		if
		:: on -> seen = creadr; consume_known(seen); on = false
		:: else
		fi
	};
	quiescent;
	write_cbaser();
	enable();
	atomic { its_locked = false; frozen = false }
}
#endif

proctype Cpu(byte cpu)
{
	byte p, i, seen;

	do
	:: honest_cycle()
#ifdef POWER
	:: cpu == 0 -> honest_suspend()
#endif
	od
}
#else
proctype Entry()
{
	byte d, p, i, seen;

	do
	:: atomic { !locked -> any_dev(d); any_page(p); prepare(d, p); d = 0; p = 0 }
	:: hostile_post()
	:: hostile_reclaim()
	:: disable()
	:: enable()
	:: write_cbaser()
	:: break
	od;

	nr_running--;
	nr_running == 0;
	recover()
}

/* mem_protect.c: host donates, guest returns */
proctype Memory()
{
	byte p;

	do
	:: atomic {
		any_page(p);
		if
		:: owner[p] == HOST -> owner[p] = GUEST
		:: owner[p] == GUEST -> owner[p] = HOST; dirty[p] = true
		:: else
		fi;
		p = 0
	   }
	:: break
	od;

	nr_running--
}

#ifdef POWER
proctype Power()
{
	byte i;

	do
	:: suspend()
	:: break
	od;

	nr_running--
}
#endif
#endif

#define USES(page) \
	(cached[page] || HAS(0, dte[0], page) || HAS(1, dte[1], page))

#define IS_NEW(page)	(owner[page] == EL2 && !dirty[page] && !USES(page))

/* An ITS that lost power may execute a MAPD once more, which must change nothing. */
inline execute_mapd(dev, first)
{
	if
	:: dte[dev] == first -> skip
	:: else ->
		assert(dte[dev] == NO_PAGE);
		assert(IS_NEW(first) && (PAGES(dev) == 1 || IS_NEW(first + 1)));
		dte[dev] = first
	fi
}

inline execute_unmapd(dev)
{
	d_step {
		if
		:: dte[dev] != NO_PAGE ->
			cached[dte[dev]] = true;
			if
			:: PAGES(dev) == 2 -> cached[dte[dev] + 1] = true
			:: else
			fi;
			dte[dev] = NO_PAGE
		:: else
		fi
	}
}

proctype Its()
{
	byte i;

end:
	do
	:: atomic {
		!quiescent && creadr != cwriter ->
		if
		:: slot_cmd[creadr] == MAPD -> execute_mapd(slot_dev[creadr], slot_itt[creadr])
		:: slot_cmd[creadr] == UNMAPD -> execute_unmapd(slot_dev[creadr])
		:: else -> clear_cached()
		fi;
		creadr = NEXT(creadr)
	   }
	/* An interrupt is translated, or something is written back: at any time. */
	:: atomic {
		!quiescent &&
		((USES(0) && owner[0] != EL2) || (USES(1) && owner[1] != EL2) ||
		 (USES(2) && owner[2] != EL2)) ->
		assert(false)
	   }
	:: atomic {
		!on && !quiescent ->
		clear_cached()
#ifdef FAULT_NOT_QUIESCENT
		for (i : 0 .. NDEVS - 1) { dte_memory[i] = dte[i] }
#endif
		i = 0;
		quiescent = true
	   }
#ifdef POWER
	/* An ITS that is not in use may lose power without a word to EL2. */
	:: atomic {
		!on && quiescent && !locked ->
		if
		:: any_slot(creadr); any_slot(cwriter)
		:: lose_registers()
		fi
	   }
#endif
	od
}

init
{
	byte i;

	atomic {
		/* Device 0 may have been mapped before the hand-over. */
		for (i : 0 .. NDEVS - 1) { dte[i] = NO_PAGE }
		for (i : 0 .. NPAGES - 1) { dirty[i] = true }
		if
		:: skip
		:: owner[0] = EL2; dirty[0] = false; dte[0] = 0;
#ifdef FAULT_5
			/* __pkvm_its_register() takes its ITT, and enters no record. */
#else
			record[0] = MAPPED;
			record_itt[0] = 0
#endif
		fi;
		/* its_start_queue(): the queue has what the driver has left there. */
		slot_cmd[QUEUE - 1] = (dte[0] == 0 -> MAPD : SYNC);
#ifndef FAULT_ORIGINAL
		done = 1;
#endif
#ifdef FAULT_NOT_QUIESCENT
		for (i : 0 .. NDEVS - 1) { dte_memory[i] = dte[i] }
#endif
		run Its();
#ifdef HONEST
		run Cpu(0);
		run Cpu(1);
#else
		run Entry();
		run Memory();
		nr_running = 2;
#ifdef POWER
		run Power();
		nr_running = 3;
#endif
#endif
		i = 0
	}
}
