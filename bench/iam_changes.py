#!/usr/bin/env python3
"""IAM changes at scale: two Kelpgate gateways on one real SeaweedFS filer, next to two `weed s3` gateways on another filer.

    scripts/test setup && cargo build --release -p cli && cargo build --release -p store --example iam_state
    cargo build --release -p testkit --example load
    .venv/bin/python bench/iam_changes.py                      small numbers of everything; some minutes
    .venv/bin/python bench/iam_changes.py -n 20000 --pairs 10000 --sizes 10,100,1000,10000 --scale 100000
    .venv/bin/python bench/iam_changes.py --only trials --no-weed

Four parts, each a table:

trials   grants or revokes a permission through gateway A and asks gateway B as soon as A has answered. Counts the answers of B that
         are older than the change, and the time that A takes to answer. `n` trials for each kind of change.
pairs    two writes at the same time, one through each gateway. Afterwards everything acknowledged must be there, and everything
         deleted must be gone.
sizes    the time of PutUserPolicy, CreateAccessKey and AttachUserPolicy with a given number of users.
scale    the time from the start of a gateway until it is ready, its memory, and the cost of a decision, with a given number of
         users, each with two keys, and a tenth as many managed policies.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "e2e"))
sys.path.insert(0, str(ROOT / "bench"))
os.environ["PATH"] = str(ROOT / ".venv/bin") + os.pathsep + os.environ["PATH"]
os.environ.setdefault("KELPGATE_BIN", str(ROOT / "target/release/kelpgate"))

import changes  # noqa: E402
import kelpgate  # noqa: E402
import world  # noqa: E402
from clients import Key, s3  # noqa: E402
from idp import Idp  # noqa: E402
from processes import Server, free_port  # noqa: E402
from run import LOAD, cpu_s, presigned, rss_mb  # noqa: E402
from weed import Cluster, weed_s3  # noqa: E402
from world import ROOT as ADMIN  # noqa: E402

FILL = os.environ.get("KELPGATE_IAM_STATE") or str(ROOT / "target/release/examples/iam_state")


class Side:
    """Two gateways of one kind on their own cluster."""

    def __init__(self, name, directory):
        self.name, self.directory = name, directory
        self.cluster = Cluster(directory / "cluster")
        self.idp = Idp(directory)
        self.flags = configuration(directory, self.cluster.filer.address, self.idp)
        self.a, self.b = self.gateway("a"), self.gateway("b")

    def gateway(self, which):
        name, directory = f"{self.name}-{which}", self.directory / which
        if self.name == "weed":
            return weed_s3(name, directory, self.cluster.filer, [*self.flags, "-iam.readOnly=false"])
        return kelpgate.gateway(name, directory, self.cluster.filer, [*self.flags, "-iam.readOnly=false"])

    def stop(self):
        for server in reversed(list(Server.running)):
            if str(server.directory).startswith(str(self.directory)):
                server.kill() if server.command[0] == "weed" else server.stop()


def configuration(directory, filer_address, idp):
    directory.mkdir(parents=True, exist_ok=True)
    identities, iam = directory / "identities.json", directory / "iam.json"
    identities.write_text(json.dumps(world.IDENTITIES))
    own = {"issuer": idp.issuer, "clientId": idp.client, "jwksUri": f"{idp.issuer}/keys", "allowPrivateAddresses": True}
    providers = [{"name": "trials", "type": "oidc", "config": own}]
    iam.write_text(json.dumps(world.iam_config(filer_address, providers=providers)))
    return [f"-config={identities}", f"-iam.config={iam}"]


def sides(directory, arguments, part):
    names = ["kelpgate"] if arguments.no_weed else ["weed", "kelpgate"]
    return [Side(name, directory / f"{part}-{name}") for name in names]


def median(values):
    return statistics.median(values) if values else float("nan")


def p99(values):
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))] if values else float("nan")


# ---- trials


def trials(directory, arguments, results):
    print(f"{'':26}{'':10}{'old answers of B after':>30} |{'write, ms':>20}")
    print(f"{'kind of change':26}{'gateways':10}{'grants':>15}{'revocations':>15} |{'median':>10}{'p99':>10}")
    both = sides(directory, arguments, "trials")
    worlds = {side.name: changes.TrialWorld(side.a.url, side.b.url, ADMIN, side.idp) for side in both}
    for make in changes.KINDS:
        if arguments.kinds and not any(make.name.startswith(word) for word in arguments.kinds):
            continue
        for side in both:
            count = min(arguments.n, arguments.weed_n) if side.name == "weed" else arguments.n
            try:
                report = changes.trials(make(worlds[side.name]), count, settle_s=10.0)
            except (AssertionError, IndexError) as error:
                print(f"{make.name:26}{side.name:10}   not possible: {str(error)[:120]}")
                continue
            failed = f"   refused: {dict(report.failed)}" if report.failed else ""
            grants, revocations = f"{report.old_grants} of {report.grants}", f"{report.old_revocations} of {report.revocations}"
            times = f"{median(report.write_ms):>10.1f}{p99(report.write_ms):>10.1f}"
            print(f"{make.name:26}{side.name:10}{grants:>15}{revocations:>15} |{times}{failed}", flush=True)
            results[f"trials/{make.name}/{side.name}"] = {**vars(report), "write_ms": [median(report.write_ms), p99(report.write_ms)]}
    for side in both:
        side.stop()


# ---- pairs


def pairs(directory, arguments, results):
    print(f"\n{'pairs of writes':16}{'pairs':>8}{'acknowledged':>14}{'lost':>8}{'resurrected':>13}   refused with")
    for side in sides(directory, arguments, "pairs"):
        weed = side.name == "weed"
        count = min(arguments.pairs, arguments.weed_pairs) if weed else arguments.pairs
        report = changes.PairReport()
        begun = time.perf_counter()
        try:
            changes.run_pairs(
                side.a.url, side.b.url, ADMIN, changes.pairs(count), settle_s=1.0 if weed else 0.0, report=report
            )  # fmt: skip
        except AssertionError as error:
            print(f"{side.name}: ended early: {str(error)[:200]}")
        refused = ", ".join(f"{code} {n}" for code, n in sorted(report.refused.items()))
        print(f"{side.name:16}{report.pairs:>8}{report.acknowledged:>14}{len(report.lost):>8}{len(report.resurrected):>13}   {refused}")
        for line in (report.lost + report.resurrected)[:5]:
            print(f"    for example {line}")
        print(f"    in {time.perf_counter() - begun:.0f} s", flush=True)
        results[f"pairs/{side.name}"] = {**vars(report)}
        side.stop()


# ---- sizes

MEASURED = ["PutUserPolicy", "CreateAccessKey", "AttachUserPolicy"]


def sizes(directory, arguments, results):
    print(f"\n{'users':10}{'gateways':12}" + "".join(f"{name + ', ms':>24}" for name in MEASURED))
    medians = {}
    for side in sides(directory, arguments, "sizes"):
        present = 0
        for users in arguments.sizes:
            if side.name == "weed" and users > arguments.weed_users:
                continue
            fill(["--filer", side.cluster.filer.address], users, first=present)
            present = users
            time.sleep(2)
            row = latencies(side.a.url, arguments.rounds, users)
            medians[side.name, users] = row
            print(f"{users:<10}{side.name:12}" + "".join(f"{median(row[name]):>24.2f}" for name in MEASURED), flush=True)
            results[f"sizes/{side.name}/{users}"] = {name: median(values) for name, values in row.items()}
        measured = [users for name, users in medians if name == side.name]
        if len(measured) > 1:
            least, most = medians[side.name, min(measured)], medians[side.name, max(measured)]
            ratios = "".join(f"{median(most[name]) / median(least[name]):>24.2f}" for name in MEASURED)
            print(f"{'ratio':10}{side.name:12}{ratios}")
        side.stop()


def latencies(url, rounds, users):
    """Milliseconds of each call, for users spread over all existing ones."""
    iam = changes.Iam(url, ADMIN)
    seen = {name: [] for name in MEASURED}
    for n in range(rounds):
        user = f"size-{users}-{n}"
        iam.must("CreateUser", UserName=user)
        calls = [
            ("PutUserPolicy", {"PolicyName": "p", "PolicyDocument": changes.reading("trials")}),
            ("CreateAccessKey", {}),
            ("AttachUserPolicy", {"PolicyArn": changes.policy_arn("policy-00000")}),
        ]
        for action, more in calls:
            ready = iam.prepared(action, UserName=user, **more)
            begun = time.perf_counter()
            answer = ready()
            seen[action].append((time.perf_counter() - begun) * 1000)
            assert answer.status == 200, f"{action}: {answer}"
    return seen


def fill(place, users, first=0, policies=None):
    policies = max(10, users // 10) if policies is None else policies
    counts = {"users": users, "policies": policies, "groups": users // 100, "roles": users // 100, "inline": users // 10, "first": first}
    flags = [word for name, value in counts.items() for word in (f"--{name}", str(value))]
    done = subprocess.run([FILL, *place, *flags], capture_output=True, text=True, timeout=3600)
    if done.returncode != 0:
        raise SystemExit(f"{FILL}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


# ---- scale


def scale(directory, arguments, results):
    print(f"\n{'start by number of users':40}{'ready, s':>10}{'RSS, MB':>10}{'peak, MB':>10}{'403, CPU us':>14}{'200, CPU us':>14}")
    for users in (10, arguments.scale):
        embedded(directory / f"scale-{users}", users, results)
        real(directory / f"scale-real-{users}", users, arguments, results)


def embedded(directory, users, results):
    key = Key("AKIABENCHSCALE000001", "b" * 40)
    directory.mkdir(parents=True)
    fill(["--dir", str(directory / "data")], users)
    port = free_port()
    env = {"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret}
    command = [kelpgate.binary(), "server", f"-dir={directory}/data", f"-port={port}"]
    started(f"kelpgate server, {users}", command, directory, port, key, results, env)


def real(directory, users, arguments, results):
    cluster = Cluster(directory / "cluster")
    fill(["--filer", cluster.filer.address], users)
    flags = configuration(directory, cluster.filer.address)
    port = free_port()
    command = [kelpgate.binary(), "s3", f"-filer={cluster.filer.address}", "-ip.bind=127.0.0.1", f"-port={port}", *flags]
    started(f"kelpgate s3, {users}", command, directory, port, ADMIN, results)
    if not arguments.no_weed:
        port = free_port()
        command = ["weed", "s3", f"-filer={cluster.filer.address}", "-ip.bind=127.0.0.1", f"-port={port}", "-port.iceberg=0",
                   "-port.lance=0", *flags]  # fmt: skip
        started(f"weed s3, {users}", command, directory, port, ADMIN, results)


def started(name, command, directory, port, admin, results, env=None):
    """Prints one line: the time until the first request of a stored user is answered, memory, and CPU time per decision."""
    url = f"http://127.0.0.1:{port}"
    begun = time.perf_counter()
    server = Server("scale-" + name.split(",")[0].replace(" ", "-"), command, directory, env=env)
    user = Key("AKIASCALE00000000071", "secret-of-the-measured-user-0000000007-1")
    probe = changes.Connection(url)
    # A stored user's key is known: the answer is 403 AccessDenied or better, not InvalidAccessKeyId.
    while True:
        try:
            answer = probe.signed(user, "GET", "/nothing-there/k")()
            if answer.status in (403, 404) and answer.code != "InvalidAccessKeyId":
                break
        except OSError:
            pass
        if not server.alive() or time.perf_counter() - begun > 600:
            raise SystemExit(f"{name} does not get ready\n{server.log()[-2000:]}")
        time.sleep(0.01)
    ready_s = time.perf_counter() - begun
    time.sleep(2)
    rss, peak = rss_mb(server.pid), peak_mb(server.pid)
    root = s3(url, admin)
    if "bucket-00007" not in [bucket["Name"] for bucket in root.list_buckets()["Buckets"]]:
        root.create_bucket(Bucket="bucket-00007")
    root.put_object(Bucket="bucket-00007", Key="data/k", Body=b"x")
    denied = cost(server, presigned(user, "HEAD", url, [f"bucket-00007/elsewhere/k{n}" for n in range(50)]), 403)
    allowed = cost(server, presigned(user, "HEAD", url, ["bucket-00007/data/k"]), 200)
    print(f"{name:40}{ready_s:>10.2f}{rss:>10.0f}{peak:>10.0f}{denied:>14.0f}{allowed:>14.0f}", flush=True)
    results[f"scale/{name}"] = {"ready_s": ready_s, "rss_mb": rss, "peak_mb": peak, "denied_us": denied, "allowed_us": allowed}
    server.kill() if command[0] == "weed" else server.stop()


def peak_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no VmHWM of {pid}")


def cost(server, requests, expect, seconds=2.0):
    """CPU microseconds of the gateway per request, the median of three runs; NaN if it answers with another status."""
    plan = {"address": requests[0]["headers"]["host"], "connections": 8, "warmup_s": 0.0, "seconds": seconds, "expect": expect,
            "requests": requests}  # fmt: skip
    path = server.directory / "plan.json"
    path.write_text(json.dumps(plan))
    runs = []
    for _ in range(3):
        before = cpu_s(server.pid)
        done = subprocess.run([LOAD, str(path)], capture_output=True, text=True, timeout=300)
        report = json.loads(done.stdout) if done.returncode == 0 else {"unexpected": 1}
        if report["unexpected"]:
            return float("nan")
        runs.append((cpu_s(server.pid) - before) / max(report["requests"], 1) * 1e6)
    return median(runs)


PARTS = {"trials": trials, "pairs": pairs, "sizes": sizes, "scale": scale}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=200, help="trials per kind of change, grants and revocations together")
    parser.add_argument("--pairs", type=int, default=500, help="pairs of writes")
    parser.add_argument("--sizes", default="10,100,1000", help="comma-separated numbers of users")
    parser.add_argument("--rounds", type=int, default=50, help="calls of each kind at each size")
    parser.add_argument("--scale", type=int, default=10_000, help="number of users for the start")
    parser.add_argument("--only", default="", help="comma-separated parts: " + ", ".join(PARTS))
    parser.add_argument("--kinds", default="", help="comma-separated beginnings of kinds of change")
    parser.add_argument("--no-weed", action="store_true", help="Kelpgate alone")
    parser.add_argument("--weed-n", type=int, default=200, help="maximum number of trials of weed, which slows down with each user")
    parser.add_argument("--weed-pairs", type=int, default=100, help="maximum number of pairs of weed")
    parser.add_argument("--weed-users", type=int, default=100, help="maximum number of users of weed in `sizes`")
    parser.add_argument("--json", help="also write everything to this file")
    arguments = parser.parse_args()
    arguments.sizes = [int(word) for word in arguments.sizes.split(",")]
    arguments.kinds = [word.strip() for word in arguments.kinds.split(",") if word.strip()]
    only = [word.strip() for word in arguments.only.split(",") if word.strip()] or list(PARTS)
    for program in (kelpgate.binary(), *((LOAD, FILL) if {"sizes", "scale"} & set(only) else ())):
        if not os.access(program, os.X_OK):
            raise SystemExit(f"{program} is missing; the head of this file says how to build it")
    directory = Path(tempfile.mkdtemp(prefix="kelpgate-bench-"))
    results = {}
    try:
        for part in only:
            PARTS[part](directory, arguments, results)
    finally:
        for server in reversed(list(Server.running)):
            server.kill() if server.command[0] == "weed" else server.stop()
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=2, default=str))


if __name__ == "__main__":
    main()
