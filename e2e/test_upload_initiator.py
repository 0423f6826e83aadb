"""Only the caller who began a multipart upload can add parts to it and complete it."""

import json

import pytest
import requests

import world
from clients import assume, body_of, client, make_bucket, new_key, refused, s3, unique
from test_iam_federation import Place, user_with_key
from test_sessions import key_of

ALL = world.document(world.statement("Allow", ["s3:*", "sts:*"], "*"))
PART = b"part"


@pytest.fixture(scope="module")
def place(iam_server):
    return Place(*iam_server)


@pytest.fixture(scope="module")
def bucket(place):
    return make_bucket(s3(place.url, place.key))


class Upload:
    def __init__(self, who, bucket, key, **create):
        self.where = {"Bucket": bucket, "Key": key}
        self.where["UploadId"] = who.create_multipart_upload(**self.where, **create)["UploadId"]

    def add(self, who, number=1):
        etag = who.upload_part(**self.where, PartNumber=number, Body=PART)["ETag"]
        return {"PartNumber": number, "ETag": etag}

    def complete(self, who, part):
        return who.complete_multipart_upload(**self.where, MultipartUpload={"Parts": [part]})

    def is_refused_to(self, who, part):
        for call in (lambda: self.add(who), lambda: self.complete(who, part)):
            with refused("AccessDenied", 403) as caught:
                call()
            assert "initiator" in str(caught.value), caught.value


def test_tags_come_with_the_bytes_of_who_may_tag(place, bucket):
    objects = f"arn:aws:s3:::{bucket}/*"
    uploads = world.statement("Allow", ["s3:ListBucketMultipartUploads"], f"arn:aws:s3:::{bucket}")
    writes, tags = world.statement("Allow", "s3:PutObject", objects), "s3:PutObjectTagging"
    scanner_name, scanner = user_with_key(place.iam, world.document(writes, world.statement("Allow", tags, objects)))
    _, writer = user_with_key(place.iam, world.document(writes, uploads, world.statement("Deny", tags, objects)))
    clean = {"StringEquals": {"s3:ExistingObjectTag/scan": "clean"}}
    _, reader = user_with_key(place.iam, world.document(world.statement("Allow", "s3:GetObject", objects, Condition=clean)))
    scanner, writer, reader = (s3(place.url, key) for key in (scanner, writer, reader))

    upload = Upload(scanner, bucket, "report", Tagging="scan=clean")
    (listed,) = writer.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert listed["UploadId"] == upload.where["UploadId"]
    assert listed["Initiator"] == {"ID": world.user_arn(scanner_name), "DisplayName": scanner_name}
    part = upload.add(scanner)
    upload.is_refused_to(writer, part)
    with refused("AccessDenied", 403) as caught:
        upload.add(reader)
    assert "s3:PutObject" in str(caught.value), "who may not write learns nothing of the upload"
    upload.complete(scanner, part)
    assert body_of(reader, bucket, "report") == PART


def test_sessions_of_the_initiator(place, bucket):
    """A user and the sessions of their own are one, and so are all sessions of a role."""
    name, key = user_with_key(place.iam, ALL)
    _, other = user_with_key(place.iam, ALL)
    sts = client("sts", place.url, key)
    role = unique("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": world.ACCOUNT}, "Action": "sts:AssumeRole"}
    place.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(world.document(trust)))
    place.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(ALL))
    own = lambda: key_of(sts.get_session_token())
    of_role = lambda session: assume(place.url, key, role, session)
    federated = lambda name: key_of(sts.get_federation_token(Name=name, Policy=json.dumps(ALL)))
    for begins, go_on, others in [
        (key, [new_key(place.iam, name), own(), own()], [other, of_role("first"), federated("fay")]),
        (own(), [key, own()], [other, of_role("first")]),
        (of_role("first"), [of_role("first"), of_role("second")], [key, other]),
        (federated("fay"), [federated("fay")], [key, federated("gil"), other]),
    ]:
        upload = Upload(s3(place.url, begins), bucket, "sessions")
        part = upload.add(s3(place.url, begins))
        for one in others:
            upload.is_refused_to(s3(place.url, one), part)
        for one in go_on:
            part = upload.add(s3(place.url, one))
        url = s3(place.url, go_on[0]).generate_presigned_url("upload_part", Params={**upload.where, "PartNumber": 2})
        assert requests.put(url, PART, timeout=20).status_code == 200
        upload.complete(s3(place.url, go_on[-1]), part)


def test_uploads_of_another_account(gateway_a, root_a):
    """The owner of the bucket may abort an upload of another account, and adds nothing to it."""
    bucket = make_bucket(root_a, "initiator")
    root_a.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    root_a.delete_public_access_block(Bucket=bucket)
    root_a.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    dora = s3(gateway_a.url, world.DORA)
    upload = Upload(dora, bucket, "k")
    part = upload.add(dora)
    upload.is_refused_to(root_a, part)
    listed = root_a.list_parts(**upload.where)
    assert listed["Initiator"]["ID"] == world.user_arn("dora", "111122223333")
    upload.complete(dora, part)
    aborted = Upload(dora, bucket, "k")
    root_a.abort_multipart_upload(**aborted.where)


def test_a_fleet_with_weed(gateway_a, root_a, root_weed, weed_gateway):
    """`weed s3` does not know who began an upload: it neither stores it nor asks for it."""
    bucket = make_bucket(root_weed, "initiator")
    alice, alice_at_weed = (s3(gateway.url, world.ALICE) for gateway in (gateway_a, weed_gateway))
    upload = Upload(root_weed, bucket, "begun-by-weed")
    upload.complete(alice, upload.add(alice))
    assert body_of(root_weed, bucket, "begun-by-weed") == PART

    upload = Upload(root_a, bucket, "begun-by-kelpgate")
    part = upload.add(root_weed)
    upload.is_refused_to(alice, part)
    upload.complete(alice_at_weed, part)
    for reader in (root_a, root_weed):
        got = reader.get_object(Bucket=bucket, Key="begun-by-kelpgate")
        assert got["Body"].read() == PART
        shown = [name for name in got["ResponseMetadata"]["HTTPHeaders"] if "initiator" in name]
        assert shown == [], shown
