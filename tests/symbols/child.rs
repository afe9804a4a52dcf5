//! Names are looked up in processes of their own: what these may do, and what a file
//! can do to them.

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eprof::measurement::{Frame, Object, ObjectId};
use eprof::recording::{Catalog, Header};
use eprof::symbol::{Resolution, Search, late};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::{Endianness, elf};

use super::debug_files::{Stripped, WORK, recorded};
use super::run::{RUN, Report, eprof, record};
use super::target::{compile, possible, search};
use crate::support::skip;

/// Somebody who is not root.
const USER: u32 = 65534;

/// How long nothing here may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);

fn run(tool: &str, arguments: &[&str]) {
    let status = Command::new(tool).args(arguments).status().unwrap();
    assert!(status.success(), "{tool} {arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn bytes(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The code of the program at `path` as a recording knows it.
fn catalog_of(path: &Path) -> Catalog {
    let notes = Command::new("readelf")
        .arg("-n")
        .arg(path)
        .output()
        .unwrap();
    let notes = String::from_utf8(notes.stdout).unwrap();
    let (_, id) = notes.split_once("Build ID: ").unwrap();
    let mut catalog = Catalog::new(Header::default());
    catalog.objects.push(Object {
        path: text(path).to_owned(),
        build_id: Some(bytes(id.split_whitespace().next().unwrap())),
    });
    catalog.frames = (0x1000..0x1300_u64)
        .step_by(4)
        .map(|offset| Frame::User {
            object: ObjectId(0),
            offset,
            returns: false,
        })
        .collect();
    catalog
}

/// What is found of the program at `path` by `search`, in time.
fn found(path: &Path, search: &Search) -> Resolution {
    let begun = Instant::now();
    let found = late(&catalog_of(path), search, true, &mut |_| {});
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    found
}

fn has(found: &Resolution, function: &str) -> bool {
    let mut functions = found.symbols.iter().flat_map(|of| &of.functions);
    functions.any(|name| name == function)
}

fn codes(found: &Resolution) -> Vec<&str> {
    found.caveats.iter().map(|of| of.code.as_str()).collect()
}

/// Replaces the content of the compressed section `name` of the program at `path` by
/// `stream`, which claims to have `length` bytes when it is inflated.
fn replace_compressed(path: &Path, name: &str, stream: &[u8], length: u64) {
    let mut bytes = fs::read(path).unwrap();
    let header = elf::FileHeader64::<Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, &*bytes).unwrap();
    let (index, section) = sections.section_by_name(endian, name.as_bytes()).unwrap();
    assert!(section.sh_flags(endian).0 & elf::SHF_COMPRESSED.0 != 0);
    let at =
        header.e_shoff(endian) as usize + index.0 * size_of::<elf::SectionHeader64<Endianness>>();
    // `Elf64_Chdr` of elf.h, at the end of the file.
    let begin = bytes.len().next_multiple_of(8);
    bytes.resize(begin, 0);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(stream);
    let size = (bytes.len() - begin) as u64;
    bytes[at + 24..at + 32].copy_from_slice(&(begin as u64).to_le_bytes());
    bytes[at + 32..at + 40].copy_from_slice(&size.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

/// A zlib stream of `mebibytes` MiB of zeros, made without having them.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let mut compressor = flate2::Compress::new(flate2::Compression::best(), true);
    let zeros = vec![0; 1 << 20];
    let mut piece = |flush| {
        let mut out = Vec::with_capacity(1 << 16);
        compressor.compress_vec(&zeros, &mut out, flush).unwrap();
        out
    };
    // Each ends at a byte, and refers to nothing before it.
    let mut stream = piece(flate2::FlushCompress::Full);
    let again = piece(flate2::FlushCompress::Full);
    assert!(again.len() < 4096);
    for _ in 1..mebibytes {
        stream.extend(&again);
    }
    stream
}

#[test]
fn a_section_that_claims_to_be_enormous_costs_its_debug_information_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, WORK, "cc", &["-gz=zlib", "-Wl,--build-id"]);
    let sound = fs::read(&path).unwrap();
    assert!(has(&found(&path, &search()), "inner"));
    let small = bomb(1);
    for length in [1 << 34, 1 << 46, 1 << 62, u64::MAX] {
        fs::write(&path, &sound).unwrap();
        replace_compressed(&path, ".debug_info", &small, length);
        let found = found(&path, &search());
        assert!(has(&found, "outer"), "{length:#x}: {:?}", codes(&found));
        assert!(!has(&found, "inner"), "{length:#x}");
    }
}

#[test]
fn a_section_that_inflates_to_gibibytes_ends_a_helper_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, WORK, "cc", &["-gz=zlib", "-Wl,--build-id"]);
    let stream = bomb(6 << 10);
    assert!(stream.len() < 16 << 20, "{}", stream.len());
    replace_compressed(&path, ".debug_info", &stream, 6 << 30);
    let found = found(&path, &search());
    assert!(has(&found, "outer"));
    let caveat = found
        .caveats
        .iter()
        .find(|of| of.code == "debug-information-skipped");
    let caveat = caveat.expect("a caveat says so");
    assert!(caveat.sentence.contains(text(&path)), "{caveat:?}");
    assert!(caveat.sentence.contains("memory") || caveat.sentence.contains("long"));
}

#[test]
fn what_lies_beside_a_program_is_looked_at_before_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, WORK, "cc", &["-Wl,--build-id"]);
    let special = |name: &Path, kind: &str| {
        let _ = fs::remove_file(name);
        let _ = fs::remove_dir(name);
        match kind {
            "fifo" => run("mkfifo", &[text(name)]),
            // The kernel's log: whoever opens it waits.
            "device" => run("mknod", &[text(name), "c", "1", "11"]),
            "link" => std::os::unix::fs::symlink("/dev/zero", name).unwrap(),
            _ => fs::create_dir(name).unwrap(),
        }
    };
    let root = nix::unistd::geteuid().is_root();
    for kind in ["fifo", "device", "link", "directory"] {
        if kind == "device" && !root {
            skip("making a device needs root");
            continue;
        }
        special(&dir.path().join("work.dwp"), kind);
        assert!(has(&found(&path, &search()), "inner"), "{kind}");
    }

    // The same for a debug link.
    let Some(stripped) = Stripped::new(dir.path(), "linked", WORK) else {
        return;
    };
    let debug = stripped.debug.clone();
    let link = format!("--add-gnu-debuglink={}", text(&debug));
    run("objcopy", &[&link, text(&stripped.program)]);
    assert!(has(&found(&stripped.program, &search()), "inner"));
    let kept = dir.path().join("kept");
    fs::rename(&debug, &kept).unwrap();
    for kind in ["fifo", "link", "directory"] {
        special(&debug, kind);
        let found = found(&stripped.program, &search());
        assert!(!has(&found, "inner"), "{kind}");
    }
    // In `.debug`, as gdb finds it, while a FIFO is where it was looked for first.
    special(&debug, "fifo");
    let hidden = dir.path().join(".debug");
    fs::create_dir(&hidden).unwrap();
    fs::copy(&kept, hidden.join("linked.debug")).unwrap();
    assert!(has(&found(&stripped.program, &search()), "inner"));
    // Another file of that name is none.
    fs::write(hidden.join("linked.debug"), "something else").unwrap();
    assert!(!has(&found(&stripped.program, &search()), "inner"));
}

#[test]
fn a_debug_file_of_enormous_length_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let Some(work) = Stripped::new(dir.path(), "work", WORK) else {
        return;
    };
    let directory = dir.path().join("debug");
    let place = work.place(&directory);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(&work.debug, &place).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_eprof"));
    let search = || Search::local(std::slice::from_ref(&directory)).by(program);
    assert!(has(&found(&work.program, &search()), "inner"));
    let file = OpenOptions::new().write(true).open(&place).unwrap();
    if file.set_len(400 << 30).is_err() {
        return skip("the file system has no files of 400 GiB");
    }
    let found = found(&work.program, &search());
    assert!(!has(&found, "inner"));
    assert!(
        found
            .caveats
            .iter()
            .any(|of| of.sentence.contains("too large"))
    );
}

#[test]
fn a_library_that_is_cut_short_while_it_is_used_costs_its_names() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("lib.so");
    let source = "static volatile unsigned long sink;\n\
        void spin(void) { for (int i = 0; i < 100000; i++) sink += i; }\n";
    compile(
        &library,
        source,
        "cc",
        &["-shared", "-fPIC", "-Wl,--build-id"],
    );
    let program = dir.path().join("work");
    let source = r#"
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>
int main(int n, char **words) {
    void (*spin)(void) = (void (*)(void))dlsym(dlopen(words[1], RTLD_NOW), "spin");
    clock_t end = clock() + CLOCKS_PER_SEC / 2;
    while (clock() < end) spin();
    _exit(truncate(words[1], 0x800));
}
"#;
    compile(&program, source, "cc", &["-ldl"]);
    record(dir.path(), &["./work", text(&library)]);
    assert_eq!(fs::metadata(&library).unwrap().len(), 0x800);
    let report = Report::of(dir.path(), &[]);
    assert!(report.share("[unknown] in lib.so") > 0.5);
    assert!(report.caveats().contains(&"names-skipped"));
    // The other file has its names.
    let found = found(&program, &search());
    assert!(has(&found, "main"));
}

/// An executable script in place of eprof.
fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_helper_that_dies_hangs_or_lies_costs_names_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, WORK, "cc", &["-Wl,--build-id"]);
    for (name, what, why) in [
        ("killed", "kill -KILL $$", "signal 9"),
        ("aborted", "kill -ABRT $$", "memory"),
        ("ended", "exit 0", "ended early"),
        ("unconfined", "exit 78", "privileges"),
        ("hangs", "exec sleep 1000", "too long"),
        // A length that nobody says; then one answer of a kind that there is not.
        (
            "shouts",
            r"printf '\377\377\377\377' >&0; exec sleep 1000",
            "nonsense",
        ),
        (
            "lies",
            r"printf '\001\000\000\000\011' >&0; exec sleep 1000",
            "nonsense",
        ),
    ] {
        let program = script(dir.path(), name, what);
        let found = found(&path, &Search::local(&[]).by(&program));
        assert!(found.symbols.is_empty());
        let said: Vec<&str> = found
            .caveats
            .iter()
            .map(|of| of.sentence.as_str())
            .collect();
        let fits = |text: &&str| text.contains(why) && text.contains("work");
        assert!(said.iter().any(fits), "{name}: {said:?}");
        assert!(codes(&found).contains(&"names-skipped"), "{name}");
    }
    let nobody = found(&path, &Search::local(&[]).by(&dir.path().join("nobody")));
    assert_eq!(codes(&nobody), ["names-skipped"]);
}

#[test]
fn other_files_have_names_when_one_ends_its_helper() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (dir.path().join("good"), dir.path().join("bad"));
    compile(&good, WORK, "cc", &["-Wl,--build-id"]);
    let other = WORK.replace("outer", "other");
    compile(&bad, &other, "cc", &["-gz=zlib", "-Wl,--build-id"]);
    replace_compressed(&bad, ".debug_info", &bomb(6 << 10), 6 << 30);
    // Both of them, several times, one helper after the other.
    let mut catalog = catalog_of(&bad);
    let good = catalog_of(&good);
    catalog.objects.extend(good.objects);
    let moved = |frame: &Frame| match *frame {
        Frame::User {
            offset, returns, ..
        } => Frame::User {
            object: ObjectId(1),
            offset,
            returns,
        },
        other => other,
    };
    catalog.frames.extend(good.frames.iter().map(moved));
    let found = late(&catalog, &search(), true, &mut |_| {});
    assert!(has(&found, "inner") && has(&found, "outer") && has(&found, "other"));
    assert_eq!(codes(&found), ["debug-information-skipped"]);
}

/// eprof at work, with a server that keeps silent.
struct Waiting {
    eprof: Child,
    _silent: TcpListener,
}

impl Waiting {
    /// Runs `command`, and returns when it has asked the server for a file.
    fn new(command: &mut Command) -> Self {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        command.env("DEBUGINFOD_URLS", url);
        let eprof = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever asks is kept waiting.
        let asking = silent.accept().unwrap();
        std::mem::forget(asking);
        Self {
            eprof,
            _silent: silent,
        }
    }

    /// The helpers: process id and status.
    fn helpers(&self) -> Vec<(i32, String)> {
        let pid = self.eprof.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        let status = |pid: i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            Some((pid, status))
        };
        children.filter_map(status).collect()
    }

    /// Sends a signal; what it then writes, and its exit code.
    fn end(mut self, signal: nix::sys::signal::Signal) -> (String, Option<i32>) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.eprof.id()).unwrap());
        let begun = Instant::now();
        nix::sys::signal::kill(pid, signal).unwrap();
        let mut written = String::new();
        let mut output = self.eprof.stdout.take().unwrap();
        output.read_to_string(&mut written).unwrap();
        let status = self.eprof.wait().unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            begun.elapsed()
        );
        (written, status.code())
    }
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix(name))
        .unwrap()
        .trim()
}

#[test]
fn helpers_have_no_privileges_and_only_who_asks_servers_has_a_network() {
    if !possible() {
        return;
    }
    let Some((dir, _work)) = recorded() else {
        return;
    };
    let mut command = eprof(dir.path(), &["report", "--format", "json"]);
    let cache = dir.path().join("cache");
    // As sudo does.
    let user = USER.to_string();
    command.env("SUDO_UID", &user).env("SUDO_GID", &user);
    command.env("DEBUGINFOD_CACHE_PATH", &cache);
    fs::create_dir(&cache).unwrap();
    std::os::unix::fs::chown(&cache, Some(USER), Some(USER)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let waiting = Waiting::new(&mut command);
    let helpers = waiting.helpers();
    assert!(helpers.len() >= 2, "{helpers:?}");
    let mut filtered = 0;
    for (_, status) in &helpers {
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(status, set), "0000000000000000", "{status}");
        }
        assert_eq!(field(status, "NoNewPrivs:"), "1");
        let ids = field(status, "Uid:").split_whitespace();
        assert!(ids.clone().all(|id| id == user), "{status}");
        filtered += usize::from(field(status, "Seccomp:") == "2");
    }
    assert_eq!(filtered, helpers.len() - 1);
    // The cache is the user's, not root's.
    let entries: Vec<_> = fs::read_dir(&cache).unwrap().map(Result::unwrap).collect();
    assert!(!entries.is_empty());
    for entry in entries {
        assert_eq!(entry.metadata().unwrap().uid(), USER);
    }
    // A report that is interrupted ends at once, and its helpers with it.
    let (_, code) = waiting.end(nix::sys::signal::Signal::SIGINT);
    assert_eq!(code, None);
    let begun = Instant::now();
    for (pid, _) in helpers {
        while Path::new(&format!("/proc/{pid}")).exists() {
            assert!(begun.elapsed() < PATIENCE, "{pid} outlives eprof");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_run_that_is_interrupted_while_names_are_looked_up_reports_what_it_measured() {
    if !possible() {
        return;
    }
    use nix::sys::signal::Signal;
    let dir = tempfile::tempdir().unwrap();
    let Some(_work) = Stripped::new(dir.path(), "work", WORK) else {
        return;
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let options = ["--format", "json", "--report", "report.json", "--"];
        let target = ["sh", "-c", "./work; exit 3"];
        let words = [&RUN[..], &options[..], &target[..]].concat();
        let mut command = eprof(dir.path(), &words);
        command.env("DEBUGINFOD_CACHE_PATH", dir.path().join("cache"));
        command.env("DEBUGINFOD_TIMEOUT", "600");
        let (_, code) = Waiting::new(&mut command).end(signal);
        assert_eq!(code, Some(3), "that of the target");
        let report = fs::read(dir.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert!(report["target"]["uj"].as_u64().unwrap() > 0);
        let caveats = report["caveats"].as_array().unwrap();
        let caveats: Vec<_> = caveats
            .iter()
            .map(|of| of["code"].as_str().unwrap())
            .collect();
        assert!(caveats.contains(&"names-interrupted"), "{caveats:?}");
        fs::remove_file(dir.path().join("report.json")).unwrap();
    }
}

#[test]
fn what_dwz_moved_to_another_file_is_found_or_done_without() {
    if Command::new("dwz").arg("--version").output().is_err() {
        return skip("no dwz");
    }
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("work"), dir.path().join("other"));
    for path in [&path, &other] {
        compile(path, WORK, "cc", &["-Wl,--build-id"]);
    }
    let common = dir.path().join("common");
    let status = Command::new("dwz")
        .current_dir(dir.path())
        .args(["-m", "common", "work", "other"])
        .status()
        .unwrap();
    if !status.success() || !common.exists() {
        return skip("this dwz shares nothing between such files");
    }
    assert!(has(&found(&path, &search()), "inner"));
    // Not the one that is meant: then the symbol table is as good as ever.
    fs::write(&common, "something else").unwrap();
    let without = found(&path, &search());
    assert!(has(&without, "outer") && !has(&without, "inner"));
    fs::remove_file(&common).unwrap();
    run("mkfifo", &[text(&common)]);
    assert!(has(&found(&path, &search()), "outer"));
}
