//! Whether stacks are whole and right: `eprof run` on programs that were
//! compiled in many ways and whose call chains are known, and on programs as
//! they are installed.
//!
//! ```text
//! cargo test --test stacks                  everything
//! cargo test --test stacks -- rust signal   programs with these in their names
//! cargo test --test stacks -- --perf        the same of `perf record --call-graph dwarf`
//! cargo test --test stacks -- --show musl   and a stack with each of its flaws
//! cargo test --test stacks -- --list
//! ```
//!
//! A stack is whole if eprof does not mark it as broken, all its frames lie in
//! code, calls precede its return addresses, and its outermost frame has no
//! caller by the CFI of its file. It is right if it shows the functions of the
//! program's source in their order, named by the symbol table of the file, not
//! by eprof. Prints a table, with the flaws of what is not; fails where a
//! program is below its bound and not known to be (`stacks/bounds.rs`). What the
//! same table says of perf is a check of the suite itself.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each file of the suite is for the others; a failed assumption is a failed test"
)]

#[path = "stacks/bounds.rs"]
mod bounds;
#[path = "stacks/compile.rs"]
mod compile;
#[path = "stacks/elf.rs"]
mod elf;
#[path = "stacks/judge.rs"]
mod judge;
#[path = "stacks/perf_script.rs"]
mod perf_script;
#[path = "stacks/program.rs"]
mod program;
#[path = "stacks/recorded.rs"]
#[allow(dead_code, reason = "the benchmark `profilers` uses more of it")]
mod recorded;
#[path = "stacks/suite.rs"]
mod suite;
mod support;
#[path = "stacks/system.rs"]
mod system;
#[path = "stacks/walk.rs"]
#[allow(dead_code, reason = "the benchmark `profilers` uses more of it")]
mod walk;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use judge::Findings;
use program::{Missing, Program};
use support::Recorded;
use walk::Images;

/// How often a program is tried again whose stacks are not as they should be: what
/// else the machine does delays the first tables.
const RETRIES: usize = 2;

/// Flaws that are printed of each program.
const FLAWS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |program: &Program| {
        let name = program.name.to_lowercase();
        let mut filters = arguments.iter().filter(|word| !word.starts_with('-'));
        let none = filters.clone().next().is_none();
        none || filters.any(|filter| name.contains(&filter.to_lowercase()))
    };
    let mut programs: Vec<Program> = suite::all().into_iter().filter(wanted).collect();
    if arguments.iter().any(|word| word == "--list") {
        for program in &programs {
            println!("{}: test", program.name);
        }
        return ExitCode::SUCCESS;
    }
    if !support::root() {
        return ExitCode::SUCCESS;
    }
    let by_perf = arguments.iter().any(|word| word == "--perf");
    let show = arguments.iter().any(|word| word == "--show");
    let directory = tempfile::tempdir().unwrap();
    for (n, program) in programs.iter_mut().enumerate() {
        program.home = directory.path().join(n.to_string());
        std::fs::create_dir(&program.home).unwrap();
    }
    let mut verdicts = Vec::new();
    println!("program                        samples    whole    right");
    for (program, made) in programs.iter().zip(make_all(&programs)) {
        let Some(mut made) = possible(program, made) else {
            continue;
        };
        let mut found = run(program, &mut made, &program.home, by_perf);
        print(program, &found, show);
        // What fails each time is a defect.
        for again in 1..=RETRIES {
            if found.failure(program).is_none() || bounds::pending(program.name).is_some() {
                break;
            }
            let home = program.home.join(format!("again-{again}"));
            std::fs::create_dir(&home).unwrap();
            found = run(program, &mut made, &home, by_perf);
            print(program, &found, show);
        }
        let failure = found.failure(program);
        let verdict = match (bounds::pending(program.name), failure) {
            (None, None) => continue,
            (None, Some(failure)) => (true, format!("{}: {failure}", program.name)),
            (Some(why), Some(failure)) => (false, format!("{}: {failure}: {why}", program.name)),
            (Some(_), None) => (false, format!("{}: holds: no longer pending", program.name)),
        };
        verdicts.push(verdict);
    }
    let mut code = ExitCode::SUCCESS;
    for (is_fatal, verdict) in verdicts {
        if is_fatal {
            code = ExitCode::FAILURE;
        }
        println!("{} {verdict}", if is_fatal { "FAILED " } else { "pending" });
    }
    code
}

/// What there is to run of a program, and what is known of its files.
struct Made {
    command: Vec<String>,
    images: Images,
}

/// Makes all programs, several at a time, before any runs: what compiles beside
/// a program would be in its way.
fn make_all(programs: &[Program]) -> Vec<Result<Made, Missing>> {
    let next = AtomicUsize::new(0);
    let make = || {
        let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let mine = indices.map_while(|n| Some((n, programs.get(n)?)));
        mine.map(|(n, program)| {
            let mut images = Images::default();
            let command = (program.make)(&program.home, &mut images);
            (n, command.map(|command| Made { command, images }))
        })
        .collect::<Vec<_>>()
    };
    let abreast = thread::available_parallelism().map_or(1, usize::from);
    let mut made: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..abreast).map(|_| scope.spawn(make)).collect();
        let made = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        made.collect()
    });
    made.sort_by_key(|(n, _)| *n);
    made.into_iter().map(|(_, made)| made).collect()
}

/// What was made; `None`, with the reason said, where it cannot be.
fn possible(program: &Program, made: Result<Made, Missing>) -> Option<Made> {
    match made {
        Ok(made) => Some(made),
        Err(Missing::Tool(what)) => {
            support::skip(&format!("{}: {what}", program.name));
            None
        }
        Err(Missing::Optional(what)) => {
            support::absent(&format!("{}: {what}", program.name));
            None
        }
    }
}

/// Runs a program; `home` is for what perf records.
fn run(program: &Program, made: &mut Made, home: &Path, by_perf: bool) -> Findings {
    let stacks = match by_perf {
        true => perf_script::record(home, &made.command),
        false => {
            let options = ["--no-flamegraph", "--as-root", "--frequency", "997"];
            let run = Recorded::run(&options, &made.command);
            assert_eq!(run.code(), 0, "{}: {}", program.name, run.stderr());
            recorded::stacks(&run.path("eprof.data"))
        }
    };
    Findings::of(program, &stacks, &mut made.images)
}

fn print(program: &Program, found: &Findings, show: bool) {
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let right = found.rightness(program).map(percent).unwrap_or_default();
    println!(
        "{:<28} {:>9} {:>9}{:>9}",
        program.name,
        found.samples,
        percent(found.wholeness()),
        right
    );
    let mut flaws: Vec<_> = found.flaws.iter().collect();
    flaws.sort_by_key(|(_, flaw)| std::cmp::Reverse(flaw.count));
    for (what, flaw) in flaws.iter().take(FLAWS) {
        println!("  {:>6} × {what}", flaw.count);
        for frame in flaw.example.iter().filter(|_| show) {
            println!("           {frame}");
        }
    }
    let rest: u64 = flaws.iter().skip(FLAWS).map(|(_, flaw)| flaw.count).sum();
    if rest > 0 {
        println!("  {rest:>6} × {} other flaws", flaws.len() - FLAWS);
    }
}
