"""SeaweedFS's guide "From Single to Multi-Instance", step by step, with `kelpgate` where it says `weed`.

The commands are the guide's own, except for the addresses: every `localhost:8888` is the filer of the test, and `filer.ls`, for
which the guide uses the default, gets `-filer`. Everything runs on a real SeaweedFS 4.48.
"""

import json
import re
import time

import pytest
import requests

import kelpgate
import world
from clients import assume, body_of, client, make_bucket, refused, s3
from processes import wait_for
from weed import Filer, weed_s3

# "Standard Configuration (Single Instance)" of the guide, its placeholder replaced by a key.
STANDARD = {
    "sts": {"tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "seaweedfs-sts", "signingKey": world.SIGNING_KEY},
    "policy": {"defaultEffect": "Deny", "storeType": "memory"},
}
# Step 2, verbatim.
STEP_2 = json.loads("""
   {
     "policy": { "storeType": "filer" },
     "roleStore": { "storeType": "filer" }
   }
""")


def tool(command, filer):
    """The output lines of the guide's `weed filer.ls PATH`."""
    program, *arguments = command.split()
    assert program == "weed"
    name, *rest = arguments
    return kelpgate.cli(name, f"-filer={filer.address}", *rest).stdout


@pytest.fixture(scope="module")
def guide(logs, cluster):
    """The guide's setup: one gateway with roles and policies in its configuration file, and users in another file."""
    filer = Filer(logs, cluster.master, "guide-filer", ["-filerGroup=guide"])
    files = logs / "guide"
    files.mkdir(exist_ok=True)
    identities = files / "identities.json"
    identities.write_text(json.dumps(world.IDENTITIES))
    defined = world.iam_config(filer.address)
    config = {**STANDARD, "roles": defined["roles"], "policies": defined["policies"]}
    return filer, files, identities, config


def write(path, config):
    path.write_text(json.dumps(config, indent=2))
    return path


def test_from_single_to_multi_instance_and_from_memory_to_filer(logs, guide, measured):
    filer, files, identities, config = guide
    start = lambda name, file, port=None: kelpgate.gateway(name, logs / name, filer, [f"-config={identities}", f"-iam.config={file}"], port)
    single = start("guide-single", write(files / "standard.json", config))
    root = s3(single.url, world.ROOT)
    bucket = make_bucket(root, "guide")
    root.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert body_of(s3(single.url, assume(single.url, world.BOB, "S3ReadOnlyRole")), bucket, "k") == b"v"
    assert filer.names("/seaweedfs/iam/roles") == [], "in memory means in memory"

    # 1. Stop existing S3 gateway
    single.stop()
    # 2. Update configuration to use filer storage
    merged = {**config, "policy": {**config["policy"], **STEP_2["policy"]}, "roleStore": STEP_2["roleStore"]}
    distributed = write(files / "distributed_config.json", merged)
    # 3. Start first instance with new config
    first = start("guide-first", distributed)
    # 4. Verify IAM data was migrated to filer
    wait_for(lambda: "advanced IAM" in first.log(), 10, "the log line `advanced IAM`", first)
    roles = tool("weed filer.ls /seaweedfs/iam/roles/", filer).split()
    assert {"S3AdminRole.json", "S3ReadOnlyRole.json"} <= set(roles)
    assert {"policies/", "roles/"} <= set(tool("weed filer.ls /seaweedfs/iam/", filer).split())
    policies = tool("weed filer.ls /seaweedfs/iam/policies/", filer).split()
    assert {"policy_S3AdminPolicy.json", "policy_S3ReadOnlyPolicy.json"} <= set(policies)
    began = time.monotonic()
    role = json.loads(tool("weed filer.cat /seaweedfs/iam/roles/S3ReadOnlyRole.json", filer))
    measured(f"time kelpgate filer.cat of a role: {(time.monotonic() - began) * 1000:.0f} ms")
    assert role["attachedPolicies"] == ["S3ReadOnlyPolicy"]
    # 5. Start additional instances with same config
    second, third = (start(f"guide-{name}", distributed) for name in ("second", "third"))
    gateways = [first, second, third]
    for one in gateways:
        session = assume(one.url, world.BOB, "S3ReadOnlyRole")
        for other in gateways:
            reader = s3(other.url, session)
            assert body_of(reader, bucket, "k") == b"v"
            with refused("AccessDenied", 403):
                reader.put_object(Bucket=bucket, Key="no", Body=b"")

    # "Check if all instances use same filer"; "Monitor filer latency"
    states = [requests.get(f"{gateway.url}/status", timeout=5).json() for gateway in gateways]
    assert len({(state["configuration"]["filersFingerprint"], state["iam"]["revision"], str(state["configuration"])) for state in states}) == 1, states
    assert requests.get(f"{filer.url}/stats", timeout=5).status_code in (200, 404), "the guide's curl http://filer:8888/stats"
    done = kelpgate.cli("doctor", f"-filer={filer.address}", f"-endpoint={','.join(gateway.url for gateway in gateways)}", check=False)
    assert done.returncode == 0, done.stdout

    # "From Memory to Filer", 4. Remove config-based definitions (now stored in filer)
    bare = write(files / "bare.json", {key: value for key, value in merged.items() if key not in ("roles", "policies")})
    for gateway in gateways:
        gateway.stop()
    again = start("guide-bare", bare)
    session = assume(again.url, world.BOB, "S3ReadOnlyRole")
    assert body_of(s3(again.url, session), bucket, "k") == b"v"
    assert set(tool("weed filer.ls /seaweedfs/iam/roles/", filer).split()) == set(roles)
    again.stop()


def test_the_users_follow(logs, guide):
    """docs/migration.md: all users of the file except root move to the filer. Then their keys are the same everywhere."""
    filer, files, identities, _ = guide
    people = json.loads(identities.read_text())
    moving = {**people, "identities": [one for one in people["identities"] if one["name"] != "root"]}
    done = kelpgate.cli("iam", "import", f"-filer={filer.address}", write(files / "moving.json", moving))
    assert re.search(r"plan: \d+ to create, 0 to update, 0 unchanged, 0 refused", done.stdout), done.stdout
    staying = write(files / "root.json", {"identities": [one for one in people["identities"] if one["name"] == "root"]})
    flags = [f"-config={staying}", f"-iam.config={files / 'bare.json'}", "-iam.readOnly=false"]
    one, two = (kelpgate.gateway(f"guide-users-{n}", logs / f"guide-users-{n}", filer, flags) for n in (1, 2))
    bucket = make_bucket(s3(one.url, world.ROOT), "users")
    for gateway in (one, two):
        s3(gateway.url, world.ALICE).put_object(Bucket=bucket, Key="k", Body=b"v")
    api = client("iam", one.url, world.ROOT)
    api.update_access_key(UserName="alice", AccessKeyId=world.ALICE.access, Status="Inactive")
    with refused("InvalidAccessKeyId", 403):
        s3(one.url, world.ALICE).list_objects_v2(Bucket=bucket)
    api.update_access_key(UserName="alice", AccessKeyId=world.ALICE.access, Status="Active")
    for gateway in (one, two):
        gateway.stop()


def test_and_back_to_weed(logs, guide):
    """docs/migration.md, rollback: `weed s3` on the same filer and files serves the same objects, users and sessions."""
    filer, files, _, config = guide
    staying = files / "root.json"
    distributed = files / "distributed_config.json"
    bare = files / "bare.json"
    kelp = kelpgate.gateway("guide-back", logs / "guide-back", filer, [f"-config={staying}", f"-iam.config={bare}"])
    bucket = make_bucket(s3(kelp.url, world.ROOT), "back")
    s3(kelp.url, world.ALICE).put_object(Bucket=bucket, Key="k", Body=b"v")
    session = assume(kelp.url, world.BOB, "S3ReadOnlyRole")
    kelp.stop()
    weed = weed_s3("guide-weed", logs / "guide-weed", filer, [f"-config={staying}", f"-iam.config={distributed}"])
    assert body_of(s3(weed.url, world.ALICE), bucket, "k") == b"v"
    assert body_of(s3(weed.url, session), bucket, "k") == b"v", "`weed s3` takes its roles from the file"
    weed.stop()
