//! The managed policies of AWS, as the API shows them and lets them be attached.

use super::*;

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

#[test]
fn they_are_attached_and_shown_like_any_other() {
    let attached = format!(
        "=<AttachedPolicies><member><PolicyName>AmazonS3ReadOnlyAccess</PolicyName><PolicyArn>{READ_ONLY}</PolicyArn></member>"
    );
    let bounded = format!("=<PermissionsBoundaryArn>{READ_ONLY}<");
    let end = story(&[
        ("CreateUser&UserName=al", "=al"),
        ("CreateGroup&GroupName=g", "=g"),
        (&format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}"), "=R"),
        (&format!("AttachUserPolicy&UserName=al&PolicyArn={READ_ONLY}"), "="),
        (&format!("AttachUserPolicy&UserName=al&PolicyArn={READ_ONLY}"), "="),
        (&format!("AttachGroupPolicy&GroupName=g&PolicyArn={READ_ONLY}"), "="),
        (&format!("AttachRolePolicy&RoleName=R&PolicyArn={READ_ONLY}"), "="),
        (&format!("PutUserPermissionsBoundary&UserName=al&PermissionsBoundary={READ_ONLY}"), "="),
        ("ListAttachedUserPolicies&UserName=al", &attached),
        ("ListAttachedGroupPolicies&GroupName=g", &attached),
        ("ListAttachedRolePolicies&RoleName=R&PathPrefix=/", &attached),
        ("GetUser&UserName=al", &bounded),
        (&format!("GetPolicy&PolicyArn={READ_ONLY}"), "=<Path>/</Path><DefaultVersionId>v1<"),
        (&format!("GetPolicy&PolicyArn={READ_ONLY}"), "=<AttachmentCount>3<"),
        (&format!("GetPolicyVersion&VersionId=v1&PolicyArn={READ_ONLY}"), "=s3%3AGet%2A"),
        (&format!("ListPolicyVersions&PolicyArn={READ_ONLY}"), "=<VersionId>v1</VersionId><IsDefaultVersion>true<"),
        (&format!("ListEntitiesForPolicy&PolicyArn={READ_ONLY}"), "=<RoleName>R<"),
        ("GetAccountAuthorizationDetails&Filter.member.1=AWSManagedPolicy", "=<PolicyName>AmazonS3ReadOnlyAccess<"),
        ("GetAccountSummary", "=<key>Policies</key><value>0<"),
        (&format!("DetachGroupPolicy&GroupName=g&PolicyArn={READ_ONLY}"), "="),
        (&format!("DetachGroupPolicy&GroupName=g&PolicyArn={READ_ONLY}"), "!NoSuchEntity"),
        ("DeleteUserPermissionsBoundary&UserName=al", "="),
    ]);
    let own = caller("boss").account;
    assert_eq!((end.attachment_count(READ_ONLY, own), end.boundary_count(READ_ONLY, own)), (2, 0));
}

#[test]
fn other_accounts_do_not_see_who_has_them() {
    let state = story(&[
        ("CreateUser&UserName=al", "="),
        (&format!("AttachUserPolicy&UserName=al&PolicyArn={READ_ONLY}"), "="),
        (&format!("PutUserPermissionsBoundary&UserName=al&PermissionsBoundary={READ_ONLY}"), "="),
    ]);
    let other = Caller { account: "111122223333".parse().unwrap(), ..caller("boss") };
    for (line, own, others) in [
        (&*format!("GetPolicy&PolicyArn={READ_ONLY}"), "<AttachmentCount>1<", "<AttachmentCount>0<"),
        (
            &*format!("GetPolicy&PolicyArn={READ_ONLY}"),
            "<PermissionsBoundaryUsageCount>1<",
            "<PermissionsBoundaryUsageCount>0<",
        ),
        ("ListPolicies&OnlyAttached=true", "AmazonS3ReadOnlyAccess<", "<Policies></Policies>"),
        ("ListPolicies&PolicyUsageFilter=PermissionsBoundary", "AmazonS3ReadOnlyAccess<", "<Policies></Policies>"),
        (
            "GetAccountAuthorizationDetails&Filter.member.1=AWSManagedPolicy",
            "AmazonS3ReadOnlyAccess<",
            "<Policies></Policies>",
        ),
    ] {
        for (caller, want) in [(&caller("boss"), own), (&other, others)] {
            let (_, answer) = run_as(caller, &state, line).unwrap();
            assert!(answer.contains(want), "{line}: {want}: {answer}");
        }
    }
}

#[test]
fn scopes_of_a_list() {
    let state = story(&[
        (
            &format!("CreatePolicy&PolicyName=AmazonS3ReadOnlyAccess&PolicyDocument={GET}"),
            "=:policy/AmazonS3ReadOnlyAccess<",
        ),
        (&format!("CreatePolicy&PolicyName=zebra&PolicyDocument={GET}"), "=zebra"),
        ("CreateUser&UserName=al", "="),
        (&format!("AttachUserPolicy&UserName=al&PolicyArn={READ_ONLY}"), "="),
    ]);
    for (query, want) in [
        ("", 7),
        ("&Scope=All", 7),
        ("&Scope=AWS", 5),
        ("&Scope=Local", 2),
        ("&Scope=AWS&OnlyAttached=true", 1),
        ("&Scope=Local&OnlyAttached=true", 0),
        ("&PathPrefix=/job-function/", 0),
    ] {
        let (_, answer) = run(&state, &format!("ListPolicies{query}")).unwrap();
        assert_eq!(answer.matches("<PolicyName>").count(), want, "{query}: {answer}");
    }
    // Page by page, every policy occurs once.
    let (mut marker, mut seen) = (String::new(), 0);
    loop {
        let (_, answer) = run(&state, &format!("ListPolicies&MaxItems=1&Marker={marker}")).unwrap();
        seen += answer.matches("<PolicyName>").count();
        let Some((_, rest)) = answer.split_once("<Marker>") else { break };
        marker = rest.trim_end_matches("</Marker>").to_owned();
    }
    assert_eq!(seen, 7);
}

#[test]
fn nobody_changes_them() {
    for line in [
        "DeletePolicy".to_owned(),
        format!("CreatePolicyVersion&SetAsDefault=true&PolicyDocument={GET}"),
        "SetDefaultPolicyVersion&VersionId=v1".to_owned(),
        "DeletePolicyVersion&VersionId=v1".to_owned(),
        "TagPolicy&Tags.member.1.Key=a&Tags.member.1.Value=b".to_owned(),
        "UntagPolicy&TagKeys.member.1=a".to_owned(),
    ] {
        story(&[(&format!("{line}&PolicyArn={READ_ONLY}"), "!AccessDenied")]);
    }
    let names = ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "aws:policy/AmazonS3ReadOnlyAccess"];
    for name in names {
        story(&[(&format!("CreatePolicy&PolicyName={name}&PolicyDocument={GET}"), "!ValidationError")]);
    }
}

#[test]
fn other_spellings_name_other_policies() {
    for arn in [
        "arn:aws:iam::aws:policy/amazons3readonlyaccess",
        "arn:aws:iam::aws:policy//AmazonS3ReadOnlyAccess",
        "arn:aws:iam::aws:policy/PowerUserAccess",
        "arn:aws:iam::000000000000:policy/AmazonS3ReadOnlyAccess",
    ] {
        let attach = format!("AttachUserPolicy&UserName=al&PolicyArn={arn}");
        story(&[("CreateUser&UserName=al", "="), (&attach, "!NoSuchEntity")]);
    }
    let attach = "AttachUserPolicy&UserName=al&PolicyArn=AmazonS3ReadOnlyAccess";
    story(&[("CreateUser&UserName=al", "="), (attach, "!InvalidInput")]);
}
