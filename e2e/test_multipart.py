"""Multipart uploads, on every endpoint."""

import base64
import hashlib

import pytest
from boto3.s3.transfer import TransferConfig

from clients import body_of, keys_of, refused
from signing import Signer, request, send

MIB = 1024 * 1024


def part_of(letter, size=5 * MIB):
    return letter.encode() * size


def etag_of(*parts):
    return f'"{hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()}-{len(parts)}"'


def upload(endpoint, bucket, key, parts, **create):
    """Uploads `{number: bytes}` and returns (upload id, the list for Complete)."""
    upload_id = endpoint.s3.create_multipart_upload(Bucket=bucket, Key=key, **create)["UploadId"]
    done = []
    for number, data in parts.items():
        etag = endpoint.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=data)["ETag"]
        assert etag == f'"{hashlib.md5(data).hexdigest()}"'
        done.append({"PartNumber": number, "ETag": etag})
    return upload_id, sorted(done, key=lambda p: p["PartNumber"])


def complete(endpoint, bucket, key, upload_id, parts, **more):
    return endpoint.s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}, **more
    )


def test_three_parts(endpoint, bucket):
    first, second, third = part_of("a"), part_of("b"), b"the end"
    upload_id, parts = upload(
        endpoint,
        bucket,
        "mp/three",
        {2: second, 1: first, 7: third},
        Metadata={"a": "1"},
        ContentType="text/plain",
        Tagging="t=1",
    )
    with refused("404"):
        endpoint.s3.head_object(Bucket=bucket, Key="mp/three")
    done = complete(endpoint, bucket, "mp/three", upload_id, parts)
    want = etag_of(first, second, third)
    assert done["ETag"] == want and done["Bucket"] == bucket and done["Key"] == "mp/three" and done["Location"]
    got = endpoint.s3.get_object(Bucket=bucket, Key="mp/three")
    assert got["Body"].read() == first + second + third
    assert (got["ETag"], got["Metadata"], got["ContentType"]) == (want, {"a": "1"}, "text/plain")
    assert endpoint.s3.get_object_tagging(Bucket=bucket, Key="mp/three")["TagSet"] == [{"Key": "t", "Value": "1"}]
    edge = 5 * MIB
    assert body_of(endpoint.s3, bucket, "mp/three", Range=f"bytes={edge - 2}-{edge + 1}") == b"aabb"
    (item,) = endpoint.s3.list_objects_v2(Bucket=bucket, Prefix="mp/three")["Contents"]
    assert (item["ETag"], item["Size"]) == (want, 2 * edge + 7)


def test_get_by_part_number(endpoint, bucket):
    first, second = part_of("a"), b"second"
    upload_id, parts = upload(endpoint, bucket, "mp/numbered", {1: first, 2: second})
    complete(endpoint, bucket, "mp/numbered", upload_id, parts)
    got = endpoint.s3.get_object(Bucket=bucket, Key="mp/numbered", PartNumber=2)
    assert (got["Body"].read(), got["PartsCount"], got["ResponseMetadata"]["HTTPStatusCode"]) == (second, 2, 206)
    head = endpoint.s3.head_object(Bucket=bucket, Key="mp/numbered", PartNumber=1)
    assert (head["ContentLength"], head["PartsCount"]) == (len(first), 2)
    with refused(("InvalidPartNumber", "InvalidRange"), 416):
        endpoint.s3.get_object(Bucket=bucket, Key="mp/numbered", PartNumber=3)


def test_part_uploaded_again_replaces_the_first(endpoint, bucket):
    upload_id, _ = upload(endpoint, bucket, "mp/again", {1: b"first try"})
    etag = endpoint.s3.upload_part(Bucket=bucket, Key="mp/again", UploadId=upload_id, PartNumber=1, Body=b"second")["ETag"]
    listed = endpoint.s3.list_parts(Bucket=bucket, Key="mp/again", UploadId=upload_id)["Parts"]
    assert [(p["PartNumber"], p["ETag"], p["Size"]) for p in listed] == [(1, etag, 6)]
    complete(endpoint, bucket, "mp/again", upload_id, [{"PartNumber": 1, "ETag": etag}])
    assert body_of(endpoint.s3, bucket, "mp/again") == b"second"


def test_only_the_named_parts_count(endpoint, bucket):
    upload_id, parts = upload(endpoint, bucket, "mp/some", {1: b"not this", 2: b"this"})
    complete(endpoint, bucket, "mp/some", upload_id, parts[1:])
    assert body_of(endpoint.s3, bucket, "mp/some") == b"this"


def test_upload_part_copy(endpoint, bucket):
    source = bytes(range(256)) * 48000  # 12,288,000 bytes: more than one chunk on a filer
    endpoint.s3.put_object(Bucket=bucket, Key="mp/source", Body=source)
    upload_id = endpoint.s3.create_multipart_upload(Bucket=bucket, Key="mp/copied")["UploadId"]
    edge = 6_000_001
    ranges, parts = [(0, edge - 1), (edge, len(source) - 1)], []
    for number, (start, end) in enumerate(ranges, 1):
        got = endpoint.s3.upload_part_copy(
            Bucket=bucket, Key="mp/copied", UploadId=upload_id, PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "mp/source"}, CopySourceRange=f"bytes={start}-{end}",
        )["CopyPartResult"]  # fmt: skip
        assert got["ETag"] and got["LastModified"]
        parts.append({"PartNumber": number, "ETag": got["ETag"]})
    whole = endpoint.s3.upload_part_copy(
        Bucket=bucket, Key="mp/copied", UploadId=upload_id, PartNumber=3, CopySource=f"{bucket}/mp/source"
    )["CopyPartResult"]
    parts.append({"PartNumber": 3, "ETag": whole["ETag"]})
    complete(endpoint, bucket, "mp/copied", upload_id, parts)
    assert body_of(endpoint.s3, bucket, "mp/copied") == source + source
    endpoint.s3.delete_object(Bucket=bucket, Key="mp/source")
    assert body_of(endpoint.s3, bucket, "mp/copied", Range="bytes=-4") == source[-4:], "a copy remains without its source"


@pytest.mark.parametrize(
    "source, copy_range, status, code",
    [
        ("{bucket}/absent", None, 404, "NoSuchKey"),
        ("", None, 400, None),
        ("{bucket}/mp/small", "bytes=0-100", 416, "InvalidRange"),
        ("{bucket}/mp/small", "bytes=5", 400, "InvalidArgument"),
        ("{bucket}/mp/small", "bytes=-5", 400, "InvalidArgument"),
    ],
)
def test_upload_part_copy_refusals(endpoint, bucket, source, copy_range, status, code):
    endpoint.s3.put_object(Bucket=bucket, Key="mp/small", Body=b"0123456789")
    upload_id = endpoint.s3.create_multipart_upload(Bucket=bucket, Key="mp/part-copy")["UploadId"]
    headers = {"x-amz-copy-source": source.format(bucket=bucket)}
    if copy_range:
        headers["x-amz-copy-source-range"] = copy_range
    answer = request(
        endpoint.key, "PUT", f"{endpoint.url}/{bucket}/mp/part-copy?partNumber=1&uploadId={upload_id}", headers=headers
    )
    # AWS answers 400 InvalidArgument or 416 InvalidRange for a range past the end, depending on the source's size.
    allowed = {status, 400} if status == 416 else {status}
    assert answer.status in allowed and (code is None or answer.code in (code, "InvalidArgument", "InvalidRange")), answer


def test_list_parts(endpoint, bucket):
    parts = {n: b"%d" % n for n in (1, 2, 3, 10, 100)}
    upload_id, _ = upload(endpoint, bucket, "mp/list parts", parts)
    listing = lambda **p: endpoint.s3.list_parts(Bucket=bucket, Key="mp/list parts", UploadId=upload_id, **p)
    got = listing()
    assert [p["PartNumber"] for p in got["Parts"]] == [1, 2, 3, 10, 100]
    assert [p["Size"] for p in got["Parts"]] == [1, 1, 1, 2, 3]
    assert (got["Key"], got["UploadId"], got["IsTruncated"], got["StorageClass"]) == (
        "mp/list parts",
        upload_id,
        False,
        "STANDARD",
    )
    first = listing(MaxParts=2)
    assert [p["PartNumber"] for p in first["Parts"]] == [1, 2] and first["IsTruncated"] and first["NextPartNumberMarker"] == 2
    rest = listing(PartNumberMarker=2)
    assert [p["PartNumber"] for p in rest["Parts"]] == [3, 10, 100]
    endpoint.s3.abort_multipart_upload(Bucket=bucket, Key="mp/list parts", UploadId=upload_id)


def test_list_uploads(endpoint, own_bucket):
    ids = {}
    for key in ["z", "a/1", "a/2", "a b"]:
        ids[key] = endpoint.s3.create_multipart_upload(Bucket=own_bucket, Key=key)["UploadId"]
    listing = lambda **p: endpoint.s3.list_multipart_uploads(Bucket=own_bucket, **p)
    got = listing()
    assert [(u["Key"], u["UploadId"]) for u in got["Uploads"]] == [(k, ids[k]) for k in sorted(ids)]
    assert all(u["Initiated"] for u in got["Uploads"]) and got["IsTruncated"] is False
    assert [u["Key"] for u in listing(Prefix="a/")["Uploads"]] == ["a/1", "a/2"]
    by_folder = listing(Delimiter="/")
    assert [u["Key"] for u in by_folder["Uploads"]] == ["a b", "z"]
    assert [p["Prefix"] for p in by_folder["CommonPrefixes"]] == ["a/"]
    first = listing(MaxUploads=2)
    assert first["IsTruncated"] and len(first["Uploads"]) == 2
    rest = listing(KeyMarker=first["NextKeyMarker"], UploadIdMarker=first["NextUploadIdMarker"])
    assert [u["Key"] for u in first["Uploads"] + rest["Uploads"]] == sorted(ids)
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=own_bucket)) == [], "an upload in progress is not an object"
    for key, upload_id in ids.items():
        endpoint.s3.abort_multipart_upload(Bucket=own_bucket, Key=key, UploadId=upload_id)
    assert "Uploads" not in listing()
    endpoint.s3.delete_bucket(Bucket=own_bucket)


def test_abort(endpoint, bucket):
    upload_id, parts = upload(endpoint, bucket, "mp/abort", {1: b"x"})
    endpoint.s3.abort_multipart_upload(Bucket=bucket, Key="mp/abort", UploadId=upload_id)
    where = {"Bucket": bucket, "Key": "mp/abort", "UploadId": upload_id}
    for call in (
        lambda: complete(endpoint, bucket, "mp/abort", upload_id, parts),
        lambda: endpoint.s3.upload_part(**where, PartNumber=2, Body=b"y"),
        lambda: endpoint.s3.list_parts(**where),
        lambda: endpoint.s3.abort_multipart_upload(**where),
    ):
        with refused("NoSuchUpload", 404):
            call()


@pytest.mark.parametrize("upload_id", ["nonsense", "../../other", "%2e%2e", "a" * 500, "0" * 40 + "_" + "0" * 32])
def test_unknown_upload_id(endpoint, bucket, upload_id):
    query = {"partNumber": "1", "uploadId": upload_id}
    answer = send("PUT", Signer(endpoint.key).presign("PUT", f"{endpoint.url}/{bucket}/mp/unknown", query=query), body=b"x")
    assert (answer.status, answer.code) in ((404, "NoSuchUpload"), (400, "InvalidRequest")), answer


def test_upload_id_belongs_to_its_key(endpoint, bucket):
    upload_id, parts = upload(endpoint, bucket, "mp/mine", {1: b"x"})
    with refused("NoSuchUpload", 404):
        endpoint.s3.upload_part(Bucket=bucket, Key="mp/other", UploadId=upload_id, PartNumber=1, Body=b"y")
    with refused("NoSuchUpload", 404):
        complete(endpoint, bucket, "mp/other", upload_id, parts)
    endpoint.s3.abort_multipart_upload(Bucket=bucket, Key="mp/mine", UploadId=upload_id)


@pytest.mark.parametrize(
    "parts, code",
    [
        (lambda p: [{**p[0], "ETag": '"00000000000000000000000000000000"'}, p[1]], "InvalidPart"),
        (lambda p: [*p, {"PartNumber": 9, "ETag": p[0]["ETag"]}], ("InvalidPart", "EntityTooSmall")),
        (lambda p: p[::-1], "InvalidPartOrder"),
        (lambda p: [p[0], p[0], p[1]], ("EntityTooSmall", "InvalidPartOrder", "InvalidPart")),
        (lambda p: p, "EntityTooSmall"),
    ],
    ids=["wrong-etag", "part-that-is-not-there", "descending", "twice", "first-part-too-small"],
)
def test_complete_refusals(endpoint, bucket, parts, code):
    upload_id, uploaded = upload(endpoint, bucket, "mp/refused", {1: b"tiny", 2: b"end"})
    with refused(code, 400):
        complete(endpoint, bucket, "mp/refused", upload_id, parts(uploaded))
    with refused("404"):
        endpoint.s3.head_object(Bucket=bucket, Key="mp/refused")
    # The upload is still there and can be completed properly.
    complete(endpoint, bucket, "mp/refused", upload_id, uploaded[1:])
    endpoint.s3.delete_object(Bucket=bucket, Key="mp/refused")


@pytest.mark.parametrize("body", [b"", b"<CompleteMultipartUpload/>", b"<oops", b"{}"])
def test_complete_malformed(endpoint, bucket, body):
    upload_id, _ = upload(endpoint, bucket, "mp/malformed", {1: b"x"})
    answer = request(endpoint.key, "POST", f"{endpoint.url}/{bucket}/mp/malformed?uploadId={upload_id}", body)
    assert answer.status == 400 and answer.code in ("MalformedXML", "InvalidRequest", "MissingRequestBodyError"), answer
    endpoint.s3.abort_multipart_upload(Bucket=bucket, Key="mp/malformed", UploadId=upload_id)


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", "1.5"])
def test_part_numbers_out_of_range(endpoint, bucket, number):
    upload_id = endpoint.s3.create_multipart_upload(Bucket=bucket, Key="mp/number")["UploadId"]
    answer = request(endpoint.key, "PUT", f"{endpoint.url}/{bucket}/mp/number?partNumber={number}&uploadId={upload_id}", b"x")
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer
    endpoint.s3.abort_multipart_upload(Bucket=bucket, Key="mp/number", UploadId=upload_id)


def test_complete_only_if_absent(endpoint, bucket):
    upload_id, parts = upload(endpoint, bucket, "mp/if-none", {1: b"late"})
    endpoint.s3.put_object(Bucket=bucket, Key="mp/if-none", Body=b"early")
    with refused("PreconditionFailed", 412):
        complete(endpoint, bucket, "mp/if-none", upload_id, parts, IfNoneMatch="*")
    assert body_of(endpoint.s3, bucket, "mp/if-none") == b"early"
    endpoint.s3.abort_multipart_upload(Bucket=bucket, Key="mp/if-none", UploadId=upload_id)


def test_composite_checksum(endpoint, bucket):
    first, second = part_of("a"), b"b" * 100
    key = "mp/checksum"
    upload_id = endpoint.s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, data in enumerate((first, second), 1):
        want = base64.b64encode(hashlib.sha256(data).digest()).decode()
        got = endpoint.s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=data, ChecksumAlgorithm="SHA256"
        )
        assert got["ChecksumSHA256"] == want
        parts.append({"PartNumber": number, "ETag": got["ETag"], "ChecksumSHA256": want})
    done = complete(endpoint, bucket, key, upload_id, parts)
    of_parts = hashlib.sha256(hashlib.sha256(first).digest() + hashlib.sha256(second).digest()).digest()
    want = base64.b64encode(of_parts).decode() + "-2"
    assert done["ChecksumSHA256"] == want
    head = endpoint.s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert done["Location"] == f"{endpoint.url}/{bucket}/{key}"
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (want, "COMPOSITE")
    attributes = endpoint.s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert [part["ChecksumSHA256"] for part in attributes["Parts"]] == [part["ChecksumSHA256"] for part in parts]
    for part in parts:
        number = {"Bucket": bucket, "Key": key, "PartNumber": part["PartNumber"]}
        assert "ChecksumSHA256" not in endpoint.s3.head_object(**number)
        for read in (endpoint.s3.head_object, endpoint.s3.get_object):
            assert read(**number, ChecksumMode="ENABLED")["ChecksumSHA256"] == part["ChecksumSHA256"]


def test_parts_without_a_checksum_are_counted(endpoint, bucket):
    key = "mp/no-checksum"
    upload_id = request(endpoint.key, "POST", f"{endpoint.url}/{bucket}/{key}?uploads").body.decode()
    upload_id = upload_id.split("<UploadId>")[1].split("</UploadId>")[0]
    part = request(endpoint.key, "PUT", f"{endpoint.url}/{bucket}/{key}?partNumber=1&uploadId={upload_id}", b"part")
    complete(endpoint, bucket, key, upload_id, [{"PartNumber": 1, "ETag": part.headers["etag"]}])
    attributes = endpoint.s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert attributes["TotalPartsCount"] == 1 and not attributes.get("Parts")


def test_full_object_checksum(endpoint, bucket):
    """CRC-64/NVME of a multipart upload is that of the whole object, combined from its parts."""
    key = "mp/full-checksum"
    create = {"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "FULL_OBJECT"}
    url = f"{endpoint.url}/{bucket}/{key}"
    created = request(endpoint.key, "POST", url + "?uploads", headers=create)
    assert created.status == 200, created
    upload_id = created.body.decode().split("<UploadId>")[1].split("</UploadId>")[0]
    part = request(
        endpoint.key, "PUT", f"{url}?partNumber=1&uploadId={upload_id}", b"123456789",
        {"x-amz-checksum-crc64nvme": "rosUhgp5mIg="},
    )  # fmt: skip
    assert part.status == 200, part
    one = f"<Part><PartNumber>1</PartNumber><ETag>{part.headers['etag']}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{one}</CompleteMultipartUpload>"
    done = request(endpoint.key, "POST", f"{url}?uploadId={upload_id}", body.encode())
    assert done.status == 200 and b"<ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>" in done.body, done
    head = request(endpoint.key, "HEAD", url, headers={"x-amz-checksum-mode": "ENABLED"})
    assert head.headers.get("x-amz-checksum-crc64nvme") == "rosUhgp5mIg="
    assert head.headers.get("x-amz-checksum-type") == "FULL_OBJECT"


def test_the_transfer_manager(endpoint, bucket, tmp_path):
    """boto3's own multipart upload and ranged download, several parts at a time."""
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    path = tmp_path / "up"
    path.write_bytes(b"".join(bytes([n]) * MIB for n in range(23)))
    endpoint.s3.upload_file(str(path), bucket, "mp/transfer", Config=config)
    endpoint.s3.download_file(bucket, "mp/transfer", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == path.read_bytes()
    assert endpoint.s3.head_object(Bucket=bucket, Key="mp/transfer")["ETag"].endswith('-5"')


def test_names_that_weed_stores(endpoint, own_bucket):
    """`dir/` in parts, and a key that ends in `.versions` where no versions are kept."""
    upload_id, uploaded = upload(endpoint, own_bucket, "dir/", {1: b"a" * (5 << 20), 2: b"end"})
    complete(endpoint, own_bucket, "dir/", upload_id, uploaded)
    endpoint.s3.put_object(Bucket=own_bucket, Key="dir/Gemfile.versions", Body=b"rails")
    assert body_of(endpoint.s3, own_bucket, "dir/") == b"a" * (5 << 20) + b"end"
    assert body_of(endpoint.s3, own_bucket, "dir/Gemfile.versions") == b"rails"
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=own_bucket)) == ["dir/", "dir/Gemfile.versions"]
    endpoint.s3.put_bucket_versioning(Bucket=own_bucket, VersioningConfiguration={"Status": "Enabled"})
    again = lambda: endpoint.s3.put_object(Bucket=own_bucket, Key="dir/Gemfile.versions", Body=b"others")
    if endpoint.name == "embedded":
        again()
        old = endpoint.s3.get_object(Bucket=own_bucket, Key="dir/Gemfile.versions", VersionId="null")
        assert old["Body"].read() == b"rails", "nothing is lost"
    else:
        with refused("NotImplemented", 501):
            again()
        assert body_of(endpoint.s3, own_bucket, "dir/Gemfile.versions") == b"rails", "nothing is lost"
    endpoint.s3.delete_object(Bucket=own_bucket, Key="dir/")
    keys = keys_of(endpoint.s3.list_objects_v2(Bucket=own_bucket))
    assert "dir/" not in keys and "dir/Gemfile.versions" in keys
