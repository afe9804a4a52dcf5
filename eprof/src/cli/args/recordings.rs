//! Which of a command's arguments are recordings that it reads.

use std::path::PathBuf;

/// The options of one command.
pub trait Recordings {
    /// The recordings that the command reads; any of them may be `-`, standard
    /// input.
    fn recordings(&mut self) -> Vec<&mut PathBuf>;
}
