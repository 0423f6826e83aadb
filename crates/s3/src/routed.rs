//! How requests for an operation are recognised.

use crate::S3Error;
use crate::request::Request;
use crate::target::{FromPath, Level};

/// How a request for an operation is recognised and read.
pub(crate) trait Routed: Sized {
    /// What its path names.
    type On: FromPath;
    const ROUTE: Route;

    fn parse(request: &Request<'_>, on: Self::On) -> Result<Self, S3Error>;
}

/// What the head of an operation's requests looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) sub_resource: Option<&'static str>,
    pub(crate) id: ConfigurationId,
    pub(crate) copies: bool,
    pub(crate) takes_version: bool,
    pub(crate) takes_part_number: bool,
}

/// Whether the parameter `id` distinguishes two operations of one sub-resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigurationId {
    /// It does not matter.
    Any,
    /// The operation is about one configuration: `id` is required.
    With,
    /// The operation lists the configurations: `id` must be absent.
    Without,
}

impl Route {
    /// A request without a sub-resource.
    pub(crate) const fn new(method: &'static str) -> Self {
        let id = ConfigurationId::Any;
        Self { method, sub_resource: None, id, copies: false, takes_version: false, takes_part_number: false }
    }

    /// A request with a sub-resource.
    pub(crate) const fn sub(method: &'static str, name: &'static str) -> Self {
        Self { sub_resource: Some(name), ..Self::new(method) }
    }

    /// The header `x-amz-copy-source` is required.
    pub(crate) const fn copying(self) -> Self {
        Self { copies: true, ..self }
    }

    /// `versionId` is allowed.
    pub(crate) const fn of_version(self) -> Self {
        Self { takes_version: true, ..self }
    }

    /// `partNumber` is allowed.
    pub(crate) const fn of_part(self) -> Self {
        Self { takes_part_number: true, ..self }
    }

    /// Whether `id` is required.
    pub(crate) const fn with_id(self, id: ConfigurationId) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn fits(&self, method: &str, sub_resource: Option<&str>, is_copy: bool, has_id: bool) -> bool {
        let id_fits = match self.id {
            ConfigurationId::Any => true,
            ConfigurationId::With => has_id,
            ConfigurationId::Without => !has_id,
        };
        self.method == method && self.sub_resource == sub_resource && self.copies == is_copy && id_fits
    }
}

/// An operation in the table of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) route: Route,
}

impl Row {
    /// The row of an operation with its own type.
    pub(crate) const fn of<Op: Routed>(name: &'static str) -> Self {
        Self { name, level: Op::On::LEVEL, route: Op::ROUTE }
    }
}
