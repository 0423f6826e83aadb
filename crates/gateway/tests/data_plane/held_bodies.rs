//! A permission is taken away while a body is on its way. Once that is acknowledged, the request is refused.

use crate::support::{Claims, HeldBack, World};

/// Closes the bucket, except for the requests that close and open it.
const CLOSED: &str = r#"{"Statement":[{"Effect":"Deny","Principal":"*","NotAction":["s3:PutBucketPolicy","s3:DeleteBucketPolicy"],
    "Resource":["arn:aws:s3:::plain","arn:aws:s3:::plain/*"]}]}"#;

/// Sends the body that was held back. Returns the status and the code of the error.
async fn end(held: HeldBack, body: &str) -> String {
    let answer = held.go_on(body.as_bytes()).await;
    let code = answer.split_once("<Code>").map_or("", |(_, rest)| rest.split('<').next().unwrap_or_default());
    format!("{} {code}", answer.split(' ').nth(1).unwrap_or_default())
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
    let held =
        futures_util::future::join_all(DOCUMENTS.map(|(line, body)| HeldBack::begin(&world, line, body.len()))).await;
    let deletion = "<Delete><Object><Key>k</Key></Object></Delete>";
    let deletes = HeldBack::begin(&world, "POST /plain?delete", deletion.len()).await;
    assert_eq!(world.send_as("admin", "PUT /plain?policy", &[], CLOSED).await.outcome(), "204 ");
    for (held, (line, body)) in held.into_iter().zip(DOCUMENTS) {
        claims.claim(line, end(held, body).await, "403 AccessDenied".to_owned());
    }
    claims.claim("each key", end(deletes, deletion).await, "200 AccessDenied".to_owned());
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
    let held = HeldBack::begin(&world, line, body.len()).await;
    let other = CLOSED.replace(":plain", ":other");
    assert_eq!(world.send_as("admin", "PUT /other?policy", &[], other).await.outcome(), "204 ");
    assert_eq!(end(held, body).await, "200 ");
}
