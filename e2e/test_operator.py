"""What SeaweedFS's Kubernetes operator does with S3Identity, S3Credentials, S3Policy and S3PolicyBinding is followed: it makes the same
calls to the filer as these commands of `weed shell`, so the filer stores the same bytes."""

import json

import pytest

from clients import Key
from processes import wait_for
from signing import request
from world import CANARY, ROOT, document, statement

NAME, POLICY = "operator-app", "operator-reads"
FIRST, SECOND = (Key(f"AKIAE2EOPERATOR0000{n}", f"{CANARY}operator{n}".ljust(40, "x")) for n in (1, 2))


@pytest.fixture(scope="module")
def shell(cluster, gateway_a, gateway_b, tmp_path_factory):
    bucket = "operator-bucket"
    assert request(ROOT, "PUT", f"{gateway_a.url}/{bucket}").status == 200
    assert request(ROOT, "PUT", f"{gateway_a.url}/{bucket}/k", b"x").status == 200
    file = tmp_path_factory.mktemp("operator") / "policy.json"

    def policy(*actions):
        file.write_text(json.dumps(document(statement("Allow", list(actions), [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]))))
        cluster.shell(f"s3.policy -put -name={POLICY} -file={file}")

    def answers(key, get, put, what):
        """On both gateways, which learn of it from the filer."""
        for gateway in (gateway_a, gateway_b):
            seen = lambda: (  # noqa: E731
                request(key, "GET", f"{gateway.url}/{bucket}/k").status,
                request(key, "PUT", f"{gateway.url}/{bucket}/new", b"y").status,
            )
            wait_for(lambda: seen() == (get, put), 20, f"{what}: {get}, {put}", gateway)

    cluster.policy, cluster.answers = policy, answers
    yield cluster
    cluster.shell(f"s3.policy -delete -name={POLICY}")


def test_objects_of_the_operator_are_followed(shell):
    # An S3Identity has no keys at first; S3Credentials brings them.
    shell.filer.write_json(f"/etc/iam/identities/{NAME}.json", {"name": NAME, "account": {"display_name": "App", "email_address": "app@example.com"}})
    key = lambda key: f"s3.accesskey.create -user {NAME} -access_key {key.access} -secret_key {key.secret}"  # noqa: E731
    shell.shell(key(FIRST))
    shell.answers(FIRST, 403, 403, "a user without policies")
    shell.policy("s3:GetObject")
    shell.shell(f"s3.policy.attach -policy {POLICY} -user {NAME}")
    shell.answers(FIRST, 200, 403, "S3PolicyBinding")
    shell.policy("s3:GetObject", "s3:PutObject")
    shell.answers(FIRST, 200, 200, "a changed S3Policy")
    shell.shell(f"{key(SECOND)}\ns3.accesskey.delete -user {NAME} -access_key {FIRST.access}")
    shell.answers(SECOND, 200, 200, "rotated S3Credentials")
    shell.answers(FIRST, 403, 403, "the key before")
    shell.shell(f"s3.user.disable -name {NAME}")
    shell.answers(SECOND, 403, 403, "a disabled S3Identity")
    shell.shell(f"s3.user.enable -name {NAME}")
    shell.answers(SECOND, 200, 200, "enabled again")
    shell.shell(f"s3.policy.detach -policy {POLICY} -user {NAME}")
    shell.answers(SECOND, 403, 403, "without S3PolicyBinding")
    shell.shell(f"s3.policy.attach -policy {POLICY} -user {NAME}")
    shell.answers(SECOND, 200, 200, "bound again")
    shell.shell(f"s3.user.delete -name {NAME}")
    shell.answers(SECOND, 403, 403, "a deleted S3Identity")
    stored = json.loads(shell.filer.read(f"/etc/iam/policies/{POLICY}.json").text)
    assert stored["Statement"][0]["Action"] == ["s3:GetObject", "s3:PutObject"]
