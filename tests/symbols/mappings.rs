//! Every mapping is known, and which of several was there at the time.

use std::fs;

use eprof::kernel::KernelEvent;
use eprof::measurement::{Frame, TaskId};
use eprof::unit::Timestamp;

use super::target::{Target, compile, hex, possible, sample};

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
        events.push(KernelEvent::Created(child));
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
