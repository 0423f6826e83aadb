//! OIDC providers, service accounts, instance profiles, account aliases.

use super::*;
use iam::{IdentityProvider, OidcProvider, ServiceAccount};

const ARN: &str = "OpenIDConnectProviderArn=arn:aws:iam::000000000000:oidc-provider/idp.example.com/realm";

/// A provider of the configuration has its issuer for itself: a stored one would take its place once it is gone.
#[test]
fn an_issuer_of_the_configuration_is_taken() {
    let record = OidcProvider { url: "https://idp.example.com/".into(), ..OidcProvider::default() };
    let configured = IdentityProvider::of_record(&record, AccountId::DEFAULT);
    let settings = Settings { identity_providers: vec![configured.into()], ..Settings::default() };
    let state = Snapshot::new(settings, &iam::Identities::default());
    story_on(
        state,
        &[
            ("CreateOpenIDConnectProvider&Url=https://idp.example.com", "!EntityAlreadyExists"),
            ("CreateOpenIDConnectProvider&Url=https://idp.example.com/other", "="),
        ],
    );
}

#[test]
fn oidc_providers() {
    let thumbprint = "a".repeat(40);
    let long = format!("https://{}.example.com", "a".repeat(250));
    let at = |line: &str| format!("{line}&{ARN}");
    let end = story(&[
        (
            &format!(
                "CreateOpenIDConnectProvider&Url=https://idp.example.com/realm/&ClientIDList.member.1=app&ClientIDList.member.2=app&ThumbprintList.member.1={thumbprint}&Tags.member.1.Key=k&Tags.member.1.Value=v"
            ),
            "=<OpenIDConnectProviderArn>arn:aws:iam::000000000000:oidc-provider/idp.example.com/realm</OpenIDConnectProviderArn><Tags><member><Key>k</Key>",
        ),
        ("CreateOpenIDConnectProvider&Url=https://idp.example.com/realm", "!EntityAlreadyExists"),
        ("CreateOpenIDConnectProvider", "!ValidationError"),
        ("CreateOpenIDConnectProvider&Url=http://idp.example.com", "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https://", "!InvalidInput"),
        // Its claims would be `ldap:groups`, `aws:RequestTag/x:sub`, and what providers of the configuration have.
        ("CreateOpenIDConnectProvider&Url=https://ldap/", "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https://aws:requesttag/x", "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https://oidc/realm", "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https:///realm", "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https://idp.example.com/?x", "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https://IDP.example.com", "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https://idp.example.com/*", "!InvalidInput"),
        (&format!("CreateOpenIDConnectProvider&Url={long}"), "!InvalidInput"),
        ("CreateOpenIDConnectProvider&Url=https://b.example.com&ThumbprintList.member.1=abc", "!InvalidInput"),
        (
            &(String::from("CreateOpenIDConnectProvider&Url=https://b.example.com")
                + &(1..=6).map(|n| format!("&ThumbprintList.member.{n}={thumbprint}")).collect::<String>()),
            "!LimitExceeded",
        ),
        ("CreateOpenIDConnectProvider&Url=https://localhost:8443", "=oidc-provider/localhost:8443<"),
        (
            &at("GetOpenIDConnectProvider"),
            "=<Url>idp.example.com/realm</Url><ClientIDList><member>app</member></ClientIDList><ThumbprintList><member>aaaa",
        ),
        (
            &at("GetOpenIDConnectProvider"),
            "=<CreateDate>2023-11-14T22:13:20Z</CreateDate><Tags><member><Key>k</Key><Value>v",
        ),
        (
            "GetOpenIDConnectProvider&OpenIDConnectProviderArn=arn:aws:iam::000000000000:oidc-provider/other",
            "!NoSuchEntity",
        ),
        (
            "ListOpenIDConnectProviders",
            "=<OpenIDConnectProviderList><member><Arn>arn:aws:iam::000000000000:oidc-provider/idp.example.com/realm</Arn></member>",
        ),
        (&at("AddClientIDToOpenIDConnectProvider&ClientID=web"), "="),
        (&at("AddClientIDToOpenIDConnectProvider&ClientID=web"), "="),
        (&at("AddClientIDToOpenIDConnectProvider"), "!ValidationError"),
        (&at("GetOpenIDConnectProvider"), "=<member>app</member><member>web</member></ClientIDList>"),
        (&at("RemoveClientIDFromOpenIDConnectProvider&ClientID=app"), "="),
        (&at("RemoveClientIDFromOpenIDConnectProvider&ClientID=app"), "="),
        (&at("GetOpenIDConnectProvider"), "=<ClientIDList><member>web</member></ClientIDList>"),
        (&at("UpdateOpenIDConnectProviderThumbprint"), "!ValidationError"),
        (&at("UpdateOpenIDConnectProviderThumbprint&ThumbprintList="), "="),
        (&at("GetOpenIDConnectProvider"), "=<ThumbprintList></ThumbprintList>"),
        (&at("TagOpenIDConnectProvider&Tags.member.1.Key=z&Tags.member.1.Value=1"), "="),
        (&at("TagOpenIDConnectProvider"), "!ValidationError"),
        (&at("UntagOpenIDConnectProvider&TagKeys.member.1=k"), "="),
        (
            &at("ListOpenIDConnectProviderTags"),
            "=<Tags><member><Key>z</Key><Value>1</Value></member></Tags><IsTruncated>false",
        ),
        (&at("DeleteOpenIDConnectProvider"), "="),
        (&at("DeleteOpenIDConnectProvider"), "="),
        (&at("TagOpenIDConnectProvider&Tags.member.1.Key=z&Tags.member.1.Value=1"), "!NoSuchEntity"),
    ]);
    assert_eq!(end.counts().oidc_providers, 1);
}

#[test]
fn the_numbers_of_clients_and_providers_are_limited() {
    let state = run(&start(), "CreateOpenIDConnectProvider&Url=https://idp.example.com/realm").unwrap().0;
    let full = (0..100).fold(state, |state, n| {
        run(&state, &format!("AddClientIDToOpenIDConnectProvider&ClientID=c{n}&{ARN}")).unwrap().0
    });
    let over = run(&full, &format!("AddClientIDToOpenIDConnectProvider&ClientID=c100&{ARN}")).unwrap_err();
    assert_eq!(over.code, "LimitExceeded");
    let full = (1..100).fold(full, |state, n| {
        run(&state, &format!("CreateOpenIDConnectProvider&Url=https://idp{n}.example.com")).unwrap().0
    });
    let over = run(&full, "CreateOpenIDConnectProvider&Url=https://more.example.com").unwrap_err();
    assert_eq!(over.code, "LimitExceeded");
}

/// What belongs to another account does not exist for reading or writing.
#[test]
fn another_account_is_out_of_reach() {
    let arn = "arn:aws:iam::111122223333:oidc-provider/idp.example.com";
    let provider = OidcProvider {
        account: "111122223333".into(),
        arn: arn.into(),
        url: "https://idp.example.com".into(),
        ..OidcProvider::default()
    };
    let profile = iam::InstanceProfile {
        name: "web".into(),
        account: "111122223333".into(),
        path: "/".into(),
        ..Default::default()
    };
    let alias = iam::AccountAlias { account: "111122223333".into(), alias: "reef".into(), ..Default::default() };
    let carol = iam::UserRecord {
        name: "carol".into(),
        account: Some(iam::Account { id: "111122223333".into(), ..Default::default() }),
        ..Default::default()
    };
    let state = start().apply([
        Change::OidcProvider(OidcProvider::file_stem(arn), Some(Ok(provider))),
        Change::InstanceProfile("web".into(), Some(Ok(profile))),
        Change::AccountAlias("111122223333".into(), Some(Ok(alias))),
        Change::User("carol".into(), Some(Ok(carol))),
        Change::ServiceAccount("sa:carol:1".into(), Some(Ok(service_account("sa:carol:1", "carol")))),
    ]);
    for (line, want) in [
        (format!("GetOpenIDConnectProvider&OpenIDConnectProviderArn={arn}"), "!NoSuchEntity"),
        (format!("AddClientIDToOpenIDConnectProvider&ClientID=c&OpenIDConnectProviderArn={arn}"), "!NoSuchEntity"),
        ("ListOpenIDConnectProviders".into(), "=<OpenIDConnectProviderList></OpenIDConnectProviderList>"),
        ("GetInstanceProfile&InstanceProfileName=web".into(), "!NoSuchEntity"),
        ("DeleteInstanceProfile&InstanceProfileName=web".into(), "!NoSuchEntity"),
        ("CreateInstanceProfile&InstanceProfileName=web".into(), "!EntityAlreadyExists"),
        ("ListInstanceProfiles".into(), "=<InstanceProfiles></InstanceProfiles>"),
        ("ListAccountAliases".into(), "=<AccountAliases></AccountAliases>"),
        ("CreateAccountAlias&AccountAlias=reef".into(), "!EntityAlreadyExists"),
        ("DeleteAccountAlias&AccountAlias=reef".into(), "!NoSuchEntity"),
        ("CreateServiceAccount&ParentUser=carol".into(), "!NoSuchEntity"),
        ("GetServiceAccount&ServiceAccountId=sa:carol:1".into(), "!NoSuchEntity"),
        ("DeleteServiceAccount&ServiceAccountId=sa:carol:1".into(), "!NoSuchEntity"),
        ("ListServiceAccounts".into(), "=<ServiceAccounts></ServiceAccounts>"),
        ("GetAccessKeyLastUsed&AccessKeyId=ABIAsa:carol:1".into(), "!NoSuchEntity"),
    ] {
        match (run(&state, &line), want.split_at(1)) {
            (Ok((_, answer)), ("=", part)) => assert!(answer.contains(part), "{line}: {answer}"),
            (Err(error), ("!", code)) => assert_eq!(error.code, code, "{line}"),
            (found, _) => panic!("{line}: {:?}", found.map(|(_, answer)| answer)),
        }
    }
    let (state, _) = run(&state, &format!("DeleteOpenIDConnectProvider&OpenIDConnectProviderArn={arn}")).unwrap();
    assert!(state.oidc_provider(arn).is_some());
}

fn service_account(id: &str, user: &str) -> ServiceAccount {
    let key = id.replace(':', "");
    let text =
        format!(r#"{{"id":"{id}","parent_user":"{user}","credential":{{"access_key":"ABIA{key}","secret_key":"s"}}}}"#);
    ServiceAccount::parse(&text, Facts::default()).unwrap()
}

fn id_in(answer: &str) -> String {
    answer.split("<ServiceAccountId>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

#[test]
fn service_accounts() {
    let state = story(&[
        ("CreateUser&UserName=al", "="),
        ("CreateServiceAccount", "!InvalidInput"),
        ("CreateServiceAccount&ParentUser=nobody", "!NoSuchEntity"),
        ("CreateServiceAccount&ParentUser=a/b", "!ValidationError"),
        ("CreateServiceAccount&ParentUser=al&Expiration=soon", "!InvalidInput"),
        ("CreateServiceAccount&ParentUser=al&Expiration=1700000000", "!InvalidInput"),
        (&format!("CreateServiceAccount&ParentUser=al&Description={}", "x".repeat(1001)), "!InvalidInput"),
        ("GetServiceAccount", "!InvalidInput"),
        ("GetServiceAccount&ServiceAccountId=bad", "!NoSuchEntity"),
        ("DeleteServiceAccount&ServiceAccountId=sa:al:1", "!NoSuchEntity"),
    ]);
    let (state, answer) =
        run(&state, "CreateServiceAccount&ParentUser=al&Description=for ci&Expiration=1700003600").unwrap();
    let id = id_in(&answer);
    assert!(id.starts_with("sa:al:") && id.len() == "sa:al:".len() + 32, "{id}");
    for part in [
        "<ServiceAccount><ServiceAccountId>",
        "<ParentUser>al</ParentUser><Description>for ci</Description><AccessKeyId>ABIA",
        "</AccessKeyId><SecretAccessKey>",
        "<Status>Active</Status><Expiration>2023-11-14T23:13:20Z</Expiration><CreateDate>2023-11-14T22:13:20Z</CreateDate></ServiceAccount>",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert_eq!(state.user("al").unwrap().record.service_account_ids, [id.as_str()]);
    let account = state.service_account(&id).unwrap();
    assert_eq!((account.created_by.as_str(), account.expires_s), ("boss", 1_700_003_600));
    let key = account.credential.as_ref().unwrap().access_key.clone();
    let holder = state.access_key(&key).unwrap();
    assert_eq!((&*holder.user.name, holder.refusal(1_700_000_000)), ("al", None));
    assert!(holder.refusal(1_700_003_600).is_some());
    let at = |state: &Snapshot, line: &str| run(state, &format!("{line}&ServiceAccountId={id}"));
    let answer = at(&state, "GetServiceAccount").unwrap().1;
    assert!(!answer.contains("Secret") && answer.contains("<Status>Active"), "{answer}");
    assert!(run(&state, "ListServiceAccounts&ParentUser=al").unwrap().1.contains(&id));
    assert!(!run(&state, "ListServiceAccounts&ParentUser=bo").unwrap().1.contains(&id));
    assert_eq!(run(&state, "DeleteUser&UserName=al").unwrap_err().code, "DeleteConflict");
    assert_eq!(at(&state, "UpdateServiceAccount&Status=Off").unwrap_err().code, "InvalidInput");
    assert_eq!(at(&state, "UpdateServiceAccount&Expiration=1").unwrap_err().code, "InvalidInput");
    let state = at(&state, "UpdateServiceAccount&Status=Inactive").unwrap().0;
    assert!(state.access_key(&key).unwrap().refusal(1_700_000_000).is_some());
    for longer in ["0", "1700003601", "1700009999"] {
        let line = format!("UpdateServiceAccount&Status=Active&Expiration={longer}");
        assert_eq!(at(&state, &line).unwrap_err().code, "InvalidInput", "the key may have signed this: {longer}");
    }
    let sooner = at(&state, "UpdateServiceAccount&Status=Active&Expiration=1700000060&Description=").unwrap().0;
    let answer = at(&sooner, "GetServiceAccount").unwrap().1;
    assert!(!answer.contains("Description") && answer.contains("<Expiration>2023-11-14T22:14:20Z<"), "{answer}");
    let refusal = |now_s: i64| sooner.access_key(&key).unwrap().refusal(now_s);
    assert!(refusal(1_700_000_059).is_none() && refusal(1_700_000_060).is_some());
    let state = at(&state, "DeleteServiceAccount").unwrap().0;
    assert!(state.access_key(&key).is_none() && state.user("al").unwrap().record.service_account_ids.is_empty());
    run(&state, "DeleteUser&UserName=al").unwrap();
}

#[test]
fn service_accounts_stay_with_their_user() {
    let state = run(&start(), "CreateUser&UserName=al").unwrap().0;
    // The id and the document name different users, so a change would not affect what was authorised.
    let state = state.apply([
        Change::ServiceAccount("sa:al:1".into(), Some(Ok(service_account("sa:al:1", "boss")))),
        Change::ServiceAccount("sa:cy:1".into(), Some(Ok(service_account("sa:cy:1", "cy")))),
    ]);
    assert_eq!(run(&state, "GetServiceAccount&ServiceAccountId=sa:al:1").unwrap_err().code, "NoSuchEntity");
    // Users of the identities file have service accounts too, as in SeaweedFS, and their entry stays unchanged.
    let (state, answer) = run(&state, "CreateServiceAccount&ParentUser=boss").unwrap();
    assert!(state.service_account(&id_in(&answer)).is_some());
    assert!(state.user("boss").unwrap().record.service_account_ids.is_empty());
    // What a DeleteUser left behind does not pass to a new user with the name.
    let (state, _) = run(&state, "CreateUser&UserName=cy").unwrap();
    assert!(state.service_account("sa:cy:1").is_none());
    let state = (0..100).fold(state, |state, n| {
        let id: Arc<str> = format!("sa:al:x{n}").into();
        state.apply([Change::ServiceAccount(id.clone(), Some(Ok(service_account(&id, "al"))))])
    });
    assert_eq!(run(&state, "CreateServiceAccount&ParentUser=al").unwrap_err().code, "LimitExceeded");
}

/// It is safe to stop after each change of a command. The test tries this in the order in which changes are written.
#[test]
fn a_crash_between_two_steps_leaves_no_extra_key() {
    let state = run(&start(), "CreateUser&UserName=al").unwrap().0;
    let created = outcome(&state, "CreateServiceAccount&ParentUser=al").unwrap().changes;
    assert!(matches!(created[..], [Change::User(..), Change::ServiceAccount(..)]));
    let cut = state.apply(created[..1].iter().cloned());
    assert_eq!(cut.counts().service_accounts, 0);
    // The next account of the user is added next to the id that names nothing. Deleting it cleans up the list.
    let (next, answer) = run(&cut, "CreateServiceAccount&ParentUser=al&x=other").unwrap();
    let line = format!("DeleteServiceAccount&ServiceAccountId={}", id_in(&answer));
    let deleted = outcome(&next, &line).unwrap().changes;
    assert!(matches!(deleted[..], [Change::ServiceAccount(..), Change::User(..)]));
    assert_eq!(next.apply(deleted[..1].iter().cloned()).counts().keys, 1, "the key is removed first");
    assert!(next.apply(deleted).user("al").unwrap().record.service_account_ids.is_empty());
    run(&cut, "DeleteUser&UserName=al").unwrap();
}

#[test]
fn instance_profiles() {
    let end = story(&[
        (&format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}"), "="),
        (
            "CreateInstanceProfile&InstanceProfileName=web&Path=/team/&Tags.member.1.Key=k&Tags.member.1.Value=v",
            "=<InstanceProfile><Path>/team/</Path><InstanceProfileName>web</InstanceProfileName><InstanceProfileId>AIPA",
        ),
        ("CreateInstanceProfile&InstanceProfileName=web", "!EntityAlreadyExists"),
        ("CreateInstanceProfile&InstanceProfileName=Web", "!EntityAlreadyExists"),
        ("CreateInstanceProfile&InstanceProfileName=a/b", "!ValidationError"),
        ("AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=nobody", "!NoSuchEntity"),
        ("AddRoleToInstanceProfile&InstanceProfileName=none&RoleName=R", "!NoSuchEntity"),
        ("AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R", "="),
        ("AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R", "!LimitExceeded"),
        (
            "GetInstanceProfile&InstanceProfileName=web",
            "=<Arn>arn:aws:iam::000000000000:instance-profile/team/web</Arn><CreateDate>2023-11-14T22:13:20Z</CreateDate><Roles><member><Path>/</Path><RoleName>R<",
        ),
        (
            "GetInstanceProfile&InstanceProfileName=web",
            "=</Roles><Tags><member><Key>k</Key><Value>v</Value></member></Tags>",
        ),
        ("ListInstanceProfiles&PathPrefix=/team/", "=<InstanceProfileName>web</InstanceProfileName>"),
        ("ListInstanceProfiles&PathPrefix=other", "!ValidationError"),
        ("ListInstanceProfiles&PathPrefix=/other/", "=<InstanceProfiles></InstanceProfiles>"),
        ("ListInstanceProfilesForRole&RoleName=R", "=<InstanceProfileName>web</InstanceProfileName>"),
        ("ListInstanceProfilesForRole&RoleName=none", "!NoSuchEntity"),
        ("DeleteRole&RoleName=R", "!DeleteConflict"),
        ("DeleteInstanceProfile&InstanceProfileName=web", "!DeleteConflict"),
        ("TagInstanceProfile&InstanceProfileName=web&Tags.member.1.Key=z&Tags.member.1.Value=1", "="),
        ("UntagInstanceProfile&InstanceProfileName=web&TagKeys.member.1=k", "="),
        (
            "ListInstanceProfileTags&InstanceProfileName=web",
            "=<Tags><member><Key>z</Key><Value>1</Value></member></Tags>",
        ),
        ("RemoveRoleFromInstanceProfile&InstanceProfileName=web&RoleName=R", "="),
        ("RemoveRoleFromInstanceProfile&InstanceProfileName=web&RoleName=R", "!NoSuchEntity"),
        ("DeleteRole&RoleName=R", "="),
        ("DeleteInstanceProfile&InstanceProfileName=web", "="),
        ("DeleteInstanceProfile&InstanceProfileName=web", "!NoSuchEntity"),
    ]);
    assert_eq!(end.counts().instance_profiles, 0);
}

#[test]
fn account_aliases() {
    story(&[
        ("ListAccountAliases", "=<AccountAliases></AccountAliases><IsTruncated>false</IsTruncated>"),
        ("CreateAccountAlias", "!ValidationError"),
        ("CreateAccountAlias&AccountAlias=ab", "!ValidationError"),
        ("CreateAccountAlias&AccountAlias=Reef", "!ValidationError"),
        ("CreateAccountAlias&AccountAlias=-reef", "!ValidationError"),
        ("CreateAccountAlias&AccountAlias=re--ef", "!ValidationError"),
        ("CreateAccountAlias&AccountAlias=123456789012", "!ValidationError"),
        ("CreateAccountAlias&AccountAlias=reef", "="),
        ("CreateAccountAlias&AccountAlias=reef", "!EntityAlreadyExists"),
        ("CreateAccountAlias&AccountAlias=kelp", "="),
        ("ListAccountAliases", "=<AccountAliases><member>kelp</member></AccountAliases>"),
        ("DeleteAccountAlias&AccountAlias=reef", "!NoSuchEntity"),
        ("DeleteAccountAlias&AccountAlias=kelp", "="),
        ("DeleteAccountAlias&AccountAlias=kelp", "!NoSuchEntity"),
    ]);
}

#[test]
fn revoking_sessions() {
    let state = run(&start(), "CreateUser&UserName=zoe").unwrap().0;
    let state = run(&state, "CreateOpenIDConnectProvider&Url=https://idp.example.com/realm").unwrap().0;
    let issuer = "000000000000 https://idp.example.com/realm";
    for (line, wanted) in [
        ("RevokeSessions&UserName=zoe", "=<Target>user:AIDA"),
        (
            &format!("RevokeSessions&Provider={}", ARN.split('=').nth(1).unwrap()),
            &format!("=<Target>provider:{issuer}<"),
        ),
        (
            "RevokeSessions&Provider=https://idp.example.com/realm/&Subject=a b",
            &format!("=<Target>subject:{issuer} a b<"),
        ),
        (&format!("RevokeSessions&SessionId={}", "0f".repeat(16)), "=<Target>session:000000000000 0f0f"),
        ("RevokeSessions&UserName=zoe&OlderThan=2023-11-14T22:13:20Z", "=<IssuedUntil>2023-11-14T22:13:20.999Z<"),
        ("RevokeSessions&UserName=zoe&OlderThan=2023-11-14T22:13:21Z", "!ValidationError"),
        ("RevokeSessions&UserName=zoe&OlderThan=now", "!ValidationError"),
        ("RevokeSessions", "!ValidationError"),
        ("RevokeSessions&UserName=zoe&RoleName=nobody", "!ValidationError"),
        ("RevokeSessions&UserName=zoe&Subject=x", "!ValidationError"),
        ("RevokeSessions&UserName=nobody", "!NoSuchEntity"),
        ("RevokeSessions&RoleName=nobody", "!NoSuchEntity"),
        ("RevokeSessions&Provider=https://idp.example.com", "!NoSuchEntity"),
        ("RevokeSessions&SessionId=0F", "!ValidationError"),
    ] {
        match (run(&state, line), wanted.split_at(1)) {
            (Ok((_, answer)), ("=", part)) => assert!(answer.contains(part), "{line}: {answer}"),
            (Err(error), ("!", code)) => assert_eq!(error.code, code, "{line}: {error}"),
            (other, _) => panic!("{line}: {:?}", other.map(|(_, answer)| answer)),
        }
    }
}

#[test]
fn a_later_revocation_never_gives_back() {
    let state = run(&start(), "CreateUser&UserName=zoe").unwrap().0;
    let now = run(&state, "RevokeSessions&UserName=zoe").unwrap();
    assert!(now.1.contains("<IssuedUntil>2023-11-14T22:13:30Z<"), "ten seconds for clocks that are ahead: {}", now.1);
    let again = run(&now.0, "RevokeSessions&UserName=zoe&OlderThan=2020-01-01T00:00:00Z").unwrap();
    assert!(again.1.contains("<IssuedUntil>2023-11-14T22:13:30Z<"), "{}", again.1);
    assert_eq!(again.0.revocations().count(), 1);
    let listed = run(&again.0, "ListSessionRevocations").unwrap().1;
    assert!(listed.contains("<member><Target>user:AIDA") && listed.contains("<RevokedBy>"), "{listed}");
}
