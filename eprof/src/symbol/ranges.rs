//! Names of ranges of addresses, as run-time compilers write them down: later
//! entries win, and nothing is kept that nobody asked for.

use std::sync::Arc;

/// How many entries are laid over the addresses at most, each counted once
/// for every address in it: the files may be hostile, and whole ranges may be
/// named again and again. (A large browser's map has some million entries,
/// and an address is in a handful of them.)
const MOST_COVERED: u64 = 1 << 27;

/// The longest name that is kept, in bytes.
pub(super) const MAX_NAME: usize = 4096;

/// Addresses whose names are looked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Ascending.
    addresses: Vec<u64>,
    found: Vec<Option<Arc<str>>>,
    /// Whether the address had another name before.
    reused: Vec<bool>,
    covered: u64,
}

impl Wanted {
    /// Nothing is found yet.
    pub(super) fn new(mut addresses: Vec<u64>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        Self {
            found: vec![None; addresses.len()],
            reused: vec![false; addresses.len()],
            addresses,
            covered: 0,
        }
    }

    /// Gives the addresses from `start` on, `length` bytes long, the name that
    /// `name` makes; it is asked only where an address lies there. `false`:
    /// that was enough, the rest is not to be read.
    pub(super) fn cover(
        &mut self,
        start: u64,
        length: u64,
        name: impl FnOnce() -> Option<Arc<str>>,
    ) -> bool {
        let end = start.saturating_add(length);
        let first = self.addresses.partition_point(|&address| address < start);
        let last = self.addresses.partition_point(|&address| address < end);
        if first >= last {
            return true;
        }
        let Some(name) = name() else { return true };
        let found = self.found.get_mut(first..last).unwrap_or_default();
        let reused = self.reused.get_mut(first..last).unwrap_or_default();
        for (found, reused) in found.iter_mut().zip(reused) {
            *reused |= found.as_ref().is_some_and(|before| *before != name);
            *found = Some(Arc::clone(&name));
        }
        self.covered += (last - first) as u64;
        self.covered < MOST_COVERED
    }

    /// The name of one of the addresses.
    pub(super) fn name(&self, address: u64) -> Option<&Arc<str>> {
        let at = self.addresses.binary_search(&address).ok()?;
        self.found.get(at)?.as_ref()
    }

    /// How many of the addresses had several names one after the other.
    pub(super) fn reused(&self) -> usize {
        self.reused.iter().filter(|&&reused| reused).count()
    }

    /// Takes over what `other` found.
    pub(super) fn adopt(&mut self, other: &Self) {
        let slots = self
            .addresses
            .iter()
            .zip(&mut self.found)
            .zip(&mut self.reused);
        for ((address, found), reused) in slots {
            if found.is_some() {
                continue;
            }
            if let Ok(at) = other.addresses.binary_search(address) {
                *found = other.found.get(at).cloned().flatten();
                *reused = other.reused.get(at).copied().unwrap_or(false);
            }
        }
    }

    /// The addresses that have no name.
    pub(super) fn nameless(&self) -> Vec<u64> {
        let all = self.addresses.iter().zip(&self.found);
        all.filter(|(_, found)| found.is_none())
            .map(|(&address, _)| address)
            .collect()
    }
}

/// A name from bytes; invalid UTF-8 is replaced. `None` for an empty one.
pub(super) fn name(bytes: &[u8]) -> Option<Arc<str>> {
    let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    (!text.is_empty()).then(|| Arc::from(text))
}
