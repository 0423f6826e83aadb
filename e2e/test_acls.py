"""ACLs that Kelpgate and `weed s3` share: what one of them stores, the other shows, and only Kelpgate enforces all of it."""

import json

import pytest
from botocore.exceptions import ClientError

import world
from clients import body_of, client, refused, s3, unique
from processes import wait_for

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
ACL = "Seaweed-X-Amz-Acl"


def writers(client, name):
    """A bucket whose objects belong to their writers."""
    client.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    return name


def ownership(client, bucket):
    """None without ownership controls."""
    try:
        controls = client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "OwnershipControlsNotFoundError"
        return None
    return controls["Rules"][0]["ObjectOwnership"]


def shown(acl):
    """Without the order, which S3 does not promise."""
    return sorted((grant["Grantee"].get("URI", "owner"), grant["Permission"]) for grant in acl["Grants"])


def test_both_store_the_same_bytes(root_a, root_weed, cluster):
    """A bucket and an object that each of the two made public."""
    stored = []
    for client in (root_weed, root_a):
        name = writers(client, unique("acl-bytes"))
        client.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
        wait_for(lambda: ownership(root_a, name) == "ObjectWriter", 5, "the ownership controls to arrive")
        client.put_bucket_acl(Bucket=name, ACL="public-read")
        stored.append(json.loads(cluster.filer.entry(f"/buckets/{name}")["Extended"][ACL]))
        client.put_object(Bucket=name, Key="k", Body=b"x")
        client.put_object_acl(Bucket=name, Key="k", ACL="public-read")
        of_object = json.loads(cluster.filer.entry(f"/buckets/{name}/k")["Extended"][ACL])
        assert list(of_object[1]["Grantee"]) == list(stored[0][1]["Grantee"]) and of_object[1] == stored[0][1]
    assert stored[0] == stored[1] and list(stored[0][0]["Grantee"]) == list(stored[1][0]["Grantee"])


@pytest.mark.parametrize("writer, reader", [("root_weed", "root_a"), ("root_a", "root_weed")])
def test_what_one_stores_the_other_shows(request, writer, reader):
    writer, reader = request.getfixturevalue(writer), request.getfixturevalue(reader)
    name = writers(writer, unique("acl-shown"))
    writer.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    writer.put_bucket_acl(Bucket=name, ACL="public-read-write")
    writer.put_object(Bucket=name, Key="k", Body=b"x")
    writer.put_object_acl(Bucket=name, Key="k", ACL="public-read")
    both = [(ALL_USERS, "READ"), ("owner", "FULL_CONTROL")]
    wait_for(lambda: shown(reader.get_bucket_acl(Bucket=name)) == sorted([*both, (ALL_USERS, "WRITE")]), 5, "the bucket's ACL to arrive")
    assert shown(reader.get_object_acl(Bucket=name, Key="k")) == both


def test_a_withdrawn_grant_is_withdrawn_on_both_gateways(root_a, gateway_a, gateway_b):
    """Each call is answered once both gateways enforce it, so nothing here waits."""
    name = writers(root_a, unique("acl-fence"))
    strangers = [s3(gateway.url) for gateway in (gateway_a, gateway_b)]
    block = {"IgnorePublicAcls": True}
    for _ in range(3):
        root_a.put_bucket_acl(Bucket=name, ACL="public-read")
        root_a.put_object(Bucket=name, Key="k", Body=b"x", ACL="public-read")
        for stranger in strangers:
            assert body_of(stranger, name, "k") == b"x" and stranger.list_objects_v2(Bucket=name)["KeyCount"] == 1
        root_a.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        for stranger in reversed(strangers):
            with refused("AccessDenied", 403):
                stranger.list_objects_v2(Bucket=name)
            with refused("AccessDenied", 403):
                stranger.get_object(Bucket=name, Key="k")
        root_a.delete_public_access_block(Bucket=name)
        root_a.put_object_acl(Bucket=name, Key="k", ACL="private")
        root_a.put_bucket_acl(Bucket=name, ACL="private")
        for stranger in reversed(strangers):
            with refused("AccessDenied", 403):
                stranger.list_objects_v2(Bucket=name)
            with refused("AccessDenied", 403):
                stranger.get_object(Bucket=name, Key="k")


def test_the_block_of_an_account_on_every_gateway(gateway_a, gateway_b):
    """S3 Control's calls. The gateways are read-only for IAM, which does not concern them."""
    account, name = "111122223333", unique("account-block")
    control = client("s3control", gateway_a.url, world.DORA)
    # botocore puts the account before the host, where no name server finds it.
    control.meta.events.register("before-sign.s3-control", without_account(account))
    owner, strangers = s3(gateway_b.url, world.DORA), [s3(gateway.url) for gateway in (gateway_a, gateway_b)]
    owner.create_bucket(Bucket=name)
    owner.put_object(Bucket=name, Key="k", Body=b"x")
    public = world.statement("Allow", "s3:GetObject", f"arn:aws:s3:::{name}/*", Principal="*")
    owner.put_bucket_policy(Bucket=name, Policy=json.dumps(world.document(public)))
    with refused("NoSuchPublicAccessBlockConfiguration", 404):
        control.get_public_access_block(AccountId=account)
    for _ in range(3):
        assert all(body_of(stranger, name, "k") == b"x" for stranger in strangers)
        block = {"BlockPublicPolicy": True, "RestrictPublicBuckets": True}
        control.put_public_access_block(AccountId=account, PublicAccessBlockConfiguration=block)
        for stranger in reversed(strangers):
            with refused("AccessDenied", 403):
                stranger.get_object(Bucket=name, Key="k")
        with refused("AccessDenied", 403):
            owner.put_bucket_policy(Bucket=name, Policy=json.dumps(world.document(public)))
        # The bucket's own settings, which block nothing, do not lift those of the account.
        owner.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={})
        with refused("AccessDenied", 403):
            strangers[1].get_object(Bucket=name, Key="k")
        got = control.get_public_access_block(AccountId=account)["PublicAccessBlockConfiguration"]
        assert got == {"BlockPublicAcls": False, "IgnorePublicAcls": False, **block}
        control.delete_public_access_block(AccountId=account)
    assert all(body_of(stranger, name, "k") == b"x" for stranger in strangers)
    root = client("s3control", gateway_a.url, world.ROOT)
    root.meta.events.register("before-sign.s3-control", without_account(account))
    with refused("AccessDenied", 403):
        root.put_public_access_block(AccountId=account, PublicAccessBlockConfiguration=block)


def without_account(account):
    def change(request, **_):
        request.url = request.url.replace(f"//{account}.", "//")

    return change
