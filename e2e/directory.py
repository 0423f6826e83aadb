"""A directory on the loopback: OpenLDAP's server with people and groups, plain, with StartTLS and with TLS."""

import re

import world
from processes import Server, free_port, run

SLAPD = "/usr/sbin/slapd"
BASE = "dc=example,dc=com"
ROOT = f"cn=root,{BASE}"
SEARCHER = (f"cn=searcher,{BASE}", f"searcher-{world.CANARY}")
PASSWORDS = {name: f"{name}-{world.CANARY}" for name in ["alice", "bob", "mallory*", "Zoë (R&D)"]}

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {directory}/slapd.pid
loglevel stats
TLSCACertificateFile {directory}/ldap.crt
TLSCertificateFile {directory}/ldap.crt
TLSCertificateKeyFile {directory}/ldap.key
database mdb
suffix {base}
rootdn {root}
rootpw {password}
limits dn.exact={searcher} size.soft=25 size.hard=25 size.prtotal=unlimited
directory {directory}/data
maxsize 16777216
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact={searcher} read by * none
overlay memberof
"""


def person(name, more=""):
    return f"""
dn: uid={rdn(name)},ou=people,{BASE}
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
userPassword: {PASSWORDS[name]}
{more}"""


def rdn(name):
    return re.sub(r'([,+"\\\\<>;=])', r"\\\1", name)


def group(name, *members):
    listed = "\n".join(f"member: {member},{BASE}" for member in members)
    return f"""
dn: cn={name},ou=groups,{BASE}
objectClass: groupOfNames
cn: {name}
{listed}
"""


def people_and_groups():
    units = "".join(
        f"\ndn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n" for unit in ["people", "groups", "other"]
    )
    # More than the searcher is shown at once, if it does not ask for pages.
    many = [group(f"many-{number:04}", "uid=bob,ou=people") for number in range(40)]
    return (
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n"
        + units
        + f"\ndn: {SEARCHER[0]}\nobjectClass: inetOrgPerson\ncn: searcher\nsn: searcher\nuserPassword: {SEARCHER[1]}\n"
        + "".join(person(name) for name in PASSWORDS)
        # Two entries with one name: nobody is let in by it.
        + "".join(
            f"\ndn: uid=twin,ou={unit},{BASE}\nobjectClass: inetOrgPerson\nuid: twin\ncn: a\nsn: a\nuserPassword: {PASSWORDS['bob']}\n"
            for unit in ["people", "other"]
        )
        + group("readers", "uid=alice,ou=people", "uid=twin,ou=people")
        + group("staff", "cn=readers,ou=groups", "cn=staff,ou=groups")
        + group("everyone", "cn=staff,ou=groups", "cn=readers,ou=groups")
        + group("writers", "uid=mallory*,ou=people")
        + "".join(many)
    )


class Directory:
    """A running directory. `url`, `tls_url` and `ca` are what a configuration needs."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "data").mkdir(parents=True)
        self.ca = directory / "ldap.crt"
        run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", str(directory / "ldap.key"), "-out", str(self.ca)]
        )  # fmt: skip
        searcher, password = SEARCHER
        self.config = directory / "slapd.conf"
        self.config.write_text(CONFIG.format(directory=directory, base=BASE, root=ROOT, searcher=searcher, password=password))
        self.port, tls_port = free_port(), free_port()
        self.url, self.tls_url = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{tls_port}"
        command = [SLAPD, "-h", f"{self.url} {self.tls_url}", "-f", self.config, "-d", "stats"]
        self.server = Server("slapd", command, directory, ready_port=self.port)
        data = directory / "data.ldif"
        data.write_text(people_and_groups())
        run(["ldapadd", "-x", "-H", self.url, "-D", ROOT, "-w", password, "-f", str(data)])

    def stop(self):
        self.server.stop()

    def provider(self, name="corp", beside=None, **config):
        """A provider of `-iam.config` that asks this directory."""
        usual = {
            "server": self.tls_url, "tlsCaCert": str(self.ca), "bindDN": SEARCHER[0], "bindPassword": SEARCHER[1],
            "baseDN": BASE, "userFilter": "(uid=%s)", **config,
        }  # fmt: skip
        config = {key: value for key, value in usual.items() if value is not None}
        return {"name": name, "type": "ldap", "config": config, **(beside or {})}
