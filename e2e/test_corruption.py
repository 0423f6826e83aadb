"""`kelpgate server` whose stored bytes change: each answer is right or an error, never wrong bytes with a 200."""

import random
import re
import shutil
import time

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

import kelpgate
from clients import s3
from processes import Server

SEED = 20261129
ROUNDS = 18
SIZES = [0, 1, 5000, 9000, 200_000, 3_000_000]


def body(number, size):
    return random.Random(number).randbytes(size)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A directory of a server that was stopped in order, and what it holds."""
    directory = tmp_path_factory.mktemp("corruption")
    server = kelpgate.SingleMachine(directory)
    client = s3(server.url, server.root)
    client.create_bucket(Bucket="box")
    expected = {f"sizes//{size}": body(size, size) for size in SIZES}
    expected |= {f"many/{number:03}": body(number, 600) for number in range(60)}
    for key, content in expected.items():
        client.put_object(Bucket="box", Key=key, Body=content)
    server.stop()
    return directory, expected


def flip(file, chance):
    content = bytearray(file.read_bytes())
    at, bit = chance.randrange(len(content)), chance.randrange(8)
    content[at] ^= 1 << bit
    file.write_bytes(content)
    return f"bit {bit} of byte {at} of {file}"


def data_files(data):
    return sorted(path for path in (data / "data").rglob("*") if path.is_file())


def read_everything(client, expected):
    """How many reads were right, and how many were refused. Fails at a wrong one."""
    right = refused = 0
    for key, content in expected.items():
        try:
            assert client.get_object(Bucket="box", Key=key)["Body"].read() == content, f"{key} has other bytes"
            right += 1
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503), (key, error)
            refused += 1
        except (BotoCoreError, requests.RequestException):
            refused += 1
    try:
        listed = [row["Key"] for row in client.list_objects_v2(Bucket="box").get("Contents", [])]
        assert listed == sorted(expected), "the listing is another one"
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503), error
    return right, refused


def test_no_flipped_bit_is_served(filled, tmp_path):
    directory, expected = filled
    chance = random.Random(SEED)
    not_started = right = refused = 0
    for number in range(ROUNDS):
        place = tmp_path / str(number)
        shutil.copytree(directory / "data", place / "data")
        files = data_files(place / "data")
        # Several flips at once, in the database and in a data file: four for each start.
        flipped = [flip(place / "data/meta.redb", chance) for _ in range(3)] + [flip(chance.choice(files), chance)]
        try:
            server = kelpgate.SingleMachine(place, flags=["-scrubMBPerSecond=0"], ready_s=2)
        except AssertionError:
            # It does not start, or it cannot load the access rules and refuses everybody.
            not_started += 1
            for running in [server for server in Server.running if server.directory == place]:
                if running.alive():
                    assert requests.get(running.url + "/box/many/001", timeout=5).status_code in (403, 503), flipped
                running.stop()
            continue
        try:
            client = s3(server.url, server.root)
            more = read_everything(client, expected)
        finally:
            server.stop()
        right, refused = right + more[0], refused + more[1]
        assert "panicked" not in server.log(), flipped
        shutil.rmtree(place / "data")
    print(f"{right} right, {refused} refused, {not_started} not started")
    assert right > 100 and refused > 0


def test_a_corrupt_block_is_an_error_and_is_reported(filled, tmp_path):
    directory, expected = filled
    shutil.copytree(directory / "data", tmp_path / "data")
    largest = max(data_files(tmp_path / "data"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[2_000_000] ^= 1
    largest.write_bytes(content)
    whole, key = expected["sizes//3000000"], "sizes//3000000"

    scrub = kelpgate.cli("scrub", f"-dir={tmp_path / 'data'}", check=False)
    assert scrub.returncode == 1
    assert f"`{largest}`: block 30, at offset 1966080, does not match its checksum" in scrub.stdout, scrub.stdout
    assert f"key `{key}` in bucket `box`" in scrub.stdout and "1 findings" in scrub.stdout, scrub.stdout

    server = kelpgate.SingleMachine(tmp_path, flags=["-scrubMBPerSecond=100"])
    client = s3(server.url, server.root)
    read = lambda span: client.get_object(Bucket="box", Key=key, Range=f"bytes={span}")["Body"].read()  # noqa: E731
    assert read("0-1999") == whole[:2000]
    assert read("2100000-2100009") == whole[2_100_000:2_100_010]
    for span in ("1999999-2000001", "1970000-1970000", "1900000-2100000"):
        with pytest.raises(ClientError) as error:
            read(span)
        assert error.value.response["Error"]["Code"] == "InternalError", span
    # The whole object begins with good bytes and breaks off before the corrupt block.
    with pytest.raises((BotoCoreError, requests.RequestException)):
        client.get_object(Bucket="box", Key=key)["Body"].read()

    log = server.log()
    assert re.search(r"a data file is corrupt.*block 30, at offset 1966080", log), log
    metrics = requests.get(server.url + "/metrics", timeout=5).text
    assert re.search(r'kelpgate_storage_corrupt_reads_total\{part="data"\} [1-9]', metrics), metrics
    deadline = time.monotonic() + 10
    while requests.get(server.url + "/status", timeout=5).json()["storage"]["scrub"]["passes"] == 0:
        assert time.monotonic() < deadline, "the scrubbing in the background ends"
        time.sleep(0.2)
    status = requests.get(server.url + "/status", timeout=5).json()["storage"]
    assert status["scrub"]["findings"] == 1, status
    assert f"key `{key}` in bucket `box`" in server.log()
    doctor = kelpgate.cli("doctor", f"-endpoint={server.url}", check=False)
    assert doctor.returncode == 1 and "corrupt" in doctor.stdout, doctor.stdout
    server.stop()


def test_a_whole_directory_is_scrubbed(filled, tmp_path):
    directory, _ = filled
    shutil.copytree(directory / "data", tmp_path / "data")
    scrub = kelpgate.cli("scrub", f"-dir={tmp_path / 'data'}")
    assert "0 findings" in scrub.stdout, scrub.stdout
    assert kelpgate.cli("doctor", f"-dir={tmp_path / 'data'}").returncode == 0


def test_a_killed_server_leaves_nothing_to_find(tmp_path):
    """Pages that a kill left behind unfinished are no corruption."""
    for number in range(3):
        server = kelpgate.SingleMachine(tmp_path)
        client = s3(server.url, server.root)
        if number == 0:
            client.create_bucket(Bucket="box")
        for key in range(40):
            client.put_object(Bucket="box", Key=f"{number}/{key}", Body=body(key, 3000))
        server.kill()
        scrub = kelpgate.cli("scrub", f"-dir={tmp_path / 'data'}", check=False)
        assert scrub.returncode == 0 and "0 findings" in scrub.stdout, scrub.stdout
