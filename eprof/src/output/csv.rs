//! One breakdown as comma-separated values (RFC 4180: a head, CRLF, fields
//! quoted where they must be).
//!
//! Energies are integers of microjoules; what is unknown is an empty field.
//! With a limit, a last row `[rest]` sums up what is left out.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::measurement::Event;
use crate::profile::Profile;

use super::format::energy::EnergyText;
use super::format::event::key;
use super::format::sanitize::cell;
use super::listing::{Entry, Listing, events};
use super::view::{By, View};

/// Writes the breakdown that `view` asks for, processes where it asks for
/// none.
///
/// Columns, where a kind of rows has them: `pid`, `tid`, `cpu`, `name`,
/// `module`, `threads`, `processes`, `uj`, `marginal_uj`, `ci90_uj`,
/// `total_uj`, `cpu_ns`, `samples`, `provenance`. `uj` of functions is their own energy.
/// After them, one column for each event that was counted: `cycles`, `wakeups`, ….
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, view: &View, mut out: impl Write) -> io::Result<()> {
    let by = view.by.unwrap_or(By::Process);
    let listing = Listing::new(profile, by, view.sort, view.limit);
    let energy_text = EnergyText::of(profile);
    let events = events(profile, by);
    let head = head(by).iter().copied().map(Cow::Borrowed);
    let keys = events.iter().map(|event| Cow::Owned(key(*event)));
    row(&mut out, head.chain(keys))?;
    for entry in &listing.entries {
        row(&mut out, fields(by, entry, &events, energy_text))?;
    }
    if listing.rest.rows > 0 {
        let rest = listing.rest;
        let entry = Entry {
            name: "[rest]".to_owned(),
            processes: Some(rest.processes),
            energy: rest.energy,
            on_cpu: Some(rest.on_cpu),
            events: rest.events,
            samples: Some(rest.samples),
            ..Entry::default()
        };
        row(&mut out, fields(by, &entry, &events, energy_text))?;
    }
    Ok(())
}

fn head(by: By) -> &'static [&'static str] {
    match by {
        By::Process => &[
            "pid",
            "name",
            "threads",
            "uj",
            "marginal_uj",
            "ci90_uj",
            "cpu_ns",
            "samples",
            "provenance",
        ],
        By::Command => &[
            "name",
            "processes",
            "uj",
            "marginal_uj",
            "ci90_uj",
            "cpu_ns",
            "samples",
            "provenance",
        ],
        By::Thread => &[
            "pid",
            "tid",
            "name",
            "uj",
            "marginal_uj",
            "ci90_uj",
            "cpu_ns",
            "samples",
            "provenance",
        ],
        By::Function => &[
            "name",
            "module",
            "uj",
            "marginal_uj",
            "ci90_uj",
            "total_uj",
            "samples",
            "provenance",
        ],
        By::Module => &[
            "name",
            "uj",
            "marginal_uj",
            "ci90_uj",
            "samples",
            "provenance",
        ],
        By::Cpu => &["cpu", "name", "uj", "marginal_uj", "cpu_ns", "provenance"],
    }
}

fn fields<'e>(
    by: By,
    entry: &'e Entry,
    events: &[Event],
    energy_text: EnergyText,
) -> Vec<Cow<'e, str>> {
    fn number<T: ToString>(n: Option<T>) -> Cow<'static, str> {
        Cow::Owned(n.map_or_else(String::new, |n| n.to_string()))
    }
    let field = |column: &str| match column {
        "pid" => number(entry.pid),
        "tid" => number(entry.tid),
        "cpu" => number(entry.cpu),
        "name" => Cow::Borrowed(entry.name.as_str()),
        "module" => Cow::Borrowed(entry.module.as_deref().unwrap_or_default()),
        "threads" => number(entry.threads),
        "processes" => number(entry.processes),
        "uj" => number(energy_text.with_idle(entry.energy)),
        "marginal_uj" => number(energy_text.above_idle(entry.energy)),
        "ci90_uj" => {
            let half = entry.ci90.filter(|_| energy_text.known);
            number(half.map(|half| energy_text.half(entry.energy.with_idle, half)))
        }
        "total_uj" => number(entry.total.and_then(|total| energy_text.with_idle(total))),
        "cpu_ns" => number(entry.on_cpu.map(|on_cpu| on_cpu.0)),
        "samples" => number(entry.samples),
        _ => Cow::Borrowed(energy_text.provenance()),
    };
    let events = events
        .iter()
        .map(|event| number(Some(entry.events[*event])));
    let fields = head(by).iter().map(|column| field(column));
    fields.chain(events).collect()
}

fn row<'a>(out: &mut impl Write, fields: impl IntoIterator<Item = Cow<'a, str>>) -> io::Result<()> {
    for (at, field) in fields.into_iter().enumerate() {
        let field = cell(&field);
        if at > 0 {
            out.write_all(b",")?;
        }
        if field.contains(['"', ',', '\r', '\n']) {
            write!(out, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            out.write_all(field.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}
