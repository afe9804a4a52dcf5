//! A stack sample on its way through the ring.

use crate::cell::COUNTERS;

/// Most frames of a kernel stack, and of a user stack that the kernel itself
/// walks (`kernel.perf_event_max_stack` by default).
pub const MAX_FRAMES: usize = 127;

/// Most frames of a user stack that is walked by unwind tables.
pub const MAX_USER_FRAMES: usize = 1024;

/// Set in a user frame that was interrupted there by a signal, so that its
/// address is no return address. (User addresses have fewer bits.)
pub const INTERRUPTED: u64 = 1 << 63;

/// Length in bytes of one piece of a copied stack. Pieces are aligned, so
/// that each can be read as a whole or not at all.
pub const PIECE: usize = 1024;

/// Most pieces; half of it where the walk goes on so near.
pub const MAX_PIECES: usize = 63;

/// How many frames of a thread's last walk are kept, a power of two.
pub const FRAMES_KEPT: usize = 128;

/// A frame from which a walk can resume: its registers, as far as a walk needs them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResumeFrame {
    /// Where its call will return to.
    pub pc: u64,
    /// Its stack pointer.
    pub sp: u64,
    /// Its frame pointer.
    pub fp: u64,
}

/// Frames of the walks of one thread. A walk resumes at one of them beyond code that
/// is not known.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ResumeFrames {
    /// Whose, a serial number.
    pub thread: u64,
    /// Which of the two lists is that of the last walk.
    pub list: u32,
    /// Its length.
    pub known: u32,
    /// The length of the other one.
    pub noted: u32,
    /// Always zero.
    pub zero: u32,
    /// Both, each with ascending stack pointers.
    pub lists: [ResumeFrame; 2 * FRAMES_KEPT],
}

/// How many threads have frames that are kept, a power of two. Those with the same
/// number modulo this take the place from each other.
pub const THREADS_KEPT: usize = 64;

/// Most pieces of the outer end of a stack that is deeper than that.
pub const MAX_OUTER: usize = 63;

/// Words between the frames and the pieces of a copied stack.
pub const COPY_WORDS: usize = 12;

/// The head of a record in the ring `SAMPLES`. There follow, in words of eight
/// bytes:
///
/// 1. `kernel_bytes` of kernel addresses, leaf first;
/// 2. `user_bytes` of user addresses, leaf first (see [`INTERRUPTED`]);
/// 3. if `pieces` is not zero:
///    1. the [`crate::Registers`] with which the walk is to be continued;
///    2. the [`ResumeFrame`] from which the kernel has walked on, beyond code that
///       it does not know; zeros if it has not;
///    3. how many of the user addresses lie before that gap;
///    4. how many pieces there would be if the stack were deep enough;
///    5. how many of the pieces are of the outer end of the stack;
///    6. one past the outermost byte of these;
///    7. the pieces of the stack from `registers.sp` on: the first of them is
///       number `skipped` from there, rounded down to a multiple of [`PIECE`];
///    8. those of the outer end, the outermost first.
///
///    What lies beyond the gap counts only if the walk through the pieces comes
///    to this frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleHeader {
    /// When, `CLOCK_MONOTONIC` nanoseconds.
    pub at: u64,
    /// The serial number of the task instance; zero without a slot.
    pub serial: u64,
    /// Thread id, in the initial PID namespace.
    pub tid: u32,
    /// Thread group id, likewise.
    pub tgid: u32,
    /// The CPU.
    pub cpu: u32,
    /// Length of the kernel stack in bytes, or the negative error number.
    pub kernel_bytes: i32,
    /// Length of the user stack in bytes, or the negative error number.
    pub user_bytes: i32,
    /// How the walk of the user stack ended, a [`crate::WalkEnd`].
    pub user_end: u32,
    /// How many pieces of the stack were copied, of both ends.
    pub pieces: u32,
    /// How many pieces before them do not exist yet: a function may reserve
    /// more than one page at a time.
    pub skipped: u32,
    /// Nanoseconds since the last sample in this slice, or since it began.
    pub spent: u64,
    /// Events per counter since then.
    pub counts: [u64; COUNTERS],
}

const _: () = assert!(size_of::<ResumeFrame>() == 24);
const _: () =
    assert!(COPY_WORDS * 8 == size_of::<crate::Registers>() + size_of::<ResumeFrame>() + 32);
const _: () = assert!(size_of::<SampleHeader>() == 88 && align_of::<SampleHeader>() == 8);
