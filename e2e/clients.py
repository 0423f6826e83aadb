"""boto3 clients without retries or ambient configuration, and helpers to test refusals."""

import contextlib
import itertools
import os
from typing import NamedTuple

import boto3
import botocore
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
_SERIAL = itertools.count(1)


class Key(NamedTuple):
    """An access key, and the session token of temporary credentials."""

    access: str
    secret: str
    token: str | None = None


def client(service, url, key=None, **options):
    """A client for `url`; anonymous without a key. Fails at the first error instead of retrying."""
    options.setdefault("s3", {"addressing_style": "path"})
    options.setdefault("retries", {"total_max_attempts": 1})
    if key is None:
        options["signature_version"] = botocore.UNSIGNED
    elif service == "s3":
        # Otherwise boto3 would use version 2 for presigned URLs and forms.
        options.setdefault("signature_version", "s3v4")
    session = boto3.session.Session()
    return session.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=key and key.access,
        aws_secret_access_key=key and key.secret,
        aws_session_token=key and key.token,
        config=Config(connect_timeout=5, read_timeout=40, **options),
    )


def s3(url, key=None, **options):
    return client("s3", url, key, **options)


def assume(url, key, role, session="e2e", **parameters):
    """Calls AssumeRole and returns the temporary key."""
    arn = role if role.startswith("arn:") else f"arn:aws:iam::000000000000:role/{role}"
    sts = client("sts", url, key, parameter_validation=False)
    got = sts.assume_role(RoleArn=arn, RoleSessionName=session, **parameters)["Credentials"]
    return Key(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])


@contextlib.contextmanager
def refused(code, status=None):
    """Expects the calls inside to fail with this error code (or one of a tuple) and, if given, this HTTP status."""
    codes = (code,) if isinstance(code, str) else code
    with pytest.raises(ClientError) as caught:
        yield caught
    error = caught.value.response
    assert error["Error"]["Code"] in codes, f"wanted {codes}: {caught.value}"
    if status is not None:
        assert error["ResponseMetadata"]["HTTPStatusCode"] == status, str(caught.value)


def new_key(iam, user):
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def unique(prefix):
    """A name that is unused in this run."""
    return f"{prefix}-{os.getpid()}-{next(_SERIAL)}"


def make_bucket(s3_client, prefix="b"):
    name = unique(prefix)
    s3_client.create_bucket(Bucket=name)
    return name


def body_of(s3_client, bucket, key, **parameters):
    return s3_client.get_object(Bucket=bucket, Key=key, **parameters)["Body"].read()


def keys_of(listing):
    return [item["Key"] for item in listing.get("Contents", [])]
