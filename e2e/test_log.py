"""What clients send is logged as data: it cannot start a line, add a field or control a terminal."""

import json
import unicodedata
from urllib.parse import quote

import pytest
import requests

import kelpgate
from clients import Key, assume, client, new_key, unique
from processes import wait_for
from signing import Signer, request, send
from world import document, statement, user_arn

# Characters that end a line, control a terminal or reverse the reading direction.
CONTROLS = [chr(n) for n in (*range(1, 0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))]


@pytest.fixture(scope="module", params=["text", "json"])
def logging_server(request, logs):
    env = {"KELPGATE_LOG_FORMAT": request.param, "KELPGATE_LOG": "trace,audit=debug"}
    server = kelpgate.SingleMachine(logs / f"log-{request.param}", env=env, name=f"log-{request.param}")
    server.is_json = request.param == "json"
    yield server
    server.stop()


def lines_with(server, mark):
    wait_for(lambda: mark.encode() in server.log_path.read_bytes(), 5, "the line", server)
    return [line for line in server.log_path.read_bytes().split(b"\n") if mark.encode() in line]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: f"{ord(c):04x}")
def test_no_client_writes_a_line(logging_server, control):
    mark = unique("forged")
    key = f"x{control}2026-01-01T00:00:00.000000Z  INFO audit: {mark} principal=arn:aws:iam::000000000000:root{control}[2J"
    send("GET", f"{logging_server.url}/some-bucket/{quote(key)}")
    lines = lines_with(logging_server, mark)
    refused = [line for line in lines if b"refused" in line]
    assert len(refused) == 1, lines
    for line in lines:
        left = [c for c in line.decode() if unicodedata.category(c) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(c) in BIDI]
        assert not left, line
        assert not line.startswith(b"2026-01-01"), line
    if logging_server.is_json:
        assert json.loads(refused[0])["fields"]["resource"] == f"arn:aws:s3:::some-bucket/{key}"
    else:
        # One field, in quotes; the real principal is empty.
        assert b" principal= " in refused[0] and b' resource="arn:aws:s3:::some-bucket/x' in refused[0], refused[0]


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
def test_refused_signatures_leave_lines_but_not_without_end(logs, is_json):
    """Reason, address and key id. At most ten lines per address in ten seconds, then a count of the others."""
    name = f"log-signatures-{is_json}"
    server = kelpgate.SingleMachine(logs / name, env={"KELPGATE_LOG_FORMAT": "json"} if is_json else {}, name=name)
    wrong = Key(server.root.access, "x" * 40)
    nobody = Key("AKIA" + "N" * 16, "x" * 40)
    field = lambda n, v: f'"{n}":"{v}"' if is_json else f"{n}={v}"
    for key, code, send_it in [
        (wrong, "SignatureDoesNotMatch", lambda key: request(key, "GET", server.url + "/bucket/k")),
        (nobody, "InvalidAccessKeyId", lambda key: request(key, "GET", server.url + "/bucket/k")),
        (nobody, "InvalidAccessKeyId", lambda key: send("GET", Signer(key).presign("GET", server.url + "/bucket/k"))),
        (nobody, "InvalidAccessKeyId", lambda key: request(key, "POST", server.url + "/", b"Action=ListUsers", FORM, service="iam")),
    ]:
        before = len(server.log())
        assert send_it(key).status == 403
        wait_for(lambda: "refused a signature" in server.log()[before:], 5, "the line", server)
        line = next(line for line in server.log()[before:].splitlines() if "refused a signature" in line)
        assert all(field(n, v) in line for n, v in (("client", "127.0.0.1"), ("key", key.access), ("code", code))), line
        assert "Signature=" not in line and key.secret not in line
    for _ in range(40):
        request(nobody, "GET", server.url + "/bucket/k")
    wait_for(lambda: "suppressed" in server.log(), 15, "the count", server)
    log = server.log()
    assert log.count("refused a signature") == 10, log
    assert ('"suppressed":34' if is_json else "suppressed=34") in log, log
    server.stop()


def test_refused_forms_and_chunks_leave_lines(logs):
    """A form names its key in a field. The caller of a wrong chunk is known, because the signature of the head was right."""
    server = kelpgate.SingleMachine(logs / "log-forms", name="log-forms")
    bucket = f"{server.url}/lines"
    assert request(server.root, "PUT", bucket).status == 200
    conditions = [{"key": "k"}]
    forms = {}
    for name, key in (("wrong", Key(server.root.access, "x" * 40)), ("nobody", Key("AKIA" + "N" * 16, "x" * 40))):
        fields = Signer(key).post_form("lines", "k", conditions)
        forms[name] = (key, lambda fields=fields: requests.post(bucket, data=fields, files={"file": b"v"}, timeout=20).status_code)
    headers, body = Signer(server.root).chunked("PUT", bucket + "/k", [b"x" * 8192, b"y"], spoil="chunk")
    chunk = lambda: send("PUT", bucket + "/k", headers, body).status
    for key, code, send_it in [
        (forms["wrong"][0].access, "SignatureDoesNotMatch", forms["wrong"][1]),
        (forms["nobody"][0].access, "InvalidAccessKeyId", forms["nobody"][1]),
        (server.root.access, "SignatureDoesNotMatch", chunk),
    ]:
        before = len(server.log())
        assert send_it() == 403
        wait_for(lambda: "refused a signature" in server.log()[before:], 5, "the line", server)
        line = next(line for line in server.log()[before:].splitlines() if "refused a signature" in line)
        assert all(part in line for part in (f"key={key} ", f"code={code}", "client=127.0.0.1")), line
    assert request(server.root, "GET", bucket + "/k").status == 404
    server.stop()


def test_a_line_names_who_and_by_which_policy(logs):
    """Of a session: its role, id and source identity; of the decision: the policy by its name, the statement and its Sid. IAM calls too."""
    env = {"KELPGATE_LOG_FORMAT": "json", "KELPGATE_LOG": "info,audit=debug"}
    server = kelpgate.SingleMachine(logs / "log-who", env=env, name="log-who")
    iam = client("iam", server.url, server.root)
    iam.create_user(UserName="alice")
    alice = new_key(iam, "alice")
    rules = document(
        statement("Allow", ["s3:GetObject", "s3:PutObject"], "*", Sid="Objects"),
        statement("Deny", "s3:GetObject", "arn:aws:s3:::who/secret", Sid="NoSecrets"),
    )
    iam.put_user_policy(UserName="alice", PolicyName="work", PolicyDocument=json.dumps(rules))
    trust = document({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"], "Principal": {"AWS": user_arn("alice")}})
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    request(server.root, "PUT", server.url + "/who")

    def line(key, method, target, body=b"", headers=None, service="s3"):
        before = len(server.log())
        answer = request(key, method, server.url + target, body, headers or {}, service=service)
        mark = answer.headers.get("x-amz-request-id") or answer.headers["x-amzn-requestid"]
        wait_for(lambda: mark in server.log()[before:], 5, "the line", server)
        found = [json.loads(line)["fields"] for line in server.log()[before:].splitlines() if mark in line and '"audit"' in line]
        assert len(found) == 1, found
        return found[0]

    refused = line(alice, "GET", "/who/secret")
    wanted = {"message": "refused", "principal": user_arn("alice"), "key": alice.access, "action": "s3:GetObject",
              "resource": "arn:aws:s3:::who/secret", "outcome": "explicit_deny", "policy_type": "identity",
              "policy": "inline policy `work`", "statement": 1, "sid": "NoSecrets", "status": 403, "client": "127.0.0.1"}
    assert wanted.items() <= refused.items(), refused
    missing = line(alice, "DELETE", "/who/a")
    assert (missing["outcome"], missing["policy_type"]) == ("implicit_deny", "identity") and "policy" not in missing, missing
    stored = line(alice, "PUT", "/who/a", b"hello")
    assert stored["decisions"] == "s3:PutObject arn:aws:s3:::who/a allow by inline policy `work`, statement 0 (Objects)", stored
    assert (stored["bytes_received"], stored["status"]) == (5, 200), stored
    call = line(alice, "POST", "/", b"Action=ListUsers&Version=2010-05-08", FORM, service="iam")
    assert (call["message"], call["operation"], call["action"]) == ("refused", "iam:ListUsers", "iam:ListUsers"), call

    closed = {"Sid": "Closed", "Effect": "Deny", "Action": "sts:AssumeRole", "Principal": "*"}
    iam.create_role(RoleName="closed", AssumeRolePolicyDocument=json.dumps(document(closed)))
    role_of = lambda name: role["Arn"].replace("worker", name)
    into = lambda name: f"Action=AssumeRole&RoleSessionName=session&RoleArn={role_of(name)}&Version=2011-06-15".encode()
    call = line(alice, "POST", "/", into("closed"), FORM, service="sts")
    wanted = {"message": "refused", "operation": "sts:AssumeRole", "action": "sts:AssumeRole", "resource": role_of("closed"),
              "outcome": "explicit_deny", "policy": "trust policy of role `closed`", "statement": 0, "sid": "Closed"}
    assert wanted.items() <= call.items(), call
    call = line(alice, "POST", "/", into("missing"), FORM, service="sts")
    assert (call["message"], call["resource"], call["outcome"]) == ("refused", role_of("missing"), "implicit_deny"), call
    session = assume(server.url, alice, role["Arn"], "shift", SourceIdentity="alice-a")
    refused = line(session, "GET", "/who/a")
    wanted = {"role": role["Arn"], "source_identity": "alice-a", "principal": f"{role['Arn'].replace(':iam:', ':sts:').replace('role', 'assumed-role')}/shift"}
    assert wanted.items() <= refused.items() and refused["session"] and refused["issued"] > 0, refused
    # As many keys as one request can name.
    keys = "".join(f"<Object><Key>k{n}</Key><VersionId>null</VersionId></Object>" for n in range(1000))
    several = line(alice, "POST", "/who?delete", f"<Delete>{keys}</Delete>".encode())
    assert (several["status"], several["refusals"], several["resource"]) == (200, 1000, "arn:aws:s3:::who/k0"), several
    server.stop()


FORM = {"content-type": "application/x-www-form-urlencoded"}
