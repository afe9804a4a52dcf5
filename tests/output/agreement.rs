//! For any run, all outputs agree to the microjoule, fit and are harmless.

use eprof::output::{Format, Style};
use proptest::prelude::*;

use super::cases::{KINDS, assert_fits, assert_harmless, target};
use super::parse::{
    WIDE_80, csv_sum, folded_lines, json as json_of, json_sum, svg, svg_boxes, text, view,
};
use super::synthetic::{Synthetic, Thread};

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
        // The row above the root holds processes. Boxes below a two thousandth
        // of the width are not drawn, and there are seven at most.
        if let Some(bottom) = boxes.iter().map(|drawn| drawn.y).max() {
            let processes: u64 = boxes.iter().filter(|drawn| drawn.y + 16 == bottom).map(|drawn| drawn.uj).sum();
            prop_assert!(processes <= target && processes >= target - target / 285);
        }
        let style = Style { width, ..WIDE_80 };
        for by in KINDS.into_iter().map(Some).chain([None]) {
            let table = text(&profile, &view(by, limit), Format::Table, style);
            assert_fits(&table, width);
            assert_harmless(&table);
        }
        prop_assert_eq!(picture, svg(&run.build()));
        prop_assert_eq!(report, json_of(&run.build(), &view(None, limit)));
    }
}
