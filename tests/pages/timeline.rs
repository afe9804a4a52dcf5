//! Power over time.

use std::collections::BTreeMap;
use std::process::Command;

use eprof::attribute::Account;
use eprof::output::plot;
use eprof::profile::{Group, PowerSeries, Profile};
use roxmltree::{Document, Node};

use super::recordings::{
    HOSTILE, RECORDINGS, analysed, hostile, interrupted, longer, path, recording, silent,
};
use crate::support::eprof;

fn picture(profile: &Profile, series: &PowerSeries) -> String {
    let mut svg = Vec::new();
    plot::write(profile, series, &mut svg).unwrap();
    String::from_utf8(svg).unwrap()
}

fn classed<'a>(node: Node<'a, 'a>, class: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    let is = move |of: &Node<'_, '_>| of.attribute("class") == Some(class);
    node.descendants().filter(is)
}

/// Twice the area of a path of `M x y`, `H x`, `V y` and `Z`, by the shoelace
/// formula.
fn area(path: &str) -> f64 {
    let mut sum = 0.0;
    for ring in path.split('Z').filter(|ring| !ring.is_empty()) {
        let (mut points, mut at) = (Vec::new(), (0.0, 0.0));
        let mut rest = ring;
        while !rest.is_empty() {
            let end = rest[1..]
                .find(['M', 'H', 'V'])
                .map_or(rest.len(), |at| at + 1);
            let number = |text: &str| text.parse::<f64>().unwrap();
            match (&rest[..1], &rest[1..end]) {
                ("M", xy) => {
                    let (x, y) = xy.split_once(' ').unwrap();
                    at = (number(x), number(y));
                }
                ("H", x) => at.0 = number(x),
                ("V", y) => at.1 = number(y),
                (other, _) => panic!("{other} in {path}"),
            }
            points.push(at);
            rest = &rest[end..];
        }
        let next = points.iter().cycle().skip(1);
        let ring: f64 = points
            .iter()
            .zip(next)
            .map(|(a, b)| a.0 * b.1 - b.0 * a.1)
            .sum();
        sum += ring.abs();
    }
    sum
}

#[test]
fn what_is_plotted_is_the_ledger() {
    for name in RECORDINGS {
        for group in [
            None,
            Some(Group::Thread),
            Some(Group::Process),
            Some(Group::Command),
        ] {
            let of = analysed(&recording(name), group);
            for (series, ledger) in of.series.meters.iter().zip(&of.attributed.ledger.meters) {
                assert_eq!(series.sum(), ledger.total.0);
                let account = |account| ledger.accounts[&account].with_idle.0;
                for other in Account::ALL.into_iter().skip(1) {
                    let plotted = series.accounts.get(&other).map_or(0, |bins| bins.sum());
                    assert_eq!(plotted, account(other));
                }
                let target = series.consumers.iter().chain([&series.rest]);
                let target: u64 = target.map(|bins| bins.sum()).sum();
                assert_eq!(target, account(Account::Target));
                let time = of.series.grain.width.0 * series.known.len() as u64;
                assert!(series.known.sum() <= time);
            }
            let consumers = of.series.consumers.iter().map(|of| of.energy.0);
            let all = consumers.sum::<u64>() + of.series.others.1;
            assert_eq!(
                all,
                of.attributed.ledger.account(Account::Target).with_idle.0
            );
        }
    }
}

#[test]
fn areas_are_as_large_as_their_energies() {
    for name in RECORDINGS {
        let of = analysed(&recording(name), None);
        let svg = picture(&of.profile, &of.series);
        let document = Document::parse(&svg).unwrap();
        let meters = &of.attributed.ledger.meters;
        let panels: Vec<_> = classed(document.root(), "ep-meter").collect();
        assert_eq!(panels.len(), meters.len());
        for (panel, meter) in panels.into_iter().zip(meters) {
            let bands: Vec<(f64, u64)> = classed(panel, "ep-band")
                .map(|band| {
                    let uj = band.attribute("data-uj").unwrap().parse().unwrap();
                    (area(band.attribute("d").unwrap()), uj)
                })
                .collect();
            let uj: u64 = bands.iter().map(|band| band.1).sum();
            assert_eq!(uj, meter.total.0);
            let whole: f64 = bands.iter().map(|band| band.0).sum();
            for (area, band) in bands {
                // Drawn to a tenth of a pixel.
                let (drawn, is) = (area / whole, band as f64 / uj as f64);
                assert!((drawn - is).abs() < 0.005, "{name}: {drawn} {is}");
            }
        }
    }
}

#[test]
fn what_is_not_known_is_hatched_not_zero() {
    let whole = analysed(&recording("phases-20ms"), None);
    let of = analysed(&interrupted(recording("phases-20ms")), None);
    let svg = picture(&of.profile, &of.series);
    let document = Document::parse(&svg).unwrap();
    for (panel, meter) in classed(document.root(), "ep-meter").zip(&of.attributed.ledger.meters) {
        assert!(meter.unknown.0 > 0, "the readings were not believed");
        let gaps: f64 = classed(panel, "ep-gap")
            .map(|gap| gap.attribute("width").unwrap().parse::<f64>().unwrap())
            .sum();
        let line = classed(panel, "ep-line")
            .next()
            .unwrap()
            .attribute("d")
            .unwrap();
        let length = of.series.end.since(of.series.measured).0 as f64;
        let unknown = meter.unknown.0 as f64 / length;
        // The plot is 740 pixels wide.
        assert!((gaps / 740.0 - unknown).abs() < 0.03, "{gaps} {unknown}");
        assert!(
            line.matches('M').count() > 1,
            "the line goes through the gap"
        );
    }
    // Without a gap there is no hatch.
    let svg = picture(&whole.profile, &whole.series);
    assert_eq!(
        classed(Document::parse(&svg).unwrap().root(), "ep-gap").count(),
        0
    );

    let of = analysed(&silent(recording("phases-20ms")), None);
    let svg = picture(&of.profile, &of.series);
    let document = Document::parse(&svg).unwrap();
    for panel in classed(document.root(), "ep-meter") {
        assert_eq!(classed(panel, "ep-band").count(), 0);
        assert_eq!(classed(panel, "ep-gap").count(), 1);
    }
    assert!(svg.contains("no usable reading"));
}

#[test]
fn a_picture_stays_small_and_says_the_same_each_time() {
    let recording = recording("twins-and-others+calibrated");
    let of = analysed(&recording, None);
    let svg = picture(&of.profile, &of.series);
    let again = analysed(&recording, None);
    assert_eq!(svg, picture(&again.profile, &again.series));
    assert!(svg.len() < 150_000, "{}", svg.len());
    assert!(
        of.series
            .meters
            .iter()
            .all(|meter| meter.known.len() <= 512)
    );
}

#[test]
fn a_long_run_is_no_larger_a_picture() {
    let short = analysed(&recording("phases-20ms"), None);
    let long = analysed(&longer(recording("phases-20ms"), 12), None);
    let sizes = [&short, &long].map(|of| picture(&of.profile, &of.series).len());
    assert!(sizes[1] < 3 * sizes[0], "{sizes:?}");
    assert!(long.series.grain.width > short.series.grain.width);
    for (series, ledger) in long
        .series
        .meters
        .iter()
        .zip(&long.attributed.ledger.meters)
    {
        assert!(series.known.len() <= 512 && series.known.len() > 200);
        assert_eq!(series.sum(), ledger.total.0);
        let once = short.attributed.ledger.meters[usize::from(ledger.meter.0)]
            .total
            .0;
        assert!(ledger.total.0 > 11 * once, "{} {once}", ledger.total.0);
    }
}

#[test]
fn hostile_names_are_text() {
    let of = analysed(&hostile(recording("twins-and-others+calibrated")), None);
    let svg = picture(&of.profile, &of.series);
    let document = Document::parse(&svg).unwrap();
    let mut elements: BTreeMap<&str, usize> = BTreeMap::new();
    for node in document.descendants().filter(Node::is_element) {
        *elements.entry(node.tag_name().name()).or_default() += 1;
        let hostile = |of: roxmltree::Attribute<'_, '_>| of.name().starts_with("on");
        assert!(!node.attributes().any(hostile), "{node:?}");
    }
    assert!(
        !elements.contains_key("script") && !elements.contains_key("img"),
        "{elements:?}"
    );
    let shown = |name: &str| {
        let text = |node: Node<'_, '_>| node.text().is_some_and(|text| text.contains(name));
        document.descendants().any(text)
    };
    assert!(HOSTILE[..2].iter().any(|name| shown(&name[..12])));
}

#[test]
fn the_command_writes_where_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(eprof());
        command.current_dir(directory.path()).args(arguments);
        command.output().unwrap()
    };
    let recording = path("phases-20ms");
    let recording = recording.to_str().unwrap();
    let written = run(&["plot", recording]);
    assert!(
        written.status.success() && written.stdout.is_empty(),
        "{written:?}"
    );
    let file = std::fs::read(directory.path().join("eprof-power.svg")).unwrap();
    assert_eq!(run(&["plot", "-o", "-", recording]).stdout, file);
    let few = run(&["plot", "--by", "thread", "--top", "1", "-o", "-", recording]).stdout;
    let few = String::from_utf8(few).unwrap();
    assert!(few.contains(" of the target") && few.matches("class=\"ep-life\"").count() == 1);
    let page = run(&["report", "--html", "-", recording]).stdout;
    assert!(page.starts_with(b"<!doctype html>"));

    // Several runs have no common time, but a page.
    let merged = run(&["merge", "-o", "all.data", recording, recording]);
    assert!(merged.status.success(), "{merged:?}");
    for command in [&["plot", "-o", "-"][..], &["export", "--format", "firefox"]] {
        let refused = run(&[command, &["all.data"]].concat());
        assert_eq!(refused.status.code(), Some(2));
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("several runs"), "{text}");
    }
    let page = run(&["report", "--html", "-", "all.data"]).stdout;
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("id=\"runs\"") && !page.contains("id=\"timeline\""));
}
