"""The drill of docs/iam-backup.md: exports on a schedule, and a restore into an empty filer."""

import json
import os
import stat
import subprocess


import kelpgate
import world
from clients import Key, body_of, client, make_bucket, s3
from processes import run
from signing import request
from weed import Filer

SCRIPT = kelpgate.ROOT / "deploy/kelpgate-iam-export"
ALL = world.document(world.statement("Allow", ["s3:*"], "*"))


def export(directory, passphrase, keep, *flags):
    path = os.pathsep.join([str(directory.parent / "bin"), os.environ["PATH"]])
    command = ["sh", str(SCRIPT), str(directory), str(passphrase), str(keep), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": path})


def test_an_export_of_last_night_brings_users_and_bucket_policies_back(logs, cluster, config_flags, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kelpgate").symlink_to(kelpgate.binary())
    passphrase, exports = tmp_path / "passphrase", tmp_path / "exports"
    old = Filer(logs, cluster.master, "iam-backup-old", ["-filerGroup=iambackupold"])
    flags = [config_flags[0], "-iam.readOnly=false"]
    gateway = kelpgate.gateway("iam-backup-old-gateway", logs / "iam-backup-old-gateway", old, flags)
    api, root = client("iam", gateway.url, world.ROOT), s3(gateway.url, world.ROOT)
    api.create_user(UserName="nora")
    made = api.create_access_key(UserName="nora")["AccessKey"]
    api.put_user_policy(UserName="nora", PolicyName="all", PolicyDocument=json.dumps(ALL))
    bucket = make_bucket(root, "drill")
    public = world.statement("Allow", ["s3:GetObject"], f"arn:aws:s3:::{bucket}/*") | {"Principal": "*"}
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps(world.document(public)))

    refused = export(exports, passphrase, 2, f"-filer={old.address}")
    assert refused.returncode != 0 and "there is no file" in refused.stderr
    assert list(exports.iterdir()) == [], "without a passphrase there is no export"
    passphrase.write_text("a passphrase of some length\n")
    passphrase.chmod(0o600)
    names = []
    for _ in range(3):
        done = export(exports, passphrase, 2, f"-filer={old.address}")
        assert done.returncode == 0, done.stderr
        names.append(done.stdout.strip())
    assert sorted(map(str, exports.iterdir())) == names[1:], "the newest two are kept"
    text = open(names[-1]).read()
    assert stat.S_IMODE(os.stat(names[-1]).st_mode) == 0o600 and stat.S_IMODE(exports.stat().st_mode) == 0o700
    assert made["AccessKeyId"] in text and made["SecretAccessKey"] not in text

    # The cluster is lost; nothing that fails removes an export.
    gateway.stop()
    old.server.kill()
    assert export(exports, passphrase, 1, f"-filer={old.address}").returncode != 0
    assert export(exports, passphrase, "all", f"-filer={old.address}").returncode == 2
    assert sorted(map(str, exports.iterdir())) == names[1:]

    new = Filer(logs, cluster.master, "iam-backup-new", ["-filerGroup=iambackupnew"])
    restored = kelpgate.gateway("iam-backup-new-gateway", logs / "iam-backup-new-gateway", new, flags)
    s3(restored.url, world.ROOT).create_bucket(Bucket=bucket)
    arguments = [f"-filer={new.address}", f"-passphraseFile={passphrase}"]
    kelpgate.cli("iam", "import", *arguments, "-dryRun", names[-1])
    assert request(Key(made["AccessKeyId"], made["SecretAccessKey"]), "GET", f"{restored.url}/{bucket}").status == 403
    kelpgate.cli("iam", "import", *arguments, names[-1])
    nora = s3(restored.url, Key(made["AccessKeyId"], made["SecretAccessKey"]))
    # The import does not wait for gateways. A change that a gateway answers does.
    client("iam", restored.url, world.ROOT).create_user(UserName="after")
    nora.put_object(Bucket=bucket, Key="k", Body=b"back")
    assert body_of(nora, bucket, "k") == b"back"
    assert json.loads(nora.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Principal"] == "*"
    restored.stop()
    new.server.kill()


def test_the_units_are_valid(tmp_path):
    names = ["kelpgate-iam-export.service", "kelpgate-iam-export.timer"]
    for name in names:
        text = (SCRIPT.parent / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/local/bin/kelpgate-iam-export", str(SCRIPT)))
    done = run(["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in names)], check=False)
    about_them = [line for line in (done.stdout + done.stderr).splitlines() if "kelpgate-iam-export" in line]
    assert not about_them, done.stderr
