//! The lab: eprof on synthetic hardware whose truth is known.
//!
//! ```text
//! cargo test --test lab                 everything
//! cargo test --test lab -- twins hot    scenarios with these in their names
//! cargo test --test lab -- --again      nothing; compares once more
//! cargo test --test lab -- --again --keep   and keeps some for `lab_twin`
//! cargo test --test lab -- --list
//! ```
//!
//! Boots virtual machines with a kernel module that is the hardware
//! (`lab/module`), runs eprof in them on scripted work (`lab/work.rs`), and
//! holds the reports against what the hardware knows. Prints a table; fails
//! where a bound is broken twice that is not known to be broken at times
//! (`lab/bounds.rs`).

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each file of the lab is for the others; a failed assumption is a failed test"
)]

#[path = "lab/bounds.rs"]
mod bounds;
#[path = "lab/compare.rs"]
mod compare;
#[path = "lab/guest.rs"]
mod guest;
#[path = "support/report.rs"]
mod report;
#[path = "lab/scenario.rs"]
mod scenario;
#[path = "support/skip.rs"]
mod skip;
#[path = "lab/table.rs"]
mod table;
#[path = "lab/truth.rs"]
mod truth;
#[path = "lab/twin.rs"]
mod twin;

use std::process::ExitCode;

use guest::Attempt;
use scenario::{BOOTS, Scenario};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |scenario: &Scenario| {
        let mut filters = arguments.iter().filter(|word| !word.starts_with('-'));
        let none = filters.clone().next().is_none();
        none || filters.any(|filter| scenario.name.contains(filter.as_str()))
    };
    let scenarios: Vec<Scenario> = scenario::all().into_iter().filter(wanted).collect();
    let asked = |option: &str| arguments.iter().any(|word| word == option);
    if asked("--list") {
        for scenario in &scenarios {
            println!("{}: test", scenario.name);
        }
        return ExitCode::SUCCESS;
    }
    if let Err(why) = guest::possible() {
        skip::skip(&why);
        return ExitCode::SUCCESS;
    }
    let lab = guest::Lab::prepare();
    let kept = |here: &[&Scenario], results: &guest::Results| {
        if asked("--keep") {
            twin::keep(here, results);
        }
    };
    let mut outcomes = Vec::new();
    for boot in BOOTS {
        let mut here: Vec<&Scenario> = scenarios.iter().filter(|s| s.boot == boot).collect();
        if asked("--again") {
            let left = lab.left(boot);
            here.retain(|scenario| compare::is_left(scenario, &left));
        }
        if !here.is_empty() {
            let results = match asked("--again") {
                true => lab.left(boot),
                false => lab.run(boot, &here, Attempt::First),
            };
            kept(&here, &results);
            outcomes.extend(here.iter().flat_map(|s| compare::outcomes(s, &results)));
        }
    }
    let mut verdicts = bounds::judge(&outcomes);
    // A host that takes the emulator's processors away for some milliseconds
    // looks like a defect of eprof. It rarely does so twice at the same place.
    let broken = bounds::broken(&outcomes);
    if !broken.is_empty() && !asked("--again") {
        for verdict in &verdicts {
            eprintln!("first attempt: {verdict:?}");
        }
        for boot in BOOTS {
            let is_broken = |s: &&Scenario| broken.iter().any(|name| s.is_called(name));
            let here = scenarios.iter().filter(|s| s.boot == boot);
            let here: Vec<&Scenario> = here.filter(is_broken).collect();
            if !here.is_empty() {
                let results = lab.run(boot, &here, Attempt::Second);
                for second in here.iter().flat_map(|s| compare::outcomes(s, &results)) {
                    let first = outcomes.iter_mut().find(|first| first.name == second.name);
                    if let Some(first) = first.filter(|first| broken.contains(&first.name)) {
                        *first = second;
                    }
                }
            }
        }
        verdicts = bounds::judge(&outcomes);
    }
    table::print(&outcomes, &verdicts);
    match verdicts.iter().any(bounds::Verdict::is_fatal) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
