//! Two dies whose counters are one and the same counter.
//!
//! Before Linux 6.11 a multi-die AMD processor listed its one package counter
//! once per die. Adding the dies would count everything twice.

use super::verify::Series;
use crate::measurement::{Meter, Quantity, Scope, SourceKind};

/// Changes that must have been seen before anything is said.
const EVIDENCE: usize = 4;

/// For each meter, the earlier meter that shows the same counter, if any.
pub fn mirrors(meters: &[Meter], series: &Series) -> Vec<Option<usize>> {
    let mut found = vec![None; meters.len()];
    for (i, one) in meters.iter().enumerate() {
        for (j, other) in meters.iter().enumerate().take(i) {
            let original = found.get(j).is_some_and(Option::is_none);
            let values = (series.values.get(i), series.values.get(j));
            if original
                && dies_of_one_package(one, other)
                && let (Some(a), Some(b)) = values
                && same_counter(a, b, one.kind == SourceKind::Powercap)
            {
                if let Some(slot) = found.get_mut(i) {
                    *slot = Some(j);
                }
                break;
            }
        }
    }
    found
}

fn dies_of_one_package(one: &Meter, other: &Meter) -> bool {
    let counters = |meter: &Meter| matches!(meter.quantity, Quantity::Counter { .. });
    match (one.scope, other.scope) {
        (Scope::Die { package: a, die: x }, Scope::Die { package: b, die: y }) => {
            a == b
                && x != y
                && one.domain == other.domain
                && one.kind == other.kind
                && counters(one)
                && counters(other)
        }
        _ => false,
    }
}

/// Whether two series of reads, taken one right after the other, come from the
/// same register.
///
/// One register read twice gives the same difference every time, except where
/// an update falls between the two reads (about one in a hundred at 10 µs and
/// 1 ms); two registers drift apart with every update. With `absolute` values
/// the difference must be zero; perf counts from when each was opened.
pub fn same_counter(a: &[Option<u64>], b: &[Option<u64>], absolute: bool) -> bool {
    let pairs: Vec<(u64, u64)> = a
        .iter()
        .zip(b)
        .filter_map(|(a, b)| Some(((*a)?, (*b)?)))
        .collect();
    let moves = pairs
        .windows(2)
        .filter(|pair| matches!(pair, [(before, _), (after, _)] if before != after))
        .count();
    if moves < EVIDENCE {
        return false;
    }
    let differences: Vec<u64> = pairs.iter().map(|(a, b)| a.wrapping_sub(*b)).collect();
    let usual = |difference: u64| differences.iter().filter(|d| **d == difference).count();
    let commonest = if absolute {
        usual(0)
    } else {
        differences.iter().map(|d| usual(*d)).max().unwrap_or(0)
    };
    commonest * 5 >= differences.len() * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[u64]) -> Vec<Option<u64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn one_register_read_twice_is_recognised() {
        let a = series(&[100, 150, 210, 250, 300, 340]);
        // An update fell between the two reads once.
        let b = series(&[100, 150, 210, 250, 310, 340]);
        assert!(same_counter(&a, &a, true));
        assert!(same_counter(&a, &b, true));
        // The same register counted from two openings.
        let opened = series(&[90, 140, 200, 240, 290, 330]);
        assert!(same_counter(&a, &opened, false));
        assert!(!same_counter(&a, &opened, true));
    }

    #[test]
    fn two_dies_with_similar_power_are_two() {
        let a = series(&[100, 150, 210, 250, 300, 340]);
        let b = series(&[100, 151, 209, 252, 300, 345]);
        assert!(!same_counter(&a, &b, true));
        assert!(!same_counter(&a, &b, false));
    }

    #[test]
    fn counters_that_stand_still_prove_nothing() {
        let still = series(&[7, 7, 7, 7, 7, 7]);
        assert!(!same_counter(&still, &still, true));
    }
}
