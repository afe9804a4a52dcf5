//! What became of writing, as an error of eprof.

use std::io;

use crate::error::{Error, ErrorKind, Result};

/// Turns the result of writing into one of eprof's own. That the reader has
/// gone (`eprof report | head`) is not an error.
///
/// # Errors
///
/// An error of eprof's own that a writer wrapped; [`ErrorKind::Data`] for what
/// cannot be written at all (see [`super::flamegraph::flame::write`]);
/// [`ErrorKind::Input`] for every other failure.
pub fn ignore_broken_pipe(written: io::Result<()>) -> Result<()> {
    let error = match written {
        Ok(()) => return Ok(()),
        Err(error) => match error.downcast::<Error>() {
            Ok(own) => return Err(own),
            Err(error) => error,
        },
    };
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        io::ErrorKind::InvalidData => Err(Error::new(ErrorKind::Data, error.to_string())),
        _ => Err(Error::new(
            ErrorKind::Input,
            format!("cannot write the output: {error}"),
        )),
    }
}
