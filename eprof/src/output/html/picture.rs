//! The flamegraph as a part of a page.
//!
//! inferno's picture is made for a document of its own: its style and script
//! speak of the whole document. Here both are kept inside the picture, and
//! neither the browser's own search (Ctrl-F) nor its history is taken over.

use std::fmt::Write as _;
use std::io;

use crate::profile::Profile;

use super::super::flamegraph::flame;

/// Where the picture is put.
pub(super) const PLACE: &str = "eprof-flame";

/// The picture with its style and script.
///
/// # Errors
///
/// As [`flame::write`].
pub(super) fn flamegraph(profile: &Profile) -> io::Result<String> {
    let mut svg = Vec::new();
    flame::write(profile, &mut svg)?;
    Ok(inline(&String::from_utf8_lossy(&svg)))
}

fn inline(svg: &str) -> String {
    // Only the element itself, without the document around it.
    let svg = svg.find("<svg").map_or(svg, |at| &svg[at..]);
    let (svg, style) = cut(svg, "<style type=\"text/css\">", "</style>");
    let (svg, script) = cut(&svg, "<script type=\"text/ecmascript\">", "</script>");
    let svg = svg.replacen(" onload=\"init(evt)\"", "", 1);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(out, "<style>{}</style>", scoped(&style));
    let _ = write!(out, "<div id=\"{PLACE}\">{svg}</div>");
    if !script.is_empty() {
        let script = script.replace("<![CDATA[", "").replace("]]>", "");
        let script = script.replace(
            "document.getElementsByTagName(\"svg\")[0]",
            &format!("document.querySelector(\"#{PLACE} > svg\")"),
        );
        let _ = write!(
            out,
            "<script>(function (window, history) {{{script}\ninit();\n}})({{\
             location: {{ search: \"\", href: \"\" }},\
             addEventListener: (type, then, how) => type === \"keydown\" || addEventListener(type, then, how)\
             }}, {{ replaceState() {{}} }});</script>"
        );
    }
    out
}

/// Cuts the first element out of `text`: what is left, and its content.
fn cut(text: &str, begin: &str, end: &str) -> (String, String) {
    let Some((before, rest)) = text.split_once(begin) else {
        return (text.to_owned(), String::new());
    };
    match rest.split_once(end) {
        Some((inside, after)) => (format!("{before}{after}"), inside.to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

/// Rules of one line each, for what is in the picture only.
fn scoped(style: &str) -> String {
    let mut out = String::new();
    for line in style.lines() {
        let Some((selectors, rule)) = line.split_once('{') else {
            continue;
        };
        let all = selectors.split(',').map(str::trim);
        let all: Vec<String> = all.map(|of| format!("#{PLACE} {of}")).collect();
        let _ = write!(out, "{} {{{rule} ", all.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stay_inside() {
        let page = inline(
            "<?xml?><!DOCTYPE svg><svg onload=\"init(evt)\"><style type=\"text/css\">\ntext { a:b }\n\
             .x, #y:hover { c:d }\n</style><script type=\"text/ecmascript\"><![CDATA[var a;]]></script><g/></svg>",
        );
        assert!(page.starts_with(
            "<style>#eprof-flame text { a:b } #eprof-flame .x, #eprof-flame #y:hover { c:d } </style>\
             <div id=\"eprof-flame\"><svg><g/></svg></div><script>(function (window, history) {var a;\n"
        ), "{page}");
    }
}
