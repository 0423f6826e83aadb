"""What an operator looks at first: /status, /healthz, /readyz, /metrics, the log, the shutdown."""

import json
import os
import re
import signal
import time

import requests

import kelpgate
import world
from clients import Key, assume, client, make_bucket, refused, s3
from processes import free_port, wait_for
from signing import Signer, request, send


def test_status(gateway_a, gateway_b, cluster):
    for gateway in (gateway_a, gateway_b):
        answer = send("GET", gateway.url + "/status")
        assert answer.status == 200 and answer.headers["content-type"].startswith("application/json")
        status = json.loads(answer.body)
        assert re.match(r"\d+\.\d+\.\d+", status["version"])
        assert isinstance(status["uptimeSeconds"], (int, float)) and status["uptimeSeconds"] >= 0
        iam = status["iam"]
        assert iam["revision"]
        for name in ("users", "keys", "groups", "roles", "policies", "buckets"):
            assert isinstance(iam[name], int), name
        assert iam["users"] >= len(world.IDENTITIES["identities"]) - 1 and iam["roles"] >= 3 and iam["policies"] >= 2
        assert status["stores"] == {"policy": "filer", "role": "filer"}


def test_status_tells_strangers_nothing_about_people(gateway_a):
    text = send("GET", gateway_a.url + "/status").body.decode()
    for word in ("alice", "S3AdminRole", world.ALICE.access, world.CANARY):
        assert word not in text


def test_addresses_in_status_are_for_administrators(logs, cluster, config_flags, gateway_a, gateway_b, embedded):
    """Strangers learn only how many filers and gateways there are. A signature without permissions is refused."""
    metrics_port = free_port()
    apart = kelpgate.gateway("apart", logs / "apart", cluster.filer, [*config_flags, f"-metricsPort={metrics_port}"])
    for url in (gateway_a.url, apart.url, f"http://127.0.0.1:{metrics_port}"):
        text = send("GET", url + "/status").body.decode()
        assert "127.0.0.1" not in text and "localhost" not in text and str(cluster.filer.port) not in text, text
        status = json.loads(text)
        assert status["filers"] == 1 and isinstance(status["weedGateways"], int)
        assert status["gateways"] and all("address" not in gateway for gateway in status["gateways"])
    assert str(embedded.data) not in send("GET", embedded.url + "/status").body.decode()
    for server, root in ((gateway_a, world.ROOT), (embedded, embedded.root)):
        full = json.loads(request(root, "GET", server.url + "/status").body)
        assert isinstance(full["filers"], list) and isinstance(full["weedGateways"], list)
    full = json.loads(request(world.ROOT, "GET", gateway_a.url + "/status").body)
    assert full["filers"] == [cluster.filer.address] and all(gateway["address"] for gateway in full["gateways"])
    forged = Key(world.ROOT.access, "x" * 40)
    for page in ("/status", "/status?x=1"):
        assert request(forged, "GET", gateway_a.url + page).code == "SignatureDoesNotMatch"
        assert request(world.BOB, "GET", gateway_a.url + page).status == 403
        assert send("GET", Signer(world.BOB).presign("GET", gateway_a.url + page)).status == 403
    # With its own port, /metrics is no longer on the main one. What load balancers need stays there.
    assert send("GET", f"http://127.0.0.1:{metrics_port}/metrics").status == 200
    assert b"kelpgate_requests" in send("GET", f"http://127.0.0.1:{metrics_port}/metrics").body
    left = send("GET", apart.url + "/metrics")
    assert left.status in (403, 404) and b"kelpgate_requests" not in left.body
    for page in ("/healthz", "/readyz", "/status"):
        assert send("GET", apart.url + page).status == 200
    apart.stop()


def test_both_gateways_are_at_the_same_revision(gateway_a, gateway_b, root_a):
    """Once a change has arrived. Operators compare revisions."""
    make_bucket(root_a, "revision")
    revision = lambda g: json.loads(send("GET", g.url + "/status").body)["iam"]["revision"]
    wait_for(lambda: revision(gateway_a) == revision(gateway_b), 5, "the same revision")


def test_health_and_readiness(gateway_a, embedded):
    for server in (gateway_a, embedded):
        for path in ("/healthz", "/readyz", "/healthz?probe", "/status?x=1"):
            for method in ("GET", "HEAD"):
                assert send(method, server.url + path).status == 200


def test_status_of_the_single_machine(embedded):
    status = json.loads(send("GET", embedded.url + "/status").body)
    assert status["version"] and "revision" in status["iam"] and status["iam"]["users"] >= 1


def metrics(server):
    answer = requests.get(server.url + "/metrics", timeout=5)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith(("text/plain", "application/openmetrics-text"))
    return answer.text


def value_of(text, name, *labels):
    """The sum of all samples of a metric whose labels contain the given texts."""
    rows = [line for line in text.splitlines() if re.match(rf"{name}(_total)?(\{{|\s)", line)]
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if all(label in row for label in labels))


def test_metrics(gateway_a, root_a):
    name = make_bucket(root_a, "metrics")
    before = metrics(gateway_a)
    for _ in range(3):
        root_a.list_objects_v2(Bucket=name)
    assert request(world.BOB, "GET", f"{gateway_a.url}/{name}/k").status == 403
    after = metrics(gateway_a)
    assert value_of(after, "kelpgate_requests") - value_of(before, "kelpgate_requests") >= 4
    allowed = value_of(after, "kelpgate_decisions", 'outcome="allow') - value_of(before, "kelpgate_decisions", 'outcome="allow')
    denied = value_of(after, "kelpgate_decisions") - value_of(before, "kelpgate_decisions") - allowed
    assert allowed >= 3 and denied >= 1, after
    assert "policy_type=" in after
    # By service and access level: three listings by root, and one read by bob that nothing allows.
    more = lambda *labels: value_of(after, "kelpgate_decisions", *labels) - value_of(before, "kelpgate_decisions", *labels)
    assert more('action_group="s3:List"', 'outcome="allow"', 'policy_type="root"') >= 3, after
    assert more('action_group="s3:Read"', 'outcome="implicit_deny"', 'policy_type="identity"') >= 1, after
    timed = value_of(after, "kelpgate_decision_duration_seconds_count") - value_of(before, "kelpgate_decision_duration_seconds_count")
    assert timed == more(), "every decision is timed once"
    with refused("AccessDenied", 403):
        client("iam", gateway_a.url, world.BOB).list_users()
    with refused("AccessDenied", 403):
        assume(gateway_a.url, world.READER, "S3AdminRole")
    query = metrics(gateway_a)
    for group in ("iam:List", "sts:Write"):
        label = f'action_group="{group}"'
        assert value_of(query, "kelpgate_decisions", label) > value_of(after, "kelpgate_decisions", label), group
    assert re.search(r"^kelpgate_feed_lag_seconds", after, re.M), after
    assert re.search(r"^kelpgate_\w*filer\w*", after, re.M), after
    assert re.search(r"^kelpgate_\w*(duration|latency)\w*(_bucket|_seconds)", after, re.M), after
    assert name not in after and "alice" not in after, "no label per bucket or user"


def test_names_of_status_pages_are_no_traps(gateway_a):
    """A bucket with such a name either cannot be created, or can be listed like any other. The page stays as it is."""
    for name in ("status", "healthz", "readyz", "metrics"):
        if request(world.ROOT, "PUT", f"{gateway_a.url}/{name}").status == 200:
            assert b"<ListBucketResult" in request(world.ROOT, "GET", f"{gateway_a.url}/{name}?list-type=2").body, name
            request(world.ROOT, "DELETE", f"{gateway_a.url}/{name}")
        assert send("GET", f"{gateway_a.url}/{name}").status == 200


def test_every_answer_has_a_request_id(gateway_a):
    ids = {send("GET", gateway_a.url + path).headers["x-amz-request-id"] for path in ("/", "/no-such", "/no-such/key")}
    assert len(ids) == 3
    answer = send("GET", gateway_a.url + "/no-such/key")
    assert answer.headers["x-amz-request-id"] in answer.body.decode()


def test_a_graceful_end(logs, cluster, config_flags, root_a):
    """After SIGTERM, the gateway finishes running answers, accepts no new requests, and exits with 0."""
    name = make_bucket(root_a, "graceful")
    data = os.urandom(1 << 20) * 24
    root_a.put_object(Bucket=name, Key="k", Body=data)
    gateway = kelpgate.gateway("graceful", logs / "graceful", cluster.filer, config_flags)
    url = s3(gateway.url, world.ROOT).generate_presigned_url("get_object", {"Bucket": name, "Key": "k"})
    with requests.get(url, stream=True, timeout=20) as answer:
        first = next(answer.iter_content(1000))
        os.kill(gateway.pid, signal.SIGTERM)
        time.sleep(0.3)
        try:
            late = send("GET", gateway.url + "/healthz").status
        except OSError:
            late = None
        rest = b"".join(answer.iter_content(1 << 20))
    assert first + rest == data and late in (None, 503)
    assert gateway.process.wait(15) == 0
