"""The two configuration files: what they grant, what is written to the filer, and what prevents the start."""

import base64
import datetime
import json

import pytest
from botocore.exceptions import ClientError

import kelpgate
import world
from clients import Key, assume, body_of, client, new_key, refused, s3, unique
from processes import Server, free_port
from signing import request, send
from world import ALICE, ALICE_EXPIRED_SERVICE, ALICE_SERVICE, BOB, DISABLED, INACTIVE, POLICIED, READER, ROOT, STRANGER, document, statement

# The seed's second example, verbatim except for the filer address.
SEED = """{
  "sts": {
    "tokenDuration": "1h",
    "maxSessionLength": "12h",
    "issuer": "seaweedfs-sts",
    "signingKey": "base64-encoded-signing-key"
  },
  "policy": {
    "defaultEffect": "Deny",
    "storeType": "filer",
    "storeConfig": {
      "filerAddress": "FILER",
      "basePath": "/seaweedfs/iam/policies"
    }
  },
  "roleStore": {
    "storeType": "filer",
    "storeConfig": {
      "filerAddress": "FILER",
      "basePath": "/seaweedfs/iam/roles"
    }
  }
}
"""


@pytest.fixture(scope="module")
def url(gateway_a, root_a):
    existing = [b["Name"] for b in root_a.list_buckets()["Buckets"]]
    for bucket in ("world-shared", "world-data"):
        if bucket not in existing:
            root_a.create_bucket(Bucket=bucket)
    for bucket, key in [
        ("world-shared", "a"),
        ("world-data", "public/a"),
        ("world-data", "private/a"),
        ("world-data", "logs/a"),
    ]:
        root_a.put_object(Bucket=bucket, Key=key, Body=b"x")
    return gateway_a.url


@pytest.mark.parametrize(
    "key, method, path, want",
    [
        (ROOT, "GET", "/world-data/private/a", 200),
        (ALICE, "GET", "/world-data/private/a", 200),
        (ALICE, "PUT", "/world-data/from-alice", 200),
        (ALICE, "GET", "/world-data?list-type=2", 200),
        (ALICE, "PUT", "/a-bucket-of-alice", 403),
        (ALICE_SERVICE, "GET", "/world-data/private/a", 200),
        (ALICE_SERVICE, "PUT", "/a-bucket-of-alice", 403),
        (ALICE_EXPIRED_SERVICE, "GET", "/world-data/private/a", 403),
        (BOB, "GET", "/world-data/public/a", 403),
        (BOB, "GET", "/world-data?list-type=2", 403),
        (READER, "GET", "/world-shared/a", 200),
        (READER, "GET", "/world-shared?list-type=2", 200),
        (READER, "PUT", "/world-shared/b", 403),
        (READER, "DELETE", "/world-shared/a", 403),
        (READER, "GET", "/world-data/public/a", 200),
        (READER, "GET", "/world-data/private/a", 403),
        (READER, "GET", "/world-data/Public/a", 403),
        (READER, "PUT", "/world-data/drop-1/new", 200),
        (READER, "PUT", "/world-data/drop-12/new", 403),
        (POLICIED, "GET", "/world-data/logs/a", 200),
        (POLICIED, "GET", "/world-data/public/a", 403),
        (POLICIED, "GET", "/world-data?list-type=2", 200),
        (DISABLED, "GET", "/world-data/public/a", 403),
        (INACTIVE, "GET", "/world-data/public/a", 403),
        (STRANGER, "GET", "/world-data/public/a", 403),
    ],
)
def test_what_the_identities_file_grants(url, key, method, path, want):
    answer = request(key, method, url + path, b"x" if method == "PUT" and path.count("/") > 1 else b"")
    assert answer.status == want, answer
    if key in (DISABLED, INACTIVE, STRANGER):
        assert answer.code == "InvalidAccessKeyId"


@pytest.mark.parametrize("key, want", [(ROOT, 200), (ALICE, 403), (BOB, 403), (READER, 403), (POLICIED, 403)])
def test_iam_is_for_administrators(url, key, want):
    answer = request(
        key, "POST", url + "/", b"Action=ListUsers&Version=2010-05-08",
        {"content-type": "application/x-www-form-urlencoded"}, service="iam",
    )  # fmt: skip
    assert answer.status == want, answer


def test_list_buckets_shows_what_may_be_seen(url):
    assert {"world-shared", "world-data"} <= {b["Name"] for b in s3(url, ROOT).list_buckets()["Buckets"]}


def test_list_buckets_shows_what_legacy_actions_name(tmp_path):
    """Anonymous callers and holders of legacy actions do not learn the names of other buckets."""
    keys = {name: Key(f"AKIALEGACY{name.upper():0<10}"[:20], name * 8) for name in ("admin", "tenant", "both")}
    entry = lambda name, *actions: {
        "name": name,
        "actions": actions,
        "credentials": [{"accessKey": key.access, "secretKey": key.secret} for key in [keys.get(name)] if key],
    }
    path = tmp_path / "identities.json"
    tenant = entry("tenant", "Read:tenant-1", "Write:tenant-2/in*")
    identities = [entry("admin", "Admin"), tenant, entry("both", "Read:tenant-1"), entry("anonymous", "Read:pub-1")]
    path.write_text(json.dumps({"identities": identities}))
    server = kelpgate.SingleMachine(tmp_path, [f"-config={path}"], name="legacy-lists")
    try:
        admin = s3(server.url, keys["admin"])
        for name in ("pub-1", "secret-project", "tenant-1", "tenant-2"):
            admin.create_bucket(Bucket=name)
        shown = lambda **key: [b["Name"] for b in s3(server.url, **key).list_buckets()["Buckets"]]
        assert shown(key=keys["admin"]) == ["pub-1", "secret-project", "tenant-1", "tenant-2"]
        assert shown(key=keys["tenant"]) == ["tenant-1", "tenant-2"]
        assert shown(key=keys["both"]) == ["tenant-1"]
        names = send("GET", server.url + "/").body.decode()
        assert "<Name>pub-1</Name>" in names and names.count("<Name>") == 1
    finally:
        server.stop()


@pytest.mark.parametrize("resource", ["arn:aws:s3:::*", "*"])
def test_list_all_my_buckets_is_decided_on_all_buckets(tmp_path, resource):
    server = kelpgate.SingleMachine(tmp_path, name="list-all")
    try:
        iam = client("iam", server.url, server.root)
        iam.create_user(UserName="al")
        al = s3(server.url, new_key(iam, "al"))
        put = lambda *rows: iam.put_user_policy(
            UserName="al",
            PolicyName="p",
            PolicyDocument=json.dumps(document(*[statement(e, "s3:ListAllMyBuckets", r) for e, r in rows])),
        )
        put(("Allow", "arn:aws:s3:::some-bucket"))
        with refused("AccessDenied"):
            al.list_buckets()
        put(("Allow", resource))
        assert al.list_buckets()["Buckets"] == []
        put(("Allow", "*"), ("Deny", resource))
        with refused("AccessDenied"):
            al.list_buckets()
    finally:
        server.stop()


def test_roles_and_policies_of_the_file_are_on_the_filer(gateway_a, cluster):
    """At the seed's paths: `roles/<name>.json` and `policies/policy_<name>.json`."""
    assert {"S3AdminRole.json", "S3ReadOnlyRole.json"} <= set(cluster.filer.names("/seaweedfs/iam/roles"))
    role = cluster.filer.read("/seaweedfs/iam/roles/S3AdminRole.json").json()
    assert role["roleName"] == "S3AdminRole" and role["attachedPolicies"] == ["S3AdminPolicy"]
    policies = set(cluster.filer.names("/seaweedfs/iam/policies"))
    for name in ("S3AdminPolicy", "S3ReadOnlyPolicy"):
        assert {f"policy_{name}.json", f"{name}.json"} & policies, policies
    seen = kelpgate.cli("filer.cat", f"-filer={cluster.filer.address}", "/seaweedfs/iam/roles/S3AdminRole.json").stdout
    assert json.loads(seen) == role


def test_a_role_of_the_filer_can_be_assumed(url):
    session = assume(url, BOB, "S3ReadOnlyRole")
    reader = s3(url, session)
    assert body_of(reader, "world-data", "private/a") == b"x"
    with refused("AccessDenied", 403):
        reader.put_object(Bucket="world-data", Key="private/b", Body=b"x")


@pytest.mark.parametrize(
    "key, role, more, code",
    [
        (ALICE, "S3ReadOnlyRole", {}, "AccessDenied"),
        (POLICIED, "S3AdminRole", {}, "AccessDenied"),
        (BOB, "NoSuchRole", {}, ("AccessDenied", "NoSuchEntity")),
        (BOB, "S3ReadOnlyRole", {"DurationSeconds": 899}, "ValidationError"),
        (BOB, "S3ReadOnlyRole", {"DurationSeconds": 43201}, "ValidationError"),
        (BOB, "S3ReadOnlyRole", {"Policy": "{}"}, "MalformedPolicyDocument"),
        (BOB, "S3ReadOnlyRole", {"Policy": "nonsense"}, "MalformedPolicyDocument"),
        (
            BOB,
            "S3ReadOnlyRole",
            {"Policy": "x" * 2049},
            ("ValidationError", "PackedPolicyTooLarge", "MalformedPolicyDocument"),
        ),
        (BOB, "S3ReadOnlyRole", {"session": "bad name"}, "ValidationError"),
    ],
)
def test_assume_role_refusals(url, key, role, more, code):
    with refused(code):
        assume(url, key, role, **more)


def test_session_durations(url):
    sts = client("sts", url, BOB)
    for seconds in (900, 3600):
        got = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/ShortRole", RoleSessionName="short", DurationSeconds=seconds)
        left = got["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
        assert abs(left.total_seconds() - seconds) < 30
        assert got["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/ShortRole/short"


def test_a_session_is_never_longer_than_its_role_allows(url):
    """As on AWS; `weed s3` shortens the session."""
    with refused("ValidationError"):
        client("sts", url, BOB).assume_role(
            RoleArn="arn:aws:iam::000000000000:role/ShortRole", RoleSessionName="long", DurationSeconds=7200
        )


def test_a_session_policy_only_narrows(url):
    policy = json.dumps(world.document(world.statement("Allow", "s3:*", "arn:aws:s3:::world-data/public/*")))
    narrowed = s3(url, assume(url, BOB, "S3ReadOnlyRole", Policy=policy))
    assert body_of(narrowed, "world-data", "public/a") == b"x"
    with refused("AccessDenied"):
        narrowed.get_object(Bucket="world-data", Key="private/a")
    with refused("AccessDenied"):
        narrowed.put_object(Bucket="world-data", Key="public/b", Body=b"x")


def test_a_session_is_no_administrator(url):
    """S3AdminPolicy says `s3:*`, which covers neither IAM nor further roles."""
    session = assume(url, ALICE, "S3AdminRole")
    with refused("AccessDenied", 403):
        client("iam", url, session).list_users()
    with refused("AccessDenied", 403):
        client("iam", url, session).list_access_keys()
    with refused("AccessDenied", 403):
        client("iam", url, session).create_access_key(UserName="root")
    with refused("AccessDenied", 403):
        assume(url, session, "S3ReadOnlyRole")


def test_sessions_need_their_token(url):
    session = assume(url, BOB, "S3ReadOnlyRole")
    target = f"{url}/world-data/public/a"
    assert request(session, "GET", target).status == 200
    for changed in (
        session._replace(token=None),
        session._replace(token=session.token[:-4] + "AAAA"),
        session._replace(token="x"),
        session._replace(secret="x" * 40),
        session._replace(access="ASIA0000000000000000"),
        ROOT._replace(token=session.token),
    ):
        answer = request(changed, "GET", target)
        assert answer.status in (400, 403) and answer.code in (
            "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "AccessDenied",
        ), answer  # fmt: skip
    head, payload, signature = session.token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    for forged in (f"{none}.{payload}.", f"{none}.{payload}.{signature}", f"{head}.{payload}."):
        assert request(session._replace(token=forged), "GET", target).status in (400, 403)


# ---- the start


def start(logs, flags, name="start", env=None):
    """Starts a gateway that should refuse: (exit code, output). A gateway that keeps running is stopped and has no code."""
    port = free_port()
    server = Server(
        name, [kelpgate.binary(), "s3", f"-port={port}", "-ip.bind=127.0.0.1", *flags], logs / f"{name}-{port}", env=env
    )
    try:
        code = server.process.wait(15)
    except Exception:
        code = None
    finally:
        server.stop()
    return code, server.log()


@pytest.fixture
def refuses(logs, cluster, tmp_path):
    """Starts with the given file contents. Checks that the start fails and that the output contains each of `words`."""

    def check(words, config=None, iam=None, flags=(), env=None):
        given = [f"-filer={cluster.filer.address}", *flags]
        for flag, content in (("config", config), ("iam.config", iam)):
            if content is not None:
                path = tmp_path / f"{flag}.json"
                path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
                given.append(f"-{flag}={path}")
        code, output = start(logs, given, env=env)
        assert code not in (None, 0), f"it started:\n{output}"
        assert "panicked" not in output
        for word in words:
            assert word.lower() in output.lower(), f"`{word}` is not in:\n{output}"
        for key in (ROOT, ALICE):
            assert key.secret not in output

    return check


def test_the_seed_word_for_word_asks_for_a_key(refuses, cluster):
    refuses(["signingKey", "openssl rand"], iam=SEED.replace("FILER", cluster.filer.address))


@pytest.mark.parametrize("key", ["c2hvcnQ=", "not base64 at all!"])
def test_signing_keys_that_are_none(refuses, cluster, key):
    config = world.iam_config(cluster.filer.address)
    config["sts"]["signingKey"] = key
    refuses(["signingKey"], iam=config)


def test_without_a_signing_key_there_are_no_sessions(logs, cluster, tmp_path):
    """As with `weed s3`, everything else works, and the log says what does not."""
    config = world.iam_config(cluster.filer.address)
    del config["sts"]["signingKey"]
    identities, iam = tmp_path / "identities.json", tmp_path / "iam.json"
    identities.write_text(json.dumps(world.IDENTITIES))
    iam.write_text(json.dumps(config))
    gateway = kelpgate.gateway("no-key", logs / "no-key", cluster.filer, [f"-config={identities}", f"-iam.config={iam}"])
    assert request(ALICE, "GET", gateway.url + "/").status == 200 and "signingKey" in gateway.log()
    with pytest.raises(ClientError):
        assume(gateway.url, BOB, "S3ReadOnlyRole")
    gateway.stop()


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["iam.config.json"]),
        ('{\n  "sts": {\n    "issuer": oops\n  }\n}', ["iam.config.json", "line 3", "column"]),
        ('{"sts": {}}}', ["iam.config.json", "line 1", "column"]),
        ("[]", ["iam.config.json"]),
    ],
)
def test_bad_json_with_its_place(refuses, text, words):
    refuses(words, iam=text)


def test_bad_identities_file_with_its_place(refuses):
    refuses(["config.json", "line 2", "column"], config='{"identities": [\n  {"name": "a", "credentials": 5}\n]}')


PUBLIC_KEY = "dGVzdC1zaWduaW5nLWtleS0zMi1jaGFyYWN0ZXJzLWxvbmc="


def test_public_signing_keys_stop_the_start(refuses, cluster):
    """Keys from SeaweedFS's samples: anyone could make sessions with them."""
    config = world.iam_config(cluster.filer.address)
    config["sts"]["signingKey"] = PUBLIC_KEY
    refuses(["sts.signingKey", "public", "SeaweedFS's samples", "openssl rand -base64 32"], iam=config)
    del config["sts"]["signingKey"]
    for key in (PUBLIC_KEY, "test-signing-key-32-characters-long"):
        words = ["jwt.filer_signing.key", "public", "openssl rand -base64 32"]
        refuses(words, iam=config, env={"WEED_JWT_FILER_SIGNING_KEY": key})


def test_public_credentials_stop_the_start(refuses):
    for key in (Key("some_access_key1", "some_secret_key1"), Key("minioadmin", "minioadmin")):
        config = {"identities": [{"name": "al", "credentials": [world._credential(key)], "actions": ["Admin"]}]}
        refuses(["config.json", key.access, "public", "make a key of your own"], config=config)
    id = "AKIAIOSFODNN7EXAMPLE"
    env = {"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
    refuses(["AWS_SECRET_ACCESS_KEY", id, "AWS's documentation"], config={}, env=env)


def test_duplicate_access_keys(refuses):
    twice = {
        "identities": [
            world.IDENTITIES["identities"][0],
            {**world.IDENTITIES["identities"][1], "credentials": world.IDENTITIES["identities"][0]["credentials"]},
        ]
    }
    refuses([ROOT.access], config=twice)


def test_providers_that_are_not_supported_are_refused_by_name(refuses, cluster):
    provider = {"name": "corp-idp", "type": "saml", "config": {}}
    refuses(["providers", "corp-idp"], iam=world.iam_config(cluster.filer.address, providers=[provider]))


def test_a_filer_that_is_not_ours_is_refused(refuses, cluster):
    config = world.iam_config("filer.example:8888")
    refuses(["filerAddress", "filer.example:8888"], iam=config)


@pytest.mark.parametrize("store", ["fielr", "postgres"])
def test_unknown_store_types(refuses, cluster, store):
    config = world.iam_config(cluster.filer.address)
    config["roleStore"]["storeType"] = store
    refuses(["storeType", store], iam=config)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda c: c["roles"][0].update(trustPolicy={"Version": "2012-10-17", "Statement": []}), ["roles[0]"]),
        (lambda c: c["roles"][0].update(maxSessionDuration=60), ["maxSessionDuration"]),
        (
            lambda c: c["policies"][0].update(document={"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}),
            ["policies[0]"],
        ),
        (lambda c: c["policy"].update(defaultEffect="Perhaps"), ["defaultEffect", "Perhaps"]),
        (lambda c: c["sts"].update(tokenDuration="an hour"), ["tokenDuration"]),
    ],
    ids=["trust", "duration", "policy", "default-effect", "token-duration"],
)
def test_senseless_values(refuses, cluster, change, words):
    config = world.iam_config(cluster.filer.address)
    del config["roleStore"]
    config["policy"] = {"defaultEffect": "Deny", "storeType": "memory"}  # none of this reaches the shared filer
    change(config)
    refuses(words, iam=config)


def test_unknown_keys_are_reported(logs, cluster, tmp_path):
    """At the start, by name. Whether they prevent the start is up to the gateway, but it must not ignore them silently."""
    config = world.iam_config(cluster.filer.address, rolesStore={"storeType": "filer"})
    path = tmp_path / "iam.json"
    path.write_text(json.dumps(config))
    code, output = start(logs, [f"-filer={cluster.filer.address}", f"-iam.config={path}"], "unknown-keys")
    assert "rolesStore" in output, output


def test_missing_file(refuses):
    refuses(["/no/such/file.json"], flags=["-iam.config=/no/such/file.json"])
    refuses(["/no/such/file.json"], flags=["-config=/no/such/file.json"])


def test_the_log_says_what_was_loaded(gateway_a, cluster):
    """The seed's `grep "advanced IAM"` finds a line."""
    lines = [line for line in gateway_a.log().splitlines() if "advanced IAM" in line]
    assert lines, gateway_a.log()


def test_the_first_write_of_an_administrator_makes_the_bucket(url):
    """`-autoCreateBucket` is on, as in `weed s3`, but only for administrators."""
    name = unique("auto")
    assert request(ALICE, "PUT", f"{url}/{name}/k", b"x").code == "NoSuchBucket"
    assert request(ROOT, "PUT", f"{url}/{name}/k", b"x").status == 200
    assert request(ALICE, "GET", f"{url}/{name}/k").body == b"x"


def test_a_gateway_without_identities_is_closed(logs, cluster):
    gateway = kelpgate.gateway("closed", logs / "closed", cluster.filer)
    answer = request(STRANGER, "GET", gateway.url + "/")
    assert answer.status == 403, answer
    gateway.stop()


def test_environment_variables_make_an_administrator(logs, cluster):
    env = {"AWS_ACCESS_KEY_ID": ROOT.access, "AWS_SECRET_ACCESS_KEY": ROOT.secret}
    gateway = kelpgate.gateway("env", logs / "env", cluster.filer, env=env)
    assert s3(gateway.url, ROOT).list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
    with refused("InvalidAccessKeyId"):
        s3(gateway.url, ALICE).list_buckets()
    gateway.stop()


def test_memory_stores(logs, cluster, tmp_path):
    """The seed's first example: none of the configuration is written to the filer."""
    config = world.iam_config(cluster.filer.address)
    config["policy"] = {"defaultEffect": "Deny", "storeType": "memory"}
    del config["roleStore"]
    config["roles"][0]["roleName"] = "MemoryRole"
    config["roles"][0]["roleArn"] = "arn:aws:iam::000000000000:role/MemoryRole"
    identities, iam = tmp_path / "identities.json", tmp_path / "iam.json"
    identities.write_text(json.dumps(world.IDENTITIES))
    iam.write_text(json.dumps(config))
    gateway = kelpgate.gateway("memory", logs / "memory", cluster.filer, [f"-config={identities}", f"-iam.config={iam}"])
    assert assume(gateway.url, ALICE, "MemoryRole").access.startswith("ASIA")
    assert "MemoryRole.json" not in cluster.filer.names("/seaweedfs/iam/roles")
    gateway.stop()
