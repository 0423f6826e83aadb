"""Runs last: no log that the run wrote holds a secret. Every secret of the tests carries a canary."""

import kelpgate
import world


def test_no_log_holds_a_secret(logs):
    found = []
    for path in logs.rglob("*.log"):
        # `weed` logs what it likes; this is about Kelpgate. nginx logs nothing here.
        if path.name.startswith(
            ("weed", "master", "volume", "filer", "side-weed", "side-filer", "hanging-filer", "restarting-filer")
        ):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if world.CANARY in line or world.SIGNING_KEY in line or "X-Amz-Signature=" in line or "eyJhbGciOi" in line:
                found.append(f"{path.name}:{number}: {line[:200]}")
    assert not found, "\n".join(found[:20])


def test_the_root_key_is_shown_once(logs):
    """`kelpgate server` prints the key that it made at the first start, and never again."""
    for credentials in logs.rglob("root-credentials"):
        key = kelpgate.root_key(credentials.read_text())
        for log in credentials.parent.parent.glob("*.log"):
            # Once in the lines to copy for each client; all of them before the first request is served.
            assert log.read_text(errors="replace").count(key.secret) <= 4, log
