//! A naive evaluator, written from the IAM and S3 user guides, with plain JSON documents, recursion instead of an
//! index, and strings instead of types. It shares no code with the engine, so a mistake goes unnoticed only if it is
//! made twice.

pub mod world;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

/// Values of a condition key.
#[derive(Clone, Debug)]
pub enum Key {
    One(String),
    Many(Vec<String>),
}

#[derive(Clone, Debug)]
pub struct Request {
    pub principal: String,
    pub canonical: Option<String>,
    pub action: String,
    pub resource: String,
    pub account: String,
    /// Names in lower case.
    pub context: BTreeMap<String, Key>,
}

#[derive(Clone, Debug, Default)]
pub struct Policies {
    pub identity: Vec<Value>,
    pub resource: Option<Value>,
    pub session: Option<Value>,
    pub boundary: Option<Value>,
    pub is_trust: bool,
    pub both_sides: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum By {
    Nobody,
    Account,
    Role,
    Itself,
}

pub fn decide(policies: &Policies, request: &Request) -> &'static str {
    if request.action.eq_ignore_ascii_case("sts:GetCallerIdentity") && !policies.is_trust {
        return "Allow";
    }
    let parts: Vec<&str> = request.principal.splitn(6, ':').collect();
    let caller_account =
        if parts.len() == 6 && !request.principal.contains("-provider/") { Some(parts[4]) } else { None };
    let is_root = request.principal.ends_with(":root");
    let none = Vec::new();
    let identity = if caller_account.is_some() { &policies.identity } else { &none };

    let ask = |document: &Value, about_holder, effect| ask(document, about_holder, effect, policies, request);
    let says = |document: &Option<Value>, effect| document.as_ref().map(|document| ask(document, true, effect));
    let resource_says = |effect| policies.resource.as_ref().map_or(By::Nobody, |document| ask(document, false, effect));

    // Step 1: an explicit deny anywhere.
    let policy_actions = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];
    let owner_root = is_root && caller_account == Some(&request.account) && policies.session.is_none();
    let exempt = owner_root
        && policy_actions.iter().any(|action| action.eq_ignore_ascii_case(&request.action))
        && !policies.is_trust;
    let denied = identity.iter().any(|document| ask(document, true, "Deny") != By::Nobody)
        || (resource_says("Deny") != By::Nobody && !exempt)
        || says(&policies.session, "Deny").is_some_and(|by| by != By::Nobody)
        || says(&policies.boundary, "Deny").is_some_and(|by| by != By::Nobody);
    if denied {
        return "ExplicitDeny";
    }
    let granted = resource_says("Allow");
    let identity_allows = identity.iter().any(|document| ask(document, true, "Allow") != By::Nobody);
    let boundary_allows = says(&policies.boundary, "Allow").is_none_or(|by| by != By::Nobody);
    let session_allows = match says(&policies.session, "Allow") {
        Some(by) => by != By::Nobody,
        None => !request.principal.contains(":federated-user/"),
    };
    let limits_allow = boundary_allows && session_allows;
    if policies.is_trust && (granted == By::Nobody || request.principal == "anonymous") {
        return "ImplicitDeny";
    }
    let allowed = match caller_account {
        None => granted != By::Nobody,
        Some(account) if account == request.account => {
            granted == By::Itself || is_root || ((granted == By::Role || identity_allows) && limits_allow)
        }
        Some(_) => {
            let own_side = identity_allows || is_root || (!policies.both_sides && granted >= By::Role);
            granted != By::Nobody && own_side && limits_allow
        }
    };
    if allowed { "Allow" } else { "ImplicitDeny" }
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    list(value).into_iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

/// The strongest grant with which a statement of this effect applies to the request.
fn ask(document: &Value, about_holder: bool, effect: &str, policies: &Policies, request: &Request) -> By {
    let variables = document["Version"] == "2012-10-17";
    let statements = list(&document["Statement"]).into_iter().filter(|statement| statement["Effect"] == effect);
    let applying = statements.filter(|statement| {
        action_applies(statement, &request.action)
            && resource_applies(statement, effect, variables, policies.is_trust && !about_holder, request)
            && conditions_apply(statement, variables, request)
    });
    applying
        .map(|statement| principal_applies(statement, about_holder, effect, policies, request))
        .max()
        .unwrap_or(By::Nobody)
}

fn action_applies(statement: &Value, action: &str) -> bool {
    let fits = |patterns: &Value| {
        texts(patterns).iter().any(|pattern| {
            let pattern: Vec<Unit> = pattern.to_lowercase().chars().map(Unit::of).collect();
            glob(&pattern, &action.to_lowercase().chars().collect::<Vec<_>>())
        })
    };
    match (&statement["Action"], &statement["NotAction"]) {
        (Value::Null, not) => !fits(not),
        (action, _) => fits(action),
    }
}

fn resource_applies(statement: &Value, effect: &str, variables: bool, is_trust: bool, request: &Request) -> bool {
    match (&statement["Resource"], &statement["NotResource"]) {
        (Value::Null, Value::Null) => is_trust,
        (Value::Null, not) => {
            let matched: Vec<Option<bool>> =
                texts(not).iter().map(|pattern| arn(pattern, &request.resource, variables, request)).collect();
            if matched.contains(&Some(true)) {
                return false;
            }
            !matched.contains(&None) || effect == "Deny"
        }
        (patterns, _) => {
            texts(patterns).iter().any(|pattern| arn(pattern, &request.resource, variables, request) == Some(true))
        }
    }
}

fn principal_applies(
    statement: &Value,
    about_holder: bool,
    effect: &str,
    policies: &Policies,
    request: &Request,
) -> By {
    match (&statement["Principal"], &statement["NotPrincipal"]) {
        (Value::Null, Value::Null) => {
            if about_holder {
                By::Itself
            } else {
                By::Nobody
            }
        }
        (Value::Null, not) => {
            if effect == "Deny" && (!is_spared(not, request) || policies.boundary.is_some()) {
                By::Itself
            } else {
                By::Nobody
            }
        }
        (element, _) => named(element, effect, request),
    }
}

/// Written out for each type of caller, from the lists of ARNs in which the caller has to occur.
fn is_spared(element: &Value, request: &Request) -> bool {
    let Value::Object(kinds) = element else { return true };
    let caller = request.principal.as_str();
    let lists = |kind: &str, name: &str| texts(kinds.get(kind).unwrap_or(&Value::Null)).iter().any(|one| one == name);
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    if parts.len() != 6 {
        let is_anonymous = caller == "anonymous";
        return (is_anonymous && lists("AWS", "*"))
            || (!is_anonymous && (lists("Service", caller) || lists("Federated", caller)));
    }
    if lists("AWS", "*") || (lists("AWS", caller) && !caller.contains(":assumed-role/")) {
        return true;
    }
    if parts[5] == "root" {
        let canonical = request.canonical.as_deref().is_some_and(|canonical| lists("CanonicalUser", canonical));
        return canonical || lists("AWS", parts[4]);
    }
    let Some(role) = parts[5].strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next()) else {
        return false;
    };
    let roles = format!("arn:aws:iam::{}:role/", parts[4]);
    let names = texts(kinds.get("AWS").unwrap_or(&Value::Null));
    let is_role = |name: &String| name.starts_with(&roles) && name.rsplit('/').next() == Some(role);
    lists("AWS", caller) && names.iter().any(is_role)
}

fn named(element: &Value, effect: &str, request: &Request) -> By {
    let Value::Object(kinds) = element else { return By::Itself };
    let caller = request.principal.as_str();
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    let is_provider = caller.contains("-provider/")
        || (!caller.starts_with("arn:") && caller != "anonymous" && !caller.ends_with(".amazonaws.com"));
    let is_service = caller.ends_with(".amazonaws.com");
    let account = (parts.len() == 6 && !is_provider).then(|| parts[4]);
    let mut best = By::Nobody;
    for (kind, names) in kinds {
        for name in texts(names) {
            let by = match kind.as_str() {
                "AWS" if name == "*" && (is_provider || is_service) && effect == "Allow" => By::Nobody,
                "AWS" if name == "*" => By::Itself,
                "AWS"
                    if Some(name.as_str()) == account
                        || account.is_some_and(|account| name == format!("arn:aws:iam::{account}:root")) =>
                {
                    By::Account
                }
                "AWS" if name == caller && !is_provider && !is_service => By::Itself,
                "AWS" => match (account, parts.last().and_then(|last| last.split_once('/'))) {
                    (Some(account), Some(("assumed-role", rest))) => {
                        let role = rest.split('/').next().unwrap();
                        let is_role = name.starts_with(&format!("arn:aws:iam::{account}:role/"))
                            && name.rsplit('/').next() == Some(role);
                        if is_role { By::Role } else { By::Nobody }
                    }
                    (Some(account), Some(("federated-user", user))) => {
                        let is_user = name.starts_with(&format!("arn:aws:iam::{account}:user/"))
                            && name.rsplit('/').next() == Some(user);
                        if is_user { By::Role } else { By::Nobody }
                    }
                    _ => By::Nobody,
                },
                "Service" if is_service && name == caller => By::Itself,
                "Federated" if is_provider && name == caller => By::Itself,
                "CanonicalUser" if account.is_some() && request.canonical.as_deref() == Some(&name) => By::Account,
                _ => By::Nobody,
            };
            best = best.max(by);
        }
    }
    best
}

/// One position of a pattern.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Unit {
    Is(char),
    One,
    Many,
}

impl Unit {
    pub fn of(character: char) -> Self {
        match character {
            '*' => Self::Many,
            '?' => Self::One,
            other => Self::Is(other),
        }
    }
}

pub fn glob(pattern: &[Unit], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Unit::Many, rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        Some((Unit::One, rest)) => !text.is_empty() && glob(rest, &text[1..]),
        Some((Unit::Is(wanted), rest)) => text.first() == Some(wanted) && glob(rest, &text[1..]),
    }
}

/// A pattern with its variables filled in; `None` if one has no value.
fn units(pattern: &str, wildcards: bool, variables: bool, request: &Request) -> Option<Vec<Unit>> {
    let mut all = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if variables && rest.starts_with("${") && rest.contains('}') {
            let (inside, after) = rest[2..].split_once('}').unwrap();
            let value = match inside {
                "*" | "?" | "$" => inside.to_owned(),
                inside => {
                    let (key, default) = match inside.split_once(',') {
                        Some((key, default)) => (key, Some(default.trim().trim_matches('\'').to_owned())),
                        None => (inside, None),
                    };
                    match request.context.get(&key.to_lowercase()) {
                        Some(Key::One(value)) => value.clone(),
                        Some(Key::Many(_)) => return None,
                        None => default?,
                    }
                }
            };
            all.extend(value.chars().map(Unit::Is));
            rest = after;
        } else {
            all.push(if wildcards { Unit::of(first) } else { Unit::Is(first) });
            rest = &rest[first.len_utf8()..];
        }
    }
    Some(all)
}

fn arn(pattern: &str, text: &str, variables: bool, request: &Request) -> Option<bool> {
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    if !pattern.starts_with("arn:") {
        return Some(glob(&units(pattern, true, variables, request)?, &chars(text)));
    }
    // Colons inside a variable do not separate segments of the ARN.
    let mut segments = vec![String::new()];
    let mut depth = 0;
    for character in pattern.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            _ => {}
        }
        if character == ':' && segments.len() < 6 && (depth == 0 || !variables) {
            segments.push(String::new());
        } else {
            segments.last_mut().unwrap().push(character);
        }
    }
    while segments.len() < 6 {
        segments.push("*".to_owned());
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let mut all = parts.len() == 6;
    for (i, segment) in segments.iter().enumerate() {
        let segment = units(segment, true, variables, request)?;
        all &= parts.get(i).is_some_and(|part| glob(&segment, &chars(part)));
    }
    Some(all)
}

fn conditions_apply(statement: &Value, variables: bool, request: &Request) -> bool {
    let Value::Object(operators) = &statement["Condition"] else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object()
            .unwrap()
            .iter()
            .all(|(key, values)| condition_applies(operator, key, &texts(values), variables, request))
    })
}

fn condition_applies(operator: &str, key: &str, wanted: &[String], variables: bool, request: &Request) -> bool {
    let (set, name) = operator.split_once(':').map_or((None, operator), |(set, name)| (Some(set), name));
    let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
    let seen = request.context.get(&key.to_lowercase());
    let absent =
        matches!(seen, None | Some(Key::Many(_))) && !matches!(seen, Some(Key::Many(values)) if !values.is_empty());
    if name == "Null" {
        return wanted.iter().any(|value| value.eq_ignore_ascii_case(if absent { "true" } else { "false" }));
    }
    let positive = name.replacen("Not", "", 1);
    let negated = positive != name;
    if absent {
        return match set {
            Some("ForAllValues") => true,
            Some(_) => false,
            None => if_exists || negated,
        };
    }
    let values = match seen.unwrap() {
        Key::One(value) => vec![value.clone()],
        Key::Many(_) if set.is_none() => return false,
        Key::Many(values) => values.clone(),
    };
    let fits =
        |value: &String| wanted.iter().any(|wanted| compare(&positive, wanted, value, variables, request)) != negated;
    match set {
        Some("ForAnyValue") => values.iter().any(fits),
        _ => values.iter().all(fits),
    }
}

fn compare(operator: &str, wanted: &str, value: &str, variables: bool, request: &Request) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    let relation = |order: Option<std::cmp::Ordering>, operator: &str| {
        order.is_some_and(|order| match operator {
            "Equals" => order.is_eq(),
            "LessThan" => order.is_lt(),
            "LessThanEquals" => order.is_le(),
            "GreaterThan" => order.is_gt(),
            _ => order.is_ge(),
        })
    };
    match operator {
        "StringEquals" => {
            units(wanted, false, variables, request).is_some_and(|pattern| glob(&pattern, &characters(value)))
        }
        "StringEqualsIgnoreCase" => units(wanted, false, variables, request).is_some_and(|pattern| {
            let lower: String = pattern.iter().map(|unit| if let Unit::Is(c) = unit { *c } else { '?' }).collect();
            lower.to_lowercase() == value.to_lowercase()
        }),
        "StringLike" => {
            units(wanted, true, variables, request).is_some_and(|pattern| glob(&pattern, &characters(value)))
        }
        "ArnEquals" | "ArnLike" => arn(wanted, value, variables, request) == Some(true),
        "Bool" => wanted.eq_ignore_ascii_case(value) && ["true", "false"].contains(&&*value.to_lowercase()),
        "BinaryEquals" => wanted == value,
        "IpAddress" => address(wanted, value),
        _ if operator.starts_with("Numeric") => {
            let number = |text: &str| text.parse::<f64>().ok();
            let order = number(value).zip(number(wanted)).and_then(|(value, wanted)| value.partial_cmp(&wanted));
            relation(order, &operator["Numeric".len()..])
        }
        _ => {
            let date = |text: &str| {
                text.parse::<i64>()
                    .ok()
                    .or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second))
            };
            relation(date(value).zip(date(wanted)).map(|(value, wanted)| value.cmp(&wanted)), &operator["Date".len()..])
        }
    }
}

fn address(range: &str, value: &str) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => format!("{:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("{:0128b}", u128::from(address)),
    };
    let (network, length) = range.split_once('/').unwrap_or((range, ""));
    let (Ok(network), Ok(value)) = (network.parse::<IpAddr>(), value.parse::<IpAddr>()) else { return false };
    let (network, value) = (bits(network), bits(value));
    let length: usize = length.parse().unwrap_or(network.len());
    network.len() == value.len() && network[..length] == value[..length]
}
