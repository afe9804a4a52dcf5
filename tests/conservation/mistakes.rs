//! Mistakes that energy tools have made, each as a test that it is not made
//! here.

use eprof::attribute::Account;
use eprof::measurement::{Domain, MeterId, Quantity};
use eprof::unit::{Microjoules, Nanos};

use super::machine::{COUNTER, MS, ROOT, Run, codes, full};

fn wrapping(modulus: u64) -> Quantity {
    Quantity::Counter {
        unit_uj: 1.0,
        modulus: Some(modulus),
    }
}

/// Ten intervals of 10 ms at `watts`, read modulo `modulus`.
fn ten(run: &mut Run, starts: &[u64], moduli: &[u64], watts: &[u64]) {
    for n in 0..=10 {
        let raw: Vec<Option<u64>> = (0..starts.len())
            .map(|m| Some((starts[m] + n * watts[m] * 10_000) % moduli[m]))
            .collect();
        match n {
            0 => run.start(&raw),
            _ => drop(run.interval(10 * MS, &[(ROOT, 0, 10 * MS)], &raw)),
        }
    }
}

#[test]
fn a_wrap_is_neither_dropped_nor_saturated_nor_made_up() {
    let modulus = 262_143_328_850;
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, wrapping(modulus));
    ten(&mut run, &[modulus - 2_000_000], &[modulus], &[50]);
    let attributed = run.attribute();
    // 50 W for 100 ms, although the register went round in the middle.
    assert_eq!(attributed.ledger.total(), Microjoules(5_000_000));
}

#[test]
fn only_the_domain_that_wrapped_wraps() {
    let (package, dram) = (262_143_328_850, 65_712_999_613);
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, wrapping(package));
    run.meter(Domain::Dram, wrapping(dram));
    ten(
        &mut run,
        &[1_000, dram - 100_000],
        &[package, dram],
        &[50, 4],
    );
    let attributed = run.attribute();
    assert_eq!(attributed.ledger.meters[0].total, Microjoules(5_000_000));
    assert_eq!(attributed.ledger.meters[1].total, Microjoules(400_000));
}

#[test]
fn each_socket_wraps_by_itself() {
    let modulus = 65_532_610_987;
    let mut run = Run::new(&[&[0], &[1]]);
    run.meter(Domain::Package, wrapping(modulus)).cpus = vec![0];
    run.meter(Domain::Package, wrapping(modulus)).cpus = vec![1];
    ten(&mut run, &[modulus - 1, 7], &[modulus, modulus], &[100, 30]);
    let attributed = run.attribute();
    assert_eq!(attributed.ledger.total(), Microjoules(13_000_000));
    // The target ran on socket 0 only; nobody ran on socket 1.
    assert_eq!(full(&attributed, 0, Account::Target), 10_000_000);
    assert_eq!(full(&attributed, 1, Account::Target), 0);
    assert_eq!(full(&attributed, 1, Account::Unattributed), 3_000_000);
}

#[test]
fn nested_domains_are_shown_but_never_added() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    run.meter(Domain::Core, COUNTER).nested = true;
    ten(&mut run, &[0, 0], &[u64::MAX, u64::MAX], &[50, 40]);
    let attributed = run.attribute();
    assert_eq!(attributed.ledger.total(), Microjoules(5_000_000));
    let thread = &attributed.threads[0];
    assert_eq!(thread.energy.with_idle, Microjoules(5_000_000));
    assert_eq!(thread.meters[&MeterId(0)].with_idle, Microjoules(5_000_000));
    assert_eq!(thread.meters[&MeterId(1)].with_idle, Microjoules(4_000_000));
}

#[test]
fn a_counter_that_goes_backwards_gives_no_negative_energy() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, wrapping(262_143_328_850));
    run.start(&[Some(5_000_000)]);
    for raw in [5_500_000, 4_000_000, 4_500_000] {
        run.interval(10 * MS, &[(ROOT, 0, 10 * MS)], &[Some(raw)]);
    }
    let attributed = run.attribute();
    assert_eq!(attributed.ledger.total(), Microjoules(1_000_000));
    assert_eq!(attributed.ledger.meters[0].unknown, Nanos(10 * MS));
    assert!(codes(&attributed).contains(&"counter-backwards"));
}

#[test]
fn petajoules_are_refused() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    run.start(&[Some(0)]);
    run.interval(10 * MS, &[(ROOT, 0, MS)], &[Some(1_000_000_000_000_000)]);
    let attributed = run.attribute();
    assert_eq!(attributed.ledger.total(), Microjoules(0));
    assert_eq!(attributed.ledger.meters[0].unknown, Nanos(10 * MS));
    assert!(codes(&attributed).contains(&"counter-implausible"));
}

#[test]
fn a_dead_counter_is_not_zero_joules() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Psys, COUNTER);
    ten(&mut run, &[12345], &[u64::MAX], &[0]);
    let attributed = run.attribute();
    assert_eq!(attributed.ledger.meters[0].unknown, Nanos(100 * MS));
    assert!(codes(&attributed).contains(&"counter-stalled"));
}

#[test]
fn cumulative_values_are_not_added_at_every_tick() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    // The counter did not start with the run.
    ten(&mut run, &[777_000_000_000], &[u64::MAX], &[20]);
    assert_eq!(run.attribute().ledger.total(), Microjoules(2_000_000));
}

#[test]
fn the_unit_is_applied_once_and_does_not_truncate_each_interval() {
    // 2^-16 J per count and 3 counts per interval: 45.78 µJ, a thousand times.
    let mut run = Run::new(&[&[0]]);
    let unit_uj = 1e6 / 65_536.0;
    let modulus = None;
    run.meter(Domain::Dram, Quantity::Counter { unit_uj, modulus });
    run.start(&[Some(0)]);
    for n in 1..=1000 {
        run.interval(10 * MS, &[(ROOT, 0, MS)], &[Some(3 * n)]);
    }
    // 3000 × 15.2587890625 = 45776.4; truncating each would give 45000.
    assert_eq!(run.attribute().ledger.total(), Microjoules(45_776));
}

#[test]
fn a_reading_that_fails_loses_no_energy() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    ten(&mut run, &[0], &[u64::MAX], &[50]);
    let whole = run.attribute().ledger.total();
    for missing in [3, 4, 7] {
        run.records[missing].readings.clear();
    }
    assert_eq!(run.attribute().ledger.total(), whole);
}

#[test]
fn full_load_does_not_make_the_idle_power_vanish() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    run.idle(0, 10.0, 0.0);
    ten(&mut run, &[0], &[u64::MAX], &[50]);
    let attributed = run.attribute();
    let ledger = &attributed.ledger.meters[0];
    assert_eq!(ledger.baseline, Some(Microjoules(1_000_000)));
    // No CPU was ever idle, so the target bears the baseline in full …
    assert_eq!(ledger.accounts[&Account::Target].with_idle.0, 5_000_000);
    // … but not at the margin.
    assert_eq!(ledger.accounts[&Account::Target].above_idle.0, 4_000_000);
    assert_eq!(ledger.accounts[&Account::Idle].above_idle.0, 1_000_000);
}

#[test]
fn an_unknown_idle_power_is_said_and_not_invented() {
    let mut run = Run::new(&[&[0, 1]]);
    run.meter(Domain::Package, COUNTER);
    ten(&mut run, &[0], &[u64::MAX], &[50]);
    let attributed = run.attribute();
    assert_eq!(attributed.ledger.meters[0].baseline, None);
    assert_eq!(full(&attributed, 0, Account::Idle), 0);
    assert!(codes(&attributed).contains(&"idle-unknown"));
}

#[test]
fn equal_threads_are_charged_equally_whatever_their_number() {
    // A non-conserving exponent (share^0.3) gives four threads 66 % each.
    let mut run = Run::new(&[&[0, 1, 2, 3]]);
    run.meter(Domain::Package, COUNTER);
    let threads: Vec<u32> = (0..4)
        .map(|n| run.task(200 + n, 100, 0, Some(ROOT)))
        .collect();
    let work: Vec<_> = (0..).zip(&threads).map(|(cpu, &t)| (t, cpu, MS)).collect();
    run.start(&[Some(0)]);
    run.interval(10 * MS, &work, &[Some(1_000_000)]);
    for thread in run.attribute().threads {
        assert_eq!(thread.energy.with_idle, Microjoules(250_000));
    }
}
