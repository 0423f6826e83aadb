//! Websites: at the host `bucket.domain`, with a domain of `kelpgate.websiteDomains`, objects are pages. Every page is read as an
//! anonymous GetObject of this request's host, time and client, through the same steps as any other request.

use std::sync::Arc;

use access::RequestTarget;
use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use ids::BucketName;
use jiff::Timestamp;
use s3::website::{self, Pages, RoutingRule, WebsiteConfiguration, encoded};
use s3::{Routing, S3Error, S3ErrorCode};

use crate::body::ResponseBody;
use crate::gateway::Gateway;
use crate::op::Answer;
use crate::op::answer;
use crate::op::bucket_website::of_bucket;
use crate::request_facts::RequestFacts;
use crate::request_scope::RequestScope;

/// The header with the address to which an object is redirected.
const REDIRECT_LOCATION: &str = "x-amz-website-redirect-location";

/// A request for a page.
struct Page<'a> {
    gateway: &'a Gateway,
    /// The head of the request, without what identifies a caller.
    scope: RequestScope<'a>,
    bucket: BucketName,
    key: String,
    /// Protocol and host that the client addressed.
    own: (&'static str, &'a str),
}

impl Gateway {
    /// The bucket whose website the request addresses, if any.
    pub(crate) fn website_of(&self, target: &RequestTarget<'_>) -> Option<String> {
        self.settings.website_domains.bucket_of(target.host())
    }

    /// The answer of a website. Every failure is a page.
    pub(crate) async fn website(
        &self,
        head: &Parts,
        target: &RequestTarget<'_>,
        bucket: &str,
        now: Timestamp,
        facts: &mut RequestFacts,
    ) -> Answer {
        let anonymous = anonymous(head);
        facts.operation = "Website";
        let key = website::key_of_path(head.uri.path()).unwrap_or_default();
        let answer = match self.scope(&anonymous, target, now, facts).await {
            Ok(scope) => self.website_page(scope, bucket, facts).await,
            Err(error) => Err(error),
        };
        answer.or_else(|error| {
            facts.failed(&error);
            match error.status() {
                StatusCode::NOT_MODIFIED => Err(error),
                _ => Ok(error_page(head, &error, &key, &facts.request_id)),
            }
        })
    }

    async fn website_page(&self, scope: RequestScope<'_>, bucket: &str, facts: &mut RequestFacts) -> Answer {
        if !matches!(scope.head.method, Method::GET | Method::HEAD) {
            return Err(S3Error::new(S3ErrorCode::MethodNotAllowed));
        }
        let key = website::key_of_path(scope.head.uri.path())?;
        // The answer must not tell which buckets exist.
        let none = || S3Error::new(S3ErrorCode::NoSuchWebsiteConfiguration).field("BucketName", bucket);
        let bucket: BucketName = bucket.parse().map_err(|_| none())?;
        let known = scope.snapshot.bucket(bucket.as_str()).filter(|known| known.is_there(scope.now.as_second()));
        let configuration = of_bucket(known.ok_or_else(none)?)?;
        let own = (if scope.target.is_https() { "https" } else { "http" }, scope.target.host());
        let page = Page { gateway: self, scope, bucket, key, own };
        match configuration {
            WebsiteConfiguration::RedirectAllRequestsTo(to) => {
                Ok(redirect(StatusCode::MOVED_PERMANENTLY, &to.address(&encoded(&page.key), page.own)))
            }
            WebsiteConfiguration::Pages(pages) => page.answer(&pages, facts).await,
        }
    }
}

impl Page<'_> {
    async fn answer(&self, pages: &Pages, facts: &mut RequestFacts) -> Answer {
        if let Some(rule) = pages.rule(&self.key, None) {
            return Ok(self.redirect_by(rule));
        }
        let names_directory = self.key.is_empty() || self.key.ends_with('/');
        let key = if names_directory { format!("{}{}", self.key, pages.index_suffix) } else { self.key.clone() };
        let error = match self.read(&self.scope.head.method, &key, true, facts).await {
            Ok(found) => return Ok(with_redirect(found)),
            Err(error) if error.status() == StatusCode::NOT_MODIFIED => return Err(error),
            Err(error) => error,
        };
        let is_missing = matches!(error.status(), StatusCode::NOT_FOUND | StatusCode::FORBIDDEN);
        if is_missing && !names_directory {
            let index = format!("{}/{}", self.key, pages.index_suffix);
            if self.read(&Method::HEAD, &index, false, facts).await.is_ok() {
                let to = format!("{}://{}/{}/", self.own.0, self.own.1, encoded(&self.key));
                return Ok(redirect(StatusCode::FOUND, &to));
            }
        }
        if let Some(rule) = pages.rule(&self.key, Some(error.status())) {
            return Ok(self.redirect_by(rule));
        }
        let Some(own) = pages.error_key.as_ref().filter(|_| error.status().is_client_error()) else {
            return Err(error);
        };
        match self.read(&Method::GET, own, false, facts).await {
            Ok(mut page) => {
                facts.failed(&error);
                *page.status_mut() = error.status();
                if self.scope.head.method == Method::HEAD {
                    *page.body_mut() = ResponseBody::Empty;
                }
                Ok(page)
            }
            Err(_) => Err(error),
        }
    }

    /// Reads an object as an anonymous caller. What the client has, or wants, of the page that it asks for says nothing about
    /// others.
    async fn read(&self, method: &Method, key: &str, is_asked_for: bool, facts: &mut RequestFacts) -> Answer {
        let mut head = self.scope.head.clone();
        head.method = method.clone();
        head.uri = format!("/{}", encoded(key)).parse().map_err(|_| S3Error::new(S3ErrorCode::InvalidURI))?;
        if !is_asked_for {
            CONDITIONS.iter().for_each(|name| drop(head.headers.remove(name)));
        }
        let routing = s3::route(&head, Some(self.bucket.as_str()))?;
        facts.routed(&routing);
        let Routing::S3(operation) = routing else { return Err(S3Error::new(S3ErrorCode::MethodNotAllowed)) };
        let scope = RequestScope {
            head: &head,
            form: sigv4::auth_form(&head),
            target: self.scope.target,
            snapshot: Arc::clone(&self.scope.snapshot),
            now: self.scope.now,
        };
        let nothing = Box::pin(futures_util::stream::empty());
        self.gateway.operation(&scope, operation, nothing, facts).boxed().await
    }

    fn redirect_by(&self, rule: &RoutingRule) -> Response<ResponseBody> {
        redirect(rule.status(), &rule.location(&self.key, self.own))
    }
}

/// The headers that are about one object.
const CONDITIONS: [header::HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// The head without what identifies a caller and without what only the API knows, the query included: websites have neither.
fn anonymous(head: &Parts) -> Parts {
    let mut anonymous = head.clone();
    let is_kept = |name: &str| !name.starts_with("x-amz-") && name != "authorization" && name != "content-length";
    anonymous.headers = head.headers.iter().filter(|(name, _)| is_kept(name.as_str())).fold(
        HeaderMap::new(),
        |mut kept, (name, value)| {
            kept.append(name.clone(), value.clone());
            kept
        },
    );
    if let Ok(path) = head.uri.path().parse() {
        anonymous.uri = path;
    }
    anonymous
}

/// An object that is redirected is not sent.
fn with_redirect(found: Response<ResponseBody>) -> Response<ResponseBody> {
    let to = found.headers().get(REDIRECT_LOCATION).and_then(|to| to.to_str().ok());
    match to {
        Some(to) => redirect(StatusCode::MOVED_PERMANENTLY, to),
        None => found,
    }
}

fn redirect(status: StatusCode, to: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = status;
    answer::set(response.headers_mut(), header::LOCATION, to);
    response
}

fn error_page(head: &Parts, error: &S3Error, key: &str, request_id: &str) -> Response<ResponseBody> {
    let bodiless = head.method == Method::HEAD;
    let page = || ResponseBody::full(website::error_page(error, key, request_id));
    let mut response = Response::new(if bodiless { ResponseBody::Empty } else { page() });
    *response.status_mut() = error.status();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}
