//! gRPC calls: one channel per filer for calls and one for streams, each call bounded in time, failover between filers
//! when the transport fails.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{self, Either};
use tonic::Code;

use super::address::FilerAddress;
use super::connection::{Channel, Endpoint};
use super::grpc::{self, Failure, Messages};
use super::line::Line;
use super::metrics::{Call, FilerMetrics};
use super::security::Security;
use super::wire::{GetFilerConfigurationRequest, GetFilerConfigurationResponse};
use crate::FilerError;

/// How long a failed filer is asked last: this doubles with each failure in a row, from the first value up to the
/// second.
const AVOID_FIRST: Duration = Duration::from_secs(1);
const ASSIGN: Duration = Duration::from_secs(20);
const AVOID_MAX: Duration = Duration::from_secs(30);
/// How long a connection may be silent before the next call uses a new one, and a call that may be repeated is sent
/// there too. After a cut network is whole again, nothing tells that a connection from before it is dead.
const SILENT_AFTER: Duration = Duration::from_secs(1);
/// The same for the calls that open a change feed: no lease runs until it is open.
const SILENT_AT_OPENING: Duration = Duration::from_millis(500);

/// How long a filer whose line is silent may take to show that it is alive.
const ALIVE_WITHIN: Duration = Duration::from_millis(300);

/// How long to wait, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a call as a whole, including failover.
    pub call: Duration,
    /// For making a TCP connection, including TLS.
    pub connect: Duration,
}

/// Whether a call may be sent to another filer although it may have reached the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    /// Yes: it reads, or writing twice gives the same result.
    Safe,
    /// No: without an answer the outcome is unknown, and a hanging attempt could be carried out after the replay was
    /// acknowledged.
    OnlyUnsent,
}

/// One process: a filer, or a master.
pub(super) struct Node {
    pub(super) address: FilerAddress,
    calls: Line,
    streams: Line,
    /// Failures in a row.
    failures: AtomicU64,
    /// Milliseconds since [`Filers::born`] until which this filer is asked last.
    avoid_until_ms: AtomicU64,
}

impl Node {
    /// A call that began at this time got no answer.
    pub(super) fn was_silent_since(&self, call: Call, begun: Instant) {
        self.line(call).was_silent_since(begun);
    }

    fn line(&self, call: Call) -> &Line {
        if call == Call::SubscribeLocalMetadata { &self.streams } else { &self.calls }
    }

    /// Sends a call, and waits for its answer for at most `bound`. If the line stays silent, a call that may be repeated
    /// does not wait for that long: it is given up if another filer can be asked. Otherwise it is sent again on a new
    /// connection, and the first answer counts.
    async fn answer<T, F>(
        &self,
        call: Call,
        bound: Duration,
        silence: Silence,
        send: impl Fn(Channel) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let (begun, line) = (Instant::now(), self.line(call));
        let mut first = pin!(bounded(&self.address, bound, send(line.channel())));
        let answer = match tokio::time::timeout(silence.after, &mut first).await {
            Ok(answer) => answer,
            Err(_) if !line.was_silent_since(begun) || !call.is_repeatable() => first.await,
            // What happens seldom is boxed, so that calls stay small: their futures are moved into those of requests.
            Err(_) if silence.others && !(call.may_take_long() && is_alive(line).boxed().await) => {
                let seconds = silence.after.as_secs_f32();
                Err(CallError::Timeout { filer: self.address.to_string(), seconds })
            }
            Err(_) => {
                let left = bound.saturating_sub(begun.elapsed());
                let second = Box::pin(bounded(&self.address, left, send(line.channel())));
                match future::select(first, second).await {
                    Either::Left((Err(_), other)) => other.await,
                    Either::Right((Err(_), other)) => other.await,
                    Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
                }
            }
        };
        if !answer.as_ref().is_err_and(CallError::is_transport) {
            line.was_heard();
        }
        answer
    }
}

/// Whether a filer answers at all, on the present connection.
async fn is_alive(line: &Line) -> bool {
    let request = GetFilerConfigurationRequest {};
    let asked = unary::<_, GetFilerConfigurationResponse>(line.channel(), Call::GetFilerConfiguration, &request, None);
    matches!(tokio::time::timeout(ALIVE_WITHIN, asked).await, Ok(Ok(_)))
}

/// When a line counts as silent, and what follows.
#[derive(Clone, Copy)]
struct Silence {
    after: Duration,
    /// Whether another filer can be asked instead.
    others: bool,
}

impl Silence {
    const CALL: Silence = Silence { after: SILENT_AFTER, others: false };
    const OPENING: Silence = Silence { after: SILENT_AT_OPENING, others: false };
}

/// The filers behind a client.
pub(super) struct Filers {
    nodes: Vec<Node>,
    security: RwLock<Security>,
    /// The index of the filer that answered last. It is asked first.
    current: AtomicUsize,
    timeouts: Timeouts,
    born: Instant,
    pub(super) metrics: Arc<FilerMetrics>,
}

impl Filers {
    /// Makes channels. The first call opens the connections. Needs a tokio runtime.
    pub(super) fn new(
        addresses: &[FilerAddress],
        security: &Security,
        timeouts: Timeouts,
        metrics: Arc<FilerMetrics>,
    ) -> Self {
        let nodes = addresses.iter().filter_map(|address| connect(address, security, timeouts));
        Filers {
            nodes: nodes.collect(),
            security: RwLock::new(security.clone()),
            current: AtomicUsize::new(0),
            timeouts,
            born: Instant::now(),
            metrics,
        }
    }

    /// The filers to which calls are sent.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &FilerAddress> {
        self.nodes.iter().map(|node| &node.address)
    }

    /// Channels to one process that takes no part in failover. `None` if the address cannot be used; the log says why.
    pub(super) fn connect(&self, address: &FilerAddress) -> Option<Node> {
        connect(address, &self.security.read().unwrap_or_else(PoisonError::into_inner), self.timeouts)
    }

    /// Later calls use these certificates, and so do those of `others`.
    pub(super) fn renew(&self, security: &Security, others: &[Arc<Node>]) -> Result<(), http::Error> {
        let endpoint = |node: &Node| Endpoint::new(&node.address, security, self.timeouts.connect);
        let nodes = self.nodes.iter().chain(others.iter().map(AsRef::as_ref));
        // All or none.
        let renewed =
            nodes.map(|node| endpoint(node).map(|endpoint| (node, endpoint))).collect::<Result<Vec<_>, _>>()?;
        *self.security.write().unwrap_or_else(PoisonError::into_inner) = security.clone();
        for (node, endpoint) in renewed {
            node.calls.renew(endpoint.clone());
            node.streams.renew(endpoint);
        }
        Ok(())
    }

    /// A call with a single answer. It is sent to the filers in turn until one of them answers.
    pub(super) async fn unary<Q, A>(&self, call: Call, request: &Q, replay: Replay) -> Result<A, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let mut attempts = self.attempts(replay, call);
        let mut last = CallError::NoFiler;
        while let Some(attempt) = attempts.next() {
            let send = |channel| unary(channel, call, request, None);
            let silence = Silence { others: attempts.left > 0, ..Silence::CALL };
            let answer = attempt.node.answer(call, attempt.bound, silence, send).await;
            match self.judge(attempt, call, replay, answer) {
                ControlFlow::Break(answer) => return answer,
                ControlFlow::Continue(error) => last = error,
            }
        }
        Err(last)
    }

    /// A call to one process, without failover.
    pub(super) async fn unary_on<Q, A>(&self, node: &Node, call: Call, request: Q) -> Result<A, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        self.unary_sent(node, call, request, Silence::CALL).await
    }

    /// The same for a call of which the opening of a change feed consists.
    pub(super) async fn unary_at_opening<Q, A>(&self, node: &Node, call: Call, request: Q) -> Result<A, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        self.unary_sent(node, call, request, Silence::OPENING).await
    }

    async fn unary_sent<Q, A>(&self, node: &Node, call: Call, request: Q, silence: Silence) -> Result<A, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let begun = Instant::now();
        let send = |channel| unary(channel, call, &request, None);
        let answer = node.answer(call, self.timeouts.call, silence, send).await;
        self.note(node, call, begun, &answer);
        answer
    }

    /// The same with a shorter time limit. The process is told to give up the call then, too.
    pub(super) async fn unary_within<Q, A>(
        &self,
        time: Duration,
        node: &Node,
        call: Call,
        request: Q,
    ) -> Result<A, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let begun = Instant::now();
        let bound = time.min(self.timeouts.call);
        let send = |channel| unary(channel, call, &request, Some(bound));
        let answer = node.answer(call, bound, Silence::CALL, send).await;
        self.note(node, call, begun, &answer);
        answer
    }

    /// Collects a finite stream of answers. Each answer must follow the previous one within the time limit of a call.
    pub(super) async fn collect<Q, A>(&self, call: Call, request: &Q) -> Result<Vec<A>, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let mut attempts = self.attempts(Replay::Safe, call);
        let mut last = CallError::NoFiler;
        while let Some(attempt) = attempts.next() {
            let silence = Silence { others: attempts.left > 0, ..Silence::CALL };
            let answer = collect(attempt.node, attempt.bound, silence, call, request).await;
            match self.judge(attempt, call, Replay::Safe, answer) {
                ControlFlow::Break(answer) => return answer,
                ControlFlow::Continue(error) => last = error,
            }
        }
        Err(last)
    }

    /// Collects a finite stream of answers from one process, without failover.
    pub(super) async fn collect_on<Q, A>(&self, node: &Node, call: Call, request: Q) -> Result<Vec<A>, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let begun = Instant::now();
        let answer = collect(node, self.timeouts.call, Silence::CALL, call, &request).await;
        self.note(node, call, begun, &answer);
        answer
    }

    /// Asks this filer last for a while.
    pub(super) fn avoid(&self, filer: &str) {
        let until_ms = self.now_ms() + u64::try_from(AVOID_MAX.as_millis()).unwrap_or(0);
        for node in self.nodes.iter().filter(|node| node.address.to_string() == filer) {
            node.failures.fetch_max(1, Ordering::Relaxed);
            node.avoid_until_ms.store(until_ms, Ordering::Relaxed);
        }
    }

    /// Opens an endless stream from one filer, on the channel for streams. Waits for the head of the answer. If it is
    /// asked for twice, each request is made anew.
    pub(super) async fn open<Q, A>(
        &self,
        node: &Node,
        call: Call,
        request: impl Fn() -> Q,
    ) -> Result<Messages<A>, CallError>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let begun = Instant::now();
        let send = |channel| {
            let request = request();
            async move { streaming(channel, call, &request).await }
        };
        let opened = node.answer(call, self.timeouts.call, Silence::OPENING, send).await;
        self.note(node, call, begun, &opened);
        opened
    }

    /// The filers to try in turn, within the time limit of one call.
    fn attempts(&self, replay: Replay, call: Call) -> Attempts<'_> {
        let order = self.order();
        // The first place in a new collection has to wait until volumes are created.
        let time = if call == Call::AssignVolume { self.timeouts.call.max(ASSIGN) } else { self.timeouts.call };
        Attempts { filers: self, left: order.len(), order: order.into_iter(), deadline: Instant::now() + time, replay }
    }

    /// Records the result of an attempt, and decides whether to try the next filer.
    fn judge<T>(
        &self,
        attempt: Attempt<'_>,
        call: Call,
        replay: Replay,
        answer: Result<T, CallError>,
    ) -> ControlFlow<Result<T, CallError>, CallError> {
        self.note(attempt.node, call, attempt.begun, &answer);
        match answer {
            Err(error) if error.may_fail_over(replay) => ControlFlow::Continue(error),
            answer => {
                self.current.store(attempt.index, Ordering::Relaxed);
                ControlFlow::Break(answer)
            }
        }
    }

    /// The filers in the order in which they are asked: the current one first, recently failed ones last.
    fn order(&self) -> Vec<usize> {
        let current = self.current.load(Ordering::Relaxed);
        let count = self.nodes.len().max(1);
        let mut order = (0..self.nodes.len()).map(|step| (current + step) % count).collect::<Vec<_>>();
        if order.len() > 1 {
            let now_ms = self.now_ms();
            let avoid =
                |index: &usize| self.nodes.get(*index).map_or(0, |node| node.avoid_until_ms.load(Ordering::Relaxed));
            order.sort_by_key(|index| Some(avoid(index)).filter(|until| *until > now_ms).unwrap_or(0));
        }
        order
    }

    /// Counts an attempt, and updates the filer's health.
    fn note<T>(&self, node: &Node, call: Call, begun: Instant, answer: &Result<T, CallError>) {
        let failed = answer.as_ref().is_err_and(|error| !error.is_not_found());
        self.metrics.count(call, begun.elapsed(), failed);
        if matches!(answer, Err(CallError::Timeout { .. })) {
            node.was_silent_since(call, begun);
        }
        if answer.as_ref().is_err_and(CallError::is_transport) {
            let failures = node.failures.fetch_add(1, Ordering::Relaxed);
            let avoid = AVOID_FIRST.saturating_mul(1 << failures.min(5)).min(AVOID_MAX);
            let until_ms = self.now_ms() + u64::try_from(avoid.as_millis()).unwrap_or(0);
            node.avoid_until_ms.store(until_ms, Ordering::Relaxed);
            if failures == 0 {
                let error = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(filer = %node.address, rpc = call.name(), error, "a filer does not answer");
            }
        } else if node.failures.load(Ordering::Relaxed) > 0 {
            node.failures.store(0, Ordering::Relaxed);
            node.avoid_until_ms.store(0, Ordering::Relaxed);
            tracing::info!(filer = %node.address, "a filer answers again");
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// One filer to try, and for how long.
struct Attempt<'a> {
    index: usize,
    node: &'a Node,
    bound: Duration,
    begun: Instant,
}

struct Attempts<'a> {
    filers: &'a Filers,
    order: std::vec::IntoIter<usize>,
    left: usize,
    deadline: Instant,
    replay: Replay,
}

impl<'a> Attempts<'a> {
    /// Divides the remaining time among the remaining filers, so that a hanging filer leaves time for the next one. A
    /// call that must not be sent twice gets all the remaining time.
    fn next(&mut self) -> Option<Attempt<'a>> {
        let index = self.order.next()?;
        let begun = Instant::now();
        let time = self.deadline.saturating_duration_since(begun);
        let bound = match self.replay {
            Replay::Safe => time / u32::try_from(self.left).unwrap_or(1).max(1),
            Replay::OnlyUnsent => time,
        };
        self.left = self.left.saturating_sub(1);
        let node = self.filers.nodes.get(index)?;
        (!bound.is_zero()).then_some(Attempt { index, node, bound, begun })
    }
}

/// Collects a finite stream.
async fn collect<Q, A>(
    node: &Node,
    bound: Duration,
    silence: Silence,
    call: Call,
    request: &Q,
) -> Result<Vec<A>, CallError>
where
    Q: prost::Message,
    A: prost::Message + Default,
{
    let first = async |channel| {
        let mut stream = streaming::<Q, A>(channel, call, request).await?;
        Ok((stream.message().await?, stream))
    };
    let (mut next, mut stream) = node.answer(call, bound, silence, first).await?;
    let mut answers = Vec::new();
    while let Some(answer) = next {
        answers.push(answer);
        next = bounded(&node.address, bound, stream.message()).await?;
    }
    Ok(answers)
}

fn connect(address: &FilerAddress, security: &Security, timeouts: Timeouts) -> Option<Node> {
    let endpoint = Endpoint::new(address, security, timeouts.connect)
        .inspect_err(|error| tracing::error!(filer = %address, %error, "this filer cannot be used"))
        .ok()?;
    Some(Node {
        address: address.clone(),
        calls: Line::new(endpoint.clone()),
        streams: Line::new(endpoint),
        failures: AtomicU64::new(0),
        avoid_until_ms: AtomicU64::new(0),
    })
}

async fn unary<Q: prost::Message, A: prost::Message + Default>(
    channel: Channel,
    call: Call,
    request: &Q,
    timeout: Option<Duration>,
) -> Result<A, Failure> {
    grpc::unary(&channel, path(call), request, timeout).await
}

async fn streaming<Q: prost::Message, A: prost::Message + Default>(
    channel: Channel,
    call: Call,
    request: &Q,
) -> Result<Messages<A>, Failure> {
    grpc::streaming(&channel, path(call), request, None).await
}

fn path(call: Call) -> &'static str {
    match call {
        Call::GetFilerConfiguration => "/filer_pb.SeaweedFiler/GetFilerConfiguration",
        Call::LookupDirectoryEntry => "/filer_pb.SeaweedFiler/LookupDirectoryEntry",
        Call::ListEntries => "/filer_pb.SeaweedFiler/ListEntries",
        Call::ObjectTransaction => "/filer_pb.SeaweedFiler/ObjectTransaction",
        Call::AssignVolume => "/filer_pb.SeaweedFiler/AssignVolume",
        Call::LookupVolume => "/filer_pb.SeaweedFiler/LookupVolume",
        Call::DeleteCollection => "/filer_pb.SeaweedFiler/DeleteCollection",
        Call::SubscribeLocalMetadata => "/filer_pb.SeaweedFiler/SubscribeLocalMetadata",
        Call::ListClusterNodes => "/master_pb.Seaweed/ListClusterNodes",
        Call::VolumeGet | Call::VolumePut | Call::VolumeDelete => "/",
    }
}

async fn bounded<T>(
    address: &FilerAddress,
    bound: Duration,
    call: impl Future<Output = Result<T, Failure>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(bound, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => Err(CallError::Failed { filer: address.to_string(), failure }),
        Err(_) => Err(CallError::Timeout { filer: address.to_string(), seconds: bound.as_secs_f32() }),
    }
}

/// A call that got no answer, or an error status.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("filer {filer}: {failure}")]
    Failed { filer: String, failure: Failure },
    #[error("filer {filer} did not answer within {seconds:.1} s")]
    Timeout { filer: String, seconds: f32 },
    #[error("no filer is configured; give `-filer=host:port`")]
    NoFiler,
}

impl CallError {
    /// The code and the text of the filer's own answer.
    fn status(&self) -> Option<(Code, &str)> {
        match self {
            CallError::Failed { failure: Failure::Status(status), .. } => Some((status.code(), status.message())),
            _ => None,
        }
    }

    /// Whether the entry does not exist. SeaweedFS says so with code UNKNOWN and this text.
    pub(super) fn is_not_found(&self) -> bool {
        self.status()
            .is_some_and(|(code, text)| code == Code::NotFound || text.contains("no entry is found in filer store"))
    }

    /// Whether the filer's own answer contains this text.
    pub(super) fn says(&self, part: &str) -> bool {
        self.status().is_some_and(|(_, text)| text.contains(part))
    }

    /// Whether the connection failed, as opposed to a negative answer.
    fn is_transport(&self) -> bool {
        match self {
            CallError::Timeout { .. } => true,
            CallError::NoFiler => false,
            CallError::Failed { failure, .. } => !matches!(failure, Failure::Status(_)),
        }
    }

    /// Whether the filer answers that it cannot do it now. It answers `Cancelled` or `DeadlineExceeded` if its own call
    /// to a peer was interrupted.
    fn is_unavailable(&self) -> bool {
        let code = self.status().map(|(code, _)| code);
        matches!(code, Some(Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded))
    }

    /// Whether the filer that answers could not even connect to the filer that owns the path: no filer has carried out
    /// the request.
    pub(super) fn owner_was_not_reached(&self) -> bool {
        self.status().is_some_and(|(code, text)| code == Code::Unavailable && text.contains("Error while dialing"))
    }

    fn may_fail_over(&self, replay: Replay) -> bool {
        match replay {
            Replay::Safe => self.is_transport() || self.is_unavailable(),
            Replay::OnlyUnsent => self.was_not_sent(),
        }
    }

    /// Whether it is certain that no filer has seen the request.
    fn was_not_sent(&self) -> bool {
        matches!(self, CallError::Failed { failure: Failure::Unconnected(_), .. })
    }
}

impl From<CallError> for FilerError {
    fn from(error: CallError) -> Self {
        let is_unavailable = error.is_transport() || error.is_unavailable() || matches!(error, CallError::NoFiler);
        let text = error.to_string();
        if is_unavailable { FilerError::Unavailable(text) } else { FilerError::Other(text) }
    }
}
