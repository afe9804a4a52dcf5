//! The user side of an interrupted thread: its registers and its stack.

use aya_ebpf::{
    EbpfContext, Global,
    bindings::task_struct,
    helpers::generated::{
        bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_probe_read_user, bpf_task_pt_regs,
    },
    programs::PerfEventContext,
};
use core::ffi::c_void;
use eprof_common::{
    Registers, WalkEnd,
    sample::{COPY_WORDS, MAX_OUTER, MAX_PIECES, PIECE, ResumeFrame},
};

use crate::{
    map::{self, Scratch},
    task::TaskPointer,
};

/// The layout of the registers: that of x86-64.
const X86_64: u32 = 0;

/// Where nothing can be read in so many pieces, there is no stack.
const MOST_SKIPPED: usize = 8;

/// Whose registers these are; set at load.
#[unsafe(no_mangle)]
static ARCHITECTURE: Global<u32> = Global::new(X86_64);

/// The word of the context at a constant offset. In assembly, because the
/// compiler would make one load of two at different offsets, which the
/// verifier does not accept of a context.
macro_rules! context {
    ($ctx:expr, $offset:literal) => {{
        let word: u64;
        // SAFETY: the verifier checks the offset.
        unsafe {
            core::arch::asm!(
                concat!("{word} = *(u64 *)({ctx} + ", $offset, ")"),
                ctx = in(reg) $ctx,
                word = out(reg) word,
                options(nostack, readonly),
            );
        }
        word
    }};
}

/// Fetches the registers with which user code was interrupted, or with which
/// it entered the kernel. `false` where there is no user code.
///
/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
pub unsafe fn registers(ctx: &PerfEventContext, scratch: *mut Scratch) -> bool {
    let ctx = ctx.as_ptr();
    // `struct pt_regs` of arch/x86/include/asm/ptrace.h and `struct
    // user_pt_regs` of arch/arm64/include/uapi/asm/ptrace.h.
    let registers = if ARCHITECTURE.load() == X86_64 {
        let cs = context!(ctx, 136);
        if cs & 3 != 0 {
            let registers = Registers {
                pc: context!(ctx, 128),
                sp: context!(ctx, 152),
                fp: context!(ctx, 32),
                lr: context!(ctx, 112),
                flags: Registers::EXACT | narrow(cs),
            };
            (Some(registers), false)
        } else {
            // SAFETY: reads kernel memory by a helper.
            (unsafe { entry(128, 152, 32, 112, Some(136)) }, true)
        }
    } else {
        // PSR_MODE_MASK, and PSR_MODE_EL0t, which is zero.
        let mode = context!(ctx, 264) & 0xf;
        if mode == 0 {
            let registers = Registers {
                pc: context!(ctx, 256),
                sp: context!(ctx, 248),
                fp: context!(ctx, 232),
                lr: context!(ctx, 240),
                flags: Registers::EXACT,
            };
            (Some(registers), false)
        } else {
            // SAFETY: as above.
            (unsafe { entry(256, 248, 232, 240, None) }, true)
        }
    };
    let (registers, entered) = registers;
    match registers {
        // A thread that exits has given up its memory before its registers.
        Some(registers) if registers.pc != 0 && !(entered && TaskPointer::is_without_memory()) => {
            // SAFETY: by the caller.
            unsafe {
                (*scratch).registers = registers;
                (*scratch).entered = u32::from(entered);
            }
            true
        }
        _ => false,
    }
}

/// The flag of code that runs in a segment of 32 bits: `__USER32_CS` of
/// arch/x86/include/asm/segment.h.
#[inline(always)]
fn narrow(cs: u64) -> u64 {
    if cs & 0xffff == 0x23 {
        Registers::NARROW
    } else {
        0
    }
}

/// The registers with which the running thread entered the kernel; `cs` is where the
/// code segment is, where there is one.
///
/// # Safety
/// None: the kernel's memory is read by a helper.
#[inline(always)]
unsafe fn entry(
    pc: usize,
    sp: usize,
    fp: usize,
    lr: usize,
    cs: Option<usize>,
) -> Option<Registers> {
    // SAFETY: the helpers give the saved registers of the running task.
    let saved = unsafe {
        let task: *mut task_struct = bpf_get_current_task_btf();
        bpf_task_pt_regs(task) as *const u8
    };
    if saved.is_null() {
        return None;
    }
    Some(Registers {
        pc: kernel(saved.wrapping_add(pc))?,
        sp: kernel(saved.wrapping_add(sp))?,
        fp: kernel(saved.wrapping_add(fp))?,
        lr: kernel(saved.wrapping_add(lr))?,
        flags: Registers::EXACT
            | match cs {
                Some(cs) => narrow(kernel(saved.wrapping_add(cs))?),
                None => 0,
            },
    })
}

#[inline(always)]
fn kernel(at: *const u8) -> Option<u64> {
    let mut word = 0u64;
    // SAFETY: the helper checks the address.
    let status = unsafe { bpf_probe_read_kernel((&raw mut word).cast(), 8, at.cast()) };
    (status == 0).then_some(word)
}

/// Whether a call writes its return address below the caller's stack pointer.
#[inline(always)]
pub fn calls_below() -> bool {
    ARCHITECTURE.load() == X86_64
}

/// The word at an address of the user's.
#[inline(always)]
pub fn word(at: u64) -> Option<u64> {
    let mut word = 0u64;
    // SAFETY: the helper checks the address.
    let status =
        unsafe { bpf_probe_read_user((&raw mut word).cast::<c_void>(), 8, at as *const c_void) };
    (status == 0).then_some(word)
}

/// Copies the stack from the stack pointer on: as many pieces as are wanted and can be
/// read, and its outer end if that is wanted, too. Puts the registers before it. Where a
/// thread in the kernel has no stack, its image is being replaced.
///
/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
pub unsafe fn copy(scratch: *mut Scratch) -> WalkEnd {
    // SAFETY: by the caller; the index has a bound, and behind it there is
    // room for the registers and all pieces.
    unsafe {
        let head = head(scratch);
        let Registers {
            pc,
            sp,
            fp,
            lr,
            flags,
        } = (*scratch).registers;
        let ResumeFrame {
            pc: resumed_pc,
            sp: resumed_sp,
            fp: resumed_fp,
        } = (*scratch).resumed;
        let has_room = map::has_room();
        let wanted = if has_room {
            (*scratch).wanted
        } else {
            map::near()
        };
        let from = sp & !(PIECE as u64 - 1);
        let skipped = first_piece(from);
        let near = from + u64::from(skipped) * PIECE as u64;
        // Where nothing can be read, there is no stack.
        let pieces = copy_near(near, wanted);
        let outer = if pieces > 0 && (*scratch).outer > 0 && has_room {
            copy_outer(near, near + u64::from(pieces) * PIECE as u64, pieces)
        } else {
            0
        };
        let words = [
            pc,
            sp,
            fp,
            lr,
            flags,
            resumed_pc,
            resumed_sp,
            resumed_fp,
            u64::from((*scratch).before),
            u64::from(wanted),
            u64::from(outer),
            (*scratch).outer_end,
        ];
        *head.cast::<[u64; COPY_WORDS]>() = words;
        (*scratch).extra = if pieces > 0 { COPY_WORDS as u32 } else { 0 };
        (*scratch).header.pieces = pieces + outer;
        (*scratch).header.skipped = skipped;
        if pieces > 0 {
            WalkEnd::PENDING
        } else if (*scratch).entered != 0 {
            WalkEnd::ABSENT
        } else {
            WalkEnd::FAULT
        }
    }
}

/// What comes before the pieces of a copy, which follow it.
///
/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
unsafe fn head(scratch: *mut Scratch) -> *mut u64 {
    // SAFETY: by the caller; the index has a bound.
    unsafe {
        let first = map::word((*scratch).kernel + (*scratch).frames);
        (&raw mut (*scratch).words).cast::<u64>().add(first)
    }
}

/// Copies the piece at an address to place `number`.
///
/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
unsafe fn piece(scratch: *mut Scratch, number: u32, address: u64) -> bool {
    let place = map::bounded::<{ map::PIECE_MASK }>(number) as usize * PIECE;
    // SAFETY: by the caller; there is room for so many pieces.
    unsafe {
        let to = head(scratch).add(COPY_WORDS).cast::<u8>().add(place);
        bpf_probe_read_user(to.cast::<c_void>(), PIECE as u32, address as *const c_void) == 0
    }
}

/// Whether place `number` is not one of the first `most`. Not seen by the compiler,
/// which would count up to the smaller of two bounds then: Linux 6.1 does not see
/// the end of such a loop.
#[inline(always)]
fn beyond(number: u32, most: u64) -> bool {
    map::bounded::<{ map::PIECE_MASK }>(number) >= most
}

/// This CPU's.
#[inline(always)]
fn scratch() -> Option<*mut Scratch> {
    map::here().and_then(|here| map::SCRATCH.get_ptr_mut(here.number))
}

/// The number of the first piece from `from` on that can be read. A global
/// function as `walk::last_region` is one; so are the next two.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn first_piece(from: u64) -> u32 {
    let mut number = 0;
    while number < MOST_SKIPPED {
        if word(from.wrapping_add(number as u64 * PIECE as u64)).is_some() {
            break;
        }
        number += 1;
    }
    number as u32
}

/// Copies the pieces from `from` on, `wanted` at most; gives how many.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn copy_near(from: u64, wanted: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    let mut number = 0;
    while number < MAX_PIECES as u32 {
        let address = from.wrapping_add(u64::from(number) * PIECE as u64);
        // SAFETY: `scratch` belongs to this CPU.
        if beyond(number, u64::from(wanted)) || !unsafe { piece(scratch, number, address) } {
            break;
        }
        number += 1;
    }
    number
}

/// Copies the outer end of the stack behind `pieces` others, those of what lies
/// between `from` and `to`; gives how many pieces it has.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn copy_outer(from: u64, to: u64, pieces: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: `scratch` belongs to this CPU.
    let first = unsafe { (*scratch).header.tid == (*scratch).header.tgid };
    let begin = TaskPointer::stack_begin(first);
    let end = begin.wrapping_add(PIECE as u64 - 1) & !(PIECE as u64 - 1);
    // SAFETY: as above.
    unsafe { (*scratch).outer_end = end };
    let most = if end <= from {
        MAX_OUTER as u64
    } else {
        end.saturating_sub(to) / PIECE as u64
    };
    let mut number = 0;
    while number < MAX_OUTER as u32 {
        let address = end.wrapping_sub(u64::from(number + 1) * PIECE as u64);
        // SAFETY: as above.
        if beyond(number, most) || !unsafe { piece(scratch, pieces + number, address) } {
            break;
        }
        number += 1;
    }
    number
}
