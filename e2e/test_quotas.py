"""Buckets that are over their quota: nothing more is stored, and reads and deletions go on."""

import json
import os
import signal

import pytest
import requests

import kelpgate
import world
from clients import body_of, make_bucket, s3
from processes import Server, free_port, wait_for
from signing import request
from weed import Cluster


@pytest.fixture(scope="module")
def weed(tmp_path_factory, config_flags):
    """A cluster of its own: `weed shell` counts what volumes hold, and marks buckets for all gateways."""
    directory = tmp_path_factory.mktemp("quotas")
    cluster = Cluster(directory)
    yield cluster, kelpgate.gateway("quotas", directory / "gateway", cluster.filer, [config_flags[0]])
    for server in [server for server in Server.running if directory in server.directory.parents]:
        server.kill()


def refused_for_room(answer):
    return answer.status == 507 and b"InsufficientStorage" in answer.body and b"quota" in answer.body


def test_a_bucket_that_weed_marked_is_read_only(weed):
    cluster, gateway = weed
    root = s3(gateway.url, world.ROOT)
    bucket, other = make_bucket(root, "over"), make_bucket(root, "under")
    upload = root.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    body = os.urandom(2 << 20)
    root.put_object(Bucket=bucket, Key="k", Body=body)
    cluster.shell(f"lock\ns3.bucket.quota -name={bucket} -op=set -sizeMB=1\nunlock")

    def is_enforced():
        # The master learns of what volumes hold after some seconds.
        cluster.shell("lock\ns3.bucket.quota.enforce -apply\nunlock")
        return "readOnly" in cluster.filer.read("/etc/seaweedfs/filer.conf").text

    wait_for(is_enforced, 60, "weed marks the bucket", gateway)
    put = lambda key, body=b"": request(world.ROOT, "PUT", f"{gateway.url}/{key}", body)  # noqa: E731
    # The rules are read again every 10 s.
    wait_for(lambda: refused_for_room(put(f"{bucket}/empty")), 30, "the gateway knows", gateway)
    copy = {"x-amz-copy-source": f"/{bucket}/k"}
    for method, target, headers in [
        ("PUT", f"{bucket}/small", {}),
        ("PUT", f"{bucket}/directory/", {}),
        ("PUT", f"{bucket}/copy", copy),
        ("POST", f"{bucket}/new?uploads", {}),
        ("PUT", f"{bucket}/parts?partNumber=1&uploadId={upload}", {}),
        ("PUT", f"{bucket}/parts?partNumber=1&uploadId={upload}", copy),
    ]:
        answer = request(world.ROOT, method, f"{gateway.url}/{target}", b"", headers)
        assert refused_for_room(answer), f"{method} {target}: {answer}"
    assert put(f"{other}/k", body).status == 200
    assert body_of(root, bucket, "k") == body
    root.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload)
    root.delete_object(Bucket=bucket, Key="k")
    cluster.shell(f"lock\ns3.bucket.quota -name={bucket} -op=remove\nunlock")
    wait_for(lambda: put(f"{bucket}/again").status == 200, 30, "the bucket is open again", gateway)


GIB = 1 << 30


def put(server, key, body=b"", headers=None):
    return request(server.root, "PUT", f"{server.url}/{key}", body, headers)


def reload(server, quotas):
    ended = lambda: server.log().count("SIGHUP: ")  # noqa: E731
    before = ended()
    server.config.write_text(json.dumps({"kelpgate": {"quotas": quotas}}))
    os.kill(server.pid, signal.SIGHUP)
    wait_for(lambda: ended() > before, 30, "the reload", server)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    directory = tmp_path_factory.mktemp("quota-of-server")
    config = directory / "iam.json"
    config.write_text(json.dumps({"kelpgate": {"quotas": {"*": "3 MiB", "free": 0}}}))
    server = kelpgate.SingleMachine(directory, [f"-iam.config={config}"], name="quota-of-server")
    server.config = config
    yield server
    server.stop()


def test_a_bucket_of_the_server_holds_no_more_than_its_quota(alone):
    root = s3(alone.url, alone.root)
    bucket = make_bucket(root, "room")
    root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    mib = os.urandom(1 << 20)
    assert put(alone, f"{bucket}/k", mib).status == 200
    second = put(alone, f"{bucket}/k", mib)
    assert second.status == 200
    upload = root.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = root.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=mib)
    # Three MiB: two versions and a part.
    for answer in [
        put(alone, f"{bucket}/k", b"x"),
        put(alone, f"{bucket}/k2", headers={"x-amz-copy-source": f"/{bucket}/k"}),
        put(alone, f"{bucket}/parts?partNumber=2&uploadId={upload}", b"x"),
    ]:
        assert refused_for_room(answer), answer
    full = lambda: "kelpgate_storage_full_buckets 1\n" in requests.get(alone.url + "/metrics", timeout=10).text  # noqa: E731
    assert full()
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    root.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert body_of(root, bucket, "parts") == mib
    root.delete_object(Bucket=bucket, Key="k", VersionId=second.headers["x-amz-version-id"])
    assert not full()
    assert refused_for_room(put(alone, f"{bucket}/k", mib + b"x")) and put(alone, f"{bucket}/k", mib).status == 200
    free = request(alone.root, "PUT", f"{alone.url}/free")
    assert free.status == 200 and put(alone, "free/k", os.urandom(4 << 20)).status == 200


def test_quotas_are_reloaded_and_a_wrong_one_changes_nothing(alone):
    bucket = make_bucket(s3(alone.url, alone.root), "reloaded")
    assert put(alone, f"{bucket}/k", os.urandom(2 << 20)).status == 200
    reload(alone, {bucket: "2 MB"})
    assert put(alone, f"{bucket}/small", b"x").status == 200
    reload(alone, {bucket: "2 MiB"})
    assert refused_for_room(put(alone, f"{bucket}/other", b"x")), alone.log()
    reload(alone, {})
    assert put(alone, f"{bucket}/other", os.urandom(4 << 20)).status == 200


def test_quotas_of_the_file_are_refused_before_seaweedfs(weed, tmp_path):
    cluster, _ = weed
    config = tmp_path / "iam.json"
    config.write_text(json.dumps({"kelpgate": {"quotas": {"*": GIB}}}))
    refused = kelpgate.cli("s3", f"-filer={cluster.filer.address}", f"-port={free_port()}", f"-iam.config={config}", check=False)
    assert refused.returncode != 0 and "s3.bucket.quota" in refused.stderr, refused
