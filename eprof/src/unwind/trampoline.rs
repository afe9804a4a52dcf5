//! The trampolines that CPython makes at run time for `-X perf`: one for each Python
//! function, so that a profiler sees a frame of it (Python 3.12 and 3.13,
//! Python/asm_trampoline.S and Python/perf_trampoline.c). They keep no frame pointer and
//! have no unwind information. An arena of them repeats the same few instructions, so
//! one table fits all arenas.

use eprof_common::Rule;
use eprof_common::table::PAGE_BITS;

use super::compile::PageRows;

/// Trampolines begin at multiples of this.
pub(super) const STEP: usize = 16;

/// So many pages are told the kernel of: the trampolines of an arena fill one,
/// and arenas may lie side by side.
pub(super) const PAGES: u32 = 16;

/// endbr64
const MARK: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// sub $8,%rsp; call *%rcx; add $8,%rsp; ret
const CODE: [u8; 11] = [
    0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3,
];

/// After the first instruction of [`CODE`], eight bytes more are taken; before
/// the last, they are given back.
const TAKEN: std::ops::Range<usize> = 4..10;

/// How CPython was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without `-fcf-protection`.
    Plain,
    /// With it: a mark says that code may be jumped to.
    Marked,
}

impl Kind {
    /// All kinds.
    pub(super) const ALL: [Self; 2] = [Self::Plain, Self::Marked];

    /// The kind of the trampoline that `bytes`, at a multiple of [`STEP`], are;
    /// `None` if they are none.
    pub(super) fn of(bytes: &[u8; STEP]) -> Option<Self> {
        if !cfg!(target_arch = "x86_64") {
            return None;
        }
        match bytes.strip_prefix(&MARK) {
            Some(rest) => rest.starts_with(&CODE).then_some(Self::Marked),
            None => bytes.starts_with(&CODE).then_some(Self::Plain),
        }
    }

    /// Of the pages for all kinds, of which the first is `first`, the first for
    /// this one.
    pub(super) fn page_of(self, first: u32) -> u32 {
        match self {
            Self::Plain => first,
            Self::Marked => first.saturating_add(PAGES),
        }
    }

    /// Where in a trampoline eight bytes more are taken.
    fn taken(self) -> std::ops::Range<usize> {
        match self {
            Self::Plain => TAKEN,
            Self::Marked => MARK.len() + TAKEN.start..MARK.len() + TAKEN.end,
        }
    }

    /// The rule so many bytes from the beginning of one.
    pub(super) fn rule(self, offset: u64) -> Rule {
        let taken = self.taken().contains(&(offset as usize % STEP));
        Rule {
            cfa_offset: if taken { 16 } else { 8 },
            ra_offset: -8,
            ..Rule::of(Rule::CFA_SP)
        }
    }

    /// A page of them.
    pub(super) fn page(self) -> PageRows {
        let begins = (0..1_u32 << PAGE_BITS).step_by(STEP);
        let taken = self.taken();
        let rows = begins.flat_map(|begin| [taken.start, taken.end].map(|at| begin + at as u32));
        [0].into_iter()
            .chain(rows)
            .map(|at| (at as u16, self.rule(u64::from(at))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_of_each_byte_what_a_trampoline_does_there() {
        for kind in Kind::ALL {
            let rows = kind.page();
            assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for at in 0..=u16::MAX {
                let next = rows.partition_point(|&(from, _)| from <= at);
                let (_, rule) = rows[next - 1];
                assert_eq!(rule, kind.rule(u64::from(at)));
                // The stack pointer has moved between the two instructions.
                let moved = match kind {
                    Kind::Plain => 4..10,
                    Kind::Marked => 8..14,
                };
                let moved = moved.contains(&(at % 16));
                assert_eq!(rule.cfa_offset, if moved { 16 } else { 8 }, "{at}");
            }
        }
    }

    #[test]
    fn trampolines_of_both_kinds_are_recognised() {
        // As Debian's python3.13 makes it.
        let marked = [
            0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 8, 0xff, 0xd1, 0x48, 0x83, 0xc4, 8, 0xc3, 0,
        ];
        assert_eq!(Kind::of(&marked), Some(Kind::Marked));
        let mut plain = [0; STEP];
        plain[..12].copy_from_slice(&marked[4..]);
        assert_eq!(Kind::of(&plain), Some(Kind::Plain));
        let mut cut = marked;
        cut[14] = 0;
        assert_eq!(Kind::of(&cut), None);
    }
}
