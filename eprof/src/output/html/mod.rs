//! The report as one page: summary, caveats, ledger, power over time,
//! flamegraph and tables.
//!
//! The page needs nothing but itself, and its policy (Content Security Policy,
//! <https://www.w3.org/TR/CSP3/>) lets it load nothing. Names of processes and
//! functions are foreign: each is made visible, then escaped. Without
//! JavaScript, all is there but sorting and zooming.

mod ledger;
mod members;
mod picture;
mod tables;

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::attribute::Account;
use crate::profile::{PowerSeries, Profile};

use super::flamegraph::decorate::escaped;
use super::format::accounts::{coarsest_half, target_half};
use super::format::energy::EnergyText;
use super::format::number::time;
use super::format::sanitize::visible;
use super::format::{facts, title};
use super::plot;
use super::view::By;

/// Writes the page; without a series (of several runs), without a timeline.
///
/// # Errors
///
/// What `out` said; [`io::ErrorKind::InvalidData`] for more energy than can be
/// drawn exactly.
pub fn write(
    profile: &Profile,
    series: Option<&PowerSeries>,
    mut out: impl Write,
) -> io::Result<()> {
    let energy_text = EnergyText::of(profile);
    let command = escaped(&title::command(profile));
    let mut sections: Vec<(&str, &str, String)> = vec![
        ("summary", "Summary", summary(profile, energy_text)),
        ("runs", "Runs", members::section(profile)),
        ("ledger", "Ledger", ledger::section(profile)),
        (
            "timeline",
            "Power over time",
            series.map_or_else(String::new, |series| timeline(profile, series)),
        ),
        ("flamegraph", "Flamegraph", flamegraph(profile)?),
    ];
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
            sections.push((by.plural(), title, tables::section(profile, by, title)));
        }
    }
    sections.retain(|(_, _, html)| !html.is_empty());
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>Energy of {command}</title>\n<style>\n{}</style>\n</head>\n<body>\n",
        include_str!("style.css")
    )?;
    write!(
        out,
        "<header><div><h1>Energy of <code>{command}</code></h1>{}</div></header>\n<nav><div>",
        figures(profile, energy_text)
    )?;
    for (id, title, _) in &sections {
        write!(out, "<a href=\"#{id}\">{title}</a>")?;
    }
    writeln!(out, "</div></nav>\n<main>")?;
    for (_, _, html) in &sections {
        out.write_all(html.as_bytes())?;
    }
    writeln!(
        out,
        "</main>\n<footer>{}</footer>\n<script>\n{}</script>\n</body>\n</html>",
        escaped(&format!(
            "eprof {}, schema of the numbers: eprof report --format json",
            visible(&profile.summary.header.eprof)
        )),
        include_str!("script.js")
    )?;
    out.flush()
}

/// The few numbers that matter most.
fn figures(profile: &Profile, energy_text: EnergyText) -> String {
    let target = profile.ledger.account(Account::Target);
    let half = target_half(profile);
    let duration = profile.summary.duration.0;
    let full = energy_text.with_idle(target);
    let mut out = String::from("<dl class=\"figures\">");
    let mut figure = |name: &str, value: &str, error: &str| {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<div><dt>{name}</dt><dd>{} <small>{}</small></dd></div>",
            escaped(value),
            escaped(error)
        );
    };
    let [value, error, unit] = energy_text.cells(full, half);
    let energy = format!("{value} {unit}");
    figure("in the target", &energy, &format!("{error} {unit}"));
    if let Some(uj) = energy_text.above_idle(target) {
        figure("of it above idle", &energy_text.short(Some(uj), half), "");
    }
    figure(
        "mean power",
        &energy_text.watts(full, half, Some(duration)),
        "",
    );
    figure("ran", &time(duration), "");
    if energy_text.known {
        let total = profile.ledger.total().0;
        let total = energy_text.short(Some(total), coarsest_half(profile));
        figure("the whole machine", &total, "");
    }
    let how = if energy_text.known {
        energy_text.provenance()
    } else {
        "unknown"
    };
    figure("joules are", how, "");
    out.push_str("</dl>");
    out
}

fn summary(profile: &Profile, energy_text: EnergyText) -> String {
    let mut out = String::from("<section id=\"summary\"><h2>Summary</h2><dl class=\"facts\">");
    let header = &profile.summary.header;
    let of_run = facts::of_run(profile, energy_text);
    let host = [&header.host, &header.kernel, &header.cpu_model].map(|text| visible(text));
    let host: Vec<&str> = host.iter().map(|text| text.as_ref()).collect();
    let of_run = of_run.into_iter().chain([("on", host.join(", "))]);
    for (label, text) in of_run.chain(facts::of_recording(profile, energy_text)) {
        let _ = write!(out, "<dt>{label}</dt><dd>{}</dd>", escaped(&text));
    }
    out.push_str("</dl>");
    if energy_text.estimated {
        let _ = write!(out, "<p class=\"estimate\">{}</p>", facts::ESTIMATE);
    }
    if !profile.caveats.is_empty() {
        out.push_str("<ul class=\"caveats\">");
        for caveat in &profile.caveats {
            let _ = write!(out, "<li>{}", escaped(&visible(&caveat.sentence)));
            if let Some(hint) = &caveat.hint {
                let _ = write!(out, "<small>hint: {}</small>", escaped(&visible(hint)));
            }
            out.push_str("</li>");
        }
        out.push_str("</ul>");
    }
    out.push_str("</section>\n");
    out
}

fn timeline(profile: &Profile, series: &PowerSeries) -> String {
    format!(
        "<section id=\"timeline\"><h2>Power over time<small>the {} that took most, under the meter’s line</small></h2>\
         <div class=\"wide\">{}</div></section>\n",
        series.group.plural(),
        plot::element(profile, series)
    )
}

fn flamegraph(profile: &Profile) -> io::Result<String> {
    Ok(format!(
        "<section id=\"flamegraph\"><h2>Flamegraph<small>width is energy; click to zoom</small></h2>\
         <div class=\"wide\">{}</div></section>\n",
        picture::flamegraph(profile)?
    ))
}
