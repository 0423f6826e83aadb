use sts::{AssumeRoleInput, DurationLimits, InputError};

fn parse(fields: &[(&str, &str)]) -> Result<AssumeRoleInput, InputError> {
    let form: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    AssumeRoleInput::parse(&form)
}

const ROLE: (&str, &str) = ("RoleArn", "arn:aws:iam::111122223333:role/app");
const NAME: (&str, &str) = ("RoleSessionName", "sess");

#[test]
fn everything_is_read() {
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
        (vec![ROLE, ROLE, NAME], "1 validation error detected: RoleArn must be given once".to_owned()),
        (vec![ROLE, NAME, ("SerialNumber", "x")], "1 validation error detected: MFA is not supported; leave SerialNumber and TokenCode out".to_owned()),
        (vec![ROLE, NAME, ("Tags.member.2.Key", "x")], "1 validation error detected: Tags must have members that are numbered 1, 2, 3 without a gap".to_owned()),
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
fn the_life_of_a_session_is_cut_to_every_limit() {
    for (wish, default_s, max_session_length_s, role_max_s, chained, want) in [
        (None, 3600, 43_200, 43_200, false, 3600),
        (None, 3600, 43_200, 1800, false, 1800),
        (Some(43_200), 3600, 43_200, 43_200, false, 43_200),
        (Some(43_200), 3600, 43_200, 3600, false, 3600),
        (Some(43_200), 3600, 7200, 43_200, false, 7200),
        (Some(43_200), 3600, 43_200, 43_200, true, 3600),
        (Some(900), 3600, 43_200, 43_200, true, 900),
    ] {
        let limits = DurationLimits { default_s, max_session_length_s, role_max_s, chained };
        assert_eq!(limits.duration_s(wish), want, "{wish:?} {limits:?}");
    }
}

#[test]
fn transitive_tags_are_inherited_and_stay() {
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
