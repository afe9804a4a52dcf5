//! What makes repeated measurements less true, each with what helps.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::caveat::{Caveat, Tally, counted};
use crate::statistics::Summary;

use super::measure::Measure;
use super::run::Run;

/// Fewer updates of a meter in a run make its energy coarse: each end of the
/// run may be off by one.
const FEWEST_UPDATES: f64 = 50.0;

/// A single reading that is less certain than this part of its energy is
/// coarse.
const COARSE: f64 = 0.05;

/// Shorter runs are mostly the making of a process, in seconds.
const SHORTEST: f64 = 0.005;

/// With fewer stack samples in a run, functions cannot be distinguished.
const FEWEST_SAMPLES: u64 = 100;

/// Other processes may use this part of the energy: in the mean, in one run.
const NOISE: (f64, f64) = (0.03, 0.10);

/// An outlier that is nearer to the median, as a part of it, hardly moves the
/// mean.
const FAR: f64 = 0.05;

/// The clock may differ by this part between runs.
const CLOCK: f64 = 0.05;

/// Characters of a command in a caveat.
const LONGEST_NAME: usize = 32;

/// The temperature may rise by this much over the runs, in °C.
const WARMTH: f64 = 10.0;

/// The caveats of the runs of one command.
pub fn of_command(name: &str, runs: &[Run], summaries: &[(Measure, Summary)]) -> Vec<Caveat> {
    let of = |measure: Measure| {
        let found = summaries.iter().find(|(of, _)| *of == measure);
        found.map(|(_, summary)| (measure, summary))
    };
    let name = &*shortened(name);
    let main = of(Measure::Energy).or(of(Measure::Time));
    let mut caveats = Vec::new();
    caveats.extend(unknown(name, runs));
    caveats.extend(failures(name, runs));
    if let Some((measure, summary)) = main {
        caveats.extend(outliers(name, runs, measure, summary));
        caveats.extend(drift(name, measure, summary));
    }
    caveats.extend(neighbours(name, runs));
    caveats.extend(short(name, runs));
    caveats.extend(clock(name, runs));
    caveats
}

/// A name that leaves room for a sentence.
fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]).into(),
        None => name.into(),
    }
}

/// The caveats of all runs together, of which there were to be `planned`.
pub fn of_all(runs: &[Run], planned: usize) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    if runs.len() < planned {
        let made = runs.len();
        let all = counted(planned as u64, "run", "runs");
        let sentence = format!("of {all} only {made} came to an end");
        caveats.push(Caveat::new("runs-missing", sentence));
    }
    caveats.extend(sources(runs));
    caveats.extend(heat(runs));
    let lost: u64 = runs.iter().map(|run| run.lost).sum();
    if lost > 0 {
        let lost = counted(lost, "event was", "events were");
        let sentence = format!("{lost} lost in all runs together");
        caveats.push(
            Caveat::new("runs-lost", sentence)
                .hint("keep the recordings with --save DIR, and see what with eprof report"),
        );
    }
    let mut common = Tally::default();
    runs.iter().for_each(|run| common.add(&run.caveats));
    caveats.extend(common.finish());
    caveats
}

/// How many there are.
fn all(runs: &[Run]) -> String {
    counted(runs.len() as u64, "run", "runs")
}

fn sources(runs: &[Run]) -> Option<Caveat> {
    let sources: BTreeSet<&str> = runs.iter().map(|run| run.source.as_str()).collect();
    let several = sources.len() > 1;
    several.then(|| {
        let sources = sources.into_iter().collect::<Vec<_>>().join("; ");
        let sentence = format!("the runs were not all read from the same meters: {sources}");
        Caveat::new("sources-differ", sentence)
            .hint("choose one with --source; eprof list shows them")
    })
}

/// Heat: in the order of time, whatever ran.
fn heat(runs: &[Run]) -> Vec<Caveat> {
    let hint = "let the machine cool before each run (--prepare 'sleep 10'), fix its clock, or \
                warm it up first (--warmup)";
    let mut caveats = Vec::new();
    let throttled: u64 = runs.iter().filter_map(|run| run.conditions.throttled).sum();
    if throttled > 0 {
        let hit = runs.iter().filter(|run| run.conditions.throttled > Some(0));
        let sentence = format!(
            "the processor slowed itself down {} for heat or current, in {} of {}",
            counted(throttled, "time", "times"),
            hit.count(),
            all(runs)
        );
        caveats.push(Caveat::new("throttled", sentence).hint(hint));
    }
    let temperatures = || runs.iter().filter_map(|run| run.conditions.celsius);
    let coolest = temperatures().reduce(f64::min);
    let hottest = temperatures().reduce(f64::max);
    if let Some((coolest, hottest)) = coolest.zip(hottest)
        && hottest - coolest > WARMTH
    {
        let sentence = format!(
            "the hottest sensor showed {coolest:.0} °C in one run and {hottest:.0} °C in another; \
             a warm chip draws more for the same work"
        );
        caveats.push(Caveat::new("temperature-changed", sentence).hint(hint));
    }
    caveats
}

fn unknown(name: &str, runs: &[Run]) -> Option<Caveat> {
    let unknown = runs.iter().filter(|run| run.energy.is_none()).count();
    (unknown > 0).then(|| {
        let sentence = format!(
            "the energy of {unknown} of {} of {name} is not known, so that nothing is said of all",
            all(runs)
        );
        Caveat::new("energy-unknown", sentence).hint("eprof list says how the meters do")
    })
}

fn failures(name: &str, runs: &[Run]) -> Option<Caveat> {
    let failed = runs.iter().filter(|run| run.exit != 0).count();
    (failed > 0).then(|| {
        let sentence = format!("{failed} of {} of {name} failed", all(runs));
        Caveat::new("target-failed", sentence)
            .hint("they count, as --ignore-failure says; a run that fails may do less work")
    })
}

fn outliers(name: &str, runs: &[Run], measure: Measure, summary: &Summary) -> Option<Caveat> {
    let far: Vec<&Run> = summary
        .outliers
        .iter()
        .filter_map(|at| runs.get(*at))
        .filter(|run| {
            let value = measure.of(run).unwrap_or(summary.median);
            (value - summary.median).abs() > summary.median * FAR
        })
        .collect();
    if far.is_empty() {
        return None;
    }
    let shown = far.iter().map(|run| {
        let times = measure.of(run).map(|value| value / summary.median);
        format!("run {} (× {:.2})", run.round + 1, times.unwrap_or(f64::NAN))
    });
    let shown: Vec<String> = shown.take(5).collect();
    let sentence = format!(
        "{} of {} of {name} {} far off the median {}: {}",
        far.len(),
        all(runs),
        if far.len() == 1 { "lies" } else { "lie" },
        measure.name(),
        shown.join(", ")
    );
    let hint = if far.iter().all(|run| run.round == 0) {
        "the first run fills caches: use --warmup, or empty them each time with --prepare"
    } else {
        "something else ran meanwhile, or the work differs: close other programs, make more runs, \
         and trust the median"
    };
    Some(Caveat::new("outliers", sentence).hint(hint))
}

fn drift(name: &str, measure: Measure, summary: &Summary) -> Option<Caveat> {
    let drift = summary.drift.filter(|drift| drift.is_real())?;
    let (way, part) = match drift.change < 0.0 {
        true => ("falls", -drift.change),
        false => ("rises", drift.change),
    };
    let sentence = format!(
        "the {} of {name} {way} by {:.1} % from the first run to the last (p = {:.2}), so that \
         the mean depends on when one stops",
        measure.name(),
        part * 100.0,
        drift.p
    );
    Some(Caveat::new("drift", sentence).hint(
        "the machine grows warm or fills its caches: --warmup, or a pause before each run \
         (--prepare 'sleep 10')",
    ))
}

fn neighbours(name: &str, runs: &[Run]) -> Option<Caveat> {
    let shares: Vec<f64> = runs.iter().filter_map(|run| run.others).collect();
    let most = shares.iter().copied().reduce(f64::max)?;
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    if mean <= NOISE.0 && most <= NOISE.1 {
        return None;
    }
    let sentence = format!(
        "of the energy of all that ran while {name} did, other processes used {:.0} %, up to \
         {:.0} % in one run; they also take caches, clock and power budget from it",
        mean * 100.0,
        most * 100.0
    );
    Some(
        Caveat::new("noisy-neighbours", sentence)
            .hint("close them; eprof run shows how much, top -d 1 shows who"),
    )
}

fn short(name: &str, runs: &[Run]) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    let least = |of: &dyn Fn(&Run) -> Option<f64>| runs.iter().filter_map(of).reduce(f64::min);
    let updates = least(&|run| run.updates);
    let coarse = runs.iter().filter_map(|run| {
        let energy = run.energy.filter(|energy| energy.0 > 0)?;
        Some(run.ci90.0 as f64 / energy.0 as f64)
    });
    let coarse = coarse.reduce(f64::max).filter(|_| updates.is_some());
    let hint = "let one run do more work: a larger input, or a loop around it";
    if let Some(updates) = updates.filter(|updates| *updates < FEWEST_UPDATES) {
        let sentence = format!(
            "a run of {name} is too short for its meter, which is updated only {} meanwhile",
            counted(updates.round() as u64, "time", "times")
        );
        caveats.push(Caveat::new("run-too-short", sentence).hint(hint));
    } else if let Some(coarse) = coarse.filter(|coarse| *coarse > COARSE) {
        let sentence = format!(
            "the energy of a single run of {name} is known to {:.0} % only",
            coarse * 100.0
        );
        caveats.push(Caveat::new("run-coarse", sentence).hint(hint));
    } else if let Some(time) =
        least(&|run| Some(run.time.seconds())).filter(|time| *time < SHORTEST)
    {
        let sentence = format!(
            "a run of {name} takes {:.1} ms, much of which is the making of a process",
            time * 1e3
        );
        caveats.push(Caveat::new("run-too-short", sentence).hint(hint));
    }
    let fewest = runs.iter().map(|run| run.samples).min().unwrap_or(0);
    let sampled = runs.iter().any(|run| run.samples > 0);
    if sampled && fewest < FEWEST_SAMPLES {
        let samples = counted(fewest, "stack sample", "stack samples");
        let sentence = format!("a run of {name} has only {samples}: functions are uncertain");
        caveats.push(
            Caveat::new("few-samples", sentence)
                .hint("let one run do more work, or sample more often with -F"),
        );
    }
    caveats
}

fn clock(name: &str, runs: &[Run]) -> Option<Caveat> {
    let clocks = || runs.iter().filter_map(|run| run.conditions.clock_mhz);
    let (least, most) = clocks()
        .reduce(f64::min)
        .zip(clocks().reduce(f64::max))
        .filter(|(least, most)| most - least > most * CLOCK)?;
    let sentence =
        format!("the clock was {least:.0} MHz in one run of {name} and {most:.0} MHz in another");
    Some(Caveat::new("clock-changed", sentence).hint(
        "fix it: cpupower frequency-set -g performance, and turn boost off \
         (/sys/devices/system/cpu/cpufreq/boost or intel_pstate/no_turbo)",
    ))
}

#[cfg(test)]
#[path = "caveats_tests.rs"]
mod tests;
