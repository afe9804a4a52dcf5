//! Energies of intervals against the truth.

use eprof::measurement::UpdateTime;
use eprof::timeline::Timeline;
use eprof::unit::{Nanos, Timestamp};
use proptest::prelude::*;

use super::run::{Run, Session, deviation, errors, header};
use super::world::{Dice, PACKAGE, Power, Register, World};

const TEN: Nanos = Nanos(10_000_000);
const SECONDS: f64 = 30.0;

/// Second package, of another clock and a fifth of the power.
const OTHER: Register = Register {
    first_us: 900.0,
    share: 0.2,
    ..PACKAGE
};

/// Memory that is updated every 20 ms.
const RARE: Register = Register {
    period_us: 20_000.0,
    share: 0.1,
    missing: 0.0,
    ..PACKAGE
};

fn world(power: Power, registers: Vec<Register>) -> World {
    World::new(power, registers, SECONDS + 1.0, &mut Dice(1))
}

fn telegraph(dwell_ms: f64) -> Power {
    Power::telegraph(15.0, 60.0, dwell_ms, SECONDS + 1.0, &mut Dice(3))
}

/// Standard deviation of the energies of a meter's intervals, and the part of
/// them whose 90 % interval holds the truth.
fn told(what: &str, world: &World, run: &Run, meter: u16) -> (f64, f64) {
    let (relative, normalised) = errors(world, run, meter);
    let (first, last) = (&run.records[0], run.records.last().unwrap());
    let seconds = last.end.since(first.end).seconds();
    let inside = normalised
        .iter()
        .filter(|error| error.abs() < 1.645)
        .count();
    let (sd, held) = (
        deviation(&relative),
        inside as f64 / normalised.len() as f64,
    );
    eprintln!(
        "{what:<36} sd {:5.2} %, {:4.1} % inside their 90 % intervals, {:5.1} reads/s, {:3.0} % of borders at updates",
        sd * 100.0,
        held * 100.0,
        run.reads as f64 / seconds,
        run.locked as f64 / (run.records.len() - 2) as f64 * 100.0,
    );
    (sd, held)
}

/// Counts that were read at the last less those at the first reading.
fn counted(world: &World, run: &Run, meter: usize) -> u64 {
    let raw = |n: usize| run.records[n].readings[meter].raw;
    let unit = world.registers[meter].unit_uj;
    ((raw(run.records.len() - 1) - raw(0)) as f64 * unit) as u64
}

fn summed(run: &Run, meter: u16) -> u64 {
    let of = run.stretches.iter().filter(|of| of.meter.0 == meter);
    of.filter_map(|stretch| stretch.energy).map(|uj| uj.0).sum()
}

#[test]
fn ten_milliseconds_are_known_to_one_percent() {
    for (name, power) in [
        ("constant power", Power::constant(40.0)),
        ("power that changes every 20 ms", telegraph(20.0)),
    ] {
        let world = world(power, vec![PACKAGE]);
        let run = Session::run(&world, TEN, SECONDS, 7);
        let (sd, held) = told(name, &world, &run, 0);
        let naive = Session::naive(&world, TEN, SECONDS, 7);
        let (without, _) = told("  read when it runs", &world, &naive, 0);
        assert!(sd <= 0.01, "{sd}");
        assert!(without > 2.0 * sd, "{without}");
        assert!(held > 0.85, "{held}");
        assert_eq!(summed(&run, 0), counted(&world, &run, 0));
    }
}

#[test]
fn intervals_of_other_lengths() {
    for ms in [2, 5, 50, 200] {
        let world = world(telegraph(100.0), vec![PACKAGE]);
        let run = Session::run(&world, Nanos(ms * 1_000_000), SECONDS, 7);
        let (sd, _) = told(&format!("{ms} ms, dwell 100 ms"), &world, &run, 0);
        assert!(sd <= (0.10 / ms as f64).max(0.005), "{sd}");
        assert_eq!(summed(&run, 0), counted(&world, &run, 0));
    }
}

#[test]
fn a_second_clock_and_a_register_without_one() {
    let world = world(Power::constant(40.0), vec![PACKAGE, OTHER, RARE]);
    let run = Session::run(&world, TEN, SECONDS, 7);
    for (meter, name) in [(0, "package"), (1, "another clock")] {
        let (sd, held) = told(name, &world, &run, meter);
        assert!(sd <= 0.01, "{sd}");
        assert!(held > 0.85, "{held}");
    }
    let rare = run.records.iter().flat_map(|record| &record.readings);
    assert!(
        rare.filter(|of| of.meter.0 == 2)
            .all(|of| of.updated.is_none())
    );
    for meter in 0..3 {
        assert_eq!(
            summed(&run, meter),
            counted(&world, &run, usize::from(meter))
        );
    }
}

#[test]
fn a_clock_that_jumps_costs_some_intervals_and_no_energy() {
    let jumping = Register {
        jump_s: Some(10.0),
        ..PACKAGE
    };
    let world = world(Power::constant(40.0), vec![jumping]);
    let run = Session::run(&world, TEN, SECONDS, 7);
    let (sd, _) = told("a clock that jumps", &world, &run, 0);
    assert!(sd <= 0.02, "{sd}");
    let late: Vec<_> = run
        .records
        .iter()
        .filter(|of| of.end.0 > 20_000_000_000)
        .collect();
    let dated = late
        .iter()
        .filter(|of| of.readings[0].updated.is_some())
        .count();
    assert!(dated * 10 > late.len() * 9, "{dated} of {}", late.len());
    assert_eq!(summed(&run, 0), counted(&world, &run, 0));
}

#[test]
fn noise_instead_of_a_clock_is_not_dated() {
    let filtered = Register {
        jitter_us: 250.0,
        ..PACKAGE
    };
    let world = world(Power::constant(40.0), vec![filtered]);
    let run = Session::run(&world, TEN, SECONDS, 7);
    told("no clock", &world, &run, 0);
    assert_eq!(run.locked, 0);
    assert_eq!(summed(&run, 0), counted(&world, &run, 0));
}

#[test]
fn updates_that_are_left_out_do_no_harm_to_the_clock() {
    let gaps = Register {
        missing: 0.05,
        ..PACKAGE
    };
    let world = world(Power::constant(40.0), vec![gaps]);
    let run = Session::run(&world, TEN, SECONDS, 7);
    let (sd, _) = told("every twentieth update left out", &world, &run, 0);
    // A border in 20 has the energy of an update too little: 10 % of two
    // intervals.
    assert!(sd <= 0.1 * (2.0f64 * 0.05).sqrt() + 0.01, "{sd}");
    assert!(run.locked * 10 > run.records.len() * 9);
}

proptest! {
    /// A foreign recording may have any dates: the energies still add up to
    /// what was read, and nothing runs backwards.
    #[test]
    fn any_dates_conserve_energy(
        dates in prop::collection::vec(
            prop::option::of((prop_oneof![any::<u64>(), 0u64..200_000_000], any::<u64>())),
            2..20,
        ),
    ) {
        let world = World::new(
            Power::telegraph(1.0, 90.0, 5.0, 0.3, &mut Dice(3)),
            vec![PACKAGE],
            0.3,
            &mut Dice(1),
        );
        let mut timeline = Timeline::new(&header(&world, TEN));
        let mut energies = Vec::new();
        let mut begin = Timestamp(0);
        let (mut first, mut last) = (None, 0);
        for (n, date) in (0..).zip(&dates) {
            let at = n as f64 * 10e6;
            let mut readings = world.read(at);
            readings[0].updated = date.map(|(at, sd)| UpdateTime { at: Timestamp(at), sd: Nanos(sd) });
            first.get_or_insert(readings[0].raw);
            last = readings[0].raw;
            let record = super::run::record(begin, Timestamp(at as u64), readings);
            begin = record.end;
            energies.extend(timeline.push(&record));
        }
        energies.extend(timeline.finish().0);
        let sum: u64 = energies.iter().map(|stretch| stretch.energy.unwrap().0).sum();
        let truth = (last - first.unwrap()) as f64 * PACKAGE.unit_uj;
        prop_assert_eq!(sum, truth as u64);
        for pair in energies.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].begin);
        }
        for stretch in &energies {
            prop_assert!(stretch.boundary.sd.is_finite() && stretch.boundary.mean.is_finite());
            prop_assert!(stretch.boundary.sd <= stretch.energy.unwrap().0 as f64);
        }
    }
}
