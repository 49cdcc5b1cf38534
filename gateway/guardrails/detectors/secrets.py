"""Secrets: keys of known shape, PEM blocks, tokens, passwords after a label, connection strings, random strings near a cue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors.network import entropy
from gateway.guardrails.literals import Prefilter
from gateway.guardrails.view import Hit, View

# Shapes published by the vendors; the prefix alone decides.
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"(?P<aws>(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})|"
    r"(?P<github>gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255})|"
    r"(?P<gitlab>gl(?:pat|dt|rt|ptt|ft|soat)-[A-Za-z0-9_-]{16,})|"
    r"(?P<slack>xox[abposre]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,})|"
    r"(?P<anthropic>sk-ant-[A-Za-z0-9_-]{16,})|"
    r"(?P<openai>sk-(?:proj-|svcacct-|admin-|live-|test-|or-v1-)?[A-Za-z0-9_-]{16,})|"
    r"(?P<huggingface>hf_[A-Za-z0-9]{16,})|"
    r"(?P<google>AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}|GOCSPX-[A-Za-z0-9_-]{16,})|"
    r"(?P<stripe>[srp]k_(?:live|test)_[A-Za-z0-9]{12,}|whsec_[A-Za-z0-9]{16,})|"
    r"(?P<sendgrid>SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})|"
    r"(?P<package>npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|dckr_pat_[A-Za-z0-9_-]{20,})|"
    r"(?P<cloud>do[opr]_v1_[a-f0-9]{40,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,}|dapi[a-f0-9]{30,}|lin_api_[A-Za-z0-9]{20,}|"
    r"PMAK-[a-f0-9-]{30,}|EAAC[A-Za-z0-9]{20,}|glc_[A-Za-z0-9+/=]{20,}|vault:v\d+:[A-Za-z0-9+/=]{16,}|hvs\.[A-Za-z0-9_-]{20,}|"
    r"nvapi-[A-Za-z0-9_-]{20,}|r8_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|pplx-[A-Za-z0-9]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,})|"
    r"(?P<kakehashi>kk_[A-Za-z0-9_-]{16,})"
    r")(?![A-Za-z0-9_])"
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{6,})?")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}(?:PRIVATE KEY|CERTIFICATE|SECRET)[A-Z0-9 ]{0,10}-----.{0,8000}?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL
)
_WEBHOOK = re.compile(
    r"https://(?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{10,}|(?:canary\.|ptb\.)?discord(?:app)?\.com/api/webhooks/[A-Za-z0-9/_-]{10,}|"
    r"[a-z0-9-]+\.webhook\.office\.com/[A-Za-z0-9/_@-]{20,})"
)
_CONNECTION = re.compile(
    r"(?<![A-Za-z])(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver|oracle|cockroachdb|clickhouse|"
    r"smtps?|ldaps?|sftp|postgresql\+\w+|mysql\+\w+)://[^\s:@/「」]{0,64}:[^\s@「」]{1,128}@[^\s\"'`、。「」)\]}>]+",
    re.IGNORECASE,
)
_AUTH = re.compile(r"(?:Bearer|Basic)\s+(?P<value>[A-Za-z0-9._~+/-]{12,}=*)")
_CURL = re.compile(r"(?:\s-u|--user)\s+['\"]?[A-Za-z0-9._@-]+:(?P<value>[^\s'\"]{4,})")

_WORDS = (
    r"(?:仮|初期|新|旧|現在の|管理者|ログイン|一時)?パスワード|ぱすわーど|パスコード|PIN(?:コード|番号)|ピンコード|パスフレーズ|合言葉|暗証番号|暗証|認証コード|確認コード|ワンタイムパスワード|ワンタイムコード|シークレットキー|シークレット|"
    r"秘密鍵|秘密の(?:答え|質問の答え)|アクセスキー|アクセストークン|トークン|APIキー|API ?鍵|共有鍵|暗号鍵|認証キー|認証トークン|セキュリティコード|"
    r"リカバリーコード|復旧コード|初期PW|仮PW|PW|"
    r"(?<![A-Za-z])(?:[A-Za-z0-9]+[_-])*(?:pass(?:word|wd|code|phrase)?|pwd|secret|token|credential|api[_ -]?key|apikey|access[_ -]?key|"
    r"secret[_ -]?key|private[_ -]?key|client[_ -]?secret|auth[_ -]?key|encryption[_ -]?key|account[_ -]?key|otp|pin|passcode|cvv|cvc|"
    r"session[_-]?id|jsessionid|phpsessid|csrf[_-]?token|xsrf[_-]?token|webhook[_ -]?secret|signing[_ -]?key|master[_ -]?key|license[_ -]?key|shared[_ -]?key|sharedaccesskey|accountkey)(?:[_-]?(?:id|key|value|code|\d))?"
)
_LABELLED = re.compile(
    rf"(?P<label>{_WORDS})(?:\s?\([^)\n]{{0,16}}\))?(?P<joint>[\"'」』)\]]{{0,2}}\s{{0,3}}(?::=|[:=]>?|は|が|→|->|is\s*:?|was|としては?)\s{{0,3}}|"
    r"[」』】]?\s?(?=[「『\"'`【])|\s{1,2}|を\s?|(?=[A-Za-z0-9]*[!#$%&*+=?@^_~-])(?=[!-~]*\d))(?P<quote>[「『\"'`(<【]{0,2})"
    r"(?P<value>[!-~]{3,200})",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"(?:パスフレーズ|passphrase|リカバリーフレーズ|シードフレーズ|seed\s?phrase|recovery\s?phrase|mnemonic|合言葉)(?:は|[:=]|\sis)\s?[「\"']?"
    r"(?P<value>[A-Za-z0-9][!-~]*(?: [!-~]{1,20}){2,24})",
    re.IGNORECASE,
)
_STOP = re.compile(
    r"(?:required|optional|null|none|true|false|undefined|string|example|sample|dummy|test|reset|policy|policies|rules?|manager|protected|"
    r"change|changed|changeme|expired?|expires|expiry|must|should|will|has|have|can|cannot|may|not|is|are|was|the|your|our|my|their|and|or|to|for|in|of|on|with|"
    r"field|hash(?:ed)?|login|here|below|above|input|length|least|strength|management|authentication|verification|security|"
    r"xxx+|\*+|\.+|-+|_+|[?？]+|•+|redacted|masked|hidden|omitted|set|unset|empty|\$\{?\w+\}?|<[^>]*>|\{+[^}]*\}+|%\w+%|"
    r"process\.env\.\w+|os\.environ.*|getenv.*|\[\[.*|https?:.*|usage|budget|limits?|count|bucket|based|prompt|id|key|value|name|type|number)"
    r"[\"'`.,;:!?)\]}]*\Z",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"(?<![A-Za-z0-9+/_=.@-])(?=[A-Za-z0-9+/_=-]*\d)(?=[A-Za-z0-9+/_=-]*[A-Za-z])[A-Za-z0-9+/_=-]{24,}(?![A-Za-z0-9+/_=-])")
_CUE = re.compile(
    r"(?:(?<![A-Za-z])(?:key|token|secret|credential|password)s?(?![a-z])|_(?:KEY|TOKEN|SECRET)|鍵|キー|トークン|認証|シークレット|クレデンシャル|パスワード)"
    r"(?:(?![。\n]).){0,24}\Z",
    re.IGNORECASE,
)
_SHAPES = (
    (_KNOWN, "", 0.98), (_JWT, "secret.jwt", 0.96), (_PEM, "secret.pem", 0.99), (_WEBHOOK, "secret.webhook", 0.98),
    (_CONNECTION, "secret.connection", 0.98), (_AUTH, "secret.authorization", 0.92), (_CURL, "secret.curl", 0.92),
)  # fmt: skip
_PREFILTER = Prefilter([pattern.pattern for pattern, _, _ in _SHAPES], re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9_./+=-]{10,}|-----BEGIN|://|-u |--user")
_LABELS = Prefilter([_WORDS, "合言葉|パスフレーズ|秘密の|フレーズ|mnemonic"], re.IGNORECASE)
_PIN = re.compile(r"暗証|PIN|認証コード|確認コード|ワンタイム|OTP|CVV|CVC|セキュリティコード|パスコード|passcode", re.IGNORECASE)


def detect(view: View) -> Iterator[Hit]:
    if _TOKEN.search(view.text):
        yield from _shapes(view.text)
    if _LABELS.possible(view.text):
        yield from _labelled(view)
        yield from _quoted(view)
        for match in _PHRASE.finditer(view.text):
            yield Hit(*match.span("value"), "SECRET", "secret.phrase", 0.92)


def _shapes(text: str) -> Iterator[Hit]:
    """What shows itself without a label."""
    for index in sorted(_PREFILTER.those(text)):
        pattern, rule, confidence = _SHAPES[index]
        for match in pattern.finditer(text):
            place = match.span("value" if "value" in pattern.groupindex else 0)
            yield Hit(*place, "SECRET", rule or f"secret.{match.lastgroup}", confidence)
    for match in _RANDOM.finditer(text):
        if _random(text, match):
            yield Hit(*match.span(), "SECRET", "secret.random", 0.75)


def _labelled(view: View) -> Iterator[Hit]:
    for match in _LABELLED.finditer(view.text):
        value = _trim(match["value"], match["quote"])
        if value and _secret_like(value, match["label"], match["joint"], match["quote"]):
            start = match.start("value")
            yield Hit(start, start + len(value), "SECRET", "secret.label", 0.9)
            changed = _CHANGED.match(view.text, start + len(value))
            if changed:
                yield Hit(*changed.span("value"), "SECRET", "secret.label", 0.88)


_CHANGED = re.compile(r"\s?から\s?[「『\"]?(?P<value>[!-~]{4,64}?)[」』\"]?\s?(?:へ|に)(?:変更|更新|再設定)")
_QUOTED = re.compile(
    r"(?P<label>合言葉|パスフレーズ|秘密の(?:質問の)?答え|パスワード|暗証)(?:は|:|=|が)?\s?[「『](?P<value>[^「」『』\n]{3,30})[」』](?!\s?(?:ボタン|欄|画面|メニュー|タブ|を(?:押|クリック|選)|と(?:は|表示)))"
)


def _quoted(view: View) -> Iterator[Hit]:
    """Watchwords in Japanese: 合言葉は「…」."""
    for match in _QUOTED.finditer(view.text):
        if match["label"] not in ("パスワード", "暗証") or re.search(r"\d", match["value"]):
            yield Hit(*match.span("value"), "SECRET", "secret.quoted", 0.85)


def _trim(value: str, quote: str) -> str:
    """The value without the quote, bracket or full stop that closes it."""
    for opening, closing in (('"', '"'), ("'", "'"), ("`", "`"), ("(", ")"), ("<", ">")):
        if quote.endswith(opening) and closing in value:
            return value[: value.index(closing)]
    if not quote:
        value = re.split(r"[,;]?[\"']", value)[0] if value[:1] not in "\"'" else value
    return re.sub(r"[.,;:)\]}>]+\Z", "", value) if not quote else value.rstrip(",;")


def _secret_like(value: str, label: str, joint: str, quote: str) -> bool:
    """Not a word of the sentence: mixed characters, or clearly assigned."""
    if _PIN.search(label):
        return re.fullmatch(r"\d{3,8}|(?=\S*\d)[A-Za-z0-9-]{4,12}", value) is not None
    if len(value) < 4 or _STOP.match(value):
        return False
    kinds = sum(bool(re.search(p, value)) for p in (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z0-9]"))
    if joint.strip() in ("", "を") and not quote:
        return len(value) >= 6 and kinds >= (2 if joint.strip() else 3) and re.search(r"\d", value) is not None
    if re.search(r"\bis\b|は|が|was", joint) and not quote:
        return kinds >= 2 and re.search(r"[\d!#$%&*+=?@^_~]", value) is not None and len(value) >= 5
    if re.fullmatch(r"\d+", value):
        return 4 <= len(value) <= 16 and not re.search(r"token|トークン", label, re.IGNORECASE)
    return len(value) >= 5 and (kinds >= 2 or len(value) >= 6)


def _random(text: str, match: re.Match[str]) -> bool:
    """No word, no hash or identifier, and something nearby says key or token."""
    value = match[0]
    if entropy(value) < 3.5 or re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f-]{36}", value):
        return False
    return _CUE.search(text[max(0, match.start() - 40) : match.start()]) is not None
