//! What is kept of one run.

use crate::attribute::Account;
use crate::caveat::Caveat;
use crate::measurement::{Provenance, Quantity};
use crate::profile::Profile;
use crate::unit::{Microjoules, Nanos};

use super::conditions::Conditions;

/// A run may miss this much of its energy (as a part of its time) and still
/// count as measured.
const GAP: f64 = 0.01;

/// One run of one command.
#[derive(Clone, Debug)]
pub struct Run {
    /// Position of the command.
    pub command: usize,
    /// In which round it ran, from 0.
    pub round: usize,
    /// Its position among all runs, from 0.
    pub turn: usize,
    /// How long the target ran.
    pub time: Nanos,
    /// Energy of the target with its share of the idle cost; `None` where no
    /// meter said anything usable, or not all the time.
    pub energy: Option<Microjoules>,
    /// The same above idle; `None` also where idle power is unknown.
    pub above_idle: Option<Microjoules>,
    /// 90 % half width of the meters' reading of `energy` in this one run.
    pub ci90: Microjoules,
    /// The weakest claim of its meters.
    pub provenance: Provenance,
    /// For estimates: the factors between which the truth lies in 90 % of
    /// cases.
    pub band: Option<(f64, f64)>,
    /// What was read: kinds and names of the meters that add up.
    pub source: String,
    /// How often the slowest of its meters was updated meanwhile; `None` where
    /// nothing is read.
    pub updates: Option<f64>,
    /// Energy of other processes, as a part of all that ran.
    pub others: Option<f64>,
    /// Stack samples.
    pub samples: u64,
    /// The target's exit code.
    pub exit: i32,
    /// What was lost, in all.
    pub lost: u64,
    /// Clock and temperature.
    pub conditions: Conditions,
    /// What makes this run less true.
    pub caveats: Vec<Caveat>,
}

/// When and what ran.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Position of the command.
    pub command: usize,
    /// The round, from 0.
    pub round: usize,
    /// Position among all runs.
    pub turn: usize,
}

impl Run {
    /// What is kept of a run with this `profile`, in which the target ran for
    /// `time`.
    pub fn of(turn: Turn, profile: &Profile, time: Nanos, conditions: Conditions) -> Self {
        let ledger = &profile.ledger;
        let unknown = ledger.disjoint().map(|meter| meter.unknown).max();
        let whole = unknown.is_some_and(|gap| gap.0 as f64 <= time.0 as f64 * GAP);
        let known = whole && ledger.total().0 > 0;
        let idle = ledger.disjoint().all(|meter| meter.baseline.is_some());
        let target = ledger.account(Account::Target);
        let header = &profile.summary.header;
        let meters = || header.meters.iter().filter(|meter| !meter.nested);
        let read = meters().filter(|meter| !matches!(meter.quantity, Quantity::Model { .. }));
        let slowest = read.map(|meter| meter.update_period.0).max();
        let names = meters().map(|meter| format!("{} {}", meter.kind.name(), meter.name));
        Self {
            command: turn.command,
            round: turn.round,
            turn: turn.turn,
            time,
            energy: known.then_some(target.with_idle),
            above_idle: (known && idle).then_some(target.above_idle),
            ci90: target_half(profile),
            provenance: profile.summary.provenance,
            band: profile.summary.band,
            source: names.collect::<Vec<_>>().join(", "),
            updates: slowest.map(|period| time.0 as f64 / period.max(1) as f64),
            others: known.then(|| others(profile)).flatten(),
            samples: profile.summary.samples,
            exit: profile.summary.exit_code.unwrap_or(-1),
            lost: profile.losses.0.values().sum(),
            conditions,
            caveats: profile.caveats.clone(),
        }
    }

    /// Energy in joules.
    pub fn joules(&self) -> Option<f64> {
        self.energy.map(Microjoules::joules)
    }

    /// Mean power in watts.
    pub fn watts(&self) -> Option<f64> {
        self.energy?.over(self.time).map(|watts| watts.0)
    }

    /// Energy-delay product in joule-seconds (Gonzalez and Horowitz, Energy
    /// Dissipation in General Purpose Microprocessors, IEEE JSSC 31, 1996).
    pub fn energy_delay(&self) -> Option<f64> {
        Some(self.joules()? * self.time.seconds())
    }
}

/// The half width of the target's account; that of several meters adds up, as
/// they may all err the same way.
fn target_half(profile: &Profile) -> Microjoules {
    let widths = profile.ledger.disjoint();
    let widths = widths.filter_map(|meter| meter.widths.get(&Account::Target));
    widths.map(|width| width.total()).sum()
}

/// Energy of other processes as a part of what all that ran has used.
fn others(profile: &Profile) -> Option<f64> {
    let of = |account| profile.ledger.account(account).with_idle.0 as f64;
    let ran = [
        Account::Target,
        Account::Other,
        Account::Kernel,
        Account::Eprof,
    ];
    let all: f64 = ran.into_iter().map(of).sum();
    (all > 0.0).then(|| of(Account::Other) / all)
}
