#!/usr/bin/env python3
"""How many requests are refused while one of two filers fails: two Kelpgate gateways and one `weed s3` on the same two filers.

    .venv/bin/python bench/faults.py                          every event, watched for 60 s; about twelve minutes
    .venv/bin/python bench/faults.py --only kill --after 20 --rate 20

Requests are sent at a fixed rate to each gateway, whether earlier ones were answered or not: half of them read an object, half write
one. A request without an answer within 2 s counts as refused. So does every status but 200. Beside the refused share stands, for each
method, the longest time during which every such request was refused. Filers share one Redis, which `redis-server` has to provide.

stop     the filer gets SIGTERM
freeze   SIGSTOP, and SIGCONT in the middle of the time
kill     SIGKILL
start    a filer that was killed before starts
upgrade  both filers are stopped and started again, one after the other
add      a third filer starts, which the gateways were not told of
remove   the third filer gets SIGTERM, and does not come back
"""

import argparse
import http.client
import itertools
import json
import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "e2e"))
os.environ["PATH"] = str(ROOT / ".venv/bin") + os.pathsep + os.environ["PATH"]
os.environ.setdefault("KELPGATE_BIN", str(ROOT / "target/release/kelpgate"))

import kelpgate  # noqa: E402
import world  # noqa: E402
from clients import s3  # noqa: E402
from processes import Server, free_port, wait_for  # noqa: E402
from signing import request  # noqa: E402
from weed import Cluster, Filer, weed_s3  # noqa: E402
from world import ROOT as ADMIN  # noqa: E402

DEADLINE_S = 2
# How long the load runs before an event.
BEFORE_S = 3
# Time for the master's list and the gateways to come to rest between events.
REST_S = 20
# Requests that may be under way at each gateway: those of the deadline, and some.
SENDERS_S = DEADLINE_S + 1
EVENTS = ["stop", "freeze", "kill", "start", "upgrade", "add", "remove"]


class Two:
    """Two filers on one store, two Kelpgate gateways, and one `weed s3`."""

    def __init__(self, directory):
        self.directory = directory
        self.cluster = Cluster(directory, with_filer=False)
        self.port = free_port()
        redis = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", directory]
        Server("redis", redis, directory / "redis", ready_port=self.port)
        self.filers = [self.filer("filer-a"), self.filer("filer-b")]
        self.third = None
        both = ",".join(filer.address for filer in self.filers)
        identities, iam = directory / "identities.json", directory / "iam.json"
        identities.write_text(json.dumps(world.IDENTITIES))
        iam.write_text(json.dumps(world.iam_config(self.filers[0].address)))
        flags = [f"-config={identities}", f"-iam.config={iam}"]
        self.gateways = {
            "kelpgate 1": kelpgate.gateway("kelpgate-1", directory / "kelpgate-1", both, flags),
            "kelpgate 2": kelpgate.gateway("kelpgate-2", directory / "kelpgate-2", both, flags),
            "weed s3": weed_s3("weed", directory / "weed", type("Both", (), {"address": both}), flags),
        }
        root = s3(self.gateways["kelpgate 1"].url, ADMIN)
        root.create_bucket(Bucket="faults")
        root.put_object(Bucket="faults", Key="read", Body=b"x" * 1000)

    def filer(self, name, port=None):
        (self.directory / name).mkdir(exist_ok=True)
        store = f'[redis2]\nenabled = true\naddress = "127.0.0.1:{self.port}"\n'
        (self.directory / name / "filer.toml").write_text(store)
        return Filer(self.directory, self.cluster.master, name, port=port)

    def start_again(self):
        """Starts the first filer if it does not run."""
        first = self.filers[0]
        if not first.server.alive():
            first.server.start()
        wait_for(lambda: first.read("/").ok, 30, "the filer answers", first.server)

    def add(self):
        """Starts a filer with an address of its own."""
        self.third = self.filer("filer-c")

    def remove(self):
        """Ends the filer that was added."""
        self.third.server.process.send_signal(signal.SIGTERM)
        self.third.server.process.wait(40)
        self.third = None

    def prepare(self, event):
        """Brings the filers into the state in which an event begins."""
        if event == "start":
            self.filers[0].server.kill()
        else:
            self.start_again()
        if event == "remove" and not self.third:
            self.add()
        elif event != "remove" and self.third:
            self.remove()

    def replace(self, filer):
        filer.server.process.send_signal(signal.SIGTERM)
        filer.server.process.wait(40)
        filer.server.start()
        wait_for(lambda: filer.read("/").ok, 30, "the filer answers", filer.server)


def cause(two, event, after_s):
    """Lets an event happen. Returns when it is over, at the latest after the time for which it is watched."""
    first = two.filers[0]
    if event == "freeze":
        os.kill(first.server.pid, signal.SIGSTOP)
        time.sleep(after_s / 2)
        os.kill(first.server.pid, signal.SIGCONT)
    elif event == "start":
        first.server.start()
    elif event == "upgrade":
        two.replace(two.filers[0])
        time.sleep(5)
        two.replace(two.filers[1])
    elif event == "add":
        two.add()
    elif event == "remove":
        two.remove()
    else:
        first.server.process.send_signal(signal.SIGKILL if event == "kill" else signal.SIGTERM)


class Seen:
    """The answers of one gateway."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = []

    def ask(self, url, number):
        sent = time.monotonic()
        method, name, body = ("GET", "read", b"") if number % 2 else ("PUT", f"w{number}", b"y" * 1000)
        try:
            answer = request(ADMIN, method, f"{url}/faults/{name}", body, timeout=DEADLINE_S)
            told = answer.status, answer.body[:300] if answer.status != 200 else b""
        except (OSError, http.client.HTTPException) as error:
            told = 0, repr(error)
        took = time.monotonic() - sent
        with self.lock:
            self.answers.append((sent, told[0] == 200 and took <= DEADLINE_S, method, f"{took:.1f} s {told}"))

    def counts(self):
        """Requests, and refused ones."""
        return len(self.answers), sum(not answered for _, answered, _, _ in self.answers)

    def longest_s(self, wanted):
        """The longest time from the first of a run of refusals of a method to its next answer, in seconds."""
        longest, since, sent = 0, None, 0
        for sent, answered, method, _ in sorted(self.answers):
            if method != wanted:
                continue
            if not answered:
                since = since or sent
            elif since:
                longest, since = max(longest, sent - since), None
        return max(longest, sent - since) if since else longest

    def show(self, begun):
        for sent, _, method, told in sorted(one for one in self.answers if not one[1]):
            print(f"    {sent - begun - BEFORE_S:6.2f} s: {method} {told}", flush=True)


def watch(two, event, rate, after_s):
    """Sends requests during an event. Returns what each gateway answered."""
    seen = {name: Seen() for name in two.gateways}
    pools = {name: ThreadPoolExecutor(rate * SENDERS_S) for name in two.gateways}
    begun = time.monotonic()
    causing = threading.Timer(BEFORE_S, cause, (two, event, after_s))
    causing.start()
    for number in itertools.count():
        due = begun + number / rate
        if due > begun + BEFORE_S + after_s and not causing.is_alive():
            break
        time.sleep(max(0, due - time.monotonic()))
        for name, gateway in two.gateways.items():
            pools[name].submit(seen[name].ask, gateway.url, number)
    for pool in pools.values():
        pool.shutdown()
    return begun, seen


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default=",".join(EVENTS), help="events, separated by commas")
    arguments.add_argument("--after", type=float, default=60, help="seconds for which an event is watched")
    arguments.add_argument("--rate", type=int, default=20, help="requests per second to each gateway")
    arguments.add_argument("--show", action="store_true", help="print each refusal, with its time after the event")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="kelpgate-faults-") as directory:
        try:
            two = Two(Path(directory))
            print("| event | gateway | requests | refused | share | GETs refused, s | PUTs refused, s |")
            print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
            for event in given.only.split(","):
                two.prepare(event)
                time.sleep(REST_S)
                begun, answers = watch(two, event, given.rate, given.after)
                for name, seen in answers.items():
                    count, refused = seen.counts()
                    share = f"{100 * refused / count:.1f} %"
                    gets, puts = seen.longest_s("GET"), seen.longest_s("PUT")
                    print(f"| {event} | {name} | {count} | {refused} | {share} | {gets:.1f} | {puts:.1f} |", flush=True)
                    if given.show:
                        seen.show(begun)
        finally:
            for server in list(Server.running):
                server.kill()


if __name__ == "__main__":
    main()
