//! Which rule shares a meter's energy.

use std::collections::BTreeMap;

use crate::measurement::{Counter, Meter};
use crate::power::{Errors, Signal, Verdict};
use crate::recording::Header;

use super::super::activity::{Consumer, Work};
use super::super::columns::{Columns, Row};
use super::super::ledger::{Rule as RuleName, Weighing};
use super::super::settings::Weights;
use super::super::training_blocks::Block;
use super::design::{self, Design, Fitted};
use super::resolve::{Belief, Expected, resolve};
use super::rule::{Rule, Term};
use super::weigher::Weigher;

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

/// A calibrated model may predict a little worse than time does, as a part of
/// time's error: so much can be noise.
const NOISE: f64 = 1.05;

/// One fitted to the run has to predict blocks that it has not seen better
/// than this: threads that always run side by side fit any weights, and what
/// is then found is noise.
const BETTER: f64 = 0.95;

/// So much likelier (logarithm) must the blocks be if consumers differ from the
/// rule before they are charged accordingly: twenty times, which is called
/// strong evidence (Kass and Raftery, Bayes Factors, 1995).
const CONVINCING: f64 = 3.0;

const WORSE: &str = "on held-out blocks, CPU time predicted better than the model";
const NO_BETTER: &str = "on held-out blocks, the model predicted no better than CPU time";

/// A choice, and what is believed of it.
struct Chosen {
    rule: Rule,
    usual: f64,
    covariance: Vec<f64>,
    applied: bool,
    /// Whether the rule was fitted to these blocks.
    fitted_here: bool,
    weighing: Weighing,
}

/// Chooses the rule for `meter`, whose energy is in `blocks`.
pub(in crate::attribute) fn choose(
    meter: &Meter,
    blocks: &[Block],
    columns: &Columns,
    header: &Header,
    weights: Weights,
) -> Weigher {
    let chosen = rule(meter, blocks, columns, header, weights);
    let times = columns.times();
    let mut gradients: BTreeMap<Consumer, Vec<f64>> = BTreeMap::new();
    let expected: Vec<Expected> = blocks
        .iter()
        .map(|block| {
            let whole = block.whole();
            let unit_energies = chosen.rule.unit_energies(&whole, block.seconds);
            let shares = block.rows.iter().map(|(consumer, row)| {
                let time: f64 = times.iter().map(|&time| row[time]).sum();
                let work = Work {
                    time: time as u64,
                    row: *row,
                };
                if let Rule::Model(terms) = &chosen.rule {
                    let sums = gradients
                        .entry(*consumer)
                        .or_insert_with(|| vec![0.0; terms.len()]);
                    for (sum, term) in sums.iter_mut().zip(terms) {
                        *sum += gradient(term, row, &whole, block.seconds);
                    }
                }
                (*consumer, chosen.rule.energy(&work, &unit_energies))
            });
            Expected {
                energy: block.energy,
                variance: block.variance(),
                shares: shares.collect(),
            }
        })
        .collect();
    let belief = Belief {
        usual: chosen.usual,
        gradients,
        covariance: chosen.covariance,
        fitted_here: chosen.fitted_here,
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

/// The rule, and what is believed of it.
fn rule(
    meter: &Meter,
    blocks: &[Block],
    columns: &Columns,
    header: &Header,
    weights: Weights,
) -> Chosen {
    let cycles = columns.place(&Counter::Cycles.into());
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
            fitted_here: false,
            weighing: Weighing::simple(meter.id, rule, why),
        }
    };
    let fallback = match cycles {
        Some(_) => RuleName::Cycles,
        None => RuleName::Time,
    };
    match weights {
        Weights::Time => return simple(RuleName::Time, "", false),
        Weights::Cycles => return simple(RuleName::Cycles, "", false),
        Weights::Auto | Weights::Model => {}
    }
    let forced = weights == Weights::Model;
    let model = header.models.iter().rfind(|model| model.meter == meter.id);
    if let Some((model, terms)) =
        model.and_then(|model| Some((model, design::saved(model, columns)?)))
    {
        let (held_out, time_share) = Design::new(&terms, blocks, columns).errors();
        if worse(held_out, time_share, NOISE) && !forced {
            let mut chosen = simple(RuleName::Time, WORSE, true);
            chosen
                .weighing
                .score(held_out, time_share, blocks.len() as u64);
            return chosen;
        }
        let names = names(&terms, columns);
        let mut weighing = Weighing::model(meter.id, &names, model.origin.clone());
        weighing.score(held_out, time_share, blocks.len() as u64);
        return Chosen {
            usual: model.residual.clamp(USUAL_BY_MODEL.0, USUAL_BY_MODEL.1),
            covariance: model.covariance.clone(),
            applied: true,
            fitted_here: false,
            weighing,
            rule: Rule::Model(terms),
        };
    }
    if !columns.signals().iter().any(Signal::is_counted) {
        return simple(fallback, "", true);
    }
    let terms = design::linear(columns);
    let Some(Fitted { fit, open }) = Design::new(&terms, blocks, columns)
        .fit()
        .filter(|fitted| fitted.fit.verdict != Verdict::TooFewRows || forced)
    else {
        return simple(fallback, "the run was too short to fit a model", true);
    };
    let (held_out, time_share) = (Some(fit.held_out), Some(fit.time_share));
    if worse(held_out, time_share, BETTER) && !forced {
        let mut chosen = simple(RuleName::Time, NO_BETTER, true);
        chosen.weighing.score(held_out, time_share, fit.rows);
        return chosen;
    }
    let fitted = terms.iter().zip(&fit.terms).map(|(term, fitted)| Term {
        weight: fitted.weight,
        ..*term
    });
    let terms: Vec<Term> = fitted.collect();
    let names = names(&terms, columns);
    let mut weighing = Weighing::model(meter.id, &names, String::new());
    weighing.score(held_out, time_share, fit.rows);
    Chosen {
        rule: Rule::Model(terms),
        usual: USUAL_BY_FIT,
        covariance: open,
        applied: true,
        fitted_here: true,
        weighing,
    }
}

/// Whether a model predicts worse than with `part` of the error of time.
fn worse(model: Option<Errors>, time: Option<Errors>, part: f64) -> bool {
    model
        .zip(time)
        .is_some_and(|(model, time)| model.rmse > part * time.rmse)
}

/// The signals that weigh anything.
fn names(terms: &[Term], columns: &Columns) -> Vec<(Signal, f64)> {
    let named = terms.iter().filter(|term| term.weight > 0.0);
    named
        .filter_map(|term| Some((columns.signals().get(term.column)?.clone(), term.weight)))
        .collect()
}
