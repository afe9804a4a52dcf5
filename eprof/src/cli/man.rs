//! `eprof man`.

use std::io::{self, Write as _};
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::Cli;
use super::deliver::deliver_anywhere;
use crate::error::{Error, Result};
use crate::output;

/// Prints the manual page of eprof, or writes those of all its commands into a
/// directory.
pub(super) fn execute(directory: Option<&Path>) -> Result<u8> {
    let mut command = Cli::command();
    command.build();
    match directory {
        Some(directory) => write(command, directory)?,
        None => output::ignore_broken_pipe(io::stdout().write_all(&page(command)?))?,
    }
    Ok(0)
}

/// Writes the page of a command, and those of the commands below it.
fn write(mut command: clap::Command, directory: &Path) -> Result<()> {
    // git-like: the page of `eprof run` is eprof-run(1).
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = directory.join(format!("{name}.1"));
    let below: Vec<clap::Command> = command.get_subcommands_mut().map(|of| of.clone()).collect();
    let page = page(command)?;
    deliver_anywhere(&path, &page)?;
    let mut shown = below
        .into_iter()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help");
    shown.try_for_each(|command| write(command, directory))
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let rendered = Man::new(command).render(&mut page);
    rendered.map_err(|error| Error::io("render", Path::new("manual page"), &error))?;
    Ok(page)
}
