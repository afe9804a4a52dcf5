//! Any recording at all, as far as the reader of recordings lets it through.

use eprof::measurement::{Counter, Domain, Event, Quantity, TaskId};
use eprof::recording::IntervalRecord;
use eprof::unit::{Nanos, Watts};
use proptest::collection::vec;
use proptest::prelude::*;

use super::machine::{MS, Run, sample};

/// What a meter says at the end of an interval.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    /// It counted on.
    More(u64),
    /// It could not be read.
    Nothing,
    /// It says anything.
    Nonsense(u64),
}

#[derive(Clone, Debug)]
struct Span {
    length: u64,
    work: Vec<(u32, u32, u64)>,
    others: Vec<[u64; 4]>,
    cycles: Vec<u64>,
    samples: Vec<(u32, u16, u32, u32)>,
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
struct Dial {
    quantity: Quantity,
    cpus: u32,
    nested: bool,
    idle: Option<f64>,
    plausible: f64,
}

/// How many stacks the samples point to.
pub(crate) const STACKS: u32 = 6;
const CPUS: u32 = 4;
const METERS: usize = 4;
/// As in real registers, more than a second's energy at the guard.
pub(crate) const MODULUS: u64 = 5_000_000_000;

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        6 => (0u64..2_000_000).prop_map(Word::More),
        1 => Just(Word::More(0)),
        1 => Just(Word::Nothing),
        1 => any::<u64>().prop_map(Word::Nonsense),
    ]
}

fn quantity() -> impl Strategy<Value = Quantity> {
    let unit = || prop_oneof![Just(1.0), Just(1e6 / 4_294_967_296.0), 1e-3f64..1e4];
    prop_oneof![
        (unit(), any::<bool>()).prop_map(|(unit_uj, wraps)| Quantity::Counter {
            unit_uj,
            modulus: wraps.then_some(MODULUS),
        }),
        unit().prop_map(|unit_uj| Quantity::Falling { unit_uj }),
        (1e-7f64..1e-3).prop_map(|unit_w| Quantity::Power { unit_w }),
        (0.0f64..5.0, 0.0f64..20.0).prop_map(|(idle_w, more)| Quantity::Model {
            idle_w,
            busy_w: idle_w + more,
            low: 0.5,
            high: 2.0,
        }),
    ]
}

fn dial() -> impl Strategy<Value = Dial> {
    let idle = proptest::option::of(prop_oneof![0.0f64..300.0, Just(f64::NAN), Just(-1.0)]);
    let plausible = prop_oneof![Just(1000.0), Just(f64::INFINITY)];
    (quantity(), 0u32..16, any::<bool>(), idle, plausible).prop_map(
        |(quantity, cpus, nested, idle, plausible)| Dial {
            quantity,
            cpus,
            nested,
            idle,
            plausible,
        },
    )
}

fn span(tasks: u32) -> impl Strategy<Value = Span> {
    // Times may exceed the interval, and threads may exceed their CPU.
    let time = || prop_oneof![0..12 * MS, 0..3_000u64, any::<u64>()];
    let fair = || prop_oneof![9 => 0..12 * MS, 1 => time()];
    (
        prop_oneof![Just(0), 1..30 * MS, Just(3_600_000 * MS)],
        vec((0..tasks, 0..CPUS, fair()), 0..6),
        vec([fair(), fair(), fair(), fair()], CPUS as usize),
        vec(
            prop_oneof![Just(0), any::<u32>().prop_map(u64::from), any::<u64>()],
            40,
        ),
        vec((0..tasks, 0..CPUS, 0..STACKS, 1u32..9), 0..6),
        vec(word(), METERS),
    )
        .prop_map(|(length, work, others, cycles, samples, words)| Span {
            length,
            work,
            others,
            cycles,
            samples: samples
                .into_iter()
                .map(|(task, zone, stack, count)| {
                    let zone = u16::try_from(zone).unwrap();
                    (task, zone, stack, count)
                })
                .collect(),
            words,
        })
}

/// Any run.
pub(crate) fn run() -> impl Strategy<Value = Run> {
    // (tid, pid offset, generation, parent)
    let tasks = vec((0u32..6, 0u32..3, 0u32..3, 0u32..4), 0..6);
    tasks.prop_flat_map(|tasks| {
        let count = u32::try_from(tasks.len()).unwrap() + 2;
        (
            Just(tasks),
            any::<bool>(),
            any::<bool>(),
            vec(dial(), 0..=METERS),
            vec(span(count), 0..14),
        )
            .prop_map(|(tasks, split, cycles, dials, spans)| {
                build(&tasks, split, cycles, &dials, &spans)
            })
    })
}

fn build(
    tasks: &[(u32, u32, u32, u32)],
    split: bool,
    cycles: bool,
    dials: &[Dial],
    spans: &[Span],
) -> Run {
    let mut run = if split {
        Run::new(&[&[0], &[1], &[2], &[3]])
    } else {
        Run::new(&[&[0, 1, 2, 3]])
    };
    if cycles {
        run.header.events = Event::with(&[Counter::Cycles]);
    }
    for (id, &(tid, pid, generation, parent)) in tasks.iter().enumerate() {
        let parent = parent.min(u32::try_from(id).unwrap());
        run.task(100 + tid, 100 + pid, generation, Some(parent));
    }
    for (id, dial) in (0..).zip(dials) {
        let meter = run.meter(Domain::Package, dial.quantity);
        // Without a scope of its own, a meter may also have no list of CPUs.
        if split || dial.cpus == 0 {
            meter.cpus = (0..CPUS).filter(|cpu| dial.cpus >> cpu & 1 == 1).collect();
        }
        meter.nested = dial.nested;
        meter.plausible = Watts(dial.plausible);
        if let Some(watts) = dial.idle {
            run.idle(id, watts, 0.1);
        }
    }
    let mut raw = vec![MODULUS / 2; dials.len()];
    for span in spans {
        let mut said = Vec::new();
        for ((raw, word), dial) in raw.iter_mut().zip(&span.words).zip(dials) {
            match *word {
                Word::More(more) => *raw = count_on(*raw, more, dial.quantity),
                Word::Nonsense(value) => *raw = value,
                Word::Nothing => {}
            }
            said.push((!matches!(word, Word::Nothing)).then_some(*raw));
        }
        let record = run.interval(span.length, &span.work, &said);
        fill(record, span, split);
    }
    run
}

/// The next value of a register.
fn count_on(raw: u64, more: u64, quantity: Quantity) -> u64 {
    match quantity {
        Quantity::Counter {
            modulus: Some(modulus),
            ..
        } => raw.wrapping_add(more) % modulus,
        Quantity::Falling { .. } => raw.wrapping_sub(more),
        Quantity::Power { .. } => more,
        _ => raw.wrapping_add(more),
    }
}

fn fill(record: &mut IntervalRecord, span: &Span, split: bool) {
    let mut cycles = span.cycles.iter().copied().cycle();
    for (cpu, others) in record.cpus.iter_mut().zip(&span.others) {
        cpu.other.on_cpu = Nanos(others[0]);
        cpu.kernel.on_cpu = Nanos(others[1]);
        cpu.eprof.on_cpu = Nanos(others[2]);
        // Time of the target that no thread claims.
        cpu.target.on_cpu += Nanos(others[3] / 4);
        for class in [
            &mut cpu.kernel,
            &mut cpu.other,
            &mut cpu.eprof,
            &mut cpu.target,
        ] {
            class[Counter::Cycles] = cycles.next().unwrap();
        }
    }
    for thread in &mut record.threads {
        thread.signals[Counter::Cycles] = cycles.next().unwrap();
    }
    let samples = span.samples.iter();
    record.samples = samples
        .map(|&(task, zone, stack, count)| {
            let zone = if split { zone } else { 0 };
            sample(task, zone, stack, count)
        })
        .collect();
    record.samples.retain(|of| of.task != TaskId(u32::MAX));
}
