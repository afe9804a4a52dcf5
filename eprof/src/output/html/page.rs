//! The page around its sections.

use std::io::{self, Write};

use maud::{Markup, PreEscaped, html};

use super::super::flamegraph::inline;
use super::super::format::energy::EnergyText;
use super::super::format::sanitize::visible;
use super::super::format::title;
use super::super::plot;
use super::super::view::By;
use super::{ledger, members, policy, summary, tables};
use crate::profile::{PowerSeries, Profile};

/// The script of the tables.
const SCRIPT: &str = include_str!("script.js");

/// A part of the page that the navigation names.
struct Section {
    id: &'static str,
    title: &'static str,
    content: Markup,
}

/// Writes the page; without a series (of several runs), without a timeline.
///
/// # Errors
///
/// The error of `out`; [`io::ErrorKind::InvalidData`] for more energy than can be
/// drawn exactly; an [`Internal`](crate::error::ErrorKind::Internal) error
/// where the flamegraph is not as expected.
pub fn write(
    profile: &Profile,
    series: Option<&PowerSeries>,
    mut out: impl Write,
) -> io::Result<()> {
    let energy_text = EnergyText::of(profile);
    let command = title::command(profile);
    let sections = sections(profile, energy_text, series)?;
    let inside = sections.iter().map(|section| section.content.0.as_str());
    let policy = policy::policy(inside.flat_map(policy::scripts).chain([SCRIPT]));
    let eprof = visible(&profile.summary.header.eprof);
    let page = html! {
        (PreEscaped("<!doctype html>\n"))
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width";
                link rel="icon" href="data:,";
                title { "Energy of " (command) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header {
                    div {
                        h1 { "Energy of " code { (command) } }
                        (summary::numbers(profile, energy_text))
                    }
                }
                nav {
                    div {
                        @for Section { id, title, .. } in &sections {
                            a href={ "#" (id) } { (title) }
                        }
                    }
                }
                main {
                    @for Section { id, content, .. } in &sections {
                        section id=(id) { (content) }
                        "\n"
                    }
                }
                footer {
                    "eprof " (eprof) ", schema of the numbers: eprof report --format json"
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
        "\n"
    };
    out.write_all(page.into_string().as_bytes())?;
    out.flush()
}

/// The sections that have something to show, in order.
fn sections(
    profile: &Profile,
    energy_text: EnergyText,
    series: Option<&PowerSeries>,
) -> io::Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut add = |id, title, content: Option<Markup>| {
        sections.extend(content.map(|content| Section { id, title, content }));
    };
    let about = summary::section(profile, energy_text);
    add("summary", "Summary", Some(about));
    add("runs", "Runs", members::section(profile));
    add("ledger", "Ledger", ledger::section(profile));
    let over_time = series.map(|series| timeline(profile, series));
    add("timeline", "Power over time", over_time);
    add("flamegraph", "Flamegraph", Some(flamegraph(profile)?));
    for (by, title) in [
        (By::Command, "Commands"),
        (By::Process, "Processes"),
        (By::Thread, "Threads"),
        (By::Function, "Functions"),
        (By::Module, "Modules"),
        (By::Cpu, "CPUs"),
    ] {
        // Names of processes say nothing more where each process has its own.
        if by != By::Command || profile.commands().len() < profile.processes.len() {
            add(by.plural(), title, tables::section(profile, by, title));
        }
    }
    Ok(sections)
}

fn timeline(profile: &Profile, series: &PowerSeries) -> Markup {
    html! {
        h2 {
            "Power over time"
            small { "the " (series.group.plural()) " that used most, under the meter’s line" }
        }
        div.wide { (plot::element(profile, series)) }
    }
}

fn flamegraph(profile: &Profile) -> io::Result<Markup> {
    Ok(html! {
        h2 { "Flamegraph" small { "width is energy; click to zoom" } }
        div.wide { (inline::element(profile)?) }
    })
}
