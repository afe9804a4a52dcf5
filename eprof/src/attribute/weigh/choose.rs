//! Which rule shares a meter's energy.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};

use crate::kernel::Counter;
use crate::power::{
    self, Accumulator, ErrorSum, Errors, Fit, PowerModel, Prior, Shape, Signal, Verdict,
};
use crate::recording::Header;
use crate::source::Meter;

use super::super::activity::{Payer, Work};
use super::super::columns::{Columns, Row};
use super::super::ledger::{Rule as RuleName, Weighing};
use super::super::settings::{Settings, Weights};
use super::super::survey::Block;
use super::Weigher;
use super::resolve::{Belief, Expected, resolve};
use super::rule::{Rule, Term};

/// How much the power of a thread per CPU second usually differs from that of
/// another (standard deviation of the logarithm), where nothing is counted:
/// functions of one program were found to take 2 to 14 W.
const USUAL_BY_TIME: f64 = 0.45;
/// The same per cycle.
const USUAL_BY_CYCLES: f64 = 0.3;
/// The same beside a model that was fitted to this run alone.
const USUAL_BY_FIT: f64 = 0.12;
/// The least and the most that is believed of a calibrated model.
const USUAL_BY_MODEL: (f64, f64) = (0.015, 0.3);

/// A model may predict blocks it has not seen a little worse than time does:
/// so much can be noise.
const NOISE: f64 = 1.05;

/// So much likelier (logarithm) must the blocks be if payers differ from the
/// rule before anybody is charged accordingly: twenty times, which is called
/// strong evidence (Kass and Raftery, Bayes Factors, 1995).
const CONVINCING: f64 = 3.0;

const WORSE: &str = "the model predicted blocks that it had not seen worse than CPU time did";

/// Errors of neighbouring blocks are alike, so that blocks tell as much less
/// than independent ones would.
const CLUSTERS: f64 = 2.0;

/// A choice, and what is believed of it.
struct Chosen {
    rule: Rule,
    usual: f64,
    covariance: Vec<f64>,
    applied: bool,
    /// Whether the blocks had a say in the rule.
    heard: bool,
    weighing: Weighing,
}

/// Chooses the rule for `meter`, of whose energy `blocks` tell.
pub(crate) fn choose(
    meter: &Meter,
    blocks: &[Block],
    columns: &Columns,
    header: &Header,
    settings: &Settings,
) -> Weigher {
    let chosen = rule(meter, blocks, columns, header, settings);
    let times = columns.times();
    let mut gradients: BTreeMap<Payer, Vec<f64>> = BTreeMap::new();
    let expected: Vec<Expected> = blocks
        .iter()
        .map(|block| {
            let whole = block.whole();
            let prices = chosen.rule.prices(&whole, block.seconds);
            let shares = block.rows.iter().map(|(payer, row)| {
                let time: f64 = times.iter().map(|&time| row[time]).sum();
                let work = Work {
                    time: time as u64,
                    row: *row,
                };
                if let Rule::Model(terms) = &chosen.rule {
                    let sums = gradients
                        .entry(*payer)
                        .or_insert_with(|| vec![0.0; terms.len()]);
                    for (sum, term) in sums.iter_mut().zip(terms) {
                        *sum += gradient(term, row, &whole, block.seconds);
                    }
                }
                (*payer, chosen.rule.energy(&work, &prices))
            });
            Expected {
                energy: block.energy,
                shares: shares.collect(),
            }
        })
        .collect();
    let belief = Belief {
        usual: chosen.usual,
        gradients,
        covariance: chosen.covariance,
        heard: chosen.heard,
    };
    let factors = resolve(&expected, &belief).unwrap_or_default();
    Weigher {
        rule: chosen.rule,
        applied: chosen.applied && factors.gain > CONVINCING,
        factors,
        weighing: chosen.weighing,
    }
}

/// Joules of `row` per watt of a term's weight.
fn gradient(term: &Term, row: &Row, whole: &Row, seconds: f64) -> f64 {
    let all = whole[term.column];
    if all <= 0.0 || seconds <= 0.0 {
        return 0.0;
    }
    term.shape.of(all / seconds) * seconds * row[term.column] / all
}

fn rule(
    meter: &Meter,
    blocks: &[Block],
    columns: &Columns,
    header: &Header,
    settings: &Settings,
) -> Chosen {
    let cycles = columns.place(&Signal::Count(Counter::Cycles));
    let simple = |rule: RuleName, why: &str, applied: bool| {
        let (rule_, usual) = match (rule, cycles) {
            (RuleName::Cycles, Some(cycles)) => (Rule::Column(cycles), USUAL_BY_CYCLES),
            _ => (Rule::Time, USUAL_BY_TIME),
        };
        Chosen {
            rule: rule_,
            usual,
            covariance: Vec::new(),
            applied,
            heard: false,
            weighing: Weighing::simple(meter.id, rule, why),
        }
    };
    let fallback = match cycles {
        Some(_) => RuleName::Cycles,
        None => RuleName::Time,
    };
    match settings.weights {
        Weights::Time => return simple(RuleName::Time, "", false),
        Weights::Cycles => return simple(RuleName::Cycles, "", false),
        Weights::Auto | Weights::Model => {}
    }
    let saved = header.models.iter().rfind(|model| model.meter == meter.id);
    let design = match saved.map(|model| terms_of(model, columns)) {
        Some(Some(terms)) => terms,
        _ if columns
            .signals()
            .iter()
            .any(|signal| matches!(signal, Signal::Count(_))) =>
        {
            linear(columns)
        }
        _ => return simple(fallback, "", true),
    };
    let saved = saved.filter(|model| terms_of(model, columns).is_some());
    let forced = settings.weights == Weights::Model;
    if let Some(saved) = saved {
        let (held_out, time_share) = as_saved(blocks, &design, columns);
        if worse(held_out, time_share) && !forced {
            let mut chosen = simple(RuleName::Time, WORSE, true);
            chosen.weighing.errors(held_out, time_share, blocks.len());
            return chosen;
        }
        let names = design_names(&design, columns);
        let mut weighing = Weighing::model(meter.id, &names, saved.origin.clone());
        weighing.errors(held_out, time_share, blocks.len());
        return Chosen {
            usual: saved.residual.clamp(USUAL_BY_MODEL.0, USUAL_BY_MODEL.1),
            covariance: saved.covariance.clone(),
            applied: true,
            heard: false,
            weighing,
            rule: Rule::Model(design),
        };
    }
    match fit(blocks, &design, columns) {
        Some(fit) if fit.verdict != Verdict::TooFewRows || forced => {
            let held_out = Some(fit.held_out);
            if worse(held_out, Some(fit.time_share)) && !forced {
                let mut chosen = simple(RuleName::Time, WORSE, true);
                chosen.weighing.score(&fit);
                return chosen;
            }
            let open = open(blocks, &design, columns, fit.held_out.rmse);
            fitted(meter, &design, &fit, columns, open)
        }
        _ => simple(fallback, "the run was too short to fit a model", true),
    }
}

/// Whether a model predicts worse than time does, by more than noise.
fn worse(model: Option<Errors>, time: Option<Errors>) -> bool {
    model
        .zip(time)
        .is_some_and(|(model, time)| model.rmse > NOISE * time.rmse)
}

/// Errors of a model as it was saved, and of CPU time, in watts. The model has
/// seen none of the blocks; both are scaled to the run's energy, as sharing does.
fn as_saved(
    blocks: &[Block],
    terms: &[Term],
    columns: &Columns,
) -> (Option<Errors>, Option<Errors>) {
    let times = columns.times();
    let rates = blocks
        .iter()
        .filter(|block| block.seconds > 0.0)
        .map(|block| {
            let whole = block.whole();
            let power: f64 = terms
                .iter()
                .map(|term| term.weight * term.shape.of(whole[term.column] / block.seconds))
                .sum();
            let time = times.iter().map(|&time| whole[time]).sum::<f64>() / block.seconds;
            (block, power, time)
        });
    let rates: Vec<_> = rates.collect();
    let energy: f64 = blocks.iter().map(|block| block.energy).sum();
    let errors = |pick: &dyn Fn(&(&Block, f64, f64)) -> f64| {
        let whole: f64 = rates.iter().map(|of| pick(of) * of.0.seconds).sum();
        let mut errors = ErrorSum::default();
        for of in rates.iter().filter(|_| whole > 0.0) {
            let power = of.0.energy / of.0.seconds;
            errors.push(power, pick(of) * energy / whole, of.0.seconds);
        }
        errors.errors()
    };
    (errors(&|of| of.1), errors(&|of| of.2))
}

/// The choice of a model that was fitted to the run.
fn fitted(
    meter: &Meter,
    design: &[Term],
    fit: &Fit,
    columns: &Columns,
    covariance: Vec<f64>,
) -> Chosen {
    let terms: Vec<Term> = design
        .iter()
        .zip(&fit.terms)
        .map(|(term, fitted)| Term {
            weight: fitted.weight,
            ..*term
        })
        .collect();
    let names = design_names(&terms, columns);
    let mut weighing = Weighing::model(meter.id, &names, String::new());
    weighing.score(fit);
    Chosen {
        rule: Rule::Model(terms),
        usual: USUAL_BY_FIT,
        covariance,
        applied: true,
        heard: true,
        weighing,
    }
}

/// The terms of a saved model, if the recording has all their signals.
fn terms_of(model: &PowerModel, columns: &Columns) -> Option<Vec<Term>> {
    let terms = model.terms.iter().map(|term| {
        Some(Term {
            column: columns.place(&term.signal)?,
            shape: term.shape,
            weight: term.weight,
        })
    });
    terms.collect()
}

/// One straight term for each signal that takes energy all the time. What a
/// wakeup or a migration costs is too little to be told from noise by a run;
/// only a calibration knows it.
fn linear(columns: &Columns) -> Vec<Term> {
    let steady = |signal: &Signal| !matches!(signal, Signal::Wakeups | Signal::Migrations);
    let places = columns.signals().iter().enumerate();
    places
        .filter(|(_, signal)| steady(signal))
        .map(|(column, _)| Term {
            column,
            shape: Shape::Linear,
            weight: 0.0,
        })
        .collect()
}

fn design_names(terms: &[Term], columns: &Columns) -> Vec<(Signal, f64)> {
    let named = terms.iter().filter(|term| term.weight > 0.0);
    named
        .filter_map(|term| Some((columns.signals().get(term.column)?.clone(), term.weight)))
        .collect()
}

/// Fits the weights of `design` to the blocks.
fn fit(blocks: &[Block], design: &[Term], columns: &Columns) -> Option<Fit> {
    let rows = design_rows(blocks, design, columns);
    let settings = power::Settings {
        prior: Some(prior(&rows, design, columns)?),
        ..power::Settings::above_idle(vec![design.len()])
    };
    let mut accumulator = Accumulator::new(design.len() + 1, settings);
    for (row, block) in &rows {
        accumulator.push(row, block.energy / block.seconds, block.seconds);
    }
    accumulator.fit()
}

/// The blocks as rows of the design, and CPU time after its columns.
fn design_rows<'a>(
    blocks: &'a [Block],
    design: &[Term],
    columns: &Columns,
) -> Vec<(Vec<f64>, &'a Block)> {
    let times = columns.times();
    let row = |block: &Block| -> Vec<f64> {
        let whole = block.whole();
        let shaped = design
            .iter()
            .map(|term| term.shape.of(whole[term.column] / block.seconds));
        // What the model has to beat; a column apart, as the design need not
        // hold time.
        let time = times.iter().map(|&time| whole[time]).sum::<f64>() / block.seconds;
        shaped.chain([time]).collect()
    };
    let sound = blocks.iter().filter(|block| block.seconds > 0.0);
    sound.map(|block| (row(block), block)).collect()
}

/// What the run leaves open of the weights, given what is known beforehand: their
/// covariance, row by row. `error` is that of the model on blocks it has not
/// seen, in watts. (The strength that the fit gave to its prior does not count:
/// it was chosen to predict power, not to say what is known.)
fn open(blocks: &[Block], design: &[Term], columns: &Columns, error: f64) -> Vec<f64> {
    let n = design.len();
    let rows = design_rows(blocks, design, columns);
    let Some(prior) = prior(&rows, design, columns) else {
        return Vec::new();
    };
    let mut precision = DMatrix::<f64>::identity(n, n);
    let variance = error.powi(2).max(f64::MIN_POSITIVE) * CLUSTERS;
    for (row, _) in &rows {
        let scaled = DVector::from_fn(n, |at, _| row[at] * prior.sd[at]);
        precision += &scaled * scaled.transpose() / variance;
    }
    let Some(solved) = precision.cholesky() else {
        return Vec::new();
    };
    let inverse = solved.inverse();
    (0..n * n)
        .map(|at| inverse[(at / n, at % n)] * prior.sd[at / n] * prior.sd[at % n])
        .collect()
}

/// What is known of the weights before the run is looked at: that cycles (or
/// time) explain all of the energy, give or take that each signal may explain
/// half of it.
fn prior(rows: &[(Vec<f64>, &Block)], design: &[Term], columns: &Columns) -> Option<Prior> {
    let energy: f64 = rows.iter().map(|(_, block)| block.energy).sum();
    let sums: Vec<f64> = (0..=design.len())
        .map(|at| {
            rows.iter()
                .map(|(row, block)| row[at] * block.seconds)
                .sum()
        })
        .collect();
    if energy.is_nan() || energy <= 0.0 {
        return None;
    }
    let whole = |at: usize| {
        if sums[at] > 0.0 {
            energy / sums[at]
        } else {
            1e-12
        }
    };
    let n = design.len();
    let (mut mean, mut sd) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    // The last column only serves as the model to beat.
    sd[n] = whole(n) * 1e-6;
    for (at, sd) in sd.iter_mut().enumerate().take(n) {
        *sd = whole(at) * 0.5;
    }
    let cycles = columns.place(&Signal::Count(Counter::Cycles));
    let leading = design.iter().position(|term| Some(term.column) == cycles);
    let leading = leading.filter(|&at| sums[at] > 0.0).unwrap_or(0);
    mean[leading] = whole(leading);
    Some(Prior { mean, sd })
}
