//! The parameters of AssumeRole: each limit of AWS, and what a session inherits.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

use iam_api::{AssumeRoleInput, DurationLimits, InputError, OwnSessionInput, Params};

fn parse(fields: &[(&str, &str)]) -> Result<AssumeRoleInput, InputError> {
    let form = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    AssumeRoleInput::parse(&Params::new(form).unwrap())
}

const ROLE: (&str, &str) = ("RoleArn", "arn:aws:iam::111122223333:role/app");
const NAME: (&str, &str) = ("RoleSessionName", "sess");

#[test]
fn every_parameter_is_read() {
    let input = parse(&[
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ROLE,
        NAME,
        ("DurationSeconds", "900"),
        ("Policy", "{}"),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/A"),
        ("PolicyArns.member.2.arn", "arn:aws:iam::aws:policy/B"),
        ("ExternalId", "a:/b"),
        ("SourceIdentity", "alice"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "blue"),
        ("Tags.member.2.Key", "empty"),
        ("Tags.member.2.Value", ""),
        ("TransitiveTagKeys.member.1", "Team"),
    ])
    .unwrap();
    assert_eq!(
        input,
        AssumeRoleInput {
            role_arn: ROLE.1.to_owned(),
            role_session_name: "sess".to_owned(),
            duration_s: Some(900),
            policy: Some("{}".to_owned()),
            policy_arns: vec!["arn:aws:iam::aws:policy/A".to_owned(), "arn:aws:iam::aws:policy/B".to_owned()],
            external_id: Some("a:/b".to_owned()),
            source_identity: Some("alice".to_owned()),
            tags: vec![("team".to_owned(), "blue".to_owned()), ("empty".to_owned(), String::new())],
            transitive_tag_keys: vec!["Team".to_owned()],
        }
    );
}

#[test]
fn values_out_of_range_get_the_messages_of_aws() {
    let at = |value: &str, member: &str, constraint: &str| {
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
        )
    };
    let long = "a".repeat(65);
    let long_policy = "x".repeat(2049);
    let pattern = "satisfy regular expression pattern: [\\w+=,.@-]*";
    for (fields, want) in [
        (vec![ROLE, NAME], "OK".to_owned()),
        (vec![ROLE, ("RoleSessionName", "a")], at("a", "roleSessionName", "have length greater than or equal to 2")),
        (vec![ROLE, ("RoleSessionName", &long)], at(&long, "roleSessionName", "have length less than or equal to 64")),
        (vec![ROLE, ("RoleSessionName", "a b")], at("a b", "roleSessionName", pattern)),
        (vec![ROLE, ("RoleSessionName", "a/b")], at("a/b", "roleSessionName", pattern)),
        (vec![ROLE, ("RoleSessionName", "\u{e4}\u{e4}")], at("\u{e4}\u{e4}", "roleSessionName", pattern)),
        (vec![ROLE, ("RoleSessionName", "a+=,.@-_Z9")], "OK".to_owned()),
        (vec![ROLE, NAME, ("DurationSeconds", "899")], at("899", "durationSeconds", "have value greater than or equal to 900")),
        (vec![ROLE, NAME, ("DurationSeconds", "43201")], at("43201", "durationSeconds", "have value less than or equal to 43200")),
        (vec![ROLE, NAME, ("DurationSeconds", "1h")], at("1h", "durationSeconds", "be an integer")),
        (vec![ROLE, NAME, ("Policy", &long_policy)], at(&long_policy, "policy", "have length less than or equal to 2048")),
        (vec![ROLE, NAME, ("Policy", "")], at("", "policy", "have length greater than or equal to 1")),
        (vec![ROLE, NAME, ("ExternalId", "x")], at("x", "externalId", "have length greater than or equal to 2")),
        (vec![ROLE, NAME, ("SourceIdentity", "a/b")], at("a/b", "sourceIdentity", pattern)),
        (vec![NAME], "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null".to_owned()),
        (vec![], "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null".to_owned()),
        (vec![ROLE, NAME, ("Tags.member.2.Key", "x")], "1 validation error detected: Tags must have members that are numbered 1, 2, 3 without a gap".to_owned()),
        (vec![ROLE, NAME, ("Tags.member.Key", "x")], "1 validation error detected: Tags must have members that are numbered 1, 2, 3 without a gap".to_owned()),
        (vec![ROLE, NAME, ("PolicyArns.member.arn", "x")], "1 validation error detected: PolicyArns must have members that are numbered 1, 2, 3 without a gap".to_owned()),
        (vec![ROLE, NAME, ("Tags.member.1.Key", "")], at("", "tags.1.member.key", "have length greater than or equal to 1")),
        (vec![ROLE, NAME, ("Tags.member.1.Key", "aws:x")], "Tag keys must not begin with aws:".to_owned()),
        (vec![ROLE, NAME, ("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "A")], "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned()),
        (vec![ROLE, NAME, ("TransitiveTagKeys.member.1", "a")], "The specified transitive tag key must be included in the requested tags.".to_owned()),
    ] {
        let found = parse(&fields).map_or_else(|error| error.to_string(), |_| "OK".to_owned());
        assert_eq!(found, want, "{fields:?}");
    }
    assert_eq!(parse(&[]).unwrap_err().code(), "ValidationError");
    let many: Vec<(String, String)> = (1..=51).map(|n| (format!("Tags.member.{n}.Key"), format!("k{n}"))).collect();
    let mut fields: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.extend([ROLE, NAME]);
    assert!(parse(&fields).is_err());
    assert!(parse(&fields[1..]).is_err());
}

#[test]
fn a_wish_above_a_limit_is_refused_and_a_default_is_shortened() {
    const ROLE_MAX: &str = "the MaxSessionDuration set for this role";
    const CHAIN: &str = "the 1 hour session limit for roles assumed by role chaining";
    const GATEWAY: &str = "the longest session of this gateway (sts.maxSessionLength), 7200 s";
    for (wish, default_s, max_session_length_s, role_max_s, chained, want) in [
        (None, 3600, 43_200, 43_200, false, Ok(3600)),
        (None, 3600, 43_200, 1800, false, Ok(1800)),
        (None, 43_200, 7200, 43_200, false, Ok(7200)),
        (None, 43_200, 43_200, 43_200, true, Ok(3600)),
        (Some(43_200), 3600, 43_200, 43_200, false, Ok(43_200)),
        (Some(3600), 900, 43_200, 3600, false, Ok(3600)),
        (Some(3601), 3600, 43_200, 3600, false, Err(ROLE_MAX)),
        (Some(43_200), 3600, 7200, 43_200, false, Err(GATEWAY)),
        (Some(3600), 3600, 43_200, 43_200, true, Ok(3600)),
        (Some(3601), 3600, 43_200, 43_200, true, Err(CHAIN)),
        (Some(900), 3600, 43_200, 43_200, true, Ok(900)),
    ] {
        let limits = DurationLimits { default_s, max_session_length_s, role_max_s, chained };
        let got = limits.duration_s(wish).map_err(|error| (error.code(), error.to_string()));
        let want = want.map_err(|limit| ("ValidationError", format!("The requested DurationSeconds exceeds {limit}.")));
        assert_eq!(got, want, "{wish:?} {limits:?}");
    }
}

#[test]
fn without_a_role_what_belongs_to_roles_is_refused() {
    let parse = |fields: &[(&str, &str)]| {
        let form = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        OwnSessionInput::parse(&Params::new(form).unwrap())
    };
    let plain = OwnSessionInput { session_name: None, duration_s: None, policy: None };
    assert_eq!(parse(&[("Action", "AssumeRole")]), Ok(plain.clone()));
    let all = parse(&[NAME, ("DurationSeconds", "900"), ("Policy", "{}")]).unwrap();
    let (session_name, policy) = (Some("sess".to_owned()), Some("{}".to_owned()));
    assert_eq!(all, OwnSessionInput { session_name, duration_s: Some(900), policy });
    for (name, value) in [
        ("ExternalId", "secret"),
        ("SourceIdentity", "eve"),
        ("SerialNumber", "arn:aws:iam::000000000000:mfa/x"),
        ("TokenCode", "123456"),
        ("Tags.member.1.Key", "k"),
        ("TransitiveTagKeys.member.1", "k"),
        ("PolicyArns.member.1.arn", "arn:aws:iam::000000000000:policy/P"),
        ("PolicyArns.member.2.arn", "arn:aws:iam::000000000000:policy/P"),
        ("PolicyArns", ""),
        ("ProvidedContexts.member.1.ProviderArn", "x"),
        ("RoleSessionName", "a b"),
        ("RoleSessionName", "a"),
        ("DurationSeconds", "899"),
        ("DurationSeconds", "43201"),
        ("Policy", ""),
    ] {
        let error = parse(&[(name, value)]).unwrap_err();
        assert_eq!(error.code(), "ValidationError", "{name}={value}");
    }
}

#[test]
fn transitive_tags_are_inherited_and_cannot_be_replaced() {
    let tag = |key: &str| (key.to_owned(), "v".to_owned());
    let conflict = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.";
    for (passed, transitive, inherited, want) in [
        (&[][..], &[][..], &[][..], Ok((&[][..], &[][..]))),
        (&[], &[], &["Team"], Ok((&["Team"][..], &["Team"][..]))),
        (&["a"], &[], &["Team"], Ok((&["a", "Team"], &["Team"]))),
        (&["a"], &["A"], &["Team", "x"], Ok((&["a", "Team", "x"], &["A", "Team", "x"]))),
        (&["Team"], &[], &["Team"], Err(conflict)),
        (&["a", "tEAM"], &[], &["Team"], Err(conflict)),
        (&["\u{c4}rea"], &["\u{c4}rea"], &["x", "\u{e4}rea"], Err(conflict)),
    ] {
        let mut input = parse(&[ROLE, NAME]).unwrap();
        input.tags = passed.iter().copied().map(tag).collect();
        input.transitive_tag_keys = transitive.iter().map(|key| (*key).to_owned()).collect();
        let inherited: Vec<_> = inherited.iter().copied().map(tag).collect();
        let found = input.inherit(inherited.iter()).map(|()| {
            let tags: Vec<&str> = input.tags.iter().map(|(key, _)| key.as_str()).collect();
            (tags, input.transitive_tag_keys.iter().map(String::as_str).collect::<Vec<_>>())
        });
        match want {
            Ok((tags, transitive)) => assert_eq!(found.unwrap(), (tags.to_vec(), transitive.to_vec()), "{passed:?}"),
            Err(message) => {
                let error = found.unwrap_err();
                assert_eq!(
                    (error.code(), error.to_string().as_str()),
                    ("InvalidParameterValue", message),
                    "{passed:?}"
                );
            }
        }
    }
}

#[test]
fn a_chain_of_sessions_collects_at_most_50_tags() {
    let tags = |prefix: &str, count: usize| -> Vec<(String, String)> {
        (0..count).map(|n| (format!("{prefix}{n}"), "v".to_owned())).collect()
    };
    for (passed, inherited, code) in [(0, 50, None), (25, 25, None), (50, 1, Some("PackedPolicyTooLarge"))] {
        let mut input = parse(&[ROLE, NAME]).unwrap();
        input.tags = tags("passed", passed);
        let found = input.inherit(tags("inherited", inherited).iter());
        assert_eq!(found.err().map(|error| error.code()), code, "{passed} passed, {inherited} inherited");
    }
}
