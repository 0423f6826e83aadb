//! Answers that begin before they are known.

use std::sync::Arc;
use std::time::Duration;

use filer::fault::{Call, Fault, FaultyFiler};
use filer::{EmbeddedFiler, FilerError};
use http_body_util::BodyExt;

use sigv4::PayloadHash;

use crate::support::{World, signer};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The request, the error that the filer answers in the end, and the root of the document.
const ROWS: [(&str, &str, Option<FilerError>, &str); 6] = [
    ("PUT /plain/copy", "", None, "CopyObjectResult"),
    ("PUT /plain/copy", "", Some(FilerError::NotAgreed), "Error"),
    ("PUT /plain/multipart?partNumber=1&uploadId=ID", "", None, "CopyPartResult"),
    ("PUT /plain/multipart?partNumber=1&uploadId=ID", "", Some(FilerError::NotAgreed), "Error"),
    ("POST /plain/multipart?uploadId=ID", "PARTS", Some(FilerError::NotAgreed), "Error"),
    ("POST /plain/multipart?uploadId=ID", "PARTS", None, "CompleteMultipartUploadResult"),
];

#[tokio::test]
async fn the_head_comes_first_and_failures_in_the_body() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::over(filer.clone()).await;
    world.put("/plain/source", "hello").await;
    let upload = world.ask_admin("POST /plain/multipart?uploads").await.element("UploadId");
    let part = format!("PUT /plain/multipart?partNumber=1&uploadId={upload}");
    let part = world.send_as("admin", &part, &[], "hello").await;
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>", part.header("etag"));
    let parts = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    for (line, body, failure, root) in ROWS {
        let line = line.replace("ID", &upload);
        let copies: &[(&str, &str)] = if body.is_empty() { &[("x-amz-copy-source", "/plain/source")] } else { &[] };
        filer.set(Call::Transact, Fault::Hang);
        let head = signer("admin").sign(world.head(&line, copies), PayloadHash::Unsigned);
        let answer = world.begin(head, body.replace("PARTS", &parts).into()).await;
        // The filer hangs, and still there is an answer.
        assert_eq!(answer.status().as_u16(), 200, "{line}");
        assert_eq!(answer.headers()["content-type"], "application/xml", "{line}");
        assert_eq!(answer.headers()["x-amz-request-id"].len(), 16, "{line}");
        match failure {
            Some(error) => filer.set(Call::Transact, Fault::Fail(error)),
            None => filer.clear(),
        }
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&text).unwrap().strip_prefix(DECLARATION).unwrap().trim_start();
        assert!(text.starts_with(&format!("<{root}")) && text.ends_with(&format!("</{root}>")), "{line}: {text}");
        filer.clear();
    }
    assert_eq!(world.ask("GET /plain/multipart").await.text(), "hello");
}

/// Whatever is decided before the work begins has its own status.
#[tokio::test]
async fn refusals_keep_their_status() {
    let world = World::with_users().await;
    let source = ("x-amz-copy-source", "/plain/none");
    world
        .check(&[
            ("admin", "PUT /plain/copy", &[source], "", "404 NoSuchKey"),
            ("reader", "PUT /plain/copy", &[source], "", "403 AccessDenied"),
            ("admin", "POST /plain/k?uploadId=none", &[], "<CompleteMultipartUpload/>", "400 MalformedXML"),
        ])
        .await;
}

/// So does what the filer answers slowly, before the long part of the work.
#[tokio::test]
async fn slow_refusals_keep_their_status() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::over(filer.clone()).await;
    world.put("/plain/source", "hello").await;
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{:032x}</ETag></Part>", 1);
    let parts = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    filer.set(Call::Lookup, Fault::Delay(Duration::from_millis(1200)));
    for (line, source, body, want) in [
        ("POST /plain/k?uploadId=none", "", parts.as_str(), "404 NoSuchUpload"),
        ("PUT /plain/k?partNumber=1&uploadId=none", "/plain/source", "", "404 NoSuchUpload"),
        ("PUT /plain/copy", "/plain/none", "", "404 NoSuchKey"),
    ] {
        let copies = [("x-amz-copy-source", source)];
        let headers = if source.is_empty() { &[][..] } else { &copies };
        assert_eq!(world.send(line, headers, body.to_owned()).await.outcome(), want, "{line}");
    }
}
