//! The whole comparison.

use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::statistics::{Confidence, Contrast, correlation};

use super::caveats;
use super::gate::{Gate, Outcome};
use super::key::{By, Key};
use super::metric::{Metric, MetricChoice};
use super::question::Question;
use super::rows::{Pairing, Row, Table, contrast, row, table, test};
use super::side::{Instructions, Side};
use super::values::Values;

/// Comparing within blocks costs half of the degrees of freedom. It is worth
/// that for so many blocks, and where most of the variance is common to a
/// block. That is decided by how the target's totals correlate, which says
/// nothing of how their means differ; so "changed" stays as sure as it says,
/// but for a tenth of α (`tests/compare/laws.rs`).
const FEWEST_BLOCKS: usize = 8;
const LEAST_CORRELATION: f64 = 0.7;

/// Two sides, compared.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What was compared.
    pub metric: Metric,
    /// Why that and not energy, where nobody asked for it.
    pub why: Option<&'static str>,
    /// How sure "changed" is.
    pub confidence: Confidence,
    /// Whether the runs were interleaved.
    pub interleaved: bool,
    /// Whether they were compared in pairs, because those have much in common.
    pub blocked: bool,
    /// The base, all of it.
    pub base: Side,
    /// The new side.
    pub new: Side,
    /// The target by the metric. Tested by itself.
    pub total: Row,
    /// For energy: the target on the meters of each domain, tested together.
    pub domains: Table,
    /// The target's other figures, not tested: CPU time, energy.
    pub others: Vec<(Metric, Row)>,
    /// The time from start to end, in nanoseconds.
    pub duration: Row,
    /// Commands, threads, functions, functions with callees, stacks.
    pub tables: Vec<Table>,
    /// What is gated, and with what result.
    pub gates: Vec<Gate>,
    /// What makes the comparison less true.
    pub caveats: Vec<Caveat>,
}

impl Difference {
    /// Compares two sides.
    ///
    /// # Errors
    ///
    /// `Data` where a side has no run or not what is asked for, `Usage` where
    /// a gate is asked for that single runs cannot decide.
    pub fn of(base: Side, new: Side, question: &Question) -> Result<Self> {
        let (metric, why) = choose(question.metric, &base, &new);
        check(metric, &base, &new)?;
        let pairing = pairing(metric, &base, &new);
        let runs = (base.runs, new.runs);
        let confidence = question.confidence;
        let whole = |metric: Metric| {
            let values = (base.total(&Key::Target), new.total(&Key::Target));
            row(&Key::Target, metric, values, runs, pairing)
        };
        let mut total = whole(metric);
        test(std::slice::from_mut(&mut total), confidence, 0.0);
        let mut others = Vec::new();
        for other in Metric::ALL {
            let knows = |side: &Side| missing(other, side).is_none();
            if other != metric && knows(&base) && knows(&new) {
                let mut row = whole(other);
                test(std::slice::from_mut(&mut row), confidence, 0.0);
                others.push((other, row));
            }
        }
        let mut domains: Vec<Row> = Vec::new();
        if metric == Metric::Energy {
            let keys: std::collections::BTreeSet<_> = base.domains().chain(new.domains()).collect();
            domains.extend(keys.into_iter().filter_map(|key| {
                // A meter that one side lacks was not read there.
                let values = (base.total(key)?, new.total(key)?);
                Some(row(
                    key,
                    metric,
                    (Some(values.0), Some(values.1)),
                    runs,
                    pairing,
                ))
            }));
        }
        let tested = test(&mut domains, confidence, 0.0);
        let both = total.base + total.new;
        let table = |by| table(by, metric, (&base, &new), both, confidence, pairing);
        let tables = By::ALL.into_iter().map(table).collect();
        let gates = match question.fail_above {
            Some(limit) => Gate::all(limit, metric, &total, (&base, &new), question, pairing)?,
            None => Vec::new(),
        };
        let caveats = caveats::of(metric, &base, &new);
        let duration = duration(&base, &new, confidence, pairing);
        Ok(Self {
            metric,
            why,
            confidence,
            interleaved: base.is_interleaved_with(&new),
            blocked: pairing == Pairing::Blocked,
            total,
            domains: Table {
                by: None,
                rows: domains,
                tested,
            },
            others,
            duration,
            tables,
            gates,
            caveats,
            base,
            new,
        })
    }

    /// The rows of a kind.
    pub fn table(&self, by: By) -> Option<&Table> {
        self.tables.iter().find(|table| table.by == Some(by))
    }

    /// How two rows compare by the metric; not corrected for many rows.
    pub fn contrast(&self, base: &Values, new: &Values) -> Option<Contrast> {
        let pairing = match self.blocked {
            true => Pairing::Blocked,
            false => Pairing::Independent,
        };
        contrast(self.metric, (base, new), pairing)
    }

    /// Whether anything was found to have changed: the target or any row.
    pub fn anything_changed(&self) -> bool {
        let rows = self.tables.iter().flat_map(|table| &table.rows);
        let mut rows = rows.chain(&self.domains.rows).chain([&self.total]);
        rows.any(Row::changed)
    }

    /// Whether a gate was exceeded.
    pub fn exceeded(&self) -> bool {
        let mut gates = self.gates.iter();
        gates.any(|gate| gate.outcome() == Outcome::Exceeded)
    }
}

/// The metric for a choice, and why it is not energy, where that was not asked
/// for.
fn choose(choice: MetricChoice, base: &Side, new: &Side) -> (Metric, Option<&'static str>) {
    match choice {
        MetricChoice::Energy => (Metric::Energy, None),
        MetricChoice::CpuTime => (Metric::CpuTime, None),
        MetricChoice::Instructions => (Metric::Instructions, None),
        MetricChoice::Auto if !base.energy || !new.energy => {
            (Metric::CpuTime, Some("some run has no known energy"))
        }
        MetricChoice::Auto if base.estimated || new.estimated => (
            Metric::CpuTime,
            Some("energy was not measured, only estimated from CPU time"),
        ),
        MetricChoice::Auto => (Metric::Energy, None),
    }
}

/// What runs of a side lack to be compared by `metric`.
fn missing(metric: Metric, side: &Side) -> Option<&'static str> {
    match metric {
        Metric::Energy => (!side.energy).then_some("known energy"),
        Metric::CpuTime => None,
        Metric::Instructions => match side.instructions {
            Instructions::Counted => None,
            Instructions::Distrusted => Some("instructions that were counted all the time"),
            Instructions::Absent => Some("counted instructions"),
        },
    }
}

fn check(metric: Metric, base: &Side, new: &Side) -> Result<()> {
    for (side, name) in [(base, "base"), (new, "new")] {
        let sentence = match missing(metric, side) {
            _ if side.runs == 0 => format!("the {name} side has no recordings"),
            Some(missing) => format!("not all runs of the {name} side have {missing}"),
            None => continue,
        };
        return Err(Error::new(ErrorKind::Data, sentence).hint(match metric {
            Metric::Instructions => {
                "record with eprof run --counters all, on a processor that counts them; \
                 or choose --metric cpu-time"
            }
            _ => "choose --metric cpu-time",
        }));
    }
    Ok(())
}

/// Whether runs are compared in blocks.
fn pairing(metric: Metric, base: &Side, new: &Side) -> Pairing {
    let total = |side: &Side| side.total(&Key::Target).map(|of| of.of(metric).to_vec());
    let together = total(base).zip(total(new));
    let together = together.and_then(|(base, new)| correlation(&base, &new));
    let worth = together.is_some_and(|r| r >= LEAST_CORRELATION);
    match worth && base.runs >= FEWEST_BLOCKS && base.is_interleaved_with(new) {
        true => Pairing::Blocked,
        false => Pairing::Independent,
    }
}

fn duration(base: &Side, new: &Side, confidence: Confidence, pairing: Pairing) -> Row {
    let (old, fresh) = (
        Values::alike(&base.durations),
        Values::alike(&new.durations),
    );
    let runs = (base.runs, new.runs);
    let values = (Some(&old), Some(&fresh));
    let mut row = row(&Key::Target, Metric::CpuTime, values, runs, pairing);
    test(std::slice::from_mut(&mut row), confidence, 0.0);
    row
}
