//! Functions of the running kernel.

use std::fs;
use std::ops::ControlFlow;
use std::process::Command;

use eprof::measurement::Frame;
use eprof::symbol::{ProcessMaps, Progress};

use super::run::{RUN, Report, eprof as run_eprof, succeed};
use super::target::{hex, possible, search};
use crate::support::skip;

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
    let mut report = |so_far: Progress| {
        reported.push((so_far.looked_up, so_far.frames));
        ControlFlow::Continue(())
    };
    let resolution = ProcessMaps::default().resolve(&frames, &search(), &mut report);
    let found: Vec<&str> = resolution
        .symbols
        .iter()
        .map(|symbol| symbol.functions[0].as_str())
        .collect();
    let expected: Vec<&str> = functions.iter().flat_map(|&(_, name)| [name; 3]).collect();
    assert_eq!(found, expected);
    assert_eq!(reported.last(), Some(&(9, 9)));
}

#[test]
fn a_kernel_that_hides_its_functions_costs_one_line_with_the_remedy() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let hidden = dir.path().join("kallsyms");
    fs::write(&hidden, "0000000000000000 T vfs_read\n".repeat(100)).unwrap();
    // What other programs see stays as it is.
    let script = "mount --bind kallsyms /proc/kallsyms && exec \"$@\"";
    let eprof = env!("CARGO_BIN_EXE_eprof");
    let work = [
        "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=1",
        "count=1000000",
    ];
    let mut command = Command::new("unshare");
    command.current_dir(dir.path());
    command.args(["-m", "sh", "-c", script, "sh", eprof]);
    command.args(RUN).arg("--").args(work);
    succeed(&mut command);
    let report = Report::of(dir.path(), &[]);
    let hidden = report.caveats();
    let hidden = hidden
        .iter()
        .filter(|code| **code == "kernel-symbols-hidden");
    assert_eq!(hidden.count(), 1);
    assert!(report.share("[unknown] in [kernel]") > 0.3);
    let table = succeed(&mut run_eprof(dir.path(), &["report"])).stdout;
    let table = String::from_utf8(table).unwrap();
    assert!(table.contains("kernel.kptr_restrict"), "{table}");
}
