"""Limits of open connections and of uploads at the same time: what is beyond them is refused and counted, and nobody takes all of it."""

import json
import signal
import socket

import requests

import kelpgate
from clients import client, new_key
from processes import free_port, wait_for
from signing import Signer, request, send
from world import document, statement


def open_connection(port, source="127.0.0.1"):
    """A connection that has asked once, or None if it was closed."""
    connection = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
    try:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        if connection.recv(1000).startswith(b"HTTP/1.1 200"):
            return connection
    except ConnectionError:
        pass
    connection.close()
    return None


def test_connections_beyond_a_limit_are_closed(logs):
    directory = logs / "connections"
    directory.mkdir()
    config = directory / "iam.json"

    def write(**limits):
        config.write_text(json.dumps({"kelpgate": {"limits": {"connections": limits}, "trustedProxies": ["127.0.0.9/32"]}}))

    write(perAddress=3, inAll=8)
    metrics = free_port()
    server = kelpgate.SingleMachine(directory, [f"-iam.config={config}", f"-metricsPort={metrics}"], name="connections")

    def counted(limit):
        text = requests.get(f"http://127.0.0.1:{metrics}/metrics", timeout=10).text
        found = [line.split()[1] for line in text.splitlines() if f'kelpgate_refused_connections_total{{limit="{limit}"}}' in line]
        return float(found[0]) if found else 0

    # The server may still count connections that have just been closed.
    place = lambda source="127.0.0.1": wait_for(lambda: open_connection(server.port, source), 20, "a place", server)  # noqa: E731
    held = [place() for _ in range(3)]
    before = counted("address")
    assert open_connection(server.port) is None and counted("address") == before + 1
    # Others have places, and a trusted proxy is many clients.
    held += [place("127.0.0.2"), *(place("127.0.0.9") for _ in range(4))]
    before = counted("all")
    assert open_connection(server.port, "127.0.0.4") is None and counted("all") == before + 1
    held.pop().close()
    place("127.0.0.4").close()
    write(perAddress=2)
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "were read again" in server.log(), 30, "the reload", server)
    assert open_connection(server.port) is None, "what is open counts, and stays open"
    held[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert held[0].recv(1000).startswith(b"HTTP/1.1 200")
    for connection in held:
        connection.close()
    wait_for(lambda: send("GET", server.url + "/healthz").status == 200, 20, "a place", server)
    server.stop()


class SlowUpload:
    """An upload whose body does not end until it is told to."""

    def __init__(self, server, key, name):
        url = f"{server.url}/slow/{name}"
        headers = Signer(key).headers("PUT", url, {"content-length": "10"}, "UNSIGNED-PAYLOAD")
        self.connection = socket.create_connection(("127.0.0.1", server.port), 10)
        head = "".join(f"{header}: {value}\r\n" for header, value in headers.items())
        self.connection.sendall(f"PUT /slow/{name} HTTP/1.1\r\n{head}expect: 100-continue\r\n\r\n".encode())
        # It has its place once its body is asked for.
        assert self.connection.recv(2000).startswith(b"HTTP/1.1 100 ")
        self.connection.sendall(b"12345")

    def end(self):
        self.connection.sendall(b"67890")
        answer = self.connection.recv(2000)
        self.connection.close()
        return answer.split()[1]


def test_who_holds_all_upload_places_leaves_some_to_others(logs):
    directory = logs / "upload-places"
    directory.mkdir()
    server = kelpgate.SingleMachine(directory, ["-concurrentFileUploadLimit=2"], name="upload-places")
    assert request(server.root, "PUT", server.url + "/slow").status == 200
    iam = client("iam", server.url, server.root)
    iam.create_user(UserName="modest")
    modest = new_key(iam, "modest")
    iam.put_user_policy(UserName="modest", PolicyName="p", PolicyDocument=json.dumps(document(statement("Allow", "s3:PutObject", "*"))))
    put = lambda key: request(key, "PUT", server.url + "/slow/k", b"x").status  # noqa: E731
    uploads = [SlowUpload(server, server.root, "a"), SlowUpload(server, server.root, "b")]
    assert put(server.root) == 503, "both places are taken"
    # Who may not upload is told so, and is nobody for whom a place is kept.
    assert send("PUT", server.url + "/slow/k", {}, b"x").status == 403
    assert uploads.pop().end() == b"200" and put(server.root) == 200
    uploads.append(SlowUpload(server, server.root, "c"))
    assert put(modest) == 503, "both places are taken again"
    assert uploads.pop().end() == b"200"
    assert put(server.root) == 503, "half of the places, while somebody waits"
    assert put(modest) == 200
    assert put(server.root) == 200, "nobody waits any more"
    assert uploads.pop().end() == b"200"
    server.stop()
