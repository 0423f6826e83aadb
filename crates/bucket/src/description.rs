//! What describes an object beside its bytes: what a request says about a new one, and what a copy takes from its source.

use std::collections::BTreeMap;

use filer::Entry;
use ids::Retention;

use crate::locks::Lock;
use crate::{attributes, object};

/// Named attributes of an entry.
pub(crate) type Extended = BTreeMap<String, Vec<u8>>;

/// Content type, headers, storage class and tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// The content type; `None` for the default.
    pub mime: Option<String>,
    /// Content headers and user metadata, by the names under which they are stored.
    headers: Extended,
    /// The storage class; `None` for the default.
    pub storage_class: Option<String>,
    /// Where websites redirect the object. A copy takes none from its source.
    pub redirect_location: Option<String>,
    /// The tags as attributes.
    tags: Extended,
    /// Retention and legal hold as attributes. A copy takes none from its source.
    lock: Extended,
}

impl Description {
    /// One without headers and tags.
    pub fn new(mime: Option<String>, storage_class: Option<String>) -> Self {
        Self { mime, storage_class, ..Self::default() }
    }

    /// What a copy takes from its source. The storage class is not part of it.
    pub fn of(source: &Entry) -> Self {
        let taken = |is_taken: fn(&str) -> bool| {
            let attributes = source.extended.iter().filter(|(name, _)| is_taken(name));
            attributes.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        Self {
            mime: Some(object::content_type(source).to_owned()),
            headers: taken(object::is_header),
            storage_class: None,
            redirect_location: None,
            tags: taken(|name| name.starts_with(attributes::TAG_PREFIX)),
            lock: Extended::new(),
        }
    }

    /// Sets one of the [content headers](object::CONTENT_HEADERS).
    pub fn set_content_header(&mut self, name: &str, value: &str) {
        self.headers.insert(name.to_owned(), value.as_bytes().to_vec());
    }

    /// Sets an item of user metadata: its name is without `x-amz-meta-`, in any case.
    pub fn set_metadata(&mut self, name: &str, value: &str) {
        let name = format!("{}{}", attributes::META_PREFIX, object::canonical_header_name(name));
        self.headers.insert(name, value.as_bytes().to_vec());
    }

    /// Replaces the tags.
    pub fn set_tags<'t>(&mut self, tags: impl Iterator<Item = (&'t str, &'t str)>) {
        self.tags = tag_attributes(tags);
    }

    /// Sets what protects the object.
    pub fn set_lock(&mut self, lock: &Lock) {
        if let Some(Retention { mode, until_s }) = lock.retention {
            self.lock.insert(attributes::LOCK_MODE.to_owned(), mode.as_str().into());
            self.lock.insert(attributes::RETAIN_UNTIL.to_owned(), until_s.to_string().into_bytes());
        }
        if lock.is_held {
            self.lock.insert(attributes::LEGAL_HOLD.to_owned(), b"ON".to_vec());
        }
    }

    /// The same with the tags of another one.
    pub fn with_tags_of(self, other: Self) -> Self {
        Self { tags: other.tags, ..self }
    }

    pub(crate) fn into_attributes(self) -> Extended {
        let mut extended = self.headers;
        extended.extend(self.tags);
        extended.extend(self.lock);
        if let Some(class) = self.storage_class {
            extended.insert(attributes::STORAGE_CLASS.to_owned(), class.into_bytes());
        }
        if let Some(location) = self.redirect_location {
            extended.insert(attributes::REDIRECT_LOCATION.to_owned(), location.into_bytes());
        }
        extended
    }
}

/// One attribute for each tag.
pub(crate) fn tag_attributes<'t>(tags: impl Iterator<Item = (&'t str, &'t str)>) -> Extended {
    tags.map(|(key, value)| (format!("{}{key}", attributes::TAG_PREFIX), value.as_bytes().to_vec())).collect()
}
