"""A renewed certificate is taken over by itself: at load, on kept and new connections, without a failed request."""

import json
import os
import ssl
import socket
import threading

import requests

import kelpgate
import signing
import world
from processes import Server, free_port, run, wait_for
from weed import Cluster


def certificate(directory, name, days, names="IP:127.0.0.1"):
    key, file = directory / f"{name}.key", directory / f"{name}.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", file,
         "-days", days, "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"])
    return key.read_bytes(), file.read_bytes()


def served(port, name=None):
    """The certificate that a new connection gets which asks for this name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
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


def test_the_name_that_a_client_asks_for_chooses_the_certificate(logs):
    directory = logs / "several-certificates"
    directory.mkdir()
    port = free_port()
    names = {"first": "DNS:s3.example.com", "second": "DNS:*.other.example,DNS:other.example", "third": "DNS:s3.example.com,DNS:Third.example"}
    pems = {name: certificate(directory, name, 10 + place, alternatives)[1] for place, (name, alternatives) in enumerate(names.items())}
    files, keys = (",".join(str(directory / f"{name}.{end}") for name in names) for end in ("pem", "key"))
    server = kelpgate.SingleMachine(directory, [f"-port.https={port}", f"-key.file={keys}", f"-cert.file={files}"], name="several-certificates")
    for asked, name in [
        ("s3.example.com", "first"),
        ("bucket.other.example", "second"),
        ("other.example", "second"),
        ("a.b.other.example", "first"),
        ("third.example", "third"),
        ("unknown.example", "first"),
        (None, "first"),
    ]:
        assert served(port, asked) == pems[name], asked
    new_key, new_file = certificate(directory, "new", 20, names["second"])
    replace(directory / "second.key", new_key)
    replace(directory / "second.pem", new_file)
    wait_for(lambda: served(port, "other.example") == new_file, 60, "the renewal of one of them", server)
    assert served(port, "third.example") == pems["third"]
    server.stop()


def authority(directory, name):
    key, file = directory / f"{name}.key", directory / f"{name}.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", file,
         "-days", "30", "-subj", f"/CN={name}"])
    return key, file


def signed(directory, name, by, days):
    """A key and a certificate of an authority."""
    (ca_key, ca_file), key, request, file = by, directory / f"{name}.key", directory / f"{name}.csr", directory / f"{name}.pem"
    run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}"])
    extensions = directory / "extensions"
    # Version 3, which rustls asks for.
    extensions.write_text("basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n")
    run(["openssl", "x509", "-req", "-in", request, "-CA", ca_file, "-CAkey", ca_key, "-CAcreateserial", "-out", file, "-days", days, "-extfile", extensions])
    return key.read_bytes(), file.read_bytes()


def test_renewed_certificates_for_filers_are_taken_over(logs, monkeypatch):
    directory = logs / "filer-certificates"
    directory.mkdir()
    ca, foreign = authority(directory, "ca"), authority(directory, "foreign")
    signed(directory, "servers", ca, 20)
    pairs = [signed(directory, name, by, days) for name, by, days in [("first", ca, 10), ("second", ca, 20), ("wrong", foreign, 20)]]
    key, file = directory / "gateway.key", directory / "gateway.pem"

    def use(pair):
        replace(key, pair[0])
        replace(file, pair[1])

    use(pairs[0])
    toml = f'[grpc]\nca = "{ca[1]}"\n'
    for name in ("master", "volume", "filer", "client"):
        toml += f'[grpc.{name}]\ncert = "{directory}/servers.pem"\nkey = "{directory}/servers.key"\n'
    (directory / "home" / ".seaweedfs").mkdir(parents=True)
    (directory / "home" / ".seaweedfs" / "security.toml").write_text(toml)
    own = directory / "own"
    own.mkdir()
    (own / "security.toml").write_text(f'[grpc]\nca = "{ca[1]}"\n[grpc.client]\ncert = "{file}"\nkey = "{key}"\n')
    identities = directory / "identities.json"
    identities.write_text(json.dumps(world.IDENTITIES))
    monkeypatch.setenv("HOME", str(directory / "home"))
    cluster = Cluster(directory / "cluster")
    gateway = kelpgate.gateway("filer-certificates", directory / "gateway", cluster.filer, [f"-config={identities}", f"-config_dir={own}"])
    expiry = lambda: float(requests.get(gateway.url + "/metrics").text.split('kelpgate_certificate_expiry_seconds{certificate="filers"} ')[1].split()[0])
    before = expiry()
    assert signing.request(world.ROOT, "PUT", f"{gateway.url}/renewed").status == 200

    ends, failed, answered = threading.Event(), [], []

    def write(number):
        while not ends.is_set():
            answer = signing.request(world.ROOT, "PUT", f"{gateway.url}/renewed/{number}", b"x" * 1000)
            (answered if answer.status == 200 else failed).append(answer)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    # A key that does not fit changes nothing, and is told once.
    replace(key, pairs[1][0])
    wait_for(lambda: "changed TLS files of security.toml cannot be used" in gateway.log(), 60, "the error", gateway)
    use(pairs[1])
    wait_for(lambda: expiry() > before + 9 * 86400, 60, "the renewal", gateway)
    seen = len(answered)
    wait_for(lambda: len(answered) > seen + 20, 60, "requests after the renewal", gateway)
    ends.set()
    for thread in threads:
        thread.join()
    assert not failed, failed[:3]
    assert gateway.log().count("changed TLS files of security.toml cannot be used") == 1, gateway.log()
    # That it is used shows with one that filers do not accept.
    get = lambda: signing.request(world.ROOT, "GET", f"{gateway.url}/renewed/0").status  # noqa: E731
    assert get() == 200
    use(pairs[2])
    wait_for(lambda: get() >= 500, 60, "the foreign certificate", gateway)
    use(pairs[1])
    wait_for(lambda: get() == 200, 60, "the good one", gateway)
    for server in [server for server in Server.running if directory in server.directory.parents]:
        server.kill()
