//! The runs themselves, one after the other.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::signal::Signal;

use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::launch::output_directory::Scratch;
use crate::launch::{
    ExitStatus, Identity, Limits, SignalSet, Streams, Supervised, Supervisor, output_directory,
};
use crate::pipeline::{self, Analysis};
use crate::{launch, session};

use super::command::Command;
use super::conditions::{Files, Watcher};
use super::order;
use super::plan::{Failed, Keep, News, Plan, Repeated};
use super::run::{Run, Turn};

/// How much of a failed command's standard error is shown, in bytes.
const STDERR_TAIL: u64 = 2048;

/// Why no further run is made.
#[derive(Debug)]
pub(super) enum Cut {
    /// A command failed.
    Failed(Failed),
    /// Somebody asked eprof to come to an end.
    Interrupted(Signal),
}

/// What all runs share.
pub(super) struct Runner<'a> {
    plan: &'a Plan,
    /// Between two runs they come to eprof alone.
    signals: SignalSet,
    base: session::Plan,
    identity: Identity,
    files: Files,
    /// Where standard error goes.
    errors: Arc<File>,
    scratch: Scratch,
}

/// A file that takes what commands write to standard error.
fn errors_file(scratch: &Scratch) -> Result<Arc<File>> {
    let path = scratch.path().join("errors");
    let file = File::options()
        .read(true)
        .append(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| Error::io("write", &path, &error))?;
    Ok(Arc::new(file))
}

impl<'a> Runner<'a> {
    /// Makes all ready for the first run.
    pub(super) fn new(plan: &'a Plan) -> Result<Self> {
        let signals = SignalSet::block()?;
        let identity = Identity::resolve(&plan.base.run_as)?;
        if identity.stranger {
            signals.take_job_control()?;
        }
        let scratch = Scratch::create("eprof-stat", identity.files.as_ref())?;
        let mut base = plan.base.clone();
        // Before anything has warmed the machine.
        base.known_idle = Some(pipeline::idle_power(&base)?);
        Ok(Self {
            plan,
            signals,
            files: Files::find(&base.root),
            base,
            errors: errors_file(&scratch)?,
            identity,
            scratch,
        })
    }

    /// Makes all runs, or those up to what cuts them short.
    pub(super) fn run_all(
        &mut self,
        repeated: &mut Repeated,
        observer: &mut dyn FnMut(News<'_>),
    ) -> Result<Option<Cut>> {
        if let Some(cut) = self.warm_up(observer)? {
            return Ok(Some(cut));
        }
        let plan = self.plan;
        let all = plan.rounds * plan.commands.len();
        let rounds = order::rounds(plan.commands.len(), plan.rounds, plan.seed);
        let turns = rounds
            .into_iter()
            .enumerate()
            .flat_map(|(round, commands)| commands.into_iter().map(move |at| (round, at)));
        for (round, at) in turns {
            let Some(command) = plan.commands.get(at) else {
                continue;
            };
            let done = repeated.runs.len();
            observer(News::Begins {
                command,
                round: Some(round),
                done,
                all,
            });
            if let Some(cut) = self.prepare(command, Some(round))? {
                return Ok(Some(cut));
            }
            let turn = Turn {
                command: at,
                round,
                turn: done,
            };
            let (run, exit) = match self.measure(command, turn, repeated, observer)? {
                Ok(measured) => measured,
                Err(cut) => return Ok(Some(cut)),
            };
            if exit.code != 0 && !plan.ignore_failure {
                let failed = self.failed(command.name.clone(), Some(round), exit);
                return Ok(Some(Cut::Failed(failed)));
            }
            observer(News::Ended(&run));
            repeated.runs.push(run);
        }
        Ok(None)
    }

    /// Runs all commands without measuring.
    fn warm_up(&self, observer: &mut dyn FnMut(News<'_>)) -> Result<Option<Cut>> {
        let all = self.plan.warmup * self.plan.commands.len();
        let rounds = 0..self.plan.warmup;
        let turns = rounds.flat_map(|_| &self.plan.commands);
        for (done, command) in turns.enumerate() {
            observer(News::Begins {
                command,
                round: None,
                done,
                all,
            });
            if let Some(cut) = self.prepare(command, None)? {
                return Ok(Some(cut));
            }
            let exit = match self.run(&command.words)? {
                Ok(exit) => exit,
                Err(cut) => return Ok(Some(cut)),
            };
            if exit.code != 0 && !self.plan.ignore_failure {
                let failed = self.failed(command.name.clone(), None, exit);
                return Ok(Some(Cut::Failed(failed)));
            }
        }
        Ok(None)
    }

    /// Does what is to be done before a run of `command`.
    fn prepare(&self, command: &Command, round: Option<usize>) -> Result<Option<Cut>> {
        let Some(line) = &command.prepare else {
            return Ok(None);
        };
        let exit = match self.run(&["/bin/sh".into(), "-c".into(), line.into()])? {
            Ok(exit) => exit,
            Err(cut) => return Ok(Some(cut)),
        };
        let failed = (exit.code != 0).then(|| {
            let name = format!("--prepare '{line}'");
            Cut::Failed(Failed {
                measured: false,
                ..self.failed(name, round, exit)
            })
        });
        Ok(failed)
    }

    /// Runs a command as the target's user, unmeasured. What asks eprof to end
    /// reaches it as it reaches a target.
    fn run(&self, words: &[std::ffi::OsString]) -> Result<Result<ExitStatus, Cut>> {
        let Some((program, arguments)) = words.split_first() else {
            return Ok(Ok(ExitStatus::exited(0)));
        };
        let command = launch::Command::new(program, arguments)
            .signal_mask(self.signals.original_mask())
            .limits(Limits::at_start())
            .streams(self.streams()?);
        let mut child = launch::prepare(command, None, &self.identity)?.spawn()?;
        let mut supervisor = Supervisor::new(None)?;
        child.release()?;
        supervisor.until_exit(Supervised {
            child: &child,
            signals: &self.signals,
            cgroup: None,
        })?;
        let exit = child.reap()?;
        let cut = supervisor.interrupted().map(Cut::Interrupted);
        Ok(cut.map_or(Ok(exit), Err))
    }

    /// Where the streams of a command lead.
    fn streams(&self) -> Result<Streams> {
        if self.plan.attached {
            return Ok(Streams::default());
        }
        let forget = |error| Error::io("open", Path::new("/dev/null"), &error);
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = Arc::new(null.map_err(forget)?);
        // Of earlier runs nobody asks any more. It stays as it is where it
        // cannot be emptied.
        let _ = self.errors.set_len(0);
        Ok(Streams {
            input: Some(Arc::clone(&null)),
            output: Some(null),
            errors: Some(Arc::clone(&self.errors)),
        })
    }

    /// Measures one run.
    fn measure(
        &self,
        command: &Command,
        turn: Turn,
        repeated: &mut Repeated,
        observer: &mut dyn FnMut(News<'_>),
    ) -> Result<Result<(Run, ExitStatus), Cut>> {
        let mut words = command.words.iter().cloned();
        let missing = || Error::new(ErrorKind::Usage, "there is no command to run");
        let plan = session::Plan {
            program: words.next().ok_or_else(missing)?,
            arguments: words.collect(),
            streams: self.streams()?,
            output: self.output(turn)?,
            ..self.base.clone()
        };
        let watcher = Watcher::start(&self.files);
        let recorded = pipeline::record(&plan, &self.signals, &self.plan.search, &mut |news| {
            if let pipeline::News::Interval(status) = news {
                observer(News::Interval(status));
            }
        });
        let conditions = watcher.map(Watcher::stop).unwrap_or_default();
        let recorded = recorded?;
        let cut = recorded
            .interrupted
            .or_else(|| self.signals.next().map(|received| received.signal));
        if let Some(signal) = cut {
            // A run that was cut short says nothing.
            return Ok(Err(Cut::Interrupted(signal)));
        }
        if let Some(failure) = &recorded.failure {
            let sentence = format!("a recording is not whole: {failure}");
            repeated
                .caveats
                .push(Caveat::new("recording-incomplete", sentence));
        }
        let mut analysis = Analysis::new(&plan.output)
            .of(recorded.data)
            .names(self.plan.names.clone())
            .settings(self.plan.settings.clone());
        let profile = analysis.profile()?;
        if self.plan.keep.is_none() {
            // What is left goes with the directory.
            let _ = fs::remove_file(&plan.output);
        }
        let time = recorded.ran.unwrap_or(profile.summary.duration);
        let run = Run::of(turn, &profile, time, conditions);
        Ok(Ok((run, recorded.exit)))
    }

    /// Where the recording of a run goes.
    fn output(&self, turn: Turn) -> Result<PathBuf> {
        let Turn { command, round, .. } = turn;
        let file = format!("{:03}.data", round + 1);
        match &self.plan.keep {
            None => Ok(self.scratch.path().join(file)),
            Some(Keep::Files(paths)) => Ok(paths.get(round).cloned().unwrap_or(file.into())),
            Some(Keep::Directory(directory, names)) => {
                let number = (command + 1).to_string();
                let name = names.get(command).unwrap_or(&number);
                let directory = directory.join(name);
                output_directory::create(&directory, self.identity.files.as_ref())?;
                Ok(directory.join(file))
            }
        }
    }

    fn failed(&self, name: String, round: Option<usize>, exit: ExitStatus) -> Failed {
        Failed {
            name,
            round,
            exit,
            stderr_tail: self.stderr_tail().unwrap_or_default(),
            measured: true,
        }
    }

    fn stderr_tail(&self) -> std::io::Result<String> {
        let mut file = self.errors.as_ref();
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(STDERR_TAIL)))?;
        let mut bytes = Vec::new();
        file.take(STDERR_TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }
}
