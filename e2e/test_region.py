"""Regions: what SDKs need to find the right one, and where IAM and STS are signed. On one machine in eu-west-1."""

import boto3
import pytest
from botocore.client import Config

import kelpgate
import world
from clients import Key, client, make_bucket, refused, unique
from processes import run
from signing import Signer, request, send, sha256

REGION = "eu-west-1"
HEADER = "x-amz-bucket-region"
NOBODY = Key("AKIAE2ENOBODY0000009", "x" * 40)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = kelpgate.SingleMachine(tmp_path_factory.mktemp("region"), [f"-region={REGION}"], name="region")
    yield server
    server.stop()


def boto(server, service, region, key=None):
    key = key or server.root
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.client(service, endpoint_url=server.url, region_name=region, aws_access_key_id=key.access,
                        aws_secret_access_key=key.secret, config=config)  # fmt: skip


@pytest.fixture(scope="module")
def bucket(server):
    name = unique("region")
    boto(server, "s3", REGION).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    boto(server, "s3", REGION).put_object(Bucket=name, Key="k", Body=b"x")
    return name


@pytest.fixture(scope="module")
def stranger(server):
    """A user without permissions."""
    iam = boto(server, "iam", "us-east-1")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    return Key(key["AccessKeyId"], key["SecretAccessKey"])


def test_boto3_finds_the_region(server, bucket):
    for call, arguments in [("head_object", {"Key": "k"}), ("head_bucket", {}), ("list_objects_v2", {}), ("get_object", {"Key": "k"})]:
        getattr(boto(server, "s3", "ap-southeast-2"), call)(Bucket=bucket, **arguments)


def test_answers_that_tell_the_region(server, bucket, stranger):
    here, elsewhere = {"region": REGION}, {"region": "us-west-2"}
    for key, method, path, signer, status in [
        (server.root, "HEAD", "", here, 200),
        (server.root, "HEAD", "/k", here, 200),
        (server.root, "HEAD", "", elsewhere, 400),
        (server.root, "HEAD", "/k", elsewhere, 400),
        (server.root, "GET", "/k", elsewhere, 400),
        (server.root, "GET", "/missing", here, 404),
        (stranger, "HEAD", "", here, 403),
        (stranger, "GET", "/k", here, 403),
    ]:
        answer = request(key, method, f"{server.url}/{bucket}{path}", **signer)
        assert (answer.status, answer.headers.get(HEADER)) == (status, REGION), (method, path, answer)


def test_the_region_does_not_tell_which_buckets_exist(server, bucket, stranger):
    for key in (stranger, NOBODY):
        there, missing = (request(key, "HEAD", f"{server.url}/{name}", region=REGION) for name in (bucket, unique("missing")))
        assert (there.status, there.headers.get(HEADER)) == (missing.status, missing.headers.get(HEADER)) == (403, REGION)
    there, missing = (send("HEAD", f"{server.url}/{name}") for name in (bucket, unique("missing")))
    assert (there.status, there.headers.get(HEADER)) == (missing.status, missing.headers.get(HEADER))


def test_where_iam_and_sts_are_signed(server):
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    content = {"content-type": "application/x-www-form-urlencoded"}
    for service, region, status in [
        ("sts", REGION, 200),
        ("sts", "us-east-1", 200),
        ("sts", "", 200),
        ("sts", "us-west-2", 400),
        ("iam", "us-east-1", 200),
        ("s3", "us-east-1", 400),
        ("s3", "", 400),
    ]:
        answer = request(server.root, "POST", server.url + "/", body, content, region=region, service=service)
        assert answer.status == status, (service, region, answer)
    boto(server, "iam", "us-east-1").list_users()
    signed = Signer(server.root, region="", service="sts").headers("POST", server.url + "/", content, sha256(body))
    other = b"Action=GetSessionToken&Version=2011-06-15"
    assert send("POST", server.url + "/", signed, other).status == 400, "the signature covers the body here too"


def test_create_bucket_by_region(server):
    s3 = boto(server, "s3", REGION)
    old, name = unique("old-name"), unique("twice")
    s3.create_bucket(Bucket=old, CreateBucketConfiguration={"LocationConstraint": "EU"})
    assert s3.get_bucket_location(Bucket=old)["LocationConstraint"] == REGION
    with refused("IllegalLocationConstraintException", 400):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


def test_a_bucket_that_is_there_already(gateway_a, root_a):
    """As in us-east-1: one's own again succeeds and changes nothing, that of another account is refused."""
    name = make_bucket(root_a, "there-already")
    root_a.put_object(Bucket=name, Key="k", Body=b"x")
    root_a.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "team", "Value": "blue"}]})
    again = client("s3", gateway_a.url, world.ROOT).create_bucket(Bucket=name)
    assert again["Location"] == f"/{name}"
    assert root_a.get_bucket_tagging(Bucket=name)["TagSet"] and root_a.list_objects_v2(Bucket=name)["KeyCount"] == 1
    with refused("BucketAlreadyExists", 409):
        client("s3", gateway_a.url, world.DORA).create_bucket(Bucket=name)
    with refused("AccessDenied", 403):
        client("s3", gateway_a.url, world.BOB).create_bucket(Bucket=name)


def tool(server, key, words, region=REGION):
    env = {"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret, "AWS_ENDPOINT_URL": server.url}
    return run([kelpgate.binary(), *words.split()], check=False, env={**env, "AWS_REGION": "", "AWS_DEFAULT_REGION": region})


def test_tools_sign_for_the_region_of_the_environment(server):
    done = tool(server, server.root, "why 0123456789ABCDEF")
    assert (done.returncode, done.stdout) == (1, "") and "does not remember a refusal" in done.stderr, done
    done = tool(server, server.root, "why 0123456789ABCDEF", "us-west-2")
    assert (done.returncode, done.stdout) == (1, "") and REGION in done.stderr, done
    assert "<" not in done.stderr, "errors are told in words"


def test_tools_tell_errors_in_words(server, stranger):
    for words in ["sessions list", "sessions revocations", "sessions revoke -role=R", "why 0123456789ABCDEF"]:
        done = tool(server, stranger, words)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert "AccessDenied: " in done.stderr and "<" not in done.stderr, done
