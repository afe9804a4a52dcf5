//! Events come in order of urgency, and no tick is lost without a word.

use std::io::Write as _;
use std::os::fd::AsFd as _;

use eprof::clock::now;
use eprof::launch::{Child, Event, Identity, Origin, Received, SignalSet, Waiter, prepare};
use eprof::unit::{Nanos, Timestamp};
use nix::sys::signal::{Signal, raise};

use crate::bench::sh;

const MILLISECOND: Nanos = Nanos(1_000_000);

fn spawned(script: &str) -> Child {
    prepare(sh(script), None, &Identity::default())
        .unwrap()
        .spawn()
        .unwrap()
}

#[test]
fn an_alarm_is_told_once_and_never_early() {
    let child = spawned("exit 0");
    let signals = SignalSet::block().unwrap();
    let mut waiter = Waiter::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    for _ in 0..3 {
        let at = now() + MILLISECOND;
        waiter.set_alarm(Some(at)).unwrap();
        assert_eq!(waiter.next(&child, &signals, &[]).unwrap(), Event::Alarm);
        assert!(now() >= at, "an alarm is never early");
        let event = waiter.next(&child, &signals, &[reader.as_fd()]).unwrap();
        assert_eq!(event, Event::Ready(0), "told once");
    }
}

#[test]
fn the_end_of_the_target_is_told_and_stays_told() {
    let mut child = spawned("exit 5");
    let signals = SignalSet::block().unwrap();
    let mut waiter = Waiter::new().unwrap();
    child.release().unwrap();
    for _ in 0..2 {
        assert_eq!(waiter.next(&child, &signals, &[]).unwrap(), Event::Exited);
    }
    assert_eq!(child.reap().unwrap().code, 5);
}

#[test]
fn a_deadline_is_told_once_even_if_it_has_passed() {
    let child = spawned("exit 0");
    let signals = SignalSet::block().unwrap();
    let mut waiter = Waiter::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    for passed in [Timestamp(0), Timestamp(1), now()] {
        waiter.set_deadline(Some(passed)).unwrap();
        let mut next = || waiter.next(&child, &signals, &[reader.as_fd()]).unwrap();
        assert_eq!(next(), Event::Deadline);
        assert_eq!(next(), Event::Ready(0));
    }
    waiter.set_deadline(Some(Timestamp(1))).unwrap();
    waiter.set_deadline(None).unwrap();
    let event = waiter.next(&child, &signals, &[reader.as_fd()]).unwrap();
    assert_eq!(event, Event::Ready(0), "taken back");
}

#[test]
fn a_signal_comes_before_all_else_and_data_last() {
    let mut child = spawned("exit 0");
    let signals = SignalSet::block().unwrap();
    let mut waiter = Waiter::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let (idle, _held) = std::io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    waiter.set_deadline(Some(Timestamp(1))).unwrap();
    waiter.set_alarm(Some(Timestamp(1))).unwrap();
    raise(Signal::SIGTERM).unwrap();
    let files = [idle.as_fd(), reader.as_fd()];
    let mut next = |child: &Child| waiter.next(child, &signals, &files).unwrap();
    let sent = Received {
        signal: Signal::SIGTERM,
        origin: Origin::Process,
    };
    assert_eq!(next(&child), Event::Signal(sent));
    assert_eq!(next(&child), Event::Deadline);
    assert_eq!(next(&child), Event::Alarm);
    assert_eq!(next(&child), Event::Ready(1));
    child.release().unwrap();
    // Wait for the end without taking the status.
    let mut files = [nix::poll::PollFd::new(
        child.pidfd(),
        nix::poll::PollFlags::POLLIN,
    )];
    nix::poll::poll(&mut files, nix::poll::PollTimeout::NONE).unwrap();
    assert_eq!(next(&child), Event::Exited);
}

#[test]
fn a_signal_that_nobody_read_does_not_strike_when_the_run_is_over() {
    let signals = SignalSet::block().unwrap();
    raise(Signal::SIGINT).unwrap();
    raise(Signal::SIGQUIT).unwrap();
    // Were one still pending, it would end this process here.
    drop(signals);
    let signals = SignalSet::block().unwrap();
    assert_eq!(signals.next(), None);
}
