//! Files that are damaged, on purpose or not, and stacks of noise: an answer or
//! none, but no panic and no endless walk.

use std::ops::Range;
use std::sync::OnceLock;

use eprof::kernel::StackCopy;
use eprof::unwind::compile::Source;
use eprof::unwind::store::Store;
use eprof::unwind::walk::{walk, word};
use eprof_common::{Registers, Rule, WalkEnd, sample::MAX_USER_FRAMES};
use object::{Object as _, ObjectSection as _};
use proptest::prelude::*;

/// A small program of this system, and where its unwind information is.
fn program() -> &'static (Vec<u8>, [Range<usize>; 2]) {
    static PROGRAM: OnceLock<(Vec<u8>, [Range<usize>; 2])> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let data = std::fs::read("/bin/sh").unwrap();
        let file = object::File::parse(data.as_slice()).unwrap();
        let ranges = [".eh_frame", ".eh_frame_hdr"].map(|name| {
            let section = file.section_by_name(name).unwrap();
            let (begin, size) = section.file_range().unwrap();
            begin as usize..(begin + size) as usize
        });
        (data, ranges)
    })
}

/// Asks for rules all over a file, as far as it has a table.
fn ask(data: Vec<u8>) {
    let mut store = Store::new(None);
    let Ok(table) = store.open(Box::new(data)) else {
        return;
    };
    for relative in (0..1 << 20).step_by(4099).chain([u64::MAX, 1 << 32]) {
        store.rule(&table, relative);
        table.relative(relative);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_unwind_information(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        headers in prop::collection::vec((0_usize..64, any::<u8>()), 0..3),
        table in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..9),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (data, [frames, search]) = program();
        let mut data = data.clone();
        for (index, byte) in damage {
            data[frames.start + index.index(frames.len())] = byte;
        }
        for (index, byte) in table {
            data[search.start + index.index(search.len())] = byte;
        }
        for (index, byte) in headers {
            data[index] = byte;
        }
        if let Some(length) = length {
            data.truncate(length.index(data.len()));
        }
        if let Some(mut source) = Source::open(Box::new(data.clone())) {
            for number in (0..source.pages().min(64)).chain([u32::MAX]) {
                let rows = source.page(number);
                prop_assert_eq!(rows[0].0, 0, "something holds at the first byte");
                let sorted = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
                prop_assert!(sorted, "rows are in order");
            }
        }
        ask(data);
    }

    #[test]
    fn noise(bytes: Vec<u8>) {
        prop_assert!(Source::open(Box::new(bytes.clone())).is_none());
        ask([b"\x7fELF\x02\x01\x01\0".as_slice(), &bytes].concat());
    }

    #[test]
    fn stacks_of_noise(
        registers: [u64; 5],
        bytes in prop::collection::vec(any::<u8>(), 0..4096),
        outer: (u64, Vec<u8>),
        near: bool,
        whole: bool,
    ) {
        let mut store = Store::new(None);
        let table = store.open(Box::new(program().0.clone())).unwrap();
        let base = 0x7fff_0000_u64;
        let [pc, sp, fp, lr, flags] = registers;
        let reach = |value: u64| if near { base + value % 4096 } else { value };
        let copy = StackCopy {
            process: 0,
            thread: 0,
            registers: Registers { pc, sp: reach(sp), fp: reach(fp), lr, flags },
            base,
            bytes,
            outer,
            whole,
            beyond: None,
        };
        let mut steps = Vec::new();
        let code = |address| match address % 8 {
            0 => Some(Rule::of(Rule::NONE)),
            1 => None,
            _ => Some(store.rule(&table, address % (1 << 18))),
        };
        let mut at = copy.registers;
        let end = walk(&mut at, u64::MAX, code, |at| word(&copy, at), None, &mut steps);
        prop_assert!(steps.len() <= MAX_USER_FRAMES);
        prop_assert_ne!(end, WalkEnd::ON);
    }
}
