"""`kelpgate iam`: export and import between clusters and from other systems, and secrets at rest."""

import json
import os
import stat
import subprocess
import time
import zipfile

import pytest

import kelpgate
import world
from clients import Key, client, make_bucket, refused, s3, unique
from processes import wait_for
from signing import request
from weed import Filer

PASSPHRASE = "correct horse battery staple"
SECRETS_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
NEWER_SECRETS_KEY = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
READ = world.document(world.statement("Allow", ["s3:GetObject", "s3:ListBucket"], "*"))


def iam(*arguments, env=None, code=0):
    done = kelpgate.cli("iam", *arguments, check=False, timeout=60, env=env)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def store(logs, cluster):
    """Its own filer, with a gateway that allows IAM changes."""
    filer = Filer(logs, cluster.master, "transfer-filer", ["-filerGroup=transfer"])
    identities = logs / "transfer-identities.json"
    root = {"identities": [{"name": "root", "credentials": [{"accessKey": world.ROOT.access, "secretKey": world.ROOT.secret}], "actions": ["Admin"]}]}
    identities.write_text(json.dumps(root))
    config = logs / "transfer-iam.json"
    config.write_text(json.dumps(world.iam_config(filer.address)))
    flags = [f"-config={identities}", f"-iam.config={config}", "-iam.readOnly=false"]
    gateway = kelpgate.gateway("transfer", logs / "transfer", filer, flags)
    return filer, gateway, flags


@pytest.fixture(scope="module")
def people(store):
    """Creates a user with everything that an export has to contain. Returns her key."""
    _, gateway, _ = store
    api = client("iam", gateway.url, world.ROOT)
    api.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "k", "Value": "v"}])
    made = api.create_access_key(UserName="ann")["AccessKey"]
    arn = api.create_policy(PolicyName="Readers", PolicyDocument=json.dumps(READ), Description="who reads")["Policy"]["Arn"]
    api.attach_user_policy(UserName="ann", PolicyArn=arn)
    api.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=json.dumps(READ))
    api.create_group(GroupName="staff")
    api.add_user_to_group(GroupName="staff", UserName="ann")
    api.attach_group_policy(GroupName="staff", PolicyArn=arn)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    api.create_role(RoleName="visitor", AssumeRolePolicyDocument=json.dumps(trust))
    api.put_role_policy(RoleName="visitor", PolicyName="own", PolicyDocument=json.dumps(READ))
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def test_an_export_has_everything_and_no_secret(store, people):
    filer, _, _ = store
    text = iam("export", f"-filer={filer.address}").stdout
    assert text == iam("export", f"-filer={filer.address}").stdout, "the order changes"
    export = json.loads(text)
    assert people.access in text and people.secret not in text
    assert export["users"]["ann"]["facts"]["path"] == "/team/" and export["users"]["ann"]["document"]["tags"]
    assert export["groups"]["staff"]["document"]["members"] == ["ann"]
    assert export["policies"]["Readers"]["document"] == READ and export["policies"]["S3AdminPolicy"]["place"] == "configuration"
    assert export["inlinePolicies"]["users"]["ann"]["own"]["document"] == READ
    assert export["inlinePolicies"]["roles"]["visitor"]["own"]["document"] == READ
    assert {"visitor", "S3AdminRole"} <= set(export["roles"])
    assert "root" not in export["users"], "what the identities file defines stays in that file"


def test_from_one_cluster_into_another(store, people, tmp_path):
    """Encrypted secrets, a dry run, the import, and a second one that finds nothing to do."""
    filer, gateway, _ = store
    out = tmp_path / "iam.json"
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    passphrase.chmod(0o600)
    iam("export", f"-filer={filer.address}", "-secrets=encrypted", f"-passphraseFile={passphrase}", f"-out={out}")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert people.secret not in out.read_text() and "kelpgate-sealed:1:" in out.read_text()

    target = kelpgate.SingleMachine(tmp_path, name="target")
    target.stop()
    at = f"-dir={target.data}"
    env = {"KELPGATE_EXPORT_PASSPHRASE": PASSPHRASE}
    plan = iam("import", at, "-dryRun", str(out), env=env).stdout
    assert "create     user `ann`" in plan and "nothing was written" in plan, plan
    assert "create     user `ann`" in iam("import", at, "-dryRun", str(out), env=env).stdout, "a dry run writes nothing"
    done = iam("import", at, str(out), env=env).stdout
    assert "0 refused" in done, done
    again = iam("import", at, str(out), env=env).stdout
    assert "0 to create, 0 to update" in again and "unchanged  user `ann`" in again, again

    target.start()
    wait_for(lambda: request(people, "GET", target.url + "/no-such-bucket?list-type=2").status == 404, 10, "ann's key", target)
    api = client("iam", target.url, target.root)
    user = api.get_user(UserName="ann")["User"]
    before = client("iam", gateway.url, world.ROOT).get_user(UserName="ann")["User"]
    assert (user["UserId"], user["CreateDate"], user["Arn"]) == (before["UserId"], before["CreateDate"], before["Arn"])
    assert [p["PolicyName"] for p in api.list_attached_user_policies(UserName="ann")["AttachedPolicies"]] == ["Readers"]
    target.stop()


def test_a_passphrase_that_is_not_the_one(store, people, tmp_path):
    filer, _, _ = store
    out = tmp_path / "iam.json"
    iam("export", f"-filer={filer.address}", "-secrets=encrypted", f"-out={out}", env={"KELPGATE_EXPORT_PASSPHRASE": PASSPHRASE})
    for env, words in [({}, "passphrase"), ({"KELPGATE_EXPORT_PASSPHRASE": "short"}, "12"), ({"KELPGATE_EXPORT_PASSPHRASE": "another long one"}, "not the right one")]:
        done = iam("import", f"-filer={filer.address}", "-dryRun", str(out), env=env, code=1)
        assert words in done.stderr, done
    iam("export", f"-filer={filer.address}", "-secrets=encrypted", code=1)


def test_plain_secrets_are_loud(store, people):
    filer, _, _ = store
    done = iam("export", f"-filer={filer.address}", "-secrets=plain")
    assert people.secret in done.stdout and "WARNING" in done.stderr


def test_an_import_takes_secrets_that_are_left_out_from_what_is_stored(store, people, tmp_path):
    filer, gateway, _ = store
    out = tmp_path / "iam.json"
    iam("export", f"-filer={filer.address}", f"-out={out}")
    assert "0 to create, 0 to update" in iam("import", f"-filer={filer.address}", str(out)).stdout
    export = json.loads(out.read_text())
    export["users"]["ann"]["document"]["actions"] = ["Read:somewhere"]
    export["users"]["ben"] = {"document": {"name": "ben", "credentials": [{"access_key": "AKIABEN", "secret_key": ""}]}}
    out.write_text(json.dumps(export))
    done = iam("import", f"-filer={filer.address}", str(out)).stdout
    assert "update     user `ann`: actions" in done and "AKIABEN" in done and "left out" in done, done
    assert filer.read("/etc/iam/identities/ann.json").json()["actions"] == ["Read:somewhere"]
    assert request(people, "GET", gateway.url + "/no-such-bucket?list-type=2").status == 404, "her key still works"


def test_what_is_refused_stops_all_of_it(store, tmp_path):
    filer, _, _ = store
    bad = {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}]}
    export = {"format": "kelpgate-iam", "version": 1,
              "users": {"eve": {"document": {"name": "eve"}}, "dan": {"document": {"name": "dan"}}},
              "inlinePolicies": {"users": {"eve": {"p": {"document": bad}}}}}  # fmt: skip
    out = tmp_path / "iam.json"
    out.write_text(json.dumps(export))
    done = iam("import", f"-filer={filer.address}", str(out), code=1).stdout
    assert "refused    inline policy `p` of user `eve`" in done and "refused    user `eve`" in done and "nothing was written" in done, done
    assert "dan.json" not in filer.names("/etc/iam/identities")
    iam("import", f"-filer={filer.address}", "-skipRefused", str(out), code=1)
    assert "dan.json" in filer.names("/etc/iam/identities") and "eve.json" not in filer.names("/etc/iam/identities")
    done = iam("import", "-endpoint=http://127.0.0.1:1", str(out), code=1)
    assert "-endpoint is not supported" in done.stderr


def test_from_the_identities_file_of_weed(logs, cluster, tmp_path):
    """The users of a `weed s3 -config` file move to the filer, where both `weed s3` and Kelpgate see them."""
    filer = Filer(logs, cluster.master, "from-weed", ["-filerGroup=fromweed"])
    config = json.loads(json.dumps(world.IDENTITIES))
    file = tmp_path / "identities.json"
    file.write_text(json.dumps(config))
    done = iam("import", f"-filer={filer.address}", "-skipRefused", str(file), code=1).stdout
    assert "refused    user `root`" in done and "create     user `alice`" in done, done
    config["identities"] = [identity for identity in config["identities"] if identity["name"] != "root"]
    file.write_text(json.dumps(config))
    assert "0 to create, 0 to update" in iam("import", f"-filer={filer.address}", str(file)).stdout
    gateway = kelpgate.gateway("from-weed", logs / "from-weed-gateway", filer)
    assert request(world.ALICE, "GET", gateway.url + "/no-such?list-type=2").status == 404
    assert request(world.ALICE_SERVICE, "GET", gateway.url + "/no-such?list-type=2").status == 404
    assert request(world.POLICIED, "GET", gateway.url + "/world-data?list-type=2").status == 404
    assert request(world.DISABLED, "GET", gateway.url + "/").status == 403
    gateway.stop()
    shown = cluster.shell("s3.configure", filer)
    assert "alice" in shown and "policied" in shown, "`weed` reads what was written"
    file.write_text(shown[shown.index("{") : shown.rindex("}") + 1])
    done = iam("import", f"-filer={filer.address}", str(file)).stdout
    assert "0 to create, 0 to update" in done, f"the output of `weed shell` is read back: {done}"


def test_from_minio(logs, cluster, tmp_path):
    """The zip of `mc admin cluster iam export`."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::*"]}]}
    files = {
        "policies.json": {"lister": policy},
        "users.json": {"minnie": {"secretKey": f"{world.CANARY}-minnie", "status": "enabled"}},
        "groups.json": {"mice": {"version": 1, "status": "enabled", "members": ["minnie"], "updatedAt": "2024-01-01T00:00:00Z"}},
        "group_mappings.json": {"mice": {"version": 1, "policy": "lister", "updatedAt": "2024-01-01T00:00:00Z"}},
        "user_mappings.json": {},
        "stsuser_mappings.json": {},
        "svcaccts.json": {
            "MINNIESVC": {
                "parent": "minnie", "accessKey": "MINNIESVC", "secretKey": f"{world.CANARY}-minniesvc", "groups": None, "claims": {},
                "sessionPolicy": None, "status": "on", "name": "", "description": "", "expiration": "1970-01-01T00:00:00Z",
            }
        },
    }  # fmt: skip
    archive = tmp_path / "iam.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(f"iam-assets/{name}", json.dumps(content))
    filer = Filer(logs, cluster.master, "from-minio", ["-filerGroup=fromminio"])
    done = iam("import", f"-filer={filer.address}", str(archive)).stdout
    assert "4 to create" in done and "0 refused" in done, done
    directory = tmp_path / "unpacked"
    zipfile.ZipFile(archive).extractall(directory)
    assert "0 to create, 0 to update" in iam("import", f"-filer={filer.address}", str(directory)).stdout
    gateway = kelpgate.gateway("from-minio", logs / "from-minio-gateway", filer)
    for key in (Key("minnie", f"{world.CANARY}-minnie"), Key("MINNIESVC", f"{world.CANARY}-minniesvc")):
        assert request(key, "GET", gateway.url + "/no-such?list-type=2").status == 404
        assert request(key, "PUT", gateway.url + "/minnies-bucket").status == 403
    gateway.stop()


def test_damaged_files_are_named(store, tmp_path):
    filer, _, _ = store
    for name, content, words in [
        ("none.json", None, "none.json"),
        ("half.json", b"{", "line 1"),
        ("other.json", b"{}", "neither an export"),
        ("half.zip", b"PK\x03\x04half", "half.zip"),
        ("binary", b"\xff\xfe", "neither text nor a zip"),
    ]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        done = iam("import", f"-filer={filer.address}", str(path), code=1)
        assert words in done.stderr and "panicked" not in done.stderr, done
    (tmp_path / "empty").mkdir()
    assert "MinIO" in iam("import", f"-filer={filer.address}", str(tmp_path / "empty"), code=1).stderr


# ---- secrets at rest


def test_secrets_at_rest(logs, store, people, tmp_path):
    """Secrets are encrypted, used, rotated and decrypted again. A gateway without the key refuses and says so."""
    filer, blind, flags = store
    stored = lambda: filer.read("/etc/iam/identities/ann.json").text
    works = lambda gateway: request(people, "GET", gateway.url + "/no-such-bucket?list-type=2").status == 404
    at = f"-filer={filer.address}"
    env = {"KELPGATE_SECRETS_KEY": SECRETS_KEY}
    assert "openssl rand" in iam("encrypt-secrets", at, code=1).stderr, "without a key it says how to make one"
    sighted = kelpgate.gateway("sighted", logs / "sighted", filer, flags, env=env)
    assert works(blind) and works(sighted) and people.secret in stored()

    iam("encrypt-secrets", at, env=env)
    assert people.secret not in stored() and "kelpgate-sealed:1:" in stored()
    once = stored()
    iam("encrypt-secrets", at, env=env)
    assert stored() == once, "a second time changes nothing"
    wait_for(lambda: not works(blind), 5, "the gateway without a key refuses")
    assert works(sighted)
    answer = request(people, "GET", blind.url + "/")
    assert answer.status == 403 and answer.code == "InvalidAccessKeyId"
    done = kelpgate.cli("doctor", at, check=False)
    assert done.returncode == 1 and people.access in done.stdout and "secretsKeyFile" in done.stdout, done.stdout
    assert "different configurations" in done.stdout, "the two gateways do not have the same keys"
    assert people.access not in kelpgate.cli("doctor", at, check=False, env=env).stdout

    # The gateway with the key writes encrypted secrets. A command on the other gateway keeps what it cannot read.
    api = client("iam", sighted.url, world.ROOT)
    second = api.create_access_key(UserName="ann")["AccessKey"]
    assert second["SecretAccessKey"] not in stored()
    wait_for(lambda: len(client("iam", blind.url, world.ROOT).list_access_keys(UserName="ann")["AccessKeyMetadata"]) == 2, 5, "the key")
    arn = api.list_attached_user_policies(UserName="ann")["AttachedPolicies"][0]["PolicyArn"]
    client("iam", blind.url, world.ROOT).detach_user_policy(UserName="ann", PolicyArn=arn)
    wait_for(lambda: not api.list_attached_user_policies(UserName="ann")["AttachedPolicies"], 5, "the policy is detached")
    assert works(sighted) and people.secret not in stored()
    api.delete_access_key(UserName="ann", AccessKeyId=second["AccessKeyId"])

    # With the key, an export contains the secrets.
    plain = iam("export", at, "-secrets=plain", env=env).stdout
    assert people.secret in plain

    # Rotation: put the new key first, then remove the old one.
    keys = tmp_path / "secrets-keys"
    keys.write_text(f"# the new one, then the old one\n{NEWER_SECRETS_KEY}\n{SECRETS_KEY}\n")
    keys.chmod(0o600)
    config = tmp_path / "iam.json"
    config.write_text(json.dumps(world.iam_config(filer.address, kelpgate={"secretsKeyFile": str(keys)})))
    before = stored()
    iam("encrypt-secrets", at, f"-iam.config={config}")
    assert stored() != before
    newer = kelpgate.gateway("newer", logs / "newer", filer, flags, env={"KELPGATE_SECRETS_KEY": NEWER_SECRETS_KEY})
    assert works(newer)
    wait_for(lambda: not works(sighted), 5, "with only the old key, nothing opens")
    done = iam("decrypt-secrets", at, env=env, code=1)
    assert people.access in done.stdout

    iam("decrypt-secrets", at, f"-iam.config={config}")
    assert people.secret in stored()
    for gateway in (blind, sighted, newer):
        wait_for(lambda gateway=gateway: works(gateway), 5, "both gateways read it again")
    for gateway in (sighted, newer):
        gateway.stop()


def test_a_secret_does_not_open_for_somebody_else(logs, store, people, tmp_path):
    """Someone who can write to the filer cannot give one user's encrypted secret to another user."""
    filer, _, flags = store
    env = {"KELPGATE_SECRETS_KEY": SECRETS_KEY}
    iam("encrypt-secrets", f"-filer={filer.address}", env=env)
    sealed = filer.read("/etc/iam/identities/ann.json").json()["credentials"][0]
    thief = {"name": "thief", "actions": ["Admin"], "credentials": [{**sealed, "access_key": "AKIATHIEF"}]}
    filer.write_json("/etc/iam/identities/thief.json", thief)
    gateway = kelpgate.gateway("thief", logs / "thief", filer, flags, env=env)
    for secret in (people.secret, sealed["secret_key"]):
        assert request(Key("AKIATHIEF", secret), "GET", gateway.url + "/").status == 403
    assert request(people, "GET", gateway.url + "/no-such-bucket?list-type=2").status == 404
    gateway.stop()
    filer.delete("/etc/iam/identities/thief.json")
    iam("decrypt-secrets", f"-filer={filer.address}", env=env)


def test_keys_that_are_wrong_stop_the_start(store, tmp_path):
    filer, _, flags = store
    loose = tmp_path / "loose"
    loose.write_text(SECRETS_KEY)
    loose.chmod(0o644)
    start = lambda *more, env=None: kelpgate.cli("s3", f"-filer={filer.address}", "-port=1", *more, check=False, timeout=20, env=env)
    for env, file, words in [
        ({"KELPGATE_SECRETS_KEY": "short"}, None, "KELPGATE_SECRETS_KEY: key 1"),
        ({"KELPGATE_SECRETS_KEY": SECRETS_KEY}, loose, "keep one"),
        ({}, loose, "chmod 600"),
        ({}, tmp_path / "nowhere", "no file"),
    ]:
        config = tmp_path / "iam.json"
        config.write_text(json.dumps(world.iam_config(filer.address, kelpgate={"secretsKeyFile": str(file)} if file else {})))
        done = start(f"-iam.config={config}", env=env)
        assert done.returncode == 1 and words in done.stderr and SECRETS_KEY not in done.stderr, done


def test_the_owner_of_an_export_is_alone(store, tmp_path):
    """An export that replaces a file which others may read is private all the same."""
    filer, _, _ = store
    out = tmp_path / "iam.json"
    out.write_text("old")
    os.chmod(out, 0o644)
    iam("export", f"-filer={filer.address}", f"-out={out}", "-bucketPolicies")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_bucket_policies_go_to_the_buckets_that_there_are(store, tmp_path):
    filer, gateway, _ = store
    root, anybody = s3(gateway.url, world.ROOT), s3(gateway.url)
    kept, gone = make_bucket(root, "kept"), make_bucket(root, "gone")
    policy = lambda name: world.document(world.statement("Allow", "s3:GetObject", f"arn:aws:s3:::{name}/*", Principal="*"))
    root.put_object(Bucket=kept, Key="k", Body=b"text")
    for name in (kept, gone):
        root.put_bucket_policy(Bucket=name, Policy=json.dumps(policy(name)))
    out = tmp_path / unique("iam.json")
    iam("export", f"-filer={filer.address}", "-bucketPolicies", f"-out={out}")
    document = json.loads(out.read_text())
    assert {name: document["bucketPolicies"][name] for name in (kept, gone)} == {kept: policy(kept), gone: policy(gone)}
    root.delete_bucket(Bucket=gone)
    root.delete_bucket_policy(Bucket=kept)
    with refused("AccessDenied", 403):
        anybody.get_object(Bucket=kept, Key="k")
    # A policy that is not valid for its bucket stops everything.
    out.write_text(json.dumps({**document, "bucketPolicies": {kept: policy("another")}}))
    assert f"refused    policy of bucket `{kept}`" in iam("import", f"-filer={filer.address}", str(out), code=1).stdout

    out.write_text(json.dumps(document))
    first = iam("import", f"-filer={filer.address}", str(out)).stdout
    assert f"create     policy of bucket `{kept}`" in first and f"skipped    policy of bucket `{gone}`" in first
    assert "written: 1\n" in first and "this command does not wait for them" in first
    # As it says: the next answered change, even one that changes nothing, waits for everything before it.
    with refused("NoSuchEntity", 404):
        client("iam", gateway.url, world.ROOT).delete_account_alias(AccountAlias="none-of-ours")
    assert anybody.get_object(Bucket=kept, Key="k")["Body"].read() == b"text"
    assert f"unchanged  policy of bucket `{kept}`" in iam("import", f"-filer={filer.address}", str(out)).stdout
    changed = policy(kept) | {"Id": "changed"}
    out.write_text(json.dumps({**document, "bucketPolicies": {kept: changed}}))
    assert f"update     policy of bucket `{kept}`" in iam("import", f"-filer={filer.address}", str(out)).stdout


def test_encryption_is_interrupted_and_meets_writers(logs, store, tmp_path):
    """A kill at any moment leaves complete documents, and the next run does the rest. What others write meanwhile is not lost."""
    filer, _, flags = store
    names = [f"crew-{n:03}" for n in range(120)]
    for name in names:
        key = {"access_key": f"AK{name}", "secret_key": f"{world.CANARY}-{name}", "status": "Active"}
        filer.write_json(f"/etc/iam/identities/{name}.json", {"name": name, "credentials": [key]})
    env = {"KELPGATE_SECRETS_KEY": SECRETS_KEY}
    gateway = kelpgate.gateway("crew", logs / "crew", filer, flags, env=env)
    api = client("iam", gateway.url, world.ROOT)
    documents = lambda: {name: filer.read(f"/etc/iam/identities/{name}.json").json() for name in names}
    sealed = lambda: [name for name, document in documents().items() if "sealed" in document["credentials"][0]["secret_key"]]
    command = [kelpgate.binary(), "iam", "encrypt-secrets", f"-filer={filer.address}"]
    killed = 0
    for delay_s in (0.12, 0.16, 0.2, 0.3, 0.4):
        one = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        made = [api.create_access_key(UserName=names[n])["AccessKey"] for n in range(killed, killed + 2)]
        time.sleep(delay_s)
        one.kill()
        one.wait()
        killed += 2
        some = len(sealed())
        for key in made:
            answer = request(Key(key["AccessKeyId"], key["SecretAccessKey"]), "GET", gateway.url + "/no-such-bucket?list-type=2")
            assert answer.status == 403 and answer.code == "AccessDenied", answer
    iam("encrypt-secrets", f"-filer={filer.address}", env=env)
    assert sealed() == names, f"{some} before the last run"
    assert all(len(documents()[name]["credentials"]) == 2 for name in names[:killed]), "a key that was made meanwhile is lost"
    key = Key(f"AK{names[-1]}", f"{world.CANARY}-{names[-1]}")
    assert request(key, "GET", gateway.url + "/no-such-bucket?list-type=2").code == "AccessDenied"
    iam("decrypt-secrets", f"-filer={filer.address}", env=env)
    assert sealed() == []
    gateway.stop()
    for name in names:
        filer.delete(f"/etc/iam/identities/{name}.json")
