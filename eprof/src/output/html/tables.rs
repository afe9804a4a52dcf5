//! Tables of rows that can be sorted, each with its sum.

use maud::{Markup, html};

use super::super::format::accounts::target_half;
use super::super::format::energy::EnergyText;
use super::super::format::number::{count, percent};
use super::super::listing::{Entry, Listing};
use super::super::view::By;
use super::columns::{Column, Kind, columns, upper};
use crate::attribute::Account;
use crate::profile::Profile;

/// Rows of a table at most; a browser has to be able to sort them at once.
const MOST_ROWS: usize = 1000;

/// The section of a kind of rows; nothing where there is none.
pub(super) fn section(profile: &Profile, by: By, title: &str) -> Option<Markup> {
    let listing = Listing::new(profile, by, None, Some(MOST_ROWS));
    if listing.entries.is_empty() {
        return None;
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
    let filter = format!("show only {} whose names contain", by.plural());
    Some(html! {
        div.tools hidden { input type="search" placeholder="filter" aria-label=(filter); }
        h2 { (title) small { (count(all as u64)) } }
        div.wide {
            table.sorts {
                thead { tr { @for column in &columns { (head(column, energy_text)) } } }
                tbody {
                    @for entry in &listing.entries {
                        tr { @for column in &columns { (cell(column, entry)) } }
                        "\n"
                    }
                }
                tfoot { (foot(profile, &listing, &columns, energy_text)) }
            }
        }
    })
}

fn head(column: &Column<'_>, energy_text: EnergyText) -> Markup {
    let class = (column.kind == Kind::Number).then_some("n");
    let sorted = (column.head == "energy" && energy_text.known).then_some("descending");
    html! {
        @if matches!(column.kind, Kind::Bar | Kind::Error) {
            th { (column.head) }
        } @else {
            th class=[class] scope="col" aria-sort=[sorted] { button { (column.head) } }
        }
    }
}

fn cell(column: &Column<'_>, entry: &Entry) -> Markup {
    let cell = (column.cell)(entry);
    let sorted_by = match (column.kind, cell.value) {
        (Kind::Number, None) => Some("-1".to_owned()),
        (_, value) => value.map(|value| value.to_string()),
    };
    html! { td class=(column.kind.class()) data-v=[sorted_by] { (cell.content) } }
}

/// What is left out, and the sum of all.
fn foot(
    profile: &Profile,
    listing: &Listing,
    columns: &[Column<'_>],
    energy_text: EnergyText,
) -> Markup {
    let target = profile.ledger.account(Account::Target).with_idle.0;
    let half = target_half(profile);
    let at = columns.iter().position(|of| of.head == "energy");
    let before = at.unwrap_or(1);
    let after = (columns.len() - before - 1).saturating_sub(2).max(1);
    let row = |class: &str, name: String, uj: u64| {
        let energy = energy_text.short(energy_text.known.then_some(uj), half);
        let share = percent(uj, target).filter(|_| energy_text.known);
        html! {
            tr class=(class) {
                td colspan=(before) { (name) }
                td.n data-v=(uj) { (energy) }
                td {}
                td.n { (share.unwrap_or_default()) }
                td colspan=(after) {}
            }
        }
    };
    let rest = &listing.rest;
    html! {
        @if rest.rows > 0 {
            (row("rest", format!("{} more", count(rest.rows as u64)), rest.energy.with_idle.0))
        }
        (row("sum", "= the target".to_owned(), target))
    }
}
