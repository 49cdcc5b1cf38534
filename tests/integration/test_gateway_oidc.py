"""People's tokens from an identity provider: accepted only when everything about them is right."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from gateway.errors import Unauthorized, Unavailable
from gateway.identity.oidc import SigningKeys
from kakehashi.settings import OidcSettings
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.issuer import AUDIENCE, Issuer, running_issuer
from tests.helpers.running_gateway import RunningGateway, running_gateway

BODY = {"model": "default", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, engine: FakeUpstream, issuer: Issuer) -> Iterator[RunningGateway]:
    oidc = {
        "issuer": issuer.url,
        "audience": [AUDIENCE],
        "teams": {"bank-loans": "融資部", "bank-lost": "無い部"},
        "roles": {"bank-audit": "auditor"},
        "refetch_s": 0.0,
    }
    home = tmp_path_factory.mktemp("home")
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(home, patch, engine.url, oidc=oidc) as server,
    ):
        server.services.identity.create_team("融資部", {"surfaces": ["chat"], "profile": "strict"})
        yield server


def chat(gateway: RunningGateway, token: str, path: str = "/chat/completions") -> httpx.Response:
    return httpx.post(gateway.url + path, json=BODY, headers={"authorization": f"Bearer {token}"})


def test_a_person_calls_like_a_key_of_their_team_and_the_record_names_them(
    gateway: RunningGateway, issuer: Issuer
) -> None:
    headers = {"authorization": f"Bearer {issuer.token()}", "x-kakehashi-user": "somebody%20else"}
    assert httpx.post(gateway.url + "/chat/completions", json=BODY, headers=headers).status_code == 200
    record = gateway.audit.intents[-1]
    assert (record.user, record.user_source, record.team, record.profile) == ("佐藤花子", "oidc", "融資部", "strict")
    assert record.key_id.startswith("oidc_") and "1234" not in record.key_id
    refused = chat(gateway, issuer.token(), "/completions")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "surface_not_allowed")


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "another-service"}, "invalid_token"),
        ({"aud": None}, "invalid_token"),
        ({"iss": "https://evil.example"}, "invalid_token"),
        ({"exp": int(time.time()) - 3600}, "expired_token"),
        ({"exp": None}, "invalid_token"),
        ({"nbf": int(time.time()) + 3600}, "invalid_token"),
        ({"sub": None}, "invalid_token"),
        ({"headers": {"crit": ["b64"]}}, "invalid_token"),
        ({"headers": {"typ": "logout+jwt"}}, "invalid_token"),
    ],
)
def test_a_token_with_one_wrong_claim_is_refused(
    gateway: RunningGateway, issuer: Issuer, claims: dict[str, Any], code: str
) -> None:
    answer = chat(gateway, issuer.token(**claims))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_clocks_may_differ_a_little(gateway: RunningGateway, issuer: Issuer) -> None:
    now = int(time.time())
    assert chat(gateway, issuer.token(exp=now - 5, iat=now - 100)).status_code == 200
    assert chat(gateway, issuer.token(nbf=now + 10, iat=now + 10)).status_code == 200


def test_an_unsigned_token_is_refused(gateway: RunningGateway, issuer: Issuer) -> None:
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    for token in (jwt.encode(claims, None, "none"), jwt.encode(claims, None, "none") + "AAAAAAAAAAAA"):
        assert chat(gateway, token).status_code == 401


def test_the_public_key_is_no_hmac_secret(gateway: RunningGateway, issuer: Issuer) -> None:
    """CVE-2015-9235: a token signed by HS256 with the provider's published key as the secret."""
    public = jwt.PyJWK(issuer.jwks[0], algorithm="RS256").key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = issuer.token().split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "one"}).encode()).rstrip(b"=")
    signed = head + b"." + payload.encode()
    tag = base64.urlsafe_b64encode(hmac.new(pem, signed, hashlib.sha256).digest()).rstrip(b"=")
    assert chat(gateway, (signed + b"." + tag).decode()).status_code == 401


def test_a_key_of_another_kind_than_the_algorithm_is_refused(gateway: RunningGateway, issuer: Issuer) -> None:
    issuer.rotate("curve", curve=True, only=False)
    assert chat(gateway, issuer.token("curve")).status_code == 200
    head = {"kid": "one"}  # an ES256 signature under the id of the RSA key
    assert chat(gateway, issuer.token("curve", headers=head)).status_code == 401
    issuer.rotate("one")


def test_a_forged_signature_is_refused(gateway: RunningGateway, issuer: Issuer) -> None:
    head, payload, signature = issuer.token().split(".")
    forged = payload[:-2] + ("AA" if payload[-2:] != "AA" else "BB")
    assert chat(gateway, f"{head}.{forged}.{signature}").status_code == 401
    assert chat(gateway, f"{head}.{payload}.{signature[::-1]}").status_code == 401


def test_groups_decide_on_team_and_roles(gateway: RunningGateway, issuer: Issuer) -> None:
    nobody = chat(gateway, issuer.token(groups=["bank-other"]))
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (403, "no_team")
    assert chat(gateway, issuer.token(groups=["bank-lost"])).status_code == 403
    assert chat(gateway, issuer.token(groups="bank-other bank-loans")).status_code == 200
    headers = {"authorization": f"Bearer {issuer.token(groups=['bank-loans', 'bank-audit'], sub='5')}"}
    me = httpx.get(gateway.admin_url + "/admin/me", headers=headers).json()
    assert (me["kind"], me["name"], me["roles"], me["source"]) == ("user", "佐藤花子", ["auditor", "user"], "oidc")
    assert httpx.get(gateway.admin_url + "/admin/keys", headers=headers).status_code == 200
    assert httpx.post(gateway.admin_url + "/admin/teams", json={"name": "x"}, headers=headers).status_code == 403


def test_a_rotated_key_works_at_once_and_a_withdrawn_one_no_longer(gateway: RunningGateway, issuer: Issuer) -> None:
    old = issuer.token()
    assert chat(gateway, old).status_code == 200
    issuer.rotate("two")
    assert chat(gateway, issuer.token("two")).status_code == 200
    time.sleep(0.9)  # what the key ring remembers
    assert chat(gateway, old).status_code == 401


def test_a_team_changed_here_counts_within_a_second(gateway: RunningGateway, issuer: Issuer) -> None:
    token = issuer.token()
    assert chat(gateway, token).status_code == 200
    gateway.services.identity.change_team("融資部", {"models": ["nothing"]})
    time.sleep(1)
    assert chat(gateway, token).json()["error"]["code"] == "model_not_allowed"
    gateway.services.identity.change_team("融資部", {"models": None})


def test_tokens_stay_out_of_logs_and_answers(
    gateway: RunningGateway, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = issuer.token(), issuer.token(aud="x")
    texts = [chat(gateway, token).text for token in (good, bad)]
    headers = {"authorization": f"Bearer {good}", "x-request-id": good[:120], "x-kakehashi-job": good}
    answer = httpx.post(gateway.url + "/chat/completions", json=BODY, headers=headers)
    seen = "\n".join([*texts, caplog.text, str(answer.headers), httpx.get(gateway.root + "/metrics").text])
    for token in (good, bad):
        assert token.split(".")[1] not in seen and token.split(".")[2] not in seen


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestSigningKeys:
    """How often the provider is asked, against a clock of the test's own."""

    def keys(self, issuer: Issuer) -> tuple[SigningKeys, Clock]:
        clock = Clock()
        issuer.asked.clear()
        return SigningKeys(OidcSettings(issuer=issuer.url, audience=[AUDIENCE]), clock=clock), clock

    def test_a_storm_of_unknown_keys_asks_the_provider_once(self, issuer: Issuer) -> None:
        keys, clock = self.keys(issuer)

        async def storm() -> None:
            for round_ in range(3):
                tries = [keys.find(f"unknown-{round_}-{n}") for n in range(200)]
                results = await asyncio.gather(*tries, return_exceptions=True)
                assert all(isinstance(result, Unauthorized) for result in results)
            assert issuer.asked["/realm/keys"] == 1
            clock.now += 11
            with pytest.raises(Unauthorized):
                await keys.find("unknown")
            assert issuer.asked["/realm/keys"] == 2

        asyncio.run(storm())

    def test_known_keys_outlast_a_provider_that_is_down_but_not_for_ever(self, issuer: Issuer) -> None:
        keys, clock = self.keys(issuer)
        kid = issuer.jwks[0]["kid"]

        async def outage() -> None:
            await keys.find(kid)
            issuer.down = True
            clock.now += 600
            assert await keys.find(kid)  # known, and not too old
            with pytest.raises(Unavailable):
                clock.now += 20
                await keys.find("new")
            clock.now += 4000
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await keys.find(kid)
            issuer.down = False
            clock.now += 11
            assert await keys.find(kid)

        try:
            asyncio.run(outage())
        finally:
            issuer.down = False

    def test_a_document_of_another_issuer_is_not_believed(self, issuer: Issuer) -> None:
        keys, _ = self.keys(issuer)
        issuer.named = "https://evil.example"
        try:
            with pytest.raises(Unavailable):
                asyncio.run(keys.find("one"))
        finally:
            issuer.named = ""
