//! From a recording to a profile.

use std::path::{Path, PathBuf};

use crate::attribute::{self, Attributed, ChargedSpan, Observer, Processes, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::measurement::Counter;
use crate::profile::{
    Detail, Group, PowerSeries, PowerSeriesObserver, Profile, Sum, TimedSamples,
    TimedSamplesObserver,
};
use crate::recording::merged::Labels;
use crate::recording::{Catalog, Header, Merged, RecordingFile, Samples};
use crate::symbol::{self, Search};

/// Attributes the energy of a recording, and gives the rows their names. Of a
/// file of several recordings, the sum of their profiles.
///
/// # Errors
///
/// A file that is not a recording, settings that do not fit it, or (a defect)
/// a ledger that does not balance.
pub fn analyse(path: &Path, settings: impl Fn(&Header) -> Result<Settings>) -> Result<Profile> {
    analyse_in_detail(path, &Names::default(), settings, &mut |_| {})
}

/// What the code of a recording is called.
#[derive(Debug, Default)]
pub struct Names {
    /// How closely code is told apart.
    pub detail: Detail,
    /// Where names are looked for that the recording lacks; `None`: nowhere.
    pub search: Option<Search>,
}

/// The same, with names as `names` says. `naming` is told how the search for
/// missing names goes.
///
/// # Errors
///
/// As [`analyse`].
pub fn analyse_in_detail(
    path: &Path,
    names: &Names,
    settings: impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<Profile> {
    let Some(merged) = Merged::open(path)? else {
        return profile(RecordingFile::open(path)?, names, &settings, naming);
    };
    let mut sum = Sum::new();
    for member in &merged.members {
        // One recording at a time is in memory.
        let recording = merged.recording(member)?;
        let profile = profile(recording, names, &settings, naming)?;
        sum.add(profile, member.labels.clone());
    }
    sum.finish(merged.caveats).ok_or_else(|| {
        let sentence = format!("{} holds no recording", path.display());
        Error::new(ErrorKind::Data, sentence)
    })
}

/// The sum of the profiles of the recordings at `paths`, each labelled with
/// its file's name.
///
/// # Errors
///
/// As [`analyse`]; `Usage` for no recording.
pub fn analyse_all(
    paths: &[PathBuf],
    names: &Names,
    settings: impl Fn(&Header) -> Result<Settings>,
) -> Result<Profile> {
    let mut sum = Sum::new();
    for path in paths {
        let recording = RecordingFile::open(path)?;
        let labels = labels(&recording.catalog, path);
        sum.add(profile(recording, names, &settings, &mut |_| {})?, labels);
    }
    let nothing = || Error::new(ErrorKind::Usage, "there is no recording to be added up");
    sum.finish(Vec::new()).ok_or_else(nothing)
}

/// What the recording at `path` is told from others by.
pub fn labels(catalog: &Catalog, path: &Path) -> Labels {
    let mut labels = catalog.labels.clone();
    labels.insert("host".to_owned(), catalog.header.host.clone());
    let file = path.file_name().unwrap_or(path.as_os_str());
    labels.insert("file".to_owned(), file.to_string_lossy().into_owned());
    labels
}

fn profile(
    mut recording: RecordingFile,
    names: &Names,
    settings: &impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<Profile> {
    name(&mut recording, names, naming);
    let attributed = attributed(&recording, settings, &mut ())?;
    let catalog = &recording.catalog;
    Ok(Profile::in_detail(catalog, &attributed, names.detail))
}

/// The same, with power over time: the `most` largest consumers, grouped as
/// `group` says (`None`: as fits the run). Several recordings in one file have
/// no common time.
///
/// # Errors
///
/// As [`analyse`].
pub fn analyse_over_time(
    path: &Path,
    names: &Names,
    (group, most): (Option<Group>, usize),
    settings: impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<(Profile, Option<PowerSeries>)> {
    if Merged::open(path)?.is_some() {
        let profile = analyse_in_detail(path, names, settings, naming)?;
        return Ok((profile, None));
    }
    let mut recording = RecordingFile::open(path)?;
    name(&mut recording, names, naming);
    let catalog = &recording.catalog;
    let mut watch = PowerSeriesObserver::new(&catalog.header);
    let attributed = attributed(&recording, settings, &mut watch)?;
    let course = watch.finish(catalog, &attributed, group, most);
    let profile = Profile::in_detail(catalog, &attributed, names.detail);
    Ok((profile, Some(course)))
}

/// The same, with all samples in time.
///
/// # Errors
///
/// As [`analyse`]; `Usage` for several recordings in one file, which have no
/// common time.
pub fn analyse_samples(
    path: &Path,
    names: &Names,
    settings: impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<(Profile, TimedSamples)> {
    if Merged::open(path)?.is_some() {
        return Err(several(path));
    }
    let mut recording = RecordingFile::open(path)?;
    name(&mut recording, names, naming);
    let catalog = &recording.catalog;
    let mut watch = TimedSamplesObserver::default();
    let attributed = attributed(&recording, settings, &mut watch)?;
    let moments = watch.finish(catalog, &attributed, names.detail);
    let profile = Profile::in_detail(catalog, &attributed, names.detail);
    Ok((profile, moments))
}

/// That what was asked for is of one run only.
pub fn several(path: &Path) -> Error {
    let sentence = format!(
        "{} holds several runs, which have no common time",
        path.display()
    );
    Error::new(ErrorKind::Usage, sentence).hint("name the recording of one run")
}

/// Finds the names that a recording lacks.
fn name(recording: &mut RecordingFile, names: &Names, naming: &mut dyn FnMut(symbol::Progress)) {
    if let Some(search) = &names.search {
        let lines = names.detail.lines;
        let found = symbol::late(&recording.catalog, search, lines, naming);
        let catalog = &mut recording.catalog;
        catalog.symbols.extend(found.symbols);
        let lines = found.lines.into_iter();
        catalog.lines.extend(lines.map(|of| (of.frame, of.lines)));
        catalog.caveats.extend(found.caveats);
    }
}

/// Attributes the energy of a recording; `watch` is told of every stretch of
/// known energy as it is charged, in order of time for each meter, with the
/// recording's header and labels. Several recordings in one file follow each
/// other.
///
/// # Errors
///
/// As [`analyse`].
pub fn watch(
    path: &Path,
    settings: impl Fn(&Header) -> Result<Settings>,
    watch: &mut dyn FnMut(&Header, &Labels, &ChargedSpan<'_>),
) -> Result<()> {
    let mut each = |recording: &RecordingFile, labels: &Labels| {
        let header = trusted(&recording.catalog);
        let mut watch = |stretch: &ChargedSpan<'_>| watch(&header, labels, stretch);
        attributed(recording, &settings, &mut watch).map(drop)
    };
    let Some(merged) = Merged::open(path)? else {
        let recording = RecordingFile::open(path)?;
        return each(&recording, &recording.catalog.labels);
    };
    for member in &merged.members {
        each(&merged.recording(member)?, &member.labels)?;
    }
    Ok(())
}

/// What the target counted of `counter` in the recording at `path`; `None`
/// where that was not counted, or cannot be trusted.
///
/// # Errors
///
/// A file that is not a recording.
pub fn counted(path: &Path, counter: Counter) -> Result<Option<u64>> {
    let recording = RecordingFile::open(path)?;
    let end = recording.catalog.end.as_ref();
    let distrusted = end.is_none_or(|end| end.distrusted.contains(&counter));
    if distrusted || !recording.catalog.header.counts(counter) {
        return Ok(None);
    }
    let processes = Processes::of(&recording.catalog.tasks);
    let mut sum = 0u64;
    for interval in recording.intervals(Samples::Skipped)? {
        let interval = interval?;
        let target = processes.of_target(&interval.cpus, &interval.threads);
        sum = sum.saturating_add(target.counts[counter as usize]);
    }
    Ok(Some(sum))
}

/// The header, without the counters that cannot be trusted: only at the end is
/// it known whether they ran all the time.
fn trusted(catalog: &Catalog) -> Header {
    let mut header = catalog.header.clone();
    if let Some(end) = &catalog.end {
        header
            .counters
            .retain(|counter| !end.distrusted.contains(counter));
    }
    header
}

fn attributed(
    recording: &RecordingFile,
    settings: impl FnOnce(&Header) -> Result<Settings>,
    watch: &mut impl Observer,
) -> Result<Attributed> {
    let catalog = &recording.catalog;
    let header = trusted(catalog);
    let settings = settings(&header)?;
    let intervals = |samples| recording.intervals(samples);
    attribute::attribute(&header, &catalog.tasks, intervals, &settings, watch)
}
