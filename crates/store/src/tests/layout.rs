//! Where each document is, and what each path is.

use super::*;
use crate::Document;

fn layout(policies: Option<&str>, roles: Option<&str>) -> Layout {
    let store = |base: Option<&str>| match base {
        Some(base_path) => DocumentStore::Filer { base_path: base_path.into() },
        None => DocumentStore::Memory,
    };
    let config = IamConfig { policy_store: store(policies), role_store: store(roles), ..IamConfig::default() };
    Layout::new(&config, "/buckets")
}

#[test]
fn a_document_is_found_where_it_is_put() {
    let layout = layout(Some("/base/policies"), Some("/base/roles"));
    let user = || Holder::User("al".into());
    for (path, document) in [
        ("/etc/iam/identities/al.json", Document::User("al".into())),
        ("/etc/iam/identities/a.b@c.json", Document::User("a.b@c".into())),
        ("/etc/iam/service_accounts/sa:al:1.json", Document::ServiceAccount("sa:al:1".into())),
        ("/etc/iam/groups/g.json", Document::Group("g".into())),
        ("/etc/iam/policies/P.json", Document::Policy("P".into(), PolicyPlace::Api)),
        ("/base/policies/P.json", Document::Policy("P".into(), PolicyPlace::Base)),
        ("/base/policies/policy_P.json", Document::Policy("P".into(), PolicyPlace::BasePrefixed)),
        ("/base/roles/R.json", Document::Role("R".into())),
        ("/etc/iam/policies.json", Document::WeedPolicies),
        ("/etc/iam/oidc-providers/0a.json", Document::OidcProvider("0a".into())),
        ("/seaweedfs/iam/instance-profiles/web.json", Document::InstanceProfile("web".into())),
        ("/seaweedfs/iam/account-aliases/1.json", Document::AccountAlias("1".into())),
        ("/seaweedfs/iam/public-access-blocks/1.json", Document::AccountPublicAccessBlock("1".into())),
        ("/seaweedfs/iam/inline/users/al/I.json", Document::Inline(user(), "I".into())),
        ("/seaweedfs/iam/inline/groups/g/I.json", Document::Inline(Holder::Group("g".into()), "I".into())),
        ("/seaweedfs/iam/inline/roles/R/I.json", Document::Inline(Holder::Role("R".into()), "I".into())),
        ("/buckets/b1x", Document::Bucket("b1x".into())),
    ] {
        let (directory, name) = path.rsplit_once('/').unwrap();
        assert_eq!(layout.classify(directory, name).as_ref(), Some(&document), "{path}");
        assert_eq!(layout.place(&document), Some((directory.to_owned(), name.to_owned())), "{document:?}");
    }
}

#[test]
fn other_files_are_not_documents() {
    let layout = layout(Some("/base/policies"), Some("/base/roles"));
    for path in [
        "/etc/iam/identities/al.txt",
        "/etc/iam/identities/.json",
        "/etc/iam/identities/deep/al.json",
        "/etc/iam/identity.json",
        "/etc/iam/policies/bucket-policy:b1x.json",
        "/base/policies/bucket-policy:b1x.json",
        "/base/policies/seeded.json",
        "/base/roles/seeded.json",
        "/base/other/P.json",
        "/seaweedfs/iam/inline/users/I.json",
        "/seaweedfs/iam/inline/robots/al/I.json",
        "/seaweedfs/iam/inline/users/al/deep/I.json",
        "/seaweedfs/iam/inlines/users/al/I.json",
        "/seaweedfs/iam/last-used/a-0.json",
        "/buckets/.system",
        "/tmp/al.json",
    ] {
        let (directory, name) = path.rsplit_once('/').unwrap();
        assert_eq!(layout.classify(directory, name), None, "{path}");
    }
}

#[test]
fn what_is_kept_in_memory_has_no_place() {
    let in_memory = layout(None, None);
    let api = layout(Some("/etc/iam/policies"), None);
    let role = || Document::Role("R".into());
    let policy = |place| Document::Policy("P".into(), place);
    for (layout, document, has_place) in [
        (&in_memory, role(), false),
        (&in_memory, policy(PolicyPlace::Base), false),
        (&in_memory, policy(PolicyPlace::BasePrefixed), false),
        (&in_memory, policy(PolicyPlace::Memory), false),
        (&in_memory, policy(PolicyPlace::Identities), false),
        (&in_memory, policy(PolicyPlace::Weed), false),
        (&in_memory, policy(PolicyPlace::Api), true),
        // SeaweedFS's own default is the directory of the API's policies: one place, not two.
        (&api, policy(PolicyPlace::Base), false),
        (&api, policy(PolicyPlace::Api), true),
    ] {
        assert_eq!(layout.place(&document).is_some(), has_place, "{document:?}");
    }
    assert_eq!(in_memory.classify("/seaweedfs/iam/roles", "R.json"), None);
    assert_eq!(
        api.classify("/etc/iam/policies", "policy_P.json"),
        Some(Document::Policy("policy_P".into(), PolicyPlace::Api))
    );
}
