//! Walking on from where a thread was walked before.
//!
//! Code that a stack goes through for the first time has no table yet: mostly
//! that of its leaf, while the outer frames are those of the samples before. So
//! the frames of a thread's last walk are kept. Where a walk comes to
//! unknown code, it leaves a gap, and goes on from the outermost of these
//! frames that the copy of the stack will still hold. (User space writes there,
//! too: what it found in copies.) User space walks through the copy: if it arrives at just this frame, the walk is whole; otherwise
//! what was walked beyond the gap counts for nothing.

use eprof_common::{
    Registers,
    sample::{ANCHORED, ANCHORS, Anchor, Anchors, PIECE},
};

use crate::{
    map::{self, Scratch},
    user,
};

/// A place in both lists.
const MASK: u32 = 2 * ANCHORS as u32 - 1;

/// Steps of a search in one list.
const STEPS: u32 = ANCHORS.ilog2() + 1;

const _: () = assert!(ANCHORS.is_power_of_two() && ANCHORED.is_power_of_two());

/// The place of the `number`th frame of a list.
///
/// # Safety
/// `anchors` is an element of ANCHORS_OF.
#[inline(always)]
unsafe fn entry(anchors: *mut Anchors, list: u32, number: u32) -> *mut Anchor {
    let place = map::bounded::<MASK>((list & 1) * ANCHORS as u32 + number) as usize;
    // SAFETY: by the caller; the place has a bound.
    unsafe { (&raw mut (*anchors).lists).cast::<Anchor>().add(place) }
}

/// What is kept of a thread.
#[inline(always)]
fn of(thread: u64) -> Option<*mut Anchors> {
    map::ANCHORS_OF.get_ptr_mut(thread as u32 & (ANCHORED as u32 - 1))
}

/// Begins a list, beside that of the thread's last walk.
#[inline(always)]
pub fn begin(thread: u64) {
    let Some(anchors) = of(thread) else { return };
    // SAFETY: `anchors` is an element of ANCHORS_OF; what others do to it
    // meanwhile makes it wrong at worst.
    unsafe {
        if (*anchors).thread != thread {
            (*anchors).thread = thread;
            (*anchors).known = 0;
        }
        (*anchors).noted = 0;
    }
}

/// Notes the frame that the walk has come to, if it may be walked on from.
///
/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
pub unsafe fn note(scratch: *mut Scratch) {
    // SAFETY: by the caller; as above.
    unsafe {
        if (*scratch).registers.flags != 0 {
            return;
        }
        let Some(anchors) = of((*scratch).header.serial) else {
            return;
        };
        let noted = (*anchors).noted;
        if noted < ANCHORS as u32 {
            *entry(anchors, (*anchors).list ^ 1, noted) = Anchor {
                pc: (*scratch).registers.pc,
                sp: (*scratch).registers.sp,
                fp: (*scratch).registers.fp,
            };
            (*anchors).noted = noted + 1;
        }
    }
}

/// Ends the list: it is that of the last walk now.
#[inline(always)]
pub fn end(thread: u64) {
    let Some(anchors) = of(thread) else { return };
    // SAFETY: as above.
    unsafe {
        (*anchors).list ^= 1;
        (*anchors).known = (*anchors).noted;
    }
}

/// Goes on to the outermost frame of the thread's last walk that may still be
/// there and lies more than `from`, and at most `to`, pieces above the stack
/// pointer: one, if there is such a frame. A global function as
/// `walk::last_region` is one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn resume(from: u32, to: u32) -> u32 {
    let Some(scratch) = map::here().and_then(|here| map::SCRATCH.get_ptr_mut(here.number)) else {
        return 0;
    };
    // SAFETY: `scratch` belongs to this CPU; as above.
    unsafe {
        let thread = (*scratch).header.serial;
        let Some(anchors) = of(thread) else {
            return 0;
        };
        if (*anchors).thread != thread || (*anchors).known == 0 {
            return 0;
        }
        let sp = (*scratch).registers.sp;
        let begin = sp & !(PIECE as u64 - 1);
        let lowest = sp.max(begin + u64::from(from) * PIECE as u64);
        let highest = begin + u64::from(to) * PIECE as u64;
        let number = last_anchor(thread as u32, highest);
        let mut anchor = *entry(anchors, (*anchors).list, number);
        if anchor.sp <= lowest || anchor.sp > highest {
            return 0;
        }
        // By now it may wait for another call than then.
        if user::calls_below() {
            match user::word(anchor.sp - 8) {
                Some(pc) => anchor.pc = pc,
                None => return 0,
            }
        }
        (*scratch).anchor = anchor;
        (*scratch).registers = Registers {
            pc: anchor.pc,
            sp: anchor.sp,
            fp: anchor.fp,
            lr: 0,
            flags: 0,
        };
    }
    1
}

/// The last frame of a thread's last walk whose stack pointer is not above
/// `highest`. A global function as `walk::last_region` is one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn last_anchor(thread: u32, highest: u64) -> u32 {
    let Some(anchors) = of(u64::from(thread)) else {
        return 0;
    };
    // SAFETY: as above.
    let (list, known) = unsafe { ((*anchors).list, (*anchors).known) };
    let (mut low, mut rest) = (0u64, u64::from(known));
    let mut steps = 0;
    while steps < STEPS {
        if rest <= 1 {
            break;
        }
        let half = rest >> 1;
        // SAFETY: as above.
        let sp = unsafe { (*entry(anchors, list, (low + half) as u32)).sp };
        // Without a branch, as there.
        let not_above = ((sp as i64).wrapping_sub(highest as i64).wrapping_sub(1)) >> 63;
        low += half & not_above as u64;
        rest -= half;
        steps += 1;
    }
    low as u32
}
