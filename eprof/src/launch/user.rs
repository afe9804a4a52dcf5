//! Whom the target runs as, and whom the files belong to.
//!
//! Under sudo, doas, pkexec and run0 eprof is root for its own measuring, but
//! the command is the calling user's: it runs as them, and the files that
//! eprof writes are theirs.

use std::ffi::{CString, OsString};
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User, getgrouplist};

use crate::error::{Error, ErrorKind, Result};

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RunAs {
    /// The user who called sudo (doas, pkexec, run0); without them, eprof's own.
    #[default]
    Caller,
    /// Root, also under sudo.
    Root,
    /// A user by name or number.
    User(String),
}

/// A user with everything that a login gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Login name; `None` where the user database has none.
    pub name: Option<String>,
    /// Home directory; `/` where the user database has none.
    pub home: PathBuf,
    /// Login shell, where the user database has one.
    pub shell: Option<PathBuf>,
}

/// Whom to become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Whom the target runs as; `None`: as eprof itself does.
    pub target: Option<UserId>,
    /// Whom the files that eprof writes belong to; `None`: eprof's own user.
    ///
    /// That is the calling user also with `--user`, who need not be able to
    /// write where the caller works; with `--as-root` everything is root's.
    pub files: Option<UserId>,
    /// Whether the target is somebody else's than the terminal: then it gets a
    /// session of its own, in which it cannot type into that terminal (TIOCSTI).
    pub stranger: bool,
}

/// Variables by which a helper names its caller; they are not handed on to a
/// target that runs as that caller, who never called a helper.
const HELPER_VARIABLES: [&str; 7] = [
    "SUDO_UID",
    "SUDO_GID",
    "SUDO_USER",
    "SUDO_COMMAND",
    "SUDO_HOME",
    "PKEXEC_UID",
    "DOAS_USER",
];

impl Identity {
    /// Resolves what was asked for, from the environment and the user
    /// database.
    ///
    /// # Errors
    ///
    /// An unknown user, a caller that cannot be made out (rather than to run
    /// their command as root), or a switch that only root may make.
    pub fn resolve(run_as: &RunAs) -> Result<Self> {
        Self::resolve_with(run_as, |name| std::env::var_os(name))
    }

    /// As [`Self::resolve`], with `variable` in place of the environment.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`].
    pub fn resolve_with(
        run_as: &RunAs,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let root = Uid::effective().is_root();
        let caller = || if root { caller(&variable) } else { Ok(None) };
        match run_as {
            RunAs::Caller => {
                let caller = caller()?;
                Ok(Self {
                    target: caller.clone(),
                    files: caller,
                    stranger: false,
                })
            }
            RunAs::Root if root => Ok(Self::default()),
            RunAs::Root => Err(only_root("--as-root")),
            RunAs::User(user) => {
                let user = UserId::named(user)?;
                let ours = user.uid == Uid::effective().as_raw();
                if !ours && !root {
                    return Err(only_root("--user"));
                }
                let files = caller()?;
                let callers = files.as_ref().map(|caller| caller.uid);
                Ok(Self {
                    stranger: !ours && callers != Some(user.uid),
                    target: (!ours).then_some(user),
                    files,
                })
            }
        }
    }

    /// The environment of the target: `environment`, with what a login as the
    /// target's user sets. `PATH` stays as it is.
    pub fn environment(
        &self,
        mut environment: Vec<(OsString, OsString)>,
    ) -> Vec<(OsString, OsString)> {
        let Some(user) = &self.target else {
            return environment;
        };
        let mut login = vec![("HOME", Some(user.home.clone().into_os_string()))];
        let name = user.name.as_ref().map(OsString::from);
        login.push(("USER", name.clone()));
        login.push(("LOGNAME", name.clone()));
        login.push(("SHELL", user.shell.clone().map(Into::into)));
        // Only where there was one: nobody but a mail reader wants it.
        if environment.iter().any(|(key, _)| key == "MAIL") {
            let path = name.map(|name| PathBuf::from("/var/mail").join(name).into());
            login.push(("MAIL", path));
        }
        environment.retain(|(key, _)| {
            !login.iter().any(|(name, _)| key == name)
                && !HELPER_VARIABLES.iter().any(|name| key == name)
        });
        environment.extend(
            login
                .into_iter()
                .filter_map(|(key, value)| Some((key.into(), value?))),
        );
        environment
    }
}

impl UserId {
    /// A user by name or number.
    ///
    /// # Errors
    ///
    /// Where the user database cannot be asked or has no such user.
    pub fn named(user: &str) -> Result<Self> {
        // A name may consist of digits (useradd allows it), so it goes first.
        let by_name = User::from_name(user).map_err(|errno| database(user, errno))?;
        let found = match (by_name, user.parse::<u32>()) {
            (Some(found), _) => Some(found),
            (None, Ok(uid)) => {
                User::from_uid(Uid::from_raw(uid)).map_err(|errno| database(user, errno))?
            }
            (None, Err(_)) => None,
        };
        let Some(found) = found else {
            return Err(
                Error::new(ErrorKind::Usage, format!("there is no user '{user}'"))
                    .hint("name a user that 'getent passwd' lists"),
            );
        };
        Self::of(found)
    }

    fn of(user: User) -> Result<Self> {
        let gid = user.gid;
        let groups = CString::new(user.name.as_str())
            .map_err(|_| nix::errno::Errno::EINVAL)
            .and_then(|name| getgrouplist(&name, gid))
            .map_err(|errno| database(&user.name, errno))?;
        Ok(Self {
            uid: user.uid.as_raw(),
            gid: gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            name: Some(user.name),
            home: user.dir,
            shell: (!user.shell.as_os_str().is_empty()).then_some(user.shell),
        })
    }

    /// The user `uid`, whose primary group is `gid` where that is given. One
    /// without an entry in the user database (usual in containers) has that
    /// group alone, and no home.
    fn with_id(uid: u32, gid: Option<u32>) -> Result<Self> {
        let known = User::from_uid(Uid::from_raw(uid))
            .map_err(|errno| database(&uid.to_string(), errno))?
            .map(Self::of)
            .transpose()?;
        let mut user = match (known, gid) {
            (Some(user), _) => user,
            (None, Some(gid)) => Self {
                uid,
                gid,
                groups: vec![gid],
                name: None,
                home: PathBuf::from("/"),
                shell: None,
            },
            (None, None) => {
                return Err(unclear(&format!(
                    "the user database has no calling user {uid}"
                )));
            }
        };
        if let Some(gid) = gid {
            user.gid = gid;
            if !user.groups.contains(&gid) {
                user.groups.push(gid);
            }
        }
        Ok(user)
    }

    /// How the user is called in messages.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("uid {}", self.uid),
        }
    }
}

/// Who called the helper that made eprof root; `None` where there was no
/// helper, or root called it.
fn caller(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<UserId>> {
    let number = |name: &str| -> Result<Option<u32>> {
        let Some(value) = variable(name) else {
            return Ok(None);
        };
        // The highest id means "no change" to the kernel.
        match value.to_str().and_then(|text| text.parse().ok()) {
            Some(id) if id != u32::MAX => Ok(Some(id)),
            _ => Err(unclear(&format!(
                "{name} is '{}', which is no id",
                value.to_string_lossy()
            ))),
        }
    };
    let user = if let Some(uid) = number("SUDO_UID")? {
        UserId::with_id(uid, number("SUDO_GID")?)?
    } else if let Some(uid) = number("PKEXEC_UID")? {
        UserId::with_id(uid, None)?
    } else if let Some(name) = variable("DOAS_USER") {
        UserId::named(&name.to_string_lossy())
            .map_err(|_| unclear("DOAS_USER names nobody in the user database"))?
    } else {
        return Ok(None);
    };
    Ok((user.uid != 0).then_some(user))
}

fn unclear(sentence: &str) -> Error {
    Error::new(
        ErrorKind::Usage,
        format!("{sentence}, so it is unclear whom the target should run as"),
    )
    .hint("say it: --user NAME, or --as-root")
}

fn only_root(option: &str) -> Error {
    Error::new(
        ErrorKind::Permission,
        format!("{option} needs root: only root may run a command as another user"),
    )
    .hint(format!("sudo eprof run {option} …"))
}

fn database(user: &str, errno: nix::errno::Errno) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the user database does not answer for '{user}': {errno}"),
    )
}
