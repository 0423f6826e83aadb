"""The commands of README.md's first session and policy tools, copied out and run in order, print what it says that they print."""

import re

import kelpgate
from processes import run

# What differs from run to run.
VARYING = [
    (r"[0-9A-F]{16}", "ID"), (r"AKIA[A-Z0-9]{16}", "KEY"), (r"[\d-]{10}T[\d:.]+Z", "TIME"), (r"(revision|micros)=\d+", r"\1"),
]  # fmt: skip


def shape(text):
    """A text without white space, which README adds to break lines, and without what varies."""
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return re.sub(r"\s", "", text)


def blocks(text):
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)


def section(title):
    return re.split(r"^## ", (kelpgate.ROOT / "README.md").read_text(), flags=re.M)[1:][_titles().index(title)]


def _titles():
    return re.findall(r"^## (.*)$", (kelpgate.ROOT / "README.md").read_text(), re.M)


def run_all(commands, here, **env):
    (here / "kelpgate").symlink_to(kelpgate.binary())
    # As in a newcomer's terminal: without -e, since one command is meant to fail.
    return run(["bash", "-c", f'export PATH="{here}:$PATH"\n{commands}'], cwd=here, env={"AWS_PAGER": "", "HOME": str(here), **env}, timeout=110)


def test_a_first_session(logs, tmp_path):
    """From the first bucket to a denied request explained, with the key that the server wrote."""
    with kelpgate.SingleMachine(logs / "readme") as server:
        (tmp_path / "data").symlink_to(server.data)
        found = blocks(section("A first session"))
        commands = "".join(text for language, text in found if language == "sh").replace("http://127.0.0.1:8333", server.url)
        done = run_all(commands, tmp_path)
        log = server.log()
    printed = shape(done.stdout + done.stderr)
    shown = [text for language, text in found if language != "sh"]
    assert len(shown) == 3
    for line in shown[0].split("An error", 1):
        assert shape(line) in printed, f"{line}\n{done.stdout}\n{done.stderr}"
    assert shape(shown[1]) in printed, done.stdout
    assert shape(shown[2]) in shape(log), log


def test_the_policy_tools(tmp_path):
    """What it shows of `kelpgate policy`, which needs no server."""
    found = blocks(section("Look inside"))
    first = next(number for number, (_, text) in enumerate(found) if "policy validate" in text)
    done = run_all("".join(text for language, text in found[first:] if language == "sh"), tmp_path)
    shown = [text for language, text in found[first:] if language != "sh"]
    assert len(shown) == 3
    for text in shown:
        assert shape(text) in shape(done.stdout + done.stderr), f"{text}\n{done.stdout}\n{done.stderr}"
