"""Callers send several requests at once, as large as they can: the memory of the gateway stays bounded."""

import hashlib
import re
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import kelpgate
import pytest
from clients import make_bucket, s3
from signing import request, send

MIB = 1 << 20
# Eight requests at once, in every form whose body is kept in memory while it is read.
GROWTH_MIB_MAX = 128
AT_ONCE = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = kelpgate.SingleMachine(tmp_path_factory.mktemp("limits"), name="limits")
    server.bucket = make_bucket(s3(server.url, server.root), "limits")
    yield server
    server.stop()


def peak_mib(server):
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def delete_list(count, key_bytes):
    objects = "".join(f"<Object><Key>{at:04}{'k' * key_bytes}</Key></Object>" for at in range(count))
    return f"<Delete>{objects}</Delete>".encode()


def tags(count, value_bytes):
    one = "".join(f"<Tag><Key>{at}</Key><Value>{'v' * value_bytes}</Value></Tag>" for at in range(count))
    return f"<Tagging><TagSet>{one}</TagSet></Tagging>".encode()


def parts(count):
    one = "".join(f'<Part><PartNumber>{at}</PartNumber><ETag>"{at:032x}"</ETag></Part>' for at in range(1, count))
    return f"<CompleteMultipartUpload>{one}</CompleteMultipartUpload>".encode()


def members(count):
    pairs = {f"ResourceArns.member.{at}": f"arn:aws:s3:::large/{at}" for at in range(1, count)}
    policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
    action = {"Action": "SimulateCustomPolicy", "ActionNames.member.1": "s3:GetObject", "MaxItems": "1000"}
    return urlencode({**action, "PolicyInputList.member.1": policy, **pairs}).encode()


def many_elements(mib):
    return b"<Delete>" + b"<a/>" * (mib * MIB // 4) + b"</Delete>"


FORM = {"content-type": "application/x-www-form-urlencoded"}
# The name, the method and path, the body, its headers, and the status of the answer.
LARGEST = [
    ("a thousand keys of 1500 bytes", "POST", "/{bucket}?delete", delete_list(1000, 1500), {}, 200),
    ("a DeleteObjects of 3 MiB", "POST", "/{bucket}?delete", delete_list(3000, 1000), {}, 400),
    ("a DeleteObjects of nothing but elements", "POST", "/{bucket}?delete", many_elements(1), {}, 400),
    ("deep XML", "POST", "/{bucket}?delete", b"<Delete>" + b"<a>" * 500_000, {}, 400),
    ("tags of 100 KiB", "PUT", "/{bucket}?tagging", tags(400, 200), {}, 400),
    ("tags of 200 KiB", "PUT", "/{bucket}?tagging", tags(800, 200), {}, 400),
    ("a bucket policy of 200 KiB", "PUT", "/{bucket}?policy", b'{"Version":"' + b"x" * (200 << 10), {}, 400),
    ("deep JSON", "PUT", "/{bucket}?policy", b"[" * 100_000, {}, 400),
    ("a list of 10,000 parts", "POST", "/{bucket}/k?uploadId=none", parts(10_001), {}, 404),
    ("a part list of 9 MiB", "POST", "/{bucket}/k?uploadId=none", b"<Complete" + b" " * (9 * MIB), {}, 400),
    ("a list of 1000 members", "POST", "/", members(1001), FORM, 200),
    ("a list of 9000 members", "POST", "/", members(9001), FORM, 400),
    ("an IAM form of 2 MiB", "POST", "/", b"Action=ListUsers&x=" + b"x" * (2 * MIB), FORM, 400),
    ("parameters of one letter", "POST", "/", b"Action=ListUsers" + b"&a" * 500_000, FORM, 400),
    ("a head of 100 KB", "GET", "/{bucket}/none", b"", {f"x-header-{at}": "v" * 7_000 for at in range(15)}, 400),
]


@pytest.mark.parametrize("what,method,path,body,headers,status", LARGEST, ids=[row[0] for row in LARGEST])
def test_eight_of_the_largest_requests_take_bounded_memory(server, what, method, path, body, headers, status):
    before, url = peak_mib(server), server.url + path.format(bucket=server.bucket)
    signer = {"service": "iam"} if headers is FORM else {}
    md5 = {} if headers is FORM or not body else {"content-md5": b64encode(hashlib.md5(body).digest()).decode()}

    def one(_):
        try:
            return request(server.root, method, url, body, {**headers, **md5}, timeout=60, **signer).status
        except OSError:
            # The answer may arrive, and the connection end, before the whole of a body that is too large is sent.
            return 400

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = set(pool.map(one, range(AT_ONCE)))
    assert answers == {status}
    growth = peak_mib(server) - before
    print(f"{what}: {len(body) // 1024} KiB each, peak grew by {growth} MiB")
    assert growth < GROWTH_MIB_MAX


def test_anonymous_callers_fill_no_memory(server):
    before = peak_mib(server)

    def one(_):
        try:
            return send("POST", f"{server.url}/{server.bucket}?delete", {}, delete_list(1000, 1000)).status
        except OSError:
            return 403

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(one, range(2 * AT_ONCE))) == {403}
    assert peak_mib(server) - before < 64
