"""A gateway is killed in the middle of uploads: what it has stored by then can be found and freed, and nothing else goes with it."""

import json
import random
import re
import signal
import socket
import threading
import time
from urllib.parse import urlsplit

import requests
from botocore.exceptions import BotoCoreError, ClientError

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


def gateways_that_free(directory, cluster, config_flags, *names):
    """Gateways that take each other's uploads for abandoned after 5 s."""
    iam = directory / "iam.json"
    iam.write_text(json.dumps({"kelpgate": {"abandonedUploadsSeconds": 5}}))
    flags = [config_flags[0], f"-iam.config={iam}"]
    return [kelpgate.gateway(name, directory / name, cluster.filer, flags) for name in names]


def records(cluster):
    """The files about uploads of all gateways."""
    base = "/seaweedfs/kelpgate/uploads"
    found = [cluster.filer.names(f"{base}/{gateway}") for gateway in cluster.filer.names(base)]
    return [name for names in found for name in names if "." in name]


def recorded(cluster):
    """How many chunks the uploads with an intent have recorded."""
    base, chunks = "/seaweedfs/kelpgate/uploads", 0
    for gateway in cluster.filer.names(base):
        names = cluster.filer.names(f"{base}/{gateway}")
        begun = {name.split(".")[0] for name in names if name.endswith(".intent")}
        lists = [name for name in names if ".chunks-" in name and name.split(".")[0] in begun]
        chunks += sum(len(cluster.filer.read(f"{base}/{gateway}/{name}").text.split()) for name in lists)
    return chunks


def metric(gateway, name):
    """What a gateway counts of abandoned uploads."""
    text = requests.get(gateway.url + "/metrics", timeout=5).text
    return int(re.search(rf"^kelpgate_abandoned_{name} (\d+)$", text, re.M)[1])


def test_another_gateway_frees_what_a_killed_one_left(tmp_path, config_flags):
    cluster = Cluster(tmp_path)
    killed, other = gateways_that_free(tmp_path, cluster, config_flags, "killed", "other")
    root = s3(killed.url, world.ROOT)
    bucket = make_bucket(root, "killed")
    root.put_object(Bucket=bucket, Key="kept", Body=SENT)
    uploads = [begin(root, bucket, f"cut-{number}") for number in range(3)]
    wait_for(lambda: orphans(cluster) == 6, 60, "two chunks of each upload are stored", killed)
    wait_for(lambda: recorded(cluster) == 6, 30, "they are recorded", killed)
    # A slow upload of a gateway that is there goes on for as long as it takes.
    slow = begin(s3(other.url, world.ROOT), bucket, "slow")
    wait_for(lambda: recorded(cluster) == 8, 30, "its chunks are recorded", other)
    time.sleep(8)
    assert orphans(cluster) == 8
    killed.kill()
    for connection in uploads:
        connection.close()
    wait_for(lambda: orphans(cluster) == 2, 60, "the chunks of the dead gateway are freed", other)
    slow.sendall(b"z" * (3 * MIB))
    assert b"200 OK" in slow.recv(4096)
    slow.close()
    root = s3(other.url, world.ROOT)
    assert body_of(root, bucket, "kept") == SENT and body_of(root, bucket, "slow") == b"z" * (12 * MIB)
    wait_for(lambda: not records(cluster), 30, "nothing is recorded any more", other)
    assert (metric(other, "chunks_freed_total"), metric(other, "uploads")) == (6, 0)
    gateways = "/seaweedfs/kelpgate/uploads"
    wait_for(lambda: len(cluster.filer.names(gateways)) == 1, 30, "the directory of the dead gateway is removed", other)
    assert other.stop() == 0
    assert cluster.filer.names(gateways) == [], "a clean stop leaves nothing"
    for server in [server for server in Server.running if tmp_path in server.directory.parents]:
        server.kill()


class Writer(threading.Thread):
    """Writes, overwrites, copies, completes and deletes objects of several chunks, and remembers what they may have."""

    def __init__(self, number, bucket, url, seed):
        super().__init__(daemon=True)
        self.prefix, self.bucket, self.url = f"w{number}", bucket, url
        self.random = random.Random(seed)
        self.possible = {}  # key, and the bodies that it may have
        self.acknowledged = 0  # writes, without deletions
        self.ends = False

    def body(self):
        return self.random.randbytes(1000) * self.random.randrange(4300, 9000)

    def step(self, client):
        key = f"{self.prefix}/{self.random.randrange(6)}"
        before = self.possible.setdefault(key, [None])
        body, step = self.body(), self.random.randrange(4)
        here = {"Bucket": self.bucket, "Key": key}
        if step == 3:
            body = None
        self.possible[key] = [*before, body]
        if step == 0:
            client.put_object(**here, Body=body)
        elif step == 1:
            upload = client.create_multipart_upload(**here)["UploadId"]
            cut = 5 * MIB if len(body) > 5 * MIB else len(body)
            pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
            sent = [client.upload_part(**here, UploadId=upload, PartNumber=number, Body=piece) for number, piece in enumerate(pieces, 1)]
            parts = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(sent, 1)]
            client.complete_multipart_upload(**here, UploadId=upload, MultipartUpload={"Parts": parts})
        elif step == 2:
            source = f"{self.prefix}/source"
            self.possible[source] = [*self.possible.get(source, [None]), body]
            client.put_object(Bucket=self.bucket, Key=source, Body=body)
            self.possible[source] = [body]
            client.copy_object(**here, CopySource={"Bucket": self.bucket, "Key": source})
        else:
            client.delete_object(**here)
        self.possible[key] = [body]
        self.acknowledged += body is not None

    def run(self):
        client = s3(self.url, world.ROOT)
        while not self.ends:
            try:
                self.step(client)
            except (BotoCoreError, ClientError, OSError):
                time.sleep(0.2)


def found(client, bucket, key):
    try:
        return body_of(client, bucket, key)
    except client.exceptions.NoSuchKey:
        return None


def freeze(gateway, cluster):
    """Stops a gateway in the middle of uploads, and returns their ids; none if there are none, and the gateway goes on."""
    gateway.process.send_signal(signal.SIGSTOP)
    frozen = uncommitted(cluster)
    if not frozen:
        gateway.process.send_signal(signal.SIGCONT)
    return frozen


def test_nothing_acknowledged_goes_with_the_chunks_of_killed_gateways(tmp_path, config_flags, measured):
    """Kills at random moments, and freezes: a gateway that comes back commits nothing that was freed."""
    cluster = Cluster(tmp_path)
    killed, other = gateways_that_free(tmp_path, cluster, config_flags, "killed", "other")
    root = s3(other.url, world.ROOT)
    buckets = [make_bucket(root, "plain"), make_bucket(root, "versions")]
    root.put_bucket_versioning(Bucket=buckets[1], VersioningConfiguration={"Status": "Enabled"})
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    writers = [Writer(number, buckets[number % 2], killed.url, seed + number) for number in range(4)]
    for writer in writers:
        writer.start()
    for kill in range(6):
        time.sleep(moments.uniform(1, 4))
        wait_for(lambda: uncommitted(cluster), 60, "an upload is under way", killed)
        if kill % 3 == 2:
            taken = wait_for(lambda: freeze(killed, cluster), 60, "an upload is frozen", killed)
            wait_for(lambda: not taken & uncommitted(cluster), 60, "its uploads are taken for abandoned", other)
            killed.process.send_signal(signal.SIGCONT)
        else:
            killed.kill()
            killed.start()
        before = [writer.acknowledged for writer in writers]
        wait_for(lambda: all(writer.acknowledged > count for writer, count in zip(writers, before)), 90, "each writer goes on", killed)
    for writer in writers:
        writer.ends = True
    for writer in writers:
        writer.join(120)
        assert not writer.is_alive()
    killed.kill()
    wait_for(lambda: not uncommitted(cluster), 90, "everything is swept", other)
    assert metric(other, "chunks_freed_total") > 0
    for writer in writers:
        for key, bodies in writer.possible.items():
            got = found(root, writer.bucket, key)
            assert any(got == body for body in bodies), f"seed {seed}: {writer.bucket}/{key} has {got and len(got)} bytes"
    for version in root.list_object_versions(Bucket=buckets[1]).get("Versions", []):
        body_of(root, buckets[1], version["Key"], VersionId=version["VersionId"])
    measured(f"after kills and freezes of a gateway with four writers, {orphans(cluster)} chunks are left")
    for server in [server for server in Server.running if tmp_path in server.directory.parents]:
        server.kill()


def uncommitted(cluster):
    """The ids of the uploads that were not about to be completed."""
    names = records(cluster)
    committed = {name.split(".")[0] for name in names if name.endswith(".commit")}
    return {name.split(".")[0] for name in names if name.endswith(".intent")} - committed
