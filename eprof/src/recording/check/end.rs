//! The rules of an end, and of the caveats it shares with the header.

use crate::caveat::Caveat;
use crate::measurement::Counter;

use super::checker::{Broken, amount, length, string, time};
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

/// Refuses a list of counters that does not ascend.
pub(super) fn counters(counters: &[Counter]) -> Result<(), Broken> {
    if counters.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err("has a list of counters that does not ascend".into())
}

/// Checks caveats.
pub(super) fn caveats(caveats: &[Caveat]) -> Result<(), Broken> {
    for caveat in caveats {
        string(&caveat.code)?;
        string(&caveat.sentence)?;
        string(caveat.hint.as_deref().unwrap_or_default())?;
    }
    Ok(())
}
