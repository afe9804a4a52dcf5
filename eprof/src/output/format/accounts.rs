//! Accounts over several meters: their names, their sums, and how wide they are.

use std::collections::BTreeMap;

use crate::attribute::{Account, Energy, MeterLedger};
use crate::profile::Profile;
use crate::unit::{Microjoules, Nanos};

/// The meters of one domain together: sockets and cores are not told apart
/// here (they are in the JSON report).
#[derive(Clone, Debug, Default)]
pub(in crate::output) struct Pool {
    pub(in crate::output) meters: usize,
    pub(in crate::output) total: Microjoules,
    accounts: BTreeMap<Account, Energy>,
    /// Squares of half widths: meters err independently of each other.
    squares: BTreeMap<Account, f64>,
    pub(in crate::output) baseline: bool,
    pub(in crate::output) unknown: Nanos,
}

impl Pool {
    pub(in crate::output) fn add(&mut self, meter: &MeterLedger) {
        self.baseline = meter.baseline.is_some() && (self.baseline || self.meters == 0);
        self.meters += 1;
        self.total += meter.total;
        self.unknown = self.unknown.max(meter.unknown);
        for (account, energy) in &meter.accounts {
            *self.accounts.entry(*account).or_default() += *energy;
        }
        for (account, width) in &meter.widths {
            let half = width.total().0 as f64;
            *self.squares.entry(*account).or_default() += half * half;
        }
    }

    pub(in crate::output) fn energy(&self, account: Account) -> Energy {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    pub(in crate::output) fn half(&self, account: Account) -> Option<u64> {
        self.squares.get(&account).map(|s| s.sqrt().ceil() as u64)
    }

    /// The largest half width, for the digits of the total.
    pub(in crate::output) fn coarsest(&self) -> Option<u64> {
        Account::ALL.iter().filter_map(|a| self.half(*a)).max()
    }
}

/// The name of an account in the table.
pub(in crate::output) fn label(account: Account) -> &'static str {
    match account {
        Account::Target => "target",
        Account::Other => "other processes",
        Account::Kernel => "kernel threads",
        Account::Eprof => "eprof itself",
        Account::Idle => "idle",
        Account::Unattributed => "unattributed",
    }
}

fn all(profile: &Profile) -> Pool {
    let mut all = Pool::default();
    profile.ledger.disjoint().for_each(|meter| all.add(meter));
    all
}

/// The target's half width over all disjoint meters; `None` where none is
/// known.
pub(in crate::output) fn target_half(profile: &Profile) -> Option<u64> {
    all(profile).half(Account::Target)
}

/// The same of any account.
pub(in crate::output) fn half(profile: &Profile, account: Account) -> Option<u64> {
    all(profile).half(account)
}

/// The largest half width of an account over all disjoint meters: what the
/// digits of their total end with.
pub(in crate::output) fn coarsest_half(profile: &Profile) -> Option<u64> {
    all(profile).coarsest()
}
