//! What checksums cost a read of 64 MiB: `cargo run --release -p filer --example checksum_cost`.
//!
//! A piece is checked right after it was read, so its bytes are in the processor's cache. The same pieces are read with and
//! without checksums in turn; the difference is the cost.

#![expect(clippy::unwrap_used, reason = "a measurement: any error ends it")]

use std::fs::File;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use filer::{EmbeddedFiler, Entry, Filer, WriteTarget};
use futures_util::{StreamExt, stream};

const BODY_BYTES: usize = 64 << 20;
const BLOCK_BYTES: usize = 64 << 10;
const PIECE_BYTES: usize = 512 << 10;
const ROUNDS: usize = 41;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Reads a file in pieces.
fn pieces(file: &File, with_checksums: bool) -> Duration {
    let begun = Instant::now();
    for at in (0..BODY_BYTES).step_by(PIECE_BYTES) {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        rustix::io::pread(file, rustix::buffer::spare_capacity(&mut piece), at as u64).unwrap();
        if with_checksums {
            for block in piece.chunks(BLOCK_BYTES) {
                std::hint::black_box(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, block));
            }
        }
        std::hint::black_box(piece);
    }
    begun.elapsed()
}

#[tokio::main]
async fn main() {
    let directory = std::env::temp_dir().join(format!("checksum-cost-{}", std::process::id()));
    let filer = EmbeddedFiler::open(&directory).unwrap();
    let body = Bytes::from((0..BODY_BYTES).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>());
    let written = filer.write(&WriteTarget::default(), Box::pin(stream::iter([Ok(body.clone())]))).await.unwrap();
    let entry = Entry { chunks: written.chunks, ..Entry::default() };
    std::fs::write(directory.join("plain"), &body).unwrap();
    let plain = File::open(directory.join("plain")).unwrap();
    let (mut reads, mut unchecked, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut stream = filer.read(&entry, 0, BODY_BYTES as u64).await.unwrap();
        while let Some(piece) = stream.next().await {
            std::hint::black_box(piece.unwrap());
        }
        reads.push(begun.elapsed());
        unchecked.push(pieces(&plain, false));
        checked.push(pieces(&plain, true));
    }
    let (unchecked, checked) = (median(unchecked), median(checked));
    println!("64 MiB: read in {:?}; pieces alone in {unchecked:?}, with checksums in {checked:?}", median(reads));
    println!(
        "checksums: {:?}, by {}",
        checked.saturating_sub(unchecked),
        crc_fast::get_calculator_target(CrcAlgorithm::Crc32Iscsi)
    );
    drop(filer);
    std::fs::remove_dir_all(directory).unwrap();
}
