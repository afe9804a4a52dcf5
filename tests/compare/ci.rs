//! The examples for CI: they are YAML, and eprof accepts every line of it in
//! them.

use std::path::Path;

use clap::Parser;
use eprof::cli::args::Cli;
use yaml_rust2::{Yaml, YamlLoader};

/// All strings that a runner gives to a shell.
fn scripts(yaml: &Yaml, found: &mut Vec<String>) {
    let all = |yaml: &Yaml, found: &mut Vec<String>| {
        found.extend(yaml.as_str().map(str::to_owned));
        let lines = yaml.as_vec().into_iter().flatten();
        found.extend(lines.filter_map(Yaml::as_str).map(str::to_owned));
    };
    if let Some(hash) = yaml.as_hash() {
        for (key, value) in hash {
            match key.as_str() {
                Some("run" | "script" | "before_script") => all(value, found),
                _ => scripts(value, found),
            }
        }
    }
    for value in yaml.as_vec().into_iter().flatten() {
        scripts(value, found);
    }
}

/// The command lines of eprof in an example, as words.
fn commands(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/ci")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let documents = YamlLoader::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1);
    let mut found = Vec::new();
    scripts(&documents[0], &mut found);
    let lines = found.iter().flat_map(|script| script.lines());
    lines
        .map(|line| line.trim().trim_start_matches("sudo "))
        .filter(|line| line.starts_with("eprof "))
        .map(|line| {
            let line = line.split("||").next().unwrap();
            line.split_whitespace().map(str::to_owned).collect()
        })
        .collect()
}

fn assert_accepted(file: &str, expected: &[&str]) {
    let commands = commands(file);
    let names: Vec<&str> = commands.iter().map(|words| words[1].as_str()).collect();
    assert_eq!(names, expected);
    for words in commands {
        if let Err(error) = Cli::try_parse_from(&words) {
            panic!("{file}: {words:?}: {error}");
        }
    }
}

#[test]
fn the_workflow_for_github_is_accepted() {
    assert_accepted("github.yml", &["doctor", "stat", "diff"]);
}

#[test]
fn the_jobs_for_gitlab_are_accepted() {
    let job = ["doctor", "stat", "diff"];
    assert_accepted("gitlab.yml", &[job, job].concat());
}
