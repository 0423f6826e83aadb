"""A cluster that is missing a part or is busy: uploads are answered in time, and many large ones are stored."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import kelpgate
import world
from clients import body_of, make_bucket, s3
from processes import Server, wait_for
from signing import request
from weed import Cluster

# What an upload may take if there is no place for it, on a busy machine.
BOUND_S = 8


@pytest.fixture(scope="module")
def alone(tmp_path_factory, config_flags):
    """A cluster whose master this module may stop, and a gateway on it."""
    directory = tmp_path_factory.mktemp("busy")
    cluster = Cluster(directory)
    gateway = kelpgate.gateway("busy", directory / "gateway", cluster.filer, [config_flags[0]])
    yield cluster, gateway
    for server in [server for server in Server.running if directory in server.directory.parents]:
        server.kill()


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


def test_many_large_uploads_at_once_are_stored_in_bounded_memory(alone):
    _, gateway = alone
    root = s3(gateway.url, world.ROOT)
    bucket = make_bucket(root, "busy")
    body = os.urandom(16 << 20)
    with ThreadPoolExecutor(32) as pool:
        put = lambda number: s3(gateway.url, world.ROOT).put_object(Bucket=bucket, Key=str(number), Body=body)  # noqa: E731
        list(pool.map(put, range(32)))
    assert all(body_of(root, bucket, str(number)) == body for number in (0, 31))
    # Without a limit 32 uploads hold 20 MiB each.
    assert resident_mib(gateway.pid) < 400


def test_without_a_master_an_upload_is_refused_in_time_and_nothing_else_is(alone):
    cluster, gateway = alone
    root = s3(gateway.url, world.ROOT)
    bucket = make_bucket(root, "master")
    root.put_object(Bucket=bucket, Key="before", Body=b"x" * 100_000)
    master = next(server for server in Server.running if f"-port={cluster.master_port}" in server.command)
    os.kill(master.pid, signal.SIGSTOP)
    # Places that were assigned before are used for 5 s.
    time.sleep(5)
    begun = time.perf_counter()
    answer = request(world.ROOT, "PUT", f"{gateway.url}/{bucket}/k", b"y" * 100_000)
    seconds = time.perf_counter() - begun
    assert answer.status == 503 and seconds < BOUND_S, f"{seconds:.1f} s {answer}"
    assert body_of(root, bucket, "before") == b"x" * 100_000
    os.kill(master.pid, signal.SIGCONT)
    put = lambda: request(world.ROOT, "PUT", f"{gateway.url}/{bucket}/k", b"y" * 100_000).status == 200  # noqa: E731
    wait_for(put, 60, "uploads go on", gateway)
