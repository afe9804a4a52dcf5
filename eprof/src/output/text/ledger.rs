//! The ledger as a table: per domain, where the energy went that its meters
//! counted.

use std::collections::BTreeMap;

use crate::attribute::{Account, Energy};
use crate::measurement::Domain;
use crate::profile::Profile;

use super::grid::{Column, Give, Grid, Weight};
use super::style::Style;
use crate::output::format::accounts::{Pool, label};
use crate::output::format::energy::{EnergyText, has_reading};
use crate::output::format::number::{counted, percent, time};
use crate::output::format::sanitize::{shorten, visible};

/// The lines of the ledger; none where there is no meter.
pub(in crate::output) fn lines(
    profile: &Profile,
    energy_text: EnergyText,
    style: Style,
) -> Vec<String> {
    let mut pools: BTreeMap<(bool, Domain), Pool> = BTreeMap::new();
    let mut silent = Vec::new();
    for meter in &profile.ledger.meters {
        if has_reading(meter) {
            pools
                .entry((meter.nested, meter.domain))
                .or_default()
                .add(meter);
        } else {
            silent.push(meter);
        }
    }
    let half_title = energy_text.error_title();
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
        pool_rows(&mut grid, *nested, *domain, pool, energy_text);
    }
    let mut lines = if pools.is_empty() {
        Vec::new()
    } else {
        grid.lines(style, 2)
    };
    for meter in silent {
        let line = format!(
            "  {} {}: unknown, the meter gave no usable reading",
            meter.domain.name(),
            visible(&meter.name)
        );
        lines.push(style.warn(&shorten(&line, style.width)));
    }
    lines
}

fn heading(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

fn pool_rows(grid: &mut Grid, nested: bool, domain: Domain, pool: &Pool, energy_text: EnergyText) {
    let row = |name: String, energy: Energy, half: Option<u64>, known: bool| {
        let mut cells = vec![name];
        cells.extend(energy_text.cells(known.then_some(energy.with_idle.0), half));
        let above = (known && pool.baseline).then_some(energy.above_idle.0);
        cells.push(energy_text.short(above, half));
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
    if !energy_text.estimated {
        cells[2].clear();
    }
    grid.row(cells, Weight::Faint);
}
