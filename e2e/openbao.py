"""OpenBao as a provider of OpenID Connect: an implementation that is not ours, with keys of several algorithms and rotation."""

import json
import shutil
import sys
from pathlib import Path

import requests

from processes import Server, free_port, wait_for

BAO = shutil.which("bao") or str(Path(sys.executable).parent / "bao")
ALGORITHMS = ["RS256", "RS512", "ES256", "ES384", "EdDSA"]


class OpenBao:
    """Runs until `stop`. It has a key for each algorithm, whose tokens are for `client`, and the user alice."""

    client = "app"

    def __init__(self, directory):
        port = free_port()
        command = [BAO, "server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
        self.server = Server("openbao", command, directory, ready_port=port)
        self.url = f"http://127.0.0.1:{port}/v1/"
        wait_for(lambda: requests.get(self.url + "sys/health", timeout=5).ok, 30, "openbao", self.server)
        self.issuer = self.url + "identity/oidc"
        self.prefix = self.issuer.split("://")[1]
        self.call("POST", "identity/oidc/config", issuer=self.url.removesuffix("/v1/"))
        for algorithm in ALGORITHMS:
            life = {"rotation_period": "1h", "verification_ttl": "1h"}
            self.call("POST", f"identity/oidc/key/{algorithm}", algorithm=algorithm, allowed_client_ids="*", **life)
            self.role(algorithm, algorithm, self.client)
        self.call("POST", "sys/auth/userpass", type="userpass")
        self.call("PUT", "sys/policies/acl/tokens", policy='path "identity/oidc/token/*" { capabilities = ["read"] }')
        self.call("POST", "auth/userpass/users/alice", password="pw", token_policies="tokens")
        self.alice = self.call("POST", "auth/userpass/login/alice", password="pw")["auth"]["client_token"]

    def call(self, method, path, token="root", **body):
        answer = requests.request(method, self.url + path, json=body or None, headers={"X-Vault-Token": token}, timeout=20)
        assert answer.ok, (path, answer.status_code, answer.text)
        return answer.json() if answer.text else None

    def role(self, name, key, client, groups=("team-1",)):
        template = json.dumps({"groups": list(groups)})
        self.call("POST", f"identity/oidc/role/{name}", key=key, ttl="10m", client_id=client, template=template)

    def rotate(self, key):
        self.call("POST", f"identity/oidc/key/{key}/rotate", verification_ttl="1h")

    def token(self, role=ALGORITHMS[0]):
        return self.call("GET", f"identity/oidc/token/{role}", token=self.alice)["data"]["token"]

    def stop(self):
        self.server.stop()
