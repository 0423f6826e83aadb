"""AssumeRoleWithLDAPIdentity: names and passwords of a directory (OpenLDAP) become sessions, and wrong ones do not."""

import json
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests

import directory as ldap
import kelpgate
import world
from clients import Key, client, make_bucket, refused, s3
from processes import free_port, run, tail

STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
PYTHON = kelpgate.ROOT / ".venv-clients/bin/python"
ROLE = f"arn:aws:iam::{world.ACCOUNT}:role/"
GROUPS = f"ou=groups,{ldap.BASE}"
BY_GROUP = "(&(objectClass=groupOfNames)(member=%d))"
WRONG = (403, "AccessDenied", "The user name or the password is wrong")

MINIO = """
import sys
from minio import Minio
from minio.credentials import LdapIdentityProvider
url, user, password, bucket, key = sys.argv[1:]
provider = LdapIdentityProvider(url, user, password)
client = Minio(url.split("//")[1], credentials=provider, secure=False, region="us-east-1")
print(client.get_object(bucket, key).data.decode())
"""


def config(corp):
    own = world.statement("Allow", ["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::*/${ldap:username}/*")
    in_group = {"ForAnyValue:StringEquals": {"ldap:groups": f"cn=readers,{GROUPS}"}}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity"}
    arn = f"arn:aws:iam::{world.ACCOUNT}:ldap-provider/corp"
    policies = {"groups": {f"CN=readers, {GROUPS}": ["own"], f"cn=writers,{GROUPS}": ["own", "gone"]}}
    everyone = {"groups": {f"cn=everyone,{GROUPS}": ["own"]}}
    return {
        "sts": {"signingKey": world.SIGNING_KEY},
        "kelpgate": {"audit": {"sinks": [{"type": "file", "path": str(corp.directory / "audit.log"), "mode": "block"}]}},
        "providers": [
            corp.provider(groupFilter=BY_GROUP, groupBaseDN=GROUPS, policyMapping=policies),
            corp.provider(
                "starttls", server=corp.url, useTLS=True, attributes={"groups": "memberOf"},
                beside={"roleMapping": {"rules": [{"claim": "groups", "value": f"cn=readers,{GROUPS}", "role": "Mapped"}]}},
            ),
            corp.provider(
                "failover", server=None, servers=[f"ldaps://127.0.0.1:{free_port()}", corp.tls_url], connectionTimeout="5s",
                policyMapping=policies,
            ),
            corp.provider("nested", nestedGroups="search", policyMapping=everyone, groupBaseDN=GROUPS),
            corp.provider(
                "paged", attributes={"groups": ""}, groupFilter=BY_GROUP, policyMapping={"groups": {f"cn=many-0039,{GROUPS}": ["own"]}},
            ),
            corp.provider("shallow", policyMapping=everyone),
            corp.provider("untrusted", tlsCaCert=None, policyMapping=everyone),
            corp.provider("plain", server=corp.url, allowPlainText=True, tlsCaCert=None, bindPassword="wrong"),
        ],
        "roles": [
            role("Grouped", {**trust, "Principal": {"Federated": arn}, "Condition": in_group}),
            role("Mapped", {**trust, "Principal": {"Federated": "starttls"}}),
            # A user of IAM, who may have the name of somebody in the directory.
            role("OfUser", {**trust, "Action": "sts:AssumeRole", "Principal": {"AWS": world.user_arn("alice")}}),
        ],
        "policies": [{"name": "own", "document": world.document(own)}],
        "identities": [{"name": "alice", "credentials": []}],
    }  # fmt: skip


def role(name, trust):
    return {"roleName": name, "trustPolicy": world.document(trust), "attachedPolicies": ["own"]}


class Place:
    def __init__(self, directory, corp, configuration):
        self.corp = corp
        self.file = directory / "iam.json"
        self.file.write_text(json.dumps(configuration))
        self.server = kelpgate.SingleMachine(directory, [f"-iam.config={self.file}"])
        self.url = self.server.url
        root = s3(self.url, self.server.root)
        self.bucket = make_bucket(root)
        for name in ["alice/a", "bob/b", "mallory*/c", "malloryX/d"]:
            root.put_object(Bucket=self.bucket, Key=name, Body=name.encode())

    def call(self, name, password=None, in_query=False, **more):
        """Status, and the session's key or the error's code and message."""
        password = ldap.PASSWORDS[name] if password is None else password
        parameters = {
            "Action": "AssumeRoleWithLDAPIdentity", "Version": "2011-06-15", "LDAPUsername": name, "LDAPPassword": password, **more,
        }  # fmt: skip
        if in_query:
            answer = requests.post(f"{self.url}/?{urlencode(parameters)}", timeout=60)
        else:
            answer = requests.post(f"{self.url}/", data=parameters, timeout=60)
        text = lambda name: ElementTree.fromstring(answer.text).find(f".//{STS}{name}").text
        if answer.status_code != 200:
            return answer.status_code, text("Code"), text("Message")
        assert "<AssumeRoleWithLDAPIdentityResult>" in answer.text
        return 200, Key(*(text(name) for name in ["AccessKeyId", "SecretAccessKey", "SessionToken"]))

    def session(self, name="alice", **more):
        status, key, *_ = self.call(name, **more)
        assert status == 200, (status, key, tail(self.server.log_path))
        return s3(self.url, key)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    corp = ldap.Directory(tmp_path_factory.mktemp("directory"))
    place = Place(tmp_path_factory.mktemp("ldap"), corp, config(corp))
    yield place
    place.server.stop()
    corp.stop()


@pytest.mark.parametrize("in_query", [False, True])
def test_a_session_has_the_policies_of_the_groups(place, in_query):
    session = place.session(in_query=in_query)
    assert session.get_object(Bucket=place.bucket, Key="alice/a")["Body"].read() == b"alice/a"
    with refused("AccessDenied", 403):
        session.get_object(Bucket=place.bucket, Key="bob/b")
    with refused("AccessDenied", 403):
        session.delete_object(Bucket=place.bucket, Key="alice/a")


def test_minio_py_signs_in(place):
    got = run([PYTHON, "-c", MINIO, place.url, "alice", ldap.PASSWORDS["alice"], place.bucket, "alice/a"])
    assert got.stdout.strip() == "alice/a"


def test_a_name_in_another_case_is_spelled_as_in_the_directory(place):
    session = place.session("ALICE", password=ldap.PASSWORDS["alice"])
    session.get_object(Bucket=place.bucket, Key="alice/a")


def test_a_name_never_becomes_a_wildcard(place):
    session = place.session("mallory*")
    session.get_object(Bucket=place.bucket, Key="mallory*/c")
    with refused("AccessDenied", 403):
        session.get_object(Bucket=place.bucket, Key="malloryX/d")


@pytest.mark.parametrize(
    "name, password",
    [
        ("alice", "wrong"),
        ("nobody-has-this-name", "wrong"),
        ("twin", ldap.PASSWORDS["bob"]),
        ("*", ldap.PASSWORDS["alice"]),
        ("ali*", ldap.PASSWORDS["alice"]),
        ("alice)(uid=*", ldap.PASSWORDS["alice"]),
        ("nobody)(|(uid=alice)", ldap.PASSWORDS["alice"]),
        (ldap.SEARCHER[0], ldap.SEARCHER[1]),
    ],
)
def test_whoever_is_refused_learns_nothing(place, name, password):
    """The same answer, and as many questions to the directory: a search, and a bind with the password."""
    before = binds(place)
    assert place.call(name, password) == WRONG
    asked = binds(place)[len(before) :]
    tried = [dn for dn in asked if dn != ldap.SEARCHER[0]]
    assert len(tried) == 1 and asked.count(ldap.SEARCHER[0]) in (1, 2), asked


def binds(place):
    lines = [line for line in place.corp.server.log().splitlines() if " BIND dn=" in line and " method=128" in line]
    return [line.split('BIND dn="', 1)[1].split('" method', 1)[0] for line in lines]


def test_what_is_no_password_is_not_sent(place):
    before = len(binds(place))
    for name, password in [("alice", ""), ("", "x"), ("alice", "a\0"), ("alice\0", "x"), ("alice", "x" * 300)]:
        assert place.call(name, password)[:2] == (400, "ValidationError"), (name, password)
    assert len(binds(place)) == before


def test_roles(place):
    session = place.session(RoleArn=ROLE + "Grouped")
    session.get_object(Bucket=place.bucket, Key="alice/a")
    assert place.call("bob", RoleArn=ROLE + "Grouped")[:2] == (403, "AccessDenied")
    # `alice` of the directory is not the user `alice` of IAM.
    assert place.call("alice", RoleArn=ROLE + "OfUser")[:2] == (403, "AccessDenied")
    assert place.call("alice", RoleArn=ROLE + "Mapped")[:2] == (403, "AccessDenied")
    status, key = place.call("alice", LDAPProviderName="starttls")
    assert status == 200
    arn = client("sts", place.url, key).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{world.ACCOUNT}:assumed-role/Mapped/alice"
    # No rule gives bob a role.
    assert place.call("bob", LDAPProviderName="starttls")[:2] == (403, "AccessDenied")


def test_a_session_policy_only_narrows(place):
    policy = world.document(world.statement("Allow", "s3:*", "arn:aws:s3:::*/alice/other"))
    session = place.session(Policy=json.dumps(policy))
    session.put_object(Bucket=place.bucket, Key="alice/other", Body=b"")
    for key in ["alice/a", "bob/other"]:
        with refused("AccessDenied", 403):
            session.get_object(Bucket=place.bucket, Key=key)


def test_groups_of_groups(place):
    session = place.session(LDAPProviderName="nested")
    session.get_object(Bucket=place.bucket, Key="alice/a")
    assert place.call("alice", LDAPProviderName="shallow")[:2] == (403, "AccessDenied")
    assert place.call("bob", LDAPProviderName="nested")[:2] == (403, "AccessDenied")
    place.session("bob", LDAPProviderName="paged").get_object(Bucket=place.bucket, Key="bob/b")


def test_another_server_is_asked(place):
    for _ in range(2):
        place.session(LDAPProviderName="failover").get_object(Bucket=place.bucket, Key="alice/a")


def test_a_server_that_is_not_trusted_gets_no_password(place):
    before = len(binds(place))
    for name in ["untrusted", "plain"]:
        status, code, _ = place.call("alice", LDAPProviderName=name)
        assert (status, code) == (400, "IDPCommunicationError")
    asked = binds(place)[before:]
    assert asked == [ldap.SEARCHER[0]], "of `plain`, whose own password is wrong"
    log = place.server.log_path.read_text()
    assert "invalid peer certificate" in log and "does not accept `bindDN`" in log


def test_sessions_are_revoked(place):
    root = place.server.root
    env = {"AWS_ACCESS_KEY_ID": root.access, "AWS_SECRET_ACCESS_KEY": root.secret, "AWS_ENDPOINT_URL": place.url}
    revoke = lambda *flags: kelpgate.cli("sessions", "revoke", "-provider=ldap:corp", *flags, env=env)
    reads = lambda session: session.get_object(Bucket=place.bucket, Key="alice/a")
    session = place.session()
    revoke(f"-subject=uid=bob,ou=people,{ldap.BASE}")
    reads(session)
    revoke(f"-subject=UID=Alice, OU=people,{ldap.BASE}")
    with refused("ExpiredToken", 400):
        reads(session)
    session = place.session()
    reads(session)
    revoke()
    with refused("ExpiredToken", 400):
        reads(session)


def test_records_have_the_user_and_no_password(place):
    place.session().get_object(Bucket=place.bucket, Key="alice/a")
    audit = (place.corp.directory / "audit.log").read_text()
    records = [json.loads(line) for line in audit.splitlines()]
    last = next(json.dumps(record) for record in reversed(records) if record["eventName"] == "GetObject")
    assert f"uid=alice,ou=people,{ldap.BASE}" in last and "ldap-provider/corp" in last
    assert any(record["eventName"] == "AssumeRoleWithLDAPIdentity" for record in records)
    for text in (audit, place.server.log_path.read_text()):
        assert world.CANARY not in text


def test_records_of_refusals_have_what_was_verified(place):
    """The name that a client gives is not kept before the directory has vouched for it."""
    user = f"uid=alice,ou=people,{ldap.BASE}"
    for name, password, more, subject in [
        ("alice", "wrong", {}, None),
        ("stranger", "wrong", {}, None),
        ("alice", None, {"RoleArn": ROLE + "OfUser"}, user),
    ]:
        assert place.call(name, password, **more)[0] == 403
        records = [json.loads(line) for line in (place.corp.directory / "audit.log").read_text().splitlines()]
        last = next(record for record in reversed(records) if record["eventName"] == "AssumeRoleWithLDAPIdentity")
        who = last["userIdentity"]
        assert (who["type"], who.get("userName")) == ("WebIdentityUser", subject), last
        assert who["identityProvider"].endswith(":ldap-provider/corp")
        assert "stranger" not in json.dumps(last)


def test_doctor_asks_each_server(place):
    done = kelpgate.cli("doctor", f"-endpoint={place.url}", f"-iam.config={place.file}", check=False, timeout=60)
    code, findings = done.returncode, done.stdout
    line = lambda name: [line for line in findings.splitlines() if f"`{name}`" in line]
    assert code == 1, findings
    for name, outcomes in [("corp", ["ok"]), ("starttls", ["ok"]), ("failover", ["error", "ok"]), ("untrusted", ["error"]), ("plain", ["error"])]:
        assert [line.split()[0] for line in line(name)] == outcomes, (name, findings)
    assert "does not accept `bindDN`" in line("plain")[0] and "invalid peer certificate" in line("untrusted")[0]
    assert ldap.SEARCHER[1] not in findings


def test_guesses_end(place):
    """Nobody can go on guessing, whether there is such a name or not. Others sign in meanwhile."""
    for name in ["bob", "nobody-at-all"]:
        with ThreadPoolExecutor(12) as many:
            answers = sorted(many.map(lambda _, name=name: place.call(name, "wrong")[1], range(12)))
        assert answers == ["AccessDenied"] * 10 + ["Throttling"] * 2, name
    assert place.call("bob")[1] == "Throttling"
    place.session("alice")
    # OpenLDAP takes letters of other widths and shapes for the same. Each spelling is a name of its own, and the entry is the same.
    spellings = ["\uff42ob", "\u24d1ob", "b\uff4fb", "b\u24deb"]
    with ThreadPoolExecutor(4) as many:
        assert set(many.map(lambda name: place.call(name, ldap.PASSWORDS["bob"])[:2], spellings)) == {(403, "AccessDenied")}, "not even the right one"
    place.corp.server.stop()
    for _ in range(12):
        assert place.call("mallory*")[:2] == (400, "IDPCommunicationError"), "an outage is no guess"
    place.corp.server.start()
    place.session("mallory*")
