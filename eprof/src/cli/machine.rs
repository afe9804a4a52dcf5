//! `eprof list` and `eprof doctor`: what this machine has and allows.

use std::io::{self, Write};

use serde::Serialize;

use super::args::ListArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::host::SysRoot;
use crate::launch::Limits;
use crate::output::{self, TableFormat};
use crate::{doctor, source};

pub(super) fn list(args: &ListArgs, root: &SysRoot) -> Result<u8> {
    let candidates = source::candidates(root);
    match args.format {
        TableFormat::Table => print(&output::text::meters::render(&candidates))?,
        TableFormat::Json => print_json(&output::json::list::document(&candidates))?,
    }
    Ok(0)
}

pub(super) fn doctor(args: &ListArgs, root: &SysRoot) -> Result<u8> {
    // As a run does.
    Limits::raise();
    let diagnosis = doctor::diagnose(root);
    match args.format {
        TableFormat::Table => print(&output::text::doctor::render(&diagnosis))?,
        TableFormat::Json => print_json(&output::json::doctor::document(&diagnosis))?,
    }
    Ok(diagnosis.verdict.exit_code())
}

fn print_json(document: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("cannot write JSON: {error}")))?;
    print(&format!("{text}\n"))
}

fn print(text: &str) -> Result<()> {
    output::ignore_broken_pipe(io::stdout().write_all(text.as_bytes()))
}
