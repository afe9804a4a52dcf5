//! Where no thread is to be had, and not even a process, there is a report of what was
//! measured, and the target's exit code.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::support::seccomp::{self, answer, fail, load, unless, unless_set};

/// What is refused, and to whom.
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// Threads, as where memory or `pids.max` is used up.
    Threads,
    /// Whatever is made by clone3, as older filters of containers do.
    Clone3,
}

/// A filter of the calls by which threads and processes are made (seccomp(2)).
fn filter(refused: Refused) -> Vec<libc::sock_filter> {
    let number = |of: libc::c_long| u32::try_from(of).unwrap();
    // The flags are the first argument, of which the lower half is at 16.
    let flags = std::mem::offset_of!(libc::seccomp_data, args) as u32;
    match refused {
        Refused::Threads => vec![
            load(0),
            unless(number(libc::SYS_clone3), 1),
            // The C library goes on to clone.
            fail(libc::ENOSYS),
            unless(number(libc::SYS_clone), 3),
            load(flags),
            unless_set(libc::CLONE_THREAD as u32, 1),
            fail(libc::EAGAIN),
            answer(libc::SECCOMP_RET_ALLOW),
        ],
        Refused::Clone3 => vec![
            load(0),
            unless(number(libc::SYS_clone3), 1),
            fail(libc::EPERM),
            answer(libc::SECCOMP_RET_ALLOW),
        ],
    }
}

fn restrict(command: &mut Command, refused: Refused) {
    let mut filter = filter(refused);
    // SAFETY: it makes one system call.
    unsafe { command.pre_exec(move || seccomp::install(&mut filter)) };
}

/// A cgroup that has room for so many threads, where there can be one.
struct Narrow(PathBuf);

impl Narrow {
    fn new(most: u32) -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let of_pids = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
            let first = kind == "cgroup" && options.split(',').any(|option| option == "pids");
            let controllers = Path::new(point).join("cgroup.subtree_control");
            let second = kind == "cgroup2"
                && std::fs::read_to_string(controllers).is_ok_and(|of| of.contains("pids"));
            (first || second).then(|| point.to_owned())
        });
        let name = format!("eprof-narrow-{}", std::process::id());
        let path = Path::new(&of_pids?).join(name);
        std::fs::create_dir(&path).ok()?;
        let narrow = Self(path);
        std::fs::write(narrow.0.join("pids.max"), most.to_string()).ok()?;
        Some(narrow)
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Burns CPU time without making a process, and says 7.
const TARGET: [&str; 3] = [
    "sh",
    "-c",
    "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 7",
];

/// Asserts that a report, in JSON, has what was measured.
fn assert_sound(text: &[u8], stderr: &str) {
    let report = support::Report(serde_json::from_slice(text).unwrap());
    report.assert_balanced();
    assert!(report.sum("threads", "samples") > 10, "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    // Functions have names, or it is said that some have none.
    let named = |word: &str| report.0["caveats"].to_string().contains(word);
    let functions = report.rows("functions").iter();
    let known = functions.filter(|row| !row["function"].to_string().contains("0x"));
    assert!(known.count() > 0 || named("name"), "{:#}", report.0);
}

/// Runs eprof, as `prepare` has it, and reports what it recorded, likewise.
fn try_without(prepare: &dyn Fn(&mut Command)) {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(eprof());
        command.current_dir(directory.path()).args(arguments);
        prepare(&mut command);
        command.output().unwrap()
    };
    let mut arguments = vec![
        "run", "-F", "997", "--format", "json", "--report", "run.json", "--",
    ];
    arguments.extend(TARGET);
    let ran = run(&arguments);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(7), "{said}");
    let text = std::fs::read(directory.path().join("run.json"));
    assert_sound(
        &text.unwrap_or_else(|error| panic!("{error}: {said}")),
        &said,
    );
    for arguments in [
        ["report", "--format", "json"].as_slice(),
        &["export", "--format", "pprof", "-o", "run.pb.gz"],
        &["dump", "-o", "run.jsonl"],
        &["merge", "-o", "both.data", "eprof.data", "eprof.data"],
        &["diff", "eprof.data", "eprof.data"],
    ] {
        let said = run(arguments);
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        if arguments.contains(&"json") {
            assert_sound(&said.stdout, &stderr);
        }
    }
}

#[test]
fn without_any_thread_the_run_and_its_report_are_whole() {
    if root() {
        try_without(&|command| restrict(command, Refused::Threads));
    }
}

#[test]
fn where_clone3_is_forbidden_the_run_and_its_report_are_whole() {
    if root() {
        try_without(&|command| restrict(command, Refused::Clone3));
    }
}

/// Room for eprof and the target: for nothing else while it runs, and for one helper then.
#[test]
fn where_pids_max_is_reached_the_run_and_its_report_are_whole() {
    if !root() {
        return;
    }
    let Some(narrow) = Narrow::new(2) else {
        support::skip("threads cannot be limited by a cgroup");
        return;
    };
    let processes = File::options()
        .write(true)
        .open(narrow.0.join("cgroup.procs"));
    let processes = processes.unwrap();
    try_without(&|command| {
        let processes = processes.as_raw_fd();
        let enter = move || {
            // SAFETY: a system call with a byte that there is, and a descriptor that is
            // open as long as the command is made.
            match unsafe { libc::write(processes, b"0".as_ptr().cast(), 1) } {
                1 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        // SAFETY: it makes one system call.
        unsafe { command.pre_exec(enter) };
    });
}
