"""A second implementation of Signature V4, independent of botocore, so that a test can sign one thing and send another."""

import base64
import binascii
import datetime
import hashlib
import hmac
import http.client
import json
from urllib.parse import quote, unquote, urlsplit

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def crc32(data):
    return base64.b64encode(binascii.crc32(data).to_bytes(4, "big")).decode()


def _pairs(query):
    """The parameters of a query as (name, value), encoded as the signature requires."""
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            yield quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")


class Answer:
    """An HTTP answer: `status`, `headers` (lower case), `body`, and `code` of an XML error."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def code(self):
        text = self.body.decode(errors="replace")
        return text.split("<Code>", 1)[1].split("</Code>", 1)[0] if "<Code>" in text else None

    def __repr__(self):
        return f"{self.status} {self.code or ''} {self.body[:300]!r}"


def send(method, url, headers=None, body=b"", timeout=20):
    """One request, byte for byte as given: no path normalisation, no redirects, no retries."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        sent = {name.lower() for name in headers or {}}
        if body is not None and "content-length" not in sent and "transfer-encoding" not in sent:
            connection.putheader("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            if name.lower() != "host":
                connection.putheader(name, value)
        connection.endheaders()
        try:
            if body:
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the whole body was read: only the answer matters
        got = connection.getresponse()
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
    finally:
        connection.close()


class Signer:
    """Signs as one key. `now`, `region`, `service` and the scope's `terminator` can be wrong on purpose."""

    def __init__(self, key, region="us-east-1", service="s3", now=None, terminator="aws4_request", scope_date=None):
        self.key = key
        self.region = region
        self.service = service
        self.now = now or datetime.datetime.now(datetime.timezone.utc)
        self.terminator = terminator
        self.date = self.now.strftime("%Y%m%dT%H%M%SZ")
        self.scope_date = scope_date or self.date[:8]

    @property
    def scope(self):
        return f"{self.scope_date}/{self.region}/{self.service}/{self.terminator}"

    def _key(self):
        step = ("AWS4" + self.key.secret).encode()
        for part in (self.scope_date, self.region, self.service, self.terminator):
            step = hmac.new(step, part.encode(), hashlib.sha256).digest()
        return step

    def sign_string(self, text):
        return hmac.new(self._key(), text.encode(), hashlib.sha256).hexdigest()

    def _signature(self, method, url, headers, payload_hash):
        parts = urlsplit(url)
        query = "&".join(f"{name}={value}" for name, value in sorted(_pairs(parts.query)))
        lower = {k.lower(): " ".join(str(v).split()) for k, v in headers.items()}
        names = sorted(lower)
        canonical = "\n".join(
            [method, parts.path or "/", query, *[f"{n}:{lower[n]}" for n in names], "", ";".join(names), payload_hash]
        )
        to_sign = "\n".join(["AWS4-HMAC-SHA256", self.date, self.scope, sha256(canonical.encode())])
        return self.sign_string(to_sign)

    def headers(self, method, url, headers=None, payload_hash=EMPTY_HASH, sign_content_hash=True):
        """All headers to send: the given ones, all of them signed, and the signature."""
        signed = {"host": urlsplit(url).netloc, "x-amz-date": self.date, **(headers or {})}
        if self.key.token and "x-amz-security-token" not in signed:
            signed["x-amz-security-token"] = self.key.token
        if sign_content_hash:
            signed["x-amz-content-sha256"] = payload_hash
        signature = self._signature(method, url, signed, payload_hash)
        names = ";".join(sorted(n.lower() for n in signed))
        return {
            **signed,
            "x-amz-content-sha256": payload_hash,
            "authorization": f"AWS4-HMAC-SHA256 Credential={self.key.access}/{self.scope},"
            f"SignedHeaders={names},Signature={signature}",
        }

    def presign(self, method, url, expires=300, headers=None, query=None):
        """The URL to which `headers` are sent. Query parameters in `query` are signed as well."""
        signed = {"host": urlsplit(url).netloc, **(headers or {})}
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.key.access}/{self.scope}",
            "X-Amz-Date": self.date,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": ";".join(sorted(n.lower() for n in signed)),
            **(query or {}),
        }
        if self.key.token:
            parameters["X-Amz-Security-Token"] = self.key.token
        text = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(parameters.items()))
        url += ("&" if "?" in url else "?") + text
        return url + "&X-Amz-Signature=" + self._signature(method, url, signed, UNSIGNED)

    def chunked(self, method, url, chunks, headers=None, trailer=None, mode=STREAMING, spoil=None):
        """Headers and body of an aws-chunked upload.

        `trailer` is (header name, value). `spoil` breaks one thing: "chunk" (second chunk's signature), "last"
        (the empty chunk's signature), "no-signatures", "trailer" (its signature), "no-trailer-signature",
        "truncated" (no last chunk), "length" (decoded length one too small), "swap" (two chunks change places).
        """
        length = sum(map(len, chunks)) - (1 if spoil == "length" else 0)
        sent = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(length), **(headers or {})}
        if trailer:
            sent["x-amz-trailer"] = trailer[0]
        signed = self.headers(method, url, sent, mode)
        previous = signed["authorization"].rsplit("Signature=", 1)[1]
        framed = []
        for number, chunk in enumerate([*chunks, b""]):
            line = f"{len(chunk):x}"
            if mode != UNSIGNED_TRAILER:
                to_sign = ["AWS4-HMAC-SHA256-PAYLOAD", self.date, self.scope, previous, EMPTY_HASH, sha256(chunk)]
                previous = self.sign_string("\n".join(to_sign))
                wrong = (spoil == "chunk" and number == 1) or (spoil == "last" and not chunk)
                if spoil != "no-signatures":
                    line += ";chunk-signature=" + ("0" * 64 if wrong else previous)
            framed.append(line.encode() + b"\r\n" + chunk + (b"\r\n" if chunk else b""))
        if spoil == "swap":
            framed[0], framed[1] = framed[1], framed[0]
        if spoil == "truncated":
            return signed, b"".join(framed[:-1])
        body = b"".join(framed)
        if trailer:
            line = f"{trailer[0]}:{trailer[1]}"
            body += line.encode() + b"\r\n"
            if mode == STREAMING_TRAILER and spoil not in ("no-trailer-signature", "no-signatures"):
                to_sign = ["AWS4-HMAC-SHA256-TRAILER", self.date, self.scope, previous, sha256((line + "\n").encode())]
                signature = self.sign_string("\n".join(to_sign)) if spoil != "trailer" else "0" * 64
                body += f"x-amz-trailer-signature:{signature}\r\n".encode()
        return signed, body + b"\r\n"

    def post_form(self, bucket, key, conditions, fields=None, expires_s=600):
        """The fields of a POST upload form whose policy has `conditions` (bucket and signature fields are added)."""
        form = {
            "key": key,
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": f"{self.key.access}/{self.scope}",
            "x-amz-date": self.date,
            **({"x-amz-security-token": self.key.token} if self.key.token else {}),
            **(fields or {}),
        }
        added = [{"bucket": bucket}] + [{n: v} for n, v in form.items() if n.startswith("x-amz-") and n not in (fields or {})]
        until = self.now + datetime.timedelta(seconds=expires_s)
        policy = {"expiration": until.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "conditions": added + conditions}
        form["policy"] = base64.b64encode(json.dumps(policy).encode()).decode()
        form["x-amz-signature"] = self.sign_string(form["policy"])
        return form


def request(key, method, url, body=b"", headers=None, timeout=20, **signer):
    """Signs and sends one ordinary request."""
    return send(method, url, Signer(key, **signer).headers(method, url, headers, sha256(body)), body, timeout)
