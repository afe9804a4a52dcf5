//! Tables for people.

use eprof::output::{Format, Style, View};
use eprof::profile::Profile;

use super::cases::{KINDS, assert_fits, assert_harmless, estimated, hostile, unmeasured};
use super::golden;
use super::parse::{WIDE_80, json as json_of, svg, text, view};
use super::synthetic::Synthetic;

#[test]
fn tables_are_as_they_were() {
    let typical = Synthetic::typical().build();
    let summary = view(None, None);
    let of = |profile: &Profile, view: &View, style| text(profile, view, Format::Table, style);
    golden::check("summary-80.txt", of(&typical, &summary, WIDE_80).as_bytes());
    golden::check(
        "summary-plain.txt",
        of(&typical, &summary, Style::PLAIN).as_bytes(),
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
    let bright = Style {
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
    assert!(svg(&estimated().build()).contains(" J estimated, 90 %: "));
}

#[test]
fn sockets_are_one_row_in_the_table_and_apart_in_the_report() {
    let mut profile = Synthetic::typical().build();
    let mut second = profile.ledger.meters[0].clone();
    second.meter = eprof::measurement::MeterId(3);
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
