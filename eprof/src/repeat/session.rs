//! The runs themselves, one after the other.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::attribute::Settings;
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::{self, Names};
use crate::recording::Header;
use crate::session::{self, Moment};
use crate::symbol::Search;
use crate::target::output_directory::{self, Scratch};
use crate::target::{self, Command, ExitStatus, Identity, Streams};

use super::climate::{Files, Watcher};
use super::order;
use super::run::{Run, Turn};
use super::subject::Subject;

/// How much of a failed command's standard error is shown, in bytes.
const LAST_WORDS: u64 = 2048;

/// What is to be repeated, and how.
#[derive(Debug)]
pub struct Plan {
    /// How each run is recorded; program, arguments, output and streams are
    /// set anew for each.
    pub base: session::Plan,
    /// The commands.
    pub subjects: Vec<Subject>,
    /// How often each is measured.
    pub rounds: usize,
    /// How often each is run before that, unmeasured.
    pub warmup: usize,
    /// What the order is drawn from.
    pub seed: u64,
    /// Whether a command that fails counts all the same.
    pub ignore_failure: bool,
    /// Whether the commands have eprof's own standard streams; else they read
    /// nothing, and what they write is thrown away.
    pub attached: bool,
    /// Where a recording is kept; `None`: nowhere.
    pub keep: Option<Keep>,
}

/// Where recordings are kept.
#[derive(Clone, Debug)]
pub enum Keep {
    /// `DIRECTORY/COMMAND/NNN.data`, by the commands' numbers, or the names that they were
    /// given.
    Directory(PathBuf, Vec<String>),
    /// Files of one command, by round.
    Files(Vec<PathBuf>),
}

/// How it goes.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// A run begins: the command, its round (`None`: to warm up), and how many
    /// runs of all are done.
    Begins {
        /// Which command.
        subject: &'a Subject,
        /// The round, from 0.
        round: Option<usize>,
        /// Runs that are over.
        done: usize,
        /// All runs.
        all: usize,
    },
    /// The run goes on.
    Moment(&'a Moment),
    /// A run is over.
    Ended(&'a Run),
}

/// A command that failed, which ended the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What it is called.
    pub name: String,
    /// In which round, from 0; `None` before the first.
    pub round: Option<usize>,
    /// How it ended.
    pub exit: ExitStatus,
    /// The end of what it wrote to standard error.
    pub last_words: String,
    /// Whether it is a command that is measured, not one that prepares.
    pub measured: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Repeated {
    /// The runs, in the order in which they were made.
    pub runs: Vec<Run>,
    /// The command that failed and so ended it.
    pub failed: Option<Failed>,
    /// Whether somebody asked eprof to come to an end.
    pub interrupted: bool,
    /// What makes it all less true.
    pub caveats: Vec<Caveat>,
}

/// Runs all commands as `plan` says. `settings` attribute each run; `watch` is
/// told how it goes.
///
/// # Errors
///
/// Whatever keeps a command from being run or measured.
pub fn repeat(
    plan: &Plan,
    search: &Search,
    names: &Names,
    settings: &dyn Fn(&Header) -> Result<Settings>,
    watch: &mut dyn FnMut(News<'_>),
) -> Result<Repeated> {
    let identity = Identity::resolve(&plan.base.run_as)?;
    let scratch = Scratch::create("eprof-stat", identity.files.as_ref())?;
    let mut stage = Stage {
        plan,
        search,
        names,
        settings,
        base: plan.base.clone(),
        files: Files::find(&plan.base.root),
        errors: errors_file(&scratch)?,
        identity,
        scratch,
    };
    // Before anything has warmed the machine.
    stage.base.known_idle = Some(pipeline::idle_power(&stage.base)?);
    let mut repeated = Repeated::default();
    if let Some(failed) = stage.warm_up(watch)? {
        repeated.failed = Some(failed);
        return Ok(repeated);
    }
    let all = plan.rounds * plan.subjects.len();
    let order = order::rounds(plan.subjects.len(), plan.rounds, plan.seed);
    for (round, subjects) in order.into_iter().enumerate() {
        for at in subjects {
            let Some(subject) = plan.subjects.get(at) else {
                continue;
            };
            watch(News::Begins {
                subject,
                round: Some(round),
                done: repeated.runs.len(),
                all,
            });
            let turn = Turn {
                subject: at,
                round,
                turn: repeated.runs.len(),
            };
            if let Some(failed) = stage.prepare(subject, Some(round))? {
                repeated.failed = Some(failed);
                return Ok(repeated);
            }
            let (run, exit, interrupted) = stage.measure(subject, turn, &mut repeated, watch)?;
            if interrupted {
                // A run that was cut short says nothing.
                repeated.interrupted = true;
                repeated.caveats.push(Caveat::new(
                    "interrupted",
                    "eprof was asked to come to an end; the run that this cut short does not count",
                ));
                return Ok(repeated);
            }
            if exit.code != 0 && !plan.ignore_failure {
                repeated.failed = Some(stage.failed(subject.name.clone(), Some(round), exit));
                return Ok(repeated);
            }
            watch(News::Ended(&run));
            repeated.runs.push(run);
        }
    }
    Ok(repeated)
}

/// What all runs share.
struct Stage<'a> {
    plan: &'a Plan,
    search: &'a Search,
    names: &'a Names,
    settings: &'a dyn Fn(&Header) -> Result<Settings>,
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

impl Stage<'_> {
    /// Runs all commands without measuring.
    fn warm_up(&self, watch: &mut dyn FnMut(News<'_>)) -> Result<Option<Failed>> {
        let all = self.plan.warmup * self.plan.subjects.len();
        let rounds = 0..self.plan.warmup;
        let turns = rounds.flat_map(|_| &self.plan.subjects);
        for (done, subject) in turns.enumerate() {
            watch(News::Begins {
                subject,
                round: None,
                done,
                all,
            });
            if let Some(failed) = self.prepare(subject, None)? {
                return Ok(Some(failed));
            }
            let exit = self.run(&subject.words)?;
            if exit.code != 0 && !self.plan.ignore_failure {
                return Ok(Some(self.failed(subject.name.clone(), None, exit)));
            }
        }
        Ok(None)
    }

    /// Does what is to be done before a run of `subject`.
    fn prepare(&self, subject: &Subject, round: Option<usize>) -> Result<Option<Failed>> {
        let Some(line) = &subject.prepare else {
            return Ok(None);
        };
        let exit = self.run(&["/bin/sh".into(), "-c".into(), line.into()])?;
        let failed = (exit.code != 0).then(|| {
            let name = format!("--prepare '{line}'");
            Failed {
                measured: false,
                ..self.failed(name, round, exit)
            }
        });
        Ok(failed)
    }

    /// Runs a command as the target's user, unmeasured.
    fn run(&self, words: &[std::ffi::OsString]) -> Result<ExitStatus> {
        let Some((program, arguments)) = words.split_first() else {
            return Ok(ExitStatus::exited(0));
        };
        let command = Command::new(program, arguments).streams(self.streams()?);
        let mut child = target::prepare(command, None, &self.identity)?.spawn()?;
        child.release()?;
        child.reap()
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
        subject: &Subject,
        turn: Turn,
        repeated: &mut Repeated,
        watch: &mut dyn FnMut(News<'_>),
    ) -> Result<(Run, ExitStatus, bool)> {
        let mut words = subject.words.iter().cloned();
        let missing = || Error::new(ErrorKind::Usage, "there is no command to run");
        let plan = session::Plan {
            program: words.next().ok_or_else(missing)?,
            arguments: words.collect(),
            streams: self.streams()?,
            output: self.output(turn)?,
            ..self.base.clone()
        };
        let watcher = Watcher::start(&self.files);
        let recorded = pipeline::record(&plan, self.search, &mut |news| {
            if let pipeline::News::Moment(moment) = news {
                watch(News::Moment(moment));
            }
        });
        let climate = watcher.map(Watcher::stop).unwrap_or_default();
        let recorded = recorded?;
        if let Some(failure) = &recorded.failure {
            let sentence = format!("a recording is not whole: {failure}");
            repeated
                .caveats
                .push(Caveat::new("recording-incomplete", sentence));
        }
        let profile = pipeline::analyse_in_detail(
            &plan.output,
            self.names,
            |header| (self.settings)(header),
            &mut |_| {},
        )?;
        if self.plan.keep.is_none() {
            // What is left goes with the directory.
            let _ = fs::remove_file(&plan.output);
        }
        let time = recorded.ran.unwrap_or(profile.summary.duration);
        let run = Run::of(turn, &profile, time, climate);
        Ok((run, recorded.exit, recorded.interrupted))
    }

    /// Where the recording of a run goes.
    fn output(&self, turn: Turn) -> Result<PathBuf> {
        let Turn { subject, round, .. } = turn;
        let file = format!("{:03}.data", round + 1);
        match &self.plan.keep {
            None => Ok(self.scratch.path().join(file)),
            Some(Keep::Files(paths)) => Ok(paths.get(round).cloned().unwrap_or(file.into())),
            Some(Keep::Directory(directory, names)) => {
                let number = (subject + 1).to_string();
                let name = names.get(subject).unwrap_or(&number);
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
            last_words: self.last_words().unwrap_or_default(),
            measured: true,
        }
    }

    fn last_words(&self) -> std::io::Result<String> {
        let mut file = self.errors.as_ref();
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)))?;
        let mut bytes = Vec::new();
        file.take(LAST_WORDS).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }
}
