"""The gateway does what was signed: no host, prefix or forwarding header moves a signature to another bucket."""

import base64
import hashlib
import hmac
import http.client
import time
from urllib.parse import quote

import kelpgate
import pytest
from clients import make_bucket, s3
from signing import Signer, send
from world import ALICE, ROOT

DOMAIN = "s3.local"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Buckets are subdomains of `s3.local`, V2 is on, and no proxy is trusted."""
    directory = tmp_path_factory.mktemp("signed-target")
    server = kelpgate.SingleMachine(directory, [f"-domainName={DOMAIN}", "-sigV2"], name="signed-target")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def buckets(server):
    """`mine`, whose signatures are abused, and `victim`, with `k` and an object named like the one in the first bucket."""
    root = s3(server.url, server.root)
    mine, victim = make_bucket(root, "mine"), make_bucket(root, "victim")
    root.put_object(Bucket=mine, Key="k", Body=b"mine")
    root.put_object(Bucket=mine, Key="status", Body=b"an object")
    for key in ("k", f"{mine}/k"):
        root.put_object(Bucket=victim, Key=key, Body=b"secret")
    return mine, victim


def sent(server, target, host, headers=None, method="GET"):
    """One request with the given host, as raw as http.client allows."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": host, **(headers or {})}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def query_of(server, method, url):
    return Signer(server.root).presign(method, url).split("?", 1)[1]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize("trailing", ["/k", ""])
def test_a_prefix_that_a_stranger_names_moves_no_signature(server, buckets, method, trailing):
    mine, victim = buckets
    prefix = f"/{mine}/uploads"
    query = query_of(server, method, f"{server.url}{prefix}/{victim}{trailing}")
    status, body = sent(
        server, f"/{victim}{trailing}?{query}", f"127.0.0.1:{server.port}", {"X-Forwarded-Prefix": prefix}, method
    )
    assert status == 403, body
    assert s3(server.url, server.root).get_object(Bucket=victim, Key="k")["Body"].read() == b"secret"


def test_a_host_that_was_not_signed_is_refused(server, buckets):
    mine, victim = buckets
    plain, ours, theirs = f"{DOMAIN}:{server.port}", *(f"{name}.{DOMAIN}:{server.port}" for name in buckets)
    hosted = query_of(server, "GET", f"http://{ours}/k")
    in_path = query_of(server, "GET", f"http://{plain}/{mine}/k")
    assert sent(server, f"/k?{hosted}", ours) == (200, b"mine")
    assert sent(server, f"/{mine}/k?{in_path}", plain) == (200, b"mine")
    assert sent(server, f"http://{ours}/k?{hosted}", ours) == (200, b"mine")
    for target, host, headers, want in [
        (f"/k?{hosted}", theirs, {}, 403),
        (f"/k?{hosted}", theirs, {"X-Forwarded-Host": ours}, 403),
        (f"http://{theirs}/k?{hosted}", ours, {}, 400),
        (f"http://{ours}/k?{hosted}", theirs, {}, 400),
        (f"/{mine}/k?{in_path}", theirs, {}, 403),
        (f"/{mine}/k?{in_path}", theirs, {"X-Forwarded-Host": plain}, 403),
        (f"/{mine}/k?{in_path}", ours, {}, 403),
    ]:
        status, body = sent(server, target, host, headers)
        assert status == want and b"secret" not in body, (target, host, headers, body)


def test_version_2_signs_the_bucket_of_the_host(server, buckets):
    mine, victim = buckets
    end = int(time.time()) + 300
    text = f"GET\n\n\n{end}\n/{mine}/k"
    signature = base64.b64encode(hmac.new(server.root.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    query = f"AWSAccessKeyId={server.root.access}&Expires={end}&Signature={quote(signature, safe='')}"
    port = server.port
    assert sent(server, f"/{mine}/k?{query}", f"127.0.0.1:{port}") == (200, b"mine")
    assert sent(server, f"/k?{query}", f"{mine}.{DOMAIN}:{port}") == (200, b"mine")
    assert sent(server, f"/{mine}/k?{query}", f"{victim}.{DOMAIN}:{port}")[0] == 403
    assert sent(server, f"/k?{query}", f"{victim}.{DOMAIN}:{port}")[0] == 403


def test_pages_of_the_gateway_are_objects_at_the_host_of_a_bucket(server, buckets):
    host = f"{buckets[0]}.{DOMAIN}:{server.port}"
    assert sent(server, f"/status?{query_of(server, 'GET', f'http://{host}/status')}", host) == (200, b"an object")
    for page in ("status", "metrics", "healthz", "readyz"):
        assert sent(server, f"/{page}", host)[0] == 403, "refused as anonymous, not answered with a page of the gateway"
        assert sent(server, f"/{page}", f"{DOMAIN}:{server.port}")[0] == 200


def test_forwarding_headers_of_a_trusted_proxy_are_what_the_client_signed(logs, cluster, config_flags):
    key = "umlaut/ü x"
    env = {"WEED_S3_TRUSTED_PROXIES_WHITE_LIST": "127.0.0.1"}
    gateway = kelpgate.gateway("trusting", logs / "trusting", cluster.filer, config_flags, env=env)
    alice = s3(gateway.url, ALICE)
    bucket = make_bucket(s3(gateway.url, ROOT), "trusting")
    alice.put_object(Bucket=bucket, Key=key, Body=b"x")
    path = f"{bucket}/{quote(key)}"
    public = "http://s3.example"
    for headers, signed in [
        ({"x-forwarded-host": "s3.example"}, f"{public}/{path}"),
        ({"x-forwarded-host": "s3.example:9000"}, f"{public}:9000/{path}"),
        ({"x-forwarded-host": "s3.example", "x-forwarded-port": "9000"}, f"{public}:9000/{path}"),
        (
            {"x-forwarded-host": "s3.example", "x-forwarded-port": "443", "x-forwarded-proto": "https"},
            f"{public}/{path}",
        ),
        ({"x-forwarded-host": "s3.example", "x-forwarded-prefix": "/storage"}, f"{public}/storage/{path}"),
        ({"x-forwarded-host": "s3.example", "x-forwarded-prefix": "/st%C3%B6r"}, f"{public}/st%C3%B6r/{path}"),
    ]:
        authorization = Signer(ALICE).headers("GET", signed)
        answer = send("GET", f"{gateway.url}/{path}", {**authorization, **headers})
        assert answer.body == b"x", (headers, answer)
        wrong = send("GET", f"{gateway.url}/{path}", {**authorization, **headers, "x-forwarded-host": "other.example"})
        assert wrong.status == 403, (headers, wrong)
    gateway.stop()
