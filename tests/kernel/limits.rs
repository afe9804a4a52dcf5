//! When something runs out, or is not allowed, it is said.

use std::time::Duration;

use eprof::error::ErrorKind;
use eprof::kernel::{Probe, Settings};

use super::bench::{Cgroup, agrees, both, measure, turn};

/// More threads than slots: the rest are counted, and their time is the
/// target's all the same.
#[test]
fn too_many_threads_are_counted_and_their_time_kept() {
    let Some(_turn) = turn() else { return };
    let Some(cgroup) = Cgroup::new() else { return };
    for settings in both(&Settings {
        slots: 1024,
        ..Settings::default()
    }) {
        let before = cgroup.usage();
        let measured = measure(
            &settings,
            &["threads", "1500"],
            Duration::from_millis(20),
            Some(&cgroup),
        );
        assert!(measured.status.success());
        let lost = measured.losses.0.get("slots-full").copied().unwrap_or(0);
        assert_eq!(
            measured.tasks.len() as u64 + lost,
            1500 + 2,
            "{:?}",
            measured.losses
        );
        // The slot of our child before its exec may have been used again.
        assert!(lost >= 1500 + 2 - 1025, "{lost}");
        let named = measured.time(|_| true);
        assert!(named < measured.target());
        let usage = cgroup.usage().saturating_sub(before);
        agrees(&measured, "cgroup", usage);
    }
}

/// Slots come back: far more processes than slots, one after the other.
#[test]
fn slots_are_used_again() {
    let Some(_turn) = turn() else { return };
    for settings in both(&Settings {
        slots: 4096,
        ..Settings::default()
    }) {
        let measured = measure(
            &settings,
            &["fork", "15000"],
            Duration::from_millis(5),
            None,
        );
        assert!(measured.status.success());
        assert_eq!(measured.losses.0.len(), 0, "{:?}", measured.losses);
        assert_eq!(measured.tasks.len(), 15_002);
    }
}

#[test]
fn a_full_ring_is_counted() {
    let Some(_turn) = turn() else { return };
    let settings = Settings {
        ring_bytes: 4096,
        frequency_hz: 4999,
        ..Settings::default()
    };
    let measured = measure(
        &settings,
        &["spin", "300"],
        Duration::from_millis(200),
        None,
    );
    let lost = measured.losses.0.get("ring-full").copied().unwrap_or(0);
    assert!(lost > 0, "{:?}", measured.losses);
    assert_eq!(
        measured.samples.len() as u64 + lost,
        measured.runs("sample")
    );
}

#[test]
fn without_permission_the_remedy_is_named() {
    let Some(_turn) = turn() else { return };
    let error = std::thread::spawn(|| {
        // The system call itself changes this thread only.
        // SAFETY: takes three numbers.
        let status = unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) };
        assert_eq!(status, 0);
        Probe::load(&Settings::default()).err().unwrap()
    })
    .join()
    .unwrap();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(
        error.given_hint().unwrap().contains("cap_bpf,cap_perfmon"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_no_object_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "not an object").unwrap();
    let settings = Settings {
        object: Some(file.path().to_owned()),
        ..Settings::default()
    };
    let error = Probe::load(&settings).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
}
