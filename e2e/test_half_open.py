"""A network that is cut and whole again: connections from before stay open and carry nothing, and the gateway is back soon."""

import socket
import threading
import time

import kelpgate
import world
from clients import make_bucket, s3
from processes import free_port, wait_for
from signing import request
from test_fence import LEASE_S
from weed import Filer

# The filer's address as the cluster knows it: what is sent there passes through the network of this test.
HOST = "127.0.0.2"


class Network:
    """Passes on what arrives at a port of HOST to the same port of 127.0.0.1, until it is cut."""

    def __init__(self, port):
        self.port = port
        self.is_cut = False
        # Connections from before a cut never carry anything again.
        self.cuts = 0
        self.listener = socket.create_server((HOST, port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            born = -1 if self.is_cut else self.cuts
            try:
                filer = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                # The filer does not listen yet: its master and its own gRPC client try again.
                client.close()
                continue
            for source, target in [(client, filer), (filer, client)]:
                threading.Thread(target=self.pass_on, args=(source, target, born), daemon=True).start()

    def pass_on(self, source, target, born):
        try:
            while data := source.recv(65536):
                if born == self.cuts and not self.is_cut:
                    target.sendall(data)
            if born == self.cuts and not self.is_cut:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        self.is_cut = True
        self.cuts += 1

    def heal(self):
        self.is_cut = False

    def close(self):
        self.listener.close()


def test_a_gateway_is_back_soon_after_a_cut(logs, cluster, config_flags, measured):
    port = free_port()
    network = Network(port + 10000)
    filer = Filer(logs, cluster.master, "half-open-filer", [f"-ip={HOST}", "-filerGroup=half-open"], port=port)
    gateway = kelpgate.gateway("half-open", logs / "half-open", f"{HOST}:{port}", [config_flags[0]])
    root = s3(gateway.url, world.ROOT)
    bucket = make_bucket(root, "half-open")
    root.put_object(Bucket=bucket, Key="k", Body=b"x")

    def answered():
        return request(world.ROOT, "GET", f"{gateway.url}/{bucket}/k", timeout=10).status == 200

    for _ in range(2):
        network.cut()
        begun = time.monotonic()
        wait_for(lambda: request(world.ROOT, "GET", f"{gateway.url}/{bucket}/k").status == 503, 20, "the lease ends")
        time.sleep(max(0, begun + LEASE_S + 1 - time.monotonic()))
        network.heal()
        begun = time.monotonic()
        wait_for(answered, 60, "the gateway is back", gateway)
        took = time.monotonic() - begun
        measured(f"half-open connections: the gateway is back {took:.1f} s after the network is whole")
        # The streams' own heartbeat would take ten seconds more.
        assert took < 10
    gateway.stop()
    filer.server.kill()
    network.close()
