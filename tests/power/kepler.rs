//! The fit on measurements that eprof had no part in: a node under stress-ng,
//! measured by Kepler (see `tests/data/README.md`). Ten contiguous blocks are
//! held out in turn, and everything is chosen on the other nine.

use std::path::Path;

use eprof::power::{Fit, LINEAR, Row, SHAPED, Settings, Verdict, contiguous, fit};

/// The file, uncompressed.
pub(crate) fn csv() -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/kepler_nx12_rapl_basic.csv.gz");
    let mut text = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    std::io::Read::read_to_end(&mut decoder, &mut text).unwrap();
    text
}

const SIGNALS: [&str; 4] = [
    "bpf_cpu_time_us",
    "cpu_cycles",
    "cpu_instructions",
    "cache_miss",
];

fn rows(target: &str) -> Vec<Row> {
    let text = csv();
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (signals, target) = (SIGNALS.map(at), at(target));
    let mut rows: Vec<Row> = reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let value = |at: usize| record[at].parse::<f64>().unwrap();
            Row {
                x: signals.map(value).to_vec(),
                y: value(target),
                weight: 1.0,
                fold: 0,
            }
        })
        .collect();
    assert_eq!(rows.len(), 2202);
    contiguous(&mut rows, 10);
    rows
}

fn fitted(target: &str, pieces: &[usize]) -> Fit {
    let found = fit(&rows(target), 4, &Settings::with_idle(vec![0]), pieces).unwrap();
    eprintln!(
        "{target} {pieces:?}: {:?}, by time {:?}, λ {}, intercept {:.2}, condition {:.1}, {} terms, residual {:.3}",
        found.held_out,
        found.time_share,
        found.strength,
        found.intercept,
        found.health.condition,
        found.terms.len(),
        found.residual
    );
    found
}

#[test]
fn package_power_is_predicted_better_than_published_models_do() {
    let found = fitted("package_power", SHAPED);
    // A linear model on counters has 9.6 to 10.4 W, a saturating ridge with
    // hand-made terms 7.33 W and R² 0.951.
    assert!(found.held_out.mae <= 7.3, "{:?}", found.held_out);
    assert!(found.held_out.r2 >= 0.95, "{:?}", found.held_out);
    assert_eq!(found.verdict, Verdict::Better);
    assert!(found.terms.iter().all(|term| term.weight >= 0.0));
    // The node idles at 30.94 W.
    assert!((found.intercept - 30.94).abs() < 3.0, "{}", found.intercept);
}

#[test]
fn memory_power_too() {
    let found = fitted("dram_power", SHAPED);
    assert!(found.held_out.mae <= 2.41, "{:?}", found.held_out);
    assert_eq!(found.verdict, Verdict::Better);
}

#[test]
fn straight_lines_are_as_good_as_published_linear_models() {
    let found = fitted("package_power", LINEAR);
    assert!(found.held_out.mae <= 10.4, "{:?}", found.held_out);
    assert!(found.held_out.r2 > found.time_share.r2 + 0.2);
}
