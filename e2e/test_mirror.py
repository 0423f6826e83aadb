"""`kelpgate.mirrorInlinePolicies`: a `weed s3` on the same filer enforces inline policies that are put through Kelpgate."""

import json

import pytest
import requests
from botocore.exceptions import ClientError

import kelpgate
import world
from clients import Key, client, make_bucket, s3, unique
from processes import wait_for
from weed import Cluster, weed_s3

DOCUMENT = "/etc/iam/policies.json"


class Beside:
    """Two gateways that mirror and a `weed s3`, on their own filer."""

    def __init__(self, logs):
        self.filer = Cluster(logs / "mirror-cluster").filer
        identities, iam = logs / "mirror-identities.json", logs / "mirror-iam.json"
        identities.write_text(json.dumps(world.IDENTITIES))
        settings = world.iam_config(self.filer.address, policy={"storeType": "memory"})
        iam.write_text(json.dumps({**settings, "kelpgate": {"mirrorInlinePolicies": True}}))
        flags = [f"-config={identities}", f"-iam.config={iam}", "-iam.readOnly=false"]
        self.a = kelpgate.gateway("mirror-a", logs / "mirror-a", self.filer, flags)
        self.b = kelpgate.gateway("mirror-b", logs / "mirror-b", self.filer, flags)
        self.weed = weed_s3("mirror-weed", logs / "mirror-weed", self.filer, flags)
        self.iam = client("iam", self.b.url, world.ROOT)
        root = s3(self.a.url, world.ROOT)
        self.bucket = make_bucket(root, "mirror")
        for key in ("open", "secret/key"):
            root.put_object(Bucket=self.bucket, Key=key, Body=b"1")
        self.everything = f"arn:aws:s3:::{self.bucket}/*"
        self.secret = f"arn:aws:s3:::{self.bucket}/secret/*"

    def user(self):
        name = unique("mirrored")
        self.iam.create_user(UserName=name)
        made = self.iam.create_access_key(UserName=name)["AccessKey"]
        return name, Key(made["AccessKeyId"], made["SecretAccessKey"])

    def admitted(self, server, key):
        """The ones of the two keys that may be read."""
        found = []
        for name in ("open", "secret/key"):
            try:
                s3(server.url, key).get_object(Bucket=self.bucket, Key=name)
                found.append(name)
            except ClientError as error:
                assert error.response["Error"]["Code"] in ("AccessDenied", "InvalidAccessKeyId"), error
        return found

    def both_admit(self, key, *names):
        assert self.admitted(self.b, key) == list(names), "Kelpgate"
        wait_for(lambda: self.admitted(self.weed, key) == list(names), 10, f"weed to admit {names}", self.weed)

    def stored(self, kind="inlinePolicies"):
        return self.filer.read(DOCUMENT).json().get(kind, {})


@pytest.fixture(scope="module")
def beside(logs):
    if kelpgate.STAND_IN:
        pytest.skip("weed has nothing to mirror")
    return Beside(logs)


def policy(effect, resource, action="s3:GetObject", **more):
    return json.dumps(world.document(world.statement(effect, action, resource, **more)))


def test_weed_enforces_the_inline_policies_of_users(beside):
    iam, (user, key) = beside.iam, beside.user()
    beside.both_admit(key)
    iam.put_user_policy(UserName=user, PolicyName="allow", PolicyDocument=policy("Allow", beside.everything))
    beside.both_admit(key, "open", "secret/key")
    iam.put_user_policy(UserName=user, PolicyName="deny", PolicyDocument=policy("Deny", beside.secret, "s3:get*"))
    beside.both_admit(key, "open")
    iam.delete_user_policy(UserName=user, PolicyName="deny")
    beside.both_admit(key, "open", "secret/key")
    iam.put_user_policy(UserName=user, PolicyName="allow", PolicyDocument=policy("Allow", beside.secret))
    beside.both_admit(key, "secret/key")
    iam.delete_user_policy(UserName=user, PolicyName="allow")
    beside.both_admit(key)
    assert user not in beside.stored()


def test_weed_enforces_the_inline_policies_of_groups(beside):
    iam, (user, key) = beside.iam, beside.user()
    group = unique("mirrored")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="allow", PolicyDocument=policy("Allow", beside.everything))
    iam.put_group_policy(GroupName=group, PolicyName="deny", PolicyDocument=policy("Deny", beside.secret))
    beside.both_admit(key, "open")
    iam.delete_group_policy(GroupName=group, PolicyName="deny")
    beside.both_admit(key, "open", "secret/key")
    assert group not in beside.stored("groupInlinePolicies")


def test_what_weed_does_not_understand_denies_there(beside):
    """Kelpgate decides by the policies. `weed s3` would ignore NotAction, and conditions that it does not know."""
    iam, (user, key) = beside.iam, beside.user()
    iam.put_user_policy(UserName=user, PolicyName="allow", PolicyDocument=policy("Allow", beside.everything))
    beside.both_admit(key, "open", "secret/key")
    over_tls = {"Bool": {"aws:SecureTransport": "true"}}
    iam.put_user_policy(UserName=user, PolicyName="deny", PolicyDocument=policy("Deny", beside.secret, Condition=over_tls))
    wait_for(lambda: beside.admitted(beside.weed, key) == ["open"], 10, "weed to deny what it does not understand")
    assert beside.admitted(beside.b, key) == ["open", "secret/key"], "the condition does not hold"
    # None of this stops `weed s3` from loading what comes afterwards.
    iam.delete_user_policy(UserName=user, PolicyName="deny")
    beside.both_admit(key, "open", "secret/key")


def test_what_weed_writes_stays_and_ours_stay_ours(beside):
    """`weed s3` writes its document again as it understands it. The record of what is ours survives."""
    (ours, key), (theirs, weeds_key) = beside.user(), beside.user()
    iam, weed = beside.iam, client("iam", beside.weed.url, world.ROOT)
    iam.put_user_policy(UserName=ours, PolicyName="allow", PolicyDocument=policy("Allow", [beside.everything]))
    beside.both_admit(key, "open", "secret/key")
    wait_for(lambda: theirs in {user["UserName"] for user in weed.list_users()["Users"]}, 10, "weed knows the user")
    weed.put_user_policy(UserName=theirs, PolicyName="weeds", PolicyDocument=policy("Allow", beside.secret))
    assert {ours, theirs} <= set(beside.stored())
    assert beside.stored()[ours]["allow"]["Statement"][0]["Action"] == "s3:GetObject", "weed wrote it in its own way"
    wait_for(lambda: beside.admitted(beside.b, weeds_key) == ["secret/key"], 10, "weed's policy at Kelpgate")
    assert requests.get(beside.b.url + "/status", timeout=5).json()["iam"]["problems"] == 0
    beside.both_admit(key, "open", "secret/key")
    iam.delete_user_policy(UserName=ours, PolicyName="allow")
    beside.both_admit(key)
    assert ours not in beside.stored() and "weeds" in beside.stored()[theirs]


def test_another_gateway_mirrors_what_a_killed_one_left(beside):
    user, key = beside.user()
    iam = client("iam", beside.a.url, world.ROOT)
    iam.put_user_policy(UserName=user, PolicyName="allow", PolicyDocument=policy("Allow", beside.everything))
    beside.both_admit(key, "open", "secret/key")
    iam.put_user_policy(UserName=user, PolicyName="deny", PolicyDocument=policy("Deny", beside.secret))
    beside.a.kill()
    beside.both_admit(key, "open")
