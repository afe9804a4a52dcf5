//! The task table: the slots of the kernel side, as tasks of the target.
//!
//! Slots are handed out in the order of tickets, from a ring of free slots
//! that this side fills. So the tickets taken since the last look tell the new task
//! instances: no event can be lost, and nothing needs to be searched.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::offset_of;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use eprof_common::{Cell, Control, Slot, Space, slot::EMPTY};

use super::cell;
use super::shared::Shared;
use crate::kernel::event::KernelEvent;
use crate::measurement::{CpuGroupId, Task, TaskId, ThreadAccount};
use crate::unit::Timestamp;

/// A task instance whose slot is in use.
struct Live {
    slot: usize,
    serial: u64,
    task: TaskId,
    /// Version of the name last looked at, and the name last reported.
    version: u32,
    comm: String,
    gone_reported: bool,
    /// The epoch in which it was first seen that it never runs again.
    freed_in: Option<u64>,
}

/// All task instances, by slot and serial.
pub(in crate::kernel) struct TaskTable {
    slots: Shared<Slot>,
    cells: Shared<Cell>,
    free: Shared<u64>,
    groups: usize,
    /// What this side put into each entry of the ring, and for which ticket.
    filled: Vec<(u64, u64)>,
    /// Tickets looked at.
    seen: u64,
    /// Tickets that were taken, but whose slot was not filled yet.
    pending: Vec<u64>,
    live: Vec<Live>,
    ids: HashMap<u64, TaskId>,
    /// The slots of the living.
    places: HashMap<TaskId, usize>,
    next_id: u32,
    /// What is to be reported.
    pub(in crate::kernel) events: VecDeque<KernelEvent>,
}

impl TaskTable {
    /// A table whose slots are all free. The number of slots is a power of two.
    pub(in crate::kernel) fn new(
        slots: Shared<Slot>,
        cells: Shared<Cell>,
        free: Shared<u64>,
        groups: usize,
    ) -> Self {
        let filled: Vec<_> = (0..slots.len() as u64).map(|slot| (slot, slot)).collect();
        for (slot, _) in &filled {
            free.u64(*slot as usize, 0).store(*slot, Relaxed);
        }
        Self {
            slots,
            cells,
            free,
            groups,
            filled,
            seen: 0,
            pending: Vec::new(),
            live: Vec::new(),
            ids: HashMap::new(),
            places: HashMap::new(),
            next_id: 0,
            events: VecDeque::new(),
        }
    }

    fn position(&self, ticket: u64) -> usize {
        // The length is a power of two, so the truncation does no harm.
        ticket as usize & (self.filled.len() - 1)
    }

    /// The task of a serial number, if it was found.
    pub(in crate::kernel) fn task(&self, serial: u64) -> Option<TaskId> {
        self.ids.get(&serial).copied()
    }

    /// Tells the kernel side what is mapped in the process of a task; nothing
    /// where its slot was freed.
    pub(in crate::kernel) fn set_space(&self, task: TaskId, space: Space) {
        if let Some(&slot) = self.places.get(&task) {
            // Nobody else has this slot: it is freed by `review` only.
            let word = self.slots.u64(slot, offset_of!(Slot, space));
            word.store(space.0, Release);
        }
    }

    /// The spaces of all whose slots are in use.
    pub(in crate::kernel) fn spaces(&self) -> HashSet<u64> {
        let space = |live: &Live| {
            let word = self.slots.u64(live.slot, offset_of!(Slot, space));
            word.load(Acquire)
        };
        self.live.iter().map(space).collect()
    }

    /// Finds task instances that were created since the last look.
    pub(in crate::kernel) fn discover(&mut self, control: &Shared<Control>) {
        let tickets = control.u64(0, offset_of!(Control, ticket)).load(Acquire);
        let mut waiting = std::mem::take(&mut self.pending);
        waiting.extend(self.seen..tickets);
        self.seen = tickets;
        for ticket in waiting {
            let position = self.position(ticket);
            let Some(&(slot, due)) = self.filled.get(position) else {
                continue;
            };
            // An entry that was empty, or filled for a later round: no slot
            // was left, which the kernel side counted.
            if slot == EMPTY || due > ticket {
                continue;
            }
            if !self.created(slot as usize, ticket) {
                self.pending.push(ticket);
            }
        }
    }

    /// Reports the task instance that took `slot` with `ticket`; `false` while its
    /// program is still filling the slot.
    fn created(&mut self, slot: usize, ticket: u64) -> bool {
        let serial = ticket + 1;
        if self.slots.u64(slot, offset_of!(Slot, serial)).load(Acquire) != serial {
            return false;
        }
        let position = self.position(ticket);
        if let Some(filled) = self.filled.get_mut(position) {
            filled.0 = EMPTY;
        }
        let time = |offset| Timestamp(self.slots.u64(slot, offset).load(Relaxed));
        let word = |offset| self.slots.u32(slot, offset).load(Relaxed);
        let (version, comm) = self.name(slot);
        let id = TaskId(self.next_id);
        self.next_id += 1;
        let parent = self.slots.u64(slot, offset_of!(Slot, parent)).load(Relaxed);
        let task = Task {
            id,
            tid: word(offset_of!(Slot, tid)),
            pid: word(offset_of!(Slot, tgid)),
            start: time(offset_of!(Slot, started)),
            began: time(offset_of!(Slot, created)),
            generation: word(offset_of!(Slot, generation)),
            parent: self.task(parent),
            comm,
        };
        self.ids.insert(serial, id);
        self.places.insert(id, slot);
        self.live.push(Live {
            slot,
            serial,
            task: id,
            version,
            comm: task.comm.clone(),
            gone_reported: false,
            freed_in: None,
        });
        self.events.push_back(KernelEvent::Created(task));
        true
    }

    /// A slot's name and its version. The version is odd while a kernel
    /// program changes the name, which takes well below a microsecond.
    fn name(&self, slot: usize) -> (u32, String) {
        let version = self.slots.u32(slot, offset_of!(Slot, version));
        let comm = offset_of!(Slot, comm);
        let mut bytes = [0; 16];
        let mut stable = 0;
        for _ in 0..1000 {
            stable = version.load(Acquire);
            for (word, chunk) in bytes.chunks_exact_mut(8).enumerate() {
                let value = self.slots.u64(slot, comm + word * 8).load(Acquire);
                chunk.copy_from_slice(&value.to_ne_bytes());
            }
            if stable.is_multiple_of(2) && version.load(Acquire) == stable {
                break;
            }
            std::hint::spin_loop();
        }
        let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        (stable, String::from_utf8_lossy(name).into_owned())
    }

    /// Takes the accounts of the interval with `parity`, which is no longer
    /// current, and zeroes them.
    pub(in crate::kernel) fn collect(&self, parity: usize) -> Vec<ThreadAccount> {
        let mut accounts = Vec::new();
        for live in &self.live {
            for group in 0..self.groups {
                let index = (live.slot * self.groups + group) * 2 + parity;
                let signals = cell::take(&self.cells, index, 0);
                if !signals.is_empty() {
                    accounts.push(ThreadAccount {
                        task: live.task,
                        group: CpuGroupId(u16::try_from(group).unwrap_or(u16::MAX)),
                        signals,
                    });
                }
            }
        }
        accounts
    }

    /// Reports new names and ends, and frees the slots of those that will
    /// never run again and whose accounts have all been taken: two intervals
    /// after it was noticed in `epoch`, both parities have been collected.
    pub(in crate::kernel) fn review(&mut self, control: &Shared<Control>, epoch: u64) {
        let mut live = std::mem::take(&mut self.live);
        let mut released = Vec::new();
        live.retain_mut(|live| {
            if self
                .slots
                .u32(live.slot, offset_of!(Slot, version))
                .load(Acquire)
                != live.version
            {
                let (version, comm) = self.name(live.slot);
                live.version = version;
                // An exec renames its old task instance and takes that back.
                if comm != live.comm {
                    live.comm.clone_from(&comm);
                    let at = self.slots.u64(live.slot, offset_of!(Slot, renamed));
                    self.events.push_back(KernelEvent::Renamed {
                        task: live.task,
                        at: Timestamp(at.load(Relaxed)),
                        comm,
                    });
                }
            }
            let gone = self
                .slots
                .u64(live.slot, offset_of!(Slot, gone))
                .load(Relaxed);
            if gone != 0 && !live.gone_reported {
                live.gone_reported = true;
                self.events.push_back(KernelEvent::Gone {
                    task: live.task,
                    at: Timestamp(gone),
                });
            }
            if live.freed_in.is_none()
                && self
                    .slots
                    .u64(live.slot, offset_of!(Slot, freed))
                    .load(Acquire)
                    != 0
            {
                live.freed_in = Some(epoch);
            }
            let release = live.freed_in.is_some_and(|freed_in| epoch >= freed_in + 2);
            if release {
                self.ids.remove(&live.serial);
                self.places.remove(&live.task);
                released.push(live.slot as u64);
            }
            !release
        });
        self.live = live;
        self.refill(control, released);
    }

    /// Puts free slots into empty entries of the ring, those first that the
    /// next tickets will come to. Only this side fills entries, so one that
    /// is empty stays so until then. The margin keeps clear of tickets that
    /// are being taken right now.
    fn refill(&mut self, control: &Shared<Control>, released: Vec<u64>) {
        const MARGIN: u64 = 256;
        let mut ticket = control.u64(0, offset_of!(Control, ticket)).load(SeqCst) + MARGIN;
        for slot in released {
            for _ in 0..self.filled.len() {
                let position = self.position(ticket);
                ticket += 1;
                let Some(filled) = self.filled.get_mut(position) else {
                    break;
                };
                if filled.0 == EMPTY {
                    *filled = (slot, ticket - 1);
                    self.free.u64(position, 0).store(slot, Release);
                    break;
                }
            }
        }
    }
}
