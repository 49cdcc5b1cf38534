"""A small identity provider on a real socket: discovery, a key set that can be rotated, tokens of any quality."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "kakehashi"


class Issuer:
    """``asked`` counts the requests per address; ``down`` makes every answer a 503."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.down = False
        self.jwks: list[dict[str, Any]] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.named = ""  # another issuer in the discovery document
        self._keys: dict[str, Any] = {}
        self._algorithms: dict[str, str] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked[self.path] = issuer.asked.get(self.path, 0) + 1
                if self.path.startswith("/realm/authorize?"):
                    self.send_response(302)
                    self.send_header("location", issuer.authorize(self.path))
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return
                body = json.dumps(issuer.answer(self.path)).encode()
                self.send_response(503 if issuer.down else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
                body = json.dumps(issuer.exchange(form)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"

    def answer(self, path: str) -> dict[str, Any]:
        if path == "/realm/.well-known/openid-configuration":
            return {
                "issuer": self.named or self.url,
                "jwks_uri": self.url + "/keys",
                "authorization_endpoint": self.url + "/authorize",
                "token_endpoint": self.url + "/token",
                "code_challenge_methods_supported": ["S256"],
            }
        return {"keys": self.jwks}

    def authorize(self, path: str) -> str:
        """The person agrees at once: back to the app, with a code."""
        asked = {name: values[0] for name, values in parse_qs(path.partition("?")[2]).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """The code, once, for tokens; with the proof that the same app asked for it (PKCE)."""
        asked = self.codes.pop(form["code"])
        proof = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if proof != asked["code_challenge"]:
            return {"error": "invalid_grant"}
        id_token = self.token(aud=asked["client_id"], nonce=asked.get("nonce"))
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": id_token}

    def rotate(self, kid: str, *, curve: bool = False, publish: bool = True, only: bool = True) -> None:
        """Sign with a new key from now on; ``only``: the old ones are withdrawn."""
        key: Any = ec.generate_private_key(ec.SECP256R1()) if curve else rsa.generate_private_key(65537, 2048)
        public = (ECAlgorithm if curve else RSAAlgorithm).to_jwk(key.public_key(), as_dict=True)
        self._keys[kid], self._algorithms[kid] = key, "ES256" if curve else "RS256"
        if publish:
            self.jwks = [] if only else self.jwks
            self.jwks.append({**public, "kid": kid, "use": "sig"})

    def token(self, kid: str = "", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A good token, but for the claims given; None takes one away."""
        kid = kid or next(reversed(self._keys))
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "1234",
            "iat": now,
            "exp": now + 300,
            "preferred_username": "佐藤花子",
            "groups": ["bank-loans"],
        }
        payload = {name: value for name, value in (good | claims).items() if value is not None}
        return jwt.encode(payload, self._keys[kid], self._algorithms[kid], {"kid": kid, **(headers or {})})


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.rotate("one")
    thread = threading.Thread(target=issuer.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.server.shutdown()
        issuer.server.server_close()
        thread.join(5)
