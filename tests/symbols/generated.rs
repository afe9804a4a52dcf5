//! Code that is made at run time.

use std::fs;
use std::path::{Path, PathBuf};

use eprof::kernel::KernelEvent;
use eprof::measurement::{Frame, TaskId};
use eprof::unit::Timestamp;

use super::target::{Target, compile, now, possible, sample};

#[test]
fn code_made_at_run_time_is_known_by_its_process_and_address() {
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
        let generated = Frame::Generated {
            process: TaskId(0),
            address,
            returns: false,
        };
        assert_eq!(target.frame(address), generated, "{kind}");
        // It is known to be code all the same: a walk through it goes on.
        let mut walk = sample(TaskId(0), now(), address);
        walk.user = vec![address, address];
        assert_eq!(target.frames(&walk).len(), 2, "{kind}");
    }
    // Data is not code.
    let mut walk = sample(TaskId(0), now(), 0x10_0000);
    walk.user = vec![0x10_0000, 0x10_0000];
    assert!(matches!(
        target.frames(&walk)[..],
        [Frame::Broken(_), Frame::Unmapped(_)]
    ));
}

/// Makes a function at run time and writes its name down as it is told: to
/// the perf map of its own process id, and to a jitdump in its directory.
const COMPILER: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static char *code;
static void map(const char *mode, const char *name, int offset, int length) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    FILE *file = fopen(path, mode);
    fprintf(file, "%lx %x %s\n", (unsigned long)code + offset, length, name);
    fclose(file);
}
static void dump(const char *directory) {
    char path[256];
    snprintf(path, sizeof path, "%s/jit-%d.dump", directory, getpid());
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0666);
    uint32_t head[] = {0x4A695444, 1, 40, 62, 0, getpid(), 0, 0, 0, 0};
    write(fd, head, sizeof head);
    mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    const char *names[] = {"dumped", "moved"};
    for (int i = 0; i < 2; i++) {
        uint32_t begin[] = {0, 16 + 40 + strlen(names[i]) + 1 + 256, 0, 0, getpid(), getpid()};
        uint64_t rest[] = {0, (uint64_t)code + 1024 + i * 256, 256, i};
        write(fd, begin, sizeof begin);
        write(fd, rest, sizeof rest);
        write(fd, names[i], strlen(names[i]) + 1);
        write(fd, code, 256);
    }
    uint32_t begin[] = {1, 64, 0, 0, getpid(), getpid()};
    uint64_t rest[] = {0, (uint64_t)code + 1024 + 256, (uint64_t)code + 2048, 256, 1};
    write(fd, begin, sizeof begin);
    write(fd, rest, sizeof rest);
    close(fd);
}
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IONBF, 0);
    code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("code %p\n", code);
    getchar();
    map("w", "first function", 0, 512);
    map("a", "second", 256, 256);
    if (argc > 1) dump(argv[1]);
    puts("written");
    getchar();
    return 0;
}
"#;

fn generated(process: u32, address: u64) -> Frame {
    Frame::Generated {
        process: TaskId(process),
        address,
        returns: false,
    }
}

/// The program, started, in a directory of its own, and where it made code.
fn started() -> (tempfile::TempDir, Target, u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = compiler(dir.path());
    let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
    let (_, code) = target.function();
    (dir, target, code)
}

fn compiler(dir: &Path) -> PathBuf {
    let path = dir.join("compiler");
    compile(&path, COMPILER, "cc", &[]);
    path
}

fn name(target: &Target, frame: Frame) -> Option<String> {
    target.names(frame).map(|names| names.join(";"))
}

#[test]
fn names_of_perf_maps_and_jitdumps_are_found_when_the_process_is_gone() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = compiler(dir.path());
    let command = [path.to_str().unwrap(), dir.path().to_str().unwrap()];
    let mut target = Target::in_cgroup(&command);
    let (_, code) = target.function();
    target.drain(vec![]);
    target.go_on();
    assert_eq!(target.line(), ["written"]);
    target.drain(vec![]);
    target.finish();
    // The process id in the map's name is not to be used again by others.
    let map = PathBuf::from(format!("/tmp/perf-{}.map", target.pid));
    for deleted in [false, true] {
        if deleted {
            fs::remove_file(&map).unwrap();
        }
        let at = |offset| name(&target, target.frame(code + offset));
        assert_eq!(target.frame(code + 1), generated(0, code + 1));
        assert_eq!(at(255).as_deref(), Some("first function"), "{deleted}");
        assert_eq!(at(256).as_deref(), Some("second"));
        assert_eq!(at(512), None);
        assert_eq!(at(1024).as_deref(), Some("dumped"));
        assert_eq!(at(1279).as_deref(), Some("dumped"));
        // Where it was, and where it is.
        assert_eq!(at(1280).as_deref(), Some("moved"));
        assert_eq!(at(2048).as_deref(), Some("moved"));
        assert_eq!(at(2304), None);
    }
    // A call at the end of a function returns behind it.
    let mut walk = sample(TaskId(0), now(), code + 256);
    walk.user = vec![code + 256, code + 256];
    let stack = target.frames(&walk);
    assert_eq!(name(&target, stack[0]).as_deref(), Some("first function"));
    assert_eq!(name(&target, stack[1]).as_deref(), Some("second"));
    // The second name lay over the first.
    let frames: Vec<Frame> = [0, 256].map(|offset| target.frame(code + offset)).into();
    let caveats = target.resolve(&frames).caveats;
    assert_eq!(caveats.len(), 1, "{caveats:?}");
    assert_eq!(caveats[0].code, "generated-code-reused");
    assert!(caveats[0].sentence.starts_with("1 address"), "{caveats:?}");
}

#[test]
fn a_process_that_was_gone_before_anybody_looked_is_named_all_the_same() {
    if !possible() {
        return;
    }
    let (_dir, mut target, code) = started();
    target.go_on();
    assert_eq!(target.line(), ["written"]);
    target.finish();
    target.drain(vec![]);
    let found = name(&target, target.frame(code + 300));
    fs::remove_file(format!("/tmp/perf-{}.map", target.pid)).unwrap();
    assert_eq!(found.as_deref(), Some("second"));
}

#[test]
fn a_forked_child_has_the_names_of_its_parent_and_its_own() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("forker");
    // The child writes a map of its own, of another part of the code.
    let fork =
        "int child = fork(); if (child == 0) { map(\"w\", \"of the child\", 512, 64); pause(); }";
    let tell = "printf(\"child %d\\n\", child); getchar();";
    let source = COMPILER.replace(
        "puts(\"written\");",
        &format!("{fork} {tell} puts(\"written\");"),
    );
    compile(&path, &source, "cc", &[]);
    let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
    let (_, code) = target.function();
    target.drain(vec![]);
    target.go_on();
    let line = target.line();
    let child: u32 = line[1].parse().unwrap();
    let task = target.task(child, Some(TaskId(0)), now());
    target.drain(vec![KernelEvent::Created(task)]);
    // It has written when it waits.
    while !fs::read_to_string(format!("/tmp/perf-{child}.map")).is_ok_and(|map| map.ends_with('\n'))
    {
        std::thread::yield_now();
    }
    let at = |offset| {
        let frame = target.frame_of(TaskId(1), code + offset);
        assert_eq!(frame, generated(1, code + offset));
        name(&target, frame)
    };
    assert_eq!(at(300).as_deref(), Some("second"));
    assert_eq!(at(512).as_deref(), Some("of the child"));
    assert_eq!(name(&target, target.frame(code + 512)), None);
    for pid in [child, target.pid] {
        fs::remove_file(format!("/tmp/perf-{pid}.map")).unwrap();
    }
}

#[test]
fn a_map_in_another_mount_and_pid_namespace_is_found_and_one_here_is_not() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = compiler(dir.path());
    // Below the private /tmp, the program is a copy.
    let script = "cp \"$0\" /run/jit-$$ && mount -t tmpfs none /tmp && exec /run/jit-$$";
    let script = format!("mount -t tmpfs none /run && {script}");
    let path = path.to_str().unwrap();
    let command = ["unshare", "-m", "-p", "-f", "sh", "-c", &script, path];
    // Whoever has the number 1 here has made no code.
    let decoy = Path::new("/tmp/perf-1.map");
    let mut target = Target::in_cgroup(&command);
    let (_, code) = target.function();
    let child = target.child_of(target.pid);
    let task = target.task(child, Some(TaskId(0)), Timestamp(1));
    target.drain(vec![KernelEvent::Created(task)]);
    fs::write(decoy, format!("{code:x} 1000 wrong\n")).unwrap();
    target.go_on();
    assert_eq!(target.line(), ["written"]);
    target.drain(vec![]);
    target.finish();
    let frame = generated(1, code + 1);
    let found = name(&target, frame);
    fs::remove_file(decoy).unwrap();
    assert_eq!(target.frame_of(TaskId(1), code + 1), frame);
    assert_eq!(found.as_deref(), Some("first function"));
}

#[test]
fn a_map_that_another_user_has_put_there_is_not_used() {
    if !possible() {
        return;
    }
    let (_dir, mut target, code) = started();
    target.drain(vec![]);
    let map = format!("/tmp/perf-{}.map", target.pid);
    fs::write(&map, format!("{code:x} 1000 wrong\n")).unwrap();
    std::os::unix::fs::chown(&map, Some(12345), None).unwrap();
    let frame = target.frame(code);
    assert_eq!(name(&target, frame), None);
    let caveats = target.resolve(&[frame]).caveats;
    assert_eq!(caveats[0].code, "generated-code-nameless");
    assert!(caveats[0].hint.is_some());
    // Nor is one that is older than the process.
    std::os::unix::fs::chown(&map, Some(0), None).unwrap();
    assert_eq!(name(&target, frame).as_deref(), Some("wrong"));
    let file = fs::File::options().write(true).open(&map).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    file.set_modified(old).unwrap();
    assert_eq!(name(&target, frame), None);
    fs::remove_file(&map).unwrap();
}
