//! What is refused, and the place that the error names. In each row, `^` stands before the value that is wrong.

use iam_formats::{ConfigInputs, IamConfig, identities, weed_policies};
use json::JsonError;

use super::*;

/// Checks that reading fails at the mark, with this path and message.
fn check<T>(about: &str, row: (&str, &str, &str), read: impl Fn(&str) -> Result<T, JsonError>) {
    let (marked, path, what) = row;
    let (before, after) = marked.split_once('^').unwrap();
    let (line, column) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap().len() + 1);
    let error = read(&format!("{before}{after}")).err().unwrap_or_else(|| panic!("{about}: {marked} is read"));
    assert_eq!((error.line, error.column, error.path.as_str()), (line, column, path), "{about}: {marked}: {error}");
    assert!(error.what.contains(what), "{about}: {marked}: {error}");
}

fn stored<T: StoredDocument>(about: &str, rows: &[(&str, &str, &str)]) {
    for row in rows {
        check(about, *row, |text| T::parse(text, Facts::default()));
    }
}

const STRING: &str = "expected a string here, not ";

#[test]
fn users() {
    stored::<UserRecord>(
        "user",
        &[
            ("^[]", "", "expected an object here, not an array"),
            ("^{}", "", "an identity has no `name`"),
            (r#"^{"name":""}"#, "", "an identity has no `name`"),
            (r#"{"name":^7}"#, "name", STRING),
            (r#"{"name":"al","name":^"bo"}"#, "name", "the key `name` occurs twice here"),
            (r#"{"name":"al","credentials":^{}}"#, "credentials", "expected an array here, not an object"),
            (r#"{"name":"al","credentials":[^7]}"#, "credentials[0]", "expected an object here, not a number"),
            ("{\"name\":\"al\",\n\"credentials\":[{},\n {\"access_key\":^1}]}", "credentials[1].access_key", STRING),
            (r#"{"name":"al","credentials":[{"secretKey":^true}]}"#, "credentials[0].secretKey", STRING),
            (r#"{"name":"al","credentials":[{"status":^{}}]}"#, "credentials[0].status", STRING),
            (r#"{"name":"al","credentials":[{"status":"","status":^""}]}"#, "credentials[0].status", "occurs twice"),
            (r#"{"name":"al","actions":^"Read"}"#, "actions", "expected an array here, not a string"),
            (r#"{"name":"al","actions":["Read",^{}]}"#, "actions[1]", STRING),
            (r#"{"name":"al","account":^"1"}"#, "account", "expected an object here, not a string"),
            (r#"{"name":"al","account":{"id":^12}}"#, "account.id", STRING),
            (r#"{"name":"al","account":{"displayName":^[]}}"#, "account.displayName", STRING),
            (r#"{"name":"al","disabled":^"yes"}"#, "disabled", "expected true or false here, not a string"),
            (r#"{"name":"al","is_static":^0}"#, "is_static", "expected true or false here, not a number"),
            (r#"{"name":"al","serviceAccountIds":^7}"#, "serviceAccountIds", "expected an array here, not a number"),
            (r#"{"name":"al","policyNames":[^null]}"#, "policyNames[0]", "expected a string here, not null"),
            (r#"{"name":"al","tags":^7}"#, "tags", "expected an array here, not a number"),
            (r#"{"name":"al","tags":{"k":^1}}"#, "tags.k", STRING),
            (r#"{"name":"al","tags":[{"key":^[]}]}"#, "tags[0].key", STRING),
            (r#"{"name":"al","tags":[{"key":"k","value":^1}]}"#, "tags[0].value", STRING),
        ],
    );
}

#[test]
fn groups_and_roles() {
    stored::<GroupRecord>(
        "group",
        &[
            (r#"^{"members":[]}"#, "", "a group has no `name`"),
            (r#"{"name":"g","members":^"al"}"#, "members", "expected an array here"),
            (r#"{"name":"g","members":["al",^1]}"#, "members[1]", STRING),
            (r#"{"name":"g","policy_names":^{}}"#, "policy_names", "expected an array here"),
            (r#"{"name":"g","disabled":^1}"#, "disabled", "expected true or false here"),
        ],
    );
    stored::<RoleRecord>(
        "role",
        &[
            (r#"^{"trustPolicy":{}}"#, "", "a role has no `roleName`"),
            (r#"^{"roleName":"R"}"#, "", "role `R` has no `trustPolicy`"),
            (r#"^{"roleName":"R","trustPolicy":""}"#, "", "role `R` has no `trustPolicy`"),
            (r#"{"roleName":"R","trustPolicy":^7}"#, "trustPolicy", "expected a policy document here, not a number"),
            (r#"{"roleName":"R","trustPolicy":^[]}"#, "trustPolicy", "expected a policy document here, not an array"),
            (r#"{"roleName":"R","maxSessionDuration":^60}"#, "maxSessionDuration", "3600 to 43200 seconds, not 60"),
            (r#"{"roleName":"R","maxSessionDuration":^43201}"#, "maxSessionDuration", "seconds, not 43201"),
            (r#"{"roleName":"R","maxSessionDuration":^"1d"}"#, "maxSessionDuration", "`1d` is not a duration"),
            (r#"{"roleName":"R","maxSessionDuration":^true}"#, "maxSessionDuration", "expected a whole number here"),
            (r#"{"roleName":"R","trustPolicy":{},"attachedPolicies":^{}}"#, "attachedPolicies", "expected an array"),
            (r#"{"roleName":"R","trustPolicy":{},"description":^[]}"#, "description", STRING),
        ],
    );
}

#[test]
fn service_accounts_providers_profiles_and_aliases() {
    stored::<ServiceAccount>(
        "service account",
        &[
            (r#"^{"id":"sa:al:1"}"#, "", "a service account needs an `id` and a `parent_user`"),
            (r#"^{"parent_user":"al"}"#, "", "a service account needs an `id` and a `parent_user`"),
            (r#"{"id":"sa","expiration":^"soon"}"#, "expiration", "expected a whole number here, not a string"),
            (r#"{"id":"sa","created_at":^1.5}"#, "created_at", "expected a whole number here"),
            (r#"{"id":"sa","credential":^[]}"#, "credential", "expected an object here"),
            (r#"{"id":"sa","credential":{"access_key":^1}}"#, "credential.access_key", STRING),
            (r#"{"id":"sa","disabled":^"no"}"#, "disabled", "expected true or false here"),
        ],
    );
    stored::<OidcProvider>(
        "provider",
        &[
            ("^{}", "", "an OIDC provider needs an `arn` and a `url`"),
            (r#"^{"arn":"a"}"#, "", "an OIDC provider needs an `arn` and a `url`"),
            (r#"{"arn":"a","url":"u","createdAt":^"yesterday"}"#, "createdAt", "`yesterday` is not a time"),
            (r#"{"arn":"a","url":"u","updatedAt":^5}"#, "updatedAt", STRING),
            (r#"{"arn":"a","url":"u","clientIds":^"app"}"#, "clientIds", "expected an array here"),
            (r#"{"arn":"a","url":"u","tags":^[]}"#, "tags", "expected an object here"),
            (r#"{"arn":"a","url":"u","tags":{"k":^1}}"#, "tags.k", STRING),
        ],
    );
    stored::<InstanceProfile>(
        "profile",
        &[
            (r#"^{"account":"1","path":"/"}"#, "", "an instance profile needs a `name`"),
            (r#"^{"name":"web","path":"/"}"#, "", "an instance profile needs a `name`, an `account`"),
            (r#"^{"name":"web","account":"1","path":"/a"}"#, "", "a `path` that begins and ends with /"),
            (r#"{"name":"web","roles":^7}"#, "roles", "expected an array here"),
            (r#"{"name":"web","created":^"x"}"#, "created", "expected a whole number here"),
        ],
    );
    stored::<AccountAlias>(
        "alias",
        &[
            (r#"^{"account":"1"}"#, "", "an account alias needs an `account` and an `alias`"),
            (r#"^{"alias":"reef"}"#, "", "an account alias needs an `account` and an `alias`"),
            (r#"{"account":"1","alias":^7}"#, "alias", STRING),
        ],
    );
}

#[test]
fn facts() {
    for row in [
        ("^[]", "", "expected an object here"),
        (r#"{"id":^7}"#, "id", STRING),
        (r#"{"id":"a","id":^"b"}"#, "id", "the key `id` occurs twice here"),
        (r#"{"created":^"x"}"#, "created", "expected a whole number here"),
        (r#"{"boundary":^{}}"#, "boundary", STRING),
        (r#"{"keysCreated":^[]}"#, "keysCreated", "expected an object here"),
        (r#"{"keysCreated":{"AK":^"x"}}"#, "keysCreated.AK", "expected a whole number here"),
        (r#"{"versions":^[]}"#, "versions", "expected an object here"),
        (r#"{"versions":{"v2":^{}}}"#, "versions.v2", "a version is named by its number"),
        (r#"{"versions":{"2":{"text":^7}}}"#, "versions.2.text", STRING),
        (r#"{"tags":^7}"#, "tags", "expected an array here"),
        (r#"{"trustIds":^{"policy":5}}"#, "trustIds", "not the ids of a policy"),
    ] {
        check("facts", row, Facts::parse);
    }
}

#[test]
fn the_shared_document_of_inline_policies() {
    for row in [
        ("^[]", "", "expected an object here"),
        (r#"{"policies":^[]}"#, "policies", "expected an object here"),
        (r#"{"policies":{"P":^7}}"#, "policies.P", "expected a policy document here"),
        (r#"{"inlinePolicies":^[1]}"#, "inlinePolicies", "expected an object here"),
        (r#"{"inlinePolicies":{"al":^7}}"#, "inlinePolicies.al", "expected an object here"),
        (r#"{"inlinePolicies":{"al":{"I":^[]}}}"#, "inlinePolicies.al.I", "expected a policy document here"),
        (r#"{"inlinePolicies":{"al":{},"al":^{}}}"#, "inlinePolicies.al", "occurs twice"),
        (r#"{"groupInlinePolicies":{"g":{"I":^true}}}"#, "groupInlinePolicies.g.I", "expected a policy document"),
    ] {
        check("policies.json", row, |text| weed_policies::parse(text, None));
    }
}

#[test]
fn the_identities_file() {
    for row in [
        ("^7", "", "expected an object here"),
        (r#"{"identities":^{}}"#, "identities", "expected an array here"),
        (r#"{"identities":[^{}]}"#, "identities[0]", "an identity has no `name`"),
        (r#"{"identities":[{"name":"a"},^{"name":"a"}]}"#, "identities[1]", "the identity `a` is defined twice"),
        (r#"{"identities":[{"name":"a","disabled":^"yes"}]}"#, "identities[0].disabled", "expected true or false"),
        (r#"{"accounts":[{"id":^1}]}"#, "accounts[0].id", STRING),
        (r#"{"serviceAccounts":[^{"id":"sa"}]}"#, "serviceAccounts[0]", "a service account needs"),
        (r#"{"policies":[^{"document":{}}]}"#, "policies[0]", "a policy has no `name`"),
        (r#"{"policies":[^{"name":"P"}]}"#, "policies[0]", "policy `P` has neither `document` nor `content`"),
        (r#"{"policies":[{"name":"P","content":^7}]}"#, "policies[0].content", "expected a policy document here"),
    ] {
        check("-config", row, |text| identities::parse(text, &|_| None));
    }
}

#[test]
fn the_iam_configuration() {
    let inputs = ConfigInputs { filers: &["one:8888".to_owned()], generated_key: "" };
    for row in [
        ("^[]", "", "expected an object here"),
        (r#"{"sts":^[]}"#, "sts", "expected an object here"),
        (r#"{"sts":{"issuer":^""}}"#, "sts.issuer", "the issuer is empty"),
        (r#"{"sts":{"tokenDuration":^"899s"}}"#, "sts.tokenDuration", "899 s is out of range: 900 to 43200"),
        (r#"{"sts":{"tokenDuration":^true}}"#, "sts.tokenDuration", "expected a whole number here"),
        (r#"{"policy":{"storeType":^7}}"#, "policy.storeType", STRING),
        (
            "{\"policy\":{\"storeConfig\":\n{\"filerAddress\":^\"two:8888\"}}}",
            "policy.storeConfig.filerAddress",
            "two:8888",
        ),
        (r#"{"roleStore":{"storeConfig":{"basePath":^"x"}}}"#, "roleStore.storeConfig.basePath", "absolute path"),
        (r#"{"roleStore":{"x":^1}}"#, "roleStore.x", "unknown key `roleStore.x`"),
        (r#"{"roles":[{"roleName":"R","trustPolicy":^{}}]}"#, "roles[0].trustPolicy", "the policy cannot be read"),
        (
            r#"{"providers":[{"name":"a","type":"oidc","config":{"issuer":"https://a.example","clientId":"c"}},
            ^{"name":"a","type":"oidc","config":{"issuer":"https://b.example","clientId":"c"}}]}"#,
            "providers[1]",
            "have the same name or issuer",
        ),
        (r#"{"policies":[^{"name":"P"}]}"#, "policies[0]", "a policy needs a `name` and a `document`"),
        (r#"{"kelpgate":{"crossAccount":^"all"}}"#, "kelpgate.crossAccount", "neither `resource-policy` nor `both`"),
        (r#"{"kelpgate":{"trustedProxies":^"10.0.0.1"}}"#, "kelpgate.trustedProxies", "expected an array here"),
        (r#"{"kelpgate":{"fence":^7}}"#, "kelpgate.fence", "expected an object here"),
    ] {
        check("-iam.config", row, |text| IamConfig::parse(text, &inputs));
    }
}
