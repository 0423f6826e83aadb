use policy::Action;

use super::{Permission, QueryAction, sts, unsupported};
use crate::command::Command;
use crate::error::IamError;

impl QueryAction {
    /// The action with exactly this name.
    ///
    /// Fails with `InvalidAction` if neither AWS nor SeaweedFS has it, or if it is a permission only, such as `PassRole`.
    pub fn find(name: &str) -> Result<Self, IamError> {
        let rows = Command::all().map(|command| &command.action).chain(sts::ACTIONS).chain(unsupported::ACTIONS);
        let row = rows.copied().find(|action| action.name == name);
        let found = row.or_else(|| Self::of_aws(name)).filter(|action| action.permission != Permission::Only);
        found.ok_or_else(|| IamError::new("InvalidAction", 400, format!("Unknown IAM or STS action: {name}")))
    }

    /// An action of which there is nothing to say beyond AWS's reference.
    fn of_aws(name: &str) -> Option<Self> {
        let spelled = |service: &str| {
            let action = Action::named(&format!("{service}:{name}"))?;
            action.as_str().split_once(':').map(|(_, spelled)| spelled).filter(|spelled| *spelled == name)
        };
        spelled("iam").map(Self::iam).or_else(|| spelled("sts").map(Self::sts))
    }
}
