//! The ledger as a table: per domain, where what the meter said went.

use std::collections::BTreeMap;

use crate::attribute::{Account, Energy, MeterLedger};
use crate::measurement::Domain;
use crate::profile::Profile;
use crate::unit::{Microjoules, Nanos};

use super::grid::{Column, Give, Grid, Weight};
use super::style::Style;
use crate::output::format::energy::{EnergyText, spoke};
use crate::output::format::number::{counted, percent, time};
use crate::output::format::sanitize::{shorten, visible};

/// The meters of one domain together: sockets and cores are not told apart
/// here (they are in the JSON report).
#[derive(Clone, Debug, Default)]
struct Pool {
    meters: usize,
    total: Microjoules,
    accounts: BTreeMap<Account, Energy>,
    /// Squares of half widths: meters err independently of each other.
    squares: BTreeMap<Account, f64>,
    baseline: bool,
    unknown: Nanos,
}

impl Pool {
    fn add(&mut self, meter: &MeterLedger) {
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

    fn energy(&self, account: Account) -> Energy {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    fn half(&self, account: Account) -> Option<u64> {
        self.squares.get(&account).map(|s| s.sqrt().ceil() as u64)
    }

    /// The largest half width, for the digits of the total.
    fn coarsest(&self) -> Option<u64> {
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

/// The lines of the ledger; none where there is no meter.
pub(in crate::output) fn lines(profile: &Profile, claim: EnergyText, look: Style) -> Vec<String> {
    let mut pools: BTreeMap<(bool, Domain), Pool> = BTreeMap::new();
    let mut silent = Vec::new();
    for meter in &profile.ledger.meters {
        if spoke(meter) {
            pools
                .entry((meter.nested, meter.domain))
                .or_default()
                .add(meter);
        } else {
            silent.push(meter);
        }
    }
    let half_title = if claim.estimated {
        "90 % range"
    } else {
        "±90 %"
    };
    let mut columns = vec![Column::name("", Give::End)];
    columns.extend(Column::energy("energy", half_title));
    columns.push(Column::number("above idle").spare(2));
    columns.push(Column::number("share"));
    let mut grid = Grid::new(columns);
    let mut nested_begun = false;
    for ((nested, domain), pool) in &pools {
        if *nested && !nested_begun {
            nested_begun = true;
            grid.row(heading("of which, nested (never added)"), Weight::Faint);
        }
        pool_rows(&mut grid, *nested, *domain, pool, claim);
    }
    let mut lines = if pools.is_empty() {
        Vec::new()
    } else {
        grid.lines(look, 2)
    };
    for meter in silent {
        let line = format!(
            "  {} {}: unknown, the meter said nothing usable",
            meter.domain.name(),
            visible(&meter.name)
        );
        lines.push(look.warn(&shorten(&line, look.width)));
    }
    lines
}

fn heading(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

fn pool_rows(grid: &mut Grid, nested: bool, domain: Domain, pool: &Pool, claim: EnergyText) {
    let row = |name: String, energy: Energy, half: Option<u64>, known: bool| {
        let mut cells = vec![name];
        cells.extend(claim.cells(known.then_some(energy.with_idle.0), half));
        let above = (known && pool.baseline).then_some(energy.above_idle.0);
        cells.push(claim.short(above, half));
        cells.push(
            percent(energy.with_idle.0, pool.total.0)
                .filter(|_| known)
                .unwrap_or_else(|| "–".to_owned()),
        );
        cells
    };
    let mut title = domain.name().to_owned();
    if pool.meters > 1 {
        title.push_str(&format!(
            " ({})",
            counted(pool.meters as u64, "meter", "meters")
        ));
    }
    if nested {
        let target = pool.energy(Account::Target);
        let mut rest = Energy::default();
        for account in Account::ALL.into_iter().filter(|a| *a != Account::Target) {
            rest += pool.energy(account);
        }
        let (half, coarsest) = (pool.half(Account::Target), pool.coarsest());
        grid.row(
            row(format!("{title}: target"), target, half, true),
            Weight::Plain,
        );
        grid.row(
            row("  everything else".to_owned(), rest, coarsest, true),
            Weight::Plain,
        );
    } else {
        grid.row(heading(&title), Weight::Faint);
        for account in Account::ALL {
            // Nothing is booked as idle where idle power is unknown: that is
            // not an idle energy of zero.
            let energy = pool.energy(account);
            let known = account != Account::Idle || pool.baseline || energy != Energy::default();
            let weight = match account {
                Account::Target => Weight::Strong,
                _ => Weight::Plain,
            };
            let name = format!("  {}", label(account));
            grid.row(row(name, energy, pool.half(account), known), weight);
        }
    }
    let mut name = "  = meter".to_owned();
    if pool.unknown.0 > 0 {
        name.push_str(&format!(" (unknown for {})", time(pool.unknown.0)));
    }
    let total = Energy {
        with_idle: pool.total,
        above_idle: pool.total,
    };
    // The total's digits end where those of its parts do; its own error is
    // the meter's.
    let mut cells = row(name, total, pool.coarsest(), true);
    if !claim.estimated {
        cells[2].clear();
    }
    grid.row(cells, Weight::Faint);
}
