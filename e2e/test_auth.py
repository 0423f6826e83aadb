"""Authentication: every form of it, done right and in every wrong way. On every endpoint."""

import base64
import datetime
import hashlib
import hmac
import json
import socket
import time
from urllib.parse import quote, urlsplit

import boto3
import pytest
import requests
from botocore.client import Config

import world
from clients import Key, body_of, keys_of, make_bucket, refused, s3, unique
from signing import (
    EMPTY_HASH,
    STREAMING,
    STREAMING_TRAILER,
    UNSIGNED,
    UNSIGNED_TRAILER,
    Signer,
    crc32,
    request,
    send,
    sha256,
)  # fmt: skip

NOW = lambda **shift: datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**shift)
BODY = b"the body that was signed"


@pytest.fixture(scope="module")
def url(endpoint, bucket):
    """An object that every test may read and none may change."""
    endpoint.s3.put_object(Bucket=bucket, Key="auth/here", Body=BODY)
    return f"{endpoint.url}/{bucket}/auth/here"


def absent(endpoint, bucket, key):
    return key not in keys_of(endpoint.s3.list_objects_v2(Bucket=bucket, Prefix=key))


# ---- header signatures


def test_a_plain_signature_works(endpoint, url):
    assert request(endpoint.key, "GET", url).body == BODY
    assert send("GET", url, Signer(endpoint.key).headers("GET", url, payload_hash=UNSIGNED)).body == BODY


@pytest.mark.parametrize(
    "signer, status, code",
    [
        ({"region": "mars-north-1"}, 400, "AuthorizationHeaderMalformed"),
        ({"service": "foo"}, 400, "AuthorizationHeaderMalformed"),
        ({"service": "ec2"}, 400, "AuthorizationHeaderMalformed"),
        ({"terminator": "aws5_request"}, 400, "AuthorizationHeaderMalformed"),
        ({"scope_date": "20200101"}, (400, 403), ("AuthorizationHeaderMalformed", "SignatureDoesNotMatch")),
        ({"now": NOW(minutes=-40)}, 403, "RequestTimeTooSkewed"),
        ({"now": NOW(minutes=60)}, 403, "RequestTimeTooSkewed"),
        ({"now": NOW(days=-365)}, 403, "RequestTimeTooSkewed"),
    ],
    ids=["region", "service", "other-service", "terminator", "scope-date", "old", "future", "a-year-old"],
)
def test_scope_and_clock(endpoint, url, signer, status, code):
    answer = request(endpoint.key, "GET", url, **signer)
    statuses, codes = status if isinstance(status, tuple) else (status,), code if isinstance(code, tuple) else (code,)
    assert answer.status in statuses and answer.code in codes, answer
    assert BODY not in answer.body


def test_clock_within_the_tolerance(endpoint, url):
    for shift in (-14, 14):
        assert request(endpoint.key, "GET", url, now=NOW(minutes=shift)).status == 200


def test_wrong_secret_and_unknown_key(endpoint, url):
    wrong = Key(endpoint.key.access, "x" * 40)
    assert request(wrong, "GET", url).code == "SignatureDoesNotMatch"
    unknown = Key("AKIAE2EUNKNOWN000001", endpoint.key.secret)
    answer = request(unknown, "GET", url)
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=",
        "AWS4-HMAC-SHA256 Credential={access}/20260101/us-east-1/s3/aws4_request,SignedHeaders=,Signature=00",
        "AWS4-HMAC-SHA512 Credential={access}/20260101/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
        "AWS4-ECDSA-P256-SHA256 Credential={access}/20260101/s3/aws4_request,SignedHeaders=host,Signature=00",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
        "Basic cm9vdDpyb290",
        "Negotiate YII=",
        "AWS",
        "",
        "ÿþ",
    ],
)
def test_authorization_headers_that_are_none(endpoint, url, header):
    headers = {"authorization": header.format(access=endpoint.key.access), "x-amz-date": Signer(endpoint.key).date}
    headers["x-amz-content-sha256"] = EMPTY_HASH
    answer = send("GET", url, headers)
    # 501: a bearer token would need federation.
    assert answer.status in (400, 403, 501) and BODY not in answer.body, answer


def test_tampering(endpoint, bucket, url):
    """Each row changes one thing after signing."""
    signer = Signer(endpoint.key)
    target = f"{endpoint.url}/{bucket}/auth/tampered"
    good = lambda method="PUT", at=target, **h: signer.headers(method, at, h, sha256(BODY))
    for what, answer in {
        "body": send("PUT", target, good(), b"another body, not signed"),
        "body longer": send("PUT", target, good(), BODY + b"!"),
        "body gone": send("PUT", target, good(), b""),
        "method": send("PUT", target, good("POST"), BODY),
        "path": send("PUT", target, good(at=target + "x"), BODY),
        "query": send("PUT", target + "?tagging", good(), BODY),
        "signed header": send("PUT", target, {**good(**{"x-amz-meta-a": "1"}), "x-amz-meta-a": "2"}, BODY),
        "date": send("PUT", target, {**good(), "x-amz-date": Signer(endpoint.key, now=NOW(minutes=-1)).date}, BODY),
        "hash and body": send("PUT", target, {**good(), "x-amz-content-sha256": sha256(b"!")}, b"!"),
        "unsigned for signed": send("PUT", target, {**good(), "x-amz-content-sha256": UNSIGNED}, b"!"),
        "host": send("PUT", target, good(at=target.replace("127.0.0.1", "localhost")), BODY),
    }.items():
        assert answer.status in (400, 403), (what, answer)
        assert answer.code in ("SignatureDoesNotMatch", "XAmzContentSHA256Mismatch", "BadDigest"), (what, answer)
    assert absent(endpoint, bucket, "auth/tampered")


@pytest.mark.parametrize("value", ["", "nonsense", "0" * 63, "STREAMING-UNKNOWN", "UNSIGNED"])
def test_content_hash_that_is_none(endpoint, bucket, value):
    target = f"{endpoint.url}/{bucket}/auth/content-hash"
    answer = send("PUT", target, Signer(endpoint.key).headers("PUT", target, payload_hash=value), BODY)
    assert answer.status in (400, 403), answer
    assert absent(endpoint, bucket, "auth/content-hash")


@pytest.mark.parametrize(
    "name, value",
    [
        ("x-amz-meta-extra", "1"),
        ("x-amz-acl", "private"),
        ("x-amz-copy-source", "{bucket}/auth/here"),
        ("x-amz-tagging", "a=1"),
        ("x-amz-security-token", "x"),
        ("x-amz-bypass-governance-retention", "true"),
        ("x-amz-unheard-of", "1"),
    ],
)
def test_amz_headers_must_be_signed(endpoint, bucket, url, name, value):
    value = value.format(bucket=bucket)
    target = f"{endpoint.url}/{bucket}/auth/unsigned-header"
    headers = {**Signer(endpoint.key).headers("PUT", target, payload_hash=sha256(BODY)), name: value}
    answer = send("PUT", target, headers, BODY)
    assert answer.status in (400, 403) and answer.code in (
        "AccessDenied",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "InvalidAccessKeyId",
    ), answer
    presigned = send("PUT", Signer(endpoint.key).presign("PUT", target), {name: value}, BODY)
    assert presigned.status in (400, 403), presigned
    assert absent(endpoint, bucket, "auth/unsigned-header")


def test_host_must_be_signed(endpoint, url):
    signer = Signer(endpoint.key)
    signed = {"x-amz-date": signer.date, "x-amz-content-sha256": EMPTY_HASH}
    signature = signer._signature("GET", url, signed, EMPTY_HASH)
    names = ";".join(sorted(signed))
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={endpoint.key.access}/{signer.scope},SignedHeaders={names},Signature={signature}"
    )
    assert send("GET", url, signed).status in (400, 403)


def test_headers_named_like_internal_ones_change_nothing(endpoint, bucket, url):
    """No header that a client can send gives it an identity, or becomes an attribute of the filer."""
    for name in (
        "x-seaweedfs-principal",
        "x-seaweedfs-session-token",
        "s3-auth-type",
        "s3-account-id",
        "s3-identity-id",
        "userid",
        "groups",
    ):
        assert send("GET", url, {name: "root"}).status == 403, name
    internal = {
        "seaweed-x-amz-legal-hold": "ON",
        "seaweed-x-amz-version-id": "v1",
        "seaweed-x-amz-object-lock-mode": "COMPLIANCE",
        "seaweed-x-amz-retention-until-date": "4102444800",
        "seaweed-x-amz-owner": "somebody",
        "seaweed-x-amz-etag": "forged",
    }
    target = f"{endpoint.url}/{bucket}/auth/internal"
    put = request(endpoint.key, "PUT", target, BODY, internal)
    assert put.status in (200, 400), put
    if put.status == 200:
        assert put.headers["etag"] == f'"{hashlib.md5(BODY).hexdigest()}"'
        head = request(endpoint.key, "HEAD", target)
        assert "forged" not in str(head.headers) and "x-amz-version-id" not in head.headers
        assert request(endpoint.key, "DELETE", target).status == 204, "no forged lock holds the object"


# ---- presigned


def test_presigned(endpoint, bucket, url):
    signer = Signer(endpoint.key)
    assert send("GET", signer.presign("GET", url)).body == BODY
    assert send("HEAD", signer.presign("HEAD", url)).status == 200
    target = f"{endpoint.url}/{bucket}/auth/presigned"
    put = send("PUT", signer.presign("PUT", target, headers={"x-amz-meta-a": "1"}), {"x-amz-meta-a": "1"}, BODY)
    assert put.status == 200, put
    assert endpoint.s3.head_object(Bucket=bucket, Key="auth/presigned")["Metadata"] == {"a": "1"}
    theirs = endpoint.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "auth/presigned"}, 60)
    assert requests.get(theirs, timeout=10).content == BODY


@pytest.mark.parametrize(
    "signer, expires, status, code",
    [
        ({}, 7 * 86400, 200, None),
        ({}, 8 * 86400, 400, "AuthorizationQueryParametersError"),
        ({}, 7 * 86400 + 1, 400, "AuthorizationQueryParametersError"),
        ({}, -1, 400, "AuthorizationQueryParametersError"),
        ({}, "x", 400, "AuthorizationQueryParametersError"),
        ({"now": NOW(seconds=-61)}, 60, 403, "AccessDenied"),
        ({"now": NOW(days=-6)}, 7 * 86400, 200, None),
        ({"now": NOW(hours=1)}, 60, 403, ("AccessDenied", "RequestTimeTooSkewed")),
        ({"region": "mars-north-1"}, 60, 400, "AuthorizationQueryParametersError"),
        ({"service": "foo"}, 60, 400, "AuthorizationQueryParametersError"),
    ],
    ids=[
        "7-days",
        "8-days",
        "7-days-and-1-s",
        "negative",
        "no-number",
        "expired",
        "6-days-old",
        "future",
        "region",
        "service",
    ],
)
def test_presigned_lifetime_and_scope(endpoint, url, signer, expires, status, code):
    answer = send("GET", Signer(endpoint.key, **signer).presign("GET", url, expires))
    codes = code if isinstance(code, tuple) else (code,)
    assert answer.status == status and answer.code in codes, answer


def test_presigned_tampering(endpoint, bucket, url):
    signed = Signer(endpoint.key).presign("GET", url, 60)
    for what, altered in {
        "longer life": signed.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        "other key": signed.replace("auth/here", "auth/there"),
        "parameter added": signed + "&response-content-type=text/html",
        "signature": signed[:-4] + "0000",
        "no signature": signed.split("&X-Amz-Signature")[0],
        "headers not signed": signed.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
    }.items():
        answer = send("GET", altered)
        assert answer.status in (400, 403) and BODY not in answer.body, (what, answer)
    assert send("PUT", signed, body=b"x").status == 403, "a URL for GET is none for PUT"
    assert send("DELETE", signed).status == 403


def test_presigned_and_header_at_once(endpoint, url):
    signed = Signer(endpoint.key).presign("GET", url)
    headers = Signer(endpoint.key).headers("GET", signed)
    answer = send("GET", signed, headers)
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer


def test_parameters_that_are_ignored_are_signed(endpoint, bucket, url):
    signed = Signer(endpoint.key).presign("GET", url, query={"v": "1"})
    assert send("GET", signed).body == BODY
    assert request(endpoint.key, "GET", url + "?iefix&v=1").body == BODY
    for other in (signed.replace("&v=1", "&v=2"), signed.replace("&v=1", ""), signed + "&w=1", signed + "&w", signed + "&acl"):
        assert send("GET", other).code == "SignatureDoesNotMatch", other
    headers = Signer(endpoint.key).headers("GET", url, None, EMPTY_HASH)
    assert send("GET", url + "?iefix", headers).code == "SignatureDoesNotMatch"


def test_checksums_in_the_query_are_signed_and_ignored(endpoint, bucket):
    """AWS SDK for JavaScript v3 presigns a PUT with the checksum of an empty body."""
    url = f"{endpoint.url}/{bucket}/auth/presigned-checksum"
    empty = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}
    unheard = {"x-amz-checksum-unheard-of": "1", "x-amz-checksum-type": "NONE"}
    for query in (empty, unheard):
        assert send("PUT", Signer(endpoint.key).presign("PUT", url, query=query), body=BODY).status == 200
        assert request(endpoint.key, "GET", url).body == BODY
    signed = Signer(endpoint.key).presign("PUT", url, query=empty)
    other = signed.replace("AAAAAA", quote(crc32(BODY), safe="").removesuffix("%3D%3D"))
    assert send("PUT", other, body=BODY).code == "SignatureDoesNotMatch"
    wrong = {"x-amz-checksum-crc32": "AAAAAA=="}
    signed = Signer(endpoint.key).presign("PUT", url, headers=wrong)
    assert send("PUT", signed, wrong, BODY).code == "BadDigest", "in a header it counts"
    assert send("PUT", signed, body=BODY).status in (400, 403), "a signed header cannot be left out"


def test_presigned_put_does_not_become_a_copy(endpoint, bucket, url):
    """The holder of a URL to write one key must not be able to read another key through `x-amz-copy-source`."""
    target = f"{endpoint.url}/{bucket}/auth/stolen"
    answer = send("PUT", Signer(endpoint.key).presign("PUT", target), {"x-amz-copy-source": f"{bucket}/auth/here"})
    assert answer.status == 403, answer
    assert absent(endpoint, bucket, "auth/stolen")


# ---- aws-chunked


@pytest.mark.parametrize(
    "mode, trailer",
    [(STREAMING, None), (STREAMING_TRAILER, "x-amz-checksum-crc32"), (UNSIGNED_TRAILER, "x-amz-checksum-crc32")],
)
@pytest.mark.parametrize("chunks", [[], [b"a"], [b"a" * 8192, b"b" * 65536, b"c"]], ids=["empty", "one", "three"])
def test_chunked(endpoint, bucket, mode, trailer, chunks):
    target = f"{endpoint.url}/{bucket}/auth/chunked"
    whole = b"".join(chunks)
    pair = (trailer, crc32(whole)) if trailer else None
    headers, body = Signer(endpoint.key).chunked("PUT", target, chunks, trailer=pair, mode=mode)
    put = send("PUT", target, headers, body)
    assert put.status == 200 and put.headers["etag"] == f'"{hashlib.md5(whole).hexdigest()}"', put
    got = endpoint.s3.get_object(Bucket=bucket, Key="auth/chunked")
    assert got["Body"].read() == whole and "aws-chunked" not in got.get("ContentEncoding", "")


@pytest.mark.parametrize(
    "mode, spoil",
    [
        (STREAMING, "chunk"),
        (STREAMING, "last"),
        (STREAMING, "swap"),
        (STREAMING, "no-signatures"),
        (STREAMING, "truncated"),
        (STREAMING, "length"),
        (STREAMING_TRAILER, "chunk"),
        (STREAMING_TRAILER, "last"),
        (STREAMING_TRAILER, "no-signatures"),
        (STREAMING_TRAILER, "trailer"),
        (STREAMING_TRAILER, "no-trailer-signature"),
        (STREAMING_TRAILER, "truncated"),
        (STREAMING_TRAILER, "length"),
        (UNSIGNED_TRAILER, "truncated"),
        (UNSIGNED_TRAILER, "length"),
    ],
)
def test_chunked_spoilt(endpoint, bucket, mode, spoil):
    key = f"auth/spoilt-{spoil}"
    target = f"{endpoint.url}/{bucket}/{key}"
    chunks = [b"a" * 9000, b"b" * 9000]
    trailer = None if mode == STREAMING else ("x-amz-checksum-crc32", crc32(b"".join(chunks)))
    headers, body = Signer(endpoint.key).chunked("PUT", target, chunks, trailer=trailer, mode=mode, spoil=spoil)
    answer = send("PUT", target, headers, body)
    assert answer.status in (400, 403), answer
    assert absent(endpoint, bucket, key)


@pytest.mark.parametrize("mode", [STREAMING_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize(
    "trailer",
    [
        ("x-amz-checksum-crc32", crc32(b"something else")),
        ("x-amz-checksum-crc32", "!!"),
        ("x-amz-checksum-crc99", "AAAAAA=="),
        ("x-amz-meta-late", "1"),
    ],
    ids=["wrong", "no-base64", "unknown-algorithm", "no-checksum"],
)
def test_trailers_that_are_wrong(endpoint, bucket, mode, trailer):
    target = f"{endpoint.url}/{bucket}/auth/wrong-trailer"
    headers, body = Signer(endpoint.key).chunked("PUT", target, [b"data"], trailer=trailer, mode=mode)
    answer = send("PUT", target, headers, body)
    assert answer.status == 400, answer
    assert absent(endpoint, bucket, "auth/wrong-trailer")


@pytest.mark.parametrize("mode", [STREAMING, STREAMING_TRAILER, UNSIGNED_TRAILER])
def test_chunked_needs_a_valid_signature(endpoint, bucket, mode):
    """The seed signature is checked in every mode, in the header and in the query. No upload is anonymous."""
    target = f"{endpoint.url}/{bucket}/auth/seed"
    trailer = None if mode == STREAMING else ("x-amz-checksum-crc32", crc32(b"data"))
    wrong = Key(endpoint.key.access, "x" * 40)
    headers, body = Signer(wrong).chunked("PUT", target, [b"data"], trailer=trailer, mode=mode)
    assert send("PUT", target, headers, body).status == 403
    unsigned = {k: v for k, v in headers.items() if k != "authorization"}
    assert send("PUT", target, unsigned, body).status in (400, 403)
    query = Signer(wrong).presign("PUT", target, headers={"x-amz-content-sha256": mode})
    assert send("PUT", query, {**unsigned, "x-amz-content-sha256": mode}, body).status in (400, 403)
    assert absent(endpoint, bucket, "auth/seed")


@pytest.mark.parametrize(
    "garbage",
    [b"zz\r\n", b"ffffffffffffffff\r\nx", b"-1\r\n\r\n", b"5;chunk-signature=\r\nhello\r\n", b"\r\n" * 50, b"1" * 9000],
)
def test_chunk_headers_that_are_garbage(endpoint, bucket, garbage):
    target = f"{endpoint.url}/{bucket}/auth/garbage"
    headers, _ = Signer(endpoint.key).chunked("PUT", target, [b"data"])
    answer = send("PUT", target, headers, garbage)
    assert answer.status in (400, 403), answer
    assert absent(endpoint, bucket, "auth/garbage")


def test_upload_part_in_chunks(endpoint, bucket):
    upload_id = endpoint.s3.create_multipart_upload(Bucket=bucket, Key="auth/part")["UploadId"]
    target = f"{endpoint.url}/{bucket}/auth/part?partNumber=1&uploadId={upload_id}"
    headers, body = Signer(endpoint.key).chunked("PUT", target, [b"data"], spoil="last")
    assert send("PUT", target, headers, body).status in (400, 403)
    headers, body = Signer(endpoint.key).chunked("PUT", target, [b"data"])
    assert send("PUT", target, headers, body).headers["etag"] == f'"{hashlib.md5(b"data").hexdigest()}"'
    endpoint.s3.abort_multipart_upload(Bucket=bucket, Key="auth/part", UploadId=upload_id)


# ---- POST forms


def post(endpoint, bucket, fields, content=BODY, **more):
    return requests.post(
        f"{endpoint.url}/{bucket}", data=fields, files={"file": ("name.txt", content, "text/plain")}, timeout=20,
        allow_redirects=False, **more,
    )  # fmt: skip


def test_post_form(endpoint, bucket):
    conditions = [
        ["starts-with", "$key", "auth/form"],
        {"acl": "private"},
        ["content-length-range", 1, 100],
        {"x-amz-meta-a": "1"},
    ]
    fields = Signer(endpoint.key).post_form(bucket, "auth/form/${filename}", conditions, {"acl": "private", "x-amz-meta-a": "1"})
    answer = post(endpoint, bucket, fields)
    assert answer.status_code == 204, answer.text
    got = endpoint.s3.get_object(Bucket=bucket, Key="auth/form/name.txt")
    assert got["Body"].read() == BODY and got["Metadata"] == {"a": "1"}


def test_post_form_answers(endpoint, bucket):
    for status, more in [
        (200, {"success_action_status": "200"}),
        (201, {"success_action_status": "201"}),
        (204, {"success_action_status": "299"}),
    ]:
        conditions = [{"key": "auth/answer"}, more]
        answer = post(endpoint, bucket, Signer(endpoint.key).post_form(bucket, "auth/answer", conditions, more))
        assert answer.status_code == status, answer.text
        if status == 201:
            assert "<Key>auth/answer</Key>" in answer.text and f"<Bucket>{bucket}</Bucket>" in answer.text
            assert f"<Location>{endpoint.url}/{bucket}/auth/answer</Location>" in answer.text
    conditions = [{"key": "auth/answer"}, ["starts-with", "$success_action_redirect", ""]]
    fields = Signer(endpoint.key).post_form(
        bucket, "auth/answer", conditions, {"success_action_redirect": "http://127.0.0.1/done?x=1"}
    )
    answer = post(endpoint, bucket, fields)
    assert answer.status_code == 303 and answer.headers["location"].startswith("http://127.0.0.1/done?x=1&bucket="), answer.headers


def _md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.mark.parametrize(
    "name, value, code",
    [
        ("x-amz-checksum-crc32", crc32(BODY), None),
        ("x-amz-checksum-crc32", crc32(b"other"), "BadDigest"),
        ("X-Amz-Checksum-CRC32", crc32(b"other"), "BadDigest"),
        ("x-amz-checksum-crc32", "AAAA", "InvalidRequest"),
        ("x-amz-checksum-md4", "AAAA", "NotImplemented"),
        ("Content-MD5", _md5(BODY), None),
        ("content-md5", _md5(b"other"), "BadDigest"),
        ("content-md5", "x", "InvalidDigest"),
        ("x-amz-sdk-checksum-algorithm", "SHA256", None),
        ("x-amz-sdk-checksum-algorithm", "MD4", "InvalidRequest"),
    ],
)
def test_checksums_of_a_form_are_checked(endpoint, bucket, name, value, code):
    """Like checksums in headers: if the file does not match, nothing is stored."""
    key = f"auth/{unique('sum')}"
    answer = post(endpoint, bucket, Signer(endpoint.key).post_form(bucket, key, [{"key": key}, {name: value}], {name: value}))
    if code is None:
        assert answer.status_code == 204, answer.text
        assert body_of(endpoint.s3, bucket, key) == BODY
        if "crc32" in name:
            assert answer.headers[name] == value
    else:
        assert answer.status_code in (400, 501) and f"<Code>{code}</Code>" in answer.text, answer.text
        with refused("404"):
            endpoint.s3.head_object(Bucket=bucket, Key=key)


def test_post_form_of_boto3(endpoint, bucket):
    form = endpoint.s3.generate_presigned_post(bucket, "auth/boto-form", ExpiresIn=60)
    answer = requests.post(form["url"], data=form["fields"], files={"file": BODY}, timeout=20)
    assert answer.status_code == 204, answer.text
    assert body_of(endpoint.s3, bucket, "auth/boto-form") == BODY


def _form(**changes):
    """A row of the table of violations: how the form is signed, and what is altered afterwards. `KEY` is the row's key."""
    return {"key": "KEY", "conditions": [{"key": "KEY"}], "fields": {}, "after": {}, "expires": 60, **changes}


@pytest.mark.parametrize(
    "row, status",
    [
        (_form(after={"key": "auth/other"}), 403),
        (_form(conditions=[["starts-with", "$key", "elsewhere/"]]), 403),
        (_form(conditions=[["eq", "$key", "AUTH/BAD-FORM"]]), 403),
        (_form(conditions=[{"key": "KEY"}, ["content-length-range", 1, 5]]), 400),
        (_form(conditions=[{"key": "KEY"}, ["content-length-range", 1000, 2000]]), 400),
        (_form(conditions=[{"key": "KEY"}, {"acl": "private"}]), 403),
        (_form(fields={"x-amz-meta-uncovered": "1"}), 403),
        (_form(fields={"acl": "public-read"}), (403, 501)),
        (_form(after={"x-amz-meta-late": "1"}), 403),
        (_form(expires=-60), 403),
        (_form(after={"x-amz-signature": "0" * 64}), 403),
        (_form(after={"policy": base64.b64encode(b"{}").decode()}), 403),
        (_form(after={"policy": "!!!"}), (400, 403)),
        (_form(after={"x-amz-credential": "nobody/20260101/us-east-1/s3/aws4_request"}), (400, 403)),
        (_form(after={"x-amz-algorithm": "AWS4-HMAC-MD5"}), (400, 403)),
        (_form(after={"bucket": "another-bucket"}), (400, 403)),
        (_form(conditions=[{"key": "KEY"}, ["matches", "$key", "x"]]), (400, 403)),
        (_form(after={"policy": None, "x-amz-signature": None}), (400, 403)),
        (_form(after={"x-amz-signature": None}), (400, 403)),
        (_form(after={"key": None}), (400, 403)),
    ],
    ids=[
        "key-changed", "key-prefix", "key-case", "too-large", "too-small", "field-missing", "field-uncovered", "acl-uncovered",
        "field-added", "expired", "signature", "policy-swapped", "policy-no-base64", "credential", "algorithm", "other-bucket",
        "unknown-condition", "no-policy", "no-signature", "no-key",
    ],
)  # fmt: skip
def test_post_form_violations(endpoint, bucket, row, status):
    key = unique("auth/bad-form")
    row = json.loads(json.dumps(row).replace("KEY", key))
    fields = Signer(endpoint.key).post_form(bucket, row["key"], row["conditions"], row["fields"], row["expires"])
    fields.update(row["after"])
    answer = post(endpoint, bucket, {k: v for k, v in fields.items() if v is not None})
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text
    assert absent(endpoint, bucket, key) and absent(endpoint, bucket, "auth/other")


def test_post_form_to_another_bucket_than_signed(endpoint, bucket):
    other = make_bucket(endpoint.s3, "form")
    fields = Signer(endpoint.key).post_form(bucket, "auth/bad-form", [{"key": "auth/bad-form"}])
    assert post(endpoint, other, fields).status_code == 403
    assert absent(endpoint, other, "")


@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--x\r\n\r\n--x--", b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x--\r\n'],
)
def test_post_form_malformed(endpoint, bucket, body):
    answer = send("POST", f"{endpoint.url}/{bucket}", {"content-type": "multipart/form-data; boundary=x"}, body)
    assert answer.status in (400, 403), answer


# ---- the rest


def test_anonymous_is_refused(endpoint, bucket, url):
    for method, target in [
        ("GET", url),
        ("HEAD", url),
        ("PUT", url),
        ("DELETE", url),
        ("GET", f"{endpoint.url}/{bucket}"),
        ("GET", endpoint.url + "/"),
    ]:
        answer = send(method, target, body=b"x" if method == "PUT" else b"")
        assert answer.status == 403, (method, target, answer)
    with refused("AccessDenied", 403):
        s3(endpoint.url).list_buckets()
    assert request(endpoint.key, "GET", url).body == BODY


def v2(key, text):
    mac = hmac.new(key.secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(mac).decode()


def presigned_v2(key, url, expires):
    signature = v2(key, f"GET\n\n\n{expires}\n{urlsplit(url).path}")
    return f"{url}?AWSAccessKeyId={key.access}&Expires={expires}&Signature={quote(signature, safe='')}"


def test_signature_v2_is_for_presigned_urls(endpoint, bucket, url):
    """The default of `-sigV2`."""
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    signature = v2(endpoint.key, f"GET\n\n\n{date}\n{urlsplit(url).path}")
    answer = send("GET", url, {"date": date, "authorization": f"AWS {endpoint.key.access}:{signature}"})
    assert (answer.status, answer.code) == (400, "InvalidRequest") and b"-sigV2=on" in answer.body, answer
    now = int(time.time())
    signed = presigned_v2(endpoint.key, url, now + 60)
    assert send("GET", signed).body == BODY
    for method, wrong, code in [
        ("PUT", signed, "SignatureDoesNotMatch"),
        ("GET", signed.replace("/here", "/there"), "SignatureDoesNotMatch"),
        ("GET", signed + "&acl", "SignatureDoesNotMatch"),
        ("GET", signed.replace(f"Expires={now + 60}", f"Expires={now + 61}"), "SignatureDoesNotMatch"),
        ("GET", presigned_v2(endpoint.key, url, now - 1), "AccessDenied"),
        ("GET", presigned_v2(endpoint.key, url, now + 9 * 86400), "AuthorizationQueryParametersError"),
        ("GET", presigned_v2(endpoint.key._replace(secret="x" * 40), url, now + 60), "SignatureDoesNotMatch"),
    ]:
        answer = send(method, wrong)
        assert answer.code == code and BODY not in answer.body, (method, wrong, answer)


def test_presigned_urls_and_forms_of_boto3_by_default(endpoint, bucket, url):
    """At a custom endpoint boto3 makes them with V2."""
    plain = boto3.client("s3", endpoint_url=endpoint.url, region_name="us-east-1", aws_access_key_id=endpoint.key.access,
                         aws_secret_access_key=endpoint.key.secret, config=Config(s3={"addressing_style": "path"}))  # fmt: skip
    signed = plain.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "auth/here"})
    assert "AWSAccessKeyId" in signed and requests.get(signed, timeout=20).content == BODY
    signed = plain.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "auth/v2-put"})
    assert requests.put(signed, data=b"put", timeout=20).status_code == 200
    form = plain.generate_presigned_post(bucket, "auth/v2-form")
    assert "signature" in form["fields"]
    posted = requests.post(form["url"], data=form["fields"], files={"file": b"posted"}, timeout=20)
    assert posted.status_code == 204, posted.text
    assert [body_of(endpoint.s3, bucket, key) for key in ("auth/v2-put", "auth/v2-form")] == [b"put", b"posted"]


def test_policies_can_deny_signature_v2(gateway_a, root_a):
    bucket = make_bucket(root_a, "no-v2")
    root_a.put_object(Bucket=bucket, Key="k", Body=BODY)
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    condition = {"StringEquals": {"s3:signatureversion": "AWS"}}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
    signed = presigned_v2(world.ROOT, f"{gateway_a.url}/{bucket}/k", int(time.time()) + 60)
    assert send("GET", signed).status == 200
    root_a.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert send("GET", signed).code == "AccessDenied"
    assert send("GET", Signer(world.ROOT).presign("GET", f"{gateway_a.url}/{bucket}/k")).status == 200


_PATHS = [
    "/{bucket}/../{other}/secret",
    "/{bucket}/%2e%2e/{other}/secret",
    "/{bucket}/a/../../{other}/secret",
    "/{bucket}/..%2f{other}/secret",
    "/{bucket}/./../{other}/secret",
    "/{bucket}/%5c..%5c..%5c{other}%5csecret",
    "/{bucket}/..%5c{other}%5csecret",
    "/{bucket}/a%00b",
    "/{bucket}/../../etc/iam/identities/root.json",
    "/../etc/iam/identities/root.json",
    "/..",
    "/.",
    "/.system",
    "/{bucket}/.uploads/x",
    "/{bucket}/x.versions/v_1",
    "/{bucket}/%ff%fe",
    "/{bucket}/%zz",
]


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_paths_that_lead_elsewhere(endpoint, bucket, path, method):
    """Whatever path is signed, nothing outside the named bucket is read, written or deleted."""
    other = _secret_bucket(endpoint)
    target = endpoint.url + path.format(bucket=bucket, other=other)
    answer = request(endpoint.key, method, target, b"overwritten" if method == "PUT" else b"")
    assert answer.status < 500 or answer.status == 501, answer
    assert b"top secret" not in answer.body and b"secret_key" not in answer.body
    harmless = ["/{bucket}/%ff%fe", "/{bucket}/%zz", "/{bucket}/x.versions/v_1"]
    harmless += ["/{bucket}/%5c..%5c..%5c{other}%5csecret", "/{bucket}/..%5c{other}%5csecret"]
    if endpoint.name == "embedded":
        # Keys like others, each with an object of its own.
        harmless += [path for path in _PATHS if path.startswith("/{bucket}/") and "%00" not in path]
    if method == "PUT" and path not in harmless:
        assert answer.status in (400, 403, 404, 405, 409), answer
    assert body_of(endpoint.s3, other, "secret") == b"top secret"


@pytest.mark.parametrize("key", ["../../etc/iam/identities/evil.json", "a/../../{other}/secret"])
def test_keys_of_forms_that_lead_elsewhere(endpoint, bucket, key):
    other = _secret_bucket(endpoint)
    key = key.format(other=other)
    fields = Signer(endpoint.key).post_form(bucket, key, [["starts-with", "$key", ""]])
    answer = post(endpoint, bucket, fields)
    is_key = endpoint.name == "embedded"
    assert answer.status_code == (204 if is_key else 400), answer.text
    assert absent(endpoint, bucket, key) != is_key
    assert body_of(endpoint.s3, other, "secret") == b"top secret"


_SECRET_BUCKETS = {}


def _secret_bucket(endpoint):
    if endpoint.name not in _SECRET_BUCKETS:
        _SECRET_BUCKETS[endpoint.name] = make_bucket(endpoint.s3, "secret")
        endpoint.s3.put_object(Bucket=_SECRET_BUCKETS[endpoint.name], Key="secret", Body=b"top secret")
    return _SECRET_BUCKETS[endpoint.name]


@pytest.mark.parametrize(
    "source",
    [
        "../{other}/secret",
        "{bucket}/../{other}/secret",
        "/{bucket}/..%2f{other}/secret",
        "%2e%2e/{other}/secret",
        "/../../etc/iam/identities/root.json",
        "{bucket}/%00",
        "{bucket}/x?versionId=",
    ],
)
def test_copy_sources_that_lead_elsewhere(endpoint, bucket, source):
    other = _secret_bucket(endpoint)
    source = source.format(bucket=bucket, other=other)
    answer = request(
        endpoint.key,
        "PUT",
        f"{endpoint.url}/{bucket}/auth/copied-from-elsewhere",
        headers={"x-amz-copy-source": source},
    )
    assert answer.status in (400, 403, 404), answer
    assert absent(endpoint, bucket, "auth/copied-from-elsewhere")


@pytest.mark.parametrize("key", ["../{other}/secret", "a/../../{other}/secret", "..", "a\\..\\..\\{other}\\secret"])
def test_deleted_keys_that_lead_elsewhere(endpoint, bucket, key):
    other = _secret_bucket(endpoint)
    endpoint.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key.format(other=other)}]})
    assert body_of(endpoint.s3, other, "secret") == b"top secret"


def test_no_route_answers_without_a_name(endpoint):
    """No unauthenticated route on the S3 port reveals more than the state of the server."""
    for path in [
        "/",
        "/minio/health/cluster",
        "/minio/bootstrap/v1/verify",
        "/debug/pprof/",
        "/admin",
        "/?Action=ListUsers",
        "/iam",
        "/config",
        "/v1/config",
        "/.well-known/jwks.json",
    ]:
        for method in ("GET", "POST"):
            answer = send(method, endpoint.url + path)
            assert answer.status in (400, 403, 404, 405, 412, 501), (method, path, answer)
            assert endpoint.key.secret.encode() not in answer.body


@pytest.mark.parametrize(
    "action",
    [
        "AssumeRoleX",
        "assumerole",
        "AssumeRole",
        "CreateUser",
        "ListAccessKeys",
        "GetCallerIdentity",
        "AssumeRoleWithCustomToken",
    ],
)
def test_unsigned_calls_of_iam_and_sts(endpoint, action):
    body = f"Action={action}&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/S3AdminRole&RoleSessionName=x&UserName=root"
    answer = send("POST", endpoint.url + "/", {"content-type": "application/x-www-form-urlencoded"}, body.encode())
    assert answer.status in (400, 403, 501) and b"AccessKeyId>" not in answer.body, answer


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Amz-Date: " + b"1" * 100_000 + b"\r\n\r\n",
    ],
    ids=["no-host", "two-hosts", "absolute-form", "length-and-chunked", "negative-length", "nul", "tls", "huge-header"],
)
def test_requests_that_are_no_http(endpoint, url, raw):
    parts = urlsplit(endpoint.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        except OSError:  # refused so early that the connection is gone
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 2"), answer
    assert request(endpoint.key, "GET", url).status == 200, "the server is still there"
