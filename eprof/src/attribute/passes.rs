//! The two passes over a recording: the first finds the weights, the second
//! charges the energy.

use crate::caveat::Caveat;
use crate::error::Result;
use crate::measurement::Task;
use crate::recording::{Header, IntervalRecord, Samples};
use crate::timeline::{Interval, Timeline};

use super::attribution::Attribution;
use super::first_pass::FirstPass;
use super::ledger::Attributed;
use super::observer::Observer;
use super::settings::Settings;

/// Attributes a whole recording. `observer` is called for each charge, when
/// it is made; `()` ignores them.
///
/// The intervals are streamed twice, so `records` is asked for them twice. It
/// may leave samples out where they are skipped.
///
/// # Errors
///
/// `Usage` where `settings` ask for what the recording does not have;
/// `Internal` if the result does not balance to the microjoule; and whatever
/// error an interval comes with.
pub fn attribute<I>(
    header: &Header,
    tasks: &[Task],
    mut records: impl FnMut(Samples) -> Result<I>,
    settings: &Settings,
    observer: &mut (impl Observer + ?Sized),
) -> Result<Attributed>
where
    I: IntoIterator<Item = Result<IntervalRecord>>,
{
    settings.check(header)?;
    let baselines = settings.baselines(header)?;
    let mut first = FirstPass::new(header, tasks, &baselines);
    stream(header, records(Samples::Skipped)?, |_, intervals| {
        intervals.iter().for_each(|of| first.take(of));
    })?;
    let weighers = first.choose(header, settings.weights);
    let mut attribution = Attribution::new(header, tasks, weighers, &baselines);
    let caveats = stream(header, records(Samples::Read)?, |record, intervals| {
        if let Some(record) = record {
            observer.record(record);
            attribution.count(record);
        }
        let intervals = intervals.iter();
        intervals.for_each(|of| attribution.charge(of, observer));
    })?;
    attribution.finish(caveats, observer)
}

/// Passes on each record with the spans whose energy it makes known, and at
/// the end those whose energy stays unknown.
fn stream(
    header: &Header,
    records: impl IntoIterator<Item = Result<IntervalRecord>>,
    mut take: impl FnMut(Option<&IntervalRecord>, &[Interval]),
) -> Result<Vec<Caveat>> {
    let mut timeline = Timeline::new(header);
    for record in records {
        let record = record?;
        take(Some(&record), &timeline.push(&record));
    }
    let (left, caveats) = timeline.finish();
    take(None, &left);
    Ok(caveats)
}
