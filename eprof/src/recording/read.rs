//! Reading a recording: blocks become records, each checked.

use std::io::Read;

use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};

use super::blocks::{Blocks, Damage};
use super::budget::Budget;
use super::check::{Checker, NO_HEADER};
use super::format::{MAX_RECORD, PROLOGUE};
use super::interval_header::{INTERVAL, IntervalHeader};
use super::record::Record;
use super::{interval_header, missing, samples};

/// A stream of checked records.
///
/// It ends at the End, at the end of the file, or where the file is damaged;
/// [`caveats`](Self::caveats) then tells what is missing. An error means that
/// the records break a rule of the format; nothing comes after it.
#[derive(Debug)]
pub struct Reader<R: Read> {
    blocks: Blocks<R>,
    /// Length of the whole recording in bytes, where known.
    length: Option<u64>,
    checker: Checker,
    /// The records of the current block.
    records: Vec<u8>,
    /// Where the next one is.
    next: usize,
    /// The samples of the current block, where they are wanted.
    samples: Vec<u8>,
    /// Where those of the next interval are.
    next_samples: usize,
    /// Where the current block begins in the file.
    begin: u64,
    /// How many bytes of the file were accepted: whole, sound blocks.
    accepted: u64,
    damage: Option<Damage>,
    /// How many samples the last record has, whether or not it comes with them.
    sampled: u64,
    done: bool,
    /// Whether intervals come without their samples.
    skip_samples: bool,
}

impl<R: Read> Reader<R> {
    /// Begins to read a recording. `length` is its length in bytes, where it
    /// is known; only to tell how much was lost.
    ///
    /// # Errors
    ///
    /// `Data` if `input` is not a recording or is in another format;
    /// sentences begin with a verb, so that the file's name can precede them.
    pub fn new(input: R, length: Option<u64>) -> Result<Self> {
        Ok(Self {
            blocks: Blocks::new(input)?,
            length,
            checker: Checker::new(),
            records: Vec::new(),
            next: 0,
            samples: Vec::new(),
            next_samples: 0,
            begin: PROLOGUE,
            accepted: PROLOGUE,
            damage: None,
            sampled: 0,
            done: false,
            skip_samples: false,
        })
    }

    /// Leaves all intervals without samples, which are not looked at then.
    pub fn without_samples(self) -> Self {
        Self {
            skip_samples: true,
            ..self
        }
    }

    /// How many bytes from the start are sound, as far as was read.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// The memory that its catalogue may take.
    pub(super) fn budget(&self) -> Budget {
        Budget::of(self.length)
    }

    /// How many samples the last record has.
    pub(super) fn sampled(&self) -> u64 {
        self.sampled
    }

    /// The error for a recording without even a header.
    pub(super) fn nothing(&self) -> Error {
        let at = self.accepted;
        let sentence = format!(
            "is a recording of which nothing can be read (cut off or damaged at byte {at})"
        );
        Error::new(ErrorKind::Data, sentence)
    }

    /// What is missing, once the iteration has ended.
    pub fn caveats(&self) -> Vec<Caveat> {
        let mut caveats = Vec::new();
        if let Some(damage) = &self.damage {
            let at = self.accepted;
            let how = match damage {
                Damage::Cut => format!("is cut off inside the block at byte {at}"),
                Damage::Corrupt => format!("is damaged in the block at byte {at}"),
                Damage::Unreadable(error) => format!("cannot be read from byte {at} on ({error})"),
            };
            let lost = match self.length {
                Some(length) => format!("the last {} bytes", length.saturating_sub(at)),
                None => "the rest".to_owned(),
            };
            caveats.push(Caveat::new(
                "recording-damaged",
                format!("the recording {how}; {lost} are lost, what precedes them is used"),
            ));
        } else if let (true, Some(length)) = (self.checker.ended(), self.length)
            && length > self.accepted
        {
            let (more, at) = (length - self.accepted, self.accepted);
            caveats.push(Caveat::new(
                "recording-trailer",
                format!("{more} bytes after the recording's end at byte {at} are ignored"),
            ));
        }
        caveats.extend(missing::caveats(&self.checker));
        caveats
    }

    /// The next record, or the end.
    fn record(&mut self) -> Result<Option<Record>> {
        while self.next >= self.records.len() {
            if self.next_samples < self.samples.len() {
                return Err(self.refuse("has samples of no interval"));
            }
            self.begin = self.blocks.offset;
            if self.checker.ended() {
                return Ok(None);
            }
            self.next = 0;
            self.next_samples = 0;
            let samples = (!self.skip_samples).then_some(&mut self.samples);
            match self.blocks.next(&mut self.records, samples) {
                Ok(true) => self.accepted = self.blocks.offset,
                Ok(false) => return Ok(None),
                Err(damage) => {
                    self.records.clear();
                    self.samples.clear();
                    self.damage = Some(damage);
                    return Ok(None);
                }
            }
        }
        let rest = self.records.get(self.next..).unwrap_or_default();
        // The length of an interval is bounded by the block alone.
        let limit = match rest.first() {
            Some(&INTERVAL) => rest.len(),
            _ => rest.len().min(MAX_RECORD),
        };
        let decoded = match rest {
            [INTERVAL, interval @ ..] => {
                let events = self.checker.events();
                let events = events.ok_or_else(|| self.refuse(NO_HEADER))?;
                interval_header::decode(interval, events)
            }
            _ => postcard::take_from_bytes(&rest[..limit]).map(|(record, rest)| IntervalHeader {
                record,
                samples: 0,
                rest,
            }),
        };
        let IntervalHeader {
            mut record,
            samples,
            rest: left,
        } = decoded
            .map_err(|error| self.refuse(format!("contains an invalid record ({error})")))?;
        self.next += limit - left.len();
        self.sampled = samples;
        if let Record::Interval(interval) = &mut record
            && samples > 0
            && !self.skip_samples
        {
            let mut columns = self.samples.get(self.next_samples..).unwrap_or_default();
            interval.samples = samples::decode(&mut columns, samples, self.checker.counters())
                .ok_or_else(|| self.refuse("contains invalid samples"))?;
            self.next_samples = self.samples.len() - columns.len();
        }
        self.checker
            .check(&record)
            .map_err(|rule| self.refuse(rule))?;
        Ok(Some(record))
    }

    /// The error for a broken rule.
    pub(super) fn refuse(&self, rule: impl std::fmt::Display) -> Error {
        let begin = self.begin;
        Error::new(
            ErrorKind::Data,
            format!("{rule} (in the block at byte {begin})"),
        )
        .hint("this eprof did not write it; record again")
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let record = self.record().transpose();
        self.done = !matches!(record, Some(Ok(_)));
        record
    }
}
