//! Which actions apply to what a resource pattern can be.

use crate::action::{Action, ActionSet};
use crate::action_facts::ResourceType;

/// The types of resource of S3 that a statement's resources can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    pub bucket: bool,
    pub object: bool,
}

impl Place {
    /// Whether the last part of an ARN pattern can be a bucket, or an object.
    pub(super) fn of(name: &str) -> Self {
        match name.find('/') {
            Some(slash) => Self { bucket: name.get(..slash).is_some_and(|bucket| bucket.contains('*')), object: true },
            None => Self { bucket: true, object: name.contains('*') },
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { bucket: self.bucket || other.bucket, object: self.object || other.object }
    }

    /// Whether an action of S3 applies to such a resource.
    pub(super) fn admit(self, action: Action) -> bool {
        let types = action.resource_types();
        (self.bucket && types.contains(&ResourceType::S3Bucket))
            || (self.object && types.contains(&ResourceType::S3Object))
    }
}

/// The known actions that apply to a resource that one of the patterns can be. An action that has no type of resource, or a
/// pattern whose service or name is left open, counts as fitting.
pub(crate) fn fitting(patterns: &[String]) -> ActionSet {
    let mut all = ActionSet::default();
    for action in Action::all().filter(|action| patterns.iter().any(|pattern| fits(*action, pattern))) {
        all.insert(action);
    }
    all
}

fn fits(action: Action, pattern: &str) -> bool {
    let segments: Vec<&str> = pattern.splitn(6, ':').collect();
    let [_, _, service, region, account, name] = segments.as_slice() else { return true };
    let is_open = |text: &str| text.contains(['*', '?', '$']);
    if action.resource_types().is_empty() || is_open(service) {
        return true;
    }
    match action.service() {
        // Access points have an account. What a name with a variable covers is not known here.
        "s3" if !account.is_empty() || !region.is_empty() => *service == "s3",
        "s3" => *service == "s3" && (name.contains("${") || Place::of(name).admit(action)),
        // The resources of STS are roles and users of IAM.
        "sts" => ["iam", "sts"].contains(service),
        other => *service == other,
    }
}
