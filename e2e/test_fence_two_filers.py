"""Two filers on one store: one of them dies, and comes back."""

import itertools
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from botocore.exceptions import ClientError

import kelpgate
from processes import Server, free_port, wait_for
from signing import request
from test_fence import LEASE_S, Pair, ask, attached_policy_of
from weed import Filer
from world import ROOT

GROUP = "shared"


@pytest.fixture(scope="module")
def start_filer(logs, cluster):
    """Starts a filer by its name. All of them keep everything in one Redis."""
    port = free_port()
    Server(
        "redis",
        ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", logs],
        logs / "redis",
        ready_port=port,
    )

    def start(name):
        (logs / name).mkdir(parents=True)
        (logs / name / "filer.toml").write_text(f'[redis2]\nenabled = true\naddress = "127.0.0.1:{port}"\n')
        return Filer(logs, cluster.master, name, [f"-filerGroup={GROUP}"])

    return start


@pytest.fixture(scope="module")
def filers(start_filer):
    return [start_filer(name) for name in ("shared-1", "shared-2")]


@pytest.fixture(scope="module")
def pair(logs, filers):
    pair = Pair(logs, filers[0].address, "two-filers", filers=",".join(filer.address for filer in filers))
    pair.s3.create_bucket(Bucket="reef")
    pair.s3.put_object(Bucket="reef", Key="a", Body=b"x")
    yield pair
    pair.stop()


def followed(gateway):
    """How many change feeds a gateway follows."""
    lines = requests.get(gateway.url + "/metrics", timeout=5).text.splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("kelpgate_feed_connected ")))


def done(change):
    """Whether a change was answered. One that a filer that is out would have to guard may be refused for a moment."""
    try:
        change()
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        return False
    return True


def test_both_filers_are_followed_whichever_is_named(logs, pair, filers):
    assert [followed(gateway) for gateway in (pair.a, pair.b)] == [2, 2]
    one = kelpgate.gateway("one-filer", logs / "one-filer", filers[0], pair.flags)
    try:
        assert followed(one) == 2
        prepare, grant, revoke = attached_policy_of(pair, "one-filer")
        for change, wanted in [(grant, 200), (revoke, 403)] * 10:
            change()
            assert ask(one.url, prepare()) == wanted
    finally:
        one.stop()


def test_one_of_two_filers_dies_and_comes_back(pair, filers, measured):
    prepare, grant, revoke = attached_policy_of(pair, "survivor")
    grant()
    assert [ask(g.url, prepare()) for g in (pair.a, pair.b)] == [200, 200]

    filers[1].server.kill()
    begun = time.monotonic()
    refused_until = begun
    while time.monotonic() - begun < LEASE_S + 5:
        if any(ask(gateway.url, prepare()) != 200 for gateway in (pair.a, pair.b)):
            refused_until = time.monotonic()
        time.sleep(0.05)
    took = refused_until - begun
    assert took <= LEASE_S + 4, f"a gateway refused for {took:.1f} s"
    measured(f"one of two filers killed: gateways refused until {took:.2f} s after it")

    wait_for(lambda: done(revoke), 60, "the revocation is answered")
    assert ask(pair.b.url, prepare()) == 403

    filers[1].server.start()
    wait_for(lambda: [followed(g) for g in (pair.a, pair.b)] == [2, 2], 30, "both filers are followed again")
    wait_for(lambda: done(grant), 60, "the grant is answered")
    assert ask(pair.b.url, prepare()) == 200


class Load:
    """Reads at a fixed rate through both gateways. A request that takes longer than two seconds counts as refused."""

    DEADLINE_S = 2

    def __init__(self, pair, per_second=30):
        self.urls = [f"{gateway.url}/reef/a" for gateway in (pair.a, pair.b)]
        self.pause = 1 / per_second
        self.answers, self.stopped = [], threading.Event()
        self.pool = ThreadPoolExecutor(max_workers=150)
        self.thread = threading.Thread(target=self.ask_all)

    def __enter__(self):
        self.begun = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        self.pool.shutdown()

    def ask_all(self):
        for url in itertools.cycle(self.urls):
            if self.stopped.wait(self.pause):
                return
            self.pool.submit(self.ask, url, time.monotonic())

    def ask(self, url, at):
        try:
            status = request(ROOT, "GET", url, timeout=self.DEADLINE_S).status
        except OSError:
            status = 0
        self.answers.append((at - self.begun, status))

    def refused(self):
        """How many requests were refused, of how many, and over how many seconds."""
        refused = [at for at, status in self.answers if status != 200]
        return len(refused), len(self.answers), max(refused, default=0) - min(refused, default=0)


def stopped_in_order(filer):
    filer.server.stop()
    filer.server.start()


def frozen(filer):
    os.kill(filer.server.pid, signal.SIGSTOP)
    time.sleep(2 * LEASE_S)
    os.kill(filer.server.pid, signal.SIGCONT)


def killed(filer):
    filer.server.kill()
    time.sleep(LEASE_S)
    filer.server.start()


@pytest.mark.parametrize("outage", [stopped_in_order, frozen, killed])
def test_gateways_go_on_while_one_of_two_filers_is_out(pair, filers, measured, outage):
    for filer in filers if outage is frozen else filers[:1]:
        prepare, grant, revoke = attached_policy_of(pair, f"out-{outage.__name__}-{filers.index(filer)}")
        grant()
        with Load(pair) as load:
            outage(filer)
            wait_for(lambda: [followed(g) for g in (pair.a, pair.b)] == [2, 2], 30, "both filers are followed again")
            time.sleep(LEASE_S)
        refused, asked, seconds = load.refused()
        measured(f"filer {filers.index(filer)} {outage.__name__}: {refused} of {asked} requests refused, over {seconds:.1f} s")
        if outage is frozen:
            assert seconds <= LEASE_S + 3
        else:
            assert refused * 100 <= asked
        wait_for(lambda: done(revoke), 30, "the revocation is answered")
        assert [ask(gateway.url, prepare()) for gateway in (pair.a, pair.b)] == [403, 403]


def test_gateways_go_on_while_a_third_filer_is_added_and_removed(start_filer, pair, measured):
    prepare, grant, revoke = attached_policy_of(pair, "third")
    with Load(pair) as load:
        third = start_filer("shared-3")
        wait_for(lambda: [followed(g) for g in (pair.a, pair.b)] == [3, 3], 30, "the third filer is followed")
        wait_for(lambda: done(grant), 30, "the grant is answered")
        assert [ask(gateway.url, prepare()) for gateway in (pair.a, pair.b)] == [200, 200]
        third.server.stop()
        wait_for(lambda: [followed(g) for g in (pair.a, pair.b)] == [2, 2], 30, "the third filer is forgotten")
        wait_for(lambda: done(revoke), 30, "the revocation is answered")
        assert [ask(gateway.url, prepare()) for gateway in (pair.a, pair.b)] == [403, 403]
    refused, asked, seconds = load.refused()
    measured(f"a third filer added and removed: {refused} of {asked} requests refused, over {seconds:.1f} s")
    assert refused * 100 <= asked


def test_a_change_is_enforced_everywhere_while_a_filer_is_frozen(pair, filers):
    prepare, grant, revoke = attached_policy_of(pair, "while-frozen")
    grant()
    os.kill(filers[1].server.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: [followed(g) for g in (pair.a, pair.b)] == [1, 1], 15, "the frozen filer is given up")
        for change, wanted in [(revoke, 403), (grant, 200), (revoke, 403)]:
            wait_for(lambda: done(change), 30, "the change is answered")  # noqa: B023
            assert [ask(gateway.url, prepare()) for gateway in (pair.a, pair.b)] == [wanted, wanted]
        # Half of these paths belong to the frozen filer.
        written = [request(ROOT, "PUT", f"{pair.a.url}/reef/frozen-{number}", b"x").status for number in range(20)]
        assert written == [200] * 20
    finally:
        os.kill(filers[1].server.pid, signal.SIGCONT)
    wait_for(lambda: [followed(g) for g in (pair.a, pair.b)] == [2, 2], 30, "both filers are followed again")
    assert [ask(gateway.url, prepare()) for gateway in (pair.a, pair.b)] == [403, 403]
