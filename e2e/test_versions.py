"""Versions that `weed s3` wrote are read by Kelpgate, and vice versa: current, old, deleted, null."""

import concurrent.futures
import datetime

import pytest

from clients import body_of, make_bucket, refused
from processes import wait_for

MIB = 1024 * 1024


def set_versioning(client, bucket, status, *others):
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    for other in (client, *others):
        wait_for(lambda: other.get_bucket_versioning(Bucket=bucket).get("Status") == status, 10, "the status to arrive")


@pytest.fixture(scope="module")
def bucket(root_weed, root_a, root_b):
    name = make_bucket(root_weed, "versions")
    for key in ("before-weed", "before-kelpgate"):
        client = root_weed if key.endswith("weed") else root_a
        client.put_object(Bucket=name, Key=key, Body=b"before")
    set_versioning(root_weed, name, "Enabled", root_a, root_b)
    return name


@pytest.fixture
def key(request):
    return "dir/" + "".join(c if c.isalnum() else "-" for c in request.node.name)


def put(client, bucket, key, body):
    return client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/x-kelp")["VersionId"]


def state(client, bucket, key, versions):
    """What a client sees: the current version, and each version by its id."""

    def seen(**version):
        try:
            got = client.get_object(Bucket=bucket, Key=key, **version)
            return got["Body"].read(), got.get("VersionId", "null")
        except client.exceptions.ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    return [seen(), *(seen(VersionId=version) for version in versions)]


def same(pair, bucket, key, versions, want):
    for client in pair:
        assert state(client, bucket, key, versions) == want


def test_versions_and_delete_markers(pair, bucket, key):
    writer, reader = pair
    ids = [put(writer, bucket, key, body) for body in (b"1", b"22", b"333")]
    all_of = [(b"1", ids[0]), (b"22", ids[1]), (b"333", ids[2])]
    same(pair, bucket, key, ids, [all_of[2], *all_of])
    marked = writer.delete_object(Bucket=bucket, Key=key)
    assert marked["DeleteMarker"]
    same(pair, bucket, key, ids, [404, *all_of])
    # The other one removes the marker, and then the newest version.
    reader.delete_object(Bucket=bucket, Key=key, VersionId=marked["VersionId"])
    same(pair, bucket, key, ids, [all_of[2], *all_of])
    reader.delete_object(Bucket=bucket, Key=key, VersionId=ids[2])
    same(pair, bucket, key, ids, [all_of[1], all_of[0], all_of[1], 404])
    new = put(reader, bucket, key, b"4444")
    same(pair, bucket, key, [*ids, new], [(b"4444", new), all_of[0], all_of[1], 404, (b"4444", new)])
    for version in (ids[0], ids[1], new):
        reader.delete_object(Bucket=bucket, Key=key, VersionId=version)
    same(pair, bucket, key, [*ids, new], [404, 404, 404, 404, 404])


def test_listings_of_versions_agree(root_weed, root_a):
    """As a whole: `weed s3` loses keys at small pages, and puts a null version last."""
    bucket = make_bucket(root_weed, "listed")
    root_weed.put_object(Bucket=bucket, Key="a/old", Body=b"null")
    set_versioning(root_weed, bucket, "Enabled", root_a)
    keys = ["a", "a-b", "a-b.txt", "a.b", "a/b", "a/b-c", "a0", "b"]
    for n, key in enumerate(keys * 2):
        put((root_weed, root_a)[n % 2], bucket, key, b"x" * n)
    for client in (root_weed, root_a):
        client.delete_object(Bucket=bucket, Key="a-b")

    def shown(page):
        versions = [(v["Key"], v["VersionId"], v["IsLatest"], v["Size"], v["ETag"]) for v in page.get("Versions", [])]
        return versions, [(m["Key"], m["VersionId"], m["IsLatest"]) for m in page.get("DeleteMarkers", [])]

    whole = shown(root_a.list_object_versions(Bucket=bucket))
    assert whole == shown(root_weed.list_object_versions(Bucket=bucket)) and len(whole[0]) == 17 and len(whole[1]) == 2
    for size in (1, 2, 5, 19):
        pages = root_a.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        parts = [shown(page) for page in pages]
        assert ([v for p in parts for v in p[0]], [m for p in parts for m in p[1]]) == whole
    current = [c["Key"] for c in root_a.list_objects_v2(Bucket=bucket)["Contents"]]
    assert current == sorted(set(keys) - {"a-b"} | {"a/old"})
    grouped = root_a.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in grouped["CommonPrefixes"]] == ["a/"] and len(grouped["Versions"]) == 12


def test_weed_lists_what_kelpgate_wrote(root_weed, root_a, bucket, key):
    ids = [put(client, bucket, key, b"x" * n) for n, client in enumerate((root_a, root_weed, root_a), 1)]
    marker = root_a.delete_object(Bucket=bucket, Key=key)["VersionId"]
    listed = root_weed.list_object_versions(Bucket=bucket, Prefix=key)
    versions = [(v["VersionId"], v["Size"], v["IsLatest"]) for v in listed["Versions"]]
    assert versions == [(ids[2], 3, False), (ids[1], 2, False), (ids[0], 1, False)]
    assert [(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [(marker, True)]
    assert "Contents" not in root_weed.list_objects_v2(Bucket=bucket, Prefix=key)
    root_a.delete_object(Bucket=bucket, Key=key, VersionId=marker)
    (current,) = root_weed.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
    assert current["Size"] == 3


@pytest.mark.parametrize("name", ["before-weed", "before-kelpgate"])
def test_an_object_from_before_is_the_version_null(root_weed, root_a, bucket, name):
    both = (root_a, root_weed)
    same(both, bucket, name, ["null"], [(b"before", "null"), (b"before", "null")])
    new = put(root_a, bucket, name, b"after")
    same(both, bucket, name, ["null", new], [(b"after", new), (b"before", "null"), (b"after", new)])
    root_a.delete_object(Bucket=bucket, Key=name, VersionId=new)
    same(both, bucket, name, ["null", new], [(b"before", "null"), (b"before", "null"), 404])


def test_a_retained_object_from_before(root_weed, root_a):
    """An object that is its only version gets a directory of versions with its retention. `weed s3` reads both as before."""
    bucket = make_bucket(root_weed, "retained")
    root_weed.put_object(Bucket=bucket, Key="dir/k", Body=b"before")
    set_versioning(root_weed, bucket, "Enabled", root_a)
    root_a.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    for days in (1, 2):
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        root_a.put_object_retention(Bucket=bucket, Key="dir/k", Retention=retention)
    pair, before = (root_weed, root_a), (b"before", "null")
    same(pair, bucket, "dir/k", ["null"], [before, before])
    for client in pair:
        listed = client.list_object_versions(Bucket=bucket)["Versions"]
        assert [(v["Key"], v["VersionId"], v["IsLatest"]) for v in listed] == [("dir/k", "null", True)]
        assert client.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == 6
        with refused("AccessDenied", 403):
            client.delete_object(Bucket=bucket, Key="dir/k", VersionId="null", BypassGovernanceRetention=True)
    new = put(root_weed, bucket, "dir/k", b"new")
    same(pair, bucket, "dir/k", ["null", new], [(b"new", new), before, (b"new", new)])


def test_suspended_versioning(root_weed, root_a):
    bucket, key, both = make_bucket(root_a, "suspended"), "dir/k", (root_a, root_weed)
    set_versioning(root_a, bucket, "Enabled", root_weed)
    first = put(root_weed, bucket, key, b"first")
    set_versioning(root_a, bucket, "Suspended", root_weed)
    for n, client in enumerate((root_a, root_weed, root_a)):
        body = b"null %d" % n
        client.put_object(Bucket=bucket, Key=key, Body=body)
        same(both, bucket, key, ["null", first], [(body, "null"), (body, "null"), (b"first", first)])
    for deleter, writer in ((root_a, root_weed), (root_weed, root_a)):
        assert deleter.delete_object(Bucket=bucket, Key=key)["DeleteMarker"]
        for client in both:
            assert state(client, bucket, key, [first]) == [404, (b"first", first)]
        writer.put_object(Bucket=bucket, Key=key, Body=b"again")
        same(both, bucket, key, ["null", first], [(b"again", "null"), (b"again", "null"), (b"first", first)])
    # Removing an old version leaves the current one alone, and removing the current one brings the old one back.
    set_versioning(root_a, bucket, "Enabled", root_weed)
    second = put(root_a, bucket, key, b"second")
    same(both, bucket, key, ["null", first], [(b"second", second), (b"again", "null"), (b"first", first)])
    root_a.delete_object(Bucket=bucket, Key=key, VersionId=second)
    same(both, bucket, key, ["null", first], [(b"again", "null"), (b"again", "null"), (b"first", first)])
    root_a.delete_object(Bucket=bucket, Key=key, VersionId="null")
    same(both, bucket, key, ["null", first], [(b"first", first), 404, (b"first", first)])


def test_multipart_copies_and_tags(pair, bucket, key):
    writer, reader = pair
    old = put(writer, bucket, key, b"old")
    upload = writer.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    pieces, parts = [b"p" * (5 * MIB), b"end"], []
    for number, piece in enumerate(pieces, 1):
        etag = writer.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    writer.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    assert body_of(reader, bucket, key) == b"".join(pieces) and body_of(reader, bucket, key, VersionId=old) == b"old"
    source = {"Bucket": bucket, "Key": key, "VersionId": old}
    copied = reader.copy_object(Bucket=bucket, Key=key, CopySource=source, MetadataDirective="REPLACE")["VersionId"]
    assert state(writer, bucket, key, [copied])[:1] == [(b"old", copied)]
    tags = {"TagSet": [{"Key": "t", "Value": "1"}]}
    reader.put_object_tagging(Bucket=bucket, Key=key, VersionId=old, Tagging=tags)
    assert writer.get_object_tagging(Bucket=bucket, Key=key, VersionId=old)["TagSet"] == tags["TagSet"]
    assert writer.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == []


def test_the_entries_are_what_weed_would_have_written(cluster, root_weed, root_a, bucket):
    """Attribute for attribute, except for times, ids and Kelpgate's own mark."""
    found = []
    for name, client in (("entry-weed", root_weed), ("entry-kelpgate", root_a)):
        for body in (b"one", b"two"):
            put(client, bucket, name, body)
        directory = cluster.filer.entry(f"/buckets/{bucket}/{name}.versions")["Extended"]
        files = [cluster.filer.entry(f"/buckets/{bucket}/{name}.versions/{file}") for file in cluster.filer.names(f"/buckets/{bucket}/{name}.versions")]
        found.append((directory, files))
    (theirs, their_files), (ours, our_files) = found
    assert ours.pop("Seaweed-X-Amz-ETag") == ours["Seaweed-X-Amz-Latest-Version-Id"]
    changing = ("-Id", "-File-Name", "-Mtime")
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert name.endswith(changing) or ours[name] == theirs[name], name
    for mine, other in zip(our_files, their_files):
        assert mine["Extended"].keys() == other["Extended"].keys()
        for name in ("Mode", "Mime", "Md5", "FileSize"):
            assert mine[name] == other[name], name


def test_writers_of_both_kinds_lose_no_version(root_weed, root_a, root_b, bucket, key):
    clients = [root_weed, root_a, root_b] * 8
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        ids = list(pool.map(lambda at: put(clients[at], bucket, key, b"%d" % at), range(len(clients))))
    assert len(set(ids)) == len(ids)
    for client in (root_weed, root_a):
        got = state(client, bucket, key, ids)
        assert got[1:] == [(b"%d" % at, version) for at, version in enumerate(ids)]
        assert got[0][1] == min(ids), "the newest is the current one"


def test_one_conditional_writer_wins(root_a, root_b, bucket, key):
    def attempt(at):
        try:
            client = (root_a, root_b)[at % 2]
            return client.put_object(Bucket=bucket, Key=key, Body=b"%d" % at, IfNoneMatch="*")["VersionId"]
        except root_a.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    lost = ("PreconditionFailed", "ConditionalRequestConflict")
    assert len([outcome for outcome in outcomes if outcome not in lost]) == 1, outcomes


def test_a_delete_marker_is_named(root_a, bucket, key):
    put(root_a, bucket, key, b"x")
    marker = root_a.delete_object(Bucket=bucket, Key=key)["VersionId"]
    with refused("NoSuchKey", 404) as caught:
        root_a.get_object(Bucket=bucket, Key=key)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    with refused("MethodNotAllowed", 405):
        root_a.get_object(Bucket=bucket, Key=key, VersionId=marker)
