"""The container image: what deploy/Dockerfile says of it, and that the binary runs with the image's files alone.

No container engine runs here: the files are a root directory for `chroot`. test_deploy.py looks into the archive of the image.
"""

import os
import re
import stat
import subprocess

import pytest
import requests

import kelpgate
from clients import make_bucket, s3
from processes import Server, free_port, run, wait_for

DEPLOY = kelpgate.ROOT / "deploy"


@pytest.fixture(scope="module")
def tree(logs):
    made = logs / "image"
    run(["sh", "-c", f"umask 077 && {DEPLOY}/image-tree {kelpgate.binary()} {made}"])
    return made / "root"


def stages():
    """The instructions of each stage that a user builds: of the stage `settings`, and its own."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M)
    parts = {}
    for part in re.split(r"^FROM ", text, flags=re.M)[1:]:
        head, *rest = part.strip().splitlines()
        base, name = (head.split(" AS ") + ["final"])[:2]
        parts[name] = [*parts.get(base, []), *rest]
    return parts


@pytest.mark.parametrize("stage", ["packaged", "final"])
def test_what_the_file_says(stage, tree):
    said = stages()[stage]
    assert not any(line.startswith("RUN") for line in said), "there is no shell to run anything with"
    settings = dict(line.split(" ", 1) for line in said if not line.startswith("COPY"))
    assert settings == {
        "USER": "8333:8333", "EXPOSE": "8333", "VOLUME": "/var/lib/kelpgate", "ENTRYPOINT": '["/usr/local/bin/kelpgate"]',
    }  # fmt: skip
    assert os.access(tree / "usr/local/bin/kelpgate", os.X_OK) and [path.name for path in (tree.parent / "state").iterdir()] == ["kelpgate"]
    # A directory that is there already would keep its owner.
    assert not (tree / "var/lib/kelpgate").exists()
    assert any(re.fullmatch(r"COPY .*--chown=8333:8333 .*state /var/lib", line) for line in said), said


def test_nothing_else_is_in_it(tree):
    files = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
    libraries = {file for file in files if re.fullmatch(r"(usr/)?lib(64)?/.*\.so[.\d]*", file)}
    known = {"etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/ssl/certs/ca-certificates.crt", "usr/local/bin/kelpgate"}
    licences = {file for file in files if file.startswith("usr/share/doc/")}
    assert files == known | libraries | licences
    assert {os.path.basename(file).split(".")[0] for file in libraries} <= {"libc", "libm", "libgcc_s", "ld-linux-x86-64"}
    for path in [tree, *tree.rglob("*")]:
        mode = path.stat().st_mode
        assert not mode & (stat.S_ISUID | stat.S_ISGID) and mode & stat.S_IROTH, path
        assert path == tree / "tmp" or not mode & stat.S_IWOTH, path


def test_it_serves_as_its_user(tree, logs):
    data, port = tree / "var/lib/kelpgate", free_port()
    (tree.parent / "state/kelpgate").rename(data)
    os.chown(data, 8333, 8333)
    # An engine brings this file.
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n")
    inside = ["chroot", "--userspec=8333:8333", str(tree), "/usr/local/bin/kelpgate"]
    command = [*inside, "server", "-dir=/var/lib/kelpgate/data", f"-port={port}"]
    with Server("image", command, logs / "image-run", ready_port=port) as server:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: requests.get(url + "/readyz", timeout=2).ok, 30, "the image", server)
        root = kelpgate.root_key((data / "data/root-credentials").read_text())
        assert make_bucket(s3(url, root), "image") in {bucket["Name"] for bucket in s3(url, root).list_buckets()["Buckets"]}
        named = subprocess.run([*inside, "doctor", f"-endpoint=http://localhost:{port}"], capture_output=True, text=True, timeout=30)
        assert f"http://localhost:{port} answers" in named.stdout, named.stdout + named.stderr
