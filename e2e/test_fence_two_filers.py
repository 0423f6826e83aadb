"""Two filers on one store: one of them dies, and comes back."""

import time

import pytest
import requests
from botocore.exceptions import ClientError

import kelpgate
from processes import Server, free_port, wait_for
from test_fence import LEASE_S, Pair, ask, attached_policy_of
from weed import Filer

GROUP = "shared"


@pytest.fixture(scope="module")
def filers(logs, cluster):
    """Two filers that keep everything in one Redis."""
    port = free_port()
    Server(
        "redis",
        ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", logs],
        logs / "redis",
        ready_port=port,
    )
    started = []
    for name in ("shared-1", "shared-2"):
        (logs / name).mkdir(parents=True)
        (logs / name / "filer.toml").write_text(f'[redis2]\nenabled = true\naddress = "127.0.0.1:{port}"\n')
        started.append(Filer(logs, cluster.master, name, [f"-filerGroup={GROUP}"]))
    return started


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
    while time.monotonic() - begun < LEASE_S + 3:
        if any(ask(gateway.url, prepare()) != 200 for gateway in (pair.a, pair.b)):
            refused_until = time.monotonic()
        time.sleep(0.05)
    took = refused_until - begun
    assert took <= LEASE_S + 2, f"a gateway refused for {took:.1f} s"
    measured(f"one of two filers killed: gateways refused until {took:.2f} s after it")

    # The dead filer owns half of the ring until its peer drops it: a change that it would have to guard waits for that.
    def changed(change):
        try:
            change()
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
            return False
        return True

    wait_for(lambda: changed(revoke), 60, "the revocation is answered")
    assert ask(pair.b.url, prepare()) == 403

    filers[1].server.start()
    wait_for(lambda: [followed(g) for g in (pair.a, pair.b)] == [2, 2], 30, "both filers are followed again")
    wait_for(lambda: changed(grant), 60, "the grant is answered")
    assert ask(pair.b.url, prepare()) == 200
