"""Object operations, on every endpoint: embedded filer, SeaweedFS filer, and through nginx to two gateways."""

import base64
import hashlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from clients import body_of, keys_of, make_bucket, refused, s3
from signing import STREAMING_TRAILER, UNSIGNED_TRAILER, Signer, request, send
from world import ALICE

TEXT = b"kelp forests grow half a metre a day"
# The type of an object without a Content-Type: AWS's, and the one that `weed s3` stores.
UNTYPED = ("binary/octet-stream", "application/octet-stream")


@pytest.mark.parametrize("size", [0, 1, 1024, 100_000, 5 * 1024 * 1024 + 3])
def test_put_get_head_delete(endpoint, bucket, size):
    data = bytes(i * 7 % 251 for i in range(min(size, 4096))) * (size // 4096 + 1)
    data = data[:size]
    key = f"plain/{size}"
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    put = endpoint.s3.put_object(Bucket=bucket, Key=key, Body=data)
    assert put["ETag"] == etag
    got = endpoint.s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == data
    assert (got["ETag"], got["ContentLength"]) == (etag, size)
    assert got["ContentType"] in UNTYPED
    head = endpoint.s3.head_object(Bucket=bucket, Key=key)
    assert (head["ETag"], head["ContentLength"], head["LastModified"]) == (etag, size, got["LastModified"])
    assert got["AcceptRanges"] == "bytes"
    endpoint.s3.delete_object(Bucket=bucket, Key=key)
    with refused("NoSuchKey", 404):
        endpoint.s3.get_object(Bucket=bucket, Key=key)
    with refused("404", 404):
        endpoint.s3.head_object(Bucket=bucket, Key=key)
    endpoint.s3.delete_object(Bucket=bucket, Key=key)  # deleting nothing is a success


def test_overwrite_replaces_everything(endpoint, bucket):
    endpoint.s3.put_object(
        Bucket=bucket, Key="again", Body=b"first, longer", Metadata={"a": "1"}, ContentType="text/plain", Tagging="t=1"
    )
    endpoint.s3.put_object(Bucket=bucket, Key="again", Body=b"second")
    got = endpoint.s3.get_object(Bucket=bucket, Key="again")
    assert (got["Body"].read(), got["Metadata"]) == (b"second", {})
    assert got["ContentType"] in UNTYPED
    assert endpoint.s3.get_object_tagging(Bucket=bucket, Key="again")["TagSet"] == []


@pytest.mark.parametrize(
    "key",
    [
        "spaces in  it",
        "plus+and&amp;=?#%41",
        "ünïcode/日本語/🦑",
        "quotes'\"<tag>",
        "tilde~star*paren(1)!",
        "trailing.",
        "dots/a..b/...c",
        "k" * 200 + "/" + "l" * 200,
        "colon:semi;comma,at@",
        "{curly}|pipe^caret`tick",
    ],
)
def test_keys_of_every_spelling(endpoint, bucket, key):
    endpoint.s3.put_object(Bucket=bucket, Key="keys/" + key, Body=key.encode())
    assert body_of(endpoint.s3, bucket, "keys/" + key) == key.encode()
    assert "keys/" + key in keys_of(endpoint.s3.list_objects_v2(Bucket=bucket, Prefix="keys/"))
    endpoint.s3.copy_object(Bucket=bucket, Key="keys-copy/" + key, CopySource={"Bucket": bucket, "Key": "keys/" + key})
    assert body_of(endpoint.s3, bucket, "keys-copy/" + key) == key.encode()
    gone = endpoint.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "keys/" + key}]})
    assert [d["Key"] for d in gone["Deleted"]] == ["keys/" + key]
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=bucket, Prefix="keys/" + key)) == []


# ---- ranges


@pytest.mark.parametrize(
    "asked, want, content_range",
    [
        ("bytes=0-4", TEXT[0:5], "bytes 0-4/36"),
        ("bytes=5-", TEXT[5:], "bytes 5-35/36"),
        ("bytes=-5", TEXT[-5:], "bytes 31-35/36"),
        ("bytes=-500", TEXT, "bytes 0-35/36"),
        ("bytes=30-500", TEXT[30:], "bytes 30-35/36"),
        ("bytes=35-35", TEXT[35:], "bytes 35-35/36"),
    ],
)
def test_ranges(endpoint, bucket, asked, want, content_range):
    endpoint.s3.put_object(Bucket=bucket, Key="range", Body=TEXT)
    got = endpoint.s3.get_object(Bucket=bucket, Key="range", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (got["Body"].read(), got["ContentRange"], got["ContentLength"]) == (want, content_range, len(want))
    head = endpoint.s3.head_object(Bucket=bucket, Key="range", Range=asked)
    assert (head["ResponseMetadata"]["HTTPStatusCode"], head["ContentLength"]) == (206, len(want))


def test_range_past_the_end(endpoint, bucket):
    endpoint.s3.put_object(Bucket=bucket, Key="range", Body=TEXT)
    with refused("InvalidRange", 416):
        endpoint.s3.get_object(Bucket=bucket, Key="range", Range="bytes=36-40")


@pytest.mark.parametrize("asked", ["bytes=5-2", "pages=1-2", "bytes=a-b"])
def test_range_that_is_none_is_ignored(endpoint, bucket, asked):
    endpoint.s3.put_object(Bucket=bucket, Key="range", Body=TEXT)
    got = endpoint.s3.get_object(Bucket=bucket, Key="range", Range=asked)
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()) == (200, TEXT)


def test_range_across_chunks(endpoint, bucket):
    data = hashlib.sha256(b"seed").digest() * (9 * 1024 * 1024 // 32)
    endpoint.s3.put_object(Bucket=bucket, Key="wide", Body=data)
    for start, end in [
        (0, 0),
        (4194303, 4194304),
        (4194304, 8388608),
        (3_000_000, 9_000_000),
        (len(data) - 1, len(data)),
    ]:
        got = body_of(endpoint.s3, bucket, "wide", Range=f"bytes={start}-{end}")
        assert got == data[start : end + 1], (start, end)


# ---- conditions


def test_conditional_reads(endpoint, bucket):
    put = endpoint.s3.put_object(Bucket=bucket, Key="cond", Body=TEXT)
    modified = endpoint.s3.head_object(Bucket=bucket, Key="cond")["LastModified"]
    etag, hour = put["ETag"], 3600
    at = lambda seconds: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(modified.timestamp() + seconds))
    url = f"{endpoint.url}/{bucket}/cond"
    for headers, want in [
        ({"if-match": etag}, 200),
        ({"if-match": etag.strip('"')}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f'"x", {etag}'}, 200),
        ({"if-match": '"x"'}, 412),
        ({"if-none-match": etag}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-modified-since": at(-hour)}, 200),
        ({"if-modified-since": at(0)}, 304),
        ({"if-modified-since": "no date"}, 200),
        ({"if-unmodified-since": at(0)}, 200),
        ({"if-unmodified-since": at(-hour)}, 412),
        # RFC 9110 13.2.2: the entity tag takes precedence over the corresponding date.
        ({"if-match": etag, "if-unmodified-since": at(-hour)}, 200),
        ({"if-none-match": '"x"', "if-modified-since": at(0)}, 200),
        ({"if-none-match": etag, "if-modified-since": at(-hour)}, 304),
    ]:
        for method in ("GET", "HEAD"):
            answer = request(endpoint.key, method, url, headers=headers)
            assert answer.status == want, (method, headers, answer)
            if want == 304:
                assert answer.headers.get("etag") == etag and answer.body == b""


def test_if_range(endpoint, bucket):
    etag = endpoint.s3.put_object(Bucket=bucket, Key="if-range", Body=TEXT)["ETag"]
    url = f"{endpoint.url}/{bucket}/if-range"
    for value, want in [(etag, 206), ('"other"', 200)]:
        answer = request(endpoint.key, "GET", url, headers={"range": "bytes=0-3", "if-range": value})
        assert answer.status == want, (value, answer)


def test_conditional_writes(endpoint, bucket):
    put = lambda key, body, **c: endpoint.s3.put_object(Bucket=bucket, Key=key, Body=body, **c)
    first = put("cond-write", b"1", IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", 412):
        put("cond-write", b"2", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        put("cond-write", b"2", IfMatch='"0123456789abcdef0123456789abcdef"')
    put("cond-write", b"3", IfMatch=first)
    assert body_of(endpoint.s3, bucket, "cond-write") == b"3"
    with refused("NoSuchKey", 404):
        put("cond-write-absent", b"4", IfMatch=first)


def test_conditional_delete(endpoint, bucket):
    etag = endpoint.s3.put_object(Bucket=bucket, Key="cond-delete", Body=b"1")["ETag"]
    with refused("PreconditionFailed", 412):
        endpoint.s3.delete_object(Bucket=bucket, Key="cond-delete", IfMatch='"0123456789abcdef0123456789abcdef"')
    endpoint.s3.delete_object(Bucket=bucket, Key="cond-delete", IfMatch=etag)
    with refused("404", 404):
        endpoint.s3.head_object(Bucket=bucket, Key="cond-delete")


def test_racing_creates_have_one_winner(endpoint, bucket):
    def create(n):
        url = f"{endpoint.url}/{bucket}/race"
        return request(endpoint.key, "PUT", url, b"%d" % n, {"if-none-match": "*"}).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(8)))
    assert statuses.count(200) == 1 and set(statuses) <= {200, 409, 412}, statuses


# ---- metadata


def test_metadata_and_content_headers(endpoint, bucket):
    headers = {
        "ContentType": "text/html; charset=utf-8",
        "CacheControl": "max-age=60, public",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "br",
        "ContentLanguage": "de-CH",
        "Expires": "Thu, 01 Jan 2032 00:00:00 GMT",
    }
    metadata = {"plain": "value", "with-dash": "a b  c", "empty": "", "under_score": "1"}
    endpoint.s3.put_object(Bucket=bucket, Key="meta", Body=TEXT, Metadata=metadata, **headers)
    for got in (endpoint.s3.get_object(Bucket=bucket, Key="meta"), endpoint.s3.head_object(Bucket=bucket, Key="meta")):
        assert got["Metadata"] == {**metadata, "with-dash": "a b  c"}
        for name, value in headers.items():
            seen = got["ExpiresString"] if name == "Expires" else got[name]
            assert seen == value, name


def test_response_overrides(endpoint, bucket):
    endpoint.s3.put_object(Bucket=bucket, Key="override", Body=TEXT, ContentType="text/plain")
    got = endpoint.s3.get_object(
        Bucket=bucket,
        Key="override",
        ResponseContentType="application/json",
        ResponseContentDisposition="inline",
        ResponseCacheControl="no-store",
        ResponseContentLanguage="fr",
        ResponseContentEncoding="identity",
    )
    seen = [got[n] for n in ("ContentType", "ContentDisposition", "CacheControl", "ContentLanguage", "ContentEncoding")]
    assert seen == ["application/json", "inline", "no-store", "fr", "identity"]


def test_metadata_larger_than_two_kilobytes_is_refused(endpoint, bucket):
    endpoint.s3.put_object(Bucket=bucket, Key="meta-limit", Body=b"", Metadata={"k": "v" * 2000})
    with refused("MetadataTooLarge", 400):
        endpoint.s3.put_object(Bucket=bucket, Key="meta-limit", Body=b"", Metadata={"k": "v" * 2048})


def test_content_md5(endpoint, bucket):
    right = base64.b64encode(hashlib.md5(TEXT).digest()).decode()
    endpoint.s3.put_object(Bucket=bucket, Key="md5", Body=TEXT, ContentMD5=right)
    with refused("BadDigest", 400):
        endpoint.s3.put_object(Bucket=bucket, Key="md5", Body=TEXT + b"!", ContentMD5=right)
    assert body_of(endpoint.s3, bucket, "md5") == TEXT
    with refused("InvalidDigest", 400):
        endpoint.s3.put_object(Bucket=bucket, Key="md5", Body=TEXT, ContentMD5="bm90IGEgZGlnZXN0")


# ---- copy


def test_copy(endpoint, bucket):
    endpoint.s3.put_object(Bucket=bucket, Key="copy/from", Body=TEXT, ContentType="text/plain", Metadata={"a": "1"}, Tagging="k=v")
    source = {"Bucket": bucket, "Key": "copy/from"}
    copied = endpoint.s3.copy_object(Bucket=bucket, Key="copy/to", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == f'"{hashlib.md5(TEXT).hexdigest()}"' and copied["LastModified"]
    got = endpoint.s3.get_object(Bucket=bucket, Key="copy/to")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (TEXT, "text/plain", {"a": "1"})
    assert endpoint.s3.get_object_tagging(Bucket=bucket, Key="copy/to")["TagSet"] == [{"Key": "k", "Value": "v"}]

    endpoint.s3.copy_object(
        Bucket=bucket, Key="copy/replaced", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"},
        ContentType="text/css", TaggingDirective="REPLACE", Tagging="n=m",
    )  # fmt: skip
    got = endpoint.s3.get_object(Bucket=bucket, Key="copy/replaced")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (TEXT, "text/css", {"b": "2"})
    assert endpoint.s3.get_object_tagging(Bucket=bucket, Key="copy/replaced")["TagSet"] == [{"Key": "n", "Value": "m"}]


def test_copy_to_another_bucket_is_independent(endpoint, bucket):
    other = make_bucket(endpoint.s3, "copy")
    endpoint.s3.put_object(Bucket=bucket, Key="copy/independent", Body=TEXT)
    endpoint.s3.copy_object(Bucket=other, Key="there", CopySource=f"{bucket}/copy/independent")
    endpoint.s3.delete_object(Bucket=bucket, Key="copy/independent")
    assert body_of(endpoint.s3, other, "there") == TEXT


def test_copy_onto_itself(endpoint, bucket):
    endpoint.s3.put_object(Bucket=bucket, Key="self", Body=TEXT, Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "self"}
    with refused("InvalidRequest", 400):
        endpoint.s3.copy_object(Bucket=bucket, Key="self", CopySource=source)
    endpoint.s3.copy_object(Bucket=bucket, Key="self", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    got = endpoint.s3.get_object(Bucket=bucket, Key="self")
    assert (got["Body"].read(), got["Metadata"]) == (TEXT, {"b": "2"})


def test_copy_conditions(endpoint, bucket):
    etag = endpoint.s3.put_object(Bucket=bucket, Key="copy/cond", Body=TEXT)["ETag"]
    source = {"Bucket": bucket, "Key": "copy/cond"}
    copy = lambda **c: endpoint.s3.copy_object(Bucket=bucket, Key="copy/cond-to", CopySource=source, **c)
    copy(CopySourceIfMatch=etag)
    copy(CopySourceIfNoneMatch='"x"')
    for conditions in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}):
        with refused("PreconditionFailed", 412):
            copy(**conditions)


@pytest.mark.parametrize(
    "source, code, status",
    [
        ("{bucket}/no-such-key", "NoSuchKey", 404),
        ("no-such-bucket-at-all/key", "NoSuchBucket", 404),
        ("/", ("InvalidArgument", "InvalidRequest", "InvalidCopySource"), 400),
        ("{bucket}", ("InvalidArgument", "InvalidRequest", "InvalidCopySource"), 400),
    ],
)
def test_copy_from_nowhere(endpoint, bucket, source, code, status):
    answer = request(
        endpoint.key, "PUT", f"{endpoint.url}/{bucket}/copy-nowhere",
        headers={"x-amz-copy-source": source.format(bucket=bucket)},
    )  # fmt: skip
    assert answer.status == status and answer.code in ((code,) if isinstance(code, str) else code), answer


def test_empty_copy_source_is_refused_and_nothing_is_written(endpoint, bucket):
    answer = request(endpoint.key, "PUT", f"{endpoint.url}/{bucket}/copy-empty", headers={"x-amz-copy-source": ""})
    assert answer.status == 400, answer
    with refused("404"):
        endpoint.s3.head_object(Bucket=bucket, Key="copy-empty")


# ---- tagging, attributes


def test_object_tagging(endpoint, bucket):
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "x=y + z"}]
    endpoint.s3.put_object(Bucket=bucket, Key="tags", Body=TEXT, Tagging="a=1&b%20c=x%3Dy%20%2B%20z")
    read = lambda: sorted(endpoint.s3.get_object_tagging(Bucket=bucket, Key="tags")["TagSet"], key=str)
    assert read() == tags
    assert endpoint.s3.get_object(Bucket=bucket, Key="tags")["TagCount"] == 2
    endpoint.s3.put_object_tagging(Bucket=bucket, Key="tags", Tagging={"TagSet": [{"Key": "n", "Value": ""}]})
    assert read() == [{"Key": "n", "Value": ""}]
    endpoint.s3.delete_object_tagging(Bucket=bucket, Key="tags")
    assert read() == []
    assert body_of(endpoint.s3, bucket, "tags") == TEXT
    with refused("NoSuchKey", 404):
        endpoint.s3.get_object_tagging(Bucket=bucket, Key="tags-absent")


@pytest.mark.parametrize(
    "tags",
    [
        [{"Key": f"k{n}", "Value": ""} for n in range(11)],
        [{"Key": "same", "Value": "1"}, {"Key": "same", "Value": "2"}],
        [{"Key": "k" * 129, "Value": ""}],
        [{"Key": "k", "Value": "v" * 257}],
    ],
    ids=["eleven", "duplicate", "long-key", "long-value"],
)
def test_object_tags_beyond_the_limits(endpoint, bucket, tags):
    endpoint.s3.put_object(Bucket=bucket, Key="tag-limits", Body=TEXT)
    with refused(("InvalidTag", "BadRequest", "MalformedXML"), 400):
        endpoint.s3.put_object_tagging(Bucket=bucket, Key="tag-limits", Tagging={"TagSet": tags})


def test_bucket_tagging(endpoint, own_bucket):
    with refused("NoSuchTagSet", 404):
        endpoint.s3.get_bucket_tagging(Bucket=own_bucket)
    tags = [{"Key": "team", "Value": "reef"}, {"Key": "cost", "Value": "7"}]
    endpoint.s3.put_bucket_tagging(Bucket=own_bucket, Tagging={"TagSet": tags})
    got = endpoint.s3.get_bucket_tagging(Bucket=own_bucket)["TagSet"]
    assert sorted(got, key=str) == sorted(tags, key=str)
    endpoint.s3.delete_bucket_tagging(Bucket=own_bucket)
    with refused("NoSuchTagSet", 404):
        endpoint.s3.get_bucket_tagging(Bucket=own_bucket)


def test_object_attributes(endpoint, bucket):
    endpoint.s3.put_object(Bucket=bucket, Key="attributes", Body=TEXT, ChecksumAlgorithm="SHA256")
    got = endpoint.s3.get_object_attributes(
        Bucket=bucket, Key="attributes", ObjectAttributes=["ETag", "ObjectSize", "StorageClass", "Checksum"]
    )
    assert (got["ETag"].strip('"'), got["ObjectSize"]) == (hashlib.md5(TEXT).hexdigest(), len(TEXT))
    assert got["StorageClass"] == "STANDARD"
    assert got["Checksum"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(TEXT).digest()).decode()
    only_size = endpoint.s3.get_object_attributes(Bucket=bucket, Key="attributes", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in only_size and only_size["ObjectSize"] == len(TEXT)


# ---- checksums

# The checksums of b"123456789": the check values from the CRC catalogue, and two hashes.
CHECK = b"123456789"
CHECKSUMS = {
    "crc32": base64.b64encode(bytes.fromhex("cbf43926")).decode(),
    "crc32c": base64.b64encode(bytes.fromhex("e3069283")).decode(),
    "crc64nvme": base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode(),
    "sha1": base64.b64encode(hashlib.sha1(CHECK).digest()).decode(),
    "sha256": base64.b64encode(hashlib.sha256(CHECK).digest()).decode(),
    "sha512": base64.b64encode(hashlib.sha512(CHECK).digest()).decode(),
    "md5": base64.b64encode(hashlib.md5(CHECK).digest()).decode(),
    # XXH64, XXH3_64bits and XXH3_128bits, in the canonical order of bytes.
    "xxhash64": base64.b64encode(bytes.fromhex("8cb841db40e6ae83")).decode(),
    "xxhash3": base64.b64encode(bytes.fromhex("72dcb18b67a17dff")).decode(),
    "xxhash128": base64.b64encode(bytes.fromhex("33119477ede5dcd5e9716427681d5860")).decode(),
}


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_checksum_header(endpoint, bucket, algorithm):
    name, key = f"x-amz-checksum-{algorithm}", f"sum/header-{algorithm}"
    url = f"{endpoint.url}/{bucket}/{key}"
    put = request(endpoint.key, "PUT", url, CHECK, {name: CHECKSUMS[algorithm]})
    assert put.status == 200 and put.headers.get(name) == CHECKSUMS[algorithm], put
    wrong = request(endpoint.key, "PUT", url, b"12345678X", {name: CHECKSUMS[algorithm]})
    assert (wrong.status, wrong.code) in ((400, "BadDigest"), (400, "InvalidRequest")), wrong
    for method in ("GET", "HEAD"):
        plain = request(endpoint.key, method, url)
        assert name not in plain.headers, "a checksum is only sent when asked for"
        got = request(endpoint.key, method, url, headers={"x-amz-checksum-mode": "ENABLED"})
        assert got.headers.get(name) == CHECKSUMS[algorithm], (method, got.headers)
    assert request(endpoint.key, "GET", url).body == CHECK


@pytest.mark.parametrize("mode", [STREAMING_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_checksum_trailer(endpoint, bucket, algorithm, mode):
    name, key = f"x-amz-checksum-{algorithm}", f"sum/trailer-{algorithm}"
    url = f"{endpoint.url}/{bucket}/{key}"
    headers, body = Signer(endpoint.key).chunked("PUT", url, [CHECK], trailer=(name, CHECKSUMS[algorithm]), mode=mode)
    put = send("PUT", url, headers, body)
    assert put.status == 200 and put.headers.get(name) == CHECKSUMS[algorithm], put
    headers, body = Signer(endpoint.key).chunked("PUT", url, [b"wrong"], trailer=(name, CHECKSUMS[algorithm]), mode=mode)
    wrong = send("PUT", url, headers, body)
    assert wrong.status == 400, wrong
    got = request(endpoint.key, "GET", url, headers={"x-amz-checksum-mode": "ENABLED"})
    assert (got.body, got.headers.get(name)) == (CHECK, CHECKSUMS[algorithm])
    assert "aws-chunked" not in got.headers.get("content-encoding", "")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksum_of_the_sdk(endpoint, bucket, algorithm):
    endpoint.s3.put_object(Bucket=bucket, Key="sum/sdk", Body=CHECK, ChecksumAlgorithm=algorithm)
    got = endpoint.s3.get_object(Bucket=bucket, Key="sum/sdk", ChecksumMode="ENABLED")
    assert got["Body"].read() == CHECK and got[f"Checksum{algorithm}"] == CHECKSUMS[algorithm.lower()]


# ---- several at once


def test_delete_objects(endpoint, bucket):
    keys = [f"multi/{n}" for n in range(20)]
    for key in keys:
        endpoint.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    objects = [{"Key": key} for key in [*keys[:10], "multi/never-there"]]
    got = endpoint.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert sorted(d["Key"] for d in got["Deleted"]) == sorted(o["Key"] for o in objects) and "Errors" not in got
    quiet = endpoint.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": keys[10]}], "Quiet": True})
    assert "Deleted" not in quiet
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=bucket, Prefix="multi/")) == sorted(keys[11:])


def test_delete_objects_takes_at_most_a_thousand(endpoint, bucket):
    objects = [{"Key": f"k{n}"} for n in range(1001)]
    with refused("MalformedXML", 400):
        endpoint.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})


@pytest.mark.parametrize("body", [b"", b"<Delete>", b"not xml", b"<Delete></Delete>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><Delete/>"])
def test_delete_objects_malformed(endpoint, bucket, body):
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    answer = request(endpoint.key, "POST", f"{endpoint.url}/{bucket}?delete", body, {"content-md5": md5})
    assert (answer.status, answer.code) in ((400, "MalformedXML"), (400, "MissingRequestBodyError")), answer


# ---- buckets


def test_bucket_life(endpoint):
    name = make_bucket(endpoint.s3, "life")
    assert endpoint.s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert name in [b["Name"] for b in endpoint.s3.list_buckets()["Buckets"]]
    assert endpoint.s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    # As in us-east-1.
    assert request(endpoint.key, "PUT", f"{endpoint.url}/{name}").status == 200
    endpoint.s3.delete_bucket(Bucket=name)
    with refused("404", 404):
        endpoint.s3.head_bucket(Bucket=name)
    for call in (endpoint.s3.delete_bucket, endpoint.s3.list_objects_v2, endpoint.s3.get_bucket_location):
        with refused("NoSuchBucket", 404):
            call(Bucket=name)
    # On a filer, an administrator's PUT would create the bucket because of `-autoCreateBucket`.
    writer = endpoint.s3 if endpoint.name == "embedded" else s3(endpoint.url, ALICE)
    with refused("NoSuchBucket", 404):
        writer.put_object(Bucket=name, Key="k", Body=b"x")


def test_bucket_that_is_not_empty_stays(endpoint, own_bucket):
    endpoint.s3.put_object(Bucket=own_bucket, Key="deep/in/side", Body=b"x")
    with refused("BucketNotEmpty", 409):
        endpoint.s3.delete_bucket(Bucket=own_bucket)
    assert body_of(endpoint.s3, own_bucket, "deep/in/side") == b"x"
    endpoint.s3.delete_object(Bucket=own_bucket, Key="deep/in/side")
    endpoint.s3.delete_bucket(Bucket=own_bucket)


@pytest.mark.parametrize(
    "name", ["ab", "Upper-Case", "under_score", "a..b", "-dash", "192.168.5.4", "x" * 64, "xn--a", "a-s3alias"]
)
def test_bucket_names_that_aws_refuses(endpoint, name):
    answer = request(endpoint.key, "PUT", f"{endpoint.url}/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName"), answer


# ---- listings

ORDERED = ["a", "a!b", "a-b", "a.b", "a/b", "a/b/c", "a0", "aa", "b/", "b/c", "ü", "日"]


def in_order(keys):
    return sorted(keys, key=lambda key: key.encode())


@pytest.fixture(scope="module")
def listed(endpoint):
    """A bucket with keys whose order differs between S3 and a file system."""
    name = make_bucket(endpoint.s3, "listed")
    keys = ORDERED
    for key in keys:
        endpoint.s3.put_object(Bucket=name, Key=key, Body=b"" if key.endswith("/") else key.encode())
    return name, in_order(keys)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_list_in_the_order_of_s3(endpoint, listed, version, page):
    name, keys = listed
    operation = "list_objects" if version == 1 else "list_objects_v2"
    pages = endpoint.s3.get_paginator(operation).paginate(Bucket=name, PaginationConfig={"PageSize": page})
    seen = [key for answer in pages for key in keys_of(answer)]
    assert seen == keys


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("page", [1, 2, 1000])
def test_list_with_a_delimiter(endpoint, listed, version, page):
    name, keys = listed
    want_prefixes = sorted({k.split("/")[0] + "/" for k in keys if "/" in k})
    want_keys = [k for k in keys if "/" not in k]
    operation = "list_objects" if version == 1 else "list_objects_v2"
    got_keys, got_prefixes = [], []
    for answer in endpoint.s3.get_paginator(operation).paginate(Bucket=name, Delimiter="/", PaginationConfig={"PageSize": page}):
        got_keys += keys_of(answer)
        got_prefixes += [p["Prefix"] for p in answer.get("CommonPrefixes", [])]
        assert len(answer.get("Contents", [])) + len(answer.get("CommonPrefixes", [])) <= page
    assert (got_keys, got_prefixes) == (want_keys, want_prefixes)


@pytest.mark.parametrize(
    "parameters",
    [
        {"Prefix": "a"},
        {"Prefix": "a/"},
        {"Prefix": "a/b/c"},
        {"Prefix": "b/"},
        {"Prefix": "none"},
        {"StartAfter": "a"},
        {"StartAfter": "a.b"},
        {"StartAfter": "a/b"},
        {"StartAfter": "a0x"},
        {"StartAfter": "zzz"},
        {"Prefix": "a", "StartAfter": "a.b"},
        {"Prefix": "b", "StartAfter": "a"},
        {"MaxKeys": 0},
    ],
    ids=str,
)
def test_list_v2_parts(endpoint, listed, parameters):
    name, keys = listed
    want = [
        k for k in keys if k.startswith(parameters.get("Prefix", "")) and k.encode() > parameters.get("StartAfter", "").encode()
    ][: parameters.get("MaxKeys", 1000)]
    got = endpoint.s3.list_objects_v2(Bucket=name, **parameters)
    assert keys_of(got) == want and got["KeyCount"] == len(want) and got["IsTruncated"] is False


def test_list_v1_marker(endpoint, listed):
    name, keys = listed
    got = endpoint.s3.list_objects(Bucket=name, Marker="a.b", MaxKeys=2)
    want = [k for k in keys if k > "a.b"]
    assert keys_of(got) == want[:2] and got["IsTruncated"] is True and got["Marker"] == "a.b"
    by_delimiter = endpoint.s3.list_objects(Bucket=name, Marker="a.b", MaxKeys=1, Delimiter="/")
    assert by_delimiter["NextMarker"] == "a/"


def test_list_with_another_delimiter(endpoint, listed):
    name, keys = listed
    got = endpoint.s3.list_objects_v2(Bucket=name, Delimiter="b", Prefix="a")
    prefixes = {k[: k.index("b", 1) + 1] for k in keys if k.startswith("a") and "b" in k}
    assert [p["Prefix"] for p in got["CommonPrefixes"]] == in_order(prefixes)
    assert keys_of(got) == [k for k in keys if k.startswith("a") and "b" not in k]


def test_list_entries_are_complete(endpoint, own_bucket):
    put = endpoint.s3.put_object(Bucket=own_bucket, Key="entry", Body=TEXT)
    (item,) = endpoint.s3.list_objects_v2(Bucket=own_bucket, FetchOwner=True)["Contents"]
    head = endpoint.s3.head_object(Bucket=own_bucket, Key="entry")
    assert (item["ETag"], item["Size"], item["StorageClass"]) == (put["ETag"], len(TEXT), "STANDARD")
    assert abs((item["LastModified"] - head["LastModified"]).total_seconds()) < 1
    assert item["Owner"]["ID"]
    assert "Owner" not in endpoint.s3.list_objects_v2(Bucket=own_bucket)["Contents"][0]
    assert endpoint.s3.list_objects(Bucket=own_bucket)["Contents"][0]["Owner"]["ID"] == item["Owner"]["ID"]


def test_list_encoding_type(endpoint, own_bucket):
    endpoint.s3.put_object(Bucket=own_bucket, Key="a b+c/ü", Body=b"")
    text = request(endpoint.key, "GET", f"{endpoint.url}/{own_bucket}?encoding-type=url&list-type=2&prefix=a%20b").body.decode()
    assert "<EncodingType>url</EncodingType>" in text
    assert "<Key>a+b%2Bc/%C3%BC</Key>" in text or "<Key>a%20b%2Bc/%C3%BC</Key>" in text, text


@pytest.mark.parametrize(
    "query",
    [
        "max-keys=-1",
        "max-keys=x",
        "encoding-type=base64",
        "list-type=2&continuation-token=!!",
    ],
)
def test_list_with_senseless_parameters(endpoint, bucket, query):
    answer = request(endpoint.key, "GET", f"{endpoint.url}/{bucket}?{query}")
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer


def test_list_more_than_a_page(endpoint):
    name = make_bucket(endpoint.s3, "many")
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=16))
    signer = Signer(endpoint.key)
    keys = [f"p{n % 7}/k{n:05}" for n in range(1205)]

    def put(key):
        return session.put(signer.presign("PUT", f"{endpoint.url}/{name}/{key}"), data=b"x", timeout=30).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(put, keys)) == {200}
    first = endpoint.s3.list_objects_v2(Bucket=name)
    assert first["KeyCount"] == 1000 and first["IsTruncated"] and first["MaxKeys"] == 1000
    second = endpoint.s3.list_objects_v2(Bucket=name, ContinuationToken=first["NextContinuationToken"])
    assert keys_of(first) + keys_of(second) == sorted(keys) and not second["IsTruncated"]
    assert second["ContinuationToken"] == first["NextContinuationToken"]
    capped = endpoint.s3.list_objects_v2(Bucket=name, MaxKeys=5000)
    assert len(keys_of(capped)) == 1000
    folders = endpoint.s3.list_objects_v2(Bucket=name, Delimiter="/")
    assert [p["Prefix"] for p in folders["CommonPrefixes"]] == [f"p{n}/" for n in range(7)]


def test_directory_marker(endpoint, own_bucket):
    endpoint.s3.put_object(Bucket=own_bucket, Key="folder/", Body=b"")
    endpoint.s3.put_object(Bucket=own_bucket, Key="folder/file", Body=b"x")
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=own_bucket)) == ["folder/", "folder/file"]
    assert endpoint.s3.head_object(Bucket=own_bucket, Key="folder/")["ContentLength"] == 0
    with refused("404"):
        endpoint.s3.head_object(Bucket=own_bucket, Key="folder")
    endpoint.s3.delete_object(Bucket=own_bucket, Key="folder/")
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=own_bucket)) == ["folder/file"]
    assert body_of(endpoint.s3, own_bucket, "folder/file") == b"x"


def test_key_below_a_key(endpoint, own_bucket):
    """`a` and `a/b` side by side, in either order."""
    put = lambda key: endpoint.s3.put_object(Bucket=own_bucket, Key=key, Body=key.encode())
    for key in ("a", "a/b", "c/d", "c", "e/f/g", "e"):
        put(key)
    keys = ["a", "a/b", "c", "c/d", "e", "e/f/g"]
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=own_bucket)) == keys
    folders = endpoint.s3.list_objects_v2(Bucket=own_bucket, Delimiter="/")
    assert (keys_of(folders), [p["Prefix"] for p in folders["CommonPrefixes"]]) == (["a", "c", "e"], ["a/", "c/", "e/"])
    for key in keys:
        assert body_of(endpoint.s3, own_bucket, key) == key.encode()
    for key in ("a", "c/d", "e"):
        endpoint.s3.delete_object(Bucket=own_bucket, Key=key)
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=own_bucket)) == ["a/b", "c", "e/f/g"]
    for key in ("a/b", "c", "e/f/g"):
        assert body_of(endpoint.s3, own_bucket, key) == key.encode()
        endpoint.s3.delete_object(Bucket=own_bucket, Key=key)
    endpoint.s3.delete_bucket(Bucket=own_bucket)


class Repeated:
    """A file of `times` equal blocks that is never completely in memory."""

    def __init__(self, block, times):
        self.block, self.left, self.size = block, times, len(block) * times

    def __len__(self):
        return self.size

    def read(self, _=-1):
        self.left -= 1
        return self.block if self.left >= 0 else b""


def test_large_object_streams(endpoint, bucket):
    """64 MiB up and down."""
    block = hashlib.sha512(b"block").digest() * 16384  # 1 MiB
    url = Signer(endpoint.key).presign("PUT", f"{endpoint.url}/{bucket}/large")
    sent = requests.put(url, data=Repeated(block, 64), timeout=60)
    assert sent.status_code == 200, sent.text
    whole = hashlib.md5()
    for _ in range(64):
        whole.update(block)
    assert sent.headers["etag"] == f'"{whole.hexdigest()}"'
    got = hashlib.md5()
    with requests.get(Signer(endpoint.key).presign("GET", f"{endpoint.url}/{bucket}/large"), stream=True, timeout=60) as answer:
        for part in answer.iter_content(1 << 20):
            got.update(part)
    assert got.hexdigest() == whole.hexdigest()
    endpoint.s3.delete_object(Bucket=bucket, Key="large")


def test_client_that_leaves_in_the_middle(endpoint, bucket):
    url = f"{endpoint.url}/{bucket}/half"
    parts = urlsplit(url)
    headers = Signer(endpoint.key).headers("PUT", url, {}, "UNSIGNED-PAYLOAD")
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        lines = [
            f"PUT {parts.path} HTTP/1.1",
            *(f"{k}: {v}" for k, v in headers.items()),
            "content-length: 1000000",
            "",
            "",
        ]
        connection.sendall("\r\n".join(lines).encode() + b"x" * 5000)
    time.sleep(0.3)
    with refused("404"):
        endpoint.s3.head_object(Bucket=bucket, Key="half")


@pytest.mark.parametrize("length, want", [(5, 412), (0, 412)])
def test_an_early_answer_ends_the_connection(endpoint, bucket, length, want):
    """With `Expect: 100-continue` the client does not send its body if it is refused. Nothing else may be read in its place."""
    endpoint.s3.put_object(Bucket=bucket, Key="early", Body=b"1")
    url = f"{endpoint.url}/{bucket}/early"
    parts = urlsplit(url)
    headers = Signer(endpoint.key).headers("PUT", url, {"if-none-match": "*"}, "UNSIGNED-PAYLOAD")
    lines = [f"PUT {parts.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), f"content-length: {length}"]
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "expect: 100-continue", "", ""]).encode())
        answer = connection.makefile("rb")
        status, closes, continued = int(answer.readline().split()[1]), False, False
        if status == 100:
            continued = answer.readline() == b"\r\n"
            connection.sendall(b"x" * length)
            status = int(answer.readline().split()[1])
        while (line := answer.readline().strip().lower()) != b"":
            closes |= line == b"connection: close"
    assert status == want and (closes or continued)
