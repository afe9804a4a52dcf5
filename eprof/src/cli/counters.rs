//! Counters as people type them: `auto`, `none`, `cycles,instructions`.

use crate::measurement::Counter;

/// The value of `--counters`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CounterChoice {
    /// All that are of use.
    #[default]
    Auto,
    /// These, ascending; maybe none.
    These(Vec<Counter>),
}

impl CounterChoice {
    /// The counters to open, where those of `Auto` are `all`.
    pub(super) fn or(&self, all: &[Counter]) -> Vec<Counter> {
        match self {
            Self::Auto => all.to_vec(),
            Self::These(counters) => counters.clone(),
        }
    }
}

/// Parses a list of names, `auto` or `none`.
///
/// # Errors
///
/// One sentence, for clap to print, where a name is not one of a counter.
pub(super) fn parse(text: &str) -> Result<CounterChoice, String> {
    match text {
        "auto" => return Ok(CounterChoice::Auto),
        "none" => return Ok(CounterChoice::These(Vec::new())),
        _ => {}
    }
    let mut counters = Vec::new();
    for name in text.split(',').map(str::trim) {
        let counter = Counter::ALL
            .into_iter()
            .find(|counter| counter.name() == name)
            .or((name == "ref-cycles").then_some(Counter::ReferenceCycles))
            .ok_or_else(|| {
                let names = Counter::ALL.map(Counter::name).join(", ");
                format!("there is no counter '{name}': use auto, none, or some of {names}")
            })?;
        counters.push(counter);
    }
    counters.sort_unstable();
    counters.dedup();
    Ok(CounterChoice::These(counters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_garbage_is_named() {
        let these = |text| parse(text).map(|choice| choice.or(&Counter::ALL));
        assert_eq!(these("auto"), Ok(Counter::ALL.to_vec()));
        assert_eq!(these("none"), Ok(Vec::new()));
        assert_eq!(
            these("instructions, cycles,cycles"),
            Ok(vec![Counter::Cycles, Counter::Instructions])
        );
        assert_eq!(these("ref-cycles"), these("reference-cycles"));
        for garbage in ["", "cycles,", "branches", "none,cycles", "AUTO"] {
            assert!(parse(garbage).is_err(), "{garbage}");
        }
    }
}
