"""A bucket policy applies to the user or role that had the name when it was put, not to the one that has the name now."""

import json

import pytest

import world
from clients import assume, client, new_key, refused, s3, unique
from processes import wait_for
from weed import weed_s3
from world import document, statement, user_arn

ACCOUNT = world.ACCOUNT


@pytest.fixture
def admin(iam_server):
    url, key = iam_server
    return client("iam", url, key), s3(url, key), url


@pytest.fixture
def bucket(admin):
    name = unique("ids")
    admin[1].create_bucket(Bucket=name)
    admin[1].put_object(Bucket=name, Key="k", Body=b"v")
    return name


def grant(s3_client, bucket, arn):
    policy = document(statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal={"AWS": arn}))
    s3_client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def named(s3_client, bucket):
    (one,) = json.loads(s3_client.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    return one["Principal"]["AWS"]


def may_read(url, key, bucket):
    client = s3(url, key)
    try:
        client.get_object(Bucket=bucket, Key="k")
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return False
    return True


def make_user(iam, name):
    made = iam.create_user(UserName=name)["User"]
    return made["UserId"], new_key(iam, name)


def delete_user(iam, name, key):
    iam.delete_access_key(UserName=name, AccessKeyId=key.access)
    iam.delete_user(UserName=name)


def test_a_grant_does_not_pass_to_the_next_user_of_the_name(admin, bucket):
    iam, root, url = admin
    name = unique("user")
    first, key = make_user(iam, name)
    grant(root, bucket, user_arn(name))
    assert may_read(url, key, bucket) and named(root, bucket) == user_arn(name)
    delete_user(iam, name, key)
    assert named(root, bucket) == first
    second, key = make_user(iam, name)
    assert second != first and not may_read(url, key, bucket)
    assert named(root, bucket) == first
    # When the policy is put again, it names the current user.
    grant(root, bucket, user_arn(name))
    assert may_read(url, key, bucket) and named(root, bucket) == user_arn(name)


def test_a_grant_follows_a_renamed_user(admin, bucket):
    iam, root, url = admin
    name, renamed = unique("user"), unique("renamed")
    _, key = make_user(iam, name)
    grant(root, bucket, user_arn(name))
    iam.update_user(UserName=name, NewUserName=renamed)
    assert may_read(url, key, bucket) and named(root, bucket) == user_arn(renamed)
    _, other = make_user(iam, name)
    assert not may_read(url, other, bucket) and may_read(url, key, bucket)


@pytest.mark.parametrize("principal", ["role", "session"])
def test_a_grant_does_not_pass_to_the_next_role_of_the_name(admin, bucket, principal):
    iam, root, url = admin
    user, role = unique("user"), unique("role")
    _, key = make_user(iam, user)
    trust = document({"Effect": "Allow", "Principal": {"AWS": user_arn(user)}, "Action": "sts:AssumeRole"})

    def make_role():
        return iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["RoleId"]

    first = make_role()
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/e2e" if principal == "session" else arn
    grant(root, bucket, arn)
    assert may_read(url, assume(url, key, role), bucket) and named(root, bucket) == arn
    iam.delete_role(RoleName=role)
    make_role()
    assert not may_read(url, assume(url, key, role), bucket)
    assert named(root, bucket) == (f"{first}:e2e" if principal == "session" else first)


def trusted_name(iam, role):
    (one,) = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    return one["Principal"]["AWS"]


def test_trust_does_not_pass_to_the_next_user_of_the_name(admin):
    """The same for the trust policies of roles."""
    iam, _, url = admin
    name, renamed, role = unique("user"), unique("renamed"), unique("role")
    trust = json.dumps(document({"Effect": "Allow", "Principal": {"AWS": user_arn(name)}, "Action": "sts:AssumeRole"}))
    first, key = make_user(iam, name)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    assume(url, key, role)
    delete_user(iam, name, key)
    assert trusted_name(iam, role) == first
    _, key = make_user(iam, name)
    with refused("AccessDenied"):
        assume(url, key, role)
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    assume(url, key, role)
    iam.update_user(UserName=name, NewUserName=renamed)
    assume(url, key, role)
    assert trusted_name(iam, role) == user_arn(renamed)


def test_a_policy_that_weed_wrote_has_names_alone(logs, cluster, config_flags, writing_gateway):
    """`weed s3` leaves the ids of the policy that it replaces. They do not apply to the new policy."""
    url = writing_gateway.url
    iam, root = client("iam", url, world.ROOT), s3(url, world.ROOT)
    bucket, name = unique("ids"), unique("user")
    root.create_bucket(Bucket=bucket)
    root.put_object(Bucket=bucket, Key="k", Body=b"v")
    _, key = make_user(iam, name)
    grant(root, bucket, user_arn(name))
    delete_user(iam, name, key)
    _, key = make_user(iam, name)
    assert not may_read(url, key, bucket)
    weed = s3(weed_s3("weed-ids", logs / "weed-ids", cluster.filer, config_flags).url, world.ROOT)
    policy = document(statement("Allow", "s3:Get*", f"arn:aws:s3:::{bucket}/*", Principal={"AWS": user_arn(name)}))
    weed.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    wait_for(lambda: may_read(url, key, bucket), 10, "weed's policy")
    assert named(root, bucket) == user_arn(name)
    root.delete_bucket_policy(Bucket=bucket)
    with refused("NoSuchBucketPolicy"):
        root.get_bucket_policy(Bucket=bucket)
