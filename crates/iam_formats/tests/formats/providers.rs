use iam::{IdentityProvider, OidcKeys, ProviderRights};
use iam_formats::{ConfigInputs, Facts, IamConfig, NestedGroups, StoredDocument};
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

/// A configuration with a directory, whose `config` has these fields too.
fn directory(fields: &str, beside: &str) -> Result<IamConfig, String> {
    parse(&format!(
        r#"{{"sts":{{"accountId":"111122223333"}},"providers":[{{"name":"corp","type":"ldap",{beside}"config":{{{fields}}}}}]}}"#
    ))
}

const SERVER: &str = r#""server":"ldaps://ldap.example.com","baseDN":"ou=people,dc=example""#;

#[test]
fn a_directory_of_seaweedfs_is_read() {
    let fields = r#""server":"ldap://ldap.example.com:389","useTLS":true,"bindDN":"cn=svc,dc=example","bindPassword":"secret-word","baseDN":"dc=example",
        "userFilter":"(uid=%s)","groupFilter":"(member=%s)","groupBaseDN":"ou=groups,dc=example","audience":"x","connectionTimeout":"3s","poolSize":4,
        "insecureSkipVerify":false,"attributes":{"email":"mail","displayName":"cn","groups":"memberOf","uid":"sAMAccountName"}"#;
    let mapping = r#""roleMapping":{"rules":[{"claim":"groups","value":"cn=admins,dc=example","role":"Admin"}]},"#;
    let config = directory(fields, mapping).unwrap();
    let (provider, settings) = (&config.identity_providers[0], &config.directories[0]);
    assert_eq!(provider.arn, "arn:aws:iam::111122223333:ldap-provider/corp");
    assert_eq!((&*provider.issuer, provider.key_prefix(), provider.is_directory()), ("ldap:corp", "ldap", true));
    assert!(matches!(provider.rights, ProviderRights::Roles(_)));
    assert_eq!(
        (settings.servers.as_slice(), settings.starts_tls),
        (&["ldap://ldap.example.com:389".to_owned()][..], true)
    );
    assert_eq!((&*settings.name_attribute, settings.timeout_s, settings.connections_max), ("sAMAccountName", 3, 4));
    assert_eq!(settings.bind_password.as_ref().unwrap().expose(), "secret-word");
    assert!(!format!("{config:?}").contains("secret-word"));
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);

    let several = directory(
        r#""servers":["ldaps://a","ldaps://b:1636"],"baseDN":"dc=x","nestedGroups":"activeDirectory",
        "policyMapping":{"users":{"UID=alice,dc=x":["read"]},"groups":{"cn=a\\,b, dc=x":["all"]}}"#,
        "",
    );
    let several = several.unwrap();
    assert_eq!(several.directories[0].servers, ["ldaps://a", "ldaps://b:1636"]);
    assert_eq!(several.directories[0].nested_groups, NestedGroups::MatchingRule);
    let ProviderRights::Policies(mapping) = &several.identity_providers[0].rights else { panic!("no mapping") };
    assert_eq!(mapping.users.keys().next().unwrap(), "uid=alice,dc=x");
    assert_eq!(mapping.groups.keys().next().unwrap(), "cn=a\\,b,dc=x");
    assert!(directory(SERVER, r#""enabled":false,"#).unwrap().directories.is_empty());
}

#[test]
fn what_a_directory_cannot_say() {
    let with = |more: &str| directory(&format!("{SERVER},{more}"), "");
    let at = |server: &str| directory(&format!(r#""server":"{server}","baseDN":"dc=x""#), "");
    for (what, refused, part) in [
        ("no server", directory(r#""baseDN":"dc=x""#, ""), "name the `server`"),
        ("no base", directory(r#""server":"ldaps://a""#, ""), "`baseDN`"),
        ("plain text", at("ldap://ldap.example.com"), "plain text"),
        ("another scheme", at("ldapi:///run/slapd"), "ldaps://HOST:PORT"),
        ("a path", at("ldaps://a/dc=x"), "ldaps://HOST:PORT"),
        ("a user", at("ldaps://a@b"), "ldaps://HOST:PORT"),
        ("no host", at("ldaps://:636"), "ldaps://HOST:PORT"),
        ("a base that is no DN", directory(r#""server":"ldaps://a","baseDN":"example.com""#, ""), "not a DN"),
        ("TLS without verification", with(r#""insecureSkipVerify":true"#), "tlsCaCert"),
        ("a filter for everybody", with(r#""userFilter":"(objectClass=person)""#), "about everybody"),
        ("groups of everybody", with(r#""groupFilter":"(objectClass=group)""#), "about everybody"),
        ("a name without a password", with(r#""bindDN":"cn=svc""#), "bindPassword"),
        ("an empty password", with(r#""bindDN":"cn=svc","bindPassword":"""#), "bindPassword"),
        ("two passwords", with(r#""bindDN":"cn=svc","bindPassword":"a","bindPasswordFile":"b""#), "keep one"),
        ("another kind of nesting", with(r#""nestedGroups":"yes""#), "activeDirectory"),
        ("no time", with(r#""connectionTimeout":"0s""#), "between 1 and 60"),
        ("no connections", with(r#""poolSize":0"#), "between 1 and 100"),
        ("an attribute with a filter in it", with(r#""attributes":{"uid":"uid)(x"}"#), "name of an attribute"),
        ("no attribute", with(r#""attributes":{"uid":""}"#), "name of an attribute"),
        ("a misspelt field", with(r#""groupBaseDn":"dc=x""#), "unknown key"),
        ("a name that is no DN", with(r#""policyMapping":{"groups":{"admins":["all"]}}"#), "not a DN"),
        ("one DN twice", with(r#""policyMapping":{"users":{"uid=a,dc=x":["p"],"UID=A, dc=x":["q"]}}"#), "twice"),
        (
            "two sources of rights",
            directory(&format!(r#"{SERVER},"policyMapping":{{}}"#), r#""roleMapping":{"defaultRole":"R"},"#),
            "keep one of",
        ),
        (
            "a name with a space",
            parse(&format!(r#"{{"providers":[{{"name":"a b","type":"ldap","config":{{{SERVER}}}}}]}}"#)),
            "name of such a provider",
        ),
    ] {
        let refused = refused.expect_err(what);
        assert!(refused.contains(part) && refused.contains("line "), "{what}: {refused}");
    }
}

/// A configuration with a provider of client certificates.
fn certificates(fields: &str, beside: &str) -> Result<IamConfig, String> {
    parse(&format!(r#"{{"providers":[{{"name":"machines","type":"certificate",{beside}"config":{{{fields}}}}}]}}"#))
}

#[test]
fn a_provider_of_client_certificates() {
    let file = r#""clientCaCert":"/etc/ca.pem""#;
    let config = certificates(&format!(r#"{file},"policyClaim":"sub""#), "").unwrap();
    let provider = &config.identity_providers[0];
    assert_eq!(provider.arn, "arn:aws:iam::000000000000:certificate-provider/machines");
    assert_eq!((&*provider.issuer, provider.key_prefix()), ("certificate:machines", "certificate"));
    assert_eq!((provider.has_tokens(), provider.is_directory()), (false, false));
    assert_eq!(config.client_authorities.as_deref(), Some("/etc/ca.pem"));
    let off = certificates(file, r#""enabled":false,"#).unwrap();
    assert_eq!((off.client_authorities, off.identity_providers.len()), (None, 0), "nobody is asked for a certificate");
    let two = format!(
        r#"{{"providers":[{{"name":"a","type":"certificate","config":{{{file}}}}},{{"name":"b","type":"certificate","config":{{{file}}}}}]}}"#
    );
    for (what, refused, part) in [
        ("no authorities", certificates("", ""), "clientCaCert"),
        ("a claim that others write", certificates(&format!(r#"{file},"policyClaim":"ou""#), ""), "`sub`"),
        (
            "two sources of rights",
            certificates(&format!(r#"{file},"policyClaim":"sub""#), r#""roleMapping":{"defaultRole":"R"},"#),
            "keep one of",
        ),
        ("a misspelt field", certificates(&format!(r#"{file},"clientCACert":"x""#), ""), "unknown key"),
        ("two of them", parse(&two), "already"),
        (
            "an issuer that looks like its keys",
            parse(
                r#"{"providers":[{"name":"x","type":"oidc","config":{"issuer":"https://certificate","clientId":"c"}}]}"#,
            ),
            "reserved",
        ),
    ] {
        let refused = refused.expect_err(what);
        assert!(refused.contains(part), "{what}: {refused}");
    }
}

/// A configuration with an identity plugin.
fn plugin(fields: &str, beside: &str) -> Result<IamConfig, String> {
    parse(&format!(r#"{{"providers":[{{"name":"tickets","type":"plugin",{beside}"config":{{{fields}}}}}]}}"#))
}

#[test]
fn an_identity_plugin() {
    let url = r#""url":"https://plugin.example.com/check""#;
    let config = plugin(&format!(r#"{url},"authToken":"Bearer hush","roleId":"a-1","rolePolicy":"read, write""#), "");
    let config = config.unwrap();
    let (provider, settings) = (&config.identity_providers[0], config.plugin.as_ref().unwrap());
    assert_eq!(provider.arn, "arn:aws:iam::000000000000:plugin-provider/tickets");
    assert_eq!((&*provider.issuer, provider.key_prefix()), ("plugin:tickets", "plugin"));
    assert_eq!((provider.is_plugin(), provider.has_tokens(), provider.is_directory()), (true, false, false));
    assert_eq!(provider.rights, ProviderRights::RolePolicy(vec!["read".to_owned(), "write".to_owned()]));
    assert!(!format!("{config:?}").contains("hush"));
    for (arn, is_own) in [
        ("arn:minio:iam:::role/idmp-a-1", true),
        ("arn:minio:iam:us-east-1::role/idmp-a-1", true),
        ("arn:minio:iam:::role/idmp-a-2", false),
        ("arn:minio:iam:::role/a-1", false),
        ("arn:minio:iam:::role/idmp-", false),
        ("arn:minio:iam:x:y::role/idmp-a-1", false),
        ("arn:aws:iam:::role/idmp-a-1", false),
    ] {
        assert_eq!(settings.is_own_role(arn), is_own, "{arn}");
    }
    assert!(!plugin(url, "").unwrap().plugin.unwrap().is_own_role("arn:minio:iam:::role/idmp-"));
    assert!(plugin(url, r#""enabled":false,"#).unwrap().plugin.is_none());
    let role = r#""roleMapping":{"defaultRole":"R"},"#;
    assert!(matches!(plugin(url, role).unwrap().identity_providers[0].rights, ProviderRights::Roles(_)));
    let changed = plugin(&format!(r#"{url},"authToken":"Bearer other","roleId":"a-1","rolePolicy":"read, write""#), "");
    let (_, later) = config.taking_over(&changed.unwrap());
    assert_eq!(later, ["providers of type ldap, certificate or plugin"], "a changed secret waits for a restart");
}

#[test]
fn what_a_plugin_cannot_say() {
    let url = r#""url":"https://plugin.example.com/check""#;
    let two = format!(
        r#"{{"providers":[{{"name":"a","type":"plugin","config":{{{url}}}}},{{"name":"b","type":"plugin","config":{{{url}}}}}]}}"#
    );
    let host = r#"{"providers":[{"name":"x","type":"oidc","config":{"issuer":"https://plugin","clientId":"c"}}]}"#;
    for (what, refused, part) in [
        ("no address", plugin("", ""), "`url`"),
        ("plain HTTP", plugin(r#""url":"http://plugin.example.com/""#, ""), "allowPrivateAddresses"),
        ("another host behind an @", plugin(r#""url":"https://a@b/""#, ""), "nothing else"),
        ("a query", plugin(r#""url":"https://a/?token=x""#, ""), "nothing else"),
        ("two tokens", plugin(&format!(r#"{url},"authToken":"a","authTokenFile":"b""#), ""), "keep one of"),
        ("a token of two lines", plugin(&format!(r#"{url},"authToken":"a\r\nx: y""#), ""), "header"),
        ("a role id with a slash", plugin(&format!(r#"{url},"roleId":"a/b""#), ""), "role id"),
        ("no policy", plugin(&format!(r#"{url},"rolePolicy":" , ""#), ""), "at least one policy"),
        (
            "two sources of rights",
            plugin(&format!(r#"{url},"rolePolicy":"p""#), r#""roleMapping":{"defaultRole":"R"},"#),
            "one source",
        ),
        ("a misspelt field", plugin(&format!(r#"{url},"authtoken":"x""#), ""), "unknown key"),
        ("two of them", parse(&two), "already"),
        ("an issuer that looks like its keys", parse(host), "reserved"),
    ] {
        let refused = refused.expect_err(what);
        assert!(refused.contains(part), "{what}: {refused}");
    }
}
