//! The report in the format that was asked for.

use std::io::{self, Write};

use super::text::{style::Style, table};
use super::view::{By, Format, View};
use super::written::ignore_broken_pipe;
use super::{csv, json};
use crate::error::{Error, ErrorKind, Result};
use crate::profile::Profile;

/// Writes the report: the summary where `view.by` is `None` and the format is
/// a table, else the breakdown that was asked for.
///
/// # Errors
///
/// [`ErrorKind::Usage`] where the rows do not have what they are to be sorted
/// by, and for commands in JSON; otherwise the error of `out`, except a broken pipe.
pub fn report(
    profile: &Profile,
    view: &View,
    format: Format,
    style: Style,
    out: impl Write,
) -> Result<()> {
    view.check()?;
    if view.by == Some(By::Command) && format == Format::Json {
        return Err(
            Error::new(ErrorKind::Usage, "the JSON report has no rows by command")
                .hint("add up its `processes` by their `comm`, or write it as a table or CSV"),
        );
    }
    let mut out = io::BufWriter::new(out);
    let written = match format {
        Format::Table => table::write(profile, view, style, &mut out),
        Format::Json => json::write(profile, view, &mut out),
        Format::Csv => csv::write(profile, view, &mut out),
    };
    ignore_broken_pipe(written.and_then(|()| out.flush()))
}
