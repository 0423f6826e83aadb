//! The parameters of a call, checked as on AWS. A name can never become a path.

use std::cmp::Ordering;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xml::XmlWriter;

use super::{IamError, Request};
use crate::answer::fragment;
use crate::params::checked_name;
use iam::Snapshot;

impl Request<'_> {
    /// A name of at most `longest` characters of `A-Za-z0-9_+=,.@-`.
    ///
    /// Source: IAM API Reference, the pattern `[\w+=,.@-]+` of all names.
    pub(super) fn name(&self, parameter: &str, longest: usize) -> Result<Arc<str>, IamError> {
        let name = checked_name(parameter, self.params.required(parameter)?, longest)?;
        Ok(name.into())
    }

    /// A parameter that is `true` or `false`; false if absent.
    pub(super) fn flag(&self, parameter: &str) -> Result<bool, IamError> {
        match self.params.get(parameter) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(IamError::validation(format!("The parameter `{parameter}` must be true or false"))),
        }
    }

    /// `Description`, of at most 1000 characters. An empty one removes it.
    pub(super) fn description(&self) -> Result<Option<String>, IamError> {
        let description = self.params.given("Description").map(str::to_owned);
        if description.as_ref().is_some_and(|text| text.chars().count() > 1000) {
            return Err(IamError::validation("The specified value for Description has more than 1000 characters"));
        }
        Ok(description)
    }

    /// The account to store with a group or policy; empty if it is the gateway's own.
    pub(super) fn stored_account(&self, state: &Snapshot) -> String {
        let account = self.caller.account;
        if account == state.settings().account { String::new() } else { account.to_string() }
    }

    /// `UserName`, or the caller's own name if absent.
    pub(super) fn user_name(&self) -> Result<Arc<str>, IamError> {
        if self.params.get("UserName").is_some() {
            return self.name("UserName", 64);
        }
        match &self.caller.principal {
            policy::Principal::User { name, .. } => Ok(name.as_str().into()),
            // Roots from the same file have different names.
            policy::Principal::Root(_) => Ok(self.caller.name.clone()),
            _ => Err(IamError::validation("Must specify userName when calling with non-User credentials")),
        }
    }

    /// Refuses a parameter that would have to be honoured and cannot be.
    pub(super) fn refuse(&self, parameter: &str) -> Result<(), IamError> {
        if self.params.has_prefix(parameter) {
            let action = self.params.get("Action").unwrap_or("this action");
            return Err(IamError::not_implemented(&format!("the parameter `{parameter}` of {action}")));
        }
        Ok(())
    }

    /// The name of the policy in `PolicyArn`, which is the ARN itself for a policy of AWS. The policy may not exist.
    ///
    /// If it exists, the ARN must be the policy's own, because the permission was checked for that ARN.
    pub(super) fn policy_name(&self, state: &Snapshot) -> Result<Arc<str>, IamError> {
        self.policy_name_in("PolicyArn", state)
    }

    /// Like [`Request::policy_name`], for another parameter.
    pub(super) fn policy_name_in(&self, parameter: &str, state: &Snapshot) -> Result<Arc<str>, IamError> {
        let arn = self.params.required(parameter)?;
        if state.policy(arn).is_some_and(|policy| policy.is_aws_managed()) {
            return Ok(arn.into());
        }
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
        self.page(list, names.map(|name| (name, name)), |xml, name| xml.content(name))
    }

    /// `MaxItems`: the most items on a page.
    pub(super) fn items_max(&self) -> Result<usize, IamError> {
        match self.params.get("MaxItems") {
            None => Ok(100),
            Some(text) => text.parse::<usize>().ok().filter(|most| (1..=1000).contains(most)).ok_or_else(|| {
                IamError::validation("The specified value for MaxItems is invalid. It must be 1 to 1000")
            }),
        }
    }

    /// One page of items for several lists, and what follows the lists: `IsTruncated` and `Marker`.
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
        let mut xml = fragment();
        let truncated = items.peek().is_some();
        xml.text("IsTruncated", if truncated { "true" } else { "false" });
        if truncated {
            xml.text("Marker", &marker("", &last));
        }
        Ok((page, xml.finish()))
    }

    /// Writes one page of a list, sorted by name: `IsTruncated`, `Marker` and the items.
    pub(super) fn page<'a, T: 'a>(
        &self,
        list: &str,
        items: impl Iterator<Item = (&'a str, T)>,
        mut write: impl FnMut(&mut XmlWriter, T),
    ) -> Result<String, IamError> {
        let most = self.items_max()?;
        let after = self.params.get("Marker").map(|marker| unmarked(list, marker)).transpose()?;
        let is_ahead = |name: &str| after.as_deref().is_none_or(|after| by_name(name, after).is_gt());
        let mut items: Vec<_> = items.filter(|(name, _)| is_ahead(name)).collect();
        items.sort_by(|(one, _), (other, _)| by_name(one, other));
        let mut items = items.into_iter().peekable();
        let mut xml = fragment();
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

/// The order of lists: as in IAM, names that differ only in case stand together.
fn by_name(one: &str, other: &str) -> Ordering {
    let (folded, other_folded) = (one.bytes(), other.bytes());
    let folded = folded.map(|byte| byte.to_ascii_lowercase());
    folded.cmp(other_folded.map(|byte| byte.to_ascii_lowercase())).then_with(|| one.cmp(other))
}

/// Where the next page of a list begins: after this name.
fn marker(list: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}/{last}"))
}

/// The name in a marker of this list.
fn unmarked(list: &str, marker: &str) -> Result<String, IamError> {
    let text = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let name = text.and_then(|text| Some(text.strip_prefix(list)?.strip_prefix('/')?.to_owned()));
    name.ok_or_else(|| IamError::validation("Invalid Marker: send the one from the previous page"))
}
