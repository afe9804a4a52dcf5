//! An ELF file: headers, `.eh_frame` with and without its search table,
//! `.debug_frame`, the index of functions, pages of rules, walks.

#![no_main]

use eprof::symbol::fuzzing;
use eprof_fuzz::{limits, object};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| limits::bounded(|| {
    // What the stack holds: the end of the file, so that it varies with the input.
    let stack = &data[data.len().saturating_sub(1024)..];
    object::check(data, stack);
    let addresses: Vec<u64> = (0..1 << 16).step_by(997).collect();
    if let Some(names) = fuzzing::go(data.to_vec(), &addresses) {
        assert_eq!(names.len(), addresses.len());
    }
}));
