//! Numbers against what the workloads know of themselves, the kernel's books,
//! and perf.

use std::path::Path;

use super::*;

#[test]
fn two_functions_share_the_energy_as_they_share_the_time() {
    if !root() {
        return;
    }
    let run = Recorded::run(&[], &[example("two_functions")]);
    assert_eq!(run.code(), 0, "{}", run.stderr());
    let report = run.report();
    report.assert_balanced();
    let truth = &truths(&run.output.stdout)[0];
    let own = |name: &str| -> f64 {
        report
            .rows("functions")
            .iter()
            .filter(|row| row["function"].as_str().unwrap().ends_with(name))
            .map(|row| row["self_uj"].as_u64().unwrap() as f64)
            .sum()
    };
    let (heavy, light) = (own("heavy"), own("light"));
    let expected = truth["heavy_ns"].as_f64().unwrap()
        / (truth["heavy_ns"].as_f64().unwrap() + truth["light_ns"].as_f64().unwrap());
    assert!(
        heavy + light > 0.9 * report.account("target") as f64,
        "{:#}",
        report.0
    );
    // Some 1,500 samples: four standard deviations of a binomial share.
    let samples = report.sum("threads", "samples") as f64;
    let tolerance = 4.0 * (expected * (1.0 - expected) / samples).sqrt() + 0.01;
    let share = heavy / (heavy + light);
    assert!(
        (share - expected).abs() < tolerance,
        "{share} against {expected} ± {tolerance}"
    );
}

#[test]
fn cpu_time_is_what_the_kernel_says_to_one_percent() {
    if root() {
        thrice(cpu_time_is_that_of_times);
    }
}

fn cpu_time_is_that_of_times() {
    // `times` of the shell: its own user and system time, and that of the
    // children it waited for.
    let script = format!("{} >&2; times", example("threads").display());
    let stolen = stolen();
    let run = Recorded::run(&[], &["sh", "-c", &script]);
    let stolen = support::stolen() - stolen;
    let report = run.report();
    report.assert_balanced();
    let times = String::from_utf8_lossy(&run.output.stdout).into_owned();
    let seconds: f64 = times
        .lines()
        .flat_map(str::split_whitespace)
        .map(|word| {
            let (minutes, seconds) = word.split_once('m').unwrap();
            minutes.parse::<f64>().unwrap() * 60.0
                + seconds.trim_end_matches('s').parse::<f64>().unwrap()
        })
        .sum();
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    // The shell's figures are whole ticks of 10 ms, four of them, each rounded
    // down: on the mean they are 20 ms too low together.
    let rounded = 0.02;
    let slack = stolen + rounded;
    assert_seconds(cpu, seconds + rounded, slack, "against times(1)");
}

#[test]
fn threads_are_told_apart_and_weighed() {
    if root() {
        thrice(threads_have_their_own_time);
    }
}

fn threads_have_their_own_time() {
    let stolen = stolen();
    let run = Recorded::run(&[], &[example("threads")]);
    let report = run.report();
    report.assert_balanced();
    let truths = truths(&run.output.stdout);
    assert_threads(&report, &truths, support::stolen() - stolen);
    let total: f64 = truths.iter().map(|t| t["cpu_ns"].as_f64().unwrap()).sum();
    for thread in &truths {
        let name = thread["thread"].as_str().unwrap();
        let energy: f64 = report
            .threads_named(name)
            .map(|row| row["marginal_uj"].as_f64().unwrap())
            .sum();
        let share = energy / report.sum("threads", "marginal_uj") as f64;
        let expected = thread["cpu_ns"].as_f64().unwrap() / total;
        assert!(
            (share - expected).abs() < 0.03,
            "{name}: {share}, not {expected}"
        );
    }
}

#[test]
fn every_short_process_is_counted_and_named() {
    if !root() {
        return;
    }
    let run = Recorded::run(
        &[],
        &[
            "sh",
            "-c",
            "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done",
        ],
    );
    let report = run.report();
    report.assert_balanced();
    let named: BTreeSet<_> = report
        .rows("processes")
        .iter()
        .filter(|row| row["comm"] == "true")
        .map(|row| row["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(named.len(), 1000, "{:#}", report.0["losses"]);
}

#[test]
fn an_exec_chain_is_not_merged() {
    if !root() {
        return;
    }
    let run = Recorded::run(
        &[],
        &[
            "sh",
            "-c",
            "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec /bin/true'",
        ],
    );
    let report = run.report();
    report.assert_balanced();
    let of_root: Vec<_> = report
        .rows("processes")
        .iter()
        .map(|row| (&row["pid"], &row["comm"]))
        .collect();
    let pids: BTreeSet<_> = of_root.iter().map(|(pid, _)| pid.as_u64()).collect();
    assert_eq!(pids.len(), 1, "one PID all along: {of_root:?}");
    assert!(
        of_root.len() >= 3,
        "three programs, three rows: {of_root:?}"
    );
    assert!(
        of_root.iter().any(|(_, comm)| **comm == "true"),
        "{of_root:?}"
    );
}

#[test]
fn all_outputs_agree_to_the_microjoule() {
    if !root() {
        return;
    }
    let run = Recorded::run(&[], &[example("two_functions")]);
    let target = run.report().account("target");

    let again = run.eprof(&["report", "--format", "json"]);
    assert!(again.status.success());
    assert_eq!(
        again.stdout,
        std::fs::read(run.path("report.json")).unwrap(),
        "the recording gives the same report"
    );

    let folded = run.eprof(&["flamegraph", "--folded"]);
    let total: u64 = String::from_utf8(folded.stdout)
        .unwrap()
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert_eq!(total, target);

    let svg = std::fs::read_to_string(run.path("eprof.svg")).unwrap();
    let total = svg
        .split_once("total_samples=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .expect("the picture says how much it shows");
    assert_eq!(total.0.parse::<u64>().unwrap(), target);

    for by in ["thread", "process", "command", "function", "module", "cpu"] {
        let csv = run.eprof(&["report", "--by", by, "--format", "csv"]);
        assert!(
            csv.status.success(),
            "{by}: {}",
            String::from_utf8_lossy(&csv.stderr)
        );
        let text = String::from_utf8(csv.stdout).unwrap();
        let mut lines = text.lines();
        let header: Vec<_> = lines.next().unwrap().split(',').collect();
        let column = header
            .iter()
            .position(|name| *name == "uj" || *name == "self_uj")
            .unwrap_or_else(|| panic!("{by}: {header:?}"));
        // Names may hold commas: count the columns from the right.
        let from_right = header.len() - column;
        let sum: u64 = lines
            .map(|line| {
                line.rsplit(',')
                    .nth(from_right - 1)
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
            })
            .sum();
        assert_eq!(sum, target, "{by}");
    }
}

/// Whether perf recorded the `two_functions` example into `perf.data` there,
/// as often as eprof would; `stacks` says how it finds callers.
fn perf_records(directory: &Path, stacks: &str) -> bool {
    let options = ["-q", "-e", "cpu-clock", "-c", "1003009", "--call-graph"];
    let perf = Command::new("perf")
        .current_dir(directory)
        .arg("record")
        .args(options)
        .args([stacks, "-o", "perf.data", "--"])
        .arg(example("two_functions"))
        .stdout(Stdio::null())
        .status();
    let recorded = perf.is_ok_and(|status| status.success());
    if !recorded {
        support::skip("perf record does not work (Debian: apt-get install linux-perf)");
    }
    recorded
}

#[test]
fn a_recording_is_a_tenth_of_perfs() {
    let directory = tempfile::tempdir().unwrap();
    if !root() || !perf_records(directory.path(), "dwarf") {
        return;
    }
    let run = Recorded::run(&[], &[example("two_functions")]);
    let size = |directory: &Path, name| std::fs::metadata(directory.join(name)).unwrap().len();
    let perf = size(directory.path(), "perf.data");
    let ours = size(run.directory.path(), "eprof.data");
    // Of the same stacks, without frame pointers.
    assert!(ours * 10 <= perf, "{ours} bytes against perf's {perf}");
}

#[test]
fn samples_are_as_many_as_perf_takes() {
    let directory = tempfile::tempdir().unwrap();
    if !root() || !perf_records(directory.path(), "fp") {
        return;
    }
    let script = Command::new("perf")
        .current_dir(directory.path())
        .args(["script", "-G", "-F", "ip,sym"])
        .output()
        .unwrap();
    let leaves = String::from_utf8_lossy(&script.stdout).into_owned();
    let of_perf = |symbol: &str| leaves.lines().filter(|line| line.contains(symbol)).count() as f64;
    let all = leaves
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count() as f64;

    let run = Recorded::run(&[], &[example("two_functions")]);
    let report = run.report();
    let total = report.sum("threads", "samples") as f64;
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    // One sample per 1/997 s of CPU time, give or take the borders and what
    // the hypervisor delayed.
    assert!(
        (total - cpu * 997.0).abs() <= 0.05 * total + 3.0,
        "{total} samples in {cpu} s"
    );
    for symbol in ["heavy", "light"] {
        let samples: f64 = report
            .rows("functions")
            .iter()
            .filter(|row| row["function"].as_str().unwrap().ends_with(symbol))
            .map(|row| row["samples"].as_f64().unwrap())
            .sum();
        let (got, expected) = (samples / total, of_perf(symbol) / all);
        // Both are samples of some 1,500: five standard deviations of the
        // difference of two such shares.
        assert!(
            (got - expected).abs() < 0.09,
            "{symbol}: {got} against perf's {expected}"
        );
    }
}

/// A process that is busy until it is dropped.
struct Neighbour(std::process::Child);

impl Neighbour {
    fn spin() -> Self {
        let mut shell = Command::new("sh");
        Self(shell.args(["-c", "while :; do :; done"]).spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_sample_is_worth_the_same_whenever_it_was_taken() {
    if !root() {
        return;
    }
    // eprof has to wait for a CPU as everybody has, so borders come late and
    // samples pile up. With an estimate by CPU time, and a sample per so much
    // CPU time, each has nevertheless the same energy, give or take what a
    // single interval holds.
    let cpus = std::thread::available_parallelism().unwrap().get();
    let neighbours: Vec<Neighbour> = (0..cpus * 4).map(|_| Neighbour::spin()).collect();
    let run = Recorded::run(&["--source", "model"], &[example("two_functions")]);
    drop(neighbours);
    let report = run.report();
    report.assert_balanced();
    let mean = report.account("target") as f64 / report.sum("threads", "samples") as f64;
    let rows = report.rows("functions").iter();
    let often = rows.filter(|row| row["samples"].as_u64().unwrap() >= 100);
    let mut seen = 0;
    for row in often {
        let each = row["self_uj"].as_f64().unwrap() / row["samples"].as_f64().unwrap();
        assert!(
            (0.8..1.25).contains(&(each / mean)),
            "{each} µJ per sample against {mean} on average: {row}"
        );
        seen += 1;
    }
    assert!(seen >= 2, "{:#?}", report.rows("functions"));
}
