//! What is said of several runs: when, where, what, and how they are told
//! apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::caveat::Caveat;
use crate::profile::{MemberRow, StackShare, Summary};
use crate::recording::{Footprint, Header};
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
        // The duration is known when all runs are; how energy was divided is
        // added up by meter, and carbon is that of the first.
        let Summary {
            header,
            events,
            signals,
            duration: _,
            exit_code,
            provenance,
            band,
            footprint,
            samples,
            stacks,
            weighings: _,
            carbon: _,
        } = other;
        let sum = &mut self.summary;
        common(&mut sum.header, header);
        sum.events.retain(|of| events.contains(of));
        sum.signals += signals;
        self.exit_codes.push(exit_code);
        sum.provenance = sum.provenance.max(provenance);
        sum.band = match (sum.band, band) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        sum.samples = sum.samples.saturating_add(samples);
        add_stacks(&mut sum.stacks, stacks);
        add_footprint(&mut sum.footprint, footprint);
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

/// Leaves in `own` what is the same in `other`.
fn common(own: &mut Header, other: Header) {
    let Header {
        eprof,
        object,
        wall_clock_ns,
        started: _,
        host,
        kernel,
        cpu_model,
        command,
        frequency_hz,
        interval: _,
        events,
        follow,
        // Added up by name.
        meters: _,
        cpu_groups: _,
        // Those of each run.
        baselines: _,
        models: _,
        caveats: _,
    } = other;
    for (own, other) in [
        (&mut own.eprof, eprof),
        (&mut own.object, object),
        (&mut own.host, host),
        (&mut own.kernel, kernel),
        (&mut own.cpu_model, cpu_model),
        (&mut own.command.directory, command.directory),
        (&mut own.follow, follow),
    ] {
        if *own != other {
            SEVERAL.clone_into(own);
        }
    }
    if own.command.argv != command.argv {
        own.command.argv = vec!["(several commands)".to_owned()];
    }
    own.wall_clock_ns = own.wall_clock_ns.min(wall_clock_ns);
    own.frequency_hz = own.frequency_hz.max(frequency_hz);
    own.events.retain(|of| events.contains(of));
    own.baselines.clear();
    own.models.clear();
}

fn add_stacks(sum: &mut StackShare, more: StackShare) {
    let StackShare { samples, ended } = more;
    sum.samples = sum.samples.saturating_add(samples);
    for (reason, count) in ended {
        let ended = sum.ended.entry(reason).or_default();
        *ended = ended.saturating_add(count);
    }
}

fn add_footprint(sum: &mut Footprint, more: Footprint) {
    let Footprint {
        cpu,
        peak_rss,
        programs,
    } = more;
    sum.cpu += cpu;
    sum.peak_rss = sum.peak_rss.max(peak_rss);
    for (name, runs, mean) in programs {
        let mut own = sum.programs.iter_mut();
        match own.find(|(own, ..)| *own == name) {
            Some((_, all, both)) => {
                *both = mean_of((*all, *both), (runs, mean));
                *all = all.saturating_add(runs);
            }
            None => sum.programs.push((name, runs, mean)),
        }
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
