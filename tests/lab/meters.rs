//! What the meters said against the truth.

use std::collections::{BTreeMap, BTreeSet};

use eprof::measurement::{Domain, Meter, MeterId, Scope};
use eprof::recording::{RecordingFile, Samples};
use eprof::timeline::{Interval, Timeline};

use super::{Column, Figure, Run};

/// The time between two updates of the registers, in nanoseconds.
const UPDATE: u64 = 1_003_100;

/// eprof is sure of an interval whose energy it says it knows to this part.
const SURE: f64 = 0.02;

/// What a meter said in all.
#[derive(Debug, Default)]
struct Total {
    truth: f64,
    ns: u64,
    /// Microjoules beyond the truth.
    off: f64,
    /// Where what was measured begins or ends.
    ends: BTreeSet<u64>,
}

/// A meter's package, and its domain as [`crate::truth::Truth::between`] counts them.
fn place(meter: &Meter) -> (usize, usize) {
    let domain = match meter.domain {
        Domain::Core => 0,
        Domain::Package => 1,
        Domain::Dram => 2,
        other => panic!("no such hardware: {other:?}"),
    };
    let Scope::Package(package) = meter.scope else {
        panic!("no such hardware: {:?}", meter.scope);
    };
    (package as usize, domain)
}

impl Run<'_> {
    /// What each meter said of each stretch of time: package, domain, stretch.
    fn stretches(&self) -> Vec<(usize, usize, Interval)> {
        let file = RecordingFile::open(&self.directory.join("eprof.data")).unwrap();
        let header = &file.catalog.header;
        let mut timeline = Timeline::new(header);
        let mut stretches = Vec::new();
        for record in file.intervals(Samples::Read).unwrap() {
            stretches.extend(timeline.push(&record.unwrap()));
        }
        stretches.extend(timeline.finish().0);
        let placed = |stretch: Interval| {
            let mut meters = header.meters.iter();
            let meter = meters.find(|meter| meter.id == stretch.meter).unwrap();
            let (package, domain) = place(meter);
            (package, domain, stretch)
        };
        stretches.into_iter().map(placed).collect()
    }

    /// The truth about a stretch, and what the meter said, in microjoules.
    fn pair(&self, (package, domain, stretch): &(usize, usize, Interval)) -> Option<(f64, f64)> {
        let (begin, end) = (stretch.begin.0, stretch.end.0);
        let truth = self.truth.between(*package, *domain, begin, end);
        Some((truth, stretch.energy?.0 as f64))
    }

    /// What was drawn between the boundary and the first and the last reading of each
    /// meter, where that is longer than an update, in microjoules: where a socket was
    /// not let in, its value is of another moment than the others' are.
    fn vague(&self) -> BTreeMap<(usize, usize), f64> {
        let file = RecordingFile::open(&self.directory.join("eprof.data")).unwrap();
        let meters = file.catalog.header.meters.clone();
        let mut taken: BTreeMap<MeterId, Vec<(u64, u64)>> = BTreeMap::new();
        for record in file.intervals(Samples::Skipped).unwrap() {
            let record = record.unwrap();
            for reading in &record.readings {
                let begin = reading.begin.min(record.end);
                let end = reading.end.max(record.end);
                let taken = taken.entry(reading.meter).or_default();
                taken.push((begin.0, end.0));
            }
        }
        let mut vague = BTreeMap::new();
        for meter in &meters {
            let place = place(meter);
            let of = taken.get(&meter.id).map_or(&[][..], Vec::as_slice);
            let ends = of.first().into_iter().chain(of.last());
            let long = ends.filter(|(begin, end)| end - begin > UPDATE);
            let drawn =
                long.map(|(begin, end)| self.truth.between(place.0, place.1, begin + UPDATE, *end));
            vague.insert(place, drawn.sum());
        }
        vague
    }

    /// Meters' totals. An update is worth what was drawn in one on the mean or
    /// at the ends of what was measured, where eprof itself begins and ends.
    pub(super) fn meter(&self) -> Figure {
        let vague = self.vague();
        let mut totals: BTreeMap<(usize, usize), Total> = BTreeMap::new();
        for stretch in self.stretches() {
            if let Some((truth, said)) = self.pair(&stretch) {
                let (package, domain, stretch) = stretch;
                let total = totals.entry((package, domain)).or_default();
                total.off += said - truth;
                total.truth += truth;
                total.ns += stretch.end.since(stretch.begin).0;
                for at in [stretch.begin.0, stretch.end.0] {
                    // An end of a stretch where no other begins, or the reverse.
                    if !total.ends.remove(&at) {
                        total.ends.insert(at);
                    }
                }
            }
        }
        let updates = totals.iter().map(|((package, domain), total)| {
            let around = total.ends.iter().map(|at| {
                let (before, after) = (at - UPDATE, at + UPDATE);
                self.truth.between(*package, *domain, before, after) / 2.0
            });
            let mean = total.truth / total.ns as f64 * UPDATE as f64;
            let update = around.fold(mean, f64::max);
            let vague = vague[&(*package, *domain)];
            let off = (total.off.abs() - vague).max(0.0);
            let said = match vague > 0.0 {
                true => format!(", {:.1} more while it was read", vague / update),
                false => String::new(),
            };
            (off / update, format!("S{package} domain {domain}{said}"))
        });
        let worst = updates.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let (value, note) = worst.expect("a meter");
        Figure {
            column: Column::Meter,
            value: value.abs(),
            bound: Some(1.0),
            note,
        }
    }

    /// The errors of single intervals of the package. Where the emulator let
    /// eprof in late, nobody can know an interval better than eprof's own
    /// standard deviation says; what it is sure of, it must know.
    pub(super) fn timing(&self) -> [Figure; 3] {
        let stretches = self.stretches();
        let mut before = 0.0;
        let (mut sure, mut deviations) = (Vec::new(), Vec::new());
        for stretch in stretches.iter().filter(|stretch| stretch.1 == 1) {
            let end = stretch.2.boundary.sd;
            let sd = f64::hypot(before, end);
            before = end;
            let Some((truth, said)) = self.pair(stretch) else {
                continue;
            };
            deviations.push((said - truth) / sd);
            if sd <= SURE * truth {
                sure.push((said / truth - 1.0) * 100.0);
            }
        }
        let all = deviations.len() as f64;
        let mean = sure.iter().sum::<f64>() / sure.len() as f64;
        let squares = sure.iter().map(|error| (error - mean).powi(2));
        let sd = (squares.sum::<f64>() / (sure.len() as f64 - 1.0)).sqrt();
        let own = deviations.iter().map(|error| error.powi(2)).sum::<f64>();
        let figure = |column, value, bound, note| Figure {
            column,
            value,
            bound: Some(bound),
            note,
        };
        let of = format!("{} of {all} intervals, mean {mean:+.2} %", sure.len());
        [
            figure(Column::Timing, sd, 1.0, of),
            figure(Column::Deviations, (own / all).sqrt(), 1.5, String::new()),
            figure(
                Column::Unsure,
                (1.0 - sure.len() as f64 / all) * 100.0,
                50.0,
                String::new(),
            ),
        ]
    }
}
