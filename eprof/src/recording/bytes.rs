//! The bytes of a recording, in a file or in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a recording can be read.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// In a regular file.
    File(Arc<File>),
    /// In memory; not in a file there, to which `ulimit -f` would apply, too.
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl Bytes {
    /// How many there are.
    ///
    /// # Errors
    ///
    /// What the file said.
    pub fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(locked(bytes).len() as u64),
        }
    }

    /// Reads some from the position `at` on; answers how many.
    ///
    /// # Errors
    ///
    /// What the file said.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read_at(buffer, at),
            Self::Memory(bytes) => {
                let bytes = locked(bytes);
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let there = bytes.get(at..).unwrap_or_default();
                let length = there.len().min(buffer.len());
                buffer[..length].copy_from_slice(&there[..length]);
                Ok(length)
            }
        }
    }
}

/// The bytes; whoever else had them and died left them as they were.
pub(super) fn locked(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}
