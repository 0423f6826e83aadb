"""The usual command-line clients against two gateways behind nginx, and against the single machine: aws, s3cmd, rclone."""

import filecmp
import os
from urllib.parse import urlsplit

import pytest
import requests

from clients import keys_of, unique
from processes import run


@pytest.fixture
def tree(tmp_path):
    """A small directory to upload: nested, with an empty file, odd names and something larger than a part."""
    root = tmp_path / "tree"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("a\n")
    (root / "empty").write_bytes(b"")
    (root / "sub" / "name with spaces +&.txt").write_text("spaces\n")
    (root / "sub" / "deep" / "ünï.bin").write_bytes(os.urandom(100_000))
    (root / "big.bin").write_bytes(os.urandom(18 * 1024 * 1024))
    return root


def same_trees(left, right):
    left_files = sorted(str(p.relative_to(left)) for p in left.rglob("*") if p.is_file())
    right_files = sorted(str(p.relative_to(right)) for p in right.rglob("*") if p.is_file())
    assert left_files == right_files
    for name in left_files:
        assert filecmp.cmp(left / name, right / name, shallow=False), name


def test_aws_cli(endpoint, tree, tmp_path):
    config = tmp_path / "aws.ini"
    config.write_text("[default]\ns3 =\n  signature_version = s3v4\n")  # otherwise `aws s3 presign` uses version 2
    env = {
        "AWS_ACCESS_KEY_ID": endpoint.key.access, "AWS_SECRET_ACCESS_KEY": endpoint.key.secret, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint.url, "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }  # fmt: skip
    aws = lambda *words, **more: run(["aws", *words], env=env, **more).stdout
    bucket = unique("aws")
    aws("s3", "mb", f"s3://{bucket}")
    assert bucket in aws("s3", "ls")
    aws("s3", "sync", str(tree), f"s3://{bucket}/tree", "--only-show-errors")
    listing = aws("s3", "ls", "--recursive", f"s3://{bucket}/")
    assert "tree/sub/name with spaces +&.txt" in listing and "tree/big.bin" in listing
    assert aws("s3", "sync", str(tree), f"s3://{bucket}/tree") == "", "nothing to do the second time"
    aws("s3", "sync", f"s3://{bucket}/tree", str(tmp_path / "back"), "--only-show-errors")
    same_trees(tree, tmp_path / "back")
    aws("s3", "cp", f"s3://{bucket}/tree/big.bin", f"s3://{bucket}/copied.bin", "--only-show-errors")
    aws("s3", "mv", f"s3://{bucket}/tree/a.txt", f"s3://{bucket}/moved.txt", "--only-show-errors")
    assert aws("s3", "cp", f"s3://{bucket}/moved.txt", "-") == "a\n"
    url = aws("s3", "presign", f"s3://{bucket}/moved.txt").strip()
    assert requests.get(url, timeout=10).text == "a\n"
    aws("s3", "rm", "--recursive", f"s3://{bucket}", "--only-show-errors")
    assert keys_of(endpoint.s3.list_objects_v2(Bucket=bucket)) == []
    aws("s3", "rb", f"s3://{bucket}")
    assert bucket not in aws("s3", "ls")


def test_s3cmd(endpoint, tree, tmp_path):
    host = urlsplit(endpoint.url).netloc
    config = tmp_path / "s3cfg"
    config.write_text(
        f"[default]\naccess_key = {endpoint.key.access}\nsecret_key = {endpoint.key.secret}\nhost_base = {host}\n"
        f"host_bucket = {host}\nuse_https = False\nsignature_v2 = False\nbucket_location = us-east-1\n"
        "multipart_chunk_size_mb = 5\n"
    )
    s3cmd = lambda *words, **more: run(["s3cmd", "-c", config, "--no-progress", *words], **more).stdout
    bucket = unique("s3cmd")
    s3cmd("mb", f"s3://{bucket}")
    assert f"s3://{bucket}" in s3cmd("ls")
    old = tmp_path / "s3cfg-v2"
    old.write_text(config.read_text().replace("signature_v2 = False", "signature_v2 = True"))
    assert f"s3://{bucket}" in run(["s3cmd", "-c", old, "ls"]).stdout, "it goes over to V4 after the first refusal"
    s3cmd("put", tree / "a.txt", f"s3://{bucket}/a.txt")
    s3cmd("put", tree / "big.bin", f"s3://{bucket}/big.bin")
    assert "big.bin" in s3cmd("ls", f"s3://{bucket}/")
    assert "MD5 sum" in s3cmd("info", f"s3://{bucket}/a.txt")
    s3cmd("get", f"s3://{bucket}/big.bin", tmp_path / "big.bin")
    assert filecmp.cmp(tree / "big.bin", tmp_path / "big.bin", shallow=False)
    s3cmd("cp", f"s3://{bucket}/a.txt", f"s3://{bucket}/b.txt")
    s3cmd("sync", f"{tree}/", f"s3://{bucket}/tree/")
    (tmp_path / "back").mkdir()
    s3cmd("sync", f"s3://{bucket}/tree/", f"{tmp_path}/back/")
    same_trees(tree, tmp_path / "back")
    s3cmd("rm", f"s3://{bucket}/a.txt")
    assert "a.txt" not in s3cmd("ls", f"s3://{bucket}/")
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}/")
    s3cmd("rb", f"s3://{bucket}")


def test_rclone(endpoint, tree, tmp_path):
    env = {
        "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_K_TYPE": "s3", "RCLONE_CONFIG_K_PROVIDER": "Other",
        "RCLONE_CONFIG_K_REGION": "us-east-1",
        "RCLONE_CONFIG_K_ACCESS_KEY_ID": endpoint.key.access, "RCLONE_CONFIG_K_SECRET_ACCESS_KEY": endpoint.key.secret,
        "RCLONE_CONFIG_K_ENDPOINT": endpoint.url, "RCLONE_S3_UPLOAD_CUTOFF": "5M", "RCLONE_S3_CHUNK_SIZE": "5M",
    }  # fmt: skip
    rclone = lambda *words: run(["rclone", "--retries=1", "--low-level-retries=1", *words], env=env, timeout=100).stdout
    bucket = unique("rclone")
    rclone("mkdir", f"k:{bucket}")
    assert bucket in rclone("lsd", "k:")
    rclone("sync", str(tree), f"k:{bucket}/tree")
    rclone("check", str(tree), f"k:{bucket}/tree")
    assert "sub/deep/ünï.bin" in rclone("ls", f"k:{bucket}/tree")
    rclone("copy", f"k:{bucket}/tree", str(tmp_path / "back"))
    same_trees(tree, tmp_path / "back")
    assert rclone("cat", f"k:{bucket}/tree/a.txt") == "a\n"
    rclone("moveto", f"k:{bucket}/tree/a.txt", f"k:{bucket}/moved.txt")
    assert rclone("cat", f"k:{bucket}/moved.txt") == "a\n"
    rclone("purge", f"k:{bucket}")
    assert bucket not in rclone("lsd", "k:")
