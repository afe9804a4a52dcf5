//! What inferno's picture lacks: a colour and a tooltip for each box, not for
//! each name, and a legend.

use std::collections::HashMap;
use std::io;

use inferno::flamegraph::color::Color;
use maud::{Markup, html};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use super::svg::{attribute, changed, lacks, read};

/// Height of a box and the room below the lowest one, in pixels: what inferno
/// takes unless told otherwise.
const FRAME_HEIGHT: usize = 16;
const BELOW: usize = 34;

/// Height of the legend in pixels.
const LEGEND: usize = 22;

/// Thinner lines between the boxes than inferno draws.
const STYLE: &str = "#frames > g > rect { stroke-width:0.5; }\n";

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

/// Decorates the picture `svg`: the boxes by their places, and a legend of
/// colours.
///
/// # Errors
///
/// An [`Internal`](crate::error::ErrorKind::Internal) one where the picture
/// lacks what is to be decorated, or has a box that is not among `boxes`.
pub(in crate::output) fn decorate(
    svg: &str,
    boxes: &HashMap<Place, Paint>,
    colours: &[(Color, &str)],
) -> io::Result<String> {
    let mut decorator = Decorator {
        out: Writer::new(Vec::with_capacity(svg.len() * 5 / 4)),
        boxes,
        colours,
        height: None,
        styled: false,
        background: false,
        frames: None,
    };
    read(svg, |event| decorator.take(event))?;
    decorator.finish()
}

/// The picture as far as it is decorated.
struct Decorator<'p> {
    out: Writer<Vec<u8>>,
    boxes: &'p HashMap<Place, Paint>,
    colours: &'p [(Color, &'p str)],
    /// Of inferno's picture, in pixels.
    height: Option<usize>,
    styled: bool,
    background: bool,
    /// Set where the boxes begin.
    frames: Option<Frames>,
}

/// The boxes as far as they are decorated.
#[derive(Default)]
struct Frames {
    /// How many.
    decorated: usize,
    current: Option<Current>,
}

/// The box that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Current {
    /// Nothing of it.
    Begun,
    /// Its title, which is left out until its place is known.
    InTitle,
    /// Its title.
    Titled,
    /// All that is decorated.
    Decorated,
}

impl Decorator<'_> {
    fn take(&mut self, event: Event<'_>) -> io::Result<()> {
        if self.frames.is_some() {
            return self.take_of_box(event);
        }
        match event {
            Event::Start(svg) if self.height.is_none() => self.root(&svg),
            Event::Start(svg) if attribute(&svg, "id").as_deref() == Some("frames") => {
                let legend = legend(self.height()?, self.colours).into_string();
                self.out.get_mut().extend_from_slice(legend.as_bytes());
                self.frames = Some(Frames::default());
                self.out.write_event(Event::Start(svg))
            }
            Event::End(style) if style.name().as_ref() == b"style" => {
                self.styled = true;
                let own = BytesText::from_escaped(STYLE);
                self.out.write_event(Event::Text(own))?;
                self.out.write_event(Event::End(style))
            }
            Event::Empty(rect)
                if attribute(&rect, "fill").as_deref() == Some("url(#background)") =>
            {
                self.background = true;
                let height = (self.height()? + LEGEND).to_string();
                let taller = changed(&rect, "height", Some(&height));
                let taller = taller.ok_or_else(|| lacks("the height of its background"))?;
                self.out.write_event(Event::Empty(taller))
            }
            other => self.out.write_event(other),
        }
    }

    fn height(&self) -> io::Result<usize> {
        self.height.ok_or_else(|| lacks("its height"))
    }

    /// The picture with room for the legend at the bottom.
    fn root(&mut self, svg: &BytesStart<'_>) -> io::Result<()> {
        let height = attribute(svg, "height").and_then(|height| height.parse().ok());
        self.height = height;
        let height = self.height()? + LEGEND;
        let view = attribute(svg, "viewBox").unwrap_or_default();
        let (view, _) = view.rsplit_once(' ').ok_or_else(|| lacks("its view box"))?;
        let view = format!("{view} {height}");
        let taller = changed(svg, "height", Some(&height.to_string()))
            .and_then(|svg| changed(&svg, "viewBox", Some(&view)))
            .ok_or_else(|| lacks("its height"))?;
        self.out.write_event(Event::Start(taller))
    }

    /// What is inside the element of all boxes, and what follows it.
    fn take_of_box(&mut self, event: Event<'_>) -> io::Result<()> {
        let Some(frames) = &mut self.frames else {
            return Ok(());
        };
        match (&event, frames.current) {
            (Event::Start(g), None) if g.name().as_ref() == b"g" => {
                frames.current = Some(Current::Begun);
            }
            (Event::Start(title), Some(Current::Begun)) if title.name().as_ref() == b"title" => {
                frames.current = Some(Current::InTitle);
                return Ok(());
            }
            (Event::End(title), Some(Current::InTitle)) if title.name().as_ref() == b"title" => {
                frames.current = Some(Current::Titled);
                return Ok(());
            }
            (_, Some(Current::InTitle)) => return Ok(()),
            (Event::Empty(rect), Some(current)) if rect.name().as_ref() == b"rect" => {
                if current != Current::Titled {
                    return Err(lacks("the title of a box"));
                }
                frames.current = Some(Current::Decorated);
                frames.decorated += 1;
                return self.paint(rect);
            }
            (Event::End(g), Some(current)) if g.name().as_ref() == b"g" => {
                if current != Current::Decorated {
                    return Err(lacks("the rectangle of a box"));
                }
                frames.current = None;
            }
            _ => {}
        }
        self.out.write_event(event)
    }

    /// A box with its own tooltip and colour.
    fn paint(&mut self, rect: &BytesStart<'_>) -> io::Result<()> {
        let place = place(rect, self.height()?).ok_or_else(|| lacks("the place of a box"))?;
        let paint = self.boxes.get(&place).ok_or_else(|| {
            let (depth, left) = place;
            let where_it_is = format!("one is at depth {depth}, {left} from the left");
            lacks(&format!("boxes where eprof expects them: {where_it_is}"))
        })?;
        let Color { r, g, b } = paint.fill;
        let rect = changed(rect, "fill", Some(&format!("rgb({r},{g},{b})")))
            .ok_or_else(|| lacks("the colour of a box"))?;
        self.out
            .write_event(Event::Start(BytesStart::new("title")))?;
        self.out
            .write_event(Event::Text(BytesText::new(&paint.title)))?;
        self.out.write_event(Event::End(BytesEnd::new("title")))?;
        self.out.write_event(Event::Empty(rect))
    }

    fn finish(self) -> io::Result<String> {
        let decorated = self.frames.map(|frames| frames.decorated);
        let missing = [
            (self.height.is_some(), "its root"),
            (self.styled, "its style"),
            (self.background, "its background"),
            (decorated.is_some(), "the element of its boxes"),
            (decorated != Some(0), "boxes"),
        ];
        if let Some((_, what)) = missing.iter().find(|(there, _)| !there) {
            return Err(lacks(what));
        }
        String::from_utf8(self.out.into_inner()).map_err(|_| lacks("valid UTF-8"))
    }
}

/// Where a box is, by its rectangle.
fn place(rect: &BytesStart<'_>, height: usize) -> Option<Place> {
    let y: usize = attribute(rect, "y")?.parse().ok()?;
    let left = attribute(rect, "fg:x")?.parse().ok()?;
    let up = height.checked_sub(BELOW)?.checked_sub(y)?;
    Some((up / FRAME_HEIGHT, left))
}

/// One square per colour.
fn legend(top: usize, colours: &[(Color, &str)]) -> Markup {
    let mut x = 10;
    let squares = colours.iter().map(|&(Color { r, g, b }, label)| {
        let at = x;
        x += 18 + label.chars().count() * 8 + 18;
        html! {
            rect x=(at) y=(top - 2) width="12" height="12" fill={ "rgb(" (r) "," (g) "," (b) ")" }
                stroke="rgb(120,120,120)" stroke-width="0.5" {}
            text x=(at + 18) y=(top + 8) { (label) }
        }
    });
    html! { g id="legend" { @for square in squares { (square) } } }
}

#[cfg(test)]
#[path = "decorate_tests.rs"]
mod tests;
