#!/usr/bin/env python3
"""Many small objects in one `kelpgate server`: how fast they are written and listed, and what they cost in memory and on disk.

    .venv/bin/python bench/embedded.py                 200,000 objects in 20,000 prefixes, with target/release/kelpgate
    .venv/bin/python bench/embedded.py -n 10000000 -c 64    ten million: 6.5 GB on disk, 35 minutes for the puts alone

Objects of 100 bytes are put over several connections of one process, through a bucket policy that lets anyone write, so that signing costs
the client nothing. Then pages of 1000 are listed, one after the other, on an idle server, and parts of one upload are put and listed.
In the end the server is stopped in order, started, killed, and started again; a start ends with the first answer of `/readyz`.
"""

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "e2e"))
os.environ["PATH"] = str(ROOT / ".venv/bin") + os.pathsep + os.environ["PATH"]
os.environ.setdefault("KELPGATE_BIN", str(ROOT / "target/release/kelpgate"))

import kelpgate  # noqa: E402
from clients import s3  # noqa: E402
from processes import Server  # noqa: E402

BUCKET = "many"
BODY = b"x" * 100
IN_PREFIX = 10
PAGE = 1000


def key_of(number):
    return f"p{number // IN_PREFIX:07}/{number:08}"


class Connection:
    """Requests without a signature, one after the other."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.answers = self.socket.makefile("rb")

    def ask(self, method, target, body=b""):
        head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        status = self.answers.readline().split()[1]
        length, chunked, line = 0, False, None
        while line != b"\r\n":
            line = self.answers.readline()
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            chunked |= name.lower() == b"transfer-encoding"
        answer = self.answers.read(length) if not chunked else self.chunks()
        assert status == b"200", (method, target, status, answer[:300])
        return answer

    def chunks(self):
        whole = b""
        while size := int(self.answers.readline(), 16):
            whole += self.answers.read(size)
            self.answers.readline()
        self.answers.readline()
        return whole


def at_once(port, connections, count, ask):
    """Lets each number be asked for over one of several connections. Returns how many there were in a second."""
    numbers, lock = iter(range(count)), threading.Lock()

    def work():
        connection = Connection(port)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            ask(connection, number)

    begun = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.monotonic() - begun)


def pages(port, query, token_of, most=50, lines_in=("<Prefix>p", "<Key>p")):
    """The times of pages in ms, one after the other, and how many lines they have altogether."""
    connection, token, times, lines = Connection(port), "", [], 0
    while token is not None and len(times) < most:
        begun = time.monotonic()
        answer = connection.ask("GET", f"/{BUCKET}{query}{token}").decode()
        times.append(1000 * (time.monotonic() - begun))
        lines += sum(map(answer.count, lines_in))
        token = token_of(answer)
    return times, lines


def after(tag, parameter):
    def token(answer):
        return f"&{parameter}={quote(answer.split(f'<{tag}>')[1].split('<')[0])}" if f"<{tag}>" in answer else None

    return token


def resident_mib(pid, what="VmRSS"):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what + ":"))
    return int(line.split()[1]) >> 10


def started_s(server):
    begun = time.monotonic()
    server.start()
    return time.monotonic() - begun


def size_of(directory):
    return sum(file.stat().st_blocks * 512 for file in directory.rglob("*") if file.is_file())


def row(what, value):
    print(f"| {what} | {value} |", flush=True)


def measure(server, count, parts, connections):
    count -= count % 10
    root = s3(server.url, server.root)
    root.create_bucket(Bucket=BUCKET)
    root.delete_public_access_block(Bucket=BUCKET)
    anyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{BUCKET}{x}" for x in ("", "/*")]}
    root.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [anyone]}))
    empty = size_of(server.data)

    print("| | |\n| --- | --- |", flush=True)
    row("objects", f"{count:,} in {count // IN_PREFIX:,} prefixes")
    tenth, begun = count // 10, time.monotonic()
    put = [
        at_once(server.port, connections, tenth, lambda connection, number: connection.ask("PUT", f"/{BUCKET}/{key_of(before + number)}", BODY))
        for before in range(0, count, tenth)
    ]
    row("put, objects per second", f"{count / (time.monotonic() - begun):,.0f} over {connections} connections")
    row("the same, first and last tenth", f"{put[0]:,.0f}, {put[-1]:,.0f}")
    row("memory after that, most, MiB", f"{resident_mib(server.pid)}, {resident_mib(server.pid, 'VmHWM')}")
    row("on disk, bytes per object", f"{(size_of(server.data) - empty) / count:,.0f}")
    time.sleep(2)
    token = after("NextContinuationToken", "continuation-token")
    for what, query in [("prefixes", "&delimiter=/"), ("keys", "")]:
        times, lines = pages(server.port, f"?list-type=2&max-keys={PAGE}{query}", token)
        told = f"{statistics.median(times):.1f}, {max(times):.1f} ({len(times)} pages, {lines:,} lines)"
        row(f"page of {PAGE} {what}, median and slowest, ms", told)

    upload = root.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    target = f"/{BUCKET}/parts?uploadId={upload}"
    rate = at_once(server.port, connections, parts, lambda connection, number: connection.ask("PUT", f"{target}&partNumber={number + 1}", BODY))
    row("parts of one upload, per second", f"{parts:,}: {rate:,.0f}")
    times, lines = pages(
        server.port, f"/parts?uploadId={upload}", after("NextPartNumberMarker", "part-number-marker"), lines_in=["<PartNumber>"]
    )
    row(f"page of {PAGE} parts, median and slowest, ms", f"{statistics.median(times):.1f}, {max(times):.1f} ({lines:,} parts)")
    begun = time.monotonic()
    root.abort_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload)
    row("abort of that upload, s", f"{time.monotonic() - begun:.2f}")

    server.stop()
    row("start after a stop, s", f"{started_s(server):.2f}")
    row("memory after a start, MiB", resident_mib(server.pid))
    server.kill()
    row("start after kill -9, s", f"{started_s(server):.2f}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("-n", type=int, default=200_000, help="objects")
    arguments.add_argument("--parts", type=int, default=10_000, help="parts of an upload")
    arguments.add_argument("-c", "--connections", type=int, default=8, help="connections that put at the same time")
    given = arguments.parse_args()
    if given.n < 10:
        arguments.error("-n must be at least 10")
    with tempfile.TemporaryDirectory(prefix="kelpgate-embedded-") as directory:
        try:
            measure(kelpgate.SingleMachine(Path(directory)), given.n, given.parts, given.connections)
        finally:
            for server in list(Server.running):
                server.kill()


if __name__ == "__main__":
    main()
