//! Attribution against simulated machines whose law is known: who is charged
//! what, and whether the bars hold the truth.

use eprof::attribute::{Attributed, Rule, Settings, Weights};
use eprof::measurement::{Counter, Domain, Event, MeterId, Signals, TaskId};
use eprof::power::{PowerModel, Shape, Signal, Term};
use eprof::unit::Nanos;

use super::dice::Dice;
use super::machine::{COUNTER, MS, ROOT, Run, sample};

const IDLE_W: f64 = 9.0;
/// Per second, cycle, instruction and miss of the last-level cache: joules of a
/// server core of about 2020.
const LAW: [f64; 4] = [0.8, 0.9e-9, 0.5e-9, 32e-9];
const REFERENCE_HZ: f64 = 2.4e9;

/// What a thread is like.
#[derive(Clone, Copy, Debug)]
struct Character {
    hz: f64,
    per_cycle: f64,
    misses: f64,
    /// Power that no counter sees, as a factor.
    hidden: f64,
}

const HOT: Character = Character {
    hz: 3.5e9,
    per_cycle: 3.2,
    misses: 2e5,
    hidden: 1.0,
};
const MID: Character = Character {
    hz: 3.0e9,
    per_cycle: 1.6,
    misses: 4e6,
    hidden: 1.0,
};
const LOW: Character = Character {
    hz: 2.2e9,
    per_cycle: 0.7,
    misses: 1e6,
    hidden: 1.0,
};
const MEM: Character = Character {
    hz: 2.6e9,
    per_cycle: 0.35,
    misses: 6e7,
    hidden: 1.0,
};

impl Character {
    fn watts(&self) -> f64 {
        let counted =
            LAW[0] + LAW[1] * self.hz + LAW[2] * self.hz * self.per_cycle + LAW[3] * self.misses;
        counted * self.hidden
    }

    fn signals(&self, ns: u64) -> Signals {
        let count = |hz: f64| (hz * ns as f64 / 1e9) as u64;
        let mut signals = Signals::of_time(Nanos(ns));
        signals[Counter::Cycles] = count(self.hz);
        signals[Counter::ReferenceCycles] = count(REFERENCE_HZ);
        signals[Counter::Instructions] = count(self.hz * self.per_cycle);
        signals[Counter::CacheMisses] = count(self.misses);
        signals[Event::Switches] = 1;
        signals[Event::Wakeups] = 1;
        signals
    }
}

/// A thread that works for a while and sleeps for a while, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Worker(Character, u64, u64);

/// Runs workers, one per CPU, for so many intervals of 10 ms. The meter's dates
/// are off by 40 µs. Returns the run and each worker's true energy in µJ.
fn simulate(workers: &[Worker], intervals: u64, seed: u64) -> (Run, Vec<f64>) {
    let mut dice = Dice::new(seed);
    let cpus: Vec<u32> = (0..).take(workers.len()).collect();
    let mut run = Run::new(&[&cpus]);
    run.meter(Domain::Package, COUNTER).update_period = Nanos(0);
    run.idle(0, IDLE_W, 0.02);
    run.header.events = Event::ALL.to_vec();
    let mut tasks = vec![ROOT];
    for tid in (101..).take(workers.len() - 1) {
        tasks.push(run.task(tid, 100, 0, Some(1)));
    }
    let mut truth = vec![0.0; workers.len()];
    let (mut energy, mut watts) = (1e6, IDLE_W);
    run.start(&[Some(energy as u64)]);
    for interval in 0..intervals {
        let span = (interval * 10 * MS, (interval + 1) * 10 * MS);
        let mut busy = Vec::new();
        let mut used = IDLE_W * 10_000.0;
        for (at, worker) in workers.iter().enumerate() {
            let ns = worked(worker, span);
            let joules = worker.0.watts() * ns as f64 / 1e3;
            truth[at] += joules;
            used += joules;
            busy.push(ns);
        }
        energy += used;
        // The register's update was a little earlier or later.
        let off = (dice.uniform() + dice.uniform() + dice.uniform() - 1.5) * 80.0 * watts;
        watts = used / 10_000.0;
        let work: Vec<_> = tasks
            .iter()
            .zip(&cpus)
            .zip(&busy)
            .filter(|(_, ns)| **ns > 0)
            .map(|((&task, &cpu), &ns)| (task, cpu, ns))
            .collect();
        let record = run.interval(10 * MS, &work, &[Some((energy + off) as u64)]);
        for ((worker, ns), &cpu) in workers.iter().zip(&busy).zip(&cpus) {
            record.cpus[cpu as usize].target = worker.0.signals(*ns);
        }
        for thread in &mut record.threads {
            let at = tasks
                .iter()
                .position(|task| TaskId(*task) == thread.task)
                .unwrap();
            thread.signals = workers[at].0.signals(thread.signals.on_cpu.0);
        }
    }
    (run, truth)
}

/// How long `worker` works in a span of time.
fn worked(worker: &Worker, (from, to): (u64, u64)) -> u64 {
    let (on, off) = (worker.1 * MS, worker.2 * MS);
    if off == 0 {
        return to - from;
    }
    let until = |at: u64| at / (on + off) * on + (at % (on + off)).min(on);
    until(to) - until(from)
}

/// The calibration of the same machine: its law, known to 2 %.
fn calibrated(run: &mut Run) {
    let signals = [
        Signal::Time(String::new()),
        Counter::Cycles.into(),
        Counter::Instructions.into(),
        Counter::CacheMisses.into(),
    ];
    // Time is in nanoseconds, the law in seconds.
    let off = [1.02e-9, 0.99, 1.01, 0.98];
    let terms: Vec<Term> = signals
        .iter()
        .zip(LAW)
        .zip(off)
        .map(|((signal, weight), off)| Term {
            signal: signal.clone(),
            shape: Shape::Linear,
            weight: weight * off,
        })
        .collect();
    let covariance = (0..16).map(|at| match at % 5 {
        0 => (terms[at / 5].weight * 0.02).powi(2),
        _ => 0.0,
    });
    run.header.models.push(PowerModel {
        meter: MeterId(0),
        covariance: covariance.collect(),
        terms: terms.clone(),
        residual: 0.02,
        origin: "calibration".to_owned(),
    });
}

fn errors(attributed: &Attributed, truth: &[f64]) -> Vec<f64> {
    let rows = attributed.threads.iter().zip(truth);
    rows.map(|(row, truth)| row.energy.above_idle.0 as f64 / truth - 1.0)
        .collect()
}

fn worst(attributed: &Attributed, truth: &[f64]) -> f64 {
    errors(attributed, truth)
        .iter()
        .fold(0.0, |worst: f64, error| worst.max(error.abs()))
}

/// Rows that hold the truth, and all.
fn held(attributed: &Attributed, truth: &[f64]) -> (usize, usize) {
    let rows = attributed.threads.iter().zip(truth);
    let held = rows.filter(|(row, truth)| {
        let error = row.energy.above_idle.0 as f64 - *truth;
        error.abs() <= row.width.total().0 as f64
    });
    (held.count(), truth.len())
}

#[test]
fn threads_that_come_and_go_are_told_apart_without_a_calibration() {
    let workers = [
        Worker(HOT, 30, 20),
        Worker(MEM, 17, 26),
        Worker(LOW, 110, 50),
        Worker(MID, 7, 9),
    ];
    let (run, truth) = simulate(&workers, 300, 1);
    let attributed = run.attribute();
    assert_eq!(attributed.weighings[0].rule, Rule::Model);
    assert!(
        worst(&attributed, &truth) < 0.03,
        "{:?}",
        errors(&attributed, &truth)
    );
}

#[test]
fn threads_that_always_run_together_need_a_calibration() {
    let (mut run, truth) = simulate(&[Worker(HOT, 1, 0), Worker(MEM, 1, 0)], 400, 2);
    let blind = run.attribute();
    // Nothing in the run tells who it was; the bars say so.
    assert_eq!(held(&blind, &truth), (2, 2), "{:?}", blind.threads);
    calibrated(&mut run);
    let attributed = run.attribute();
    assert_eq!(attributed.weighings[0].rule, Rule::Model);
    assert!(
        worst(&attributed, &truth) < 0.02,
        "{:?}",
        errors(&attributed, &truth)
    );
}

#[test]
fn twins_are_charged_alike() {
    let workers = [Worker(MID, 1, 0), Worker(MID, 1, 0), Worker(MEM, 20, 20)];
    let (run, truth) = simulate(&workers, 400, 3);
    let attributed = run.attribute();
    let marginal = |at: usize| attributed.threads[at].energy.above_idle.0 as f64;
    let apart = (marginal(0) - marginal(1)).abs() / marginal(0);
    assert!(apart < 0.005, "{apart}");
    assert!(
        worst(&attributed, &truth) < 0.06,
        "{:?}",
        errors(&attributed, &truth)
    );
}

/// Bars of threads hold the truth in 85 % of rows at least: random threads, with
/// and without counters, calibrated or not, with power that no counter sees.
#[test]
fn bars_hold_the_truth() {
    for (counted, hidden, calibration) in [
        (true, 0.0, false),
        (true, 0.0, true),
        (true, 0.2, false),
        (true, 0.5, false),
        (false, 0.0, false),
        (false, 0.5, false),
    ] {
        let (mut in_bars, mut all, mut error, mut width, mut by_time) = (0, 0, 0.0, 0.0, 0.0);
        for seed in 0..24 {
            let mut dice = Dice::new(1000 + seed);
            let kinds = [HOT, MID, LOW, MEM];
            let count = 2 + (dice.uniform() * 4.0) as usize;
            let workers: Vec<Worker> = (0..count)
                .map(|_| {
                    let kind = kinds[(dice.uniform() * 4.0) as usize];
                    let character = Character {
                        hidden: 1.0 + hidden * (2.0 * dice.uniform() - 1.0),
                        ..kind
                    };
                    let steady = dice.uniform() < 0.4;
                    let mut span = |most: f64| 2 + (dice.uniform() * most) as u64;
                    Worker(character, span(60.0), if steady { 0 } else { span(40.0) })
                })
                .collect();
            let (mut run, truth) = simulate(&workers, 250, seed);
            if calibration {
                calibrated(&mut run);
            }
            if !counted {
                run.header.events = Event::with(&[]);
            }
            let attributed = run.attribute();
            let (held, rows) = held(&attributed, &truth);
            in_bars += held;
            all += rows;
            for (row, truth) in attributed.threads.iter().zip(&truth) {
                error += (row.energy.above_idle.0 as f64 - truth).abs() / truth;
                width += row.width.total().0 as f64 / truth;
            }
            by_time += errors(&shared_by_time(&run), &truth)
                .iter()
                .map(|error| error.abs())
                .sum::<f64>();
        }
        let held = in_bars as f64 / all as f64;
        println!(
            "counters {counted}, hidden ±{hidden}, calibrated {calibration}: held {held:.3}, mean error {:.4} (by time {:.4}), mean half width {:.4}",
            error / all as f64,
            by_time / all as f64,
            width / all as f64,
        );
        assert!(held >= 0.85, "{held} held");
        assert!(error < by_time / 2.0, "{error}, by time {by_time}");
    }
}

fn shared_by_time(run: &Run) -> Attributed {
    let settings = Settings {
        weights: Weights::Time,
        ..Settings::default()
    };
    run.try_attribute(&settings).unwrap()
}

#[test]
fn demanded_weights_are_used_as_they_are() {
    let (run, _) = simulate(&[Worker(HOT, 30, 20), Worker(MEM, 17, 26)], 300, 5);
    let by = |weights| {
        let settings = Settings {
            weights,
            ..Settings::default()
        };
        run.try_attribute(&settings).unwrap()
    };
    let time = by(Weights::Time);
    assert_eq!(time.weighings[0].rule, Rule::Time);
    let ratio = |of: &Attributed| {
        let marginal = |at: usize| of.threads[at].energy.above_idle.0 as f64;
        marginal(0) / marginal(1)
    };
    // Busy at the same time, they share by time, whatever they do.
    assert!(
        ratio(&by(Weights::Model)) > 1.05 * ratio(&time)
            || ratio(&by(Weights::Model)) < 0.95 * ratio(&time)
    );
    assert_eq!(by(Weights::Cycles).weighings[0].rule, Rule::Cycles);
}

/// One thread whose functions take turns of `phase` ms, sampled at 997 Hz. The
/// part of the energy that is charged to the wrong function.
fn misplaced(phase: f64, counted: bool) -> f64 {
    let kinds = [HOT, MEM, LOW, MID];
    let mut dice = Dice::new(9);
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER).update_period = Nanos(0);
    run.idle(0, IDLE_W, 0.02);
    if counted {
        run.header.events = Event::ALL.to_vec();
    }
    run.start(&[Some(1_000_000)]);
    let mut truth = [0.0; 4];
    let mut energy = 1e6;
    let (mut at, mut turn, mut left) = (0.0, 0, phase);
    let mut tick = 1000.0 / 997.0;
    for _ in 0..400 {
        let end = at + 10.03;
        let mut whole = Signals::default();
        let mut since = Signals::default();
        let mut samples = Vec::new();
        while at < end {
            let step = left.min(end - at).min(tick);
            let character = kinds[turn];
            let part = character.signals((step * 1e6) as u64);
            whole += part;
            since += part;
            truth[turn] += character.watts() * step * 1e3;
            energy += (IDLE_W + character.watts()) * step * 1e3;
            at += step;
            left -= step;
            tick -= step;
            if tick <= 1e-9 {
                let mut taken = sample(ROOT, 0, turn as u32 + 1, 1);
                taken.spent = since.on_cpu;
                taken.counts = since.events.counts();
                samples.push(taken);
                since = Signals::default();
                tick = 1000.0 / 997.0;
            }
            if left <= 1e-9 {
                turn = (turn + 1) % kinds.len();
                left = phase;
            }
        }
        let off = (dice.uniform() + dice.uniform() + dice.uniform() - 1.5) * 80.0 * 15.0;
        let ns = whole.on_cpu.0;
        let record = run.interval(ns, &[(ROOT, 0, ns)], &[Some((energy + off) as u64)]);
        record.cpus[0].target = whole;
        record.threads[0].signals = whole;
        record.samples = samples;
    }
    let profile = run.profile(5);
    let all: f64 = truth.iter().sum();
    let wrong: f64 = (0..4)
        .map(|kind| {
            let name = format!("fn {}", kind + 1);
            let row = profile
                .functions
                .iter()
                .find(|row| row.key.function == name);
            (row.unwrap().own.above_idle.0 as f64 - truth[kind]).abs()
        })
        .sum();
    wrong / 2.0 / all
}

#[test]
fn phases_of_one_thread_are_told_apart() {
    for (phase, bound) in [(1.0, 0.2), (5.0, 0.05), (20.0, 0.02), (100.0, 0.02)] {
        let (counted, uncounted) = (misplaced(phase, true), misplaced(phase, false));
        println!("phases of {phase} ms: misplaced {counted:.4}, without counters {uncounted:.4}");
        assert!(counted <= bound, "{phase} ms: {counted}");
    }
}
