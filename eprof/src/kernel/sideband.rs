//! The perf sideband: the kernel reports every executable mapping of the target when it
//! is made, so that eprof never polls `/proc`.
//!
//! One `dummy` software event per CPU carries `PERF_RECORD_MMAP2` with build
//! ids (kernel/events/core.c, `perf_event_mmap_event`). It also carries
//! `PERF_RECORD_COMM` with the exec flag. `begin_new_exec` (fs/exec.c) writes that
//! record after the old image is gone and before the new one is mapped: it is the exact
//! boundary between two images. The tracepoint `sched_process_exec` fires only after
//! the new image is mapped.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use perf_event::data::endian::Native;
use perf_event::data::parse::{ParseConfig, Parser};
use perf_event::data::{Comm, Lost, Mmap2, RecordMetadata, Visitor};
use perf_event::events::Software;
use perf_event::{Builder, Clock, ReadFormat, SampleFlag, Sampler};
use perf_event_open_sys::bindings::{PERF_RECORD_MISC_COMM_EXEC, perf_event_header};

use super::{Inode, Mapping};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::cpus::is_online;
use crate::host::elevation;
use crate::host::remedy::{self, Asked, Place};
use crate::measurement::Loss;
use crate::unit::Timestamp;

/// Size in bytes of the ring of one CPU, where the limits of locked memory
/// allow it: about 8000 mappings, or 1600 starts of a small program.
const RING: usize = 1 << 20;

/// The smallest ring that is still tried.
const SMALLEST_RING: usize = 1 << 14;

/// Every executable mapping of the target, in order of time.
pub struct Sideband {
    rings: Vec<Ring>,
    /// Records that are newer than the last [`Sideband::drain`].
    held: Vec<Record>,
    /// Processes that exec'ed and whose first mapping was not yet seen.
    exec: HashSet<u32>,
    unreadable: u64,
    /// Records lost in rings that are no more.
    lost: u64,
    /// The cgroup that is watched, where one is.
    cgroup: Option<File>,
}

struct Ring {
    cpu: u32,
    sampler: Sampler,
    lost: u64,
    /// Whether whom it tells of is gone, or has become somebody of whom the kernel
    /// does not tell: nothing will come any more.
    over: bool,
}

struct Record {
    at: Timestamp,
    body: Body,
}

enum Body {
    Exec { pid: u32 },
    Map(Mapping),
    Lost(u64),
    Ignored,
}

/// Whose mappings are watched.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Cgroup(&'a File),
    Process(i32),
}

impl Sideband {
    /// Watches the cgroup v2 whose directory is open as `cgroup`, and the
    /// cgroups below it, on `cpus` (all that are online).
    ///
    /// # Errors
    /// Fails where the kernel refuses the events: `CAP_PERFMON` (or root) is
    /// needed, or `CAP_SYS_ADMIN` before Linux 5.8.
    pub fn cgroup(cgroup: &File, cpus: &[u32]) -> Result<Self> {
        let mut opened = Self::open(Scope::Cgroup(cgroup), cpus)?;
        opened.cgroup = cgroup.try_clone().ok();
        Ok(opened)
    }

    /// Watches the process `pid` and everything that it forks from now on, on
    /// `cpus` (all that are online). To see the first image, open this before
    /// the process execs.
    ///
    /// # Errors
    /// Fails where the kernel refuses the events, or the process is gone.
    pub fn process(pid: u32, cpus: &[u32]) -> Result<Self> {
        let pid = i32::try_from(pid)
            .map_err(|_| Error::new(ErrorKind::Internal, format!("{pid} is not a process id")))?;
        Self::open(Scope::Process(pid), cpus)
    }

    fn open(scope: Scope<'_>, cpus: &[u32]) -> Result<Self> {
        let _raised = elevation::raised(elevation::KERNEL);
        let rings = cpus
            .iter()
            .filter_map(|&cpu| {
                let opened = Ring::open(scope, cpu);
                // On one that went offline meanwhile, nothing is mapped.
                (opened.is_ok() || is_online(cpu)).then_some(opened)
            })
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| refused(&error))?;
        Ok(Self {
            rings,
            held: Vec::new(),
            exec: HashSet::new(),
            unreadable: 0,
            lost: 0,
            cgroup: None,
        })
    }

    /// Watches the process `pid`, too, and everything that it forks from now on.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    pub fn also(&mut self, pid: u32, cpus: &[u32]) -> Result<()> {
        let more = Self::process(pid, cpus)?;
        self.rings.extend(more.rings);
        Ok(())
    }

    /// Watches a CPU that came online, for the first time or again: the cgroup's event
    /// there is dead. Those of processes live on.
    ///
    /// # Errors
    /// As [`cgroup`](Self::cgroup).
    pub fn renew(&mut self, cpu: u32) -> Result<()> {
        let Some(cgroup) = &self.cgroup else {
            return Ok(());
        };
        let _raised = elevation::raised(elevation::KERNEL);
        let new = match Ring::open(Scope::Cgroup(cgroup), cpu) {
            Ok(new) => new,
            // It is gone again.
            Err(_) if !is_online(cpu) => return Ok(()),
            Err(error) => return Err(refused(&error)),
        };
        // The rings of processes were added behind.
        match self.rings.iter_mut().find(|ring| ring.cpu == cpu) {
            Some(ring) => {
                let mut old = std::mem::replace(ring, new);
                self.unreadable += old.read(&mut self.held);
                self.lost += old.lost();
            }
            None => self.rings.insert(0, new),
        }
        Ok(())
    }

    /// The descriptor at this position of [`descriptors`](Self::descriptors) will
    /// never be readable any more.
    pub fn over(&mut self, at: usize) {
        let mut live = self.rings.iter_mut().filter(|ring| !ring.over);
        if let Some(ring) = live.nth(at) {
            ring.over = true;
        }
    }

    /// Descriptors that become readable when something was mapped: whoever
    /// sleeps between two intervals polls these and drains early.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let live = self.rings.iter().filter(|ring| !ring.over);
        live.map(|ring| {
            let fd = ring.sampler.as_raw_fd();
            #[expect(unsafe_code, reason = "perf-event2 lends only raw descriptors")]
            // SAFETY: the sampler owns the descriptor and is borrowed for as
            // long as the result is.
            unsafe {
                BorrowedFd::borrow_raw(fd)
            }
        })
    }

    /// Hands out every mapping that was made before this call, in order of
    /// time across all CPUs.
    ///
    /// Call it after the samples were drained: then the mapping that a sample
    /// points into is always known.
    pub fn drain(&mut self, sink: &mut impl FnMut(Mapping)) {
        // The rings are read one after the other. What was written since is
        // kept for the next time: it may follow something that is still
        // unread in a ring that was already visited.
        let until = clock::now();
        for ring in &mut self.rings {
            self.unreadable += ring.read(&mut self.held);
        }
        self.held.sort_by_key(|record| record.at);
        let ready = self.held.partition_point(|record| record.at <= until);
        for record in self.held.drain(..ready) {
            match record.body {
                Body::Exec { pid } => {
                    self.exec.insert(pid);
                }
                Body::Map(mut mapping) => {
                    mapping.fresh = self.exec.remove(&mapping.pid);
                    sink(mapping);
                }
                Body::Lost(_) | Body::Ignored => {}
            }
        }
    }

    /// What was lost so far: `mapping-ring-lost`, records for which a ring
    /// had no room, and `mapping-unreadable`, records of unknown form.
    pub fn losses(&mut self) -> Loss {
        let mut loss = Loss::default();
        let lost: u64 = self.rings.iter_mut().map(Ring::lost).sum();
        loss.count("mapping-ring-lost", lost + self.lost);
        loss.count("mapping-unreadable", self.unreadable);
        loss
    }
}

impl Ring {
    fn open(scope: Scope<'_>, cpu: u32) -> io::Result<Self> {
        let mut size = RING;
        loop {
            // A kernel before 6.0 does not know PERF_FORMAT_LOST, one before
            // 5.12 no build ids in MMAP2.
            let opened = event(scope, cpu, true, true)
                .or_else(|_| event(scope, cpu, true, false))
                .or_else(|_| event(scope, cpu, false, false));
            match opened.and_then(|counter| counter.sampled(size)) {
                Ok(mut sampler) => {
                    sampler.enable()?;
                    return Ok(Self {
                        cpu,
                        sampler,
                        lost: 0,
                        over: false,
                    });
                }
                // EPERM or ENOMEM: more locked memory than is allowed
                // (kernel.perf_event_mlock_kb).
                Err(_) if size > SMALLEST_RING => size /= 2,
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves everything that is in the ring to `records`; returns how many
    /// records could not be read.
    fn read(&mut self, records: &mut Vec<Record>) -> u64 {
        let config = self.sampler.config().clone();
        let mut unreadable = 0;
        while let Some(record) = self.sampler.next_record() {
            let bytes = record.to_contiguous();
            match parse(&config, record.ty(), record.misc(), &bytes) {
                Some(Record {
                    body: Body::Lost(n),
                    ..
                }) => self.lost += n,
                Some(Record {
                    body: Body::Ignored,
                    ..
                }) => {}
                Some(record) => records.push(record),
                None => unreadable += 1,
            }
        }
        unreadable
    }

    /// Records lost in this ring. LOST records come with the next record that
    /// fits, so that the last losses are in the counter only; the counter, in
    /// turn, does not hold the losses of inherited events.
    fn lost(&mut self) -> u64 {
        let counted = self.sampler.read_full().ok().and_then(|data| data.lost());
        self.lost.max(counted.unwrap_or(0))
    }
}

fn event(
    scope: Scope<'_>,
    cpu: u32,
    build_id: bool,
    count_lost: bool,
) -> io::Result<perf_event::Counter> {
    let mut builder = Builder::new(Software::DUMMY);
    match scope {
        Scope::Cgroup(cgroup) => builder.observe_cgroup(cgroup),
        Scope::Process(pid) => builder.observe_pid(pid).inherit(true),
    };
    if count_lost {
        builder.read_format(ReadFormat::LOST);
    }
    builder
        .one_cpu(cpu as usize)
        // The kernel counts listeners by `mmap` alone, and then writes MMAP2
        // for `mmap2` (account_event, perf_event_mmap_event).
        .mmap(true)
        .mmap2(true)
        .build_id(build_id)
        .comm(true)
        .comm_exec(true)
        .sample_id_all(true)
        .sample(SampleFlag::TIME)
        .clockid(Clock::MONOTONIC)
        .wakeup_watermark(1)
        .build()
}

fn parse(config: &ParseConfig<Native>, ty: u32, misc: u16, bytes: &[u8]) -> Option<Record> {
    let header = perf_event_header {
        type_: ty,
        misc,
        size: u16::try_from(bytes.len() + size_of::<perf_event_header>()).ok()?,
    };
    Parser::new(bytes, config.clone())
        .parse_record_with_header(Reader, header)
        .ok()
}

struct Reader;

impl Visitor<'_> for Reader {
    type Output = Record;

    fn visit_unimplemented(self, metadata: RecordMetadata) -> Record {
        Record {
            at: at(&metadata),
            body: Body::Ignored,
        }
    }

    fn visit_mmap2(self, record: Mmap2<'_>, metadata: RecordMetadata) -> Record {
        let inode = match (record.maj(), record.min(), record.ino()) {
            (Some(major), Some(minor), Some(number)) if number != 0 => Some(Inode {
                device: libc::makedev(major, minor),
                number,
                generation: record.ino_generation().unwrap_or(0),
            }),
            _ => None,
        };
        let at = at(&metadata);
        let mapping = Mapping {
            pid: record.pid,
            at,
            start: record.addr,
            end: record.addr.saturating_add(record.len),
            offset: record.pgoff,
            path: String::from_utf8_lossy(&record.filename).into_owned(),
            build_id: record.build_id().map(<[u8]>::to_vec),
            inode,
            fresh: false,
        };
        Record {
            at,
            body: Body::Map(mapping),
        }
    }

    fn visit_comm(self, record: Comm<'_>, metadata: RecordMetadata) -> Record {
        let exec = u32::from(metadata.misc()) & PERF_RECORD_MISC_COMM_EXEC != 0;
        Record {
            at: at(&metadata),
            body: if exec {
                Body::Exec { pid: record.pid }
            } else {
                Body::Ignored
            },
        }
    }

    fn visit_lost(self, record: Lost, metadata: RecordMetadata) -> Record {
        Record {
            at: at(&metadata),
            body: Body::Lost(record.lost),
        }
    }
}

fn at(metadata: &RecordMetadata) -> Timestamp {
    Timestamp(metadata.sample_id().time().unwrap_or(0))
}

fn refused(error: &io::Error) -> Error {
    let sentence = format!("the kernel does not report the target's mappings: {error}");
    match remedy::of(Asked::Rings, error.raw_os_error(), &Place::here()) {
        Some(remedy) => {
            let sentence = format!("{sentence}: {}", remedy.cause);
            Error::new(remedy.kind(), sentence).hint(remedy.hint)
        }
        None => Error::new(ErrorKind::Unavailable, sentence),
    }
}
