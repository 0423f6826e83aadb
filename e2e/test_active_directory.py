"""AssumeRoleWithLDAPIdentity with an Active Directory: Samba's domain controller, in a network of its own."""

import pytest

import active_directory as ad
import world
from test_ldap import WRONG, Place


def config(corp):
    own = world.statement("Allow", "s3:GetObject", "arn:aws:s3:::*/${ldap:username}/*")
    of_group = lambda name: {"groups": {f"cn={name},cn=users,{ad.BASE}": ["own"]}}
    return {
        "sts": {"signingKey": world.SIGNING_KEY},
        "kelpgate": {"audit": {"sinks": [{"type": "file", "path": str(corp.directory / "audit.log"), "mode": "block"}]}},
        "providers": [
            corp.provider(nestedGroups="activeDirectory", policyMapping=of_group("everyone")),
            corp.provider("search", nestedGroups="search", policyMapping=of_group("everyone")),
            corp.provider("shallow", policyMapping=of_group("everyone")),
            corp.provider("direct", policyMapping=of_group("readers")),
            corp.provider("starttls", server=corp.url, useTLS=True, policyMapping=of_group("writers")),
            corp.provider("plain", server=corp.url, allowPlainText=True, tlsCaCert=None, policyMapping=of_group("writers")),
            corp.provider("paged", attributes={"uid": "sAMAccountName", "groups": ""}, groupFilter="(member=%d)"),
        ],
        "policies": [{"name": "own", "document": world.document(own)}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    corp = ad.ActiveDirectory(tmp_path_factory.mktemp("domain"))
    place = Place(tmp_path_factory.mktemp("active-directory"), corp, config(corp))
    yield place
    place.server.stop()
    corp.stop()


def signed_in(place, user, name=None, **more):
    return place.call(name or user, ad.PASSWORDS[user], **more)


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@example.com"])
def test_names_of_a_user(place, name):
    session = place.session(name, password=ad.PASSWORDS["alice"])
    assert session.get_object(Bucket=place.bucket, Key="alice/a")["Body"].read() == b"alice/a"


@pytest.mark.parametrize("provider, status", [("corp", 200), ("search", 200), ("shallow", 403), ("direct", 200)])
def test_groups_of_groups(place, provider, status):
    assert signed_in(place, "alice", LDAPProviderName=provider)[0] == status
    assert signed_in(place, "bob", LDAPProviderName=provider)[:2] == (403, "AccessDenied")


def test_groups_on_several_pages(place):
    """All of them are found: they are too many for a session, and the log says how long they are."""
    assert signed_in(place, "busy", LDAPProviderName="paged")[:2] == (400, "PackedPolicyTooLarge")
    bytes_of_one = len(f"CN=many-0000,CN=Users,{ad.BASE}") + 3
    assert f"have {ad.MANY * bytes_of_one} bytes" in place.server.log()


def test_starttls_and_no_tls(place):
    assert signed_in(place, "bob", LDAPProviderName="starttls")[0] == 200
    assert signed_in(place, "bob", LDAPProviderName="plain")[:2] == (400, "IDPCommunicationError")
    assert "Transport encryption required" in place.server.log()


@pytest.mark.parametrize(
    "user, password",
    [("alice", "wrong"), ("nobody", "wrong"), ("*", ad.PASSWORDS["alice"]), (ad.DISABLED, "wrong"), (ad.DISABLED, ad.PASSWORDS[ad.DISABLED])],
)
def test_whoever_is_refused_learns_nothing(place, user, password):
    """Neither whether there is such a user, nor that the account is disabled. The log says it."""
    before = len(place.server.log())
    assert place.call(user, password, LDAPProviderName="direct") == WRONG
    reason = place.server.log()[before:]
    assert "sign-in refused" in reason and not any(word in reason for word in ad.PASSWORDS.values())
    if password == ad.PASSWORDS[ad.DISABLED]:
        assert "533" in reason, reason
