//! Functions of programs of all kinds.

use std::path::Path;

use eprof::measurement::TaskId;

use super::target::{Target, compile, now, possible, sample};
use crate::support::skip;

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

pub(crate) fn one(path: &Path, function: &str, flags: &[&str]) {
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
        skip("no C++ compiler");
        return;
    }
    compile(&path, source, "c++", &[]);
    let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
    let (_, address) = target.function();
    target.drain(vec![]);
    let mut walk = sample(TaskId(0), now(), address);
    walk.user = vec![address, address];
    let stack = target.frames(&walk);
    let names = target.names(stack[0]).unwrap();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], "work::whole(int)");
    assert!(
        names[1].contains("outer") && names[2].contains("inner"),
        "{names:?}"
    );
}
