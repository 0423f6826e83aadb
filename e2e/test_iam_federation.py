"""OIDC providers, service accounts, instance profiles and the account's reports, with boto3 and aws, next to `weed s3`."""

import base64
import csv
import datetime
import hashlib
import io
import json
import time
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

import kelpgate
import world
from clients import Key, client, new_key, refused, s3, unique
from processes import run, wait_for
from signing import request
from weed import weed_s3

TRUST = json.dumps(
    world.document({"Effect": "Allow", "Principal": {"AWS": world.user_arn("bob")}, "Action": "sts:AssumeRole"})
)
READ = json.dumps(world.document(world.statement("Allow", "s3:GetObject", "*")))


class Place:
    def __init__(self, url, key):
        self.url = url
        self.key = key
        self.iam = client("iam", url, key)

    def action(self, key=None, **parameters):
        """An action that boto3 does not know: status and text."""
        body = urlencode({"Version": "2010-05-08", **parameters}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = request(key or self.key, "POST", self.url + "/", body, headers, service="iam")
        return answer.status, answer.body.decode()


@pytest.fixture(scope="module")
def place(iam_server):
    return Place(*iam_server)


def field(text, name):
    return text.split(f"<{name}>", 1)[1].split("<", 1)[0]


def user_with_key(iam, policy=None):
    name = unique("user")
    iam.create_user(UserName=name)
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    return name, new_key(iam, name)


def test_oidc_provider(place):
    iam = place.iam
    host = f"{unique('idp')}.example.com"
    made = iam.create_open_id_connect_provider(
        Url=f"https://{host}/realm", ClientIDList=["app"], ThumbprintList=["a" * 40], Tags=[{"Key": "k", "Value": "v"}]
    )
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/{host}/realm"
    with refused("EntityAlreadyExists", 409):
        iam.create_open_id_connect_provider(Url=f"https://{host}/realm")
    got = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (got["Url"], got["ClientIDList"], got["ThumbprintList"]) == (f"{host}/realm", ["app"], ["a" * 40])
    assert abs((datetime.datetime.now(datetime.timezone.utc) - got["CreateDate"]).total_seconds()) < 60
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="web")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="app")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "z", "Value": ""}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["k"])
    got = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (got["ClientIDList"], got["ThumbprintList"], got["Tags"]) == (["web"], ["b" * 40], [{"Key": "z", "Value": ""}])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == got["Tags"]
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("NoSuchEntity", 404):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def test_service_account(place):
    user, _ = user_with_key(place.iam, world.document(world.statement("Allow", "s3:ListAllMyBuckets", "*")))
    at = str(int(time.time()) + 3600)
    status, text = place.action(Action="CreateServiceAccount", ParentUser=user, Description="ci", Expiration=at)
    assert status == 200, text
    account = field(text, "ServiceAccountId")
    key = Key(field(text, "AccessKeyId"), field(text, "SecretAccessKey"))
    assert account.startswith(f"sa:{user}:") and key.access.startswith("ABIA") and field(text, "Status") == "Active"
    s3(place.url, key).list_buckets()  # with its user's permission
    with refused("AccessDenied", 403):
        s3(place.url, key).create_bucket(Bucket=unique("refused"))
    status, text = place.action(Action="GetServiceAccount", ServiceAccountId=account)
    assert status == 200 and field(text, "Description") == "ci" and "Secret" not in text
    assert account in place.action(Action="ListServiceAccounts", ParentUser=user)[1]
    with refused("DeleteConflict", 409):
        place.iam.delete_user(UserName=user)
    assert place.action(Action="UpdateServiceAccount", ServiceAccountId=account, Status="Inactive")[0] == 200
    with refused("InvalidAccessKeyId", 403):
        s3(place.url, key).list_buckets()
    assert place.action(Action="UpdateServiceAccount", ServiceAccountId=account, Status="Active")[0] == 200
    s3(place.url, key).list_buckets()
    assert place.action(Action="DeleteServiceAccount", ServiceAccountId=account)[0] == 200
    with refused("InvalidAccessKeyId", 403):
        s3(place.url, key).list_buckets()
    status, text = place.action(Action="GetServiceAccount", ServiceAccountId=account)
    assert status == 404 and field(text, "Code") == "NoSuchEntity"


def test_permissions_are_asked_on_the_resource(place):
    account = f"arn:aws:iam::{world.ACCOUNT}"
    host = f"{unique('idp')}.example.com"
    name, key = user_with_key(
        place.iam,
        world.document(
            world.statement("Allow", "iam:*ServiceAccount", f"{account}:user/own-*"),
            world.statement("Allow", "iam:CreateAccessKey", f"{account}:user/own-*"),
            world.statement("Allow", "iam:*OpenIDConnectProvider", f"{account}:oidc-provider/{host}"),
            world.statement("Allow", "iam:*InstanceProfile", f"{account}:instance-profile/own/*"),
            world.statement("Allow", "iam:GetAccessKeyLastUsed", f"{account}:user/${{aws:username}}"),
        ),
    )
    other, other_key = user_with_key(place.iam)
    own = unique("own")
    place.iam.create_user(UserName=own)
    status, text = place.action(key, Action="CreateServiceAccount", ParentUser=own)
    assert status == 200, text
    service_account = field(text, "ServiceAccountId")
    foreign = field(place.action(Action="CreateServiceAccount", ParentUser=other)[1], "ServiceAccountId")
    for action in ("GetServiceAccount", "UpdateServiceAccount", "DeleteServiceAccount"):
        assert place.action(key, Action=action, ServiceAccountId=foreign)[0] == 403
        assert place.action(key, Action=action, ServiceAccountId=service_account)[0] == 200
    assert place.action(key, Action="CreateServiceAccount", ParentUser=other)[0] == 403
    iam = client("iam", place.url, key)
    arn = iam.create_open_id_connect_provider(Url=f"https://{host}")["OpenIDConnectProviderArn"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("AccessDenied", 403):
        iam.create_open_id_connect_provider(Url=f"https://{host}/realm")
    profile = unique("profile")
    with refused("AccessDenied", 403):
        iam.create_instance_profile(InstanceProfileName=profile)
    iam.create_instance_profile(InstanceProfileName=profile, Path="/own/")
    iam.delete_instance_profile(InstanceProfileName=profile)
    assert iam.get_access_key_last_used(AccessKeyId=key.access)["UserName"] == name
    with refused("AccessDenied", 403):
        iam.get_access_key_last_used(AccessKeyId=other_key.access)
    for call in (iam.get_account_summary, iam.get_credential_report, iam.list_account_aliases):
        with refused("AccessDenied", 403):
            call()


def test_instance_profile(place):
    iam = place.iam
    profile, role = unique("profile"), unique("role")
    made = iam.create_instance_profile(InstanceProfileName=profile, Path="/team/", Tags=[{"Key": "k", "Value": "v"}])
    assert made["InstanceProfile"]["Arn"] == f"arn:aws:iam::{world.ACCOUNT}:instance-profile/team/{profile}"
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    got = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
    assert [r["RoleName"] for r in got["Roles"]] == [role] and got["Tags"] == [{"Key": "k", "Value": "v"}]
    assert got["Roles"][0]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    listed = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert [p["InstanceProfileName"] for p in listed] == [profile]
    pages = iam.get_paginator("list_instance_profiles").paginate(PaginationConfig={"PageSize": 1})
    assert profile in [p["InstanceProfileName"] for page in pages for p in page["InstanceProfiles"]]
    with refused("DeleteConflict", 409):
        iam.delete_role(RoleName=role)
    with refused("DeleteConflict", 409):
        iam.delete_instance_profile(InstanceProfileName=profile)
    iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)
    iam.delete_role(RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=profile)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_instance_profile(InstanceProfileName=profile)


def test_alias_summary_and_entities(place):
    iam = place.iam
    alias = unique("alias")
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    iam.delete_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == []

    before = iam.get_account_summary()["SummaryMap"]
    user, group, role = unique("user"), unique("group"), unique("role")
    policy = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_user(UserName=user)
    iam.create_group(GroupName=group)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    after = iam.get_account_summary()["SummaryMap"]
    assert {k: after[k] - before[k] for k in ("Users", "Groups", "Roles", "Policies")} == {
        "Users": 1, "Groups": 1, "Roles": 1, "Policies": 1,
    }  # fmt: skip
    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    iam.attach_group_policy(GroupName=group, PolicyArn=policy)
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    pages = list(
        iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy, PaginationConfig={"PageSize": 1})
    )
    names = lambda kind: [e[f"{kind}Name"] for page in pages for e in page.get(f"Policy{kind}s", [])]
    assert (names("User"), names("Group"), names("Role")) == ([user], [group], [role])
    only = iam.list_entities_for_policy(PolicyArn=policy, EntityFilter="Role")
    assert only["PolicyRoles"][0]["RoleName"] == role and not only["PolicyUsers"]


def test_authorization_details(place):
    iam = place.iam
    user, group, role = unique("user"), unique("group"), unique("role")
    policy = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=READ)["Policy"]
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="inline", PolicyDocument=READ)
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.attach_group_policy(GroupName=group, PolicyArn=policy["Arn"])
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 3}))
    found = lambda kind, key, name: next(d for page in pages for d in page.get(kind, []) if d[key] == name)
    details = found("UserDetailList", "UserName", user)
    assert details["UserPolicyList"] == [{"PolicyName": "inline", "PolicyDocument": json.loads(READ)}]
    assert details["GroupList"] == [group]
    attached = [{"PolicyName": policy["PolicyName"], "PolicyArn": policy["Arn"]}]
    assert found("GroupDetailList", "GroupName", group)["AttachedManagedPolicies"] == attached
    assert found("RoleDetailList", "RoleName", role)["AssumeRolePolicyDocument"] == json.loads(TRUST)
    versions = found("Policies", "PolicyName", policy["PolicyName"])["PolicyVersionList"]
    assert versions[0]["Document"] == json.loads(READ) and versions[0]["IsDefaultVersion"]


def test_last_use_and_credential_report(place):
    iam = place.iam
    user, key = user_with_key(iam, world.document(world.statement("Allow", "s3:ListAllMyBuckets", "*")))
    never = iam.get_access_key_last_used(AccessKeyId=key.access)
    assert never["UserName"] == user and "LastUsedDate" not in never["AccessKeyLastUsed"]
    s3(place.url, key).list_buckets()
    used = iam.get_access_key_last_used(AccessKeyId=key.access)["AccessKeyLastUsed"]
    now = datetime.datetime.now(datetime.timezone.utc)
    assert used["ServiceName"] == "s3" and used["Region"] == "us-east-1"
    assert (now - used["LastUsedDate"]).total_seconds() < 130 and used["LastUsedDate"].second == 0
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    assert report["ReportFormat"] == "text/csv"
    rows = {row["user"]: row for row in csv.DictReader(io.StringIO(report["Content"].decode()))}
    assert rows["<root_account>"]["arn"] == f"arn:aws:iam::{world.ACCOUNT}:root"
    row = rows[user]
    assert (row["access_key_1_active"], row["access_key_1_last_used_service"]) == ("TRUE", "s3")
    assert datetime.datetime.fromisoformat(row["access_key_1_last_used_date"]) == used["LastUsedDate"]
    assert (row["access_key_2_active"], row["password_enabled"], row["mfa_active"]) == ("FALSE", "FALSE", "FALSE")


def test_last_use_of_a_role(writing_gateway):
    iam = client("iam", writing_gateway.url, world.ROOT)
    role = unique("role")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    assert iam.get_role(RoleName=role)["Role"]["RoleLastUsed"] == {}
    sts = client("sts", writing_gateway.url, world.BOB)
    got = sts.assume_role(RoleArn=f"arn:aws:iam::{world.ACCOUNT}:role/{role}", RoleSessionName="e2e")["Credentials"]
    session = Key(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])
    client("sts", writing_gateway.url, session).get_caller_identity()
    assert iam.get_role(RoleName=role)["Role"]["RoleLastUsed"]["Region"] == "us-east-1"


def test_last_uses_reach_the_other_gateway_and_outlive_this_one(logs, cluster, config_flags, writing_gateway):
    """A gateway that stops writes what it has seen, and no key ends up in one of SeaweedFS's directories because of it."""
    iam = client("iam", writing_gateway.url, world.ROOT)
    _, key = user_with_key(iam)
    with kelpgate.gateway("short-lived", logs / "short-lived", cluster.filer, config_flags) as other:
        with refused("AccessDenied"):
            wait_for(lambda: known(other.url, key), 5, "the key on the other gateway")
            s3(other.url, key).create_bucket(Bucket=unique("refused"))
        assert "LastUsedDate" not in iam.get_access_key_last_used(AccessKeyId=key.access)["AccessKeyLastUsed"]
    assert iam.get_access_key_last_used(AccessKeyId=key.access)["AccessKeyLastUsed"]["ServiceName"] == "s3"
    files = cluster.filer.names("/seaweedfs/iam/last-used")
    assert files and all(name.endswith("-0.json") for name in files)
    assert set(cluster.filer.names("/etc/iam")) <= {
        "groups", "identities", "oidc-providers", "policies", "policies.json", "service_accounts",
    }  # fmt: skip


def known(url, key):
    try:
        s3(url, key).list_buckets()
    except ClientError as error:
        return error.response["Error"]["Code"] == "AccessDenied"
    return True


def test_aws_cli(place):
    env = {
        "AWS_ACCESS_KEY_ID": place.key.access, "AWS_SECRET_ACCESS_KEY": place.key.secret, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": place.url, "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }  # fmt: skip
    iam = lambda *words: run(["aws", "iam", *words, "--output", "json"], env=env).stdout
    host = f"{unique('idp')}.example.com"
    arn = json.loads(
        iam("create-open-id-connect-provider", "--url", f"https://{host}", "--client-id-list", "a", "b",
            "--thumbprint-list", "c" * 40)
    )["OpenIDConnectProviderArn"]  # fmt: skip
    got = json.loads(iam("get-open-id-connect-provider", "--open-id-connect-provider-arn", arn))
    assert got["ClientIDList"] == ["a", "b"]
    iam("delete-open-id-connect-provider", "--open-id-connect-provider-arn", arn)
    assert json.loads(iam("get-account-summary"))["SummaryMap"]["AccessKeysPerUserQuota"] == 2
    report = base64.b64decode(json.loads(iam("get-credential-report"))["Content"])
    assert report.startswith(b"user,arn,user_creation_time,")


def test_beside_weed(logs, cluster, config_flags, writing_gateway):
    """`weed s3` starts with what Kelpgate wrote and serves its service accounts, and Kelpgate serves those of `weed s3`."""
    ours = Place(writing_gateway.url, world.ROOT)
    user, _ = user_with_key(ours.iam)
    status, text = ours.action(Action="CreateServiceAccount", ParentUser=user, Description="made by kelpgate")
    assert status == 200, text
    account = field(text, "ServiceAccountId")
    key = Key(field(text, "AccessKeyId"), field(text, "SecretAccessKey"))
    url = f"https://{unique('idp')}.example.com"
    arn = ours.iam.create_open_id_connect_provider(Url=url, ClientIDList=["app"])["OpenIDConnectProviderArn"]
    ours.iam.create_instance_profile(InstanceProfileName=unique("profile"))
    ours.iam.create_account_alias(AccountAlias=unique("beside-weed"))
    stem = hashlib.sha1(arn.encode()).hexdigest()
    stored = cluster.filer.read(f"/etc/iam/oidc-providers/{stem}.json").json()
    assert (stored["arn"], stored["url"], stored["clientIds"]) == (arn, url, ["app"])
    listed = cluster.filer.read(f"/etc/iam/identities/{user}.json").json()["service_account_ids"]
    assert listed == [account]

    weed = weed_s3("weed-iam", logs / "weed-iam", cluster.filer, [*config_flags, "-iam.readOnly=false"])
    theirs = Place(weed.url, world.ROOT)
    status, text = theirs.action(Action="GetServiceAccount", ServiceAccountId=account)
    assert status == 200 and field(text, "Description") == "made by kelpgate" and field(text, "AccessKeyId") == key.access
    wait_for(lambda: known(weed.url, key), 5, "the key of the service account at `weed s3`")

    status, text = theirs.action(Action="CreateServiceAccount", ParentUser=user, Description="made by weed")
    assert status == 200, text
    of_weed = field(text, "ServiceAccountId")
    weeds_key = Key(field(text, "AccessKeyId"), field(text, "SecretAccessKey"))
    wait_for(lambda: known(writing_gateway.url, weeds_key), 5, "the key of the service account that `weed s3` made")
    # Both give the same answers about both, except for request ids.
    for one in (account, of_weed):
        answers = [p.action(Action="GetServiceAccount", ServiceAccountId=one)[1] for p in (ours, theirs)]
        assert len({text.split("<ResponseMetadata>")[0] for text in answers}) == 1, answers
    assert ours.action(Action="DeleteServiceAccount", ServiceAccountId=of_weed)[0] == 200
    wait_for(lambda: theirs.action(Action="GetServiceAccount", ServiceAccountId=of_weed)[0] == 404, 5, "weed to follow")
    assert ours.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["app"]
