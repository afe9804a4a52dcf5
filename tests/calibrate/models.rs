//! What is fitted to the rows of a ladder, and what of it is saved.

use eprof::calibrate::findings::Chosen;
use eprof::calibrate::{Findings, MeterFindings, Model};
use eprof::calibration::file::{Calibration, Machine};
use eprof::measurement::{Counter, MeterId};
use eprof::power::{Row, Signal};

/// The signals of a machine with all counters, and SMT that is switched off.
fn signals() -> Vec<Signal> {
    vec![
        Signal::Time(String::new()),
        Signal::SMT_SHARED,
        Signal::from(Counter::Cycles),
        Signal::from(Counter::Instructions),
        Signal::from(Counter::CacheMisses),
    ]
}

/// Rows of six workloads whose mixes differ, at four parts of the time on one
/// and two CPUs; the clock is `frequency` with and `spread` around it.
fn rows(spread: f64, law: impl Fn(&[f64]) -> f64) -> Vec<Row> {
    let mixes = [
        (2.8, 0.0),
        (1.9, 1e5),
        (0.7, 4e7),
        (0.1, 6e7),
        (1.1, 2e6),
        (1.4, 2e7),
    ];
    let mut rows = Vec::new();
    for (fold, (ipc, misses)) in mixes.into_iter().enumerate() {
        for step in 0..32_u32 {
            let time = f64::from(step % 4 + 1) / 4.0 * f64::from(1 + step / 4 % 2);
            // Differs from block to block, the same in each run.
            let wobble = f64::from((step * 37 + fold as u32 * 11) % 16) / 16.0 - 0.5;
            let cycles = time * 3e9 * (1.0 + spread * wobble);
            let x = vec![time * 1e9, 0.0, cycles, cycles * ipc, time * misses];
            rows.push(Row {
                y: law(&x) * (1.0 + 0.01 * wobble),
                x,
                weight: 0.1,
                fold,
            });
        }
    }
    rows
}

fn law(x: &[f64]) -> f64 {
    6.0 + 1e-9 * x[0] + 1.5e-9 * x[2] + 0.4e-9 * x[3] + 30e-9 * x[4]
}

#[test]
fn a_workload_that_was_left_out_is_predicted() {
    let model = Model::fit(
        &rows(0.4, law),
        &signals(),
        Chosen::Freely,
        "workload",
        &[1, 2, 3],
    );
    let model = model.unwrap();
    assert_eq!(model.refusal(), None);
    assert!(model.fit.held_out.mape < 0.05, "{:?}", model.fit.held_out);
    assert!(model.fit.held_out.rmse < 0.5 * model.fit.time_share.rmse);
    // There is no SMT here: nobody needs to be told twice.
    assert_eq!(
        model.left_out,
        [(Signal::SMT_SHARED, "counts nothing here")]
    );
}

#[test]
fn a_clock_that_never_changes_leaves_cycles_out() {
    let rows = rows(0.0, law);
    let model = Model::fit(&rows, &signals(), Chosen::Freely, "workload", &[1]).unwrap();
    assert_eq!(model.refusal(), None);
    let left: Vec<&Signal> = model.left_out.iter().map(|(signal, _)| signal).collect();
    assert!(left.contains(&&Signal::from(Counter::Cycles)), "{left:?}");
    // Whoever asks for both is told that this cannot be.
    let model = Model::fit(&rows, &signals(), Chosen::ByUser, "workload", &[1]).unwrap();
    assert!(model.refusal().is_some());
}

#[test]
fn a_straight_line_of_cpu_time_is_never_worse_than_itself() {
    // How much the workloads differ decides how strongly weights are held
    // back, and thus by how little the two fits of one line differ.
    for differing in [0.05, 0.1, 0.15] {
        let mut rows = rows(0.4, |x| 5.0 + 6e-9 * x[0]);
        for row in &mut rows {
            row.x.truncate(1);
            row.y *= 1.0 + differing * (row.fold as f64 / 2.5 - 1.0);
        }
        let time = [Signal::Time(String::new())];
        let model = Model::fit(&rows, &time, Chosen::ByUser, "workload", &[1]).unwrap();
        assert_eq!(model.refusal(), None, "{differing}");
    }
}

fn findings(model: Option<Model>) -> Findings {
    Findings {
        machine: Machine {
            cpu: "A Processor".into(),
            ..Machine::default()
        },
        meters: vec![MeterFindings {
            name: "power/energy-pkg/".into(),
            domain: Some(eprof::measurement::Domain::Package),
            cpus: Some(2),
            idle: Some((6.0, 0.1)),
            refused: model.as_ref().and_then(Model::refusal),
            model,
        }],
        ..Findings::default()
    }
}

/// Through a file and back.
fn reread(calibration: &Calibration) -> Calibration {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_vec(calibration).unwrap()).unwrap();
    Calibration::load(file.path()).unwrap().unwrap()
}

#[test]
fn a_saved_model_predicts_as_before() {
    let rows = rows(0.4, law);
    let model = Model::fit(&rows, &signals(), Chosen::Freely, "workload", &[1, 2, 3]).unwrap();
    let fit = model.fit.clone();
    let kept = model.signals.clone();
    let calibration = reread(&findings(Some(model)).calibration(None));
    let saved = calibration.meters["power/energy-pkg/"]
        .model
        .as_ref()
        .unwrap();
    let loaded = saved.of(MeterId(0)).unwrap();
    for row in &rows {
        let all = signals();
        let rate = |signal: &Signal| row.x[all.iter().position(|one| one == signal).unwrap()];
        let x: Vec<f64> = kept.iter().map(rate).collect();
        let before = fit.predict(&x) - fit.intercept;
        assert!((loaded.predict(rate).0 - before).abs() < 1e-9 * before.abs().max(1.0));
    }
}

#[test]
fn a_refused_model_is_not_saved_but_idle_power_is() {
    let noise = |x: &[f64]| 6.0 + (x[2] as u64 % 97) as f64;
    let model = Model::fit(
        &rows(0.4, noise),
        &signals(),
        Chosen::Freely,
        "workload",
        &[1],
    );
    let findings = findings(model);
    assert!(!findings.complete());
    let calibration = reread(&findings.calibration(None));
    let saved = &calibration.meters["power/energy-pkg/"];
    assert!(saved.model.is_none());
    assert!((saved.watts - 6.0).abs() < 1e-12);
}

#[test]
fn other_meters_of_the_same_machine_are_kept() {
    let mut older = findings(None).calibration(None);
    let kept = older.meters["power/energy-pkg/"].clone();
    older.meters.insert("intel-rapl:0".into(), kept);
    let merged = findings(None).calibration(Some(older.clone()));
    assert_eq!(merged.meters.len(), 2);
    older.machine.as_mut().unwrap().cpu = "Another Processor".into();
    let replaced = findings(None).calibration(Some(older));
    assert_eq!(replaced.meters.len(), 1);
}
