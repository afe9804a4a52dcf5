use super::*;

/// From where on in the code which offset of the CFA holds, from the frame pointer
/// where it is negative; zero where nothing is known.
fn offsets(code: &[u8], named: &[Extent]) -> Vec<(u64, i32)> {
    let rows = rows(0x1000, code, named).into_iter();
    rows.map(|(at, rule)| {
        let offset = rule.map_or(0, |rule| match rule.cfa {
            Rule::CFA_FP => -rule.cfa_offset,
            _ => rule.cfa_offset,
        });
        (at - 0x1000, offset)
    })
    .collect()
}

#[test]
fn a_leaf_that_pushes_nothing_has_its_return_address_on_top() {
    // mov %rdi,%rcx; 1: imul %rcx,%rax; dec %rcx; jnz 1b; ret
    let code = [
        0x48, 0x89, 0xf9, 0x48, 0x0f, 0xaf, 0xc1, 0x48, 0xff, 0xc9, 0x75, 0xf7, 0xc3,
    ];
    assert_eq!(offsets(&code, &[]), [(0, 8), (13, 0)]);
}

#[test]
fn what_is_pushed_is_counted_along_all_branches() {
    // push %rbp; push %rbx; test %edi,%edi; je 1f; sub $24,%rsp; call .; add $24,%rsp;
    // 1: pop %rbx; pop %rbp; ret
    let code = [
        0x55, 0x53, 0x85, 0xff, 0x74, 13, 0x48, 0x83, 0xec, 24, 0xe8, 0, 1, 0, 0, 0x48, 0x83, 0xc4,
        24, 0x5b, 0x5d, 0xc3,
    ];
    let expected = [
        (0, 8),
        (1, 16),
        (2, 24),
        (10, 48),
        (19, 24),
        (20, 16),
        (21, 8),
        (22, 0),
    ];
    assert_eq!(offsets(&code, &[]), expected);
    let rows = rows(0x1000, &code, &[]);
    // Nothing has changed the frame pointer, pushed or not.
    assert!(
        rows.iter()
            .flat_map(|(_, rule)| rule)
            .all(|rule| rule.fp == Rule::FP_SAME)
    );
}

#[test]
fn a_frame_pointer_is_followed_while_it_is_one() {
    // push %rbp; mov %rsp,%rbp; and $-32,%rsp; call .; leave; ret
    let code = [
        0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xe0, 0xe8, 0, 1, 0, 0, 0xc9, 0xc3,
    ];
    assert_eq!(
        offsets(&code, &[]),
        [(0, 8), (1, 16), (4, -16), (14, 8), (15, 0)]
    );
    let saved = rows(0x1000, &code, &[])[2]
        .1
        .map(|rule| (rule.fp, rule.fp_offset));
    assert_eq!(saved, Some((Rule::FP_AT_CFA, -16)));
}

#[test]
fn a_frame_pointer_that_is_used_for_something_else_is_where_it_was_saved() {
    // push %rbp; mov $8,%ebp; call .; pop %rbp; ret
    let code = [0x55, 0xbd, 8, 0, 0, 0, 0xe8, 0, 1, 0, 0, 0x5d, 0xc3];
    let rows = rows(0x1000, &code, &[]);
    let rule = rows
        .iter()
        .rfind(|&&(at, _)| at <= 0x100b)
        .and_then(|row| row.1);
    let rule = rule.map(|rule| (rule.cfa, rule.cfa_offset, rule.fp, rule.fp_offset));
    assert_eq!(rule, Some((Rule::CFA_SP, 16, Rule::FP_AT_CFA, -16)));
}

#[test]
fn what_does_not_work_out_is_not_believed() {
    for code in [
        // push %rax; ret
        &[0x50, 0xc3][..],
        // The rest of a function: add $24,%rsp; pop %rbx; ret
        &[0x48, 0x83, 0xc4, 24, 0x5b, 0xc3],
        // leave; ret
        &[0xc9, 0xc3],
        // pop %rcx; push %rcx; ret: it may have changed it.
        &[0x59, 0x51, 0xc3],
        // mov %rdi,%rsp; ret
        &[0x48, 0x89, 0xfc, 0xc3],
        // xor %ebp,%ebp; ret
        &[0x31, 0xed, 0xc3],
        // 1: jmp 1b: it may be anything.
        &[0xeb, 0xfe],
        // No instruction.
        &[0x06, 0xc3],
        &[],
    ] {
        assert_eq!(offsets(code, &[]), [], "{code:02x?}");
    }
}

#[test]
fn where_the_stack_pointer_is_computed_the_frame_pointer_tells() {
    // As V8 writes functions that drop their arguments: push %rbp; mov %rsp,%rbp; push
    // %rsi; call .; leave; pop %rdx; lea (%rsp,%rcx,8),%rsp; push %rdx; ret
    let code = [
        0x55, 0x48, 0x89, 0xe5, 0x56, 0xe8, 0, 1, 0, 0, 0xc9, 0x5a, 0x48, 0x8d, 0x24, 0xcc, 0x52,
        0xc3,
    ];
    let expected = [(0, 8), (1, 16), (4, -16), (11, 8), (12, 0), (18, 0)];
    assert_eq!(offsets(&code, &[]), expected);
    // Without the frame pointer: pop %rdx; lea (%rsp,%rcx,8),%rsp; push %rdx; ret
    assert_eq!(offsets(&code[11..], &[]), []);
}

#[test]
fn the_rest_of_a_function_is_none_of_its_own() {
    // jmp *%rax, and what that jumps to: pop %rbx; push %rbx; ret
    let code = [0xff, 0xe0, 0x53, 0x5b, 0xc3];
    let alone = [(0, 8), (2, 8), (3, 16), (4, 8), (5, 0)];
    assert!(alone.iter().all(|row| offsets(&code, &[]).contains(row)));
    assert_eq!(offsets(&code, &[(0x1000, 0x1005)]), [(0, 8), (2, 0)]);
}

#[test]
fn functions_are_found_by_what_lies_between_and_by_name() {
    // ret; int3 …; push %rbx; pop %rbx; ret; nopw; ret
    let code = [
        0xc3, 0xcc, 0xcc, 0xcc, 0x53, 0x5b, 0xc3, 0x66, 0x0f, 0x1f, 0x44, 0, 0, 0xc3,
    ];
    let expected = [
        (0, 8),
        (1, 0),
        (4, 8),
        (5, 16),
        (6, 8),
        (7, 0),
        (13, 8),
        (14, 0),
    ];
    assert_eq!(offsets(&code, &[]), expected);
    // A function that does not return, and one behind it: call .; push %rbx; pop %rbx; ret
    let code = [0x53, 0xe8, 0, 1, 0, 0, 0x53, 0x5b, 0xc3];
    assert_eq!(offsets(&code, &[]), []);
    let expected = [(6, 8), (7, 16), (8, 8), (9, 0)];
    assert_eq!(offsets(&code, &[(0x1006, 0x1009)]), expected);
}

#[test]
fn code_that_never_works_out_is_given_up() {
    // push %rax, fifteen times, and a nop, behind which a function could begin: each one
    // would be followed to the longest that is allowed, some minutes in all.
    let code = [[0x50; 15].as_slice(), &[0x90]].concat().repeat(1 << 16);
    assert_eq!(rows(0x1000, &code, &[]), []);
}

proptest::proptest! {
    #[test]
    fn noise_is_followed_to_its_end(code: Vec<u8>, starts: Vec<u8>) {
        let mut named: Vec<Extent> = starts
            .windows(2)
            .map(|pair| (0x1000 + u64::from(pair[0]), 0x1000 + u64::from(pair[1])))
            .collect();
        named.sort_unstable();
        let rows = rows(0x1000, &code, &named);
        proptest::prop_assert!(rows.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }
}
