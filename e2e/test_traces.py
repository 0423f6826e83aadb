"""Traces: spans that a collector gets, the context of the caller, and what clients cannot do with it."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

import kelpgate
from clients import Key
from processes import wait_for
from signing import Signer, request
from world import CANARY

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """A receiver of OTLP by HTTP in JSON."""

    def __init__(self):
        collector = self
        self.spans, self.resources, self.headers, self.status = [], [], [], 200

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                if collector.status == 200:
                    for resource in message["resourceSpans"]:
                        collector.resources.append(values(resource["resource"]["attributes"]))
                        collector.spans += [span for scope in resource["scopeSpans"] for span in scope["spans"]]
                self.send_response(collector.status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"

    def of(self, trace, servers=True):
        kind = 2 if servers else 3
        return [span for span in self.spans if span["traceId"] == trace and span["kind"] == kind]

    def wait(self, trace, count=1):
        wait_for(lambda: len(self.of(trace)) >= count, 30, "the spans")
        return self.of(trace)


def values(attributes):
    return {item["key"]: next(iter(item["value"].values())) for item in attributes}


@pytest.fixture(scope="module")
def collector():
    made = Collector()
    yield made
    made.server.shutdown()


def config(directory, **traces):
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "iam.json"
    path.write_text(json.dumps({"kelpgate": {"traces": traces}}))
    return f"-iam.config={path}"


@pytest.fixture(scope="module")
def server(logs, collector):
    (logs / "traces").mkdir()
    token = logs / "traces" / "token"
    token.write_text("abc\n")
    flag = config(logs / "traces", endpoint=collector.url, sampleRatio=0, tokenFile=str(token), maxPerSecond=5)
    made = kelpgate.SingleMachine(logs / "traces", [flag], name="traces")
    assert request(made.root, "PUT", made.url + "/traced").status == 200
    return made


def parent(trace, flags="01"):
    return {"traceparent": f"00-{trace}-{SPAN}-{flags}"}


def get(server, path, key=None, **headers):
    url = server.url + path
    signed = Signer(key or server.root).headers("GET", url, {}, "UNSIGNED-PAYLOAD")
    return requests.get(url, headers={**signed, **headers}, timeout=30)


def test_a_request_is_a_span_below_that_of_its_caller(server, collector):
    answer = get(server, "/traced/secret-key?versionId=v", **parent(TRACE), **{"User-Agent": "me/1"})
    (span,) = collector.wait(TRACE)
    assert (span["name"], span["parentSpanId"]) == ("S3/GetObject", SPAN)
    assert len(span["spanId"]) == 16 and span["spanId"] != SPAN
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    told = values(span["attributes"])
    assert told["aws.request_id"] == answer.headers["x-amz-request-id"]
    assert (told["http.request.method"], told["http.response.status_code"], told["url.scheme"]) == ("GET", str(answer.status_code), "http")
    assert (told["server.address"], told["server.port"]) == ("127.0.0.1", server.url.rsplit(":", 1)[1])
    assert (told["aws.s3.bucket"], told["client.address"], told["user_agent.original"]) == ("traced", "127.0.0.1", "me/1")
    assert told["error.type"] and answer.status_code >= 400, told
    assert span["status"] == {}, "an error of the client is none of the server"
    assert "secret-key" not in json.dumps(span), "keys are not told unless they are wanted"
    assert collector.resources[0]["service.name"] == "kelpgate"
    assert collector.headers[0]["authorization"] == "Bearer abc"


def test_a_renewed_token_is_used(server, collector, logs):
    renewed = "7" * 32
    (logs / "traces" / "token").write_text("def\n")
    get(server, "/traced", **parent(renewed))
    collector.wait(renewed)
    assert collector.headers[-1]["authorization"] == "Bearer def"


def test_what_is_not_sampled_leaves_nothing(server, collector):
    last, before = "f" * 32, {span["traceId"] for span in collector.spans}
    for headers in [{}, parent("a" * 32, "00"), {"traceparent": "garbage"}, {"traceparent": f"00-{'0' * 32}-{SPAN}-01"}]:
        assert get(server, "/traced", **headers).status_code == 200
    # A refused signature is a span too.
    assert get(server, "/traced", Key(server.root.access, "x" * 40), **parent(last)).status_code == 403
    collector.wait(last)
    assert {span["traceId"] for span in collector.spans} - before == {last}


def test_a_client_that_asks_for_traces_gets_no_more_than_the_bound(server, collector):
    flood, later, begun = "b" * 32, "9" * 32, time.monotonic()
    for _ in range(100):
        get(server, "/traced", **parent(flood))
    seconds = int(time.monotonic() - begun) + 2
    metrics = lambda: requests.get(server.url + "/metrics", timeout=30).text
    # What was sampled before it has arrived with it.
    wait_for(lambda: get(server, "/traced", **parent(later)) and collector.of(later), 30, "a later span")
    assert 1 <= len(collector.of(flood)) <= 5 * seconds
    assert re.search(r"kelpgate_traces_exported_spans_total [1-9]", metrics())
    collector.status = 503
    wait_for(lambda: get(server, "/traced", **parent("c" * 32)) and "kelpgate_traces_dropped_spans_total 0" not in metrics(), 30, "a lost span")
    collector.status = 200
    wait_for(lambda: get(server, "/traced", **parent("d" * 32)) and collector.of("d" * 32), 30, "spans again")
    assert "the collector does not accept traces" in server.log()
    wait_for(lambda: "the collector accepts traces again" in server.log(), 30, "a line in the log")


def test_calls_to_the_filer_are_below_the_request(logs, collector, cluster):
    directory, key = logs / "traces-filer", Key("AKIAE2ETRACES0000001", f"{CANARY}traces".ljust(40, "x"))
    flag = config(directory, endpoint=collector.url, sampleRatio=1, paths=True, serviceName="reef")
    identities = directory / "identities.json"
    identities.write_text(json.dumps({"identities": [
        {"name": "tracer", "credentials": [{"accessKey": key.access, "secretKey": key.secret}], "actions": ["Admin"]}]}))
    gateway = kelpgate.gateway("traces-filer", directory, cluster.filer, [flag, f"-config={identities}"])
    try:
        assert request(key, "PUT", gateway.url + "/traced-filer").status == 200
        assert request(key, "PUT", gateway.url + "/traced-filer/k", b"x" * 100_000).status == 200
        trace = "e" * 32
        assert get(gateway, "/traced-filer/k", key, **parent(trace)).status_code == 200
        (span,) = collector.wait(trace)
        assert values(span["attributes"])["url.path"] == "/traced-filer/k"
        calls = collector.of(trace, servers=False)
        assert {"LookupDirectoryEntry", "VolumeGet"} <= {call["name"] for call in calls}, calls
        assert {call["parentSpanId"] for call in calls} == {span["spanId"]}
        assert all(int(span["startTimeUnixNano"]) <= int(call["startTimeUnixNano"]) for call in calls)
    finally:
        gateway.stop()


def test_wrong_settings_stop_the_start(logs):
    for number, (traces, why) in enumerate([
        ({}, "not the URL of a collector"),
        ({"endpoint": "http://127.0.0.1:1/", "sampleRatio": 2}, "from 0 to 1"),
        ({"endpoint": "http://127.0.0.1:1/", "tokenFile": "/nowhere"}, "/nowhere"),
        ({"endpoint": "http://127.0.0.1:1/", "keys": True}, "keys"),
    ]):
        flag = config(logs / f"traces-wrong-{number}", **traces)
        done = kelpgate.cli("server", f"-dir={logs}/traces-wrong-{number}/data", "-port=0", flag, check=False)
        assert done.returncode != 0 and why in done.stdout + done.stderr, (traces, done)
