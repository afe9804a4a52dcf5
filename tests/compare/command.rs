//! The command: what it matches, what adds up, what fails, what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::machine::{Counts, Program, rate};
use super::tries::{KINDS, changed, diff};

/// Directories of recordings.
pub(crate) struct Sides {
    directory: TempDir,
}

impl Sides {
    /// `base` and `new`, each with so many runs of its program.
    pub(crate) fn of(base: &Program, new: &Program, runs: usize) -> Self {
        let directory = TempDir::new().unwrap();
        base.record(&directory.path().join("base"), runs, 51, 1_000, 30);
        new.record(&directory.path().join("new"), runs, 52, 1_010, 30);
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn diff(&self, options: &[&str]) -> (Value, i32) {
        diff(&self.path("base"), &self.path("new"), options)
    }

    /// `eprof diff base new OPTIONS`, there.
    pub(crate) fn run(&self, options: &[&str]) -> Output {
        self.command().args(options).output().unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eprof"));
        command.current_dir(self.directory.path());
        command.env_remove("GITHUB_STEP_SUMMARY");
        command.args(["diff", "base", "new"]);
        command
    }
}

fn text(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!("{stdout}{}", String::from_utf8_lossy(&output.stderr))
}

fn slower(factor: f64) -> Sides {
    Sides::of(&Program::default(), &Program::with("parse", factor), 5)
}

fn sum(rows: &Value, key: &str) -> f64 {
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row[key].as_f64().unwrap()).sum()
}

#[test]
fn rows_of_each_kind_add_up_to_the_target() {
    let (document, code) = slower(1.2).diff(&[]);
    assert_eq!((code, &document["schema"]), (0, &"eprof-diff/1".into()));
    assert_eq!(
        document["metric"]["name"], "energy",
        "{}",
        document["metric"]
    );
    let total = &document["total"];
    for kind in KINDS
        .iter()
        .filter(|kind| **kind != "inclusive")
        .chain(&["domains"])
    {
        for key in ["base", "new", "difference"] {
            let (sum, whole) = (sum(&document[*kind], key), total[key].as_f64().unwrap());
            // Means of integers: exact but for rounding.
            assert!((sum - whole).abs() < 1e-3, "{kind} {key}: {sum}, {whole}");
        }
    }
    let inclusive = document["inclusive"].as_array().unwrap();
    let main = inclusive
        .iter()
        .find(|row| row["function"] == "main")
        .unwrap();
    let app = &document["threads"].as_array().unwrap();
    let app = app.iter().find(|row| row["thread"] == "app").unwrap();
    assert!((main["new"].as_f64().unwrap() - app["new"].as_f64().unwrap()).abs() < 1e-3);
}

#[test]
fn runs_are_matched_by_names_although_all_ids_differ() {
    let (document, _) = slower(1.0).diff(&[]);
    let names = |kind: &str, key: &str| -> Vec<String> {
        let rows = document[kind].as_array().unwrap();
        let mut names: Vec<_> = rows.iter().map(|row| row[key].to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names("commands", "command"), ["\"app\""]);
    assert_eq!(names("threads", "thread"), ["\"app\"", "\"worker\""]);
    let functions = [
        "compress", "crc", "hash", "main", "parse", "render", "worker",
    ];
    assert_eq!(
        names("functions", "function"),
        functions.map(|name| format!("{name:?}"))
    );
}

#[test]
fn the_truth_lies_in_the_interval_and_the_function_is_named() {
    let (document, _) = slower(1.25).diff(&[]);
    let rows = document["functions"].as_array().unwrap();
    // Largest difference first.
    assert_eq!(rows[0]["function"], "parse");
    let end = |at: usize| rows[0]["ratio_interval"][at].as_f64().unwrap();
    // Only the part above idle grows by 25 %; the share of the idle power
    // grows with the time on a CPU, too.
    assert!(end(0) < 1.25 && 1.25 < end(1), "{}", rows[0]);
    assert!(end(1) - end(0) < 0.25, "{}", rows[0]);
    assert!(changed(&document).iter().any(|name| name.contains("parse")));
    assert!(!changed(&document).iter().any(|name| name.contains("crc")));
}

#[test]
fn a_gate_fails_only_what_is_certainly_above_it() {
    // 20 % more of the 2.4 s of 8.97 s that parse takes are 5.35 %.
    let sides = slower(1.2);
    let outcome = |options: &[&str]| {
        let (document, code) = sides.diff(options);
        let gates = document["gates"].as_array().unwrap().iter();
        let outcomes = gates.map(|gate| gate["outcome"].as_str().unwrap().to_owned());
        (outcomes.collect::<Vec<_>>(), code)
    };
    let one = |word: &str| vec![word.to_owned()];
    assert_eq!(outcome(&["--fail-above", "2%"]), (one("exceeded"), 5));
    assert_eq!(outcome(&["--fail-above", "5.3%"]), (one("undecided"), 0));
    assert_eq!(outcome(&["--fail-above", "15%"]), (one("pass"), 0));
    let two = [
        "--fail-above",
        "8%",
        "--function",
        "parse",
        "--function",
        "crc",
    ];
    let (outcomes, code) = outcome(&two);
    assert_eq!((outcomes[0].as_str(), code), ("exceeded", 5));
    assert_ne!(outcomes[1], "exceeded");
    assert_eq!(
        outcome(&["--fail-above", "2%", "--function", "compress"]).1,
        0
    );
    // With what it calls: main calls parse.
    assert_eq!(outcome(&["--fail-above", "3%", "--function", "main"]).1, 5);
    // Less is no failure.
    let (_, code) = diff(
        &sides.path("new"),
        &sides.path("base"),
        &["--fail-above", "0%"],
    );
    assert_eq!(code, 0);
}

#[test]
fn what_a_gate_cannot_decide_is_an_error_and_no_pass() {
    let sides = slower(1.5);
    let single = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eprof"));
        let (base, new) = (sides.path("base/00.data"), sides.path("new/00.data"));
        command
            .arg("diff")
            .args([base, new])
            .args(options)
            .output()
            .unwrap()
    };
    let refused = single(&["--fail-above", "3%"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("at least 2 recordings"));
    let shown = single(&[]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(
        text(&shown).contains("one recording of each side"),
        "{}",
        text(&shown)
    );
    let unknown = sides.run(&["--fail-above", "3%", "--function", "frobnicate"]);
    assert_eq!(unknown.status.code(), Some(65), "{}", text(&unknown));
}

#[test]
fn estimated_energy_is_not_compared_unless_asked_for() {
    let estimated = |of: Program| Program {
        estimated: true,
        ..of
    };
    let new = estimated(Program::with("parse", 1.2));
    let sides = Sides::of(&estimated(Program::default()), &new, 5);
    let (document, _) = sides.diff(&[]);
    assert_eq!(document["metric"]["name"], "cpu-time");
    assert!(
        document["metric"]["why"]
            .as_str()
            .unwrap()
            .contains("estimated")
    );
    let ratio = document["total"]["ratio"].as_f64().unwrap();
    assert!((ratio - 1.0535).abs() < 0.02, "{ratio}");
    let parse = &document["functions"][0];
    assert_eq!(
        (&parse["function"], &parse["changed"]),
        (&"parse".into(), &true.into())
    );
    let sum = sum(&document["functions"], "new");
    assert!((sum / document["total"]["new"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    let (document, _) = sides.diff(&["--metric", "energy"]);
    let caveats = document["caveats"].as_array().unwrap().iter();
    let mut codes = caveats.map(|caveat| caveat["code"].as_str().unwrap());
    assert!(codes.any(|code| code == "estimated-energy"));
    let refused = sides.run(&["--metric", "instructions"]);
    assert_eq!(refused.status.code(), Some(65), "{}", text(&refused));
}

/// A function that executes four times as many instructions per second, and
/// works longer by half.
#[test]
fn instructions_are_compared_by_function_and_by_thread() {
    let counted = |of: Program| Program {
        instructions: Counts::Always,
        ..of
    };
    let base = counted(Program::default());
    let sides = Sides::of(&base, &counted(Program::with("crc", 1.5)), 5);
    let (document, code) = sides.diff(&["--metric", "instructions"]);
    assert_eq!(
        (code, &document["metric"]["name"]),
        (0, &"instructions".into())
    );
    let total = &document["total"];
    for kind in KINDS.iter().filter(|kind| **kind != "inclusive") {
        for key in ["base", "new"] {
            let (sum, whole) = (sum(&document[*kind], key), total[key].as_f64().unwrap());
            assert!(
                (sum / whole - 1.0).abs() < 1e-9,
                "{kind} {key}: {sum} {whole}"
            );
        }
    }
    // 3.0 s, 0.7 s and 0.02 s at their rates, and 4.65 s of the other thread.
    let crc = 0.7e9 * rate("crc");
    let (worker, all) = (3.02e9 + crc, 7.67e9 + crc);
    let near = |found: &Value, expected: f64| {
        let found = found.as_f64().unwrap();
        assert!((found / expected - 1.0).abs() < 0.03, "{found} {expected}");
    };
    near(&total["base"], all);
    near(&total["ratio"], (all + crc / 2.0) / all);
    let row = |kind: &str, key: &str, name: &str| {
        let rows = document[kind].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row[key] == name);
        rows.next().unwrap().clone()
    };
    let function = row("functions", "function", "crc");
    near(&function["base"], crc);
    near(&function["ratio"], 1.5);
    assert_eq!(function["changed"], true);
    assert_eq!(row("functions", "function", "parse")["changed"], false);
    let thread = row("threads", "thread", "worker");
    near(&thread["base"], worker);
    near(&thread["ratio"], (worker + crc / 2.0) / worker);
    let gate = [
        "--metric",
        "instructions",
        "--fail-above",
        "10%",
        "--function",
        "crc",
    ];
    assert_eq!(sides.run(&gate).status.code(), Some(5));
}

#[test]
fn instructions_that_cannot_be_trusted_are_refused() {
    let with = |instructions| Program {
        instructions,
        ..Program::default()
    };
    let refused = |base: Counts| {
        let sides = Sides::of(&with(base), &with(Counts::Always), 2);
        let output = sides.run(&["--metric", "instructions"]);
        assert_eq!(output.status.code(), Some(65), "{}", text(&output));
        text(&output)
    };
    let not = "not all runs of the base side have";
    assert!(refused(Counts::Sometimes).contains(&format!(
        "{not} instructions that were counted all the time"
    )));
    assert!(refused(Counts::Never).contains(&format!("{not} counted instructions")));
}

#[test]
fn recordings_that_do_not_exist_are_named() {
    let directory = TempDir::new().unwrap();
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let run = |base: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eprof"));
        command.arg("diff").args([base, &empty]).output().unwrap()
    };
    let output = run(&empty);
    assert_eq!(output.status.code(), Some(66));
    assert!(text(&output).contains("has no recordings (*.data)"));
    assert!(text(&output).contains("eprof run -o"));
}

#[test]
fn the_summary_of_a_job_is_appended_to() {
    let sides = slower(1.2);
    let summary = sides.path("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let mut command = sides.command();
    command.env("GITHUB_STEP_SUMMARY", &summary);
    let output = command
        .args(["--fail-above", "2%", "--github-summary"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    let written = fs::read_to_string(&summary).unwrap();
    let (before, report) = written.split_once('\n').unwrap();
    assert_eq!(before, "before");
    assert!(report.starts_with("### ❌ eprof: worse: "), "{report}");
    assert!(report.contains("- ❌ FAIL: target: +"), "{report}");
    let markdown = sides.run(&["--fail-above", "2%", "--format", "markdown"]);
    assert_eq!(String::from_utf8_lossy(&markdown.stdout), report);
    // Every line of a table has as many cells.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let lines = report.lines().filter(|line| line.starts_with('|'));
    assert!(lines.map(cells).all(|cells| cells == 9), "{report}");
    // Without the variable, nothing happens.
    assert_eq!(sides.run(&["--github-summary"]).status.code(), Some(0));
}

#[test]
fn a_table_fits_and_sums_up_what_it_leaves_out() {
    let output = slower(1.2).run(&["--by", "function", "--limit", "2"]);
    let shown = text(&output);
    assert!(shown.contains("worse: "), "{shown}");
    assert!(shown.contains("… and 5 more"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 120),
        "{shown}"
    );
    let parse = shown
        .lines()
        .find(|line| line.trim().starts_with("parse "))
        .unwrap();
    assert!(parse.ends_with(" more"), "{shown}");
}
