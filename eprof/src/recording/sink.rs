//! Where a recording goes while it is made: a file, and memory from the moment
//! on in which that file takes no more.
//!
//! A disk that is full (or a limit of the file's size, or a FIFO without a reader)
//! ends the file, but not the measurement: the report is of all of the run.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, OnceLock};

use super::bytes::{Bytes, locked};

/// Most of a recording that is kept in memory, in bytes: a day of an ordinary run.
const MAX_KEPT: u64 = 128 << 20;

/// Takes a recording.
#[derive(Debug)]
pub struct Sink {
    data: Arc<Data>,
    /// How many bytes there are.
    written: u64,
}

/// What a [`Sink`] took.
#[derive(Debug)]
pub struct Data {
    file: Arc<File>,
    /// The recording as far as it was written, where the file alone will not do.
    kept: OnceLock<Arc<Mutex<Vec<u8>>>>,
    failure: OnceLock<io::Error>,
}

impl Data {
    /// Why the file takes no more, if it does not.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.get()
    }

    /// What holds the recording, as far as there is one.
    pub fn whole(&self) -> Bytes {
        match self.kept.get() {
            Some(kept) => Bytes::Memory(Arc::clone(kept)),
            None => Bytes::File(Arc::clone(&self.file)),
        }
    }

    /// Goes on in memory, where the `written` bytes are copied to.
    fn keep(&self, written: u64) -> io::Result<()> {
        if self.kept.get().is_some() {
            return Ok(());
        }
        let mut kept = Vec::new();
        if written > 0 {
            kept.resize(usize::try_from(written.min(MAX_KEPT)).unwrap_or(0), 0);
            self.file.read_exact_at(&mut kept, 0)?;
        }
        self.kept.get_or_init(|| Arc::new(Mutex::new(kept)));
        Ok(())
    }
}

impl Sink {
    /// In a regular file that can be read again.
    pub fn file(file: Arc<File>) -> Self {
        Self {
            data: Arc::new(Data {
                file,
                kept: OnceLock::new(),
                failure: OnceLock::new(),
            }),
            written: 0,
        }
    }

    /// In a file that cannot be read again (`/dev/null`, a FIFO), and in memory.
    pub fn stream(file: Arc<File>) -> Self {
        let sink = Self::file(file);
        sink.data.kept.get_or_init(Arc::default);
        sink
    }

    /// What it took, to be asked at any time.
    pub fn data(&self) -> &Arc<Data> {
        &self.data
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let data = &self.data;
        let mut taken = bytes.len();
        if data.failure().is_none() {
            // A device or FIFO gets all of it: what it has not is in memory.
            let mut file = data.file.as_ref();
            let written = match data.kept.get() {
                None => file.write(bytes),
                Some(_) => file.write_all(bytes).map(|()| bytes.len()),
            };
            let failure = match written {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => Some(error),
                Ok(0) if !bytes.is_empty() => Some(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(number) => {
                    taken = number;
                    None
                }
            };
            if let Some(failure) = failure {
                data.failure.get_or_init(|| failure);
                data.keep(self.written)?;
            }
        }
        if let Some(kept) = data.kept.get() {
            if self.written + taken as u64 > MAX_KEPT {
                return Err(io::Error::from(io::ErrorKind::OutOfMemory));
            }
            locked(kept).extend_from_slice(&bytes[..taken]);
        }
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
