//! Which meters are updated together, and the dates of what they read.
//!
//! Pure: it takes every round of readings, dates them, and says when a round
//! would show most of the clocks of the registers.

use super::clock::{Lock, Window};
use crate::measurement::{Meter, MeterId, Quantity, Reading, UpdateTime};
use crate::unit::{Nanos, Timestamp};

/// A register that is updated more rarely is not dated: it needs so long to
/// show its period.
const SLOWEST: Nanos = Nanos(2_000_000);
/// Registers that are updated together change between the same two reads; one
/// that used less than its unit meanwhile does not.
const TOGETHER: f64 = 0.8;
/// But it must have changed so often that its period is not a multiple.
const OFTEN: f64 = 0.5;
/// More clocks than this are not followed (a PMU with one meter per core).
const CLOCKS: usize = 4;
/// After so many losses a lock is given up.
const CHANCES: u32 = 8;

/// Meters that are updated by one clock.
#[derive(Clone, Debug)]
struct Group {
    lock: Lock,
    meters: Vec<MeterId>,
    last: Option<Round>,
    losses: u32,
}

/// What a group read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Round {
    begin: Timestamp,
    end: Timestamp,
    raw: Vec<Option<u64>>,
}

/// The clocks of all meters.
#[derive(Clone, Debug, Default)]
pub struct UpdateClocks {
    groups: Vec<Group>,
}

impl UpdateClocks {
    /// Whether clocks can be found: whether any of `meters` is a counter that is
    /// updated often.
    pub fn can_be_found(meters: &[Meter]) -> bool {
        meters.iter().any(is_eligible)
    }

    /// Finds the clocks of `meters` in rounds of readings that follow each
    /// other closely. The clock of the first package comes first.
    pub fn acquire(meters: &[Meter], rounds: &[Vec<Reading>]) -> Self {
        let mut order: Vec<&Meter> = meters.iter().filter(|meter| is_eligible(meter)).collect();
        order.sort_by_key(|meter| (meter.nested, meter.domain, meter.id));
        let mut clocks = Self::default();
        let mut known: Vec<Vec<Window>> = Vec::new();
        for meter in order {
            let windows = windows(rounds, &[meter.id]);
            let joined = clocks
                .groups
                .iter_mut()
                .zip(&known)
                .find(|(_, of)| together(of, &windows));
            if let Some((group, _)) = joined {
                group.meters.push(meter.id);
            } else if clocks.groups.len() < CLOCKS
                && let Some(lock) = Lock::acquire(&windows)
            {
                clocks.groups.push(Group {
                    lock,
                    meters: vec![meter.id],
                    last: None,
                    losses: 0,
                });
                known.push(windows);
            }
        }
        clocks
    }

    /// Dates the readings of one round, and learns from it.
    pub fn date(&mut self, readings: &mut [Reading]) {
        for group in &mut self.groups {
            let Some(round) = round(&group.meters, readings) else {
                continue;
            };
            if let Some(window) = group.last.as_ref().and_then(|last| last.window(&round)) {
                let was_lost = group.lock.is_lost();
                group.lock.observe(&window);
                group.losses += u32::from(!was_lost && group.lock.is_lost());
            }
            // Not wrong, but unknown: the registers were not read for a long time.
            if group.lock.is_vague(round.end) {
                group.lock.lose();
            }
            if !group.lock.is_lost() {
                let update = group.lock.contained(round.begin, round.end);
                for reading in readings.iter_mut() {
                    if group.meters.contains(&reading.meter) {
                        reading.updated = Some(update);
                    }
                }
            }
            group.last = Some(round);
        }
    }

    /// The clock by which boundaries are set, where it is known.
    pub fn main(&self) -> Option<&Lock> {
        let first = self.groups.first()?;
        (!first.lock.is_lost()).then_some(&first.lock)
    }

    /// The other clocks that are known.
    pub fn others(&self) -> impl Iterator<Item = &Lock> {
        let others = self.groups.iter().skip(1).map(|group| &group.lock);
        others.filter(|lock| !lock.is_lost())
    }

    /// Whether a clock was lost that may be found again.
    pub fn wants_resuming(&self) -> bool {
        self.groups
            .iter()
            .any(|group| group.lock.is_lost() && group.losses < CHANCES)
    }

    /// Time in which every clock that was lost is updated at least once.
    pub fn longest(&self) -> Nanos {
        let periods = self.groups.iter().map(|group| group.lock.period());
        periods.max().unwrap_or_default()
    }

    /// Finds lost clocks again, in rounds that follow each other closely.
    pub fn resume(&mut self, rounds: &[Vec<Reading>]) {
        for group in &mut self.groups {
            if group.lock.is_lost() && group.losses < CHANCES {
                match group.lock.resume(&windows(rounds, &group.meters)) {
                    Some(lock) => group.lock = lock,
                    None => group.losses += 1,
                }
            }
        }
    }

    /// When it is no longer doubtful which update a value read contains;
    /// `None` where it is certain at `at`.
    pub fn certain_from(&self, at: Timestamp) -> Option<Timestamp> {
        let locks = self.main().into_iter().chain(self.others());
        locks.filter_map(|lock| lock.certain_from(at)).max()
    }

    /// Whether some of `readings` took so long that they may hold one update
    /// as well as the next.
    pub fn is_blurred(&self, readings: &[Reading]) -> bool {
        self.groups.iter().any(|group| {
            let narrow = Nanos(group.lock.period().0 / 4);
            let round = round(&group.meters, readings);
            !group.lock.is_lost() && round.is_some_and(|of| of.end.since(of.begin) > narrow)
        })
    }

    /// Where to set a boundary near `wanted`, after `earliest`: at an update of
    /// the main clock.
    pub fn boundary(&self, wanted: Timestamp, earliest: Timestamp) -> Option<UpdateTime> {
        let lock = self.main()?;
        let update = lock.nearest(wanted);
        Some(if update.at > earliest {
            update
        } else {
            lock.next(earliest)
        })
    }
}

fn is_eligible(meter: &Meter) -> bool {
    matches!(meter.quantity, Quantity::Counter { .. }) && meter.update_period <= SLOWEST
}

/// What `meters` read in one round; `None` where none of them was read.
fn round(meters: &[MeterId], readings: &[Reading]) -> Option<Round> {
    let of = |meter: &MeterId| readings.iter().find(|reading| reading.meter == *meter);
    let read = || meters.iter().filter_map(of);
    Some(Round {
        begin: read().map(|reading| reading.begin).min()?,
        end: read().map(|reading| reading.end).max()?,
        raw: meters
            .iter()
            .map(|meter| of(meter).map(|reading| reading.raw))
            .collect(),
    })
}

impl Round {
    /// What this round and the `next` one say together; `None` where they are
    /// not two.
    fn window(&self, next: &Self) -> Option<Window> {
        let mut pairs = self.raw.iter().zip(&next.raw);
        (next.begin >= self.end).then(|| Window {
            first: (self.begin, self.end),
            second: (next.begin, next.end),
            changed: pairs.any(|pair| matches!(pair, (Some(old), Some(new)) if old != new)),
        })
    }
}

fn windows(rounds: &[Vec<Reading>], meters: &[MeterId]) -> Vec<Window> {
    let rounds: Vec<Round> = rounds
        .iter()
        .filter_map(|readings| round(meters, readings))
        .collect();
    rounds
        .windows(2)
        .filter_map(|pair| pair.first()?.window(pair.last()?))
        .collect()
}

/// Whether a meter that changed as `windows` say is updated with those of
/// `group`.
fn together(group: &[Window], windows: &[Window]) -> bool {
    let changes = |of: &[Window]| of.iter().filter(|window| window.changed).count() as f64;
    let both = group
        .iter()
        .zip(windows)
        .filter(|(one, other)| one.changed && other.changed)
        .count() as f64;
    let (ours, theirs) = (changes(windows), changes(group));
    both >= TOGETHER * ours && ours >= OFTEN * theirs && ours > 0.0
}
