"""Wrong flags, files and requests: each answer says what is wrong, where, and what to do next."""

import re
import zipfile

import pytest

import kelpgate
from clients import Key, make_bucket, s3
from processes import free_port, run
from signing import request

KEY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7OURS000", "AWS_SECRET_ACCESS_KEY": "w" * 40}
CLOSED = "http://127.0.0.1:1"
FILES = {
    "file": "x",
    "half.json": "{",
    "array.json": "[]",
    "number.json": '{"identities": [{"name": 5}]}',
    "unnamed.json": '{"identities": [{"name": ""}]}',
    "twice.json": '{"identities": [{"name": "a"}, {"name": "a"}]}',
    "key-twice.json": '{"identities": [], "identities": []}',
    "sample-key.json": '{"sts": {"signingKey": "base64-encoded-signing-key"}}',
    "short-key.json": '{"sts": {"signingKey": "c2hvcnQ="}}',
    "duration.json": '{"sts": {"tokenDuration": "soon"}}',
    "store.json": '{"policy": {"storeType": "disk"}}',
    "effect.json": '{"policy": {"defaultEffect": "Maybe"}}',
    "trust.json": '{"roles": [{"roleName": "R"}]}',
    "unknown.json": '{"kelpgate": {"crosAccount": "both"}}',
    "account.json": '{"kelpgate": {"crossAccount": "maybe"}}',
    "proxies.json": '{"kelpgate": {"trustedProxies": ["10.0.0.0/99"]}}',
    "ldap.json": '{"providers": [{"name": "x", "type": "ldap"}]}',
    "quotas.json": '{"kelpgate": {"quotas": {"*": "1 GiB"}}}',
    "no-ca.json": '{"providers": [{"name": "x", "type": "certificate", "config": {"clientCaCert": "/none.pem"}}]}',
    "name.json": '{"policies": [{"name": "a b", "document": {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}}]}',
    "status.json": '{"identities": [{"name": "a", "credentials": [{"accessKey": "K", "secretKey": "s", "status": "Disabled"}]}]}',
    "nothing.json": "",
    "comment.json": '{\n  // ours\n}',
    "no-log.json": '{"kelpgate": {"audit": {"sinks": [{"type": "file", "path": "/nonexist/x.log"}]}}}',
    "options": "# ours\nprot=1\n",
    "readable-pass": "correct horse battery",
    "binary": b"\xff\xfe",
    "effect-policy.json": '{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"s3:*","Resource":"*"}]}',
    "principal-policy.json": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}]}',
    "operator-policy.json": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEqual":{"a":"b"}}}]}',
    "action-policy.json": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObjcet","Resource":"*"}]}',
    "resource-policy.json": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"reef/*"}]}',
    "no-principal-policy.json": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}',
    "case.json": '{"request": {"principal": "x", "action": "s3:GetObject", "resource": "arn:aws:s3:::a/b", "context": {}}}',
    "policy-lines": '\n{"request": {"principal": "x"}, "identityPolices": []}\n',
    "action-lines": '{"id": 1, "service": "ec2", "method": "GET", "path": "/reef"}\n',
    "empty.json": "{}",
    "version.json": '{"format": "kelpgate-iam", "version": 9}',
    "tree.json": '{"format": "kelpgate-iam-tree", "version": 1, "user": {}}',
    "secret-tree.json": '{"format": "kelpgate-iam-tree", "version": 1, "users": {"al": {"credentials": []}}}',
}

# The arguments, and words of the answer: what, where, what next. D is the directory of FILES.
COMMANDS = """
servr | servr | similar
server | -dir <DIR> | Usage
server -dir | -dir | value is required
server -dir=D/data -port=x | 'x' | -port
server -dir=D/data -port=99999 | 99999 | 65535
server -dir=D/data -prot=1 | -prot | '-port'
server -dir=D/data -trash | -trash | -help
server -dir=D/empty.json | `D/empty.json` | it is a file
server -dir=D/data -key.file=D/empty.json -cert.file=D/empty.json | D/empty.json | no private key in the file | in PEM
server -dir=D/data -idleTimeout=-1 | -idleTimeout | -1
server -dir=D/data -iam.readOnly=maybe | -iam.readOnly | true, false
server -dir=D/data -sigV2=maybe | -sigV2 | `presigned`
server -dir=D/data -defaultFileMode=999 | -defaultFileMode `999` | 0660
server -dir=D/data -region=eu+west | -region: `eu+west` | us-east-1
server -dir=D/data -domainName=https://s3.example | -domainName: `https://s3.example` | hosts alone
server -dir=D/data -externalUrl=ftp://s3.example | -externalUrl: `ftp://s3.example` | https://
server -dir=D/data -ip.bind=no.invalid | no.invalid | correct -ip.bind
server -dir=D/data -ip.bind=203.0.113.9 | 203.0.113.9 | this machine has no such address
server -dir=D/data -metricsPort=9 -metricsIp=no.invalid | no.invalid:9 | correct -metricsIp
server -dir=D/data -key.file=D/none.pem | -key.file and -cert.file
server -dir=D/data -port.https=1 | -port.https | -key.file
server -dir=D/data -tlsVerifyClientCert | -tlsVerifyClientCert | -cacert.file
server -dir=D/data -options=D/none | -options: `D/none` | cannot be read
server -dir=D/data -options=D/options | -prot | `D/options`, line 2
server -dir=D/file | `D/file` | directory
server -dir=D/data -config=D/none | -config: `D/none` | cannot be read
server -dir=D/data -config=D/half.json | D/half.json: line 1, column 1 | not valid JSON
server -dir=D/data -config=D/array.json | D/array.json: line 1 | expected an object here, not an array
server -dir=D/data -config=D/number.json | `identities[0].name` | expected a string
server -dir=D/data -config=D/unnamed.json | `identities[0]` | give it one
server -dir=D/data -config=D/twice.json | `identities[1]` | merge the two
server -dir=D/data -config=D/key-twice.json | `identities` occurs twice | remove one
server -dir=D/data -iam.config=D/sample-key.json | `sts.signingKey` | openssl rand
server -dir=D/data -iam.config=D/short-key.json | only 5 bytes | openssl rand
server -dir=D/data -iam.config=D/duration.json | `sts.tokenDuration`: `soon` | write `1h`
server -dir=D/data -iam.config=D/store.json | `policy.storeType`: `disk` | use `memory` or `filer`
server -dir=D/data -iam.config=D/effect.json | `policy.defaultEffect`: `Maybe` | `Deny`
server -dir=D/data -iam.config=D/trust.json | `roles[0]` | `trustPolicy`
server -dir=D/data -iam.config=D/unknown.json | unknown key `kelpgate.crosAccount` | correct it or remove it
server -dir=D/data -iam.config=D/account.json | `kelpgate.crossAccount`: `maybe` | `both`
server -dir=D/data -iam.config=D/proxies.json | `10.0.0.0/99` | such as 10.0.0.0/8
server -dir=D/data -iam.config=D/ldap.json | `providers[0]` | needs a `config`
server -dir=D/data -iam.config=D/name.json | `policies[0].name`: `a b` | letters, digits
server -dir=D/data -config=D/status.json | `identities[0].credentials[0].status`: `Disabled` | `Inactive`
server -dir=D/data -config=D/nothing.json | the text is empty | `{}`
server -dir=D/data -config=D/comment.json | line 2, column 3 | no comments
server -dir=D/data -config_dir=D/none | -config_dir | `D/none` | correct it
s3 -filer=nohost | -filer: `nohost` | `host:port`
s3 -filer=a:b | -filer: `a:b` | `localhost:8888`
s3 -filer=, | names no filer | `host:port`
s3 -auditLogConfig=D/none | -auditLogConfig
filer.ls -dir=D/none | `D/none` | no directory
filer.ls -dir=D -filer=a:1 / | '-dir <DIR>' cannot be used with '-filer <HOSTS>' | Usage
filer.ls -dir= | a value is required for '-dir <DIR>'
filer.ls -filer= / | a value is required for '-filer <HOSTS>'
iam apply D/good-tree.json -plan= | a value is required for '-plan <ID>'
sessions revoke -provider=P -subject= | a value is required for '-subject <SUBJECT>'
restore -from=D/b -dir=D/r -snapshot= | a value is required for '-snapshot <NAME>'
doctor -endpoint= | a value is required for '-endpoint <URLS>'
audit query D/file -principal= | a value is required for '-principal <WHO>'
config check -iam.config=D/quotas.json -filer=localhost:8888 | kelpgate.quotas | weed shell
config check -iam.config=D/no-log.json | /nonexist/x.log | cannot be written
config check -config_dir=D/none | -config_dir | `D/none` | correct it
config check -iam.config=D/no-ca.json | clientCaCert | `/none.pem`
filer.ls -filer=127.0.0.1:1 | 127.0.0.1:1 | Connection refused | correct -filer
filer.cat -dir=D/none | PATH of a file | kelpgate filer.cat
doctor -filer=127.0.0.1:1 | 127.0.0.1:1 does not answer | correct -filer
doctor -endpoint=http://127.0.0.1:1 | http://127.0.0.1:1 does not answer | correct the address
doctor -endpoint=nope | gateway nope | correct the address
doctor -dir=D/none | `D/none` | no directory
scrub | -dir <DIR> | Usage
scrub -dir=D/none | `D/none` | no directory
backup -dir=D/data | -to <BACKUP> | Usage
backup -dir=D/none -to=D/b | `D/none` | no directory
backup -dir=D/tree -to=D/tree | -to=D/tree is inside `D/tree` | name a place outside
backup -dir=D/tree -to=D/tree/../tree/users/b/c | is inside `D/tree` | name a place outside
audit verify D/none | there is no audit log `D/none`
audit verify D/file | the public key `D/file.key.pub` cannot be read | -key
audit query D/none | there is no audit log `D/none`
audit query D/policy-lines | `D/policy-lines` is not an audit log in the format `cloudtrail` | no line of it is an event
audit query D/file -operation=iam:Get-User | -operation | iam:CreateUser
audit query D/file -client=bogus | -client <ADDRESS> | bogus
audit query D/file -request=123 | -request <ID> | 16 hexadecimal digits
audit query D/file -since=1h -until=2h | -since | is not before -until
audit query D/file -since=2026-31-12 | `2026-31-12` | 2026-01-31
audit verify D/file -key=D/empty.json | `D/empty.json` is not the public key | `.key.pub`
audit query none-here | there is no audit log `none-here` | sink
restore -from=D/b | -dir <DIR> | Usage
restore -from=D/b -verify=false | -dir <DIR> | Usage
restore -from=D/b -verify -dir=D/r | -verify restores nothing | leave one of them out
restore -from=D/none -dir=D/r | `D/none` has no snapshot
compact -dir=D/none | `D/none` | no directory
iam exprot | exprot | 'export'
iam export -dir=D/none | `D/none` | no directory
iam export -filer=127.0.0.1:1 | 127.0.0.1:1 | correct -filer
iam export -secrets=some | -secrets | encrypted, plain
iam export -secrets=encrypted | passphrase | -passphraseFile=FILE
iam export -secrets=encrypted -passphraseFile=D/readable-pass | `D/readable-pass` | chmod 600
iam export -passphraseFile=D/file -out=D/out.json | -passphraseFile | -secrets=encrypted
iam export -endpoint=http://127.0.0.1:1 -filer=x:1 -tree=D/t | '-filer <HOSTS>' | '-endpoint <URL>'
iam export -endpoint=http://127.0.0.1:1 | -endpoint | -filer=host:port
iam import | <FILE> | Usage
iam import -dir=D D/none | `D/none` cannot be read
iam import -dir=D D/empty.json | `D/empty.json`: line 1 | neither an export of Kelpgate
iam import -dir=D D/foreign.zip | `D/foreign.zip` is neither a tree | policies.json
iam import -dir=D D/version.json | version 9 | use one as new as
iam import -dir=D D/binary | `D/binary` | neither text nor a zip
iam encrypt-secrets -dir=D | no key | openssl rand
iam diff | <DIR|FILE> | Usage
iam diff D/none | `D/none` cannot be read
iam diff D/tree | kelpgate-iam.json | is missing
iam diff D | kelpgate-iam.json | is missing
iam diff D/marked/kelpgate-iam.json | only marks the directory | name the directory
iam diff D/empty.json | `format` is missing | kelpgate-iam-tree
iam diff D/tree.json | `user` is unknown here | docs/iam-as-files.md
iam diff D/secret-tree.json | `users.al.credentials` | remove it
iam apply -endpoint=nope D/good-tree.json | -endpoint: `nope` | http://127.0.0.1:8333
iam apply -endpoint=http://127.0.0.1:1 D/good-tree.json | http://127.0.0.1:1 does not answer | -endpoint
sessions revoke -subject=x | -provider <PROVIDER> | Usage
sessions revoke | -role <NAME> | Usage
sessions revoke -role=a -user=b | '-role <NAME>' cannot be used with | '-user <NAME>'
sessions list -endpoint=http://127.0.0.1:1 | does not answer | start the gateway
why abc | 'abc' | copy the 16 hexadecimal digits of `DecisionId`
why 0123456789abcdef | no key to sign with
why 0123456789ABCDEF | no key to sign with | AWS_SHARED_CREDENTIALS_FILE
policy validate D/none | `D/none` cannot be read
policy validate D/half.json | line 1 column 1 | correct this
policy validate D/array.json | a policy is a JSON object | correct this
policy validate D/binary | `D/binary` | UTF-8
policy validate -kind=x D/empty.json | -kind `x` | use identity, bucket
policy validate D/effect-policy.json | Statement[0].Effect | did you mean `Allow`
policy validate D/principal-policy.json | Statement[0].Principal | should not specify a principal
policy validate D/operator-policy.json | Statement[0].Condition.StringEqual | did you mean `StringEquals`
policy validate D/action-policy.json | Statement[0].Action | write `s3:GetObject`
policy validate D/resource-policy.json | Statement[0].Resource
policy validate -kind=bucket D/no-principal-policy.json | Statement[0] | Principal
policy simulate | -cases <FILE> | Usage
policy simulate -cases=D/none | `D/none` cannot be read
policy explain D/none | `D/none` cannot be read
policy explain -cases=D/empty.json | missing field `request` | rows that could not be answered: 1
policy simulate -cases=D/policy-lines | "line":2 | `identityPolices` is unknown; did you mean `identityPolicies`? | could not be answered: 1
policy validate -cases=D/policy-lines | "line":2 | missing field `kind` | could not be answered: 1
policy actions -cases=D/action-lines | "line":1 | service: `ec2` is unknown | could not be answered: 1
policy explain D/empty.json | `D/empty.json` | missing field `request`
policy explain D/case.json | request.principal: `x` | expected an ARN
""".strip().splitlines()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("wrong")
    for name, content in {**FILES, "good-tree.json": '{"format": "kelpgate-iam-tree", "version": 1}'}.items():
        (directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (directory / "readable-pass").chmod(0o644)
    (directory / "tree/users").mkdir(parents=True)
    (directory / "marked").mkdir()
    (directory / "marked/kelpgate-iam.json").write_text('{"format": "kelpgate-iam-tree", "version": 1}')
    with zipfile.ZipFile(directory / "foreign.zip", "w") as foreign:
        foreign.writestr("notes.json", "{}")
    return directory


@pytest.mark.parametrize("row", COMMANDS)
def test_wrong_commands(files, row):
    command, *words = (part.strip() for part in row.split(" | "))
    arguments = [part.replace("D/", f"{files}/").replace("=D", f"={files}") if part != "D" else str(files) for part in command.split()]
    if arguments[0] == "server":
        arguments.append(f"-port={free_port()}") if "-port=" not in command else None
    env = KEY if arguments[:2] in (["iam", "apply"], ["iam", "diff"], ["sessions", "list"]) else {}
    done = run([kelpgate.binary(), *arguments], check=False, timeout=30, env=env)
    told = (done.stdout + done.stderr).replace(f"{files}/", "D/")
    assert done.returncode in (1, 2), told
    assert "panicked" not in told and "os error" not in told.replace("(os error", ""), told
    assert not re.search(r"[^`'\w]--\w", told), f"flags are shown with one dash: {told}"
    for word in words:
        assert word in told, f"{word!r} in:\n{told}"
    assert len(told.strip()) < 1500, f"an answer is read at a glance: {told}"


# Requests to S3 and IAM: method, path, headers, body, and words of the answer.
REQUESTS = [
    ("GET", "/B?list-type=3", {}, "", "list-type"),
    ("GET", "/B?list-type=2&max-keys=many", {}, "", "max-keys"),
    ("GET", "/B?encoding-type=base64", {}, "", "Encoding Method"),
    ("PUT", "/Upper", {}, "", "a-z"),
    ("PUT", "/ab", {}, "", "3"),
    ("GET", "/B/none", {}, "", "The specified key does not exist"),
    ("GET", "/no-such-bucket-at-all", {}, "", "The specified bucket does not exist"),
    ("PUT", "/B?policy", {}, "{", "line 1"),
    ("PUT", "/B?policy", {}, FILES["no-principal-policy.json"], "principal"),
    ("PUT", "/B?tagging", {}, "<Tagging>", "XML"),
    ("PUT", "/B?versioning", {}, "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "XML"),
    ("PUT", "/B?encryption", {}, "<x/>", "encryption"),
    ("PUT", "/B?website", {}, "<x/>", "ebsite"),
    ("PUT", "/B/k", {"x-amz-storage-class": "COLD"}, "x", "storage class"),
    ("PUT", "/B/k", {"content-md5": "eA=="}, "x", "Content-MD5"),
    ("PUT", "/B/k", {"x-amz-checksum-crc32": "x"}, "x", "x-amz-checksum-crc32"),
    ("PUT", "/B/k", {"x-amz-tagging": "a=1&a=2"}, "x", "ag"),
    ("PUT", "/B/k", {"x-amz-acl": "everyone"}, "x", ""),
    ("PUT", "/B/k", {"x-amz-object-lock-mode": "GOVERNANCE"}, "x", "object-lock"),
    ("PUT", "/B/k", {"x-amz-copy-source": "nothing"}, "", "copy source"),
    ("PUT", "/B/a%00b", {}, "x", "choose another key"),
    ("PUT", "/B/k?partNumber=0&uploadId=x", {}, "x", "Part number"),
    ("POST", "/B/k?uploadId=x", {}, "<CompleteMultipartUpload/>", ""),
    ("GET", "/B/k?versionId=x", {}, "", "ersion"),
    ("DELETE", "/B?policy&tagging", {}, "", ""),
]


@pytest.mark.parametrize("method, path, headers, body, word", REQUESTS, ids=[f"{row[0]} {row[1]}" for row in REQUESTS])
def test_wrong_requests(embedded, wrong_bucket, method, path, headers, body, word):
    answer = request(embedded.root, method, embedded.url + path.replace("/B", f"/{wrong_bucket}", 1), body.encode(), headers)
    text = answer.body.decode()
    assert 400 <= answer.status <= 501 and answer.status != 500, answer
    message = re.search("<Message>(.*?)</Message>", text, re.S)
    assert re.search("<Code>\\w+</Code>", text) and message and len(message[1]) > 10, text
    assert word.lower() in text.lower(), text
    assert "<RequestId>" in text and "panicked" not in text


@pytest.fixture(scope="module")
def wrong_bucket(embedded):
    return make_bucket(s3(embedded.url, embedded.root), "wrong")


def test_wrong_keys(embedded, wrong_bucket):
    wrong = Key(embedded.root.access, "w" * 40)
    answer = request(wrong, "GET", f"{embedded.url}/{wrong_bucket}")
    assert answer.status == 403 and answer.code == "SignatureDoesNotMatch" and b"check" in answer.body
    nobody = Key("AKIAIOSFODNN7NOBODY0", "w" * 40)
    assert request(nobody, "GET", f"{embedded.url}/{wrong_bucket}").code == "InvalidAccessKeyId"
