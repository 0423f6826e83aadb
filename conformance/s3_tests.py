"""Runs a checkout of ceph/s3-tests against Kelpgate on both filers, and compares with what conformance/s3-tests.toml expects.

    python -m venv /tmp/s3-tests && /tmp/s3-tests/bin/pip install -r conformance/requirements.txt
    cargo build --release -p cli --bin kelpgate
    /tmp/s3-tests/bin/python conformance/s3_tests.py CHECKOUT [--filer embedded] [-k EXPRESSION] [--results FILE]

Exits with 1 if a test fails that is not on the list, or passes although it is there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]

import kelpgate
import world
from clients import Key, client, new_key, s3
from idp import Idp
from processes import Server
from weed import Cluster

# An administrator of each account. `iam` administers the account in which the suite's user `alt` is.
MAIN, ALT, TENANT, ROOT, ALT_ROOT = (str(n) * 12 for n in range(1, 6))
KEYS = {name: Key(f"AKIACONFORMANCE{n:05d}", f"conformance{n}".ljust(40, "x")) for n, name in enumerate(
    ["main", "iam", "tenant", "root", "alt-root"])}  # fmt: skip
ADMINISTRATORS = {MAIN: "main", ALT: "iam", TENANT: "tenant", ROOT: "root", ALT_ROOT: "alt-root"}


def identities():
    def identity(account, key):
        credentials = [{"accessKey": KEYS[key].access, "secretKey": KEYS[key].secret}]
        name = "root" if account in (ROOT, ALT_ROOT) else key
        return {"name": name, "account": {"id": account}, "credentials": credentials, "actions": ["Admin"]}

    return {"identities": [identity(account, key) for account, key in ADMINISTRATORS.items()]}


def flags(directory, filer_address, idp):
    """Two files that give the suite what it expects: its accounts, ACLs in new buckets, and an identity provider."""
    (directory / "identities.json").write_text(json.dumps(identities()))
    settings = {
        "newBuckets": {"objectOwnership": "ObjectWriter"},
        "oidc": {"privateHosts": ["127.0.0.1"], "tlsCaCert": str(idp.ca)},
    }
    iam = world.iam_config(filer_address, roles=[], policies=[], kelpgate=settings)
    (directory / "iam.json").write_text(json.dumps(iam))
    return [f"-config={directory}/identities.json", f"-iam.config={directory}/iam.json", "-iam.readOnly=false",
            "-autoCreateBucket=false", "-sigV2=on"]  # fmt: skip


def start(filer, directory, idp):
    if filer == "embedded":
        return kelpgate.SingleMachine(directory, flags(directory, "", idp))
    cluster = Cluster(directory / "cluster")
    return kelpgate.gateway("gateway", directory, cluster.filer, flags(directory, cluster.filer.address, idp))


def canonical_ids(url):
    """The canonical user id of each of the suite's accounts, which gets its name on the way."""
    ids = {}
    for account, key in ADMINISTRATORS.items():
        client("iam", url, KEYS[key]).create_account_alias(AccountAlias=f"{key}-account")
        ids[account] = s3(url, KEYS[key]).list_buckets()["Owner"]["ID"]
    return ids


def make_alt(url, name):
    """The user `alt`, whose policies the suite changes: its name is its account's canonical id, as on Ceph."""
    iam = client("iam", url, KEYS["iam"])
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    return new_key(iam, name)


REALM = "/auth/realms/demorealm"


def web_identity(idp):
    """What a provider with the suite's realm would give: a token of a client, and one of a user with a department."""
    hours = {"exp": int(time.time()) + 6 * 3600, "azp": idp.client}
    tags = {"https://aws.amazon.com/tags": {"principal_tags": {"Department": ["Engineering"]}}}
    return {"token": idp.token(**hours), "user_token": idp.token(**hours, **tags), "aud": idp.client, "azp": idp.client,
            "sub": idp.claims()["sub"], "thumbprint": "a" * 40, "KC_REALM": REALM.rsplit("/", 1)[1]}  # fmt: skip


def configuration(server, ids, alt, idp):
    def section(title, key, account, **more):
        lines = {"access_key": key.access, "secret_key": key.secret, "user_id": ids[account],
                 "email": f"{account}@example.com", "display_name": f"{ADMINISTRATORS[account]}-account", **more}  # fmt: skip
        return f"[{title}]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())

    return "\n".join([
        f"[DEFAULT]\nhost = 127.0.0.1\nport = {server.port}\nis_secure = False\nssl_verify = False\n",
        "[fixtures]\nbucket prefix = s3-tests-{random}-\niam name prefix = s3-tests-\niam path prefix = /s3-tests/\n",
        section("s3 main", KEYS["main"], MAIN, api_name="", lc_debug_interval=1),
        section("s3 alt", alt, ALT),
        section("s3 tenant", KEYS["tenant"], TENANT, tenant="testx"),
        section("iam", KEYS["iam"], ALT),
        # Here the suite wants the number of the account.
        section("iam root", KEYS["root"], ROOT, user_id=ROOT),
        section("iam alt root", KEYS["alt-root"], ALT_ROOT),
        "[webidentity]\n" + "".join(f"{name} = {value}\n" for name, value in web_identity(idp).items()),
    ])  # fmt: skip


def aws_valid(idp):
    """Where Ceph is content with less than AWS asks for, or takes what AWS refuses: what AWS expects in its place."""
    create = "Url='http://localhost:8080/auth/realms/{}'.format(realm),"
    return [
        # The service and an account in ARNs, and a region to sign for.
        ("arn:aws:iam:::assumed-role/", f"arn:aws:sts::{ALT}:assumed-role/"),
        ("arn:aws:iam:::", f"arn:aws:iam::{ALT}:"),
        ("arn:aws:iam::s3tenant1:", f"arn:aws:iam::{TENANT}:"),
        ("'region_name', ''", "'region_name', 'us-east-1'"),
        ("region_name=''", "region_name='us-east-1'"),
        # A policy of a role names no principal.
        ('"Principal":"*","Resource"', '"Resource"'),
        # A provider has https:// and client ids, and `aud` is the condition key for them; `app_id` is Facebook's.
        (create, f"{create} ClientIDList=[get_aud()],"),
        ("create_oidc_provider(iam_client, url, None,", "create_oidc_provider(iam_client, url, [get_aud()],"),
        (":app_id", ":aud"),
        ("http://localhost:8080/auth/realms", idp.issuer.rsplit("/", 1)[0]),
        ("localhost:8080/auth/realms", idp.prefix.rsplit("/", 1)[0]),
    ]


# Some tests leave inline policies to the user `alt`, which are in the way of the next ones. They go before the suite cleans up.
CONFTEST = """import pytest
from . import config, get_iam_client


@pytest.fixture(autouse=True)
def alt_loses_its_inline_policies(request):
    if request.node.path.name not in ("test_iam.py", "test_sts.py"):
        yield
        return
    request.getfixturevalue("setup_teardown")
    yield
    iam, user = get_iam_client(), config.alt_user_id
    for name in iam.list_user_policies(UserName=user)["PolicyNames"]:
        iam.delete_user_policy(UserName=user, PolicyName=name)
"""


def copy_of(checkout, directory, idp):
    """The suite with requests that are valid on AWS."""
    suite = directory / "s3-tests"
    shutil.copytree(checkout, suite, ignore=shutil.ignore_patterns(".git"))
    for name in ("__init__.py", "test_iam.py", "test_s3.py", "test_sts.py"):
        path = suite / "s3tests/functional" / name
        text = path.read_text()
        for ceph, aws in aws_valid(idp):
            text = text.replace(ceph, aws)
        path.write_text(text)
    (suite / "s3tests/functional/conftest.py").write_text(CONFTEST)
    return suite


# Waits for a quarter of an hour until its session has expired.
SLEEPS = "s3tests/functional/test_sts.py::test_assume_role_creds_expiry"

# Tests of these files delete all roles of the account when they end, so they run one after the other.
SERIAL = {"test_iam.py", "test_sts.py", "test_sns.py"}

# Counts all buckets of its account, so no other test may run at the same time, or before it.
FIRST = "s3tests/functional/test_s3.py::test_list_buckets_paginated"


def run_suite(suite, conf, directory, arguments):
    """Runs the suite and returns {test: None, or why it failed}. Skipped tests are left out."""
    files = sorted(path.name for path in (suite / "s3tests/functional").glob("test_*.py"))
    tests = {name: f"s3tests/functional/{name}" for name in files}
    parallel = [f"--deselect={FIRST}", *(path for name, path in tests.items() if name not in SERIAL)]
    serial = [tests[name] for name in sorted(SERIAL)]
    results = {}
    for phase, (chosen, workers) in enumerate([([FIRST], 0), (parallel, arguments.workers), (serial, 0)]):
        report = directory / f"report-{phase}.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}",
                   "--timeout=300", f"-n{workers}", f"--deselect={SLEEPS}", *(["-k", arguments.k] if arguments.k else [])]  # fmt: skip
        environment = {**os.environ, "S3TEST_CONF": str(conf), "AWS_DEFAULT_REGION": "us-east-1"}
        with open(directory / f"pytest-{phase}.log", "wb") as log:
            subprocess.run([*command, *chosen], cwd=suite, env=environment, stdout=log, stderr=log)
        results |= outcomes(report)
    return results


def outcomes(report):
    results = {}
    for case in ElementTree.parse(report).iter("testcase"):
        test = f"{case.get('classname').rsplit('.', 1)[1]}.py::{case.get('name')}"
        failed = case.find("failure") if case.find("failure") is not None else case.find("error")
        if failed is not None:
            results[test] = f"{failed.get('message')}\n{failed.text}"
        elif case.find("skipped") is None:
            results.setdefault(test, None)
    return results


# ---- what is expected


def expected(filer):
    """{test: reason} of the tests that fail on this filer."""
    groups = tomllib.loads((HERE / "s3-tests.toml").read_text())["fails"]
    return {test: group["reason"] for group in groups if filer in group.get("filers", [filer]) for test in group["tests"]}


AREAS = [
    ("IAM and STS", ("test_iam", "test_sts", "test_sns", "sts_")),
    ("S3 Select", ("s3select",)),
    ("bucket logging", ("logging",)),
    ("encryption", ("encrypt", "sse_", "kms")),
    ("lifecycle and storage classes", ("lifecycle", "cloud_", "restore", "storage_class", "read_through")),
    ("public access block", ("public_block", "block_public", "ignore_public", "public_acls", "policy_status", "restrict_public")),
    ("object ownership", ("ownership",)),
    ("object lock", ("object_lock", "legal_hold", "retention")),
    ("versions", ("version", "delete_marker")),
    ("ACLs", ("acl", "access_bucket", "grant", "canned")),
    ("bucket policies and tags", ("policy", "tagging", "tags", "_tag_")),
    ("CORS", ("cors",)),
    ("POST forms", ("post_object",)),
    ("multipart", ("multipart",)),
    ("conditional writes", ("ifmatch", "ifnonematch", "if_match", "if_none_match", "cond", "ifmodified", "ifunmodified")),
    ("copies", ("copy",)),
    ("listing", ("bucket_list", "listv2", "list_")),
    ("headers and authentication", ("test_headers", "auth", "presigned", "raw", "checksum")),
]


def area(test):
    return next((name for name, words in AREAS if any(word in test for word in words)), "other buckets and objects")


def compare(filer, results):
    """Prints passes per area and each difference from the list. Returns the number of differences."""
    known = expected(filer)
    total, passed = (Counter(area(test) for test in tests) for tests in (results, [t for t, why in results.items() if not why]))
    print(f"\n{filer}: {sum(passed.values())} of {sum(total.values())}")
    for name in sorted(total):
        print(f"  {name:32} {passed[name]:4} of {total[name]:4}")
    new = [test for test, why in results.items() if why and test not in known]
    mended = [test for test in known if test in results and not results[test]]
    for test in sorted(new):
        print(f"  FAILS, is not on the list: {test}: {results[test].splitlines()[0][:160]}")
    for test in sorted(mended):
        print(f"  PASSES, take it off the list: {test}")
    return len(new) + len(mended)


def run_on(filer, arguments):
    directory = Path(tempfile.mkdtemp(prefix=f"s3-tests-{filer}-"))
    idp = Idp(directory, REALM, tls=True)
    try:
        server = start(filer, directory, idp)
        ids = canonical_ids(server.url)
        conf = directory / "s3tests.conf"
        conf.write_text(configuration(server, ids, make_alt(server.url, ids[ALT]), idp))
        return run_suite(copy_of(arguments.checkout, directory, idp), conf, directory, arguments)
    finally:
        idp.stop()
        for running in reversed(list(Server.running)):
            running.kill()
        if not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="a checkout of ceph/s3-tests")
    parser.add_argument("--filer", choices=["embedded", "seaweedfs"], action="append", help="default: both")
    parser.add_argument("-k", default="", help="only these tests, as in pytest")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--results", type=Path, help="write each test's outcome here, as JSON")
    parser.add_argument("--keep", action="store_true", help="keep the directory with the servers' logs")
    arguments = parser.parse_args()
    results = {filer: run_on(filer, arguments) for filer in arguments.filer or ["embedded", "seaweedfs"]}
    if arguments.results:
        arguments.results.write_text(json.dumps(results, indent=1, sort_keys=True))
    sys.exit(1 if sum(compare(filer, found) for filer, found in results.items()) else 0)


if __name__ == "__main__":
    main()
