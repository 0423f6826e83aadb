"""An identity provider on the loopback: discovery, keys and tokens, each of which can be made wrong."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import rsa

from processes import run


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """An RSA key with a name."""

    def __init__(self, kid):
        self.kid = kid
        self.private = rsa.PrivateKey.load_pkcs1(run(["openssl", "genrsa", "-traditional", "2048"]).stdout.encode())

    def jwk(self, **more):
        return {
            "kty": "RSA", "use": "sig", "kid": self.kid, "alg": "RS256",
            "n": number(self.private.n), "e": number(self.private.e), **more,
        }  # fmt: skip

    def sign(self, message, digest="SHA-256"):
        return rsa.sign(message, self.private, digest)


class Idp:
    """Answers on a free port until `stop`. `asked` counts requests by path; `answers` replaces answers by path."""

    def __init__(self, directory, path="/realm", tls=False):
        self.key = SigningKey("first")
        self.published = [self.key]
        self.asked = {}
        self.answers = {}
        self.client = "app"
        self.ca = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            self.ca, key = directory / "idp.crt", directory / "idp.key"
            run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                 "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
                 "-keyout", str(key), "-out", str(self.ca)]
            )  # fmt: skip
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.ca, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.issuer = f"{scheme}://{self.host}{path}"
        self.prefix = f"{self.host}{path}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _handler(idp):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                idp.asked[self.path] = idp.asked.get(self.path, 0) + 1
                status, headers, body = idp.answers.get(self.path) or idp.answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, path):
        base = self.issuer.split(self.host, 1)[1].rstrip("/")
        if path == f"{base}/.well-known/openid-configuration":
            document = {"issuer": self.issuer, "jwks_uri": f"{self.issuer.rstrip('/')}/keys"}
        elif path == f"{base}/keys":
            document = {"keys": [key.jwk() for key in self.published]}
        else:
            return 404, {}, b""
        return 200, {"content-type": "application/json"}, json.dumps(document).encode()

    def claims(self, **more):
        now = int(time.time())
        usual = {"iss": self.issuer, "sub": "user-1", "aud": self.client, "iat": now, "exp": now + 600, **more}
        return {name: value for name, value in usual.items() if value is not None}

    def token(self, key=None, header=None, sign=None, **claims):
        """A token with these claims; `None` leaves one out. `sign` replaces the signature."""
        key = key or self.key
        header = {"alg": "RS256", "typ": "JWT", "kid": key.kid, **(header or {})}
        signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(self.claims(**claims)).encode())}"
        signature = (sign or key.sign)(signed.encode())
        return f"{signed}.{b64(signature)}"

    def hmac_of_public_key(self, message):
        return hmac.new(json.dumps(self.key.jwk()).encode(), message, hashlib.sha256).digest()
