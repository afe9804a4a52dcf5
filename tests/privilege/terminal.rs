//! sudo and `--user`: whose files and whose terminal it is.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command under sudo of `nobody`.
fn as_sudo(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(eprof());
    command
        .current_dir(directory)
        .args(arguments)
        .env("SUDO_UID", "65534")
        .env("SUDO_GID", "65534")
        .env("SUDO_USER", "nobody");
    command
}

/// A directory of `nobody` in which links to files of root's lie in wait.
fn trap(names: &[&str]) -> (TempDir, TempDir) {
    let of_root = tempfile::tempdir().unwrap();
    let of_nobody = tempfile::tempdir().unwrap();
    chown(of_nobody.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    for name in names {
        let file = of_root.path().join(name.replace('/', "-"));
        std::fs::write(&file, "root's").unwrap();
        let link = of_nobody.path().join(name);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        chown(link.parent().unwrap(), Some(NOBODY), Some(NOBODY)).unwrap();
        symlink(&file, &link).unwrap();
    }
    (of_root, of_nobody)
}

/// Asserts that nothing of root's changed, and that what is new is `nobody`'s.
fn assert_untouched(of_root: &TempDir, of_nobody: &TempDir) {
    for entry in std::fs::read_dir(of_root.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "root's",
            "{path:?}"
        );
    }
    let mut directories = vec![of_nobody.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let found = std::fs::symlink_metadata(&path).unwrap();
            if !found.is_symlink() {
                assert_eq!(found.uid(), NOBODY, "{path:?}");
            }
            if found.is_dir() {
                directories.push(path);
            }
        }
    }
}

#[test]
fn under_sudo_planted_links_lead_nowhere() {
    if !root() {
        return;
    }
    let (of_root, of_nobody) = trap(&["eprof.1", "eprof-run.1", "saved.json"]);
    let directory = of_nobody.path();
    let man = as_sudo(directory, &["man", "."]).output().unwrap();
    assert!(man.status.success(), "{}", said(&man));
    assert!(directory.join("eprof-doctor.1").exists());
    let table = directory.join("rows.csv");
    let mut rows = "cpu_time_s,power_w\n".to_owned();
    for row in 0..200 {
        let busy = f64::from(row % 20) / 20.0;
        rows.push_str(&format!("{busy},{}\n", 3.0 + 10.0 * busy));
    }
    std::fs::write(&table, rows).unwrap();
    chown(&table, Some(NOBODY), Some(NOBODY)).unwrap();
    let calibrate = ["calibrate", "--from", "rows.csv", "-o", "saved.json"];
    let saved = as_sudo(directory, &calibrate).output().unwrap();
    assert!(saved.status.success(), "{}", said(&saved));
    assert!(directory.join("saved.json").metadata().unwrap().len() > 10);
    let elsewhere = [
        "calibrate",
        "--from",
        "rows.csv",
        "-o",
        "new/place/saved.json",
    ];
    let saved = as_sudo(directory, &elsewhere).output().unwrap();
    assert!(saved.status.success(), "{}", said(&saved));
    assert_untouched(&of_root, &of_nobody);
}

#[test]
fn under_sudo_what_is_roots_alone_is_written_as_root() {
    if !root() {
        return;
    }
    // As /usr/local/share/man/man1: all directories above it are root's, too.
    let Ok(directory) = tempfile::tempdir_in("/root") else {
        return support::skip("there is no /root");
    };
    let man = as_sudo(Path::new("/"), &["man"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(man.status.success(), "{}", said(&man));
    let page = std::fs::metadata(directory.path().join("eprof.1")).unwrap();
    assert_eq!(page.uid(), 0);
}

#[test]
fn a_fifo_that_nobody_reads_is_not_waited_for() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("eprof.svg");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let mut run = Command::new(eprof())
        .current_dir(directory.path())
        .args(["run", "-q", "--", "true"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = wait_until(|| run.try_wait().unwrap());
    let mut stderr = String::new();
    run.stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert!(!ended.success());
    assert!(stderr.contains("nobody reads from it"), "{stderr}");
}

#[test]
fn a_dead_runs_cgroup_can_be_locked_by_its_owner_only() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // The target, which is nobody's, looks at its own cgroup.
    let script = "own=$(sed -n 's/^0:://p' /proc/self/cgroup); \
                  mount=$(sed -n 's/^.* \\([^ ]*\\) [^ ]* .*- cgroup2 .*/\\1/p' /proc/self/mountinfo \
                  | head -1); \
                  cat $mount$own/cgroup.procs > /dev/null && echo readable; \
                  ls $mount$own > /dev/null 2>&1 || echo closed; \
                  flock --nonblock $mount$own true 2> /dev/null || echo unlockable";
    let run = as_sudo(
        directory.path(),
        &["run", "-q", "--no-flamegraph", "--", "sh", "-c", script],
    )
    .output()
    .unwrap();
    assert!(run.status.success(), "{}", said(&run));
    let said = text(&run.stdout);
    if !said.contains("eprof") && !said.starts_with("readable") {
        return support::skip("the target has no cgroup that it can see");
    }
    assert_eq!(said, "readable\nclosed\nunlockable\n");
}

/// A terminal, with eprof as the leader of its session.
struct Session {
    terminal: File,
    eprof: Child,
    seen: String,
    _work: TempDir,
}

impl Session {
    fn begin(options: &[&str], script: &str) -> Self {
        let pty = openpty(None, None).unwrap();
        let ours = File::from(pty.master);
        let theirs = |end: &OwnedFd| Stdio::from(end.try_clone().unwrap());
        let work = tempfile::tempdir().unwrap();
        let mut command = Command::new(eprof());
        command
            .current_dir(work.path())
            .args(["run", "-q", "--no-flamegraph", "-o", "x.data"])
            .args(options)
            .args(["--", "sh", "-c", script])
            .stdin(theirs(&pty.slave))
            .stdout(theirs(&pty.slave))
            .stderr(theirs(&pty.slave));
        // SAFETY: between fork and exec it makes two system calls.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let eprof = command.spawn().unwrap();
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&ours, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
        Self {
            terminal: ours,
            eprof,
            seen: String::new(),
            _work: work,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.eprof.id().cast_signed())
    }

    /// Waits until `what` was written to the terminal.
    #[track_caller]
    fn until(&mut self, what: &str) {
        wait_until(|| {
            let mut bytes = [0; 4096];
            if let Ok(length) = (&self.terminal).read(&mut bytes) {
                self.seen
                    .push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
            self.seen.contains(what).then_some(())
        });
    }

    fn press(&mut self, key: &[u8]) {
        self.terminal.write_all(key).unwrap();
    }

    /// The number after `name` among what was written.
    fn number(&self, name: &str) -> i32 {
        let after = self.seen.split_once(name).unwrap().1;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = kill(self.pid(), Signal::SIGCONT);
        let _ = kill(self.pid(), Signal::SIGKILL);
        let _ = self.eprof.wait();
        // Its target does not end with it.
        let told = self.seen.split_once("pid").map_or("", |(_, rest)| rest);
        if told.contains('.') {
            let _ = kill(Pid::from_raw(self.number("pid")), Signal::SIGKILL);
        }
    }
}

#[track_caller]
fn wait_until<T>(mut try_it: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = try_it() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The state of a process, by proc_pid_stat(5): `T` is stopped.
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

/// Says its process id, then the number of its controlling terminal (0: none), and
/// counts what it is told.
const TARGET: &str = "trap 'echo interrupted; exit 7' INT; trap 'echo resized' WINCH; \
                      trap 'echo going on' CONT; \
                      echo tty$(cut -d' ' -f7 /proc/$$/stat)pid$$.; \
                      while :; do sleep 0.05; done";

#[test]
fn a_stranger_cannot_type_into_the_terminal() {
    if !root() {
        return;
    }
    let mut own = Session::begin(&[], TARGET);
    own.until("pid");
    own.until(".");
    assert_ne!(
        own.number("tty"),
        0,
        "a control: root's own command has the terminal"
    );
    let mut stranger = Session::begin(&["--user", "nobody"], TARGET);
    stranger.until("pid");
    stranger.until(".");
    assert_eq!(stranger.number("tty"), 0, "{}", stranger.seen);
}

#[test]
fn keys_reach_a_stranger_all_the_same() {
    if !root() {
        return;
    }
    let mut session = Session::begin(&["--user", "nobody"], TARGET);
    session.until("pid");
    session.until(".");
    let target = session.number("pid");
    // Ctrl-Z stops both; whoever continues eprof continues both.
    session.press(b"\x1a");
    let eprof = session.pid();
    wait_until(|| (state(eprof.as_raw()) == Some('T')).then_some(()));
    // A shell whose child is stopped between vfork and exec waits for it (`D`).
    wait_until(|| matches!(state(target), Some('T' | 'D')).then_some(()));
    kill(eprof, Signal::SIGCONT).unwrap();
    session.until("going on");
    // The window gets another size.
    let size = libc::winsize {
        ws_row: 11,
        ws_col: 77,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the call reads one live winsize.
    let set = unsafe {
        libc::ioctl(
            session.terminal.as_raw_fd(),
            libc::TIOCSWINSZ,
            &raw const size,
        )
    };
    assert_eq!(set, 0);
    session.until("resized");
    session.press(b"\x03");
    session.until("interrupted");
    let ended = wait_until(|| session.eprof.try_wait().unwrap());
    assert_eq!(ended.code(), Some(7), "{}", session.seen);
}
