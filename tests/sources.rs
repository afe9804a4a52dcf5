//! Energy sources on fake trees: what is found, what is believed, what adds
//! up, and what is said about the rest.

mod doctor;
mod documents;
mod fake_pmu;
mod fallback;
mod garbage;
mod idle;
mod machine;
mod perf;
mod powercap;
mod topology;

use std::collections::BTreeSet;
use std::io::Result as IoResult;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eprof::error::ErrorKind;
use eprof::host::{CoreType, Cpus, SysRoot};
use eprof::measurement::{Domain, Meter, Provenance, Quantity, Scope, SourceKind};
use eprof::source::selection::select::Finder;
use eprof::source::sensors::perf_event::{CounterGroup, Opener, PowerEvent};
use eprof::source::{Candidate, Choice, Probe, Selected};
use fake_pmu::{Fake, FakeGroup, INTEL, Opened, with_pmu};
use fallback::battery;
use proptest::prelude::*;

use crate::support::skip;
use crate::support::sysfs::{self, Tree};

/// Ends early where everything moves; long enough that a starved machine does
/// not matter.
const PATIENT: Probe = Probe {
    longest: Duration::from_secs(20),
    step: Duration::from_millis(2),
};

/// For trees in which something does not move, which is waited for in vain.
const SHORT: Probe = Probe {
    longest: Duration::from_millis(400),
    step: Duration::from_millis(2),
};

fn choose(tree: &Tree, probe: Probe) -> Selected {
    let finder = Finder::new(tree.root()).probe(probe);
    finder.select(Choice::Auto).unwrap()
}

fn meter<'a>(selected: &'a Selected, name: &str) -> &'a Meter {
    let found = selected
        .source
        .meters()
        .iter()
        .find(|meter| meter.name == name);
    found.unwrap_or_else(|| panic!("{name} is not among {selected:?}"))
}

fn names(selected: &Selected) -> Vec<&str> {
    let meters = selected.source.meters().iter();
    meters.map(|meter| meter.name.as_str()).collect()
}

fn candidate(selected: &Selected, kind: SourceKind) -> &Candidate {
    let found = selected.candidates.iter().find(|one| one.kind == kind);
    found.expect("the kind was looked at")
}

fn why<'a>(candidate: &'a Candidate, name: &str) -> &'a str {
    let note = candidate.meters.iter().find(|note| note.name == name);
    let note = note.unwrap_or_else(|| panic!("{name} is not among {candidate:?}"));
    note.why.as_deref().unwrap_or("")
}

fn has_caveat(selected: &Selected, code: &str) -> bool {
    selected.caveats.iter().any(|caveat| caveat.code == code)
}
