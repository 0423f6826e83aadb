use bytes::Bytes;
use http::HeaderName;
use sigv4::{ChunkMode, ChunkSeed, ChunkSigner, ChunkedDecoder, PayloadHash, SigError, SigningIdentity, Trailers};

use crate::tools::{AWS_AKID, AWS_SECRET, aws_time, code, head};

const CRC: &str = "x-amz-checksum-crc32";

fn seed() -> ChunkSeed {
    let (akid, secret) = (AWS_AKID.parse().unwrap(), ids::SecretAccessKey::new(AWS_SECRET));
    let who = SigningIdentity {
        access_key_id: &akid,
        secret: &secret,
        session_token: None,
        time: aws_time(),
        region: "us-east-1",
        service: "s3",
    };
    sigv4::sign_header(&mut head("PUT", "/b/k", &[("host", "a")]), PayloadHash::StreamingSigned, &who).unwrap().seed
}

type Lines = &'static [(&'static str, &'static str)];

fn modes() -> [(&'static str, ChunkMode, Lines); 4] {
    [
        ("signed", ChunkMode::Signed(seed()), &[]),
        ("signed trailer", ChunkMode::SignedTrailer(seed()), &[(CRC, "AAAAAA==")]),
        ("unsigned trailer", ChunkMode::UnsignedTrailer, &[(CRC, "AAAAAA==")]),
        ("unsigned, none announced", ChunkMode::UnsignedTrailer, &[]),
    ]
}

fn names(trailers: &[(&str, &str)]) -> Vec<HeaderName> {
    trailers.iter().map(|(name, _)| name.parse().unwrap()).collect()
}

fn body(mode: &ChunkMode, trailers: &[(&str, &str)]) -> Vec<u8> {
    let mut signer = ChunkSigner::new(mode.clone());
    let mut out = signer.chunk(b"hello ");
    out.extend(signer.chunk(b"wor\r\nld"));
    out.extend(signer.chunk(b"!"));
    out.extend(signer.end(trailers));
    out
}

fn decode(
    mode: ChunkMode,
    expected: &[HeaderName],
    length: Option<u64>,
    pieces: &[&[u8]],
) -> Result<(Vec<u8>, Trailers), SigError> {
    let mut decoder = ChunkedDecoder::new(mode, expected, length);
    let mut data = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut |piece: Bytes| data.extend_from_slice(&piece))?;
    }
    Ok((data, decoder.finish()?))
}

#[test]
fn any_split_of_the_body_gives_the_same_data() {
    for (name, mode, trailers) in modes() {
        let body = body(&mode, trailers);
        let expected = names(trailers);
        let single: Vec<&[u8]> = body.chunks(1).collect();
        let mut splits: Vec<Vec<&[u8]>> = vec![vec![&body], single];
        for first in 0..=body.len() {
            let (start, rest) = body.split_at(first);
            splits.push(vec![start, rest]);
            for second in (0..=rest.len()).step_by(5) {
                let (middle, end) = rest.split_at(second);
                splits.push(vec![start, middle, end]);
            }
        }
        for pieces in splits {
            let lengths: Vec<_> = pieces.iter().map(|piece| piece.len()).collect();
            let (data, found) = decode(mode.clone(), &expected, Some(14), &pieces)
                .unwrap_or_else(|e| panic!("{name} {lengths:?}: {e}"));
            assert_eq!(data, b"hello wor\r\nld!", "{name} {lengths:?}");
            assert_eq!(found.iter().collect::<Vec<_>>(), trailers, "{name} {lengths:?}");
        }
    }
}

#[test]
fn a_body_cut_short_or_continued_is_refused() {
    for (name, mode, trailers) in modes() {
        let mut body = body(&mode, trailers);
        for length in 0..body.len() {
            let result = decode(mode.clone(), &names(trailers), Some(14), &[&body[..length]]);
            assert!(result.is_err(), "{name} cut at {length}");
        }
        body.push(b'x');
        assert_eq!(code(decode(mode, &names(trailers), Some(14), &[&body])), "IncompleteBody", "{name}");
    }
}

#[test]
fn no_byte_of_a_signed_body_can_be_changed() {
    for (name, mode, trailers) in modes().into_iter().take(2) {
        let body = body(&mode, trailers);
        for position in 0..body.len() {
            for other in [body[position] ^ 1, b'0', b'\n'] {
                let mut changed = body.clone();
                changed[position] = other;
                // Changes that make no difference to the framing: hexadecimal digits in the other case.
                if changed.eq_ignore_ascii_case(&body) && body[position] != b'h' {
                    continue;
                }
                let result = decode(mode.clone(), &names(trailers), Some(14), &[&changed]);
                assert!(result.is_err(), "{name}: byte {position} became {other:#x}");
            }
        }
    }
}

#[test]
fn forged_and_misframed_bodies() {
    let (signed, trailer, plain) =
        (ChunkMode::Signed(seed()), ChunkMode::SignedTrailer(seed()), ChunkMode::UnsignedTrailer);
    let crc = [(CRC, "AAAAAA==")];
    let own = |mode: &ChunkMode, trailers: &[(&str, &str)]| String::from_utf8(body(mode, trailers)).unwrap();
    let long = "0".repeat(4097);
    let swapped = {
        let mut signer = ChunkSigner::new(signed.clone());
        let (first, second) = (signer.chunk(b"aaaaaaa"), signer.chunk(b"bbbbbbb"));
        String::from_utf8([second, first, signer.end(&[])].concat()).unwrap()
    };
    let other_seed = ChunkMode::Signed(seed_of_other_request());
    for (what, mode, expected, text, want) in [
        ("accepted by SeaweedFS: no chunk signatures", &signed, &[][..], own(&plain, &[]), "SignatureDoesNotMatch"),
        (
            "accepted by SeaweedFS: no signatures at all, with a trailer",
            &trailer,
            &crc,
            own(&plain, &crc),
            "SignatureDoesNotMatch",
        ),
        (
            "accepted by SeaweedFS: no trailer signature",
            &trailer,
            &crc,
            unsigned_trailer(&trailer),
            "SignatureDoesNotMatch",
        ),
        (
            "a forged trailer",
            &trailer,
            &crc,
            own(&trailer, &crc).replace("AAAAAA==", "AAAAAQ=="),
            "SignatureDoesNotMatch",
        ),
        ("chunks in another order", &signed, &[], swapped, "SignatureDoesNotMatch"),
        ("chunks of another request", &signed, &[], own(&other_seed, &[]), "SignatureDoesNotMatch"),
        ("a trailer that was not announced", &plain, &[], own(&plain, &crc), "MalformedTrailerError"),
        ("an announced trailer that is missing", &plain, &crc, own(&plain, &[]), "MalformedTrailerError"),
        ("a trailer twice", &plain, &crc, own(&plain, &[crc[0], crc[0]]), "MalformedTrailerError"),
        (
            "a trailer in a form without trailers",
            &signed,
            &[],
            own(&signed, &[]).replace("\r\n\r\n", "\r\na:b\r\n\r\n"),
            "MalformedTrailerError",
        ),
        ("a trailer without a colon", &plain, &crc, "0\r\nx\r\n\r\n".into(), "MalformedTrailerError"),
        ("a signature in an unsigned body", &plain, &[], own(&signed, &[]), "IncompleteBody"),
        ("no size", &plain, &[], "\r\n\r\n".into(), "IncompleteBody"),
        ("a size that is not a number", &plain, &[], "xyz\r\n".into(), "IncompleteBody"),
        ("a negative size", &plain, &[], "-1\r\n".into(), "IncompleteBody"),
        ("a size with a sign", &plain, &[], "+1\r\na\r\n0\r\n\r\n".into(), "IncompleteBody"),
        ("a size beyond 64 bits", &plain, &[], "10000000000000001\r\n".into(), "IncompleteBody"),
        ("a size of 64 bits", &plain, &[], "ffffffffffffffff\r\n".into(), "IncompleteBody"),
        ("a line without an end", &plain, &[], long, "IncompleteBody"),
        ("more data than the header says", &plain, &[], "1\r\nab\r\n0\r\n\r\n".into(), "IncompleteBody"),
        ("another chunk extension", &signed, &[], "1;x=y\r\n".into(), "IncompleteBody"),
        ("a short signature", &signed, &[], "1;chunk-signature=00\r\n".into(), "SignatureDoesNotMatch"),
    ] {
        assert_eq!(code(decode(mode.clone(), &names(expected), None, &[text.as_bytes()])), want, "{what}");
    }
}

fn seed_of_other_request() -> ChunkSeed {
    let (akid, secret) = (AWS_AKID.parse().unwrap(), ids::SecretAccessKey::new(AWS_SECRET));
    let who = SigningIdentity {
        access_key_id: &akid,
        secret: &secret,
        session_token: None,
        time: aws_time(),
        region: "us-east-1",
        service: "s3",
    };
    sigv4::sign_header(&mut head("PUT", "/b/other", &[("host", "a")]), PayloadHash::StreamingSigned, &who).unwrap().seed
}

/// A body whose chunks are signed but whose trailer is not.
fn unsigned_trailer(mode: &ChunkMode) -> String {
    let text = String::from_utf8(body(mode, &[(CRC, "AAAAAA==")])).unwrap();
    let signature = text.find("x-amz-trailer-signature").unwrap();
    format!("{}\r\n", &text[..signature])
}

#[test]
fn the_decoded_length_is_enforced() {
    let body = body(&ChunkMode::UnsignedTrailer, &[]);
    for (length, want) in [(None, "OK"), (Some(14), "OK"), (Some(13), "IncompleteBody"), (Some(15), "IncompleteBody")] {
        assert_eq!(code(decode(ChunkMode::UnsignedTrailer, &[], length, &[&body])), want, "{length:?}");
    }
}

#[test]
fn the_decoder_of_a_request_follows_its_headers() {
    let length = ("x-amz-decoded-content-length", "14");
    for (headers, payload, with_seed, want) in [
        (vec![length], PayloadHash::StreamingUnsignedTrailer, false, "OK"),
        (vec![length], PayloadHash::StreamingSigned, true, "OK"),
        (vec![length], PayloadHash::StreamingSigned, false, "SignatureDoesNotMatch"),
        (vec![length], PayloadHash::StreamingSignedTrailer, false, "SignatureDoesNotMatch"),
        (vec![], PayloadHash::StreamingUnsignedTrailer, false, "MissingContentLength"),
        (
            vec![("x-amz-decoded-content-length", "-1")],
            PayloadHash::StreamingUnsignedTrailer,
            false,
            "MissingContentLength",
        ),
        (
            vec![("x-amz-decoded-content-length", "+1")],
            PayloadHash::StreamingUnsignedTrailer,
            false,
            "MissingContentLength",
        ),
        (
            vec![length, ("x-amz-trailer", "x-amz-checksum-crc32, x-amz-checksum-crc32")],
            PayloadHash::StreamingUnsignedTrailer,
            false,
            "MalformedTrailerError",
        ),
        (vec![length, ("x-amz-trailer", "a b")], PayloadHash::StreamingUnsignedTrailer, false, "MalformedTrailerError"),
        (vec![], PayloadHash::Unsigned, false, "OK"),
    ] {
        let head = head("PUT", "/b/k", &headers);
        let decoder = ChunkedDecoder::of(&head, payload, with_seed.then(seed));
        if let Ok(decoder) = &decoder {
            assert_eq!(decoder.is_some(), payload.is_streaming());
        }
        assert_eq!(code(decoder), want, "{headers:?} {payload:?}");
    }
}
