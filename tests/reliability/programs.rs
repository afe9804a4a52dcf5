//! Programs and libraries that lie about themselves, measured by the whole `run`:
//! one program maps many of them, and works in each.

use std::fs;
use std::path::PathBuf;

use eprof::recording::RecordingFile;
use object::{Object as _, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _};

use super::*;

/// Most memory that eprof may take, in bytes, whatever files say: its own 40 MiB
/// beside what a recording may cost.
const MOST_MEMORY: u64 = 300 << 20;

/// The libraries: a function that can be called wherever it is mapped, beside some
/// that are only described.
const LIBRARY: &str = r#"
__attribute__((noinline, aligned(64))) long work(long n) {
    long x = n;
    while (n--) __asm__ volatile("imul %0, %0" : "+r"(x));
    return x;
}
static inline long twice(long n) { return work(n) + work(n + 1); }
long other(long n) { char room[64]; __asm__ volatile("" : : "r"(room) : "memory"); return twice(n); }
long more(long n) { return other(n) * 3; }
"#;

/// `driver OFFSET LOOPS FILE...`: calls the code at an offset of each file.
const DRIVER: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(int count, char **words) {
    long offset = atol(words[1]), loops = atol(words[2]);
    long page = offset & -4096;
    for (int i = 3; i < count; i++) {
        int fd = open(words[i], O_RDONLY);
        char *code = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, page);
        if (fd < 0 || code == MAP_FAILED) { perror(words[i]); return 1; }
        ((long (*)(long))(code + (offset - page)))(loops);
    }
    return 0;
}
"#;

/// A library, and where in the file its code is.
struct Library {
    bytes: Vec<u8>,
    work: std::ops::Range<usize>,
    /// Where a change is of more interest than elsewhere: headers, unwind
    /// information, names.
    places: Vec<std::ops::Range<usize>>,
}

impl Library {
    fn compile(directory: &Path, flags: &[&str]) -> Self {
        let (source, path) = (directory.join("library.c"), directory.join("library.so"));
        fs::write(&source, LIBRARY).unwrap();
        cc(&source, &path, &[&["-shared", "-fPIC"], flags].concat());
        let bytes = fs::read(&path).unwrap();
        let file = object::File::parse(bytes.as_slice()).unwrap();
        let mut symbols = file.dynamic_symbols();
        let work = symbols.find(|symbol| symbol.name() == Ok("work")).unwrap();
        let offset = file.segments().find_map(|segment| {
            let inside = work.address().checked_sub(segment.address())?;
            let (offset, length) = segment.file_range();
            (inside < length).then_some(offset + inside)
        });
        let offset = offset.unwrap() as usize;
        let work = offset..offset + work.size() as usize;
        assert_eq!(work.start / 4096, (work.end - 1) / 4096, "on one page");
        let sections = bytes[40..48].try_into().unwrap();
        let sections = u64::from_le_bytes(sections) as usize;
        let mut places = vec![0..64 + 56 * 8, sections..bytes.len()];
        places.extend(file.sections().filter_map(|section| {
            let name = section.name().ok()?;
            let wanted = [
                ".eh_frame",
                ".debug",
                ".symtab",
                ".dynsym",
                ".note",
                ".gnu_debug",
            ];
            let (offset, size) = section.file_range()?;
            let interesting = wanted.iter().any(|wanted| name.starts_with(wanted));
            (interesting && size > 0).then_some(offset as usize..(offset + size) as usize)
        }));
        Self {
            bytes,
            work,
            places,
        }
    }

    /// The library with some changes, of which none is to its code.
    fn mutated(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for _ in 0..=below(dice, 6) {
            let anywhere = 0..bytes.len();
            let place = match below(dice, 5) {
                0 => &anywhere,
                _ => &self.places[below(dice, self.places.len())],
            };
            let at = place.start + below(dice, place.len());
            match below(dice, 6) {
                0 | 1 => bytes[at] ^= 1 << below(dice, 8),
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(dice, 5)],
                length => {
                    // A field: 2, 4 or 8 bytes, in its place.
                    let width = 1 << (length - 2);
                    let values = [0, 1, u64::MAX, 1 << 31, i64::MAX as u64, bytes.len() as u64];
                    let value = values[below(dice, values.len())].to_le_bytes();
                    let at = at / width * width;
                    let to = bytes.len().min(at + width);
                    bytes[at..to].copy_from_slice(&value[..to - at]);
                }
            }
        }
        bytes[self.work.clone()].copy_from_slice(&self.bytes[self.work.clone()]);
        if below(dice, 12) == 0 {
            let room = bytes.len() - self.work.end;
            bytes.truncate(self.work.end + below(dice, room));
        }
        bytes
    }
}

fn cc(source: &Path, path: &Path, flags: &[&str]) {
    let mut command = Command::new("cc");
    command
        .args(["-O1", "-o"])
        .arg(path)
        .arg(source)
        .args(flags);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

/// What became of the files.
#[derive(Debug, Default)]
struct Measured {
    /// Mapped by the target.
    files: usize,
    /// Those that the recording knows: in which samples were taken.
    sampled: usize,
    /// Those of which a function was named.
    named: usize,
    /// The most memory that eprof took, in MiB.
    peak_mib: u64,
}

/// The most memory that eprof itself took, in bytes.
fn memory(report: &Report) -> u64 {
    report.0["footprint"]["peak_rss_bytes"].as_u64().unwrap()
}

fn trial(batches: usize, of: usize) -> Option<Measured> {
    if !root() {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("driver.c");
    let driver = directory.path().join("driver");
    fs::write(&source, DRIVER).unwrap();
    cc(&source, &driver, &[]);
    // The kinds of debug information, and none.
    let libraries = [
        &["-g"][..],
        &["-g", "-gz=zlib"],
        &["-g", "-fno-asynchronous-unwind-tables"],
        &["-g", "-Wl,--no-eh-frame-hdr"],
        &["-s"],
    ];
    let libraries = libraries.map(|flags| Library::compile(directory.path(), flags));
    let mut dice = Dice::new(seed());
    let mut all = Measured::default();
    for batch in 0..batches {
        let library = &libraries[batch % libraries.len()];
        let mutants = directory.path().join("mutants");
        fs::create_dir(&mutants).unwrap();
        let files: Vec<PathBuf> = (0..of)
            .map(|number| {
                let path = mutants.join(format!("{batch}-{number}.so"));
                fs::write(&path, library.mutated(&mut dice)).unwrap();
                path
            })
            .collect();
        let mut target = vec![driver.clone().into_os_string()];
        target.push(library.work.start.to_string().into());
        // A few milliseconds in each, for some samples.
        target.push("4000000".into());
        target.extend(files.iter().map(|path| path.clone().into_os_string()));
        let run = support::Recorded::run(&["-F", "4999"], &target);
        let report = (run.code() == 0).then(|| run.report());
        let report = report.filter(|report| memory(report) <= MOST_MEMORY);
        let Some(report) = report else {
            // To be looked into.
            let kept = std::env::temp_dir().join(format!("eprof-mutants-{}", std::process::id()));
            let _ = fs::rename(&mutants, &kept);
            panic!(
                "batch {batch}, kept as {}: {}",
                kept.display(),
                run.stderr()
            );
        };
        report.assert_balanced();
        let recording = RecordingFile::open(&run.path("eprof.data")).unwrap();
        let prefix = mutants.to_string_lossy().into_owned();
        let known = recording.catalog.objects.iter();
        all.sampled += known
            .filter(|object| object.path.starts_with(&prefix))
            .count();
        let functions = report.rows("functions").iter();
        let named = functions.filter(|row| {
            let module = row["module"].as_str().unwrap_or_default();
            module.ends_with(".so")
                && module.starts_with(&format!("{batch}-"))
                && row["function"]
                    .as_str()
                    .is_some_and(|name| !name.starts_with('['))
        });
        all.named += named.count();
        all.files += files.len();
        all.peak_mib = all.peak_mib.max(memory(&report) >> 20);
        fs::remove_dir_all(&mutants).unwrap();
    }
    Some(all)
}

#[test]
fn files_that_lie_are_measured() {
    if let Some(all) = trial(2, 20) {
        // A sample of each cannot be had by chance alone.
        assert!(all.sampled > all.files / 2, "{all:?}");
    }
}

#[test]
#[ignore = "an hour: a trial of docs/reliability.md"]
fn twelve_thousand_files_that_lie() {
    eprintln!("mutated files: {:?}", trial(120, 100));
}
