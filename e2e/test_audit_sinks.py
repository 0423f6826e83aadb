"""Sinks that cannot write: in mode block requests are refused and no record is lost; in mode best-effort each loss is counted."""

import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

import kelpgate
from processes import free_port, small_disk, wait_for
from signing import request
from test_full_disk import fill

# How long a receiver is away, in seconds. For the full run: 60.
AWAY_S = float(os.environ.get("KELPGATE_AUDIT_AWAY_S", "1"))


class Receiver:
    """A webhook's receiver on one port, which can stop answering, and end and begin again."""

    def __init__(self):
        self.port, self.seen, self.answers, self.server = free_port(), [], threading.Event(), None
        self.answers.set()

    def begin(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                lines = self.rfile.read(int(self.headers["content-length"])).decode().splitlines()
                if not receiver.answers.wait(120) or receiver.server is None:
                    return
                receiver.seen += [json.loads(line)["requestID"] for line in lines]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        server, self.server = self.server, None
        server.shutdown()
        server.server_close()


def server_with(directory, **sink):
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "iam.json"
    config.write_text(json.dumps({"kelpgate": {"audit": {"sinks": [sink]}}}))
    return kelpgate.SingleMachine(directory, [f"-iam.config={config}"], name="audited")


def webhook(receiver, mode):
    return {"type": "webhook", "endpoint": f"http://127.0.0.1:{receiver.port}/", "mode": mode}


def counted(server, name):
    text = requests.get(server.url + "/metrics", timeout=20).text
    return sum(float(value) for value in re.findall(rf"^kelpgate_audit_{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))


class Writers:
    """Threads that write one object after the other, and keep what was answered."""

    def __init__(self, server):
        self.server, self.answers, self.ends = server, [], threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(number,)) for number in range(4)]
        for thread in self.threads:
            thread.start()

    def _write(self, number):
        count = 0
        while not self.ends.is_set():
            key = f"{number}-{count}"
            self.answers.append((key, request(self.server.root, "PUT", f"{self.server.url}/reef/{key}", b"x", timeout=60)))
            count += 1
            time.sleep(0.01)

    def refused(self):
        return [answer for _, answer in list(self.answers) if b"was not carried out, because the audit log" in answer.body]

    def wait_for_success(self):
        before = len(self.answers)
        wait_for(lambda: any(answer.status == 200 for _, answer in self.answers[before:]), 90, "a request that is carried out", self.server)

    def end(self):
        """The ids of all requests that were carried out, and their keys."""
        self.ends.set()
        for thread in self.threads:
            thread.join()
        refused = self.refused()
        assert all(answer.status == 503 for answer in refused)
        done = [(key, answer) for key, answer in self.answers if answer not in refused]
        wrong = [answer for _, answer in done if answer.status != 200 and b"was carried out with status 200" not in answer.body]
        assert not wrong, wrong[:3]
        return {answer.headers["x-amz-request-id"] for _, answer in done}, {key for key, _ in done}


def refuses(server):
    """Whether a new request is refused. One that waits for its record is given up."""
    answer = request(server.root, "GET", server.url + "/reef", timeout=1)
    return answer.status == 503 and b"was not carried out, because the audit log" in answer.body


def stored(server):
    """All keys of the bucket."""
    keys, after = set(), ""
    while True:
        page = request(server.root, "GET", f"{server.url}/reef?list-type=2&start-after={after}", timeout=60).body.decode()
        keys |= set(re.findall(r"<Key>([^<]+)</Key>", page))
        if "<IsTruncated>true" not in page:
            return keys
        after = max(keys)


def test_without_an_audit_nothing_is_done_and_nothing_is_lost(logs):
    receiver = Receiver()
    receiver.begin()
    server = server_with(logs / "audit-block", **webhook(receiver, "block"))
    assert request(server.root, "PUT", server.url + "/reef").status == 200
    writers = Writers(server)
    writers.wait_for_success()

    receiver.answers.clear()
    wait_for(lambda: refuses(server), 60, "refusals while the receiver is stopped", server)
    time.sleep(AWAY_S)
    receiver.answers.set()
    writers.wait_for_success()

    receiver.end()
    wait_for(lambda: refuses(server), 60, "refusals while the receiver is gone", server)
    time.sleep(AWAY_S)
    receiver.begin()
    writers.wait_for_success()

    done, keys = writers.end()
    wait_for(lambda: done <= set(receiver.seen), 60, "all records", server)
    assert stored(server) == keys, "what was refused was not carried out"
    assert counted(server, "dropped_records_total") == 0
    assert counted(server, "refused_requests_total") >= len(writers.refused()) + 2
    server.stop()
    receiver.end()


def test_a_full_disk_refuses_requests_until_there_is_room(logs, tmp_path):
    with small_disk(tmp_path / "audit", 2) as disk:
        log = disk / "audit.log"
        server = server_with(logs / "audit-full", type="file", path=str(log), mode="block", maxBytes=65536, maxFiles=0)
        assert request(server.root, "PUT", server.url + "/reef").status == 200
        writers = Writers(server)
        writers.wait_for_success()
        fill(disk)
        wait_for(writers.refused, 60, "refusals while the disk is full", server)
        assert "audit records cannot be written; requests are refused until they can" in server.log()
        assert "No space left" not in writers.refused()[0].body.decode(), "clients learn nothing about this machine"
        (disk / "filler").unlink()
        writers.wait_for_success()
        done, keys = writers.end()
        ids = lambda: {json.loads(line)["requestID"] for path in disk.glob("audit.log*") if "digest" not in path.name and "key" not in path.name for line in path.read_text().splitlines()}
        wait_for(lambda: done <= ids(), 60, "all records", server)
        assert stored(server) == keys
        assert counted(server, "dropped_records_total") == 0
        server.stop()
        verified = kelpgate.cli("audit", "verify", log, check=False)
        assert verified.returncode == 0, verified


def test_losses_are_counted_exactly(logs):
    receiver = Receiver()
    server = server_with(logs / "audit-best-effort", **webhook(receiver, "best-effort"))
    for number in range(60):
        assert request(server.root, "PUT", f"{server.url}/reef{number}").status == 200
    wait_for(lambda: counted(server, "dropped_records_total") == 60, 60, "the losses", server)
    receiver.begin()
    for number in range(40):
        assert request(server.root, "HEAD", f"{server.url}/reef{number}").status == 200
    wait_for(lambda: len(receiver.seen) == 40, 60, "the records", server)
    wait_for(lambda: counted(server, "records_total") == 40, 20, "the count", server)
    assert counted(server, "dropped_records_total") == 60
    assert counted(server, "queued_records") == 0
    server.stop()
    receiver.end()
