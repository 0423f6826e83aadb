//! Answers that may take long: copies, and the completion of an upload. While they are in the works, white space keeps the
//! connection alive, because clients give up on a silent one. The status has been sent by then, so an error stands in the
//! body of a 200, as on AWS.
//!
//! Source: S3 API Reference, `CopyObject`, `UploadPartCopy` and `CompleteMultipartUpload`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use tokio::time::{Instant, Sleep, sleep};

use crate::body::ResponseBody;

/// How long a connection is silent. pyarrow waits for 3 s.
const SILENCE: Duration = Duration::from_secs(1);

/// How documents begin. White space may follow this line, but not precede it.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The head of an answer, once it may be sent before the answer is known: everything that could have another status was
/// decided.
#[derive(Default)]
pub(crate) struct EarlyResponse {
    headers: OnceLock<HeaderMap>,
    allowed: AtomicBool,
}

impl EarlyResponse {
    /// If the answer begins early, it begins with these headers.
    pub(crate) fn prepare(&self, headers: HeaderMap) {
        let _ = self.headers.set(headers);
    }

    /// From now on the answer may begin. The operation says so, because it knows when the quick refusals are behind it.
    pub(crate) fn allow(&self) {
        self.allowed.store(true, Ordering::Release);
    }

    fn headers(&self) -> Option<&HeaderMap> {
        self.headers.get().filter(|_| self.allowed.load(Ordering::Acquire))
    }
}

/// The rest of an answer whose head has been sent.
pub struct KeptAlive {
    work: Work,
    silence: Pin<Box<Sleep>>,
    begun: bool,
}

pub(crate) type Work = Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>;

/// Whether the answer to a request may take long, whatever it turns out to be.
pub(crate) fn may_take_long(head: &Parts) -> bool {
    match head.method {
        Method::PUT => head.headers.contains_key("x-amz-copy-source"),
        Method::POST => head.uri.query().is_some_and(|query| query.contains("uploadId")),
        _ => false,
    }
}

/// The answer that the work gives, or its beginning if it takes longer than the silence may last.
pub(crate) async fn kept_alive(mut work: Work, early: Arc<EarlyResponse>) -> Response<ResponseBody> {
    loop {
        match select(work, Box::pin(sleep(SILENCE))).await {
            Either::Left((answer, _)) => return answer,
            Either::Right(((), rest)) => work = rest,
        }
        if let Some(headers) = early.headers() {
            let silence = Box::pin(sleep(SILENCE));
            let mut answer = Response::new(ResponseBody::KeptAlive(KeptAlive { work, silence, begun: false }));
            *answer.headers_mut() = headers.clone();
            return answer;
        }
    }
}

/// What comes next in an answer that is kept alive.
pub(crate) enum Next {
    /// What may precede the document: its first line, then white space while the work goes on.
    Early(Bytes),
    /// The rest of the body: the work is done.
    Rest(ResponseBody),
}

impl KeptAlive {
    /// What comes next.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if !self.begun {
            self.begun = true;
            return Poll::Ready(Next::Early(Bytes::from_static(DECLARATION.as_bytes())));
        }
        if let Poll::Ready(answer) = self.work.as_mut().poll(context) {
            return Poll::Ready(Next::Rest(without_declaration(answer.into_body())));
        }
        match self.silence.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.silence.as_mut().reset(Instant::now() + SILENCE);
                // The new time has to wake this task as well.
                context.waker().wake_by_ref();
                Poll::Ready(Next::Early(Bytes::from_static(b" ")))
            }
        }
    }
}

fn without_declaration(body: ResponseBody) -> ResponseBody {
    match body {
        ResponseBody::Full(bytes) if bytes.starts_with(DECLARATION.as_bytes()) => {
            ResponseBody::Full(bytes.slice(DECLARATION.len()..))
        }
        body => body,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn request(text: &str) -> Parts {
        let (line, header) = text.split_once('\n').unwrap_or((text, "a: b"));
        let ((method, uri), (name, value)) = (line.split_once(' ').unwrap(), header.split_once(": ").unwrap());
        http::Request::builder().method(method).uri(uri).header(name, value).body(()).unwrap().into_parts().0
    }

    #[test]
    fn which_answers_may_take_long() {
        for (text, want) in [
            ("PUT /b/k\nx-amz-copy-source: /b/l", true),
            ("PUT /b/k?partNumber=1&uploadId=u\nx-amz-copy-source: /b/l", true),
            ("POST /b/k?uploadId=u", true),
            ("PUT /b/k?partNumber=1&uploadId=u", false),
            ("PUT /b/k", false),
            ("POST /b/k?uploads", false),
            ("DELETE /b/k?uploadId=u", false),
            ("POST /", false),
        ] {
            assert_eq!(may_take_long(&request(text)), want, "{text}");
        }
    }

    /// Work that takes this long, which may begin its answer early or not.
    async fn answer(seconds: u64, is_early: bool, document: &'static str) -> (u16, Option<String>, String) {
        let early = Arc::new(EarlyResponse::default());
        if is_early {
            early.prepare([(http::header::SERVER, "early".parse().unwrap())].into_iter().collect());
            early.allow();
        }
        let work = async move {
            sleep(Duration::from_secs(seconds)).await;
            let mut answer = Response::new(ResponseBody::full(document));
            *answer.status_mut() = http::StatusCode::CONFLICT;
            answer
        };
        let answer = kept_alive(Box::pin(work), early).await;
        let (head, body) = answer.into_parts();
        let server = head.headers.get(http::header::SERVER).map(|server| server.to_str().unwrap().to_owned());
        let text = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), server, String::from_utf8(text.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn white_space_fills_the_silence() {
        let document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error/>";
        let early = |text: &str| (200, Some("early".to_owned()), text.to_owned());
        for (seconds, is_early, want) in [
            (0, true, (409, None, document.to_owned())),
            (9, false, (409, None, document.to_owned())),
            (3, true, early("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n <Error/>")),
            (5, true, early("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n    <Error/>")),
        ] {
            let (status, server, text) = answer(seconds, is_early, document).await;
            // How many spaces there are is a matter of the clock.
            let squeezed = |text: &str| text.replace("   ", " ").replace("  ", " ").replace("  ", " ");
            assert_eq!((status, server, squeezed(&text)), (want.0, want.1, squeezed(&want.2)), "{seconds} {is_early}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_no_document_is_passed_on() {
        let (status, _, text) = answer(3, true, "plain").await;
        assert_eq!((status, text.trim_end_matches("plain").trim_end()), (200, DECLARATION.trim_end()));
        assert!(text.ends_with("plain"));
    }
}
