//! The examples: all are wired and listed, and each tells the truth about
//! itself, so that other tests can hold eprof against it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{self, skip};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn lines(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs a program that must succeed, and gives back the JSON that it prints.
fn run(mut command: Command) -> Vec<Value> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    lines(&output.stdout)
}

fn example(name: &str, args: &[&str]) -> Vec<Value> {
    let mut command = Command::new(support::example(name));
    command.args(args);
    run(command)
}

fn number(value: &Value, key: &str) -> f64 {
    value[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[test]
fn every_example_is_wired_and_listed() {
    let root = repository();
    let manifest = std::fs::read_to_string(root.join("examples/Cargo.toml")).unwrap();
    let list = std::fs::read_to_string(root.join("examples/README.md")).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if ["README.md", "Cargo.toml", "clock.rs"].contains(&name) {
            continue;
        }
        assert!(
            list.contains(&format!("({name})")),
            "{name} is not in README.md"
        );
        if name.ends_with(".rs") {
            assert!(manifest.contains(&format!("path = \"{name}\"")), "{name}");
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                text.starts_with("//! ") && text.contains("//! Argument"),
                "{name}"
            );
            seen += 1;
        }
    }
    // The library.
    assert_eq!(seen + 1, manifest.matches("\npath = \"").count());
}

/// CPU times are measured by the programs themselves and steer them, so they
/// hold however busy the machine is.
fn assert_split(first: f64, second: f64, ratio: f64) {
    let found = first / second;
    assert!(
        (found / ratio - 1.0).abs() < 0.2,
        "{found} instead of {ratio}"
    );
}

#[test]
fn two_functions_split_three_to_one() {
    let truth = &example("two_functions", &["0.4"])[0];
    assert_split(number(truth, "heavy_ns"), number(truth, "light_ns"), 3.0);
    assert!(number(truth, "heavy_ns") + number(truth, "light_ns") >= 0.4e9);
}

#[test]
fn the_c_twin_splits_likewise() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("two_functions");
    let compiled = Command::new("cc")
        .args([
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fno-omit-frame-pointer",
            "-o",
        ])
        .arg(&program)
        .arg(repository().join("examples/two_functions.c"))
        .output();
    let Ok(compiled) = compiled else {
        skip("no C compiler");
        return;
    };
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let mut command = Command::new(program);
    command.arg("0.4");
    let truth = &run(command)[0];
    assert_split(number(truth, "heavy_ns"), number(truth, "light_ns"), 3.0);
}

#[test]
fn threads_split_four_to_two_to_one() {
    let truth = example("threads", &["0.7"]);
    let names: Vec<&str> = truth
        .iter()
        .map(|line| line["thread"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["heavy", "medium", "light"]);
    let cpu: Vec<f64> = truth.iter().map(|line| number(line, "cpu_ns")).collect();
    assert_split(cpu[0], cpu[2], 4.0);
    assert_split(cpu[1], cpu[2], 2.0);
}

#[test]
fn the_fork_storm_accounts_for_all_its_children() {
    let truth = &example("fork_storm", &["50", "1"])[0];
    assert_eq!(truth["children"], 50);
    assert!(
        number(truth, "children_cpu_ns") >= 50.0 * 1e6 * 0.9,
        "{truth}"
    );
}

#[test]
fn the_exec_chain_is_one_process_of_growing_steps() {
    let truth = example("exec_chain", &["3", "30"]);
    let steps: Vec<f64> = truth.iter().map(|line| number(line, "step")).collect();
    assert_eq!(steps.len(), 3);
    for line in &truth {
        assert_eq!(line["pid"], truth[0]["pid"]);
        assert_split(
            number(line, "cpu_ns"),
            number(&truth[0], "cpu_ns"),
            number(line, "step"),
        );
    }
}

#[test]
fn the_others_do_what_they_are_told() {
    let sleepy = &example("sleepy", &["0.3", "1"])[0];
    assert!(number(sleepy, "cpu_ns") < number(sleepy, "wall_ns"));
    let storm = &example("switch_storm", &["500"])[0];
    assert_eq!(storm["rounds"], 500);
    // On one CPU, nobody gets a byte without a switch.
    assert!(number(storm, "switches") >= 1_000.0, "{storm}");
    let deep = &example("deep_stack", &["0.1", "300"])[0];
    assert_eq!(deep["depth"], 300);
    assert!(number(deep, "cpu_ns") >= 0.1e9);
    let memory = example("memory", &["0.3", "4"]);
    assert_eq!(memory.len(), 3);
    for line in &memory {
        assert_split(number(line, "cpu_ns"), number(&memory[0], "cpu_ns"), 1.0);
    }
}
