"""Requests of all kinds by twenty principals; afterwards the audit log answers, and explains each refusal by its id."""

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import kelpgate
from clients import Key, assume, client, new_key
from signing import Signer, request, send
from world import document, statement

# For the full run: 100000.
REQUESTS = int(os.environ.get("KELPGATE_AUDIT_REQUESTS", "700"))
USERS = [f"user{number:02}" for number in range(20)]
FORM = {"content-type": "application/x-www-form-urlencoded"}


def decision_of(answer):
    text = answer.body.decode(errors="replace")
    return text.split("<DecisionId>")[1].split("<")[0] if "<DecisionId>" in text else None


class Asked:
    """One request, and what became of it."""

    def __init__(self, who, operation, bucket, key, answer):
        self.who, self.operation, self.bucket, self.key = who, operation, bucket, key
        self.status, self.id = answer.status, answer.headers["x-amz-request-id"]
        self.denied = answer.status == 403
        assert answer.status in (200, 204, 403, 404), answer
        assert not self.denied or operation == "forged" or decision_of(answer) == self.id, answer


@pytest.mark.timeout(120 + REQUESTS // 20)
def test_ten_questions(logs):
    directory = logs / "audit-questions"
    directory.mkdir()
    log, config = directory / "audit.log", directory / "iam.json"
    config.write_text(json.dumps({"kelpgate": {"audit": {"sinks": [{"type": "file", "path": str(log), "mode": "block", "maxBytes": 1 << 20, "maxFiles": 0}], "unknownCallersBytesPerSecond": 0}}}))
    server = kelpgate.SingleMachine(directory, [f"-iam.config={config}"], name="questions")
    iam = client("iam", server.url, server.root)
    for bucket in ("reef", "kelp"):
        assert request(server.root, "PUT", f"{server.url}/{bucket}").status == 200
    keys = {}
    for number, user in enumerate(USERS):
        iam.create_user(UserName=user)
        keys[user] = new_key(iam, user)
        # Even ones are bound to their prefix, and nobody reads what is secret.
        own = f"arn:aws:s3:::reef/{user}/*" if number % 2 == 0 else "arn:aws:s3:::*"
        rules = document(statement("Allow", "s3:*", own, Sid="Own"), statement("Deny", "s3:GetObject", "arn:aws:s3:::reef/*/secret*", Sid="NoSecrets"))
        iam.put_user_policy(UserName=user, PolicyName="work", PolicyDocument=json.dumps(rules))
    trust = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName="Diver", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="Diver", PolicyName="p", PolicyDocument=json.dumps(document(statement("Allow", "s3:GetObject", "*"))))
    diver = assume(server.url, server.root, "Diver", session="night")

    def one(number):
        chance = random.Random(number)
        user = chance.choice(USERS)
        key, bucket = keys[user], chance.choice(["reef", "reef", "kelp"])
        name = f"{chance.choice([user, USERS[0], USERS[1]])}/{chance.choice(['secret', 'plain'])}-{number % 50}"
        url = f"{server.url}/{bucket}/{name}"
        match chance.randrange(12):
            case 0 | 1 | 2:
                return Asked(user, "PutObject", bucket, name, request(key, "PUT", url, b"x" * 100, timeout=60))
            case 3 | 4 | 5:
                return Asked(user, "GetObject", bucket, name, request(key, "GET", url, timeout=60))
            case 6:
                return Asked(user, "DeleteObject", bucket, name, request(key, "DELETE", url, timeout=60))
            case 7:
                return Asked(user, "ListObjectsV2", bucket, None, request(key, "GET", f"{server.url}/{bucket}?list-type=2", timeout=60))
            case 8:
                return Asked("forger", "forged", bucket, name, request(Key(key.access, "x" * 40), "GET", url, timeout=60))
            case 9:
                return Asked("anonymous", "GetObject", bucket, name, send("GET", url, timeout=60))
            case 10:
                return Asked("night", "GetObject", bucket, name, request(diver, "GET", url, timeout=60))
            case _:
                return Asked(user, "GetObject", bucket, name, send("GET", Signer(key).presign("GET", url), timeout=60))

    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(one, range(REQUESTS)))
    listing = f"Action=ListUsers&Version=2010-05-08".encode()
    refused_call = request(keys["user04"], "POST", server.url + "/", listing, FORM, service="iam")
    assert refused_call.status == 403, refused_call
    env = {"AWS_ACCESS_KEY_ID": server.root.access, "AWS_SECRET_ACCESS_KEY": server.root.secret}
    unused = kelpgate.cli("iam", "unused", "-since=90d", f"-log={log}", f"-endpoint={server.url}", env=env, timeout=300).stdout
    rights = [line for line in unused.splitlines() if line.startswith("user user00: s3:* of inline policy `work`, statement 0 (Own): used for ")]
    assert len(rights) == 1 and "s3:PutObject" in rights[0] and "s3:ListBucket" not in rights[0], unused
    assert "role Diver" not in unused, "it used all that it has"
    server.stop()

    def told(*flags):
        return [json.loads(line) for line in kelpgate.cli("audit", "query", log, "-json", *flags, timeout=300).stdout.splitlines()]

    def ids(*flags):
        return sorted(event["requestID"] for event in told(*flags))

    def want(condition):
        return sorted(one.id for one in asked if condition(one))

    call_id = refused_call.headers["x-amz-request-id"]
    by_user04 = [call_id]
    for question, found, expected in [
        ("everything that user04 did", ids("-principal=user04"), sorted(want(lambda it: it.who == "user04") + by_user04)),
        ("what user05 was denied", ids("-principal=user/user05", "-denied"), want(lambda it: it.who == "user05" and it.denied)),
        ("who deleted from reef", ids("-operation=DeleteObject", "-bucket=reef"), want(lambda it: it.operation == "DeleteObject" and it.bucket == "reef")),
        ("who asked for user00's secrets", ids("-bucket=reef", "-prefix=user00/secret", "-operation=GetObject", "-denied"),
         want(lambda it: it.bucket == "reef" and it.key and it.key.startswith("user00/secret") and it.denied and it.operation in ("GetObject", "forged"))),
        ("what anonymous callers asked", ids("-principal=anonymous"), want(lambda it: it.who == "anonymous")),
        ("what the session `night` read", ids("-principal=assumed-role/Diver/night"), want(lambda it: it.who == "night")),
        ("what was done with a key", ids(f"-principal={keys['user07'].access}", "-operation=PutObject"),
         want(lambda it: it.who == "user07" and it.operation == "PutObject")),
        ("which listings of kelp were denied", ids("-operation=ListObjectsV2", "-bucket=kelp", "-denied"),
         want(lambda it: it.operation == "ListObjectsV2" and it.bucket == "kelp" and it.denied)),
        ("which users were made", [event["requestParameters"]["UserName"] for event in told("-operation=CreateUser")], USERS),
        ("the calls of IAM that were denied", ids("-operation=ListUsers", "-denied"), by_user04),
        ("all from this address", len(set(ids("-client=127.0.0.1", "-principal=user09"))), len(want(lambda it: it.who == "user09"))),
        ("everything since tomorrow", ids("-since=2100-01-01T00:00:00Z"), []),
    ]:
        assert found == expected, question

    denied = {line.split()[1]: line for line in kelpgate.cli("audit", "query", log, "-denied", timeout=300).stdout.splitlines()}
    assert set(denied) == {one.id for one in asked if one.denied} | {call_id}
    for one in asked:
        if one.denied:
            line = denied[one.id]
            reasons = ("denied by inline policy `work`, statement 1 (NoSecrets)", "not allowed by any", "unknown caller who named the key")
            assert sum(reason in line for reason in reasons) == 1, line
    sample = [one for one in asked if one.denied][:: max(1, REQUESTS // 80)]
    for one in sample:
        why = kelpgate.cli("why", one.id, f"-file={log}", "-endpoint=http://127.0.0.1:1", env={"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}, timeout=300)
        assert one.id in why.stdout and "status 403" in why.stdout, why
    verified = kelpgate.cli("audit", "verify", log, check=False, timeout=300)
    assert verified.returncode == 0, verified
