//! Differential flamegraphs.

use super::command::Sides;
use super::machine::Program;

struct Box {
    title: String,
    fill: String,
    width: u64,
}

/// The boxes of a picture, and the width of all.
fn boxes(sides: &Sides, file: &str) -> (Vec<Box>, u64) {
    let svg = std::fs::read_to_string(sides.path(file)).unwrap();
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(&svg, options).unwrap();
    let fg = "http://github.com/jonhoo/inferno";
    let mut boxes = Vec::new();
    for group in document.descendants().filter(|node| node.has_tag_name("g")) {
        let child = |name: &str| {
            let mut children = group.children();
            children.find(|node| node.tag_name().name() == name)
        };
        let (Some(title), Some(rectangle)) = (child("title"), child("rect")) else {
            continue;
        };
        boxes.push(Box {
            title: title.text().unwrap().to_owned(),
            fill: rectangle.attribute("fill").unwrap().to_owned(),
            width: rectangle.attribute((fg, "w")).unwrap().parse().unwrap(),
        });
    }
    let frames = document
        .descendants()
        .find(|node| node.attribute("id") == Some("frames"));
    let total = frames.unwrap().attribute("total_samples").unwrap();
    (boxes, total.parse().unwrap())
}

fn named<'b>(boxes: &'b [Box], name: &str) -> &'b Box {
    let name = format!("{name} (");
    boxes.iter().find(|of| of.title.starts_with(&name)).unwrap()
}

#[test]
fn the_picture_shows_what_changed_in_both_directions() {
    let sides = Sides::of(&Program::default(), &Program::with("parse", 1.5), 5);
    let options = ["--flamegraph", "there.svg", "--reverse", "back.svg"];
    assert!(sides.run(&options).status.success());
    let (document, _) = sides.diff(&[]);
    for (file, key) in [("there.svg", "new"), ("back.svg", "base")] {
        let (boxes, total) = boxes(&sides, file);
        // As wide as the mean of that side, to the microjoule.
        let mean = document["total"][key].as_f64().unwrap();
        assert!(
            (total as f64 - mean).abs() <= 1.0,
            "{file}: {total}, {mean}"
        );
        let parse = named(&boxes, "parse");
        assert!(parse.title.contains("certainly more"), "{}", parse.title);
        let crc = named(&boxes, "crc");
        assert!(crc.title.contains("no certain change"), "{}", crc.title);
        assert_ne!(parse.fill, crc.fill);
        let functions = document["functions"].as_array().unwrap();
        let row = functions
            .iter()
            .find(|row| row["function"] == "parse")
            .unwrap();
        let mean = row[key].as_f64().unwrap();
        assert!(
            (parse.width as f64 - mean).abs() <= 2.0,
            "{}, {mean}",
            parse.width
        );
    }
    // A box has as much in it as its children.
    let (boxes, total) = boxes(&sides, "there.svg");
    assert_eq!(named(&boxes, "all").width, total);
    let threads = ["app", "worker"].map(|name| {
        let widths = boxes
            .iter()
            .filter(|of| of.title.starts_with(&format!("{name} (")));
        widths.map(|of| of.width).min().unwrap()
    });
    // `worker` is a function of the thread `worker`, `app` the command, too.
    assert_eq!(threads.iter().sum::<u64>(), total);
}

#[test]
fn what_is_gone_is_seen_from_the_other_side() {
    let sides = Sides::of(&Program::default(), &Program::with("hash", 0.0), 5);
    let options = ["--flamegraph", "there.svg", "--reverse", "back.svg"];
    assert!(sides.run(&options).status.success());
    let (there, _) = boxes(&sides, "there.svg");
    assert!(there.iter().all(|of| !of.title.starts_with("hash (")));
    let (back, _) = boxes(&sides, "back.svg");
    let hash = named(&back, "hash");
    assert!(hash.title.contains("gone"), "{}", hash.title);
    assert!(hash.title.contains("certainly less"), "{}", hash.title);
}
