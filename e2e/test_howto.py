"""The commands of docs/howto, copied out of the pages and run in order. What a page says that they print, they print.

They run on `kelpgate server`, which also stands for MinIO; pages about SeaweedFS run on a cluster with `weed s3`. Blocks of the kind `console`
need programs that are not here, or a cluster that nobody else has used.
"""

import re
import textwrap

import pytest

import kelpgate
import world
from processes import free_port, run

PAGES = sorted((kelpgate.ROOT / "docs/howto").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_is_true(request, embedded, tmp_path, page):
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", page.read_text(), re.M | re.S)
    blocks = [(language, textwrap.dedent(text)) for _, language, text in blocks]
    commands = "".join(text for language, text in blocks if language == "sh")
    printed = [line for language, text in blocks if not language for line in text.splitlines()]
    assert commands and printed, f"{page.name} shows what its commands print"
    (tmp_path / "kelpgate").symlink_to(kelpgate.binary())
    (tmp_path / "deploy").symlink_to(kelpgate.ROOT / "deploy")
    key, places = embedded.root, {"8443": str(free_port()), "http://minio:9000": embedded.url}
    if "localhost:8888" in commands:
        filer, weed = request.getfixturevalue("cluster").filer, request.getfixturevalue("weed_gateway")
        key, places = world.ROOT, {**places, "localhost:8888": filer.address, "http://localhost:8333": weed.url}
        for flag in request.getfixturevalue("config_flags"):
            file = flag.split("=")[1]
            (tmp_path / file.rsplit("/")[-1]).symlink_to(file)
    for place, here in places.items():
        commands = commands.replace(place, here)
    env = {
        "AWS_ENDPOINT_URL": embedded.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": key.access,
        "AWS_SECRET_ACCESS_KEY": key.secret,
    }
    # What a page starts in the background ends with it.
    script = f'export PATH="{tmp_path}:$PATH"\ntrap \'kill $(jobs -p) 2>/dev/null || true\' EXIT\n{commands}'
    done = run(["bash", "-euo", "pipefail", "-c", script], timeout=110, env=env, cwd=tmp_path)
    for line in printed:
        assert line in done.stdout, f"{line!r} in:\n{done.stdout}\n{done.stderr}"
