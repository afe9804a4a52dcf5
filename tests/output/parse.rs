//! Outputs read back with other people's parsers.

use eprof::output::flamegraph::flame;
use eprof::output::{By, Format, Sort, Style, View, folded, report};
use eprof::profile::Profile;
use serde_json::Value;

pub(crate) const WIDE_80: Style = Style {
    width: 80,
    colour: false,
    rules: true,
};

pub(crate) fn view(by: Option<By>, limit: Option<usize>) -> View {
    View {
        by,
        sort: None::<Sort>,
        limit,
    }
}

pub(crate) fn text(profile: &Profile, view: &View, format: Format, style: Style) -> String {
    let mut bytes = Vec::new();
    report(profile, view, format, style, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn json(profile: &Profile, view: &View) -> Value {
    serde_json::from_str(&text(profile, view, Format::Json, Style::PLAIN)).unwrap()
}

/// The sum of `key` over the rows of `list`, with what a limit left out.
pub(crate) fn json_sum(report: &Value, list: &str, key: &str) -> u64 {
    let rows = report[list].as_array().unwrap();
    let shown: u64 = rows.iter().map(|row| row[key].as_u64().unwrap()).sum();
    let rest = report["omitted"].get(list);
    shown + rest.map_or(0, |rest| rest["uj"].as_u64().unwrap())
}

/// Head and rows.
pub(crate) fn csv(profile: &Profile, view: &View) -> (Vec<String>, Vec<Vec<String>>) {
    let text = text(profile, view, Format::Csv, Style::PLAIN);
    let mut reader = csv::ReaderBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_reader(text.as_bytes());
    let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let head = owned(reader.headers().unwrap());
    (
        head,
        reader.records().map(|row| owned(&row.unwrap())).collect(),
    )
}

pub(crate) fn csv_sum(profile: &Profile, view: &View) -> u64 {
    let (head, rows) = csv(profile, view);
    let at = head.iter().position(|column| column == "uj").unwrap();
    rows.iter().map(|row| row[at].parse::<u64>().unwrap()).sum()
}

/// Stacks and their energies.
pub(crate) fn folded_lines(profile: &Profile) -> Vec<(Vec<String>, u64)> {
    let mut bytes = Vec::new();
    folded::write(profile, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| {
            let (stack, uj) = line.rsplit_once(' ').unwrap();
            (
                stack.split(';').map(str::to_owned).collect(),
                uj.parse().unwrap(),
            )
        })
        .collect()
}

pub(crate) fn svg(profile: &Profile) -> String {
    let mut bytes = Vec::new();
    flame::write(profile, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A box of the flamegraph: title, vertical position, width in microjoules,
/// colour.
pub(crate) struct Drawn {
    pub(crate) title: String,
    pub(crate) y: u32,
    pub(crate) uj: u64,
    pub(crate) fill: [u8; 3],
}

/// Red, green and blue of `rgb(r,g,b)`.
fn rgb(text: &str) -> [u8; 3] {
    let inside = text
        .strip_prefix("rgb(")
        .unwrap()
        .strip_suffix(')')
        .unwrap();
    let parts: Vec<u8> = inside
        .split(',')
        .map(|part| part.parse().unwrap())
        .collect();
    parts.try_into().unwrap()
}

/// What the legend of a flamegraph explains: labels with their colours.
pub(crate) fn legend(text: &str) -> Vec<(String, [u8; 3])> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(text, options).unwrap();
    let mut nodes = document.descendants();
    let legend = nodes
        .find(|node| node.attribute("id") == Some("legend"))
        .unwrap();
    let children: Vec<_> = legend.children().collect();
    children
        .chunks(2)
        .map(|pair| {
            (
                pair[1].text().unwrap().to_owned(),
                rgb(pair[0].attribute("fill").unwrap()),
            )
        })
        .collect()
}

/// The total that the picture states, and its boxes. Fails where the picture
/// is not well-formed XML.
pub(crate) fn svg_boxes(text: &str) -> (u64, Vec<Drawn>) {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(text, options).unwrap();
    let frames = document
        .descendants()
        .find(|node| node.attribute("id") == Some("frames"))
        .unwrap();
    let total = frames.attribute("total_samples").unwrap().parse().unwrap();
    let boxes = frames
        .children()
        .filter(|node| node.has_tag_name("g") || node.is_element());
    let boxes = boxes.map(|group| {
        let inner = |name: &str| group.children().find(|node| node.tag_name().name() == name);
        let rect = inner("rect").unwrap();
        let fg = "http://github.com/jonhoo/inferno";
        Drawn {
            title: inner("title")
                .unwrap()
                .text()
                .unwrap_or_default()
                .to_owned(),
            y: rect.attribute("y").unwrap().parse().unwrap(),
            uj: rect.attribute((fg, "w")).unwrap().parse().unwrap(),
            fill: rgb(rect.attribute("fill").unwrap()),
        }
    });
    (total, boxes.collect())
}
