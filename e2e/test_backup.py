"""`kelpgate backup` of a server that runs, and `kelpgate restore`: users, sessions and objects are there again."""

import threading

import pytest
from botocore.exceptions import ClientError

import kelpgate
from clients import client, s3
from processes import Server, wait_for

LARGE = bytes(range(256)) * 12_000


@pytest.fixture
def server(tmp_path):
    yield kelpgate.SingleMachine(tmp_path / "first")
    for running in [running for running in Server.running if tmp_path in running.directory.parents]:
        running.stop()


def backup(data, to, *flags, check=True):
    return kelpgate.cli("backup", f"-dir={data}", f"-to={to}", *flags, check=check)


def test_what_was_acknowledged_before_a_backup_is_restored(server, tmp_path):
    objects, users = s3(server.url, server.root), client("iam", server.url, server.root)
    objects.create_bucket(Bucket="box")
    objects.put_object(Bucket="box", Key="large", Body=LARGE)
    users.create_user(UserName="alice")
    key = users.create_access_key(UserName="alice")["AccessKey"]
    stop, written = threading.Event(), []

    def write():
        while not stop.is_set():
            objects.put_object(Bucket="box", Key=f"many/{len(written):05}", Body=b"x" * 500)
            written.append(len(written))

    writer = threading.Thread(target=write)
    writer.start()
    before = len(written)
    first = backup(server.data, tmp_path / "backup")
    stop.set()
    writer.join()
    assert "0 older backups" in first.stdout
    objects.delete_object(Bucket="box", Key="large")
    users.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    second = backup(server.data, tmp_path / "backup")
    name = first.stdout.split()[1]
    assert name < second.stdout.split()[1]
    server.kill()

    restored = tmp_path / "second/data"
    restore = ["restore", f"-from={tmp_path / 'backup'}", f"-snapshot={name}"]
    assert "is whole" in kelpgate.cli(*restore, "-verify").stdout
    assert "restored" in kelpgate.cli(*restore, f"-dir={restored}").stdout
    again = kelpgate.cli(*restore, f"-dir={restored}", check=False)
    assert again.returncode == 1 and "is not empty" in again.stderr

    other = kelpgate.SingleMachine(tmp_path / "second")
    assert other.root.access == server.root.access
    found = s3(other.url, other.root)
    assert found.get_object(Bucket="box", Key="large")["Body"].read() == LARGE
    listed = [row["Key"] for row in found.list_objects_v2(Bucket="box", Prefix="many/").get("Contents", [])]
    assert listed == [f"many/{number:05}" for number in range(len(listed))] and len(listed) >= before
    assert client("iam", other.url, other.root).list_access_keys(UserName="alice")["AccessKeyMetadata"]
    found.put_object(Bucket="box", Key="new", Body=b"new")
    other.stop()

    # Restored is a store of its own, and the later backup is there as well.
    refused = backup(restored, tmp_path / "backup", check=False)
    assert refused.returncode == 1 and "backups of another store" in refused.stderr
    kelpgate.cli("restore", f"-from={tmp_path / 'backup'}", f"-dir={tmp_path / 'third/data'}")
    third = kelpgate.SingleMachine(tmp_path / "third")
    with pytest.raises(ClientError):
        s3(third.url, third.root).head_object(Bucket="box", Key="large")


def test_a_server_does_not_start_on_half_a_restore(server, tmp_path):
    server.stop()
    assert "backup" in backup(server.data, tmp_path / "backup").stdout, "of a server that does not run"
    broken = next(path for path in (tmp_path / "backup/segments").rglob("*") if path.is_file())
    broken.write_bytes(broken.read_bytes() + b"x")
    half = tmp_path / "half/data"
    failed = kelpgate.cli("restore", f"-from={tmp_path / 'backup'}", f"-dir={half}", check=False)
    assert failed.returncode == 1 and "does not match the hash" in failed.stderr
    started = kelpgate.cli("server", f"-dir={half}", check=False)
    assert started.returncode == 1 and "run `kelpgate restore` again" in started.stderr
    broken.write_bytes(broken.read_bytes()[:-1])
    kelpgate.cli("restore", f"-from={tmp_path / 'backup'}", f"-dir={half}")
    assert kelpgate.SingleMachine(tmp_path / "half").root.access == server.root.access


class Shelf:
    """A bucket on a server of its own that backups go to."""

    def __init__(self, directory):
        self.server = kelpgate.SingleMachine(directory)
        self.objects = s3(self.server.url, self.server.root)
        self.objects.create_bucket(Bucket="backups")
        key = self.server.root
        self.env = {"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret}

    def call(self, name, *flags, prefix="a/b", **options):
        at = [f"-{'to' if name == 'backup' else 'from'}=s3://backups/{prefix}", f"-endpoint={self.server.url}"]
        return kelpgate.cli(name, *at, *flags, **{"env": self.env, **options})

    def keys(self, prefix="a/b/"):
        pages = self.objects.get_paginator("list_objects_v2").paginate(Bucket="backups", Prefix=prefix)
        return [row["Key"] for page in pages for row in page.get("Contents", [])]


def test_a_bucket_holds_backups(server, tmp_path):
    shelf = Shelf(tmp_path / "shelf")
    objects, data = s3(server.url, server.root), f"-dir={server.data}"
    objects.create_bucket(Bucket="box")
    objects.put_object(Bucket="box", Key="large", Body=LARGE)
    first = shelf.call("backup", data).stdout
    objects.put_object(Bucket="box", Key="small", Body=b"1")
    second = shelf.call("backup", data).stdout
    new_bytes = [int(text.split(" bytes were new")[0].split()[-1]) for text in (first, second)]
    assert new_bytes[0] > len(LARGE) and new_bytes[1] < 100_000, "the second one adds what is new"
    restored = tmp_path / "second/data"
    assert "restored" in shelf.call("restore", f"-dir={restored}").stdout
    assert f"backup {first.split()[1]} is whole" in shelf.call("restore", f"-snapshot={first.split()[1]}", "-verify").stdout

    other = kelpgate.SingleMachine(tmp_path / "second")
    found = s3(other.url, other.root)
    assert found.get_object(Bucket="box", Key="large")["Body"].read() == LARGE
    assert found.get_object(Bucket="box", Key="small")["Body"].read() == b"1"

    shelf.objects.put_object(Bucket="backups", Key="documents/x", Body=b"x")
    stranger = {**shelf.env, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    for flags, options, why in [
        ([f"-dir={restored}"], {}, "backups of another store"),
        ([data], {"prefix": "documents"}, "not a backup of Kelpgate"),
        ([data], {"env": {}}, "set AWS_ACCESS_KEY_ID"),
        ([data], {"env": stranger}, "SignatureDoesNotMatch"),
    ]:
        refused = shelf.call("backup", *flags, check=False, **options)
        assert refused.returncode == 1 and why in refused.stderr, refused.stderr
    empty = shelf.call("restore", "-verify", prefix="nothing", check=False)
    assert empty.returncode == 1 and "has no snapshot" in empty.stderr

    damaged = next(key for key in shelf.keys() if "/data/" in key)
    body = shelf.objects.get_object(Bucket="backups", Key=damaged)["Body"].read()
    shelf.objects.put_object(Bucket="backups", Key=damaged, Body=b"?" + body[1:])
    broken = shelf.call("restore", "-verify", check=False)
    assert broken.returncode == 1 and "does not match its checksum" in broken.stderr


def test_a_killed_upload_leaves_the_last_good_backup(server, tmp_path):
    shelf = Shelf(tmp_path / "shelf")
    objects, data = s3(server.url, server.root), f"-dir={server.data}"
    objects.create_bucket(Bucket="box")

    def fill(version):
        for number in range(30):
            objects.put_object(Bucket="box", Key=f"{number:02}", Body=bytes([version]) * 20_000)

    fill(1)
    good = shelf.call("backup", data).stdout.split()[1]
    fill(2)
    there = len(shelf.keys())
    for further in (1, 12, 25):
        command = [kelpgate.binary(), "backup", data, "-to=s3://backups/a/b", f"-endpoint={shelf.server.url}"]
        with Server("backup", command, tmp_path / f"backup-{further}", env=shelf.env) as killed:
            wait_for(lambda: len(shelf.keys()) >= there + further, 20, "the upload is under way")
            killed.kill()
        assert len([key for key in shelf.keys() if "/snapshots/" in key]) == 1, "it did not come to its end"
        assert f"backup {good} is whole" in shelf.call("restore", "-verify").stdout
    shelf.server.kill()
    failed = shelf.call("backup", data, check=False)
    assert failed.returncode == 1 and "does not answer" in failed.stderr
    shelf.server.start()

    shelf.call("restore", f"-dir={tmp_path / 'second/data'}")
    other = kelpgate.SingleMachine(tmp_path / "second")
    found = s3(other.url, other.root)
    assert all(found.get_object(Bucket="box", Key=f"{n:02}")["Body"].read() == b"\1" * 20_000 for n in range(30))
    shelf.call("backup", data, "-keep=1")
    kinds = [key.split("/")[2] for key in shelf.keys()]
    assert kinds.count("snapshots") == 1 and kinds.count("data") == 30, "what killed backups left is removed"
    assert "is whole" in shelf.call("restore", "-verify").stdout


def test_places_that_are_not_supported_are_refused(tmp_path):
    for to, flags, why in [
        ("https://elsewhere/backups", [], "or in a bucket, `s3://BUCKET/PREFIX`"),
        ("s3://No_Bucket/backups", [], "write `s3://BUCKET/PREFIX`"),
        (tmp_path / "backup", ["-endpoint=http://127.0.0.1:1"], "is a directory: leave it out"),
    ]:
        refused = backup(tmp_path, to, *flags, check=False)
        assert refused.returncode == 1 and why in refused.stderr, refused.stderr
    assert list(tmp_path.iterdir()) == []
