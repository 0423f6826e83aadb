"""What clients send is in the log as data: it begins no line, adds no field and commands no terminal."""

import json
import unicodedata
from urllib.parse import quote

import pytest
import requests

import kelpgate
from clients import Key, unique
from processes import wait_for
from signing import Signer, request, send

# What ends a line, commands a terminal or turns the direction of reading.
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
    """Reason, address and key id; ten lines of an address in ten seconds, then a count of the others."""
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
    """A form names its key in a field; the signature of a chunk is found in the body."""
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
        ("", "SignatureDoesNotMatch", chunk),
    ]:
        before = len(server.log())
        assert send_it() == 403
        wait_for(lambda: "refused a signature" in server.log()[before:], 5, "the line", server)
        line = next(line for line in server.log()[before:].splitlines() if "refused a signature" in line)
        assert all(part in line for part in (f"key={key} ", f"code={code}", "client=127.0.0.1")), line
    assert request(server.root, "GET", bucket + "/k").status == 404
    server.stop()


FORM = {"content-type": "application/x-www-form-urlencoded"}
