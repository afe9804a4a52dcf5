//! From a recording to a profile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{debug, trace};

use crate::attribute::{self, Attributed, ChargedSpan, Observer, Settings};
use crate::carbon::Carbon;
use crate::error::{Error, ErrorKind, Result};
use crate::measurement::{Event, StackId};
use crate::profile::{
    Detail, Group, PowerSeries, PowerSeriesObserver, Profile, Sum, TimedSamples,
    TimedSamplesObserver,
};
use crate::recording::merged::Labels;
use crate::recording::{Bytes, Catalog, Header, Merged, RecordingFile};
use crate::symbol::{self, Search};

/// How many frames the stacks of any recording may have in all.
const FREE_FRAMES: u64 = 4 << 20;

/// What the code of a recording is called.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// How closely code is distinguished.
    pub detail: Detail,
    /// Where names are looked for that the recording lacks; `None`: nowhere.
    pub search: Option<Arc<Search>>,
}

/// Receives how far the search for missing names has come.
pub type NameProgress<'a> = Box<dyn FnMut(symbol::Progress) + 'a>;

/// A recording, or a file of several, and how it is analysed.
///
/// Every result attributes the energy of the recording, and gives the rows
/// their names. Errors: a file that is not a recording, settings that do not
/// fit it, or (a defect) a ledger that does not balance.
pub struct Analysis<'a> {
    path: PathBuf,
    /// The recording, where it is open already.
    data: Option<Bytes>,
    names: Names,
    settings: Settings,
    carbon: Option<Carbon>,
    progress: NameProgress<'a>,
}

impl<'a> Analysis<'a> {
    /// Of the recording at `path`: with the names that are in it, attributed
    /// as it was asked for when it was made.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            data: None,
            names: Names::default(),
            settings: Settings::default(),
            carbon: None,
            progress: Box::new(|_| {}),
        }
    }

    /// Reads the recording in `data`, whatever has its name by now.
    pub fn of(mut self, data: Bytes) -> Self {
        self.data = Some(data);
        self
    }

    /// Replaces how code is named.
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Replaces how energy is attributed.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the factor by which energy is also reported as CO₂e.
    pub fn carbon(mut self, carbon: Option<Carbon>) -> Self {
        self.carbon = carbon;
        self
    }

    /// Replaces what receives how far the search for missing names has come.
    pub fn progress(mut self, progress: NameProgress<'a>) -> Self {
        self.progress = progress;
        self
    }

    /// The profile; of a file of several recordings, the sum of theirs.
    ///
    /// # Errors
    ///
    /// See [`Analysis`].
    pub fn profile(&mut self) -> Result<Profile> {
        if let Some(data) = &self.data {
            let recording = RecordingFile::of(data, &self.path)?;
            let recording = self.named(recording);
            return self.profile_of(&recording);
        }
        let Some(merged) = Merged::open(&self.path)? else {
            let recording = self.named(RecordingFile::open(&self.path)?);
            return self.profile_of(&recording);
        };
        let mut sum = Sum::new();
        for member in &merged.members {
            // One recording at a time is in memory.
            let recording = self.named(merged.recording(member)?);
            sum.add(self.profile_of(&recording)?, member.labels.clone());
        }
        sum.finish(merged.caveats)
            .map(|profile| self.with_carbon(profile))
            .ok_or_else(|| {
                let sentence = format!("{} holds no recording", self.path.display());
                Error::new(ErrorKind::Data, sentence)
            })
    }

    /// The profile, and power over time: of the `most` largest consumers,
    /// grouped as `group` says (`None`: as fits the run). Several recordings
    /// in one file have no common time, so there is no series of them.
    ///
    /// # Errors
    ///
    /// See [`Analysis`].
    pub fn with_power_series(
        &mut self,
        group: Option<Group>,
        most: usize,
    ) -> Result<(Profile, Option<PowerSeries>)> {
        if Merged::open(&self.path)?.is_some() {
            return Ok((self.profile()?, None));
        }
        let recording = self.named(RecordingFile::open(&self.path)?);
        let catalog = &recording.catalog;
        let mut observer = PowerSeriesObserver::new(&catalog.header);
        let attributed = self.attributed(&recording, &mut observer)?;
        let series = observer.finish(catalog, &attributed, group, most);
        Ok((self.rows(catalog, &attributed), Some(series)))
    }

    /// The profile, and all samples in time.
    ///
    /// # Errors
    ///
    /// See [`Analysis`]; `Usage` for several recordings in one file, which
    /// have no common time.
    pub fn with_samples(&mut self) -> Result<(Profile, TimedSamples)> {
        if Merged::open(&self.path)?.is_some() {
            return Err(no_common_time(&self.path));
        }
        let recording = self.named(RecordingFile::open(&self.path)?);
        let catalog = &recording.catalog;
        let mut observer = TimedSamplesObserver::default();
        let attributed = self.attributed(&recording, &mut observer)?;
        let samples = observer.finish(catalog, &attributed, self.names.detail);
        Ok((self.rows(catalog, &attributed), samples))
    }

    /// Hands `observer` every span of known energy as it is charged, in
    /// order of time for each meter, with the recording's header and labels.
    /// Several recordings in one file follow each other.
    ///
    /// # Errors
    ///
    /// See [`Analysis`].
    pub fn watch(
        &mut self,
        observer: &mut dyn FnMut(&Header, &Labels, &ChargedSpan<'_>),
    ) -> Result<()> {
        let mut each = |recording: &RecordingFile, labels: &Labels| {
            let header = trusted(&recording.catalog);
            let mut observer = |span: &ChargedSpan<'_>| observer(&header, labels, span);
            self.attributed(recording, &mut observer).map(drop)
        };
        let Some(merged) = Merged::open(&self.path)? else {
            let recording = RecordingFile::open(&self.path)?;
            return each(&recording, &recording.catalog.labels);
        };
        for member in &merged.members {
            each(&merged.recording(member)?, &member.labels)?;
        }
        Ok(())
    }

    /// `recording`, with the names that it lacks.
    fn named(&mut self, mut recording: RecordingFile) -> RecordingFile {
        if let Some(search) = &self.names.search {
            let lines = self.names.detail.lines;
            let found = symbol::late(&recording.catalog, search, lines, &mut self.progress);
            debug!(
                found = found.symbols.len(),
                "looked up names that the recording lacks"
            );
            let catalog = &mut recording.catalog;
            catalog.symbols.extend(found.symbols);
            let lines = found.lines.into_iter();
            catalog.lines.extend(lines.map(|of| (of.frame, of.lines)));
            catalog.caveats.extend(found.caveats);
        }
        recording
    }

    fn attributed(
        &self,
        recording: &RecordingFile,
        observer: &mut impl Observer,
    ) -> Result<Attributed> {
        let catalog = &recording.catalog;
        let header = trusted(catalog);
        let intervals = |samples| recording.intervals(samples);
        debug!(
            path = ?self.path,
            meters = header.meters.len(),
            tasks = catalog.tasks.len(),
            stacks = catalog.stacks.len(),
            "read a recording"
        );
        let tasks = &catalog.tasks;
        let attributed = attribute::attribute(&header, tasks, intervals, &self.settings, observer)?;
        debug!(
            threads = attributed.threads.len(),
            stacks = attributed.stacks.len(),
            caveats = attributed.caveats.len(),
            "attributed the energy"
        );
        check_size(recording, &attributed)?;
        for weighing in &attributed.weighings {
            trace!(?weighing, "chose what divides energy");
        }
        Ok(attributed)
    }

    fn rows(&self, catalog: &Catalog, attributed: &Attributed) -> Profile {
        self.with_carbon(Profile::in_detail(catalog, attributed, self.names.detail))
    }

    fn profile_of(&self, recording: &RecordingFile) -> Result<Profile> {
        let attributed = self.attributed(recording, &mut ())?;
        Ok(self.rows(&recording.catalog, &attributed))
    }

    fn with_carbon(&self, mut profile: Profile) -> Profile {
        profile.summary.carbon.clone_from(&self.carbon);
        profile
    }
}

/// The sum of the profiles of several recordings, each labelled with its
/// file's name.
///
/// # Errors
///
/// As [`Analysis::profile`]; `Usage` for no recording.
pub fn sum<'a>(analyses: impl IntoIterator<Item = Analysis<'a>>) -> Result<Profile> {
    let mut sum = Sum::new();
    for mut analysis in analyses {
        let recording = match &analysis.data {
            Some(data) => RecordingFile::of(data, &analysis.path)?,
            None => RecordingFile::open(&analysis.path)?,
        };
        let recording = analysis.named(recording);
        let labels = labels(&recording.catalog, &analysis.path);
        sum.add(analysis.profile_of(&recording)?, labels);
    }
    let nothing = || Error::new(ErrorKind::Usage, "there is no recording to be added up");
    sum.finish(Vec::new()).ok_or_else(nothing)
}

/// What distinguishes the recording at `path` from others.
pub fn labels(catalog: &Catalog, path: &Path) -> Labels {
    let mut labels = catalog.labels.clone();
    labels.insert("host".to_owned(), catalog.header.host.clone());
    let file = path.file_name().unwrap_or(path.as_os_str());
    labels.insert("file".to_owned(), file.to_string_lossy().into_owned());
    labels
}

/// Refuses a file of several runs where one run is needed.
pub fn no_common_time(path: &Path) -> Error {
    let sentence = format!(
        "{} holds several runs, which have no common time",
        path.display()
    );
    Error::new(ErrorKind::Usage, sentence).hint("name the recording of one run")
}

/// Refuses stacks that would take much more memory than the recording they come from:
/// a row has all its frames, and few bytes can describe many long stacks.
fn check_size(recording: &RecordingFile, attributed: &Attributed) -> Result<()> {
    let Catalog {
        frames,
        stacks: nodes,
        symbols,
        ..
    } = &recording.catalog;
    // A frame is as many as it has functions, with those that were inlined.
    let mut functions = vec![1; frames.len()];
    for symbol in symbols {
        if let Some(functions) = functions.get_mut(symbol.frame.0 as usize) {
            *functions = symbol.functions.len() as u64;
        }
    }
    let mut depths: Vec<u64> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let above = node.parent.and_then(|parent| depths.get(parent.0 as usize));
        let own = functions.get(node.frame.0 as usize).copied().unwrap_or(1);
        depths.push(above.map_or(own, |above| above + own));
    }
    let sampled = attributed.stacks.iter().filter_map(|charge| charge.stack);
    let sampled: BTreeSet<StackId> = sampled.collect();
    let depth = |stack: &StackId| depths.get(stack.0 as usize).copied();
    let frames: u64 = sampled.iter().filter_map(depth).sum();
    if frames <= FREE_FRAMES.saturating_add(recording.length()) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Data,
        format!(
            "the stacks have {frames} frames in all, more than a recording of {} bytes of eprof's",
            recording.length()
        ),
    )
    .hint("this eprof did not write it; record again"))
}

/// The header, without the counters that cannot be trusted: only at the end is
/// it known whether they ran all the time.
fn trusted(catalog: &Catalog) -> Header {
    let mut header = catalog.header.clone();
    if let Some(end) = &catalog.end {
        header.events.retain(|event| match event {
            Event::Counter(counter) => !end.distrusted.contains(counter),
            _ => true,
        });
    }
    header
}
