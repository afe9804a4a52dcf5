//! What is missing of a recording, in sentences.

use super::check::{Checker, Missing};
use crate::caveat::Caveat;

/// The code of the caveat that a recording has no end.
pub const UNFINISHED: &str = "recording-unfinished";

/// What is missing of what was checked.
pub(super) fn caveats(checked: &Checker) -> Vec<Caveat> {
    let gap = checked.missing().map(|missing| gap(&missing));
    let unfinished = (!checked.ended()).then(unfinished);
    gap.into_iter().chain(unfinished).collect()
}

/// A recording without some of its intervals.
fn gap(missing: &Missing) -> Caveat {
    let who = match missing.number {
        Some(1) => "an interval is missing".to_owned(),
        Some(number) if number > 1 => format!("{number} intervals are missing"),
        _ => "intervals are missing".to_owned(),
    };
    let (beginning, gaps, end) = missing.places;
    let middle = match gaps {
        0 => None,
        1 => Some("in the middle, once"),
        _ => Some("in the middle, several times"),
    };
    let places = [
        beginning.then_some("at the beginning"),
        middle,
        end.then_some("at the end"),
    ];
    let places = places.into_iter().flatten();
    let mut details: Vec<String> = places.map(str::to_owned).collect();
    if missing.time.0 > 0 {
        details.push(format!("{:.2} s in all", missing.time.seconds()));
    }
    let details = match details.is_empty() {
        true => String::new(),
        false => format!(" ({})", details.join("; ")),
    };
    Caveat::new(
        "recording-gap",
        format!("{who} from the recording{details}: what ran then is in no row"),
    )
}

/// A recording without an end.
fn unfinished() -> Caveat {
    Caveat::new(
        UNFINISHED,
        "the recording has no end: its last interval, the target's exit code, function names and \
         losses may be missing",
    )
    .hint("eprof was killed or could not write; record again if the end matters")
}
