//! Files that are damaged, on purpose or not, and stacks of noise: an answer or
//! none, but no panic and no endless walk.

use std::sync::{Arc, OnceLock};

use eprof::kernel::StackCopy;
use eprof::unwind::compile::compile;
use eprof::unwind::table::Table;
use eprof::unwind::walk::{Code, walk};
use eprof_common::{Registers, WalkEnd, sample::MAX_USER_FRAMES};
use object::{Object as _, ObjectSection as _};
use proptest::prelude::*;

/// A small program of this system, and where its unwind information is.
fn program() -> &'static (Vec<u8>, std::ops::Range<usize>) {
    static PROGRAM: OnceLock<(Vec<u8>, std::ops::Range<usize>)> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let data = std::fs::read("/bin/sh").unwrap();
        let file = object::File::parse(data.as_slice()).unwrap();
        let section = file.section_by_name(".eh_frame").unwrap();
        let (begin, size) = section.file_range().unwrap();
        let range = begin as usize..(begin + size) as usize;
        (data, range)
    })
}

fn ask(table: &Table) {
    for relative in (0..1 << 20).step_by(4099).chain([u64::MAX, 1 << 32]) {
        table.rule(relative);
        table.relative(relative);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_unwind_information(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        headers in prop::collection::vec((0_usize..64, any::<u8>()), 0..3),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (data, frames) = program();
        let mut data = data.clone();
        for (index, byte) in damage {
            data[frames.start + index.index(frames.len())] = byte;
        }
        for (index, byte) in headers {
            data[index] = byte;
        }
        if let Some(length) = length {
            data.truncate(length.index(data.len()));
        }
        if let Some(compiled) = compile(data.as_slice()) {
            let sorted = compiled.rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
            prop_assert!(sorted, "rows are in order");
            let rules = compiled.rules.len();
            prop_assert!(compiled.rows.iter().all(|row| usize::from(row.1) < rules));
        }
        if let Some(table) = Table::compile(data.as_slice()) {
            ask(&table);
        }
    }

    #[test]
    fn noise(bytes: Vec<u8>) {
        prop_assert!(compile(bytes.as_slice()).is_none());
        compile([b"\x7fELF\x02\x01\x01\0".as_slice(), &bytes].concat().as_slice());
    }

    #[test]
    fn stacks_of_noise(
        registers: [u64; 5],
        bytes in prop::collection::vec(any::<u8>(), 0..4096),
        near: bool,
        whole: bool,
    ) {
        static TABLE: OnceLock<Arc<Table>> = OnceLock::new();
        let table = TABLE.get_or_init(|| {
            Arc::new(Table::compile(program().0.as_slice()).unwrap())
        });
        let base = 0x7fff_0000_u64;
        let [pc, sp, fp, lr, flags] = registers;
        let reach = |value: u64| if near { base + value % 4096 } else { value };
        let copy = StackCopy {
            registers: Registers { pc, sp: reach(sp), fp: reach(fp), lr, flags },
            base,
            bytes,
            whole,
        };
        let mut steps = Vec::new();
        let end = walk(&copy, u64::MAX, |address| match address % 8 {
            0 => Code::NoTable,
            1 => Code::Unknown,
            _ => Code::Table(Arc::clone(table), address % (1 << 18)),
        }, &mut steps);
        prop_assert!(steps.len() <= MAX_USER_FRAMES);
        prop_assert_ne!(end, WalkEnd::ON);
    }
}
