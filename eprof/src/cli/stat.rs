//! `eprof stat`.

use std::io;
use std::path::Path;

use nix::sys::signal::Signal;

use super::args::StatArgs;
use super::deliver::{self, deliver};
use super::plan::{self, Asked};
use super::say::say;
use crate::error::Result;
use crate::host::SysRoot;
use crate::launch::ExitStatus;
use crate::output::{self, Progress, Style, TableFormat};
use crate::pipeline::Names;
use crate::repeat::{Command, Failed, Keep, News, Plan, Results, command};
use crate::symbol::Search;
use crate::unit::{Nanos, Timestamp};
use crate::{clock, repeat};

/// The exit code of a session that a signal ended, if one did.
pub(super) fn ended_by(signal: Option<Signal>) -> u8 {
    signal.map_or(0, |signal| ExitStatus::killed(signal as i32).code)
}

pub(super) fn execute(args: &StatArgs, root: SysRoot) -> Result<u8> {
    let commands = command::split(&args.target, &args.separator, &args.name, &args.prepare)?;
    deliver::check(args.output.as_deref())?;
    let seed = args.seed.unwrap_or_else(any_seed);
    let base = plan::plan(&asked(args, &commands), root)?;
    let plan = Plan {
        base,
        commands,
        rounds: args.runs as usize,
        warmup: args.warmup as usize,
        seed,
        ignore_failure: args.ignore_failure,
        attached: args.show_output,
        keep: keep(args),
        settings: args.measuring.attribution.settings(),
        names: Names::default(),
        search: Search::of_environment(&[]),
    };
    let mut progress = Progress::stderr(args.quiet);
    let mut line = Line::default();
    let repeated = repeat::repeat(&plan, &mut |news| line.show(&mut progress, news));
    progress.clear();
    drop(progress);
    let mut repeated = repeated?;
    let failed = repeated.failed.take();
    let interrupted = repeated.interrupted;
    if !repeated.runs.is_empty() {
        let mut results = Results::of(&plan.commands, plan.rounds, seed, repeated);
        results
            .carbon
            .clone_from(&args.measuring.attribution.carbon);
        write(args, &results)?;
    }
    if let Some(failed) = failed {
        report_failure(&failed, true);
        return Ok(failed.exit.code);
    }
    Ok(ended_by(interrupted))
}

/// Another one each time, short enough to be typed again.
fn any_seed() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos() as u64);
    (nanos ^ u64::from(std::process::id()) << 20) % 1_000_000
}

fn keep(args: &StatArgs) -> Option<Keep> {
    let directory = args.save.clone()?;
    Some(Keep::Directory(directory, args.name.clone()))
}

/// What the options say about the measurement.
fn asked<'a>(args: &'a StatArgs, commands: &'a [Command]) -> Asked<'a> {
    Asked {
        measuring: &args.measuring,
        frequency: args.frequency,
        duration: None,
        delay: None,
        target: commands.first().map_or(&[], |command| &command.words),
        output: Path::new(""),
    }
}

fn write(args: &StatArgs, results: &Results) -> Result<()> {
    let to = args.output.as_deref();
    let stdout = io::stdout();
    let stderr = io::stderr();
    let beside = args.show_output && to.is_none();
    let style = match to {
        _ if beside => Style::of_stderr(&stderr),
        None => Style::of_stdout(&stdout),
        Some(to) if to == Path::new("-") => Style::of_stdout(&stdout),
        Some(_) => Style::PLAIN,
    };
    let bytes = rendered(args.format, results, style)?;
    if beside {
        return output::ignore_broken_pipe(io::Write::write_all(&mut stderr.lock(), &bytes));
    }
    deliver(to, &bytes)
}

/// The results as they are shown.
pub(super) fn rendered(format: TableFormat, results: &Results, style: Style) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    output::ignore_broken_pipe(match format {
        TableFormat::Table => output::stat::table(results, style, &mut bytes),
        TableFormat::Json => output::stat::json(results, &mut bytes),
    })?;
    Ok(bytes)
}

/// Says which command failed, how, and what it said itself.
pub(super) fn report_failure(failed: &Failed, ignorable: bool) {
    let how = match failed.exit.signal {
        Some(_) => match failed.exit.signal_name() {
            Some(name) => format!("was killed by {name}"),
            None => "was killed by a signal".to_owned(),
        },
        None => format!("failed with exit code {}", failed.exit.code),
    };
    let when = match failed.round {
        Some(round) => format!("in round {}", round + 1),
        None => "while warming up".to_owned(),
    };
    let name = output::harmless(&failed.name);
    say(format_args!("error: {name} {how} {when}"));
    if !failed.stderr_tail.is_empty() {
        say(format_args!("the end of its standard error:"));
        for line in failed.stderr_tail.lines() {
            say(format_args!("  {}", output::harmless(line)));
        }
    }
    if failed.measured && ignorable {
        say(format_args!(
            "hint: --ignore-failure measures it all the same"
        ));
    }
}

/// The live line.
#[derive(Default)]
pub(super) struct Line {
    began: Option<Timestamp>,
    what: String,
    done: usize,
    all: usize,
    warming: bool,
}

impl Line {
    pub(super) fn show<W: io::Write>(&mut self, progress: &mut Progress<W>, news: News<'_>) {
        let now = clock::now();
        match news {
            News::Begins {
                command,
                round,
                done,
                all,
            } => {
                let warming = round.is_none();
                if self.began.is_none() || (self.warming && !warming) {
                    self.began = Some(now);
                }
                self.warming = warming;
                self.what.clone_from(&command.name);
                (self.done, self.all) = (done, all);
            }
            News::Interval(_) => {}
            News::Ended(_) => self.done += 1,
        }
        progress.say(now, || self.text(now));
    }

    fn text(&self, now: Timestamp) -> String {
        let what = if self.warming { "warm-up" } else { "run" };
        let at = (self.done + 1).min(self.all);
        let mut text = format!("{what} {at} of {}", self.all);
        if let Some(began) = self.began.filter(|_| self.done > 0) {
            let each = now.since(began).0 / self.done as u64;
            let left = Nanos(each.saturating_mul((self.all - self.done.min(self.all)) as u64));
            text.push_str(&format!("  about {:.0} s left", left.seconds()));
        }
        text.push_str(&format!("  {}", output::harmless(&self.what)));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_much_is_left() {
        let line = Line {
            began: Some(Timestamp(0)),
            what: "./x".into(),
            done: 3,
            all: 10,
            warming: false,
        };
        let text = line.text(Timestamp(6_000_000_000));
        assert_eq!(text, "run 4 of 10  about 14 s left  ./x");
    }
}
