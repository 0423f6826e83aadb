"""The servers that the tests share, started once per session, and their logs when a test fails."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# weed and aws come from the environment that runs pytest.
os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]

import kelpgate
import world
from clients import make_bucket, s3
from processes import Server, free_port, tail
from weed import Cluster, Filer, weed_s3

# pytest itself never needs a proxy, and with one the loopback would be unreachable.
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ.pop(name, None)


def pytest_collection_modifyitems(config, items):
    # The scan of all logs for secrets needs all logs.
    items.sort(key=lambda item: item.path.name == "test_no_secrets_in_logs.py")


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    needed = ["weed", "aws", "s3cmd", "rclone", "restic"]
    missing = [tool for tool in needed if not shutil.which(tool)]
    if not (shutil.which("nginx") or os.access("/usr/sbin/nginx", os.X_OK)):
        missing.append("nginx")
    if not kelpgate.STAND_IN and not os.access(kelpgate.binary(), os.X_OK):
        missing.append(f"{kelpgate.binary()} (cargo build -p cli)")
    if missing:
        pytest.exit(f"missing: {', '.join(missing)}; scripts/test installs what the tests need", returncode=2)


def pytest_sessionfinish(session, exitstatus):
    for server in reversed(list(Server.running)):
        # `weed` takes ten seconds to shut down cleanly, and nothing of it is needed any more.
        (server.kill if server.command[0] == "weed" else server.stop)()


# ---- logs of a failed test

_LOG_START = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    _LOG_START.clear()
    for server in Server.running:
        if server.log_path.exists():
            _LOG_START[server.log_path] = server.log_path.stat().st_size


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for server in Server.running:
        with open(server.log_path, "rb") as log:
            log.seek(_LOG_START.get(server.log_path, 0))
            text = log.read().decode(errors="replace")
        if not server.alive():
            text += f"\n*** ended with {server.process.poll()}\n" + tail(server.log_path)
        if text.strip():
            report.sections.append((f"log of {server.name}", "\n".join(text.splitlines()[-25:])))


# ---- the cluster and what runs on it


@pytest.fixture(scope="session")
def logs(tmp_path_factory):
    """The directory below which every server of the session keeps its files."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(scope="session")
def cluster(logs):
    return Cluster(logs / "cluster")


@pytest.fixture(scope="session")
def config_flags(logs, cluster):
    """`-config` and `-iam.config`: the same two files for every gateway on the cluster."""
    identities = logs / "identities.json"
    identities.write_text(json.dumps(world.IDENTITIES, indent=2))
    iam = logs / "iam.json"
    iam.write_text(json.dumps(world.iam_config(cluster.filer.address), indent=2))
    return [f"-config={identities}", f"-iam.config={iam}"]


@pytest.fixture(scope="session")
def gateway_a(logs, cluster, config_flags):
    return kelpgate.gateway("gateway-a", logs / "gateway-a", cluster.filer, config_flags)


@pytest.fixture(scope="session")
def gateway_b(logs, cluster, config_flags):
    return kelpgate.gateway("gateway-b", logs / "gateway-b", cluster.filer, config_flags)


@pytest.fixture(scope="session")
def writing_gateway(logs, cluster, config_flags):
    """A gateway that allows IAM changes. By default, as in `weed s3`, they are not allowed."""
    flags = [*config_flags, "-iam.readOnly=false"]
    return kelpgate.gateway("writing-gateway", logs / "writing-gateway", cluster.filer, flags)


@pytest.fixture(scope="session")
def weed_gateway(logs, cluster, config_flags):
    """`weed s3` on the same filer with the same configuration."""
    return weed_s3("weed-s3", logs / "weed-s3", cluster.filer, config_flags)


@pytest.fixture(scope="session")
def balancer(logs, gateway_a, gateway_b):
    """nginx with `deploy/nginx.conf` in front of both gateways. Requests alternate between them."""
    ours = (kelpgate.ROOT / "deploy/nginx.conf").read_text()
    port = free_port()
    for old, new in [
        ("server 127.0.0.1:8333;", f"server 127.0.0.1:{gateway_a.port};"),
        ("server 127.0.0.1:8334;", f"server 127.0.0.1:{gateway_b.port};"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
    ]:
        assert old in ours, f"deploy/nginx.conf has no line `{old}`"
        ours = ours.replace(old, new)
    return kelpgate.nginx("nginx", logs / "nginx", nginx_frame(ours))


def nginx_frame(site):
    """A complete configuration around a file for conf.d."""
    return f"""pid nginx.pid;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
access_log off;
client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
{site}
}}
"""


@pytest.fixture(scope="session")
def embedded(logs):
    """`kelpgate server` with a data directory of its own."""
    return kelpgate.SingleMachine(logs / "embedded")


@pytest.fixture(scope="session")
def side_filer(logs, cluster):
    """A second filer with its own group and metadata. It encrypts what is stored through it."""
    return Filer(logs, cluster.master, "side-filer", ["-filerGroup=side", "-encryptVolumeData"])


@pytest.fixture(scope="module", params=["embedded", "gateway"])
def iam_server(request):
    """The URL of a server that allows IAM changes, and its administrator's key."""
    if request.param == "embedded":
        server = request.getfixturevalue("embedded")
        return server.url, server.root
    return request.getfixturevalue("writing_gateway").url, world.ROOT


# ---- clients


@pytest.fixture(scope="session")
def root_a(gateway_a):
    return s3(gateway_a.url, world.ROOT)


@pytest.fixture(scope="session")
def root_b(gateway_b):
    return s3(gateway_b.url, world.ROOT)


@pytest.fixture(scope="session")
def root_weed(weed_gateway):
    return s3(weed_gateway.url, world.ROOT)


class Endpoint:
    """A way to reach Kelpgate: its URL, an administrator's key and client."""

    def __init__(self, name, url, key):
        self.name = name
        self.url = url
        self.key = key
        self.s3 = s3(url, key)


_ENDPOINTS = ["gateway", "balancer"] if kelpgate.STAND_IN else ["embedded", "gateway", "balancer"]


@pytest.fixture(scope="session", params=_ENDPOINTS)
def endpoint(request):
    """Tests with this fixture run on the embedded filer, on a SeaweedFS filer, and through nginx to two gateways."""
    if request.param == "embedded":
        server = request.getfixturevalue("embedded")
        return Endpoint("embedded", server.url, server.root)
    server = request.getfixturevalue("gateway_a" if request.param == "gateway" else "balancer")
    return Endpoint(request.param, server.url, world.ROOT)


@pytest.fixture(scope="module")
def bucket(endpoint):
    """One bucket per endpoint and test file. Each test uses its own key prefix."""
    return make_bucket(endpoint.s3, "shared")


@pytest.fixture
def own_bucket(endpoint):
    """A bucket for one test."""
    return make_bucket(endpoint.s3, "own")


def pytest_terminal_summary(terminalreporter):
    for line in MEASURED:
        terminalreporter.write_line(line)


MEASURED = []


@pytest.fixture
def measured():
    """Records a measurement, which is printed at the end of the run. It is not asserted."""

    def note(text):
        MEASURED.append(f"measured: {text}")

    return note


@pytest.fixture(scope="module", params=["weed-to-kelpgate", "kelpgate-to-weed", "kelpgate-to-kelpgate"])
def pair(request, root_weed, root_a, root_b):
    """(who writes, who reads)"""
    return {
        "weed-to-kelpgate": (root_weed, root_a),
        "kelpgate-to-weed": (root_a, root_weed),
        "kelpgate-to-kelpgate": (root_a, root_b),
    }[request.param]
