//! Do 90 % error bars hold the truth 90 % of the time? Simulated meters whose
//! truth is known, with seeds, so that every run of the test is the same.

use eprof::attribute::uncertainty::sampling_share;
use eprof::attribute::{HalfWidth, Settings, Weights};
use eprof::measurement::Domain;
use eprof::unit::Nanos;

use super::dice::Dice;
use super::machine::{COUNTER, MS, Run, sample};

/// What came of one kind of row.
#[derive(Debug, Default)]
struct Score {
    rows: u32,
    held: u32,
    error: f64,
    width: f64,
}

impl Score {
    fn note(&mut self, estimate: f64, truth: f64, half_width: f64) {
        self.rows += 1;
        self.held += u32::from((estimate - truth).abs() <= half_width);
        self.error += (estimate - truth).abs();
        self.width += half_width;
    }

    /// At least 85 % are held, and not by bars of any length: for a normal
    /// error, the mean error is 0.49 of a 90 % half width.
    fn assert(&self, what: &str) {
        let held = f64::from(self.held) / f64::from(self.rows);
        let length = self.width / self.error * 0.49;
        assert!(held >= 0.85, "{what}: {held:.3} held ({self:?})");
        assert!(length < 2.5, "{what}: {length:.2} times too long");
    }
}

fn by_time() -> Settings {
    Settings {
        weights: Weights::Time,
        ..Settings::default()
    }
}

/// The half width of a row, were its weights certain.
fn known(width: HalfWidth) -> f64 {
    let width = HalfWidth {
        weights: 0.0,
        ..width
    };
    width.total().0 as f64
}

/// A register that is updated every millisecond, read at a random age, while
/// three threads of two processes come and go and the power changes.
fn jittered(seed: u64, latch: u64, scores: &mut [Score; 3]) {
    let mut dice = Dice::new(seed);
    let mut run = Run::new(&[&[0, 1]]);
    run.meter(Domain::Package, COUNTER).update_period = Nanos(latch);
    let second = run.task(101, 100, 0, Some(1));
    let other = run.task(102, 102, 0, Some(1));
    let people = [1, second, other];

    const LENGTH: u64 = 10 * MS;
    let mut truth = [0.0; 3];
    let mut energy = 0.0;
    let mut watts = 40.0;
    let mut age = dice.uniform() * latch as f64;
    let reading =
        |energy: f64, watts: f64, age: f64| Some((1e6 + energy - watts * age / 1e3) as u64);
    run.start(&[reading(energy, watts, age)]);
    for _ in 0..50 {
        watts = 20.0 + 60.0 * dice.uniform();
        let times: Vec<u64> = people
            .iter()
            .map(|_| {
                if dice.uniform() < 0.5 {
                    0
                } else {
                    (dice.uniform() * 8e6) as u64
                }
            })
            .collect();
        let busy: u64 = times.iter().sum();
        let used = watts * LENGTH as f64 / 1e3;
        energy += used;
        for (truth, &time) in truth.iter_mut().zip(&times) {
            if busy > 0 {
                *truth += used * time as f64 / busy as f64;
            }
        }
        age = dice.uniform() * latch as f64;
        let work: Vec<_> = people
            .iter()
            .zip(&times)
            .filter(|(_, time)| **time > 0)
            .map(|(&task, &time)| (task, task % 2, time))
            .collect();
        run.interval(LENGTH, &work, &[reading(energy, watts, age)]);
    }
    // The truth of these runs is that all CPU time is alike.
    let attributed = run.try_attribute(&by_time()).unwrap();
    for (row, truth) in attributed.threads.iter().zip(truth) {
        scores[0].note(row.energy.with_idle.0 as f64, truth, known(row.width));
    }
    for (row, truth) in attributed
        .processes
        .iter()
        .zip([truth[0] + truth[1], truth[2]])
    {
        scores[1].note(row.energy.with_idle.0 as f64, truth, known(row.width));
    }
    let ledger = &attributed.ledger.meters[0];
    let account = eprof::attribute::Account::Target;
    scores[2].note(
        ledger.accounts[&account].with_idle.0 as f64,
        truth.iter().sum(),
        known(ledger.widths[&account]),
    );
}

#[test]
fn timing_bars_hold_the_truth() {
    for latch in [MS, 4 * MS] {
        let mut scores = <[Score; 3]>::default();
        for seed in 0..200 {
            jittered(seed, latch, &mut scores);
        }
        for (score, what) in scores.iter().zip(["threads", "processes", "target"]) {
            score.assert(what);
        }
    }
}

#[test]
fn baseline_bars_hold_the_truth() {
    // The idle power is known to ±0.5 W; the meter is perfect.
    let mut score = Score::default();
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let (truth_w, sd) = (10.0, 0.5);
        // A normal deviate (Box and Muller 1958).
        let normal = (-2.0 * (1.0 - dice.uniform()).ln()).sqrt()
            * (std::f64::consts::TAU * dice.uniform()).cos();
        let mut run = Run::new(&[&[0, 1, 2, 3]]);
        run.meter(Domain::Package, COUNTER).update_period = Nanos(0);
        run.idle(0, truth_w + sd * normal, sd);
        run.start(&[Some(0)]);
        let (mut truth, mut raw) = (0.0, 0);
        for _ in 0..50 {
            raw += 400_001 + (dice.uniform() * 2e5) as u64;
            let time = 1 + (dice.uniform() * 1e7) as u64;
            run.interval(10 * MS, &[(1, 0, time)], &[Some(raw)]);
            // One of four CPUs: a share of the idle power by time, and all
            // of what is above it.
            truth += truth_w * 1e4 * (time as f64 / 4e7 - 1.0);
        }
        let row = &run.try_attribute(&by_time()).unwrap().threads[0];
        let whole = raw as f64;
        score.note(
            row.energy.with_idle.0 as f64,
            whole + truth,
            known(row.width),
        );
    }
    score.assert("baseline");
}

#[test]
fn sampling_bars_hold_the_truth() {
    for share in [0.01, 0.1, 0.5, 0.97] {
        for samples in [20u32, 200, 2000] {
            let mut dice = Dice::new(samples.into());
            let mut score = Score::default();
            for _ in 0..500 {
                let hits = (0..samples).filter(|_| dice.uniform() < share).count();
                let estimate = hits as f64 / f64::from(samples);
                let width = sampling_share(estimate, f64::from(samples));
                score.note(estimate, share, width);
            }
            let held = f64::from(score.held) / f64::from(score.rows);
            assert!(held >= 0.85, "{share} of {samples}: {held}");
        }
    }
}

/// The whole way: two functions, random samples, a power that changes.
#[test]
fn function_bars_hold_the_truth() {
    let mut score = Score::default();
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let mut run = Run::new(&[&[0]]);
        run.meter(Domain::Package, COUNTER).update_period = Nanos(0);
        run.start(&[Some(0)]);
        let (mut raw, mut truth) = (0, 0.0);
        for _ in 0..60 {
            let used = 100_001 + (dice.uniform() * 4e5) as u64;
            raw += used;
            // 30 % of the time is spent in function 1, whatever the power.
            truth += 0.3 * used as f64;
            let hits = (0..10).filter(|_| dice.uniform() < 0.3).count();
            let hits = u32::try_from(hits).unwrap();
            let record = run.interval(10 * MS, &[(1, 0, 10 * MS)], &[Some(raw)]);
            record.samples = vec![sample(1, 0, 1, hits), sample(1, 0, 2, 10 - hits)];
            record.samples.retain(|of| of.count > 0);
        }
        let profile = run.profile(3);
        let row = profile
            .functions
            .iter()
            .find(|row| row.key.function == "fn 1");
        let row = row.unwrap();
        score.note(row.own.with_idle.0 as f64, truth, row.ci90.0 as f64);
    }
    score.assert("functions");
}
