//! Fills a filer with a large IAM state, in the stored formats and through the store's own writes, for measurements at
//! scale.
//!
//! ```text
//! iam_state --dir DIR            the embedded filer of a stopped `kelpgate server`
//! iam_state --filer HOST:PORT    a SeaweedFS filer
//!     [--users 100000] [--policies 10000] [--groups 1000] [--roles 1000] [--inline 10000] [--first 0]
//! ```
//!
//! Users are `user-000000` and so on, with two keys each, given by [`key_id`] and [`secret`]. Every user has one
//! managed policy attached, and every managed policy is different. The first `--inline` users have an inline policy;
//! every second one has the same text. `--first` is the number of the first user, to add to an existing state.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use filer::seaweedfs::{Options, SeaweedFiler, Security};
use filer::{EmbeddedFiler, Filer};
use futures_util::{StreamExt, TryStreamExt};
use iam::{
    Change, Credential, DocumentKey, GroupRecord, Holder, InlinePolicyRecord, PolicyPlace, PolicyRecord, RolePlace,
    RoleRecord, UserRecord,
};
use iam_formats::{ConfigInputs, IamConfig};
use store::{FilerStore, Layout};

/// How many documents are written at the same time.
const AT_ONCE: usize = 128;
const CREATED_S: i64 = 1_760_000_000;

struct Plan {
    first: usize,
    users: usize,
    policies: usize,
    groups: usize,
    roles: usize,
    inline: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut plan = Plan { first: 0, users: 100_000, policies: 10_000, groups: 1_000, roles: 1_000, inline: 10_000 };
    let mut place: Option<Arc<dyn Filer>> = None;
    // The base paths of `kelpgate server`; a gateway on SeaweedFS finds them with the seed's `-iam.config`.
    let text = r#"{"policy":{"storeType":"filer"},"roleStore":{"storeType":"filer"}}"#;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--dir" => place = Some(Arc::new(EmbeddedFiler::open(&value)?)),
            "--filer" => {
                let options = Options::new(vec![value.parse()?], Security::default());
                place = Some(Arc::new(SeaweedFiler::connect(options)));
            }
            "--users" => plan.users = value.parse()?,
            "--policies" => plan.policies = value.parse()?,
            "--groups" => plan.groups = value.parse()?,
            "--roles" => plan.roles = value.parse()?,
            "--inline" => plan.inline = value.parse()?,
            "--first" => plan.first = value.parse()?,
            _ => return Err(format!("{name} is unknown; see the head of this file").into()),
        }
    }
    let filer = place.ok_or("give --dir or --filer")?;
    let store = FilerStore::new(
        filer,
        Layout::new(&IamConfig::parse(text, &ConfigInputs { filers: &[], generated_key: "" })?, "/buckets"),
    );
    let began = Instant::now();
    let written = futures_util::stream::iter(documents(&plan)).map(|(key, change)| {
        let store = store.clone();
        async move {
            let fresh = store.read(&[key]).await?;
            store.commit(&fresh, &[change]).await
        }
    });
    let documents =
        written.buffer_unordered(AT_ONCE).try_fold(0, |sum, written| async move { Ok(sum + written.len()) }).await?;
    println!("{documents} documents in {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn documents(plan: &Plan) -> impl Iterator<Item = (DocumentKey, Change)> {
    let policies = (plan.first.min(plan.policies)..plan.policies).map(|n| {
        let name: Arc<str> = format!("policy-{n:05}").into();
        let id = format!("ANPA{n:017}");
        let policy = PolicyRecord { id, version: 1, created_s: CREATED_S, ..PolicyRecord::of_text(managed(n)) };
        (DocumentKey::Policy(name.clone()), Change::Policy(name, PolicyPlace::Api, Some(Ok(policy))))
    });
    let (all, count) = (plan.users, plan.policies.max(1));
    let users = (plan.first..all).map(move |n| {
        let name: Arc<str> = user(n).into();
        (DocumentKey::User(name.clone()), Change::User(name, Some(Ok(user_document(n, n % count)))))
    });
    let inline = (plan.first.min(plan.inline)..plan.inline.min(all)).map(|n| {
        let (holder, name): (_, Arc<str>) = (Holder::User(user(n).into()), "own-prefix".into());
        let text = if n % 2 == 0 { SHARED.to_owned() } else { managed(n).replace("bucket-", "own-") };
        let policy = InlinePolicyRecord { created_s: CREATED_S, ..InlinePolicyRecord::of_text(text) };
        (DocumentKey::Inline(holder.clone(), name.clone()), Change::Inline(holder, name, Some(Ok(policy))))
    });
    let groups = (plan.first.min(plan.groups)..plan.groups).map(move |n| {
        let name: Arc<str> = format!("group-{n:04}").into();
        let group = GroupRecord {
            name: name.to_string(),
            members: (0..50).map(|member| user((n * 50 + member) % all.max(1))).collect(),
            attached_policies: vec![format!("policy-{:05}", n % count)],
            id: format!("AGPA{n:017}"),
            created_s: CREATED_S,
            ..GroupRecord::default()
        };
        (DocumentKey::Group(name.clone()), Change::Group(name, Some(Ok(group))))
    });
    let roles = (plan.first.min(plan.roles)..plan.roles).map(move |n| {
        let name: Arc<str> = format!("role-{n:04}").into();
        let role = RoleRecord {
            name: name.to_string(),
            arn: format!("arn:aws:iam::000000000000:role/{name}"),
            trust_policy: TRUST.to_owned(),
            attached_policies: vec![format!("policy-{:05}", n % count)],
            id: format!("AROA{n:017}"),
            created_s: CREATED_S,
            ..RoleRecord::default()
        };
        (DocumentKey::Role(name.clone()), Change::Role(name, RolePlace::Base, Some(Ok(role))))
    });
    policies.chain(users).chain(inline).chain(groups).chain(roles)
}

fn user(n: usize) -> String {
    format!("user-{n:06}")
}

/// The id of a user's first (0) or second (1) key.
fn key_id(n: usize, key: usize) -> String {
    format!("AKIASCALE{n:010}{key}")
}

/// Its secret.
fn secret(n: usize, key: usize) -> String {
    format!("secret-of-the-measured-user-{n:010}-{key}")
}

fn user_document(n: usize, policy: usize) -> UserRecord {
    UserRecord {
        name: user(n),
        credentials: (0..2)
            .map(|key| Credential {
                status: "Active".to_owned(),
                created_s: CREATED_S,
                ..Credential::new(key_id(n, key), secret(n, key))
            })
            .collect(),
        attached_policies: vec![format!("policy-{policy:05}")],
        tags: [("team".to_owned(), format!("team-{}", n % 100))].into(),
        id: format!("AIDA{n:017}"),
        path: format!("/division-{}/", n % 20),
        created_s: CREATED_S,
        ..UserRecord::default()
    }
}

fn managed(n: usize) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"List","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket-{n:05}","Condition":{{"StringLike":{{"s3:prefix":["data/*","home/${{aws:username}}/*"]}}}}}},{{"Sid":"Objects","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::bucket-{n:05}/data/*","arn:aws:s3:::bucket-{n:05}/home/${{aws:username}}/*"]}},{{"Sid":"Never","Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bucket-{n:05}/data/kept/*"}}]}}"#
    )
}

const SHARED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::homes/${aws:username}/*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/user-000000"},"Action":"sts:AssumeRole"}]}"#;
