use sigv4::checksum::{Checksum, ChecksumAlgorithm, ChecksumType, Hasher, MultipartChecksum};

use crate::tools::code;

fn hash(algorithm: ChecksumAlgorithm, data: &[u8]) -> Checksum {
    let mut hasher = Hasher::new(algorithm);
    data.chunks(3).for_each(|piece| hasher.update(piece));
    hasher.finish()
}

/// The check values of the CRC catalogue (`123456789`), and FIPS 180's `abc`.
#[test]
fn published_values() {
    for (algorithm, data, hex_digest) in [
        (ChecksumAlgorithm::Crc32, "123456789", "cbf43926"),
        (ChecksumAlgorithm::Crc32C, "123456789", "e3069283"),
        (ChecksumAlgorithm::Crc64Nvme, "123456789", "ae8b14860a799888"),
        (ChecksumAlgorithm::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (ChecksumAlgorithm::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            ChecksumAlgorithm::Sha512,
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (ChecksumAlgorithm::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
        (ChecksumAlgorithm::XxHash64, "abc", "44bc2cf5ad770999"),
        (ChecksumAlgorithm::XxHash64, "", "ef46db3751d8e999"),
        (ChecksumAlgorithm::XxHash3, "abc", "78af5f94892f3950"),
        (ChecksumAlgorithm::XxHash3, "", "2d06800538d394c2"),
        (ChecksumAlgorithm::XxHash128, "abc", "06b05ab6733a618578af5f94892f3950"),
        (ChecksumAlgorithm::XxHash128, "", "99aa06d3014798d86001c324468d497f"),
    ] {
        let checksum = hash(algorithm, data.as_bytes());
        assert_eq!(hex::encode(checksum.digest()), hex_digest, "{algorithm}");
        assert_eq!(Checksum::parse(algorithm, &checksum.to_base64()), Ok(checksum.clone()));
        assert_eq!(ChecksumAlgorithm::from_header(algorithm.header()), Some(algorithm));
        assert_eq!(ChecksumAlgorithm::from_name(&algorithm.as_str().to_lowercase()), Some(algorithm));
        assert_eq!(code(checksum.check(&hash(algorithm, b"other"))), "BadDigest");
        assert_eq!(code(checksum.check(&checksum)), "OK");
    }
}

#[test]
fn malformed_checksums_are_refused() {
    for (algorithm, text) in [
        (ChecksumAlgorithm::Crc32, ""),
        (ChecksumAlgorithm::Crc32, "AAAA"),
        (ChecksumAlgorithm::Crc32, "AAAAAAA="),
        (ChecksumAlgorithm::Crc32, "****"),
        (ChecksumAlgorithm::Sha256, "AAAAAA=="),
    ] {
        assert_eq!(code(Checksum::parse(algorithm, text)), "InvalidRequest", "{algorithm} {text}");
    }
    assert_eq!(ChecksumAlgorithm::from_name("SHA224"), None);
}

#[test]
fn the_checksum_of_a_multipart_object() {
    let parts: [&[u8]; 4] = [b"first part, ", b"", b"second", b" and third"];
    let whole = parts.concat();
    for algorithm in ChecksumAlgorithm::ALL {
        let each: Vec<_> = parts.iter().map(|part| (hash(algorithm, part), part.len() as u64)).collect();
        let full = MultipartChecksum::combine(algorithm, ChecksumType::FullObject, &each);
        let composite = MultipartChecksum::combine(algorithm, ChecksumType::Composite, &each);
        match algorithm {
            other if !other.supports(ChecksumType::FullObject) => assert_eq!(code(full), "InvalidRequest"),
            _ => assert_eq!(full.unwrap().to_string(), hash(algorithm, &whole).to_base64(), "{algorithm}"),
        }
        match algorithm {
            ChecksumAlgorithm::Crc64Nvme => assert_eq!(code(composite), "InvalidRequest"),
            _ => {
                let digests: Vec<u8> = each.iter().flat_map(|(part, _)| part.digest().to_vec()).collect();
                assert_eq!(composite.unwrap().to_string(), format!("{}-4", hash(algorithm, &digests)), "{algorithm}");
            }
        }
        assert!(algorithm.supports(algorithm.default_type()));
    }
    let mixed = [(hash(ChecksumAlgorithm::Crc32, b"a"), 1), (hash(ChecksumAlgorithm::Crc32C, b"b"), 1)];
    let combined = MultipartChecksum::combine(ChecksumAlgorithm::Crc32, ChecksumType::FullObject, &mixed);
    assert_eq!(code(combined), "InvalidRequest");
}
