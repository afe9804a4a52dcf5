//! From text to a recording.

use std::io::{self, BufRead, Seek, Write};

use super::line::{Meaning, ONE, Part, SEVERAL};
use super::lines::Lines;
use super::of_member;
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::recording::check::MAX_CPUS;
use crate::recording::format::{MAX_SAMPLES, MAX_THREADS};
use crate::recording::merged::{Labels, MAX_MEMBERS, MergedWriter};
use crate::recording::missing;
use crate::recording::record::{IntervalRecord, Record};
use crate::recording::write::{Refused, Writer};

/// Writes the recording, or the recordings, that `input` has as text. Holds no
/// more of it than an interval. Answers what is missing.
///
/// `out` is to be empty. Where there are several recordings, it is also sought:
/// how long each is stands before it.
///
/// # Errors
///
/// `Data` if a line is not one of a recording, or breaks a rule of the format:
/// `name` is what the text is called, and the sentence has the number of the
/// line. Otherwise what `input` and `out` said.
pub fn load(input: impl BufRead, name: &str, mut out: impl Write + Seek) -> Result<Vec<Caveat>> {
    let mut loader = Loader {
        lines: Lines::new(input, name),
        caveats: Vec::new(),
    };
    match loader.schema()? {
        Schema::One => {
            if loader.recording(&mut out)?.is_some() {
                let rule = format!("is a member, which belongs to a text of schema {SEVERAL:?}");
                return Err(loader.lines.refuse(rule));
            }
        }
        Schema::Several => loader.members(out)?,
    }
    Ok(loader.caveats)
}

enum Schema {
    One,
    Several,
}

struct Loader<R> {
    lines: Lines<R>,
    caveats: Vec<Caveat>,
}

/// An interval to which lines may still be added.
struct Open {
    /// The number of its first line.
    line: u64,
    interval: IntervalRecord,
}

impl<R: BufRead> Loader<R> {
    /// Reads the first line.
    fn schema(&mut self) -> Result<Schema> {
        let first = self.lines.next().map_err(|error| match error.kind() {
            ErrorKind::Data => error.hint("eprof load reads what eprof dump writes"),
            _ => error,
        })?;
        match first {
            Some(Meaning::Schema(schema)) if schema == ONE => Ok(Schema::One),
            Some(Meaning::Schema(schema)) if schema == SEVERAL => Ok(Schema::Several),
            Some(Meaning::Schema(schema)) => Err(self.lines.refuse(format!(
                "says {schema:?}, and this eprof ({}) reads {ONE:?} and {SEVERAL:?}",
                env!("CARGO_PKG_VERSION")
            ))),
            _ => Err(self.lines.refuse_at(
                1,
                format!("is not {{\"schema\":{ONE:?}}}, which eprof dump writes first"),
            )),
        }
    }

    /// Writes the recordings that follow.
    fn members(&mut self, out: impl Write + Seek) -> Result<()> {
        let mut writer = MergedWriter::new(out, 0).map_err(written)?;
        let mut next = match self.lines.next()? {
            None => None,
            Some(Meaning::Member(labels)) => Some(labels),
            Some(_) => return Err(self.lines.refuse("is not a member, which must be next")),
        };
        let mut members = 0;
        while let Some(labels) = next {
            members += 1;
            if members > MAX_MEMBERS {
                let rule = format!("is a member too many: {MAX_MEMBERS} are the most");
                return Err(self.lines.refuse(rule));
            }
            let (begun, line) = (writer.begin(&labels), self.lines.number);
            let begun = begun.map_err(|error| match error.kind() {
                io::ErrorKind::Other => self.lines.refuse_at(line, format!("has {error}")),
                _ => written(error),
            })?;
            let complete = self.caveats.len();
            next = self.recording(writer.out())?;
            for caveat in &mut self.caveats[complete..] {
                caveat.sentence = of_member(members, &caveat.sentence);
            }
            writer.end(&labels, begun).map_err(written)?;
        }
        writer.count(members).map_err(written)
    }

    /// Writes the recording that follows. Answers the labels of the next, if
    /// there is one.
    fn recording(&mut self, out: &mut impl Write) -> Result<Option<Labels>> {
        let before = self.lines.number;
        let mut writer = Writer::new(out)?;
        let mut open: Option<Open> = None;
        let next = loop {
            let meaning = match self.lines.next()? {
                Some(Meaning::Part(part)) => {
                    self.part(open.as_mut(), part, &writer)?;
                    continue;
                }
                other => other,
            };
            if let Some(Open { line, interval }) = open.take() {
                self.offer(line, &Record::Interval(interval), &mut writer)?;
                writer.flush()?;
            }
            match meaning {
                Some(Meaning::Whole(record)) => {
                    self.offer(self.lines.number, &record, &mut writer)?;
                }
                Some(Meaning::Interval(interval)) => {
                    open = Some(Open {
                        line: self.lines.number,
                        interval,
                    });
                }
                Some(Meaning::Schema(_)) => return Err(self.lines.refuse("is a second schema")),
                Some(Meaning::Member(labels)) => break Some(labels),
                Some(Meaning::Part(_)) | None => break None,
            }
        };
        if !writer.checker().begun() {
            let rule = "is followed by no header, with which a recording begins";
            return Err(self.lines.refuse_at(before, rule));
        }
        self.caveats.extend(missing::caveats(writer.checker()));
        writer.leave()?;
        Ok(next)
    }

    /// Adds a part to its interval.
    fn part<W: Write>(
        &self,
        open: Option<&mut Open>,
        part: Part,
        writer: &Writer<W>,
    ) -> Result<()> {
        let Some(Open { interval, .. }) = open else {
            return Err(self
                .lines
                .refuse("has a part of an interval, but follows none"));
        };
        let checker = writer.checker();
        match part {
            Part::Cpu(account) => {
                let checked = checker.cpu(&account);
                add(&mut interval.cpus, *account, MAX_CPUS as usize, checked)
            }
            Part::Thread(account) => {
                let checked = checker.thread(&account);
                add(&mut interval.threads, account, MAX_THREADS, checked)
            }
            Part::Sample(sample) => {
                let checked = checker.sample(&sample);
                add(&mut interval.samples, sample, MAX_SAMPLES, checked)
            }
        }
        .map_err(|rule| self.lines.refuse(rule))
    }

    /// Writes a record that began at line number `line`.
    fn offer<W: Write>(&self, line: u64, record: &Record, writer: &mut Writer<W>) -> Result<()> {
        writer.offer(record).map_err(|refused| match refused {
            Refused::Rule(rule) => self.lines.refuse_at(line, rule),
            Refused::TooMuch(size) => {
                let rule = format!("has an interval of {size}, more than the format holds");
                self.lines.refuse_at(line, rule)
            }
            Refused::Failed(error) => error,
        })
    }
}

/// Adds a part that was checked, if it is not one too many.
fn add<T>(
    parts: &mut Vec<T>,
    part: T,
    most: usize,
    checked: Result<(), String>,
) -> Result<(), String> {
    checked?;
    if parts.len() >= most {
        return Err(format!(
            "is one too many of its kind in an interval: {most} are the most"
        ));
    }
    parts.push(part);
    Ok(())
}

/// The error for what `out` said.
fn written(error: io::Error) -> Error {
    Error::new(
        ErrorKind::Input,
        format!("cannot write the recordings: {error}"),
    )
}
