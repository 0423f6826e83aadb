"""Two gateways on one filer, behind nginx without affinity, give the same answers. `weed s3` runs next to them."""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import kelpgate
import world
from clients import Key, assume, body_of, client, make_bucket, refused, s3, unique
from conftest import nginx_frame
from processes import free_port, wait_for
from signing import Signer, request, send
from world import ALICE, BOB, CANARY, ROOT, document, statement, user_arn


@pytest.fixture(scope="module")
def bucket(root_a):
    name = make_bucket(root_a, "two")
    root_a.put_object(Bucket=name, Key="open/a", Body=b"x")
    return name


def until(condition, seconds=5):
    """Waits until `condition()` holds. Returns the seconds it took."""
    begun = time.perf_counter()
    while not condition():
        assert time.perf_counter() - begun < seconds, f"not within {seconds} s"
        time.sleep(0.0005)
    return time.perf_counter() - begun


def grant_to_bob(bucket, effect="Allow", key="*"):
    return json.dumps(
        document(statement(effect, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", Principal={"AWS": user_arn("bob")}))
    )


# ---- through the balancer


def test_requests_go_to_both(balancer, gateway_a, gateway_b, bucket):
    client_ = s3(balancer.url, ROOT)
    for n in range(6):
        client_.put_object(Bucket=bucket, Key=f"round/{n}", Body=b"%d" % n)
    for n in range(6):
        assert body_of(client_, bucket, f"round/{n}") == b"%d" % n
    gateway_b.stop()
    try:
        assert body_of(client_, bucket, "round/1") == b"1", "one gateway is enough"
        assert body_of(client_, bucket, "round/2") == b"2"
    finally:
        gateway_b.start()
        wait_for(lambda: requests.get(gateway_b.url + "/readyz", timeout=2).ok, 30, "gateway-b", gateway_b)


def test_assume_role_through_the_balancer(balancer, gateway_a, gateway_b, bucket):
    session = assume(balancer.url, BOB, "S3ReadOnlyRole", "shared")
    for url in [balancer.url] * 4 + [gateway_a.url, gateway_b.url]:
        assert body_of(s3(url, session), bucket, "open/a") == b"x"
        with refused("AccessDenied", 403):
            s3(url, session).put_object(Bucket=bucket, Key="open/b", Body=b"x")
        identity = client("sts", url, session).get_caller_identity()
        assert identity["Arn"] == "arn:aws:sts::000000000000:assumed-role/S3ReadOnlyRole/shared"
        assert identity["Account"] == "000000000000"


def test_caller_identity(gateway_a, balancer, weed_gateway):
    for url in (gateway_a.url, balancer.url):
        got = client("sts", url, ALICE).get_caller_identity()
        assert (got["Arn"], got["Account"]) == (user_arn("alice"), "000000000000") and got["UserId"]
        assert client("sts", url, BOB).get_caller_identity()["Arn"] == user_arn("bob"), "needs no permission"
        assert client("sts", url, world.CAROL).get_caller_identity()["Account"] == "111122223333"


def test_sessions_of_weed_and_of_kelpgate(gateway_a, gateway_b, weed_gateway, bucket):
    """With the same signing key, either kind of gateway accepts a session."""
    ours = assume(gateway_a.url, ALICE, "S3AdminRole", "ours")
    theirs = assume(weed_gateway.url, ALICE, "S3AdminRole", "theirs")
    for session in (ours, theirs):
        for url in (gateway_a.url, gateway_b.url, weed_gateway.url):
            assert body_of(s3(url, session), bucket, "open/a") == b"x"
            s3(url, session).put_object(Bucket=bucket, Key="by-session", Body=url.encode())
            assert body_of(s3(url, session), bucket, "by-session") == url.encode()
    presigned = Signer(ours).presign("GET", f"{weed_gateway.url}/{bucket}/open/a")
    assert send("GET", presigned).body == b"x"


def test_a_session_of_weed_is_limited_too(gateway_a, weed_gateway, bucket):
    policy = json.dumps(document(statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/open/*")))
    session = assume(weed_gateway.url, ALICE, "S3AdminRole", "narrow", Policy=policy)
    narrowed = s3(gateway_a.url, session)
    assert body_of(narrowed, bucket, "open/a") == b"x"
    with refused("AccessDenied"):
        narrowed.put_object(Bucket=bucket, Key="open/c", Body=b"x")
    with refused("AccessDenied"):
        narrowed.list_objects_v2(Bucket=bucket)


def test_the_seeds_own_nginx_block(logs, cluster, config_flags, bucket):
    """`Host $host` drops the port. `-externalUrl` tells the gateways what clients sign."""
    port = free_port()
    flags = [*config_flags, f"-externalUrl=http://127.0.0.1:{port}"]
    gateways = [kelpgate.gateway(f"seed-{n}", logs / f"seed-{n}", cluster.filer, flags) for n in (1, 2)]
    upstream = "\n".join(f"    server 127.0.0.1:{g.port};" for g in gateways)
    nginx = kelpgate.nginx(
        "seed-nginx",
        logs / "seed-nginx",
        nginx_frame(f"""
upstream seaweedfs-s3 {{
    # No need for session affinity with distributed storage
{upstream}
}}

server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_pass http://seaweedfs-s3;
    }}
}}"""),
    )
    try:
        through = s3(nginx.url, ALICE)
        for n in range(4):
            through.put_object(Bucket=bucket, Key=f"seed/{n}", Body=b"through the seed's nginx")
            assert body_of(through, bucket, f"seed/{n}") == b"through the seed's nginx"
        session = assume(nginx.url, BOB, "S3ReadOnlyRole")
        for n in range(4):
            assert body_of(s3(nginx.url, session), bucket, f"seed/{n}")
            assert send("GET", Signer(session).presign("GET", f"{nginx.url}/{bucket}/seed/{n}")).status == 200
        answer = request(Key(ALICE.access, "x" * 40), "GET", f"{nginx.url}/{bucket}/seed/0")
        assert answer.code == "SignatureDoesNotMatch"
    finally:
        for server in (nginx, *gateways):
            server.stop()


def test_forwarding_headers_of_strangers_change_nothing(gateway_a, bucket):
    """No proxy is trusted here: what these headers claim is not what the client signed."""
    path = f"{bucket}/open/a"
    for headers, signed in [
        ({"x-forwarded-host": "s3.example"}, f"http://s3.example/{path}"),
        ({"x-forwarded-port": "9000"}, f"http://127.0.0.1:9000/{path}"),
        ({"x-forwarded-prefix": "/storage"}, f"{gateway_a.url}/storage/{path}"),
        ({"forwarded": "host=s3.example"}, f"http://s3.example/{path}"),
    ]:
        authorization = Signer(ALICE).headers("GET", signed)
        answer = send("GET", f"{gateway_a.url}/{path}", {**authorization, **headers})
        assert answer.code == "SignatureDoesNotMatch", (headers, answer)
        authorization = Signer(ALICE).headers("GET", f"{gateway_a.url}/{path}")
        assert send("GET", f"{gateway_a.url}/{path}", {**authorization, **headers}).body == b"x"


# ---- changes


def test_a_bucket_policy_of_one_gateway_holds_on_the_other(gateway_a, gateway_b, root_a, bucket, measured):
    """Granted on A, used on B; denied on B, refused on A."""
    path = f"{bucket}/open/a"
    seen_by = lambda url, want: lambda: send("GET", Signer(BOB).presign("GET", f"{url}/{path}")).status == want
    grants, revocations = [], []
    for _ in range(10):
        root_a.put_bucket_policy(Bucket=bucket, Policy=grant_to_bob(bucket))
        grants.append(until(seen_by(gateway_b.url, 200)))
        assert seen_by(gateway_a.url, 200)(), "the writer itself applies at once"
        root_a.delete_bucket_policy(Bucket=bucket)
        revocations.append(until(seen_by(gateway_b.url, 403)))
        assert seen_by(gateway_a.url, 403)()
    for what, times in (("grant", grants), ("revocation", revocations)):
        measured(f"bucket policy {what} A to B: median {statistics.median(times) * 1000:.1f} ms, most {max(times) * 1000:.1f} ms")


def test_a_bucket_policy_of_weed_holds_here(gateway_a, gateway_b, root_weed, bucket):
    root_weed.put_bucket_policy(Bucket=bucket, Policy=grant_to_bob(bucket, key="open/*"))
    for url in (gateway_a.url, gateway_b.url):
        until(lambda: send("GET", Signer(BOB).presign("GET", f"{url}/{bucket}/open/a")).status == 200)
        assert json.loads(s3(url, ROOT).get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    root_weed.delete_bucket_policy(Bucket=bucket)
    for url in (gateway_a.url, gateway_b.url):
        until(lambda: send("GET", Signer(BOB).presign("GET", f"{url}/{bucket}/open/a")).status == 403)


def test_changes_of_a_bucket_that_overtake_each_other_are_all_answered(gateway_a, gateway_b, root_a, bucket):
    """Two writers on each gateway replace, delete and tag. As on AWS, each is answered, and the last write wins."""
    roots = [s3(gateway.url, ROOT) for gateway in (gateway_a, gateway_b, gateway_a, gateway_b)]
    took = []

    def write(writer, n):
        root, began = roots[writer], time.monotonic()
        if writer == 0 and n % 2:
            root.delete_bucket_policy(Bucket=bucket)
        elif n % 3 == 2:
            root.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "n", "Value": f"{writer}-{n}"}]})
        else:
            root.put_bucket_policy(Bucket=bucket, Policy=grant_to_bob(bucket, key=f"{writer}/{n}/*"))
        took.append(time.monotonic() - began)

    with ThreadPoolExecutor(len(roots)) as pool:
        writers = [pool.submit(lambda w=w: [write(w, n) for n in range(12)]) for w in range(len(roots))]
        for writer in writers:
            writer.result()
    assert len(took) == 48, "an answer that is not 2xx raises"
    root_a.put_bucket_policy(Bucket=bucket, Policy=grant_to_bob(bucket))
    for gateway in (gateway_a, gateway_b):
        assert send("GET", Signer(BOB).presign("GET", f"{gateway.url}/{bucket}/open/a")).status == 200
    root_a.delete_bucket_policy(Bucket=bucket)


def test_a_bucket_policy_of_kelpgate_holds_on_weed(gateway_a, weed_gateway, root_a, bucket):
    root_a.put_bucket_policy(Bucket=bucket, Policy=grant_to_bob(bucket, key="open/*"))
    until(lambda: send("GET", Signer(BOB).presign("GET", f"{weed_gateway.url}/{bucket}/open/a")).status == 200)
    root_a.delete_bucket_policy(Bucket=bucket)
    until(lambda: send("GET", Signer(BOB).presign("GET", f"{weed_gateway.url}/{bucket}/open/a")).status == 403)


def test_a_new_bucket_is_everywhere_at_once(root_a, root_b, gateway_a):
    alice = s3(gateway_a.url, ALICE)
    for _ in range(5):
        name = make_bucket(root_a, "new")
        root_b.put_object(Bucket=name, Key="k", Body=b"x")
        assert name in [b["Name"] for b in root_b.list_buckets()["Buckets"]]
        root_b.delete_object(Bucket=name, Key="k")
        root_b.delete_bucket(Bucket=name)
        with refused("NoSuchBucket", 404):
            alice.put_object(Bucket=name, Key="k", Body=b"x")


def user_file(name, key, actions=(), policy_names=(), status="Active"):
    """`/etc/iam/identities/<name>.json` as SeaweedFS writes it."""
    return {
        "name": name,
        "credentials": [{"access_key": key.access, "secret_key": key.secret, "status": status}],
        **({"actions": list(actions)} if actions else {}),
        **({"policy_names": list(policy_names)} if policy_names else {}),
    }


@pytest.fixture
def filed_user(cluster):
    """A name, a key, and a function that writes the user's file on the filer. The file is removed afterwards."""
    name = unique("filed")
    key = Key(f"AKIAF{name.upper().replace('-', '')}".ljust(20, "0")[:20], f"{CANARY}{name}".ljust(40, "y"))
    path = f"/etc/iam/identities/{name}.json"
    yield name, key, lambda **fields: cluster.filer.write_json(path, user_file(name, key, **fields))
    cluster.filer.delete(path)


def test_an_identity_file_changed_by_hand(gateway_a, gateway_b, cluster, bucket, filed_user, measured):
    name, key, write = filed_user
    urls = (gateway_a.url, gateway_b.url)
    seen = lambda url, want: lambda: request(key, "GET", f"{url}/{bucket}/open/a").status == want
    for url in urls:
        assert request(key, "GET", f"{url}/{bucket}/open/a").code == "InvalidAccessKeyId"
    write(actions=["Read"])
    measured("identity file A to B: " + ", ".join(f"{until(seen(url, 200)) * 1000:.1f} ms" for url in urls))
    write(actions=["Write"])
    for url in urls:
        until(seen(url, 403))
    write(actions=["Read"], status="Inactive")
    for url in urls:
        until(lambda: request(key, "GET", f"{url}/{bucket}/open/a").code == "InvalidAccessKeyId")
    write(actions=["Read"])
    for url in urls:
        until(seen(url, 200))
    cluster.filer.delete(f"/etc/iam/identities/{name}.json")
    for url in urls:
        until(lambda: request(key, "GET", f"{url}/{bucket}/open/a").code == "InvalidAccessKeyId")


def test_a_user_made_by_weed_shell(gateway_a, gateway_b, cluster, bucket):
    name = unique("shelly")
    key = Key("AKIASHELLY0000000001", f"{CANARY}shelly".ljust(40, "z"))
    cluster.shell(f"s3.configure -user {name} -access_key {key.access} -secret_key {key.secret} -actions Read -apply")
    for gateway in (gateway_a, gateway_b):
        until(lambda: request(key, "GET", f"{gateway.url}/{bucket}/open/a").status == 200)
        assert request(key, "PUT", f"{gateway.url}/{bucket}/open/x", b"x").status == 403
    cluster.shell(f"s3.configure -user {name} -delete -apply")
    for gateway in (gateway_a, gateway_b):
        until(lambda: request(key, "GET", f"{gateway.url}/{bucket}/open/a").status == 403)


def test_a_public_key_from_weed_shell_is_refused(gateway_a, gateway_b, cluster, bucket):
    """Running gateways continue. A key from a sample grants nothing, and the log says what to do."""
    name, key = unique("sample"), Key("some_access_key1", "some_secret_key1")
    cluster.shell(f"s3.configure -user {name} -access_key {key.access} -secret_key {key.secret} -actions Read -apply")
    for gateway in (gateway_a, gateway_b):
        line = f"access key `{key.access}` of user `{name}` is refused: the secret"
        until(lambda: any(line in log and "make a key of your own" in log for log in gateway.log().splitlines()))
        assert request(key, "GET", f"{gateway.url}/{bucket}/open/a").code == "InvalidAccessKeyId"
    cluster.shell(f"s3.configure -user {name} -delete -apply")


def test_a_policy_file_changed_by_hand(gateway_a, gateway_b, cluster, bucket, filed_user):
    name, key, write = filed_user
    policy = unique("Filed").replace("-", "")
    path = f"/etc/iam/policies/{policy}.json"
    rule = lambda effect: document(statement(effect, "s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    write(policy_names=[policy])
    get = lambda url: request(key, "GET", f"{url}/{bucket}/open/a")
    urls = (gateway_a.url, gateway_b.url)
    for url in urls:
        until(lambda: get(url).code != "InvalidAccessKeyId")
        assert get(url).status == 403, "an attached policy that is missing denies"
    for content, want in [(rule("Allow"), 200), (rule("Deny"), 403), (rule("Allow"), 200)]:
        cluster.filer.write_json(path, content)
        for url in urls:
            until(lambda: get(url).status == want)
    # A policy that does not parse denies everyone to whom it applies, and no one else.
    cluster.filer.write(path, b'{"Version": "2012-10-17", "Statement": [')
    for url in urls:
        until(lambda: get(url).status == 403)
        assert request(ALICE, "GET", f"{url}/{bucket}/open/a").status == 200
    cluster.filer.write_json(path, rule("Allow"))
    for url in urls:
        until(lambda: get(url).status == 200)
    cluster.filer.delete(path)
    for url in urls:
        until(lambda: get(url).status == 403)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"name": ""}', b'{"name": "somebody-else"}', b"\xff\xfe", b'{"name": 5}']
)
def test_foreign_files_among_the_identities_harm_nobody(gateway_a, cluster, bucket, content):
    """An unreadable file only costs its own user the access. Everyone else keeps theirs, and later changes still arrive."""
    cluster.filer.write("/etc/iam/identities/odd.json", content)
    key = Key("AKIAAFTERODD00000001", f"{CANARY}odd".ljust(40, "x"))
    cluster.filer.write_json("/etc/iam/identities/after-odd.json", user_file("after-odd", key, actions=["Read"]))
    try:
        until(lambda: request(key, "GET", f"{gateway_a.url}/{bucket}/open/a").status == 200)
        assert request(ALICE, "GET", f"{gateway_a.url}/{bucket}/open/a").status == 200
    finally:
        for name in ("odd", "after-odd"):
            cluster.filer.delete(f"/etc/iam/identities/{name}.json")
    until(lambda: request(key, "GET", f"{gateway_a.url}/{bucket}/open/a").code == "InvalidAccessKeyId")


def test_a_role_changed_on_the_filer(gateway_a, gateway_b, cluster, bucket):
    path = "/seaweedfs/iam/roles/HandRole.json"
    role = {
        "roleName": "HandRole",
        "roleArn": "arn:aws:iam::000000000000:role/HandRole",
        "trustPolicy": document({"Effect": "Allow", "Principal": {"AWS": user_arn("bob")}, "Action": ["sts:AssumeRole"]}),
        "attachedPolicies": ["S3ReadOnlyPolicy"],
    }
    cluster.filer.write_json(path, role)
    sessions = []

    def assumed(url):
        try:
            sessions.append(assume(url, BOB, "HandRole"))
            return True
        except Exception:
            return False

    for gateway in (gateway_a, gateway_b):
        until(lambda: assumed(gateway.url))
    get = lambda url: request(sessions[0], "GET", f"{url}/{bucket}/open/a").status
    put = lambda url: request(sessions[0], "PUT", f"{url}/{bucket}/by-hand-role", b"x").status
    for gateway in (gateway_a, gateway_b):
        assert (get(gateway.url), put(gateway.url)) == (200, 403)
    # A session has the policies that its role has now, not those at the time it was made.
    cluster.filer.write_json(path, {**role, "attachedPolicies": ["S3AdminPolicy"]})
    for gateway in (gateway_a, gateway_b):
        until(lambda: put(gateway.url) == 200)
    cluster.filer.delete(path)
    for gateway in (gateway_a, gateway_b):
        until(lambda: get(gateway.url) in (400, 403))
        assert not assumed(gateway.url)


def test_a_gateway_started_later_knows_everything(logs, cluster, config_flags, bucket, filed_user, root_a):
    name, key, write = filed_user
    write(actions=["Read"])
    root_a.put_bucket_policy(Bucket=bucket, Policy=grant_to_bob(bucket))
    gateway = kelpgate.gateway("late", logs / "late", cluster.filer, config_flags)
    try:
        assert request(key, "GET", f"{gateway.url}/{bucket}/open/a").status == 200
        assert request(BOB, "GET", f"{gateway.url}/{bucket}/open/a").status == 200
    finally:
        root_a.delete_bucket_policy(Bucket=bucket)
        gateway.stop()


# ---- errors that SDKs can read


@pytest.mark.parametrize(
    "service, operation, parameters, code",
    [
        ("s3", "get_object", {"Bucket": "no-such-bucket-at-all", "Key": "k"}, "NoSuchBucket"),
        ("s3", "list_buckets", {}, "InvalidAccessKeyId"),
        ("iam", "list_users", {}, "InvalidClientTokenId"),
        ("iam", "get_user", {"UserName": "nobody"}, "InvalidClientTokenId"),
        ("sts", "get_caller_identity", {}, "InvalidClientTokenId"),
        (
            "sts",
            "assume_role",
            {"RoleArn": "arn:aws:iam::000000000000:role/S3AdminRole", "RoleSessionName": "xx"},
            "InvalidClientTokenId",
        ),
    ],
)
def test_an_unknown_key_in_each_sdk(balancer, service, operation, parameters, code):
    who = ALICE if code == "NoSuchBucket" else world.STRANGER
    with refused(code if service == "s3" else (code, "InvalidAccessKeyId")) as caught:
        getattr(client(service, balancer.url, who), operation)(**parameters)
    assert caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "service, operation, parameters, code",
    [
        ("iam", "get_user", {"UserName": "nobody-of-that-name"}, "NoSuchEntity"),
        ("iam", "create_saml_provider", {"Name": "x", "SAMLMetadataDocument": "x" * 1000}, ("InvalidAction", "NotImplemented")),
        ("sts", "get_session_token", {"DurationSeconds": 129_601}, "ValidationError"),
        (
            "sts",
            "decode_authorization_message",
            {"EncodedMessage": "x"},
            ("InvalidAction", "NotImplemented", "InvalidAuthorizationMessageException"),
        ),
        (
            "sts",
            "assume_role",
            {"RoleArn": "arn:aws:iam::000000000000:role/S3ReadOnlyRole", "RoleSessionName": "xx"},
            "AccessDenied",
        ),
    ],
)
def test_refusals_in_each_sdk(balancer, service, operation, parameters, code):
    with refused(code) as caught:
        getattr(client(service, balancer.url, ROOT), operation)(**parameters)
    response = caught.value.response
    assert response["Error"]["Code"] != "Unknown" and response["ResponseMetadata"].get("RequestId")


def test_an_unknown_action_of_the_query_api(balancer):
    answer = request(
        ROOT, "POST", balancer.url + "/", b"Action=FlyToTheMoon&Version=2010-05-08",
        {"content-type": "application/x-www-form-urlencoded"}, service="iam",
    )  # fmt: skip
    assert (
        answer.status in (400, 501) and b"<ErrorResponse" in answer.body and answer.code in ("InvalidAction", "NotImplemented")
    ), answer
