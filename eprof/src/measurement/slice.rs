//! What a sample stands for.

use super::COUNTERS;
use crate::unit::Nanos;

/// The slice of a thread's time that a sample stands for: from the thread's last
/// sample on this CPU, or from the switch to it, whichever is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampledSlice {
    /// The logical CPU.
    pub cpu: u32,
    /// How long it is.
    pub spent: Nanos,
    /// Events by [`Counter`](super::Counter) in it.
    pub counts: [u64; COUNTERS],
}
