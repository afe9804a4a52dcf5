//! Output: bytes from a [`Profile`], and from nothing
//! else.
//!
//! Every writer takes an `impl io::Write` and is deterministic: the same
//! profile gives the same bytes. What was not measured is shown as `–` (table),
//! `null` (JSON) or an empty field (CSV), never as zero. Names of processes
//! and functions are chosen by whoever is measured; `visible` makes them
//! harmless before they reach a terminal or a picture.
//!
//! - [`table`]: the summary for people, and one breakdown at a time
//! - [`json`]: `eprof-report/1`, documented and stable
//! - [`csv`]: one breakdown, RFC 4180
//! - [`folded`]: folded stacks, `process;thread;frame;… µJ`
//! - [`flame`]: the energy flamegraph, an interactive SVG
//! - [`html`]: the report as one page for a browser
//! - [`plot`]: power over time, an SVG
//! - [`export`]: pprof, speedscope, OpenMetrics, energy over time
//! - [`diff`]: two profiles against each other
//! - [`calibration`]: what `eprof calibrate` found out
//! - [`progress`]: the live line while the target runs

pub mod csv;
pub mod diff;
pub mod export;
pub mod flamegraph;
pub mod folded;
mod format;
pub mod html;
pub mod json;
pub mod plot;
pub mod stat;
pub mod text;
pub mod view;

use std::io::{self, Write};

pub use text::progress::Progress;
pub use text::style::Style;
pub use view::{By, Format, Sort, View};

use crate::error::{Error, ErrorKind, Result};
use crate::profile::Profile;

/// Writes the report: the summary where `view.by` is `None` and the format is
/// a table, else the breakdown that was asked for.
///
/// # Errors
///
/// [`ErrorKind::Usage`] where the rows do not have what they are to be sorted
/// by, and for commands in JSON; otherwise what `out` said, except a broken pipe.
pub fn report(
    profile: &Profile,
    view: &View,
    format: Format,
    look: Style,
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
        Format::Table => text::table::write(profile, view, look, &mut out),
        Format::Json => json::write(profile, view, &mut out),
        Format::Csv => csv::write(profile, view, &mut out),
    };
    ignore_broken_pipe(written.and_then(|()| out.flush()))
}

/// Text of others with every character escaped that a terminal might obey.
pub fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    format::sanitize::visible_text(text)
}

/// Turns the result of writing into one of eprof's own. That the reader has
/// gone (`eprof report | head`) is not an error.
///
/// # Errors
///
/// [`ErrorKind::Data`] for what cannot be written at all (see
/// [`flamegraph::flame::write`]), [`ErrorKind::Input`] for every other failure.
pub fn ignore_broken_pipe(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Error::new(ErrorKind::Data, error.to_string()))
        }
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(
            ErrorKind::Input,
            format!("cannot write the output: {error}"),
        )),
        _ => Ok(()),
    }
}
