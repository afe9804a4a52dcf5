//! What inferno's picture lacks: a colour and a tooltip for each box, not for
//! each name, and a legend.

use std::collections::HashMap;
use std::fmt::Write as _;

use inferno::flamegraph::color::Color;

/// Height of a box and the room below the lowest one, in pixels: what inferno
/// takes unless told otherwise.
const FRAME_HEIGHT: usize = 16;
const BELOW: usize = 34;

/// Height of the legend in pixels.
const LEGEND: usize = 22;

/// What a box begins with.
const BOX: &str = "<g><title>";

/// A box: how deep it lies, the root being zero, and how much energy is left
/// of it, in microjoules.
pub(in crate::output) type Place = (usize, u64);

/// What a box looks like and says.
#[derive(Clone, Debug)]
pub(in crate::output) struct Paint {
    pub(in crate::output) fill: Color,
    /// The tooltip. Ends in the only parentheses that count: a zoom shows
    /// what is before them.
    pub(in crate::output) title: String,
}

/// Retouches the picture `svg`: the boxes by their places, and a legend of
/// colours. What does not look as expected stays as it is.
pub(in crate::output) fn decorate(
    svg: &str,
    boxes: &HashMap<Place, Paint>,
    colours: &[(Color, &str)],
) -> String {
    let Some(height) = between(svg, "height=\"", "\"").and_then(|text| text.parse().ok()) else {
        return svg.to_owned();
    };
    let mut parts = svg.split(BOX);
    let head = parts.next().unwrap_or_default();
    let mut out = String::with_capacity(svg.len() * 5 / 4);
    out.push_str(&taller(head, height, colours));
    for part in parts {
        out.push_str(BOX);
        match one(part, height, boxes) {
            Some(part) => out.push_str(&part),
            None => out.push_str(part),
        }
    }
    out
}

/// A box with its own colour and tooltip.
fn one(part: &str, height: usize, boxes: &HashMap<Place, Paint>) -> Option<String> {
    let (_, rest) = part.split_once("</title>")?;
    let place = place(rest, height)?;
    let paint = boxes.get(&place)?;
    let (before, after) = rest.split_once("fill=\"")?;
    let (_, after) = after.split_once('"')?;
    let title = escaped(&paint.title);
    let Color { r, g, b } = paint.fill;
    Some(format!(
        "{title}</title>{before}fill=\"rgb({r},{g},{b})\"{after}"
    ))
}

/// Where a box is, by its rectangle.
fn place(rectangle: &str, height: usize) -> Option<Place> {
    let y: usize = between(rectangle, " y=\"", "\"")?.parse().ok()?;
    let left = between(rectangle, "fg:x=\"", "\"")?.parse().ok()?;
    let up = height.checked_sub(BELOW)?.checked_sub(y)?;
    Some((up / FRAME_HEIGHT, left))
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// What precedes the boxes, with room for the legend at the bottom, and thin
/// lines between the boxes.
fn taller(head: &str, height: usize, colours: &[(Color, &str)]) -> String {
    let new = height + LEGEND;
    let head = head
        .replacen(
            &format!("height=\"{height}\""),
            &format!("height=\"{new}\""),
            2,
        )
        .replacen(&format!(" {height}\""), &format!(" {new}\""), 1)
        .replacen("stroke-width:1;", "stroke-width:0.5;", 1);
    match head.rsplit_once("<svg id=\"frames\"") {
        Some((before, frames)) => {
            let legend = legend(height, colours);
            format!("{before}{legend}<svg id=\"frames\"{frames}")
        }
        None => head,
    }
}

/// One square per colour.
fn legend(top: usize, colours: &[(Color, &str)]) -> String {
    let mut x = 10;
    let mut legend = String::from("<g id=\"legend\">");
    for &(Color { r, g, b }, label) in colours {
        // Writing to a string cannot fail.
        let _ = write!(
            legend,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"rgb({r},{g},{b})\" \
             stroke=\"rgb(120,120,120)\" stroke-width=\"0.5\"/>\
             <text x=\"{}\" y=\"{}\">{label}</text>",
            top - 2,
            x + 18,
            top + 8,
        );
        x += 18 + label.chars().count() * 8 + 18;
    }
    legend.push_str("</g>");
    legend
}

/// Text for XML.
pub(in crate::output) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
