//! The answers of commands, byte by byte. What a report contains is in `reports.rs`.

use super::parameters::{line_of, peopled};
use super::*;

/// What stands for longer texts below.
const WORDS: [(&str, &str); 7] = [
    ("$OURS", "arn:aws:iam::000000000000:"),
    ("$END", "<IsTruncated>false</IsTruncated>"),
    ("$TAG", "<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"),
    (
        "$BOUNDARY",
        "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>arn:aws:iam::000000000000:policy/P</PermissionsBoundaryArn></PermissionsBoundary>",
    ),
    ("$DATE", "<CreateDate>2023-11-14T22:13:20Z</CreateDate>"),
    (
        "$TRUST",
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22%2A%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D",
    ),
    (
        "$GET",
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D",
    ),
];

/// The result of a command, without the element that is named after it.
const RESULTS: &[(&str, &str)] = &[
    (
        "CreateUser",
        "<User><Path>/a/</Path><UserName>zoe</UserName><UserId>AIDABADCFEHGJILKNMPOR</UserId><Arn>\
         $OURSuser/a/zoe</Arn>$DATE$BOUNDARY$TAG</User>",
    ),
    (
        "GetUser",
        "<User><Path>/</Path><UserName>al</UserName><UserId>AIDAWXUVSTQR674523YZG</UserId><Arn>\
         $OURSuser/al</Arn>$DATE$BOUNDARY</User>",
    ),
    (
        "ListUsers",
        "<Users><member><Path>/</Path><UserName>al</UserName><UserId>AIDAWXUVSTQR674523YZG</UserId><Arn>\
         $OURSuser/al</Arn>$DATE</member><member><Path>/</Path><UserName>boss</UserName>\
         <UserId>AIDA73XRW24TCRIP3XSWB</UserId><Arn>$OURSuser/boss</Arn><CreateDate>1970-01-01T00:00:00Z\
         </CreateDate></member><member><Path>/</Path><UserName>free</UserName><UserId>AIDAYZ234567QRSTUVWXI\
         </UserId><Arn>$OURSuser/free</Arn>$DATE</member><member><Path>/</Path><UserName>keyless</UserName>\
         <UserId>AIDA32ZY7654TSRQXWVUL</UserId><Arn>$OURSuser/keyless</Arn>$DATE</member></Users>$END",
    ),
    (
        "CreateAccessKey",
        "<AccessKey><UserName>keyless</UserName><AccessKeyId>AKIAABCDEFGHIJKLMNOP</AccessKeyId>\
         <Status>Active</Status><SecretAccessKey>ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefijklmnop</SecretAccessKey>\
         $DATE</AccessKey>",
    ),
    (
        "ListAccessKeys",
        "<UserName>al</UserName><AccessKeyMetadata><member><UserName>al</UserName>\
         <AccessKeyId>AKIA32ZY7654TSRQXWVU</AccessKeyId><Status>Active</Status>$DATE</member>\
         </AccessKeyMetadata>$END",
    ),
    (
        "GetAccessKeyLastUsed",
        "<UserName>al</UserName><AccessKeyLastUsed><ServiceName>N/A</ServiceName><Region>N/A</Region>\
         </AccessKeyLastUsed>",
    ),
    ("GetUserPolicy", "<UserName>al</UserName><PolicyName>I</PolicyName><PolicyDocument>$GET</PolicyDocument>"),
    ("ListUserPolicies", "<PolicyNames><member>I</member></PolicyNames>$END"),
    ("GetGroupPolicy", "<GroupName>g</GroupName><PolicyName>I</PolicyName><PolicyDocument>$GET</PolicyDocument>"),
    ("ListGroupPolicies", "<PolicyNames><member>I</member></PolicyNames>$END"),
    ("GetRolePolicy", "<RoleName>R</RoleName><PolicyName>I</PolicyName><PolicyDocument>$GET</PolicyDocument>"),
    ("ListRolePolicies", "<PolicyNames><member>I</member></PolicyNames>$END"),
    (
        "CreatePolicy",
        "<Policy><PolicyName>Z</PolicyName><PolicyId>ANPAKLIJOPMNCDABGHEF2</PolicyId><Arn>$OURSpolicy/a/Z\
         </Arn><Path>/a/</Path><DefaultVersionId>v1</DefaultVersionId><AttachmentCount>0</AttachmentCount>\
         <PermissionsBoundaryUsageCount>0</PermissionsBoundaryUsageCount><IsAttachable>true</IsAttachable>\
         $DATE<UpdateDate>2023-11-14T22:13:20Z</UpdateDate>$TAG</Policy>",
    ),
    (
        "GetPolicy",
        "<Policy><PolicyName>P</PolicyName><PolicyId>ANPAJILKNMPOBADCFEHGZ</PolicyId><Arn>$OURSpolicy/P</Arn>\
         <Path>/</Path><DefaultVersionId>v1</DefaultVersionId><AttachmentCount>3</AttachmentCount>\
         <PermissionsBoundaryUsageCount>2</PermissionsBoundaryUsageCount><IsAttachable>true</IsAttachable>\
         $DATE<UpdateDate>2023-11-14T22:13:20Z</UpdateDate></Policy>",
    ),
    (
        "ListPolicies",
        "<Policies><member><PolicyName>P</PolicyName><PolicyId>ANPAJILKNMPOBADCFEHGZ</PolicyId><Arn>\
         $OURSpolicy/P</Arn><Path>/</Path><DefaultVersionId>v1</DefaultVersionId>\
         <AttachmentCount>3</AttachmentCount><PermissionsBoundaryUsageCount>2</PermissionsBoundaryUsageCount>\
         <IsAttachable>true</IsAttachable>$DATE<UpdateDate>2023-11-14T22:13:20Z</UpdateDate></member>\
         </Policies>$END",
    ),
    (
        "CreatePolicyVersion",
        "<PolicyVersion><VersionId>v3</VersionId><IsDefaultVersion>true</IsDefaultVersion>$DATE\
         </PolicyVersion>",
    ),
    (
        "GetPolicyVersion",
        "<PolicyVersion><Document>$GET</Document><VersionId>v2</VersionId>\
         <IsDefaultVersion>false</IsDefaultVersion>$DATE</PolicyVersion>",
    ),
    (
        "ListPolicyVersions",
        "<Versions><member><VersionId>v2</VersionId><IsDefaultVersion>false</IsDefaultVersion>$DATE</member>\
         <member><VersionId>v1</VersionId><IsDefaultVersion>true</IsDefaultVersion>$DATE</member></Versions>\
         $END",
    ),
    (
        "ListAttachedUserPolicies",
        "<AttachedPolicies><member><PolicyName>P</PolicyName><PolicyArn>$OURSpolicy/P</PolicyArn></member>\
         </AttachedPolicies>$END",
    ),
    (
        "ListAttachedGroupPolicies",
        "<AttachedPolicies><member><PolicyName>P</PolicyName><PolicyArn>$OURSpolicy/P</PolicyArn></member>\
         </AttachedPolicies>$END",
    ),
    (
        "ListAttachedRolePolicies",
        "<AttachedPolicies><member><PolicyName>P</PolicyName><PolicyArn>$OURSpolicy/P</PolicyArn></member>\
         </AttachedPolicies>$END",
    ),
    (
        "ListEntitiesForPolicy",
        "<PolicyGroups></PolicyGroups><PolicyUsers><member><UserName>al</UserName>\
         <UserId>AIDAWXUVSTQR674523YZG</UserId></member></PolicyUsers><PolicyRoles></PolicyRoles>$END",
    ),
    (
        "CreateRole",
        "<Role><Path>/a/</Path><RoleName>Z</RoleName><RoleId>AROAKLIJOPMNCDABGHEF2</RoleId><Arn>$OURSrole/a/Z\
         </Arn>$DATE<AssumeRolePolicyDocument>$TRUST</AssumeRolePolicyDocument><Description>d</Description>\
         <MaxSessionDuration>7200</MaxSessionDuration>$BOUNDARY$TAG</Role>",
    ),
    (
        "GetRole",
        "<Role><Path>/</Path><RoleName>R</RoleName><RoleId>AROA23YZ6745STQRWXUVK</RoleId><Arn>$OURSrole/R\
         </Arn>$DATE<AssumeRolePolicyDocument>$TRUST</AssumeRolePolicyDocument>\
         <MaxSessionDuration>3600</MaxSessionDuration>$BOUNDARY<RoleLastUsed></RoleLastUsed></Role>",
    ),
    (
        "ListRoles",
        "<Roles><member><Path>/</Path><RoleName>Free</RoleName><RoleId>AROA5476ZY32VUXWRQTSN</RoleId><Arn>\
         $OURSrole/Free</Arn>$DATE<AssumeRolePolicyDocument>$TRUST</AssumeRolePolicyDocument>\
         <MaxSessionDuration>3600</MaxSessionDuration></member><member><Path>/</Path><RoleName>R</RoleName>\
         <RoleId>AROA23YZ6745STQRWXUVK</RoleId><Arn>$OURSrole/R</Arn>$DATE<AssumeRolePolicyDocument>$TRUST\
         </AssumeRolePolicyDocument><MaxSessionDuration>3600</MaxSessionDuration></member></Roles>$END",
    ),
    ("UpdateRole", ""),
    (
        "UpdateRoleDescription",
        "<Role><Path>/</Path><RoleName>R</RoleName><RoleId>AROA23YZ6745STQRWXUVK</RoleId><Arn>$OURSrole/R\
         </Arn>$DATE<AssumeRolePolicyDocument>$TRUST</AssumeRolePolicyDocument><Description>d</Description>\
         <MaxSessionDuration>3600</MaxSessionDuration>$BOUNDARY</Role>",
    ),
    (
        "CreateGroup",
        "<Group><Path>/a/</Path><GroupName>z</GroupName><GroupId>AGPAABCDEFGHIJKLMNOPQ</GroupId><Arn>\
         $OURSgroup/a/z</Arn>$DATE</Group>",
    ),
    (
        "GetGroup",
        "<Group><Path>/</Path><GroupName>g</GroupName><GroupId>AGPAXWVUTSRQ765432ZYH</GroupId><Arn>\
         $OURSgroup/g</Arn>$DATE</Group><Users><member><Path>/</Path><UserName>al</UserName>\
         <UserId>AIDAWXUVSTQR674523YZG</UserId><Arn>$OURSuser/al</Arn>$DATE</member></Users>$END",
    ),
    (
        "ListGroups",
        "<Groups><member><Path>/</Path><GroupName>free</GroupName><GroupId>AGPA23YZ6745STQRWXUVK</GroupId>\
         <Arn>$OURSgroup/free</Arn>$DATE</member><member><Path>/</Path><GroupName>g</GroupName>\
         <GroupId>AGPAXWVUTSRQ765432ZYH</GroupId><Arn>$OURSgroup/g</Arn>$DATE</member></Groups>$END",
    ),
    (
        "ListGroupsForUser",
        "<Groups><member><Path>/</Path><GroupName>g</GroupName><GroupId>AGPAXWVUTSRQ765432ZYH</GroupId><Arn>\
         $OURSgroup/g</Arn>$DATE</member></Groups>$END",
    ),
    ("ListUserTags", "<Tags></Tags>$END"),
    ("ListRoleTags", "<Tags></Tags>$END"),
    ("ListPolicyTags", "<Tags></Tags>$END"),
    ("ListInstanceProfileTags", "<Tags></Tags>$END"),
    ("ListOpenIDConnectProviderTags", "<Tags></Tags>$END"),
    (
        "CreateInstanceProfile",
        "<InstanceProfile><Path>/a/</Path><InstanceProfileName>z</InstanceProfileName>\
         <InstanceProfileId>AIPA674523YZWXUVSTQRO</InstanceProfileId><Arn>$OURSinstance-profile/a/z</Arn>\
         $DATE<Roles></Roles>$TAG</InstanceProfile>",
    ),
    (
        "GetInstanceProfile",
        "<InstanceProfile><Path>/</Path><InstanceProfileName>web</InstanceProfileName>\
         <InstanceProfileId>AIPANMPOJILKFEHGBADC5</InstanceProfileId><Arn>$OURSinstance-profile/web</Arn>\
         $DATE<Roles><member><Path>/</Path><RoleName>R</RoleName><RoleId>AROA23YZ6745STQRWXUVK</RoleId><Arn>\
         $OURSrole/R</Arn>$DATE<AssumeRolePolicyDocument>$TRUST</AssumeRolePolicyDocument>\
         <MaxSessionDuration>3600</MaxSessionDuration></member></Roles></InstanceProfile>",
    ),
    (
        "ListInstanceProfiles",
        "<InstanceProfiles><member><Path>/</Path><InstanceProfileName>free</InstanceProfileName>\
         <InstanceProfileId>AIPAOPMNKLIJGHEFCDAB6</InstanceProfileId><Arn>$OURSinstance-profile/free</Arn>\
         $DATE<Roles></Roles></member><member><Path>/</Path><InstanceProfileName>web</InstanceProfileName>\
         <InstanceProfileId>AIPANMPOJILKFEHGBADC5</InstanceProfileId><Arn>$OURSinstance-profile/web</Arn>\
         $DATE<Roles><member><Path>/</Path><RoleName>R</RoleName><RoleId>AROA23YZ6745STQRWXUVK</RoleId><Arn>\
         $OURSrole/R</Arn>$DATE<AssumeRolePolicyDocument>$TRUST</AssumeRolePolicyDocument>\
         <MaxSessionDuration>3600</MaxSessionDuration></member></Roles></member></InstanceProfiles>$END",
    ),
    (
        "ListInstanceProfilesForRole",
        "<InstanceProfiles><member><Path>/</Path><InstanceProfileName>web</InstanceProfileName>\
         <InstanceProfileId>AIPANMPOJILKFEHGBADC5</InstanceProfileId><Arn>$OURSinstance-profile/web</Arn>\
         $DATE<Roles><member><Path>/</Path><RoleName>R</RoleName><RoleId>AROA23YZ6745STQRWXUVK</RoleId><Arn>\
         $OURSrole/R</Arn>$DATE<AssumeRolePolicyDocument>$TRUST</AssumeRolePolicyDocument>\
         <MaxSessionDuration>3600</MaxSessionDuration></member></Roles></member></InstanceProfiles>$END",
    ),
    (
        "CreateOpenIDConnectProvider",
        "<OpenIDConnectProviderArn>$OURSoidc-provider/other.example.com</OpenIDConnectProviderArn>$TAG",
    ),
    (
        "GetOpenIDConnectProvider",
        "<Url>idp.example.com</Url><ClientIDList></ClientIDList><ThumbprintList></ThumbprintList>$DATE",
    ),
    (
        "ListOpenIDConnectProviders",
        "<OpenIDConnectProviderList><member><Arn>$OURSoidc-provider/idp.example.com</Arn></member>\
         </OpenIDConnectProviderList>",
    ),
    (
        "CreateServiceAccount",
        "<ServiceAccount><ServiceAccountId>sa:al:66676465626360616e6f6c6d6a6b6869</ServiceAccountId>\
         <ParentUser>al</ParentUser><Description>d</Description><AccessKeyId>ABIAGHEFCDABOPMNKLIJ\
         </AccessKeyId><SecretAccessKey>452301yzCDAB8967GHEFCDABOPMNKLIJWXUVSTQR</SecretAccessKey>\
         <Status>Active</Status><Expiration>2027-01-15T08:00:00Z</Expiration>$DATE</ServiceAccount>",
    ),
    (
        "GetServiceAccount",
        "<ServiceAccount><ServiceAccountId>sa:al:02030001060704050a0b08090e0f0c0d</ServiceAccountId>\
         <ParentUser>al</ParentUser><AccessKeyId>ABIACDABGHEFKLIJOPMN</AccessKeyId><Status>Active</Status>\
         $DATE</ServiceAccount>",
    ),
    (
        "ListServiceAccounts",
        "<ServiceAccounts><member><ServiceAccountId>sa:al:02030001060704050a0b08090e0f0c0d</ServiceAccountId>\
         <ParentUser>al</ParentUser><AccessKeyId>ABIACDABGHEFKLIJOPMN</AccessKeyId><Status>Active</Status>\
         $DATE</member></ServiceAccounts>$END",
    ),
    ("ListAccountAliases", "<AccountAliases><member>reef</member></AccountAliases>$END"),
    (
        "GenerateCredentialReport",
        "<State>COMPLETE</State><Description>The report is generated when it is fetched</Description>",
    ),
    (
        "SimulateCustomPolicy",
        "<EvaluationResults><member><EvalActionName>s3:GetObject</EvalActionName>\
         <EvalResourceName>*</EvalResourceName><EvalDecision>allowed</EvalDecision><MatchedStatements>\
         <member><SourcePolicyId>PolicyInputList.1</SourcePolicyId>\
         <SourcePolicyType>IAM Policy</SourcePolicyType><StartPosition><Line>1</Line><Column>38</Column>\
         </StartPosition><EndPosition><Line>1</Line><Column>95</Column></EndPosition></member>\
         </MatchedStatements><MissingContextValues></MissingContextValues></member></EvaluationResults>$END",
    ),
    ("GetContextKeysForPrincipalPolicy", "<ContextKeyNames></ContextKeyNames>"),
    ("GetContextKeysForCustomPolicy", "<ContextKeyNames></ContextKeyNames>"),
    ("ValidatePolicy", "<Findings></Findings>"),
    (
        "ListMFADevices",
        "<MFADevices><member><UserName>al</UserName><SerialNumber>$OURSmfa/phone</SerialNumber>\
         <EnableDate>2023-11-14T22:13:20Z</EnableDate></member></MFADevices>$END",
    ),
    (
        "CreateVirtualMFADevice",
        "<VirtualMFADevice><SerialNumber>$OURSmfa/a/m</SerialNumber><Base32StringSeed>\
         V1hVVlNUUVI2NzQ1MjNZWkdIRUZDREFCT1BNTktMSUpXWFVWU1RRUjY3NDUyM1laR0hFRkNEQUJPUE1OS0xJSg==\
         </Base32StringSeed><QRCodePNG></QRCodePNG></VirtualMFADevice>",
    ),
    ("ListSSHPublicKeys", "<SSHPublicKeys></SSHPublicKeys>$END"),
    ("ListServiceSpecificCredentials", "<ServiceSpecificCredentials></ServiceSpecificCredentials>$END"),
    ("ListSigningCertificates", "<Certificates></Certificates>$END"),
    (
        "ListVirtualMFADevices",
        "<VirtualMFADevices><member><SerialNumber>$OURSmfa/phone</SerialNumber><User><Path>/</Path>\
         <UserName>al</UserName><UserId>AIDAWXUVSTQR674523YZG</UserId><Arn>$OURSuser/al</Arn>$DATE</User>\
         <EnableDate>2023-11-14T22:13:20Z</EnableDate></member><member><SerialNumber>$OURSmfa/spare\
         </SerialNumber></member></VirtualMFADevices>$END",
    ),
];

/// Commands that answer with nothing but the id of the request.
const WITHOUT_RESULT: &str = "
    UpdateUser SetUserStatus DeleteUser UpdateAccessKey DeleteAccessKey PutUserPolicy DeleteUserPolicy
    PutGroupPolicy DeleteGroupPolicy PutRolePolicy DeleteRolePolicy DeletePolicy SetDefaultPolicyVersion
    DeletePolicyVersion AttachUserPolicy DetachUserPolicy AttachGroupPolicy DetachGroupPolicy AttachRolePolicy
    DetachRolePolicy UpdateAssumeRolePolicy DeleteRole PutUserPermissionsBoundary DeleteUserPermissionsBoundary
    PutRolePermissionsBoundary DeleteRolePermissionsBoundary UpdateGroup DeleteGroup AddUserToGroup
    RemoveUserFromGroup TagUser UntagUser TagRole UntagRole TagPolicy UntagPolicy TagInstanceProfile
    UntagInstanceProfile TagOpenIDConnectProvider UntagOpenIDConnectProvider DeleteInstanceProfile
    AddRoleToInstanceProfile RemoveRoleFromInstanceProfile DeleteOpenIDConnectProvider
    AddClientIDToOpenIDConnectProvider RemoveClientIDFromOpenIDConnectProvider
    UpdateOpenIDConnectProviderThumbprint UpdateServiceAccount DeleteServiceAccount CreateAccountAlias
    DeleteAccountAlias EnableMFADevice ResyncMFADevice DeactivateMFADevice DeleteVirtualMFADevice
    PutAccountPublicAccessBlock DeleteAccountPublicAccessBlock";

fn answer(action: &str) -> String {
    let state = peopled();
    let command = Command::find(action).unwrap();
    let outcome = outcome(&state, &line_of(&state, action)).unwrap_or_else(|error| panic!("{action}: {error}"));
    without_picture(command.respond(&outcome, "req-1"))
}

/// The bytes of a picture depend on how it is compressed. What it shows is tested elsewhere.
fn without_picture(answer: String) -> String {
    let (start, end) = ("<QRCodePNG>", "</QRCodePNG>");
    match answer.split_once(start).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1))) {
        Some((before, after)) => format!("{before}{start}{end}{after}"),
        None => answer,
    }
}

fn wanted(action: &str, inside: &str) -> String {
    let inside = WORDS.iter().fold(inside.to_owned(), |text, (word, long)| text.replace(word, long));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">{inside}\
         <ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></{action}Response>"
    )
}

#[test]
fn results() {
    for (action, result) in RESULTS {
        assert_eq!(answer(action), wanted(action, &format!("<{action}Result>{result}</{action}Result>")), "{action}");
    }
}

#[test]
fn answers_without_a_result() {
    for action in WITHOUT_RESULT.split_whitespace() {
        assert_eq!(answer(action), wanted(action, ""), "{action}");
    }
}

/// Text that a client chose cannot end an element.
#[test]
fn text_is_escaped() {
    let state = peopled();
    for (line, part) in [
        ("UpdateRoleDescription&RoleName=R&Description=<b>\"x\"", "<Description>&lt;b&gt;&quot;x&quot;</Description>"),
        ("UpdateRoleDescription&RoleName=R&Description=a\u{1}b\r\nc", "<Description>a\u{fffd}b&#13;\nc</Description>"),
        ("CreateServiceAccount&ParentUser=al&Description=]]>", "<Description>]]&gt;</Description>"),
    ] {
        let command = Command::find(line.split('&').next().unwrap()).unwrap();
        let answer = command.respond(&outcome(&state, line).unwrap(), "<req>");
        assert!(answer.contains(part), "{answer}");
        assert!(answer.contains("<RequestId>&lt;req&gt;</RequestId>"), "{answer}");
    }
}
