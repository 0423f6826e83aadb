//! The tags of a bucket through S3 Control.

use bucket::metadata::BucketMetadata;

use crate::support::World;

const ACCOUNT: (&str, &str) = ("x-amz-account-id", "000000000000");
const TAGS: &str = "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Aplain";

fn tags(pairs: &[(&str, &str)]) -> String {
    let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    format!("<TagResourceRequest><Tags>{}</Tags></TagResourceRequest>", pairs.iter().map(tag).collect::<String>())
}

async fn stored(world: &World) -> Vec<(String, String)> {
    let entry = world.entry("plain").await.unwrap();
    BucketMetadata::read(&entry.content).unwrap().tags.into_iter().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn tags_are_added_and_removed_one_by_one() {
    let world = World::with_users().await;
    let [get, post, delete] = ["GET", "POST", "DELETE"].map(|method| format!("{method} {TAGS}"));
    let untag = format!("{delete}?tagKeys=b&tagKeys=none");
    world
        .check(&[
            ("admin", &get, &[ACCOUNT], "", "200 "),
            ("admin", &post, &[ACCOUNT], &tags(&[("a", "1"), ("b", "2")]), "204 "),
            ("admin", &post, &[ACCOUNT], &tags(&[("b", "3"), ("c", "4")]), "204 "),
        ])
        .await;
    assert_eq!(stored(&world).await, pairs(&[("a", "1"), ("b", "3"), ("c", "4")]));
    world.check(&[("admin", &untag, &[ACCOUNT], "", "204 "), ("admin", &untag, &[ACCOUNT], "", "204 ")]).await;
    assert_eq!(stored(&world).await, pairs(&[("a", "1"), ("c", "4")]));
    let listed = world.send_as("admin", &get, &[ACCOUNT], "").await;
    assert_eq!(
        (listed.elements("Key"), listed.elements("Value")),
        (vec!["a".into(), "c".into()], vec!["1".into(), "4".into()])
    );
    assert_eq!(world.ask_admin("GET /plain?tagging").await.elements("Key"), ["a", "c"], "they are the same tags");
    // Fifty in all: what is too much changes nothing.
    let many: Vec<(String, String)> = (0..49).map(|n| (format!("n{n}"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    world
        .check(&[
            ("admin", &post, &[ACCOUNT], &tags(&many[..48]), "204 "),
            ("admin", &post, &[ACCOUNT], &tags(&many[48..]), "400 InvalidTag"),
        ])
        .await;
    assert_eq!(stored(&world).await.len(), 50);
}

#[tokio::test]
async fn who_may_and_where() {
    let world = World::with_users().await;
    let [get, post, delete] = ["GET", "POST", "DELETE"].map(|method| format!("{method} {TAGS}"));
    let nowhere = get.replace("plain", "nowhere");
    let untag = format!("{delete}?tagKeys=a");
    world
        .check(&[
            ("reader", &get, &[ACCOUNT], "", "403 AccessDenied"),
            ("writer", &post, &[ACCOUNT], &tags(&[("a", "1")]), "403 AccessDenied"),
            ("writer", &untag, &[ACCOUNT], "", "403 AccessDenied"),
            ("", &get, &[ACCOUNT], "", "403 AccessDenied"),
            ("admin", &nowhere, &[ACCOUNT], "", "404 NoSuchBucket"),
            ("admin", &get, &[("x-amz-account-id", "111122223333")], "", "403 AccessDenied"),
            ("admin", &post, &[("x-amz-account-id", "111122223333")], &tags(&[("a", "1")]), "403 AccessDenied"),
            ("admin", "GET /v20180820/accesspoint", &[ACCOUNT], "", "405 MethodNotAllowed"),
            // Without the account, it is a bucket that does not exist.
            ("admin", &get, &[], "", "404 NoSuchBucket"),
            ("admin", "PUT /v20180820", &[], "", "200 "),
        ])
        .await;
    assert_eq!(stored(&world).await, []);
    // Nobody can add the header to a request that is signed.
    let mut head = crate::support::signer("admin").sign(world.head(&get, &[]), sigv4::PayloadHash::EMPTY);
    head.headers.insert(ACCOUNT.0, ACCOUNT.1.parse().unwrap());
    let reply = world.deliver(head, "".into()).await;
    assert_eq!(reply.outcome(), "403 AccessDenied");
    assert!(
        reply.text().starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse><Error>"),
        "{}",
        reply.text()
    );
}
