//! Functions of real run-time compilers.

use std::fs;
use std::process::Command;

use super::run::{Report, record};
use super::target::{Target, possible};
use crate::support::skip;

/// Whether `program` with `arguments` works here.
fn works(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

const SCRIPT: &str = "
function heavyWork(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) % 1000003; return s; }
let x = 0;
while (process.cpuUsage().user < 1e6) x += heavyWork(100000);
";

#[test]
fn functions_of_node_are_named() {
    if !possible() {
        return;
    }
    if !works("node", &["--version"]) {
        skip("no node");
        return;
    }
    for option in ["--perf-basic-prof", "--perf-prof", "--no-warnings"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("work.js"), SCRIPT).unwrap();
        record(dir.path(), &["node", option, "work.js"]);
        let report = Report::of(dir.path(), &[]);
        report.clean();
        let (named, nameless) = (
            report.share_with("heavyWork "),
            report.share("[unknown] in [jit]"),
        );
        let said = report.caveats().contains(&"generated-code-nameless");
        if option == "--no-warnings" {
            assert!(
                named.abs() < f64::EPSILON && nameless > 0.2 && said,
                "{nameless}"
            );
        } else {
            assert!(
                named > 0.5 && nameless < 0.05 && !said,
                "{option}: {named} {nameless}"
            );
        }
    }
}

/// A Python with perf trampolines: from the path, or one of pyenv's.
fn python() -> Option<String> {
    let versions = ["python3.14", "python3.13", "python3.12", "python3"];
    let home = std::env::var("HOME").unwrap_or_default();
    let installed = fs::read_dir(format!("{home}/.pyenv/versions"))
        .into_iter()
        .flatten();
    let installed = installed.map(|entry| entry.unwrap().path().join("bin/python3"));
    let installed = installed.map(|path| path.to_string_lossy().into_owned());
    let script = "import sys; sys.exit(not sys.is_stack_trampoline_active())";
    versions
        .iter()
        .map(|&version| version.to_owned())
        .chain(installed)
        .find(|python| works(python, &["-X", "perf", "-c", script]))
}

#[test]
fn functions_of_python_are_named() {
    if !possible() {
        return;
    }
    let Some(python) = python() else {
        skip::absent("no Python from 3.12 on, built with perf trampolines");
        return;
    };
    let script = "
def heavy_work():
    return 1
heavy_work()
print('ready', flush=True)
import sys; sys.stdin.read()
";
    let mut target = Target::in_cgroup(&[&python, "-X", "perf", "-c", script]);
    assert_eq!(target.line(), ["ready"]);
    target.drain(vec![]);
    target.finish();
    // Where Python says that the function is.
    let path = format!("/tmp/perf-{}.map", target.pid);
    let map = fs::read_to_string(&path).unwrap();
    let entry = map
        .lines()
        .find(|line| line.contains("py::heavy_work"))
        .unwrap();
    let start = u64::from_str_radix(entry.split(' ').next().unwrap(), 16).unwrap();
    let names = target.functions(start + 1).unwrap();
    fs::remove_file(path).unwrap();
    assert!(names[0].starts_with("py::heavy_work:"), "{names:?}");

    // And as a caller of the interpreter's own code, through libpython's
    // unwind information.
    let dir = tempfile::tempdir().unwrap();
    let script = "
import time
def heavy_work():
    n = 0
    for i in range(10000):
        n = (n * 31 + i) % 1000003
while time.process_time() < 1:
    heavy_work()
";
    fs::write(dir.path().join("work.py"), script).unwrap();
    record(dir.path(), &[&python, "-X", "perf", "work.py"]);
    let report = Report::of(dir.path(), &[]);
    report.clean();
    let share = report.share_below("py::heavy_work:");
    assert!(share > 0.6, "{share}");
}

#[test]
fn functions_of_java_are_named() {
    if !possible() {
        return;
    }
    let options = [
        "-XX:+PreserveFramePointer",
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:+DumpPerfMapAtExit",
    ];
    if !works("java", &[&options[..], &["-version"]].concat()) || !works("javac", &["-version"]) {
        skip::absent("no Java from 17 on");
        return;
    }
    let source = "
public class Work {
  static long heavyWork(long n) { long s = 0; for (long i = 0; i < n; i++) s = (s * 31 + i) % 1000003; return s; }
  public static void main(String[] a) {
    var clock = java.lang.management.ManagementFactory.getThreadMXBean();
    long x = 0;
    while (clock.getCurrentThreadCpuTime() < 1500000000L) x += heavyWork(100000);
    System.out.println(x);
  }
}";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("Work.java");
    fs::write(&file, source).unwrap();
    super::run::succeed(Command::new("javac").arg("-d").arg(dir.path()).arg(&file));
    record(dir.path(), &[&["java"], &options[..], &["Work"]].concat());
    let report = Report::of(dir.path(), &[]);
    report.clean();
    let share = report.share_with("Work.heavyWork");
    // Starting takes a good part of it.
    assert!(share > 0.2, "{share}");
}
