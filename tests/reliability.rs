//! Trials: what must hold whenever eprof is killed, however its recordings are
//! damaged, whatever programs say of themselves. Here each is small. As large as
//! `docs/reliability.md` has them, one after the other:
//!
//! ```text
//! cargo test --test machine -- --ignored --nocapture --test-threads 1 reliability::
//! ```

mod bombs;
mod damage;
mod killed;
mod programs;

use std::path::Path;
use std::process::{Command, Output};

use eprof::attribute::Account;
use eprof::pipeline::Analysis;

use crate::support::dice::Dice;
use crate::support::{self, Report, eprof, root};

/// Which seed the trials have: `EPROF_SEED`, or always the same.
fn seed() -> u64 {
    let given = std::env::var("EPROF_SEED").ok();
    given.map_or(1, |seed| seed.parse().expect("EPROF_SEED is a number"))
}

/// A whole number below `limit`.
fn below(dice: &mut Dice, limit: usize) -> usize {
    (dice.uniform() * limit as f64) as usize
}

/// Asserts that eprof ended by itself, with one of `codes`, and did not panic.
fn assert_orderly(output: &Output, codes: &[i32]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(
        code.is_some_and(|code| codes.contains(&code)),
        "{}: {stderr}",
        output.status
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// What `eprof report` says of a recording, as JSON.
fn reported(recording: &Path) -> Output {
    let mut command = Command::new(eprof());
    command.args(["report", "--format", "json"]).arg(recording);
    command.output().unwrap()
}

/// Asserts that a recording, whole or not, can be analysed, and that all energy
/// in it is somebody's.
fn assert_balanced(recording: &Path) {
    let profile = Analysis::new(recording).profile().unwrap();
    for meter in &profile.ledger.meters {
        let accounts = Account::ALL.map(|account| meter.accounts[&account].with_idle.0);
        assert_eq!(accounts.iter().sum::<u64>(), meter.total.0);
    }
}
