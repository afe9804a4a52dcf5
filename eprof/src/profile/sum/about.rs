//! What is said of several runs: when, where, what, and how they are told
//! apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::caveat::Caveat;
use crate::profile::{MemberRow, Summary};
use crate::unit::Nanos;

use super::meters::Described;

/// The labels that tell runs apart, in the order of their names.
const TELLING: [&str; 2] = ["rank", "file"];

/// What is not the same in all runs.
const SEVERAL: &str = "(several)";

/// What the runs have in common.
#[derive(Debug)]
pub(super) struct About {
    summary: Summary,
    exit_codes: Vec<Option<i32>>,
}

impl About {
    pub(super) fn new(summary: Summary) -> Self {
        Self {
            exit_codes: vec![summary.exit_code],
            summary,
        }
    }

    pub(super) fn add(&mut self, other: Summary) {
        let sum = &mut self.summary;
        let (own, header) = (&mut sum.header, other.header);
        for (own, other) in [
            (&mut own.eprof, header.eprof),
            (&mut own.object, header.object),
            (&mut own.host, header.host),
            (&mut own.kernel, header.kernel),
            (&mut own.cpu_model, header.cpu_model),
            (&mut own.command.directory, header.command.directory),
            (&mut own.follow, header.follow),
        ] {
            if *own != other {
                SEVERAL.clone_into(own);
            }
        }
        if own.command.argv != header.command.argv {
            own.command.argv = vec!["(several commands)".to_owned()];
        }
        own.wall_clock_ns = own.wall_clock_ns.min(header.wall_clock_ns);
        own.frequency_hz = own.frequency_hz.max(header.frequency_hz);
        own.events.retain(|of| header.events.contains(of));
        sum.events.retain(|of| other.events.contains(of));
        sum.signals += other.signals;
        // Idle power and models are those of each run.
        own.baselines.clear();
        own.models.clear();

        self.exit_codes.push(other.exit_code);
        sum.provenance = sum.provenance.max(other.provenance);
        sum.band = match (sum.band, other.band) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        sum.samples = sum.samples.saturating_add(other.samples);
        sum.stacks.samples = sum.stacks.samples.saturating_add(other.stacks.samples);
        for (reason, count) in other.stacks.ended {
            let ended = sum.stacks.ended.entry(reason).or_default();
            *ended = ended.saturating_add(count);
        }
        let footprint = &mut sum.footprint;
        footprint.cpu += other.footprint.cpu;
        footprint.peak_rss = footprint.peak_rss.max(other.footprint.peak_rss);
        for (name, runs, mean) in other.footprint.programs {
            let mut own = footprint.programs.iter_mut();
            match own.find(|(own, ..)| *own == name) {
                Some((_, all, both)) => {
                    *both = mean_of((*all, *both), (runs, mean));
                    *all = all.saturating_add(runs);
                }
                None => footprint.programs.push((name, runs, mean)),
            }
        }
    }

    pub(super) fn finish(self, members: &[MemberRow], described: Described) -> Summary {
        let mut summary = self.summary;
        summary.header.meters = described.meters;
        summary.weighings = described.weighings;
        let failed = |code: &&Option<i32>| **code != Some(0);
        let mut codes = self.exit_codes.iter();
        // Of those that failed, one that says how.
        let said = self.exit_codes.iter().flatten().find(|code| **code != 0);
        summary.exit_code = match codes.find(failed) {
            None => Some(0),
            Some(_) => said.copied(),
        };
        summary.duration = covered(members);
        summary
    }
}

/// The mean of two means, by their numbers of runs.
fn mean_of((n, a): (u64, Option<f64>), (m, b): (u64, Option<f64>)) -> Option<f64> {
    let (n, m) = (n as f64, m as f64);
    match (a, b) {
        (Some(a), Some(b)) if n + m > 0.0 => Some((a * n + b * m) / (n + m)),
        (a, b) => a.or(b),
    }
}

/// When a run began and ended, nanoseconds since 1970.
type Span = (u64, u64);

fn span(member: &MemberRow) -> Span {
    let begin = member.started_unix_ns;
    (begin, begin.saturating_add(member.duration.0))
}

/// The time in which any of the runs went on: that of the longest where they
/// went on together, the sum where they followed each other.
fn covered(members: &[MemberRow]) -> Nanos {
    let mut spans: Vec<Span> = members.iter().map(span).collect();
    spans.sort_unstable();
    let (mut covered, mut until) = (0_u64, 0_u64);
    for (begin, end) in spans {
        covered = covered.saturating_add(end.saturating_sub(begin.max(until)));
        until = until.max(end);
    }
    Nanos(covered)
}

/// Notes which runs went on at the same time on the same host, and says what
/// that means.
pub(super) fn overlaps(members: &mut [MemberRow]) -> Option<Caveat> {
    let mut by_host: BTreeMap<&str, Vec<(Span, usize)>> = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        let runs = by_host.entry(&member.host).or_default();
        runs.push((span(member), at));
    }
    let mut found = BTreeSet::new();
    for runs in by_host.values_mut() {
        runs.sort_unstable();
        // The run so far that ends last.
        let mut last: Option<(u64, usize)> = None;
        for &mut ((begin, end), at) in runs {
            if let Some((until, before)) = last
                && begin < until
            {
                found.extend([before, at]);
            }
            if last.is_none_or(|(until, _)| end > until) {
                last = Some((end, at));
            }
        }
    }
    for &at in &found {
        if let Some(member) = members.get_mut(at) {
            member.overlaps = true;
        }
    }
    (!found.is_empty()).then(|| {
        let sentence = format!(
            "{} of {} runs went on at the same time as another on the same host: each has read \
             the whole machine, so that the meters, `other processes` and `idle` count the same \
             joules more than once; the target's energy does not",
            found.len(),
            members.len()
        );
        Caveat::new("members-overlap", sentence)
    })
}

/// Gives each run a name: of host, rank and file those that tell them apart.
pub(super) fn name(members: &mut [MemberRow]) {
    let of = |member: &MemberRow, label: &str| member.labels.get(label).cloned();
    let hosts: BTreeSet<&str> = members.iter().map(|of| of.host.as_str()).collect();
    let several_hosts = hosts.len() > 1;
    let mut telling = Vec::new();
    for label in TELLING {
        let distinct = |labels: &[&str]| {
            let keys = members.iter().map(|member| {
                let labels: Vec<_> = labels.iter().map(|label| of(member, label)).collect();
                (member.host.clone(), labels)
            });
            keys.collect::<BTreeSet<_>>().len()
        };
        let before = distinct(&telling);
        telling.push(label);
        if distinct(&telling) == before {
            telling.pop();
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for member in members.iter_mut() {
        let mut words = Vec::new();
        if several_hosts || telling.is_empty() {
            words.push(member.host.clone());
        }
        for label in &telling {
            if let Some(value) = member.labels.get(*label) {
                words.push(match *label {
                    "file" => value.clone(),
                    label => format!("{label} {value}"),
                });
            }
        }
        let name = words.join(" ");
        let count = seen.entry(name.clone()).or_insert(0);
        *count += 1;
        member.name = match *count {
            1 => name,
            again => format!("{name} #{again}"),
        };
    }
}

#[cfg(test)]
#[path = "about_tests.rs"]
mod tests;
