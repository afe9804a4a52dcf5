//! Ctrl-C, signals to eprof, the end of the duration, and eprof's own death.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use eprof::unit::Nanos;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;

use crate::bench::{cgroup, root};
use crate::driver::{Drive, Running};

/// A target that ends with `code` when it gets `signal`. It waits for a child
/// that ends with our end of its standard input: `wait` is the one command
/// that a shell leaves for a trap at any moment.
fn ends_by(signal: &str, code: u8) -> String {
    format!(
        "trap 'exit {code}' {signal}
        exec 3<&0
        cat <&3 > /dev/null 2>&1 &
        echo ready >&2
        wait"
    )
}

/// A target that ignores all that can be ignored, and its child does, too.
/// While one of them lives, what the driver says does not come to an end, so
/// [`Running::finish`] proves that both are gone.
const STUBBORN: &str = "trap '' TERM INT HUP QUIT; echo ready >&2; sleep 1000; sleep 1001";

/// Starts the driver with `signal` ignored, as nohup does with SIGHUP.
fn ignore(command: &mut Command, signal: Signal) {
    let ignore = move || {
        // SAFETY: to ignore a signal runs no code.
        unsafe { libc::signal(signal as i32, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: one system call, allocating nothing.
    unsafe { command.pre_exec(ignore) };
}

fn says(log: &[String], line: &str) -> bool {
    log.iter().any(|said| said == line)
}

/// The cgroup that the driver named is gone.
fn assert_cleared(log: &[String]) {
    let cgroup = log.iter().find_map(|line| line.strip_prefix("cgroup "));
    assert!(!Path::new(cgroup.unwrap()).exists(), "{log:?}");
}

/// Starts the driver as the foreground job of a terminal of its own; gives the
/// terminal's other end, where keys are typed.
fn at_terminal(drive: Drive) -> (Running, File) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let (tty, keyboard) = (File::from(terminal.slave), File::from(terminal.master));
    // The driver is not to hold the keyboard itself.
    fcntl(&keyboard, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    let running = drive
        .command(|command| {
            command.stdin(Stdio::from(tty.try_clone().unwrap()));
            command.stdout(Stdio::from(tty));
            let take_terminal = || {
                nix::unistd::setsid()?;
                // SAFETY: the request takes an integer; 0 is the terminal.
                nix::errno::Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
                Ok(())
            };
            // SAFETY: the closure makes two system calls, allocating nothing.
            unsafe { command.pre_exec(take_terminal) };
        })
        .start();
    (running, keyboard)
}

#[test]
fn a_typed_ctrl_c_ends_the_target_and_eprof_lives_to_tell() {
    if cgroup().is_none() {
        return;
    }
    for (script, code) in [
        (ends_by("INT", 7), 7),
        ("echo ready >&2; exec cat".to_owned(), 130),
    ] {
        let (mut running, mut keyboard) = at_terminal(Drive::script(&script));
        running.until("ready");
        keyboard.write_all(b"\x03").unwrap();
        let (found, log) = running.finish();
        assert_eq!(found, code, "{log:?}");
        assert!(
            !log.iter().any(|line| line.starts_with("action")),
            "{log:?}"
        );
        assert_cleared(&log);
    }
}

#[test]
fn a_target_that_handles_ctrl_c_goes_on() {
    // A shell that gets the signal just before it begins to read runs the trap
    // only after; so a line is typed as well.
    let script = "trap 'echo interrupted >&2' INT; echo ready >&2
        while :; do read line; [ \"$line\" = done ] && exit 8; done";
    let grace = Nanos(1);
    let (mut running, mut keyboard) = at_terminal(Drive::script(script).grace(grace));
    running.until("ready");
    for _ in 0..3 {
        keyboard.write_all(b"\x03\n").unwrap();
        running.until("interrupted");
    }
    keyboard.write_all(b"done\n").unwrap();
    assert_eq!(running.finish().0, 8);
}

#[test]
fn a_typed_quit_kills_what_ignores_it_after_the_grace_time() {
    let drive = Drive::script(STUBBORN).grace(Nanos(1_000_000));
    let (mut running, mut keyboard) = at_terminal(drive);
    running.until("ready");
    keyboard.write_all(b"\x1c").unwrap();
    let (code, log) = running.finish();
    assert_eq!(code, 137, "{log:?}");
    assert!(says(&log, "signal SIGQUIT Terminal"), "{log:?}");
}

#[test]
fn a_signal_sent_to_eprof_is_forwarded() {
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGHUP, "HUP"),
    ] {
        let mut running = Drive::script(&ends_by(name, 9)).start();
        running.until("ready");
        running.signal(signal);
        let (code, log) = running.finish();
        assert_eq!(code, 9, "{log:?}");
        assert!(says(&log, &format!("signal SIG{name} Process")), "{log:?}");
        assert!(says(&log, &format!("action Forward(SIG{name})")), "{log:?}");
    }
}

#[test]
fn a_stubborn_target_is_killed_with_all_its_children_after_the_grace_time() {
    if cgroup().is_none() {
        return;
    }
    let mut running = Drive::script(STUBBORN).grace(Nanos(1_000_000)).start();
    running.until("ready");
    running.signal(Signal::SIGTERM);
    let (code, log) = running.finish();
    assert_eq!(code, 137, "{log:?}");
    assert!(says(&log, "action Kill"), "{log:?}");
    assert!(says(&log, "moved 0"), "{log:?}");
    assert_cleared(&log);
}

#[test]
fn a_second_signal_kills_without_waiting() {
    // The grace time is for ever.
    let mut running = Drive::script(STUBBORN).start();
    running.until("ready");
    running.signal(Signal::SIGINT);
    running.until("action Forward(SIGINT)");
    running.signal(Signal::SIGTERM);
    running.until("action Kill");
    assert_eq!(running.finish().0, 137);
}

#[test]
fn the_end_of_the_duration_ends_the_target() {
    let duration = Nanos(20_000_000);
    let (code, log) = Drive::script("exec sleep 1000").duration(duration).finish();
    assert_eq!(code, 143, "{log:?}");
    assert!(says(&log, "action Forward(SIGTERM)"), "{log:?}");

    let grace = Nanos(20_000_000);
    // The signal is ignored from outside, since the time may be over before
    // the shell has run its trap.
    let stubborn = Drive::script(STUBBORN).duration(duration).grace(grace);
    let (code, log) = stubborn
        .command(|command| ignore(command, Signal::SIGTERM))
        .finish();
    assert_eq!(code, 137, "{log:?}");
}

#[test]
fn what_nohup_ignores_stays_ignored_by_eprof_and_target() {
    let script = "grep SigIgn /proc/self/status >&2; echo ready >&2; read line; exit 4";
    let mut running = Drive::script(script)
        .command(|command| ignore(command, Signal::SIGHUP))
        .start();
    let ignored = running.until("SigIgn:");
    assert_eq!(u64::from_str_radix(&ignored, 16).unwrap() & 1, 1);
    running.until("ready");
    running.signal(Signal::SIGHUP);
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"go on\n").unwrap();
    let (code, log) = running.finish();
    assert_eq!(code, 4, "{log:?}");
    assert!(
        !log.iter().any(|line| line.starts_with("signal")),
        "{log:?}"
    );
}

#[test]
fn the_exit_status_is_kept_even_if_sigchld_was_ignored() {
    let (code, log) = Drive::script("exit 21")
        .command(|command| ignore(command, Signal::SIGCHLD))
        .finish();
    assert_eq!(code, 21, "{log:?}");
}

#[test]
fn the_next_run_clears_what_a_killed_eprof_left() {
    if !root() || cgroup().is_none() {
        return;
    }
    let mut running = Drive::script("echo ready >&2; exec cat").start();
    let path = running.until("cgroup");
    let pid = running.until("pid");
    running.until("ready");
    running.signal(Signal::SIGKILL);
    let mut stdin = running.child.stdin.take().unwrap();
    running.child.wait().unwrap();

    let next = cgroup().unwrap();
    assert!(!Path::new(&path).exists());
    // The target lives on where it would be had eprof not been there.
    stdin.write_all(b"still here").unwrap();
    let own = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let ours = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let v2 = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("0::"))
            .map(str::to_owned)
    };
    assert_eq!(v2(&own), v2(&ours));
    drop(next);
    drop(stdin);
}

#[test]
fn the_standard_streams_are_untouched() {
    let mut running = Drive::script("cat; echo out; exit 3")
        .command(|command| {
            command.stdout(Stdio::piped());
        })
        .start();
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"in\0\xff\n").unwrap();
    drop(stdin);
    let mut out = Vec::new();
    let mut stdout = running.child.stdout.take().unwrap();
    stdout.read_to_end(&mut out).unwrap();
    // The harness of the driver says a few words of its own before.
    assert!(out.ends_with(b"in\0\xff\nout\n"), "{out:?}");
    assert_eq!(running.finish().0, 3);
}
