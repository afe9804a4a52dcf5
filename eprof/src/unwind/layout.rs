//! What is mapped where, as the sampling program wants to be told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use eprof_common::{Region, Space};

use super::live::Live;
use super::table::Table;
use super::trampoline::{self, Kind};
use crate::kernel::Probe;
use crate::mappings::{AddressSpace, Spaces};
use crate::measurement::ObjectId;

/// Spaces that are not used any more are kept for so many batches: a fork may
/// be on its way that copies one.
const GRACE: u32 = 4;

/// So many of them are kept before it is worth looking which are free.
const ENOUGH: usize = 64;

/// How often it is looked for trampolines in one place: they are written after it is
/// mapped.
const LOOKS: u8 = 8;

/// What lies between two pieces of code that are told the kernel as one, at most.
const BETWEEN: u64 = 16 << 20;

/// Which code without a file was looked at, by its first address and one past its last.
type Looked = HashMap<(u64, u64), (Option<Kind>, u8)>;

/// An address space that the kernel was told of.
struct Layout {
    /// Keeps its identity from being used again.
    held: AddressSpace,
    /// How it is called; `None` where there was no room.
    space: Option<Space>,
    /// Objects whose table was missing.
    missing: Vec<ObjectId>,
    /// Whether one of them is known meanwhile.
    stale: bool,
    /// Whether there are trampolines.
    trampolines: bool,
}

/// The address spaces of all processes, as the kernel was told of them.
#[derive(Default)]
pub(super) struct Layouts {
    /// By identity of the address space: those that were inherited by fork
    /// are one.
    layouts: HashMap<usize, Layout>,
    /// By process.
    processes: HashMap<u32, usize>,
    /// What is known of the code without a file of each process.
    looked: HashMap<u32, Looked>,
    /// Spaces that are not used any more, and for how many batches.
    retired: Vec<(Space, u32)>,
}

impl Layouts {
    /// The table of an object is ready, or it is known that there is none.
    pub(super) fn known(&mut self, object: ObjectId) {
        for layout in self.layouts.values_mut() {
            layout.stale |= layout.missing.contains(&object);
        }
    }

    /// Objects whose table is missing.
    pub(super) fn missing(&self) -> impl Iterator<Item = ObjectId> + '_ {
        let missing = self.layouts.values().flat_map(|layout| &layout.missing);
        missing.copied()
    }

    /// There is a table for trampolines.
    pub(super) fn known_trampolines(&mut self) {
        for layout in self.layouts.values_mut() {
            layout.stale |= layout.trampolines;
        }
    }

    /// Whether there are trampolines anywhere.
    pub(super) fn has_trampolines(&self) -> bool {
        self.layouts.values().any(|layout| layout.trampolines)
    }

    /// Tells the kernel of all that changed. `table` gives the table of an
    /// object; `None` where it is not known yet, `Some(None)` where there is
    /// none. `trampolines` is the first page of the table for these.
    pub(super) fn publish(
        &mut self,
        probe: &mut Probe,
        spaces: &mut Spaces,
        table: &dyn Fn(ObjectId) -> Option<Option<Arc<Table>>>,
        trampolines: Option<u32>,
    ) {
        let mut changed = spaces.changed();
        changed.extend(self.processes.iter().filter_map(|(pid, identity)| {
            let layout = self.layouts.get(identity)?;
            layout.stale.then_some(*pid)
        }));
        let mut owners: HashMap<usize, u32> = HashMap::new();
        owners.extend(
            self.processes
                .iter()
                .map(|(pid, identity)| (*identity, *pid)),
        );
        let stale = self.layouts.iter_mut().filter(|(_, layout)| layout.stale);
        for (identity, layout) in stale {
            let owner = owners.get(identity).copied();
            let looked = owner.map(|pid| (pid, self.looked.entry(pid).or_default()));
            let regions = regions(&layout.held, table, looked, trampolines);
            let new = probe.add_space(&regions.list);
            self.retired
                .extend(layout.space.take().map(|space| (space, 0)));
            layout.space = new;
            layout.missing = regions.missing;
            layout.trampolines = regions.trampolines;
            layout.stale = false;
        }
        for pid in changed {
            let Some((space, tasks)) = spaces.process(pid) else {
                continue;
            };
            let identity = space.identity();
            let looked = &mut self.looked;
            let layout = self.layouts.entry(identity).or_insert_with(|| {
                let looked = Some((pid, looked.entry(pid).or_default()));
                let regions = regions(space, table, looked, trampolines);
                Layout {
                    held: space.clone(),
                    space: probe.add_space(&regions.list),
                    missing: regions.missing,
                    stale: false,
                    trampolines: regions.trampolines,
                }
            });
            self.processes.insert(pid, identity);
            for task in tasks {
                probe.set_space(*task, layout.space.unwrap_or_default());
            }
        }
        self.retire(probe, spaces);
    }

    /// Forgets what no process has any more.
    fn retire(&mut self, probe: &mut Probe, spaces: &Spaces) {
        self.processes
            .retain(|pid, _| spaces.process(*pid).is_some());
        self.looked
            .retain(|pid, _| self.processes.contains_key(pid));
        let used: HashSet<usize> = self.processes.values().copied().collect();
        let retired = &mut self.retired;
        self.layouts.retain(|identity, layout| {
            let keep = used.contains(identity);
            if !keep {
                retired.extend(layout.space.map(|space| (space, 0)));
            }
            keep
        });
        for (_, age) in retired.iter_mut() {
            *age += 1;
        }
        if retired.len() >= ENOUGH {
            let old = retired.partition_point(|(_, age)| *age > GRACE);
            let mut candidates: Vec<_> = retired.drain(..old).map(|(space, _)| space).collect();
            probe.remove_spaces(&mut candidates);
            // Those that are still used are asked about again, later.
            retired.extend(candidates.into_iter().map(|space| (space, 0)));
        }
    }
}

/// The regions of an address space.
#[derive(Default)]
struct Regions {
    list: Vec<Region>,
    /// Objects whose tables are missing.
    missing: Vec<ObjectId>,
    /// Whether there are trampolines.
    trampolines: bool,
}

/// Those of the address space of process `owner`, of which some was looked at.
fn regions(
    space: &AddressSpace,
    table: &dyn Fn(ObjectId) -> Option<Option<Arc<Table>>>,
    mut owner: Option<(u32, &mut Looked)>,
    trampolines: Option<u32>,
) -> Regions {
    let mut found = Regions::default();
    let regions = &mut found.list;
    for (begin, end, code) in space.regions() {
        let plain = |page| Region {
            begin,
            end,
            bias: 0,
            page,
            pages: 0,
        };
        let region = match code {
            None => match owner
                .as_mut()
                .and_then(|(pid, looked)| trampoline_at(*pid, looked, (begin, end)))
            {
                None => plain(Region::NO_TABLE),
                Some(kind) => {
                    found.trampolines = true;
                    match trampolines {
                        None => plain(Region::PENDING),
                        Some(first) => Region {
                            begin,
                            end,
                            bias: begin,
                            page: kind.page_of(first),
                            pages: trampoline::PAGES,
                        },
                    }
                }
            },
            Some((object, offset)) => match table(object) {
                None => {
                    found.missing.push(object);
                    plain(Region::PENDING)
                }
                Some(table) => match table.and_then(|table| {
                    let (page, pages) = table.pages();
                    Some((table.relative(offset)?, page, pages))
                }) {
                    None => plain(Region::NO_TABLE),
                    Some((relative, page, pages)) => Region {
                        begin,
                        end,
                        bias: begin.wrapping_sub(relative),
                        page,
                        pages,
                    },
                },
            },
        };
        match regions.last_mut() {
            Some(last)
                if (last.end == begin
                    || region.page == Region::NO_TABLE && begin - last.end <= BETWEEN)
                    && region.pages == 0
                    && last.pages == 0
                    && last.page == region.page =>
            {
                last.end = end;
            }
            _ => regions.push(region),
        }
    }
    found
}

/// The kind of the trampolines in code without a file, if there are any.
fn trampoline_at(pid: u32, looked: &mut Looked, place: (u64, u64)) -> Option<Kind> {
    let (kind, looks) = looked.entry(place).or_default();
    if kind.is_none() && *looks < LOOKS {
        *looks += 1;
        *kind = Live::of(pid).and_then(|live| live.trampoline(place.0));
    }
    *kind
}
