//! Data: bodies, holes, inline content, and when it is freed.

use super::*;

pub(super) async fn bodies(world: &World<'_>) {
    let configuration = world.filer.configuration().await.expect("the filer says what it is");
    let chunk = configuration.chunk_bytes;
    for bytes in [0, 1, 1024, 8192, 8193, 100_000, chunk - 1, chunk, chunk + 1, 2 * chunk + 12_345] {
        let body = pattern(bytes, bytes as u64);
        let written = world.write(&body).await;
        let digest: [u8; 16] = Md5::digest(&body).into();
        assert_eq!((written.bytes, written.md5), (bytes as u64, digest), "{bytes} bytes");
        let covered: u64 = written.chunks.iter().map(|chunk| chunk.size).sum();
        assert_eq!(covered, bytes as u64);
        let name = format!("body-{bytes}");
        world.create(&name, object(&written)).await;
        let entry = world.find(&name).await.expect("it was put");
        assert_eq!(entry.content_bytes(), bytes as u64);
        let (all, from_chunk) = (bytes as u64, chunk as u64);
        let ranges = [
            (0, all),
            (0, 1),
            (all / 3, 100),
            (from_chunk - 50, 100),
            (from_chunk, 1),
            (all.saturating_sub(1), 1),
            (all / 2, 0),
        ];
        for (from, length) in ranges.into_iter().filter(|(from, length)| from + length <= all) {
            let read = world.read(&entry, from, length).await;
            let read = read.unwrap_or_else(|error| panic!("{length} bytes from {from} of {bytes}: {error}"));
            assert!(read == body[from as usize..(from + length) as usize], "{length} bytes from {from} of {bytes}");
        }
        let resolved = world.filer.resolve_chunks(&entry.chunks).await.expect("chunks are resolved");
        assert_eq!(resolved.iter().map(|chunk| chunk.size).sum::<u64>(), all);
    }
}

pub(super) async fn holes(world: &World<'_>) {
    let body = pattern(50_000, 1);
    let mut entry = object(&world.write(&body).await);
    for chunk in &mut entry.chunks {
        chunk.offset += 100_000;
    }
    entry.attributes.get_or_insert_default().file_size = 200_000;
    world.create("sparse", entry).await;
    let entry = world.find("sparse").await.expect("it was put");
    let want = [vec![0; 100_000], body, vec![0; 50_000]].concat();
    for (from, to) in [(0, 200_000), (99_990, 100_010), (149_990, 150_010), (10, 20), (199_999, 200_000)] {
        let read = world.read(&entry, from, to - from).await.expect("holes can be read");
        assert!(read == want[from as usize..to as usize], "{from}..{to}");
    }
}

pub(super) async fn inline_content(world: &World<'_>) {
    world.create("a", document("0123456789")).await;
    let entry = world.find("a").await.expect("it was put");
    for (from, length, want) in [(0, 10, "0123456789"), (3, 4, "3456"), (9, 1, "9")] {
        let read = world.read(&entry, from, length).await.expect("inline content is read");
        assert_eq!(String::from_utf8_lossy(&read), want);
    }
}

pub(super) async fn an_early_end(world: &World<'_>) {
    for bytes in [0, 100, 3 << 20] {
        let piece = Ok(Bytes::from(pattern(bytes, 1)));
        let body = stream::iter([piece, Err(BodyError("the client is gone".to_owned()))]);
        let target = WriteTarget { path: world.path("body"), ..WriteTarget::default() };
        let result = world.filer.write(&target, Box::pin(body)).await;
        assert!(matches!(result, Err(FilerError::Body(_))), "after {bytes} bytes: {result:?}");
    }
}

/// Waits until data can no longer be read.
async fn is_freed(world: &World<'_>, entry: &Entry) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if world.read(entry, 0, entry.content_bytes()).await.is_err() {
            return true;
        }
        sleep(Duration::from_millis(100)).await;
    }
    false
}

pub(super) async fn replaced_data_is_freed(world: &World<'_>) {
    // Of both kinds: kept with its entry, and stored separately.
    tokio::join!(replaced_bytes_are_freed(world, "small", 2000), replaced_bytes_are_freed(world, "large", 100_000));
}

async fn replaced_bytes_are_freed(world: &World<'_>, name: &str, bytes: usize) {
    let (kept, dropped, unused) = (
        object(&world.write(&pattern(bytes, 1)).await),
        object(&world.write(&pattern(bytes, 2)).await),
        object(&world.write(&pattern(bytes, 3)).await),
    );
    let mut both = kept.clone();
    both.chunks.extend(dropped.chunks.iter().cloned().map(|mut chunk| {
        chunk.offset += bytes as i64;
        chunk
    }));
    both.attributes.get_or_insert_default().file_size = 2 * bytes as u64;
    world.create(name, both.clone()).await;
    let read = world.read(&both, 0, 2 * bytes as u64).await.expect("both parts are there");
    assert!(read == [pattern(bytes, 1), pattern(bytes, 2)].concat());
    world.create(name, kept.clone()).await;
    world.filer.delete_chunks(unused.chunks.clone()).await;
    assert!(is_freed(world, &dropped).await, "the part that the new entry does not name is freed");
    assert!(is_freed(world, &unused).await, "data given to `delete_chunks` is freed");
    let read = world.read(&kept, 0, bytes as u64).await.expect("the part that the new entry names stays");
    assert!(read == pattern(bytes, 1));
    world.transact(name, vec![], vec![world.delete(name, false)]).await.expect("the entry is removed");
    assert!(is_freed(world, &kept).await, "and with it the data");
}

/// Like completing a multipart upload: the object lists the chunks of the parts, then the parts are removed but not
/// their data.
pub(super) async fn data_moves_between_entries(world: &World<'_>) {
    let mut whole = Entry { attributes: Some(Attributes::default()), ..Entry::default() };
    let mut offset = 0;
    for (part, bytes) in [300_000, 5000, 12].into_iter().enumerate() {
        let written = world.write(&pattern(bytes, part as u64)).await;
        world.create(&format!("upload/{part}"), object(&written)).await;
        let entry = world.find(&format!("upload/{part}")).await.expect("the part is there");
        for mut chunk in world.filer.resolve_chunks(&entry.chunks).await.expect("chunks are resolved") {
            chunk.offset += offset;
            whole.chunks.push(chunk);
        }
        offset += bytes as i64;
    }
    whole.attributes.get_or_insert_default().file_size = offset as u64;
    world.create("whole", whole).await;
    let parts = Mutation::Delete {
        directory: world.directory.clone(),
        name: "upload".to_owned(),
        delete_data: false,
        recursive: true,
    };
    world.transact("upload", vec![], vec![parts]).await.expect("the parts are removed");
    assert_eq!(world.find("upload").await, None);
    sleep(Duration::from_secs(5)).await;
    let entry = world.find("whole").await.expect("it was put");
    let read = world.read(&entry, 0, offset as u64).await.expect("its data is there");
    assert!(read == [pattern(300_000, 0), pattern(5000, 1), pattern(12, 2)].concat());
}
