//! Stack samples. These programs read the accounts, and never change them.
//!
//! Of three programs, the best one that the kernel accepts is used: one that
//! walks by unwind tables, one that copies the stack, one that leaves it to
//! the kernel to follow frame pointers.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_USER_STACK, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_stack, bpf_ringbuf_output},
    },
    macros::perf_event,
    programs::PerfEventContext,
};
use core::{ffi::c_void, ptr::read_volatile};
use eprof_common::{
    COUNTERS, Outcome, Program, SampleHeader, TaskState, WalkEnd,
    sample::{MAX_FRAMES, PIECE, ResumeFrame},
};

use crate::{
    account, counter, follow, map,
    map::{Here, Scratch},
    task_instance, user, walk,
};

/// Bytes of a full stack of the kernel's.
const FULL: u32 = (MAX_FRAMES * 8) as u32;
const HEADER: u32 = size_of::<SampleHeader>() as u32;

/// A timer of the target's ran out on this CPU: walks by unwind tables, and
/// copies the stack from where there is none.
#[perf_event]
pub fn sample_tables(ctx: PerfEventContext) -> u32 {
    let Some(sample) = begin(&ctx) else { return 0 };
    let scratch = sample.scratch;
    // SAFETY: `scratch` belongs to this CPU, and sampling programs do not
    // nest; the state lives as long as its task, which is running.
    unsafe {
        let (end, gap) = if user::registers(&ctx, scratch) {
            let space = match task_instance::slot_of(&*sample.state) {
                Some(slot) => read_volatile(&raw const (*slot).space),
                None => 0,
            };
            (*scratch).space = space;
            let (end, gap) = walk::up(scratch);
            // A leaf in the kernel whose stack is gone: its image is being
            // replaced.
            let nothing = end == WalkEnd::FAULT && (*scratch).frames == 1;
            if nothing && !gap && (*scratch).entered != 0 {
                (*scratch).frames = 0;
                (WalkEnd::ABSENT, false)
            } else {
                (end, gap)
            }
        } else {
            (WalkEnd::ABSENT, false)
        };
        let end = match gap.then(|| user::copy(scratch)) {
            None | Some(WalkEnd::PENDING) => end,
            // Without a copy, nothing is known beyond the gap.
            Some(other) => {
                (*scratch).frames = (*scratch).before;
                other
            }
        };
        // Until user space knows that code, its stacks may be cut.
        let copied = (*scratch).header.pieces > 0;
        finish(scratch, end, copied);
    }
    0
}

/// The same without walking, for kernels before 5.17, which have no loops.
#[perf_event]
pub fn sample_copies(ctx: PerfEventContext) -> u32 {
    let Some(sample) = begin(&ctx) else { return 0 };
    let scratch = sample.scratch;
    // SAFETY: as above.
    unsafe {
        let end = if user::registers(&ctx, scratch) {
            user::copy(scratch)
        } else {
            WalkEnd::ABSENT
        };
        finish(scratch, end, false);
    }
    0
}

/// The same with frame pointers only, for kernels that do not show the user's
/// registers.
#[perf_event]
pub fn sample_pointers(ctx: PerfEventContext) -> u32 {
    let Some(sample) = begin(&ctx) else { return 0 };
    let scratch = sample.scratch;
    // SAFETY: as above; there is room for a full stack behind that of the
    // kernel.
    unsafe {
        let at = map::word((*scratch).kernel);
        let to = (&raw mut (*scratch).words).cast::<u8>().add(at * 8);
        let bytes = stack(&ctx, to, u64::from(BPF_F_USER_STACK));
        if bytes < 0 {
            map::lost(Outcome::USER_STACK_FAILED);
            (*scratch).header.user_bytes = bytes as i32;
        }
        (*scratch).frames = length(bytes) / 8;
        finish(scratch, WalkEnd::BY_POINTERS, false);
    }
    0
}

/// A sample that is being taken.
struct Begun {
    scratch: *mut Scratch,
    state: *mut TaskState,
}

/// Fills in everything but the user stack.
#[inline(always)]
fn begin(ctx: &PerfEventContext) -> Option<Begun> {
    let here = map::here()?;
    map::ran(here.cpu, Program::SAMPLE);
    let Some(state) = follow::current_state() else {
        map::lost(Outcome::NOT_TARGET);
        return None;
    };
    let scratch = map::SCRATCH.get_ptr_mut(here.number)?;
    let identity = bpf_get_current_pid_tgid();
    let Span { at, spent, counts } = span(here);
    // SAFETY: `scratch` belongs to this CPU; the state lives as long as its
    // task.
    unsafe {
        let kernel = stack(ctx, (&raw mut (*scratch).words).cast(), 0);
        if kernel < 0 {
            map::lost(Outcome::KERNEL_STACK_FAILED);
        }
        (*scratch).kernel = length(kernel) / 8;
        (*scratch).frames = 0;
        (*scratch).before = 0;
        (*scratch).wanted = map::near();
        (*scratch).outer = 0;
        (*scratch).outer_end = 0;
        (*scratch).resumed = ResumeFrame::default();
        (*scratch).extra = 0;
        (*scratch).header = SampleHeader {
            at,
            serial: (*state).serial,
            tid: identity as u32,
            tgid: (identity >> 32) as u32,
            cpu: here.number,
            kernel_bytes: kernel as i32,
            user_bytes: 0,
            user_end: 0,
            pieces: 0,
            skipped: 0,
            spent,
            counts,
        };
    }
    Some(Begun { scratch, state })
}

/// Hands the sample over; `wake` wakes eprof up.
///
/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
unsafe fn finish(scratch: *mut Scratch, end: WalkEnd, wake: bool) {
    // SAFETY: by the caller; the lengths have bounds that the verifier sees.
    unsafe {
        let frames = (*scratch).frames;
        (*scratch).header.user_end = end.0;
        if (*scratch).header.user_bytes == 0 {
            (*scratch).header.user_bytes = (frames * 8) as i32;
        }
        let words = map::word((*scratch).kernel + frames + (*scratch).extra) as u64;
        let pieces = map::bounded::<{ map::PIECE_MASK }>((*scratch).header.pieces);
        let status = bpf_ringbuf_output(
            (&raw const map::SAMPLES).cast_mut().cast(),
            (&raw mut (*scratch).header).cast(),
            u64::from(HEADER) + words * 8 + pieces * PIECE as u64,
            u64::from(if wake {
                BPF_RB_FORCE_WAKEUP
            } else {
                BPF_RB_NO_WAKEUP
            }),
        );
        if status != 0 {
            map::lost(Outcome::RING_FULL);
        }
    }
}

/// What a sample stands for.
struct Span {
    at: u64,
    spent: u64,
    counts: [u64; COUNTERS],
}

/// What happened on this CPU since the last sample of the running thread, or
/// since it was switched in.
#[inline(always)]
fn span(here: Here) -> Span {
    let at = account::now();
    let cpu = here.cpu;
    let mut span = Span {
        at,
        spent: 0,
        counts: [0; COUNTERS],
    };
    // SAFETY: `cpu` is an element of CPUS.
    unsafe {
        // A slice is being closed by the very thread that is interrupted.
        if read_volatile(&raw const (*cpu).busy) != 0 {
            return span;
        }
        let counts = counter::read(cpu);
        let (since, before) = if (*cpu).sampled_at == 0 {
            ((*cpu).start, (*cpu).counts)
        } else {
            ((*cpu).sampled_at, (*cpu).sampled)
        };
        if since != 0 {
            span.spent = at.saturating_sub(since);
            span.counts = counter::events(&before, &counts);
        }
        (*cpu).sampled = counts;
        (*cpu).sampled_at = at;
    }
    span
}

/// A stack that the kernel walks: its length in bytes, or an error number.
///
/// # Safety
/// There is room for a full stack at `to`.
#[inline(always)]
unsafe fn stack(ctx: &PerfEventContext, to: *mut u8, flags: u64) -> i64 {
    // SAFETY: by the caller.
    unsafe { bpf_get_stack(ctx.as_ptr(), to.cast::<c_void>(), FULL, flags) }
}

/// The length of a stack, zero for an error.
#[inline(always)]
fn length(result: i64) -> u32 {
    if result < 0 { 0 } else { result as u32 & 1023 }
}
