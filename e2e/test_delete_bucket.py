"""DeleteBucket and a write at the same time: one of the two fails, and nothing acknowledged is lost."""

import hashlib
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import kelpgate
import world
from changes import Connection, between
from clients import make_bucket, s3

# Races on each filer with each setting; a long run takes thousands, in rounds of 500.
RACES = int(os.environ.get("KELPGATE_BUCKET_RACES", "30"))
LANES = int(os.environ.get("KELPGATE_BUCKET_RACE_LANES", "3"))
KINDS = ["object", "form", "copy", "complete", "marker", "part"]


class Place:
    """Where races happen: the gateways (one or two) and an administrator's key."""

    def __init__(self, urls, key, creates, source):
        self.urls, self.key, self.creates, self.source = urls, key, creates, source


@pytest.fixture(scope="module", params=[False, True], ids=["no-auto-create", "auto-create"])
def creates(request):
    return request.param


@pytest.fixture(scope="module")
def flags(creates):
    return [] if creates else ["-autoCreateBucket=false"]


@pytest.fixture(scope="module", params=["embedded", "seaweedfs"])
def place(request, logs, creates, flags):
    name = f"races-{request.param}-{'auto' if creates else 'fixed'}"
    if request.param == "embedded":
        servers = [kelpgate.SingleMachine(logs / name, flags, name=name)]
        key = servers[0].root
    else:
        cluster, config = (request.getfixturevalue(fixture) for fixture in ("cluster", "config_flags"))
        servers = [
            kelpgate.gateway(f"{name}-{which}", logs / f"{name}-{which}", cluster.filer, [*config, *flags])
            for which in "ab"
        ]
        key = world.ROOT
    admin = s3(servers[0].url, key)
    source = make_bucket(admin, "source")
    for size in (0, 64):
        admin.put_object(Bucket=source, Key=f"of-{size}", Body=b"x" * size)
    yield Place([server.url for server in servers], key, creates, source)
    for server in servers:
        server.stop()


class Lane:
    """Runs races over one bucket's name, one after the other."""

    def __init__(self, place, number):
        self.place = place
        self.bucket = f"race-{int(place.creates)}-{number}"
        self.connections = [[Connection(url), Connection(url)] for url in place.urls]
        self.pool = ThreadPoolExecutor(2)
        self.counts = Counter()
        self.wrong = []

    def call(self, which, method, target, body=b"", headers=None, side=0):
        return self.connections[which][side].signed(self.place.key, method, target, body, headers)

    def now(self, which, method, target, body=b""):
        return self.call(which, method, target, body)()

    def write(self, which, kind, body):
        """The write as a call, after doing what it needs first."""
        path = f"/{self.bucket}/deep/key"
        match kind:
            case "object":
                return self.call(which, "PUT", path, body)
            case "marker":
                return self.call(which, "PUT", path + "/")
            case "copy":
                source = {"x-amz-copy-source": f"/{self.place.source}/of-{len(body)}"}
                return self.call(which, "PUT", path, headers=source)
            case "form":
                return self.form(which, body)
        upload = between(self.now(which, "POST", path + "?uploads").body.decode(), "UploadId")
        part = self.call(which, "PUT", f"{path}?partNumber=1&uploadId={upload}", body)
        if kind == "part":
            return part
        assert part().status == 200
        etag = hashlib.md5(body).hexdigest()
        parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        listed = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        return self.call(which, "POST", f"{path}?uploadId={upload}", listed)

    def form(self, which, body):
        post = s3(self.place.urls[which], self.place.key).generate_presigned_post(self.bucket, "deep/key")
        fields = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in post["fields"].items()
        )
        file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + body + b"\r\n--x--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=x"}
        return lambda: self.connections[which][0].send("POST", f"/{self.bucket}", headers, fields.encode() + file)

    def race(self, number):
        kind = KINDS[number % len(KINDS)]
        writer = number // len(KINDS) % len(self.place.urls)
        deleter = (writer + number // 2) % len(self.place.urls)
        # Creating new volumes for a bucket takes time, so only one race in eight has data.
        body = b"x" * (64 if number // len(KINDS) % 8 == 0 and kind != "marker" else 0)
        made = self.now(writer, "PUT", f"/{self.bucket}")
        assert made.status == 200, (made.status, made.body)
        write = self.write(writer, kind, body)
        delete = self.call(deleter, "DELETE", f"/{self.bucket}", side=1)
        barrier = threading.Barrier(2)

        def run(call, pause):
            barrier.wait()
            time.sleep(pause)
            return call()

        pause = (number * 7919 % 200) / 20_000
        first, second = (pause, 0) if number % 2 else (0, pause)
        sides = [self.pool.submit(run, write, first), self.pool.submit(run, delete, second)]
        written, deleted = (side.result() for side in sides)
        self.judge(number, kind, body, written, deleted)
        for target in ("/deep/key", "/deep/key/", ""):
            self.now(writer, "DELETE", f"/{self.bucket}{target}")

    def judge(self, number, kind, body, written, deleted):
        # A long answer that has begun with 200 may name an error in its body.
        stored, gone = written.status < 300 and written.code is None, deleted.status < 300
        self.counts[f"{written.status}/{deleted.status}"] += 1
        key = "deep/key/" if kind == "marker" else "deep/key"
        context = f"race {number}, {kind} of {len(body)}: {written.status} {written.code}, {deleted.status} {deleted.code}"
        # A write of data may find that the volumes it was about to use are gone. It then counts as the side that failed.
        if deleted.status >= 500 or (written.status >= 500 and not gone):
            self.wrong.append(f"{context}: not decided")
        for which in range(len(self.place.urls)):
            got = self.now(which, "GET", f"/{self.bucket}/{key}")
            if stored and kind != "part" and (got.status, got.body) != (200, body):
                self.wrong.append(f"{context}: lost, {got.status}")
            if gone and not self.place.creates and self.now(which, "HEAD", f"/{self.bucket}").status != 404:
                self.wrong.append(f"{context}: the bucket is back")
        if stored and gone and kind != "part" and not self.place.creates:
            self.wrong.append(f"{context}: both succeeded")


def test_a_bucket_is_deleted_or_written_to(place, measured):
    lanes = [Lane(place, number) for number in range(LANES)]

    def run(lane):
        for number in range(RACES // LANES):
            lane.race(number)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(run, lanes))
    counts = sum((lane.counts for lane in lanes), Counter())
    kind = "auto-create" if place.creates else "no auto-create"
    measured(f"{len(place.urls)} gateways, {kind}: {dict(counts.most_common())} (write/DeleteBucket)")
    wrong = [line for lane in lanes for line in lane.wrong]
    assert not wrong, f"{len(wrong)} of {sum(counts.values())}:\n" + "\n".join(wrong[:20])
    time.sleep(0.5)
    for lane in lanes:
        for which in range(len(place.urls)):
            assert lane.now(which, "HEAD", f"/{lane.bucket}").status == 404, f"{lane.bucket} is back"
