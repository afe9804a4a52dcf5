//! The clock of a register: found, followed, lost, found again.

use eprof::source::update_clock::clock::{Lock, Window};
use eprof::unit::{Nanos, Timestamp};
use proptest::prelude::*;

use super::world::{Dice, PACKAGE, Power, Register, World};

fn world(register: Register, seconds: f64, seed: u64) -> World {
    World::new(
        Power::constant(30.0),
        vec![register],
        seconds,
        &mut Dice(seed),
    )
}

/// What two reads at `first` and `second` say, each 2 µs long.
fn window(world: &World, first: f64, second: f64) -> Window {
    let read = |at: f64| (Timestamp(at as u64), Timestamp(at as u64 + 2_000));
    Window {
        first: read(first),
        second: read(second),
        changed: world.update(0, first + 1e3) < world.update(0, second + 1e3),
    }
}

fn polled(world: &World, from: f64, ns: f64, step: f64) -> Vec<Window> {
    let count = (ns / step) as u64;
    (0..count)
        .map(|n| from + n as f64 * step)
        .map(|at| window(world, at, at + step))
        .collect()
}

fn acquired(world: &World) -> Option<Lock> {
    Lock::acquire(&polled(world, 5e6, 21e6, 70e3))
}

#[test]
fn twenty_milliseconds_give_period_and_phase() {
    for seed in 0..50 {
        let world = world(PACKAGE, 1.0, seed);
        let lock = acquired(&world).unwrap();
        let period = lock.period().0 as f64;
        // 45 µs of jitter and bracket, 20 updates: 1.7 µs; five of those.
        assert!((period - 1_003_100.0).abs() < 9_000.0, "{period}");
        // Nine updates ahead, still.
        let edge = lock.nearest(Timestamp(35_000_000));
        let truth = world.update(0, edge.at.0 as f64 + 400e3);
        let off = edge.at.0.abs_diff(truth as u64);
        assert!(off < 5 * edge.sd.0, "{off} ns against {:?}", edge.sd);
        assert!(edge.sd < Nanos(100_000), "{:?}", edge.sd);
    }
}

#[test]
fn what_has_no_clock_is_not_locked() {
    let filtered = Register {
        jitter_us: 250.0,
        ..PACKAGE
    };
    let rare = Register {
        period_us: 20_000.0,
        ..PACKAGE
    };
    let often = Register {
        period_us: 60.0,
        jitter_us: 2.0,
        ..PACKAGE
    };
    for register in [filtered, rare, often] {
        assert!(acquired(&world(register, 1.0, 1)).is_none(), "{register:?}");
    }
    assert!(Lock::acquire(&[]).is_none());
}

/// Follows a clock with a look at every fiftieth update; gives the errors of
/// the predictions for the updates in between, in units of their deviation.
fn follow(world: &World, lock: &mut Lock, seconds: f64, dice: &mut Dice) -> Vec<f64> {
    let mut errors = Vec::new();
    let mut now = 26e6;
    while now < seconds * 1e9 {
        for ahead in [20.0, 30.0, 40.0] {
            let edge = lock.nearest(Timestamp((now + ahead * 1e6) as u64));
            let truth = world.update(0, edge.at.0 as f64 + 400e3);
            errors.push((edge.at.0 as f64 - truth) / edge.sd.0 as f64);
        }
        let edge = lock.nearest(Timestamp((now + 50e6) as u64));
        let look = edge.at.0 as f64 + 10e3 * dice.normal();
        lock.observe(&window(world, look, look + lock.margin(&edge).0 as f64));
        now += 50e6;
    }
    errors
}

#[test]
fn a_look_at_every_fiftieth_update_predicts_the_others() {
    let world = world(PACKAGE, 31.0, 2);
    let mut lock = acquired(&world).unwrap();
    let errors = follow(&world, &mut lock, 30.0, &mut Dice(4));
    assert!(!lock.is_lost());
    let inside = errors.iter().filter(|error| error.abs() < 1.645).count();
    let part = inside as f64 / errors.len() as f64;
    assert!(part > 0.88, "{part} within the 90 % interval");
    let last = lock.nearest(Timestamp(30_000_000_000));
    assert!(last.sd < Nanos(55_000), "{:?}", last.sd);
}

#[test]
fn a_clock_that_jumps_is_lost_and_found_again() {
    let jumping = Register {
        jump_s: Some(1.0),
        ..PACKAGE
    };
    let world = world(jumping, 5.0, 3);
    let mut lock = acquired(&world).unwrap();
    follow(&world, &mut lock, 2.5, &mut Dice(4));
    assert!(lock.is_lost());
    assert!(lock.resume(&[]).is_none());
    let mut lock = lock.resume(&polled(&world, 2.6e9, 2e6, 70e3)).unwrap();
    assert!(!lock.is_lost());
    let edge = lock.nearest(Timestamp(2_604_000_000));
    let truth = world.update(0, edge.at.0 as f64 + 400e3);
    assert!((edge.at.0 as f64 - truth).abs() < 5.0 * edge.sd.0 as f64);
    // It may wander within what is believed of it, and is not lost for that.
    lock.observe(&window(&world, truth - 20e3, truth + 200e3));
    assert!(!lock.is_lost());
}

#[test]
fn a_late_read_says_when_it_is_doubtful() {
    let world = world(PACKAGE, 1.0, 5);
    let lock = acquired(&world).unwrap();
    let edge = lock.nearest(Timestamp(28_000_000));
    let (early, late) = (edge.at.0 - 300_000, edge.at.0 + 300_000);
    let contained = |at| lock.contained(Timestamp(at), Timestamp(at + 2_000));
    assert_eq!(contained(late).at, edge.at);
    assert!(contained(late).sd < Nanos(80_000));
    assert!(contained(early).at < Timestamp(early));
    assert!(contained(edge.at.0).sd > Nanos(400_000));
    assert!(lock.certain_from(Timestamp(late)).is_none());
    assert!(lock.certain_from(edge.at).unwrap() > edge.at);
}

fn any_window() -> impl Strategy<Value = Window> {
    (
        any::<[u64; 4]>(),
        0u64..4_000_000,
        0u64..4_000_000,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(at, near, long, changed, wild)| {
            let time = |n: usize| Timestamp(at[n]);
            let (first, second) = if wild {
                ((time(0), time(1)), (time(2), time(3)))
            } else {
                let from = Timestamp(26_000_000 + near);
                ((from, from), (from + Nanos(long), from + Nanos(long)))
            };
            Window {
                first,
                second,
                changed,
            }
        })
}

proptest! {
    /// Whatever is observed, dates stay dates.
    #[test]
    fn no_observation_breaks_a_lock(windows in prop::collection::vec(any_window(), 0..60)) {
        let mut lock = acquired(&world(PACKAGE, 0.1, 1)).unwrap();
        let _ = Lock::acquire(&windows);
        for window in &windows {
            lock.observe(window);
            let edge = lock.contained(Timestamp(40_000_000), Timestamp(40_001_000));
            prop_assert!(edge.sd < Nanos(1_000_000_000_000));
            prop_assert!(lock.stale() > Timestamp(0));
            prop_assert!((200_000..=2_500_000).contains(&lock.period().0) || lock.is_lost());
        }
        if let Some(again) = lock.resume(&windows) {
            let _ = again.next(Timestamp(u64::MAX / 4));
        }
    }
}
