//! `eprof completions`.

use std::io;

use clap::CommandFactory;

use super::args::Cli;
use crate::error::Result;
use crate::output;

pub(super) fn execute(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "eprof", &mut script);
    output::ignore_broken_pipe(io::Write::write_all(&mut io::stdout(), &script))?;
    Ok(0)
}
