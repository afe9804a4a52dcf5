//! Paths of the repository in its documents: links, and words in backticks.

use std::path::{Path, PathBuf};

/// Where a path may begin, beside the document's own directory.
const ROOTS: [&str; 2] = ["", "eprof/src"];
/// First parts of paths that are this repository's.
const TOP: [&str; 9] = [
    ".ci",
    ".github",
    "common",
    "docs",
    "eprof",
    "eprof-ebpf",
    "examples",
    "fuzz",
    "tests",
];

/// How many paths documents name, and which of them do not exist.
pub(crate) fn paths(repository: &Path) -> (usize, Vec<String>) {
    let mut documents = Vec::new();
    markdown(repository, &mut documents);
    let (mut named, mut missing) = (0, Vec::new());
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        let directory = document.parent().unwrap();
        for path in links(&text).into_iter().chain(words(&text, repository)) {
            named += 1;
            let mut roots = ROOTS.iter().map(|root| repository.join(root));
            if !directory.join(&path).exists() && !roots.any(|root| root.join(&path).exists()) {
                missing.push(format!("{} names {path}", document.display()));
            }
        }
    }
    (named, missing)
}

/// How many tests documents name (`file::part::name`), and which of them do not exist.
pub(crate) fn tests(repository: &Path) -> (usize, Vec<String>) {
    let mut documents = Vec::new();
    markdown(repository, &mut documents);
    let (mut named, mut missing) = (0, Vec::new());
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for word in text.split('`').filter(|word| word.contains("::")) {
            let parts: Vec<&str> = word.split("::").collect();
            let [file, middle @ .., name] = &parts[..] else {
                continue;
            };
            let directory = repository.join("tests");
            // A group of tests ends with the colons; others are paths of Rust.
            if name.is_empty() || !directory.join(file).with_extension("rs").is_file() {
                continue;
            }
            named += 1;
            let mut path = directory.join(file);
            path.extend(middle);
            let text = std::fs::read_to_string(path.with_extension("rs"));
            if !text.is_ok_and(|text| text.contains(&format!("fn {name}("))) {
                missing.push(format!("{} names {word}", document.display()));
            }
        }
    }
    (named, missing)
}

fn markdown(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            markdown(&path, into);
        } else if name.ends_with(".md") {
            into.push(path);
        }
    }
}

/// Targets of links to files.
fn links(text: &str) -> Vec<String> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let targets = targets.map(|target| target.split('#').next().unwrap_or(target));
    let files = targets.filter(|target| !target.is_empty() && !target.contains(':'));
    files.map(str::to_owned).collect()
}

/// Words in backticks that name a file or a directory of the repository.
fn words(text: &str, repository: &Path) -> Vec<String> {
    let mut fenced = false;
    let mut words = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced {
            let quoted = line.split('`').skip(1).step_by(2);
            words.extend(
                quoted
                    .filter(|word| is_path(word, repository))
                    .map(str::to_owned),
            );
        }
    }
    words
}

fn is_path(word: &str, repository: &Path) -> bool {
    let plain = |of: char| of.is_ascii_lowercase() || of.is_ascii_digit() || "/._-".contains(of);
    let Some((first, rest)) = word.split_once('/') else {
        return false;
    };
    if !word.chars().all(plain) || rest.is_empty() && !TOP.contains(&first) {
        return false;
    }
    TOP.contains(&first)
        || (word.ends_with(".rs") && repository.join("eprof/src").join(first).is_dir())
}
