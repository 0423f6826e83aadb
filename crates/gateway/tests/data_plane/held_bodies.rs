//! A permission is taken away while a body is on its way. Once that is acknowledged, the request is refused.

use std::time::Duration;

use http::request::Parts;
use sigv4::PayloadHash;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Claims, World, signer};

/// Closes the bucket, except for the requests that close and open it.
const CLOSED: &str = r#"{"Statement":[{"Effect":"Deny","Principal":"*","NotAction":["s3:PutBucketPolicy","s3:DeleteBucketPolicy"],
    "Resource":["arn:aws:s3:::plain","arn:aws:s3:::plain/*"]}]}"#;

/// A head as it is on the wire.
fn bytes_of(head: &Parts, body_bytes: usize) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", head.method, head.uri);
    for (name, value) in &head.headers {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    (text + &format!("content-length: {body_bytes}\r\n\r\n")).into_bytes()
}

/// A request of `admin` whose last byte has not been sent.
struct Held {
    connection: TcpStream,
    last: u8,
}

impl Held {
    async fn begin(world: &World, line: &str, headers: &[(&str, &str)], body: &str) -> Held {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
        let payload = PayloadHash::Sha256(hash.as_ref().try_into().unwrap());
        let head = signer("admin").sign(world.head(line, headers), payload);
        Held::begin_unsigned(world, &head, body).await
    }

    async fn begin_unsigned(world: &World, head: &Parts, body: &str) -> Held {
        let mut connection = TcpStream::connect(&world.address).await.unwrap();
        let (last, rest) = body.as_bytes().split_last().unwrap();
        connection.write_all(&[&bytes_of(head, body.len()), rest].concat()).await.unwrap();
        Held { connection, last: *last }
    }

    /// Sends the last byte. Returns the status and the code of the error.
    async fn end(mut self) -> String {
        self.connection.write_all(&[self.last]).await.unwrap();
        let mut answer = vec![0; 64 << 10];
        let read = self.connection.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        let code = answer.split_once("<Code>").map_or("", |(_, rest)| rest.split('<').next().unwrap_or_default());
        format!("{} {code}", answer.split(' ').nth(1).unwrap_or_default())
    }
}

const DOCUMENTS: [(&str, &str); 13] = [
    (
        "PUT /plain?acl",
        "<AccessControlPolicy><Owner><ID>alice</ID></Owner><AccessControlList></AccessControlList></AccessControlPolicy>",
    ),
    (
        "PUT /plain?cors",
        "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
    ),
    (
        "PUT /plain?website",
        "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>",
    ),
    (
        "PUT /plain?requestPayment",
        "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
    ),
    (
        "PUT /plain?ownershipControls",
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
    ),
    (
        "PUT /plain?publicAccessBlock",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
    ),
    ("PUT /plain?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    ("PUT /plain?tagging", "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"),
    ("PUT /plain/k?tagging", "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"),
    (
        "PUT /plain/k?acl",
        "<AccessControlPolicy><Owner><ID>alice</ID></Owner><AccessControlList></AccessControlList></AccessControlPolicy>",
    ),
    (
        "POST /plain/k?uploadId=00",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    ),
    ("PUT /plain/new", "an object"),
    ("PUT /plain/marker/", "the content of a marker"),
];

#[tokio::test]
async fn what_is_closed_meanwhile_is_refused() {
    let world = World::with_users().await;
    assert_eq!(world.send_as("admin", "PUT /plain/k", &[], "x").await.outcome(), "200 ");
    let mut claims = Claims::default();
    let held = futures_util::future::join_all(DOCUMENTS.map(|(line, body)| Held::begin(&world, line, &[], body))).await;
    let deletion = "<Delete><Object><Key>k</Key></Object></Delete>";
    let deletes = Held::begin(&world, "POST /plain?delete", &[], deletion).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.send_as("admin", "PUT /plain?policy", &[], CLOSED).await.outcome(), "204 ");
    for (held, (line, _)) in held.into_iter().zip(DOCUMENTS) {
        claims.claim(line, held.end().await, "403 AccessDenied".to_owned());
    }
    claims.claim("each key", deletes.end().await, "200 AccessDenied".to_owned());
    assert_eq!(world.ask_admin("DELETE /plain?policy").await.outcome(), "204 ");
    claims.claim("nothing was deleted", world.ask_admin("GET /plain/k").await.outcome(), "200 ");
    claims.claim("nothing was stored", world.ask_admin("GET /plain/new").await.outcome(), "404 NoSuchKey");
    claims.claim("no rules", world.ask_admin("GET /plain?cors").await.outcome(), "404 NoSuchCORSConfiguration");
    claims.end();
}

#[tokio::test]
async fn what_stays_open_is_done() {
    let world = World::with_users().await;
    let (line, body) = DOCUMENTS[1];
    let held = Held::begin(&world, line, &[], body).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let other = CLOSED.replace(":plain", ":other");
    assert_eq!(world.send_as("admin", "PUT /other?policy", &[], other).await.outcome(), "204 ");
    assert_eq!(held.end().await, "200 ");
}
