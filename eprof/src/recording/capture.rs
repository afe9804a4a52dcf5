//! A recording while it is made: interns what repeats, counts samples, and
//! writes a block per interval.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use crate::error::{Error, ErrorKind, Result};
use crate::measurement::{
    CpuGroupId, Frame, IntervalAccounts, Lines, Loss, Object, ObjectId, Reading, SampledSlice,
    Segment, StackId, Symbol, Task, TaskId,
};
use crate::unit::Timestamp;

use super::catalog::Catalog;
use super::check::{MAX_SEGMENTS, MAX_STRING};
use super::format::MAX_RECORD;
use super::record::{End, Extent, Header, IntervalRecord, Record, SampleCount};
use super::stack::{StackTable, number};
use super::write::Writer;

/// Longest command line that is kept, in bytes.
const MAX_COMMAND: usize = MAX_STRING;

/// Longest function name that is kept, in bytes: C++ templates have no limit.
const MAX_FUNCTION: usize = 16 << 10;

/// Longest names of the functions of one frame that are kept, in bytes. A
/// record holds them all.
const MAX_FUNCTIONS: usize = MAX_RECORD / 2;

/// Builds a recording and writes it to `W`.
///
/// What refers to a task, CPU or CPU group that was never announced is left out
/// and counted in [`losses`](Self::losses): one slip must not make a whole
/// recording unreadable. Nor does a full disk end the measurement: the first
/// failure to write is kept ([`failure`](Self::failure)), nothing is written
/// from then on, and everything else goes on.
#[derive(Debug)]
pub struct Capture<W: Write> {
    writer: Writer<W>,
    catalog: Catalog,
    stacks: StackTable,
    /// CPU group by CPU.
    groups: Vec<Option<CpuGroupId>>,
    /// The samples of the open interval.
    samples: HashMap<(TaskId, CpuGroupId, StackId), SampleCount>,
    /// What the intervals so far cover.
    extent: Extent,
    losses: Loss,
    failure: Option<Error>,
    /// Whether kernel addresses stay out of the file.
    masked: bool,
}

/// A recording that was made.
#[derive(Debug)]
pub struct Finished<W> {
    /// Where it was written to; `None` after a failure.
    pub out: Option<W>,
    /// All of it but the intervals.
    pub catalog: Catalog,
    /// Why the recording that was written is not whole.
    pub failure: Option<Error>,
}

impl<W: Write> Capture<W> {
    /// Begins a recording, and writes the header at once.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written, or the header contradicts itself.
    pub fn new(out: W, mut header: Header) -> Result<Self> {
        shorten_command(&mut header.command.argv);
        let mut groups = Vec::new();
        for group in &header.cpu_groups {
            for &cpu in &group.cpus {
                let cpu = cpu as usize;
                if groups.len() <= cpu {
                    groups.resize(cpu + 1, None);
                }
                groups[cpu] = Some(group.id);
            }
        }
        let mut capture = Self {
            writer: Writer::new(out)?,
            catalog: Catalog::new(header.clone()),
            stacks: StackTable::new(),
            groups,
            samples: HashMap::new(),
            extent: Extent::default(),
            losses: Loss::default(),
            failure: None,
            masked: false,
        };
        capture.writer.push(&Record::Header(Box::new(header)))?;
        capture.writer.flush()?;
        Ok(capture)
    }

    /// From now on, the file has the numbers of kernel frames in place of their
    /// addresses, which tell where the kernel lies. [`catalog`](Self::catalog)
    /// keeps these, so that names can be found.
    pub fn mask_kernel_addresses(&mut self) {
        self.masked = true;
    }

    /// Takes in what tells the run from others of the same job.
    ///
    /// # Errors
    ///
    /// `Internal` if that is absurdly much.
    pub fn labels(&mut self, labels: BTreeMap<String, String>) -> Result<()> {
        self.push(Record::Labels { labels })
    }

    /// Takes in a thread that was created, or that began anew with an exec. Its
    /// id must be the number of threads so far.
    ///
    /// # Errors
    ///
    /// `Internal` if it is not.
    pub fn created(&mut self, task: Task) -> Result<()> {
        self.push(Record::Task(task))
    }

    /// Takes in a thread's new name.
    ///
    /// # Errors
    ///
    /// `Internal` if the name is absurdly long.
    pub fn renamed(&mut self, task: TaskId, at: Timestamp, comm: String) -> Result<()> {
        self.about(task, Record::Renamed { task, at, comm })
    }

    /// Takes in a thread's end.
    ///
    /// # Errors
    ///
    /// `Internal` if no clock shows that time.
    pub fn gone(&mut self, task: TaskId, at: Timestamp) -> Result<()> {
        self.about(task, Record::Gone { task, at })
    }

    /// Writes what happened to a thread, if that was announced.
    fn about(&mut self, task: TaskId, record: Record) -> Result<()> {
        if self.knows(task) {
            return self.push(record);
        }
        self.losses.count("event-of-unknown-task", 1);
        Ok(())
    }

    /// Takes in the next object. (Two files may look the same, so it is not for
    /// the recording to make one of them.)
    ///
    /// # Errors
    ///
    /// `Internal` if its path or build id is absurdly long.
    pub fn object(&mut self, object: Object) -> Result<ObjectId> {
        let id = ObjectId(number(self.catalog.objects.len()));
        self.push(Record::Object(object))?;
        Ok(id)
    }

    /// Counts `count` more losses for `reason`.
    pub fn lost(&mut self, reason: &str, count: u64) {
        self.losses.count(reason, count);
    }

    /// Counts a sample of a thread, which stands for `slice`, with its stack, root
    /// first.
    pub fn sample(&mut self, task: TaskId, slice: &SampledSlice, stack: &[Frame]) {
        if !self.knows(task) {
            self.losses.count("sample-of-unknown-task", 1);
            return;
        }
        let Some(group) = self.sampled_group(slice.cpu) else {
            self.losses.count("sample-outside-groups", 1);
            return;
        };
        let stack = self.stacks.intern(stack);
        let one = SampleCount {
            task,
            group,
            stack,
            count: 1,
            spent: slice.spent,
            counts: slice.counts,
        };
        self.samples
            .entry((task, group, stack))
            .and_modify(|sum| sum.add(&one))
            .or_insert(one);
    }

    /// Closes the interval: writes what became known in it, its accounts, the
    /// readings at its end and its samples, and gives back the record so that
    /// it can be attributed at once.
    ///
    /// # Errors
    ///
    /// `Internal` if the interval contradicts those before (time or a reading
    /// goes backwards).
    pub fn close(
        &mut self,
        accounts: IntervalAccounts,
        readings: Vec<Reading>,
    ) -> Result<IntervalRecord> {
        self.define_stacks()?;
        let IntervalAccounts {
            begin,
            end,
            mut cpus,
            mut threads,
        } = accounts;
        let (had_cpus, had_threads) = (cpus.len(), threads.len());
        cpus.retain(|account| self.group(account.cpu).is_some());
        threads.retain(|account| {
            self.knows(account.task)
                && usize::from(account.group.0) < self.catalog.header.cpu_groups.len()
        });
        let (lost_cpus, lost_threads) = (had_cpus - cpus.len(), had_threads - threads.len());
        self.losses.count("cpu-outside-groups", lost_cpus as u64);
        self.losses
            .count("account-of-unknown-task", lost_threads as u64);

        // In a fixed order, so that the same run gives the same bytes.
        let mut samples: Vec<_> = self.samples.drain().map(|(_, sum)| sum).collect();
        samples.sort_unstable_by_key(|sample| (sample.task, sample.group, sample.stack));

        let interval = IntervalRecord {
            begin,
            end,
            readings,
            cpus,
            threads,
            samples,
        };
        let record = Record::Interval(interval);
        self.write(&record)?;
        // Of one that is too large to be written, too.
        self.extent.add(begin, end);
        let flushed = self.writer.flush();
        self.keep_failure(flushed)?;
        Ok(self.catalog.take(record).unwrap_or_default())
    }

    /// Takes in a frame's functions; see [`catalog`](Self::catalog) for the
    /// frames. Endless names are shortened.
    ///
    /// # Errors
    ///
    /// `Internal` if the frame is unknown or has no function.
    pub fn symbol(&mut self, mut symbol: Symbol) -> Result<()> {
        let limit = share(symbol.functions.len());
        for name in &mut symbol.functions {
            shorten(name, limit);
        }
        self.push(Record::Symbol(symbol))
    }

    /// Takes in where in the source a frame's functions were. Endless paths
    /// are shortened.
    ///
    /// # Errors
    ///
    /// `Internal` if the frame is unknown or has too many lines.
    pub fn lines(&mut self, mut lines: Lines) -> Result<()> {
        let limit = share(lines.lines.len());
        for line in lines.lines.iter_mut().flatten() {
            shorten(&mut line.file, limit);
        }
        self.push(Record::Lines(lines))
    }

    /// Takes in the code segments of an object; too many are cut off.
    ///
    /// # Errors
    ///
    /// `Internal` if the object is unknown.
    pub fn segments(&mut self, object: ObjectId, mut segments: Vec<Segment>) -> Result<()> {
        segments.truncate(MAX_SEGMENTS);
        self.push(Record::Segments { object, segments })
    }

    /// Everything recorded so far except the intervals. Frames and stacks
    /// appear when the interval in which they were sampled is closed.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What was left out so far; [`finish`](Self::finish) adds it to the end.
    pub fn losses(&self) -> &Loss {
        &self.losses
    }

    /// The first failure to write, after which nothing is written any more.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Ends the recording. Samples after the last interval are a loss. What the intervals
    /// cover is put into `end`.
    ///
    /// # Errors
    ///
    /// `Internal` if the end contradicts itself.
    pub fn finish(mut self, mut end: End) -> Result<Finished<W>> {
        let late = self.samples.values().map(|of| u64::from(of.count)).sum();
        self.losses.count("sample-after-last-interval", late);
        for (reason, &count) in &self.losses.0 {
            end.losses.count(reason, count);
        }
        end.extent = self.extent;
        self.push(Record::End(Box::new(end)))?;
        let (out, failed) = match self.writer.finish() {
            Ok(out) => (Some(out), None),
            Err(error) => (None, Some(error)),
        };
        Ok(Finished {
            out,
            catalog: self.catalog,
            failure: self.failure.or(failed),
        })
    }

    /// Writes a record that is not an interval, and takes note of it.
    fn push(&mut self, record: Record) -> Result<()> {
        self.write(&record)?;
        self.catalog.take(record);
        Ok(())
    }

    /// Writes a record.
    fn write(&mut self, record: &Record) -> Result<()> {
        let written = self.writer.push(record);
        self.keep_failure(written)
    }

    /// Keeps a failure of the file to itself.
    fn keep_failure(&mut self, written: Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() != ErrorKind::Internal => {
                self.failure.get_or_insert(error);
                Ok(())
            }
            other => other,
        }
    }

    /// Writes the frames and stacks that are new since the last interval.
    fn define_stacks(&mut self) -> Result<()> {
        let frames = self.catalog.frames.len()..self.stacks.frames().len();
        for index in frames {
            let frame = self.stacks.frames()[index];
            match frame {
                Frame::Kernel { returns, .. } if self.masked => {
                    let address = index as u64;
                    self.write(&Record::Frame(Frame::Kernel { address, returns }))?;
                    self.catalog.take(Record::Frame(frame));
                }
                _ => self.push(Record::Frame(frame))?,
            }
        }
        let nodes = self.catalog.stacks.len()..self.stacks.nodes().len();
        for index in nodes {
            let node = self.stacks.nodes()[index];
            self.push(Record::Stack(node))?;
        }
        Ok(())
    }

    /// Whether a task was announced.
    fn knows(&self, task: TaskId) -> bool {
        (task.0 as usize) < self.catalog.tasks.len()
    }

    /// The CPU group of a sample's CPU: one that came online during the run counts to
    /// the only group, as it does in the accounts of threads.
    fn sampled_group(&self, cpu: u32) -> Option<CpuGroupId> {
        let only = match &*self.catalog.header.cpu_groups {
            [only] => Some(only.id),
            _ => None,
        };
        self.group(cpu).or(only)
    }

    /// The CPU group of a CPU.
    fn group(&self, cpu: u32) -> Option<CpuGroupId> {
        self.groups.get(cpu as usize).copied().flatten()
    }
}

/// Keeps the first megabyte of a command line.
fn shorten_command(argv: &mut Vec<String>) {
    let mut left = MAX_COMMAND;
    let mut kept = 0;
    for arg in argv.iter_mut() {
        if left <= '…'.len_utf8() {
            break;
        }
        shorten(arg, left);
        // An empty argument takes room, too.
        left = left.saturating_sub(arg.len().max(1));
        kept += 1;
    }
    if kept < argv.len() {
        argv.truncate(kept);
        argv.push("…".to_owned());
    }
}

/// Longest name of each of so many functions that is kept, in bytes.
fn share(functions: usize) -> usize {
    MAX_FUNCTION.min(MAX_FUNCTIONS / functions.max(1))
}

/// Shortens a text to at most `limit` bytes, at the boundary of a character,
/// and shows that it was.
fn shorten(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
}
