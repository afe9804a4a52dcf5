//! Editing the SVG that inferno drew, event by event. What an edit needs and
//! does not find is an error, for a picture that is half edited would mislead.

use std::io;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::error::{Error, ErrorKind};

/// The error of an edit that does not find `what`.
pub(super) fn lacks(what: &str) -> io::Error {
    let sentence = format!("the flamegraph drawn by inferno lacks {what}");
    let hint =
        "this is a bug in eprof; eprof flamegraph --folded writes the stacks for other tools";
    io::Error::other(Error::new(ErrorKind::Internal, sentence).hint(hint))
}

/// Hands all events of `svg` to `take`, in order.
///
/// # Errors
///
/// What `take` returned; [`lacks`] where `svg` is not XML.
pub(super) fn read<'s>(
    svg: &'s str,
    mut take: impl FnMut(Event<'s>) -> io::Result<()>,
) -> io::Result<()> {
    let mut reader = Reader::from_str(svg);
    let mut depth = 0usize;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| lacks(&format!("valid XML ({error})")))?;
        match &event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof if depth > 0 => return Err(lacks("valid XML (an element does not end)")),
            Event::Eof => return Ok(()),
            _ => {}
        }
        take(event)?;
    }
}

/// The value of an attribute as it is written.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    String::from_utf8(attribute.value.into_owned()).ok()
}

/// `element` with another value of an attribute, or without it (`None`); `None`
/// where it does not have that attribute.
pub(super) fn changed(
    element: &BytesStart<'_>,
    name: &str,
    value: Option<&str>,
) -> Option<BytesStart<'static>> {
    let mut new = element.to_owned();
    new.clear_attributes();
    let mut found = false;
    for attribute in element.attributes() {
        let attribute = attribute.ok()?;
        if attribute.key.as_ref() != name.as_bytes() {
            new.push_attribute(attribute);
            continue;
        }
        found = true;
        if let Some(value) = value {
            new.push_attribute((name, value));
        }
    }
    found.then_some(new)
}
