"""IAM changes on two gateways at the same time, on a real filer. bench/iam_changes.py does the large runs."""

import json

import pytest

import changes
import kelpgate
import world
from processes import Server
from weed import Cluster
from world import ROOT


@pytest.fixture(scope="module")
def own_gateways(logs):
    """Two gateways on a filer of their own: documents of other tests do not affect the counts, and no change waits for others."""
    cluster = Cluster(logs / "changes-cluster")
    identities, iam = logs / "changes-identities.json", logs / "changes-iam.json"
    identities.write_text(json.dumps(world.IDENTITIES))
    iam.write_text(json.dumps(world.iam_config(cluster.filer.address)))
    flags = [f"-config={identities}", f"-iam.config={iam}", "-iam.readOnly=false"]
    both = [kelpgate.gateway(f"changes-{name}", logs / f"changes-{name}", cluster.filer, flags) for name in "ab"]
    yield both
    for server in both:
        server.stop()
    for server in [server for server in Server.running if logs / "changes-cluster" in server.directory.parents]:
        server.kill()


@pytest.mark.timeout(240)
def test_of_500_pairs_of_writes_at_the_same_moment_none_is_lost(own_gateways):
    a, b = own_gateways
    report = changes.run_pairs(a.url, b.url, ROOT, changes.pairs(500))
    assert (report.lost, report.resurrected) == ([], [])
    assert report.pairs == 500 and report.acknowledged > 750
    assert set(report.refused) <= changes.ALLOWED_ERRORS, report.refused
