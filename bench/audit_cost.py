#!/usr/bin/env python3
"""What the audit log adds to the instructions of a GET, counted by callgrind.

    .venv/bin/python bench/audit_cost.py               with target/release/kelpgate; needs valgrind
    KELPGATE_BIN=... .venv/bin/python bench/audit_cost.py -n 2000 --only s3

`kelpgate server`, and `kelpgate s3` in front of a SeaweedFS cluster, each run under callgrind three times: without a sink, with a file in
mode best-effort, and with a file in mode block. Counting begins after the first GETs and ends after the last record is written. Only the
threads that answer requests and the thread that writes records count. The others work by the clock, however many requests there are.

The log signs at most one digest each second. Under callgrind a second has so few requests that a digest weighs about a hundred times as much
as in production. So digests are counted apart.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "e2e"))
os.environ["PATH"] = str(ROOT / ".venv/bin") + os.pathsep + os.environ["PATH"]
os.environ.setdefault("KELPGATE_BIN", str(ROOT / "target/release/kelpgate"))

import requests  # noqa: E402

import kelpgate  # noqa: E402
import world  # noqa: E402
from processes import Server, free_port, wait_for  # noqa: E402
from signing import Signer  # noqa: E402
from weed import Cluster  # noqa: E402

BODY = b"x" * 1024


class Counted(Server):
    """A gateway in callgrind: `kelpgate server`, or `kelpgate s3` on the filer of a cluster."""

    def __init__(self, directory, sinks, cluster=None):
        directory.mkdir(parents=True)
        self.port, self.out = free_port(), directory / "callgrind"
        self.url = f"http://127.0.0.1:{self.port}"
        flags = self.of_server(directory) if cluster is None else self.of_gateway(directory, cluster)
        config = world.iam_config(cluster.filer.address) if cluster else {}
        settings = directory / "iam.json"
        settings.write_text(json.dumps({**config, "kelpgate": {"audit": {"sinks": sinks}}}))
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.out}", "--separate-threads=yes"]
        command += [kelpgate.binary(), *flags, f"-port={self.port}", f"-iam.config={settings}"]
        super().__init__("counted", command, directory, ready_port=self.port, wait_s=300)
        wait_for(lambda: requests.get(self.url + "/readyz", timeout=30).ok, 300, "ready", self)
        self.key = world.ROOT if cluster else kelpgate.root_key((directory / "data/root-credentials").read_text())

    def of_server(self, directory):
        return ["server", f"-dir={directory}/data", "-scrubMBPerSecond=0"]

    def of_gateway(self, directory, cluster):
        identities = directory / "identities.json"
        identities.write_text(json.dumps(world.IDENTITIES))
        return ["s3", f"-filer={cluster.filer.address}", "-ip.bind=127.0.0.1", f"-config={identities}"]

    def control(self, flag):
        subprocess.run(["callgrind_control", flag, str(self.pid)], check=True, capture_output=True)

    def gets(self, count):
        session, url = requests.Session(), f"{self.url}/bench/k"
        for _ in range(count):
            answer = session.get(url, headers=Signer(self.key).headers("GET", url, {}, "UNSIGNED-PAYLOAD"))
            assert answer.status_code == 200 and answer.content == BODY, answer
        # The writer of records collects them for a moment.
        time.sleep(3)

    def dumped(self, count):
        """The dumps of all threads over so many GETs."""
        for path, body in (("bench", b""), ("bench/k", BODY)):
            url = f"{self.url}/{path}"
            headers = Signer(self.key).headers("PUT", url, {}, "UNSIGNED-PAYLOAD")
            assert requests.put(url, body, headers=headers, timeout=60).ok
        self.gets(count // 10)
        self.control("--zero")
        self.gets(count)
        self.control("--dump")
        self.kill()
        return [path.read_text() for path in self.out.parent.glob(f"{self.out.name}.1*")]


def inclusive(dump, function):
    """The calls of a function in one thread, and its instructions with those of all that it calls."""
    ids = {match[1] for match in re.finditer(r"^c?fn=\((\d+)\) (.+)$", dump, re.M) if match[2].endswith(function)}
    called = re.finditer(r"^cfn=\((\d+)\).*\ncalls=(\d+) .*\n\S+ (\d+)$", dump, re.M)
    costs = [(int(match[2]), int(match[3])) for match in called if match[1] in ids]
    return sum(calls for calls, _ in costs), sum(cost for _, cost in costs)


def of_requests(dumps):
    """The instructions of the threads that answer, and of the one that writes records."""
    totals = [re.search(r"^(?:summary|totals): (\d+)", dump, re.M) for dump in dumps]
    is_of_requests = re.compile(r"multi_thread::worker::run$|audit::chain::Chain::|audit::writer::Writer::run", re.M)
    counted = [int(total[1]) for total, dump in zip(totals, dumps, strict=True) if total and is_of_requests.search(dump)]
    assert counted, "no thread of requests: did a function change its name?"
    return sum(counted)


def compare(gateway, directory, count, cluster=None):
    """Prints what a file adds, in each of its modes."""
    without = of_requests(Counted(directory / "without", [], cluster).dumped(count)) / count
    print(f"kelpgate {gateway}, no sink: {without:,.0f} instructions for a GET")
    for mode in ("best-effort", "block"):
        sink = {"type": "file", "path": str(directory / f"{mode}.log"), "mode": mode}
        dumps = Counted(directory / mode, [sink], cluster).dumped(count)
        digests, of_digests = (sum(parts) for parts in zip(*(inclusive(dump, "FileLog::digest") for dump in dumps), strict=True))
        assert digests, "no call of FileLog::digest: is it inlined?"
        more, of_digest = of_requests(dumps) / count - without, of_digests / count
        print(
            f"  {mode}: {more - of_digest:,.0f} more, {(more - of_digest) / without * 100:.1f} %; {digests} digests of"
            f" {of_digests / max(digests, 1):,.0f} instructions, with these {more:,.0f} more, {more / without * 100:.1f} %",
            flush=True,
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("-n", type=int, default=1000, help="GETs that are counted")
    arguments.add_argument("-o", type=Path, help="keep the files in this directory, which must be new")
    arguments.add_argument("--only", choices=["server", "s3"], help="only this kind of gateway")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        directory = options.o or Path(directory)
        if options.only != "s3":
            compare("server", directory / "server", options.n)
        if options.only != "server":
            compare("s3", directory / "s3", options.n, Cluster(directory / "cluster"))


if __name__ == "__main__":
    try:
        main()
    finally:
        for server in list(Server.running):
            server.kill()
