//! Processes of one name together.

use std::collections::BTreeMap;

use eprof::error::ErrorKind;
use eprof::output::{By, Format, Style, View, report};
use eprof::profile::{ProcessRow, Profile};
use eprof::unit::Microjoules;
use proptest::prelude::*;

use super::cases::{assert_fits, assert_harmless, estimated, hostile, target};
use super::golden;
use super::parse::{WIDE_80, csv, csv_sum, text, view};
use super::synthetic::{Synthetic, Thread};

/// A run of processes of one thread each, with these names and energies.
fn run(processes: &[(&str, u64)]) -> Synthetic {
    let thread = |(n, (comm, uj)): (u32, &(&str, u64))| {
        Thread::new(n, n, comm, uj * 500).stack(&["f@m"], *uj, uj / 1_000)
    };
    Synthetic::of((1u32..).zip(processes).map(thread).collect())
}

/// 605 processes of four names.
fn make() -> Vec<(&'static str, u64)> {
    let mut processes = Vec::new();
    for n in 0..300 {
        processes.extend([("cc1", 30_000 + n), ("as", 3_000 + n)]);
    }
    processes.extend([("ld", 400_000), ("make", 90_000)]);
    processes.extend([("ld", 100_000), ("sh", 700), ("sh", 300)]);
    processes
}

fn summary(profile: &Profile) -> String {
    text(profile, &view(None, None), Format::Table, WIDE_80)
}

#[test]
fn a_build_is_a_row_per_command() {
    let table = summary(&run(&make()).build());
    golden::check("summary-build.txt", table.as_bytes());
    assert!(table.contains("\ncommands (605 processes)\n"), "{table}");
    let row = |name: &str| -> Vec<&str> {
        let mut rows = table.lines().map(|line| line.split_whitespace());
        rows.find(|cells| cells.clone().next() == Some(name))
            .unwrap_or_else(|| panic!("no {name} in {table}"))
            .collect()
    };
    // 300 × 30 mJ + Σ 0..300 µJ = 9.04485 J at 2 W; each is off by 1.23 %.
    let cc1 = ["cc1", "300", "9.04", "±0.12", "J", "85.5", "%"];
    assert_eq!(row("cc1")[..7], cc1);
    assert_eq!(row("cc1")[8..], ["4.52", "s", "2.00", "W"]);
    assert_eq!(row("as")[..3], ["as", "300", "945"]);
    assert_eq!(row("ld")[..3], ["ld", "2", "500"]);
    assert_eq!(row("sh")[..3], ["sh", "2", "1.000"]);
    assert!(!table.lines().any(|line| line.contains("… and")), "{table}");
}

#[test]
fn only_what_does_not_fit_is_put_together() {
    let names: Vec<(&str, u64)> = (1..=11).map(|n| ("true", n * 1_000)).collect();
    let (ten, eleven) = (run(&names[..10]).build(), run(&names).build());
    let title = "\ncommands (";
    assert!(!summary(&ten).contains(title));
    assert!(summary(&eleven).contains("\ncommands (11 processes)\n"));
    let with = |by, limit| text(&eleven, &view(by, limit), Format::Table, WIDE_80);
    assert!(!with(None, Some(11)).contains(title));
    assert!(with(None, Some(1)).contains(title));
    // Whoever asks for processes gets them.
    let processes = with(Some(By::Process), Some(2));
    assert!(processes.contains("… and 9 more") && !processes.contains(title));
    // What a limit leaves out is summed up, processes too: 1 + 2 of 8 mJ.
    let mixed = run(&[("a", 5_000), ("b", 1_000), ("c", 1_000), ("c", 1_000)]).build();
    let table = text(&mixed, &view(None, Some(1)), Format::Table, WIDE_80);
    let rest = table.lines().find(|line| line.contains("… and 2 more"));
    let rest: Vec<&str> = rest.unwrap().split_whitespace().collect();
    assert_eq!(rest[..6], ["…", "and", "2", "more", "3", "3.00"]);
}

#[test]
fn errors_of_a_command_are_added_as_if_all_went_one_way() {
    let profile = run(&make()).build();
    for row in profile.commands() {
        let own = profile.processes.iter().filter(|of| of.comm == row.comm);
        let halves: Vec<u64> = own.map(|of| of.ci90.0).collect();
        assert_eq!(row.ci90.0, halves.iter().sum::<u64>(), "{}", row.comm);
    }
    // Of an estimate, the band is the wider one.
    let make = Synthetic {
        threads: run(&make()).threads,
        ..estimated()
    };
    let (head, rows) = csv(&make.build(), &view(Some(By::Command), None));
    let at = |name| head.iter().position(|column| column == name).unwrap();
    for row in rows {
        let number = |name| row[at(name)].parse::<u64>().unwrap();
        assert_eq!(number("ci90_uj"), number("uj").div_ceil(2), "0.65 to 1.5");
        assert_eq!(row[at("provenance")], "estimated");
    }
}

#[test]
fn hostile_names_stay_apart_and_harmless() {
    let profile = hostile().build();
    // Both are shown as \x1b, one of them really is.
    let twins = run(&[("\x1b", 2_000), ("\\x1b", 1_000), ("\x1b", 500)]).build();
    for (profile, commands) in [(&profile, 11), (&twins, 2)] {
        let view = view(Some(By::Command), None);
        assert_eq!(csv(profile, &view).1.len(), commands);
        assert_eq!(csv_sum(profile, &view), target(profile));
        for format in [Format::Table, Format::Csv] {
            assert_harmless(&text(profile, &view, format, WIDE_80));
        }
        assert_fits(&text(profile, &view, Format::Table, WIDE_80), 80);
    }
    let counts = twins.commands();
    let counts: Vec<_> = counts
        .iter()
        .map(|row| (row.comm.as_str(), row.processes, row.energy.with_idle.0))
        .collect();
    assert_eq!(counts, [("\x1b", 2, 2_500), ("\\x1b", 1, 1_000)]);
}

#[test]
fn json_says_that_it_has_no_commands() {
    let profile = Synthetic::typical().build();
    let view: View = view(Some(By::Command), Some(3));
    let mut out = Vec::new();
    let error = report(&profile, &view, Format::Json, Style::PLAIN, &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.given_hint().is_some_and(|hint| hint.contains("comm")));
    assert!(out.is_empty());
}

fn processes() -> impl Strategy<Value = Profile> {
    let name = prop_oneof![
        Just("cc1".to_owned()),
        Just("sh".to_owned()),
        Just(String::new()),
        "[ a\\x1b\u{202e}]{0,2}",
        any::<String>(),
    ];
    let row = (name, 0..1u64 << 40, 0..1u64 << 30, 0..1u64 << 40);
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let named: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.1)).collect();
        let mut profile = run(&named).build();
        for (process, (_, _, ci90, cpu)) in profile.processes.iter_mut().zip(&rows) {
            process.ci90 = Microjoules(*ci90);
            process.cpu.0 = *cpu;
        }
        profile
    })
}

/// Energy, energy above idle, half width, CPU time, samples.
fn figures(row: &ProcessRow) -> [u64; 5] {
    let energy = row.energy;
    let (full, marginal) = (energy.with_idle.0, energy.above_idle.0);
    [full, marginal, row.ci90.0, row.cpu.0, row.samples]
}

proptest! {
    #[test]
    fn commands_are_the_sums_of_their_processes(
        (profile, shuffled) in processes().prop_flat_map(|profile| {
            let rows = Just(profile.processes.clone()).prop_shuffle();
            (Just(profile), rows)
        })
    ) {
        let mut known: BTreeMap<&str, (u64, [u64; 5])> = BTreeMap::new();
        for process in &profile.processes {
            let sum = known.entry(&process.comm).or_default();
            sum.0 += 1;
            for (sum, part) in sum.1.iter_mut().zip(figures(process)) {
                *sum += part;
            }
        }
        let commands = profile.commands();
        prop_assert_eq!(commands.len(), known.len());
        for row in &commands {
            let (full, marginal) = (row.energy.with_idle.0, row.energy.above_idle.0);
            let sums = [full, marginal, row.ci90.0, row.cpu.0, row.samples];
            prop_assert_eq!(known.get(row.comm.as_str()), Some(&(row.processes, sums)));
        }
        let order = |row: &eprof::profile::CommandRow| {
            (std::cmp::Reverse(row.energy.with_idle), row.comm.clone())
        };
        prop_assert!(commands.is_sorted_by_key(order));
        prop_assert_eq!(csv_sum(&profile, &view(Some(By::Command), None)), target(&profile));
        prop_assert_eq!(csv_sum(&profile, &view(Some(By::Command), Some(1))), target(&profile));
        let other = Profile { processes: shuffled, ..profile };
        prop_assert_eq!(other.commands(), commands);
    }
}
