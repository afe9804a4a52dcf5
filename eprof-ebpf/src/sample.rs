//! Stack samples. This program never touches the accounts.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_USER_STACK, BPF_RB_NO_WAKEUP},
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_smp_processor_id,
        generated::{bpf_get_stack, bpf_ringbuf_output},
    },
    macros::perf_event,
    programs::PerfEventContext,
};
use core::ffi::c_void;
use eprof_common::{Outcome, Program, SampleHeader, sample::MAX_FRAMES};

use crate::{account, follow, map};

/// Bytes of a full stack.
const FULL: u32 = (MAX_FRAMES * 8) as u32;
const HEADER: u32 = size_of::<SampleHeader>() as u32;

/// A timer of the target's ran out on this CPU.
#[perf_event]
pub fn sample(ctx: PerfEventContext) -> u32 {
    let Some(cpu) = map::this_cpu() else {
        return 0;
    };
    map::ran(cpu, Program::SAMPLE);
    let Some(link) = follow::current_link() else {
        map::lost(Outcome::NOT_TARGET);
        return 0;
    };
    let Some(scratch) = map::SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    let identity = bpf_get_current_pid_tgid();
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
            at: account::now(),
            serial: (*link).serial,
            tid: identity as u32,
            tgid: (identity >> 32) as u32,
            cpu: bpf_get_smp_processor_id(),
            kernel_bytes: kernel as i32,
            user_bytes: user as i32,
            zero: 0,
            spent: 0,
            counts: [0; 4],
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
