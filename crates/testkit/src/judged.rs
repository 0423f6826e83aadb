//! What a judged request says of itself: the lines that `s3::cases` and `iam_api::cases` answer.
#![expect(clippy::indexing_slicing, reason = "what the answer lacks is null")]

use std::collections::BTreeSet;

use serde_json::Value;

/// The actions and resources of a list of permissions.
pub fn pairs(permissions: &Value) -> BTreeSet<(String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    permissions.as_array().into_iter().flatten().map(|one| (text(one, "action"), text(one, "resource"))).collect()
}

/// Asserts which permissions the request `row` needs, each as `action resource`, and the values of some condition keys.
///
/// # Panics
///
/// If the answer is an error or says otherwise.
pub fn assert_judged(row: &str, answer: &Value, requires: &[&str], context: &[(&str, Value)]) {
    assert!(answer.get("error").is_none(), "{row}: {answer}");
    let got: BTreeSet<String> =
        pairs(&answer["requires"]).into_iter().map(|(action, resource)| format!("{action} {resource}")).collect();
    assert_eq!(got, requires.iter().map(|one| (*one).to_owned()).collect(), "{row}");
    for (key, value) in context {
        assert_eq!(&answer["context"][key], value, "{row}: {key}");
    }
}
