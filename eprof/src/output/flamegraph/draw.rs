//! The picture as inferno draws it.

use std::io;

use inferno::flamegraph::color::{BackgroundColor, Color, PaletteMap, StrokeColor};
use inferno::flamegraph::{self, Options, TextTruncateDirection};

use super::palette::{Kind, colour};
use super::svg::lacks;

/// More than this is not exact in the picture, which computes in `f64`:
/// 9 007 199 254 J, a power station for some seconds.
pub(in crate::output) const MOST_UJ: u64 = 1 << 53;

/// Characters of title and subtitle that fit into the picture.
pub(in crate::output) const TITLE_WIDTH: usize = 105;
pub(in crate::output) const SUBTITLE_WIDTH: usize = 150;

/// Boxes that are narrower than this part of the picture are not drawn: they
/// are narrower than half a pixel, and deep ones would only make it tall.
pub(in crate::output) const NARROWEST: f64 = 5e-4;

/// Draws folded stacks: `lines` in the order of their frames.
///
/// # Errors
///
/// An error of inferno.
pub(in crate::output) fn draw(lines: &[String], mut options: Options<'_>) -> io::Result<String> {
    let mut svg = Vec::new();
    let lines = lines.iter().rev().map(String::as_str);
    flamegraph::from_lines(&mut options, lines, &mut svg)?;
    String::from_utf8(svg).map_err(|_| lacks("valid UTF-8"))
}

/// How all flamegraphs look.
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
