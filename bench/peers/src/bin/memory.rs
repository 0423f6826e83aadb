//! Prints the bytes that each evaluator keeps for a statement. This is a separate program because counting slows allocation down.

use std::alloc::System;

use kelpgate_peers::workload::Workload;
use kelpgate_peers::{cedar, iam, kelpgate};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The bytes that are still allocated after `make`, when only its result is kept.
fn kept<T>(make: impl FnOnce() -> T) -> isize {
    let region = Region::new(ALLOCATOR);
    let made = make();
    let change = region.change();
    drop(made);
    change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed()
}

fn main() {
    println!("bytes per statement   statements     kelpgate       iam-rs     cedar-policy");
    for (name, workload) in Workload::ALL {
        for count in [1, 10, 100, 1_000, 10_000] {
            let (document, words) = (workload.iam(count), workload.cedar(count));
            let bytes = [
                kept(|| kelpgate::parse(&document).compile()),
                kept(|| iam::parse(&document)),
                kept(|| cedar::parse(&words)),
            ];
            let [ours, iam, cedar] = bytes.map(|bytes| bytes / count.cast_signed());
            println!("{name:<22}{count:>10}{ours:>13}{iam:>13}{cedar:>17}");
        }
    }
}
