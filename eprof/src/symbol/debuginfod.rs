//! A client of debuginfod servers (elfutils, debuginfod(8)): debug
//! information by build id, over HTTP. Asked only where the user has set
//! `DEBUGINFOD_URLS`.
//!
//! The cache has the layout of elfutils' own client
//! (debuginfod-find(1), `CACHE`), so that both share it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::Agent;

use crate::caveat::Caveat;
use crate::mappings::identity::{Fingerprint, hex};
use crate::mappings::objects::{descriptor, open_plain};
use crate::unit::Nanos;

/// The cache's directory among those of other programs.
const CACHE: &str = "debuginfod_client";

/// The name of a file in the cache.
const FILE: &str = "debuginfo";

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a server may think, and then take for the file, unless
/// `DEBUGINFOD_TIMEOUT` says otherwise (the default of elfutils).
const TIMEOUT: Duration = Duration::from_secs(90);

/// The largest file that is fetched, in bytes, unless `DEBUGINFOD_MAXSIZE`
/// says otherwise: that of a browser has about 4 GB.
const LARGEST: u64 = 8 << 30;

/// For how long a server is not asked again for what it did not have (the
/// default of elfutils, `cache_miss_s`).
const MISS: Duration = Duration::from_secs(600);

/// How often a server may fail before it is left alone.
const MOST_FAILURES: u32 = 2;

/// How often it is told how much has come, in bytes.
const TELL: u64 = 256 << 10;

/// Which servers are asked, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    urls: Vec<String>,
    cache: Option<PathBuf>,
    timeout: Duration,
    largest: u64,
}

/// What went wrong with a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    url: String,
    times: u32,
    /// What was wrong the last time.
    why: String,
}

/// A client of debuginfod servers.
pub(super) struct Client {
    agent: Agent,
    settings: Settings,
    cache: PathBuf,
    failures: Mutex<Vec<Failure>>,
    /// Is told that so many more bytes have come.
    told: Box<dyn Fn(u64) + Send + Sync>,
}

impl Settings {
    /// As the environment says; `None` where `DEBUGINFOD_URLS` names no server.
    pub(super) fn of_environment() -> Option<Self> {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let urls = variable("DEBUGINFOD_URLS")?;
        let urls: Vec<String> = urls
            .split_whitespace()
            .filter(|url| url.starts_with("http://") || url.starts_with("https://"))
            .map(|url| url.trim_end_matches('/').to_owned())
            .collect();
        let below = |name: &str| Some(PathBuf::from(variable(name).filter(|at| !at.is_empty())?));
        let cache =
            below("DEBUGINFOD_CACHE_PATH").or_else(|| Some(below("XDG_CACHE_HOME")?.join(CACHE)));
        let number = |name: &str| variable(name)?.trim().parse().ok().filter(|&n: &u64| n > 0);
        (!urls.is_empty()).then(|| Self {
            urls,
            cache,
            timeout: number("DEBUGINFOD_TIMEOUT").map_or(TIMEOUT, Duration::from_secs),
            largest: number("DEBUGINFOD_MAXSIZE").unwrap_or(LARGEST),
        })
    }

    /// The largest file that is fetched, in bytes.
    pub(super) fn largest(&self) -> u64 {
        self.largest
    }

    /// How long nothing may be heard of who asks.
    pub(super) fn patience(&self) -> Nanos {
        let each = self.timeout.saturating_mul(2).saturating_add(CONNECT);
        let servers = u32::try_from(self.urls.len()).unwrap_or(u32::MAX);
        let all = each.saturating_mul(servers).saturating_add(CONNECT);
        Nanos(u64::try_from(all.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Where files are kept, for a user whose home is `home`.
    fn cache(&self, home: Option<&Path>) -> Option<PathBuf> {
        let home = || Some(home?.join(".cache").join(CACHE));
        self.cache.clone().or_else(home)
    }
}

impl Client {
    /// A client as `settings` say, of a user whose home is `home`, which knows what
    /// went wrong before; `None` where there is no place for a cache.
    pub(super) fn new(
        settings: Settings,
        home: Option<&Path>,
        failures: Vec<Failure>,
        told: Box<dyn Fn(u64) + Send + Sync>,
    ) -> Option<Self> {
        let cache = settings.cache(home)?;
        let timeout = settings.timeout;
        let agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT.min(timeout)))
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .user_agent(concat!("eprof/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .build();
        Some(Self {
            agent: agent.into(),
            settings,
            cache,
            failures: Mutex::new(failures),
            told,
        })
    }

    /// The debug information of the object with `build_id`; `None` where no
    /// server has it, or none can be asked.
    pub(super) fn debug_file(&self, build_id: &[u8]) -> Option<PathBuf> {
        let id = hex(build_id);
        let path = self.cache.join(&id).join(FILE);
        let entry = Entry::open(&self.cache, &id);
        match entry.as_ref().map(|entry| entry.state(build_id)) {
            Ok(State::There) => return Some(path),
            Ok(State::Nowhere) => return None,
            Ok(State::Unknown) | Err(_) => {}
        }
        let mut all_answered = true;
        for url in &self.settings.urls {
            if self.times(url) >= MOST_FAILURES {
                all_answered = false;
                continue;
            }
            let from = format!("{url}/buildid/{id}/debuginfo");
            match self.fetch(&from, entry.as_ref(), build_id) {
                Ok(true) => return Some(path),
                Ok(false) => {}
                Err(why) => {
                    all_answered = false;
                    self.failed(url, why);
                }
            }
        }
        if let (true, Ok(entry)) = (all_answered, &entry) {
            // An empty file remembers that there is none. Without it, servers
            // are asked again the next time.
            let _ = entry.note_absence();
        }
        None
    }

    /// What went wrong so far.
    pub(super) fn failures(&self) -> Vec<Failure> {
        let failures = self.failures.lock();
        failures
            .map(|failures| failures.clone())
            .unwrap_or_default()
    }

    fn times(&self, url: &str) -> u32 {
        let failures = self.failures.lock();
        let times = |failures: &[Failure]| {
            let mut of_it = failures.iter().filter(|failure| failure.url == url);
            of_it.next().map_or(0, |failure| failure.times)
        };
        failures.map_or(0, |failures| times(&failures))
    }

    fn failed(&self, url: &str, why: String) {
        let Ok(mut failures) = self.failures.lock() else {
            return;
        };
        match failures.iter_mut().find(|failure| failure.url == url) {
            Some(failure) => {
                failure.times = failure.times.saturating_add(1);
                failure.why = why;
            }
            None => failures.push(Failure {
                url: url.to_owned(),
                times: 1,
                why,
            }),
        }
    }

    /// Fetches `url` into `entry`. `false`: the server does not have it.
    fn fetch(
        &self,
        url: &str,
        entry: Result<&Entry, &io::Error>,
        build_id: &[u8],
    ) -> Result<bool, String> {
        let entry = entry.map_err(|error| format!("{}: {error}", self.cache.display()))?;
        let response = self.agent.get(url).call();
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            404 => return Ok(false),
            _ => return Err(format!("status {status}")),
        }
        let body = response.into_body().into_reader();
        let largest = self.settings.largest;
        entry
            .store(build_id, |file| {
                // As long as allowed: it may well be longer.
                if self.copy(body.take(largest), file)? >= largest {
                    return Err(io::Error::other("the file is too large"));
                }
                Ok(())
            })
            .map_err(|error| error.to_string())?;
        Ok(true)
    }

    fn copy(&self, mut body: impl Read, file: &mut File) -> io::Result<u64> {
        let mut bytes = vec![0; 1 << 16];
        let (mut length, mut untold) = (0, 0);
        loop {
            let got = body.read(&mut bytes)?;
            if got == 0 {
                (self.told)(untold);
                return Ok(length);
            }
            file.write_all(bytes.get(..got).unwrap_or_default())?;
            length += got as u64;
            untold += got as u64;
            if untold >= TELL {
                (self.told)(std::mem::take(&mut untold));
            }
        }
    }
}

/// How it is said what went wrong, if anything did.
pub(super) fn caveat(failures: &[Failure]) -> Option<Caveat> {
    let failed = failures.iter();
    let failed: Vec<_> = failed
        .map(|failure| format!("{} ({})", failure.url, failure.why))
        .collect();
    (!failed.is_empty()).then(|| {
        Caveat::new(
            "debuginfod-failed",
            format!(
                "some debug information may be missing, for it could not be fetched from {}",
                failed.join(", ")
            ),
        )
        .hint("what was fetched is kept; eprof report asks again for what is missing")
    })
}

/// The cache's directory of one build id. No link is followed in it, nor to it:
/// others may be able to write to the cache.
struct Entry {
    directory: File,
}

/// What is known of a file.
enum State {
    There,
    /// No server had it a short while ago.
    Nowhere,
    Unknown,
}

impl Entry {
    fn open(cache: &Path, id: &str) -> io::Result<Self> {
        fs::create_dir_all(cache)?;
        let cache = directory(cache, 0)?;
        let path = descriptor(&cache).join(id);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let directory = directory(&path, libc::O_NOFOLLOW)?;
        Ok(Self { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        descriptor(&self.directory).join(name)
    }

    /// What is known of the file with `build_id`. Another one that is there, which a
    /// server sent to somebody who believed it, counts for nothing.
    fn state(&self, build_id: &[u8]) -> State {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW);
        let found = options.open(self.path(FILE));
        let Some((found, metadata)) = found.ok().and_then(|found| {
            let metadata = found.metadata().ok().filter(Metadata::is_file)?;
            Some((found, metadata))
        }) else {
            return State::Unknown;
        };
        if metadata.len() > 0 {
            let file = open_plain(&descriptor(&found));
            return match file.is_some_and(|file| has(&file, build_id)) {
                true => State::There,
                false => State::Unknown,
            };
        }
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
        if age.is_none_or(|age| age < MISS) {
            State::Nowhere
        } else {
            State::Unknown
        }
    }

    /// Stores what `write` writes, under a name of its own first: others may read the
    /// cache. It stays only if it has `build_id`.
    fn store(
        &self,
        build_id: &[u8],
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let partial = self.path(&format!("{FILE}.{}.part", std::process::id()));
        // Of a process that died with the same id.
        let _ = fs::remove_file(&partial);
        let mut options = OpenOptions::new();
        let made = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(&partial);
        let stored = made.and_then(|mut file| {
            write(&mut file)?;
            if !has(&file, build_id) {
                return Err(io::Error::other("what it sent is not what was asked for"));
            }
            fs::rename(&partial, self.path(FILE))
        });
        if stored.is_err() {
            // Nothing more can be done about what could not be written.
            let _ = fs::remove_file(&partial);
        }
        stored
    }

    fn note_absence(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        options.open(self.path(FILE)).map(drop)
    }
}

fn directory(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY | flags)
        .open(path)
}

fn has(file: &File, build_id: &[u8]) -> bool {
    let found = Fingerprint::of(file).and_then(|found| found.build_id);
    found.is_some_and(|found| found == build_id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Option<Settings> {
        Settings::of(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_asked_unless_the_user_says_so() {
        assert!(settings(&[]).is_none());
        assert!(settings(&[("DEBUGINFOD_URLS", "  ")]).is_none());
        assert!(settings(&[("DEBUGINFOD_URLS", "ftp://x")]).is_none());
        let only = settings(&[("DEBUGINFOD_URLS", "http://x")]).unwrap();
        assert_eq!(only.cache(None), None);
    }

    #[test]
    fn the_cache_is_where_others_look_for_it() {
        let urls = ("DEBUGINFOD_URLS", "http://a https://b/");
        let home = Path::new("/home/a");
        let cache =
            |variables: &[(&str, &str)]| settings(variables).unwrap().cache(Some(home)).unwrap();
        assert_eq!(
            cache(&[urls]),
            Path::new("/home/a/.cache/debuginfod_client")
        );
        let xdg = ("XDG_CACHE_HOME", "/x");
        assert_eq!(cache(&[urls, xdg]), Path::new("/x/debuginfod_client"));
        let own = ("DEBUGINFOD_CACHE_PATH", "/c");
        assert_eq!(cache(&[urls, xdg, own]), Path::new("/c"));
        assert_eq!(settings(&[urls]).unwrap().urls, ["http://a", "https://b"]);
    }

    #[test]
    fn no_link_leads_out_of_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, outside) = (dir.path().join("cache"), dir.path().join("outside"));
        fs::create_dir(&cache).unwrap();
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, cache.join("ab")).unwrap();
        assert!(Entry::open(&cache, "ab").is_err());

        let secret = outside.join("secret");
        fs::write(&secret, "as it was").unwrap();
        let entry = Entry::open(&cache, "cd").unwrap();
        std::os::unix::fs::symlink(&secret, cache.join("cd").join(FILE)).unwrap();
        assert!(matches!(entry.state(&[0xcd]), State::Unknown));
        assert!(entry.note_absence().is_err());
        assert!(
            entry
                .store(&[0xcd], |file| file.write_all(b"garbage"))
                .is_err()
        );
        assert_eq!(fs::read(&secret).unwrap(), b"as it was");
        let left = fs::read_dir(cache.join("cd")).unwrap().count();
        assert_eq!(left, 1, "what is not kept is not left behind");
    }
}
