"""`kelpgate iam apply` and `iam diff`: IAM state as a tree of files, through a running gateway."""

import json
import os
import shutil
import threading

import jsonschema

import kelpgate
from clients import client, make_bucket, new_key, refused, s3, unique
from processes import run
from world import document, statement

MARKER = {"format": "kelpgate-iam-tree", "version": 1}
NOTHING = {"users": {}, "groups": {}, "roles": {}, "policies": {}, "oidcProviders": {}, "instanceProfiles": {}, "bucketPolicies": {}}
READ = document(statement("Allow", "s3:GetObject", "arn:aws:s3:::*/*"))
TRUST = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})


def iam(server, *arguments, code=0):
    url, key = server
    env = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret}
    done = kelpgate.cli("iam", *arguments, check=False, timeout=60, env=env)
    assert done.returncode == code and "panicked" not in done.stderr, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def put(directory, **kinds):
    """Writes a tree: users={"al": {...}}."""
    directory.mkdir(exist_ok=True)
    (directory / "kelpgate-iam.json").write_text(json.dumps(MARKER))
    for kind, entities in kinds.items():
        (directory / kind).mkdir(exist_ok=True)
        for name, entity in entities.items():
            (directory / kind / f"{name}.json").write_text(json.dumps(entity))
    return directory


def check_schema(tree):
    schema = json.loads((kelpgate.ROOT / "docs/iam-tree.schema.json").read_text())
    whole = {}
    for path in tree.rglob("*.json"):
        content = json.loads(path.read_text())
        if path.parent == tree:
            whole |= content
        else:
            whole.setdefault(path.parent.name, {})[path.stem] = content
    jsonschema.Draft202012Validator(schema).validate(whole)


def test_a_tree_is_applied(iam_server, tmp_path):
    url, key = iam_server
    api, objects = client("iam", url, key), s3(url, key)
    bucket, team, al, role, policy = make_bucket(objects, "tree"), unique("team"), unique("al"), unique("Role"), unique("Policy")
    objects.put_object(Bucket=bucket, Key="k", Body=b"text")
    bucket_policy = document(statement("Deny", "s3:GetObject", f"arn:aws:s3:::{bucket}/closed/*", Principal="*"))
    tree = put(
        tmp_path / "iam",
        policies={policy: {"document": READ, "tags": {"team": "blue"}}},
        groups={team: {"members": [al], "policies": [policy]}},
        users={al: {"path": "/divers/", "boundary": policy, "tags": {"team": "blue"}, "inlinePolicies": {"own": READ}}},
        roles={role: {"trustPolicy": TRUST, "maxSessionDuration": 7200, "policies": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}},
        bucketPolicies={bucket: {"document": bucket_policy}},
    )
    check_schema(tree)
    told = iam(iam_server, "diff", str(tree), code=2)
    assert f"create     user `{al}`" in told and "extra" in told
    with refused("NoSuchEntity"):
        api.get_user(UserName=al)
    assert "not aaaaaaaaaaaa" in iam(iam_server, "apply", "-plan=aaaaaaaaaaaa", str(tree), code=1)
    plan = told.rsplit("plan ", 1)[1].split(":")[0]
    iam(iam_server, "apply", f"-plan={plan}", str(tree))
    hers = s3(url, new_key(api, al))
    assert hers.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text", "it is in force when apply ends"
    assert "changed: 0" in iam(iam_server, "apply", str(tree)), "a second time changes nothing"
    assert f"not {plan}" in iam(iam_server, "apply", f"-plan={plan}", str(tree), code=1), "an approval counts for the state that it was given for"

    # Drift is seen and mended; her key stays.
    api.put_user_policy(UserName=al, PolicyName="more", PolicyDocument=json.dumps(READ))
    api.untag_user(UserName=al, TagKeys=["team"])
    objects.delete_bucket_policy(Bucket=bucket)
    told = iam(iam_server, "diff", str(tree), code=2)
    assert f"remove     user `{al}`: inline policy `more`" in told and f"create     policy of bucket `{bucket}`" in told, told
    iam(iam_server, "apply", str(tree))
    assert api.list_user_policies(UserName=al)["PolicyNames"] == ["own"]
    assert json.loads(objects.get_bucket_policy(Bucket=bucket)["Policy"]) == bucket_policy
    assert hers.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"

    # The state as files gives no differences and has no secrets.
    whole = tmp_path / "whole"
    iam(iam_server, "export", f"-endpoint={url}", f"-tree={whole}")
    check_schema(whole)
    assert json.loads((whole / f"users/{al}.json").read_text())["boundary"] == policy
    text = "".join(path.read_text() for path in whole.rglob("*.json"))
    assert key.secret not in text and "AKIA" not in text
    iam(iam_server, "diff", "-prune", str(whole))
    assert "is not empty" in iam(iam_server, "export", f"-endpoint={url}", f"-tree={whole}", code=1)

    # Only pruning deletes, and only what the shown plan has.
    for kind, name in [("users", al), ("groups", team), ("roles", role), ("policies", policy), ("bucketPolicies", bucket)]:
        (whole / kind / f"{name}.json").unlink()
    assert f"extra      user `{al}`" in iam(iam_server, "apply", str(whole))
    api.get_user(UserName=al)
    told = iam(iam_server, "apply", "-prune", str(whole))
    assert f"delete     user `{al}`" in told and "access key `AKIA" in told, told
    with refused("NoSuchEntity"):
        api.get_user(UserName=al)
    with refused("InvalidAccessKeyId"):
        hers.get_object(Bucket=bucket, Key="k")
    iam(iam_server, "diff", "-prune", str(whole))


def test_what_the_signer_may_not_do_is_not_done(embedded, tmp_path):
    server = (embedded.url, embedded.root)
    api = client("iam", embedded.url, embedded.root)
    name = unique("limited")
    api.create_user(UserName=name)
    api.put_user_policy(
        UserName=name, PolicyName="p", PolicyDocument=json.dumps(document(statement("Allow", ["iam:Get*", "iam:List*", "s3:List*", "s3:GetBucketPolicy"], "*")))
    )
    limited = (embedded.url, new_key(api, name))
    tree = put(tmp_path / "iam", users={name: {"policies": ["arn:aws:iam::aws:policy/AdministratorAccess"], "inlinePolicies": {}}})
    told = iam(limited, "apply", str(tree), code=1)
    assert "AccessDenied" in told and api.list_attached_user_policies(UserName=name)["AttachedPolicies"] == [], told
    put(tree, users={name: {"disabled": True}})
    assert "it signs these calls" in iam(limited, "apply", str(tree), code=1)
    assert iam(server, "diff", str(tree), code=2)


def test_two_applies_at_once(embedded, tmp_path):
    """The same tree twice at the same time: both end well, and the state is that of the tree."""
    server = (embedded.url, embedded.root)
    users = {unique("twin"): {"inlinePolicies": {"p": READ}} for _ in range(8)}
    tree = put(tmp_path / "iam", users=users)
    told = []
    both = [threading.Thread(target=lambda: told.append(iam(server, "apply", str(tree)))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(told) == 2, told
    assert "0 to change" in iam(server, "diff", str(tree), code=2)


def test_nothing_outside_of_the_tree_is_read_or_written(embedded, tmp_path):
    server = (embedded.url, embedded.root)
    secret = tmp_path / "outside.json"
    secret.write_text('{"c4nary": 1}')
    tree = put(tmp_path / "iam", users={"al": {}})
    link = tree / "users/eve.json"
    for make in (
        lambda: os.symlink(secret, link),
        lambda: os.symlink(tmp_path, link),
        lambda: os.mkfifo(link),
        lambda: link.write_bytes(b"\xff"),
        lambda: link.write_text('{"credentials": [{"secretKey": "c4nary"}]}'),
        lambda: link.write_text(" " * (2 << 20)),
    ):
        make()
        told = iam(server, "diff", str(tree), code=1)
        assert "eve.json" in told and "c4nary" not in told, told
        link.unlink()
    shutil.rmtree(tree / "users")
    os.symlink(tmp_path, tree / "users")
    assert "link" in iam(server, "apply", str(tree), code=1)
    # An export follows no link that waits for it.
    out = tmp_path / "out"
    out.mkdir()
    os.symlink(tmp_path / "elsewhere", out / "kelpgate-iam.json")
    assert "link" in iam(server, "export", f"-endpoint={embedded.url}", f"-tree={out}", code=1)
    assert not (tmp_path / "elsewhere").exists()


def test_import_and_export_know_trees_too(logs, tmp_path):
    """A stopped server's state as a tree, changed, and read back: keys stay."""
    server = kelpgate.SingleMachine(logs / "tree-import", name="tree-import")
    api = client("iam", server.url, server.root)
    api.create_user(UserName="al")
    key = new_key(api, "al")
    root = server.root
    server.stop()
    at, tree = f"-dir={server.data}", tmp_path / "iam"
    run([kelpgate.binary(), "iam", "export", at, f"-tree={tree}"])
    check_schema(tree)
    assert "0 to create, 0 to update" in run([kelpgate.binary(), "iam", "import", at, tree]).stdout
    (tree / "users/al.json").write_text(json.dumps({"inlinePolicies": {"all": document(statement("Allow", "s3:*", "*"))}}))
    assert "1 to create, 0 to update" in run([kelpgate.binary(), "iam", "import", at, tree]).stdout
    server.start()
    s3(server.url, key).create_bucket(Bucket="als-own")
    iam((server.url, root), "diff", "-prune", str(tree))
    server.stop()
