"""Buckets and objects of `weed s3` with features that Kelpgate does not support yet are not damaged.

A Get* returns what is stored, or AWS's answer for "none". A write or delete that would break a promise is refused by name.
An unknown operation is answered with NotImplemented and its name, and never treated as another one.
"""

import base64
import datetime
import hashlib
import time

import pytest
import requests
from botocore.exceptions import ClientError

import kelpgate
from clients import body_of, keys_of, make_bucket, refused, s3, unique
from processes import wait_for
from signing import request
from world import ROOT


@pytest.fixture(scope="module")
def plain(root_weed):
    """A bucket of `weed s3` without any configuration."""
    name = make_bucket(root_weed, "plain")
    root_weed.put_object(Bucket=name, Key="k", Body=b"x")
    return name


@pytest.fixture
def fresh(root_weed):
    """Like `plain`, for one test that may break it."""
    name = make_bucket(root_weed, "fresh")
    root_weed.put_object(Bucket=name, Key="k", Body=b"x")
    return name


@pytest.fixture(scope="module")
def versioned(root_weed, root_a):
    """A versioned bucket with two versions of `k` and one deleted key."""
    name = make_bucket(root_weed, "versioned")
    root_weed.put_object(Bucket=name, Key="before", Body=b"before versioning")
    root_weed.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second"):
        root_weed.put_object(Bucket=name, Key="k", Body=body)
    root_weed.put_object(Bucket=name, Key="gone", Body=b"x")
    root_weed.delete_object(Bucket=name, Key="gone")
    wait_for(lambda: root_a.get_bucket_versioning(Bucket=name).get("Status"), 5, "the change to arrive")
    return name


@pytest.fixture(scope="module")
def locked(root_weed, root_a):
    """A bucket with object lock, and an object under retention and legal hold."""
    name = unique("locked")
    root_weed.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    root_weed.put_object(
        Bucket=name, Key="held", Body=b"held", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON",
    )  # fmt: skip
    eventually(lambda: root_a.get_object_lock_configuration(Bucket=name))
    return name


def eventually(call, seconds=5):
    """The answer of `call` once it gives one: changes by `weed s3` arrive through the filer's change feed."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


# ---- Get* of what does not exist: AWS's answer for "none"


@pytest.mark.parametrize(
    "operation, want",
    [
        ("get_bucket_versioning", lambda got: "Status" not in got),
        ("get_bucket_acl", lambda got: got["Grants"][0]["Permission"] == "FULL_CONTROL" and got["Owner"]["ID"]),
        ("get_bucket_logging", lambda got: "LoggingEnabled" not in got),
        ("get_bucket_notification_configuration", lambda got: not [k for k in got if k.endswith("Configurations")]),
        ("get_bucket_request_payment", lambda got: got["Payer"] == "BucketOwner"),
        ("get_bucket_accelerate_configuration", lambda got: "Status" not in got),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
        ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_policy_status", ("NoSuchBucketPolicy",)),
    ],
)
def test_none_of_a_plain_bucket(root_a, plain, operation, want):
    call = getattr(root_a, operation)
    if callable(want):
        assert want(call(Bucket=plain))
    elif operation == "get_bucket_policy_status":
        try:
            assert call(Bucket=plain)["PolicyStatus"]["IsPublic"] is False
        except ClientError as error:
            assert error.response["Error"]["Code"] in want
    else:
        with refused(want, 404):
            call(Bucket=plain)


def test_encryption_and_ownership_of_a_plain_bucket(root_a, plain):
    """AWS returns its defaults. An answer that nothing is configured is acceptable as well."""
    for operation, none in [
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
    ]:
        try:
            got = getattr(root_a, operation)(Bucket=plain)
            assert "ServerSideEncryptionConfiguration" in got or "OwnershipControls" in got
        except ClientError as error:
            assert error.response["Error"]["Code"] == none


def test_none_of_a_plain_object(root_a, plain):
    acl = root_a.get_object_acl(Bucket=plain, Key="k")
    assert acl["Owner"]["ID"] and [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL"]
    for operation in ("get_object_retention", "get_object_legal_hold"):
        with refused(("NoSuchObjectLockConfiguration", "InvalidRequest", "ObjectLockConfigurationNotFoundError")):
            getattr(root_a, operation)(Bucket=plain, Key="k")


# ---- Get* of what `weed s3` stored


def test_stored_configurations_come_back(root_weed, root_a):
    name = make_bucket(root_weed, "configured")
    cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://kelp.example"], "MaxAgeSeconds": 7}]}
    root_weed.put_bucket_cors(Bucket=name, CORSConfiguration=cors)
    lifecycle = {"Rules": [{"ID": "one", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]}
    root_weed.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=lifecycle)
    root_weed.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    by_default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    root_weed.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [by_default]})
    got = eventually(lambda: root_a.get_bucket_encryption(Bucket=name))["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert got["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    got = root_a.get_bucket_cors(Bucket=name)["CORSRules"][0]
    assert (got["AllowedMethods"], got["AllowedOrigins"], got["MaxAgeSeconds"]) == (["GET"], ["https://kelp.example"], 7)
    got = root_a.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]
    assert (got["ID"], got["Status"], got["Expiration"]["Days"]) == ("one", "Enabled", 3)
    assert root_a.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "a", "Value": "1"}]
    # A change by Kelpgate leaves the other configurations alone.
    root_a.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert root_weed.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "b", "Value": "2"}]
    assert root_weed.get_bucket_cors(Bucket=name)["CORSRules"][0]["AllowedOrigins"] == ["https://kelp.example"]
    assert root_weed.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert root_weed.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]["ID"] == "one"


def test_a_stored_acl_comes_back(root_weed, root_a):
    name = unique("acl")
    root_weed.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    root_weed.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    root_weed.put_bucket_acl(Bucket=name, ACL="public-read")
    wait_for(lambda: len(root_a.get_bucket_acl(Bucket=name)["Grants"]) > 1, 5, "the change to arrive")
    grants = root_a.get_bucket_acl(Bucket=name)["Grants"]
    assert ("http://acs.amazonaws.com/groups/global/AllUsers", "READ") in [
        (g["Grantee"].get("URI"), g["Permission"]) for g in grants
    ]
    assert root_a.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"][0]["ObjectOwnership"] == "ObjectWriter"


def test_cors_preflight_of_a_stored_rule(root_weed, root_a, gateway_a):
    name = make_bucket(root_weed, "preflight")
    rule = {
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://kelp.example"],
        "AllowedHeaders": ["x-amz-*"],
        "MaxAgeSeconds": 7,
    }
    root_weed.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule]})
    eventually(lambda: root_a.get_bucket_cors(Bucket=name))
    ask = lambda origin, method: requests.options(
        f"{gateway_a.url}/{name}/k", timeout=5,
        headers={"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-amz-date"},
    )  # fmt: skip
    good = ask("https://kelp.example", "PUT")
    assert good.status_code in (200, 204) and good.headers["access-control-allow-origin"] == "https://kelp.example", good.headers
    assert good.headers["access-control-max-age"] == "7" and "PUT" in good.headers["access-control-allow-methods"]
    for origin, method in [("https://evil.example", "GET"), ("https://kelp.example", "DELETE")]:
        assert "access-control-allow-origin" not in ask(origin, method).headers, (origin, method)


def test_cors_preflight_of_allowed_origins(logs, cluster, config_flags, plain):
    gateway = kelpgate.gateway(
        "cors", logs / "cors", cluster.filer, [*config_flags, "-allowedOrigins=https://one.example,https://two.example"]
    )
    ask = lambda origin: requests.options(
        f"{gateway.url}/{plain}/k", timeout=5, headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
    )
    for origin in ("https://one.example", "https://two.example"):
        assert ask(origin).headers.get("access-control-allow-origin") == origin
    refused_ = ask("https://three.example")
    assert "access-control-allow-origin" not in refused_.headers
    gateway.stop()


# ---- versioning


def test_versions_are_read(root_a, versioned):
    assert root_a.get_bucket_versioning(Bucket=versioned)["Status"] == "Enabled"
    assert body_of(root_a, versioned, "before") == b"before versioning"
    assert body_of(root_a, versioned, "k") == b"second"
    with refused("NoSuchKey", 404):
        root_a.get_object(Bucket=versioned, Key="gone")
    assert keys_of(root_a.list_objects_v2(Bucket=versioned)) == ["before", "k"]


def test_a_versioned_bucket_is_not_empty(root_weed, root_a):
    """Versions and delete markers keep a bucket from being deleted even if it has no current object."""
    name = make_bucket(root_weed, "only-versions")
    root_weed.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    root_weed.put_object(Bucket=name, Key="k", Body=b"precious")
    root_weed.delete_object(Bucket=name, Key="k")
    wait_for(lambda: root_a.get_bucket_versioning(Bucket=name).get("Status"), 5, "the change to arrive")
    with refused(("BucketNotEmpty", "NotImplemented")):
        root_a.delete_bucket(Bucket=name)
    versions = root_weed.list_object_versions(Bucket=name)["Versions"]
    assert body_of(root_weed, name, "k", VersionId=versions[0]["VersionId"]) == b"precious"


# ---- object lock


def test_a_lock_is_read(root_a, locked):
    assert root_a.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
    assert body_of(root_a, locked, "held") == b"held"
    head = root_a.head_object(Bucket=locked, Key="held")
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")
    assert root_a.get_object_retention(Bucket=locked, Key="held")["Retention"]["Mode"] == "GOVERNANCE"
    assert root_a.get_object_legal_hold(Bucket=locked, Key="held")["LegalHold"]["Status"] == "ON"


def test_a_lock_that_weed_set_holds(root_a, root_weed, locked):
    version = root_weed.head_object(Bucket=locked, Key="held")["VersionId"]
    for bypass in (False, True):
        with refused("AccessDenied", 403):
            root_a.delete_object(Bucket=locked, Key="held", VersionId=version, BypassGovernanceRetention=bypass)
    root_a.put_object_legal_hold(Bucket=locked, Key="held", VersionId=version, LegalHold={"Status": "OFF"})
    assert root_weed.get_object_legal_hold(Bucket=locked, Key="held", VersionId=version)["LegalHold"]["Status"] == "OFF"
    with refused("AccessDenied", 403):
        root_a.delete_object(Bucket=locked, Key="held", VersionId=version)
    assert body_of(root_weed, locked, "held") == b"held"
    root_a.put_object_legal_hold(Bucket=locked, Key="held", VersionId=version, LegalHold={"Status": "ON"})
    root_a.put_object(Bucket=locked, Key="held", Body=b"newer")
    assert body_of(root_weed, locked, "held") == b"newer" and body_of(root_weed, locked, "held", VersionId=version) == b"held"


def test_a_lock_that_kelpgate_set_holds_for_weed(root_a, root_weed):
    name = unique("kelp-locked")
    root_a.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    wait_for(lambda: root_weed.get_bucket_versioning(Bucket=name).get("Status") == "Enabled", 10, "the bucket to arrive")
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    root_a.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
    shown = root_weed.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    assert shown["Rule"] == rule
    version = root_a.put_object(Bucket=name, Key="k", Body=b"held", ObjectLockLegalHoldStatus="ON")["VersionId"]
    seen = root_weed.head_object(Bucket=name, Key="k", VersionId=version)
    assert (seen["ObjectLockMode"], seen["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")
    with refused("AccessDenied", 403):
        root_weed.delete_object(Bucket=name, Key="k", VersionId=version)
    assert body_of(root_a, name, "k", VersionId=version) == b"held"


# ---- server-side encryption


def test_objects_under_sse_are_refused_never_served_raw(root_weed, root_a, plain):
    key = b"k" * 32
    customer = {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": base64.b64encode(key).decode(),
        "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }
    root_weed.put_object(Bucket=plain, Key="sse-c", Body=b"plain text of the customer", **customer)
    for more in ({}, customer):
        with pytest.raises(ClientError) as caught:
            root_a.get_object(Bucket=plain, Key="sse-c", **more)
        assert caught.value.response["Error"]["Code"] in ("NotImplemented", "InvalidRequest", "AccessDenied")
    with pytest.raises(ClientError):
        root_a.copy_object(Bucket=plain, Key="sse-copy", CopySource=f"{plain}/sse-c")
    for more in (customer, {"ServerSideEncryption": "aws:kms"}):
        with refused("NotImplemented", 501):
            root_a.put_object(Bucket=plain, Key="sse-new", Body=b"x", **more)
    assert "sse-new" not in keys_of(root_a.list_objects_v2(Bucket=plain))


# ---- ACLs


@pytest.mark.parametrize(
    "acl, allowed",
    [
        ("private", True),
        ("bucket-owner-full-control", True),
        ("public-read", False),
        ("public-read-write", False),
        ("authenticated-read", False),
    ],
)
def test_canned_acls(root_a, plain, acl, allowed):
    calls = [
        lambda: root_a.put_object(Bucket=plain, Key="acl", Body=b"x", ACL=acl),
        lambda: root_a.copy_object(Bucket=plain, Key="acl-copy", CopySource=f"{plain}/k", ACL=acl),
        lambda: root_a.create_multipart_upload(Bucket=plain, Key="acl-upload", ACL=acl),
    ]
    for call in calls:
        if allowed:
            call()
        else:
            with refused("AccessControlListNotSupported", 400):
                call()


def test_grant_headers_are_refused(gateway_a, plain):
    for name in ("x-amz-grant-read", "x-amz-grant-full-control", "x-amz-grant-write-acp"):
        answer = request(
            ROOT,
            "PUT",
            f"{gateway_a.url}/{plain}/granted",
            b"x",
            {name: 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'},
        )
        assert (answer.status, answer.code) == (400, "AccessControlListNotSupported"), answer


def test_a_public_acl_of_weed_opens_nothing_beyond_what_it_says(root_weed, root_a, gateway_a):
    """With a stored bucket ACL, anonymous reads are allowed as by `weed s3`, or refused. Writes are always refused."""
    name = make_bucket(root_weed, "publicly")
    root_weed.put_object(Bucket=name, Key="k", Body=b"x")
    root_weed.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    root_weed.put_bucket_acl(Bucket=name, ACL="public-read")
    anonymous = s3(gateway_a.url)
    with refused("AccessDenied", 403):
        anonymous.put_object(Bucket=name, Key="k", Body=b"y")
    with refused("AccessDenied", 403):
        anonymous.delete_object(Bucket=name, Key="k")
    assert body_of(root_a, name, "k") == b"x"


# ---- what is not known


@pytest.mark.parametrize(
    "query",
    [
        "website", "logging", "notification", "replication", "requestPayment", "accelerate", "publicAccessBlock", "encryption",
        "lifecycle", "cors", "acl", "versioning", "object-lock", "ownershipControls", "analytics&id=a", "inventory&id=a",
        "metrics&id=a", "intelligent-tiering&id=a", "abac", "metadataTable", "metadataConfiguration", "unheard-of",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_sub_resources_of_a_bucket_do_not_become_the_bucket(gateway_a, root_a, fresh, query, method):
    """PutBucketWebsite on a new name does not create a bucket; DeleteBucketWebsite on a bucket does not delete it."""
    name = unique("no-such")
    body = b"<Configuration/>" if method == "PUT" else b""
    answer = request(ROOT, method, f"{gateway_a.url}/{name}?{query}", body)
    assert answer.status in (400, 404, 405, 501), answer
    assert name not in [b["Name"] for b in root_a.list_buckets()["Buckets"]]
    answer = request(ROOT, method, f"{gateway_a.url}/{fresh}?{query}", body)
    assert answer.status in (400, 405, 501) or (answer.status == 204 and method == "DELETE"), answer
    if answer.status == 501:
        assert answer.code == "NotImplemented" and len(answer.body) > 100, "the message names the operation"
    assert body_of(root_a, fresh, "k") == b"x"


@pytest.mark.parametrize(
    "method, query",
    [
        ("PUT", "acl"), ("PUT", "retention"), ("PUT", "legal-hold"), ("PUT", "torrent"), ("PUT", "renameObject"),
        ("PUT", "encryption"), ("PUT", "unheard-of"), ("GET", "torrent"), ("GET", "unheard-of"), ("DELETE", "acl"),
        ("DELETE", "unheard-of"), ("POST", "restore"), ("POST", "select&select-type=2"), ("POST", "unheard-of"), ("POST", ""),
    ],
)  # fmt: skip
def test_sub_resources_of_an_object_do_not_become_the_object(gateway_a, root_a, fresh, method, query):
    answer = request(ROOT, method, f"{gateway_a.url}/{fresh}/k?{query}", b"<x/>" if method in ("PUT", "POST") else b"")
    # On a GET, AWS ignores an unknown parameter. Nothing else may be accepted.
    allowed = {400, 404, 405, 501} | ({200} if (method, query) == ("GET", "unheard-of") else set())
    assert answer.status in allowed or (query == "unheard-of" and method == "GET"), answer
    assert body_of(root_a, fresh, "k") == b"x"


@pytest.mark.parametrize("query", ["tagging&acl", "policy&website", "uploads&delete", "tagging&policy"])
def test_two_sub_resources_at_once_are_refused(gateway_a, root_a, fresh, query):
    for method in ("GET", "PUT", "DELETE"):
        answer = request(ROOT, method, f"{gateway_a.url}/{fresh}?{query}", b"<x/>" if method == "PUT" else b"")
        assert answer.status in (400, 501), (method, answer)
    assert body_of(root_a, fresh, "k") == b"x"



def test_methods_that_are_none(gateway_a, fresh):
    for method in ("PATCH", "TRACE", "CONNECT", "BREW"):
        for path in ("/", f"/{fresh}", f"/{fresh}/k"):
            if method == "CONNECT":
                continue
            answer = request(ROOT, method, gateway_a.url + path)
            assert answer.status in (400, 405, 501), (method, path, answer)
