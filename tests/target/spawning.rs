//! Birth inside the cgroup, exit codes, errors of exec, and what is not
//! inherited.

use eprof::error::ErrorKind;
use eprof::launch::{Command, Identity, InheritedFiles, Limits, Prepared, prepare};

use crate::bench::{cgroup, executable, read, root, run, sh, sh_into};

/// Both ways of making the process: clone3, and fork for older kernels.
type Way = fn(Prepared) -> Prepared;
const WAYS: [(&str, Way); 2] = [
    ("clone3", |prepared| prepared),
    ("fork", Prepared::without_clone3),
];

#[test]
fn the_child_is_in_the_cgroup_before_it_runs_anything() {
    let Some(cgroup) = cgroup() else { return };
    let name = cgroup.path().file_name().unwrap().to_str().unwrap();
    for (way, by) in WAYS {
        let output = tempfile::NamedTempFile::new().unwrap();
        let command = sh_into("cat /proc/self/cgroup", output.path());
        let prepared = prepare(command, Some(&cgroup), &Identity::default()).unwrap();
        let mut child = by(prepared).spawn().unwrap();
        if way == "clone3" {
            // By the kernel's own list, before the child has done anything.
            assert!(cgroup.processes().contains(&child.pid()));
        }
        child.release().unwrap();
        assert_eq!(child.reap().unwrap().code, 0, "{way}");
        let own = read(output.path());
        let line = own.lines().find(|line| line.starts_with("0::")).unwrap();
        assert!(line.ends_with(&format!("/{name}")), "{way}: {line}");
    }
}

#[test]
fn nothing_of_the_target_runs_before_the_release() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let script = format!("echo ran > '{}'", trace.display());
    let spawn = || {
        prepare(sh(&script), None, &Identity::default())
            .unwrap()
            .spawn()
            .unwrap()
    };
    let mut child = spawn();
    assert!(!trace.exists());
    child.release().unwrap();
    child.reap().unwrap();
    assert!(trace.exists());

    std::fs::remove_file(&trace).unwrap();
    // Dropping waits for its end, so there is nothing to wait for after it.
    drop(spawn());
    assert!(!trace.exists());
}

#[test]
fn the_exit_code_is_passed_through() {
    for (way, by) in WAYS {
        for code in [0, 1, 42, 125, 126, 127, 128, 255] {
            let command = sh(&format!("exit {code}"));
            let prepared = prepare(command, None, &Identity::default()).unwrap();
            let mut child = by(prepared).spawn().unwrap();
            child.release().unwrap();
            let status = child.reap().unwrap();
            assert_eq!((status.code, status.signal), (code, None), "{way}");
            assert_eq!(child.reap().unwrap(), status, "asked again");
        }
    }
}

#[test]
fn a_killing_signal_is_128_more() {
    // 34 is a real-time signal, for which there is no name.
    for (signal, code) in [(9, 137), (15, 143), (2, 130), (11, 139), (34, 162)] {
        let command = sh(&format!("ulimit -c 0; kill -{signal} $$"));
        let status = run(command, None, &Identity::default());
        assert_eq!((status.code, status.signal), (code, Some(signal)));
    }
    let status = run(sh("kill -KILL $$"), None, &Identity::default());
    assert_eq!(status.signal_name(), Some("SIGKILL"));
}

fn exec_error(command: Command) -> (ErrorKind, String) {
    let prepared = prepare(command, None, &Identity::default()).unwrap();
    let error = prepared.spawn().unwrap().release().unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn what_cannot_be_executed_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let none: [&str; 0] = [];
    let missing = directory.path().join("missing");
    let plain = directory.path().join("plain");
    std::fs::write(&plain, "text").unwrap();
    let lost = directory.path().join("lost");
    executable(&lost, "#!/nowhere/interpreter\n");
    for (program, kind, words) in [
        ("eprof-no-such-program".into(), ErrorKind::NotFound, "PATH"),
        (missing.into_os_string(), ErrorKind::NotFound, "no file"),
        (plain.into_os_string(), ErrorKind::CannotRun, "executed"),
        (lost.into_os_string(), ErrorKind::CannotRun, "interpreter"),
        ("/".into(), ErrorKind::CannotRun, "executed"),
    ] {
        let (found, sentence) = exec_error(Command::new(&program, none));
        assert_eq!(found, kind, "{program:?}: {sentence}");
        assert!(sentence.contains(words), "{program:?}: {sentence}");
    }
    let long = "x".repeat(200_000);
    let (kind, sentence) = exec_error(Command::new("/bin/true", [long]));
    assert_eq!(kind, ErrorKind::CannotRun);
    assert!(sentence.contains("too long"), "{sentence}");
}

#[test]
fn a_command_that_is_no_command_is_refused_before_it_is_tried() {
    let none: [&str; 0] = [];
    let identity = Identity::default();
    let kind = |command| prepare(command, None, &identity).unwrap_err().kind();
    assert_eq!(kind(Command::new("", none)), ErrorKind::NotFound);
    assert_eq!(kind(Command::new("a\0b", none)), ErrorKind::Usage);
    assert_eq!(kind(Command::new("/bin/true", ["\0"])), ErrorKind::Usage);
}

#[test]
fn the_path_searched_is_the_targets() {
    let directory = tempfile::tempdir().unwrap();
    let tool = directory.path().join("eprof-test-tool");
    // Without #!, so that the shell must be found for it, as by execvp.
    executable(&tool, "exit $1\n");
    let path = format!("/nowhere:{}:/bin", directory.path().display());
    let command =
        Command::new("eprof-test-tool", ["77"]).environment(vec![("PATH".into(), path.into())]);
    assert_eq!(run(command, None, &Identity::default()).code, 77);
    let elsewhere =
        Command::new("eprof-test-tool", ["77"]).environment(vec![("PATH".into(), "/bin".into())]);
    assert_eq!(exec_error(elsewhere).0, ErrorKind::NotFound);
}

#[test]
fn no_file_of_ours_is_open_in_the_target() {
    use std::os::fd::AsRawFd as _;
    let leak = std::fs::File::open("/etc/passwd").unwrap();
    // A file that would survive exec: what a careless library leaves open.
    nix::fcntl::fcntl(
        &leak,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .unwrap();
    let number = leak.as_raw_fd();
    for (way, by) in WAYS {
        let files = |command: fn(Command) -> Command| {
            let output = tempfile::NamedTempFile::new().unwrap();
            let script = "exec ls /proc/self/fd";
            let inner = command(sh_into(script, output.path()));
            let prepared = prepare(inner, None, &Identity::default()).unwrap();
            let mut child = by(prepared).spawn().unwrap();
            child.release().unwrap();
            assert_eq!(child.reap().unwrap().code, 0);
            read(output.path())
                .lines()
                .map(|line| line.parse().unwrap())
                .collect::<Vec<i32>>()
        };
        // 3 is the directory that ls itself reads.
        assert_eq!(files(|command| command), [0, 1, 2, 3], "{way}");
        // What the caller meant for the command is handed on, if asked for.
        let handed = files(|command| command.inherited(InheritedFiles::now()));
        assert!(handed.contains(&number), "{way}: {handed:?}");
    }
}

#[test]
fn ignored_sigpipe_and_blocked_signals_stay_with_us() {
    let output = tempfile::NamedTempFile::new().unwrap();
    let command = sh_into("grep Sig /proc/self/status", output.path());
    // The Rust runtime ignores SIGPIPE in this process.
    run(command, None, &Identity::default());
    let status = read(output.path());
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim_matches([':', '\t', ' ']), 16).unwrap()
    };
    assert_eq!(set("SigBlk"), 0, "{status}");
    assert_eq!(set("SigIgn") & (1 << 12), 0, "SIGPIPE is ignored: {status}");
}

#[test]
fn limits_changed_meanwhile_are_put_back_for_the_target() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let before = Limits::now();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let other = if soft == hard { soft - 1 } else { soft + 1 };
    setrlimit(Resource::RLIMIT_NOFILE, other, hard).unwrap();
    let output = tempfile::NamedTempFile::new().unwrap();
    let command = sh_into("ulimit -n", output.path()).limits(before);
    run(command, None, &Identity::default());
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert_eq!(read(output.path()).trim(), soft.to_string());
}

#[test]
fn the_target_of_root_has_what_root_has_and_no_ambient_sets() {
    if !root() {
        return;
    }
    let output = tempfile::NamedTempFile::new().unwrap();
    let command = sh_into("grep Cap /proc/self/status", output.path());
    run(command, None, &Identity::default());
    let status = read(output.path());
    for set in ["CapInh", "CapAmb"] {
        let line = status.lines().find(|line| line.starts_with(set)).unwrap();
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
}
