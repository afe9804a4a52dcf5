//! The laws, for any recording. The sums are made here anew, and not by the
//! check that attribution runs on itself.

use eprof::attribute::{Account, Attributed, Energy};
use eprof::measurement::{Domain, Quantity};
use eprof::profile::Profile;
use eprof::unit::{Microjoules, Nanos};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{STACKS, run};
use super::machine::{MS, ROOT, Run};

/// Both prices, in a type that cannot overflow.
fn sum(prices: impl IntoIterator<Item = Energy>) -> (u128, u128) {
    prices.into_iter().fold((0, 0), |sum, energy| {
        (
            sum.0 + u128::from(energy.with_idle.0),
            sum.1 + u128::from(energy.above_idle.0),
        )
    })
}

fn target(attributed: &Attributed) -> (u128, u128) {
    let meters = attributed.ledger.meters.iter();
    let disjoint = meters.filter(|meter| !meter.nested);
    sum(disjoint.map(|meter| meter.accounts[&Account::Target]))
}

/// As many as `PROPTEST_CASES` says, or enough to meet every rare case often.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn all_energy_is_somebody_s(run in run()) {
        let attributed = run.attribute();
        for meter in &attributed.ledger.meters {
            let total = u128::from(meter.total.0);
            prop_assert_eq!(meter.accounts.len(), Account::ALL.len());
            prop_assert_eq!(sum(meter.accounts.values().copied()), (total, total));
            let threads = attributed.threads.iter();
            let on_this = threads.filter_map(|thread| thread.meters.get(&meter.meter));
            prop_assert_eq!(sum(on_this.copied()), sum([meter.accounts[&Account::Target]]));
            for (account, energy) in &meter.accounts {
                match account {
                    Account::Idle => prop_assert!(energy.with_idle <= energy.above_idle),
                    _ => prop_assert!(energy.above_idle <= energy.with_idle),
                }
            }
        }
        let target = target(&attributed);
        prop_assert_eq!(sum(attributed.threads.iter().map(|row| row.energy)), target);
        prop_assert_eq!(sum(attributed.processes.iter().map(|row| row.energy)), target);
        prop_assert_eq!(sum(attributed.stacks.iter().map(|row| row.energy)), target);
        prop_assert_eq!(sum(attributed.cpus.iter().map(|row| row.energy)), target);
    }

    #[test]
    fn the_profile_keeps_every_sum(run in run()) {
        let attributed = run.attribute();
        let profile = Profile::build(&run.catalog(STACKS), &attributed);
        let target = target(&attributed);
        prop_assert_eq!(sum(profile.threads.iter().map(|row| row.energy)), target);
        prop_assert_eq!(sum(profile.processes.iter().map(|row| row.energy)), target);
        prop_assert_eq!(sum(profile.functions.iter().map(|row| row.own)), target);
        prop_assert_eq!(sum(profile.modules.iter().map(|row| row.own)), target);
        prop_assert_eq!(sum(profile.stacks.iter().map(|row| row.energy)), target);
        prop_assert_eq!(sum(profile.cpus.iter().map(|row| row.energy)), target);
        for row in &profile.functions {
            prop_assert!(row.own.with_idle <= row.total.with_idle);
            prop_assert!(u128::from(row.total.with_idle.0) <= target.0);
        }
        let samples: u64 = profile.threads.iter().map(|row| row.samples).sum();
        prop_assert_eq!(samples, profile.functions.iter().map(|row| row.samples).sum::<u64>());
        prop_assert_eq!(samples, profile.stacks.iter().map(|row| row.samples).sum::<u64>());
    }

    #[test]
    fn widths_are_finite_and_never_negative(run in run()) {
        let attributed = run.attribute();
        let meters = attributed.ledger.meters.iter();
        let widths = meters.flat_map(|meter| meter.widths.values().copied());
        let widths = widths.chain(attributed.threads.iter().map(|row| row.width));
        for width in widths.chain(attributed.processes.iter().map(|row| row.width)) {
            for part in [width.timing, width.sampling, width.baseline, width.weights] {
                prop_assert!(part.is_finite() && part >= 0.0, "{:?}", width);
            }
        }
        for thread in &attributed.threads {
            prop_assert!(thread.effective <= thread.samples as f64 * 1.000_001);
        }
    }

    /// Neither chance nor the order in which things are listed plays a part.
    #[test]
    fn the_same_recording_gives_the_same_bytes(run in run()) {
        let bytes = |run: &Run| {
            let attributed = run.attribute();
            let profile = Profile::build(&run.catalog(STACKS), &attributed);
            let ledger = serde_json::to_string(&attributed).unwrap();
            (ledger, format!("{profile:?}"))
        };
        let mut turned = run.clone();
        for record in &mut turned.records {
            record.threads.reverse();
            record.samples.reverse();
            record.readings.reverse();
        }
        prop_assert_eq!(bytes(&run), bytes(&turned));
    }

    /// The meter's own arithmetic, done without any of the timeline's means:
    /// the truth counts on, the register shows it modulo its size, and some
    /// readings fail.
    #[test]
    fn the_total_is_what_was_used(
        start in 0u64..100_000_000_000,
        used in vec((0u64..2_000_000, any::<bool>()), 1..60),
    ) {
        let modulus = 65_532_610_987;
        let mut run = Run::new(&[&[0]]);
        run.meter(Domain::Package, Quantity::Counter { unit_uj: 1.0, modulus: Some(modulus) });
        run.start(&[Some(start % modulus)]);
        let (mut truth, mut seen) = (0, 0);
        for &(energy, readable) in &used {
            truth += energy;
            let raw = readable.then_some((start + truth) % modulus);
            seen = if readable { truth } else { seen };
            run.interval(10 * MS, &[(ROOT, 0, MS)], &[raw]);
        }
        let attributed = run.attribute();
        prop_assert_eq!(attributed.ledger.total(), Microjoules(seen));
        if seen == 0 {
            let length = Nanos(10 * MS * used.len() as u64);
            prop_assert_eq!(attributed.ledger.meters[0].unknown, length);
        }
    }
}
