//! What checksums cost a read of 64 MiB: `cargo run --release -p filer --example checksum_cost`.

#![expect(clippy::unwrap_used, reason = "a measurement: any error ends it")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use filer::{EmbeddedFiler, Entry, Filer, WriteTarget};
use futures_util::{StreamExt, stream};

const BODY_BYTES: usize = 64 << 20;
const BLOCK_BYTES: usize = 64 << 10;
const ROUNDS: usize = 21;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[tokio::main]
async fn main() {
    let directory = std::env::temp_dir().join(format!("checksum-cost-{}", std::process::id()));
    let filer = EmbeddedFiler::open(&directory).unwrap();
    let body = Bytes::from((0..BODY_BYTES).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>());
    let written = filer.write(&WriteTarget::default(), Box::pin(stream::iter([Ok(body.clone())]))).await.unwrap();
    let entry = Entry { chunks: written.chunks, ..Entry::default() };
    let (mut reads, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut pieces = filer.read(&entry, 0, BODY_BYTES as u64).await.unwrap();
        while let Some(piece) = pieces.next().await {
            std::hint::black_box(piece.unwrap());
        }
        reads.push(begun.elapsed());
        let begun = Instant::now();
        for block in body.chunks(BLOCK_BYTES) {
            std::hint::black_box(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, block));
        }
        sums.push(begun.elapsed());
    }
    println!("64 MiB: read in {:?}, of which checksums {:?}", median(reads), median(sums));
    drop(filer);
    std::fs::remove_dir_all(directory).unwrap();
}
