#!/usr/bin/env python3
"""What the audit log adds to the instructions of a GET, counted by callgrind.

    .venv/bin/python bench/audit_cost.py               with target/release/kelpgate; needs valgrind
    KELPGATE_BIN=... .venv/bin/python bench/audit_cost.py -n 2000

A `kelpgate server` runs in callgrind, once without a sink and once with a file. Counting begins after the first GETs and ends after the
last record was written. All threads count, the one that encodes and writes records too.
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
from processes import Server, free_port, wait_for  # noqa: E402
from signing import Signer  # noqa: E402

BODY = b"x" * 1024


class Counted(Server):
    """A server in callgrind."""

    def __init__(self, directory, sinks):
        directory.mkdir(parents=True)
        self.url_port, self.data, self.out = free_port(), directory / "data", directory / "callgrind"
        self.url = f"http://127.0.0.1:{self.url_port}"
        config = directory / "iam.json"
        config.write_text(json.dumps({"kelpgate": {"audit": {"sinks": sinks}}}))
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.out}", kelpgate.binary(), "server", f"-dir={self.data}"]
        command += [f"-port={self.url_port}", f"-iam.config={config}", "-scrubMBPerSecond=0"]
        super().__init__("counted", command, directory, ready_port=self.url_port, wait_s=300)
        wait_for(lambda: requests.get(self.url + "/readyz", timeout=30).ok, 300, "ready", self)
        self.key = kelpgate.root_key((self.data / "root-credentials").read_text())

    def control(self, flag):
        subprocess.run(["callgrind_control", flag, str(self.pid)], check=True, capture_output=True)

    def gets(self, count):
        session, url = requests.Session(), f"{self.url}/bench/k"
        for _ in range(count):
            answer = session.get(url, headers=Signer(self.key).headers("GET", url, {}, "UNSIGNED-PAYLOAD"))
            assert answer.status_code == 200 and answer.content == BODY, answer
        # The writer of records collects them for a moment.
        time.sleep(3)

    def instructions(self, count):
        for path, body in (("bench", b""), ("bench/k", BODY)):
            url = f"{self.url}/{path}"
            headers = Signer(self.key).headers("PUT", url, {}, "UNSIGNED-PAYLOAD")
            assert requests.put(url, body, headers=headers, timeout=60).ok
        self.gets(count // 10)
        self.control("--zero")
        self.gets(count)
        self.control("--dump")
        dump = max(self.out.parent.glob("callgrind*"), key=lambda path: path.stat().st_mtime)
        total = re.search(r"^(?:summary|totals): (\d+)", dump.read_text(), re.M)
        self.kill()
        return int(total[1]) / count


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("-n", type=int, default=1000, help="GETs that are counted")
    count = arguments.parse_args().n
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        file = {"type": "file", "path": str(directory / "audit.log")}
        without = Counted(directory / "without", []).instructions(count)
        for mode in ("best-effort", "block"):
            counted = Counted(directory / mode, [{**file, "path": str(directory / f"{mode}.log"), "mode": mode}]).instructions(count)
            print(f"{mode}: {counted:,.0f} instructions for a GET, {without:,.0f} without a sink: {(counted / without - 1) * 100:+.1f} %")


if __name__ == "__main__":
    main()
