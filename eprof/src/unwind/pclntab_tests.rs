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

fn of_frame(table: &[u8], code: &[u8]) -> Vec<(u64, Rule)> {
    frames(table, 0x1000, 0x1000 + code.len() as u64)
}

#[test]
fn what_a_goroutine_that_stops_calls_is_outermost() {
    // mov 0x38(%r14),%rsp; push %rax; call *%r12; pop %rax
    let code = [
        0x49, 0x8b, 0x66, 0x38, 0x50, 0x41, 0xff, 0xd4, 0x58, 0xcc, 0xcc,
    ];
    let rows = switched(
        of_frame(&[2, 11, 0], &code),
        0x1000,
        &code,
        Some(Switch::Leaves),
    );
    let is_root = |at| holds(&rows, at).ra == Rule::RA_ROOT;
    assert_eq!(
        [0x1000, 0x1003, 0x1004, 0x1007].map(is_root),
        [false, false, true, true]
    );
    let rows = switched(
        of_frame(&[2, 11, 0], &code),
        0x1000,
        &code,
        Some(Switch::Grows),
    );
    assert_eq!(holds(&rows, 0x1007), Rule::of(Rule::UNSUPPORTED));
}

#[test]
fn the_caller_of_systemstack_is_sought_by_its_call() {
    // Of Go 1.19: mov %rbx,%rsp; mov %rdi,%rdx; mov (%rdi),%rdi; call *%rdi; mov
    // 0x38(%rax),%rsp; ret
    let code = [
        0x48, 0x89, 0xdc, 0x48, 0x89, 0xfa, 0x48, 0x8b, 0x3f, 0xff, 0xd7, 0x48, 0x8b, 0x60, 0x38,
        0xc3, 0xcc, 0xcc, 0xcc, 0xcc,
    ];
    let rows = switched(
        of_frame(&[2, 20, 0], &code),
        0x1000,
        &code,
        Some(Switch::Calls),
    );
    assert_eq!(holds(&rows, 0x1002).cfa, Rule::CFA_SP);
    // Interrupted there, and returning there.
    for (at, second) in [(0x1003, 3), (0x1006, 6), (0x100a, 11), (0x100b, 11)] {
        let rule = holds(&rows, at);
        assert_eq!(
            (rule.cfa, rule.second),
            (Rule::CFA_SOUGHT, second),
            "{at:#x}"
        );
    }
    assert_eq!(holds(&rows, 0x100f).cfa, Rule::CFA_SP);
}

#[test]
fn a_frame_pointer_of_its_own_leads_back_from_another_stack() {
    // sub $24,%rsp; mov %rbp,16(%rsp); lea 16(%rsp),%rbp; mov 0x38(%rdx),%rsp; call *%rax;
    // mov 16(%rsp),%rbp; add $24,%rsp; ret
    let code = [
        0x48, 0x83, 0xec, 24, 0x48, 0x89, 0x6c, 0x24, 16, 0x48, 0x8d, 0x6c, 0x24, 16, 0x48, 0x8b,
        0x62, 0x38, 0xff, 0xd0, 0x48, 0x8b, 0x6c, 0x24, 16, 0x48, 0x83, 0xc4, 24, 0xc3,
    ];
    // 0 for 4 bytes, 24 for 25, 0 for one.
    let rows = with_frame_pointers(of_frame(&[2, 4, 48, 25, 47, 1, 0], &code), 0x1000, &code);
    let rows = switched(rows, 0x1000, &code, None);
    let found = |at| {
        let rule = holds(&rows, at);
        (rule.cfa, rule.cfa_offset, rule.fp, rule.mode)
    };
    assert_eq!(found(0x1000), (Rule::CFA_SP, 8, Rule::FP_SAME, 0));
    assert_eq!(found(0x1004), (Rule::CFA_SP, 32, Rule::FP_SAME, 0));
    assert_eq!(found(0x1009), (Rule::CFA_SP, 32, Rule::FP_AT_CFA, 0));
    let own = (Rule::CFA_FP, 16, Rule::FP_AT_CFA, Rule::MODE_ELSEWHERE);
    assert_eq!([0x100e, 0x1013, 0x1018].map(found), [own; 3]);
    assert_eq!(found(0x1019), (Rule::CFA_SP, 32, Rule::FP_AT_CFA, 0));
    assert_eq!(found(0x101d), (Rule::CFA_SP, 8, Rule::FP_SAME, 0));
}

#[test]
fn where_go_calls_c_it_has_kept_the_depth_of_the_goroutine() {
    // mov 0x38(%rsi),%rsp; sub $64,%rsp; call *%rax; mov %fs:…,%rcx; mov 48(%rsp),%rdi;
    // mov 8(%rdi),%rsi; sub 40(%rsp),%rsi; mov %rsi,%rsp; ret; call *%rax; mov
    // 40(%rsp),%rsi; mov %rsi,%rsp; ret
    let code = [
        0x48, 0x8b, 0x66, 0x38, 0x48, 0x83, 0xec, 64, 0xff, 0xd0, 0x64, 0x48, 0x8b, 0x0c, 0x25,
        0xf8, 0xff, 0xff, 0xff, 0x48, 0x8b, 0x7c, 0x24, 48, 0x48, 0x8b, 0x77, 8, 0x48, 0x2b, 0x74,
        0x24, 40, 0x48, 0x89, 0xf4, 0xc3, 0xff, 0xd0, 0x48, 0x8b, 0x74, 0x24, 40, 0x48, 0x89, 0xf4,
        0xc3,
    ];
    let length = code.len() as u8;
    let rows = switched(
        of_frame(&[2, length, 0], &code),
        0x1000,
        &code,
        Some(Switch::CallsC),
    );
    assert_eq!(holds(&rows, 0x1003).cfa, Rule::CFA_SP);
    assert_eq!(holds(&rows, 0x1004), Rule::of(Rule::UNSUPPORTED));
    let found = |at| {
        let rule = holds(&rows, at);
        (rule.cfa, rule.cfa_offset, rule.second, rule.add)
    };
    assert_eq!(found(0x1009), (Rule::CFA_SAVED, 48, 40, 8));
    assert_eq!(found(0x1023), (Rule::CFA_SAVED, 48, 40, 8));
    assert_eq!(found(0x1024), (Rule::CFA_SP, 8, 0, 0));
    assert_eq!(found(0x1026), (Rule::CFA_AT_SP, 40, 0, 8));
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
