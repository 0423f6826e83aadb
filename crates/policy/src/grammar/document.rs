//! The elements of the grammar, and the faults of a text that does not follow it.

use std::collections::BTreeSet;

use super::json::Json;
use super::nearest;
use super::operator::Operator;
use crate::fault::{Fault, Rule};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// No `Version` element: read as 2008-10-17.
    Absent,
    V2008,
    V2012,
}

impl Version {
    /// Only version 2012-10-17 has policy variables; in older documents `${` is plain text.
    pub fn has_variables(self) -> bool {
        self == Self::V2012
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// A whole policy.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub version: Version,
    pub statements: Vec<Statement>,
    /// `Statement` was one object instead of an array.
    pub single_statement: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    pub principal: Option<PrincipalElement>,
    pub action: ActionElement,
    pub resource: Option<ResourceElement>,
    pub conditions: Vec<Condition>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Debug)]
pub(crate) struct PrincipalElement {
    pub not: bool,
    pub names: Vec<PrincipalName>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PrincipalKind {
    /// `"Principal": "*"`.
    Everyone,
    Aws,
    Service,
    Federated,
    CanonicalUser,
}

#[derive(Clone, Debug)]
pub(crate) struct PrincipalName {
    pub kind: PrincipalKind,
    pub name: String,
    pub path: String,
}

/// `Action` or `NotAction`. Empty only where the grammar allows an empty list.
#[derive(Clone, Debug)]
pub(crate) struct ActionElement {
    pub not: bool,
    pub patterns: Vec<String>,
}

/// `Resource` or `NotResource`.
#[derive(Clone, Debug)]
pub(crate) struct ResourceElement {
    pub not: bool,
    pub patterns: Vec<String>,
}

/// One operator with one key and the key's values.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub operator: Operator,
    pub key: String,
    pub values: Vec<String>,
}

const DOCUMENT_ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Document {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if !text.trim_start_matches(JSON_WHITESPACE).starts_with('{') {
            return Err(Fault::new(Rule::FirstByte, "line 1 column 1", "a policy is a JSON object"));
        }
        let json = Json::parse(text).map_err(|fault| {
            let path = format!("line {} column {}", fault.line, fault.column);
            Fault::new(Rule::Json, path, fault.reason)
        })?;
        let Json::Object(members) = json else {
            return Err(Fault::new(Rule::FirstByte, "line 1 column 1", "a policy is a JSON object"));
        };
        Self::from_members(members)
    }

    fn from_members(members: Vec<(String, Json)>) -> Result<Self, Fault> {
        let members = Members::new(members, "")?;
        if members.get("Statement").is_none() {
            let unknown = members.unknown(&DOCUMENT_ELEMENTS).map(|fault| fault.hint).unwrap_or_default();
            return Err(Fault::new(Rule::StatementMissing, "", unknown));
        }
        members.unknown(&DOCUMENT_ELEMENTS).map_or(Ok(()), Err)?;
        let version = version(members.get("Version"))?;
        if let Some(id) = members.get("Id") {
            text_of(id, "Id", Rule::Type)?;
        }
        let (statements, single_statement) = match members.take("Statement") {
            Some(Json::Array(items)) if items.is_empty() => {
                return Err(Fault::new(Rule::StatementEmpty, "Statement", "expected at least one statement"));
            }
            Some(Json::Array(items)) => {
                let numbered = items.into_iter().enumerate();
                let read = numbered.map(|(i, item)| Statement::from_json(item, &format!("Statement[{i}]")));
                (read.collect::<Result<_, _>>()?, false)
            }
            Some(one) => (vec![Statement::from_json(one, "Statement")?], true),
            None => (Vec::new(), false),
        };
        Ok(Self { version, statements, single_statement })
    }

    /// The path of a statement: `Statement[2]`, or `Statement` if it is not in an array.
    pub fn path(&self, statement: usize) -> String {
        if self.single_statement { "Statement".to_owned() } else { format!("Statement[{statement}]") }
    }
}

const JSON_WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

fn version(json: Option<&Json>) -> Result<Version, Fault> {
    match json {
        None => Ok(Version::Absent),
        Some(Json::String(text)) if text == "2012-10-17" => Ok(Version::V2012),
        Some(Json::String(text)) if text == "2008-10-17" => Ok(Version::V2008),
        Some(Json::String(text)) => {
            Err(Fault::new(Rule::Version, "Version", format!("`{text}` is not a version; did you mean `2012-10-17`?")))
        }
        Some(other) => {
            Err(Fault::new(Rule::Version, "Version", format!("expected a string, not {}", other.type_name())))
        }
    }
}

impl Statement {
    fn from_json(json: Json, path: &str) -> Result<Self, Fault> {
        let Json::Object(members) = json else {
            return Err(Fault::new(Rule::Type, path, format!("a statement is an object, not {}", json.type_name())));
        };
        let members = Members::new(members, path)?;
        members.unknown(&STATEMENT_ELEMENTS).map_or(Ok(()), Err)?;
        let sid = match members.get("Sid") {
            None => None,
            Some(json) => Some(text_of(json, &format!("{path}.Sid"), Rule::Type)?.to_owned()),
        };
        Ok(Self {
            sid,
            effect: effect(members.get("Effect"), path)?,
            principal: principal(&members, path)?,
            action: action(&members, path)?,
            resource: resource(&members, path)?,
            conditions: conditions(members.get("Condition"), &format!("{path}.Condition"))?,
        })
    }
}

fn effect(json: Option<&Json>, path: &str) -> Result<Effect, Fault> {
    let path = format!("{path}.Effect");
    match json {
        Some(Json::String(text)) if text == "Allow" => Ok(Effect::Allow),
        Some(Json::String(text)) if text == "Deny" => Ok(Effect::Deny),
        Some(Json::String(text)) => {
            let meant =
                nearest(text, ["Allow", "Deny"]).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
            let rule =
                if ["allow", "deny"].contains(&&*text.to_ascii_lowercase()) { Rule::EffectCase } else { Rule::Effect };
            Err(Fault::new(rule, path, format!("`{text}` is neither `Allow` nor `Deny`{meant}")).about(text))
        }
        Some(other) => {
            Err(Fault::new(Rule::Type, path, format!("`Allow` or `Deny` is expected, not {}", other.type_name())))
        }
        None => Err(Fault::new(Rule::EffectMissing, path, "`Allow` or `Deny` is expected")),
    }
}

fn action(members: &Members, path: &str) -> Result<ActionElement, Fault> {
    let (not, json, path) = match (members.get("Action"), members.get("NotAction")) {
        (Some(_), Some(_)) => {
            return Err(Fault::new(
                Rule::Type,
                format!("{path}.NotAction"),
                "a statement has either Action or NotAction",
            ));
        }
        (Some(json), None) => (false, json, format!("{path}.Action")),
        (None, Some(json)) => (true, json, format!("{path}.NotAction")),
        (None, None) => {
            return Err(Fault::new(Rule::ActionMissing, format!("{path}.Action"), "expected an Action or a NotAction"));
        }
    };
    let patterns = texts(json, &path, Rule::Type)?;
    if patterns.is_empty() {
        return Err(Fault::new(Rule::ActionMissing, path, "expected at least one action"));
    }
    Ok(ActionElement { not, patterns })
}

fn resource(members: &Members, path: &str) -> Result<Option<ResourceElement>, Fault> {
    let (not, json, path) = match (members.get("Resource"), members.get("NotResource")) {
        (Some(_), Some(_)) => {
            return Err(Fault::new(
                Rule::Type,
                format!("{path}.NotResource"),
                "a statement has either Resource or NotResource",
            ));
        }
        (Some(json), None) => (false, json, format!("{path}.Resource")),
        (None, Some(json)) => (true, json, format!("{path}.NotResource")),
        (None, None) => return Ok(None),
    };
    let patterns = texts(json, &path, Rule::Type)?;
    if patterns.is_empty() {
        return Err(Fault::new(Rule::ResourceMissing, path, "expected at least one resource"));
    }
    Ok(Some(ResourceElement { not, patterns }))
}

fn principal(members: &Members, path: &str) -> Result<Option<PrincipalElement>, Fault> {
    let (not, json, path) = match (members.get("Principal"), members.get("NotPrincipal")) {
        (Some(_), Some(_)) => {
            return Err(Fault::new(
                Rule::Type,
                format!("{path}.NotPrincipal"),
                "a statement has either Principal or NotPrincipal",
            ));
        }
        (Some(json), None) => (false, json, format!("{path}.Principal")),
        (None, Some(json)) => (true, json, format!("{path}.NotPrincipal")),
        (None, None) => return Ok(None),
    };
    let names = match json {
        Json::String(text) if text == "*" => {
            vec![PrincipalName { kind: PrincipalKind::Everyone, name: text.clone(), path: path.clone() }]
        }
        Json::Object(kinds) => principal_names(kinds, &path)?,
        Json::String(text) => {
            let hint = format!("`{text}` is neither `*` nor an object like {{\"AWS\": \"111122223333\"}}");
            return Err(Fault::new(Rule::Principal, path, hint).about(text));
        }
        other => {
            let hint =
                format!("expected `*` or an object like {{\"AWS\": \"111122223333\"}}, not {}", other.type_name());
            return Err(Fault::new(Rule::Principal, path, hint));
        }
    };
    if names.is_empty() {
        return Err(Fault::new(Rule::Principal, path, "at least one principal is expected"));
    }
    Ok(Some(PrincipalElement { not, names }))
}

fn principal_names(kinds: &[(String, Json)], path: &str) -> Result<Vec<PrincipalName>, Fault> {
    const KINDS: [(&str, PrincipalKind); 4] = [
        ("AWS", PrincipalKind::Aws),
        ("Service", PrincipalKind::Service),
        ("Federated", PrincipalKind::Federated),
        ("CanonicalUser", PrincipalKind::CanonicalUser),
    ];
    let mut all: Vec<PrincipalName> = Vec::new();
    once_each(kinds, path)?;
    for (kind_name, json) in kinds {
        let path = format!("{path}.{kind_name}");
        let Some((_, kind)) = KINDS.iter().find(|(name, _)| name == kind_name) else {
            let meant = nearest(kind_name, KINDS.map(|(name, _)| name)).map(|word| format!("; did you mean `{word}`?"));
            let hint = format!("`{kind_name}` is not a type of principal{}", meant.unwrap_or_default());
            return Err(Fault::new(Rule::Principal, path, hint).about(kind_name));
        };
        let names = texts(json, &path, Rule::Principal)?;
        if names.is_empty() {
            return Err(Fault::new(Rule::Principal, path, "at least one principal is expected"));
        }
        let single = matches!(json, Json::String(_));
        all.extend(names.into_iter().enumerate().map(|(i, name)| {
            let path = if single { path.clone() } else { format!("{path}[{i}]") };
            PrincipalName { kind: *kind, name, path }
        }));
    }
    Ok(all)
}

fn conditions(json: Option<&Json>, path: &str) -> Result<Vec<Condition>, Fault> {
    let operators = match json {
        None => return Ok(Vec::new()),
        Some(Json::Object(operators)) => operators,
        Some(other) => {
            let hint = format!("expected an object of operators, not {}", other.type_name());
            return Err(Fault::new(Rule::Type, path, hint));
        }
    };
    once_each(operators, path)?;
    let mut all = Vec::new();
    for (name, json) in operators {
        let path = format!("{path}.{name}");
        let Json::Object(keys) = json else {
            let hint = format!("expected an object of condition keys, not {}", json.type_name());
            return Err(Fault::new(Rule::Type, path, hint));
        };
        // An operator without keys tests nothing, whatever its name. CreatePolicy accepts it.
        if keys.is_empty() {
            continue;
        }
        let operator = Operator::named(name).ok_or_else(|| unknown_operator(name, &path))?;
        once_each(keys, &path)?;
        for (key, json) in keys {
            let path = format!("{path}.{key}");
            all.push(Condition { operator, key: key.clone(), values: values(json, &path)? });
        }
    }
    Ok(all)
}

fn unknown_operator(name: &str, path: &str) -> Fault {
    let meant = Operator::nearest(name).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
    Fault::new(Rule::Operator, path, format!("`{name}` is not a condition operator{meant}")).about(name)
}

/// Condition values: strings, numbers and booleans, one or a list of them.
fn values(json: &Json, path: &str) -> Result<Vec<String>, Fault> {
    let one = |json: &Json, path: &str| match json {
        Json::String(text) | Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        other => {
            let hint = format!("expected a string, a number or a boolean, not {}", other.type_name());
            Err(Fault::new(Rule::Type, path, hint))
        }
    };
    match json {
        Json::Array(items) => items.iter().enumerate().map(|(i, item)| one(item, &format!("{path}[{i}]"))).collect(),
        json => Ok(vec![one(json, path)?]),
    }
}

/// A string, or a list of strings.
fn texts(json: &Json, path: &str, rule: Rule) -> Result<Vec<String>, Fault> {
    match json {
        Json::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered.map(|(i, item)| text_of(item, &format!("{path}[{i}]"), rule).map(str::to_owned)).collect()
        }
        json => Ok(vec![text_of(json, path, rule)?.to_owned()]),
    }
}

fn text_of<'a>(json: &'a Json, path: &str, rule: Rule) -> Result<&'a str, Fault> {
    match json {
        Json::String(text) => Ok(text),
        other => Err(Fault::new(rule, path, format!("expected a string, not {}", other.type_name()))),
    }
}

/// The members of one object. Each name occurs once.
struct Members {
    path: String,
    members: Vec<(String, Json)>,
}

impl Members {
    fn new(members: Vec<(String, Json)>, path: &str) -> Result<Self, Fault> {
        once_each(&members, path)?;
        Ok(Self { path: path.to_owned(), members })
    }

    fn get(&self, name: &str) -> Option<&Json> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, json)| json)
    }

    fn take(self, name: &str) -> Option<Json> {
        self.members.into_iter().find(|(member, _)| member == name).map(|(_, json)| json)
    }

    /// Fails at the first member that the grammar does not know.
    fn unknown(&self, known: &[&'static str]) -> Option<Fault> {
        let (name, _) = self.members.iter().find(|(name, _)| !known.contains(&name.as_str()))?;
        let meant =
            nearest(name, known.iter().copied()).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
        let hint = format!(
            "`{name}` is not an element of a {}{meant}",
            if self.path.is_empty() { "policy" } else { "statement" }
        );
        Some(Fault::new(Rule::UnknownElement, join(&self.path, name), hint).about(name))
    }
}

/// The first name that occurs a second time. Stored documents have no size limit, so this does not compare every pair
/// of names.
fn once_each(members: &[(String, Json)], path: &str) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    match members.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        Some((name, _)) => {
            Err(Fault::new(Rule::Duplicate, join(path, name), format!("`{name}` occurs twice")).about(name))
        }
        None => Ok(()),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
