//! What became of writing, as an error of eprof.

use std::io;

use crate::error::{Error, ErrorKind, Result};

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
