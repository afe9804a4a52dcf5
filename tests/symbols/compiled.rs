//! Code that was compiled ahead of time, in a file that is no program (as wasmtime and
//! .NET make it): it lies in a file, and its names are where run-time compilers write
//! them.

use std::fs;
use std::path::{Path, PathBuf};

use eprof::measurement::Frame;

use super::run::{Report, record};
use super::target::{Target, compile, possible};

/// Writes two functions into `argv[1]`, which is no ELF file, maps them as code from
/// within it, and names them. Then works, in the one three times as long as in the other.
const AHEAD: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
enum { PAGE = 65536, SIZE = 256 };
/* Nothing of it depends on where it lies. */
__attribute__((noinline, aligned(256))) unsigned work(unsigned n) {
    volatile unsigned sum = 0;
    for (unsigned i = 0; i < n; i++) sum += i;
    return sum;
}
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static void run(char *code, double seconds) {
    double end = now() + seconds;
    while (now() < end) ((unsigned (*)(unsigned))(void *)code)(100000);
}
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IONBF, 0);
    int fd = open(argv[1], O_CREAT | O_TRUNC | O_RDWR, 0700);
    if (argc < 2 || ftruncate(fd, 3 * PAGE)) return 1;
    for (int n = 0; n < 2; n++) pwrite(fd, work, SIZE, 2 * PAGE + n * SIZE);
    char *code = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 2 * PAGE);
    if (code == MAP_FAILED) return 1;
    printf("code %p\n", code);
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    FILE *map = fopen(path, "w");
    fprintf(map, "%lx %x wasm[0]::heavy\n", (unsigned long)code, SIZE);
    fprintf(map, "%lx %x wasm[0]::light\n", (unsigned long)code + SIZE, SIZE);
    fclose(map);
    puts("written");
    if (argc > 2) {
        run(code, 0.45);
        run(code + SIZE, 0.15);
    } else
        getchar();
    return 0;
}
"#;

/// The program, and the file that it is to write.
fn made(directory: &Path) -> (PathBuf, PathBuf) {
    let path = directory.join("ahead");
    compile(&path, AHEAD, "cc", &["-fcf-protection=none"]);
    (path, directory.join("module.cwasm"))
}

#[test]
fn code_in_a_file_that_is_no_program_has_the_names_of_a_perf_map() {
    if !possible() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (path, module) = made(directory.path());
    let mut target = Target::in_cgroup(&[path.to_str().unwrap(), module.to_str().unwrap()]);
    let (_, code) = target.function();
    assert_eq!(target.line(), ["written"]);
    target.drain(vec![]);
    target.finish();
    let frame = target.frame(code + 300);
    let name = |offset| target.functions(code + offset);
    let found = [0, 255, 256, 511, 512].map(name);
    fs::remove_file(format!("/tmp/perf-{}.map", target.pid)).unwrap();
    // Where it lies is known by the file.
    assert_eq!(target.path(frame), module.to_str().unwrap());
    let Frame::User { offset, .. } = frame else {
        panic!("{frame:?}");
    };
    assert_eq!(offset, 2 * 65536 + 300);
    let found = found.map(|names| names.map(|names| names.join(";")));
    let (heavy, light) = (Some("wasm[0]::heavy"), Some("wasm[0]::light"));
    let found: Vec<_> = found.iter().map(|name| name.as_deref()).collect();
    assert_eq!(found, [heavy, heavy, light, light, None]);
}

#[test]
fn a_run_tells_such_functions_apart() {
    if !possible() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (path, module) = made(directory.path());
    let module = module.to_str().unwrap();
    record(directory.path(), &[path.to_str().unwrap(), module, "work"]);
    let report = Report::of(directory.path(), &[]);
    report.clean();
    let (heavy, light) = (
        report.share("wasm[0]::heavy"),
        report.share("wasm[0]::light"),
    );
    assert!((0.6..0.85).contains(&heavy), "{heavy}");
    assert!((0.15..0.35).contains(&light), "{light}");
    assert!(
        report.share_below("main") > 0.9,
        "their caller is known, too"
    );
}
