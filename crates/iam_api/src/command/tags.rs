//! The tags of an entity: how a call changes them, and how they are listed.

use iam::Tags;
use xml::XmlWriter;

use super::{IamError, Request};
use crate::params::{TAGS_MAX, too_many_tags};

impl Request<'_> {
    /// Adds the tags of `Tags.member.N`. A key that differs from an existing one only in case replaces it.
    ///
    /// Fails like [`super::Params::tags`], and with `LimitExceeded` if there would be more than fifty.
    pub(super) fn tag(&self, tags: &mut Tags) -> Result<(), IamError> {
        self.required_list("Tags.member.")?;
        let new = self.params.tags()?;
        tags.retain(|known, _| !new.keys().any(|key| key.to_lowercase() == known.to_lowercase()));
        tags.extend(new);
        if tags.len() > TAGS_MAX { Err(too_many_tags()) } else { Ok(()) }
    }

    /// Removes the tags of `TagKeys.member.N`, if they exist. Case is ignored.
    pub(super) fn untag(&self, tags: &mut Tags) -> Result<(), IamError> {
        self.required_list("TagKeys.member.")?;
        let keys = self.params.members("TagKeys")?;
        tags.retain(|known, _| !keys.iter().any(|key| key.to_lowercase() == known.to_lowercase()));
        Ok(())
    }

    /// One page of tags.
    pub(super) fn page_of_tags(&self, tags: &Tags) -> Result<String, IamError> {
        let tags = tags.iter().map(|tag| (tag.0.as_str(), tag));
        self.page("Tags", tags, |xml, (key, value)| member(xml, key, value))
    }

    fn required_list(&self, prefix: &str) -> Result<(), IamError> {
        if self.params.has_prefix(prefix) {
            return Ok(());
        }
        Err(IamError::validation(format!("The parameter `{prefix}1` is missing: send at least one member")))
    }
}

/// The element `Tags` of an entity that has any.
pub(super) fn describe(xml: &mut XmlWriter, tags: &Tags) {
    if !tags.is_empty() {
        xml.element("Tags", |xml| {
            for (key, value) in tags {
                xml.element("member", |xml| member(xml, key, value));
            }
        });
    }
}

fn member(xml: &mut XmlWriter, key: &str, value: &str) {
    xml.text("Key", key).text("Value", value);
}
