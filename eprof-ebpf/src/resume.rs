//! Walking on from where a thread was walked before.
//!
//! Code that a stack goes through for the first time has no table yet. Mostly that
//! is the code of the leaf, while the outer frames are those of earlier samples. So
//! the frames of a thread's last walk are kept. (User space writes there, too, what
//! it found in copies.)
//!
//! Where a walk comes to unknown code, it leaves a gap. It resumes at the outermost
//! kept frame that the copy of the stack will still hold. User space then walks
//! through the copy. If it arrives at just this frame, the walk is whole. Otherwise
//! what was walked beyond the gap counts for nothing.

use eprof_common::{
    Registers,
    sample::{FRAMES_KEPT, PIECE, ResumeFrame, ResumeFrames, THREADS_KEPT},
};

use crate::{
    map::{self, Scratch},
    user,
};

/// A place in both lists.
const MASK: u32 = 2 * FRAMES_KEPT as u32 - 1;

/// Steps of a search in one list.
const STEPS: u32 = FRAMES_KEPT.ilog2() + 1;

const _: () = assert!(FRAMES_KEPT.is_power_of_two() && THREADS_KEPT.is_power_of_two());

/// The place of the `number`th frame of a list.
///
/// # Safety
/// `kept` is an element of RESUME_FRAMES.
#[inline(always)]
unsafe fn entry(kept: *mut ResumeFrames, list: u32, number: u32) -> *mut ResumeFrame {
    let place = map::bounded::<MASK>((list & 1) * FRAMES_KEPT as u32 + number) as usize;
    // SAFETY: by the caller; the place has a bound.
    unsafe { (&raw mut (*kept).lists).cast::<ResumeFrame>().add(place) }
}

/// What is kept of a thread.
#[inline(always)]
fn of(thread: u64) -> Option<*mut ResumeFrames> {
    map::RESUME_FRAMES.get_ptr_mut(thread as u32 & (THREADS_KEPT as u32 - 1))
}

/// Begins a list, beside that of the thread's last walk.
#[inline(always)]
pub fn begin(thread: u64) {
    let Some(kept) = of(thread) else { return };
    // SAFETY: `kept` is an element of RESUME_FRAMES; what others do to it
    // meanwhile makes it wrong at worst.
    unsafe {
        if (*kept).thread != thread {
            (*kept).thread = thread;
            (*kept).known = 0;
        }
        (*kept).noted = 0;
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
        if !(*scratch).registers.can_resume() {
            return;
        }
        let Some(kept) = of((*scratch).header.serial) else {
            return;
        };
        let noted = (*kept).noted;
        if noted < FRAMES_KEPT as u32 {
            *entry(kept, (*kept).list ^ 1, noted) = ResumeFrame {
                pc: (*scratch).registers.pc,
                sp: (*scratch).registers.sp,
                fp: (*scratch).registers.fp,
            };
            (*kept).noted = noted + 1;
        }
    }
}

/// Ends the list: it is that of the last walk now.
#[inline(always)]
pub fn end(thread: u64) {
    let Some(kept) = of(thread) else { return };
    // SAFETY: as above.
    unsafe {
        (*kept).list ^= 1;
        (*kept).known = (*kept).noted;
    }
}

/// Goes on to a frame of the thread's last walk that may still be there: the outermost
/// that lies more than `from`, and at most `to`, pieces above the stack pointer. One, if
/// there is such a frame. A global function as `walk::last_region` is one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn from_last_walk(from: u32, to: u32) -> u32 {
    let Some(scratch) = map::here().and_then(|here| map::SCRATCH.get_ptr_mut(here.number)) else {
        return 0;
    };
    // SAFETY: `scratch` belongs to this CPU; as above.
    unsafe {
        let thread = (*scratch).header.serial;
        let Some(kept) = of(thread) else {
            return 0;
        };
        if (*kept).thread != thread || (*kept).known == 0 {
            return 0;
        }
        let sp = (*scratch).registers.sp;
        let begin = sp & !(PIECE as u64 - 1);
        let lowest = sp.max(begin + u64::from(from) * PIECE as u64);
        let highest = begin + u64::from(to) * PIECE as u64;
        let number = last_frame_up_to(thread as u32, highest);
        let mut frame = *entry(kept, (*kept).list, number);
        if frame.sp <= lowest || frame.sp > highest {
            return 0;
        }
        // By now it may wait for another call than then.
        if user::calls_below() {
            match user::word(frame.sp - 8) {
                Some(pc) => frame.pc = pc,
                None => return 0,
            }
        }
        (*scratch).resumed = frame;
        (*scratch).registers = Registers {
            pc: frame.pc,
            sp: frame.sp,
            fp: frame.fp,
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
pub extern "C" fn last_frame_up_to(thread: u32, highest: u64) -> u32 {
    let Some(kept) = of(u64::from(thread)) else {
        return 0;
    };
    // SAFETY: as above.
    let (list, known) = unsafe { ((*kept).list, (*kept).known) };
    let (mut low, mut rest) = (0u64, u64::from(known));
    let mut steps = 0;
    while steps < STEPS {
        if rest <= 1 {
            break;
        }
        let half = rest >> 1;
        // SAFETY: as above.
        let sp = unsafe { (*entry(kept, list, (low + half) as u32)).sp };
        // Without a branch, as there.
        let not_above = ((sp as i64).wrapping_sub(highest as i64).wrapping_sub(1)) >> 63;
        low += half & not_above as u64;
        rest -= half;
        steps += 1;
    }
    low as u32
}
