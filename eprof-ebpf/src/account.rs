//! Closing slices: the time between two hooks on a CPU is charged to the task
//! that ran.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use core::ptr::{read_volatile, write_volatile};
use eprof_common::{
    AMOUNTS, COUNTERS, Cell, Control, CpuState, OCCURRENCES, TaskState,
    cell::{FIRST_COUNTER, SMT_SHARED},
    cpu::{IDLE, TARGET},
};

use crate::{counter, follow::Owner, map, map::Here, sibling};

/// Now, on `CLOCK_MONOTONIC`.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: takes nothing, has no side effects.
    unsafe { bpf_ktime_get_ns() }
}

/// What happens at the end of a slice, besides that time has passed: how often
/// what, as in [`Cell::occurrences`].
pub type Ending = [u32; OCCURRENCES];

/// Nothing happens.
pub const NOTHING: Ending = [0; OCCURRENCES];

/// One piece of a slice, within one interval.
#[derive(Clone, Copy)]
struct Piece {
    ns: u64,
    amounts: [u64; AMOUNTS],
    ending: Ending,
}

/// Closes the slice that `owner` has been running since the last hook on this
/// CPU, and begins the next one. Must not be interrupted by another closing
/// on the same CPU. Gives the time of the boundary between the two.
///
/// The clock is read here, late in the program: most of what a hook costs is
/// charged to the task that caused it rather than to the next one.
#[inline(always)]
pub fn close(here: Here, control: *mut Control, owner: Owner, ending: Ending) -> u64 {
    let cpu = here.cpu;
    let now = now();
    let counts = counter::read(cpu);
    // SAFETY: both pointers are elements of maps, which live as long as the
    // program; user space changes epoch and boundary at any time, hence the
    // volatile reads, and the order: clock, epoch, boundary.
    let (start, before, parity, boundary) = unsafe {
        let start = (*cpu).start;
        let before = (*cpu).counts;
        (*cpu).start = now;
        (*cpu).counts = counts;
        let parity = read_volatile(&raw const (*control).epoch) & 1;
        let boundary = read_volatile(&raw const (*control).boundary[parity as usize]);
        (start, before, parity, boundary)
    };
    let spent = now.wrapping_sub(start);
    let shared = sibling::shared(cpu, now, spent);
    if owner.class == IDLE {
        return now;
    }
    let mut piece = Piece {
        ns: spent,
        amounts: amounts(shared, counter::events(&before, &counts)),
        ending,
    };
    if start == 0 {
        piece.ns = 0;
        piece.amounts = [0; AMOUNTS];
    }
    if now <= boundary {
        charge(cpu, parity ^ 1, owner, &piece);
    } else if start >= boundary || piece.ns == 0 {
        charge(cpu, parity, owner, &piece);
    } else {
        let first = piece.split(boundary - start);
        charge(cpu, parity ^ 1, owner, &first);
        charge(cpu, parity, owner, &piece);
    }
    now
}

/// All amounts of a slice, in the order of a cell.
#[inline(always)]
fn amounts(shared: u64, counts: [u64; COUNTERS]) -> [u64; AMOUNTS] {
    let mut amounts = [0; AMOUNTS];
    amounts[SMT_SHARED] = shared;
    amounts[FIRST_COUNTER..].copy_from_slice(&counts);
    amounts
}

impl Piece {
    /// Takes away the first `before` nanoseconds, and as much of everything
    /// else. The end stays here.
    #[inline(always)]
    fn split(&mut self, before: u64) -> Self {
        let whole = self.ns;
        let take = |from: &mut u64| {
            let part = share(*from, before, whole);
            *from -= part;
            part
        };
        let [a, b, c, d, e] = &mut self.amounts;
        let first = Self {
            ns: before,
            amounts: [take(a), take(b), take(c), take(d), take(e)],
            ending: NOTHING,
        };
        self.ns -= before;
        first
    }
}

/// `amount × part / whole` without overflow for slices below four seconds,
/// and with a relative error below 1e-6 for longer ones.
#[inline(always)]
fn share(amount: u64, mut part: u64, mut whole: u64) -> u64 {
    if whole >> 32 != 0 {
        part >>= 12;
        whole >>= 12;
    }
    if whole == 0 {
        return 0;
    }
    (amount / whole) * part + (amount % whole) * part / whole
}

#[inline(always)]
fn charge(cpu: *mut CpuState, parity: u64, owner: Owner, piece: &Piece) {
    // SAFETY: `cpu` is an element of CPUS, `parity` is 0 or 1, and the class
    // is compared with the number of classes.
    unsafe {
        let cell = if parity == 0 {
            &raw mut (*cpu).cells[0]
        } else {
            &raw mut (*cpu).cells[1]
        };
        if owner.class >= IDLE {
            return;
        }
        add(&raw mut (*cell).classes[owner.class], piece);
        if owner.class != TARGET || owner.slot == TaskState::NO_SLOT {
            return;
        }
        let group = (*cpu).group;
        let index = (owner.slot * map::GROUPS.load() + group) * 2 + parity as u32;
        if let Some(cell) = map::CELLS.get_ptr_mut(index) {
            add(cell, piece);
        }
    }
}

/// # Safety
/// `cell` is an element of a map, or of one.
#[inline(always)]
unsafe fn add(cell: *mut Cell, piece: &Piece) {
    // Constants, so that the verifier takes out the code of what is not in use.
    let (counted, siblings) = (map::COUNTED.load(), map::SIBLINGS.load());
    let is_in_use = |amount: usize| match amount.checked_sub(FIRST_COUNTER) {
        None => siblings != 0,
        Some(counter) => counted >> counter & 1 != 0,
    };
    // SAFETY: by the caller.
    unsafe {
        (*cell).ns += piece.ns;
        for amount in 0..AMOUNTS {
            if is_in_use(amount) {
                (*cell).amounts[amount] += piece.amounts[amount];
            }
        }
        for what in 0..OCCURRENCES {
            (*cell).occurrences[what] += piece.ending[what];
        }
    }
}

/// Closes a slice where interrupts are enabled: `flush`, which comes by
/// interrupt, keeps out meanwhile.
#[inline(always)]
pub fn close_guarded(here: Here, control: *mut Control, owner: Owner) {
    let cpu = here.cpu;
    // SAFETY: `cpu` is an element of CPUS.
    unsafe {
        write_volatile(&raw mut (*cpu).busy, 1);
        close(here, control, owner, NOTHING);
        (*cpu).sampled_at = 0;
        write_volatile(&raw mut (*cpu).busy, 0);
    }
}
