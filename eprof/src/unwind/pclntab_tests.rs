#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use super::*;

fn sizes(table: &[u8]) -> Vec<(u64, Option<i32>)> {
    let rows = frames(table, 0x1000, 0x1100).into_iter();
    rows.map(|(at, rule)| (at, (rule.cfa == Rule::CFA_SP).then_some(rule.cfa_offset)))
        .collect()
}

#[test]
fn frames_grow_and_shrink() {
    // 0 for 4 bytes, 24 for 200, 0 for 52.
    let table = [2, 4, 48, 0xc8, 0x01, 47, 52, 0];
    assert_eq!(
        sizes(&table),
        [(0x1000, Some(8)), (0x1004, Some(32)), (0x10cc, Some(8))]
    );
}

#[test]
fn tables_that_end_too_early_say_nothing_of_the_rest() {
    for (table, rows) in [
        (&[][..], vec![(0x1000, None)]),
        (&[2, 4], vec![(0x1000, Some(8)), (0x1004, None)]),
        (&[2, 4, 0], vec![(0x1000, Some(8)), (0x1004, None)]),
        (&[2, 0, 48, 4], vec![(0x1000, Some(8)), (0x1000, None)]),
        (&[1, 4, 0], vec![(0x1000, None), (0x1004, None)]),
        (&[0x80; 9], vec![(0x1000, None)]),
    ] {
        assert_eq!(sizes(table), rows, "{table:?}");
    }
}

#[test]
fn what_is_called_on_another_stack_is_outermost() {
    // mov %rdi,%rax; call *%rdi; ret
    let code = [0x48, 0x89, 0xf8, 0xff, 0xd7, 0xc3, 0xcc, 0xcc, 0xcc];
    let rows = with_roots(frames(&[2, 6, 0], 0x1000, 0x1006), &calls(0x1000, &code));
    let roots = rows
        .iter()
        .map(|(at, rule)| (*at, rule.ra == Rule::RA_ROOT));
    let roots: Vec<_> = roots.collect();
    assert_eq!(roots, [(0x1000, false), (0x1004, true), (0x1005, false)]);
}

#[test]
fn other_tables_are_refused() {
    let header = |magic: u32, form: [u8; 4], functions: u64| {
        let words = [2_u64, 0, 0x40_1000, 0, 0, 0, 80, functions];
        let head = [magic.to_le_bytes(), form].concat();
        let rest = words.into_iter().flat_map(u64::to_le_bytes);
        head.into_iter().chain(rest).collect::<Vec<u8>>()
    };
    let parse = |header: &[u8]| Pclntab::parse(header, 0x100, 200, 0);
    let known = parse(&header(GO_1_20, [0, 0, 1, 8], 100)).unwrap();
    assert_eq!(
        (known.count, known.functions, known.text),
        (2, 0x164, 0x40_1000)
    );
    assert_eq!(parse(&header(GO_1_20, [0, 0, 4, 8], 100)), None);
    assert_eq!(parse(&header(GO_1_20, [0, 0, 1, 8], 190)), None, "no room");
    assert_eq!(parse(&header(0xffff_fffa, [0, 0, 1, 8], 100)), None);
    assert_eq!(parse(&header(GO_1_18, [0, 0, 1, 8], 100)[..70]), None);
}

proptest::proptest! {
    #[test]
    fn names_of_noise(bytes: Vec<u8>, near in 0_u64..40, far: u64, text: u64) {
        for (functions, names) in [(near, near / 2), (far, near), (near, far)] {
            let table = Pclntab {
                text,
                is_certain: true,
                count: 1,
                functions,
                names,
                sizes: 0,
                end: far,
                flags: 41,
            };
            let function = GoFunction { begin: 0, end: u64::MAX, place: functions };
            let blocks = Blocks::new(Box::new(bytes.clone()));
            GoNames { blocks, table, functions: vec![function] }.name(7);
            table.list(&bytes, &[], 0);
        }
    }
}
