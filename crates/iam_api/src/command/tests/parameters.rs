//! Every parameter of every command: what it takes, what it refuses and in which words, and whether it may be left out.

use std::collections::BTreeSet;

use super::*;
use iam::{Credential, MfaDevice};

/// What a parameter takes.
#[derive(Clone, Copy)]
enum Takes {
    /// A name of at most so many characters.
    Name(usize),
    /// A path of an entity.
    Path,
    /// The beginning of a path.
    Prefix,
    /// How many items a page has.
    Items,
    /// Where a page begins, if the list's markers are names.
    Marker,
    /// The ARN of a policy of the account.
    Policy,
    /// Text of at most so many characters, with the error of a longer one.
    Text(usize, &'static str, &'static str),
    /// One of these, with what is said of any other.
    OneOf(&'static [&'static str], &'static str, &'static str),
    /// `true` or `false`.
    Flag,
    /// The length of a session in seconds.
    Seconds,
    /// The version of a policy.
    Version,
    /// A policy document.
    Document,
    /// The key of a tag.
    TagKey,
    /// The value of a tag.
    TagValue,
    /// An alias of an account.
    Alias,
    /// The URL of a provider.
    Url,
    /// A client id.
    Client,
    /// The SHA-1 of a certificate.
    Thumbprint,
    /// A time in the future.
    Expiration,
    /// Whatever names something that may not exist: what is said then.
    Known(&'static str, &'static str),
    /// What is compared with what is stored and is not checked otherwise.
    Anything,
}

use Takes::*;

const NAME_64: Takes = Name(64);
const NAME_128: Takes = Name(128);
const DESCRIPTION: Takes =
    Text(1000, "ValidationError", "The specified value for Description has more than 1000 characters");
const SERVICE_ACCOUNT_TEXT: Takes = Text(1000, "InvalidInput", "description exceeds maximum length of 1000 characters");
const STATUS: Takes = OneOf(
    &["Active", "Inactive"],
    "ValidationError",
    "The specified value for Status is invalid. It must be Active or Inactive",
);
const SERVICE_ACCOUNT_STATUS: Takes =
    OneOf(&["Active", "Inactive"], "InvalidInput", "Status must be 'Active' or 'Inactive'");
const PROVIDER: Takes =
    Known("arn:aws:iam::000000000000:oidc-provider/none", "OpenIDConnect Provider not found for arn {}");
const SERVICE_ACCOUNT: Takes = Known("sa:al:none", "service account {} not found");
const KEY: Takes = Known("AKNONE", "The Access Key with id {} cannot be found.");
const SOURCE: Takes = Known("arn:aws:iam::000000000000:user/none", "The entity {} cannot be found.");
const USAGE: Takes = OneOf(
    &["PermissionsPolicy", "PermissionsBoundary"],
    "ValidationError",
    "The specified value for PolicyUsageFilter is invalid",
);

/// A parameter of a call: its name, a good value, what it takes, and whether it may be left out.
struct Parameter(&'static str, &'static str, Takes, Absence);

/// What is said if a parameter is missing.
#[derive(Clone, Copy)]
enum Absence {
    /// Nothing: the call has a default.
    Fine,
    /// The code, and the message.
    Refused(&'static str, &'static str),
}

const fn must(name: &'static str, value: &'static str, takes: Takes) -> Parameter {
    Parameter(
        name,
        value,
        takes,
        Absence::Refused("ValidationError", "The parameter `{}` is missing: send it with the request"),
    )
}

const fn may(name: &'static str, value: &'static str, takes: Takes) -> Parameter {
    Parameter(name, value, takes, Absence::Fine)
}

/// As [`must`], in SeaweedFS's words.
const fn is_required(name: &'static str, value: &'static str, takes: Takes) -> Parameter {
    Parameter(name, value, takes, Absence::Refused("InvalidInput", "{} is required"))
}

/// At least one member of a list.
const fn member(name: &'static str, value: &'static str, takes: Takes, missing: &'static str) -> Parameter {
    Parameter(name, value, takes, Absence::Refused("ValidationError", missing))
}

const P: &str = "arn:aws:iam::000000000000:policy/P";
const IDP: &str = "arn:aws:iam::000000000000:oidc-provider/idp.example.com";
const AL: &str = "arn:aws:iam::000000000000:user/al";
pub(super) const PHONE: &str = "arn:aws:iam::000000000000:mfa/phone";
pub(super) const SPARE: &str = "arn:aws:iam::000000000000:mfa/spare";
/// What these devices show at the time of the calls, and next.
pub(super) const CODES: [&str; 2] = ["921300", "732303"];
const DEVICE: Takes =
    Known("arn:aws:iam::000000000000:mfa/none", "VirtualMFADevice with serial number {} doesn't exist.");
const ASSIGNMENT: Takes = OneOf(
    &["Any", "Assigned", "Unassigned"],
    "ValidationError",
    "The specified value for AssignmentStatus is invalid. It must be Any, Assigned or Unassigned",
);
const SHA1: &str = "0123456789abcdef0123456789abcdef01234567";
const NO_TAG: &str = "The parameter `Tags.member.1` is missing: send at least one member";
const NO_TAG_KEY: &str = "The parameter `TagKeys.member.1` is missing: send at least one member";

/// The user al, with everything that the calls below need.
const STORY: [&str; 21] = [
    "CreateUser&UserName=al",
    "CreateUser&UserName=free",
    "CreateUser&UserName=keyless",
    "CreateGroup&GroupName=g",
    "CreateGroup&GroupName=free",
    "CreateRole&RoleName=R&AssumeRolePolicyDocument=$TRUST",
    "CreateRole&RoleName=Free&AssumeRolePolicyDocument=$TRUST",
    "CreatePolicy&PolicyName=P&PolicyDocument=$GET",
    "CreatePolicy&PolicyName=Free&PolicyDocument=$GET",
    "CreatePolicy&PolicyName=Q&PolicyDocument=$GET",
    "CreatePolicyVersion&PolicyArn=arn:aws:iam::000000000000:policy/P&PolicyDocument=$GET",
    "CreateAccessKey&UserName=al",
    "AddUserToGroup&GroupName=g&UserName=al",
    "AttachUserPolicy&UserName=al&PolicyArn=arn:aws:iam::000000000000:policy/P",
    "AttachGroupPolicy&GroupName=g&PolicyArn=arn:aws:iam::000000000000:policy/P",
    "AttachRolePolicy&RoleName=R&PolicyArn=arn:aws:iam::000000000000:policy/P",
    "CreateInstanceProfile&InstanceProfileName=web",
    "CreateInstanceProfile&InstanceProfileName=free",
    "AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R",
    "CreateOpenIDConnectProvider&Url=https://idp.example.com",
    "CreateServiceAccount&ParentUser=al",
];

pub(super) fn peopled() -> Snapshot {
    let more = [
        "PutUserPolicy&UserName=al&PolicyName=I&PolicyDocument=$GET",
        "PutGroupPolicy&GroupName=g&PolicyName=I&PolicyDocument=$GET",
        "PutRolePolicy&RoleName=R&PolicyName=I&PolicyDocument=$GET",
        "PutUserPermissionsBoundary&UserName=al&PermissionsBoundary=arn:aws:iam::000000000000:policy/P",
        "PutRolePermissionsBoundary&RoleName=R&PermissionsBoundary=arn:aws:iam::000000000000:policy/P",
        "CreateAccountAlias&AccountAlias=reef",
    ];
    let state = STORY.iter().chain(&more).fold(start(), |state, line| {
        let line = line.replace("$TRUST", TRUST).replace("$GET", GET);
        run(&state, &line).unwrap_or_else(|error| panic!("{line}: {error}")).0
    });
    let al = state.user("al").unwrap().id.to_string();
    state.apply([mfa_device(PHONE, &al), mfa_device(SPARE, "")])
}

/// A device with the secret of RFC 6238's test vectors.
pub(super) fn mfa_device(serial: &str, user_id: &str) -> Change {
    let device = MfaDevice {
        serial: serial.to_owned(),
        account: "000000000000".to_owned(),
        seed: Some(Credential::new(serial, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")),
        user_id: user_id.to_owned(),
        enabled_s: 1_700_000_000,
        ..MfaDevice::default()
    };
    Change::MfaDevice(MfaDevice::file_stem(serial), Some(Ok(device)))
}

/// Ids that the commands chose.
fn with_ids(state: &Snapshot, value: &str) -> String {
    let al = state.user("al").unwrap();
    let account = state.service_accounts_of("al").next().unwrap();
    value
        .replace("$KEY", &al.record.credentials[0].access_key)
        .replace("$SA", &account.id)
        .replace("$GET", GET)
        .replace("$TRUST", TRUST)
}

/// A call, without the parameter `without` and with `with` in place of what its row has.
fn line(
    state: &Snapshot,
    action: &str,
    parameters: &[Parameter],
    without: Option<&str>,
    with: Option<(&str, &str)>,
) -> String {
    let given = parameters.iter().filter(|parameter| Some(parameter.0) != without).map(|parameter| {
        let value = with.filter(|(name, _)| *name == parameter.0).map_or(parameter.1, |(_, value)| value);
        format!("&{}={}", parameter.0, with_ids(state, value))
    });
    action.to_owned() + &given.collect::<String>()
}

/// The call of a command's row, with all its parameters.
pub(super) fn line_of(state: &Snapshot, action: &str) -> String {
    let (_, parameters) = ROWS.iter().find(|(known, _)| *known == action).unwrap();
    line(state, action, parameters, None, None)
}

impl Takes {
    /// Values at the edge of what it takes.
    fn good(self) -> Vec<String> {
        let several = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        match self {
            Name(longest) => vec!["x".repeat(longest), "a_+=,.@-Z9".to_owned()],
            Path => vec!["/".to_owned(), "/a/b-c/".to_owned(), format!("/{}/", "a".repeat(510))],
            Prefix => vec!["/".to_owned(), "/a".to_owned(), format!("/{}", "a".repeat(511))],
            Items => several(&["1", "1000"]),
            Text(longest, _, _) => vec!["x".repeat(longest), "ü".repeat(longest)],
            OneOf(values, _, _) => several(values),
            Flag => several(&["true", "false"]),
            Seconds => several(&["3600", "43200"]),
            TagKey => vec!["k".repeat(128), "ü ._:/=+-@9".to_owned()],
            TagValue => vec!["v".repeat(256), String::new()],
            Alias => several(&["abc", "a-b-c", "0123456789a"]),
            Url => vec![format!("https://{}", "a".repeat(247)), "https://a.example.com:8443/x/".to_owned()],
            Client => vec!["c".repeat(255), "ü".to_owned()],
            Expiration => several(&["0", "1700000001"]),
            Marker | Policy | Version | Document | Thumbprint | Known(..) | Anything => Vec::new(),
        }
    }

    /// Values that it does not take, with the code and the message.
    fn bad(self, parameter: &str) -> Vec<(String, &'static str, String)> {
        let all = |values: &[&str], code: &'static str, message: &str| -> Vec<_> {
            values.iter().map(|value| ((*value).to_owned(), code, message.replace("{}", value))).collect()
        };
        let invalid = |what: &str| format!("The specified value for {parameter} is invalid. {what}");
        match self {
            Name(longest) => {
                let message = invalid(&format!(
                    "It must contain only alphanumeric characters and/or the following: +=,.@_- and have at most {longest} characters"
                ));
                let long = "x".repeat(longest + 1);
                all(&[&long, "a/b", "..", ".", "*", "a b", "ü", "a:b", "a\nb"], "ValidationError", &message)
            }
            Path => {
                let long = format!("/{}/", "a".repeat(511));
                let message = invalid(
                    "It must begin and end with / and contain only alphanumeric characters and/or / characters",
                );
                let values = [&*long, "x", "/x", "x/", "//", "/a//b/", "/*/", "/a?/", "/a:b/", "/ü/", "/a b/"];
                all(&values, "ValidationError", &message)
            }
            Prefix => {
                let long = format!("/{}", "a".repeat(512));
                let message = "The specified value for pathPrefix is invalid. It must begin with the / character";
                all(&[&long, "x", "/ü", "/a b"], "ValidationError", message)
            }
            Items => all(&["0", "1001", "-1", "ten", "1.0"], "ValidationError", &invalid("It must be 1 to 1000")),
            Marker => {
                // The last one is a marker of another list.
                let message = "Invalid Marker: send the one from the previous page";
                all(&["al", "!", "=", "Tm90aGluZy9hbA"], "ValidationError", message)
            }
            Policy => [
                all(
                    &["P", "arn:aws:iam::000000000000:user/P", "arn:aws:s3:::policy/P"],
                    "InvalidInput",
                    "ARN {} is not valid.",
                ),
                all(
                    &["arn:aws:iam::111122223333:policy/P", "arn:aws:iam::000000000000:policy/other/P"],
                    "NoSuchEntity",
                    "Policy {} does not exist or is not attachable.",
                ),
            ]
            .concat(),
            Text(longest, code, message) => all(&["x".repeat(longest + 1).as_str()], code, message),
            OneOf(values, code, message) => {
                let lower = values[0].to_lowercase();
                all(&[&lower, "Off"], code, message)
            }
            Flag => all(
                &["TRUE", "yes", "1"],
                "ValidationError",
                &format!("The parameter `{parameter}` must be true or false"),
            ),
            Seconds => {
                let message = "MaxSessionDuration must be 3600 to 43200 seconds";
                all(&["3599", "43201", "-1", "1h"], "ValidationError", message)
            }
            Version => [
                all(
                    &["1", "v0", "v01", "vx", "V1", "v-1"],
                    "ValidationError",
                    "VersionId is not valid: it is v1, v2 and so on",
                ),
                all(
                    &["v9"],
                    "NoSuchEntity",
                    "Policy arn:aws:iam::000000000000:policy/P version v9 does not exist or is not attachable.",
                ),
            ]
            .concat(),
            Document => all(&["{", "[]", "{}"], "MalformedPolicyDocument", ""),
            TagKey => {
                let message =
                    "A tag's key has 1 to 128 characters, its value up to 256: letters, digits, spaces and _.:/=+-@";
                let reserved = "The tag key {} begins with aws:, which is reserved";
                let long = "k".repeat(129);
                let bad = all(&[&long, "a*b", "a,b", "a\nb", ""], "ValidationError", message);
                [bad, all(&["aws:x", "AWS:x"], "InvalidInput", reserved)].concat()
            }
            TagValue => {
                let long = "v".repeat(257);
                all(&[&long, "a*b"], "ValidationError", "A tag's key has 1 to 128 characters")
            }
            Alias => {
                let long = "a".repeat(64);
                let values = [&*long, "ab", "-abc", "abc-", "a--b", "ABC", "a_b", "ümlaut", "000000000000"];
                all(&values, "ValidationError", &invalid("It must have 3 to 63 lower-case letters"))
            }
            Url => {
                let long = format!("https://{}", "a".repeat(248));
                let values =
                    [&*long, "http://a", "https://", "https://A.example.com", "https://a/x?y=z", "idp.example.com"];
                all(&values, "InvalidInput", "The Url must begin with https://, name a host in lower case")
            }
            Client => all(&["c".repeat(256).as_str()], "ValidationError", "A client id has 1 to 255 characters"),
            Thumbprint => {
                let message = "The thumbprint {} is not valid: 40 hexadecimal digits, the SHA-1 of a certificate";
                all(&[&SHA1[1..], &format!("{SHA1}0"), &SHA1.replace('0', "g")], "InvalidInput", message)
            }
            Expiration => [
                all(
                    &["soon", "1.5"],
                    "InvalidInput",
                    "invalid expiration format: {} is not a number of seconds since 1970",
                ),
                all(&["1700000000", "-1"], "InvalidInput", "expiration must be in the future"),
            ]
            .concat(),
            Known(unknown, message) => all(&[unknown], "NoSuchEntity", message),
            Anything => Vec::new(),
        }
    }
}

/// One row for each command.
const ROWS: &[(&str, &[Parameter])] = &[
    (
        "CreateUser",
        &[
            must("UserName", "zoe", NAME_64),
            may("Path", "/a/", Path),
            may("PermissionsBoundary", P, Policy),
            may("Tags.member.1.Key", "k", TagKey),
            may("Tags.member.1.Value", "v", TagValue),
        ],
    ),
    ("GetUser", &[may("UserName", "al", NAME_64)]),
    ("ListUsers", &[may("PathPrefix", "/", Prefix), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    (
        "UpdateUser",
        &[may("UserName", "free", NAME_64), may("NewUserName", "zoe", NAME_64), may("NewPath", "/a/", Path)],
    ),
    ("SetUserStatus", &[must("UserName", "al", NAME_64), must("Status", "Active", STATUS)]),
    ("DeleteUser", &[may("UserName", "free", NAME_64)]),
    ("CreateAccessKey", &[may("UserName", "keyless", NAME_64)]),
    ("ListAccessKeys", &[may("UserName", "al", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    (
        "UpdateAccessKey",
        &[may("UserName", "al", NAME_64), must("AccessKeyId", "$KEY", KEY), must("Status", "Inactive", STATUS)],
    ),
    ("DeleteAccessKey", &[may("UserName", "al", NAME_64), must("AccessKeyId", "$KEY", KEY)]),
    ("GetAccessKeyLastUsed", &[must("AccessKeyId", "$KEY", KEY)]),
    (
        "PutUserPolicy",
        &[must("UserName", "al", NAME_64), must("PolicyName", "J", NAME_128), must("PolicyDocument", "$GET", Document)],
    ),
    ("GetUserPolicy", &[must("UserName", "al", NAME_64), must("PolicyName", "I", NAME_128)]),
    ("ListUserPolicies", &[must("UserName", "al", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("DeleteUserPolicy", &[must("UserName", "al", NAME_64), must("PolicyName", "I", NAME_128)]),
    (
        "PutGroupPolicy",
        &[
            must("GroupName", "g", NAME_128),
            must("PolicyName", "J", NAME_128),
            must("PolicyDocument", "$GET", Document),
        ],
    ),
    ("GetGroupPolicy", &[must("GroupName", "g", NAME_128), must("PolicyName", "I", NAME_128)]),
    ("ListGroupPolicies", &[must("GroupName", "g", NAME_128), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("DeleteGroupPolicy", &[must("GroupName", "g", NAME_128), must("PolicyName", "I", NAME_128)]),
    (
        "PutRolePolicy",
        &[must("RoleName", "R", NAME_64), must("PolicyName", "J", NAME_128), must("PolicyDocument", "$GET", Document)],
    ),
    ("GetRolePolicy", &[must("RoleName", "R", NAME_64), must("PolicyName", "I", NAME_128)]),
    ("ListRolePolicies", &[must("RoleName", "R", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("DeleteRolePolicy", &[must("RoleName", "R", NAME_64), must("PolicyName", "I", NAME_128)]),
    (
        "CreatePolicy",
        &[
            must("PolicyName", "Z", NAME_128),
            must("PolicyDocument", "$GET", Document),
            may("Path", "/a/", Path),
            may("Description", "d", DESCRIPTION),
            may("Tags.member.1.Key", "k", TagKey),
            may("Tags.member.1.Value", "v", TagValue),
        ],
    ),
    ("GetPolicy", &[must("PolicyArn", P, Policy)]),
    (
        "ListPolicies",
        &[
            may(
                "Scope",
                "Local",
                OneOf(&["All", "AWS", "Local"], "ValidationError", "The specified value for Scope is invalid: {}"),
            ),
            may("OnlyAttached", "true", Flag),
            may("PolicyUsageFilter", "PermissionsPolicy", USAGE),
            may("PathPrefix", "/", Prefix),
            may("MaxItems", "10", Items),
            may("Marker", "", Marker),
        ],
    ),
    ("DeletePolicy", &[must("PolicyArn", "arn:aws:iam::000000000000:policy/Free", Policy)]),
    (
        "CreatePolicyVersion",
        &[must("PolicyArn", P, Policy), must("PolicyDocument", "$GET", Document), may("SetAsDefault", "true", Flag)],
    ),
    ("GetPolicyVersion", &[must("PolicyArn", P, Policy), must("VersionId", "v2", Version)]),
    ("ListPolicyVersions", &[must("PolicyArn", P, Policy), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("SetDefaultPolicyVersion", &[must("PolicyArn", P, Policy), must("VersionId", "v2", Version)]),
    ("DeletePolicyVersion", &[must("PolicyArn", P, Policy), must("VersionId", "v2", Version)]),
    ("AttachUserPolicy", &[must("UserName", "al", NAME_64), must("PolicyArn", P, Policy)]),
    ("DetachUserPolicy", &[must("UserName", "al", NAME_64), must("PolicyArn", P, Policy)]),
    (
        "ListAttachedUserPolicies",
        &[
            must("UserName", "al", NAME_64),
            may("PathPrefix", "/", Prefix),
            may("MaxItems", "10", Items),
            may("Marker", "", Marker),
        ],
    ),
    ("AttachGroupPolicy", &[must("GroupName", "g", NAME_128), must("PolicyArn", P, Policy)]),
    ("DetachGroupPolicy", &[must("GroupName", "g", NAME_128), must("PolicyArn", P, Policy)]),
    (
        "ListAttachedGroupPolicies",
        &[
            must("GroupName", "g", NAME_128),
            may("PathPrefix", "/", Prefix),
            may("MaxItems", "10", Items),
            may("Marker", "", Marker),
        ],
    ),
    ("AttachRolePolicy", &[must("RoleName", "R", NAME_64), must("PolicyArn", P, Policy)]),
    ("DetachRolePolicy", &[must("RoleName", "R", NAME_64), must("PolicyArn", P, Policy)]),
    (
        "ListAttachedRolePolicies",
        &[
            must("RoleName", "R", NAME_64),
            may("PathPrefix", "/", Prefix),
            may("MaxItems", "10", Items),
            may("Marker", "", Marker),
        ],
    ),
    (
        "ListEntitiesForPolicy",
        &[
            must("PolicyArn", P, Policy),
            may(
                "EntityFilter",
                "User",
                OneOf(
                    &["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"],
                    "ValidationError",
                    "The specified value for EntityFilter is invalid. It must be User, Role or Group",
                ),
            ),
            may("PolicyUsageFilter", "PermissionsPolicy", USAGE),
            may("PathPrefix", "/", Prefix),
            may("MaxItems", "10", Items),
            may("Marker", "", Marker),
        ],
    ),
    (
        "CreateRole",
        &[
            must("RoleName", "Z", NAME_64),
            must("AssumeRolePolicyDocument", "$TRUST", Document),
            may("Path", "/a/", Path),
            may("Description", "d", DESCRIPTION),
            may("MaxSessionDuration", "7200", Seconds),
            may("PermissionsBoundary", P, Policy),
            may("Tags.member.1.Key", "k", TagKey),
            may("Tags.member.1.Value", "v", TagValue),
        ],
    ),
    ("GetRole", &[must("RoleName", "R", NAME_64)]),
    ("ListRoles", &[may("PathPrefix", "/", Prefix), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    (
        "UpdateRole",
        &[
            must("RoleName", "R", NAME_64),
            may("Description", "d", DESCRIPTION),
            may("MaxSessionDuration", "7200", Seconds),
        ],
    ),
    (
        "UpdateRoleDescription",
        &[
            must("RoleName", "R", NAME_64),
            Parameter(
                "Description",
                "d",
                DESCRIPTION,
                Absence::Refused("ValidationError", "The parameter `Description` is missing"),
            ),
        ],
    ),
    ("UpdateAssumeRolePolicy", &[must("RoleName", "R", NAME_64), must("PolicyDocument", "$TRUST", Document)]),
    ("DeleteRole", &[must("RoleName", "Free", NAME_64)]),
    ("PutUserPermissionsBoundary", &[must("UserName", "al", NAME_64), must("PermissionsBoundary", P, Policy)]),
    ("DeleteUserPermissionsBoundary", &[must("UserName", "al", NAME_64)]),
    ("PutRolePermissionsBoundary", &[must("RoleName", "R", NAME_64), must("PermissionsBoundary", P, Policy)]),
    ("DeleteRolePermissionsBoundary", &[must("RoleName", "R", NAME_64)]),
    ("CreateGroup", &[must("GroupName", "z", NAME_128), may("Path", "/a/", Path)]),
    ("GetGroup", &[must("GroupName", "g", NAME_128), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("ListGroups", &[may("PathPrefix", "/", Prefix), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    (
        "UpdateGroup",
        &[must("GroupName", "free", NAME_128), may("NewGroupName", "z", NAME_128), may("NewPath", "/a/", Path)],
    ),
    ("DeleteGroup", &[must("GroupName", "free", NAME_128)]),
    ("AddUserToGroup", &[must("GroupName", "g", NAME_128), must("UserName", "free", NAME_64)]),
    ("RemoveUserFromGroup", &[must("GroupName", "g", NAME_128), must("UserName", "al", NAME_64)]),
    ("ListGroupsForUser", &[must("UserName", "al", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("TagUser", &tagging("UserName", "al", NAME_64)),
    ("UntagUser", &untagging("UserName", "al", NAME_64)),
    ("ListUserTags", &tags_of("UserName", "al", NAME_64)),
    ("TagRole", &tagging("RoleName", "R", NAME_64)),
    ("UntagRole", &untagging("RoleName", "R", NAME_64)),
    ("ListRoleTags", &tags_of("RoleName", "R", NAME_64)),
    ("TagPolicy", &tagging("PolicyArn", P, Policy)),
    ("UntagPolicy", &untagging("PolicyArn", P, Policy)),
    ("ListPolicyTags", &tags_of("PolicyArn", P, Policy)),
    ("TagInstanceProfile", &tagging("InstanceProfileName", "web", NAME_128)),
    ("UntagInstanceProfile", &untagging("InstanceProfileName", "web", NAME_128)),
    ("ListInstanceProfileTags", &tags_of("InstanceProfileName", "web", NAME_128)),
    ("TagOpenIDConnectProvider", &tagging("OpenIDConnectProviderArn", IDP, PROVIDER)),
    ("UntagOpenIDConnectProvider", &untagging("OpenIDConnectProviderArn", IDP, PROVIDER)),
    ("ListOpenIDConnectProviderTags", &tags_of("OpenIDConnectProviderArn", IDP, PROVIDER)),
    (
        "CreateInstanceProfile",
        &[
            must("InstanceProfileName", "z", NAME_128),
            may("Path", "/a/", Path),
            may("Tags.member.1.Key", "k", TagKey),
            may("Tags.member.1.Value", "v", TagValue),
        ],
    ),
    ("GetInstanceProfile", &[must("InstanceProfileName", "web", NAME_128)]),
    (
        "ListInstanceProfiles",
        &[may("PathPrefix", "/", Prefix), may("MaxItems", "10", Items), may("Marker", "", Marker)],
    ),
    (
        "ListInstanceProfilesForRole",
        &[must("RoleName", "R", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)],
    ),
    ("DeleteInstanceProfile", &[must("InstanceProfileName", "free", NAME_128)]),
    ("AddRoleToInstanceProfile", &[must("InstanceProfileName", "free", NAME_128), must("RoleName", "R", NAME_64)]),
    ("RemoveRoleFromInstanceProfile", &[must("InstanceProfileName", "web", NAME_128), must("RoleName", "R", NAME_64)]),
    (
        "CreateOpenIDConnectProvider",
        &[
            must("Url", "https://other.example.com", Url),
            may("ClientIDList.member.1", "c", Client),
            may("ThumbprintList.member.1", SHA1, Thumbprint),
            may("Tags.member.1.Key", "k", TagKey),
            may("Tags.member.1.Value", "v", TagValue),
        ],
    ),
    ("GetOpenIDConnectProvider", &[must("OpenIDConnectProviderArn", IDP, PROVIDER)]),
    ("ListOpenIDConnectProviders", &[]),
    ("DeleteOpenIDConnectProvider", &[must("OpenIDConnectProviderArn", IDP, Anything)]),
    (
        "AddClientIDToOpenIDConnectProvider",
        &[must("OpenIDConnectProviderArn", IDP, PROVIDER), must("ClientID", "c", Client)],
    ),
    (
        "RemoveClientIDFromOpenIDConnectProvider",
        &[must("OpenIDConnectProviderArn", IDP, PROVIDER), must("ClientID", "c", Anything)],
    ),
    (
        "UpdateOpenIDConnectProviderThumbprint",
        &[
            must("OpenIDConnectProviderArn", IDP, PROVIDER),
            member(
                "ThumbprintList.member.1",
                SHA1,
                Thumbprint,
                "The parameter `ThumbprintList` is missing: send it with the request",
            ),
        ],
    ),
    (
        "CreateServiceAccount",
        &[
            is_required("ParentUser", "al", NAME_64),
            may("Description", "d", SERVICE_ACCOUNT_TEXT),
            may("Expiration", "1800000000", Expiration),
        ],
    ),
    ("GetServiceAccount", &[is_required("ServiceAccountId", "$SA", SERVICE_ACCOUNT)]),
    (
        "ListServiceAccounts",
        &[may("ParentUser", "al", Anything), may("MaxItems", "10", Items), may("Marker", "", Marker)],
    ),
    (
        "UpdateServiceAccount",
        &[
            is_required("ServiceAccountId", "$SA", SERVICE_ACCOUNT),
            may("Status", "Inactive", SERVICE_ACCOUNT_STATUS),
            may("Description", "d", SERVICE_ACCOUNT_TEXT),
            may("Expiration", "1800000000", Expiration),
        ],
    ),
    ("DeleteServiceAccount", &[is_required("ServiceAccountId", "$SA", SERVICE_ACCOUNT)]),
    ("CreateAccountAlias", &[must("AccountAlias", "coral", Alias)]),
    ("DeleteAccountAlias", &[must("AccountAlias", "reef", Alias)]),
    (
        "PutAccountPublicAccessBlock",
        &[may(
            "PublicAccessBlock",
            "IgnorePublicAcls",
            OneOf(
                &["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"],
                "ValidationError",
                "`{}` is not one of BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets",
            ),
        )],
    ),
    ("DeleteAccountPublicAccessBlock", &[]),
    ("ListAccountAliases", &[may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("GetAccountSummary", &[]),
    (
        "GetAccountAuthorizationDetails",
        &[
            may(
                "Filter.member.1",
                "User",
                OneOf(
                    &["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"],
                    "ValidationError",
                    "The Filter {} is not one of User, Role, Group, LocalManagedPolicy, AWSManagedPolicy",
                ),
            ),
            may("MaxItems", "10", Items),
        ],
    ),
    ("GenerateCredentialReport", &[]),
    ("GetCredentialReport", &[]),
    (
        "SimulatePrincipalPolicy",
        &[
            must("PolicySourceArn", AL, SOURCE),
            member(
                "ActionNames.member.1",
                "s3:GetObject",
                Anything,
                "ActionNames is missing: name the operations, for example s3:GetObject",
            ),
            may("MaxItems", "10", Items),
        ],
    ),
    (
        "SimulateCustomPolicy",
        &[
            member(
                "PolicyInputList.member.1",
                "$GET",
                Anything,
                "PolicyInputList is missing: give at least one policy document",
            ),
            member(
                "ActionNames.member.1",
                "s3:GetObject",
                Anything,
                "ActionNames is missing: name the operations, for example s3:GetObject",
            ),
            may("MaxItems", "10", Items),
        ],
    ),
    ("GetContextKeysForPrincipalPolicy", &[must("PolicySourceArn", AL, SOURCE)]),
    (
        "GetContextKeysForCustomPolicy",
        &[member(
            "PolicyInputList.member.1",
            "$GET",
            Anything,
            "PolicyInputList is missing: give at least one policy document",
        )],
    ),
    (
        "ValidatePolicy",
        &[
            must(
                "PolicyType",
                "IDENTITY_POLICY",
                OneOf(&["IDENTITY_POLICY", "RESOURCE_POLICY"], "ValidationError", "PolicyType: `{}` is neither"),
            ),
            must("PolicyDocument", "$GET", Anything),
        ],
    ),
    (
        "RevokeSessions",
        &[
            Parameter(
                "UserName",
                "al",
                NAME_64,
                Absence::Refused(
                    "ValidationError",
                    "Specify exactly one of RoleName, UserName, Provider, SessionId: its sessions are revoked",
                ),
            ),
            may("OlderThan", "2020-01-01T00:00:00Z", Anything),
        ],
    ),
    ("ListSessionRevocations", &[]),
    ("ListSessions", &[may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("ListMFADevices", &[may("UserName", "al", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    ("ListSSHPublicKeys", &[may("UserName", "al", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)]),
    (
        "ListServiceSpecificCredentials",
        &[may("UserName", "al", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)],
    ),
    (
        "ListSigningCertificates",
        &[may("UserName", "al", NAME_64), may("MaxItems", "10", Items), may("Marker", "", Marker)],
    ),
    (
        "ListVirtualMFADevices",
        &[may("AssignmentStatus", "Any", ASSIGNMENT), may("MaxItems", "10", Items), may("Marker", "", Marker)],
    ),
    ("CreateVirtualMFADevice", &[must("VirtualMFADeviceName", "m", Name(226)), may("Path", "/a/", Path)]),
    (
        "EnableMFADevice",
        &[
            must("UserName", "al", NAME_64),
            must("SerialNumber", SPARE, DEVICE),
            must("AuthenticationCode1", CODES[0], Anything),
            must("AuthenticationCode2", CODES[1], Anything),
        ],
    ),
    (
        "ResyncMFADevice",
        &[
            must("UserName", "al", NAME_64),
            must("SerialNumber", PHONE, DEVICE),
            must("AuthenticationCode1", CODES[0], Anything),
            must("AuthenticationCode2", CODES[1], Anything),
        ],
    ),
    ("DeactivateMFADevice", &[must("UserName", "al", NAME_64), must("SerialNumber", PHONE, DEVICE)]),
    ("DeleteVirtualMFADevice", &[must("SerialNumber", SPARE, DEVICE)]),
    ("GetLoginProfile", &[may("UserName", "al", NAME_64)]),
    ("DeleteLoginProfile", &[may("UserName", "al", NAME_64)]),
];

const fn tagging(name: &'static str, value: &'static str, takes: Takes) -> [Parameter; 3] {
    let key = member("Tags.member.1.Key", "k", TagKey, "");
    [must(name, value, takes), key, may("Tags.member.1.Value", "v", TagValue)]
}

const fn untagging(name: &'static str, value: &'static str, takes: Takes) -> [Parameter; 2] {
    [must(name, value, takes), member("TagKeys.member.1", "k", Anything, NO_TAG_KEY)]
}

const fn tags_of(name: &'static str, value: &'static str, takes: Takes) -> [Parameter; 3] {
    [must(name, value, takes), may("MaxItems", "10", Items), may("Marker", "", Marker)]
}

/// No user has a password.
fn is_of_password(action: &str) -> bool {
    action.ends_with("LoginProfile")
}

#[test]
fn every_command_has_its_row_and_succeeds() {
    let state = peopled();
    let rows: BTreeSet<&str> = ROWS.iter().map(|(action, _)| *action).collect();
    let commands: BTreeSet<&str> = Command::all().map(|command| command.action.name).collect();
    assert_eq!((rows.len(), &rows), (ROWS.len(), &commands));
    for (action, parameters) in ROWS {
        let line = line(&state, action, parameters, None, None);
        match run(&state, &line) {
            Err(error) if is_of_password(action) => assert_eq!(error.code, "NoSuchEntity", "{line}"),
            answer => assert!(answer.is_ok(), "{line}: {}", answer.err().unwrap()),
        }
    }
}

#[test]
fn what_a_parameter_does_not_take_is_refused_in_aws_words() {
    let state = peopled();
    let mut claims = 0;
    for (action, parameters) in ROWS {
        for Parameter(name, _, takes, _) in *parameters {
            for (value, code, message) in takes.bad(name) {
                let line = line(&state, action, parameters, None, Some((name, &value)));
                let Err(error) = run(&state, &line) else { panic!("{line} succeeds") };
                assert_eq!(error.code, code, "{line}: {error}");
                assert!(error.message.starts_with(&message), "{line}: {error}");
                let status = if code == "NoSuchEntity" { 404 } else { 400 };
                assert_eq!(error.status, status, "{line}: {error}");
                claims += 1;
            }
        }
    }
    assert!(claims > 1000, "{claims}");
}

#[test]
fn what_a_parameter_takes_is_not_refused_for_its_form() {
    let state = peopled();
    for (action, parameters) in ROWS {
        for Parameter(name, _, takes, _) in *parameters {
            for value in takes.good() {
                let line = line(&state, action, parameters, None, Some((name, &value)));
                let error = run(&state, &line).err();
                // A name may be nobody's.
                assert!(error.as_ref().is_none_or(|error| error.code == "NoSuchEntity"), "{line}: {error:?}");
                assert!(
                    error.is_none() || matches!(takes, Name(_) | Alias) || is_of_password(action),
                    "{line}: {error:?}"
                );
            }
        }
    }
}

#[test]
fn what_may_be_left_out_has_a_default_and_the_rest_is_asked_for() {
    let state = peopled();
    for (action, parameters) in ROWS {
        for Parameter(name, _, _, absence) in *parameters {
            let line = line(&state, action, parameters, Some(name), None);
            let error = run(&state, &line).err();
            match (absence, error) {
                // Without a user the caller is meant, whom a file defines.
                (Absence::Fine, Some(error)) if *name == "UserName" => {
                    assert!(["UnmodifiableEntity", "NoSuchEntity"].contains(&error.code), "{line}: {error}");
                }
                // Its value alone is no tag.
                (Absence::Fine, Some(error)) => assert_eq!(*name, "Tags.member.1.Key", "{line}: {error}"),
                (Absence::Fine, None) => {}
                // A value alone is no tag, and as much as none.
                (Absence::Refused(..), None) => assert_eq!(*name, "Tags.member.1.Key", "{line} succeeds"),
                (Absence::Refused(code, message), Some(error)) => {
                    assert_eq!((error.code, error.status), (*code, 400), "{line}: {error}");
                    assert_eq!(error.message, message.replace("{}", name), "{line}");
                }
            }
        }
    }
    let error = |line: &str| run(&state, line).err().unwrap().message;
    assert_eq!(error("TagUser&UserName=al"), NO_TAG);
    assert_eq!(error("TagRole&RoleName=R&Tags="), NO_TAG);
}

/// Two readers could each believe another one.
#[test]
fn a_parameter_that_comes_twice_is_refused() {
    let state = peopled();
    for (action, parameters) in ROWS {
        for Parameter(name, value, ..) in *parameters {
            let line = line(&state, action, parameters, None, None) + &format!("&{name}={}", with_ids(&state, value));
            let error = run(&state, &line).err().unwrap();
            let message = format!("the parameter {name} occurs more than once: send it once");
            assert_eq!((error.code, error.status, error.message), ("ValidationError", 400, message), "{line}");
        }
    }
}
