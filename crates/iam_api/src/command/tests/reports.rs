//! ListEntitiesForPolicy, GetAccountSummary, GetAccountAuthorizationDetails, the credential report, last uses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use iam::Use;

fn peopled() -> Snapshot {
    let policy = format!("PolicyDocument={GET}");
    let arn = "PolicyArn=arn:aws:iam::000000000000:policy/P";
    story(&[
        (&format!("CreatePolicy&PolicyName=P&{policy}"), "="),
        ("CreateUser&UserName=al&Path=/team/", "="),
        ("CreateUser&UserName=bo,1", "="),
        ("CreateGroup&GroupName=g", "="),
        (&format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}"), "="),
        (&format!("AttachUserPolicy&UserName=al&{arn}"), "="),
        (&format!("AttachUserPolicy&UserName=bo,1&{arn}"), "="),
        (&format!("AttachGroupPolicy&GroupName=g&{arn}"), "="),
        (&format!("AttachRolePolicy&RoleName=R&{arn}"), "="),
        ("CreateAccessKey&UserName=al", "="),
    ])
}

#[test]
fn entities_of_a_policy() {
    let state = peopled();
    let bounded = iam::UserRecord {
        name: "cy".into(),
        boundary: Some("arn:aws:iam::000000000000:policy/P".into()),
        ..Default::default()
    };
    let state = state.apply([Change::User("cy".into(), Some(Ok(bounded)))]);
    let ask = |more: &str| {
        run(&state, &format!("ListEntitiesForPolicy&PolicyArn=arn:aws:iam::000000000000:policy/P{more}"))
            .map(|found| found.1)
    };
    let names = |answer: &str| -> Vec<String> {
        let parts = answer.split("Name>").skip(1).step_by(2);
        parts.map(|part| part.trim_end_matches(|c| "</UserGopRl".contains(c)).to_owned()).collect()
    };
    let all = ask("").unwrap();
    assert!(all.starts_with("<PolicyGroups><member><GroupName>g</GroupName><GroupId>AGPA"), "{all}");
    for (more, count) in [
        ("", 5),
        ("&EntityFilter=User", 3),
        ("&EntityFilter=Group", 1),
        ("&EntityFilter=Role", 1),
        ("&EntityFilter=LocalManagedPolicy", 0),
        ("&PathPrefix=/team/", 1),
        ("&PolicyUsageFilter=PermissionsBoundary", 1),
        ("&PolicyUsageFilter=PermissionsPolicy", 4),
        ("&EntityFilter=User&PolicyUsageFilter=PermissionsPolicy", 2),
    ] {
        let answer = ask(more).unwrap();
        assert_eq!(names(&answer).len(), count, "{more}: {answer}");
        assert!(answer.ends_with("<IsTruncated>false</IsTruncated>"), "{answer}");
    }
    // Page by page, each entity occurs once, whatever its list.
    let (mut marker, mut seen) = (String::new(), 0);
    loop {
        let answer = ask(&format!("&MaxItems=2&Marker={marker}")).unwrap();
        seen += names(&answer).len();
        let Some((_, rest)) = answer.split_once("<Marker>") else { break };
        marker = rest.trim_end_matches("</Marker>").to_owned();
    }
    assert_eq!(seen, 5);
    assert_eq!(ask("&EntityFilter=Robot").unwrap_err().code, "ValidationError");
    assert_eq!(ask("&PolicyUsageFilter=Both").unwrap_err().code, "ValidationError");
    assert_eq!(ask("none").unwrap_err().code, "NoSuchEntity");
}

#[test]
fn the_summary_counts_the_entities_of_the_account() {
    let answer = run(&peopled(), "GetAccountSummary").unwrap().1;
    for (key, value) in [
        ("Users", 3),
        ("Groups", 1),
        ("Roles", 1),
        ("Policies", 1),
        ("PolicyVersionsInUse", 1),
        ("Providers", 0),
        ("AccessKeysPerUserQuota", 2),
        ("VersionsPerPolicyQuota", 5),
        ("UsersQuota", 5000),
    ] {
        let entry = format!("<entry><key>{key}</key><value>{value}</value></entry>");
        assert!(answer.contains(&entry), "{entry}: {answer}");
    }
}

#[test]
fn the_credential_report_has_a_row_for_root_and_each_user() {
    let state = peopled();
    let key = state.user("al").unwrap().record.credentials[0].access_key.clone();
    let used = Use { at_s: 1_700_000_040, service: "s3".into(), region: "us-east-1".into(), session: None };
    let last_used: LastUsed = [(key.as_str().into(), used)].into_iter().collect();
    assert!(run(&state, "GenerateCredentialReport").unwrap().1.starts_with("<State>COMPLETE</State>"));
    let answer = run_with(&state, "GetCredentialReport", &last_used).unwrap().1;
    assert!(
        answer.ends_with("<ReportFormat>text/csv</ReportFormat><GeneratedTime>2023-11-14T22:13:20Z</GeneratedTime>")
    );
    let content = answer.strip_prefix("<Content>").unwrap().split('<').next().unwrap();
    let report = String::from_utf8(STANDARD.decode(content).unwrap()).unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0].split(',').count(), 24);
    assert!(lines[1].starts_with("<root_account>,arn:aws:iam::000000000000:root,N/A,not_supported,"), "{}", lines[1]);
    assert_eq!(
        lines[2],
        "al,arn:aws:iam::000000000000:user/team/al,2023-11-14T22:13:20+00:00,FALSE,N/A,N/A,N/A,FALSE,\
         TRUE,2023-11-14T22:13:20+00:00,2023-11-14T22:14:00+00:00,us-east-1,s3,FALSE,N/A,N/A,N/A,N/A,FALSE,N/A,FALSE,N/A,N/A,N/A"
    );
    assert!(lines[3].starts_with("\"bo,1\",\"arn:aws:iam::000000000000:user/bo,1\","), "{}", lines[3]);
}

#[test]
fn last_uses_of_keys_and_roles() {
    let state = peopled();
    let key = state.user("al").unwrap().record.credentials[0].access_key.clone();
    let role = state.role("R").unwrap().id.clone();
    let line = format!("GetAccessKeyLastUsed&AccessKeyId={key}");
    let never = run(&state, &line).unwrap().1;
    assert_eq!(
        never,
        "<UserName>al</UserName><AccessKeyLastUsed><ServiceName>N/A</ServiceName><Region>N/A</Region></AccessKeyLastUsed>"
    );
    let used = |service: &str| Use { at_s: 60, service: service.into(), region: "eu-west-1".into(), session: None };
    let last_used: LastUsed = [(key.as_str().into(), used("iam")), (role, used("s3"))].into_iter().collect();
    let answer = run_with(&state, &line, &last_used).unwrap().1;
    assert!(
        answer.contains(
            "<LastUsedDate>1970-01-01T00:01:00Z</LastUsedDate><ServiceName>iam</ServiceName><Region>eu-west-1"
        )
    );
    let answer = run_with(&state, "GetRole&RoleName=R", &last_used).unwrap().1;
    let wanted =
        "<RoleLastUsed><LastUsedDate>1970-01-01T00:01:00Z</LastUsedDate><Region>eu-west-1</Region></RoleLastUsed>";
    assert!(answer.contains(wanted), "{answer}");
    assert!(run(&state, "GetRole&RoleName=R").unwrap().1.contains("<RoleLastUsed></RoleLastUsed>"));
    for (line, code) in
        [("GetAccessKeyLastUsed", "ValidationError"), ("GetAccessKeyLastUsed&AccessKeyId=AKNO", "NoSuchEntity")]
    {
        assert_eq!(run(&state, line).unwrap_err().code, code);
    }
}

#[test]
fn authorization_details_contain_the_whole_account() {
    let state = story_on(
        peopled(),
        &[
            (&format!("PutUserPolicy&UserName=al&PolicyName=I&PolicyDocument={GET}"), "="),
            (&format!("PutGroupPolicy&GroupName=g&PolicyName=I&PolicyDocument={GET}"), "="),
            (&format!("PutRolePolicy&RoleName=R&PolicyName=I&PolicyDocument={GET}"), "="),
            ("AddUserToGroup&GroupName=g&UserName=al", "="),
            ("CreateInstanceProfile&InstanceProfileName=web", "="),
            ("AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R", "="),
        ],
    );
    let ask = |more: &str| run(&state, &format!("GetAccountAuthorizationDetails{more}")).map(|found| found.1);
    let all = ask("").unwrap();
    let inline = "<member><PolicyName>I</PolicyName><PolicyDocument>%7B%22Version%22";
    let attached =
        "<AttachedManagedPolicies><member><PolicyName>P</PolicyName><PolicyArn>arn:aws:iam::000000000000:policy/P<";
    for part in [
        "<UserDetailList><member><Path>/team/</Path><UserName>al</UserName>",
        &format!("<UserPolicyList>{inline}"),
        "<GroupList><member>g</member></GroupList>",
        "<GroupDetailList><member><Path>/</Path><GroupName>g</GroupName>",
        &format!("<GroupPolicyList>{inline}"),
        "<RoleDetailList><member><Path>/</Path><RoleName>R</RoleName>",
        "<InstanceProfileList><member><Path>/</Path><InstanceProfileName>web</InstanceProfileName>",
        &format!("<RolePolicyList>{inline}"),
        "<RoleLastUsed></RoleLastUsed>",
        "<Policies><member><PolicyName>P</PolicyName>",
        "<PolicyVersionList><member><Document>%7B",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert_eq!(all.matches(attached).count(), 4);
    assert!(all.ends_with("<IsTruncated>false</IsTruncated>") && !all.contains("<UserName>root"));
    for (filter, users, policies) in [
        ("&Filter.member.1=User", 3, 0),
        ("&Filter.member.1=LocalManagedPolicy", 0, 1),
        ("&Filter.member.1=User&Filter.member.2=LocalManagedPolicy", 3, 1),
        ("&Filter.member.1=AWSManagedPolicy", 0, 0),
    ] {
        let answer = ask(filter).unwrap();
        assert_eq!(answer.matches("<UserPolicyList>").count(), users, "{filter}");
        assert_eq!(answer.matches("<PolicyVersionList>").count(), policies, "{filter}");
    }
    assert_eq!(ask("&Filter.member.1=Robot").unwrap_err().code, "ValidationError");
    // Page by page, every entity occurs once.
    let (mut marker, mut seen) = (String::new(), 0);
    loop {
        let answer = ask(&format!("&MaxItems=1&Marker={marker}")).unwrap();
        seen += ["<UserPolicyList>", "<GroupPolicyList>", "<RolePolicyList>", "<PolicyVersionList>"]
            .iter()
            .map(|list| answer.matches(list).count())
            .sum::<usize>();
        let Some((_, rest)) = answer.split_once("<Marker>") else { break };
        marker = rest.trim_end_matches("</Marker>").to_owned();
    }
    assert_eq!(seen, 6);
}
