"""What clients send is in the log as data: it begins no line, adds no field and commands no terminal."""

import json
import unicodedata
from urllib.parse import quote

import pytest

import kelpgate
from clients import unique
from processes import wait_for
from signing import send

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
