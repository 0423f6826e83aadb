//! The examples of the S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".

use bytes::Bytes;
use http::request::Parts;
use sigv4::checksum::{ChecksumAlgorithm, Hasher};
use sigv4::{BodyCheck, ChunkedDecoder, PayloadHash, SigningIdentity};

use crate::tools::{AWS_AKID, AWS_SECRET, World, aws_time, head};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const DATE: (&str, &str) = ("x-amz-date", "20130524T000000Z");
const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");

fn signed(method: &str, target: &str, headers: &[(&str, &str)], names: &str, signature: &str) -> Parts {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={AWS_AKID}/20130524/us-east-1/s3/aws4_request,SignedHeaders={names},Signature={signature}"
    );
    let mut all = headers.to_vec();
    all.push(("authorization", &authorization));
    head(method, target, &all)
}

#[test]
fn header_examples_verify() {
    let hash = ("x-amz-content-sha256", EMPTY);
    let welcome = ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    let date = ("date", "Fri, 24 May 2013 00:00:00 GMT");
    let class = ("x-amz-storage-class", "REDUCED_REDUNDANCY");
    for (method, target, headers, names, signature) in [
        (
            "GET",
            "/test.txt",
            vec![HOST, ("range", "bytes=0-9"), hash, DATE],
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            vec![HOST, date, DATE, class, welcome],
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/?lifecycle",
            vec![HOST, DATE, hash],
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            vec![HOST, DATE, hash],
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let verified = World::aws().verify(&signed(method, target, &headers, names, signature));
        assert!(verified.is_ok(), "{method} {target}: {verified:?}");
    }
}

#[test]
fn only_the_signed_body_passes() {
    let names = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class";
    let headers = [
        HOST,
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        DATE,
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
    ];
    let signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    let verified = World::aws().verify(&signed("PUT", "/test$file.text", &headers, names, signature)).unwrap();
    for (body, good) in [("Welcome to Amazon S3.", true), ("Welcome to Amazon S4.", false), ("", false)] {
        let mut check = BodyCheck::new(verified.payload);
        body.as_bytes().chunks(5).for_each(|piece| check.update(piece));
        let result = check.finish();
        assert_eq!(result.is_ok(), good, "{body}");
        assert!(result.is_ok() || result.unwrap_err().code() == "XAmzContentSHA256Mismatch");
    }
}

#[test]
fn the_presigned_example_verifies_and_the_signer_makes_it() {
    let target = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let example = head("GET", target, &[HOST]);
    let verified = World::aws().verify(&example).unwrap();
    assert_eq!(verified.payload, PayloadHash::Unsigned);

    let (akid, secret) = (AWS_AKID.parse().unwrap(), ids::SecretAccessKey::new(AWS_SECRET));
    let who = SigningIdentity {
        access_key_id: &akid,
        secret: &secret,
        session_token: None,
        time: aws_time(),
        region: "us-east-1",
        service: "s3",
    };
    let mut mine = head("GET", "/test.txt", &[HOST]);
    sigv4::presign(&mut mine, PayloadHash::Absent, 86_400, &who).unwrap();
    assert_eq!(mine.uri, example.uri);
}

fn aws_body(lines: [&str; 3], trailer: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in [65_536, 1024, 0].into_iter().zip(lines) {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        if size > 0 {
            body.resize(body.len() + size, b'a');
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(trailer.as_bytes());
    body.extend_from_slice(b"\r\n");
    body
}

#[test]
fn the_chunked_examples_verify() {
    let common = [
        ("host", "s3.amazonaws.com"),
        DATE,
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("content-length", "66824"),
    ];
    let mut plain = common.to_vec();
    plain.push(("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"));
    let mut trailer = common.to_vec();
    trailer.push(("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"));
    trailer.push(("x-amz-trailer", "x-amz-checksum-crc32c"));
    for (headers, names, signature, lines, end) in [
        (
            plain,
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
            [
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ],
            "",
        ),
        (
            trailer,
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            [
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ],
            "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
        ),
    ] {
        let head = signed("PUT", "/examplebucket/chunkObject.txt", &headers, names, signature);
        let verified = World::aws().verify(&head).unwrap();
        let mut decoder = ChunkedDecoder::of(&head, verified.payload, verified.seed).unwrap().unwrap();
        let mut hasher = Hasher::new(ChecksumAlgorithm::Crc32C);
        let mut decoded = 0;
        for piece in aws_body(lines, end).chunks(10_000) {
            let mut out = |data: Bytes| {
                hasher.update(&data);
                decoded += data.len();
            };
            decoder.feed(Bytes::copy_from_slice(piece), &mut out).unwrap();
        }
        let trailers = decoder.finish().unwrap();
        assert_eq!(decoded, 66_560);
        assert_eq!(hasher.finish().to_base64(), "sOO8/Q==");
        if !end.is_empty() {
            assert_eq!(trailers.get("x-amz-checksum-crc32c"), Some("sOO8/Q=="));
        }
    }
}
