"""AssumeRoleWithCustomToken: a plugin vouches for the bearer of a token, who gets a session. Any other answer of the plugin gives none."""

import json
import threading
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

import kelpgate
import world
from clients import Key, assume, client, make_bucket, refused, s3
from processes import free_port

STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
PROVIDER = f"arn:aws:iam::{world.ACCOUNT}:plugin-provider/tickets"
ROLE = f"arn:aws:iam::{world.ACCOUNT}:role/"
MINIO_ROLE = "arn:minio:iam:::role/idmp-tickets"
OWN_TOKEN = f"Bearer {world.CANARY}-of-the-gateway"
TICKET = f"{world.CANARY} ticket+/&"


class Plugin:
    """A webhook as MinIO describes it: one ticket is alice's. `answer` replaces what it says."""

    def __init__(self):
        self.answer, self.asked = None, []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/check"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(plugin):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                query = parse_qs(urlsplit(self.path).query)
                plugin.asked.append((query, self.headers.get("authorization"), self.headers.get("content-length")))
                status, body = plugin.answer or plugin.usual(query)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", "http://169.254.169.254/latest/meta-data/")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_HEAD(self):
                self.send_response(405)
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def usual(self, query):
        if query.get("token") != [TICKET]:
            return 403, json.dumps({"reason": "no such ticket"}).encode()
        return 200, user()


def user(name="alice", valid_s=7200, **claims):
    return json.dumps({"user": name, "maxValiditySeconds": valid_s, "claims": claims or {"team": "reef", "sub": "root"}}).encode()


class Place:
    def __init__(self, directory):
        self.plugin, self.audit = Plugin(), directory / "audit.log"
        self.file = directory / "iam.json"
        self.file.write_text(json.dumps(self.config()))
        self.server = kelpgate.SingleMachine(directory, [f"-iam.config={self.file}"])
        self.url = self.server.url
        root = s3(self.url, self.server.root)
        self.bucket = make_bucket(root)
        for name in ["alice/a", "reef/b", "root/c"]:
            root.put_object(Bucket=self.bucket, Key=name, Body=name.encode())

    def config(self):
        trust = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity"}
        homes = [f"arn:aws:s3:::*/${{{key}}}/*" for key in ("plugin:sub", "plugin:team", "aws:PrincipalTag/home", "aws:SourceIdentity")]
        own = world.statement("Allow", "s3:GetObject", homes)
        role = lambda name, **more: {
            "roleName": name, "trustPolicy": world.document({**trust, **more}), "attachedPolicies": ["own"],
        }  # fmt: skip
        chained = world.statement("Allow", "sts:AssumeRole", f"{ROLE}Next")
        next_trust = {"Effect": "Allow", "Principal": {"AWS": f"{ROLE}Team"}, "Action": "sts:AssumeRole"}
        own_team = {"StringEquals": {"plugin:team": "reef"}}
        config = {
            "url": self.plugin.url, "authToken": OWN_TOKEN, "allowPrivateAddresses": True, "roleId": "tickets", "rolePolicy": "own,gone",
        }  # fmt: skip
        return {
            "sts": {"signingKey": world.SIGNING_KEY},
            "kelpgate": {"audit": {"sinks": [{"type": "file", "path": str(self.audit), "mode": "block"}]}},
            "providers": [{"name": "tickets", "type": "plugin", "config": config}],
            "roles": [
                role("Team", Principal={"Federated": PROVIDER}, Condition=own_team),
                role("Others", Principal={"Federated": f"{PROVIDER}-2"}),
                {"roleName": "Next", "trustPolicy": world.document(next_trust), "attachedPolicies": ["all"]},
                role("Bare", Principal={"Federated": PROVIDER}, Condition={"StringEquals": {"team": "reef"}}),
            ],
            "policies": [
                {"name": "own", "document": world.document(own, chained)},
                {"name": "all", "document": world.document(world.statement("Allow", "s3:GetObject", "*"))},
            ],
        }

    def call(self, token=TICKET, in_query=True, **more):
        """Status, and the session's key or the error's code; then the end of the session and the user, or the message."""
        parameters = {"Action": "AssumeRoleWithCustomToken", "Version": "2011-06-15", "Token": token, **more}
        if in_query:
            answer = requests.post(f"{self.url}/?{urlencode(parameters)}", timeout=60)
        else:
            answer = requests.post(f"{self.url}/", data=parameters, timeout=60)
        text = lambda name: ElementTree.fromstring(answer.text).find(f".//{STS}{name}").text
        if answer.status_code != 200:
            return answer.status_code, text("Code"), text("Message")
        assert "<AssumeRoleWithCustomTokenResult>" in answer.text and text("AssumedUser").startswith("custom:")
        names = ["AccessKeyId", "SecretAccessKey", "SessionToken"]
        return 200, Key(*(text(name) for name in names)), datetime.fromisoformat(text("Expiration"))

    def reads(self, key, name):
        return s3(self.url, key).get_object(Bucket=self.bucket, Key=name)["Body"].read()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(autouse=True)
def usual(place):
    place.plugin.answer = None


def lasts(ends):
    return ends - datetime.now(timezone.utc)


@pytest.mark.parametrize("in_query", [True, False])
@pytest.mark.parametrize("role", [MINIO_ROLE, "arn:minio:iam:us-east-1::role/idmp-tickets", None])
def test_a_token_becomes_a_session(place, in_query, role):
    status, key, ends = place.call(in_query=in_query, **({"RoleArn": role} if role else {}))
    assert status == 200, (key, ends)
    assert timedelta(minutes=110) < lasts(ends) <= timedelta(hours=2), "as long as the plugin says"
    assert place.reads(key, "alice/a") == b"alice/a" and place.reads(key, "reef/b") == b"reef/b"
    with refused("AccessDenied"):
        place.reads(key, "root/c")  # The claim `sub` is reserved.
    assert place.plugin.asked[-1] == ({"token": [TICKET]}, OWN_TOKEN, "0")
    records = [json.loads(line) for line in place.audit.read_text().splitlines()]
    shown = [json.dumps(record) for record in records if record["eventName"] in ("GetObject", "AssumeRoleWithCustomToken")]
    assert all("alice" in record and "plugin-provider/tickets" in record for record in shown[-4:])
    assert not any(world.CANARY in record for record in shown)


def test_how_long_it_lasts(place):
    within = lambda least, most: lambda ends: timedelta(minutes=least) < lasts(ends) <= timedelta(minutes=most)
    assert within(10, 15)(place.call(DurationSeconds="900")[2])
    assert within(110, 120)(place.call(DurationSeconds="40000")[2])
    assert within(50, 60)(place.call(RoleArn=ROLE + "Team")[2]), "the role's longest session"
    place.plugin.answer = 200, user(valid_s=300 * 24 * 3600)
    assert within(710, 720)(place.call()[2]), "the gateway's longest session"
    for wrong in ["899", "1000000000", "x"]:
        assert place.call(DurationSeconds=wrong)[:2] == (400, "ValidationError")


def test_roles(place):
    for role, status in [("Team", 200), ("Others", 403), ("Bare", 403), ("Missing", 403)]:
        assert place.call(RoleArn=ROLE + role)[0] == status, role
    assert place.call(RoleArn="arn:minio:iam:::role/idmp-other")[:2] == (403, "AccessDenied")
    place.plugin.answer = 200, user(team="kelp")
    assert place.call(RoleArn=ROLE + "Team")[:2] == (403, "AccessDenied")
    # Claims are keys of the plugin alone.
    place.plugin.answer = 200, user(**{"aws:PrincipalTag/team": "reef", "ldap:username": "root", "x": "reef"})
    assert place.call(RoleArn=ROLE + "Team")[:2] == (403, "AccessDenied")
    assert place.reads(place.call()[1], "alice/a") == b"alice/a"


def test_what_users_say_of_themselves_is_neither_a_tag_nor_a_source_identity(place):
    tags = {"principal_tags": {"home": ["root"]}, "transitive_tag_keys": ["home"]}
    for claims in [{"https://aws.amazon.com/tags": tags}, {"https://aws.amazon.com/source_identity": "root"}]:
        place.plugin.answer = 200, user(**claims)
        status, key, message = place.call()
        assert status == 200, message
        assert place.reads(key, "alice/a") == b"alice/a"
        with refused("AccessDenied"):
            place.reads(key, "root/c")


def test_the_caller_names_sessions_of_roles_alone(place):
    named = lambda **call: client("sts", place.url, place.call(RoleSessionName="root", **call)[1]).get_caller_identity()["Arn"]
    assert named().endswith(":assumed-role/sts-claim-based/alice")
    assert named(RoleArn=ROLE + "Team").endswith(":assumed-role/Team/root")


def test_a_session_policy_narrows(place):
    narrow = json.dumps(world.document(world.statement("Allow", "s3:GetObject", "arn:aws:s3:::*/reef/*")))
    key = place.call(Policy=narrow)[1]
    assert place.reads(key, "reef/b") == b"reef/b"
    with refused("AccessDenied"):
        place.reads(key, "alice/a")


def test_what_a_plugin_does_wrong_gives_no_session(place):
    refused_with = (403, json.dumps({"reason": "no\nsuch <ticket>"}).encode())
    for what, answer, expected in [
        ("a refusal", refused_with, (403, "IDPRejectedClaim")),
        ("a refusal without a reason", (403, user()), (400, "IDPCommunicationError")),
        ("an error", (500, user()), (400, "IDPCommunicationError")),
        ("a redirect", (307, user()), (400, "IDPCommunicationError")),
        ("a huge answer", (200, user(x="y" * 100_000)), (400, "IDPCommunicationError")),
        ("many claims", (200, user(x="y" * 5000)), (400, "PackedPolicyTooLarge")),
        ("no user", (200, user("")), (400, "IDPCommunicationError")),
        ("too short", (200, user(valid_s=899)), (400, "IDPCommunicationError")),
        ("forever", (200, user(valid_s=10**12)), (400, "IDPCommunicationError")),
        ("an echo of the token", (200, TICKET.encode()), (400, "IDPCommunicationError")),
    ]:
        place.plugin.answer = answer
        status, code, message = place.call()
        assert (status, code) == expected, (what, status, code, message)
        assert world.CANARY not in message
        if what == "a refusal":
            assert message.endswith("no such <ticket>")
    assert world.CANARY not in place.server.log()


def test_the_token(place):
    for token in ["", " ", "x" * 20_001]:
        before = len(place.plugin.asked)
        assert place.call(token, in_query=False)[0] == 400
        assert len(place.plugin.asked) == before
    # Files end in a newline.
    assert place.call(TICKET + "\n")[0] == 200


def test_sessions_are_revoked(place):
    root = place.server.root
    env = {"AWS_ACCESS_KEY_ID": root.access, "AWS_SECRET_ACCESS_KEY": root.secret, "AWS_ENDPOINT_URL": place.url}
    for flags, ends in [(["-subject=bob"], False), (["-subject=alice"], True), ([], True)]:
        key = place.call(RoleArn=ROLE + "Team")[1]
        chained = assume(place.url, key, "Next")
        kelpgate.cli("sessions", "revoke", "-provider=plugin:tickets", *flags, env=env)
        for name, one in [("alice/a", key), ("root/c", chained)]:
            if not ends:
                assert place.reads(one, name)
                continue
            with refused("ExpiredToken", 400):
                place.reads(one, name)
    assert place.reads(place.call()[1], "alice/a") == b"alice/a"


def test_config_check_and_doctor(place):
    assert "starts with these files" in kelpgate.cli("config", "check", f"-iam.config={place.file}").stdout
    doctor = lambda file: kelpgate.cli("doctor", f"-endpoint={place.url}", f"-iam.config={file}", check=False).stdout
    assert f"plugin `tickets`: `{place.plugin.url}` can be reached, and answers 405" in doctor(place.file)
    config = place.config()
    config["providers"][0]["config"]["url"] = f"http://127.0.0.1:{free_port()}/"
    away = place.file.parent / "away.json"
    away.write_text(json.dumps(config))
    shown = doctor(away)
    assert "plugin `tickets`" in shown and "cannot be reached" in shown and world.CANARY not in shown


def test_guesses_end(place):
    """Last, because this address may not sign in for some minutes afterwards."""
    answers = [place.call(f"guess-{number}")[:2] for number in range(60)]
    assert answers.count((403, "IDPRejectedClaim")) < 51 and answers[-1] == (400, "Throttling")
    before = len(place.plugin.asked)
    assert place.call()[:2] == (400, "Throttling") and len(place.plugin.asked) == before
