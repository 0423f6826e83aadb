"""A filer that hangs: refusals stay fast, requests that need the filer get 503 in time, and everything works again afterwards."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import kelpgate
import world
from clients import body_of, make_bucket, s3
from processes import wait_for
from signing import request, send
from weed import Filer

# How long a client may have to wait for a 503 while the filer does not answer at all.
BOUND_S = 30


@pytest.fixture
def hanging(logs, cluster, config_flags):
    """A gateway on its own filer, with a bucket and objects. The filer is then stopped."""
    filer = Filer(logs, cluster.master, f"hanging-filer-{time.monotonic_ns()}", ["-filerGroup=hanging"])
    gateway = kelpgate.gateway("hanging", logs / "hanging", filer, [config_flags[0]])
    root = s3(gateway.url, world.ROOT)
    bucket = make_bucket(root, "hang")
    root.put_object(Bucket=bucket, Key="k", Body=b"x")
    os.kill(filer.server.pid, signal.SIGSTOP)
    yield gateway, bucket, root, filer
    gateway.stop()
    filer.server.kill()


def timed(call):
    begun = time.perf_counter()
    answer = call()
    return answer, time.perf_counter() - begun


def test_a_hanging_filer(hanging, measured):
    gateway, bucket, root, filer = hanging
    target = f"{gateway.url}/{bucket}/k"
    # While a gateway's lease runs, a refusal needs no filer.
    for what, call in {
        "no permission": lambda: request(world.BOB, "GET", target),
        "anonymous": lambda: send("GET", target),
        "unknown key": lambda: request(world.STRANGER, "GET", target),
        "wrong signature": lambda: request(world.ROOT._replace(secret="x" * 40), "GET", target),
        "no permission to write": lambda: request(world.BOB, "PUT", target, b"x" * 100_000),
    }.items():
        answer, seconds = timed(call)
        assert answer.status == 403 and seconds < 3, f"{what}: {seconds:.3f} s {answer}"
    needing = {
        "GET": ("GET", target, b""),
        "PUT": ("PUT", target, b"y"),
        "LIST": ("GET", f"{gateway.url}/{bucket}", b""),
    }
    with ThreadPoolExecutor() as pool:
        waiting = {
            what: pool.submit(timed, lambda m=method, u=url, b=body: request(world.ROOT, m, u, b, timeout=BOUND_S))
            for what, (method, url, body) in needing.items()
        }
    for what, future in waiting.items():
        answer, seconds = future.result()
        measured(f"{what} while the filer hangs: {answer.status} after {seconds:.1f} s")
        assert answer.status == 503 and answer.code in ("ServiceUnavailable", "SlowDown"), (what, answer)
    assert send("GET", gateway.url + "/healthz").status == 200, "the process itself is alive"
    filer.server.process.send_signal(signal.SIGCONT)
    wait_for(lambda: request(world.ROOT, "GET", target).status == 200, 30, "service after the filer resumes")
    root.put_object(Bucket=bucket, Key="after", Body=b"z")
    assert body_of(root, bucket, "after") == b"z"


def test_a_filer_that_restarts(logs, cluster, config_flags):
    """The filer is killed and started again. The gateway is not restarted, and no data is lost and no permission gained."""
    filer = Filer(logs, cluster.master, "restarting-filer", ["-filerGroup=restarting"])
    gateway = kelpgate.gateway("on-restarting", logs / "on-restarting", filer, [config_flags[0]])
    root = s3(gateway.url, world.ROOT)
    bucket = make_bucket(root, "restart")
    root.put_object(Bucket=bucket, Key="k", Body=b"x")
    filer.server.kill()
    answer = request(world.ROOT, "GET", f"{gateway.url}/{bucket}/k", timeout=BOUND_S)
    assert answer.status == 503, answer
    assert request(world.BOB, "GET", f"{gateway.url}/{bucket}/k").status in (403, 503)
    filer.server.start()
    wait_for(
        lambda: request(world.ROOT, "GET", f"{gateway.url}/{bucket}/k").status == 200,
        60,
        "service after the restart",
        gateway,
    )
    # The feed works again as well: the gateway sees a user created by hand.
    key = world.Key("AKIAAFTERRESTART0001", "after-restart".ljust(40, "x"))
    filer.write_json(
        "/etc/iam/identities/after.json",
        {
            "name": "after",
            "credentials": [{"access_key": key.access, "secret_key": key.secret, "status": "Active"}],
            "actions": ["Read"],
        },
    )
    wait_for(lambda: request(key, "GET", f"{gateway.url}/{bucket}/k").status == 200, 15, "a change after the restart")
    gateway.stop()
    filer.server.kill()
