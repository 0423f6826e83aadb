"""Limits of open connections: what is beyond them is closed and counted, and a reload changes them for new connections."""

import json
import signal
import socket

import requests

import kelpgate
from processes import wait_for
from signing import send


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
    metrics = kelpgate.free_port()
    server = kelpgate.SingleMachine(directory, [f"-iam.config={config}", f"-metricsPort={metrics}"], name="connections")

    def counted(limit):
        text = requests.get(f"http://127.0.0.1:{metrics}/metrics", timeout=10).text
        found = [line.split()[1] for line in text.splitlines() if f'kelpgate_refused_connections_total{{limit="{limit}"}}' in line]
        return float(found[0]) if found else 0

    # Connections of the start are closed by now.
    wait_for(lambda: open_connection(server.port, "127.0.0.3"), 20, "places", server)
    held = [open_connection(server.port) for _ in range(3)]
    assert all(held) and open_connection(server.port) is None and counted("address") == 1
    # Others have places, and a trusted proxy is many clients.
    held += [open_connection(server.port, "127.0.0.2"), *(open_connection(server.port, "127.0.0.9") for _ in range(4))]
    assert all(held)
    assert open_connection(server.port, "127.0.0.4") is None and counted("all") == 1
    held.pop().close()
    wait_for(lambda: open_connection(server.port, "127.0.0.4"), 20, "a place that was given back", server)
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
