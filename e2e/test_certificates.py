"""A renewed certificate is taken over by itself: at load, on kept and new connections, without a failed request."""

import os
import ssl
import socket
import threading

import requests

import kelpgate
from processes import free_port, run, wait_for


def certificate(directory, name, days):
    key, file = directory / f"{name}.key", directory / f"{name}.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", file,
         "-days", days, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"])
    return key.read_bytes(), file.read_bytes()


def served(port):
    """The certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True)).encode()


def replace(path, content):
    """In one step, as tools that renew certificates do."""
    new = path.with_suffix(".next")
    new.write_bytes(content)
    os.rename(new, path)


def test_a_renewed_certificate_is_taken_over(logs):
    directory = logs / "certificates"
    directory.mkdir()
    port = free_port()
    pairs = [certificate(directory, name, days) for name, days in (("first", 10), ("second", 20))]
    key, file = directory / "tls.key", directory / "tls.pem"
    key.write_bytes(pairs[0][0]), file.write_bytes(pairs[0][1])
    server = kelpgate.SingleMachine(directory, [f"-port.https={port}", f"-key.file={key}", f"-cert.file={file}"], name="certificates")
    expiry = lambda: float(requests.get(server.url + "/metrics").text.split('kelpgate_certificate_expiry_seconds{certificate="listener"} ')[1].split()[0])
    before = expiry()

    ends, failed, answered = threading.Event(), [], [0, 0]

    def ask(kept):
        session = requests.Session()
        while not ends.is_set():
            try:
                get = session.get if kept else requests.get
                assert get(f"https://127.0.0.1:{port}/healthz", verify=False, timeout=20).ok
                answered[kept] += 1
            except Exception as error:  # noqa: BLE001: every failure counts
                failed.append(repr(error))

    threads = [threading.Thread(target=ask, args=(kept,)) for kept in (True, False, True, False)]
    for thread in threads:
        thread.start()
    # What is half written, or does not fit, changes nothing, and is told once.
    replace(file, pairs[1][1])
    wait_for(lambda: "changed TLS files cannot be used" in server.log(), 60, "the error", server)
    assert served(port) == pairs[0][1]
    replace(key, pairs[1][0])
    wait_for(lambda: served(port) == pairs[1][1], 60, "the new certificate", server)
    seen = list(answered)
    wait_for(lambda: all(now > then for now, then in zip(answered, seen)), 60, "requests after the renewal", server)
    ends.set()
    for thread in threads:
        thread.join()
    assert not failed, failed[:5]
    assert server.log().count("changed TLS files cannot be used") == 1, server.log()
    wait_for(lambda: expiry() > before + 9 * 86400, 20, "the metric", server)
    server.stop()
