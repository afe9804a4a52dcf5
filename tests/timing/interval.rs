//! Energies of intervals against the truth.

use eprof::unit::Nanos;

use crate::run::{Run, Session, deviation, errors};
use crate::world::{Dice, PACKAGE, Power, Register, World};

const MS: u64 = 1_000_000;
const SECONDS: f64 = 30.0;

fn told(what: &str, world: &World, run: &Run, meter: u16) -> f64 {
    let (relative, normalised) = errors(world, run, meter);
    let (first, last) = (&run.records[0], run.records.last().unwrap());
    let seconds = last.end.since(first.end).seconds();
    let mut sorted: Vec<f64> = relative.iter().map(|error| error.abs()).collect();
    sorted.sort_by(f64::total_cmp);
    let quantile = |part: f64| sorted[((sorted.len() - 1) as f64 * part) as usize] * 100.0;
    let inside = normalised
        .iter()
        .filter(|error| error.abs() < 1.645)
        .count();
    eprintln!(
        "{what:<44} sd {:5.2} %  p50 {:5.2}  p95 {:5.2}  max {:6.2} %  inside 90 %: {:4.1} %  {:5.1} reads/s  locked {:5.1} %",
        deviation(&relative) * 100.0,
        quantile(0.5),
        quantile(0.95),
        quantile(1.0),
        inside as f64 / normalised.len() as f64 * 100.0,
        run.reads as f64 / seconds,
        run.locked as f64 / (run.records.len() - 2) as f64 * 100.0,
    );
    deviation(&relative)
}

#[test]
fn figures() {
    for ms in [5, 10, 50] {
        for (name, power) in [
            ("constant", Power::constant(40.0)),
            (
                "telegraph",
                Power::telegraph(15.0, 60.0, 20.0, SECONDS + 1.0, &mut Dice(3)),
            ),
        ] {
            let world = World::new(
                power,
                vec![
                    PACKAGE,
                    Register {
                        first_us: 900.0,
                        share: 0.2,
                        ..PACKAGE
                    },
                ],
                SECONDS + 1.0,
                &mut Dice(1),
            );
            let run = Session::run(&world, Nanos(ms * MS), SECONDS, 7);
            told(&format!("{ms} ms {name}"), &world, &run, 0);
            told(&format!("{ms} ms {name} other clock"), &world, &run, 1);
            let run = Session::naive(&world, Nanos(ms * MS), SECONDS, 7);
            told(&format!("{ms} ms {name} naive"), &world, &run, 0);
        }
    }
}
