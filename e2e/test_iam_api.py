"""The IAM API with boto3 and aws, called in the order of Terraform's AWS provider, and what `weed` reads of the result."""

import json
import time
from urllib.parse import unquote

import pytest

import kelpgate
import world
from clients import Key, assume, client, make_bucket, new_key, refused, s3, unique
from processes import run, wait_for
from weed import weed_s3

ACCOUNT, OTHER = world.ACCOUNT, "111122223333"
TRUST = json.dumps(
    world.document({"Effect": "Allow", "Principal": {"AWS": world.user_arn("bob")}, "Action": "sts:AssumeRole"})
)


def allow(*actions, **more):
    return json.dumps(world.document(world.statement("Allow", list(actions), "*", **more)))


LIST = allow("s3:ListAllMyBuckets")


class Place:
    def __init__(self, url, key):
        self.url = url
        self.key = key
        self.iam = client("iam", url, key)

    def user_with_key(self, **more):
        name = unique("user")
        self.iam.create_user(UserName=name, **more)
        return name, self.new_key(name)

    def new_key(self, user):
        return new_key(self.iam, user)

    def may_list(self, key):
        """Whether the key may list buckets, the only permission that these tests grant."""
        try:
            s3(self.url, key).list_buckets()
        except client("s3", self.url, key).exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied", error
            return False
        return True


@pytest.fixture(scope="module")
def place(iam_server):
    return Place(*iam_server)


@pytest.fixture
def iam(place):
    return place.iam


def policy_of(answer):
    """boto3 decodes the documents of most answers. Those it leaves alone are percent-encoded JSON."""
    return answer if isinstance(answer, dict) else json.loads(unquote(answer))


def test_a_user_as_terraform_manages_it(iam):
    name, renamed = unique("user"), unique("renamed")
    made = iam.create_user(UserName=name, Path="/team/", Tags=[{"Key": "a", "Value": "1"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/{name}" and made["UserId"].startswith("AIDA")
    got = iam.get_user(UserName=name)["User"]
    assert {key: got[key] for key in made} == made
    assert got["Tags"] == iam.list_user_tags(UserName=name)["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.update_user(UserName=name, NewUserName=renamed, NewPath="/")
    iam.untag_user(UserName=renamed, TagKeys=["a"])
    iam.tag_user(UserName=renamed, Tags=[{"Key": "b", "Value": ""}, {"Key": "c", "Value": "2"}])
    got = iam.get_user(UserName=renamed)["User"]
    assert (got["Arn"], got["UserId"]) == (f"arn:aws:iam::{ACCOUNT}:user/{renamed}", made["UserId"])
    assert got["Tags"] == [{"Key": "b", "Value": ""}, {"Key": "c", "Value": "2"}]
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName=name)
    # With force_destroy the provider looks for everything that may belong to the user.
    assert iam.list_access_keys(UserName=renamed)["AccessKeyMetadata"] == []
    assert iam.list_groups_for_user(UserName=renamed)["Groups"] == []
    assert iam.list_attached_user_policies(UserName=renamed)["AttachedPolicies"] == []
    assert iam.list_user_policies(UserName=renamed)["PolicyNames"] == []
    assert iam.list_mfa_devices(UserName=renamed)["MFADevices"] == []
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    assert iam.list_ssh_public_keys(UserName=renamed)["SSHPublicKeys"] == []
    assert iam.list_signing_certificates(UserName=renamed)["Certificates"] == []
    assert iam.list_service_specific_credentials(UserName=renamed)["ServiceSpecificCredentials"] == []
    with refused("NoSuchEntity", 404):
        iam.delete_login_profile(UserName=renamed)
    iam.delete_user(UserName=renamed)
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName=renamed)


def test_a_role_as_terraform_manages_it(iam):
    name = unique("role")
    made = iam.create_role(
        RoleName=name, Path="/app/", AssumeRolePolicyDocument=TRUST, Description="d", MaxSessionDuration=7200,
        Tags=[{"Key": "a", "Value": "1"}],
    )["Role"]  # fmt: skip
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app/{name}" and made["RoleId"].startswith("AROA")
    got = iam.get_role(RoleName=name)["Role"]
    assert policy_of(got["AssumeRolePolicyDocument"]) == json.loads(TRUST)
    assert (got["Description"], got["MaxSessionDuration"], got["RoleLastUsed"]) == ("d", 7200, {})
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    trust = json.loads(TRUST)
    trust["Statement"][0]["Principal"]["AWS"] = "*"
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    assert iam.update_role_description(RoleName=name, Description="")["Role"].get("Description", "") == ""
    iam.update_role(RoleName=name, MaxSessionDuration=3600)
    iam.tag_role(RoleName=name, Tags=[{"Key": "a", "Value": "2"}])
    got = iam.get_role(RoleName=name)["Role"]
    assert policy_of(got["AssumeRolePolicyDocument"]) == trust
    assert (got.get("Description"), got["MaxSessionDuration"]) == (None, 3600)
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "a", "Value": "2"}]
    assert made["Arn"] in [role["Arn"] for role in iam.list_roles(PathPrefix="/app/")["Roles"]]
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=LIST)
    assert policy_of(iam.get_role_policy(RoleName=name, PolicyName="inline")["PolicyDocument"]) == json.loads(LIST)
    with refused("DeleteConflict", 409):
        iam.delete_role(RoleName=name)
    iam.delete_role_policy(RoleName=name, PolicyName="inline")
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)
    with refused("NoSuchEntity", 404):
        iam.get_role(RoleName=name)


def test_a_policy_as_terraform_manages_it(iam):
    name = unique("policy")
    made = iam.create_policy(
        PolicyName=name, Path="/p/", Description="d", PolicyDocument=LIST, Tags=[{"Key": "a", "Value": "1"}]
    )["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/p/{name}" and made["PolicyId"].startswith("ANPA")
    got = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (got["Description"], got["DefaultVersionId"], got["Tags"]) == ("d", "v1", [{"Key": "a", "Value": "1"}])
    # Each update is a new version. If there are five, the oldest is deleted first.
    for number in range(2, 8):
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        assert [version["IsDefaultVersion"] for version in versions] == [True] + [False] * (len(versions) - 1)
        if len(versions) == 5:
            with refused("LimitExceeded", 409):
                iam.create_policy_version(PolicyArn=arn, PolicyDocument=LIST, SetAsDefault=True)
            iam.delete_policy_version(PolicyArn=arn, VersionId=versions[-1]["VersionId"])
        document = allow(f"s3:List{'*' * number}")
        new = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)["PolicyVersion"]
        assert new["VersionId"] == f"v{number}"
        read = iam.get_policy_version(PolicyArn=arn, VersionId=f"v{number}")["PolicyVersion"]
        assert policy_of(read["Document"]) == json.loads(document)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if version["IsDefaultVersion"]:
            with refused("DeleteConflict", 409):
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        else:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity", 404):
        iam.get_policy(PolicyArn=arn)


def test_attachments_groups_and_keys_as_terraform_manages_them(place):
    iam = place.iam
    group, renamed = unique("group"), unique("renamed")
    made = iam.create_group(GroupName=group, Path="/g/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/g/{group}" and made["GroupId"].startswith("AGPA")
    user, key = place.user_with_key()
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert [found["UserName"] for found in iam.get_group(GroupName=group)["Users"]] == [user]
    assert [found["GroupName"] for found in iam.list_groups_for_user(UserName=user)["Groups"]] == [group]
    arn = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=LIST)["Policy"]["Arn"]
    assert not place.may_list(key)
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    assert place.may_list(key)
    assert [found["PolicyArn"] for found in iam.list_attached_group_policies(GroupName=group)["AttachedPolicies"]] == [arn]
    iam.update_group(GroupName=group, NewGroupName=renamed, NewPath="/")
    assert place.may_list(key), "the group's members keep what it has when it is renamed"
    iam.detach_group_policy(GroupName=renamed, PolicyArn=arn)
    assert not place.may_list(key)
    iam.put_group_policy(GroupName=renamed, PolicyName="inline", PolicyDocument=LIST)
    assert iam.list_group_policies(GroupName=renamed)["PolicyNames"] == ["inline"]
    assert place.may_list(key)
    iam.remove_user_from_group(GroupName=renamed, UserName=user)
    assert not place.may_list(key)
    iam.delete_group_policy(GroupName=renamed, PolicyName="inline")
    iam.delete_group(GroupName=renamed)

    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [found["UserName"] for found in entities["PolicyUsers"]] == [user]
    assert place.may_list(key)
    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    iam.update_access_key(UserName=user, AccessKeyId=key.access, Status="Inactive")
    assert [found["Status"] for found in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]] == ["Inactive"]
    with refused("InvalidAccessKeyId", 403):
        s3(place.url, key).list_buckets()
    iam.update_access_key(UserName=user, AccessKeyId=key.access, Status="Active")
    second = place.new_key(user)
    with refused("LimitExceeded", 409):
        iam.create_access_key(UserName=user)
    for one in (key, second):
        iam.delete_access_key(UserName=user, AccessKeyId=one.access)
    iam.detach_user_policy(UserName=user, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    iam.delete_user(UserName=user)


def test_a_renamed_user_keeps_key_policies_and_groups(place):
    iam = place.iam
    user, key = place.user_with_key(Tags=[{"Key": "team", "Value": "red"}])
    iam.put_user_policy(UserName=user, PolicyName="inline", PolicyDocument=LIST)
    group = unique("group")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert place.may_list(key)
    renamed = unique("renamed")
    iam.update_user(UserName=user, NewUserName=renamed)
    assert place.may_list(key)
    assert client("sts", place.url, key).get_caller_identity()["Arn"] == world.user_arn(renamed)
    assert [found["UserName"] for found in iam.get_group(GroupName=group)["Users"]] == [renamed]
    # A new user with the old name has none of this.
    iam.create_user(UserName=user)
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == []
    assert iam.list_groups_for_user(UserName=user)["Groups"] == []


def test_boundaries_and_tags_decide(place):
    iam = place.iam
    boundary = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=allow("s3:GetObject"))["Policy"]["Arn"]
    user, key = place.user_with_key(PermissionsBoundary=boundary)
    iam.put_user_policy(UserName=user, PolicyName="inline", PolicyDocument=LIST)
    assert not place.may_list(key)
    got = iam.get_user(UserName=user)["User"]["PermissionsBoundary"]
    assert got == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    assert iam.get_policy(PolicyArn=boundary)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    iam.create_policy_version(PolicyArn=boundary, PolicyDocument=allow("s3:*"), SetAsDefault=True)
    assert place.may_list(key)
    iam.set_default_policy_version(PolicyArn=boundary, VersionId="v1")
    assert not place.may_list(key)
    iam.delete_user_permissions_boundary(UserName=user)
    assert place.may_list(key)
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=boundary)
    assert not place.may_list(key)
    iam.delete_user_permissions_boundary(UserName=user)
    red = allow("s3:ListAllMyBuckets", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}})
    iam.put_user_policy(UserName=user, PolicyName="inline", PolicyDocument=red)
    assert not place.may_list(key)
    iam.tag_user(UserName=user, Tags=[{"Key": "team", "Value": "red"}])
    assert place.may_list(key)
    iam.untag_user(UserName=user, TagKeys=["team"])
    assert not place.may_list(key)


def test_tags_and_boundary_of_a_role_decide_for_its_sessions(writing_gateway):
    place = Place(writing_gateway.url, world.ROOT)
    role = unique("role")
    red = allow("s3:ListAllMyBuckets", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}})
    place.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "red"}])
    place.iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=red)
    session = assume(place.url, world.BOB, role)
    assert place.may_list(session)
    place.iam.tag_role(RoleName=role, Tags=[{"Key": "team", "Value": "blue"}])
    assert not place.may_list(session)
    place.iam.tag_role(RoleName=role, Tags=[{"Key": "team", "Value": "red"}])
    nothing = place.iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=allow("iam:GetUser"))["Policy"]["Arn"]
    place.iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=nothing)
    assert not place.may_list(session)
    place.iam.delete_role_permissions_boundary(RoleName=role)
    assert place.may_list(session)


def made_again(place, role):
    """Another role with the same name, whose trust policy excludes those who had a session of the first one."""
    place.iam.delete_role_policy(RoleName=role, PolicyName="inline")
    place.iam.delete_role(RoleName=role)
    trust = TRUST.replace(world.user_arn("bob"), world.user_arn("alice"))
    place.iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    place.iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=allow("s3:*"))


def test_a_session_ends_with_its_role(writing_gateway, gateway_b):
    """The next role with the same name is a different role. No gateway gives its permissions to sessions of the first one."""
    place = Place(writing_gateway.url, world.ROOT)
    role = unique("role")
    place.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    place.iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=LIST)
    session = assume(place.url, world.BOB, role)
    for url in (place.url, gateway_b.url):
        s3(url, session).list_buckets()
    made_again(place, role)
    for url in (place.url, gateway_b.url):
        with refused("InvalidToken"):
            s3(url, session).list_buckets()
        with refused("InvalidClientTokenId"):
            client("sts", url, session).get_caller_identity()
    assert place.may_list(assume(place.url, world.ALICE, role))


def chain_of_roles(place):
    """Three roles, each for the sessions of the previous one. The tag `quarantine` denies everything."""
    names = [unique("chain") for _ in range(3)]
    held = world.statement("Deny", "s3:*", "*", Condition={"StringEquals": {"aws:PrincipalTag/quarantine": "yes"}})
    rights = [world.statement("Allow", ["s3:*", "sts:AssumeRole", "sts:TagSession"], "*"), held]
    who = world.user_arn("bob")
    for name in names:
        trust = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        place.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(world.document(trust)))
        place.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(world.document(*rights)))
        who = f"arn:aws:iam::{world.ACCOUNT}:role/{name}"
    return names


def test_transitive_tags_stay_in_a_chain_of_roles(writing_gateway, gateway_b):
    """Each link has them, on every gateway. They cannot be set again, in any case. Tags that are not transitive end."""
    place = Place(writing_gateway.url, world.ROOT)
    one, two, three = chain_of_roles(place)
    tags = [{"Key": "Quarantine", "Value": "yes"}, {"Key": "own", "Value": "x"}]
    first = assume(place.url, world.BOB, one, Tags=tags, TransitiveTagKeys=["quarantine"])
    second = assume(gateway_b.url, first, two)
    third = assume(place.url, second, three, Tags=[{"Key": "own", "Value": "y"}])
    for session in (first, second, third):
        assert not place.may_list(session)
    for key, value in (("Quarantine", "no"), ("QUARANTINE", "no"), ("quarantine", "yes")):
        for session, role in ((first, two), (second, three)):
            with refused("InvalidParameterValue", 400):
                assume(place.url, session, role, Tags=[{"Key": key, "Value": value}])
    with refused("InvalidParameterValue", 400):
        assume(place.url, first, two, TransitiveTagKeys=["quarantine"])
    plain = assume(place.url, world.BOB, one, Tags=tags[:1])
    assert not place.may_list(plain)
    assert place.may_list(assume(place.url, plain, two)), "a tag that is not transitive ends with its session"


def test_inherited_tags_take_the_permission_to_tag(writing_gateway):
    """As on AWS, without sts:TagSession in the trust policy a session with transitive tags cannot assume a further role."""
    place = Place(writing_gateway.url, world.ROOT)
    one, two, _ = chain_of_roles(place)
    trust = world.document({
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{world.ACCOUNT}:role/{one}"}, "Action": "sts:AssumeRole"
    })
    place.iam.update_assume_role_policy(RoleName=two, PolicyDocument=json.dumps(trust))
    place.iam.put_role_policy(RoleName=one, PolicyName="inline", PolicyDocument=allow("sts:AssumeRole"))
    tags = [{"Key": "team", "Value": "red"}]
    assume(place.url, assume(place.url, world.BOB, one, Tags=tags), two)
    tagged = assume(place.url, world.BOB, one, Tags=tags, TransitiveTagKeys=["team"])
    with refused("AccessDenied", 403):
        assume(place.url, tagged, two)


def test_a_session_of_weed_that_is_older_than_its_role(logs, cluster, config_flags, writing_gateway):
    """Tokens of `weed s3` do not contain the role's id, so their date decides."""
    place = Place(writing_gateway.url, world.ROOT)
    role = unique("role")
    iam_config = json.loads((logs / "iam.json").read_text())
    iam_config["roleStore"] = {"storeType": "memory"}
    iam_config["roles"] = [{"roleName": role, "trustPolicy": json.loads(TRUST), "attachedPolicies": []}]
    (logs / "iam-weed-role.json").write_text(json.dumps(iam_config))
    flags = [config_flags[0], f"-iam.config={logs / 'iam-weed-role.json'}"]
    weed = weed_s3("weed-role", logs / "weed-role", cluster.filer, flags)
    place.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    place.iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=LIST)
    session = assume(weed.url, world.BOB, role)
    assert place.may_list(session)
    time.sleep(1.1)  # dates have a resolution of one second
    made_again(place, role)
    with refused("InvalidToken"):
        s3(place.url, session).list_buckets()
    assert place.may_list(assume(weed.url, world.BOB, role)), "a newer session is accepted"


def test_lists_are_paged(iam):
    prefix = f"/{unique('pages')}/"
    names = sorted(f"{unique('user')}-{number}" for number in range(5))
    for name in names:
        iam.create_user(UserName=name, Path=prefix)
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=prefix, PaginationConfig={"PageSize": 2}))
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    with refused("ValidationError", 400):
        iam.list_users(Marker=names[0])
    with refused("ValidationError", 400):
        iam.list_users(PathPrefix="no-slash")


@pytest.mark.parametrize(
    "action, parameters",
    [
        ("create_login_profile", {"UserName": "u", "Password": "p"}),
        ("upload_signing_certificate", {"UserName": "u", "CertificateBody": "c"}),
        ("upload_ssh_public_key", {"UserName": "u", "SSHPublicKeyBody": "k"}),
        ("create_service_linked_role", {"AWSServiceName": "s3.amazonaws.com"}),
        ("list_saml_providers", {}),
    ],
)
def test_what_is_not_there_is_refused_by_name(iam, action, parameters):
    with refused("NotImplemented", 501) as caught:
        getattr(iam, action)(**parameters)
    assert action.replace("_", "") in str(caught.value).lower()


def test_accounts_have_their_own(writing_gateway):
    ours, theirs = Place(writing_gateway.url, world.ROOT), Place(writing_gateway.url, world.DORA)
    user, key = theirs.user_with_key()
    assert theirs.iam.get_user(UserName=user)["User"]["Arn"] == world.user_arn(user, OTHER)
    assert client("sts", ours.url, key).get_caller_identity()["Account"] == OTHER
    arn = theirs.iam.create_policy(PolicyName=unique("policy"), PolicyDocument=LIST)["Policy"]["Arn"]
    assert arn.startswith(f"arn:aws:iam::{OTHER}:policy/")
    theirs.iam.attach_user_policy(UserName=user, PolicyArn=arn)
    assert theirs.may_list(key)
    for refusal, call in [
        ("NoSuchEntity", lambda: ours.iam.get_user(UserName=user)),
        ("NoSuchEntity", lambda: ours.iam.delete_user(UserName=user)),
        ("NoSuchEntity", lambda: ours.iam.create_access_key(UserName=user)),
        ("NoSuchEntity", lambda: ours.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=LIST)),
        ("EntityAlreadyExists", lambda: ours.iam.create_user(UserName=user)),
        ("NoSuchEntity", lambda: ours.iam.get_policy(PolicyArn=arn)),
        ("NoSuchEntity", lambda: theirs.iam.get_user(UserName="alice")),
    ]:
        with refused(refusal):
            call()
    listed = lambda place: {found["UserName"] for found in place.iam.list_users(MaxItems=1000)["Users"]}
    assert user in listed(theirs) - listed(ours) and "alice" in listed(ours) - listed(theirs)


def test_who_may_manage_users_is_held_to_the_resource(place):
    lead, key = place.user_with_key()
    policy = world.document(
        world.statement("Allow", ["iam:CreateUser", "iam:GetUser"], f"arn:aws:iam::{ACCOUNT}:user/team/*"),
        world.statement("Allow", "iam:ListAccessKeys", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"),
    )
    place.iam.put_user_policy(UserName=lead, PolicyName="lead", PolicyDocument=json.dumps(policy))
    as_lead = client("iam", place.url, key)
    member = unique("member")
    with refused("AccessDenied", 403):
        as_lead.create_user(UserName=member)
    with refused("AccessDenied", 403):  # for iam:TagUser
        as_lead.create_user(UserName=member, Path="/team/", Tags=[{"Key": "k", "Value": "v"}])
    as_lead.create_user(UserName=member, Path="/team/")
    assert as_lead.get_user(UserName=member)["User"]["Path"] == "/team/"
    # Without a name, a call is about the caller, who still needs the permission.
    assert [found["AccessKeyId"] for found in as_lead.list_access_keys()["AccessKeyMetadata"]] == [key.access]
    with refused("AccessDenied", 403):
        as_lead.get_user()
    with refused("AccessDenied", 403):
        as_lead.list_access_keys(UserName=member)


def test_aws_cli(place):
    env = {
        "AWS_ACCESS_KEY_ID": place.key.access, "AWS_SECRET_ACCESS_KEY": place.key.secret, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": place.url, "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }  # fmt: skip
    iam = lambda *words: run(["aws", "iam", *words, "--output", "json"], env=env).stdout
    user, policy = unique("user"), unique("policy")
    iam("create-user", "--user-name", user, "--tags", "Key=a,Value=1")
    arn = json.loads(iam("create-policy", "--policy-name", policy, "--policy-document", LIST))["Policy"]["Arn"]
    iam("create-policy-version", "--policy-arn", arn, "--policy-document", allow("s3:*"), "--no-set-as-default")
    iam("set-default-policy-version", "--policy-arn", arn, "--version-id", "v2")
    got = json.loads(iam("get-policy-version", "--policy-arn", arn, "--version-id", "v1"))["PolicyVersion"]
    assert (got["Document"], got["IsDefaultVersion"]) == (json.loads(LIST), False)
    iam("put-user-permissions-boundary", "--user-name", user, "--permissions-boundary", arn)
    assert json.loads(iam("get-user", "--user-name", user))["User"]["Tags"] == [{"Key": "a", "Value": "1"}]
    iam("update-user", "--user-name", user, "--new-user-name", f"{user}-2")
    iam("delete-user", "--user-name", f"{user}-2")
    iam("delete-policy-version", "--policy-arn", arn, "--version-id", "v1")
    iam("delete-policy", "--policy-arn", arn)


def test_beside_weed(logs, cluster, config_flags, writing_gateway):
    """`weed s3` and `weed shell` load what Kelpgate wrote: users with tags and boundaries, renamed ones, policies with versions."""
    ours = Place(writing_gateway.url, world.ROOT)
    user, key = ours.user_with_key(Tags=[{"Key": "team", "Value": "red"}])
    arn = ours.iam.create_policy(PolicyName=unique("policy"), PolicyDocument=allow("s3:GetObject"))["Policy"]["Arn"]
    ours.iam.create_policy_version(PolicyArn=arn, PolicyDocument=LIST, SetAsDefault=True)
    ours.iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    ours.iam.attach_user_policy(UserName=user, PolicyArn=arn)
    group = unique("group")
    ours.iam.create_group(GroupName=group)
    ours.iam.add_user_to_group(GroupName=group, UserName=user)
    renamed = unique("renamed")
    ours.iam.update_user(UserName=user, NewUserName=renamed)

    stored = cluster.filer.read(f"/etc/iam/identities/{renamed}.json").json()
    assert stored["tags"] == [{"key": "team", "value": "red"}]
    assert cluster.filer.read(f"/etc/iam/policies/{arn.split('/')[-1]}.json").json() == json.loads(LIST)
    weed = weed_s3("weed-iam-api", logs / "weed-iam-api", cluster.filer, [*config_flags, "-iam.readOnly=false"])
    theirs = Place(weed.url, world.ROOT)
    wait_for(lambda: theirs.may_list(key), 10, "the key of the renamed user at `weed s3`")
    listed = {found["UserName"] for found in theirs.iam.list_users()["Users"]}
    assert renamed in listed and user not in listed
    shown = cluster.shell("s3.configure")
    assert renamed in shown and key.access in shown
    # `weed s3` writes the user again, and our attributes stay.
    cluster.shell(f"s3.configure -user {renamed} -actions Read -apply")
    wait_for(lambda: "Read" in cluster.filer.read(f"/etc/iam/identities/{renamed}.json").text, 5, "weed's change")
    boundary = ours.iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=LIST)["Policy"]["Arn"]
    ours.iam.put_user_permissions_boundary(UserName=renamed, PermissionsBoundary=boundary)
    got = ours.iam.get_user(UserName=renamed)["User"]
    assert got["Tags"] == [{"Key": "team", "Value": "red"}] and got["PermissionsBoundary"]
    assert [version["VersionId"] for version in ours.iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v2", "v1"]


def test_every_account_has_its_root(logs):
    """Two roots from one file, and the server's own. Each administers only its own account."""
    one, two = Key("AKIAE2EROOTONE000001", f"{world.CANARY}one"), Key("AKIAE2EROOTTWO000001", f"{world.CANARY}two")
    accounts = {one: OTHER, two: "444455556666"}
    file = logs / "roots.json"
    file.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "root",
                        "account": {"id": account},
                        "actions": ["Admin"],
                        "credentials": [{"accessKey": key.access, "secretKey": key.secret}],
                    }
                    for key, account in accounts.items()
                ]
            }
        )
    )
    server = kelpgate.SingleMachine(logs / "roots", [f"-config={file}"], name="roots")
    try:
        for key, account in {**accounts, server.root: ACCOUNT}.items():
            assert client("sts", server.url, key).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
            iam = client("iam", server.url, key)
            iam.create_user(UserName=f"of-{account}")
            made = [user["UserName"] for user in iam.list_users()["Users"] if user["UserName"].startswith("of-")]
            assert made == [f"of-{account}"]
            s3(server.url, key).create_bucket(Bucket=f"bucket-{account}")
        for key in accounts:
            for account in {*accounts.values(), ACCOUNT} - {accounts[key]}:
                with refused("AccessDenied", 403):
                    s3(server.url, key).list_objects_v2(Bucket=f"bucket-{account}")
                with refused("NoSuchEntity", 404):
                    client("iam", server.url, key).delete_user(UserName=f"of-{account}")
    finally:
        server.stop()


# ---- condition keys


def user_who(place, *statements):
    """A client of a new user who may do what the statements allow."""
    name, key = place.user_with_key()
    place.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(world.document(*statements)))
    return s3(place.url, key)


@pytest.fixture(scope="module")
def tagged(place):
    """A client of the administrator, and a bucket with objects tagged `team=blue` and `team=red`."""
    root = s3(place.url, place.key)
    bucket = make_bucket(root, "tagged")
    for team in ("blue", "red"):
        root.put_object(Bucket=bucket, Key=team, Body=b"x", Tagging=f"team={team}")
    return root, bucket


def tags_of(root, bucket, key):
    return {tag["Key"]: tag["Value"] for tag in root.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}


def test_an_ignored_header_answers_no_condition(place, tagged):
    root, bucket = tagged
    is_blue = {"Condition": {"StringEquals": {"s3:RequestObjectTag/team": "blue"}}}
    client = user_who(
        place,
        world.statement("Allow", ["s3:PutObject", "s3:PutObjectTagging"], "*", **is_blue),
        world.statement("Allow", ["s3:GetObject", "s3:GetObjectTagging"], "*"),
    )
    to = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/red"}
    with refused("AccessDenied"):
        client.copy_object(**to, Tagging="team=blue")
    client.copy_object(**to, Tagging="team=blue", TaggingDirective="REPLACE")
    assert tags_of(root, bucket, "copy") == {"team": "blue"}
    with refused("AccessDenied"):
        client.put_object(Bucket=bucket, Key="two", Body=b"x", Tagging="team=blue&Team=red")


def test_writes_are_not_decided_by_existing_tags(place, tagged):
    _, bucket = tagged
    is_blue = {"Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}}
    client = user_who(place, world.statement("Allow", "s3:*", "*", **is_blue))
    assert client.get_object(Bucket=bucket, Key="blue")["ContentLength"] == 1
    for call, more in [("get_object", {"Key": "red"}), ("put_object", {"Key": "blue"}), ("delete_object", {"Key": "blue"})]:
        with refused("AccessDenied"):
            getattr(client, call)(Bucket=bucket, **more)


def test_a_copy_decides_each_object_by_its_own_tags(place, tagged):
    root, bucket = tagged
    is_blue = {"Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}}
    client = user_who(
        place,
        world.statement("Allow", "s3:PutObject", "*"),
        world.statement("Allow", ["s3:GetObject", "s3:PutObjectTagging", "s3:GetObjectTagging"], "*", **is_blue),
    )
    root.copy_object(Bucket=bucket, Key="other-blue", CopySource=f"{bucket}/blue")
    replace = {"Tagging": "team=blue", "TaggingDirective": "REPLACE"}
    for source, target, more, allowed in [
        ("blue", "other-blue", replace, True),
        ("blue", "other-blue", {}, True),
        ("red", "other-blue", replace, False),
        ("blue", "red", replace, False),
        ("blue", "red", {}, False),
        ("blue", "untagged", replace, False),
    ]:
        to = {"Bucket": bucket, "Key": target, "CopySource": f"{bucket}/{source}", **more}
        if allowed:
            client.copy_object(**to)
        else:
            with refused("AccessDenied"):
                client.copy_object(**to)
    assert tags_of(root, bucket, "red") == {"team": "red"}


def test_the_region_is_in_every_request(place, tagged):
    _, bucket = tagged
    for region, allowed in [("us-east-1", True), ("eu-west-1", False)]:
        here = {"Condition": {"StringEquals": {"aws:RequestedRegion": region}}}
        client = user_who(place, world.statement("Allow", "s3:ListBucket", "*", **here))
        if allowed:
            client.list_objects_v2(Bucket=bucket)
        else:
            with refused("AccessDenied"):
                client.list_objects_v2(Bucket=bucket)
