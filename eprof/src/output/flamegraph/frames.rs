//! The boxes of the flamegraph: what each is and what it says.

use std::collections::{BTreeSet, HashMap};

use inferno::flamegraph::color::Color;

use crate::profile::{FrameKind, KERNEL, Parts, ProcessKey, Profile, kinds};
use crate::unit::Microjoules;

use super::decorate::{Paint, Place};
use super::draw::NARROWEST;
use super::palette::{Kind, colour};
use crate::output::folded::{LEVELS, Stacks, levels, unmarked};
use crate::output::format::accounts::target_half;
use crate::output::format::energy::EnergyText;
use crate::output::format::number::{count, percent};
use crate::output::format::sanitize::visible;

/// What is to be drawn in a place.
#[derive(Clone, Debug)]
pub(in crate::output) struct Drawn {
    /// Its name, which decides its shade.
    pub(in crate::output) name: String,
    pub(in crate::output) kind: Kind,
    /// The tooltip, see [`Paint::title`].
    pub(in crate::output) title: String,
}

/// A box whose right end is not reached yet.
struct Open {
    left: u64,
    uj: u64,
    samples: u64,
    parts: Parts,
    kind: Kind,
    module: String,
}

/// All boxes that are wide enough to be drawn.
pub(in crate::output) struct Boxes<'a> {
    profile: &'a Profile,
    energy_text: EnergyText,
    total: u64,
    pub(in crate::output) drawn: HashMap<Place, Drawn>,
}

impl<'a> Boxes<'a> {
    /// The boxes of the `stacks` of `profile`, from left to right.
    pub(in crate::output) fn of(profile: &'a Profile, stacks: &Stacks) -> Self {
        let mut boxes = Self {
            profile,
            energy_text: EnergyText::of(profile),
            total: stacks.total().unwrap_or(u64::MAX),
            drawn: HashMap::new(),
        };
        boxes.lay(stacks);
        boxes
    }

    /// What they look like.
    pub(in crate::output) fn paint(&self) -> HashMap<Place, Paint> {
        let paint = |of: &Drawn| Paint {
            fill: colour(&of.name, of.kind),
            title: of.title.clone(),
        };
        let drawn = self.drawn.iter();
        drawn.map(|(place, of)| (*place, paint(of))).collect()
    }

    /// The kinds of boxes that there are, in the order of the legend.
    pub(in crate::output) fn legend(&self) -> Vec<(Color, &'static str)> {
        let there: BTreeSet<Kind> = self.drawn.values().map(|drawn| drawn.kind).collect();
        let kinds = Kind::ALL.into_iter().filter(|kind| there.contains(kind));
        kinds.map(|kind| (kind.colour(), kind.label())).collect()
    }

    fn lay(&mut self, stacks: &Stacks) {
        let levels = levels(self.profile);
        let mut left: u64 = 0;
        let mut open = vec![Open::new(0, Kind::Task, "")];
        let mut path: Vec<u32> = Vec::new();
        let close = |boxes: &mut Self, path: &mut Vec<u32>, open: &mut Vec<Open>, depth: usize| {
            while path.len() > depth {
                let name = path.pop().and_then(|at| stacks.names.get(at as usize));
                if let (Some(name), Some(done)) = (name, open.pop()) {
                    boxes.draw(open.len(), name, &done);
                }
            }
        };
        for (stack, folded) in &stacks.rows {
            let same = stack.iter().zip(&path).take_while(|(a, b)| a == b).count();
            close(self, &mut path, &mut open, same);
            let kinds = self.kinds(folded.of.first().copied());
            for (depth, &name) in stack.iter().enumerate().skip(same) {
                let frame = depth.checked_sub(levels).and_then(|at| kinds.get(at));
                let (kind, module) = match frame {
                    Some((kind, module)) => (Kind::Frame(*kind), *module),
                    None => (Kind::Task, ""),
                };
                path.push(name);
                open.push(Open::new(left, kind, module));
            }
            for one in &mut open {
                one.uj = one.uj.saturating_add(folded.uj);
                let rows = folded.of.iter();
                for row in rows.filter_map(|&at| self.profile.stacks.get(at)) {
                    one.samples = one.samples.saturating_add(row.samples);
                    *one.parts.entry(row.thread).or_default() += row.energy.with_idle;
                }
            }
            left = left.saturating_add(folded.uj);
        }
        close(self, &mut path, &mut open, 0);
        if let Some(root) = open.pop() {
            self.draw(0, "", &root);
        }
    }

    /// Kinds and modules of the frames of a stack.
    fn kinds(&self, stack: Option<usize>) -> Vec<(FrameKind, &'a str)> {
        let profile = self.profile;
        let row = stack.and_then(|at| profile.stacks.get(at));
        let frames = row.map(|row| &*row.frames).unwrap_or_default();
        if frames.is_empty() {
            return vec![(FrameKind::Marker, "")];
        }
        let modules = frames.iter().map(|frame| frame.key.module.as_str());
        kinds(frames).zip(modules).collect()
    }

    fn draw(&mut self, depth: usize, name: &str, done: &Open) {
        // A little more than inferno draws: it rounds in its own way.
        if (done.uj as f64) < self.total as f64 * NARROWEST * 0.99 {
            return;
        }
        let title = self.title(depth, name, done);
        let drawn = Drawn {
            name: name.to_owned(),
            kind: done.kind,
            title,
        };
        self.drawn.insert((depth, done.left), drawn);
    }

    fn title(&self, depth: usize, name: &str, done: &Open) -> String {
        let shown = if depth == 0 { "all" } else { unmarked(name) };
        let half = self.half(depth, done).map(|half| half.0);
        let energy = self.energy_text.known.then_some(done.uj);
        let [value, half_or_range, unit] = self.energy_text.cells(energy, half);
        let energy_text = match half_or_range.as_str() {
            "" => format!("{value} {unit}"),
            range if self.energy_text.estimated => {
                format!("{value} {unit} estimated, 90 %: {range} {unit}")
            }
            half => format!("{value} {half} {unit}"),
        };
        let duration = Some(self.profile.summary.duration.0);
        let watts = self.energy_text.watts(energy, half, duration);
        let share = percent(done.uj, self.total).unwrap_or_else(|| "–".to_owned());
        let samples = match done.samples {
            1 => "1 sample".to_owned(),
            n => format!("{} samples", count(n)),
        };
        let mut what = done.kind.what(&done.module);
        if !what.is_empty() {
            what.insert_str(0, "; ");
        }
        format!("{shown} ({energy_text}, {watts}, {samples}, {share}{what})")
    }

    /// The 90 % half width of a box.
    fn half(&self, depth: usize, done: &Open) -> Option<Microjoules> {
        let threads = || {
            let parts = done.parts.keys();
            parts.filter_map(|&at| self.profile.threads.get(at))
        };
        let runs = levels(self.profile) - LEVELS;
        if depth > 0 && depth <= runs {
            let runs: BTreeSet<usize> = threads().map(|thread| thread.process.member).collect();
            let members = runs.iter().filter_map(|&at| self.profile.members.get(at));
            return Some(members.map(|run| run.ci90).sum());
        }
        match depth.saturating_sub(runs) {
            0 => target_half(self.profile).map(Microjoules),
            1 => {
                let keys: BTreeSet<ProcessKey> = threads().map(|thread| thread.process).collect();
                let processes = self.profile.processes.iter();
                let own = processes.filter(|process| keys.contains(&process.key));
                Some(own.map(|process| process.ci90).sum())
            }
            LEVELS => Some(threads().map(|thread| thread.ci90).sum()),
            _ => Some(self.profile.half_width(&done.parts)),
        }
    }
}

impl Open {
    fn new(left: u64, kind: Kind, module: &str) -> Self {
        Self {
            left,
            uj: 0,
            samples: 0,
            parts: Parts::default(),
            kind,
            module: module.to_owned(),
        }
    }
}

impl Kind {
    /// What a tooltip says about the kind of a box in `module`. Without
    /// parentheses.
    fn what(self, module: &str) -> String {
        let inside = if module.is_empty() || module == KERNEL {
            String::new()
        } else {
            let module = visible(module).replace(['(', ')'], "_");
            format!("in {module}")
        };
        match self {
            Self::Frame(FrameKind::User) => inside,
            Self::Frame(FrameKind::Inlined) => format!("inlined {inside}").trim_end().to_owned(),
            Self::Frame(FrameKind::Generated) => "generated at run time".to_owned(),
            Self::Frame(FrameKind::Syscall) => "kernel, system call".to_owned(),
            Self::Frame(FrameKind::Kernel) => "kernel".to_owned(),
            Self::Frame(FrameKind::Interrupt) => "kernel, interrupt".to_owned(),
            Self::Frame(FrameKind::Idle) => "kernel, idle".to_owned(),
            Self::Frame(FrameKind::Marker) | Self::Task => String::new(),
        }
    }
}
