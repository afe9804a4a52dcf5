//! Whom the target runs as.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::Command as Tool;

use eprof::error::ErrorKind;
use eprof::launch::{Command, Identity, RunAs, UserId, prepare};

use crate::bench::{open_directory, read, root, run, sh_into};

/// The identity under an environment that consists of `variables`.
fn under(run_as: &RunAs, variables: &[(&str, &str)]) -> eprof::error::Result<Identity> {
    Identity::resolve_with(run_as, |name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    })
}

fn user(name: &str) -> RunAs {
    RunAs::User(name.to_owned())
}

/// What a target with this identity writes.
fn output(script: &str, identity: &Identity, environment: &[(&str, &str)]) -> String {
    let directory = open_directory();
    let file = directory.path().join("output");
    let mut variables: Vec<(OsString, OsString)> = environment
        .iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    variables.push(("PATH".into(), "/usr/bin:/bin".into()));
    let command: Command = sh_into(script, &file).environment(variables);
    assert_eq!(run(command, None, identity).code, 0);
    read(file)
}

/// The ids in the output of `id -G`.
fn ids(text: &str) -> BTreeSet<u32> {
    text.split_whitespace()
        .map(|id| id.parse().unwrap())
        .collect()
}

/// What `id` says about a user: a second opinion.
fn id(option: &str, name: &str) -> BTreeSet<u32> {
    let said = Tool::new("id").args([option, name]).output().unwrap();
    ids(&String::from_utf8(said.stdout).unwrap())
}

/// Names of some users of this machine other than root.
fn users() -> Vec<String> {
    let passwd = read("/etc/passwd");
    let all = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? != "0").then(|| name.to_owned())
    });
    // Those in several groups are the interesting ones.
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|name| std::cmp::Reverse(id("-G", name).len()));
    all.truncate(6);
    all
}

#[test]
fn the_target_has_the_ids_and_groups_that_the_system_gives_the_user() {
    if !root() {
        return;
    }
    for name in users() {
        let identity = under(&user(&name), &[]).unwrap();
        let said = output("id -u; id -g; id -G; id -ru; id -rg", &identity, &[]);
        let lines: Vec<_> = said.lines().map(ids).collect();
        let (uid, gid) = (id("-u", &name), id("-g", &name));
        let expected = [uid.clone(), gid.clone(), id("-G", &name), uid, gid];
        assert_eq!(lines, expected, "{name}");
    }
}

#[test]
fn under_sudo_the_target_is_the_callers() {
    if !root() {
        return;
    }
    let nobody = UserId::named("nobody").unwrap();
    let (uid, gid) = (nobody.uid.to_string(), nobody.gid.to_string());
    let sudo = [
        ("SUDO_UID", uid.as_str()),
        ("SUDO_GID", gid.as_str()),
        ("SUDO_USER", "nobody"),
        ("HOME", "/root"),
        ("USER", "root"),
        ("LOGNAME", "root"),
        ("MAIL", "/var/mail/root"),
        ("EDITOR", "ed"),
    ];
    let identity = under(&RunAs::Caller, &sudo).unwrap();
    assert_eq!(identity.files, identity.target, "the files are theirs too");
    let said = output("id -u; id -g; env", &identity, &sudo);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some(uid.as_str()));
    assert_eq!(lines.next(), Some(gid.as_str()));
    let environment: BTreeSet<_> = lines.collect();
    let home = format!("HOME={}", nobody.home.display());
    for expected in [
        home.as_str(),
        "USER=nobody",
        "LOGNAME=nobody",
        "MAIL=/var/mail/nobody",
        "EDITOR=ed",
    ] {
        assert!(environment.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("SUDO_"), "{said}");
}

#[test]
fn no_capability_and_no_group_of_root_remains() {
    if !root() {
        return;
    }
    let identity = under(&user("nobody"), &[]).unwrap();
    let said = output("grep -E '^(Cap|Groups)' /proc/self/status", &identity, &[]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        let line = said.lines().find(|line| line.starts_with(set)).unwrap();
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    let groups = said.lines().find_map(|line| line.strip_prefix("Groups:"));
    assert!(!ids(groups.unwrap()).contains(&0), "{said}");
}

#[test]
fn a_caller_without_an_account_has_one_group_and_no_home() {
    if !root() {
        return;
    }
    let sudo = [
        ("SUDO_UID", "54321"),
        ("SUDO_GID", "54322"),
        ("HOME", "/root"),
    ];
    let identity = under(&RunAs::Caller, &sudo).unwrap();
    let said = output("id -u; id -g; id -G; echo $HOME", &identity, &sudo);
    assert_eq!(said, "54321\n54322\n54322\n/\n");
}

#[test]
fn other_helpers_name_their_caller_too() {
    if !root() {
        return;
    }
    let nobody = UserId::named("nobody").unwrap();
    let uid = nobody.uid.to_string();
    for variable in [("PKEXEC_UID", uid.as_str()), ("DOAS_USER", "nobody")] {
        let identity = under(&RunAs::Caller, &[variable]).unwrap();
        assert_eq!(identity.target.as_ref(), Some(&nobody), "{variable:?}");
    }
}

#[test]
fn root_that_calls_sudo_or_nothing_stays_root() {
    if !root() {
        return;
    }
    let stays = Identity::default();
    let as_root = [("SUDO_UID", "0"), ("SUDO_GID", "0")];
    assert_eq!(under(&RunAs::Caller, &as_root).unwrap(), stays);
    assert_eq!(under(&RunAs::Caller, &[]).unwrap(), stays);
    let sudo = [("SUDO_UID", "65534"), ("SUDO_GID", "65534")];
    assert_eq!(under(&RunAs::Root, &sudo).unwrap(), stays);
}

#[test]
fn another_user_runs_it_but_the_files_are_the_callers() {
    if !root() {
        return;
    }
    let sudo = [("SUDO_UID", "65534"), ("SUDO_GID", "65534")];
    let daemon = UserId::named("daemon").unwrap();
    for name in ["daemon".to_owned(), daemon.uid.to_string()] {
        let identity = under(&user(&name), &sudo).unwrap();
        assert_eq!(identity.target.as_ref(), Some(&daemon));
        assert_eq!(identity.files.unwrap().uid, 65534);
        // Without sudo, the caller is root itself.
        assert_eq!(under(&user(&name), &[]).unwrap().files, None);
    }
    assert_eq!(under(&user("root"), &sudo).unwrap().target, None);
}

#[test]
fn who_cannot_be_made_out_does_not_run_as_root_instead() {
    if !root() {
        return;
    }
    for variables in [
        [("SUDO_UID", "me"), ("SUDO_GID", "0")],
        [("SUDO_UID", ""), ("SUDO_GID", "0")],
        [("SUDO_UID", "-1"), ("SUDO_GID", "0")],
        [("SUDO_UID", "4294967295"), ("SUDO_GID", "0")],
        [("SUDO_UID", "65534"), ("SUDO_GID", "x")],
        [("PKEXEC_UID", "54321"), ("X", "")],
        [("DOAS_USER", "no-such-user-here"), ("X", "")],
    ] {
        let error = under(&RunAs::Caller, &variables).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{variables:?}");
        assert!(
            error.given_hint().unwrap().contains("--as-root"),
            "{variables:?}"
        );
        // Said in so many words, it is.
        assert!(under(&RunAs::Root, &variables).is_ok());
    }
    let unknown = under(&user("no-such-user-here"), &[]).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Usage);
    let number = under(&user("4000000000"), &[]).unwrap_err();
    assert_eq!(number.kind(), ErrorKind::Usage);
}

#[test]
fn what_the_user_may_not_execute_is_not_executed() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("roots-own");
    crate::bench::executable(&program, "#!/bin/sh\n");
    crate::bench::set_mode(directory.path(), 0o700);
    let none: [&str; 0] = [];
    let identity = under(&user("nobody"), &[]).unwrap();
    let failure = |command: Command| {
        let prepared = prepare(command, None, &identity).unwrap();
        prepared.spawn().unwrap().release().unwrap_err()
    };
    let error = failure(Command::new(&program, none));
    assert_eq!(error.kind(), ErrorKind::CannotRun);
    assert!(error.to_string().contains("by nobody"), "{error}");
    // A PATH that sudo put in place of the caller's own is worth a word.
    let error = failure(Command::new("eprof-no-such-program", none));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.given_hint().unwrap().contains("sudo"),
        "{:?}",
        error.given_hint()
    );
}
