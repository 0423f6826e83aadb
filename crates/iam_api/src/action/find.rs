use policy::Action;

use super::{Permission, QueryAction, sts, unsupported};
use crate::command::Command;
use crate::error::IamError;

/// All actions with a row of their own. Other actions of AWS come from [`QueryAction::of_aws`].
fn rows() -> impl Iterator<Item = &'static QueryAction> {
    // The few of STS come first, because sessions are requested more often than users change.
    sts::ACTIONS.iter().chain(Command::all().map(|command| &command.action)).chain(unsupported::ACTIONS)
}

impl QueryAction {
    /// The action with exactly this name.
    ///
    /// Fails with `InvalidAction` if neither AWS nor SeaweedFS has it, or if it is a permission only, such as `PassRole`.
    pub fn find(name: &str) -> Result<Self, IamError> {
        let found = rows()
            .find(|action| action.name == name)
            .copied()
            .or_else(|| Self::of_aws(name))
            .filter(|action| action.permission != Permission::Only);
        found.ok_or_else(|| IamError::new("InvalidAction", 400, format!("Unknown IAM or STS action: {name}")))
    }

    /// An action of which there is nothing to say beyond AWS's reference.
    fn of_aws(name: &str) -> Option<Self> {
        let spelled = |service: &str| {
            let action = Action::of_service(service, name)?;
            action.as_str().split_once(':').map(|(_, spelled)| spelled).filter(|spelled| *spelled == name)
        };
        spelled("iam").map(Self::iam).or_else(|| spelled("sts").map(Self::sts))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_rows_have_the_same_name() {
        let names: BTreeSet<&str> = rows().map(|action| action.name).collect();
        assert_eq!(names.len(), rows().count());
    }
}
