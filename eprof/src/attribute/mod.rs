//! Attribution: the energy of each interval is charged to accounts, threads
//! and stacks.
//!
//! Pure, and conserving in integer microjoules: per meter,
//! target + other + kernel + eprof + idle + unattributed = what the meter
//! said, for both prices; Σ threads = target; Σ stacks = target.

//!
//! ```text
//!   IntervalRecord ─► Timeline ─► Interval ─► Look ─►  Weigher      (first time)
//!   IntervalRecord ─► Timeline ─► Interval ─► Attribution::charge ─┐ (second time)
//!                └──────────────────────────► Attribution::count  ─┴─► Attributed
//! ```

mod activity;
mod attribution;
mod caveats;
mod check;
mod columns;
mod counts;
mod first_pass;
mod idle;
pub mod ledger;
mod meter_accounts;
mod observer;
mod places;
mod pool;
mod process;
mod sampled;
mod settings;
mod span;
mod training_blocks;
pub mod uncertainty;
mod weigh;

pub use attribution::Attribution;
pub use check::check;
pub use ledger::{
    Account, Attributed, CpuCharge, Energy, HalfWidth, Ledger, MeterLedger, ProcessCharge, Rule,
    StackCharge, ThreadCharge, Weighing,
};
pub use process::{Processes, UNNAMED};
pub use settings::{Settings, Weights};

pub use observer::Observer;
pub use span::ChargedSpan;

use crate::caveat::Caveat;
use crate::error::Result;
use crate::measurement::Task;
use crate::recording::{Header, IntervalRecord, Samples};
use crate::timeline::{Interval, Timeline};
use first_pass::FirstPass;

/// Attributes a whole recording. Its intervals are streamed twice, so `records`
/// is asked for them twice: weights are found first, then everybody is charged.
///
/// # Errors
///
/// `Usage` where `settings` ask for what the recording does not have;
/// `Internal` if the result does not balance to the microjoule; and whatever
/// error an interval comes with.
pub fn attribute<I>(
    header: &Header,
    tasks: &[Task],
    mut records: impl FnMut() -> Result<I>,
    settings: &Settings,
) -> Result<Attributed>
where
    I: IntoIterator<Item = Result<IntervalRecord>>,
{
    attribute_watched(header, tasks, |_| records(), settings, &mut ())
}

/// The same; `watch` is told how the books grow. `records` may leave samples
/// out where they are not needed.
///
/// # Errors
///
/// As [`attribute`].
pub fn attribute_watched<I>(
    header: &Header,
    tasks: &[Task],
    mut records: impl FnMut(Samples) -> Result<I>,
    settings: &Settings,
    watch: &mut (impl Observer + ?Sized),
) -> Result<Attributed>
where
    I: IntoIterator<Item = Result<IntervalRecord>>,
{
    settings.check(header)?;
    let mut look = FirstPass::new(header, tasks, settings);
    stream(header, records(Samples::Skipped)?, |_, intervals| {
        intervals.iter().for_each(|of| look.take(of));
    })?;
    let mut attribution = Attribution::new(header, tasks, look.choose(header, settings), settings);
    let said = stream(header, records(Samples::Read)?, |record, intervals| {
        if let Some(record) = record {
            watch.record(record);
            attribution.count(record);
        }
        let intervals = intervals.iter();
        intervals.for_each(|of| attribution.charge(of, watch));
    })?;
    attribution.finish(said, watch)
}

/// Passes on each record with the stretches that it settles, and at the end
/// those that nothing settled.
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
    let (left, said) = timeline.finish();
    take(None, &left);
    Ok(said)
}
