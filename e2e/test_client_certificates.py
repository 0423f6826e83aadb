"""AssumeRoleWithCertificate: the client certificate of a TLS connection becomes a session, and nothing else does."""

import json
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone

import pytest
import requests

import kelpgate
import world
from clients import Key, assume, make_bucket, refused, s3
from processes import free_port, run

STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
PYTHON = kelpgate.ROOT / ".venv-clients/bin/python"
ROLE = f"arn:aws:iam::{world.ACCOUNT}:role/"
ACTION = {"Action": "AssumeRoleWithCertificate", "Version": "2011-06-15"}

MINIO = """
import sys
from minio.credentials import CertificateIdentityProvider
url, certificate, key, ca = sys.argv[1:]
found = CertificateIdentityProvider(sts_endpoint=url, cert_file=certificate, key_file=key, ca_certs=ca).retrieve()
print(found.access_key)
"""


class Authority:
    """Signs certificates; each is a pair of files, certificate and key."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.file, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        run(["openssl", "req", "-x509", *self.new_key(self.key), "-out", self.file, "-days", 9, "-subj", f"/CN={name}"])
        self.settings = directory / f"{name}.cnf"
        self.settings.write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={directory}/{name}.index\nnew_certs_dir={directory}\nrand_serial=yes\ndefault_md=sha256\n"
            "policy=p\nunique_subject=no\npreserve=yes\n[p]\ncommonName=optional\norganizationName=optional\n"
        )
        (directory / f"{name}.index").write_text("")

    def new_key(self, file):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file]

    def leaf(self, name, subject, usage="clientAuth", ends_in=timedelta(days=2)):
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        extensions.write_text(f"extendedKeyUsage={usage}\nsubjectAltName=IP:127.0.0.1\n")
        run(["openssl", "req", *self.new_key(key), "-out", request, "-subj", subject])
        begin, end = (f"{datetime.now(timezone.utc) + after:%Y%m%d%H%M%SZ}" for after in (timedelta(days=-2), ends_in))
        run(["openssl", "ca", "-batch", "-notext", "-config", self.settings, "-cert", self.file, "-keyfile", self.key, "-in", request,
             "-out", certificate, "-startdate", begin, "-enddate", end, "-extfile", extensions])  # fmt: skip
        return str(certificate), str(key)


class Place:
    def __init__(self, directory, asks_everybody=False):
        directory.mkdir(exist_ok=True)
        self.clients, self.servers = Authority(directory, "clients"), Authority(directory, "servers")
        certificate, key = self.servers.leaf("server", "/CN=localhost", usage="serverAuth")
        self.port, self.audit = free_port(), directory / "audit.log"
        file = directory / "iam.json"
        file.write_text(json.dumps(self.config()))
        flags = [f"-iam.config={file}", f"-port.https={self.port}", f"-key.file={key}", f"-cert.file={certificate}"]
        if asks_everybody:
            flags += ["-tlsVerifyClientCert", f"-cacert.file={self.servers.file}"]
        self.server = kelpgate.SingleMachine(directory, flags)
        self.url = f"https://127.0.0.1:{self.port}/"
        self.loader = self.clients.leaf("loader", "/O=admin/CN=loader-7")
        root = s3(self.server.url, self.server.root)
        self.bucket = make_bucket(root)
        root.put_object(Bucket=self.bucket, Key="loader-7/a", Body=b"a")

    def config(self):
        statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity"}
        own = world.statement("Allow", "s3:GetObject", "arn:aws:s3:::*/${certificate:sub}/*")
        chained = world.statement("Allow", "sts:AssumeRole", f"{ROLE}Next")
        next_trust = {"Effect": "Allow", "Principal": {"AWS": f"{ROLE}Loaders"}, "Action": "sts:AssumeRole"}
        arn = f"arn:aws:iam::{world.ACCOUNT}:certificate-provider/machines"
        role = lambda name, **trust: {
            "roleName": name, "trustPolicy": world.document({**statement, **trust}), "attachedPolicies": ["loader-7"],
        }  # fmt: skip
        named = {"StringLike": {"certificate:sub": "loader-*"}}
        return {
            "sts": {"signingKey": world.SIGNING_KEY},
            "kelpgate": {"audit": {"sinks": [{"type": "file", "path": str(self.audit), "mode": "block"}]}},
            "providers": [
                {"name": "machines", "type": "certificate", "config": {"clientCaCert": str(self.clients.file), "policyClaim": "sub"}}
            ],
            "roles": [
                role("Loaders", Principal={"Federated": arn}, Condition=named),
                {"roleName": "Next", "trustPolicy": world.document(next_trust), "attachedPolicies": ["all"]},
                role("Others", Principal={"Federated": f"{arn}-2"}),
                role("OfTokens", Principal={"Federated": arn}, Condition={"StringEquals": {"certificate:aud": "loader-7"}}),
            ],
            "policies": [
                {"name": "loader-7", "document": world.document(own, chained)},
                {"name": "all", "document": world.document(world.statement("Allow", "s3:GetObject", "*"))},
            ],
        }

    def call(self, certificate=None, url=None, headers=None, **more):
        """Status, and the session's key or the error's code; with the time at which the session ends."""
        answer = requests.post(
            url or self.url, data={**ACTION, **more}, cert=certificate, verify=str(self.servers.file), headers=headers, timeout=60
        )
        text = lambda name: ElementTree.fromstring(answer.text).find(f".//{STS}{name}").text
        if answer.status_code != 200:
            return answer.status_code, text("Code"), text("Message")
        assert "<AssumeRoleWithCertificateResult>" in answer.text
        names = ["AccessKeyId", "SecretAccessKey", "SessionToken"]
        return 200, Key(*(text(name) for name in names)), datetime.fromisoformat(text("Expiration"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("certificates") / "x")


def test_the_policy_that_is_named_like_the_certificate(place):
    status, key, ends = place.call(place.loader, DurationSeconds="3600")
    assert status == 200 and ends - datetime.now(timezone.utc) < timedelta(hours=1, minutes=1), key
    session = s3(place.server.url, key)
    assert session.get_object(Bucket=place.bucket, Key="loader-7/a")["Body"].read() == b"a"
    with refused("AccessDenied"):
        session.get_object(Bucket=place.bucket, Key="loader-8/a")
    records = [json.loads(line) for line in place.audit.read_text().splitlines()]
    last = next(json.dumps(record) for record in reversed(records) if record["eventName"] == "GetObject")
    assert "loader-7" in last and "certificate-provider/machines" in last


def test_a_role(place):
    for role, status in [("Loaders", 200), ("Others", 403), ("OfTokens", 403), ("Missing", 403)]:
        assert place.call(place.loader, RoleArn=ROLE + role)[0] == status, role
    other = place.clients.leaf("other", "/CN=other")
    assert place.call(other, RoleArn=ROLE + "Loaders")[:2] == (403, "AccessDenied")


def test_minio_py_signs_in(place):
    certificate, key = place.loader
    assert run([PYTHON, "-c", MINIO, place.url, certificate, key, place.servers.file]).stdout.strip()


def test_a_session_ends_with_its_certificate(place):
    brief = place.clients.leaf("brief", "/CN=loader-7", ends_in=timedelta(minutes=20))
    for more in ({}, {"DurationSeconds": "3600"}):
        status, key, ends = place.call(brief, **more)
        assert status == 200 and timedelta(minutes=10) < ends - datetime.now(timezone.utc) <= timedelta(minutes=20), ends
    status, code, _ = place.call(place.loader, DurationSeconds="100000000")
    assert (status, code) == (400, "ValidationError")


POSING = {"X-Forwarded-Client-Cert": "Subject=\"CN=loader-7\"", "X-SSL-Client-S-DN": "CN=loader-7", "X-SSL-Client-Verify": "SUCCESS"}


def test_only_a_certificate_of_the_own_connection_counts(place):
    for what, url, certificate, headers in [
        ("no certificate", None, None, None),
        ("headers that name one", None, None, POSING),
        ("no TLS", place.server.url, None, POSING),
        ("no TLS, said to be", place.server.url, None, {**POSING, "X-Forwarded-Proto": "https"}),
        ("a proxy with its own certificate", None, place.loader, {"X-Forwarded-For": "203.0.113.9"}),
        ("a proxy that says so", None, place.loader, {"Via": "1.1 proxy"}),
        ("a proxy that says the host", None, place.loader, {"X-Forwarded-Host": "s3.example.com"}),
        ("a proxy that says the certificate", None, place.loader, {"X-Forwarded-Client-Cert": "Subject=\"CN=loader-7\""}),
        ("a proxy of RFC 7239", None, place.loader, {"Forwarded": "for=203.0.113.9"}),
        ("two names", None, place.clients.leaf("two", "/CN=other/CN=loader-7"), None),
        ("a list of names", None, place.clients.leaf("list", "/CN=other,loader-7"), None),
        ("a policy without a document", None, place.clients.leaf("unknown", "/CN=nobody"), None),
    ]:
        status, code, *rest = place.call(certificate, url, headers)
        if what in ("a list of names", "a policy without a document"):
            # A session without rights, as with tokens.
            assert status == 200
            with refused("AccessDenied"):
                s3(place.server.url, code).get_object(Bucket=place.bucket, Key="loader-7/a")
            continue
        assert (status, code) == (403, "AccessDenied"), (what, status, code, rest)


@pytest.mark.parametrize("by, usage, days", [("servers", "clientAuth", 2), ("clients", "serverAuth", 2), ("clients", "clientAuth", -1)])
def test_other_certificates_do_not_connect(place, by, usage, days):
    """One that only the server's authority has signed, one that is not for clients, one that has expired."""
    other = getattr(place, by).leaf(f"{by}-{usage}-{days}", "/CN=loader-7", usage=usage, ends_in=timedelta(days=days))
    with pytest.raises(requests.exceptions.RequestException):
        place.call(other)


def test_who_may_connect_may_not_sign_in(tmp_path):
    """`-tlsVerifyClientCert` has authorities of its own, whose certificates give no session."""
    place = Place(tmp_path / "x", asks_everybody=True)
    other = place.servers.leaf("other", "/CN=loader-7")
    assert requests.get(place.url + "healthz", cert=other, verify=str(place.servers.file), timeout=20).ok
    assert place.call(other)[:2] == (403, "AccessDenied")
    assert place.call(place.loader)[0] == 200
    with pytest.raises(requests.exceptions.RequestException):
        place.call()


def test_clients_without_a_certificate_go_on(place):
    assert requests.get(place.url + "healthz", verify=str(place.servers.file), timeout=20).ok


def test_sessions_are_revoked(place):
    root = place.server.root
    env = {"AWS_ACCESS_KEY_ID": root.access, "AWS_SECRET_ACCESS_KEY": root.secret, "AWS_ENDPOINT_URL": place.server.url}
    revoke = lambda *flags: kelpgate.cli("sessions", "revoke", "-provider=certificate:machines", *flags, env=env)
    of_role = place.call(place.loader, RoleArn=ROLE + "Loaders")[1]
    made_from_it = assume(place.server.url, of_role, "Next")
    sessions = [s3(place.server.url, key) for key in (place.call(place.loader)[1], of_role, made_from_it)]
    revoke("-subject=loader-8")
    for session in sessions:
        session.get_object(Bucket=place.bucket, Key="loader-7/a")
    revoke("-subject=loader-7")
    for session in sessions:
        with refused("ExpiredToken", 400):
            session.get_object(Bucket=place.bucket, Key="loader-7/a")
    again = s3(place.server.url, place.call(place.loader)[1])
    again.get_object(Bucket=place.bucket, Key="loader-7/a")


def test_without_tls_nothing_starts(place, tmp_path):
    file = tmp_path / "iam.json"
    file.write_text(json.dumps({**place.config(), "kelpgate": {}}))
    arguments = [kelpgate.binary(), "server", f"-dir={tmp_path}/data", f"-port={free_port()}", f"-iam.config={file}"]
    checked = kelpgate.cli("config", "check", f"-iam.config={file}").stdout
    assert "certificate` needs TLS" in checked and "-cert.file" in checked
    failed = run(arguments, check=False, timeout=60)
    assert failed.returncode != 0 and "certificate` needs TLS" in failed.stderr
