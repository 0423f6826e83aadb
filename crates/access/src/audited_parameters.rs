//! Which parameters of a request an audit record shows.
//!
//! Secrets travel in parameters: passwords, tokens, signatures. So values are shown for names on a list, and a name that is on none is
//! taken for a secret.

use std::borrow::Cow;

/// What stands in place of a value that is not shown.
pub const REDACTED: &str = "***";

/// How many parameters a record keeps.
const PARAMETERS_MAX: usize = 200;
/// How much of a name or a value a record keeps, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// Parameters of S3's query strings whose values are shown, sorted for the binary search.
const S3: &[&str] = &[
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
    "ownershipcontrols",
    "part-number-marker",
    "partnumber",
    "policy",
    "policystatus",
    "prefix",
    "publicaccessblock",
    "replication",
    "requestpayment",
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
    "uploadid",
    "uploads",
    "version-id-marker",
    "versionid",
    "versioning",
    "versions",
    "website",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-id",
];

/// Parameters of IAM and STS whose values are shown: the name, or what stands before its first dot.
const QUERY: &[&str] = &[
    "accesskeyid",
    "accountalias",
    "action",
    "actionnames",
    "assumerolepolicydocument",
    "callerarn",
    "clientid",
    "clientidlist",
    "contextentries",
    "description",
    "durationseconds",
    "entitytype",
    "externalid",
    "groupname",
    "instanceprofilename",
    "marker",
    "maxitems",
    "maxsessionduration",
    "name",
    "newgroupname",
    "newpath",
    "newusername",
    "onlyattached",
    "openidconnectproviderarn",
    "path",
    "pathprefix",
    "permissionsboundary",
    "permissionsboundarypolicyinputlist",
    "policy",
    "policyarn",
    "policyarns",
    "policydocument",
    "policyinputlist",
    "policyname",
    "policyscopefilter",
    "policysourcearn",
    "policyusagefilter",
    "principalarn",
    "providerid",
    "resourcearns",
    "resourcehandlingoption",
    "resourceowner",
    "resourcepolicy",
    "rolearn",
    "rolename",
    "rolesessionname",
    "scope",
    "setasdefault",
    "sourceidentity",
    "status",
    "tagkeys",
    "tags",
    "thumbprintlist",
    "transitivetagkeys",
    "url",
    "username",
    "version",
    "versionid",
];

/// The parameters of an S3 request as a record shows them: in their order, each at most 4096 bytes, at most 200 of them.
pub fn shown_s3_parameters<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    shown(pairs, |name| is_listed(S3, name))
}

/// The same for a call of a query API.
pub fn shown_query_parameters<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    shown(pairs, |name| is_listed(S3, name) || is_listed(QUERY, name.split('.').next().unwrap_or_default()))
}

fn shown<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    is_shown: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let shown = |(name, value): (&str, &str)| {
        let value = if value.is_empty() || is_shown(&name.to_ascii_lowercase()) {
            shortened(value, TEXT_BYTES_MAX).into_owned()
        } else {
            REDACTED.to_owned()
        };
        (shortened(name, 128).into_owned(), value)
    };
    pairs.into_iter().take(PARAMETERS_MAX).map(shown).collect()
}

fn is_listed(list: &[&str], name: &str) -> bool {
    list.binary_search(&name).is_ok()
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
        assert_eq!(shown.len(), PARAMETERS_MAX);
        assert!(shown.iter().all(|(name, value)| name.len() < 200 && value == REDACTED));
        let value = shown_query_parameters([("Description", long.as_str())]).remove(0).1;
        assert!(value.len() < 5000 && value.ends_with("..."));
        assert_eq!(shortened("aé", 2), "a...", "characters stay whole");
    }
}
