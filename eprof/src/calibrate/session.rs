//! A calibration from beginning to end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::findings::{Chosen, Findings, MeterFindings, Model, Refusal};
use super::ladder::{Ladder, Rung};
use super::load::Load;
use super::load_threads::LoadThreads;
use super::measurement::{Block, Measurement};
use super::quiet_check::{Disturbance, QuietCheck};
use super::store::Store;
use super::undisturbed;
use crate::calibration::file::{Machine, day};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Kernel, Processor, SysRoot};
use crate::idle::watch;
use crate::kernel::{Probe, Settings, VerifierLog};
use crate::measurement::{Counter, Event, Meter, SourceKind};
use crate::power::{Row, Signal};
use crate::source;
use crate::source::Choice;
use crate::unit::Nanos;

/// Length of a window in which idle power is measured.
const WINDOW: Duration = Duration::from_millis(100);

/// Straight pieces of a curve: a ladder has few different rates.
const PIECES: &[usize] = &[1, 2, 3];

/// What is to be calibrated.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where `/sys` and `/proc` about the machine are read.
    pub root: SysRoot,
    /// Which energy source.
    pub source: Choice,
    /// How long idle power is measured.
    pub idle: Duration,
    /// How long the loads run altogether; `None` for no loads and no model.
    pub loads: Option<Duration>,
    /// Whether to refuse a machine that is not quiet.
    pub strict: bool,
    /// The signals of the model; `None` for those that are good for it.
    pub signals: Option<Vec<Signal>>,
    /// Whether to do without BTF.
    pub no_btf: bool,
    /// Takes what the kernel's verifier says of programs that it refuses.
    pub verifier_log: Option<VerifierLog>,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<'a> {
    /// Idle power is measured.
    Idle,
    /// A load is at work.
    Rung(&'a Rung),
    /// The model is fitted.
    Fit,
}

/// Measures, and fits a model per meter. `progress` is told what is going on and
/// which part of it is done, from 0 to 1.
///
/// # Errors
/// [`ErrorKind::Unavailable`] where there is no meter, and where the machine
/// is not quiet although it has to be; what [`Probe::load`] says; where the meters
/// fail.
pub fn calibrate(plan: &Plan, progress: &mut dyn FnMut(&Step<'_>, f64)) -> Result<Findings> {
    let mut selected = source::select(&plan.root, plan.source, None)?;
    let mut caveats = std::mem::take(&mut selected.caveats);
    if selected.kind == SourceKind::Model {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "there is no energy meter here to calibrate against",
        )
        .hint(
            "eprof list says which meters there are; measurements of another machine can be \
             fitted with eprof calibrate --from FILE.csv",
        ));
    }
    let probe = match plan.loads {
        Some(_) => Some(Probe::load(&Settings {
            frequency_hz: 0,
            no_btf: plan.no_btf,
            verifier_log: plan.verifier_log.clone(),
            ..Settings::of(
                &plan.root,
                &selected.cpu_groups,
                &Counter::ALL,
                WINDOW.into(),
            )
        })?),
        None => None,
    };
    // Before the idle windows: making it is work.
    let store = plan
        .loads
        .map(|_| Arc::new(Store::beyond_caches(&plan.root)));
    let mut measurement = Measurement::new(selected.source, probe, &selected.cpu_groups)?;
    let total = plan.idle + plan.loads.unwrap_or_default();
    let part = |done: Duration| done.as_secs_f64() / total.as_secs_f64().max(1e-9);

    let quiet_check = QuietCheck::now(&plan.root);
    let begin = Instant::now();
    let mut idle_blocks = Vec::new();
    while begin.elapsed() < plan.idle.max(watch::SHORTEST) {
        progress(&Step::Idle, part(begin.elapsed()));
        std::thread::sleep(WINDOW);
        idle_blocks.push(measurement.block()?);
    }
    let disturbance = quiet_check.since(&plan.root);
    if plan.strict && !disturbance.is_quiet() {
        return Err(Error::new(ErrorKind::Unavailable, disturbance.sentence())
            .hint("stop what runs, or calibrate without --strict"));
    }

    let mut load_blocks = Vec::new();
    if let (Some(time), Some(store)) = (plan.loads, &store) {
        let cpus: Vec<u32> = selected
            .cpu_groups
            .iter()
            .flat_map(|group| group.cpus.clone())
            .collect();
        let ladder = Ladder::new(&cpus, time);
        for rung in &ladder.rungs {
            progress(&Step::Rung(rung), part(begin.elapsed()));
            let threads = LoadThreads::start(rung, store)?;
            std::thread::sleep(ladder.warm_up);
            measurement.block()?;
            for _ in 0..ladder.blocks {
                std::thread::sleep(ladder.block);
                load_blocks.push((rung.load, measurement.block()?));
            }
            drop(threads);
        }
        progress(&Step::Fit, 1.0);
    }
    let mut findings = conclude(
        plan,
        &mut measurement,
        disturbance,
        &idle_blocks,
        &load_blocks,
    )?;
    caveats.extend(measurement.caveats());
    caveats.append(&mut findings.caveats);
    Ok(Findings {
        caveats,
        ..findings
    })
}

fn conclude(
    plan: &Plan,
    measurement: &mut Measurement,
    disturbance: Disturbance,
    idle_blocks: &[Block],
    load_blocks: &[(Load, Block)],
) -> Result<Findings> {
    let here = measurement.signal_names();
    if let Some(signals) = &plan.signals {
        check(signals, &here)?;
    }
    let meters = measurement.meters();
    let rounds: Vec<_> = idle_blocks
        .iter()
        .map(|block| block.readings.clone())
        .collect();
    // Whether the machine is quiet is said beside the result.
    let idling = watch::baselines(meters, &rounds, Some(0.0));
    let one = |(position, meter): (usize, &Meter)| {
        let baseline = idling.baselines.iter().find(|one| one.meter == meter.id);
        let mut found = MeterFindings {
            name: meter.name.clone(),
            domain: Some(meter.domain),
            cpus: Some(meter.cpus.len()),
            idle: baseline.map(|one| (one.power.0, one.sd.0)),
            model: None,
            refused: None,
        };
        if plan.loads.is_some() {
            fit(
                &mut found,
                plan,
                &here,
                position,
                meter,
                idle_blocks,
                load_blocks,
            );
            let sound = found.model.as_ref().filter(|_| found.refused.is_none());
            let power =
                sound.and_then(|model| undisturbed::power(idle_blocks, position, meter, model));
            // Where the windows said nothing, this says no more.
            found.idle = found.idle.map(|found| power.unwrap_or(found));
        }
        found
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(Findings {
        machine: Machine {
            cpu: Processor::read(&plan.root).name,
            kernel: Kernel::read(&plan.root).release,
            eprof: env!("CARGO_PKG_VERSION").to_owned(),
            date: day(now.map_or(0, |since| since.as_secs())),
        },
        disturbance,
        meters: meters.iter().enumerate().map(one).collect(),
        caveats: idling.caveats.clone(),
    })
}

/// Refuses signals that are not to be had here.
fn check(signals: &[Signal], here: &[Signal]) -> Result<()> {
    let absent = signals.iter().find(|signal| match signal {
        Signal::Event(Event::Wakeups) => false,
        signal => !here.contains(signal),
    });
    let Some(absent) = absent else { return Ok(()) };
    let names: Vec<String> = here.iter().map(Signal::to_string).collect();
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("the signal {absent} cannot be measured here"),
    )
    .hint(format!(
        "these can be: --signals {},wakeups",
        names.join(",")
    )))
}

fn fit(
    found: &mut MeterFindings,
    plan: &Plan,
    here: &[Signal],
    position: usize,
    meter: &Meter,
    idle_blocks: &[Block],
    load_blocks: &[(Load, Block)],
) {
    let refuse = |why: String, hint: &str| {
        Some(Refusal {
            why,
            hint: hint.to_owned(),
        })
    };
    // A register that is updated a few times in a block says when it was
    // updated, and not what was used.
    let block = load_blocks.first().map_or(0.0, |(_, block)| block.seconds);
    if meter.update_period > Nanos(0) && meter.update_period.seconds() * 10.0 > block {
        found.refused = refuse(
            format!(
                "it is updated every {:.0} ms, too rarely for blocks of {:.0} ms",
                meter.update_period.seconds() * 1e3,
                block * 1e3
            ),
            "measure for longer (--duration 5m)",
        );
        return;
    }
    let signals = plan.signals.as_deref().unwrap_or(here);
    let row = |block: &Block, fold: usize| {
        Some(Row {
            x: signals
                .iter()
                .map(|signal| block.rate(position, signal))
                .collect(),
            y: (*block.watts.get(position)?)?,
            weight: block.seconds,
            fold,
        })
    };
    // Idle windows are no workload of their own: each fold has some.
    let folds = Load::ALL.len();
    let idle = idle_blocks
        .iter()
        .enumerate()
        .filter_map(|(at, block)| row(block, at % folds));
    let loads = load_blocks
        .iter()
        .filter_map(|(load, block)| row(block, *load as usize));
    let rows: Vec<Row> = idle.chain(loads).collect();
    let chosen = match plan.signals {
        Some(_) => Chosen::ByUser,
        None => Chosen::Freely,
    };
    found.model = Model::fit(&rows, signals, chosen, "workload", PIECES);
    found.refused = match &found.model {
        Some(model) => model.refusal(),
        None => refuse(
            format!("{} good readings are too few", rows.len()),
            "measure for longer (--duration 5m)",
        ),
    };
}
