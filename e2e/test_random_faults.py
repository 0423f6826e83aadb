"""`kelpgate server` under random faults, several in a row: nothing that was acknowledged is lost, and nothing else is served."""

import http.client
import os
import random
import shutil
import signal
import threading
import time

import requests

import kelpgate
from processes import wait_for
from signing import request
from test_corruption import data_files, flip
from test_full_disk import disk, fill  # noqa: F401  a fixture

SEEDS = range(20)
WRITERS = 3
KEYS_EACH = 5
SIZES = [10, 3000, 40_000, 400_000]
FAULTS = ["kill", "freeze", "full", "flip"]
# How many writes are acknowledged before each fault, at least.
WRITES_BEFORE = 10
# How long a server whose directory is damaged may take to become ready.
READY_DAMAGED_S = 2


class Keys:
    """Some keys, written by one thread: for each the contents that it may have by what was answered; None is no object."""

    def __init__(self, name, server):
        self.server, self.key = server, server.root
        self.possible = {f"{name}/{number}": {None} for number in range(KEYS_EACH)}
        self.acknowledged = 0

    def ask(self, method, name, body=b""):
        """The answer, or None if there was none."""
        try:
            return request(self.key, method, f"{self.server.url}/box/{name}", body, timeout=10)
        except (OSError, http.client.HTTPException):
            return None

    def write(self, chance):
        name = chance.choice(sorted(self.possible))
        content = None if chance.random() < 0.2 else name.encode() + chance.randbytes(chance.choice(SIZES))
        answer = self.ask("DELETE", name) if content is None else self.ask("PUT", name, content)
        if answer is not None and answer.status in (200, 204):
            self.possible[name] = {content}
            self.acknowledged += 1
        else:
            assert answer is None or answer.status in (500, 503, 507), answer
            self.possible[name].add(content)

    def check(self, what, may_refuse=0):
        """Reads every key. So many reads may be refused, if what they need is damaged; the others are right."""
        refused = []
        for name, possible in self.possible.items():
            answer = self.ask("GET", name)
            if answer is None or answer.status in (500, 503):
                refused.append((name, answer))
                continue
            assert answer.status in (200, 404), (what, name, answer)
            found = answer.body if answer.status == 200 else None
            assert found in possible, f"{what}: {name} is {found and found[:20]!r} of {found and len(found)} bytes"
                # Without damage it stays what it is now.
            self.possible[name] = possible if may_refuse else {found}
        assert len(refused) <= may_refuse, (what, refused)


class World:
    def __init__(self, place):
        self.disk = place
        self.server = kelpgate.SingleMachine(place.parent)
        assert request(self.server.root, "PUT", f"{self.server.url}/box", b"").status == 200
        self.all = [Keys(str(number), self.server) for number in range(WRITERS)]

    def acknowledged(self):
        return sum(keys.acknowledged for keys in self.all)

    def start(self, ready_s=30):
        self.server.start()
        wait_for(lambda: requests.get(self.server.url + "/readyz", timeout=2).ok, ready_s, "the start", self.server)

    def kill(self, chance):
        self.server.kill()
        self.start()

    def freeze(self, chance):
        os.kill(self.server.pid, signal.SIGSTOP)
        time.sleep(chance.uniform(0.1, 0.5))
        os.kill(self.server.pid, signal.SIGCONT)

    def full(self, chance):
        fill(self.disk, leave=chance.choice([0, 4096, 300_000]))
        time.sleep(chance.uniform(0.05, 0.2))
        if chance.random() < 0.5:
            self.server.kill()
        (self.disk / "filler").unlink()
        if not self.server.alive():
            self.start()

    def flip(self, chance):
        """Bits change on the disk of a server that was killed. Afterwards the directory is as it was before."""
        whole = self.disk.parent / "whole"
        shutil.copytree(self.disk, whole, ignore=shutil.ignore_patterns("run"))
        for file in [self.disk / "meta.redb", chance.choice(data_files(self.disk))]:
            flip(file, chance)
        try:
            self.start(READY_DAMAGED_S)
        except AssertionError:
            """It does not start, or it refuses everybody."""
        if self.server.alive():
            for keys in self.all:
                keys.check("damaged", may_refuse=KEYS_EACH)
        self.server.kill()
        for path in self.disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(whole, self.disk, dirs_exist_ok=True)
        shutil.rmtree(whole)
        self.start()

    def round(self, seed):
        fault, chance = FAULTS[seed % len(FAULTS)], random.Random(seed)
        enough = self.acknowledged() + WRITES_BEFORE
        with Writers(self.all, chance) as writers:
            time.sleep(chance.uniform(0.05, 0.4))
            wait_for(lambda: self.acknowledged() >= enough, 30, "writes before the fault", self.server)
            if fault == "flip":
                self.server.kill()
                writers.stop()
            getattr(self, fault)(chance)
        for keys in self.all:
            keys.check(f"seed {seed}, {fault}")


class Writers:
    """One thread for each of some keys. At the end it fails if one of the threads has failed."""

    def __init__(self, all_keys, chance):
        self.ended, self.failures = threading.Event(), []
        chances = [random.Random(chance.random()) for _ in all_keys]
        self.threads = [threading.Thread(target=self.write, args=pair) for pair in zip(all_keys, chances, strict=True)]

    def write(self, keys, chance):
        try:
            while not self.ended.is_set():
                keys.write(chance)
        except AssertionError as failure:
            self.failures.append(failure)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        assert not self.failures, self.failures


def test_nothing_acknowledged_is_lost_and_nothing_wrong_is_served(disk, measured):  # noqa: F811
    world = World(disk)
    for seed in SEEDS:
        world.round(seed)
    world.server.stop()
    scrub = kelpgate.cli("scrub", f"-dir={disk}")
    assert "0 findings" in scrub.stdout
    measured(f"{len(SEEDS)} random faults: {world.acknowledged()} acknowledged writes, none lost")
