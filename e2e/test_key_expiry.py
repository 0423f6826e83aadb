"""Access keys that expire, and what nobody uses."""

import re
import time
from urllib.parse import urlencode

import requests

import kelpgate
from clients import Key, client, new_key, unique
from processes import wait_for
from signing import request

FORM = {"content-type": "application/x-www-form-urlencoded"}


def call(server, key, **parameters):
    body = urlencode({"Version": "2010-05-08", **parameters}).encode()
    return request(key, "POST", server.url + "/", body, FORM, service="iam")


def test_a_key_expires(embedded):
    user, iam = unique("fleeting"), client("iam", embedded.url, embedded.root)
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')
    # The key works before; how long that takes to ask does not matter.
    made = call(embedded, embedded.root, Action="CreateAccessKey", UserName=user, Expiration=int(time.time()) + 3600)
    text = made.body.decode()
    key = Key(re.search("<AccessKeyId>(.*?)<", text)[1], re.search("<SecretAccessKey>(.*?)<", text)[1])
    assert request(key, "GET", embedded.url + "/").status == 200
    longer = call(embedded, key, Action="UpdateAccessKey", UserName=user, AccessKeyId=key.access, Expiration=int(time.time()) + 7200)
    assert longer.status == 400 and b"can only expire sooner" in longer.body, longer
    # On a slow machine the time may be over before the call arrives.
    soon = lambda: call(embedded, embedded.root, Action="UpdateAccessKey", UserName=user, AccessKeyId=key.access, Expiration=int(time.time()) + 3)
    wait_for(lambda: soon().status == 200, 60, "an earlier end", embedded)
    wait_for(lambda: request(key, "GET", embedded.url + "/").status == 403, 30, "the end of the key", embedded)
    refused = request(key, "GET", embedded.url + "/")
    assert b"the access key has expired" in refused.body, refused
    assert call(embedded, key, Action="UpdateAccessKey", UserName=user, AccessKeyId=key.access, Status="Active").status == 403
    report = iam.get_credential_report()["Content"].decode().splitlines()
    row = dict(zip(report[0].split(","), next(line for line in report if line.startswith(user)).split(",")))
    assert row["access_key_1_active"] == "FALSE" and row["access_key_1_expiration_date"].startswith("20"), row


def test_what_nobody_uses_is_listed(embedded):
    user, role, iam = unique("idle"), unique("idle-role"), client("iam", embedded.url, embedded.root)
    iam.create_user(UserName=user)
    key, inactive = new_key(iam, user), new_key(iam, user)
    iam.update_access_key(UserName=user, AccessKeyId=inactive.access, Status="Inactive")
    trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}'
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    env = {"AWS_ACCESS_KEY_ID": embedded.root.access, "AWS_SECRET_ACCESS_KEY": embedded.root.secret}
    listed = lambda since: kelpgate.cli("iam", "unused", f"-since={since}", f"-endpoint={embedded.url}", env=env, timeout=120).stdout
    told = listed("2100-01-01T00:00:00Z")
    assert f"access key {key.access} of user {user}: never used" in told and f"role {role}: never used" in told, told
    assert inactive.access not in told
    told = listed("90d")
    assert key.access not in told and role not in told, told
    metrics = requests.get(embedded.url + "/metrics", timeout=20).text
    assert float(re.search(r'kelpgate_access_keys\{age="under_30d"\} (\S+)', metrics)[1]) >= 1
    assert "kelpgate_access_keys_expiring " in metrics
