//! The trampolines that CPython makes at run time for `-X perf`, one for each
//! Python function, so that a profiler sees a frame of it (Python 3.12 and
//! 3.13, Python/asm_trampoline.S and Python/perf_trampoline.c). They keep no
//! frame pointer and have no unwind information. An arena of them has the same
//! few instructions over and over, so that one table is that of all arenas.

use eprof_common::Rule;
use eprof_common::table::PAGE_BITS;

use super::compile::PageRows;

/// Trampolines begin at multiples of this.
pub(super) const STEP: usize = 16;

/// So many pages are told the kernel of: the trampolines of an arena fill one,
/// and arenas may lie side by side.
pub(super) const PAGES: u32 = 16;

/// sub $8,%rsp; call *%rcx; add $8,%rsp; ret
const CODE: [u8; 11] = [
    0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3,
];

/// After the first instruction, eight bytes more are taken; before the last,
/// they are given back.
const TAKEN: std::ops::Range<usize> = 4..10;

/// Whether `bytes`, at a multiple of [`STEP`], are a trampoline.
pub(super) fn is_one(bytes: &[u8; STEP]) -> bool {
    cfg!(target_arch = "x86_64") && bytes.starts_with(&CODE)
}

/// The rule so many bytes from the beginning of one.
pub(super) fn rule(offset: u64) -> Rule {
    let taken = TAKEN.contains(&(offset as usize % STEP));
    Rule {
        cfa_offset: if taken { 16 } else { 8 },
        ra_offset: -8,
        ..Rule::of(Rule::CFA_SP)
    }
}

/// A page of them.
pub(super) fn page() -> PageRows {
    let begins = (0..1_u32 << PAGE_BITS).step_by(STEP);
    let rows = begins.flat_map(|begin| [TAKEN.start, TAKEN.end].map(|at| begin + at as u32));
    [0].into_iter()
        .chain(rows)
        .map(|at| (at as u16, rule(u64::from(at))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_of_each_byte_what_a_trampoline_does_there() {
        let rows = page();
        assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for at in 0..=u16::MAX {
            let next = rows.partition_point(|&(from, _)| from <= at);
            let (_, rule) = rows[next - 1];
            assert_eq!(rule, super::rule(u64::from(at)));
            // The stack pointer has moved between the two instructions.
            let moved = (4..10).contains(&(at % 16));
            assert_eq!(rule.cfa_offset, if moved { 16 } else { 8 }, "{at}");
        }
    }
}
