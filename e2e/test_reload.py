"""SIGHUP: a running gateway takes over what its files say now, all of it or nothing."""

import json
import signal

import pytest
import requests

import kelpgate
import signing
from clients import Key
from processes import wait_for
from world import CANARY

ALICE, BOB = Key("AKIAE2ERELOAD0000001", f"{CANARY}reload1".ljust(40, "x")), Key("AKIAE2ERELOAD0000002", f"{CANARY}reload2".ljust(40, "x"))
TAKEN, REFUSED = "were read again", "everything stays as it was"


class Reloaded:
    """A server whose files are written anew."""

    def __init__(self, directory):
        directory.mkdir()
        self.directory, self.iam, self.identities = directory, directory / "iam.json", directory / "identities.json"
        self.identify(ALICE)
        self.configure()
        flags = [f"-iam.config={self.iam}", f"-config={self.identities}"]
        self.server = kelpgate.SingleMachine(directory, flags, name="reload")
        self.url = self.server.url
        assert signing.request(self.server.root, "PUT", self.url + "/reef").status == 200

    def path(self, name):
        return self.directory / f"{name}.log"

    def identify(self, *keys):
        users = [{"name": f"user{n}", "credentials": [{"accessKey": key.access, "secretKey": key.secret}], "actions": ["Admin"]} for n, key in enumerate(keys)]
        self.identities.write_text(json.dumps({"identities": users}))

    def configure(self, *sinks, **more):
        config = {"audit": {"sinks": list(sinks)}, **{name: value for name, value in more.items() if name != "top"}}
        self.iam.write_text(json.dumps({"kelpgate": config, **more.get("top", {})}))

    def file(self, name, **more):
        return {"type": "file", "name": name, "path": str(self.path(name)), "mode": "block", **more}

    def hangup(self, outcome):
        """Returns what the log says from then on."""
        before = len(self.server.log())
        told = lambda: self.server.log()[before:]
        self.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: TAKEN in told() or REFUSED in told(), 60, "the reload", self.server)
        assert outcome in told(), told()
        return told()

    def status(self, key, path="/reef"):
        return signing.request(key, "GET", self.url + path).status

    def records(self, name):
        return self.path(name).read_text().count("\n") if self.path(name).exists() else 0


@pytest.fixture
def reloaded(logs, request):
    made = Reloaded(logs / request.node.name)
    yield made
    made.server.stop()


def test_what_the_files_say_is_taken_over_whole_or_not_at_all(reloaded):
    assert (reloaded.status(ALICE), reloaded.status(BOB)) == (200, 403)

    # One file is good, the other is not: nothing of either is taken over.
    reloaded.identify(BOB)
    for change, why in [
        (dict(limits={"perKey": {"requestsPerSecond": -1}}), "between"),
        (dict(log="loud"), "`loud` is not a level"),
        (dict(top={"providers": [{"name": "idp", "type": "saml", "config": {}}]}), "SAML"),
    ]:
        reloaded.configure(**change)
        assert why in reloaded.hangup(REFUSED)
    reloaded.configure(reloaded.file("first"), {"type": "file", "name": "second", "path": "/nowhere/audit.log"})
    assert "/nowhere/audit.log" in reloaded.hangup(REFUSED)
    assert (reloaded.status(ALICE), reloaded.status(BOB)) == (200, 403)
    assert reloaded.records("first") == 0

    # Identities, a sink, and the log.
    reloaded.configure(reloaded.file("first"), log="info,audit=debug")
    told = reloaded.hangup(TAKEN)
    assert "after a restart only" not in told, told
    assert (reloaded.status(ALICE), reloaded.status(BOB)) == (403, 200)
    assert reloaded.records("first") == 2
    wait_for(lambda: 'answered request=' in reloaded.server.log(), 20, "a line of each request", reloaded.server)

    # The sink goes on with another filter; a second one comes, and what only a restart changes is named.
    reloaded.configure(reloaded.file("first", decisions=["deny"]), reloaded.file("second"), crossAccount="both", limits={"perKey": {"requestsPerSecond": 0.001}})
    told = reloaded.hangup(TAKEN)
    assert "after a restart only: kelpgate.crossAccount" in told, told
    assert (reloaded.status(BOB), reloaded.status(ALICE)) == (200, 403)
    assert (reloaded.records("first"), reloaded.records("second")) == (3, 2)
    assert reloaded.status(BOB) == 503, "the limit"

    # A sink that is gone is closed: its file fits its digests, and gets no more.
    reloaded.configure(reloaded.file("second"))
    reloaded.hangup(TAKEN)
    assert reloaded.status(BOB) == 200
    assert (reloaded.records("first"), reloaded.records("second")) == (3, 4)
    verified = kelpgate.cli("audit", "verify", reloaded.path("first"))
    assert "as it was written" in verified.stdout, verified

    # Another sink for the file of one that runs would break its chain.
    reloaded.configure(reloaded.file("other") | {"path": str(reloaded.path("second"))})
    assert "the running sink `second` uses" in reloaded.hangup(REFUSED)
    assert reloaded.status(BOB) == 200 and reloaded.records("second") == 5


def test_half_written_files_change_nothing(reloaded):
    """A file is read while an editor or a tool still writes it: nothing, or only its beginning, is there."""
    reloaded.configure(reloaded.file("first"))
    reloaded.hangup(TAKEN)
    whole = {path: path.read_text() for path in (reloaded.iam, reloaded.identities)}
    reloaded.identify(BOB)
    reloaded.configure(reloaded.file("first"), reloaded.file("second"), log="debug", limits={"perKey": {"requestsPerSecond": 0.001}})
    for path in whole:
        text = path.read_text()
        for length in (0, 1, len(text) // 3, len(text) // 2, len(text) - 1):
            path.write_text(text[:length])
            assert path.name in reloaded.hangup(REFUSED)
        path.write_text(text)
    assert (reloaded.status(ALICE), reloaded.status(BOB)) == (200, 403)
    # So is the key of a log: a new sink does not begin with half of one, and does not make another.
    key = reloaded.directory / "second.log.key"
    for path, text in whole.items():
        path.write_text(text)
    made = (reloaded.directory / "first.log.key").read_text()
    for text in ("", made[:5], made[: len(made) // 2], made[:-3]):
        key.write_text(text)
        key.chmod(0o600)
        reloaded.configure(reloaded.file("first"), reloaded.file("second"))
        assert str(key) in reloaded.hangup(REFUSED)
        assert key.read_text() == text
    assert reloaded.status(ALICE) == 200
    assert not reloaded.path("second").exists() or reloaded.records("second") == 0
    assert reloaded.records("first") == 3


def test_providers_are_taken_over(reloaded):
    token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSJ9.AAAA"
    assume = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": "arn:aws:iam::000000000000:role/R", "RoleSessionName": "me", "WebIdentityToken": token}
    ask = lambda: requests.post(reloaded.url + "/", data=assume, timeout=60).text.split("<Message>")[1].split("</Message>")[0]
    before = ask()
    reloaded.configure(top={"providers": [{"name": "idp", "type": "oidc", "enabled": True, "config": {"issuer": "https://idp.example.com", "clientId": "reef", "jwksFile": "/nowhere/keys"}}]})
    reloaded.hangup(TAKEN)
    known = ask()
    reloaded.configure()
    reloaded.hangup(TAKEN)
    assert known != before and ask() == before, (before, known)
