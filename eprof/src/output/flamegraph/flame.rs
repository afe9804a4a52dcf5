//! The energy flamegraph: an interactive SVG whose widths are microjoules.
//!
//! process → thread → stack; the root's width is the target's account, to the
//! microjoule. A box has the colour of what it is (see the legend below), and
//! its tooltip tells joules with their 90 % interval, watts over the run,
//! samples and share. Deterministic.

use std::io::{self, Write};

use inferno::flamegraph::color::{BackgroundColor, Color, PaletteMap, StrokeColor};
use inferno::flamegraph::{self, Options, TextTruncateDirection};

use crate::profile::Profile;

use super::decorate::{decorate, escaped};
use super::frames::{Boxes, NARROWEST};
use super::palette::{Kind, colour};
use crate::output::folded::Stacks;
use crate::output::format::energy::EnergyText;
use crate::output::format::sanitize::{shorten, visible};
use crate::output::format::title::{self, subtitle};

/// More than this is not exact in the picture, which computes in `f64`:
/// 9 007 199 254 J, a power station for some seconds.
pub(in crate::output) const MOST_UJ: u64 = 1 << 53;

/// Characters of title and subtitle that fit into the picture.
pub(in crate::output) const TITLE_WIDTH: usize = 105;
pub(in crate::output) const SUBTITLE_WIDTH: usize = 150;

/// Writes the flamegraph. Where there is no energy, the picture says why.
///
/// # Errors
///
/// What `out` said; [`io::ErrorKind::InvalidData`] for more energy than can be
/// drawn exactly.
pub fn write(profile: &Profile, mut out: impl Write) -> io::Result<()> {
    let stacks = Stacks::of(profile);
    let energy_text = EnergyText::of(profile);
    let title = shorten(&title::command(profile), TITLE_WIDTH).into_owned();
    match stacks.total() {
        Some(0) => return empty(profile, energy_text, &title, &mut out),
        Some(total) if total <= MOST_UJ => {}
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "more energy than a flamegraph can show exactly",
            ));
        }
    }
    let mut palette = palette(&stacks.names);
    let subtitle = shorten(&subtitle(profile, energy_text), SUBTITLE_WIDTH).into_owned();
    let mut options = options(format!("Energy of {title}"), subtitle, &mut palette);
    options.count_name = if energy_text.estimated {
        "µJ estimated".to_owned()
    } else {
        "µJ".to_owned()
    };
    // A little less than what inferno leaves out: it rounds in its own way.
    let least = stacks.total().unwrap_or(0) as f64 * NARROWEST * 0.99;
    let mut lines = stacks.wide(least);
    lines.reverse();
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)?;
    let boxes = Boxes::of(profile, &stacks);
    let svg = decorate(
        &String::from_utf8_lossy(&svg),
        &boxes.paint(),
        &boxes.legend(),
    );
    out.write_all(svg.as_bytes())?;
    out.flush()
}

/// How all flamegraphs look. Lines are given in the order of their frames,
/// last line first.
pub(in crate::output) fn options<'p>(
    title: String,
    subtitle: String,
    palette: &'p mut PaletteMap,
) -> Options<'p> {
    let mut options = Options::default();
    options.title = title;
    options.subtitle = Some(subtitle);
    options.name_type = "Frame:".to_owned();
    let background = Color {
        r: 252,
        g: 252,
        b: 252,
    };
    options.bgcolors = Some(BackgroundColor::Flat(background));
    options.stroke_color = StrokeColor::Color(background);
    options.palette_map = Some(palette);
    options.min_width = NARROWEST * 100.0;
    options.text_truncate_direction = TextTruncateDirection::Right;
    // The lines are in the order of their frames, which is not the order of
    // their text where a name has characters before `;` in ASCII (a space):
    // sorted as text, one function's stacks may be torn apart. This option
    // takes the order as it is, last line first.
    options.flame_chart = true;
    options
}

/// A colour for every name, so that nothing is left to chance. The boxes get
/// others later.
pub(in crate::output) fn palette(names: &[String]) -> PaletteMap {
    let mut palette = PaletteMap::default();
    palette.insert("", colour("", Kind::Task));
    for name in names {
        palette.insert(name, colour(name, Kind::Task));
    }
    palette
}

/// A picture without boxes.
fn empty(
    profile: &Profile,
    energy_text: EnergyText,
    title: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    let why = if profile.threads.is_empty() {
        "No thread of the target ran."
    } else if !energy_text.known {
        "The energy is unknown: no meter said anything usable."
    } else {
        "No energy: the meters did not move while the target ran."
    };
    let title = escaped(&visible(title));
    write!(
        out,
        r##"<?xml version="1.0" encoding="utf-8"?>
<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="1200" height="120" viewBox="0 0 1200 120">
<rect width="100%" height="100%" fill="#fcfcfc"/>
<svg id="frames" total_samples="0"/>
<g font-family="monospace" font-size="12" text-anchor="middle">
<text id="title" x="50%" y="34" font-size="17">Energy of {title}</text>
<text id="subtitle" x="50%" y="68">{why}</text>
</g>
</svg>
"##
    )
}
