//! The parameters of a call, read once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

use iam::{Tags, is_name};
use s3::QueryString;

use crate::error::IamError;

/// The parameters of a call of a query API, decoded. They are read once: what decides the permission is what does the work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Params(BTreeMap<String, String>);

impl From<QueryString> for Params {
    /// No name comes twice in a query string that was parsed.
    fn from(query: QueryString) -> Self {
        Self(query.to_pairs().into_iter().collect())
    }
}

impl Params {
    /// The parameters of query and body together.
    ///
    /// Error: `ValidationError` for a name that comes twice: two readers could use different values.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, IamError> {
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            match params.entry(name) {
                Entry::Vacant(place) => place.insert(value),
                Entry::Occupied(known) => {
                    let message = format!("the parameter {} occurs more than once: send it once", known.key());
                    return Err(IamError::validation(message));
                }
            };
        }
        Ok(Self(params))
    }

    /// The same parameters with another value of one.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A parameter; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter as it was sent, empty or not.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a parameter, or a list or structure, has this name; empty values count.
    pub fn has_any(&self, name: &str) -> bool {
        self.0.keys().any(|known| known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    /// A required parameter.
    pub fn required(&self, name: &str) -> Result<&str, IamError> {
        self.get(name)
            .ok_or_else(|| IamError::validation(format!("The parameter `{name}` is missing: send it with the request")))
    }

    /// Whether any parameter begins with this, as lists do (`Tags.member.1.Key`).
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.beginning_with(prefix).next().is_some()
    }

    /// The parameters whose names begin with a prefix, in the order of the names.
    pub fn beginning_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let all = self.0.range::<str, _>(from).map(|(name, value)| (name.as_str(), value.as_str()));
        all.take_while(move |(name, _)| name.starts_with(prefix))
    }

    /// The members of a list, `name.member.1` and so on, in order. An empty list is sent as `name=`.
    ///
    /// Fails with `ValidationError` if there are more than a thousand, or if a number is skipped.
    pub fn members(&self, name: &str) -> Result<Vec<String>, IamError> {
        let members = self.numbered(name, "").ok().filter(|members| members.len() <= 1000);
        let members = members.ok_or_else(|| {
            IamError::validation(format!(
                "The list {name} is not valid: use {name}.member.1 to at most {name}.member.1000 without gaps"
            ))
        })?;
        Ok(members.into_iter().map(str::to_owned).collect())
    }

    /// The values of `name.member.1` and so on, each with the suffix behind it, in order.
    ///
    /// Fails with `ValidationError` if a number is skipped, because later members would not be read.
    pub(crate) fn numbered(&self, name: &str, suffix: &str) -> Result<Vec<&str>, IamError> {
        // One without a number counts too: a limit that the caller asks for is never ignored.
        let is_member = |(known, _): &(&str, &str)| {
            known.strip_prefix(name).is_some_and(|rest| rest.starts_with(".member.") && rest.ends_with(suffix))
        };
        let given = self.beginning_with(name).filter(is_member).count();
        let in_order: Vec<&str> =
            (1..=given).map_while(|place| self.given(&format!("{name}.member.{place}{suffix}"))).collect();
        if in_order.len() != given {
            return Err(IamError::validation(format!(
                "The list {name} is not valid: use {name}.member.1 and so on without gaps"
            )));
        }
        Ok(in_order)
    }

    /// `Tags.member.N.Key` and `.Value`, in order, as they were sent.
    pub(crate) fn tag_pairs(&self) -> Result<Vec<(&str, &str)>, IamError> {
        let value = |place| self.given(&format!("Tags.member.{place}.Value")).unwrap_or_default();
        let keys = self.numbered("Tags", ".Key")?;
        Ok(keys.into_iter().zip(1..).map(|(key, place): (&str, usize)| (key, value(place))).collect())
    }

    /// The tags for an entity.
    ///
    /// Fails as on AWS for invalid keys and values, for keys that occur twice (ignoring case) and for more than 50
    /// tags; with `ValidationError` if a number is skipped. Source: IAM User Guide, "Tags for IAM resources".
    pub(crate) fn tags(&self) -> Result<Tags, IamError> {
        let mut tags = Tags::default();
        for (key, value) in self.tag_pairs()?.into_iter().take(TAGS_MAX + 1) {
            check_tag(key, value)?;
            if tags.keys().any(|known| known.to_lowercase() == key.to_lowercase()) {
                return Err(IamError::invalid(
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
                ));
            }
            tags.insert(key.to_owned(), value.to_owned());
        }
        if tags.len() > TAGS_MAX { Err(too_many_tags()) } else { Ok(tags) }
    }

    /// `Path` or `NewPath`; `/` when it is left out. `*` and `?` would look like a pattern in an ARN, `:` like another part of it.
    pub(crate) fn path(&self, parameter: &str) -> Result<String, IamError> {
        let path = self.get(parameter).unwrap_or("/");
        let printable = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?:".contains(&byte));
        if path.len() > 512 || !printable || !path.starts_with('/') || !path.ends_with('/') || path.contains("//") {
            return Err(IamError::validation(format!(
                "The specified value for {parameter} is invalid. It must begin and end with / and contain only \
                 alphanumeric characters and/or / characters"
            )));
        }
        Ok(path.to_owned())
    }

    /// `PathPrefix`; `/` if absent.
    pub(crate) fn path_prefix(&self) -> Result<&str, IamError> {
        let prefix = self.get("PathPrefix").unwrap_or("/");
        let good = prefix.starts_with('/') && prefix.len() <= 512 && prefix.bytes().all(|byte| byte.is_ascii_graphic());
        let message = "The specified value for pathPrefix is invalid. It must begin with the / character";
        good.then_some(prefix).ok_or_else(|| IamError::validation(message))
    }
}

/// AWS's quota of tags per entity.
pub(crate) const TAGS_MAX: usize = 50;

pub(crate) fn too_many_tags() -> IamError {
    IamError::limit(format!("Cannot exceed quota for TagsPerEntity: {TAGS_MAX}"))
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

/// A name of at most `longest` characters of `A-Za-z0-9_+=,.@-`, as the parameter gives it.
pub(crate) fn checked_name<'v>(parameter: &str, name: &'v str, longest: usize) -> Result<&'v str, IamError> {
    if is_name(name, longest) {
        return Ok(name);
    }
    Err(IamError::validation(format!(
        "The specified value for {parameter} is invalid. It must contain only alphanumeric characters and/or the \
         following: +=,.@_- and have at most {longest} characters"
    )))
}
