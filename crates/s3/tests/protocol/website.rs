//! Static websites: the document, and addresses.

use http::StatusCode;
use s3::website::{Pages, WebsiteConfiguration, check_redirect_location, error_page};
use s3::{S3Error, S3ErrorCode};

use crate::support::{body, root};

const INDEX: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";

fn read(content: &str) -> Result<WebsiteConfiguration, S3Error> {
    WebsiteConfiguration::from_xml(root("WebsiteConfiguration", content).as_bytes())
}

fn pages(rules: &str) -> Pages {
    match read(&format!("{INDEX}<RoutingRules>{rules}</RoutingRules>")) {
        Ok(WebsiteConfiguration::Pages(pages)) => pages,
        other => panic!("{other:?}"),
    }
}

#[test]
fn documents_come_back_whole() {
    let rule = "<RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404\
                </HttpErrorCodeReturnedEquals></Condition><Redirect><Protocol>https</Protocol><HostName>example.com:8443\
                </HostName><ReplaceKeyPrefixWith>#!/</ReplaceKeyPrefixWith><HttpRedirectCode>302</HttpRedirectCode>\
                </Redirect></RoutingRule>";
    let always = "<RoutingRule><Redirect><ReplaceKeyWith>gone.html</ReplaceKeyWith></Redirect></RoutingRule>";
    for content in [
        INDEX.to_owned(),
        format!("{INDEX}<ErrorDocument><Key>errors/4 &amp; 5.html</Key></ErrorDocument>"),
        format!("{INDEX}<RoutingRules>{rule}{always}</RoutingRules>"),
        "<RedirectAllRequestsTo><HostName>example.com</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>"
            .into(),
        "<RedirectAllRequestsTo><HostName>example.com</HostName></RedirectAllRequestsTo>".into(),
    ] {
        let document = read(&content).unwrap().to_xml();
        assert_eq!(body(&document), root("WebsiteConfiguration", &content));
        assert_eq!(WebsiteConfiguration::from_xml(document.as_bytes()).unwrap().to_xml(), document);
    }
}

#[test]
fn documents_that_are_refused() {
    use S3ErrorCode::{InvalidArgument, InvalidRequest, MalformedXML};
    let redirect = |inside: &str| {
        format!("{INDEX}<RoutingRules><RoutingRule><Redirect>{inside}</Redirect></RoutingRule></RoutingRules>")
    };
    let condition = |inside: &str| {
        format!(
            "{INDEX}<RoutingRules><RoutingRule><Condition>{inside}</Condition><Redirect><HostName>a</HostName></Redirect>\
             </RoutingRule></RoutingRules>"
        )
    };
    let one = "<RoutingRule><Redirect><HostName>a</HostName></Redirect></RoutingRule>";
    for (content, want) in [
        (String::new(), MalformedXML),
        ("<IndexDocument/>".into(), MalformedXML),
        ("<IndexDocument><Suffix/></IndexDocument>".into(), InvalidArgument),
        ("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>".into(), InvalidArgument),
        (format!("{INDEX}{INDEX}"), MalformedXML),
        (format!("{INDEX}<New/>"), MalformedXML),
        (format!("{INDEX}<ErrorDocument/>"), MalformedXML),
        (format!("{INDEX}<ErrorDocument><Key>e</Key><New/></ErrorDocument>"), MalformedXML),
        (format!("{INDEX}<RoutingRules/>"), InvalidRequest),
        (format!("{INDEX}<RoutingRules>{}</RoutingRules>", one.repeat(51)), InvalidRequest),
        (format!("{INDEX}<RedirectAllRequestsTo><HostName>a</HostName></RedirectAllRequestsTo>"), MalformedXML),
        ("<RedirectAllRequestsTo/>".into(), MalformedXML),
        ("<RedirectAllRequestsTo><HostName>a/b</HostName></RedirectAllRequestsTo>".into(), InvalidArgument),
        ("<RedirectAllRequestsTo><HostName>a&#13;&#10;x: y</HostName></RedirectAllRequestsTo>".into(), InvalidArgument),
        (
            "<RedirectAllRequestsTo><HostName>a</HostName><Protocol>javascript</Protocol></RedirectAllRequestsTo>"
                .into(),
            InvalidRequest,
        ),
        (redirect(""), MalformedXML),
        (redirect("<New/>"), MalformedXML),
        (redirect("<ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"), InvalidRequest),
        (redirect("<ReplaceKeyWith>a&#10;b</ReplaceKeyWith>"), InvalidArgument),
        (redirect("<ReplaceKeyWith>a b</ReplaceKeyWith>"), InvalidArgument),
        (redirect("<HttpRedirectCode>200</HttpRedirectCode>"), InvalidArgument),
        (condition(""), MalformedXML),
        (condition("<HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals>"), InvalidArgument),
        (condition("<KeyPrefixEquals>a</KeyPrefixEquals><New/>"), MalformedXML),
    ] {
        assert_eq!(read(&content).unwrap_err().code, want, "{content}");
    }
}

#[test]
fn rules_and_addresses() {
    let rule = |prefix: &str, error: &str, redirect: &str| {
        let prefix =
            if prefix.is_empty() { String::new() } else { format!("<KeyPrefixEquals>{prefix}</KeyPrefixEquals>") };
        let error = match error {
            "" => String::new(),
            code => format!("<HttpErrorCodeReturnedEquals>{code}</HttpErrorCodeReturnedEquals>"),
        };
        let condition = format!("{prefix}{error}");
        let condition = if condition.is_empty() { condition } else { format!("<Condition>{condition}</Condition>") };
        format!("<RoutingRule>{condition}<Redirect>{redirect}</Redirect></RoutingRule>")
    };
    let prefix = |with: &str| format!("<ReplaceKeyPrefixWith>{with}</ReplaceKeyPrefixWith>");
    let rules = pages(
        &[
            rule("docs/", "", &prefix("documents/")),
            rule("old/", "404", "<HostName>example.com</HostName><HttpRedirectCode>307</HttpRedirectCode>"),
            rule("", "404", "<Protocol>https</Protocol><ReplaceKeyWith>404.html</ReplaceKeyWith>"),
        ]
        .concat(),
    );
    for (key, error, want) in [
        ("docs/a b?.html", None, "301 http://site/documents/a%20b%3F.html"),
        ("docs", None, ""),
        ("old/x", None, ""),
        ("old/\u{e4}", Some(404), "307 http://example.com/old/%C3%A4"),
        ("old/x", Some(403), ""),
        ("else", Some(404), "301 https://site/404.html"),
    ] {
        let found = rules.rule(key, error.map(|code| StatusCode::from_u16(code).unwrap()));
        let got = found.map(|rule| format!("{} {}", rule.status().as_u16(), rule.location(key, ("http", "site"))));
        assert_eq!(got.unwrap_or_default(), want, "{key} {error:?}");
    }
    let all = pages(&rule("", "", &prefix("new/")));
    assert_eq!(all.rule("k", None).unwrap().location("k", ("https", "s")), "https://s/new/k");
}

#[test]
fn where_an_object_may_be_redirected() {
    for (location, fits) in [
        ("/a", true),
        ("http://a/", true),
        ("https://a/b?c", true),
        ("", false),
        ("a", false),
        ("javascript:x", false),
        ("/a\r\nb: c", false),
    ] {
        assert_eq!(check_redirect_location(location).is_ok(), fits, "{location}");
    }
    assert!(check_redirect_location(&format!("/{}", "a".repeat(2048))).is_err());
}

/// What a request brings is text in the page, whatever it contains.
#[test]
fn an_error_page() {
    let page = error_page(&S3Error::new(S3ErrorCode::NoSuchKey), "<script>\"&'", "id");
    assert!(
        page.contains("<h1>404 Not Found</h1>") && page.contains("<li>Key: &lt;script&gt;&quot;&amp;'</li>"),
        "{page}"
    );
}
