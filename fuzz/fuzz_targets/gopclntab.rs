//! Go's table of functions, in a program made around it: frames, walks and names.

#![no_main]

use eprof::symbol::fuzzing;
use eprof_fuzz::{limits, object};
use libfuzzer_sys::fuzz_target;

/// Where the code is, in the file and in limits, and how long it is.
const TEXT: u64 = 0x1000;
const CODE: usize = 2048;

fuzz_target!(|data: &[u8]| limits::bounded(|| {
    let file = program(data);
    object::check(&file, data);
    let addresses: Vec<u64> = (TEXT..TEXT + CODE as u64).step_by(4).collect();
    let Some(names) = fuzzing::go(file, &addresses) else {
        return;
    };
    for name in names.into_iter().flatten() {
        assert!(!name.is_empty());
        // It is one of the file's, as far as that is text.
        let replaced = name.contains(char::REPLACEMENT_CHARACTER);
        let bytes = [name.as_bytes(), b"\0"].concat();
        assert!(replaced || data.windows(bytes.len()).any(|window| window == bytes));
    }
}));

/// An x86-64 program of calls whose `.gopclntab` is `table`.
fn program(table: &[u8]) -> Vec<u8> {
    const HEADERS: usize = 64 + 56;
    const NAMES: &[u8] = b"\0.text\0.gopclntab\0.shstrtab\0";
    let code_at = HEADERS.next_multiple_of(16);
    let table_at = code_at + CODE;
    let names_at = table_at + table.len();
    let sections_at = (names_at + NAMES.len()).next_multiple_of(8);
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |file: &mut Vec<u8>, values: &[u16]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let word = |file: &mut Vec<u8>, values: &[u32]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let long = |file: &mut Vec<u8>, values: &[usize]| {
        file.extend(
            values
                .iter()
                .flat_map(|&value| (value as u64).to_le_bytes()),
        );
    };
    let text = TEXT as usize;
    // ET_EXEC, EM_X86_64.
    half(&mut file, &[2, 62]);
    word(&mut file, &[1]);
    long(&mut file, &[text, 64, sections_at]);
    word(&mut file, &[0]);
    half(&mut file, &[64, 56, 1, 64, 4, 3]);
    // PT_LOAD, readable and executable.
    word(&mut file, &[1, 5]);
    long(&mut file, &[code_at, text, text, CODE, CODE, 16]);
    file.resize(code_at, 0);
    // call *%rdi; nop; call next
    let code = [0xff, 0xd7, 0x90, 0xe8, 0, 0, 0, 0];
    file.extend(code.iter().cycle().take(CODE));
    file.extend(table);
    file.extend(NAMES);
    file.resize(sections_at + 64, 0);
    for (name, kind, address, at, size) in [
        (1, 1, text, code_at, CODE),
        (7, 1, 0, table_at, table.len()),
        (18, 3, 0, names_at, NAMES.len()),
    ] {
        word(&mut file, &[name, kind]);
        long(&mut file, &[0, address, at, size]);
        word(&mut file, &[0, 0]);
        long(&mut file, &[1, 0]);
    }
    file
}
