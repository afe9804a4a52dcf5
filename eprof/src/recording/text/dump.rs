//! From a recording to text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use super::line::{Line, MAX_LINE, ONE, SEVERAL};
use super::of_member;
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind};
use crate::recording::file::Records;
use crate::recording::merged::Merged;
use crate::recording::record::Record;

/// Why a dump stopped before the recording ended.
#[derive(Debug)]
pub enum Stopped {
    /// The recording cannot be read, or is none.
    Recording(Error),
    /// The text cannot be written.
    Output(io::Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Recording(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Writes the recording, or the recordings, in the file at `path` as text. Reads
/// it once, and holds no more of it than an interval. Answers what is missing.
///
/// # Errors
///
/// As [`RecordingFile::open`](crate::recording::RecordingFile::open), and what
/// `out` said.
pub fn dump(path: &Path, out: &mut impl Write) -> Result<Vec<Caveat>, Stopped> {
    let mut text = Text {
        out,
        line: Vec::new(),
    };
    let Some(merged) = Merged::open(path)? else {
        // A recording that cannot be read leaves no text behind.
        let records = Records::open(path, 0, u64::MAX)?;
        text.write(&Line::Schema(Cow::Borrowed(ONE)))?;
        return text.records(records);
    };
    text.write(&Line::Schema(Cow::Borrowed(SEVERAL)))?;
    let mut caveats = merged.caveats.clone();
    for (number, member) in (1..).zip(&merged.members) {
        text.write(&Line::Member(Cow::Borrowed(&member.labels)))?;
        caveats.extend(
            text.records(merged.records(member)?)?
                .into_iter()
                .map(|of| Caveat {
                    sentence: of_member(number, &of.sentence),
                    ..of
                }),
        );
    }
    Ok(caveats)
}

/// Text, a line at a time.
struct Text<'a, W> {
    out: &'a mut W,
    /// The line; kept for its capacity.
    line: Vec<u8>,
}

impl<W: Write> Text<'_, W> {
    /// Writes the records of a recording; answers what is missing.
    fn records(&mut self, mut records: Records) -> Result<Vec<Caveat>, Stopped> {
        for record in records.by_ref() {
            let record = record?;
            self.write(&Line::of(&record))?;
            if let Record::Interval(interval) = &record {
                for account in &interval.cpus {
                    self.write(&Line::Cpu(Cow::Borrowed(account)))?;
                }
                for account in &interval.threads {
                    self.write(&Line::Thread(*account))?;
                }
                for sample in &interval.samples {
                    self.write(&Line::Sample(*sample))?;
                }
            }
        }
        Ok(records.caveats())
    }

    /// Writes a line.
    fn write(&mut self, line: &Line<'_>) -> Result<(), Stopped> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("cannot write a record: {error}"),
            )
        })?;
        escape(&mut self.line);
        self.line.push(b'\n');
        if self.line.len() > MAX_LINE {
            let (length, most) = (self.line.len() >> 20, MAX_LINE >> 20);
            return Err(Stopped::Recording(Error::new(
                ErrorKind::Data,
                format!("a record takes {length} MiB as text, and {most} MiB is the most"),
            )));
        }
        Ok(self.out.write_all(&self.line)?)
    }
}

/// Escapes what JSON allows in strings but what a terminal might obey or hide:
/// who is measured chooses the names. It can only be inside strings.
fn escape(line: &mut Vec<u8>) {
    let harmless = |byte: &u8| (b' '..=b'~').contains(byte);
    if line.iter().all(harmless) {
        return;
    }
    let mut escaped = String::with_capacity(line.len() + 64);
    for c in String::from_utf8_lossy(line).chars() {
        let shown = c.is_ascii_graphic() || c == ' ' || c.escape_debug().count() == 1;
        if shown {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    *line = escaped.into_bytes();
}
