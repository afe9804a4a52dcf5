//! JSON and CSV for programs.

use eprof::attribute::Account;
use eprof::error::ErrorKind;
use eprof::output::{By, Format, Sort, Style, View, folded, json, report};
use serde_json::Value;

use super::cases::{estimated, hostile, target, unmeasured};
use super::golden;
use super::parse::{WIDE_80, csv, csv_sum, json as json_of, json_sum, svg, text, view};
use super::synthetic::{Synthetic, Thread};
use crate::support::schema::Schema;

#[test]
fn files_are_as_they_were() {
    let typical = Synthetic::typical().build();
    let json = |profile| text(profile, &view(None, None), Format::Json, Style::PLAIN);
    golden::check("report.json", json(&typical).as_bytes());
    golden::check("report-unknown.json", json(&unmeasured()).as_bytes());
    let csv = text(
        &typical,
        &view(Some(By::Function), None),
        Format::Csv,
        Style::PLAIN,
    );
    golden::check("functions.csv", csv.as_bytes());
    let mut lines = Vec::new();
    folded::write(&typical, &mut lines).unwrap();
    golden::check("stacks.folded", &lines);
    golden::check("flame.svg", svg(&typical).as_bytes());
    golden::check("flame-unknown.svg", svg(&unmeasured()).as_bytes());
}

#[test]
fn what_is_not_measured_is_null_and_never_zero() {
    let report = json_of(&unmeasured(), &view(None, None));
    assert_eq!(report["energy_uj"], Value::Null);
    for list in ["ledger", "processes", "threads"] {
        for row in report[list].as_array().unwrap() {
            assert_eq!(row["uj"], Value::Null, "{row}");
            assert_eq!(row["marginal_uj"], Value::Null, "{row}");
        }
    }
    assert!(report["threads"][0]["cpu_ns"].as_u64().unwrap() > 0);
    let (head, rows) = csv(&unmeasured(), &view(Some(By::Thread), None));
    let at = head.iter().position(|column| column == "uj").unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row[at].is_empty()));

    let mut run = Synthetic::typical();
    run.baseline = false;
    run.others.retain(|(account, _)| *account != Account::Idle);
    let mut profile = run.build();
    for meter in &mut profile.ledger.meters {
        meter.total = meter.accounts.values().map(|energy| energy.with_idle).sum();
    }
    let report = json_of(&profile, &view(None, None));
    assert!(report["target"]["uj"].is_u64());
    assert_eq!(report["target"]["marginal_uj"], Value::Null);
    let idle = report["ledger"].as_array().unwrap().iter();
    let mut idle = idle.filter(|row| row["account"] == "idle" && row["domain"] == "package");
    assert_eq!(
        idle.next().unwrap()["uj"],
        Value::Null,
        "unknown idle power is not zero"
    );
}

#[test]
fn the_report_keeps_its_schema() {
    let schema = Schema::new(json::SCHEMA);
    let valid = |report: &Value| schema.errors(report);
    for profile in [
        Synthetic::typical().build(),
        estimated().build(),
        unmeasured(),
        hostile().build(),
    ] {
        for limit in [None, Some(1)] {
            assert_eq!(
                valid(&json_of(&profile, &view(None, limit))),
                Vec::<String>::new()
            );
        }
    }
    // The check notices what is wrong.
    let good = json_of(&Synthetic::typical().build(), &view(None, None));
    for key in good.as_object().unwrap().keys() {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(key);
        assert!(!valid(&bad).is_empty(), "without {key}");
    }
    for (pointer, value) in [
        ("/threads/0/uj", Value::from("12")),
        ("/threads/0/domains/package", Value::from(-1)),
        ("/ledger/0/account", Value::from("nobody")),
        ("/energy_uj", Value::from(1.5)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!valid(&bad).is_empty(), "{pointer}");
    }
}

#[test]
fn a_limit_leaves_nothing_out_of_the_sums() {
    let threads = (0..20_000u32)
        .map(|n| Thread::new(7, 7 + n, "worker", 1_000).stack(&["f@m"], u64::from(n) + 1, 1))
        .collect();
    let profile = Synthetic::of(threads).build();
    let limited = view(Some(By::Thread), Some(10));
    assert_eq!(csv_sum(&profile, &limited), target(&profile));
    let report = json_of(&profile, &limited);
    assert_eq!(report["threads"].as_array().unwrap().len(), 10);
    assert_eq!(report["omitted"]["threads"]["rows"], 19_990);
    assert_eq!(json_sum(&report, "threads", "uj"), target(&profile));
    let table = text(&profile, &limited, Format::Table, WIDE_80);
    // 200.01 J in all, 0.19 J shown (the largest ten of 1 to 20,000 µJ).
    let rest = table
        .lines()
        .find(|line| line.contains("… and 19,990 more"))
        .unwrap();
    assert!(rest.contains(" 200 ") && rest.contains(" J "), "{rest}");
    assert_eq!(
        table
            .lines()
            .filter(|line| line.contains(" worker "))
            .count(),
        10
    );
}

#[test]
fn rows_are_in_the_order_asked_for() {
    let profile = Synthetic::typical().build();
    let column = |by, sort, name: &str| -> Vec<String> {
        let view = View {
            by: Some(by),
            sort: Some(sort),
            limit: None,
        };
        let (head, rows) = csv(&profile, &view);
        let at = head.iter().position(|column| column == name).unwrap();
        rows.into_iter().map(|row| row[at].clone()).collect()
    };
    let descending = |values: Vec<String>| {
        let numbers: Vec<u64> = values.iter().map(|n| n.parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a >= b), "{numbers:?}");
    };
    descending(column(By::Thread, Sort::Cpu, "cpu_ns"));
    descending(column(By::Thread, Sort::Energy, "uj"));
    descending(column(By::Process, Sort::AboveIdle, "marginal_uj"));
    descending(column(By::Function, Sort::Total, "total_uj"));
    descending(column(By::Module, Sort::Samples, "samples"));
    assert!(column(By::Function, Sort::Name, "name").is_sorted());
    let nonsense = View {
        by: Some(By::Cpu),
        sort: Some(Sort::Samples),
        limit: None,
    };
    let error = report(&profile, &nonsense, Format::Csv, Style::PLAIN, Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.given_hint().is_some_and(|hint| hint.contains("cpu")));
}

/// Fails with `kind` after some bytes.
struct Fails(usize, std::io::ErrorKind);

impl std::io::Write for Fails {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = bytes.len().min(self.0);
        self.0 -= n;
        if n == 0 { Err(self.1.into()) } else { Ok(n) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is() {
    let profile = Synthetic::typical().build();
    for format in [Format::Table, Format::Json, Format::Csv] {
        let gone = Fails(100, std::io::ErrorKind::BrokenPipe);
        report(&profile, &View::default(), format, Style::PLAIN, gone).unwrap();
        let full = Fails(100, std::io::ErrorKind::StorageFull);
        assert!(report(&profile, &View::default(), format, Style::PLAIN, full).is_err());
    }
}
