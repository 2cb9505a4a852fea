/*
 * One section against one unplug on processors with store buffers: the asymmetric fence, which a model of the language
 * does not know.
 *
 * A store waits in its thread's buffer until it drains to memory, at any time; a load takes the newest store of its
 * own thread to that word, or else memory. With OUT_OF_ORDER, buffered stores to different words drain in any order,
 * but for those that a release orders: as on Arm or POWER. Else in order, as on x86.
 *
 * Loads are in order, as acquire makes them.
 *
 * The light fence of a section is one of the compiler's: it keeps the program's order, in which this model's
 * statements stand. WITHOUT_ENTER and WITHOUT_EXIT take one out: the compiler then moves the load before the store.
 * The heavy fence drains every thread's buffer at some moment while the remover waits for it: membarrier(2).
 * WITHOUT_HEAVY takes it out.
 *
 * What has to hold: the remover does not destroy the registers while the section reads them, does not see the
 * section's own store to them too late, and does not sleep for ever (spin's invalid end states).
 */
#define FLAG 0      /* the device is closed */
#define SLOT 1      /* the device's number stands in the slot */
#define EVENT 2     /* changes when a section of a closed gate ends */
#define DATA 3      /* what the section writes */
#define WORDS 4

#define SECTION 0
#define REMOVER 1

byte memory[WORDS];
/* The stores of a thread that wait, the oldest first. */
typedef Buffer { byte word[4]; byte value[4]; byte length };
Buffer buffers[2];

bool destroyed, asleep;

inline store(me, w, v) {
	d_step {
		buffers[me].word[buffers[me].length] = w;
		buffers[me].value[buffers[me].length] = v;
		buffers[me].length++
	}
}

inline load(me, w, into) {
	d_step {
		into = memory[w];
		position = 0;
		do
		:: position < buffers[me].length ->
			if
			:: buffers[me].word[position] == w -> into = buffers[me].value[position]
			:: else
			fi;
			position++
		:: else -> break
		od;
		position = 0
	}
}

/* The store at `at` goes to memory. */
inline drain_at(who, at) {
	d_step {
		memory[buffers[who].word[at]] = buffers[who].value[at];
		k = at;
		do
		:: k + 1 < buffers[who].length ->
			buffers[who].word[k] = buffers[who].word[k + 1];
			buffers[who].value[k] = buffers[who].value[k + 1];
			k++
		:: else -> break
		od;
		buffers[who].length--;
		buffers[who].word[buffers[who].length] = 0;
		buffers[who].value[buffers[who].length] = 0;
		k = 0
	}
}

inline fence(me) { buffers[me].length == 0 }

/* The hardware: drains the buffers, at any time. */
active [2] proctype Drain() {
	byte k;
	byte who = _pid - 0;
end:
	do
	:: buffers[who].length > 0 -> drain_at(who, 0)
#ifdef OUT_OF_ORDER
	/* The second store overtakes the first: another word's, and not a release, which waits for all before it. Here
	 * the stores to the slot and to the event are releases. */
	:: atomic {
		buffers[who].length > 1 && buffers[who].word[1] != buffers[who].word[0] &&
		buffers[who].word[1] != SLOT && buffers[who].word[1] != EVENT -> drain_at(who, 1)
	}
#endif
	od
}

active proctype Section() {
	byte position, flag;

#ifdef WITHOUT_ENTER
	load(SECTION, FLAG, flag);
	store(SECTION, SLOT, 1);
#else
	store(SECTION, SLOT, 1);
	load(SECTION, FLAG, flag);
#endif
	if
	:: flag == 0 ->
		/* The operation: reads and writes what the remover destroys. */
		assert(!destroyed);
		store(SECTION, DATA, 1);
		assert(!destroyed)
	:: else
	fi;

#ifdef WITHOUT_EXIT
	load(SECTION, FLAG, flag);
	store(SECTION, SLOT, 0);
#else
	store(SECTION, SLOT, 0);
	load(SECTION, FLAG, flag);
#endif
	if
	:: flag == 1 ->
		/* A locked addition is a full fence, and so is the system call that wakes. */
		fence(SECTION);
		atomic { memory[EVENT]++; asleep = false }
	:: else
	fi
}

active proctype Remover() {
	byte position, seen, slot;

	store(REMOVER, FLAG, 1);
#ifndef WITHOUT_HEAVY
	/* Every thread passes a full fence, each at a moment of its own. */
	fence(REMOVER);
	fence(SECTION);
#endif
	do
	:: load(REMOVER, EVENT, seen);
	   load(REMOVER, SLOT, slot);
	   if
	   :: slot == 0 -> break
	   :: else ->
		/* FUTEX_WAIT: asleep, if the event is as it was. */
		atomic {
			if
			:: memory[EVENT] == seen -> asleep = true
			:: else
			fi
		}
		!asleep
	   fi
	od;
	destroyed = true;
	/* What the section did came before its slot was cleared: nothing of it arrives later. */
	d_step {
		position = 0;
		do
		:: position < buffers[SECTION].length ->
			assert(buffers[SECTION].word[position] != DATA);
			position++
		:: else -> break
		od
	}
}
