//! What the runs say together.

use crate::carbon::Carbon;
use crate::caveat::Caveat;
use crate::measurement::Provenance;
use crate::statistics::{Confidence, Contrast, Interval, Summary, USUAL_POWER, Verdict, holm};

use super::caveats;
use super::command::Command;
use super::measure::Measure;
use super::plan::Repeated;
use super::run::Run;

/// How sure a verdict is, over all commands together.
pub const VERDICTS: Confidence = Confidence::NINETY_NINE;

/// One command and its runs.
#[derive(Clone, Debug)]
pub struct CommandRuns {
    /// The command.
    pub command: Command,
    /// Its runs, in the order in which they were made.
    pub runs: Vec<Run>,
    /// What they say; measures that are not known of all runs are missing.
    pub summaries: Vec<(Measure, Summary)>,
    /// What makes that less true.
    pub caveats: Vec<Caveat>,
}

impl CommandRuns {
    fn new(command: Command, runs: Vec<Run>) -> Self {
        let summary = |measure: Measure| {
            let values: Option<Vec<f64>> = runs.iter().map(|run| measure.of(run)).collect();
            Some((measure, Summary::of(&values?, Confidence::NINETY)?))
        };
        let summaries: Vec<_> = Measure::ALL.into_iter().filter_map(summary).collect();
        Self {
            caveats: caveats::of_command(&command.name, &runs, &summaries),
            command,
            runs,
            summaries,
        }
    }

    /// What the runs say of one measure.
    pub fn summary(&self, measure: Measure) -> Option<&Summary> {
        let mut all = self.summaries.iter();
        all.find(|(of, _)| *of == measure).map(|(_, of)| of)
    }
}

/// A command against the first one.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Position of the command.
    pub command: usize,
    /// What is compared.
    pub measure: Measure,
    /// The comparison, round by round.
    pub contrast: Contrast,
    /// How sure the verdict and the interval are, so that all commands
    /// together make [`VERDICTS`].
    pub confidence: Confidence,
    /// The command's mean divided by the first one's.
    pub ratio: f64,
    /// What holds the true ratio.
    pub interval: Interval,
    /// What may be said.
    pub verdict: Verdict,
    /// The smallest change that so many runs find in nine of ten cases
    /// (0.03: 3 %).
    pub detectable: Option<f64>,
    /// Rounds that would find the difference that was seen, likewise.
    pub needed: Option<usize>,
}

/// Everything that is reported.
#[derive(Clone, Debug)]
pub struct Results {
    /// The commands.
    pub commands: Vec<CommandRuns>,
    /// Each command but the first against the first, by measure.
    pub comparisons: Vec<Comparison>,
    /// Rounds that were to be made.
    pub rounds: usize,
    /// What the order was drawn from.
    pub seed: u64,
    /// The weakest claim of all meters.
    pub provenance: Provenance,
    /// For estimates: the factors between which the truth lies in 90 % of
    /// cases.
    pub band: Option<(f64, f64)>,
    /// Which meters were read.
    pub source: String,
    /// What the energy is converted to greenhouse gas by, if it is.
    pub carbon: Option<Carbon>,
    /// What makes all of it less true.
    pub caveats: Vec<Caveat>,
}

impl Results {
    /// What the runs of `commands` say, of which there were to be `rounds`.
    pub fn of(commands: &[Command], rounds: usize, seed: u64, repeated: Repeated) -> Self {
        let runs = &repeated.runs;
        let mut all = repeated.caveats;
        all.extend(caveats::of_all(runs, rounds * commands.len()));
        let bands = runs.iter().filter_map(|run| run.band);
        let weakest = runs.iter().map(|run| run.provenance).max();
        let source = runs.first().map(|run| run.source.clone());
        let of = |at: usize| runs.iter().filter(move |run| run.command == at).cloned();
        let with =
            |(at, command): (usize, &Command)| CommandRuns::new(command.clone(), of(at).collect());
        let commands: Vec<CommandRuns> = commands.iter().enumerate().map(with).collect();
        Self {
            comparisons: comparisons(&commands),
            rounds,
            seed,
            provenance: weakest.unwrap_or(Provenance::Estimated),
            band: bands.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
            source: source.unwrap_or_default(),
            carbon: None,
            caveats: all,
            commands,
        }
    }

    /// Whether the joules are estimated.
    pub fn is_estimated(&self) -> bool {
        self.provenance == Provenance::Estimated
    }
}

fn comparisons(commands: &[CommandRuns]) -> Vec<Comparison> {
    let Some((base, others)) = commands.split_first() else {
        return Vec::new();
    };
    let mut comparisons = Vec::new();
    for measure in Measure::COMPARED {
        let contrasts: Vec<(usize, Contrast)> = others
            .iter()
            .enumerate()
            .filter_map(|(at, other)| Some((at + 1, contrast(measure, base, other)?)))
            .collect();
        let p: Vec<f64> = contrasts.iter().map(|(_, contrast)| contrast.p()).collect();
        let levels = holm(&p, VERDICTS.alpha());
        for ((command, contrast), level) in contrasts.into_iter().zip(levels) {
            let confidence = Confidence::of_alpha(level).unwrap_or(VERDICTS);
            let known = contrast.ratio().zip(contrast.ratio_interval(confidence));
            let Some((ratio, interval)) = known else {
                continue;
            };
            let verdict = contrast.verdict(confidence);
            let open = verdict == Verdict::Undetected;
            let needed = contrast.runs_for_observed(confidence, USUAL_POWER);
            comparisons.push(Comparison {
                command,
                measure,
                confidence,
                ratio,
                interval,
                verdict,
                detectable: contrast.detectable(confidence, USUAL_POWER),
                needed: needed.filter(|_| open),
                contrast,
            });
        }
    }
    comparisons
}

/// Two commands, by the rounds of which both are known.
fn contrast(measure: Measure, base: &CommandRuns, other: &CommandRuns) -> Option<Contrast> {
    let mut values = (Vec::new(), Vec::new());
    for run in &base.runs {
        let pair = other.runs.iter().find(|of| of.round == run.round);
        let pair = pair.and_then(|of| measure.of(of));
        if let Some((a, b)) = measure.of(run).zip(pair) {
            values.0.push(a);
            values.1.push(b);
        }
    }
    Contrast::blocked(&values.0, &values.1)
}
