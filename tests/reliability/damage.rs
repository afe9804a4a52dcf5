//! Recordings with flipped bits, and those that were cut off.

use std::path::PathBuf;

use eprof::error::ErrorKind;
use eprof::recording::Recording;

use super::*;

/// So many damaged recordings apart, one is also shown by the command.
const SHOWN: usize = 1000;

/// Recordings of real runs, the smallest first.
fn recordings() -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/lab");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|of| of == "data"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 6);
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    };
    let mut read: Vec<_> = paths.into_iter().map(read).collect();
    read.sort_by_key(|(_, bytes)| bytes.len());
    read
}

fn load(bytes: &[u8]) -> eprof::error::Result<Recording> {
    Recording::load(bytes, Some(bytes.len() as u64))
}

/// What became of damaged recordings.
#[derive(Debug, Default)]
struct Ends {
    /// Refused as a whole.
    refused: usize,
    /// Read as far as the damage.
    shortened: usize,
    /// Shown by the command, too.
    shown: usize,
}

/// Asserts that of a damaged recording nothing is changed: what precedes the damage is
/// what `whole` has, and the rest is missing with a word, or all is refused.
fn check(damaged: &[u8], whole: &Recording, ends: &mut Ends) {
    match load(damaged) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            ends.refused += 1;
        }
        Ok(loaded) => {
            assert_eq!(loaded.catalog.header, whole.catalog.header);
            assert!(whole.intervals.starts_with(&loaded.intervals));
            assert!(whole.catalog.tasks.starts_with(&loaded.catalog.tasks));
            assert!(whole.catalog.symbols.starts_with(&loaded.catalog.symbols));
            let caveats = loaded.catalog.caveats.iter();
            assert_ne!(caveats.count(), 0, "the damage is told");
            ends.shortened += 1;
        }
    }
    if (ends.refused + ends.shortened) % SHOWN == 1 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eprof.data");
        std::fs::write(&path, damaged).unwrap();
        let output = reported(&path);
        assert_orderly(&output, &[0, ErrorKind::Data.exit_code().into()]);
        if output.status.success() {
            let report = Report(serde_json::from_slice(&output.stdout).unwrap());
            report.assert_balanced();
            assert_ne!(report.rows("caveats").len(), 0);
        } else {
            assert_eq!(output.stdout, b"");
        }
        ends.shown += 1;
    }
}

fn flip(count: usize) -> Ends {
    let recordings = recordings();
    let wholes: Vec<_> = recordings.iter().map(|(_, of)| load(of).unwrap()).collect();
    let mut dice = Dice::new(seed());
    let mut ends = Ends::default();
    for number in 0..count {
        let which = number % recordings.len();
        let (path, mut bytes) = recordings[which].clone();
        let at = below(&mut dice, bytes.len());
        let bit = below(&mut dice, 8);
        bytes[at] ^= 1 << bit;
        // Said by a failure only.
        println!("bit {bit} of byte {at} of {}", path.display());
        check(&bytes, &wholes[which], &mut ends);
    }
    ends
}

/// Cuts the `most` smallest recordings off at every `step`th byte.
fn cut(most: usize, step: usize) -> Ends {
    let mut ends = Ends::default();
    for (_, bytes) in recordings().into_iter().take(most) {
        let whole = load(&bytes).unwrap();
        for length in (0..bytes.len()).step_by(step) {
            check(&bytes[..length], &whole, &mut ends);
        }
    }
    ends
}

#[test]
fn flipped_bits_change_nothing_silently() {
    let ends = flip(300);
    assert!(ends.refused > 0 && ends.shortened > 0, "{ends:?}");
}

#[test]
fn recordings_that_were_cut_off_keep_what_precedes() {
    let ends = cut(6, 997);
    assert!(ends.refused > 0 && ends.shortened > 0, "{ends:?}");
}

#[test]
#[ignore = "minutes: a trial of docs/reliability.md"]
fn twenty_thousand_flipped_bits() {
    eprintln!("20,000 flipped bits: {:?}", flip(20_000));
}

#[test]
#[ignore = "minutes: a trial of docs/reliability.md"]
fn every_truncation() {
    eprintln!("every truncation: {:?}", cut(1, 1));
}
