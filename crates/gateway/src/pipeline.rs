//! The whole path of a request, from top to bottom: `answer`, `walk`, `operation` and `admit` name every step.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use access::{
    AuditedCaller, Authenticated, DecisionInput, Permit, Refusal, RequestTarget, Resolved, Services, UnverifiedRequest,
    authorize, request_context, resource_account_keys,
};
use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use iam::{Caller, Snapshot};
use jiff::Timestamp;
use policy::Context;
use s3::op::PostObject;
use s3::{ExpectedOwners, Needs, Operation, QueryString, Requirement, Routing, S3Error, S3ErrorCode};
use sigv4::{AuthForm, BodyCheck, ChunkedDecoder};

use crate::accept::{Answer as Answers, Connection, HEAD_BYTES_MAX};
use crate::arrived::Arrived;
use crate::audited::{self, Audited};
use crate::body::{ExpectedBody, ObjectBody, ResponseBody, Source, source};
use crate::connections::Place;
use crate::errors::from_filer;
use crate::gateway::Gateway;
use crate::keep_alive::{self, Early, Work};
use crate::limits::user_of;
use crate::metrics::Metrics;
use crate::op::{self, Answer, Call, Denied, LookedAt};
use crate::rate_limits::Limited;
use crate::respond;
use crate::trail::{Trail, target_of};
use crate::unauthenticated::Unauthenticated;
use crate::visit::Visit;
use crate::{client_certificate, form, pages, requester_pays, traced};

/// The permission to read `/status` with the addresses inside the cluster.
struct ReadAddresses;

impl Needs for ReadAddresses {
    fn permissions(&self) -> Vec<Requirement> {
        vec![Requirement::on_resource("iam:GetAccountSummary", "*".to_owned())]
    }
}

/// The permission to read what was decided about other callers, by which policies: that to read all policies.
struct ReadDecisions;

impl Needs for ReadDecisions {
    fn permissions(&self) -> Vec<Requirement> {
        vec![Requirement::on_resource("iam:GetAccountAuthorizationDetails", "*".to_owned())]
    }
}

/// Counts a request while it is being answered, even if its client goes away.
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
    fn place(&self, peer: IpAddr) -> Option<Place> {
        let address = Some(peer).filter(|peer| !self.settings.addressing.is_trusted_proxy(*peer));
        let entered = self.connections.enter(address);
        entered.map_err(|limit| self.metrics.refused_connection(limit)).ok()
    }

    async fn answer(self: Arc<Self>, connection: Connection, request: Request<Incoming>) -> Response<ResponseBody> {
        let (head, incoming) = request.into_parts();
        let early = keep_alive::may_take_long(&head).then(Arc::<Early>::default);
        let span = self.tracer.begin(&head.headers);
        if early.is_none() && span.is_none() {
            return self.answer_fully(connection, head, incoming, None).await;
        }
        let (gateway, allowed) = (Arc::clone(&self), early.clone());
        let work = async move { gateway.answer_fully(connection, head, incoming, allowed).await };
        let work: Work = match span {
            Some(span) => Box::pin(traced::answering(self, span, Box::pin(work))),
            None => Box::pin(work),
        };
        match early {
            Some(early) => keep_alive::kept_alive(work, early).await,
            None => work.await,
        }
    }
}

impl Gateway {
    /// The whole answer. `early` is there for requests that may take long: they allow their answer to begin.
    async fn answer_fully(
        &self,
        connection: Connection,
        head: Parts,
        incoming: Incoming,
        early: Option<Arc<Early>>,
    ) -> Response<ResponseBody> {
        let (started, time) = (Instant::now(), Timestamp::now());
        let waits = head.headers.contains_key(header::EXPECT);
        let (incoming, continued) = source(incoming, waits);
        let target = self.settings.addressing.target(&head, connection.peer, connection.tls);
        let website = target.as_ref().ok().and_then(|target| self.website_of(target));
        // At the host of a bucket every path is a key.
        let in_bucket = website.is_some() || target.as_ref().is_ok_and(|target| target.host_bucket().is_some());
        if !in_bucket && let Some(page) = pages::page(self, &head) {
            return page;
        }
        let _counted = InFlight::enter(&self.metrics);
        let client = target.as_ref().map_or(connection.peer.ip(), |target| target.client.ip);
        let arrived = Arrived { head: &head, connection, client, time, started };
        let mut audited = Audited::new(self, arrived, Trail::new(self, early));
        let may_run = audited.may_run();
        let trail = &mut audited.trail;
        let may_run = may_run.and_then(|()| self.limited(trail.limits.enter_address(client)));
        let answer = match &target {
            _ if let Err(error) = may_run => Err(error),
            _ if is_too_large(&head) => Err(S3Error::new(S3ErrorCode::RequestHeaderSectionTooLarge)),
            Err(error) => Err(error.clone()),
            Ok(target) if !in_bucket && pages::is_signed_status(&head) => {
                self.administrators_status(&head, target, time, trail).await
            }
            Ok(target) => match &website {
                Some(bucket) => self.website(&head, target, bucket, time, trail).boxed().await,
                None => self.walk(&head, target, time, incoming, trail).await,
            },
        };
        if let Err(error) = &answer {
            trail.failed(error);
            if error.code == S3ErrorCode::SignatureDoesNotMatch && trail.unauthenticated.is_none() {
                // The signature of a chunk, which is checked in the body.
                trail.unauthenticated = Some(Unauthenticated::new(String::new(), error));
            }
        }
        if let Some(refused) = &trail.unauthenticated {
            self.metrics.unauthenticated(refused.code);
        }
        trail.audit_signature(&self.signature_limit, client);
        let mut response = respond::respond(self, &head, answer, trail);
        if waits && head.version < Version::HTTP_2 && !continued.load(Ordering::Relaxed) {
            // The client was never told to send its body, so whatever comes next on this connection could be mistaken
            // for it.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        trail.limits.pay(bytes_of(&head, &response));
        self.metrics.answered(trail.operation, response.status().as_u16(), started.elapsed());
        audited.answered(response).await
    }

    /// Authenticates the caller, for the audit record too. A refusal is logged, with the key that the request names.
    fn authenticate(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
        trail: &mut Trail,
    ) -> Result<Authenticated, S3Error> {
        let authenticated = self.authenticator.authenticate(unverified, snapshot);
        let authenticated = authenticated.map_err(|error| trail.refused(unverified, error))?;
        trail.caller = AuditedCaller::of(&authenticated.caller);
        self.limit(&authenticated.caller, trail)?;
        Ok(authenticated)
    }

    /// Authenticates the caller of an S3 operation, by a signature or by the token of an identity provider.
    async fn caller_of(&self, visit: &Visit<'_>, trail: &mut Trail) -> Result<Authenticated, S3Error> {
        let Ok(AuthForm::Bearer(token)) = &visit.form else {
            return self.authenticate(&visit.unverified(Services::S3, None), &visit.snapshot, trail);
        };
        let authenticated = self.authenticate_bearer(visit, token.expose(), trail).await;
        let authenticated = authenticated.map_err(|error| trail.unauthenticated(String::new(), error))?;
        trail.caller = AuditedCaller::of(&authenticated.caller);
        self.limit(&authenticated.caller, trail)?;
        Ok(authenticated)
    }

    /// Counts the request against the limits of its caller.
    fn limit(&self, caller: &Caller, trail: &mut Trail) -> Result<(), S3Error> {
        let key = caller.access_key_id.as_ref();
        self.limited(trail.limits.enter_caller(key.map(|key| key.as_str()), user_of(caller)))
    }

    /// Counts a refusal by a limit.
    fn limited(&self, entered: Result<(), Limited>) -> Result<(), S3Error> {
        entered.map_err(|limited| {
            self.metrics.limited(limited.limit);
            limited.into()
        })
    }

    /// `/status` with the addresses inside the cluster, for callers who may `iam:GetAccountSummary`; with `?decision=ID` the
    /// record of a refusal, for callers who may `iam:GetAccountAuthorizationDetails`.
    async fn administrators_status(
        &self,
        head: &Parts,
        target: &RequestTarget<'_>,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Answer {
        trail.operation = "Status";
        let visit = self.visit(head, target, now, trail).await?;
        let authenticated = self.authenticate(&visit.unverified(Services::S3, None), &visit.snapshot, trail)?;
        let (caller, snapshot) = (&authenticated.caller, &*visit.snapshot);
        let context = self.context(&visit, &authenticated)?;
        let input = DecisionInput { caller, snapshot, context: &context, observer: &*trail.decisions };
        let refused = |refusal: Box<Refusal>| refusal.to_error(&trail.request_id);
        let asked = QueryString::parse(head.uri.query())?;
        match asked.get("decision") {
            None => authorize(ReadAddresses.into(), input).map(|_permit| pages::status(self, true)).map_err(refused),
            Some(id) => {
                let _permit = authorize(ReadDecisions.into(), input).map_err(refused)?;
                pages::decision(self, id)
            }
        }
    }

    /// What every request is decided by: how it says who asks, the access rules of this moment, the time.
    pub(crate) async fn visit<'a>(
        &self,
        head: &'a Parts,
        target: &'a RequestTarget<'a>,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Visit<'a>, S3Error> {
        let form = sigv4::auth_form(head);
        trail.signature = Some(audited::signature(&form));
        let snapshot = self.state_for(head, &form, now).await?;
        trail.revision = snapshot.revision();
        Ok(Visit { head, form, target, snapshot, now })
    }

    /// parse, authenticate, resolve, gather, decide, execute.
    async fn walk(
        &self,
        head: &Parts,
        target: &RequestTarget<'_>,
        now: Timestamp,
        incoming: Source,
        trail: &mut Trail,
    ) -> Answer {
        let query = trail.query.insert(QueryString::parse(head.uri.query())?);
        let routing = s3::route_with(head, query, target.host_bucket())?;
        trail.routed(&routing);
        if let Routing::S3(operation) = &routing {
            self.require_storable(operation)?;
        }
        let visit = self.visit(head, target, now, trail).await?;
        match routing {
            Routing::Preflight(preflight) => op::cors::preflight(self, &visit.snapshot, &preflight),
            // Boxed, because the future of a request is moved a few times before it runs.
            Routing::Query(_) => self.query(&visit, incoming, trail).boxed().await,
            Routing::S3(Operation::PostObject(post)) => self.form(&visit, post, incoming, trail).boxed().await,
            Routing::S3(operation) => self.operation(&visit, operation, incoming, trail).boxed().await,
        }
    }

    /// An upload by a browser: the form identifies the caller.
    async fn form(&self, visit: &Visit<'_>, mut post: PostObject, incoming: Source, trail: &mut Trail) -> Answer {
        let mut form = form::read(self, visit, &post, incoming, trail).await?;
        self.limit(&form.authenticated.caller, trail)?;
        post.read_form(form.fields)?;
        let bytes = post.content_length;
        let post: Operation = post.into();
        self.require_storable(&post)?;
        trail.target = target_of(&post);
        let (call, permit) = self.admit(visit, form.authenticated, post, trail).await?;
        form.body.hold(self.upload_limits.enter(user_of(&call.caller), bytes)?);
        op::execute(call, permit, form.body).await
    }

    pub(crate) async fn operation(
        &self,
        visit: &Visit<'_>,
        mut operation: Operation,
        incoming: Source,
        trail: &mut Trail,
    ) -> Answer {
        let authenticated = self.caller_of(visit, trail).await?;
        let mut body = self.body(visit, &authenticated, &operation, incoming)?;
        let mut read = Ok(());
        if let Some(limit) = operation.body_limit() {
            self.require_a_chance(visit, &authenticated, &operation, trail)?;
            let document = body.read_all(limit as u64).await?;
            read = operation.read_body(&document);
        }
        let (call, permit) = self.admit(visit, authenticated, operation, trail).await?;
        // Callers without any permission learn only that, and not what is wrong with the document.
        read?;
        if permit.operation().upload().is_some() {
            // Who may not upload takes no place, and does not count as waiting for one.
            body.hold(self.upload_limits.enter(user_of(&call.caller), body.expected_bytes())?);
        }
        if let Some(early) = &trail.early {
            early.prepare(respond::early_headers(self, visit.head, trail));
        }
        op::execute(call, permit, body).await
    }

    /// Refuses a key that the filer cannot store.
    fn require_storable(&self, operation: &Operation) -> Result<(), S3Error> {
        let storable = operation.key().map(|key| bucket::names::require_storable(&self.filer_configuration, key));
        storable.unwrap_or(Ok(())).map_err(from_filer)
    }

    /// Refuses to store more in a bucket that is over its quota, before the body is read.
    async fn require_room(&self, operation: &Operation) -> Result<(), S3Error> {
        let stores =
            operation.upload().is_some() || operation.copy_source().is_some() || operation.makes_missing_bucket();
        let Some(bucket) = operation.bucket().filter(|_| stores) else { return Ok(()) };
        let path = format!("{}/", self.directory(bucket.as_str()).path());
        self.filer.accepts(&path).await.map_err(from_filer)
    }

    /// Before a body is read for the decision, refuses callers who have no permission for the operation, whatever the
    /// body says.
    fn require_a_chance(
        &self,
        visit: &Visit<'_>,
        authenticated: &Authenticated,
        operation: &Operation,
        trail: &mut Trail,
    ) -> Result<(), S3Error> {
        // DeleteObjects gives authenticated callers an answer for each key, as on AWS.
        let each_key = matches!(operation, Operation::DeleteObjects(_)) && !authenticated.caller.is_anonymous();
        if each_key {
            return Ok(());
        }
        let any_of = operation.first_needs();
        let context = self.context(visit, authenticated)?;
        let (caller, snapshot) = (&authenticated.caller, &*visit.snapshot);
        let decision_input = DecisionInput { caller, snapshot, context: &context, observer: &*trail.decisions };
        access::could_act(&any_of, decision_input).map_err(|refusal| refusal.to_error(&trail.request_id))
    }

    /// The condition keys of every request. Fails for values that are too long: nothing is decided with them.
    pub(crate) fn context(&self, visit: &Visit<'_>, authenticated: &Authenticated) -> Result<Context, S3Error> {
        let region = self.settings.region_name();
        Ok(request_context(visit.head, authenticated, &visit.snapshot, region, visit.now)?)
    }

    /// resolve, gather, decide: returns a permit, and the call to which it belongs.
    async fn admit<'a>(
        &'a self,
        visit: &'a Visit<'_>,
        authenticated: Authenticated,
        operation: Operation,
        trail: &mut Trail,
    ) -> Result<(Box<Call<'a>>, Permit<Operation>), S3Error> {
        let mut context = self.context(visit, &authenticated)?;
        s3::set_condition_keys(&operation, visit.head, Some(visit.now.as_second()), &mut context)?;
        // SeaweedFS's legacy actions are about operations, those of AWS about permissions.
        context.set("kelpgate:Operation", operation.name());
        let bucket = operation.bucket().and_then(|name| visit.snapshot.bucket(name.as_str()));
        let bucket = bucket.filter(|bucket| bucket.is_there(visit.now.as_second())).map(Arc::clone);
        if let Some(bucket) = &bucket {
            resource_account_keys(&bucket.account).into_iter().for_each(|(key, account)| context.set(key, account));
        }
        // Boxed, because it is moved a few times until the operation runs.
        let call = Box::new(Call {
            gateway: self,
            snapshot: &visit.snapshot,
            target: visit.target,
            caller: authenticated.caller,
            bucket,
            now: visit.now,
            context,
            decisions: Arc::clone(&trail.decisions),
            request_id: trail.request_id.clone(),
            early: trail.early.clone(),
            looked_at: LookedAt::default(),
        });
        let permit = call.authorize(operation).await.map_err(|denied| denied.to_error(&trail.request_id))?;
        if let Some(bucket) = permit.operation().bucket() {
            // Who may not use the bucket does not use up its limit.
            self.limited(trail.limits.enter_bucket(bucket.as_str()))?;
        }
        self.require_room(permit.operation()).await?;
        owners_account(permit.operation(), &call)?;
        expected_owners(visit.head, permit.operation(), &call)?;
        requester_pays::require_agreement(visit.head, permit.operation(), &call)?;
        Ok((call, permit))
    }

    /// The body, and everything in the head that it is compared with.
    fn body(
        &self,
        visit: &Visit<'_>,
        authenticated: &Authenticated,
        operation: &Operation,
        incoming: Source,
    ) -> Result<ObjectBody, S3Error> {
        let decoder = ChunkedDecoder::of(visit.head, authenticated.payload, authenticated.seed.clone())
            .map_err(access::from_signature)?;
        let promised = operation.checksums().map(ExpectedBody::of).transpose()?;
        let plain = decoder.is_none();
        let length = operation.upload();
        let expected = ExpectedBody {
            sha256: plain.then(|| BodyCheck::new(authenticated.payload)),
            decoder: decoder.map(Box::new),
            length: length.and_then(|length| if plain { length.on_the_wire } else { length.decoded }),
            ..promised.unwrap_or_default()
        };
        let limit = self.settings.max_body_bytes;
        if expected.length.is_some_and(|length| length > limit) {
            let error = S3Error::new(S3ErrorCode::EntityTooLarge);
            return Err(error.field("MaxSizeAllowed", limit.to_string()));
        }
        Ok(ObjectBody::new(incoming, expected, limit, self.settings.body_patience))
    }

    /// IAM and STS: the body names the action, so it is read and its hash verified before anything is trusted.
    async fn query(&self, visit: &Visit<'_>, incoming: Source, trail: &mut Trail) -> Answer {
        let answer = self.query_authenticated(visit, incoming, trail).await;
        answer.or_else(|error| {
            trail.failed(&error);
            Ok(respond::query_error(self, visit.head, &error, &trail.request_id))
        })
    }

    async fn query_authenticated(&self, visit: &Visit<'_>, incoming: Source, trail: &mut Trail) -> Answer {
        let body = self.query_body(visit, incoming, trail).await?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let body_sha256 = digest.as_ref().try_into().ok();
        let unverified = visit.unverified(Services::Query, body_sha256);
        let authenticated = self.authenticate(&unverified, &visit.snapshot, trail)?;
        let context = self.context(visit, &authenticated)?;
        let parameters = crate::query::parameters(visit.head.uri.query(), &body)?;
        let label = self.query_api.label(parameters.get("Action").unwrap_or_default());
        trail.operation = label.unwrap_or(trail.operation);
        if trail.decisions.keeps_all() {
            trail.parameters = Some(access::shown_parameters(parameters.iter(), true));
        }
        let certificate = client_certificate::of_call(&parameters, visit);
        let call = crate::query::QueryCall {
            caller: authenticated.caller,
            parameters,
            context,
            request_id: trail.request_id.clone(),
            now: visit.now,
            observer: Arc::clone(&trail.decisions) as Arc<dyn access::DecisionObserver>,
            certificate,
        };
        Ok(self.query_api.answer(call).await)
    }
}

impl Call<'_> {
    /// resolve, gather, decide, for each permit of a request: that of its operation, and those of the keys of DeleteObjects
    /// and of a missing bucket. Object tags are read from the filer only if a policy that could apply
    /// tests them, owner and ACL of an object only where they count.
    pub async fn authorize<Op: Needs>(&self, operation: Op) -> Result<Permit<Op>, Denied> {
        self.looked_at.clear();
        let mut resolved = Resolved::from(operation);
        for object in resolved.asks_for_tags_of(self.decision_input()) {
            resolved.set_tags(&object, &self.tags_of(&object).boxed().await?);
        }
        let mut missing = None;
        for object in resolved.asks_for_acl_of(self.decision_input()) {
            match self.existing_object(&object).boxed().await? {
                Some(existing) => resolved.set_object(&object, &existing),
                None => missing = Some(object),
            }
        }
        access::authorize(resolved, self.decision_input()).map_err(|refusal| self.or_missing(refusal, missing))
    }

    /// A permit for another attempt: the object that the first one was decided on has changed, and so may the decision.
    pub async fn authorize_again<Op: Needs>(&self, permit: Permit<Op>) -> Result<Permit<Op>, S3Error> {
        self.authorize(permit.into_operation()).await.map_err(|denied| denied.to_error(&self.request_id))
    }
}

/// HTTP/2 refuses such heads before they are completely read. For HTTP/1, hyper's own limit is six times as high.
fn is_too_large(head: &Parts) -> bool {
    let target = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>() > HEAD_BYTES_MAX as usize
}

/// The bytes of the bodies of a request and its answer, as they announce them; none if it was refused.
fn bytes_of(head: &Parts, response: &Response<ResponseBody>) -> u64 {
    if !response.status().is_success() {
        return 0;
    }
    let sent = response.body().size_hint().exact().unwrap_or_default();
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0_u64).saturating_add(sent)
}

/// A caller with a permission on another account's bucket may use it, but may not pass it on or lock the owner out.
fn owners_account(operation: &Operation, call: &Call<'_>) -> Result<(), S3Error> {
    let Some(bucket) = call.bucket.as_ref().filter(|_| operation.is_for_owners_account()) else { return Ok(()) };
    // An anonymous caller does not belong to any account.
    if call.caller.principal.account() == Some(bucket.account) {
        return Ok(());
    }
    let message = format!("Only identities of the account that owns the bucket may call {}", operation.name());
    Err(S3Error::with_message(S3ErrorCode::MethodNotAllowed, message))
}

/// The end of the names of both headers.
const EXPECTED_OWNER: &str = "expected-bucket-owner";

/// Whether a parameter may be one of these headers. A name with escapes may be any.
fn may_name_owner((name, _): (&str, &str)) -> bool {
    let end = name.len().checked_sub(EXPECTED_OWNER.len()).and_then(|at| name.get(at..));
    name.contains('%') || end.is_some_and(|end| end.eq_ignore_ascii_case(EXPECTED_OWNER))
}

/// `x-amz-expected-bucket-owner` and its counterpart for sources protect a client from someone else's bucket.
fn expected_owners(head: &Parts, operation: &Operation, call: &Call<'_>) -> Result<(), S3Error> {
    let in_query = head.uri.query().is_some_and(|query| ids::query_pairs(query).any(may_name_owner));
    let in_headers = head.headers.keys().any(|name| name.as_str().ends_with(EXPECTED_OWNER));
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
