"""IAM changes on two gateways of one filer: trials of "returned means enforced", and pairs of writes at the same time.

Tests run a few of each, bench/iam_changes.py runs ten thousand. Everything uses persistent connections, and requests are signed
before the clock starts, so that the question reaches the other gateway within a millisecond of the answer.
"""

import base64
import http.client
import json
import threading
import time
from collections import Counter
from urllib.parse import urlencode, urlsplit

from clients import Key
from signing import Answer, Signer, sha256
from world import ACCOUNT, document, statement

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Connection:
    """A persistent connection to a gateway. Reconnects if the gateway has closed it."""

    def __init__(self, url):
        self.url = url
        self.http = None

    def send(self, method, target, headers, body=b""):
        for attempt in (1, 2):
            fresh = self.http is None
            if fresh:
                parts = urlsplit(self.url)
                self.http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
            try:
                self.http.request(method, target, body=body, headers=headers)
                got = self.http.getresponse()
                return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
            except (http.client.HTTPException, OSError):
                self.http = None
                if fresh or attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def signed(self, key, method, target, body=b"", headers=None, service="s3"):
        """Signs a request now. Calling the result sends it."""
        url = self.url + target
        signed = Signer(key, service=service).headers(method, url, headers, sha256(body))
        return lambda: self.send(method, target, signed, body)


class Iam:
    """IAM calls of one administrator to one gateway."""

    def __init__(self, url, key):
        self.connection = Connection(url)
        self.key = key

    def prepared(self, action, **parameters):
        body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
        return self.connection.signed(self.key, "POST", "/", body, FORM, service="iam")

    def __call__(self, action, **parameters):
        return self.prepared(action, **parameters)()

    def must(self, action, **parameters):
        answer = self(action, **parameters)
        assert answer.status == 200, f"{action} {parameters}: {answer}"
        return answer

    def new_key(self, user):
        body = self.must("CreateAccessKey", UserName=user).body.decode()
        return Key(between(body, "AccessKeyId"), between(body, "SecretAccessKey"))


def between(text, element):
    return text.split(f"<{element}>", 1)[1].split(f"</{element}>", 1)[0]


def members(answer, element):
    """The texts of all elements with this name."""
    parts = answer.body.decode().split(f"<{element}>")[1:]
    return [part.split(f"</{element}>", 1)[0] for part in parts]


def policy_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def reading(bucket, effect="Allow", key="*"):
    return json.dumps(document(statement(effect, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")))


# ---- trials: a change through gateway A, the question at gateway B


class Kind:
    """One kind of change. `grant` and `revoke` return the calls to make through A, of which the last is timed; `probe` asks B."""

    def __init__(self, world):
        self.world = world
        self.setup()

    def setup(self):
        """Sets up the state before the first trial: nothing is granted."""

    def probe(self):
        return self.world.reads(self.world.user_key)


class BucketPolicy(Kind):
    name = "bucket policy"

    def grant(self):
        w = self.world
        principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{w.user}"}
        text = json.dumps(document(statement("Allow", "s3:GetObject", f"arn:aws:s3:::{w.bucket}/*", Principal=principal)))
        return [w.a.connection.signed(w.admin, "PUT", f"/{w.bucket}?policy=", text.encode())]

    def revoke(self):
        w = self.world
        return [w.a.connection.signed(w.admin, "DELETE", f"/{w.bucket}?policy=")]


class Inline(Kind):
    name = "inline policy"

    def grant(self):
        w = self.world
        return [w.a.prepared("PutUserPolicy", UserName=w.user, PolicyName="trial", PolicyDocument=reading(w.bucket))]

    def revoke(self):
        w = self.world
        return [w.a.prepared("DeleteUserPolicy", UserName=w.user, PolicyName="trial")]


class Attached(Kind):
    name = "attached policy"

    def setup(self):
        w = self.world
        self.arn = w.policy("trial-attached")

    def grant(self):
        return [self.world.a.prepared("AttachUserPolicy", UserName=self.world.user, PolicyArn=self.arn)]

    def revoke(self):
        return [self.world.a.prepared("DetachUserPolicy", UserName=self.world.user, PolicyArn=self.arn)]


class ManagedVersion(Kind):
    name = "managed policy version"

    def setup(self):
        w = self.world
        self.arn = w.policy("trial-version", key="nothing/*")
        w.a.must("AttachUserPolicy", UserName=w.user, PolicyArn=self.arn)

    def _version(self, key):
        """Makes a new default version. Deletes the other versions first, to make room."""
        w = self.world
        listed = w.a("ListPolicyVersions", PolicyArn=self.arn)
        for version, default in zip(members(listed, "VersionId"), members(listed, "IsDefaultVersion")):
            if default == "false":
                w.a("DeletePolicyVersion", PolicyArn=self.arn, VersionId=version)
        text = reading(w.bucket, key=key)
        return [w.a.prepared("CreatePolicyVersion", PolicyArn=self.arn, PolicyDocument=text, SetAsDefault="true")]

    def grant(self):
        return self._version("*")

    def revoke(self):
        return self._version("nothing/*")


class Group(Kind):
    name = "group"

    def setup(self):
        w = self.world
        w.a.must("CreateGroup", GroupName="trial-group")
        w.a.must("PutGroupPolicy", GroupName="trial-group", PolicyName="read", PolicyDocument=reading(w.bucket))

    def grant(self):
        return [self.world.a.prepared("AddUserToGroup", GroupName="trial-group", UserName=self.world.user)]

    def revoke(self):
        return [self.world.a.prepared("RemoveUserFromGroup", GroupName="trial-group", UserName=self.world.user)]


class Role(Kind):
    name, role = "role policy", "trial-role"

    def setup(self):
        w = self.world
        user = f"arn:aws:iam::{ACCOUNT}:user/{w.user}"
        trust = json.dumps(document({"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}))
        w.a.must("CreateRole", RoleName=self.role, AssumeRolePolicyDocument=trust)
        w.a("UpdateRole", RoleName=self.role, MaxSessionDuration="43200")
        self.assume()

    def assume(self):
        body = urlencode({
            "Action": "AssumeRole", "Version": "2011-06-15", "RoleSessionName": "trial", "DurationSeconds": "43200",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{self.role}",
        }).encode()  # fmt: skip
        answer = self.world.a.connection.signed(self.world.user_key, "POST", "/", body, FORM, service="sts")()
        assert answer.status == 200, answer
        text = answer.body.decode()
        self.session = Key(*(between(text, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
        return answer

    def probe(self):
        return self.world.reads(self.session)

    def grant(self):
        w = self.world
        return [w.a.prepared("PutRolePolicy", RoleName=self.role, PolicyName="trial", PolicyDocument=reading(w.bucket))]

    def revoke(self):
        return [self.world.a.prepared("DeleteRolePolicy", RoleName=self.role, PolicyName="trial")]


class _OwnUser(Kind):
    """A user for this trial alone, who may read. The trial is about its keys."""

    def setup(self):
        w = self.world
        self.user = "trial-" + self.name.replace(" ", "-")
        w.a.must("CreateUser", UserName=self.user)
        w.a.must("PutUserPolicy", UserName=self.user, PolicyName="read", PolicyDocument=reading(w.bucket))
        self.key = None

    def probe(self):
        return self.world.reads(self.key)


class KeyDeletion(_OwnUser):
    name = "key deletion"

    def grant(self):
        return [self._create]

    def _create(self):
        answer = self.world.a("CreateAccessKey", UserName=self.user)
        text = answer.body.decode()
        self.key = Key(between(text, "AccessKeyId"), between(text, "SecretAccessKey"))
        return answer

    def revoke(self):
        return [self.world.a.prepared("DeleteAccessKey", UserName=self.user, AccessKeyId=self.key.access)]


class KeyDeactivation(_OwnUser):
    name = "key deactivation"

    def setup(self):
        super().setup()
        self.key = self.world.a.new_key(self.user)

    def _status(self, status):
        return [self.world.a.prepared("UpdateAccessKey", UserName=self.user, AccessKeyId=self.key.access, Status=status)]

    def grant(self):
        return self._status("Active")

    def revoke(self):
        return self._status("Inactive")


class UserDeletion(KeyDeletion):
    """Everything that has to happen before DeleteUser, then DeleteUser. A bucket policy would still let the user read."""

    name = "user deletion"

    def setup(self):
        self.user, self.key = "trial-user-deletion", None

    def grant(self):
        w = self.world
        text = reading(w.bucket)
        return [
            w.a.prepared("CreateUser", UserName=self.user),
            w.a.prepared("PutUserPolicy", UserName=self.user, PolicyName="read", PolicyDocument=text),
            self._create,
        ]

    def revoke(self):
        w = self.world
        return [
            w.a.prepared("DeleteUserPolicy", UserName=self.user, PolicyName="read"),
            w.a.prepared("DeleteAccessKey", UserName=self.user, AccessKeyId=self.key.access),
            w.a.prepared("DeleteUser", UserName=self.user),
        ]


class SessionRevocation(_OwnUser):
    """A session of the user's own, which is ended by its id."""

    name = "session revocation"

    def setup(self):
        super().setup()
        self.own = self.world.a.new_key(self.user)

    def grant(self):
        return [self._session]

    def _session(self):
        body = urlencode({"Action": "GetSessionToken", "Version": "2011-06-15"}).encode()
        answer = self.world.a.connection.signed(self.own, "POST", "/", body, FORM, service="sts")()
        text = answer.body.decode()
        self.key = Key(*(between(text, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
        return answer

    def revoke(self):
        claims = self.key.token.split(".")[1]
        session = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sid"]
        return [self.world.a.prepared("RevokeSessions", SessionId=session)]


class UserRevocation(SessionRevocation):
    """All sessions of a user."""

    name = "user revocation"

    def revoke(self):
        return [self.world.a.prepared("RevokeSessions", UserName=self.user)]


class RoleRevocation(Role):
    """All sessions of a role."""

    name, role = "role revocation", "trial-role-revocation"

    def setup(self):
        super().setup()
        self.world.a.must("PutRolePolicy", RoleName=self.role, PolicyName="trial", PolicyDocument=reading(self.world.bucket))

    def probe(self):
        return lambda: self.world.reads(self.session)()

    def grant(self):
        return [self.assume]

    def revoke(self):
        return [self.world.a.prepared("RevokeSessions", RoleName=self.role)]


class ProviderRevocation(RoleRevocation):
    """All sessions of an identity provider's users."""

    name, role, subject = "provider revocation", "trial-web-role", "user-1"

    def setup(self):
        w = self.world
        provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{w.idp.prefix}"
        trust = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
        w.a.must("CreateRole", RoleName=self.role, AssumeRolePolicyDocument=json.dumps(document(trust)))
        w.a.must("PutRolePolicy", RoleName=self.role, PolicyName="trial", PolicyDocument=reading(w.bucket))
        self.session, self.token, self.until = None, None, 0

    def assume(self):
        if time.time() > self.until:
            self.token, self.until = self.world.idp.token(sub=self.subject), time.time() + 300
        body = urlencode({
            "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "trial",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{self.role}", "WebIdentityToken": self.token,
        }).encode()  # fmt: skip
        answer = self.world.a.connection.send("POST", "/", FORM, body)
        assert answer.status == 200, answer
        text = answer.body.decode()
        self.session = Key(*(between(text, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
        return answer

    def revoke(self):
        return [self.world.a.prepared("RevokeSessions", Provider=self.world.idp.issuer)]


class SubjectRevocation(ProviderRevocation):
    """All sessions of one user of an identity provider."""

    name, role, subject = "subject revocation", "trial-subject-role", "user-2"

    def revoke(self):
        return [self.world.a.prepared("RevokeSessions", Provider=self.world.idp.issuer, Subject=self.subject)]


KINDS = [
    BucketPolicy, Inline, Attached, ManagedVersion, Group, Role, KeyDeletion, KeyDeactivation, UserDeletion, SessionRevocation,
    UserRevocation, RoleRevocation, ProviderRevocation, SubjectRevocation,
]  # fmt: skip


class TrialWorld:
    """A bucket with an object, a user with a key and no permissions, and both gateways, which may have the identity provider."""

    def __init__(self, url_a, url_b, admin, idp=None, bucket="trials", user="trial-user"):
        self.idp = idp
        self.a, self.b, self.admin = Iam(url_a, admin), Connection(url_b), admin
        self.bucket, self.user = bucket, user
        for target, body in ((f"/{bucket}", b""), (f"/{bucket}/k", b"x")):
            answer = self.a.connection.signed(admin, "PUT", target, body)()
            assert answer.status == 200, answer
        self.a.must("CreateUser", UserName=user)
        self.user_key = self.a.new_key(user)

    def reads(self, key):
        return self.b.signed(key, "GET", f"/{self.bucket}/k")

    def policy(self, name, key="*"):
        answer = self.a.must("CreatePolicy", PolicyName=name, PolicyDocument=reading(self.bucket, key=key))
        return between(answer.body.decode(), "Arn")


class Report:
    """The results of the trials of one kind."""

    def __init__(self, name):
        self.name, self.grants, self.revocations, self.old_grants, self.old_revocations = name, 0, 0, 0, 0
        self.write_ms = []
        self.failed = Counter()

    @property
    def old_answers(self):
        return self.old_grants + self.old_revocations


def trials(kind, count, settle_s=0.0):
    """Grants and revokes `count` times in total, asking B right after each answer of A. `settle_s` is how long a trial waits for
    the other gateway to catch up afterwards, so that the next one begins from a known state."""
    report = Report(kind.name)
    for number in range(count):
        granting = number % 2 == 0
        *first, last = kind.grant() if granting else kind.revoke()
        ready = None
        for call in first:
            call()
        if kind.probe.__func__ is not _OwnUser.probe or not granting:
            ready = kind.probe()  # signed before the clock starts
        begun = time.perf_counter()
        answer = last()
        report.write_ms.append((time.perf_counter() - begun) * 1000)
        if answer.status not in (200, 204):
            report.failed[answer.code or answer.status] += 1
            continue
        seen = (ready or kind.probe())()
        allowed = seen.status == 200
        if granting:
            report.grants += 1
            report.old_grants += not allowed
        else:
            report.revocations += 1
            report.old_revocations += allowed
        if settle_s and allowed != granting:
            deadline = time.perf_counter() + settle_s
            while (kind.probe()().status == 200) != granting and time.perf_counter() < deadline:
                time.sleep(0.005)
    return report


# ---- pairs: two writes at the same time, through A and through B


ALLOWED_ERRORS = {"EntityAlreadyExists", "DeleteConflict", "NoSuchEntity", "ConcurrentModification", "LimitExceeded",
                  "EntityTemporarilyUnmodifiable"}  # fmt: skip


class Pair:
    """Two calls and what must be true afterwards. Each side is (action, parameters, fact): a fact that the call makes true, as
    ("has" or "lacks", list action, its parameters, element, value). Value None means the id of the created key. Of an `exclusive`
    pair, at most one call can be acknowledged, whichever comes first."""

    def __init__(self, setup, left, right, exclusive=False):
        self.setup, self.sides, self.exclusive = setup, (left, right), exclusive


def _has(action, parameters, element, value=None):
    return ("has", action, parameters, element, value)


def _lacks(action, parameters, element, value=None):
    return ("lacks", action, parameters, element, value)


def pairs(count, bucket="trials"):
    """This many pairs, cycling through the kinds, each about its own entities: (kind, pair)."""
    text = reading(bucket)
    for n in range(count):
        u, v, g, p, q = (f"pair-{letter}{n:05}" for letter in "uvgpq")
        user, other = {"UserName": u}, {"UserName": v}
        group = {"GroupName": g}
        inline = lambda name: ("ListUserPolicies", user, "member", name)  # noqa: E731
        keys = ("ListAccessKeys", user, "AccessKeyId")
        attached = lambda name: ("ListAttachedUserPolicies", user, "PolicyName", name)  # noqa: E731
        in_group = lambda name: ("GetGroup", group, "UserName", name)  # noqa: E731
        put = lambda name: ("PutUserPolicy", {**user, "PolicyName": name, "PolicyDocument": text})  # noqa: E731
        kinds = [
            ("CreateAccessKey, CreateAccessKey", lambda: Pair(
                [("CreateUser", user)],
                ("CreateAccessKey", user, _has(*keys)), ("CreateAccessKey", user, _has(*keys)))),
            ("PutUserPolicy, PutUserPolicy", lambda: Pair(
                [("CreateUser", user)], (*put("one"), _has(*inline("one"))), (*put("two"), _has(*inline("two"))))),
            ("AttachUserPolicy, AttachUserPolicy", lambda: Pair(
                [("CreateUser", user), *(("CreatePolicy", {"PolicyName": name, "PolicyDocument": text}) for name in (p, q))],
                ("AttachUserPolicy", {**user, "PolicyArn": policy_arn(p)}, _has(*attached(p))),
                ("AttachUserPolicy", {**user, "PolicyArn": policy_arn(q)}, _has(*attached(q))))),
            ("AddUserToGroup, AddUserToGroup", lambda: Pair(
                [("CreateUser", user), ("CreateUser", other), ("CreateGroup", group)],
                ("AddUserToGroup", {**group, **user}, _has(*in_group(u))),
                ("AddUserToGroup", {**group, **other}, _has(*in_group(v))))),
            ("DeleteAccessKey, CreateAccessKey", lambda: Pair(
                [("CreateUser", user), ("CreateAccessKey", user)],
                ("DeleteAccessKey", {**user, "AccessKeyId": "$key"}, _lacks(*keys)), ("CreateAccessKey", user, _has(*keys)))),
            ("DeleteUserPolicy, PutUserPolicy", lambda: Pair(
                [("CreateUser", user), put("old")],
                ("DeleteUserPolicy", {**user, "PolicyName": "old"}, _lacks(*inline("old"))), (*put("new"), _has(*inline("new"))))),
            ("DeleteAccessKey, PutUserPolicy", lambda: Pair(
                [("CreateUser", user), ("CreateAccessKey", user)],
                ("DeleteAccessKey", {**user, "AccessKeyId": "$key"}, _lacks(*keys)), (*put("new"), _has(*inline("new"))))),
            ("DetachUserPolicy, AttachUserPolicy", lambda: Pair(
                [("CreateUser", user), *(("CreatePolicy", {"PolicyName": name, "PolicyDocument": text}) for name in (p, q)),
                 ("AttachUserPolicy", {**user, "PolicyArn": policy_arn(p)})],
                ("DetachUserPolicy", {**user, "PolicyArn": policy_arn(p)}, _lacks(*attached(p))),
                ("AttachUserPolicy", {**user, "PolicyArn": policy_arn(q)}, _has(*attached(q))))),
            ("RemoveUserFromGroup, AddUserToGroup", lambda: Pair(
                [("CreateUser", user), ("CreateUser", other), ("CreateGroup", group), ("AddUserToGroup", {**group, **user})],
                ("RemoveUserFromGroup", {**group, **user}, _lacks(*in_group(u))),
                ("AddUserToGroup", {**group, **other}, _has(*in_group(v))))),
            ("CreateUser, CreateUser", lambda: Pair(
                [], ("CreateUser", user, _has("GetUser", user, "UserName", u)),
                ("CreateUser", other, _has("GetUser", other, "UserName", v)))),
            ("DeleteUser, CreateUser", lambda: Pair(
                [("CreateUser", user)], ("DeleteUser", user, _lacks("GetUser", user, "UserName", u)),
                ("CreateUser", other, _has("GetUser", other, "UserName", v)))),
            # From here on the two exclude each other.
            ("DeletePolicy, AttachUserPolicy", lambda: Pair(
                [("CreateUser", user), ("CreatePolicy", {"PolicyName": p, "PolicyDocument": text})],
                ("DeletePolicy", {"PolicyArn": policy_arn(p)}, _lacks("GetPolicy", {"PolicyArn": policy_arn(p)}, "PolicyName", p)),
                ("AttachUserPolicy", {**user, "PolicyArn": policy_arn(p)}, _has(*attached(p))), exclusive=True)),
            ("DeleteUser, PutUserPolicy", lambda: Pair(
                [("CreateUser", user)], ("DeleteUser", user, _lacks("GetUser", user, "UserName", u)),
                (*put("late"), _has(*inline("late"))), exclusive=True)),
            ("DeleteUser, AddUserToGroup", lambda: Pair(
                [("CreateUser", user), ("CreateGroup", group)],
                ("DeleteUser", user, _lacks("GetUser", user, "UserName", u)),
                ("AddUserToGroup", {**group, **user}, _has(*in_group(u))), exclusive=True)),
            ("DeleteGroup, PutGroupPolicy", lambda: Pair(
                [("CreateGroup", group)], ("DeleteGroup", group, _lacks("GetGroup", group, "GroupName", g)),
                ("PutGroupPolicy", {**group, "PolicyName": "late", "PolicyDocument": text},
                 _has("ListGroupPolicies", group, "member", "late")), exclusive=True)),
        ]  # fmt: skip
        name, make = kinds[n % len(kinds)]
        yield name, make()


class PairReport:
    """The results of all pairs."""

    def __init__(self):
        self.pairs, self.acknowledged, self.lost, self.resurrected = 0, 0, [], []
        self.refused = Counter()


def run_pairs(url_a, url_b, admin, planned, batch=25, settle_s=0.0, report=None):
    """Runs pairs, each side through its own gateway at the same time, then checks every acknowledged write on both gateways."""
    report = report or PairReport()
    sides = [Iam(url_a, admin), Iam(url_b, admin)]
    barrier = threading.Barrier(2)
    planned = list(planned)
    for start in range(0, len(planned), batch):
        done = [(name, pair, *_run(pair, sides, barrier)) for name, pair in planned[start : start + batch]]
        time.sleep(settle_s)
        for name, pair, facts, answers in done:
            report.pairs += 1
            if pair.exclusive and all(answer.status == 200 for answer in answers):
                report.lost.append(f"{name}: both were acknowledged")
                continue
            for fact, answer in zip(facts, answers):
                if answer.status != 200:
                    report.refused[answer.code or str(answer.status)] += 1
                    continue
                report.acknowledged += 1
                for iam in sides:
                    if not _holds(fact, iam):
                        (report.lost if fact[0] == "has" else report.resurrected).append(f"{name}: {fact}")
                        break
    return report


def _run(pair, sides, barrier):
    made = {}
    for action, parameters in pair.setup:
        answer = sides[0].must(action, **parameters)
        if action == "CreateAccessKey":
            made["$key"] = between(answer.body.decode(), "AccessKeyId")
    ready, facts = [], []
    for iam, (action, parameters, fact) in zip(sides, pair.sides):
        parameters = {name: made.get(value, value) for name, value in parameters.items()}
        ready.append(iam.prepared(action, **parameters))
        kind, listing, of, element, value = fact
        facts.append([kind, listing, of, element, value or made.get("$key")])
    answers = [None, None]

    def call(side):
        barrier.wait()
        answers[side] = ready[side]()

    other = threading.Thread(target=call, args=(1,))
    other.start()
    call(0)
    other.join()
    for side, (action, _, _) in enumerate(pair.sides):
        if action == "CreateAccessKey" and answers[side].status == 200:
            facts[side][4] = between(answers[side].body.decode(), "AccessKeyId")
    return facts, answers


def _holds(fact, iam):
    kind, listing, parameters, element, value = fact
    answer = iam(listing, **parameters)
    found = answer.status == 200 and value in members(answer, element)
    return found == (kind == "has")
