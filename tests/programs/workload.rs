//! What the tests of the kernel side measure. It waits for a line on its
//! standard input, then does what its arguments say:
//!
//! - `spin MS`: computes for MS milliseconds of its own CPU time
//! - `alone CPU MS`: the same, with real-time priority on one CPU
//! - `both CPU CPU MS`: the same, in two threads on two CPUs
//! - `nap N`: sleeps N times, for a little while each
//! - `hop CPU CPU N`: goes from one CPU to the other N times
//! - `sleep MS`
//! - `fork N`: on one CPU, N children, one after the other, that exit at once
//! - `threads N`: on one CPU, N threads that are all alive at the same time
//! - `exec NAME…`: becomes NAME, a link to this program, and so on
//! - `reuse PID N`: N children, one after the other, that all have the id PID
//! - `rename NAME`: computes for a while, and again under another name
use std::ffi::{c_char, c_int, c_long, c_ulong};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Duration;

unsafe extern "C" {
    fn fork() -> c_int;
    fn _exit(status: c_int) -> !;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn clock_gettime(clock: c_int, time: *mut [i64; 2]) -> c_int;
    fn sched_getcpu() -> c_int;
    fn sched_setaffinity(pid: c_int, size: usize, mask: *const c_ulong) -> c_int;
    fn sched_setscheduler(pid: c_int, policy: c_int, priority: *const c_int) -> c_int;
}

fn cpu_time() -> Duration {
    let mut time = [0i64; 2];
    const CLOCK_PROCESS_CPUTIME_ID: c_int = 2;
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time[0] as u64, time[1] as u32)
}

/// All the time of `spin` is spent here.
#[inline(never)]
fn hot(rounds: u64) -> u64 {
    let mut x = std::hint::black_box(1u64);
    for i in 0..rounds {
        x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(i));
    }
    x
}

fn spin(ms: u64) {
    let end = cpu_time() + Duration::from_millis(ms);
    while cpu_time() < end {
        std::hint::black_box(hot(100_000));
    }
}

/// Stays on one CPU, with all children and threads to come: so none of them
/// ever wakes an idle CPU. The kernel counts the time that takes as the woken
/// thread's, though the thread does not run yet.
fn stay() {
    unsafe {
        let mask = [1u64 << sched_getcpu()];
        assert_eq!(sched_setaffinity(0, 8, mask.as_ptr()), 0, "affinity");
    }
}

fn go_to(cpu: u64) {
    let mask = [1u64 << cpu];
    unsafe { assert_eq!(sched_setaffinity(0, 8, mask.as_ptr()), 0, "affinity") };
}

/// Runs on `cpu` from now on, before all others there.
fn before_others(cpu: u64) {
    const SCHED_FIFO: c_int = 1;
    go_to(cpu);
    unsafe { assert_eq!(sched_setscheduler(0, SCHED_FIFO, &1), 0, "priority") };
}

fn fork_many(n: u64) {
    stay();
    for _ in 0..n {
        unsafe {
            let pid = fork();
            if pid == 0 {
                _exit(0);
            }
            assert!(pid > 0, "fork");
            waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
}

fn threads(n: usize) {
    stay();
    let barrier = Arc::new(Barrier::new(n + 1));
    let all: Vec<_> = (0..n)
        .map(|_| {
            let barrier = barrier.clone();
            std::thread::Builder::new()
                .stack_size(16 << 10)
                .spawn(move || {
                    std::hint::black_box(hot(1_000));
                    barrier.wait();
                })
                .expect("thread")
        })
        .collect();
    barrier.wait();
    all.into_iter()
        .for_each(|thread| thread.join().expect("join"));
}

fn reuse(pid: i32, n: u64) {
    const SYS_CLONE3: c_long = 435;
    for _ in 0..n {
        let set_tid = [pid];
        // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal,
        // stack, stack_size, tls, set_tid, set_tid_size
        let args: [u64; 10] = [0, 0, 0, 0, 17, 0, 0, 0, set_tid.as_ptr() as u64, 1];
        unsafe {
            let child = syscall(SYS_CLONE3, args.as_ptr(), size_of_val(&args));
            if child == 0 {
                std::hint::black_box(hot(100_000));
                _exit(0);
            }
            assert_eq!(
                child,
                c_long::from(pid),
                "clone3: {}",
                std::io::Error::last_os_error()
            );
            waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let text = |i: usize| arguments[i].as_str();
    let number = |i: usize| arguments[i].parse::<u64>().expect("number");
    // The later links of a chain have no one to wait for.
    if std::env::var_os("CHAIN").is_none() {
        println!("{:#x}", hot as fn(u64) -> u64 as usize);
        std::io::stdout().flush().expect("stdout");
        std::io::stdin()
            .read_line(&mut String::new())
            .expect("stdin");
    }
    match text(1) {
        "spin" => spin(number(2)),
        "alone" => {
            before_others(number(2));
            spin(number(3));
        }
        "both" => {
            let all: Vec<_> = [number(2), number(3)]
                .map(|cpu| {
                    let ms = number(4);
                    std::thread::spawn(move || {
                        before_others(cpu);
                        // The CPU time is that of both threads.
                        spin(2 * ms);
                    })
                })
                .into();
            all.into_iter()
                .for_each(|thread| thread.join().expect("join"));
        }
        "nap" => {
            for _ in 0..number(2) {
                std::hint::black_box(hot(1_000));
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        "hop" => {
            go_to(number(2));
            for hop in 0..number(4) {
                std::hint::black_box(hot(10_000));
                go_to(number(if hop % 2 == 0 { 3 } else { 2 }));
            }
            std::hint::black_box(hot(10_000));
        }
        "sleep" => std::thread::sleep(Duration::from_millis(number(2))),
        "fork" => fork_many(number(2)),
        "threads" => threads(number(2) as usize),
        "exec" => {
            spin(20);
            if arguments.len() > 2 {
                let error = Command::new(text(2))
                    .env("CHAIN", "1")
                    .arg("exec")
                    .args(&arguments[3..])
                    .exec();
                panic!("{error}");
            }
        }
        "reuse" => reuse(number(2) as i32, number(3)),
        "rename" => {
            const PR_SET_NAME: c_int = 15;
            spin(50);
            let name = std::ffi::CString::new(text(2)).expect("name");
            unsafe { prctl(PR_SET_NAME, name.as_ptr() as *const c_char) };
            spin(50);
        }
        other => panic!("{other}?"),
    }
}
