//! Recordings of the lab, and what can happen to them.

use std::path::{Path, PathBuf};

use eprof::attribute::{Attributed, ChargedSpan, Observer, Settings, StackCharge, attribute};
use eprof::measurement::MeterId;
use eprof::output::plot::MOST_CONSUMERS;
use eprof::profile::{
    Detail, Group, PowerSeries, PowerSeriesObserver, Profile, TimedSamples, TimedSamplesObserver,
};
use eprof::recording::{IntervalRecord, Recording, RecordingFile, Samples};
use eprof::unit::{Nanos, Timestamp};

pub(crate) const RECORDINGS: [&str; 4] = [
    "twins-and-others+calibrated",
    "phases-20ms",
    "uncounted-twins",
    "side-by-side",
];

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden/lab")
        .join(format!("{name}.data"))
}

/// All of a recording, to be changed.
pub(crate) fn recording(name: &str) -> Recording {
    let file = RecordingFile::open(&path(name)).unwrap();
    let intervals = file
        .intervals(Samples::Read)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    Recording {
        catalog: file.catalog,
        intervals,
    }
}

/// What becomes of it.
pub(crate) struct Analysed {
    pub(crate) attributed: Attributed,
    pub(crate) profile: Profile,
    pub(crate) series: PowerSeries,
    pub(crate) samples: TimedSamples,
}

/// Two that are told the same.
struct Both(PowerSeriesObserver, TimedSamplesObserver);

impl Observer for Both {
    fn record(&mut self, record: &IntervalRecord) {
        self.0.record(record);
        self.1.record(record);
    }

    fn span(&mut self, span: &ChargedSpan<'_>) {
        self.0.span(span);
        self.1.span(span);
    }

    fn stack(&mut self, during: (Timestamp, Timestamp), charge: &StackCharge) {
        self.0.stack(during, charge);
        self.1.stack(during, charge);
    }
}

pub(crate) fn analysed(recording: &Recording, group: Option<Group>) -> Analysed {
    let catalog = &recording.catalog;
    let records = |_| Ok(recording.intervals.iter().cloned().map(Ok));
    let settings = Settings::default();
    let (header, tasks) = (&catalog.header, &catalog.tasks);
    let mut observer = Both(
        PowerSeriesObserver::new(header),
        TimedSamplesObserver::default(),
    );
    let attributed = attribute(header, tasks, records, &settings, &mut observer).unwrap();
    let series = observer
        .0
        .finish(catalog, &attributed, group, MOST_CONSUMERS);
    let samples = observer.1.finish(catalog, &attributed, Detail::default());
    Analysed {
        profile: Profile::build(catalog, &attributed),
        attributed,
        series,
        samples,
    }
}

/// Names that attack pages, pictures, scripts and whoever reads them.
pub(crate) const HOSTILE: [&str; 6] = [
    "</code><script>owned = 1</script>",
    "\"><img src=x onerror=owned=1>",
    "]]></script><script>owned=1//",
    "' onload='owned=1' x='",
    "\u{202e}&lt;b&gt; \x1b[31m\u{0}",
    "<!-- {{owned}} ${owned=1} `",
];

/// The same with hostile names everywhere.
pub(crate) fn hostile(mut recording: Recording) -> Recording {
    let mut names = HOSTILE.iter().cycle().map(|name| (*name).to_owned());
    let mut name = || names.next().unwrap();
    let catalog = &mut recording.catalog;
    catalog.tasks.iter_mut().for_each(|of| of.comm = name());
    catalog.renames.iter_mut().for_each(|of| of.comm = name());
    catalog.objects.iter_mut().for_each(|of| of.path = name());
    for of in &mut catalog.symbols {
        of.functions
            .iter_mut()
            .for_each(|function| *function = name());
    }
    catalog.header.command.argv = HOSTILE.map(str::to_owned).into();
    catalog.header.host = name();
    catalog.header.cpu_model = name();
    for meter in &mut catalog.header.meters {
        meter.name = name();
    }
    recording
}

/// The same, whose meters went mad for a while, and so are unknown then.
pub(crate) fn interrupted(mut recording: Recording) -> Recording {
    let (begin, end) = (recording.intervals.len() / 3, recording.intervals.len() / 2);
    for of in &mut recording.intervals[begin..end] {
        for reading in &mut of.readings {
            // Far ahead, and back afterwards: neither can be believed.
            reading.raw = reading.raw.wrapping_add(1 << 40);
        }
    }
    recording
}

/// The same without any reading.
pub(crate) fn silent(mut recording: Recording) -> Recording {
    for of in &mut recording.intervals {
        of.readings.clear();
    }
    recording
}

/// The same again and again, one after the other.
pub(crate) fn longer(mut recording: Recording, times: u64) -> Recording {
    let once = recording.intervals.clone();
    let (first, last) = (&once[0], once.last().unwrap());
    let length = last.end.since(first.end);
    // What each register counted in one run.
    let counted = |meter: MeterId| {
        let raw = |of: &IntervalRecord| {
            let mut readings = of.readings.iter();
            readings.find(|of| of.meter == meter).map(|of| of.raw)
        };
        raw(last).unwrap() - raw(first).unwrap()
    };
    for time in 1..times {
        let later = |at: &mut Timestamp| *at = *at + Nanos(length.0 * time);
        for mut of in once.iter().skip(1).cloned() {
            later(&mut of.begin);
            later(&mut of.end);
            for reading in &mut of.readings {
                reading.raw += counted(reading.meter) * time;
                later(&mut reading.begin);
                later(&mut reading.end);
                if let Some(edge) = &mut reading.updated {
                    later(&mut edge.at);
                }
            }
            recording.intervals.push(of);
        }
    }
    if let Some(end) = &mut recording.catalog.end {
        end.ended = end.ended + Nanos(length.0 * (times - 1));
    }
    recording.catalog.gone.fill(None);
    recording
}
