//! The energy flamegraph: an interactive SVG whose widths are microjoules.
//!
//! process → thread → stack; the root's width is the target's account, to the
//! microjoule. A box has the colour of what it is (see the legend below), and
//! its tooltip gives joules with their 90 % interval, watts over the run,
//! samples and share. Deterministic.

use std::io::{self, Write};

use maud::{Markup, html};

use super::decorate::decorate;
use super::draw::{MOST_UJ, NARROWEST, SUBTITLE_WIDTH, TITLE_WIDTH, draw, options, palette};
use super::frames::Boxes;
use crate::output::folded::Stacks;
use crate::output::format::energy::EnergyText;
use crate::output::format::sanitize::{shorten, visible};
use crate::output::format::title::{self, subtitle};
use crate::profile::Profile;

/// A picture.
pub(super) enum Picture {
    /// The document that inferno drew, decorated.
    Boxes(String),
    /// An element without boxes, which says why.
    Empty(Markup),
}

/// Writes the flamegraph. Where there is no energy, the picture says why.
///
/// # Errors
///
/// The error of `out`; [`io::ErrorKind::InvalidData`] for more energy than can be
/// drawn exactly; an [`Internal`](crate::error::ErrorKind::Internal) error
/// where inferno's picture is not as expected.
pub fn write(profile: &Profile, mut out: impl Write) -> io::Result<()> {
    match picture(profile)? {
        Picture::Boxes(svg) => out.write_all(svg.as_bytes())?,
        Picture::Empty(svg) => {
            writeln!(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>")?;
            writeln!(out, "{}", svg.into_string())?;
        }
    }
    out.flush()
}

/// Draws the flamegraph.
///
/// # Errors
///
/// As [`write()`].
pub(super) fn picture(profile: &Profile) -> io::Result<Picture> {
    let stacks = Stacks::of(profile);
    let energy_text = EnergyText::of(profile);
    let title = shorten(&title::command(profile), TITLE_WIDTH).into_owned();
    let total = match stacks.total() {
        Some(0) => return Ok(Picture::Empty(empty(profile, energy_text, &title))),
        Some(total) if total <= MOST_UJ => total,
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "more energy than a flamegraph can show exactly",
            ));
        }
    };
    let mut palette = palette(&stacks.names);
    let subtitle = shorten(&subtitle(profile, energy_text), SUBTITLE_WIDTH).into_owned();
    let mut options = options(format!("Energy of {title}"), subtitle, &mut palette);
    options.count_name = match energy_text.estimated {
        true => "µJ estimated".to_owned(),
        false => "µJ".to_owned(),
    };
    // A little less than what inferno leaves out: it rounds in its own way.
    let lines = stacks.wide(total as f64 * NARROWEST * 0.99);
    let svg = draw(&lines, options)?;
    let boxes = Boxes::of(profile, &stacks);
    let svg = decorate(&svg, &boxes.paint(), &boxes.legend())?;
    Ok(Picture::Boxes(svg))
}

/// A picture without boxes.
fn empty(profile: &Profile, energy_text: EnergyText, title: &str) -> Markup {
    let why = if profile.threads.is_empty() {
        "No thread of the target ran."
    } else if !energy_text.known {
        "The energy is unknown: no meter gave a usable reading."
    } else {
        "No energy: the meters did not move while the target ran."
    };
    html! {
        svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="1200" height="120"
            viewBox="0 0 1200 120" {
            rect width="100%" height="100%" fill="#fcfcfc" {}
            svg id="frames" total_samples="0" {}
            g font-family="monospace" font-size="12" text-anchor="middle" {
                text id="title" x="50%" y="34" font-size="17" { "Energy of " (visible(title)) }
                text id="subtitle" x="50%" y="68" { (why) }
            }
        }
    }
}
