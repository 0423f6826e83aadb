#!/usr/bin/env python3
"""`weed s3` and `kelpgate s3` side by side on one real SeaweedFS cluster: a table of ratios.

    scripts/test setup && cargo build --release -p cli && cargo build --release -p testkit --example load
    .venv/bin/python bench/run.py                    everything; about six minutes
    .venv/bin/python bench/run.py --only get,head    workloads whose names begin with these
    .venv/bin/python bench/run.py --rounds 5 --seconds 4 --json bench.json
    .venv/bin/python bench/run.py --build before=PATH --only 403      another build takes turns with this one

Each workload alternates between the two gateways, round by round, so that changes in the machine's speed affect both. The load
generator (crates/testkit/examples/load.rs) is a separate process and sends requests that were signed beforehand. CPU per
request is the CPU time of the gateway's process (user and system) divided by the requests that it answered.
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
from unittest import mock
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "e2e"))
os.environ["PATH"] = str(ROOT / ".venv/bin") + os.pathsep + os.environ["PATH"]
os.environ.setdefault("KELPGATE_BIN", str(ROOT / "target/release/kelpgate"))

import kelpgate  # noqa: E402
import world  # noqa: E402
from clients import Key, assume, s3  # noqa: E402
from idp import Idp  # noqa: E402
from processes import Server, free_port  # noqa: E402
from signing import Signer, request, send, sha256  # noqa: E402
from weed import Cluster, weed_s3  # noqa: E402
from world import ALICE, BOB, document, statement, user_arn  # noqa: E402
from world import ROOT as ADMIN

LOAD = os.environ.get("KELPGATE_LOAD") or str(ROOT / "target/release/examples/load")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024


# ---- the process


def cpu_s(pid):
    """User and system time of all threads so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no VmRSS of {pid}")


# ---- workloads


def policy_of(bucket, statements):
    """A bucket policy with this many statements. The last one lets bob read `data/`, the others are about other people.

    Names are short, so that 200 statements stay below S3's 20 KB.
    """
    others = [
        statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/p{n}/*", Principal={"AWS": user_arn(f"u{n}")})
        for n in range(statements - 1)
    ]
    return document(
        *others, statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/data/*", Principal={"AWS": user_arn("bob")})
    )


def compact(policy):
    """The policy's text. Larger policies have shorter names, to stay below 20 KB."""
    return json.dumps(policy, separators=(",", ":"))


class Workload:
    """Named requests: `make(url, seconds)` returns what the load generator sends to the gateway at `url`."""

    def __init__(self, name, make, expect=200, connections=8, megabytes=0):
        self.name, self.make, self.expect, self.connections, self.megabytes = name, make, expect, connections, megabytes


def presigned(key, method, url, paths, body_bytes=0):
    signer = Signer(key)
    planned = []
    for path in paths:
        full = signer.presign(method, f"{url}/{path}", 3600)
        planned.append({"method": method, "target": full[len(url) :], "headers": {"host": url[7:]}, "body_bytes": body_bytes})
    return planned


def assume_role(url):
    body = f"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::{world.ACCOUNT}:role/S3ReadOnlyRole&RoleSessionName=bench"
    form = {"content-type": "application/x-www-form-urlencoded"}
    headers = Signer(BOB, service="sts").headers("POST", url + "/", form, sha256(body.encode()))
    return [{"method": "POST", "target": "/", "headers": headers, "body": body}]


def assume_role_with_web_identity(bench, url):
    parameters = {
        "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "bench",
        "RoleArn": f"arn:aws:iam::{world.ACCOUNT}:role/BenchWebRole", "WebIdentityToken": bench.idp.token(),
    }  # fmt: skip
    headers = {"host": url[7:], "content-type": "application/x-www-form-urlencoded"}
    return [{"method": "POST", "target": "/", "headers": headers, "body": urlencode(parameters)}]


def workloads(bench):
    small = [f"{bench.bucket}/data/k{n:04}" for n in range(200)]
    medium = [f"{bench.bucket}/medium/k{n:02}" for n in range(32)]
    large = [f"{bench.bucket}/large/k{n}" for n in range(2)]
    yield Workload("get 1 KiB", lambda url: presigned(ALICE, "GET", url, small))
    yield Workload("head 1 KiB", lambda url: presigned(ALICE, "HEAD", url, small))
    yield Workload("put 1 KiB", lambda url: presigned(ALICE, "PUT", url, [f"{bench.bucket}/put/k{n}" for n in range(500)], 1024))
    versions = f"{bench.version_bucket}/data"
    yield Workload("get 1 KiB, versions", lambda url: presigned(ALICE, "GET", url, [f"{versions}/k{n:04}" for n in range(200)]))
    yield Workload("put 1 KiB, versions", lambda url: presigned(ALICE, "PUT", url, [f"{versions}/p{n}" for n in range(500)], 1024))
    yield Workload("get 64 KiB", lambda url: presigned(ALICE, "GET", url, medium))
    yield Workload("403 by policy", lambda url: presigned(BOB, "GET", url, [f"{bench.bucket}/denied/k{n}" for n in range(50)]), 403)
    yield Workload(
        "list 1000",
        lambda url: presigned(ALICE, "GET", url, [f"{bench.list_bucket}?list-type=2"]),
        connections=4,
    )  # fmt: skip
    yield Workload("assume role", assume_role)
    yield Workload("assume role with web identity", lambda url: assume_role_with_web_identity(bench, url))
    yield Workload("get 1 KiB, session", lambda url: presigned(bench.session("S3ReadOnlyRole"), "GET", url, small))
    yield Workload("get 1 KiB, role of 1000 statements", lambda url: presigned(bench.session("BenchRole"), "GET", url, small))
    for count in bench.policy_buckets:
        bucket = bench.policy_buckets[count]
        paths = [f"{bucket}/data/k{n:02}" for n in range(20)]
        yield Workload(f"get 1 KiB, bucket policy of {count}", lambda url, p=paths: presigned(BOB, "GET", url, p))
    yield Workload("get 64 MiB", lambda url: presigned(ALICE, "GET", url, large), connections=2, megabytes=64)
    yield Workload(
        "put 64 MiB", lambda url: presigned(ALICE, "PUT", url, [f"{bench.bucket}/put-large/k{n}" for n in range(2)], 64 * MIB),
        connections=2, megabytes=64,
    )  # fmt: skip


# ---- the bench


class Bench:
    """The cluster, both gateways and the data."""

    def __init__(self, directory, builds=None):
        self.directory = directory
        self.cluster = Cluster(directory / "cluster", volume_size_mb=1024)
        config = world.iam_config(self.cluster.filer.address)
        many = [statement("Allow", ["s3:GetObject"], [f"arn:aws:s3:::bucket-{n}/prefix-{n}/*"]) for n in range(999)]
        many.append(statement("Allow", ["s3:GetObject"], ["arn:aws:s3:::bench/data/*"]))
        config["policies"].append({"name": "BenchPolicy", "document": document(*many)})
        config["roles"].append(
            {
                **config["roles"][1],
                "roleName": "BenchRole",
                "roleArn": f"arn:aws:iam::{world.ACCOUNT}:role/BenchRole",
                "attachedPolicies": ["BenchPolicy"],
            }
        )
        self.idp = Idp(directory)
        own = {"issuer": self.idp.issuer, "clientId": self.idp.client, "jwksUri": f"{self.idp.issuer}/keys", "allowPrivateAddresses": True}
        config["providers"] = [{"name": "bench", "type": "oidc", "config": own}]
        trust = {"Effect": "Allow", "Principal": {"Federated": "bench"}, "Action": "sts:AssumeRoleWithWebIdentity"}
        web_role = {"roleName": "BenchWebRole", "roleArn": f"arn:aws:iam::{world.ACCOUNT}:role/BenchWebRole", "trustPolicy": document(trust)}
        config["roles"].append({**web_role, "attachedPolicies": ["S3ReadOnlyPolicy"]})
        identities, iam = directory / "identities.json", directory / "iam.json"
        identities.write_text(json.dumps(world.IDENTITIES))
        iam.write_text(json.dumps(config))
        self.flags = [f"-config={identities}", f"-iam.config={iam}"]
        self.weed = weed_s3("weed-s3", directory / "weed", self.cluster.filer, self.flags)
        self.kelpgate = kelpgate.gateway("kelpgate", directory / "kelpgate", self.cluster.filer, self.flags)
        self.sides = {"weed": self.weed, "kelpgate": self.kelpgate}
        for name, binary in (builds or {}).items():
            with mock.patch.dict(os.environ, KELPGATE_BIN=binary):
                self.sides[name] = kelpgate.gateway(name, directory / name, self.cluster.filer, self.flags)
        time.sleep(2)
        self.idle_rss = {name: rss_mb(server.pid) for name, server in self.sides.items()}
        self._sessions = {}
        self._fill()

    def _fill(self):
        root = s3(self.weed.url, ADMIN)
        self.bucket, self.list_bucket, self.version_bucket = "bench", "bench-list", "bench-versions"
        for bucket in (self.bucket, self.list_bucket, self.version_bucket):
            root.create_bucket(Bucket=bucket)
        root.put_bucket_versioning(Bucket=self.version_bucket, VersioningConfiguration={"Status": "Enabled"})
        put = lambda bucket, key, size: root.put_object(Bucket=bucket, Key=key, Body=os.urandom(size))  # noqa: E731
        for n in range(200):
            put(self.bucket, f"data/k{n:04}", 1024)
            put(self.version_bucket, f"data/k{n:04}", 1024)
        for n in range(32):
            put(self.bucket, f"medium/k{n:02}", 65536)
        for n in range(2):
            put(self.bucket, f"large/k{n}", 64 * MIB)
        for n in range(1000):
            put(self.list_bucket, f"k{n:04}", 10)
        denial = statement("Deny", "s3:GetObject", f"arn:aws:s3:::{self.bucket}/denied/*", Principal="*")
        root.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(document(denial)))
        self.policy_buckets = {}
        for count in (1, 10, 100, 200):
            bucket = f"b{count}"
            bucket = bucket.ljust(3, "x")
            root.create_bucket(Bucket=bucket)
            for n in range(20):
                put(bucket, f"data/k{n:02}", 1024)
            policy = compact(policy_of(bucket, count))
            if len(policy) > 20_000:
                policy = compact(self._squeezed(bucket, count))
            assert len(policy) <= 20_480, f"{count} statements are {len(policy)} bytes"
            root.put_bucket_policy(Bucket=bucket, Policy=policy)
            self.policy_buckets[count] = bucket
        time.sleep(1)

    @staticmethod
    def _squeezed(bucket, count):
        """The same number of statements in fewer bytes: everyone is allowed, below other prefixes."""
        short = [statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/{n}/*", Principal="*") for n in range(count - 1)]
        return document(*short, policy_of(bucket, 1)["Statement"][0])

    def session(self, role):
        if role not in self._sessions:
            self._sessions[role] = assume(self.weed.url, BOB, role)
        return self._sessions[role]

    def once(self, workload, side, seconds):
        """One run of the load generator against one side: its report, with `cpu_us` per request and `rss_mb`."""
        server = self.sides[side]
        plan = {
            "address": server.url[7:], "connections": workload.connections, "warmup_s": 0.0, "seconds": seconds,
            "expect": workload.expect, "requests": workload.make(server.url),
        }  # fmt: skip
        path = self.directory / "plan.json"
        path.write_text(json.dumps(plan))
        before = cpu_s(server.pid)
        done = subprocess.run([LOAD, str(path)], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise SystemExit(f"{workload.name} on {side}: {done.stderr}\n{server.log()[-2000:]}")
        report = json.loads(done.stdout)
        report["cpu_us"] = (cpu_s(server.pid) - before) / max(report["requests"], 1) * 1e6
        report["rss_mb"] = rss_mb(server.pid)
        if report["unexpected"]:
            raise SystemExit(f"{workload.name} on {side}: {report['unexpected']} answers like {report['first_unexpected']}")
        return report

    def compare(self, workload, rounds, seconds):
        """Alternates between the sides and returns the medians of each, and the least CPU time."""
        runs = {side: [] for side in self.sides}
        for side in runs:  # the warm-up is a separate run, so that CPU time covers only counted requests
            self.once(workload, side, 0.5)
        for number in range(rounds):
            for side in sorted(runs, reverse=bool(number % 2)):
                runs[side].append(self.once(workload, side, seconds))
        names = ("requests_per_second", "cpu_us", "p50_us", "p99_us", "rss_mb")
        medians = {side: {n: statistics.median(r[n] for r in reports) for n in names} for side, reports in runs.items()}
        for side, reports in runs.items():
            medians[side]["cpu_us_least"] = min(report["cpu_us"] for report in reports)
        return medians


def table_row(name, *pairs):
    """Prints one line: the name, then both sides and their ratio for requests per second, CPU, p50 and p99."""
    return f"{name:36}" + " |".join(f"{weed:>9}{ours:>9}{ratio:>7}" for weed, ours, ratio in pairs)


HEAD = "\n".join(
    [
        table_row("", *[(what, "", "") for what in ("req/s", "CPU us", "p50 us", "p99 us")]),
        table_row("workload", *[("weed", "kelpgate", "")] * 4),
    ]
)


def row(workload, result):
    weed, ours = result["weed"], result["kelpgate"]
    pairs = []
    for name in ("requests_per_second", "cpu_us", "p50_us", "p99_us"):
        ratio = f"x{ours[name] / weed[name]:.2f}" if name == "requests_per_second" else f"1/{weed[name] / max(ours[name], 0.1):.1f}"
        pairs.append((f"{weed[name]:.0f}", f"{ours[name]:.0f}", ratio))
    return table_row(workload.name, *pairs)


def builds_row(result):
    """CPU time per request of each side: the median, and the least of all rounds in parentheses."""
    cells = [f"{side} {figures['cpu_us']:.0f} ({figures['cpu_us_least']:.0f})" for side, figures in result.items()]
    return f"{'':36}CPU us: " + ", ".join(cells)


def change_latency(bench, rounds=40):
    """Milliseconds from the answer to PutBucketPolicy on one gateway until another gateway decides by the new policy."""
    other = kelpgate.gateway("kelpgate-b", bench.directory / "kelpgate-b", bench.cluster.filer, bench.flags)
    root = s3(bench.kelpgate.url, ADMIN)
    root.create_bucket(Bucket="changes")
    root.put_object(Bucket="changes", Key="k", Body=b"x")
    url = Signer(BOB).presign("GET", f"{other.url}/changes/k", 3600)
    policy = json.dumps(document(statement("Allow", "s3:GetObject", "arn:aws:s3:::changes/*", Principal={"AWS": user_arn("bob")})))
    times = []
    for number in range(rounds):
        if number % 2 == 0:
            root.put_bucket_policy(Bucket="changes", Policy=policy)
        else:
            root.delete_bucket_policy(Bucket="changes")
        begun = time.perf_counter()
        while (send("GET", url).status == 200) != (number % 2 == 0):
            pass
        times.append((time.perf_counter() - begun) * 1000)
    other.stop()
    return times


def first_request(directory, rounds=5):
    """Milliseconds from the start of `kelpgate server` in an empty directory to the answer to a signed request."""
    key, times = Key("AKIABENCHFIRSTREQ001", "b" * 40), []
    for number in range(rounds):
        port, data = free_port(), directory / f"first-{number}"
        env = {"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret}
        begun = time.perf_counter()
        server = Server("first", [kelpgate.binary(), "server", f"-dir={data}/data", f"-port={port}"], data, env=env)
        while True:
            try:
                if request(key, "GET", f"http://127.0.0.1:{port}/").status == 200:
                    break
            except OSError:
                time.sleep(0.0005)
        times.append((time.perf_counter() - begun) * 1000)
        server.stop()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma-separated beginnings of workload names")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of weed and kelpgate per workload")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each run")
    parser.add_argument("--build", action="append", default=[], metavar="NAME=PATH", help="another build of kelpgate to compare with")
    parser.add_argument("--json", help="also write all medians to this file")
    arguments = parser.parse_args()
    for program in (kelpgate.binary(), LOAD):
        if not os.access(program, os.X_OK):
            raise SystemExit(f"{program} is missing: cargo build --release -p cli; cargo build --release -p testkit --example load")
    only = [word.strip() for word in arguments.only.split(",") if word.strip()]
    directory = Path(tempfile.mkdtemp(prefix="kelpgate-bench-"))
    results = {}
    try:
        bench = Bench(directory, dict(build.split("=", 1) for build in arguments.build))
        print(f"RSS idle: weed s3 {bench.idle_rss['weed']:.0f} MB, kelpgate s3 {bench.idle_rss['kelpgate']:.0f} MB\n\n{HEAD}")
        for workload in workloads(bench):
            if only and not any(workload.name.startswith(word) for word in only):
                continue
            results[workload.name] = bench.compare(workload, arguments.rounds, arguments.seconds)
            print(row(workload, results[workload.name]), flush=True)
            if arguments.build:
                print(builds_row(results[workload.name]), flush=True)
        print(f"\nRSS after: weed s3 {rss_mb(bench.weed.pid):.0f} MB, kelpgate s3 {rss_mb(bench.kelpgate.pid):.0f} MB")
        results["rss idle mb"] = bench.idle_rss
        if not only or "change" in only:
            times = change_latency(bench)
            results["change ms"] = times
            print(f"bucket policy from one gateway to another: median {statistics.median(times):.1f} ms, most {max(times):.1f} ms")
        if not only or "first" in only:
            times = first_request(directory)
            results["first request ms"] = times
            print(f"first request of kelpgate server: median {statistics.median(times):.0f} ms, most {max(times):.0f} ms")
    finally:
        for server in reversed(list(Server.running)):
            server.stop()
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
