"""The Helm chart: linted and rendered by Helm's own engine, checked against Kubernetes' schemas, and its flags are Kelpgate's."""

import json

import helm_python as helm
import kubernetes_validate as schemas
import pytest
import yaml

import kelpgate

CHART = str(kelpgate.ROOT / "deploy/helm/kelpgate")
CONFIG = {"existingSecret": "kelpgate-config", "iam": True, "identities": True}
CASES = {
    "default": {},
    "server": {"mode": "server", "tls": {"existingSecret": "tls"}, "persistence": {"size": "1Ti", "storageClass": "fast"}},
    "all": {
        "config": CONFIG,
        "replicas": 3,
        "networkPolicy": {"enabled": True, "s3From": [{"podSelector": {}}], "metricsFrom": [{"namespaceSelector": {}}]},
        "metrics": {"port": 9327, "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}}},
        "extraFlags": ["-domainName=s3.example.com"],
        "extraEnv": [{"name": "KELPGATE_LOG", "value": "info"}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
    },
}


def rendered(values):
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="reef", namespace="prod")
    documents = [document for name, text in files.items() if name.endswith(".yaml") for document in yaml.safe_load_all(text)]
    return [document for document in documents if document]


def test_the_chart_is_clean():
    assert helm.lint(CHART)["errors"] == []


@pytest.mark.parametrize("name", CASES)
def test_what_it_makes_is_valid_and_starts(name, tmp_path):
    documents = rendered(CASES[name])
    kinds = {document["kind"] for document in documents}
    assert {"Service", "StatefulSet" if name == "server" else "Deployment"} <= kinds
    assert name != "all" or {"PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor"} <= kinds
    for document in documents:
        if document["kind"] != "ServiceMonitor":
            schemas.validate(document, "1.34", strict=True)
    workload = next(document for document in documents if document["kind"] in ("Deployment", "StatefulSet"))
    pod = workload["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    assert mounted == {volume["name"] for volume in pod["volumes"]} | claims
    # Every flag is one of Kelpgate's.
    (tmp_path / "iam.json").write_text("{}")
    (tmp_path / "identities.json").write_text(json.dumps({"identities": []}))
    arguments = [argument.replace("/etc/kelpgate/", f"{tmp_path}/") for argument in container["args"]]
    shown = kelpgate.cli("config", "show", *arguments).stdout
    assert "-metricsPort" in shown and "9327" in shown


@pytest.mark.parametrize(
    "values, word",
    [
        ({"mode": "both"}, "/mode"),
        ({"replicas": 0}, "/replicas"),
        ({"filer": "filer"}, "/filer"),
        ({"extraFlags": ["domainName"]}, "/extraFlags/0"),
        ({"replica": 2}, "replica"),
        ({"config": {"iam": True}}, "config.existingSecret"),
    ],
)
def test_wrong_values_are_refused(values, word):
    with pytest.raises(helm.HelmError) as refused:
        rendered(values)
    assert word in str(refused.value)
