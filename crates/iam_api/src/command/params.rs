//! The parameters of a call, checked as AWS does: no name can become a path.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::xml::Xml;
use super::{IamError, Request};
use crate::documents::Tags;
use crate::snapshot::Snapshot;

/// The parameters of a query API call, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Params {
    /// A parameter; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter as it was sent, empty or not.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, IamError> {
        self.get(name)
            .ok_or_else(|| IamError::validation(format!("The parameter `{name}` is missing: send it with the request")))
    }

    /// Whether any parameter begins with this, as lists do (`Tags.member.1.Key`).
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.0.range(prefix.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(prefix))
    }

    /// The members of a list, `name.member.1` and on, in order; an empty list is there as `name=`.
    ///
    /// Error: `ValidationError` for more than a thousand, and for a number that is left out.
    pub fn members(&self, name: &str) -> Result<Vec<String>, IamError> {
        let prefix = format!("{name}.member.");
        let given = self.0.range(prefix.clone()..).take_while(|(known, _)| known.starts_with(&prefix)).count();
        let in_order = (1..=given).map(|place| self.0.get(&format!("{prefix}{place}")).cloned());
        in_order.collect::<Option<Vec<String>>>().filter(|members| members.len() <= 1000).ok_or_else(|| {
            IamError::validation(format!(
                "The list {name} is not valid: {prefix}1 to at most {prefix}1000, none left out"
            ))
        })
    }

    /// `Tags.member.N.Key` and `.Value`, in order.
    ///
    /// Errors: as AWS has them for keys and values that are none, keys that come twice (their case does not count) and more than
    /// 50; `ValidationError` for members that would not be read, behind a number that is left out. Source: IAM User Guide, "Tags for IAM resources".
    pub fn tags(&self) -> Result<Tags, IamError> {
        let mut tags = Tags::default();
        let in_order = (1..).take_while(|place| self.0.contains_key(&format!("Tags.member.{place}.Key"))).count();
        let prefix = "Tags.member.";
        let given = self.0.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        if given.filter(|(name, _)| name.ends_with(".Key")).count() != in_order {
            return Err(IamError::validation("The list Tags is not valid: Tags.member.1 and on, none left out"));
        }
        for place in 1..=TAGS + 1 {
            let key = format!("Tags.member.{place}.Key");
            let Some(key) = self.given(&key) else { break };
            let value = self.given(&format!("Tags.member.{place}.Value")).unwrap_or_default();
            check_tag(key, value)?;
            if tags.keys().any(|known| known.to_lowercase() == key.to_lowercase()) {
                return Err(IamError::invalid(
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
                ));
            }
            tags.insert(key.to_owned(), value.to_owned());
        }
        if tags.len() > TAGS { Err(too_many_tags()) } else { Ok(tags) }
    }

    /// `PathPrefix`, `/` when it is left out.
    pub(super) fn path_prefix(&self) -> Result<&str, IamError> {
        let prefix = self.get("PathPrefix").unwrap_or("/");
        let good = prefix.starts_with('/') && prefix.len() <= 512 && prefix.bytes().all(|byte| byte.is_ascii_graphic());
        let message = "The specified value for pathPrefix is invalid. It must begin with the / character";
        good.then_some(prefix).ok_or_else(|| IamError::validation(message))
    }
}

/// AWS's quota of tags for each entity.
pub(super) const TAGS: usize = 50;

pub(super) fn too_many_tags() -> IamError {
    IamError::limit(format!("Cannot exceed quota for TagsPerEntity: {TAGS}"))
}

/// A key has 1 to 128 characters, a value up to 256: letters, digits, spaces and `_.:/=+-@`; keys that begin with `aws:` are AWS's.
fn check_tag(key: &str, value: &str) -> Result<(), IamError> {
    let plain = |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
    let fits = |text: &str, most: usize| text.chars().count() <= most && text.chars().all(plain);
    if key.is_empty() || !fits(key, 128) || !fits(value, 256) {
        return Err(IamError::validation(
            "A tag's key has 1 to 128 characters, its value up to 256: letters, digits, spaces and _.:/=+-@",
        ));
    }
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return Err(IamError::invalid(format!("The tag key {key} begins with aws:, which is reserved")));
    }
    Ok(())
}

/// Whether a text can be a name: 1 to `longest` characters of `A-Za-z0-9_+=,.@-`.
pub(crate) fn is_name(name: &str, longest: usize) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    !matches!(name, "" | "." | "..") && name.len() <= longest && name.chars().all(allowed)
}

impl Request<'_> {
    /// A name of at most `longest` characters of `A-Za-z0-9_+=,.@-`.
    ///
    /// Source: IAM API Reference, the pattern `[\w+=,.@-]+` of all names.
    pub(super) fn name(&self, parameter: &str, longest: usize) -> Result<Arc<str>, IamError> {
        let name = self.params.required(parameter)?;
        if !is_name(name, longest) {
            return Err(IamError::validation(format!(
                "The specified value for {parameter} is invalid. It must contain only alphanumeric characters and/or the \
                 following: +=,.@_- and have at most {longest} characters"
            )));
        }
        Ok(name.into())
    }

    /// A parameter that is `true` or `false`; false when it is left out.
    pub(super) fn flag(&self, parameter: &str) -> Result<bool, IamError> {
        match self.params.get(parameter) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(IamError::validation(format!("The parameter `{parameter}` must be true or false"))),
        }
    }

    /// `Description`, of at most 1000 characters; an empty one clears.
    pub(super) fn description(&self) -> Result<Option<String>, IamError> {
        let description = self.params.given("Description").map(str::to_owned);
        if description.as_ref().is_some_and(|text| text.chars().count() > 1000) {
            return Err(IamError::validation("The specified value for Description has more than 1000 characters"));
        }
        Ok(description)
    }

    /// The account to store with a group or policy: none when it is the gateway's own.
    pub(super) fn stored_account(&self, state: &Snapshot) -> String {
        let account = self.caller.account;
        if account == state.settings().account { String::new() } else { account.to_string() }
    }

    /// `UserName`, or the caller's own name when it is left out.
    pub(super) fn user_name(&self) -> Result<Arc<str>, IamError> {
        if self.params.get("UserName").is_some() {
            return self.name("UserName", 64);
        }
        match &self.caller.principal {
            policy::Principal::User { name, .. } => Ok(name.as_str().into()),
            // Roots of one file are told apart by a name of their own.
            policy::Principal::Root(_) => Ok(self.caller.name.clone()),
            _ => Err(IamError::validation("Must specify userName when calling with non-User credentials")),
        }
    }

    /// `Path` or `NewPath`: `/`, or begins and ends with `/`.
    pub(super) fn path(&self, parameter: &str) -> Result<String, IamError> {
        let path = self.params.get(parameter).unwrap_or("/");
        let printable = path.bytes().all(|byte| byte.is_ascii_graphic());
        if path.len() > 512 || !printable || !path.starts_with('/') || !path.ends_with('/') || path.contains("//") {
            return Err(IamError::validation(format!(
                "The specified value for {parameter} is invalid. It must begin and end with / and contain only \
                 alphanumeric characters and/or / characters"
            )));
        }
        Ok(path.to_owned())
    }

    /// Refuses a parameter that would have to be honoured and cannot be.
    pub(super) fn refuse(&self, parameter: &str) -> Result<(), IamError> {
        if self.params.has_prefix(parameter) {
            let action = self.params.get("Action").unwrap_or("this action");
            return Err(IamError::not_implemented(&format!("the parameter `{parameter}` of {action}")));
        }
        Ok(())
    }

    /// The name of the policy that `PolicyArn` names; it need not exist.
    ///
    /// Where it does, the ARN must be the policy's own, for that is what the permission was asked on.
    pub(super) fn policy_name(&self, state: &Snapshot) -> Result<Arc<str>, IamError> {
        self.policy_name_in("PolicyArn", state)
    }

    /// As [`Request::policy_name`], of another parameter.
    pub(super) fn policy_name_in(&self, parameter: &str, state: &Snapshot) -> Result<Arc<str>, IamError> {
        let arn = self.params.required(parameter)?;
        let resource = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":policy/"));
        let Some((account, resource)) = resource else {
            return Err(IamError::new("InvalidInput", 400, format!("ARN {arn} is not valid.")));
        };
        let name = resource.rsplit('/').next().unwrap_or(resource);
        let own = state.policy(name).is_none_or(|policy| *policy.arn == *arn);
        if account != self.caller.account.as_str() || !own {
            return Err(IamError::no_such_entity(format!("Policy {arn} does not exist or is not attachable.")));
        }
        Ok(name.into())
    }

    /// One page of a list of names.
    pub(super) fn page_of_names<'a>(
        &self,
        list: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<String, IamError> {
        self.page(list, names.map(|name| (name, name)), |xml, name| xml.push(name))
    }

    /// `MaxItems`: how many items a page has at most.
    pub(super) fn items_max(&self) -> Result<usize, IamError> {
        match self.params.get("MaxItems") {
            None => Ok(100),
            Some(text) => text.parse::<usize>().ok().filter(|most| (1..=1000).contains(most)).ok_or_else(|| {
                IamError::validation("The specified value for MaxItems is invalid. It must be 1 to 1000")
            }),
        }
    }

    /// One page of items that are written into several lists, and what stands after the lists: `IsTruncated` and `Marker`.
    pub(super) fn page_of_several<T>(
        &self,
        items: impl Iterator<Item = (String, T)>,
    ) -> Result<(Vec<T>, String), IamError> {
        let most = self.items_max()?;
        let after = self.params.get("Marker").map(|marker| unmarked("", marker)).transpose()?;
        let mut items = items.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after)).peekable();
        let mut page = Vec::new();
        let mut last = String::new();
        while page.len() < most {
            let Some((name, item)) = items.next() else { break };
            last = name;
            page.push(item);
        }
        let mut xml = Xml::new();
        let truncated = items.peek().is_some();
        xml.text("IsTruncated", if truncated { "true" } else { "false" });
        if truncated {
            xml.text("Marker", &marker("", &last));
        }
        Ok((page, xml.finish()))
    }

    /// Writes one page of a list: `IsTruncated`, `Marker` and the items between.
    pub(super) fn page<'a, T: 'a>(
        &self,
        list: &str,
        items: impl Iterator<Item = (&'a str, T)>,
        mut write: impl FnMut(&mut Xml, T),
    ) -> Result<String, IamError> {
        let most = self.items_max()?;
        let after = self.params.get("Marker").map(|marker| unmarked(list, marker)).transpose()?;
        let mut items = items.filter(|(name, _)| after.as_deref().is_none_or(|after| *name > after)).peekable();
        let mut xml = Xml::new();
        let mut last = "";
        xml.element(list, |xml| {
            for _ in 0..most {
                let Some((name, item)) = items.next() else { break };
                last = name;
                xml.element("member", |xml| write(xml, item));
            }
        });
        let truncated = items.peek().is_some();
        xml.text("IsTruncated", if truncated { "true" } else { "false" });
        if truncated {
            xml.text("Marker", &marker(list, last));
        }
        Ok(xml.finish())
    }
}

/// Where the next page of a list begins: after this name.
fn marker(list: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}/{last}"))
}

/// The name in a marker of this list.
fn unmarked(list: &str, marker: &str) -> Result<String, IamError> {
    let text = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let name = text.and_then(|text| Some(text.strip_prefix(list)?.strip_prefix('/')?.to_owned()));
    name.ok_or_else(|| IamError::validation("Invalid Marker: send the one that the page before answered"))
}
