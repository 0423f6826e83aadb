"""Runs last: no log of the run contains a secret. Every secret of the tests contains a canary."""

import kelpgate
import world
from processes import Server


def test_no_log_holds_a_secret():
    found = []
    for path in sorted(Server.all_logs):
        if "kelpgate" not in path.read_text(errors="replace"):
            continue  # `weed` logs what it likes
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if any(word in line for word in (world.CANARY, world.SIGNING_KEY, "X-Amz-Signature=", "eyJhbGciOi")):
                found.append(f"{path.name}:{number}: {line[:200]}")
    assert not found, "\n".join(found[:20])


def test_the_root_key_is_in_no_log(logs):
    """`kelpgate server` prints the key that it made only on a terminal."""
    for credentials in logs.rglob("root-credentials"):
        key = kelpgate.root_key(credentials.read_text())
        for log in credentials.parent.parent.glob("*.log"):
            assert key.secret not in log.read_text(errors="replace"), log
