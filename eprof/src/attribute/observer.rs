//! A callback for every charge.

use crate::recording::IntervalRecord;
use crate::unit::Timestamp;

use super::ledger::StackCharge;
use super::span::ChargedSpan;

/// Is called for each charge, when it is made. The charges add up to the ledger,
/// to the microjoule.
pub trait Observer {
    /// A recorded interval, in order of time, before anything in it is charged.
    fn record(&mut self, _record: &IntervalRecord) {}

    /// A span of known energy, in order of time for each meter.
    fn span(&mut self, _stretch: &ChargedSpan<'_>) {}

    /// What one of a thread's stacks is charged with for the span `during`,
    /// in which it was seen so often; by one disjoint meter, so that a sample
    /// may come several times. Energy of a span in which a thread was
    /// not sampled comes with its next samples.
    fn stack(&mut self, _during: (Timestamp, Timestamp), _charge: &StackCharge) {}
}

/// Ignores everything.
impl Observer for () {}

impl<F: FnMut(&ChargedSpan<'_>)> Observer for F {
    fn span(&mut self, span: &ChargedSpan<'_>) {
        self(span);
    }
}
