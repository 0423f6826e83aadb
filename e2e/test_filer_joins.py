"""Conditional writes while filers join and leave: of two at the same time, only one wins.

Each filer has its own locks, and learns of the others at its own time. `KELPGATE_JOINS` is how many filers join (default 1).
"""

import itertools
import json
import os
import signal
import threading
import time
from collections import Counter

import pytest
import requests

import kelpgate
import world
from processes import Server, free_port, wait_for
from signing import request
from test_fence import LEASE_S, Pair
from weed import Filer
from world import ROOT

JOINS = int(os.environ.get("KELPGATE_JOINS", "1"))
GROUP = "joining"
# How long a call may be held: a lease and five per cent, two beats, and half a second.
HELD_S = LEASE_S * 1.05 + 1.5


@pytest.fixture(scope="module")
def store(logs):
    """A Redis in which all filers keep everything."""
    port = free_port()
    Server(
        "joining-redis",
        ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", logs],
        logs / "joining-redis",
        ready_port=port,
    )
    return port


@pytest.fixture(scope="module")
def filers(logs, cluster, store):
    """One filer, and a function that adds another at an address that the gateways already have."""
    ports = [free_port(), free_port()]
    serial = itertools.count(1)

    def add(port):
        name = f"joining-{next(serial)}"
        (logs / name).mkdir(parents=True)
        (logs / name / "filer.toml").write_text(f'[redis2]\nenabled = true\naddress = "127.0.0.1:{store}"\n')
        return Filer(logs, cluster.master, name, [f"-filerGroup={GROUP}"], port=port)

    first = add(ports[0])
    return first, lambda: add(ports[1]), [f"127.0.0.1:{port}" for port in ports]


@pytest.fixture(scope="module")
def pair(logs, filers):
    """Two gateways that list the filers in different orders, so that each uses a different one."""
    first, _, addresses = filers
    pair = Pair(logs, first.address, "joining", filers=",".join(addresses))
    pair.b.stop()
    pair.b = kelpgate.gateway("joining-c", logs / "joining-c", ",".join(reversed(addresses)), pair.flags)
    pair.s3.create_bucket(Bucket="bay")
    yield pair
    pair.stop()


class Race:
    """Repeats pairs of conditional writes of the same name, one at each gateway, with plain reads and writes in parallel."""

    kinds = {
        "CreateUser": lambda url, name: request(
            ROOT, "POST", url + "/", service="iam", body=f"Action=CreateUser&Version=2010-05-08&UserName={name}".encode(),
            headers={"content-type": "application/x-www-form-urlencoded"}, timeout=30,
        ),
        "If-None-Match": lambda url, name: request(
            ROOT, "PUT", f"{url}/bay/{name}", body=url.encode(), headers={"if-none-match": "*"}, timeout=30
        ),
    }  # fmt: skip

    def __init__(self, gateways, label, beside=None):
        self.gateways, self.label = gateways, label
        self.rounds, self.plain, self.stopped = [], [], False
        self.threads = [threading.Thread(target=self.race, args=(kind,)) for kind in self.kinds]
        self.threads += [threading.Thread(target=self.go_on, args=(gateway,)) for gateway in beside or gateways]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        for thread in self.threads:
            thread.join()

    def race(self, kind):
        for serial in itertools.count():
            if self.stopped:
                return
            name = f"{self.label}-{kind}-{serial}".lower()
            together = threading.Barrier(len(self.gateways))
            answers = []

            def call(gateway):
                together.wait()
                begun = time.monotonic()
                try:
                    answer = self.kinds[kind](gateway.url, name)
                except OSError:  # it has not started yet
                    return time.sleep(0.02)
                answers.append((answer.status, time.monotonic() - begun, answer.headers))

            calls = [threading.Thread(target=call, args=(gateway,)) for gateway in self.gateways]
            for each in calls:
                each.start()
            for each in calls:
                each.join()
            self.rounds.append((kind, name, answers))

    def go_on(self, gateway):
        url = f"{gateway.url}/bay/plain-{self.label}-{gateway.port}"
        while not self.stopped:
            begun = time.monotonic()
            statuses = [request(ROOT, "PUT", url, body=b"x").status, request(ROOT, "GET", url).status]
            self.plain.append((statuses, time.monotonic() - begun))
            time.sleep(0.02)

    def winners(self):
        """The number of rounds, and of those with two winners."""
        counts = Counter(kind for kind, _, _ in self.rounds)
        two = [(kind, name) for kind, name, answers in self.rounds if [status for status, _, _ in answers].count(200) > 1]
        return counts, two

    def check(self):
        counts, two = self.winners()
        assert not two, f"two winners in {len(two)} of {dict(counts)}: {two}"
        for kind, name, answers in self.rounds:
            refused = [headers for status, _, headers in answers if status == 503]
            assert all("retry-after" in headers for headers in refused), (kind, name, answers)
            assert refused or 200 in [status for status, _, _ in answers], (kind, name, answers)
        return self

    def told(self):
        counts, two = self.winners()
        held = {kind: max(max(took for _, took, _ in answers) for k, _, answers in self.rounds if k == kind) for kind in counts}
        refused = sum(status == 503 for _, _, answers in self.rounds for status, _, _ in answers)
        slowest = max(took for _, took in self.plain)
        failed = sum(statuses != [200, 200] for statuses, _ in self.plain)
        longest = ", ".join(f"{kind} {took:.2f} s" for kind, took in held.items())
        return (
            f"{sum(counts.values())} races, {len(two)} with two winners; held at most: {longest}; {refused} answers 503; "
            f"plain PUT and GET beside them: {len(self.plain)}, slowest {slowest:.2f} s, {failed} failed"
        )


class Starting:
    """A gateway that waits for its filer, and serves as soon as the filer answers."""

    def __init__(self, logs, filer, flags):
        iam = logs / "starting-iam.json"
        iam.write_text(json.dumps(world.iam_config(filer)))
        flags = [flag for flag in flags if not flag.startswith("-iam.config")] + [f"-iam.config={iam}"]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        name = f"starting-{self.port}"
        start = lambda: setattr(self, "server", kelpgate.gateway(name, logs / name, filer, flags, port=self.port))
        self.thread = threading.Thread(target=start)
        self.thread.start()

    def stop(self):
        self.thread.join()
        self.server.stop()


def test_a_filer_and_a_gateway_join(logs, pair, filers, measured):
    """The new gateway asks the new filer, which does not know the other filer yet."""
    _, add, addresses = filers
    for time_around in range(JOINS):
        new = Starting(logs, addresses[1], pair.flags)
        with Race((pair.a, new), f"both{time_around}", beside=(pair.a,)) as race:
            time.sleep(0.5)
            second = add()
            new.thread.join()
            time.sleep(4)
        measured(f"a filer and a gateway join: {race.told()}")
        new.stop()
        second.server.kill()
        race.check()
        wait_for(lambda: followed(pair.a) == 1, 30, "the second filer is forgotten", pair.a)


def test_a_filer_joins_and_leaves(pair, filers, measured):
    _, add, _ = filers
    gateways = (pair.a, pair.b)
    for time_around in range(JOINS):
        with Race(gateways, f"join{time_around}") as joining:
            time.sleep(0.5)
            second = add()
            time.sleep(2.5)
        measured(f"a filer joins: {joining.told()}")
        joining.check()
        with Race(gateways, f"leave{time_around}") as leaving:
            time.sleep(0.5)
            second.server.kill()
            time.sleep(LEASE_S + 1)
        measured(f"a filer leaves: {leaving.told()}")
        leaving.check()
        for race in (joining, leaving):
            assert max(took for _, _, answers in race.rounds for _, took, _ in answers) < HELD_S + 4
        # A filer that returns at its old address fails plain writes that its peer forwards over an old connection.
        puts = [statuses[0] for statuses, _ in joining.plain]
        assert puts.count(200) > 0.9 * len(puts), f"plain writes continue: {Counter(puts)}"
        assert all(statuses[1] == 200 for statuses, _ in joining.plain), "plain reads continue"


def test_a_gateway_is_frozen_while_a_filer_joins(pair, filers, measured):
    """It still uses the old list and may resume at any moment, so the other one waits until its lease has run out."""
    _, add, _ = filers
    os.kill(pair.b.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        second = add()
        wait_for(lambda: followed(pair.a) == 2, 10, "the new filer is followed", pair.a)
        with Race((pair.a,), "frozen") as frozen:
            time.sleep(max(0, begun + LEASE_S + 1 - time.monotonic()))
        frozen.check()
        measured(f"a filer joins while another gateway is frozen: {frozen.told()}")
    finally:
        with Race((pair.a, pair.b), "thawed") as thawed:
            os.kill(pair.b.pid, signal.SIGCONT)
            time.sleep(1.5)
    thawed.check()
    second.server.kill()


def followed(gateway):
    lines = requests.get(gateway.url + "/metrics", timeout=5).text.splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("kelpgate_feed_connected ")))


def test_a_single_filer_holds_nothing_at_the_start(logs, cluster, measured):
    """Not even after a gateway that was killed: it used the same filer."""
    pair = Pair(logs, cluster.filer.address, "alone")
    try:
        assert request(ROOT, "PUT", pair.a.url + "/alone", timeout=30).status == 200
        pair.b.kill()
        pair.a.kill()
        pair.a.start()
        wait_for(lambda: requests.get(pair.a.url + "/readyz", timeout=2).ok, 30, "ready", pair.a)
        begun = time.monotonic()
        put = request(ROOT, "PUT", pair.a.url + "/alone/k", body=b"x", headers={"if-none-match": "*"}, timeout=30)
        took = time.monotonic() - begun
        assert put.status == 200 and took < HELD_S / 2
        measured(f"a start after a gateway that was killed, one filer: the first conditional PUT takes {took:.2f} s")
    finally:
        pair.stop()
