#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use super::*;
use crate::error::{Error, ErrorKind};

/// All that is decorated, as inferno writes it.
const PICTURE: &str = "<?xml version=\"1.0\"?><svg version=\"1.1\" width=\"1200\" height=\"150\" \
    viewBox=\"0 0 1200 150\" xmlns:fg=\"http://github.com/jonhoo/inferno\"><style type=\"text/css\">text { a:b }\n</style>\
    <rect x=\"0\" y=\"0\" width=\"100%\" height=\"150\" fill=\"url(#background)\"/>\
    <svg id=\"frames\" x=\"10\"><g><title>all (7 µJ, 100%)</title>\
    <rect x=\"0%\" y=\"101\" width=\"100%\" height=\"15\" fill=\"rgb(1,2,3)\" fg:x=\"0\" fg:w=\"7\"/>\
    <text x=\"1\" y=\"2\"></text></g></svg></svg>";

fn boxes() -> HashMap<Place, Paint> {
    let paint = Paint {
        fill: Color { r: 4, g: 5, b: 6 },
        title: "all & <everything> (7 µJ)".to_owned(),
    };
    HashMap::from([((0, 0), paint)])
}

fn legend_of() -> [(Color, &'static str); 1] {
    [(Color { r: 4, g: 5, b: 6 }, "user code")]
}

#[test]
fn a_box_has_its_own_colour_and_tooltip() {
    let svg = decorate(PICTURE, &boxes(), &legend_of()).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("height"), Some("172"));
    assert_eq!(root.attribute("viewBox"), Some("0 0 1200 172"));
    let named = |name| {
        document
            .descendants()
            .filter(move |of| of.has_tag_name(name))
    };
    let title = named("title").next().unwrap();
    assert_eq!(title.text(), Some("all & <everything> (7 µJ)"));
    let fills: Vec<_> = named("rect")
        .filter_map(|of| of.attribute("fill"))
        .collect();
    assert_eq!(fills, ["url(#background)", "rgb(4,5,6)", "rgb(4,5,6)"]);
    assert!(named("text").any(|of| of.text() == Some("user code")));
    assert!(
        named("style")
            .next()
            .unwrap()
            .text()
            .unwrap()
            .ends_with(STYLE)
    );
}

#[test]
fn a_mark_that_is_missing_is_an_error_that_names_it() {
    for (mark, instead, what) in [
        (PICTURE, "", "its root"),
        (" height=\"150\" viewBox", " viewBox", "its height"),
        ("viewBox=\"0 0 1200 150\"", "", "its view box"),
        (
            "<style type=\"text/css\">text { a:b }\n</style>",
            "",
            "its style",
        ),
        ("url(#background)", "white", "its background"),
        (
            "height=\"150\" fill=\"url(#background)\"",
            "fill=\"url(#background)\"",
            "the height of its background",
        ),
        ("id=\"frames\"", "", "the element of its boxes"),
        ("<title>all (7 µJ, 100%)</title>", "", "the title of a box"),
        ("y=\"101\"", "", "the place of a box"),
        ("fg:x=\"0\"", "", "the place of a box"),
        (
            "fg:x=\"0\"",
            "fg:x=\"1\"",
            "boxes where eprof expects them: one is at depth 0, 1",
        ),
        ("fill=\"rgb(1,2,3)\"", "", "the colour of a box"),
        ("<rect x=\"0%\"", "<path x=\"0%\"", "the rectangle of a box"),
        ("</svg></svg>", "</svg>", "valid XML"),
    ] {
        let picture = PICTURE.replacen(mark, instead, 1);
        assert_ne!(picture, PICTURE, "{mark}");
        let error = decorate(&picture, &boxes(), &legend_of()).unwrap_err();
        let error = error.downcast::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Internal);
        let expected = format!("the flamegraph drawn by inferno lacks {what}");
        assert!(
            error.to_string().starts_with(&expected),
            "{error}, {expected}"
        );
    }
    let (before, rest) = PICTURE.split_once("<g>").unwrap();
    let (_, after) = rest.split_once("</g>").unwrap();
    let error = decorate(&format!("{before}{after}"), &boxes(), &legend_of()).unwrap_err();
    assert!(error.to_string().ends_with("lacks boxes"), "{error}");
}
