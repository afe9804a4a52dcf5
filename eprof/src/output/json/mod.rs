//! The JSON report, `eprof-report/1`.
//!
//! The schema is [`SCHEMA`] (`report.schema.json` beside this file). Within
//! version 1 keys are only ever added. All keys are always present, in a fixed
//! order; what was not measured is `null`, never 0.
//!
//! | key | what |
//! |---|---|
//! | `schema` | `eprof-report/1` |
//! | `command`, `exit_code`, `duration_s` | what ran; `exit_code` is `null` where the recording was cut off |
//! | `source` | `kind` (`perf`, `powercap`, … or `null`), `provenance` (`measured` or `estimated`), `band` (for estimates: the factors `low` and `high` between which the truth lies in 90 % of cases), `weights`, and the `meters` |
//! | `energy_uj` | the total of all meters that no other meter contains |
//! | `target` | the target's account over those meters |
//! | `carbon` | what `energy_uj` and `target` stand for in grams of CO₂ equivalent, with the factor and its source; `null` unless it was asked for |
//! | `members` | the runs that were added up (see `eprof merge`), empty for a single one; they add up to `target` and, in `total_uj`, to `energy_uj` |
//! | `ledger` | per meter and account; per meter, `uj` adds up to the meter's `total_uj`, and so does `marginal_uj` |
//! | `processes`, `threads`, `modules`, `cpus` | each adds up to `target`, in `uj` and in `marginal_uj` |
//! | `functions` | `self_uj` adds up to `target`; `total_uj` includes callees and does not |
//! | `omitted` | with a limit: per kind of rows, the number and the sum of those left out |
//! | `losses` | what was lost, by reason; empty means nothing |
//! | `stacks` | of how many samples there is a stack, how many of them are `whole` (reach their root), and why the others `ended` |
//! | `footprint` | what eprof itself cost |
//! | `recording` | with what, where and when |
//! | `caveats` | what makes the numbers less true |
//!
//! `uj` is energy with the row's share of the idle cost, `marginal_uj` above
//! idle (`null` where idle power is unknown), both in integer microjoules.
//! `ci90_uj` is half of the 90 % interval around `uj`; of an estimate it is
//! at least as wide as the model's band, which is common to all rows and so
//! does not touch their shares.

pub mod calibration;
mod carbon;
pub mod doctor;
mod document;
pub mod list;
mod members;
mod meters;
mod origin;
mod rows;

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::profile::Profile;

use super::format::sanitize::hostile;
use super::view::View;

/// The name and version of the schema.
pub const VERSION: &str = "eprof-report/1";

/// The JSON Schema (draft 2020-12) of the report.
pub const SCHEMA: &str = include_str!("../report.schema.json");

/// Writes the report. `view.sort` and `view.limit` apply to the rows that
/// `view.by` names, or to all kinds where it names none; nothing is left out
/// silently (`omitted`).
///
/// # Errors
///
/// What `out` said.
pub fn write(profile: &Profile, view: &View, mut out: impl Write) -> io::Result<()> {
    let document = document::Report::new(profile, view);
    let text = serde_json::to_string_pretty(&document)?;
    out.write_all(printable(&text).as_bytes())?;
    out.write_all(b"\n")
}

/// `text` with the characters escaped that JSON allows in strings but that a
/// terminal might obey. They can only be inside strings.
pub(super) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // The report's own line feeds are outside strings.
        if c == '\n' || !hostile(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}
