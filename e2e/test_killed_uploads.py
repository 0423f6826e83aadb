"""A gateway is killed in the middle of uploads: what it has stored by then can be found and freed, and nothing else goes with it."""

import re
import socket
from urllib.parse import urlsplit

import requests

import kelpgate
import world
from clients import body_of, make_bucket, s3
from processes import Server, wait_for
from weed import Cluster

MIB = 1 << 20
# A filer's chunks have 4 MiB: two of each upload are stored when the gateway dies.
SENT = b"z" * (9 * MIB)


def begin(root, bucket, key):
    """An upload of which the gateway gets 9 of 12 MiB."""
    url = urlsplit(root.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}))
    connection = socket.create_connection((url.hostname, url.port))
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {12 * MIB}\r\n\r\n"
    connection.sendall(head.encode() + SENT)
    return connection


def orphans(cluster, *flags):
    """How many chunks no entry names."""
    told = cluster.shell(f"lock\nvolume.fsck -cutoffTimeAgo=0s {' '.join(flags)}\nunlock")
    assert re.search(r"total \d+ directories", told), told
    return sum(map(int, re.findall(r"volume:\d+\s+entries:\d+\s+orphan:(\d+)", told)))


def test_chunks_of_a_killed_gateway_are_found_and_freed(tmp_path, config_flags, measured):
    cluster = Cluster(tmp_path)
    gateway = kelpgate.gateway("killed", tmp_path / "killed", cluster.filer, [config_flags[0]])
    root = s3(gateway.url, world.ROOT)
    bucket = make_bucket(root, "killed")
    kept = {"small": b"x" * 1000, "large": b"y" * (9 * MIB)}
    for key, body in kept.items():
        root.put_object(Bucket=bucket, Key=key, Body=body)
    upload = root.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = root.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=kept["large"])

    uploads = [begin(root, bucket, f"cut-{number}") for number in range(3)]
    wait_for(lambda: orphans(cluster) >= 6, 60, "two chunks of each upload are stored", gateway)
    gateway.kill()
    for connection in uploads:
        connection.close()
    left = orphans(cluster, "-reallyDeleteFromVolume")
    measured(f"a gateway killed during three uploads left {left} chunks")
    assert orphans(cluster) == 0

    gateway.start()
    wait_for(lambda: requests.get(gateway.url + "/readyz", timeout=5).ok, 60, "the gateway is back", gateway)
    assert {key: body_of(root, bucket, key) for key in kept} == kept
    assert root.list_objects_v2(Bucket=bucket)["KeyCount"] == 2
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    root.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert body_of(root, bucket, "parts") == kept["large"]
    for server in [server for server in Server.running if tmp_path in server.directory.parents]:
        server.kill()
