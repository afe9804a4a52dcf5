//! Programs that know their own addresses, run in a cgroup of their own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use eprof::host::mountinfo::cgroup_mounts;
use eprof::host::{Cpus, SysRoot};
use eprof::kernel::{KernelEvent, Sample, Sideband, in_order};
use eprof::measurement::{Frame, FrameId, SampledSlice, StackEnd, Task, TaskId};
use eprof::symbol::stack::frames_in;
use eprof::symbol::{ProcessMaps, Resolution, Search};
use eprof::unit::Timestamp;

/// Whether what these tests need is there; says what is missing, and fails
/// where that is demanded.
pub fn possible() -> bool {
    let missing = if !nix::unistd::geteuid().is_root() {
        "not root"
    } else if Command::new("cc").arg("--version").output().is_err() {
        "no C compiler"
    } else if cgroup_root().is_none() {
        "no cgroup v2"
    } else {
        return true;
    };
    crate::support::skip(missing);
    false
}

/// Names from local files, looked up by eprof: this program is a test.
pub fn search() -> Search {
    Search::local(&[]).by(Path::new(env!("CARGO_BIN_EXE_eprof")))
}

fn cgroup_root() -> Option<PathBuf> {
    let mounts = cgroup_mounts(&fs::read("/proc/self/mountinfo").unwrap());
    mounts.into_iter().next().map(|mount| mount.point)
}

/// A cgroup that is removed with everything in it.
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("eprof-symbols-{}-{n}", std::process::id());
        let path = cgroup_root().unwrap().join(name);
        fs::create_dir(&path).unwrap();
        Self { path }
    }

    pub fn open(&self) -> File {
        File::open(&self.path).unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What was killed leaves when it is next scheduled.
        for _ in 0..10_000 {
            let procs = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
            for pid in procs.lines().filter_map(|pid| pid.parse().ok()) {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

/// Every online CPU.
pub fn cpus() -> Vec<u32> {
    Cpus::read(&SysRoot::machine()).numbers()
}

/// Now, on the clock of all events.
pub fn now() -> Timestamp {
    eprof::clock::now()
}

/// Compiles `source` to `path`.
pub fn compile(path: &Path, source: &str, compiler: &str, flags: &[&str]) {
    let file = path.with_extension(if compiler == "c++" { "cc" } else { "c" });
    fs::write(&file, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-O1", "-g", "-fno-omit-frame-pointer", "-o"]);
    let status = command.arg(path).arg(&file).args(flags).status().unwrap();
    assert!(status.success());
    fs::remove_file(&file).unwrap();
}

/// A program under observation. What it prints is `word word …` per line; it
/// goes on when it can read a line, or the end of its input.
pub struct Target {
    pub pid: u32,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub sideband: Sideband,
    pub maps: ProcessMaps,
    next_task: u32,
    _cgroup: Cgroup,
}

impl Target {
    /// Runs `command` inside a cgroup that is observed from before its start.
    pub fn in_cgroup(command: &[&str]) -> Self {
        let cgroup = Cgroup::new();
        let sideband = Sideband::cgroup(&cgroup.open(), &cpus()).unwrap();
        let child = spawn(&cgroup, "exec \"$@\"", command);
        Self::observe(child, sideband, cgroup)
    }

    /// Runs `command` and observes its process from before its exec on. The
    /// cgroup only serves to end what it leaves behind.
    pub fn as_process(command: &[&str]) -> Self {
        let cgroup = Cgroup::new();
        let mut child = spawn(&cgroup, "read line; exec \"$@\"", command);
        let sideband = Sideband::process(child.id(), &cpus()).unwrap();
        writeln!(child.stdin.as_mut().unwrap()).unwrap();
        Self::observe(child, sideband, cgroup)
    }

    fn observe(mut child: Child, sideband: Sideband, cgroup: Cgroup) -> Self {
        let pid = child.id();
        let mut target = Self {
            pid,
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            sideband,
            maps: ProcessMaps::default(),
            next_task: 0,
            _cgroup: cgroup,
        };
        let root = target.task(pid, None, Timestamp(0));
        target.maps.apply(&KernelEvent::Created(root));
        target
    }

    /// The next task, as the kernel side would report it.
    pub fn task(&mut self, pid: u32, parent: Option<TaskId>, born: Timestamp) -> Task {
        let id = TaskId(self.next_task);
        self.next_task += 1;
        Task {
            id,
            tid: pid,
            pid,
            start: born,
            began: born,
            generation: 0,
            parent,
            comm: String::new(),
        }
    }

    /// The only child of process `pid`.
    pub fn child_of(&self, pid: u32) -> u32 {
        let path = format!("/proc/{pid}/task/{pid}/children");
        fs::read_to_string(path).unwrap().trim().parse().unwrap()
    }

    /// The next line that the program prints, in words.
    pub fn line(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// The next line: the name of a function, and its address.
    pub fn function(&mut self) -> (String, u64) {
        let line = self.line();
        assert_eq!(line.len(), 2, "{line:?}");
        (line[0].clone(), hex(&line[1]))
    }

    /// Lets the program go on from its next `getchar`.
    pub fn go_on(&mut self) {
        writeln!(self.input.as_mut().unwrap()).unwrap();
    }

    /// Waits until the program has ended.
    pub fn finish(&mut self) {
        drop(self.input.take());
        let mut rest = String::new();
        while self.output.read_line(&mut rest).unwrap() > 0 {}
        self.child.wait().unwrap();
    }

    /// Hands all mappings so far, and `others`, to the process maps in order of time;
    /// returns the frames of the samples among them.
    pub fn drain(&mut self, others: Vec<KernelEvent>) -> Vec<Vec<Frame>> {
        let mut events = others;
        self.sideband
            .drain(&mut |mapping| events.push(KernelEvent::Mapped(mapping)));
        in_order(&mut events);
        let mut stacks = Vec::new();
        for event in &events {
            self.maps.apply(event);
            if let KernelEvent::Sample(sample) = event {
                stacks.push(self.frames(sample));
            }
        }
        self.maps.end_batch();
        stacks
    }

    /// The frames of `sample`, root first, by what is mapped now.
    pub fn frames(&self, sample: &Sample) -> Vec<Frame> {
        frames_in(sample, self.maps.context(sample).as_ref())
    }

    /// The only frame of a sample of the first process at `address`.
    pub fn frame(&self, address: u64) -> Frame {
        self.frame_of(TaskId(0), address)
    }

    /// The only frame of a sample of `task` at `address`.
    pub fn frame_of(&self, task: TaskId, address: u64) -> Frame {
        let stack = self.frames(&sample(task, now(), address));
        assert_eq!(stack.len(), 1, "{stack:?}");
        stack[0]
    }

    /// The functions at `address` of the first process, now and by name.
    pub fn functions(&self, address: u64) -> Option<Vec<String>> {
        self.names(self.frame(address))
    }

    /// All about `frames`, from local files.
    pub fn resolve(&self, frames: &[Frame]) -> Resolution {
        let mut on = |_| ControlFlow::Continue(());
        self.maps.resolve(frames, &search(), &mut on)
    }

    /// The functions of `frame`.
    pub fn names(&self, frame: Frame) -> Option<Vec<String>> {
        let resolution = self.resolve(&[frame]);
        let symbol = resolution.symbols.into_iter().next()?;
        assert_eq!(symbol.frame, FrameId(0));
        Some(symbol.functions)
    }

    /// The path of the object that `frame` lies in.
    pub fn path(&self, frame: Frame) -> &str {
        match frame {
            Frame::User { object, .. } => &self.maps.objects().list()[object.0 as usize].path,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `script` in `cgroup`, with `command` as its arguments.
pub fn spawn(cgroup: &Cgroup, script: &str, command: &[&str]) -> Child {
    let script = format!("echo $$ > {}/cgroup.procs; {script}", cgroup.path.display());
    Command::new("sh")
        .args(["-c", &script, "sh"])
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A sample in user mode with nothing but its instruction pointer.
pub fn sample(task: TaskId, at: Timestamp, address: u64) -> Sample {
    Sample {
        task: Some(task),
        at,
        slice: SampledSlice::default(),
        kernel: Vec::new(),
        kernel_end: StackEnd::Absent,
        user: vec![address],
        interrupted: Vec::new(),
        user_end: StackEnd::Complete,
        copy: None,
    }
}

/// A number as `%p` prints it.
pub fn hex(word: &str) -> u64 {
    u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap()
}
