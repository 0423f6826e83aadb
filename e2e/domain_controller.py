"""A domain controller of Active Directory (Samba), for /usr/bin/python3, which has Samba's modules: DIRECTORY LDAP_PORT LDAPS_PORT.

Samba listens on fixed ports, so it runs in a network namespace of its own. This program forwards connections to its two ports there.
"""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from samba.auth import system_session
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB

import active_directory as ad

CLONE_NEWNET = 0x40000000
ACCOUNTDISABLE = 0x2


def own_network():
    """From here on, sockets are in a network that has nothing but a loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def listener(port):
    made = socket.create_server(("127.0.0.1", port))
    made.settimeout(None)
    return made


def settings(directory):
    """The configuration before the domain is made; making it adds the rest."""
    path = os.path.join(directory, "smb.conf")
    with open(path, "w") as file:
        file.write(
            f"[global]\nnetbios name = DC1\nworkgroup = EXAMPLE\nrealm = EXAMPLE.COM\nserver role = active directory domain controller\n"
            f"server services = ldap\ninterfaces = lo\nbind interfaces only = yes\nstate directory = {directory}/state\n"
            f"cache directory = {directory}/cache\nlock directory = {directory}/lock\nprivate dir = {directory}/private\n"
            f"pid directory = {directory}/run\nncalrpc dir = {directory}/run/ncalrpc\nlog file = {directory}/samba.log\n"
            f"tls cafile = {directory}/ldap.crt\ntls certfile = {directory}/ldap.crt\ntls keyfile = {directory}/ldap.key\n"
            f"[sysvol]\npath = {directory}/state/sysvol\n[netlogon]\npath = {directory}/state/sysvol/scripts\n"
        )
    for name in ["state", "cache", "lock", "private", "run"]:
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    return path


def made(directory):
    """A new domain with people and groups. The result is its configuration file."""
    path = settings(directory)
    loaded = LoadParm()
    loaded.load(path)
    quiet = logging.getLogger("provision")
    quiet.setLevel(logging.WARNING)
    domain = provision(
        quiet, system_session(), smbconf=path, lp=loaded, realm="EXAMPLE.COM", domain="EXAMPLE", hostname="dc1", hostip="127.0.0.1",
        adminpass=ad.ADMINISTRATOR, serverrole="active directory domain controller", dns_backend="NONE", skip_sysvolacl=True,
        use_ntvfs=False, dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
    )  # fmt: skip
    fill(domain.samdb)
    return path


def fill(directory: SamDB):
    for name, password in ad.PASSWORDS.items():
        directory.newuser(name, password, userou=None)
    disabled = f"(sAMAccountName={ad.DISABLED})"
    directory.toggle_userAccountFlags(disabled, ACCOUNTDISABLE, on=True)
    for group, members in ad.GROUPS.items():
        directory.newgroup(group)
        if members:
            directory.add_remove_group_members(group, members, add_members_operation=True)
    directory.transaction_start()
    for number in range(ad.MANY):
        dn = f"CN=many-{number:04},CN=Users,{ad.BASE}"
        directory.add({"dn": dn, "objectClass": "group", "member": f"CN=busy,CN=Users,{ad.BASE}"})
    directory.transaction_commit()




def passed_on(accepting, port):
    """Passes each connection to a port of the own network."""
    while True:
        client, _ = accepting.accept()
        try:
            server = socket.create_connection(("127.0.0.1", port))
        except OSError:
            client.close()
            continue
        for one, other in [(client, server), (server, client)]:
            threading.Thread(target=copied, args=(one, other), daemon=True).start()


def copied(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    directory, ports = sys.argv[1], [int(port) for port in sys.argv[2:]]
    accepting = [listener(port) for port in ports]
    own_network()
    configuration = made(directory)
    # It ends with its input, and so with this program, however that ends.
    samba = subprocess.Popen(["samba", "--interactive", "--no-process-group", "-s", configuration], stdin=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: samba.terminate())
    while True:
        try:
            socket.create_connection(("127.0.0.1", 636)).close()
            break
        except OSError:
            if samba.poll() is not None:
                sys.exit(f"samba ended with {samba.returncode}")
            time.sleep(0.1)
    print(ad.READY, flush=True)
    for listening, port in zip(accepting, [389, 636]):
        threading.Thread(target=passed_on, args=(listening, port), daemon=True).start()
    samba.wait()


main()
