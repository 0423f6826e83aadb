"""Servers as child processes: free ports, start, wait until they answer, stop by process id, keep their logs."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

# `weed` derives its gRPC port by adding 10000. Above 22767 the result is among the ports that the kernel assigns to clients.
_PORTS = random.Random(os.getpid())
_HANDED_OUT = set()


def free_port():
    """A free TCP port of the loopback. The port 10000 above it is free too, and no caller has got either before."""
    while True:
        port = _PORTS.randrange(12000, 22700)
        if port in _HANDED_OUT or not (_is_free(port) and _is_free(port + 10000)):
            continue
        _HANDED_OUT.add(port)
        return port


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


class Server:
    """A child process whose output goes to `<name>.log`. Started on creation."""

    running = []
    all_logs = set()

    def __init__(self, name, command, directory, env=None, ready_port=None, wait_s=30):
        self.name = name
        self.command = [str(part) for part in command]
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / f"{name}.log"
        Server.all_logs.add(self.log_path)
        self.env = {**_clean_environment(), **(env or {})}
        self.ready_port = ready_port
        self.wait_s = wait_s
        self.process = None
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        Server.running.append(self)
        if self.ready_port is not None:
            wait_for(lambda: self._accepts(), self.wait_s, f"{self.name} on port {self.ready_port}", self)

    def _accepts(self):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.ready_port)) == 0

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL: the process gets no chance to clean up."""
        self._end(signal.SIGKILL)

    def stop(self):
        """SIGTERM, then SIGKILL after ten seconds. Returns the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, with_signal):
        if self in Server.running:
            Server.running.remove(self)
        if not self.alive():
            return self.process.returncode
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(with_signal)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _clean_environment():
    """The caller's environment without variables that would configure a server or a client without the tests' knowledge."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WEED_", "S3_", "KELPGATE_"))}


def wait_for(condition, seconds, what, server=None):
    """Polls until `condition()` is true. Fails with the server's log if the server ends or the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = condition()
        except (OSError, ValueError, KeyError):
            found = None
        if found:
            return found
        if server is not None and not server.alive():
            raise AssertionError(f"{what}: ended with {server.process.returncode}\n{tail(server.log_path)}")
        if time.monotonic() > deadline:
            log = tail(server.log_path) if server is not None else ""
            raise AssertionError(f"{what}: not within {seconds} s\n{log}")
        time.sleep(0.02)


@contextlib.contextmanager
def small_disk(place, megabytes):
    """Mounts an empty disk of this size at `place`, which it makes. Needs root."""
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)])
    try:
        yield place
    finally:
        run(["umount", "-l", str(place)])


def tail(path, lines=40):
    return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])


def run(command, timeout=60, check=True, env=None, input=None, cwd=None):
    """Runs a program until it exits. With `check`, a failure includes its output."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**_clean_environment(), **(env or {})},
        input=input,
        cwd=cwd,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(done.args)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done
