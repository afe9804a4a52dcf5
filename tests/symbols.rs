//! Mappings, addresses and names of real programs. The programs print the
//! addresses of their own functions: that is the truth to be found again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a failed assumption is a failed test"
)]

#[path = "symbols/sampled.rs"]
mod sampled;
#[path = "support/skip.rs"]
mod skip;
#[path = "symbols/target.rs"]
mod target;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use eprof::kernel::{KernelEvent, TaskId};
use eprof::recording::Frame;
use eprof::symbol::resolve;
use eprof::unit::Timestamp;
use target::{Target, compile, hex, now, possible, sample};

/// Prints the address of one of its functions and waits.
const ONE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
__attribute__((noinline)) int FUNCTION(int x) { __asm__ volatile(""); return x * 3; }
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    printf(STR(FUNCTION) " %p\n", (void *)FUNCTION);
    getchar();
    return FUNCTION(0);
}
"#;

fn one(path: &Path, function: &str, flags: &[&str]) {
    let source =
        format!("#define STR2(x) #x\n#define STR(x) STR2(x)\n#define FUNCTION {function}\n{ONE}");
    compile(path, &source, "cc", flags);
}

#[test]
fn functions_of_dynamic_static_and_fixed_programs_are_found() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, flags) in [
        ("pie", &["-pie", "-fPIE"][..]),
        ("fixed", &["-no-pie"]),
        ("static", &["-static"]),
        ("static-pie", &["-static-pie"]),
        ("anonymous", &["-Wl,--build-id=none"]),
        (
            "long-id",
            &["-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233445566778899"],
        ),
        ("separate", &["-Wl,-z,separate-code"]),
        ("together", &["-Wl,-z,noseparate-code"]),
    ] {
        let path = dir.path().join(name);
        one(&path, "the_function", flags);
        let command = [path.to_str().unwrap()];
        for mut target in [Target::in_cgroup(&command), Target::as_process(&command)] {
            let (function, address) = target.function();
            target.drain(vec![]);
            let frame = target.frame(address);
            assert_eq!(target.path(frame), path.to_str().unwrap(), "{name}");
            assert_eq!(target.names(frame).unwrap(), [function.as_str()], "{name}");
            // The file is still open when the process is gone.
            target.finish();
            assert_eq!(target.functions(address).unwrap(), [function], "{name}");
        }
    }
}

/// All executable mappings of files by `/proc`: the kernel's own list.
fn compare_with_proc(target: &Target, name: &str) -> usize {
    let maps = fs::read_to_string(format!("/proc/{}/maps", target.pid)).unwrap();
    let mut compared = 0;
    for line in maps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [range, "r-xp", offset, _, _, path] = words[..] else {
            continue;
        };
        if path == "[vsyscall]" {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let (start, end, offset) = (hex(start), hex(end), hex(offset));
        for address in [start, end - 1] {
            let frame = target.frame(address);
            let Frame::User { offset: found, .. } = frame else {
                panic!("{name}: {line}: {frame:?}");
            };
            assert_eq!(target.path(frame), path, "{name}: {line}");
            assert_eq!(found, offset + address - start, "{name}: {line}");
        }
        compared += 1;
    }
    compared
}

#[test]
fn every_mapping_that_proc_shows_was_reported() {
    if !possible() {
        return;
    }
    let python = "import ssl, sqlite3, ctypes, json, decimal; print('ready', flush=True); input()";
    for (name, command, least) in [
        ("python3", &["python3", "-c", python][..], 8),
        (
            "a shell's child",
            &["sh", "-c", "sh -c 'echo ready; read line'; echo"],
            3,
        ),
        ("bash", &["bash", "-c", "echo ready; read line"], 4),
    ] {
        for mut target in [Target::in_cgroup(command), Target::as_process(command)] {
            assert_eq!(target.line(), ["ready"]);
            target.drain(vec![]);
            let compared = compare_with_proc(&target, name);
            assert!(compared >= least, "{name}: {compared}");
            assert!(target.sideband.losses().0.is_empty());
        }
    }
}

#[test]
fn the_code_page_of_the_kernel_is_named_and_resolved() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vdso");
    let source = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
    printf("vdso %p\n", vdso ? dlsym(vdso, "__vdso_clock_gettime") : 0);
    fflush(stdout);
    getchar();
}
"#;
    compile(&path, source, "cc", &["-ldl"]);
    let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
    let (_, address) = target.function();
    if address == 0 {
        skip::absent("no vDSO here");
        return;
    }
    target.drain(vec![]);
    let frame = target.frame(address);
    assert_eq!(target.path(frame), "[vdso]");
    let names = target.names(frame).unwrap();
    assert!(names[0].ends_with("clock_gettime"), "{names:?}");
}

/// Prints addresses in libraries that are opened one after the other.
const LOADER: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IONBF, 0);
    for (int i = 1; i + 1 < argc; i += 2) {
        void *library = dlopen(argv[i], RTLD_NOW);
        printf("%s %p\n", argv[i + 1], dlsym(library, argv[i + 1]));
        getchar();
        dlclose(library);
    }
}
"#;

#[test]
fn the_library_that_is_loaded_now_is_found() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let loader = dir.path().join("loader");
    compile(&loader, LOADER, "cc", &["-ldl"]);
    let mut command = vec![loader.to_str().unwrap().to_owned()];
    for name in ["first", "second", "third"] {
        let library = dir.path().join(name);
        // Of different length, so that the addresses of one hit another.
        let padding = "__asm__ volatile(\".skip 4096, 0x90\");".repeat(name.len() - 4);
        let source =
            format!("void {name}_padding(void) {{ {padding} }} int {name}(void) {{ return 1; }}");
        compile(&library, &source, "cc", &["-shared", "-fPIC"]);
        command.push(library.to_str().unwrap().to_owned());
        command.push(name.to_owned());
    }
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut target = Target::in_cgroup(&command);
    let mut bases = Vec::new();
    for _ in 0..3 {
        let (function, address) = target.function();
        target.drain(vec![]);
        let frame = target.frame(address);
        assert!(target.path(frame).ends_with(&function));
        assert_eq!(target.names(frame).unwrap(), [function]);
        bases.push(address >> 16);
        target.go_on();
    }
    // Otherwise this test would not show what it should.
    bases.dedup();
    assert!(
        bases.len() < 3,
        "no library took the place of another: {bases:x?}"
    );
}

#[test]
fn a_file_that_was_deleted_or_replaced_is_never_mistaken() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for flags in [&["-Wl,--build-id"][..], &["-Wl,--build-id=none"]] {
        for replaced in [false, true] {
            for alive in [false, true] {
                let path = dir.path().join("program");
                let other = dir.path().join("other");
                one(&path, "the_right_one", flags);
                one(&other, "the_wrong_one", flags);
                let case = format!("{flags:?} replaced={replaced} alive={alive}");
                let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
                let (function, address) = target.function();
                assert_eq!(function, "the_right_one");
                if replaced {
                    fs::rename(&other, &path).unwrap();
                } else {
                    fs::remove_file(&path).unwrap();
                }
                if !alive {
                    target.finish();
                }
                target.drain(vec![]);
                let frame = target.frame(address);
                assert_eq!(target.path(frame), path.to_str().unwrap());
                let resolution = resolve(target.atlas.objects(), &[frame], &mut |_, _| {});
                if alive {
                    let symbol = &resolution.symbols[0];
                    assert_eq!(symbol.functions, ["the_right_one"], "{case}");
                    assert!(resolution.caveats.is_empty(), "{case}");
                } else {
                    assert!(resolution.symbols.is_empty(), "{case}: {resolution:?}");
                    assert_eq!(resolution.caveats[0].code, "object-gone", "{case}");
                    assert!(resolution.caveats[0].sentence.contains("program"), "{case}");
                }
            }
        }
    }
}

#[test]
fn a_file_that_is_overwritten_in_place_after_it_was_opened_is_not_used() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for flags in [&["-Wl,--build-id"][..], &["-Wl,--build-id=none"]] {
        let path = dir.path().join("program");
        let other = dir.path().join("other");
        one(&path, "the_right_one", flags);
        one(&other, "the_wrong_one", flags);
        let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
        let (_, address) = target.function();
        target.drain(vec![]);
        target.finish();
        assert_eq!(target.functions(address).unwrap(), ["the_right_one"]);
        let before = fs::metadata(&path).unwrap().ino();
        fs::copy(&other, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(target.functions(address), None);
    }
}

#[test]
fn a_forked_child_and_a_chain_of_execs_are_told_apart_by_time() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let links: Vec<_> = ["link_a", "link_b", "link_c"]
        .map(|name| (name, dir.path().join(name)))
        .into();
    for (name, path) in &links {
        // Each forks a child that lives on, and becomes the next program. All
        // are mapped at the same fixed address.
        let source = format!(
            r#"
#include <stdio.h>
#include <time.h>
#include <unistd.h>
__attribute__((noinline)) int {name}(int x) {{ __asm__ volatile(""); return x * 3; }}
static unsigned long now(void) {{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ul + t.tv_nsec;
}}
int main(int argc, char **argv) {{
    setvbuf(stdout, 0, _IONBF, 0);
    unsigned long born = now();
    int child = fork();
    if (child == 0) {{ pause(); return 0; }}
    printf("{name} %p %d %lu %lu\n", (void *){name}, child, born, now());
    if (argc > 1) execv(argv[1], argv + 1);
    getchar();
}}
"#
        );
        compile(path, &source, "cc", &["-static", "-no-pie"]);
    }
    let command: Vec<&str> = links
        .iter()
        .map(|(_, path)| path.to_str().unwrap())
        .collect();
    for mut target in [Target::in_cgroup(&command), Target::as_process(&command)] {
        let names: Vec<&str> = links.iter().map(|(name, _)| *name).collect();
        follow_the_chain(&mut target, &names);
    }
}

fn follow_the_chain(target: &mut Target, names: &[&str]) {
    let mut events = Vec::new();
    let mut expected = Vec::new();
    let mut addresses = Vec::new();
    for name in names {
        let line = target.line();
        assert_eq!(line[0], *name);
        let address = hex(&line[1]);
        let [child, born, after] = [2, 3, 4].map(|n| line[n].parse::<u64>().unwrap());
        let child = target.task(
            u32::try_from(child).unwrap(),
            Some(TaskId(0)),
            Timestamp(born),
        );
        for task in [TaskId(0), child.id] {
            events.push(KernelEvent::Sample(sample(task, Timestamp(after), address)));
            expected.push((*name).to_owned());
        }
        addresses.push((child.id, address, *name));
        events.push(KernelEvent::Born(child));
    }
    addresses.sort_by_key(|&(_, address, _)| address);
    let (low, high) = (addresses[0].1, addresses[2].1);
    assert!(high - low < 4096, "the programs do not overlap");
    // All in one batch: only the times tell which program it was.
    let stacks = target.drain(events);
    let found: Vec<String> = stacks
        .iter()
        .map(|stack| target.names(stack[0]).unwrap()[0].clone())
        .collect();
    assert_eq!(found, expected);
    // The children still are what they were.
    for (child, address, name) in addresses {
        assert_eq!(
            target.names(target.frame_of(child, address)).unwrap(),
            [name]
        );
    }
}

#[test]
fn code_made_at_run_time_is_unmapped() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jit");
    let source = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    int rw = PROT_READ | PROT_WRITE, x = PROT_READ | PROT_EXEC, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    printf("at-once %p\n", mmap(0, 65536, rw | x, flags, -1, 0));
    void *later = mmap(0, 65536, rw, flags, -1, 0);
    mprotect(later, 65536, x);
    printf("later %p\n", later);
    int memory = memfd_create("doublemapper", 0);
    ftruncate(memory, 65536);
    printf("memfd %p\n", mmap(0, 65536, x, MAP_SHARED, memory, 0));
    printf("zero %p\n", mmap(0, 65536, x, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    getchar();
}
"#;
    compile(&path, source, "cc", &[]);
    let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
    let code: Vec<_> = (0..4).map(|_| target.function()).collect();
    target.drain(vec![]);
    for (kind, address) in code {
        let address = address + 100;
        assert_eq!(target.frame(address), Frame::Unmapped(address), "{kind}");
        // It is known to be code all the same: a walk through it goes on.
        let mut walk = sample(TaskId(0), now(), address);
        walk.user = vec![address, address];
        assert_eq!(target.atlas.frames(&walk).len(), 2, "{kind}");
    }
    // Data is not code.
    let mut walk = sample(TaskId(0), now(), 0x10_0000);
    walk.user = vec![0x10_0000, 0x10_0000];
    assert!(matches!(
        target.atlas.frames(&walk)[..],
        [Frame::Broken(_), Frame::Unmapped(_)]
    ));
}

#[test]
fn a_program_started_from_memory_is_found() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let starter = dir.path().join("starter");
    let program = dir.path().join("program");
    one(&program, "from_memory", &["-static"]);
    let source = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
int main(int argc, char **argv, char **env) {
    int memory = memfd_create("program", MFD_CLOEXEC), file = open(argv[1], O_RDONLY);
    while (sendfile(memory, file, 0, 1 << 20) > 0);
    fexecve(memory, argv + 1, env);
}
"#;
    compile(&starter, source, "cc", &[]);
    let mut target = Target::in_cgroup(&[starter.to_str().unwrap(), program.to_str().unwrap()]);
    let (function, address) = target.function();
    target.drain(vec![]);
    assert_eq!(target.functions(address).unwrap(), [function]);
}

#[test]
fn inlined_calls_are_named_and_names_are_demangled() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inlined");
    let source = r#"
#include <cstdio>
#include <cstdlib>
extern "C" __attribute__((noinline)) void *here(void) { return __builtin_return_address(0); }
namespace work {
static inline __attribute__((always_inline)) void *inner() { void *p = here(); __asm__ volatile(""); return p; }
static inline __attribute__((always_inline)) void *outer() { void *p = inner(); __asm__ volatile(""); return p; }
__attribute__((noinline)) void *whole(int) { void *p = outer(); __asm__ volatile(""); return p; }
}
int main() {
    std::printf("return %p\n", work::whole(1));
    std::fflush(stdout);
    std::getchar();
}
"#;
    if std::process::Command::new("c++")
        .arg("--version")
        .output()
        .is_err()
    {
        skip::skip("no C++ compiler");
        return;
    }
    compile(&path, source, "c++", &[]);
    let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
    let (_, address) = target.function();
    target.drain(vec![]);
    let mut walk = sample(TaskId(0), now(), address);
    walk.user = vec![address, address];
    let stack = target.atlas.frames(&walk);
    let names = target.names(stack[0]).unwrap();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], "work::whole(int)");
    assert!(
        names[1].contains("outer") && names[2].contains("inner"),
        "{names:?}"
    );
}

#[test]
fn kernel_functions_are_found_where_the_kernel_tells_them() {
    if !possible() {
        return;
    }
    let table = fs::read_to_string("/proc/kallsyms").unwrap();
    let functions: Vec<(u64, &str)> = table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let name = words[2];
            (words[1].eq_ignore_ascii_case("t")
                && ["vfs_read", "do_exit", "schedule"].contains(&name))
            .then(|| (hex(words[0]), name))
        })
        .collect();
    if functions.iter().all(|&(address, _)| address == 0) {
        skip::absent("kernel.kptr_restrict hides the kernel's addresses");
        return;
    }
    assert_eq!(functions.len(), 3);
    let frames: Vec<Frame> = functions
        .iter()
        .flat_map(|&(address, _)| {
            [
                Frame::Kernel {
                    address,
                    returns: false,
                },
                Frame::Kernel {
                    address: address + 1,
                    returns: true,
                },
                Frame::Kernel {
                    address: address + 5,
                    returns: true,
                },
            ]
        })
        .collect();
    let mut reported = Vec::new();
    let resolution = resolve(
        &eprof::symbol::Objects::default(),
        &frames,
        &mut |done, total| {
            reported.push((done, total));
        },
    );
    let found: Vec<&str> = resolution
        .symbols
        .iter()
        .map(|symbol| symbol.functions[0].as_str())
        .collect();
    let expected: Vec<&str> = functions.iter().flat_map(|&(_, name)| [name; 3]).collect();
    assert_eq!(found, expected);
    assert_eq!(reported.last(), Some(&(9, 9)));
}

#[test]
fn every_record_is_delivered_or_counted_as_lost() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("storm");
    // At least four times what a ring holds.
    let source = r#"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IONBF, 0);
    for (;;) {
        if (getchar() == EOF) return 0;
        for (int i = 0; i < atoi(argv[1]); i++)
            munmap(mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
        puts("done");
    }
}
"#;
    compile(&path, source, "cc", &[]);
    const STORM: u64 = 60_000;
    let mut target = Target::in_cgroup(&[path.to_str().unwrap(), &STORM.to_string()]);
    let mut storms = 0;
    let mut anonymous = 0;
    let mut last = Timestamp(0);
    while storms < 3 {
        target.go_on();
        assert_eq!(target.line(), ["done"]);
        storms += 1;
        target.sideband.drain(&mut |mapping| {
            assert!(mapping.at >= last, "out of order");
            last = mapping.at;
            if mapping.path == "//anon" {
                assert_eq!(mapping.end - mapping.start, 4096);
                anonymous += 1;
            }
        });
        let lost = target
            .sideband
            .losses()
            .0
            .get("mapping-ring-lost")
            .copied()
            .unwrap_or(0);
        assert!(lost > 0, "the ring holds more than this test assumes");
        assert_eq!(anonymous + lost, storms * STORM);
    }
    assert_eq!(target.sideband.losses().0.get("mapping-unreadable"), None);
}
