//! Half widths of what is part of threads: functions, modules, subtrees of
//! stacks.

use std::collections::BTreeMap;

use crate::attribute::HalfWidth;
use crate::attribute::uncertainty::sampling_share;
use crate::unit::Microjoules;

use super::model::{Profile, ThreadRow};

/// The energy of one row, by the thread's position in the profile.
pub type Parts = BTreeMap<usize, Microjoules>;

/// The 90 % half width of a row that has the energies `parts` of `threads`.
///
/// Whether a sample of a thread hits the row is one draw, so the sampling
/// errors of different threads are independent and add in quadrature. A
/// thread's error by timing and by baseline is shared out to its functions
/// like its energy, and is added over threads without squaring: threads share
/// their boundaries and their idle power, so the errors may all go one way.
pub(super) fn of_parts(parts: &Parts, threads: &[ThreadRow]) -> Microjoules {
    let mut width = HalfWidth::default();
    let mut square = 0.0;
    for (&thread, part) in parts {
        let Some(thread) = threads.get(thread) else {
            continue;
        };
        let whole = thread.energy.with_idle.0 as f64;
        if whole <= 0.0 {
            continue;
        }
        let share = part.0 as f64 / whole;
        square += (whole * sampling_share(share, thread.effective)).powi(2);
        width.timing += thread.width.timing * share;
        width.baseline += thread.width.baseline * share;
        width.weights += thread.width.weights * share;
    }
    width.sampling = square.sqrt();
    width.total()
}

impl Profile {
    /// The 90 % half width of what has the energies `parts` of threads.
    pub fn half_width(&self, parts: &Parts) -> Microjoules {
        of_parts(parts, &self.threads)
    }
}
