"""Configurations of buckets that are kept without effect, requests for which the requester pays, and websites."""

import json

import pytest
import requests

import kelpgate
import world
from clients import body_of, make_bucket, refused, s3

DOMAIN = "website.example.com"


def test_kept_without_effect(endpoint, own_bucket):
    """What Terraform and other tools put comes back whole."""
    client = endpoint.s3
    filter_by = {"And": {"Prefix": "a&b/", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "l", "Value": ""}]}}
    metrics = {"Id": "m.1", "Filter": filter_by}
    client.put_bucket_metrics_configuration(Bucket=own_bucket, Id="m.1", MetricsConfiguration=metrics)
    got = client.get_bucket_metrics_configuration(Bucket=own_bucket, Id="m.1")["MetricsConfiguration"]
    assert got == metrics
    listed = client.list_bucket_metrics_configurations(Bucket=own_bucket)
    assert (listed["MetricsConfigurationList"], listed["IsTruncated"]) == ([metrics], False)
    tiers = [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}, {"Days": 180, "AccessTier": "DEEP_ARCHIVE_ACCESS"}]
    tiering = {"Id": "t", "Status": "Enabled", "Tierings": tiers}
    client.put_bucket_intelligent_tiering_configuration(
        Bucket=own_bucket, Id="t", IntelligentTieringConfiguration=tiering
    )
    got = client.get_bucket_intelligent_tiering_configuration(Bucket=own_bucket, Id="t")
    assert got["IntelligentTieringConfiguration"] == tiering
    analytics = {"Id": "a", "StorageClassAnalysis": {}}
    client.put_bucket_analytics_configuration(Bucket=own_bucket, Id="a", AnalyticsConfiguration=analytics)
    got = client.get_bucket_analytics_configuration(Bucket=own_bucket, Id="a")["AnalyticsConfiguration"]
    assert got["Id"] == "a"
    client.put_bucket_accelerate_configuration(Bucket=own_bucket, AccelerateConfiguration={"Status": "Enabled"})
    assert client.get_bucket_accelerate_configuration(Bucket=own_bucket)["Status"] == "Enabled"
    client.delete_bucket_metrics_configuration(Bucket=own_bucket, Id="m.1")
    with refused("NoSuchConfiguration", 404):
        client.get_bucket_metrics_configuration(Bucket=own_bucket, Id="m.1")
    with refused("NotImplemented", 501):
        client.put_bucket_replication(
            Bucket=own_bucket,
            ReplicationConfiguration={
                "Role": "arn:aws:iam::000000000000:role/r",
                "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::b"}}],
            },
        )


def test_the_requester_pays(endpoint, own_bucket):
    client, anonymous = endpoint.s3, s3(endpoint.url)
    client.put_object(Bucket=own_bucket, Key="k", Body=b"x")
    everyone = world.statement("Allow", "s3:GetObject", f"arn:aws:s3:::{own_bucket}/*", Principal="*")
    client.put_bucket_policy(Bucket=own_bucket, Policy=json.dumps(world.document(everyone)))
    assert body_of(anonymous, own_bucket, "k") == b"x"
    client.put_bucket_request_payment(Bucket=own_bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert client.get_bucket_request_payment(Bucket=own_bucket)["Payer"] == "Requester"
    for more in ({}, {"RequestPayer": "requester"}):
        with refused("AccessDenied", 403):
            anonymous.get_object(Bucket=own_bucket, Key="k", **more)
    assert "RequestCharged" not in client.get_object(Bucket=own_bucket, Key="k")
    client.put_bucket_request_payment(Bucket=own_bucket, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    assert body_of(anonymous, own_bucket, "k") == b"x"


@pytest.fixture(params=["embedded", "seaweedfs"])
def site(request, tmp_path):
    """The URL of a gateway with websites, and an administrator's client."""
    file = tmp_path / "iam.json"
    settings = {"websiteDomains": [DOMAIN]}
    if request.param == "embedded":
        file.write_text(json.dumps({"sts": {"signingKey": world.SIGNING_KEY}, "kelpgate": settings}))
        server = kelpgate.SingleMachine(tmp_path, [f"-iam.config={file}"])
        key = server.root
    else:
        filer = request.getfixturevalue("cluster").filer
        file.write_text(json.dumps(world.iam_config(filer.address, kelpgate=settings)))
        identities = request.getfixturevalue("config_flags")[0]
        server = kelpgate.gateway("website", tmp_path, filer, [identities, f"-iam.config={file}"])
        key = world.ROOT
    yield server.url, s3(server.url, key)
    server.stop()


def test_a_website(site):
    """Index, error document, redirects and routing rules, for whoever may read the objects."""
    url, client = site
    own_bucket = make_bucket(client, "site")
    for key, body in {"index.html": b"home", "docs/index.html": b"docs", "error.html": b"oops"}.items():
        client.put_object(Bucket=own_bucket, Key=key, Body=body, ContentType="text/html")
    client.put_object(Bucket=own_bucket, Key="away", WebsiteRedirectLocation="https://example.com/")
    assert client.head_object(Bucket=own_bucket, Key="away")["WebsiteRedirectLocation"] == "https://example.com/"
    rule = {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "docs/"}}
    configuration = {
        "IndexDocument": {"Suffix": "index.html"},
        "ErrorDocument": {"Key": "error.html"},
        "RoutingRules": [rule],
    }
    client.put_bucket_website(Bucket=own_bucket, WebsiteConfiguration=configuration)
    got = client.get_bucket_website(Bucket=own_bucket)
    assert {name: got[name] for name in configuration} == configuration

    def page(path):
        headers = {"host": f"{own_bucket}.{DOMAIN}"}
        answer = requests.get(url + path, headers=headers, allow_redirects=False, timeout=30)
        return answer.status_code, answer.headers.get("location", answer.content)

    status, text = page("/")
    assert status == 403 and b"AccessDenied" in text, "nobody may read the objects yet"
    everyone = world.statement("Allow", "s3:GetObject", f"arn:aws:s3:::{own_bucket}/*", Principal="*")
    client.put_bucket_policy(Bucket=own_bucket, Policy=json.dumps(world.document(everyone)))
    assert page("/") == (200, b"home")
    assert page("/docs/") == (200, b"docs")
    assert page("/docs") == (302, f"http://{own_bucket}.{DOMAIN}/docs/")
    assert page("/away") == (301, "https://example.com/")
    assert page("/old/a")[0] == 301 and page("/old/a")[1].endswith("/docs/a")
    assert page("/absent") == (403, b"oops"), "who may not list does not learn what is missing"
    client.delete_bucket_website(Bucket=own_bucket)
    assert page("/")[0] == 404
