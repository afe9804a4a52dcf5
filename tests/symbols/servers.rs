//! Debug information from debuginfod servers.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use super::debug_files::{Stripped, WORK, recorded};
use super::run::{Report, eprof, record};
use super::target::possible;

/// A server of files on a port of its own.
struct Server {
    url: String,
    /// What was asked for, in order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(files: HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &files, &seen);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, files: &HashMap<String, Vec<u8>>, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(request)) = lines.next() else {
        return;
    };
    // Up to the empty line that ends the head.
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let path = request.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(path.clone());
    let (status, body) = match files.get(&path) {
        Some(body) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", &b"no"[..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // Whoever asked may have gone.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
}

fn report(directory: &Path, urls: &str, more: &[(&str, &str)]) -> Report {
    let mut command = eprof(directory, &[]);
    command.env("DEBUGINFOD_URLS", urls);
    command.env("DEBUGINFOD_CACHE_PATH", directory.join("cache"));
    command.envs(more.iter().copied());
    Report::by(&mut command, &[])
}

#[test]
fn debug_information_is_fetched_once_from_the_servers_that_are_named() {
    if !possible() {
        return;
    }
    let Some((dir, work)) = recorded() else {
        return;
    };
    let place = format!("/buildid/{}/debuginfo", work.build_id);
    let right = Server::new(HashMap::from([(
        place.clone(),
        fs::read(&work.debug).unwrap(),
    )]));
    let empty = Server::new(HashMap::new());

    // Nobody is asked unless it is wanted.
    assert!(Report::of(dir.path(), &[]).nameless() > 0.8);
    assert_eq!(right.asked(), [""; 0]);

    let both = format!("{} {}", empty.url, right.url);
    let found = report(dir.path(), &both, &[]);
    assert!(found.share("inner") > 0.8);
    assert!(!found.caveats().contains(&"debuginfod-failed"));
    assert!(empty.asked().contains(&place));
    assert!(right.asked().contains(&place));

    // Found or not, it is remembered.
    let again = report(dir.path(), &both, &[]);
    assert!(again.share("inner") > 0.8);
    assert_eq!(empty.asked(), [""; 0]);
    assert_eq!(right.asked(), [""; 0]);
}

#[test]
fn a_server_that_fails_lies_or_keeps_silent_costs_a_caveat_at_most() {
    if !possible() {
        return;
    }
    let Some((dir, work)) = recorded() else {
        return;
    };
    let cache = dir.path().join("cache");
    let forget = || {
        let _ = fs::remove_dir_all(&cache);
    };
    let place = format!("/buildid/{}/debuginfo", work.build_id);

    // Nobody listens on a port that was just given back.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let failed = report(dir.path(), &url, &[]);
    assert!(failed.nameless() > 0.8);
    assert!(failed.caveats().contains(&"debuginfod-failed"));

    // Accepts, and never answers.
    forget();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let failed = report(dir.path(), &url, &[("DEBUGINFOD_TIMEOUT", "1")]);
    assert!(failed.nameless() > 0.8);
    assert!(failed.caveats().contains(&"debuginfod-failed"));

    // The debug file of another program.
    forget();
    let other = WORK.replace("outer", "wrong").replace("inner", "wrong_too");
    let wrong = Stripped::new(dir.path(), "other", &other).unwrap();
    let liar = Server::new(HashMap::from([(
        place.clone(),
        fs::read(&wrong.debug).unwrap(),
    )]));
    let mistaken = report(dir.path(), &liar.url, &[]);
    assert!(liar.asked().contains(&place));
    assert!(mistaken.nameless() > 0.8);
    assert!(mistaken.share_with("wrong").abs() < f64::EPSILON);
    assert!(mistaken.caveats().contains(&"debuginfod-failed"));
    // Nothing of it was kept: others use the cache, too.
    let kept = cache.join(&work.build_id).join("debuginfo");
    assert!(!kept.exists());
    report(dir.path(), &liar.url, &[]);
    assert!(liar.asked().contains(&place));

    // What another client believed is fetched anew.
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    fs::write(&kept, "<html>404, says 200</html>").unwrap();
    let files = HashMap::from([(place.clone(), fs::read(&work.debug).unwrap())]);
    let right = Server::new(files);
    assert!(report(dir.path(), &right.url, &[]).share("inner") > 0.8);
    assert_eq!(fs::read(&kept).unwrap(), fs::read(&work.debug).unwrap());

    // Larger than is allowed.
    forget();
    let large = Server::new(HashMap::from([(place, fs::read(&work.debug).unwrap())]));
    let refused = report(dir.path(), &large.url, &[("DEBUGINFOD_MAXSIZE", "1000")]);
    assert!(refused.nameless() > 0.8);
    assert!(refused.caveats().contains(&"debuginfod-failed"));
}

#[test]
fn a_search_that_takes_longer_than_a_second_shows_how_far_it_is_on_a_terminal() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(_work) = Stripped::new(dir.path(), "work", WORK) else {
        return;
    };
    record(dir.path(), &["./work"]);
    // Keeps whoever asks waiting for two seconds.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let shown = |terminal: bool| {
        let report = format!("{} report --by module", env!("CARGO_BIN_EXE_eprof"));
        let mut command = if terminal {
            let mut command = std::process::Command::new("script");
            command.args(["-qec", &report, "/dev/null"]);
            command
        } else {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &format!("{report} 2>&1")]);
            command
        };
        command.current_dir(dir.path());
        command
            .env("DEBUGINFOD_URLS", &url)
            .env("DEBUGINFOD_TIMEOUT", "2");
        command.env("DEBUGINFOD_CACHE_PATH", dir.path().join("cache"));
        command.env("TERM", "xterm");
        let output = super::run::succeed(&mut command);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let on_terminal = shown(true);
    assert!(on_terminal.contains("finding names: "), "{on_terminal}");
    // Gone before the report begins.
    let (_, after) = on_terminal.rsplit_once("finding names: ").unwrap();
    assert!(after.contains("\r\u{1b}[K"), "{after}");
    let elsewhere = shown(false);
    assert!(elsewhere.contains("work") && !elsewhere.contains("finding names"));
}

#[test]
fn root_follows_no_link_that_somebody_put_into_the_cache() {
    if !possible() {
        return;
    }
    let Some((dir, work)) = recorded() else {
        return;
    };
    const USER: u32 = 65534;
    let (cache, secret) = (dir.path().join("cache"), dir.path().join("secret"));
    fs::create_dir(&cache).unwrap();
    fs::create_dir(&secret).unwrap();
    for (path, mode) in [(dir.path(), 0o755), (&secret, 0o700), (&cache, 0o700)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    chown(&cache, Some(USER), Some(USER)).unwrap();
    let place = format!("/buildid/{}/debuginfo", work.build_id);
    let files = HashMap::from([(place, fs::read(&work.debug).unwrap())]);
    let right = Server::new(files);
    let user = USER.to_string();
    let sudo = [("SUDO_UID", user.as_str()), ("SUDO_GID", user.as_str())];
    let entry = cache.join(&work.build_id);

    symlink(&secret, &entry).unwrap();
    for as_whom in [&sudo[..], &[]] {
        let led = report(dir.path(), &right.url, as_whom);
        assert!(led.nameless() > 0.8);
        assert_eq!(fs::read_dir(&secret).unwrap().count(), 0);
    }
    fs::remove_file(&entry).unwrap();
    let found = report(dir.path(), &right.url, &sudo);
    assert!(found.share("inner") > 0.8);
    let kept = entry.join("debuginfo").metadata().unwrap();
    assert_eq!(kept.uid(), USER);
}
