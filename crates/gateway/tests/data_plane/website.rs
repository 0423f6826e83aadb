//! Websites: objects are pages, read as an anonymous caller reads them.

use http::HeaderValue;
use http::header::HOST;

use crate::support::{Claims, Reply, World};

const RULES: &str = "<RoutingRules><RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect>\
    <ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule>\
    <RoutingRule><Condition><KeyPrefixEquals>moved/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404\
    </HttpErrorCodeReturnedEquals></Condition><Redirect><Protocol>https</Protocol><HostName>example.com</HostName></Redirect>\
    </RoutingRule></RoutingRules>";

fn website(more: &str) -> String {
    format!(
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>{more}</WebsiteConfiguration>"
    )
}

fn everyone_reads(more: &str) -> String {
    format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::plain"}},
        {{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::plain/*"}}{more}]}}"#
    )
}

/// A request at the website of a bucket.
async fn ask(world: &World, bucket: &str, line: &str, headers: &[(&str, &str)]) -> Reply {
    let mut head = world.head(line, headers);
    head.headers.insert(HOST, HeaderValue::from_str(&format!("{bucket}.website.test")).unwrap());
    world.deliver(head, "".into()).await
}

/// Status, and the address to which the answer redirects or else the beginning of its body.
fn seen(reply: &Reply) -> String {
    let to = reply.header("location");
    let shown = if to.is_empty() { reply.text().chars().take(40).collect() } else { to.to_owned() };
    format!("{} {shown}", reply.status.as_u16())
}

/// A bucket with pages.
async fn site() -> World {
    let world = World::with_users().await;
    let errors = "<ErrorDocument><Key>error.html</Key></ErrorDocument>";
    let with_rules = website(&format!("{errors}{RULES}"));
    world
        .check(&[
            ("admin", "PUT /plain/index.html", &[], "home", "200 "),
            ("admin", "PUT /plain/error.html", &[], "own error page", "200 "),
            ("admin", "PUT /plain/docs/index.html", &[], "docs", "200 "),
            ("admin", "PUT /plain/k", &[("content-type", "text/html")], "page", "200 "),
            ("admin", "PUT /plain/away", &[("x-amz-website-redirect-location", "https://example.com/x")], "", "200 "),
            ("admin", "PUT /plain/metrics", &[], "a page called metrics", "200 "),
            ("reader", "PUT /plain?website", &[], &with_rules, "403 AccessDenied"),
            ("", "PUT /plain?website", &[], &with_rules, "403 AccessDenied"),
            ("writer", "GET /plain?website", &[], "", "403 AccessDenied"),
            ("admin", "GET /plain?website", &[], "", "404 NoSuchWebsiteConfiguration"),
            ("admin", "PUT /nowhere?website", &[], &with_rules, "404 NoSuchBucket"),
            ("admin", "PUT /plain?website", &[], &with_rules, "200 "),
            ("admin", "PUT /plain?policy", &[], &everyone_reads(""), "204 "),
        ])
        .await;
    world
}

#[tokio::test]
async fn pages() {
    let world = site().await;
    let mut claims = Claims::default();
    for (line, headers, want) in [
        ("GET /", &[][..], "200 home"),
        ("HEAD /", &[], "200 "),
        ("GET /k", &[], "200 page"),
        // What only the API knows is not looked at.
        ("GET /k?acl", &[], "200 page"),
        ("GET /k?versionId=none&response-content-type=x", &[], "200 page"),
        ("GET /k", &[("authorization", "AWS4-HMAC-SHA256 nonsense")], "200 page"),
        ("GET /k", &[("range", "bytes=1-2")], "206 ag"),
        ("GET /docs/", &[], "200 docs"),
        ("GET /docs", &[], "302 http://plain.website.test/docs/"),
        ("GET /metrics", &[], "200 a page called metrics"),
        ("GET /away", &[], "301 https://example.com/x"),
        ("GET /old/a%20b", &[], "302 http://plain.website.test/new/a%20b"),
        ("GET /moved/a", &[], "301 https://example.com/moved/a"),
        ("GET /absent", &[("range", "bytes=1-2")], "404 own error page"),
        ("HEAD /absent", &[], "404 "),
        ("GET /%zz", &[], "400 <html><head><title>400 Bad Request</titl"),
        ("PUT /k", &[], "405 <html><head><title>405 Method Not Allowe"),
        ("DELETE /k", &[], "405 <html><head><title>405 Method Not Allowe"),
        ("POST /?delete", &[], "405 <html><head><title>405 Method Not Allowe"),
    ] {
        let reply = ask(&world, "plain", line, headers).await;
        claims.claim(line, &*seen(&reply), want);
    }
    let reply = ask(&world, "plain", "GET /k", &[]).await;
    claims.claim("its type", reply.header("content-type"), "text/html");
    for line in ["GET /k", "GET /"] {
        let etag = ask(&world, "plain", line, &[]).await.header("etag").to_owned();
        let reply = ask(&world, "plain", line, &[("if-none-match", &etag)]).await;
        claims.claim(line, reply.status.as_u16(), 304);
    }
    let reply = world.ask_admin("HEAD /plain/away").await;
    claims.claim("in the API", reply.header("x-amz-website-redirect-location"), "https://example.com/x");
    claims.end();
}

/// A page needs what an anonymous GetObject of it needs, its index and error documents too.
#[tokio::test]
async fn pages_are_decided_like_objects() {
    let world = site().await;
    let not = |what: &str| {
        format!(
            r#",{{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::plain/{what}"}}"#
        )
    };
    for (policy, line, headers, want) in [
        (everyone_reads(&not("k")), "GET /k", &[][..], "403 own error page"),
        (everyone_reads(&not("docs/*")), "GET /docs", &[], "404 own error page"),
        (everyone_reads(&not("*")), "GET /", &[], "403 <html><head><title>403 Forbidden</title>"),
        (everyone_reads(&not("error.html")), "GET /absent", &[], "404 <html><head><title>404 Not Found</title>"),
        // Conditions see the request of the page.
        (
            everyone_reads("").replace(
                r#""Action":"s3:GetObject""#,
                r#""Condition":{"StringLike":{"aws:Referer":"http://a/*"}},"Action":"s3:GetObject""#,
            ),
            "GET /k",
            &[("referer", "http://a/b")],
            "200 page",
        ),
        (
            everyone_reads("").replace(
                r#""Action":"s3:GetObject""#,
                r#""Condition":{"StringLike":{"aws:Referer":"http://a/*"}},"Action":"s3:GetObject""#,
            ),
            "GET /k",
            &[],
            "403 <html><head><title>403 Forbidden</title>",
        ),
    ] {
        world.check(&[("admin", "PUT /plain?policy", &[], &policy, "204 ")]).await;
        assert_eq!(seen(&ask(&world, "plain", line, headers).await), want, "{line} {policy}");
    }
    let payer = "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";
    world
        .check(&[
            ("admin", "PUT /plain?policy", &[], &everyone_reads(""), "204 "),
            ("admin", "PUT /plain?requestPayment", &[], payer, "200 "),
        ])
        .await;
    let paid = ask(&world, "plain", "GET /k", &[("x-amz-request-payer", "requester")]).await;
    assert_eq!(paid.status, 403, "{}", paid.text());
}

/// Buckets without a website and names without a bucket look the same, and an address cannot become markup.
#[tokio::test]
async fn without_a_website() {
    let world = site().await;
    let text = async |bucket: &str| {
        let reply = ask(&world, bucket, "GET /%3Cscript%3E", &[]).await;
        let id = reply.header("x-amz-request-id").to_owned();
        (reply.status.as_u16(), reply.text().replace(&id, "ID").replace(bucket, "B"))
    };
    let (bare, none) = (text("shared").await, text("nowhere").await);
    assert_eq!(bare, none);
    assert!(bare.0 == 404 && bare.1.contains("Key: &lt;script&gt;"), "{bare:?}");
    world
        .check(&[
            ("reader", "DELETE /plain?website", &[], "", "403 AccessDenied"),
            ("admin", "DELETE /plain?website", &[], "", "204 "),
            ("admin", "DELETE /plain?website", &[], "", "204 "),
        ])
        .await;
    assert_eq!(ask(&world, "plain", "GET /k", &[]).await.status, 404);
    let all = "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>example.com</HostName></RedirectAllRequestsTo>\
               </WebsiteConfiguration>";
    world.check(&[("admin", "PUT /plain?website", &[], all, "200 ")]).await;
    assert_eq!(seen(&ask(&world, "plain", "GET /a%20b", &[]).await), "301 http://example.com/a%20b");
}
