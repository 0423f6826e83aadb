//! The bodies that are read before a decision: one byte for the operation, then the XML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s3::Routing;

const OPERATIONS: [(&str, &str); 6] = [
    ("PUT", "/bkt"),
    ("POST", "/bkt?delete"),
    ("PUT", "/bkt?tagging"),
    ("PUT", "/bkt/k?tagging"),
    ("PUT", "/bkt/k?retention"),
    ("PUT", "/bkt/k?legal-hold"),
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let Some((method, target)) = OPERATIONS.get(usize::from(*choice) % OPERATIONS.len()) else { return };
    let Ok(request) = http::Request::builder().method(*method).uri(*target).body(()) else { return };
    let Ok(Routing::S3(routed)) = s3::route(&request.into_parts().0, None) else { return };
    assert!(routed.body_limit().is_some(), "{} reads no body", routed.name());
    let (mut once, mut twice) = (routed.clone(), routed.clone());
    let (first, second) = (once.read_body(body), twice.read_body(body));
    assert_eq!((&first, &once), (&second, &twice), "the same body gives the same operation");
    if first.is_ok() {
        assert_eq!(
            (once.bucket(), once.key()),
            (routed.bucket(), routed.key()),
            "no body says where it is carried out"
        );
    }
});
