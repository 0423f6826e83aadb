"""Sessions that are ended before their time, on two gateways."""

import base64
import hashlib
import hmac
import json
import struct
import time

import pytest

import kelpgate
import world
from clients import Key, assume, client, make_bucket, new_key, refused, s3, unique
from test_iam_federation import Place


@pytest.fixture(scope="module")
def place(iam_server):
    return Place(*iam_server)


@pytest.fixture(scope="module")
def bucket(place):
    return make_bucket(s3(place.url, place.key))


TRUST = json.dumps(
    world.document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": world.ACCOUNT},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        }
    )
)
ALL = json.dumps(world.document(world.statement("Allow", ["s3:*", "sts:*"], "*")))


def role(place):
    name = unique("role")
    place.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    place.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=ALL)
    return name


def user(place):
    name = unique("user")
    place.iam.create_user(UserName=name)
    place.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=ALL)
    return name, new_key(place.iam, name)


def revoke(place, **target):
    status, text = place.action(Action="RevokeSessions", **target)
    assert status == 200, text
    return text


def ended(place, key, bucket):
    with refused("ExpiredToken", 400):
        s3(place.url, key).list_objects_v2(Bucket=bucket)


def test_a_role(place, bucket):
    one, other = role(place), role(place)
    old, unrelated = assume(place.url, place.key, one), assume(place.url, place.key, other)
    s3(place.url, old).list_objects_v2(Bucket=bucket)
    text = revoke(place, RoleName=one)
    assert f"<Target>role:arn:aws:iam::{world.ACCOUNT}:role/{one}</Target>" in text
    ended(place, old, bucket)
    s3(place.url, unrelated).list_objects_v2(Bucket=bucket)
    # Sessions that are made afterwards are good at once.
    s3(place.url, assume(place.url, place.key, one)).list_objects_v2(Bucket=bucket)
    status, listed = place.action(Action="ListSessionRevocations")
    assert status == 200 and f"role/{one}<" in listed


def test_a_user_and_the_sessions_made_from_its_sessions(place, bucket):
    name, key = user(place)
    _, other_key = user(place)
    first, second = role(place), role(place)
    session = assume(place.url, key, first)
    chained = assume(place.url, session, second)
    others = assume(place.url, other_key, first)
    for each in [session, chained, others]:
        s3(place.url, each).list_objects_v2(Bucket=bucket)
    revoke(place, UserName=name)
    ended(place, session, bucket)
    ended(place, chained, bucket)
    s3(place.url, others).list_objects_v2(Bucket=bucket)
    # Long-term keys are no sessions.
    s3(place.url, key).list_objects_v2(Bucket=bucket)
    s3(place.url, assume(place.url, key, first)).list_objects_v2(Bucket=bucket)


def test_one_session(place, bucket):
    name = role(place)
    one, other = assume(place.url, place.key, name), assume(place.url, place.key, name)
    revoke(place, SessionId=session_id(one))
    ended(place, one, bucket)
    s3(place.url, other).list_objects_v2(Bucket=bucket)


def session_id(key):
    claims = key.token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sid"]


@pytest.mark.parametrize(
    "parameters, code",
    [
        ({}, "ValidationError"),
        ({"RoleName": "a", "UserName": "b"}, "ValidationError"),
        ({"Subject": "a"}, "ValidationError"),
        ({"RoleName": "nobody"}, "NoSuchEntity"),
        ({"UserName": "nobody"}, "NoSuchEntity"),
        ({"Provider": "https://nobody.example"}, "NoSuchEntity"),
        ({"SessionId": "x"}, "ValidationError"),
        ({"SessionId": "0" * 32, "OlderThan": "2999-01-01T00:00:00Z"}, "ValidationError"),
        ({"SessionId": "0" * 32, "OlderThan": "yesterday"}, "ValidationError"),
    ],
)
def test_what_cannot_be_revoked(place, parameters, code):
    status, text = place.action(Action="RevokeSessions", **parameters)
    assert status in (400, 404) and f"<Code>{code}</Code>" in text


def test_only_with_the_permission(place):
    name, key = user(place)
    status, text = place.action(key, Action="RevokeSessions", UserName=name)
    assert status == 403 and "iam:RevokeSessions" in text
    allowed = json.dumps(world.document(world.statement("Allow", "iam:RevokeSessions", world.user_arn(name))))
    place.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=allowed)
    assert place.action(key, Action="RevokeSessions", UserName=name)[0] == 200
    assert place.action(key, Action="RevokeSessions", UserName="root")[0] == 403


def test_the_command_line(place, bucket):
    name = role(place)
    old = assume(place.url, place.key, name)
    env = {
        "AWS_ACCESS_KEY_ID": place.key.access,
        "AWS_SECRET_ACCESS_KEY": place.key.secret,
        "AWS_ENDPOINT_URL": place.url,
    }
    client("sts", place.url, old).get_caller_identity()
    listed = kelpgate.cli("sessions", "list", env=env).stdout.splitlines()
    used = [line for line in listed if f":assumed-role/{name}/" in line]
    assert len(used) == 1 and used[0].endswith("from 127.0.0.1"), listed
    said = kelpgate.cli("sessions", "revoke", f"-role={name}", env=env).stdout
    assert f"role/{name}" in said
    ended(place, old, bucket)
    assert f"role/{name}" in kelpgate.cli("sessions", "revocations", env=env).stdout
    wrong = kelpgate.cli("sessions", "revoke", "-role=nobody", env=env, check=False)
    assert wrong.returncode != 0 and "NoSuchEntity" in wrong.stderr


def test_every_gateway_refuses_when_the_call_returns(gateway_b, writing_gateway):
    """A session that was used a moment ago, on another gateway than the one that revokes."""
    writer = Place(writing_gateway.url, world.ROOT)
    name = make_bucket(s3(writing_gateway.url, world.ROOT))
    for _ in range(8):
        session = assume(writing_gateway.url, world.BOB, "S3ReadOnlyRole")
        s3(gateway_b.url, session).list_objects_v2(Bucket=name)
        revoke(writer, SessionId=session_id(session))
        ended(gateway_b, session, name)


def managed(place, *statements):
    document = json.dumps(world.document(*statements))
    return place.iam.create_policy(PolicyName=unique("policy"), PolicyDocument=document)["Policy"]["Arn"]


def test_managed_policies_limit_a_session(place, bucket):
    """Alone and together with a policy of the call, as they are at each request."""
    name = role(place)
    reads = managed(place, world.statement("Allow", "s3:GetObject", "*"))
    writes = json.dumps(world.document(world.statement("Allow", "s3:PutObject", "*")))
    alone = s3(place.url, assume(place.url, place.key, name, PolicyArns=[{"arn": reads}]))
    both = s3(place.url, assume(place.url, place.key, name, PolicyArns=[{"arn": reads}], Policy=writes))
    both.put_object(Bucket=bucket, Key="limited", Body=b"1")
    both.get_object(Bucket=bucket, Key="limited")
    alone.get_object(Bucket=bucket, Key="limited")
    for session, call in [(alone, "put_object"), (alone, "delete_object"), (both, "delete_object")]:
        with refused("AccessDenied", 403):
            getattr(session, call)(Bucket=bucket, Key="limited")
    deny = json.dumps(world.document(world.statement("Deny", "s3:GetObject", "*")))
    place.iam.create_policy_version(PolicyArn=reads, PolicyDocument=deny, SetAsDefault=True)
    for session in [alone, both]:
        with refused("AccessDenied", 403):
            session.get_object(Bucket=bucket, Key="limited")
    with refused("ValidationError", 400):
        assume(place.url, place.key, name, PolicyArns=[{"arn": reads + "x"}])


def test_the_account_of_a_key(place):
    sts = client("sts", place.url, place.key)
    assert sts.get_access_key_info(AccessKeyId=place.key.access)["Account"] == world.ACCOUNT
    with refused("ValidationError", 400):
        sts.get_access_key_info(AccessKeyId="AKIAE2ENOBODY0000001")
    _, key = user(place)
    with refused("AccessDenied", 403):
        client("sts", place.url, new_key(place.iam, place.iam.create_user(UserName=unique("user"))["User"]["UserName"])).get_access_key_info(
            AccessKeyId=key.access
        )


class Phone:
    """An app that shows the codes of a device (RFC 6238). It shows no code twice, because no code counts twice."""

    def __init__(self, seed):
        self.key = base64.b32decode(seed)
        self.step = 0

    def code(self):
        # From the oldest that counts on, so that there is one left.
        self.step = max(self.step + 1, int(time.time()) // 30 - 1)
        mac = hmac.new(self.key, struct.pack(">q", self.step), hashlib.sha1).digest()
        at = mac[-1] & 15
        return f"{(struct.unpack('>I', mac[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def key_of(answer):
    got = answer["Credentials"]
    return Key(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])


def test_a_code_of_a_phone(place, bucket):
    name, key = user(place)
    made = place.iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    serial, phone = made["SerialNumber"], Phone(made["Base32StringSeed"])
    place.iam.enable_mfa_device(
        UserName=name, SerialNumber=serial, AuthenticationCode1=phone.code(), AuthenticationCode2=phone.code()
    )
    assert place.iam.list_mfa_devices(UserName=name)["MFADevices"][0]["SerialNumber"] == serial
    needs_mfa = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    needs_mfa["Condition"] = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    place.iam.put_user_policy(UserName=name, PolicyName="mfa", PolicyDocument=json.dumps(world.document(needs_mfa)))
    sts = client("sts", place.url, key)
    with refused("AccessDenied"):
        s3(place.url, key_of(sts.get_session_token())).list_objects_v2(Bucket=bucket)
    code = phone.code()
    session = key_of(sts.get_session_token(SerialNumber=serial, TokenCode=code))
    s3(place.url, session).list_objects_v2(Bucket=bucket)
    with refused("AccessDenied"):
        sts.get_session_token(SerialNumber=serial, TokenCode=code)
    # With MFA, the session may call the IAM API.
    allowed = json.dumps(world.document(world.statement("Allow", "iam:GetUser", "*")))
    place.iam.put_user_policy(UserName=name, PolicyName="iam", PolicyDocument=allowed)
    assert client("iam", place.url, session).get_user()["User"]["UserName"] == name
    with refused("DeleteConflict"):
        place.iam.delete_virtual_mfa_device(SerialNumber=serial)
    place.iam.deactivate_mfa_device(UserName=name, SerialNumber=serial)
    place.iam.delete_virtual_mfa_device(SerialNumber=serial)


def test_a_federated_user(place, bucket):
    name, key = user(place)
    sts = client("sts", place.url, key)
    reads = json.dumps(world.document(world.statement("Allow", "s3:ListBucket", "*")))
    # Its name is another user's, which gives nothing.
    got = sts.get_federation_token(Name="root", Policy=reads)
    assert got["FederatedUser"]["Arn"] == f"arn:aws:sts::{world.ACCOUNT}:federated-user/root"
    session = key_of(got)
    s3(place.url, session).list_objects_v2(Bucket=bucket)
    with refused("AccessDenied"):
        s3(place.url, session).put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("AccessDenied"):
        s3(place.url, key_of(sts.get_federation_token(Name="nobody"))).list_objects_v2(Bucket=bucket)
    with refused("AccessDenied"):
        client("iam", place.url, session).get_user(UserName=name)
    revoke(place, UserName=name)
    ended(place, session, bucket)


def test_why_a_call_was_refused(place):
    name, key = user(place)
    with refused("AccessDenied") as caught:
        client("iam", place.url, key).list_users()
    encoded = str(caught.value).rsplit(": ", 1)[1]
    decoded = client("sts", place.url, place.key).decode_authorization_message(EncodedMessage=encoded)
    context = json.loads(decoded["DecodedMessage"])["context"]
    assert context["action"] == "iam:ListUsers" and context["principal"]["arn"] == world.user_arn(name)
