//! The live line.

use eprof::output::{Progress, Style};
use eprof::timeline::LiveStatus;
use eprof::unit::{Microjoules, Nanos, Timestamp, Watts};
use unicode_width::UnicodeWidthStr;

use super::parse::WIDE_80;

#[test]
fn the_live_line_is_rare_fits_and_leaves_nothing_behind() {
    let beat = |ms: u64| LiveStatus {
        elapsed: Nanos(ms * 1_000_000),
        power: Some(Watts(8.42)),
        energy: Some(Microjoules(103_400_000)),
        threads: 4,
        samples: 12_345,
        ..LiveStatus::default()
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
    let style = Style {
        width: 20,
        ..WIDE_80
    };
    Progress::new(Some(&mut narrow), style).show(Timestamp(0), &beat(5000));
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
    let unknown = LiveStatus {
        power: None,
        energy: None,
        ..beat(61_000)
    };
    let mut out = Vec::new();
    Progress::new(Some(&mut out), WIDE_80).show(Timestamp(0), &unknown);
    let unknown = String::from_utf8(out).unwrap();
    assert!(unknown.starts_with("\r0:01:01  – W  – J"), "{unknown}");
}
