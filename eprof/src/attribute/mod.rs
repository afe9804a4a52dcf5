//! Attribution: the energy of each interval is charged to accounts, threads
//! and stacks.
//!
//! Pure, and conserving in integer microjoules: per meter,
//! target + other + kernel + eprof + idle + unattributed = what the meter
//! said, for both prices; Σ threads = target; Σ stacks = target.

//!
//! ```text
//!   IntervalRecord ─► Timeline ─► Interval ─► Attribution::charge ─┐
//!                └──────────────────────────► Attribution::count  ─┴─► Attributed
//! ```

mod activity;
mod attribution;
mod book;
mod caveats;
mod check;
mod idle;
pub mod ledger;
mod pool;
mod process;
mod sampled;
mod settings;
mod split;
pub mod uncertainty;

pub use attribution::Attribution;
pub use check::check;
pub use ledger::{
    Account, Attributed, CpuCharge, HalfWidth, Ledger, MeterLedger, Price, ProcessCharge,
    StackCharge, ThreadCharge,
};
pub use process::{Processes, UNNAMED};
pub use settings::{Settings, Weights};
pub use split::apportion;

use crate::error::Result;
use crate::kernel::Task;
use crate::recording::{Header, IntervalRecord};
use crate::timeline::Timeline;

/// Attributes a whole recording. The intervals are streamed.
///
/// # Errors
///
/// `Usage` where `settings` ask for what the recording does not have;
/// `Internal` if the result does not balance to the microjoule; and whatever
/// error an interval comes with.
pub fn attribute(
    header: &Header,
    tasks: &[Task],
    records: impl IntoIterator<Item = Result<IntervalRecord>>,
    settings: &Settings,
) -> Result<Attributed> {
    let mut timeline = Timeline::new(header);
    let mut attribution = Attribution::new(header, settings)?;
    for task in tasks {
        attribution.task(task);
    }
    for record in records {
        let record = record?;
        attribution.count(&record);
        for interval in timeline.push(&record) {
            attribution.charge(&interval);
        }
    }
    let (left, said) = timeline.finish();
    for interval in &left {
        attribution.charge(interval);
    }
    attribution.finish(said)
}
