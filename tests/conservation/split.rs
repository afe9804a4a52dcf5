//! Who pays how much: small cases with the arithmetic done by hand.

use eprof::attribute::{Account, Rule, Settings, UNNAMED, Weights};
use eprof::error::ErrorKind;
use eprof::measurement::{Counter, Domain, Event, Provenance, Quantity, TaskId};
use eprof::unit::{Microjoules, Nanos};

use super::machine::{COUNTER, MS, ROOT, Run, codes, energy, full, sample};

/// 1 J in 10 ms on two CPUs: the target 4 ms, others 3 ms, kernel threads
/// 2 ms, eprof 1 ms, idle 10 ms.
fn mixed() -> Run {
    let mut run = Run::new(&[&[0, 1]]);
    run.meter(Domain::Package, COUNTER);
    run.start(&[Some(0)]);
    let record = run.interval(10 * MS, &[(ROOT, 0, 4 * MS)], &[Some(1_000_000)]);
    record.cpus[0].other.on_cpu = Nanos(3 * MS);
    record.cpus[1].kernel.on_cpu = Nanos(2 * MS);
    record.cpus[1].eprof.on_cpu = Nanos(MS);
    run
}

#[test]
fn everyone_who_ran_pays_for_their_time() {
    let attributed = mixed().attribute();
    for (account, energy) in [
        (Account::Target, 400_000),
        (Account::Other, 300_000),
        (Account::Kernel, 200_000),
        (Account::Eprof, 100_000),
        (Account::Idle, 0),
        (Account::Unattributed, 0),
    ] {
        assert_eq!(full(&attributed, 0, account), energy, "{account:?}");
    }
}

#[test]
fn the_baseline_is_shared_by_time_and_idle_cpus_keep_theirs() {
    let mut run = mixed();
    // 40 W × 10 ms = 400 mJ; 600 mJ are dynamic.
    run.idle(0, 40.0, 0.0);
    let ledger = run.attribute().ledger.meters.remove(0);
    // Dynamic by busy time (4 of 10), baseline by CPU time (4 of 20).
    assert_eq!(
        ledger.accounts[&Account::Target],
        energy(240_000 + 80_000, 240_000)
    );
    assert_eq!(ledger.accounts[&Account::Idle], energy(200_000, 400_000));
    assert_eq!(ledger.baseline, Some(Microjoules(400_000)));
}

#[test]
fn cycles_weigh_where_everyone_has_them() {
    let mut run = mixed();
    run.header.events = Event::with(&[Counter::Cycles]);
    // Kernel, other, eprof, target: the target ran at twice the frequency.
    let [first, second] = &mut run.records[1].cpus[..] else {
        panic!("two CPUs");
    };
    first.other[Counter::Cycles] = 3_000;
    first.target[Counter::Cycles] = 8_000;
    second.kernel[Counter::Cycles] = 2_000;
    second.eprof[Counter::Cycles] = 1_000;
    run.records[1].threads[0].signals[Counter::Cycles] = 8_000;
    let attributed = run.attribute();
    assert_eq!(attributed.weighings[0].rule, Rule::Cycles);
    assert_eq!(full(&attributed, 0, Account::Target), 571_429);

    let by_time = Settings {
        weights: Weights::Time,
        ..Settings::default()
    };
    let attributed = run.try_attribute(&by_time).unwrap();
    assert_eq!(attributed.weighings[0].rule, Rule::Time);
    assert_eq!(full(&attributed, 0, Account::Target), 400_000);

    // A thread without cycles would pay nothing.
    run.records[1].threads[0].signals[Counter::Cycles] = 0;
    run.records[1].cpus[0].target[Counter::Cycles] = 0;
    let attributed = run.attribute();
    assert_eq!(full(&attributed, 0, Account::Target), 400_000);
    assert!(codes(&attributed).contains(&"weights-mixed"));
}

#[test]
fn cycles_that_were_not_recorded_cannot_be_demanded() {
    let settings = Settings {
        weights: Weights::Cycles,
        ..Settings::default()
    };
    let error = mixed().try_attribute(&settings).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.given_hint().is_some());
}

#[test]
fn another_idle_power_can_be_tried_on_a_recording() {
    let mut run = mixed();
    run.idle(0, 40.0, 0.0);
    let with = |idle: Option<&str>| {
        let settings = Settings {
            idle: idle.map(|text| text.parse().unwrap()),
            ..Settings::default()
        };
        let ledger = run.try_attribute(&settings).unwrap().ledger;
        ledger.meters[0].baseline
    };
    assert_eq!(with(None), Some(Microjoules(400_000)));
    assert_eq!(with(Some("10W")), Some(Microjoules(100_000)));
    assert_eq!(with(Some("none")), None);
}

#[test]
fn a_model_knows_its_own_idle_power() {
    let mut run = Run::new(&[&[0, 1]]);
    let quantity = Quantity::Model {
        idle_w: 1.0,
        busy_w: 5.0,
        low: 0.5,
        high: 2.0,
    };
    run.meter(Domain::Package, quantity).provenance = Provenance::Estimated;
    run.interval(1000 * MS, &[(ROOT, 0, 500 * MS)], &[]);
    let ledger = run.attribute().ledger.meters.remove(0);
    assert_eq!(ledger.total, Microjoules(4_000_000));
    assert_eq!(ledger.baseline, Some(Microjoules(2_000_000)));
    // 0.5 s above idle; and a quarter of the two CPUs' idle seconds.
    assert_eq!(
        ledger.accounts[&Account::Target],
        energy(2_500_000, 2_000_000)
    );
    let profile = run.profile(0);
    assert_eq!(profile.summary.provenance, Provenance::Estimated);
    assert_eq!(profile.summary.band, Some((0.5, 2.0)));
}

#[test]
fn nobody_ran_so_nobody_pays() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    run.start(&[Some(0)]);
    run.interval(10 * MS, &[], &[Some(1000)]);
    let attributed = run.attribute();
    assert_eq!(full(&attributed, 0, Account::Unattributed), 1000);
    assert_eq!(attributed.threads, []);
}

#[test]
fn before_its_exec_the_child_is_eprof() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    run.start(&[Some(0)]);
    let work = [(0, 0, MS), (ROOT, 0, 3 * MS)];
    let record = run.interval(10 * MS, &work, &[Some(1000)]);
    record.samples = vec![sample(0, 0, 0, 5), sample(ROOT, 0, 0, 3)];
    let attributed = run.attribute();
    assert_eq!(full(&attributed, 0, Account::Eprof), 250);
    assert_eq!(full(&attributed, 0, Account::Target), 750);
    assert_eq!(attributed.threads.len(), 1);
    assert_eq!(attributed.threads[0].samples, 3);
    assert_eq!(attributed.cpus[0].on_cpu, Nanos(3 * MS));
}

#[test]
fn threads_that_could_not_be_followed_are_still_the_target() {
    let mut run = Run::new(&[&[0, 1]]);
    run.meter(Domain::Package, COUNTER);
    run.start(&[Some(0)]);
    let record = run.interval(10 * MS, &[(ROOT, 0, 3 * MS)], &[Some(1000)]);
    record.cpus[1].target.on_cpu = Nanos(MS);
    let attributed = run.attribute();
    assert_eq!(full(&attributed, 0, Account::Target), 1000);
    let nameless = attributed.threads.last().unwrap();
    assert_eq!(nameless.task, UNNAMED);
    assert_eq!(nameless.energy.with_idle, Microjoules(250));
    assert_eq!(nameless.signals.on_cpu, Nanos(MS));
    assert!(codes(&attributed).contains(&"threads-unnamed"));
    assert_eq!(run.profile(0).threads[1].comm, "[unnamed]");
}

#[test]
fn the_target_s_cpus_share_its_energy_by_time() {
    let mut run = Run::new(&[&[0, 1]]);
    run.meter(Domain::Package, COUNTER);
    run.start(&[Some(0)]);
    let work = [(ROOT, 0, MS), (ROOT, 1, 3 * MS)];
    run.interval(10 * MS, &work, &[Some(1000)]);
    let cpus = run.attribute().cpus;
    assert_eq!(cpus[0].energy, energy(250, 250));
    assert_eq!(cpus[1].energy, energy(750, 750));
}

#[test]
fn a_thread_on_two_sockets_pays_both_meters() {
    let mut run = Run::new(&[&[0], &[1]]);
    run.meter(Domain::Package, COUNTER).cpus = vec![0];
    run.meter(Domain::Package, COUNTER).cpus = vec![1];
    let second = run.task(101, 100, 0, Some(ROOT));
    run.start(&[Some(0), Some(0)]);
    let work = [(ROOT, 0, MS), (ROOT, 1, MS), (second, 1, 3 * MS)];
    run.interval(10 * MS, &work, &[Some(1000), Some(4000)]);
    let attributed = run.attribute();
    assert_eq!(attributed.threads[0].task, TaskId(ROOT));
    assert_eq!(attributed.threads[0].energy.with_idle, Microjoules(2000));
    assert_eq!(attributed.threads[1].energy.with_idle, Microjoules(3000));
    // Both threads are one process.
    assert_eq!(attributed.processes.len(), 1);
    assert_eq!(attributed.processes[0].energy.with_idle, Microjoules(5000));
}
