//! The kernel side as one thing: load, adopt the target, close intervals,
//! drain events.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::mem::offset_of;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::atomic::Ordering::SeqCst;

use eprof_common::table::MAX_REGIONS;
use eprof_common::{Control, CpuState, Region, Space};
use perf_event::Counter as PerfCounter;

use super::accounts::boundary;
use super::accounts::shared::Shared;
use super::accounts::task_table::TaskTable;
use super::counters::health::CounterState;
use super::counters::pmu::Counters;
use super::counters::{health, pmu};
use super::event::KernelEvent;
use super::hotplug::Hotplug;
use super::loader::link::Linked;
use super::loader::load;
use super::loader::load::Loaded;
use super::newcomers::Newcomers;
use super::refusal::refusal;
use super::returned::Returned;
use super::samples::ring::Ring;
use super::samples::wakeup::RingWakeup;
use super::samples::{decode, timers};
use super::settings::Unwinding;
use super::unwind_maps::mode;
use super::unwind_maps::regions::Regions;
use super::unwind_maps::tables::KernelTables;
use super::{Settings, overhead};
use crate::caveat::{Caveat, counted};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Cpus, SysRoot};
use crate::measurement::{Counter, IntervalAccounts, Loss, TaskId};
use crate::unit::{Nanos, Timestamp};

/// The clocks of eprof and of its kernel programs are one: reading them takes less
/// than this, unless eprof does not get to run.
const MOST_APART: Nanos = Nanos(1_000_000_000);

/// The kernel side, loaded and attached. Dropping it detaches everything.
pub struct Probe {
    linked: Linked,
    control: Shared<Control>,
    cpus: Shared<CpuState>,
    tasks: TaskTable,
    ring: Ring,
    wakeup: Option<RingWakeup>,
    online: Vec<u32>,
    newcomers: Newcomers,
    hotplug: Hotplug,
    returned: Returned,
    /// Those that came online since somebody asked.
    arrived: BTreeSet<u32>,
    /// Whose cgroup is sampled, where one is.
    cgroup: Option<File>,
    frequency_hz: u32,
    unwinding: Unwinding,
    /// What is mapped in the target's processes, where tables are used.
    regions: Option<Regions>,
    counters: Counters,
    /// Those of the cgroup, by CPU.
    cpu_timers: BTreeMap<u32, PerfCounter>,
    /// Those of threads.
    timers: Vec<PerfCounter>,
    run_times: overhead::RunTimes,
    epoch: u64,
    begin: Timestamp,
    /// The end of the current interval, where it is set already.
    armed: Option<boundary::Armed>,
    /// The worst lateness of a boundary.
    late: Nanos,
    /// Boundaries at which some CPU did not close its slice.
    unflushed: u64,
    malformed: u64,
    caveats: Vec<Caveat>,
}

impl Probe {
    /// Loads the programs and attaches the hooks. Nothing is followed yet.
    ///
    /// # Errors
    /// [`ErrorKind::Permission`] without CAP_BPF and CAP_PERFMON,
    /// [`ErrorKind::Unavailable`] where the kernel lacks something.
    pub fn load(settings: &Settings) -> Result<Self> {
        let unknown = |(path, error): (&str, std::io::Error)| {
            let sentence =
                format!("the CPUs of this machine are unknown: cannot read {path}: {error}");
            Error::new(ErrorKind::Unavailable, sentence)
                .hint("mount what describes them: mount -t sysfs sysfs /sys")
        };
        let hotplug = Hotplug::watch();
        let online = match &settings.online {
            Some(online) => online.clone(),
            None => Cpus::read(&SysRoot::machine()).numbers(),
        };
        let possible = aya::util::nr_cpus().map_err(unknown)?;
        let count = u32::try_from(possible).unwrap_or(u32::MAX);
        // The programs are told before they are loaded what to read.
        let (counters, absent) = Counters::open(&settings.counters, &online, &settings.core_pmus);
        let Loaded {
            linked,
            unwinding,
            mut caveats,
        } = load::load(settings, count, &counters)?;
        caveats.extend(pmu::caveat(&absent, &counters.present()));

        let slots = settings.slot_count() as usize;
        let groups = settings.group_count();
        let control = shared::<Control>(&linked, "CONTROL", 1)?;
        let cpus = shared::<CpuState>(&linked, "CPUS", possible)?;
        let tasks = TaskTable::new(
            shared(&linked, "SLOTS", slots)?,
            shared(&linked, "CELLS", slots * groups * 2)?,
            shared(&linked, "FREE", slots)?,
            groups,
        );
        let regions = (unwinding == Unwinding::Tables)
            .then(|| shared::<Region>(&linked, "REGIONS", MAX_REGIONS).map(Regions::new))
            .transpose()?;
        let ring = Ring::of(linked.map("SAMPLES")?, settings.ring_bytes as usize)
            .map_err(|error| refusal("map SAMPLES", &error))?;
        let probe = Self {
            linked,
            control,
            cpus,
            tasks,
            wakeup: RingWakeup::of(ring.fd()),
            ring,
            newcomers: Newcomers::beside(&online, count),
            hotplug,
            returned: Returned::default(),
            arrived: BTreeSet::new(),
            cgroup: None,
            online,
            frequency_hz: settings.frequency_hz,
            unwinding,
            regions,
            counters,
            cpu_timers: BTreeMap::new(),
            timers: Vec::new(),
            run_times: overhead::RunTimes::default(),
            epoch: 0,
            begin: Timestamp::default(),
            armed: None,
            late: Nanos::ZERO,
            unflushed: 0,
            malformed: 0,
            caveats,
        };
        probe.introduce()?;
        Ok(probe)
    }

    /// Runs `spawn`; the children that the calling thread makes meanwhile are
    /// the roots of the target.
    pub fn adopting<R>(&mut self, spawn: impl FnOnce() -> R) -> Result<R> {
        let caller = self.introduce()?;
        let adopt = self.control.u32(0, offset_of!(Control, adopt));
        adopt.store(caller, SeqCst);
        let result = spawn();
        adopt.store(0, SeqCst);
        Ok(result)
    }

    /// Tells the kernel side who we are, and gives the calling thread's id in
    /// the initial PID namespace, whatever namespace we live in.
    fn introduce(&self) -> Result<u32> {
        let program = self.linked.program("introduce")?;
        program
            .run(None)
            .map_err(|error| refusal("introduce", &error))?;
        Ok(self
            .control
            .u32(0, offset_of!(Control, caller_tid))
            .load(SeqCst))
    }

    /// Samples the stacks of whatever runs in the cgroup `directory` (an open
    /// cgroup v2 directory).
    pub fn sample_cgroup(&mut self, directory: &File) -> Result<()> {
        if self.frequency_hz > 0 {
            let program = self.sampler()?;
            self.cpu_timers =
                timers::of_cgroup(directory, &self.online, self.frequency_hz, program)?;
            self.cgroup = directory.try_clone().ok();
        }
        Ok(())
    }

    /// Samples the stacks of process `pid` (in our PID namespace) and of the
    /// children it will have. To be called before it execs.
    pub fn sample_process(&mut self, pid: u32) -> Result<()> {
        if self.frequency_hz > 0 {
            let program = self.sampler()?;
            self.timers = timers::of_process(pid, self.frequency_hz, program)?;
        }
        Ok(())
    }

    /// Samples the stacks of the thread `tid` (in our PID namespace), which runs
    /// already, and of what it starts from now on.
    pub fn sample_thread(&mut self, tid: u32) -> Result<()> {
        if self.frequency_hz > 0 {
            let program = self.sampler()?;
            let timers = timers::of_process(tid, self.frequency_hz, program)?;
            self.timers.extend(timers);
        }
        Ok(())
    }

    fn sampler(&self) -> Result<std::os::fd::RawFd> {
        let name = self.unwinding.program();
        let fd = self.linked.program(name)?.fd();
        Ok(fd.map_err(|error| refusal(name, &error))?.as_raw_fd())
    }

    /// Sets the next boundary in advance: the beginning of the first interval, or the
    /// end of the current one. It is at `at`, or now where that has passed. One that is
    /// set already is moved to an earlier time, never to a later one. Gives the
    /// boundary.
    pub fn arm(&mut self, at: Timestamp) -> Timestamp {
        let armed = match &mut self.armed {
            Some(armed) => {
                boundary::advance(&self.control, armed, at);
                *armed
            }
            None => *self
                .armed
                .insert(boundary::arm(&self.control, self.epoch + 1, at)),
        };
        armed.at
    }

    /// Begins the first interval, at the boundary that was set or now, and gives
    /// its beginning. Whatever was accounted before is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where the kernel programs have another clock.
    pub fn start(&mut self) -> Result<Timestamp> {
        self.cross(true)?;
        self.compare_clocks()?;
        Ok(self.begin)
    }

    /// Ends the interval and begins the next one: at the boundary that was set if that
    /// has passed, else now. `end` is the boundary. Where none was set, it is a few
    /// microseconds after the call, the moment to which readings taken just before
    /// belong. [`Self::drain`] is to be called before the accounts are used, for it
    /// reports the tasks that they name.
    pub fn close_interval(&mut self) -> Result<IntervalAccounts> {
        self.cross(false)
    }

    fn cross(&mut self, everyone: bool) -> Result<IntervalAccounts> {
        self.arm(Timestamp::default());
        let flush = self.linked.program("flush")?;
        let Some(armed) = self.armed.take() else {
            return Err(Error::new(ErrorKind::Internal, "no boundary was set"));
        };
        let epoch = armed.epoch;
        let all: Vec<u32> = self
            .online
            .iter()
            .chain(self.newcomers.cpus())
            .copied()
            .collect();
        let crossed = boundary::cross(&self.cpus, &all, flush, armed, everyone);
        let begin = std::mem::replace(&mut self.begin, crossed.at);
        self.epoch = epoch;
        self.late = self.late.max(crossed.late);
        self.unflushed += u64::from(crossed.unflushed > 0);
        self.tasks.discover(&self.control);
        let parity = usize::from(!epoch.is_multiple_of(2)) ^ 1;
        let accounts = IntervalAccounts {
            begin,
            end: crossed.at,
            cpus: self
                .online
                .iter()
                .filter(|cpu| (**cpu as usize) < self.cpus.len())
                .map(|cpu| boundary::collect(&self.cpus, *cpu, parity))
                .collect(),
            threads: self.tasks.collect(parity),
        };
        self.counters.watch(&accounts.cpus);
        self.follow_arrivals(parity, (!everyone).then_some(&accounts));
        self.run_times.at(epoch);
        Ok(accounts)
    }

    /// All CPUs have just begun a slice.
    fn compare_clocks(&self) -> Result<()> {
        let now = clock::now();
        let online = self
            .online
            .iter()
            .filter(|cpu| (**cpu as usize) < self.cpus.len());
        let starts = online.map(|cpu| {
            let start = offset_of!(CpuState, start);
            Timestamp(self.cpus.u64(*cpu as usize, start).load(SeqCst))
        });
        let off = |start: Timestamp| start.since(now).max(now.since(start));
        match starts.map(off).min() {
            Some(off) if off > MOST_APART => Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "the kernel programs' clock is {:.1} s away from eprof's, which is in a time \
                     namespace that it cannot see",
                    off.seconds()
                ),
            )
            .hint("mount /proc, or run eprof outside: nsenter --time --target 1 eprof run -- …")),
            _ => Ok(()),
        }
    }

    /// Follows CPUs that came online meanwhile, for the first time or again. Of an interval
    /// that counts, these are the `accounts`.
    fn follow_arrivals(&mut self, parity: usize, accounts: Option<&IntervalAccounts>) {
        let new = self.newcomers.look(&self.cpus, parity);
        let again = self.hotplug.arrived();
        let arrived: BTreeSet<u32> = new.into_iter().chain(again).collect();
        for &cpu in &arrived {
            let refused = self.set_timer(cpu).err().map(|error| error.to_string());
            if !self.online.contains(&cpu) {
                self.newcomers.sampled(cpu, refused.is_none());
            } else if let (Some(accounts), true) = (accounts, self.cgroup.is_some()) {
                let mut there = accounts.cpus.iter().filter(|of| of.cpu == cpu);
                let ran = there.next().map_or(Nanos::ZERO, |of| of.target.on_cpu);
                self.returned.note(cpu, ran, refused);
            }
        }
        self.arrived.extend(arrived);
    }

    /// Sets the timer of a CPU anew, where there are such: those of threads run on any.
    fn set_timer(&mut self, cpu: u32) -> Result<()> {
        if let Some(cgroup) = &self.cgroup {
            let program = self.sampler()?;
            let timers = timers::of_cgroup(cgroup, &[cpu], self.frequency_hz, program)?;
            self.cpu_timers.extend(timers);
        }
        Ok(())
    }

    /// The CPUs that came online since the last call, for the first time or again: what
    /// was opened on them is dead.
    pub fn take_arrived(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.arrived)
    }

    /// Hands over everything that happened since the last call: tasks first,
    /// so that each is known before anything names it, then samples, then
    /// new names and ends.
    pub fn drain(&mut self, take: &mut impl FnMut(KernelEvent)) {
        self.tasks.discover(&self.control);
        self.tasks.events.drain(..).for_each(&mut *take);
        while let Some(record) = self.ring.next() {
            let Some((serial, mut sample)) = decode::decode(record) else {
                self.malformed += 1;
                continue;
            };
            sample.task = self.tasks.task(serial);
            if sample.task.is_none() && serial != 0 {
                self.tasks.discover(&self.control);
                self.tasks.events.drain(..).for_each(&mut *take);
                sample.task = self.tasks.task(serial);
            }
            take(KernelEvent::Sample(sample));
        }
        self.tasks.review(&self.control, self.epoch);
        self.tasks.events.drain(..).for_each(&mut *take);
    }

    /// Becomes readable when there is a sample whose stack the kernel has not walked to
    /// its end, but could have with more tables.
    pub fn copies(&self) -> Option<BorrowedFd<'_>> {
        self.wakeup.as_ref().map(RingWakeup::descriptor)
    }

    /// Makes that unreadable, until the next such sample; tells whether there
    /// was one.
    pub fn take_wakeup(&self) -> bool {
        self.wakeup.as_ref().is_some_and(RingWakeup::take)
    }

    /// The maps for unwind tables; `None` where the kernel does not walk by
    /// them.
    ///
    /// # Errors
    /// Where they cannot be mapped into memory.
    pub fn tables(&self) -> Result<Option<KernelTables>> {
        let used = self.unwinding == Unwinding::Tables && self.frequency_hz > 0;
        used.then(|| KernelTables::of(&self.linked)).transpose()
    }

    /// How user stacks are walked.
    pub fn unwinding(&self) -> Unwinding {
        self.unwinding
    }

    /// The bits of a return address that are part of the address.
    pub fn code_mask(&self) -> u64 {
        mode::code_mask()
    }

    /// Stores what is mapped in a process, ascending; `None` where there is no
    /// room, or tables are not used.
    pub fn add_space(&mut self, regions: &[Region]) -> Option<Space> {
        self.regions.as_mut()?.add(regions)
    }

    /// Takes back those of `spaces` that no thread uses any more. None of them
    /// may have been given to a thread lately: a fork may be on its way.
    pub fn remove_spaces(&mut self, spaces: &mut Vec<Space>) {
        let Some(regions) = &mut self.regions else {
            return;
        };
        let used = self.tasks.spaces();
        spaces.retain(|space| {
            let free = !used.contains(&space.0);
            if free {
                regions.remove(*space);
            }
            !free
        });
    }

    /// Tells the sampling program what is mapped in a thread's process.
    pub fn set_space(&self, task: TaskId, space: Space) {
        self.tasks.set_space(task, space);
    }

    /// The CPUs that are online, ascending.
    pub fn cpus(&self) -> &[u32] {
        &self.online
    }

    /// The counters that there are on each CPU, ascending.
    pub fn counters(&self) -> Vec<Counter> {
        self.counters.present()
    }

    /// Those of them that stood still on a busy CPU, or did not count all the
    /// time so far.
    pub fn distrusted(&mut self) -> Vec<Counter> {
        let states = self.counters.states();
        let bad = |counter: &Counter| {
            states
                .iter()
                .any(|(_, other, state)| other == counter && *state != CounterState::Live)
        };
        Counter::ALL.into_iter().filter(bad).collect()
    }

    /// Everything lost so far, by reason.
    pub fn losses(&self) -> Loss {
        let mut loss = overhead::losses(&self.linked, &self.cpus);
        loss.count("sample-malformed", self.malformed);
        loss
    }

    /// Runs of each kernel program so far and their mean cost in nanoseconds,
    /// where the kernel let us measure it.
    pub fn footprint(&self) -> Vec<(String, u64, Option<f64>)> {
        overhead::programs(&self.linked, &self.cpus)
    }

    /// What makes the accounts less true, so far.
    pub fn caveats(&mut self) -> Vec<Caveat> {
        let mut caveats = self.caveats.clone();
        caveats.extend(health::caveats(&self.counters.states()));
        if self.late > Nanos(50_000) {
            let micros = self.late.0 / 1000;
            caveats.push(Caveat::new(
                "boundary-late",
                format!(
                    "an interval's boundary became known up to {micros} µs late; as much CPU \
                     time may be charged to the interval before"
                ),
            ));
        }
        caveats.extend(self.newcomers.caveat());
        caveats.extend(self.returned.caveat());
        if self.unflushed > 0 {
            caveats.push(Caveat::new(
                "slice-open",
                format!(
                    "at {} a CPU did not close its slice; the time is charged one interval late",
                    counted(self.unflushed, "boundary", "boundaries")
                ),
            ));
        }
        caveats
    }
}

fn shared<T>(linked: &Linked, name: &str, len: usize) -> Result<Shared<T>> {
    Shared::map(linked.map(name)?, len).map_err(|error| refusal(&format!("map {name}"), &error))
}
