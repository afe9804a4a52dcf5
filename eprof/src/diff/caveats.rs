//! What makes a comparison less true than it looks.

use crate::caveat::Caveat;
use crate::statistics::{Confidence, Summary};

use super::key::Key;
use super::metric::Metric;
use super::side::Side;

pub(super) fn of(metric: Metric, base: &Side, new: &Side) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    if base.runs == 1 && new.runs == 1 {
        caveats.push(
            Caveat::new(
                "single-runs",
                "one recording of each side: how much runs differ from each other is not known, \
                 so \"changed\" only means more than measuring and sampling errors within the runs",
            )
            .hint("eprof stat -r 10 -F 997 --save DIR -- OLD -- NEW, and compare the directories in it"),
        );
    } else if base.runs == 1 || new.runs == 1 {
        caveats.push(
            Caveat::new(
                "single-run",
                "one side has one recording only; its runs are taken to differ as much as the \
                 other side's",
            )
            .hint("record as many runs of both"),
        );
    } else if !base.is_interleaved_with(new) {
        caveats.push(
            Caveat::new(
                "not-interleaved",
                "the runs were not interleaved: whatever changed on the machine between the two \
                 sides counts as a difference",
            )
            .hint("eprof stat -r 10 -F 997 --save DIR -- OLD -- NEW interleaves them"),
        );
    }
    for (side, name) in [(base, "base"), (new, "new")] {
        of_side(metric, side, name, &mut caveats);
    }
    if base.processors != new.processors || base.processors.len() > 1 {
        let all: Vec<&str> = base
            .processors
            .union(&new.processors)
            .map(String::as_str)
            .collect();
        caveats.push(
            Caveat::new(
                "different-processors",
                format!("recorded on different processors: {}", all.join(", ")),
            )
            .hint("compare runs of one machine"),
        );
    }
    if metric == Metric::Energy {
        of_energy(base, new, &mut caveats);
    }
    caveats
}

fn of_energy(base: &Side, new: &Side, caveats: &mut Vec<Caveat>) {
    if base.estimated != new.estimated {
        caveats.push(
            Caveat::new(
                "measured-against-estimated",
                "the energy of one side was measured, that of the other only estimated",
            )
            .hint("--metric cpu-time compares what both have measured"),
        );
    } else if base.estimated {
        caveats.push(
            Caveat::new(
                "estimated-energy",
                "energy was estimated from CPU time, so its differences are those of CPU time",
            )
            .hint("--metric cpu-time compares what was measured"),
        );
    }
    let rules: Vec<_> = base.rules.union(&new.rules).collect();
    if rules.len() > 1 {
        caveats.push(
            Caveat::new(
                "different-weights",
                "energy was not divided by the same rule in all runs, so rows may differ by rule",
            )
            .hint("--attribution time or cycles"),
        );
    }
}

fn of_side(metric: Metric, side: &Side, name: &str, caveats: &mut Vec<Caveat>) {
    let values = side.total(&Key::Target).map(|of| of.of(metric));
    let summary = values.and_then(|values| Summary::of(values, Confidence::NINETY));
    let Some(summary) = summary else { return };
    if !summary.outliers.is_empty() {
        let runs: Vec<String> = summary
            .outliers
            .iter()
            .map(|at| (at + 1).to_string())
            .collect();
        caveats.push(
            Caveat::new(
                "outliers",
                format!(
                    "of the {} runs of the {name} side, these lie far from the rest: {}",
                    summary.runs,
                    runs.join(", ")
                ),
            )
            .hint("look for what else ran then"),
        );
    }
    if let Some(drift) = summary.drift.filter(|drift| drift.is_real()) {
        caveats.push(
            Caveat::new(
                "drift",
                format!(
                    "the {metric} of the {name} side goes from run to run, by {:+.1} % from the \
                     first to the last",
                    drift.change * 100.0
                ),
            )
            .hint("let the machine grow warm first, and interleave the runs"),
        );
    }
    if side.exits.len() > 1 || side.exits.iter().any(|exit| *exit != Some(0)) {
        caveats.push(
            Caveat::new(
                "failed-runs",
                format!("not all runs of the {name} side ended with exit code 0"),
            )
            .hint("a run that fails early costs less; compare only those that did their work"),
        );
    }
}
