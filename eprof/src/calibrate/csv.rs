//! Rows that somebody else measured: `--from FILE.csv`.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::findings::{Chosen, MeterFindings, Model, Refusal};
use crate::error::{Error, ErrorKind, Result};
use crate::measurement::Counter;
use crate::power::{Row, SHAPED, Signal, contiguous};

/// Contiguous parts of the file that are held out in turn: rows that follow
/// each other are alike, so that rows picked at random would flatter.
const BLOCKS: usize = 10;

/// What to take from a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The column of power in watts; `None` to look for one by name.
    pub target: Option<String>,
    /// Signals and their columns; empty to look for them by name.
    pub signals: Vec<(Signal, String)>,
    /// Seconds in which the signals of a row were counted.
    pub row_seconds: f64,
}

/// Names under which tools write power, in the order of preference.
const TARGETS: [&str; 7] = [
    "package_power",
    "pkg_power",
    "power/energy-pkg/",
    "power_w",
    "watts",
    "power",
    "package",
];

/// Names under which tools write signals.
fn known() -> [(Signal, &'static [&'static str]); 5] {
    [
        (
            Signal::Time(String::new()),
            &[
                "bpf_cpu_time_us",
                "bpf_cpu_time_ms",
                "cpu_time_us",
                "cpu_time_ms",
                "cpu_time_ns",
                "cpu_time_s",
                "cpu_time",
                "task-clock",
                "time",
            ],
        ),
        (
            Counter::Cycles.into(),
            &["cpu_cycles", "cpu-cycles", "cycles"],
        ),
        (
            Counter::ReferenceCycles.into(),
            &[
                "cpu_ref_cycles",
                "ref-cycles",
                "ref_cycles",
                "reference-cycles",
            ],
        ),
        (
            Counter::Instructions.into(),
            &["cpu_instructions", "cpu_instr", "instructions"],
        ),
        (
            Counter::CacheMisses.into(),
            &[
                "cache_miss",
                "cache_misses",
                "cache-misses",
                "llc_misses",
                "LLC-load-misses",
            ],
        ),
    ]
}

/// The rows of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The column of power.
    pub target: String,
    /// The columns of the rows, and their names in the file.
    pub signals: Vec<(Signal, String)>,
    /// The rows, in contiguous folds.
    pub rows: Vec<Row>,
}

impl Table {
    /// Reads `columns` of the file at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] or [`ErrorKind::Permission`] where it cannot be
    /// read; [`ErrorKind::Data`], with the line, where it is not a table of
    /// numbers; [`ErrorKind::Usage`] where it lacks a column.
    pub fn read(path: &Path, columns: &Columns) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|error| Error::io("read", path, &error))?;
        let name = path.display().to_string();
        let mut reader = ReaderBuilder::new()
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(file);
        let header = reader
            .headers()
            .map_err(|error| bad(&name, &error))?
            .clone();
        let (target, signals) = columns.resolve(&header, &name)?;
        let position = |column: &str| header.iter().position(|one| one == column).unwrap_or(0);
        let power = position(&target);
        let positions: Vec<(usize, f64)> = signals
            .iter()
            .map(|(signal, column)| (position(column), unit(signal, column) / columns.row_seconds))
            .collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| bad(&name, &error))?;
            let value = |at: usize| number(&record, at, &header, &name);
            let rate = |(at, scale): &(usize, f64)| {
                let count = value(*at)?;
                if count < 0.0 {
                    return Err(wrong(&record, *at, &header, &name, "which is negative"));
                }
                Ok(count * scale)
            };
            rows.push(Row {
                x: positions.iter().map(rate).collect::<Result<_>>()?,
                y: value(power)?,
                weight: 1.0,
                fold: 0,
            });
        }
        if rows.is_empty() {
            return Err(Error::new(ErrorKind::Data, format!("{name} has no rows")));
        }
        contiguous(&mut rows, BLOCKS);
        Ok(Self {
            target,
            signals,
            rows,
        })
    }

    /// The fit of its rows. The columns are the user's choice: one that says
    /// nothing is a reason to refuse.
    pub fn findings(&self) -> MeterFindings {
        let signals: Vec<Signal> = self
            .signals
            .iter()
            .map(|(signal, _)| signal.clone())
            .collect();
        let model = Model::fit(&self.rows, &signals, Chosen::ByUser, "block", SHAPED);
        let refused = match &model {
            Some(model) => model.refusal(),
            None => Some(Refusal {
                why: format!(
                    "there are too few rows of {}: {}",
                    self.target,
                    self.rows.len()
                ),
                hint: "give more rows".to_owned(),
            }),
        };
        MeterFindings {
            name: self.target.clone(),
            domain: None,
            cpus: None,
            idle: model
                .as_ref()
                .map(|model| (model.fit.intercept, model.fit.intercept_sd)),
            model,
            refused,
        }
    }
}

impl Columns {
    /// The columns in a file with this header.
    fn resolve(
        &self,
        header: &StringRecord,
        name: &str,
    ) -> Result<(String, Vec<(Signal, String)>)> {
        let has = |column: &str| header.iter().any(|one| one == column);
        let lacks = |what: String, hint: &str| {
            let all: Vec<&str> = header.iter().collect();
            Error::new(ErrorKind::Usage, format!("{name} has no {what}"))
                .hint(format!("{hint}; its columns: {}", all.join(", ")))
        };
        let target = match &self.target {
            Some(target) if has(target) => target.clone(),
            Some(target) => {
                return Err(lacks(format!("column {target}"), "choose another --target"));
            }
            None => TARGETS
                .into_iter()
                .find(|column| has(column))
                .ok_or_else(|| {
                    lacks(
                        "column that is power by its name".into(),
                        "name it with --target",
                    )
                })?
                .to_owned(),
        };
        if let Some((_, column)) = self.signals.iter().find(|(_, column)| !has(column)) {
            return Err(lacks(
                format!("column {column}"),
                "choose others with --signals",
            ));
        }
        if !self.signals.is_empty() {
            return Ok((target, self.signals.clone()));
        }
        let found: Vec<(Signal, String)> = known()
            .into_iter()
            .filter_map(|(signal, names)| {
                let column = names
                    .iter()
                    .find(|column| has(column) && **column != target)?;
                Some((signal, (*column).to_owned()))
            })
            .collect();
        if found.is_empty() {
            let what = "column that is a signal by its name".into();
            return Err(lacks(what, "name them with --signals cycles=COLUMN,…"));
        }
        Ok((target, found))
    }
}

/// What a count of a column is in units of its signal: time is written in many
/// units, which names end with.
fn unit(signal: &Signal, column: &str) -> f64 {
    let is_time = signal.is_time();
    match column.rsplit(['_', '-']).next() {
        Some("s" | "seconds") if is_time => 1e9,
        // perf stat writes milliseconds.
        Some("ms" | "clock") if is_time => 1e6,
        Some("us") if is_time => 1e3,
        _ => 1.0,
    }
}

fn number(record: &StringRecord, at: usize, header: &StringRecord, name: &str) -> Result<f64> {
    let value = record.get(at).and_then(|text| text.parse::<f64>().ok());
    value
        .filter(|value| value.is_finite())
        .ok_or_else(|| wrong(record, at, header, name, "which is not a number"))
}

fn wrong(record: &StringRecord, at: usize, header: &StringRecord, name: &str, why: &str) -> Error {
    let line = record.position().map_or(0, csv::Position::line);
    let column = header.get(at).unwrap_or_default();
    let text: String = record
        .get(at)
        .unwrap_or_default()
        .chars()
        .take(40)
        .collect();
    Error::new(
        ErrorKind::Data,
        format!(
            "{name}, line {line}: {column} is “{}”, {why}",
            text.escape_debug()
        ),
    )
    .hint("correct or remove the line")
}

fn bad(name: &str, error: &csv::Error) -> Error {
    let kind = match error.kind() {
        csv::ErrorKind::Io(_) => ErrorKind::Input,
        _ => ErrorKind::Data,
    };
    let line = error.position().map_or(0, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} fields where the header has {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "text that is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Error::new(kind, format!("{name}, line {line}: {what}")).hint("correct or remove the line")
}
