//! The rules of an end.

use super::rules::{Broken, amount, caveats, counters, length, string, time};
use crate::recording::record::End;

/// Checks an end.
pub(super) fn end(end: &End) -> Result<(), Broken> {
    time(end.ended)?;
    end.losses.0.keys().try_for_each(|reason| string(reason))?;
    counters(&end.distrusted)?;
    length(end.footprint.cpu)?;
    for (name, _, mean) in &end.footprint.programs {
        string(name)?;
        amount(mean.unwrap_or(0.0), "a mean cost")?;
    }
    caveats(&end.caveats)
}
