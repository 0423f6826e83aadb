"""`kelpgate doctor`: each possible problem is caused once, and doctor names it and says what to do."""

import json

import pytest

import kelpgate
import world
from processes import free_port
from signing import send
from weed import Filer

KEY_OF_OTHERS = "b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMzI="


def doctor(*arguments):
    """Exit code, and the findings: (severity, what)."""
    done = kelpgate.cli("doctor", *arguments, check=False, timeout=60)
    rows = [line.split("  ", 1) for line in done.stdout.splitlines() if line.startswith(("ok ", "warning ", "error "))]
    return done.returncode, [(severity.strip(), what.strip()) for severity, what in rows], done.stdout


def found(findings, severity, *words):
    return any(kind == severity and all(word in what for word in words) for kind, what in findings)


@pytest.fixture(scope="module")
def lone_filer(logs, cluster):
    """A filer whose documents no other test touches."""
    return Filer(logs, cluster.master, "doctor-filer", ["-filerGroup=doctor"])


def test_a_filer_that_is_well(lone_filer):
    code, findings, text = doctor(f"-filer={lone_filer.address}")
    assert code == 0, text
    assert found(findings, "ok", f"filer {lone_filer.address} answers", "4.48"), text
    assert found(findings, "ok", f"clock of filer {lone_filer.address} agrees"), text
    # SeaweedFS's default: no token, no certificate.
    assert found(findings, "warning", "gRPC without certificates") and "grpc.client" in text, text
    assert "0 errors" in text


def test_documents_that_strangers_can_read(lone_filer):
    lone_filer.write_json("/etc/iam/identities/open.json", {"name": "open"})
    code, findings, text = doctor(f"-filer={lone_filer.address}")
    assert code == 0 and found(findings, "warning", "/etc/iam/identities/", "to anyone"), text
    assert "jwt.filer_signing.read.key" in text, text
    lone_filer.delete("/etc/iam/identities/open.json")


@pytest.mark.parametrize(
    "path, document, words",
    [
        ("/etc/iam/identities/bad.json", "{", ("user `bad`", "cannot be read")),
        ("/etc/iam/identities/al.json", {"name": "bo"}, ("user `al`", "says `bo` inside")),
        ("/etc/iam/identities/al.json", {"name": "al", "policy_names": ["Gone"]}, ("user `al`", "`Gone`", "no policy has this name")),
        (
            "/etc/iam/identities/al.json",
            {"name": "al", "credentials": [{"access_key": "AKPUBLIC", "secret_key": "some_secret_key1"}]},
            ("access key `AKPUBLIC` of user `al`", "is public", "SeaweedFS's samples"),
        ),
        ("/etc/iam/groups/g.json", {"name": "g", "policy_names": ["Gone"]}, ("group `g`", "`Gone`")),
        ("/etc/iam/policies/P.json", {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}, ("policy `P`",)),
        ("/seaweedfs/iam/roles/R.json", {"roleName": "R"}, ("role `R`", "trustPolicy")),
        ("/seaweedfs/iam/inline/users/al/p.json", "[]", ("inline policy `p` of user `al`",)),
    ],
)
def test_a_document_that_is_wrong(lone_filer, path, document, words):
    if isinstance(document, str):
        assert lone_filer.write(path, document.encode()).ok
    else:
        lone_filer.write_json(path, document)
    try:
        code, findings, text = doctor(f"-filer={lone_filer.address}")
        assert code == 1 and found(findings, "error", *words), text
    finally:
        lone_filer.delete(path)


def test_a_policy_in_two_places_with_two_contents(lone_filer):
    one, other = (world.document(world.statement("Allow", action, "*")) for action in ("s3:GetObject", "s3:PutObject"))
    paths = ["/etc/iam/policies/Twice.json", "/seaweedfs/iam/policies/policy_Twice.json"]
    for path, document in zip(paths, (one, other), strict=True):
        lone_filer.write_json(path, document)
    code, findings, text = doctor(f"-filer={lone_filer.address}")
    assert code == 1 and found(findings, "error", "policy `Twice`", "differs between"), text
    for path in paths:
        lone_filer.delete(path)


def test_the_single_file_of_old_versions(lone_filer):
    lone_filer.write_json("/etc/iam/identity.json", {"identities": []})
    code, findings, text = doctor(f"-filer={lone_filer.address}")
    assert code == 0 and found(findings, "warning", "/etc/iam/identity.json"), text
    lone_filer.delete("/etc/iam/identity.json")


def test_filers_that_are_not_there_or_not_one(lone_filer, cluster):
    nowhere = f"127.0.0.1:{free_port()}"
    code, findings, text = doctor(f"-filer={nowhere}")
    assert code == 1 and found(findings, "error", nowhere, "does not answer"), text
    code, findings, text = doctor(f"-filer={lone_filer.address},{cluster.filer.address}")
    assert code == 1 and found(findings, "error", "stores of their own", lone_filer.address, cluster.filer.address), text


def test_gateways_that_agree(gateway_a, gateway_b):
    code, findings, text = doctor(f"-endpoint={gateway_a.url},{gateway_b.url}/")
    assert code == 0, text
    for words in ("with the same key", "the same configuration", f"clock of gateway {gateway_b.url} agrees"):
        assert found(findings, "ok", words), text


def test_gateways_that_do_not(logs, cluster, config_flags, gateway_a):
    identities, _ = config_flags
    files = logs / "doctor"
    files.mkdir(exist_ok=True)
    iam = world.iam_config(cluster.filer.address)
    other_key = {**iam, "sts": {**iam["sts"], "signingKey": KEY_OF_OTHERS}}
    (files / "key.json").write_text(json.dumps(other_key))
    changed = json.loads(json.dumps(world.IDENTITIES))
    changed["identities"][1]["credentials"][0]["secretKey"] = f"{world.CANARY}-another-secret".ljust(40, "x")
    (files / "identities.json").write_text(json.dumps(changed))
    _, iam_flag = config_flags
    for name, flags, words in [
        ("other-key", [identities, f"-iam.config={files / 'key.json'}"], "different keys"),
        ("other-secret", [f"-config={files / 'identities.json'}", iam_flag], "different configurations"),
        ("other-region", [*config_flags, "-region=eu-west-9"], "different configurations"),
    ]:
        gateway = kelpgate.gateway(name, logs / name, cluster.filer, flags)
        code, findings, text = doctor(f"-endpoint={gateway_a.url},{gateway.url}")
        assert code == 1 and found(findings, "error", words, gateway.url), text
        gateway.stop()
        code, findings, text = doctor(f"-endpoint={gateway_a.url},{gateway.url}")
        assert code == 1 and found(findings, "error", gateway.url, "does not answer"), text


def test_what_is_no_gateway(weed_gateway, cluster):
    for url in (weed_gateway.url, cluster.filer.url):
        code, findings, text = doctor(f"-endpoint={url}")
        assert code == 1 and found(findings, "error", "not a Kelpgate gateway"), text


def test_gateways_of_heartbeats(lone_filer, gateway_a, gateway_b):
    """Running gateways write their address to the filer. What is found there is not trusted blindly."""
    base = "/seaweedfs/kelpgate/gateways"
    lone_filer.write_json(f"{base}/one", {"gateway": gateway_a.url.removeprefix("http://"), "boot_id": "one"})
    lone_filer.write_json(f"{base}/two", {"gateway": gateway_b.url.removeprefix("http://"), "boot_id": "two"})
    lone_filer.write_json(f"{base}/closed", {"gateway": "127.0.0.1:9", "closed": True})
    nowhere = f"127.0.0.1:{free_port()}"
    lone_filer.write_json(f"{base}/killed", {"gateway": nowhere})
    lone_filer.write(f"{base}/torn", b"{")
    code, findings, text = doctor(f"-filer={lone_filer.address}")
    assert code == 0 and found(findings, "ok", f"gateway {gateway_a.url} answers"), text
    assert found(findings, "ok", "the same configuration") and found(findings, "warning", "torn", "is not JSON"), text
    assert found(findings, "warning", nowhere, "has left a heartbeat") and "127.0.0.1:9:" not in text, text
    lone_filer.delete(base, recursive=True)


def test_a_directory(tmp_path):
    server = kelpgate.SingleMachine(tmp_path, name="doctor-server")
    code, findings, text = doctor(f"-endpoint={server.url}")
    assert code == 0 and found(findings, "ok", "accepts signature V2 in presigned URLs and forms"), text
    server.stop()
    code, findings, text = doctor(f"-dir={server.data}")
    assert code == 0 and found(findings, "ok", "can be opened"), text
    done = kelpgate.cli("doctor", "-dir=/no/such/directory", check=False)
    assert done.returncode == 1 and "/no/such/directory" in done.stderr


def test_the_fingerprints_tell_strangers_nothing(gateway_a):
    status = json.loads(send("GET", gateway_a.url + "/status").body)["configuration"]
    assert all(len(status[name]) == 16 for name in ("fingerprint", "signingKeyFingerprint"))
    assert world.SIGNING_KEY not in json.dumps(status)
