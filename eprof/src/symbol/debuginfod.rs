//! A client of debuginfod servers (elfutils, debuginfod(8)): debug
//! information by build id, over HTTP. Asked only where the user has set
//! `DEBUGINFOD_URLS`.
//!
//! The cache has the layout of elfutils' own client
//! (debuginfod-find(1), `CACHE`), so that both share it.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ureq::Agent;

use crate::caveat::Caveat;
use crate::mappings::identity::hex;

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

/// A client of debuginfod servers.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    servers: Mutex<Vec<Server>>,
    cache: PathBuf,
    largest: u64,
    /// Bytes fetched so far.
    fetched: AtomicU64,
}

#[derive(Clone, Debug)]
struct Server {
    url: String,
    failures: u32,
    /// What was wrong the last time.
    why: String,
}

impl Client {
    /// A client as the environment says; `None` where `DEBUGINFOD_URLS` names
    /// no server, or there is no place for a cache.
    pub(super) fn of_environment() -> Option<Self> {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let urls = variable("DEBUGINFOD_URLS")?;
        let servers: Vec<Server> = urls
            .split_whitespace()
            .filter(|url| url.starts_with("http://") || url.starts_with("https://"))
            .map(|url| Server {
                url: url.trim_end_matches('/').to_owned(),
                failures: 0,
                why: String::new(),
            })
            .collect();
        if servers.is_empty() {
            return None;
        }
        let below = |name: &str| Some(PathBuf::from(variable(name).filter(|at| !at.is_empty())?));
        let cache = below("DEBUGINFOD_CACHE_PATH")
            .or_else(|| Some(below("XDG_CACHE_HOME")?.join("debuginfod_client")))
            .or_else(|| Some(below("HOME")?.join(".cache/debuginfod_client")))?;
        let number = |name: &str| variable(name)?.trim().parse().ok().filter(|&n: &u64| n > 0);
        let timeout = number("DEBUGINFOD_TIMEOUT").map_or(TIMEOUT, Duration::from_secs);
        let agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT.min(timeout)))
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .user_agent(concat!("eprof/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .build();
        Some(Self {
            agent: agent.into(),
            servers: Mutex::new(servers),
            cache,
            largest: number("DEBUGINFOD_MAXSIZE").unwrap_or(LARGEST),
            fetched: AtomicU64::new(0),
        })
    }

    /// The debug information of the object with `build_id`; `None` where no
    /// server has it, or none can be asked.
    pub(super) fn debug_file(&self, build_id: &[u8]) -> Option<PathBuf> {
        let id = hex(build_id);
        let directory = self.cache.join(&id);
        let path = directory.join("debuginfo");
        if let Ok(cached) = fs::metadata(&path) {
            if cached.len() > 0 {
                return Some(path);
            }
            let age = cached.modified().ok().and_then(|at| at.elapsed().ok());
            if age.is_none_or(|age| age < MISS) {
                return None;
            }
        }
        let servers = self.servers.lock().ok()?.clone();
        let mut all_answered = true;
        for (place, server) in servers.iter().enumerate() {
            if server.failures >= MOST_FAILURES {
                all_answered = false;
                continue;
            }
            let url = format!("{}/buildid/{id}/debuginfo", server.url);
            match self.fetch(&url, &directory, &path) {
                Ok(true) => return Some(path),
                Ok(false) => {}
                Err(why) => {
                    all_answered = false;
                    self.failed(place, why);
                }
            }
        }
        if all_answered {
            // An empty file remembers that there is none. Without it, servers
            // are asked again the next time.
            let _ = fs::create_dir_all(&directory).and_then(|()| File::create(&path));
        }
        None
    }

    /// How many bytes were fetched so far.
    pub(super) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// What went wrong, if anything did.
    pub(super) fn caveat(&self) -> Option<Caveat> {
        let servers = self.servers.lock().ok()?;
        let failed = servers.iter().filter(|server| server.failures > 0);
        let failed: Vec<_> = failed
            .map(|server| format!("{} ({})", server.url, server.why))
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

    fn failed(&self, place: usize, why: String) {
        if let Ok(mut servers) = self.servers.lock()
            && let Some(server) = servers.get_mut(place)
        {
            server.failures += 1;
            server.why = why;
        }
    }

    /// Fetches `url` to `path` in `directory`. `false`: the server does not
    /// have it.
    fn fetch(&self, url: &str, directory: &Path, path: &Path) -> Result<bool, String> {
        let response = self.agent.get(url).call();
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            404 => return Ok(false),
            _ => return Err(format!("status {status}")),
        }
        let body = response.into_body().into_reader();
        self.store(body, directory, path)
            .map_err(|error| error.to_string())
    }

    /// Stores `body` under a name of its own first: others may read the cache.
    fn store(&self, body: impl Read, directory: &Path, path: &Path) -> io::Result<bool> {
        fs::create_dir_all(directory)?;
        let partial = directory.join(format!("debuginfo.{}.part", std::process::id()));
        let stored = File::create(&partial)
            .and_then(|file| self.copy(body.take(self.largest), file))
            .and_then(|length| {
                // As long as allowed: it may well be longer.
                if length >= self.largest {
                    return Err(io::Error::other("the file is too large"));
                }
                fs::rename(&partial, path)
            });
        if stored.is_err() {
            // Nothing more can be done about what could not be written.
            let _ = fs::remove_file(&partial);
        }
        stored.map(|()| true)
    }

    fn copy(&self, mut body: impl Read, mut file: File) -> io::Result<u64> {
        let mut bytes = vec![0; 1 << 16];
        let mut length = 0;
        loop {
            let got = body.read(&mut bytes)?;
            if got == 0 {
                return Ok(length);
            }
            file.write_all(&bytes[..got])?;
            length += got as u64;
            self.fetched.fetch_add(got as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;

    fn client(variables: &[(&str, &str)]) -> Option<Client> {
        Client::of(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_asked_unless_the_user_says_so() {
        assert!(client(&[("HOME", "/home/a")]).is_none());
        assert!(client(&[("DEBUGINFOD_URLS", "  "), ("HOME", "/home/a")]).is_none());
        assert!(client(&[("DEBUGINFOD_URLS", "ftp://x"), ("HOME", "/home/a")]).is_none());
        assert!(client(&[("DEBUGINFOD_URLS", "http://x")]).is_none());
    }

    #[test]
    fn the_cache_is_where_others_look_for_it() {
        let urls = ("DEBUGINFOD_URLS", "http://a https://b/");
        let home = ("HOME", "/home/a");
        let cache = |variables: &[(&str, &str)]| client(variables).unwrap().cache;
        assert_eq!(
            cache(&[urls, home]),
            Path::new("/home/a/.cache/debuginfod_client")
        );
        let xdg = ("XDG_CACHE_HOME", "/x");
        assert_eq!(cache(&[urls, home, xdg]), Path::new("/x/debuginfod_client"));
        let own = ("DEBUGINFOD_CACHE_PATH", "/c");
        assert_eq!(cache(&[urls, home, xdg, own]), Path::new("/c"));
        let servers = client(&[urls, home]).unwrap().servers.into_inner().unwrap();
        let urls: Vec<_> = servers.iter().map(|server| server.url.as_str()).collect();
        assert_eq!(urls, ["http://a", "https://b"]);
    }
}
