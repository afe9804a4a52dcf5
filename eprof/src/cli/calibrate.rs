//! `eprof calibrate`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::args::CalibrateArgs;
use super::deliver::{check_anywhere, deliver_anywhere};
use super::say::say;
use super::verifier_log;
use crate::calibrate::csv::{Columns, Table};
use crate::calibrate::session::{Plan, Step, calibrate};
use crate::calibrate::{Findings, MeterFindings, ladder};
use crate::calibration::file;
use crate::calibration::file::{Calibration, Machine, day};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::SysRoot;
use crate::kernel::Settings;
use crate::launch::Limits;
use crate::output::{self, Progress, Style, TableFormat};
use crate::power::Signal;

/// Something that was wanted could not be had; the rest is saved.
const INCOMPLETE: u8 = 3;

pub(super) fn execute(args: &CalibrateArgs, root: SysRoot) -> Result<u8> {
    let path = destination(args)?;
    if let Some(path) = &path {
        check_anywhere(path)?;
    }
    let findings = match &args.from {
        Some(path) => from_csv(args, path)?,
        None => measured(args, root)?,
    };
    // Nothing is saved that has no idle power; a file of rows that cannot be
    // fitted has none that means anything.
    let worth = args.from.is_none() || findings.complete();
    let path = path.filter(|_| worth && findings.meters.iter().any(|meter| meter.idle.is_some()));
    if let Some(path) = &path {
        save(&findings, path)?;
    }
    show(args, &findings, path.as_deref())?;
    Ok(if findings.complete() { 0 } else { INCOMPLETE })
}

fn measured(args: &CalibrateArgs, root: SysRoot) -> Result<Findings> {
    // As a run does.
    Limits::raise();
    let signals: Vec<Signal> = args
        .signals
        .iter()
        .map(|text| text.trim().parse())
        .collect::<Result<_>>()?;
    let loads = args.duration.saturating_sub(args.idle_time);
    if !args.idle_only && loads < ladder::SHORTEST {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("the loads need at least {} s", ladder::SHORTEST.as_secs()),
        )
        .hint("give a longer --duration, or --idle-only"));
    }
    let plan = Plan {
        root,
        source: args.source,
        idle: args.idle_time,
        loads: (!args.idle_only).then_some(loads),
        strict: args.strict,
        signals: (!signals.is_empty()).then_some(signals),
        no_btf: Settings::is_btf_refused(),
        verifier_log: verifier_log::of_environment()?,
    };
    let mut progress = Progress::stderr(args.quiet);
    let findings = calibrate(&plan, &mut |step, part| {
        progress.say(clock::now(), || {
            let what = match step {
                Step::Idle => "measuring idle power: please leave the machine alone".to_owned(),
                Step::Rung(rung) => format!(
                    "{} at {} % on {} of the CPUs",
                    rung.load.name(),
                    rung.percent,
                    rung.cpus.len()
                ),
                Step::Fit => "fitting".to_owned(),
            };
            format!("{:3.0} %  {what}", part * 100.0)
        });
    })?;
    progress.clear();
    if !findings.disturbance.is_quiet() {
        say(format_args!("warning: {}", findings.disturbance.sentence()));
        say(format_args!(
            "hint: stop what runs and calibrate again; --strict makes this an error"
        ));
    }
    for caveat in &findings.caveats {
        say(format_args!("warning: {}", caveat.sentence));
        if let Some(hint) = &caveat.hint {
            say(format_args!("hint: {hint}"));
        }
    }
    Ok(findings)
}

fn from_csv(args: &CalibrateArgs, path: &Path) -> Result<Findings> {
    let pair = |text: &String| -> Result<(Signal, String)> {
        let (signal, column) = text.split_once('=').unwrap_or((text, text));
        Ok((signal.trim().parse()?, column.trim().to_owned()))
    };
    let row_seconds = args.row_time.as_secs_f64();
    if row_seconds <= 0.0 {
        return Err(
            Error::new(ErrorKind::Usage, "a row cannot have taken no time").hint("--row-time 1s"),
        );
    }
    let columns = Columns {
        target: args.target.clone(),
        signals: args.signals.iter().map(pair).collect::<Result<_>>()?,
        row_seconds,
    };
    let table = Table::read(path, &columns)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(Findings {
        machine: Machine {
            eprof: env!("CARGO_PKG_VERSION").to_owned(),
            date: day(now.map_or(0, |since| since.as_secs())),
            ..Machine::default()
        },
        meters: vec![table.findings()],
        ..Findings::default()
    })
}

/// Where to save, if at all.
fn destination(args: &CalibrateArgs) -> Result<Option<PathBuf>> {
    if args.dry_run || (args.from.is_some() && args.output.is_none()) {
        return Ok(None);
    }
    if let Some(path) = &args.output {
        return Ok(Some(path.clone()));
    }
    file::path(
        std::env::var("XDG_CONFIG_HOME").ok().as_deref(),
        std::env::var("HOME").ok().as_deref(),
    )
    .map(Some)
    .ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            "there is no place to save to: neither XDG_CONFIG_HOME nor HOME is an absolute path",
        )
        .hint("give one with --output FILE")
    })
}

fn save(findings: &Findings, path: &Path) -> Result<()> {
    // An older file that is of no use is replaced as a whole.
    let older = Calibration::load(path).ok().flatten();
    let calibration = findings.calibration(older);
    let mut text = serde_json::to_vec_pretty(&calibration)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("cannot write JSON: {error}")))?;
    text.push(b'\n');
    deliver_anywhere(path, &text)
}

fn show(args: &CalibrateArgs, findings: &Findings, saved: Option<&Path>) -> Result<()> {
    let stdout = io::stdout();
    let text = match args.format {
        TableFormat::Table => {
            output::text::calibration::table(findings, saved, Style::of_stdout(&stdout))
        }
        TableFormat::Json => {
            let document = output::json::calibration::document(findings, saved);
            let text = serde_json::to_string_pretty(&document).map_err(|error| {
                Error::new(ErrorKind::Internal, format!("cannot write JSON: {error}"))
            })?;
            format!("{text}\n")
        }
    };
    output::ignore_broken_pipe(stdout.lock().write_all(text.as_bytes()))?;
    if args.format == TableFormat::Json {
        let refused = |meter: &MeterFindings| {
            if let Some(refused) = &meter.refused {
                say(format_args!(
                    "warning: no model of {} is saved: {}",
                    meter.name, refused.why
                ));
                say(format_args!("hint: {}", refused.hint));
            }
        };
        findings.meters.iter().for_each(refused);
    }
    Ok(())
}
