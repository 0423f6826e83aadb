//! What is wrong with a document, before the API that refuses it words the message.

use crate::error::PolicyError;
use crate::policy_kind::PolicyKind;

/// The rule that a document breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    FirstByte,
    Json,
    StatementMissing,
    StatementEmpty,
    UnknownElement,
    Duplicate,
    /// An element of the wrong JSON type, or two that exclude each other.
    Type,
    Version,
    OldVersion,
    Effect,
    EffectCase,
    EffectMissing,
    Principal,
    PrincipalMissing,
    PrincipalProhibited,
    NotPrincipalWithAllow,
    NotPrincipal,
    ActionMissing,
    Action,
    ActionVendor,
    ActionColons,
    TrustAction,
    ResourceMissing,
    ResourceProhibited,
    /// A resource of a bucket policy that is outside the bucket.
    BucketResource,
    ResourceArn,
    /// The message is complete: use it unchanged.
    AwsMessage,
    LegacyParsing,
    ActionWithoutResource,
    Operator,
    ConditionKey,
    ConditionFit,
    ConditionValue,
    ConditionAddress,
    SidCharacters,
    SidDouble,
    Size(usize),
}

/// The broken rule, where it is broken, and our own hint on what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub rule: Rule,
    pub path: String,
    /// Our hint. It follows AWS's message.
    pub hint: String,
    /// The text at fault, if AWS's message repeats it.
    pub subject: String,
}

const SID_CHARACTERS: &str =
    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";

impl Fault {
    pub fn new(rule: Rule, path: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { rule, path: path.into(), hint: hint.into(), subject: String::new() }
    }

    /// Names the text at fault.
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = subject.to_owned();
        self
    }

    /// The error as the API for this kind of policy returns it.
    pub fn refuse(self, kind: PolicyKind) -> PolicyError {
        let words = match kind {
            PolicyKind::Bucket => self.bucket_words(),
            PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Session | PolicyKind::Trust => {
                self.iam_words(kind)
            }
        };
        let message = match (words.is_empty(), self.hint.is_empty()) {
            (true, _) => self.hint,
            (false, true) => words,
            (false, false) => format!("{words}{} {}", if words.ends_with(['.', '!']) { "" } else { ":" }, self.hint),
        };
        PolicyError::new(code(self.rule, kind), message, self.path)
    }

    /// S3's messages. Source: answers to PutBucketPolicy that several projects recorded.
    fn bucket_words(&self) -> String {
        let subject = &self.subject;
        match self.rule {
            Rule::FirstByte => "Policies must be valid JSON and the first byte must be '{'".into(),
            Rule::Json | Rule::Duplicate | Rule::Type => "This policy contains invalid Json".into(),
            Rule::StatementMissing => "Missing required field Statement".into(),
            Rule::EffectMissing => "Missing required field Effect".into(),
            Rule::PrincipalMissing => "Missing required field Principal".into(),
            Rule::ActionMissing => "Missing required field Action".into(),
            Rule::ResourceMissing => "Missing required field Resource".into(),
            Rule::StatementEmpty => "Could not parse the policy: Statement is empty!".into(),
            Rule::UnknownElement => format!("Unknown field {subject}"),
            Rule::Version | Rule::OldVersion => "The policy must contain a valid version string".into(),
            Rule::Effect | Rule::EffectCase => format!("Invalid effect: {subject}"),
            Rule::Principal | Rule::NotPrincipal | Rule::PrincipalProhibited => "Invalid principal in policy".into(),
            Rule::NotPrincipalWithAllow => "Allow with NotPrincipal is not allowed.".into(),
            Rule::Action | Rule::ActionVendor | Rule::ActionColons | Rule::TrustAction => {
                "Policy has invalid action".into()
            }
            Rule::BucketResource
            | Rule::ResourceArn
            | Rule::AwsMessage
            | Rule::ResourceProhibited
            | Rule::LegacyParsing => "Policy has invalid resource".into(),
            Rule::ActionWithoutResource => "Action does not apply to any resource(s) in statement".into(),
            Rule::Operator => format!("Invalid Condition type : {subject}"),
            Rule::ConditionKey => "Policy has an invalid condition key".into(),
            Rule::ConditionFit => "Conditions do not apply to combination of actions and resources in statement".into(),
            Rule::ConditionValue => "Policy has an invalid condition value".into(),
            Rule::ConditionAddress => "Invalid IP address in Conditions".into(),
            Rule::SidCharacters => SID_CHARACTERS.into(),
            Rule::SidDouble => "Statement IDs (SID) in a single policy must be unique.".into(),
            Rule::Size(max) => format!("The policy is larger than the {max} bytes allowed"),
        }
    }

    /// IAM's and STS's messages.
    fn iam_words(&self, kind: PolicyKind) -> String {
        let subject = &self.subject;
        match self.rule {
            Rule::FirstByte | Rule::Json if kind == PolicyKind::Trust => "This policy contains invalid Json".into(),
            Rule::EffectCase | Rule::LegacyParsing => "The policy failed legacy parsing".into(),
            Rule::Version if kind == PolicyKind::Trust => "The policy must contain a valid version string".into(),
            Rule::OldVersion => "Policy document must be version 2012-10-17 or greater.".into(),
            Rule::Principal => format!("Invalid principal in policy: {subject}"),
            Rule::PrincipalMissing => "Missing required field Principal".into(),
            Rule::PrincipalProhibited => "Policy document should not specify a principal.".into(),
            Rule::NotPrincipal | Rule::NotPrincipalWithAllow => "Has prohibited field NotPrincipal.".into(),
            Rule::ResourceProhibited => format!("Has prohibited field {subject}."),
            Rule::ActionMissing => "Policy statement must contain actions.".into(),
            Rule::ResourceMissing => "Policy statement must contain resources.".into(),
            Rule::ActionVendor => "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".into(),
            Rule::ActionColons => "Actions/Condition can contain only one colon.".into(),
            Rule::TrustAction => "AssumeRole policy may only specify STS AssumeRole actions.".into(),
            Rule::ResourceArn => format!("Resource {subject} must be in ARN format or \"*\"."),
            Rule::AwsMessage => String::new(),
            Rule::SidCharacters => SID_CHARACTERS.into(),
            Rule::SidDouble => "Statement IDs (SID) in a single policy must be unique.".into(),
            Rule::Size(max) => match kind {
                PolicyKind::Trust => format!("Cannot exceed quota for ACLSizePerRole: {max}"),
                PolicyKind::Session => {
                    format!(
                        "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to {max}"
                    )
                }
                _ => format!("Cannot exceed quota for PolicySize: {max}"),
            },
            _ => "Syntax errors in policy.".into(),
        }
    }
}

fn code(rule: Rule, kind: PolicyKind) -> &'static str {
    match (kind, rule) {
        (PolicyKind::Bucket, _) => "MalformedPolicy",
        (PolicyKind::Session, Rule::Size(_)) => "ValidationError",
        (_, Rule::Size(_)) => "LimitExceeded",
        _ => "MalformedPolicyDocument",
    }
}
