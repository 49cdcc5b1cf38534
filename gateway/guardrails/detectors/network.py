"""IP addresses, and URLs that carry a secret: query tokens, signatures, user information, magic links."""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterator

from gateway.guardrails.detectors.shapes import Label
from gateway.guardrails.view import Hit, View

_V4 = re.compile(r"(?<![\d.])(?<![A-Za-z])(?:\d{1,3}\s?\.\s?){3}\d{1,3}(?!\.?\d)(?:/\d{1,2}(?!\d))?(?::\d{2,5})?")
_V6 = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}(?:%\w+)?(?:/\d{1,3})?(?![0-9A-Za-z:])")
_IP_CUE = Label(
    r"(?<![A-Za-z])IP(?:v[46])?(?![a-z])|アドレス|ホスト|サーバ|接続|アクセス元|host|server|from|ping|ssh|login|ログイン|subnet|gateway|端末|"
    r"DNS|ルータ|ネットワーク|遮断|firewall|FW|VPN|address|client|src|dst|remote|経路|不正アクセス|ログ|踏み台|本番|addr|proxy|port"
)
_VERSION_CUE = Label(
    r"(?<![A-Za-z])v(?:er(?:sion)?)?\.?\s?(?=\d)|バージョン|version|ver\.|リリース|release|パッチ|patch|build|ビルド|第\d|章|section|§|条項|項番|"
    r"firmware|ファーム|アップデート|update|規格|chapter|handbook"
)
_NOT_PERSONAL = {"127.0.0.1", "0.0.0.0", "255.255.255.255", "255.255.255.0", "255.255.0.0", "255.0.0.0"}  # noqa: S104

_URL = re.compile(r"(?:https?|hxxps?|ftp|wss?)://[^\s<>\"'`、。「」（）()【】\u3040-\u30ff\u4e00-\u9fff]+", re.IGNORECASE)
_BARE_URL = re.compile(
    r"(?<![A-Za-z0-9@/._-])(?:[a-z0-9-]+\.)+[a-z]{2,10}/[^\s<>\"'`、。「」（）()\u3040-\u30ff\u4e00-\u9fff]*[?&#][^\s<>\"'`、。「」（）()\u3040-\u30ff\u4e00-\u9fff]+",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"\A\w+://[^/@\s:]+:[^/@\s]+@", re.IGNORECASE)
_SECRET_KEY = re.compile(
    r"[?&#;](?:[a-z0-9_-]*(?:token|secret|passw(?:or)?d|signature|credential|apikey|api[_-]key|access[_-]?key|session(?:id)?|jwt|otp|nonce)|"
    r"key|auth|sig|sign|pw|pwd|pass|sid|code|hash|t|tk|k|ticket|invite|share|hmac|ssoid|assertion|SAMLResponse)=(?P<value>[^&#\s]{4,})",
    re.IGNORECASE,
)
_WEAK_KEY = re.compile(r"[?&#;](?:key|code|t|k|hash|sign|share|ticket|invite|sid|tk)=\Z", re.IGNORECASE)
_MAGIC_PATH = re.compile(
    r"/(?:reset|verify|verification|confirm|activate|activation|invite|invitation|magic|login|signin|unsubscribe|share|shared|sharing|token|"
    r"password|onetime|download|dl|s|d|t|u|auth|join|file|r)(?:[-_/][a-z-]{0,20})?/(?P<value>[A-Za-z0-9_.~=-]{16,})",
    re.IGNORECASE,
)


def ip_address(view: View) -> Iterator[Hit]:
    """IPv4 with valid octets that is no version number, IPv6 that the standard library accepts."""
    if not view.has_digits:
        return
    for match in view.numbers(_V4):
        yield from _judge_v4(view, match)
    for match in _V6.finditer(view.text) if view.text.count(":") >= 2 else ():
        end = match.end() - (len(match[0]) - len(match[0].rstrip(".")))
        value = view.text[match.start() : end].split("/")[0].split("%")[0]
        if _is_v6(value):
            yield Hit(match.start(), end, "IP_ADDRESS", "ip_address.v6", 0.93)


def _judge_v4(view: View, match: re.Match[str]) -> Iterator[Hit]:
    address = re.split(r"[/:]", match[0].replace(" ", ""))[0]
    octets = [int(part) for part in address.split(".")]
    if max(octets) > 255 or address in _NOT_PERSONAL:
        return
    start = match.start()
    end = start + len(re.split(r"[/:]", match[0])[0])
    cued = _IP_CUE.near(view, start, end, 32) or "/" in match[0] or ":" in match[0]
    version = _VERSION_CUE.near(view, start, end, 32)
    if cued and not (version and max(octets) < 64):
        yield Hit(start, end, "IP_ADDRESS", "ip_address.v4", 0.93)
    elif not version and max(octets) >= 64:
        yield Hit(start, end, "IP_ADDRESS", "ip_address.bare", 0.75)


def _is_v6(value: str) -> bool:
    if value.count(":") < 2 or not re.search(r"[0-9A-Fa-f]", value) or re.fullmatch(r"\d{1,2}(?::\d{2}){1,2}", value):
        return False
    try:
        return ipaddress.IPv6Address(value) != ipaddress.IPv6Address("::1")
    except ValueError:
        return False


def entropy(value: str) -> float:
    """Shannon entropy in bits per character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


def random_looking(value: str) -> bool:
    """Letters and digits mixed without the rhythm of words: a token rather than a slug."""
    kinds = sum(bool(re.search(p, value)) for p in (r"[a-z]", r"[A-Z]", r"\d"))
    return kinds >= 2 and entropy(value) >= 3.0 and not re.fullmatch(r"(?:[A-Za-z]+[-_.])*[A-Za-z]+(?:[-_.]?\d{1,4})?", value)


def url_token(view: View) -> Iterator[Hit]:
    """URLs whose query, path or user information lets the reader in."""
    if "/" not in view.text:
        return
    for pattern in (_URL, _BARE_URL):
        for match in pattern.finditer(view.text):
            url = match[0].rstrip(".,;:!?)]}>*_")
            rule = _url_rule(url)
            if rule:
                yield Hit(match.start(), match.start() + len(url), "URL_TOKEN", rule, 0.97)


def _random_segment(segment: str) -> bool:
    mixed = all(re.search(p, segment) for p in (r"[a-z]", r"[A-Z]", r"\d"))
    return len(segment) >= (18 if mixed else 24) and random_looking(segment) and entropy(segment) >= 3.6


def _url_rule(url: str) -> str:
    if _USER_INFO.match(url):
        return "url_token.user_info"
    for match in _SECRET_KEY.finditer(url):
        weak = _WEAK_KEY.search(url[: match.start("value")]) is not None
        if not weak or (len(match["value"]) >= 8 and random_looking(match["value"])):
            return "url_token.query"
    path = _MAGIC_PATH.search(url)
    if path and random_looking(path["value"]):
        return "url_token.path"
    segments = re.split(r"[/?#&=]", url)[3:]
    if any(_random_segment(s) for s in segments):
        return "url_token.random"
    return ""
