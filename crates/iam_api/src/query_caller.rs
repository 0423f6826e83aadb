use ids::AccountId;
use policy::ResourceType;

/// The facts about the caller that determine what a call is about.
pub struct QueryCaller<'a> {
    /// The account of resources that the call does not name by ARN.
    pub account: AccountId,
    /// The ARN of the calling user, for calls without `UserName`. Sessions have none.
    pub user_arn: Option<&'a str>,
    /// The path of an existing entity, for example `/team/`, by its type and name; `/` if it is unknown.
    pub path_of: &'a dyn Fn(ResourceType, &str) -> Option<String>,
    /// The ARN of the user of an access key of this account; `None` if it is unknown.
    pub user_of_key: &'a dyn Fn(&str) -> Option<String>,
    /// Whether resources are written as the call names them, for example `user alice`. Refusals repeat them, and say nothing of what
    /// is stored.
    pub as_named: bool,
    /// Whether the caller is a session with transitive tags. A session made from it inherits them.
    pub passes_on_tags: bool,
    /// Whether the caller is a session with a source identity. A session made from it inherits it.
    pub passes_on_source_identity: bool,
}
