// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hand-over of two ITSs, one after the other, while both CPUs send commands, and each step may
 * fail.
 *
 * CPU 0 hands over: pkvm.c: pkvm_drop_host_privileges(), irq-gic-v3-its-staging.c:
 * its_staging_hand_over() and its_try_activate(). A hard interrupt may land on it whenever it has
 * interrupts enabled, and send a command (Interrupt). CPU 1 sends commands meanwhile (Thread), and
 * is deprivileged by an IPI, which it takes when it has interrupts enabled (Ipi). A task maps a
 * device, on either CPU (Mapper). EL2: its-handover.c: __pkvm_its_register(),
 * __pkvm_its_activate() and __pkvm_its_unregister(); its.c: __pkvm_its_prepare().
 *
 * Properties
 *  - each command that is sent is executed, once and in order, whichever queue it went to: what the
 *    hardware reads is what was sent (the assertion in Its), and whoever waits for it ends;
 *  - a level-1 entry that is made meanwhile is in the table that is used afterwards, and EL2
 *    prepares a device whenever the driver asks it to;
 *  - no CPU is deprivileged with an ITS that is not confined, unless protected VMs are refused;
 *  - the hand-over ends, and what failed is undone: each ITS is either EL2's, with the driver on
 *    the staging queue, or the driver's, with nothing left at EL2;
 *  - no state is a deadlock.
 *
 * Assumptions
 *  - an ITS executes commands in order, some time after GITS_CWRITER is written;
 *  - the driver's lock of an ITS is taken with interrupts disabled;
 *  - there is room in the queue: slots are counted, and do not wrap;
 *  - a write of a CPU that is deprivileged to a register of a guarded ITS traps, and reaches the
 *    hardware otherwise.
 *
 * The faults that a run must find are at each #ifdef FAULT_*.
 */

#define NITS	2
#define NCPUS	2
#define QUEUE	4
#define NOBODY	NCPUS

/* The CPUs */
bool irqs_off[NCPUS], in_interrupt;
bool deprivileged[NCPUS];
bool ipi;

/* The driver */
byte its_lock[NITS];
bool staging_memory[NITS];
bool staged[NITS];		/* its->staging.ops, cmd_base and cmd_write */
byte sent[NITS];		/* its->cmd_write */
bool refused;			/* pkvm_its_pvms_refused */
bool mutex;			/* its->dev_alloc_lock of ITS 0 */
bool table_original, table_staging;	/* a level-1 entry of ITS 0 is there */
#ifdef FAULT_2
bool paused;
#endif

/* EL2 */
bool registered[NITS], is_active[NITS];
byte next[NITS];

/* Queues: bit n is the command that was sent as number n */
byte original[NITS], staging[NITS];

/* The hardware reads the original queue, which is the committed one later. */
byte creadr[NITS], cwriter[NITS];

mtype = { DONE, FAILED };

#define BIT(n)	(1 << (n))

/* its.c: its_handle_cwriter(); a write before the activation is ignored */
inline el2_write(its)
{
	d_step {
		if
		:: is_active[its] ->
			do
			:: next[its] < sent[its] ->
				assert(staging[its] & BIT(next[its]));
				original[its] = original[its] | BIT(next[its]);
				next[its]++
			:: else -> break
			od;
			cwriter[its] = next[its]
		:: else
		fi
	}
}

inline write_cwriter(cpu, its)
{
	if
	:: deprivileged[cpu] && registered[its] -> el2_write(its)
	:: else -> cwriter[its] = sent[its]
	fi
}

/* irq-gic-v3-its.c: BUILD_SINGLE_CMD_FUNC, interrupts disabled */
inline send(cpu, its, nr)
{
#ifdef FAULT_2
	!paused;
#endif
	atomic { its_lock[its] == NOBODY -> its_lock[its] = cpu };
	atomic {
		nr = sent[its];
		if
		:: staged[its] -> staging[its] = staging[its] | BIT(nr)
		:: else ->
			/* The CPU that is deprivileged can't write to EL2's memory, nor should any. */
			assert(!is_active[its]);
			original[its] = original[its] | BIT(nr)
		fi;
		sent[its]++
	};
	atomic {
#ifdef FAULT_CALLS
		write_cwriter(cpu, its);
#else
		if
		:: staged[its] -> el2_write(its)
		:: else -> write_cwriter(cpu, its)
		fi;
#endif
		its_lock[its] = NOBODY
	};
	/* its_wait_for_completion(), without the lock */
	creadr[its] > nr
}

/* What CPU 0 does outside of interrupts */
#define CPU0	(!in_interrupt)

inline lock(its)
{
	atomic { CPU0 -> irqs_off[0] = true };
	atomic { its_lock[its] == NOBODY -> its_lock[its] = 0 }
}

inline unlock(its)
{
	atomic { its_lock[its] = NOBODY; irqs_off[0] = false }
}

inline unregister(its)
{
	atomic { CPU0 -> registered[its] = false; staging_memory[its] = false }
}

inline swap(its)
{
	staged[its] = true
}

/* its_try_activate(): with the lock held, so that no CPU sends */
inline activate(its, result)
{
	atomic {
		if
#ifndef FAULT_4
		:: creadr[its] != sent[its] -> result = FAILED
		:: creadr[its] == sent[its] -> result = FAILED
		:: creadr[its] == sent[its] ->
#else
		/* EL2 begins at CWRITER, whatever the hardware has still to execute. */
		:: true ->
#endif
			is_active[its] = true;
			next[its] = sent[its];
			original[its] = 0;
#ifndef FAULT_SWAP
			swap(its);
#endif
			result = DONE
		fi
	}
}

/* dev_alloc_lock, of the ITS that devices are mapped on */
inline lock_devices(its)
{
#ifndef FAULT_3
	if
	:: its == 0 -> atomic { CPU0 && !mutex -> mutex = true }
	:: else
	fi
#else
	skip
#endif
}

inline unlock_devices(its)
{
#ifndef FAULT_3
	if
	:: its == 0 -> atomic { CPU0 -> mutex = false }
	:: else
	fi
#else
	skip
#endif
}

proctype Handover()
{
	byte i;
	mtype result = DONE;

#ifdef FAULT_2
	atomic { CPU0 -> paused = true };
#endif
#ifdef FAULT_LATE
	goto deprivilege;
#endif

hand_over: skip;
	for (i : 0 .. NITS - 1) {
		lock_devices(i);

		/* its_staging_prepare() and its_staging_register() */
		atomic {
			CPU0 ->
			if
			:: staging_memory[i] = true; registered[i] = true;
				if
				:: i == 0 -> table_staging = table_original
				:: else
				fi
			:: result = FAILED
			fi
		};
#ifdef FAULT_EARLY
		unlock_devices(i);
#endif

		if
		:: result == DONE ->
			lock(i);
			activate(i, result);
#ifdef FAULT_1
			/* The lock of each ITS is kept until all CPUs are deprivileged. */
			if
			:: result == FAILED -> unlock(i)
			:: else
			fi;
#else
			unlock(i);
#endif
#ifdef FAULT_SWAP
			if
			:: result == DONE -> lock(i); swap(i); unlock(i)
			:: else
			fi;
#endif
			/* Those before it stay with EL2. */
			if
#ifndef FAULT_UNDO
			:: result == FAILED -> unregister(i)
#endif
			:: else
			fi
		:: else
		fi;
#ifndef FAULT_EARLY
		unlock_devices(i);
#endif

		if
		:: result == FAILED -> goto refuse
		:: else
		fi
	}
	goto deprivilege;

refuse:	atomic { CPU0 -> refused = true };

deprivilege:
	/* on_each_cpu(_kvm_host_prot_finalize) */
	atomic {
		CPU0 ->
		ipi = true;
		irqs_off[0] = true;
		assert(refused || (is_active[0] && is_active[1]));
		deprivileged[0] = true;
#ifndef FAULT_1
		irqs_off[0] = false
#endif
	};
	CPU0 && !ipi;
#ifdef FAULT_1
	for (i : 0 .. NITS - 1) {
		if
		:: its_lock[i] == 0 -> unlock(i)
		:: else
		fi
	}
	irqs_off[0] = false;
#endif
#ifdef FAULT_LATE
	if
	:: !is_active[0] && !refused -> goto hand_over
	:: else
	fi;
#endif

#ifdef FAULT_2
	atomic { CPU0 -> paused = false };
#endif

	for (i : 0 .. NITS - 1) {
		assert(!staged[0] || !table_original || table_staging);
		assert(registered[i] == is_active[i] && staged[i] == is_active[i] &&
		       staging_memory[i] == is_active[i]);
		assert(refused || is_active[i])
	}
}

proctype Ipi()
{
	atomic {
		ipi && !irqs_off[1] ->
		assert(refused || (is_active[0] && is_active[1]));
		deprivileged[1] = true;
		ipi = false
	}
}

inline any_its(its)
{
	if
	:: its = 0
	:: its = 1
	fi
}

proctype Interrupt()
{
	byte its, nr;

	atomic { !irqs_off[0] && !in_interrupt -> irqs_off[0] = true; in_interrupt = true };
	any_its(its);
	send(0, its, nr);
	atomic { irqs_off[0] = false; in_interrupt = false }
}

proctype Thread()
{
	byte its, nr, n;

	for (n : 0 .. 1) {
		any_its(its);
		irqs_off[1] = true;
		send(1, its, nr);
		irqs_off[1] = false
	}
}

/* irq-gic-v3-its.c: its_create_device(): a device is mapped, in a task of its own. */
proctype Mapper()
{
	bool to_staging;

	atomic { !mutex -> mutex = true };
	to_staging = staged[0];
	atomic {
		if
		:: to_staging -> table_staging = true
		:: else -> table_original = true
		fi
	};
	/* __pkvm_its_prepare() */
	assert(!to_staging || is_active[0]);
	/* What is mapped is found in the table that is used from now on. */
	assert(staged[0] -> table_staging : table_original);
	mutex = false
}

proctype Its(byte its)
{
end:
	do
	:: atomic {
		creadr[its] != cwriter[its] ->
		assert(creadr[its] < cwriter[its] && (original[its] & BIT(creadr[its])));
		creadr[its]++
	   }
	od
}

init
{
	atomic {
		its_lock[0] = NOBODY;
		its_lock[1] = NOBODY;
		run Its(0);
		run Its(1);
		run Handover();
		run Ipi();
		run Interrupt();
		run Mapper();
		run Thread()
	}
}
