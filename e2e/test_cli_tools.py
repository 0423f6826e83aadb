"""The command line: every flag of `weed s3`, help, mistakes, and the filer tools."""

import http.client
import json
import re
import subprocess

import pytest

import kelpgate
import world
from clients import make_bucket, s3
from processes import Server, free_port, run, wait_for
from signing import Signer, request

# Flags that may be ignored, with a notice at the start that names them.
IGNORABLE = {
    "iceberg.credentialRole": "x", "iceberg.credentialDurationSeconds": "60", "port.iceberg": "0", "port.lance": "0",
    "allowEmptyFolder": "false", "cacheCapacityMB": "1", "readerCacheSizeMB": "1", "debug": "false", "debug.port": "0",
}  # fmt: skip

# The other flags, each with a value with which a local gateway still works.
HONOURED = {
    "ip": "127.0.0.1", "domainName": "", "allowedOrigins": "*", "dataCenter": "", "iam": "true", "iam.readOnly": "true",
    "metricsPort": "0", "metricsIp": "127.0.0.1", "allowDeleteBucketNotEmpty": "false", "autoCreateBucket": "false",
    "idleTimeout": "120", "concurrentUploadLimitMB": "0", "concurrentFileUploadLimit": "0", "encryptVolumeData": "false",
    "externalUrl": "", "defaultFileMode": "0660", "tlsVerifyClientCert": "false", "auditLogConfig": "", "key.file": "",
    "cert.file": "", "cacert.file": "", "port.https": "0", "port.grpc": "0", "localFilerSocket": "", "localSocket": "",
    "allowUntrustedRemoteEndpoints": "false",
}  # fmt: skip


def test_the_tables_above_are_all_the_flags_of_weed():
    """So that no flag of a new SeaweedFS version is forgotten."""
    text = run(["weed", "help", "s3"], check=False)
    flags = set(re.findall(r"^  -([\w.]+)", text.stdout + text.stderr, re.M))
    assert len(flags) > 30, text
    assert flags - {"filer", "port", "ip.bind", "config", "iam.config"} == set(IGNORABLE) | set(HONOURED)


def test_every_flag_of_weed_s3_is_taken(logs, cluster, config_flags):
    flags = [f"-{name}={value}" for name, value in {**IGNORABLE, **HONOURED}.items()]
    gateway = kelpgate.gateway("all-flags", logs / "all-flags", cluster.filer, [*config_flags, *flags])
    assert request(world.ALICE, "GET", gateway.url + "/").status == 200
    log = gateway.log()
    for name in ("iceberg.credentialRole", "allowEmptyFolder", "cacheCapacityMB"):
        assert name in log, f"a notice about -{name} is missing:\n{log}"
    gateway.stop()


@pytest.mark.parametrize("style", ["-{}={}", "--{}={}", "-{} {}", "--{} {}"])
def test_go_and_gnu_spelling(logs, cluster, config_flags, style):
    port = free_port()
    words = " ".join(style.format(n, v) for n, v in [("filer", cluster.filer.address), ("port", port), ("ip.bind", "127.0.0.1")])
    server = Server(
        "spelling", [kelpgate.binary(), "s3", *words.split(), *config_flags], logs / f"spelling-{port}", ready_port=port
    )
    wait_for(lambda: request(world.ALICE, "GET", f"http://127.0.0.1:{port}/").status == 200, 10, "the gateway", server)
    server.stop()


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["s3", "-filre=localhost:8888"], "filre"),
        (["s3", "-port=http"], "port"),
        (["s3", "-port=70000"], "70000"),
        (["s3", "-iam=perhaps"], "perhaps"),
        (["s4"], "s4"),
        (["s3", "-defaultFileMode=99"], "defaultFileMode"),
        (["s3", "-key.file=/no/such/key.pem", "-cert.file=/no/such/cert.pem"], "/no/such"),
        (["filer.cat"], "PATH"),
    ],
)
def test_mistakes_are_named(arguments, word):
    done = kelpgate.cli(*arguments, check=False, timeout=15)
    assert done.returncode != 0 and word.lower() in (done.stdout + done.stderr).lower(), done
    assert "panicked" not in done.stderr


def test_no_filer_is_said_and_waited_for(logs, cluster, config_flags):
    """Like `weed s3`, it waits for a filer, says so, and answers 503 in the meantime (or does not listen yet)."""
    port, nowhere = free_port(), free_port()
    server = Server(
        "no-filer", [kelpgate.binary(), "s3", f"-filer=127.0.0.1:{nowhere}", f"-port={port}", "-ip.bind=127.0.0.1", *config_flags],
        logs / "no-filer",
    )  # fmt: skip
    try:
        wait_for(lambda: str(nowhere) in server.log() or not server.alive(), 15, "a message about the filer", server)
        assert f"127.0.0.1:{nowhere}" in server.log() and "panicked" not in server.log()
        try:
            assert request(world.ALICE, "GET", f"http://127.0.0.1:{port}/").status == 503
        except OSError:
            pass
    finally:
        server.stop()


def test_failover_between_filers(logs, cluster, config_flags):
    """The first of two filers is down from the start, so the second one serves."""
    nowhere = free_port()
    gateway = kelpgate.gateway("failover", logs / "failover", f"127.0.0.1:{nowhere},{cluster.filer.address}", config_flags)
    assert request(world.ALICE, "GET", gateway.url + "/").status == 200
    gateway.stop()


def test_help_lists_the_commands_and_flags():
    text = kelpgate.cli("--help").stdout
    for command in ("server", "s3", "filer.ls", "filer.cat"):
        assert command in text, text
    text = kelpgate.cli("s3", "--help").stdout
    for flag in ("filer", "iam.config", "externalUrl", "port"):
        assert flag in text, text
    for asked in (["server", "-help"], ["help", "server"]):
        text = kelpgate.cli(*asked).stdout
        assert " -dir <DIR>" in text and "--dir" not in text, text


def test_version():
    told = kelpgate.cli("version").stdout
    assert re.fullmatch(r"kelpgate \d+\.\d+\.\d+\n", told) and kelpgate.cli("--version").stdout == told


@pytest.mark.parametrize("variable", ["KELPGATE_LOG", "KELPGATE_LOG_FORMAT"])
def test_a_log_setting_that_means_nothing_stops_the_start(tmp_path, variable):
    done = run([kelpgate.binary(), "server", f"-dir={tmp_path}", "-port=0"], check=False, env={variable: "nonsense"}, timeout=15)
    assert done.returncode == 1 and f"{variable}=`nonsense`" in done.stderr, done


def test_a_mistake_in_an_options_file_has_its_line(tmp_path):
    options = tmp_path / "options"
    options.write_text("# ours\nport=8333\nprot=1\n")
    done = kelpgate.cli("s3", f"-options={options}", check=False)
    assert done.returncode == 2 and f"`-prot` is in `{options}`, line 3" in done.stderr, done


# ---- filer.ls and filer.cat


@pytest.fixture(scope="module")
def files(gateway_a, root_a, cluster):
    name = make_bucket(root_a, "files")
    root_a.put_object(Bucket=name, Key="dir/small.txt", Body=b"small\n")
    root_a.put_object(Bucket=name, Key="dir/large.bin", Body=bytes(range(256)) * 40_000)
    root_a.put_object(Bucket=name, Key="zero", Body=b"")
    return name


def test_filer_ls(files, cluster, gateway_a):
    at = f"-filer={cluster.filer.address}"
    assert kelpgate.cli("filer.ls", at, f"/buckets/{files}/dir").stdout.split() == ["large.bin", "small.txt"]
    assert kelpgate.cli("filer.ls", at, f"/buckets/{files}/").stdout.split() == ["dir/", "zero"]
    assert {"S3AdminRole.json"} <= set(kelpgate.cli("filer.ls", at, "/seaweedfs/iam/roles/").stdout.split())


def test_filer_cat(files, cluster):
    at = f"-filer={cluster.filer.address}"
    assert kelpgate.cli("filer.cat", at, f"/buckets/{files}/dir/small.txt").stdout == "small\n"
    assert kelpgate.cli("filer.cat", at, f"/buckets/{files}/zero").stdout == ""
    done = subprocess.run([kelpgate.binary(), "filer.cat", at, f"/buckets/{files}/dir/large.bin"], capture_output=True, timeout=30)
    assert done.stdout == bytes(range(256)) * 40_000
    role = json.loads(kelpgate.cli("filer.cat", at, "/seaweedfs/iam/roles/S3ReadOnlyRole.json").stdout)
    assert role["roleName"] == "S3ReadOnlyRole"


@pytest.mark.parametrize("tool", ["filer.ls", "filer.cat"])
@pytest.mark.parametrize("path", ["/no/such/path", "/buckets/no-such-bucket/key"])
def test_paths_that_are_not_there(cluster, tool, path):
    done = kelpgate.cli(tool, f"-filer={cluster.filer.address}", path, check=False)
    assert done.returncode != 0 and path in done.stderr, done


@pytest.mark.parametrize("tool", ["filer.ls", "filer.cat"])
def test_a_filer_that_is_not_there(tool):
    nowhere = f"127.0.0.1:{free_port()}"
    done = kelpgate.cli(tool, f"-filer={nowhere}", "/x", check=False, timeout=40)
    assert done.returncode != 0 and nowhere in done.stderr, done


def test_an_audit_log(logs, cluster, config_flags):
    """`-auditLogConfig` matters for security: it either works or prevents the start; it is never ignored."""
    config = logs / "audit.json"
    config.write_text(json.dumps({"fluent_host": "127.0.0.1", "fluent_port": 9}))
    port = free_port()
    flags = [f"-filer={cluster.filer.address}", f"-port={port}", "-ip.bind=127.0.0.1", f"-auditLogConfig={config}"]
    server = Server("audit", [kelpgate.binary(), "s3", *flags, *config_flags], logs / "audit")
    try:
        stopped = server.process.wait(5) != 0
    except subprocess.TimeoutExpired:
        stopped = False
    finally:
        server.stop()
    assert "auditLogConfig" in server.log() and (stopped or "ignored" not in server.log()), server.log()


def test_virtual_hosts(logs, cluster, config_flags, files):
    """`-domainName`: the bucket may be the first label of the host."""
    gateway = kelpgate.gateway("vhost", logs / "vhost", cluster.filer, [*config_flags, "-domainName=s3.example"])
    assert _with_host(gateway.port, f"{files}.s3.example", "/dir/small.txt") == (200, b"small\n")
    assert _with_host(gateway.port, "s3.example", f"/{files}/dir/small.txt") == (200, b"small\n")
    assert s3(gateway.url, world.ALICE).get_object(Bucket=files, Key="dir/small.txt")["ContentLength"] == 6
    gateway.stop()


def _with_host(port, host, path):
    """A GET with a Host header of our choice."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    for name, value in Signer(world.ALICE).headers("GET", f"http://{host}{path}").items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_config_show_says_where_each_setting_comes_from(tmp_path):
    options, iam, identities = tmp_path / "flags", tmp_path / "iam.json", tmp_path / "identities.json"
    options.write_text("port=9000\n")
    iam.write_text('{"sts": {\n"signingKey": "MDEyMzQ1Njc4OWFiY2RlZg=="},\n"kelpgate": {"log": "debug"}}')
    identities.write_text(json.dumps({"identities": [{"name": "al", "credentials": [{"accessKey": "AKIASHOWN", "secretKey": "hunter2hunter2"}], "actions": ["Admin"]}]}))
    env = {"S3_EXTERNAL_URL": "https://s3.example.com", "AWS_SECRET_ACCESS_KEY": "hunter3hunter3"}
    told = kelpgate.cli("config", "show", "s3", "-filer=filer-1:8888", f"-options={options}", f"-iam.config={iam}", f"-config={identities}", env=env).stdout
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in told.splitlines()}
    for setting, shown in {
        "-filer": "filer-1:8888 command line",
        "-port": f"9000 `{options}`, line 1",
        "-region": "us-east-1 default",
        "-externalUrl": "https://s3.example.com environment",
        "AWS_SECRET_ACCESS_KEY": "*** environment",
        "sts.tokenDuration": "3600 s default",
        "kelpgate.log": f"debug {iam}, line 3",
        "kelpgate.limits.perKey": "no limit default",
        "identities": f"al {identities}",
    }.items():
        assert rows.get(setting) == shown, f"{setting}\n{told}"
    assert rows["sts.signingKey"].startswith("*** (id") and rows["sts.signingKey"].endswith("line 2"), told
    assert "hunter" not in told and "MDEy" not in told
    iam.write_text('{"kelpgate": {"lgo": 1}}')
    wrong = kelpgate.cli("config", "show", "server", "-dir=x", f"-iam.config={iam}", check=False)
    assert wrong.returncode == 1 and "kelpgate.lgo" in wrong.stderr, wrong
