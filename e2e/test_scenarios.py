"""Access control scenarios, asked of two gateways over HTTP: both give the same answer to every question, with the same reason.

Each scenario sets policies through the first gateway. Its questions go to both gateways once they are at the same revision.
"""

import json
import re
from typing import NamedTuple

import pytest

import kelpgate
from clients import Key, assume, client, make_bucket, s3, unique
from processes import wait_for
from signing import request, send
from world import ALICE, BOB, ROOT, document, statement, user_arn

# The reason for a refusal, as in the message of AccessDenied.
DENY_IDENTITY = "with an explicit deny in an identity-based policy"
DENY_BUCKET = "with an explicit deny in a resource-based policy"
DENY_SESSION = "with an explicit deny in a session policy"
NO_IDENTITY = "because no identity-based policy allows"
NO_BUCKET = "because no resource-based policy allows"
NO_SESSION = "because no session policy allows"
DENY_BOUNDARY = "with an explicit deny in a permissions boundary"
NO_BOUNDARY = "because no permissions boundary allows"
OK = None

KEYS = ("open/a", "closed/a", "Closed/a", "new\nline/a", "home/{user}/a", "home/other/a", "tagged/public", "tagged/secret", "tagged/none")


class Scene(NamedTuple):
    """Policies, and the questions about them: (caller, method and key, headers, expected refusal or OK)."""

    name: str
    questions: list
    identity: tuple = ()
    bucket: tuple = ()
    session: tuple = ()
    boundary: tuple = ()


def allow(action, resource, condition=None, **more):
    return statement("Allow", action, resource, **({"Condition": condition} if condition else {}), **more)


def deny(action, resource, condition=None, **more):
    return statement("Deny", action, resource, **({"Condition": condition} if condition else {}), **more)


OBJECTS = "arn:aws:s3:::{bucket}/*"
BUCKET = "arn:aws:s3:::{bucket}"
EVERYONE = {"Principal": "*"}
USER = {"Principal": {"AWS": "{arn}"}}


def below(prefix):
    return "arn:aws:s3:::{bucket}/" + prefix


SCENES = [
    Scene(
        "nothing allows",
        [("user", "GET open/a", {}, NO_IDENTITY), ("anonymous", "GET open/a", {}, NO_BUCKET), ("user", "GET", {}, NO_IDENTITY)],
    ),
    Scene(
        "ExistingObjectTag opens what is tagged",
        bucket=(allow("s3:GetObject", OBJECTS, {"StringEquals": {"s3:ExistingObjectTag/class": "public"}}, **EVERYONE),),
        questions=[
            ("user", "GET tagged/public", {}, OK),
            ("anonymous", "GET tagged/public", {}, OK),
            ("user", "GET tagged/secret", {}, NO_IDENTITY),
            ("user", "GET tagged/none", {}, NO_IDENTITY),
            ("anonymous", "GET tagged/none", {}, NO_BUCKET),
            ("anonymous", "HEAD tagged/public", {}, OK),
        ],
    ),
    Scene(
        "ExistingObjectTag closes what is tagged, whatever else allows it",
        identity=(allow("s3:*", OBJECTS), deny("s3:GetObject", OBJECTS, {"StringLike": {"s3:existingobjecttag/class": "sec*"}})),
        questions=[
            ("user", "GET tagged/secret", {}, DENY_IDENTITY),
            ("user", "GET tagged/public", {}, OK),
            ("user", "GET tagged/none", {}, OK),
        ],
    ),
    Scene(
        "an Allow with NotAction",
        identity=(allow(None, OBJECTS, NotAction=["s3:Delete*", "s3:PutObject"]),),
        questions=[
            ("user", "GET open/a", {}, OK),
            ("user", "PUT open/new", {}, NO_IDENTITY),
            ("user", "DELETE open/a", {}, NO_IDENTITY),
        ],
    ),
    Scene(
        "a Deny with NotAction in the bucket policy",
        identity=(allow("s3:*", OBJECTS),),
        bucket=(deny(None, OBJECTS, NotAction="s3:GetObject", **USER),),
        questions=[
            ("user", "GET open/a", {}, OK),
            ("user", "PUT open/new", {}, DENY_BUCKET),
            ("user", "GET open/a?tagging", {}, DENY_BUCKET),
            ("alice", "GET open/a?tagging", {}, OK),
        ],
    ),
    Scene(
        "an Allow with IfExists holds without the key",
        identity=(allow("s3:PutObject", OBJECTS, {"StringEqualsIfExists": {"s3:x-amz-storage-class": ["STANDARD", "STANDARD_IA"]}}),),
        questions=[
            ("user", "PUT open/new", {}, OK),
            ("user", "PUT open/new", {"x-amz-storage-class": "STANDARD"}, OK),
            ("user", "PUT open/new", {"x-amz-storage-class": "GLACIER"}, NO_IDENTITY),
        ],
    ),
    Scene(
        "a Deny with a negated operator matches if the key is missing, with IfExists too",
        identity=(
            allow("s3:PutObject", OBJECTS),
            deny("s3:PutObject", below("open/*"), {"StringNotEquals": {"s3:x-amz-storage-class": "STANDARD"}}),
            deny("s3:PutObject", below("closed/*"), {"StringNotEqualsIfExists": {"s3:x-amz-storage-class": "STANDARD"}}),
            deny("s3:PutObject", below("home/*"), {"StringEqualsIfExists": {"s3:x-amz-storage-class": "STANDARD"}}),
        ),
        questions=[
            ("user", "PUT open/new", {}, DENY_IDENTITY),
            ("user", "PUT closed/new", {}, DENY_IDENTITY),
            ("user", "PUT home/new", {}, DENY_IDENTITY),
            ("user", "PUT open/new", {"x-amz-storage-class": "STANDARD"}, OK),
            ("user", "PUT closed/new", {"x-amz-storage-class": "STANDARD"}, OK),
            ("user", "PUT home/new", {"x-amz-storage-class": "STANDARD"}, DENY_IDENTITY),
        ],
    ),
    Scene(
        "a Deny of the identity beats the bucket's Allow",
        identity=(deny("s3:GetObject", below("closed/*")),),
        bucket=(allow("s3:*", [BUCKET, OBJECTS], **USER),),
        questions=[
            ("user", "GET open/a", {}, OK),
            ("user", "GET closed/a", {}, DENY_IDENTITY),
            ("user", "PUT closed/new", {}, OK),
            ("user", "GET", {}, OK),
        ],
    ),
    Scene(
        "a Deny of the bucket beats the identity's Allow",
        identity=(allow("s3:*", "*"),),
        bucket=(deny("s3:*", below("closed/*"), **EVERYONE),),
        questions=[
            ("user", "GET closed/a", {}, DENY_BUCKET),
            ("alice", "GET closed/a", {}, DENY_BUCKET),
            ("root", "GET closed/a", {}, DENY_BUCKET),
            ("anonymous", "GET closed/a", {}, DENY_BUCKET),
            ("user", "GET open/a", {}, OK),
        ],
    ),
    Scene(
        "a session policy narrows the role",
        session=(allow("s3:GetObject", below("open/*")), deny("s3:GetObject", below("open/b*"))),
        questions=[
            ("session", "GET open/a", {}, OK),
            ("session", "GET closed/a", {}, NO_SESSION),
            ("session", "PUT open/new", {}, NO_SESSION),
            ("session", "GET open/b", {}, DENY_SESSION),
        ],
    ),
    Scene(
        "a session policy gives nothing by itself, and the bucket's grant to the role stays within it",
        bucket=(allow("s3:PutObject", OBJECTS, Principal={"AWS": "arn:aws:iam::000000000000:role/S3ReadOnlyRole"}),),
        session=(allow("s3:PutObject", below("open/*")), allow("s3:DeleteObject", OBJECTS)),
        questions=[
            ("reader session", "PUT open/new", {}, OK),
            ("reader session", "PUT closed/new", {}, NO_SESSION),
            ("reader session", "DELETE open/a", {}, NO_IDENTITY),
        ],
    ),
    Scene(
        "a boundary limits what the identity has, and gives nothing",
        identity=(allow("s3:*", OBJECTS),),
        boundary=(allow(["s3:GetObject", "s3:ListBucket"], "*"), deny("s3:GetObject", below("closed/*"))),
        questions=[
            ("user", "GET open/a", {}, OK),
            ("user", "PUT open/new", {}, NO_BOUNDARY),
            ("user", "GET closed/a", {}, DENY_BOUNDARY),
            ("user", "GET", {}, NO_IDENTITY),
            ("alice", "GET closed/a", {}, OK),
        ],
    ),
    Scene(
        "a bucket's grant to the user itself is not limited by the boundary, its denies hold",
        bucket=(allow("s3:*", OBJECTS, **USER),),
        boundary=(deny("s3:DeleteObject", "*"), allow("s3:ListBucket", "*")),
        questions=[("user", "PUT open/new", {}, OK), ("user", "DELETE open/a", {}, DENY_BOUNDARY)],
    ),
    Scene(
        "a variable is the caller's own name",
        identity=(
            allow("s3:GetObject", below("home/${aws:username}/*")),
            allow("s3:ListBucket", BUCKET, {"StringLike": {"s3:prefix": ["home/${aws:username}/*"]}}),
        ),
        questions=[
            ("user", "GET home/{user}/a", {}, OK),
            ("user", "GET home/other/a", {}, NO_IDENTITY),
            ("user", "GET ?prefix=home/{user}/", {}, OK),
            ("user", "GET ?prefix=home/", {}, NO_IDENTITY),
            ("user", "GET ?prefix=home/other/", {}, NO_IDENTITY),
            ("user", "GET", {}, NO_IDENTITY),
        ],
    ),
    Scene(
        "a default stands for a variable without a value, and a variable without either matches nothing",
        bucket=(
            allow("s3:GetObject", below("home/${aws:PrincipalTag/team, 'other'}/*"), **USER),
            allow("s3:GetObject", below("closed/${aws:PrincipalTag/team}*"), **USER),
        ),
        questions=[("user", "GET home/other/a", {}, OK), ("user", "GET closed/a", {}, NO_IDENTITY)],
    ),
    Scene(
        "a Deny covers keys with a line feed",
        identity=(allow("s3:GetObject", OBJECTS), deny("s3:GetObject", below("new*a"))),
        questions=[("user", "GET new\nline/a", {}, DENY_IDENTITY), ("user", "GET open/a", {}, OK)],
    ),
    Scene(
        "keys are case-sensitive, actions and condition keys are not",
        identity=(
            allow("S3:getOBJECT", OBJECTS, {"Null": {"AWS:USERNAME": "false"}}),
            deny("s3:GetObject", below("Closed/*")),
        ),
        questions=[("user", "GET Closed/a", {}, DENY_IDENTITY), ("user", "GET closed/a", {}, OK)],
    ),
]


class Stage:
    """Two gateways that allow IAM changes, one bucket, and the callers."""

    def __init__(self, logs, cluster, flags):
        more = [*flags, "-iam.readOnly=false"]
        self.gateways = [kelpgate.gateway(name, logs / name, cluster.filer, more) for name in ("scene-a", "scene-b")]
        first = self.gateways[0].url
        self.root, self.iam = s3(first, ROOT), client("iam", first, ROOT)
        self.user = unique("scene")
        self.bucket = make_bucket(self.root, "scene")
        self.iam.create_user(UserName=self.user)
        made = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        self.callers = {
            "user": Key(made["AccessKeyId"], made["SecretAccessKey"]),
            "alice": ALICE,
            "root": ROOT,
            "anonymous": None,
        }
        for key in (*KEYS, "open/b"):
            self.root.put_object(Bucket=self.bucket, Key=key.format(user=self.user), Body=b"x")
        for value in ("public", "secret"):
            tags = {"TagSet": [{"Key": "class", "Value": value}]}
            self.root.put_object_tagging(Bucket=self.bucket, Key=f"tagged/{value}", Tagging=tags)

    def document(self, statements):
        """The policy with the names of this run. An action that is None is left out."""
        text = json.dumps(document(*({k: v for k, v in one.items() if v is not None} for one in statements)))
        for name, value in [("{bucket}", self.bucket), ("{arn}", user_arn(self.user))]:
            text = text.replace(name, value)
        return text

    def set(self, scene):
        if scene.identity:
            self.iam.put_user_policy(UserName=self.user, PolicyName="scene", PolicyDocument=self.document(scene.identity))
        else:
            for name in self.iam.list_user_policies(UserName=self.user)["PolicyNames"]:
                self.iam.delete_user_policy(UserName=self.user, PolicyName=name)
        if scene.bucket:
            self.root.put_bucket_policy(Bucket=self.bucket, Policy=self.document(scene.bucket))
        else:
            self.root.delete_bucket_policy(Bucket=self.bucket)
        if scene.session:
            policy = self.document(scene.session)
            for caller, role in [("session", "S3AdminRole"), ("reader session", "S3ReadOnlyRole")]:
                self.callers[caller] = self.assume(role, policy)
        self.bound(scene.boundary)
        wait_for(lambda: len({self.revision(gateway) for gateway in self.gateways}) == 1, 10, "the same revision")

    def bound(self, statements):
        if statements:
            # Each scenario has its own policy, because a boundary is given by name.
            made = self.iam.create_policy(PolicyName=unique("Bound"), PolicyDocument=self.document(statements))["Policy"]
            self.iam.put_user_permissions_boundary(UserName=self.user, PermissionsBoundary=made["Arn"])
        elif "PermissionsBoundary" in self.iam.get_user(UserName=self.user)["User"]:
            self.iam.delete_user_permissions_boundary(UserName=self.user)

    def assume(self, role, policy):
        return assume(self.gateways[0].url, BOB, role, "scene", Policy=policy)

    @staticmethod
    def revision(gateway):
        return json.loads(send("GET", gateway.url + "/status").body)["iam"]["revision"]

    def ask(self, gateway, caller, question, headers):
        """The status, and the reason in the message of a refusal."""
        method, _, rest = question.partition(" ")
        path, _, query = rest.format(user=self.user).partition("?")
        url = f"{gateway.url}/{self.bucket}" + (f"/{path}" if path else "") + (f"?{query}" if query else "")
        url = url.replace("\n", "%0A")
        key, body = self.callers[caller], b"x" if method == "PUT" else b""
        if key:
            answer = request(key, method, url, body, headers)
        else:
            answer = send(method, url, headers, body)
        text = re.sub(r"\s+", " ", answer.body.decode(errors="replace")) if answer.status == 403 else ""
        reason = re.search(r"(with an explicit deny in an? [\w -]+?(?:policy|boundary)|because no [\w -]+? allows)\b", text)
        return answer.status, reason and reason[1]


@pytest.fixture(scope="module")
def stage(logs, cluster, config_flags):
    return Stage(logs, cluster, config_flags)


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name.replace(" ", "-") for scene in SCENES])
def test_both_gateways_answer_the_same(stage, scene):
    stage.set(scene)
    for caller, question, headers, want in scene.questions:
        answers = [stage.ask(gateway, caller, question, headers) for gateway in stage.gateways]
        assert answers[0] == answers[1], (scene.name, caller, question)
        status, reason = answers[0]
        if want is OK:
            assert status in (200, 204), (scene.name, caller, question, answers)
        elif question.startswith("HEAD"):
            assert status == 403, (scene.name, caller, question, answers)
        else:
            assert (status, reason) == (403, want), (scene.name, caller, question, answers)
