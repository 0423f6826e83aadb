"""The users and policies of the tests: one identities file and one `-iam.config` for all gateways, including `weed s3`."""

import json

from clients import Key

SIGNING_KEY = "a2VscGdhdGUtZW5kLXRvLWVuZC1zaWduaW5nLWtleS0zMmI="
ACCOUNT = "000000000000"

# Every secret contains the canary. The last test looks for it in every log of the run.
CANARY = "c4nary"


def _key(name, number=1):
    return Key(f"AKIAE2E{name.upper():0<9}{number:04d}"[:20], f"{CANARY}{name}{number}".ljust(40, "x"))


ROOT = _key("root")
ALICE = _key("alice")
ALICE_SERVICE = _key("alicesa")
ALICE_EXPIRED_SERVICE = _key("alicesax")
BOB = _key("bob")
CAROL = _key("carol")
DORA = _key("dora")
READER = _key("reader")
POLICIED = _key("policied")
DISABLED = _key("disabled")
INACTIVE = _key("inactive")
DENIED = _key("denied")
STRANGER = Key("AKIAE2ENOBODY0000001", "nobody".ljust(40, "x"))


def user_arn(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:user/{name}"


def _credential(key, **more):
    return {"accessKey": key.access, "secretKey": key.secret, **more}


def statement(effect, action, resource, **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


IDENTITIES = {
    "identities": [
        {"name": "root", "credentials": [_credential(ROOT)], "actions": ["Admin"]},
        # A user with legacy actions on everything, but not an administrator.
        {
            "name": "alice",
            "credentials": [_credential(ALICE), _credential(INACTIVE, status="Inactive")],
            "actions": ["Read", "Write", "List", "Tagging"],
            "serviceAccountIds": [
                "sa:alice:00000000000000000000000000000001",
                "sa:alice:00000000000000000000000000000002",
            ],
        },
        # He has no policies of his own: what he can do comes from bucket policies and roles.
        {"name": "bob", "credentials": [_credential(BOB)]},
        # She has no policies of her own either, and belongs to another account.
        {
            "name": "carol",
            "account": {"id": "111122223333", "displayName": "Carol"},
            "credentials": [_credential(CAROL)],
        },
        # The administrator of that account.
        {
            "name": "dora",
            "account": {"id": "111122223333", "displayName": "Carol"},
            "credentials": [_credential(DORA)],
            "actions": ["Admin"],
        },
        # Legacy actions with a bucket, and with a pattern.
        {
            "name": "reader",
            "credentials": [_credential(READER)],
            "actions": [
                "Read:world-shared",
                "List:world-shared",
                "Read:world-data/public/*",
                "Write:world-data/drop-?/*",
            ],
        },
        {"name": "policied", "credentials": [_credential(POLICIED)], "policyNames": ["WorldLogs"]},
        # May do everything except read or write world-data/secret.
        {"name": "denied", "credentials": [_credential(DENIED)], "policyNames": ["AllButSecret"]},
        {"name": "disabled", "disabled": True, "credentials": [_credential(DISABLED)], "actions": ["Admin"]},
    ],
    "serviceAccounts": [
        {
            "id": "sa:alice:00000000000000000000000000000001",
            "parentUser": "alice",
            "credential": _credential(ALICE_SERVICE, status="Active"),
        },
        {
            "id": "sa:alice:00000000000000000000000000000002",
            "parentUser": "alice",
            "expiration": 1600000000,
            "credential": _credential(ALICE_EXPIRED_SERVICE, status="Active"),
        },
    ],
    "policies": [
        {
            "name": "WorldLogs",
            "content": json.dumps(
                document(
                    statement("Allow", "s3:GetObject", "arn:aws:s3:::world-data/logs/*"),
                    statement("Allow", "s3:ListBucket", "arn:aws:s3:::world-data"),
                )
            ),
        },
        {
            "name": "AllButSecret",
            "content": json.dumps(
                document(
                    statement("Allow", "s3:*", ["arn:aws:s3:::*", "arn:aws:s3:::*/*"]),
                    statement("Deny", "s3:*", "arn:aws:s3:::world-data/secret/*"),
                )
            ),
        },
    ],
}


def _role(name, principal, policies, **more):
    return {
        "roleName": name,
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "trustPolicy": document({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": ["sts:AssumeRole"]}),
        "attachedPolicies": policies,
        **more,
    }


def iam_config(filer_address, **changes):
    """The seed's distributed configuration with a usable key, two roles and their policies.

    Two more roles cover what the seed leaves out: a maximum duration, and a caller whom the trust policy does not name.
    """
    config = {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "seaweedfs-sts",
            "signingKey": SIGNING_KEY,
        },
        "policy": {
            "defaultEffect": "Deny",
            "storeType": "filer",
            "storeConfig": {"filerAddress": filer_address, "basePath": "/seaweedfs/iam/policies"},
        },
        "roleStore": {
            "storeType": "filer",
            "storeConfig": {"filerAddress": filer_address, "basePath": "/seaweedfs/iam/roles"},
        },
        "roles": [
            _role("S3AdminRole", [user_arn("alice"), user_arn("bob")], ["S3AdminPolicy"], description="everything"),
            _role("S3ReadOnlyRole", user_arn("bob"), ["S3ReadOnlyPolicy"]),
            _role("ShortRole", user_arn("bob"), ["S3ReadOnlyPolicy"], maxSessionDuration=3600),
        ],
        "policies": [
            {
                "name": "S3AdminPolicy",
                "document": document(statement("Allow", ["s3:*"], ["arn:aws:s3:::*", "arn:aws:s3:::*/*"])),
            },
            {
                "name": "S3ReadOnlyPolicy",
                "document": document(statement("Allow", ["s3:GetObject", "s3:ListBucket"], ["arn:aws:s3:::*", "arn:aws:s3:::*/*"])),
            },
        ],
    }
    return {**config, **changes}
