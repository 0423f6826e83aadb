use iam::{IdentityProvider, OidcKeys, ProviderRights};
use iam_formats::{ConfigInputs, Facts, IamConfig, StoredDocument};
use sts::Claims;

fn parse(text: &str) -> Result<IamConfig, String> {
    let inputs = ConfigInputs { filers: &[], generated_key: "" };
    IamConfig::parse(text, &inputs).map_err(|error| error.to_string())
}

/// A configuration with one provider, whose `config` has these fields too.
fn with(fields: &str, beside: &str) -> Result<IamConfig, String> {
    parse(&format!(
        r#"{{"sts":{{"accountId":"111122223333"}},"providers":[{{"name":"corp","type":"oidc",{beside}
        "config":{{"issuer":"https://idp.example.com/realms/r/","clientId":"app"{fields}}}}}]}}"#
    ))
}

#[test]
fn a_provider_of_seaweedfs_is_read() {
    let mapping = r#""roleMapping":{"rules":[{"claim":"groups","value":"admins","role":"Admin","condition":""}],"defaultRole":"R"},"#;
    let more = r#","clientIds":["web"],"clientSecret":"x","scopes":["openid"],"allowedPrincipalTagKeys":["Project"]"#;
    let config = with(more, mapping).unwrap();
    let [provider] = config.identity_providers.as_slice() else { panic!("{:?}", config.identity_providers) };
    assert_eq!(provider.arn, "arn:aws:iam::111122223333:oidc-provider/idp.example.com/realms/r");
    assert_eq!(provider.issuer, "https://idp.example.com/realms/r/");
    assert_eq!(provider.key_prefix(), "idp.example.com/realms/r");
    assert_eq!(provider.client_ids, ["web", "app"]);
    assert_eq!(provider.aliases(), ["corp", "https://idp.example.com/realms/r/"]);
    assert_eq!(provider.allowed_tag_keys, Some(vec!["Project".to_owned()]));
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    assert_eq!(config.settings().identity_providers, config.identity_providers);
    let sts = r#"{"sts":{"providers":[{"name":"a","type":"oidc","config":{"issuer":"https://a.example","clientId":"x","policyClaim":"p"}}]}}"#;
    let rights = &parse(sts).unwrap().identity_providers[0].rights;
    assert_eq!(*rights, ProviderRights::PolicyClaim("p".to_owned()));
    let off = with("", r#""enabled":false,"#).unwrap();
    assert!(off.identity_providers.is_empty() && off.warnings[0].contains("switched off"), "{:?}", off.warnings);
}

#[test]
fn what_a_provider_cannot_say() {
    let issuer = |url: &str| {
        parse(&format!(
            r#"{{"providers":[{{"name":"a","type":"oidc","config":{{"issuer":"{url}","clientId":"x","allowPrivateAddresses":false}}}}]}}"#
        ))
    };
    for (what, refused, part) in [
        ("SAML", parse(r#"{"providers":[{"name":"a","type":"saml","config":{}}]}"#), "SAML is not supported"),
        ("LDAP", parse(r#"{"sts":{"providers":[{"name":"a","type":"ldap","config":{}}]}}"#), "LDAP is not supported"),
        ("another type", parse(r#"{"providers":[{"name":"a","type":"x","config":{}}]}"#), "not a type"),
        ("no name", parse(r#"{"providers":[{"type":"oidc","config":{}}]}"#), "needs a `name`"),
        ("no configuration", parse(r#"{"providers":[{"name":"a","type":"oidc"}]}"#), "needs a `config`"),
        ("plain HTTP", issuer("http://idp.example.com"), "allowPrivateAddresses"),
        ("no scheme", issuer("idp.example.com"), "https://"),
        ("a user", issuer("https://ci.example@evil.example"), "nothing else"),
        ("a query", issuer("https://idp.example.com?x"), "nothing else"),
        ("no host", issuer("https:///x"), "nothing else"),
        ("a host like a service", issuer("https://aws/x"), "reserved"),
        ("no client id", with(r#","clientIds":[""]"#, ""), "client id"),
        ("TLS without verification", with(r#","tlsInsecureSkipVerify":true"#, ""), "tlsCaCert"),
        ("a misspelt field", with(r#","jwksURI":"https://a.example""#, ""), "unknown key"),
        ("keys by plain HTTP", with(r#","jwksUri":"http://a.example""#, ""), "allowPrivateAddresses"),
        (
            "two sources of rights",
            with(r#","policyClaim":"p""#, r#""roleMapping":{"defaultRole":"R"},"#),
            "keep one of",
        ),
        ("a rule without a role", with("", r#""roleMapping":{"rules":[{"claim":"c","value":"v"}]},"#), "a rule needs"),
        (
            "a rule with a condition",
            with("", r#""roleMapping":{"rules":[{"claim":"c","value":"v","role":"R","condition":"x"}]},"#),
            "conditions of rules",
        ),
        (
            "two with one issuer",
            parse(
                r#"{"providers":[{"name":"a","type":"oidc","config":{"issuer":"https://i.example","clientId":"x"}},
                {"name":"b","type":"oidc","config":{"issuer":"https://i.example/","clientId":"x"}}]}"#,
            ),
            "same name or issuer",
        ),
    ] {
        let refused = refused.expect_err(what);
        assert!(refused.contains(part) && refused.contains("line "), "{what}: {refused}");
    }
}

#[test]
fn the_first_rule_that_matches_names_the_role() {
    let rules = r#""roleMapping":{"rules":[{"claim":"roles","value":"admin","role":"A"},{"claim":"groups","value":"team-*","role":"B"},
        {"claim":"mail","value":"*@example.com","role":"C"},{"claim":"any","value":"*","role":"D"}],"defaultRole":"Z"},"#;
    let config = with("", rules).unwrap();
    let IdentityProvider { rights: ProviderRights::Roles(mapping), .. } = &*config.identity_providers[0] else {
        panic!("no mapping")
    };
    for (claims, wanted) in [
        (r#"{"roles":["user","admin"],"groups":["team-1"]}"#, "A"),
        (r#"{"roles":"admin"}"#, "A"),
        (r#"{"roles":["Admin"]}"#, "Z"),
        (r#"{"groups":["x","team-1"]}"#, "B"),
        (r#"{"groups":["my-team-1"]}"#, "Z"),
        (r#"{"mail":"a@example.com"}"#, "C"),
        (r#"{"mail":"a@example.com.evil"}"#, "Z"),
        (r#"{"any":""}"#, "D"),
        (r#"{"roles":{"admin":{}}}"#, "A"),
        ("{}", "Z"),
    ] {
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        assert_eq!(mapping.role_of(&claims), Some(wanted), "{claims:?}");
    }
}

#[test]
fn keys_are_stored_with_their_issuer_and_time() {
    let jwks =
        r#"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"#;
    let text = format!(
        "{{\n  \"issuer\": \"https://a.example/\",\n  \"jwks\": \"{jwks}\",\n  \"fetchedAt\": \"2026-11-28T20:00:00Z\"\n}}"
    );
    let keys = OidcKeys::parse(&text, Facts::default()).unwrap();
    assert_eq!((keys.to_text(), keys.keys.len(), &*keys.issuer), (text.clone(), 1, "https://a.example/"));
    assert!(!keys.is_stale(keys.fetched_s + 7 * 24 * 3600) && keys.is_stale(keys.fetched_s + 7 * 24 * 3600 + 1));
    for (from, to) in [("https://a.example/", ""), (jwks, "{}"), (jwks, r#"{\"keys\":[]}"#), ("2026-11-28T", "x")] {
        assert!(OidcKeys::parse(&text.replace(from, to), Facts::default()).is_err(), "{to}");
    }
}
