//! CPUs that went offline during the run, and came back.
//!
//! The hooks run on them as before, so that all accounts are whole. But the timers have
//! to be set anew: until then, nobody was sampled there.

use std::collections::BTreeMap;

use super::newcomers::{list, named};
use crate::caveat::Caveat;
use crate::unit::Nanos;

/// The CPUs that came back.
#[derive(Debug, Default)]
pub(super) struct Returned {
    /// How long the target ran on each in the intervals in which it came back.
    unsampled: BTreeMap<u32, Nanos>,
    /// Those that have no timer any more, and why.
    refused: BTreeMap<u32, String>,
}

impl Returned {
    /// A CPU came back, and has a timer again, unless that was refused. In this interval,
    /// the target ran there for so long, part of which was not sampled.
    pub(super) fn note(&mut self, cpu: u32, ran: Nanos, refused: Option<String>) {
        *self.unsampled.entry(cpu).or_default() += ran;
        match refused {
            Some(why) => self.refused.insert(cpu, why),
            None => self.refused.remove(&cpu),
        };
    }

    /// What is to be said of them, where stacks are sampled.
    pub(super) fn caveat(&self) -> Option<Caveat> {
        if self.unsampled.is_empty() {
            return None;
        }
        let cpus = named(self.unsampled.keys());
        let ran: Nanos = self.unsampled.values().copied().sum();
        let mut sentence = format!(
            "{cpus} went offline during the run and came back: up to {:.2} s of the \
             target's CPU time there have no stacks, and code that was mapped meanwhile may \
             have no names",
            ran.seconds(),
        );
        if let Some(why) = self.refused.values().next() {
            let cpus = list(self.refused.keys());
            sentence.push_str(&format!(
                "; stacks on {cpus} are not sampled any more: {why}"
            ));
        }
        let caveat = Caveat::new("cpu-came-back", sentence);
        Some(caveat.hint("measure again while no CPU is switched off: its energy is known, but not the functions that used it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_named_and_what_is_sampled_again_is_not_refused() {
        let mut returned = Returned::default();
        assert_eq!(returned.caveat(), None);
        returned.note(1, Nanos(70_000_000), Some("no memory".to_owned()));
        returned.note(3, Nanos(30_000_000), None);
        let sentence = |of: &Returned| of.caveat().map(|of| of.sentence).unwrap_or_default();
        let both = sentence(&returned);
        assert!(both.starts_with("CPUs 1, 3 went offline"), "{both}");
        assert!(both.contains("0.10 s"), "{both}");
        assert!(
            both.ends_with("on 1 are not sampled any more: no memory"),
            "{both}"
        );
        returned.note(1, Nanos::ZERO, None);
        assert!(!sentence(&returned).contains("any more"));
    }
}
