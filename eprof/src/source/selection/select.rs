//! Which source is used: the first good one of an ordered list.

use std::path::Path;

use tracing::{debug, info};

use super::candidate::{Candidate, MeterNote};
use super::choice::Choice;
use super::domains::{self, Arranged};
use super::verify::{self, Probe};
use super::{coverage, cpu_groups, mirror};
use crate::calibration::file::Calibration;
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Cpus, Processor, SysRoot};
use crate::measurement::{CpuGroup, Domain, Meter, SourceKind};
use crate::source::sensors::perf_event::{KernelOpener, NoKernel, Opener};
use crate::source::sensors::{SENSORS, Sensor, Surroundings};
use crate::source::{Backend, EnergySource};

/// The source in use, and what was found on the way to it.
pub struct Selected {
    /// The source; its meters have their final ids.
    pub source: Box<dyn EnergySource + Send>,
    /// Its kind.
    pub kind: SourceKind,
    /// The parts of the machine that its meters tell apart.
    pub cpu_groups: Vec<CpuGroup>,
    /// Every kind that was examined, the chosen one marked.
    pub candidates: Vec<Candidate>,
    /// What makes its numbers less true.
    pub caveats: Vec<Caveat>,
}

impl std::fmt::Debug for Selected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selected")
            .field("kind", &self.kind)
            .field("meters", &self.source.meters())
            .finish_non_exhaustive()
    }
}

/// Selects the source below `root`. Where there is no meter, the estimate
/// follows the calibration at `saved`, if that is of such a processor; a file
/// that cannot be used is passed over (see [`crate::idle::find::find`], which
/// says so).
///
/// # Errors
/// Only where `choice` names a kind that cannot be used; the model always can.
pub fn select(root: &SysRoot, choice: Choice, saved: Option<&Path>) -> Result<Selected> {
    let calibration = saved.and_then(|path| Calibration::load(path).ok().flatten());
    let finder = Finder::new(root.clone()).calibration(calibration);
    finder.select(choice)
}

/// Examines every kind below `root`: the data of `eprof list`. The candidate
/// that [`Choice::Auto`] would take is marked as chosen.
pub fn candidates(root: &SysRoot) -> Vec<Candidate> {
    Finder::new(root.clone()).candidates()
}

/// Finds sources below a root.
pub struct Finder {
    root: SysRoot,
    cpus: Cpus,
    processor: Processor,
    calibration: Option<Calibration>,
    probe: Probe,
    opener: Box<dyn Opener>,
}

/// What was found out about one kind.
struct Examined {
    candidate: Candidate,
    source: Option<Box<dyn Backend>>,
    caveats: Vec<Caveat>,
}

impl Examined {
    /// Logs it.
    fn tell(&self) {
        let Candidate {
            kind, usable, why, ..
        } = &self.candidate;
        let why = why.as_deref().unwrap_or_default();
        debug!(kind = kind.name(), usable, why, "examined a source");
        for meter in &self.candidate.meters {
            let why = meter.why.as_deref().unwrap_or_default();
            debug!(name = ?meter.name, usable = meter.usable, why, "found a meter");
        }
    }

    /// Whether it can be used and is no estimate.
    fn measures(&self) -> bool {
        self.candidate.usable && self.candidate.kind != SourceKind::Model
    }

    /// Whether it measures processor packages.
    fn measures_packages(&self) -> bool {
        let package = |note: &MeterNote| note.usable && note.domain == Some(Domain::Package);
        self.measures() && self.candidate.meters.iter().any(package)
    }
}

impl Finder {
    /// A finder for `root`. The perf PMU belongs to the running kernel, so
    /// that it is opened only where the root is the machine itself.
    pub fn new(root: SysRoot) -> Self {
        Self {
            cpus: Cpus::read(&root),
            processor: Processor::read(&root),
            calibration: None,
            probe: Probe::default(),
            opener: if root.is_machine() {
                Box::new(KernelOpener)
            } else {
                Box::new(NoKernel)
            },
            root,
        }
    }

    /// Sets how long meters are read before they are believed.
    pub fn probe(mut self, probe: Probe) -> Self {
        self.probe = probe;
        self
    }

    /// Sets what an estimate without a meter may follow.
    pub fn calibration(mut self, calibration: Option<Calibration>) -> Self {
        self.calibration = calibration;
        self
    }

    /// Sets what opens perf events.
    pub fn opener(mut self, opener: Box<dyn Opener>) -> Self {
        self.opener = opener;
        self
    }

    /// See [`select`].
    ///
    /// # Errors
    /// Where `choice` names a kind that cannot be used.
    pub fn select(mut self, choice: Choice) -> Result<Selected> {
        let mut examined = Vec::new();
        for sensor in SENSORS.iter().filter(|one| choice.allows(one.kind())) {
            let one = self.examine(*sensor);
            one.tell();
            let enough = one.measures_packages();
            examined.push(one);
            if enough {
                break;
            }
        }
        let Some(best) = best(&mut examined) else {
            return Err(unusable_error(&examined));
        };
        let kind = best.candidate.kind;
        let source = best.source.take();
        let source =
            source.ok_or_else(|| Error::new(ErrorKind::Internal, "no source was opened"))?;
        let mut caveats = std::mem::take(&mut best.caveats);
        best.candidate.chosen = true;
        info!(kind = kind.name(), "chose the source");
        let candidates: Vec<Candidate> = examined.into_iter().map(|one| one.candidate).collect();
        if kind == SourceKind::Model {
            caveats.push(coverage::estimated(source.meters(), &candidates));
        }
        Ok(Selected {
            cpu_groups: cpu_groups::cpu_groups(source.meters(), &self.cpus),
            source,
            kind,
            candidates,
            caveats,
        })
    }

    /// See [`candidates`].
    pub fn candidates(mut self) -> Vec<Candidate> {
        let mut examined: Vec<Examined> =
            SENSORS.iter().map(|sensor| self.examine(*sensor)).collect();
        if let Some(best) = best(&mut examined) {
            best.candidate.chosen = true;
        }
        examined.into_iter().map(|one| one.candidate).collect()
    }

    /// Looks for meters of one kind, and decides which can be used.
    fn examine(&mut self, sensor: &dyn Sensor) -> Examined {
        let found = sensor.discover(&mut Surroundings {
            root: &self.root,
            cpus: &self.cpus,
            processor: &self.processor,
            calibration: self.calibration.as_ref(),
            opener: self.opener.as_mut(),
        });
        let (mut source, mut why) = (found.source, found.absent);
        let (mut notes, mut caveats) = (Vec::new(), Vec::new());
        if !source.meters().is_empty() {
            match verify::observe(source.as_mut(), &self.probe) {
                Err(error) => why = Some(error.to_string()),
                Ok(series) => {
                    (notes, caveats) = self.choose_meters(sensor.kind(), source.as_mut(), &series);
                }
            }
        }
        notes.sort_by_key(|note| !note.usable);
        let unusable = found.unusable.into_iter();
        notes.extend(unusable.map(|one| MeterNote::unusable(one, sensor.hint())));
        let usable = notes.iter().any(|note| note.usable);
        if !usable && why.is_none() {
            why = Some("none of its meters can be used".into());
        }
        Examined {
            candidate: Candidate {
                kind: sensor.kind(),
                chosen: false,
                usable,
                meters: notes,
                why: why.filter(|_| !usable),
            },
            source: usable.then_some(source),
            caveats,
        }
    }

    /// Keeps those meters of `source` that can be believed, after what they
    /// read in `series`.
    fn choose_meters(
        &self,
        kind: SourceKind,
        source: &mut dyn Backend,
        series: &verify::Series,
    ) -> (Vec<MeterNote>, Vec<Caveat>) {
        let meters = source.meters().to_vec();
        let mut arranged = self.arrange(&meters, series);
        for (position, outcome) in arranged.outcomes.iter_mut().enumerate() {
            if let Ok(meter) = outcome
                && let Some(period) = verify::observed_update_period(series, position)
            {
                meter.update_period = meter.update_period.max(period);
            }
        }
        let kept: Vec<&Meter> = arranged.outcomes.iter().flatten().collect();
        let mut caveats = coverage::caveats(kind, &kept, &self.cpus, &self.processor);
        if arranged.mirrored {
            caveats.push(coverage::mirrored());
        }
        let notes = arranged_notes(&meters, &arranged);
        source.keep(arranged.outcomes.into_iter().map(Result::ok).collect());
        (notes, caveats)
    }

    fn arrange(&self, meters: &[Meter], series: &verify::Series) -> Arranged {
        let hypervisor = self.processor.hypervisor == Some(true);
        let verdicts = verify::judge(meters, series, hypervisor);
        let mirrors = mirror::mirrors(meters, series);
        domains::arrange(meters, verdicts, &mirrors, &self.cpus)
    }
}

fn arranged_notes(meters: &[Meter], arranged: &Arranged) -> Vec<MeterNote> {
    let note = |(meter, outcome): (&Meter, &std::result::Result<Meter, String>)| match outcome {
        Ok(kept) => MeterNote::usable(kept),
        Err(why) => MeterNote::dropped(meter, why),
    };
    meters.iter().zip(&arranged.outcomes).map(note).collect()
}

/// The best of those examined, all in order of preference: a measured package,
/// else anything measured, else the estimate.
fn best(examined: &mut [Examined]) -> Option<&mut Examined> {
    let position = |good: fn(&Examined) -> bool| examined.iter().position(good);
    let best = position(Examined::measures_packages)
        .or_else(|| position(Examined::measures))
        .or_else(|| position(|one| one.candidate.usable))?;
    examined.get_mut(best)
}

fn unusable_error(examined: &[Examined]) -> Error {
    let Some(one) = examined.first() else {
        return Error::new(ErrorKind::Internal, "no sensor was examined");
    };
    let candidate = &one.candidate;
    let detail = candidate
        .meters
        .iter()
        .find_map(|note| Some(format!("{}: {}", note.name, note.why.as_ref()?)));
    let why = detail.or_else(|| candidate.why.clone()).unwrap_or_default();
    let sentence = format!(
        "the energy source {} cannot be used: {why}",
        candidate.kind.name()
    );
    match candidate.first_hint() {
        Some(hint) => Error::new(ErrorKind::Permission, sentence).hint(hint),
        None => Error::new(ErrorKind::Unavailable, sentence)
            .hint("eprof list shows what there is; --source auto takes the best"),
    }
}
