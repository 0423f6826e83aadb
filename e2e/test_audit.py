"""The audit log of a server: who did what and why it was refused, in files that show whether they were changed."""

import json
from urllib.parse import quote

import pytest

import kelpgate
from clients import Key, client, new_key

from signing import Signer, request, send
from world import document, statement

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def audited(logs):
    directory = logs / "audit"
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "records.log"
    config = directory / "iam.json"
    config.write_text(json.dumps({"kelpgate": {"audit": {"sinks": [{"type": "file", "path": str(log), "mode": "block"}]}}}))
    server = kelpgate.SingleMachine(directory, [f"-iam.config={config}"], name="audit")
    server.audit = log
    yield server
    server.stop()


def events(server):
    return [json.loads(line) for line in server.audit.read_text().splitlines()]


def test_who_did_that(audited):
    iam = client("iam", audited.url, audited.root)
    iam.create_user(UserName="alice")
    alice = new_key(iam, "alice")
    rules = document(statement("Allow", ["s3:*"], "*", Sid="All"), statement("Deny", "s3:*", "arn:aws:s3:::reef/secret*", Sid="NoSecrets"))
    iam.put_user_policy(UserName="alice", PolicyName="work", PolicyDocument=json.dumps(rules))
    assert request(audited.root, "PUT", audited.url + "/reef").status == 200
    assert request(alice, "PUT", audited.url + "/reef/a", b"hello").status == 200
    refused = request(alice, "GET", audited.url + "/reef/secret-plans")
    assert refused.status == 403
    decision = refused.body.decode().split("<DecisionId>")[1].split("<")[0]
    forged = "x\n" + json.dumps({"eventName": "Forged"}) + "\n"
    request(alice, "GET", f"{audited.url}/reef/{quote(forged)}", headers={"user-agent": 'evil"} {"eventName":"Forged"'})
    wrong = Key(alice.access, "x" * 40)
    assert request(wrong, "GET", audited.url + "/reef/a").status == 403
    url = Signer(alice).presign("GET", audited.url + "/reef/a")
    assert send("GET", url).status == 200
    keys = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("a", "secret-1"))
    assert request(alice, "POST", audited.url + "/reef?delete", f"<Delete>{keys}</Delete>".encode()).status == 200
    login = b"Action=CreateLoginProfile&UserName=alice&Password=hunter2hunter2&Version=2010-05-08"
    request(audited.root, "POST", audited.url + "/", login, FORM, service="iam")

    # In mode block, what was answered is in the file.
    found = events(audited)
    assert not [event for event in found if event["eventName"] == "Forged"]
    named = {event["eventName"] for event in found}
    assert {"CreateUser", "CreateAccessKey", "PutUserPolicy", "PutObject", "GetObject", "DeleteObjects", "DeleteObject"} <= named, named
    text = audited.audit.read_text()
    signature = url.split("X-Amz-Signature=")[1].split("&")[0]
    for secret in (alice.secret, audited.root.secret, signature, "hunter2hunter2"):
        assert secret not in text
    keys = {event["requestParameters"]["key"]: event.get("errorCode") for event in found if event["eventName"] == "DeleteObject"}
    assert keys == {"a": None, "secret-1": "AccessDenied"}

    query = lambda *flags: kelpgate.cli("audit", "query", audited.audit, *flags).stdout.splitlines()
    assert len(query("-principal=alice", "-operation=PutObject", "-bucket=reef")) == 1
    denied = query("-denied", "-prefix=secret-plans")
    assert len(denied) == 1 and decision in denied[0] and "inline policy `work`, statement 1 (NoSecrets)" in denied[0], denied
    assert any(f"unknown caller who named the key {alice.access}" in line for line in query("-denied", f"-principal={alice.access}"))
    assert query("-since=2100-01-01T00:00:00Z") == []

    ask = lambda key, *flags: kelpgate.cli(
        "why", decision, f"-endpoint={audited.url}", *flags, check=False,
        env={"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret})
    for told in (ask(audited.root), ask(alice, f"-file={audited.audit}")):
        assert told.returncode == 0 and "denied by inline policy `work`, statement 1 (NoSecrets)" in told.stdout, told
    told = ask(alice)
    assert told.returncode == 1 and not told.stdout and "AccessDenied" in told.stderr and "NoSecrets" not in told.stderr, told


def test_a_changed_log_is_found_out(audited):
    """Over a restart; with the digest that the server kept in its own filer."""
    audited.stop()
    audited.start()
    request(audited.root, "GET", audited.url + "/reef")
    audited.stop()
    verify = lambda: kelpgate.cli("audit", "verify", audited.audit, f"-dir={audited.data}", check=False)
    good = verify()
    assert good.returncode == 0 and "as it was written" in good.stdout and "not compared" not in good.stdout, good
    text = audited.audit.read_text()
    audited.audit.write_text(text.replace("alice", "mallory", 1))
    bad = verify()
    assert bad.returncode == 1 and "edited, removed or moved" in bad.stdout, bad
    audited.audit.write_text(text)
    assert verify().returncode == 0
    empty = audited.data.parent / "empty"
    empty.mkdir()
    other = kelpgate.cli("audit", "verify", audited.audit, f"-dir={empty}", check=False)
    assert other.returncode == 1 and "is not the directory of a kelpgate server" in other.stderr, other
    assert list(empty.iterdir()) == []


def test_a_sink_that_cannot_be_opened_stops_the_start(logs):
    directory = logs / "audit-closed"
    directory.mkdir()
    config = directory / "iam.json"
    config.write_text(json.dumps({"kelpgate": {"audit": {"sinks": [{"type": "file", "path": "/nowhere/audit.log"}]}}}))
    failed = kelpgate.cli("server", f"-dir={directory / 'data'}", "-port=1", f"-iam.config={config}", check=False)
    assert failed.returncode == 1 and "kelpgate.audit" in failed.stderr and "/nowhere" in failed.stderr, failed
