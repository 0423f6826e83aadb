"""The first five minutes: `kelpgate server`, the README's commands, restarts and crashes."""

import json
import os
import pty
import re
import signal
import stat
import subprocess
import threading
import time
from urllib.parse import urlencode

import pytest
import requests

import kelpgate
from clients import Key, body_of, client, keys_of, make_bucket, refused, s3
from processes import Server, free_port, run, wait_for
from signing import Signer, request
from world import document, statement


@pytest.fixture(scope="module")
def server(logs):
    return kelpgate.SingleMachine(logs / "first-run")


def test_the_first_start_shows_the_key_on_a_terminal(logs):
    """With lines to copy for aws cli and boto3, and in a file that only the owner reads."""
    directory = logs / "first-run-terminal"
    directory.mkdir()
    ours, theirs = pty.openpty()
    port = free_port()
    process = subprocess.Popen(
        [kelpgate.binary(), "server", f"-dir={directory / 'data'}", f"-port={port}"], stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    text = ""
    try:
        while "create_bucket" not in text:
            text += os.read(ours, 4096).decode()
    finally:
        process.terminate()
        process.wait(15)
        os.close(ours)
    credentials = directory / "data/root-credentials"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert kelpgate.root_key(text) == kelpgate.root_key(credentials.read_text())
    assert "AWS_SECRET_ACCESS_KEY" in text and "boto3" in text, text
    assert re.search(rf"https?://[\w.]+:{port}", text), text


def test_the_first_start_shows_no_key_in_a_pipe_or_file(server):
    """Anything but a terminal may be a log, so only the place of the key is shown."""
    text = server.log()
    assert server.root.secret not in text and server.root.access not in text, text
    assert str(server.data / "root-credentials") in text, text
    assert re.search(rf"https?://[\w.]+:{server.port}", text), text


def test_everything_in_the_directory_is_private(server):
    assert stat.S_IMODE(server.data.stat().st_mode) & 0o077 == 0
    for path, _, names in os.walk(server.data):
        for name in names:
            mode = stat.S_IMODE(os.stat(os.path.join(path, name)).st_mode)
            assert mode & 0o007 == 0, f"{path}/{name} is {mode:o}"


def test_it_listens_on_the_loopback_only(server):
    """Unless `-ip.bind` says otherwise."""
    rows = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
    listening = [r[1] for r in rows if r[3] == "0A" and int(r[1].split(":")[1], 16) == server.port]
    assert listening == [f"0100007F:{server.port:04X}"], listening
    rows6 = [line.split() for line in open("/proc/net/tcp6").readlines()[1:]]
    assert not [r for r in rows6 if r[3] == "0A" and int(r[1].split(":")[1], 16) == server.port]


def test_the_commands_of_the_readme(server):
    """A bucket, a user, a policy, an allowed and a denied request, and why it was denied."""
    root, iam = s3(server.url, server.root), client("iam", server.url, server.root)
    root.create_bucket(Bucket="reef")
    root.put_object(Bucket="reef", Key="public/hello.txt", Body=b"hello")
    root.put_object(Bucket="reef", Key="private/plan.txt", Body=b"plan")
    user = iam.create_user(UserName="alice")["User"]
    assert user["Arn"] == "arn:aws:iam::000000000000:user/alice" and user["UserId"] and user["CreateDate"]
    got = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = Key(got["AccessKeyId"], got["SecretAccessKey"])
    with refused("AccessDenied", 403):
        s3(server.url, alice).get_object(Bucket="reef", Key="public/hello.txt")
    policy = document(statement("Allow", "s3:GetObject", "arn:aws:s3:::reef/public/*"))
    iam.put_user_policy(UserName="alice", PolicyName="public", PolicyDocument=json.dumps(policy))
    assert body_of(s3(server.url, alice), "reef", "public/hello.txt") == b"hello"
    with refused("AccessDenied", 403):
        s3(server.url, alice).get_object(Bucket="reef", Key="private/plan.txt")
    text = request(alice, "GET", f"{server.url}/reef/private/plan.txt").body.decode()
    assert "<DecisionId>" in text and "arn:aws:iam::000000000000:user/alice" in text
    assert "s3:GetObject" in text and "arn:aws:s3:::reef/private/plan.txt" in text, text
    # An explicit deny is a different reason from a missing allow.
    deny = document(statement("Allow", "s3:*", "*"), statement("Deny", "s3:GetObject", "arn:aws:s3:::reef/private/*"))
    iam.put_user_policy(UserName="alice", PolicyName="public", PolicyDocument=json.dumps(deny))
    denied = request(alice, "GET", f"{server.url}/reef/private/plan.txt").body.decode()
    assert "explicit deny" in denied.lower() and denied != text, denied


def test_the_commands_of_the_readme_with_aws_cli(server):
    """The same with `aws`, as in the README."""
    env = {
        "AWS_ACCESS_KEY_ID": server.root.access,
        "AWS_SECRET_ACCESS_KEY": server.root.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_PAGER": "",
    }
    aws = lambda *words, **more: run(["aws", *words], env={**env, **more.pop("env", {})}, **more)
    aws("s3", "mb", "s3://cli-reef")
    aws("iam", "create-user", "--user-name", "bob")
    made = json.loads(aws("iam", "create-access-key", "--user-name", "bob", "--output", "json").stdout)["AccessKey"]
    policy = json.dumps(document(statement("Allow", ["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::cli-reef/*")))
    aws("iam", "put-user-policy", "--user-name", "bob", "--policy-name", "rw", "--policy-document", policy)
    bob = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
    aws("s3", "cp", "-", "s3://cli-reef/a", input="by bob", env=bob)
    assert aws("s3", "cp", "s3://cli-reef/a", "-", env=bob).stdout == "by bob"
    listing = aws("s3", "ls", "s3://cli-reef", env=bob, check=False)
    assert listing.returncode != 0 and "AccessDenied" in listing.stderr and "s3:ListBucket" in listing.stderr, listing.stderr
    assert "user/bob" in aws("sts", "get-caller-identity", env=bob).stdout


def test_users_cannot_help_themselves(server):
    iam = client("iam", server.url, server.root)
    iam.create_user(UserName="mallory")
    got = iam.create_access_key(UserName="mallory")["AccessKey"]
    mallory = client("iam", server.url, Key(got["AccessKeyId"], got["SecretAccessKey"]))
    everything = json.dumps(document(statement("Allow", "*", "*")))
    for call in (
        lambda: mallory.put_user_policy(UserName="mallory", PolicyName="all", PolicyDocument=everything),
        lambda: mallory.create_user(UserName="friend"),
        lambda: mallory.create_access_key(UserName="alice"),
        lambda: mallory.list_users(),
        lambda: mallory.list_access_keys(UserName="alice"),
    ):
        with refused("AccessDenied", 403):
            call()
    # `s3:*` with a condition that does not hold makes no one an administrator.
    s3_only = document(statement("Allow", "s3:*", "*", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.7/32"}}))
    iam.put_user_policy(UserName="mallory", PolicyName="s3", PolicyDocument=json.dumps(s3_only))
    with refused("AccessDenied", 403):
        mallory.list_users()
    with refused("AccessDenied", 403):
        s3(server.url, Key(got["AccessKeyId"], got["SecretAccessKey"])).list_buckets()


@pytest.mark.parametrize("name", ["../evil", "a/b", "*", "root", "x" * 65, "", "a\nb", "a:b"])
def test_user_names_that_are_none(server, name):
    form = urlencode({"Action": "CreateUser", "Version": "2010-05-08", "UserName": name}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = request(server.root, "POST", server.url + "/", form, headers, service="iam")
    assert answer.status in (400, 403, 409) and answer.code in (
        "ValidationError",
        "EntityAlreadyExists",
        "AccessDenied",
        "InvalidInput",
    ), answer


def test_a_restart_keeps_everything(logs):
    server = kelpgate.SingleMachine(logs / "restart")
    key = server.root
    root, iam = s3(server.url, key), client("iam", server.url, key)
    bucket = make_bucket(root, "kept")
    root.put_object(Bucket=bucket, Key="k", Body=b"kept" * 100_000, Metadata={"a": "1"}, Tagging="t=1")
    root.put_bucket_policy(
        Bucket=bucket,
        Policy=json.dumps(document(statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal="*"))),
    )
    iam.create_user(UserName="kept")
    upload = root.create_multipart_upload(Bucket=bucket, Key="mp")["UploadId"]
    part = root.upload_part(Bucket=bucket, Key="mp", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    before = len(server.log())
    assert server.stop() == 0, "SIGTERM ends it cleanly"
    server.start()
    wait_for(lambda: requests.get(server.url + "/readyz", timeout=2).ok, 10, "restart", server)
    assert server.root == key and key.secret not in server.log()[before:], "the key is shown once"
    got = root.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"kept" * 100_000 and got["Metadata"] == {"a": "1"} and got["TagCount"] == 1
    assert body_of(s3(server.url), bucket, "k"), "the bucket policy still lets everyone read"
    assert "kept" in [u["UserName"] for u in iam.list_users()["Users"]]
    root.complete_multipart_upload(
        Bucket=bucket, Key="mp", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    assert body_of(root, bucket, "mp") == b"part"
    server.stop()


def test_a_new_root_key_replaces_the_old(logs):
    server = kelpgate.SingleMachine(logs / "new-key")
    old = server.root
    server.stop()
    server.command.append("-newRootKey")
    server.start()
    wait_for(lambda: requests.get(server.url + "/readyz", timeout=2).ok, 10, "restart", server)
    assert server.root != old
    s3(server.url, server.root).list_buckets()
    with refused("InvalidAccessKeyId", 403):
        s3(server.url, old).list_buckets()
    server.stop()


def test_a_root_key_from_the_environment(logs):
    key = Key("AKIAFROMENVIRONMENT1", "an-environment-secret-of-forty-characters")
    server = kelpgate.SingleMachine(logs / "env-key", env={"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret})
    s3(server.url, key).list_buckets()
    assert key.secret not in server.log()
    server.stop()


def test_two_servers_do_not_share_a_directory(logs, server):
    port = free_port()
    second = Server("second", [kelpgate.binary(), "server", f"-dir={server.data}", f"-port={port}"], logs / "second")
    try:
        code = second.process.wait(15)
    finally:
        second.stop()
    assert code != 0 and str(server.data) in second.log() and "panicked" not in second.log(), second.log()
    assert request(server.root, "GET", server.url + "/").status == 200


@pytest.mark.parametrize(
    "flags, word",
    [(["-dir=/proc/no/such"], "/proc/no/such"), (["-dir="], "dir"), (["-port=99999"], "99999"), (["-dirr=x"], "dirr")],
)
def test_starts_that_fail_say_why(logs, flags, word):
    done = kelpgate.cli("server", *flags, check=False, timeout=15)
    assert done.returncode != 0 and word in done.stdout + done.stderr and "panicked" not in done.stderr, done


@pytest.mark.parametrize(
    "command",
    [["filer.ls"], ["filer.cat", "/x"], ["doctor"], ["scrub"], ["compact"], ["backup", "-to=elsewhere"], ["iam", "export"],
     ["iam", "import", "-dryRun", "iam.json"]],
    ids=" ".join,
)  # fmt: skip
def test_only_a_server_makes_a_store(tmp_path, command):
    plain = tmp_path / "plain"
    plain.mkdir()
    (tmp_path / "iam.json").write_text('{"identities": []}')
    done = run([kelpgate.binary(), *command, f"-dir={plain}"], check=False, timeout=15, cwd=tmp_path)
    assert done.returncode == 1 and f"`{plain}` is not the directory of a kelpgate server" in done.stderr, done
    assert list(plain.iterdir()) == [], "nothing is written"


def test_a_server_that_lost_a_file_does_not_start(logs):
    directory = logs / "lost"
    server = kelpgate.SingleMachine(directory)
    objects = s3(server.url, server.root)
    objects.create_bucket(Bucket="box")
    objects.put_object(Bucket="box", Key="large", Body=bytes(100_000))
    server.stop()
    key, database = server.data / "sts-signing-key", server.data / "meta.redb"
    whole = key.read_text()
    key.write_text("junk")
    done = kelpgate.cli("server", f"-dir={server.data}", "-port=0", check=False, timeout=15)
    assert done.returncode == 1 and f"`{key}` is corrupt" in done.stderr, done
    key.write_text(whole)
    moved = database.rename(directory / "elsewhere")
    for command in ["server", "doctor", "scrub", "server"]:
        done = kelpgate.cli(command, f"-dir={server.data}", check=False, timeout=15)
        assert done.returncode == 1 and "`meta.redb` is missing: put that file back" in done.stderr, done
    moved.rename(database)
    again = kelpgate.SingleMachine(directory)
    assert s3(again.url, again.root).get_object(Bucket="box", Key="large")["ContentLength"] == 100_000


def test_the_port_is_taken(logs, server):
    done = kelpgate.cli("server", f"-dir={logs / 'taken'}", f"-port={server.port}", check=False, timeout=15)
    assert done.returncode != 0 and str(server.port) in done.stderr and "end what listens there" in done.stderr, done


def test_the_first_request_comes_soon(logs, measured):
    """The time from the start of the process to the answer to a signed request. It is printed, not asserted."""
    times = []
    for n in range(3):
        port, directory = free_port(), logs / f"soon-{n}"
        directory.mkdir()
        key = Key("AKIAFROMENVIRONMENT1", "an-environment-secret-of-forty-characters")
        env = {"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret}
        begun = time.perf_counter()
        server = Server("soon", [kelpgate.binary(), "server", f"-dir={directory}/data", f"-port={port}"], directory, env=env)
        while True:
            try:
                answer = request(key, "GET", f"http://127.0.0.1:{port}/")
                if answer.status != 503:
                    break
            except OSError:
                time.sleep(0.001)
        times.append((time.perf_counter() - begun) * 1000)
        assert answer.status == 200, answer
        server.stop()
    measured("first request of `kelpgate server`: " + ", ".join(f"{t:.0f} ms" for t in times))


# ---- crashes


@pytest.mark.parametrize("round_", range(3))
def test_kill_9_loses_nothing_acknowledged(logs, round_):
    """Writers on several connections are interrupted by SIGKILL. Everything acknowledged is there afterwards."""
    server = kelpgate.SingleMachine(logs / f"crash-{round_}")
    key = server.root
    bucket = make_bucket(s3(server.url, key), "crash")
    # Some existing content to overwrite and delete.
    for n in range(20):
        s3(server.url, key).put_object(Bucket=bucket, Key=f"old/{n}", Body=b"old")
    written, deleted, begun_deletes, stop = {}, set(), set(), threading.Event()

    def write(worker):
        session, n = requests.Session(), 0
        signer = Signer(key)
        while not stop.is_set():
            n += 1
            name, body = f"w{worker}/{n:05}", os.urandom([10, 3000, 70_000, 1_500_000][n % 4])
            try:
                answer = session.put(signer.presign("PUT", f"{server.url}/{bucket}/{name}"), data=body, timeout=10)
                if answer.status_code == 200:
                    written[name] = body
                if worker == 0 and n <= 20:
                    old = f"old/{n - 1}"
                    begun_deletes.add(old)
                    if session.delete(signer.presign("DELETE", f"{server.url}/{bucket}/{old}"), timeout=10).status_code == 204:
                        deleted.add(old)
            except requests.RequestException:
                return

    writers = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for writer in writers:
        writer.start()
    time.sleep(0.6 + 0.3 * round_)
    os.kill(server.pid, signal.SIGKILL)
    stop.set()
    for writer in writers:
        writer.join(20)
    server.kill()
    assert len(written) > 5, "the test itself has to write something"
    server.start()
    wait_for(lambda: requests.get(server.url + "/readyz", timeout=2).ok, 20, "after the crash", server)
    root = s3(server.url, key)
    listed = {k for page in root.get_paginator("list_objects_v2").paginate(Bucket=bucket) for k in keys_of(page)}
    assert set(written) <= listed, f"lost: {sorted(set(written) - listed)[:5]} of {len(written)}"
    for name, body in written.items():
        assert body_of(root, bucket, name) == body, name
    assert not deleted & listed, "an acknowledged delete was undone"
    assert {f"old/{n}" for n in range(20)} - begun_deletes <= listed
    # Anything else in the listing was in progress: it is there completely or not at all.
    for name in listed - set(written):
        assert len(body_of(root, bucket, name)) == root.head_object(Bucket=bucket, Key=name)["ContentLength"]
    root.put_object(Bucket=bucket, Key="after", Body=b"it goes on")
    server.stop()


def test_kill_9_keeps_users_policies_and_uploads(logs):
    server = kelpgate.SingleMachine(logs / "crash-iam")
    key = server.root
    root, iam = s3(server.url, key), client("iam", server.url, key)
    bucket = make_bucket(root, "crash")
    upload = root.create_multipart_upload(Bucket=bucket, Key="mp")["UploadId"]
    part = root.upload_part(Bucket=bucket, Key="mp", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    iam.create_user(UserName="alice")
    got = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = s3(server.url, Key(got["AccessKeyId"], got["SecretAccessKey"]))
    root.complete_multipart_upload(
        Bucket=bucket, Key="mp", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    policy = document(statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    iam.put_user_policy(UserName="alice", PolicyName="read", PolicyDocument=json.dumps(policy))
    server.kill()
    server.start()
    wait_for(lambda: requests.get(server.url + "/readyz", timeout=2).ok, 20, "after the crash", server)
    assert body_of(alice, bucket, "mp") == b"part"
    server.stop()
