//! `main` → `alpha` → `beta` → `delta` on the first thread, and the same below
//! `on_a_thread` on a second one.

use std::time::{Duration, Instant};

#[inline(never)]
fn delta(mut x: u64) -> u64 {
    for _ in 0..60 {
        x = (x ^ x >> 29).wrapping_mul(6364136223846793005).wrapping_add(1);
    }
    std::hint::black_box(x)
}

#[inline(never)]
fn beta(mut x: u64) -> u64 {
    let mut kept = [x, x ^ 5, x.rotate_left(7), !x, x.wrapping_mul(3)];
    for _ in 0..6 {
        x = delta(x.wrapping_add(kept[0]));
        for n in 0..5 {
            kept[n] = kept[(n + 1) % 5].wrapping_add(x);
        }
    }
    std::hint::black_box(kept.iter().fold(0, |sum, one| sum ^ one))
}

#[inline(never)]
fn alpha(mut x: u64) -> u64 {
    for _ in 0..6 {
        x = beta(x).wrapping_add(x);
    }
    std::hint::black_box(x)
}

fn until(end: Instant) -> u64 {
    let mut total = 0;
    loop {
        for _ in 0..64 {
            total = alpha(total).wrapping_add(1);
        }
        if Instant::now() >= end {
            return total;
        }
    }
}

#[inline(never)]
fn on_a_thread(end: Instant) -> u64 {
    std::hint::black_box(until(end))
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let end = Instant::now() + Duration::from_secs_f64(seconds.unwrap_or(1.0));
    let thread = std::thread::spawn(move || on_a_thread(end));
    let total = until(end);
    let _ = thread.join();
    std::process::exit(i32::from(total == 42));
}
