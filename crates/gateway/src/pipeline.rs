//! The whole path of a request, from top to bottom: `answer_fully`, `process`, `operation` and `admit` name every step.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use access::{
    AuditedCaller, Authenticated, DecisionInput, Permit, RequestTarget, Resolved, Services, UnverifiedRequest,
    request_context, resource_account_keys,
};
use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use iam::{Caller, Snapshot};
use jiff::Timestamp;
use policy::Context;
use s3::op::PostObject;
use s3::{Needs, Operation, QueryString, Routing, S3Error, S3ErrorCode};
use sigv4::AuthForm;

use crate::accept::{Connection, Handler, is_too_large};
use crate::admitted_upload::AdmittedUpload;
use crate::arrived::Arrived;
use crate::audited::Audited;
use crate::body::{ObjectBody, ResponseBody, Source, source};
use crate::connections::ConnectionSlot;
use crate::decisions::Decisions;
use crate::detached;
use crate::errors::from_filer;
use crate::gateway::Gateway;
use crate::keep_alive::{self, EarlyResponse, Work};
use crate::limits::user_of;
use crate::metrics::Metrics;
use crate::op::{self, Answer, Call, DecidedObjects, Denied};
use crate::rate_limits::{Limited, RequestCharges};
use crate::request_facts::{RequestFacts, SeenSignature, target_of};
use crate::request_scope::RequestScope;
use crate::respond;
use crate::unauthenticated::Unauthenticated;
use crate::{client_certificate, form, ownership, pages, requester_pays, traced};

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

impl Handler for Gateway {
    fn slot(&self, peer: IpAddr) -> Option<ConnectionSlot> {
        let address = Some(peer).filter(|peer| !self.settings.addressing.is_trusted_proxy(*peer));
        let entered = self.connections.enter(address);
        entered.map_err(|limit| self.metrics.refused_connection(limit)).ok()
    }

    async fn handle(self: Arc<Self>, connection: Connection, request: Request<Incoming>) -> Response<ResponseBody> {
        let (head, incoming) = request.into_parts();
        let early = keep_alive::may_take_long(&head).then(Arc::<EarlyResponse>::default);
        let span = self.tracer.begin(&head.headers);
        let only_reads = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if only_reads && span.is_none() {
            return self.answer_fully(connection, head, incoming, None).await;
        }
        let (gateway, allowed) = (Arc::clone(&self), early.clone());
        let work = async move { gateway.answer_fully(connection, head, incoming, allowed).await };
        let work: Work = match span {
            Some(span) => Box::pin(traced::answering(self, span, Box::pin(work))),
            None => Box::pin(work),
        };
        let work = if only_reads { work } else { detached::finished_in_any_case(work) };
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
        early: Option<Arc<EarlyResponse>>,
    ) -> Response<ResponseBody> {
        let (started, time) = (Instant::now(), Timestamp::now());
        let waits = head.headers.contains_key(header::EXPECT);
        let charges = RequestCharges::new(self.rate_limits.load_full());
        let (incoming, continued) = source(incoming, waits, charges.meter().clone());
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
        let mut audited = Audited::new(self, arrived, RequestFacts::new(self, early, charges));
        let may_run = audited.may_run();
        let facts = &mut audited.facts;
        let may_run = may_run.and_then(|()| self.limited(facts.limits.enter_address(client)));
        let answer = match &target {
            _ if let Err(error) = may_run => Err(error),
            _ if is_too_large(&head) => Err(S3Error::new(S3ErrorCode::RequestHeaderSectionTooLarge)),
            Err(error) => Err(error.clone()),
            Ok(target) if !in_bucket && pages::is_signed_status(&head) => {
                self.administrators_status(&head, target, time, facts).await
            }
            Ok(target) => match &website {
                Some(bucket) => self.website(&head, target, bucket, time, facts).boxed().await,
                None => self.process(&head, target, time, incoming, facts).await,
            },
        };
        if let Err(error) = &answer {
            facts.failed(error);
            if error.code == S3ErrorCode::SignatureDoesNotMatch && facts.unauthenticated.is_none() {
                // The signature of a chunk, which is checked in the body. That of the head was right.
                let key = facts.caller.access_key_id.as_ref().map(ToString::to_string);
                facts.unauthenticated = Some(Unauthenticated::new(key.unwrap_or_default(), error));
            }
        }
        if let Some(refused) = &facts.unauthenticated {
            self.metrics.unauthenticated(refused.code);
        }
        facts.audit_signature(&self.signature_limit, client);
        let response = respond::respond(self, &head, answer, facts);
        let mut response = response.map(|body| body.metered(facts.limits.meter()));
        if waits && head.version < Version::HTTP_2 && !continued.load(Ordering::Relaxed) {
            // The client was never told to send its body, so whatever comes next on this connection could be mistaken
            // for it.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.metrics.answered(facts.operation, response.status().as_u16(), started.elapsed());
        audited.answered(response).await
    }

    /// Authenticates the caller, for the audit record too. A refusal is logged, with the key that the request names.
    pub(crate) fn authenticate(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
        facts: &mut RequestFacts,
    ) -> Result<Authenticated, S3Error> {
        let authenticated = self.authenticator.authenticate(unverified, snapshot);
        let authenticated = authenticated.map_err(|error| facts.refused(unverified, error))?;
        facts.caller = AuditedCaller::of(&authenticated.caller);
        Ok(authenticated)
    }

    /// Authenticates the caller of an S3 operation, by a signature or by the token of an identity provider.
    async fn caller_of(&self, scope: &RequestScope<'_>, facts: &mut RequestFacts) -> Result<Authenticated, S3Error> {
        let Ok(AuthForm::Bearer(token)) = &scope.form else {
            return self.authenticate(&scope.unverified(Services::S3, None), &scope.snapshot, facts);
        };
        let authenticated = self.authenticate_bearer(scope, token.expose(), &facts.request_id, &facts.decisions).await;
        let authenticated = authenticated.map_err(|error| facts.unauthenticated(String::new(), error))?;
        facts.caller = AuditedCaller::of(&authenticated.caller);
        Ok(authenticated)
    }

    /// Counts the request against the limits of its caller.
    pub(crate) fn limit(&self, caller: &Caller, facts: &mut RequestFacts) -> Result<(), S3Error> {
        let key = caller.access_key_id.as_ref();
        self.limited(facts.limits.enter_caller(key.map(|key| key.as_str()), user_of(caller)))
    }

    /// Counts a refusal by a limit.
    fn limited(&self, entered: Result<(), Limited>) -> Result<(), S3Error> {
        entered.map_err(|limited| {
            self.metrics.limited(limited.limit);
            limited.into()
        })
    }

    /// Collects what every decision needs: the claimed identity, the current state and the time.
    pub(crate) async fn scope<'a>(
        &self,
        head: &'a Parts,
        target: &'a RequestTarget<'a>,
        now: Timestamp,
        facts: &mut RequestFacts,
    ) -> Result<RequestScope<'a>, S3Error> {
        let form = sigv4::auth_form(head);
        facts.signature = SeenSignature::of(&form);
        let snapshot = self.state_for(head, &form, now).await?;
        facts.snapshot = Some(Arc::clone(&snapshot));
        Ok(RequestScope { head, form, target, snapshot, now })
    }

    /// The request in the present state; `None` if that is still the one of `scope`. After waiting for something that the client
    /// sends, a permission may have been taken away, and that change was acknowledged.
    pub(crate) async fn renewed<'a>(
        &self,
        scope: &RequestScope<'a>,
        facts: &mut RequestFacts,
    ) -> Result<Option<RequestScope<'a>>, S3Error> {
        let snapshot = self.state_for(scope.head, &scope.form, scope.now).await?;
        if Arc::ptr_eq(&snapshot, &scope.snapshot) {
            return Ok(None);
        }
        facts.snapshot = Some(Arc::clone(&snapshot));
        Ok(Some(scope.in_state(snapshot)))
    }

    /// Parses and authenticates the request, resolves its bucket, gathers its condition keys, decides, and runs the operation.
    async fn process(
        &self,
        head: &Parts,
        target: &RequestTarget<'_>,
        now: Timestamp,
        incoming: Source,
        facts: &mut RequestFacts,
    ) -> Answer {
        let query = facts.query.insert(QueryString::parse(head.uri.query())?);
        let routing = s3::route_with(head, query, target.host_bucket())?;
        facts.routed(&routing);
        if let Routing::S3(operation) = &routing {
            self.require_storable(operation)?;
        }
        let scope = self.scope(head, target, now, facts).await?;
        match routing {
            Routing::Preflight(preflight) => op::cors::preflight(self, &scope.snapshot, &preflight),
            // Boxed, because the future of a request is moved a few times before it runs.
            Routing::Query(_) => self.query(&scope, incoming, facts).boxed().await,
            Routing::S3(Operation::PostObject(post)) => self.form(&scope, post, incoming, facts).boxed().await,
            Routing::S3(operation) => self.operation(&scope, operation, incoming, facts).boxed().await,
        }
    }

    /// An upload by a browser: the form identifies the caller.
    async fn form(
        &self,
        scope: &RequestScope<'_>,
        mut post: PostObject,
        incoming: Source,
        facts: &mut RequestFacts,
    ) -> Answer {
        let begun = form::begin(self, &post, incoming).await?;
        let renewed = self.renewed(scope, facts).await?;
        let scope = renewed.as_ref().unwrap_or(scope);
        let mut form = form::verify(self, scope, &post, begun, facts)?;
        self.limit(&form.authenticated.caller, facts)?;
        let fields = form.fields.fields().to_vec();
        post.read_form(form.fields)?;
        let bytes = post.content_length;
        let post: Operation = post.into();
        self.require_storable(&post)?;
        facts.target = target_of(&post);
        let (mut call, permit) = self.admit(scope, form.authenticated, post, facts).await?;
        if let Some(upload) = &mut call.upload {
            upload.fields = Some(fields);
        }
        form.body.hold(self.upload_limits.enter(user_of(&call.caller), bytes)?);
        op::execute(call, permit, form.body).await
    }

    pub(crate) async fn operation(
        &self,
        scope: &RequestScope<'_>,
        mut operation: Operation,
        incoming: Source,
        facts: &mut RequestFacts,
    ) -> Answer {
        let authenticated = self.caller_of(scope, facts).await?;
        self.limit(&authenticated.caller, facts)?;
        let mut body = self.body(scope, &authenticated, &operation, incoming)?;
        let Some(limit) = operation.body_limit() else {
            return self.decided_by_its_head(scope, authenticated, operation, body, facts).await;
        };
        self.refuse_hopeless(scope, &authenticated, &operation, facts)?;
        let document = body.read_all(limit as u64).await?;
        let read = operation.read_body(&document);
        let renewed = self.renewed(scope, facts).await?;
        let (scope, authenticated) = match &renewed {
            Some(renewed) => (renewed, self.caller_of(renewed, facts).await?),
            None => (scope, authenticated),
        };
        let (call, permit) = self.admit(scope, authenticated, operation, facts).await?;
        // Callers without any permission learn only that, and not what is wrong with the document.
        read?;
        self.execute(call, permit, body, scope, facts).await
    }

    /// Decides before the body is read. If the operation reads a document, the decision is made again once that has arrived.
    async fn decided_by_its_head(
        &self,
        scope: &RequestScope<'_>,
        authenticated: Authenticated,
        operation: Operation,
        mut body: ObjectBody,
        facts: &mut RequestFacts,
    ) -> Answer {
        let (call, permit) = self.admit(scope, authenticated, operation, facts).await?;
        let limit = op::document_bytes_max(permit.operation());
        if limit == 0 {
            return self.execute(call, permit, body, scope, facts).await;
        }
        body.receive_all(limit).await?;
        let Some(renewed) = self.renewed(scope, facts).await? else {
            return self.execute(call, permit, body, scope, facts).await;
        };
        drop(call);
        let authenticated = self.caller_of(&renewed, facts).await?;
        let (call, permit) = self.admit(&renewed, authenticated, permit.into_operation(), facts).await?;
        self.execute(call, permit, body, &renewed, facts).await
    }

    /// Runs a permitted operation.
    async fn execute(
        &self,
        call: Box<Call<'_>>,
        permit: Permit<Operation>,
        mut body: ObjectBody,
        scope: &RequestScope<'_>,
        facts: &RequestFacts,
    ) -> Answer {
        if permit.operation().upload().is_some() {
            // A caller that may not upload neither takes a slot nor counts as waiting for one.
            body.hold(self.upload_limits.enter(user_of(&call.caller), body.expected_bytes())?);
        }
        if let Some(early) = &facts.early {
            early.prepare(respond::early_headers(self, scope.head, facts));
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
    fn refuse_hopeless(
        &self,
        scope: &RequestScope<'_>,
        authenticated: &Authenticated,
        operation: &Operation,
        facts: &mut RequestFacts,
    ) -> Result<(), S3Error> {
        // DeleteObjects gives authenticated callers an answer for each key, as on AWS.
        let each_key = matches!(operation, Operation::DeleteObjects(_)) && !authenticated.caller.is_anonymous();
        if each_key {
            return Ok(());
        }
        let any_of = operation.first_needs();
        let context = self.context(scope, authenticated)?;
        let (caller, snapshot) = (&authenticated.caller, &*scope.snapshot);
        let decision_input = DecisionInput { caller, snapshot, context: &context, observer: &*facts.decisions };
        access::could_be_allowed(&any_of, decision_input).map_err(|refusal| refusal.to_error(&facts.request_id))
    }

    /// The condition keys of every request. Fails for values that are too long: nothing is decided with them.
    pub(crate) fn context(&self, scope: &RequestScope<'_>, authenticated: &Authenticated) -> Result<Context, S3Error> {
        let region = self.settings.region_name();
        Ok(request_context(scope.head, authenticated, &scope.snapshot, region, scope.now)?)
    }

    /// resolve, gather, decide: returns a permit, and the call to which it belongs.
    async fn admit<'a>(
        &'a self,
        scope: &'a RequestScope<'_>,
        authenticated: Authenticated,
        operation: Operation,
        facts: &mut RequestFacts,
    ) -> Result<(Box<Call<'a>>, Permit<Operation>), S3Error> {
        let decisions = Arc::clone(&facts.decisions);
        let mut call = self.call(scope, authenticated, &operation, decisions, facts.request_id.clone())?;
        call.early.clone_from(&facts.early);
        call.upload = AdmittedUpload::of(scope, &operation);
        let permit = call.authorize(operation).await.map_err(|denied| denied.to_error(&facts.request_id))?;
        if let Some(bucket) = permit.operation().bucket() {
            // A caller that may not use the bucket must not use up its limit.
            self.limited(facts.limits.enter_bucket(bucket.as_str()))?;
        }
        self.require_room(permit.operation()).await?;
        ownership::require_owner_account(permit.operation(), &call)?;
        ownership::require_expected_owners(scope.head, permit.operation(), &call)?;
        requester_pays::require_agreement(scope.head, permit.operation(), &call)?;
        Ok((call, permit))
    }

    /// The call in the state of its scope, before anything is decided.
    pub(crate) fn call<'a>(
        &'a self,
        scope: &'a RequestScope<'_>,
        authenticated: Authenticated,
        operation: &Operation,
        decisions: Arc<Decisions>,
        request_id: String,
    ) -> Result<Box<Call<'a>>, S3Error> {
        let mut context = self.context(scope, &authenticated)?;
        s3::set_condition_keys(operation, scope.head, Some(scope.now.as_second()), &mut context)?;
        // SeaweedFS's legacy actions are about operations, those of AWS about permissions.
        context.set("kelpgate:Operation", operation.name());
        let bucket = operation.bucket().and_then(|name| scope.snapshot.bucket(name.as_str()));
        let bucket = bucket.filter(|bucket| bucket.is_there(scope.now.as_second())).map(Arc::clone);
        if let Some(bucket) = &bucket {
            resource_account_keys(&bucket.account).into_iter().for_each(|(key, account)| context.set(key, account));
        }
        // Boxed, because it is moved a few times until the operation runs.
        Ok(Box::new(Call {
            gateway: self,
            snapshot: &scope.snapshot,
            target: scope.target,
            caller: authenticated.caller,
            bucket,
            now: scope.now,
            context,
            decisions,
            request_id,
            early: None,
            decided_objects: DecidedObjects::default(),
            upload: None,
        }))
    }

    /// IAM and STS: the body names the action, so it is read and its hash verified before anything is trusted.
    async fn query(&self, scope: &RequestScope<'_>, incoming: Source, facts: &mut RequestFacts) -> Answer {
        let answer = self.query_authenticated(scope, incoming, facts).await;
        answer.or_else(|error| {
            facts.failed(&error);
            Ok(respond::query_error(self, &scope.form, &error, &facts.request_id))
        })
    }

    async fn query_authenticated(
        &self,
        scope: &RequestScope<'_>,
        incoming: Source,
        facts: &mut RequestFacts,
    ) -> Answer {
        let body = self.query_body(scope, incoming, facts).await?;
        let renewed = self.renewed(scope, facts).await?;
        let scope = renewed.as_ref().unwrap_or(scope);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let body_sha256 = digest.as_ref().try_into().ok();
        let unverified = scope.unverified(Services::Query, body_sha256);
        let authenticated = self.authenticate(&unverified, &scope.snapshot, facts)?;
        self.limit(&authenticated.caller, facts)?;
        let context = self.context(scope, &authenticated)?;
        let parameters = crate::query::parameters(scope.head.uri.query(), &body)?;
        let label = self.query_api.label(parameters.get("Action").unwrap_or_default());
        facts.operation = label.unwrap_or(facts.operation);
        if facts.decisions.keeps_all() {
            facts.parameters = Some(access::shown_query_parameters(parameters.iter()));
        }
        let certificate = client_certificate::of_call(&parameters, scope);
        let call = crate::query::QueryCall {
            caller: authenticated.caller,
            parameters,
            context,
            request_id: facts.request_id.clone(),
            now: scope.now,
            observer: Arc::clone(&facts.decisions) as Arc<dyn access::DecisionObserver>,
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
        self.decided_objects.clear();
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
