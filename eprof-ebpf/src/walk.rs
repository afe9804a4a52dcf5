//! Walking up a user stack by unwind tables, one frame per call of `step`.

use aya_ebpf::{Global, helpers::generated::bpf_loop};
use core::{ffi::c_void, ptr::read_volatile};
use eprof_common::{
    Page, Region, Registers, Rule, Space, WalkEnd, rule,
    sample::{INTERRUPTED, MAX_OUTER, MAX_USER_FRAMES, ResumeFrame},
    table::{CHUNK_ROWS, PAGE_BITS, REGION_STEPS},
};

use crate::{
    map::{self, Scratch},
    resume, user,
};

/// The bits of a return address that are part of the address; set at load.
#[unsafe(no_mangle)]
static CODE_MASK: Global<u64> = Global::new(u64::MAX);

/// Steps of a search in the rows of one page, of which there are at most
/// 65536: one row per byte.
const ROW_STEPS: u32 = PAGE_BITS + 1;

/// Walks from the registers in `scratch` up to the root, or as far as that is
/// known; where it is not, beyond it if that can be. Gives how the walk ended,
/// and whether the stack is to be copied: from the registers that are then in
/// `scratch`.
///
/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
pub unsafe fn up(scratch: *mut Scratch) -> (WalkEnd, bool) {
    // SAFETY: by the caller.
    unsafe {
        if (*scratch).space == 0 {
            (*scratch).wanted = map::PIECES.load();
            (*scratch).outer = MAX_OUTER as u32;
            return (WalkEnd::PENDING, true);
        }
        let thread = (*scratch).header.serial;
        resume::begin(thread);
        let mut end = run(scratch);
        let gap = end == WalkEnd::PENDING;
        if gap {
            let (registers, before) = ((*scratch).registers, (*scratch).frames);
            (*scratch).before = before;
            // Most often what is known begins near by, and a short copy will do.
            let (near, far) = (map::near(), map::PIECES.load());
            (*scratch).wanted = near;
            if resume::from_last_walk(0, near) > 0 {
                end = run(scratch);
                (*scratch).registers = registers;
            }
            if !matches!(end, WalkEnd::ROOT | WalkEnd::DEEP) {
                (*scratch).wanted = far;
                (*scratch).frames = before;
                (*scratch).resumed = ResumeFrame::default();
                end = WalkEnd::PENDING;
                if resume::from_last_walk(near, far) > 0 {
                    end = run(scratch);
                    (*scratch).registers = registers;
                }
                if end == WalkEnd::PENDING {
                    (*scratch).frames = before;
                    (*scratch).resumed = ResumeFrame::default();
                    (*scratch).outer = MAX_OUTER as u32;
                }
            }
        }
        // A walk with a gap has too few frames to go on from.
        if end == WalkEnd::ROOT && !gap {
            resume::end(thread);
        }
        (end, gap)
    }
}

/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
unsafe fn run(scratch: *mut Scratch) -> WalkEnd {
    // SAFETY: by the caller; the callback has the type that the helper wants.
    unsafe {
        (*scratch).end = WalkEnd::DEEP.0;
        bpf_loop(
            MAX_USER_FRAMES as u32,
            step as *mut c_void,
            core::ptr::null_mut(),
            0,
        );
        WalkEnd((*scratch).end)
    }
}

/// Takes down a frame and goes on to its caller; one to stop.
extern "C" fn step(_: u32, _: *mut c_void) -> i64 {
    let Some(scratch) = map::here().and_then(|here| map::SCRATCH.get_ptr_mut(here.number)) else {
        return 1;
    };
    // SAFETY: `scratch` belongs to this CPU.
    unsafe {
        let end = frame(scratch);
        if end == WalkEnd::ON {
            return 0;
        }
        (*scratch).end = end.0;
    }
    1
}

/// # Safety
/// `scratch` belongs to this CPU.
#[inline(always)]
unsafe fn frame(scratch: *mut Scratch) -> WalkEnd {
    // SAFETY: by the caller.
    unsafe {
        // In between two frames, of which the first is taken down.
        if (*scratch).registers.flags & Registers::SEEKING != 0 {
            let mut registers = (*scratch).registers;
            let end = rule::seek(&mut registers, |at| user::word(at).ok_or(WalkEnd::FAULT));
            (*scratch).registers = registers;
            return end;
        }
        let place = (*scratch).registers.place();
        let region = match region(Space((*scratch).space), place) {
            Some(region) => *region,
            // What frame pointers led to need not be an address at all.
            None if (*scratch).registers.flags & Registers::GUESSED != 0 => {
                return WalkEnd::LEFT_CODE;
            }
            None => return WalkEnd::PENDING,
        };
        if region.pages == 0 && region.page == Region::PENDING {
            return WalkEnd::PENDING;
        }
        let rule = match find(&region, place) {
            Found::Rule(rule) => rule,
            // Without any, frame pointers are followed.
            Found::None if region.pages == 0 => Rule::of(Rule::NONE),
            Found::None => Rule::DOUBTFUL,
            Found::Unknown => return WalkEnd::PENDING,
        };
        let pc = (*scratch).registers.pc;
        let frames = (*scratch).frames;
        if frames >= MAX_USER_FRAMES as u32 {
            return WalkEnd::DEEP;
        }
        resume::note(scratch);
        let interrupted = frames > 0 && (*scratch).registers.is_exact();
        let slot = map::word((*scratch).kernel + frames);
        *(&raw mut (*scratch).words).cast::<u64>().add(slot) =
            if interrupted { pc | INTERRUPTED } else { pc };
        (*scratch).frames = frames + 1;

        let mut registers = (*scratch).registers;
        let end = rule::step(&mut registers, &rule, CODE_MASK.load(), |at| {
            user::word(at).ok_or(WalkEnd::FAULT)
        });
        (*scratch).registers = registers;
        end
    }
}

/// The region of `space` at an address.
#[inline(always)]
fn region(space: Space, place: u64) -> Option<*const Region> {
    let number = last_region(space.first(), space.count(), place);
    let region = map::REGIONS.get_ptr(number)?;
    // SAFETY: `region` is an element of REGIONS.
    let (begin, end) = unsafe { ((*region).begin, (*region).end) };
    (begin <= place && place < end).then_some(region)
}

/// The number of the last of `count` regions from `first` on that is not above
/// an address. A global function, for these are verified by themselves: within
/// its caller, the verifier would follow everything after the search for each
/// of its steps.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn last_region(first: u32, count: u32, place: u64) -> u32 {
    let (mut low, mut rest) = (u64::from(first), u64::from(count));
    let mut steps = 0;
    while steps < REGION_STEPS {
        if rest <= 1 {
            break;
        }
        let half = rest >> 1;
        let Some(region) = map::REGIONS.get_ptr((low + half) as u32) else {
            break;
        };
        // SAFETY: `region` is an element of REGIONS.
        let begin = unsafe { (*region).begin };
        // Without a branch, which the verifier would follow one way and the
        // other at each step. Addresses of user space have a sign of zero.
        let not_above = ((begin as i64).wrapping_sub(place as i64).wrapping_sub(1)) >> 63;
        low += half & not_above as u64;
        rest -= half;
        steps += 1;
    }
    low as u32
}

/// What the tables say of an address.
enum Found {
    Rule(Rule),
    None,
    /// The page is not compiled yet.
    Unknown,
}

/// The rule for an address in a region.
#[inline(always)]
fn find(region: &Region, place: u64) -> Found {
    let relative = place.wrapping_sub(region.bias);
    let number = relative >> PAGE_BITS;
    if number >= u64::from(region.pages) {
        return Found::None;
    }
    let Some(page) = map::PAGES.get_ptr(region.page.wrapping_add(number as u32)) else {
        return Found::None;
    };
    // SAFETY: `page` is an element of PAGES, of eight bytes. One load, for it
    // becomes known at any time.
    let Page { from, rows } = Page::of(unsafe { read_volatile(page.cast::<u64>()) });
    if rows == Page::UNKNOWN {
        return Found::Unknown;
    }
    match rule(from, rows, relative) {
        Some(rule) => Found::Rule(rule),
        None => Found::None,
    }
}

/// The rule for a byte of a page that has `rows` rows from number `from` on.
#[inline(always)]
fn rule(from: u32, rows: u32, relative: u64) -> Option<Rule> {
    if rows == 0 {
        return None;
    }
    let row = last_row(from, rows, relative as u32 & ((1 << PAGE_BITS) - 1));
    let rule = map::RULES.get_ptr(row >> 16)?;
    // SAFETY: `rule` is an element of RULES.
    Some(unsafe { *rule })
}

/// The last of `rows` rows from `from` on that is not above the low half of an
/// address; the first row is at the page's first byte. Zero without rows, which
/// is the number of the rule for what is not supported. Global like
/// [`last_region`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn last_row(from: u32, rows: u32, low_bits: u32) -> u32 {
    // On the stack: `&0` would be a constant, and the compiler merges equal constants,
    // also with a setting that is zero until it is set at load.
    let only = 0;
    let Some(chunk) = map::CHUNKS.get_value_ptr_mut(from / CHUNK_ROWS as u32, &only) else {
        return 0;
    };
    // SAFETY: `chunk` is the element of a chunk map.
    let words = unsafe { (&raw const (*chunk).rows).cast::<u32>() };
    // SAFETY: the index has a bound.
    let row = |at: u64| unsafe {
        *words.add(map::bounded::<{ CHUNK_ROWS as u32 - 1 }>(at as u32) as usize)
    };
    let from = from & (CHUNK_ROWS as u32 - 1);
    let (mut low, mut rest) = (u64::from(from), u64::from(rows));
    let mut steps = 0;
    while steps < ROW_STEPS {
        if rest <= 1 {
            break;
        }
        let half = rest >> 1;
        let row = row(low + half);
        let not_above = (i64::from(row & 0xffff) - i64::from(low_bits) - 1) >> 63;
        low += half & not_above as u64;
        rest -= half;
        steps += 1;
    }
    row(low)
}
