//! The recipes of CONTRIBUTING.md against what following them really touched
//! (docs/recipes): the same files, and as many as the recipe says.

use std::collections::BTreeSet;
use std::fs;

use crate::architecture::repository;

/// A recipe's heading begins so; its diff is called so.
const RECIPES: [(&str, &str); 4] = [
    ("An energy source", "energy-source"),
    ("An export format", "export-format"),
    ("A per-thread signal", "signal"),
    ("A subcommand", "subcommand"),
];

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The recipe's count, and the files that its numbered steps name first.
fn recipe(begin: &str) -> (usize, Vec<String>) {
    let text = read("CONTRIBUTING.md");
    let mut sections = text.split("\n### ").filter(|of| of.starts_with(begin));
    let section = sections.next().unwrap_or_else(|| panic!("no {begin}"));
    let title = section.lines().next().unwrap();
    let count = title
        .rsplit(": ")
        .next()
        .and_then(|end| end.strip_suffix(" files"))
        .unwrap_or_else(|| panic!("{title}: N files"));
    let steps = section.split('\n').filter(|line| {
        let digits = line.chars().take_while(char::is_ascii_digit).count();
        digits > 0 && line[digits..].starts_with(". `")
    });
    let file = |step: &str| step.split('`').nth(1).unwrap().to_owned();
    (count.parse().unwrap(), steps.map(file).collect())
}

/// The files that a diff touches, and those of them that it makes.
fn touched(diff: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut all, mut new) = (BTreeSet::new(), BTreeSet::new());
    for file in diff.split("diff --git a/").skip(1) {
        let path = file.split(" b/").next().unwrap().to_owned();
        if file
            .lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("new file"))
        {
            new.insert(path.clone());
        }
        all.insert(path);
    }
    (all, new)
}

#[test]
fn a_recipe_names_as_many_files_as_following_it_touched() {
    for (begin, name) in RECIPES {
        let (count, steps) = recipe(begin);
        assert_eq!(steps.len(), count, "{begin}: the steps");
        let (mut all, new) = touched(&read(&format!("docs/recipes/{name}.diff")));
        // Written by what builds the object, beside it.
        all.remove("eprof/bpf/eprof.bpf.toml");
        assert_eq!(all.len(), count, "{name}: {all:#?}");
        for step in &steps {
            let of_step = |path: &&String| match step.split_once("NAME") {
                None => *path == step,
                Some((before, after)) => {
                    new.contains(*path) && path.starts_with(before) && path.ends_with(after)
                }
            };
            assert!(all.iter().any(|path| of_step(&path)), "{name}: {step}");
        }
        for path in all.difference(&new) {
            assert!(repository().join(path).exists(), "{name}: {path} is gone");
        }
        for path in &new {
            assert!(
                !repository().join(path).exists(),
                "{name}: {path} is no example any more"
            );
        }
    }
}
