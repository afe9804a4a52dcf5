//! Reading lines: bounded, numbered, and nothing in them that is not known.

use std::io::{BufRead, Read as _};

use super::line::{Line, MAX_LINE, Meaning};
use crate::error::{Error, ErrorKind, Result};

/// The lines of a text.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    /// What the text is called.
    name: String,
    /// The number of the line that was read last, from 1 on.
    pub(super) number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`, which is called `name`.
    pub(super) fn new(input: R, name: &str) -> Self {
        Self {
            input,
            name: name.to_owned(),
            number: 0,
            line: Vec::new(),
        }
    }

    /// What the next line that is not empty means; `None` at the end.
    ///
    /// # Errors
    ///
    /// If the text cannot be read, or the line is not one of a recording.
    pub(super) fn next(&mut self) -> Result<Option<Meaning>> {
        loop {
            self.line.clear();
            let limit = MAX_LINE as u64 + 1;
            let mut input = (&mut self.input).take(limit);
            let read = input.read_until(b'\n', &mut self.line);
            let length = read.map_err(|error| {
                let sentence = format!("cannot read {}: {error}", self.name);
                Error::new(ErrorKind::Input, sentence)
            })?;
            if length == 0 {
                return Ok(None);
            }
            self.number += 1;
            if length > MAX_LINE {
                let most = MAX_LINE >> 20;
                return Err(self.refuse(format!("is longer than {most} MiB")));
            }
            if !self.line.trim_ascii().is_empty() {
                return self.parse().map(|line| Some(line.meaning()));
            }
        }
    }

    /// The error for a line of which `rule` is the second half of a sentence.
    pub(super) fn refuse(&self, rule: impl std::fmt::Display) -> Error {
        self.refuse_at(self.number, rule)
    }

    /// The same for another line.
    pub(super) fn refuse_at(&self, number: u64, rule: impl std::fmt::Display) -> Error {
        let name = &self.name;
        Error::new(ErrorKind::Data, format!("line {number} of {name} {rule}"))
    }

    fn parse(&self) -> Result<Line<'static>> {
        let mut unknown = None;
        let mut json = serde_json::Deserializer::from_slice(&self.line);
        let parsed = serde_ignored::deserialize(&mut json, |path| {
            unknown.get_or_insert_with(|| key(&path.to_string()));
        });
        let parsed = parsed.and_then(|line| json.end().map(|()| line));
        let line =
            parsed.map_err(|error| self.refuse(format!("is no record: {}", told(&error))))?;
        match unknown {
            None => Ok(line),
            Some(key) => Err(self.refuse(format!("has the key {key:?}, which is unknown"))),
        }
    }
}

/// What is wrong, and in which column: the parser knows of one line only.
fn told(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(what) => format!("{what} (column {column})"),
        None => text,
    }
}

/// Where a key is, without the choices on the way, which have no names there.
fn key(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').filter(|part| *part != "?").collect();
    parts.join(".")
}
