//! The differential flamegraph: as wide as one side, coloured by how the other
//! differs.
//!
//! A box is coloured by its own change with all that it calls, and only where
//! that is certain at the confidence of the comparison, corrected for the
//! number of different boxes; all else is grey. Its width is the mean of the runs of the
//! new side, or of the base for the reverse picture, which shows what is gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

use inferno::flamegraph::color::Color;

use crate::apportion::apportion;
use crate::diff::{By, Difference, Key, Metric, Row, Values};
use crate::statistics::{Confidence, Contrast, Verdict, holm};
use crate::unit::Microjoules;

use super::super::flamegraph::decorate::{Paint, Place, decorate};
use super::super::flamegraph::draw::{
    MOST_UJ, NARROWEST, SUBTITLE_WIDTH, TITLE_WIDTH, draw, options, palette,
};
use super::super::folded::{frame_name, leaf_name, level, unmarked};
use super::super::format::sanitize::{shorten, visible};
use super::table::mean_time;
use super::{cells, sentence};

/// Vermilion for more, blue for less (of Okabe and Ito's palette, which people
/// with any colour vision tell apart), the darker the more; light enough for
/// black text.
const COLOURS: [(Color, &str); 7] = [
    (rgb(232, 124, 62), "20 % more or above"),
    (rgb(247, 176, 128), "5 % to 20 % more"),
    (rgb(252, 221, 200), "more"),
    (rgb(232, 232, 232), "no certain change"),
    (rgb(212, 230, 246), "less"),
    (rgb(150, 200, 238), "5 % to 20 % less"),
    (rgb(92, 163, 217), "20 % less or below"),
];

/// Boxes of less than this part of the target are not tested, and grey.
const LEAST: f64 = 0.01;

const fn rgb(r: u8, g: u8, b: u8) -> Color {
    Color { r, g, b }
}

/// The values of both sides.
#[derive(Clone, Default)]
struct Both {
    base: Values,
    new: Values,
}

impl Both {
    fn add(&mut self, base: Option<&Values>, new: Option<&Values>) {
        let sides = [(&mut self.base, base), (&mut self.new, new)];
        for (sum, more) in sides {
            if let Some(more) = more {
                // Sampling errors of different stacks are nearly independent.
                sum.merge(more);
            }
        }
    }

    /// Both sides with a value for every run.
    fn whole(mut self, runs: (usize, usize)) -> Self {
        for (values, runs) in [(&mut self.base, runs.0), (&mut self.new, runs.1)] {
            values.fill_up(runs);
        }
        self
    }
}

/// A box that is wide enough to be drawn.
struct Drawn {
    place: Place,
    name: String,
    both: Both,
}

/// Draws the comparison of two files or directories called `names`, as wide
/// as the base where `by_base` is set, else as the new side.
///
/// # Errors
///
/// The error of `out`; [`io::ErrorKind::InvalidData`] where there are no stacks
/// by the metric, or more than can be drawn exactly.
pub fn write(
    difference: &Difference,
    names: (&str, &str),
    by_base: bool,
    mut out: impl Write,
) -> io::Result<()> {
    let metric = difference.metric;
    let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let stacks = stacks(difference);
    let runs = match by_base {
        true => difference.base.runs,
        false => difference.new.runs,
    };
    let sum = |both: &Both| -> f64 {
        let side = if by_base { &both.base } else { &both.new };
        side.of(metric).iter().sum()
    };
    let sums: Vec<u64> = stacks
        .values()
        .map(|both| sum(both).round() as u64)
        .collect();
    let all = sums
        .iter()
        .try_fold(0u64, |sum, more| sum.checked_add(*more));
    let all = all.filter(|all| *all <= MOST_UJ);
    let all = all.ok_or_else(|| refuse("more than a flamegraph can show exactly"))?;
    // The mean of the runs, to the unit.
    let widths = apportion(Microjoules(all / runs.max(1) as u64), &sums);
    let widths: Vec<u64> = widths.into_iter().map(|of| of.0).collect();
    let total: u64 = widths.iter().sum();
    if total == 0 {
        return Err(refuse(
            "no stacks of that side took anything, so there is no flamegraph",
        ));
    }
    let lines: Vec<String> = stacks
        .keys()
        .zip(&widths)
        .filter(|(_, width)| **width > 0)
        .map(|(stack, width)| format!("{} {width}", stack.join(";")))
        .collect();
    let (base, new) = names;
    let title = format!("{metric}: {} against {}", visible(new), visible(base));
    let side = if by_base { base } else { new };
    let durations = if by_base {
        &difference.base
    } else {
        &difference.new
    };
    let subtitle = format!(
        "widths: {}, {}; {}",
        visible(side),
        mean_time(&durations.durations),
        sentence::verdict(difference)
    );
    let distinct: BTreeSet<&String> = stacks.keys().flatten().collect();
    let distinct: Vec<String> = distinct.into_iter().cloned().collect();
    let mut palette = palette(&distinct);
    let title = shorten(&title, TITLE_WIDTH).into_owned();
    let subtitle = shorten(&subtitle, SUBTITLE_WIDTH).into_owned();
    let mut options = options(title, subtitle, &mut palette);
    options.count_name = metric.unit().to_owned();
    let svg = draw(&lines, options)?;
    let drawn = layout(&stacks, &widths, total);
    let paint = paint(difference, drawn);
    let svg = decorate(&svg, &paint, &COLOURS)?;
    out.write_all(svg.as_bytes())?;
    out.flush()
}

/// The stacks of both sides by their names, in order.
fn stacks(difference: &Difference) -> BTreeMap<Vec<String>, Both> {
    let mut stacks: BTreeMap<Vec<String>, Both> = BTreeMap::new();
    let (base, new) = (&difference.base, &difference.new);
    let mut add = |key: &Key, of_base: Option<&Values>, of_new: Option<&Values>| {
        let Key::Stack(command, thread, frames) = key else {
            return;
        };
        let mut names = vec![not_a_comment(level(command)), level(thread)];
        names.extend(frames.iter().map(frame_name));
        if let Some(leaf) = names.pop() {
            names.push(leaf_name(leaf));
        }
        stacks.entry(names).or_default().add(of_base, of_new);
    };
    for (key, values) in base.rows(By::Stack) {
        add(key, Some(values), None);
    }
    for (key, values) in new.rows(By::Stack) {
        add(key, None, Some(values));
    }
    stacks
}

/// A line must not begin as a comment does, with `# `.
fn not_a_comment(name: String) -> String {
    match name.strip_prefix('#') {
        Some(rest) => format!("_{rest}"),
        None => name,
    }
}

/// The boxes that are wide enough to be drawn, with their sums. What has no
/// width on this side counts for those below it all the same.
fn layout(stacks: &BTreeMap<Vec<String>, Both>, widths: &[u64], total: u64) -> Vec<Drawn> {
    struct Open {
        name: String,
        left: u64,
        both: Both,
    }
    let open = |name: &str, left| Open {
        name: name.to_owned(),
        left,
        both: Both::default(),
    };
    let mut path = vec![open("", 0)];
    let mut drawn = Vec::new();
    let mut left = 0u64;
    let mut close = |path: &mut Vec<Open>, depth: usize, left: u64| {
        while path.len() > depth {
            let Some(done) = path.pop() else { return };
            // A little more than inferno draws: it rounds in its own way.
            let width = (left - done.left) as f64;
            if width >= total as f64 * NARROWEST * 0.99 && width > 0.0 {
                drawn.push(Drawn {
                    place: (path.len(), done.left),
                    name: done.name,
                    both: done.both,
                });
            }
        }
    };
    for ((stack, both), width) in stacks.iter().zip(widths) {
        let same = stack.iter().zip(&path[1..]);
        let same = same.take_while(|(name, open)| **name == open.name).count();
        close(&mut path, same + 1, left);
        path.extend(stack[same..].iter().map(|name| open(name, left)));
        for one in &mut path {
            one.both.add(Some(&both.base), Some(&both.new));
        }
        left += width;
    }
    close(&mut path, 0, left);
    drawn
}

/// Colours and tooltips.
fn paint(difference: &Difference, drawn: Vec<Drawn>) -> HashMap<Place, Paint> {
    let metric = difference.metric;
    let runs = (difference.base.runs, difference.new.runs);
    let boxes: Vec<(Place, String, Both, Option<Contrast>)> = drawn
        .into_iter()
        .map(|of| {
            let both = of.both.whole(runs);
            // The target was compared with all that is known of its errors.
            let contrast = match of.place.0 {
                0 => difference.total.contrast,
                _ => difference.contrast(&both.base, &both.new),
            };
            (of.place, of.name, both, contrast)
        })
        .collect();
    let levels = levels(difference, boxes.iter().map(|of| of.3));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let mut paint = HashMap::new();
    for (place, name, both, contrast) in boxes {
        let level = contrast.and_then(|of| levels.get(&identity(&of)).copied());
        let row = Row {
            key: Key::Target,
            base: mean(both.base.of(metric)),
            new: mean(both.new.of(metric)),
            contrast,
            tested: level.and_then(Confidence::of_alpha),
        };
        let name = if place.0 == 0 { "all" } else { unmarked(&name) };
        let title = title(name, metric, &row);
        let fill = fill(&row);
        paint.insert(place, Paint { fill, title });
    }
    paint
}

/// The levels at which boxes are tested: those of at least [`LEAST`] of the
/// target, and boxes that are the same (a function that does all its work in
/// one callee) once. More boxes would only make the correction stricter.
fn levels(
    difference: &Difference,
    boxes: impl Iterator<Item = Option<Contrast>>,
) -> BTreeMap<[u64; 2], f64> {
    let least = LEAST * (difference.total.base + difference.total.new);
    let large = boxes.flatten().filter(|of| of.base + of.new >= least);
    let distinct: BTreeMap<[u64; 2], f64> = large.map(|of| (identity(&of), of.p())).collect();
    let p: Vec<f64> = distinct.values().copied().collect();
    let levels = holm(&p, difference.confidence.alpha());
    distinct.into_keys().zip(levels).collect()
}

/// What two boxes have in common that are the same.
fn identity(contrast: &Contrast) -> [u64; 2] {
    // Sums in another order may differ in the last digits.
    [contrast.base, contrast.new].map(|mean| mean.round() as u64)
}

fn title(name: &str, metric: Metric, row: &Row) -> String {
    let certain = match (row.verdict(), row.tested) {
        (Verdict::Worse, _) => "certainly more",
        (Verdict::Better, _) => "certainly less",
        (Verdict::Undetected, Some(_)) => "no certain change",
        (Verdict::Undetected, None) => "too small to be tested",
    };
    let interval = match row.tested {
        Some(_) => format!(", interval {}", cells::interval(metric, row)),
        None => String::new(),
    };
    format!(
        "{name} ({} before, {} now, {}{interval}; {certain})",
        cells::value(metric, row.base),
        cells::value(metric, row.new),
        cells::ratio(row),
    )
}

fn fill(row: &Row) -> Color {
    // What is new or gone has changed by as much as can be.
    let factor = row.ratio().unwrap_or(f64::INFINITY);
    let at = match row.verdict() {
        Verdict::Undetected => 3,
        Verdict::Worse if factor >= 1.2 => 0,
        Verdict::Worse if factor >= 1.05 => 1,
        Verdict::Worse => 2,
        Verdict::Better if factor <= 0.8 => 6,
        Verdict::Better if factor <= 0.95 => 5,
        Verdict::Better => 4,
    };
    COLOURS[at].0
}
