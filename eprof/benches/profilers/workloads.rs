//! What is profiled: always the same amount of work.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::system;

/// A command.
pub struct Workload {
    /// What it is called in the table.
    pub name: &'static str,
    /// Program and arguments.
    pub argv: Vec<String>,
}

const PYTHON: &str = "\
import json, re
def count(words):
    table = {}
    for word in words:
        table[word] = table.get(word, 0) + 1
    return sorted(table, key=lambda word: (table[word], word))
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
text = 'the quick brown fox jumps over the lazy dog ' * 50
for _ in range(6000):
    json.loads(json.dumps([count(text.split()), fib(12)]))
    re.sub('[aeiou]', lambda match: match.group().upper(), text)
";

/// Makes all that can be made here below `home`, and says what cannot.
pub fn all(home: &Path) -> Vec<Workload> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/profilers/deep.c");
    let deep = home.join("deep");
    let status = Command::new("gcc")
        .args([
            "-O2",
            "-fomit-frame-pointer",
            "-fno-optimize-sibling-calls",
            "-o",
        ])
        .args([&deep, &source])
        .status();
    let mut workloads = Vec::new();
    let mut add = |name, available: bool, argv: Vec<String>| match available {
        true => workloads.push(Workload { name, argv }),
        false => eprintln!("SKIPPED: {name}"),
    };
    let text = |path: &Path| path.display().to_string();
    let compiled = status.is_ok_and(|status| status.success());
    add("C, 100 calls deep", compiled, vec![text(&deep)]);
    let script = home.join("work.py");
    fs::write(&script, PYTHON).unwrap();
    let python = "/usr/bin/python3";
    add(
        "python3",
        Path::new(python).exists(),
        vec![python.to_owned(), text(&script)],
    );
    for (name, program) in [("xz", system::xz(home)), ("rustc -O", system::rustc(home))] {
        add(name, program.is_ok(), program.unwrap_or_default());
    }
    workloads
}
