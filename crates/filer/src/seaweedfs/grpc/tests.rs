use h2::Reason;
use h2::server::SendResponse;
use http::Response;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::seaweedfs::address::FilerAddress;
use crate::seaweedfs::connection::Endpoint;
use crate::seaweedfs::security::Security;
use crate::seaweedfs::volume::tests::span;

const SECONDS: Duration = Duration::from_secs(5);

/// A message with one number.
#[derive(Clone, PartialEq, prost::Message)]
struct Number {
    #[prost(uint32, tag = "1")]
    value: u32,
}

/// What a server answers.
#[derive(Clone, Default)]
struct Answer {
    /// 0 for a stream that is reset.
    status: u16,
    head: &'static [(&'static str, &'static str)],
    data: Vec<Vec<u8>>,
    /// None for an answer that ends without any.
    trailers: Option<&'static [(&'static str, &'static str)]>,
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

fn message(value: u32) -> Vec<u8> {
    framed(&Number { value }).unwrap().to_vec()
}

fn good(data: Vec<Vec<u8>>) -> Answer {
    Answer { status: 200, data, trailers: Some(&[("grpc-status", "0")]), ..Answer::default() }
}

impl Answer {
    fn send(self, mut respond: SendResponse<Bytes>) {
        if self.status == 0 {
            return respond.send_reset(Reason::INTERNAL_ERROR);
        }
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::from_u16(self.status).unwrap();
        *head.headers_mut() = headers(self.head);
        let is_head_alone = self.data.is_empty() && self.trailers.is_none();
        let mut body = respond.send_response(head, is_head_alone).unwrap();
        let last = self.data.len();
        for (number, data) in (1..).zip(self.data) {
            body.send_data(data.into(), number == last && self.trailers.is_none()).unwrap();
        }
        if let Some(trailers) = self.trailers {
            body.send_trailers(headers(trailers)).unwrap();
        }
    }
}

/// A server that gives the same answer to each call, and ends a connection after `calls` of them. Tells the heads of the
/// calls, and their messages.
async fn server(answer: Answer, calls: usize) -> (Channel, tokio::sync::mpsc::UnboundedReceiver<(HeaderMap, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &answer, calls, &tell).await;
        }
    });
    (channel(port), told)
}

async fn serve(
    stream: TcpStream,
    answer: &Answer,
    calls: usize,
    tell: &tokio::sync::mpsc::UnboundedSender<(HeaderMap, Vec<u8>)>,
) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    for _ in 0..calls {
        let Some(Ok((request, respond))) = connection.accept().await else { return };
        let (head, mut body) = request.into_parts();
        let mut received = Vec::new();
        let reading = async {
            while let Some(Ok(data)) = body.data().await {
                received.extend_from_slice(&data);
            }
        };
        tokio::select! {
            () = reading => {}
            _ = std::future::poll_fn(|context| connection.poll_closed(context)) => return,
        }
        tell.send((head.headers, received)).unwrap();
        answer.clone().send(respond);
    }
    connection.graceful_shutdown();
    let _ = std::future::poll_fn(|context| connection.poll_closed(context)).await;
}

fn channel(port: u16) -> Channel {
    let address: FilerAddress = format!("127.0.0.1:1.{port}").parse().unwrap();
    Channel::new(Endpoint::new(&address, &Security::default(), SECONDS).unwrap())
}

async fn ask(channel: &Channel) -> Result<Number, Failure> {
    let asked = unary(channel, "/s/M", &Number { value: 7 }, Some(Duration::from_millis(1500)));
    tokio::time::timeout(SECONDS, asked).await.expect("a call ends")
}

#[tokio::test]
async fn a_call_with_its_answer() {
    for data in [vec![message(9)], message(9).into_iter().map(|byte| vec![byte]).collect()] {
        let (channel, mut told) = server(good(data), 1000).await;
        for _ in 0..3 {
            assert_eq!(ask(&channel).await.unwrap(), Number { value: 9 });
            let (head, received) = told.recv().await.unwrap();
            assert_eq!(received, message(7));
            for (name, value) in [("te", "trailers"), ("content-type", "application/grpc"), ("grpc-timeout", "1500m")] {
                assert_eq!(head.get(name).unwrap(), value);
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_an_answer() {
    let early = Answer { status: 200, data: vec![message(9)], trailers: None, head: &[] };
    let refused = &[("grpc-status", "2"), ("grpc-message", "no%20entry")];
    for (what, answer, want) in [
        ("an error in the head", Answer { status: 200, head: refused, ..Answer::default() }, "Unknown: no entry"),
        ("an error in the end", Answer { trailers: Some(refused), ..good(vec![]) }, "Unknown: no entry"),
        ("an error after a message", Answer { trailers: Some(refused), ..good(vec![message(9)]) }, "Unknown: no entry"),
        ("two messages", good(vec![message(1), message(2)]), "Internal: not one answer"),
        ("no message", good(vec![]), "Internal: not one answer"),
        ("compressed", good(vec![vec![1, 0, 0, 0, 0]]), "Internal: a compressed answer"),
        ("too large", good(vec![vec![0, 255, 0, 0, 0, 1]]), "OutOfRange: an answer of"),
        ("not a message", good(vec![vec![0, 0, 0, 0, 1, 255]]), "Internal: "),
        ("a part of a message", good(vec![vec![0, 0, 0, 0, 9, 1]]), "the answer ends early"),
        ("no end", early, "the answer ends early"),
        ("another server", Answer { status: 502, ..good(vec![]) }, "HTTP status 502"),
        ("a reset", Answer::default(), "stream error received"),
    ] {
        let (channel, _told) = server(answer, 1000).await;
        let failure = ask(&channel).await.unwrap_err();
        let is_answer = matches!(failure, Failure::Status(_));
        assert!(failure.to_string().starts_with(want), "{what}: {failure}");
        assert_eq!(is_answer, want.contains(": "), "{what}");
    }
}

#[tokio::test]
async fn messages_come_in_order() {
    let (channel, _told) = server(good(vec![[message(1), message(2)].concat(), message(3)]), 1000).await;
    let mut messages = streaming::<_, Number>(&channel, "/s/M", &Number { value: 7 }, None).await.unwrap();
    for value in 1..=3 {
        assert_eq!(messages.message().await.unwrap(), Some(Number { value }));
    }
    assert_eq!(messages.message().await.unwrap(), None);
    assert_eq!(messages.message().await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_that_ended_is_made_again() {
    let (channel, _told) = server(good(vec![message(9)]), 1).await;
    for number in 0..20 {
        // A call may still meet the end of the connection of the one before, and the one after it does not.
        assert!(ask(&channel).await.is_ok() || ask(&channel).await.is_ok(), "call {number}");
    }
}

#[tokio::test]
async fn nothing_is_sent_without_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let channel = channel(port);
    for _ in 0..2 {
        let calls = futures_util::future::join_all((0..3).map(|_| ask(&channel))).await;
        assert!(calls.iter().all(|call| matches!(call, Err(Failure::Unconnected(_)))), "{calls:?}");
    }
    // The next call tries it again.
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
    let serving = async { serve(listener.accept().await.unwrap().0, &good(vec![message(9)]), 1, &tell).await };
    let (called, ()) = tokio::join!(
        async {
            let called = ask(&channel).await;
            drop(channel);
            called
        },
        serving
    );
    assert_eq!(called.unwrap(), Number { value: 9 });
}

/// The header goes with the calls of requests that are traced, and no others.
#[tokio::test]
async fn a_call_of_a_traced_request_says_to_which_trace_it_belongs() {
    let (channel, mut told) = server(good(vec![message(7)]), 2).await;
    let asked = async { ask(&channel).await.map(|_| traces::current().unwrap()) };
    let context = span().answering(asked).await.unwrap();
    ask(&channel).await.unwrap();
    let mut header = async || Some(told.recv().await.unwrap().0.get(TRACEPARENT)?.to_str().unwrap().to_owned());
    assert_eq!((header().await, header().await), (Some(context.header()), None));
}
