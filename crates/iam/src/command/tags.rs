//! Tags of IAM entities: what Tag, Untag and List have in common.

use std::collections::BTreeMap;

use super::xml::Xml;
use super::{IamError, Request};

/// AWS's quota of tags for each entity.
const TAGS: usize = 50;

pub(super) type Tags = BTreeMap<String, String>;

impl Request<'_> {
    /// Puts in the tags of `Tags.member.N`.
    ///
    /// Errors: as [`super::Params::tags`], and `LimitExceeded` for more than fifty in the end.
    pub(super) fn tag(&self, tags: &mut Tags) -> Result<(), IamError> {
        self.required_list("Tags.member.")?;
        tags.extend(self.params.tags()?);
        if tags.len() > TAGS {
            return Err(IamError::limit(format!("Cannot exceed quota for TagsPerEntity: {TAGS}")));
        }
        Ok(())
    }

    /// Takes out the tags of `TagKeys.member.N`, whether or not they are there.
    pub(super) fn untag(&self, tags: &mut Tags) -> Result<(), IamError> {
        self.required_list("TagKeys.member.")?;
        let keys = self.params.members("TagKeys")?;
        tags.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// One page of tags.
    pub(super) fn page_of_tags(&self, tags: &Tags) -> Result<String, IamError> {
        let tags = tags.iter().map(|tag| (tag.0.as_str(), tag));
        self.page("Tags", tags, |xml, (key, value)| {
            xml.text("Key", key).text("Value", value);
        })
    }

    fn required_list(&self, prefix: &str) -> Result<(), IamError> {
        if self.params.has_prefix(prefix) {
            return Ok(());
        }
        Err(IamError::validation(format!("The parameter `{prefix}1` is missing: send at least one member")))
    }
}

/// `Tags`, if there are any.
pub(super) fn describe(xml: &mut Xml, tags: &Tags) {
    if tags.is_empty() {
        return;
    }
    xml.element("Tags", |xml| {
        for (key, value) in tags {
            xml.element("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
}
