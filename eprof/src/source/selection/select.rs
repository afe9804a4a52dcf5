//! Which source is used: an explicit, ordered list.

use std::path::Path;
use std::str::FromStr;

use super::candidate::{Candidate, MeterNote, Unusable};
use super::domains::{self, Arranged};
use super::verify::{self, Probe};
use super::{coverage, cpu_groups, mirror};
use crate::calibration::file::Calibration;
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Cpus, Processor, SysRoot};
use crate::measurement::{CpuGroup, Domain, Meter, SourceKind};
use crate::source::sensors::estimate::ModelSource;
use crate::source::sensors::file_source::FileSource;
use crate::source::sensors::perf_source::{KernelOpener, Opener, PerfSource};
use crate::source::sensors::{battery, hwmon, perf_power, powercap};
use crate::source::{Backend, EnergySource};

/// All kinds, in the order in which they are preferred: the perf PMU has the
/// lowest latency and never wraps; powercap has the same counters; hwmon,
/// battery and model follow by how much they say.
pub const ORDER: [SourceKind; 5] = [
    SourceKind::Perf,
    SourceKind::Powercap,
    SourceKind::Hwmon,
    SourceKind::Battery,
    SourceKind::Model,
];

/// The value of `--source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first kind of [`ORDER`] that measures packages, else the first
    /// that measures anything, else the model.
    #[default]
    Auto,
    /// This kind and no other.
    Kind(SourceKind),
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        ORDER
            .into_iter()
            .find(|kind| kind.name() == text)
            .map(Self::Kind)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Usage,
                    format!("there is no energy source “{text}”"),
                )
                .hint("one of: auto, perf, powercap, hwmon, battery, model")
            })
    }
}

/// The source in use, and what was found on the way to it.
pub struct Selected {
    /// The source; its meters have their final ids.
    pub source: Box<dyn EnergySource + Send>,
    /// Its kind.
    pub kind: SourceKind,
    /// The parts of the machine that its meters tell apart.
    pub zones: Vec<CpuGroup>,
    /// Every kind that was looked at, the chosen one marked.
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

/// Looks at every kind below `root`: the data of `eprof list`. The candidate
/// that [`Choice::Auto`] would take is marked as chosen.
pub fn survey(root: &SysRoot) -> Vec<Candidate> {
    Finder::new(root.clone()).survey()
}

/// Finds sources below a root.
pub struct Finder {
    root: SysRoot,
    cpus: Cpus,
    processor: Processor,
    calibration: Option<Calibration>,
    probe: Probe,
    opener: Option<Box<dyn Opener>>,
}

struct Tried {
    candidate: Candidate,
    source: Option<Box<dyn Backend>>,
    caveats: Vec<Caveat>,
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
            opener: root
                .is_machine()
                .then(|| Box::new(KernelOpener) as Box<dyn Opener>),
            root,
        }
    }

    /// Sets how long meters are watched before they are believed.
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
        self.opener = Some(opener);
        self
    }

    /// See [`select`].
    ///
    /// # Errors
    /// Where `choice` names a kind that cannot be used.
    pub fn select(mut self, choice: Choice) -> Result<Selected> {
        let wanted: &[SourceKind] = match choice {
            Choice::Auto => &ORDER,
            Choice::Kind(ref kind) => std::slice::from_ref(kind),
        };
        let mut tried = Vec::new();
        for kind in wanted {
            tried.push(self.try_kind(*kind));
            if best(&tried).is_some_and(|best| tried.get(best).is_some_and(measures_packages)) {
                break;
            }
        }
        let Some(chosen) = best(&tried) else {
            return Err(unusable_error(&tried));
        };
        let kind = wanted.get(chosen).copied().unwrap_or(SourceKind::Model);
        let mut source = None;
        let mut caveats = Vec::new();
        let mut candidates = Vec::new();
        for (position, mut one) in tried.into_iter().enumerate() {
            if position == chosen {
                one.candidate.chosen = true;
                source = one.source.take();
                caveats.append(&mut one.caveats);
            }
            candidates.push(one.candidate);
        }
        let source =
            source.ok_or_else(|| Error::new(ErrorKind::Internal, "no source was opened"))?;
        if kind == SourceKind::Model {
            caveats.push(coverage::estimated(source.meters(), &candidates));
        }
        Ok(Selected {
            zones: cpu_groups::cpu_groups(source.meters(), &self.cpus),
            source,
            kind,
            candidates,
            caveats,
        })
    }

    /// See [`survey`].
    pub fn survey(mut self) -> Vec<Candidate> {
        let tried: Vec<Tried> = ORDER.iter().map(|kind| self.try_kind(*kind)).collect();
        let chosen = best(&tried);
        let mark = |(position, one): (usize, Tried)| Candidate {
            chosen: Some(position) == chosen,
            ..one.candidate
        };
        tried.into_iter().enumerate().map(mark).collect()
    }

    fn try_kind(&mut self, kind: SourceKind) -> Tried {
        let (root, cpus) = (&self.root, &self.cpus);
        let (absent, source, unusable): (Option<String>, Box<dyn Backend>, Vec<Unusable>) =
            match kind {
                SourceKind::Perf => {
                    let mut found = perf_power::discover(root, cpus);
                    let absent = found.absent.take();
                    let mut nobody = Refusing;
                    let opener = self.opener.as_deref_mut().unwrap_or(&mut nobody);
                    let (source, unusable) = PerfSource::open(found, opener);
                    (absent, Box::new(source), unusable)
                }
                SourceKind::Powercap | SourceKind::Hwmon | SourceKind::Battery => {
                    let mut found = match kind {
                        SourceKind::Powercap => powercap::discover(root, cpus),
                        SourceKind::Hwmon => hwmon::discover(root, cpus),
                        _ => battery::discover(root, cpus),
                    };
                    let absent = found.absent.take();
                    let (source, unusable) = FileSource::open(found);
                    (absent, Box::new(source), unusable)
                }
                SourceKind::Model => {
                    let saved = self.calibration.as_ref();
                    let source = ModelSource::new(&self.processor, cpus, saved);
                    (None, Box::new(source), Vec::new())
                }
            };
        self.settle(kind, absent, source, unusable)
    }

    /// Watches the meters that could be opened, and settles which are used.
    fn settle(
        &self,
        kind: SourceKind,
        absent: Option<String>,
        mut source: Box<dyn Backend>,
        unusable: Vec<Unusable>,
    ) -> Tried {
        let mut why = absent;
        let meters = source.meters().to_vec();
        let mut notes = Vec::new();
        let mut caveats = Vec::new();
        if !meters.is_empty() {
            match verify::observe(source.as_mut(), &self.probe) {
                Err(error) => why = Some(error.to_string()),
                Ok(series) => {
                    let mut arranged = self.arrange(&meters, &series);
                    for (position, slot) in arranged.fate.iter_mut().enumerate() {
                        if let Ok(meter) = slot
                            && let Some(latch) = verify::observed_update_period(&series, position)
                        {
                            meter.update_period = meter.update_period.max(latch);
                        }
                    }
                    let kept: Vec<&Meter> = arranged.fate.iter().flatten().collect();
                    caveats = coverage::caveats(kind, &kept, &self.cpus, &self.processor);
                    if arranged.mirrored {
                        caveats.push(coverage::mirrored());
                    }
                    notes = arranged_notes(&meters, &arranged);
                    source.narrow(arranged.fate.into_iter().map(Result::ok).collect());
                }
            }
        }
        notes.sort_by_key(|note| !note.usable);
        notes.extend(unusable.into_iter().map(MeterNote::from));
        let usable = notes.iter().any(|note| note.usable);
        if !usable && why.is_none() {
            why = Some("none of its meters can be used".into());
        }
        Tried {
            candidate: Candidate {
                kind,
                chosen: false,
                usable,
                meters: notes,
                why: if usable { None } else { why },
                remedy: None,
            },
            source: usable.then_some(source),
            caveats,
        }
    }

    fn arrange(&self, meters: &[Meter], series: &verify::Series) -> Arranged {
        let hypervisor = self.processor.hypervisor == Some(true);
        let verdicts = verify::judge(meters, series, hypervisor);
        let mirrors = mirror::mirrors(meters, series);
        domains::arrange(meters, verdicts, &mirrors, &self.cpus)
    }
}

/// Opens nothing: below a root that is not the machine.
struct Refusing;

impl Opener for Refusing {
    fn open(
        &mut self,
        _: &[perf_power::PowerEvent],
    ) -> std::io::Result<Box<dyn crate::source::sensors::perf_source::CounterGroup>> {
        Err(std::io::Error::other(
            "perf events belong to the running kernel, not to another root",
        ))
    }
}

fn arranged_notes(meters: &[Meter], arranged: &Arranged) -> Vec<MeterNote> {
    let note = |(meter, fate): (&Meter, &std::result::Result<Meter, String>)| match fate {
        Ok(kept) => MeterNote::usable(kept),
        Err(why) => MeterNote::dropped(meter, why),
    };
    meters.iter().zip(&arranged.fate).map(note).collect()
}

fn measures_packages(tried: &Tried) -> bool {
    let package = |note: &MeterNote| note.usable && note.domain == Some(Domain::Package);
    tried.candidate.meters.iter().any(package)
}

/// The position of the best of those tried, all in order of preference: a
/// measured package, else anything measured, else the model.
fn best(tried: &[Tried]) -> Option<usize> {
    let position = |good: &dyn Fn(&Tried) -> bool| {
        tried
            .iter()
            .position(|one| one.candidate.usable && good(one))
    };
    let measured = |one: &Tried| one.candidate.kind != SourceKind::Model;
    position(&|one| measured(one) && measures_packages(one))
        .or_else(|| position(&measured))
        .or_else(|| position(&|_| true))
}

fn unusable_error(tried: &[Tried]) -> Error {
    let Some(one) = tried.first() else {
        return Error::new(ErrorKind::Internal, "no source was tried");
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
    match candidate.first_remedy() {
        Some(remedy) => Error::new(ErrorKind::Permission, sentence).hint(remedy),
        None => Error::new(ErrorKind::Unavailable, sentence)
            .hint("eprof list shows what there is; --source auto takes the best"),
    }
}
