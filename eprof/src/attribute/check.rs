//! The law: nothing is lost and nothing is invented.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::measurement::MeterId;
use crate::unit::Microjoules;

use super::ledger::{Account, Attributed, Energy};

/// Checks that everything balances to the microjoule, above idle and with the
/// idle share: per meter the accounts against the meter and the threads against
/// the target; and over all disjoint meters the threads, processes, stacks and
/// CPUs against the target.
///
/// # Errors
///
/// `Internal`, with the row and both sums, if it does not. This is always a
/// defect of eprof, and such numbers are never shown.
pub fn check(attributed: &Attributed) -> Result<()> {
    for meter in &attributed.ledger.meters {
        let sum = sum(meter.accounts.values());
        let counted = (u128::from(meter.total.0), u128::from(meter.total.0));
        same(&format!("accounts of {}", meter.name), sum, counted)?;
    }

    let mut threads: BTreeMap<MeterId, Vec<Energy>> = BTreeMap::new();
    for (&meter, &energy) in attributed.threads.iter().flat_map(|thread| &thread.meters) {
        threads.entry(meter).or_default().push(energy);
    }
    for meter in &attributed.ledger.meters {
        let target = sum(meter.accounts.get(&Account::Target));
        let charged = sum(threads.get(&meter.meter).into_iter().flatten());
        same(&format!("threads on {}", meter.name), charged, target)?;
    }

    let disjoint = attributed.ledger.disjoint();
    let target = sum(disjoint.filter_map(|meter| meter.accounts.get(&Account::Target)));
    let rows = [
        (
            "threads",
            sum(attributed.threads.iter().map(|row| &row.energy)),
        ),
        (
            "processes",
            sum(attributed.processes.iter().map(|row| &row.energy)),
        ),
        (
            "stacks",
            sum(attributed.stacks.iter().map(|row| &row.energy)),
        ),
        ("CPUs", sum(attributed.cpus.iter().map(|row| &row.energy))),
    ];
    rows.iter()
        .try_for_each(|(what, charged)| same(what, *charged, target))
}

fn sum<'a>(energies: impl IntoIterator<Item = &'a Energy>) -> (u128, u128) {
    let wide = |energy: Microjoules| u128::from(energy.0);
    energies
        .into_iter()
        .fold((0, 0), |(with_idle, above_idle), energy| {
            (
                with_idle + wide(energy.with_idle),
                above_idle + wide(energy.above_idle),
            )
        })
}

fn same(what: &str, sum: (u128, u128), whole: (u128, u128)) -> Result<()> {
    if sum == whole {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Internal,
        format!(
            "the {what} add up to {} µJ ({} µJ above idle) instead of {} µJ ({} µJ)",
            sum.0, sum.1, whole.0, whole.1
        ),
    )
    .hint("this is a defect of eprof: please report it with the recording"))
}
