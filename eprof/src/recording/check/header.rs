//! The rules of a header.

use crate::measurement::{Counter, CpuGroup, EVENTS, Event, Meter, Quantity};
use crate::power::{self, PowerModel, Signal};

use super::rules::{
    Broken, MAX_ARGUMENTS, MAX_CPUS, MAX_METERS, amount, caveats, known, length, next, string, time,
};
use crate::recording::record::Header;

/// Most terms of a power model.
const MAX_TERMS: usize = 64;

/// What the header says about the ids that may follow.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) meters: u32,
    pub(super) groups: u32,
    /// Whether a CPU is in a CPU group, by CPU.
    pub(super) grouped: Vec<bool>,
    /// What accounts count, in the order in which they have it.
    pub(super) events: Vec<Event>,
    /// Whether accounts count it, by [`Event::place`].
    pub(super) listed: [bool; EVENTS],
    /// What samples count, in the order in which they have it.
    pub(super) counters: Vec<Counter>,
    /// What they do not.
    pub(super) uncounted: Vec<Counter>,
}

/// Checks a header.
pub(super) fn header(header: &Header) -> Result<Shape, Broken> {
    for text in [
        &header.eprof,
        &header.object,
        &header.host,
        &header.kernel,
        &header.cpu_model,
        &header.command.directory,
        &header.follow,
    ] {
        string(text)?;
    }
    let arguments = header.command.argv.len();
    if arguments > MAX_ARGUMENTS {
        return Err(format!("has a command of {arguments} arguments"));
    }
    header.command.argv.iter().try_for_each(|arg| string(arg))?;
    caveats(&header.caveats)?;
    time(header.started)?;
    length(header.interval)?;

    let mut shape = Shape::default();
    for one in &header.meters {
        next(u32::from(one.id.0), shape.meters, "meter")?;
        meter(one)?;
        shape.meters += 1;
        few(shape.meters, "meters")?;
    }
    for group in &header.cpu_groups {
        next(u32::from(group.id.0), shape.groups, "CPU group")?;
        cpu_group(group, &mut shape.grouped)?;
        shape.groups += 1;
        few(shape.groups, "CPU groups")?;
    }
    let mut based = vec![false; header.meters.len()];
    for baseline in &header.baselines {
        let meter = u32::from(baseline.meter.0);
        known(meter, shape.meters, "meter")?;
        if std::mem::replace(&mut based[meter as usize], true) {
            return Err(format!("has two baselines of meter {meter}"));
        }
        amount(baseline.power.0, "an idle power")?;
        amount(baseline.sd.0, "an idle power's deviation")?;
        string(&baseline.origin)?;
    }
    for event in &header.events {
        if std::mem::replace(&mut shape.listed[event.place()], true) {
            return Err(format!("has the event {} twice", event.name()));
        }
    }
    shape.events.clone_from(&header.events);
    shape.counters = header.counters().collect();
    let counters = Counter::ALL.into_iter();
    shape.uncounted = counters.filter(|of| !header.counts(*of)).collect();
    let mut modelled = vec![false; header.meters.len()];
    for model in &header.models {
        let meter = u32::from(model.meter.0);
        known(meter, shape.meters, "meter")?;
        if std::mem::replace(&mut modelled[meter as usize], true) {
            return Err(format!("has two models of meter {meter}"));
        }
        self::model(model)?;
    }
    Ok(shape)
}

/// Refuses more than there are.
fn few(number: u32, what: &str) -> Result<(), Broken> {
    if number <= MAX_METERS {
        return Ok(());
    }
    Err(format!("has more than {MAX_METERS} {what}"))
}

/// Checks a power model.
fn model(model: &PowerModel) -> Result<(), Broken> {
    string(&model.origin)?;
    amount(model.residual, "a model's residual")?;
    for term in &model.terms {
        amount(term.weight, "a model's weight")?;
        if let power::Shape::Ramp { from, to } = term.shape {
            amount(from, "a ramp's start")?;
            amount(to.unwrap_or(from), "a ramp's end")?;
        }
        if let Signal::Time(core) = &term.signal {
            string(core)?;
        }
    }
    let terms = model.terms.len();
    if terms > MAX_TERMS || model.covariance.len() != terms * terms {
        return Err(format!("has a model of {terms} terms that is not one"));
    }
    if model.covariance.iter().any(|value| !value.is_finite()) {
        return Err("has a model whose covariance is not finite".into());
    }
    Ok(())
}

/// Checks a meter by itself.
fn meter(meter: &Meter) -> Result<(), Broken> {
    string(&meter.name)?;
    cpus(&meter.cpus)?;
    length(meter.update_period)?;
    // No limit at all may be infinite.
    if meter.plausible.0.is_nan() || meter.plausible.0 <= 0.0 {
        return Err(format!("has a meter of at most {} W", meter.plausible.0));
    }
    match meter.quantity {
        Quantity::Counter { unit_uj, modulus } => {
            unit(unit_uj)?;
            if modulus == Some(0) {
                return Err("has a counter that wraps at 0".into());
            }
        }
        Quantity::Falling { unit_uj } => unit(unit_uj)?,
        Quantity::Power { unit_w } => unit(unit_w)?,
        Quantity::Model {
            idle_w,
            busy_w,
            low,
            high,
        } => {
            for value in [idle_w, busy_w, low, high] {
                amount(value, "a model parameter")?;
            }
            if low > high {
                return Err(format!("has a model band from {low} to {high}"));
            }
        }
    }
    Ok(())
}

/// Refuses a unit that is not a finite number above zero.
fn unit(unit: f64) -> Result<(), Broken> {
    if unit > 0.0 {
        return amount(unit, "a unit");
    }
    Err(format!("has a unit of {unit}"))
}

/// Checks a CPU group, and that no CPU is in two.
fn cpu_group(group: &CpuGroup, grouped: &mut Vec<bool>) -> Result<(), Broken> {
    cpus(&group.cpus)?;
    string(&group.core)?;
    if group.cpus.is_empty() {
        return Err(format!("has a CPU group {} without CPUs", group.id.0));
    }
    for &cpu in &group.cpus {
        let cpu = cpu as usize;
        if grouped.len() <= cpu {
            grouped.resize(cpu + 1, false);
        }
        if std::mem::replace(&mut grouped[cpu], true) {
            return Err(format!("has CPU {cpu} in two CPU groups"));
        }
    }
    Ok(())
}

/// Refuses a list of CPUs that does not ascend or that is out of range.
fn cpus(cpus: &[u32]) -> Result<(), Broken> {
    if !cpus.is_sorted_by(|a, b| a < b) {
        return Err("has a list of CPUs that does not ascend".into());
    }
    match cpus.last() {
        Some(&cpu) if cpu >= MAX_CPUS => Err(format!("has a CPU {cpu}")),
        _ => Ok(()),
    }
}
