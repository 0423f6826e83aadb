"""Every metric that the alerts and dashboards name exists; and the names are those of Prometheus."""

import json
import re

import requests
import yaml

import kelpgate
from clients import Key
from processes import run
from signing import request

DEPLOY = kelpgate.ROOT / "deploy"
NAME = re.compile(r"\b(?:kelpgate|process)_[a-z_]+")


def named():
    """Each metric with the expression that names it."""
    rules = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboards = sorted((DEPLOY / "grafana").glob("*.json"))
    assert len(dashboards) == 4
    for path in dashboards:
        found += [target["expr"] for panel in json.loads(path.read_text())["panels"] for target in panel["targets"]]
    return {name: expression for expression in found for name in NAME.findall(expression)}


def test_rules_and_queries_are_those_of_prometheus(tmp_path):
    rules = DEPLOY / "prometheus/rules.yml"
    queries = {}
    for path in sorted((DEPLOY / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for number, target in enumerate(panel["targets"]):
                # Grafana fills in its variables before it asks.
                queries[f"{path.stem}: {panel['title']} {number}"] = re.sub(r"\$\{?__\w+\}?", "5m", target["expr"])
    recorded = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries.values())]
    dashboards = tmp_path / "dashboards.yml"
    dashboards.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": recorded}]}))
    done = run(["promtool", "check", "rules", rules, dashboards], check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{list(queries.items())}"
    assert len(queries) > 20


def test_every_metric_exists(logs, gateway_a):
    directory = logs / "monitoring"
    directory.mkdir()
    key, certificate, config = directory / "key.pem", directory / "cert.pem", directory / "iam.json"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1", "-keyout", key, "-out", certificate])
    config.write_text(json.dumps({"kelpgate": {"audit": {"sinks": [{"type": "file", "path": str(directory / "audit.log")}]}}}))
    flags = [f"-iam.config={config}", f"-port.https={kelpgate.free_port()}", f"-key.file={key}", f"-cert.file={certificate}"]
    server = kelpgate.SingleMachine(directory, flags, name="monitoring")
    assert request(server.root, "PUT", server.url + "/metered").status == 200
    assert request(Key(server.root.access, "x" * 40), "GET", server.url + "/metered").status == 403
    text = requests.get(server.url + "/metrics").text
    assert re.search(r'kelpgate_build_info\{version="[0-9.]+"\} 1', text), text
    assert 'kelpgate_authentication_failures_total{reason="SignatureDoesNotMatch"} 1' in text, text
    text += requests.get(gateway_a.url + "/metrics").text
    known = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    known |= {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}
    missing = {name: expression for name, expression in named().items() if name not in known}
    assert not missing, missing
    server.stop()
