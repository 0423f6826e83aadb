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

/// The parameters as a record shows them: in their order, each at most 4096 bytes, at most 200 of them.
pub fn shown_parameters<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    is_query_api: bool,
) -> Vec<(String, String)> {
    let shown = |(name, value): (&str, &str)| {
        let value = if value.is_empty() || is_shown(name, is_query_api) {
            shortened(value, TEXT_BYTES_MAX).into_owned()
        } else {
            REDACTED.to_owned()
        };
        (shortened(name, 128).into_owned(), value)
    };
    pairs.into_iter().take(PARAMETERS_MAX).map(shown).collect()
}

fn is_shown(name: &str, is_query_api: bool) -> bool {
    let name = name.to_ascii_lowercase();
    let listed = |list: &[&str], name: &str| list.binary_search(&name).is_ok();
    let first = name.split('.').next().unwrap_or_default();
    listed(S3, &name) || is_query_api && listed(QUERY, first)
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
        for (name, is_query_api, shown) in [
            ("prefix", false, true),
            ("uploadId", false, true),
            ("X-Amz-Credential", false, true),
            ("X-Amz-Signature", false, false),
            ("x-amz-signature", true, false),
            ("X-Amz-Security-Token", false, false),
            ("Signature", false, false),
            ("UserName", false, false),
            ("UserName", true, true),
            ("Tags.member.1.Value", true, true),
            ("Password", true, false),
            ("NewPassword", true, false),
            ("LDAPPassword", true, false),
            ("WebIdentityToken", true, false),
            ("SAMLAssertion", true, false),
            ("SecretAccessKey", true, false),
            ("TokenCode", true, false),
            ("Token", true, false),
            ("anything-else", true, false),
        ] {
            let value = shown_parameters([(name, "v")], is_query_api).remove(0).1;
            assert_eq!(value, if shown { "v" } else { REDACTED }, "{name}");
        }
    }

    #[test]
    fn lists_are_in_order() {
        assert!(S3.is_sorted() && QUERY.is_sorted());
    }

    #[test]
    fn a_client_cannot_make_records_large() {
        let long = "x".repeat(100_000);
        let shown = shown_parameters(std::iter::repeat_n((long.as_str(), long.as_str()), 5000), true);
        assert_eq!(shown.len(), PARAMETERS_MAX);
        assert!(shown.iter().all(|(name, value)| name.len() < 200 && value == REDACTED));
        let value = shown_parameters([("Description", long.as_str())], true).remove(0).1;
        assert!(value.len() < 5000 && value.ends_with("..."));
        assert_eq!(shortened("aé", 2), "a...", "characters stay whole");
    }
}
