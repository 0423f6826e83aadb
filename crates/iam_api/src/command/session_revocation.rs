//! RevokeSessions, ListSessionRevocations and ListSessions: Kelpgate's own actions. Sessions are stateless, so ending one means remembering that
//! it is over, for as long as its token would be good.

use jiff::Timestamp;
use policy::ResourceType::{IamRole, IamUser};

use super::{Answer, Command, IamError, Outcome, Request, read, revoke};
use crate::answer::{date, fragment};
use crate::params::Params;
use crate::query_caller::QueryCaller;
use crate::resource::arn_of;
use iam::{Caller, Change, DocumentKey, Revocation, RevocationTarget, Snapshot};

pub(super) const COMMANDS: &[Command] = &[
    revoke("RevokeSessions", documents, run).needing("iam:RevokeSessions").about(resource),
    read("ListSessionRevocations", list).needing("iam:ListSessionRevocations").about(|_, _| Ok("*".to_owned())),
    read("ListSessions", list_sessions)
        .needing("iam:ListSessions")
        .about(|_, _| Ok("*".to_owned()))
        .reading_last_used(),
];

/// How far the clock of a gateway may be ahead of that of the gateway which revokes, in milliseconds: what it issued just before
/// must end too. Sessions that are made afterwards are dated behind this time.
const AHEAD_MS: i64 = 10_000;

/// How far ahead of now sessions are dated at most, in milliseconds: gateways refuse those that begin more than five minutes ahead.
const FARTHEST_MS: i64 = 240_000;

/// Beyond every date that a session can have, in milliseconds from now. No other session gets the id of one that is revoked.
const BEYOND_MS: i64 = 300_000;

/// The most single sessions whose revocations an account keeps, and the most single users of its providers. Callers make up both.
const OF_A_KIND_MAX: usize = 5_000;

/// What can be named, one at a time.
const TARGETS: [&str; 4] = ["RoleName", "UserName", "Provider", "SessionId"];

fn run(request: &Request<'_>, state: &Snapshot) -> Answer {
    let target = target(request, state)?;
    let is_session = matches!(target, RevocationTarget::Session(..));
    let target = target.to_text();
    let known = state.revocation(&target).map_or(0, |known| known.issued_until_ms);
    let issued_until_ms = match request.params.get("OlderThan") {
        Some(text) => older_than(request, text)?,
        None if is_session => now_ms(request).saturating_add(BEYOND_MS),
        None => until_now(request, state, &target, known)?,
    };
    if known == 0 {
        check_quota(request, state, &target)?;
    }
    let revocation = Revocation {
        // A later call never gives back what an earlier one took.
        issued_until_ms: issued_until_ms.max(known),
        revoked_s: request.now_s,
        revoked_by: request.caller.arn.to_string(),
        account: request.caller.account.to_string(),
        target: target.clone(),
        ..Revocation::default()
    };
    let mut xml = fragment();
    describe(&mut xml, &revocation);
    Ok(Outcome {
        changes: vec![Change::Revocation(Revocation::file_stem(&target), Some(Ok(revocation)))],
        result: Some(xml.finish()),
    })
}

/// Fails if the account has too many of the kind. Roles, users and providers exist, so that there are only so many of them: revoking
/// their sessions is never refused. What other accounts revoke does not count.
fn check_quota(request: &Request<'_>, state: &Snapshot, target: &str) -> Result<(), IamError> {
    let of_kind = kind(target);
    if !matches!(of_kind, "session" | "subject") {
        return Ok(());
    }
    let account = request.caller.account;
    let known = state.revocations().filter(|(_, known)| known.account == account.as_str());
    if known.filter(|(_, known)| kind(&known.target) == of_kind).count() < OF_A_KIND_MAX {
        return Ok(());
    }
    Err(IamError::limit(format!(
        "Cannot exceed {OF_A_KIND_MAX} revocations of a {of_kind}; revoke by role, user or provider, or wait until some expire"
    )))
}

fn list(request: &Request<'_>, state: &Snapshot) -> Answer {
    let account = request.caller.account;
    let is_listed = |revocation: &&std::sync::Arc<Revocation>| {
        revocation.account == account.as_str() && revocation.expires_s() > request.now_s
    };
    let mut xml = fragment();
    xml.element("SessionRevocations", |xml| {
        for revocation in state.revocations().map(|(_, revocation)| revocation).filter(is_listed) {
            xml.element("member", |xml| describe(xml, revocation));
        }
    });
    Ok(Outcome::answer(xml.finish()))
}

/// The sessions of the account that were used lately and are not over.
fn list_sessions(request: &Request<'_>, _: &Snapshot) -> Answer {
    let account = request.caller.account;
    let sessions = request.last_used.iter().filter_map(|(id, used)| Some((&**id, (used, used.session.as_deref()?))));
    let listed =
        sessions.filter(|(_, (_, session))| session.account == account.as_str() && session.expires_s > request.now_s);
    let page = request.page("Sessions", listed.map(|(id, of)| (id, (id, of))), |xml, (id, (used, session))| {
        xml.text("SessionId", id).text("Arn", &session.arn);
        for (name, text) in
            [("RoleArn", &session.role_arn), ("Provider", &session.provider_arn), ("Subject", &session.subject)]
        {
            if !text.is_empty() {
                xml.text(name, text);
            }
        }
        xml.text("IssuedAt", &date(session.issued_s)).text("ExpiresAt", &date(session.expires_s));
        xml.text("LastUsedDate", &date(used.at_s)).text("SourceIp", &session.address);
    });
    page.map(Outcome::answer)
}

fn describe(xml: &mut xml::XmlWriter, revocation: &Revocation) {
    xml.text("Target", &revocation.target).text("IssuedUntil", &exact_date(revocation.issued_until_ms));
    xml.text("RevokedAt", &date(revocation.revoked_s)).text("RevokedBy", &revocation.revoked_by);
}

/// Milliseconds since 1970 as `2026-01-31T12:00:00.001Z`.
fn exact_date(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX).to_string()
}

fn now_ms(request: &Request<'_>) -> i64 {
    request.now_s.saturating_mul(1000)
}

fn documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let target = target(request, state)?.to_text();
    Ok(vec![DocumentKey::Revocation(Revocation::file_stem(&target))])
}

/// The role, user or provider whose sessions are ended; `*` for a single session.
fn resource(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    match (params.get("RoleName"), params.get("UserName"), params.get("Provider")) {
        (Some(role), None, None) => arn_of(IamRole, role, caller),
        (None, Some(user), None) => arn_of(IamUser, user, caller),
        (None, None, Some(provider)) => Ok(provider_arn(provider, caller)),
        _ => Ok("*".to_owned()),
    }
}

/// The ARN of a provider that is named by its ARN or its issuer.
fn provider_arn(provider: &str, caller: &QueryCaller<'_>) -> String {
    if provider.starts_with("arn:") {
        return provider.to_owned();
    }
    for kind in ["ldap", "certificate", "plugin"] {
        if let Some(name) = provider.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':')) {
            return format!("arn:aws:iam::{}:{kind}-provider/{name}", caller.account);
        }
    }
    let rest = provider.split_once("://").map_or(provider, |(_, rest)| rest);
    format!("arn:aws:iam::{}:oidc-provider/{}", caller.account, rest.strip_suffix('/').unwrap_or(rest))
}

fn target(request: &Request<'_>, state: &Snapshot) -> Result<RevocationTarget, IamError> {
    let (params, account) = (request.params, request.caller.account.to_string());
    if TARGETS.iter().filter(|name| params.get(name).is_some()).count() != 1 {
        return Err(IamError::validation(format!(
            "Specify exactly one of {}: its sessions are revoked",
            TARGETS.join(", ")
        )));
    }
    if params.get("Subject").is_some() && params.get("Provider").is_none() {
        return Err(IamError::validation("A Subject needs its Provider"));
    }
    if params.get("RoleName").is_some() {
        let name = request.name("RoleName", 64)?;
        let role = state.role(&name).filter(|role| role.account == request.caller.account);
        let role =
            role.ok_or_else(|| IamError::no_such_entity(format!("The role with name {name} cannot be found.")))?;
        return Ok(RevocationTarget::Role(role.arn.to_string()));
    }
    if params.get("UserName").is_some() {
        let name = request.name("UserName", 64)?;
        let user = state.user(&name).filter(|user| user.account == request.caller.account);
        let user =
            user.ok_or_else(|| IamError::no_such_entity(format!("The user with name {name} cannot be found.")))?;
        return Ok(RevocationTarget::User(Caller::of(user).user_id.to_string()));
    }
    if let Some(named) = params.get("Provider") {
        let issuer = issuer_of(request, state, named)?;
        return Ok(match params.get("Subject") {
            Some(subject) => RevocationTarget::Subject(account, issuer, subject.to_owned()),
            None => RevocationTarget::Provider(account, issuer),
        });
    }
    let id = params.required("SessionId")?;
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
        return Err(IamError::validation("A SessionId has 32 hexadecimal digits, as the audit log shows it"));
    }
    Ok(RevocationTarget::Session(account, id.to_owned()))
}

fn issuer_of(request: &Request<'_>, state: &Snapshot, named: &str) -> Result<String, IamError> {
    let same = |text: &str| text.strip_suffix('/').unwrap_or(text) == named.strip_suffix('/').unwrap_or(named);
    let mut own = state.identity_providers().iter().filter(|provider| provider.account == request.caller.account);
    let found = own.find(|provider| provider.arn == named || same(&provider.issuer));
    let found = found.map(|provider| provider.issuer.clone());
    found.ok_or_else(|| IamError::no_such_entity(format!("There is no identity provider {named}")))
}

/// The time in `OlderThan`, in milliseconds. A time of whole seconds, as tokens and the audit log have it, counts to the end of its second.
fn older_than(request: &Request<'_>, text: &str) -> Result<i64, IamError> {
    let wrong =
        || IamError::validation(format!("OlderThan `{text}` is not a time of the past such as 2026-01-31T12:00:00Z"));
    let time: Timestamp = text.parse().map_err(|_| wrong())?;
    let rest_of_second = if time.subsec_nanosecond() == 0 { 999 } else { 0 };
    if time.as_second() > request.now_s { Err(wrong()) } else { Ok(time.as_millisecond() + rest_of_second) }
}

/// Now, with an allowance for clocks that are ahead. Sessions that were made since a revocation, of this target or of another one,
/// are dated behind it, so one more millisecond ends them too.
fn until_now(request: &Request<'_>, state: &Snapshot, target: &str, known: i64) -> Result<i64, IamError> {
    let farthest_ms = now_ms(request).saturating_add(FARTHEST_MS);
    let until_ms = now_ms(request).saturating_add(AHEAD_MS);
    // There may be thousands, most of which are older than what counts.
    let dates = until_ms..=farthest_ms;
    let others = state.revocations().filter(|(_, other)| dates.contains(&other.issued_until_ms));
    let others = others.filter(|(_, other)| may_share_sessions(&other.target, target));
    let last = others.map(|(_, other)| other.issued_until_ms).max().unwrap_or_default().max(known);
    let until_ms = until_ms.max(last.saturating_add(1));
    if until_ms > farthest_ms {
        let message = "These sessions were revoked too often within moments; wait for some seconds, then try again";
        return Err(IamError::new("Throttling", 400, message));
    }
    Ok(until_ms)
}

/// Whether one session can match both targets, which differ. A session has one user and one subject, and a revoked
/// session cannot create others.
fn may_share_sessions(one: &str, other: &str) -> bool {
    let (one, other) = (kind(one), kind(other));
    one != "session" && other != "session" && (one != other || one == "role" || one == "provider")
}

/// What kind of target a text is about.
fn kind(target: &str) -> &str {
    target.split(':').next().unwrap_or_default()
}
