//! Prints nanoseconds per decision of Kelpgate, iam-rs and cedar-policy side by side, then Kelpgate's worst cases and the cost of
//! compiling.

use std::hint::black_box;

use kelpgate_peers::cedar::{self, Cedar};
use kelpgate_peers::iam::{self, Iam};
use kelpgate_peers::kelpgate::{self, Kelpgate};
use kelpgate_peers::measure::measure;
use kelpgate_peers::workload::{Workload, about};
use mimalloc::MiMalloc;

/// The gateway's own; all three run on it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const COUNTS: [usize; 5] = [1, 10, 100, 1_000, 10_000];

fn decisions() {
    println!(
        "ns per decision   statements     kelpgate       iam-rs     cedar-policy   iam-rs/kelpgate  cedar/kelpgate"
    );
    for (name, workload) in Workload::ALL {
        let mut at_10 = f64::NAN;
        for count in COUNTS {
            let (document, object) = (workload.iam(count), Workload::object(count));
            let ours = Kelpgate::new(&document, &object);
            let iam = Iam::new(&document, &object);
            let cedar = Cedar::new(&workload.cedar(count), &object);
            assert!(ours.allows() && iam.allows() && cedar.allows(), "{name} {count}: one of the three refuses");
            let [ours, iam, cedar] = measure([
                &mut || _ = black_box(black_box(&ours).allows()),
                &mut || _ = black_box(black_box(&iam).allows()),
                &mut || _ = black_box(black_box(&cedar).allows()),
            ]);
            println!(
                "{name:<18}{count:>10}{ours:>13.0}{iam:>13.0}{cedar:>17.0}{:>18.0}{:>16.0}",
                iam / ours,
                cedar / ours
            );
            match count {
                10 => at_10 = ours,
                10_000 => println!("{name:<18}kelpgate, 10,000 statements to 10: {:.2}", ours / at_10),
                _ => {}
            }
        }
    }
}

/// Patterns that make matchers slow, matched against a key of 1 KiB.
fn hostile() {
    println!("\nns per decision, kelpgate");
    let (plain, hits) = ("a".repeat(1_024), "w12".repeat(342));
    let one = |number: usize, of: &dyn Fn(usize) -> String| about((0..number).map(of));
    for (name, document, key) in [
        ("one statement of 100 stars, fits", one(1, &|_| format!("b/{}*", "*a".repeat(99))), &plain),
        ("one statement of 100 stars, not", one(1, &|_| format!("b/{}b*", "*a".repeat(99))), &plain),
        ("40 of a?a?...", one(40, &|i| format!("b/*a?{}*", "a?".repeat(i))), &plain),
        ("1,000 of *w{i}*, none occurs", one(1_000, &|i| format!("b/*w{i}*")), &plain),
        ("1,000 of *w{i}*, three occur", one(1_000, &|i| format!("b/*w{i}*")), &hits),
    ] {
        let ours = Kelpgate::new(&document, &format!("b/{key}"));
        let [ns] = measure([&mut || _ = black_box(black_box(&ours).allows())]);
        println!("{name:<34}{ns:>8.0}");
    }
}

fn loading() {
    println!("\nns per statement  statements     compile   parse+compile   iam-rs parse   cedar parse");
    for (name, workload) in Workload::ALL {
        for count in [10, 1_000, 10_000] {
            let (document, words) = (workload.iam(count), workload.cedar(count));
            let parsed = kelpgate::parse(&document);
            let each = measure([
                &mut || _ = black_box(black_box(&parsed).compile()),
                &mut || _ = black_box(kelpgate::parse(black_box(&document)).compile()),
                &mut || _ = black_box(iam::parse(black_box(&document))),
                &mut || _ = black_box(cedar::parse(black_box(&words))),
            ]);
            let [compile, ours, iam, cedar] = each.map(|ns| ns / count as f64);
            println!("{name:<18}{count:>10}{compile:>12.0}{ours:>16.0}{iam:>15.0}{cedar:>14.0}");
        }
    }
}

fn main() {
    decisions();
    hostile();
    loading();
}
