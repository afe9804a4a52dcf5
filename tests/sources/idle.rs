//! Idle power: from the option, from readings before the run, from the model.

use eprof::idle::watch;
use eprof::idle::watch::{Idling, baselines};
use eprof::measurement::{IdlePower, MeterId, Reading};
use eprof::source::EnergySource;
use eprof::unit::{Nanos, Timestamp, Watts};

use super::*;

/// Where the register wraps: after more than any plausible energy of a window,
/// or nobody could count the wraps.
const MODULUS: u64 = 2_100_000;

/// A package meter in microjoules.
fn package(id: u16, cpus: std::ops::Range<u32>) -> Meter {
    Meter {
        id: MeterId(id),
        kind: SourceKind::Powercap,
        name: format!("intel-rapl:{id}"),
        domain: Domain::Package,
        scope: Scope::Package(u32::from(id)),
        cpus: cpus.collect(),
        quantity: Quantity::Counter {
            unit_uj: 1.0,
            modulus: Some(MODULUS),
        },
        provenance: Provenance::Measured,
        nested: false,
        update_period: Nanos(1_000_000),
        plausible: Watts(20.0),
    }
}

/// Rounds 50 ms apart with these energies in between.
fn rounds(meter: MeterId, start: u64, steps: &[u64]) -> Vec<Vec<Reading>> {
    let mut raw = start;
    let mut all = Vec::new();
    for (round, step) in std::iter::once(&0).chain(steps).enumerate() {
        raw = (raw + step) % MODULUS;
        let at = Timestamp(1_000_000_000 + round as u64 * 50_000_000);
        all.push(vec![Reading {
            updated: None,
            meter,
            raw,
            begin: at,
            end: at + Nanos(10_000),
        }]);
    }
    all
}

fn only(idling: &Idling) -> (f64, f64) {
    match idling.baselines.as_slice() {
        [one] => (one.power.0, one.sd.0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_median_ignores_a_spike_and_a_wrap() {
    // 8 W is 400 mJ per 50 ms, so that the counter wraps every few rounds.
    let mut steps = [400_000u64; 12];
    steps[3] = 900_000;
    let meter = package(0, 0..4);
    let idling = baselines(
        &[meter],
        &rounds(MeterId(0), MODULUS - 10_000, &steps),
        Some(0.03),
    );
    let (power, sd) = only(&idling);
    assert!((power - 8.0).abs() < 1e-9, "{power}");
    // Never known better than to one update of the register: 1 ms in 600 ms.
    assert!((sd - 8.0 / 600.0).abs() < 1e-9, "{sd}");
    assert_eq!(idling.baselines[0].origin, "before-run");
    assert_eq!(idling.caveats, []);
}

#[test]
fn the_spread_is_that_of_the_windows() {
    let steps: Vec<u64> = (0..20).map(|i| 400_000 + (i % 2) * 40_000).collect();
    let idling = baselines(
        &[package(0, 0..4)],
        &rounds(MeterId(0), 0, &steps),
        Some(0.0),
    );
    let (power, sd) = only(&idling);
    // Half the windows at 8.0 W, half at 8.8 W: all 0.4 W off the median.
    assert!((power - 8.4).abs() < 1e-9, "{power}");
    assert!((sd - 0.4 * 1.4826).abs() < 1e-9, "{sd}");
}

#[test]
fn a_busy_machine_has_no_baseline() {
    let readings = rounds(MeterId(0), 0, &[400_000; 12]);
    let idling = baselines(&[package(0, 0..4)], &readings, Some(0.37));
    assert_eq!(idling.baselines, []);
    assert_eq!(idling.caveats[0].code, "baseline-not-idle");
    assert!(idling.caveats[0].sentence.contains("37 %"));
}

#[test]
fn too_short_or_impossible_readings_have_no_baseline() {
    let short = rounds(MeterId(0), 0, &[400_000; 5]);
    let wild = rounds(MeterId(0), 0, &[999_999; 12]);
    let mut meter = package(0, 0..4);
    meter.plausible = Watts(10.0);
    for readings in [short, wild, Vec::new()] {
        let idling = baselines(&[meter.clone()], &readings, Some(0.0));
        assert_eq!(idling.baselines, []);
        assert_eq!(idling.caveats[0].code, "baseline-unknown");
    }
}

#[test]
fn the_models_baseline_is_its_own_with_its_band() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 2)
        .processor("GenuineIntel", 6, 0x55, "fpu");
    let mut selected = choose(&tree, SHORT);
    let idling = watch::before_run(selected.source.as_mut(), &tree.root(), Duration::ZERO).unwrap();
    let (power, sd) = only(&idling);
    assert!((power - 4.0 * 0.6446).abs() < 1e-9, "{power}");
    assert!((sd / power - 0.85 / 3.29).abs() < 1e-9, "{sd}");
    assert_eq!(idling.baselines[0].origin, "model");
}

#[test]
fn a_register_that_stands_still_while_nothing_runs_says_so() {
    let readings = rounds(MeterId(0), 0, &[0; 12]);
    let idling = baselines(&[package(0, 0..4)], &readings, Some(0.0));
    assert_eq!(idling.caveats, []);
    let [baseline] = &idling.baselines[..] else {
        panic!("{idling:?}");
    };
    assert_eq!(baseline.power, Watts(0.0));
    // Less than one count of 1 µJ in 0.6 s, which is not nothing.
    assert!((baseline.sd.0 - 1e-6 / 0.6).abs() < 1e-12, "{baseline:?}");
}

#[test]
fn a_machine_of_which_the_load_is_unknown_has_no_baseline() {
    let readings = rounds(MeterId(0), 0, &[400_000; 12]);
    let idling = baselines(&[package(0, 0..4)], &readings, None);
    assert_eq!(idling.baselines, []);
    assert_eq!(idling.caveats[0].code, "baseline-not-idle");
}

/// A source with a clock of its own: each read is 50 ms and 400 mJ later.
struct Steady(Vec<Meter>, u64);

impl EnergySource for Steady {
    fn meters(&self) -> &[Meter] {
        &self.0
    }

    fn read(&mut self) -> eprof::error::Result<Vec<Reading>> {
        self.1 += 1;
        let at = Timestamp(self.1 * 50_000_000);
        let one = |meter: &Meter| Reading {
            updated: None,
            meter: meter.id,
            raw: self.1 * 400_000 % MODULUS,
            begin: at,
            end: at,
        };
        Ok(self.0.iter().map(one).collect())
    }
}

fn find(tree: &Tree, option: Option<&str>) -> eprof::error::Result<Idling> {
    let mut source = Steady(vec![package(0, 0..4), package(1, 4..8)], 0);
    let option: Option<IdlePower> = option.map(|text| text.parse().unwrap());
    let saved = tree.at("/config/eprof/calibration.json");
    let time = Duration::from_millis(600);
    eprof::idle::find::find(
        &mut source,
        &tree.root(),
        option.as_ref(),
        Some(&saved),
        time,
    )
}

#[test]
fn the_option_goes_before_the_calibration_and_that_before_watching() {
    let tree = Tree::new();
    // No tick passes in this file: the load is unknown, nothing is measured.
    tree.write("/proc/stat", "cpu  10 0 10 100 0 0 0 0 0 0")
        .write(
            "/config/eprof/calibration.json",
            r#"{"schema":"eprof-calibration/1","meters":{"intel-rapl:1":{"watts":7.5,"sd":0.5}}}"#,
        );
    let origins = |idling: &Idling| -> Vec<(u16, String)> {
        let all = idling.baselines.iter();
        all.map(|one| (one.meter.0, one.origin.clone())).collect()
    };
    let found = find(&tree, None).unwrap();
    assert_eq!(origins(&found), [(1, "calibration".to_owned())]);
    assert!((found.baselines[0].power.0 - 7.5).abs() < 1e-12);
    assert_eq!(found.caveats[0].code, "baseline-not-idle");
    let found = find(&tree, Some("intel-rapl:0=3W")).unwrap();
    assert_eq!(origins(&found), [(0, "option".to_owned())]);
    assert_eq!(find(&tree, Some("none")).unwrap(), Idling::default());
    assert!(find(&tree, Some("dram=3W")).is_err());
}

#[test]
fn a_calibration_of_another_processor_says_nothing_here() {
    let tree = Tree::new();
    tree.write("/proc/stat", "cpu  10 0 10 100 0 0 0 0 0 0");
    let meters = r#"{"intel-rapl:0":{"watts":7.5,"sd":0.5}}"#;
    let file = |cpu: &str| {
        format!(
            r#"{{"schema":"eprof-calibration/2","machine":{{"cpu":"{cpu}","kernel":"","eprof":"","date":""}},"meters":{meters}}}"#
        )
    };
    tree.write("/proc/cpuinfo", "vendor_id : X\nmodel name : This One\n");
    tree.write("/config/eprof/calibration.json", file("Another"));
    let found = find(&tree, None).unwrap();
    assert_eq!(found.baselines, []);
    assert_eq!(found.caveats[0].code, "calibration-elsewhere");
    tree.write("/config/eprof/calibration.json", file("This One"));
    let found = find(&tree, None).unwrap();
    assert_eq!(found.baselines.len(), 1);
}

#[test]
fn an_unusable_calibration_is_a_caveat() {
    let tree = Tree::new();
    tree.write("/proc/stat", "cpu  10 0 10 100 0 0 0 0 0 0");
    for text in [
        "",
        "{",
        r#"{"schema":"eprof-calibration/3","meters":{}}"#,
        r#"{"schema":"eprof-calibration/1","meters":{"x":{"watts":-1,"sd":0}}}"#,
        r#"{"schema":"eprof-calibration/1","meters":{"x":{"watts":1e999,"sd":0}}}"#,
    ] {
        tree.write("/config/eprof/calibration.json", text);
        let found = find(&tree, None).unwrap();
        assert_eq!(found.baselines, [], "{text}");
        assert_eq!(found.caveats[0].code, "calibration-unusable", "{text}");
        assert!(found.caveats[0].hint.as_ref().unwrap().starts_with("rm "));
    }
}

#[test]
fn the_calibration_lies_where_the_user_keeps_settings() {
    let path = eprof::calibration::file::path;
    let at = |text: &str| Some(std::path::PathBuf::from(text));
    assert_eq!(
        path(Some("/c"), Some("/h")),
        at("/c/eprof/calibration.json")
    );
    assert_eq!(
        path(None, Some("/h")),
        at("/h/.config/eprof/calibration.json")
    );
    // A relative path is to be ignored, says the specification.
    assert_eq!(
        path(Some("c"), Some("/h")),
        at("/h/.config/eprof/calibration.json")
    );
    assert_eq!(path(Some(""), None), None);
}

fn given(text: &str, meters: &[Meter]) -> Vec<(u16, f64)> {
    let option: IdlePower = text.parse().unwrap();
    let found = option.baselines(meters).unwrap();
    assert!(found.iter().all(|one| one.origin == "option"));
    found.iter().map(|one| (one.meter.0, one.power.0)).collect()
}

#[test]
fn one_figure_is_shared_by_the_packages() {
    let mut dram = package(2, 0..4);
    dram.domain = Domain::Dram;
    let mut core = package(3, 0..4);
    (core.domain, core.nested) = (Domain::Core, true);
    let meters = [package(0, 0..6), package(1, 6..8), dram, core];
    assert_eq!(given("12W", &meters), [(0, 9.0), (1, 3.0)]);
    assert_eq!(
        given("package=8W,dram=3W", &meters),
        [(0, 6.0), (1, 2.0), (2, 3.0)]
    );
    assert_eq!(given("intel-rapl:1=5", &meters), [(1, 5.0)]);
    // A meter's own figure goes before its domain's.
    assert_eq!(
        given("package=8W,intel-rapl:1=5", &meters),
        [(0, 6.0), (1, 5.0)]
    );
    assert_eq!(given("none", &meters), []);
    let psys: IdlePower = "psys=3W".parse().unwrap();
    assert_eq!(
        psys.baselines(&meters).unwrap_err().kind(),
        ErrorKind::Usage
    );
}
