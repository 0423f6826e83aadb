"""Runs what is in deploy/, as far as a machine without a container engine can.

There is no docker here. The test parses the compose file, runs the preparatory commands in its header as they are, and starts the
command of every service as a process, with service names replaced by the loopback and default ports by free ones. It does not test
networks or volumes; test_image.py tests the image. `systemd-analyze verify`, if available, checks the systemd units, and their ExecStart
lines are run with paths of the test. Sandboxing is not tested.
"""

import http.client
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import yaml  # a dependency of the aws cli

import kelpgate
from clients import Key, body_of, s3
from conftest import nginx_frame
from processes import Server, free_port, run, wait_for
from signing import send

DEPLOY = kelpgate.ROOT / "deploy"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def prepared(logs):
    """A copy of deploy/ and examples/, with the commands of the compose file's header run in it, all but docker's."""
    base = logs / "compose"
    for name in ("deploy", "examples"):
        shutil.copytree(kelpgate.ROOT / name, base / name)
    header = [line.removeprefix("#   ") for line in (DEPLOY / "compose.yaml").read_text().splitlines() if line.startswith("#   ")]
    assert header[-1] == "docker compose up -d --build"
    run(["bash", "-euc", "\n".join(header[:-1])], cwd=base / "deploy")
    environment = dict(line.split("=", 1) for line in (base / "deploy/.env").read_text().splitlines())
    return base / "deploy", environment


def test_what_the_compose_file_names_is_there(compose):
    for name, service in compose["services"].items():
        for other in service.get("depends_on", []):
            assert other in compose["services"], f"{name} depends on {other}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source == "./config" or (DEPLOY / source).is_file(), f"{name}: {volume}"
    dockerfile = compose["x-gateway"]["build"]["dockerfile"]
    text = (kelpgate.ROOT / dockerfile).read_text()
    toolchain = re.search(r'rust-version = "([\d.]+)"', (kelpgate.ROOT / "Cargo.toml").read_text())[1]
    assert f"FROM rust:{toolchain}" in text and "ENTRYPOINT" in text
    ours = {name for name, service in compose["services"].items() if service.get("image") == "kelpgate"}
    assert ours == {"gateway-1", "gateway-2"}
    assert {s["image"] for n, s in compose["services"].items() if n in ("master", "volume", "filer")} == {"chrislusf/seaweedfs:4.48"}


class Cluster:
    """The services of the compose file as processes."""

    # Where each service listens, by its command or its program's default.
    PORTS = {"master": 9333, "volume": 8080, "filer": 8888, "gateway-1": 8333, "gateway-2": 8333}

    def __init__(self, compose, directory, environment, base):
        self.compose, self.environment, self.base = compose, environment, base
        self.ports = {name: free_port() for name in self.PORTS}
        self.servers = {}
        # The names are in the configuration as well.
        for file in (directory / "config").iterdir():
            (base / "config").mkdir(parents=True, exist_ok=True)
            (base / "config" / file.name).write_text(self.names(file.read_text()))

    def names(self, text):
        for name, port in self.PORTS.items():
            text = text.replace(f"{name}:{port}", f"127.0.0.1:{self.ports[name]}")
        return text

    def argument(self, service, text):
        """An argument as it would be outside a container."""
        text = re.sub(rf"^-ip={service}$", "-ip=127.0.0.1", self.names(text)).replace("=0.0.0.0", "=127.0.0.1")
        text = re.sub(r"^-port=\d+$", f"-port={self.ports.get(service)}", text)
        return text.replace("=/data", f"={self.base / service}").replace("/etc/kelpgate", str(self.base / "config"))

    def start(self, name):
        service = self.compose["services"][name]
        arguments = [self.argument(name, argument) for argument in shlex.split(service["command"])]
        if not any(argument.startswith("-port=") for argument in arguments):
            arguments.append(f"-port={self.ports[name]}")
        is_ours = service["image"] == "kelpgate"
        environment = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1", **(service.get("environment") or {})}
        if is_ours:
            assert service["env_file"] == ".env"
            environment |= self.environment
            arguments.append("-ip.bind=127.0.0.1")
        program = kelpgate.binary() if is_ours else "weed"
        (self.base / name).mkdir(parents=True, exist_ok=True)
        server = Server(f"compose-{name}", [program, *arguments], self.base / name, env=environment, ready_port=self.ports[name])
        self.servers[name] = server
        if is_ours:
            wait_for(lambda: requests.get(f"http://127.0.0.1:{self.ports[name]}/readyz", timeout=2).ok, 30, name, server)

    def nginx(self):
        """The nginx.conf that the command of the service produces, with ports of the test."""
        shell, flag, script = self.compose["services"]["nginx"]["command"]
        assert (shell, flag) == ("sh", "-c")
        edit, rest = script.split("&&", 1)
        assert "exec nginx -g 'daemon off;'" in rest
        made = self.base / "default.conf"
        source = "/etc/kelpgate/nginx.conf"
        assert f"./nginx.conf:{source}:ro" in self.compose["services"]["nginx"]["volumes"]
        edit = edit.replace(source, str(DEPLOY / "nginx.conf")).replace("/etc/nginx/conf.d/default.conf", str(made))
        run(["sh", "-c", edit])
        site = made.read_text()
        for name in ("gateway-1", "gateway-2"):
            assert f"server {name}:8333;" in site
            site = site.replace(f"{name}:8333", f"127.0.0.1:{self.ports[name]}")
        return site.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")


def test_the_compose_file_runs(compose, prepared, logs):
    directory, environment = prepared
    cluster = Cluster(compose, directory, environment, logs / "compose-run")
    order = ["master", "volume", "filer", "gateway-1", "gateway-2"]
    assert set(order) | {"nginx"} == set(compose["services"])
    for name in order:
        cluster.start(name)
    front = kelpgate.nginx("compose-nginx", logs / "compose-nginx", nginx_frame(cluster.nginx()))
    root = s3(front.url, Key(environment["KELPGATE_ROOT_ACCESS_KEY"], environment["KELPGATE_ROOT_SECRET_KEY"]))
    wait_for(lambda: made(root, "composed"), 30, "a bucket")
    for number in range(4):  # both gateways, in turn
        root.put_object(Bucket="composed", Key=f"k{number}", Body=os.urandom(1 << 20) + b"end")
        assert body_of(root, "composed", f"k{number}")[-3:] == b"end"
    done = kelpgate.cli(
        "doctor", f"-filer=127.0.0.1:{cluster.ports['filer']}",
        f"-endpoint=http://127.0.0.1:{cluster.ports['gateway-1']},http://127.0.0.1:{cluster.ports['gateway-2']}", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    front.stop()
    for server in reversed(cluster.servers.values()):
        server.kill()


def made(client, bucket):
    try:
        client.create_bucket(Bucket=bucket)
        return True
    except Exception as error:  # the volume server may still be announcing itself
        return "BucketAlreadyOwnedByYou" in str(error)


def unit(name):
    """ExecStart of a unit, and the example line for its environment file, with variables filled in."""
    text = (DEPLOY / name).read_text()
    command = re.search(r"^ExecStart=(.*)$", text, re.M)[1]
    flags = re.search(r"KELPGATE_FLAGS=([^']*)'", text)
    return shlex.split(command.replace("$KELPGATE_FLAGS", flags[1] if flags else ""))


@pytest.mark.parametrize("name", ["kelpgate-s3.service", "kelpgate-server.service"])
def test_units_are_valid(name, tmp_path):
    text = (DEPLOY / name).read_text()
    for path, real in (("/usr/local/bin/kelpgate", kelpgate.binary()), ("/etc/kelpgate/s3.flags", str(tmp_path / "s3.flags"))):
        text = text.replace(path, real)
    (tmp_path / "s3.flags").write_text("KELPGATE_FLAGS=\n")
    (tmp_path / name).write_text(text)
    done = run(["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], check=False)
    about_it = [line for line in (done.stdout + done.stderr).splitlines() if name in line]
    assert not about_it, done.stderr


@pytest.mark.parametrize("name", ["kelpgate-s3.service", "kelpgate-server.service", "kelpgate-iam-export.service"])
def test_units_are_hardened(name):
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=20", str(DEPLOY / name)]
    done = run(command, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_the_unit_of_the_gateway_starts(logs, cluster, prepared):
    directory, environment = prepared
    program, *arguments = unit("kelpgate-s3.service")
    assert program == "/usr/local/bin/kelpgate"
    port = free_port()
    iam = directory / "config/unit.json"
    iam.write_text((directory / "config/iam.json").read_text().replace("filer:8888", cluster.filer.address))
    replaced = {"-port=8333": f"-port={port}", "-filer=filer-1:8888,filer-2:8888": f"-filer={cluster.filer.address}",
                "-config=/etc/kelpgate/identities.json": f"-config={directory}/config/identities.json",
                "-iam.config=/etc/kelpgate/iam.json": f"-iam.config={iam}"}  # fmt: skip
    assert set(replaced) <= set(arguments), arguments
    command = [kelpgate.binary(), *(replaced.get(argument, argument) for argument in arguments), "-ip.bind=127.0.0.1"]
    server = Server("unit-s3", command, logs / "unit-s3", env=environment, ready_port=port)
    wait_for(lambda: requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).ok, 30, "the unit", server)
    assert server.stop() == 0, "SIGTERM ends it cleanly"


def test_the_unit_of_the_server_starts(logs):
    program, *arguments = unit("kelpgate-server.service")
    assert (program, arguments) == ("/usr/local/bin/kelpgate", ["server", "-dir=/var/lib/kelpgate/data"])
    text = (DEPLOY / "kelpgate-server.service").read_text()
    assert "StateDirectory=kelpgate\n" in text, "systemd creates /var/lib/kelpgate, and the server creates the directory in it"
    base = Path(logs / "unit-server")
    base.mkdir(mode=0o700)
    port = free_port()
    command = [kelpgate.binary(), "server", f"-dir={base / 'data'}", f"-port={port}"]
    server = Server("unit-server", command, base, ready_port=port)
    status = wait_for(lambda: requests.get(f"http://127.0.0.1:{port}/status", timeout=2).json(), 30, "the unit", server)
    assert json.dumps(status) and (base / "data/root-credentials").is_file(), "where the unit's header says that it is"
    assert server.stop() == 0


class Echo(BaseHTTPRequestHandler):
    """Takes the place of a gateway behind nginx. It answers with the path and the headers that arrive."""

    def do_GET(self):
        body = json.dumps([self.path, [[name.lower(), value] for name, value in self.headers.items()]]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def echo(logs):
    """deploy/nginx.conf in front of `Echo`; buckets are subdomains of s3.example.com, as its comment has it."""
    behind = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    site = (DEPLOY / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    site = re.sub(r"server 127.0.0.1:833[34];", f"server 127.0.0.1:{behind.server_port};", site)
    site, lines = re.subn(r'# (".*s3\\.example\\.com.*" 0;)', r"\1", site)
    assert lines == 1
    yield kelpgate.nginx("echo-nginx", logs / "echo-nginx", nginx_frame(site))
    behind.shutdown()


CLAIMS = {
    "X-Forwarded-Host": "stranger.example", "X-Forwarded-Proto": "gopher", "X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/stranger",
    "X-Forwarded-For": "192.0.2.1, 192.0.2.2", "X-Real-IP": "192.0.2.3", "Forwarded": "for=192.0.2.4;host=stranger.example",
}  # fmt: skip


@pytest.mark.parametrize("name", [*CLAIMS, "all"])
def test_forwarding_headers_of_clients_end_at_nginx(echo, name):
    """The gateway gets what nginx knows, whether or not a client claims something else, in any case and any number of times."""
    seen = lambda headers: json.loads(send("GET", echo.url + "/b/k", headers=headers).body)
    claims = CLAIMS.items() if name == "all" else [(name, CLAIMS[name])]
    honest = seen({})
    port = int(echo.url.rsplit(":", 1)[1])
    arrived = dict(honest[1])
    assert arrived["x-forwarded-for"] == arrived["x-real-ip"] == "127.0.0.1"
    assert (arrived["x-forwarded-proto"], arrived["x-forwarded-port"]) == ("http", str(port))
    assert arrived["x-forwarded-host"] == arrived["host"] == f"127.0.0.1:{port}"
    assert "forwarded" not in arrived and "x-forwarded-prefix" not in arrived
    for spelled in (str, str.upper, str.lower):
        assert seen({spelled(claim): value for claim, value in claims}) == honest


@pytest.mark.parametrize(
    ("host", "target", "status"),
    [
        (None, "/metrics", 404), (None, "/metrics?x", 404), (None, "/metrics#x", 404), ("127.0.0.1", "/metrics", 404),
        ("s3.example.com", "/metrics", 404), ("photos.s3.example.com", "/metrics", 200), ("photos.s3.example.com:80", "/metrics", 200),
        (None, "/photos/metrics", 200), (None, "/metrics/x", 200), (None, "/metrics-2", 200), (None, "/photos/../metrics", 200),
        (None, "/healthz", 200), (None, "/readyz", 200), (None, "/status", 200),
    ],
)  # fmt: skip
def test_nginx_passes_no_metrics_on(echo, host, target, status):
    netloc = echo.url.removeprefix("http://")
    connection = http.client.HTTPConnection(netloc)
    connection.request("GET", target, headers={"Host": host or netloc})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == status
    assert status == 404 or json.loads(body)[0] == target


def test_nginx_takes_our_file(logs):
    """`nginx -t` on the unchanged deploy/nginx.conf, except for the port, which only root may open."""
    directory = logs / "nginx-t"
    directory.mkdir()
    site = (DEPLOY / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    (directory / "whole.conf").write_text(nginx_frame(site))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    done = subprocess.run([program, "-t", "-c", directory / "whole.conf", "-p", directory, "-e", directory / "error.log"], capture_output=True)
    assert done.returncode == 0 and b"warn" not in done.stderr, done.stderr


def image_in(archive):
    """The settings of the one image in an OCI archive, and the owner of each of its files."""
    with tarfile.open(archive) as tar:
        blob = lambda told: tar.extractfile(f"blobs/sha256/{told['digest'].removeprefix('sha256:')}")
        manifest = json.load(blob(json.load(tar.extractfile("index.json"))["manifests"][0]))
        layers = [tarfile.open(fileobj=blob(layer), mode="r:gz") for layer in manifest["layers"]]
        return json.load(blob(manifest["config"]))["config"], {file.name: file.uid for layer in layers for file in layer}


def test_a_release_is_packaged():
    """`scripts/release` with the binary of the tests: what is in the archive, the packages and the list of crates."""
    dist = kelpgate.ROOT / "target/dist"
    run([kelpgate.ROOT / "scripts/release", kelpgate.binary()], timeout=110, cwd=kelpgate.ROOT)
    names = sorted(path.name for path in dist.iterdir())
    for wanted in ("SHA256SUMS", "kelpgate", "kelpgate.cdx.json", "kelpgate.debug"):
        assert wanted in names, names
    assert {Path(name).suffix for name in names} >= {".deb", ".rpm", ".gz"}, names
    run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=dist)
    stripped, whole = (dist / "kelpgate").stat().st_size, (dist / "kelpgate.debug").stat().st_size
    assert stripped < whole and run([dist / "kelpgate", "version"]).stdout.startswith("kelpgate 0.")
    archive = next(dist.glob("*.tar.gz"))
    assert f"tar -xzf {archive.name}\n" in (kelpgate.ROOT / "README.md").read_text()
    inside = run(["tar", "-tzf", archive]).stdout
    for wanted in ("kelpgate", "man1/kelpgate-iam-apply.1", "completions/_kelpgate", "systemd/kelpgate-server.service", "docs/migration.md"):
        assert f"/{wanted}\n" in inside, inside
    package = next(dist.glob("*.deb"))
    assert "./usr/bin/kelpgate" in run(["dpkg-deb", "--contents", package]).stdout
    settings, owners = image_in(next(dist.glob("*.oci.tar")))
    assert (settings["User"], settings["Entrypoint"]) == ("8333:8333", ["/usr/local/bin/kelpgate"])
    assert (list(settings["ExposedPorts"]), list(settings["Volumes"])) == (["8333/tcp"], ["/var/lib/kelpgate"])
    assert {name for name, owner in owners.items() if owner} == {"var/lib/kelpgate"}
    crates = json.loads((dist / "kelpgate.cdx.json").read_text())["components"]
    assert {"tokio", "aws-lc-rs", "policy"} <= {crate["name"] for crate in crates} and str(kelpgate.ROOT) not in json.dumps(crates)
