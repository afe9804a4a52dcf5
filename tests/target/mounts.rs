//! Finding cgroup v2 in the texts that the kernel writes.

use std::path::{Path, PathBuf};

use eprof::host::mountinfo::{CgroupMount, cgroup_mounts, own_cgroup};
use proptest::prelude::*;

/// Where `own` is, by the first mount that shows it.
fn directory(mountinfo: &str, own: &str) -> Option<PathBuf> {
    let own = own_cgroup(own.as_bytes())?;
    cgroup_mounts(mountinfo.as_bytes())
        .iter()
        .find_map(|mount| mount.directory(&own))
}

const PURE: &str = "\
22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate
";

#[test]
fn pure_v2() {
    let own = "0::/user.slice/user-1000.slice/session-3.scope\n";
    let expected = "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope";
    assert_eq!(directory(PURE, own), Some(expected.into()));
    assert_eq!(directory(PURE, "0::/\n"), Some("/sys/fs/cgroup".into()));
}

#[test]
fn hybrid() {
    let mountinfo = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    let own = "9:name=systemd:/a\n4:memory:/m/0::/x\n1:cpu:/\n0::/b c\n";
    assert_eq!(
        directory(mountinfo, own),
        Some("/sys/fs/cgroup/unified/b c".into())
    );
}

#[test]
fn a_container_that_shares_the_hosts_names_but_sees_its_own_part() {
    let mountinfo = "\
700 690 0:26 /docker/abc /sys/fs/cgroup ro,nosuid master:9 propagate_from:4 - cgroup2 cgroup rw
";
    assert_eq!(
        directory(mountinfo, "0::/docker/abc/inner\n"),
        Some("/sys/fs/cgroup/inner".into())
    );
    assert_eq!(
        directory(mountinfo, "0::/docker/abc\n"),
        Some("/sys/fs/cgroup".into())
    );
    // A name that merely begins with the same letters is elsewhere.
    assert_eq!(directory(mountinfo, "0::/docker/abcd\n"), None);
    assert_eq!(directory(mountinfo, "0::/\n"), None);
}

#[test]
fn a_cgroup_namespace() {
    // The host's mount, seen from inside, is rooted above the namespace.
    let mountinfo = "\
41 31 0:38 /../.. /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
90 31 0:38 / /mnt/own rw - cgroup2 none rw
";
    assert_eq!(
        directory(mountinfo, "0::/job\n"),
        Some("/mnt/own/job".into())
    );
    // We were moved out of our namespace: no mount shows us.
    assert_eq!(directory(mountinfo, "0::/../other\n"), None);
}

#[test]
fn white_space_in_a_mount_point_is_escaped() {
    let mountinfo =
        b"1 2 0:3 / /my\\040own\\011\\134040\\012cg rw shared:1 master:2 - cgroup2 none rw\n";
    let expected = CgroupMount {
        root: "/".into(),
        point: "/my own\t\\040\ncg".into(),
    };
    assert_eq!(cgroup_mounts(mountinfo), [expected]);
}

#[test]
fn the_later_of_two_mounts_is_asked_first() {
    let mountinfo = "\
1 2 0:3 / /first rw - cgroup2 none rw
4 2 0:3 / /second rw - cgroup2 none rw
";
    assert_eq!(directory(mountinfo, "0::/a\n"), Some("/second/a".into()));
}

#[test]
fn no_v2_and_no_longer_there() {
    let v1 = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
    assert_eq!(cgroup_mounts(v1.as_bytes()), []);
    assert_eq!(own_cgroup(b"1:cpu:/a\n"), None);
    assert_eq!(own_cgroup(b"0::/gone (deleted)\n"), None);
    assert_eq!(own_cgroup(b""), None);
}

#[test]
fn lines_that_make_no_sense_are_passed_over() {
    for line in [
        "",
        " ",
        "-",
        "1 2 3",
        "1 2 0:3 / /p rw cgroup2 none rw",
        "1 2 0:3 / /p rw -",
        "1 2 0:3 / /p rw - ",
        "1 2 0:3 relative /p rw - cgroup2 none rw",
        "1 2 0:3 / relative rw - cgroup2 none rw",
        "1 2 0:3 / /p rw - cgroup2x none rw",
    ] {
        assert_eq!(cgroup_mounts(line.as_bytes()), [], "{line:?}");
        let between = format!("{line}\n{PURE}{line}");
        assert_eq!(cgroup_mounts(between.as_bytes()).len(), 1, "{line:?}");
    }
}

/// Escapes as the kernel does (`mangle` in fs/seq_file.c).
fn mangled(path: &[u8]) -> Vec<u8> {
    path.iter()
        .flat_map(|&byte| match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => format!("\\{byte:03o}").into_bytes(),
            other => vec![other],
        })
        .collect()
}

proptest! {
    #[test]
    fn any_bytes_give_absolute_paths_or_nothing(text in prop::collection::vec(any::<u8>(), 0..300)) {
        for mount in cgroup_mounts(&text) {
            prop_assert!(mount.root.is_absolute() && mount.point.is_absolute());
        }
        if let Some(own) = own_cgroup(&text) {
            prop_assert!(own.is_absolute());
        }
    }

    #[test]
    fn any_cut_of_a_real_file_is_survived(cut in 0..PURE.len(), noise in any::<u8>()) {
        let mut text = PURE.as_bytes().to_vec();
        text[cut] = noise;
        prop_assert!(cgroup_mounts(&text).len() <= 1);
        prop_assert!(cgroup_mounts(&text[..cut]).len() <= 1);
    }

    #[test]
    fn any_mount_point_is_read_back(name in prop::collection::vec(1..=u8::MAX, 1..40)) {
        use std::os::unix::ffi::OsStrExt as _;
        let name: Vec<u8> = [b"/", name.as_slice()].concat();
        let line = [b"1 2 0:3 / ", mangled(&name).as_slice(), b" rw - cgroup2 none rw\n"].concat();
        let mounts = cgroup_mounts(&line);
        prop_assert_eq!(mounts.len(), 1);
        prop_assert_eq!(&mounts[0].point, Path::new(std::ffi::OsStr::from_bytes(&name)));
    }

    #[test]
    fn no_name_leads_out_of_the_mount(own in "(/\\.\\.|/a|/b){0,6}") {
        let mount = CgroupMount { root: "/".into(), point: "/cg".into() };
        if let Some(directory) = mount.directory(Path::new(&format!("/{own}"))) {
            prop_assert!(!directory.to_str().unwrap().contains(".."));
            prop_assert!(directory.starts_with("/cg"));
        }
    }
}
