//! The processed profile format of the Firefox Profiler
//! (<https://github.com/firefox-devtools/profiler/blob/main/docs-developer/processed-profile-format.md>),
//! written by `fxprof-processed-profile`: threads with their samples in time,
//! and a power track for each meter.
//!
//! The weight of a sample is its microjoules, so that the call tree, where it
//! says *samples*, counts microjoules; they add up to the target's account.
//! Which stacks were seen in an interval is recorded, not when within it: they
//! are spread evenly. Power tracks hold what the profiler wants there,
//! picowatt-hours. (Opened in the profiler's own front end as of August 2026:
//! its call tree has the ledger's numbers, and its tracks are in time with the
//! samples.) A span of unknown energy ends a track; another begins
//! after it.

use std::collections::HashMap;
use std::io::{self, Write};

use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CategoryPairHandle, CpuDelta, Frame, FrameFlags, FrameInfo,
    GraphColor, ProcessHandle, Profile as Firefox, ReferenceTimestamp, SamplingInterval,
    StackHandle, ThreadHandle, Timestamp as At, WeightType,
};

use crate::apportion::apportion;
use crate::measurement::{Domain, StackId};
use crate::profile::{FrameKind, ProcessKey, Profile, Seen, ThreadRow, TimedSamples, kinds};
use crate::unit::{Microjoules, Timestamp};

use super::super::folded::comms;
use super::super::format::energy::EnergyText;
use super::super::format::sanitize::visible;
use super::super::format::title;

/// Picowatt-hours in a microjoule: 10⁻⁶ / 3600 × 10¹².
const PWH_PER_UJ: f64 = 1e6 / 3600.0;

/// More samples of a stack in an interval become fewer, heavier ones.
const MOST_SAMPLES: u32 = 256;

/// More modules than this have no subcategory of their own.
const MOST_MODULES: usize = 2000;

/// More tracks of a meter than this become one that is zero where it should be
/// unknown.
const MOST_TRACKS: usize = 16;

/// Writes the profile.
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, samples: &TimedSamples, mut out: impl Write) -> io::Result<()> {
    let header = &profile.summary.header;
    let hz = u64::from(header.frequency_hz);
    let interval = match 1_000_000_000u64.checked_div(hz) {
        Some(nanos) => SamplingInterval::from_nanos(nanos),
        None => SamplingInterval::from_nanos(header.interval.0),
    };
    let wall = ReferenceTimestamp::from_millis_since_unix_epoch(header.wall_clock_ns as f64 / 1e6);
    let energy_text = EnergyText::of(profile);
    let weights = match energy_text.known {
        true => format!("samples are {} µJ", energy_text.provenance()),
        false => "energy unknown".to_owned(),
    };
    let name = format!("{} ({weights})", title::command(profile));
    let mut firefox = Firefox::new(&name, wall, interval);
    firefox.set_os_name("Linux");
    firefox.set_symbolicated(true);
    let mut writer = Writer {
        categories: Categories::new(&mut firefox),
        firefox,
        profile,
        samples,
        energy: energy_text.known,
    };
    let first = writer.threads();
    writer.power(first);
    serde_json::to_writer(&mut out, &writer.firefox)?;
    writeln!(out)
}

struct Writer<'p> {
    firefox: Firefox,
    categories: Categories,
    profile: &'p Profile,
    samples: &'p TimedSamples,
    energy: bool,
}

impl Writer<'_> {
    fn at(&self, at: Timestamp) -> At {
        let started = self.profile.summary.header.started;
        At::from_nanos_since_reference(at.since(started).0)
    }

    /// All processes and threads, most energy first. Returns the first process.
    fn threads(&mut self) -> ProcessHandle {
        let comms = comms(self.profile);
        let mut processes: HashMap<ProcessKey, ProcessHandle> = HashMap::new();
        let mut first = None;
        for (row, samples) in self.profile.threads.iter().zip(&self.samples.threads) {
            let start = self.at(row.start);
            let process = *processes.entry(row.process).or_insert_with(|| {
                let comm = comms.get(&row.process).copied().unwrap_or(&row.comm);
                let forked = row.process.start;
                let started = self.profile.summary.header.started;
                let forked = At::from_nanos_since_reference(forked.since(started).0);
                self.firefox
                    .add_process(&visible(comm), row.process.pid, forked)
            });
            first.get_or_insert(process);
            let main = row.tid == row.process.pid;
            let thread = self.firefox.add_thread(process, row.tid, start, main);
            self.firefox.set_thread_name(thread, &visible(&row.comm));
            self.firefox
                .set_thread_samples_weight_type(thread, WeightType::Samples);
            if let Some(gone) = samples.gone {
                let gone = self.at(gone);
                self.firefox.set_thread_end_time(thread, gone);
            }
            self.samples(thread, row, &samples.seen);
        }
        // Without a process there would be no tracks.
        first.unwrap_or_else(|| {
            let start = At::from_nanos_since_reference(0);
            let process = self.firefox.add_process("no thread ran", 0, start);
            self.firefox.add_thread(process, 0, start, true);
            process
        })
    }

    fn samples(&mut self, thread: ThreadHandle, row: &ThreadRow, seen: &[Seen]) {
        let mut stacks: HashMap<Option<StackId>, Option<StackHandle>> = HashMap::new();
        let mut written = 0;
        for interval in seen.chunk_by(|a, b| (a.begin, a.end) == (b.begin, b.end)) {
            let many = |of: &Seen| u64::from(of.count.clamp(1, MOST_SAMPLES));
            let all: u64 = interval.iter().map(many).sum();
            let mut done = 0;
            for of in interval {
                let stack = match stacks.get(&of.stack) {
                    Some(stack) => *stack,
                    None => {
                        let stack = self.stack(thread, of.stack);
                        stacks.insert(of.stack, stack);
                        stack
                    }
                };
                let ones = vec![1; many(of) as usize];
                let energy = apportion(of.energy, &ones);
                let cpu = apportion(Microjoules(of.cpu.0), &ones);
                for (energy, cpu) in energy.into_iter().zip(cpu) {
                    // In the middle of its part of the interval.
                    let part = (2 * done + 1) as f64 / (2 * all) as f64;
                    let length = of.end.since(of.begin).0 as f64;
                    let at = Timestamp(of.begin.0.saturating_add((length * part) as u64));
                    let at = self.at(at);
                    let weight = if self.energy { energy.0 } else { 1 };
                    self.sample(thread, at, stack, CpuDelta::from_nanos(cpu.0), weight);
                    done += 1;
                    written += 1;
                }
            }
        }
        if written == 0 && row.cpu.0 > 0 {
            let (at, stack) = (self.at(row.start), self.stack(thread, None));
            self.sample(thread, at, stack, CpuDelta::from_nanos(row.cpu.0), 0);
        }
    }

    /// A sample of any weight; the format's are 31 bits.
    fn sample(
        &mut self,
        thread: ThreadHandle,
        at: At,
        stack: Option<StackHandle>,
        mut cpu: CpuDelta,
        mut weight: u64,
    ) {
        loop {
            let part = i32::try_from(weight).unwrap_or(i32::MAX);
            self.firefox.add_sample(thread, at, stack, cpu, part);
            weight -= part.unsigned_abs() as u64;
            if weight == 0 {
                return;
            }
            cpu = CpuDelta::ZERO;
        }
    }

    fn stack(&mut self, thread: ThreadHandle, stack: Option<StackId>) -> Option<StackHandle> {
        let frames = self.samples.frames(stack);
        let mut infos = Vec::with_capacity(frames.len());
        for (frame, kind) in frames.iter().zip(kinds(&frames)) {
            let label = self.firefox.intern_string(&visible(&frame.key.function));
            let category = self
                .categories
                .of(&mut self.firefox, kind, &frame.key.module);
            infos.push(FrameInfo {
                frame: Frame::Label(label),
                category_pair: category,
                flags: FrameFlags::empty(),
            });
        }
        self.firefox.intern_stack_frames(thread, infos.into_iter())
    }

    /// A track for each meter, and another after each gap.
    fn power(&mut self, process: ProcessHandle) {
        let meters = self.profile.ledger.meters.iter();
        for (meter, power) in meters.zip(&self.samples.power) {
            let mut tracks = 0;
            let mut track = None;
            let mut until = None;
            for of in power {
                if until != Some(of.begin) && tracks < MOST_TRACKS {
                    let domain = meter.domain.name();
                    let name = visible(&meter.name);
                    let again = if tracks > 0 {
                        ", after unknown energy"
                    } else {
                        ""
                    };
                    let nested = if meter.nested {
                        ", a part of another meter"
                    } else {
                        ""
                    };
                    let about = format!("{} by {name}{nested}{again}", meter.provenance.name());
                    let name = format!("{domain} {name}{again}");
                    let new = self.firefox.add_counter(process, &name, "power", &about);
                    self.firefox.set_counter_color(new, colour(meter.domain));
                    let begin = self.at(of.begin);
                    self.firefox.add_counter_sample(new, begin, 0.0, 0);
                    track = Some(new);
                    tracks += 1;
                }
                if let Some(track) = track {
                    let pwh = of.energy.0 as f64 * PWH_PER_UJ;
                    let end = self.at(of.end);
                    self.firefox.add_counter_sample(track, end, pwh, 0);
                }
                until = Some(of.end);
            }
        }
    }
}

/// Of a domain's tracks.
fn colour(domain: Domain) -> GraphColor {
    match domain {
        Domain::Package => GraphColor::Orange,
        Domain::Core => GraphColor::Yellow,
        Domain::Uncore => GraphColor::Teal,
        Domain::Dram => GraphColor::Purple,
        Domain::Psys => GraphColor::Blue,
    }
}

/// Kinds of frames, and modules within them.
struct Categories {
    kinds: HashMap<FrameKind, CategoryHandle>,
    modules: HashMap<(FrameKind, String), CategoryPairHandle>,
}

impl Categories {
    fn new(firefox: &mut Firefox) -> Self {
        let colours = [
            (FrameKind::User, "User", CategoryColor::Yellow),
            (FrameKind::Inlined, "Inlined", CategoryColor::Orange),
            (
                FrameKind::Generated,
                "Generated at run time",
                CategoryColor::Green,
            ),
            (FrameKind::Syscall, "System call", CategoryColor::LightBlue),
            (FrameKind::Kernel, "Kernel", CategoryColor::Blue),
            (FrameKind::Interrupt, "Interrupt", CategoryColor::Magenta),
            (FrameKind::Idle, "Idle", CategoryColor::Transparent),
            (FrameKind::Marker, "Unknown", CategoryColor::Gray),
        ];
        let kinds = colours.map(|(kind, name, colour)| (kind, firefox.add_category(name, colour)));
        Self {
            kinds: kinds.into(),
            modules: HashMap::new(),
        }
    }

    fn of(&mut self, firefox: &mut Firefox, kind: FrameKind, module: &str) -> CategoryPairHandle {
        let category = self.kinds.get(&kind).copied();
        let category = category.unwrap_or(CategoryHandle::OTHER);
        if module.is_empty() {
            return category.into();
        }
        if let Some(&pair) = self.modules.get(&(kind, module.to_owned())) {
            return pair;
        }
        if self.modules.len() >= MOST_MODULES {
            return category.into();
        }
        let pair = firefox.add_subcategory(category, &visible(module));
        self.modules.insert((kind, module.to_owned()), pair);
        pair
    }
}
