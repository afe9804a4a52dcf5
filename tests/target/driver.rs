//! A small profiler without measuring, in a process of its own: what the
//! tests of signals and of odd surroundings drive from outside.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use eprof::clock::now;
use eprof::launch::{
    Action, Event, Follow, Identity, RunAs, SignalSet, Stop, Waiter, enforce, follow, prepare,
};
use eprof::unit::Nanos;
use nix::sys::signal::SigSet;

use crate::bench::sh;

const SCRIPT: &str = "EPROF_TEST_SCRIPT";
const GRACE: &str = "EPROF_TEST_GRACE_NS";
const DURATION: &str = "EPROF_TEST_DURATION_NS";

/// Says a line on standard error in one piece: it is the target's, too, and
/// `eprintln!` writes piece by piece.
macro_rules! say {
    ($($words:tt)*) => {{
        let line = format!("{}\n", format_args!($($words)*));
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }};
}

/// Not a test: the body of the process that [`Drive`] starts.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn drive() {
    let Ok(script) = std::env::var(SCRIPT) else {
        return;
    };
    // Said here, since the test harness would make it 101.
    let code = run(&script).unwrap_or_else(|error| {
        say!("error {:?} {error}", error.kind());
        error.kind().exit_code()
    });
    #[allow(clippy::exit, reason = "the exit code is what is tested")]
    std::process::exit(code.into());
}

fn nanos(name: &str) -> Option<Nanos> {
    Some(Nanos(std::env::var(name).ok()?.parse().unwrap()))
}

fn run(script: &str) -> eprof::error::Result<u8> {
    let signals = SignalSet::block()?;
    let identity = Identity::resolve(&RunAs::Caller)?;
    let way = follow();
    match &way {
        Follow::Cgroup(cgroup) => say!("cgroup {}", cgroup.path().display()),
        Follow::Fork(caveat) => {
            say!("fork {}", caveat.sentence);
            say!("hint {}", caveat.hint.as_deref().unwrap_or_default());
        }
    }
    // The harness has other threads, so the signals were blocked for them
    // before they were made; the target is to have none of that.
    let command = sh(script).signal_mask(SigSet::empty());
    let mut child = prepare(command, way.cgroup(), &identity)?.spawn()?;
    say!("pid {}", child.pid());
    let mut waiter = Waiter::new()?;
    child.release()?;
    let end = nanos(DURATION).map(|duration| now() + duration);
    let mut stop = Stop::new(nanos(GRACE).unwrap_or(Nanos(u64::MAX)), end);
    loop {
        waiter.set_deadline(stop.deadline())?;
        let action = match waiter.next(&child, &signals, &[])? {
            Event::Exited => break,
            Event::Signal(received) => {
                say!("signal {:?} {:?}", received.signal, received.origin);
                stop.on_signal(received, now())
            }
            Event::Deadline => stop.on_time(now()),
            Event::Alarm | Event::Ready(_) | Event::Over(_) | Event::Passing(_) => Action::Nothing,
        };
        if action != Action::Nothing {
            say!("action {action:?}");
        }
        enforce(action, &child, way.cgroup())?;
    }
    let status = child.reap()?;
    if let Follow::Cgroup(cgroup) = way {
        let removal = cgroup.remove();
        say!("moved {}", removal.moved);
        if let Some(left) = removal.left {
            say!("left {left}");
        }
    }
    Ok(status.code)
}

/// How to start the driver.
pub(crate) struct Drive(Command);

impl Drive {
    /// A driver whose target is the shell script `script`.
    pub(crate) fn script(script: &str) -> Self {
        Self::with(Command::new(std::env::current_exe().unwrap()), script)
    }

    /// A driver that `wrapper` starts, which is given its command line.
    pub(crate) fn below(mut wrapper: Command, executable: &Path, script: &str) -> Self {
        wrapper.arg(executable);
        Self::with(wrapper, script)
    }

    fn with(mut command: Command, script: &str) -> Self {
        command
            .args(["driver::drive", "--exact", "--ignored", "--nocapture"])
            .env(SCRIPT, script)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Whoever runs the tests (nohup, a job in the background) may have
        // ignored what they send.
        let heed = || {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
                // SAFETY: to take back the ignoring of a signal runs no code.
                unsafe { libc::signal(signal, libc::SIG_DFL) };
            }
            Ok(())
        };
        // SAFETY: the closure makes system calls and allocates nothing.
        unsafe { command.pre_exec(heed) };
        Self(command)
    }

    pub(crate) fn grace(mut self, grace: Nanos) -> Self {
        self.0.env(GRACE, grace.0.to_string());
        self
    }

    pub(crate) fn duration(mut self, duration: Nanos) -> Self {
        self.0.env(DURATION, duration.0.to_string());
        self
    }

    pub(crate) fn command(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let block = || {
            let mut set = SigSet::all();
            set.remove(nix::sys::signal::Signal::SIGCHLD);
            set.thread_block().map_err(Into::into)
        };
        // SAFETY: the closure makes one system call and allocates nothing.
        unsafe { self.0.pre_exec(block) };
        let mut child = self.0.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Running {
            child,
            log,
            read: Vec::new(),
        }
    }

    /// Lets it run to its end; gives its exit code and what it said.
    pub(crate) fn finish(self) -> (i32, Vec<String>) {
        self.start().finish()
    }
}

/// A driver that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: BufReader<ChildStderr>,
    read: Vec<String>,
}

impl Running {
    /// Waits until the driver or its target says a line that starts with
    /// `word`, and gives the rest of the line.
    pub(crate) fn until(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let bytes = self.log.read_line(&mut line).unwrap();
            assert!(bytes > 0, "no '{word}' in {:?}", self.read);
            let line = line.trim_end().to_owned();
            self.read.push(line.clone());
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Sends the driver itself a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub(crate) fn finish(mut self) -> (i32, Vec<String>) {
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut self.log, &mut rest).unwrap();
        let status = self.child.wait().unwrap();
        let rest = String::from_utf8_lossy(&rest);
        self.read.extend(rest.lines().map(str::to_owned));
        (status.code().unwrap_or(-1), self.read)
    }
}
