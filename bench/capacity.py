#!/usr/bin/env python3
"""What IAM state and gateways cost in bytes: memory of a gateway and disk of `kelpgate server`, for each user, key, policy and gateway.

    .venv/bin/python bench/capacity.py                 the table of docs/capacity.md, with target/release/kelpgate
    KELPGATE_BIN=$PWD/target/debug/kelpgate .venv/bin/python bench/capacity.py -n 2000

Each kind of document is imported `n` times into an empty directory. Disk is the compacted size of the database, memory the resident
size of the server that has loaded everything, both less those of an empty directory. The document of a gateway is read from a filer
with a `kelpgate s3`.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "e2e"))
os.environ["PATH"] = str(ROOT / ".venv/bin") + os.pathsep + os.environ["PATH"]
os.environ.setdefault("KELPGATE_BIN", str(ROOT / "target/release/kelpgate"))

import kelpgate  # noqa: E402
import world  # noqa: E402
from processes import Server  # noqa: E402
from weed import Cluster  # noqa: E402

GATEWAYS = "/seaweedfs/kelpgate/gateways"


def policy(number):
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::b-{number}/home/*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def user(number, keys):
    made = [{"access_key": f"AKIA{number:08}{key:08}", "secret_key": f"{number:040}", "status": "Active"} for key in range(keys)]
    facts = {"created": 1_795_990_349, "id": f"AIDA{number:017}", "path": "/"}
    return {"document": {"credentials": made, "name": f"user-{number:08}"}, "facts": facts}


def users(count, keys):
    return {"users": {f"user-{number:08}": user(number, keys) for number in range(count)}}


def inline(number):
    facts = {"created": 1_795_990_349, "holder": f"AIDA{number:017}", "updated": 1_795_990_349}
    return {"own": {"document": policy(number), "facts": facts}}


def managed(number):
    facts = {"created": 1_795_990_349, "id": f"ANPA{number:017}", "path": "/", "updated": 1_795_990_349, "version": 1}
    return {"document": policy(number), "facts": facts, "place": "api"}


def states(count):
    """What is measured: a name, the state, and the one that it is compared with."""
    names = [f"user-{number:08}" for number in range(count)]
    with_inline = users(count, 1) | {"inlinePolicies": {"users": {name: inline(n) for n, name in enumerate(names)}}}
    return [
        ("user without a key", users(count, 0), "nothing"),
        ("access key", users(count, 1), "user without a key"),
        ("inline policy of a user", with_inline, "access key"),
        ("managed policy", {"policies": {f"policy-{n:08}": managed(n) for n in range(count)}}, "nothing"),
    ]


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def measure(state):
    """Bytes on disk and in memory of a server with this state."""
    with tempfile.TemporaryDirectory(prefix="kelpgate-capacity-") as directory:
        directory = Path(directory)
        server = kelpgate.SingleMachine(directory)
        server.stop()
        if state:
            export = directory / "state.json"
            export.write_text(json.dumps({"format": "kelpgate-iam", "version": 1, "secrets": "plain"} | state))
            kelpgate.cli("iam", "import", f"-dir={server.data}", str(export), timeout=500)
        kelpgate.cli("compact", f"-dir={server.data}", timeout=500)
        disk = (server.data / "meta.redb").stat().st_size
        server.start()
        time.sleep(3)
        memory = resident_kib(server.pid) * 1024
        server.stop()
        return disk, memory


def gateway_document():
    """Bytes of the document of one gateway on a SeaweedFS filer."""
    with tempfile.TemporaryDirectory(prefix="kelpgate-capacity-") as directory:
        directory = Path(directory)
        cluster = Cluster(directory)
        identities = directory / "identities.json"
        identities.write_text(json.dumps(world.IDENTITIES))
        kelpgate.gateway("gateway", directory / "gateway", cluster.filer, [f"-config={identities}"])
        time.sleep(3)
        listed = cluster.filer.names(GATEWAYS)
        return len(cluster.filer.read(f"{GATEWAYS}/{listed[-1]}").content)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("-n", type=int, default=20_000, help="documents of each kind")
    count = arguments.parse_args().n
    try:
        found = {"nothing": measure({})}
        print(f"empty: {found['nothing'][0] // 1024} KiB on disk, {found['nothing'][1] // 2**20} MiB in memory\n", flush=True)
        print("| one more | bytes on disk | bytes in memory |\n| --- | --- | --- |", flush=True)
        for name, state, base in states(count):
            found[name] = measure(state)
            disk, memory = ((mine - other) // count for mine, other in zip(found[name], found[base], strict=True))
            print(f"| {name} | {disk} | {memory} |", flush=True)
        print(f"| gateway on a SeaweedFS filer: its document | {gateway_document()} | |", flush=True)
    finally:
        for server in list(Server.running):
            server.kill()


if __name__ == "__main__":
    main()
