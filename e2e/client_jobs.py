"""What each client does in test_client_matrix.py: write, list, read back, compare, delete. `python client_jobs.py CLIENT` runs one.

The interpreter is that of .venv-clients, whose packages do not fit beside those of the tests. The place is `S3_BUCKET` and `S3_PREFIX` at
`AWS_ENDPOINT_URL`; keys come from the usual variables.
"""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

URL = os.environ["AWS_ENDPOINT_URL"]
HOST = urlsplit(URL).netloc
BUCKET, PREFIX = os.environ["S3_BUCKET"], os.environ["S3_PREFIX"]
KEY, SECRET, TOKEN = (os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
REGION = "us-east-1"
# More than one part for every client, and names that a path or a URL would change.
LARGE = bytes(range(256)) * (12 << 12)
ODD = "odd/name with spaces +&=ü.txt"


def minio():
    from minio import Minio

    client = Minio(HOST, KEY, SECRET, session_token=TOKEN, secure=False, region=REGION)
    client.put_object(BUCKET, f"{PREFIX}large", io.BytesIO(LARGE), len(LARGE), part_size=5 << 20)
    client.put_object(BUCKET, PREFIX + ODD, io.BytesIO(b"odd"), 3)
    names = {item.object_name for item in client.list_objects(BUCKET, prefix=PREFIX, recursive=True)}
    assert names == {f"{PREFIX}large", PREFIX + ODD}, names
    assert client.get_object(BUCKET, f"{PREFIX}large").read() == LARGE
    assert urlopen(client.presigned_get_object(BUCKET, PREFIX + ODD)).read() == b"odd"
    for name in names:
        client.remove_object(BUCKET, name)


def obstore():
    from obstore.store import S3Store

    store = S3Store(
        BUCKET, prefix=PREFIX, endpoint=URL, access_key_id=KEY, secret_access_key=SECRET, session_token=TOKEN, region=REGION,
        client_options={"allow_http": True},
    )  # fmt: skip
    store.put("large", LARGE)
    store.put("odd/name with spaces.txt", b"odd")
    names = {item["path"] for page in store.list() for item in page}
    assert names == {"large", "odd/name with spaces.txt"}, names
    assert bytes(store.get("large").bytes()) == LARGE
    store.delete(list(names))


def _s3fs():
    from s3fs import S3FileSystem

    return S3FileSystem(key=KEY, secret=SECRET, token=TOKEN, endpoint_url=URL, client_kwargs={"region_name": REGION}, skip_instance_cache=True)


def s3fs():
    files, base = _s3fs(), f"{BUCKET}/{PREFIX}"
    with files.open(base + "large", "wb", block_size=5 << 20) as out:
        out.write(LARGE)
    files.pipe(base + ODD, b"odd")
    assert sorted(files.find(base)) == [base + "large", base + ODD]
    assert files.cat(base + "large") == LARGE and not files.exists(base + "missing")
    files.rm(base.rstrip("/"), recursive=True)


def pyarrow():
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
    "aws_endpoint_url": URL, "aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_session_token": TOKEN, "aws_region": REGION,
    "aws_allow_http": "true",
}  # fmt: skip


def polars():
    import polars as pl

    frame = pl.DataFrame({"n": range(1000)})
    frame.write_parquet(f"s3://{BUCKET}/{PREFIX}table.parquet", storage_options=STORAGE)
    read = pl.scan_parquet(f"s3://{BUCKET}/{PREFIX}*.parquet", storage_options=STORAGE).collect()
    assert read.equals(frame)


def deltalake():
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    place, storage = f"s3://{BUCKET}/{PREFIX}delta", {**STORAGE, "aws_conditional_put": "etag"}
    for mode in ("overwrite", "append"):
        write_deltalake(place, pa.table({"n": list(range(100))}), mode=mode, storage_options=storage)
    table = DeltaTable(place, storage_options=storage)
    assert table.version() == 1 and table.to_pyarrow_table().num_rows == 200


def zarr():
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
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

    place = {"s3.endpoint": URL, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.session-token": TOKEN, "s3.region": REGION}
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
    import duckdb as duckdb_
    import duckdb_extension_httpfs

    extension = next(Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))
    db = duckdb_.connect()
    db.execute(f"LOAD '{extension}'")
    db.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', SESSION_TOKEN '{TOKEN}', REGION '{REGION}',
        ENDPOINT '{HOST}', USE_SSL false, URL_STYLE 'path')"""
    )
    db.execute(f"COPY (SELECT range AS n, range % 3 AS part FROM range(1000)) TO 's3://{BUCKET}/{PREFIX}table' (FORMAT parquet, PARTITION_BY part)")
    counted = db.execute(f"SELECT count(*), sum(n) FROM read_parquet('s3://{BUCKET}/{PREFIX}table/*/*.parquet')").fetchone()
    assert counted == (1000, 499500), counted


def _run(*words, **env):
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **env})
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
    _tree(here)
    program = [Path(sys.executable).with_name("s5cmd"), "--endpoint-url", URL]
    _run(*program, "cp", "-p", "5", f"{here}/tree/", f"s3://{BUCKET}/{PREFIX}")
    assert "large" in _run(*program, "ls", f"s3://{BUCKET}/{PREFIX}")
    _run(*program, "cp", f"s3://{BUCKET}/{PREFIX}*", f"{here}/back/")
    _same(here / "back")
    _run(*program, "rm", f"s3://{BUCKET}/{PREFIX}*")


def aws(here):
    _tree(here)
    place = f"s3://{BUCKET}/{PREFIX}"
    _run("aws", "s3", "sync", "--only-show-errors", f"{here}/tree", place)
    assert "name with spaces +&.txt" in _run("aws", "s3", "ls", "--recursive", place)
    _run("aws", "s3", "sync", "--only-show-errors", place, f"{here}/back")
    _same(here / "back")
    _run("aws", "s3", "rm", "--only-show-errors", "--recursive", place)


def s3cmd(here):
    _tree(here)
    (here / "config").write_text(
        f"[default]\naccess_key = {KEY}\nsecret_key = {SECRET}\naccess_token = {TOKEN}\nhost_base = {HOST}\nhost_bucket = {HOST}\n"
        f"use_https = False\nbucket_location = {REGION}\n"
    )
    program, place = ["s3cmd", f"--config={here}/config"], f"s3://{BUCKET}/{PREFIX}"
    _run(*program, "put", "--recursive", f"{here}/tree/", place)
    assert "name with spaces +&.txt" in _run(*program, "ls", "--recursive", place)
    (here / "back").mkdir()
    _run(*program, "get", "--recursive", place, f"{here}/back/")
    _same(here / "back")
    _run(*program, "del", "--recursive", "--force", place)


def rclone(here):
    _tree(here)
    config = {
        "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_HERE_TYPE": "s3", "RCLONE_CONFIG_HERE_PROVIDER": "Other",
        "RCLONE_CONFIG_HERE_ENV_AUTH": "true", "RCLONE_CONFIG_HERE_ENDPOINT": URL, "RCLONE_CONFIG_HERE_REGION": REGION,
        "RCLONE_CONFIG_HERE_NO_CHECK_BUCKET": "true",
    }  # fmt: skip
    place = f"here:{BUCKET}/{PREFIX}"
    _run("rclone", "copy", f"{here}/tree", place, **config)
    assert "name with spaces +&.txt" in _run("rclone", "lsf", "--recursive", place, **config)
    _run("rclone", "check", f"{here}/tree", place, **config)
    _run("rclone", "copy", place, f"{here}/back", **config)
    _same(here / "back")
    _run("rclone", "delete", place, **config)


def boto3():
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


JOBS = (boto3, aws, s3cmd, rclone, s5cmd, minio, obstore, s3fs, pyarrow, polars, duckdb, deltalake, zarr, pyiceberg, tensorstore, rasterio)


if __name__ == "__main__":
    job = {job.__name__: job for job in JOBS}[sys.argv[1]]
    if job in (s5cmd, aws, s3cmd, rclone):
        with tempfile.TemporaryDirectory() as directory:
            job(Path(directory))
    else:
        job()
    # Arrow's threads may still call into Python while it shuts down, which aborts the process after the job is done.
    sys.stdout.flush()
    os._exit(0)
