//! Which parameters of a request an audit record shows.
//!
//! Secrets travel in parameters: passwords, tokens, signatures. So values are shown for names on a list, and a name that is on none is
//! taken for a secret.
//!
//! A record has room for so much only, and clients choose what they send. So what an action reads comes before what it ignores, documents
//! lose their white space first, and what is cut says so.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};

/// What stands in place of a value that is not shown.
pub const REDACTED: &str = "***";

/// How many parameters a record keeps.
const PARAMETERS_MAX: usize = 200;
/// How much of a value a record keeps, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// How much of a policy: the longest that IAM takes has 10,240 characters.
const DOCUMENT_BYTES_MAX: usize = 40_960;
/// How much of a name.
const NAME_BYTES_MAX: usize = 128;
/// In place of a name: how many parameters are not shown.
const LEFT_OUT: &str = "...";

/// Parameters of S3's query strings whose values are shown, sorted for the binary search.
const S3: &[&str] = &[
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "acl",
    "attributes",
    "continuation-token",
    "cors",
    "delete",
    "delimiter",
    "encoding-type",
    "encryption",
    "fetch-owner",
    "key-marker",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "notification",
    "object-lock",
    "ownershipControls",
    "part-number-marker",
    "partNumber",
    "policy",
    "policyStatus",
    "prefix",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "retention",
    "start-after",
    "tagging",
    "torrent",
    "upload-id-marker",
    "uploadId",
    "uploads",
    "version-id-marker",
    "versionId",
    "versioning",
    "versions",
    "website",
    "x-id",
];

/// Parameters of IAM and STS whose values are shown, sorted: the name, or what stands before its first dot.
const QUERY: &[&str] = &[
    "AccessKeyId",
    "AccountAlias",
    "Action",
    "ActionNames",
    "AssumeRolePolicyDocument",
    "CallerArn",
    "ClientID",
    "ClientIDList",
    "ContextEntries",
    "Description",
    "DurationSeconds",
    "EntityType",
    "ExternalId",
    "GroupName",
    "InstanceProfileName",
    "Marker",
    "MaxItems",
    "MaxSessionDuration",
    "Name",
    "NewGroupName",
    "NewPath",
    "NewUserName",
    "OnlyAttached",
    "OpenIDConnectProviderArn",
    "Path",
    "PathPrefix",
    "PermissionsBoundary",
    "PermissionsBoundaryPolicyInputList",
    "Policy",
    "PolicyArn",
    "PolicyArns",
    "PolicyDocument",
    "PolicyInputList",
    "PolicyName",
    "PolicyScopeFilter",
    "PolicySourceArn",
    "PolicyUsageFilter",
    "PrincipalArn",
    "ProviderId",
    "ResourceArns",
    "ResourceHandlingOption",
    "ResourceOwner",
    "ResourcePolicy",
    "RoleArn",
    "RoleName",
    "RoleSessionName",
    "Scope",
    "SetAsDefault",
    "SourceIdentity",
    "Status",
    "TagKeys",
    "Tags",
    "ThumbprintList",
    "TransitiveTagKeys",
    "Url",
    "UserName",
    "Version",
    "VersionId",
];

/// Parameters of [`QUERY`] that are policies.
const DOCUMENTS: &[&str] = &["AssumeRolePolicyDocument", "Policy", "PolicyDocument", "ResourcePolicy"];

/// The lists with which a call changes something: what stands before `.member.N`, and behind it.
const LISTS: &[(&str, &str)] = &[
    ("ClientIDList", ""),
    ("PolicyArns", ".arn"),
    ("TagKeys", ""),
    ("Tags", ".Key"),
    ("Tags", ".Value"),
    ("ThumbprintList", ""),
    ("TransitiveTagKeys", ""),
];

/// The parameters of an S3 request as a record shows them: in their order, each at most 4096 bytes, at most 200 of them. If there are more,
/// those that an operation may read come first.
pub fn shown_s3_parameters<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    shown(pairs, |name| is_listed(S3, name), |name| (!is_listed(S3, name), 0))
}

/// The same for a call of a query API, with up to 40 KiB of a policy.
pub fn shown_query_parameters<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let is_shown = |name: &str| is_listed(S3, name) || is_listed(QUERY, name.split('.').next().unwrap_or_default());
    shown(pairs, is_shown, |name| {
        let number = if is_listed(QUERY, name) { Some(0) } else { number_in_list(name) };
        (number.is_none(), number.unwrap_or_default())
    })
}

/// `precedence` says which parameters are kept if there are too many: those for which it is least.
fn shown<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    is_shown: impl Fn(&str) -> bool,
    precedence: impl Fn(&str) -> (bool, usize),
) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    let left_out = pairs.len().saturating_sub(PARAMETERS_MAX);
    if left_out > 0 {
        pairs.sort_by_cached_key(|(name, _)| precedence(name));
        pairs.truncate(PARAMETERS_MAX);
    }
    let shown = |(name, value): (&str, &str)| {
        let value = match value.is_empty() || is_shown(name) {
            true if DOCUMENTS.contains(&name) => shown_document(value),
            true => cut(value.into(), TEXT_BYTES_MAX, value),
            false => REDACTED.into(),
        };
        (shortened(name, NAME_BYTES_MAX).into_owned(), value.into_owned())
    };
    let marked = (left_out > 0).then(|| (LEFT_OUT.to_owned(), format!("{left_out} more parameters")));
    pairs.into_iter().map(shown).chain(marked).collect()
}

fn is_listed(list: &[&str], name: &str) -> bool {
    list.binary_search(&name).is_ok()
}

/// The place of a member in one of [`LISTS`], from 1. Lists have no gaps, so low numbers are those that are read.
fn number_in_list(name: &str) -> Option<usize> {
    let (list, rest) = name.split_once(".member.")?;
    let number: usize = rest.split('.').next()?.parse().ok()?;
    let is_known = LISTS.iter().any(|(known, suffix)| *known == list && format!("{number}{suffix}") == rest);
    is_known.then_some(number)
}

/// A policy without the white space that says nothing. Quotas do not count white space, so without this a client could push statements out
/// of the record.
fn shown_document(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_BYTES_MAX {
        return text.into();
    }
    let compact = without_space(text, false);
    if compact.len() <= DOCUMENT_BYTES_MAX {
        return compact.into();
    }
    // Nor is it counted inside of strings.
    cut(without_space(text, true).into(), DOCUMENT_BYTES_MAX, text)
}

/// JSON without white space outside of strings; inside of them, runs of it become one character if `in_strings` asks for it.
fn without_space(json: &str, in_strings: bool) -> String {
    let (mut is_string, mut is_escaped, mut was_space) = (false, false, false);
    let is_kept = |character: &char| {
        let is_space = character.is_whitespace();
        let is_repeated = is_space && was_space;
        was_space = is_space;
        if !is_string {
            is_string = *character == '"';
            return !is_space;
        }
        is_string = is_escaped || *character != '"';
        is_escaped = !is_escaped && *character == '\\';
        !(in_strings && is_repeated)
    };
    json.chars().filter(is_kept).collect()
}

/// What is shown of a text, at most this many bytes. If it is not all that was sent, length and hash tell which text that was.
fn cut<'a>(shown: Cow<'a, str>, bytes_max: usize, sent: &str) -> Cow<'a, str> {
    if shown.len() == sent.len() && shown.len() <= bytes_max {
        return shown;
    }
    let hash: String = digest(&SHA256, sent.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let beginning = shortened(&shown, bytes_max);
    format!("{beginning} ({} bytes, SHA-256 {hash})", sent.len()).into()
}

/// The beginning of a text, at most this many bytes, with `...` if something is missing.
pub fn shortened(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text.into();
    }
    format!("{}...", text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for (name, in_s3, in_query_api) in [
            ("prefix", true, true),
            ("uploadId", true, true),
            ("X-Amz-Credential", true, true),
            ("X-Amz-Signature", false, false),
            ("x-amz-signature", false, false),
            ("X-Amz-Security-Token", false, false),
            ("Signature", false, false),
            ("UserName", false, true),
            ("username", false, false),
            ("Tags.member.1.Value", false, true),
            ("Password", false, false),
            ("NewPassword", false, false),
            ("LDAPPassword", false, false),
            ("WebIdentityToken", false, false),
            ("SAMLAssertion", false, false),
            ("SecretAccessKey", false, false),
            ("TokenCode", false, false),
            ("Token", false, false),
            ("anything-else", false, false),
        ] {
            let found = [shown_s3_parameters([(name, "v")]), shown_query_parameters([(name, "v")])].concat();
            let value = |is_shown: bool| (name.to_owned(), if is_shown { "v" } else { REDACTED }.to_owned());
            assert_eq!(found, [value(in_s3), value(in_query_api)]);
        }
    }

    #[test]
    fn lists_are_in_order() {
        assert!(S3.is_sorted() && QUERY.is_sorted());
    }

    #[test]
    fn a_client_cannot_make_records_large() {
        let long = "x".repeat(100_000);
        let shown = shown_query_parameters(std::iter::repeat_n((long.as_str(), long.as_str()), 5000));
        assert_eq!(shown.len(), PARAMETERS_MAX + 1);
        assert!(shown.iter().all(|(name, value)| name.len() < 200 && value.len() < 40));
        for (name, bytes_max) in [("Description", 4200), ("PolicyDocument", 41_100)] {
            let value = shown_query_parameters([(name, long.as_str())]).remove(0).1;
            assert!(value.len() < bytes_max && value.contains("... (100000 bytes, SHA-256 "), "{name}");
        }
        assert_eq!(shortened("aé", 2), "a...", "characters stay whole");
    }

    /// What is read stays, however much else comes before it.
    #[test]
    fn a_client_cannot_choose_what_is_left_out() {
        let names = |make: &dyn Fn(usize) -> String| (0..300).map(make).collect::<Vec<_>>();
        for (what, filler) in [
            ("unknown names", names(&|n| format!("x{n}"))),
            ("names with a dot", names(&|n| format!("UserName.{n}"))),
            ("other spellings", names(&|n| format!("{}ction{}", ["A", "a"][n % 2], " ".repeat(n + 1)))),
            ("lists that no call has", names(&|n| format!("UserName.member.{n}"))),
            ("the ends of lists", names(&|n| format!("Tags.member.{}.Key", n + 51))),
            ("numbers in other forms", names(&|n| format!("Tags.member.{}1.Key", "0".repeat(n + 1)))),
        ] {
            let read =
                [("Action", "AssumeRole"), ("RoleArn", "arn"), ("PolicyArns.member.10.arn", "arn"), ("Policy", "{}")];
            let pairs = filler.iter().map(|name| (name.as_str(), "")).chain(read);
            let shown = shown_query_parameters(pairs);
            for (name, value) in read.into_iter().chain([("...", "104 more parameters")]) {
                assert!(shown.contains(&(name.to_owned(), value.to_owned())), "{what}: {name}");
            }
        }
        let filler = names(&|n| format!("x{n}"));
        let shown = shown_s3_parameters(filler.iter().map(|name| (name.as_str(), "")).chain([("versionId", "v")]));
        assert!(shown.contains(&("versionId".to_owned(), "v".to_owned())));
        let few = shown_s3_parameters([("x", ""), ("versionId", "v"), ("acl", "")]);
        assert_eq!(few.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x", "versionId", "acl"]);
    }

    /// White space is free, so it takes no room either.
    #[test]
    fn a_policy_is_shown_whole() {
        let (space, wide) = (" \n".repeat(25_000), "\u{3000} ".repeat(25_000));
        let statement = r#""Statement":[{"Effect":"Allow","Action":"*","Resource":"a  b\"  c"}]}"#;
        let shown = |document: &str| shown_query_parameters([("PolicyDocument", document)]).remove(0).1;
        let short = format!("{{ {statement}");
        assert_eq!(shown(&short), short, "as it was sent");
        assert_eq!(shown(&format!("{space}{{{space}{statement}{space}")), format!("{{{statement}"));
        let sent = format!(r#"{{"Id":"a{wide}b",{statement}"#);
        let in_a_string = shown(&sent);
        let whole = format!(r#"{{"Id":"a{}b","#, '\u{3000}');
        assert!(in_a_string.starts_with(&whole) && in_a_string.contains(r#""Action":"*""#), "{in_a_string}");
        assert!(in_a_string.contains(&format!("({} bytes, SHA-256 ", sent.len())), "{in_a_string}");
        let longest = format!(r#"{{"Id":"{}",{statement}"#, "x".repeat(10_240));
        assert_eq!(shown(&longest), longest);
    }
}
