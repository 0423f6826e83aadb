//! Nanoseconds per call: the minimum of seven windows of CPU time.

use std::fs;
use std::time::Instant;

const WINDOWS: usize = 7;
const WINDOW_NS_MIN: u64 = 60_000_000;

/// Nanoseconds that this thread has run; the kernel counts them in `schedstat`.
fn cpu_ns() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// The nanoseconds that this many calls took: CPU time if the kernel reports it, otherwise wall-clock time.
fn window(call: &mut dyn FnMut(), calls: u64) -> u64 {
    let (wall, cpu) = (Instant::now(), cpu_ns());
    (0..calls).for_each(|_| call());
    match (cpu, cpu_ns()) {
        (Some(before), Some(after)) if after > before => after - before,
        _ => u64::try_from(wall.elapsed().as_nanos()).unwrap_or(u64::MAX),
    }
}

/// Nanoseconds per call of each. The windows alternate, so that other load on the machine affects all of them.
pub fn measure<const N: usize>(mut calls: [&mut dyn FnMut(); N]) -> [f64; N] {
    let counts = calls.each_mut().map(|call| {
        let mut count = 1;
        while window(*call, count) < WINDOW_NS_MIN {
            count *= 2;
        }
        count
    });
    let mut best = [f64::INFINITY; N];
    for _ in 0..WINDOWS {
        for ((call, count), best) in calls.iter_mut().zip(counts).zip(&mut best) {
            *best = best.min(window(*call, count) as f64 / count as f64);
        }
    }
    best
}
