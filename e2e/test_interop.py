"""Kelpgate reads what `weed s3` wrote, and vice versa: byte for byte, header for header."""

import gzip
import hashlib
import json
import random

import pytest
import requests

import kelpgate
import world
from clients import Key, body_of, client, keys_of, make_bucket, new_key, refused, s3, unique
from processes import Server, free_port, wait_for
from signing import request
from weed import INLINE_LIMIT, weed_s3

MIB = 1024 * 1024
RANDOM = random.Random(7).randbytes(20 * MIB + 11)
TEXT = b"".join(b"line %d of a text that compresses well\n" % n for n in range(200_000))

# Content headers and user metadata that both sides have to return identically.
HEADERS = {
    "ContentType": "text/x-kelp",
    "CacheControl": "max-age=1",
    "ContentDisposition": "inline",
    "ContentLanguage": "de",
    "Metadata": {"name": "value", "other-name": "with spaces"},
}


@pytest.fixture(scope="module")
def bucket(root_weed):
    return make_bucket(root_weed, "interop")


@pytest.fixture
def key(request):
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


def typed(value):
    """Replaces the type that `weed s3` gives an object without one by AWS's."""
    return "binary/octet-stream" if value == "application/octet-stream" else value


def same_to_both(writer, reader, bucket, key, data):
    """Content, headers and listing are the same for the writer and the reader."""
    mine, yours = (c.get_object(Bucket=bucket, Key=key) for c in (writer, reader))
    got = yours["Body"].read()
    assert len(got) == len(data) and got == data
    for name in (
        "ETag",
        "ContentLength",
        "ContentType",
        "Metadata",
        "LastModified",
        "CacheControl",
        "ContentDisposition",
        "ContentEncoding",
        "ContentLanguage",
        "TagCount",
    ):
        assert typed(yours.get(name)) == typed(mine.get(name)), name
    heads = [c.head_object(Bucket=bucket, Key=key) for c in (writer, reader)]
    assert heads[0]["ETag"] == heads[1]["ETag"] == mine["ETag"] and heads[1]["ContentLength"] == len(data)
    listed = [c.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"][0] for c in (writer, reader)]
    for name in ("Key", "ETag", "Size", "LastModified", "StorageClass"):
        assert listed[0][name] == listed[1][name], name
    for start, end in [(0, 0), (len(data) // 2, len(data) // 2 + 5000), (len(data) - 3, len(data) + 3)]:
        if start >= 0 and len(data):
            assert body_of(reader, bucket, key, Range=f"bytes={start}-{end}") == data[start : end + 1]


@pytest.mark.parametrize("size", [0, 1, 1000, 300_000, 4 * MIB, 4 * MIB + 1, len(RANDOM)])
def test_plain(pair, bucket, key, size):
    writer, reader = pair
    data = RANDOM[:size]
    etag = writer.put_object(Bucket=bucket, Key=key, Body=data, **HEADERS)["ETag"]
    assert etag == f'"{hashlib.md5(data).hexdigest()}"'
    same_to_both(writer, reader, bucket, key, data)
    assert reader.head_object(Bucket=bucket, Key=key)["Metadata"] == HEADERS["Metadata"]


def test_text_that_is_stored_compressed(pair, bucket, key):
    writer, reader = pair
    writer.put_object(Bucket=bucket, Key=key, Body=TEXT, ContentType="text/plain")
    same_to_both(writer, reader, bucket, key, TEXT)


def test_multipart(pair, bucket, key):
    writer, reader = pair
    upload = writer.create_multipart_upload(Bucket=bucket, Key=key, **HEADERS)["UploadId"]
    pieces, parts = [RANDOM[: 9 * MIB], RANDOM[9 * MIB : 15 * MIB], b"end"], []
    for number, piece in enumerate(pieces, 1):
        etag = writer.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    writer.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    same_to_both(writer, reader, bucket, key, b"".join(pieces))
    digest = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in pieces)).hexdigest()
    assert reader.head_object(Bucket=bucket, Key=key)["ETag"] == f'"{digest}-3"'
    second = reader.get_object(Bucket=bucket, Key=key, PartNumber=2)
    assert second["Body"].read() == pieces[1] and second["PartsCount"] == 3


def test_an_upload_begun_by_one_and_completed_by_the_other(pair, bucket, key):
    writer, reader = pair
    upload = writer.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    first, second = RANDOM[: 5 * MIB], b"second"
    parts = []
    for number, (client, piece) in enumerate([(writer, first), (reader, second)], 1):
        etag = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    seen = reader.list_parts(Bucket=bucket, Key=key, UploadId=upload)["Parts"]
    assert [(p["PartNumber"], p["ETag"]) for p in seen] == [(p["PartNumber"], p["ETag"]) for p in parts]
    assert (key, upload) in [(u["Key"], u["UploadId"]) for u in reader.list_multipart_uploads(Bucket=bucket)["Uploads"]]
    reader.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    same_to_both(writer, reader, bucket, key, first + second)


def test_tags(pair, bucket, key):
    writer, reader = pair
    writer.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging="a=1&b%20c=d%2Fe")
    tags = lambda client: sorted(client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"], key=str)
    assert tags(reader) == [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "d/e"}]
    reader.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "n", "Value": "m"}]})
    assert tags(writer) == tags(reader) == [{"Key": "n", "Value": "m"}]
    same_to_both(writer, reader, bucket, key, b"x")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_checksums(pair, bucket, key, algorithm):
    writer, reader = pair
    sent = writer.put_object(Bucket=bucket, Key=key, Body=b"summed", ChecksumAlgorithm=algorithm)
    head = reader.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == sent[f"Checksum{algorithm}"]


def test_copies_and_overwrites(pair, bucket, key):
    writer, reader = pair
    writer.put_object(Bucket=bucket, Key=key, Body=RANDOM[: 6 * MIB], **HEADERS)
    reader.copy_object(Bucket=bucket, Key=key + "-copy", CopySource={"Bucket": bucket, "Key": key})
    same_to_both(reader, writer, bucket, key + "-copy", RANDOM[: 6 * MIB])
    reader.put_object(Bucket=bucket, Key=key, Body=b"replaced")
    same_to_both(reader, writer, bucket, key, b"replaced")
    assert body_of(writer, bucket, key + "-copy", Range="bytes=5000000-5000003") == RANDOM[5_000_000:5_000_004]
    writer.delete_object(Bucket=bucket, Key=key)
    with refused("404"):
        reader.head_object(Bucket=bucket, Key=key)


def test_directory_markers(pair, bucket, key):
    writer, reader = pair
    writer.put_object(Bucket=bucket, Key=f"{key}/", Body=b"")
    writer.put_object(Bucket=bucket, Key=f"{key}/inside", Body=b"x")
    assert keys_of(reader.list_objects_v2(Bucket=bucket, Prefix=f"{key}/")) == [f"{key}/", f"{key}/inside"]
    assert reader.head_object(Bucket=bucket, Key=f"{key}/")["ETag"] == writer.head_object(Bucket=bucket, Key=f"{key}/")["ETag"]
    reader.delete_object(Bucket=bucket, Key=f"{key}/inside")
    assert keys_of(writer.list_objects_v2(Bucket=bucket, Prefix=f"{key}/")) == [f"{key}/"]


def test_plain_directories_are_no_objects(root_weed, root_a, bucket):
    root_weed.put_object(Bucket=bucket, Key="only/a/directory/file", Body=b"x")
    assert keys_of(root_a.list_objects_v2(Bucket=bucket, Prefix="only/")) == ["only/a/directory/file"]
    with refused("404"):
        root_a.head_object(Bucket=bucket, Key="only/a")
    with refused("404"):
        root_a.head_object(Bucket=bucket, Key="only/a/")


# ---- what comes in through the filer itself


def test_small_files_kept_inside_their_entry(cluster, root_weed, root_a, bucket):
    data = RANDOM[: INLINE_LIMIT - 100]
    assert cluster.filer.write(f"/buckets/{bucket}/filer/inline.bin", data).ok
    assert "chunks" not in cluster.filer.entry(f"/buckets/{bucket}/filer/inline.bin")
    same_to_both(root_weed, root_a, bucket, "filer/inline.bin", data)
    root_a.copy_object(Bucket=bucket, Key="filer/inline-copy", CopySource=f"{bucket}/filer/inline.bin")
    assert body_of(root_weed, bucket, "filer/inline-copy") == data


def test_text_compressed_by_the_filer(cluster, root_weed, root_a, bucket):
    path = f"/buckets/{bucket}/filer/text.txt"
    assert cluster.filer.write(path, TEXT, Content_Type="text/plain").ok
    assert any(c.get("is_compressed") for c in cluster.filer.entry(path)["chunks"]), "the filer compresses text"
    same_to_both(root_weed, root_a, bucket, "filer/text.txt", TEXT)
    root_a.copy_object(Bucket=bucket, Key="filer/text-copy", CopySource=f"{bucket}/filer/text.txt")
    assert body_of(root_weed, bucket, "filer/text-copy") == TEXT


def test_gzip_as_the_clients_own_encoding(pair, bucket, key):
    """An object that *is* gzip is returned as it is, not decompressed."""
    writer, reader = pair
    packed = gzip.compress(TEXT[:50_000], mtime=0)
    writer.put_object(Bucket=bucket, Key=key, Body=packed, ContentEncoding="gzip", ContentType="text/plain")
    url = reader.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})
    answer = requests.get(url, timeout=10, stream=True)
    assert answer.headers["content-encoding"] == "gzip" and answer.raw.read(decode_content=False) == packed


def test_several_chunks_by_the_filer(cluster, root_weed, root_a, bucket):
    assert cluster.filer.write(f"/buckets/{bucket}/filer/big.bin", RANDOM).ok
    assert len(cluster.filer.entry(f"/buckets/{bucket}/filer/big.bin")["chunks"]) > 3
    same_to_both(root_weed, root_a, bucket, "filer/big.bin", RANDOM)


def test_a_file_appended_to(cluster, root_weed, root_a, bucket):
    path = f"/buckets/{bucket}/filer/log"
    assert cluster.filer.write(path, RANDOM[:10_000]).ok
    assert requests.put(f"{cluster.filer.url}{path}?op=append", data=RANDOM[10_000:20_000], timeout=10).ok
    same_to_both(root_weed, root_a, bucket, "filer/log", RANDOM[:20_000])


def test_the_entry_is_what_weed_would_have_written(cluster, root_weed, root_a, bucket):
    """Attribute for attribute, except for times, ids and the places of chunks."""
    for name, client in (("entry-weed", root_weed), ("entry-kelpgate", root_a)):
        client.put_object(
            Bucket=bucket, Key=f"entries/{name}", Body=RANDOM[:5000], Tagging="a=1", StorageClass="STANDARD",
            ChecksumAlgorithm="CRC32", **HEADERS,
        )  # fmt: skip
    theirs, ours = (cluster.filer.entry(f"/buckets/{bucket}/entries/{n}") for n in ("entry-weed", "entry-kelpgate"))
    assert ours["Extended"] == theirs["Extended"]
    for name in ("Mode", "Mime", "Md5", "FileSize", "TtlSec"):
        assert ours[name] == theirs[name], name
    (chunk,), (their_chunk,) = ours["chunks"], theirs["chunks"]
    assert (chunk["size"], chunk["e_tag"]) == (their_chunk["size"], their_chunk["e_tag"])


def test_a_bucket_is_what_weed_would_have_made(cluster, root_weed, root_a):
    names = make_bucket(root_weed, "weedy"), make_bucket(root_a, "kelpy")
    theirs, ours = (cluster.filer.entry(f"/buckets/{name}") for name in names)
    for name in ("Mode", "Mime", "FileSize"):
        assert ours[name] == theirs[name], name
    # Only Kelpgate writes this, and SeaweedFS ignores it: the id of this creation of the bucket.
    assert len(ours["Extended"].pop("Seaweed-X-Amz-ETag")) > 0
    # As on AWS, new buckets have ownership controls. SeaweedFS reads a missing attribute as the same.
    assert ours["Extended"].pop("Seaweed-X-Amz-Ownership") == b"BucketOwnerEnforced"
    assert ours["Extended"] == theirs["Extended"]


def test_data_of_a_deleted_object_is_freed(cluster, root_a, bucket):
    """The chunks are removed with the object: nothing stays behind on the volumes."""
    root_a.put_object(Bucket=bucket, Key="freed", Body=RANDOM[: 2 * MIB])
    (chunk,) = cluster.filer.entry(f"/buckets/{bucket}/freed")["chunks"]
    volume = chunk["file_id"].split(",")[0]
    where = requests.get(f"http://{cluster.master}/dir/lookup?volumeId={volume}", timeout=5).json()["locations"][0]["url"]
    read = lambda: requests.get(f"http://{where}/{chunk['file_id']}", timeout=5).status_code
    assert read() == 200
    root_a.delete_object(Bucket=bucket, Key="freed")
    wait_for(lambda: read() == 404, 30, "the chunk's deletion")


# ---- what each of the two stores beside the other's


def policy_of(bucket):
    everyone = world.statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/public/*", Principal="*")
    return json.dumps(world.document(everyone))


# What both can write, and how each reads it back.
SHARED = {
    "tags": (
        lambda c, b: c.put_bucket_tagging(Bucket=b, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]}),
        lambda c, b: c.get_bucket_tagging(Bucket=b)["TagSet"],
    ),
    "policy": (
        lambda c, b: c.put_bucket_policy(Bucket=b, Policy=policy_of(b)),
        lambda c, b: json.loads(c.get_bucket_policy(Bucket=b)["Policy"]),
    ),
    "cors": (
        lambda c, b: c.put_bucket_cors(
            Bucket=b, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a"]}]}
        ),
        lambda c, b: [(r["AllowedMethods"], r["AllowedOrigins"]) for r in c.get_bucket_cors(Bucket=b)["CORSRules"]],
    ),
    "versioning": (
        lambda c, b: c.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"}),
        lambda c, b: c.get_bucket_versioning(Bucket=b)["Status"],
    ),
}
LIFECYCLE = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]}
# What Kelpgate alone writes, and how it reads it back.
OURS = {
    "website": (
        lambda c, b: c.put_bucket_website(Bucket=b, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}),
        lambda c, b: c.get_bucket_website(Bucket=b)["IndexDocument"],
    ),
    "payment": (
        lambda c, b: c.put_bucket_request_payment(Bucket=b, RequestPaymentConfiguration={"Payer": "Requester"}),
        lambda c, b: c.get_bucket_request_payment(Bucket=b)["Payer"],
    ),
    "accelerate": (
        lambda c, b: c.put_bucket_accelerate_configuration(Bucket=b, AccelerateConfiguration={"Status": "Enabled"}),
        lambda c, b: c.get_bucket_accelerate_configuration(Bucket=b)["Status"],
    ),
    "metrics": (
        lambda c, b: c.put_bucket_metrics_configuration(Bucket=b, Id="m", MetricsConfiguration={"Id": "m"}),
        lambda c, b: c.get_bucket_metrics_configuration(Bucket=b, Id="m")["MetricsConfiguration"],
    ),
    "block": (
        lambda c, b: c.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"BlockPublicAcls": True}),
        lambda c, b: c.get_public_access_block(Bucket=b)["PublicAccessBlockConfiguration"],
    ),
}


def put_all(client, bucket, table):
    for write, _ in table.values():
        write(client, bucket)


def read_all(client, bucket, table):
    return {name: read(client, bucket) for name, (_, read) in table.items()}


def attributes_of_ours(cluster, path):
    """Except the ids behind the names in a policy, which belong to the policy that was put."""
    extended = cluster.filer.entry(path)["Extended"]
    return {n: v for n, v in extended.items() if n.startswith("kelpgate-") and n != "kelpgate-bucket-policy-ids"}


def test_what_kelpgate_alone_stores_survives_the_writes_of_weed(cluster, root_weed, root_a):
    bucket = make_bucket(root_a, "ours")
    put_all(root_a, bucket, OURS)
    root_a.put_object(Bucket=bucket, Key="moved", Body=b"1", WebsiteRedirectLocation="/elsewhere")
    path, before = f"/buckets/{bucket}", read_all(root_a, bucket, OURS)
    stored = attributes_of_ours(cluster, path)
    assert len(stored) == len(OURS)
    put_all(root_weed, bucket, SHARED)
    root_weed.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=LIFECYCLE)
    wanted = read_all(root_weed, bucket, SHARED)
    wait_for(lambda: root_a.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled", 10, "the last write to arrive")
    assert read_all(root_a, bucket, SHARED) == wanted
    assert root_a.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"] == {"Days": 3}
    for delete in ("tagging", "policy", "cors", "lifecycle"):
        getattr(root_weed, f"delete_bucket_{delete}")(Bucket=bucket)
    assert read_all(root_a, bucket, OURS) == before and attributes_of_ours(cluster, path) == stored


def test_what_weed_stores_survives_the_writes_of_kelpgate(cluster, root_weed, root_a):
    bucket = make_bucket(root_weed, "theirs")
    put_all(root_weed, bucket, SHARED)
    root_weed.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=LIFECYCLE)
    wait_for(lambda: root_a.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled", 10, "the last write to arrive")
    before = read_all(root_weed, bucket, SHARED)
    rules = root_weed.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    put_all(root_a, bucket, OURS)
    for delete in ("delete_bucket_website", "delete_public_access_block"):
        getattr(root_a, delete)(Bucket=bucket)
    assert read_all(root_weed, bucket, SHARED) == before
    assert root_weed.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    # One message holds tags and CORS: changing one leaves the other.
    root_a.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "n", "Value": "m"}]})
    assert root_weed.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["AllowedOrigins"] == ["https://a"]


@pytest.mark.parametrize("other_first", [False, True], ids=["kelpgate-first", "weed-first"])
def test_what_an_object_has_beside_its_bytes(root_weed, root_a, bucket, key, other_first):
    """Tags, a copy and an overwrite by one leave what the other one stored, or replace it as a whole."""
    first, second = (root_weed, root_a) if other_first else (root_a, root_weed)
    ours = {} if other_first else {"WebsiteRedirectLocation": "/elsewhere"}
    first.put_object(Bucket=bucket, Key=key, Body=b"1", **HEADERS, **ours)
    owner = root_a.get_object_acl(Bucket=bucket, Key=key)["Owner"]
    second.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "n", "Value": "m"}]})
    second.copy_object(Bucket=bucket, Key=key + "-copy", CopySource={"Bucket": bucket, "Key": key})
    seen = root_a.head_object(Bucket=bucket, Key=key)
    assert seen.get("WebsiteRedirectLocation") == ours.get("WebsiteRedirectLocation")
    assert seen["Metadata"] == HEADERS["Metadata"] and seen["ContentType"] == HEADERS["ContentType"]
    for name in (key, key + "-copy"):
        assert body_of(root_a, bucket, name) == body_of(root_weed, bucket, name) == b"1"
        assert root_a.get_object_acl(Bucket=bucket, Key=name)["Owner"] == owner
        assert root_a.get_object_tagging(Bucket=bucket, Key=name)["TagSet"] == [{"Key": "n", "Value": "m"}]
    second.put_object(Bucket=bucket, Key=key, Body=b"22")
    seen = root_a.head_object(Bucket=bucket, Key=key)
    assert "WebsiteRedirectLocation" not in seen and seen["Metadata"] == {} and body_of(first, bucket, key) == b"22"


# ---- a filer that encrypts


@pytest.fixture(scope="module")
def side(logs, side_filer, config_flags):
    """(client of `weed s3`, client of Kelpgate, filer) on the filer that encrypts."""
    flags = [config_flags[0]]
    weed = weed_s3("side-weed", logs / "side-weed", side_filer, [*flags, "-encryptVolumeData"])
    gateway = kelpgate.gateway("side-gateway", logs / "side-gateway", side_filer, [*flags, "-encryptVolumeData"])
    yield s3(weed.url, world.ROOT), s3(gateway.url, world.ROOT), side_filer
    weed.stop()
    gateway.stop()


@pytest.mark.parametrize("size", [10, 100_000, 9 * MIB])
def test_ciphered_chunks(side, size):
    weed, ours, filer = side
    bucket = make_bucket(weed, "cipher")
    for writer, reader, key in ((weed, ours, "by-weed"), (ours, weed, "by-kelpgate"), (ours, ours, "by-both")):
        writer.put_object(Bucket=bucket, Key=key, Body=RANDOM[:size])
        chunks = filer.entry(f"/buckets/{bucket}/{key}")["chunks"]
        assert all(chunk.get("cipher_key") for chunk in chunks), f"{key} is not encrypted"
        same_to_both(writer, reader, bucket, key, RANDOM[:size])
    ours.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/by-weed")
    assert body_of(weed, bucket, "copy") == RANDOM[:size]


def test_ciphered_by_the_filer_itself(side):
    weed, ours, filer = side
    bucket = make_bucket(ours, "cipher")
    assert filer.write(f"/buckets/{bucket}/text.txt", TEXT, Content_Type="text/plain").ok
    same_to_both(weed, ours, bucket, "text.txt", TEXT)


# ---- weed shell and weed admin


@pytest.fixture(scope="module")
def keeper(writing_gateway):
    """A user with everything that only Kelpgate stores, the API, and what it says of him."""
    api, name = client("iam", writing_gateway.url, world.ROOT), unique("keeper")
    api.create_user(UserName=name, Path="/team/", Tags=[{"Key": "t", "Value": "1"}])
    own = world.document(world.statement("Allow", "s3:*", "*"), world.statement("Deny", "s3:DeleteObject", "*"))
    api.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(own))
    api.put_user_permissions_boundary(UserName=name, PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    key = new_key(api, name)

    def told():
        details = api.get_account_authorization_details()
        return [user for user in details["UserDetailList"] if user["UserName"] == name], details["RoleDetailList"]

    return key, told


def test_weed_shell(cluster, writing_gateway, keeper, tmp_path):
    """What `weed shell` changes is enforced at once, and what only Kelpgate stores stays."""
    url, root, (keepers_key, told) = writing_gateway.url, s3(writing_gateway.url, world.ROOT), keeper
    before, (user, group, policy, made, locked) = told(), map(unique, ("shelly", "shellies", "shelled", "by-shell", "locked-by-shell"))
    key = Key("AKIASHELLYMADE000001", f"{world.CANARY}shellymade".ljust(40, "z"))

    def answers(method, path, want, who=key):
        def is_so():
            answer = request(who, method, f"{url}/{path}")
            return want == (answer.status if answer.status < 300 else answer.code)

        wait_for(is_so, 5, f"{method} {path}: {want}")

    allowed = tmp_path / "policy.json"
    allowed.write_text(json.dumps(world.document(world.statement("Allow", "s3:GetObject", f"arn:aws:s3:::{made}/*"))))
    cluster.shell(
        f"s3.bucket.create -name {made} -owner root\ns3.bucket.create -name {locked} -withLock\n"
        f"s3.user.create -name {user} -access_key {key.access} -secret_key {key.secret}\n"
        f"s3.group.create -name {group}\ns3.group.add-user -group {group} -user {user}"
    )
    answers("HEAD", made, 200, world.ROOT)
    root.put_object(Bucket=made, Key="d/k", Body=b"kept")
    assert root.put_object(Bucket=locked, Key="k", Body=b"kept")["VersionId"]
    answers("GET", f"{made}/d/k", "AccessDenied")
    cluster.shell(f"s3.policy -put -name={policy} -file={allowed}\ns3.policy.attach -policy {policy} -user {user}")
    answers("GET", f"{made}/d/k", 200)
    for state, want in (("disable", "InvalidAccessKeyId"), ("enable", 200)):
        cluster.shell(f"s3.user.{state} -name {user}")
        answers("GET", f"{made}/d/k", want)
    shown = cluster.shell(f"fs.cat /buckets/{made}/d/k\nfs.mv /buckets/{made}/d /buckets/{made}/e\ns3.bucket.versioning -name {made} -enable")
    assert "kept" in shown and body_of(root, made, "e/k") == b"kept"
    wait_for(lambda: root.put_object(Bucket=made, Key="e/k", Body=b"new").get("VersionId"), 5, "versions are kept")
    assert "stranded              : 0" in cluster.shell(f"s3.versions.audit -prefix /buckets/{made}")
    assert told() == before, "what only Kelpgate stores"
    assert request(keepers_key, "DELETE", f"{url}/{made}/e/k").status == 403, "a Deny of an inline policy"
    cluster.shell(
        f"s3.group.remove-user -group {group} -user {user}\ns3.user.delete -name {user}\ns3.group.delete -name {group}\ns3.policy -delete -name={policy}\n"
        f"s3.bucket.delete -name {made}\ns3.bucket.delete -name {locked}"
    )
    answers("GET", f"{made}/e/k", "InvalidAccessKeyId")
    answers("GET", made, "NoSuchBucket", world.ROOT)
    assert told() == before


def test_weed_admin(cluster, writing_gateway, keeper, logs):
    """The web interface makes users and buckets through the same filer."""
    port, (_, told) = free_port(), keeper
    command = ["weed", "admin", f"-port={port}", f"-port.grpc={free_port()}", f"-master={cluster.master}", f"-dataDir={logs}/weed-admin"]
    admin = Server("weed-admin", command, logs / "weed-admin", ready_port=port)
    before, user, bucket, call = told(), unique("adam"), unique("by-admin"), f"http://127.0.0.1:{port}/api"
    wait_for(lambda: requests.get(f"{call}/users", timeout=5).ok, 20, "weed admin")
    made = requests.post(f"{call}/users", json={"username": user, "actions": ["Read", "List"], "generate_key": True}, timeout=10).json()["user"]
    assert requests.post(f"{call}/s3/buckets", json={"name": bucket, "owner": "root", "versioning_enabled": True}, timeout=10).ok
    key = Key(made["access_key"], made["secret_key"])
    wait_for(lambda: request(key, "GET", f"{writing_gateway.url}/{bucket}").status == 200, 5, "the user and the bucket of weed admin")
    assert request(key, "PUT", f"{writing_gateway.url}/{bucket}/k", b"x").status == 403
    assert requests.delete(f"{call}/users/{user}", timeout=10).ok
    wait_for(lambda: request(key, "GET", f"{writing_gateway.url}/{bucket}").code == "InvalidAccessKeyId", 5, "the user is gone")
    assert told() == before
    admin.kill()
