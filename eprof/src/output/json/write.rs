//! The report as text.

use std::io::{self, Write};

use crate::profile::Profile;

use super::super::format::sanitize::printable;
use super::super::view::View;
use super::document::Report;

/// Writes the report. `view.sort` and `view.limit` apply to the rows that
/// `view.by` names, or to all kinds where it names none; nothing is left out
/// silently (`omitted`).
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, view: &View, mut out: impl Write) -> io::Result<()> {
    let document = Report::new(profile, view);
    let text = serde_json::to_string_pretty(&document)?;
    out.write_all(printable(&text).as_bytes())?;
    out.write_all(b"\n")
}
