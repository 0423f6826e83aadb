//! gRPC on HTTP/2. A call is given to the connection as a whole, so that its head and its message leave in one write. A GET of
//! 1 KiB takes four fifths of the CPU that it took through a general client (docs/benchmarks.md).

use std::marker::PhantomData;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;
use http::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use prost::Message;
use tonic::{Code, Status};

use super::connection::{Channel, Unconnected};

/// The largest message in either direction, in bytes. A listing entry with 10,000 chunks has less than 2 MiB; a batch
/// of events can be larger.
const MESSAGE_BYTES_MAX: usize = 128 << 20;
/// Before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It was not sent.
    #[error("{0}")]
    Unconnected(#[from] Unconnected),
    /// The connection broke, or what answers does not speak gRPC.
    #[error("{0}")]
    Broken(String),
    /// The answer is an error, or cannot be understood.
    #[error("{:?}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
}

impl From<h2::Error> for Failure {
    fn from(error: h2::Error) -> Self {
        Failure::Broken(error.to_string())
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Status(Box::new(status))
    }
}

/// Sends a call that has one answer. The process is told to give it up after `timeout`.
pub(super) async fn unary<Q: Message, A: Message + Default>(
    channel: &Channel,
    path: &'static str,
    request: &Q,
    timeout: Option<Duration>,
) -> Result<A, Failure> {
    let mut answers = streaming(channel, path, request, timeout).await?;
    match (answers.message().await?, answers.message().await?) {
        (Some(answer), None) => Ok(answer),
        _ => Err(Status::internal("not one answer").into()),
    }
}

/// Sends a call that has any number of answers, and waits for the head of the first.
pub(super) async fn streaming<Q: Message, A: Message + Default>(
    channel: &Channel,
    path: &'static str,
    request: &Q,
    timeout: Option<Duration>,
) -> Result<Messages<A>, Failure> {
    let head = head(channel.endpoint().uri(), path, timeout)?;
    let message = framed(request)?;
    let mut sender = channel.ready().await?;
    let (answer, mut body) = sender.send_request(head, false)?;
    body.send_data(message, true)?;
    let (head, body) = answer.await?.into_parts();
    if head.status != StatusCode::OK {
        return Err(Failure::Broken(format!("HTTP status {}", head.status)));
    }
    // An answer without messages may consist of a head alone.
    let ended = outcome(&head.headers).transpose()?.is_some();
    Ok(Messages { body, unread: BytesMut::new(), ended, of: PhantomData })
}

fn head(place: &Uri, path: &'static str, timeout: Option<Duration>) -> Result<Request<()>, Failure> {
    let mut place = place.clone().into_parts();
    place.path_and_query = Some(PathAndQuery::from_static(path));
    let place = Uri::from_parts(place).map_err(|error| Failure::Broken(error.to_string()))?;
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(USER_AGENT, HeaderValue::from_static("kelpgate"));
    if let Some(timeout) = timeout {
        // At most eight digits are allowed.
        let milliseconds = timeout.as_millis().clamp(1, 99_999_999);
        headers.extend(HeaderValue::try_from(format!("{milliseconds}m")).ok().map(|value| (GRPC_TIMEOUT, value)));
    }
    if let Some(context) = traces::current() {
        headers.extend(HeaderValue::try_from(context.header()).ok().map(|value| (TRACEPARENT, value)));
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = place;
    *request.headers_mut() = headers;
    Ok(request)
}

const GRPC_TIMEOUT: http::HeaderName = http::HeaderName::from_static("grpc-timeout");
const GRPC_STATUS: http::HeaderName = http::HeaderName::from_static("grpc-status");
const TRACEPARENT: http::HeaderName = http::HeaderName::from_static(traces::TRACEPARENT);

/// A message with its prefix.
fn framed(message: &impl Message) -> Result<Bytes, Failure> {
    let bytes = message.encoded_len();
    if bytes > MESSAGE_BYTES_MAX {
        return Err(Status::out_of_range(format!("a request of {bytes} bytes is too large")).into());
    }
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + bytes);
    framed.put_u8(0);
    framed.put_u32(bytes as u32);
    message.encode(&mut framed).map_err(|error| Status::internal(error.to_string()))?;
    Ok(framed.freeze())
}

/// The answers to a call, in order.
pub(super) struct Messages<A> {
    body: RecvStream,
    unread: BytesMut,
    ended: bool,
    of: PhantomData<fn() -> A>,
}

impl<A: Message + Default> Messages<A> {
    /// The next answer; `None` after the last one.
    pub(super) async fn message(&mut self) -> Result<Option<A>, Failure> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.data().await {
                Some(data) => {
                    let data = data?;
                    self.body.flow_control().release_capacity(data.len())?;
                    self.unread.extend_from_slice(&data);
                }
                None => self.end().await?,
            }
        }
    }

    /// Takes a whole message from what was received.
    fn take(&mut self) -> Result<Option<A>, Failure> {
        let Some((prefix, rest)) = self.unread.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [compressed, b0, b1, b2, b3] = *prefix;
        let bytes = u32::from_be_bytes([b0, b1, b2, b3]) as usize;
        if compressed != 0 {
            return Err(Status::internal("a compressed answer to a client that asks for none").into());
        }
        if bytes > MESSAGE_BYTES_MAX {
            return Err(Status::out_of_range(format!("an answer of {bytes} bytes is too large")).into());
        }
        if rest.len() < bytes {
            return Ok(None);
        }
        self.unread.advance(PREFIX_BYTES);
        // From shared bytes, values are copied once; from a slice, twice.
        let message = self.unread.split_to(bytes).freeze();
        A::decode(message).map(Some).map_err(|error| Status::internal(error.to_string()).into())
    }

    /// Reads what the process says at the end.
    async fn end(&mut self) -> Result<(), Failure> {
        let trailers = self.body.trailers().await?.unwrap_or_default();
        let broken = || Failure::Broken("the answer ends early".to_owned());
        outcome(&trailers).ok_or_else(broken)??;
        self.ended = true;
        if self.unread.is_empty() { Ok(()) } else { Err(broken()) }
    }
}

/// How the call ended, if these headers say so. Success takes no [`Status`], for which the headers would be copied.
fn outcome(headers: &HeaderMap) -> Option<Result<(), Failure>> {
    if headers.get(GRPC_STATUS)? == "0" {
        return Some(Ok(()));
    }
    Status::from_header_map(headers).map(|status| if status.code() == Code::Ok { Ok(()) } else { Err(status.into()) })
}

#[cfg(test)]
mod tests;
