//! `kelpgate scrub`: reads everything in a directory and compares it with its checksums.

use std::time::{Duration, Instant};

use filer::embedded::Scrubber;

use crate::arguments::Scrub;
use crate::place;

const MIB: u64 = 1 << 20;
/// Bytes between two looks at the clock.
const STEP_BYTES: u64 = 8 * MIB;

/// Prints each finding; false if there are any.
pub async fn run(scrub: Scrub) -> Result<bool, String> {
    let filer = place::open_directory(&scrub.dir)?;
    let mut scrubber = Scrubber::new(&filer);
    let started = Instant::now();
    loop {
        let mut step = tokio::task::block_in_place(|| scrubber.step(STEP_BYTES)).map_err(|error| error.to_string())?;
        for finding in step.findings.drain(..) {
            say!("{}", bucket::findings::in_words(&finding));
        }
        let progress = filer.health().scrub;
        if step.is_complete {
            say!("{} MiB read, {} findings", progress.bytes / MIB, progress.findings);
            return Ok(progress.findings == 0);
        }
        if let Some(allowed) = (progress.bytes / MIB).checked_div(scrub.mb_per_second) {
            tokio::time::sleep(Duration::from_secs(allowed).saturating_sub(started.elapsed())).await;
        }
    }
}
