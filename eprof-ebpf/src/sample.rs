//! Stack samples. This program reads the accounts, and never changes them.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_USER_STACK, BPF_RB_NO_WAKEUP},
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_stack, bpf_ringbuf_output},
    },
    macros::perf_event,
    programs::PerfEventContext,
};
use core::{ffi::c_void, ptr::read_volatile};
use eprof_common::{COUNTERS, Outcome, Program, SampleHeader, sample::MAX_FRAMES};

use crate::{account, counter, follow, map, map::Here};

/// Bytes of a full stack.
const FULL: u32 = (MAX_FRAMES * 8) as u32;
const HEADER: u32 = size_of::<SampleHeader>() as u32;

/// A timer of the target's ran out on this CPU.
#[perf_event]
pub fn sample(ctx: PerfEventContext) -> u32 {
    let Some(here) = map::here() else {
        return 0;
    };
    map::ran(here.cpu, Program::SAMPLE);
    let Some(link) = follow::current_link() else {
        map::lost(Outcome::NOT_TARGET);
        return 0;
    };
    let Some(scratch) = map::SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    let identity = bpf_get_current_pid_tgid();
    let Stretch { at, spent, counts } = stretch(here);
    // SAFETY: `scratch` belongs to this CPU, and sampling programs do not
    // nest; the link lives as long as its task, which is running.
    unsafe {
        let frames = (&raw mut (*scratch).frames).cast::<u8>();
        let kernel = walk(&ctx, frames, 0);
        if kernel < 0 {
            map::lost(Outcome::KERNEL_STACK_FAILED);
        }
        let kernel_bytes = length(kernel);
        let user = walk(
            &ctx,
            frames.add(kernel_bytes as usize),
            u64::from(BPF_F_USER_STACK),
        );
        if user < 0 {
            map::lost(Outcome::USER_STACK_FAILED);
        }
        let user_bytes = length(user);
        (*scratch).header = SampleHeader {
            at,
            serial: (*link).serial,
            tid: identity as u32,
            tgid: (identity >> 32) as u32,
            cpu: here.number,
            kernel_bytes: kernel as i32,
            user_bytes: user as i32,
            zero: 0,
            spent,
            counts,
        };
        let status = bpf_ringbuf_output(
            (&raw const map::SAMPLES).cast_mut().cast(),
            scratch.cast(),
            u64::from(HEADER + kernel_bytes + user_bytes),
            u64::from(BPF_RB_NO_WAKEUP),
        );
        if status != 0 {
            map::lost(Outcome::RING_FULL);
        }
    }
    0
}

/// What a sample stands for.
struct Stretch {
    at: u64,
    spent: u64,
    counts: [u64; COUNTERS],
}

/// What happened on this CPU since the last sample of the running thread, or
/// since it was switched in.
#[inline(always)]
fn stretch(here: Here) -> Stretch {
    let at = account::now();
    let cpu = here.cpu;
    let mut stretch = Stretch {
        at,
        spent: 0,
        counts: [0; COUNTERS],
    };
    // SAFETY: `cpu` is an element of CPUS.
    unsafe {
        // A slice is being closed by the very thread that is interrupted.
        if read_volatile(&raw const (*cpu).busy) != 0 {
            return stretch;
        }
        let counts = counter::read(cpu);
        let (since, before) = if (*cpu).sampled_at == 0 {
            ((*cpu).start, (*cpu).counts)
        } else {
            ((*cpu).sampled_at, (*cpu).sampled)
        };
        if since != 0 {
            stretch.spent = at.saturating_sub(since);
            stretch.counts = counter::events(&before, &counts);
        }
        (*cpu).sampled = counts;
        (*cpu).sampled_at = at;
    }
    stretch
}

/// # Safety
/// There is room for a full stack at `to`.
#[inline(always)]
unsafe fn walk(ctx: &PerfEventContext, to: *mut u8, flags: u64) -> i64 {
    // SAFETY: by the caller.
    unsafe { bpf_get_stack(ctx.as_ptr(), to.cast::<c_void>(), FULL, flags) }
}

/// The length of a stack, zero for an error, with a bound that the verifier
/// sees.
#[inline(always)]
fn length(result: i64) -> u32 {
    let mut bytes = if result < 0 { 0 } else { result as u64 };
    // The compiler would leave out a mask that it takes for superfluous.
    // SAFETY: plain arithmetic.
    unsafe { core::arch::asm!("{bytes} &= 1023", bytes = inout(reg) bytes) };
    bytes as u32
}
