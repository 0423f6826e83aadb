//! The rows of `kelpgate policy actions --cases` that are calls of the query APIs.

use policy::Context;
use s3::Requirement;

use crate::condition_keys::set_query_condition_keys;
use crate::params::Params;
use crate::permissions::query_requirements;
use crate::query_caller::QueryCaller;

/// The account of the caller in all rows, and the caller.
const ACCOUNT: &str = "111122223333";
const USER_ARN: &str = "arn:aws:iam::111122223333:user/alice";

/// Answers one row, see [`s3::cases::actions_line`].
pub fn actions_line(line: &str) -> String {
    s3::cases::actions_line(line, judge)
}

fn judge(params: &[(String, String)], context: &mut Context) -> Result<Vec<Requirement>, String> {
    let caller = QueryCaller {
        account: ACCOUNT.parse().map_err(|_| String::from("the account of the cases is not valid"))?,
        user_arn: Some(USER_ARN),
        path_of: &|_, _| None,
        user_of_key: &|_| None,
        as_named: false,
        passes_on_tags: false,
        passes_on_source_identity: false,
    };
    let params = &Params::new(params.to_vec()).map_err(|error| error.to_string())?;
    set_query_condition_keys(params, context).map_err(|error| error.to_string())?;
    query_requirements(params, &caller).map_err(|error| error.to_string())
}
