"""Bucket policies: who is allowed, who is not, and what may be stored. On a filer, with users from the identities file."""

import http.client
import json
import ssl

import pytest

import kelpgate
from clients import body_of, keys_of, make_bucket, refused, s3
from processes import free_port, run
from signing import request, send
from world import ALICE, BOB, CAROL, DENIED, DORA, READER, ROOT, document, statement, user_arn


@pytest.fixture(scope="module")
def url(gateway_a):
    return gateway_a.url


@pytest.fixture
def bucket(root_a):
    name = make_bucket(root_a, "policy")
    for key in ("open/a", "open/b", "closed/a", "Open/a", "new\nline/a"):
        root_a.put_object(Bucket=name, Key=key, Body=b"content of " + key.encode())
    return name


def arn(bucket, key="*"):
    return f"arn:aws:s3:::{bucket}/{key}" if key is not None else f"arn:aws:s3:::{bucket}"


def set_policy(root, bucket, *statements):
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document(*statements)))


def to(principal, effect, action, resource, **more):
    return statement(effect, action, resource, Principal=principal, **more)


def aws(*arns):
    return {"AWS": list(arns)}


def outcome(url, key, method, bucket, object_key=None, query="", body=b""):
    """The HTTP status of one request; anonymous without a key."""
    path = f"{url}/{bucket}" + ("/" + object_key.replace("\n", "%0A") if object_key is not None else "") + query
    return (request(key, method, path, body) if key else send(method, path, body=body)).status


# ---- decisions


def test_allow_of_a_named_user(url, root_a, bucket):
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", ["s3:GetObject", "s3:PutObject"], arn(bucket, "open/*")))
    for key, method, object_key, want in [
        (BOB, "GET", "open/a", 200),
        (BOB, "HEAD", "open/a", 200),
        (BOB, "PUT", "open/new", 200),
        (BOB, "GET", "closed/a", 403),
        (BOB, "GET", "Open/a", 403),  # keys are case-sensitive
        (BOB, "DELETE", "open/a", 403),
        (BOB, "GET", None, 403),
        (CAROL, "GET", "open/a", 403),
        (None, "GET", "open/a", 403),
        (ALICE, "GET", "closed/a", 200),  # by her own policies
    ]:
        assert outcome(url, key, method, bucket, object_key, body=b"x" if method == "PUT" else b"") == want, (
            method,
            object_key,
        )


def test_allow_across_accounts(url, root_a, bucket):
    carol = user_arn("carol", "111122223333")
    set_policy(root_a, bucket, to(aws(carol), "Allow", "s3:GetObject", arn(bucket, "open/*")))
    assert outcome(url, CAROL, "GET", bucket, "open/a") == 200
    assert outcome(url, CAROL, "GET", bucket, "closed/a") == 403
    # The same name in another account is a different user.
    set_policy(root_a, bucket, to(aws(user_arn("carol")), "Allow", "s3:GetObject", arn(bucket, "open/*")))
    assert outcome(url, CAROL, "GET", bucket, "open/a") == 403


@pytest.mark.parametrize(
    "principal, bob, carol",
    [
        (lambda: "*", 200, 200),
        (lambda: {"AWS": "*"}, 200, 200),
        (lambda: {"AWS": user_arn("bob")}, 200, 403),
        (lambda: {"AWS": [user_arn("carol", "111122223333"), user_arn("bob")]}, 200, 200),
        # A grant to the own account gives only what the identity's policies allow. In AWS, another account needs both.
        # bob has no policies of his own.
        (lambda: {"AWS": "arn:aws:iam::000000000000:root"}, 403, 403),
        (lambda: {"AWS": "000000000000"}, 403, 403),
        (lambda: {"AWS": user_arn("BOB")}, 403, 403),
        (lambda: {"AWS": "arn:aws:iam::000000000000:role/bob"}, 403, 403),
    ],
    ids=["star", "aws-star", "user", "users", "account-root", "account-number", "case", "role-of-that-name"],
)
def test_principals(url, root_a, bucket, principal, bob, carol):
    set_policy(root_a, bucket, to(principal(), "Allow", "s3:GetObject", arn(bucket)))
    assert (outcome(url, BOB, "GET", bucket, "open/a"), outcome(url, CAROL, "GET", bucket, "open/a")) == (bob, carol)


def test_anonymous_public_read(url, root_a, bucket):
    set_policy(root_a, bucket, to("*", "Allow", "s3:GetObject", arn(bucket, "open/*")))
    for method, object_key, want in [
        ("GET", "open/a", 200),
        ("HEAD", "open/a", 200),
        ("GET", "closed/a", 403),
        ("GET", None, 403),
        ("PUT", "open/a", 403),
        ("DELETE", "open/a", 403),
        # Without ListBucket, callers do not learn whether a key exists.
        ("GET", "open/absent", 403),
    ]:
        assert outcome(url, None, method, bucket, object_key) == want, (method, object_key)
    set_policy(
        root_a,
        bucket,
        to("*", "Allow", ["s3:GetObject"], arn(bucket)),
        to("*", "Allow", "s3:ListBucket", arn(bucket, None)),
    )
    assert outcome(url, None, "GET", bucket) == 200
    assert outcome(url, None, "GET", bucket, "open/absent") == 404
    assert "open/a" in keys_of(s3(url).list_objects_v2(Bucket=bucket))


def test_deny_beats_everything(url, root_a, bucket):
    set_policy(
        root_a,
        bucket,
        to("*", "Allow", "s3:GetObject", arn(bucket)),
        to("*", "Deny", "s3:GetObject", arn(bucket, "closed/*")),
    )
    for key in (None, BOB, ALICE, CAROL):
        assert outcome(url, key, "GET", bucket, "open/a") == 200
        assert outcome(url, key, "GET", bucket, "closed/a") == 403
    # The account's root is denied too, but can still correct the policy.
    assert outcome(url, ROOT, "GET", bucket, "closed/a") == 403
    root_a.delete_bucket_policy(Bucket=bucket)
    assert outcome(url, ROOT, "GET", bucket, "closed/a") == 200


def test_identity_deny_beats_a_bucket_allow(url, root_a):
    """An allow in a bucket policy replaces the identity's allow, but never overrides its deny."""
    if "world-data" not in [b["Name"] for b in root_a.list_buckets()["Buckets"]]:
        root_a.create_bucket(Bucket="world-data")
    root_a.put_object(Bucket="world-data", Key="secret/a", Body=b"s")
    root_a.put_object(Bucket="world-data", Key="free/a", Body=b"f")
    assert outcome(url, DENIED, "GET", "world-data", "free/a") == 200
    assert outcome(url, DENIED, "GET", "world-data", "secret/a") == 403
    set_policy(root_a, "world-data", to(aws(user_arn("denied")), "Allow", "s3:GetObject", arn("world-data")))
    assert outcome(url, DENIED, "GET", "world-data", "free/a") == 200
    assert outcome(url, DENIED, "GET", "world-data", "secret/a") == 403
    root_a.delete_bucket_policy(Bucket="world-data")


def test_deny_covers_keys_with_a_line_feed(url, root_a, bucket):
    set_policy(
        root_a,
        bucket,
        to("*", "Allow", "s3:GetObject", arn(bucket)),
        to("*", "Deny", "s3:GetObject", arn(bucket, "new*")),
    )
    assert outcome(url, BOB, "GET", bucket, "open/a") == 200
    assert outcome(url, BOB, "GET", bucket, "new\nline/a") == 403


def test_actions_ignore_case_and_take_wildcards(url, root_a, bucket):
    for action, want in [
        ("S3:getobject", 200),
        ("s3:Get*", 200),
        ("s3:*", 200),
        ("s3:GetObj?ct", 200),
        ("s3:Put*", 403),
        ("s3:GetObjectTagging", 403),
    ]:
        set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", action, arn(bucket)))
        assert outcome(url, BOB, "GET", bucket, "open/a") == want, action


@pytest.mark.parametrize(
    "condition, want",
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}}, 200),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, 403),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, 403),
        ({"StringEquals": {"aws:username": "bob"}}, 200),
        ({"StringEquals": {"aws:username": "Bob"}}, 403),
        ({"StringEqualsIgnoreCase": {"aws:username": "BOB"}}, 200),
        ({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/b?b"}}, 200),
        ({"Bool": {"aws:SecureTransport": "true"}}, 403),
        ({"Bool": {"aws:SecureTransport": "false"}}, 200),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, 200),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, 403),
        ({"Null": {"aws:TokenIssueTime": "true"}}, 200),
        ({"StringEqualsIfExists": {"aws:PrincipalTag/none": "x"}}, 200),
        ({"StringEquals": {"aws:PrincipalTag/none": "x"}}, 403),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_conditions(url, root_a, bucket, condition, want):
    """An operator or key that is not evaluated yet is refused when the policy is put; it never widens the grant."""
    policy = document(to(aws(user_arn("bob")), "Allow", "s3:GetObject", arn(bucket), Condition=condition))
    answer = request(ROOT, "PUT", f"{url}/{bucket}?policy", json.dumps(policy).encode())
    assert answer.status in (200, 204, 400, 501), answer
    if answer.status < 300:
        assert outcome(url, BOB, "GET", bucket, "open/a") == want
    else:
        assert answer.code in ("MalformedPolicy", "NotImplemented")
        assert outcome(url, BOB, "GET", bucket, "open/a") == 403


def test_a_source_address_cannot_be_claimed(url, root_a, bucket):
    set_policy(
        root_a,
        bucket,
        to("*", "Allow", "s3:GetObject", arn(bucket), Condition={"IpAddress": {"aws:SourceIp": "10.1.2.3"}}),
    )
    for header in ("x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip"):
        value = "for=10.1.2.3" if header == "forwarded" else "10.1.2.3"
        assert send("GET", f"{url}/{bucket}/open/a", {header: value}).status == 403, header


def test_list_with_a_prefix_condition(url, root_a, bucket):
    set_policy(
        root_a,
        bucket,
        to(
            aws(user_arn("bob")),
            "Allow",
            "s3:ListBucket",
            arn(bucket, None),
            Condition={"StringLike": {"s3:prefix": "open/*"}},
        ),
    )
    assert outcome(url, BOB, "GET", bucket, query="?list-type=2&prefix=open/") == 200
    assert outcome(url, BOB, "GET", bucket, query="?list-type=2&prefix=closed/") == 403
    assert outcome(url, BOB, "GET", bucket, query="?list-type=2") == 403


# ---- every operation asks for its own action

OPERATIONS = [
    ("GET", "/open/a", "s3:GetObject", None),
    ("PUT", "/open/w", "s3:PutObject", None),
    ("DELETE", "/open/b", "s3:DeleteObject", None),
    ("GET", "/open/a?tagging", "s3:GetObjectTagging", None),
    ("DELETE", "/open/a?tagging", "s3:DeleteObjectTagging", None),
    ("GET", "/open/a?acl", "s3:GetObjectAcl", None),
    ("GET", "", "s3:ListBucket", "bucket"),
    ("HEAD", "", "s3:ListBucket", "bucket"),
    ("GET", "?location", "s3:GetBucketLocation", "bucket"),
    ("GET", "?uploads", "s3:ListBucketMultipartUploads", "bucket"),
    ("GET", "?policy", "s3:GetBucketPolicy", "bucket"),
    ("GET", "?policyStatus", "s3:GetBucketPolicyStatus", "bucket"),
    ("GET", "?versioning", "s3:GetBucketVersioning", "bucket"),
    ("GET", "?acl", "s3:GetBucketAcl", "bucket"),
    ("GET", "?tagging", "s3:GetBucketTagging", "bucket"),
    ("DELETE", "?policy", "s3:DeleteBucketPolicy", "bucket"),
]


@pytest.mark.parametrize("method, path, action, level", OPERATIONS, ids=[f"{m}{p}" for m, p, _, _ in OPERATIONS])
def test_operation_needs_exactly_its_action(url, root_a, bucket, method, path, action, level):
    resource = arn(bucket, None) if level else arn(bucket)
    bob = aws(user_arn("bob"))
    call = lambda: request(BOB, method, f"{url}/{bucket}{path}", b"x" if method == "PUT" else b"")
    other = "s3:PutBucketTagging" if level else "s3:AbortMultipartUpload"
    set_policy(root_a, bucket, to(bob, "Allow", other, resource))
    assert call().status == 403
    set_policy(root_a, bucket, to(bob, "Allow", action, resource))
    allowed = call()
    assert allowed.status != 403, allowed


def test_copy_reads_the_source(url, root_a, bucket):
    bob = aws(user_arn("bob"))
    source = {"x-amz-copy-source": f"{bucket}/closed/a"}
    set_policy(root_a, bucket, to(bob, "Allow", ["s3:PutObject", "s3:GetObject"], arn(bucket, "open/*")))
    assert request(BOB, "PUT", f"{url}/{bucket}/open/copy", headers=source).status == 403
    assert request(BOB, "PUT", f"{url}/{bucket}/open/copy", headers={"x-amz-copy-source": f"{bucket}/open/a"}).status == 200
    upload_id = s3(url, BOB).create_multipart_upload(Bucket=bucket, Key="open/mp")["UploadId"]
    part = f"{url}/{bucket}/open/mp?partNumber=1&uploadId={upload_id}"
    assert request(BOB, "PUT", part, headers=source).status == 403
    assert request(BOB, "PUT", part, headers={"x-amz-copy-source": f"{bucket}/open/a"}).status == 200


def test_delete_objects_answers_each_key_to_who_may_delete_nothing(url, root_a, bucket):
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", "s3:GetObject", arn(bucket)))
    got = s3(url, BOB).delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "open/a"}, {"Key": "closed/a"}]})
    assert [error["Code"] for error in got["Errors"]] == ["AccessDenied"] * 2
    body = b"<Delete><Object><Key>open/a</Key></Object></Delete>"
    assert send("POST", f"{url}/{bucket}?delete", {}, body).status == 403


def test_delete_objects_asks_for_each_key(url, root_a, bucket):
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", "s3:DeleteObject", arn(bucket, "open/*")))
    got = s3(url, BOB).delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "open/a"}, {"Key": "closed/a"}]})
    assert [d["Key"] for d in got["Deleted"]] == ["open/a"]
    assert [(e["Key"], e["Code"]) for e in got["Errors"]] == [("closed/a", "AccessDenied")]
    assert body_of(root_a, bucket, "closed/a")


def test_tagging_header_needs_its_permission(url, root_a, bucket):
    bob = aws(user_arn("bob"))
    put = lambda: request(BOB, "PUT", f"{url}/{bucket}/open/t", b"x", {"x-amz-tagging": "a=1"})
    set_policy(root_a, bucket, to(bob, "Allow", "s3:PutObject", arn(bucket)))
    assert put().status == 403
    set_policy(root_a, bucket, to(bob, "Allow", ["s3:PutObject", "s3:PutObjectTagging"], arn(bucket)))
    assert put().status == 200


def test_denial_says_why(url, root_a, bucket):
    set_policy(root_a, bucket, to("*", "Deny", "s3:GetObject", arn(bucket, "closed/*"), Sid="KeepOut"))
    answer = request(ALICE, "GET", f"{url}/{bucket}/closed/a")
    text = answer.body.decode()
    assert answer.code == "AccessDenied" and "<DecisionId>" in text and user_arn("alice") in text, text
    assert "s3:GetObject" in text and "explicit deny" in text.lower(), text
    nobody = request(BOB, "GET", f"{url}/{bucket}/open/a").body.decode()
    assert "s3:GetObject" in nobody and "<DecisionId>" in nobody, nobody


# ---- put, get, delete, status


def test_policy_comes_back(root_a, bucket):
    with refused("NoSuchBucketPolicy", 404):
        root_a.get_bucket_policy(Bucket=bucket)
    policy = document(to(aws(user_arn("bob")), "Allow", ["s3:GetObject", "s3:PutObject"], [arn(bucket)], Sid="One"))
    root_a.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    got = json.loads(root_a.get_bucket_policy(Bucket=bucket)["Policy"])
    (one,) = got["Statement"]
    assert (one["Sid"], one["Effect"], one["Action"]) == ("One", "Allow", ["s3:GetObject", "s3:PutObject"])
    root_a.delete_bucket_policy(Bucket=bucket)
    with refused("NoSuchBucketPolicy", 404):
        root_a.get_bucket_policy(Bucket=bucket)
    root_a.delete_bucket_policy(Bucket=bucket)


@pytest.mark.parametrize(
    "statement_of, public",
    [
        (lambda b: to("*", "Allow", "s3:GetObject", arn(b)), True),
        (lambda b: to({"AWS": "*"}, "Allow", "s3:GetObject", arn(b)), True),
        (lambda b: to(aws(user_arn("bob")), "Allow", "s3:GetObject", arn(b)), False),
        (lambda b: to("*", "Deny", "s3:GetObject", arn(b)), False),
        (
            lambda b: to("*", "Allow", "s3:GetObject", arn(b), Condition={"IpAddress": {"aws:SourceIp": "10.1.2.3/32"}}),
            False,
        ),
    ],
    ids=["star", "aws-star", "user", "deny", "one-address"],
)
def test_policy_status(root_a, bucket, statement_of, public):
    set_policy(root_a, bucket, statement_of(bucket))
    assert root_a.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is public


GOOD = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    '"Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}'
)


@pytest.mark.parametrize(
    "old, new",
    [
        (GOOD, ""),
        (GOOD, "[]"),
        (GOOD, '"text"'),
        (GOOD, GOOD + "x"),
        ('"2012-10-17"', '"2012-10-18"'),
        ('"Statement":[', '"Statements":['),
        (GOOD, '{"Version":"2012-10-17","Statement":[]}'),
        ('"Allow"', '"allow"'),
        ('"Effect":"Allow",', ""),
        ('"Principal":"*",', ""),
        ('"Principal":"*"', '"Principal":""'),
        ('"Principal":"*"', '"Principal":[]'),
        ('"Principal":"*"', '"Principal":{}'),
        ('"Principal":"*"', '"Principal":{"AWS":[]}'),
        ('"Principal":"*"', '"Principal":{"Aws":"*"}'),
        ('"Principal":"*"', '"Principal":"bob"'),
        ('"Action":"s3:GetObject",', ""),
        ('"s3:GetObject"', '"iam:CreateUser"'),
        ('"s3:GetObject"', '"s3:NoSuchAction"'),
        ('"s3:GetObject"', '""'),
        ('"s3:GetObject"', '[]'),
        ('"s3:GetObject"', '7'),
        (',"Resource":"arn:aws:s3:::BUCKET/*"', ""),
        ("arn:aws:s3:::BUCKET/*", "arn:aws:s3:::another-bucket/*"),
        ("arn:aws:s3:::BUCKET/*", "BUCKET/*"),
        ("arn:aws:s3:::BUCKET/*", "arn:aws:s3:::BUCKET"),
        ('"Principal":"*"', '"NotPrincipal":"*"'),
        ('"Principal":"*"', '"Principal":"*","Extra":1'),
        ('"Principal":"*"', '"Principal":"*","Condition":{"StringFoo":{"aws:username":"x"}}'),
        ('"Principal":"*"', '"Principal":"*","Condition":{"StringEquals":"x"}'),
        ('"Principal":"*"', '"Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/99"}}'),
        ('"Principal":"*"', '"Principal":"*","Condition":{"NumericEquals":{"s3:max-keys":"many"}}'),
        ('"Principal":"*"', '"Principal":"*","Conditions":{}'),
        ('"Principal":"*"', '"Principal":"*","Principal":{"AWS":"x"}'),
    ],
    ids=lambda text: text[:60] or "empty",
)  # fmt: skip
def test_malformed_policies_are_refused_and_change_nothing(url, root_a, bucket, old, new):
    assert old in GOOD
    set_policy(root_a, bucket, to("*", "Deny", "s3:GetObject", arn(bucket, "closed/*")))
    policy = GOOD.replace(old, new).replace("BUCKET", bucket)
    answer = request(ROOT, "PUT", f"{url}/{bucket}?policy", policy.encode())
    assert answer.status == 400 and answer.code in ("MalformedPolicy", "MissingRequestBodyError", "InvalidArgument"), answer
    assert json.loads(root_a.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Effect"] == "Deny"


def test_policy_size_limit(url, bucket):
    """20 KB is S3's limit for a bucket policy."""
    for statements, want in [(80, (200, 204)), (200, (400,))]:
        many = [to(aws(user_arn(f"user{n}")), "Allow", "s3:GetObject", arn(bucket, f"prefix/{n}/*")) for n in range(statements)]
        policy = json.dumps(document(*many)).encode()
        assert (len(policy) > 20_480) is (want == (400,))
        answer = request(ROOT, "PUT", f"{url}/{bucket}?policy", policy)
        assert answer.status in want and answer.code in (None, "PolicyTooLarge", "MalformedPolicy"), answer


def test_policy_of_a_bucket_that_is_not_there(root_a):
    with refused("NoSuchBucket", 404):
        root_a.get_bucket_policy(Bucket="no-such-bucket-at-all")
    with refused("NoSuchBucket", 404):
        root_a.put_bucket_policy(Bucket="no-such-bucket-at-all", Policy=GOOD.replace("BUCKET", "no-such-bucket-at-all"))


def test_only_those_allowed_may_write_policies(url, root_a, bucket):
    policy = GOOD.replace("BUCKET", bucket).encode()
    for key in (ALICE, BOB, READER, CAROL):
        for method, body in [("GET", b""), ("PUT", policy), ("DELETE", b"")]:
            if (key, method) == (ALICE, "GET"):
                continue  # `Read` covers the configuration of buckets
            assert request(key, method, f"{url}/{bucket}?policy", body).status == 403, method
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", "s3:PutBucketPolicy", arn(bucket, None)))
    assert request(BOB, "PUT", f"{url}/{bucket}?policy", policy).status in (200, 204)
    assert outcome(url, None, "GET", bucket, "open/a") == 200


OWNERS_ONLY = [
    ("GET", "policy"),
    ("PUT", "policy"),
    ("DELETE", "policy"),
    ("GET", "ownershipControls"),
    ("PUT", "ownershipControls"),
    ("DELETE", "ownershipControls"),
    ("GET", "publicAccessBlock"),
    ("PUT", "publicAccessBlock"),
    ("DELETE", "publicAccessBlock"),
]


@pytest.mark.parametrize("method, parameter", OWNERS_ONLY)
def test_other_accounts_neither_read_nor_change_who_may_do_what(url, root_a, bucket, method, parameter):
    """Whatever the bucket policy grants: 405 if it would allow the call, 403 if it would not."""
    body = GOOD.replace("BUCKET", bucket).encode() if parameter == "policy" else b"<x/>"
    body = body if method == "PUT" else b""
    target = f"{url}/{bucket}?{parameter}"

    def ask(key):
        return request(key, method, target, body) if key else send(method, target, {}, body)

    strangers = (CAROL, DORA, None)
    assert [ask(key).status for key in strangers] == [403, 403, 403]
    everything = [arn(bucket, None), arn(bucket)]
    for principal, want in [
        ("*", [405, 405, 405]),
        (aws("arn:aws:iam::111122223333:root"), [403, 405, 403]),  # carol has no policies of her own
        (aws(user_arn("carol", "111122223333")), [405, 403, 403]),
    ]:
        set_policy(root_a, bucket, to(principal, "Allow", "s3:*", everything))
        before = root_a.get_bucket_policy(Bucket=bucket)["Policy"]
        answers = [ask(key) for key in strangers]
        assert [answer.status for answer in answers] == want, (principal, answers)
        assert {answer.code for answer in answers} <= {"MethodNotAllowed", "AccessDenied"}
        assert root_a.get_bucket_policy(Bucket=bucket)["Policy"] == before
    # The grant still gives everything it can.
    assert outcome(url, CAROL, "GET", bucket, "open/a") == 200
    assert request(CAROL, "GET", f"{url}/{bucket}?policyStatus").status == 200
    # In the owner's account it gives all of it.
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", "s3:*", everything))
    assert request(BOB, method, target, body).status not in (403, 405)


def test_a_copy_of_tags_needs_the_permissions_of_tags(gateway_a, root_a, bucket):
    root_a.put_object_tagging(Bucket=bucket, Key="open/a", Tagging={"TagSet": [{"Key": "team", "Value": "blue"}]})
    objects = ["s3:GetObject", "s3:PutObject"]
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", objects, arn(bucket)))
    bob = s3(gateway_a.url, BOB)
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/open/a"}
    with refused("AccessDenied", 403):
        bob.copy_object(**copy)
    bob.copy_object(**copy, TaggingDirective="REPLACE")
    bob.copy_object(**copy | {"CopySource": f"{bucket}/open/b"})  # no tags, so no further permission is needed
    tags = ["s3:GetObjectTagging", "s3:PutObjectTagging"]
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", objects + tags, arn(bucket)))
    bob.copy_object(**copy)
    assert root_a.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "team", "Value": "blue"}]


def test_a_copy_does_not_tell_missing_keys(gateway_a, root_a, bucket):
    set_policy(root_a, bucket, to(aws(user_arn("bob")), "Allow", ["s3:GetObject", "s3:PutObject"], arn(bucket)))
    bob = s3(gateway_a.url, BOB)
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/nothing"}
    with refused("AccessDenied", 403):
        bob.copy_object(**copy)
    with refused("NoSuchKey", 404):
        root_a.copy_object(**copy)


@pytest.mark.parametrize(
    "condition, below, elsewhere",
    [
        ({"StringLike": {"s3:prefix": ["team/*"]}}, 404, 403),
        ({"StringLike": {"s3:prefix": ["", "team/"]}}, 403, 403),
        ({"StringLike": {"s3:prefix": ["team/*"]}, "StringEquals": {"s3:delimiter": "/"}}, 403, 403),
        ({"StringNotLike": {"s3:prefix": ["team/*"]}}, 403, 404),
        ({"Null": {"s3:prefix": "true"}}, 403, 403),
        ({}, 404, 404),
    ],
)
def test_who_may_list_by_a_key_learns_that_it_is_missing(url, root_a, bucket, condition, below, elsewhere):
    may_list = to(aws(user_arn("bob")), "Allow", "s3:ListBucket", arn(bucket, None), Condition=condition)
    may_read = to(aws(user_arn("bob")), "Allow", ["s3:GetObject", "s3:GetObjectAttributes", "s3:PutObject"], arn(bucket))
    set_policy(root_a, bucket, may_list, may_read)
    for key, want in [("team/state", below), ("team", elsewhere), ("other/state", elsewhere)]:
        for method in ("GET", "HEAD"):
            assert outcome(url, BOB, method, bucket, key) == want, (method, key)
        copy = request(BOB, "PUT", f"{url}/{bucket}/copy", headers={"x-amz-copy-source": f"/{bucket}/{key}"})
        assert copy.status == want, key


def test_no_one_else_learns_which_keys_exist(url, root_a, bucket):
    """With a Deny for the prefix, without s3:GetObject, and without any permission, a key that exists looks like one that does not."""
    everything = to(aws(user_arn("bob")), "Allow", "s3:*", [arn(bucket, None), arn(bucket)])
    not_closed = to("*", "Deny", "s3:ListBucket", arn(bucket, None), Condition={"StringLike": {"s3:prefix": "closed/*"}})
    not_read = to("*", "Deny", "s3:GetObject", arn(bucket, "closed/*"))
    for statements in ([everything, not_closed, not_read], [everything, not_read], []):
        root_a.delete_bucket_policy(Bucket=bucket)
        if statements:
            set_policy(root_a, bucket, *statements)
        for key in (BOB, None):
            assert outcome(url, key, "HEAD", bucket, "closed/a") == outcome(url, key, "HEAD", bucket, "closed/b") == 403


def test_the_version_of_tls_decides(logs):
    """As in AWS's example, everything below 1.3 is denied. Without TLS there is no version, and the Deny does not match."""
    directory = logs / "tls-version"
    directory.mkdir(parents=True)
    key, certificate, port = directory / "key.pem", directory / "cert.pem", free_port()
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1", "-keyout", key, "-out", certificate])
    flags = [f"-port.https={port}", f"-key.file={key}", f"-cert.file={certificate}"]
    server = kelpgate.SingleMachine(directory, flags, name="tls-version")
    root = s3(server.url, server.root)
    root.create_bucket(Bucket="tls-version")
    root.put_object(Bucket="tls-version", Key="k", Body=b"v")
    old = {"NumericLessThan": {"s3:TlsVersion": 1.3}}
    set_policy(
        root,
        "tls-version",
        to("*", "Allow", "s3:GetObject", arn("tls-version")),
        to("*", "Deny", "s3:GetObject", arn("tls-version"), Condition=old),
    )

    def status(version, headers=()):
        context = ssl._create_unverified_context()
        context.minimum_version = context.maximum_version = version
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        connection.request("GET", "/tls-version/k", headers=dict(headers))
        return connection.getresponse().status

    assert status(ssl.TLSVersion.TLSv1_3) == 200
    assert status(ssl.TLSVersion.TLSv1_2) == 403
    assert status(ssl.TLSVersion.TLSv1_2, {"x-forwarded-proto": "http"}.items()) == 403
    assert send("GET", f"{server.url}/tls-version/k").status == 200
    server.stop()
