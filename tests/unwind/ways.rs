//! The kernel's walk by tables and the walk through a copy of the stack give
//! the same stacks.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::{self, Recorded, skip};

/// Calls itself thirty times, without frame pointers, and works at the end.
const PROGRAM: &str = "
volatile unsigned long sum;
__attribute__((noinline)) void work(void) { for (long i = 0; i < 3000000; i++) sum += i * i; }
__attribute__((noinline)) int down(int n) { if (n == 0) { work(); return 1; } int r = down(n - 1); sum += r; return r + 1; }
int main(void) { for (int i = 0; i < 150; i++) down(30); return 0; }
";

/// The stacks of the program's own functions, and the share of whole ones.
fn stacks(way: &str, program: &std::path::Path) -> (BTreeSet<String>, f64) {
    let recorded = Recorded::with(&["--no-flamegraph"], &[program], |command| {
        command.env("EPROF_UNWINDING", way);
    });
    assert_eq!(recorded.code(), 0, "{}", recorded.stderr());
    let report = recorded.report().0;
    let share =
        report["stacks"]["whole"].as_f64().unwrap() / report["stacks"]["samples"].as_f64().unwrap();
    let folded = recorded.eprof(&["flamegraph", "--folded"]);
    let folded = String::from_utf8(folded.stdout).unwrap();
    let own = folded
        .lines()
        .filter_map(|line| {
            let (stack, _) = line.rsplit_once(' ')?;
            let (_, inside) = stack.split_once(";main;")?;
            let user = inside
                .split(';')
                .filter(|frame| !frame.ends_with("_[k]") && !frame.starts_with('['));
            Some(user.collect::<Vec<_>>().join(";"))
        })
        .collect();
    (own, share)
}

#[test]
fn the_kernels_walk_and_that_of_eprof_agree() {
    if !support::root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (directory.path().join("a.c"), directory.path().join("a"));
    std::fs::write(&source, PROGRAM).unwrap();
    let compiled = Command::new("gcc")
        .args([
            "-O2",
            "-fomit-frame-pointer",
            "-fno-optimize-sibling-calls",
            "-fno-ipa-cp",
        ])
        .arg("-o")
        .args([&program, &source])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        return skip("there is no gcc");
    }
    let deepest = format!("{}work", "down;".repeat(31));
    for way in ["tables", "copies"] {
        let (stacks, share) = stacks(way, &program);
        assert!(share > 0.97, "{way}: {share} of the stacks are whole");
        assert!(stacks.contains(&deepest), "{way}: {stacks:?}");
        // Interrupted on the way down or up, it is one of the chain.
        let chain = |stack: &String| deepest.starts_with(stack.as_str());
        assert!(stacks.iter().all(chain), "{way}: {stacks:?}");
    }
}
