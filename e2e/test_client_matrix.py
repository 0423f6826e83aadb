"""Each client does a job as a session that may work below one prefix alone, on the embedded filer or on SeaweedFS in turn.

docs/clients.md has the table of them, which the last test compares with what was run.
"""

import json
import re
import sys

import pytest

import kelpgate
import world
from clients import assume, client, keys_of, make_bucket, new_key, s3, unique
from processes import run
from world import document, statement

OWN = ["boto3", "aws", "s3cmd", "rclone"]
PACKAGED = ["s5cmd", "minio", "obstore", "s3fs", "pyarrow", "polars", "duckdb", "deltalake", "zarr", "pyiceberg", "tensorstore", "rasterio"]
PYTHON = kelpgate.ROOT / ".venv-clients/bin/python"


def prefix_session(url, key):
    """A bucket, and a session that may list, read, write and delete below `team/`."""
    api, bucket = client("iam", url, key), make_bucket(s3(url, key), "matrix")
    user, role = unique("matrix-user"), unique("MatrixRole")
    arn = api.create_user(UserName=user)["User"]["Arn"]
    api.put_user_policy(UserName=user, PolicyName="assume", PolicyDocument=json.dumps(document(statement("Allow", "sts:AssumeRole", "*"))))
    trust = document({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})
    api.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
    api.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(document(statement("Allow", "s3:*", "*"))))
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    session = document(
        # rclone before 1.61 sends `x-amz-acl: private`, which needs this at AWS too.
        statement("Allow", [*objects, "s3:PutObjectAcl"], f"arn:aws:s3:::{bucket}/team/*"),
        statement("Allow", "s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition={"StringLike": {"s3:prefix": "team/*"}}),
    )
    return bucket, assume(url, new_key(api, user), role, Policy=json.dumps(session))


@pytest.fixture(scope="module")
def places(embedded, writing_gateway):
    """(URL, administrator's key, bucket, session) on each filer."""
    servers = [(embedded.url, embedded.root), (writing_gateway.url, world.ROOT)]
    return [(url, key, *prefix_session(url, key)) for url, key in servers]


@pytest.mark.parametrize("name", OWN + PACKAGED)
def test_a_client_below_a_prefix(places, tmp_path, name):
    assert PYTHON.exists(), ".venv-clients is missing: scripts/test installs it"
    url, root, bucket, session = places[(OWN + PACKAGED).index(name) % 2]
    env = {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": session.access, "AWS_SECRET_ACCESS_KEY": session.secret, "AWS_SESSION_TOKEN": session.token,
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "S3_BUCKET": bucket, "S3_PREFIX": f"team/{name}/", "HOME": str(tmp_path),
    }  # fmt: skip
    python = sys.executable if name in OWN else PYTHON
    run([python, kelpgate.ROOT / "e2e/client_jobs.py", name], env=env, timeout=110)
    listed = keys_of(s3(url, root).list_objects_v2(Bucket=bucket, Prefix=f"team/{name}/"))
    left = [key for key in listed if not key.endswith("/")]  # pyarrow keeps the markers of directories
    tables = ["polars", "duckdb", "deltalake", "zarr", "rasterio"]
    assert bool(left) == (name in tables), f"what it wrote is gone if it deletes: {left}"


def test_the_table_names_the_clients():
    """Versions are those of the requirements; s3cmd and rclone are the system's."""
    tested, _by_hand = (kelpgate.ROOT / "docs/clients.md").read_text().split("by hand")
    rows = re.findall(r"^\| ([\w ]+?) \| ([\w. ]+?) \|", tested, re.M)
    told = {name: version for name, version in rows if name != "client"}
    files = [(kelpgate.ROOT / "e2e" / file).read_text() for file in ("requirements.txt", "requirements-clients.txt")]
    pinned = dict(re.findall(r"^([\w-]+)==(.+)$", "\n".join(files), re.M))
    packages = {"aws": "awscli"}
    want = {name: pinned.get(packages.get(name, name), "of the system") for name in OWN + PACKAGED}
    assert told == want
