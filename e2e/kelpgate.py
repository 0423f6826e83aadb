"""Kelpgate itself as a child process: a gateway on a filer, or the single-machine server."""

import os
import re
import shutil
from pathlib import Path

import requests

from clients import Key
from processes import Server, free_port, run, wait_for
from weed import weed_s3

ROOT = Path(__file__).resolve().parent.parent

# E2E_STAND_IN=weed runs `weed s3` in place of Kelpgate, to check the tests themselves where both should behave the same.
STAND_IN = os.environ.get("E2E_STAND_IN")


def binary():
    return os.environ.get("KELPGATE_BIN") or str(ROOT / "target/debug/kelpgate")


def gateway(name, directory, filer, flags=(), port=None, env=None):
    """Starts `kelpgate s3` on a filer (or `filers`, "a:1,b:2"), and returns its server with `.url` once it is ready."""
    if STAND_IN == "weed":
        return weed_s3(name, directory, filer, flags, port, env)
    port = port or free_port()
    address = filer if isinstance(filer, str) else filer.address
    server = Server(
        name,
        [binary(), "s3", f"-filer={address}", "-ip.bind=127.0.0.1", f"-port={port}", *flags],
        directory,
        env=env,
        ready_port=port,
    )
    server.port = port
    server.url = f"http://127.0.0.1:{port}"
    wait_for(lambda: requests.get(server.url + "/readyz", timeout=2).ok, 30, name, server)
    return server


class SingleMachine(Server):
    """`kelpgate server -dir=DIR`. `.root` is the root key, read from DIR/root-credentials."""

    def __init__(self, directory, flags=(), env=None, name="server", port=None, ready_s=30):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = Path(directory) / "data"
        super().__init__(
            name,
            [binary(), "server", f"-dir={self.data}", f"-port={self.port}", *flags],
            directory,
            env=env,
            ready_port=self.port,
        )
        wait_for(lambda: requests.get(self.url + "/readyz", timeout=2).ok, ready_s, name, self)

    @property
    def root(self):
        return root_key((self.data / "root-credentials").read_text())


def root_key(text):
    """The access key in a text that contains it in any of the usual notations."""
    access = re.search(r"\b(AKIA[A-Z0-9]{16})\b", text)
    secret = re.search(r"(?i)secret[_ ]?access[_ ]?key\"?\s*[=:]\s*[\"']?([A-Za-z0-9/+]{40})\b", text)
    assert access and secret, f"no access key found in:\n{text}"
    return Key(access[1], secret[1])


def nginx(name, directory, configuration):
    """Starts nginx in the foreground with a complete configuration file."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.conf"
    path.write_text(configuration)
    run([program, "-t", "-c", path, "-p", directory, "-e", directory / "error.log"])
    port = int(re.search(r"listen\s+(?:[\d.]+:)?(\d+)", configuration)[1])
    server = Server(
        name,
        [program, "-c", path, "-p", directory, "-e", directory / "error.log", "-g", "daemon off;"],
        directory,
        ready_port=port,
    )
    server.url = f"http://127.0.0.1:{port}"
    return server


def cli(*arguments, check=True, timeout=30, env=None):
    """Runs `kelpgate` with arguments until it exits."""
    return run([binary(), *arguments], check=check, timeout=timeout, env=env)
