//! `eprof diff`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::args::DiffArgs;
use super::deliver::deliver;
use crate::clock;
use crate::diff::{Difference, Question, Side};
use crate::error::{Error, ErrorKind, Result};
use crate::output::diff::{DiffFormat, DiffView, flame, json, markdown, table};
use crate::output::{self, Progress, Style};
use crate::pipeline::Names;
use crate::recording::{Reader, Record};
use crate::unit::Nanos;

/// The exit code where a gate is exceeded.
pub(super) const EXCEEDED: u8 = 5;

/// How long reading takes before it is worth a line.
const SHOW_AFTER: Nanos = Nanos(1_000_000_000);

pub(super) fn execute(args: &DiffArgs) -> Result<u8> {
    let files = (recordings(&args.base)?, recordings(&args.new)?);
    let all = files.0.len() + files.1.len();
    let mut reading = Reading::new(args, all);
    let base = reading.side(&files.0)?;
    let new = reading.side(&files.1)?;
    drop(reading);
    let question = Question {
        metric: args.metric,
        confidence: args.confidence,
        fail_above: args.fail_above,
        functions: args.function.clone(),
    };
    let difference = Difference::of(base, new, &question)?;
    write(args, &difference)?;
    Ok(if difference.exceeded() { EXCEEDED } else { 0 })
}

fn write(args: &DiffArgs, difference: &Difference) -> Result<()> {
    let view = DiffView {
        by: args.by,
        limit: args.limit,
    };
    let name = |path: &Path| path.display().to_string();
    let names = (name(&args.base), name(&args.new));
    let names = (names.0.as_str(), names.1.as_str());
    let stdout = io::stdout();
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let style = match path {
        None => Style::of_stdout(&stdout),
        Some(_) => Style::PLAIN,
    };
    let mut bytes = Vec::new();
    let written = match args.format {
        DiffFormat::Table => table::write(difference, names, &view, style, &mut bytes),
        DiffFormat::Json => json::write(difference, names, &mut bytes),
        DiffFormat::Markdown => markdown::write(difference, names, &view, &mut bytes),
    };
    output::ignore_broken_pipe(written)?;
    for (path, by_base) in [(&args.flamegraph, false), (&args.reverse, true)] {
        let Some(path) = path else { continue };
        let mut svg = Vec::new();
        output::ignore_broken_pipe(flame::write(difference, names, by_base, &mut svg))?;
        deliver(Some(path), &svg)?;
    }
    if args.github_summary {
        summarise(difference, names, &view)?;
    }
    deliver(path, &bytes)
}

/// Appends the comparison to the summary of a GitHub Actions step, which is a
/// file that other commands write to as well.
fn summarise(difference: &Difference, names: (&str, &str), view: &DiffView) -> Result<()> {
    let path = std::env::var_os("GITHUB_STEP_SUMMARY");
    let Some(path) = path.filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(());
    };
    let mut bytes = Vec::new();
    output::ignore_broken_pipe(markdown::write(difference, names, view, &mut bytes))?;
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| Error::io("append to", &path, &error))
}

/// The recordings that `path` is or has, in the order in which they began.
fn recordings(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error: io::Error| Error::io("read", path, &error);
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let named = file.extension() == Some(&OsString::from("data"));
        if named && file.is_file() {
            files.push((began(&file), file));
        }
    }
    if files.is_empty() {
        return Err(Error::new(
            ErrorKind::Input,
            format!("{} has no recordings (*.data)", path.display()),
        )
        .hint(format!(
            "eprof run -o {}/01.data -- COMMAND",
            path.display()
        )));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// When the recording began; whether it is one at all is found out later.
fn began(path: &Path) -> u64 {
    let reader = File::open(path).ok().map(BufReader::new);
    let reader = reader.and_then(|input| Reader::new(input, None).ok());
    match reader.and_then(|mut reader| reader.next()) {
        Some(Ok(Record::Header(header))) => header.wall_clock_ns,
        _ => 0,
    }
}

/// Reads recordings, and shows how far that is if it takes longer than a
/// second.
struct Reading<'a> {
    args: &'a DiffArgs,
    names: Names,
    progress: Progress<io::Stderr>,
    began: crate::unit::Timestamp,
    done: usize,
    all: usize,
}

impl<'a> Reading<'a> {
    fn new(args: &'a DiffArgs, all: usize) -> Self {
        Self {
            args,
            names: args.symbols.names(),
            progress: Progress::stderr(false),
            began: clock::now(),
            done: 0,
            all,
        }
    }

    /// Adds up recordings one by one; only one at a time is in memory.
    fn side(&mut self, files: &[PathBuf]) -> Result<Side> {
        let mut side = Side::new();
        for file in files {
            let now = clock::now();
            if now.since(self.began) >= SHOW_AFTER {
                let (done, all) = (self.done, self.all);
                self.progress
                    .say(now, || format!("read {done} of {all} recordings"));
            }
            let mut analysis = self.args.attribution.analysis(file, self.names.clone());
            side.add(&analysis.profile()?);
            self.done += 1;
        }
        Ok(side)
    }
}
