"""What tools made for AWS and MinIO expect beside S3 itself: sessions without a role, S3 Control's tags, AWS's managed policies."""

import json
import xml.etree.ElementTree as ET

import pytest

import kelpgate
from clients import Key, client, make_bucket, new_key, refused, s3, unique
from signing import Signer, send, sha256

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
FORM = "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = kelpgate.SingleMachine(tmp_path_factory.mktemp("tools"), name="tools")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bucket(server):
    name = make_bucket(s3(server.url, server.root), "tools")
    s3(server.url, server.root).put_object(Bucket=name, Key="k", Body=b"x")
    return name


def own_session(url, key, body=FORM):
    """As minio-py sends it."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    headers = Signer(key, service="sts").headers("POST", f"{url}/", form, sha256(body.encode()))
    answer = send("POST", f"{url}/", headers, body.encode())
    if answer.status != 200:
        return answer.status
    found = {element.tag.rsplit("}", 1)[-1]: element.text for element in ET.fromstring(answer.body).iter()}
    return Key(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def test_a_managed_policy_of_aws_is_attached(server, bucket):
    iam, name = client("iam", server.url, server.root), unique("user")
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    key = new_key(iam, name)
    assert s3(server.url, key).get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with refused("AccessDenied"):
        s3(server.url, key).put_object(Bucket=bucket, Key="other", Body=b"")
    listed = {policy["Arn"] for policy in iam.list_policies(Scope="AWS")["Policies"]}
    assert READ_ONLY in listed and len(listed) == 5
    with refused("AccessDenied"):
        iam.delete_policy(PolicyArn=READ_ONLY)


def without_account(request, **_):
    request.url = request.url.replace("//000000000000.", "//")


def test_tags_through_s3_control(server, bucket):
    control = client("s3control", server.url, server.root)
    # botocore puts the account before the host, where no name server finds it.
    control.meta.events.register("before-sign.s3-control", without_account)
    about = {"AccountId": "000000000000", "ResourceArn": f"arn:aws:s3:::{bucket}"}
    control.tag_resource(Tags=[{"Key": "env", "Value": "prod"}, {"Key": "team", "Value": "x y"}], **about)
    control.untag_resource(TagKeys=["env", "none"], **about)
    assert control.list_tags_for_resource(**about)["Tags"] == [{"Key": "team", "Value": "x y"}]
    tagging = s3(server.url, server.root).get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert tagging == [{"Key": "team", "Value": "x y"}]
    with refused("MethodNotAllowed", 405):
        control.list_access_points(AccountId="000000000000")


def test_a_session_without_a_role_is_the_user_and_ends_with_him(server, bucket):
    iam, name = client("iam", server.url, server.root), unique("user")
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    key = new_key(iam, name)
    session = own_session(server.url, key)
    mine = s3(server.url, session)
    assert mine.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with refused("AccessDenied"):
        mine.put_object(Bucket=bucket, Key="other", Body=b"")
    with refused("AccessDenied"):
        client("iam", server.url, session).get_user()
    assert client("sts", server.url, session).get_caller_identity()["Arn"].endswith(f":user/{name}")
    assert own_session(server.url, session) == 403, "a session makes no session of itself"
    # What the user loses, the session loses at once.
    iam.detach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    with refused("AccessDenied"):
        mine.get_object(Bucket=bucket, Key="k")
    iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    assert mine.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    iam.update_access_key(UserName=name, AccessKeyId=key.access, Status="Inactive")
    with refused("InvalidToken"):
        mine.get_object(Bucket=bucket, Key="k")
    iam.update_access_key(UserName=name, AccessKeyId=key.access, Status="Active")
    assert mine.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    iam.delete_access_key(UserName=name, AccessKeyId=key.access)
    with refused("InvalidToken"):
        mine.get_object(Bucket=bucket, Key="k")


def test_a_session_of_root_obeys_its_policy(server, bucket):
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/k"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
    session = own_session(server.url, server.root, f"{FORM}&Policy={policy}")
    limited = s3(server.url, session)
    assert limited.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    for refused_call in (
        lambda: limited.put_object(Bucket=bucket, Key="k", Body=b""),
        lambda: limited.list_objects_v2(Bucket=bucket),
        lambda: limited.delete_bucket_policy(Bucket=bucket),
    ):
        with refused("AccessDenied"):
            refused_call()
