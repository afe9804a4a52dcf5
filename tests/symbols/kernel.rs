//! Functions of the running kernel.

use std::fs;

use eprof::recording::Frame;
use eprof::symbol::{Atlas, Search};

use crate::skip;
use crate::target::{hex, possible};

#[test]
fn kernel_functions_are_found_where_the_kernel_tells_them() {
    if !possible() {
        return;
    }
    let table = fs::read_to_string("/proc/kallsyms").unwrap();
    let functions: Vec<(u64, &str)> = table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let name = words[2];
            (words[1].eq_ignore_ascii_case("t")
                && ["vfs_read", "do_exit", "schedule"].contains(&name))
            .then(|| (hex(words[0]), name))
        })
        .collect();
    if functions.iter().all(|&(address, _)| address == 0) {
        skip::absent("kernel.kptr_restrict hides the kernel's addresses");
        return;
    }
    assert_eq!(functions.len(), 3);
    let frames: Vec<Frame> = functions
        .iter()
        .flat_map(|&(address, _)| {
            [
                Frame::Kernel {
                    address,
                    returns: false,
                },
                Frame::Kernel {
                    address: address + 1,
                    returns: true,
                },
                Frame::Kernel {
                    address: address + 5,
                    returns: true,
                },
            ]
        })
        .collect();
    let mut reported = Vec::new();
    let resolution = Atlas::default().resolve(&frames, &Search::local(&[]), &mut |so_far| {
        reported.push((so_far.looked_up, so_far.frames));
    });
    let found: Vec<&str> = resolution
        .symbols
        .iter()
        .map(|symbol| symbol.functions[0].as_str())
        .collect();
    let expected: Vec<&str> = functions.iter().flat_map(|&(_, name)| [name; 3]).collect();
    assert_eq!(found, expected);
    assert_eq!(reported.last(), Some(&(9, 9)));
}
