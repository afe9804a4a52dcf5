//! `--from`: rows that somebody else measured.

use std::fmt::Write as _;

use tempfile::TempDir;

use super::{calibrate, json, stderr};

fn kepler() -> (TempDir, String) {
    let home = TempDir::new().unwrap();
    let packed = std::fs::File::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/kepler_nx12_rapl_basic.csv.gz"
    ));
    let mut file = std::fs::File::create(home.path().join("rows.csv")).unwrap();
    std::io::copy(
        &mut flate2::read::GzDecoder::new(packed.unwrap()),
        &mut file,
    )
    .unwrap();
    (home, "rows.csv".into())
}

#[test]
fn rows_of_others_are_fitted_and_saved_where_asked() {
    let (home, file) = kepler();
    let arguments = [
        "--from",
        &file,
        "--format",
        "json",
        "--output",
        "model.json",
    ];
    let output = calibrate(home.path(), &arguments, None);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document = json(&output);
    let meter = &document["meters"][0];
    assert_eq!(meter["name"], "package_power");
    assert!(meter["refused"].is_null());
    let errors = &meter["model"]["held_out"];
    assert!(errors["mae"].as_f64().unwrap() <= 7.3, "{errors}");
    assert!(errors["r2"].as_f64().unwrap() >= 0.95, "{errors}");
    // What is saved is what eprof run reads.
    let saved = eprof::calibration::file::Calibration::load(&home.path().join("model.json"));
    let saved = saved.unwrap().unwrap();
    assert!(saved.meters["package_power"].model.is_some());
}

/// Rows of `time` (s), `a`, `b` and power by `law`.
fn write(home: &TempDir, law: impl Fn(usize, [f64; 3]) -> f64) {
    let mut text = "cpu_time_s,a,b,zero,twice_a,watts\n".to_owned();
    let mut state = 12345_u64;
    let mut roll = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    for row in 0..300 {
        let (time, a, b) = (4.0 * roll(), 1e9 * roll(), 1e9 * roll());
        let power = law(row, [time, a, b]);
        writeln!(text, "{time},{a},{b},0,{},{power}", 2.0 * a).unwrap();
    }
    std::fs::write(home.path().join("rows.csv"), text).unwrap();
}

fn fit(home: &TempDir, signals: &str) -> std::process::Output {
    let arguments = [
        "--from",
        "rows.csv",
        "--signals",
        signals,
        "--format",
        "json",
        "-o",
        "model.json",
    ];
    calibrate(home.path(), &arguments, None)
}

#[test]
fn a_law_in_a_file_is_found_in_its_units() {
    let home = TempDir::new().unwrap();
    write(&home, |_, [time, a, b]| {
        10.0 + 3.0 * time + 8e-9 * a + 2e-9 * b
    });
    let output = fit(&home, "time=cpu_time_s,cycles=a,instructions=b");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let model = &json(&output)["meters"][0]["model"];
    let weights: Vec<f64> = model["terms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|term| term["weight"].as_f64().unwrap())
        .collect();
    // A second of time is 10⁹ ns.
    for (weight, truth) in weights.iter().zip([3e-9, 8e-9, 2e-9]) {
        assert!((weight - truth).abs() < 1e-2 * truth, "{weights:?}");
    }
    assert!((model["intercept"].as_f64().unwrap() - 10.0).abs() < 0.1);
}

/// Asserts that a fit is refused and nothing saved, and gives the reason.
fn refused(home: &TempDir, signals: &str) -> String {
    let output = fit(home, signals);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(!home.path().join("model.json").exists());
    let refused = json(&output)["meters"][0]["refused"].clone();
    assert!(refused["hint"].as_str().unwrap().len() > 10);
    refused["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_silent_signal_is_refused() {
    let home = TempDir::new().unwrap();
    write(&home, |_, [time, ..]| 10.0 + 3.0 * time);
    let why = refused(&home, "time=cpu_time_s,cache-misses=zero");
    assert!(why.contains("cache-misses"), "{why}");
}

#[test]
fn signals_that_cannot_be_told_apart_are_refused() {
    let home = TempDir::new().unwrap();
    write(&home, |_, [_, a, _]| 10.0 + 3e-9 * a);
    let why = refused(&home, "cycles=a,instructions=twice_a");
    assert!(why.contains("instructions"), "{why}");
}

#[test]
fn a_model_that_predicts_badly_is_refused() {
    let home = TempDir::new().unwrap();
    write(&home, |row, _| 10.0 + (row * 7919 % 100) as f64);
    let why = refused(&home, "time=cpu_time_s,cycles=a");
    assert!(why.contains("R²") || why.contains("worse"), "{why}");
}

#[test]
fn a_bad_row_is_named() {
    let home = TempDir::new().unwrap();
    for (text, words) in [
        ("cycles,watts\n1,2\n3,much\n", ["line 3", "watts", "much"]),
        (
            "cycles,watts\n1,2\n-3,4\n",
            ["line 3", "cycles", "negative"],
        ),
        ("cycles,watts\n1,2\n3\n", ["line 3", "1 fields", "2"]),
        ("cycles,watts\n1,inf\n", ["line 2", "watts", "inf"]),
    ] {
        std::fs::write(home.path().join("rows.csv"), text).unwrap();
        let output = calibrate(home.path(), &["--from", "rows.csv"], None);
        assert_eq!(output.status.code(), Some(65), "{}", stderr(&output));
        for word in words {
            assert!(
                stderr(&output).contains(word),
                "{word}: {}",
                stderr(&output)
            );
        }
    }
}

#[test]
fn a_column_that_is_not_there_is_a_wrong_command() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("rows.csv"), "cycles,watts\n1,2\n").unwrap();
    for arguments in [
        ["--target", "volts"].as_slice(),
        &["--signals", "cycles=moons"],
        &["--signals", "moons=cycles"],
        &["--row-time", "0s"],
    ] {
        let arguments = [&["--from", "rows.csv"], arguments].concat();
        let output = calibrate(home.path(), &arguments, None);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
    let output = calibrate(home.path(), &["--from", "nothing.csv"], None);
    assert_eq!(output.status.code(), Some(66), "{}", stderr(&output));
}

#[test]
fn any_file_is_survived() {
    let home = TempDir::new().unwrap();
    for text in [
        "",
        "\n",
        "a",
        "cycles,watts",
        "cycles,watts\n\u{0},\u{1}\n",
        "\"",
        "cycles,watts\n1,2\n",
    ] {
        std::fs::write(home.path().join("rows.csv"), text).unwrap();
        let output = calibrate(home.path(), &["--from", "rows.csv"], None);
        let code = output.status.code();
        assert!(
            matches!(code, Some(2 | 3 | 65)),
            "{text:?}: {code:?} {}",
            stderr(&output)
        );
    }
}
