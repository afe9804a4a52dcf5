//! `eprof list` and `eprof doctor`: what this machine has and allows.

use std::io::{self, Write};

use serde::Serialize;

use super::args::{ListArgs, ShortFormat};
use crate::doctor::checks;
use crate::error::{Error, ErrorKind, Result};
use crate::host::SysRoot;
use crate::{output, source};

pub(super) fn list(args: &ListArgs, root: &SysRoot) -> Result<u8> {
    let candidates = source::survey(root);
    match args.format {
        ShortFormat::Table => print(&output::text::meters::render(&candidates))?,
        ShortFormat::Json => print_json(&output::text::meters::document(&candidates))?,
    }
    Ok(0)
}

pub(super) fn doctor(args: &ListArgs, root: &SysRoot) -> Result<u8> {
    let diagnosis = checks::diagnose(root);
    match args.format {
        ShortFormat::Table => print(&diagnosis.render())?,
        ShortFormat::Json => print_json(&diagnosis.document())?,
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
