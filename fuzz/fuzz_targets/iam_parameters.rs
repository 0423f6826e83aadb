//! Calls of the query APIs of IAM and STS: `name=value` in each line.
#![no_main]

use iam_api::{AssumeRoleInput, Params, QueryCaller, query_requirements, set_query_condition_keys};
use libfuzzer_sys::fuzz_target;
use policy::{Action, Context};

fuzz_target!(|text: &str| {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs: Vec<(String, String)> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let turned = Params::new(pairs.iter().rev().cloned());
    let Ok(params) = Params::new(pairs) else {
        assert!(turned.is_err(), "the order of parameters counts");
        return;
    };
    let turned = turned.expect("the same parameters in another order");
    let caller = QueryCaller {
        account: ids::AccountId::DEFAULT,
        user_arn: Some("arn:aws:iam::000000000000:user/al"),
        path_of: &|_, name| (name == "bo").then(|| "/team/".to_owned()),
        user_of_key: &|_| None,
        passes_on_tags: false,
        passes_on_source_identity: true,
    };
    let needs = query_requirements(&params, &caller);
    assert_eq!(
        needs.as_ref().ok(),
        query_requirements(&turned, &caller).as_ref().ok(),
        "the order of parameters counts"
    );
    for need in needs.into_iter().flatten() {
        assert!(
            need.action.starts_with("iam:") && !need.action.contains('*') || Action::named(need.action).is_some(),
            "{need:?}"
        );
        assert!(!need.resource.is_empty(), "{need:?}");
    }
    let _ = set_query_condition_keys(&params, &mut Context::new());
    let _ = AssumeRoleInput::parse(&params);
});
