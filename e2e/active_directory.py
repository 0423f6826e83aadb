"""An Active Directory on the loopback (Samba), and who is in it."""

from pathlib import Path

from processes import Server, free_port, run, wait_for

ADMINISTRATOR = "Reef-administrator-1"
# None has the tests' canary: Samba's passwords must not resemble the names of their users, and Samba logs nothing of them.
PASSWORDS = {name: f"Kelp-{number}-reef" for number, name in enumerate(["alice", "bob", "gone", "busy", "searcher"])}
DISABLED = "gone"
# By name. alice is in `everyone` through two others.
GROUPS = {"readers": ["alice", "gone"], "staff": ["readers"], "everyone": ["staff"], "writers": ["bob"]}
# busy is in so many groups, more than a page has.
MANY = 520
BASE = "DC=example,DC=com"
BY_NAME = "(&(objectClass=user)(|(sAMAccountName=%s)(userPrincipalName=%s)))"
PYTHON = "/usr/bin/python3"
READY = "the domain controller answers"


class ActiveDirectory:
    """A running domain controller. `url`, `tls_url` and `ca` are what a configuration needs."""

    def __init__(self, directory):
        self.directory, self.ca = directory, directory / "ldap.crt"
        key = directory / "ldap.key"
        run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", str(key), "-out", str(self.ca)]
        )  # fmt: skip
        key.chmod(0o600)  # Samba takes no other.
        ports = free_port(), free_port()
        self.url, self.tls_url = f"ldap://127.0.0.1:{ports[0]}", f"ldaps://127.0.0.1:{ports[1]}"
        program = Path(__file__).with_name("domain_controller.py")
        self.server = Server("domain-controller", [PYTHON, "-B", program, directory, *ports], directory)
        wait_for(lambda: READY in self.server.log(), 180, "samba", self.server)

    def stop(self):
        self.server.stop()

    def provider(self, name="corp", beside=None, **config):
        """A provider of `-iam.config` that asks this directory."""
        usual = {
            "server": self.tls_url, "tlsCaCert": str(self.ca), "bindDN": "searcher@example.com", "bindPassword": PASSWORDS["searcher"],
            "baseDN": BASE, "userFilter": BY_NAME, "attributes": {"uid": "sAMAccountName"}, **config,
        }  # fmt: skip
        config = {key: value for key, value in usual.items() if value is not None}
        return {"name": name, "type": "ldap", "config": config, **(beside or {})}
