use std::collections::HashMap;
use std::sync::LazyLock;

use policy::Action;

use super::{Permission, QueryAction, sts, unsupported};
use crate::command::Command;
use crate::error::IamError;

/// The rows of all actions of which there is something to say.
static ROWS: LazyLock<HashMap<&'static str, QueryAction>> = LazyLock::new(|| {
    let rows = Command::all().map(|command| &command.action).chain(sts::ACTIONS).chain(unsupported::ACTIONS);
    rows.map(|action| (action.name, *action)).collect()
});

impl QueryAction {
    /// The action with exactly this name.
    ///
    /// Fails with `InvalidAction` if neither AWS nor SeaweedFS has it, or if it is a permission only, such as `PassRole`.
    pub fn find(name: &str) -> Result<Self, IamError> {
        let found = ROWS
            .get(name)
            .copied()
            .or_else(|| Self::of_aws(name))
            .filter(|action| action.permission != Permission::Only);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_the_same_name() {
        let rows = Command::all().map(|command| &command.action).chain(sts::ACTIONS).chain(unsupported::ACTIONS);
        assert_eq!(rows.count(), ROWS.len());
    }
}
