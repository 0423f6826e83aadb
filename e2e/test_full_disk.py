"""`kelpgate server` on a disk that is full: reads, deletions and IAM changes go on, and so does the rest once there is room."""

import json
import random
import threading
import time

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

import kelpgate
from clients import client, refused, s3
from processes import small_disk, wait_for
from world import document, statement

MIB = 1 << 20
ALLOW_ALL = json.dumps(document(statement("Allow", "s3:*", "*")))
ROUNDS = 20
SEED = 20261130


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 MiB for the directory of a `SingleMachine(disk.parent)`, whose log is elsewhere."""
    with small_disk(tmp_path / "data", 64) as place:
        yield place


def fill(disk, leave=0):
    """Takes all room on a disk except for so many bytes."""
    with open(disk / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(64 << 10))
        except OSError:
            pass
        if leave:
            filler.truncate(max(0, filler.tell() - leave))


def metric(server, name):
    lines = requests.get(server.url + "/metrics", timeout=5).text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"kelpgate_{name} ")))


def test_writes_stop_before_the_disk_is_full_and_go_on_afterwards(disk):
    server = kelpgate.SingleMachine(disk.parent)
    root, iam = s3(server.url, server.root), client("iam", server.url, server.root)
    root.create_bucket(Bucket="box")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=ALLOW_ALL)
    assert metric(server, "storage_writable") == 1

    stored = {}
    with refused("InsufficientStorage", 507) as error:
        for number in range(100):
            content = random.Random(number).randbytes(MIB)
            root.put_object(Bucket="box", Key=str(number), Body=content)
            stored[str(number)] = content
    assert "Delete objects" in str(error.value)
    assert 30 < len(stored) < 60
    fill(disk)
    with refused("InsufficientStorage", 507):
        root.put_object(Bucket="box", Key="small", Body=b"x")
    with refused("InsufficientStorage", 507):
        root.create_bucket(Bucket="other")
    assert metric(server, "storage_writable") == 0
    ready = requests.get(server.url + "/readyz", timeout=5)
    assert ready.status_code == 200 and "the disk is full" in ready.text, ready.text
    assert requests.get(server.url + "/status", timeout=5).json()["storage"]["room"] == "low"
    for name, content in stored.items():
        assert root.get_object(Bucket="box", Key=name)["Body"].read() == content

    # What takes rights away works on a disk without a free byte, and so do deletions.
    iam.delete_access_key(UserName="alice", AccessKeyId=key)
    iam.delete_user_policy(UserName="alice", PolicyName="p")
    iam.delete_user(UserName="alice")
    for number in range(10):
        root.delete_object(Bucket="box", Key=str(number))
        del stored[str(number)]

    (disk / "filler").unlink()
    wait_for(lambda: metric(server, "storage_writable") == 1, 15, "room again", server)
    root.put_object(Bucket="box", Key="after", Body=b"after")
    stored["after"] = b"after"
    wait_for(lambda: (server.data / "reserve").exists(), 5, "the reserve is laid in again", server)
    server.stop()
    server.start()
    wait_for(lambda: requests.get(server.url + "/readyz", timeout=2).ok, 30, "the restart", server)
    assert sorted(row["Key"] for row in root.list_objects_v2(Bucket="box")["Contents"]) == sorted(stored)
    for name, content in stored.items():
        assert root.get_object(Bucket="box", Key=name)["Body"].read() == content
    server.stop()
    scrub = kelpgate.cli("scrub", f"-dir={server.data}")
    assert "0 findings" in scrub.stdout


def test_the_disk_runs_full_at_any_moment(disk):
    """Another program fills the disk while objects are being stored: what was acknowledged stays, and nobody has to restart anything."""
    server = kelpgate.SingleMachine(disk.parent)
    root = s3(server.url, server.root)
    root.create_bucket(Bucket="box")
    acknowledged, failures, done = {}, [], threading.Event()

    def store():
        number = 0
        while not done.is_set():
            number += 1
            name, content = f"k{number % 40}", random.Random(number).randbytes(random.Random(number).choice([300, 5000, 100_000]))
            try:
                root.put_object(Bucket="box", Key=name, Body=content)
                acknowledged[name] = [content]
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503, 507), error
                # It may have been stored, or not.
                acknowledged.setdefault(name, [None]).append(content)
                failures.append(error.response["Error"]["Code"])

    writer = threading.Thread(target=store)
    writer.start()
    chance = random.Random(SEED)
    try:
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.05, 0.3))
            fill(disk, leave=chance.choice([0, 0, 4096, 20_000, 300_000]))
            time.sleep(chance.uniform(0.05, 0.2))
            (disk / "filler").unlink()
    finally:
        done.set()
        writer.join()
    assert failures.count("InsufficientStorage") > 0, failures
    root.put_object(Bucket="box", Key="last", Body=b"last")

    def right():
        for name, possible in acknowledged.items():
            try:
                found = root.get_object(Bucket="box", Key=name)["Body"].read()
            except ClientError as error:
                assert error.response["Error"]["Code"] == "NoSuchKey", error
                found = None
            except BotoCoreError as error:
                raise AssertionError(f"{name}: {error}") from error
            assert found in possible, name

    right()
    server.kill()
    server.start()
    wait_for(lambda: requests.get(server.url + "/readyz", timeout=2).ok, 30, "the restart", server)
    right()
    server.stop()
