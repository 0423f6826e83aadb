"""`kelpgate backup` of a server that runs, and `kelpgate restore`: users, sessions and objects are there again."""

import threading

import pytest
from botocore.exceptions import ClientError

import kelpgate
from clients import client, s3
from processes import Server

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


def test_addresses_that_are_not_supported_are_refused(tmp_path):
    refused = backup(tmp_path, "s3://elsewhere/backups", check=False)
    assert refused.returncode == 1 and "which is not supported" in refused.stderr
    assert list(tmp_path.iterdir()) == []
