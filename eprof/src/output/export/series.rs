//! Energy over time: a CSV row (RFC 4180) per meter and interval.
//!
//! The accounts of a row add up to `meter_uj`, and a column's sum over a
//! meter's rows is that account in the report, both to the microjoule. Time in
//! which a meter's energy is unknown has no row. Recordings that were merged
//! follow each other, told apart by `host`, `rank` and `file`.

use std::borrow::Cow;
use std::io::{self, Write};

use super::super::format::sanitize::cell;
use crate::attribute::{Account, ChargedSpan};
use crate::measurement::{Counter, Event};
use crate::recording::Header;
use crate::recording::merged::Labels;

/// The columns; energies in microjoules, times in nanoseconds since the start.
/// Activity is the target's on the CPUs of the meter; a counter that was not
/// read is empty.
const HEAD: [&str; 28] = [
    "begin_ns",
    "end_ns",
    "meter",
    "domain",
    "nested",
    "provenance",
    "meter_uj",
    "target_uj",
    "other_uj",
    "kernel_uj",
    "eprof_uj",
    "idle_uj",
    "unattributed_uj",
    "target_above_idle_uj",
    "watts",
    "target_cpu_ns",
    "busy_cpu_ns",
    "wakeups",
    "migrations",
    "cycles",
    "reference_cycles",
    "instructions",
    "cache_misses",
    "samples",
    "threads",
    "host",
    "rank",
    "file",
];

/// Writes rows as they come.
pub struct Series<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> Series<W> {
    /// Begins with the names of the columns.
    ///
    /// # Errors
    ///
    /// The error of `out`.
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        out.write_record(HEAD)?;
        Ok(Self { out })
    }

    /// Writes the row of a span.
    ///
    /// # Errors
    ///
    /// The error of the output.
    pub fn push(
        &mut self,
        header: &Header,
        labels: &Labels,
        span: &ChargedSpan<'_>,
    ) -> io::Result<()> {
        let interval = span.interval;
        let Some((meter, energy)) = header
            .meters
            .get(usize::from(interval.meter.0))
            .zip(interval.energy)
        else {
            return Ok(());
        };
        let target = span.target();
        let busy: u64 = interval.cpus.iter().map(|of| of.busy().0).sum();
        let charged = |account| span.charged(account).with_idle.0.to_string();
        let counted = |counter: Counter| match header.counts(counter) {
            true => target[counter].to_string(),
            false => String::new(),
        };
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let length = interval.end.since(interval.begin);
        let samples: u64 = interval.samples.iter().map(|of| u64::from(of.count)).sum();
        let watts = energy.over(length);
        let fields: [String; HEAD.len()] = [
            interval.begin.since(header.started).0.to_string(),
            interval.end.since(header.started).0.to_string(),
            meter.name.clone(),
            meter.domain.name().to_owned(),
            meter.nested.to_string(),
            meter.provenance.name().to_owned(),
            energy.0.to_string(),
            charged(Account::Target),
            charged(Account::Other),
            charged(Account::Kernel),
            charged(Account::Eprof),
            charged(Account::Idle),
            charged(Account::Unattributed),
            span.charged(Account::Target).above_idle.0.to_string(),
            watts
                .map(|watts| format!("{:.3}", watts.0))
                .unwrap_or_default(),
            target.on_cpu.0.to_string(),
            busy.to_string(),
            target[Event::Wakeups].to_string(),
            target[Event::Migrations].to_string(),
            counted(Counter::Cycles),
            counted(Counter::ReferenceCycles),
            counted(Counter::Instructions),
            counted(Counter::CacheMisses),
            samples.to_string(),
            span.threads().count().to_string(),
            header.host.clone(),
            label("rank"),
            label("file"),
        ];
        let fields = fields.iter().map(|field| cell(field));
        Ok(self.out.write_record(fields.map(Cow::into_owned))?)
    }

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// The error of the output.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
