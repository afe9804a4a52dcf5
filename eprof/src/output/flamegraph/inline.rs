//! The flamegraph as a part of a page.
//!
//! inferno's picture is made for a document of its own: its style and script
//! speak of the whole document. Here both are kept inside the picture, and
//! neither the browser's own search (Ctrl-F) nor its history is taken over.

use std::io;

use maud::{Markup, PreEscaped, html};
use quick_xml::Writer;
use quick_xml::events::Event;

use super::flame::{Picture, picture};
use super::svg::{changed, lacks, read};
use crate::profile::Profile;

/// Where the picture is put.
const PLACE: &str = "eprof-flame";

/// How inferno's script finds its picture in a document of its own.
const WHOLE_DOCUMENT: &str = "document.getElementsByTagName(\"svg\")[0]";

/// The picture with its style and script.
///
/// # Errors
///
/// As [`super::flame::write`].
pub(in crate::output) fn element(profile: &Profile) -> io::Result<Markup> {
    match picture(profile)? {
        Picture::Empty(svg) => Ok(html! { div id=(PLACE) { (svg) } }),
        Picture::Boxes(svg) => inline(&svg),
    }
}

/// A document in parts.
struct Parts {
    /// The picture alone.
    svg: Writer<Vec<u8>>,
    style: Option<String>,
    script: Option<String>,
    /// Whether the call of the script was found (and left out).
    call: bool,
    inside: Inside,
}

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// What precedes the picture.
    Document,
    Picture,
    Style,
    Script,
}

impl Parts {
    fn take(&mut self, event: Event<'_>) -> io::Result<()> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match (self.inside, event) {
            (Inside::Document, Event::Start(svg)) => {
                self.inside = Inside::Picture;
                let silent = changed(&svg, "onload", None);
                self.call = silent.is_some();
                self.svg
                    .write_event(Event::Start(silent.unwrap_or(svg.into_owned())))?;
            }
            (Inside::Document, _) => {}
            (Inside::Picture, Event::Start(of)) if of.name().as_ref() == b"style" => {
                (self.inside, self.style) = (Inside::Style, Some(String::new()));
            }
            (Inside::Picture, Event::Start(of)) if of.name().as_ref() == b"script" => {
                (self.inside, self.script) = (Inside::Script, Some(String::new()));
            }
            (Inside::Picture, event) => self.svg.write_event(event)?,
            (_, Event::End(_)) => self.inside = Inside::Picture,
            (Inside::Style, Event::Text(of)) => {
                self.style.get_or_insert_default().push_str(&text(&of))
            }
            (Inside::Script, Event::CData(of)) => {
                self.script.get_or_insert_default().push_str(&text(&of))
            }
            (Inside::Style | Inside::Script, _) => {}
        }
        Ok(())
    }
}

fn inline(svg: &str) -> io::Result<Markup> {
    let mut parts = Parts {
        svg: Writer::new(Vec::with_capacity(svg.len())),
        style: None,
        script: None,
        call: false,
        inside: Inside::Document,
    };
    read(svg, |event| parts.take(event))?;
    let style = parts.style.ok_or_else(|| lacks("its style"))?;
    let script = parts.script.ok_or_else(|| lacks("its script"))?;
    if !parts.call {
        return Err(lacks("the call of its script"));
    }
    let svg = String::from_utf8(parts.svg.into_inner()).map_err(|_| lacks("valid UTF-8"))?;
    let (style, script) = (inside_style(&style)?, inside_script(&script)?);
    Ok(html! {
        style { (PreEscaped(style)) }
        div id=(PLACE) { (PreEscaped(svg)) }
        script { (PreEscaped(script)) }
    })
}

/// Rules of one line each, for what is in the picture only.
fn inside_style(style: &str) -> io::Result<String> {
    let mut rules = Vec::new();
    for line in style.lines().filter(|line| !line.trim().is_empty()) {
        let rule = line
            .split_once('{')
            .filter(|_| line.trim_end().ends_with('}'));
        let (selectors, rule) = rule.ok_or_else(|| lacks("rules of one line each in its style"))?;
        let all = selectors.split(',').map(str::trim);
        let all: Vec<String> = all.map(|of| format!("#{PLACE} {of}")).collect();
        rules.push(format!("{} {{{rule}", all.join(", ")));
    }
    Ok(rules.join(" "))
}

/// The script in a function of its own, which listens to no keys and changes
/// no address.
fn inside_script(script: &str) -> io::Result<String> {
    let alone = script.replace(
        WHOLE_DOCUMENT,
        &format!("document.querySelector(\"#{PLACE} > svg\")"),
    );
    if alone == script {
        return Err(lacks("the look-up of its picture in its script"));
    }
    for called in [
        "function init(",
        "addEventListener(",
        "history.replaceState(",
    ] {
        if !script.contains(called) {
            return Err(lacks(&format!("`{called}…)` in its script")));
        }
    }
    Ok(format!(
        "(function (window, history) {{{alone}\ninit();\n}})({{\
         location: {{ search: \"\", href: \"\" }},\
         addEventListener: (type, then, how) => type === \"keydown\" || addEventListener(type, then, how)\
         }}, {{ replaceState() {{}} }});"
    ))
}

#[cfg(test)]
#[path = "inline_tests.rs"]
mod tests;
