//! What must hold for any file of code.

use eprof::kernel::StackCopy;
use eprof::unwind::compile::{PageRows, Source};
use eprof::unwind::store::Store;
use eprof::unwind::walk::{walk, word};
use eprof_common::sample::MAX_USER_FRAMES;
use eprof_common::table::PAGE_BITS;
use eprof_common::{Registers, Rule, WalkEnd};

/// Most pages that are compiled: the first and the last ones.
const PAGES: u32 = 8;

/// Asserts what must hold for unwinding with any file; `stack` is what the stack of
/// a thread in it holds.
pub fn check(file: &[u8], stack: &[u8]) {
    let Some(mut source) = Source::open(Box::new(file.to_vec())) else {
        assert!(Store::new(None).open(Box::new(file.to_vec())).is_err());
        return;
    };
    let mut store = Store::new(None);
    let table = store.open(Box::new(file.to_vec()));
    let count = source.pages();
    let last = count.saturating_sub(PAGES).max(PAGES);
    for number in (0..count.min(PAGES)).chain(last..count) {
        let rows = source.page(number);
        assert_eq!(rows[0].0, 0, "something holds at the first byte");
        assert!(
            rows.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "{rows:?}"
        );
        // What is stored is what was compiled, unless there is no room.
        let Ok(table) = &table else { continue };
        for low in rows
            .iter()
            .flat_map(|&(low, _)| [low, low.wrapping_sub(1), low | 7])
        {
            let stored = store.rule(table, u64::from(number) << PAGE_BITS | u64::from(low));
            let full = store.refused() > 0;
            assert!(
                full || stored == at(&rows, low),
                "{stored:?} at {low} of {rows:?}"
            );
        }
    }
    let Ok(table) = table else { return };
    let base = 0x7fff_0000_u64;
    for (number, segment) in table.code().iter().take(4).enumerate() {
        for place in 0..16 {
            let pc = segment.address.wrapping_add(segment.length / 16 * place);
            let copy = StackCopy {
                process: 0,
                thread: 0,
                registers: Registers {
                    pc,
                    sp: base + 8 * place,
                    fp: base + 16 * place,
                    lr: pc ^ 4,
                    flags: (number % 2) as u64,
                },
                base,
                bytes: stack.to_vec(),
                outer: (0, Vec::new()),
                whole: place % 2 == 0,
                beyond: None,
            };
            let mut steps = Vec::new();
            let mut end_at = copy.registers;
            let code = |address: u64| {
                let relative = address.wrapping_sub(table.base());
                let inside = relative < u64::from(count) << PAGE_BITS;
                inside.then(|| store.rule(&table, relative))
            };
            let read = |at| word(&copy, at);
            let end = walk(&mut end_at, u64::MAX, code, read, None, &mut steps);
            assert!(steps.len() <= MAX_USER_FRAMES);
            assert_ne!(end, WalkEnd::ON, "a walk ends");
        }
    }
}

/// The rule that holds at a byte of a page.
fn at(rows: &PageRows, low: u16) -> Rule {
    let holds = rows.iter().rev().find(|&&(from, _)| from <= low);
    holds.expect("the first is at 0").1
}
