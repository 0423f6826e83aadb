//! The whole path of a request, top to bottom: `answer`, `walk`, `operation` and `admit` name every door.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use access::{Arrival, Authenticated, Permit, RequestTarget, Services, World, authorize, request_context};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use iam::Snapshot;
use jiff::Timestamp;
use policy::Context;
use s3::op::PostObject;
use s3::{ExpectedOwners, Needs, Operation, Requirement, Routing, S3Error, S3ErrorCode};
use sigv4::{AuthForm, BodyCheck, ChunkedDecoder};

use crate::accept::{Answer as Answers, Connection, HEAD_BYTES_MAX};
use crate::body::{ObjectBody, Promises, ResponseBody, Source, source};
use crate::gateway::Gateway;
use crate::metrics::Metrics;
use crate::op::{self, Answer, Call};
use crate::respond::{self, Trail};
use crate::unauthenticated::Unauthenticated;
use crate::{form, pages};

/// A head on its way through the doors, with what is known of its arrival.
pub(crate) struct Visit<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) target: &'a RequestTarget<'a>,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) now: Timestamp,
}

/// Reading `/status` with the addresses inside of the cluster.
struct ReadAddresses;

impl Needs for ReadAddresses {
    fn permissions(&self) -> Vec<Requirement> {
        vec![Requirement::on_resource("iam:GetAccountSummary", "*".to_owned())]
    }
}

/// Counts a request while it is being answered, also when its client goes away.
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    fn enter(metrics: &'a Metrics) -> Self {
        metrics.in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

impl Answers for Gateway {
    async fn answer(&self, connection: Connection, request: Request<Incoming>) -> Response<ResponseBody> {
        let started = Instant::now();
        let (head, incoming) = request.into_parts();
        let waits = head.headers.contains_key(header::EXPECT);
        let (incoming, continued) = source(incoming, waits);
        let target = self.settings.addressing.target(&head, connection.peer, connection.tls);
        // At the host of a bucket every path is a key.
        let in_bucket = target.as_ref().is_ok_and(|target| target.host_bucket().is_some());
        if !in_bucket && let Some(page) = pages::page(self, &head) {
            return page;
        }
        let _counted = InFlight::enter(&self.metrics);
        let mut trail = Trail::new(respond::request_id());
        let answer = match &target {
            _ if is_too_large(&head) => Err(S3Error::new(S3ErrorCode::RequestHeaderSectionTooLarge)),
            Ok(target) if !in_bucket && pages::is_signed_status(&head) => {
                self.administrators_status(&head, target, &mut trail).await
            }
            Ok(target) => self.walk(&head, target, incoming, &mut trail).await,
            Err(error) => Err(error.clone()),
        };
        if let Err(error) = &answer
            && error.code == S3ErrorCode::SignatureDoesNotMatch
            && trail.unauthenticated.is_none()
        {
            // The signature of a chunk, found in the body.
            trail.unauthenticated = Some(Unauthenticated::new(String::new(), error));
        }
        let client = target.as_ref().map_or(connection.peer.ip(), |target| target.client.ip);
        trail.audit_signature(&self.signature_limit, client);
        let mut response = respond::respond(self, &head, answer, &trail);
        if waits && head.version < Version::HTTP_2 && !continued.load(Ordering::Relaxed) {
            // The client was never told to send its body: whatever comes next on this connection could be taken for it.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.metrics.answered(trail.operation, response.status().as_u16(), started.elapsed());
        trail.audit(&head, response.status(), started.elapsed());
        response
    }
}

impl Gateway {
    /// Who asks. What is refused leaves a line, with the key that the request names.
    fn authenticate(
        &self,
        arrival: &Arrival<'_>,
        snapshot: &Snapshot,
        trail: &mut Trail,
    ) -> Result<Authenticated, S3Error> {
        self.door.authenticate(arrival, snapshot).map_err(|error| {
            let key = match sigv4::auth_form(arrival.head) {
                Ok(AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim)) => claim.access_key_id.to_string(),
                Ok(AuthForm::HeaderV2(claim) | AuthForm::PresignedV2(claim)) => claim.access_key_id.to_string(),
                _ => String::new(),
            };
            trail.unauthenticated(key, error)
        })
    }

    /// `/status` with the addresses inside of the cluster, for those who may `iam:GetAccountSummary`.
    async fn administrators_status(&self, head: &Parts, target: &RequestTarget<'_>, trail: &mut Trail) -> Answer {
        trail.operation = "Status";
        let snapshot = self.state_for(head).await?;
        let visit = Visit { head, target, snapshot: &snapshot, now: Timestamp::now() };
        let authenticated = self.authenticate(&visit.arrival(Services::S3, None), &snapshot, trail)?;
        trail.principal = Arc::clone(&authenticated.caller.arn);
        let context = request_context(head, &authenticated, &snapshot, self.settings.region_name(), visit.now);
        let world =
            World { caller: &authenticated.caller, snapshot: &snapshot, context: &context, witness: &*self.metrics };
        match authorize(ReadAddresses.into(), world) {
            Ok(_permit) => Ok(pages::status(self, true)),
            Err(refusal) => {
                trail.refuse(&refusal);
                Err(refusal.to_error(&trail.request_id))
            }
        }
    }

    /// parse, authenticate, resolve, gather, decide, execute.
    async fn walk(&self, head: &Parts, target: &RequestTarget<'_>, incoming: Source, trail: &mut Trail) -> Answer {
        let routing = s3::route(head, target.host_bucket())?;
        trail.routed(&routing);
        let snapshot = self.state_for(head).await?;
        let visit = Visit { head, target, snapshot: &snapshot, now: Timestamp::now() };
        match routing {
            Routing::Preflight(preflight) => op::cors::preflight(self, &snapshot, &preflight),
            Routing::Query(_) => self.query(&visit, incoming, trail).await,
            Routing::S3(Operation::PostObject(post)) => self.form(&visit, post, incoming, trail).await,
            Routing::S3(operation) => self.operation(&visit, operation, incoming, trail).await,
        }
    }

    /// An upload by a browser: the form says who sends it.
    async fn form(&self, visit: &Visit<'_>, mut post: PostObject, incoming: Source, trail: &mut Trail) -> Answer {
        let form = form::read(self, visit, &post, incoming, trail).await?;
        post.read_form(form.fields)?;
        let (call, permit) = self.admit(visit, form.authenticated, post.into(), trail).await?;
        op::execute(call, permit, form.body).await
    }

    async fn operation(
        &self,
        visit: &Visit<'_>,
        mut operation: Operation,
        incoming: Source,
        trail: &mut Trail,
    ) -> Answer {
        let authenticated = self.authenticate(&visit.arrival(Services::S3, None), visit.snapshot, trail)?;
        let mut body = self.body(visit, &authenticated, &operation, incoming)?;
        if let Some(limit) = operation.body_limit() {
            self.require_a_chance(visit, &authenticated, &operation, trail)?;
            let document = body.read_all(limit as u64).await?;
            if let Err(error) = operation.read_body(&document) {
                // Callers who may not ask at all learn that, and not what is wrong with the document.
                self.admit(visit, authenticated, operation, trail).await?;
                return Err(error);
            }
        }
        let (call, permit) = self.admit(visit, authenticated, operation, trail).await?;
        op::execute(call, permit, body).await
    }

    /// Before a body is read for the decision: who has no permission for the operation, whatever the body says, is refused.
    fn require_a_chance(
        &self,
        visit: &Visit<'_>,
        authenticated: &Authenticated,
        operation: &Operation,
        trail: &mut Trail,
    ) -> Result<(), S3Error> {
        // DeleteObjects answers authenticated callers for each key, as on AWS.
        let each_key = matches!(operation, Operation::DeleteObjects(_)) && !authenticated.caller.is_anonymous();
        if each_key {
            return Ok(());
        }
        let any_of = operation.first_needs();
        let context = self.context(visit, authenticated);
        let (caller, snapshot) = (&authenticated.caller, visit.snapshot);
        let world = access::World { caller, snapshot, context: &context, witness: &*self.metrics };
        access::could_act(&any_of, world).map_err(|refusal| {
            trail.principal = Arc::clone(&caller.arn);
            trail.refuse(&refusal);
            refusal.to_error(&trail.request_id)
        })
    }

    /// The condition keys of every request.
    fn context(&self, visit: &Visit<'_>, authenticated: &Authenticated) -> Context {
        request_context(visit.head, authenticated, visit.snapshot, self.settings.region_name(), visit.now)
    }

    /// resolve, gather, decide: a permit comes out, with the call that it is for.
    async fn admit<'a>(
        &'a self,
        visit: &Visit<'a>,
        authenticated: Authenticated,
        operation: Operation,
        trail: &mut Trail,
    ) -> Result<(Call<'a>, Permit<Operation>), S3Error> {
        trail.principal = Arc::clone(&authenticated.caller.arn);
        let mut context = self.context(visit, &authenticated);
        s3::set_condition_keys(&operation, visit.head, Some(visit.now.as_second()), &mut context)?;
        // Legacy actions of SeaweedFS speak of operations where AWS's speak of permissions.
        context.set("kelpgate:Operation", operation.name());
        let bucket = operation.bucket().and_then(|name| visit.snapshot.bucket(name.as_str()));
        let bucket = bucket.filter(|bucket| bucket.is_there(visit.now.as_second())).map(Arc::clone);
        if let Some(bucket) = &bucket {
            context.set("s3:ResourceAccount", bucket.account.as_str());
            context.set("aws:ResourceAccount", bucket.account.as_str());
        }
        let call = Call {
            gateway: self,
            snapshot: visit.snapshot,
            caller: authenticated.caller,
            bucket,
            now: visit.now,
            context,
            request_id: trail.request_id.clone(),
        };
        let permit = call.authorize(operation).await.map_err(|denied| trail.denied(&denied))?;
        owners_account(permit.operation(), &call)?;
        expected_owners(visit.head, permit.operation(), &call)?;
        trail.decision = Some(*permit.decision());
        Ok((call, permit))
    }

    /// The body with every promise that its head makes.
    fn body(
        &self,
        visit: &Visit<'_>,
        authenticated: &Authenticated,
        operation: &Operation,
        incoming: Source,
    ) -> Result<ObjectBody, S3Error> {
        let decoder = ChunkedDecoder::of(visit.head, authenticated.payload, authenticated.seed.clone())
            .map_err(access::from_signature)?;
        let promised = operation.checksums().map(Promises::of).transpose()?;
        let plain = decoder.is_none();
        let length = operation.upload();
        let promises = Promises {
            sha256: plain.then(|| BodyCheck::new(authenticated.payload)),
            decoder,
            length: length.and_then(|length| if plain { length.on_the_wire } else { length.decoded }),
            ..promised.unwrap_or_default()
        };
        let limit = self.settings.max_body_bytes;
        if promises.length.is_some_and(|length| length > limit) {
            let error = S3Error::new(S3ErrorCode::EntityTooLarge);
            return Err(error.field("MaxSizeAllowed", limit.to_string()));
        }
        let place = length.map(|_| self.upload_limits.enter(promises.length)).transpose()?;
        let mut body = ObjectBody::new(incoming, promises, limit, self.settings.body_patience);
        if let Some(place) = place {
            body.hold(place);
        }
        Ok(body)
    }

    /// IAM and STS: the body names the action, so it is read and bound before anything is believed.
    async fn query(&self, visit: &Visit<'_>, incoming: Source, trail: &mut Trail) -> Answer {
        let answer = self.query_authenticated(visit, incoming, trail).await;
        answer.or_else(|error| Ok(respond::query_error(self, visit.head, &error, &trail.request_id)))
    }

    async fn query_authenticated(&self, visit: &Visit<'_>, incoming: Source, trail: &mut Trail) -> Answer {
        let promises = Promises::default();
        let mut body = ObjectBody::new(incoming, promises, 1 << 20, self.settings.body_patience);
        let body: Bytes = if visit.head.method == Method::POST { body.read_all(1 << 20).await? } else { Bytes::new() };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let body_sha256 = digest.as_ref().try_into().ok();
        let arrival = visit.arrival(Services::Query, body_sha256);
        let authenticated = self.authenticate(&arrival, visit.snapshot, trail)?;
        trail.principal = authenticated.caller.arn.clone();
        let context = self.context(visit, &authenticated);
        let parameters = crate::query::parameters(visit.head.uri.query(), &body)?;
        let call = crate::query::QueryCall {
            caller: authenticated.caller,
            parameters,
            context,
            service: authenticated.service,
            request_id: trail.request_id.clone(),
            now: visit.now,
            witness: Arc::clone(&self.metrics) as Arc<dyn access::Witness>,
        };
        trail.operation = call.operation();
        Ok(self.query_api.answer(call).await)
    }
}

/// HTTP/2 refuses such heads before they are read whole; for HTTP/1 hyper's own bound is six times as much.
fn is_too_large(head: &Parts) -> bool {
    let target = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>() > HEAD_BYTES_MAX as usize
}

/// Who was given a right on the bucket of another account may use it, and not hand it on or lock the owner out.
fn owners_account(operation: &Operation, call: &Call<'_>) -> Result<(), S3Error> {
    let Some(bucket) = call.bucket.as_ref().filter(|_| operation.is_for_owners_account()) else { return Ok(()) };
    // An anonymous caller belongs to no account.
    if call.caller.principal.account() == Some(bucket.account) {
        return Ok(());
    }
    let message = format!("Only identities of the account that owns the bucket may call {}", operation.name());
    Err(S3Error::with_message(S3ErrorCode::MethodNotAllowed, message))
}

/// `x-amz-expected-bucket-owner` and its relative for sources guard a client against a bucket of somebody else.
fn expected_owners(head: &Parts, operation: &Operation, call: &Call<'_>) -> Result<(), S3Error> {
    let in_query = head.uri.query().is_some_and(|query| query.to_ascii_lowercase().contains("expected-bucket-owner"));
    let in_headers = head.headers.keys().any(|name| name.as_str().ends_with("expected-bucket-owner"));
    if !in_query && !in_headers {
        return Ok(());
    }
    let expected = ExpectedOwners::parse(head)?;
    if let Some(bucket) = &call.bucket {
        expected.check_target(bucket.account.as_str())?;
    }
    let source = operation.copy_source().and_then(|source| call.snapshot.bucket(source.bucket.as_str()));
    source.map_or(Ok(()), |bucket| expected.check_source(bucket.account.as_str()))
}

impl<'a> Visit<'a> {
    /// The request as it stands before the door.
    pub(crate) fn arrival(&self, services: Services, body_sha256: Option<[u8; 32]>) -> Arrival<'a> {
        Arrival { head: self.head, target: self.target, now: self.now, services, body_sha256 }
    }
}
