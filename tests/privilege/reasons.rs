//! Why eprof may not measure, and a remedy that works there; `eprof doctor` says the
//! same as `eprof run`.

use super::*;

/// What `run` and `doctor` say in the surroundings that `prepare` makes for each.
struct Answers {
    run: Output,
    doctor: Output,
}

impl Answers {
    fn of(installed: &Installed, prepare: impl Fn(&[&str]) -> Command) -> Self {
        let eprof = installed.eprof();
        let eprof = eprof.to_str().unwrap();
        let output = |arguments: &[&str]| {
            let mut command = prepare(arguments);
            command.current_dir(installed.work.path());
            command.env("HOME", installed.work.path());
            command.output().unwrap()
        };
        Self {
            run: output(&[
                eprof,
                "run",
                "-q",
                "--no-flamegraph",
                "-o",
                "x.data",
                "--",
                "true",
            ]),
            doctor: output(&[eprof, "doctor"]),
        }
    }

    /// Asserts that both say that it cannot work, and hint at `remedy`, not at any of
    /// `useless`.
    fn refused(&self, code: i32, remedy: &str, useless: &[&str]) {
        let run = said(&self.run);
        assert_eq!(self.run.status.code(), Some(code), "{run}");
        let hint = |text: &str| {
            let hints = text.lines().filter_map(|line| line.split_once("hint: "));
            let mut hints = hints.map(|(_, hint)| hint.to_owned());
            hints.find(|hint| hint.contains(remedy))
        };
        let doctor = said(&self.doctor);
        let (one, other) = (hint(&run), hint(&doctor));
        assert!(one.is_some(), "no {remedy} in: {run}");
        assert_eq!(one, other, "run: {run}\ndoctor: {doctor}");
        for useless in useless {
            assert!(!run.contains(useless), "{useless} does not help: {run}");
        }
        assert_eq!(self.doctor.status.code(), Some(4), "{doctor}");
        assert!(doctor.contains("eprof run cannot work here"), "{doctor}");
    }
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

#[test]
fn a_plain_user_is_told_of_sudo_and_of_a_group() {
    let Some(installed) = Installed::new() else {
        return;
    };
    Answers::of(&installed, |words| {
        let mut command = command(words);
        command.uid(NOBODY).gid(NOBODY);
        command
    })
    .refused(77, "sudo chgrp eprof", &["chmod a+r"]);
}

#[test]
fn root_in_a_container_is_told_of_the_container() {
    let Some(installed) = Installed::new() else {
        return;
    };
    // What Docker gives by default.
    let docker = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,\
                  +net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";
    Answers::of(&installed, |words| {
        let mut all = vec!["setpriv", "--bounding-set", docker, "--inh-caps", "-all"];
        all.extend(words);
        command(&all)
    })
    .refused(77, "--cap-add PERFMON", &["sudo", "setcap "]);
}

#[test]
fn who_cannot_gain_rights_is_told_why() {
    let Some(installed) = Installed::with_capabilities(&format!("{CAPABILITIES}+ep")) else {
        return;
    };
    Answers::of(&installed, |words| {
        let mut all = vec!["setpriv", "--no-new-privs"];
        all.extend(words);
        let mut command = command(&all);
        command.uid(NOBODY).gid(NOBODY);
        command
    })
    .refused(77, "NoNewPrivileges=", &["setcap "]);
}

#[test]
fn the_root_of_a_user_namespace_is_told_that_it_is_none() {
    let Some(installed) = Installed::new() else {
        return;
    };
    let answers = Answers::of(&installed, |words| {
        let mut all = vec!["unshare", "--user", "--map-root-user"];
        all.extend(words);
        command(&all)
    });
    if said(&answers.run).contains("unshare failed") {
        return support::skip("there are no user namespaces here");
    }
    answers.refused(77, "--userns=host", &["mount", "setcap "]);
}

#[test]
fn a_seccomp_filter_is_named() {
    let Some(installed) = Installed::new() else {
        return;
    };
    for errno in [libc::EPERM, libc::ENOSYS] {
        let answers = Answers::of(&installed, |words| {
            let mut command = command(words);
            // SAFETY: between fork and exec it makes two system calls.
            unsafe {
                command.pre_exec(move || deny(libc::SYS_bpf, errno));
            }
            command
        });
        answers.refused(77, "seccomp=unconfined", &["setcap ", "mount"]);
    }
}

/// A filter that answers `errno` to `call`.
fn deny(call: libc::c_long, errno: i32) -> std::io::Result<()> {
    let load = libc::sock_filter {
        // BPF_LD | BPF_W | BPF_ABS: the number of the call.
        code: 0x20,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let compare = libc::sock_filter {
        // BPF_JMP | BPF_JEQ | BPF_K.
        code: 0x15,
        jt: 0,
        jf: 1,
        k: call as u32,
    };
    let answer = |k: u32| libc::sock_filter {
        // BPF_RET | BPF_K.
        code: 0x06,
        jt: 0,
        jf: 0,
        k,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | errno as u32;
    let mut filter = [
        load,
        compare,
        answer(refuse),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program is valid and lives through the call.
    let done = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[test]
fn a_want_of_descriptors_is_not_one_of_rights() {
    let Some(installed) = Installed::new() else {
        return;
    };
    for limit in ["14", "20"] {
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        let answers = Answers::of(&installed, |words| {
            let mut all = vec!["sh", "-c", &script, "sh"];
            all.extend(words);
            command(&all)
        });
        let run = said(&answers.run);
        assert_eq!(answers.run.status.code(), Some(70), "{limit}: {run}");
        assert!(run.contains("ulimit -n"), "{limit}: {run}");
        assert!(
            !run.contains("sudo") && !run.contains("setcap"),
            "{limit}: {run}"
        );
    }
}

#[test]
fn without_sys_neither_works() {
    let Some(installed) = Installed::new() else {
        return;
    };
    let answers = Answers::of(&installed, |words| {
        let script = "mount -t tmpfs none /sys && exec \"$@\"";
        let mut all = vec!["unshare", "--mount", "sh", "-c", script, "sh"];
        all.extend(words);
        command(&all)
    });
    if said(&answers.run).contains("unshare failed") {
        return support::skip("there are no mount namespaces here");
    }
    answers.refused(69, "mount -t sysfs", &["setcap "]);
}

#[test]
fn where_it_works_both_say_so() {
    let Some(installed) = Installed::new() else {
        return;
    };
    let answers = Answers::of(&installed, command);
    assert!(answers.run.status.success(), "{}", said(&answers.run));
    assert!(
        matches!(answers.doctor.status.code(), Some(0 | 3)),
        "{}",
        said(&answers.doctor)
    );
}

#[test]
fn what_is_quoted_in_an_error_is_no_escape() {
    for arguments in [
        vec!["report", "\x1b]0;title\x07.data"],
        vec!["report", "--by", "\x1b[2J"],
        vec!["export", "--format", "folded", "a\u{202e}b"],
        vec!["run", "-o", "%\x1b", "--", "true"],
    ] {
        let output = support::eprof_in(Path::new("/"), &arguments);
        assert!(!output.status.success());
        let said = said(&output);
        assert!(!said.contains(['\x1b', '\x07', '\u{202e}']), "{said:?}");
        // clap leaves whole sequences out of what it quotes.
        let quoted = said.contains("\\x1b") || said.contains("\\u{202e}");
        assert!(quoted || said.contains("--by"), "{said:?}");
    }
}
