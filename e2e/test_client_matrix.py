"""Each client does a job as a session that may work below one prefix alone, on the embedded filer or on SeaweedFS in turn.

`scripts/client-matrix` runs each as root, as a user who is limited to the prefix, and as a session, on both, with large objects. It writes the
table of docs/clients.md, which the last test compares with the clients here.
"""

import functools
import json
import os
import sys

import pytest

import client_table
import kelpgate
import world
from client_table import CLIENTS
from clients import assume, client, keys_of, make_bucket, new_key, s3, unique
from processes import run
from world import document, statement

PYTHON = kelpgate.ROOT / ".venv-clients/bin/python"
FILERS = ("embedded", "seaweedfs")
EVERYTHING = os.environ.get("KELPGATE_CLIENT_MATRIX") == "all"
ALONE = (("session", filer) for _ in CLIENTS for filer in FILERS)
CASES = [
    pytest.param(it, caller, filer, id=f"{it.job}-{caller}-{filer}")
    for it in CLIENTS
    for caller, filer in ([(caller, filer) for caller in client_table.CALLERS for filer in FILERS] if EVERYTHING else [next(ALONE)])
]


class Place:
    """A bucket on a filer, and keys that may list, read, write and delete below `team/`."""

    def __init__(self, url, root):
        self.url, self.root = url, root
        self.iam, self.s3 = client("iam", url, root), s3(url, root)
        self.bucket = make_bucket(self.s3, "matrix")

    @functools.lru_cache  # noqa: B019: a place lives as long as the module's tests
    def key(self, caller, also=None):
        if caller == "root":
            return self.root
        policy = json.dumps(self.policy(also))
        name = unique("matrix-user")
        arn = self.iam.create_user(UserName=name)["User"]["Arn"]
        if caller == "user":
            self.iam.put_user_policy(UserName=name, PolicyName="team", PolicyDocument=policy)
            return new_key(self.iam, name)
        return assume(self.url, new_key(self.iam, name), self._role(name, arn), Policy=policy)

    def policy(self, also):
        objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        return document(
            # rclone before 1.61 sends `x-amz-acl: private`, which needs this at AWS too.
            statement("Allow", [*objects, "s3:PutObjectAcl"], f"arn:aws:s3:::{self.bucket}/team/*"),
            statement("Allow", "s3:ListBucket", f"arn:aws:s3:::{self.bucket}", Condition={"StringLike": {"s3:prefix": "team/*"}}),
            *([statement("Allow", also, f"arn:aws:s3:::{self.bucket}")] if also else []),
        )

    def _role(self, user, arn):
        """A role for everything, which the user may assume."""
        may_assume = document(statement("Allow", "sts:AssumeRole", "*"))
        self.iam.put_user_policy(UserName=user, PolicyName="assume", PolicyDocument=json.dumps(may_assume))
        trust = document({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})
        role = unique("MatrixRole")
        self.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
        self.iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(document(statement("Allow", "s3:*", "*"))))
        return role


@pytest.fixture(scope="module")
def places(embedded, writing_gateway):
    return dict(zip(FILERS, [Place(embedded.url, embedded.root), Place(writing_gateway.url, world.ROOT)], strict=True))


@pytest.fixture(scope="module")
def passed():
    """(job, caller, filer) of what passed. At the end of a run of everything, they become the table."""
    found = set()
    yield found
    if EVERYTHING:
        client_table.write(found)


def do_job(name, place, key, home, check=True):
    env = {
        "AWS_ENDPOINT_URL": place.url, "AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret,
        **({"AWS_SESSION_TOKEN": key.token} if key.token else {}),
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": "",
        "S3_BUCKET": place.bucket, "S3_PREFIX": f"team/{home.name}/", "S3_LARGE_MIB": "64" if EVERYTHING else "12", "HOME": str(home),
    }  # fmt: skip
    python = sys.executable if name in ("boto3", "aws", "s3cmd", "rclone", "restic") else PYTHON
    return run([python, kelpgate.ROOT / "e2e/client_jobs.py", name], env=env, timeout=110, check=check)


@pytest.mark.parametrize(("it", "caller", "filer"), CASES)
def test_a_client_below_a_prefix(places, passed, tmp_path, it, caller, filer):
    assert PYTHON.exists(), ".venv-clients is missing: scripts/test installs it"
    place = places[filer]
    do_job(it.job, place, place.key(caller, it.also), tmp_path)
    listed = keys_of(place.s3.list_objects_v2(Bucket=place.bucket, Prefix=f"team/{tmp_path.name}/"))
    left = [key for key in listed if not key.endswith("/")]  # pyarrow keeps the markers of directories
    assert bool(left) == it.leaves, f"what it wrote is gone if it deletes: {left}"
    passed.add((it.job, caller, filer))


@pytest.mark.parametrize(
    ("job", "words"), [("restic", "client.BucketExists: Access Denied"), ("minio-js", "not authorized to perform: s3:ListBucketMultipartUploads")]
)
def test_what_aws_refuses_too(places, tmp_path, job, words):
    """The notes below the table."""
    place = places["embedded"]
    done = do_job(job, place, place.key("session"), tmp_path, check=False)
    assert done.returncode == 1 and words in done.stderr, done.stderr


def test_the_table_names_the_clients():
    """In their order, with the pinned versions; those of the system's packages differ from machine to machine."""
    told = [(title, row[0], row[-1]) for title, row in client_table.rows().items()]
    want = [(it.title, client_table.pinned()[it.package] if it.package else told[n][1], it.what) for n, it in enumerate(CLIENTS)]
    assert told == want
