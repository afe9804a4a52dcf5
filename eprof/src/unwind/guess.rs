//! Functions that compilers make without unwind information, told by their
//! code.

use eprof_common::Rule;

use super::segment::Machine;

/// Functions begin at multiples of this.
const ALIGNMENT: u64 = 16;

/// The longest function that is recognised, in bytes.
pub(super) const LONGEST: usize = 256;

/// Rows for the first function in `bytes`, which are at `begin`. There are some if it
/// moves the stack pointer once at its beginning and once at its end. The C function
/// `main` that rustc makes is such a one, and all of a program's stacks pass through it.
/// `None` ends the rows.
pub(super) fn function(machine: Machine, begin: u64, bytes: &[u8]) -> Vec<(u64, Option<Rule>)> {
    let start = begin.next_multiple_of(ALIGNMENT);
    let skipped = usize::try_from(start - begin).unwrap_or(usize::MAX);
    let Some(code) = bytes.get(skipped..) else {
        return Vec::new();
    };
    let code = code.get(..LONGEST).unwrap_or(code);
    if machine != Machine::X86_64 {
        return Vec::new();
    }
    // Length of the first instruction, what it takes from the stack, and the
    // end: the instruction that gives it back, and `ret`.
    let (length, taken, ends): (_, _, &[&[u8]]) = match code {
        // push %rax … pop %rax or %rcx; ret
        [0x50, ..] => (1, 8, &[&[0x58, 0xc3], &[0x59, 0xc3]]),
        // sub $n, %rsp … add $n, %rsp; ret
        [0x48, 0x83, 0xec, taken @ 1..0x80, ..] => {
            (4, i32::from(*taken), &[&[0x48, 0x83, 0xc4, *taken, 0xc3]])
        }
        _ => return Vec::new(),
    };
    let end = ends
        .iter()
        .filter_map(|end| {
            let at = code.windows(end.len()).position(|window| window == *end)?;
            Some((at as u64, end.len() as u64))
        })
        .min();
    let Some((end, tail)) = end else {
        return Vec::new();
    };
    let frame = |size| {
        Some(Rule {
            cfa_offset: size,
            ra_offset: -8,
            ..Rule::of(Rule::CFA_SP)
        })
    };
    let ret = start + end + tail - 1;
    vec![
        (start, frame(8)),
        (start + length, frame(8 + taken)),
        (ret, frame(8)),
        (ret + 1, None),
    ]
}

/// Rows for the procedure linkage tables in `bytes`, which are at `begin`: LLVM's
/// linker writes them without unwind information (lld/ELF/Arch/X86_64.cpp).
/// `None` ends the rows of each.
pub(super) fn linkage(
    machine: Machine,
    begin: u64,
    bytes: &[u8],
) -> impl Iterator<Item = Vec<(u64, Option<Rule>)>> {
    let start = begin.next_multiple_of(ALIGNMENT);
    let skipped = usize::try_from(start - begin).unwrap_or(usize::MAX);
    let entries = match machine {
        Machine::X86_64 => bytes.get(skipped..).unwrap_or_default(),
        Machine::Aarch64 => &[],
    };
    let (entries, _) = entries.as_chunks::<{ ALIGNMENT as usize }>();
    (start..)
        .step_by(ALIGNMENT as usize)
        .zip(entries)
        .filter_map(|(at, entry)| {
            let frame = |size| {
                Some(Rule {
                    cfa_offset: size,
                    ra_offset: -8,
                    ..Rule::of(Rule::CFA_SP)
                })
            };
            let end = (at + ALIGNMENT, None);
            match entry {
                // push …(%rip); jmp *…(%rip); nop: all others jump here, with
                // a word pushed.
                [
                    0xff,
                    0x35,
                    _,
                    _,
                    _,
                    _,
                    0xff,
                    0x25,
                    _,
                    _,
                    _,
                    _,
                    0x0f,
                    0x1f,
                    0x40,
                    0,
                ] => Some(vec![(at, frame(16)), (at + 6, frame(24)), end]),
                // jmp *…(%rip); push $…; jmp …
                [0xff, 0x25, _, _, _, _, 0x68, _, _, _, _, 0xe9, ..] => {
                    let rule = Rule {
                        add: 11,
                        ra_offset: -8,
                        cfa_offset: 8,
                        ..Rule::of(Rule::CFA_PLT)
                    };
                    Some(vec![(at, Some(rule)), end])
                }
                // endbr64; push $…; jmp …; xchg %ax,%ax
                [0xf3, 0x0f, 0x1e, 0xfa, 0x68, _, _, _, _, 0xe9, ..] => {
                    Some(vec![(at, frame(8)), (at + 9, frame(16)), end])
                }
                // endbr64; jmp *…(%rip)
                [0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, ..] => Some(vec![(at, frame(8)), end]),
                _ => None,
            }
        })
}

/// Where in a function a new thread begins, in bytes: musl says of its
/// `__clone` (src/thread/x86_64/clone.s) what holds for the thread that calls
/// it, not for the one that it makes.
pub(super) fn new_thread(machine: Machine, code: &[u8]) -> Option<usize> {
    let code = code.get(..LONGEST + 1).map_or(Some(code), |_| None)?;
    new_thread_in(machine, code)
}

/// xor %ebp,%ebp; pop %rdi; call *%r9
const NEW_THREAD_CODE: [u8; 6] = [0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1];

/// How many bytes of code the new thread begins with, up to the end of its first call.
pub(super) const NEW_THREAD: u64 = NEW_THREAD_CODE.len() as u64;

/// The same in any code.
pub(super) fn new_thread_in(machine: Machine, code: &[u8]) -> Option<usize> {
    if machine != Machine::X86_64 {
        return None;
    }
    let mut windows = code.windows(NEW_THREAD_CODE.len());
    windows.position(|window| window == NEW_THREAD_CODE)
}

/// The calls of `main` and of the first function of a thread, in code of a C
/// library that has no unwind information: an indirect call whose result is at
/// once passed to a function that does not return, as in `exit(main(…))`.
/// Gives the first byte of each and one past the last.
pub(super) fn first_calls(
    machine: Machine,
    begin: u64,
    bytes: &[u8],
) -> impl Iterator<Item = (u64, u64)> {
    let all = if machine == Machine::X86_64 {
        bytes
    } else {
        &[]
    };
    (begin..)
        .zip(all.windows(8))
        .filter_map(|(at, code)| match code {
            // call *%reg; mov %eax,%edi (or %rax,%rdi); call
            [0xff, 0xd0..=0xd7, 0x89, 0xc7, 0xe8, ..]
            | [0xff, 0xd0..=0xd7, 0x48, 0x89, 0xc7, 0xe8, ..] => Some((at, at + 2)),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_function_of_a_rust_program_is_recognised() {
        // push %rax; movslq %edi,%rax; call *%rbx; pop %rcx; ret; int3
        let code = [
            0xcc, 0xcc, 0x50, 0x48, 0x63, 0xc7, 0xff, 0xd3, 0x59, 0xc3, 0xcc,
        ];
        let rows = function(Machine::X86_64, 0x100e, &code);
        let sizes: Vec<_> = rows
            .iter()
            .map(|(at, rule)| (*at, rule.map(|rule| rule.cfa_offset)))
            .collect();
        assert_eq!(
            sizes,
            [
                (0x1010, Some(8)),
                (0x1011, Some(16)),
                (0x1017, Some(8)),
                (0x1018, None)
            ]
        );
    }

    #[test]
    fn linkage_tables_of_lld_are_recognised() {
        // What lld 22 has written: the head of the table, and two entries.
        let head = [
            0xff, 0x35, 0xf2, 0x1b, 0, 0, 0xff, 0x25, 0xf4, 0x1b, 0, 0, 0x0f, 0x1f, 0x40, 0,
        ];
        let entry = [
            0xff, 0x25, 0xf2, 0x1b, 0, 0, 0x68, 0, 0, 0, 0, 0xe9, 0xe0, 0xff, 0xff, 0xff,
        ];
        let code = [&[0xcc; 4][..], &head, &entry, &entry, &[0x90; 16]].concat();
        let rows: Vec<_> = linkage(Machine::X86_64, 0x100c, &code)
            .map(|rows| {
                let sizes = rows.into_iter();
                let sizes =
                    sizes.map(|(at, rule)| (at, rule.map(|r| (r.cfa, r.cfa_offset, r.add))));
                sizes.collect::<Vec<_>>()
            })
            .collect();
        let sp = |size| Some((Rule::CFA_SP, size, 0));
        let plt = Some((Rule::CFA_PLT, 8, 11));
        assert_eq!(
            rows,
            [
                vec![(0x1010, sp(16)), (0x1016, sp(24)), (0x1020, None)],
                vec![(0x1020, plt), (0x1030, None)],
                vec![(0x1030, plt), (0x1040, None)],
            ]
        );
        assert_eq!(linkage(Machine::Aarch64, 0x100c, &code).count(), 0);
    }

    #[test]
    fn the_call_of_main_in_musl_is_recognised() {
        // mov %r12,%rsi; call *%rbx; mov %eax,%edi; call exit
        let code = [
            0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, 0xe8, 0xf1, 0x01, 0xfc, 0xff,
        ];
        let calls: Vec<_> = first_calls(Machine::X86_64, 0x1000, &code).collect();
        assert_eq!(calls, [(0x1003, 0x1005)]);
    }

    #[test]
    fn a_new_thread_begins_in_the_midst_of_clone() {
        let code = [0x0f, 0x05, 0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1, 0x89, 0xc7];
        assert_eq!(new_thread(Machine::X86_64, &code), Some(2));
        assert_eq!(new_thread(Machine::X86_64, &code[3..]), None);
    }

    #[test]
    fn other_code_is_left_alone() {
        assert_eq!(function(Machine::X86_64, 0, &[0x55, 0x48, 0xc3]), []);
        assert_eq!(function(Machine::X86_64, 0, &[0x50, 0x90]), []);
        assert_eq!(function(Machine::X86_64, 1, &[0x50]), []);
        assert_eq!(function(Machine::Aarch64, 0, &[0x50, 0x59, 0xc3]), []);
    }
}
