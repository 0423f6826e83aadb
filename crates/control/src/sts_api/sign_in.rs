//! Turns somebody whom an identity provider vouches for into a session.
//!
//! Everything that the provider says is turned into the parameters of a call and into condition keys behind the provider's name.
//! From there on, the call goes the way of AssumeRole.

use std::sync::Arc;

use access::{CLAIM_BASED_ROLE, DecisionInput};
use iam::{
    CLAIM_BASED, Caller, DirectoryUser, IdentityProvider, PolicyMapping, ProviderRights, RevocationTarget, Role,
    Snapshot,
};
use iam_api::answer::{self, AssumeRoleOutput, FederatedOutput};
use iam_api::{AssumeRoleInput, Params, QueryCaller, query_requirements, set_query_condition_keys};
use ids::AccessKeyId;
use jiff::Timestamp;
use policy::{Context, Decision, Principal};
use serde_json::{Map, Value};
use sts::{Claim, FederatedUser, NewSession, SessionCredentials, SessionHolder, WebIdentity};

use super::{StsApi, check_session_policies, issued_at, packed_policy_size, refuse, session_id};
use crate::query::{Call, QueryError};

/// What trust policies allow, whichever way the caller asks.
pub(crate) const ACTION: &str = "AssumeRoleWithWebIdentity";

/// AWS's claims for session tags and the source identity (IAM User Guide, "Pass session tags in AWS STS").
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags.principal_tags.";
const TRANSITIVE_CLAIM: &str = "https://aws.amazon.com/tags.transitive_tag_keys";
const SOURCE_IDENTITY_CLAIM: &str = "https://aws.amazon.com/source_identity";

/// The longest name of a session (STS API Reference, `RoleSessionName`).
const SESSION_NAME_CHARS_MAX: usize = 64;

/// The length of [`sts::text_hash`].
const HASH_DIGITS: usize = 16;

/// How clients call it: AWS's way, and one of MinIO's. Trust policies and permissions say AssumeRoleWithWebIdentity for both.
pub(crate) struct Dialect {
    pub(crate) action: &'static str,
    pub(crate) token: &'static str,
    pub(crate) subject: &'static str,
}

/// A verified token, and the provider that issued it.
pub(crate) struct SignIn {
    pub(crate) provider: Arc<IdentityProvider>,
    pub(crate) user: WebIdentity,
    pub(crate) dialect: &'static Dialect,
}

/// What a sign-in gets: a role, or the policies that its token names.
pub(crate) enum Grant<'s> {
    Role(&'s Role),
    Policies(Vec<String>),
}

/// The role that a session is of, for its token.
struct SessionRole<'g> {
    name: &'g str,
    /// `None` for the policies of a claim.
    id: Option<&'g str>,
    arn: &'g str,
    policies: &'g [String],
    /// How long its sessions may last, in seconds; `None` for no limit of its own.
    max_s: Option<u32>,
}

impl Grant<'_> {
    fn role(&self) -> SessionRole<'_> {
        match self {
            Grant::Role(role) => SessionRole {
                name: &role.name,
                id: Some(&role.id),
                arn: if role.record.arn.is_empty() { &role.arn } else { &role.record.arn },
                policies: &role.record.attached_policies,
                max_s: Some(u32::try_from(role.max_session_s).unwrap_or(3600)),
            },
            Grant::Policies(names) => {
                SessionRole { name: CLAIM_BASED, id: None, arn: CLAIM_BASED_ROLE, policies: names, max_s: None }
            }
        }
    }
}

/// When a session begins and ends, and its id.
pub(crate) enum Span {
    /// From now on, as long as the caller asked.
    AsAsked([u8; 16]),
    /// The same, and at the latest until this time.
    Until(i64, [u8; 16]),
    /// Until this time, if the caller asks for nothing shorter.
    AsGranted(i64, [u8; 16]),
    /// From the time when the token was issued until it expires. A revocation that is later than the token then ends the session.
    OfToken([u8; 16]),
}

impl Span {
    /// When the session begins, how long it lasts in seconds, and its id. `earliest` is now, or later if revocations ask for it.
    fn of_session(self, earliest: Timestamp, asked_s: u32, sign_in: &SignIn, now_s: i64) -> (Timestamp, u32, [u8; 16]) {
        let SignIn { provider, user, .. } = sign_in;
        match self {
            Self::AsAsked(id) => (earliest, asked_s, id),
            Self::Until(last_s, id) | Self::AsGranted(last_s, id) => {
                (earliest, asked_s.min(seconds_between(earliest.as_second(), last_s)), id)
            }
            Self::OfToken(id) => (issued_with(user, provider), whole_life(user, provider, now_s), id),
        }
    }
}

/// A new session, and what it was made from.
pub(crate) struct MadeSession {
    pub(crate) credentials: SessionCredentials,
    input: AssumeRoleInput,
    arn: String,
}

impl StsApi {
    /// The answer with a session for the caller.
    pub(crate) fn session(
        &self,
        call: &Call<'_>,
        context: Context,
        sign_in: &SignIn,
        granted: &Grant<'_>,
        snapshot: &Snapshot,
    ) -> Result<String, QueryError> {
        let SignIn { provider, user, dialect } = sign_in;
        let (session_id, role_id) = (session_id(call)?, granted.role().id.unwrap_or("AROASTSCLAIMBASED"));
        let span = match () {
            () if provider.is_certificate() => Span::Until(user.expires_s, session_id),
            () if provider.is_plugin() => Span::AsGranted(user.expires_s, session_id),
            () => Span::AsAsked(session_id),
        };
        let made = self.made_session(call, context, sign_in, granted, snapshot, span)?;
        let MadeSession { credentials, input, arn } = &made;
        log_session(call, user, arn, &credentials.access_key_id);
        let output = AssumeRoleOutput {
            credentials,
            assumed_role_id: &format!("{role_id}:{}", input.role_session_name),
            arn,
            packed_policy_size: packed_policy_size(input.policy.as_deref(), &input.tags),
            source_identity: input.source_identity.as_deref(),
        };
        if !provider.has_tokens() {
            let assumed_user = provider.is_plugin().then(|| format!("custom:{}", user.subject));
            let action = dialect.action;
            return Ok(answer::assume_role_in_minios_dialect(
                action,
                &output,
                assumed_user.as_deref(),
                call.request_id,
            ));
        }
        let federated = FederatedOutput {
            action: dialect.action,
            subject_name: dialect.subject,
            subject: &user.subject,
            audience: &user.audience,
            issuer: &user.issuer,
        };
        Ok(answer::assume_role_with_web_identity(&output, &federated, call.request_id))
    }

    /// A session, if the trust policy of its role lets the user in.
    pub(crate) fn made_session(
        &self,
        call: &Call<'_>,
        context: Context,
        sign_in: &SignIn,
        granted: &Grant<'_>,
        snapshot: &Snapshot,
        span: Span,
    ) -> Result<MadeSession, QueryError> {
        let SignIn { provider, user, .. } = sign_in;
        let account = provider.account;
        let params = params_of(call, sign_in, granted)?;
        let input = AssumeRoleInput::parse(&params).map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        if let Grant::Role(role) = granted {
            self.decide(call, &params, context, sign_in, role, snapshot)?;
        }
        check_session_policies(input.policy.as_deref(), &input.policy_arns, account, snapshot)?;
        let keys = self.session_keys()?;
        let SessionRole { max_s, name: role_name, id: role_id, arn: role_arn, policies: policy_names } = granted.role();
        let mut limits = self.limits(max_s.unwrap_or(self.max_session_s), false);
        if let Span::AsGranted(last_s, _) = span {
            limits.default_s = seconds_between(call.now_s, last_s);
        }
        let duration_s = limits.duration_s(input.duration_s);
        let duration_s = duration_s.map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        let arn = format!("arn:aws:sts::{account}:assumed-role/{role_name}/{}", input.role_session_name);
        let of_account = account.to_string();
        let targets = [
            RevocationTarget::Provider(of_account.clone(), user.issuer.clone()).to_text(),
            RevocationTarget::Subject(of_account, user.issuer.clone(), user.subject.clone()).to_text(),
        ];
        let provider_name = if provider.name.is_empty() { &provider.arn } else { &provider.name };
        let earliest = issued_at(snapshot, &targets, role_arn, call.now_s);
        let (issued_at, duration_s, session_id) = span.of_session(earliest, duration_s, sign_in, call.now_s);
        let credentials = sts::mint(
            keys,
            &NewSession {
                role_arn,
                role_id,
                held_by: SessionHolder::Role,
                session_name: &input.role_session_name,
                principal_arn: &arn,
                session_policy: input.policy.as_deref(),
                session_policy_arns: &input.policy_arns,
                policy_names,
                duration_s,
                issued_at,
                session_id,
                request_context: request_context(sign_in),
                tags: &input.tags,
                transitive_tag_keys: &input.transitive_tag_keys,
                source_identity: input.source_identity.as_deref(),
                revision: Some(&self.follower.revision()),
                federated: Some(FederatedUser {
                    provider: provider_name,
                    issuer: &user.issuer,
                    subject: &user.subject,
                    audience: &user.audience,
                }),
                // The session is of its user and its provider by itself.
                origins: &[],
                mfa_at_s: None,
            },
        );
        Ok(MadeSession { credentials, input, arn })
    }

    /// Whether the trust policy of the role lets the user in, with the tags and the source identity of the token.
    fn decide(
        &self,
        call: &Call<'_>,
        params: &Params,
        context: Context,
        sign_in: &SignIn,
        role: &Role,
        snapshot: &Snapshot,
    ) -> Result<(), QueryError> {
        let mut context = keys_of_sign_in(&context, sign_in, snapshot);
        set_query_condition_keys(params, &mut context)?;
        let caller = federated_caller(call.caller, &sign_in.provider);
        let decision_input = DecisionInput { caller: &caller, snapshot, context: &context, observer: call.observer };
        let query_caller = QueryCaller {
            account: role.account,
            user_arn: None,
            path_of: &|_, _| None,
            user_of_key: &|_| None,
            as_named: false,
            passes_on_tags: false,
            passes_on_source_identity: false,
        };
        for need in query_requirements(params, &query_caller)? {
            let decision = access::decide_to_assume(&need, Some(role), decision_input);
            if !decision.is_allow() {
                let unreadable = role.trust.unreadable_reason();
                let reason = match decision {
                    Decision::ExplicitDeny { .. } => unreadable.unwrap_or("a statement of its trust policy denies it"),
                    _ => "no statement of its trust policy allows it",
                };
                tracing::warn!(
                    request_id = call.request_id,
                    issuer = sign_in.user.issuer,
                    subject = sign_in.user.subject,
                    role = &*role.arn,
                    action = need.action,
                    reason,
                    "sign-in refused by the role"
                );
                return Err(not_authorized());
            }
        }
        Ok(())
    }
}

/// The role that the call names, or else what the configuration gives to the token. A role that does not exist gets the answer
/// of one that does not trust the provider.
pub(crate) fn granted<'s>(call: &Call<'_>, sign_in: &SignIn, snapshot: &'s Snapshot) -> Result<Grant<'s>, QueryError> {
    granted_role(named_role(call), call, sign_in, snapshot)
}

/// The role that the call names, if it is not the one of all sessions that have policies instead.
pub(crate) fn named_role<'c>(call: &Call<'c>) -> Option<&'c str> {
    call.params.get("RoleArn").filter(|arn| *arn != CLAIM_BASED_ROLE)
}

/// The role with this ARN, or else what the configuration gives.
pub(crate) fn granted_role<'s>(
    named: Option<&str>,
    call: &Call<'_>,
    sign_in: &SignIn,
    snapshot: &'s Snapshot,
) -> Result<Grant<'s>, QueryError> {
    let role_of = |text: &str| {
        let role = snapshot.role_by_arn(text).or_else(|| snapshot.role(text));
        role.filter(|role| role.account == sign_in.provider.account).map(|role| Grant::Role(role))
    };
    let SignIn { provider, user, .. } = sign_in;
    let found = match (named, &provider.rights) {
        (Some(arn), _) => role_of(arn),
        (None, ProviderRights::PolicyClaim(claim)) => {
            return Ok(Grant::Policies(policies_of(claim, sign_in, snapshot)));
        }
        (None, ProviderRights::Roles(mapping)) => mapping.role_of(&user.claims).and_then(role_of),
        (None, ProviderRights::Policies(mapping)) => mapped_policies(mapping, sign_in, snapshot),
        (None, ProviderRights::RolePolicy(names)) => {
            return Ok(Grant::Policies(known_policies(
                names.iter().map(String::as_str),
                "rolePolicy",
                sign_in,
                snapshot,
            )));
        }
        (None, ProviderRights::None) => {
            let message = "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not \
                           be null";
            return Err(refuse("ValidationError", 400, message));
        }
    };
    found.ok_or_else(|| {
        tracing::warn!(
            request_id = call.request_id,
            issuer = user.issuer,
            subject = user.subject,
            role = named,
            "sign-in refused: the role does not exist, or the configuration gives the user none"
        );
        not_authorized()
    })
}

/// The policies of a directory's user; `None` without any.
fn mapped_policies<'s>(mapping: &PolicyMapping, sign_in: &SignIn, snapshot: &Snapshot) -> Option<Grant<'s>> {
    let user = directory_user(&sign_in.user);
    let names = mapping.policies_of(&user);
    let known = || known_policies(names.iter().copied(), "policyMapping", sign_in, snapshot);
    (!names.is_empty()).then(|| Grant::Policies(known()))
}

fn directory_user(user: &WebIdentity) -> DirectoryUser {
    let groups = user.claims.get("groups").map(Claim::values).unwrap_or_default().to_vec();
    DirectoryUser::new(&user.subject, user.claims.text("username").unwrap_or_default(), groups)
}

/// The names in the claim that gives policies: text with commas, or a list.
fn policies_of(claim: &str, sign_in: &SignIn, snapshot: &Snapshot) -> Vec<String> {
    let values = sign_in.user.claims.get(claim).map(Claim::values).unwrap_or_default();
    // A name in a certificate is one name, whatever its authority let somebody write there.
    let is_list = !sign_in.provider.is_certificate();
    let names = values
        .iter()
        .flat_map(|value| value.split(|c| is_list && c == ','))
        .map(str::trim)
        .filter(|name| !name.is_empty());
    known_policies(names, claim, sign_in, snapshot)
}

/// Those of the names that policies of the account have. The others give nothing. `named_by` is the claim or the setting that has them.
fn known_policies<'n>(
    names: impl Iterator<Item = &'n str>,
    named_by: &str,
    sign_in: &SignIn,
    snapshot: &Snapshot,
) -> Vec<String> {
    let account = sign_in.provider.account;
    let is_known = |name: &String| snapshot.policy_named(name, account).is_some();
    let (known, unknown): (Vec<_>, Vec<_>) = names.map(str::to_owned).partition(is_known);
    if !unknown.is_empty() {
        let (issuer, subject) = (&*sign_in.user.issuer, &*sign_in.user.subject);
        let unknown = unknown.join(", ");
        tracing::warn!(issuer, subject, "`{named_by}` names policies that do not exist, which give nothing: {unknown}");
    }
    known
}

/// The parameters of the call as they count: what the caller may choose, and what the token says.
fn params_of(call: &Call<'_>, sign_in: &SignIn, granted: &Grant<'_>) -> Result<Params, QueryError> {
    let SignIn { provider, user, .. } = sign_in;
    let mut pairs = vec![("Action".to_owned(), ACTION.to_owned())];
    let mut put = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
    put(
        "RoleArn",
        match granted {
            Grant::Role(role) => &role.arn,
            Grant::Policies(_) => CLAIM_BASED_ROLE,
        },
    );
    let names_role = call.params.get("RoleArn").is_some();
    // Without a role no trust policy tests the name, and policies may name the session's ARN: the caller does not choose it.
    let own_name = provider.session_name_claim.is_empty() && matches!(granted, Grant::Role(_));
    match call.params.given("RoleSessionName").filter(|_| own_name) {
        Some(name) => put("RoleSessionName", name),
        None if own_name && names_role && provider.has_tokens() => {}
        None => put("RoleSessionName", &session_name(provider, user)),
    }
    for name in ["Policy", "DurationSeconds"] {
        if let Some(value) = call.params.given(name) {
            put(name, value);
        }
    }
    // All of them, so that what is wrong with the list is found.
    call.params.beginning_with("PolicyArns.").for_each(|(name, value)| put(name, value));
    if let Some(source) = source_identity(provider, user) {
        put("SourceIdentity", source);
    }
    // Only the claims of tokens are session tags: other claims may be what users say about themselves.
    let tags = user.claims.iter().filter(|_| provider.has_tokens());
    let tags = tags.filter_map(|(name, claim)| Some((name.strip_prefix(TAGS_CLAIM)?, claim.values())));
    let is_allowed =
        |key: &str| provider.allowed_tag_keys.as_ref().is_none_or(|keys| keys.iter().any(|one| one == key));
    for (number, (key, values)) in (1..).zip(tags.filter(|(key, _)| is_allowed(key))) {
        let [value] = values else {
            return Err(refuse("InvalidIdentityToken", 400, format!("The session tag {key} needs exactly one value")));
        };
        put(&format!("Tags.member.{number}.Key"), key);
        put(&format!("Tags.member.{number}.Value"), value);
    }
    let transitive = user.claims.get(TRANSITIVE_CLAIM).filter(|_| provider.has_tokens());
    let transitive = transitive.map(Claim::values).unwrap_or_default();
    for (number, key) in (1..).zip(transitive.iter().filter(|key| is_allowed(key))) {
        put(&format!("TransitiveTagKeys.member.{number}"), key);
    }
    Ok(Params::new(pairs)?)
}

/// What the session of a user of a directory or plugin says of them; `weed s3` reads the same keys.
fn request_context(SignIn { provider, user, .. }: &SignIn) -> Map<String, Value> {
    if !provider.is_directory() && !provider.is_plugin() {
        return Map::new();
    }
    let value = |claim: &Claim| match claim {
        Claim::One(value) => Value::from(value.as_str()),
        Claim::Many(values) => Value::from(values.as_slice()),
    };
    let prefix = provider.key_prefix();
    user.claims.iter().map(|(name, claim)| (format!("{prefix}:{name}"), value(claim))).collect()
}

fn source_identity<'u>(provider: &IdentityProvider, user: &'u WebIdentity) -> Option<&'u str> {
    let configured = Some(provider.source_identity_claim.as_str()).filter(|claim| !claim.is_empty());
    let of_token = user.claims.text(SOURCE_IDENTITY_CLAIM).filter(|_| provider.has_tokens());
    of_token.or_else(|| user.claims.text(configured?))
}

/// When the token was issued at the earliest; for one that is older than its provider, when the provider was created. The clock of
/// the provider may be ahead, and a revocation must end the tokens that were there before it.
fn issued_with(user: &WebIdentity, provider: &IdentityProvider) -> Timestamp {
    Timestamp::from_second(user.issued_s.saturating_sub(sts::LEEWAY_S).max(provider.created_s))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Until a time, in seconds.
fn seconds_between(from_s: i64, until_s: i64) -> u32 {
    u32::try_from(until_s.saturating_sub(from_s).max(0)).unwrap_or(u32::MAX)
}

/// From then to the end of the token, in seconds. A token is good for a moment longer than it says, because clocks differ.
fn whole_life(user: &WebIdentity, provider: &IdentityProvider, now_s: i64) -> u32 {
    let ends_s = user.expires_s.max(now_s.saturating_add(60));
    u32::try_from(ends_s.saturating_sub(issued_with(user, provider).as_second())).unwrap_or(u32::MAX)
}

/// The log has what the token says of its user, because the session's name alone may not tell who that is.
fn log_session(call: &Call<'_>, user: &WebIdentity, session: &str, access_key_id: &AccessKeyId) {
    let known_as = ["preferred_username", "email", "username"].iter().find_map(|claim| user.claims.text(claim));
    tracing::info!(
        request_id = call.request_id,
        issuer = user.issuer,
        subject = user.subject,
        name = known_as,
        session,
        access_key_id = access_key_id.as_str(),
        "a user of an identity provider got a session"
    );
}

/// The name of a session that is taken from the token: what a session's name cannot have becomes a hyphen. A name that was changed
/// gets a part of its hash, and so does one that looks as if it had, so that two users never have one name.
fn session_name(provider: &IdentityProvider, user: &WebIdentity) -> String {
    let claim = if provider.is_directory() { "username" } else { &provider.session_name_claim };
    let named = user.claims.text(claim).unwrap_or(&user.subject);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    let name: String = named.chars().take(SESSION_NAME_CHARS_MAX).map(plain).collect();
    let looks_hashed = name.rsplit_once('-').is_some_and(|(_, end)| {
        end.len() == HASH_DIGITS && end.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    });
    if name == named && name.len() >= 2 && !looks_hashed {
        return name;
    }
    let kept: String = name.chars().take(SESSION_NAME_CHARS_MAX - 1 - HASH_DIGITS).collect();
    format!("{kept}-{}", sts::text_hash(named))
}

/// The caller of the role's trust policy: the provider, under all its names, at the address of the call.
fn federated_caller(caller: &Caller, provider: &IdentityProvider) -> Caller {
    Caller {
        name: provider.arn.as_str().into(),
        principal: Principal::Federated { provider: provider.arn.clone(), aliases: provider.aliases() },
        arn: provider.arn.as_str().into(),
        user_id: "".into(),
        account: provider.account,
        is_root: false,
        access_key_id: None,
        session: None,
        policies: Arc::default(),
        sources: Arc::default(),
        boundary: None,
        ..caller.clone()
    }
}

/// The condition keys of a sign-in: those of the request without what a signature said about its maker, and the claims behind
/// the name of their provider, where they cannot look like other keys.
fn keys_of_sign_in(context: &Context, sign_in: &SignIn, snapshot: &Snapshot) -> Context {
    let SignIn { provider, user, .. } = sign_in;
    let of_maker =
        ["aws:principal", "aws:userid", "aws:username", "aws:tokenissuetime", "aws:multifactor", "aws:sourceidentity"];
    let mut context = context.filtered(|key| {
        let key = key.to_ascii_lowercase();
        !of_maker.iter().any(|maker| key.starts_with(maker)) && key != "aws:federatedprovider"
    });
    context.set("aws:PrincipalType", "Federated");
    context.set("aws:FederatedProvider", provider.arn.as_str());
    // SeaweedFS's trust policies say `oidc:sub`.
    let has_short_prefix = !provider.name.is_empty() && provider.has_tokens();
    let prefixes = [provider.key_prefix(), "oidc"].into_iter().take(if has_short_prefix { 2 } else { 1 });
    for prefix in prefixes {
        for (name, claim) in user.claims.iter().filter(|(name, _)| !is_of_another(provider, name, snapshot)) {
            match claim.values() {
                [value] => context.set(format!("{prefix}:{name}"), value.as_str()),
                values => context.set_many(format!("{prefix}:{name}"), values.iter().cloned()),
            }
        }
        if provider.has_tokens() {
            context.set(format!("{prefix}:aud"), user.audience.as_str());
        }
    }
    context
}

/// Whether the key of a claim would be one of another provider, whose issuer goes on where the provider's own ends: the claim
/// `8443:sub` of `https://host`, and `sub` of `https://host:8443`.
fn is_of_another(provider: &IdentityProvider, claim: &str, snapshot: &Snapshot) -> bool {
    let is_prefix = |other: &str| {
        let rest = other.strip_prefix(provider.key_prefix()).and_then(|rest| rest.strip_prefix(':'));
        rest.and_then(|rest| claim.strip_prefix(rest)).is_some_and(|rest| rest.starts_with(':'))
    };
    claim.contains(':') && snapshot.identity_providers().iter().any(|other| is_prefix(other.key_prefix()))
}

fn not_authorized() -> QueryError {
    refuse("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
}
