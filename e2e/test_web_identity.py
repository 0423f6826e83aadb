"""AssumeRoleWithWebIdentity: tokens of an identity provider become sessions, and bad ones do not."""

import hashlib
import json
import time
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import boto3
import pytest
import requests

import kelpgate
import world
from clients import Key, client, make_bucket, refused, s3
from idp import Idp, SigningKey
from openbao import ALGORITHMS, OpenBao
from processes import tail, wait_for

ROLE = "arn:aws:iam::000000000000:role/"
STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def trust(idp, condition=None, action="sts:AssumeRoleWithWebIdentity", principal=None):
    arn = principal or f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/{idp.prefix}"
    statement = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": action}
    return world.document({**statement, **({"Condition": condition} if condition else {})})


def role(name, policy, trust_policy, **more):
    return {"roleName": name, "trustPolicy": trust_policy, "attachedPolicies": [policy], **more}


def config(idp, others=(), **provider):
    settings = {"issuer": idp.issuer, "clientIds": ["app", "web"], "allowPrivateAddresses": True, **provider}
    equals = {"StringEquals": {f"{idp.prefix}:sub": "user-1"}}
    return {
        "sts": {"signingKey": world.SIGNING_KEY},
        "providers": [
            {
                "name": "corp",
                "type": "oidc",
                "config": settings,
                "roleMapping": {
                    "rules": [
                        {"claim": "realm_access.roles", "value": "admin", "role": "Writer"},
                        {"claim": "groups", "value": "team-*", "role": f"{ROLE}Reader"},
                        {"claim": "groups", "value": "stranger", "role": "ForUsers"},
                    ]
                },
            },
            *others,
        ],
        "roles": [
            role("OfTwo", "read", trust(idp, {"StringEquals": {f"{idp.prefix}:x:sub": "user-1"}}, principal=["corp", "lookalike"])),
            role("Reader", "read", trust(idp)),
            role("Writer", "write", trust(idp, {"StringEquals": {"oidc:iss": idp.issuer}}, principal="corp")),
            role("OnlyUser1", "read", trust(idp, equals)),
            role("Nobody", "read", trust(idp, {"StringEquals": {"aws:MultiFactorAuthPresent": "true"}})),
            role("ForUsers", "read", trust(idp, principal="someone-else")),
            # The conditions of docs/federation.md.
            role("Keycloak", "read", trust(idp, {"ForAnyValue:StringEquals": {f"{idp.prefix}:realm_access.roles": "s3-reader"}})),
            role("Kubernetes", "read", trust(idp, {"StringEquals": {f"{idp.prefix}:sub": "system:serviceaccount:data:loader"}})),
            role(
                "GitHub",
                "read",
                trust(
                    idp,
                    {
                        "StringEquals": {f"{idp.prefix}:repository_id": "74", f"{idp.prefix}:environment": "production"},
                        "StringLike": {f"{idp.prefix}:job_workflow_ref": "octo/reef/.github/workflows/deploy.yml@*"},
                    },
                ),
            ),
            role(
                "Tagged",
                "tagged",
                trust(idp, action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]),
            ),
        ],
        "policies": [
            {"name": "read", "document": world.document(world.statement("Allow", ["s3:GetObject", "s3:List*"], "*"))},
            {"name": "write", "document": world.document(world.statement("Allow", "s3:*", "*"))},
            {
                "name": "tagged",
                "document": world.document(
                    world.statement("Allow", "s3:GetObject", "arn:aws:s3:::*/${aws:PrincipalTag/Project}/*"),
                ),
            },
        ],
    }  # fmt: skip


class Place:
    def __init__(self, directory, idp, **provider):
        self.directory, self.idp = directory, idp
        self.file = directory / "iam.json"
        self.file.write_text(json.dumps(config(idp, **provider)))
        self.start()

    def start(self):
        self.server = kelpgate.SingleMachine(self.directory, [f"-iam.config={self.file}"])
        self.url = self.server.url

    def assume(self, token, role="Reader", **more):
        """Status, and the session key or the error code."""
        parameters = {"RoleArn": ROLE + role, "RoleSessionName": "e2e"} if role else {}
        return self.call({"WebIdentityToken": token, **parameters, **more})

    def call(self, parameters, in_query=False, action="AssumeRoleWithWebIdentity"):
        parameters = {"Action": action, "Version": "2011-06-15", **parameters}
        if in_query:
            answer = requests.post(f"{self.url}/?{urlencode(parameters)}", timeout=30)
        else:
            answer = requests.post(f"{self.url}/", data=parameters, timeout=30)
        self.answer = ElementTree.fromstring(answer.text)
        if answer.status_code != 200:
            return answer.status_code, self.text("Code")
        names = ["AccessKeyId", "SecretAccessKey", "SessionToken"]
        return 200, Key(*(self.text(name) for name in names))

    def text(self, name):
        return self.answer.find(f".//{STS}{name}").text

    def session(self, token, role="Reader", **more):
        """The keys of a session. Like an SDK it tries again while the provider's keys are not there yet."""
        for _ in range(5):
            status, key = self.assume(token, role, **more)
            if key != "IDPCommunicationError":
                break
        assert status == 200, (status, key, tail(self.server.log_path))
        return key


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    provider = Idp(tmp_path_factory.mktemp("idp"))
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory, idp):
    # Its condition keys begin like those of `corp`, and go on.
    settings = {"issuer": f"{idp.issuer}:x", "jwksUri": f"{idp.issuer}/keys", "clientIds": ["app"], "allowPrivateAddresses": True}
    lookalike = {"name": "lookalike", "type": "oidc", "config": settings}
    place = Place(tmp_path_factory.mktemp("place"), idp, others=[lookalike])
    yield place
    place.server.stop()


@pytest.fixture(scope="module")
def bucket(place):
    root = s3(place.url, place.server.root)
    name = make_bucket(root)
    root.put_object(Bucket=name, Key="reef/a", Body=b"coral")
    return name


def test_a_session(place, idp, bucket):
    key = place.session(idp.token())
    assert place.text("SubjectFromWebIdentityToken") == "user-1"
    assert (place.text("Audience"), place.text("Provider")) == ("app", idp.issuer)
    assert place.text("Arn") == f"arn:aws:sts::{world.ACCOUNT}:assumed-role/Reader/e2e"
    assert client("sts", place.url, key).get_caller_identity()["Arn"].endswith("assumed-role/Reader/e2e")
    session = s3(place.url, key)
    assert session.get_object(Bucket=bucket, Key="reef/a")["Body"].read() == b"coral"
    with refused("AccessDenied", 403):
        session.put_object(Bucket=bucket, Key="b", Body=b"")
    assert "a user of an identity provider got a session" in place.server.log_path.read_text()


def test_a_session_policy_only_narrows(place, idp, bucket):
    policy = json.dumps(world.document(world.statement("Allow", "s3:*", "arn:aws:s3:::other/*")))
    with refused("AccessDenied", 403):
        s3(place.url, place.session(idp.token(), Policy=policy)).get_object(Bucket=bucket, Key="reef/a")


@pytest.mark.parametrize(
    "name, make, code",
    [
        ("expired", lambda i: i.token(exp=int(time.time()) - 120), "ExpiredTokenException"),
        ("another audience", lambda i: i.token(aud="other"), "InvalidIdentityToken"),
        ("no audience", lambda i: i.token(aud=None), "InvalidIdentityToken"),
        ("another issuer", lambda i: i.token(iss="https://evil.example"), "InvalidIdentityToken"),
        ("an issuer that begins alike", lambda i: i.token(iss=i.issuer + "@evil.example"), "InvalidIdentityToken"),
        ("none", lambda i: i.token(header={"alg": "none"}, sign=lambda _: b""), "InvalidIdentityToken"),
        ("the public key", lambda i: i.token(header={"alg": "HS256"}, sign=i.hmac_of_public_key), "InvalidIdentityToken"),
        ("RS512 by an RS256 key", lambda i: i.token(header={"alg": "RS512"}, sign=lambda m: i.key.sign(m, "SHA-512")),
         "InvalidIdentityToken"),
        ("an end as text", lambda i: i.token(exp=str(int(time.time()) + 600)), "InvalidIdentityToken"),
        ("no end", lambda i: i.token(exp=None), "InvalidIdentityToken"),
        ("no time of issue", lambda i: i.token(iat=None), "InvalidIdentityToken"),
        ("an empty subject", lambda i: i.token(sub=""), "InvalidIdentityToken"),
        ("critical", lambda i: i.token(header={"crit": ["exp"]}), "InvalidIdentityToken"),
        ("a foreign key with our name", lambda i: i.token(key=SigningKey("first")), "InvalidIdentityToken"),
        ("large", lambda i: i.token(more="x" * 30_000), "InvalidIdentityToken"),
        ("larger than a call without a signature may be", lambda i: i.token(more="x" * 200_000), "EntityTooLarge"),
        ("nothing", lambda i: "", "ValidationError"),
        ("no token", lambda i: "a.b.c", "InvalidIdentityToken"),
    ],
)  # fmt: skip
def test_a_bad_token(place, idp, name, make, code):
    assert place.assume(make(idp)) == (400, code)


def test_a_token_never_says_where_its_key_is(place, idp):
    evil = SigningKey("evil")
    for header in [{"jwk": evil.jwk()}, {"jku": f"{idp.issuer}/evil"}, {"x5u": f"{idp.issuer}/evil"}]:
        assert place.assume(idp.token(key=evil, header=header)) == (400, "InvalidIdentityToken")
    assert not any("evil" in path for path in idp.asked)


@pytest.mark.parametrize(
    "role, claims, status",
    [
        ("OnlyUser1", {}, 200),
        ("OnlyUser1", {"sub": "user-2"}, 403),
        ("OnlyUser1", {"sub": "user-2", "SUB": "user-1"}, 400),
        # Claims never pose as other condition keys.
        ("Nobody", {"aws:MultiFactorAuthPresent": "true"}, 403),
        ("ForUsers", {}, 403),
        ("Missing", {}, 403),
    ],
)
def test_the_trust_policy_decides(place, idp, role, claims, status):
    assert place.assume(idp.token(**claims), role)[0] == status


KEYCLOAK = {
    "aud": "account", "azp": "app", "typ": "Bearer", "scope": "openid email profile", "preferred_username": "alice",
    "realm_access": {"roles": ["offline_access", "s3-reader"]}, "resource_access": {"account": {"roles": ["view-profile"]}},
}  # fmt: skip
KUBERNETES = {
    "aud": ["app"], "sub": "system:serviceaccount:data:loader", "jti": "5f1e",
    "kubernetes.io": {"namespace": "data", "pod": {"name": "p", "uid": "u"}, "serviceaccount": {"name": "loader", "uid": "v"}},
}  # fmt: skip
GITHUB = {
    "sub": "repo:octo-7/reef-74:environment:production", "repository": "octo/reef", "repository_id": "74",
    "repository_owner_id": "7", "environment": "production", "ref": "refs/heads/main",
    "job_workflow_ref": "octo/reef/.github/workflows/deploy.yml@refs/heads/main",
}  # fmt: skip


@pytest.mark.parametrize(
    "role, claims, status",
    [
        ("Keycloak", KEYCLOAK, 200),
        ("Keycloak", {**KEYCLOAK, "azp": "another"}, 400),
        ("Keycloak", {**KEYCLOAK, "realm_access": {"roles": ["x-s3-reader"]}}, 403),
        ("Keycloak", {**KEYCLOAK, "realm_access": None, "resource_access": {"app": {"roles": ["s3-reader"]}}}, 403),
        ("Kubernetes", KUBERNETES, 200),
        ("Kubernetes", {**KUBERNETES, "aud": ["https://kubernetes.default.svc"]}, 400),
        ("Kubernetes", {**KUBERNETES, "sub": "system:serviceaccount:data:loader2"}, 403),
        ("GitHub", GITHUB, 200),
        ("GitHub", {**GITHUB, "repository_id": "75"}, 403),
        ("GitHub", {**GITHUB, "environment": None}, 403),
        ("GitHub", {**GITHUB, "job_workflow_ref": "octo/reef/.github/workflows/other.yml@refs/heads/main"}, 403),
    ],
)
def test_tokens_of_known_providers(place, idp, role, claims, status):
    assert place.assume(idp.token(**claims), role)[0] == status


def test_claims_do_not_pose_as_those_of_another_provider(place, idp):
    place.session(idp.token())
    place.session(idp.token(iss=f"{idp.issuer}:x"), "OfTwo")
    assert place.assume(idp.token(**{"x:sub": "user-1"}), "OfTwo") == (403, "AccessDenied")


def test_parameters_do_not_pose_as_claims(place, idp):
    """A tag and a source identity of a call have no effect: only those of the token count."""
    place.session(idp.token(), "Tagged", **{"Tags.member.1.Key": "Project", "Tags.member.1.Value": "x", "SourceIdentity": "y"})
    assert place.answer.find(f".//{STS}SourceIdentity") is None


def test_the_configuration_maps_roles(place, idp, bucket):
    """MinIO's dialect: no RoleArn, everything in the query."""
    for claims, wanted in [
        ({"realm_access": {"roles": ["x", "admin"]}}, "Writer"),
        ({"groups": ["team-1"]}, "Reader"),
        # The order of the rules decides, not that of the claims.
        ({"groups": ["team-1"], "realm_access": {"roles": ["admin"]}}, "Writer"),
    ]:
        status, _ = place.call({"WebIdentityToken": idp.token(**claims), "DurationSeconds": "3600"}, in_query=True)
        assert status == 200, tail(place.server.log_path)
        assert f"assumed-role/{wanted}/user-1" in place.text("Arn")
    assert place.assume(idp.token(groups=["other"]), role=None) == (403, "AccessDenied")
    names = set()
    hashed = "user-1-" + hashlib.sha256(b"user/1").hexdigest()[:16]
    for subject in ["user-1", "user/1", "user\n1", "user:1", "x" * 64, "x" * 65, "x" * 64 + "y", hashed]:
        place.session(idp.token(groups=["team-1"], sub=subject), role=None)
        names.add(place.text("Arn").split("/")[-1])
    assert len(names) == 8 and {"user-1", "x" * 64} <= names, names


def test_tags_and_source_identity_of_the_token(place, idp, bucket):
    tags = {"principal_tags": {"Project": ["reef"]}, "transitive_tag_keys": ["Project"]}
    claims = {"https://aws.amazon.com/tags": tags, "https://aws.amazon.com/source_identity": "alice"}
    key = place.session(idp.token(**claims), "Tagged")
    assert place.text("SourceIdentity") == "alice"
    assert s3(place.url, key).get_object(Bucket=bucket, Key="reef/a")["Body"].read() == b"coral"
    # Without sts:TagSession in its trust policy the role refuses.
    assert place.assume(idp.token(**claims)) == (403, "AccessDenied")


@pytest.mark.parametrize("name", ["PolicyArns.member.arn", "PolicyArns.member.2.arn", "PolicyArns.member.11.arn"])
def test_a_limit_that_cannot_be_read_is_not_ignored(place, idp, name):
    assert place.assume(idp.token(), **{name: "arn:aws:iam::aws:policy/ReadOnlyAccess"}) == (400, "ValidationError")


def test_durations(place, idp):
    assert place.assume(idp.token(), DurationSeconds="43200") == (400, "ValidationError")
    assert place.assume(idp.token(), DurationSeconds="60") == (400, "ValidationError")
    assert place.assume(idp.token(), DurationSeconds="900")[0] == 200


def test_the_provider_of_boto3(place, idp, bucket, tmp_path, monkeypatch):
    """Its token file ends with a newline, which it sends along."""
    file = tmp_path / "token"
    file.write_text(idp.token() + "\n")
    for name, value in {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ROLE_ARN": ROLE + "Reader",
        "AWS_ENDPOINT_URL": place.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"]:
        monkeypatch.delenv(name, raising=False)
    found = boto3.session.Session().client("s3", config=boto3.session.Config(s3={"addressing_style": "path"}))
    assert found.get_object(Bucket=bucket, Key="reef/a")["Body"].read() == b"coral"


def test_rotation_and_outage(tmp_path):
    """New keys are found by the first token that names one; invented names are not asked for again and again; the last keys
    outlive an outage of the provider and a restart during it; a provider that lies is not believed."""
    idp = Idp(tmp_path)
    place = Place(tmp_path, idp)
    keys = idp.prefix.split("/", 1)[1]
    try:
        place.session(idp.token())
        asked = idp.asked[f"/{keys}/keys"]
        unknown = SigningKey("invented")
        for _ in range(20):
            assert place.assume(idp.token(key=unknown)) == (400, "InvalidIdentityToken")
        assert idp.asked[f"/{keys}/keys"] <= asked + 1
        idp.answers = {
            f"/{keys}/.well-known/openid-configuration": (302, {"location": "http://169.254.169.254/latest"}, b""),
            f"/{keys}/keys": (302, {"location": "http://169.254.169.254/latest"}, b""),
        }
        place.server.stop()
        place.start()
        place.session(idp.token())
        idp.stop()
        place.server.stop()
        place.start()
        place.session(idp.token())
    finally:
        place.server.stop()


def test_a_key_that_is_new(tmp_path):
    idp = Idp(tmp_path)
    place = Place(tmp_path, idp)
    try:
        # The keys were fetched at the start, and are asked for again only after 30 seconds.
        second = SigningKey("second")
        wait_for(lambda: idp.asked.get("/realm/keys"), 10, "keys are fetched")
        idp.published = [second, idp.key]
        wait_for(lambda: place.assume(idp.token(key=second))[0] == 200, 40, "the new key is found")
        assert idp.asked["/realm/keys"] <= 3
    finally:
        place.server.stop()
        idp.stop()


def test_a_provider_that_lies(tmp_path):
    for wrong in [{"issuer": "https://other.example"}, {"jwks_uri": "https://other.example/keys"}]:
        idp = Idp(tmp_path)
        honest = {"issuer": idp.issuer, "jwks_uri": f"{idp.issuer}/keys"}
        idp.answers["/realm/.well-known/openid-configuration"] = (200, {}, json.dumps({**honest, **wrong}).encode())
        directory = tmp_path / list(wrong)[0]
        directory.mkdir()
        place = Place(directory, idp)
        try:
            assert place.assume(idp.token()) == (400, "IDPCommunicationError")
            assert "is refused" in place.server.log_path.read_text()
        finally:
            place.server.stop()
            idp.stop()


def test_a_provider_at_a_private_address_needs_permission(tmp_path):
    idp = Idp(tmp_path, tls=True)
    place = Place(tmp_path, idp, allowPrivateAddresses=False, tlsCaCert=str(idp.ca))
    try:
        assert place.assume(idp.token()) == (400, "IDPCommunicationError")
        assert "is not a public address" in place.server.log_path.read_text()
        assert not idp.asked
    finally:
        place.server.stop()
        idp.stop()


def test_a_provider_of_the_iam_api(tmp_path):
    """Created, used, and deleted: its sessions end with it. Its tokens have a slash at the end of their issuer."""
    idp = Idp(tmp_path, path="/o/app/", tls=True)
    settings = {"privateHosts": ["127.0.0.1"], "tlsCaCert": str(idp.ca)}
    file = tmp_path / "iam.json"
    file.write_text(json.dumps({"sts": {"signingKey": world.SIGNING_KEY}, "kelpgate": {"oidc": settings}}))
    server = kelpgate.SingleMachine(tmp_path, [f"-iam.config={file}"])
    try:
        iam = client("iam", server.url, server.root)
        made = iam.create_open_id_connect_provider(Url=idp.issuer, ClientIDList=["app"])["OpenIDConnectProviderArn"]
        iam.create_role(RoleName="R", AssumeRolePolicyDocument=json.dumps(trust(idp, principal=made)))
        policy = json.dumps(world.document(world.statement("Allow", "s3:ListAllMyBuckets", "*")))
        iam.put_role_policy(RoleName="R", PolicyName="p", PolicyDocument=policy)
        sts = client("sts", server.url, retries={"total_max_attempts": 6})

        def session():
            got = sts.assume_role_with_web_identity(
                RoleArn=ROLE + "R", RoleSessionName="e2e", WebIdentityToken=idp.token()
            )["Credentials"]
            return s3(server.url, Key(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"]))

        used = session()
        used.list_buckets()
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=made)
        with refused("InvalidToken"):
            used.list_buckets()
        with refused("InvalidIdentityToken", 400):
            session()
        # A new provider with the same issuer does not bring old sessions back.
        time.sleep(1.1)
        iam.create_open_id_connect_provider(Url=idp.issuer, ClientIDList=["app"])
        with refused("InvalidToken"):
            used.list_buckets()
        session().list_buckets()
    finally:
        server.stop()
        idp.stop()


def test_the_policy_claim(tmp_path):
    """Policies by name, from one claim; names without a policy give nothing."""
    idp = Idp(tmp_path)
    place = Place(tmp_path, idp)
    place.server.stop()
    changed = json.loads(place.file.read_text())
    provider = changed["providers"][0]
    del provider["roleMapping"]
    provider["config"]["policyClaim"] = "policy"
    place.file.write_text(json.dumps(changed))
    place.start()
    try:
        name = make_bucket(s3(place.url, place.server.root))
        for claims, may in [
            ({"policy": "read"}, True),
            ({"policy": ["other", "write"]}, True),
            ({"policy": "other,read"}, True),
            ({"policy": "other"}, False),
            ({"groups": ["write"]}, False),
        ]:
            key = place.session(idp.token(**claims), role=None)
            listing = s3(place.url, key).list_objects_v2
            if may:
                listing(Bucket=name)
            else:
                with refused("AccessDenied", 403):
                    listing(Bucket=name)
    finally:
        place.server.stop()
        idp.stop()


def test_bearer_tokens_on_requests(place, idp, bucket):
    """Decided like AssumeRoleWithWebIdentity without a role, at each request."""
    place.session(idp.token())  # the provider's keys are there
    url = f"{place.url}/{bucket}/reef/a"

    def get(method="GET", url=url, scheme="Bearer", **claims):
        answer = requests.request(method, url, headers={"Authorization": f"{scheme} {idp.token(**claims)}"}, timeout=30)
        return answer.status_code, answer.text.partition("<Code>")[2].partition("<")[0] or answer.text

    reader, now = {"groups": ["team-1"]}, int(time.time())
    assert get(**reader) == get(**reader, scheme="bearer") == (200, "coral")
    assert get("PUT", **reader) == (403, "AccessDenied")
    writer = {"realm_access": {"roles": ["admin"]}}
    assert get("PUT", url + "2", **writer)[0] == 200
    for what, claims, answer in [
        ("no rule", {}, (403, "AccessDenied")),
        ("the trust policy", {"groups": ["stranger"]}, (403, "AccessDenied")),
        ("the end", {**reader, "exp": now - 120}, (400, "ExpiredToken")),
        ("another audience", {**reader, "aud": "other"}, (400, "InvalidToken")),
        ("another issuer", {**reader, "iss": "https://evil.example"}, (400, "InvalidToken")),
        ("no end", {**reader, "exp": None}, (400, "InvalidToken")),
        ("too old to be revoked", {**reader, "iat": now - 130_000}, (400, "ExpiredToken")),
    ]:
        assert get(**claims) == answer, what
    for key in [idp.token(key=SigningKey("first"), **reader), "", "x", place.session(idp.token()).token]:
        assert requests.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=30).status_code == 400
    token = idp.token(**reader)
    for query in [f"Authorization=Bearer%20{token}", f"access_token={token}", f"X-Amz-Security-Token={token}"]:
        assert requests.get(f"{url}?{query}", timeout=30).status_code in (400, 403), query
    # The query APIs and status are for signed requests.
    header = {"Authorization": f"Bearer {token}"}
    assert requests.post(place.url, {"Action": "ListUsers"}, headers=header, timeout=30).status_code == 501

    root = place.server.root
    env = {"AWS_ACCESS_KEY_ID": root.access, "AWS_SECRET_ACCESS_KEY": root.secret, "AWS_ENDPOINT_URL": place.url}
    subject = {**reader, "sub": "carrier"}
    assert get(**subject)[0] == 200
    kelpgate.cli("sessions", "revoke", f"-provider={idp.issuer}", "-subject=carrier", env=env)
    # The provider's clock may be ahead of the one that dates the revocation.
    assert get(**subject) == get(**subject, iat=now - 100) == get(**subject, iat=now + 50) == (400, "ExpiredToken")
    assert get(**reader)[0] == 200


def test_sessions_of_a_user_of_a_provider_are_revoked(place, idp, bucket):
    """By subject and by provider, on the command line."""
    root = place.server.root
    env = {"AWS_ACCESS_KEY_ID": root.access, "AWS_SECRET_ACCESS_KEY": root.secret, "AWS_ENDPOINT_URL": place.url}
    one, other = place.session(idp.token(sub="one")), place.session(idp.token(sub="other"))

    def reads(key):
        s3(place.url, key).get_object(Bucket=bucket, Key="reef/a")

    kelpgate.cli("sessions", "revoke", f"-provider={idp.issuer}", "-subject=one", env=env)
    with refused("ExpiredToken", 400):
        reads(one)
    reads(other)
    # The next sign-in of the same user is good at once.
    reads(place.session(idp.token(sub="one")))
    kelpgate.cli("sessions", "revoke", f"-provider={idp.issuer}", env=env)
    with refused("ExpiredToken", 400):
        reads(other)
    reads(place.session(idp.token(sub="other")))


def test_client_grants(place, idp, bucket):
    """MinIO's dialect: another name for the same."""
    parameters = {"Token": idp.token(groups=["team-1"]), "DurationSeconds": "3600"}
    status, key = place.call(parameters, in_query=True, action="AssumeRoleWithClientGrants")
    assert status == 200 and place.answer.tag == f"{STS}AssumeRoleWithClientGrantsResponse"
    assert place.text("SubjectFromToken") == "user-1"
    assert s3(place.url, key).get_object(Bucket=bucket, Key="reef/a")["Body"].read() == b"coral"
    bad = {"Token": idp.token(aud="other")}
    assert place.call(bad, action="AssumeRoleWithClientGrants") == (400, "InvalidIdentityToken")


@pytest.mark.parametrize(
    "make, fails, said",
    [
        (lambda idp: idp.token(groups=["team-a"]), False, "a call without a role gets the role"),
        (lambda idp: idp.token(aud="other"), True, "none of the provider's client ids"),
        (lambda idp: idp.token(exp=int(time.time()) - 3600), True, "expired at"),
        (lambda idp: idp.token(iss="https://elsewhere.example"), True, "no identity provider has the issuer"),
        (lambda idp: "opaque", True, "it is not a JWT"),
    ],
)
def test_the_doctor_says_which_step_fails(place, idp, tmp_path, make, fails, said):
    file = tmp_path / "token"
    file.write_text(make(idp) + "\n")
    done = kelpgate.cli("doctor", f"-token={file}", f"-iam.config={place.file}", check=False)
    assert (done.returncode != 0, said in done.stdout) == (fails, True), done.stdout + done.stderr


def test_openbao(tmp_path):
    """A real provider: each of its algorithms, rotation, and tokens for somebody else."""
    (tmp_path / "place").mkdir()
    bao = OpenBao(tmp_path)
    place = Place(tmp_path / "place", bao)
    try:
        name = make_bucket(s3(place.url, place.server.root))
        for algorithm in ALGORITHMS:
            s3(place.url, place.session(bao.token(algorithm))).list_objects_v2(Bucket=name)
        assert place.text("Provider") == bao.issuer and place.text("Audience") == bao.client
        place.session(bao.token(), role=None)
        assert "assumed-role/Reader/" in place.text("Arn")
        bao.role("other", "ES256", "other")
        bao.role("admins", "ES256", bao.client, groups=["other"])
        assert place.assume(bao.token("other")) == (400, "InvalidIdentityToken")
        assert place.assume(bao.token("admins"), role=None) == (403, "AccessDenied")
        before = bao.token("ES256")
        bao.rotate("ES256")
        # OpenBao publishes the next key ahead of time, so that rotation keeps nobody waiting.
        assert place.assume(bao.token("ES256"))[0] == place.assume(before)[0] == 200
        head, claims, signature = before.split(".")
        assert place.assume(f"{head}.{claims}.{signature[:-2]}AA") == (400, "InvalidIdentityToken")
    finally:
        place.server.stop()
        bao.stop()
