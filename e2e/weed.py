"""A real SeaweedFS 4.48 cluster on the loopback: master, volume server and filer, with `weed s3` next to it."""

import base64
import json

import requests

from processes import Server, free_port, run, wait_for

# One volume per collection and growth step instead of seven: every test bucket is a collection.
_ENVIRONMENT = {f"WEED_MASTER_VOLUME_GROWTH_COPY_{n}": "1" for n in ("1", "2", "3", "OTHER")}

# Files up to this size that are stored through the filer's own HTTP API are kept inside the entry, like IAM documents.
INLINE_LIMIT = 4096


class Filer:
    """One `weed filer` with its own metadata, and methods to read and write there directly."""

    def __init__(self, directory, master, name="filer", flags=(), port=None):
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        self.server = Server(
            name,
            ["weed", "filer", f"-master={master}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-port={self.port}",
             f"-defaultStoreDir={directory}/{name}", f"-saveToFilerLimit={INLINE_LIMIT}", *flags],
            directory / name,
            env=_ENVIRONMENT,
            ready_port=self.port,
        )  # fmt: skip
        wait_for(lambda: requests.get(self.url + "/", timeout=2).ok, 30, name, self.server)
        wait_for(lambda: self.write("/kelpgate-e2e/ready", b"ready").ok, 30, f"{name} writes", self.server)

    def write(self, path, content, **headers):
        """Stores a file through the filer's own HTTP API: inside the entry up to INLINE_LIMIT bytes, in chunks above."""
        names = {k.replace("_", "-"): v for k, v in headers.items()}
        return requests.put(self.url + path, data=content, headers=names, timeout=10)

    def write_json(self, path, document):
        answer = self.write(path, json.dumps(document, indent=2).encode())
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"

    def delete(self, path, recursive=False):
        query = "?recursive=true" if recursive else ""
        return requests.delete(f"{self.url}{path}{query}", timeout=10)

    def read(self, path):
        return requests.get(f"{self.url}{path}", timeout=10)

    def entry(self, path):
        """The entry in the filer's JSON form, with `Extended` decoded to bytes; None if absent."""
        answer = requests.get(f"{self.url}{path}?metadata=true", timeout=10)
        if answer.status_code == 404:
            return None
        entry = answer.json()
        entry["Extended"] = {k: base64.b64decode(v) for k, v in (entry.get("Extended") or {}).items()}
        return entry

    def names(self, directory):
        answer = requests.get(f"{self.url}{directory}/?limit=1000", headers={"Accept": "application/json"}, timeout=10)
        if answer.status_code == 404:
            return []
        return [entry["FullPath"].rsplit("/", 1)[1] for entry in answer.json().get("Entries") or []]


class Cluster:
    """Master, volume server and one filer, unless the caller starts filers of its own."""

    def __init__(self, directory, volume_size_mb=64, with_filer=True):
        self.directory = directory
        self.master_port = free_port()
        self.master = f"127.0.0.1:{self.master_port}"
        Server(
            "master",
            ["weed", "master", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-port={self.master_port}",
             f"-mdir={directory}/master", f"-volumeSizeLimitMB={volume_size_mb}", "-telemetry=false"],
            directory / "master",
            env=_ENVIRONMENT,
            ready_port=self.master_port,
        )  # fmt: skip
        volume_port = free_port()
        (directory / "volume").mkdir(parents=True, exist_ok=True)
        Server(
            "volume",
            ["weed", "volume", f"-mserver={self.master}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-port={volume_port}",
             f"-dir={directory}/volume", "-max=2000", "-minFreeSpace=1"],
            directory / "volume",
            env=_ENVIRONMENT,
            ready_port=volume_port,
        )  # fmt: skip
        self.filer = Filer(directory, self.master) if with_filer else None

    def shell(self, script, filer=None):
        """Runs lines of `weed shell` against the cluster and returns what they print."""
        filer = filer or self.filer
        return run(["weed", "shell", f"-master={self.master}", f"-filer={filer.address}"], input=script + "\n").stdout


def weed_s3(name, directory, filer, flags=(), port=None, env=None):
    """Starts `weed s3` and returns its server, with `.url`, once it answers."""
    port = port or free_port()
    server = Server(
        name,
        ["weed", "s3", f"-filer={filer.address}", "-ip.bind=127.0.0.1", f"-port={port}",
         "-port.iceberg=0", "-port.lance=0", *flags],
        directory,
        env=env,
        ready_port=port,
        wait_s=60,
    )  # fmt: skip
    server.port = port
    server.url = f"http://127.0.0.1:{port}"
    wait_for(lambda: requests.get(server.url + "/status", timeout=2).ok, 30, name, server)
    return server
