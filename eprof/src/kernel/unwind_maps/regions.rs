//! The map that tells the sampling program what is mapped where.

use std::collections::HashMap;
use std::mem::offset_of;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;

use eprof_common::table::{MAX_REGIONS, REGION_STEPS};
use eprof_common::{Region, Space};

use crate::kernel::accounts::shared::Shared;

/// The smallest piece that is given out.
const SMALLEST: usize = 8;

/// Lists of regions, given out in pieces of sizes that are powers of two. A
/// list that was given out is never changed.
pub(in crate::kernel) struct Regions {
    map: Shared<Region>,
    used: usize,
    /// Free pieces, by size.
    free: HashMap<usize, Vec<usize>>,
}

impl Regions {
    pub(in crate::kernel) fn new(map: Shared<Region>) -> Self {
        Self {
            map,
            used: 0,
            free: HashMap::new(),
        }
    }

    /// Stores a list, ascending; `None` where there is no room.
    pub(in crate::kernel) fn add(&mut self, regions: &[Region]) -> Option<Space> {
        if regions.is_empty() || regions.len() >= 1 << REGION_STEPS {
            return None;
        }
        let size = size(regions.len());
        let reused = self.free.get_mut(&size).and_then(Vec::pop);
        let first = match reused {
            Some(first) => first,
            None if self.used + size <= MAX_REGIONS.min(self.map.len()) => {
                let first = self.used;
                self.used += size;
                first
            }
            None => return None,
        };
        for (index, region) in (first..).zip(regions) {
            let word = |offset, value| self.map.u64(index, offset).store(value, Relaxed);
            word(offset_of!(Region, begin), region.begin);
            word(offset_of!(Region, end), region.end);
            word(offset_of!(Region, bias), region.bias);
            let half = |offset, value| self.map.u32(index, offset).store(value, Relaxed);
            half(offset_of!(Region, page), region.page);
            half(offset_of!(Region, pages), region.pages);
        }
        // Before anyone is told where they are.
        fence(SeqCst);
        let count = u32::try_from(regions.len()).ok()?;
        Some(Space::new(u32::try_from(first).ok()?, count))
    }

    /// Takes a list back that nobody uses any more.
    pub(in crate::kernel) fn remove(&mut self, space: Space) {
        let size = size(space.count() as usize);
        let free = self.free.entry(size).or_default();
        free.push(space.first() as usize);
    }
}

fn size(regions: usize) -> usize {
    regions.next_power_of_two().max(SMALLEST)
}
