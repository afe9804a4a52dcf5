//! Who watches the books grow.

use crate::recording::IntervalRecord;
use crate::unit::Timestamp;

use super::ledger::StackCharge;
use super::span::ChargedSpan;

/// Is told what is charged, when it is charged. Sums over what is told are the
/// ledger's, to the microjoule.
pub trait Observer {
    /// A recorded interval, in order of time, before anything in it is charged.
    fn record(&mut self, _record: &IntervalRecord) {}

    /// A stretch of known energy, in order of time for each meter.
    fn span(&mut self, _stretch: &ChargedSpan<'_>) {}

    /// What one of a thread's stacks is charged with for the stretch `during`,
    /// in which it was seen so often; by one disjoint meter, so that a sample
    /// may be told of several times. Energy of a stretch in which a thread was
    /// not sampled comes with its next samples.
    fn stack(&mut self, _during: (Timestamp, Timestamp), _charge: &StackCharge) {}
}

/// Nobody.
impl Observer for () {}

impl<F: FnMut(&ChargedSpan<'_>)> Observer for F {
    fn span(&mut self, stretch: &ChargedSpan<'_>) {
        self(stretch);
    }
}
