"""Writes signed_by_boto3.json: requests that boto3 signed for a fixed time, as they would go over the wire.

    pip install boto3 && python signed_by_boto3.py > signed_by_boto3.json

Nothing is sent: the request is taken from boto3 just before it would be.
"""

import datetime
import email.utils
import hashlib
import json
import types
from urllib.parse import urlsplit

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.signers
from botocore.config import Config

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
AKID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "t0ken+/with=odd.chars"

for module in (botocore.auth, botocore.signers):
    if hasattr(module, "get_current_datetime"):
        module.get_current_datetime = lambda *_, **__: NOW.replace(tzinfo=None)
botocore.auth.formatdate = lambda *_, **__: email.utils.formatdate(NOW.timestamp(), usegmt=True)
botocore.auth.time = types.SimpleNamespace(time=NOW.timestamp)

rows = []


def row(name, form, method, url, headers, body=b"", service="s3", token=None):
    parts = urlsplit(url)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    pairs = [["host", parts.netloc]] if not any(k.lower() == "host" for k, _ in headers) else []
    for key, value in headers:
        value = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if key.lower() not in ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request"):
            pairs.append([key.lower(), value])
    rows.append({"name": name, "form": form, "method": method, "target": target, "headers": pairs, "service": service,
                 "region": "us-east-1", "token": token, "body_sha256": hashlib.sha256(body).hexdigest()})


def client(service, token=None, version=None, style="path", endpoint="https://kelpgate.example:8333", **config):
    made = boto3.client(service, region_name="us-east-1", endpoint_url=endpoint, aws_access_key_id=AKID,
                        aws_secret_access_key=SECRET, aws_session_token=token,
                        config=Config(signature_version=version, s3={"addressing_style": style}, retries={"max_attempts": 0},
                                      **config))
    return made


def captured(name, form, made, call, service="s3", token=None, **arguments):
    def take(request, **_):
        body = request.body or b""
        if not isinstance(body, (bytes, str)):
            body = b""
        body = body.encode() if isinstance(body, str) else body
        row(name, form, request.method, request.url, list(request.headers.items()), body, service, token)
        raw = types.SimpleNamespace(stream=lambda **_: iter([b""]), read=lambda *_: b"")
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, raw)

    made.meta.events.register("before-send", take)
    try:
        getattr(made, call)(**arguments)
    except Exception:  # the answer is empty, which not every parser takes
        pass
    made.meta.events.unregister("before-send", take)


KEYS = ["plain.txt", "with space+plus.txt", "ümläut/日本.txt", "a%2Fb&c=d?e#f", "~tilde_-.!*'();:@,$[]", "dir//double/./dot/../x"]
WIDE = {"Metadata": {"one": "a  b   c", "two": " trim "}, "ContentType": "text/plain; charset=utf-8"}

for version, form in (("s3v4", "header"), ("s3", "v2")):
    s3 = client("s3", version=version)
    for number, key in enumerate(KEYS):
        captured(f"{form} get {number}", form, s3, "get_object", Bucket="bucket", Key=key, Range="bytes=0-9")
        captured(f"{form} put {number}", form, client("s3", version=version, endpoint="http://127.0.0.1:8333",
                 request_checksum_calculation="when_required"), "put_object", Bucket="bucket", Key=key, Body=b"hello", **WIDE)
    captured(f"{form} put trailer", form, s3, "put_object", Bucket="bucket", Key="k", Body=b"hello", ChecksumAlgorithm="CRC32C")
    captured(f"{form} buckets", form, s3, "list_buckets")
    captured(f"{form} list v1", form, s3, "list_objects", Bucket="bucket", Prefix="a b+c/ü&", Delimiter="/", Marker="%2F")
    captured(f"{form} list v2", form, s3, "list_objects_v2", Bucket="bucket", Prefix="x;y", StartAfter="~*", MaxKeys=7)
    captured(f"{form} versions", form, s3, "get_object", Bucket="bucket", Key="k", VersionId="3/L4kqtJlcpXroDTDmJ+rmSpXd")
    captured(f"{form} override", form, s3, "get_object", Bucket="bucket", Key="k",
             ResponseContentDisposition='attachment; filename="a b.txt"')
    captured(f"{form} policy", form, s3, "get_bucket_policy", Bucket="bucket")
    captured(f"{form} delete many", form, s3, "delete_objects", Bucket="bucket", Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    captured(f"{form} copy", form, s3, "copy_object", Bucket="bucket", Key="k", CopySource={"Bucket": "b2", "Key": "ü x"})
    captured(f"{form} part", form, s3, "upload_part", Bucket="bucket", Key="k", UploadId="u/+=", PartNumber=3, Body=b"x")
    captured(f"{form} token", form, client("s3", token=TOKEN, version=version), "head_object", Bucket="bucket", Key="k", token=TOKEN)
    if form == "header":
        captured("header vhost", form, client("s3", version=version, style="virtual", endpoint="https://s3.example.com"),
                 "get_object", Bucket="bucket", Key="a b")

presign = {
    "get": ("get_object", {"Bucket": "bucket", "Key": KEYS[1]}),
    "get override": ("get_object", {"Bucket": "bucket", "Key": KEYS[2], "ResponseContentType": "text/html",
                                    "ResponseContentDisposition": 'attachment; filename="x+y.txt"'}),
    "put": ("put_object", {"Bucket": "bucket", "Key": "a b"}),
    "list": ("list_objects", {"Bucket": "bucket", "Prefix": "p q"}),
    "part": ("upload_part", {"Bucket": "bucket", "Key": "k", "UploadId": "u", "PartNumber": 1}),
}
for version, form in (("s3v4", "presigned"), ("s3", "v2 presigned")):
    for token in (None, TOKEN):
        for name, (call, params) in presign.items():
            made = client("s3", token=token, version=version, request_checksum_calculation="when_required")
            url = made.generate_presigned_url(call, Params=params, ExpiresIn=3600)
            method = "PUT" if call in ("put_object", "upload_part") else "GET"
            row(f"{form} {name}{' token' if token else ''}", form, method, url, [], token=token)
url = client("s3", version="s3v4").generate_presigned_url("put_object", Params={"Bucket": "b", "Key": "k", "ACL": "private"})
row("presigned put acl", "presigned", "PUT", url, [("x-amz-acl", "private")])

sts, iam = client("sts"), client("iam")
captured("sts identity", "header", sts, "get_caller_identity", service="sts")
captured("sts assume", "header", sts, "assume_role", service="sts", RoleArn="arn:aws:iam::role/R1", RoleSessionName="a b")
captured("sts token", "header", client("sts", token=TOKEN), "get_caller_identity", service="sts", token=TOKEN)
captured("iam create", "header", iam, "create_user", service="iam", UserName="ünïcode")
row("sts presigned", "presigned", "GET", sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET"), [], service="sts")

posts = []
for version, token in (("s3v4", None), ("s3v4", TOKEN), ("s3", None)):
    conditions = [["starts-with", "$Content-Type", "text/"], {"acl": "private"}, ["content-length-range", 1, 10]]
    post = client("s3", token=token, version=version).generate_presigned_post(
        "bucket", "up/${filename}", Fields={"acl": "private"}, Conditions=conditions, ExpiresIn=3600)
    fields = [[k, v.replace("${filename}", "x.txt")] for k, v in post["fields"].items()] + [["Content-Type", "text/plain"]]
    posts.append({"name": f"{version} {'token' if token else 'plain'}", "token": token, "fields": fields})

def lines(values):
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"


head = json.dumps({"botocore": botocore.__version__, "now": int(NOW.timestamp()), "access_key_id": AKID, "secret": SECRET})
print(f'{head[:-1]},\n"requests": {lines(rows)},\n"posts": {lines(posts)}}}')
