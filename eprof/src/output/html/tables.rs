//! Tables of rows that can be sorted, each with its sum.

use std::fmt::Write as _;

use crate::attribute::Account;
use crate::profile::Profile;
use crate::unit::{Microjoules, Nanos};

use super::super::flamegraph::decorate::escaped;
use super::super::format::accounts::target_half;
use super::super::format::energy::EnergyText;
use super::super::format::number::{count, percent, time};
use super::super::format::sanitize::harmless;
use super::super::listing::{Entry, Listing};
use super::super::view::By;

/// Rows of a table at most; a browser has to be able to sort them at once.
const MOST_ROWS: usize = 1000;

/// A column: its head, whether it is a number, and what a row has there.
struct Column<'c> {
    head: &'static str,
    number: bool,
    cell: Box<dyn Fn(&Entry) -> Cell + 'c>,
}

/// What stands in a cell, and what it is sorted by.
struct Cell {
    html: String,
    value: Option<u64>,
}

fn number(value: Option<u64>, text: impl Fn(u64) -> String) -> Cell {
    Cell {
        html: value.map(text).unwrap_or_default(),
        value,
    }
}

/// The section of a kind of rows; nothing where there is none.
pub(super) fn section(profile: &Profile, by: By, title: &str) -> String {
    let listing = Listing::new(profile, by, None, Some(MOST_ROWS));
    if listing.entries.is_empty() {
        return String::new();
    }
    let energy_text = EnergyText::of(profile);
    let target = profile.ledger.account(Account::Target).with_idle.0;
    let most = listing
        .entries
        .iter()
        .map(|of| upper(energy_text, of))
        .max();
    let columns = columns(by, energy_text, target, most.unwrap_or(0).max(1));
    let all = listing.entries.len() + listing.rest.rows;
    let id = by.plural();
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<section id=\"{id}\"><div class=\"tools\" hidden><input type=\"search\" placeholder=\"filter\" \
         aria-label=\"show only {id} whose names contain\"></div>\
         <h2>{title}<small>{}</small></h2><div class=\"wide\"><table class=\"sorts\"><thead><tr>",
        count(all as u64)
    );
    for column in &columns {
        let class = if column.number { " class=\"n\"" } else { "" };
        let sorted = match (column.head, energy_text.known) {
            ("energy", true) => " aria-sort=\"descending\"",
            _ => "",
        };
        let _ = match column.head {
            "" => write!(out, "<th></th>"),
            "±90 %" | "90 % range" => write!(out, "<th>{}</th>", column.head),
            head => write!(
                out,
                "<th{class} scope=\"col\"{sorted}><button>{head}</button></th>"
            ),
        };
    }
    out.push_str("</tr></thead><tbody>\n");
    for entry in &listing.entries {
        out.push_str("<tr>");
        for column in &columns {
            let Cell { html, value } = (column.cell)(entry);
            let class = match (column.number, column.head) {
                (true, _) => "n",
                (_, "") => "bar",
                (_, "±90 %" | "90 % range") => "d",
                _ => "name",
            };
            let _ = match (column.number, value) {
                (true, Some(value)) => {
                    write!(out, "<td class=\"{class}\" data-v=\"{value}\">{html}</td>")
                }
                (true, None) => write!(out, "<td class=\"{class}\" data-v=\"-1\">{html}</td>"),
                _ => write!(out, "<td class=\"{class}\">{html}</td>"),
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody><tfoot>");
    let mut foot = |name: String, uj: u64, class: &str| {
        let energy = energy_text.short(energy_text.known.then_some(uj), target_half(profile));
        let at = columns.iter().position(|of| of.head == "energy");
        let (before, after) = (at.unwrap_or(1), columns.len() - at.unwrap_or(1) - 1);
        let share = percent(uj, target).filter(|_| energy_text.known);
        let share = share.map(|text| escaped(&text)).unwrap_or_default();
        let _ = write!(
            out,
            "<tr class=\"{class}\"><td colspan=\"{before}\">{name}</td>\
             <td class=\"n\" data-v=\"{uj}\">{energy}</td><td></td><td class=\"n\">{share}</td>\
             <td colspan=\"{}\"></td></tr>",
            after.saturating_sub(2).max(1),
        );
    };
    if listing.rest.rows > 0 {
        let name = format!("{} more", count(listing.rest.rows as u64));
        foot(name, listing.rest.energy.with_idle.0, "rest");
    }
    foot("= the target".to_owned(), target, "sum");
    out.push_str("</tfoot></table></div></section>\n");
    out
}

/// The upper end of a row's interval, microjoules.
fn upper(energy_text: EnergyText, entry: &Entry) -> u64 {
    entry
        .energy
        .with_idle
        .0
        .saturating_add(half(energy_text, entry).unwrap_or(0))
}

fn half(energy_text: EnergyText, entry: &Entry) -> Option<u64> {
    entry
        .ci90
        .map(|ci90| energy_text.half(entry.energy.with_idle, ci90))
}

fn columns<'c>(by: By, energy_text: EnergyText, target: u64, most: u64) -> Vec<Column<'c>> {
    let mut columns: Vec<Column<'c>> = Vec::new();
    let mut add = |head: &'static str, number: bool, cell: Box<dyn Fn(&Entry) -> Cell + 'c>| {
        columns.push(Column { head, number, cell });
    };
    let text = |html: String| Cell { html, value: None };
    let int = |value: Option<u64>| number(value, |n| n.to_string());
    let one = match by {
        By::Process => "process",
        By::Command => "command",
        By::Thread => "thread",
        By::Function => "function",
        By::Module => "module",
        By::Cpu => "CPU",
    };
    add(
        one,
        false,
        Box::new(move |row| text(format!("<code>{}</code>", escaped(&row.name)))),
    );
    match by {
        By::Process => {
            add(
                "pid",
                true,
                Box::new(move |row| int(row.pid.map(u64::from))),
            );
            add(
                "threads",
                true,
                Box::new(move |row| int(row.threads.map(u64::from))),
            );
        }
        By::Command => add("processes", true, Box::new(move |row| int(row.processes))),
        By::Thread => {
            add(
                "pid",
                true,
                Box::new(move |row| int(row.pid.map(u64::from))),
            );
            add(
                "tid",
                true,
                Box::new(move |row| int(row.tid.map(u64::from))),
            );
        }
        By::Function => add(
            "module",
            false,
            Box::new(move |row| text(escaped(&harmless(row.module.as_deref().unwrap_or(""))))),
        ),
        By::Module | By::Cpu => {}
    }
    let energy = move |uj: u64, half: Option<u64>| {
        escaped(&energy_text.short(energy_text.known.then_some(uj), half))
    };
    add(
        "energy",
        true,
        Box::new(move |row| {
            number(Some(row.energy.with_idle.0), |uj| {
                energy(uj, half(energy_text, row))
            })
        }),
    );
    let error = if energy_text.estimated {
        "90 % range"
    } else {
        "±90 %"
    };
    add(
        error,
        false,
        Box::new(move |row| {
            let half = half(energy_text, row).filter(|_| energy_text.known);
            let [_, error, unit] = energy_text.cells(Some(row.energy.with_idle.0), half);
            text(match error.as_str() {
                "" => String::new(),
                error if half.is_some() => format!("{error}&nbsp;{unit}"),
                _ => String::new(),
            })
        }),
    );
    add(
        "share",
        true,
        Box::new(move |row| {
            let share = percent(row.energy.with_idle.0, target).filter(|_| energy_text.known);
            number(Some(row.energy.with_idle.0), |_| {
                escaped(&share.clone().unwrap_or_default())
            })
        }),
    );
    add(
        "",
        false,
        Box::new(move |row| {
            let share = |uj: u64| uj as f64 / most as f64 * 100.0;
            let uj = row.energy.with_idle.0;
            let half = half(energy_text, row).unwrap_or(0);
            let low = uj.saturating_sub(half);
            let error = match half {
                0 => String::new(),
                _ => format!(
                    "<b style=\"left:{:.2}%;width:{:.2}%\"></b>",
                    share(low),
                    share(uj.saturating_add(half) - low)
                ),
            };
            text(match energy_text.known {
                true => format!(
                    "<span><i style=\"width:{:.2}%\"></i>{error}</span>",
                    share(uj)
                ),
                false => String::new(),
            })
        }),
    );
    if by == By::Function {
        add(
            "with callees",
            true,
            Box::new(move |row| {
                number(row.total.map(|total| total.with_idle.0), |uj| {
                    energy(uj, half(energy_text, row))
                })
            }),
        );
    }
    if energy_text.above_idle {
        add(
            "above idle",
            true,
            Box::new(move |row| {
                number(Some(row.energy.above_idle.0), |uj| {
                    energy(uj, half(energy_text, row))
                })
            }),
        );
    }
    if !matches!(by, By::Function | By::Module) {
        add(
            "CPU time",
            true,
            Box::new(move |row| number(row.on_cpu.map(|Nanos(ns)| ns), time)),
        );
        add(
            "while running",
            true,
            Box::new(move |row| {
                let Some(Nanos(ns)) = row.on_cpu.filter(|ns| ns.0 > 0) else {
                    return int(None);
                };
                let Microjoules(uj) = row.energy.with_idle;
                let watts = energy_text.watts(
                    energy_text.known.then_some(uj),
                    half(energy_text, row),
                    Some(ns),
                );
                let milliwatts = (uj as f64 / ns as f64 * 1e6) as u64;
                number(Some(milliwatts), |_| watts.clone())
            }),
        );
    }
    if by != By::Cpu {
        add(
            "samples",
            true,
            Box::new(move |row| number(row.samples, count)),
        );
    }
    columns
}
