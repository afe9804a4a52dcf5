//! What people and programs read: tables, JSON, CSV, folded stacks, pictures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "output/golden.rs"]
mod golden;
#[path = "output/parse.rs"]
mod parse;
#[path = "output/schema.rs"]
mod schema;
#[path = "output/synthetic.rs"]
mod synthetic;

use eprof::attribute::Account;
use eprof::caveat::Caveat;
use eprof::error::ErrorKind;
use eprof::output::{By, Format, Look, Progress, Sort, View, flame, folded, json, report};
use eprof::profile::Profile;
use eprof::session::Moment;
use eprof::unit::{Microjoules, Nanos, Timestamp, Watts};
use parse::{
    WIDE_80, csv, csv_sum, folded_lines, json as json_of, json_sum, svg, svg_boxes, text, view,
};
use proptest::prelude::*;
use serde_json::Value;
use synthetic::{Synthetic, Thread};
use unicode_width::UnicodeWidthStr;

const KINDS: [By; 5] = [By::Process, By::Thread, By::Function, By::Module, By::Cpu];

fn estimated() -> Synthetic {
    Synthetic {
        estimated: true,
        ..Synthetic::typical()
    }
}

/// A run whose meters said nothing, with everything that can be said about it.
fn unmeasured() -> Profile {
    let mut run = Synthetic::typical();
    run.exit_code = None;
    run.losses.count("ring-full", 12_345);
    run.caveats.push(
        Caveat::new(
            "counter-stalled",
            "The counter of power/energy-pkg/ did not move for 5.0 s although CPUs were busy, \
             as it does in a virtual machine without RAPL.",
        )
        .hint("eprof run --source model -- ./bench --size 1000"),
    );
    let mut profile = run.build();
    for meter in &mut profile.ledger.meters {
        meter.total = Microjoules::ZERO;
        meter.unknown = profile.summary.duration;
        meter.baseline = None;
        meter
            .accounts
            .values_mut()
            .for_each(|price| *price = Default::default());
    }
    let nothing = eprof::attribute::Price::default();
    profile
        .threads
        .iter_mut()
        .for_each(|row| row.price = nothing);
    profile
        .processes
        .iter_mut()
        .for_each(|row| row.price = nothing);
    profile
        .stacks
        .iter_mut()
        .for_each(|row| row.price = nothing);
    for row in &mut profile.functions {
        (row.own, row.total) = (nothing, nothing);
    }
    profile
}

/// Names that attack terminals, XML, CSV and the folded format.
fn hostile() -> Synthetic {
    let names = [
        "\x1b[2J\x1b]0;owned\x07",
        "</text><script>alert(1)</script>",
        "a;b c;d 12",
        "# not a comment",
        "#",
        "日本語のとても長いプロセスの名前です",
        "\u{202e}reversed, \"quoted\"",
        "\u{9b}31m\u{fffe}\0",
        "  ",
        "--",
        "=cmd|' /C calc'!A0",
    ];
    let mut run = Synthetic::of(
        names
            .iter()
            .zip(1u32..)
            .map(|(name, n)| {
                let frame = format!("{name}@{name}");
                Thread::new(n, n, name, 1_000_000 * u64::from(n))
                    .stack(&[&frame, "inner@lib"], 1_000 * u64::from(n), 3)
                    .stack(&[&frame], 7, 1)
            })
            .collect(),
    );
    run.argv = names.iter().map(|name| (*name).to_owned()).collect();
    run.caveats.push(Caveat::new("names", names.join(" ")));
    run
}

fn target(profile: &Profile) -> u64 {
    profile.ledger.account(Account::Target).full.0
}

/// No control character but the line feed, no directional override.
fn assert_harmless(text: &str) {
    let bad = text.chars().find(|c| {
        (c.is_control() && *c != '\n' && *c != '\r') || matches!(c, '\u{202a}'..='\u{202e}')
    });
    assert_eq!(bad, None, "in {text:?}");
}

fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.width() <= width, "{} columns: {line}", line.width());
    }
}

#[test]
fn tables_are_as_they_were() {
    let typical = Synthetic::typical().build();
    let summary = view(None, None);
    let of = |profile: &Profile, view: &View, look| text(profile, view, Format::Table, look);
    golden::check("summary-80.txt", of(&typical, &summary, WIDE_80).as_bytes());
    golden::check(
        "summary-plain.txt",
        of(&typical, &summary, Look::PLAIN).as_bytes(),
    );
    let estimated = estimated().build();
    golden::check(
        "summary-estimated.txt",
        of(&estimated, &summary, WIDE_80).as_bytes(),
    );
    golden::check(
        "summary-unknown.txt",
        of(&unmeasured(), &summary, WIDE_80).as_bytes(),
    );
    golden::check(
        "summary-hostile.txt",
        of(&hostile().build(), &summary, WIDE_80).as_bytes(),
    );
    for by in KINDS {
        let name = format!("by-{by:?}.txt").to_lowercase();
        golden::check(
            &name,
            of(&typical, &view(Some(by), Some(3)), WIDE_80).as_bytes(),
        );
    }
}

#[test]
fn files_are_as_they_were() {
    let typical = Synthetic::typical().build();
    let json = |profile| text(profile, &view(None, None), Format::Json, Look::PLAIN);
    golden::check("report.json", json(&typical).as_bytes());
    golden::check("report-unknown.json", json(&unmeasured()).as_bytes());
    let csv = text(
        &typical,
        &view(Some(By::Function), None),
        Format::Csv,
        Look::PLAIN,
    );
    golden::check("functions.csv", csv.as_bytes());
    let mut lines = Vec::new();
    folded::write(&typical, &mut lines).unwrap();
    golden::check("stacks.folded", &lines);
    golden::check("flame.svg", svg(&typical).as_bytes());
    golden::check("flame-unknown.svg", svg(&unmeasured()).as_bytes());
}

#[test]
fn everything_fits_80_columns_and_is_harmless() {
    for profile in [
        Synthetic::typical().build(),
        estimated().build(),
        unmeasured(),
        hostile().build(),
    ] {
        for by in KINDS.into_iter().map(Some).chain([None]) {
            let table = text(&profile, &view(by, None), Format::Table, WIDE_80);
            assert_fits(&table, 80);
            assert_harmless(&table);
            assert_harmless(&text(&profile, &view(by, None), Format::Csv, WIDE_80));
        }
        assert_harmless(&text(&profile, &view(None, None), Format::Json, WIDE_80));
    }
}

#[test]
fn escapes_appear_only_where_colours_are_wanted() {
    let profile = Synthetic::typical().build();
    let bright = Look {
        colour: true,
        ..WIDE_80
    };
    let coloured = text(&profile, &view(None, None), Format::Table, bright);
    let plain = text(&profile, &view(None, None), Format::Table, WIDE_80);
    assert!(coloured.contains("\x1b[1m"), "headings are bold");
    // Without its escapes the coloured text is the plain one.
    let mut stripped = String::new();
    let mut escape = false;
    for c in coloured.chars() {
        match c {
            '\x1b' => escape = true,
            'm' if escape => escape = false,
            c if !escape => stripped.push(c),
            _ => {}
        }
    }
    let trimmed = |text: &str| {
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(trimmed(&stripped), trimmed(&plain));
}

#[test]
fn estimates_say_so_with_two_digits_everywhere() {
    let table = text(
        &estimated().build(),
        &view(None, None),
        Format::Table,
        WIDE_80,
    );
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("estimated") && words.contains("shares between rows stay valid"));
    let amounts = table
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('~'));
    let mut seen = 0;
    for amount in amounts {
        let digits = amount.replace('.', "");
        let digits = digits.trim_start_matches('0').trim_end_matches('0');
        assert!(digits.len() <= 2, "~{amount}");
        seen += 1;
    }
    assert!(seen > 20, "{seen} estimates");
    let report = json_of(&estimated().build(), &view(None, None));
    assert_eq!(report["source"]["provenance"], "estimated");
    assert_eq!(report["source"]["band"]["high"], 1.5);
    let (uj, half) = (&report["target"]["uj"], &report["target"]["ci90_uj"]);
    assert!(
        half.as_f64().unwrap() >= uj.as_f64().unwrap() * 0.5,
        "the band is in the interval"
    );
    assert!(svg(&estimated().build()).contains("µJ estimated"));
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
        meter.total = meter.accounts.values().map(|price| price.full).sum();
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
fn sockets_are_one_row_in_the_table_and_apart_in_the_report() {
    let mut profile = Synthetic::typical().build();
    let mut second = profile.ledger.meters[0].clone();
    second.meter = eprof::source::MeterId(3);
    let mut meter = profile.summary.header.meters[0].clone();
    meter.id = second.meter;
    profile.summary.header.meters.push(meter);
    profile.ledger.meters.push(second);
    let table = text(&profile, &view(None, None), Format::Table, WIDE_80);
    assert!(table.contains("package (2 meters)"));
    // Twice 28.70 ± 0.12 J: errors of meters add in quadrature.
    let row = table
        .lines()
        .find(|line| line.trim_start().starts_with("target "));
    let cells: Vec<&str> = row.unwrap().split_whitespace().collect();
    assert_eq!(cells[..4], ["target", "57.40", "±0.17", "J"]);
    let report = json_of(&profile, &view(None, None));
    let packages = report["ledger"].as_array().unwrap().iter();
    let packages = packages.filter(|row| row["domain"] == "package" && row["account"] == "idle");
    assert_eq!(packages.count(), 2);
}

#[test]
fn the_report_keeps_its_schema() {
    let schema: Value = serde_json::from_str(json::SCHEMA).unwrap();
    let valid = |report: &Value| schema::errors(&schema, &schema, report, "");
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
    descending(column(By::Process, Sort::Marginal, "marginal_uj"));
    descending(column(By::Function, Sort::Total, "total_uj"));
    descending(column(By::Module, Sort::Samples, "samples"));
    assert!(column(By::Function, Sort::Name, "name").is_sorted());
    let nonsense = View {
        by: Some(By::Cpu),
        sort: Some(Sort::Samples),
        limit: None,
    };
    let error = report(&profile, &nonsense, Format::Csv, Look::PLAIN, Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.hint().is_some_and(|hint| hint.contains("cpu")));
}

#[test]
fn folded_names_cannot_break_the_format() {
    let profile = hostile().build();
    let lines = folded_lines(&profile);
    assert_eq!(
        lines.iter().map(|(_, uj)| uj).sum::<u64>(),
        target(&profile)
    );
    for (stack, _) in &lines {
        assert!((3..=4).contains(&stack.len()), "{stack:?}");
        assert!(
            stack[0].ends_with(')') && !stack[0].starts_with("# "),
            "{stack:?}"
        );
        let last_word = stack.last().unwrap().rsplit(' ').next().unwrap();
        assert!(
            last_word.parse::<f64>().is_err(),
            "a second count in {stack:?}"
        );
    }
    let typical = folded_lines(&Synthetic::typical().build());
    for marker in [
        "[unsampled]",
        "[truncated]",
        "ksys_write_[k]",
        "utf8::decode_[i]",
    ] {
        assert!(
            typical
                .iter()
                .any(|(stack, _)| stack.iter().any(|f| f == marker)),
            "{marker}"
        );
    }
}

#[test]
fn a_flamegraph_shows_each_caller_once_and_hostile_names_as_text() {
    // Sorted as lines of text, `f 1` stands between `f` and `f;g`.
    let run = Synthetic::of(vec![
        Thread::new(1, 1, "p", 5)
            .stack(&["f@m"], 1000, 1)
            .stack(&["f@m", "g@m"], 1000, 1)
            .stack(&["f x@m", "g@m"], 1000, 1),
    ]);
    let (_, boxes) = svg_boxes(&svg(&run.build()));
    let f: Vec<_> = boxes
        .iter()
        .filter(|drawn| drawn.title.starts_with("f ("))
        .collect();
    assert_eq!(f.len(), 1);
    assert_eq!(f[0].uj, 2000);
    let picture = svg(&hostile().build());
    assert!(!picture.contains("<script>alert"));
    let (total, boxes) = svg_boxes(&picture);
    assert_eq!(total, target(&hostile().build()));
    assert!(
        boxes
            .iter()
            .any(|drawn| drawn.title.contains("<script>alert(1)"))
    );
}

#[test]
fn no_energy_is_a_picture_that_says_so() {
    let nothing = Synthetic::of(Vec::new()).build();
    let still = Synthetic::of(vec![Thread::new(1, 1, "p", 5).stack(&["f@m"], 0, 1)]).build();
    for (profile, why) in [
        (nothing, "No thread of the target ran"),
        (still, "the meters did not move"),
        (unmeasured(), "The energy is unknown"),
    ] {
        let picture = svg(&profile);
        assert_eq!(svg_boxes(&picture).0, 0);
        assert!(picture.contains(why), "{picture}");
    }
    let impossible = Synthetic::of(vec![Thread::new(1, 1, "p", 5).stack(&["f@m"], 1 << 60, 1)]);
    let error = flame::write(&impossible.build(), Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
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
        report(&profile, &View::default(), format, Look::PLAIN, gone).unwrap();
        let full = Fails(100, std::io::ErrorKind::StorageFull);
        assert!(report(&profile, &View::default(), format, Look::PLAIN, full).is_err());
    }
}

#[test]
fn the_live_line_is_rare_fits_and_leaves_nothing_behind() {
    let beat = |ms: u64| Moment {
        elapsed: Nanos(ms * 1_000_000),
        power: Some(Watts(8.42)),
        energy: Some(Microjoules(103_400_000)),
        threads: 4,
        samples: 12_345,
        ..Moment::default()
    };
    let mut out = Vec::new();
    let mut progress = Progress::new(Some(&mut out), WIDE_80);
    for ms in 0..1500 {
        progress.show(Timestamp(ms * 1_000_000), &beat(ms));
    }
    drop(progress);
    let written = String::from_utf8(out).unwrap();
    let shown: Vec<&str> = written
        .split('\r')
        .filter(|line| line.contains(" s "))
        .collect();
    assert_eq!(shown.len(), 11, "once every 100 ms after the first 400 ms");
    assert_eq!(
        shown[0],
        "0.4 s  8.42 W  103 J  4 threads  12,345 samples\x1b[K"
    );
    assert!(written.ends_with("\r\x1b[K"), "erased");

    let mut narrow = Vec::new();
    let look = Look {
        width: 20,
        ..WIDE_80
    };
    Progress::new(Some(&mut narrow), look).show(Timestamp(0), &beat(5000));
    let narrow = String::from_utf8(narrow).unwrap();
    let line = narrow
        .trim_start_matches('\r')
        .split('\x1b')
        .next()
        .unwrap();
    assert!(line.width() < 20, "{line}");

    let mut silent = Progress::<Vec<u8>>::new(None, WIDE_80);
    silent.show(Timestamp(0), &beat(5000));
    silent.clear();
    let unknown = Moment {
        power: None,
        energy: None,
        ..beat(61_000)
    };
    let mut out = Vec::new();
    Progress::new(Some(&mut out), WIDE_80).show(Timestamp(0), &unknown);
    let unknown = String::from_utf8(out).unwrap();
    assert!(unknown.starts_with("\r0:01:01  – W  – J"), "{unknown}");
}

/// Names as processes and symbols may have them, and worse.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,12}",
        "\\PC{0,24}",
        any::<String>().prop_map(|name| name.chars().take(24).collect()),
        "[a-z]{0,4}[;# \\t][a-z0-9.]{0,4}( [0-9.]{1,3})?",
        Just("[unsampled]".to_owned()),
    ]
}

fn run() -> impl Strategy<Value = Synthetic> {
    let frames = prop::collection::vec((name(), name()), 0..5);
    let stacks = prop::collection::vec((frames, 0..1u64 << 40, 0..1000u64), 1..5);
    let thread = (1..5u32, name(), 0..1u64 << 40, stacks);
    let threads = prop::collection::vec(thread, 0..8);
    (threads, any::<bool>(), any::<bool>()).prop_map(|(threads, baseline, estimated)| {
        let threads = threads
            .into_iter()
            .zip(1u32..)
            .map(|((pid, comm, cpu, stacks), tid)| {
                let stacks = stacks.into_iter().map(|(frames, uj, samples)| {
                    // Rows of functions need a leaf.
                    let mut frames: Vec<String> = frames
                        .into_iter()
                        .map(|(function, module)| format!("{function}@{}", module.replace('@', "")))
                        .collect();
                    if frames.is_empty() {
                        frames.push("[unsampled]@".to_owned());
                    }
                    (frames, uj, samples)
                });
                Thread {
                    stacks: stacks.collect(),
                    ..Thread::new(pid, tid, &comm, cpu)
                }
            });
        Synthetic {
            baseline,
            estimated,
            ..Synthetic::of(threads.collect())
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn all_outputs_agree_to_the_microjoule(run in run(), limit in prop::option::of(0..6usize), width in 48..200usize) {
        let profile = run.build();
        let target = target(&profile);
        let report = json_of(&profile, &view(None, limit));
        for (list, key) in [("threads", "uj"), ("processes", "uj"), ("functions", "self_uj"), ("modules", "uj"), ("cpus", "uj")] {
            prop_assert_eq!(json_sum(&report, list, key), target, "{}", list);
        }
        prop_assert_eq!(report["target"]["uj"].as_u64(), Some(target));
        for meter in report["source"]["meters"].as_array().unwrap() {
            let ledger = report["ledger"].as_array().unwrap().iter();
            let own = ledger.filter(|row| row["meter_id"] == meter["id"]);
            let sum: u64 = own.map(|row| row["uj"].as_u64().unwrap_or(0)).sum();
            prop_assert_eq!(Some(sum), meter["total_uj"].as_u64());
        }
        for by in KINDS {
            prop_assert_eq!(csv_sum(&profile, &view(Some(by), limit)), target);
        }
        let lines = folded_lines(&profile);
        prop_assert_eq!(lines.iter().map(|(_, uj)| uj).sum::<u64>(), target);
        let picture = svg(&profile);
        let (total, boxes) = svg_boxes(&picture);
        prop_assert_eq!(total, target);
        // The row above the root holds processes. Boxes below a ten thousandth
        // of the width are not drawn.
        if let Some(bottom) = boxes.iter().map(|drawn| drawn.y).max() {
            let processes: u64 = boxes.iter().filter(|drawn| drawn.y + 16 == bottom).map(|drawn| drawn.uj).sum();
            prop_assert!(processes <= target && processes >= target - target / 1000);
        }
        let look = Look { width, ..WIDE_80 };
        for by in KINDS.into_iter().map(Some).chain([None]) {
            let table = text(&profile, &view(by, limit), Format::Table, look);
            assert_fits(&table, width);
            assert_harmless(&table);
        }
        prop_assert_eq!(picture, svg(&run.build()));
        prop_assert_eq!(report, json_of(&run.build(), &view(None, limit)));
    }
}
