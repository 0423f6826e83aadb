//! What is known of an action of IAM or STS. One row says all of it, beside the command that runs it: what the row leaves
//! out is as AWS's Service Authorization Reference has it ([`policy::Action`]).

mod find;
mod sts;
mod unsupported;

use policy::Action;
use s3::Requirement;

pub use crate::answer::Service;
use crate::error::IamError;
use crate::params::Params;
use crate::query_caller::QueryCaller;

/// An action of the query APIs of IAM and STS, whether Kelpgate runs it or not.
#[derive(Debug, Clone, Copy)]
pub struct QueryAction {
    /// Its name without the service, for example `CreateUser`.
    pub name: &'static str,
    /// The API that it belongs to.
    pub service: Service,
    /// Whether a call of it must be signed. The token of an identity provider says who makes the others.
    pub is_signed: bool,
    /// Whether its permissions are decided before it is answered.
    pub is_decided: bool,
    pub(crate) permission: Permission,
    pub(crate) resource: Resource,
    pub(crate) further: Option<Further>,
    /// The permission that a call with tags needs too.
    pub(crate) tagging: Option<&'static str>,
    pub(crate) keys: &'static [Key],
    /// Whether `iam:PermissionsBoundary` is the present boundary of the user or role that the call is about.
    pub has_boundary_of_entity: bool,
}

/// The permission with an action's own name, another one, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    Own,
    Named(&'static str),
    None,
    /// It is a permission only. No call has its name.
    Only,
}

/// The resource of an action.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resource {
    /// An entity of the type that AWS lists for the action, named by the parameter of that type; `*` if AWS lists none.
    Listed,
    /// The same, but the call makes the entity, so the call has its path.
    New,
    /// What this parameter has: an ARN.
    Arn(&'static str),
    /// Something else.
    By(ResourceOf),
}

/// Reads the resource from a call.
pub(crate) type ResourceOf = fn(&Params, &QueryCaller<'_>) -> Result<String, IamError>;

/// The permissions of a call in addition to its own, whose resource is passed.
pub(crate) type Further = fn(&Params, &QueryCaller<'_>, &str) -> Result<Vec<Requirement>, IamError>;

/// A condition key that a call sets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    /// The value of a parameter.
    Of(&'static str, Parameter),
    /// All members of a list.
    OfList(&'static str, Parameter),
    /// Always the same.
    Is(&'static str, &'static str),
}

/// The name of a parameter.
type Parameter = &'static str;

/// The policy that a call attaches or detaches.
pub(crate) const POLICY_ARN: &[Key] = &[Key::Of("iam:PolicyARN", "PolicyArn")];
/// The boundary that a call gives to a user or role.
pub(crate) const NEW_BOUNDARY: &[Key] = &[Key::Of("iam:PermissionsBoundary", "PermissionsBoundary")];

impl QueryAction {
    /// The permission that a call of it needs, for example `iam:CreateUser`. Metrics and logs name the action by it.
    pub fn label(&self) -> &'static str {
        match self.permission {
            Permission::Named(permission) => permission,
            _ => self.of_reference().map_or(self.name, Action::as_str),
        }
    }

    /// The action in AWS's reference; `None` for SeaweedFS's actions.
    pub(crate) fn of_reference(&self) -> Option<Action> {
        let service = match self.service {
            Service::Iam => "iam",
            Service::Sts => "sts",
        };
        Action::of_service(service, self.name)
    }

    pub(crate) const fn iam(name: &'static str) -> Self {
        Self {
            name,
            service: Service::Iam,
            is_signed: true,
            is_decided: true,
            permission: Permission::Own,
            resource: Resource::Listed,
            further: None,
            tagging: None,
            keys: &[],
            has_boundary_of_entity: false,
        }
    }

    pub(crate) const fn sts(name: &'static str) -> Self {
        Self { service: Service::Sts, ..Self::iam(name) }
    }
}
