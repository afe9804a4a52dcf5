//! The timeline against meters whose true consumption is known.

use super::{Caveats, Timeline};
use crate::caveat::Caveat;
use crate::measurement::{
    CpuAccount, CpuGroup, CpuGroupId, Domain, Meter, MeterId, Provenance, Quantity, Reading, Scope,
    Signals, SourceKind,
};
use crate::recording::{Header, IntervalRecord};
use crate::unit::{Nanos, Timestamp, Watts};

const MS: u64 = 1_000_000;

fn meter(id: u16, domain: Domain, quantity: Quantity, cpus: &[u32]) -> Meter {
    Meter {
        id: MeterId(id),
        kind: SourceKind::Powercap,
        name: format!("meter {id}"),
        domain,
        scope: Scope::Machine,
        cpus: cpus.to_vec(),
        quantity,
        provenance: Provenance::Measured,
        nested: false,
        update_period: Nanos(MS),
        plausible: Watts(1000.0),
    }
}

fn counter(modulus: Option<u64>) -> Quantity {
    Quantity::Counter {
        unit_uj: 1.0,
        modulus,
    }
}

fn header(meters: Vec<Meter>) -> Header {
    Header {
        interval: Nanos(10 * MS),
        meters,
        cpu_groups: (0..2)
            .map(|id| CpuGroup {
                core: String::new(),
                id: CpuGroupId(id),
                cpus: vec![id.into()],
            })
            .collect(),
        ..Header::default()
    }
}

/// Interval number `n` of 10 ms, with both CPUs busy; `raw[m]` is the reading
/// of meter `m` at its end.
fn record(n: u64, raw: &[Option<u64>]) -> IntervalRecord {
    let end = Timestamp(n * 10 * MS);
    let begin = Timestamp(n.saturating_sub(1) * 10 * MS);
    let readings = (0..).zip(raw).filter_map(|(id, &raw)| {
        Some(Reading {
            updated: None,
            meter: MeterId(id),
            raw: raw?,
            begin: end,
            end,
        })
    });
    let busy = |cpu| CpuAccount {
        cpu,
        target: Signals::of_time(Nanos(10 * MS)),
        ..CpuAccount::default()
    };
    IntervalRecord {
        begin,
        end,
        readings: readings.collect(),
        cpus: if n > 0 {
            vec![busy(0), busy(1)]
        } else {
            Vec::new()
        },
        ..IntervalRecord::default()
    }
}

/// The energies that come out for rows of readings.
fn energies<R: AsRef<[Option<u64>]>>(
    meters: Vec<Meter>,
    rows: &[R],
) -> (Vec<Vec<Option<u64>>>, Caveats) {
    let mut out = vec![Vec::new(); meters.len()];
    let mut timeline = Timeline::new(&header(meters));
    let mut spans = Vec::new();
    for (n, raw) in (0..).zip(rows) {
        spans.extend(timeline.push(&record(n, raw.as_ref())));
    }
    let (left, caveats) = timeline.finish();
    for interval in spans.into_iter().chain(left) {
        let energy = interval.energy.map(|energy| energy.0);
        out[usize::from(interval.meter.0)].push(energy);
    }
    (out, caveats)
}

fn codes(caveats: &[Caveat]) -> Vec<&str> {
    caveats.iter().map(|caveat| caveat.code.as_str()).collect()
}

#[test]
fn each_interval_gets_its_difference() {
    let meters = vec![meter(0, Domain::Package, counter(None), &[])];
    let (out, caveats) = energies(meters, &[&[Some(7)], &[Some(1007)], &[Some(3007)]]);
    assert_eq!(out[0], [Some(1000), Some(2000)]);
    assert_eq!(codes(&caveats), [""; 0]);
}

#[test]
fn a_missing_reading_loses_nothing() {
    let meters = vec![meter(0, Domain::Package, counter(None), &[0])];
    let rows: &[&[Option<u64>]] = &[&[Some(0)], &[None], &[None], &[Some(9000)]];
    let (out, caveats) = energies(meters.clone(), rows);
    assert_eq!(out[0], [Some(9000)]);
    assert_eq!(codes(&caveats), ["reading-missing"]);

    let mut timeline = Timeline::new(&header(meters));
    let spans: Vec<_> = (0..)
        .zip(rows)
        .flat_map(|(n, raw)| timeline.push(&record(n, raw)))
        .collect();
    // The activity of all three intervals, of the meter's only CPU.
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].end.since(spans[0].begin), Nanos(30 * MS));
    assert_eq!(spans[0].cpus.len(), 1);
    assert_eq!(spans[0].cpus[0].target.on_cpu, Nanos(30 * MS));
}

#[test]
fn backwards_and_impossible_readings_make_their_span_unknown_and_start_anew() {
    for (glitch, code) in [
        (400, "counter-backwards"),
        (u64::MAX / 2, "counter-implausible"),
    ] {
        let meters = vec![meter(0, Domain::Package, counter(None), &[])];
        let rows: &[&[Option<u64>]] = &[
            &[Some(1000)],
            &[Some(2000)],
            &[Some(glitch)],
            &[Some(glitch + 500)],
        ];
        let (out, caveats) = energies(meters, rows);
        assert_eq!(out[0], [Some(1000), None, Some(500)], "{code}");
        assert_eq!(codes(&caveats), [code]);
    }
}

#[test]
fn every_domain_wraps_by_itself() {
    let (package, dram) = (262_143_328_850, 65_712_999_613);
    let meters = vec![
        meter(0, Domain::Package, counter(Some(package)), &[]),
        meter(1, Domain::Dram, counter(Some(dram)), &[]),
    ];
    // Only DRAM wraps.
    let rows: &[&[Option<u64>]] = &[
        &[Some(dram - 100), Some(dram - 100)],
        &[Some(dram + 900), Some(100)],
    ];
    let (out, caveats) = energies(meters, rows);
    assert_eq!(out, [[Some(1000)], [Some(200)]]);
    assert_eq!(codes(&caveats), [""; 0]);
}

#[test]
fn a_counter_that_never_moves_is_unknown_not_zero() {
    let meters = vec![meter(0, Domain::Psys, counter(None), &[])];
    let (out, caveats) = energies(meters, &[[Some(0)]; 50]);
    assert_eq!(out[0], [None]);
    assert_eq!(codes(&caveats), ["counter-stalled"]);
}

#[test]
fn a_counter_that_stops_is_unknown_from_then_on() {
    let meters = vec![meter(0, Domain::Psys, counter(None), &[])];
    let mut rows = vec![[Some(0)], [Some(1000)]];
    rows.extend([[Some(1000)]; 50]);
    let (out, caveats) = energies(meters, &rows);
    assert_eq!(out[0], [Some(1000), None]);
    assert_eq!(codes(&caveats), ["counter-stalled"]);
}

#[test]
fn an_update_that_comes_late_is_charged_to_all_the_time_it_covers() {
    // A register that is updated every third interval.
    let meters = vec![meter(0, Domain::Dram, counter(None), &[])];
    let rows: Vec<[Option<u64>; 1]> = (0..=9).map(|n| [Some(n / 3 * 30)]).collect();
    let (out, _) = energies(meters, &rows);
    assert_eq!(out[0], [Some(30); 3]);
}

#[test]
fn a_meter_without_readings_is_unknown() {
    let meters = vec![meter(0, Domain::Package, counter(None), &[])];
    let (out, caveats) = energies(meters, &[&[None], &[None]]);
    assert_eq!(out[0], [None]);
    assert_eq!(codes(&caveats), ["meter-unread"]);
}

#[test]
fn a_unit_that_is_no_unit_gives_no_energy() {
    let nonsense = Quantity::Counter {
        unit_uj: f64::NAN,
        modulus: None,
    };
    let meters = vec![meter(0, Domain::Package, nonsense, &[])];
    let (out, caveats) = energies(meters, &[&[Some(0)], &[Some(5)], &[Some(9)]]);
    assert_eq!(out[0], [None, None]);
    assert_eq!(codes(&caveats), ["meter-senseless"]);
}

#[test]
fn a_sensor_that_woke_up_has_no_past() {
    // 0 W for three readings, then 20 W: half of the last 10 ms only.
    let sensor = Quantity::Power { unit_w: 1.0 };
    let meters = vec![meter(0, Domain::Package, sensor, &[])];
    let (out, _) = energies(meters, &[&[Some(0)], &[Some(0)], &[Some(0)], &[Some(20)]]);
    assert_eq!(out[0], [Some(100_000)]);
}

#[test]
fn a_model_needs_no_readings() {
    let model = Quantity::Model {
        idle_w: 1.0,
        busy_w: 3.0,
        low: 0.5,
        high: 2.0,
    };
    let meters = vec![meter(0, Domain::Package, model, &[0, 1])];
    let (out, caveats) = energies(meters, &[[]; 3]);
    // Two busy CPUs of 3 W for 10 ms.
    assert_eq!(out[0], [Some(60_000), Some(60_000)]);
    assert_eq!(codes(&caveats), [""; 0]);
}

#[test]
fn the_boundary_is_as_uncertain_as_the_update_is_old() {
    let meters = vec![meter(0, Domain::Package, counter(None), &[])];
    let mut timeline = Timeline::new(&header(meters));
    timeline.push(&record(0, &[Some(0)]));
    // Readings that share no divisor: the step is one microjoule.
    timeline.push(&record(1, &[Some(500_001)]));
    let interval = timeline.push(&record(2, &[Some(1_000_001)])).remove(0);
    // 50 W × 1 ms / √12.
    assert!((interval.boundary.sd - 50_000.0 / 12f64.sqrt()).abs() < 1.0);
    assert!((interval.boundary.mean - 25_000.0).abs() < 1.0);
}
