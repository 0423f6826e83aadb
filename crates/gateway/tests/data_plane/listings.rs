//! Listings of keys, page by page.

use crate::support::{Claims, World};

/// Keys in the order of S3.
const KEYS: [&str; 6] = ["a", "b/1", "b/2", "b/c/3", "d e", "z"];

async fn world() -> World {
    let world = World::start().await;
    for key in KEYS {
        world.put(&format!("/plain/{}", key.replace(' ', "%20")), "x").await;
    }
    world
}

#[tokio::test]
async fn pages() {
    let world = world().await;
    let mut claims = Claims::default();
    for (query, keys, prefixes, truncated) in [
        ("", &KEYS[..], &[][..], "false"),
        ("&delimiter=/", &["a", "d e", "z"], &["b/"], "false"),
        ("&prefix=b/&delimiter=/", &["b/1", "b/2"], &["b/c/"], "false"),
        ("&prefix=b", &["b/1", "b/2", "b/c/3"], &[], "false"),
        ("&prefix=b&delimiter=c", &["b/1", "b/2"], &["b/c"], "false"),
        ("&max-keys=2", &["a", "b/1"], &[], "true"),
        ("&max-keys=2&delimiter=/", &["a"], &["b/"], "true"),
        ("&max-keys=0", &[], &[], "false"),
        ("&prefix=nothing", &[], &[], "false"),
        ("&prefix=../", &[], &[], "false"),
        ("&prefix=d%20", &["d e"], &[], "false"),
        ("&encoding-type=url&prefix=d", &["d%20e"], &[], "false"),
    ] {
        for version in ["list-type=2", "x-id=ListObjects", "versions"] {
            let reply = world.ask(&format!("GET /plain?{version}{query}")).await;
            let groups: Vec<String> = prefixes.iter().map(|prefix| format!("<Prefix>{prefix}</Prefix>")).collect();
            let row = format!("{version}{query}: {}", reply.text());
            claims.claim(&row, reply.elements("Key"), keys.to_vec());
            claims.claim(&row, reply.elements("CommonPrefixes"), groups);
            claims.claim(&row, &*reply.element("IsTruncated"), truncated);
        }
    }
    claims.end();
}

/// Each key and each prefix comes once, whatever the size of the pages.
#[tokio::test]
async fn every_page_goes_on_where_the_last_one_ended() {
    let world = world().await;
    for (version, next, parameter) in [
        ("list-type=2", "NextContinuationToken", "continuation-token"),
        ("x-id=ListObjects", "NextMarker", "marker"),
        ("versions", "NextKeyMarker", "key-marker"),
    ] {
        for size in 1..=4 {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let page = world.ask(&format!("GET /plain?{version}&delimiter=/&max-keys={size}{after}")).await;
                seen.extend(page.elements("Key"));
                seen.extend(page.elements("CommonPrefixes"));
                if page.element("IsTruncated") == "false" {
                    break;
                }
                after = format!("&{parameter}={}", page.element(next).replace(' ', "%20"));
            }
            assert_eq!(seen.len(), 4, "{version} {size}: {seen:?}");
            seen.sort();
            assert_eq!(seen, ["<Prefix>b/</Prefix>", "a", "d e", "z"], "{version} {size}");
        }
    }
}

#[tokio::test]
async fn where_a_page_begins() {
    let world = world().await;
    let mut claims = Claims::default();
    for (query, want) in [
        ("list-type=2&start-after=b/1", &["b/2", "b/c/3", "d e", "z"][..]),
        ("list-type=2&start-after=b/1x", &["b/2", "b/c/3", "d e", "z"]),
        ("list-type=2&start-after=zz", &[]),
        ("list-type=2&start-after=", &KEYS),
        ("list-type=2&continuation-token=", &KEYS),
        ("list-type=2&continuation-token=&start-after=zz", &[]),
        ("marker=d%20e", &["z"]),
        ("marker=b/&delimiter=/", &["d e", "z"]),
        ("marker=b/", &["b/1", "b/2", "b/c/3", "d e", "z"]),
        ("versions&key-marker=b/c/3", &["d e", "z"]),
    ] {
        let reply = world.ask(&format!("GET /plain?{query}")).await;
        claims.claim(query, reply.elements("Key"), want.to_vec());
    }
    let inside = world.ask("GET /plain?marker=b/c/&delimiter=/").await;
    claims.claim("a marker inside a common prefix", inside.elements("CommonPrefixes"), vec!["<Prefix>b/</Prefix>"]);
    for token in ["x", "%25", "eA", "a2Eg=="] {
        let reply = world.ask(&format!("GET /plain?list-type=2&continuation-token={token}")).await;
        claims.claim(token, &*reply.outcome(), "400 InvalidArgument");
    }
    claims.end();
}

#[tokio::test]
async fn entries() {
    let world = World::start().await;
    world
        .send("PUT /plain/k", &[("x-amz-storage-class", "GLACIER"), ("x-amz-checksum-crc32", "NhCmhg==")], "hello")
        .await;
    let entry = "<ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
        <ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size>";
    let account = ids::AccountId::DEFAULT;
    let owner = format!("<Owner><ID>{}</ID><DisplayName>{account}</DisplayName></Owner>", account.canonical_id());
    for (query, want) in [
        ("list-type=2", format!("{entry}<StorageClass>GLACIER</StorageClass>")),
        ("list-type=2&fetch-owner=true", format!("{entry}{owner}<StorageClass>GLACIER</StorageClass>")),
        ("marker=a", format!("{entry}{owner}<StorageClass>GLACIER</StorageClass>")),
    ] {
        let reply = world.ask(&format!("GET /plain?{query}")).await;
        assert!(reply.text().contains(&want), "{query}: {}", reply.text());
    }
    let versions = world.ask("GET /plain?versions").await;
    assert!(versions.text().contains("<VersionId>null</VersionId><IsLatest>true</IsLatest>"), "{}", versions.text());
    for line in ["GET /nowhere", "GET /nowhere?list-type=2", "GET /nowhere?versions", "GET /nowhere?uploads"] {
        assert_eq!(world.ask(line).await.outcome(), "404 NoSuchBucket", "{line}");
    }
}

/// Keys that are no paths, in the order of S3. None of them reaches another, or leaves its bucket.
const ODD_KEYS: [&str; 18] = [
    ".",
    "..",
    "../other/k",
    "./a",
    ".uploads/x",
    ".versions",
    "/",
    "//",
    "/lead",
    "a",
    "a/../a",
    "a//",
    "a//b",
    "k",
    "k.versions",
    "k.versions.versions",
    "k.versions/",
    "k.versions/v_1",
];

#[tokio::test]
async fn every_key_that_s3_allows_is_held() {
    let world = World::start().await;
    let mut claims = Claims::default();
    for bucket in ["plain", "versioned"] {
        for key in ODD_KEYS {
            let body = if key.ends_with('/') { "" } else { key };
            claims.claim(key, world.send(&format!("PUT /{bucket}/{key}"), &[], body).await.outcome(), "200 ");
        }
        for key in ODD_KEYS {
            let read = world.ask(&format!("GET /{bucket}/{key}")).await;
            claims.claim(key, read.outcome(), "200 ");
            claims.claim(key, read.text(), if key.ends_with('/') { "" } else { key });
        }
        for version in
            ["list-type=2", "versions", "list-type=2&prefix=.", "versions&prefix=.", "list-type=2&prefix=a//"]
        {
            let prefix = version.split_once("prefix=").map_or("", |(_, prefix)| prefix);
            let want: Vec<&str> = ODD_KEYS.into_iter().filter(|key| key.starts_with(prefix)).collect();
            let page = world.ask(&format!("GET /{bucket}?{version}")).await;
            claims.claim(page.text(), page.elements("Key"), want);
        }
        let groups = world.ask(&format!("GET /{bucket}?list-type=2&delimiter=/")).await;
        claims.claim(
            "roots",
            groups.elements("Key"),
            vec![".", "..", ".versions", "a", "k", "k.versions", "k.versions.versions"],
        );
        let prefixes =
            ["../", "./", ".uploads/", "/", "a/", "k.versions/"].map(|prefix| format!("<Prefix>{prefix}</Prefix>"));
        claims.claim("groups", groups.elements("CommonPrefixes"), prefixes.to_vec());
        for key in ODD_KEYS {
            claims.claim(key, world.ask(&format!("DELETE /{bucket}/{key}")).await.outcome(), "204 ");
            claims.claim(key, world.ask(&format!("GET /{bucket}/{key}")).await.outcome(), "404 NoSuchKey");
        }
        let left = world.ask(&format!("GET /{bucket}?list-type=2")).await;
        claims.claim("all are deleted", left.elements("Key"), Vec::<String>::new());
    }
    claims.end();
}
